package proxy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/wire/sse"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

// message is a request that came as a message of a WebSocket, and its answer on the way into frames. It is the
// sink of its exchange, and belongs to the exchange's goroutine.
type message struct {
	s       *session
	x       *exchange // while it is served
	text    gathered  // the message, until its request has been read
	request []byte    // what of it the exchange gets as its body
	eventID string    // as the client named it; "": not at all
	noted   string    // what the log is to know of the message
	fault   error     // why it is refused; nil: it is not

	meta   frameMeta
	own    bool          // the answer is an error of the gateway's
	chunks *chunks       // of a stream; nil: the answer is put into one frame
	body   gathered      // of another answer
	out    []byte        // frames that have not been written yet
	over   bool          // the last frame has been written
	broken sluice.Ending // how an answer ended that did not come whole
	unfit  error         // why it does not go into frames
}

// frameMeta is what frames tell of an answer. What is not known is null.
type frameMeta struct {
	CacheStatus     *string `json:"cacheStatus"`
	EventID         string  `json:"eventId"`
	LogID           *string `json:"logId"`
	Step            string  `json:"step"`
	ContentType     string  `json:"contentType"`
	Status          int     `json:"status"`                    // the provider's
	ContentEncoding string  `json:"contentEncoding,omitempty"` // of an answer that is encoded although nobody asked for it
	Encoding        string  `json:"encoding,omitempty"`        // "base64": the response is one, as a text
}

// The types of frames.
const (
	frameCreated = "universal.created"
	frameStream  = "universal.stream"
	frameDone    = "universal.done"
	frameError   = "universal.error"
)

var _ front.Sink = (*message)(nil)

// Errors of an answer that does not fit into frames.
var (
	errAnswerTooBig = errors.New("the answer, or an event of it, is larger than websocket.message_bytes")
	errNoRoom       = errors.New("no room for a message in limits.memory_bytes")
)

// newMessage makes the message of a text that it takes over.
func newMessage(s *session, text gathered) *message { return &message{s: s, text: text} }

// refuse makes the message one that is answered with err.
func (m *message) refuse(err error) {
	m.fault = err
	if errors.Is(err, errNoRoom) {
		m.fault = &sluice.Error{Kind: sluice.KindUnavailable, Msg: "no room for the message", Hint: "try again later, or raise limits.memory_bytes", Err: err}
	}
}

// read reads the text.
func (m *message) read() { m.request, m.eventID, m.noted, m.fault = readMessage(m.text.content()) }

// serve runs the message's request as an exchange, and writes its last frame.
func (m *message) serve(ctx context.Context) {
	p := m.s.p
	defer m.free()
	defer func() {
		if cause := recover(); cause != nil { // the exchange contains its own: it is one of the frames'
			p.panicked(sluice.ID{}, cause)
			m.s.hangUp(wsframe.CodeInternal, "internal error", context.Canceled)
		}
	}()
	req := m.s.request
	if m.eventID != "" {
		req.Header = append(req.Header, sluice.Field{Name: "cf-aig-event-id", Value: m.eventID})
	}
	req.Body, req.Length = (*messageBody)(m), int64(len(m.request))
	x := p.newExchange(&req, m)
	x.message, m.x = m, x
	x.entry().Type = typeWebSocket
	x.note("on connection " + m.s.id)
	if m.noted != "" {
		x.note(m.noted)
	}
	m.meta.EventID = cmp.Or(m.eventID, x.idText)
	abort := p.live(ctx, x)
	m.x = nil // it is another request's from here on
	if !m.over {
		m.conclude(ctx, abort)
	}
}

// free gives back what the message holds.
func (m *message) free() {
	m.request = nil
	m.text.free()
	m.body.free()
	if m.chunks != nil {
		m.chunks.data.free()
	}
}

// messageBody reads a message's request, and lets go of the message behind it.
type messageBody message

// Read implements io.Reader.
func (b *messageBody) Read(p []byte) (int, error) {
	if len(b.request) == 0 {
		b.request = nil
		b.text.free()
		return 0, io.EOF
	}
	n := copy(p, b.request)
	b.request = b.request[n:]
	return n, nil
}

// Head implements front.Sink.
func (m *message) Head(status int, h sluice.Header) {
	m.own = m.x.answer.own
	known := func(name string) *string {
		if v := h.Get(name); v != "" {
			return &v
		}
		return nil
	}
	m.meta.Status, m.meta.Step = status, h.Get("cf-aig-step")
	m.meta.CacheStatus, m.meta.LogID = known("cf-aig-cache-status"), known("cf-aig-log-id")
	m.meta.ContentType = printableText(h.Get("Content-Type"), 256)
	if m.eventID == "" {
		m.meta.EventID = h.Get("cf-aig-event-id")
	}
	if encoding := h.Get("Content-Encoding"); !identity(encoding) {
		m.meta.ContentEncoding = printableText(encoding, 64)
	}
	m.body = gathered{body{store: &m.s.p.bodies}}
	events, lines := hasPrefixFold(m.meta.ContentType, "text/event-stream"), hasPrefixFold(m.meta.ContentType, "application/x-ndjson")
	if !m.own && m.meta.ContentEncoding == "" && (events || lines) {
		m.chunks = &chunks{m: m, lines: lines, data: m.body, begin: frameHead(frameStream, struct {
			EventID string `json:"eventId"`
		}{m.meta.EventID})}
		m.body = gathered{}
		_ = m.put(frameHead(frameCreated, &m.meta), nil) // so short a frame is not written before Flush
	}
}

// Write implements front.Sink.
func (m *message) Write(p []byte) (int, error) {
	if m.chunks != nil {
		if err := m.chunks.write(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if m.body.size+int64(len(p)) > m.limit() && !m.own {
		m.unfit = errAnswerTooBig
	} else {
		m.unfit = m.body.add(p)
	}
	if m.unfit != nil {
		return 0, m.unfit
	}
	return len(p), nil
}

// limit is how large an answer or an event may be, in bytes.
func (m *message) limit() int64 { return m.x.settings.message }

// Flush implements front.Sink. It writes the frames that are complete.
func (m *message) Flush() error {
	if len(m.out) == 0 {
		return nil
	}
	err := m.s.write(m.out)
	m.out = m.out[:0]
	return err
}

// Trailer implements front.Sink. There is no place for trailers in frames.
func (*message) Trailer(sluice.Header) {}

// BodyTimeout implements front.Sink. The body is there.
func (*message) BodyTimeout(time.Duration) {}

// Duplex implements front.Sink.
func (*message) Duplex() {}

// endFrames ends the frames of an answer that was relayed, if the exchange is a message's. A client that does
// not take them has not had the answer.
func (x *exchange) endFrames(ctx context.Context) {
	m := x.message
	switch {
	case m == nil:
	case x.abort:
		m.broken = x.entry().Ending
	default:
		if err := m.finish(); err != nil {
			x.concluded(ctx, errClient{err})
			m.broken = x.entry().Ending
			return
		}
		m.over = true
	}
}

// finish writes the last frame of an answer that came whole.
func (m *message) finish() error {
	if m.chunks != nil {
		if err := m.chunks.close(); err != nil {
			return err
		}
		_ = m.put(frameHead(frameDone, &m.meta), nil)
		return m.Flush()
	}
	text, encoding, give, err := m.jsonText(m.body.content())
	if err != nil {
		m.unfit = err
		return err
	}
	defer give()
	m.meta.Encoding = encoding
	if err := m.put(frameHead(frameCreated, &m.meta), text); err != nil {
		return err
	}
	return m.Flush()
}

// frameHead is the beginning of a frame's text: all but the closing brace.
func frameHead(kind string, meta any) []byte {
	text, err := json.Marshal(meta)
	if err != nil {
		text = []byte("{}") // cannot happen: there are only texts and numbers
	}
	return append([]byte(`{"type":"`+kind+`","metadata":`), text...)
}

// maxOut is how many bytes of frames are gathered before they are written, and how large a response may be to
// be copied among them.
const maxOut = 64 << 10

// put adds a frame to those that wait: head, and response unless it is nil.
func (m *message) put(head, response []byte) error {
	const name = `,"response":`
	n := len(head) + 1
	if response != nil {
		n += len(name) + len(response)
	}
	m.out = append(wsframe.AppendHeader(m.out, wsframe.Text, n, nil), head...)
	if response != nil {
		m.out = append(m.out, name...)
		if len(response) > maxOut {
			err := m.s.write(m.out, response, []byte{'}'})
			m.out = m.out[:0]
			return err
		}
		m.out = append(m.out, response...)
	}
	m.out = append(m.out, '}')
	if len(m.out) > maxOut {
		return m.Flush()
	}
	return nil
}

// jsonText is b as JSON: as it stands, if it is that; else as a text, and bytes that are none in base64. give
// returns to the pool of memory what that took.
func (m *message) jsonText(b []byte) (text []byte, encoding string, give func(), err error) {
	give = func() {}
	isText := utf8.Valid(b)
	switch {
	case len(bytes.TrimFunc(b, isJSONSpace)) == 0:
		return []byte("null"), "", give, nil
	case isText && json.Valid(b):
		return b, "", give, nil
	}
	n := 6*int64(len(b)) + 2 // at most: \u0000 for each
	if !isText {
		n = int64(base64.StdEncoding.EncodedLen(len(b))) + 2
	}
	if !m.s.p.bodies.memory.Take(n) {
		return nil, "", give, errNoRoom
	}
	give = func() { m.s.p.bodies.memory.Give(n) }
	if isText {
		text, err = json.Marshal(string(b))
		return text, "", give, err
	}
	text = append(make([]byte, 0, n), '"')
	return append(base64.StdEncoding.AppendEncode(text, b), '"'), "base64", give, nil
}

// chunks cuts a stream into its events.
type chunks struct {
	m     *message
	sse   sse.Splitter
	lines bool // an event is a line
	data  gathered
	begin []byte // of each frame
	err   error
}

// write takes the next bytes of the stream.
func (c *chunks) write(p []byte) error {
	if !c.lines {
		c.sse.Write(p, c)
		return c.err
	}
	for line := range bytes.Lines(p) {
		text, ended := bytes.CutSuffix(line, []byte("\n"))
		c.Data(text)
		if ended {
			c.End(nil)
		}
	}
	return c.err
}

// close ends the stream.
func (c *chunks) close() error {
	if c.lines {
		c.End(nil)
	} else {
		c.sse.Close(c)
	}
	return c.err
}

// Data implements sse.Handler.
func (c *chunks) Data(p []byte) {
	switch {
	case c.err != nil:
	case c.data.size+int64(len(p)) > c.m.limit():
		c.err, c.m.unfit = errAnswerTooBig, errAnswerTooBig
	default:
		c.err = c.data.add(p)
		c.m.unfit = c.err
	}
}

// End implements sse.Handler. The marker of the end is not an event.
func (c *chunks) End([]byte) {
	data := bytes.TrimFunc(c.data.content(), isJSONSpace)
	c.data.size = 0
	if c.err != nil || len(data) == 0 || string(data) == "[DONE]" {
		return
	}
	text, _, give, err := c.m.jsonText(data)
	if err != nil {
		c.err, c.m.unfit = err, err
		return
	}
	defer give()
	c.err = c.m.put(c.begin, text)
}

// errorFrame is a universal.error.
type errorFrame struct {
	Type     string        `json:"type"`
	Metadata errorMetadata `json:"metadata"`
	Error    []frameFault  `json:"error"`
}

// errorMetadata is what is told of a request that failed.
type errorMetadata struct {
	EventID string  `json:"eventId"`
	LogID   *string `json:"logId"`
	Status  int     `json:"status"` // what it would be over HTTP
}

// frameFault is an error as the gateway tells it over HTTP, with what else is known of it.
type frameFault struct {
	errorDetail
	Description string `json:"description,omitempty"`
}

// conclude writes the last frame of an answer that is the gateway's error, or did not come whole.
func (m *message) conclude(ctx context.Context, abort bool) {
	frame := errorFrame{Type: frameError, Metadata: errorMetadata{EventID: m.meta.EventID, LogID: m.meta.LogID, Status: m.meta.Status}}
	var told gatewayError
	if m.own && !abort && json.Unmarshal(m.body.content(), &told) == nil && len(told.Error) == 1 {
		frame.Error = []frameFault{{told.Error[0], told.Description}}
	} else {
		kind, text := m.brokenOff(ctx)
		frame.Metadata.Status = kind.status
		frame.Error = []frameFault{{errorDetail{Code: kind.code, Message: cmp.Or(kind.message, text)}, text}}
	}
	text, err := json.Marshal(frame)
	if err != nil {
		return // cannot happen: there are only texts and numbers
	}
	m.out = wsframe.Append(m.out, wsframe.Text, text, nil)
	_ = m.Flush() // the session knows that it failed
	if m.own && m.meta.Status == wireOf(sluice.KindUnauthorized).status {
		m.s.hangUp(wsframe.CodePolicy, errNotAllowed.Error(), errNotAllowed)
	}
}

// brokenOff says why an answer did not come whole.
func (m *message) brokenOff(ctx context.Context) (wireKind, string) {
	end := m.broken
	if end == sluice.EndingUnknown && ctx.Err() != nil {
		end = ctxEnding(ctx)
	}
	switch end {
	case sluice.EndingCut:
		return wireOf(sluice.KindUpstream), "the provider's answer broke off"
	case sluice.EndingStalled:
		return wireOf(sluice.KindUpstream), "the provider's answer stalled"
	case sluice.EndingTimeout:
		return wireOf(sluice.KindTimeout), "the provider's answer was not whole in time"
	case sluice.EndingRefused:
		switch {
		case m.unfit == nil:
			return wireOf(sluice.KindUnauthorized), errNotAllowed.Error()
		case errors.Is(m.unfit, errNoRoom):
			return wireOf(sluice.KindUnavailable), m.unfit.Error()
		}
		return wireOf(sluice.KindTooLarge), m.unfit.Error()
	case sluice.EndingShutdown:
		return wireOf(sluice.KindUnavailable), "the gateway stops"
	case sluice.EndingClientGone, sluice.EndingClientSlow:
		return wireOf(sluice.KindUnavailable), "the connection ends"
	}
	return wireOf(sluice.KindInternal), "internal error"
}

// gathered is bytes that came piece by piece, counted in the pool of memory. It grows as they come, so that
// what a peer declares and does not send takes no room.
type gathered struct{ body }

// add adds p. Its error is errNoRoom.
func (g *gathered) add(p []byte) error {
	need := g.size + int64(len(p))
	if need > int64(len(g.bytes)) && !g.grow(max(need, 2*g.size)) {
		return errNoRoom
	}
	copy(g.bytes[g.size:], p)
	g.size = need
	return nil
}

// content is what has come.
func (g *gathered) content() []byte { return g.bytes[:g.size] }
