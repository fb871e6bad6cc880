package openai

import (
	"math/big"
	"strings"

	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// costOf tells from members of a usage object what the answer cost, in US dollars as wire.Reading wants
// them: the number cost (OpenRouter, https://openrouter.ai/docs/use-cases/usage-accounting),
// cost.total_cost (Perplexity) or cost_in_usd_ticks (xAI, ten thousand million to the dollar). At
// OpenRouter, what a call with the caller's own provider key (is_byok) cost there is not part of cost, and
// stands beside it, in cost_details.
func costOf(cost, ticks, byok, details jsonscan.Value) string {
	if text, ok := ticks.Decimal(-10); ok {
		return text
	}
	if cost.Kind == jsonscan.Object {
		cost = member(cost, "total_cost")
	}
	text, ok := cost.Decimal(0)
	if own, _ := byok.Bool(); !ok || !own {
		return text
	}
	upstream, ok := member(details, "upstream_inference_cost").Decimal(0)
	if !ok {
		return ""
	}
	return add(text, upstream)
}

// member returns a member of an object, and what was not found of anything else.
func member(v jsonscan.Value, name string) jsonscan.Value {
	var out [1]jsonscan.Value
	if v.Kind == jsonscan.Object {
		jsonscan.Top(v.Raw, []string{name}, out[:])
	}
	return out[0]
}

// add adds two decimals without exponents.
func add(a, b string) string {
	_, af, _ := strings.Cut(a, ".")
	_, bf, _ := strings.Cut(b, ".")
	x, xok := new(big.Rat).SetString(a)
	y, yok := new(big.Rat).SetString(b)
	if !xok || !yok {
		return ""
	}
	return x.Add(x, y).FloatString(max(len(af), len(bf)))
}
