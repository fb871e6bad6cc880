package upstream

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// nameServer answers each question for an IPv4 address with the next of a list, and has no others.
func nameServer(t *testing.T, answers ...string) (addr string, asked *atomic.Int32) {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Int32{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var give *netip.Addr
			if question := buf[12:n]; isA(question) {
				a := netip.MustParseAddr(answers[min(int(asked.Add(1))-1, len(answers)-1)])
				give = &a
			}
			_, _ = conn.WriteTo(reply(buf[:n], give), from)
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().String(), asked
}

// isA reports whether a question is for an IPv4 address (RFC 1035, 4.1.2). Of what follows it nothing is read.
func isA(question []byte) bool {
	for len(question) > 0 && question[0] != 0 {
		question = question[1+int(question[0]):]
	}
	return len(question) >= 5 && binary.BigEndian.Uint16(question[1:]) == 1
}

// reply answers a message of one question (RFC 1035, 4.1).
func reply(query []byte, a *netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5
	r := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if a == nil {
		return r
	}
	r[7] = 1
	r = append(r, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the question's name, A, IN, no time to live
	ip := a.As4()
	return append(r, ip[:]...)
}

// TestANameThatLeadsElsewhereTheNextTimeIsRefused is DNS rebinding: whoever asks first is told a public address,
// and who connects then another one. The rule looks at the address of the connection itself.
func TestANameThatLeadsElsewhereTheNextTimeIsRefused(t *testing.T) {
	reached := make(chan string, 10)
	inside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached <- r.Host }))
	defer inside.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(inside.URL, "http://"), ":")
	for _, way := range ways() {
		for _, last := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1"} {
			server, asked := nameServer(t, "192.0.2.1", last)
			resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "udp", server)
			}}
			// A look at the name before the call would have found nothing.
			if found, err := resolver.LookupHost(t.Context(), "rebound.example"); err != nil || found[0] != "192.0.2.1" {
				t.Fatalf("%v, %v", found, err)
			}
			c := client(t, func(o *Options) { o.Transport = way })
			c.dial = func(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) {
				d.Resolver = resolver
				return d.DialContext(ctx, "tcp", addr)
			}
			_, err := c.Do(t.Context(), &Request{Method: "GET", Scheme: "http", Host: "rebound.example:" + port, Target: "/", Timeouts: Timeouts{Connect: 10 * time.Second}})
			failed, ok := errors.AsType[*Error](err)
			if !ok || failed.Stage != StageAddress || !strings.Contains(failed.Error(), last) || asked.Load() < 2 {
				t.Errorf("%s, %s: %v, asked %d times", way, last, err, asked.Load())
			}
		}
	}
	if len(reached) != 0 {
		t.Errorf("reached as %s", <-reached)
	}
}
