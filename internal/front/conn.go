package front

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/wire/http1"
)

// What a connection is doing. From idle it becomes busy or closed, whoever is first: its goroutine with
// a request's first byte, or the server that shuts down.
const (
	connIdle int32 = iota
	connBusy
	connSwitched // busy with another protocol
	connClosed
)

// lingerTime bounds how long a connection stays open for its client to read a last answer.
const lingerTime = time.Second

// errGone is the cause of a context whose client has left.
var errGone = errors.New("the client has left")

// conn is a client's connection. One goroutine serves it. While a call runs, what concerns reading
// belongs to whoever holds the mutex of the call's body.
type conn struct {
	s      *Server
	raw    *client
	nc     netConn     // raw, or TLS over it
	secure atomic.Bool // TLS
	state  atomic.Int32
	used   bool // has carried a request
	cancel context.CancelCauseFunc

	// rest is what was read and not yet used: it lies in buf, which is borrowed while there is any.
	buf  *[]byte
	rest []byte

	// armed is the read deadline that the socket has. It may be sooner than needed, so that a busy
	// connection seldom moves it; a read that it ends too soon is simply repeated.
	armed   time.Time
	stopped atomic.Bool // no read goes on: see interrupt

	socket   syscall.RawConn // nil: it cannot be looked at
	looking  atomic.Bool     // lookInside goes on, or is about to
	watching sync.Mutex      // held by lookInside
	watched  *body           // of the request that runs
	first    [1]byte         // room for a first byte
	readable readable
}

// netConn is what a conn needs of a *client or a *tls.Conn.
type netConn interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// serve is the life of a connection. ctx is the context of all its requests: it ends with the
// connection, because a client that has left comes back on another one.
func (c *conn) serve(ctx context.Context) {
	handed := false
	defer func() {
		if cause := recover(); cause != nil {
			c.s.panicked(ctx, cause) // ours: a fault in one connection must not end the others
		}
		if !handed {
			c.end()
		}
	}()
	more := c.s.options.TLS == nil || c.handshake(ctx, &handed)
	for more {
		var r *refusal
		if more, r = c.next(ctx, &handed); r != nil {
			c.refuse(r)
		}
	}
}

// next serves one request. It reports whether another one may follow, and why the server refuses this
// one, if it does. handed is set where the connection has been given to net/http.
func (c *conn) next(ctx context.Context, handed *bool) (more bool, r *refusal) {
	if !c.await() {
		return false, nil
	}
	n, r := c.readHead()
	if n == 0 {
		return false, r
	}
	text := string(c.rest[:n])
	k := c.s.call()
	h, r := parseHead(text, k.req.Header)
	k.req.Header = h.fields
	if r != nil {
		c.s.recycle(k)
		return false, r
	}
	if mine := c.s.options.Mine; mine != nil && !mine(h.target, h.host) {
		c.s.recycle(k)
		*handed = true
		c.handOver()
		return false, nil
	}
	c.skip(n)
	k.begin(c, &h)
	c.watch(&k.body)
	abort := c.run(ctx, k)
	c.watch(nil)
	keep := k.finish(abort)
	c.s.recycle(k)
	if !keep {
		return false, nil
	}
	c.used = true
	c.state.Store(connIdle)
	return !c.s.closing.Load(), nil
}

// run calls the handler. A panic is contained: it breaks this connection off, and no other.
func (c *conn) run(ctx context.Context, k *call) (abort bool) {
	defer func() {
		if cause := recover(); cause != nil {
			abort = true
			c.s.panicked(ctx, cause)
		}
	}()
	return c.s.options.Handler.Serve(ctx, &k.req, k)
}

// await waits for the first byte of a request. It holds no buffer meanwhile.
func (c *conn) await() bool {
	if len(c.rest) == 0 {
		patience := c.s.options.IdleTime
		if !c.used {
			patience = c.s.options.HeaderTime
		}
		if err := c.readFirst(deadline(patience)); err != nil {
			return false
		}
	}
	return c.state.CompareAndSwap(connIdle, connBusy)
}

// readFirst reads into an empty buffer.
func (c *conn) readFirst(until time.Time) error {
	if c.readable.ok() {
		return c.retry(until, c.readWhenReady)
	}
	if _, err := c.read(c.first[:], until); err != nil {
		return err
	}
	c.borrow()
	c.rest = append(c.rest, c.first[0])
	return nil
}

// readHead reads until the head is whole, and returns its length. 0: there is none.
func (c *conn) readHead() (int, *refusal) {
	var scan http1.HeadScan
	var until time.Time
	most := c.s.options.HeaderBytes
	if most <= 0 {
		most = http.DefaultMaxHeaderBytes
	}
	for blank := false; ; {
		if !blank && bytes.HasPrefix(c.rest, []byte("\r\n")) {
			blank = true
			c.skip(2) // some clients end a body with an empty line too many (RFC 9112, 2.2)
		}
		if blank || string(c.rest) != "\r" {
			if n, r := scanHead(&scan, c.rest, most); n > 0 || r != nil {
				return n, r
			}
		}
		if until.IsZero() {
			until = deadline(c.s.options.HeaderTime)
		}
		if err := c.fill(until, most); errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, &refusal{http.StatusRequestTimeout, "the head did not arrive in time"}
		} else if err != nil {
			return 0, nil
		}
	}
}

// scanHead looks for the end of the head at the front of b. It refuses at once what cannot become one.
func scanHead(scan *http1.HeadScan, b []byte, most int) (int, *refusal) {
	if len(b) > 0 && !http1.IsTokenByte(b[0]) {
		return 0, bad("this is not an HTTP/1.1 request")
	}
	n, err := scan.End(b)
	switch {
	case err != nil:
		return 0, bad(err.Error())
	case n <= most && (n > 0 || len(b) < most):
		return n, nil
	case scan.Lines():
		return 0, &refusal{http.StatusRequestHeaderFieldsTooLarge, "the head is too large"}
	}
	return 0, &refusal{http.StatusRequestURITooLong, "the request line is too long"}
}

// deadline is the moment d from now; the zero time when d is 0.
func deadline(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// read reads once, and fails with os.ErrDeadlineExceeded when nothing came by the moment until; zero:
// it has time. Any other failure means that the client has left.
func (c *conn) read(p []byte, until time.Time) (n int, err error) {
	err = c.retry(until, func() error {
		for n == 0 {
			if n, err = c.nc.Read(p); err != nil && n == 0 {
				return err
			}
		}
		return nil
	})
	return n, err
}

// retry calls read until it has ended for another reason than a deadline that was set for something
// sooner.
func (c *conn) retry(until time.Time, read func() error) error {
	if !until.IsZero() && (c.armed.IsZero() || c.armed.After(until)) {
		c.arm(until)
	}
	for {
		err := read()
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			c.cancel(errGone)
			return err
		case c.stopped.Load(), !until.IsZero() && !time.Now().Before(until):
			return err
		}
		c.arm(until)
	}
}

func (c *conn) arm(at time.Time) {
	c.armed = at
	_ = c.raw.SetReadDeadline(at) // fails on a closed socket only, as the read will
}

// interrupt ends a read in another goroutine, and all that follow.
func (c *conn) interrupt() {
	c.stopped.Store(true)
	_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // fails on a closed socket only
}

// fill reads once behind what is in the buffer, which grows up to most bytes.
func (c *conn) fill(until time.Time, most int) error {
	return c.take(most, func(p []byte) (int, error) { return c.read(p, until) })
}

// take calls read once for what comes behind the bytes in the buffer, which grows up to most bytes.
func (c *conn) take(most int, read func(p []byte) (int, error)) error {
	c.borrow()
	if len(c.rest) == cap(c.rest) {
		if room := *c.buf; len(c.rest) < len(room) {
			c.rest = room[:copy(room, c.rest)]
		} else {
			larger := make([]byte, max(min(2*len(room), most), len(room)+1))
			c.rest = larger[:copy(larger, c.rest)]
			c.s.buffers.put(c.buf)
			c.buf = &larger
		}
	}
	n, err := read(c.rest[len(c.rest):cap(c.rest)])
	c.rest = c.rest[:len(c.rest)+n]
	if len(c.rest) == 0 {
		c.giveBack()
	}
	return err
}

func (c *conn) borrow() {
	if c.buf == nil {
		c.buf = c.s.buffers.get()
		*c.buf = (*c.buf)[:cap(*c.buf)]
		c.rest = (*c.buf)[:0]
	}
}

// skip drops n bytes of what was read, and gives the buffer back when nothing is left.
func (c *conn) skip(n int) {
	c.rest = c.rest[n:]
	if len(c.rest) == 0 {
		c.giveBack()
	}
}

func (c *conn) giveBack() {
	if c.buf != nil {
		c.s.buffers.put(c.buf)
		c.buf, c.rest = nil, nil
	}
}

// handshake does TLS's. A connection that agreed on HTTP/2 goes to net/http.
func (c *conn) handshake(ctx context.Context, handed *bool) bool {
	secure := tls.Server(c.raw, c.s.options.TLS)
	c.nc, c.readable = secure, readable{}
	c.secure.Store(true)
	c.arm(deadline(c.s.options.HeaderTime))
	if err := secure.HandshakeContext(ctx); err != nil {
		if plain, ok := errors.AsType[tls.RecordHeaderError](err); ok && plain.Conn != nil && http1.IsTokenByte(plain.RecordHeader[0]) {
			c.nc = c.raw
			c.refuse(bad("this port speaks HTTPS"))
		}
		return false
	}
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		*handed = true
		c.handOver()
		return false
	}
	return true
}

// refuse answers a request that no handler sees, and lets the client read the answer.
func (c *conn) refuse(r *refusal) {
	c.s.countRefusal(r.status)
	if tell := c.s.options.Refused; tell != nil {
		tell(r.status, r.text, c.raw.RemoteAddr())
	}
	c.s.options.Logger.Debug("request refused", "status", r.status, "reason", r.text, "remote", c.raw.RemoteAddr().String())
	body := strconv.Itoa(r.status) + " " + http.StatusText(r.status) + ": " + r.text + "\n"
	out := appendStatus(nil, r.status)
	out = append(out, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nDate: "...)
	out = append(out, c.s.dates.now()...)
	out = append(out, "\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(out, "\r\n\r\n"...)
	if _, err := c.nc.Write(append(out, body...)); err == nil {
		c.linger()
	}
}

// linger ends our side and reads for a moment what still comes: a socket that is closed with bytes
// unread is reset, and a reset destroys the answer on its way. A client that goes on sending finds its
// bytes taken no more, for as long as it needs to read the answer.
func (c *conn) linger() {
	if c.nc.CloseWrite() != nil {
		return
	}
	c.stopped.Store(false)
	c.armed = time.Time{}
	c.giveBack()
	room := c.s.buffers.get()
	defer c.s.buffers.put(room)
	until := time.Now().Add(lingerTime)
	for dropped := 0; dropped < maxLeftover; {
		n, err := c.read((*room)[:minBuffer], until)
		if err != nil {
			return
		}
		dropped += n
	}
	wait := time.NewTimer(time.Until(until))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-c.s.done:
	}
}

// end closes the connection.
func (c *conn) end() {
	c.state.Store(connClosed)
	c.giveBack()
	_ = c.nc.Close() // nobody reads it any more
	c.cancel(errGone)
	c.s.remove(c)
}
