package answer

import (
	"math"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// Count is a count that a dialect may or may not report. The zero Count is unknown.
type Count struct {
	N     int64
	Known bool
}

// Set takes a reported count. Null, missing and what is no count changes nothing.
func (c *Count) Set(v jsonscan.Value) {
	if n, ok := v.Count(); ok {
		*c = Count{n, true}
	}
}

// Raise takes a reported count if it is larger than the last.
func (c *Count) Raise(v jsonscan.Value) {
	if n, ok := v.Count(); ok && (!c.Known || n > c.N) {
		*c = Count{n, true}
	}
}

// Add takes a part of a count that is reported in several.
func (c *Count) Add(v jsonscan.Value) {
	var part Count
	part.Set(v)
	*c = Sum(*c, part)
}

// Sum adds up what is known of the counts, each below 2^53; it is known when one of them is.
func Sum(counts ...Count) Count {
	var sum Count
	for _, c := range counts {
		if c.Known {
			sum = Count{sum.N + min(c.N, math.MaxInt64-sum.N), true}
		}
	}
	return sum
}

// Writes splits cache writes by lifetime, 5 minutes and one hour. Their total may be reported without the
// split, or be newer than it: what the split does not have was written for the default, 5 minutes.
func Writes(total, short, long Count) (short5m, long1h Count) {
	if !total.Known {
		return short, long
	}
	if long.N > total.N {
		long = total
	}
	return Count{total.N - long.N, true}, long
}

// To sets a class of u to the count, if it is known, and with it u's basis.
func (c Count) To(u *sluice.Usage, class sluice.Class) {
	if c.Known {
		u.Set(class, c.N)
		u.Basis = sluice.BasisProvider
	}
}

// Remember keeps the text of a string that has any. To be told the same again costs nothing.
func Remember(s *string, v jsonscan.Value) {
	if v.Kind == jsonscan.String && len(v.Raw) > 2 && string(v.Raw[1:len(v.Raw)-1]) != *s {
		*s = v.String()
	}
}
