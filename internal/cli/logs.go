package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
)

// logsCommand is the log's commands; alone it is tail.
func (a *commands) logsCommand() *cobra.Command {
	tail := a.tailCommand()
	c := a.command("logs [filter]", "Look into the log: tail (also without a command), list, get, export, feedback, delete", nil)
	var since string
	c.Flags().StringVar(&since, "since", "", "`time` to catch up from: 10m, 2h, or a date and time")
	c.Example = "sluice logs tail 'status:error'\nsluice logs list --since 1h 'provider:openai duration:>2s'\nsluice logs export --since 7d > calls.jsonl"
	c.SuggestionsMinimumDistance = 1 // a word may be a filter
	c.Args = func(cmd *cobra.Command, given []string) error {
		if len(given) > 0 && !strings.ContainsAny(given[0], ` :"*-`) {
			if near := cmd.SuggestionsFor(given[0]); len(near) > 0 {
				return unknownCommand(cmd, given[0])
			}
		}
		return nil
	}
	c.RunE = func(cmd *cobra.Command, given []string) error {
		a.started = true
		return a.tail(cmd.Context(), strings.Join(given, " "), since, false)
	}
	c.AddCommand(tail, a.listCommand(), a.getCommand(), a.exportCommand(), a.feedbackCommand(), a.deleteLogsCommand())
	return c
}

// sinceRange makes a range of the API from --since and --range.
func sinceRange(since, span string, now time.Time) (string, error) {
	if since == "" {
		return span, nil
	}
	if span != "" {
		return "", usage("--since and --range say the same: give one of them")
	}
	t, err := sinceTime(since, now)
	if err != nil {
		return "", err
	}
	return t.UTC().Format(time.RFC3339Nano) + "..", nil
}

func sinceTime(since string, now time.Time) (time.Time, error) {
	if d, err := config.ParseDuration(since); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, since, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--since: %q is neither a length of time such as 10m nor a time such as 2026-11-24T14:00:00Z", since)
}

// listFlags are the flags of list and export.
type listFlags struct {
	since, span, order string
	oldest, attempts   bool
	limit              int
}

func (l *listFlags) add(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&l.since, "since", "", "`time` to begin at: 10m, 2h, 7d, or a date and time")
	f.StringVar(&l.span, "range", "", "`range` of time: 24h, 7d, or two RFC 3339 times with .. between")
	f.BoolVar(&l.attempts, "attempts", false, "one entry per attempt, not per request")
}

func (l *listFlags) query(given []string, fields []string) (client.LogQuery, error) {
	span, err := sinceRange(l.since, l.span, time.Now())
	return client.LogQuery{
		Filter: strings.Join(given, " "), Range: span, Order: l.order, Oldest: l.oldest, Fields: fields, Attempts: l.attempts,
	}, err
}

func (a *commands) listCommand() *cobra.Command {
	var l listFlags
	c := a.command("list [filter]", "List log entries, the newest first", func(cmd *cobra.Command, given []string) error {
		return a.list(cmd.Context(), &l, given)
	})
	c.Aliases = []string{"ls"}
	c.Example = "sluice logs list\nsluice logs list --since 1h 'status:error'\nsluice logs list --order duration --json | jq '.[0].id'"
	l.add(c.Flags())
	c.Flags().StringVar(&l.order, "order", "", "`field` to sort by: created_at, duration, cost, tokens_in, tokens_out, provider, model")
	c.Flags().BoolVar(&l.oldest, "oldest", false, "the oldest, or smallest, first")
	c.Flags().IntVar(&l.limit, "limit", 50, "most entries, 1 to 10000")
	return c
}

// maxPage is the largest page of the API.
const maxPage = 1000

func (a *commands) list(ctx context.Context, l *listFlags, given []string) error {
	const most = 10_000
	if l.limit < 1 || l.limit > most {
		return &failure{code: exitUsage, what: fmt.Sprintf("--limit is 1 to %d", most), hint: "for more: sluice logs export"}
	}
	q, err := l.query(given, a.apiFields())
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	entries := []client.Entry{}
	var page *client.Page
	for len(entries) < l.limit {
		q.Limit = min(l.limit-len(entries), maxPage)
		if page, err = c.Logs(ctx, q); err != nil {
			return err
		}
		entries = append(entries, page.Entries...)
		if q.Cursor = page.Next; page.Next == "" || page.Partial {
			break
		}
	}
	if err := a.showEntries(entries[:min(len(entries), l.limit)]); err != nil {
		return err
	}
	a.moreEntries(len(entries), page)
	return nil
}

// apiFields are the fields that the server is asked for: what was named, where only that is shown.
func (a *commands) apiFields() []string { return a.flags.fields }

// moreEntries tells whether there is more than was shown.
func (a *commands) moreEntries(shown int, page *client.Page) {
	switch {
	case page.Partial:
		a.say("%s", a.sign("… the search took too long and was ended: there may be more; a shorter --range, or sluice logs export, finds it"))
	case shown == 0:
		a.say("no entry matches")
	case page.Next != "" && page.Total != nil:
		about := a.sign("≈ ")
		if page.Exact {
			about = ""
		}
		a.say("%s", a.sign(fmt.Sprintf("… %d of %s%s shown; more: --limit, or sluice logs export", shown, about, a.count(*page.Total))))
	case page.Next != "":
		a.say("%s", a.sign(fmt.Sprintf("… %d shown, and there are more: --limit, or sluice logs export", shown)))
	}
}

// showEntries shows entries in whatever form.
func (a *commands) showEntries(entries []client.Entry) error {
	rows := make([]json.RawMessage, len(entries))
	for i := range entries {
		rows[i] = entries[i].Raw
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	now := time.Now()
	return a.show(view{raw: raw, rows: rows, csv: csvEntryFields(), table: func(wide bool) *table {
		t := &table{columns: a.lineColumns(wide, false)}
		for i := range entries {
			l := lineOf(&entries[i])
			t.rows = append(t.rows, a.cells(&l, a.ago(l.time, now), wide, false))
		}
		return t
	}})
}

// csvEntryFields are the fields of an entry in CSV.
func csvEntryFields() []string {
	return []string{
		"id", "created_at", "gateway", "provider", "model", "endpoint", "status_code", "success", "ending", "duration", "ttft",
		"tokens_in", "tokens_out", "cost", "cached", "streamed", "attempt_count", "key", "error_kind", "error_text", "metadata",
	}
}

func (a *commands) getCommand() *cobra.Command {
	var request, response, raw bool
	c := a.command("get <id>", "Show one log entry whole, or its bodies", func(cmd *cobra.Command, given []string) error {
		if request && response {
			return usage("--request and --response: one at a time")
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		switch {
		case request:
			return a.copyBody(cmd.Context(), c, given[0], client.RequestBody, !raw)
		case response:
			return a.copyBody(cmd.Context(), c, given[0], client.ResponseBody, !raw)
		}
		return a.get(cmd.Context(), c, given[0])
	})
	c.Args = args(1, 1)
	c.Example = "sluice logs get 019a7b3e-5f2c-7d10-8a4e-0123456789c0\nsluice logs get 019a7b3e-5f2c-7d10-8a4e-0123456789c0 --response\nsluice logs get 019a7b3e-5f2c-7d10-8a4e-0123456789c0 --json"
	c.Flags().BoolVar(&request, "request", false, "the stored request body, alone")
	c.Flags().BoolVar(&response, "response", false, "the stored response body, alone")
	c.Flags().BoolVar(&raw, "raw", false, "bodies as they were on the wire, content encoding and all")
	return c
}

// copyBody writes a stored body to stdout. On a terminal what could drive it is replaced: bodies hold
// whatever a caller or a provider sent.
func (a *commands) copyBody(ctx context.Context, c *client.Client, id string, side client.Side, decode bool) error {
	body, err := c.LogBody(ctx, id, side, decode)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if !a.OutTerminal {
		_, err := io.Copy(a.Stdout, body)
		return err
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return a.write(strings.TrimRight(printable(string(text), true), "\n") + "\n")
}

func (a *commands) get(ctx context.Context, c *client.Client, id string) error {
	e, err := c.Log(ctx, id)
	if err != nil {
		return err
	}
	if len(a.flags.fields) > 0 || !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: e.Raw})
	}
	return a.write(a.entryText(e))
}

// entryText tells the story of one request.
func (a *commands) entryText(e *client.Entry) string {
	l := lineOf(e)
	sign, word, c := l.word()
	status := a.none()
	if l.status > 0 {
		status = fmt.Sprint(l.status)
	}
	var b strings.Builder
	b.WriteString(a.paint(a.OutTerminal, c, a.sign(sign)+" "+strings.TrimSpace(status+" "+word)) + "  " +
		printable(e.Method+" "+e.Provider+"/"+e.Path, false) + "\n")
	b.WriteString(a.layout(pairs(a.facts(e, &l)...)))
	if t := a.timeline(e); len(t.rows) > 0 {
		b.WriteString("\ntimeline\n" + a.layout(t))
	}
	if len(e.Attempts) > 0 {
		b.WriteString("\nattempts\n" + a.layout(a.attemptTable(e)))
	}
	a.bodyText(&b, "request", e.Request, e.RequestHead, e.RequestWhole)
	a.bodyText(&b, "response", e.Response, e.ResponseHead, e.ResponseWhole)
	return b.String()
}

// facts are names and values; what is not known, or nothing, is left out.
func (a *commands) facts(e *client.Entry, l *line) [][2]string {
	var rows [][2]string
	add := func(name, value string) {
		if value != "" && value != a.none() {
			rows = append(rows, [2]string{name, value})
		}
	}
	add("id", e.ID)
	add("time", a.stamp(e.CreatedAt))
	add("gateway", e.Gateway)
	add("model", l.model)
	if served := text(e.ServedModel); served != e.Model {
		add("served", served)
	}
	add("ending", strings.ReplaceAll(e.Ending, "_", " "))
	add("error", strings.TrimPrefix(text(e.ErrorKind)+": "+text(e.ErrorText), ": "))
	add("duration", a.millis(l.duration))
	add("ttft", a.optionalMillis(l.ttft))
	if e.TokensIn != nil || e.TokensOut != nil {
		add("tokens", a.optionalCount(e.TokensIn)+a.sign(" → ")+a.optionalCount(e.TokensOut)+" ("+e.UsageBasis+")")
	}
	add("cost", a.money(e.Cost))
	add("finish", text(e.Finish))
	add("feedback", e.FeedbackWord())
	add("key", text(e.Key))
	add("user agent", text(e.UserAgent))
	if len(e.Metadata) > 0 {
		if meta, err := json.Marshal(e.Metadata); err == nil {
			add("metadata", string(meta))
		}
	}
	add("notes", strings.Join(e.Notes, ", "))
	for i := range rows {
		if rows[i][0] == "error" && rows[i][1] == ": " {
			rows = append(rows[:i], rows[i+1:]...)
			break
		}
	}
	return rows
}

func (a *commands) timeline(e *client.Entry) *table {
	t := &table{columns: []column{{}, {right: true}}}
	if e.Timeline == nil {
		return t
	}
	for _, m := range []struct {
		name string
		at   *float64
	}{
		{"received", e.Timeline.Received},
		{"connected", e.Timeline.Connected},
		{"sent", e.Timeline.Sent},
		{"first byte", e.Timeline.FirstByte},
		{"first token", e.Timeline.FirstToken},
		{"end", e.Timeline.End},
	} {
		if m.at != nil {
			t.rows = append(t.rows, []cell{{"  " + m.name, dim}, {text: a.millis(*m.at)}})
		}
	}
	return t
}

func (a *commands) attemptTable(e *client.Entry) *table {
	t := &table{columns: []column{{}, {}, {}, {right: true}, {}}}
	for i, at := range e.Attempts {
		status := a.none()
		if at.Status != nil {
			status = fmt.Sprint(*at.Status)
		}
		t.rows = append(t.rows, []cell{
			{fmt.Sprintf("  %d", i+1), dim},
			{text: status},
			{text: named(at.Provider, at.Model) + " " + at.Host},
			{text: a.optionalMillis(at.End)},
			{text: text(at.Cause)},
		})
	}
	return t
}

// bodyText shows the beginning of a body.
func (a *commands) bodyText(b *strings.Builder, name string, body *client.Body, head *string, whole bool) {
	if body == nil {
		return
	}
	about := []string{a.size(body.Size), text(body.Type)}
	for _, s := range []struct {
		is   bool
		word string
	}{{body.Truncated, "cut by the log's cap"}, {body.Dropped, "dropped for lack of room"}, {body.Off, "not stored, as asked for"}} {
		if s.is {
			about = append(about, s.word)
		}
	}
	fmt.Fprintf(b, "\n%s  %s\n", name, printable(strings.Join(about, "  "), false))
	if head == nil || *head == "" {
		return
	}
	const most = 4000
	shown := clip(*head, most)
	b.WriteString(indent(strings.TrimRight(printable(shown, true), "\n")) + "\n")
	if shown != *head || !whole {
		fmt.Fprintf(b, "  %s\n", a.sign("… all of it: --"+name))
	}
}

func (a *commands) exportCommand() *cobra.Command {
	var l listFlags
	var x exportFlags
	var file, cursor string
	c := a.command("export [filter]", "Write log entries to a file or pipe, as JSON lines, CSV or Parquet, the oldest first", func(cmd *cobra.Command, given []string) error {
		q, err := l.query(given, a.apiFields())
		if err == nil {
			err = a.formatOf(&x, file)
		}
		if err != nil {
			return err
		}
		if x.asked() || file != "" && file != "-" && cursor == "" && l.limit == 0 && !a.flags.noHeader {
			if cursor != "" || l.limit != 0 {
				return usage("--cursor and --limit go with an export to a pipe, as JSON lines or CSV")
			}
			return a.exportByJob(cmd.Context(), &x, q, file)
		}
		a.flags.output = x.format
		q.Cursor, q.Oldest = cursor, true
		return a.export(cmd.Context(), q, l.limit, file)
	})
	c.Long = "With -O the server writes the file as a job, and it is downloaded when it is whole: Ctrl-C ends the job and says how to go on.\n" +
		"Without, entries come page by page, and Ctrl-C ends it between two. CSV is safe to open: what a program could run gets a ' in front."
	c.Example = "sluice logs export > calls.jsonl\nsluice logs export --since 7d -O week.csv.gz\nsluice logs export 'range:30d' --format parquet -O logs.parquet"
	l.add(c.Flags())
	x.add(c.Flags())
	c.Flags().IntVar(&l.limit, "limit", 0, "most entries; 0: all")
	c.Flags().StringVarP(&file, "output-file", "O", "", "`file` to write to, in place of stdout")
	c.Flags().StringVar(&cursor, "cursor", "", "go on where another export ended; the file is appended to")
	return c
}

// export writes page by page, so that an interrupted one can go on.
func (a *commands) export(ctx context.Context, q client.LogQuery, limit int, file string) error {
	form := a.flags.output
	c, err := a.client()
	if err != nil {
		return err
	}
	out, done, err := a.exportTo(file, q.Cursor != "")
	if err != nil {
		return err
	}
	defer done()
	w := &entryWriter{out: bufio.NewWriterSize(out, 64<<10), form: form, fields: a.flags.fields, header: !a.flags.noHeader && q.Cursor == ""}
	p := a.newProgress("exported")
	defer p.end()
	for {
		if q.Limit = maxPage; limit > 0 {
			q.Limit = min(maxPage, limit-int(w.n))
		}
		page, err := c.Logs(ctx, q)
		if err != nil {
			return a.stopped(ctx, err, q.Cursor, w)
		}
		if err := w.page(page.Entries); err != nil {
			return err
		}
		p.at(w.n, page.Total)
		if page.Next == "" || limit > 0 && w.n >= int64(limit) {
			return nil
		}
		q.Cursor = page.Next
	}
}

// stopped says how to go on after what was written.
func (a *commands) stopped(ctx context.Context, err error, cursor string, w *entryWriter) error {
	if w.n == 0 {
		return err
	}
	code, what := exitPartial, fmt.Sprintf("the export ended after %d entries: %v", w.n, err)
	if ctx.Err() != nil {
		code, what = exitInterrupted, fmt.Sprintf("interrupted after %d entries", w.n)
	}
	f := &failure{code: code, what: what, err: errors.New(what)}
	if cursor != "" {
		f.hint = "go on with the same command and: --cursor " + cursor
	}
	return f
}

// exportTo opens where an export goes.
func (a *commands) exportTo(file string, resume bool) (io.Writer, func(), error) {
	if file == "" || file == "-" {
		return a.Stdout, func() {}, nil
	}
	mode := os.O_CREATE | os.O_EXCL | os.O_WRONLY
	if resume {
		mode = os.O_CREATE | os.O_APPEND | os.O_WRONLY
	}
	f, err := os.OpenFile(file, mode, 0o600) // a log is nobody else's business
	if errors.Is(err, os.ErrExist) {
		return nil, nil, &failure{code: exitConflict, what: file + " exists", hint: "another name, or remove it"}
	}
	if err != nil {
		return nil, nil, err
	}
	return f, func() { _ = f.Close() }, nil
}

// entryWriter writes entries as lines.
type entryWriter struct {
	out    *bufio.Writer
	form   string
	fields []string
	header bool // CSV: the columns' names come first
	n      int64
}

// page writes one page, whole.
func (w *entryWriter) page(entries []client.Entry) error {
	csvOut := csv.NewWriter(w.out)
	fields := w.fields
	if len(fields) == 0 {
		fields = csvEntryFields()
	}
	for i := range entries {
		w.n++
		if w.form == "jsonl" {
			// The API's answers are one line each.
			if _, err := w.out.Write(append(entries[i].Raw, '\n')); err != nil {
				return err
			}
			continue
		}
		if w.header {
			w.header = false
			if err := csvOut.Write(fields); err != nil {
				return err
			}
		}
		if err := csvOut.Write(csvRow(fields, members(entries[i].Raw))); err != nil {
			return err
		}
	}
	csvOut.Flush()
	if err := csvOut.Error(); err != nil {
		return err
	}
	return w.out.Flush()
}
