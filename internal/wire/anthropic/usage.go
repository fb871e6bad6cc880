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
	total              counts // as the usage object has it at its top
	thinking, searches answer.Count
	turns              turns // of its last list of them
	tier, speed, geo   string
}

// counts are what is counted of an answer, and of each of its turns.
type counts struct {
	input, output, cacheWrite, cacheRead answer.Count
	write5m, write1h                     answer.Count
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
	t := &c.total
	for i, to := range [...]*answer.Count{&t.input, &t.output, &t.cacheWrite, &t.cacheRead} {
		to.Set(out[i])
	}
	if split, ok := members(out[4], "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"); ok {
		t.write5m.Set(split[0])
		t.write1h.Set(split[1])
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
		c.turns = turnsOf(out[10])
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

// Tell writes what is known into r: usage, charges of other models, service tier and place.
func (c *Counts) Tell(r *wire.Reading) {
	r.Usage, r.Tier, r.Geo = c.usage(), c.served(), c.geo
	r.Charges = c.turns.charges(c.tier)
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
	t := &c.total
	sum := answer.Sum(t.input, t.output, t.cacheWrite, t.cacheRead, t.write5m, t.write1h, c.thinking, c.searches)
	return sum.Known
}

// usage is that of the model that answered: the totals, and what they leave out of its turns.
func (c *Counts) usage() sluice.Usage {
	all := c.total.split()
	if !c.turns.fellBack {
		all = all.atLeast(c.turns.own.split())
	}
	u := all.plus(c.turns.compaction.split()).usage()
	c.thinking.To(&u, sluice.Reasoning)
	c.searches.To(&u, sluice.WebSearches)
	return u
}

// split has cache writes by lifetime only. Their total is reported up to the end, the split at the start
// only.
func (t counts) split() counts {
	t.write5m, t.write1h = answer.Writes(t.cacheWrite, t.write5m, t.write1h)
	t.cacheWrite = answer.Count{}
	return t
}

// plus adds two that are split.
func (t counts) plus(o counts) counts {
	return counts{
		input: answer.Sum(t.input, o.input), output: answer.Sum(t.output, o.output), cacheRead: answer.Sum(t.cacheRead, o.cacheRead),
		write5m: answer.Sum(t.write5m, o.write5m), write1h: answer.Sum(t.write1h, o.write1h),
	}
}

// atLeast takes each count of o that is larger, of two that are split. Writes go together: their lifetimes
// may be told in one place only.
func (t counts) atLeast(o counts) counts {
	for _, c := range [...]struct{ to, from *answer.Count }{{&t.input, &o.input}, {&t.output, &o.output}, {&t.cacheRead, &o.cacheRead}} {
		if c.from.Known && (!c.to.Known || c.from.N > c.to.N) {
			*c.to = *c.from
		}
	}
	written, more := answer.Sum(t.write5m, t.write1h), answer.Sum(o.write5m, o.write1h)
	if more.Known && (!written.Known || more.N > written.N) {
		t.write5m, t.write1h = o.write5m, o.write1h
	}
	return t
}

// usage adds up, of what is split: input_tokens leaves out what was read from and written to the cache,
// Input does not.
func (t counts) usage() sluice.Usage {
	var u sluice.Usage
	if t.input.Known {
		answer.Sum(t.input, t.cacheRead, t.write5m, t.write1h).To(&u, sluice.Input)
	}
	t.output.To(&u, sluice.Output)
	t.cacheRead.To(&u, sluice.CacheRead)
	t.write5m.To(&u, sluice.CacheWrite5m)
	t.write1h.To(&u, sluice.CacheWrite1h)
	return u
}
