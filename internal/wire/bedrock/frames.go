package bedrock

import (
	"bytes"
	"encoding/base64"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/eventstream"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// meter reads one answer: a JSON text, or frames that hold one each. The texts are read by the meter of
// their dialect, to which frames are written as the server-sent events that they would be elsewhere.
type meter struct {
	stream bool
	framed bool
	frames eventstream.Splitter
	texts  wire.Meter // nil: nothing has come yet
	event  []byte     // being made
	spare  counts     // of the head or the invocation metrics, for want of the dialect's own
	seen   wire.Sighting
	err    string // of an exception
}

// keepRoom is how much room for an event is kept from one to the next, in bytes.
const keepRoom = 64 << 10

func newMeter(stream bool) wire.Meter { return &meter{stream: stream} }

// Head takes the counts in an answer's head.
func (m *meter) Head(h sluice.Header) {
	const prefix = "x-amzn-bedrock-"
	for _, c := range [...]struct {
		name string
		to   *answer.Count
	}{
		{prefix + "input-token-count", &m.spare.input},
		{prefix + "output-token-count", &m.spare.output},
		{prefix + "cache-read-input-token-count", &m.spare.cacheRead},
		{prefix + "cache-write-input-token-count", &m.spare.cacheWrite},
	} {
		c.to.Set(jsonscan.Of([]byte(h.Get(c.name))))
	}
}

// Write takes the next bytes. A frame begins with its length, which is below 32 MB, and no text begins
// with such a byte.
func (m *meter) Write(p []byte) {
	if len(p) == 0 {
		return
	}
	if m.texts == nil && !m.framed {
		if m.framed = p[0] <= 1; !m.framed {
			m.texts = newTexts(m.stream)
		}
	}
	if m.framed {
		m.frames.Write(p, (*frames)(m))
	} else {
		m.texts.Write(p)
	}
}

func (m *meter) Seen() wire.Sighting {
	if m.texts == nil {
		return m.seen
	}
	return m.seen | m.texts.Seen()
}

// SoFar returns the usage that the bytes so far have reported.
func (m *meter) SoFar() sluice.Usage {
	if p, ok := m.texts.(wire.Progress); ok {
		return p.SoFar()
	}
	return sluice.Usage{}
}

func (m *meter) Close() wire.Reading {
	var r wire.Reading
	if m.texts != nil {
		r = m.texts.Close()
	}
	if r.Seen |= m.seen; r.Error == "" {
		r.Error = m.err
	}
	spare := m.spare.usage()
	for _, c := range []sluice.Class{sluice.Input, sluice.Output} {
		if _, known := r.Usage.Get(c); !known {
			m.spend(&r.Usage, spare, c)
		}
	}
	if r.Usage.Known() && r.Seen&wire.SeenEnd != 0 {
		r.Seen |= wire.SeenUsage
	}
	return r
}

// spend puts a count that the dialect does not know in its place. Cached tokens come with the input.
func (m *meter) spend(u *sluice.Usage, spare sluice.Usage, c sluice.Class) {
	classes := []sluice.Class{c}
	if c == sluice.Input {
		classes = append(classes, sluice.CacheRead, sluice.CacheWrite5m)
	}
	for _, c := range classes {
		if n, known := spare.Get(c); known {
			u.Set(c, n)
			u.Basis = sluice.BasisProvider
		}
	}
}

// frames is the meter as the splitter sees it.
type frames meter

// Message takes a frame.
func (f *frames) Message(m eventstream.Message) {
	f.seen |= wire.SeenEvent
	switch string(m.Header(":message-type")) {
	case "exception":
		var out [2]jsonscan.Value
		jsonscan.Top(m.Payload, []string{"message", "Message"}, out[:])
		f.fail(answer.Message(out[0]), answer.Message(out[1]), text(m.Header(":exception-type")))
		return
	case "error":
		f.fail(text(m.Header(":error-message")), text(m.Header(":error-code")))
		return
	}
	if string(m.Header(":event-type")) != "chunk" {
		if f.texts == nil {
			f.texts = newTexts(true)
		}
		f.write(append(f.begin(), m.Payload...))
		return
	}
	if m.Cut {
		f.seen |= wire.SeenContent // whatever it is, there is much of it
		return
	}
	f.chunk(m.Payload)
}

// text makes text of a header's value, which may be too long for an error's message.
func text(b []byte) string {
	return strings.ToValidUTF8(string(b[:min(len(b), answer.MaxMessage/2)]), "\ufffd")
}

// fail notes an error, with the first of texts that says something.
func (f *frames) fail(texts ...string) {
	f.seen |= wire.SeenError
	for _, s := range texts {
		if f.err == "" {
			f.err = s
		}
	}
}

// chunk takes an event of a model that has been invoked, of which bytes holds the text.
func (f *frames) chunk(payload []byte) {
	var out [1]jsonscan.Value
	jsonscan.Top(payload, []string{"bytes"}, out[:])
	if out[0].Kind != jsonscan.String {
		return
	}
	in := out[0].Raw[1 : len(out[0].Raw)-1]
	if bytes.IndexByte(in, '\\') >= 0 {
		in = []byte(out[0].String())
	}
	event, err := base64.StdEncoding.AppendDecode(f.begin(), in)
	if err != nil {
		return
	}
	if f.texts == nil {
		f.texts = dialect(event[len(data):])(true)
	}
	f.metrics(event[len(data):])
	f.write(event)
}

// dialect finds out which dialect the events of a stream are in, by the first one.
func dialect(event []byte) func(stream bool) wire.Meter {
	var out [2]jsonscan.Value
	jsonscan.Top(event, []string{"type", "choices"}, out[:])
	switch {
	case strings.HasPrefix(out[0].String(), "response."):
		return openai.Responses
	case out[0].Kind == jsonscan.String:
		return anthropic.Messages
	case out[1].Found:
		return openai.Chat
	}
	return newTexts
}

const data = "data: "

// begin begins an event.
func (f *frames) begin() []byte { return append(f.event[:0], data...) }

// write passes on the event that was begun. Line ends are no more than space in JSON, and would end the
// event's data.
func (f *frames) write(event []byte) {
	for i, c := range event {
		if c == '\n' || c == '\r' {
			event[i] = ' '
		}
	}
	event = append(event, "\n\n"...)
	f.texts.Write(event)
	if f.event = event; cap(event) > keepRoom {
		f.event = nil
	}
}

// metrics reads the metrics that Bedrock adds to the last event of a model that has been invoked.
func (f *frames) metrics(event []byte) {
	const name = "amazon-bedrock-invocationMetrics"
	if !bytes.Contains(event, []byte(name)) {
		return
	}
	var out [1]jsonscan.Value
	jsonscan.Top(event, []string{name}, out[:])
	keys := [...]string{"inputTokenCount", "outputTokenCount", "cacheReadInputTokenCount", "cacheWriteInputTokenCount"}
	var count [len(keys)]jsonscan.Value
	if out[0].Kind != jsonscan.Object || !jsonscan.Top(out[0].Raw, keys[:], count[:]).Valid {
		return
	}
	for i, to := range [...]*answer.Count{&f.spare.input, &f.spare.output, &f.spare.cacheRead, &f.spare.cacheWrite} {
		to.Set(count[i])
	}
	f.seen |= wire.SeenEnd
	if u := f.spare.usage(); u.Known() {
		f.seen |= wire.SeenUsage
	}
}
