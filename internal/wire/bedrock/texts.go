package bedrock

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// texts reads the texts of one answer: Converse's own, and those of the models behind InvokeModel. Of
// Anthropic's and OpenAI's dialects it reads whole answers only; their streams have their own meters.
type texts struct {
	answer.Meter
	counts counts
	claude anthropic.Counts
	chat   sluice.Usage
	sums   sums // of the current text
	fault  answer.Fault
	flat   string // a message that is an error's when the text holds nothing else
	tier   string
	speed  string

	answered bool // the current text holds a part of an answer
	closing  bool // it is a stream's last
}

func newTexts(stream bool) wire.Meter {
	m := &texts{}
	m.In.Reset(plan.Set, stream, (*handler)(m))
	return m
}

func (m *texts) Close() wire.Reading {
	m.In.Close()
	m.tell(&m.R)
	return m.R
}

// SoFar returns the usage that the bytes so far have reported.
func (m *texts) SoFar() sluice.Usage {
	r := wire.Reading{}
	m.tell(&r)
	return r.Usage
}

// tell writes what was counted into r.
func (m *texts) tell(r *wire.Reading) {
	switch {
	case m.claude.Known():
		m.claude.Tell(r)
	case m.chat.Known():
		r.Usage = m.chat
	default:
		r.Usage = m.counts.usage()
	}
	for _, name := range []string{m.speed, m.tier} {
		if tier := wire.Tier(name); tier != "" {
			r.Tier = tier
		}
	}
}

// handler is the meter as the answer's reader sees it.
type handler texts

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case model:
		answer.Remember(&h.R.Model, v)
	case usage:
		h.answered = true
		h.usage(v)
	case closing:
		h.closing = true
	case finish:
		answer.Remember(&h.R.Finish, v)
	case tier:
		answer.Remember(&h.tier, v)
	case speed:
		answer.Remember(&h.speed, v)
	case content:
		h.answered = true
		h.Content()
	case failure:
		h.fault.Error(v)
	case message:
		h.fault.Message(v)
	case code:
		h.fault.Code(v)
	case flat:
		if h.flat == "" && v.Kind == jsonscan.String {
			h.flat = answer.Message(v)
		}
	case failed:
		h.fault.Set()
		h.fault.Code(v)
	default:
		h.count(path, v)
	}
}

// count takes a count that stands by itself.
func (h *handler) count(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case input:
		h.counts.input.Set(v)
	case output:
		h.counts.output.Set(v)
	case outputPart:
		h.sums.output.Add(v)
	case picture:
		h.answered = true
		h.Content()
		h.sums.images = answer.Count{N: h.sums.images.N + 1, Known: true}
	}
}

// usage takes a usage object, whose dialect shows in the names of its members.
func (h *handler) usage(v jsonscan.Value) {
	keys := [...]string{"inputTokens", "outputTokens", "input_tokens", "output_tokens"}
	var out [len(keys)]jsonscan.Value
	if v.Kind != jsonscan.Object || !jsonscan.Top(v.Raw, keys[:], out[:]).Valid {
		return
	}
	switch {
	case out[0].Found || out[1].Found:
		h.counts.take(v)
		h.closing = true
	case out[2].Found || out[3].Found:
		h.claude.Take(v)
	default:
		if u := openai.Usage(v); u.Known() {
			h.chat = u
		}
	}
}

// End takes the end of an event, or of the whole answer. Converse tells the usage in the last event of a
// stream, behind the one with the reason to stop.
func (h *handler) End(t answer.Text) {
	if h.sums != (sums{}) {
		h.counts.sums = h.sums
	}
	if h.flat != "" && !h.answered && !t.Event {
		h.fault.Set()
		h.fault.Fallback(h.flat)
	}
	h.Ended(&h.fault)
	if t.Whole && (!t.Event || h.closing) {
		h.R.Seen |= wire.SeenEnd
		var r wire.Reading
		if (*texts)(h).tell(&r); r.Usage.Known() {
			h.R.Seen |= wire.SeenUsage
		}
	}
	h.sums, h.fault, h.flat, h.answered, h.closing = sums{}, answer.Fault{}, "", false, false
}
