package front

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// client is a client's TCP connection. Its writes end in os.ErrDeadlineExceeded when the client takes no
// byte for the timeout, however long a write as a whole takes.
type client struct {
	net.Conn
	tcp     *net.TCPConn  // the same
	timeout time.Duration // 0: unbounded
	left    sync.Once
	leave   func() // called once, when it is closed

	// now is where reads get what is there and do not wait; nil: they wait. It belongs to whoever may read.
	now syscall.RawConn

	mu    sync.Mutex  // HTTP/2 and TLS alerts write from other goroutines
	until time.Time   // write deadline that is set
	own   atomic.Bool // a handler bounds writes itself
	parts net.Buffers
	room  [3][]byte // backs parts
	end   [2]byte
}

// Read implements io.Reader.
func (c *client) Read(p []byte) (int, error) {
	if c.now != nil {
		return readNow(c.now, p)
	}
	return c.Conn.Read(p)
}

// Write implements io.Writer.
func (c *client) Write(p []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if err := c.arm(); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:])
		n += m
		if m == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.until = time.Time{} // it took some: it gets its time again
	}
}

// writeParts writes three pieces as if they were one; tail is the end of a line or nothing.
func (c *client) writeParts(head, body []byte, tail string) (n int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.room = [3][]byte{head, body, c.end[:copy(c.end[:], tail)]}
	c.parts = c.room[:]
	defer func() { c.room, c.parts = [3][]byte{}, nil }()
	for {
		if err := c.arm(); err != nil {
			return n, err
		}
		m, err := c.parts.WriteTo(c.tcp) // drops from parts what was written
		n += m
		if m == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.until = time.Time{}
	}
}

// arm moves the deadline only when a good part of it has passed: that saves most calls.
func (c *client) arm() error {
	if c.timeout <= 0 || c.own.Load() {
		return nil
	}
	now := time.Now()
	if c.until.Sub(now) >= c.timeout-c.timeout/8 {
		return nil
	}
	c.until = now.Add(c.timeout)
	return c.SetWriteDeadline(c.until)
}

// reset makes Close break the connection off, so that a client that reads to the end of the connection
// does not take what it has for the whole.
func (c *client) reset() { _ = c.tcp.SetLinger(0) }

// CloseWrite ends our side.
func (c *client) CloseWrite() error { return c.tcp.CloseWrite() }

// Close implements io.Closer.
func (c *client) Close() error {
	c.left.Do(c.leave)
	return c.Conn.Close()
}
