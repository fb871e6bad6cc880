package front

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Upgrader is what a Sink can do besides, found by assertion: change the protocol of its connection.
type Upgrader interface {
	// Upgrade answers 101 Switching Protocols, in place of Head and all that follows it. h is sent as it
	// is, so the caller puts Connection and Upgrade in; Date is added where there is none. It returns
	// the client's connection, which gives first what the client has sent already. No read deadline is
	// set; a write fails with os.ErrDeadlineExceeded when the client takes no byte for the server's
	// WriteTime, until SetWriteDeadline or SetDeadline replaces that bound.
	//
	// It fails with ErrUpgrade for HTTP/2, for HTTP/1.0 and for a request with a body: then nothing has
	// been sent, and an ordinary answer is possible. Another error means that the client has left.
	//
	// From then on the end of the client shows in reading its connection, and no more in the handler's
	// ctx, which ends when the process stops. The connection is the handler's until Serve returns; then
	// the front closes it, and unless the handler says abort gives the client a moment to read the end.
	Upgrade(h sluice.Header) (net.Conn, error)
}

// ErrUpgrade says that a request's connection cannot change its protocol.
var ErrUpgrade = errors.New("front: HTTP/2, HTTP/1.0 and a request with a body keep their protocol")

var (
	_ Upgrader = (*call)(nil)
	_ Upgrader = (*httpFront)(nil)
)

// upgraded is a client's connection that speaks another protocol now.
type upgraded struct {
	net.Conn // what lies below TLS, for addresses and deadlines
	over     netConn
	rest     unread
	own      *atomic.Bool // the handler bounds writes itself
}

// Read implements net.Conn.
func (u *upgraded) Read(p []byte) (int, error) { return u.rest.read(p, u.over) }

// Write implements net.Conn.
func (u *upgraded) Write(p []byte) (int, error) { return u.over.Write(p) }

// Close implements net.Conn.
func (u *upgraded) Close() error { return u.over.Close() }

// CloseWrite ends our side.
func (u *upgraded) CloseWrite() error { return u.over.CloseWrite() }

// SetWriteDeadline implements net.Conn.
func (u *upgraded) SetWriteDeadline(at time.Time) error {
	u.own.Store(true)
	return u.Conn.SetWriteDeadline(at)
}

// SetDeadline implements net.Conn.
func (u *upgraded) SetDeadline(at time.Time) error {
	u.own.Store(true)
	return u.Conn.SetDeadline(at)
}

// Upgrade implements Upgrader.
func (k *call) Upgrade(h sluice.Header) (net.Conn, error) {
	a, c := &k.answer, k.c
	switch {
	case a.headed:
		return nil, errOrder
	case k.minor == 0 || k.req.Body != nil:
		return nil, ErrUpgrade
	}
	a.headed, a.switched = true, true
	c.state.Store(connSwitched) // the sweep leaves it alone: its bytes are the handler's
	c.watch(nil)                // and a look that goes on has ended
	rest := append(unread(nil), c.rest...)
	c.giveBack()
	c.arm(time.Time{})
	out := c.s.buffers.get()
	defer c.s.buffers.put(out)
	*out = appendSwitch(*out, h, c.s.dates.now())
	if _, a.err = c.nc.Write(*out); a.err != nil {
		c.cancel(errGone)
		return nil, a.err
	}
	return &upgraded{Conn: c.raw.Conn, over: c.nc, rest: rest, own: &c.raw.own}, nil
}

// appendSwitch appends the head of an answer that changes the protocol.
func appendSwitch(out []byte, h sluice.Header, date string) []byte {
	out = appendStatus(out, http.StatusSwitchingProtocols)
	for _, f := range h {
		out = appendField(out, f.Name, f.Value)
	}
	if !h.Has("Date") {
		out = appendField(out, "Date", date)
	}
	return append(out, "\r\n"...)
}

// leaveSwitched ends a connection whose protocol was changed. Where the handler ended it well, the client
// has a moment to read the end: closing with bytes unread would destroy it.
func (k *call) leaveSwitched(abort bool) {
	if !abort && k.answer.err == nil {
		k.c.linger()
	}
}

// Upgrade implements Upgrader. HTTP/2 has no Hijack, and so no Upgrade.
func (f *httpFront) Upgrade(h sluice.Header) (net.Conn, error) {
	if f.body != nil || f.r.ProtoMajor == 1 && f.r.ProtoMinor == 0 {
		return nil, ErrUpgrade
	}
	conn, rw, err := f.ctrl.Hijack()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUpgrade, err)
	}
	f.switched = conn
	_ = conn.SetDeadline(time.Time{}) // if it fails, so will what follows
	rest := make(unread, rw.Reader.Buffered())
	_, _ = rw.Reader.Read(rest) // they are there
	if _, err := conn.Write(appendSwitch(nil, h, time.Now().UTC().Format(http.TimeFormat))); err != nil {
		return nil, err
	}
	return &hijacked{Conn: conn, rest: rest}, nil
}

// hijacked is a connection that net/http has given up.
type hijacked struct {
	net.Conn
	rest unread
}

// Read implements net.Conn.
func (h *hijacked) Read(p []byte) (int, error) { return h.rest.read(p, h.Conn) }

// takeLeave closes such a connection. Unless the handler broke off, the client has a moment to read the end.
func takeLeave(c net.Conn, abort bool) {
	defer func() { _ = c.Close() }() // nobody reads it any more
	half, ok := c.(interface{ CloseWrite() error })
	if abort || !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, c, maxLeftover) // its end, or the time, or enough of it
}

// unread is what was read ahead of who needs it.
type unread []byte

// read gives what was read ahead, and then what from gives.
func (u *unread) read(p []byte, from io.Reader) (int, error) {
	if len(*u) == 0 {
		return from.Read(p)
	}
	n := copy(p, *u)
	if *u = (*u)[n:]; len(*u) == 0 {
		*u = nil
	}
	return n, nil
}

// enter and leave count the requests of net/http, whose Shutdown waits for no connection that it has
// given up.
func (s *Server) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others++
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others--
	s.settle()
}
