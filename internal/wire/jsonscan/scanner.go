package jsonscan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// scanner walks over b. Its methods take the index where they begin and return the index behind what
// they read, or -1 when the bytes are not JSON.
type scanner struct {
	b    []byte
	high uint64 // all words of strings, and a few bytes behind them, or-ed: a hint at bytes that are not ASCII
}

// top reads the object with its wanted members.
func (s *scanner) top(keys []string, out []Value, sc *Scan) int {
	i := s.space(0)
	if s.at(i) != '{' {
		return -1
	}
	if i = s.space(i + 1); s.at(i) == '}' {
		return i + 1
	}
	for {
		if s.at(i) != '"' {
			return -1
		}
		end, escaped := s.str(i)
		if end < 0 {
			return -1
		}
		k := wanted(s.b[i:end], escaped, keys, sc)
		if i = s.space(end); s.at(i) != ':' {
			return -1
		}
		i = s.space(i + 1)
		if end = s.value(i); end < 0 {
			return -1
		}
		if k >= 0 {
			if out[k].Found {
				sc.Repeated = keys[k]
			}
			out[k] = Of(s.b[i:end])
		}
		i = s.space(end)
		switch s.at(i) {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

// wanted returns which of keys the quoted key is, or -1. It notes a key that differs in case only.
func wanted(quoted []byte, escaped bool, keys []string, sc *Scan) int {
	key := quoted[1 : len(quoted)-1]
	if escaped {
		// Six bytes of escape make one byte of key, and folding makes three bytes of one.
		if len(key) > 6*3*64 {
			return -1
		}
		var t string
		if json.Unmarshal(quoted, &t) != nil {
			return -1
		}
		key = []byte(t)
	}
	for k, want := range keys {
		if string(key) == want {
			return k
		}
	}
	if len(key) == 0 {
		return -1
	}
	for _, want := range keys {
		// Only "K" and "ſ" fold to ASCII from outside of it.
		near := (key[0]^want[0])&^0x20 == 0 || key[0] >= 0x80
		if near && bytes.EqualFold(key, []byte(want)) {
			sc.Variant = string(key)
		}
	}
	return -1
}

// value reads any value.
func (s *scanner) value(i int) int {
	if c := s.at(i); c != '{' && c != '[' {
		return s.scalar(i)
	}
	return s.nested(i)
}

// nested reads the object or array at i and all that is in it. It does not recurse: depth is the
// sender's choice, the stack is ours.
func (s *scanner) nested(i int) int {
	var st Stack
	st.Push(true) // the top-level object is around it
values:
	for {
		if c := s.at(i); c == '{' || c == '[' {
			if !st.Push(c == '{') {
				return -1
			}
			if i = s.space(i + 1); s.at(i) != c+2 { // ']' is '[' + 2, and '}' is '{' + 2
				if c == '{' {
					if i = s.key(i); i < 0 {
						return -1
					}
				}
				continue
			}
			st.Pop()
			i++
		} else if i = s.scalar(i); i < 0 {
			return -1
		}
		for st.Depth() > 1 {
			i = s.space(i)
			switch c := s.at(i); {
			case c == ',':
				if i = s.space(i + 1); st.Object() {
					if i = s.key(i); i < 0 {
						return -1
					}
				}
				continue values
			case c == '}' && st.Object(), c == ']' && !st.Object():
				st.Pop()
				i++
			default:
				return -1
			}
		}
		return i
	}
}

// key reads a key and its colon, and returns where the value begins.
func (s *scanner) key(i int) int {
	if s.at(i) != '"' {
		return -1
	}
	if i, _ = s.str(i); i < 0 {
		return -1
	}
	if i = s.space(i); s.at(i) != ':' {
		return -1
	}
	return s.space(i + 1)
}

// scalar reads a string, a number or a literal.
func (s *scanner) scalar(i int) int {
	switch c := s.at(i); c {
	case '"':
		end, _ := s.str(i)
		return end
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number(i)
	}
	return -1
}

func (s *scanner) literal(i int, word string) int {
	if end := i + len(word); end <= len(s.b) && string(s.b[i:end]) == word {
		return end
	}
	return -1
}

func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	switch c := s.at(i); {
	case c == '0':
		i++
	case c >= '1' && c <= '9':
		i = s.digits(i)
	default:
		return -1
	}
	if s.at(i) == '.' {
		if i++; !isDigit(s.at(i)) {
			return -1
		}
		i = s.digits(i)
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		i++
		if c := s.at(i); c == '+' || c == '-' {
			i++
		}
		if !isDigit(s.at(i)) {
			return -1
		}
		i = s.digits(i)
	}
	return i
}

func (s *scanner) digits(i int) int {
	for i < len(s.b) && isDigit(s.b[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// str reads the string whose opening quote is at i, and says whether it holds an escape.
func (s *scanner) str(i int) (end int, escaped bool) {
	b, high := s.b, s.high
	i++
	for {
		for i+8 <= len(b) {
			w := binary.LittleEndian.Uint64(b[i:])
			high |= w
			if m := stops(w); m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			high |= uint64(b[i])
			i++
		}
		if i >= len(b) || b[i] < ' ' {
			return -1, escaped
		}
		if b[i] == '"' {
			s.high = high
			return i + 1, escaped
		}
		n := escape(b[i:])
		if n == 0 {
			return -1, true
		}
		i, escaped = i+n, true
	}
}

// Inside returns the index of what ends the inside of a string, in which i is: a quote, a control
// character, a backslash that is b's last byte, or the end of b. escaped says whether there was a
// backslash before. What a backslash escapes is not checked.
func Inside(b []byte, i int) (end int, escaped bool) {
	for {
		for i+8 <= len(b) {
			m := stops(binary.LittleEndian.Uint64(b[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i+1 >= len(b) || b[i] != '\\' {
			return i, escaped
		}
		i, escaped = i+2, true
	}
}

// stops marks, in the highest bit of its byte, the first quote, backslash or control character in w.
// Marks above the first may be wrong.
func stops(w uint64) uint64 {
	quote := w ^ lowBits*'"'
	slash := w ^ lowBits*'\\'
	return ((quote-lowBits)&^quote | (slash-lowBits)&^slash | (w-lowBits*' ')&^w) & highBits
}

// escape returns the length of the escape at the beginning of b, 0 when it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(b) < 6 || !isHex(b[2]) || !isHex(b[3]) || !isHex(b[4]) || !isHex(b[5]) {
			return 0
		}
		return 6
	}
	return 0
}

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (s *scanner) space(i int) int {
	for i < len(s.b) {
		if c := s.b[i]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			break
		}
		i++
	}
	return i
}

// at returns the byte at i, and 0, which is no part of any JSON text, behind the end.
func (s *scanner) at(i int) byte {
	if i < len(s.b) {
		return s.b[i]
	}
	return 0
}
