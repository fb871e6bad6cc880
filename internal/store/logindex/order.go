package logindex

import (
	"cmp"
	"container/heap"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// maxOrdered is how far an order other than by time goes.
const maxOrdered = 1000

// maxRankChunk is shorter than maxChunk, since a chunk's rows are all in memory here.
const maxRankChunk = 60 * minuteMillis

// orderColumn is what rows are compared by; text: it holds ids of texts.
func orderColumn(o reqlog.Order) (column string, text, ok bool) {
	switch o {
	case reqlog.OrderDuration:
		return "r.duration", false, true
	case reqlog.OrderTokensIn:
		return "r.tokens_in", false, true
	case reqlog.OrderTokensOut:
		return "r.tokens_out", false, true
	case reqlog.OrderCost:
		return "r.cost", false, true
	case reqlog.OrderSuccess:
		return "(s.flags & 1)", false, true
	case reqlog.OrderCached:
		return numberColumn(reqlog.FieldCached, 0), false, true
	case reqlog.OrderProvider:
		return "s.provider", true, true
	case reqlog.OrderModel:
		return "s.model", true, true
	case reqlog.OrderEndpoint:
		return "s.endpoint", true, true
	case reqlog.OrderFeedback:
		return numberColumn(reqlog.FieldFeedback, 0), false, true
	}
	return "", false, false
}

// ranked is a row with what it is compared by. Unknown values come last in both directions, and newer
// rows first among equals.
type ranked struct {
	at      place
	number  int64
	text    string
	unknown bool
}

// ranking is a heap of the best rows, the worst on top.
type ranking struct {
	list []ranked
	desc bool
}

func (r *ranking) compare(a, b ranked) int {
	if a.unknown != b.unknown {
		if a.unknown {
			return 1
		}
		return -1
	}
	order := cmp.Or(cmp.Compare(a.number, b.number), strings.Compare(a.text, b.text))
	if r.desc {
		order = -order
	}
	return cmp.Or(order, cmp.Compare(b.at.day, a.at.day), cmp.Compare(b.at.row, a.at.row))
}

func (r *ranking) Len() int           { return len(r.list) }
func (r *ranking) Less(i, j int) bool { return r.compare(r.list[i], r.list[j]) > 0 }
func (r *ranking) Swap(i, j int)      { r.list[i], r.list[j] = r.list[j], r.list[i] }
func (r *ranking) Push(v any)         { r.list = append(r.list, v.(ranked)) }
func (r *ranking) Pop() any {
	last := r.list[len(r.list)-1]
	r.list = r.list[:len(r.list)-1]
	return last
}

func (r *ranking) full() bool { return len(r.list) == maxOrdered }

// wants reports whether a would be among the best.
func (r *ranking) wants(a ranked) bool { return !r.full() || r.compare(a, r.list[0]) < 0 }

func (r *ranking) add(a ranked) {
	if r.full() {
		r.list[0] = a
		heap.Fix(r, 0)
		return
	}
	heap.Push(r, a)
}

// bar returns the condition that a row must meet to be wanted by a full ranking of numbers.
func (r *ranking) bar(column string, text bool) string {
	if !r.full() || text || r.list[0].unknown {
		return "1"
	}
	if r.desc {
		return fmt.Sprintf("%s >= %d", column, r.list[0].number)
	}
	return fmt.Sprintf("%s <= %d", column, r.list[0].number)
}

// ordered lists the first rows of the range in an order other than by time. It looks at all rows of the
// range, newest first, as far as its time goes.
func (l *listing) ordered(ctx context.Context) (reqlog.Page, error) {
	page := reqlog.Page{Total: -1}
	r := &ranking{desc: l.q.Desc}
	var seen int64
	l.desc = true
	days := l.x.dayList()
	slices.Reverse(days)
	for _, d := range days {
		if !d.file || d.day < l.from.day || d.day > l.to.day || l.done(ctx) {
			continue
		}
		err := l.x.with(ctx, d.day, func(p *part) error {
			n, err := l.rankDay(ctx, p, r)
			seen += n
			return err
		})
		if err != nil {
			return page, fmt.Errorf("list: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return page, err
	}
	slices.SortFunc(r.list, r.compare)
	page.Partial = l.partial
	if !l.partial {
		page.Total, page.TotalExact = seen, true
	}
	first := min(l.offset+int(min(l.skip, maxOrdered)), len(r.list))
	last := min(first+l.q.Limit, len(r.list))
	for _, one := range r.list[first:last] {
		if err := l.fetch(ctx, one.at, &page); err != nil {
			return page, err
		}
	}
	if last < len(r.list) {
		page.Next = offsetCursor(last)
	}
	if first > 0 {
		page.Prev = offsetCursor(max(first-l.q.Limit, 0))
	}
	return page, nil
}

// fetch adds a row to the page, unless it has been removed meanwhile.
func (l *listing) fetch(ctx context.Context, at place, page *reqlog.Page) error {
	return l.x.with(ctx, at.day, func(p *part) error {
		raw, err := p.readRaw(ctx, &where{}, span{at.row, at.row + 1}, false, 1, 0)
		if err != nil || len(raw) == 0 {
			return err
		}
		var row reqlog.Row
		err = raw[0].decode(p.lookup(ctx), &row)
		page.Rows = append(page.Rows, row)
		return err
	})
}

// rankDay looks at a day's rows, and returns how many passed the filter.
func (l *listing) rankDay(ctx context.Context, p *part, r *ranking) (seen int64, err error) {
	w, err := p.compile(ctx, &l.q, l.conds)
	if err != nil || w.none {
		return 0, err
	}
	low, high := l.bounds(p.day)
	err = p.eachSpan(ctx, &l.q, w, span{low, high}, true, func(s span) (bool, error) {
		for s.low < s.high && !l.done(ctx) {
			c := s.chunk(l.width<<counterBits, true)
			start := time.Now()
			n, err := l.rankChunk(ctx, p, w, c, r)
			if err != nil {
				return false, err
			}
			seen += n
			l.adapt(time.Since(start), maxRankChunk)
			s.high = c.low
		}
		return !l.done(ctx), nil
	})
	return seen, err
}

// rankChunk ranks the rows of a chunk. Rows below the bar are only counted.
func (l *listing) rankChunk(ctx context.Context, p *part, w *where, c span, r *ranking) (seen int64, err error) {
	column, text, _ := orderColumn(l.q.Order)
	asked := len(w.after) > 0 || len(w.spill) > 0
	bar := r.bar(column, text)
	if asked {
		bar = "1" // each row must be looked at anyway
	} else if bar != "1" {
		err := all(ctx, p.read, func(rows *sql.Rows) error { return rows.Scan(&seen) },
			"SELECT count(*) "+fromRows+"WHERE "+w.text()+" AND r.id >= ? AND r.id < ?", c.low, c.high)
		if err != nil {
			return 0, err
		}
	}
	type found struct {
		id int64
		by sql.NullInt64
	}
	var list []found
	err = all(ctx, p.read, func(rows *sql.Rows) error {
		var f found
		err := rows.Scan(&f.id, &f.by)
		list = append(list, f)
		return err
	}, "SELECT r.id, "+column+" "+fromRows+"WHERE "+w.text()+" AND "+bar+" AND r.id >= ? AND r.id < ? ORDER BY r.id DESC", c.low, c.high)
	if err != nil {
		return 0, err
	}
	passed := int64(0)
	for _, f := range list {
		a := ranked{at: place{p.day, f.id}, number: f.by.Int64, unknown: !f.by.Valid}
		ok, err := l.rank(ctx, p, w, a, text, asked, r)
		if err != nil {
			return 0, err
		}
		passed += count(ok)
	}
	if bar == "1" {
		seen = passed
	}
	return seen, nil
}

// rank puts one row into the ranking if it passes and is wanted, and reports whether it passed.
func (l *listing) rank(ctx context.Context, p *part, w *where, a ranked, text, asked bool, r *ranking) (bool, error) {
	var raw []stored
	var into reqlog.Row
	var err error
	if asked || text && a.number == spilled {
		if raw, err = p.readRaw(ctx, &where{}, span{a.at.row, a.at.row + 1}, false, 1, 0); err != nil || len(raw) == 0 {
			return false, err
		}
		if err := raw[0].decode(p.lookup(ctx), &into); err != nil {
			return false, err
		}
		if ok, err := l.passes(ctx, p, w, &raw[0], &into); err != nil || !ok {
			return false, err
		}
	}
	if text {
		id := a.number
		a.number = 0
		if id == spilled {
			switch l.q.Order {
			case reqlog.OrderModel:
				a.text = into.Entry.Model
			case reqlog.OrderEndpoint:
				a.text = into.Entry.Endpoint
			default:
				a.text = into.Entry.Provider
			}
		} else if a.text, err = p.resolve(ctx, id); err != nil {
			return false, err
		}
	}
	if l.q.Order == reqlog.OrderEndpoint && l.q.By != nil {
		a.text = l.q.By(a.text)
	}
	if r.wants(a) {
		r.add(a)
	}
	return true, nil
}
