package edges

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// smuggled stands behind every shape: if any reader on the way takes it for a request, the upstream
// sees it.
const smuggled = "GET " + root + "/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

// shapes are requests that two readers could understand differently, or that are none at all (RFC 9112,
// 2 to 7 and 11). Each must be refused, and its connection ended.
func shapes() map[string]string {
	line := "POST " + chatPath + " HTTP/1.1\r\n"
	head := line + "Host: h\r\n"
	chunked := head + "Transfer-Encoding: chunked\r\n\r\n"
	all := map[string]string{
		"two lengths that differ":               head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
		"two lengths that agree":                head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
		"a list of lengths":                     head + "Content-Length: 2, 3\r\n\r\n{}",
		"a length and a coding":                 head + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a coding and a length":                 head + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
		"chunked twice in one field":            head + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"chunked in two fields":                 head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked is not the last coding":        head + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"identity":                              head + "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
		"a coding that nobody knows":            head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"a coding with a control character":     head + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n",
		"a coding in quotes":                    head + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
		"an empty coding":                       head + "Transfer-Encoding:\r\nContent-Length: 2\r\n\r\n{}",
		"a space before the colon of a coding":  head + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		"a tab before the colon of a length":    head + "Content-Length\t: 2\r\n\r\n{}",
		"a coding on a folded line":             head + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
		"a folded field":                        head + "X-A: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
		"a fold right after the request line":   line + " Host: h\r\nContent-Length: 2\r\n\r\n{}",
		"a coding in HTTP/1.0":                  strings.Replace(chunked, "HTTP/1.1", "HTTP/1.0", 1) + "0\r\n\r\n",
		"a negative length":                     head + "Content-Length: -2\r\n\r\n{}",
		"a length with a plus":                  head + "Content-Length: +2\r\n\r\n{}",
		"a length in hexadecimal":               head + "Content-Length: 0x2\r\n\r\n{}",
		"a length with a fraction":              head + "Content-Length: 2.0\r\n\r\n{}",
		"a length with a space within":          head + "Content-Length: 2 2\r\n\r\n{}",
		"an empty length":                       head + "Content-Length:\r\n\r\n",
		"a length beyond 64 bits":               head + "Content-Length: 18446744073709551618\r\n\r\n{}",
		"a length in other digits":              head + "Content-Length: ٢\r\n\r\n{}",
		"a bare line feed after a field":        head + "X-A: b\nContent-Length: 2\r\n\r\n{}",
		"bare line feeds alone":                 strings.ReplaceAll(head+"Content-Length: 2\r\n\r\n", "\r\n", "\n") + "{}",
		"a bare carriage return in a value":     head + "X-A: b\rContent-Length: 50\r\nContent-Length: 2\r\n\r\n{}",
		"a bare carriage return in a name":      head + "X\rA: b\r\nContent-Length: 2\r\n\r\n{}",
		"a carriage return before the line end": head + "X-A: b\r\r\nContent-Length: 2\r\n\r\n{}",
		"a NUL in a value":                      head + "X-A: b\x00c\r\nContent-Length: 2\r\n\r\n{}",
		"a NUL in a name":                       head + "X\x00A: b\r\nContent-Length: 2\r\n\r\n{}",
		"a control character in a value":        head + "X-A: b\x01\r\nContent-Length: 2\r\n\r\n{}",
		"a delete character in a value":         head + "X-A: b\x7f\r\nContent-Length: 2\r\n\r\n{}",
		"a field without a colon":               head + "X-A\r\nContent-Length: 2\r\n\r\n{}",
		"a field without a name":                head + ": b\r\nContent-Length: 2\r\n\r\n{}",
		"a name that is no token":               head + "X(A): b\r\nContent-Length: 2\r\n\r\n{}",
		"a name beyond ASCII":                   head + "X-Ä: b\r\nContent-Length: 2\r\n\r\n{}",
		"no Host":                               line + "Content-Length: 2\r\n\r\n{}",
		"two Hosts":                             head + "Host: other\r\nContent-Length: 2\r\n\r\n{}",
		"a Host with a path":                    line + "Host: h/x\r\nContent-Length: 2\r\n\r\n{}",
		"a Host with a space":                   line + "Host: h x\r\nContent-Length: 2\r\n\r\n{}",
		"a Host with a name and a password":     line + "Host: u@h\r\nContent-Length: 2\r\n\r\n{}",
		"two spaces behind the method":          strings.Replace(head, "POST ", "POST  ", 1) + "Content-Length: 2\r\n\r\n{}",
		"a tab behind the method":               strings.Replace(head, "POST ", "POST\t", 1) + "Content-Length: 2\r\n\r\n{}",
		"a space at the line's begin":           " " + head + "Content-Length: 2\r\n\r\n{}",
		"a space at the line's end":             strings.Replace(head, "HTTP/1.1", "HTTP/1.1 ", 1) + "Content-Length: 2\r\n\r\n{}",
		"a space in the target":                 strings.Replace(head, chatPath, chatPath+" x", 1) + "Content-Length: 2\r\n\r\n{}",
		"a control character in the target":     strings.Replace(head, chatPath, chatPath+"\x01", 1) + "Content-Length: 2\r\n\r\n{}",
		"a fragment in the target":              strings.Replace(head, chatPath, chatPath+"#x", 1) + "Content-Length: 2\r\n\r\n{}",
		"a target without a slash":              strings.Replace(head, chatPath, chatPath[1:], 1) + "Content-Length: 2\r\n\r\n{}",
		"a method that is no token":             strings.Replace(head, "POST", "PO(ST", 1) + "Content-Length: 2\r\n\r\n{}",
		"no version":                            strings.Replace(head, " HTTP/1.1", "", 1) + "Content-Length: 2\r\n\r\n{}",
		"a version in small letters":            strings.Replace(head, "HTTP/1.1", "http/1.1", 1) + "Content-Length: 2\r\n\r\n{}",
		"a version that is not":                 strings.Replace(head, "HTTP/1.1", "HTTP/1.10", 1) + "Content-Length: 2\r\n\r\n{}",
		"a version to come":                     strings.Replace(head, "HTTP/1.1", "HTTP/3.0", 1) + "Content-Length: 2\r\n\r\n{}",
		"HTTP/0.9":                              "GET " + root + "/models\r\n",
		"HTTP/2 without TLS":                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a TLS greeting":                        "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
		"CONNECT":                               "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n",
		"GET for the asterisk":                  "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
		"an expectation that nobody knows":      head + "Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}",

		"a chunk size that is no number":                chunked + "zz\r\n{}\r\n0\r\n\r\n",
		"a chunk size with a sign":                      chunked + "+2\r\n{}\r\n0\r\n\r\n",
		"a chunk size with 0x":                          chunked + "0x2\r\n{}\r\n0\r\n\r\n",
		"an empty chunk size":                           chunked + "\r\n{}\r\n0\r\n\r\n",
		"a chunk size with a space before":              chunked + " 2\r\n{}\r\n0\r\n\r\n",
		"a chunk size beyond 64 bits":                   chunked + "10000000000000002\r\n{}\r\n0\r\n\r\n",
		"a chunk size that is negative in 64":           chunked + "ffffffffffffffff\r\n{}\r\n0\r\n\r\n",
		"a chunk longer than its size":                  chunked + "2\r\n{}}\r\n0\r\n\r\n",
		"a chunk shorter than its size":                 chunked + "3\r\n{}\r\n0\r\n\r\n",
		"no line end behind a chunk":                    chunked + "2\r\n{}0\r\n\r\n",
		"a bare line feed behind a chunk size":          chunked + "2\n{}\r\n0\r\n\r\n",
		"a bare line feed behind a chunk":               chunked + "2\r\n{}\n0\r\n\r\n",
		"a bare carriage return in a chunk's extension": chunked + "2;a\rb\r\n{}\r\n0\r\n\r\n",
		"a line feed in a chunk's extension":            chunked + "2;a\nb\r\n{}\r\n0\r\n\r\n",
		"a NUL in a chunk's extension":                  chunked + "2;a\x00b\r\n{}\r\n0\r\n\r\n",
		"an endless extension":                          chunked + "2;" + strings.Repeat("a", 200<<10) + "\r\n{}\r\n0\r\n\r\n",
		"leading zeroes without end":                    chunked + strings.Repeat("0", 200<<10) + "2\r\n{}\r\n0\r\n\r\n",
		"a folded trailer":                              chunked + "2\r\n{}\r\n0\r\nX-A: b\r\n c\r\n\r\n",
		"a trailer without a colon":                     chunked + "2\r\n{}\r\n0\r\nX-A\r\n\r\n",
		"a NUL in a trailer":                            chunked + "2\r\n{}\r\n0\r\nX-A: \x00\r\n\r\n",
		"endless trailers":                              chunked + "2\r\n{}\r\n0\r\n" + strings.Repeat("X-A: b\r\n", 20_000) + "\r\n",
	}
	return all
}

func TestSmuggling(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	for name, shape := range shapes() {
		t.Run(name, func(t *testing.T) {
			conn, r := p.dial(t)
			if _, err := io.WriteString(conn, shape+smuggled); err != nil && !ended(err) {
				t.Fatal(err)
			}
			m, rest := read(t, r)
			switch {
			case m == nil: // broken off: a refusal as well
			case m.Status() < 400:
				t.Errorf("got %s, want a refusal", m.Start)
			case rest != "":
				t.Errorf("after %s came %.100q: the connection should have ended", m.Start, rest)
			}
			p.silent(t)
		})
	}
	p.serves(t)
}

// TestSmugglingElsewhere: what is not the data plane's is no door either.
func TestSmugglingElsewhere(t *testing.T) {
	p := start(t, impatient, upstream.JSON(200, answered))
	for name, shape := range shapes() {
		switch name {
		case "a NUL in a chunk's extension", "a folded trailer":
			continue // net/http reads over both. Neither changes where the request ends.
		}
		t.Run(name, func(t *testing.T) {
			conn, r := p.dial(t)
			if _, err := io.WriteString(conn, strings.ReplaceAll(shape, root, "/client/v4/accounts/default/ai-gateway")+smuggled); err != nil && !ended(err) {
				t.Fatal(err)
			}
			if m, rest := read(t, r); m != nil && (m.Status() < 400 || rest != "") {
				t.Errorf("got %s, and behind it %q; want a refusal and the end", m.Start, rest)
			}
			p.silent(t)
		})
	}
	p.serves(t)
}

// TestPipelining: requests that come without waiting are answered in order, each with its own answer.
func TestPipelining(t *testing.T) {
	p := start(t, "", func(req *rawhttp.Message, c *upstream.Conn) bool {
		return upstream.JSON(200, fmt.Sprintf("%s %s", req.Target(), req.Body))(req, c)
	})
	conn, r := p.dial(t)
	const n = 50
	var text strings.Builder
	for i := range n {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&text, "GET %s/models/%d HTTP/1.1\r\nHost: h\r\n\r\n", root, i)
		case 1:
			fmt.Fprintf(&text, "POST %s/models/%d HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nGET ", root, i)
		default:
			fmt.Fprintf(&text, "POST %s/models/%d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nGET\r\n1\r\n \r\n0\r\n\r\n", root, i)
		}
	}
	if _, err := io.WriteString(conn, text.String()); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		m, err := rawhttp.ReadResponse(r, "GET")
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		want := fmt.Sprintf("/v1/models/%d ", i)
		if i%3 > 0 {
			want += "GET "
		}
		if m.Status() != 200 || string(m.Body) != want {
			t.Errorf("answer %d is %s %q, want %q", i, m.Start, m.Body, want)
		}
	}
}

// TestARefusalBehindAGoodRequest: the first is answered, and nothing behind the refused one is read.
func TestARefusalBehindAGoodRequest(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	conn, r := p.dial(t)
	bad := "POST " + chatPath + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	if _, err := io.WriteString(conn, post("", chat)+bad+smuggled); err != nil {
		t.Fatal(err)
	}
	first, err := rawhttp.ReadResponse(r, "POST")
	if err != nil || first.Status() != 200 || string(first.Body) != answered {
		t.Fatalf("the first answer is %v, %v", first, err)
	}
	if m, rest := read(t, r); m != nil && (m.Status() < 400 || rest != "") {
		t.Errorf("the second answer is %s, and behind it %q; want a refusal and the end", m.Start, rest)
	}
	if seen := p.up.Take(); len(seen) != 1 {
		t.Errorf("the upstream got %d requests, want the first alone", len(seen))
	}
}
