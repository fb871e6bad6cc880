package cache

import "sort"

// The sizes of chunks, and what a flight holds that does not keep its whole answer.
const (
	minChunk = 4 << 10
	maxChunk = 128 << 10
	minRead  = 512 // less room is not worth a read
	window   = 1 << 20
)

// buffer holds an answer's bytes while several read it: all of it, or, once it is too large or there
// is no memory, the last of it. Bytes that are in it never change, so they are read without a lock.
// The rest is not safe for concurrent use.
type buffer struct {
	budget Budget
	limit  int64 // the largest that is kept whole
	length int64 // as announced; -1: not known
	chunks []chunk
	held   int64 // capacity of all chunks
	end    int64 // bytes that came
	whole  bool  // from the first byte on
}

type chunk struct {
	start int64  // position of its first byte
	b     []byte // what is there; room up to its capacity
	taken int64  // of the budget
}

// room returns where the next bytes go, or nil when readers must get on first: those bytes that pace
// has read may go.
func (b *buffer) room(pace int64) []byte {
	if n := len(b.chunks); n > 0 {
		if last := b.chunks[n-1].b; cap(last)-len(last) >= minRead {
			return last[len(last):cap(last)]
		}
	}
	size := b.next()
	b.whole = b.whole && b.end <= b.limit
	if b.whole && b.budget.Take(size) {
		return b.add(size, size)
	}
	b.whole = false
	for {
		if b.held+size <= window && b.budget.Take(size) {
			return b.add(size, size)
		}
		if len(b.chunks) == 0 {
			return b.add(size, 0) // what any relay holds, budget or not
		}
		if !b.drop(pace) {
			return nil
		}
	}
}

// next is the size of the next chunk.
func (b *buffer) next() int64 {
	size := min(max(minChunk, b.held), maxChunk)
	if b.length >= 0 && b.length >= b.end {
		// So much is to come, and the end is noticed by a read with room.
		size = min(max(b.length-b.end+minRead, minChunk), maxChunk)
	}
	return size
}

func (b *buffer) add(size, taken int64) []byte {
	b.chunks = append(b.chunks, chunk{start: b.end, b: make([]byte, 0, size), taken: taken})
	b.held += size
	return b.chunks[len(b.chunks)-1].b[:size]
}

// drop lets go of the oldest chunk, unless pace is still in it.
func (b *buffer) drop(pace int64) bool {
	oldest := &b.chunks[0]
	if pace < oldest.start+int64(len(oldest.b)) {
		return false
	}
	b.held -= int64(cap(oldest.b))
	if oldest.taken > 0 {
		b.budget.Give(oldest.taken)
	}
	b.chunks[0] = chunk{}
	b.chunks = b.chunks[1:]
	return true
}

// grow adds n bytes that were written to what room returned.
func (b *buffer) grow(n int) {
	if n == 0 {
		return
	}
	last := &b.chunks[len(b.chunks)-1]
	last.b = last.b[:len(last.b)+n]
	b.end += int64(n)
	b.whole = b.whole && b.end <= b.limit
}

// at returns bytes from pos on, none at the end, or false when they have gone.
func (b *buffer) at(pos int64) ([]byte, bool) {
	if pos == b.end {
		return nil, true
	}
	i := sort.Search(len(b.chunks), func(i int) bool { return b.chunks[i].start > pos }) - 1
	if i < 0 {
		return nil, false
	}
	c := &b.chunks[i]
	return c.b[pos-c.start:], true
}

// all copies the whole answer.
func (b *buffer) all() []byte {
	body := make([]byte, 0, b.end)
	for i := range b.chunks {
		body = append(body, b.chunks[i].b...)
	}
	return body
}

// release gives the memory back.
func (b *buffer) release() {
	for len(b.chunks) > 0 && b.drop(b.end) {
		continue
	}
	b.whole = false
}
