package logindex

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	maxIntervals = 10_000
	maxGroups    = 50_000 // sums of one answer; further values go to other
	otherName    = "other"
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

// totaling is one call of Totals.
type totaling struct {
	x        *Index
	question int32
	key      string // of metadata
	scope    textKey
	from, to int64 // unix minutes
	every    int64
	sums     map[sumKey]*cell
}

type sumKey struct {
	interval int64
	value    string
}

// Totals implements reqlog.Store. The range is widened to whole minutes; two days after they happened,
// exchanges are no longer known by the minute but for GroupNone, and the ends move to quarters of an
// hour. Sums of a group come with the intervals that have any; those of GroupNone with all.
func (x *Index) Totals(ctx context.Context, q reqlog.TotalsQuery) ([]reqlog.Total, error) {
	t, err := x.newTotaling(q)
	if err != nil {
		return nil, err
	}
	var list []piece
	for a := t.from; a < t.to; a += t.every {
		list = pieces(list, a, min(a+t.every, t.to))
	}
	for _, one := range list {
		if err := t.read(ctx, one); err != nil {
			return nil, fmt.Errorf("totals: %w", err)
		}
	}
	return t.result(q.Group == reqlog.GroupNone), nil
}

func (x *Index) newTotaling(q reqlog.TotalsQuery) (*totaling, error) {
	invalid := func(field, msg string) error { return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg} }
	t := &totaling{x: x, scope: scopeOf(q.Account, q.Gateway), sums: map[sumKey]*cell{}}
	key, isMeta := strings.CutPrefix(string(q.Group), string(reqlog.GroupMeta("")))
	question, ok := map[reqlog.Group]int32{
		reqlog.GroupNone: questionTotal, reqlog.GroupProvider: questionProvider, reqlog.GroupModel: questionModel,
		reqlog.GroupKey: questionCaller, reqlog.GroupStatus: questionStatus, reqlog.GroupCache: questionCache,
		reqlog.GroupGateway: questionGateway,
	}[q.Group]
	switch {
	case isMeta:
		t.question, t.key = questionMeta, key
	case !ok:
		return nil, invalid("group", fmt.Sprintf("there are no totals by %q", string(q.Group)))
	case question == questionGateway && q.Gateway != "":
		t.question, t.key = questionTotal, q.Gateway // the only value there is
	default:
		t.question = question
	}
	t.from, t.to = x.minuteRange(q.From, q.To)
	if t.every = int64(q.Every / time.Minute); q.Every%time.Minute != 0 || q.Every < 0 {
		return nil, invalid("interval", "an interval is whole minutes")
	}
	if t.every == 0 {
		t.every = max(t.to-t.from, 1)
	}
	if (t.to-t.from)/t.every > maxIntervals {
		return nil, invalid("interval", fmt.Sprintf("more than %d intervals", maxIntervals))
	}
	return t, nil
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

// read adds a piece to the sums: day by day where the days' files must be asked, and at once for
// stretches of days that analytics.db has.
func (t *totaling) read(ctx context.Context, one piece) error {
	stretch := piece{grain: one.grain}
	flush := func() error {
		done := stretch
		stretch.from, stretch.to = 0, 0
		return t.readCopies(ctx, done)
	}
	for _, d := range t.x.dayList() {
		part := piece{one.grain, max(one.from, d.day*dayMinutes), min(one.to, (d.day+1)*dayMinutes)}
		if part.from >= part.to {
			continue
		}
		if d.minutes == noMinutes || d.minutes == totalMinutes && t.question != questionTotal {
			part.grain = max(part.grain, grainQuarter)
		}
		if d.sealed && part.grain != grainMinute && part.grain == stretch.grain {
			if stretch.to == 0 {
				stretch.from = part.from
			}
			stretch.to = part.to
			continue
		}
		if err := flush(); err != nil {
			return err
		}
		if err := t.readDay(ctx, d, part); err != nil {
			return err
		}
	}
	return flush()
}

// readDay adds what one day has.
func (t *totaling) readDay(ctx context.Context, d dayInfo, one piece) error {
	if d.sealed && one.grain != grainMinute {
		return t.readCopies(ctx, one)
	}
	asked := false
	err := t.x.with(ctx, d.day, func(p *part) error {
		asked = true
		question, scope, ok, err := t.ids(ctx, p.file)
		if err != nil || !ok {
			return err
		}
		p.rollMu.RLock()
		defer p.rollMu.RUnlock()
		p.pending.each(question, scope, func(at int64, value int32, c *cell) {
			at -= at % one.grain
			if err == nil && one.from <= at && at < one.to {
				err = t.add(ctx, p.file, &p.names, at, value, func(sum *cell) error { sum.merge(c); return nil })
			}
		})
		if err != nil {
			return err
		}
		return t.readFile(ctx, p.file, &p.names, question, scope, one)
	})
	if err == nil && !asked { // removed meanwhile: what is left of it is in analytics.db
		one.grain = max(one.grain, grainQuarter)
		return t.readCopies(ctx, one)
	}
	return err
}

func (t *totaling) readCopies(ctx context.Context, one piece) error {
	if one.from >= one.to {
		return nil
	}
	c := t.x.copies
	question, scope, ok, err := t.ids(ctx, c.file)
	if err != nil || !ok {
		return err
	}
	return t.readFile(ctx, c.file, &c.names, question, scope, one)
}

// ids returns what the question and the scope are called in a file; false: it knows nothing of them.
func (t *totaling) ids(ctx context.Context, f *file) (question, scope int32, ok bool, err error) {
	s, err := f.textID(ctx, t.scope)
	if err != nil || s == 0 {
		return 0, 0, false, err
	}
	if t.question != questionMeta {
		return t.question, int32(s), true, nil
	}
	k, err := f.textID(ctx, textKey{textQuestion, t.key})
	return questionMeta + int32(k), int32(s), k != 0, err
}

// readFile adds a file's stored cells.
func (t *totaling) readFile(ctx context.Context, f *file, n *names, question, scope int32, one piece) error {
	type stored struct {
		at    int64
		value int32
		cell  []byte
	}
	var cells []stored // names are looked up through the same pool, so after the query
	err := all(ctx, f.read, func(r *sql.Rows) error {
		var c stored
		err := r.Scan(&c.at, &c.value, &c.cell)
		cells = append(cells, c)
		return err
	}, "SELECT at, value, cell FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND at >= ? AND at < ?",
		question, scope, one.grain, one.from, one.to)
	if err != nil {
		return err
	}
	for i := range cells {
		r := cellReader{left: cells[i].cell}
		if err := t.add(ctx, f, n, cells[i].at, cells[i].value, r.add); err != nil {
			return err
		}
	}
	return nil
}

// add finds the sum that a cell belongs to and has it added.
func (t *totaling) add(ctx context.Context, f *file, n *names, at int64, value int32, add func(*cell) error) error {
	name, err := t.name(ctx, f, n, value)
	if err != nil {
		return err
	}
	k := sumKey{max(at-t.from, 0) / t.every, name}
	if t.sums[k] == nil {
		if len(t.sums) >= maxGroups {
			k.value = otherName
		}
		if t.sums[k] == nil {
			t.sums[k] = &cell{}
		}
	}
	return add(t.sums[k])
}

// name returns what a value is called.
func (t *totaling) name(ctx context.Context, f *file, n *names, value int32) (string, error) {
	switch {
	case t.question == questionTotal:
		return t.key, nil
	case t.question == questionStatus:
		return strconv.Itoa(int(value)), nil
	case t.question == questionCache:
		return reqlog.CacheName(sluice.CacheStatus(value)), nil
	case value == otherValue:
		return otherName, nil
	}
	return n.get(ctx, f, int64(value))
}

// result puts the sums in order; every: intervals without any have a sum of their own.
func (t *totaling) result(every bool) []reqlog.Total {
	if every {
		for i, a := int64(0), t.from; a < t.to || i == 0; i, a = i+1, a+t.every {
			if k := (sumKey{interval: i}); t.sums[k] == nil {
				t.sums[k] = &cell{}
			}
		}
	}
	list := make([]reqlog.Total, 0, len(t.sums))
	for k, c := range t.sums {
		if every || c.n[nRequests] != 0 {
			total := c.total()
			total.Start, total.Value = time.UnixMilli((t.from+k.interval*t.every)*minuteMillis).UTC(), k.value
			list = append(list, total)
		}
	}
	slices.SortFunc(list, func(a, b reqlog.Total) int {
		return cmp.Or(a.Start.Compare(b.Start), strings.Compare(a.Value, b.Value))
	})
	return list
}

// total returns the cell as the API has it.
func (c *cell) total() reqlog.Total {
	n := &c.n
	t := reqlog.Total{
		Requests: n[nRequests], Success: n[nSuccess], Canceled: n[nCanceled], Errors: n[nRequests] - n[nSuccess] - n[nCanceled],
		Cached: n[nCached], Streamed: n[nStreamed], Attempts: n[nAttempts], Estimated: n[nEstimated],
		Cost: sluice.NanoUSD(n[nCost]), Priced: n[nPriced], Unpriced: n[nUnpriced], BytesIn: n[nBytesIn], BytesOut: n[nBytesOut],
		SavedIn: n[nSavedIn], SavedOut: n[nSavedOut],
		Duration:   c.last.quantiles(n[nDurationCount], n[nDurationSum]),
		FirstToken: c.first.quantiles(n[nFirstCount], n[nFirstSum]),
	}
	for class := range sluice.ClassCount {
		t.Tokens[class], t.TokensKnown[class] = n[nTokens+int(class)], n[nKnown+int(class)]
	}
	return t
}

func (h hist) quantiles(count, sum int64) reqlog.Quantiles {
	q := reqlog.Quantiles{Count: count, P50: h.quantile(0.50), P95: h.quantile(0.95), P99: h.quantile(0.99)}
	if count > 0 {
		q.Mean = time.Duration(sum/count) * time.Microsecond
	}
	return q
}
