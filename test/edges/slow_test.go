package edges

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// impatient lowers how long clients may take.
const impatient = "timeouts: {header: 500ms, body: 500ms, keepalive: 500ms}\n"

// TestSlowHeads: a connection that does not send its head in time ends, whatever it sends meanwhile.
func TestSlowHeads(t *testing.T) {
	p := start(t, impatient, upstream.JSON(200, answered))
	for name, sent := range map[string]string{
		"nothing":                            "",
		"a byte":                             "P",
		"a request line":                     "POST " + chatPath + " HTTP/1.1\r\n",
		"a head without its end":             "POST " + chatPath + " HTTP/1.1\r\nHost: h\r\n",
		"an empty line and no more":          "\r\n",
		"another path's head without an end": "GET /healthz HTTP/1.1\r\nHost: h\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := p.dial(t)
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			if m, _ := read(t, r); m != nil && m.Status() != 408 {
				t.Errorf("got %s; want 408 or nothing", m.Start)
			}
		})
	}
	t.Run("a byte now and then", func(t *testing.T) {
		conn, r := p.dial(t)
		head := "POST " + chatPath + " HTTP/1.1\r\nHost: h\r\nX-Pad: " + strings.Repeat("x", 2000)
		if drip(conn, head, 20*time.Millisecond) {
			t.Error("the gateway took a head for 40 s")
		}
		read(t, r)
	})
	p.silent(t)
	p.serves(t)
}

// TestIdleConnectionsEnd: keep-alive has its own time.
func TestIdleConnectionsEnd(t *testing.T) {
	p := start(t, impatient, upstream.JSON(200, answered))
	conn, r := p.dial(t)
	if _, err := io.WriteString(conn, post("", chat)); err != nil {
		t.Fatal(err)
	}
	if m, rest := read(t, r); m == nil || m.Status() != 200 || rest != "" {
		t.Errorf("got %v and %q, want an answer and the end", m, rest)
	}
}

// TestSlowBodies: a pause within a body that is longer than timeouts.body ends the connection, and the
// upstream never hears of it.
func TestSlowBodies(t *testing.T) {
	p := start(t, impatient, upstream.JSON(200, answered))
	for name, sent := range map[string]string{
		"no byte of the body":    fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n", chatPath),
		"some of it":             fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{\"model\":", chatPath),
		"no chunk":               fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", chatPath),
		"half a chunk":           fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{", chatPath),
		"chunks without the end": fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", chatPath),
		"after 100 Continue":     fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", chatPath),
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := p.dial(t)
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			if m, _ := read(t, r); m != nil && (m.Status() < 400 || m.Status() > 499) {
				t.Errorf("got %s; want a refusal or nothing", m.Start)
			}
		})
	}
	p.silent(t)
	t.Run("a body that comes slowly but steadily", func(t *testing.T) {
		conn, r := p.dial(t)
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", chatPath, len(chat)); err != nil {
			t.Fatal(err)
		}
		if !drip(conn, chat, 20*time.Millisecond) { // 1.4 s in all
			t.Error("the gateway gave up")
		}
		m, err := rawhttp.ReadResponse(r, "POST")
		if err != nil || m.Status() != 200 {
			t.Errorf("got %v, %v; want 200", m, err)
		}
		if seen := p.up.Take(); len(seen) != 1 || string(seen[0].Body) != chat {
			t.Errorf("the upstream got %v", seen)
		}
	})
	p.serves(t)
}

// TestEndlessBodyAndAClientThatLeft: the upstream is cancelled, however much it has still to say.
func TestEndlessBodyAndAClientThatLeft(t *testing.T) {
	closed := make(chan struct{})
	p := start(t, "", func(_ *rawhttp.Message, c *upstream.Conn) bool {
		defer close(closed)
		upstream.Head(c)
		for {
			if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(event), event); err != nil {
				return false
			}
		}
	})
	conn, r := p.dial(t)
	if _, err := io.WriteString(conn, post("", chat)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	within(t, closed, "the upstream's call is cancelled")
	row := p.LastRow("a row of the client that left", func(r *gateway.Row) bool { return r.Ending != "" })
	if row.Ending != "client_gone" || row.Success {
		t.Errorf("log: %s; want client_gone", row)
	}
	p.serves(t)
}

// TestSlowBodiesElsewhere: the management API's clients have no more time than others.
func TestSlowBodiesElsewhere(t *testing.T) {
	p := start(t, impatient, upstream.JSON(200, answered))
	for _, path := range []string{"/client/v4/accounts/default/ai-gateway/gateways", "/healthz", "/", "/nothing"} {
		t.Run(path, func(t *testing.T) {
			conn, r := p.dial(t)
			if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n\r\n{", path, p.Addr); err != nil {
				t.Fatal(err)
			}
			read(t, r)
		})
	}
}
