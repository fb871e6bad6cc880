package storetest

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

func logTotals(t *testing.T, open func(*testing.T) *feed) {
	t.Run("nothing gives one empty sum", func(t *testing.T) {
		f := open(t)
		if total := f.total(reqlog.TotalsQuery{From: noon(), To: noon().Add(time.Hour)}); total.Requests != 0 || !total.Start.Equal(noon()) {
			t.Errorf("%+v; want nothing, from noon", total)
		}
	})
	t.Run("sums are those of the entries", func(t *testing.T) {
		f := open(t)
		var all []sluice.LogEntry
		rapid.Check(t, func(rt *rapid.T) {
			f.t = t
			var batch []sluice.LogEntry
			for range rapid.IntRange(1, 20).Draw(rt, "entries") {
				batch = append(batch, Draw(rt, &f.ids, noon()))
			}
			f.add(batch...)
			all = append(all, batch...)
			q := drawTotals(rt)
			got, err := f.Totals(t.Context(), q)
			if err != nil {
				rt.Fatalf("%+v: %v", q, err)
			}
			CheckTotals(rt, q, got, all)
		})
	})
	t.Run("beyond a thousand values an hour, the rest is one", func(t *testing.T) {
		f := open(t)
		var batch []sluice.LogEntry
		for i := range 1200 {
			batch = append(batch, f.entry(noon(), func(e *sluice.LogEntry) { e.Model = fmt.Sprint("model", i) }))
		}
		f.add(batch...)
		list, err := f.Totals(t.Context(), reqlog.TotalsQuery{Account: "acme", Group: reqlog.GroupModel})
		if err != nil || len(list) != 1001 {
			t.Fatalf("%d sums, %v; want 1001", len(list), err)
		}
		i := slices.IndexFunc(list, func(total reqlog.Total) bool { return total.Value == "other" })
		if i < 0 || list[i].Requests != 200 {
			t.Errorf("no 200 others in it")
		}
		late := batch[1100]
		late.Success = false
		f.add(late)
		list, err = f.Totals(t.Context(), reqlog.TotalsQuery{Account: "acme", Group: reqlog.GroupModel})
		if err != nil || len(list) != 1001 || list[i].Requests != 200 || list[i].Errors != 1 {
			t.Errorf("after a correction of one of them: %d sums, others %+v, %v", len(list), list[i], err)
		}
	})
}

func drawTotals(t *rapid.T) reqlog.TotalsQuery {
	minute := func(label string) time.Time {
		return noon().Add(time.Duration(rapid.Int64Range(-48*60, 48*60).Draw(t, label)) * time.Minute)
	}
	q := reqlog.TotalsQuery{Account: "acme", Gateway: rapid.SampledFrom([]string{"", "main", "side"}).Draw(t, "gateway")}
	q.Group = rapid.SampledFrom([]reqlog.Group{
		reqlog.GroupNone, reqlog.GroupProvider, reqlog.GroupModel, reqlog.GroupKey, reqlog.GroupStatus, reqlog.GroupCache, reqlog.GroupGateway,
	}).Draw(t, "group")
	q.From, q.To = minute("from"), minute("to")
	if q.To.Before(q.From) {
		q.From, q.To = q.To, q.From
	}
	q.Every = time.Duration(rapid.SampledFrom([]int{0, 1, 7, 15, 45, 60, 240, 1440}).Draw(t, "every")) * time.Minute
	return q
}

// groupValue is the value of a group that an entry belongs to.
func groupValue(g reqlog.Group, e *sluice.LogEntry) string {
	switch g {
	case reqlog.GroupProvider:
		return e.Provider
	case reqlog.GroupModel:
		return e.Model
	case reqlog.GroupKey:
		return e.Key
	case reqlog.GroupStatus:
		return strconv.Itoa(e.Status)
	case reqlog.GroupCache:
		return reqlog.CacheName(e.Cache)
	case reqlog.GroupGateway:
		return e.Gateway
	}
	return ""
}

// CheckTotals compares sums with those of the entries they are made of.
func CheckTotals(t rapid.TB, q reqlog.TotalsQuery, got []reqlog.Total, all []sluice.LogEntry) {
	t.Helper()
	type key struct {
		start int64
		value string
	}
	groups := map[key][]*sluice.LogEntry{}
	every := q.Every
	if every == 0 {
		every = max(q.To.Sub(q.From), time.Minute)
	}
	for i := range all {
		e := &all[i]
		at := e.ID.Time()
		if e.Account != q.Account || q.Gateway != "" && e.Gateway != q.Gateway || at.Before(q.From) || !at.Before(q.To) {
			continue
		}
		k := key{q.From.Add(at.Sub(q.From) / every * every).UnixMilli(), groupValue(q.Group, e)}
		groups[k] = append(groups[k], e)
	}
	if q.Group == reqlog.GroupNone {
		for at := q.From; at.Before(q.To) || at.Equal(q.From); at = at.Add(every) {
			if k := (key{start: at.UnixMilli()}); groups[k] == nil {
				groups[k] = nil
			}
		}
	}
	if len(got) != len(groups) {
		t.Fatalf("%+v: %d sums; want %d", q, len(got), len(groups))
	}
	for i := range got {
		want, ok := groups[key{got[i].Start.UnixMilli(), got[i].Value}]
		if !ok {
			t.Fatalf("%+v: a sum of %v %q, which has no entries", q, got[i].Start, got[i].Value)
		}
		checkTotal(t, got[i], want)
	}
}

// checkTotal compares one sum.
func checkTotal(t rapid.TB, got reqlog.Total, list []*sluice.LogEntry) {
	t.Helper()
	want := reqlog.Total{Start: got.Start, Value: got.Value, Duration: got.Duration, FirstToken: got.FirstToken}
	var durations, firsts []time.Duration
	for _, e := range list {
		left := !e.Success && (e.Ending == sluice.EndingClientGone || e.Ending == sluice.EndingClientSlow)
		want.Requests++
		want.Success += one(e.Success)
		want.Canceled += one(left)
		want.Errors += one(!e.Success && !left)
		want.Cached += one(e.Cache == sluice.CacheHit)
		want.Streamed += one(e.Streamed)
		want.Attempts += int64(len(e.Attempts))
		want.Estimated += one(e.Usage.Basis == sluice.BasisEstimated || e.Usage.Basis == sluice.BasisPartial)
		want.Priced += one(e.Priced)
		want.Unpriced += one(!e.Priced && e.Usage.Known() && e.Usage.Basis != sluice.BasisCached)
		want.BytesIn += e.Request.Size
		want.BytesOut += e.Response.Size
		want.Cost += e.Cost
		addTokens(&want, e)
		if e.Timeline.End > 0 {
			durations = append(durations, e.Timeline.End)
		}
		if e.Timeline.FirstToken > 0 {
			firsts = append(firsts, e.Timeline.FirstToken)
		}
	}
	if got != want {
		t.Fatalf("sum %+v; want %+v", got, want)
	}
	checkQuantiles(t, got.Duration, durations)
	checkQuantiles(t, got.FirstToken, firsts)
}

func addTokens(want *reqlog.Total, e *sluice.LogEntry) {
	if e.Usage.Basis == sluice.BasisCached {
		in, _ := e.Usage.Get(sluice.Input)
		out, _ := e.Usage.Get(sluice.Output)
		want.SavedIn += in
		want.SavedOut += out
		return
	}
	for class := range sluice.ClassCount {
		n, known := e.Usage.Get(class)
		want.Tokens[class] += n
		want.TokensKnown[class] += one(known)
	}
}

func checkQuantiles(t rapid.TB, got reqlog.Quantiles, list []time.Duration) {
	t.Helper()
	if got.Count != int64(len(list)) {
		t.Fatalf("%d durations; want %d", got.Count, len(list))
	}
	if len(list) == 0 {
		return
	}
	slices.Sort(list)
	at := func(percent int) time.Duration { return list[(percent*len(list)+99)/100-1] }
	if !near(got.P50, at(50)) || !near(got.P95, at(95)) || !near(got.P99, at(99)) {
		t.Fatalf("quantiles %+v; want about %v, %v, %v", got, at(50), at(95), at(99))
	}
}
