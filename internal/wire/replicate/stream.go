package replicate

import (
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/answer"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
	"github.com/sluicehq/sluice/internal/wire/sse"
)

// Stream makes the meter of a prediction's stream, whose events are told apart by their names: what a
// model wrote is plain text. It counts nothing; the prediction does.
func Stream(bool) wire.Meter { return &stream{} }

// maxData is how many bytes of an event's data are kept: its name is known only when it has ended.
const maxData = 4 << 10

// stream reads one stream.
type stream struct {
	in   sse.Splitter
	r    wire.Reading
	data []byte // of the current event
	long bool   // there was more of it
}

func (m *stream) Write(p []byte) { m.in.Write(p, (*sink)(m)) }

func (m *stream) Seen() wire.Sighting { return m.r.Seen }

func (m *stream) Close() wire.Reading {
	m.in.Close((*sink)(m))
	return m.r
}

// sink is the meter as the splitter sees it.
type sink stream

// Data takes a piece of an event's data.
func (s *sink) Data(p []byte) {
	if n := maxData - len(s.data); len(p) > n {
		s.long, p = true, p[:n]
	}
	s.data = append(s.data, p...)
}

// End takes the end of an event. "done" comes after errors too; without a reason, all went well.
func (s *sink) End(name []byte) {
	s.r.Seen |= wire.SeenEvent
	switch string(name) {
	case "output":
		if len(s.data) > 0 {
			s.r.Seen |= wire.SeenContent
		}
	case "error":
		s.r.Seen |= wire.SeenError
		if s.r.Error = answer.Message(s.member("detail")); s.r.Error == "" {
			s.r.Error = "failed"
		}
	case "done":
		s.r.Seen |= wire.SeenEnd
		s.r.Finish = "succeeded"
		answer.Remember(&s.r.Finish, s.member("reason"))
	}
	s.data, s.long = s.data[:0], false
}

// member returns a member of the current event's data, if that is one object and was kept whole.
func (s *sink) member(name string) jsonscan.Value {
	var out [1]jsonscan.Value
	if s.long || !jsonscan.Top(s.data, []string{name}, out[:]).Valid {
		return jsonscan.Value{}
	}
	return out[0]
}
