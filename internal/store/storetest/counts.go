package storetest

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// countedFields are fields of CountQuery with what they say of an entry.
func countedFields() map[reqlog.Field]func(e *sluice.LogEntry) string {
	return map[reqlog.Field]func(e *sluice.LogEntry) string{
		reqlog.FieldOutcome:  reqlog.Outcome,
		reqlog.FieldProvider: func(e *sluice.LogEntry) string { return e.Provider },
		reqlog.FieldModel:    func(e *sluice.LogEntry) string { return e.Model },
		reqlog.FieldServed:   func(e *sluice.LogEntry) string { return e.Served },
		reqlog.FieldEndpoint: func(e *sluice.LogEntry) string { return e.Endpoint },
		reqlog.FieldUserAgent: func(e *sluice.LogEntry) string {
			return e.UserAgent
		},
		reqlog.FieldStatus:   func(e *sluice.LogEntry) string { return strconv.Itoa(e.Status) },
		reqlog.FieldAttempts: func(e *sluice.LogEntry) string { return strconv.Itoa(len(e.Attempts)) },
		reqlog.FieldStream: func(e *sluice.LogEntry) string {
			return map[bool]string{true: "yes", false: "no"}[e.Streamed]
		},
		reqlog.FieldCache: func(e *sluice.LogEntry) string { return reqlog.CacheName(e.Cache) },
		reqlog.FieldMeta:  func(e *sluice.LogEntry) string { v, _ := reqlog.MetaOf(e, "team"); return v },
	}
}

func logCounts(t *testing.T, open func(*testing.T) *feed) {
	t.Run("rows are counted by value and interval, as the filter takes them, with their extremes", func(t *testing.T) {
		f, accounts := open(t), 0
		rapid.Check(t, func(rt *rapid.T) {
			accounts++
			account := "account " + strconv.Itoa(accounts)
			var all []sluice.LogEntry
			for range rapid.IntRange(0, 30).Draw(rt, "entries") {
				e := Draw(rt, &f.ids, noon())
				e.Account = account
				all = append(all, e)
			}
			f.add(all...)
			fields := countedFields()
			field := rapid.SampledFrom(sortedKeys(fields)).Draw(rt, "field")
			q := reqlog.CountQuery{
				Account: account, Filter: DrawFilter(rt), Field: field, Key: "team",
				Every: rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour, 24 * time.Hour}).Draw(rt, "every"),
			}
			want := map[reqlog.RowCount]int64{}
			var bounds reqlog.Extremes
			for i := range all {
				e := &all[i]
				if !q.Filter.Match(e) {
					continue
				}
				one := reqlog.RowCount{Value: fields[field](e)}
				if q.Every > 0 {
					one.Start = e.ID.Time().UTC().Truncate(q.Every)
				}
				want[one]++
				widen(&bounds, e)
			}
			counts, err := f.CountRows(t.Context(), q)
			if err != nil || counts.Partial {
				rt.Fatalf("CountRows(%+v): %+v, %v", q, counts, err)
			}
			got := map[reqlog.RowCount]int64{}
			for _, one := range counts.Counts {
				got[reqlog.RowCount{Start: one.Start, Value: one.Value}] += one.Rows
			}
			if !maps.Equal(got, want) {
				rt.Errorf("CountRows(%+v) = %v; want %v", q, got, want)
			}
			if found, err := f.Extremes(t.Context(), reqlog.Query{Account: account, Filter: q.Filter}); err != nil || found != bounds {
				rt.Errorf("Extremes: %+v, %v; want %+v", found, err, bounds)
			}
		})
	})
	t.Run("what is not counted by is refused", func(t *testing.T) {
		f := open(t)
		for _, q := range []reqlog.CountQuery{{Field: reqlog.FieldPath}, {Field: reqlog.FieldMeta}, {Field: "nothing"}, {Field: reqlog.FieldModel, Every: time.Second}} {
			if _, err := f.CountRows(t.Context(), q); sluice.KindOf(err) != sluice.KindInvalid {
				t.Errorf("%+v: %v", q, err)
			}
		}
	})
}

func sortedKeys(m map[reqlog.Field]func(*sluice.LogEntry) string) (keys []reqlog.Field) {
	for _, f := range []reqlog.Field{
		reqlog.FieldOutcome, reqlog.FieldProvider, reqlog.FieldModel, reqlog.FieldServed, reqlog.FieldEndpoint, reqlog.FieldUserAgent,
		reqlog.FieldStatus, reqlog.FieldAttempts, reqlog.FieldStream, reqlog.FieldCache, reqlog.FieldMeta,
	} {
		if m[f] != nil {
			keys = append(keys, f)
		}
	}
	return keys
}

// widen makes x hold what e knows.
func widen(x *reqlog.Extremes, e *sluice.LogEntry) {
	if e.Priced {
		widenTo(&x.Cost, e.Cost)
	}
	if e.Timeline.End > 0 {
		widenTo(&x.Duration, e.Timeline.End.Truncate(time.Microsecond))
	}
	in, inKnown := e.Usage.Get(sluice.Input)
	out, outKnown := e.Usage.Get(sluice.Output)
	if inKnown {
		widenTo(&x.TokensIn, in)
	}
	if outKnown {
		widenTo(&x.TokensOut, out)
	}
	if inKnown || outKnown {
		widenTo(&x.Tokens, in+out)
	}
}

func widenTo[T ~int64](s *reqlog.Span[T], v T) {
	if !s.Known {
		*s = reqlog.Span[T]{Least: v, Greatest: v, Known: true}
	}
	s.Least, s.Greatest = min(s.Least, v), max(s.Greatest, v)
}
