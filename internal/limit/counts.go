package limit

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

const (
	parts = 60        // what a sliding window is cut into
	ring  = parts + 1 // parts that one interval can touch
)

// maxStepBack is how far behind the newest count a clock may be and count beside it: calls that raced
// for the lock, and small corrections. A clock further behind was set back, and counts go back with it.
const maxStepBack = 10 * time.Second

// MostCounted bounds a counter, so that no sum of a ring overflows. No honest count comes near.
const MostCounted = math.MaxInt64 / ring

// Counts is what is kept of one key: plain words without pointers, which a store may lay into a mapped
// file. The zero Counts has counted nothing. Methods need the caller's lock.
//
// A process that is killed inside a method leaves counts that are good: whatever part of the words had
// been written, nothing is forgotten that still counts.
type Counts struct {
	rule   uint64       // length of the window in nanoseconds, doubled, and 1 for sliding; 0: none yet
	newest uint64       // number of the newest window or part, from 1970
	n      [ring]uint64 // sliding: by number modulo ring; fixed: only the first
}

// Take is Store.Take.
func (c *Counts) Take(rule sluice.RateLimit, n int64, now time.Time) Decision {
	if !rule.On() {
		return Decision{OK: true}
	}
	t := nano(now)
	c.move(rule, t)
	used := c.used()
	n = max(n, 1)
	d := Decision{Limit: rule.Max, Remaining: max(rule.Max-used, 0)}
	if at := &c.n[c.slot()]; n <= d.Remaining && n <= MostCounted-int64(*at) {
		*at += uint64(n)
		d.OK, d.Remaining = true, d.Remaining-n
		used, n = used+n, 1
	}
	d.Reset = c.reset(rule, t, used, n)
	return d
}

// Peek is Store.Peek.
func (c *Counts) Peek(rule sluice.RateLimit, now time.Time) Decision {
	if !rule.On() {
		return Decision{OK: true}
	}
	t := nano(now)
	moved := *c
	moved.move(rule, t)
	used := moved.used()
	d := Decision{Limit: rule.Max, Remaining: max(rule.Max-used, 0)}
	d.OK, d.Reset = d.Remaining > 0, moved.reset(rule, t, used, 1)
	return d
}

// The following let an owner count what must be counted, whether it fits or not: money that was spent. Used, At
// and Wait are of the moment that Open was told.

// Open makes the part that now lies in the newest one, and returns its number, which is never used again while it
// counts.
func (c *Counts) Open(rule sluice.RateLimit, now time.Time) (part uint64) {
	c.move(rule, nano(now))
	return c.newest
}

// Rule returns the rule by which was counted last, without its Max. false: nothing has been.
func (c *Counts) Rule() (sluice.RateLimit, bool) {
	return sluice.RateLimit{Per: time.Duration(c.rule >> 1), Sliding: c.sliding()}, c.rule != 0
}

// Used returns what counts.
func (c *Counts) Used() int64 { return c.used() }

// At returns where a part is counted; nil: it counts no more. The word must stay between 0 and MostCounted.
func (c *Counts) At(part uint64) *uint64 {
	if c.rule == 0 || part > c.newest || c.newest-part >= c.span() {
		return nil
	}
	return &c.n[part%c.span()]
}

// Wait returns how long after now a new window begins, or n more fit rule beside what counts.
func (c *Counts) Wait(rule sluice.RateLimit, n int64, now time.Time) time.Duration {
	return c.reset(rule, nano(now), c.used(), n)
}

// Expire reports whether nothing that was counted matters any more, even if the clock is set back a
// little. It notices when the clock was set back far, as Take does.
func (c *Counts) Expire(now time.Time) bool {
	if c.rule == 0 {
		return true
	}
	t := nano(now)
	if ahead := c.start(c.newest); ahead > satAdd(t, uint64(maxStepBack)) {
		c.setBack(c.number(t))
		return false
	}
	return t >= satAdd(c.start(c.newest+c.span()), uint64(maxStepBack))
}

// Sound reports whether the words can be counts. What is not is of a damaged file.
func (c *Counts) Sound() bool {
	if c.rule == 1 {
		return false
	}
	for _, n := range c.n {
		if n > MostCounted {
			return false
		}
	}
	return true
}

// Clear forgets everything.
func (c *Counts) Clear() {
	atomic.StoreUint64(&c.rule, 0)
	c.newest = 0
	clear(c.n[:])
}

func nano(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

func satAdd(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return sum
}

func (c *Counts) sliding() bool { return c.rule&1 == 1 }

// span is how many windows or parts hold what counts at one time.
func (c *Counts) span() uint64 {
	if c.sliding() {
		return ring
	}
	return 1
}

// slot is where the newest part is counted.
func (c *Counts) slot() uint64 { return c.newest % c.span() }

// number returns the window or part that t lies in.
func (c *Counts) number(t uint64) uint64 {
	per := c.rule >> 1
	if !c.sliding() {
		return t / per
	}
	// Exact: a part's length need not be a whole number of nanoseconds. hi is below 30, and so below
	// any length that a rule has.
	hi, lo := bits.Mul64(t, parts)
	n, _ := bits.Div64(hi%per, lo, per)
	return n
}

// start returns the first nanosecond of a window or part.
func (c *Counts) start(number uint64) uint64 {
	hi, lo := bits.Mul64(number, c.rule>>1)
	if !c.sliding() {
		if hi != 0 {
			return math.MaxUint64
		}
		return lo
	}
	lo, carry := bits.Add64(lo, parts-1, 0)
	if hi += carry; hi >= parts {
		return math.MaxUint64
	}
	at, _ := bits.Div64(hi, lo, parts)
	return at
}

func (c *Counts) used() int64 {
	if !c.sliding() {
		return int64(c.n[0])
	}
	var sum uint64
	for _, n := range &c.n {
		sum += n
	}
	return int64(sum)
}

// move makes the window that t lies in the newest one.
//
// The order of its writes is what makes a kill between them harmless: what has not been forgotten yet
// counts once more.
func (c *Counts) move(rule sluice.RateLimit, t uint64) {
	kind := uint64(rule.Per) << 1
	if rule.Sliding {
		kind |= 1
	}
	if c.rule != kind {
		c.Clear()
		c.newest = (&Counts{rule: kind}).number(t)
		atomic.StoreUint64(&c.rule, kind)
		return
	}
	to := c.number(t)
	switch {
	case to == c.newest:
	case to < c.newest:
		if c.start(c.newest)-t > uint64(maxStepBack) {
			c.setBack(to)
		}
	case !c.sliding():
		atomic.StoreUint64(&c.newest, to)
		c.n[0] = 0
	default:
		for i := range min(to-c.newest, ring) {
			c.n[(to-i)%ring] = 0 // what was there is older than a window before to
		}
		atomic.StoreUint64(&c.newest, to)
	}
}

// setBack follows a clock that was set back: all that counted counts as of now, so that no more fits
// than would have, and not for longer than one window.
func (c *Counts) setBack(to uint64) {
	used := uint64(c.used())
	if c.sliding() {
		at := to % ring
		c.n[at] = min(used, MostCounted)
		atomic.StoreUint64(&c.newest, to)
		for i := range c.n {
			if uint64(i) != at {
				c.n[i] = 0
			}
		}
		return
	}
	atomic.StoreUint64(&c.newest, to)
}

// reset returns how long after t a new window begins, or n calls fit beside those used.
func (c *Counts) reset(rule sluice.RateLimit, t uint64, used, n int64) time.Duration {
	if n > rule.Max {
		return rule.Per
	}
	if !c.sliding() {
		return until(t, c.start(c.newest+1))
	}
	over := used - (rule.Max - n) // what has to leave the window first
	if over <= 0 {
		return 0
	}
	for i := range uint64(ring) {
		// The ring's oldest part stands behind its newest.
		over -= int64(c.n[(c.newest+1+i)%ring])
		if over <= 0 {
			number := c.newest + 1 + i // the part that takes its place
			return until(t, c.start(number))
		}
	}
	return rule.Per
}

func until(t, at uint64) time.Duration {
	if at <= t {
		return 0
	}
	return time.Duration(min(at-t, math.MaxInt64))
}
