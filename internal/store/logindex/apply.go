package logindex

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// Resume implements reqlog.Index.
func (x *Index) Resume(context.Context) (reqlog.Pos, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var safe reqlog.Pos
	for _, d := range x.days {
		if safe.Less(d.safe) {
			safe = d.safe
		}
	}
	return safe, nil
}

// Apply implements reqlog.Index.
//
// Each day's file remembers up to where it has applied, so records can come again. What may be
// forgotten by the caller is told by the leader, a file that is committed last: its position is safe
// everywhere, and what other files must hold for that is on disk before.
func (x *Index) Apply(ctx context.Context, records []reqlog.Record, next reqlog.Pos) error {
	x.write.Lock()
	defer x.write.Unlock()
	if x.closed {
		return errClosed
	}
	byDay := x.split(ctx, records)
	if len(byDay) == 0 {
		return nil
	}
	days := make([]int64, 0, len(byDay))
	for day := range byDay {
		days = append(days, day)
	}
	slices.Sort(days)
	leader := x.leader
	if _, ok := byDay[leader]; !ok {
		leader = days[len(days)-1]
	}
	if x.leader != leader && x.leader != noDay {
		if err := x.harden(ctx, x.leader); err != nil {
			return err
		}
	}
	for _, day := range days {
		if day == leader {
			continue
		}
		if err := x.applyDay(ctx, day, byDay[day], next, false); err != nil {
			return err
		}
	}
	if err := x.applyDay(ctx, leader, byDay[leader], next, true); err != nil {
		return err
	}
	x.leader = leader
	return nil
}

// split sorts records by day, leaving out what has no usable id.
func (x *Index) split(ctx context.Context, records []reqlog.Record) map[int64][]*reqlog.Record {
	byDay := map[int64][]*reqlog.Record{}
	for i := range records {
		r := &records[i]
		if day := dayOf(r.Entry.ID); !r.Entry.ID.IsZero() && day <= lastDay {
			byDay[day] = append(byDay[day], r)
		} else {
			x.log.WarnContext(ctx, "log record without a usable id is not indexed", slog.String("id", r.Entry.ID.String()))
		}
	}
	return byDay
}

// harden puts on disk what a file has committed.
func (x *Index) harden(ctx context.Context, day int64) error {
	p, err := x.acquire(ctx, day, false)
	if err != nil || p == nil {
		return err
	}
	defer x.release(p)
	if err := p.durable(ctx, true); err != nil {
		return err
	}
	return p.tx(ctx, func() error { return p.saveState(ctx, p.state) })
}

// applyDay applies one day's records in one transaction.
func (x *Index) applyDay(ctx context.Context, day int64, records []*reqlog.Record, next reqlog.Pos, leads bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d, ok := x.info(day); ok && !d.file && allBefore(records, d.applied) {
		return nil // a removed day is not made anew for what it has had
	}
	if err := x.unseal(ctx, day); err != nil {
		return err
	}
	p, err := x.acquire(ctx, day, true)
	if err != nil {
		return err
	}
	defer x.release(p)
	if err := p.durable(ctx, !leads); err != nil {
		return err
	}
	b := newBatch(p, x.metadata, x.log)
	if p.state.applied.Less(next) {
		b.state.applied = next
	}
	if leads {
		b.state.safe = next
	}
	err = p.tx(ctx, func() error { return b.run(context.WithoutCancel(ctx), records) })
	if err != nil {
		b.gather.undo()
		if again := p.reload(ctx); again != nil {
			x.log.ErrorContext(ctx, "log index cannot be read after a failed write", slog.Any("error", again))
		}
		return fmt.Errorf("apply to day %s: %w", dayName(day), err)
	}
	p.state = b.state
	p.lastText.Store(p.texts.last)
	b.gather.keep()
	x.note(p, time.Now())
	if p.pending.size() < maxPending {
		return nil
	}
	if err := p.flush(ctx); err != nil {
		// The records are applied all the same: their counts stand in the file, too.
		x.log.ErrorContext(ctx, "log index", slog.Any("error", err))
	}
	return nil
}

func allBefore(records []*reqlog.Record, pos reqlog.Pos) bool {
	for _, r := range records {
		if !r.Pos.Less(pos) {
			return false
		}
	}
	return true
}

// reload reads anew what a failed transaction may have changed in memory.
func (p *part) reload(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	p.bases.forget()
	p.shapes.forget()
	if err := p.loadMore(ctx); err != nil {
		return err
	}
	if err := p.texts.forget(ctx); err != nil {
		return err
	}
	return p.loadChanges(ctx)
}

// batch is one transaction of one day.
type batch struct {
	p      *part
	enc    encoder
	gather *gather
	state  state
	log    *slog.Logger
	rows   []row // to be inserted
}

func newBatch(p *part, metadata []string, log *slog.Logger) *batch {
	b := &batch{p: p, gather: p.newGather(metadata), state: p.state, log: log, rows: p.room.rows[:0]}
	b.enc = encoder{p: p, gather: b.gather, columns: columnTexts(), data: p.room.data[:0]}
	return b
}

// room is what one batch leaves to the next.
type room struct {
	rows        []row
	data, delta []byte
	more        []byte
	args        []driver.NamedValue
}

// chunks are how many rows one statement inserts: as many as possible at once, with few texts to prepare.
// Their data is kept and read together, so it must not be too many.
func chunks() [3]int { return [3]int{100, 10, 1} }

func (b *batch) run(ctx context.Context, records []*reqlog.Record) error {
	for _, r := range records {
		if r.Pos.Less(b.p.state.applied) {
			continue
		}
		var err error
		switch {
		case r.Kind == reqlog.KindOpen:
			err = b.mark(ctx, r)
		case r.Kind == reqlog.KindPatch:
			err = b.patch(ctx, r)
		case r.Kind == reqlog.KindDelete:
			err = b.erase(ctx, r)
		case r.Kind != reqlog.KindEntry:
			// A kind of a later version: there is nothing that this one could do with it.
		case r.CountOnly:
			err = b.countOnly(ctx, r)
		default:
			err = b.entry(ctx, r)
		}
		if err != nil {
			return err
		}
	}
	if err := b.insert(ctx); err != nil {
		return err
	}
	return b.finish(ctx)
}

// finish writes what the transaction has counted, and where the file is.
func (b *batch) finish(ctx context.Context) error {
	if len(b.gather.kinds) > 0 || len(b.gather.cells) > 0 {
		room := &b.p.room
		room.delta = appendDelta(room.delta[:0], b.gather.kinds, b.gather.cells)
		if err := b.p.exec(ctx, "INSERT INTO pending (delta) VALUES (?)", room.delta); err != nil {
			return err
		}
	}
	return b.p.saveState(ctx, b.state)
}

// mark keeps an open mark, unless its exchange has ended.
func (b *batch) mark(ctx context.Context, r *reqlog.Record) error {
	if err := b.insert(ctx); err != nil {
		return err
	}
	id := rowOf(r.Entry.ID)
	if _, found, err := b.p.find(ctx, id); err != nil || found {
		return err
	}
	entry := string(reqlog.AppendEntry(nil, &r.Entry))
	data := appendData(nil, numberedBase{0, b.p.bases.empty}, entry, &r.Parts, false)
	if err := b.p.exec(ctx, "INSERT OR REPLACE INTO open VALUES (?, ?)", id, data); err != nil {
		return err
	}
	b.p.open[id] = struct{}{}
	return nil
}

// unmark removes the open mark of an exchange that has ended.
func (b *batch) unmark(ctx context.Context, id int64) error {
	if _, ok := b.p.open[id]; !ok {
		return nil
	}
	if err := b.p.exec(ctx, "DELETE FROM open WHERE id = ?", id); err != nil {
		return err
	}
	delete(b.p.open, id)
	return nil
}

func (b *batch) countOnly(ctx context.Context, r *reqlog.Record) error {
	if err := b.insert(ctx); err != nil {
		return err
	}
	id := rowOf(r.Entry.ID)
	if err := b.unmark(ctx, id); err != nil {
		return err
	}
	if _, found, err := b.p.find(ctx, id); err != nil || found {
		return err // the row has been counted
	}
	if erased, err := b.p.isErased(ctx, id); err != nil || erased {
		return err // as has a deleted one
	}
	if r.Erased {
		if err := b.noteErased(ctx, id); err != nil {
			return err
		}
	}
	return b.gather.entry(ctx, &r.Entry, 1, false)
}

func (b *batch) entry(ctx context.Context, r *reqlog.Record) error {
	id := rowOf(r.Entry.ID)
	if err := b.unmark(ctx, id); err != nil {
		return err
	}
	if erased, err := b.p.isErased(ctx, id); err != nil || erased {
		return err
	}
	if err := b.p.repatch(ctx, id, r); err != nil {
		return err
	}
	row, err := b.enc.encode(ctx, r)
	b.rows = append(b.rows, row)
	return err
}

// insert writes the gathered rows, in the order that they lie in: what ended one after another began in
// another order. Nearly always all are new, and one statement does; when a place is taken, they go one by one.
func (b *batch) insert(ctx context.Context) error {
	inOrder := func(a, b row) int { return cmp.Compare(a.id, b.id) }
	if !slices.IsSortedFunc(b.rows, inOrder) {
		slices.SortStableFunc(b.rows, inOrder)
	}
	left := b.rows
	for _, n := range chunks() {
		for ; len(left) >= n; left = left[n:] {
			if err := b.insertChunk(ctx, left[:n]); err != nil {
				return err
			}
		}
	}
	clear(b.rows) // lest they keep the records' memory
	b.rows, b.enc.data = b.rows[:0], b.enc.data[:0]
	b.p.room.rows, b.p.room.data = b.rows, b.enc.data
	return nil
}

func (b *batch) insertChunk(ctx context.Context, rows []row) error {
	err := b.insertAll(ctx, rows)
	if taken(err) {
		for i := range rows {
			if err := b.insertOne(ctx, rows[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	for i := range rows {
		if err := b.gather.row(ctx, &rows[i]); err != nil {
			return err
		}
	}
	b.state.rows += int64(len(rows))
	return nil
}

func (b *batch) insertAll(ctx context.Context, rows []row) error {
	room, more := &b.p.room, b.p.lastMore+1
	args := room.values(len(rows) * rowValues)
	last := rows[0].id
	for i := range rows {
		rows[i].values(args[i*rowValues:], more*morePlaces+int64(i))
		last = max(last, rows[i].id)
	}
	if err := b.p.insert(ctx, "rows", rowValues, args); err != nil {
		return err
	}
	room.more = appendMore(room.more[:0], rows)
	args = args[:3]
	args[0].Value, args[1].Value, args[2].Value = more, last, room.more
	if err := b.p.insert(ctx, "more", len(args), args); err != nil {
		return err
	}
	b.p.lastMore = more
	return nil
}

// values returns room for n values of a statement.
func (r *room) values(n int) []driver.NamedValue {
	for i := len(r.args); i < n; i++ {
		r.args = append(r.args, driver.NamedValue{Ordinal: i + 1})
	}
	return r.args[:n]
}

// insertOne inserts one row, or puts it in the place of the one that its exchange has.
func (b *batch) insertOne(ctx context.Context, one []row) error {
	id, entry := one[0].id, &one[0].record.Entry
	old, found, err := b.p.find(ctx, id)
	if err != nil {
		return err
	}
	if found {
		if old.Entry.ID.WithAttempt(0) != entry.ID.WithAttempt(0) {
			b.log.WarnContext(ctx, "two exchanges have the same millisecond and counter: the later one is not indexed",
				slog.String("id", entry.ID.String()), slog.String("other", old.Entry.ID.String()))
			return nil
		}
		if err := b.gather.entry(ctx, &old.Entry, -1, true); err != nil {
			return err
		}
		if err := b.p.exec(ctx, "DELETE FROM rows WHERE id = ?", id); err != nil {
			return err
		}
		b.state.rows--
	}
	if err := b.insertAll(ctx, one); err != nil {
		return err
	}
	b.state.rows++
	return b.gather.row(ctx, &one[0])
}

// find reads a row on the writer's connection.
func (p *part) find(ctx context.Context, id int64) (reqlog.Row, bool, error) {
	var r stored
	var into reqlog.Row
	found, err := p.one(ctx, findText+"r.id = ?", []any{id}, r.scan()...)
	if err != nil || !found {
		return into, false, err
	}
	if _, err := p.one(ctx, "SELECT data FROM more WHERE id = ?", []any{r.more / morePlaces}, &r.data); err != nil {
		return into, false, err
	}
	r.data = fromMore(r.data, r.more%morePlaces)
	return into, true, r.decode(lookup{
		text: func(id int64) (string, error) { return p.texts.text(ctx, id) },
		base: func(id int64) (*reqlog.Base, error) { return readBase(ctx, p.conn, id) },
	}, &into)
}

// Open implements reqlog.Index.
func (x *Index) Open(ctx context.Context) ([]sluice.LogEntry, error) {
	var list []sluice.LogEntry
	for _, d := range x.dayList() {
		if d.open == 0 {
			continue
		}
		err := x.with(ctx, d.day, func(p *part) error {
			return p.openEntries(ctx, func(e *sluice.LogEntry) { list = append(list, *e) })
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
