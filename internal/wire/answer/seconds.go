package answer

import (
	"math"
	"strconv"

	"github.com/sluicehq/sluice/internal/wire/jsonscan"
)

// SetSeconds takes a duration that is reported in seconds, fractions included, as a count of
// milliseconds. What is no duration, and what is longer than a year, changes nothing.
func (c *Count) SetSeconds(v jsonscan.Value) {
	if v.Kind != jsonscan.Number || len(v.Raw) > 64 {
		return
	}
	const year = 366 * 24 * 3600
	if s, err := strconv.ParseFloat(string(v.Raw), 64); err == nil && s >= 0 && s <= year {
		*c = Count{int64(math.Round(s * 1000)), true}
	}
}
