// Package jsonscan reads a few members of a JSON object's top level in one pass, without decoding the
// rest. It accepts what RFC 8259 accepts, so bytes that it calls valid mean the same to any parser,
// but for the readings that RFC 8259 leaves open: repeated names, names that differ in case and bad
// UTF-8. Those it reports.
package jsonscan

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deeply objects and arrays may nest; encoding/json has the same bound.
const MaxDepth = 10_000

// Kind is the JSON type of a Value.
type Kind uint8

// The kinds. The zero Kind is that of a Value that was not found.
const (
	None Kind = iota
	String
	Number
	Bool
	Null
	Object
	Array
)

// Value is a JSON value as it stands in the input. The zero Value was not found.
type Value struct {
	Raw   []byte // aliases the input, without white space around it
	Kind  Kind
	Found bool
}

// Scan says what was found out about the whole input.
type Scan struct {
	// Valid: the input is one JSON object with nothing but white space around it, no deeper than
	// MaxDepth. Otherwise out holds what stood before the fault.
	Valid bool
	// BadUTF8: the input holds bytes that are not UTF-8. It may be Valid all the same.
	BadUTF8 bool
	// Repeated is a wanted key that occurs more than once at the top level, "" when none does.
	Repeated string
	// Variant is a key of the top level that a parser might take for a wanted one, because only case
	// tells them apart (Unicode simple folding, as encoding/json folds), "" when there is none.
	Variant string
}

// Top scans the JSON object b and puts the value of keys[i] into out[i]: the last one when the key
// occurs more than once, as most parsers do. Keys compare by what they mean: "\u006dodel" is "model".
// Wanted keys are not empty and at most 64 bytes long. out must be as long as keys. Top allocates
// nothing, except where keys are hostile or nesting is deeper than 64.
func Top(b []byte, keys []string, out []Value) Scan {
	clear(out)
	s := scanner{b: b}
	var sc Scan
	if i := s.top(keys, out, &sc); i >= 0 {
		sc.Valid = s.space(i) == len(b)
	}
	// Bytes outside of strings that are not ASCII are faults already.
	if !sc.Valid || s.high&highBits != 0 {
		sc.BadUTF8 = !utf8.Valid(b)
	}
	return sc
}

// Of makes a Value of b, which holds one JSON value and no white space around it. It looks at the
// first byte only.
func Of(b []byte) Value {
	if len(b) == 0 {
		return Value{}
	}
	return Value{Raw: b, Kind: KindOf(b[0]), Found: true}
}

// KindOf returns the kind of the value that begins with c, if one can.
func KindOf(c byte) Kind {
	switch c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// String returns the text of a string, unescaped, and "" for any other value. Bad UTF-8 and lone
// surrogates become U+FFFD.
func (v Value) String() string {
	if v.Kind != String || len(v.Raw) < 2 {
		return ""
	}
	in := v.Raw[1 : len(v.Raw)-1]
	if bytes.IndexByte(in, '\\') < 0 && utf8.Valid(in) {
		return string(in)
	}
	var t string
	if json.Unmarshal(v.Raw, &t) != nil {
		return ""
	}
	return t
}

// Elements returns the elements of an array, in order, up to a fault in it; anything else has none.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		s := scanner{b: v.Raw}
		if v.Kind != Array {
			return
		}
		for i := s.space(1); s.at(i) != ']'; i = s.space(i + 1) {
			end := s.value(i)
			if end < 0 || !yield(Of(s.b[i:end])) {
				return
			}
			if i = s.space(end); s.at(i) != ',' {
				return
			}
		}
	}
}

// Bool returns the value of true or false; ok is false for any other value.
func (v Value) Bool() (value, ok bool) {
	return v.Kind == Bool && len(v.Raw) == 4, v.Kind == Bool
}

// Int returns the value of a number that is written without fraction and exponent and fits; ok is
// false for any other value.
func (v Value) Int() (n int64, ok bool) {
	if v.Kind != Number || len(v.Raw) == 0 {
		return 0, false
	}
	digits, negative := v.Raw, v.Raw[0] == '-'
	if negative {
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	var u uint64
	for _, c := range digits {
		d := uint64(c - '0')
		if c < '0' || d > 9 || u > (math.MaxUint64-9)/10 {
			return 0, false
		}
		u = u*10 + d
	}
	if negative {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

// Decimal returns a number that is not negative as a decimal without exponent, times 10 to the power
// shift, exactly. ok is false for any other value, and for one that is written in more than 64 bytes or
// with an exponent beyond 40.
func (v Value) Decimal(shift int) (text string, ok bool) {
	if v.Kind != Number || len(v.Raw) == 0 || len(v.Raw) > 64 {
		return "", false
	}
	number, exponent, scientific := strings.Cut(strings.ToLower(string(v.Raw)), "e")
	if scientific {
		e, err := strconv.Atoi(exponent)
		if err != nil || e < -40 || e > 40 {
			return "", false
		}
		shift += e
	}
	whole, fraction, _ := strings.Cut(number, ".")
	digits := whole + fraction
	if whole == "" || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	point := len(whole) + shift
	if point < 1 {
		digits = strings.Repeat("0", 1-point) + digits
		point = 1
	}
	digits += strings.Repeat("0", max(0, point-len(digits)))
	whole, fraction = strings.TrimLeft(digits[:point-1], "0")+digits[point-1:point], digits[point:]
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		return whole + "." + fraction, true
	}
	return whole, true
}

// Count returns the value of a number that counts something: not negative, below 2^53. Fractions are
// rounded, for there are providers that report them (QuantumNous/new-api issue 1503: 35648.42
// tokens). ok is false for any other value.
func (v Value) Count() (n int64, ok bool) {
	const limit = 1 << 53
	if n, ok := v.Int(); ok {
		return n, n >= 0 && n < limit
	}
	if v.Kind != Number || len(v.Raw) > 64 {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.Raw), 64)
	if err != nil || f < 0 || f >= limit {
		return 0, false
	}
	return int64(math.Round(f)), true
}
