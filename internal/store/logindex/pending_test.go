package logindex

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// everyTotal asks for all that roll-ups answer.
func everyTotal(t *testing.T, x *Index) map[string][]reqlog.Total {
	t.Helper()
	all := map[string][]reqlog.Total{}
	for _, gateway := range []string{"", "gw1", "gw2"} {
		for _, group := range []reqlog.Group{
			reqlog.GroupNone, reqlog.GroupProvider, reqlog.GroupModel, reqlog.GroupKey, reqlog.GroupStatus, reqlog.GroupCache,
			reqlog.GroupGateway, reqlog.GroupMeta("team"),
		} {
			for _, every := range []time.Duration{7 * time.Minute, time.Hour, 0} {
				q := reqlog.TotalsQuery{
					Account: "acme", Gateway: gateway, Group: group, Every: every, From: noon().Add(-time.Hour), To: noon().Add(4 * time.Hour),
				}
				for _, q.PerAttempt = range []bool{false, true} {
					list, err := x.Totals(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					all[fmt.Sprint(gateway, " by ", group, " every ", every, map[bool]string{true: ", attempts"}[q.PerAttempt])] = list
				}
			}
		}
	}
	return all
}

// TestCountsAreTheSameOnceWritten holds that it makes no difference to readers whether counts are still in
// memory, have been read back from what transactions left, or are in the tables; with more models in an hour
// than are told apart, too.
func TestCountsAreTheSameOnceWritten(t *testing.T) {
	t.Parallel() // it only computes, for long
	rng := rand.New(rand.NewPCG(41, 42))
	dir := t.TempDir()
	x := openTest(t, dir)
	var f feeder
	feed := func() {
		var entries []sluice.LogEntry
		for i := range 4000 {
			e := f.entry(noon().Add(time.Duration(rng.IntN(75)) * time.Minute))
			e.Gateway = fmt.Sprint("gw", rng.IntN(3))
			if i%10 == 0 {
				e.Gateway = ""
			}
			e.Model, e.Provider, e.Status = fmt.Sprint("model-", rng.IntN(1+i%10*600)), fmt.Sprint("p", rng.IntN(4)), 200+rng.IntN(3)
			if i%500 == 0 {
				e.Model = fmt.Sprint("late-", i)
			}
			e.Timeline.End = time.Duration(rng.IntN(1e10))
			e.Cache = sluice.CacheStatus(rng.IntN(3))
			e.Metadata = []sluice.MetaValue{{Key: "team", Value: fmt.Sprint(rng.IntN(5))}}
			if i%6 == 0 {
				failed := sluice.Attempt{Provider: "p9", Model: "model-1", Status: 503, Cause: "status"}
				e.Attempts = []sluice.Attempt{failed, {Provider: e.Provider, Model: e.Model, Status: e.Status}}
			}
			if i%7 == 0 {
				charge := sluice.Charge{Model: "adviser"}
				charge.Usage.Set(sluice.Output, int64(i))
				e.Charges = []sluice.Charge{charge}
			}
			entries = append(entries, e)
			if i%97 == 0 { // its row is replaced
				e.Model = "replaced"
				entries = append(entries, e)
			}
			if len(entries) > 300 {
				f.apply(t, x, entries...)
				entries = entries[:0]
			}
		}
		f.apply(t, x, entries...)
	}
	for round := range 2 {
		feed()
		want := everyTotal(t, x)
		other := 0
		for _, total := range want[" by model every 1h0m0s"] {
			if total.Value == reqlog.OtherValue {
				other++
			}
		}
		if other == 0 {
			t.Fatal("no model was counted as other")
		}
		again := t.TempDir()
		if err := os.CopyFS(again+"/copy", os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if got := everyTotal(t, openTest(t, again+"/copy")); !reflect.DeepEqual(got, want) {
			t.Errorf("round %d: read back they are others", round)
		}
		if err := x.flushDay(t.Context(), noon().UnixMilli()/dayMillis); err != nil {
			t.Fatal(err)
		}
		if got := everyTotal(t, x); !reflect.DeepEqual(got, want) {
			t.Errorf("round %d: written they are others", round)
		}
	}
}

// TestOldDelta holds that what an earlier version left of its transactions is counted.
func TestOldDelta(t *testing.T) {
	var s share
	e := new(feeder).entry(noon())
	s.set(&e, true)
	key := cellKey{questionModel, 2, 3, 29_000_000}
	c := &cell{}
	c.add(&s, 1)
	delta := appendDelta(nil, nil, map[cellKey]*cell{key: c})
	old := append([]byte{deltaCells}, delta[2:]...) // less the number of kinds
	d := newPending()
	if err := d.readDelta(old); err != nil || !reflect.DeepEqual(d.cells, map[cellKey]*cell{key: c}) {
		t.Fatalf("read %v, %v", d.cells, err)
	}
	found := 0
	d.each(questionModel, 2, func(at int64, value int32, c *cell) {
		if at == key.at && value == key.value && c.n[nRows] == 1 {
			found++
		}
	})
	if found != 1 {
		t.Errorf("found %d times", found)
	}
}
