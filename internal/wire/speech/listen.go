package speech

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Listen makes the reader of Deepgram's sessions (https://developers.deepgram.com/docs/lower-level-websockets,
// read 2026-11). The message before the end tells how long it has listened, and to how many channels; of
// speech that it makes it tells no count.
func Listen() wire.Session {
	s := &listening{}
	s.in.Reset(listen.Set, false, (*listenHandler)(s))
	return s
}

// heard is what the value of a place tells.
type heard uint8

const (
	heardType heard = iota
	heardDuration
	heardChannels
	heardModel
	heardError
	heardMessage
)

// listen is what is looked for. It does not change.
var listen = answer.Compile([]answer.Place[heard]{ //nolint:gochecknoglobals // immutable
	{At: "type", Tells: heardType},
	{At: "duration", Tells: heardDuration},
	{At: "channels", Tells: heardChannels},
	{At: "model_info.*.name", Tells: heardModel},
	{At: "err_code", Tells: heardError},
	{At: "err_msg", Tells: heardMessage},
	{At: "description", Tells: heardMessage},
})

// listening reads a session.
type listening struct {
	in       answer.Reader
	kind     string
	model    string
	time     answer.Count // of one channel
	channels answer.Count
	fault    answer.Fault
}

func (s *listening) Write(p []byte) { s.in.Write(p) }

// End implements wire.Session.
func (s *listening) End() (kind string, r wire.Reading) {
	s.in.Close()
	r.Seen = wire.SeenEvent
	if s.kind == "Error" {
		s.fault.Set()
	}
	if text, failed := s.fault.Text(); failed {
		r.Seen |= wire.SeenError
		r.Error = text
	}
	if s.kind == "Metadata" && s.time.Known && s.channels.Known {
		answer.Count{N: s.time.N * min(s.channels.N, 1<<10), Known: true}.To(&r.Usage, sluice.Milliseconds)
		r.Model, kind = s.model, "transcription"
		r.Seen |= wire.SeenUsage
	}
	s.kind, s.model, s.time, s.channels, s.fault = "", "", answer.Count{}, answer.Count{}, answer.Fault{}
	s.in.Reset(listen.Set, false, (*listenHandler)(s))
	return kind, r
}

// listenHandler is the session as the reader of a message sees it.
type listenHandler listening

// Begin implements answer.Handler.
func (h *listenHandler) Begin() {}

// End implements answer.Handler.
func (h *listenHandler) End(answer.Text) {}

// Pick takes a value of the current message.
func (h *listenHandler) Pick(path int, v jsonscan.Value) {
	switch listen.Tells(path) {
	case heardType:
		answer.Remember(&h.kind, v)
	case heardDuration:
		h.time.SetSeconds(v)
	case heardChannels:
		h.channels.Set(v)
	case heardModel:
		if h.model == "" {
			answer.Remember(&h.model, v)
		}
	case heardError:
		h.fault.Set()
		h.fault.Code(v)
	case heardMessage:
		h.fault.Message(v)
	}
}
