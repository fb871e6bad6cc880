// Package cohere reads Cohere's own dialects: version 2 of chat, unary or as server-sent events, version
// 1 of it, unary or as lines of JSON, and the endpoints around them, which all count alike
// (https://docs.cohere.com/reference/about, read 2026-11).
package cohere

import (
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Chat makes the meter of /v2/chat, /v1/chat and the older /v1/generate. It finds out from the bytes what
// it is given, whatever the request asked for, and also reads error bodies.
func Chat(bool) wire.Meter {
	m := &meter{}
	m.In.ResetLines(plan.Set, (*handler)(m))
	return m
}

// Embed makes the meter of embed, rerank, classify and the other endpoints that answer as a whole.
func Embed(stream bool) wire.Meter { return Chat(stream) }

// what is what the value of a place tells.
type what uint8

const (
	kind    what = iota // the type of an event
	finish              // why the answer ended
	counts              // an object with the counts
	content             // a part of the answer itself
	failure             // an error
	message             // what an error says, or the answer's message
)

// plan is what is looked for. It does not change.
var plan = answer.Compile(places()) //nolint:gochecknoglobals // immutable

// places are those of both versions. Version 2 puts what ends a stream below "delta", version 1 below
// "response".
func places() []answer.Place[what] {
	p := []answer.Place[what]{
		{At: "type", Tells: kind},
		{At: "event_type", Tells: kind},
		{At: "message", Tells: message},
		{At: "error.message", Tells: message},
	}
	for _, in := range []string{"", "delta.", "response."} {
		p = append(p,
			answer.Place[what]{At: in + "finish_reason", Tells: finish},
			answer.Place[what]{At: in + "usage", Tells: counts},
			answer.Place[what]{At: in + "meta", Tells: counts},
			answer.Place[what]{At: in + "error", Tells: failure},
		)
	}
	for _, at := range []string{
		"delta.message.content.text", "delta.message.content.thinking", "delta.message.tool_plan", "delta.message.tool_calls",
		"message.content", "message.tool_plan", "message.tool_calls",
		"text", "tool_calls", "tool_call_delta", "generations", "embeddings", "results", "classifications", "summary",
	} {
		p = append(p, answer.Place[what]{At: at, How: jsonpick.Some, Tells: content})
	}
	return p
}

// meter reads one answer.
type meter struct {
	answer.Meter
	kind  string // the last type of an event: repeated ones cost nothing
	typed bool   // the current text has a type
	flat  string // the current text's message, where that is a text
	fault answer.Fault
}

func (m *meter) Close() wire.Reading {
	m.In.Close()
	return m.R
}

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case kind:
		h.typed = true
		answer.Remember(&h.kind, v)
	case finish:
		answer.Remember(&h.R.Finish, v)
	case counts:
		if u := usageOf(v); u.Known() {
			h.R.Usage = u
		}
	case content:
		h.Content()
	case failure:
		h.fault.Error(v)
	case message:
		if v.Kind == jsonscan.String {
			h.flat = answer.Message(v)
		}
	}
}

// End takes the end of a text. A stream ends with message-end or stream-end; the "[DONE]" that version 2
// sends after it says nothing new. An error is a message alone: {"message","id"}.
func (h *handler) End(t answer.Text) {
	h.R.Seen |= wire.SeenEvent
	last := h.typed && (h.kind == "message-end" || h.kind == "stream-end")
	if h.flat != "" && !h.typed || last && h.R.Finish == "ERROR" {
		h.fault.Set()
	}
	h.fault.Fallback(h.flat)
	if text, failed := h.fault.Text(); failed {
		h.R.Seen |= wire.SeenError
		h.R.Error = text
		if text == "" {
			h.R.Error = h.R.Finish
		}
	}
	if last || t.Sentinel || t.Whole && !h.typed {
		h.R.Seen |= wire.SeenEnd
		if h.R.Usage.Known() {
			h.R.Seen |= wire.SeenUsage
		}
	}
	h.typed, h.flat, h.fault = false, "", answer.Fault{}
}
