package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size. It is written as a number with an optional unit: 512KB, 25MB, 4GB (powers of 1,024
// are meant by KiB, MiB, GiB; KB, MB and GB are powers of 1,000).
type Bytes int64

// sizeUnit is one unit of a size.
type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits lists the units, the largest first, which is the order in which String tries them.
func sizeUnits() []sizeUnit {
	return []sizeUnit{
		{"TB", 1e12},
		{"TiB", 1 << 40},
		{"GB", 1e9},
		{"GiB", 1 << 30},
		{"MB", 1e6},
		{"MiB", 1 << 20},
		{"KB", 1e3},
		{"KiB", 1 << 10},
		{"B", 1},
	}
}

// JSON is a value with members of its own, as compact JSON text; "": none. A file may have it as YAML. What it means,
// its reader knows.
type JSON string

// maxJSON bounds such a value, in bytes.
const maxJSON = 256 << 10

// parseJSON reads JSON text; null and nothing are none.
func parseJSON(text string) (JSON, error) {
	if text = strings.TrimSpace(text); text == "" || text == "null" {
		return "", nil
	}
	var b bytes.Buffer
	if len(text) > maxJSON || json.Compact(&b, []byte(text)) != nil {
		return "", errors.New("no JSON, or too long")
	}
	return JSON(b.String()), nil
}

// ParseBytes reads a size such as 0, 1024, 25MB, 1.5GiB. Units are read without regard to case.
func ParseBytes(text string) (Bytes, error) {
	s := strings.TrimSpace(text)
	number := strings.TrimRightFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	name := strings.TrimSpace(s[len(number):])
	unit := int64(1)
	if name != "" {
		unit = 0
		for _, u := range sizeUnits() {
			if strings.EqualFold(u.name, name) {
				unit = u.bytes
			}
		}
	}
	n, ok := decimal(number, unit)
	if unit == 0 || !ok {
		return 0, errors.New("not a size such as 512KB, 25MB or 4GiB")
	}
	return Bytes(n), nil
}

// decimal returns the decimal number in text times unit, cut to a whole number; exact, and false for
// what is no such number or does not fit.
func decimal(text string, unit int64) (int64, bool) {
	whole, frac, dotted := strings.Cut(text, ".")
	if whole == "" || (dotted && frac == "") || len(frac) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole, 10, 63)
	if err != nil {
		return 0, false
	}
	high, total := bits.Mul64(n, uint64(unit))
	if high != 0 || total > math.MaxInt64 {
		return 0, false
	}
	if frac != "" {
		part, err := strconv.ParseUint(frac, 10, 63)
		if err != nil {
			return 0, false
		}
		scale := uint64(1)
		for range frac {
			scale *= 10
		}
		high, low := bits.Mul64(part, uint64(unit))
		quotient, _ := bits.Div64(high, low, scale) // part < scale, so that the quotient fits
		if total += quotient; total > math.MaxInt64 {
			return 0, false
		}
	}
	return int64(total), true
}

// String writes b with the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range sizeUnits() {
		if b != 0 && int64(b)%u.bytes == 0 {
			return strconv.FormatInt(int64(b)/u.bytes, 10) + u.name
		}
	}
	return "0"
}

// ParseDuration reads what time.ParseDuration reads, and days: 30d, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	var days time.Duration
	if number, rest, found := strings.Cut(s, "d"); found {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > math.MaxInt64/uint64(24*time.Hour) {
			return 0, errBadDuration()
		}
		days, s = time.Duration(n)*24*time.Hour, rest
		if s == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || days > 0 && d < 0 || d > math.MaxInt64-days {
		return 0, errBadDuration()
	}
	return days + d, nil
}

func errBadDuration() error {
	return errors.New("not a duration such as 500ms, 30s, 10m, 12h or 30d (0 alone needs no unit)")
}

// FormatDuration writes d as ParseDuration reads it, without the zero parts that String of
// time.Duration has: 10m, not 10m0s.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d == 0 {
		return "0"
	}
	if d%day == 0 && d > 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// parseBool reads the words that people write in YAML and in environments.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, errors.New("not true or false")
}

// parseList splits text at commas; empty parts are dropped.
func parseList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func errNoNumber() error { return errors.New("not a whole number") }
