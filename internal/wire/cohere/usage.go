package cohere

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// usageOf turns an object with counts into a Usage: the only place where this dialect's do. tokens are
// what the model saw, a hidden preamble included, and billed_units what is charged; both are kept. Where
// there are only billed_units, as for embeddings, they are what is known of the input and the output. Counts are written as fractions ("12.0").
func usageOf(v jsonscan.Value) sluice.Usage {
	outer := members(v, "tokens", "billed_units", "cached_tokens")
	tokens := members(outer[0], "input_tokens", "output_tokens")
	billed := members(outer[1], "input_tokens", "output_tokens", "search_units")

	var u sluice.Usage
	pair(&u, tokens[0], billed[0], sluice.Input, sluice.BilledInput)
	pair(&u, tokens[1], billed[1], sluice.Output, sluice.BilledOutput)
	var cached, searches answer.Count
	cached.Set(outer[2])
	cached.To(&u, sluice.CacheRead)
	searches.Set(billed[2])
	searches.To(&u, sluice.SearchUnits)
	return u
}

// pair sets a count and what is billed of it; alone, the latter stands for both.
func pair(u *sluice.Usage, tokens, billed jsonscan.Value, class, billedClass sluice.Class) {
	var n, b answer.Count
	n.Set(tokens)
	b.Set(billed)
	if !n.Known {
		n, b = b, answer.Count{}
	}
	n.To(u, class)
	b.To(u, billedClass)
}

// members returns up to three members of an object, and what was not found of anything else.
func members(v jsonscan.Value, names ...string) (out [3]jsonscan.Value) {
	if v.Kind == jsonscan.Object {
		jsonscan.Top(v.Raw, names, out[:len(names)])
	}
	return out
}
