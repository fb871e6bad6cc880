package admin

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// step is the length of an interval: a time within a day, or whole days, weeks or months of the zone.
type step struct {
	every  time.Duration // within a day
	days   int
	months int
}

// approximate is how long an interval is about.
func (s step) approximate() time.Duration {
	const day = 24 * time.Hour
	return s.every + time.Duration(s.days)*day + time.Duration(s.months)*30*day
}

const (
	maxAuto      = 120
	maxIntervals = 2000
	// minutesKnown is for how long roll-ups surely know single minutes; older ones know quarters of an hour.
	minutesKnown = 48 * time.Hour
	quarter      = 15 * time.Minute
)

// autoSteps are what interval=auto chooses from: the shortest that cuts the range into at most maxAuto.
func autoSteps() []step {
	return []step{
		{every: time.Minute},
		{every: 5 * time.Minute},
		{every: quarter},
		{every: time.Hour},
		{every: 3 * time.Hour},
		{every: 6 * time.Hour},
		{every: 12 * time.Hour},
		{days: 1},
		{days: 7},
		{months: 1},
	}
}

// parseStep reads the parameter for a range that begins at from; none: the range is one interval.
func parseStep(param string, from, to, now time.Time) (s step, none bool, err error) {
	old := from.Before(now.Add(-minutesKnown))
	switch param {
	case "none":
		return s, true, nil
	case "auto", "":
		for _, s = range autoSteps() {
			if to.Sub(from) <= maxAuto*s.approximate() && (!old || s.approximate() >= quarter) {
				break
			}
		}
		return s, false, nil
	}
	if s, err = readStep(param); err != nil {
		return s, false, err
	}
	if to.Sub(from) > maxIntervals*s.approximate() {
		return s, false, invalid("interval", "that makes more than "+strconv.Itoa(maxIntervals)+" intervals", "take a longer interval or a shorter range")
	}
	if old && s.every%quarter != 0 {
		return s, false, invalid("interval", "what is older than two days is known by quarters of an hour", "15m, 30m, 1h, 1d, or a range of the last two days")
	}
	return s, false, nil
}

func readStep(param string) (step, error) {
	const day = 24 * time.Hour
	if n, ok := months(param); ok {
		return step{months: n}, nil
	}
	every, ok := parseLength(param)
	switch {
	case !ok:
		return step{}, invalid("interval", "this is no length of time", "auto, none, 1m, 15m, 1h, 1d, 1w, 1mo")
	case every < day:
		return step{every: every}, nil
	case every%day != 0:
		return step{}, invalid("interval", "more than a day is whole days", "1d, 2d, 1w, 1mo")
	}
	return step{days: int(every / day)}, nil
}

// months reads a number of months: 1mo, 3mo.
func months(param string) (int, bool) {
	digits, ok := strings.CutSuffix(param, "mo")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && n <= 120
}

// startOfDay returns the first moment of a day in a zone, after which the day is not left before its end. Where
// clocks change at midnight, that is not 00:00, or one of two.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	at := time.Date(year, month, day, 12, 0, 0, 0, zone)
	year, month, day = at.Date() // in its usual form
	for {
		hour, minute, second := at.Clock()
		midnight := at.Add(-(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(at.Nanosecond())))
		start, _ := at.ZoneBounds() // of the time without a change of clocks that at is in
		if start.Before(midnight) {
			return midnight
		}
		before := start.Add(-1)
		if y, m, d := before.Date(); y != year || m != month || d != day {
			return start
		}
		at = before
	}
}

// floor returns the start of the interval that t is in.
func (s step) floor(t time.Time) time.Time {
	zone := t.Location()
	year, month, day := t.Date()
	switch {
	case s.months > 0:
		n := (year*12 + int(month) - 1) / s.months * s.months
		return startOfDay(n/12, time.Month(n%12+1), 1, zone)
	case s.days > 0:
		// Weeks begin on Monday, as the day before the first of 1970 did three days earlier.
		n := civilDay(year, month, day) + 3
		n -= n % s.days
		return startOfDay(1970, time.January, 1+n-3, zone)
	}
	start := startOfDay(year, month, day, zone)
	return start.Add(t.Sub(start) / s.every * s.every)
}

// civilDay counts days from 1970-01-01.
func civilDay(year int, month time.Month, day int) int {
	return int(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// next returns the start of the interval behind the one that begins at t. No interval within a day goes on into the
// next one: days of 23 and 25 hours have a shorter one at their end.
func (s step) next(t time.Time) time.Time { return s.move(t, 1) }

func (s step) move(t time.Time, n int) time.Time {
	zone := t.Location()
	year, month, day := t.Date()
	switch {
	case s.months > 0:
		return startOfDay(year, month+time.Month(n*s.months), 1, zone)
	case s.days > 0:
		return startOfDay(year, month, day+n*s.days, zone)
	}
	following := t.Add(time.Duration(n) * s.every)
	if tomorrow := startOfDay(year, month, day+1, zone); n == 1 && following.After(tomorrow) {
		return tomorrow
	}
	return following
}

// edges returns where the intervals of a range begin, and its end. The first begins at from or before.
func (s step) edges(from, to time.Time) []time.Time {
	list := []time.Time{s.floor(from)}
	for at := s.next(list[0]); at.Before(to) && len(list) <= maxIntervals; at = s.next(at) {
		list = append(list, at)
	}
	return append(list, to)
}

// before returns the edges of as many intervals before those of edges. The last is as long as the last of edges,
// which may not be over yet.
func (s step) before(edges []time.Time) []time.Time {
	n := len(edges) - 1
	list := make([]time.Time, 0, len(edges))
	for _, at := range edges[:n] {
		list = append(list, s.move(at, -n))
	}
	end := list[n-1].Add(edges[n].Sub(edges[n-1]))
	if end.After(edges[0]) {
		end = edges[0]
	}
	list = append(list, end)
	return slices.Compact(list)
}

// wholeEdges returns the edges of a range that is one interval: whole minutes, or quarters of an hour where minutes
// are not known any more.
func wholeEdges(from, to, now time.Time) []time.Time {
	round := func(t time.Time, up bool) time.Time {
		unit := time.Minute
		if t.Before(now.Add(-minutesKnown)) {
			unit = quarter
		}
		rounded := t.Truncate(unit)
		if up && rounded.Before(t) {
			rounded = rounded.Add(unit)
		}
		return rounded
	}
	return []time.Time{round(from, false), round(to, true)}
}
