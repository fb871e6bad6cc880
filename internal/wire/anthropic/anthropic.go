// Package anthropic reads the dialect of Anthropic's Messages API, as Anthropic and the servers that
// copy it speak it (https://docs.anthropic.com/en/api/messages and
// https://docs.anthropic.com/en/docs/build-with-claude/streaming, read 2026-11).
package anthropic

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Messages makes the meter of POST /v1/messages. stream says, here and below, whether the request
// asked for a stream; the meters also cope with the other kind of answer, and with error bodies.
func Messages(stream bool) wire.Meter { return newMeter(stream) }

// CountTokens makes the meter of POST /v1/messages/count_tokens. Its answer's input_tokens are what a
// call would use: nothing was spent, so usage stays unknown.
func CountTokens(stream bool) wire.Meter { return newMeter(stream) }

// what is what the value of a path tells.
type what uint8

const (
	nothing what = iota
	kind         // the type of an event, or of the whole answer
	model        // the model that answered
	usage        // a usage object
	finish       // why the answer ended
	content      // a part of the answer itself
	failure      // an error
	message      // what an error says
	code         // its type, for want of a message
	flat         // text where the dialect has an object: an error's message
)

// plan is what is looked for. It does not change.
var plan = answer.Compile([]answer.Place[what]{ //nolint:gochecknoglobals // immutable
	{At: "type", Tells: kind},
	{At: "error", Tells: failure},
	{At: "error.message", Tells: message},
	{At: "error.type", Tells: code},
	// What stands in front of a compatible server may answer so, with texts in them.
	{At: "message", Tells: flat},
	{At: "detail", Tells: flat},
	// A whole answer.
	{At: "model", Tells: model},
	{At: "usage", Tells: usage}, // of a message_delta, too
	{At: "stop_reason", Tells: finish},
	{At: "content", How: jsonpick.Some, Tells: content},
	{At: "completion", How: jsonpick.Some, Tells: content}, // of the older /v1/complete
	// message_start.
	{At: "message.model", Tells: model},
	{At: "message.usage", Tells: usage},
	{At: "message.stop_reason", Tells: finish},
	{At: "message.content", How: jsonpick.Some, Tells: content},
	// content_block_start: a tool's name and redacted thinking stand here, text is empty.
	{At: "content_block.*", How: jsonpick.Some, Tells: content},
	{At: "content_block.type", How: jsonpick.Never},
	// content_block_delta and message_delta.
	{At: "delta.*", How: jsonpick.Some, Tells: content},
	{At: "delta.type", How: jsonpick.Never},
	{At: "delta.stop_reason", Tells: finish},
	{At: "delta.stop_sequence", How: jsonpick.Never},
	{At: "delta.stop_details", How: jsonpick.Never},
	{At: "delta.container", How: jsonpick.Never},
})

// meter reads one answer.
type meter struct {
	answer.Meter
	counts Counts
	kind   string // the last type of an event: repeated ones cost nothing
	typed  bool   // the current text has a type
	fault  answer.Fault
}

func newMeter(stream bool) wire.Meter {
	m := &meter{}
	m.In.Reset(plan.Set, stream, (*handler)(m))
	return m
}

func (m *meter) Close() wire.Reading {
	m.In.Close()
	m.counts.Tell(&m.R)
	return m.R
}

// SoFar returns the usage that the bytes so far have reported.
func (m *meter) SoFar() sluice.Usage { return m.counts.usage() }

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case kind:
		h.typed = true
		answer.Remember(&h.kind, v)
	case model:
		answer.Remember(&h.R.Model, v)
	case usage:
		h.counts.Take(v)
	case finish:
		answer.Remember(&h.R.Finish, v)
	case content:
		if v.Kind != jsonscan.Number && v.Kind != jsonscan.Bool {
			h.Content()
		}
	case failure:
		h.fault.Error(v)
	case message:
		h.fault.Message(v)
	case code:
		h.fault.Code(v)
	case flat:
		if v.Kind == jsonscan.String {
			h.fault.Set()
			h.fault.Message(v)
		}
	}
}

// End takes the end of an event, or of the whole answer.
func (h *handler) End(t answer.Text) {
	if h.typed && h.kind == "error" {
		h.fault.Set()
	}
	h.Ended(&h.fault)
	final := !t.Event && t.Whole || h.typed && h.kind == "message_stop"
	if final {
		h.R.Seen |= wire.SeenEnd
	}
	// Counts of a message_delta are cumulative, and the one with the stop reason is the last.
	last := h.typed && h.kind == "message_delta" && h.R.Finish != ""
	if (final || last) && h.counts.Known() {
		h.R.Seen |= wire.SeenUsage
	}
	h.typed, h.fault = false, answer.Fault{}
}
