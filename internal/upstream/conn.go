package upstream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/socket"
)

// headSize is what a read buffer begins with; heads are rarely larger.
const headSize = 4 << 10

// stream is the TCP connection below TLS. It notes the end of the TCP stream: crypto/tls reports an end
// between two records like a proper close; whether the other side said goodbye shows only here.
type stream struct {
	net.Conn
	ended atomic.Bool
	dry   bool // reads find nothing, so that what TLS holds back can be looked at without waiting
}

// errDry is what a dry socket reads. It is a temporary net.Error: crypto/tls then keeps the connection.
type errDry struct{}

func (errDry) Error() string   { return "nothing to read" }
func (errDry) Timeout() bool   { return true }
func (errDry) Temporary() bool { return true }

// Read is net.Conn's.
func (s *stream) Read(p []byte) (int, error) {
	if s.dry {
		return 0, errDry{}
	}
	n, err := s.Conn.Read(p)
	if err == io.EOF {
		s.ended.Store(true)
	}
	return n, err
}

// conn is a connection of the own client. One call uses it at a time.
type conn struct {
	host *host
	raw  *stream
	nc   net.Conn // raw, or TLS over it
	peek syscall.RawConn
	born time.Time

	since time.Time     // idle since
	keep  time.Duration // how long it may be idle
	used  bool          // has carried a request

	// rest is what was read and not yet used: it lies in buf, which is borrowed while there is any.
	buf  *[]byte
	rest []byte

	// deadline is the read deadline that the socket has. It may be sooner than needed, so that a busy
	// connection seldom moves it; a read that it ends too soon is simply repeated.
	deadline time.Time
	writes   bool // the socket has a write deadline

	aborted atomic.Pointer[Error]

	peeked  [1]byte
	silence bool
	peekAt  func(fd uintptr)
}

func newConn(h *host, raw net.Conn) *conn {
	s := &stream{Conn: raw}
	cn := &conn{host: h, raw: s, nc: s, born: time.Now(), keep: maxIdle}
	if sc, ok := raw.(syscall.Conn); ok {
		cn.peek, _ = sc.SyscallConn()
	}
	if tcpOf(raw) != nil && !h.key.tls {
		cn.nc = raw // saves a call per read; nobody asks for the end of a stream without TLS
	}
	cn.peekAt = cn.peekFD
	return cn
}

// tcpOf returns the TCP connection that c is; nil: it is none.
func tcpOf(c net.Conn) *net.TCPConn {
	switch c := c.(type) {
	case *net.TCPConn:
		return c
	case *socket.Conn:
		return c.TCPConn
	}
	return nil
}

func (cn *conn) secure() bool { return cn.host.key.tls }

// expired reports whether an idle connection has lived or been idle too long.
func (cn *conn) expired(now time.Time) bool {
	return now.Sub(cn.born) >= maxAge || now.Sub(cn.since) >= cn.keep
}

// silent reports whether an idle connection has nothing to read: neither an end, nor bytes that nobody
// asked for, which would be taken for the next answer. It does not wait.
func (cn *conn) silent() bool {
	if cn.secure() {
		// Bytes may have come in the last answer's last record, and be decoded already.
		cn.raw.dry = true
		_, err := cn.nc.Read(cn.peeked[:])
		cn.raw.dry = false
		if !errors.Is(err, errDry{}) {
			return false
		}
	}
	if cn.peek == nil {
		return true
	}
	cn.silence = false
	// Control and not Read: that would fail on a deadline left by the last call.
	if err := cn.peek.Control(cn.peekAt); err != nil {
		return false
	}
	return cn.silence
}

// abort ends whatever the call does with the connection, now, and says why. It may be called from any
// goroutine, but not after the call gave the connection up.
func (cn *conn) abort(why *Error) {
	cn.aborted.CompareAndSwap(nil, why)
	cn.raw.Close()
}

// wantsHTTP2 reports whether err is how a server behaves that spoke HTTP/2 only and ignored what the
// handshake offered: it closes, as Go's do, or sends its first frame. To be wrong costs little: net/http
// offers both versions.
func (cn *conn) wantsHTTP2(err *Error) bool {
	secure, ok := cn.nc.(*tls.Conn)
	if !ok || secure.ConnectionState().NegotiatedProtocol != "" {
		return false
	}
	return err.Stage == StageRead || err.Stage == StageWrite || errors.Is(err, errFrame)
}

// arm sets the read deadline.
func (cn *conn) arm(at time.Time) {
	if cn.deadline != at {
		cn.deadline = at
		_ = cn.raw.SetReadDeadline(at) // fails on a closed socket only, as the read will
	}
}

// armBoth sets the deadline for reading and writing.
func (cn *conn) armBoth(at time.Time) {
	if at.IsZero() && !cn.writes {
		return
	}
	cn.deadline, cn.writes = at, !at.IsZero()
	_ = cn.raw.SetDeadline(at)
}

// disarmWrites lets writes take as long as they like.
func (cn *conn) disarmWrites() {
	if cn.writes {
		cn.writes = false
		_ = cn.raw.SetWriteDeadline(time.Time{})
	}
}

// read reads once, and fails with os.ErrDeadlineExceeded when nothing came by the limit.
func (cn *conn) read(p []byte, l limit) (int, error) {
	if !l.at.IsZero() && (cn.deadline.IsZero() || cn.deadline.After(l.at)) {
		cn.arm(l.at)
	}
	for {
		n, err := cn.nc.Read(p)
		if n > 0 {
			return n, nil
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || l.passed(time.Now()) || cn.aborted.Load() != nil {
			return 0, err
		}
		cn.arm(l.at)
	}
}

// more reads once into the buffer, behind what is there. The buffer grows up to most bytes.
func (cn *conn) more(l limit, most int) (int, error) {
	if cn.buf == nil {
		cn.buf = cn.host.c.head()
		cn.rest = (*cn.buf)[:0]
	}
	if len(cn.rest) == cap(cn.rest) {
		if room := *cn.buf; len(cn.rest) < len(room) {
			cn.rest = room[:copy(room, cn.rest)]
		} else {
			larger := make([]byte, min(2*len(room), most))
			cn.rest = larger[:copy(larger, cn.rest)]
			cn.host.c.putHead(cn.buf)
			cn.buf = &larger
		}
	}
	n, err := cn.read(cn.rest[len(cn.rest):cap(cn.rest)], l)
	cn.rest = cn.rest[:len(cn.rest)+n]
	return n, err
}

// skip drops n bytes of what was read, and gives the buffer back when nothing is left.
func (cn *conn) skip(n int) {
	cn.rest = cn.rest[n:]
	if len(cn.rest) == 0 {
		cn.giveBack()
	}
}

func (cn *conn) giveBack() {
	if cn.buf != nil {
		cn.host.c.putHead(cn.buf)
		cn.buf, cn.rest = nil, nil
	}
}

// head lends a buffer of headSize.
func (c *Client) head() *[]byte {
	if b, ok := c.heads.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, headSize)
	return &b
}

func (c *Client) putHead(b *[]byte) {
	if len(*b) == headSize {
		c.heads.Put(b)
	}
}
