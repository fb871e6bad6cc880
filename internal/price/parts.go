package price

import (
	"math"

	"github.com/sluicehq/sluice"
)

// part is one summand of a bill: qty × rate ÷ per × factor nano-dollars.
type part struct {
	class sluice.Class // what was counted
	rated sluice.Class // whose price is taken, where class has none of its own
	qty   int64
	rate  int64
	f     Ratio
}

// parts is a bill before it is added up. It is a value of fixed size, so that adding up a call costs
// no memory.
type parts struct {
	n       int
	list    [meterCount]part
	tier    int64        // the threshold that the prompt is above; 0: none
	lacks   bool         // something that was counted has no price
	missing sluice.Class // the first such class
	tokens  Ratio        // what the call's factors make of token prices
	fee     Ratio        // … and of the fee for the call
}

// add puts down qty units of class at the first price that there is among rated.
func (b *parts) add(r *rates, class sluice.Class, qty int64, f Ratio, rated ...sluice.Class) {
	if qty <= 0 {
		return
	}
	rate, of, ok := r.first(rated...)
	if !ok {
		b.lack(class)
		return
	}
	b.list[b.n] = part{class, of, qty, rate, f}
	b.n++
}

func (b *parts) lack(c sluice.Class) {
	if !b.lacks {
		b.lacks, b.missing = true, c
	}
}

// counts reads a usage with unknown classes as zero, which is right for a sum of what was reported.
type counts struct{ u *sluice.Usage }

func (c counts) of(class sluice.Class) int64 {
	n, _ := c.u.Get(class)
	return n
}

// split lays a usage out into the parts that have a price each, so that no unit is billed twice.
func (p *Price) split(u *sluice.Usage, f *Factors, b *parts) {
	c := counts{u}
	b.tokens, b.fee = p.multipliers(f)
	r := &p.base
	if len(p.tiers) > 0 {
		r = p.at(promptOf(c))
		for i := range p.tiers {
			if r == &p.tiers[i].rates {
				b.tier = p.tiers[i].above
			}
		}
	}
	p.splitUnits(c, r, b)
	units := b.n
	if units > 0 && !r.tokens() {
		return // a model billed by the page, the second or the call: its tokens are for information
	}
	splitInput(u, r, b)
	splitOutput(u, r, b)
	b.add(r, sluice.Citations, priced(r, sluice.Citations, c.of(sluice.Citations)), b.tokens, sluice.Citations)
	p.splitLeft(c, r, b)
}

// priced returns n if c has a price, else 0: for what is billed apart only where a price says so.
func priced(r *rates, c sluice.Class, n int64) int64 {
	if _, ok := r.get(c); ok {
		return n
	}
	return 0
}

// promptOf is the size of the whole prompt, cached tokens included, which chooses the tier.
func promptOf(c counts) int64 {
	in := sum(c.of(sluice.CacheRead), c.of(sluice.CacheWrite5m), c.of(sluice.CacheWrite1h))
	return max(in, c.of(sluice.Input), c.of(sluice.BilledInput))
}

// sum adds counts without passing the largest.
func sum(ns ...int64) int64 {
	total := int64(0)
	for _, n := range ns {
		if n > math.MaxInt64-total {
			return math.MaxInt64
		}
		total += n
	}
	return total
}

// splitUnits puts down what is not counted in tokens and has a price.
func (p *Price) splitUnits(c counts, r *rates, b *parts) {
	times := p.times.or1()
	if _, ok := r.get(Requests); ok && c.u.Known() {
		b.add(r, Requests, 1, b.fee, Requests)
	}
	for _, unit := range [...]sluice.Class{sluice.WebSearches, sluice.SearchUnits, sluice.Images, sluice.Milliseconds, sluice.Characters, sluice.Pages} {
		n := c.of(unit)
		if unit == sluice.Milliseconds && n > 0 {
			n = max(n, p.leastMS)
		}
		b.add(r, unit, priced(r, unit, n), times, unit)
	}
}

// splitLeft looks at what was counted in units without a price. Searches cost something everywhere, if
// not as part of a fee for the call. The other units tell how much was made of what tokens already
// paid, unless nothing else has a price.
func (p *Price) splitLeft(c counts, r *rates, b *parts) {
	if _, fee := r.get(Requests); !fee && c.of(sluice.WebSearches) > 0 {
		if _, ok := r.get(sluice.WebSearches); !ok {
			b.lack(sluice.WebSearches)
		}
	}
	if b.n > 0 {
		return
	}
	for _, unit := range [...]sluice.Class{sluice.SearchUnits, sluice.Images, sluice.Milliseconds, sluice.Characters, sluice.Pages} {
		if _, ok := r.get(unit); !ok && c.of(unit) > 0 {
			b.lack(unit)
		}
	}
}

// splitInput lays out the prompt. Input includes what was read from a cache and written to it, and
// may include audio and pictures; each goes where it has a price and is taken out of the rest.
func splitInput(u *sluice.Usage, r *rates, b *parts) {
	f := b.tokens
	if n, ok := u.Get(sluice.BilledInput); ok {
		b.add(r, sluice.BilledInput, n, f, sluice.Input)
		return
	}
	c := counts{u}
	read, write5m, write1h := c.of(sluice.CacheRead), c.of(sluice.CacheWrite5m), c.of(sluice.CacheWrite1h)
	cached := sum(read, write5m, write1h)
	audio := max(priced(r, sluice.AudioIn, c.of(sluice.AudioIn)), 0)
	image := priced(r, sluice.ImageIn, c.of(sluice.ImageIn))
	in, known := u.Get(sluice.Input)
	audioRead, told := u.Get(sluice.AudioCacheRead)
	if !told && known {
		audioRead = max(cached-(in-audio), 0) // what was cached beyond all that is no audio is audio
	}
	audioRead = min(audioRead, read, audio)
	if !known {
		in = sum(cached, audio-audioRead, image)
	}
	rest := max(in-cached, 0)
	audioNew := min(audio-audioRead, rest)
	rest -= audioNew
	imageNew := min(image, rest)
	rest -= imageNew

	b.add(r, sluice.Input, rest, f, sluice.Input)
	b.add(r, sluice.CacheRead, read-audioRead, f, sluice.CacheRead, sluice.Input)
	b.add(r, sluice.CacheWrite5m, write5m, f, sluice.CacheWrite5m, sluice.Input)
	b.add(r, sluice.CacheWrite1h, write1h, f, sluice.CacheWrite1h, sluice.CacheWrite5m, sluice.Input)
	b.add(r, sluice.AudioIn, audioNew, f, sluice.AudioIn)
	b.add(r, sluice.AudioCacheRead, audioRead, f, sluice.AudioCacheRead, sluice.AudioIn)
	b.add(r, sluice.ImageIn, imageNew, f, sluice.ImageIn)
}

// splitOutput lays out the answer. Output includes reasoning, audio and pictures; each goes apart only
// where it has a price of its own.
func splitOutput(u *sluice.Usage, r *rates, b *parts) {
	f := b.tokens
	if n, ok := u.Get(sluice.BilledOutput); ok {
		b.add(r, sluice.BilledOutput, n, f, sluice.Output)
		return
	}
	c := counts{u}
	rest, known := u.Get(sluice.Output)
	if !known {
		rest = sum(c.of(sluice.Reasoning), c.of(sluice.AudioOut), c.of(sluice.ImageOut))
	}
	for _, class := range [...]sluice.Class{sluice.AudioOut, sluice.ImageOut, sluice.Reasoning} {
		n := min(priced(r, class, c.of(class)), rest)
		rest -= n
		b.add(r, class, n, f, class)
	}
	b.add(r, sluice.Output, rest, f, sluice.Output)
}

// multipliers returns what the call's factors make of the prices of tokens, and of the fee for the
// call. What no rule knows changes nothing; Bill says so.
func (p *Price) multipliers(f *Factors) (tokens, fee Ratio) {
	tokens, fee = p.times.or1(), p.times.or1()
	if *f == (Factors{}) {
		return tokens, fee
	}
	for _, want := range f.list() {
		if rule := p.rule(want); rule == nil {
			continue
		} else if rule.on == Requests {
			fee = fee.mul(rule.times)
		} else {
			tokens = tokens.mul(rule.times)
		}
	}
	return tokens, fee
}

// condition is one thing that is so for a call.
type condition struct{ when, is string }

// list returns the conditions, each once: batch may be told by the job and by the service tier. What
// is not told has an empty is.
func (f *Factors) list() [5]condition {
	l := [...]condition{
		{"tier", f.ServiceTier}, {"tier", f.Speed}, {"tier", ""}, {"geo", f.InferenceGeo}, {"search_context", f.SearchContext},
	}
	if f.Speed == f.ServiceTier {
		l[1].is = ""
	}
	if f.Batch && f.ServiceTier != "batch" && f.Speed != "batch" {
		l[2].is = "batch"
	}
	return l
}

// rule returns the first rule for a condition, nil when there is none.
func (p *Price) rule(c condition) *factor {
	if c.is == "" {
		return nil
	}
	for i := range p.factors {
		if p.factors[i].when == c.when && p.factors[i].is == c.is {
			return &p.factors[i]
		}
	}
	return nil
}
