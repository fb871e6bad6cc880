package reqlog

import (
	"sync"

	sluice "github.com/sluicehq/sluice"
)

// Capture keeps of one body what the log will store, and hands full parts to the log as they come, so
// that an open stream holds one part (64 KB at most). The zero Capture stores nothing and only counts. Its
// counts (Size, Stored, Truncated, Dropped) are put into Entry.Request or Entry.Response by End.
//
// A Capture is used by one goroutine at a time.
type Capture struct {
	log   *Log // nil: count only
	limit int64
	size  int64 // what went in
	kept  int64 // what was taken in to be stored
	buf   *buffer
	whole []byte // given by Whole, not copied yet

	parts     []partRef
	truncated bool
	dropped   bool
	done      bool // End has seen it: what is stored is in parts
}

// maxBodyBytes bounds what is stored of one body, so that its parts fit into a record.
const maxBodyBytes = 1 << 30

// earlyParts is how many parts of a body are of the middle class: most bodies never need the largest.
const earlyParts = 4

// Capture makes c store up to limit bytes of side's body.
func (l *Log) Capture(c *Capture, limit int64) {
	c.log, c.limit = l, min(limit, maxBodyBytes)
}

// Write takes the next bytes of the body. p is not kept.
func (c *Capture) Write(p []byte) {
	c.size += int64(len(p))
	if c.log == nil || c.dropped || c.done {
		return
	}
	if left := c.limit - c.kept; int64(len(p)) > left {
		c.truncated = true
		p = p[:max(left, 0)]
	}
	c.kept += int64(len(p))
	for len(p) > 0 && !c.dropped {
		p = p[c.fill(p):]
	}
}

// fill takes the beginning of p into the buffer, handing a full part over, and returns how much.
func (c *Capture) fill(p []byte) int {
	most := partBytes
	if len(c.parts) < earlyParts {
		most = bufferSize(bufferClasses - 2)
	}
	have := 0
	if c.buf != nil {
		have = len(c.buf.b)
	}
	n := min(len(p), most-have)
	if !c.grow(have + n) {
		c.drop()
		return len(p)
	}
	c.buf.b = append(c.buf.b, p[:n]...)
	if len(c.buf.b) == most {
		c.pushNow(c.buf.b)
		c.buf.b = c.buf.b[:0]
	}
	return n
}

// grow makes the buffer large enough for n bytes. false: the budget has no room.
func (c *Capture) grow(n int) bool {
	if c.buf != nil && cap(c.buf.b) >= n {
		return true
	}
	larger := c.log.buffers.get(n)
	if larger == nil {
		return false
	}
	if c.buf != nil {
		larger.b = append(larger.b, c.buf.b...)
		c.log.buffers.put(c.buf)
	}
	c.buf = larger
	return true
}

// pushNow is push without the ring's mutex.
func (c *Capture) pushNow(p []byte) {
	c.log.ring.mu.Lock()
	defer c.log.ring.mu.Unlock()
	c.push(p)
}

// push hands p over as a part, at most partBytes. The ring's mutex is held.
func (c *Capture) push(p []byte) {
	if c.log.bodiesOff.Load() {
		c.dropped = true
		return
	}
	ref, ok := c.log.ring.putPart(p)
	if !ok {
		c.dropped = true
		return
	}
	c.parts = append(c.parts, ref)
}

// drop gives up the body: it is counted, not stored.
func (c *Capture) drop() {
	c.dropped = true
	c.free()
}

// free gives the buffer back.
func (c *Capture) free() {
	if c.buf != nil {
		c.log.buffers.put(c.buf)
		c.buf = nil
	}
	c.whole = nil
}

// Whole gives c the whole body at once, in place of Write. p is read until End has returned and must not
// change; nothing is copied before.
func (c *Capture) Whole(p []byte) {
	c.size = int64(len(p))
	if c.log == nil || c.done {
		return
	}
	if int64(len(p)) > c.limit {
		c.truncated = true
		p = p[:max(c.limit, 0)]
	}
	c.kept = int64(len(p))
	c.whole = p
}

// Size returns how many bytes went in.
func (c *Capture) Size() int64 { return c.size }

// finish hands over what is left and settles the parts. The ring's mutex is held, but let go between
// parts so that a large body holds nobody up; held counts what was copied since it was taken.
func (c *Capture) finish(held *int) {
	left := c.whole
	if c.buf != nil {
		left = c.buf.b
	}
	for len(left) > 0 && !c.dropped {
		p := left[:min(len(left), partBytes)]
		if *held += len(p); *held > partBytes {
			c.log.ring.mu.Unlock()
			c.log.ring.mu.Lock()
			*held = len(p)
		}
		c.push(p)
		left = left[len(p):]
	}
	if c.dropped {
		c.parts, c.kept = c.parts[:0], 0
	}
	c.done = true
}

// discard lets go of what would have been stored: log collection is off.
func (c *Capture) discard() {
	c.parts, c.kept, c.done = c.parts[:0], 0, true
	c.truncated, c.dropped = false, false
}

// tell puts c's counts into b. A Capture that nothing was done with leaves b as its caller made it.
func (c *Capture) tell(b *sluice.Body) {
	if c.log == nil && c.size == 0 {
		return
	}
	b.Size, b.Stored, b.Truncated, b.Dropped = c.size, c.kept, c.truncated, c.dropped
}

// settle gives back what End has copied.
func (c *Capture) settle() {
	if c.log != nil {
		c.free()
	}
}

// reset makes c the zero Capture again, keeping the room of its slice.
func (c *Capture) reset() {
	if c.log != nil {
		c.free()
	}
	*c = Capture{parts: c.parts[:0]}
}

// bufferClasses is how many sizes of capture buffers there are: a small body must not cost what a large
// one does.
const bufferClasses = 3

// bufferSize returns the size of a class: 4, 16 or 64 KB, which is partBytes.
func bufferSize(class int) int { return partBytes >> (2 * (bufferClasses - 1 - class)) }

// buffer is a capture's buffer; the pointer goes in and out of its pool without an allocation.
type buffer struct{ b []byte }

// buffers hands buffers out, one pool for each class, as long as the budget has room.
type buffers struct {
	budget Budget
	pools  [bufferClasses]sync.Pool
}

// get returns an empty buffer for n bytes, nil when the budget has no room.
func (p *buffers) get(n int) *buffer {
	class := 0
	for bufferSize(class) < n {
		class++
	}
	size := bufferSize(class)
	if p.budget != nil && !p.budget.Take(int64(size)) {
		return nil
	}
	if b, ok := p.pools[class].Get().(*buffer); ok {
		return b
	}
	return &buffer{b: make([]byte, 0, size)}
}

// put takes b back.
func (p *buffers) put(b *buffer) {
	size := cap(b.b)
	for class := range bufferClasses {
		if bufferSize(class) == size {
			b.b = b.b[:0]
			p.pools[class].Put(b)
		}
	}
	if p.budget != nil {
		p.budget.Give(int64(size))
	}
}
