// Package gemini reads the dialect of Google's Gemini API and of Vertex AI: generateContent, its stream
// as server-sent events or as one JSON array that comes in pieces, embeddings and predictions
// (https://ai.google.dev/api/generate-content and
// https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference, read 2026-11).
package gemini

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Generate makes the meter of a model's generateContent and streamGenerateContent. stream says, here and
// below, whether the request asked for a stream; the meters find out from the bytes what they are given,
// and also read error bodies.
func Generate(stream bool) wire.Meter { return newMeter(&generate, stream) }

// Embed makes the meter of embedContent and batchEmbedContents. Only newer models report usage.
func Embed(stream bool) wire.Meter { return newMeter(&generate, stream) }

// CountTokens makes the meter of countTokens and computeTokens. What they count was not spent: usage
// stays unknown.
func CountTokens(stream bool) wire.Meter { return newMeter(&generate, stream) }

// Predict makes the meter of Vertex AI's predict: embeddings, images, and the models before Gemini.
func Predict(stream bool) wire.Meter { return newMeter(&predict, stream) }

// meter reads one answer.
type meter struct {
	answer.Meter
	plan    *answer.Plan[what]
	counts  counts
	fault   answer.Fault
	blocked bool // the prompt was
	// Candidates, by their index: those that there are, and those that have ended.
	begun, ended uint64
	candidate    candidate
	prediction   prediction
	sums         sums // of the current text
}

// candidate is the one that is being read.
type candidate struct {
	open   bool
	index  int64
	finish bool
}

// prediction is the one that is being read.
type prediction struct {
	bytes bool // it holds some
	image bool // they are a picture
}

func newMeter(p *answer.Plan[what], stream bool) wire.Meter {
	m := &meter{plan: p}
	m.In.Reset(p.Set, stream, (*handler)(m))
	return m
}

func (m *meter) Close() wire.Reading {
	m.In.Close()
	m.R.Usage = m.counts.usage(m.R.Finish != "")
	m.R.Tier = m.counts.served()
	return m.R
}

// SoFar returns the usage that the bytes so far have reported.
func (m *meter) SoFar() sluice.Usage { return m.counts.usage(false) }

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the current text.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch h.plan.Tells(path) {
	case model:
		answer.Remember(&h.R.Model, v)
	case usage:
		h.counts.take(v)
	case choice:
		h.endCandidate()
		h.candidate.open = true
	case index:
		if n, ok := v.Count(); ok {
			h.candidate.index = n
		}
	case finish:
		h.candidate.finish = h.candidate.finish || v.Kind == jsonscan.String
		answer.Remember(&h.R.Finish, v)
	case block:
		if h.blocked = h.blocked || v.Kind == jsonscan.String; h.R.Finish == "" {
			answer.Remember(&h.R.Finish, v)
		}
	case content:
		h.Content()
	case failure:
		h.fault.Error(v)
	case message:
		h.fault.Message(v)
	case code:
		h.fault.Code(v)
	default:
		h.predicted(path, v)
	}
}

// predicted takes a value that only predictions have.
func (h *handler) predicted(path int, v jsonscan.Value) {
	switch h.plan.Tells(path) {
	case predicted:
		h.endPrediction()
	case mime:
		h.prediction.image = len(v.Raw) > 7 && string(v.Raw[1:7]) == "image/"
	case bytes:
		h.prediction.bytes = true
	case inputTokens:
		h.sums.input.Add(v)
	case outputTokens:
		h.sums.output.Add(v)
	case characters:
		h.sums.characters.Add(v)
	}
}

// endCandidate notes the candidate that was read.
func (h *handler) endCandidate() {
	if c := h.candidate; c.open {
		bit := uint64(1) << min(c.index, 63)
		h.begun |= bit
		if c.finish {
			h.ended |= bit
		}
	}
	h.candidate = candidate{}
}

// endPrediction notes the prediction that was read.
func (h *handler) endPrediction() {
	if h.prediction == (prediction{bytes: true, image: true}) {
		h.sums.images = answer.Count{N: h.sums.images.N + 1, Known: true}
	}
	h.prediction = prediction{}
}

// End takes the end of an event, or of the whole answer. A stream has no end of its own: it ends with the
// chunk in which the last candidate does.
func (h *handler) End(t answer.Text) {
	h.endCandidate()
	h.endPrediction()
	if h.sums != (sums{}) {
		h.counts.sums, h.sums = h.sums, sums{}
	}
	h.Ended(&h.fault)
	h.fault = answer.Fault{}
	if !t.Whole || t.Event && !h.blocked && (h.begun == 0 || h.begun != h.ended) {
		return
	}
	h.R.Seen |= wire.SeenEnd
	if h.counts.usage(true) != (sluice.Usage{}) {
		h.R.Seen |= wire.SeenUsage
	}
}
