package logindex

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// TestTotalsOfSealedDaysAreWhatTheyWere holds that a sealed day's totals are those of its own file, whatever they are
// split by and however their intervals lie about its midnights.
func TestTotalsOfSealedDaysAreWhatTheyWere(t *testing.T) {
	t.Parallel() // it only computes, for long
	x := openTest(t, t.TempDir())
	rng := rand.New(rand.NewPCG(9, 10))
	var f feeder
	from := noon().Add(-72 * time.Hour).Truncate(24 * time.Hour)
	for range 40 {
		var batch []sluice.LogEntry
		for range 20 {
			e := f.entry(from.Add(time.Duration(rng.Int64N(int64(4 * 24 * time.Hour)))))
			e.Provider = []string{"openai", "groq"}[rng.IntN(2)]
			e.Model = []string{"large", "small", ""}[rng.IntN(3)]
			e.Gateway = []string{"main", "side"}[rng.IntN(2)]
			e.Timeline.End = time.Duration(1 + rng.Int64N(int64(10*time.Second)))
			batch = append(batch, e)
		}
		f.apply(t, x, batch...)
	}
	queries := totalsQueries(t, from)
	before := make([][]reqlog.Total, len(queries))
	for i, q := range queries {
		var err error
		if before[i], err = x.Totals(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.upkeep(t.Context(), time.Now().Add(2*time.Hour), true); err != nil {
		t.Fatal(err)
	}
	packed := 0
	for _, d := range x.dayList() {
		packed += int(count(d.sealed && d.packed))
	}
	if packed != 4 {
		t.Fatalf("%d days are packed, want 4", packed)
	}
	// What only rollups had would still be right: they must not be asked.
	if _, err := x.copies.conn.ExecContext(t.Context(), "DELETE FROM rollups WHERE grain = ? AND at < ?", grainHour, dayOf(sluice.MinID(noon()))*dayMinutes); err != nil {
		t.Fatal(err)
	}
	for i, q := range queries {
		after, err := x.Totals(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before[i], after) {
			t.Errorf("%+v:\nsealed  %+v\nunsealed %+v", q, after, before[i])
		}
	}
}

// totalsQueries are over four days from a midnight on.
func totalsQueries(t *testing.T, from time.Time) (list []reqlog.TotalsQuery) {
	t.Helper()
	filter, err := reqlog.ParseFilter("provider:openai")
	if err != nil {
		t.Fatal(err)
	}
	for _, every := range []time.Duration{0, time.Hour, 7 * time.Hour, 24 * time.Hour, 36 * time.Hour} {
		for _, shift := range []time.Duration{0, 5 * time.Hour, 90 * time.Minute} {
			for _, q := range []reqlog.TotalsQuery{
				{},
				{Group: reqlog.GroupModel},
				{Group: reqlog.GroupModel, Then: []reqlog.Group{reqlog.GroupProvider}, Gateway: "side"},
				{Group: reqlog.GroupOutcome, NoTimes: true},
				{Group: reqlog.GroupGateway, Filter: filter},
				{Group: reqlog.GroupOutcome, Filter: filter, NoTimes: true},
				{Group: reqlog.GroupModel, Then: []reqlog.Group{reqlog.GroupStatus}, Gateway: "main", NoTimes: true},
				{Group: reqlog.GroupMeta("team"), PerAttempt: true},
			} {
				q.Account, q.Every, q.Sum = "acme", every, true
				q.From, q.To = from.Add(shift), from.Add(96*time.Hour)
				list = append(list, q)
			}
		}
	}
	return list
}

// FuzzEachPacked holds that whatever a pack is made of is read or refused, and read the same again.
func FuzzEachPacked(f *testing.F) {
	var p packing
	c := cell{}
	c.n[nRequests], c.n[nTokens], c.last = 3, 500, hist{{4, 2}, {9, 1}}
	for hour := range int64(3) {
		if err := p.add(hour*grainHour, int32(hour)-1, c.append(nil)); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(p.hours)
	f.Add(p.sums())
	f.Add([]byte{1, 2, 200, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second packing
		if eachPacked(b, 20_000, false, first.add) != nil {
			return
		}
		if err := eachPacked(first.hours, 20_000, false, second.add); err != nil {
			t.Fatalf("packed again it is refused: %v", err)
		}
		var sums packing
		if err := eachPacked(first.sums(), 20_000, true, sums.add); err != nil {
			t.Fatalf("the day's sums are refused: %v", err)
		}
		if !bytes.Equal(second.sums(), first.sums()) || !bytes.Equal(sums.sums(), first.sums()) {
			t.Error("packed again it is another")
		}
	})
}
