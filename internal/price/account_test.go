package price

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// countsOf makes a usage of classes and counts in turn.
func countsOf(counts ...int64) sluice.Usage {
	u := sluice.Usage{Basis: sluice.BasisProvider}
	for i := 0; i < len(counts); i += 2 {
		u.Set(sluice.Class(counts[i]), counts[i+1])
	}
	return u
}

// TestSettleAddsUpModelsAndAttempts: a token of input to the model half costs half a nano-dollar.
func TestSettleAddsUpModelsAndAttempts(t *testing.T) {
	c, err := Parse([]byte(`{"schema":1,"version":"v1","date":"2026-11-24","sources":["a page"],"providers":[
		{"id":"p","factors":[{"when":"tier","is":"batch","times":"1/2"},{"when":"geo","is":"us","times":"3"}],"models":[
		{"model":"half","source":0,"as_of":"2026-11-24","prices":[{"rates":{"input":500000,"output":2000000}}]},
		{"model":"long","source":0,"as_of":"2026-11-24","prices":[{"rates":{"input":1000000},"tiers":[{"above":10,"rates":{"input":5000000}}]}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	in := func(n int64) sluice.Usage { return countsOf(int64(sluice.Input), n) }
	perToken, err := Custom(`{"per_token_in":0.0000000015,"per_token_out":1}`)
	if err != nil {
		t.Fatal(err)
	}
	total, err := Custom(`{"total_cost":0.000000007}`)
	if err != nil {
		t.Fatal(err)
	}
	half := func(n int64) sluice.Charge { return sluice.Charge{Model: "half", Usage: in(n)} }
	served := sluice.Attempt{Provider: "p", Model: "half", Usage: in(3)}
	failed := func(model string, n int64) sluice.Attempt {
		return sluice.Attempt{Provider: "p", Model: model, Cause: "error_event", Usage: in(n)}
	}
	type entry = sluice.LogEntry
	for _, tt := range []struct {
		name     string
		e        entry
		reported string
		custom   *CustomCost
		cost     sluice.NanoUSD
		basis    sluice.CostBasis
		attempts []int64 // their costs; -1: not known
		account  int64   // what the arithmetic comes to; -1: not known
	}{
		{name: "one model", e: entry{Usage: in(3)}, cost: 2, basis: sluice.CostCatalogue, account: 2},
		{name: "two halves are one", e: entry{Usage: in(3), Charges: []sluice.Charge{half(1)}}, cost: 2, basis: sluice.CostCatalogue, account: 2},
		{name: "three charges", e: entry{Usage: in(0), Charges: []sluice.Charge{half(1), half(1), half(1)}}, cost: 2, basis: sluice.CostCatalogue, account: 2},
		{
			name: "each charge has its own tier and prompt, the place is the call's", cost: 3*2 + 3*(1+4) + 3*10 + 3*55, basis: sluice.CostCatalogue, account: 216,
			e: entry{Usage: in(8), Tier: "batch", Geo: "us", Charges: []sluice.Charge{
				{Model: "half", Usage: countsOf(int64(sluice.Input), 2, int64(sluice.Output), 2)},
				{Model: "long", Usage: in(10)},
				{Model: "long", Usage: in(11)},
			}},
		},
		{name: "a charge without a price", e: entry{Usage: in(3), Charges: []sluice.Charge{half(1), {Model: "x", Usage: in(1)}}}, account: -1},
		{name: "a charge without a name", e: entry{Usage: in(3), Charges: []sluice.Charge{{Usage: in(1)}}}, account: -1},
		{name: "a charge without counts", e: entry{Usage: in(3), Charges: []sluice.Charge{{Model: "half"}}}, account: -1},
		{name: "charges beside an unknown usage", e: entry{Charges: []sluice.Charge{half(1)}}, account: -1},
		{name: "as the provider reports it", reported: "0.00000005", e: entry{Usage: in(3), Charges: []sluice.Charge{half(1)}}, cost: 50, basis: sluice.CostReported, account: 2},
		{
			name: "the request's price holds for all tokens", custom: &perToken, cost: 6, basis: sluice.CostCustom, account: 2,
			e: entry{Usage: in(3), Charges: []sluice.Charge{half(1)}},
		},
		{name: "the request's price of unknown counts", custom: &perToken, e: entry{Usage: in(3), Charges: []sluice.Charge{{Model: "half"}}}, account: -1},
		{
			name: "each attempt is rounded", cost: 2 + 2 + 1, basis: sluice.CostCatalogue, attempts: []int64{2, 1, -1, 2}, account: 5,
			e: entry{Usage: in(3), Attempts: []sluice.Attempt{failed("half", 3), failed("half", 1), {Provider: "p", Model: "half", Cause: "dial"}, served}},
		},
		{
			name: "a tier is the answer's, not that of attempts", cost: 1 + 2, basis: sluice.CostCatalogue, attempts: []int64{2, 1}, account: 3,
			e: entry{Usage: in(3), Tier: "batch", Attempts: []sluice.Attempt{failed("half", 3), served}},
		},
		{
			name: "an attempt without a price", attempts: []int64{-1, 2}, account: -1,
			e: entry{Usage: in(3), Attempts: []sluice.Attempt{failed("x", 3), served}},
		},
		{
			name: "an answer without counts", attempts: []int64{2, -1}, account: -1,
			e: entry{Attempts: []sluice.Attempt{failed("half", 3), {Provider: "p", Model: "half"}}},
		},
		{
			name: "a price of the whole call counts once", custom: &total, cost: 7, basis: sluice.CostCustom, attempts: []int64{0, 7}, account: 4,
			e: entry{Usage: in(3), Attempts: []sluice.Attempt{failed("half", 3), served}},
		},
		{
			name: "a price of each token holds for each attempt", custom: &perToken, cost: 5 + 2, basis: sluice.CostCustom, attempts: []int64{2, 5}, account: 3,
			e: entry{Usage: in(3), Attempts: []sluice.Attempt{failed("half", 1), served}},
		},
		{
			name: "the cache answers behind an attempt", cost: 2, basis: sluice.CostCatalogue, attempts: []int64{2}, account: 2,
			e: entry{Usage: sluice.Usage{Basis: sluice.BasisCached}, Cache: sluice.CacheHit, Attempts: []sluice.Attempt{failed("half", 3)}},
		},
		{name: "the cache answers", basis: sluice.CostCached, e: entry{Usage: sluice.Usage{Basis: sluice.BasisCached}, Cache: sluice.CacheHit}},
		{
			name: "more than there is money", attempts: []int64{math.MaxInt64 / 2, math.MaxInt64 / 2, 2}, account: -1,
			e: entry{Usage: in(3), Attempts: []sluice.Attempt{failed("half", math.MaxInt64-2), failed("half", math.MaxInt64-2), served}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := tt.e
			e.Start, e.Provider, e.Model = time.Unix(1_795_000_000, 0), "p", "half"
			e.Attempts = append([]sluice.Attempt{}, e.Attempts...)
			c.Settle(&e, Reported{Cost: tt.reported}, tt.custom)
			known := tt.basis != sluice.CostUnknown
			if e.Cost != tt.cost || e.Priced != known || e.CostBasis != tt.basis || (e.Prices == "v1") != (tt.basis == sluice.CostCatalogue) {
				t.Errorf("%d, priced %t, %v, by %q; want %d, %v", e.Cost, e.Priced, e.CostBasis, e.Prices, tt.cost, tt.basis)
			}
			for i, want := range tt.attempts {
				if a := e.Attempts[i]; a.Priced != (want >= 0) || a.Priced && int64(a.Cost) != want {
					t.Errorf("attempt %d: %d, %t; want %d", i, a.Cost, a.Priced, want)
				}
			}
			a := c.Account(&e, FactorsOf(&e, Reported{}))
			if a.Known != (tt.account >= 0) || a.Known && int64(a.Total) != tt.account || a.Known == (a.Reason != "") {
				t.Errorf("the arithmetic comes to %d, %t %q; want %d", a.Total, a.Known, a.Reason, tt.account)
			}
			if tt.reported == "" && tt.custom == nil && (a.Known != e.Priced || a.Total != e.Cost) {
				t.Errorf("the arithmetic comes to %d, the log says %d", a.Total, e.Cost)
			}
		})
	}
}

// TestAccountIsWhatSettleDoes compares both for anything that a log may hold.
func TestAccountIsWhatSettleDoes(t *testing.T) {
	c := Embedded()
	rng := rand.New(rand.NewPCG(1, 2))
	names := []string{"claude-opus-5", "claude-sonnet-4-6", "claude-haiku-4-5", "claude-fable-5", "claude-opus-4-6", "nobody", ""}
	name := func() string { return names[min(rng.IntN(3*len(names)), len(names)-1-rng.IntN(5))] }
	usage := func() sluice.Usage {
		u := sluice.Usage{Basis: sluice.BasisProvider}
		for _, class := range []sluice.Class{sluice.Input, sluice.Output, sluice.CacheRead, sluice.CacheWrite5m, sluice.CacheWrite1h, sluice.WebSearches} {
			if rng.IntN(3) > 0 {
				u.Set(class, rng.Int64N(400_000))
			}
		}
		return u
	}
	tiers := []string{"", "batch", "fast", "unheard-of"}
	priced := 0
	for range 5000 {
		e := sluice.LogEntry{
			Start: time.Unix(1_780_000_000, 0), Provider: "anthropic", Model: name(), Served: name(), Usage: usage(),
			Tier: tiers[rng.IntN(len(tiers))], Geo: []string{"", "us"}[rng.IntN(2)],
		}
		for range rng.IntN(3) {
			e.Charges = append(e.Charges, sluice.Charge{Model: name(), Tier: tiers[rng.IntN(len(tiers))], Usage: usage()})
		}
		for range rng.IntN(4) {
			a := sluice.Attempt{Provider: "anthropic", Model: name(), Cause: "status"}
			if rng.IntN(2) == 0 {
				a.Usage = usage()
			}
			e.Attempts = append(e.Attempts, a)
		}
		if rng.IntN(10) == 0 {
			e.Cache, e.Usage.Basis = sluice.CacheHit, sluice.BasisCached
		}
		c.Settle(&e, Reported{}, nil)
		a := c.Account(&e, FactorsOf(&e, Reported{}))
		if a.Known != e.Priced || a.Total != e.Cost {
			t.Fatalf("the arithmetic comes to %d, %t (%s), the log says %d, %t: %+v", a.Total, a.Known, a.Reason, e.Cost, e.Priced, e)
		}
		var sum sluice.NanoUSD
		for _, try := range a.Tries {
			sum += try.Total
		}
		if a.Known && sum != a.Total {
			t.Fatalf("the tries add up to %d, not %d", sum, a.Total)
		}
		if a.Known {
			priced++
		}
	}
	if priced < 1000 {
		t.Errorf("only %d were priced", priced)
	}
}

func TestExplainNamesEachModelAndAttempt(t *testing.T) {
	e := sluice.LogEntry{
		Start: time.Unix(1_795_000_000, 0), Provider: "anthropic", Model: "claude-haiku-4-5", Usage: countsOf(int64(sluice.Input), 100),
		Charges: []sluice.Charge{{Model: "claude-opus-5", Usage: countsOf(int64(sluice.Output), 10)}, {Usage: countsOf(int64(sluice.Output), 1)}},
		Attempts: []sluice.Attempt{
			{Provider: "openai", Model: "nobody", Cause: "error_event", Usage: countsOf(int64(sluice.Input), 7)},
			{Provider: "anthropic", Model: "claude-haiku-4-5"},
		},
	}
	a := Embedded().Account(&e, Factors{})
	text := a.Explain()
	for _, want := range []string{
		"attempt 1, openai/nobody, not delivered (error_event):\ncost: not known, the model has no price\n",
		"attempt 2, anthropic/claude-haiku-4-5:\ninput ",
		"and claude-opus-5:\noutput ",
		"and a model without a name:\ncost: not known, a model without a name: the model has no price\n",
		"cost of all attempts: not known, attempt 1: the model has no price\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s\ndoes not say %q", text, want)
		}
	}
}
