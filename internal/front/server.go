package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/internal/socket"
)

// Options say what a Server serves, and how long it waits. Times of 0 are unbounded.
type Options struct {
	Handler Handler
	// Mine reports whether a request of this target and host belongs to Handler. A connection with a
	// request that does not goes over to Rest, and stays there.
	Mine func(target, host string) bool // nil: all do
	Rest http.Handler                   // what is not Mine, and all of HTTP/2; nil: nothing is
	TLS  *tls.Config                    // nil: no TLS. Its NextProtos are set here.

	HeaderBytes int           // largest head
	HeaderTime  time.Duration // for a TLS handshake, for the first byte on a new connection, and for the rest of a head
	IdleTime    time.Duration // until the next request
	WriteTime   time.Duration // a client may take no byte for as long
	MaxConns    int           // open connections; 0: unbounded
	// Refused is called for each request that no handler sees, with what its client was told; nil: nobody asks.
	Refused func(status int, reason string, client net.Addr)
	Logger  *slog.Logger
}

// Server serves HTTP/1.1 on connections of its own, and leaves HTTP/2 and what is not Mine to net/http.
// Serve is called once; Shutdown, Close and Stats may be called at any time, from any goroutine.
type Server struct {
	options Options
	base    context.Context // of all requests: what ends it, ends them
	std     *http.Server    // nil: there is no Rest
	hand    *handOver
	places  chan struct{} // nil: any number

	calls   sync.Pool // of *call
	buffers buffers
	dates   dates

	closing atomic.Bool
	quit    chan struct{} // closed when closing begins
	done    chan struct{} // closed when all has ended
	begin   sync.Once
	finish  sync.Once
	panics  atomic.Int64
	tasks   sync.WaitGroup // the sweep and net/http's Serve

	mu       sync.Mutex
	refused  map[int]int64 // by status
	listener net.Listener  // nil: Serve has not begun
	conns    map[*conn]struct{}
	others   int           // requests that Rest serves, also on connections that have left net/http
	empty    chan struct{} // closed when the last of conns and others has gone; nil: nobody waits
}

// Stats counts what a Server has seen.
type Stats struct {
	Open int // connections, without those of net/http
	Busy int // of them carry a request
	// Refused counts requests that no handler saw, by the status that they were answered with: they broke
	// HTTP/1.1's rules or the limits of a head. Those that net/http refuses are not among them.
	Refused map[int]int64
	Panics  int64 // contained ones, of handlers and of connections
}

// New makes a Server whose requests' contexts come from base.
func New(base context.Context, o Options) *Server {
	s := &Server{options: o, base: base, conns: map[*conn]struct{}{}, refused: map[int]int64{}, quit: make(chan struct{}), done: make(chan struct{})}
	if o.MaxConns > 0 {
		s.places = make(chan struct{}, o.MaxConns)
	}
	protos := []string{"http/1.1"}
	if o.Rest != nil {
		protos = []string{"h2", "http/1.1"}
	}
	if o.TLS != nil {
		s.options.TLS = o.TLS.Clone()
		s.options.TLS.NextProtos = protos
	}
	if o.Rest != nil {
		s.hand = &handOver{conns: make(chan net.Conn), done: make(chan struct{})}
		s.std = s.newStd()
	}
	return s
}

// Serve accepts connections from l, which gives TCP connections, until Shutdown or Close; then it
// returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	defer func() { _ = l.Close() }()
	if !s.open(l) {
		return nil
	}
	for pause := time.Duration(0); ; {
		c, err := s.accept(l)
		switch {
		case err == nil:
			pause = 0
			s.take(c)
		case s.closing.Load():
			return nil
		case !temporary(err):
			return err
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.options.Logger.Warn("cannot accept connections", "error", err, "again_in", pause.String())
			select {
			case <-time.After(pause):
			case <-s.quit:
			}
		}
	}
}

// open takes l as the listener and starts what runs beside it, unless the server has been closed already.
func (s *Server) open(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.listener = l
	s.tasks.Go(func() { s.sweep(s.base) })
	if s.std != nil {
		s.hand.addr = l.Addr()
		s.tasks.Go(func() { _ = s.std.Serve(s.hand) }) // ends with Shutdown or Close
	}
	return true
}

// accept waits for a place, and then for a connection. Those that find no place wait in the kernel.
func (s *Server) accept(l net.Listener) (net.Conn, error) {
	if s.places != nil {
		select {
		case s.places <- struct{}{}:
		case <-s.quit:
			return nil, net.ErrClosed
		}
	}
	c, err := l.Accept()
	if err != nil {
		s.vacate()
	}
	return c, err
}

func (s *Server) vacate() {
	if s.places != nil {
		<-s.places
	}
}

// temporary reports whether accepting may work again later: mostly there were no files left.
func temporary(err error) bool {
	var e syscall.Errno
	return errors.As(err, &e) && (e == syscall.EMFILE || e == syscall.ENFILE || e == syscall.ENOBUFS || e == syscall.ENOMEM || e == syscall.ECONNABORTED)
}

// take serves a connection in a goroutine of its own.
func (s *Server) take(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		s.vacate()
		_ = nc.Close()
		s.options.Logger.Error("front serves TCP connections only", "address", nc.LocalAddr().String())
		return
	}
	raw := &client{Conn: socket.Of(tcp), tcp: tcp, timeout: s.options.WriteTime, leave: s.vacate}
	ctx, cancel := newConnContext(s.base)
	c := &conn{s: s, raw: raw, nc: raw, cancel: cancel}
	if fd, err := tcp.SyscallConn(); err == nil {
		c.socket = fd
		c.makeReadable(fd)
	}
	if !s.add(c) {
		_ = raw.Close()
		cancel(nil)
		return
	}
	go c.serve(ctx) // Shutdown waits for it, by way of conns
}

func (s *Server) add(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.settle()
}

// settle tells who waits for it when nothing is left. It wants the mutex held.
func (s *Server) settle() {
	if len(s.conns) == 0 && s.others == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// emptied returns a channel that is closed when no connection and no request is left; nil: none is.
func (s *Server) emptied() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 && s.others == 0 {
		return nil
	}
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	return s.empty
}

// Shutdown stops accepting, closes idle connections, and waits until the requests that run have their
// answers, or until ctx ends; then it returns ctx's error, and may be called again.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	std := make(chan error, 1)
	if s.std != nil {
		go func() { std <- s.std.Shutdown(ctx) }() // ends with ctx at the latest, and is waited for
	} else {
		std <- nil
	}
	s.closeIdle()
	var err error
	if last := s.emptied(); last != nil {
		select {
		case <-last:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err = errors.Join(err, <-std); err == nil {
		s.ended()
	}
	return err
}

// Close closes all connections at once. It does not wait for handlers, whose contexts have ended.
func (s *Server) Close() error {
	s.stopAccepting()
	s.mu.Lock()
	for c := range s.conns {
		c.state.Store(connClosed)
		c.cancel(net.ErrClosed)
		_ = c.raw.Close()
	}
	s.mu.Unlock()
	var err error
	if s.std != nil {
		err = s.std.Close()
	}
	s.ended()
	return err
}

func (s *Server) stopAccepting() {
	s.begin.Do(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closing.Store(true)
		close(s.quit)
		if s.listener != nil {
			_ = s.listener.Close()
		}
	})
}

// ended stops what runs beside the connections.
func (s *Server) ended() {
	s.finish.Do(func() { close(s.done) })
	s.tasks.Wait()
}

// closeIdle closes the connections that wait for a request. One that has bytes to read is about to
// become busy, and is closed behind its answer.
func (s *Server) closeIdle() {
	var e eye
	e.open()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.Load() != connIdle {
			continue
		}
		if gone, bytes := e.look(c); bytes && !gone && !c.secure.Load() {
			continue
		}
		if c.state.CompareAndSwap(connIdle, connClosed) {
			_ = c.raw.Close()
		}
	}
}

// Stats returns what the server has seen so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Open: len(s.conns), Refused: maps.Clone(s.refused), Panics: s.panics.Load()}
	for c := range s.conns {
		if state := c.state.Load(); state == connBusy || state == connSwitched {
			st.Busy++
		}
	}
	return st
}

// countRefusal counts a request that no handler saw.
func (s *Server) countRefusal(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[status]++
}

// panicked counts and logs a panic that was contained.
func (s *Server) panicked(ctx context.Context, cause any) {
	s.panics.Add(1)
	s.options.Logger.ErrorContext(ctx, "panic in a handler", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
}

// minBuffer is what a buffer begins with; heads are rarely larger.
const minBuffer = 4 << 10

// maxKept bounds what goes back into the pool.
const maxKept = 64 << 10

// buffers lends buffers for what is read and what is written.
type buffers struct{ pool sync.Pool }

// get lends a buffer of length 0, and minBuffer capacity at least.
func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		*p = (*p)[:0]
		return p
	}
	p := make([]byte, 0, minBuffer)
	return &p
}

func (b *buffers) put(p *[]byte) {
	if cap(*p) >= minBuffer && cap(*p) <= maxKept {
		b.pool.Put(p)
	}
}

// dates keeps the text of Date for a second.
type dates struct{ current atomic.Pointer[date] }

type date struct {
	second int64
	text   string
}

// now returns the present moment as HTTP writes it.
func (d *dates) now() string {
	now := time.Now()
	have := d.current.Load()
	if have == nil || have.second != now.Unix() {
		have = &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
		d.current.Store(have)
	}
	return have.text
}
