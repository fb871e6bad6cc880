// Package replicate reads Replicate's predictions, and the streams of their output
// (https://replicate.com/docs/reference/http, read 2026-11).
//
// A prediction is one thing that costs once, and many answers may show it: the one to the call that
// created it, when that waited for the end, and those to each poll. Only the call that creates it counts.
// So a prediction that outlives its first call has no usage anywhere, which is unknown and not zero.
package replicate

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Create makes the meter of what creates a prediction. Its usage is known when the answer shows the
// prediction's end. Like Poll it reads errors, and neither asks whether a stream was wanted.
func Create(bool) wire.Meter { return newMeter(true) }

// Poll makes the meter of what shows or cancels a prediction: it reads all but what was used.
func Poll(bool) wire.Meter { return newMeter(false) }

// what is what the value of a place tells.
type what uint8

const (
	model what = iota
	status
	output
	failure
	seconds // that it ran
	inputTokens
	outputTokens
	images
	detail // what a problem document says
	title  // what kind of problem it is
)

// plan is what is looked for. It does not change.
var plan = answer.Compile([]answer.Place[what]{ //nolint:gochecknoglobals // immutable
	{At: "model", Tells: model},
	{At: "status", Tells: status},
	{At: "output", How: jsonpick.Some, Tells: output},
	{At: "error", Tells: failure},
	{At: "metrics.predict_time", Tells: seconds},
	{At: "metrics.input_token_count", Tells: inputTokens},
	{At: "metrics.output_token_count", Tells: outputTokens},
	{At: "metrics.image_count", Tells: images},
	{At: "detail", Tells: detail},
	{At: "title", Tells: title},
})

// meter reads one prediction, or one problem document.
type meter struct {
	answer.Meter
	counted bool
	status  string
	problem bool // the answer is a problem document, unless it has a status in words
	fault   answer.Fault
	// counts are those of the classes in the order of classes.
	counts [4]answer.Count
}

func classes() [4]sluice.Class {
	return [...]sluice.Class{sluice.Milliseconds, sluice.Input, sluice.Output, sluice.Images}
}

func newMeter(counted bool) wire.Meter {
	m := &meter{counted: counted}
	m.In.Reset(plan.Set, false, (*handler)(m))
	return m
}

// Close returns what was read. Metrics grow until the prediction has ended.
func (m *meter) Close() wire.Reading {
	m.In.Close()
	if m.counted && m.R.Finish != "" {
		for i, class := range classes() {
			m.counts[i].To(&m.R.Usage, class)
		}
	}
	return m.R
}

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the answer.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case model:
		answer.Remember(&h.R.Model, v)
	case status:
		answer.Remember(&h.status, v) // that of a problem document is a number
	case output:
		h.R.Seen |= wire.SeenContent
	case failure:
		h.fault.Error(v)
	case seconds:
		h.counts[0].SetSeconds(v)
	case inputTokens:
		h.counts[1].Set(v)
	case outputTokens:
		h.counts[2].Set(v)
	case images:
		h.counts[3].Set(v)
	case detail:
		h.problem = true
		h.fault.Message(v)
	case title:
		h.problem = true
		h.fault.Code(v)
	}
}

// End takes the end of the answer.
func (h *handler) End(t answer.Text) {
	final := h.status == "succeeded" || h.status == "failed" || h.status == "canceled" || h.status == "aborted"
	if final {
		h.R.Finish = h.status
	}
	if h.status == "failed" || h.status == "" && h.problem {
		h.fault.Set()
	}
	h.fault.Fallback(h.status)
	h.Ended(&h.fault)
	if !t.Whole {
		return
	}
	h.R.Seen |= wire.SeenEnd
	for _, c := range h.counts {
		if c.Known && h.counted && final {
			h.R.Seen |= wire.SeenUsage
		}
	}
}
