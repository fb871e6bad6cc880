package openai

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonpick"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Realtime makes the reader of a realtime session, and of responses over a WebSocket
// (https://platform.openai.com/docs/api-reference/realtime-server-events, read 2026-11). Each response
// reports its usage when it is done, and each piece of the user's speech that was written down the usage
// of the model that did it, which is another than the session's.
func Realtime() wire.Session {
	s := &session{}
	s.in.Reset(realtime.Set, false, (*sessionHandler)(s))
	return s
}

// said is what the value of a place in a server's event tells.
type said uint8

const (
	saidType        said = iota
	saidUsage            // of a response
	saidTranscribed      // usage of a transcription
	saidModel            // of the session, or of the response
	saidTranscriber      // the model that writes the user's speech down
	saidStatus
	saidReason
	saidTier
	saidError
	saidMessage
	saidCode
)

// realtime is what is looked for. The transcribing model stands in "input_audio_transcription" of the
// beta protocol, and below "audio" since. It does not change.
var realtime = answer.Compile([]answer.Place[said]{ //nolint:gochecknoglobals // immutable
	{At: "type", Tells: saidType},
	{At: "response.usage", Tells: saidUsage},
	{At: "usage", Tells: saidTranscribed},
	{At: "session.model", Tells: saidModel},
	{At: "response.model", Tells: saidModel},
	{At: "session.input_audio_transcription.model", Tells: saidTranscriber},
	{At: "session.audio.input.transcription.model", Tells: saidTranscriber},
	{At: "response.status", Tells: saidStatus},
	{At: "response.status_details.reason", Tells: saidReason},
	{At: "response.incomplete_details.reason", Tells: saidReason},
	{At: "response.service_tier", Tells: saidTier},
	{At: "error", How: jsonpick.Some, Tells: saidError},
	{At: "error.message", Tells: saidMessage},
	{At: "error.code", Tells: saidCode},
})

// session reads a realtime session.
type session struct {
	in          answer.Reader
	model       string
	transcriber string
	event       event
}

// event is what was picked from the current message.
type event struct {
	kind           string
	usage, written sluice.Usage
	cost           string
	status, reason string
	tier           string
	fault          answer.Fault
}

func (s *session) Write(p []byte) { s.in.Write(p) }

// End implements wire.Session.
func (s *session) End() (kind string, r wire.Reading) {
	s.in.Close()
	e := s.event
	s.event = event{}
	s.in.Reset(realtime.Set, false, (*sessionHandler)(s))
	r.Seen = wire.SeenEvent
	if e.kind == "error" {
		e.fault.Set()
	}
	if text, failed := e.fault.Text(); failed {
		r.Seen |= wire.SeenError
		r.Error = text
	}
	switch {
	case e.usage.Known() && finished(e.kind):
		r.Usage, r.Model, r.Cost, r.Tier = e.usage, s.model, e.cost, wire.Tier(e.tier)
		if r.Finish = e.reason; r.Finish == "" {
			r.Finish = e.status
		}
		kind = "response"
	case e.written.Known() && e.kind == "conversation.item.input_audio_transcription.completed":
		r.Usage, r.Model = e.written, s.transcriber
		kind = "transcription"
	}
	if kind != "" {
		r.Usage.Basis = sluice.BasisProvider
		r.Seen |= wire.SeenUsage
	}
	return kind, r
}

// finished reports whether a response has ended with the event of that type; before, usage may grow.
func finished(kind string) bool {
	verb, ok := strings.CutPrefix(kind, "response.")
	switch verb {
	case "done", "completed", "incomplete", "failed", "cancelled":
		return ok
	}
	return false
}

// sessionHandler is the session as the reader of a message sees it.
type sessionHandler session

// Begin implements answer.Handler.
func (h *sessionHandler) Begin() {}

// End implements answer.Handler.
func (h *sessionHandler) End(answer.Text) {}

// Pick takes a value of the current message.
func (h *sessionHandler) Pick(path int, v jsonscan.Value) {
	e := &h.event
	switch realtime.Tells(path) {
	case saidType:
		answer.Remember(&e.kind, v)
	case saidUsage:
		e.usage, e.cost = usageOf(v, 0)
	case saidTranscribed:
		e.written, _ = usageOf(v, 0)
	case saidModel:
		answer.Remember(&h.model, v)
	case saidTranscriber:
		answer.Remember(&h.transcriber, v)
	case saidStatus:
		answer.Remember(&e.status, v)
	case saidReason:
		answer.Remember(&e.reason, v)
	case saidTier:
		answer.Remember(&e.tier, v)
	case saidError:
		e.fault.Error(v)
	case saidMessage:
		e.fault.Message(v)
	case saidCode:
		e.fault.Code(v)
	}
}
