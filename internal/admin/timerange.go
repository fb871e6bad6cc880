package admin

import (
	"strconv"
	"strings"
	"time"
)

// parseRange reads a range of time: a number with a unit (15m, 24h, 7d, 4w) that ends now, or two
// RFC 3339 times or days with ".." between, either of which may be missing. "": no bounds. The end
// is not part of the range.
func parseRange(s string, now time.Time) (from, to time.Time, err error) {
	if s == "" {
		return time.Time{}, time.Time{}, nil
	}
	low, high, fixed := strings.Cut(s, "..")
	if !fixed {
		length, ok := parseLength(s)
		if !ok {
			return from, to, badRange()
		}
		return now.Add(-length), time.Time{}, nil
	}
	if low != "" {
		if from, err = parseMoment(low); err != nil {
			return from, to, badRange()
		}
	}
	if high != "" {
		if to, err = parseMoment(high); err != nil {
			return from, to, badRange()
		}
	}
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return from, to, invalid("range", "the range ends before it begins", "")
	}
	return from, to, nil
}

func badRange() error {
	return invalid("range", "this is no range of time", "24h, 7d, or 2026-11-01T00:00Z..2026-11-02T00:00Z")
}

// parseLength reads a whole number with a unit, of at most ten years.
func parseLength(s string) (time.Duration, bool) {
	if len(s) < 2 {
		return 0, false
	}
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	unit, known := units[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	const longest = 10 * 366 * 24 * time.Hour
	if !known || err != nil || n == 0 || n > uint64(longest/unit) {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

func parseMoment(s string) (t time.Time, err error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err = time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}
