package proxy

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Memory is the one pool of bytes for bodies of all requests together: request bodies here, and what
// the log captures (it is a reqlog.Budget). It counts capacity, not content.
type Memory struct {
	limit int64
	used  atomic.Int64

	waiting atomic.Int64 // how many wait
	mu      sync.Mutex
	freed   chan struct{} // closed and replaced when bytes come back while somebody waits
}

// NewMemory makes a pool of limit bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: limit, freed: make(chan struct{})} }

// Limit returns the size of the pool in bytes.
func (m *Memory) Limit() int64 { return m.limit }

// Used returns how many bytes are taken.
func (m *Memory) Used() int64 { return m.used.Load() }

// Take reserves n bytes, or reports that there is no room.
func (m *Memory) Take(n int64) bool {
	for {
		used := m.used.Load()
		if used+n > m.limit {
			return false
		}
		if m.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// Give returns n bytes.
func (m *Memory) Give(n int64) {
	m.used.Add(-n)
	// Who comes to wait behind this look finds the bytes.
	if m.waiting.Load() == 0 {
		return
	}
	m.mu.Lock()
	close(m.freed)
	m.freed = make(chan struct{})
	m.mu.Unlock()
}

// wait tries take until it succeeds, each time bytes have come back, but no longer than d.
func (m *Memory) wait(ctx context.Context, d time.Duration, take func() bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	m.waiting.Add(1)
	defer m.waiting.Add(-1)
	for {
		m.mu.Lock()
		freed := m.freed
		m.mu.Unlock()
		if take() {
			return true
		}
		select {
		case <-freed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// smallest and largest class of pooled buffers, as powers of two: 4 KB to 1 MB. Larger ones are rare
// and left to the collector.
const (
	minClass = 12
	maxClass = 20
)

// buffers are pools of byte slices by size class. They keep pointers to the first byte, because a slice
// would be allocated once more to be put into a pool; the class knows the length.
type buffers [maxClass - minClass + 1]sync.Pool // of *byte

// get returns a slice of length n, at least; its capacity is what memory counts.
func (b *buffers) get(n int64) []byte {
	class := max(bits.Len64(uint64(max(n, 1)-1)), minClass)
	if class > maxClass {
		return make([]byte, n)
	}
	if kept, _ := b[class-minClass].Get().(*byte); kept != nil {
		return unsafe.Slice(kept, 1<<class)
	}
	return make([]byte, 1<<class)
}

// sizeFor is the capacity of the slice that get returns for n.
func (*buffers) sizeFor(n int64) int64 {
	class := max(bits.Len64(uint64(max(n, 1)-1)), minClass)
	if class > maxClass {
		return n
	}
	return 1 << class
}

// put takes back what get returned.
func (b *buffers) put(p []byte) {
	class := bits.Len64(uint64(cap(p) - 1))
	if class >= minClass && class <= maxClass && cap(p) == 1<<class {
		b[class-minClass].Put(unsafe.SliceData(p[:cap(p)]))
	}
}
