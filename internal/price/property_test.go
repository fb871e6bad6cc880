package price

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice"
)

// drawnPrompt is a usage whose parts add up, as meters make them.
func drawUsage(t *rapid.T) sluice.Usage {
	n := func(name string) int64 { return rapid.Int64Range(0, 400_000).Draw(t, name) }
	var u sluice.Usage
	text, read, write5m, write1h, audio, image := n("text"), n("read"), n("5m"), n("1h"), n("audio"), n("image")
	audioRead := rapid.Int64Range(0, read).Draw(t, "audio read")
	u.Set(sluice.Input, text+read+write5m+write1h+audio+image)
	u.Set(sluice.CacheRead, read)
	u.Set(sluice.CacheWrite5m, write5m)
	u.Set(sluice.CacheWrite1h, write1h)
	u.Set(sluice.AudioIn, audio+audioRead)
	u.Set(sluice.AudioCacheRead, audioRead)
	u.Set(sluice.ImageIn, image)
	words, thought, speech, picture := n("words"), n("thought"), n("speech"), n("picture")
	u.Set(sluice.Output, words+thought+speech+picture)
	u.Set(sluice.Reasoning, thought)
	u.Set(sluice.AudioOut, speech)
	u.Set(sluice.ImageOut, picture)
	u.Set(sluice.WebSearches, n("searches"))
	return u
}

// drawRates draws prices for tokens. Writing to a cache and reading from it may have none; reading, when
// it has one, is not dearer than reading anew.
func drawRates(t *rapid.T, least int64) rates {
	var r rates
	some := func(c sluice.Class, from, to int64) {
		if rapid.Bool().Draw(t, "has "+c.String()) {
			r.set(c, rapid.Int64Range(from, max(from, to)).Draw(t, c.String()))
		}
	}
	in := rapid.Int64Range(least, 1<<40).Draw(t, "input")
	r.set(sluice.Input, in)
	r.set(sluice.Output, rapid.Int64Range(0, 1<<40).Draw(t, "output"))
	r.set(sluice.WebSearches, rapid.Int64Range(0, 1<<45).Draw(t, "searches"))
	some(sluice.AudioIn, in, 1<<41)
	some(sluice.ImageIn, in, 1<<41)
	some(sluice.CacheRead, 0, in)
	some(sluice.AudioCacheRead, 0, in)
	for _, c := range []sluice.Class{sluice.CacheWrite5m, sluice.CacheWrite1h, sluice.Reasoning, sluice.AudioOut, sluice.ImageOut} {
		some(c, 0, 1<<41)
	}
	return r
}

func drawPrice(t *rapid.T) *Price {
	p := &Price{base: drawRates(t, 1), factors: []factor{
		{when: "tier", is: "flex", times: Ratio{1, 2}, on: sluice.Input},
		{when: "tier", is: "priority", times: Ratio{7, 4}, on: sluice.Input},
		{when: "geo", is: "us", times: Ratio{11, 10}, on: sluice.Input},
		{when: "geo", is: "third", times: Ratio{1, 3}, on: sluice.Input},
	}}
	if rapid.Bool().Draw(t, "tiered") {
		p.tiers = []tier{{above: rapid.Int64Range(1, 1_000_000).Draw(t, "above"), rates: drawRates(t, 1)}}
	}
	return p
}

func drawFactors(t *rapid.T) Factors {
	return Factors{
		ServiceTier:  rapid.SampledFrom([]string{"", "flex", "priority", "other"}).Draw(t, "tier"),
		InferenceGeo: rapid.SampledFrom([]string{"", "us", "third"}).Draw(t, "geo"),
	}
}

func TestPropertyCostIsTheExactSumRoundedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, u, f := drawPrice(t), drawUsage(t), drawFactors(t)
		b := p.Bill(u, f)
		sum, inputs, outputs := new(big.Rat), int64(0), int64(0)
		for _, l := range b.Lines {
			amount := new(big.Rat).Mul(big.NewRat(l.Quantity, l.Per), big.NewRat(l.Rate, 1))
			sum.Add(sum, amount.Mul(amount, big.NewRat(l.Factor.Num, l.Factor.Den)))
			switch l.Class {
			case sluice.Input, sluice.CacheRead, sluice.CacheWrite5m, sluice.CacheWrite1h, sluice.AudioIn, sluice.AudioCacheRead, sluice.ImageIn:
				inputs += l.Quantity
			case sluice.Output, sluice.Reasoning, sluice.AudioOut, sluice.ImageOut:
				outputs += l.Quantity
			}
		}
		if in, _ := u.Get(sluice.Input); in != inputs {
			t.Fatalf("%d of %d tokens of input are billed", inputs, in)
		}
		if out, _ := u.Get(sluice.Output); out != outputs {
			t.Fatalf("%d of %d tokens of output are billed", outputs, out)
		}
		off := new(big.Rat).Sub(big.NewRat(int64(b.Total), 1), sum)
		if !b.Known || sum.Cmp(b.Sum) != 0 || off.Cmp(big.NewRat(1, 2)) > 0 || off.Cmp(big.NewRat(-1, 2)) <= 0 {
			t.Fatalf("total %d, sum %s, lines add up to %s", b.Total, b.Sum, sum)
		}
		if cost, known := p.Cost(u, f); cost != b.Total || !known {
			t.Fatalf("Cost = %d, %v; Bill = %d", cost, known, b.Total)
		}
	})
}

// warmer moves n tokens of text from what was read anew to what the cache had.
func warmer(u sluice.Usage, n int64) sluice.Usage {
	read, _ := u.Get(sluice.CacheRead)
	u.Set(sluice.CacheRead, read+n)
	return u
}

func text(u *sluice.Usage) int64 {
	c := counts{u}
	return c.of(sluice.Input) - c.of(sluice.CacheRead) - c.of(sluice.CacheWrite5m) - c.of(sluice.CacheWrite1h) -
		(c.of(sluice.AudioIn) - c.of(sluice.AudioCacheRead)) - c.of(sluice.ImageIn)
}

func TestPropertyHotIsNeverDearerThanCold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, u, f := drawPrice(t), drawUsage(t), drawFactors(t)
		hot, _ := p.Cost(warmer(u, rapid.Int64Range(0, text(&u)).Draw(t, "cached")), f)
		if cold, _ := p.Cost(u, f); hot > cold {
			t.Fatalf("hot %d, cold %d", hot, cold)
		}
	})
}

func TestHotIsNeverDearerThanColdInTheList(t *testing.T) {
	for m := range Embedded().Models() {
		p := m.At(noon)
		for _, in := range []int64{2_422, 250_000, 400_000} {
			var cold sluice.Usage
			cold.Set(sluice.Input, in)
			cold.Set(sluice.Output, 4)
			before, known := p.Cost(cold, Factors{})
			for _, cached := range []int64{1, in / 2, in} {
				if hot, _ := p.Cost(warmer(cold, cached), Factors{}); known && hot > before {
					t.Errorf("%s/%s: %d of %d cached cost %d, none %d", m.Provider, m.Name, cached, in, hot, before)
				}
			}
		}
	}
}

func TestPropertyMoreNeverCostsLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, u, f := drawPrice(t), drawUsage(t), drawFactors(t)
		p.tiers = nil // a list may make long prompts cheaper; no rule of ours does
		more := u
		c := sluice.Class(rapid.IntRange(0, int(sluice.WebSearches)).Draw(t, "class"))
		n := rapid.Int64Range(0, 1_000).Draw(t, "more")
		for _, whole := range whole(c) {
			had, _ := more.Get(whole)
			more.Set(whole, had+n)
		}
		before, _ := p.Cost(u, f)
		if after, _ := p.Cost(more, f); after < before {
			t.Fatalf("%d more of %s: %d, before %d", n, c, after, before)
		}
	})
}

// whole returns a class and those that it is part of.
func whole(c sluice.Class) []sluice.Class {
	switch c {
	case sluice.CacheRead, sluice.CacheWrite5m, sluice.CacheWrite1h, sluice.AudioIn, sluice.ImageIn:
		return []sluice.Class{c, sluice.Input}
	case sluice.Reasoning, sluice.AudioOut, sluice.ImageOut, sluice.AcceptedPrediction, sluice.RejectedPrediction:
		return []sluice.Class{c, sluice.Output}
	}
	return []sluice.Class{c}
}

func TestPropertyAnyCountsAreSafe(t *testing.T) {
	c := Embedded()
	var all []*Model
	for m := range c.Models() {
		all = append(all, m)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(all).Draw(t, "model").At(noon)
		var u sluice.Usage
		for class := range sluice.ClassCount {
			if rapid.Bool().Draw(t, "known") {
				u.Set(class, rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, math.MaxInt64)).Draw(t, class.String()))
			}
		}
		b := p.Bill(u, Factors{})
		cost, known := p.Cost(u, Factors{})
		if cost != b.Total || known != b.Known || cost < 0 || !known && cost != 0 {
			t.Fatalf("Cost = %d, %v; Bill = %d, %v", cost, known, b.Total, b.Known)
		}
	})
}

func TestCostDoesNotAllocate(t *testing.T) {
	c := Embedded()
	u := usageOf(t, "input=300000 cache_read=1000 output=300 reasoning=100 web_searches=1")
	n := testing.AllocsPerRun(100, func() {
		p, _, _ := c.Find("openai", "gpt-5.4-2026-12-24", noon)
		p.Cost(u, Factors{ServiceTier: "flex", InferenceGeo: "us"})
	})
	if n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}
