package reqlog

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childVariable); child != "" {
		os.Exit(runChild(child))
	}
	goleak.VerifyTestMain(m)
}

// memory is a Store that keeps what Index promises, in memory. It outlives the Logs that feed it, as
// a database file would.
type memory struct {
	mu      sync.Mutex
	rows    map[sluice.ID]Row
	open    map[sluice.ID]sluice.LogEntry
	counted map[sluice.ID]int // count-only records, by id
	applied Pos
	records int   // that were not seen before
	again   int   // that were
	fail    error // what Apply returns
	hang    bool  // Apply waits for ctx
	trims   []time.Time
	patches map[sluice.ID]Record
	erased  map[sluice.ID]bool
	scrubs  int
	bytes   int64
}

func newMemory() *memory {
	return &memory{rows: map[sluice.ID]Row{}, open: map[sluice.ID]sluice.LogEntry{}, counted: map[sluice.ID]int{}, patches: map[sluice.ID]Record{}, erased: map[sluice.ID]bool{}}
}

func (m *memory) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memory) Resume(context.Context) (Pos, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.applied, nil
}

func (m *memory) Apply(ctx context.Context, records []Record, next Pos) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hang {
		m.mu.Unlock()
		<-ctx.Done()
		m.mu.Lock()
		return ctx.Err()
	}
	if m.fail != nil {
		return m.fail
	}
	for i := range records {
		r := &records[i]
		if r.Pos.Less(m.applied) {
			m.again++
			continue
		}
		m.records++
		e := cloneEntry(&r.Entry)
		switch {
		case r.Kind == KindPatch:
			said := m.patches[e.ID]
			r.Changes.Apply(&said.Entry, &e)
			m.patches[e.ID] = Record{Changes: said.Changes | r.Changes, Entry: said.Entry}
			if row, ok := m.rows[e.ID]; ok {
				r.Changes.Apply(&row.Entry, &e)
				m.rows[e.ID] = row
			}
		case r.Kind == KindDelete:
			for _, id := range r.IDs {
				delete(m.rows, id)
				m.erased[id] = true
			}
		case m.erased[e.ID]:
		case r.Erased:
			m.counted[e.ID]++
			m.erased[e.ID] = true
			delete(m.open, e.ID)
		case r.Kind == KindOpen:
			m.open[e.ID] = e
		case r.CountOnly:
			m.counted[e.ID]++
			delete(m.open, e.ID)
		default:
			said := m.patches[e.ID]
			said.Changes.Apply(&e, &said.Entry)
			m.rows[e.ID] = Row{Entry: e, Parts: [2][]Part{slices.Clone(r.Parts[0]), slices.Clone(r.Parts[1])}}
			delete(m.open, e.ID)
		}
	}
	m.applied = next
	return nil
}

// cloneEntry is a copy with memory of its own.
func cloneEntry(e *sluice.LogEntry) (c sluice.LogEntry) {
	if err := DecodeEntry(AppendEntry(nil, e), &c); err != nil {
		panic(err)
	}
	return c
}

func (m *memory) Rows(_ context.Context, account, gateway string) (n int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.Entry.Account == account && r.Entry.Gateway == gateway {
			n++
		}
	}
	return n, nil
}

func (m *memory) TrimGateway(_ context.Context, account, gateway string, keep int64) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []sluice.ID
	for id, r := range m.rows {
		if r.Entry.Account == account && r.Entry.Gateway == gateway {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b sluice.ID) int { return slices.Compare(a[:], b[:]) })
	ids = ids[:max(int64(len(ids))-keep, 0)]
	for _, id := range ids {
		delete(m.rows, id)
	}
	return int64(len(ids)), nil
}

func (m *memory) Erased(_ context.Context, ids []sluice.ID) ([]bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	erased := make([]bool, len(ids))
	for i, id := range ids {
		erased[i] = m.erased[id]
	}
	return erased, nil
}

func (m *memory) Scrub(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scrubs++
	return nil
}

func (m *memory) Open(context.Context) ([]sluice.LogEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.open)), nil
}

func (m *memory) Trim(_ context.Context, t time.Time) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trims = append(m.trims, t)
	before := len(m.rows)
	maps.DeleteFunc(m.rows, func(_ sluice.ID, r Row) bool { return r.Entry.Start.Before(t) })
	return int64(before - len(m.rows)), nil
}

func (m *memory) Cutoff(_ context.Context, keep int64) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if int64(len(m.rows)) <= keep {
		return time.Time{}, nil
	}
	var starts []time.Time
	for _, r := range m.rows {
		starts = append(starts, r.Entry.Start)
	}
	slices.SortFunc(starts, time.Time.Compare)
	return starts[int64(len(starts))-keep], nil
}

func (m *memory) Size(context.Context) (rows, bytes int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return int64(len(m.rows)), m.bytes, nil
}

func (m *memory) List(context.Context, Query) (Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Page{Rows: slices.Collect(maps.Values(m.rows)), Total: int64(len(m.rows)), TotalExact: true}, nil
}

func (m *memory) Get(_ context.Context, account string, id sluice.ID) (Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.rows[id]; ok && r.Entry.Account == account {
		return r, nil
	}
	return Row{}, &sluice.Error{Kind: sluice.KindNotFound, Msg: "no such row"}
}

func (m *memory) CountRows(context.Context, CountQuery) (RowCounts, error) { return RowCounts{}, nil }

func (m *memory) Extremes(context.Context, Query) (Extremes, error) { return Extremes{}, nil }

func (m *memory) SumRows(context.Context, TotalsQuery) (RowSums, error) {
	return RowSums{}, nil
}

func (m *memory) Totals(context.Context, TotalsQuery) ([]Total, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return []Total{{Requests: int64(m.records)}}, nil
}

func (m *memory) row(id sluice.ID) (Row, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[id]
	return r, ok
}

// openLog opens a Log in dir for the length of the test.
func openLog(t testing.TB, o Options, store Store) *Log {
	t.Helper()
	return openWith(t, o, store, osFiles{})
}

func openWith(t testing.TB, o Options, store Store, fs files) *Log {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	l, err := open(t.Context(), o, store, fs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // whoever wants an orderly end closes by himself
		_ = l.Close(ctx)
	})
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// begin begins an exchange of account "a".
func begin(l *Log, id sluice.ID, start time.Time) *Exchange {
	x := &Exchange{}
	x.Entry.ID, x.Entry.Start, x.Entry.Account, x.Entry.Gateway = id, start, "a", "g"
	l.Begin(x)
	return x
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(2 * time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// reading returns a context for reads that must not hang.
func reading(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func kindOf(err error) sluice.Kind { return sluice.KindOf(err) }

var errTest = errors.New("made to fail")

func filesIn(t testing.TB, dir, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return names
}
