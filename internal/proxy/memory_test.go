package proxy

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryNeverExceedsItsLimit(t *testing.T) {
	m := NewMemory(1000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if m.Take(300) {
					if used := m.used.Load(); used > 1000 {
						t.Errorf("used = %d", used)
					}
					m.Give(300)
				}
			}
		})
	}
	wg.Wait()
	if used := m.used.Load(); used != 0 {
		t.Errorf("used = %d at the end; want 0", used)
	}
	if !m.Take(1000) || m.Take(1) {
		t.Error("want exactly the limit to be taken")
	}
}

func TestMemoryWait(t *testing.T) {
	t.Run("room that comes back is taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory(10)
			m.Take(10)
			go func() {
				time.Sleep(time.Second)
				m.Give(10)
			}()
			if !m.wait(t.Context(), time.Minute, func() bool { return m.Take(5) }) {
				t.Error("waited in vain")
			}
		})
	})
	t.Run("the wait ends when its time is up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory(10)
			m.Take(10)
			began := time.Now()
			if m.wait(t.Context(), time.Minute, func() bool { return m.Take(5) }) || time.Since(began) != time.Minute {
				t.Error("want a minute's wait in vain")
			}
		})
	})
	t.Run("the wait ends with the request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := NewMemory(10)
			m.Take(10)
			ctx, cancel := context.WithCancel(t.Context())
			go cancel()
			if m.wait(ctx, time.Minute, func() bool { return m.Take(5) }) {
				t.Error("want a wait in vain")
			}
		})
	})
}

func TestBuffers(t *testing.T) {
	var b buffers
	for _, n := range []int64{0, 1, 4096, 4097, 1 << 20, 1<<20 + 1, 25_000_001} {
		p := b.get(n)
		if int64(len(p)) < n || int64(cap(p)) != b.sizeFor(n) {
			t.Errorf("get(%d): len %d, cap %d; sizeFor says %d", n, len(p), cap(p), b.sizeFor(n))
		}
		b.put(p[:n/2])
	}
}

func TestBuffersComeBack(t *testing.T) {
	var b buffers
	for _, n := range []int64{1, 5000} {
		b.put(b.get(n))
		// Pools lose some on purpose under the race detector, so that less than one is all that can be asked.
		if got := testing.AllocsPerRun(1000, func() { b.put(b.get(n)) }); got != 0 {
			t.Errorf("%d bytes: %v allocations for each use", n, got)
		}
	}
}

func BenchmarkBuffers(b *testing.B) {
	var pools buffers
	b.ReportAllocs()
	for b.Loop() {
		p := pools.get(4096)
		pools.put(p)
	}
}

func BenchmarkMemory(b *testing.B) {
	m := NewMemory(1 << 20)
	for b.Loop() {
		m.Take(4096)
		m.Give(4096)
	}
}
