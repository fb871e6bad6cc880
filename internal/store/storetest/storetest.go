// Package storetest proves what the interfaces promise that level 2 declares. The test of every
// implementation is one call.
package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// noon is a time in the middle of a day that has long passed.
func noon() time.Time { return time.Date(2025, 6, 10, 12, 0, 0, 0, time.UTC) }

// Log proves what reqlog.Store promises. open makes an empty store.
func Log(t *testing.T, open func(*testing.T) reqlog.Store) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) *feed)
	}{
		{"rows", logRows},
		{"changes", logChanges},
		{"patches", logPatches},
		{"deletions", logDeletions},
		{"caps", logCaps},
		{"marks", logMarks},
		{"again", logAgain},
		{"pages", logPages},
		{"ranges", logRanges},
		{"orders", logOrders},
		{"filters", logFilters},
		{"totals", logTotals},
		{"counts", logCounts},
		{"trim", logTrim},
		{"refusals", logRefusals},
	} {
		t.Run(group.name, func(t *testing.T) {
			group.run(t, func(t *testing.T) *feed { return &feed{Store: open(t), t: t} })
		})
	}
}

// feed is a store with the hand that feeds it.
type feed struct {
	reqlog.Store
	t   *testing.T
	ids sluice.IDs
	pos reqlog.Pos
}

// entry makes an entry that starts at a time.
func (f *feed) entry(at time.Time, change ...func(*sluice.LogEntry)) sluice.LogEntry {
	e := sluice.LogEntry{
		ID: f.ids.New(at), Start: at, Account: "acme", Gateway: "main", Provider: "openai", Model: "gpt-4.1", Status: 200,
		Success: true, Ending: sluice.EndingComplete, Timeline: sluice.Timeline{End: 2 * time.Second},
	}
	for _, c := range change {
		c(&e)
	}
	return e
}

// records gives entries their places in the log.
func (f *feed) records(entries ...sluice.LogEntry) []reqlog.Record {
	list := make([]reqlog.Record, len(entries))
	for i := range entries {
		list[i] = reqlog.Record{Kind: reqlog.KindEntry, Pos: f.pos, Entry: entries[i]}
		f.pos.Record++
	}
	return list
}

func (f *feed) apply(records ...reqlog.Record) {
	f.t.Helper()
	if err := f.Apply(f.t.Context(), records, f.pos); err != nil {
		f.t.Fatalf("Apply: %v", err)
	}
}

// add applies entries in one batch.
func (f *feed) add(entries ...sluice.LogEntry) { f.t.Helper(); f.apply(f.records(entries...)...) }

func (f *feed) list(q reqlog.Query) reqlog.Page {
	f.t.Helper()
	if q.Account == "" {
		q.Account = "acme"
	}
	if q.Limit == 0 {
		q.Limit = 1000
	}
	page, err := f.List(f.t.Context(), q)
	if err != nil {
		f.t.Fatalf("List(%+v): %v", q, err)
	}
	return page
}

func (f *feed) total(q reqlog.TotalsQuery) reqlog.Total {
	f.t.Helper()
	q.Account = "acme"
	list, err := f.Totals(f.t.Context(), q)
	if err != nil || len(list) != 1 {
		f.t.Fatalf("Totals(%+v) = %+v, %v; want one", q, list, err)
	}
	return list[0]
}

func pageIDs(page reqlog.Page) []sluice.ID {
	list := make([]sluice.ID, len(page.Rows))
	for i := range page.Rows {
		list[i] = page.Rows[i].Entry.ID
	}
	return list
}

func entryIDs(entries []sluice.LogEntry) []sluice.ID {
	list := make([]sluice.ID, len(entries))
	for i := range entries {
		list[i] = entries[i].ID
	}
	return list
}

func logRows(t *testing.T, open func(*testing.T) *feed) {
	t.Run("a row comes back as it was, with its parts", func(t *testing.T) {
		f := open(t)
		e := Full(f.ids.New(noon()), noon().Add(123456*time.Nanosecond))
		r := f.records(e)
		r[0].Parts = [2][]reqlog.Part{{{Segment: 3, Block: 4, Offset: 5, Length: 6}}, {{Segment: 3, Block: 5}, {Segment: 4, Block: 0, Offset: 9, Length: 1 << 16}}}
		f.apply(r...)
		got, err := f.Get(t.Context(), e.Account, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		Same(t, got.Entry, e)
		if !slices.Equal(got.Parts[0], r[0].Parts[0]) || !slices.Equal(got.Parts[1], r[0].Parts[1]) {
			t.Errorf("parts %+v; want %+v", got.Parts, r[0].Parts)
		}
		page := f.list(reqlog.Query{Account: e.Account})
		if len(page.Rows) != 1 {
			t.Fatalf("%d rows listed, want 1", len(page.Rows))
		}
		Same(t, page.Rows[0].Entry, e)
	})
	t.Run("an entry that knows nothing comes back knowing nothing", func(t *testing.T) {
		f := open(t)
		e := sluice.LogEntry{ID: f.ids.New(noon()), Account: "acme"}
		f.add(e)
		got, err := f.Get(t.Context(), "acme", e.ID)
		if err != nil {
			t.Fatal(err)
		}
		Same(t, got.Entry, e)
	})
	t.Run("what is handed to Apply can be used again afterwards", func(t *testing.T) {
		f := open(t)
		model := []byte("model-one")
		for _, name := range []string{"model-one", "model-two"} {
			copy(model, name)
			f.add(f.entry(noon(), func(e *sluice.LogEntry) { e.Model = unsafeString(model) }))
		}
		page := f.list(reqlog.Query{})
		if len(page.Rows) != 2 || page.Rows[0].Entry.Model != "model-one" || page.Rows[1].Entry.Model != "model-two" {
			t.Errorf("rows %+v; want model-one and model-two", page.Rows)
		}
	})
	t.Run("a row of another account is not found", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		f.add(e)
		for _, c := range []struct {
			account string
			id      sluice.ID
		}{{"other", e.ID}, {"acme", f.ids.New(noon())}, {"acme", f.ids.New(noon().AddDate(-1, 0, 0))}} {
			if _, err := f.Get(t.Context(), c.account, c.id); sluice.KindOf(err) != sluice.KindNotFound {
				t.Errorf("Get(%s, %s): %v; want not found", c.account, c.id, err)
			}
		}
		if page := f.list(reqlog.Query{Account: "other"}); len(page.Rows) != 0 || page.Total != 0 {
			t.Errorf("the other account has %+v", page)
		}
	})
	t.Run("an attempt's id finds its request", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		f.add(e)
		if got, err := f.Get(t.Context(), "acme", e.ID.WithAttempt(2)); err != nil || got.Entry.ID != e.ID {
			t.Errorf("%v, %v; want %v", got.Entry.ID, err, e.ID)
		}
	})
}

func logChanges(t *testing.T, open func(*testing.T) *feed) {
	t.Run("a later entry replaces the row", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon(), func(e *sluice.LogEntry) { e.Cost, e.Priced = 5, true })
		f.add(e)
		e.Model, e.Feedback, e.Cost = "gpt-5", 1, 7
		f.add(e)
		got, err := f.Get(t.Context(), "acme", e.ID)
		if err != nil {
			t.Fatal(err)
		}
		Same(t, got.Entry, e)
		if rows, _, err := f.Size(t.Context()); rows != 1 || err != nil {
			t.Errorf("%d rows, %v; want 1", rows, err)
		}
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 1 || total.Cost != 7 || total.Duration.Count != 1 {
			t.Errorf("totals %+v; want one request of 7", total)
		}
	})
	t.Run("an entry and its correction may come in one batch", func(t *testing.T) {
		f := open(t)
		first := f.entry(noon(), func(e *sluice.LogEntry) { e.Model = "never-seen-before" })
		second := first
		second.Status, second.Success = 500, false
		f.add(first, second, f.entry(noon()), f.entry(noon()))
		if page := f.list(reqlog.Query{}); len(page.Rows) != 3 || page.Rows[0].Entry.Status != 500 {
			t.Errorf("rows %+v; want three, the first with 500", page.Rows)
		}
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 3 || total.Errors != 1 {
			t.Errorf("totals %+v; want 3 requests, 1 error", total)
		}
	})
	t.Run("what is only counted has no row", func(t *testing.T) {
		f := open(t)
		r := f.records(f.entry(noon()), f.entry(noon()))
		r[1].CountOnly = true
		f.apply(r...)
		page := f.list(reqlog.Query{})
		if len(page.Rows) != 1 || page.Total != 1 || !page.TotalExact {
			t.Errorf("page %+v; want one row", page)
		}
		if total := f.total(reqlog.TotalsQuery{}); total.Requests != 2 {
			t.Errorf("%d requests; want 2", total.Requests)
		}
	})
}

func logMarks(t *testing.T, open func(*testing.T) *feed) {
	mark := func(f *feed, e sluice.LogEntry) reqlog.Record {
		r := f.records(e)[0]
		r.Kind, r.Entry.Ending = reqlog.KindOpen, sluice.EndingInFlight
		return r
	}
	t.Run("an exchange is open from its mark to its entry", func(t *testing.T) {
		f := open(t)
		one, two := f.entry(noon()), f.entry(noon().AddDate(0, 0, -1))
		f.apply(mark(f, one), mark(f, two))
		list, err := f.Open(t.Context())
		if err != nil || !sameIDs(entryIDs(list), []sluice.ID{one.ID, two.ID}) {
			t.Errorf("open: %v, %v; want both", entryIDs(list), err)
		}
		f.add(two)
		list, err = f.Open(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatalf("open: %v, %v; want one", entryIDs(list), err)
		}
		one.Ending = sluice.EndingInFlight
		Same(t, list[0], one)
		if page := f.list(reqlog.Query{}); len(page.Rows) != 1 {
			t.Errorf("%d rows; a mark is none", len(page.Rows))
		}
	})
	t.Run("a mark behind its entry opens nothing", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		r := append(f.records(e), mark(f, e))
		f.apply(r...)
		if list, err := f.Open(t.Context()); len(list) != 0 || err != nil {
			t.Errorf("open: %v, %v; want none", entryIDs(list), err)
		}
	})
	t.Run("an exchange that is only counted ends its mark, too", func(t *testing.T) {
		f := open(t)
		e := f.entry(noon())
		m, r := mark(f, e), f.records(e)[0]
		r.CountOnly = true
		f.apply(m, r)
		if list, err := f.Open(t.Context()); len(list) != 0 || err != nil {
			t.Errorf("open: %v, %v; want none", entryIDs(list), err)
		}
	})
}

func sameIDs(a, b []sluice.ID) bool {
	byText := func(x, y sluice.ID) int { return slices.Compare(x[:], y[:]) }
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, byText)
	slices.SortFunc(b, byText)
	return slices.Equal(a, b)
}

func logAgain(t *testing.T, open func(*testing.T) *feed) {
	t.Run("an empty store wants all from the beginning", func(t *testing.T) {
		if pos, err := open(t).Resume(t.Context()); pos != (reqlog.Pos{}) || err != nil {
			t.Errorf("Resume = %v, %v; want the beginning", pos, err)
		}
	})
	t.Run("after a batch it goes on behind it", func(t *testing.T) {
		f := open(t)
		f.add(f.entry(noon()), f.entry(noon().AddDate(0, 0, 1)))
		if pos, err := f.Resume(t.Context()); pos != f.pos || err != nil {
			t.Errorf("Resume = %v, %v; want %v", pos, err, f.pos)
		}
	})
	t.Run("records that come again change nothing", func(t *testing.T) {
		f := open(t)
		first := f.entry(noon())
		second := first
		second.Status = 503
		records := f.records(first, second, f.entry(noon().AddDate(0, 0, -1)), f.entry(noon()), f.entry(noon()))
		records[3].CountOnly = true
		records[4].Kind = reqlog.KindOpen
		for from := range records {
			f.apply(records[from:]...)
			page, total := f.list(reqlog.Query{}), f.total(reqlog.TotalsQuery{})
			if len(page.Rows) != 2 || page.Total != 2 || total.Requests != 3 {
				t.Fatalf("from record %d: %d rows, %d counted, %d requests; want 2, 2, 3", from, len(page.Rows), page.Total, total.Requests)
			}
			if got, _ := f.Get(t.Context(), "acme", first.ID); got.Entry.Status != 503 {
				t.Errorf("from record %d: status %d; want the correction's 503", from, got.Entry.Status)
			}
			if list, err := f.Open(t.Context()); len(list) != 1 || err != nil {
				t.Errorf("from record %d: open %v, %v; want one", from, entryIDs(list), err)
			}
		}
	})
}

func logPages(t *testing.T, open func(*testing.T) *feed) {
	// Three days, some rows of one millisecond, in a random order of arrival.
	fill := func(f *feed) []sluice.LogEntry {
		var all []sluice.LogEntry
		for day := range 3 {
			for i := range 40 {
				all = append(all, f.entry(noon().AddDate(0, 0, day).Add(time.Duration(i/4)*13*time.Minute), func(e *sluice.LogEntry) {
					e.Gateway = []string{"main", "side"}[i%3%2]
				}))
			}
		}
		mixed := slices.Clone(all)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		for batch := range slices.Chunk(mixed, 17) {
			f.add(batch...)
		}
		return all
	}
	for _, c := range []struct {
		name string
		q    reqlog.Query
		keep func(*sluice.LogEntry) bool
	}{
		{"of all rows", reqlog.Query{}, func(*sluice.LogEntry) bool { return true }},
		{"of one gateway", reqlog.Query{Gateway: "side"}, func(e *sluice.LogEntry) bool { return e.Gateway == "side" }},
		{"of a filter", reqlog.Query{Filter: filter("gateway:side")}, func(e *sluice.LogEntry) bool { return e.Gateway == "side" }},
		{"of a filter on the entry", reqlog.Query{Filter: filter("path:x,*")}, func(*sluice.LogEntry) bool { return true }},
	} {
		t.Run("pages "+c.name+" join to the whole list, both ways", func(t *testing.T) {
			f := open(t)
			var want []sluice.ID
			for _, e := range fill(f) {
				if c.keep(&e) {
					want = append(want, e.ID)
				}
			}
			for _, desc := range []bool{false, true} {
				if desc {
					slices.Reverse(want)
				}
				c.q.Desc = desc
				walk(t, f, c.q, want)
			}
		})
	}
	t.Run("an offset skips that many rows", func(t *testing.T) {
		f := open(t)
		want := entryIDs(fill(f))
		slices.Reverse(want)
		for _, offset := range []int{0, 1, 39, 40, 41, 77, 119, 120, 200} {
			for _, q := range []reqlog.Query{{}, {Filter: filter("provider:openai")}, {Filter: filter("-path:y")}} {
				q.Desc, q.Offset, q.Limit = true, int64(offset), 10
				page := f.list(q)
				from := min(offset, len(want))
				if got := pageIDs(page); !slices.Equal(got, want[from:min(from+10, len(want))]) {
					t.Errorf("offset %d of %q: wrong rows %v", offset, q.Filter, got)
				}
			}
		}
	})
}

// walk follows the cursors to the end and back.
func walk(t *testing.T, f *feed, q reqlog.Query, want []sluice.ID) {
	t.Helper()
	var got, back []sluice.ID
	q.Limit = 7
	last := ""
	for range 200 {
		page := f.list(q)
		if page.Total >= 0 && page.TotalExact && page.Total != int64(len(want)) {
			t.Fatalf("total %d; want %d", page.Total, len(want))
		}
		got = append(got, pageIDs(page)...)
		last = page.Prev
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("desc %v: walked over %d rows, want %d, or in another order", q.Desc, len(got), len(want))
	}
	q.Back = true
	for q.Cursor = last; q.Cursor != ""; {
		page := f.list(q)
		back = append(pageIDs(page), back...)
		q.Cursor = page.Prev
	}
	if rest := len(want) % q.Limit; len(want) > q.Limit {
		if rest == 0 {
			rest = q.Limit
		}
		if !slices.Equal(back, want[:len(want)-rest]) {
			t.Fatalf("desc %v: %d rows on the way back, want %d, or in another order", q.Desc, len(back), len(want)-rest)
		}
	}
}

func filter(s string) reqlog.Filter {
	f, err := reqlog.ParseFilter(s)
	if err != nil {
		panic(err)
	}
	return f
}

func logRanges(t *testing.T, open func(*testing.T) *feed) {
	t.Run("a range has its beginning and not its end", func(t *testing.T) {
		f := open(t)
		var all []sluice.LogEntry
		midnight := noon().Add(12 * time.Hour)
		for _, d := range []time.Duration{-36 * time.Hour, -90 * time.Second, -time.Millisecond, 0, time.Millisecond, 61 * time.Second, 30 * time.Hour} {
			all = append(all, f.entry(midnight.Add(d)))
		}
		f.add(all...)
		for i := range all {
			for j := i; j < len(all); j++ {
				q := reqlog.Query{From: all[i].Start, To: all[j].Start}
				page := f.list(q)
				if !slices.Equal(pageIDs(page), entryIDs(all[i:j])) || page.Total != int64(j-i) || !page.TotalExact {
					t.Errorf("from %d to %d: %d rows, total %d; want %d", i, j, len(page.Rows), page.Total, j-i)
				}
				got, err := f.Get(t.Context(), "acme", all[i].ID)
				if err != nil || got.Entry.ID != all[i].ID {
					t.Errorf("Get %d: %v", i, err)
				}
			}
		}
	})
}

func logOrders(t *testing.T, open func(*testing.T) *feed) {
	f := open(t)
	all := entries(rapid.Custom(func(rt *rapid.T) []sluice.LogEntry {
		var list []sluice.LogEntry
		for range 60 {
			list = append(list, Draw(rt, &f.ids, noon()))
		}
		return list
	}).Example(1))
	f.add(all...)
	for order, less := range map[reqlog.Order]func(a, b *sluice.LogEntry) int{
		reqlog.OrderDuration: byNumber(func(e *sluice.LogEntry) (int64, bool) { return e.Timeline.End.Microseconds(), e.Timeline.End > 0 }),
		reqlog.OrderCost:     byNumber(func(e *sluice.LogEntry) (int64, bool) { return int64(e.Cost), e.Priced }),
		reqlog.OrderTokensIn: byNumber(func(e *sluice.LogEntry) (int64, bool) { return e.Usage.Get(sluice.Input) }),
		reqlog.OrderTokensOut: byNumber(func(e *sluice.LogEntry) (int64, bool) {
			return e.Usage.Get(sluice.Output)
		}),
		reqlog.OrderSuccess:  byNumber(func(e *sluice.LogEntry) (int64, bool) { return one(e.Success), true }),
		reqlog.OrderCached:   byNumber(func(e *sluice.LogEntry) (int64, bool) { return one(e.Cache == sluice.CacheHit), true }),
		reqlog.OrderProvider: func(a, b *sluice.LogEntry) int { return compareText(a.Provider, b.Provider) },
		reqlog.OrderModel:    func(a, b *sluice.LogEntry) int { return compareText(a.Model, b.Model) },
	} {
		for _, desc := range []bool{false, true} {
			t.Run(fmt.Sprintf("order %d, descending %v, is kept over pages", order, desc), func(t *testing.T) {
				f.t = t
				var got []reqlog.Row
				q := reqlog.Query{Order: order, Desc: desc, Limit: 25}
				for {
					page := f.list(q)
					got = append(got, page.Rows...)
					if q.Cursor = page.Next; q.Cursor == "" {
						break
					}
				}
				if len(got) != len(all) {
					t.Fatalf("%d rows; want %d", len(got), len(all))
				}
				for i := range got[1:] {
					c := less(&got[i].Entry, &got[i+1].Entry)
					if desc && c != unknownLast && c != -unknownLast {
						c = -c
					}
					if c > 0 {
						t.Errorf("row %d comes before row %d", i, i+1)
					}
				}
			})
		}
	}
}

func entries(list []sluice.LogEntry) []sluice.LogEntry { return list }

func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

const unknownLast = 2 // a comparison that the direction does not turn

func byNumber(number func(*sluice.LogEntry) (int64, bool)) func(a, b *sluice.LogEntry) int {
	return func(a, b *sluice.LogEntry) int {
		x, xKnown := number(a)
		y, yKnown := number(b)
		switch {
		case !xKnown && yKnown:
			return unknownLast
		case xKnown && !yKnown:
			return -unknownLast
		case !xKnown || x == y:
			return 0
		case x < y:
			return -1
		}
		return 1
	}
}

func logFilters(t *testing.T, open func(*testing.T) *feed) {
	t.Run("a filter finds rows by their ids, and by nearly theirs not", func(t *testing.T) {
		f := open(t)
		one, two := f.entry(noon()), f.entry(noon().AddDate(0, 0, 1))
		f.add(one, two)
		forged := one.ID
		forged[14] ^= 1
		for q, want := range map[string][]sluice.ID{
			"id:" + one.ID.String():                             {one.ID},
			"id:" + one.ID.WithAttempt(3).String():              {one.ID},
			"id:" + one.ID.String() + "," + two.ID.String():     {one.ID, two.ID},
			"-id:" + one.ID.String():                            {two.ID},
			"id:" + forged.String():                             nil,
			"-id:" + forged.String():                            {one.ID, two.ID},
			"id:" + one.ID.String() + " -id:" + two.ID.String(): {one.ID},
		} {
			if got := pageIDs(f.list(reqlog.Query{Filter: filter(q)})); !slices.Equal(got, want) {
				t.Errorf("%s: %v; want %v", q, got, want)
			}
		}
	})
	t.Run("a list has exactly the rows that the filter matches", func(t *testing.T) {
		f := open(t)
		rapid.Check(t, func(rt *rapid.T) {
			f.t = t
			f.pos.Block++
			account := fmt.Sprint("account", f.pos.Block)
			var all []sluice.LogEntry
			for range rapid.IntRange(1, 12).Draw(rt, "rows") {
				e := Draw(rt, &f.ids, noon())
				e.Account = account
				all = append(all, e)
			}
			f.add(all...)
			q := reqlog.Query{Account: account, Limit: 1000, Filter: DrawFilter(rt)}
			page, err := f.List(t.Context(), q)
			if err != nil {
				rt.Fatalf("%s: %v", q.Filter, err)
			}
			var want []sluice.ID
			for i := range all {
				if q.Filter.Match(&all[i]) {
					want = append(want, all[i].ID)
				}
			}
			if !sameIDs(pageIDs(page), want) || page.Total != int64(len(want)) {
				rt.Fatalf("%s: listed %v (total %d), matched %v of %+v", q.Filter, pageIDs(page), page.Total, want, all)
			}
		})
	})
}

func logTrim(t *testing.T, open func(*testing.T) *feed) {
	fill := func(f *feed) []sluice.LogEntry {
		var all []sluice.LogEntry
		for i := range 40 {
			all = append(all, f.entry(noon().Add(time.Duration(i)*3*time.Hour)))
		}
		f.add(all...)
		return all
	}
	for _, kept := range []int{0, 1, 2, 3, 4, 5, 20, 39, 40} {
		t.Run(fmt.Sprintf("trimming at the cutoff of %d rows leaves them, and all counts", kept), func(t *testing.T) {
			f := open(t)
			all := fill(f)
			at := all[len(all)-1].Start.Add(time.Second)
			if kept > 0 {
				var err error
				if at, err = f.Cutoff(t.Context(), int64(kept)); err != nil || at.After(all[len(all)-kept].Start) {
					t.Fatalf("Cutoff(%d) = %v, %v; want %v", kept, at, err, all[len(all)-kept].Start)
				}
			}
			n, err := f.Trim(t.Context(), at)
			if err != nil || n != int64(len(all)-kept) {
				t.Fatalf("Trim(%v) = %d, %v; want %d", at, n, err, len(all)-kept)
			}
			page := f.list(reqlog.Query{})
			if !slices.Equal(pageIDs(page), entryIDs(all[len(all)-kept:])) || page.Total != int64(kept) {
				t.Errorf("%d rows, total %d; want the newest %d", len(page.Rows), page.Total, kept)
			}
			if rows, _, err := f.Size(t.Context()); rows != int64(kept) || err != nil {
				t.Errorf("size %d, %v; want %d", rows, err, kept)
			}
			if total := f.total(reqlog.TotalsQuery{}); total.Requests != int64(len(all)) {
				t.Errorf("%d requests counted; want %d", total.Requests, len(all))
			}
			if again, err := f.Trim(t.Context(), at); again != 0 || err != nil {
				t.Errorf("trimming again: %d, %v", again, err)
			}
			late := f.entry(noon().Add(time.Minute))
			f.add(late)
			if total := f.total(reqlog.TotalsQuery{}); total.Requests != int64(len(all))+1 {
				t.Errorf("after a late row %d requests; want %d", total.Requests, len(all)+1)
			}
			if _, err := f.Get(t.Context(), "acme", late.ID); err != nil {
				t.Errorf("the late row: %v", err)
			}
		})
	}
	t.Run("an open mark outlives the rows of its day", func(t *testing.T) {
		f := open(t)
		fill(f)
		r := f.records(f.entry(noon()))
		r[0].Kind = reqlog.KindOpen
		f.apply(r...)
		if _, err := f.Trim(t.Context(), noon().AddDate(0, 1, 0)); err != nil {
			t.Fatal(err)
		}
		if list, err := f.Open(t.Context()); len(list) != 1 || err != nil {
			t.Errorf("open: %v, %v; want one", list, err)
		}
		if rows, _, err := f.Size(t.Context()); rows != 0 || err != nil {
			t.Errorf("%d rows, %v; want none", rows, err)
		}
	})
	t.Run("with no more rows than asked for there is no cutoff", func(t *testing.T) {
		f := open(t)
		f.add(f.entry(noon()))
		if at, err := f.Cutoff(t.Context(), 2); !at.IsZero() || err != nil {
			t.Errorf("Cutoff = %v, %v; want the zero time", at, err)
		}
	})
}

func logRefusals(t *testing.T, open func(*testing.T) *feed) {
	f := open(t)
	f.add(f.entry(noon()))
	for name, q := range map[string]reqlog.Query{
		"no limit":            {},
		"a limit too high":    {Limit: 1001},
		"a foreign cursor":    {Limit: 1, Cursor: "!"},
		"an order's cursor":   {Limit: 1, Cursor: "AgE"},
		"a filter it can't":   {Limit: 1, Filter: reqlog.Filter{Terms: []reqlog.Term{{Field: reqlog.FieldCost, Op: reqlog.OpEq, Values: []string{"x"}}}}},
		"a field it lacks":    {Limit: 1, Filter: reqlog.Filter{Terms: []reqlog.Term{{Field: "nonsense", Op: reqlog.OpEq, Values: []string{"x"}}}}},
		"an order it lacks":   {Limit: 1, Order: 99},
		"text with an order":  {Limit: 1, Filter: reqlog.Filter{Terms: []reqlog.Term{{Field: reqlog.FieldModel, Op: reqlog.OpGt, Values: []string{"x"}}}}},
		"a term with nothing": {Limit: 1, Filter: reqlog.Filter{Terms: []reqlog.Term{{Field: reqlog.FieldModel, Op: reqlog.OpEq}}}},
	} {
		t.Run(name+" is an invalid query", func(t *testing.T) {
			q.Account = "acme"
			if _, err := f.List(t.Context(), q); sluice.KindOf(err) != sluice.KindInvalid {
				t.Errorf("List: %v; want an invalid query", err)
			}
		})
	}
	for name, q := range map[string]reqlog.TotalsQuery{
		"half a minute":      {Every: 30 * time.Second},
		"too many intervals": {From: noon().AddDate(-2, 0, 0), To: noon(), Every: time.Minute},
		"an unknown group":   {Group: "nonsense"},
	} {
		t.Run(name+" is an invalid sum", func(t *testing.T) {
			q.Account = "acme"
			if _, err := f.Totals(t.Context(), q); sluice.KindOf(err) != sluice.KindInvalid {
				t.Errorf("Totals: %v; want an invalid query", err)
			}
		})
	}
}
