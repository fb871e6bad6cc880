package reqlog

import (
	"context"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// changed returns what Changed tells, by id.
func changed(l *Log, since uint64) (map[sluice.ID]sluice.LogEntry, uint64) {
	found := map[sluice.ID]sluice.LogEntry{}
	now := l.Changed(since, func(e *sluice.LogEntry) { found[e.ID] = *e })
	return found, now
}

func TestChangedTellsOfWhatRuns(t *testing.T) {
	l := openLog(t, Options{}, newMemory())
	defer closeLog(t, l)
	var ids sluice.IDs
	fresh := begin(l, ids.New(time.Now()), time.Now())
	fresh.Described()
	old := begin(l, ids.New(time.Now()), time.Now().Add(-2*openAfter))
	old.Described()
	quiet := begin(l, ids.New(time.Now()), time.Now().Add(-2*openAfter))
	quiet.CountOnly = true
	quiet.Described()

	all, now := changed(l, 0)
	if _, ok := all[old.Entry.ID]; !ok || len(all) != 1 {
		t.Fatalf("%d exchanges, want the one that has run for a second", len(all))
	}
	if l.Watched() {
		t.Error("watched by nobody")
	}
	l.Answering(fresh, 200, 5*time.Millisecond) // nobody watches, so only who asks for all hears of it
	if some, _ := changed(l, now); len(some) != 0 {
		t.Errorf("%d exchanges changed for nobody", len(some))
	}
	stop := l.Watch()
	all, now = changed(l, 0)
	if e, ok := all[fresh.Entry.ID]; !ok || e.Status != 200 || e.Timeline.FirstByte != 5*time.Millisecond || e.Ending != sluice.EndingInFlight {
		t.Fatalf("%+v", e)
	}

	var used sluice.Usage
	used.Set(sluice.Output, 7)
	l.Attempted(fresh, []sluice.Attempt{{Provider: "openai", Cause: "status", Status: 503}})
	l.Redescribe(fresh, func(e *sluice.LogEntry) { e.Provider, e.Step = "groq", 1 })
	l.Flowing(fresh, 9*time.Millisecond, 1234, used)
	some, then := changed(l, now)
	e := some[fresh.Entry.ID]
	if n, _ := e.Usage.Get(sluice.Output); len(some) != 1 || n != 7 || e.Usage.Basis != sluice.BasisPartial || len(e.Attempts) != 1 ||
		e.Provider != "groq" || e.Step != 1 || e.Response.Size != 1234 || e.Timeline.FirstToken != 9*time.Millisecond {
		t.Fatalf("%+v", some)
	}
	l.Flowing(fresh, 9*time.Millisecond, 1234, used)
	if some, again := changed(l, then); len(some) != 0 || again != then {
		t.Error("what says nothing new is a change")
	}
	if row, err := l.Get(reading(t), "a", fresh.Entry.ID); err != nil || row.Entry.Status != 200 || len(row.Entry.Attempts) != 1 {
		t.Errorf("%+v, %v", row.Entry, err)
	}

	l.End(fresh, false)
	if some, _ := changed(l, 0); len(some) != 1 {
		t.Errorf("%d exchanges, want the one that runs", len(some))
	}
	fresh.Reset()
	fresh.Entry.ID, fresh.Entry.Start, fresh.Entry.Account = ids.New(time.Now()), time.Now(), "a"
	l.Begin(fresh)
	fresh.Described()
	if some, _ := changed(l, 0); len(some) != 1 {
		t.Errorf("an exchange that is used again has kept what it was")
	}
	stop()
	stop()
	if l.Watched() {
		t.Error("watched after the last has stopped")
	}
	l.End(fresh, false)
	l.End(old, false)
	l.End(quiet, true)
}

// What Follow has yielded has ended for Changed: a tail that asks both by turns never shows a request as
// running whose end it has shown.
func TestChangedIsNeverBehindFollow(t *testing.T) {
	l := openLog(t, Options{}, newMemory())
	defer closeLog(t, l)
	defer l.Watch()()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	const n = 2000
	from := l.Head()
	go func() {
		var ids sluice.IDs
		for range n {
			x := begin(l, ids.New(time.Now()), time.Now())
			x.Described()
			l.Answering(x, 200, time.Millisecond)
			l.End(x, false)
		}
	}()
	ended, seen := map[sluice.ID]bool{}, uint64(0)
	for rec, err := range l.Follow(ctx, from) {
		if err != nil {
			t.Fatal(err)
		}
		ended[rec.Entry.ID] = true
		seen = l.Changed(seen, func(e *sluice.LogEntry) {
			if ended[e.ID] {
				t.Errorf("%s runs after its end", e.ID)
			}
		})
		if len(ended) == n {
			break
		}
	}
}
