package upstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

// switches reports whether an answer 101 with these fields changes the protocol to what req asked for.
func switches(req *Request, fields sluice.Header) bool {
	asked := false
	for _, v := range fields.Values("Connection") {
		asked = asked || http1.HasToken(v, "upgrade")
	}
	return asked && req.Upgrade != "" && strings.EqualFold(fields.Get("Upgrade"), req.Upgrade)
}

// switched is a connection that speaks another protocol now.
type switched struct {
	net.Conn
	rest []byte // was read already
}

// Read is net.Conn's.
func (s *switched) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return s.Conn.Read(p)
	}
	n := copy(p, s.rest)
	if s.rest = s.rest[n:]; len(s.rest) == 0 {
		s.rest = nil
	}
	return n, nil
}

// leave takes the connection out of the host's, and gives it to the caller.
func (x *call) leave(h head) *Error {
	cn, name := x.cn, x.host.key.host
	if !x.unwatch() {
		return &Error{Stage: StageCanceled, Host: name, Err: context.Canceled} // the connection is closed, or about to be
	}
	x.cn = nil
	r := &x.resp
	r.Status, r.Proto, r.Header = h.status, h.proto, endToEndFields(h.fields)
	r.Body, x.err, r.Trailer = x, io.EOF, noTrailer
	r.Conn = &switched{Conn: cn.nc, rest: append([]byte(nil), cn.rest...)}
	cn.giveBack()
	_ = cn.raw.SetDeadline(time.Time{}) // if it fails, so will what follows
	x.req = nil
	x.host.spoke.Store(true)
	x.host.forgo()
	return nil
}

// forgo frees the place of a connection that has left.
func (h *host) forgo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open--
	h.pump()
}

// leave makes the Response of an answer that changes the protocol. The Transport has let go of the
// connection: it is res.Body.
func (w *watch) leave(req *Request, res *http.Response) (*Response, error) {
	fields := fieldsOf(res.Header)
	stream, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !switches(req, fields) {
		res.Body.Close()
		return nil, &Error{Stage: StageProtocol, Host: w.host, Err: errSwitched}
	}
	w.mu.Lock()
	conn := w.conn
	w.mu.Unlock()
	if e := w.own(); e != nil {
		res.Body.Close()
		return nil, e
	}
	return &Response{
		Status: res.StatusCode, Proto: res.Proto, Header: endToEndFields(fields), Body: http.NoBody, Trailer: noTrailer,
		Conn: &stdSwitched{Conn: conn, stream: stream}, Timing: w.times(),
	}, nil
}

// stdSwitched is a connection that net/http's Transport has let go of.
type stdSwitched struct {
	net.Conn                    // for addresses and deadlines
	stream   io.ReadWriteCloser // over it, with what the Transport has read ahead
}

func (s *stdSwitched) Read(p []byte) (int, error)  { return s.stream.Read(p) }
func (s *stdSwitched) Write(p []byte) (int, error) { return s.stream.Write(p) }
func (s *stdSwitched) Close() error                { return s.stream.Close() }
