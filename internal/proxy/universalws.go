package proxy

import (
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455, 4.2.2 asks for it; it protects nothing
	"encoding/base64"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

// typeWebSocket is the log's Type of universal requests that came over a WebSocket.
const typeWebSocket = "websocket"

// session is a WebSocket of universal requests (cloudflare-ai-gateway.md, 1.6). One goroutine reads messages;
// each request runs in one of its own, as an exchange of its own, with the settings of its moment and its
// token checked anew. Frames of different answers interleave.
type session struct {
	p       *Proxy
	conn    net.Conn
	request front.Request // what the request of each message begins with
	id      string        // of the handshake, which the entries of the messages name

	start    time.Time
	active   atomic.Int64   // when bytes passed last, in nanoseconds since start
	running  atomic.Int64   // requests
	requests sync.WaitGroup // the goroutines of them

	mu   sync.Mutex // held while a message is written
	gone error      // why nothing more is written; nil: nothing is amiss
	torn bool       // a write failed, maybe within a frame
	bye  farewellTo // what a request asks for
}

// farewellTo is the end of a session: the client's Close frame, and what those requests are told that still
// run. A code of 0 tells the client nothing.
type farewellTo struct {
	code   int
	reason string
	cause  error
	left   bool // the client is gone, or has said goodbye: no answer goes to it any more
}

// accepts reports whether the request is for a WebSocket of universal requests.
func (x *exchange) accepts() bool { return x.req.Method == "GET" && x.universal() && x.switching() }

// accept answers the handshake of a WebSocket of universal requests, and serves what comes over it.
func (p *Proxy) accept(ctx context.Context, x *exchange) error {
	if !x.accepts() {
		return nil
	}
	x.entry().Type = typeWebSocket
	x.sortHeader() // for the log of one that is refused
	up, ok := x.sink.(front.Upgrader)
	if !ok || x.req.Body != nil {
		return errClientHTTP()
	}
	head, err := x.handshake()
	if err != nil {
		return err
	}
	conn, err := up.Upgrade(head)
	switch {
	case errors.Is(err, front.ErrUpgrade):
		return errClientHTTP()
	case err != nil:
		return x.departed(ctx)
	}
	x.headSent, x.session = true, true
	s := &session{p: p, conn: conn, request: messageRequest(x.req), id: x.idText, start: time.Now()}
	x.abort = !s.run(ctx)
	return errAnswered
}

// handshake is the head of the answer to a WebSocket's handshake (RFC 6455, 4.2).
func (x *exchange) handshake() (sluice.Header, error) {
	h := x.req.Header
	if h.Get("Sec-WebSocket-Version") != "13" {
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Msg: "WebSockets are of version 13 here", Field: "Sec-WebSocket-Version"}
	}
	key := strings.TrimSpace(h.Get("Sec-WebSocket-Key"))
	if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 {
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Msg: "the key of a WebSocket is 16 bytes in base64", Field: "Sec-WebSocket-Key"}
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	head := sluice.Header{
		{Name: "Connection", Value: "Upgrade"},
		{Name: "Upgrade", Value: "websocket"},
		{Name: "Sec-WebSocket-Accept", Value: base64.StdEncoding.EncodeToString(sum[:])},
		{Name: "cf-aig-request-id", Value: x.idText},
	}
	if chosen := chooseProtocol(h); chosen != "" {
		head.Add("Sec-WebSocket-Protocol", chosen)
	}
	return head, nil
}

// messageRequest is what the requests of a WebSocket have in common: the handshake's header, as if each had
// been posted with it. A token among the subprotocols becomes a field. Answers are to have no content
// encoding, because they are put into frames as JSON.
func messageRequest(handshake *front.Request) front.Request {
	r := front.Request{Method: "POST", Target: handshake.Target, Host: handshake.Host, Secure: handshake.Secure, Remote: handshake.Remote}
	named := connectionNames(handshake.Header)
	for _, f := range handshake.Header {
		switch {
		case strings.EqualFold(f.Name, "Sec-WebSocket-Protocol"):
			for item := range strings.SplitSeq(f.Value, ",") {
				if token, ok := strings.CutPrefix(strings.TrimSpace(item), protocolToken); ok {
					r.Header.Add("cf-aig-authorization", token)
				}
			}
		case hopByHop(f.Name), contains(named, f.Name), hasPrefixFold(f.Name, "Sec-WebSocket-"),
			strings.EqualFold(f.Name, "Accept-Encoding"), strings.EqualFold(f.Name, "Content-Encoding"), strings.EqualFold(f.Name, "Content-Type"):
		default:
			r.Header = append(r.Header, f)
		}
	}
	r.Header.Add("Content-Type", "application/json")
	r.Header = r.Header[:len(r.Header):len(r.Header)] // messages add to it, each to its own
	return r
}

// run serves the connection until its end, and reports whether the client was told that. When it returns
// nobody uses the connection.
func (s *session) run(parent context.Context) (told bool) {
	ctx, cancel := context.WithCancelCause(parent)
	stop := context.AfterFunc(ctx, s.wake)
	end := s.listen(ctx)
	stop() // or it could cut the moment short that the client has to read the end
	_ = s.conn.SetWriteDeadline(time.Now().Add(farewell))
	if end.left {
		s.leave(errors.New("the client is gone"))
	}
	cancel(end.cause)
	s.requests.Wait()
	return s.tell(&end)
}

// wake makes the reader look why.
func (s *session) wake() {
	_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails on a closed connection only, as its reads do
}

func (s *session) touch() { s.active.Store(int64(time.Since(s.start))) }

// listen reads messages and starts their requests, until something ends the session.
func (s *session) listen(ctx context.Context) farewellTo {
	l := &listener{s: s}
	defer l.text.free()
	l.begin = func(m *message) { s.begin(ctx, m) }
	w := wsframe.Watcher{Masked: true}
	buf := make([]byte, tunnelBuffer)
	s.touch()
	for {
		pause := l.pause()
		until := time.Time{}
		if pause > 0 {
			until = time.Now().Add(pause)
		}
		_ = s.conn.SetReadDeadline(until)   // if it fails, so will the read
		if end, over := s.over(ctx); over { // looked at behind the deadline, which wake may have set before
			return end
		}
		n, err := s.conn.Read(buf)
		if n > 0 {
			s.touch()
			_, refused := w.Write(buf[:n], l)
			if end, over := l.over(refused); over {
				return end
			}
		}
		if err == nil {
			continue
		}
		if end, over := s.over(ctx); over {
			return end
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return farewellTo{left: true, cause: context.Canceled}
		}
		if s.quiet(pause, l) {
			return farewellTo{code: wsframe.CodeGoingAway, reason: "nothing within " + pause.String(), cause: context.Canceled}
		}
	}
}

// over reports whether the session is at its end, for another reason than what the client has just sent.
func (s *session) over(ctx context.Context) (farewellTo, bool) {
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if errors.Is(cause, errShutdown) {
			return farewellTo{code: wsframe.CodeRestart, reason: "the gateway stops", cause: cause}, true
		}
		return farewellTo{left: true, cause: cause}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone != nil {
		return farewellTo{left: true, cause: s.gone}, true
	}
	return s.bye, s.bye.code != 0
}

// quiet reports whether the client has nothing to say and is told nothing: for pause no byte has passed
// either way, and no request runs. Within a message it is quiet without saying anything for so long.
func (s *session) quiet(pause time.Duration, l *listener) bool {
	if l.within {
		return true
	}
	return s.running.Load() == 0 && time.Since(s.start)-time.Duration(s.active.Load()) >= pause
}

// write sends whole frames, which parts are together. Its error says why the client gets nothing any more.
func (s *session) write(parts ...[]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, part := range parts {
		if s.gone != nil {
			return s.gone
		}
		if _, err := s.conn.Write(part); err != nil {
			s.gone, s.torn = err, true
			s.wake()
			return err
		}
	}
	s.touch()
	return nil
}

// leave lets no answer go to the client any more.
func (s *session) leave(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone == nil {
		s.gone = why
	}
}

// hangUp asks for the end of the session. The first one who asks says why.
func (s *session) hangUp(code int, reason string, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bye.code == 0 {
		s.bye = farewellTo{code: code, reason: reason, cause: cause}
	}
	s.wake()
}

// tell sends the client the Close frame. It reports whether the client was told.
func (s *session) tell(end *farewellTo) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if end.code == 0 || s.torn {
		return false
	}
	_, err := s.conn.Write(wsframe.AppendClose(nil, end.code, end.reason, nil))
	return err == nil
}

// begin runs the request of a message. One that is refused for what it is takes no place among those that run.
func (s *session) begin(ctx context.Context, m *message) {
	if most := s.p.settings.Load().streams; m.fault == nil && s.running.Load() >= most {
		m.fault = &sluice.Error{
			Kind: sluice.KindRateLimited, Msg: "too many requests at the same time on this connection",
			Hint: "websocket.streams is " + strconv.FormatInt(most, 10) + ": wait for an answer, or open another connection",
		}
	}
	if m.fault != nil {
		m.serve(ctx)
		return
	}
	s.running.Add(1)
	s.requests.Go(func() {
		defer s.running.Add(-1)
		m.serve(ctx)
	})
}

// listener gathers the client's messages. It implements wsframe.Handler and wsframe.Pinged.
type listener struct {
	s      *session
	begin  func(m *message)
	within bool     // a message has begun and not ended
	text   gathered // of it, as far as it has come
	lost   error    // why it is not kept
	bad    bool     // it was to be text, and is not UTF-8
	closed bool     // the client has said goodbye
	code   int      // with this code
}

// ended reports whether what follows counts no more.
func (l *listener) ended() bool { return l.closed || l.bad }

// pause is how long the client may send nothing.
func (l *listener) pause() time.Duration {
	settings := l.s.p.settings.Load()
	if l.within {
		return settings.bodyPause
	}
	return settings.timeouts.Idle
}

// Frame implements wsframe.Handler.
func (l *listener) Frame(f wsframe.Frame) error {
	if f.Message > l.s.p.settings.Load().message {
		return errTooBig
	}
	if f.Begins() {
		l.within, l.text = true, gathered{body{store: &l.s.p.bodies}}
	}
	return nil
}

// Data implements wsframe.Handler.
func (l *listener) Data(p []byte) {
	if l.lost == nil && !l.ended() {
		l.lost = l.text.add(p)
	}
}

// End implements wsframe.Handler. A message of bytes is taken as one of text: there are clients that send
// JSON so.
func (l *listener) End(text bool) {
	if l.ended() {
		return
	}
	m := newMessage(l.s, l.text)
	lost := l.lost
	l.within, l.text, l.lost = false, gathered{}, nil
	switch {
	case lost != nil:
		m.refuse(lost)
	case text && !utf8.Valid(m.text.content()):
		l.bad = true
		m.text.free()
		return
	default:
		m.read()
	}
	l.begin(m)
}

// Closing implements wsframe.Handler.
func (l *listener) Closing(code int, _ []byte) {
	if l.ended() {
		return
	}
	l.closed, l.code = true, code
	if !mayClose(code) {
		l.code = wsframe.CodeProtocol
	}
}

// mayClose reports whether a Close frame may carry code, or be without one (RFC 6455, 7.4).
func mayClose(code int) bool {
	return code >= 1000 && code < 1015 && code != 1004 && code != wsframe.CodeAbnormal || code >= 3000 && code < 5000
}

// Ping implements wsframe.Pinged.
func (l *listener) Ping(payload []byte) {
	if !l.ended() {
		_ = l.s.write(wsframe.Append(nil, wsframe.Pong, payload, nil)) // the session knows that it failed
	}
}

// over reports whether what the client has sent ends the session. refused is the watcher's error.
func (l *listener) over(refused error) (farewellTo, bool) {
	switch {
	case l.closed:
		return farewellTo{code: l.code, left: true, cause: context.Canceled}, true
	case l.bad:
		return farewellTo{code: wsframe.CodeBadData, reason: "a message of text is not UTF-8", cause: context.Canceled}, true
	case errors.Is(refused, errTooBig):
		l.text.free()
		m := newMessage(l.s, gathered{})
		m.refuse(&sluice.Error{Kind: sluice.KindTooLarge, Msg: errTooBig.Error()})
		l.begin(m)
		return farewellTo{code: wsframe.CodeTooBig, reason: errTooBig.Error(), cause: context.Canceled}, true
	case refused != nil:
		return farewellTo{code: wsframe.CodeProtocol, reason: refused.Error(), cause: context.Canceled}, true
	}
	return farewellTo{}, false
}

// The fields of a message, as jsonscan finds them.
const (
	fieldType = iota
	fieldEventID
	fieldRequest
	fieldCount
)

// readMessage reads the text of a message: the request in it, one step or an array of them, and its event id.
// noted is what is wrong with that, "" when nothing is. Both alias text or are copies; the error is a
// *sluice.Error. What Sluice acts on is read strictly, like a step.
func readMessage(text []byte) (request []byte, eventID, noted string, err error) {
	keys := [...]string{"type", "eventId", "request"}
	var found [fieldCount]jsonscan.Value
	scan := jsonscan.Top(text, keys[:], found[:])
	const shape = `send {"type": "universal.create", "request": {"eventId": "…", "provider": "openai", "endpoint": "chat/completions", "headers": {…}, "query": {…}}}`
	eventID, noted = readEventID(&found[fieldRequest], &found[fieldEventID])
	bad := ""
	switch kind := found[fieldRequest].Kind; {
	case !scan.Valid:
		bad = "the message is not a valid JSON object"
	case scan.Repeated != "":
		bad = "the message has the field " + quote(scan.Repeated) + " more than once"
	case scan.Variant != "":
		bad = "the message has the field " + quote(scan.Variant) + ", which differs from one of ours only in case"
	case found[fieldType].String() != "universal.create":
		bad = "the message's type is not universal.create"
	case kind != jsonscan.Object && kind != jsonscan.Array:
		bad = "the message's request is neither an object nor an array"
	}
	if bad != "" {
		return nil, eventID, noted, &sluice.Error{Kind: sluice.KindInvalid, Field: "message", Msg: bad, Hint: shape}
	}
	return found[fieldRequest].Raw, eventID, noted, nil
}

// readEventID finds the event id of a request: its own, that of its first step that has one, or the message's.
func readEventID(request, beside *jsonscan.Value) (id, noted string) {
	keys := [...]string{"eventId"}
	var found [1]jsonscan.Value
	switch request.Kind {
	case jsonscan.Object:
		jsonscan.Top(request.Raw, keys[:], found[:])
	case jsonscan.Array:
		for v := range request.Elements() {
			if jsonscan.Top(v.Raw, keys[:], found[:]); found[0].Found {
				break
			}
		}
	}
	if !found[0].Found {
		found[0] = *beside
	}
	id = found[0].String()
	switch {
	case !found[0].Found:
		return "", ""
	case id == "" || len(id) > maxEventID || !utf8.ValidString(id) || !validValue(id):
		return "", "invalid eventId: ignored"
	}
	return id, ""
}

// maxEventID bounds an event id, in bytes.
const maxEventID = 256
