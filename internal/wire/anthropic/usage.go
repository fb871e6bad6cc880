package anthropic

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Counts are an answer's counts as the wire has them. Usage in a stream is cumulative and comes in
// pieces: message_start has the input and the split of cache writes, message_delta the final output and
// mostly, but not always, the rest once more. So each count is the last one that was reported, and they
// are added up only at the end. Servers that copy the dialect may learn of their cache hits late
// (maximhq/bifrost issue 5354). The zero Counts knows nothing.
type Counts struct {
	input, output, cacheWrite, cacheRead answer.Count
	write5m, write1h                     answer.Count
	thinking, searches                   answer.Count
	compactions                          compactions
	tier, speed, geo                     string
}

// compactions are what a server used to shorten the conversation. The totals leave it out, although it is
// billed. They leave out the advice of other models too, at the price of those: no Usage of this answer
// can hold that.
type compactions struct {
	input, output, cacheWrite, cacheRead answer.Count
	write5m, write1h                     answer.Count
}

// take reads the turns of a usage object.
func (c *compactions) take(v jsonscan.Value) {
	*c = compactions{}
	for turn := range v.Elements() {
		keys := [...]string{
			"type", "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation",
		}
		var out [len(keys)]jsonscan.Value
		if turn.Kind != jsonscan.Object || !jsonscan.Top(turn.Raw, keys[:], out[:]).Valid || out[0].String() != "compaction" {
			continue
		}
		for i, to := range [...]*answer.Count{&c.input, &c.output, &c.cacheWrite, &c.cacheRead} {
			to.Add(out[1+i])
		}
		if split, ok := members(out[5], "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"); ok {
			c.write5m.Add(split[0])
			c.write1h.Add(split[1])
		}
	}
}

// Take notes what a usage object reports. Null, missing and what is no count changes nothing.
func (c *Counts) Take(v jsonscan.Value) {
	keys := [...]string{
		"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
		"cache_creation", "output_tokens_details", "server_tool_use", "service_tier", "speed", "inference_geo",
		"iterations",
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	for i, to := range [...]*answer.Count{&c.input, &c.output, &c.cacheWrite, &c.cacheRead} {
		to.Set(out[i])
	}
	if split, ok := members(out[4], "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"); ok {
		c.write5m.Set(split[0])
		c.write1h.Set(split[1])
	}
	if details, ok := members(out[5], "thinking_tokens", ""); ok {
		c.thinking.Set(details[0])
	}
	if tools, ok := members(out[6], "web_search_requests", ""); ok {
		c.searches.Set(tools[0])
	}
	for i, to := range [...]*string{&c.tier, &c.speed, &c.geo} {
		answer.Remember(to, out[7+i])
	}
	if out[10].Kind == jsonscan.Array {
		c.compactions.take(out[10])
	}
}

func members(v jsonscan.Value, a, b string) (out [2]jsonscan.Value, ok bool) {
	keys := [...]string{a, b}
	n := 2
	if b == "" {
		n = 1
	}
	ok = v.Kind == jsonscan.Object && jsonscan.Top(v.Raw, keys[:n], out[:n]).Valid
	return out, ok
}

// Tell writes what is known into r: usage, service tier and place.
func (c *Counts) Tell(r *wire.Reading) {
	r.Usage, r.Tier, r.Geo = c.usage(), c.served(), c.geo
}

// served returns the service tier. Speed has a price as a tier has, and stands for one where it is not
// the ordinary one.
func (c *Counts) served() string {
	if speed := wire.Tier(c.speed); speed != "" {
		return speed
	}
	return wire.Tier(c.tier)
}

// Known reports whether anything was reported.
func (c *Counts) Known() bool {
	sum := answer.Sum(c.input, c.output, c.cacheWrite, c.cacheRead, c.write5m, c.write1h, c.thinking, c.searches)
	return sum.Known
}

// usage adds up: input_tokens leaves out what was read from and written to the cache, Input does not.
func (c *Counts) usage() sluice.Usage {
	var u sluice.Usage
	// The total is reported up to the end, the split at the start only.
	short, long := answer.Writes(c.cacheWrite, c.write5m, c.write1h)
	x := &c.compactions
	shortMore, longMore := answer.Writes(x.cacheWrite, x.write5m, x.write1h)
	short, long, read := answer.Sum(short, shortMore), answer.Sum(long, longMore), answer.Sum(c.cacheRead, x.cacheRead)
	if c.input.Known {
		answer.Sum(c.input, x.input, read, short, long).To(&u, sluice.Input)
	}
	for _, c := range [...]struct {
		class sluice.Class
		count answer.Count
	}{
		{sluice.Output, answer.Sum(c.output, x.output)},
		{sluice.CacheRead, read},
		{sluice.CacheWrite5m, short},
		{sluice.CacheWrite1h, long},
		{sluice.Reasoning, c.thinking},
		{sluice.WebSearches, c.searches},
	} {
		c.count.To(&u, c.class)
	}
	return u
}
