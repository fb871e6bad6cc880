package upstream

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"testing"
	"testing/iotest"
)

// ways are the implementations of Doer that one suite proves.
func ways() []string { return []string{"auto", "std"} }

// eachWay runs a test with the own client and with net/http's Transport.
func eachWay(t *testing.T, test func(t *testing.T, c *Client)) {
	for _, way := range ways() {
		t.Run(way, func(t *testing.T) {
			test(t, client(t, func(o *Options) { o.Transport = way }))
		})
	}
}

func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name, method, answer string
		want                 answer
	}{
		{
			"a body with a length", "GET", ok + "Content-Length: 5\r\n\r\nhello",
			answer{status: 200, header: "Content-Length: 5\n", body: "hello", length: 5},
		},
		{
			"a chunked body", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
			answer{status: 200, body: "hello world", length: -1},
		},
		{
			"chunk extensions are dropped", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;x\r\n\r\n",
			answer{status: 200, body: "hello", length: -1},
		},
		{
			"trailers are carried", "GET", ok + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
			answer{status: 200, body: "hi", length: -1, trailer: "X-Sum: 7\n"},
		},
		{
			"a body up to the close", "GET", ok + "\r\nhello",
			answer{status: 200, body: "hello", length: -1, toClose: true},
		},
		{
			"an HTTP/1.0 answer", "GET", "HTTP/1.0 200 OK\r\n\r\nold",
			answer{status: 200, body: "old", length: -1, toClose: true},
		},
		{
			"an empty body", "GET", ok + "Content-Length: 0\r\n\r\n",
			answer{status: 200, header: "Content-Length: 0\n"},
		},
		{
			"a HEAD has no body", "HEAD", ok + "Content-Length: 500\r\n\r\n",
			answer{status: 200, header: "Content-Length: 500\n"},
		},
		{"a 204 has no body", "GET", "HTTP/1.1 204 No Content\r\n\r\n", answer{status: 204}},
		{
			"a 304 has no body", "GET", "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n\r\n",
			answer{status: 304, header: "Etag: \"x\"\n"},
		},
		{
			"a redirect is an answer", "GET", "HTTP/1.1 307 Elsewhere\r\nContent-Length: 0\r\nLocation: http://example.com/\r\n\r\n",
			answer{status: 307, header: "Content-Length: 0\nLocation: http://example.com/\n"},
		},
		{
			"1xx answers are skipped", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx",
			answer{status: 200, header: "Content-Length: 1\n", body: "x", length: 1},
		},
		{
			"hop-by-hop fields are dropped", "GET", ok + "Connection: keep-alive, X-Hop\r\nContent-Length: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\n" +
				"Te: x\r\nUpgrade: h2c\r\nX-Hop: 1\r\nX-Stays: 2\r\n\r\nx",
			answer{status: 200, header: "Content-Length: 1\nX-Stays: 2\n", body: "x", length: 1},
		},
		{
			"alt-svc and strict-transport-security are dropped", "GET", ok + "Alt-Svc: h3=\":443\"\r\nContent-Length: 1\r\nStrict-Transport-Security: max-age=1\r\n\r\nx",
			answer{status: 200, header: "Content-Length: 1\n", body: "x", length: 1},
		},
		{
			"repeated fields stay", "GET", ok + "Content-Length: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nx",
			answer{status: 200, header: "Content-Length: 1\nSet-Cookie: a=1\nSet-Cookie: b=2\n", body: "x", length: 1},
		},
		{
			"an error status is an answer", "GET", "HTTP/1.1 529 Overloaded\r\nContent-Length: 4\r\n\r\nbusy",
			answer{status: 529, header: "Content-Length: 4\n", body: "busy", length: 4},
		},
		{
			"a cut body is no whole one", "GET", ok + "Content-Length: 50\r\n\r\nhello",
			answer{status: 200, header: "Content-Length: 50\n", body: "hello", length: 50, err: StageBody},
		},
		{
			"a cut chunk is no whole one", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhel",
			answer{status: 200, body: "hel", length: -1, err: StageBody},
		},
		{
			"a missing last chunk is a cut", "GET", ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
			answer{status: 200, body: "hello", length: -1, err: StageBody},
		},
		{"a close before any answer", "GET", "", answer{err: StageRead}},
		{"a close within the head", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", answer{err: StageRead}},
		{"a switch of protocols unasked", "GET", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", answer{err: StageProtocol}},
		{"1xx answers without end", "GET", func() (s string) {
			for range 7 {
				s += "HTTP/1.1 103 Early Hints\r\n\r\n"
			}
			return s
		}(), answer{err: StageProtocol}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, c *Client) {
				for _, how := range []func(*peer){
					once(tt.answer),
					func(p *peer) { p.request(); p.trickle(tt.answer) },
				} {
					req := get(play(t, nil, how).host)
					req.Method = tt.method
					if got := roundTrip(t, c, req); got != tt.want {
						t.Errorf("got  %+v\nwant %+v", got, tt.want)
					}
				}
			})
		})
	}
}

// TestRequests sends the same requests with both implementations and compares what arrives.
func TestRequests(t *testing.T) {
	targets := []string{
		"/", "/v1/models?x=1&y=%2F", "//double//slash", "/a%2Fb%2fc", "/model:generate?alt=sse", "/x?", "/a b"[:2] + "+b%20c",
		"/q?a={b}|c", "/%C3%A9/é", "/odd%zz", "/a/../b/./c", "/;p=1,2", "/x?y?z#frag",
	}
	for _, target := range targets {
		t.Run(target, func(t *testing.T) {
			eachWay(t, func(t *testing.T, c *Client) {
				got := make(chan string, 1)
				up := play(t, nil, func(p *peer) {
					head, _ := p.request()
					got <- head
					p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				})
				req := get(up.host)
				req.Target = target
				if a := roundTrip(t, c, req); a.status != 200 {
					t.Fatalf("%+v", a)
				}
				want := "GET " + target + " HTTP/1.1\r\nHost: " + up.host + "\r\n\r\n"
				if head := <-got; head != want {
					t.Errorf("sent %q, want %q", head, want)
				}
			})
		})
	}
}

func TestRequestBodies(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*Request)
		framing string
		body    string
	}{
		{"none", func(r *Request) { r.Method = "GET" }, "", ""},
		{"none, where one is expected", func(*Request) {}, "Content-Length: 0\r\n", ""},
		{"an empty one", func(r *Request) { r.Method, r.Body = "DELETE", []byte{} }, "", ""},
		{"in memory", func(r *Request) { r.Body = []byte("hello") }, "Content-Length: 5\r\n", "hello"},
		{"from a reader", func(r *Request) {
			r.BodyReader, r.Length = iotest.OneByteReader(readerOf("hello")), 5
		}, "Content-Length: 5\r\n", "hello"},
		{"from a reader, of no length", func(r *Request) { r.BodyReader, r.Length = readerOf(""), 0 }, "Content-Length: 0\r\n", ""},
		{
			"of unknown length", func(r *Request) { r.BodyReader, r.Length = readerOf("hello"), -1 },
			"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n",
		},
		{"with trailers", func(r *Request) {
			r.BodyReader, r.Length = readerOf("hello"), -1
			r.Header.Add("Trailer", "X-Sum")
			r.Trailer = func() (h headerList) { h.Add("X-Sum", "7"); return h }
		}, "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, c *Client) {
				type sent struct{ head, body string }
				got := make(chan sent, 1)
				up := play(t, nil, func(p *peer) {
					head, body := p.request()
					got <- sent{head, body}
					p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				})
				req := get(up.host)
				req.Method = "POST"
				tt.change(req)
				if a := roundTrip(t, c, req); a.status != 200 {
					t.Fatalf("%+v", a)
				}
				s := <-got
				if s.body != tt.body {
					t.Errorf("body %q, want %q", s.body, tt.body)
				}
				head := "POST /v1/x HTTP/1.1\r\nHost: " + up.host + "\r\n"
				if req.Method == "POST" && sortedHead(s.head) != sortedHead(head+tt.framing+"\r\n") {
					t.Errorf("head %q, want framing %q", s.head, tt.framing)
				}
			})
		})
	}
}

func TestDo(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		up := play(t, nil, always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
		for range 5 {
			if got := roundTrip(t, c, post(up.host, []byte("x"))); got.body != "ok" {
				t.Fatalf("%+v", got)
			}
		}
		if n := up.conns(); n != 1 {
			t.Errorf("%d connections for 5 calls in a row, want 1", n)
		}
	})
}

func TestHTTP2Only(t *testing.T) {
	t.Run("refused in the handshake", func(t *testing.T) {
		testHTTP2Only(t, func(cfg *tls.Config) {
			cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				if slices.Contains(hello.SupportedProtos, "h2") {
					return nil, nil
				}
				other := cfg.Clone()
				other.NextProtos = []string{"neither"}
				return other, nil
			}
		})
	})
	t.Run("closed after it", func(t *testing.T) { testHTTP2Only(t, func(*tls.Config) {}) })
}

func testHTTP2Only(t *testing.T, change func(*tls.Config)) {
	cfg, pool := certificate(t)
	change(cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{
		TLSConfig: cfg, Protocols: &http.Protocols{}, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %s %q", r.Proto, r.RequestURI, b, r.Header)
		}),
	}
	srv.Protocols.SetHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.ServeTLS(l, "", "") }()
	t.Cleanup(func() { srv.Close(); <-done })
	c := client(t, func(o *Options) { o.RootCAs = pool })
	for range 2 {
		req := post(l.Addr().String(), []byte("hi"))
		req.Scheme, req.Target, req.Repeatable = "https", "//a%2Fb", true
		got := roundTrip(t, c, req)
		if want := `HTTP/2.0 //a%2Fb hi map["Content-Length":["2"]]`; got.body != want {
			t.Errorf("got %+v, want body %s", got, want)
		}
	}
	if s := c.Stats(); len(s) != 1 || s[0].Via != "std" {
		t.Errorf("stats %+v", s)
	}
}
