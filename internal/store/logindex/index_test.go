package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

// feeder feeds an index with plain entries.
type feeder struct {
	ids sluice.IDs
	pos reqlog.Pos
}

func (f *feeder) entry(at time.Time) sluice.LogEntry {
	return sluice.LogEntry{
		ID: f.ids.New(at), Start: at, Account: "acme", Gateway: "main", Provider: "openai", Model: "gpt-4.1",
		Status: 200, Success: true, Timeline: sluice.Timeline{End: time.Second},
	}
}

func (f *feeder) apply(t testing.TB, x *Index, entries ...sluice.LogEntry) {
	t.Helper()
	var records []reqlog.Record
	for _, e := range entries {
		records = append(records, reqlog.Record{Kind: reqlog.KindEntry, Pos: f.pos, Entry: e})
		f.pos.Record++
	}
	if err := x.Apply(t.Context(), records, f.pos); err != nil {
		t.Fatal(err)
	}
}

// A transaction that reads and then writes must wait for its turn, not fail: with the parameters of
// other drivers the timeout is ignored, and without an immediate lock no timeout helps.
func TestReadThenWriteWaitsItsTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a ?&#%file.db")
	db, err := sql.Open("sqlite", dsn(path, true))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec("CREATE TABLE n (n INTEGER); INSERT INTO n VALUES (0)"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the file has another name: %v", err)
	}
	const connections, each = 8, 50
	var wait sync.WaitGroup
	for range connections {
		wait.Go(func() {
			own, err := sql.Open("sqlite", dsn(path, true))
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = own.Close() }()
			own.SetMaxOpenConns(1)
			for range each {
				if err := increment(t.Context(), own); err != nil {
					t.Errorf("read, then write: %v", err)
				}
			}
		})
	}
	wait.Wait()
	var n int
	if err := db.QueryRow("SELECT n FROM n").Scan(&n); n != connections*each || err != nil {
		t.Errorf("n = %d, %v; want %d", n, err, connections*each)
	}
}

func increment(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT n FROM n").Scan(&n); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE n SET n = ?", n+1); err != nil {
		return err
	}
	return tx.Commit()
}

func TestSettingsOfAFile(t *testing.T) {
	x := openTest(t, t.TempDir())
	var f feeder
	f.apply(t, x, f.entry(noon()))
	err := x.with(t.Context(), dayOf(f.ids.New(noon())), func(p *part) error {
		for _, c := range []struct {
			q    querier
			name string
			want string
		}{
			{p.conn, "busy_timeout", "10000"},
			{p.read, "busy_timeout", "10000"},
			{p.conn, "journal_mode", "wal"},
			{p.conn, "synchronous", "1"},
			{p.read, "query_only", "1"},
			{x.copies.conn, "synchronous", "2"},
		} {
			err := all(t.Context(), c.q, func(r *sql.Rows) error {
				var got string
				err := r.Scan(&got)
				if got != c.want {
					t.Errorf("%s = %s; want %s", c.name, got, c.want)
				}
				return err
			}, "PRAGMA "+c.name)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestManyDaysInFewOpenFiles(t *testing.T) {
	dir := t.TempDir()
	x := openTest(t, dir)
	var f feeder
	var all []sluice.LogEntry
	for i := range 20 {
		e := f.entry(noon().AddDate(0, 0, i*7%20))
		all = append(all, e)
		f.apply(t, x, e)
	}
	x.mu.Lock()
	if len(x.parts) > maxParts {
		t.Errorf("%d files are open; want %d at most", len(x.parts), maxParts)
	}
	x.mu.Unlock()
	for range 2 {
		page, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: 100})
		if err != nil || len(page.Rows) != 20 || page.Total != 20 {
			t.Fatalf("%d rows, total %d, %v; want 20", len(page.Rows), page.Total, err)
		}
		q := reqlog.TotalsQuery{Account: "acme", From: noon().AddDate(0, 0, -1), To: noon().AddDate(0, 0, 30), Every: 24 * time.Hour, Group: reqlog.GroupProvider}
		got, err := x.Totals(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		storetest.CheckTotals(t, q, got, all)
		// The same from analytics.db.
		if err := x.upkeep(t.Context(), time.Now().Add(2*time.Hour), true); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range x.dayList() {
		if !d.sealed {
			t.Errorf("%s is not sealed", dayName(d.day))
		}
	}
}

func TestSealing(t *testing.T) {
	dir := t.TempDir()
	x := openTest(t, dir)
	var f feeder
	now := time.Now()
	e := f.entry(now.UTC().Truncate(24 * time.Hour).Add(-time.Minute)) // yesterday's last minute
	f.apply(t, x, e)
	day := dayOf(e.ID)
	sealed := func(at time.Time) bool {
		t.Helper()
		if err := x.upkeep(t.Context(), at, true); err != nil {
			t.Fatal(err)
		}
		d, _ := x.info(day)
		return d.sealed
	}
	for _, c := range []struct {
		name string
		do   func()
		at   time.Time
		want bool
	}{
		{"a day that was just written is not sealed", func() {}, now.Add(30 * time.Minute), false},
		{"a day that has been quiet is", func() {}, now.Add(90 * time.Minute), true},
		{"a late row opens it again", func() { f.apply(t, x, f.entry(e.Start)) }, now.Add(30 * time.Minute), false},
		{"an open exchange keeps it open", func() {
			r := reqlog.Record{Kind: reqlog.KindOpen, Pos: f.pos, Entry: f.entry(e.Start)}
			f.pos.Record++
			if err := x.Apply(t.Context(), []reqlog.Record{r}, f.pos); err != nil {
				t.Fatal(err)
			}
			e = r.Entry
		}, now.Add(3 * time.Hour), false},
		{"its end lets it be sealed", func() { f.apply(t, x, e) }, now.Add(3 * time.Hour), true},
	} {
		c.do()
		if got := sealed(c.at); got != c.want {
			t.Errorf("%s: sealed %v", c.name, got)
		}
	}
	d, _ := x.info(day)
	if d.minutes != allMinutes {
		t.Error("minutes are dropped too early")
	}
	sealed(now.Add(72 * time.Hour))
	if d, _ = x.info(day); d.minutes != totalMinutes {
		t.Error("minutes are not dropped after two days")
	}
	for group, want := range map[reqlog.Group]int64{reqlog.GroupNone: 3, reqlog.GroupModel: 3} {
		got, err := x.Totals(t.Context(), reqlog.TotalsQuery{Account: "acme", Group: group})
		if err != nil || len(got) != 1 || got[0].Requests != want {
			t.Errorf("totals by %q: %+v, %v; want %d requests", group, got, err, want)
		}
	}
	one, err := x.Totals(t.Context(), reqlog.TotalsQuery{Account: "acme", From: e.Start, To: e.Start.Add(time.Minute)})
	if err != nil || len(one) != 1 || one[0].Requests != 3 {
		t.Errorf("the minute's total: %+v, %v; want 3 requests", one, err)
	}
	// The same after a new start, which knows of the day from analytics.db only.
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir)
	page, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: 10})
	if d, _ := x.info(day); err != nil || !d.sealed || page.Total != 3 {
		t.Errorf("after a new start: %+v, total %d, %v; want it sealed with 3 rows", d, page.Total, err)
	}
}

// The upkeep runs by itself: what is gathered is in the tables within some 70 seconds.
func TestUpkeepRuns(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		x, err := Open(t.Context(), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var f feeder
		f.apply(t, x, f.entry(time.Now()))
		gathered := func() (n int) {
			err := x.with(t.Context(), dayOf(f.ids.New(time.Now())), func(p *part) error {
				return p.read.QueryRowContext(t.Context(), "SELECT count(*) FROM pending").Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if n := gathered(); n != 1 {
			t.Errorf("%d deltas after one batch; want 1", n)
		}
		time.Sleep(flushEvery + 2*keepEvery)
		synctest.Wait()
		if n := gathered(); n != 0 {
			t.Errorf("%d deltas after %v; want none", n, flushEvery)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestInterruptedRemoval(t *testing.T) {
	dir := t.TempDir()
	x := openTest(t, dir)
	var f feeder
	e := f.entry(noon())
	f.apply(t, x, e)
	if err := x.seal(t.Context(), dayOf(e.ID)); err != nil {
		t.Fatal(err)
	}
	d, _ := x.info(dayOf(e.ID))
	d.file = false
	if err := x.update(t.Context(), d); err != nil { // marked as gone, and then the lights went out
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir)
	if _, err := os.Stat(filepath.Join(dir, dayName(d.day))); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
	got, err := x.Totals(t.Context(), reqlog.TotalsQuery{Account: "acme"})
	if err != nil || len(got) != 1 || got[0].Requests != 1 {
		t.Errorf("totals %+v, %v; want one request", got, err)
	}
	if pos, err := x.Resume(t.Context()); pos != f.pos || err != nil {
		t.Errorf("Resume = %v, %v; want %v", pos, err, f.pos)
	}
}

// With no room for texts all of them lie with their rows, and everything must still be found.
func TestTextsWithoutRoom(t *testing.T) {
	x := openTest(t, t.TempDir())
	x.room = 20
	var ids sluice.IDs
	var pos reqlog.Pos
	rapid.Check(t, func(rt *rapid.T) {
		pos.Block++
		account := fmt.Sprint("account", pos.Block)
		var records []reqlog.Record
		for range rapid.IntRange(1, 12).Draw(rt, "rows") {
			e := storetest.Draw(rt, &ids, noon())
			e.Account = account
			records = append(records, reqlog.Record{Kind: reqlog.KindEntry, Pos: pos, Entry: e})
			pos.Record++
		}
		if err := x.Apply(t.Context(), records, pos); err != nil {
			rt.Fatal(err)
		}
		for _, order := range []reqlog.Order{reqlog.OrderTime, reqlog.OrderModel} {
			q := reqlog.Query{Account: account, Limit: 1000, Filter: storetest.DrawFilter(rt), Order: order}
			page, err := x.List(t.Context(), q)
			if err != nil {
				rt.Fatalf("%s: %v", q.Filter, err)
			}
			want := 0
			for i := range records {
				if q.Filter.Match(&records[i].Entry) {
					want++
				}
			}
			if len(page.Rows) != want {
				rt.Fatalf("%s: %d rows; want %d", q.Filter, len(page.Rows), want)
			}
			for _, row := range page.Rows {
				for i := range records {
					if records[i].Entry.ID == row.Entry.ID {
						storetest.Same(rt, row.Entry, records[i].Entry)
					}
				}
			}
		}
	})
}

// Readers go on while rows come, days are sealed and removed, and never see half of anything.
func TestReadersBesideAWriter(t *testing.T) {
	x := openTest(t, t.TempDir())
	var applied atomic.Int64
	done := make(chan struct{})
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				before := applied.Load()
				got, err := x.Totals(t.Context(), reqlog.TotalsQuery{Account: "acme"})
				after := applied.Load() + 10
				if err != nil || len(got) != 1 || got[0].Requests < before || got[0].Requests > after || got[0].Requests != got[0].Duration.Count {
					t.Errorf("totals %+v, %v; want %d to %d requests", got, err, before, after)
				}
				page, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: 20, Desc: true, Filter: reqlog.Filter{
					Terms: []reqlog.Term{{Field: reqlog.FieldModel, Op: reqlog.OpEq, Values: []string{"gpt-*"}}},
				}})
				for i := range page.Rows[min(1, len(page.Rows)):] {
					if rowOf(page.Rows[i].Entry.ID) <= rowOf(page.Rows[i+1].Entry.ID) && dayOf(page.Rows[i].Entry.ID) == dayOf(page.Rows[i+1].Entry.ID) {
						t.Error("rows are out of order")
					}
				}
				if err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	var f feeder
	for i := range 60 {
		var batch []sluice.LogEntry
		for range 10 {
			batch = append(batch, f.entry(noon().Add(time.Duration(i)*time.Hour)))
		}
		f.apply(t, x, batch...)
		applied.Add(10)
		if i%10 == 9 {
			if err := x.upkeep(t.Context(), time.Now().Add(2*time.Hour), true); err != nil {
				t.Error(err)
			}
			if _, err := x.Trim(t.Context(), noon().Add(time.Duration(i-20)*time.Hour)); err != nil {
				t.Error(err)
			}
		}
	}
	close(done)
	wait.Wait()
}

func TestClosedIndexRefuses(t *testing.T) {
	x := openTest(t, t.TempDir())
	var f feeder
	f.apply(t, x, f.entry(noon()))
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	r := []reqlog.Record{{Kind: reqlog.KindEntry, Entry: f.entry(noon())}}
	if err := x.Apply(t.Context(), r, reqlog.Pos{Record: 1}); sluice.KindOf(err) != sluice.KindUnavailable {
		t.Errorf("Apply: %v; want unavailable", err)
	}
	if _, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: 1}); sluice.KindOf(err) != sluice.KindUnavailable {
		t.Errorf("List: %v; want unavailable", err)
	}
}

func TestRecordsWithoutUsableIDs(t *testing.T) {
	x := openTest(t, t.TempDir())
	far := sluice.ID{0: 0xff, 1: 0xff, 2: 0xff, 6: 0x70, 8: 0x80}
	r := []reqlog.Record{{Kind: reqlog.KindEntry}, {Kind: reqlog.KindEntry, Entry: sluice.LogEntry{ID: far}}, {Kind: 77}}
	if err := x.Apply(t.Context(), r, reqlog.Pos{Record: 3}); err != nil {
		t.Error(err)
	}
	var f feeder
	f.apply(t, x, f.entry(time.UnixMilli(0)), f.entry(time.UnixMilli(lastDay*dayMillis)))
	page, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: 10})
	if err != nil || len(page.Rows) != 2 || page.Total != 2 {
		t.Errorf("%d rows, total %d, %v; want the first and the last day there is", len(page.Rows), page.Total, err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	x := openTest(t, dir)
	var f feeder
	f.apply(t, x, f.entry(noon()))
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, dayName(dayOf(f.ids.New(noon())))), true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if x, err := Open(t.Context(), dir, Options{}); err == nil {
		_ = x.Close()
		t.Error("a file of a later version was opened")
	}
}
