package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/export"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// KindExportLogs is the kind of jobs that export log entries.
const KindExportLogs = "export-logs"

// exportRoutes are those of exports.
func exportRoutes() []route {
	return []route{
		edit(http.MethodPost, scope+"/gateways/{gateway}/logs/export", "export-gateway-logs", "Start a job that writes log entries of a gateway to a file (ours)", handle((*server).exportGatewayLogs)),
		edit(http.MethodPost, scope+"/logs/export", "export-logs", "Start a job that writes log entries of an account to a file (ours)", handle((*server).exportLogs)),
	}
}

// LogExport says what an export holds.
type LogExport struct {
	LogSelection
	Format  string   `json:"format,omitempty" enum:"jsonl,csv,parquet" default:"jsonl"`
	Columns []string `json:"columns,omitempty" nullable:"true" maxItems:"100" doc:"fields of an entry, in this order, id always among them; left out: those that a list has"`
	Gzip    bool     `json:"gzip,omitempty" doc:"compress the file; Parquet is compressed by itself"`
	Basis   string   `json:"basis,omitempty" enum:"attempts,requests" default:"requests" doc:"one row per attempt, or one per request"`
	Bodies  bool     `json:"bodies,omitempty" doc:"with the stored bodies, decoded, as columns request_body and response_body"`
}

// exportInput is a LogExport as its job keeps it.
type exportInput struct {
	selection
	Format  export.Format `json:"format"`
	Columns []string      `json:"columns,omitempty"`
	Gzip    bool          `json:"gzip"`
	Basis   basis         `json:"basis"`
	Bodies  bool          `json:"bodies"`
}

// ExportResult is what an export tells when it is done.
type ExportResult struct {
	Rows          int64   `json:"rows" doc:"in the file"`
	Requests      int64   `json:"requests" doc:"that were read for them"`
	CompleteUntil *string `json:"complete_until" doc:"no entry that began before this time was added later"`
}

type exportGatewayInput struct {
	GatewayPath
	Body LogExport
}

func (s *server) exportGatewayLogs(ctx context.Context, in *exportGatewayInput) (*output[Envelope[JobView]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	return s.startExport(ctx, a.ID, g.ID, &in.Body)
}

type exportAccountInput struct {
	AccountPath
	Body LogExport
}

func (s *server) exportLogs(ctx context.Context, in *exportAccountInput) (*output[Envelope[JobView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	return s.startExport(ctx, a.ID, "", &in.Body)
}

func (s *server) startExport(ctx context.Context, account, gateway string, in *LogExport) (*output[Envelope[JobView]], error) {
	sel, err := in.fix(time.Now())
	if err != nil {
		return nil, err
	}
	x := exportInput{selection: sel, Format: export.Format(in.Format), Columns: in.Columns, Gzip: in.Gzip && in.Format != "parquet", Basis: basis(in.Basis), Bodies: in.Bodies}
	if _, err := x.fields(&s.fields); err != nil {
		return nil, err
	}
	return s.startJob(ctx, job.Spec{Account: account, Gateway: gateway, Kind: KindExportLogs, Input: x})
}

// fields are the fields of an entry that the export has.
func (x *exportInput) fields(set *fieldSet) ([]int, error) {
	if len(x.Columns) == 0 {
		keep := make([]int, 0, len(set.list))
		for _, i := range set.list {
			if !set.sparse[i] { // what says of a list that it was cut
				keep = append(keep, i)
			}
		}
		return keep, nil
	}
	return set.pickColumns(x.Columns)
}

// pickColumns reads names of columns. The id is put first when it is not among them.
func (f *fieldSet) pickColumns(names []string) ([]int, error) {
	var picked []int
	seen := map[int]bool{}
	for _, name := range names {
		i, known := f.byName[name]
		if !known || !kept(i) || f.sparse[i] {
			return nil, invalid("columns", "there is no column "+clip(name, 60), "fields of a log entry as a list has them, such as created_at, status_code, cost")
		}
		if !seen[i] {
			seen[i] = true
			picked = append(picked, i)
		}
	}
	if id := f.byName["id"]; !seen[id] {
		picked = append([]int{id}, picked...)
	}
	return picked, nil
}

// columnKind is what the values of a field of Entry are in a file.
func columnKind(f reflect.StructField) export.Kind {
	if f.Tag.Get("format") == "date-time" {
		return export.Time
	}
	t := f.Type
	switch t {
	case reflect.TypeFor[Money]():
		return export.Decimal
	case reflect.TypeFor[Millis]():
		return export.Float
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return export.Text
	case reflect.Bool:
		return export.Bool
	case reflect.Int, reflect.Int64:
		return export.Integer
	case reflect.Float64:
		return export.Float
	}
	return export.JSON
}

// The columns that bodies have beside them.
const (
	bodyBytes    = 16 << 20 // of a body, decoded; a longer one is left out
	bodyUTF8     = "utf-8"
	bodyBase64   = "base64"
	bodyTooLarge = "too large"
)

// exporter runs one export.
type exporter struct {
	log    Log
	set    *fieldSet
	run    *job.Run
	in     exportInput
	query  *logsQuery
	keep   []int
	file   *job.Output
	writer *export.Writer
	state  exportState
	saved  time.Time
	within bool // a page is written in part
	buf    []byte
	ends   []int
	row    []json.RawMessage
}

// exportState is where an export goes on.
type exportState struct {
	Cursor   string `json:"cursor"`
	Bytes    int64  `json:"bytes"`
	Rows     int64  `json:"rows"`
	Requests int64  `json:"requests"`
}

// saveEvery is how often an export makes a checkpoint.
const saveEvery = 5 * time.Second

// exportKind is the kind of jobs that export entries of log.
func exportKind(log Log) job.Kind {
	set := newFieldSet()
	return job.Kind{Name: KindExportLogs, Resumable: true, AtOnce: 2, Run: func(ctx context.Context, r *job.Run) error {
		x := &exporter{log: log, set: &set, run: r, saved: time.Now()}
		if err := x.open(); err != nil {
			return err
		}
		err := x.pages(ctx)
		return errors.Join(err, x.file.Close())
	}}
}

// open makes the file, or goes on with it.
func (x *exporter) open() error {
	if err := x.run.Input(&x.in); err != nil {
		return err
	}
	var err error
	if x.query, err = x.in.query(time.Now()); err != nil {
		return err
	}
	if x.keep, err = x.in.fields(x.set); err != nil {
		return err
	}
	j := x.run.Job()
	x.query.Account, x.query.Gateway, x.query.basis = j.Account, j.Gateway, x.in.Basis
	resumed := false
	if x.in.Format.Cuts() {
		if resumed, err = x.run.State(&x.state); err != nil {
			return err
		}
	}
	x.query.Cursor = x.state.Cursor
	if x.file, err = x.run.Create(x.fileName(&j), x.mediaType(), x.state.Bytes); err != nil {
		return err
	}
	x.writer, err = export.NewWriter(x.file, export.Options{Format: x.in.Format, Columns: x.columns(), Gzip: x.in.Gzip, Resumed: resumed})
	if err != nil {
		return errors.Join(err, x.file.Close())
	}
	return nil
}

func (x *exporter) fileName(j *job.Job) string {
	name := "sluice-logs-" + j.Created.UTC().Format("20060102T150405Z")
	if j.Gateway != "" {
		name += "-" + j.Gateway
	}
	name += "." + string(x.in.Format)
	if x.in.Gzip {
		name += ".gz"
	}
	return name
}

func (x *exporter) mediaType() string {
	if x.in.Gzip {
		return "application/gzip"
	}
	return x.in.Format.MediaType()
}

func (x *exporter) columns() []export.Column {
	t := reflect.TypeFor[Entry]()
	var columns []export.Column
	for _, i := range x.keep {
		columns = append(columns, export.Column{Name: x.set.name(i), Kind: columnKind(t.Field(i))})
	}
	if x.in.Bodies {
		for _, name := range []string{"request_body", "request_body_encoding", "response_body", "response_body_encoding"} {
			columns = append(columns, export.Column{Name: name})
		}
	}
	return columns
}

// pages writes all pages, and ends the file. When ctx ends, what was written stays, to be gone on with.
func (x *exporter) pages(ctx context.Context) error {
	err := eachPage(ctx, x.log, x.query, func(rows []reqlog.Row, total int64, next string) error {
		x.within = true
		for i := range rows {
			if err := x.request(ctx, &rows[i]); err != nil {
				return err
			}
		}
		x.within, x.state.Cursor = false, next
		x.run.Progress(x.state.Requests, total)
		if next != "" && time.Since(x.saved) >= saveEvery {
			return x.save(ctx)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil && x.state.Cursor != "" && !x.within {
		return errors.Join(err, x.save(ctx))
	}
	if err != nil {
		return err
	}
	if err := x.writer.Close(); err != nil {
		return err
	}
	if err := x.file.Sync(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	until, err := x.log.CompleteUntil(ctx)
	if err != nil {
		return fmt.Errorf("ask until when the log is complete: %w", err)
	}
	x.run.Progress(x.state.Requests, x.state.Requests)
	return x.run.Result(ExportResult{Rows: x.state.Rows, Requests: x.state.Requests, CompleteUntil: knownStamp(until)})
}

// save makes a checkpoint behind a page.
func (x *exporter) save(ctx context.Context) error {
	x.saved = time.Now()
	if !x.in.Format.Cuts() {
		return nil
	}
	if err := x.writer.Cut(); err != nil {
		return err
	}
	if err := x.file.Sync(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	x.state.Bytes = x.file.Size()
	return x.run.Checkpoint(ctx, x.state)
}

// request writes the rows of one request.
func (x *exporter) request(ctx context.Context, row *reqlog.Row) error {
	x.state.Requests++
	items := itemsOf(&row.Entry, x.in.Basis)
	for i := range items {
		if len(items) > 1 && !reqlog.MatchAll(x.query.conds, &items[i].entry) {
			continue
		}
		if err := x.item(ctx, row, &items[i]); err != nil {
			return fmt.Errorf("export log entry %s: %w", items[i].entry.ID, err)
		}
		x.state.Rows++
	}
	return nil
}

// item writes one row.
func (x *exporter) item(ctx context.Context, row *reqlog.Row, it *item) error {
	v := reflect.ValueOf(viewEntry(&it.entry, x.in.Basis)).Elem()
	x.buf, x.ends = x.buf[:0], x.ends[:0]
	var err error
	for _, i := range x.keep {
		if x.buf, err = appendJSON(x.buf, v.Field(i).Addr().Interface()); err != nil {
			return err
		}
		x.ends = append(x.ends, len(x.buf))
	}
	if x.in.Bodies {
		if err := x.bodies(ctx, row, it); err != nil {
			return err
		}
	}
	x.row = x.row[:0]
	start := 0
	for _, end := range x.ends {
		x.row = append(x.row, x.buf[start:end])
		start = end
	}
	return x.writer.Write(x.row)
}

// bodies appends the columns of both bodies.
func (x *exporter) bodies(ctx context.Context, row *reqlog.Row, it *item) error {
	for side, info := range []*sluice.Body{&it.entry.Request, &it.entry.Response} {
		body, encoding := []byte("null"), "null"
		if reqlog.Side(side) == reqlog.RequestSide || hasResponse(it) {
			text, coding, err := x.body(ctx, row, reqlog.Side(side), info)
			if err != nil {
				return err
			}
			if coding != "" {
				encoding = `"` + coding + `"`
			}
			if text != nil {
				body = text
			}
		}
		x.buf = append(x.buf, body...)
		x.ends = append(x.ends, len(x.buf))
		x.buf = append(x.buf, encoding...)
		x.ends = append(x.ends, len(x.buf))
	}
	return nil
}

// body returns a stored body as a JSON string, and how that holds it; "": there is none.
func (x *exporter) body(ctx context.Context, row *reqlog.Row, side reqlog.Side, info *sluice.Body) (text []byte, coding string, err error) {
	if storedBytes(row.Parts[side]) == 0 {
		return nil, "", nil
	}
	stored, err := x.log.Body(ctx, *row, side)
	if sluice.KindOf(err) == sluice.KindNotFound {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("open a body: %w", err)
	}
	defer stored.Close()
	var from io.Reader = markReader{stored}
	if plain, known := decoder(stored, info.Encoding); known {
		defer plain.Close()
		from = plain
	}
	b, err := io.ReadAll(io.LimitReader(from, bodyBytes+1))
	if errors.Is(err, errStored) {
		return nil, "", fmt.Errorf("read a body: %w", err)
	} // any other error is the body's own: so much of it as can be decoded is shown
	if len(b) > bodyBytes {
		return nil, bodyTooLarge, nil
	}
	coding = bodyUTF8
	if !utf8.Valid(b) {
		coding = bodyBase64
		b = base64.StdEncoding.AppendEncode(nil, b)
	}
	text, err = json.Marshal(string(b))
	return text, coding, err
}
