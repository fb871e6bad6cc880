package logindex

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	maxIntervals = 10_000
	maxGroups    = 50_000 // sums of one answer; further values go to other
	maxLevels    = 1 + reqlog.MaxThen
)

// piece is a stretch of unix minutes that is read from roll-ups of one grain.
type piece struct{ grain, from, to int64 }

// pieces cuts the minutes from a to before b so that most is read from coarse roll-ups, and appends
// them to list; neighbours of one grain become one.
func pieces(list []piece, a, b int64) []piece {
	add := func(grain, from, to int64) {
		if from >= to {
			return
		}
		if n := len(list); n > 0 && list[n-1].grain == grain && list[n-1].to == from {
			list[n-1].to = to
			return
		}
		list = append(list, piece{grain, from, to})
	}
	var cut func(a, b int64, grains ...int64)
	cut = func(a, b int64, grains ...int64) {
		grain := grains[0]
		from, to := (a+grain-1)/grain*grain, b/grain*grain
		if grain == grainMinute {
			add(grain, a, b)
			return
		}
		if from >= to {
			cut(a, b, grains[1:]...)
			return
		}
		cut(a, from, grains[1:]...)
		add(grain, from, to)
		cut(to, b, grains[1:]...)
	}
	cut(a, b, grainHour, grainQuarter, grainMinute)
	return list
}

// tally adds exchanges up by interval and group.
type tally struct {
	groups []reqlog.Group
	edges  []int64 // unix minutes: where the intervals begin, and where the last ends
	whole  bool    // the sums of all intervals are wanted, too
	times  bool    // the histograms are
	cells  map[sumKey]*cell
}

// sumKey is a place in a tally; interval wholeRange is all of them.
type sumKey struct {
	interval int32
	group    [maxLevels]string
}

const (
	wholeRange = -1
	// chargeValues is added to the values of charges, lest they be taken for those of another question.
	chargeValues = 1 << 30
)

func (x *Index) newTally(q *reqlog.TotalsQuery) (*tally, error) {
	invalid := func(field, msg string) error { return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg} }
	s := &tally{whole: q.Sum, times: !q.NoTimes, cells: map[sumKey]*cell{}}
	if q.Group != reqlog.GroupNone {
		s.groups = append(s.groups, q.Group)
	}
	s.groups = append(s.groups, q.Then...)
	if len(s.groups) > maxLevels {
		return nil, invalid("group", fmt.Sprintf("more than %d groups within groups", maxLevels))
	}
	for _, g := range s.groups {
		if !groupKnown(g) {
			return nil, invalid("group", fmt.Sprintf("there are no totals by %q", string(g)))
		}
	}
	if q.Every%time.Minute != 0 || q.Every < 0 {
		return nil, invalid("interval", "an interval is whole minutes")
	}
	for i, t := range q.Edges {
		s.edges = append(s.edges, t.UnixMilli()/minuteMillis)
		if i > 0 && s.edges[i] <= s.edges[i-1] {
			return nil, invalid("interval", "the intervals' edges do not rise by a minute at least")
		}
	}
	if len(s.edges) == 1 {
		return nil, invalid("interval", "one edge makes no interval")
	}
	if len(s.edges) == 0 {
		from, to := x.minuteRange(q.From, q.To)
		every := int64(q.Every / time.Minute)
		if every == 0 {
			every = max(to-from, 1)
		}
		if (to-from)/every > maxIntervals {
			return nil, invalid("interval", fmt.Sprintf("more than %d intervals", maxIntervals))
		}
		for a := from; a < to || a == from; a += every {
			s.edges = append(s.edges, a)
		}
		s.edges = append(s.edges, max(to, from))
	}
	if len(s.edges) > maxIntervals+1 {
		return nil, invalid("interval", fmt.Sprintf("more than %d intervals", maxIntervals))
	}
	return s, nil
}

// groupKnown reports whether entries can be split by g.
func groupKnown(g reqlog.Group) bool {
	switch g {
	case reqlog.GroupProvider, reqlog.GroupModel, reqlog.GroupKey, reqlog.GroupStatus, reqlog.GroupCache, reqlog.GroupGateway,
		reqlog.GroupOutcome, reqlog.GroupErrorType, reqlog.GroupMetadata:
		return true
	}
	_, isMeta := g.Meta()
	return isMeta
}

func (s *tally) from() int64 { return s.edges[0] }
func (s *tally) to() int64   { return s.edges[len(s.edges)-1] }

// intervalOf returns the interval of a unix minute. What lies before the first belongs to it: a roll-up that
// is longer than a minute begins there.
func (s *tally) intervalOf(at int64) int32 {
	i, found := slices.BinarySearch(s.edges, at)
	if !found {
		i--
	}
	return int32(min(max(i, 0), len(s.edges)-2))
}

// groupOf returns where e is counted.
func (s *tally) groupOf(e *sluice.LogEntry) (group [maxLevels]string) {
	for i, g := range s.groups {
		group[i] = g.Of(e)
	}
	return group
}

// other is where that is counted whose own place is not known.
func (s *tally) other() (group [maxLevels]string) {
	for i := range s.groups {
		group[i] = reqlog.OtherValue
	}
	return group
}

// cell returns the sum of a place. Beyond maxGroups places there is one for what has none yet.
func (s *tally) cell(interval int32, group [maxLevels]string) *cell {
	k := sumKey{interval, group}
	c := s.cells[k]
	if c == nil {
		if len(s.cells) >= maxGroups {
			k.group = s.other()
		}
		if c = s.cells[k]; c == nil {
			c = &cell{}
			s.cells[k] = c
		}
	}
	return c
}

// merge adds c to a sum.
func (s *tally) merge(sum, c *cell) {
	if s.times {
		sum.merge(c)
		return
	}
	for i := range c.n {
		sum.n[i] += c.n[i]
	}
}

// result puts the sums in order.
func (s *tally) result() []reqlog.Total {
	if s.whole {
		for _, k := range slices.Collect(maps.Keys(s.cells)) {
			s.merge(s.cell(wholeRange, k.group), s.cells[k])
		}
	}
	if len(s.groups) == 0 {
		for i := range len(s.edges) - 1 {
			s.cell(int32(i), [maxLevels]string{})
		}
	}
	list := make([]reqlog.Total, 0, len(s.cells))
	for k, c := range s.cells {
		if len(s.groups) > 0 && c.empty() {
			continue
		}
		total := c.total()
		if k.interval != wholeRange {
			total.Start = time.UnixMilli(s.edges[k.interval] * minuteMillis).UTC()
		}
		total.Value, total.Then = k.group[0], [reqlog.MaxThen]string(k.group[1:])
		list = append(list, total)
	}
	slices.SortFunc(list, func(a, b reqlog.Total) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Value, b.Value), slices.Compare(a.Then[:], b.Then[:]))
	})
	return list
}

// minuteRange returns the unix minutes of a range; open ends reach as far as there is anything.
func (x *Index) minuteRange(from, to time.Time) (first, last int64) {
	days := x.dayList()
	if !from.IsZero() {
		first = from.UnixMilli() / minuteMillis
	} else if len(days) > 0 {
		first = days[0].day * dayMinutes
	}
	if !to.IsZero() {
		last = (ceilMilli(to) + minuteMillis - 1) / minuteMillis
	} else if len(days) > 0 {
		last = (days[len(days)-1].day + 1) * dayMinutes
	}
	return max(first, 0), min(last, (lastDay+1)*dayMinutes)
}

// total returns the cell as the API has it.
func (c *cell) total() reqlog.Total {
	n := &c.n
	t := reqlog.Total{
		Requests: n[nRequests], Success: n[nSuccess], Canceled: n[nCanceled], Errors: n[nRequests] - n[nSuccess] - n[nCanceled],
		Cached: n[nCached], Streamed: n[nStreamed], Attempts: n[nAttempts], Estimated: n[nEstimated],
		Cost: sluice.NanoUSD(n[nCost]), Priced: n[nPriced], Unpriced: n[nUnpriced], BytesIn: n[nBytesIn], BytesOut: n[nBytesOut],
		SavedIn: n[nSavedIn], SavedOut: n[nSavedOut], SavedCost: sluice.NanoUSD(n[nSavedCost]), SavedPriced: n[nSavedPriced],
		SavedTime: micros(n[nSavedTime]), Generated: n[nGenerated], GenerationTime: micros(n[nGenerationTime]),
		Duration:   c.last.quantiles(n[nDurationCount], n[nDurationSum]),
		FirstToken: c.first.quantiles(n[nFirstCount], n[nFirstSum]),
		Overhead:   c.own.quantiles(n[nOverheadCount], n[nOverheadSum]),
	}
	for class := range sluice.ClassCount {
		t.Tokens[class], t.TokensKnown[class] = n[nTokens+int(class)], n[nKnown+int(class)]
	}
	return t
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func (h hist) quantiles(count, sum int64) reqlog.Quantiles {
	q := reqlog.Quantiles{Count: count, P50: h.quantile(0.50), P90: h.quantile(0.90), P95: h.quantile(0.95), P99: h.quantile(0.99)}
	if count > 0 {
		q.Mean = micros(sum / count)
	}
	return q
}
