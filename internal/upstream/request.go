package upstream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

// check refuses what would not reach the upstream as one request with one meaning.
func (r *Request) check() error {
	switch {
	case r.Scheme != "http" && r.Scheme != "https":
		return fmt.Errorf("scheme %q is neither http nor https", r.Scheme)
	case !http1.IsToken(r.Method):
		return fmt.Errorf("method %q is no token", r.Method)
	case r.Method == "CONNECT":
		return errors.New("CONNECT asks for a tunnel, not for an answer")
	case !isTarget(r.Target):
		return fmt.Errorf("target %q does not begin with / or holds spaces or control bytes", r.Target)
	case r.HostHeader != "" && !isAuthority(r.HostHeader):
		return fmt.Errorf("host field %q is not host or host:port", r.HostHeader)
	case r.Body != nil && r.BodyReader != nil:
		return errors.New("the body is given twice")
	case r.BodyReader != nil && r.Length < -1:
		return fmt.Errorf("body length %d", r.Length)
	case r.Upgrade != "" && (!http1.IsToken(r.Upgrade) || r.hasBody()):
		return fmt.Errorf("a change to protocol %q, or one with a body", r.Upgrade)
	}
	if !isAuthority(r.Host) {
		return fmt.Errorf("host %q is not host or host:port", r.Host)
	}
	return checkFields(r.Header)
}

func checkFields(fields sluice.Header) error {
	for i := range fields {
		if !http1.IsToken(fields[i].Name) {
			return fmt.Errorf("field name %q is no token", fields[i].Name)
		}
		if !http1.IsText(fields[i].Value) {
			return fmt.Errorf("the value of field %s holds control bytes", fields[i].Name)
		}
	}
	return nil
}

// isTarget lets bytes above 127 through: clients send them, and they hurt nobody's framing.
func isTarget(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return strings.HasPrefix(s, "/")
}

// isAuthority accepts a name or IPv4 address, or an IPv6 address in brackets, with or without a port.
func isAuthority(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == '[' {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return false
		}
		if a, err := netip.ParseAddr(s[1:end]); err != nil || !a.Is6() {
			return false
		}
		return s[end+1:] == "" || s[end+1] == ':' && isPort(s[end+2:])
	}
	name, port, found := strings.Cut(s, ":")
	for i := range len(name) {
		c := name[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return name != "" && (!found || isPort(port))
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && s[0] != '+'
}

// splitHost returns the name or address in an authority, without brackets, and the address to dial.
func splitHost(authority string, secure bool) (name, addr string) {
	port := "80"
	if secure {
		port = "443"
	}
	if host, p, err := net.SplitHostPort(authority); err == nil {
		return host, net.JoinHostPort(host, p)
	}
	name = strings.Trim(authority, "[]")
	return name, net.JoinHostPort(name, port)
}

// hasBody reports whether a body is sent, be it an empty one.
func (r *Request) hasBody() bool { return r.Body != nil || r.BodyReader != nil }

func (r *Request) chunked() bool { return r.BodyReader != nil && r.Length < 0 }

// appendHead appends the head of r: the fields in order and as they are, Host first, the framing where
// the caller had one, so that the order that a client chose stays.
func appendHead(b []byte, r *Request) []byte {
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.Target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if r.HostHeader != "" {
		b = append(b, r.HostHeader...)
	} else {
		b = append(b, r.Host...)
	}
	b = append(b, "\r\n"...)
	framed := false
	for i := range r.Header {
		f := &r.Header[i]
		switch classOf(f.Name) {
		case endToEnd, aboutHost:
			b = appendField(b, f.Name, f.Value)
		case contentLength, transferEncoding:
			if !framed {
				b, framed = appendFraming(b, r), true
			}
		case hopByHop:
			// The announcement of trailers goes with the trailers.
			if r.chunked() && r.Trailer != nil && strings.EqualFold(f.Name, "trailer") {
				b = appendField(b, f.Name, f.Value)
			}
		}
	}
	if !framed {
		b = appendFraming(b, r)
	}
	if r.Upgrade != "" {
		b = appendField(b, "Connection", "Upgrade")
		b = appendField(b, "Upgrade", r.Upgrade)
	}
	return append(b, "\r\n"...)
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// appendFraming says how the body is delimited. Methods that are expected to have one say so when it is
// empty, too (RFC 9110, 8.6): servers answer 411 otherwise.
func appendFraming(b []byte, r *Request) []byte {
	length := int64(len(r.Body))
	switch {
	case r.chunked():
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	case r.BodyReader != nil:
		length = r.Length
	case r.Body == nil && r.Method != "POST" && r.Method != "PUT" && r.Method != "PATCH":
		return b
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, length, 10)
	return append(b, "\r\n"...)
}
