package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// wire is a connection of a test without a socket: what was sent is there at once, or in the cuts of
// its reader, and then the client has left.
type wire struct {
	io.Reader
	out bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error)      { return w.out.Write(p) }
func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (w *wire) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (w *wire) SetDeadline(time.Time) error      { return nil }
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// seen is a request as a handler saw it.
type seen struct {
	method, target, host string
	header               sluice.Header
	body                 string
	err                  error // of the body
	trailer              sluice.Header
}

// talk serves what in holds on a connection, and returns the requests that the handler saw, what was
// answered, and whether the server still read when all was answered.
func talk(in io.Reader) (saw []seen, out string, open bool) {
	s := New(context.Background(), Options{
		HeaderBytes: 4 << 10, Logger: quiet(),
		Handler: handlerFunc(func(_ context.Context, req *Request, sink Sink) bool {
			one := seen{method: req.Method, target: req.Target, host: req.Host, header: append(sluice.Header{}, req.Header...)}
			if req.Body != nil {
				var read []byte
				read, one.err = io.ReadAll(req.Body)
				one.body = string(read)
			}
			if req.Trailer != nil {
				one.trailer = req.Trailer()
			}
			saw = append(saw, one)
			if one.err != nil {
				answerText(sink, 499, one.err.Error())
				return false
			}
			answerText(sink, 200, "")
			return false
		}),
	})
	end := &atEnd{Reader: in}
	w := &wire{Reader: end}
	raw := &client{Conn: w, leave: func() {}}
	ctx, cancel := context.WithCancelCause(context.Background())
	c := &conn{s: s, raw: raw, nc: raw, cancel: cancel}
	close(s.done) // nobody waits for a client to read its answer
	end.reading = func() bool { return c.state.Load() == connIdle }
	c.serve(ctx)
	return saw, w.out.String(), end.open
}

// atEnd notes whether the end of what was sent was reached while a request was waited for.
type atEnd struct {
	io.Reader
	reading func() bool
	open    bool
}

func (a *atEnd) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if n == 0 && err != nil {
		a.open = a.open || a.reading()
	}
	return n, err
}

// transcript is what a case expects: what the handler saw of each request, and the answers that it did
// not give.
func transcript(saw []seen, out string) string {
	var lines []string
	r := bufio.NewReader(strings.NewReader(out))
	for i := 0; ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			break
		}
		body, _ := io.ReadAll(resp.Body)
		switch {
		case resp.StatusCode == http.StatusContinue:
			lines = append(lines, "100")
		case i < len(saw):
			one := saw[i]
			line := one.method + " " + one.target + " " + one.host
			if one.body != "" {
				line += " " + one.body
			}
			if one.err != nil {
				line += " ! " + one.err.Error()
			}
			lines = append(lines, line)
			i++
		default:
			lines = append(lines, string(bytes.TrimSpace(body)))
		}
	}
	return strings.Join(lines, " | ")
}

// conformance is RFC 9112 in cases: what is sent, and what comes of it. open: another request may follow.
func conformance() []conformanceCase {
	const (
		host    = "Host: x\r\n"
		end     = "\r\n"
		get     = "GET / HTTP/1.1\r\n" + host
		post    = "POST / HTTP/1.1\r\n" + host
		te      = "Transfer-Encoding: chunked\r\n"
		chunked = post + te + end
		next    = "GET /next HTTP/1.1\r\nHost: y\r\n\r\n"
		ok      = "GET / x"
		badLine = "400 Bad Request: "
		method  = badLine + "the request line has no valid method"
		noVers  = badLine + "the request line has no version"
		badVers = badLine + "the request line has no valid version"
		other   = "505 HTTP Version Not Supported: only HTTP/1.1 and HTTP/1.0 are spoken here"
		target  = badLine + "the request target holds a byte that must be encoded"
		neither = badLine + "the request target is neither a path nor an address"
		tHost   = badLine + "the request target has no valid host"
		garbage = badLine + "this is not an HTTP/1.1 request"
		bareLF  = badLine + "a line ends without CR"
		bareCR  = badLine + "a CR does not end a line"
		fold    = badLine + "a field is folded over several lines"
		name    = badLine + "a field's name is not a token"
		ctl     = badLine + "a field's value holds control bytes"
		badHost = badLine + "Host is not valid"
		length  = badLine + "Content-Length is not a number"
		lengths = badLine + "more than one Content-Length"
		both    = badLine + "both Content-Length and Transfer-Encoding"
		coding  = badLine + "Transfer-Encoding is not valid"
		unknown = "501 Not Implemented: the transfer coding is not supported"
		chunk   = "POST / x ! malformed chunked body"
		big     = "431 Request Header Fields Too Large: "
	)
	return []conformanceCase{
		// The request line (3).
		{"a simple request", get + end, ok, true},
		{"an empty line before it", "\r\n" + get + end, ok, true},
		{"two empty lines before it", "\r\n\r\n" + get + end, garbage, false},
		{"a bare LF before it", "\n" + get + end, garbage, false},
		{"a space before it", " " + get + end, garbage, false},
		{"a NUL before it", "\x00" + get + end, garbage, false},
		{"TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", garbage, false},
		{"an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", other, false},
		{"HTTP/0.9", "GET /\r\n", "", false},
		{"HTTP/0.9 with an empty line", "GET /\r\n\r\n", noVers, false},
		{"no version", "GET / \r\n" + host + end, badVers, false},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET / ", false},
		{"HTTP/1.0 that stays", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + next, "GET /  | GET /next y", true},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n" + host + end, other, false},
		{"HTTP/2.0", "GET / HTTP/2.0\r\n" + host + end, other, false},
		{"HTTP/0.9 in words", "GET / HTTP/0.9\r\n" + host + end, other, false},
		{"HTTP/1.10", "GET / HTTP/1.10\r\n" + host + end, badVers, false},
		{"HTTP/1", "GET / HTTP/1\r\n" + host + end, badVers, false},
		{"http/1.1 in lower case", "GET / http/1.1\r\n" + host + end, badVers, false},
		{"HTTP/1,1", "GET / HTTP/1,1\r\n" + host + end, badVers, false},
		{"a version with a sign", "GET / HTTP/+.1\r\n" + host + end, badVers, false},
		{"ICY", "GET / ICY/1.1\r\n" + host + end, badVers, false},
		{"a space behind the version", "GET / HTTP/1.1 \r\n" + host + end, badVers, false},
		{"a word behind the version", "GET / HTTP/1.1 x\r\n" + host + end, badVers, false},
		{"two spaces behind the method", "GET  / HTTP/1.1\r\n" + host + end, badVers, false},
		{"two spaces behind the target", "GET /  HTTP/1.1\r\n" + host + end, badVers, false},
		{"a tab behind the method", "GET\t/ HTTP/1.1\r\n" + host + end, method, false},
		{"a tab in the target", "GET /a\tb HTTP/1.1\r\n" + host + end, target, false},
		{"a form feed in the target", "GET /a\x0cb HTTP/1.1\r\n" + host + end, target, false},
		{"a NUL in the target", "GET /a\x00b HTTP/1.1\r\n" + host + end, target, false},
		{"a DEL in the target", "GET /a\x7fb HTTP/1.1\r\n" + host + end, target, false},
		{"a space in the target", "GET /a b HTTP/1.1\r\n" + host + end, badVers, false},
		{"a fragment", "GET /a#b HTTP/1.1\r\n" + host + end, target, false},
		{"a bare CR in the target", "GET /a\rb HTTP/1.1\r\n" + host + end, badLine + "the request line does not end in CR LF", false},
		{"a method of one's own", "X-~!#$%&'*+-.^_`|9 / HTTP/1.1\r\n" + host + end, "X-~!#$%&'*+-.^_`|9 / x", true},
		{"a method in lower case is another one", "get / HTTP/1.1\r\n" + host + end, "get / x", true},
		{"a method with a colon", "GE:T / HTTP/1.1\r\n" + host + end, method, false},
		{"a method with a slash", "GE/T / HTTP/1.1\r\n" + host + end, method, false},
		{"a method beyond ASCII", "G\xc3\xa9T / HTTP/1.1\r\n" + host + end, method, false},
		{"a method with a NUL", "GE\x00T / HTTP/1.1\r\n" + host + end, method, false},
		{"no method", "/ HTTP/1.1\r\n" + host + end, garbage, false},
		{"one word", "GET\r\n" + host + end, method, false},
		{"a quoted method", "\"GET\" / HTTP/1.1\r\n" + host + end, garbage, false},
		// Targets (3.2).
		{"percent-encoding stays", "GET /a%2Fb/%2e%2E//c?x=%20&y HTTP/1.1\r\n" + host + end, "GET /a%2Fb/%2e%2E//c?x=%20&y x", true},
		{"bytes beyond ASCII stay", "GET /\xc3\xa9 HTTP/1.1\r\n" + host + end, "GET /\xc3\xa9 x", true},
		{"an empty query stays", "GET /a? HTTP/1.1\r\n" + host + end, "GET /a? x", true},
		{"two slashes first", "GET //y/a HTTP/1.1\r\n" + host + end, "GET //y/a x", true},
		{"the absolute form names the host", "GET http://y.example:80/a HTTP/1.1\r\n" + host + end, "GET http://y.example:80/a y.example:80", true},
		{"the absolute form without a path", "GET https://y HTTP/1.1\r\n" + host + end, "GET https://y y", true},
		{"the absolute form with a query", "GET HTTP://y?a=/b HTTP/1.1\r\n" + host + end, "GET HTTP://y?a=/b y", true},
		{"the absolute form without Host", "GET http://y/ HTTP/1.1\r\n\r\n", badLine + "no Host", false},
		{"the absolute form without Host in HTTP/1.0", "GET http://y/ HTTP/1.0\r\n\r\n", "GET http://y/ y", false},
		{"the absolute form with an invalid Host", "GET http://y/ HTTP/1.1\r\nHost: a/b\r\n\r\n", badHost, false},
		{"the absolute form with a name and a password", "GET http://a:b@y/ HTTP/1.1\r\n" + host + end, tHost, false},
		{"the absolute form without a host", "GET http:///a HTTP/1.1\r\n" + host + end, tHost, false},
		{"another scheme", "GET ftp://y/a HTTP/1.1\r\n" + host + end, neither, false},
		{"a path without a slash", "GET a HTTP/1.1\r\n" + host + end, neither, false},
		{"an authority", "GET y:80 HTTP/1.1\r\n" + host + end, neither, false},
		{"CONNECT", "CONNECT y:80 HTTP/1.1\r\n" + host + end, "501 Not Implemented: CONNECT is not supported", false},
		{"the asterisk", "OPTIONS * HTTP/1.1\r\n" + host + end, "OPTIONS * x", true},
		{"the asterisk of another method", "GET * HTTP/1.1\r\n" + host + end, badLine + "the target * belongs to OPTIONS", false},
		{"a query alone", "GET ?a HTTP/1.1\r\n" + host + end, neither, false},
		// Host (3.2).
		{"no Host", "GET / HTTP/1.1\r\nX: y\r\n\r\n", badLine + "no Host", false},
		{"two Hosts", get + "Host: y\r\n\r\n", badLine + "more than one Host", false},
		{"the same Host twice", get + host + end, badLine + "more than one Host", false},
		{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" + host + host + end, badLine + "more than one Host", false},
		{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / ", true},
		{"a Host with a port", "GET / HTTP/1.1\r\nhost:a-b.example:8088\r\n\r\n", "GET / a-b.example:8088", true},
		{"a Host in brackets", "GET / HTTP/1.1\r\nHOST: [::1]:80\r\n\r\n", "GET / [::1]:80", true},
		{"a Host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", badHost, false},
		{"a Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", badHost, false},
		{"a Host with a tab", "GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", badHost, false},
		{"a Host with a name", "GET / HTTP/1.1\r\nHost: me@a\r\n\r\n", badHost, false},
		{"a Host with a backslash", "GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n", badHost, false},
		{"a Host with a query", "GET / HTTP/1.1\r\nHost: a?b\r\n\r\n", badHost, false},
		{"a Host beyond ASCII", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", badHost, false},
		{"a Host in disguise", "GET / HTTP/1.1\r\n" + host + "Host : y\r\n\r\n", name, false},
		{"a list of Hosts is a name", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", "GET / a,b", true},
		// Field lines (5).
		{"no blank behind the colon", get + "X:y\r\n\r\n", ok, true},
		{"a space before the colon", get + "X : y\r\n\r\n", name, false},
		{"a tab before the colon", get + "X\t: y\r\n\r\n", name, false},
		{"a space in a name", get + "X Y: z\r\n\r\n", name, false},
		{"an empty name", get + ": y\r\n\r\n", name, false},
		{"a name beyond ASCII", get + "X\xc3\xa9: y\r\n\r\n", name, false},
		{"a name with a bracket", get + "X(y): z\r\n\r\n", name, false},
		{"a name with a NUL", get + "X\x00: z\r\n\r\n", name, false},
		{"a line without a colon", get + "X\r\n\r\n", badLine + "a field line has no colon", false},
		{"a folded line", get + "X: a\r\n b\r\n\r\n", fold, false},
		{"a line folded by a tab", get + "X: a\r\n\tb\r\n\r\n", fold, false},
		{"a folded first line", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", fold, false},
		{"a line of a space", get + " \r\n\r\n", fold, false},
		{"a NUL in a value", get + "X: a\x00b\r\n\r\n", ctl, false},
		{"a control byte in a value", get + "X: a\x01b\r\n\r\n", ctl, false},
		{"a DEL in a value", get + "X: a\x7fb\r\n\r\n", ctl, false},
		{"a tab in a value", get + "X: a\tb\r\n\r\n", ok, true},
		{"bytes beyond ASCII in a value", get + "X: \xff\xc3\xa9\r\n\r\n", ok, true},
		{"a bare CR in a value", get + "X: a\rb\r\n\r\n", bareCR, false},
		{"a bare CR instead of a line's end", get + "X: a\rContent-Length: 5\r\n\r\n", bareCR, false},
		{"two CR", get + "X: a\r\r\n\r\n", bareCR, false},
		{"a bare LF behind the request line", "GET / HTTP/1.1\n" + host + end, bareLF, false},
		{"a bare LF behind a field", get + "X: a\n\r\n", bareLF, false},
		{"a bare LF as the empty line", get + "\n", bareLF, false},
		{"LF CR", get + "X: a\n\r\r\n\r\n", bareLF, false},
		{"a head too large", get + "X: " + strings.Repeat("x", 5000) + "\r\n\r\n", big + "the head is too large", false},
		{"a request line too long", "GET /" + strings.Repeat("x", 5000) + " HTTP/1.1\r\n", "414 Request URI Too Long: the request line is too long", false},
		{"a head that does not end", get + strings.Repeat("X: y\r\n", 1000), big + "the head is too large", false},
		{"too many fields", get + strings.Repeat("X:\r\n", maxFields) + end, big + "too many fields", false},
		// Lengths (6.2, 6.3).
		{"a body", post + "Content-Length: 3\r\n\r\nabc", "POST / x abc", true},
		{"an empty body", post + "Content-Length: 0\r\n\r\n", "POST / x", true},
		{"no body", post + end, "POST / x", true},
		{"GET with a body", get + "Content-Length: 3\r\n\r\nabc", ok + " abc", true},
		{"zeroes first", post + "Content-Length: 003\r\n\r\nabc", "POST / x abc", true},
		{"two lengths", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", lengths, false},
		{"the same length twice", post + "Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc", lengths, false},
		{"a list of lengths", post + "Content-Length: 3, 3\r\n\r\nabc", length, false},
		{"a negative length", post + "Content-Length: -3\r\n\r\nabc", length, false},
		{"a length with a sign", post + "Content-Length: +3\r\n\r\nabc", length, false},
		{"a hexadecimal length", post + "Content-Length: 0x3\r\n\r\nabc", length, false},
		{"a length with a point", post + "Content-Length: 3.0\r\n\r\nabc", length, false},
		{"a length with an underscore", post + "Content-Length: 1_0\r\n\r\nabc", length, false},
		{"a length with a space inside", post + "Content-Length: 1 0\r\n\r\nabc", length, false},
		{"an empty length", post + "Content-Length:\r\n\r\n", length, false},
		{"a length in other digits", post + "Content-Length: \xd9\xa3\r\n\r\nabc", length, false},
		{"a length too large to count", post + "Content-Length: 9223372036854775808\r\n\r\n", "413 Request Entity Too Large: Content-Length is too large", false},
		{"a length of very many digits", post + "Content-Length: " + strings.Repeat("9", 400) + "\r\n\r\n", "413 Request Entity Too Large: Content-Length is too large", false},
		{"a length in disguise", post + "Content-Length : 3\r\n\r\nabc", name, false},
		{"an underscore makes another field", post + "Content_Length: 3\r\n\r\n", "POST / x", true},
		{"a body that ends early", post + "Content-Length: 9\r\n\r\nabc", "POST / x abc ! unexpected EOF", false},
		// Codings (6.1, 7).
		{"chunked", chunked + "3\r\nabc\r\n0\r\n\r\n", "POST / x abc", true},
		{"chunked in capitals", post + "TRANSFER-ENCODING: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST / x abc", true},
		{"several chunks", chunked + "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "POST / x abc", true},
		{"an empty chunked body", chunked + "0\r\n\r\n", "POST / x", true},
		{"zeroes", chunked + "0003\r\nabc\r\n000\r\n\r\n", "POST / x abc", true},
		{"hexadecimal sizes", chunked + "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "POST / x 01234567890123456789", true},
		{"a length beside it", post + te + "Content-Length: 3\r\n\r\n0\r\n\r\n", both, false},
		{"a length before it", post + "Content-Length: 3\r\n" + te + end + "0\r\n\r\n", both, false},
		{"a length of 0 beside it", post + te + "Content-Length: 0\r\n\r\n0\r\n\r\n", both, false},
		{"chunked twice", post + te + te + "\r\n0\r\n\r\n", badLine + "more than one Transfer-Encoding", false},
		{"chunked twice in a list", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", coding, false},
		{"chunked not last", post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", coding, false},
		{"chunked behind gzip", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", unknown, false},
		{"chunked behind identity", post + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", unknown, false},
		{"gzip", post + "Transfer-Encoding: gzip\r\n\r\n", coding, false},
		{"identity", post + "Transfer-Encoding: identity\r\n\r\n", coding, false},
		{"an empty coding", post + "Transfer-Encoding:\r\n\r\n", coding, false},
		{"a comma before it", post + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", coding, false},
		{"a comma behind it", post + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", coding, false},
		{"a parameter", post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", coding, false},
		{"quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", coding, false},
		{"a word that begins alike", post + "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", coding, false},
		{"a word with x before it", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", coding, false},
		{"a vertical tab before it", post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", ctl, false},
		{"a NUL behind it", post + "Transfer-Encoding: chunked\x00\r\n\r\n0\r\n\r\n", ctl, false},
		{"a no-break space before it", post + "Transfer-Encoding: \xc2\xa0chunked\r\n\r\n0\r\n\r\n", coding, false},
		{"a space before its colon", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", name, false},
		{"it is folded", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", fold, false},
		{"blanks around it", post + "Transfer-Encoding: \t chunked \t\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "POST / x abc", true},
		{"in HTTP/1.0", "POST / HTTP/1.0\r\n" + te + end + "0\r\n\r\n", badLine + "Transfer-Encoding in an HTTP/1.0 request", false},
		{"an underscore makes another field, too", post + "Transfer_Encoding: chunked\r\n\r\n", "POST / x", true},
		{"no size", chunked + "\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a size that is none", chunked + "g\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a negative size", chunked + "-1\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a size with a sign", chunked + "+3\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a size with 0x", chunked + "0x3\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a size with an underscore", chunked + "1_0\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a blank before the size", chunked + " 3\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"blanks behind the size", chunked + "3 \t\r\nabc\r\n0\r\n\r\n", "POST / x abc", true},
		{"a size of 16 digits", chunked + "0000000000000003\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a size of 17 digits", chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"the largest size", chunked + "fffffffffffffff\r\nabc", "POST / x abc ! unexpected EOF", false},
		{"a size line that ends in LF", chunked + "3\nabc\r\n0\r\n\r\n", chunk, false},
		{"a size line that ends in CR", chunked + "3\rabc\r\n0\r\n\r\n", chunk, false},
		{"a chunk that ends in LF", chunked + "3\r\nabc\n0\r\n\r\n", "POST / x abc ! malformed chunked body", false},
		{"a chunk that ends in CR", chunked + "3\r\nabc\r0\r\n\r\n", "POST / x abc ! malformed chunked body", false},
		{"more data than its size", chunked + "3\r\nabcd\r\n0\r\n\r\n", "POST / x abc ! malformed chunked body", false},
		{"an extension", chunked + "3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n", "POST / x abc", true},
		{"an extension behind blanks", chunked + "3 ;a\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"an extension with a bare LF", chunked + "3;a\nabc\r\n0\r\n\r\n", chunk, false},
		{"an extension with a bare CR", chunked + "3;a\rb\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"an extension with a NUL", chunked + "3;\x00\r\nabc\r\n0\r\n\r\n", chunk, false},
		{"a large extension", chunked + "3;" + strings.Repeat("a", 20_000) + "\r\nabc\r\n0\r\n\r\n", "POST / x ! more chunk extensions than data", false},
		{"many small extensions", chunked + strings.Repeat("1;aaaaaaaaaaaaaaaaaaaa\r\na\r\n", 1000), "POST / x " + strings.Repeat("a", 819) + " ! more chunk extensions than data", false},
		{"trailers", chunked + "0\r\nX: y\r\n\r\n", "POST / x", true},
		{"a folded trailer", chunked + "0\r\nX: y\r\n z\r\n\r\n", "POST / x ! a field is folded over several lines", false},
		{"a trailer without a colon", chunked + "0\r\nX\r\n\r\n", "POST / x ! a field line has no colon", false},
		{"a trailer with a space in its name", chunked + "0\r\nX : y\r\n\r\n", "POST / x ! a field's name is not a token", false},
		{"a trailer that ends in LF", chunked + "0\r\nX: y\n\r\n", "POST / x ! a line ends without CR", false},
		{"a trailer with a bare CR", chunked + "0\r\nX: y\rz\r\n\r\n", "POST / x ! a CR does not end a line", false},
		{"a large trailer section", chunked + "0\r\n" + strings.Repeat("X: yyyyyyyyyyyyyyyyyyyyyyy\r\n", 2000) + "\r\n", "POST / x ! the trailer section is too large", false},
		{"many trailers", chunked + "0\r\n" + strings.Repeat("X:\r\n", 200) + "\r\n", "POST / x ! too many fields", false},
		{"no last chunk", chunked + "3\r\nabc\r\n", "POST / x abc ! unexpected EOF", false},
		{"no end behind the last chunk", chunked + "0\r\n", "POST / x ! unexpected EOF", false},
		// Connections (9).
		{"two requests", get + end + next, ok + " | GET /next y", true},
		{"two requests, the first with a body", post + "Content-Length: 3\r\n\r\nabc" + next, "POST / x abc | GET /next y", true},
		{"two requests, the first chunked", chunked + "3\r\nabc\r\n0\r\n\r\n" + next, "POST / x abc | GET /next y", true},
		{"what looks like a request is a body", post + "Content-Length: " + strconv.Itoa(len(next)) + "\r\n\r\n" + next, "POST / x " + next, true},
		{"what looks like a request is a chunk", chunked + fmt.Sprintf("%x\r\n", len(next)) + next + "\r\n0\r\n\r\n" + next, "POST / x " + next + " | GET /next y", true},
		{"many requests", strings.Repeat(get+end, 50), strings.Repeat(ok+" | ", 49) + ok, true},
		{"an empty line between requests", get + end + "\r\n" + next, ok + " | GET /next y", true},
		{"a body longer than its length is the next request", post + "Content-Length: 1\r\n\r\nabc", "POST / x a", false},
		{"a body longer than its length, whole line", post + "Content-Length: 1\r\n\r\nab c\r\n\r\n", "POST / x a | " + noVers, false},
		{"close", get + "Connection: close\r\n\r\n" + next, ok, false},
		{"close in a list", get + "Connection: x , CLOSE\r\n\r\n" + next, ok, false},
		{"close in a second line", get + "Connection: keep-alive\r\nConnection: close\r\n\r\n" + next, ok, false},
		{"close as a part of a word", get + "Connection: closed\r\n\r\n" + next, ok + " | GET /next y", true},
		{"an error ends the connection", get + "X\r\n\r\n" + next, badLine + "a field line has no colon", false},
		{"a broken body ends the connection", chunked + "z\r\n\r\n" + next, chunk, false},
		{"Upgrade passes as a field", get + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + next, ok + " | GET /next y", true},
		{"100-continue with the body at once", post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "100 | POST / x abc", true},
		{"100-continue in HTTP/1.0 is none", "POST / HTTP/1.0\r\n" + host + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", "POST / x abc", false},
		{"another expectation", get + "Expect: miracles\r\n\r\n", "417 Expectation Failed: the expectation is not known", false},
		{"nothing at all", "", "", true},
		{"half a head", get, "", false},
	}
}

type conformanceCase struct {
	name, in, want string
	open           bool
}

func TestConformance(t *testing.T) {
	for _, tt := range conformance() {
		t.Run(tt.name, func(t *testing.T) {
			for cut, in := range map[string]io.Reader{
				"whole": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)), "in halves": iotest.HalfReader(strings.NewReader(tt.in)),
			} {
				saw, out, open := talk(in)
				if got := transcript(saw, out); got != tt.want || open != tt.open {
					t.Errorf("%s: %.300q, open %v; want %.300q, open %v", cut, got, open, tt.want, tt.open)
				}
			}
		})
	}
}

// TestConformanceOverSockets runs the cases that end by what was sent, and not by its end, once more
// over a connection that stays open.
func TestConformanceOverSockets(t *testing.T) {
	s := start(t, func(ctx context.Context, req *Request, sink Sink) bool {
		if req.Body != nil {
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				answerText(sink, 499, "")
				return false
			}
		}
		answerText(sink, 200, req.Target)
		return false
	}, nil)
	for _, tt := range conformance() {
		if tt.want == "" || strings.HasSuffix(tt.want, "unexpected EOF") || strings.HasPrefix(tt.want, "100") || strings.HasPrefix(tt.in, "\r\n\r\n") {
			continue
		}
		if !tt.open && !strings.Contains(tt.in[max(0, len(tt.in)-2):], "\n") {
			continue // more could come
		}
		t.Run(tt.name, func(t *testing.T) {
			p := s.dial(t)
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				p.send(tt.in)
				if tt.open {
					p.send("GET /probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				}
			}()
			all, err := io.ReadAll(p.r)
			<-sent
			if err != nil || bytes.HasSuffix(all, []byte("\r\n\r\n/probe")) != tt.open {
				t.Errorf("%.300q %v", all, err)
			}
		})
	}
}

// date matches the one field of an answer that is not the same each time.
func undated(s string) string {
	return regexp.MustCompile(`Date: [^\r]* GMT\r\n`).ReplaceAllString(s, "")
}

// FuzzServer feeds connections: the cuts do not matter, and what net/http refuses because two readers
// could understand it differently is refused here. What both accept is read alike.
func FuzzServer(f *testing.F) {
	for _, tt := range conformance() {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 64<<10 {
			return
		}
		saw, out, open := talk(bytes.NewReader(in))
		cut, cutOut, cutOpen := talk(iotest.OneByteReader(bytes.NewReader(in)))
		if fmt.Sprint(saw) != fmt.Sprint(cut) || undated(out) != undated(cutOut) || open != cutOpen {
			t.Errorf("whole: %+v, %q, open %v\nbyte by byte: %+v, %q, open %v", saw, out, open, cut, cutOut, cutOpen)
		}
		compare(t, in, saw)
	})
}

// compare reads in with net/http, too.
func compare(t *testing.T, in []byte, saw []seen) {
	t.Helper()
	r := bufio.NewReaderSize(bytes.NewReader(in), 64<<10)
	for i, ours := range saw {
		if lead, err := r.Peek(2); err == nil && string(lead) == "\r\n" {
			_, _ = r.Discard(2) // ours takes an empty line before a request
		}
		theirs, err := http.ReadRequest(r)
		if err != nil {
			if !harmless(err, ours) {
				t.Errorf("request %d: net/http refuses it: %v; here: %+v", i, err, ours)
			}
			return
		}
		body, err := io.ReadAll(theirs.Body)
		if ours.err != nil {
			return
		}
		if err != nil || string(body) != ours.body {
			t.Errorf("request %d: net/http reads the body %q, %v; here: %q", i, body, err, ours.body)
			return
		}
		if theirs.Method != ours.method || theirs.RequestURI != ours.target || theirs.Host != ours.host {
			t.Errorf("request %d: net/http reads %s %s %s; here: %+v", i, theirs.Method, theirs.RequestURI, theirs.Host, ours)
		}
		for name := range theirs.Header {
			if want, got := theirs.Header[name], ours.header.Values(name); fmt.Sprintf("%q", want) != fmt.Sprintf("%q", got) {
				t.Errorf("request %d: %s is %q to net/http; here: %q", i, name, want, got)
			}
		}
	}
}

// harmless reports whether net/http refuses a request for its own ideas of addresses, which are the
// provider's business here, or of a head's size.
func harmless(err error, ours seen) bool {
	text := err.Error()
	return strings.Contains(text, "invalid URI") || strings.Contains(text, "invalid URL escape") || strings.Contains(text, "invalid host") ||
		strings.Contains(text, "invalid port") || strings.Contains(text, "invalid character") && strings.Contains(text, "in host name") ||
		strings.Contains(text, "missing ']'") || strings.HasPrefix(text, "parse ") || errors.Is(err, bufio.ErrBufferFull)
}

func BenchmarkHead(b *testing.B) {
	text := "POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8088\r\nAccept: application/json\r\n" +
		"Content-Type: application/json\r\nUser-Agent: OpenAI/JS 5.1.0\r\nX-Stainless-Lang: js\r\nX-Stainless-Package-Version: 5.1.0\r\n" +
		"X-Stainless-Os: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: node\r\nX-Stainless-Runtime-Version: v22.12.0\r\n" +
		"Authorization: Bearer sk-1234567890123456789012345678901234567890\r\nContent-Length: 1024\r\nConnection: keep-alive\r\n\r\n"
	var fields sluice.Header
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		h, r := parseHead(text, fields[:0])
		if r != nil {
			b.Fatal(r)
		}
		fields = h.fields
	}
}
