package storetest

import (
	"errors"
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
			q := drawTotals(rt, false)
			got, err := f.Totals(t.Context(), q)
			if err != nil {
				rt.Fatalf("%+v: %v", q, err)
			}
			CheckTotals(rt, q, got, all)
			q = drawTotals(rt, true)
			if got, err = f.Totals(t.Context(), q); err == nil {
				CheckTotals(rt, q, got, all)
			} else if !errors.Is(err, reqlog.ErrNotRolledUp) {
				rt.Fatalf("%+v: %v", q, err)
			}
			rows, err := f.SumRows(t.Context(), q)
			if err != nil || rows.Partial {
				rt.Fatalf("%+v: %v, partial %t", q, err, rows.Partial)
			}
			q.NoTimes = false // rows tell them anyway
			CheckTotals(rt, q, rows.Totals, all)
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

// drawTotals draws a query; any: any groups and conditions, else only those that roll-ups answer of entries as
// Draw makes them.
func drawTotals(t *rapid.T, any bool) reqlog.TotalsQuery {
	minute := func(label string) time.Time {
		return noon().Add(time.Duration(rapid.Int64Range(-48*60, 48*60).Draw(t, label)) * time.Minute)
	}
	q := reqlog.TotalsQuery{
		Account: "acme", Gateway: rapid.SampledFrom([]string{"", "main", "side"}).Draw(t, "gateway"),
		Sum: rapid.Bool().Draw(t, "sum"), PerAttempt: rapid.Bool().Draw(t, "per attempt"), NoTimes: rapid.IntRange(0, 3).Draw(t, "no times") == 0,
	}
	groups := []reqlog.Group{
		reqlog.GroupNone, reqlog.GroupProvider, reqlog.GroupModel, reqlog.GroupKey, reqlog.GroupStatus, reqlog.GroupCache, reqlog.GroupGateway,
		reqlog.GroupOutcome, reqlog.GroupErrorType, reqlog.GroupMeta("team"),
	}
	q.Group = rapid.SampledFrom(groups).Draw(t, "group")
	if any {
		for range rapid.IntRange(0, 2).Draw(t, "further groups") * int(min(len(q.Group), 1)) {
			q.Then = append(q.Then, rapid.SampledFrom(groups[1:]).Draw(t, "then"))
		}
		q.Filter = DrawFilter(t)
	} else if then, ok := rolledUp(q.Group); ok && rapid.Bool().Draw(t, "two levels") {
		q.Then = []reqlog.Group{then}
	}
	q.From, q.To = minute("from"), minute("to")
	if q.To.Before(q.From) {
		q.From, q.To = q.To, q.From
	}
	q.Every = time.Duration(rapid.SampledFrom([]int{0, 1, 7, 15, 45, 60, 240, 1440}).Draw(t, "every")) * time.Minute
	if rapid.Bool().Draw(t, "edges") {
		q.Edges, q.Every = []time.Time{q.From}, 0
		for range rapid.IntRange(1, 5).Draw(t, "intervals") {
			last := q.Edges[len(q.Edges)-1]
			q.Edges = append(q.Edges, last.Add(time.Duration(rapid.Int64Range(1, 24*60).Draw(t, "length"))*time.Minute))
		}
		q.To = q.Edges[len(q.Edges)-1]
	}
	return q
}

// rolledUp is a further group that roll-ups know beside g.
func rolledUp(g reqlog.Group) (reqlog.Group, bool) {
	then, ok := map[reqlog.Group]reqlog.Group{
		reqlog.GroupProvider: reqlog.GroupModel, reqlog.GroupModel: reqlog.GroupProvider, reqlog.GroupErrorType: reqlog.GroupProvider,
		reqlog.GroupStatus: reqlog.GroupOutcome, reqlog.GroupCache: reqlog.GroupStatus,
	}[g]
	return then, ok
}

// sample is an entry, or an attempt, as one sum counts it.
type sample struct {
	e        *sluice.LogEntry
	rest     bool  // of the entry: what is counted of requests only
	sign     int64 // of a charge
	charge   *sluice.Charge
	attempts int64
}

type place struct {
	start int64
	group [1 + reqlog.MaxThen]string
}

// samples sorts what entries count for by interval and group.
func samples(q *reqlog.TotalsQuery, all []sluice.LogEntry) map[place][]sample {
	groups := append([]reqlog.Group{q.Group}, q.Then...)
	models := slices.Contains(groups, reqlog.GroupModel) && !slices.ContainsFunc(q.Filter.Terms, func(t reqlog.Term) bool { return t.Field == reqlog.FieldModel })
	edges := q.Edges
	if len(edges) == 0 {
		every := q.Every
		if every == 0 {
			every = max(q.To.Sub(q.From), time.Minute)
		}
		for at := q.From; at.Before(q.To) || at.Equal(q.From); at = at.Add(every) {
			edges = append(edges, at)
		}
		edges = append(edges, q.To)
	}
	found := map[place][]sample{}
	put := func(at time.Time, e *sluice.LogEntry, s sample) {
		var p place
		for i, g := range groups {
			p.group[i] = groupValue(g, e)
		}
		if q.Sum {
			p.start = time.Time{}.UnixMilli()
			found[p] = append(found[p], s)
		}
		for _, edge := range edges[:len(edges)-1] {
			if !edge.After(at) {
				p.start = edge.UnixMilli()
			}
		}
		found[p] = append(found[p], s)
	}
	for i := range all {
		e := &all[i]
		at := e.ID.Time()
		if e.Account != q.Account || q.Gateway != "" && e.Gateway != q.Gateway || at.Before(edges[0]) || !at.Before(edges[len(edges)-1]) {
			continue
		}
		items := []sluice.LogEntry{*e}
		if q.PerAttempt {
			items = reqlog.PerAttempt(e)
		}
		for j := range items {
			one := &items[j]
			if !q.Filter.Match(one) {
				continue
			}
			whole := len(items) == 1
			s := sample{e: one, rest: whole, attempts: int64(len(one.Attempts))}
			if !whole {
				s.attempts = 1
			}
			put(at, one, s)
			for k := range one.Charges {
				if c := &one.Charges[k]; models && c.Model != one.Model {
					put(at, one, sample{charge: c, sign: -1})
					other := *one
					other.Model = c.Model
					put(at, &other, sample{charge: c, sign: 1})
				}
			}
		}
	}
	if q.Group == reqlog.GroupNone && len(q.Then) == 0 {
		for _, edge := range edges[:len(edges)-1] {
			p := place{start: edge.UnixMilli()}
			found[p] = slices.Clip(found[p])
		}
	}
	return found
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
	case reqlog.GroupOutcome:
		return reqlog.Outcome(e)
	case reqlog.GroupErrorType:
		return e.ErrorKind
	case reqlog.GroupMeta("team"):
		values := map[string]bool{}
		for _, m := range e.Metadata {
			if m.Key == "team" {
				values[m.Value] = true
			}
		}
		for value := range values {
			if len(values) == 1 {
				return value
			}
			return "other"
		}
	}
	return ""
}

// CheckTotals compares sums with those of the entries they are made of.
func CheckTotals(t rapid.TB, q reqlog.TotalsQuery, got []reqlog.Total, all []sluice.LogEntry) {
	t.Helper()
	groups := samples(&q, all)
	seen := 0
	for i := range got {
		p := place{start: got[i].Start.UnixMilli()}
		p.group[0] = got[i].Value
		copy(p.group[1:], got[i].Then[:])
		want, ok := groups[p]
		if !ok {
			t.Fatalf("%+v: a sum of %v %q, which has no entries: %+v", q, got[i].Start, p.group, got[i])
		}
		checkTotal(t, got[i], want, !q.NoTimes)
		seen++
	}
	for p, list := range groups {
		empty := sumOf(list)
		if empty != (reqlog.Total{}) || q.Group == reqlog.GroupNone && len(q.Then) == 0 {
			seen--
		} else if slices.ContainsFunc(got, func(x reqlog.Total) bool {
			return x.Start.UnixMilli() == p.start && x.Value == p.group[0] && [reqlog.MaxThen]string(p.group[1:]) == x.Then
		}) {
			t.Fatalf("%+v: a sum of nothing", q)
		}
	}
	if seen != 0 {
		t.Fatalf("%+v: %d sums more or less than there should be", q, seen)
	}
}

// sumOf adds up everything but quantiles.
func sumOf(list []sample) (want reqlog.Total) {
	for _, s := range list {
		if s.charge != nil {
			addUsage(&want, &s.charge.Usage, s.sign)
			if s.charge.Priced {
				want.Cost += sluice.NanoUSD(s.sign) * s.charge.Cost
			}
			continue
		}
		e := s.e
		left := !e.Success && (e.Ending == sluice.EndingClientGone || e.Ending == sluice.EndingClientSlow)
		want.Requests++
		want.Success += one(e.Success)
		want.Canceled += one(left)
		want.Errors += one(!e.Success && !left)
		want.Cached += one(e.Cache == sluice.CacheHit)
		want.Streamed += one(e.Streamed)
		want.Attempts += s.attempts
		want.Estimated += one(e.Usage.Basis == sluice.BasisEstimated || e.Usage.Basis == sluice.BasisPartial)
		want.Priced += one(e.Priced)
		want.Unpriced += one(!e.Priced && e.Usage.Known() && e.Usage.Basis != sluice.BasisCached)
		want.BytesIn += e.Request.Size
		want.BytesOut += e.Response.Size
		if e.Priced {
			want.Cost += e.Cost
		}
		want.SavedCost += e.Saved.Cost
		want.SavedPriced += one(e.Saved.Priced)
		want.SavedTime += e.Saved.Time
		addUsage(&want, &e.Usage, 1)
		for i := range e.Charges {
			addUsage(&want, &e.Charges[i].Usage, 1)
		}
	}
	return want
}

// checkTotal compares one sum.
func checkTotal(t rapid.TB, got reqlog.Total, list []sample, times bool) {
	t.Helper()
	want := sumOf(list)
	want.Start, want.Value, want.Then = got.Start, got.Value, got.Then
	want.Duration, want.FirstToken, want.Overhead = got.Duration, got.FirstToken, got.Overhead
	want.Generated, want.GenerationTime = got.Generated, got.GenerationTime
	var durations, firsts, overheads []time.Duration
	var generated int64
	var took time.Duration
	split := false
	for _, s := range list {
		if s.charge != nil {
			continue
		}
		e := s.e
		if e.Timeline.End > 0 {
			durations = append(durations, e.Timeline.End)
		}
		if e.Timeline.FirstToken > 0 {
			firsts = append(firsts, e.Timeline.FirstToken)
		}
		if split = split || !s.rest; split {
			continue
		}
		if d, ok := reqlog.Overhead(e); ok {
			overheads = append(overheads, d)
		}
		out, known := e.Usage.Get(sluice.Output)
		if d := e.Timeline.End - e.Timeline.FirstToken; known && e.Streamed && e.Usage.Basis != sluice.BasisCached && e.Timeline.FirstToken > 0 && d > 0 {
			generated += out
			took += d
		}
	}
	if got != want {
		t.Fatalf("sum %+v; want %+v", got, want)
	}
	if !times {
		if got.Duration.Count != int64(len(durations)) || got.Duration.P50 != 0 {
			t.Fatalf("%+v; want a count of %d and no quantiles", got.Duration, len(durations))
		}
		return
	}
	checkQuantiles(t, got.Duration, durations)
	checkQuantiles(t, got.FirstToken, firsts)
	if got.Overhead.Count != 0 && len(overheads) == len(list) {
		checkQuantiles(t, got.Overhead, overheads)
		if got.Generated != generated || got.GenerationTime != took {
			t.Fatalf("generated %d in %v; want %d, %v", got.Generated, got.GenerationTime, generated, took)
		}
	}
}

func addUsage(want *reqlog.Total, u *sluice.Usage, sign int64) {
	if u.Basis == sluice.BasisCached {
		in, _ := u.Get(sluice.Input)
		out, _ := u.Get(sluice.Output)
		want.SavedIn += sign * in
		want.SavedOut += sign * out
		return
	}
	for class := range sluice.ClassCount {
		n, known := u.Get(class)
		want.Tokens[class] += sign * n
		want.TokensKnown[class] += sign * one(known)
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
	if !near(got.P50, at(50)) || !near(got.P90, at(90)) || !near(got.P95, at(95)) || !near(got.P99, at(99)) {
		t.Fatalf("quantiles %+v; want about %v, %v, %v", got, at(50), at(95), at(99))
	}
}
