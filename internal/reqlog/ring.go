package reqlog

import (
	"sync"
	"time"

	sluice "github.com/sluicehq/sluice"
)

const (
	blockBytes = 256 << 10 // a block goes to the appender when this is full
	partBytes  = 64 << 10  // the largest part of a body
	// maxRecord is the largest record that is taken; what is larger is slimmed.
	maxRecord = 1 << 20
	// minQueueBytes lets every kind of block find room.
	minQueueBytes = 4 << 20
	maxFree       = 16 // blocks kept for reuse
	maxBatch      = 1 << 20
	countsShare   = 8 // one part in so many of the queue is for the counts of lost rows
)

// block is a piece of the queue, and what becomes one block of a file.
type block struct {
	kind   blockKind
	number uint64 // of a bodies block, in the log
	buf    []byte
	first  uint64    // ticket of its first record
	count  uint32    // records, or parts
	newest int64     // start of the newest exchange, unix milliseconds
	born   time.Time // when its first record came
	// deletes: a KindDelete is among its records.
	deletes bool
}

// ring is the queue between requests and the appender: two blocks that are being filled, one of rows
// and one of bodies, and those that wait, in the order in which they must be written. It is bounded
// by the memory that its blocks take:
//
//   - bodies may take three quarters, so that a quarter is always for rows,
//   - rows may take all but an eighth,
//   - that last eighth is for the count-only form of rows that found no room, a tenth of their size.
//
// So a stuck disk costs bodies first, then the rows' details, and counts last of all.
type ring struct {
	mu       sync.Mutex
	limit    int64
	used     int64     // capacity of all blocks out of free
	bodies   int64     // of those, of bodies
	cur      [2]*block // by blockKind
	ready    []*block  // to be written, in order: the bodies that a rows block names lie before it
	free     []*block
	tickets  uint64
	nextBody uint64
	urgent   bool // somebody waits: hand over what there is
	closed   bool
	writing  time.Time // when the oldest record came that the appender has taken; zero: it has none

	// For the appender: a block is full or urgent; the oldest that is being filled has waited for flushAfter.
	wake  chan struct{}
	flush *time.Timer
}

func newRing(limit int64, firstBody uint64) *ring {
	flush := time.NewTimer(time.Hour)
	flush.Stop()
	return &ring{limit: max(limit, minQueueBytes), nextBody: firstBody, wake: make(chan struct{}, 1), flush: flush}
}

// record is what End and the sweeper hand over.
type record struct {
	kind      Kind
	entry     *sluice.LogEntry
	parts     *[2][]partRef
	countOnly bool
	whole     bool        // better nothing than its count alone: it was counted before
	bound     int         // recordBound
	changes   Changes     // of KindPatch
	ids       []sluice.ID // of KindDelete
}

// append appends r to b.
func (r *record) append(b []byte) []byte {
	switch r.kind {
	case KindPatch:
		return appendPatch(b, r.changes, r.entry)
	case KindDelete:
		return appendDelete(b, r.entry, r.ids)
	}
	return appendRecord(b, r.kind, r.entry, r.parts, r.countOnly)
}

// put copies r into the queue. Without room for a whole entry it keeps the count-only form: lost.
// The zero Ticket: not even that. q.mu is held.
func (q *ring) put(r *record) (t Ticket, lost bool) {
	if q.closed {
		return 0, true
	}
	b := q.room(kindRows, r.bound, q.limit-q.limit/countsShare)
	if b == nil {
		if r.kind != KindEntry || r.whole {
			return 0, true // an open mark: the next sweep tries again
		}
		lost, r.countOnly, r.parts = !r.countOnly, true, nil
		if b = q.room(kindRows, min(r.bound, slimBound(r.entry)), q.limit); b == nil {
			return 0, true
		}
	}
	b.buf = r.append(b.buf)
	q.tickets++ // now: if that panicked, there is no such record
	if b.count == 0 {
		b.first = q.tickets
	}
	b.count++
	b.newest = max(b.newest, r.entry.Start.UnixMilli())
	b.deletes = b.deletes || r.kind == KindDelete
	return Ticket(q.tickets), lost
}

// slimBound is recordBound of e's count-only form.
func slimBound(e *sluice.LogEntry) int {
	n := 900
	for i, s := range texts(e) {
		if s != nil && counted(i) {
			n += len(*s)
		}
	}
	for i := range e.Attempts { // none is told where there is one
		n += attemptBound(&e.Attempts[i])
	}
	for i := range e.Charges {
		n += chargeBound(&e.Charges[i])
	}
	return n
}

// putPart copies part of a body into the queue, and tells where it lies. false: there is no room.
// q.mu is held.
func (q *ring) putPart(p []byte) (partRef, bool) {
	if q.closed {
		return partRef{}, false
	}
	if b := q.cur[kindBodies]; (b == nil || cap(b.buf)-len(b.buf) < len(p)) && q.bodies+blockBytes > q.limit*3/4 {
		return partRef{}, false
	}
	b := q.room(kindBodies, len(p), q.limit-q.limit/countsShare)
	if b == nil {
		return partRef{}, false
	}
	ref := partRef{block: b.number, offset: uint32(len(b.buf)), length: uint32(len(p))}
	b.buf = append(b.buf, p...)
	b.count++
	return ref, true
}

// room returns the block of kind that is being filled and has room for n bytes, taking a new one as
// long as the queue stays within limit. Past it there is no room in a block that is begun either: it
// was taken for others.
func (q *ring) room(kind blockKind, n int, limit int64) *block {
	b := q.cur[kind]
	if b != nil && cap(b.buf)-len(b.buf) >= n {
		if q.used > limit {
			return nil
		}
		return b
	}
	size := max(n, blockBytes)
	if q.used+int64(size) > limit {
		return nil
	}
	if b != nil {
		q.rotate(kind)
		q.signal()
	}
	b = q.take(kind, size)
	if q.cur[kindRows] == nil && q.cur[kindBodies] == nil {
		q.flush.Reset(flushAfter) // here, so that the appender need not be woken for it
	}
	q.cur[kind] = b
	return b
}

// take returns an empty block.
func (q *ring) take(kind blockKind, size int) *block {
	var b *block
	if n := len(q.free); n > 0 && size == blockBytes {
		b, q.free = q.free[n-1], q.free[:n-1]
	} else {
		b = &block{buf: make([]byte, 0, size)}
	}
	b.kind, b.born = kind, time.Now()
	q.used += int64(cap(b.buf))
	if kind == kindBodies {
		q.bodies += int64(cap(b.buf))
		b.number = q.nextBody
		q.nextBody++
	}
	return b
}

// rotate hands the block of kind that is being filled over; before rows, the bodies that they name.
func (q *ring) rotate(kind blockKind) {
	if kind == kindRows && q.cur[kindBodies] != nil {
		q.ready = append(q.ready, q.cur[kindBodies])
		q.cur[kindBodies] = nil
	}
	if q.cur[kind] != nil {
		q.ready = append(q.ready, q.cur[kind])
		q.cur[kind] = nil
	}
}

func (q *ring) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// hurry makes the appender take what there is now, and returns the last record's ticket.
func (q *ring) hurry() Ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.cur[kindRows] != nil || q.cur[kindBodies] != nil {
		q.urgent = true
		q.signal()
	}
	return Ticket(q.tickets)
}

// hurryTo is hurry when record t is not in a file yet.
func (q *ring) hurryTo(t Ticket, p *progress) {
	there := false
	p.get(func(p *progress) { there = p.appended >= t })
	if !there {
		q.hurry()
	}
}

// next returns blocks to write, in order, in batch's room. Blocks that are not full are handed over when
// their first record has waited for flushAfter, and with all.
func (q *ring) next(batch []*block, now time.Time, all bool) []*block {
	q.mu.Lock()
	defer q.mu.Unlock()
	oldest := q.filling(now)
	if all || q.urgent || now.Sub(oldest) >= flushAfter {
		q.urgent = false
		q.rotate(kindRows)
	} else if oldest.Before(now) {
		q.flush.Reset(flushAfter - now.Sub(oldest)) // it fired for others
	}
	n, bytes := 0, 0
	for n < len(q.ready) && (n == 0 || bytes+len(q.ready[n].buf) <= maxBatch) {
		bytes += len(q.ready[n].buf)
		n++
	}
	batch = append(batch[:0], q.ready[:n]...)
	left := copy(q.ready, q.ready[n:])
	clear(q.ready[left:])
	q.ready = q.ready[:left]
	for _, b := range batch {
		if q.writing.IsZero() || b.born.Before(q.writing) {
			q.writing = b.born
		}
	}
	return batch
}

// filling returns when the first record came of the blocks that are being filled, now when there are none.
func (q *ring) filling(now time.Time) time.Time {
	for _, b := range q.cur {
		if b != nil && b.born.Before(now) {
			now = b.born
		}
	}
	return now
}

// lag returns the age of the oldest record that is in no file yet. q.mu is held.
func (q *ring) lag(now time.Time) time.Duration {
	oldest := q.filling(now)
	if len(q.ready) > 0 && q.ready[0].born.Before(oldest) {
		oldest = q.ready[0].born
	}
	if !q.writing.IsZero() && q.writing.Before(oldest) {
		oldest = q.writing
	}
	return max(now.Sub(oldest), 0)
}

// release takes written blocks back.
func (q *ring) release(batch []*block) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = time.Time{}
	for _, b := range batch {
		q.used -= int64(cap(b.buf))
		if b.kind == kindBodies {
			q.bodies -= int64(cap(b.buf))
		}
		if cap(b.buf) == blockBytes && len(q.free) < maxFree {
			*b = block{buf: b.buf[:0]}
			q.free = append(q.free, b)
		}
	}
}

// close refuses what comes from now on.
func (q *ring) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

// bytes returns what the queue holds.
func (q *ring) bytes() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}
