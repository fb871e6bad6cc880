package route

import (
	"math"
	"sync"
	"time"
)

// Latency remembers how long targets take to their first content, so that a hedge knows when a call is
// slower than most. It keeps a histogram per key whose older half fades. Safe for concurrent use.
type Latency struct {
	mu   sync.Mutex
	keys map[string]*spread
}

const (
	// latencyBuckets are a tenth apart: from 1 ms to over an hour.
	latencyBuckets = 160
	// latencyFade halves all counts when so many were taken.
	latencyFade = 1000
	// LatencyKnown is how many calls it takes before a quantile means anything.
	LatencyKnown   = 20
	maxLatencyKeys = 10_000
)

type spread struct {
	n      int
	counts [latencyBuckets]uint16
}

// NewLatency makes a Latency.
func NewLatency() *Latency { return &Latency{keys: make(map[string]*spread)} }

// Observe takes in one call.
func (l *Latency) Observe(key string, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.keys[key]
	if s == nil {
		if len(l.keys) >= maxLatencyKeys {
			clear(l.keys)
		}
		s = &spread{}
		l.keys[key] = s
	}
	s.counts[latencyBucket(d)]++
	if s.n++; s.n >= latencyFade {
		s.n = 0
		for i := range s.counts {
			s.counts[i] /= 2
			s.n += int(s.counts[i])
		}
	}
}

// Quantile returns the time within which a share q of the calls of key began to answer, to a tenth above;
// ok is false while fewer than LatencyKnown were seen.
func (l *Latency) Quantile(key string, q float64) (d time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.keys[key]
	if s == nil || s.n < LatencyKnown {
		return 0, false
	}
	want, seen := int(math.Ceil(q*float64(s.n))), 0
	for i, c := range s.counts {
		if seen += int(c); seen >= want {
			return latencyEdge(i), true
		}
	}
	return latencyEdge(latencyBuckets - 1), true
}

// latencyBucket is the bucket of d.
func latencyBucket(d time.Duration) int {
	ms := float64(d) / float64(time.Millisecond)
	if ms <= 1 {
		return 0
	}
	return min(int(math.Ceil(math.Log(ms)/math.Log(1.1))), latencyBuckets-1)
}

// latencyEdge is the upper edge of a bucket.
func latencyEdge(i int) time.Duration {
	return time.Duration(math.Pow(1.1, float64(i)) * float64(time.Millisecond))
}
