// Package speech reads the answers of those who turn speech into text and text into speech, and count
// neither in tokens: Deepgram (https://developers.deepgram.com/reference, read 2026-11) and ElevenLabs
// (https://elevenlabs.io/docs/api-reference, read 2026-11). What they bill stands in part in the head.
package speech

import (
	"math"
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Deepgram makes the meter of listen, which bills the time of each channel that it hears, and of speak,
// which bills characters.
func Deepgram(stream bool) wire.Meter { return newMeter("dg-char-count", stream) }

// ElevenLabs makes the meter of all that makes speech, which bills characters. It tells no time of speech
// that was heard.
func ElevenLabs(stream bool) wire.Meter { return newMeter("character-cost", stream) }

// what is what the value of a place tells.
type what uint8

const (
	model    what = iota
	duration      // in seconds
	channel       // one that was heard
	content       // a part of the answer itself
	detail        // an error, or its text
	message       // what an error says
	code          // its code, for want of a message
)

// plan is what is looked for. It does not change.
var plan = answer.Compile([]answer.Place[what]{ //nolint:gochecknoglobals // immutable
	{At: "metadata.model_info.*.name", Tells: model},
	{At: "metadata.duration", Tells: duration},
	{At: "results.channels.[]", How: jsonpick.Some, Tells: channel},
	{At: "audio_base64", How: jsonpick.Some, Tells: content},
	{At: "text", How: jsonpick.Some, Tells: content},
	{At: "detail", Tells: detail},
	{At: "detail.message", Tells: message},
	{At: "detail.[].msg", Tells: message},
	{At: "err_msg", Tells: detail},
	{At: "err_code", Tells: code},
})

// meter reads one answer.
type meter struct {
	answer.Meter
	header     string // the one that counts characters
	characters answer.Count
	time       answer.Count // of one channel
	channels   int64
	whole      bool // all channels are known
	fault      answer.Fault
}

func newMeter(header string, stream bool) wire.Meter {
	m := &meter{header: header}
	m.In.Reset(plan.Set, stream, (*handler)(m))
	return m
}

// Head reads how many characters are billed. They may be a fraction.
func (m *meter) Head(h sluice.Header) {
	n, err := strconv.ParseFloat(strings.TrimSpace(h.Get(m.header)), 64)
	if err == nil && n >= 0 && n < 1<<53 {
		m.characters = answer.Count{N: int64(math.Round(n)), Known: true}
	}
}

func (m *meter) Close() wire.Reading {
	m.In.Close()
	m.characters.To(&m.R.Usage, sluice.Characters)
	if m.whole && m.time.Known && m.channels > 0 {
		answer.Count{N: m.time.N * min(m.channels, 1<<10), Known: true}.To(&m.R.Usage, sluice.Milliseconds)
	}
	return m.R
}

// handler is the meter as the answer's reader sees it.
type handler meter

// Pick takes a value of the answer.
func (h *handler) Pick(path int, v jsonscan.Value) {
	switch plan.Tells(path) {
	case model:
		if h.R.Model == "" {
			answer.Remember(&h.R.Model, v)
		}
	case duration:
		h.time.SetSeconds(v)
	case channel:
		h.channels++
		h.R.Seen |= wire.SeenContent
	case content:
		h.R.Seen |= wire.SeenContent
	case detail:
		h.fault.Error(v)
	case message:
		h.fault.Set()
		h.fault.Message(v)
	case code:
		h.fault.Set()
		h.fault.Code(v)
	}
}

// End takes the end of the answer.
func (h *handler) End(t answer.Text) {
	h.Ended(&h.fault)
	if !t.Event && t.Whole {
		h.whole = true
		h.R.Seen |= wire.SeenEnd
		if h.characters.Known || h.time.Known && h.channels > 0 {
			h.R.Seen |= wire.SeenUsage
		}
	}
}
