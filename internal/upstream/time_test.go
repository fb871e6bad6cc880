package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// piped is an upstream at the other end of pipes, so that the clock can be a false one.
type piped struct {
	dials atomic.Int32
	delay time.Duration // of a dial; negative: it never ends
	play  func(*peer)
	t     *testing.T // of the bubble
}

func (u *piped) dial(ctx context.Context, _ *net.Dialer, _ string) (net.Conn, error) {
	u.dials.Add(1)
	if trace := httptrace.ContextClientTrace(ctx); trace != nil {
		trace.ConnectStart("tcp", pipeHost) // as a net.Dialer does
	}
	if u.delay != 0 {
		wait := make(<-chan time.Time)
		if u.delay > 0 {
			wait = time.After(u.delay)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wait:
		}
	}
	here, there := net.Pipe()
	n := int(u.dials.Load()) - 1
	go func() {
		defer there.Close()
		u.play(&peer{t: u.t, conn: there, in: bufio.NewReader(there), n: n})
	}()
	return here, nil
}

// inTime runs a test with both implementations, in a bubble whose clock is false.
func inTime(t *testing.T, like *piped, change func(*Options), test func(t *testing.T, c *Client, u *piped)) {
	t.Helper()
	for _, way := range ways() {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &piped{delay: like.delay, play: like.play, t: t}
				c := client(t, func(o *Options) {
					o.Transport = way
					if change != nil {
						change(o)
					}
				})
				c.dial = u.dial
				test(t, c, u)
			})
		})
	}
}

const pipeHost = "upstream.test"

// outcome sends req and returns how and when it ended.
func outcome(t *testing.T, c *Client, req *Request) (body string, stage Stage, took time.Duration) {
	t.Helper()
	start := time.Now()
	resp, err := c.Do(t.Context(), req)
	if err != nil {
		return "", stageOf(err), time.Since(start)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), stageOf(err), time.Since(start)
}

// pause lets time go by, unless the test is over.
func (p *peer) pause(d time.Duration) {
	select {
	case <-p.t.Context().Done():
	case <-time.After(d):
	}
}

func wait(p *peer) { _, _ = io.Copy(io.Discard, p.in) }

func TestDeadlines(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	all := Timeouts{Connect: 3 * time.Second, TLS: 4 * time.Second, FirstByte: 10 * time.Second, Idle: 5 * time.Second, Total: time.Minute}
	tests := []struct {
		name   string
		delay  time.Duration
		play   func(*peer)
		body   string
		stage  Stage
		took   time.Duration
		change func(*Timeouts)
	}{
		{name: "a dial that does not end", delay: -1, stage: StageDial, took: 3 * time.Second},
		{name: "no answer", play: wait, stage: StageFirst, took: 10 * time.Second},
		{name: "no answer after a 100", play: func(p *peer) {
			p.request()
			p.send("HTTP/1.1 100 Continue\r\n\r\n")
			wait(p)
		}, stage: StageFirst, took: 10 * time.Second},
		{name: "a request that is not taken", play: func(p *peer) { <-p.t.Context().Done() }, stage: StageFirst, took: 10 * time.Second},
		{name: "a head that stalls", play: func(p *peer) {
			p.request()
			p.pause(9 * time.Second)
			p.send("HTTP/1.1 200 OK\r\nContent-")
			wait(p)
		}, stage: StageIdle, took: 14 * time.Second},
		{name: "a body that falls silent", play: func(p *peer) {
			p.request()
			p.send(head + "2\r\nhi\r\n")
			wait(p)
		}, body: "hi", stage: StageIdle, took: 5 * time.Second},
		{
			name: "a body that goes on and on", play: func(p *peer) {
				p.request()
				p.send(head)
				for {
					p.pause(4 * time.Second)
					if _, err := io.WriteString(p.conn, "1\r\nx\r\n"); err != nil {
						return
					}
				}
			}, body: strings.Repeat("x", 14), stage: StageTotal, took: 58 * time.Second,
			change: func(t *Timeouts) { t.Total = 58 * time.Second },
		},
		{
			name: "the total before the first byte", play: wait, stage: StageTotal, took: time.Minute,
			change: func(t *Timeouts) { t.FirstByte = 0 },
		},
		{
			name: "the first byte before the connection", delay: -1, stage: StageFirst, took: 2 * time.Second,
			change: func(t *Timeouts) { t.FirstByte = 2 * time.Second },
		},
		{name: "no deadline at all", play: func(p *peer) {
			p.request()
			p.pause(24 * time.Hour)
			p.send(head + "2\r\nhi\r\n")
			p.pause(24 * time.Hour)
			p.send("0\r\n\r\n")
		}, body: "hi", took: 48 * time.Hour, change: func(t *Timeouts) { *t = Timeouts{} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inTime(t, &piped{delay: tt.delay, play: tt.play}, nil, func(t *testing.T, c *Client, _ *piped) {
				req := get(pipeHost)
				req.Timeouts = all
				if tt.change != nil {
					tt.change(&req.Timeouts)
				}
				body, stage, took := outcome(t, c, req)
				if body != tt.body || stage != tt.stage || took != tt.took {
					t.Errorf("%q, stage %q after %v; want %q, %q after %v", body, stage, took, tt.body, tt.stage, tt.took)
				}
			})
		})
	}
}

func TestSlowReaderIsNoSilentUpstream(t *testing.T) {
	u := &piped{play: func(p *peer) {
		p.request()
		p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range 3 {
			p.send("1\r\nx\r\n") // a pipe: it goes when it is read
		}
		p.send("0\r\n\r\n")
	}}
	inTime(t, u, nil, func(t *testing.T, c *Client, _ *piped) {
		req := get(pipeHost)
		req.Timeouts = Timeouts{Idle: time.Second}
		resp, err := c.Do(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		buf, got := make([]byte, 1000), ""
		for {
			time.Sleep(time.Minute)
			n, err := resp.Body.Read(buf)
			got += string(buf[:n])
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got != "xxx" {
			t.Errorf("body %q", got)
		}
	})
}

func TestCancel(t *testing.T) {
	cause := errors.New("the client left")
	stages := map[string]*piped{
		"while dialling":            {delay: -1},
		"while waiting":             {play: wait},
		"while sending":             {play: func(p *peer) { <-p.t.Context().Done() }},
		"while reading the body":    {play: func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n\r\nx"); wait(p) }},
		"while reading a trickle":   {play: func(p *peer) { p.request(); p.send("HTTP/1.1 200 OK\r\n\r\n"); trickleForEver(p) }},
		"while the head is arrving": {play: func(p *peer) { p.request(); p.send("HTTP/1.1 200 O"); wait(p) }},
	}
	for name, u := range stages {
		t.Run(name, func(t *testing.T) {
			inTime(t, u, nil, func(t *testing.T, c *Client, _ *piped) {
				ctx, cancel := context.WithCancelCause(t.Context())
				go func() { time.Sleep(7 * time.Second); cancel(cause) }()
				start := time.Now()
				resp, err := c.Do(ctx, get(pipeHost))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				if stageOf(err) != StageCanceled || !errors.Is(err, cause) || time.Since(start) != 7*time.Second {
					t.Errorf("%v after %v; want canceled after 7s", err, time.Since(start))
				}
				synctest.Wait()
				if s := c.Stats(); u.delay == 0 && s[0].Open != 0 {
					t.Errorf("the connection stays: %+v", s)
				}
			})
		})
	}
}

func trickleForEver(p *peer) {
	for {
		p.pause(time.Second)
		if _, err := io.WriteString(p.conn, "x"); err != nil {
			return
		}
	}
}

// TestReuse tells, for answers and pauses, whether the next call finds the connection.
func TestReuse(t *testing.T) {
	const length = "Content-Length: 2\r\n"
	tests := []struct {
		name   string
		head   string
		pause  time.Duration
		reused bool
	}{
		{"a whole answer", length, 0, true},
		{"idle for 54 s", length, 54 * time.Second, true},
		{"idle for 55 s", length, 55 * time.Second, false},
		{"the upstream says close", length + "Connection: Close\r\n", 0, false},
		{"idle for less than the host's hint", length + "Keep-Alive: timeout=10, max=5\r\n", 8 * time.Second, true},
		{"idle for as long as the host's hint", length + "Keep-Alive: timeout=10, max=5\r\n", 9 * time.Second, false},
		{"a hint longer than our own bound", length + "Keep-Alive: timeout=600\r\n", 55 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := &piped{play: always("HTTP/1.1 200 OK\r\n" + tt.head + "\r\nok")}
				c := client(t)
				c.dial = u.dial
				outcome(t, c, get(pipeHost))
				time.Sleep(tt.pause)
				resp, err := c.Do(t.Context(), get(pipeHost))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if resp.Timing.Reused != tt.reused || u.dials.Load() == 1 != tt.reused {
					t.Errorf("reused %v, %d dials; want %v", resp.Timing.Reused, u.dials.Load(), tt.reused)
				}
			})
		})
	}
}

func TestConnectionsGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &piped{play: always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")}
		c := client(t)
		c.dial = u.dial
		for start := time.Now(); time.Since(start) < 301*time.Second; time.Sleep(20 * time.Second) {
			if got, _, _ := outcome(t, c, get(pipeHost)); got != "ok" {
				t.Fatal(got)
			}
		}
		if n := u.dials.Load(); n != 2 {
			t.Errorf("%d dials in 5 minutes of steady calls, want a second one at the end", n)
		}
	})
}

func TestReaper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := make(chan time.Duration, 1)
		start := time.Now()
		u := &piped{play: func(p *peer) {
			always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(p)
			closed <- time.Since(start)
		}}
		c := client(t)
		c.dial = u.dial
		outcome(t, c, get(pipeHost))
		if s := c.Stats(); len(s) != 1 || s[0].Idle != 1 || s[0].Open != 1 {
			t.Errorf("after a call: %+v", s)
		}
		if d := <-closed; d < 55*time.Second || d > 60*time.Second {
			t.Errorf("an idle connection was closed after %v", d)
		}
		if s := c.Stats(); len(s) != 1 || s[0].Open != 0 {
			t.Errorf("after the reaper: %+v", s)
		}
		time.Sleep(11 * time.Minute)
		if s := c.Stats(); len(s) != 0 {
			t.Errorf("a host that nobody calls is kept: %+v", s)
		}
		if got, _, _ := outcome(t, c, get(pipeHost)); got != "ok" {
			t.Errorf("after being forgotten: %q", got)
		}
	})
}

func TestConnsPerHost(t *testing.T) {
	one := func(o *Options) { o.ConnsPerHost = 1 }
	slow := &piped{play: func(p *peer) {
		for {
			if head, _ := p.request(); head == "" {
				return
			}
			p.pause(2 * time.Second)
			p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}}
	t.Run("a freed connection goes to who waits", func(t *testing.T) {
		inTime(t, slow, one, func(t *testing.T, c *Client, u *piped) {
			first := make(chan string)
			go func() { body, _, _ := outcome(t, c, get(pipeHost)); first <- body }()
			synctest.Wait()
			body, stage, took := outcome(t, c, get(pipeHost))
			if <-first != "ok" || body != "ok" || took != 4*time.Second || u.dials.Load() != 1 {
				t.Errorf("%q %q after %v, %d dials", body, stage, took, u.dials.Load())
			}
		})
	})
	t.Run("who waits too long is told so", func(t *testing.T) {
		inTime(t, slow, one, func(t *testing.T, c *Client, _ *piped) {
			first := make(chan string)
			go func() { body, _, _ := outcome(t, c, get(pipeHost)); first <- body }()
			synctest.Wait()
			req := get(pipeHost)
			req.Timeouts.Connect = time.Second
			if _, stage, took := outcome(t, c, req); stage != StageBusy || took != time.Second {
				t.Errorf("%q after %v", stage, took)
			}
			if got := <-first; got != "ok" {
				t.Errorf("the one before: %q", got)
			}
		})
	})
}

// TestWhatComesFirst has a call wait for a slow dial while another frees its connection.
func TestWhatComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &piped{t: t, play: func(p *peer) {
			for {
				if head, _ := p.request(); head == "" {
					return
				}
				p.pause(time.Second)
				p.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		}}
		c := client(t)
		c.dial = func(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) {
			if u.dials.Load() > 0 {
				time.Sleep(10 * time.Second)
			}
			return u.dial(ctx, d, addr)
		}
		go outcome(t, c, get(pipeHost))
		synctest.Wait()
		body, stage, took := outcome(t, c, get(pipeHost))
		if body != "ok" || took != 2*time.Second {
			t.Errorf("%q %q after %v, want the freed connection after 1 s, and an answer a second later", body, stage, took)
		}
		time.Sleep(10 * time.Second)
		if s := c.Stats(); s[0].Idle != 2 || s[0].Open != 2 {
			t.Errorf("what the dial brought is not kept: %+v", s)
		}
	})
}

func TestDialsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		u := &piped{play: always("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")}
		c := client(t)
		c.dial = func(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(time.Second)
			return u.dial(ctx, d, addr)
		}
		done := make(chan string)
		for range 100 {
			go func() { body, _, _ := outcome(t, c, get(pipeHost)); done <- body }()
		}
		for range 100 {
			if got := <-done; got != "ok" {
				t.Errorf("%q", got)
			}
		}
		if n := most.Load(); n != dialsPerHost {
			t.Errorf("%d dials at once, want %d", n, dialsPerHost)
		}
	})
}

// TestDeadlinesOverTLS has deadlines fire too soon again and again below TLS, which must not mind.
func TestDeadlinesOverTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg, pool := certificate(t, pipeHost)
		u := &piped{t: t, play: func(p *peer) {
			secure := tls.Server(p.conn, cfg)
			if secure.Handshake() != nil {
				return
			}
			p.conn, p.in = secure, bufio.NewReader(secure)
			for {
				if head, _ := p.request(); head == "" {
					return
				}
				p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				for range 50 {
					p.pause(900 * time.Millisecond)
					p.send("1\r\nx\r\n")
				}
				p.send("0\r\n\r\n")
			}
		}}
		c := client(t, func(o *Options) { o.RootCAs = pool })
		c.dial = u.dial
		req := get(pipeHost)
		req.Scheme = "https"
		req.Timeouts = Timeouts{TLS: time.Second, FirstByte: time.Second, Idle: time.Second, Total: 46 * time.Second}
		for range 2 {
			body, stage, took := outcome(t, c, req)
			if body != strings.Repeat("x", 50) || stage != "" || took != 45*time.Second {
				t.Errorf("%q %q after %v", body, stage, took)
			}
		}
		if n := u.dials.Load(); n != 1 {
			t.Errorf("%d dials", n)
		}
		req.Timeouts.Total = 10500 * time.Millisecond
		if body, stage, took := outcome(t, c, req); len(body) != 11 || stage != StageTotal || took != req.Timeouts.Total {
			t.Errorf("%q %q after %v", body, stage, took)
		}
	})
}

func TestTLSDeadline(t *testing.T) {
	inTime(t, &piped{play: wait}, nil, func(t *testing.T, c *Client, _ *piped) {
		req := get(pipeHost)
		req.Scheme = "https"
		req.Timeouts = Timeouts{Connect: 10 * time.Second, TLS: 3 * time.Second}
		if _, stage, took := outcome(t, c, req); stage != StageTLS || took != 3*time.Second {
			t.Errorf("%q after %v", stage, took)
		}
	})
}

// TestBlockedSource has the upstream answer while the request's body is still to come from a client
// that sends nothing. Neither the answer nor its Close waits for that.
func TestBlockedSource(t *testing.T) {
	u := &piped{play: func(p *peer) {
		p.begun()
		for line := ""; line != "\r\n"; line, _ = p.in.ReadString('\n') {
		}
		p.send("HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")
		wait(p)
	}}
	inTime(t, u, nil, func(t *testing.T, c *Client, _ *piped) {
		body, client := io.Pipe()
		defer client.Close()
		req := get(pipeHost)
		req.Method, req.BodyReader, req.Length = "POST", body, 10
		if got, stage, took := outcome(t, c, req); got != "no" || stage != "" || took > time.Second {
			t.Errorf("%q %q after %v", got, stage, took)
		}
	})
}

// TestStreamsToANewHost opens more streams than dials go at once, none of which ends before all have begun.
func TestStreamsToANewHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &piped{t: t, delay: time.Second, play: func(p *peer) {
			p.request()
			p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			wait(p)
		}}
		c := client(t)
		c.dial = u.dial
		ctx, cancel := context.WithCancel(t.Context())
		begun := make(chan error)
		for range 3*dialsPerHost + 1 {
			go func() {
				req := get(pipeHost)
				req.Timeouts = Timeouts{Connect: 10 * time.Second}
				resp, err := c.Do(ctx, req)
				begun <- err
				if err == nil {
					<-ctx.Done()
					resp.Body.Close()
				}
			}()
		}
		start := time.Now()
		for range 3*dialsPerHost + 1 {
			if err := <-begun; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("%v for four rounds of dials of a second each", took)
		}
		cancel()
		synctest.Wait()
		if s := c.Stats(); s[0].Open != 0 || s[0].Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestBusyConnectionsGrowOld keeps the one connection of a host in use, with calls waiting for it.
func TestBusyConnectionsGrowOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &piped{t: t, play: func(p *peer) {
			for {
				if head, _ := p.request(); head == "" {
					return
				}
				p.pause(time.Second)
				p.send(okAnswer)
			}
		}}
		c := client(t, func(o *Options) { o.ConnsPerHost = 1 })
		c.dial = u.dial
		done := make(chan string)
		for range 3 {
			go func() {
				for range 110 {
					req := get(pipeHost)
					req.Timeouts = Timeouts{}
					body, stage, _ := outcome(t, c, req)
					done <- body + string(stage)
				}
			}()
		}
		for range 330 {
			if got := <-done; got != "ok" {
				t.Error(got)
			}
		}
		if n := u.dials.Load(); n != 2 {
			t.Errorf("%d dials in 330 s without a pause, want 2", n)
		}
	})
}
