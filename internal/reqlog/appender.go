package reqlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	sluice "github.com/sluicehq/sluice"
)

const (
	flushAfter = 20 * time.Millisecond // how long a record waits for others at most

	maxRowsBytes   = 64 << 20 // a segment is closed at one of these
	maxBodiesBytes = 256 << 20
	maxSegmentAge  = time.Hour
	minSegment     = 1 << 20 // whatever MaxBytes says

	firstRoom     = 1 << 20 // what a file is allocated at first; it doubles up to mostRoom
	mostRowsRoom  = 8 << 20
	mostBodyRoom  = 32 << 20
	firstBackoff  = 20 * time.Millisecond
	mostBackoff   = 2 * time.Second
	bodiesWaitFor = 2 * time.Second // how long bodies wait for a full disk before they are dropped
	rowsWaitFor   = 6 * time.Second // how long rows do, before only their counts are kept
)

// appender is the goroutine that writes blocks to files, and does nothing else.
type appender struct {
	log  *Log
	next uint64 // number of the next segment
	// rollSoon asks for a new segment: the present one is not trusted, or should not grow.
	rollSoon  atomic.Bool
	since     atomic.Int64 // since when something waits to be appended, unix nanoseconds; 0: nothing
	wholeSize atomic.Int64 // Retention.MaxBytes, 0: no bound

	seg      *segment // nil: none is open
	rows     output
	bodies   output
	blocks   uint64 // of rows in the segment
	records  uint64 // in the segment
	newest   int64
	nextBody uint64 // number after the last body block that was written or given up
	batch    []*block
	thinned  []byte // thin's

	lost    int // records that were given up at Close
	lastErr error
}

// output is a file that is written from its beginning to its end.
type output struct {
	file file
	end  int64  // what is written
	room int64  // what is allocated
	most int64  // how much is allocated at once
	buf  []byte // what is written next
}

func (a *appender) init(l *Log, next uint64) {
	a.log, a.next, a.nextBody = l, next, next<<32
	a.wholeSize.Store(l.o.Retention.MaxBytes)
}

// run writes what comes until Close: then what is left, until ctx ends.
func (a *appender) run(ctx context.Context) {
	defer close(a.log.appended)
	flush, age := time.NewTimer(time.Hour), time.NewTicker(maxSegmentAge/60)
	flush.Stop()
	defer flush.Stop()
	defer age.Stop()
	// Now, since on a busy disk it takes longer than a record may wait. A full one is dealt with later.
	_ = a.ready(nil)
	armed, due := false, false
	for {
		select {
		case <-a.log.ring.wake:
			if a.since.Load() == 0 {
				a.since.Store(time.Now().UnixNano())
			}
		case <-flush.C:
			armed, due = false, true
		case <-age.C:
			a.sealOld()
		case <-a.log.draining:
			a.drain(ctx, true)
			a.seal()
			return
		}
		waiting := a.drain(ctx, due)
		due = false
		switch {
		case !waiting:
			a.since.Store(0)
		case !armed:
			a.since.Store(time.Now().UnixNano())
			armed = true
			flush.Reset(flushAfter)
		}
	}
}

// drain writes the blocks that were handed over, with all also those that are not full. It reports
// whether blocks that are not full were left.
func (a *appender) drain(ctx context.Context, all bool) (waiting bool) {
	for {
		a.batch, waiting = a.log.ring.next(a.batch, all)
		if len(a.batch) == 0 {
			return waiting
		}
		all = false
		a.write(ctx, a.batch)
		a.log.ring.release(a.batch)
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
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
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

// full reports whether the segment is to be closed.
func (a *appender) full() bool {
	rows, bodies := a.limits()
	return a.rows.end >= rows || a.bodies.end >= bodies || time.Since(a.seg.created) >= maxSegmentAge
}

// sealOld closes a segment that has grown old without being written to.
func (a *appender) sealOld() {
	if a.seg != nil && !a.empty() && time.Since(a.seg.created) >= maxSegmentAge {
		a.seal()
	}
}

// open makes the next segment. Numbers of files that are there but are no segments are passed over.
func (a *appender) open(firstBody uint64) error {
	for {
		h := fileHeader{magic: magicRows, segment: a.next, firstBody: firstBody, created: time.Now()}
		err := a.create(h)
		if errors.Is(err, fs.ErrExist) {
			a.next++
			continue
		}
		if err != nil {
			return fmt.Errorf("make segment: %w", err)
		}
		a.next++
		a.rollSoon.Store(false)
		a.blocks, a.records, a.newest = 0, 0, 0
		a.seg = &segment{number: h.segment, firstBody: firstBody, created: h.created}
		a.seg.rowsEnd.Store(a.rows.end)
		a.seg.bodiesEnd.Store(a.bodies.end)
		a.seg.disk = [2]int64{a.rows.file.Size(), a.bodies.file.Size()}
		a.log.catalog.add(a.seg)
		a.log.syncer.opened(a.rows.file, a.bodies.file)
		return nil
	}
}

// create makes a segment's files and writes their headers.
func (a *appender) create(h fileHeader) error {
	rowsPath := segmentPath(a.log.o.Dir, h.segment, rowsSuffix)
	bodiesPath := segmentPath(a.log.o.Dir, h.segment, bodiesSuffix)
	bodies, err := a.log.files.create(bodiesPath)
	if err != nil {
		return err
	}
	rows, err := a.log.files.create(rowsPath)
	if err != nil {
		_ = bodies.Close()
		_ = os.Remove(bodiesPath)
		return err
	}
	mostRows, mostBodies := a.limits()
	a.rows = output{file: rows, most: min(mostRowsRoom, mostRows), buf: a.rows.buf}
	a.bodies = output{file: bodies, most: min(mostBodyRoom, mostBodies), buf: a.bodies.buf}
	h.magic = magicBodies
	a.bodies.buf = appendFileHeader(a.bodies.buf[:0], h)
	h.magic = magicRows
	a.rows.buf = appendFileHeader(a.rows.buf[:0], h)
	if err := errors.Join(a.bodies.write(), a.rows.write()); err != nil {
		_ = rows.Close()
		_ = bodies.Close()
		_ = os.Remove(rowsPath)
		_ = os.Remove(bodiesPath)
		return err
	}
	return nil
}

// packBodies fills the buffer of the bodies file.
func (a *appender) packBodies(batch []*block) {
	a.bodies.buf = a.bodies.buf[:0]
	now := time.Now().UnixMilli()
	for _, b := range batch {
		if b.kind == kindBodies {
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
				newest: b.newest, closed: now,
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
	rows := 0
	for _, b := range batch {
		if b.kind == kindRows {
			a.blocks++
			a.newest = max(a.newest, b.newest)
			rows += int(b.count)
		}
	}
	a.records += uint64(rows)
	a.log.catalog.set(func() {
		a.seg.newest = a.newest
		a.seg.disk = [2]int64{max(a.rows.end, a.rows.room), max(a.bodies.end, a.bodies.room)}
	})
	a.seg.rowsEnd.Store(a.rows.end)
	a.log.syncer.wrote(last)
	if rows == 0 {
		return
	}
	a.log.progress.update(func(p *progress) {
		p.appended = last
		p.head = Pos{Segment: a.seg.number, Block: uint32(a.blocks)}
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
		closed: time.Now().UnixMilli(),
	})
	// When this fails, the zeroes behind the last block say the same.
	if _, err := a.rows.file.WriteAt(end[:], a.rows.end); err == nil {
		_ = a.rows.file.Truncate(a.rows.end + blockHeaderSize)
	}
	_ = a.bodies.file.Truncate(a.bodies.end)
	a.abandon()
	a.log.keeper.kick()
}

// empty reports whether nothing was written to the segment.
func (a *appender) empty() bool {
	return a.rows.end == fileHeaderSize && a.bodies.end == fileHeaderSize
}

// abandon leaves the segment as it is: what was published stays, nothing is added.
func (a *appender) abandon() {
	s, rows, bodies := a.seg, a.rows.file, a.bodies.file
	a.log.catalog.set(func() { s.disk = [2]int64{rows.Size(), bodies.Size()} })
	s.sealed.Store(true)
	a.log.syncer.retire(rows, bodies)
	a.seg, a.rows.file, a.bodies.file = nil, nil, nil
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
	if o.end+n > o.room {
		more := max(n, min(max(o.room, firstRoom), o.most))
		// Without it, writes are slower beside a sync; a full disk is the write's to report.
		if o.file.Allocate(o.end, o.end+more) == nil {
			o.room = o.end + more
		}
	}
	if _, err := o.file.WriteAt(o.buf, o.end); err != nil {
		return err
	}
	o.end += n
	return nil
}

// isFull reports whether err says that there is no room left, which may pass.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
