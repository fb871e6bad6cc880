package admin

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
)

// Money is an amount in US dollars, written as an exact decimal; null when it is not known.
type Money struct {
	Nano  sluice.NanoUSD
	Known bool
}

// MarshalJSON writes the decimal without going through a float.
func (m Money) MarshalJSON() ([]byte, error) { return m.append(nil), nil }

func (m Money) append(b []byte) []byte {
	if !m.Known {
		return append(b, "null"...)
	}
	return appendDecimal(b, int64(m.Nano), 9)
}

// Schema describes Money for the OpenAPI document.
func (Money) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Description: "US dollars, exact to a billionth; null: not known"}
}

// Millis is a duration in milliseconds, to the microsecond; null when it never came to that.
type Millis time.Duration

// MarshalJSON writes the decimal; zero is null.
func (m Millis) MarshalJSON() ([]byte, error) { return m.append(nil), nil }

func (m Millis) append(b []byte) []byte {
	if m == 0 {
		return append(b, "null"...)
	}
	return appendDecimal(b, time.Duration(m).Microseconds(), 3)
}

// Schema describes Millis for the OpenAPI document.
func (Millis) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Description: "milliseconds; null: it never came to that"}
}

// appendDecimal appends n / 10^places without needless zeroes.
func appendDecimal(b []byte, n int64, places int) []byte {
	u := uint64(n)
	if n < 0 {
		b, u = append(b, '-'), -u
	}
	digits := strconv.FormatUint(u, 10)
	if short := places + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	point := len(digits) - places
	b = append(b, digits[:point]...)
	if fraction := strings.TrimRight(digits[point:], "0"); fraction != "" {
		b = append(append(b, '.'), fraction...)
	}
	return b
}

// Counts are a Usage in JSON: where the counts come from, and every class that is known.
type Counts sluice.Usage

// MarshalJSON writes the known classes by name.
func (c Counts) MarshalJSON() ([]byte, error) {
	u := sluice.Usage(c)
	b := append([]byte(`{"basis":"`), u.Basis.String()...)
	b = append(b, '"')
	for class := range sluice.ClassCount {
		if n, known := u.Get(class); known {
			b = append(append(append(b, ',', '"'), class.String()...), '"', ':')
			b = strconv.AppendInt(b, n, 10)
		}
	}
	return append(b, '}'), nil
}

// Schema describes Counts for the OpenAPI document.
func (Counts) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, Description: "LLM tokens by class; a class that is not known is missing",
		Properties: map[string]*huma.Schema{
			"basis": {Type: huma.TypeString, Enum: []any{"none", "provider", "estimated", "partial", "cached"}},
		},
		Required: []string{"basis"},
	}
	for class := range sluice.ClassCount {
		s.Properties[class.String()] = &huma.Schema{Type: huma.TypeInteger}
	}
	s.PrecomputeMessages()
	return s
}

// optional returns nil for "": unknown is null.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// clip cuts s to at most n bytes, at a rune's edge, with an ellipsis where it cut.
func clip(s string, n int) string {
	const dots = "…"
	if len(s) <= n {
		return s
	}
	n -= len(dots)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + dots
}

// Value is a number of a series: number / 10^places, or null.
type Value struct {
	number int64
	places int
	known  bool
}

func count(n int64) Value { return Value{number: n, known: true} }

// compare orders values of one metric; what is not known is least.
func (v Value) compare(other Value) int {
	if v.known != other.known {
		if v.known {
			return 1
		}
		return -1
	}
	return cmp.Compare(v.number, other.number)
}

// MarshalJSON writes the exact decimal.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.known {
		return []byte("null"), nil
	}
	return appendDecimal(nil, v.number, v.places), nil
}

// Schema describes a Value for the OpenAPI document.
func (Value) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Description: "counts, LLM tokens, bytes, US dollars or milliseconds, as the metric says; null: not known"}
}
