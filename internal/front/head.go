package front

import (
	"errors"
	"math"
	"net/http"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

// maxFields bounds the field lines of a request, beside the bytes of its head.
const maxFields = 500

// refusal is why the server answers a request itself and ends the connection. Its text goes to the
// client; it holds nothing of what was read.
type refusal struct {
	status int
	text   string
}

// Error implements error.
func (r *refusal) Error() string { return r.text }

func bad(text string) *refusal { return &refusal{http.StatusBadRequest, text} }

// head is a request's head: what the handler gets, and what concerns the connection.
type head struct {
	method, target, host string
	fields               sluice.Header // as sent, in order, without Host
	minor                int           // of HTTP/1.x

	length  int64 // of the body; -1: unknown, it is chunked
	chunked bool
	close   bool // the connection ends with this request, if the client has its way
	keep    bool // it says keep-alive
	expect  bool // it waits for 100 Continue before it sends the body
	trailer bool // it announces trailers
}

// parseHead reads a whole head, as http1.HeadScan found it. Fields are appended to into; all strings
// lie in s. Whatever two readers could understand differently is refused (RFC 9112, 2 to 6, 11).
func parseHead(s string, into sluice.Header) (head, *refusal) {
	h := head{fields: into}
	end := strings.IndexByte(s, '\r')
	if end < 0 || end+1 == len(s) || s[end+1] != '\n' {
		return h, bad("the request line does not end in CR LF")
	}
	if r := h.requestLine(s[:end]); r != nil {
		return h, r
	}
	fields, err := http1.ParseFields(s[end+2:], into, maxFields)
	if err != nil {
		h.fields = fields
		if errors.Is(err, http1.ErrFields) {
			return h, &refusal{http.StatusRequestHeaderFieldsTooLarge, err.Error()}
		}
		return h, bad(err.Error())
	}
	h.fields = fields
	return h, h.readFields()
}

// requestLine reads "POST /v1/x HTTP/1.1".
func (h *head) requestLine(line string) *refusal {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !http1.IsToken(method) {
		return bad("the request line has no valid method")
	}
	target, version, ok := strings.Cut(rest, " ")
	if !ok {
		return bad("the request line has no version")
	}
	h.method, h.target = method, target
	switch {
	case version == "HTTP/1.1":
		h.minor = 1
	case version == "HTTP/1.0":
		h.close = true
	case len(version) == len("HTTP/1.1") && version[:5] == "HTTP/" && isDigit(version[5]) && version[6] == '.' && isDigit(version[7]):
		return &refusal{http.StatusHTTPVersionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
	default:
		return bad("the request line has no valid version")
	}
	return h.checkTarget()
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// checkTarget wants the origin form, the absolute form, or the asterisk of OPTIONS. Bytes beyond ASCII
// pass: clients send them, and they are the provider's business.
func (h *head) checkTarget() *refusal {
	t := h.target
	for i := range len(t) {
		if c := t[i]; c <= ' ' || c == 0x7f || c == '#' {
			return bad("the request target holds a byte that must be encoded")
		}
	}
	switch {
	case h.method == http.MethodConnect:
		return &refusal{http.StatusNotImplemented, "CONNECT is not supported"}
	case strings.HasPrefix(t, "/"):
		return nil
	case t == "*":
		if h.method != http.MethodOptions {
			return bad("the target * belongs to OPTIONS")
		}
		return nil
	}
	scheme, rest, ok := strings.Cut(t, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return bad("the request target is neither a path nor an address")
	}
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	if h.host = rest; rest == "" || !isHost(rest) {
		return bad("the request target has no valid host")
	}
	return nil
}

// isHost reports whether s consists of what a host and a port may consist of (RFC 3986, 3.2).
func isHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', isDigit(c):
		case strings.IndexByte("-._~%!$&'()*+,;=:[]", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// readFields takes in what the fields say about this hop, and takes Host out of them.
func (h *head) readFields() *refusal {
	var hosts, lengths, codings int
	kept := h.fields[:0]
	for _, f := range h.fields {
		var r *refusal
		switch len(f.Name) {
		case len("Host"):
			if strings.EqualFold(f.Name, "Host") {
				hosts++
				r = h.hostField(f.Value)
				if r == nil && hosts == 1 {
					continue
				}
			}
		case len("Content-Length"):
			if strings.EqualFold(f.Name, "Content-Length") {
				lengths++
				r = h.lengthField(f.Value)
			}
		case len("Transfer-Encoding"):
			if strings.EqualFold(f.Name, "Transfer-Encoding") {
				codings++
				r = h.codingField(f.Value)
			}
		case len("Connection"):
			if strings.EqualFold(f.Name, "Connection") {
				h.close = h.close || http1.HasToken(f.Value, "close")
				h.keep = h.keep || http1.HasToken(f.Value, "keep-alive")
			}
		case len("Expect"):
			if strings.EqualFold(f.Name, "Expect") {
				r = h.expectField(f.Value)
			}
		case len("Trailer"):
			h.trailer = h.trailer || strings.EqualFold(f.Name, "Trailer") && f.Value != ""
		}
		if r != nil {
			return r
		}
		kept = append(kept, f)
	}
	clear(h.fields[len(kept):])
	h.fields = kept
	return h.agree(hosts, lengths, codings)
}

// agree refuses fields that contradict each other.
func (h *head) agree(hosts, lengths, codings int) *refusal {
	switch {
	case hosts > 1:
		return bad("more than one Host")
	case hosts == 0 && h.minor > 0:
		return bad("no Host")
	case lengths > 1:
		return bad("more than one Content-Length")
	case codings > 1:
		return bad("more than one Transfer-Encoding")
	case codings > 0 && lengths > 0:
		return bad("both Content-Length and Transfer-Encoding")
	case codings > 0 && h.minor == 0:
		return bad("Transfer-Encoding in an HTTP/1.0 request")
	}
	h.chunked = codings > 0
	if h.chunked {
		h.length = -1
	}
	if h.minor == 0 {
		h.close = !h.keep
	}
	h.expect = h.expect && h.minor > 0 && h.length != 0
	h.trailer = h.trailer && h.chunked
	return nil
}

// hostField takes Host, unless the target names the host (RFC 9112, 3.2.2).
func (h *head) hostField(v string) *refusal {
	if !isHost(v) {
		return bad("Host is not valid")
	}
	if h.host == "" {
		h.host = v
	}
	return nil
}

// lengthField reads digits and nothing else.
func (h *head) lengthField(v string) *refusal {
	n := int64(0)
	for i := range len(v) {
		if !isDigit(v[i]) {
			return bad("Content-Length is not a number")
		}
		if n > (math.MaxInt64-9)/10 {
			return &refusal{http.StatusRequestEntityTooLarge, "Content-Length is too large"}
		}
		n = 10*n + int64(v[i]-'0')
	}
	if v == "" {
		return bad("Content-Length is not a number")
	}
	h.length = n
	return nil
}

// codingField knows "chunked" and nothing else. A body whose end only an unknown coding tells is a bad
// request; one that chunked ends last is well-formed, and not supported (RFC 9112, 6.1 and 6.3).
func (h *head) codingField(v string) *refusal {
	if strings.EqualFold(v, "chunked") {
		return nil
	}
	last, tokens, chunks := "", true, 0
	for one := range strings.SplitSeq(v, ",") {
		last = strings.Trim(one, " \t")
		tokens = tokens && http1.IsToken(last)
		if strings.EqualFold(last, "chunked") {
			chunks++
		}
	}
	if tokens && chunks == 1 && strings.EqualFold(last, "chunked") {
		return &refusal{http.StatusNotImplemented, "the transfer coding is not supported"}
	}
	return bad("Transfer-Encoding is not valid")
}

func (h *head) expectField(v string) *refusal {
	if !strings.EqualFold(v, "100-continue") {
		return &refusal{http.StatusExpectationFailed, "the expectation is not known"}
	}
	h.expect = true
	return nil
}
