package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"

// capitals answers a request for another protocol and then each line in capitals.
func capitals(heads chan<- string) func(*peer) {
	return func(p *peer) {
		head, _ := p.request()
		heads <- head
		p.send(switching + "early\n")
		for {
			line, err := p.in.ReadString('\n')
			if err != nil {
				return
			}
			p.send(strings.ToUpper(line))
		}
	}
}

func upgrade(host string) *Request {
	req := get(host)
	req.Upgrade = "websocket"
	req.Header.Add("Sec-WebSocket-Key", "k")
	req.Header.Add("Upgrade", "h2c") // hop-by-hop: the caller's own is not sent
	return req
}

func TestUpgrade(t *testing.T) {
	cfg, pool := certificate(t)
	for _, scheme := range []string{"http", "https"} {
		eachWay(t, func(t *testing.T, c *Client) {
			heads := make(chan string, 1)
			var up *scripted
			if scheme == "https" {
				up, c = play(t, cfg, capitals(heads)), client(t, func(o *Options) { o.Transport, o.RootCAs = c.o.Transport, pool })
			} else {
				up = play(t, nil, capitals(heads))
			}
			req := upgrade(up.host)
			req.Scheme = scheme
			ctx, cancel := context.WithCancel(t.Context())
			resp, err := c.Do(ctx, req)
			if err != nil {
				t.Fatal(err)
			}
			cancel() // concerns the connection no more
			defer resp.Conn.Close()
			if got := lines(resp.Header); resp.Status != 101 || !strings.EqualFold(got, "Sec-WebSocket-Accept: x\n") {
				t.Errorf("%d %q", resp.Status, got)
			}
			want := "GET /v1/x HTTP/1.1\r\nHost: " + up.host + "\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
			if got := <-heads; sortedHead(got) != sortedHead(want) {
				t.Errorf("sent %q, want %q", got, want)
			}
			if n, err := resp.Body.Read(make([]byte, 1)); n > 0 || err != io.EOF {
				t.Errorf("body: %d, %v", n, err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Error(err)
			}
			r := bufio.NewReader(resp.Conn)
			if got, err := r.ReadString('\n'); got != "early\n" {
				t.Fatalf("%q, %v", got, err)
			}
			if _, err := io.WriteString(resp.Conn, "later\n"); err != nil {
				t.Fatal(err)
			}
			if got, err := r.ReadString('\n'); got != "LATER\n" {
				t.Errorf("%q, %v", got, err)
			}
			_ = resp.Conn.SetReadDeadline(time.Unix(1, 0))
			if _, err := r.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a deadline has no effect: %v", err)
			}
		})
	}
}

// TestUpgradeFreesItsPlace: a limit of connections does not count those that speak another protocol.
func TestUpgradeFreesItsPlace(t *testing.T) {
	c := client(t, func(o *Options) { o.ConnsPerHost = 1 })
	up := play(t, nil, capitals(make(chan string, 2)))
	for range 2 {
		resp, err := c.Do(t.Context(), upgrade(up.host))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Conn.Close()
	}
	if s := c.Stats()[0]; s.Open != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// TestUpgradeRefused: any other status is an ordinary answer, and its connection serves again.
func TestUpgradeRefused(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		up := play(t, nil, always("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\nnope"))
		for range 2 {
			got := roundTrip(t, c, upgrade(up.host))
			if want := (answer{status: 401, header: "Content-Length: 4\n", body: "nope", length: 4}); got != want {
				t.Errorf("%+v", got)
			}
		}
		if c.o.Transport != "std" && up.conns() != 1 { // net/http does not keep the connection of a refused upgrade
			t.Errorf("%d connections", up.conns())
		}
	})
}

func TestUpgradeToSomethingElse(t *testing.T) {
	for _, s := range []string{
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
	} {
		eachWay(t, func(t *testing.T, c *Client) {
			if got := roundTrip(t, c, upgrade(play(t, nil, once(s)).host)); got.err != StageProtocol {
				t.Errorf("%q: %+v", s, got)
			}
		})
	}
}

// TestUpgradeTakesTooLong: the limit for the first byte holds for the handshake.
func TestUpgradeTakesTooLong(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		req := upgrade(play(t, nil, func(p *peer) { p.request(); p.gone() }).host)
		req.Timeouts.FirstByte = 20 * time.Millisecond
		if got := roundTrip(t, c, req); got.err != StageFirst {
			t.Errorf("%+v", got)
		}
	})
}

// TestUpgradeOutlivesTheTimeouts: what bounds a body does not bound another protocol.
func TestUpgradeOutlivesTheTimeouts(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Client) {
		const bound = 100 * time.Millisecond
		waited := make(chan struct{})
		req := upgrade(play(t, nil, func(p *peer) {
			p.request()
			p.send(switching)
			<-waited
			p.send("late")
		}).host)
		req.Timeouts = Timeouts{FirstByte: bound, Idle: bound, Total: bound}
		resp, err := c.Do(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Conn.Close()
		time.AfterFunc(2*bound, func() { close(waited) })
		if got, err := io.ReadAll(resp.Conn); err != nil || string(got) != "late" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestUpgradeWithABodyIsNoRequest(t *testing.T) {
	req := upgrade("127.0.0.1:1")
	req.Body = []byte("x")
	if _, err := client(t).Do(t.Context(), req); stageOf(err) != StageRequest {
		t.Error(err)
	}
}
