package upstream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

const okAnswer = okLine + "Content-Length: 2\r\n\r\nok"

// TestNotReused tells what keeps a connection from being used again.
func TestNotReused(t *testing.T) {
	// Each upstream answers once on its first connection, in a way that spoils it.
	tests := []struct {
		name string
		play func(p *peer, spoiled chan<- struct{})
	}{
		{"the upstream closed it", func(p *peer, spoiled chan<- struct{}) {
			p.request()
			p.send(okAnswer)
			p.conn.Close()
			close(spoiled)
		}},
		{"bytes stand behind the answer", func(p *peer, spoiled chan<- struct{}) {
			p.request()
			p.send(okAnswer + okLine + "Content-Length: 4\r\n\r\nevil")
			close(spoiled)
			wait(p)
		}},
		{"bytes came while it was idle", func(p *peer, spoiled chan<- struct{}) {
			p.request()
			p.send(okAnswer)
			p.send(okLine + "Content-Length: 4\r\n\r\nevil")
			close(spoiled)
			wait(p)
		}},
		{"a 204 that announces a body, which may still come", func(p *peer, spoiled chan<- struct{}) {
			p.request()
			p.send("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n")
			close(spoiled)
			wait(p)
		}},
	}
	for _, secure := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s/tls=%v", tt.name, secure), func(t *testing.T) {
				cfg, pool := certificate(t)
				spoiled := make(chan struct{})
				scheme := "https"
				if !secure {
					cfg, scheme = nil, "http"
				}
				up := play(t, cfg, func(p *peer) { tt.play(p, spoiled) }, always(okAnswer))
				c := client(t, func(o *Options) { o.RootCAs = pool })
				req := get(up.host)
				req.Scheme = scheme
				roundTrip(t, c, req)
				<-spoiled
				if got := roundTrip(t, c, req); got.body != "ok" || got.err != "" {
					t.Errorf("%+v", got)
				}
				if n := up.conns(); n != 2 {
					t.Errorf("%d connections", n)
				}
			})
		}
	}
}

// TestBytesBehindTheBody has them come in one read with the end of the body, some time after the head.
func TestBytesBehindTheBody(t *testing.T) {
	const evil = okLine + "Content-Length: 4\r\n\r\nevil"
	bodies := map[string]struct{ head, rest string }{
		"chunked":       {okLine + "Transfer-Encoding: chunked\r\n\r\n", "2\r\nok\r\n0\r\n\r\n" + evil},
		"with a length": {okLine + "Content-Length: 2\r\n\r\n", "ok" + evil},
	}
	cfg, pool := certificate(t)
	for name, tt := range bodies {
		for _, scheme := range []string{"http", "https"} {
			t.Run(name+"/"+scheme, func(t *testing.T) {
				cfg := cfg
				if scheme == "http" {
					cfg = nil
				}
				begun := make(chan struct{})
				up := play(t, cfg, func(p *peer) {
					p.request()
					p.send(tt.head)
					<-begun
					p.send(tt.rest)
					wait(p)
				}, always(okAnswer))
				c := client(t, func(o *Options) { o.RootCAs = pool })
				req := get(up.host)
				req.Scheme = scheme
				resp, err := c.Do(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				close(begun)
				if b, err := io.ReadAll(resp.Body); string(b) != "ok" || err != nil {
					t.Errorf("%q %v", b, err)
				}
				resp.Body.Close()
				if got := roundTrip(t, c, req); got.body != "ok" || up.conns() != 2 {
					t.Errorf("%+v over %d connections", got, up.conns())
				}
			})
		}
	}
}

// deafConn takes nothing of a request and has an answer all the same, as a server that closed early.
type deafConn struct {
	net.Conn
	answer *strings.Reader
}

func (c deafConn) Write([]byte) (int, error)  { return 0, io.ErrClosedPipe }
func (c deafConn) Read(p []byte) (int, error) { return c.answer.Read(p) }

func TestUnsentRequest(t *testing.T) {
	tests := []struct {
		name, answer string
		want         answer
	}{
		{"an answer that came first is delivered", okAnswer, answer{status: 200, header: "Content-Length: 2\n", body: "ok", length: 2}},
		{"without one, the sending failed", "", answer{err: StageWrite}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := client(t)
			c.dial = func(context.Context, *net.Dialer, string) (net.Conn, error) {
				here, there := net.Pipe()
				there.Close()
				return deafConn{here, strings.NewReader(tt.answer)}, nil
			}
			req := get("deaf.test")
			req.Timeouts = Timeouts{}
			if got := roundTrip(t, c, req); got != tt.want {
				t.Errorf("%+v", got)
			}
			if s := c.Stats(); s[0].Open != 0 {
				t.Errorf("the connection is kept, half a request in it: %+v", s)
			}
		})
	}
}

// TestNoALPN has a host that ignores ALPN and dies on a new connection. Only if it never answered in
// HTTP/1.1 may that mean that it speaks HTTP/2.
func TestNoALPN(t *testing.T) {
	cfg, pool := certificate(t)
	dies := func(p *peer) { p.request() }
	for _, tt := range []struct {
		name  string
		plays []func(*peer)
		want  string
	}{
		{"that answered before", []func(*peer){once(okLine + "Connection: close\r\nContent-Length: 2\r\n\r\nok"), dies}, "own"},
		{"that never did", []func(*peer){dies}, "std"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			up := play(t, cfg, tt.plays...)
			c := client(t, func(o *Options) { o.RootCAs = pool })
			for range tt.plays {
				req := post(up.host, []byte("x"))
				req.Scheme = "https"
				roundTrip(t, c, req)
			}
			if s := c.Stats(); s[0].Via != tt.want {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestStale has a kept connection die just when the next request has been sent on it.
func TestStale(t *testing.T) {
	dies := func(p *peer) {
		p.request()
		p.send(okAnswer)
		p.request()
	}
	tests := []struct {
		name   string
		first  func(*peer)
		change func(*Request)
		want   answer
		conns  int
	}{
		{
			"a repeatable call goes again", dies, func(r *Request) { r.Repeatable = true },
			answer{status: 200, header: "Content-Length: 2\n", body: "ok", length: 2},
			2,
		},
		{
			"a repeatable call with a large body goes again", dies, func(r *Request) { r.Repeatable, r.Body = true, make([]byte, 300<<10) },
			answer{status: 200, header: "Content-Length: 2\n", body: "ok", length: 2},
			2,
		},
		{"another does not", dies, func(*Request) {}, answer{err: StageRead}, 1},
		{"nor one whose body was read", dies, func(r *Request) {
			r.Repeatable, r.Body, r.BodyReader, r.Length = true, nil, readerOf("hi"), 2
		}, answer{err: StageRead}, 1},
		{"nor one that a byte of an answer came for", func(p *peer) {
			p.request()
			p.send(okAnswer)
			p.request()
			p.send(okLine + "X: y\r\n")
		}, func(r *Request) { r.Repeatable = true }, answer{err: StageRead}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, c *Client) {
				up := play(t, nil, tt.first, always(okAnswer))
				roundTrip(t, c, post(up.host, []byte("x")))
				req := post(up.host, []byte("x"))
				tt.change(req)
				if got := roundTrip(t, c, req); got != tt.want || up.conns() != tt.conns {
					t.Errorf("%+v over %d connections; want %+v over %d", got, up.conns(), tt.want, tt.conns)
				}
			})
		})
	}
}

func TestRetriedIsTold(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		up := play(t, nil, func(p *peer) { p.request(); p.send(okAnswer); p.request() }, always(okAnswer))
		req := get(up.host)
		req.Repeatable = true
		roundTrip(t, c, req)
		resp, err := c.Do(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if tm := resp.Timing; tm.Retried == nil || tm.Reused {
			t.Errorf("%+v", tm)
		}
	})
}

// TestBothTriesAreTold: a call that died on a kept connection, and on a new one too.
func TestBothTriesAreTold(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		dies := func(p *peer) { p.request() }
		up := play(t, nil, func(p *peer) { p.request(); p.send(okAnswer); p.request() }, dies, dies)
		req := get(up.host)
		req.Repeatable = true
		roundTrip(t, c, req)
		_, err := c.Do(t.Context(), req)
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Retried == nil {
			t.Errorf("%v does not tell of the try before it", err)
		}
	})
}

// TestEarlyAnswer has the upstream answer without reading a body of 16 MB, and go on or close.
func TestEarlyAnswer(t *testing.T) {
	const size = 16 << 20
	const answer413 = "HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge"
	plays := map[string]func(*peer){
		"and waits": func(p *peer) { p.begun(); p.send(answer413); <-p.t.Context().Done() },
		"and closes its side": func(p *peer) {
			p.begun()
			p.send(answer413)
			_ = p.raw.CloseWrite()
			p.gone()
		},
		"and reads on": func(p *peer) { p.begun(); p.send(answer413); p.gone() },
	}
	bodies := map[string]func(*Request){
		"in memory":     func(r *Request) { r.Body = make([]byte, size) },
		"from a reader": func(r *Request) { r.BodyReader, r.Length = bytes.NewReader(make([]byte, size)), size },
		"chunked":       func(r *Request) { r.BodyReader, r.Length = bytes.NewReader(make([]byte, size)), -1 },
	}
	for name, script := range plays {
		for from, body := range bodies {
			t.Run(name+"/"+from, func(t *testing.T) {
				up := play(t, nil, script)
				c := client(t)
				req := post(up.host, nil)
				body(req)
				got := roundTrip(t, c, req)
				if got.status != 413 || got.body != "large" || got.err != "" {
					t.Errorf("%+v", got)
				}
				if s := c.Stats(); name == "and waits" && s[0].Open != 0 {
					t.Errorf("the connection is kept, half a request in it: %+v", s)
				}
			})
		}
	}
}

// TestBothWaysAtOnce sends 4 MB while the upstream sends 4 MB and does not read before it has.
func TestBothWaysAtOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		const size = 4 << 20
		up := play(t, nil, func(p *peer) {
			p.begun()
			p.send(fmt.Sprintf(okLine+"Content-Length: %d\r\n\r\n", size))
			p.send(strings.Repeat("y", size))
			p.request()
		})
		got := roundTrip(t, c, post(up.host, make([]byte, size)))
		if got.status != 200 || len(got.body) != size || got.err != "" {
			t.Errorf("%d, %d bytes, %q", got.status, len(got.body), got.err)
		}
	})
}

func TestLargeBodiesArrive(t *testing.T) {
	body := make([]byte, 1<<20)
	for i := range body {
		body[i] = byte(i * 7 / 3)
	}
	cfg, pool := certificate(t)
	for _, scheme := range []string{"http", "https"} {
		for _, size := range []int{oneWrite - 200, oneWrite, oneWrite + 1, 1 << 20} {
			for _, from := range []string{"memory", "reader"} {
				t.Run(fmt.Sprintf("%s/%d/%s", scheme, size, from), func(t *testing.T) {
					cfg := cfg
					if scheme == "http" {
						cfg = nil
					}
					ok := make(chan bool, 2)
					up := play(t, cfg, func(p *peer) {
						for {
							head, got := p.request()
							if head == "" {
								return
							}
							ok <- got == string(body[:size])
							p.send(okAnswer)
						}
					})
					c := client(t, func(o *Options) { o.RootCAs = pool })
					for range 2 {
						req := post(up.host, nil)
						req.Scheme = scheme
						if from == "memory" {
							req.Body = body[:size]
						} else {
							req.BodyReader, req.Length = bytes.NewReader(body[:size]), int64(size)
						}
						if got := roundTrip(t, c, req); got.body != "ok" || !<-ok {
							t.Errorf("%+v", got)
						}
					}
				})
			}
		}
	}
}

// TestSourceFails has the request's body break off in different ways. The upstream must not take what
// came for the whole.
func TestSourceFails(t *testing.T) {
	broken := errors.New("the client's body broke off")
	sources := map[string]func(*Request){
		"an error": func(r *Request) { r.BodyReader = io.MultiReader(strings.NewReader("hi"), failing{broken}) },
		"an error, chunked": func(r *Request) {
			r.BodyReader, r.Length = io.MultiReader(strings.NewReader("hi"), failing{broken}), -1
		},
		"an end too soon":    func(r *Request) { r.BodyReader = readerOf("hi") },
		"a panic":            func(r *Request) { r.BodyReader = failing{nil} },
		"a trailer with CRs": func(r *Request) { r.BodyReader, r.Length, r.Trailer = readerOf("hi"), -1, badTrailer },
	}
	for name, change := range sources {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, c *Client) {
				ended := make(chan string, 1)
				up := play(t, nil, func(p *peer) {
					_, body := p.request()
					ended <- body
				})
				req := post(up.host, nil)
				req.Length = 10
				change(req)
				if got := roundTrip(t, c, req); got.err != StageSource {
					t.Errorf("%+v", got)
				}
				if body := <-ended; strings.HasSuffix(body, "0\r\n\r\n") {
					t.Errorf("the upstream saw an end: %q", body)
				}
			})
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		panic("the source is broken")
	}
	return 0, f.err
}

func badTrailer() (h headerList) { h.Add("X", "a\r\nY: b"); return h }

// TestTLSEnd tells a connection that TLS closed from one that was cut, in answers that end by close.
func TestTLSEnd(t *testing.T) {
	cfg, pool := certificate(t)
	eachWay(t, func(t *testing.T, c *Client) {
		c = client(t, func(o *Options) { o.Transport, o.RootCAs = c.o.Transport, pool })
		for name, tt := range map[string]struct {
			end  func(*peer)
			want Stage
		}{
			"closed": {func(p *peer) { p.conn.Close() }, ""},
			"cut":    {func(p *peer) { _ = p.raw.CloseWrite(); p.gone() }, StageBody},
			"reset":  {func(p *peer) { p.reset() }, StageBody},
		} {
			t.Run(name, func(t *testing.T) {
				read := make(chan struct{})
				up := play(t, cfg, func(p *peer) {
					p.request()
					p.send(okLine + "\r\nhello")
					<-read
					tt.end(p)
				})
				req := get(up.host)
				req.Scheme = "https"
				resp, err := c.Do(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				buf := make([]byte, 5)
				_, err = io.ReadFull(resp.Body, buf)
				close(read)
				if err != nil || string(buf) != "hello" || !resp.CloseDelimited {
					t.Fatalf("%q %v", buf, err)
				}
				_, err = resp.Body.Read(buf)
				if tt.want == "" && err != io.EOF || tt.want != "" && stageOf(err) != tt.want {
					t.Errorf("%v, want %q", err, tt.want)
				}
			})
		}
	})
}

func TestTLS(t *testing.T) {
	cfg, pool := certificate(t)
	t.Run("an authority that nobody trusts", func(t *testing.T) {
		eachWay(t, func(t *testing.T, c *Client) {
			req := get(play(t, cfg, always(okAnswer)).host)
			req.Scheme = "https"
			if got := roundTrip(t, c, req); got.err != StageTLS {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("no TLS at all", func(t *testing.T) {
		eachWay(t, func(t *testing.T, c *Client) {
			req := get(play(t, nil, func(p *peer) { p.send("HTTP/1.1 400 Bad\r\n\r\n"); wait(p) }).host)
			req.Scheme = "https"
			if got := roundTrip(t, c, req); got.err != StageTLS {
				t.Errorf("%+v", got)
			}
		})
	})
	t.Run("offers http/1.1, keeps the connection, resumes the session", func(t *testing.T) {
		protos, resumed := make(chan []string, 4), make(chan bool, 4)
		mine := cfg.Clone()
		mine.NextProtos = []string{"h2", "http/1.1"}
		mine.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) { protos <- h.SupportedProtos; return nil, nil }
		up := play(t, mine, func(p *peer) {
			resumed <- p.conn.(*tls.Conn).ConnectionState().DidResume
			for range 2 {
				p.request()
				p.send(okAnswer)
			}
		})
		c := client(t, func(o *Options) { o.RootCAs = pool })
		for range 4 {
			req := get(up.host)
			req.Scheme, req.Repeatable = "https", true
			if got := roundTrip(t, c, req); got.body != "ok" {
				t.Fatalf("%+v", got)
			}
		}
		if n := up.conns(); n != 2 {
			t.Errorf("%d connections for 4 calls", n)
		}
		if p := <-protos; len(p) != 1 || p[0] != "http/1.1" {
			t.Errorf("offered %q", p)
		}
		if <-resumed || !<-resumed {
			t.Error("the second connection did not resume the first one's session")
		}
	})
}

// TestCancelAgainstReuse cancels calls around the moment they end. A cancel that comes late must not
// touch the connection's next call, which would fail. Each fifth answer does not end, so that its call
// can only end by the cancel.
func TestCancelAgainstReuse(t *testing.T) {
	up := play(t, nil, func(p *peer) {
		for {
			switch head, _ := p.request(); {
			case head == "":
				return
			case strings.HasPrefix(head, "GET /half "):
				p.send(okLine + "Content-Length: 4\r\n\r\nok")
			default:
				p.send(okAnswer)
			}
		}
	})
	c := client(t)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for i := range 400 {
				half := i%5 == 0
				ctx, cancel := context.WithCancel(t.Context())
				req := get(up.host)
				if half {
					req.Target = "/half"
				}
				resp, err := c.Do(ctx, req)
				if err != nil {
					t.Errorf("a call that nobody canceled: %v", err)
					cancel()
					continue
				}
				done := make(chan struct{})
				go func() { cancel(); close(done) }()
				if i%2 == 0 {
					<-done
				}
				_, err = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				<-done
				if stage := stageOf(err); stage != StageCanceled && (half || stage != "") {
					t.Errorf("half %v: %v", half, err)
				}
			}
		})
	}
	work.Wait()
}

// TestManyAtOnce runs 1,000 calls at once over a few hundred places, each with its own answer.
func TestManyAtOnce(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		c = client(t, func(o *Options) { o.Transport, o.ConnsPerHost, o.IdlePerHost = c.o.Transport, 300, 300 })
		up := play(t, nil, func(p *peer) {
			for {
				head, body := p.request()
				if head == "" {
					return
				}
				p.send(fmt.Sprintf(okLine+"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body))
				p.send("0\r\n\r\n")
			}
		})
		var work sync.WaitGroup
		for i := range 1000 {
			work.Go(func() {
				for j := range 3 {
					body := fmt.Sprintf("call %d.%d", i, j)
					if got := roundTrip(t, c, post(up.host, []byte(body))); got.body != body || got.err != "" {
						t.Errorf("%+v, want %s", got, body)
					}
				}
			})
		}
		work.Wait()
		// net/http also closes connections and makes others in their place.
		if n := up.conns(); n > 300 && c.o.Transport == "auto" {
			t.Errorf("%d connections, at most 300 were allowed", n)
		}
	})
}

// TestClosed tells what Close leaves: calls under way, and nothing else.
func TestClosed(t *testing.T) {
	more := make(chan struct{})
	up := play(t, nil, func(p *peer) {
		p.request()
		p.send(okLine + "Content-Length: 4\r\n\r\nok")
		<-more
		p.send("ok")
		p.gone()
	})
	c := New(Options{IdlePerHost: 10})
	resp, err := c.Do(t.Context(), get(up.host))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	c.Close()
	c.Close()
	close(more)
	if b, err := io.ReadAll(resp.Body); string(b) != "okok" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if _, err := c.Do(t.Context(), get(up.host)); !errors.Is(err, errClosed) {
		t.Errorf("a call after Close: %v", err)
	}
}

func TestCloseEndsDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, func(o *Options) { o.ConnsPerHost = 2 })
		c.dial = (&piped{delay: -1}).dial
		ends := make(chan error)
		for range 3 {
			go func() { _, err := c.Do(t.Context(), get(pipeHost)); ends <- err }()
		}
		synctest.Wait()
		c.Close()
		for range 3 {
			if stageOf(<-ends) != StageDial {
				t.Error("a waiting call was not sent away")
			}
		}
	})
}

func TestRefusedAndUnknown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	eachWay(t, func(t *testing.T, c *Client) {
		if got := roundTrip(t, c, get(l.Addr().String())); got.err != StageDial {
			t.Errorf("a refused connection: %+v", got)
		}
	})
	eachWay(t, func(t *testing.T, c *Client) {
		c.dial = func(context.Context, *net.Dialer, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x.test", IsNotFound: true}}
		}
		if got := roundTrip(t, c, get("x.test")); got.err != StageDNS {
			t.Errorf("an unknown name: %+v", got)
		}
	})
}

// TestProxy sends calls through a proxy, which the address rule does not concern.
func TestProxy(t *testing.T) {
	seen := make(chan string, 1)
	proxy := play(t, nil, func(p *peer) {
		head, _ := p.request()
		seen <- strings.SplitN(head, "\r\n", 2)[0]
		p.send(okAnswer)
	})
	c := client(t, func(o *Options) {
		o.Proxy = func(u *url.URL) (*url.URL, error) {
			if strings.HasPrefix(u.Host, "direct") {
				return nil, nil
			}
			return &url.URL{Scheme: "http", Host: proxy.host}, nil
		}
	})
	for _, target := range []string{"//a%2Fb?x=1", "/odd{x}"} {
		req := get("api.example.com")
		req.Private, req.Target = false, target
		if got := roundTrip(t, c, req); got.body != "ok" {
			t.Fatalf("%+v", got)
		}
		if line, want := <-seen, "GET http://api.example.com"+target+" HTTP/1.1"; line != want {
			t.Errorf("the proxy saw %q, want %q", line, want)
		}
	}
	req := get("api.example.com")
	req.Scheme = "https"
	if got := roundTrip(t, c, req); got.err == "" {
		t.Error("a proxy that answers CONNECT with a body made a TLS connection")
	}
	if line := <-seen; line != "CONNECT api.example.com:443 HTTP/1.1" {
		t.Errorf("the proxy saw %q", line)
	}
	req = get("169.254.169.254")
	if got := roundTrip(t, c, req); got.err != StageAddress {
		t.Errorf("a metadata address through a proxy: %+v", got)
	}
	if s := c.Stats(); len(s) != 2 || s[0].Via != "proxy" {
		t.Errorf("%+v", s)
	}
}

// TestAPanicInADial is an error of the calls that wait for it.
func TestAPanicInADial(t *testing.T) {
	c := client(t)
	c.dial = func(context.Context, *net.Dialer, string) (net.Conn, error) { panic("no such luck") }
	for range 2 { // the first has left no place taken
		if got := roundTrip(t, c, get("panics.test")); got.err != StageDial {
			t.Errorf("%+v", got)
		}
	}
}

// TestBodyBelongsToCallerAgain changes the request's body as soon as the answer's is closed.
func TestBodyBelongsToCallerAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		up := play(t, nil, func(p *peer) {
			p.begun()
			p.send("HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nno")
			p.gone()
		})
		body := make([]byte, 8<<20)
		for range 5 {
			resp, err := c.Do(t.Context(), post(up.host, body))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			clear(body) // the race detector watches
		}
	})
	g := gate{}
	src := memorySource{gate: &g, rest: []byte("x")}
	g.shut()
	if n, err := src.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a body was read when the call had ended: %d, %v", n, err)
	}
}

// stuckConn has an answer at once, and a Write that returns when it is let go and not before.
type stuckConn struct {
	net.Conn
	answer *strings.Reader
	letGo  chan struct{}
}

func (c stuckConn) Write(p []byte) (int, error) { <-c.letGo; return len(p), nil }
func (c stuckConn) Read(p []byte) (int, error)  { return c.answer.Read(p) }

// TestCloseWaitsForTheWriter: a body in memory is not the caller's again while it is being sent.
func TestCloseWaitsForTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		letGo := make(chan struct{})
		c := client(t)
		c.dial = func(context.Context, *net.Dialer, string) (net.Conn, error) {
			here, there := net.Pipe()
			there.Close()
			return stuckConn{here, strings.NewReader("HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nno"), letGo}, nil
		}
		req := post("stuck.test", make([]byte, 2*oneWrite))
		req.Timeouts = Timeouts{}
		resp, err := c.Do(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		var closed atomic.Bool
		go func() { resp.Body.Close(); closed.Store(true) }()
		synctest.Wait()
		if closed.Load() {
			t.Error("Close returned while the body was being sent")
		}
		close(letGo)
		synctest.Wait()
		if !closed.Load() {
			t.Error("Close did not return")
		}
	})
}
