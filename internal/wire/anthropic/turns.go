package anthropic

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// turns are what usage.iterations tells. An answer may take several turns, each of them billed, and its
// totals do not have all (https://platform.claude.com/docs/en/agents-and-tools/tool-use/advisor-tool, read
// 2026-11):
//
//   - message: of the model that answers. Output is summed up in the totals; input and cache reads, so the
//     page says, are those of the first turn, but answers were seen with the sum. So the larger one holds.
//   - compaction: shortens the conversation. The totals leave it out.
//   - advisor_message: the advice of another model, at that model's price. The totals leave it out.
//   - fallback_message: another model has answered in place of the one that was asked, and the totals are
//     that one's. What the first had done until then stands as a message, which no total has.
type turns struct {
	own, compaction counts
	fellBack        bool
	advice          []advice // sluice.MaxCharges at most
}

// advice is a turn of another model.
type advice struct {
	model, tier string
	counts      counts // split
}

// turnsOf reads the list.
func turnsOf(v jsonscan.Value) turns {
	var all turns
	for turn := range v.Elements() {
		keys := [...]string{
			"type", "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation",
			"model", "service_tier", "speed",
		}
		var out [len(keys)]jsonscan.Value
		if turn.Kind != jsonscan.Object || !jsonscan.Top(turn.Raw, keys[:], out[:]).Valid {
			continue
		}
		switch out[0].String() {
		case "message":
			all.own.add(out[1:6])
		case "compaction":
			all.compaction.add(out[1:6])
		case "advisor_message":
			a := advice{model: text(out[6]), tier: text(out[8])}
			if wire.Tier(a.tier) == "" {
				a.tier = text(out[7])
			}
			a.counts.add(out[1:6])
			a.counts = a.counts.split()
			all.advise(a)
		case "fallback_message":
			all.fellBack = true
		}
	}
	return all
}

func text(v jsonscan.Value) string {
	if v.Kind != jsonscan.String {
		return ""
	}
	return v.String()
}

// add adds a turn: input, output, cache writes, cache reads, and the split of the writes.
func (t *counts) add(turn []jsonscan.Value) {
	for i, to := range [...]*answer.Count{&t.input, &t.output, &t.cacheWrite, &t.cacheRead} {
		to.Add(turn[i])
	}
	if split, ok := members(turn[4], "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"); ok {
		t.write5m.Add(split[0])
		t.write1h.Add(split[1])
	}
}

// advise keeps a. Each turn is a charge of its own, since a prompt's length may choose its price. One too
// many is added to the last; if they are of different models, the sum has no model, and so no price.
func (t *turns) advise(a advice) {
	if len(t.advice) < sluice.MaxCharges {
		t.advice = append(t.advice, a)
		return
	}
	last := &t.advice[len(t.advice)-1]
	last.counts = last.counts.plus(a.counts)
	if last.model != a.model || last.tier != a.tier {
		last.model = ""
	}
}

// charges are the turns of other models, nil when there were none. tier is the answer's: to be part of a
// batch holds for all models of a call, every other tier is each model's own.
func (t *turns) charges(tier string) []sluice.Charge {
	var list []sluice.Charge
	for _, a := range t.advice {
		c := sluice.Charge{Model: a.model, Tier: wire.Tier(a.tier), Usage: a.counts.usage()}
		if tier = wire.Tier(tier); c.Tier == "" && tier == "batch" {
			c.Tier = tier
		}
		list = append(list, c)
	}
	return list
}
