package front

import "time"

// sweepEvery is how often running requests are asked whether their client is still there.
const sweepEvery = 200 * time.Millisecond

// sweep looks at the sockets of all running requests, again and again, and ends the contexts of those
// whose clients have left: one goroutine and no system call per request, where net/http has a reader
// beside each.
func (s *Server) sweep() {
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
			if gone, _ := eye.look(c); gone {
				c.cancel(errGone)
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
