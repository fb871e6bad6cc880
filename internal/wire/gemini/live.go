package gemini

import (
	"strings"

	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Live makes the reader of a Live API session (https://ai.google.dev/api/live, read 2026-11). The server
// reports the usage of each turn; the model stands in the client's first message only. The server's
// messages are JSON in text frames or in binary ones.
func Live() wire.Session {
	s := &live{}
	s.in.Reset(liveTold.Set, false, (*liveHandler)(s))
	s.asked.Reset(liveAsked.Set, false, (*askHandler)(s))
	return s
}

// The plans of a session's messages. They do not change.
var (
	liveTold = answer.Compile(append(errorPlaces(), //nolint:gochecknoglobals // immutable
		place{At: "usageMetadata", Tells: usage},
		place{At: "serverContent.turnCompleteReason", Tells: finish},
	))
	liveAsked = answer.Compile([]place{{At: "setup.model", Tells: model}}) //nolint:gochecknoglobals // immutable
)

// live reads a session.
type live struct {
	in, asked answer.Reader
	model     string
	counts    counts
	finish    string
	fault     answer.Fault
}

var _ wire.Asking = (*live)(nil)

func (s *live) Write(p []byte) { s.in.Write(p) }

// End implements wire.Session.
func (s *live) End() (kind string, r wire.Reading) {
	s.in.Close()
	r.Seen = wire.SeenEvent
	if text, failed := s.fault.Text(); failed {
		r.Seen |= wire.SeenError
		r.Error = text
	}
	if u := s.counts.usage(true); u.Known() {
		r.Usage, r.Model, r.Tier, r.Finish = u, s.model, s.counts.served(), s.finish
		r.Seen |= wire.SeenUsage
		kind = "response"
	}
	s.counts, s.finish, s.fault = counts{}, "", answer.Fault{}
	s.in.Reset(liveTold.Set, false, (*liveHandler)(s))
	return kind, r
}

// Ask implements wire.Asking.
func (s *live) Ask(p []byte) { s.asked.Write(p) }

// EndAsk implements wire.Asking.
func (s *live) EndAsk() {
	s.asked.Close()
	s.asked.Reset(liveAsked.Set, false, (*askHandler)(s))
}

// liveHandler is the session as the reader of the server's message sees it.
type liveHandler live

// Begin implements answer.Handler.
func (h *liveHandler) Begin() {}

// End implements answer.Handler.
func (h *liveHandler) End(answer.Text) {}

// Pick takes a value of the server's message. What an answer calls candidates is a response here.
func (h *liveHandler) Pick(path int, v jsonscan.Value) {
	switch liveTold.Tells(path) {
	case usage:
		h.counts.take(v)
		var out [2]jsonscan.Value
		if v.Kind == jsonscan.Object && jsonscan.Top(v.Raw, []string{"responseTokenCount", "responseTokensDetails"}, out[:]).Valid {
			h.counts.candidates.Set(out[0])
			details(out[1], &h.counts.audioOut, &h.counts.imageOut)
		}
	case finish:
		answer.Remember(&h.finish, v)
	case failure:
		h.fault.Error(v)
	case message:
		h.fault.Message(v)
	case code:
		h.fault.Code(v)
	}
}

// askHandler is the session as the reader of the client's message sees it.
type askHandler live

// Begin implements answer.Handler.
func (h *askHandler) Begin() {}

// End implements answer.Handler.
func (h *askHandler) End(answer.Text) {}

// Pick takes the model's name, of which the end counts: "models/gemini-live", and with Vertex AI
// "projects/p/locations/l/publishers/google/models/gemini-live".
func (h *askHandler) Pick(_ int, v jsonscan.Value) {
	answer.Remember(&h.model, v)
	h.model = h.model[strings.LastIndexByte(h.model, '/')+1:]
}
