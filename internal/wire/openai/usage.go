package openai

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// usageOf reads a usage object, and what it says that the answer cost: the only place where this dialect's
// counts become a Usage. What is missing, null or no count is unknown.
//
// The input count includes what was read from and written to a cache, everywhere but where it cannot
// (see below). Cached tokens stand in prompt_tokens_details; at DeepSeek also, and at Moonshot and older
// Mistral only, at the top level. Cache writes are told apart by lifetime only since GPT-5.6 (30 minutes
// and 12 hours); the shorter one, which is also the unnamed one, counts as CacheWrite5m, and the longer
// one as CacheWrite1h.
//
// Speech is counted in seconds where it is not counted in tokens: usage.seconds of transcriptions, and
// Mistral's prompt_audio_seconds.
func usageOf(v jsonscan.Value, q Quirk) (u sluice.Usage, cost string) {
	keys := [...]string{
		"prompt_tokens", "input_tokens", "completion_tokens", "output_tokens",
		"num_cached_tokens", "cached_tokens", "prompt_cache_hit_tokens", "num_search_queries", "citation_tokens",
		"reasoning_tokens",
		"prompt_token_details", "prompt_tokens_details", "input_token_details", "input_tokens_details",
		"completion_tokens_details", "output_token_details", "output_tokens_details", "total_tokens",
		"seconds", "prompt_audio_seconds",
		"cost", "cost_in_usd_ticks", "is_byok", "cost_details",
	}
	classes := [...]sluice.Class{
		sluice.Input, sluice.Input, sluice.Output, sluice.Output,
		sluice.CacheRead, sluice.CacheRead, sluice.CacheRead, sluice.WebSearches, sluice.Citations,
		sluice.Reasoning,
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return u, ""
	}
	for i, c := range classes {
		set(&u, c, out[i])
	}
	_, flatReasoning := u.Get(sluice.Reasoning)
	for _, d := range out[10:14] {
		inputDetails(&u, d)
	}
	for _, d := range out[14:17] {
		outputDetails(&u, d)
	}
	var audio answer.Count
	for _, seconds := range out[18:20] {
		audio.SetSeconds(seconds)
	}
	audio.To(&u, sluice.Milliseconds)
	// xAI's Responses leave cached tokens out where they count more of them than of input tokens.
	in, known := u.Get(sluice.Input)
	if cached, _ := u.Get(sluice.CacheRead); known && cached > in {
		u.Set(sluice.Input, in+cached)
	}
	total, ok := out[17].Count()
	q.apply(&u, total, ok, flatReasoning)
	return u, costOf(out[20], out[21], out[22], out[23])
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
		"cached_tokens", "cache_write_tokens", "cache_creation_input_tokens", "audio_tokens", "image_tokens",
		"cache_write_tokens_details", "cached_tokens_details",
	}
	classes := [...]sluice.Class{
		sluice.CacheRead, sluice.CacheWrite5m, sluice.CacheWrite5m, sluice.AudioIn, sluice.ImageIn,
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	for i, c := range classes {
		set(u, c, out[i])
	}
	set(u, sluice.AudioCacheRead, member(out[6], "audio_tokens"))
	if out[5].Kind == jsonscan.Object {
		var split [2]jsonscan.Value
		jsonscan.Top(out[5].Raw, []string{"ttl_30m_tokens", "ttl_12h_tokens"}, split[:])
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

// timingsOf reads what llama.cpp says of its work, which is in each answer and in a stream's last chunk,
// whether or not usage was asked for. prompt_n leaves out what was in the cache, so without cache_n the
// input is unknown.
func timingsOf(v jsonscan.Value) sluice.Usage {
	var u sluice.Usage
	var out [3]jsonscan.Value
	keys := [...]string{"prompt_n", "cache_n", "predicted_n"}
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return u
	}
	var prompt, cached, predicted answer.Count
	prompt.Set(out[0])
	cached.Set(out[1])
	predicted.Set(out[2])
	if prompt.Known && cached.Known {
		answer.Sum(prompt, cached).To(&u, sluice.Input)
		cached.To(&u, sluice.CacheRead)
	}
	predicted.To(&u, sluice.Output)
	return u
}

// allInput is the fill of embeddings and rankings, where there may be a total alone: it is all input.
func allInput(u *sluice.Usage, usage jsonscan.Value) {
	_, in := u.Get(sluice.Input)
	_, out := u.Get(sluice.Output)
	if n, ok := member(usage, "total_tokens").Count(); ok && !in && !out {
		u.Set(sluice.Input, n)
	}
}

// allPicture is the fill of images, whose output is pictures where it has no details.
func allPicture(u *sluice.Usage, _ jsonscan.Value) {
	if _, known := u.Get(sluice.ImageOut); known {
		return
	}
	if n, ok := u.Get(sluice.Output); ok {
		u.Set(sluice.ImageOut, n)
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
