package admin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/people"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a Log in memory. It keeps the contracts of reqlog that the handlers rely on, and can be
// told to fail, to forget and to run out of time.
type fakeLog struct {
	mu      sync.Mutex
	more    *sync.Cond
	records []reqlog.Record
	bodies  map[sluice.ID][2][]byte
	oldest  int // records before it are no longer there
	totals  func(q reqlog.TotalsQuery) []reqlog.Total
	queries []reqlog.Query
	err     error // of every read
	partial int   // lists look at this many rows and then run out of time; 0: never
	until   time.Time
	stats   reqlog.Stats

	running  []sluice.LogEntry // changes, in order
	watchers int
	deleted  map[sluice.ID]bool
}

func newFakeLog() *fakeLog {
	l := &fakeLog{bodies: map[sluice.ID][2][]byte{}, until: base.Add(time.Hour), stats: reqlog.Stats{State: "ok"}}
	l.more = sync.NewCond(&l.mu)
	return l
}

func posOf(i int) reqlog.Pos {
	return reqlog.Pos{Segment: 1, Block: uint32(i / 4), Record: uint32(i % 4)}
}

func (l *fakeLog) add(kind reqlog.Kind, entries ...sluice.LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		l.records = append(l.records, reqlog.Record{Kind: kind, Pos: posOf(len(l.records)), Entry: e})
	}
	l.more.Broadcast()
}

func (l *fakeLog) store(id sluice.ID, request, response []byte) {
	l.bodies[id] = [2][]byte{request, response}
}

func (l *fakeLog) row(e *sluice.LogEntry) reqlog.Row {
	row := reqlog.Row{Entry: *e}
	for side, b := range l.bodies[e.ID] {
		if len(b) > 0 {
			row.Parts[side] = []reqlog.Part{{Segment: 1, Length: uint32(len(b))}}
		}
	}
	return row
}

func (l *fakeLog) List(_ context.Context, q reqlog.Query) (reqlog.Page, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queries = append(l.queries, q)
	if l.err != nil {
		return reqlog.Page{}, l.err
	}
	rows := l.find(q)
	slices.SortStableFunc(rows, func(a, b reqlog.Row) int {
		order := cmp.Compare(orderValue(&a.Entry, q.Order), orderValue(&b.Entry, q.Order))
		if order == 0 {
			order = bytes.Compare(a.Entry.ID[:], b.Entry.ID[:])
		}
		if q.Desc {
			order = -order
		}
		return order
	})
	from := int(q.Offset)
	if q.Cursor != "" {
		n, err := strconv.Atoi(q.Cursor)
		if err != nil {
			return reqlog.Page{}, &sluice.Error{Kind: sluice.KindInvalid, Msg: "bad cursor"}
		}
		from = n
	}
	p := reqlog.Page{Total: int64(len(rows)), TotalExact: true}
	if len(q.Filter.Terms) > 0 {
		p.Total, p.TotalExact = -1, false
	}
	from = min(from, len(rows))
	end := min(from+q.Limit, len(rows))
	if q.Back {
		from, end = max(0, from-q.Limit), from
	}
	if l.partial > 0 && end-from > l.partial {
		p.Partial = true
		if q.Back {
			from = end - l.partial
		} else {
			end = from + l.partial
		}
	}
	p.Rows = rows[from:end]
	if end < len(rows) {
		p.Next = strconv.Itoa(end)
	}
	if from > 0 {
		p.Prev = strconv.Itoa(from)
	}
	return p, nil
}

func (l *fakeLog) find(q reqlog.Query) []reqlog.Row {
	var rows []reqlog.Row
	for i := range l.records {
		r := &l.records[i]
		start := r.Entry.ID.Time()
		if r.Kind == reqlog.KindEntry && !r.CountOnly && r.Entry.Account == q.Account && (q.Gateway == "" || r.Entry.Gateway == q.Gateway) &&
			(q.From.IsZero() || !start.Before(q.From)) && (q.To.IsZero() || start.Before(q.To)) && q.Filter.Match(&r.Entry) {
			rows = append(rows, l.row(&r.Entry))
		}
	}
	return rows
}

func orderValue(e *sluice.LogEntry, o reqlog.Order) string {
	number := func(n int64) string { return fmt.Sprintf("%020d", n) }
	in, _ := e.Usage.Get(sluice.Input)
	out, _ := e.Usage.Get(sluice.Output)
	return map[reqlog.Order]string{
		reqlog.OrderDuration: number(int64(e.Timeline.End)), reqlog.OrderTokensIn: number(in), reqlog.OrderTokensOut: number(out),
		reqlog.OrderCost: number(int64(e.Cost)), reqlog.OrderProvider: e.Provider, reqlog.OrderModel: e.Model,
		reqlog.OrderSuccess: fmt.Sprint(e.Success), reqlog.OrderCached: fmt.Sprint(e.Cache),
	}[o]
}

func (l *fakeLog) Get(_ context.Context, account string, id sluice.ID) (reqlog.Row, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return reqlog.Row{}, l.err
	}
	for i := len(l.records) - 1; i >= 0; i-- {
		kind := l.records[i].Kind
		if e := &l.records[i].Entry; e.ID == id && e.Account == account && kind != reqlog.KindPatch && kind != reqlog.KindDelete {
			return l.row(e), nil
		}
	}
	return reqlog.Row{}, &sluice.Error{Kind: sluice.KindNotFound, Msg: "no row"}
}

func (l *fakeLog) Totals(_ context.Context, q reqlog.TotalsQuery) ([]reqlog.Total, error) {
	if l.err != nil {
		return nil, l.err
	}
	switch {
	case l.totals != nil:
		return l.totals(q), nil
	case len(q.Filter.Terms) > 0:
		return nil, reqlog.ErrNotRolledUp
	}
	return nil, nil
}

func (l *fakeLog) CountRows(context.Context, reqlog.CountQuery) (reqlog.RowCounts, error) {
	return reqlog.RowCounts{}, l.err
}

func (l *fakeLog) Extremes(_ context.Context, q reqlog.Query) (reqlog.Extremes, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := reqlog.Extremes{Partial: l.partial > 0}
	for _, row := range l.find(q) {
		e := &row.Entry
		in, _ := e.Usage.Get(sluice.Input)
		out, _ := e.Usage.Get(sluice.Output)
		if e.Priced {
			widen(&x.Cost, e.Cost)
		}
		widen(&x.Duration, e.Timeline.End)
		widen(&x.TokensIn, in)
		widen(&x.TokensOut, out)
		widen(&x.Tokens, in+out)
	}
	return x, l.err
}

func widen[T ~int64](s *reqlog.Span[T], v T) {
	if !s.Known {
		*s = reqlog.Span[T]{Least: v, Greatest: v, Known: true}
	}
	s.Least, s.Greatest = min(s.Least, v), max(s.Greatest, v)
}

func (l *fakeLog) SumRows(context.Context, reqlog.TotalsQuery) (reqlog.RowSums, error) {
	return reqlog.RowSums{}, l.err
}

func (l *fakeLog) CompleteUntil(context.Context) (time.Time, error) { return l.until, l.err }

func (l *fakeLog) Head() reqlog.Pos {
	l.mu.Lock()
	defer l.mu.Unlock()
	return posOf(len(l.records))
}

func (l *fakeLog) Deleted(_ context.Context, id sluice.ID) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deleted[id], nil
}

func (l *fakeLog) Watch() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.watchers--
	}
}

// said adds a record of what people said, or removed.
func (l *fakeLog) said(r reqlog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Pos = posOf(len(l.records))
	l.records = append(l.records, r)
	l.more.Broadcast()
}

// runs makes an exchange one that runs, or changes it.
func (l *fakeLog) runs(e sluice.LogEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Ending, e.Success = sluice.EndingInFlight, false
	l.running = append(l.running, e)
}

// Changed takes each change that runs made for one of its own.
func (l *fakeLog) Changed(since uint64, f func(e *sluice.LogEntry)) uint64 {
	l.mu.Lock()
	some := slices.Clone(l.running[max(since, 1)-1:])
	now := uint64(len(l.running)) + 1
	l.mu.Unlock()
	for i := range some {
		f(&some[i])
	}
	return now
}

func (l *fakeLog) Follow(ctx context.Context, from reqlog.Pos) iter.Seq2[reqlog.Record, error] {
	return func(yield func(reqlog.Record, error) bool) {
		stop := context.AfterFunc(ctx, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.more.Broadcast()
		})
		defer stop()
		l.mu.Lock()
		i := 0
		for i < len(l.records) && l.records[i].Pos.Less(from) {
			i++
		}
		gone := i < l.oldest
		l.mu.Unlock()
		if gone && !yield(reqlog.Record{}, reqlog.ErrGone) {
			return
		}
		for {
			l.mu.Lock()
			for i >= len(l.records) && ctx.Err() == nil {
				l.more.Wait()
			}
			if ctx.Err() != nil {
				l.mu.Unlock()
				return
			}
			r := l.records[i]
			l.mu.Unlock()
			i++
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l *fakeLog) Body(_ context.Context, row reqlog.Row, side reqlog.Side) (io.ReadCloser, error) {
	b := l.bodies[row.Entry.ID][side]
	if len(b) == 0 {
		return nil, &sluice.Error{Kind: sluice.KindNotFound, Msg: "not stored"}
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (l *fakeLog) Patch(_ context.Context, changes reqlog.Changes, e *sluice.LogEntry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.records {
		if old := &l.records[i].Entry; old.ID == e.ID && old.Account == e.Account {
			changes.Apply(old, e)
		}
	}
	return l.err
}

func (l *fakeLog) Delete(_ context.Context, account string, ids []sluice.ID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = slices.DeleteFunc(l.records, func(r reqlog.Record) bool {
		return r.Entry.Account == account && slices.Contains(ids, r.Entry.ID)
	})
	return l.err
}

func (l *fakeLog) Stats() reqlog.Stats { return l.stats }

// base is when the entries of tests begin.
var base = time.Date(2025, 11, 24, 14, 0, 0, 0, time.UTC)

// entryAt makes an ordinary entry that began after base.
func entryAt(ids *sluice.IDs, after time.Duration) sluice.LogEntry {
	start := base.Add(after)
	e := sluice.LogEntry{
		ID: ids.New(start), Start: start, Account: "default", Gateway: "default", Provider: "openai",
		Model: "gpt-4.1-mini", Served: "gpt-4.1-mini-2025-04-14", Endpoint: "chat/completions", Method: "POST", Path: "chat/completions",
		Status: 200, Success: true, Ending: sluice.EndingComplete,
		Timeline: sluice.Timeline{Received: 1200 * time.Microsecond, Connected: 2 * time.Millisecond, Sent: 3 * time.Millisecond, FirstByte: 180 * time.Millisecond, FirstToken: 181 * time.Millisecond, End: 412 * time.Millisecond},
		Request:  sluice.Body{Size: 120, Stored: 120, Type: "application/json"},
		Response: sluice.Body{Size: 640, Stored: 640, Type: "application/json"},
		Attempts: []sluice.Attempt{{Provider: "openai", Model: "gpt-4.1-mini", Host: "api.openai.com", Status: 200, Start: 2 * time.Millisecond, First: 178 * time.Millisecond, End: 410 * time.Millisecond}},
		Cost:     56_800, Priced: true,
	}
	e.Usage.Basis = sluice.BasisProvider
	e.Usage.Set(sluice.Input, 14)
	e.Usage.Set(sluice.Output, 32)
	return e
}

const token = "test-token-0123456789"

// bench is the API over a fakeLog, served for real.
type bench struct {
	t       *testing.T
	log     *fakeLog
	ids     sluice.IDs
	deps    Deps
	handler http.Handler
	server  *httptest.Server
	client  *http.Client // takes bodies as they come
}

func newBench(t *testing.T, change ...func(*Deps)) *bench {
	b := &bench{t: t, log: newFakeLog()}
	set := newGateways(t)
	settings := Settings{
		Provider: func(_, segment string) (string, bool) { return "openai", segment == "openai" || segment == "open-ai" },
		Endpoint: "http://gateway.test:8088/ai", Loaded: base, Local: true,
	}
	b.deps = Deps{
		Log: b.log, Gateways: set, Tokens: newTokens(t), Vault: newVault(t), Objects: newObjects(t), Audit: newTrail(t),
		People:  newPeople(t),
		Customs: newCustoms(t),
		Book:    newBook(t),
		Settings: func() *Settings {
			now := settings
			now.Gateways = set.Snapshot()
			return &now
		},
		Status: func() Status { return Status{Version: "1.2.3", Started: base, DataDir: "data"} },
		Token:  func() sluice.Secret { return sluice.NewSecret(token) },
		Prices: func() Prices { return Prices{Version: "v1", Date: "2026-11-24", Models: 3, Source: "/etc/prices.json"} },
		RefreshPrices: func(context.Context) Prices {
			return Prices{Version: "v1", Source: "/etc/prices.json", Error: "the list is older than the one in use"}
		},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Version: "1.2.3",
	}
	for _, c := range change {
		c(&b.deps)
	}
	b.handler = New(b.deps)
	b.server = httptest.NewServer(b.handler)
	t.Cleanup(b.server.Close)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &http.Client{Transport: transport}
	return b
}

// newTrail makes an empty audit log, over a real store.
func newTrail(t *testing.T) *audit.Trail {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	trail := audit.New(db, slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() { _ = trail.Close(context.WithoutCancel(t.Context())) })
	return trail
}

// newPeople makes a directory without people, over a real store.
func newPeople(t *testing.T) *people.Directory {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d, err := people.Open(t.Context(), people.Options{
		Store: db, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Idle: time.Hour, Lifetime: 24 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newTokens makes a ring without tokens, over a real store.
func newTokens(t *testing.T) *auth.Ring {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ring, err := auth.Open(t.Context(), db, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ring.Close(context.WithoutCancel(t.Context())) })
	return ring
}

// newObjects makes an empty set of objects, over a real store.
func newObjects(t *testing.T) *object.Set {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	set, err := object.Open(t.Context(), object.Options{Store: db, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// newGateways makes the gateways of the tests, over a real store.
func newGateways(t testing.TB) *gateway.Set {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	text := "accounts:\n  default: {aliases: [0123456789abcdef0123456789abcdef], gateways: {prod: {}}}\n  other: {gateways: {default: {}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := config.Load(config.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	set, err := gateway.Open(t.Context(), loaded, gateway.Options{Store: db, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

const (
	accountPath = "/client/v4/accounts/default/ai-gateway"
	logsPath    = accountPath + "/gateways/default/logs"
)

// get calls path with the token.
func (b *bench) get(path string, header ...string) *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// reply is any answer with an envelope.
type reply struct {
	status     int
	Success    bool            `json:"success"`
	Result     json.RawMessage `json:"result"`
	ResultInfo map[string]any  `json:"result_info"`
	Errors     []Fault         `json:"errors"`
	Messages   []Message       `json:"messages"`
}

// call gets path, without a connection, and reads the envelope, whose parts must all be there.
func (b *bench) call(path string) reply {
	b.t.Helper()
	return b.send(http.MethodGet, path, "")
}

// send sends a call with a body, without a connection, and reads the envelope.
func (b *bench) send(method, path, text string) reply {
	b.t.Helper()
	w := httptest.NewRecorder()
	r := mustRequest(b.t, method, b.server.URL+path)
	if text != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Type", "application/json")
	}
	b.handler.ServeHTTP(w, r)
	body := w.Body.Bytes()
	v := reply{status: w.Code}
	if err := json.Unmarshal(body, &v); err != nil {
		b.t.Fatalf("%s: %v in %s", path, err, body)
	}
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		b.t.Errorf("%s: content type %q", path, ct)
	}
	if v.Result == nil || v.Errors == nil || v.Messages == nil || v.Success != (v.status == http.StatusOK) || v.Success != (len(v.Errors) == 0) {
		b.t.Errorf("%s: not the envelope: %d %s", path, v.status, body)
	}
	return v
}

// items reads a list's result.
func (v *reply) items(t *testing.T) []map[string]any {
	t.Helper()
	var items []map[string]any
	d := json.NewDecoder(strings.NewReader(string(v.Result)))
	d.UseNumber()
	if err := d.Decode(&items); err != nil {
		t.Fatalf("%v in %s", err, v.Result)
	}
	return items
}

func idsOf(items []map[string]any) []string {
	ids := make([]string, len(items))
	for i := range items {
		ids[i], _ = items[i]["id"].(string)
	}
	return ids
}

// fails asserts that path answers with a failure.
func (b *bench) fails(path string, status, code int, message string) {
	b.t.Helper()
	v := b.call(path)
	if v.status != status || len(v.Errors) == 0 || v.Errors[0].Code != code || !strings.Contains(v.Errors[0].Message, message) {
		b.t.Errorf("%s: %d %+v; want %d, code %d, %q", path, v.status, v.Errors, status, code, message)
	}
}
