package openai

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// usageOf reads a usage object: the only place where this dialect's counts become a Usage. What is
// missing, null or no count is unknown.
//
// The input count includes what was read from and written to a cache, everywhere but where it cannot
// (see below). Cached tokens stand in prompt_tokens_details; at DeepSeek also, and at Moonshot and older
// Mistral only, at the top level. Cache writes are told apart by lifetime only since GPT-5.6 (30 minutes
// and 12 hours); the shorter one, which is also the unnamed one, counts as CacheWrite5m, and the longer
// one as CacheWrite1h.
func usageOf(v jsonscan.Value) sluice.Usage {
	var u sluice.Usage
	keys := [...]string{
		"prompt_tokens", "input_tokens", "completion_tokens", "output_tokens",
		"num_cached_tokens", "cached_tokens", "prompt_cache_hit_tokens", "num_search_queries",
		"prompt_token_details", "prompt_tokens_details", "input_token_details", "input_tokens_details",
		"completion_tokens_details", "output_token_details", "output_tokens_details", "total_tokens",
	}
	classes := [...]sluice.Class{
		sluice.Input, sluice.Input, sluice.Output, sluice.Output,
		sluice.CacheRead, sluice.CacheRead, sluice.CacheRead, sluice.WebSearches,
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return u
	}
	for i, c := range classes {
		set(&u, c, out[i])
	}
	for _, d := range out[8:12] {
		inputDetails(&u, d)
	}
	for _, d := range out[12:15] {
		outputDetails(&u, d)
	}
	complete(&u, out[15])
	return u
}

// set takes a count that may stand in several places. Servers that know both names of a count write 0
// under the one that they do not use, so the largest holds.
func set(u *sluice.Usage, c sluice.Class, v jsonscan.Value) {
	n, ok := v.Count()
	if old, known := u.Get(c); ok && (!known || n > old) {
		u.Set(c, n)
	}
}

func inputDetails(u *sluice.Usage, v jsonscan.Value) {
	keys := [...]string{
		"cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "cache_write_tokens_details",
	}
	classes := [...]sluice.Class{sluice.CacheRead, sluice.CacheWrite5m, sluice.AudioIn, sluice.ImageIn}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	for i, c := range classes {
		set(u, c, out[i])
	}
	if out[4].Kind == jsonscan.Object {
		var split [2]jsonscan.Value
		jsonscan.Top(out[4].Raw, []string{"ttl_30m_tokens", "ttl_12h_tokens"}, split[:])
		if n, ok := split[0].Count(); ok {
			u.Set(sluice.CacheWrite5m, n) // in place of the sum of both
		}
		set(u, sluice.CacheWrite1h, split[1])
	}
}

func outputDetails(u *sluice.Usage, v jsonscan.Value) {
	keys := [...]string{
		"reasoning_tokens", "audio_tokens", "image_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens",
	}
	classes := [...]sluice.Class{
		sluice.Reasoning, sluice.AudioOut, sluice.ImageOut, sluice.AcceptedPrediction, sluice.RejectedPrediction,
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	for i, c := range classes {
		set(u, c, out[i])
	}
}

// complete makes Input include cached tokens and Output include reasoning where a server left them out,
// which shows in the numbers: xAI's Responses count more cached tokens than input tokens then, and on
// its chat completions the total has the reasoning on top.
func complete(u *sluice.Usage, total jsonscan.Value) {
	in, inKnown := u.Get(sluice.Input)
	if cached, ok := u.Get(sluice.CacheRead); ok && inKnown && cached > in {
		u.Set(sluice.Input, in+cached)
	}
	out, outKnown := u.Get(sluice.Output)
	reasoning, _ := u.Get(sluice.Reasoning)
	if sum, ok := total.Count(); ok && inKnown && outKnown && reasoning > 0 && sum == in+out+reasoning {
		u.Set(sluice.Output, out+reasoning)
	}
}

// merge puts what later knows over what u knew: counts of a stream are cumulative, so the last one of
// each class holds.
func merge(u *sluice.Usage, later sluice.Usage) {
	for c := range sluice.ClassCount {
		if n, known := later.Get(c); known {
			u.Set(c, n)
		}
	}
	if u.Known() {
		u.Basis = sluice.BasisProvider
	}
}
