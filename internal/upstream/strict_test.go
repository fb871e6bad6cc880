package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

const okLine = "HTTP/1.1 200 OK\r\n"

// TestStrict lists what the own client refuses: answers that two readers could take for different ones.
func TestStrict(t *testing.T) {
	tests := []struct{ name, answer string }{
		{"two different lengths", okLine + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
		{"the same length twice", okLine + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
		{"a list of lengths", okLine + "Content-Length: 5, 5\r\n\r\nhello"},
		{"a negative length", okLine + "Content-Length: -5\r\n\r\nhello"},
		{"a length with a sign", okLine + "Content-Length: +5\r\n\r\nhello"},
		{"a length in hexadecimal", okLine + "Content-Length: 0x5\r\n\r\nhello"},
		{"a length with an underscore", okLine + "Content-Length: 1_0\r\n\r\nhellohello"},
		{"an empty length", okLine + "Content-Length: \r\n\r\nhello"},
		{"a length too large to count", okLine + "Content-Length: 9223372036854775808\r\n\r\nhello"},
		{"a length beside chunked", okLine + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"an unknown coding", okLine + "Transfer-Encoding: gzip\r\n\r\nhello"},
		{"chunked behind another coding", okLine + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{"chunked twice", okLine + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"the coding identity", okLine + "Transfer-Encoding: identity\r\n\r\nhello"},
		{"a coding in disguise", okLine + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"},
		{"a coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"a folded field", okLine + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"},
		{"a folded first field", okLine + " X: a\r\nContent-Length: 0\r\n\r\n"},
		{"a bare CR in a value", okLine + "X: a\rContent-Length: 3\r\nContent-Length: 0\r\n\r\n"},
		{"a bare CR in the status line", "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"},
		{"a bare LF", okLine + "X: a\nContent-Length: 0\r\n\r\n"},
		{"a bare LF behind the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"},
		{"a NUL in a value", okLine + "X: a\x00b\r\nContent-Length: 0\r\n\r\n"},
		{"a control byte in a value", okLine + "X: a\x01b\r\nContent-Length: 0\r\n\r\n"},
		{"a DEL in a value", okLine + "X: a\x7fb\r\nContent-Length: 0\r\n\r\n"},
		{"a space before the colon", okLine + "Content-Length : 0\r\n\r\n"},
		{"a space in a name", okLine + "Content Length: 0\r\n\r\n"},
		{"an empty name", okLine + ": 0\r\nContent-Length: 0\r\n\r\n"},
		{"a line without colon", okLine + "Content-Length\r\n\r\n"},
		{"a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"},
		{"a status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"},
		{"a status below 100", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n"},
		{"a status with a sign", "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n"},
		{"two spaces before the status", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"another version", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"HTTP/2 in words", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"another protocol", "SSH-2.0-OpenSSH_9.9\r\n"},
		{"an empty line first", "\r\n" + okLine + "Content-Length: 0\r\n\r\n"},
		{"an HTTP/2 frame", "\x00\x00\x12\x04\x00\x00\x00\x00\x00"},
		{"a head too large", okLine + "X: " + strings.Repeat("x", maxHead) + "\r\n\r\n"},
		{"too many fields", okLine + strings.Repeat("X: y\r\n", maxFields+1) + "\r\n"},
	}
	c := client(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The upstream waits: what is wrong is refused when it is seen, not when the connection ends.
			up := play(t, nil, func(p *peer) { p.request(); p.send(tt.answer); p.gone() })
			if got := roundTrip(t, c, get(up.host)); got.err != StageProtocol {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestStrictChunks lists what is refused within a chunked body. What came before it is delivered.
func TestStrictChunks(t *testing.T) {
	tests := []struct{ name, body string }{
		{"no size", "\r\nhello\r\n"},
		{"a size that is no number", "xyz\r\nhello\r\n"},
		{"a size with a prefix", "0x5\r\nhello\r\n"},
		{"a negative size", "-5\r\nhello\r\n"},
		{"a size with a sign", "+5\r\nhello\r\n"},
		{"a space before the size", " 5\r\nhello\r\n"},
		{"a size too large to count", "fffffffffffffffff\r\nhello\r\n"},
		{"a size of many zeros", strings.Repeat("0", 16) + "5\r\nhello\r\n"},
		{"a bare LF behind the size", "5\nhello\r\n"},
		{"a bare CR behind the size", "5\rhello\r\n"},
		{"a space between size and extension", "5 ;a=b\r\nhello\r\n"},
		{"a bare LF in an extension", "5;a\nb\r\nhello\r\n"},
		{"a NUL in an extension", "5;a\x00b\r\nhello\r\n"},
		{"extensions without end", "5;" + strings.Repeat("x", 16<<10) + "\r\nhello\r\n"},
		{"extensions that outweigh the data", strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\nx\r\n", 20)},
		{"data longer than its size", "2\r\nhello\r\n"},
		{"a bare LF behind the data", "5\r\nhello\n0\r\n\r\n"},
		{"a folded trailer", "0\r\nX: a\r\n b\r\n\r\n"},
		{"a bare LF in the trailer", "0\r\nX: a\n\r\n"},
		{"a trailer with a bad name", "0\r\nX y: a\r\n\r\n"},
		{"a trailer without end", "0\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n\r\n"},
	}
	c := client(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			up := play(t, nil, func(p *peer) {
				p.request()
				p.send(okLine + "Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n" + tt.body)
				p.gone()
			})
			if got := roundTrip(t, c, get(up.host)); got.err != StageProtocol || !strings.HasPrefix(got.body, "yes") {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestLenient lists what looks odd and is accepted all the same.
func TestLenient(t *testing.T) {
	tests := []struct{ name, answer, body string }{
		{"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "ok"},
		{"an empty reason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "ok"},
		{"a status nobody knows", "HTTP/1.1 999 Go Away\r\nContent-Length: 2\r\n\r\nok", "ok"},
		{"no space behind the colon", okLine + "Content-Length:2\r\n\r\nok", "ok"},
		{"tabs around a value", okLine + "Content-Length:\t2\t \r\n\r\nok", "ok"},
		{"an empty value", okLine + "X:\r\nContent-Length: 2\r\n\r\nok", "ok"},
		{"bytes above 127 in a value", okLine + "X: caf\xc3\xa9 \xff\r\nContent-Length: 2\r\n\r\nok", "ok"},
		{"a coding in capitals", okLine + "Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"},
		{"padded chunk sizes", okLine + "Transfer-Encoding: chunked\r\n\r\n0002  \r\nok\r\n000\r\n\r\n", "ok"},
		{"a large head", okLine + "X: " + strings.Repeat("x", 200<<10) + "\r\nContent-Length: 2\r\n\r\nok", "ok"},
	}
	c := client(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			up := play(t, nil, once(tt.answer))
			if got := roundTrip(t, c, get(up.host)); got.err != "" || got.body != tt.body {
				t.Errorf("%q %q", got.err, got.body)
			}
		})
	}
}

// TestRequestRefused lists the requests that are never sent.
func TestRequestRefused(t *testing.T) {
	field := func(name, value string) func(*Request) {
		return func(r *Request) { r.Header = sluice.Header{{Name: name, Value: value}} }
	}
	tests := []struct {
		name   string
		change func(*Request)
	}{
		{"CR and LF in a value", field("X", "a\r\nHost: b")},
		{"LF in a value", field("X", "a\nb")},
		{"NUL in a value", field("X", "a\x00b")},
		{"CR and LF in a name", field("X\r\nY", "a")},
		{"a space in a name", field("X Y", "a")},
		{"a colon in a name", field("X:", "a")},
		{"an empty name", field("", "a")},
		{"a space in the target", func(r *Request) { r.Target = "/a b" }},
		{"CR and LF in the target", func(r *Request) { r.Target = "/a\r\nX: y" }},
		{"a target that is an address", func(r *Request) { r.Target = "http://example.com/" }},
		{"no target", func(r *Request) { r.Target = "" }},
		{"a space in the method", func(r *Request) { r.Method = "GET /" }},
		{"no method", func(r *Request) { r.Method = "" }},
		{"CONNECT", func(r *Request) { r.Method = "CONNECT" }},
		{"another scheme", func(r *Request) { r.Scheme = "ftp" }},
		{"no host", func(r *Request) { r.Host = "" }},
		{"a user in the host", func(r *Request) { r.Host = "user@example.com" }},
		{"a path in the host", func(r *Request) { r.Host = "example.com/x" }},
		{"CR and LF in the host", func(r *Request) { r.Host = "example.com\r\nX: y" }},
		{"a port that is none", func(r *Request) { r.Host = "example.com:x" }},
		{"CR and LF in the host field", func(r *Request) { r.HostHeader = "example.com\r\nX: y" }},
		{"two bodies", func(r *Request) { r.Body, r.BodyReader = []byte("a"), strings.NewReader("b") }},
	}
	eachWay(t, func(t *testing.T, c *Client) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				up := play(t, nil, always(okLine+"Content-Length: 0\r\n\r\n"))
				req := get(up.host)
				tt.change(req)
				if got := roundTrip(t, c, req); got.err != StageRequest || up.conns() != 0 {
					t.Errorf("%+v, %d connections", got, up.conns())
				}
			})
		}
	})
}

// TestRequestHead holds the bytes of a head, which only the own client keeps wholly.
func TestRequestHead(t *testing.T) {
	got := make(chan string, 1)
	up := play(t, nil, func(p *peer) {
		head, _ := p.request()
		got <- head
		p.send(okLine + "Content-Length: 0\r\n\r\n")
	})
	req := post(up.host, []byte("hi"))
	req.HostHeader = "api.example.com"
	req.Header = sluice.Header{
		{Name: "accept", Value: "*/*"},
		{Name: "Host", Value: "evil.example.com"},
		{Name: "X-B", Value: "1"},
		{Name: "content-length", Value: "99"},
		{Name: "Transfer-Encoding", Value: "chunked"},
		{Name: "Connection", Value: "close"},
		{Name: "TE", Value: "trailers"},
		{Name: "Upgrade", Value: "h2c"},
		{Name: "Proxy-Authorization", Value: "x"},
		{Name: "x-a", Value: " spaces \t"},
		{Name: "X-B", Value: "2"},
	}
	if a := roundTrip(t, client(t), req); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	want := "POST /v1/x HTTP/1.1\r\nHost: api.example.com\r\naccept: */*\r\nX-B: 1\r\nContent-Length: 2\r\nx-a:  spaces \t\r\nX-B: 2\r\n\r\n"
	if head := <-got; head != want {
		t.Errorf("sent %q\nwant %q", head, want)
	}
}

// fed is a call whose connection has the bytes of an answer, cut into reads of the given sizes.
func fed(c *Client, in []byte, cut func(r io.Reader) io.Reader) (*call, *Error) {
	h, _ := c.newHost(hostKey{host: "fed.test"})
	cn := newConn(h, fedConn{r: cut(bytes.NewReader(in))})
	x := &call{host: h, req: &Request{Method: "GET"}, cn: cn, stop: func() bool { return true }}
	h.open = 1
	head, err := x.readHead()
	if err == nil {
		x.open(head)
	}
	return x, err
}

// fedConn is a connection of which only the reading matters.
type fedConn struct {
	net.Conn
	r io.Reader
}

func (c fedConn) Read(p []byte) (int, error) { return c.r.Read(p) }
func (c fedConn) Close() error               { return nil }

// whatCame reads a fed answer to its end, with reads of size bytes.
func whatCame(c *Client, in []byte, size int, cut func(io.Reader) io.Reader) answer {
	x, err := fed(c, in, cut)
	if err != nil {
		return answer{err: err.Stage}
	}
	var body []byte
	buf := make([]byte, size)
	for {
		n, err := x.Read(buf)
		body = append(body, buf[:n]...)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return answer{
				status: x.resp.Status, header: lines(x.resp.Header), body: string(body), trailer: lines(x.resp.Trailer()),
				length: x.resp.Length, toClose: x.resp.CloseDelimited, err: stageOf(err),
			}
		}
	}
}

type cutReader struct {
	r io.Reader
	n int
}

func (c cutReader) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }

func whole(r io.Reader) io.Reader { return r }

func cutBy(n int) func(io.Reader) io.Reader {
	return func(r io.Reader) io.Reader { return cutReader{r, n} }
}

func seeds(f *testing.F, pattern string) {
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzAnswer: whatever the bytes and however they are cut, the same Response comes out; and what is
// taken for an answer here is the same answer to net/http.
func FuzzAnswer(f *testing.F) {
	seeds(f, "*.raw")
	c := New(Options{})
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, in []byte) {
		want := whatCame(c, in, 32<<10, whole)
		for _, size := range []int{1, 7, 600} {
			for _, cut := range []int{1, 3, 600} {
				if got := whatCame(c, in, size, cutBy(cut)); got != want {
					t.Fatalf("in reads of %d cut to %d: %+v\nwhole: %+v", size, cut, got, want)
				}
			}
		}
		if want.status != 0 {
			sameToNetHTTP(t, in, want)
		}
	})
}

// sameToNetHTTP holds that an answer that the own client takes is none that net/http takes otherwise.
func sameToNetHTTP(t *testing.T, in []byte, got answer) {
	br := bufio.NewReaderSize(bytes.NewReader(in), maxHead)
	var res *http.Response
	for {
		var err error
		if res, err = http.ReadResponse(br, &http.Request{Method: "GET"}); err != nil {
			t.Fatalf("net/http refuses what was taken: %v", err)
		}
		if res.StatusCode >= 200 {
			break
		}
	}
	body, err := io.ReadAll(res.Body)
	same := string(body) == got.body
	if got.err != "" { // what is refused here may be read further there, but not otherwise
		same = err != nil || bytes.HasPrefix(body, []byte(got.body))
	}
	if res.StatusCode != got.status || !same {
		t.Fatalf("net/http reads %d %q (%v)\nnot %d %q (%q)", res.StatusCode, body, err, got.status, got.body, got.err)
	}
	if err != nil && got.err == "" {
		t.Fatalf("net/http refuses the body that was taken: %v", err)
	}
	if n := res.ContentLength; n != got.length && res.StatusCode != 304 {
		t.Fatalf("net/http reads length %d, not %d", n, got.length)
	}
}

// FuzzRequest: what is not refused is one request to net/http, with the fields and the body given.
func FuzzRequest(f *testing.F) {
	f.Add("POST", "/v1/x?y", "X-A", "b", "body")
	f.Add("GET", "//a%2Fb", "accept", "caf\xc3\xa9", "")
	f.Add("PUT", "/\r\n", "X\r\nY: z", "a\r\n\r\nGET / HTTP/1.1", "x")
	f.Fuzz(func(t *testing.T, method, target, name, value, body string) {
		r := &Request{
			Method: method, Scheme: "https", Host: "api.example.com", Target: target,
			Header: sluice.Header{{Name: name, Value: value}}, Body: []byte(body),
		}
		if r.check() != nil {
			return
		}
		head := appendHead(nil, r)
		if n := bytes.Count(head, []byte("\r\n")); n != 4 && n != 5 || bytes.Count(head, []byte("\n")) != n {
			t.Fatalf("head %q", head)
		}
		br := bufio.NewReader(io.MultiReader(bytes.NewReader(head), strings.NewReader(body)))
		got, err := http.ReadRequest(br)
		if err != nil {
			return // an odd target or value; net/http is stricter there, and the lines were counted
		}
		b, _ := io.ReadAll(got.Body)
		if got.Method != method || got.RequestURI != target || got.Host != "api.example.com" || string(b) != body {
			t.Fatalf("%q became %s %s %s %q", head, got.Method, got.RequestURI, got.Host, b)
		}
		if _, err := br.ReadByte(); err != io.EOF {
			t.Fatal("something follows the request")
		}
	})
}

func ExampleError() {
	fmt.Println(&Error{Stage: StageDial, Host: "api.example.com", Err: io.ErrUnexpectedEOF})
	// Output: dial api.example.com: unexpected EOF
}
