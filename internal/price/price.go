// Package price knows what calls cost: a catalogue of list prices, and the arithmetic from counts to
// money.
//
// Amounts are exact until the very end. A price is a whole number of nano-dollars for a million units
// (for time: for an hour), a multiplier is a fraction, so a bill is a sum of fractions; it is rounded
// once, half up, to a nano-dollar. No float takes part.
//
// Known, zero and missing are three things. A price of zero is a price: the call is known to cost
// nothing. A model without a row, or a count without a price to go with it, has an unknown cost, which
// is never shown or added up as zero.
//
// How each class of usage is billed is told in docs/prices.md.
package price

import (
	"time"

	"github.com/sluicehq/sluice"
)

// Requests stands beside the classes of usage for what a provider takes for the call as such.
const Requests = sluice.ClassCount

// meterCount is how many kinds of price there are: one per class, and Requests.
const meterCount = int(sluice.ClassCount) + 1

// MeterName returns the name of a class or of Requests, as catalogues and bills write it.
func MeterName(c sluice.Class) string {
	if c == Requests {
		return "requests"
	}
	return c.String()
}

// meters are the classes by name.
func meters() map[string]sluice.Class {
	byName := make(map[string]sluice.Class, meterCount)
	for c := range Requests + 1 {
		byName[MeterName(c)] = c
	}
	return byName
}

// Per returns how many units of c a price is for: an hour's milliseconds for Milliseconds, a million
// of anything else.
func Per(c sluice.Class) int64 {
	if c == sluice.Milliseconds {
		return 3_600_000
	}
	return 1_000_000
}

// isToken tells whether c counts LLM tokens, which is what a service tier makes cheaper or dearer.
func isToken(c sluice.Class) bool {
	switch c {
	case sluice.WebSearches, sluice.SearchUnits, sluice.Images, sluice.Milliseconds, sluice.Characters, sluice.Pages, Requests:
		return false
	}
	return true
}

// rates are prices by class, each in nano-USD for Per(class) units. The zero rates price nothing.
type rates struct {
	known uint32
	n     [meterCount]int64
}

func (r *rates) set(c sluice.Class, nano int64) {
	r.known |= 1 << c
	r.n[c] = nano
}

func (r *rates) get(c sluice.Class) (nano int64, known bool) { return r.n[c], r.known&(1<<c) != 0 }

// first returns the price of the first of the classes that has one, and which that is.
func (r *rates) first(classes ...sluice.Class) (nano int64, of sluice.Class, known bool) {
	for _, c := range classes {
		if n, ok := r.get(c); ok {
			return n, c, true
		}
	}
	return 0, classes[0], false
}

// tier replaces the rates for every token of a call whose whole prompt has more than above tokens.
type tier struct {
	above int64
	rates rates
}

// Price is what one model costs at one time. It is immutable and safe for concurrent use. The zero
// Price prices nothing: every bill of it is unknown.
type Price struct {
	base    rates
	tiers   []tier // by rising above
	leastMS int64  // what a call's time is billed as at least; 0: as it is
	factors []factor
	times   Ratio // an operator's multiplier on everything; the zero Ratio is 1
}

// Rate returns the price of c in nano-USD for Per(c) units, for prompts below the first threshold. It
// is the listed price only: what is billed in place of a missing one, Bill tells.
func (p *Price) Rate(c sluice.Class) (nano int64, listed bool) {
	if c > Requests {
		return 0, false
	}
	return p.base.get(c)
}

// Thresholds returns the prompt sizes above which other prices hold, rising; nil when there are none.
func (p *Price) Thresholds() []int64 {
	var above []int64
	for i := range p.tiers {
		above = append(above, p.tiers[i].above)
	}
	return above
}

// RateAbove is Rate for prompts above a threshold.
func (p *Price) RateAbove(threshold int64, c sluice.Class) (nano int64, listed bool) {
	if c > Requests {
		return 0, false
	}
	return p.at(threshold + 1).get(c)
}

// at returns the rates for a prompt of so many tokens.
func (p *Price) at(prompt int64) *rates {
	r := &p.base
	for i := range p.tiers {
		if prompt > p.tiers[i].above {
			r = &p.tiers[i].rates
		}
	}
	return r
}

// tokens tells whether any kind of token has a price.
func (r *rates) tokens() bool {
	for c := range Requests {
		if _, ok := r.get(c); ok && isToken(c) {
			return true
		}
	}
	return false
}

// Factors are what changes all prices of one call. They are read from the answer, never from the
// request: a provider that could not give the tier that was asked for bills the one it gave.
type Factors struct {
	Batch         bool   // the call was part of a batch job
	ServiceTier   string // as the answer words it, lower case: "flex", "priority", "batch", "fast"; "" ordinary
	Speed         string // Anthropic's usage.speed; the same as a service tier of that name
	InferenceGeo  string // Anthropic's usage.inference_geo: "us", "global"; "" not told
	SearchContext string // Perplexity's usage.search_context_size: "low", "medium", "high"; "" not told
}

// factor is one rule of a provider: where the call is so, its prices are times that.
type factor struct {
	when  string // "tier", "geo", "search_context"
	is    string
	times Ratio
	on    sluice.Class // Requests: the fee for the call; else all tokens
	match []string     // patterns of the models that it holds for
}

// dated is a model's price for a time: from a day on, and in some hours of the day only.
type dated struct {
	from  time.Time // zero: always
	hours []span    // none: the whole day
	price Price
}

// span is a part of each day, UTC, in minutes since midnight: [from, to). It may pass midnight.
type span struct{ from, to int }

func (s span) holds(minute int) bool {
	if s.from <= s.to {
		return s.from <= minute && minute < s.to
	}
	return minute >= s.from || minute < s.to
}

func (d *dated) holds(at time.Time) bool {
	if at.Before(d.from) {
		return false
	}
	if len(d.hours) == 0 {
		return true
	}
	at = at.UTC()
	minute := at.Hour()*60 + at.Minute()
	for _, s := range d.hours {
		if s.holds(minute) {
			return true
		}
	}
	return false
}

// Model is one row of a catalogue. It is immutable.
type Model struct {
	Provider string
	Name     string   // as the provider's API takes it
	Aliases  []string // other names with the same price
	Patterns []string // names that are priced so when no row has them: * is any text, # a digit, ! in front: but not these
	Source   string   // where the prices were read
	AsOf     string   // the day they were read, YYYY-MM-DD
	Note     string   // for people; often ""
	prices   []dated  // in order: the last that holds counts
	override bool
}

// At returns the model's price at a time, nil when it had none then.
func (m *Model) At(at time.Time) *Price {
	for i := len(m.prices) - 1; i >= 0; i-- {
		if m.prices[i].holds(at) {
			return &m.prices[i].price
		}
	}
	return nil
}
