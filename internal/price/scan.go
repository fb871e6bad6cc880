package price

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// scanner reads JSON strictly and fast: whole numbers only, no key twice, nothing unknown (the caller
// refuses what it does not know). The first error sticks, and everything after it reads as empty.
type scanner struct {
	text string
	at   int
	err  error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("at byte %d: %s", s.at, fmt.Sprintf(format, args...))
		s.at = len(s.text)
	}
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at >= len(s.text) {
		return 0
	}
	return s.text[s.at]
}

// take wants c next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		s.fail("want %q", c)
		return false
	}
	s.at++
	return true
}

// object calls field for each key; field must read the value. No key may come twice.
func (s *scanner) object(field func(key string)) {
	if !s.take('{') {
		return
	}
	if s.peek() == '}' {
		s.at++
		return
	}
	var few [24]string
	seen := few[:0]
	for s.err == nil {
		key := s.str()
		for _, k := range seen {
			if k == key {
				s.fail("%q comes twice", key)
			}
		}
		if seen = append(seen, key); len(seen) > maxKeys {
			s.fail("too many keys")
		}
		if !s.take(':') {
			return
		}
		field(key)
		if s.peek() != ',' {
			break
		}
		s.at++
	}
	s.take('}')
}

// maxKeys bounds an object, whose keys are compared each with each.
const maxKeys = 64

// array calls item for each element; item must read it.
func (s *scanner) array(item func()) {
	if !s.take('[') {
		return
	}
	if s.peek() == ']' {
		s.at++
		return
	}
	for s.err == nil {
		item()
		if s.peek() != ',' {
			break
		}
		s.at++
	}
	s.take(']')
}

// str reads a string. One without escapes is a part of the text: nothing is copied.
func (s *scanner) str() string {
	if !s.take('"') {
		return ""
	}
	start := s.at
	for i := start; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return s.valid(s.text[start:i])
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.fail("a control character in a string")
			return ""
		}
	}
	s.fail("a string without an end")
	return ""
}

func (s *scanner) valid(v string) string {
	for i := range len(v) {
		if v[i] >= utf8.RuneSelf {
			if !utf8.ValidString(v) {
				s.fail("a string that is no UTF-8")
				return ""
			}
			break
		}
	}
	return v
}

// escaped reads a string with escapes in it, which are rare.
func (s *scanner) escaped(start int) string {
	end := start
	for end < len(s.text) && s.text[end] != '"' {
		if s.text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(s.text) {
		s.fail("a string without an end")
		return ""
	}
	var v string
	if err := json.Unmarshal([]byte(s.text[start-1:end+1]), &v); err != nil {
		s.fail("a string that is none")
		return ""
	}
	s.at = end + 1
	return s.valid(v)
}

// whole reads a whole number from 0 to most.
func (s *scanner) whole(most int64) int64 {
	s.space()
	n := digits(s.text[s.at:])
	if n == 0 || n > 1 && s.text[s.at] == '0' || n > 19 {
		s.fail("want a whole number")
		return 0
	}
	v, err := strconv.ParseInt(s.text[s.at:s.at+n], 10, 64)
	if err != nil || v > most {
		s.fail("a number above %d", most)
		return 0
	}
	s.at += n
	if s.at < len(s.text) && (s.text[s.at] == '.' || s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		s.fail("want a whole number")
	}
	return v
}

// end wants nothing more.
func (s *scanner) end() {
	if s.peek() != 0 || s.err == nil && s.at < len(s.text) {
		s.fail("something follows")
	}
}
