package front

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// eventually waits for what must come about.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it never came about: " + what)
		}
	}
}

func TestShutdown(t *testing.T) {
	goOn := make(chan struct{})
	s := start(t, func(ctx context.Context, req *Request, sink Sink) bool {
		if req.Target == "/slow" {
			sink.Head(200, nil)
			_ = sink.Flush()
			select {
			case <-goOn:
			case <-ctx.Done():
				return true
			}
			_, _ = io.WriteString(sink.(io.Writer), "whole")
			return false
		}
		answerText(sink, 200, "")
		return false
	}, nil)
	idle, fresh, busy := s.dial(t), s.dial(t), s.dial(t)
	idle.send(simple)
	idle.response()
	busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
	resp, err := http.ReadResponse(busy.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "three connections", func() bool { return s.Stats().Open == 3 })
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown while a request runs: %v", err)
	}
	if !idle.ended() || !fresh.ended() {
		t.Error("an idle connection was not closed")
	}
	if c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.addr); err == nil {
		_ = c.Close()
		t.Error("a connection was accepted")
	}
	close(goOn)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "whole" {
		t.Errorf("%q %v", body, err)
	}
	if !busy.ended() {
		t.Error("the connection goes on")
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAnswersDuringShutdownSayClose(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, func(_ context.Context, _ *Request, sink Sink) bool {
		close(begun)
		<-goOn
		answerText(sink, 200, "")
		return false
	}, nil)
	p := s.dial(t)
	p.send(simple)
	<-begun
	down := make(chan error)
	go func() { down <- s.Shutdown(context.Background()) }()
	eventually(t, "closing", s.closing.Load)
	close(goOn)
	if resp, _ := p.response(); !resp.Close || !p.ended() {
		t.Errorf("header = %v", resp.Header)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

func TestBaseContextEndsRequests(t *testing.T) {
	why, seen, begun := errors.New("stop"), make(chan error, 1), make(chan struct{})
	s := start(t, func(ctx context.Context, _ *Request, _ Sink) bool {
		close(begun)
		<-ctx.Done()
		seen <- context.Cause(ctx)
		return true
	}, nil)
	p := s.dial(t)
	p.send(simple)
	<-begun
	s.cancel(why)
	if err := <-seen; !errors.Is(err, why) {
		t.Errorf("cause = %v", err)
	}
	if !p.ended() {
		t.Error("the connection was reset")
	}
}

func TestCloseEndsAll(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	s := start(t, func(ctx context.Context, _ *Request, _ Sink) bool {
		close(begun)
		<-ctx.Done()
		close(ended)
		return true
	}, nil)
	p := s.dial(t)
	p.send(simple)
	<-begun
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-ended
	_, _ = io.Copy(io.Discard, p.r)
}

func TestServeAfterShutdown(t *testing.T) {
	s := New(context.Background(), Options{Logger: quiet()})
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != nil {
		t.Error(err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("the listener is open")
	}
}

// rest is the other half of a server: net/http's.
func rest(o *Options) {
	o.Mine = func(target, host string) bool { return strings.HasPrefix(target, "/v1/") || host == "mine" }
	o.Rest = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, "rest "+r.Method+" "+r.RequestURI+" "+string(body)+" "+r.Proto)
		if r.TLS != nil {
			_, _ = io.WriteString(w, " "+r.TLS.ServerName)
		}
	})
}

func TestRest(t *testing.T) {
	s := start(t, tell, rest)
	p := s.dial(t)
	for _, tt := range []struct{ send, want string }{
		{"GET /v1/a HTTP/1.1\r\nHost: x\r\n\r\n", "200 GET /v1/a x none"},
		{"GET /a HTTP/1.1\r\nHost: mine\r\n\r\n", "200 GET /a mine none"},
		// From here on the connection is net/http's.
		{"\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "200 rest POST /a abc HTTP/1.1"},
		{"GET /v1/a HTTP/1.1\r\nHost: x\r\n\r\n", "200 rest GET /v1/a  HTTP/1.1"},
	} {
		p.send(tt.send)
		if _, text := p.response(); text != tt.want {
			t.Errorf("%q: %q", tt.send, text)
		}
	}
	eventually(t, "that no connection is ours", func() bool { return s.Stats().Open == 0 })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil || !p.ended() {
		t.Errorf("shut down: %v", err)
	}
}

// syncText gathers what several goroutines write.
type syncText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *syncText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *syncText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestAPanicOfRest is counted and logged, and breaks its answer off; that of a handler who aborts on purpose
// is no fault.
func TestAPanicOfRest(t *testing.T) {
	for cause, want := range map[any]int64{"a fault": 1, http.ErrAbortHandler: 0} {
		var log syncText
		s := start(t, tell, func(o *Options) {
			o.Mine = func(string, string) bool { return false }
			o.Rest = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(cause) })
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		})
		p := s.dial(t)
		p.send(simple)
		if text, err := io.ReadAll(p.r); len(text) > 0 {
			t.Errorf("%v: got %q, %v", cause, text, err)
		}
		if got := s.Stats().Panics; got != want || strings.Contains(log.String(), "a fault") != (want == 1) {
			t.Errorf("%v: %d panics, %s", cause, got, log.String())
		}
	}
}

func TestPlacesAreGivenBack(t *testing.T) {
	s := start(t, tell, func(o *Options) { rest(o); o.MaxConns = 1 })
	for _, target := range []string{"/v1/a", "/a", "/v1/b", "/b"} { // net/http's give theirs back, too
		p := s.dial(t)
		p.send("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if _, text := p.response(); !strings.HasPrefix(text, "200 ") || !p.ended() {
			t.Error(text)
		}
	}
}

// identity makes a certificate for localhost.
func identity(t testing.TB) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

func TestTLS(t *testing.T) {
	server, client := identity(t)
	s := start(t, func(ctx context.Context, req *Request, sink Sink) bool {
		if !req.Secure {
			t.Error("not secure")
		}
		return tell(ctx, req, sink)
	}, func(o *Options) { rest(o); o.TLS = server })
	for _, tt := range []struct {
		name, target, want string
		http2              bool
	}{
		{"HTTP/1.1 is ours", "/v1/a", "POST /v1/a localhost \"body\"", false},
		{"what is not ours is net/http's", "/a", "rest POST /a body HTTP/1.1 localhost", false},
		{"HTTP/2 is net/http's", "/v1/a", "rest POST /v1/a body HTTP/2.0 localhost", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: client, ForceAttemptHTTP2: tt.http2}
			defer transport.CloseIdleConnections()
			for range 2 {
				req, _ := http.NewRequestWithContext(t.Context(), "POST", "https://"+s.addr+tt.target, strings.NewReader("body"))
				req.Host = "localhost"
				resp, err := transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || string(body) != tt.want {
					t.Errorf("%q %v", body, err)
				}
			}
		})
	}
	t.Run("plain HTTP is told so", func(t *testing.T) {
		p := s.dial(t)
		p.send(simple)
		if _, text := p.response(); !strings.Contains(text, "speaks HTTPS") || !p.ended() {
			t.Error(text)
		}
	})
	t.Run("garbage is dropped", func(t *testing.T) {
		p := s.dial(t)
		p.send("\x16\x03\x01\xff\xff" + strings.Repeat("x", 100))
		_ = p.CloseWrite()
		_, _ = io.Copy(io.Discard, p.r)
	})
}

func TestClientLeavesOverTLS(t *testing.T) {
	server, config := identity(t)
	begun, ended := make(chan struct{}), make(chan error, 1)
	s := start(t, func(ctx context.Context, _ *Request, sink Sink) bool {
		sink.Head(200, nil)
		_, _ = sink.Write(make([]byte, 3*direct))
		_ = sink.Flush()
		close(begun)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return true
	}, func(o *Options) { o.TLS = server })
	p := s.dial(t)
	c := tls.Client(p.TCPConn, config)
	_, _ = io.WriteString(c, simple)
	<-begun
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, 3*direct)); err != nil {
		t.Error(err)
	}
	_ = c.Close() // a goodbye, and then the end: the sweep sees the end behind it
	if err := <-ended; !errors.Is(err, errGone) {
		t.Errorf("cause = %v", err)
	}
}

// secured is a client that speaks TLS, and reads the answer's head and size bytes of its body.
func (s *server) secured(t *testing.T, config *tls.Config, request string, size int) *tls.Conn {
	t.Helper()
	c := tls.Client(s.dial(t).TCPConn, config)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	return c
}

// streamUntilGone sends some bytes and waits for its client to leave; it tells the cause.
func streamUntilGone(size int, ended chan<- error) handlerFunc {
	return func(ctx context.Context, _ *Request, sink Sink) bool {
		sink.Head(200, nil)
		_, _ = sink.Write(make([]byte, size))
		_ = sink.Flush()
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return true
	}
}

// TestClientSaysGoodbyeOverTLS: close_notify alone is a departure; the TCP connection stays open.
func TestClientSaysGoodbyeOverTLS(t *testing.T) {
	server, config := identity(t)
	unread := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
	for _, tt := range []struct {
		name, request, behind string
		version               uint16
	}{
		{"TLS 1.3", simple, "", tls.VersionTLS13},
		{"TLS 1.2", simple, "", tls.VersionTLS12},
		{"behind a body that nobody has read", unread, "defghi", tls.VersionTLS13},
		{"behind another request", simple, simple, tls.VersionTLS13},
		{"behind bytes of two sweeps", simple, strings.Repeat("x", minBuffer-1), tls.VersionTLS13},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ended := make(chan error, 1)
			s := start(t, streamUntilGone(100, ended), func(o *Options) { o.TLS = server })
			config := config.Clone()
			config.MaxVersion = tt.version
			c := s.secured(t, config, tt.request, 100)
			_, _ = io.WriteString(c, tt.behind)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, errGone) {
				t.Errorf("cause = %v", err)
			}
		})
	}
}

// TestGoodbyeAfterTheHeadsTime: the deadline that the head had does not hide a departure long after it.
func TestGoodbyeAfterTheHeadsTime(t *testing.T) {
	server, config := identity(t)
	const headTime = 300 * time.Millisecond
	begun, ended := make(chan struct{}), make(chan error, 1)
	s := start(t, func(ctx context.Context, req *Request, sink Sink) bool {
		close(begun)
		return streamUntilGone(1, ended)(ctx, req, sink)
	}, func(o *Options) { o.TLS, o.HeaderTime = server, headTime })
	c := s.secured(t, config, simple, 1)
	<-begun
	passed := time.NewTimer(headTime)
	defer passed.Stop()
	<-passed.C
	_ = c.CloseWrite()
	if err := <-ended; !errors.Is(err, errGone) {
		t.Errorf("cause = %v", err)
	}
}

// TestBytesSeenBesideARequestAreNotLost: what a look takes from a TLS connection, the body and the next
// request still get.
func TestBytesSeenBesideARequestAreNotLost(t *testing.T) {
	server, config := identity(t)
	looked := make(chan struct{})
	s := start(t, func(ctx context.Context, req *Request, sink Sink) bool {
		if req.Method == http.MethodPost {
			<-looked
		}
		return tell(ctx, req, sink)
	}, func(o *Options) { o.TLS = server })
	c := tls.Client(s.dial(t).TCPConn, config)
	defer func() { _ = c.Close() }()
	body := strings.Repeat("0123456789", 1000)
	send := func(text string) {
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
	}
	send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n" + body[:10])
	eventually(t, "a request", func() bool { return s.Stats().Busy == 1 })
	send(body[10:]) // a record of its own, which the sweep finds, and the next request
	send(simple)
	eventually(t, "a look", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			c.watching.Lock()
			defer c.watching.Unlock()
			if c.watched != nil && len(c.rest) >= minBuffer {
				return true
			}
		}
		return false
	})
	close(looked)
	r := bufio.NewReader(c)
	for _, want := range []string{"200 POST / x \"" + body + "\"", "200 GET / x none"} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || "200 "+string(got) != want {
			t.Errorf("%.60q %v, want %.60q", got, err, want)
		}
	}
}

// TestGoodbyeOverHTTP2: net/http sees close_notify by itself.
func TestGoodbyeOverHTTP2(t *testing.T) {
	server, config := identity(t)
	ended := make(chan error, 1)
	s := start(t, tell, func(o *Options) {
		o.TLS, o.Mine = server, func(string, string) bool { return true }
		o.Rest = NewStd(streamUntilGone(10, ended))
	})
	var conn *tls.Conn
	transport := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		config := config.Clone()
		config.NextProtos = []string{"h2"}
		c, err := (&tls.Dialer{Config: config}).DialContext(ctx, network, addr)
		if err == nil {
			conn = c.(*tls.Conn)
		}
		return c, err
	}}
	defer transport.CloseIdleConnections()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.addr+"/", nil)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("%v over %s", err, resp.Proto)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("cause = %v", err)
	}
}

// TestHTTP2BeginsAsAgreed: a connection that agreed on HTTP/2 carries requests that know of its TLS. One that then
// speaks otherwise, or not at all, is closed.
func TestHTTP2BeginsAsAgreed(t *testing.T) {
	server, config := identity(t)
	config.NextProtos = []string{"h2"}
	s := start(t, tell, func(o *Options) {
		o.TLS, o.HeaderTime = server, 200*time.Millisecond
		o.Rest = NewStd(handlerFunc(func(_ context.Context, req *Request, sink Sink) bool {
			answerText(sink, 200, strconv.FormatBool(req.Secure))
			return false
		}))
	})
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.addr+"/", nil)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got, err := io.ReadAll(resp.Body); string(got) != "true" || resp.ProtoMajor != 2 {
		t.Errorf("secure is %q over %s, %v", got, resp.Proto, err)
	}
	for _, first := range []string{"", preface[:10], simple} {
		c := tls.Client(s.dial(t).TCPConn, config)
		if err := c.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, first); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
			t.Errorf("%q brought %q, %v; want a close", first, got, err)
		}
		_ = c.Close()
	}
}

// TestIdleConnectionsAreSmall: an idle connection holds no buffer.
func TestIdleConnectionsAreSmall(t *testing.T) {
	const many, most = 500, 24 << 10 // bytes each, the peer's end and the race detector's share included
	s := start(t, tell, nil)
	before := used()
	for range many {
		c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, simple)
		if _, err := c.Read(make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "idleness", func() bool { return s.Stats().Busy == 0 })
	each := (used() - before) / many
	t.Logf("%d bytes per idle connection", each)
	if each > most {
		t.Errorf("%d bytes per idle connection; want at most %d", each, most)
	}
}

func used() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// BenchmarkRequest is a small request and its answer over a socket, without a gateway behind it.
func BenchmarkRequest(b *testing.B) {
	s := start(b, func(_ context.Context, req *Request, sink Sink) bool {
		_, _ = io.Copy(io.Discard, req.Body)
		answerText(sink, 200, "ok")
		return false
	}, nil)
	p := s.dial(b)
	_ = p.SetDeadline(time.Time{})
	request := []byte("POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test\r\n" +
		"Content-Type: application/json\r\nUser-Agent: OpenAI/Go 3\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000))
	answer := make([]byte, len("HTTP/1.1 200 OK\r\nDate: today\r\nContent-Length: 2\r\n\r\nok"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(p.TCPConn, answer); err != nil {
			b.Fatal(err)
		}
	}
}
