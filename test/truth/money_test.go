package truth

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// nano is an amount of money: a billionth of a US dollar.
type nano int64

// usage counts by class, as the API names them. A class that is missing was not reported.
type usage map[string]int64

// price holds prices in nano-dollars for a million tokens.
type price struct {
	input, output, cacheRead, write5m, write1h int64
}

// usd is a price given in US dollars for a million tokens, which has nine places at most.
func usd(dollars string) int64 {
	n, ok := parseNano(dollars)
	if !ok {
		panic("no price: " + dollars)
	}
	return int64(n)
}

// prices are what a call costs, by provider and model: our own, which the configuration has, and a few of the
// program's list, as the providers' pages give them.
func prices() map[string]price {
	return map[string]price{
		// Our own; see config.
		"openai/truth-large":  {input: usd("1.234567891"), output: usd("9.87654321"), cacheRead: usd("0.123456789")},
		"openai/truth-small":  {input: usd("0.000000001"), output: usd("0.000000003")},
		"anthropic/truth-c":   {input: usd("3.3"), output: usd("15.7"), cacheRead: usd("0.33"), write5m: usd("4.125"), write1h: usd("6.6")},
		"truth-own/engine-1":  {input: usd("0.7"), output: usd("0.9")},
		"truth-next/engine-2": {input: usd("0.11"), output: usd("0.13")},
		// https://platform.openai.com/docs/pricing, https://claude.com/pricing, https://ai.google.dev/pricing
		"openai/gpt-4o-mini":                {input: usd("0.15"), output: usd("0.6"), cacheRead: usd("0.075")},
		"anthropic/claude-sonnet-4-5":       {input: usd("3"), output: usd("15"), cacheRead: usd("0.3"), write5m: usd("3.75"), write1h: usd("6")},
		"google-ai-studio/gemini-2.5-flash": {input: usd("0.3"), output: usd("2.5"), cacheRead: usd("0.03")},
	}
}

// costOf is what u costs: each class at its price, the sum rounded once, half up. known is false where the model
// has no price.
func costOf(provider, model string, u usage) (cost nano, known bool) {
	return costOfAll(provider, map[string]usage{model: u})
}

// costOfAll is what one attempt costs in which several models had a part: the sum over all is rounded.
func costOfAll(provider string, all map[string]usage) (cost nano, known bool) {
	sum := new(big.Int)
	add := func(n, at int64) { sum.Add(sum, new(big.Int).Mul(big.NewInt(n), big.NewInt(at))) }
	for model, u := range all {
		p, known := prices()[provider+"/"+model]
		if !known {
			return 0, false
		}
		read, w5, w1 := u["cache_read"], u["cache_write_5m"], u["cache_write_1h"]
		add(u["input"]-read-w5-w1, p.input)
		add(u["output"], p.output)
		add(read, or(p.cacheRead, p.input))
		add(w5, or(p.write5m, p.input))
		add(w1, or(p.write1h, or(p.write5m, p.input)))
	}
	return rounded(sum, 1_000_000), true
}

func or(a, b int64) int64 {
	if a != 0 {
		return a
	}
	return b
}

// rounded is sum / by, half up.
func rounded(sum *big.Int, by int64) nano {
	twice := new(big.Int).Mul(sum, big.NewInt(2))
	twice.Add(twice, big.NewInt(by))
	return nano(twice.Div(twice, big.NewInt(2*by)).Int64())
}

// parseNano reads a decimal number of US dollars that is a whole number of nano-dollars.
func parseNano(s string) (nano, bool) {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(1_000_000_000, 1))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return nano(r.Num().Int64()), true
}

func TestTheDriversOwnArithmetic(t *testing.T) {
	for _, tt := range []struct {
		provider, model string
		u               usage
		want            nano
	}{
		// 1000 × 0.15 + 500 × 0.6 USD per million = 0.00045 USD
		{"openai", "gpt-4o-mini", usage{"input": 1000, "output": 500}, 450_000},
		// (1000 - 200) × 0.15 + 200 × 0.075 + 500 × 0.6
		{"openai", "gpt-4o-mini", usage{"input": 1000, "output": 500, "cache_read": 200}, 435_000},
		// 1 × 1.234567891 USD / 1,000,000 = 1,234.567891 nano-dollars
		{"openai", "truth-large", usage{"input": 1}, 1235},
		// 500,000 × 0.000000001 USD / 1,000,000 = half a nano-dollar
		{"openai", "truth-small", usage{"input": 500_000}, 1},
		{"openai", "truth-small", usage{"input": 499_999}, 0},
		// 100 × 3 + 200 × 3.75 + 300 × 6 + 400 × 0.3 + 50 × 15
		{"anthropic", "claude-sonnet-4-5", usage{"input": 1000, "output": 50, "cache_read": 400, "cache_write_5m": 200, "cache_write_1h": 300}, 3_720_000},
	} {
		if got, known := costOf(tt.provider, tt.model, tt.u); got != tt.want || !known {
			t.Errorf("%s %v: %d, want %d", tt.model, tt.u, got, tt.want)
		}
	}
	if _, known := costOf("openai", "nobody-knows-1", usage{"input": 1}); known {
		t.Error("a model without a price has a cost")
	}
	if n, ok := parseNano("0.000000001"); !ok || n != 1 {
		t.Error("a nano-dollar is not read")
	}
	if _, ok := parseNano("0.0000000001"); ok {
		t.Error("a tenth of a nano-dollar is read")
	}
}

// String shows an amount in US dollars.
func (n nano) String() string {
	s := fmt.Sprintf("%010d", int64(n))
	return strings.TrimRight(s[:len(s)-9]+"."+s[len(s)-9:], "0")
}
