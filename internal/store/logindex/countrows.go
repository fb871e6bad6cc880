package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// scanChunks calls do for chunk after chunk of the rows that may pass, newest first, as far as a listing's time goes.
func (l *listing) scanChunks(ctx context.Context, do func(p *part, w *where, c span) error) error {
	l.desc = true
	l.at = l.to
	days := l.x.dayList()
	for i := len(days) - 1; i >= 0; i-- {
		d := days[i]
		if !d.file || d.day < l.from.day || d.day > l.to.day || l.done(ctx) {
			continue
		}
		err := l.x.with(ctx, d.day, func(p *part) error {
			w, err := p.compile(ctx, &l.q, l.conds)
			if err != nil || w.none {
				return err
			}
			low, high := l.bounds(p.day)
			return p.eachSpan(ctx, &l.q, w, span{low, high}, true, func(s span) (bool, error) {
				for s.low < s.high && !l.done(ctx) {
					c := s.chunk(l.width<<counterBits, true)
					start := time.Now()
					if err := do(p, w, c); err != nil {
						return false, err
					}
					l.adapt(time.Since(start), maxChunk)
					s.high = c.low
					l.at = place{p.day, c.low}
				}
				return !l.done(ctx), nil
			})
		})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// chosen returns the condition that a chunk's rows pass: that of the columns, or, where these cannot answer, their
// very ids.
func (l *listing) chosen(ctx context.Context, p *part, w *where, c span) (string, error) {
	if len(w.after) == 0 && len(w.spill) == 0 {
		return w.text(), nil
	}
	var ids []int64
	for c.low < c.high && ctx.Err() == nil {
		raw, err := p.readRaw(ctx, w, c, false, rawBatch, 0)
		if err != nil {
			return "", err
		}
		for i := range raw {
			var into reqlog.Row
			ok, err := l.passes(ctx, p, w, &raw[i], &into)
			if err != nil {
				return "", err
			}
			if ok {
				ids = append(ids, raw[i].id)
			}
		}
		if len(raw) < rawBatch {
			break
		}
		c = c.behind(raw[rawBatch-1].id, false)
	}
	return condIn("r.id", ids, false), nil
}

// CountRows implements reqlog.Store.
func (x *Index) CountRows(ctx context.Context, q reqlog.CountQuery) (reqlog.RowCounts, error) {
	value, column, err := countedBy(q)
	if err != nil {
		return reqlog.RowCounts{}, err
	}
	if q.Every < 0 || q.Every%time.Minute != 0 {
		return reqlog.RowCounts{}, &sluice.Error{Kind: sluice.KindInvalid, Field: "interval", Msg: "an interval is whole minutes"}
	}
	l, err := x.newListing(reqlog.Query{Account: q.Account, Gateway: q.Gateway, From: q.From, To: q.To, Filter: q.Filter, Desc: true, Limit: 1})
	if err != nil {
		return reqlog.RowCounts{}, err
	}
	c := counting{l: l, column: column, value: value, every: q.Every.Milliseconds(), sums: map[countedKey]int64{}}
	if err := l.scanChunks(ctx, func(p *part, w *where, s span) error { return c.chunk(ctx, p, w, s) }); err != nil {
		return reqlog.RowCounts{}, fmt.Errorf("count rows: %w", err)
	}
	counts := reqlog.RowCounts{Partial: l.partial}
	for k, n := range c.sums {
		one := reqlog.RowCount{Value: k.value, Rows: n}
		if q.Every > 0 {
			one.Start = time.UnixMilli(k.interval * c.every).UTC()
		}
		counts.Counts = append(counts.Counts, one)
	}
	if l.partial {
		counts.Since = time.UnixMilli(l.at.day*dayMillis + l.at.row>>counterBits).UTC()
	}
	return counts, nil
}

// counting is one call of CountRows.
type counting struct {
	l      *listing
	column string // what is grouped by
	value  func(ctx context.Context, p *part, id int64) (string, error)
	every  int64 // milliseconds, 0: no intervals
	sums   map[countedKey]int64
	part   *part            // that known is of
	known  map[int64]string // values by id
}

type countedKey struct {
	interval int64
	value    string
}

func (c *counting) chunk(ctx context.Context, p *part, w *where, s span) error {
	cond, err := c.l.chosen(ctx, p, w, s)
	if err != nil {
		return err
	}
	interval := "0"
	if c.every > 0 {
		interval = fmt.Sprintf("((r.id >> %d) + %d) / %d", counterBits, p.day*dayMillis, c.every)
	}
	type counted struct{ interval, id, n int64 }
	var list []counted
	err = all(ctx, p.read, func(r *sql.Rows) error {
		var one counted
		err := r.Scan(&one.interval, &one.id, &one.n)
		list = append(list, one)
		return err
	}, "SELECT "+interval+", "+c.column+", count(*) "+fromRows+"WHERE "+cond+" AND r.id >= ? AND r.id < ? GROUP BY 1, 2", s.low, s.high)
	if err != nil {
		return err
	}
	if c.part != p {
		c.part, c.known = p, map[int64]string{}
	}
	for _, one := range list {
		value, ok := c.known[one.id]
		if !ok {
			if value, err = c.value(ctx, p, one.id); err != nil {
				return err
			}
			c.known[one.id] = value
		}
		c.sums[countedKey{one.interval, value}] += one.n
	}
	return nil
}

// countedBy returns the column that a query's field is grouped by, and what a value of it is called.
func countedBy(q reqlog.CountQuery) (value func(context.Context, *part, int64) (string, error), column string, err error) {
	if q.Field == reqlog.FieldMeta && q.Key != "" {
		return func(ctx context.Context, p *part, id int64) (string, error) { return p.metaValue(ctx, id, q.Key) }, "r.meta", nil
	}
	if of := shapeValue(q.Field); of != nil {
		return func(ctx context.Context, p *part, id int64) (string, error) {
			e, err := p.shapeEntry(ctx, id)
			if err != nil {
				return "", err
			}
			return of(&e), nil
		}, "r.shape", nil
	}
	if c, ok := columnOf(q.Field); ok {
		return func(ctx context.Context, p *part, id int64) (string, error) {
			if id == spilled {
				return reqlog.OtherValue, nil
			}
			return p.resolve(ctx, id)
		}, "s." + c.name, nil
	}
	return nil, "", &sluice.Error{Kind: sluice.KindInvalid, Field: "field", Msg: fmt.Sprintf("rows are not counted by %q", string(q.Field))}
}

// shapeValue returns how a field that is no text of its own is read off what a shape tells of an entry.
func shapeValue(f reqlog.Field) func(e *sluice.LogEntry) string {
	switch f {
	case reqlog.FieldOutcome:
		return reqlog.Outcome
	case reqlog.FieldStatus:
		return func(e *sluice.LogEntry) string { return strconv.Itoa(e.Status) }
	case reqlog.FieldStream:
		return func(e *sluice.LogEntry) string { return yesNo(e.Streamed) }
	case reqlog.FieldCache:
		return func(e *sluice.LogEntry) string { return reqlog.CacheName(e.Cache) }
	case reqlog.FieldEnding:
		return func(e *sluice.LogEntry) string { return e.Ending.String() }
	case reqlog.FieldBasis:
		return func(e *sluice.LogEntry) string { return e.Usage.Basis.String() }
	case reqlog.FieldAttempts:
		return func(e *sluice.LogEntry) string { return strconv.Itoa(len(e.Attempts)) }
	case reqlog.FieldFeedback:
		return func(e *sluice.LogEntry) string {
			if e.Feedback == 0 {
				return ""
			}
			return strconv.Itoa(int(e.Feedback))
		}
	}
	return nil
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// shapeEntry makes an entry of what a shape tells by number.
func (p *part) shapeEntry(ctx context.Context, id int64) (e sluice.LogEntry, err error) {
	var flags, attempts int64
	err = p.read.QueryRowContext(ctx, "SELECT flags, ifnull(status, 0), attempts FROM shapes WHERE id = ?", id).Scan(&flags, &e.Status, &attempts)
	if err != nil {
		return e, fmt.Errorf("shape %d: %w", id, err)
	}
	e.Success, e.Streamed = flags&flagSuccess != 0, flags&flagStreamed != 0
	e.Cache, e.Ending = sluice.CacheStatus(flags>>shiftCache&3), sluice.Ending(flags>>shiftEnding&15)
	e.Usage.Basis, e.Feedback = sluice.Basis(flags>>shiftBasis&7), int8(flags>>shiftFeedback&3)-1
	e.Attempts = make([]sluice.Attempt, attempts)
	return e, nil
}

// metaValue returns the value that a metadata object has for a key.
func (p *part) metaValue(ctx context.Context, id int64, key string) (string, error) {
	if id == spilled {
		return reqlog.OtherValue, nil
	}
	text, err := p.resolve(ctx, id)
	if err != nil {
		return "", err
	}
	meta, err := readMeta(text)
	if err != nil {
		return "", err
	}
	value, _ := reqlog.MetaOf(&sluice.LogEntry{Metadata: meta}, key)
	return value, nil
}

// Extremes implements reqlog.Store.
func (x *Index) Extremes(ctx context.Context, q reqlog.Query) (reqlog.Extremes, error) {
	q.Order, q.Desc, q.Limit, q.Offset, q.Cursor, q.Back = reqlog.OrderTime, true, 1, 0, "", false
	l, err := x.newListing(q)
	if err != nil {
		return reqlog.Extremes{}, err
	}
	fields := [...]reqlog.Field{reqlog.FieldCost, reqlog.FieldDuration, reqlog.FieldTokensIn, reqlog.FieldTokensOut, reqlog.FieldTokens}
	var columns []string
	for _, f := range fields {
		column := numberColumn(f, 0)
		columns = append(columns, "min("+column+")", "max("+column+")")
	}
	var found [len(fields)]reqlog.Span[int64]
	err = l.scanChunks(ctx, func(p *part, w *where, c span) error {
		cond, err := l.chosen(ctx, p, w, c)
		if err != nil {
			return err
		}
		var bounds [2 * len(fields)]sql.NullInt64
		into := make([]any, len(bounds))
		for i := range bounds {
			into[i] = &bounds[i]
		}
		text := "SELECT " + strings.Join(columns, ", ") + " " + fromRows + "WHERE " + cond + " AND r.id >= ? AND r.id < ?"
		if err := p.read.QueryRowContext(ctx, text, c.low, c.high).Scan(into...); err != nil {
			return err
		}
		for i := range found {
			if low, high := bounds[2*i], bounds[2*i+1]; low.Valid {
				f := &found[i]
				if !f.Known {
					*f = reqlog.Span[int64]{Least: low.Int64, Greatest: high.Int64, Known: true}
				}
				f.Least, f.Greatest = min(f.Least, low.Int64), max(f.Greatest, high.Int64)
			}
		}
		return nil
	})
	if err != nil {
		return reqlog.Extremes{}, fmt.Errorf("look for extremes: %w", err)
	}
	cost, duration := found[0], found[1]
	return reqlog.Extremes{
		Cost:     reqlog.Span[sluice.NanoUSD]{Least: sluice.NanoUSD(cost.Least), Greatest: sluice.NanoUSD(cost.Greatest), Known: cost.Known},
		Duration: reqlog.Span[time.Duration]{Least: micros(duration.Least), Greatest: micros(duration.Greatest), Known: duration.Known},
		TokensIn: found[2], TokensOut: found[3], Tokens: found[4], Partial: l.partial,
	}, nil
}
