// Package ollama reads Ollama's own dialect (https://docs.ollama.com/api, read 2026-11). Its streams are
// JSON texts on lines, and what a request gets that does not mention streams; an answer as a whole looks
// like the last of such lines.
package ollama

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Chat makes the meter of /api/chat and /api/generate. It finds out from the bytes what it is given,
// whatever the request asked for, and also reads error bodies.
func Chat(bool) wire.Meter {
	m := &meter{}
	m.In.ResetLines(plan.Set, (*handler)(m))
	return m
}

// Embed makes the meter of /api/embed and the older /api/embeddings, which counts nothing.
func Embed(stream bool) wire.Meter { return Chat(stream) }

// what is what the value of a place tells.
type what uint8

const (
	model what = iota
	input
	output
	content // a part of the answer itself
	done    // whether this is the last line
	finish
	failure
	message // what an error says, where it is an object
)

// plan is what is looked for. It does not change.
var plan = answer.Compile([]answer.Place[what]{ //nolint:gochecknoglobals // immutable
	{At: "model", Tells: model},
	{At: "prompt_eval_count", Tells: input},
	{At: "eval_count", Tells: output},
	{At: "message.content", How: jsonpick.Some, Tells: content},
	{At: "message.thinking", How: jsonpick.Some, Tells: content},
	{At: "message.tool_calls", How: jsonpick.Some, Tells: content},
	{At: "message.images", How: jsonpick.Some, Tells: content},
	{At: "response", How: jsonpick.Some, Tells: content},
	{At: "thinking", How: jsonpick.Some, Tells: content},
	{At: "image", How: jsonpick.Some, Tells: content},
	{At: "embedding", How: jsonpick.Some, Tells: content},
	{At: "embeddings", How: jsonpick.Some, Tells: content},
	{At: "done", Tells: done},
	{At: "done_reason", Tells: finish},
	{At: "error", Tells: failure},
	{At: "error.message", Tells: message},
})

// meter reads one answer.
type meter struct {
	answer.Meter
	input, output answer.Count
	partial       bool // the current text says that more follow
	fault         answer.Fault
}

// Close returns what was read. prompt_eval_count is missing where the whole prompt lay in the cache, and
// a prompt of no tokens would miss it too: it is unknown then.
func (m *meter) Close() wire.Reading {
	m.In.Close()
	m.input.To(&m.R.Usage, sluice.Input)
	m.output.To(&m.R.Usage, sluice.Output)
	return m.R
}

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case model:
		answer.Remember(&h.R.Model, v)
	case input:
		h.input.Set(v)
	case output:
		h.output.Set(v)
	case content:
		h.Content()
	case done:
		last, ok := v.Bool()
		h.partial = ok && !last
	case finish:
		answer.Remember(&h.R.Finish, v)
	case failure:
		h.fault.Error(v)
	case message:
		h.fault.Message(v)
	}
}

// End takes the end of a text. Nothing follows an error.
func (h *handler) End(t answer.Text) {
	h.Ended(&h.fault)
	if t.Whole && !h.partial {
		h.R.Seen |= wire.SeenEnd
		if h.input.Known || h.output.Known {
			h.R.Seen |= wire.SeenUsage
		}
	}
	h.partial, h.fault = false, answer.Fault{}
}
