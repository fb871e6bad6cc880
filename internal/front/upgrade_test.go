package front

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

const switching = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: shout\r\nSec-Key: k\r\n\r\n"

// shout changes the protocol to one that answers each line in capitals, until a line "bye".
func shout(t *testing.T, ended chan<- string) handlerFunc {
	return func(_ context.Context, req *Request, sink Sink) bool {
		conn, err := sink.(Upgrader).Upgrade(sluice.Header{
			{Name: "Connection", Value: "Upgrade"},
			{Name: "Upgrade", Value: req.Header.Get("Upgrade")},
			{Name: "Date", Value: "today"},
			{Name: "Seen", Value: req.Header.Get("connection") + " " + req.Header.Get("sec-key")},
		})
		if err != nil {
			t.Error(err)
			return true
		}
		lines := bufio.NewReader(conn)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				ended <- err.Error()
				return false
			}
			if _, err := io.WriteString(conn, strings.ToUpper(line)); err != nil {
				ended <- err.Error()
				return false
			}
			if line == "bye\n" {
				ended <- "bye"
				return false
			}
		}
	}
}

// TestUpgrade: bytes that came with the head are not lost, and what was written last arrives although the
// client has sent more than was read.
func TestUpgrade(t *testing.T) {
	ended := make(chan string, 1)
	bothFronts(t, shout(t, ended), func(t *testing.T, addr string) {
		p := (&server{addr: addr}).dial(t)
		p.send(switching + "early\n")
		want := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: shout\r\nDate: today\r\nSeen: keep-alive, Upgrade k\r\n\r\nEARLY\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(p.r, got); err != nil || string(got) != want {
			t.Fatalf("%v, got %q\nwant %q", err, got, want)
		}
		p.send("later\nbye\n" + strings.Repeat("nobody reads this", 1000))
		rest := make([]byte, len("LATER\nBYE\n"))
		if _, err := io.ReadFull(p.r, rest); err != nil || string(rest) != "LATER\nBYE\n" {
			t.Errorf("%q, %v", rest, err)
		}
		if how := <-ended; how != "bye" {
			t.Errorf("ended by %s", how)
		}
		if !p.ended() {
			t.Error("the connection goes on")
		}
	})
}

// TestUpgradedIsLeftAlone: the deadline of the head does not hold any more, nor does the sweep look.
func TestUpgradedIsLeftAlone(t *testing.T) {
	const headTime = 100 * time.Millisecond
	ended := make(chan string, 1)
	s := start(t, shout(t, ended), func(o *Options) { o.HeaderTime = headTime })
	p := s.dial(t)
	p.send(switching[:10]) // so that the head's deadline is set
	p.send(switching[10:])
	if resp, err := http.ReadResponse(p.r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	if n := len(s.running(nil)); n != 0 {
		t.Errorf("the sweep looks at %d connections", n)
	}
	passed := time.NewTimer(2 * headTime)
	defer passed.Stop()
	select {
	case <-passed.C:
	case how := <-ended:
		t.Fatalf("it ended: %s", how)
	}
	p.send("bye\n")
	if line, err := p.r.ReadString('\n'); line != "BYE\n" {
		t.Errorf("%q, %v", line, err)
	}
	<-ended
}

// TestUpgradedClientLeaves: reading shows it.
func TestUpgradedClientLeaves(t *testing.T) {
	ended := make(chan string, 1)
	bothFronts(t, shout(t, ended), func(t *testing.T, addr string) {
		p := (&server{addr: addr}).dial(t)
		p.send(switching + "early\n")
		if resp, err := http.ReadResponse(p.r, nil); err != nil || resp.StatusCode != 101 {
			t.Fatal(resp, err)
		}
		_ = p.Close()
		<-ended
	})
}

func TestUpgradeOverTLS(t *testing.T) {
	serverTLS, clientTLS := identity(t)
	ended := make(chan string, 1)
	s := start(t, shout(t, ended), func(o *Options) { o.TLS = serverTLS })
	c := tls.Client(s.dial(t).TCPConn, clientTLS)
	if _, err := io.WriteString(c, switching+"early\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	eventually(t, "a switched connection counts as busy", func() bool { return s.Stats().Busy == 1 })
	_, _ = io.WriteString(c, "bye\n")
	if rest, err := io.ReadAll(r); err != nil || string(rest) != "EARLY\nBYE\n" {
		t.Errorf("%q, %v", rest, err)
	}
	<-ended
}

// TestUpgradeRefused: then the answer is an ordinary one.
func TestUpgradeRefused(t *testing.T) {
	for _, request := range []string{
		"GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nx",
	} {
		bothFronts(t, func(_ context.Context, _ *Request, sink Sink) bool {
			if conn, err := sink.(Upgrader).Upgrade(nil); !errors.Is(err, ErrUpgrade) || conn != nil {
				t.Error(conn, err)
			}
			answerText(sink, 426, "no")
			return false
		}, func(t *testing.T, addr string) {
			p := (&server{addr: addr}).dial(t)
			p.send(request)
			if _, text := p.response(); text != "426 no" {
				t.Error(text)
			}
		})
	}
}

// TestUpgradeTwice breaks the contract.
func TestUpgradeTwice(t *testing.T) {
	s := start(t, func(_ context.Context, _ *Request, sink Sink) bool {
		if _, err := sink.(Upgrader).Upgrade(nil); err != nil {
			t.Error(err)
		}
		if _, err := sink.(Upgrader).Upgrade(nil); err == nil {
			t.Error("it upgrades twice")
		}
		sink.Head(200, nil)
		return true
	}, nil)
	p := s.dial(t)
	p.send(switching)
	if got, _ := io.ReadAll(p.r); strings.Count(string(got), "HTTP/1.1") != 1 {
		t.Errorf("%q", got)
	}
}

// TestShutdownWaitsForSwitchedConnections, and what ends the base context ends theirs.
func TestShutdownWaitsForSwitchedConnections(t *testing.T) {
	cause := errors.New("the process stops")
	ended := make(chan error, 1)
	h := handlerFunc(func(ctx context.Context, _ *Request, sink Sink) bool {
		conn, err := sink.(Upgrader).Upgrade(nil)
		if err != nil {
			t.Error(err)
			return true
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		_, _ = io.WriteString(conn, "farewell")
		return false
	})
	for name, mine := range map[string]bool{"own": true, "std": false} {
		t.Run(name, func(t *testing.T) {
			s := start(t, h, func(o *Options) {
				o.Mine = func(string, string) bool { return mine }
				o.Rest = NewStd(h)
			})
			p := s.dial(t)
			p.send(switching)
			if resp, err := http.ReadResponse(p.r, nil); err != nil || resp.StatusCode != 101 {
				t.Fatal(resp, err)
			}
			short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer stop()
			if err := s.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("shutdown does not wait: %v", err)
			}
			s.cancel(cause)
			long, stop := context.WithTimeout(t.Context(), patience)
			defer stop()
			if rest, err := io.ReadAll(p.r); err != nil || string(rest) != "farewell" {
				t.Errorf("%q, %v", rest, err)
			}
			_ = p.Close()
			if err := s.Shutdown(long); err != nil {
				t.Error(err)
			}
			if err := <-ended; !errors.Is(err, cause) {
				t.Errorf("cause = %v", err)
			}
		})
	}
}

// TestUpgradedWritesAreBounded by the server's WriteTime, until the handler has a bound of its own.
func TestUpgradedWritesAreBounded(t *testing.T) {
	for _, own := range []bool{false, true} {
		ended := make(chan error, 1)
		s := start(t, func(_ context.Context, _ *Request, sink Sink) bool {
			conn, err := sink.(Upgrader).Upgrade(nil)
			if err != nil {
				t.Error(err)
				return true
			}
			if own {
				_ = conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
			}
			for err == nil {
				_, err = conn.Write(make([]byte, 64<<10))
			}
			ended <- err
			return true
		}, func(o *Options) {
			if !own {
				o.WriteTime = 20 * time.Millisecond
			}
		})
		p := s.dial(t)
		p.send(switching)
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("own bound %v: %v", own, err)
		}
	}
}

var _ net.Conn = (*upgraded)(nil)

// TestUpgradeOverHTTP2 fails, and an ordinary answer is possible.
func TestUpgradeOverHTTP2(t *testing.T) {
	serverTLS, clientTLS := identity(t)
	s := start(t, tell, func(o *Options) {
		o.TLS = serverTLS
		o.Rest = NewStd(handlerFunc(func(_ context.Context, _ *Request, sink Sink) bool {
			if u, ok := sink.(Upgrader); ok {
				if conn, err := u.Upgrade(nil); !errors.Is(err, ErrUpgrade) || conn != nil {
					t.Error(conn, err)
				}
			}
			answerText(sink, 426, "no")
			return false
		}))
	})
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: clientTLS.Clone()}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+s.addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ProtoMajor != 2 || resp.StatusCode != 426 {
		t.Errorf("%s %d", resp.Proto, resp.StatusCode)
	}
}
