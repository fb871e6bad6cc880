package estimate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// class is what the rules by which texts are cut into pieces ask of a character.
type class uint8

const (
	letter  class = 1 << iota // \p{L}
	upper                     // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
	lower                     // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
	number                    // \p{N}
	space                     // \s
	newline                   // [\r\n]
)

func classOf(r rune) class {
	switch {
	case 'a' <= r && r <= 'z':
		return letter | lower
	case 'A' <= r && r <= 'Z':
		return letter | upper
	case '0' <= r && r <= '9':
		return number
	case r == '\n' || r == '\r':
		return space | newline
	case unicode.IsSpace(r):
		return space
	case r < utf8.RuneSelf:
		return 0
	case unicode.Is(unicode.Ll, r):
		return letter | lower
	case unicode.Is(unicode.Lu, r), unicode.Is(unicode.Lt, r):
		return letter | upper
	case unicode.IsLetter(r):
		return letter | upper | lower
	case unicode.Is(unicode.M, r):
		return upper | lower
	case unicode.Is(unicode.N, r):
		return number
	}
	return 0
}

// first returns the class of the character that s begins with, and its length; 0, 0 at the end.
func first(s string) (class, int) {
	if s == "" {
		return 0, 0
	}
	r, n := utf8.DecodeRuneInString(s)
	return classOf(r), n
}

// run returns where the characters end that are of one of the classes, from the byte i on.
func run(s string, i int, of class) int {
	for i < len(s) {
		c, n := first(s[i:])
		if c&of == 0 {
			break
		}
		i += n
	}
	return i
}

// contraction returns the length of the English contraction that s begins with, 's or 'll, or 0.
func contraction(s string) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	switch s[1] | 0x20 {
	case 's', 't', 'm', 'd':
		return 2
	}
	if len(s) > 2 {
		switch strings.ToLower(s[1:3]) {
		case "re", "ve", "ll", "ſ": // the last is an s, to those who mind no case
			return 3
		}
	}
	return 0
}

// cl100kPiece is the first match of cl100k_base's pattern:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func cl100kPiece(s string) int {
	if n := contraction(s); n > 0 {
		return n
	}
	c, n := first(s)
	if c&letter != 0 {
		return run(s, n, letter)
	}
	if next, _ := first(s[n:]); next&letter != 0 && c&(newline|number) == 0 {
		return run(s, n, letter)
	}
	return restPiece(s, c, "\r\n")
}

// o200kPiece is the first match of o200k_base's pattern, in which C is (?i:'s|'t|'re|'ve|'m|'ll|'d)?:
//
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+C|
//	[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*C|
//	\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
func o200kPiece(s string) int {
	c, n := first(s)
	starts := [2]int{n, 0} // behind the character that may stand before a word; else there is none
	from := starts[:]
	if c&(newline|letter|number) != 0 {
		from = starts[1:]
	}
	for _, i := range from {
		if end := wordEnd(s, i); end > 0 {
			return end + contraction(s[end:])
		}
	}
	for _, i := range from {
		if end := run(s, i, upper); end > i {
			return end + contraction(s[end:])
		}
	}
	return restPiece(s, c, "\r\n/")
}

// wordEnd returns where a word ends that begins at i: capitals, then at least one small letter. What counts as both
// is taken for capitals as long as a small one is left. 0: there is no such word.
func wordEnd(s string, i int) int {
	both := 0 // behind the last that is both
	for i < len(s) {
		c, n := first(s[i:])
		if c&upper == 0 {
			break
		}
		i += n
		if c&lower != 0 {
			both = i
		}
	}
	if end := run(s, i, lower); end > i {
		return end
	}
	return both
}

// restPiece is what the patterns have in common, of a text that begins with no word: numbers of three digits, signs
// with the line ends behind them, and space.
func restPiece(s string, c class, behindSigns string) int {
	if c&number != 0 {
		end := 0
		for range 3 {
			if c, n := first(s[end:]); c&number != 0 {
				end += n
			}
		}
		return end
	}
	signs := 0
	if s[0] == ' ' {
		signs = 1
	}
	end := signs
	for end < len(s) {
		c, n := first(s[end:])
		if c&(space|letter|number) != 0 {
			break
		}
		end += n
	}
	if end > signs {
		return end + len(s[end:]) - len(strings.TrimLeft(s[end:], behindSigns))
	}
	return spacePiece(s)
}

// spacePiece ends behind the last line end of the space that s begins with; without one, before its last character,
// which belongs to what follows, unless it is the only one or nothing follows.
func spacePiece(s string) int {
	end, last, line := 0, 0, 0
	for end < len(s) {
		c, n := first(s[end:])
		if c&space == 0 {
			break
		}
		last = end
		end += n
		if c&newline != 0 {
			line = end
		}
	}
	switch {
	case line > 0:
		return line
	case end == len(s) || last == 0:
		return end
	}
	return last
}
