// Package upstream is a provider for tests: a TCP server that records what it gets and answers the
// bytes that a test's script writes, in the pieces and at the moments that the script chooses.
package upstream

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/test/internal/rawhttp"
)

// Script answers one request. It reports whether the connection may carry another one; otherwise it
// is closed. A script that wants to break a connection hard calls Conn.Reset first.
type Script func(req *rawhttp.Message, c *Conn) (keep bool)

// Server is the upstream.
type Server struct {
	Addr string // host:port

	listener net.Listener
	wg       sync.WaitGroup

	mu       sync.Mutex
	script   Script
	requests []*rawhttp.Message
	conns    map[*Conn]struct{}
	closed   bool
}

// Conn is the server's side of a connection.
type Conn struct {
	net.Conn
	gone chan struct{} // closed when the connection is given up
	once sync.Once
}

// Gone is closed when the test has ended; scripts that wait select on it.
func (c *Conn) Gone() <-chan struct{} { return c.gone }

// Reset makes closing the connection a reset instead of an orderly end.
func (c *Conn) Reset() {
	conn := c.Conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// CutTLS ends the connection beneath TLS without the notice that TLS gives of its end.
func (c *Conn) CutTLS() {
	if secure, ok := c.Conn.(*tls.Conn); ok {
		_ = secure.NetConn().Close()
	}
}

// WaitClosed returns when the peer has closed the connection or broken it.
func (c *Conn) WaitClosed() {
	var b [512]byte
	for {
		if _, err := c.Read(b[:]); err != nil {
			return
		}
	}
}

// Send writes text and ignores failure: the script's peer may be gone, which is for the test to find.
func (c *Conn) Send(text string) { _, _ = io.WriteString(c, text) }

// Chunk writes text as one chunk of a chunked body. Empty text writes nothing: it would end the body.
func (c *Conn) Chunk(text string) {
	if text != "" {
		c.Send(fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
	}
}

// New starts an upstream that answers by script and ends with the test.
func New(t testing.TB, script Script) *Server {
	t.Helper()
	return NewTLS(t, nil, script)
}

// NewTLS is New behind TLS; nil: without.
func NewTLS(t testing.TB, config *tls.Config, script Script) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	s := &Server{Addr: l.Addr().String(), listener: l, script: script, conns: map[*Conn]struct{}{}}
	s.wg.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

// Use changes the script for the requests to come.
func (s *Server) Use(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

// Take returns the requests since the last Take, in order of arrival.
func (s *Server) Take() []*rawhttp.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	rs := s.requests
	s.requests = nil
	return rs
}

func (s *Server) close() {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.once.Do(func() { close(c.gone) })
		_ = c.Close()
	}
	s.mu.Unlock()
	_ = s.listener.Close()
	s.wg.Wait()
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		c := &Conn{Conn: conn, gone: make(chan struct{})}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = conn.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.wg.Go(func() { s.serve(c) })
	}
}

func (s *Server) serve(c *Conn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	r := bufio.NewReader(c)
	for {
		req, err := rawhttp.ReadRequest(r, func() { c.Send("HTTP/1.1 100 Continue\r\n\r\n") })
		if err != nil {
			return
		}
		s.mu.Lock()
		s.requests = append(s.requests, req)
		script := s.script
		s.mu.Unlock()
		if !script(req, c) {
			return
		}
	}
}

// Answer is a script that sends a whole response with a Content-Length. head holds further field lines,
// "Name: value" each.
func Answer(status int, head []string, body string) Script {
	text := response(status, append([]string{fmt.Sprintf("Content-Length: %d", len(body))}, head...)) + body
	return func(req *rawhttp.Message, c *Conn) bool {
		if req.Method() == "HEAD" {
			c.Send(strings.TrimSuffix(text, body))
			return true
		}
		c.Send(text)
		return true
	}
}

// JSON is Answer with the type application/json.
func JSON(status int, body string) Script {
	return Answer(status, []string{"Content-Type: application/json"}, body)
}

// Stream is a script that sends pieces as chunks, each in a write of its own.
func Stream(head []string, pieces ...string) Script {
	return func(_ *rawhttp.Message, c *Conn) bool {
		c.Send(response(200, append([]string{"Transfer-Encoding: chunked"}, head...)))
		for _, p := range pieces {
			c.Chunk(p)
		}
		c.Send("0\r\n\r\n")
		return true
	}
}

// Head writes the head of a chunked event stream and nothing else: the beginning of scripts that do
// unusual things.
func Head(c *Conn) {
	c.Send(response(200, []string{"Content-Type: text/event-stream", "Transfer-Encoding: chunked"}))
}

// Events cuts an event stream behind each blank line, so that Stream sends one event per chunk.
func Events(text string) []string {
	return strings.SplitAfter(text, "\n\n")
}

func response(status int, head []string) string {
	reason := http.StatusText(status)
	if reason == "" {
		reason = fmt.Sprint("status code ", status)
	}
	return fmt.Sprintf("HTTP/1.1 %d %s\r\n%s\r\n\r\n", status, reason, strings.Join(head, "\r\n"))
}
