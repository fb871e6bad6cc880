// Package workersai reads the answers of Workers AI's run: its envelope around what the models answer,
// each kind in a form of its own, and its streams, which have none
// (https://developers.cloudflare.com/api/resources/ai/methods/run, read 2026-11). Newer models answer in
// OpenAI's form inside of the envelope.
package workersai

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// Run makes the meter of POST /run/{model}. stream says whether the request asked for a stream; some
// models ignore that, and the meter copes. Pictures and sounds that come as they are leave the counts
// unknown.
func Run(stream bool) wire.Meter {
	m := &meter{}
	m.In.Reset(plan.Set, stream, (*handler)(m))
	return m
}

// what is what the value of a place tells.
type what uint8

const (
	nothing  what = iota
	model         // the model that answered
	usage         // a usage object, in OpenAI's words
	choices       // there is at least one choice
	finish        // why the answer ended
	content       // a part of the answer itself
	picture       // a picture
	duration      // of a recording that was written down, in seconds
	success       // whether the call was one
	failure       // an error
	message       // what it says
	code          // its number, for want of a message
)

//nolint:gochecknoglobals // immutable: the places, compiled once
var plan = answer.Compile(append(answer.Under(shared(), "", "result."), envelope()...))

// shared are the places of both forms, with and without an envelope. Every member of a delta or message
// may be the first token, except those that only announce one.
func shared() []answer.Place[what] {
	places := []answer.Place[what]{
		{At: "model", Tells: model},
		{At: "usage", Tells: usage},
		{At: "choices", How: jsonpick.Some, Tells: choices},
		{At: "choices.[].finish_reason", Tells: finish},
		{At: "choices.[].text", How: jsonpick.Some, Tells: content},
	}
	for _, in := range []string{"choices.[].delta.", "choices.[].message."} {
		places = append(places,
			answer.Place[what]{At: in + "*", How: jsonpick.Some, Tells: content},
			answer.Place[what]{At: in + "role", How: jsonpick.Never})
	}
	return places
}

// envelope are the places of the envelope, and of the native events, which are not in one. A result is an
// object or a list. Errors have the envelope's form, those of the newer models OpenAI's.
func envelope() []answer.Place[what] {
	return []answer.Place[what]{
		{At: "response", How: jsonpick.Some, Tells: content},
		{At: "tool_calls", How: jsonpick.Some, Tells: content},
		{At: "result.*", How: jsonpick.Some, Tells: content},
		{At: "result.[]", How: jsonpick.Some, Tells: content},
		{At: "result.image", How: jsonpick.Some, Tells: picture},
		{At: "result.transcription_info.duration", Tells: duration},
		{At: "success", Tells: success},
		{At: "errors", How: jsonpick.Some, Tells: failure},
		{At: "errors.[].message", Tells: message},
		{At: "errors.[].code", Tells: code},
		{At: "error", Tells: failure},
		{At: "error.message", Tells: message},
		{At: "error.code", Tells: code},
	}
}

// meter reads one answer.
type meter struct {
	answer.Meter
	fault answer.Fault

	pictures answer.Count
	length   answer.Count // of a recording

	used   bool // the current text has usage
	chosen bool // and choices
}

func (m *meter) Close() wire.Reading {
	m.In.Close()
	m.pictures.To(&m.R.Usage, sluice.Images)
	m.length.To(&m.R.Usage, sluice.Milliseconds)
	return m.R
}

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case model:
		answer.Remember(&h.R.Model, v)
	case usage:
		if u := openai.Usage(v); u.Known() {
			h.used, h.R.Usage = true, u
		}
	case choices:
		h.chosen = true
	case finish:
		answer.Remember(&h.R.Finish, v)
	case content:
		h.Content()
	case picture:
		h.Content()
		h.pictures = answer.Count{N: 1, Known: true}
	case duration:
		h.length.SetSeconds(v)
	case success:
		if ok, told := v.Bool(); told && !ok {
			h.fault.Set()
		}
	case failure:
		h.fault.Error(v)
	case message:
		h.fault.Message(v)
	case code:
		h.fault.Code(v)
	}
}

// End takes the end of an event, or of the whole answer. Native events have their usage in the last one;
// those in OpenAI's form in one without choices, or with a reason to finish.
func (h *handler) End(t answer.Text) {
	h.Ended(&h.fault)
	final := t.Sentinel || !t.Event && t.Whole
	if final {
		h.R.Seen |= wire.SeenEnd
	}
	last := h.used && (!h.chosen || h.R.Finish != "")
	if last || final && (h.R.Usage.Known() || h.pictures.Known || h.length.Known) {
		h.R.Seen |= wire.SeenUsage
	}
	h.used, h.chosen, h.fault = false, false, answer.Fault{}
}
