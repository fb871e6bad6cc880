package logindex

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

// copyDir copies the files of an index as they are at this moment: what a killed process leaves.
func copyDir(t rapid.TB, from, to string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".db-shm" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// history is a log, and what an index must make of it.
type history struct {
	records []reqlog.Record
	rows    map[sluice.ID]sluice.LogEntry
	counted map[sluice.ID]sluice.LogEntry
	open    map[sluice.ID]bool
}

// drawHistory makes a log of several days, with corrections, late rows, marks and exchanges that are
// only counted.
func drawHistory(t *rapid.T, around time.Time) *history {
	h := &history{rows: map[sluice.ID]sluice.LogEntry{}, counted: map[sluice.ID]sluice.LogEntry{}, open: map[sluice.ID]bool{}}
	var ids sluice.IDs
	var ended []sluice.LogEntry
	for range rapid.IntRange(1, 40).Draw(t, "records") {
		r := reqlog.Record{Kind: reqlog.KindEntry, Pos: reqlog.Pos{Segment: 1, Record: uint32(len(h.records))}}
		what := rapid.IntRange(0, 9).Draw(t, "what")
		if what == 0 && len(ended) > 0 {
			r.Entry = rapid.SampledFrom(ended).Draw(t, "corrected")
			r.Entry.Status, r.Entry.Feedback, r.Entry.Model = 501, 1, "corrected"
		} else {
			r.Entry = storetest.Draw(t, &ids, around)
		}
		id := r.Entry.ID
		switch what {
		case 1:
			r.CountOnly = true
			h.counted[id] = r.Entry
		case 2, 3:
			r.Kind = reqlog.KindOpen
			h.open[id] = true
			h.records = append(h.records, r)
			if what == 3 {
				continue
			}
			r.Kind, r.Pos.Record = reqlog.KindEntry, uint32(len(h.records))
			fallthrough
		default:
			delete(h.open, id)
			h.rows[id] = r.Entry
			h.counted[id] = r.Entry
			ended = append(ended, r.Entry)
		}
		h.records = append(h.records, r)
	}
	return h
}

// check compares an index that has applied all with what it must have made of it.
func (h *history) check(t *rapid.T, x *Index) {
	t.Helper()
	ctx := t.Context()
	page, err := x.List(ctx, reqlog.Query{Account: "acme", Limit: 1000})
	if err != nil || len(page.Rows) != len(h.rows) || page.Total != int64(len(h.rows)) {
		t.Fatalf("%d rows, total %d, %v; want %d", len(page.Rows), page.Total, err, len(h.rows))
	}
	for i := range page.Rows {
		e := page.Rows[i].Entry
		storetest.Same(t, e, h.rows[e.ID])
	}
	open, err := x.Open(ctx)
	if err != nil || len(open) != len(h.open) {
		t.Fatalf("%d open, %v; want %d", len(open), err, len(h.open))
	}
	all := slices.Collect(maps.Values(h.counted))
	for _, gateway := range []string{"", "main"} {
		for _, group := range []reqlog.Group{reqlog.GroupNone, reqlog.GroupModel, reqlog.GroupOutcome, reqlog.GroupStatus, reqlog.GroupErrorType, reqlog.GroupMeta("team")} {
			for i, every := range []time.Duration{15 * time.Minute, 6 * time.Hour, 96 * time.Hour} { // whole days are read in one sum
				q := reqlog.TotalsQuery{Account: "acme", Gateway: gateway, Group: group, Every: every, PerAttempt: i == 1, Sum: i == 0}
				switch group {
				case reqlog.GroupErrorType:
					q.Then = []reqlog.Group{reqlog.GroupProvider}
				case reqlog.GroupStatus:
					q.Then, q.NoTimes = []reqlog.Group{reqlog.GroupProvider}, true
				}
				q.From, q.To = noon().Add(-48*time.Hour), noon().Add(48*time.Hour)
				got, err := x.Totals(ctx, q)
				if err != nil {
					t.Fatal(err)
				}
				storetest.CheckTotals(t, q, got, all)
			}
		}
	}
}

func noon() time.Time { return time.Date(2025, 6, 10, 12, 0, 0, 0, time.UTC) }

// partly applies a batch up to a crash between the commits of two days.
func partly(t *rapid.T, x *Index, records []reqlog.Record, next reqlog.Pos) {
	byDay := x.split(t.Context(), records)
	days := slices.Sorted(maps.Keys(byDay))
	for _, day := range days[:rapid.IntRange(0, len(days)-1).Draw(t, "commits")] {
		if err := x.applyDay(t.Context(), day, byDay[day], next, false); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoCrashLosesOrDoubles(t *testing.T) {
	t.Parallel() // it only computes, for long
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt, noon())
		dir, ctx := t.TempDir(), rt.Context()
		open := func() *Index {
			x, err := Open(ctx, dir, Options{Metadata: []string{"team"}})
			if err != nil {
				rt.Fatal(err)
			}
			return x
		}
		x := open()
		defer func() { _ = x.Close() }()
		crash := func() int {
			to := t.TempDir()
			copyDir(rt, dir, to)
			if err := x.Close(); err != nil {
				rt.Fatal(err)
			}
			dir = to
			x = open()
			pos, err := x.Resume(ctx)
			if err != nil {
				rt.Fatal(err)
			}
			return int(pos.Record)
		}
		crashes := 0
		for i := 0; i < len(h.records); {
			j := min(i+rapid.IntRange(1, 12).Draw(rt, "batch"), len(h.records))
			next := reqlog.Pos{Segment: 1, Record: uint32(j)}
			what := rapid.IntRange(0, 7).Draw(rt, "event")
			if what == 0 && crashes < 3 {
				crashes++
				partly(rt, x, h.records[i:j], next)
				i = crash()
				continue
			}
			if err := x.Apply(ctx, h.records[i:j], next); err != nil {
				rt.Fatal(err)
			}
			i = j
			switch {
			case what == 1:
				if err := x.upkeep(ctx, time.Now(), true); err != nil {
					rt.Fatal(err)
				}
			case what == 2:
				// Long after: days are sealed, and opened again by what comes.
				if err := x.upkeep(ctx, time.Now().Add(2*time.Hour), true); err != nil {
					rt.Fatal(err)
				}
			case what == 3 && crashes < 3:
				crashes++
				i = crash()
			}
		}
		h.check(rt, x)
		if crash() != len(h.records) {
			rt.Fatal("what was applied is wanted again")
		}
		h.check(rt, x)
	})
}

func TestRemovedDaysKeepTheirCounts(t *testing.T) {
	t.Parallel() // it only computes, for long
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt, noon())
		dir, ctx := t.TempDir(), rt.Context()
		x, err := Open(ctx, dir, Options{Metadata: []string{"team"}})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = x.Close() }()
		next := reqlog.Pos{Segment: 1, Record: uint32(len(h.records))}
		if err := x.Apply(ctx, h.records, next); err != nil {
			rt.Fatal(err)
		}
		at := noon().Add(time.Duration(rapid.IntRange(-40, 40).Draw(rt, "hours")) * time.Hour)
		if _, err := x.Trim(ctx, at); err != nil {
			rt.Fatal(err)
		}
		for id := range h.rows {
			if id.Time().Before(at) {
				delete(h.rows, id)
			}
		}
		h.check(rt, x)
		// What is applied again after the file went is still known to have been applied.
		if err := x.Apply(ctx, h.records, next); err != nil {
			rt.Fatal(err)
		}
		h.check(rt, x)
		if err := x.Close(); err != nil {
			rt.Fatal(err)
		}
		if x, err = Open(ctx, dir, Options{Metadata: []string{"team"}}); err != nil {
			rt.Fatal(err)
		}
		h.check(rt, x)
	})
}
