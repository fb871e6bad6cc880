// Package huggingface reads the answers of text-generation-inference and of the Inference API before it
// (https://huggingface.github.io/text-generation-inference and https://huggingface.co/docs/api-inference,
// read 2026-11 and 2023-10). Its heirs, the router and the chat of either, speak OpenAI's dialect.
package huggingface

import (
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Generate makes the meter of generate, generate_stream and of a model's own path, which answers with one
// or the other, or with an array of the former. Other tasks have no counts. stream says whether the
// request asked for a stream.
func Generate(stream bool) wire.Meter {
	m := &meter{}
	m.In.Reset(plan.Set, stream, (*handler)(m))
	return m
}

// what is what the value of a place tells.
type what uint8

const (
	generated what = iota // the whole text: this is the last event
	token                 // the text of one
	input
	output
	prefill // a token of the prompt
	finish
	failure
	message // what an error says
	code    // its type, for want of a message
)

// plan is what is looked for. It does not change.
var plan = answer.Compile(answer.Under([]answer.Place[what]{ //nolint:gochecknoglobals // immutable
	{At: "generated_text", How: jsonpick.Some, Tells: generated},
	{At: "token.text", How: jsonpick.Some, Tells: token},
	{At: "details.input_length", Tells: input},
	{At: "details.generated_tokens", Tells: output},
	{At: "details.prefill.[]", How: jsonpick.Some, Tells: prefill},
	{At: "details.finish_reason", Tells: finish},
	{At: "error", Tells: failure},
	{At: "error.message", Tells: message},
	{At: "error.[]", Tells: message},
	{At: "error_type", Tells: code},
}, "", "[]."))

// meter reads one answer.
type meter struct {
	answer.Meter
	head counts
	body counts
	text text
}

// counts are an answer's, or a text's.
type counts struct{ input, output answer.Count }

// text is what was picked from the current event, or from the whole answer.
type text struct {
	counts
	prefill int64
	last    bool
	fault   answer.Fault
}

// Head reads the counts that a whole answer has beside it, and the old API nowhere else.
func (m *meter) Head(h sluice.Header) {
	m.head = counts{headCount(h, "x-prompt-tokens"), headCount(h, "x-generated-tokens")}
}

// headCount returns the count in a header.
func headCount(h sluice.Header, name string) answer.Count {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64)
	if err != nil || n < 0 || n >= 1<<53 {
		return answer.Count{}
	}
	return answer.Count{N: n, Known: true}
}

func (m *meter) Close() wire.Reading {
	m.In.Close()
	c := m.counts()
	c.input.To(&m.R.Usage, sluice.Input)
	c.output.To(&m.R.Usage, sluice.Output)
	return m.R
}

// counts returns what is known of each count.
func (m *meter) counts() counts {
	c := m.body
	if !c.input.Known {
		c.input = m.head.input
	}
	if !c.output.Known {
		c.output = m.head.output
	}
	return c
}

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	x := &h.text
	switch plan.Tells(path) {
	case generated:
		x.last = true
		h.Content()
	case token:
		h.Content()
	case input:
		x.input.Add(v)
	case output:
		x.output.Add(v)
	case prefill:
		x.prefill++
	case finish:
		answer.Remember(&h.R.Finish, v)
	case failure:
		x.fault.Error(v)
	case message:
		x.fault.Message(v)
	case code:
		x.fault.Code(v)
	}
}

// End takes the end of an event, or of the whole answer. A stream has no end of its own: its last event
// is the one with the whole text. The prompt's tokens may be listed instead of being counted.
func (h *handler) End(t answer.Text) {
	x := &h.text
	h.Ended(&x.fault)
	if !x.input.Known && x.prefill > 0 && t.Whole {
		x.input = answer.Count{N: x.prefill, Known: true}
	}
	if x.input.Known {
		h.body.input = x.input
	}
	if x.output.Known {
		h.body.output = x.output
	}
	if t.Sentinel || t.Whole && (x.last || !t.Event) {
		h.R.Seen |= wire.SeenEnd
		if c := (*meter)(h).counts(); c.input.Known || c.output.Known {
			h.R.Seen |= wire.SeenUsage
		}
	}
	*x = text{}
}
