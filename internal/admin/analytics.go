package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// analyticsRoutes are those of sums.
func analyticsRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/analytics", "get-analytics", "Sums over time, from roll-ups", handle((*server).getAnalytics)),
		get(RoleViewer, scope+"/gateways/{gateway}/summary", "get-gateway-summary", "A gateway in a few numbers", handle((*server).getSummary)),
	}
}

// AnalyticsInput are the parameters of sums over time.
type AnalyticsInput struct {
	AccountPath
	Gateway  string `query:"gateway" doc:"gateway id; all of the account's when empty"`
	Metric   string `query:"metric" default:"requests" doc:"names with commas between"`
	Group    string `query:"group" doc:"what to split by: provider, model, key, status, outcome, cache, error_type, gateway, meta.KEY; two with a comma between split one by the other"`
	Range    string `query:"range" default:"24h" doc:"24h, 7d, or two RFC 3339 times with .. between"`
	TZ       string `query:"tz" default:"UTC" doc:"IANA time zone that days, weeks and months are of, and in which hours are counted"`
	Interval string `query:"interval" default:"auto" doc:"auto, none (one value for the range), or a length such as 1m, 15m, 1h, 1d, 1w, 1mo"`
	Cmp      bool   `query:"cmp" doc:"1: the period before, too"`
	Basis    string `query:"basis" default:"requests" enum:"requests,attempts" doc:"attempts: each try counts by itself, under its own provider, model, status and error, with its own tokens and cost"`
	Q        string `query:"q" doc:"the filter language. Conditions on what can be split by are answered from roll-ups, others from rows, as far as two seconds go"`
	Limit    int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"most groups, the greatest by the first metric"`
}

// Analytics are columns of numbers over time.
type Analytics struct {
	From            string   `json:"from" format:"date-time" doc:"start of the first interval, in the zone"`
	To              string   `json:"to" format:"date-time"`
	IntervalSeconds int64    `json:"interval_seconds" doc:"0: one interval for the whole range. Days are not always 24 hours long, nor months 30 days"`
	TZ              string   `json:"tz"`
	T               []string `json:"t" doc:"start of each interval"`
	Series          []Series `json:"series"`
	Groups          int      `json:"groups" doc:"how many there are in the range; series has limit of them at most"`
	Basis           string   `json:"basis" enum:"requests,attempts"`
	CompleteUntil   *string  `json:"complete_until" doc:"no request will be added before this time; null: not known"`
	Unpriced        int64    `json:"unpriced" doc:"requests with usage and no known cost: cost lacks them"`
	Estimated       int64    `json:"estimated" doc:"requests whose tokens are estimated or partial"`
	Source          string   `json:"source" enum:"rollups,rows" doc:"rollups: all traffic, exact. rows: what the log still has of it"`
	Partial         bool     `json:"partial" doc:"there was no time to add up all rows: those before since are missing"`
	Since           *string  `json:"since" doc:"null: all rows were added up"`
	NotStored       int64    `json:"not_stored" doc:"source rows: requests of the range that have no row, so that nothing is known of them but that they were"`
	Notes           []string `json:"notes"`
	PrevFrom        *string  `json:"prev_from" doc:"of the period before; null without cmp"`
	PrevTo          *string  `json:"prev_to"`
}

// Series is one metric of one group.
type Series struct {
	Metric    string  `json:"metric"`
	Key       string  `json:"key" doc:"value of the group; empty without one"`
	Then      *string `json:"then,omitempty" doc:"value of the second group"`
	Values    []Value `json:"values" doc:"one for each of t; null: not known"`
	Total     Value   `json:"total" doc:"of the whole range"`
	Prev      []Value `json:"prev,omitempty" doc:"with cmp: of as many intervals before"`
	PrevTotal *Value  `json:"prev_total,omitempty" doc:"with cmp: of the whole period before, as long as this one is so far"`
}

// metric is a number that a Total holds.
type metric struct {
	name  string
	value func(t *reqlog.Total) Value
	// empty is the value where there was no request at all: zero for what is counted, null for the rest.
	empty Value
}

func metrics() []metric {
	zero := count(0)
	counted := func(name string, n func(t *reqlog.Total) int64) metric {
		return metric{name, func(t *reqlog.Total) Value { return count(n(t)) }, zero}
	}
	timed := func(name string, q func(t *reqlog.Total) (reqlog.Quantiles, time.Duration)) metric {
		return metric{name, func(t *reqlog.Total) Value {
			quantiles, d := q(t)
			if quantiles.Count == 0 {
				return Value{}
			}
			return Value{number: d.Microseconds(), places: 3, known: true}
		}, Value{}}
	}
	ratio := func(name string, of, to func(t *reqlog.Total) int64) metric {
		return metric{name, func(t *reqlog.Total) Value {
			if to(t) <= 0 {
				return Value{}
			}
			n, ok := scaled(of(t), 1_000_000, to(t))
			return Value{number: n, places: 6, known: ok}
		}, Value{}}
	}
	requests := func(t *reqlog.Total) int64 { return t.Requests }
	list := []metric{
		counted("requests", func(t *reqlog.Total) int64 { return t.Requests }),
		counted("success", func(t *reqlog.Total) int64 { return t.Success }),
		counted("errors", func(t *reqlog.Total) int64 { return t.Errors }),
		counted("canceled", func(t *reqlog.Total) int64 { return t.Canceled }),
		counted("cached", func(t *reqlog.Total) int64 { return t.Cached }),
		counted("streamed", func(t *reqlog.Total) int64 { return t.Streamed }),
		counted("attempts", func(t *reqlog.Total) int64 { return t.Attempts }),
		counted("estimated", func(t *reqlog.Total) int64 { return t.Estimated }),
		counted("unpriced", func(t *reqlog.Total) int64 { return t.Unpriced }),
		counted("saved_tokens_in", func(t *reqlog.Total) int64 { return t.SavedIn }),
		counted("saved_tokens_out", func(t *reqlog.Total) int64 { return t.SavedOut }),
		counted("bytes_in", func(t *reqlog.Total) int64 { return t.BytesIn }),
		counted("bytes_out", func(t *reqlog.Total) int64 { return t.BytesOut }),
		{"cost", func(t *reqlog.Total) Value {
			return Value{number: int64(t.Cost), places: 9, known: t.Priced > 0 || t.Cost != 0}
		}, zero},
		{"saved_cost", func(t *reqlog.Total) Value {
			return Value{number: int64(t.SavedCost), places: 9, known: t.SavedPriced > 0 || t.Cached == 0}
		}, zero},
		{"saved_time", func(t *reqlog.Total) Value {
			return Value{number: t.SavedTime.Microseconds(), places: 3, known: true}
		}, zero},
		{"cost_per_1k", func(t *reqlog.Total) Value {
			n, ok := scaled(int64(t.Cost), 1000, t.Requests)
			return Value{number: n, places: 9, known: ok && t.Requests > 0 && t.Priced > 0}
		}, Value{}},
		ratio("error_rate", func(t *reqlog.Total) int64 { return t.Errors }, requests),
		ratio("cache_rate", func(t *reqlog.Total) int64 { return t.Cached }, requests),
		{"tokens_per_second", func(t *reqlog.Total) Value {
			n, ok := scaled(t.Generated, 1_000_000_000, t.GenerationTime.Microseconds())
			return Value{number: n, places: 3, known: ok && t.GenerationTime > 0}
		}, Value{}},
		{"tokens", func(t *reqlog.Total) Value {
			known := t.TokensKnown[sluice.Input] > 0 || t.TokensKnown[sluice.Output] > 0
			return Value{number: t.Tokens[sluice.Input] + t.Tokens[sluice.Output], known: known}
		}, zero},
	}
	for _, of := range []struct {
		name      string
		quantiles func(t *reqlog.Total) reqlog.Quantiles
	}{
		{"duration", func(t *reqlog.Total) reqlog.Quantiles { return t.Duration }},
		{"ttft", func(t *reqlog.Total) reqlog.Quantiles { return t.FirstToken }},
		{"overhead", func(t *reqlog.Total) reqlog.Quantiles { return t.Overhead }},
	} {
		for _, q := range quantileNames() {
			list = append(list, timed(of.name+"_"+q.name, func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) {
				quantiles := of.quantiles(t)
				return quantiles, q.value(quantiles)
			}))
		}
	}
	for class := range sluice.ClassCount {
		list = append(list, metric{classMetric(class), func(t *reqlog.Total) Value {
			return Value{number: t.Tokens[class], known: t.TokensKnown[class] > 0}
		}, zero})
	}
	return list
}

// quantileName is what follows the name of a time in the names of metrics.
type quantileName struct {
	name  string
	value func(q reqlog.Quantiles) time.Duration
}

func quantileNames() []quantileName {
	return []quantileName{
		{"p50", func(q reqlog.Quantiles) time.Duration { return q.P50 }},
		{"p90", func(q reqlog.Quantiles) time.Duration { return q.P90 }},
		{"p95", func(q reqlog.Quantiles) time.Duration { return q.P95 }},
		{"p99", func(q reqlog.Quantiles) time.Duration { return q.P99 }},
		{"mean", func(q reqlog.Quantiles) time.Duration { return q.Mean }},
	}
}

// fromHistogram reports whether m is a quantile of durations.
func (m metric) fromHistogram() bool {
	for _, q := range quantileNames() {
		if q.name != "mean" && strings.HasSuffix(m.name, "_"+q.name) {
			return true
		}
	}
	return false
}

// scaled returns n * by / of, rounded; false: it has no value, or no room.
func scaled(n, by, of int64) (int64, bool) {
	if of <= 0 || n < 0 {
		return 0, false
	}
	high, low := bits.Mul64(uint64(n), uint64(by))
	low, carry := bits.Add64(low, uint64(of)/2, 0)
	high += carry
	if high >= uint64(of) {
		return 0, false
	}
	quotient, _ := bits.Div64(high, low, uint64(of))
	return int64(quotient), quotient <= math.MaxInt64
}

// classMetric names the metric of a class.
func classMetric(c sluice.Class) string {
	switch c {
	case sluice.Input:
		return "tokens_in"
	case sluice.Output:
		return "tokens_out"
	case sluice.WebSearches, sluice.SearchUnits, sluice.Images, sluice.Milliseconds, sluice.Characters, sluice.Pages:
		return c.String() // not LLM tokens
	}
	return "tokens_" + c.String()
}

// of gives m's value of t, which may be missing.
func (m *metric) of(t *reqlog.Total) Value {
	if t == nil {
		return m.empty
	}
	if t.Requests == 0 && t.Cost == 0 && t.Tokens == [sluice.ClassCount]int64{} {
		return m.empty
	}
	return m.value(t)
}

// pickMetrics reads a list of names.
func pickMetrics(param string) ([]metric, error) {
	all := metrics()
	var picked []metric
	for name := range strings.SplitSeq(param, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(m metric) bool { return m.name == name })
		if i < 0 {
			return nil, invalid("metric", "there is no metric "+clip(name, 60), names(all, func(m metric) string { return m.name }))
		}
		if !slices.ContainsFunc(picked, func(m metric) bool { return m.name == name }) {
			picked = append(picked, all[i])
		}
	}
	return picked, nil
}

// parseGroups reads the parameter group.
func parseGroups(param string) ([]reqlog.Group, error) {
	if param == "" {
		return nil, nil
	}
	known := []reqlog.Group{
		reqlog.GroupProvider, reqlog.GroupModel, reqlog.GroupKey, reqlog.GroupStatus, reqlog.GroupOutcome, reqlog.GroupCache,
		reqlog.GroupErrorType, reqlog.GroupGateway,
	}
	var groups []reqlog.Group
	for name := range strings.SplitSeq(param, ",") {
		g := reqlog.Group(strings.TrimSpace(name))
		if key, ok := strings.CutPrefix(string(g), "meta."); ok && key != "" && len(key) <= 256 {
			g = reqlog.GroupMeta(key)
		} else if !slices.Contains(known, g) {
			return nil, invalid("group", "there is no group "+clip(string(g), 60), names(known, func(g reqlog.Group) string { return string(g) })+", meta.KEY")
		}
		if slices.Contains(groups, g) {
			return nil, invalid("group", "a group stands there twice", "")
		}
		groups = append(groups, g)
	}
	if len(groups) > 2 {
		return nil, invalid("group", "more than two groups", "one, or two with a comma between")
	}
	return groups, nil
}

// sumsQuery is what is asked of the log, and how the range is cut.
type sumsQuery struct {
	reqlog.TotalsQuery
	step step
	none bool // one interval
	zone *time.Location
}

// read reads the parameters.
func (in *AnalyticsInput) read(settings *Settings, now time.Time) (q sumsQuery, err error) {
	a, err := in.account(settings)
	if err != nil {
		return q, err
	}
	q.Account, q.PerAttempt, q.Sum = a.ID, in.Basis == string(basisAttempts), true
	groups, err := parseGroups(in.Group)
	if err != nil {
		return q, err
	}
	if len(groups) > 0 {
		q.Group, q.Then = groups[0], groups[1:]
	}
	if in.Gateway != "" {
		_, g, err := GatewayPath{in.AccountPath, in.Gateway}.gateway(settings)
		if err != nil {
			return q, err
		}
		q.Gateway = g.ID
	}
	if q.zone, err = parseZone(in.TZ); err != nil {
		return q, err
	}
	span := in.Range
	if q.Filter, span, err = readFilter(in.Q, span, now); err != nil {
		return q, err
	}
	from, to, err := parseRange(span, now)
	if err != nil {
		return q, err
	}
	if to.IsZero() || to.After(now) {
		to = now
	}
	if from.IsZero() || !from.Before(to) {
		return q, invalid("range", "the range has no beginning before now", "24h, 7d, or a time before ..")
	}
	return q, q.cut(in.Interval, from, to, now)
}

// cut sets the edges.
func (q *sumsQuery) cut(interval string, from, to, now time.Time) (err error) {
	if q.step, q.none, err = parseStep(interval, from, to, now); err != nil {
		return err
	}
	whole := wholeEdges(from, to, now)
	if !whole[0].Before(whole[1]) {
		whole[1] = whole[0].Add(time.Minute)
	}
	if q.Edges = whole; !q.none {
		q.Edges = q.step.edges(whole[0].In(q.zone), whole[1].In(q.zone))
	}
	for i, at := range q.Edges {
		q.Edges[i] = at.In(q.zone)
	}
	return nil
}

// before is q for the period before.
func (q *sumsQuery) before() reqlog.TotalsQuery {
	p := q.TotalsQuery
	if q.none {
		p.Edges = []time.Time{q.Edges[0].Add(q.Edges[0].Sub(q.Edges[1])), q.Edges[0]}
		return p
	}
	p.Edges = q.step.before(q.Edges)
	return p
}

// parseZone reads the name of a time zone.
func parseZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, invalid("tz", "there is no time zone "+clip(name, 60), "an IANA name such as Europe/Paris or Asia/Kolkata")
	}
	return zone, nil
}

// readFilter takes the range out of the filter q: a chart has one.
func readFilter(q, span string, now time.Time) (f reqlog.Filter, _ string, err error) {
	if f, err = reqlog.ParseFilter(q); err != nil {
		return f, span, err
	}
	if _, err := f.Compile(now); err != nil {
		return f, span, err
	}
	f.Terms = slices.DeleteFunc(f.Terms, func(t reqlog.Term) bool {
		if t.Field != reqlog.FieldRange || t.Not || len(t.Values) != 1 || t.Op != reqlog.OpEq {
			return false
		}
		if _, ok := parseLength(t.Values[0]); !ok {
			return false
		}
		span = t.Values[0]
		return true
	})
	return f, span, nil
}

// summed is what the log says of a query.
type summed struct {
	totals []reqlog.Total
	rows   bool // they were made from rows
	reqlog.RowSums
}

// sum asks roll-ups, and rows where those cannot answer.
func (s *server) sum(ctx context.Context, q reqlog.TotalsQuery) (r summed, err error) {
	r.totals, err = s.Log.Totals(ctx, q)
	if !errors.Is(err, reqlog.ErrNotRolledUp) {
		return r, err
	}
	return s.sumRows(ctx, q)
}

// sumRows asks rows.
func (s *server) sumRows(ctx context.Context, q reqlog.TotalsQuery) (r summed, err error) {
	r.rows = true
	if r.RowSums, err = s.Log.SumRows(ctx, q); err != nil {
		return r, err
	}
	r.totals = r.RowSums.Totals
	return r, nil
}

// notStored returns how many requests of a range have no row.
func (s *server) notStored(ctx context.Context, q reqlog.TotalsQuery) (int64, error) {
	first, last := q.Edges[0], q.Edges[len(q.Edges)-1]
	totals, err := s.Log.Totals(ctx, reqlog.TotalsQuery{Account: q.Account, Gateway: q.Gateway, Edges: []time.Time{first, last}, NoTimes: true})
	if err != nil {
		return 0, err
	}
	page, err := s.Log.List(ctx, reqlog.Query{Account: q.Account, Gateway: q.Gateway, From: first, To: last, Desc: true, Limit: 1})
	if err != nil || len(totals) == 0 || page.Total < 0 {
		return 0, err
	}
	return max(totals[0].Requests-page.Total, 0), nil
}

func (s *server) getAnalytics(ctx context.Context, in *AnalyticsInput) (*output[Envelope[Analytics]], error) {
	picked, err := pickMetrics(in.Metric)
	if err != nil {
		return nil, err
	}
	q, err := in.read(s.Settings(), time.Now().UTC())
	if err != nil {
		return nil, err
	}
	q.NoTimes = !slices.ContainsFunc(picked, metric.fromHistogram)
	now, err := s.sum(ctx, q.TotalsQuery)
	if err != nil {
		return nil, fmt.Errorf("sum up: %w", err)
	}
	c := newColumns(&q, picked, in.Limit)
	c.take(now.totals)
	if err := s.tell(ctx, c, &now); err != nil {
		return nil, err
	}
	if in.Cmp {
		p := q.before()
		prev, err := s.sum(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("sum up the period before: %w", err)
		}
		c.compare(p.Edges, prev.totals)
		c.v.Partial = c.v.Partial || prev.Partial
	}
	c.series()
	return answer(c.v), nil
}

// tell says in c where its numbers come from.
func (s *server) tell(ctx context.Context, c *columns, r *summed) error {
	until, err := s.Log.CompleteUntil(ctx)
	if err != nil {
		return fmt.Errorf("ask until when the log is complete: %w", err)
	}
	c.v.CompleteUntil, c.v.Source = knownStamp(until), "rollups"
	if !r.rows {
		return nil
	}
	c.v.Source, c.v.Partial = "rows", r.Partial
	if r.Partial {
		c.v.Since = knownStamp(r.Since)
	}
	if c.v.NotStored, err = s.notStored(ctx, c.q.TotalsQuery); err != nil {
		return fmt.Errorf("count what is not stored: %w", err)
	}
	kept := s.Settings().RollUps
	for _, g := range append([]reqlog.Group{c.q.Group}, c.q.Then...) {
		if key, ok := g.Meta(); ok && !slices.Contains(kept, key) {
			c.v.Notes = append(c.v.Notes, "metadata "+key+" has no roll-ups: list it in log.metadata, and they are kept from then on")
		}
	}
	return nil
}

// columns turns sums into series.
type columns struct {
	v      Analytics
	q      *sumsQuery
	picked []metric
	limit  int
	groups map[groupKey]*groupColumns
	prev   bool
}

// groupKey names a group by the values of its levels.
type groupKey struct{ value, then string }

func keyOf(t *reqlog.Total) groupKey { return groupKey{t.Value, t.Then[0]} }

// groupColumns is what there is of a group.
type groupColumns struct {
	whole, prevWhole *reqlog.Total
	parts, prevParts []*reqlog.Total // by interval; nil: none
}

func newColumns(q *sumsQuery, picked []metric, limit int) *columns {
	c := &columns{q: q, picked: picked, limit: limit, groups: map[groupKey]*groupColumns{}}
	n := len(q.Edges) - 1
	c.v = Analytics{
		From: stampIn(q.Edges[0]), To: stampIn(q.Edges[n]), TZ: q.zone.String(), T: make([]string, n), Series: []Series{},
		Basis: string(basisRequests), Notes: []string{},
	}
	if q.PerAttempt {
		c.v.Basis = string(basisAttempts)
	}
	if !q.none {
		c.v.IntervalSeconds = int64(q.step.approximate() / time.Second)
	}
	for i, at := range q.Edges[:n] {
		c.v.T[i] = stampIn(at)
	}
	if q.Group == reqlog.GroupNone {
		c.group(groupKey{})
	}
	return c
}

// stampIn is stamp with the time's own zone.
func stampIn(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

func (c *columns) group(k groupKey) *groupColumns {
	g := c.groups[k]
	if g == nil {
		n := len(c.v.T)
		g = &groupColumns{parts: make([]*reqlog.Total, n), prevParts: make([]*reqlog.Total, n)}
		c.groups[k] = g
	}
	return g
}

// take takes the sums of the range.
func (c *columns) take(totals []reqlog.Total) {
	at := places(c.q.Edges)
	for i := range totals {
		t := &totals[i]
		if t.Start.IsZero() {
			c.group(keyOf(t)).whole = t
			c.v.Unpriced += t.Unpriced
			c.v.Estimated += t.Estimated
		} else if place, ok := at[t.Start.Unix()]; ok {
			c.group(keyOf(t)).parts[place] = t
		}
	}
	c.v.Groups = len(c.groups)
}

// compare takes the sums of the period before.
func (c *columns) compare(edges []time.Time, totals []reqlog.Total) {
	c.prev = true
	c.v.PrevFrom, c.v.PrevTo = optional(stampIn(edges[0])), optional(stampIn(edges[len(edges)-1]))
	at := places(edges)
	for i := range totals {
		t := &totals[i]
		if t.Start.IsZero() {
			c.group(keyOf(t)).prevWhole = t
		} else if place, ok := at[t.Start.Unix()]; ok && place < len(c.v.T) {
			c.group(keyOf(t)).prevParts[place] = t
		}
	}
}

// places finds intervals by their start.
func places(edges []time.Time) map[int64]int {
	at := make(map[int64]int, len(edges))
	for i, t := range edges[:len(edges)-1] {
		at[t.Unix()] = i
	}
	return at
}

// series writes the greatest groups by the first metric.
func (c *columns) series() {
	keys := slices.SortedFunc(maps.Keys(c.groups), func(a, b groupKey) int {
		m := &c.picked[0]
		x, y := c.groups[a], c.groups[b]
		return cmp.Or(
			m.of(y.whole).compare(m.of(x.whole)), m.of(y.prevWhole).compare(m.of(x.prevWhole)),
			strings.Compare(a.value, b.value), strings.Compare(a.then, b.then),
		)
	})
	for i := range c.picked {
		for _, k := range keys[:min(c.limit, len(keys))] {
			c.v.Series = append(c.v.Series, c.one(&c.picked[i], k))
		}
	}
}

func (c *columns) one(m *metric, k groupKey) Series {
	g := c.groups[k]
	s := Series{Metric: m.name, Key: k.value, Values: m.all(g.parts), Total: m.of(g.whole)}
	if len(c.q.Then) > 0 {
		s.Then = &k.then
	}
	if c.prev {
		total := m.of(g.prevWhole)
		s.Prev, s.PrevTotal = m.all(g.prevParts), &total
	}
	return s
}

func (m *metric) all(parts []*reqlog.Total) []Value {
	values := make([]Value, len(parts))
	for i, t := range parts {
		values[i] = m.of(t)
	}
	return values
}
