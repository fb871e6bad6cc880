package logindex

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	scanTime  = 2 * time.Second        // what one listing may take before it answers in part
	slowChunk = 100 * time.Millisecond // a read transaction aims below this
	fastChunk = 20 * time.Millisecond
	maxChunk  = 4 * 60 * minuteMillis // of a filtered walk: where nights are empty, mornings may be full
	maxLimit  = 1000
	rawBatch  = 256 // rows that are read before they are looked at one by one
)

// place is a boundary between rows: before the row of that number.
type place struct{ day, row int64 }

func (a place) less(b place) bool { return a.day < b.day || a.day == b.day && a.row < b.row }

const (
	cursorPlace  = 1
	cursorOffset = 2
)

// cursor writes the place where a listing goes on: the boundary serves both directions.
func (a place) cursor() string {
	b := binary.AppendUvarint([]byte{cursorPlace}, uint64(a.day))
	return base64.RawURLEncoding.EncodeToString(binary.AppendUvarint(b, uint64(a.row)))
}

func offsetCursor(n int) string {
	return base64.RawURLEncoding.EncodeToString(binary.AppendUvarint([]byte{cursorOffset}, uint64(n)))
}

// readCursor reads a cursor of either kind.
func readCursor(s string) (kind byte, a place, offset int, err error) {
	bad := &sluice.Error{Kind: sluice.KindInvalid, Field: "cursor", Msg: "this cursor was not made here", Hint: "leave it out to begin anew"}
	b, e := base64.RawURLEncoding.DecodeString(s)
	if e != nil || len(b) < 2 {
		return 0, a, 0, bad
	}
	r := cellReader{left: b[1:]}
	first := r.unsigned()
	switch b[0] {
	case cursorPlace:
		row := r.unsigned()
		if r.bad || len(r.left) > 0 || first > lastDay+1 || row > dayMillis<<counterBits {
			return 0, a, 0, bad
		}
		return cursorPlace, place{int64(first), int64(row)}, 0, nil
	case cursorOffset:
		if r.bad || len(r.left) > 0 || first > maxLimit {
			return 0, a, 0, bad
		}
		return cursorOffset, a, int(first), nil
	}
	return 0, a, 0, bad
}

// listing is one call of List.
type listing struct {
	x     *Index
	q     reqlog.Query
	conds []reqlog.Cond
	desc  bool  // the direction of the walk
	from  place // first boundary of the range
	to    place // last boundary
	end   time.Time

	offset int   // of an ordered listing
	skip   int64 // rows still to be left out
	rows   []reqlog.Row
	each   func(*reqlog.Row) error // takes the rows in place of a page; nil: there is a page
	more   bool                    // a row after the page was seen
	// at is where the walk stands; partial: it ran out of time there.
	at      place
	partial bool
	width   int64 // of a chunk, in milliseconds

	sealed int            // days that the walk has come to
	having map[int64]bool // sealed days that can have rows; nil: any
}

// List implements reqlog.Store.
func (x *Index) List(ctx context.Context, q reqlog.Query) (reqlog.Page, error) {
	l, err := x.newListing(q)
	if err != nil {
		return reqlog.Page{}, err
	}
	if q.Order != reqlog.OrderTime {
		return l.ordered(ctx)
	}
	if err := l.walk(ctx); err != nil {
		return reqlog.Page{}, fmt.Errorf("list: %w", err)
	}
	return l.page(ctx)
}

func (x *Index) newListing(q reqlog.Query) (*listing, error) {
	if q.Limit < 1 || q.Limit > maxLimit {
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Field: "limit", Msg: fmt.Sprintf("the limit is 1 to %d", maxLimit)}
	}
	if _, _, ok := orderColumn(q.Order); !ok && q.Order != reqlog.OrderTime {
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Field: "order_by", Msg: "there is no such order"}
	}
	now := time.Now()
	conds, err := q.Filter.Compile(now)
	if err != nil {
		return nil, err
	}
	l := &listing{
		x: x, q: q, conds: conds, desc: q.Desc != q.Back, skip: q.Offset,
		to: place{lastDay + 1, 0}, end: now.Add(scanTime), width: 2 * minuteMillis,
	}
	l.bound(q)
	if q.Cursor == "" {
		return l, nil
	}
	kind, a, offset, err := readCursor(q.Cursor)
	if err != nil {
		return nil, err
	}
	if (kind == cursorOffset) != (q.Order != reqlog.OrderTime) {
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Field: "cursor", Msg: "this cursor belongs to another order"}
	}
	l.offset, l.skip = offset, 0
	if kind == cursorPlace {
		if l.desc && a.less(l.to) {
			l.to = a
		} else if !l.desc && l.from.less(a) {
			l.from = a
		}
	}
	return l, nil
}

// bound sets the range from the query and from conditions on the time, which spares whole files.
func (l *listing) bound(q reqlog.Query) {
	low, high := int64(0), int64(math.MaxInt64) // both included
	if !q.From.IsZero() {
		low = ceilMilli(q.From)
	}
	if !q.To.IsZero() {
		high = ceilMilli(q.To) - 1
	}
	for i := range l.conds {
		c := &l.conds[i]
		if c.Not || c.Field != reqlog.FieldCreated && c.Field != reqlog.FieldRange && c.Form != reqlog.FormID {
			continue
		}
		least, most := int64(math.MaxInt64), int64(math.MinInt64)
		for _, r := range c.Ranges {
			least, most = min(least, r.Lo), max(most, r.Hi)
		}
		for _, id := range c.IDs {
			least, most = min(least, id.Milli()), max(most, id.Milli())
		}
		low, high = max(low, least), min(high, most)
	}
	l.from = placeAt(low)
	if high < math.MaxInt64 {
		l.to = placeAt(high + 1)
	}
}

// ceilMilli returns the first whole millisecond that is not before t.
func ceilMilli(t time.Time) int64 {
	n := t.UnixMilli()
	if time.UnixMilli(n).Before(t) {
		n++
	}
	return n
}

// placeAt returns the boundary before a unix millisecond.
func placeAt(milli int64) place {
	milli = min(max(milli, 0), (lastDay+1)*dayMillis)
	return place{milli / dayMillis, milli % dayMillis << counterBits}
}

// walk goes through the days in the listing's direction until the page is full.
func (l *listing) walk(ctx context.Context) error {
	l.at = l.from
	days := l.x.dayList()
	if l.desc {
		l.at = l.to
		slices.Reverse(days)
	}
	for _, d := range days {
		if !d.file || d.day < l.from.day || d.day > l.to.day || l.from == l.to {
			continue
		}
		if l.done(ctx) {
			return ctx.Err()
		}
		if in, err := l.mayHave(ctx, d, days); err != nil || !in {
			if err != nil {
				return err
			}
			continue
		}
		err := l.x.with(ctx, d.day, func(p *part) error { return l.day(ctx, p, d) })
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// mayHave reports whether a day can have rows of the listing. The copies are asked once a second sealed day
// would have to be opened, which takes longer than asking.
func (l *listing) mayHave(ctx context.Context, d dayInfo, days []dayInfo) (bool, error) {
	if !d.sealed || len(l.conds) == 0 {
		return true, nil
	}
	if l.sealed++; l.sealed == 1 {
		return true, nil
	}
	if l.sealed == 2 {
		var err error
		if l.having, err = l.x.daysHaving(ctx, l, days); err != nil {
			return false, err
		}
	}
	return l.having == nil || l.having[d.day], nil
}

// done reports whether the walk must stop: the page is full, or the time is up.
func (l *listing) done(ctx context.Context) bool {
	if l.more || l.partial {
		return true
	}
	if ctx.Err() != nil || time.Now().After(l.end) {
		l.partial = true
	}
	return l.partial
}

// bounds returns the listing's range within a day.
func (l *listing) bounds(day int64) (low, high int64) {
	low, high = 0, dayMillis<<counterBits
	if day == l.from.day {
		low = l.from.row
	}
	if day == l.to.day {
		high = l.to.row
	}
	return low, high
}

func (l *listing) day(ctx context.Context, p *part, d dayInfo) error {
	w, err := p.compile(ctx, &l.q, l.conds)
	if err != nil || w.none {
		return err
	}
	low, high := l.bounds(p.day)
	if l.skip > 0 && len(l.conds) == 0 {
		if low, high, err = l.skipHours(ctx, p, d, low, high); err != nil {
			return err
		}
	}
	return p.eachSpan(ctx, &l.q, w, span{low, high}, l.desc, func(s span) (bool, error) {
		err := l.scan(ctx, p, w, s)
		return !l.done(ctx), err
	})
}

// scan goes through one span, chunk by chunk: a read transaction must not last, since nothing that was
// written after its beginning can leave the write-ahead log.
func (l *listing) scan(ctx context.Context, p *part, w *where, s span) error {
	filtered := len(w.and) > 1 || len(w.and) == 1 && !w.narrow || len(w.after) > 0 || l.skip > 0
	for s.low < s.high && !l.done(ctx) {
		c := s
		if filtered {
			c = s.chunk(l.width<<counterBits, l.desc)
		}
		start := time.Now()
		if err := l.chunk(ctx, p, w, c); err != nil {
			return err
		}
		l.adapt(time.Since(start), maxChunk)
		if l.desc {
			s.high = c.low
		} else {
			s.low = c.high
		}
	}
	return nil
}

// adapt makes the coming chunks longer or shorter, by what the last one took.
func (l *listing) adapt(took time.Duration, most int64) {
	if took < fastChunk {
		l.width = min(2*l.width, most)
	} else if took > slowChunk {
		l.width = max(l.width/2, 1000)
	}
}

// chunk reads one chunk in batches.
func (l *listing) chunk(ctx context.Context, p *part, w *where, c span) error {
	for c.low < c.high && !l.done(ctx) {
		limit := min(l.q.Limit+1-len(l.rows), rawBatch)
		if len(w.after) > 0 || l.skip > 0 {
			limit = rawBatch
		}
		bare := 0
		if len(w.after) == 0 && len(w.spill) == 0 {
			bare = int(min(l.skip, rawBatch))
		}
		raw, err := p.readRaw(ctx, w, c, l.desc, limit, bare)
		if err != nil {
			return err
		}
		for i := range raw {
			if err := l.take(ctx, p, w, &raw[i]); err != nil {
				return err
			}
			if l.more {
				return nil
			}
		}
		if len(raw) == limit {
			c = c.behind(raw[limit-1].id, l.desc)
		} else {
			c = span{c.high, c.high}
			if l.desc {
				c = span{c.low, c.low}
			}
		}
		l.at = place{p.day, c.low}
		if l.desc {
			l.at = place{p.day, c.high}
		}
	}
	return nil
}

// readRaw reads rows without looking at them, and the data of all but the first bare ones.
func (p *part) readRaw(ctx context.Context, w *where, c span, desc bool, limit, bare int) ([]stored, error) {
	direction := "ASC"
	if desc {
		direction = "DESC"
	}
	var raw []stored
	// One transaction: a row and its data may go in between.
	tx, err := p.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("rows of %s: %w", dayName(p.day), err)
	}
	defer func() { _ = tx.Rollback() }()
	err = all(ctx, tx, func(r *sql.Rows) error {
		raw = append(raw, stored{})
		return r.Scan(raw[len(raw)-1].scan()...)
	}, findText+w.text()+" AND r.id >= ? AND r.id < ? ORDER BY r.id "+direction+" LIMIT ?", c.low, c.high, limit)
	if err == nil && len(raw) > bare {
		err = readMore(ctx, tx, raw[bare:])
	}
	if err != nil {
		return nil, fmt.Errorf("rows of %s: %w", dayName(p.day), err)
	}
	return raw, nil
}

// readMore reads the data of rows.
func readMore(ctx context.Context, q querier, raw []stored) error {
	var ids []int64
	for i := range raw {
		if id := raw[i].more / morePlaces; len(ids) == 0 || ids[len(ids)-1] != id {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	data := map[int64][]byte{}
	err := all(ctx, q, func(r *sql.Rows) error {
		var id int64
		var b []byte
		err := r.Scan(&id, &b)
		data[id] = b
		return err
	}, "SELECT m.id, m.data FROM more m WHERE "+in("m.id", slices.Compact(ids)))
	for i := range raw {
		raw[i].data = fromMore(data[raw[i].more/morePlaces], raw[i].more%morePlaces)
	}
	return err
}

// take looks at one row: whether it passes, is to be skipped, or belongs to the page.
func (l *listing) take(ctx context.Context, p *part, w *where, r *stored) error {
	var into reqlog.Row
	ok, err := l.passes(ctx, p, w, r, &into)
	if err != nil || !ok {
		return err
	}
	if l.skip > 0 {
		l.skip--
		return nil
	}
	if l.each != nil {
		if into.Entry.ID.IsZero() {
			if err := r.decode(p.lookup(ctx), &into); err != nil {
				return err
			}
		}
		return l.each(&into)
	}
	if len(l.rows) == l.q.Limit {
		l.more = true
		return nil
	}
	if into.Entry.ID.IsZero() {
		err = r.decode(p.lookup(ctx), &into)
	}
	l.rows = append(l.rows, into)
	return err
}

// passes asks what columns could not answer. It decodes the row only where it must.
func (l *listing) passes(ctx context.Context, p *part, w *where, r *stored, into *reqlog.Row) (bool, error) {
	conds := w.after
	spill := len(w.spill) > 0 && r.flags&flagSpilled != 0
	if len(conds) == 0 && !spill {
		return true, nil
	}
	if err := r.decode(p.lookup(ctx), into); err != nil {
		return false, err
	}
	return reqlog.MatchAll(conds, &into.Entry) && (!spill || reqlog.MatchAll(w.spill, &into.Entry)), nil
}

// lookup finds what rows refer to through the readers' connections.
func (p *part) lookup(ctx context.Context) lookup {
	return lookup{
		text: func(id int64) (string, error) { return p.resolve(ctx, id) },
		base: func(id int64) (*reqlog.Base, error) { return p.readBases.get(ctx, p.read, id) },
	}
}

func (p *part) resolve(ctx context.Context, id int64) (string, error) {
	return p.names.get(ctx, p.file, id)
}

// page makes the answer of what the walk has found.
func (l *listing) page(ctx context.Context) (reqlog.Page, error) {
	page := reqlog.Page{Rows: l.rows, Total: -1, Partial: l.partial}
	whole := !l.more && !l.partial && l.q.Cursor == "" && l.q.Offset == 0
	if l.q.Back {
		slices.Reverse(page.Rows)
	}
	l.cursors(&page)
	if len(l.conds) == 0 {
		n, err := l.x.count(ctx, &l.q)
		if err != nil {
			return page, fmt.Errorf("count: %w", err)
		}
		page.Total, page.TotalExact = n, true
	} else if whole {
		page.Total, page.TotalExact = int64(len(l.rows)), true
	}
	return page, nil
}

// cursors sets where the page before and the page after begin.
func (l *listing) cursors(page *reqlog.Page) {
	after := l.at
	if n := len(page.Rows); n > 0 {
		after = l.boundary(page.Rows[n-1].Entry.ID, false)
		page.Prev = l.boundary(page.Rows[0].Entry.ID, true).cursor()
	}
	switch {
	case l.q.Back:
		page.Next = after.cursor()
		if l.partial {
			page.Prev = l.at.cursor()
		} else if !l.more {
			page.Prev = ""
		}
	case l.partial:
		page.Next = l.at.cursor()
	case l.more:
		page.Next = after.cursor()
	}
	if l.q.Cursor == "" && l.q.Offset == 0 {
		page.Prev = ""
	}
}

// boundary returns the boundary on one side of a row, as the page is read.
func (l *listing) boundary(id sluice.ID, before bool) place {
	a := place{dayOf(id), rowOf(id)}
	if before == l.q.Desc {
		a.row++
	}
	return a
}

// Get implements reqlog.Store.
func (x *Index) Get(ctx context.Context, account string, id sluice.ID) (reqlog.Row, error) {
	missing := &sluice.Error{Kind: sluice.KindNotFound, Msg: "no such log entry"}
	var found reqlog.Row
	ok := false
	err := x.with(ctx, dayOf(id), func(p *part) error {
		raw, err := p.readRaw(ctx, &where{}, span{rowOf(id), rowOf(id) + 1}, false, 1, 0)
		if err != nil || len(raw) == 0 {
			return err
		}
		ok = true
		return raw[0].decode(p.lookup(ctx), &found)
	})
	if err != nil {
		return reqlog.Row{}, fmt.Errorf("get %s: %w", id, err)
	}
	if !ok || found.Entry.Account != account || found.Entry.ID.WithAttempt(0) != id.WithAttempt(0) {
		return reqlog.Row{}, missing
	}
	return found, nil
}
