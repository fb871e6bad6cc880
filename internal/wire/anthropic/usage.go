package anthropic

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// counts are an answer's counts as the wire has them. Usage in a stream is cumulative and comes in
// pieces: message_start has the input and the split of cache writes, message_delta the final output and
// mostly, but not always, the rest once more. So each count is the last one that was reported, and they
// are added up only at the end. Servers that copy the dialect may learn of their cache hits late
// (maximhq/bifrost issue 5354).
type counts struct {
	input, output, cacheWrite, cacheRead count
	write5m, write1h                     count
	thinking, searches                   count
	tier, speed, geo                     string
}

// count is a number that may be unknown.
type count struct {
	n     int64
	known bool
}

// take notes what a usage object reports. Null, missing and what is no count changes nothing.
func (c *counts) take(v jsonscan.Value) {
	keys := [...]string{
		"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
		"cache_creation", "output_tokens_details", "server_tool_use", "service_tier", "speed", "inference_geo",
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	for i, to := range [...]*count{&c.input, &c.output, &c.cacheWrite, &c.cacheRead} {
		to.set(out[i])
	}
	if split, ok := members(out[4], "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"); ok {
		c.write5m.set(split[0])
		c.write1h.set(split[1])
	}
	if details, ok := members(out[5], "thinking_tokens", ""); ok {
		c.thinking.set(details[0])
	}
	if tools, ok := members(out[6], "web_search_requests", ""); ok {
		c.searches.set(tools[0])
	}
	for i, to := range [...]*string{&c.tier, &c.speed, &c.geo} {
		remember(to, out[7+i])
	}
}

func members(v jsonscan.Value, a, b string) (out [2]jsonscan.Value, ok bool) {
	keys := [...]string{a, b}
	n := 2
	if b == "" {
		n = 1
	}
	return out, v.Kind == jsonscan.Object && jsonscan.Top(v.Raw, keys[:n], out[:n]).Valid
}

func (c *count) set(v jsonscan.Value) {
	if n, ok := v.Count(); ok {
		*c = count{n, true}
	}
}

// served returns the service tier. Speed has a price as a tier has, and stands for one where it is not
// the ordinary one.
func (c *counts) served() string {
	if speed := wire.Tier(c.speed); speed != "" {
		return speed
	}
	return wire.Tier(c.tier)
}

// known reports whether anything was reported.
func (c *counts) known() bool {
	return c.input.known || c.output.known || c.cacheWrite.known || c.cacheRead.known ||
		c.write5m.known || c.write1h.known || c.thinking.known || c.searches.known
}

// usage adds up: input_tokens leaves out what was read from and written to the cache, Input does not.
func (c *counts) usage() sluice.Usage {
	var u sluice.Usage
	short, long := c.writes()
	if c.input.known {
		u.Set(sluice.Input, c.input.n+c.cacheRead.n+short.n+long.n)
	}
	for _, c := range [...]struct {
		class sluice.Class
		count count
	}{
		{sluice.Output, c.output},
		{sluice.CacheRead, c.cacheRead},
		{sluice.CacheWrite5m, short},
		{sluice.CacheWrite1h, long},
		{sluice.Reasoning, c.thinking},
		{sluice.WebSearches, c.searches},
	} {
		if c.count.known {
			u.Set(c.class, c.count.n)
		}
	}
	if u.Known() {
		u.Basis = sluice.BasisProvider
	}
	return u
}

// writes splits cache writes by lifetime. The sum is reported up to the end, the split at the start
// only: what was written since then has the default lifetime of 5 minutes, and all of it has where no
// split was reported.
func (c *counts) writes() (short, long count) {
	short, long = c.write5m, c.write1h
	if !c.cacheWrite.known {
		return short, long
	}
	if long.n > c.cacheWrite.n {
		long = count{c.cacheWrite.n, true}
	}
	return count{c.cacheWrite.n - long.n, true}, long
}
