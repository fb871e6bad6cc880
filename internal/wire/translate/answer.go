package translate

import (
	"bytes"

	"github.com/tidwall/gjson"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/sse"
)

// EventKind is what an Event tells.
type EventKind uint8

// The kinds of events. A decoder gives EventStart first, and after EventEnd or EventFault nothing.
const (
	EventStart     EventKind = iota // the answer has begun: ID, Model, Created as far as they are known
	EventKeepAlive                  // nothing has happened, but the provider is there
	EventText                       // Text
	EventRefusal                    // Text, of a refusal that the provider marks as one
	EventReasoning                  // Text of reasoning
	EventThought                    // Thought: what only machines read of it; Text where it came whole
	EventCall                       // a tool is called: Call, ID, Name, Signature; Text is what is known of its arguments
	EventArgs                       // Text, the next piece of the arguments of Call
	EventCallEnd                    // the arguments of Call are whole
	EventMedia                      // Media
	EventExtra                      // Name and Text, a member of the answer's message as JSON that other dialects lack
	EventFinish                     // Finish: why the model stopped
	EventFault                      // Fault
	EventEnd                        // the provider's own end of the answer
)

// Event is something that happens in an answer. A whole answer is a row of events, too.
type Event struct {
	Kind      EventKind
	Choice    int // which of several answers
	Text      string
	ID        string
	Name      string
	Model     string
	Created   int64
	Call      int // counts the tools called in this choice, from 0
	Signature string
	Thought   *Thought
	Block     int // which block of reasoning it is, counted from 0
	Media     *Media
	Finish    Finish
	Native    string // the finish reason, as the provider words it
	Fault     *Fault
}

// Finish is why a model stopped.
type Finish string

// The finishes.
const (
	FinishStop   Finish = "stop"
	FinishLength Finish = "length"
	FinishTools  Finish = "tool_calls"
	FinishFilter Finish = "content_filter"
)

// Fault is an error in the neutral form.
type Fault struct {
	Status  int
	Type    string // OpenAI's: invalid_request_error, …
	Code    string // "" when there is none
	Param   string
	Message string
	// After is what the provider advises, in seconds; "": nothing.
	After string
}

// Truncated reports whether the error is that the answer broke off.
func (f *Fault) Truncated() bool { return f.Code == codeTruncated }

const codeTruncated = "stream_truncated"

// decoder reads an answer: its bytes in any cuts.
type decoder interface {
	// write takes the next bytes and emits what happens.
	write(p []byte, emit func(Event))
	// close takes the end of the bytes. An answer without its own end gets no EventEnd.
	close(emit func(Event))
}

// encoder writes an answer. Whatever the events are, what it writes is legal: events that would not be are put in
// order, or left out.
type encoder interface {
	// event appends what e becomes.
	event(e *Event)
	// bytes returns what has been written since the last call. It is valid until the next event.
	bytes() []byte
}

// Answer translates one answer as it comes. It is used by one goroutine.
type Answer struct {
	ctx    Context
	in     decoder
	out    encoder
	same   *passing // nil: the dialects differ
	fault  *Fault
	begun  bool // something has happened that a client is to see
	ended  bool // the provider's own end, or an error, has come
	closed bool
}

// NewAnswer makes the translation of one answer.
func NewAnswer(c Context) *Answer {
	a := &Answer{ctx: c}
	if c.pass {
		a.same = &passing{ctx: &a.ctx}
		return a
	}
	a.in = codecOf(c.From).answer(&a.ctx)
	a.out = codecOf(c.To).write(&a.ctx)
	return a
}

// Write takes the next bytes of the provider's answer, and returns the client's: valid until the next call.
func (a *Answer) Write(p []byte) []byte {
	if a.same != nil {
		a.same.write(p)
		a.begun = a.same.begun
		return a.same.take()
	}
	a.in.write(p, a.event)
	return a.out.bytes()
}

// Close ends the answer, and returns the client's last bytes. An answer that has not come to its own end, or
// that was cut (the connection broke), ends with an error.
func (a *Answer) Close(cut bool) []byte {
	if a.closed {
		return nil
	}
	a.closed = true
	if a.same != nil {
		a.same.close(cut)
		return a.same.take()
	}
	if !cut {
		a.in.close(a.event)
	}
	if !a.ended {
		a.event(Event{Kind: EventFault, Fault: truncated()})
	}
	return a.out.bytes()
}

// Begun reports whether the answer has proved to be one: something has come that is neither an error nor a
// sign of life.
func (a *Answer) Begun() bool { return a.begun }

// Fault returns the error that the answer holds or has ended with; nil: none.
func (a *Answer) Fault() *Fault { return a.fault }

// event passes an event on, as long as it can still be told.
func (a *Answer) event(e Event) {
	if a.ended {
		return
	}
	switch e.Kind {
	case EventFault:
		a.fault, a.ended = e.Fault, true
	case EventEnd:
		a.ended = true
		if !a.begun {
			a.start(Event{Kind: EventStart})
		}
	case EventKeepAlive:
		if !a.begun {
			return
		}
	case EventStart:
		if !a.begun {
			a.start(e)
		}
		return
	default:
		if !a.begun {
			a.start(Event{Kind: EventStart})
		}
	}
	a.out.event(&e)
}

func (a *Answer) start(e Event) {
	a.begun = true
	if e.ID == "" {
		e.ID = a.ctx.ID
	}
	if e.Model == "" {
		e.Model = a.ctx.Model
	}
	if e.Created == 0 {
		e.Created = a.ctx.Created
	}
	e.Kind = EventStart
	a.out.event(&e)
}

// ErrorBody writes an error for a client of dialect d.
func ErrorBody(d Dialect, f *Fault) []byte { return codecOf(d).failed(f) }

// ReadError reads a provider's error answer.
func ReadError(d Dialect, status int, h sluice.Header, body []byte) *Fault {
	return codecOf(d).fault(status, h, body)
}

// maxEvent bounds one event of a stream, and a whole answer: what is larger is an error.
const maxEvent = 64 << 20

// events reads a stream of JSON events over SSE, or one whole JSON text, whatever was asked for: providers
// answer with the other one now and then.
type events struct {
	split  sse.Splitter
	data   []byte
	first  bool // a byte that is no white space has come
	stream bool
	over   bool // something was too large
	// each takes an event: its name, if it has one, and its data.
	each func(name string, data []byte)
	// whole takes a whole answer.
	whole func(data []byte)
	// alive takes a comment. nil: nobody asks.
	alive func()
}

func (v *events) write(p []byte) {
	if !v.first {
		t := bytes.TrimLeft(p, " \t\r\n\ufeff")
		if len(t) == 0 {
			return
		}
		v.first, v.stream = true, t[0] != '{' && t[0] != '['
	}
	if v.stream {
		if v.alive != nil && bytes.HasPrefix(p, []byte(":")) {
			v.alive()
		}
		v.split.Write(p, v)
		return
	}
	v.Data(p)
}

func (v *events) close() {
	switch {
	case !v.first:
	case v.stream:
		v.split.Close(v)
	case len(v.data) > 0 && !v.over:
		v.whole(v.data)
	}
}

// Data implements sse.Handler.
func (v *events) Data(p []byte) {
	if v.over = v.over || len(v.data)+len(p) > maxEvent; v.over {
		v.data = nil
		return
	}
	v.data = append(v.data, p...)
}

// End implements sse.Handler.
func (v *events) End(name []byte) {
	if !v.over {
		v.each(string(name), v.data)
	}
	v.data = v.data[:0]
}

// parse reads an event's JSON. ok is false for what is no valid object.
func parse(data []byte) (v gjson.Result, ok bool) {
	if !gjson.ValidBytes(data) {
		return v, false
	}
	v = gjson.ParseBytes(data)
	return v, v.IsObject()
}
