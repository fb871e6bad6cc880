package edges

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// headOf is a whole request without a body whose head has n bytes.
func headOf(n int) string {
	begin, end := "GET "+root+"/models HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Pad: ", "\r\n\r\n"
	return begin + strings.Repeat("x", n-len(begin)-len(end)) + end
}

// TestHeadsAtAndOverTheLimit: up to limits.header_bytes passes, more is refused: 431, or 414 where it is the request line.
func TestHeadsAtAndOverTheLimit(t *testing.T) {
	const limit = 8192
	p := start(t, fmt.Sprintf("limits: {header_bytes: %d}\n", limit), upstream.JSON(200, answered))
	many := "GET " + root + "/models HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-A: b\r\n", 4000) + "\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"at the limit":                     {headOf(limit), 200},
		"a byte over it":                   {headOf(limit + 1), 431},
		"far over it":                      {headOf(100 * limit), 431},
		"many small fields":                {many, 431},
		"no end":                           {"GET " + root + "/models HTTP/1.1\r\nHost: h\r\nX-Pad: " + strings.Repeat("x", 2*limit), 431},
		"a request line without an end":    {"GET " + root + "/" + strings.Repeat("x", 2*limit), 414},
		"a name without an end":            {"GET " + root + "/models HTTP/1.1\r\n" + strings.Repeat("x", 2*limit), 431},
		"another part of the gateway, big": {strings.Replace(headOf(10*limit), root+"/models", "/client/v4/accounts/default/ai-gateway/gateways", 1), 431},
	} {
		t.Run(name, func(t *testing.T) {
			conn, r := p.dial(t)
			if _, err := io.WriteString(conn, c.request); err != nil && !ended(err) {
				t.Fatal(err)
			}
			m, _ := read(t, r)
			if m == nil || m.Status() != c.status {
				t.Errorf("got %v, want %d", m, c.status)
			}
			if n := len(p.up.Take()); n != map[bool]int{true: 1}[c.status == 200] {
				t.Errorf("the upstream was called %d times", n)
			}
		})
	}
	p.serves(t)
}

// TestBodiesAtAndOverTheLimit: on a provider's own endpoint a larger body passes, unread.
func TestBodiesAtAndOverTheLimit(t *testing.T) {
	const limit = 1 << 20
	p := start(t, fmt.Sprintf("limits: {body_bytes: %d}\n", limit), upstream.JSON(200, answered))
	noise := make([]byte, 3*limit)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"none": 0, "a byte under": limit - 1, "at the limit": limit, "a byte over": limit + 1, "far over": 3 * limit} {
		for framing, request := range map[string]string{
			"declared": fmt.Sprintf("POST %s/files HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", root, n, noise[:n]),
			"chunked":  fmt.Sprintf("POST %s/files HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n", root, chunks(noise[:n])),
		} {
			t.Run(name+", "+framing, func(t *testing.T) {
				m, err := rawhttp.Do(p.Addr, request)
				if err != nil || m.Status() != 200 {
					t.Fatal(m, err)
				}
				if seen := p.up.Take(); len(seen) != 1 || !bytes.Equal(seen[0].Body, noise[:n]) {
					t.Error("the body was altered")
				}
				row := p.On(t).Row(m.Get("cf-aig-log-id"))
				if row.Request == nil || row.Request.Size != int64(n) {
					t.Errorf("log: request %+v, want %d bytes", row.Request, n)
				}
			})
		}
	}
}

// chunks frames b in chunks of 100 KB.
func chunks(b []byte) string {
	var w strings.Builder
	for len(b) > 0 {
		n := min(len(b), 100<<10)
		fmt.Fprintf(&w, "%x\r\n%s\r\n", n, b[:n])
		b = b[n:]
	}
	return w.String()
}
