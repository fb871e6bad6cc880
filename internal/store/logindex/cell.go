package logindex

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// The numbers of a cell. They are stored by their place: add at the end only.
const (
	nRequests = iota
	nRows     // stored as rows, where nRequests also counts those that are only counted
	nSuccess
	nCanceled
	nCached
	nStreamed
	nAttempts
	nEstimated
	nCost
	nPriced
	nUnpriced
	nBytesIn
	nBytesOut
	nDurationSum // microseconds
	nDurationCount
	nFirstSum // microseconds
	nFirstCount
	nSavedIn // tokens of cache hits
	nSavedOut
	nSavedCost
	nSavedPriced
	nSavedTime // microseconds
	nGenerated
	nGenerationTime // microseconds
	nOverheadSum    // microseconds
	nOverheadCount
	nPlain // how many there are before those of token classes, which are stored apart

	nTokens = nPlain
	nKnown  = nTokens + int(sluice.ClassCount)
	nTotal  = nKnown + int(sluice.ClassCount)
)

// cell is the sum of some exchanges: a place in a roll-up. Its numbers are signed, since a correction
// takes away what was counted before.
type cell struct {
	n           [nTotal]int64
	first, last hist // of the time to the first token, and to the last byte
	own         hist // of Sluice's own part
}

// empty reports whether nothing is counted in c.
func (c *cell) empty() bool { return c.n == [nTotal]int64{} }

// A hist counts durations in buckets 10 % wide, by bucket in rising order, so that a value read back
// from a bucket's middle is off by 5 % at most.
type hist []bucket

type bucket struct {
	at int32
	n  int64
}

const bucketWidth = 1.1

// bucketOf returns the bucket of d; all below a microsecond share bucket 0.
func bucketOf(d time.Duration) int32 {
	us := float64(d) / float64(time.Microsecond)
	if us < 1 {
		return 0
	}
	return 1 + int32(math.Log(us)/math.Log(bucketWidth))
}

// middle returns the duration that stands for a bucket.
func middle(at int32) time.Duration {
	if at <= 0 {
		return 0
	}
	return time.Duration(math.Pow(bucketWidth, float64(at)-0.5) * float64(time.Microsecond))
}

func (h *hist) add(at int32, n int64) {
	if n != 0 {
		h.addFrom(0, at, n)
	}
}

// addFrom is add for a bucket that lies at place i or behind, and returns its place: buckets that come in
// rising order are mostly found at once.
func (h *hist) addFrom(i int, at int32, n int64) int {
	const near = 8
	s := *h
	if i+near < len(s) && s[i+near].at <= at {
		low, high := i+near, len(s)
		for low < high {
			if mid := int(uint(low+high) >> 1); s[mid].at < at {
				low = mid + 1
			} else {
				high = mid
			}
		}
		i = low
	}
	for i < len(s) && s[i].at < at {
		i++
	}
	if i == len(s) || s[i].at != at {
		s = slices.Insert(s, i, bucket{at: at})
		*h = s
	}
	s[i].n += n
	return i
}

func (h *hist) merge(o hist) {
	if len(*h) == 0 {
		*h = append(*h, o...)
		return
	}
	i := 0
	for _, b := range o {
		if b.n != 0 {
			i = h.addFrom(i, b.at, b.n)
		}
	}
}

// quantile returns the duration that the share p of the counted ones does not pass.
func (h hist) quantile(p float64) time.Duration {
	var total int64
	for _, b := range h {
		total += max(b.n, 0)
	}
	rank := int64(math.Ceil(p * float64(total)))
	for _, b := range h {
		if rank -= max(b.n, 0); rank <= 0 && b.n > 0 {
			return middle(b.at)
		}
	}
	return 0
}

// reset empties c but keeps its room.
func (c *cell) reset() { *c = cell{first: c.first[:0], last: c.last[:0], own: c.own[:0]} }

func (c *cell) merge(o *cell) {
	for i := range c.n {
		c.n[i] += o.n[i]
	}
	c.first.merge(o.first)
	c.last.merge(o.last)
	c.own.merge(o.own)
}

// share is what one exchange adds to each cell that it is counted in: the numbers that are not zero.
type share struct {
	index [nTotal]uint8
	n     [nTotal]int64
	len   int

	first, last, own          int32 // buckets
	hasFirst, hasLast, hasOwn bool
}

func (s *share) put(index int, n int64) {
	if n != 0 {
		s.index[s.len], s.n[s.len] = uint8(index), n
		s.len++
	}
}

func count(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// set makes s the share of e; stored: it has a row.
func (s *share) set(e *sluice.LogEntry, stored bool) {
	s.len, s.hasFirst, s.hasLast, s.hasOwn = 0, e.Timeline.FirstToken > 0, e.Timeline.End > 0, false
	s.put(nRequests, 1)
	s.put(nRows, count(stored))
	s.put(nSuccess, count(e.Success))
	s.put(nCanceled, count(!e.Success && (e.Ending == sluice.EndingClientGone || e.Ending == sluice.EndingClientSlow)))
	s.put(nCached, count(e.Cache == sluice.CacheHit))
	s.put(nStreamed, count(e.Streamed))
	s.put(nAttempts, int64(len(e.Attempts)))
	s.put(nBytesIn, e.Request.Size)
	s.put(nBytesOut, e.Response.Size)
	s.money(e)
	s.tokens(e)
	if s.hasLast {
		s.put(nDurationSum, e.Timeline.End.Microseconds())
		s.put(nDurationCount, 1)
		s.last = bucketOf(e.Timeline.End)
	}
	if s.hasFirst {
		s.put(nFirstSum, e.Timeline.FirstToken.Microseconds())
		s.put(nFirstCount, 1)
		s.first = bucketOf(e.Timeline.FirstToken)
	}
}

// setRequest adds to what set has found what is counted of requests only.
func (s *share) setRequest(e *sluice.LogEntry) {
	own, known := reqlog.Overhead(e)
	if s.hasOwn = known; known {
		s.put(nOverheadSum, own.Microseconds())
		s.put(nOverheadCount, 1)
		s.own = bucketOf(own)
	}
	out, known := e.Usage.Get(sluice.Output)
	took := e.Timeline.End - e.Timeline.FirstToken
	if known && e.Streamed && e.Usage.Basis != sluice.BasisCached && e.Timeline.FirstToken > 0 && took > 0 {
		s.put(nGenerated, out)
		s.put(nGenerationTime, took.Microseconds())
	}
}

// setCharge makes s what a charge of another model is of an exchange.
func (s *share) setCharge(c *sluice.Charge) {
	s.len, s.hasFirst, s.hasLast, s.hasOwn = 0, false, false, false
	var t tokenSums
	t.add(&c.Usage)
	s.putTokens(&t)
	if c.Priced {
		s.put(nCost, int64(c.Cost))
	}
}

func (s *share) money(e *sluice.LogEntry) {
	s.put(nPriced, count(e.Priced))
	if e.Priced {
		s.put(nCost, int64(e.Cost))
	}
	s.put(nUnpriced, count(!e.Priced && e.Usage.Known() && e.Usage.Basis != sluice.BasisCached))
	s.put(nSavedCost, int64(e.Saved.Cost))
	s.put(nSavedPriced, count(e.Saved.Priced))
	s.put(nSavedTime, e.Saved.Time.Microseconds())
	s.put(nEstimated, count(e.Usage.Basis == sluice.BasisEstimated || e.Usage.Basis == sluice.BasisPartial))
}

// tokens counts what the model that answered has used, and what others have.
func (s *share) tokens(e *sluice.LogEntry) {
	var t tokenSums
	t.add(&e.Usage)
	for i := range e.Charges {
		t.add(&e.Charges[i].Usage)
	}
	s.putTokens(&t)
}

// tokenSums are the tokens of usages.
type tokenSums struct {
	n, known          [sluice.ClassCount]int64
	savedIn, savedOut int64
	any               bool
}

// add keeps apart what a cache hit would have used: nothing was spent on it.
func (t *tokenSums) add(u *sluice.Usage) {
	if u.Basis == sluice.BasisCached {
		in, _ := u.Get(sluice.Input)
		out, _ := u.Get(sluice.Output)
		t.savedIn += in
		t.savedOut += out
		return
	}
	for class := range sluice.ClassCount {
		if n, known := u.Get(class); known {
			t.n[class] += n
			t.known[class]++
			t.any = true
		}
	}
}

func (s *share) putTokens(t *tokenSums) {
	s.put(nSavedIn, t.savedIn)
	s.put(nSavedOut, t.savedOut)
	for class := 0; t.any && class < int(sluice.ClassCount); class++ {
		s.put(nTokens+class, t.n[class])
		s.put(nKnown+class, t.known[class])
	}
}

// add adds the share to c, sign times.
func (c *cell) add(s *share, sign int64) {
	for i := range s.len {
		c.n[s.index[i]] += sign * s.n[i]
	}
	if s.hasFirst {
		c.first.add(s.first, sign)
	}
	if s.hasLast {
		c.last.add(s.last, sign)
	}
	if s.hasOwn {
		c.own.add(s.own, sign)
	}
}

// furtherHists is the place in a cell's mask that says how many histograms follow the first two.
const furtherHists = 63

// append appends the cell's encoding: a mask of the plain numbers that are not zero, and those numbers;
// a mask of the token classes that are not, and two numbers for each; and the histograms as
// distances and counts.
func (c *cell) append(b []byte) []byte {
	var plain, classes uint64
	for i, n := range c.n[:nPlain] {
		if n != 0 {
			plain |= 1 << i
		}
	}
	for i := range int(sluice.ClassCount) {
		if c.n[nTokens+i] != 0 || c.n[nKnown+i] != 0 {
			classes |= 1 << i
		}
	}
	hists, n := [...]hist{c.first, c.last, c.own}, 2
	if len(c.own) > 0 {
		plain |= 1 << furtherHists
		n = 3
	}
	b = binary.AppendUvarint(b, plain)
	for m := plain &^ (1 << furtherHists); m != 0; m &= m - 1 {
		b = binary.AppendVarint(b, c.n[bits.TrailingZeros64(m)])
	}
	if len(c.own) > 0 {
		b = binary.AppendVarint(b, 1)
	}
	b = binary.AppendUvarint(b, classes)
	for m := classes; m != 0; m &= m - 1 {
		i := bits.TrailingZeros64(m)
		b = binary.AppendVarint(b, c.n[nTokens+i])
		b = binary.AppendVarint(b, c.n[nKnown+i])
	}
	for _, h := range hists[:n] {
		b = binary.AppendUvarint(b, uint64(len(h)))
		at := int32(0)
		for _, k := range h {
			b = binary.AppendUvarint(b, uint64(k.at-at))
			b = binary.AppendVarint(b, k.n)
			at = k.at
		}
	}
	return b
}

// errCell is what malformed roll-up bytes give.
var errCell = errors.New("malformed roll-up cell")

// cellReader reads encodings one after another.
type cellReader struct {
	left []byte
	bad  bool
}

func (r *cellReader) unsigned() uint64 {
	if len(r.left) > 0 && r.left[0] < 0x80 {
		n := r.left[0]
		r.left = r.left[1:]
		return uint64(n)
	}
	v, n := binary.Uvarint(r.left)
	if n <= 0 {
		r.bad, r.left = true, nil
		return 0
	}
	r.left = r.left[n:]
	return v
}

func (r *cellReader) signed() int64 {
	v := r.unsigned()
	return int64(v>>1) ^ -int64(v&1)
}

// number returns one of the plain numbers of the next cell, whose rest is left unread.
func (r *cellReader) number(index int) (int64, error) {
	mask := r.unsigned()
	for ; mask != 0 && !r.bad; mask &= mask - 1 {
		if i, n := bits.TrailingZeros64(mask), r.signed(); i == index && !r.bad {
			return n, nil
		}
	}
	if r.bad {
		return 0, errCell
	}
	return 0, nil
}

// add adds the next cell's numbers to c.
func (r *cellReader) add(c *cell) error {
	further := r.addNumbers(c)
	if further < 0 || further > 1 {
		r.bad = true
	}
	hists := [...]*hist{&c.first, &c.last, &c.own}
	for _, h := range hists[:2+further&1] {
		r.addHist(h)
	}
	if r.bad {
		return errCell
	}
	return nil
}

// addNumbers adds all but the histograms, and returns how many of those follow the first two.
func (r *cellReader) addNumbers(c *cell) (further int64) {
	for mask := r.unsigned(); mask != 0 && !r.bad; mask &= mask - 1 {
		switch i, n := bits.TrailingZeros64(mask), r.signed(); {
		case i < nPlain:
			c.n[i] += n
		case i == furtherHists:
			further = n
		}
	}
	for mask := r.unsigned(); mask != 0 && !r.bad; mask &= mask - 1 {
		i, tokens, known := bits.TrailingZeros64(mask), r.signed(), r.signed()
		if i < int(sluice.ClassCount) {
			c.n[nTokens+i] += tokens
			c.n[nKnown+i] += known
		}
	}
	return further
}

func (r *cellReader) addHist(h *hist) {
	at, place := int32(0), 0
	fresh := len(*h) == 0
	for left := r.unsigned(); left > 0 && !r.bad; left-- {
		step, n := r.unsigned(), r.signed()
		if step > 4096 || at > 4096 {
			r.bad = true
			return
		}
		at += int32(step)
		if fresh && (len(*h) == 0 || (*h)[len(*h)-1].at < at) {
			*h = append(*h, bucket{at, n})
		} else if n != 0 {
			place = h.addFrom(place, at, n)
		}
	}
}
