package admin

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// randomEntry makes an entry of one of two gateways, with texts that callers may send.
func randomEntry(ids *sluice.IDs, r *rand.Rand) sluice.LogEntry {
	e := recent(ids)
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	e.Gateway = pick("default", "prod")
	e.Provider, e.Model = pick("openai", "anthropic"), pick("gpt-4.1-mini", "=cmd|'/c calc'!A1", "m\"\r\n,;<&>ü", "")
	e.Status = []int{200, 200, 429, 499}[r.IntN(4)]
	e.Success = e.Status == http.StatusOK
	e.ErrorText, e.UserAgent = pick("", "-1+1 failed\x00", "too many"), pick("curl/8", "@agent", "")
	e.Metadata = nil
	if r.IntN(2) == 0 {
		e.Metadata = []sluice.MetaValue{{Key: "user", Value: pick("=1", "ann"), Kind: sluice.MetaString}, {Key: "n", Value: fmt.Sprint(r.IntN(9)), Kind: sluice.MetaNumber}}
	}
	e.Priced = r.IntN(3) > 0
	e.Cost = sluice.NanoUSD(r.Int64N(5_000_000_000))
	e.Timeline = sluice.Timeline{FirstToken: time.Duration(r.Int64N(int64(time.Second))).Truncate(time.Microsecond), End: time.Duration(1+r.Int64N(int64(time.Minute))) / 1000 * 1000}
	e.Attempts = nil
	for n := range r.IntN(4) {
		e.Attempts = append(e.Attempts, sluice.Attempt{Provider: e.Provider, Model: e.Model, Status: 500 + n, Cause: "status", Start: time.Duration(n) * time.Millisecond, End: time.Millisecond})
	}
	if n := len(e.Attempts); n > 0 {
		e.Attempts[n-1].Cause, e.Attempts[n-1].Status = "", e.Status
	}
	return e
}

// exportBench has the real log with random rows, and jobs over it.
type exportBench struct {
	*bench
	jobs *job.Runner
	log  *reqlog.Log
}

func newExportBench(t *testing.T, rows int, wrap func(JobLog) JobLog) *exportBench {
	t.Helper()
	log, _ := openReal(t, t.TempDir())
	r := rand.New(rand.NewPCG(1, 2))
	var ids sluice.IDs
	for i := range rows {
		run(log, randomEntry(&ids, r), fmt.Sprintf(`{"prompt":"%d ü"}`, i), string([]byte{byte(i), 0xff, 0}))
	}
	var seen JobLog = log
	if wrap != nil {
		seen = wrap(log)
	}
	jobs := newJobs(t, JobKinds(seen, func(string) *price.Catalogue { return price.Embedded() })...)
	return &exportBench{newBench(t, func(d *Deps) { d.Log, d.Jobs = log, jobs }), jobs, log}
}

// start starts an export and returns its job's id.
func (b *exportBench) start(path string, what map[string]any) string {
	b.t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		b.t.Fatal(err)
	}
	v := b.send(http.MethodPost, path, string(text))
	if v.status != http.StatusOK {
		b.t.Fatalf("export %s: %d %+v", text, v.status, v.Errors)
	}
	return v.object(b.t)["id"].(string)
}

// file waits for the job and returns what it has left, and what it says.
func (b *exportBench) file(id string) ([]byte, map[string]any) {
	b.t.Helper()
	j := b.ended(id)
	if j["state"] != "done" {
		b.t.Fatalf("%v", j)
	}
	r := b.get(jobsPath + "/" + id + "/result")
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		b.t.Fatal(r.StatusCode, err)
	}
	return text, j
}

// listed are the rows of the list, oldest first, as JSON lines.
func (b *exportBench) listed(path string, query url.Values) []string {
	b.t.Helper()
	query.Set("order_by_direction", "asc")
	query.Set("per_page", "700")
	var lines []string
	for {
		v := b.call(path + "?" + query.Encode())
		var rows []json.RawMessage
		if err := json.Unmarshal(v.Result, &rows); err != nil {
			b.t.Fatal(err)
		}
		for _, row := range rows {
			lines = append(lines, string(row))
		}
		next, _ := v.ResultInfo["next"].(string)
		if next == "" {
			return lines
		}
		query.Set("cursor", next)
	}
}

const exportColumns = "id,created_at,gateway,provider,model,status_code,success,duration,ttft,cost,tokens_in,metadata,error_text,attempts,usage,user_agent"

func TestAnExportIsTheList(t *testing.T) {
	b := newExportBench(t, 2500, nil)
	columns := strings.Split(exportColumns, ",")
	for name, c := range map[string]struct {
		what  map[string]any
		query url.Values
	}{
		"all of a gateway": {nil, url.Values{}},
		"by q":             {map[string]any{"q": "provider:openai -status:429"}, url.Values{"q": {"provider:openai -status:429"}}},
		"by filters": {
			map[string]any{"filters": []any{map[string]any{"key": "success", "operator": "eq", "value": []any{true}}}},
			url.Values{"filters": {`[{"key":"success","operator":"eq","value":[true]}]`}},
		},
		"by attempts": {map[string]any{"basis": "attempts", "q": "provider:openai"}, url.Values{"basis": {"attempts"}, "q": {"provider:openai"}}},
		"a range":     {map[string]any{"range": "1h"}, url.Values{"range": {"1h"}}},
		"nothing":     {map[string]any{"q": "provider:nobody"}, url.Values{"q": {"provider:nobody"}}},
	} {
		t.Run(name, func(t *testing.T) {
			what := map[string]any{"columns": columns}
			for k, v := range c.what {
				what[k] = v
			}
			c.query.Set("fields", exportColumns)
			if !c.query.Has("basis") {
				c.query.Set("basis", "requests")
			}
			want := b.listed(logsPath, c.query)
			if name != "nothing" && len(want) < 100 {
				t.Fatalf("only %d rows", len(want))
			}
			text, j := b.file(b.start(logsPath+"/export", what))
			if got := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"); !slices.Equal(got, want) && !(len(want) == 0 && len(text) == 0) {
				t.Errorf("%d lines, want %d; the first: %s, want %s", len(got), len(want), got[0], append(want, "")[0])
			}
			if result := j["result"].(map[string]any); fmt.Sprint(result["rows"]) != fmt.Sprint(len(want)) || fmt.Sprint(j["done"]) != fmt.Sprint(result["requests"]) {
				t.Errorf("%v", j)
			}
			what["format"] = "csv"
			what["gzip"] = true
			b.sameCSV(t, what, want)
			what["format"] = "parquet"
			b.sameParquet(t, what, want)
		})
	}
}

func (b *exportBench) sameCSV(t *testing.T, what map[string]any, want []string) {
	t.Helper()
	text, j := b.file(b.start(logsPath+"/export", what))
	if name := j["file"].(map[string]any)["name"].(string); !strings.HasSuffix(name, "-default.csv.gz") {
		t.Errorf("its name is %s", name)
	}
	plain, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(plain).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(rows[0], ",") != exportColumns || len(rows) != len(want)+1 {
		t.Fatalf("%d rows under %v, want %d", len(rows), rows[0], len(want))
	}
	for i, line := range want {
		var e struct {
			ID    string
			Model string
			Cost  json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		model := strings.ReplaceAll(e.Model, "\r\n", "\n")
		if strings.HasPrefix(model, "=") {
			model = "'" + model
		}
		if row := rows[i+1]; row[0] != e.ID || row[4] != model || row[9] != strings.TrimPrefix(string(e.Cost), "null") {
			t.Fatalf("row %v of %s", row, line)
		}
	}
}

func (b *exportBench) sameParquet(t *testing.T, what map[string]any, want []string) {
	t.Helper()
	text, _ := b.file(b.start(logsPath+"/export", what))
	type row struct {
		ID    string   `parquet:"id,optional"`
		Model string   `parquet:"model,optional"`
		Cost  *int64   `parquet:"cost,optional,decimal(9:18)"`
		TTFT  *float64 `parquet:"ttft,optional"`
		Code  *int64   `parquet:"status_code,optional"`
	}
	rows, err := parquet.Read[row](bytes.NewReader(text), int64(len(text)))
	if err != nil || len(rows) != len(want) {
		t.Fatalf("%d rows, want %d: %v", len(rows), len(want), err)
	}
	for i, line := range want {
		var e struct {
			ID, Model string
			Cost      *json.Number
			TTFT      *float64
			Code      *int64 `json:"status_code"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		r := rows[i]
		if r.ID != e.ID || r.Model != e.Model || (r.Cost == nil) != (e.Cost == nil) || (r.TTFT == nil) != (e.TTFT == nil) ||
			r.TTFT != nil && *r.TTFT != *e.TTFT || (r.Code == nil) != (e.Code == nil) || r.Code != nil && *r.Code != *e.Code ||
			r.Cost != nil && string(appendDecimal(nil, *r.Cost, 9)) != e.Cost.String() {
			t.Fatalf("row %+v of %s", r, line)
		}
	}
}

func TestAnExportOfAnAccountHasAllItsGateways(t *testing.T) {
	b := newExportBench(t, 50, nil)
	text, _ := b.file(b.start(accountPath+"/logs/export", map[string]any{"columns": []string{"gateway"}}))
	if n := bytes.Count(text, []byte("\n")); n != 50 || !bytes.Contains(text, []byte(`"gateway":"prod"`)) || !bytes.Contains(text, []byte(`{"id":"`)) {
		t.Errorf("%d rows: %.200s", n, text)
	}
}

func TestAnExportHasBodiesWhenAsked(t *testing.T) {
	b := newExportBench(t, 20, nil)
	text, _ := b.file(b.start(accountPath+"/logs/export", map[string]any{"columns": []string{"id"}, "bodies": true}))
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		var row struct {
			RequestBody      string `json:"request_body"`
			RequestEncoding  string `json:"request_body_encoding"`
			ResponseBody     string `json:"response_body"`
			ResponseEncoding string `json:"response_body_encoding"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		binary, err := base64.StdEncoding.DecodeString(row.ResponseBody)
		if row.RequestBody != fmt.Sprintf(`{"prompt":"%d ü"}`, i) || row.RequestEncoding != "utf-8" || row.ResponseEncoding != "base64" ||
			err != nil || !bytes.Equal(binary, []byte{byte(i), 0xff, 0}) {
			t.Errorf("%s", line)
		}
	}
	plain, _ := b.file(b.start(accountPath+"/logs/export", map[string]any{}))
	if bytes.Contains(plain, []byte("prompt")) {
		t.Error("bodies that nobody asked for")
	}
}

// pagedLog lets a test hold a list between two pages.
type pagedLog struct {
	JobLog
	pages chan int      // told the number of each page, from 1
	pass  chan struct{} // lets it be read
	n     int
}

func (l *pagedLog) List(ctx context.Context, q reqlog.Query) (reqlog.Page, error) {
	l.n++
	l.pages <- l.n
	select {
	case <-l.pass:
	case <-ctx.Done():
		return reqlog.Page{}, ctx.Err()
	}
	return l.JobLog.List(ctx, q)
}

func TestAnExportThatWasStoppedGoesOn(t *testing.T) {
	for _, format := range []string{"jsonl", "csv", "parquet"} {
		t.Run(format, func(t *testing.T) {
			paged := &pagedLog{pages: make(chan int, 1), pass: make(chan struct{})}
			b := newExportBench(t, 3500, func(l JobLog) JobLog { paged.JobLog = l; return paged })
			what := map[string]any{"format": format, "gzip": true}
			read := func(stopAt int) []byte {
				paged.n = 0
				id := b.start(accountPath+"/logs/export", what)
				for {
					n := <-paged.pages
					if n == stopAt {
						break
					}
					paged.pass <- struct{}{}
					if n == 4 {
						text, _ := b.file(id)
						return text
					}
				}
				if v := b.send(http.MethodPost, jobsPath+"/"+id+"/cancel", ""); v.status != http.StatusOK {
					t.Fatal(v.status)
				}
				if j := b.ended(id); j["state"] != "canceled" || j["resumable"] != true {
					t.Fatalf("%v", j)
				}
				close(paged.pass)
				paged.pages = make(chan int, 100)
				if v := b.send(http.MethodPost, jobsPath+"/"+id+"/resume", ""); v.status != http.StatusOK {
					t.Fatal(v.status)
				}
				text, _ := b.file(id)
				left := len(paged.pages)
				if want := map[string]int{"jsonl": 2, "csv": 2, "parquet": 4}[format]; left != want {
					t.Errorf("it has read %d more pages, want %d", left, want)
				}
				return text
			}
			whole := read(0)
			cut := read(3)
			if format != "parquet" {
				whole, cut = unpacked(t, whole), unpacked(t, cut)
			}
			if !bytes.Equal(whole, cut) {
				t.Errorf("%d bytes, and %d at once", len(cut), len(whole))
			}
		})
	}
}

func unpacked(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestWhatCannotBeExportedIsRefusedAtOnce(t *testing.T) {
	b := newExportBench(t, 1, nil)
	for text, want := range map[string]string{
		`{"columns":["nothing"]}`:                               "columns",
		`{"columns":["request_head"]}`:                          "columns",
		`{"q":"nothing:1"}`:                                     "q",
		`{"range":"soon"}`:                                      "range",
		`{"filters":[{"key":"x","operator":"eq","value":"y"}]}`: "filters",
		`{"format":"xlsx"}`:                                     "format",
		`{"unknown":1}`:                                         "unknown",
	} {
		v := b.send(http.MethodPost, logsPath+"/export", text)
		if v.status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(v.Errors), want) {
			t.Errorf("%s: %d %+v", text, v.status, v.Errors)
		}
	}
	if v := b.send(http.MethodPost, accountPath+"/gateways/nothing/logs/export", `{}`); v.status != http.StatusNotFound {
		t.Errorf("no such gateway: %d", v.status)
	}
}
