// Package http1 is what both sides of HTTP/1.1 have in common (RFC 9112): tokens, field lines, the end
// of a head, and chunked bodies. It is strict: what two readers could understand differently is an
// error, and no reader has to wait for more bytes to find it. Errors name the fault and hold nothing of
// what was read, so that they can be shown to whoever sent it.
package http1

import (
	"bytes"
	"errors"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// Errors of heads and field lines.
var (
	ErrBareLF  = errors.New("a line ends without CR")
	ErrBareCR  = errors.New("a CR does not end a line")
	ErrFold    = errors.New("a field is folded over several lines")
	ErrColon   = errors.New("a field line has no colon")
	ErrName    = errors.New("a field's name is not a token")
	ErrControl = errors.New("a field's value holds control bytes")
	ErrFields  = errors.New("too many fields")
	ErrEnd     = errors.New("the fields do not end")
)

// Bit sets of the bytes below 64 and of those from 64 to 127 that may stand in a token (RFC 9110, 5.6.2).
const (
	tokenLow uint64 = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' |
		0x3ff<<'0'
	tokenHigh uint64 = 0x3ffffff<<('A'-64) | 0x3ffffff<<('a'-64) |
		1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64)
)

// IsTokenByte reports whether c may stand in a token.
func IsTokenByte(c byte) bool {
	if c < 64 {
		return tokenLow>>c&1 != 0
	}
	return c < 128 && tokenHigh>>(c-64)&1 != 0
}

// IsToken reports whether s is a token: a method, or a field's name.
func IsToken(s string) bool {
	for i := range len(s) {
		if !IsTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// IsText reports whether s may stand in a field's value: no control bytes but the tab.
func IsText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// HasToken reports whether a comma-separated list has token as a member, in any case.
func HasToken(list, token string) bool {
	for list != "" {
		var one string
		one, list, _ = strings.Cut(list, ",")
		if strings.EqualFold(strings.Trim(one, " \t"), token) {
			return true
		}
	}
	return false
}

// HeadScan looks for the end of a head in bytes that grow. The zero value stands before the first byte.
type HeadScan struct {
	at   int // looked at so far
	line int // where the current line begins
}

// End returns the length of the head at the front of b, its empty line included, or 0 while there is
// none. b is what was given before, and what came behind it. Lines must end in CR LF.
func (s *HeadScan) End(b []byte) (int, error) {
	for {
		i := bytes.IndexByte(b[s.at:], '\n')
		if i < 0 {
			s.at = len(b)
			return 0, nil
		}
		lf := s.at + i
		if lf == 0 || b[lf-1] != '\r' {
			return 0, ErrBareLF
		}
		s.at = lf + 1
		if lf-1 == s.line {
			return s.at, nil
		}
		s.line = s.at
	}
}

// Lines reports whether a line has ended within what was scanned.
func (s *HeadScan) Lines() bool { return s.line > 0 }

// ParseFields reads field lines up to the empty line that ends them, and appends them to into, most of
// them in all. Names stay as they were sent, values lose the white space around them; all lie in s.
func ParseFields(s string, into sluice.Header, most int) (sluice.Header, error) {
	for {
		end := strings.IndexByte(s, '\r')
		if end < 0 || end+1 == len(s) {
			return into, ErrEnd
		}
		if s[end+1] != '\n' {
			return into, ErrBareCR
		}
		line := s[:end]
		s = s[end+2:]
		if line == "" {
			return into, nil
		}
		if line[0] == ' ' || line[0] == '\t' {
			return into, ErrFold
		}
		colon := strings.IndexByte(line, ':')
		if colon < 0 {
			return into, ErrColon
		}
		if !IsToken(line[:colon]) {
			return into, ErrName
		}
		value := trim(line[colon+1:])
		if !IsText(value) {
			return into, ErrControl
		}
		if len(into) >= most {
			return into, ErrFields
		}
		into = append(into, sluice.Field{Name: line[:colon], Value: value})
	}
}

// trim drops the white space around a value. There is one blank before most, and none behind.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}
