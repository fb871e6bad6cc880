package reqlog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	sluice "github.com/sluicehq/sluice"
)

const (
	flushAfter = 10 * time.Millisecond // how long a record waits for others at most
	promise    = 50 * time.Millisecond // within which it is in a file

	maxRowsBytes   = 64 << 20 // a segment is closed at one of these
	maxBodiesBytes = 256 << 20
	maxSegmentAge  = time.Hour
	minSegment     = 1 << 20 // whatever MaxBytes says

	firstBackoff  = 20 * time.Millisecond
	mostBackoff   = 2 * time.Second
	bodiesWaitFor = 2 * time.Second // how long bodies wait for a full disk before they are dropped
	rowsWaitFor   = 6 * time.Second // how long rows do, before only their counts are kept
)

// appender is the goroutine that writes blocks to files, and does nothing else: what may keep a file
// system busy is the maker's.
type appender struct {
	log *Log
	// rollSoon asks for a new segment: the present one is not trusted, or should not grow.
	rollSoon  atomic.Bool
	wholeSize atomic.Int64 // Retention.MaxBytes, 0: no bound

	seg      *segment // nil: none is open
	rows     output
	bodies   output
	began    time.Time // when the segment's first batch was written; zero: none was
	asked    bool      // the maker knows that it will be followed
	blocks   uint64    // of rows in the segment
	records  uint64    // in the segment
	newest   int64
	deletes  bool
	nextBody uint64 // number after the last body block that was written or given up
	batch    []*block
	thinned  []byte // thin's

	lost    int // records that were given up at Close
	lastErr error
}

// output is a file that is written from its beginning to its end.
type output struct {
	room  *room  // nil: none is open
	end   int64  // what is written
	asked int64  // what room the maker was last asked for
	buf   []byte // what is written next
}

func (a *appender) init(l *Log, next uint64) {
	a.log, a.nextBody = l, next<<32
	a.wholeSize.Store(l.o.Retention.MaxBytes)
}

// run writes what comes until Close: then what is left, until ctx ends.
func (a *appender) run(ctx context.Context) {
	age := time.NewTicker(maxSegmentAge / 60)
	defer age.Stop()
	for {
		select {
		case <-a.log.ring.wake:
		case <-a.log.ring.flush.C:
		case <-age.C:
			a.sealOld()
		case <-a.log.draining:
			a.drain(ctx, true)
			_ = a.contain(func() { a.seal() })
			return
		}
		a.drain(ctx, false)
	}
}

// drain writes the blocks that were handed over or whose time has come; with all, those that are being
// filled too.
func (a *appender) drain(ctx context.Context, all bool) {
	for {
		a.batch = a.log.ring.next(a.batch, time.Now(), all)
		if len(a.batch) == 0 {
			return
		}
		a.append(ctx, a.batch)
	}
}

// append writes a batch and gives its blocks back, whatever happens. When that panics, one block is at
// fault: those that are not written yet are written one by one, and only what panics again is lost.
func (a *appender) append(ctx context.Context, batch []*block) {
	defer a.log.ring.release(batch)
	defer a.late(batch)
	if a.contain(func() { a.write(ctx, batch) }) == nil {
		return
	}
	for i, b := range batch {
		if !a.done(b) && a.contain(func() { a.write(ctx, batch[i:i+1]) }) != nil {
			a.lose(b)
		}
	}
}

// contain runs f. When it panics, nothing more is written to the present segment: its end is not known.
func (a *appender) contain(f func()) error {
	err := a.log.contain("appender", func() error { f(); return nil })
	if err != nil && a.seg != nil {
		_ = a.log.contain("appender", func() error { a.abandon(); return nil })
		a.seg = nil
	}
	return err
}

// done reports whether b is written, or given up.
func (a *appender) done(b *block) (done bool) {
	if b.kind == kindBodies {
		return b.number < a.nextBody
	}
	a.log.progress.get(func(p *progress) { done = b.last() <= p.appended })
	return done
}

// lose counts a block that cannot be written. Who waits for its records is told.
func (a *appender) lose(b *block) {
	if b.kind == kindBodies {
		a.nextBody = b.number + 1
		a.log.droppedBodies.Add(int64(b.count))
		return
	}
	a.log.droppedRows.Add(int64(b.count))
	a.log.lostCounts.Add(int64(b.count))
	a.log.progress.update(func(p *progress) {
		p.lostFrom, p.appended = Ticket(b.first), b.last()
		p.lostTo = p.appended
	})
	a.log.syncer.wrote(b.last())
}

// late counts the records of blocks that took longer than was promised. Of a block that is the age of its
// oldest record.
func (a *appender) late(batch []*block) {
	now := time.Now()
	for _, b := range batch {
		if b.kind == kindRows && now.Sub(b.born) > promise {
			a.log.lateRecords.Add(int64(b.count))
		}
	}
}

// write writes a batch, again and again until it is written or ctx ends. While a disk is full, the
// queue takes up what comes. After a while, or when the queue is half full, the batch's bodies are given
// up, and after another its rows but for their counts, which need a tenth of the room.
func (a *appender) write(ctx context.Context, batch []*block) {
	k, began, delay := &a.log.keeper, time.Now(), firstBackoff
	bodies, thin := true, false
	for {
		if bodies && k.bodiesFull.Load() {
			a.dropBodies(batch)
			bodies = false
		}
		if !thin && k.rowsFull.Load() {
			a.thin(batch)
			thin = true
		}
		err := a.try(batch, &bodies)
		if err == nil {
			a.succeeded()
			return
		}
		full := isFull(err)
		waited, pressed := time.Since(began), a.log.ring.bytes() > a.log.ring.limit/2
		switch {
		case full && bodies && (waited >= bodiesWaitFor || pressed):
			k.fullForBodies()
		case full && !bodies && (waited >= rowsWaitFor || pressed):
			k.fullForRows()
		}
		a.failed(err, full)
		if !sleep(ctx, delay) {
			a.giveUp(batch, err)
			return
		}
		delay = min(2*delay, mostBackoff)
	}
}

// thin leaves of a batch's records what counts need. An open mark keeps who and what is called.
func (a *appender) thin(batch []*block) {
	var r Record
	nowhere := func(uint64) (uint64, uint32) { return 0, 0 }
	for _, b := range batch {
		if b.kind != kindRows {
			continue
		}
		a.thinned = a.thinned[:0]
		for left := b.buf; len(left) > 0; {
			fields, rest, err := splitRecord(left)
			if err == nil {
				err = decodeRecord(string(fields), &r, nowhere)
			}
			if err != nil {
				return // cannot be: these are our own bytes
			}
			if r.Kind == KindPatch || r.Kind == KindDelete { // small, and who waits for them is told that they are kept
				a.thinned = append(a.thinned, left[:len(left)-len(rest)]...)
				left = rest
				continue
			}
			left = rest
			e := &r.Entry
			if r.Kind == KindEntry {
				if !r.CountOnly {
					a.log.droppedRows.Add(1)
				}
				a.thinned = appendRecord(a.thinned, r.Kind, e, nil, true)
				continue
			}
			mark := sluice.LogEntry{
				ID: e.ID, Start: e.Start, Account: e.Account, Gateway: e.Gateway, Provider: e.Provider, Model: e.Model,
				Endpoint: e.Endpoint, Type: e.Type, Key: e.Key, Streamed: e.Streamed, Ending: e.Ending,
			}
			a.thinned = appendRecord(a.thinned, r.Kind, &mark, nil, false)
		}
		b.buf = append(b.buf[:0], a.thinned...)
	}
}

// try writes what is left of a batch: bodies first, so that no row names what is not there. bodies is
// cleared once they are written.
func (a *appender) try(batch []*block, bodies *bool) error {
	if err := a.ready(batch); err != nil {
		return err
	}
	if *bodies {
		a.packBodies(batch)
		if err := a.bodies.write(); err != nil {
			return a.broken("bodies", err)
		}
		a.seg.bodiesEnd.Store(a.bodies.end) // now, since the rows may have to go to another segment
		*bodies = false
	}
	for _, b := range batch {
		if b.kind == kindBodies {
			a.nextBody = b.number + 1
		}
	}
	last := a.packRows(batch)
	if err := a.rows.write(); err != nil {
		return a.broken("rows", err)
	}
	a.publish(batch, last)
	return nil
}

// dropBodies counts the bodies of a batch that a full disk has no room for. Rows name them; who asks
// is told that they are not there.
func (a *appender) dropBodies(batch []*block) {
	for _, b := range batch {
		if b.kind == kindBodies {
			a.log.droppedBodies.Add(int64(b.count))
		}
	}
}

// broken says what a failed write means: on a full disk the same place can be written again; after any
// other error nothing more is written to this segment.
func (a *appender) broken(what string, err error) error {
	if !isFull(err) {
		a.abandon()
	}
	return fmt.Errorf("write %s: %w", what, err)
}

// ready sees to an open segment with room.
func (a *appender) ready(batch []*block) error {
	if a.seg != nil && (a.rollSoon.Load() || a.full()) {
		a.seal()
	}
	if a.seg != nil {
		return nil
	}
	first := a.nextBody
	for _, b := range batch {
		if b.kind == kindBodies && b.number >= a.nextBody {
			first = b.number
			break
		}
	}
	return a.open(first)
}

// limits are the sizes at which a segment is closed. Where the whole log is bounded they are small
// enough that dropping one segment does not drop most of it.
func (a *appender) limits() (rows, bodies int64) {
	rows, bodies = maxRowsBytes, maxBodiesBytes
	if whole := a.wholeSize.Load(); whole > 0 {
		most := max(whole/16, minSegment)
		rows, bodies = min(rows, most), min(bodies, most)
	}
	return rows, bodies
}

// plan says how the next segment's files are made.
func (a *appender) plan() plan {
	rows, bodies := a.limits()
	p := plan{first: [2]int64{firstRoom, firstRoom}}
	p.all = [2]int64{kindRows: rows + 2*maxBatch, kindBodies: bodies + 2*maxBatch} // the last batch passes the limit
	return p
}

// full reports whether the segment is to be closed. An empty one never is.
func (a *appender) full() bool {
	rows, bodies := a.limits()
	return !a.empty() && (a.rows.end >= rows || a.bodies.end >= bodies || time.Since(a.began) >= maxSegmentAge)
}

// ahead asks the maker for what will be needed soon: room behind what is written, and the next segment once
// the present one is half full or old. That gets as much room as this one needs, as far as can be seen.
func (a *appender) ahead() {
	a.rows.ahead(&a.log.maker, kindRows)
	a.bodies.ahead(&a.log.maker, kindBodies)
	if a.asked || a.empty() {
		return
	}
	rows, bodies := a.limits()
	if a.rows.end < rows/2 && a.bodies.end < bodies/2 && time.Since(a.began) < maxSegmentAge/2 {
		return
	}
	a.asked = true
	p := a.plan()
	for kind, end := range [...]int64{kindRows: a.rows.end, kindBodies: a.bodies.end} {
		p.first[kind] = max(p.first[kind], min(2*end, p.all[kind]))
	}
	a.log.maker.want(p)
}

// ahead asks for room when half of what was last added is used.
func (o *output) ahead(m *maker, kind blockKind) {
	end := o.room.end.Load()
	step := o.room.step(end)
	if to := min(end+step, o.room.all); o.end > end-step/2 && to > end && to > o.asked {
		o.asked = to
		m.grow(kind, o.room, to)
	}
}

// sealOld closes a segment that has grown old, and sees to the one after it.
func (a *appender) sealOld() {
	if a.seg == nil || a.empty() {
		return
	}
	a.ahead()
	if time.Since(a.began) >= maxSegmentAge || a.rollSoon.Load() {
		a.seal()
	}
}

// open begins the next segment.
func (a *appender) open(firstBody uint64) error {
	made, err := a.log.maker.take(a.plan())
	if err != nil {
		return err
	}
	a.rows = output{room: made.rooms[kindRows], buf: a.rows.buf}
	a.bodies = output{room: made.rooms[kindBodies], buf: a.bodies.buf}
	h := fileHeader{magic: magicBodies, segment: made.number, firstBody: firstBody, created: time.Now()}
	a.bodies.buf = appendFileHeader(a.bodies.buf[:0], h)
	h.magic = magicRows
	a.rows.buf = appendFileHeader(a.rows.buf[:0], h)
	if err := errors.Join(a.bodies.write(), a.rows.write()); err != nil {
		a.rows.room, a.bodies.room = nil, nil
		a.log.maker.remove(made)
		return fmt.Errorf("begin segment: %w", err)
	}
	a.rollSoon.Store(false)
	a.began, a.asked, a.blocks, a.records, a.newest = time.Time{}, false, 0, 0, 0
	a.deletes = false
	a.seg = &segment{number: made.number, firstBody: firstBody, created: h.created}
	a.seg.rowsEnd.Store(a.rows.end)
	a.seg.bodiesEnd.Store(a.bodies.end)
	a.seg.disk = a.disk()
	a.log.catalog.add(a.seg)
	a.log.syncer.opened(made)
	return nil
}

// disk is the space that the segment's files take.
func (a *appender) disk() [2]int64 {
	return [2]int64{
		kindRows:   max(a.rows.end, a.rows.room.end.Load()),
		kindBodies: max(a.bodies.end, a.bodies.room.end.Load()),
	}
}

// packBodies fills the buffer of the bodies file.
func (a *appender) packBodies(batch []*block) {
	a.bodies.buf = a.bodies.buf[:0]
	now := time.Now().UnixMilli()
	for _, b := range batch {
		if b.kind == kindBodies && b.number >= a.nextBody { // else a batch that panicked had written it
			h := blockHeader{
				kind: kindBodies, segment: a.seg.number, number: b.number - a.seg.firstBody, records: b.count, closed: now,
			}
			a.bodies.buf = appendBlock(a.bodies.buf, h, b.buf)
		}
	}
}

// packRows fills the buffer of the rows file, and returns the last record's ticket.
func (a *appender) packRows(batch []*block) (last Ticket) {
	a.rows.buf = a.rows.buf[:0]
	now, number := time.Now().UnixMilli(), a.blocks
	for _, b := range batch {
		if b.kind == kindRows {
			h := blockHeader{
				kind: kindRows, segment: a.seg.number, number: number, records: b.count, first: b.first,
				newest: b.newest, closed: now, deletes: b.deletes,
			}
			a.rows.buf = appendBlock(a.rows.buf, h, b.buf)
			number++
			last = b.last()
		}
	}
	return last
}

// publish lets readers see a batch that is written.
func (a *appender) publish(batch []*block, last Ticket) {
	rows, deletes := 0, false
	for _, b := range batch {
		if b.kind == kindRows {
			deletes = deletes || b.deletes
			a.blocks++
			a.newest = max(a.newest, b.newest)
			rows += int(b.count)
		}
	}
	a.records += uint64(rows)
	a.deletes = a.deletes || deletes
	if a.began.IsZero() {
		a.began = time.Now()
	}
	disk := a.disk()
	a.log.catalog.set(func() { a.seg.newest, a.seg.deletes, a.seg.disk = a.newest, a.deletes, disk })
	a.seg.rowsEnd.Store(a.rows.end)
	a.log.syncer.wrote(last)
	a.ahead()
	if rows == 0 {
		return
	}
	a.log.progress.update(func(p *progress) {
		p.appended = last
		p.head = Pos{Segment: a.seg.number, Block: uint32(a.blocks)}
		if deletes {
			p.deleted, p.deletedAt = p.head, time.Now()
		}
		if p.pending += int64(rows); p.waiting.IsZero() {
			p.waiting = time.Now()
		}
	})
}

// seal closes the segment in order: with an end block, and without room behind it.
func (a *appender) seal() {
	if a.seg == nil {
		return
	}
	if a.empty() {
		s := a.seg
		a.abandon()
		if err := a.log.catalog.drop(s); err != nil {
			a.log.health.failed(a.log.o.Logger, "cannot remove an empty log segment", err)
		}
		return
	}
	var end [blockHeaderSize]byte
	putBlockHeader(end[:], blockHeader{
		kind: kindEnd, segment: a.seg.number, number: a.blocks, records: uint32(a.records), newest: a.newest,
		closed: time.Now().UnixMilli(), deletes: a.deletes,
	})
	// When this fails, the zeroes behind the last block say the same.
	_, _ = a.rows.room.file.WriteAt(end[:], a.rows.end)
	a.leave([2]int64{kindRows: a.rows.end + blockHeaderSize, kindBodies: a.bodies.end})
}

// empty reports whether nothing was written to the segment.
func (a *appender) empty() bool {
	return a.rows.end == fileHeaderSize && a.bodies.end == fileHeaderSize
}

// abandon leaves the segment as it is: what was published stays, nothing is added.
func (a *appender) abandon() { a.leave([2]int64{-1, -1}) }

// leave ends the segment, whose files are to be cut at ends.
func (a *appender) leave(ends [2]int64) {
	f := &finished{segment: a.seg, rooms: [2]*room{kindRows: a.rows.room, kindBodies: a.bodies.room}, ends: ends}
	a.seg, a.rows.room, a.bodies.room = nil, nil, nil
	f.segment.sealed.Store(true)
	a.log.syncer.retire(f)
	a.log.maker.finish(f)
	a.log.progress.update(func(*progress) {}) // readers at its end go on to the next
}

// failed makes trouble visible. While it lasts, Wait does not.
func (a *appender) failed(err error, full bool) {
	state := "write failed: " + err.Error()
	if full {
		state = "disk full: rows wait"
		if a.log.keeper.rowsFull.Load() {
			state = rowsFullState
		}
		a.log.keeper.kick() // retention by space, at once
	}
	a.log.health.set(troubleWrite, state)
	a.log.health.failed(a.log.o.Logger, "cannot write the log", err)
	a.log.progress.update(func(p *progress) { p.writeErr = err })
}

// succeeded takes trouble back.
func (a *appender) succeeded() {
	if a.log.health.set(troubleWrite, "") {
		a.log.o.Logger.Info("the log is written again")
		a.log.progress.update(func(p *progress) { p.writeErr = nil })
	}
}

// giveUp counts the records of a batch that Close has no time for.
func (a *appender) giveUp(batch []*block, err error) {
	for _, b := range batch {
		if b.kind == kindRows {
			a.lost += int(b.count)
		}
	}
	a.lastErr = err
}

// last returns the ticket of b's last record.
func (b *block) last() Ticket { return Ticket(b.first + uint64(b.count) - 1) }

// write writes the buffer at the end, which moves on when all of it is written.
func (o *output) write() error {
	n := int64(len(o.buf))
	if n == 0 {
		return nil
	}
	if o.end+n > o.room.end.Load() {
		o.room.growNow(o.end + max(n, o.room.step(o.end))) // without it, writes are slower beside a sync
	}
	if _, err := o.room.file.WriteAt(o.buf, o.end); err != nil {
		return err
	}
	o.end += n
	return nil
}

// isFull reports whether err says that there is no room left, which may pass.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
