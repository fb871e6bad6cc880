package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// handlerFunc makes a Handler of a function.
type handlerFunc func(ctx context.Context, req *Request, sink Sink) bool

func (f handlerFunc) Serve(ctx context.Context, req *Request, sink Sink) bool {
	return f(ctx, req, sink)
}

// answerText answers with a text, and a fixed Date.
func answerText(sink Sink, status int, text string) {
	sink.Head(status, sluice.Header{{Name: "Date", Value: "today"}, {Name: "Content-Length", Value: strconv.Itoa(len(text))}})
	_, _ = io.WriteString(sink.(io.Writer), text)
}

// tell reads the request's body and answers with all that the handler saw.
func tell(_ context.Context, req *Request, sink Sink) bool {
	body := []byte("none")
	if req.Body != nil {
		read, err := io.ReadAll(req.Body)
		if body = strconv.AppendQuote(nil, string(read)); err != nil {
			answerText(sink, 499, err.Error())
			return false
		}
	}
	text := fmt.Sprintf("%s %s %s %s", req.Method, req.Target, req.Host, body)
	if req.Trailer != nil {
		text += fmt.Sprint(" ", req.Trailer())
	}
	answerText(sink, 200, text)
	return false
}

// server is a Server on loopback.
type server struct {
	*Server
	addr   string
	cancel context.CancelCauseFunc // of the base context
	served chan error
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start serves h until the test ends. change alters the options; nil: none.
func start(t testing.TB, h handlerFunc, change func(*Options)) *server {
	t.Helper()
	o := Options{
		Handler: h, HeaderBytes: 4 << 10, HeaderTime: time.Minute, IdleTime: time.Minute, WriteTime: time.Minute, Logger: quiet(),
	}
	if change != nil {
		change(&o)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base, cancel := context.WithCancelCause(context.Background())
	s := &server{Server: New(base, o), addr: l.Addr().String(), cancel: cancel, served: make(chan error, 1)}
	go func() { s.served <- s.Serve(l) }()
	t.Cleanup(func() {
		cancel(errors.New("the test is over"))
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
		if err := <-s.served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// peer is a client that speaks bytes.
type peer struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

func (s *server) dial(t testing.TB) *peer {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &peer{c.(*net.TCPConn), t, bufio.NewReader(c)}
}

// send sends text as it is. The server may have gone meanwhile: what it said shows that.
func (p *peer) send(text string) { _, _ = io.WriteString(p.TCPConn, text) }

// response reads an answer, and describes it by its status and body.
func (p *peer) response() (*http.Response, string) {
	p.t.Helper()
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	text := strconv.Itoa(resp.StatusCode) + " " + string(body)
	if err != nil {
		text += " " + err.Error()
	}
	return resp, text
}

// ended reads what is left, and reports whether the connection ended behind it.
func (p *peer) ended() bool {
	rest, err := io.ReadAll(p.r)
	if len(rest) > 0 {
		p.t.Errorf("behind the last answer came %q", rest)
	}
	return err == nil
}

const simple = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

func TestAnswersByteForByte(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nx-oDD: a\r\nDate: today\r\nx-oDD: b\r\n"
	fields := sluice.Header{{Name: "x-oDD", Value: "a"}, {Name: "Date", Value: "today"}, {Name: "x-oDD", Value: "b"}}
	with := func(more ...sluice.Field) sluice.Header { return append(fields[:len(fields):len(fields)], more...) }
	length := func(n string) sluice.Field { return sluice.Field{Name: "content-LENGTH", Value: n} }
	tests := []struct {
		name, request string
		status        int
		header        sluice.Header
		body          []string // flushed after each, but for the last
		trailer       sluice.Header
		want          string
		open          bool
	}{
		{"a length", simple, 200, with(length("2")), []string{"hi"}, nil, head + "content-LENGTH: 2\r\n\r\nhi", true},
		{"no body", simple, 200, with(length("0")), nil, nil, head + "content-LENGTH: 0\r\n\r\n", true},
		{"no length: chunked", simple, 200, fields, []string{"hello", "w"}, nil, head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\nw\r\n0\r\n\r\n", true},
		{"no length and no body", simple, 200, fields, nil, nil, head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
		{"trailers", simple, 200, fields, []string{"a"}, sluice.Header{{Name: "x-Sum", Value: "1"}, {Name: "Content-Length", Value: "9"}, {Name: "a b", Value: "c"}}, head + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-Sum: 1\r\n\r\n", true},
		{"HEAD keeps its length", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200, with(length("2")), []string{"hi"}, nil, head + "content-LENGTH: 2\r\n\r\n", true},
		{"HEAD without length", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 200, fields, []string{"hi"}, nil, head + "\r\n", true},
		{"204", simple, 204, with(length("0")), []string{"x"}, nil, strings.Replace(head, "200 OK", "204 No Content", 1) + "\r\n", true},
		{"304", simple, 304, with(length("5")), nil, nil, strings.Replace(head, "200 OK", "304 Not Modified", 1) + "content-LENGTH: 5\r\n\r\n", true},
		{"a status without a name", simple, 599, with(length("0")), nil, nil, strings.Replace(head, "200 OK", "599 ", 1) + "content-LENGTH: 0\r\n\r\n", true},
		{"close by the client", "GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", 200, with(length("0")), nil, nil, head + "content-LENGTH: 0\r\nConnection: close\r\n\r\n", false},
		{"close by the handler", simple, 200, with(length("0"), sluice.Field{Name: "connection", Value: "close"}), nil, nil, head + "content-LENGTH: 0\r\nConnection: close\r\n\r\n", false},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 200, with(length("2")), []string{"hi"}, nil, head + "content-LENGTH: 2\r\nConnection: close\r\n\r\nhi", false},
		{"HTTP/1.0 that stays", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, with(length("2")), []string{"hi"}, nil, head + "content-LENGTH: 2\r\nConnection: keep-alive\r\n\r\nhi", true},
		{"HTTP/1.0 without length", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, fields, []string{"hi", "ho"}, nil, head + "Connection: close\r\n\r\nhiho", false},
		{"fields of one connection", simple, 200, with(length("0"), sluice.Field{Name: "Keep-Alive", Value: "1"}, sluice.Field{Name: "transfer-encoding", Value: "gzip"}, sluice.Field{Name: "Upgrade", Value: "h2c"}), nil, nil, head + "content-LENGTH: 0\r\n\r\n", true},
		{"lengths that are none", simple, 200, with(length("-1"), length("1"), length("2")), []string{"a"}, nil, head + "content-LENGTH: 1\r\n\r\na", true},
		{"a value that would end its line", simple, 200, with(length("0"), sluice.Field{Name: "X", Value: "a\r\nSet-Cookie: b\x00"}), nil, nil, head + "content-LENGTH: 0\r\nX: a  Set-Cookie: b \r\n\r\n", true},
		{"a large piece", simple, 200, fields, []string{strings.Repeat("x", direct), strings.Repeat("y", 3*fullBuffer)}, nil, head + "Transfer-Encoding: chunked\r\n\r\n2000\r\n" + strings.Repeat("x", direct) + "\r\n24000\r\n" + strings.Repeat("y", 3*fullBuffer) + "\r\n0\r\n\r\n", true},
		{"a large piece of a length", simple, 200, with(length(strconv.Itoa(direct))), []string{strings.Repeat("x", direct)}, nil, head + "content-LENGTH: 8192\r\n\r\n" + strings.Repeat("x", direct), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, func(_ context.Context, req *Request, sink Sink) bool {
				if req.Target == "/next" {
					answerText(sink, 200, "next")
					return false
				}
				sink.Head(tt.status, tt.header)
				for i, piece := range tt.body {
					if _, err := sink.Write([]byte(piece)); err != nil {
						t.Error(err)
					}
					if i+1 < len(tt.body) && sink.Flush() != nil {
						t.Error("flush failed")
					}
				}
				sink.Trailer(tt.trailer)
				return false
			}, nil)
			p := s.dial(t)
			p.send(tt.request)
			got := make([]byte, len(tt.want))
			if n, err := io.ReadFull(p.r, got); err != nil || string(got) != tt.want {
				t.Fatalf("got %.300q, %v", got[:n], err)
			}
			p.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
			if !tt.open {
				_, _ = io.Copy(io.Discard, p.r) // what came behind the end is not answered
				return
			}
			if _, text := p.response(); text != "200 next" {
				t.Errorf("behind it came %q", text)
			}
		})
	}
}

func TestDateIsAdded(t *testing.T) {
	s := start(t, func(_ context.Context, _ *Request, sink Sink) bool { sink.Head(204, nil); return false }, nil)
	p := s.dial(t)
	p.send(simple)
	resp, _ := p.response()
	if at, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(at).Abs() > patience || len(resp.Header) != 1 {
		t.Errorf("header = %v", resp.Header)
	}
}

func TestFieldsComeAsTheyWereSent(t *testing.T) {
	var got sluice.Header
	s := start(t, func(_ context.Context, req *Request, sink Sink) bool {
		got = append(got[:0], req.Header...)
		answerText(sink, 200, "")
		return false
	}, nil)
	p := s.dial(t)
	for range 2 {
		p.send("GET / HTTP/1.1\r\nzeta: 1\r\nhOST: x\r\nX-API-key: \t a  b \t\r\nEmpty:\r\nalpha: \xe9\r\nzeta: 2\r\n\r\n")
		p.response()
		if want := (sluice.Header{{Name: "zeta", Value: "1"}, {Name: "X-API-key", Value: "a  b"}, {Name: "Empty"}, {Name: "alpha", Value: "\xe9"}, {Name: "zeta", Value: "2"}}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %q", got)
		}
	}
}

// TestHandlersThatBreakTheContract: nobody may take what they answered for a whole answer.
func TestHandlersThatBreakTheContract(t *testing.T) {
	tests := []struct {
		name    string
		handler handlerFunc
		want    string
	}{
		{"no head", func(context.Context, *Request, Sink) bool { return false }, ""},
		{"body before head", func(_ context.Context, _ *Request, s Sink) bool {
			_, err := s.Write([]byte("x"))
			return err == nil
		}, ""},
		{"an interim status", func(_ context.Context, _ *Request, s Sink) bool { s.Head(101, nil); return false }, ""},
		{"two heads", func(_ context.Context, _ *Request, s Sink) bool { s.Head(204, nil); s.Head(204, nil); return false }, ""},
		{"less than its length", func(_ context.Context, _ *Request, s Sink) bool {
			s.Head(200, sluice.Header{{Name: "Date"}, {Name: "Content-Length", Value: "3"}})
			_, _ = s.Write([]byte("ab"))
			return false
		}, "HTTP/1.1 200 OK\r\nDate: \r\nContent-Length: 3\r\n\r\nab"},
		{"more than its length", func(_ context.Context, _ *Request, s Sink) bool {
			s.Head(200, sluice.Header{{Name: "Date"}, {Name: "Content-Length", Value: "3"}})
			_, _ = s.Write([]byte("ab"))
			_, err := s.Write([]byte("cd"))
			return err == nil
		}, ""},
		{"abort in the middle", func(_ context.Context, _ *Request, s Sink) bool {
			s.Head(200, sluice.Header{{Name: "Date"}})
			_, _ = s.Write([]byte("ab"))
			return true
		}, "HTTP/1.1 200 OK\r\nDate: \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"},
		{"abort of a whole answer that has not gone out", func(_ context.Context, _ *Request, s Sink) bool { answerText(s, 200, "ab"); return true }, ""},
		{"panic", func(_ context.Context, _ *Request, s Sink) bool { s.Head(200, nil); panic("x") }, "HTTP/1.1 200 OK\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.handler, nil)
			p := s.dial(t)
			p.send(simple)
			got, err := io.ReadAll(p.r)
			if err != nil || !strings.HasPrefix(string(got), tt.want) || tt.want == "" && len(got) > 0 || bytes.HasSuffix(got, []byte("0\r\n\r\n")) {
				t.Errorf("got %q, %v", got, err)
			}
			if panics := s.Stats().Panics; (panics == 1) != (tt.name == "panic") {
				t.Errorf("%d panics", panics)
			}
		})
	}
}

func TestAbortWithoutFramingIsAReset(t *testing.T) {
	read := make(chan struct{})
	s := start(t, func(_ context.Context, _ *Request, sink Sink) bool {
		sink.Head(200, nil)
		_, _ = sink.Write([]byte("part"))
		_ = sink.Flush()
		<-read
		return true
	}, nil)
	p := s.dial(t)
	p.send("GET / HTTP/1.0\r\n\r\n")
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 4)
	_, _ = io.ReadFull(resp.Body, part)
	close(read)
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("%q looks whole", part)
	}
}

func TestContinue(t *testing.T) {
	const upload = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n"
	t.Run("is sent when the handler reads the body", func(t *testing.T) {
		p := start(t, tell, nil).dial(t)
		for range 2 {
			p.send(upload)
			line := make([]byte, len(continueLine))
			if _, err := io.ReadFull(p.r, line); err != nil || string(line) != continueLine {
				t.Fatalf("%q %v", line, err)
			}
			p.send("body")
			if _, text := p.response(); text != `200 POST / x "body"` {
				t.Error(text)
			}
		}
	})
	t.Run("is not sent when it answers first, and the connection ends", func(t *testing.T) {
		p := start(t, func(_ context.Context, _ *Request, sink Sink) bool { answerText(sink, 401, "no"); return false }, nil).dial(t)
		p.send(upload)
		if resp, text := p.response(); text != "401 no" || !resp.Close || !p.ended() {
			t.Error(text)
		}
	})
	t.Run("is not needed without a body", func(t *testing.T) {
		p := start(t, tell, nil).dial(t)
		p.send(strings.Replace(upload, "4", "0", 1))
		if _, text := p.response(); text != "200 POST / x none" {
			t.Error(text)
		}
	})
}

// TestUnreadBodies: an answer before the end of the body reaches the client, and what follows is told
// apart from the body.
func TestUnreadBodies(t *testing.T) {
	s := start(t, func(_ context.Context, req *Request, sink Sink) bool {
		if req.Body != nil && req.Target == "/some" {
			_, _ = req.Body.Read(make([]byte, 10))
		}
		answerText(sink, 200, req.Target)
		return false
	}, nil)
	little, much := strings.Repeat("x", 1000), strings.Repeat("x", 2*maxLeftover)
	for _, tt := range []struct {
		name, head, body string
		open             bool
	}{
		{"little is dropped", "Content-Length: 1000\r\n\r\n", little, true},
		{"little, chunked, is dropped", "Transfer-Encoding: chunked\r\n\r\n", "3e8\r\n" + little + "\r\n0\r\n\r\n", true},
		{"much ends the connection", fmt.Sprintf("Content-Length: %d\r\n\r\n", len(much)), much, false},
		{"broken chunks end it", "Transfer-Encoding: chunked\r\n\r\n", "zz\r\n", false},
	} {
		for _, target := range []string{"/none", "/some"} {
			t.Run(tt.name+target, func(t *testing.T) {
				p := s.dial(t)
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					p.send("POST " + target + " HTTP/1.1\r\nHost: x\r\n" + tt.head + tt.body)
					if tt.open {
						p.send("GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
					}
				}()
				defer func() { <-sent }()
				if _, text := p.response(); text != "200 "+target {
					t.Errorf("answer = %q", text)
				}
				if !tt.open {
					_, _ = io.Copy(io.Discard, p.r)
					return
				}
				if _, text := p.response(); text != "200 /next" {
					t.Errorf("the next answer = %q", text)
				}
			})
		}
	}
}

func TestDuplex(t *testing.T) {
	// The body is read by another goroutine while the answer goes out.
	s := start(t, func(_ context.Context, req *Request, sink Sink) bool {
		sink.Duplex()
		sink.Head(200, nil)
		_ = sink.Flush()
		pieces := make(chan []byte)
		go func() {
			defer close(pieces)
			for {
				piece := make([]byte, 100)
				n, err := req.Body.Read(piece)
				if n > 0 {
					pieces <- piece[:n]
				}
				if err != nil {
					return
				}
			}
		}()
		for piece := range pieces {
			_, _ = sink.Write(piece)
			_ = sink.Flush()
		}
		return false
	}, nil)
	p := s.dial(t)
	for range 2 { // the connection goes on behind it, with a call of its own
		p.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
		resp, err := http.ReadResponse(p.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range []string{"one", "two"} {
			p.send(fmt.Sprintf("%x\r\n%s\r\n", len(piece), piece))
			got := make([]byte, len(piece))
			if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != piece {
				t.Fatalf("%q %v", got, err)
			}
		}
		p.send("0\r\n\r\n")
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 || !resp.Close {
			t.Fatalf("%q %v", rest, err)
		}
		p = s.dial(t)
	}
}

// TestABodyEndsWithItsCall: a goroutine that still reads must not get what belongs to the next request.
func TestABodyEndsWithItsCall(t *testing.T) {
	late := make(chan error, 1)
	s := start(t, func(_ context.Context, req *Request, sink Sink) bool {
		sink.Duplex()
		body, begun := req.Body, make(chan struct{})
		go func() {
			close(begun)
			_, err := body.Read(make([]byte, 100))
			if err == nil {
				_, err = body.Read(make([]byte, 100))
			}
			late <- err
		}()
		<-begun
		answerText(sink, 401, "no")
		return false
	}, nil)
	p := s.dial(t)
	p.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
	if _, text := p.response(); text != "401 no" {
		t.Error(text)
	}
	if err := <-late; err == nil {
		t.Error("the late read succeeded")
	}
	p.ended()
}

func TestTrailersOfRequests(t *testing.T) {
	p := start(t, tell, nil).dial(t)
	for range 2 {
		p.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\nhost: evil\r\n\r\n")
		if _, text := p.response(); text != `200 POST / x "abc" [{x-sum 7}]` {
			t.Error(text)
		}
	}
}

func TestClientLeaves(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(p *peer)
	}{
		{"closed", func(p *peer) { _ = p.Close() }},
		{"half-closed", func(p *peer) { _ = p.CloseWrite() }},
		{"reset", func(p *peer) { _ = p.SetLinger(0); _ = p.Close() }},
		{"closed behind another request", func(p *peer) { p.send(simple); _ = p.CloseWrite() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			begun, ended := make(chan struct{}), make(chan error, 1)
			s := start(t, func(ctx context.Context, _ *Request, sink Sink) bool {
				sink.Head(200, nil)
				_ = sink.Flush()
				close(begun)
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return true
			}, nil)
			p := s.dial(t)
			p.send(simple)
			<-begun
			tt.leave(p)
			if err := <-ended; !errors.Is(err, errGone) {
				t.Errorf("cause = %v", err)
			}
		})
	}
	t.Run("bytes of another request are no departure", func(t *testing.T) {
		goOn := make(chan struct{})
		s := start(t, func(ctx context.Context, _ *Request, sink Sink) bool {
			select {
			case <-ctx.Done():
				answerText(sink, 499, "gone")
			case <-goOn:
				answerText(sink, 200, "here")
			}
			return false
		}, nil)
		p := s.dial(t)
		p.send(simple + simple)
		// Two sweeps pass: that of a second client, which has left, is seen by the later one.
		q := s.dial(t)
		q.send(simple)
		for s.Stats().Busy < 2 {
			time.Sleep(time.Millisecond)
		}
		_ = q.Close()
		for s.Stats().Open > 1 {
			time.Sleep(time.Millisecond)
		}
		close(goOn)
		for range 2 {
			if _, text := p.response(); text != "200 here" {
				t.Error(text)
			}
		}
	})
}

func TestRefusalsAreCountedByStatus(t *testing.T) {
	s := start(t, tell, nil)
	for _, send := range []string{
		"GET / HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n", "GET / HTTP/3.0\r\nHost: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 5<<10) + "\r\n\r\n", simple,
	} {
		p := s.dial(t)
		p.send(send)
		p.response()
	}
	if got, want := s.Stats().Refused, map[int]int64{400: 2, 505: 1, 431: 1}; !maps.Equal(got, want) {
		t.Errorf("refused %v, want %v", got, want)
	}
}

func TestSlowClients(t *testing.T) {
	t.Run("a head that does not end gets 408", func(t *testing.T) {
		s := start(t, tell, func(o *Options) { o.HeaderTime = 30 * time.Millisecond })
		p := s.dial(t)
		p.send("GET / HTTP/1.1\r\nHost:")
		if _, text := p.response(); !strings.HasPrefix(text, "408 ") || !p.ended() || s.Stats().Refused[408] != 1 {
			t.Error(text)
		}
	})
	t.Run("a head that comes drop by drop gets 408", func(t *testing.T) {
		s := start(t, tell, func(o *Options) { o.HeaderTime = 50 * time.Millisecond })
		p := s.dial(t)
		go func() {
			for p.write("x") == nil {
				time.Sleep(5 * time.Millisecond)
			}
		}()
		if _, text := p.response(); !strings.HasPrefix(text, "408 ") {
			t.Error(text)
		}
	})
	t.Run("a connection without a request is closed", func(t *testing.T) {
		s := start(t, tell, func(o *Options) { o.HeaderTime = 20 * time.Millisecond })
		if !s.dial(t).ended() {
			t.Error("it was reset")
		}
	})
	t.Run("a connection between requests is closed", func(t *testing.T) {
		s := start(t, tell, func(o *Options) { o.IdleTime = 20 * time.Millisecond })
		p := s.dial(t)
		p.send(simple)
		if _, text := p.response(); text != "200 GET / x none" || !p.ended() {
			t.Error(text)
		}
	})
	t.Run("a body that pauses ends its reading", func(t *testing.T) {
		s := start(t, func(ctx context.Context, req *Request, sink Sink) bool {
			sink.BodyTimeout(20 * time.Millisecond)
			return tell(ctx, req, sink)
		}, nil)
		p := s.dial(t)
		p.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc")
		if _, text := p.response(); !strings.Contains(text, "i/o timeout") || !p.ended() {
			t.Error(text)
		}
	})
	t.Run("an answer that nobody takes ends in a deadline", func(t *testing.T) {
		failed := make(chan error, 1)
		s := start(t, func(ctx context.Context, _ *Request, sink Sink) bool {
			sink.Head(200, nil)
			for piece := make([]byte, 64<<10); ; {
				if _, err := sink.Write(piece); err != nil {
					failed <- err
					return true
				}
			}
		}, func(o *Options) { o.WriteTime = 50 * time.Millisecond })
		p := s.dial(t)
		p.send(simple)
		if err := <-failed; !isTimeout(err) {
			t.Error(err)
		}
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func (p *peer) write(text string) error {
	_, err := io.WriteString(p.TCPConn, text)
	return err
}

func TestManyConnections(t *testing.T) {
	s := start(t, tell, func(o *Options) { o.MaxConns = 100 }) // the others wait for a place
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", s.addr)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			_ = c.SetDeadline(time.Now().Add(3 * patience))
			r := bufio.NewReader(c)
			for j := range 3 {
				body := fmt.Sprintf("%d-%d", i, j)
				_, _ = fmt.Fprintf(c, "POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", j, len(body), body)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := io.ReadAll(resp.Body); err != nil || string(got) != fmt.Sprintf("POST /%d x %q", j, body) {
					t.Errorf("%q %v", got, err)
				}
			}
		})
	}
	all.Wait()
}
