package logindex

import (
	"context"
	"database/sql"
	"slices"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// countKey is a day's count of rows that need not be made again while the day has not changed.
type countKey struct {
	day   int64
	scope textKey
	state state
}

const maxCounts = 50_000

// count returns how many rows a query without a filter has: whole minutes from roll-ups, which know how
// many exchanges have rows, and what is left of the first and the last minute by counting.
func (x *Index) count(ctx context.Context, q *reqlog.Query) (int64, error) {
	l := &listing{to: place{lastDay + 1, 0}}
	l.bound(*q)
	days := slices.DeleteFunc(x.dayList(), func(d dayInfo) bool { return !d.file || d.day < l.from.day || d.day > l.to.day })
	scope := scopeOf(q.Account, q.Gateway)
	sealed, err := x.countSealed(ctx, q, days)
	if err != nil {
		return 0, err
	}
	var n int64
	for _, d := range days {
		low, high := l.bounds(d.day)
		k := countKey{d.day, scope, d.state}
		whole := low == 0 && high == dayMillis<<counterBits
		if whole {
			if known, ok := x.knownCount(k); ok {
				n += known
				continue
			}
		}
		var day int64
		if whole && d.countable() {
			day = sealed[d.day]
		} else if err := x.with(ctx, d.day, func(p *part) (err error) {
			day, err = p.countRows(ctx, q, d, span{low, high})
			return err
		}); err != nil {
			return 0, err
		}
		n += day
		if whole {
			x.keepCount(k, day)
		}
	}
	return n, nil
}

func (x *Index) knownCount(k countKey) (n int64, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	n, ok = x.counts[k]
	return n, ok
}

func (x *Index) keepCount(k countKey, n int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.counts) >= maxCounts {
		clear(x.counts)
	}
	x.counts[k] = n
}

// countable reports whether the copies know how many rows the day has.
func (d *dayInfo) countable() bool { return d.sealed && d.trimmed == 0 }

// countSealed counts the rows of days that analytics.db has and that are not known yet, all at once.
func (x *Index) countSealed(ctx context.Context, q *reqlog.Query, days []dayInfo) (map[int64]int64, error) {
	first, last := int64(-1), int64(-1)
	for i := range days {
		d := &days[i]
		if _, ok := x.knownCount(countKey{d.day, scopeOf(q.Account, q.Gateway), d.state}); !ok && d.countable() {
			if last = d.day; first < 0 {
				first = d.day
			}
		}
	}
	if first < 0 {
		return nil, nil
	}
	rows := map[int64]int64{}
	err := eachSum(ctx, x.copies.file, nil, q, piece{grainHour, first * dayMinutes, (last + 1) * dayMinutes}, func(at, n int64) {
		rows[at/dayMinutes] += n
	})
	return rows, err
}

// countRows counts the rows of a span.
func (p *part) countRows(ctx context.Context, q *reqlog.Query, d dayInfo, s span) (int64, error) {
	const minuteRows = minuteMillis << counterBits
	s.low = max(s.low, d.trimmed)
	if s.low >= s.high {
		return 0, nil
	}
	first, last := (s.low+minuteRows-1)/minuteRows, s.high/minuteRows // whole minutes of the day
	if first >= last {
		return p.countPart(ctx, q, s)
	}
	n, err := p.countPart(ctx, q, span{s.low, first * minuteRows})
	if err != nil {
		return 0, err
	}
	end, err := p.countPart(ctx, q, span{last * minuteRows, s.high})
	if err != nil {
		return 0, err
	}
	n += end
	for _, one := range pieces(nil, p.day*dayMinutes+first, p.day*dayMinutes+last) {
		rows, _, err := sumRows(ctx, p.file, p, q, one)
		if err != nil {
			return 0, err
		}
		n += rows
	}
	return n, nil
}

// countPart counts rows one by one.
func (p *part) countPart(ctx context.Context, q *reqlog.Query, s span) (n int64, err error) {
	if s.low >= s.high {
		return 0, nil
	}
	w := &where{}
	if err := p.compileScope(ctx, q, nil, w); err != nil || w.none {
		return 0, err
	}
	err = all(ctx, p.read, func(r *sql.Rows) error { return r.Scan(&n) },
		"SELECT count(*) FROM rows r WHERE "+w.text()+" AND r.id >= ? AND r.id < ?", s.low, s.high)
	return n, err
}

// sumRows sums up how many rows the query's scope has in a piece, also by hour of the day. p, if it is
// not nil, adds what it has not written.
func sumRows(ctx context.Context, f *file, p *part, q *reqlog.Query, one piece) (n int64, hours [24]int64, err error) {
	err = eachSum(ctx, f, p, q, one, func(at, rows int64) {
		n += rows
		hours[at%dayMinutes/grainHour] += rows
	})
	return n, hours, err
}

// eachSum calls add with the rows that the query's scope has in each minute, or longer, of a piece.
func eachSum(ctx context.Context, f *file, p *part, q *reqlog.Query, one piece, add func(at, rows int64)) error {
	scope, err := f.textID(ctx, scopeOf(q.Account, q.Gateway))
	if err != nil || scope == 0 {
		return err
	}
	if p != nil {
		p.rollMu.RLock()
		defer p.rollMu.RUnlock()
		p.pending.each(questionTotal, int32(scope), func(at int64, _ int32, c *cell) {
			if one.from <= at && at < one.to {
				add(at, c.n[nRows])
			}
		})
	}
	return all(ctx, f.read, func(r *sql.Rows) error {
		var at int64
		var b sql.RawBytes
		if err := r.Scan(&at, &b); err != nil {
			return err
		}
		n, err := (&cellReader{left: b}).number(nRows)
		add(at, n)
		return err
	}, "SELECT at, cell FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND at >= ? AND at < ?",
		questionTotal, scope, one.grain, one.from, one.to)
}

// skipHours moves a bound of the day over whole hours whose rows are all to be skipped.
func (l *listing) skipHours(ctx context.Context, p *part, d dayInfo, low, high int64) (int64, int64, error) {
	const hourRows = 60 * minuteMillis << counterBits
	_, hours, err := sumRows(ctx, p.file, p, &l.q, piece{grainHour, p.day * dayMinutes, (p.day + 1) * dayMinutes})
	if err != nil {
		return low, high, err
	}
	order := make([]int64, 0, len(hours))
	for hour := range int64(len(hours)) {
		order = append(order, hour)
	}
	if l.desc {
		slices.Reverse(order)
	}
	for _, hour := range order {
		h := span{hour * hourRows, (hour + 1) * hourRows}
		if h.high <= low || h.low >= high {
			continue
		}
		if h.low < low || h.high > high || h.low < d.trimmed {
			// A part of an hour is counted; it is not worth more at the two ends of a range.
			part := span{max(h.low, low), min(h.high, high)}
			if hours[hour], err = p.countRows(ctx, &l.q, d, part); err != nil {
				return low, high, err
			}
		}
		if hours[hour] > l.skip {
			return low, high, nil
		}
		l.skip -= hours[hour]
		if l.desc {
			high = min(high, h.low)
		} else {
			low = max(low, h.high)
		}
	}
	return low, max(low, high), nil
}
