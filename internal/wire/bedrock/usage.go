package bedrock

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// counts are an answer's counts as the wire has them: each is the last one that was reported.
type counts struct {
	input, output, cacheRead, cacheWrite answer.Count
	write5m, write1h                     answer.Count
	sums
}

// sums are counts that a text has in parts.
type sums struct {
	output, images answer.Count
}

// take notes what a usage object of Converse reports. Nova's own has two names that differ.
func (c *counts) take(v jsonscan.Value) {
	keys := [...]string{
		"inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens",
		"cacheReadInputTokenCount", "cacheWriteInputTokenCount", "cacheDetails",
	}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	for i, to := range [...]*answer.Count{&c.input, &c.output, &c.cacheRead, &c.cacheWrite, &c.cacheRead, &c.cacheWrite} {
		to.Set(out[i])
	}
	var write5m, write1h answer.Count
	for part := range out[6].Elements() {
		var out [2]jsonscan.Value
		if part.Kind != jsonscan.Object || !jsonscan.Top(part.Raw, []string{"ttl", "inputTokens"}, out[:]).Valid {
			continue
		}
		switch string(out[0].Raw) {
		case `"5m"`:
			write5m.Add(out[1])
		case `"1h"`:
			write1h.Add(out[1])
		}
	}
	if write5m.Known || write1h.Known {
		c.write5m, c.write1h = write5m, write1h
	}
}

// usage adds up: the only place where this dialect's counts become a Usage. inputTokens leaves out what
// was read from and written to the cache, Input does not.
func (c *counts) usage() sluice.Usage {
	var u sluice.Usage
	short, long := answer.Writes(c.cacheWrite, c.write5m, c.write1h)
	if c.input.Known {
		answer.Sum(c.input, c.cacheRead, short, long).To(&u, sluice.Input)
	}
	for _, p := range [...]struct {
		class sluice.Class
		count answer.Count
	}{
		{sluice.Output, answer.Sum(c.output, c.sums.output)},
		{sluice.CacheRead, c.cacheRead},
		{sluice.CacheWrite5m, short},
		{sluice.CacheWrite1h, long},
		{sluice.Images, c.images},
	} {
		p.count.To(&u, p.class)
	}
	return u
}
