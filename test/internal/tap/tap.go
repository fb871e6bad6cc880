// Package tap listens in on connections: a TCP relay that keeps all bytes of both directions.
package tap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/rawhttp"
)

// Tap relays connections to one address.
type Tap struct {
	Addr string // where to connect instead

	to       string
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []*recording
}

type recording struct {
	client, server net.Conn
	sent, received bytes.Buffer
	left           bool // the client closed the connection
}

// Exchange is a request and its answer as they passed.
type Exchange struct {
	Request, Response *rawhttp.Message
	// Left: the client closed the connection before it had the whole response, as some SDKs do when
	// they have seen the last event. The response is as far as it came.
	Left bool
}

// New starts a tap on to, which is host:port. It ends with the test.
func New(t testing.TB, to string) *Tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Tap{Addr: l.Addr().String(), to: to, listener: l}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, r := range p.conns {
			_, _ = r.client.Close(), r.server.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *Tap) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		r := &recording{client: client, server: server}
		p.mu.Lock()
		p.conns = append(p.conns, r)
		p.mu.Unlock()
		p.wg.Go(func() {
			p.relay(client, server, &r.sent)
			p.mu.Lock()
			r.left = true
			p.mu.Unlock()
		})
		p.wg.Go(func() { p.relay(server, client, &r.received) })
	}
}

// relay keeps what it reads before it passes it on, so that who has received an answer finds it kept.
func (p *Tap) relay(from, to net.Conn, kept *bytes.Buffer) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		p.mu.Lock()
		kept.Write(b[:n])
		p.mu.Unlock()
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			_ = to.Close()
			_ = from.Close()
			return
		}
	}
}

// Take returns the exchanges that have passed since the last Take, and forgets them. It waits until
// each is whole, or its client has left; it fails the test when that does not come, or when what
// passed is no HTTP.
func (p *Tap) Take(t testing.TB) []Exchange {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		all, whole, err := p.take()
		if err != nil {
			t.Fatal(err)
		}
		if whole {
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("an exchange does not end: %+v", all[len(all)-1].Request)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// take forgets what has passed only when all of it is whole.
func (p *Tap) take() (all []Exchange, whole bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.conns {
		some, whole, err := r.exchanges()
		all = append(all, some...)
		if err != nil || !whole {
			return all, false, err
		}
	}
	for _, r := range p.conns {
		r.sent.Reset()
		r.received.Reset()
	}
	return all, true, nil
}

func (r *recording) exchanges() (all []Exchange, whole bool, err error) {
	sent := bufio.NewReader(bytes.NewReader(r.sent.Bytes()))
	received := bufio.NewReader(bytes.NewReader(r.received.Bytes()))
	for {
		req, err := rawhttp.ReadRequest(sent, nil)
		switch {
		case errors.Is(err, io.EOF):
			return all, true, nil
		case errors.Is(err, io.ErrUnexpectedEOF) && !r.left:
			return all, false, nil
		case err != nil:
			return all, false, fmt.Errorf("tapped request: %w", err)
		}
		resp, err := rawhttp.ReadResponse(received, req.Method())
		switch {
		case err == nil:
			all = append(all, Exchange{req, resp, false})
		case resp != nil && r.left:
			all = append(all, Exchange{req, resp, true})
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return append(all, Exchange{req, resp, false}), r.left, nil
		default:
			return all, false, fmt.Errorf("tapped response to %s: %w", req.Start, err)
		}
	}
}
