package front

import (
	"context"
	"errors"
	"os"
	"time"
)

// sweepEvery is how often running requests are asked whether their client is still there.
const sweepEvery = 200 * time.Millisecond

// sweep looks at the sockets of all running requests, again and again, and ends the contexts of those
// whose clients have left: one goroutine and no system call per request, where net/http has a reader
// beside each.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	var running []*conn
	var eye eye
	eye.open()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		running = s.running(running[:0])
		for i, c := range running {
			switch gone, bytes := eye.look(c); {
			case gone:
				c.cancel(errGone)
			case bytes && c.secure.Load() && c.looking.CompareAndSwap(false, true):
				s.tasks.Go(func() { c.lookInside(ctx) })
			}
			running[i] = nil
		}
	}
}

// running appends the connections that carry a request.
func (s *Server) running(to []*conn) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.Load() == connBusy {
			to = append(to, c)
		}
	}
	return to
}

// eye looks at one socket after the other without an allocation.
type eye struct {
	gone, bytes bool
	at          func(fd uintptr)
}

func (e *eye) open() { e.at = func(fd uintptr) { e.gone, e.bytes = look(fd) } }

// look says whether c's client has ended its side, and whether it has sent something that is unread.
func (e *eye) look(c *conn) (gone, bytes bool) {
	e.gone, e.bytes = false, false
	if c.socket == nil || c.socket.Control(e.at) != nil {
		return false, false // closed meanwhile
	}
	return e.gone, e.bytes
}

// watch says whose request the connection carries, so that lookInside may read beside it; nil: nobody's.
// No look goes on after it.
func (c *conn) watch(b *body) {
	if !c.secure.Load() {
		return
	}
	c.watching.Lock()
	defer c.watching.Unlock()
	c.watched = b
}

// lookInside takes what has come on a TLS connection while a request runs, without waiting for more: the
// client's goodbye (close_notify) can be told from its next request only by decrypting it. Bytes that are
// none stay for whoever reads next, and behind minBuffer of them nothing is seen any more.
//
// It has a goroutine of its own because a peer can make reading write: a key update that is asked for
// waits until the peer takes it.
func (c *conn) lookInside(ctx context.Context) {
	defer c.looking.Store(false)
	defer func() {
		if cause := recover(); cause != nil {
			c.s.panicked(ctx, cause)
			c.cancel(errGone)
		}
	}()
	c.watching.Lock()
	defer c.watching.Unlock()
	b := c.watched
	if b == nil || !b.mu.TryLock() {
		return // there is no request any more, or its body is being read: that sees the end by itself
	}
	defer b.mu.Unlock()
	if !c.armed.IsZero() && !c.armed.After(time.Now()) {
		c.arm(time.Time{}) // a deadline that has passed would hide what is there
	}
	c.raw.now = c.socket
	defer func() { c.raw.now = nil }()
	for len(c.rest) < minBuffer {
		if err := c.take(minBuffer, c.nc.Read); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil {
			c.cancel(errGone)
			return
		}
	}
}
