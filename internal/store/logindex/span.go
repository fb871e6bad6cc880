package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// span is the rows from low to before high, of one day.
type span struct{ low, high int64 }

// chunk returns the part of s that is read first.
func (s span) chunk(width int64, desc bool) span {
	if s.high-s.low <= width {
		return s
	}
	if desc {
		return span{s.high - width, s.high}
	}
	return span{s.low, s.low + width}
}

// behind returns what is left of s behind a row.
func (s span) behind(row int64, desc bool) span {
	if desc {
		return span{s.low, row}
	}
	return span{row + 1, s.high}
}

// eachSpan calls fn for the parts of s that may hold rows of the query, in the direction of reading,
// until it returns false. Roll-ups know which minutes an account or gateway has, and which hours a
// value; where neither narrows the search, s is one part.
func (p *part) eachSpan(ctx context.Context, q *reqlog.Query, w *where, s span, desc bool, fn func(span) (bool, error)) error {
	if !w.narrow && len(w.hints) == 0 {
		_, err := fn(s)
		return err
	}
	scope, err := p.textID(ctx, scopeOf(q.Account, q.Gateway))
	if err != nil {
		return err
	}
	known := p.pendingMinutes(int32(scope))
	hours, err := p.hoursOf(ctx, int32(scope), w.hints)
	if err != nil {
		return err
	}
	const hourRows = 60 * minuteMillis << counterBits
	first, last := s.low/hourRows, (s.high-1)/hourRows
	for i := range last - first + 1 {
		hour := first + i
		if desc {
			hour = last - i
		}
		at := p.day*dayMinutes + hour*grainHour
		if hours != nil && !hours[at] {
			continue
		}
		spans, err := p.minutesOf(ctx, int32(scope), at, known)
		if err != nil {
			return err
		}
		if desc {
			slices.Reverse(spans)
		}
		for _, one := range spans {
			one = span{max(one.low, s.low), min(one.high, s.high)}
			if one.low >= one.high {
				continue
			}
			if more, err := fn(one); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

const (
	maxHinted = 50     // values of a hint
	maxPlaces = 10_000 // that are looked at in the copies
)

// daysHaving returns the sealed days for which the copies have counted, under the values that the listing's
// conditions name, anything at all; nil: they cannot tell.
func (x *Index) daysHaving(ctx context.Context, l *listing, days []dayInfo) (map[int64]bool, error) {
	var hours []int64
	for _, d := range days {
		for hour := int64(0); hour < 24 && d.sealed && d.file && l.from.day <= d.day && d.day <= l.to.day; hour++ {
			hours = append(hours, d.day*dayMinutes+hour*grainHour)
		}
	}
	c := x.copies
	scope, err := c.textID(ctx, scopeOf(l.q.Account, l.q.Gateway))
	if err != nil {
		return nil, fmt.Errorf("days of values: %w", err)
	}
	var having map[int64]bool
	for i := range l.conds {
		cond := &l.conds[i]
		question := questionOf(cond.Field)
		if cond.Form != reqlog.FormText || cond.Not || question == 0 || cond.MatchText("") {
			continue
		}
		column, _ := columnOf(cond.Field)
		values := []int64{int64(otherValue)}
		err := all(ctx, c.read, func(r *sql.Rows) error {
			var id int64
			var text string
			err := r.Scan(&id, &text)
			if cond.MatchText(text) {
				values = append(values, id)
			}
			return err
		}, "SELECT id, text FROM texts WHERE kind = ?", int64(column.kind))
		if err != nil {
			return nil, fmt.Errorf("days of values: %w", err)
		}
		if len(values)*len(hours) > maxPlaces {
			continue
		}
		have := map[int64]bool{}
		err = all(ctx, c.read, func(r *sql.Rows) error {
			var day int64
			err := r.Scan(&day)
			have[day] = having == nil || having[day]
			return err
		}, fmt.Sprintf("SELECT at / %d FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND %s AND %s", dayMinutes, in("at", hours), in("value", values)),
			question, scope, grainHour)
		if err != nil {
			return nil, fmt.Errorf("days of values: %w", err)
		}
		having = have
	}
	return having, nil
}

// pendingMinutes returns the minutes that a scope has in what is not written yet.
func (p *part) pendingMinutes(scope int32) map[int64]bool {
	p.rollMu.RLock()
	defer p.rollMu.RUnlock()
	minutes := map[int64]bool{}
	p.pending.each(questionTotal, scope, func(at int64, _ int32, _ *cell) { minutes[at] = true })
	return minutes
}

// hoursOf returns the hours, by their unix minute, that hold rows for all hints; nil when there are no
// hints. A value that was counted as other may be in any hour that has others.
func (p *part) hoursOf(ctx context.Context, scope int32, hints []hint) (map[int64]bool, error) {
	var hours map[int64]bool
	for _, h := range hints {
		have := map[int64]bool{}
		values := append(slices.Clone(h.values), int64(otherValue))
		p.rollMu.RLock()
		p.pending.each(h.question, scope, func(at int64, value int32, _ *cell) {
			if slices.Contains(values, int64(value)) {
				have[at-at%grainHour] = true
			}
		})
		err := all(ctx, p.read, func(r *sql.Rows) error {
			var at int64
			err := r.Scan(&at)
			have[at] = true
			return err
		}, "SELECT at FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND "+in("value", values), h.question, scope, grainHour)
		p.rollMu.RUnlock()
		if err != nil {
			return nil, err
		}
		for at := range hours {
			if !have[at] {
				delete(hours, at)
			}
		}
		if hours == nil {
			hours = have
		}
	}
	return hours, nil
}

// minutesOf returns the spans of an hour in which a scope has rows, in order.
func (p *part) minutesOf(ctx context.Context, scope int32, hour int64, pending map[int64]bool) ([]span, error) {
	var have [grainHour]bool
	for i := range have {
		have[i] = pending[hour+int64(i)]
	}
	err := all(ctx, p.read, func(r *sql.Rows) error {
		var at int64
		err := r.Scan(&at)
		have[at-hour] = true
		return err
	}, "SELECT at FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND at >= ? AND at < ?",
		questionTotal, scope, grainMinute, hour, hour+grainHour)
	if err != nil {
		return nil, err
	}
	var spans []span
	for i := range have {
		if !have[i] {
			continue
		}
		at := (hour + int64(i)) * minuteMillis
		one := span{rowAt(p.day, at), rowAt(p.day, at+minuteMillis)}
		if n := len(spans); n > 0 && spans[n-1].high == one.low {
			spans[n-1].high = one.high
		} else {
			spans = append(spans, one)
		}
	}
	return spans, nil
}
