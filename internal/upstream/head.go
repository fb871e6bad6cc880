package upstream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

const (
	maxHead    = 256 << 10 // bytes
	maxFields  = 1000
	maxInterim = 5 // 1xx answers before the final one
)

// checkStart refuses bytes that cannot become a head of HTTP/1, so that nobody waits for the rest of it.
func checkStart(b []byte) error {
	const begin = "HTTP/1."
	if n := min(len(b), len(begin)); string(b[:n]) == begin[:n] {
		return nil
	}
	if len(b) > 3 && b[0] == 0 && b[3] == 4 {
		return errFrame
	}
	return fmt.Errorf("the answer begins with %q, not with HTTP/1", b[:min(len(b), 16)])
}

var (
	errFrame    = errors.New("the answer is an HTTP/2 frame")
	errLengths  = errors.New("more than one length is announced")
	errLarge    = errors.New("the head is larger than 256 KB")
	errSwitched = errors.New("the upstream switched protocols unasked")
	errInterim  = errors.New("too many interim answers")
)

// head is an answer's head: what is passed on, and what concerns this hop.
type head struct {
	status int
	proto  string
	fields sluice.Header // hop-by-hop fields still in

	length  int64 // announced; -1: not
	chunked bool
	close   bool          // the connection ends with this answer
	keep    time.Duration // how long the host keeps idle connections; 0: it does not say
}

// parseHead reads a whole head, as http1.HeadScan found it. Fields are appended to into. The strings of the
// head all lie in s.
func parseHead(s string, into sluice.Header) (head, error) {
	line, rest, _ := strings.Cut(s, "\r\n")
	h := head{length: -1}
	if err := h.statusLine(line); err != nil {
		return h, err
	}
	fields, err := http1.ParseFields(rest, into, maxFields)
	if err != nil {
		return h, err
	}
	h.fields = fields
	return h, h.readFields()
}

// statusLine reads "HTTP/1.1 200 OK". Statuses run to 999: some servers use them, and they pass.
func (h *head) statusLine(s string) error {
	bad := func() error { return fmt.Errorf("status line %.64q", s) }
	if len(s) < len("HTTP/1.1 200") || s[8] != ' ' || !http1.IsText(s) {
		return bad()
	}
	switch s[:8] {
	case "HTTP/1.1":
		h.proto = "HTTP/1.1"
	case "HTTP/1.0":
		h.proto, h.close = "HTTP/1.0", true
	default:
		return bad()
	}
	for _, c := range []byte(s[9:12]) {
		if c < '0' || c > '9' {
			return bad()
		}
		h.status = 10*h.status + int(c-'0')
	}
	if h.status < 100 || len(s) > 12 && s[12] != ' ' {
		return bad()
	}
	return nil
}

// readFields takes in what the fields say about this hop. Anything that two readers could understand
// differently, as to where the body ends, is an error.
func (h *head) readFields() error {
	coded := false
	for i := range h.fields {
		f := &h.fields[i]
		switch classOf(f.Name) {
		case contentLength:
			if h.length >= 0 {
				return errLengths
			}
			n, err := parseLength(f.Value)
			if err != nil {
				return err
			}
			h.length = n
		case transferEncoding:
			if coded || !strings.EqualFold(f.Value, "chunked") {
				return fmt.Errorf("unknown transfer coding %.64q", f.Value)
			}
			coded = true
		case connection:
			h.close = h.close || http1.HasToken(f.Value, "close")
		case keepAlive:
			h.keep = keepTime(f.Value)
		}
	}
	if coded && h.length >= 0 {
		return errors.New("a length and a transfer coding are both announced")
	}
	if coded && h.proto == "HTTP/1.0" {
		return errors.New("a transfer coding in an HTTP/1.0 answer")
	}
	h.chunked = coded
	return nil
}

// parseLength reads digits and nothing else.
func parseLength(s string) (int64, error) {
	if s == "" || s[0] == '+' || s[0] == '-' {
		return 0, fmt.Errorf("content-length %.64q", s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("content-length %.64q", s)
	}
	return n, nil
}

// keepTime reads Keep-Alive's timeout, and leaves a margin for the way: a request must not arrive in
// the moment of the close.
func keepTime(s string) time.Duration {
	var keep time.Duration
	eachToken(s, func(t string) {
		name, value, _ := strings.Cut(t, "=")
		if n, err := strconv.ParseUint(value, 10, 31); err == nil && strings.EqualFold(name, "timeout") {
			d := time.Duration(n) * time.Second
			keep = max(d-time.Second, d/2, time.Nanosecond)
		}
	})
	return keep
}

// endToEndFields drops, in place, what concerns one hop only: the known fields and those that
// Connection names. What speaks for another host goes too. Content-Length stays, as information.
func endToEndFields(fields sluice.Header) sluice.Header {
	var named []string
	for i := range fields {
		if classOf(fields[i].Name) == connection {
			eachToken(fields[i].Value, func(t string) { named = append(named, t) })
		}
	}
	kept := fields[:0]
	for _, f := range fields {
		if c := classOf(f.Name); (c == endToEnd || c == contentLength || c == hostField) && !isNamed(f.Name, named) {
			kept = append(kept, f)
		}
	}
	return kept
}

func isNamed(name string, named []string) bool {
	for _, n := range named {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// trailerFields drops what must not come behind a body: framing and routing (RFC 9110, 6.5.1).
func trailerFields(fields sluice.Header) sluice.Header {
	fields = endToEndFields(fields)
	fields.Del("Content-Length")
	fields.Del("Host")
	return fields
}
