package admin

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// analyticsRoutes are those of sums.
func analyticsRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/analytics", "get-analytics", "Sums over time, from roll-ups", handle((*server).getAnalytics)),
	}
}

// AnalyticsInput are the parameters of sums over time.
type AnalyticsInput struct {
	AccountPath
	Gateway  string `query:"gateway" doc:"gateway id; all of the account's when empty"`
	Metric   string `query:"metric" default:"requests" doc:"names with commas between"`
	Group    string `query:"group" enum:"provider,model,key,status,cache,gateway" doc:"what to split by"`
	Range    string `query:"range" default:"24h" doc:"24h, 7d, or two RFC 3339 times with .. between"`
	Interval string `query:"interval" default:"auto" doc:"auto, none (one value for the range), or a length such as 1m, 15m, 1h, 1d"`
	Q        string `query:"q" doc:"the filter language, as far as roll-ups can answer: gateway and range"`
	Limit    int    `query:"limit" default:"50" minimum:"1" maximum:"1000" doc:"most groups, the greatest by the first metric"`
}

// Analytics are columns of numbers over time.
type Analytics struct {
	From            string   `json:"from" format:"date-time"`
	To              string   `json:"to" format:"date-time"`
	IntervalSeconds int64    `json:"interval_seconds" doc:"0: one interval for the whole range"`
	TZ              string   `json:"tz"`
	T               []string `json:"t" doc:"start of each interval"`
	Series          []Series `json:"series"`
	Basis           string   `json:"basis" enum:"requests"`
	CompleteUntil   *string  `json:"complete_until" doc:"no request will be added before this time; null: not known"`
	Unpriced        int64    `json:"unpriced" doc:"requests with usage and no known cost: cost lacks them"`
	Estimated       int64    `json:"estimated" doc:"requests whose tokens are estimated or partial"`
}

// Series is one metric of one group.
type Series struct {
	Metric string  `json:"metric"`
	Key    string  `json:"key" doc:"value of the group; empty without one"`
	Values []Value `json:"values" doc:"one for each of t; null: not known"`
	Total  Value   `json:"total" doc:"of the whole range"`
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
			return Value{number: int64(t.Cost), places: 9, known: t.Priced > 0}
		}, zero},
		{"tokens", func(t *reqlog.Total) Value {
			known := t.TokensKnown[sluice.Input] > 0 || t.TokensKnown[sluice.Output] > 0
			return Value{number: t.Tokens[sluice.Input] + t.Tokens[sluice.Output], known: known}
		}, zero},
		timed("duration_p50", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.Duration, t.Duration.P50 }),
		timed("duration_p95", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.Duration, t.Duration.P95 }),
		timed("duration_p99", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.Duration, t.Duration.P99 }),
		timed("duration_mean", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.Duration, t.Duration.Mean }),
		timed("ttft_p50", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.FirstToken, t.FirstToken.P50 }),
		timed("ttft_p95", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.FirstToken, t.FirstToken.P95 }),
		timed("ttft_p99", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.FirstToken, t.FirstToken.P99 }),
		timed("ttft_mean", func(t *reqlog.Total) (reqlog.Quantiles, time.Duration) { return t.FirstToken, t.FirstToken.Mean }),
	}
	for class := range sluice.ClassCount {
		list = append(list, metric{classMetric(class), func(t *reqlog.Total) Value {
			return Value{number: t.Tokens[class], known: t.TokensKnown[class] > 0}
		}, zero})
	}
	return list
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
	if t == nil || t.Requests == 0 {
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

// autoIntervals are the lengths that interval=auto chooses from: the shortest that cuts the range into
// at most maxAuto.
func autoIntervals() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{
		time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
		day, 7 * day, 30 * day, 90 * day,
	}
}

const (
	maxAuto      = 120
	maxIntervals = 2000
)

// interval reads the parameter for a range of length.
func interval(param string, length time.Duration) (time.Duration, error) {
	switch param {
	case "none":
		return 0, nil
	case "auto", "":
		for _, every := range autoIntervals() {
			if length <= maxAuto*every {
				return every, nil
			}
		}
		return 365 * 24 * time.Hour, nil
	}
	every, ok := parseLength(param)
	if !ok {
		return 0, invalid("interval", "this is no length of time", "auto, none, 1m, 15m, 1h, 1d")
	}
	if length > maxIntervals*every {
		return 0, invalid("interval", "that makes more than "+strconv.Itoa(maxIntervals)+" intervals", "take a longer interval or a shorter range")
	}
	return every, nil
}

// totalsQuery reads the parameters; Every is not set yet.
func (in *AnalyticsInput) totalsQuery(settings *Settings, now time.Time) (reqlog.TotalsQuery, error) {
	q := reqlog.TotalsQuery{Group: reqlog.Group(in.Group)}
	a, err := in.account(settings)
	if err != nil {
		return q, err
	}
	q.Account = a.ID
	gateway, span, err := readTotalsFilter(in.Q, in.Gateway, in.Range)
	if err != nil {
		return q, err
	}
	if gateway != "" {
		_, g, err := GatewayPath{in.AccountPath, gateway}.gateway(settings)
		if err != nil {
			return q, err
		}
		q.Gateway = g.ID
	}
	if q.From, q.To, err = parseRange(span, now); err != nil {
		return q, err
	}
	if q.To.IsZero() || q.To.After(now) {
		q.To = now
	}
	if q.From.IsZero() || !q.From.Before(q.To) {
		return q, invalid("range", "the range has no beginning before now", "24h, 7d, or a time before ..")
	}
	// Roll-ups know whole minutes.
	q.From = q.From.Truncate(time.Minute)
	if rounded := q.To.Truncate(time.Minute); rounded.Before(q.To) {
		q.To = rounded.Add(time.Minute)
	}
	return q, nil
}

// readTotalsFilter takes from the filter q what roll-ups can answer, and refuses the rest: sums that
// left a condition aside would be wrong without a sign of it.
func readTotalsFilter(q, gateway, span string) (string, string, error) {
	f, err := reqlog.ParseFilter(q)
	if err != nil {
		return "", "", err
	}
	for _, t := range f.Terms {
		single := len(t.Values) == 1 && t.Op == reqlog.OpEq && !t.Not && !strings.ContainsAny(t.Values[0], `*\`)
		switch {
		case t.Field == reqlog.FieldGateway && single && (gateway == "" || strings.EqualFold(gateway, t.Values[0])):
			gateway = t.Values[0]
		case t.Field == reqlog.FieldRange && single:
			span = t.Values[0]
		default:
			return "", "", invalid("q", "sums cannot be filtered by "+string(t.Field)+" in this form",
				"gateway:one and range:24h can; group splits by provider, model, key, status, cache or gateway")
		}
	}
	return gateway, span, nil
}

func (s *server) getAnalytics(ctx context.Context, in *AnalyticsInput) (*output[Envelope[Analytics]], error) {
	picked, err := pickMetrics(in.Metric)
	if err != nil {
		return nil, err
	}
	q, err := in.totalsQuery(s.Settings(), time.Now().UTC())
	if err != nil {
		return nil, err
	}
	every, err := interval(in.Interval, q.To.Sub(q.From))
	if err != nil {
		return nil, err
	}
	if every > 0 {
		q.From = q.From.Truncate(every)
	}
	// Percentiles of the range do not follow from those of its intervals, so it is asked for as well.
	whole, err := s.Log.Totals(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("sum up the range: %w", err)
	}
	parts := whole
	if q.Every = every; every > 0 {
		if parts, err = s.Log.Totals(ctx, q); err != nil {
			return nil, fmt.Errorf("sum up the intervals: %w", err)
		}
	}
	until, err := s.Log.CompleteUntil(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask until when the log is complete: %w", err)
	}
	v := columns(q, picked, whole, parts, in.Limit)
	v.CompleteUntil = knownStamp(until)
	return answer(v), nil
}

// columns turns sums into series, the greatest groups by the first metric first.
func columns(q reqlog.TotalsQuery, picked []metric, whole, parts []reqlog.Total, limit int) Analytics {
	v := Analytics{
		From: stamp(q.From), To: stamp(q.To), IntervalSeconds: int64(q.Every / time.Second),
		TZ: "UTC", T: []string{}, Series: []Series{}, Basis: "requests",
	}
	at := map[int64]int{} // place in t by start
	step := q.Every
	if step == 0 {
		step = q.To.Sub(q.From)
	}
	for start := q.From; start.Before(q.To); start = start.Add(step) {
		at[start.Unix()] = len(v.T)
		v.T = append(v.T, stamp(start))
	}
	groups := map[string][]*reqlog.Total{}
	for i := range parts {
		t := &parts[i]
		place, ok := at[t.Start.Unix()]
		if q.Every == 0 {
			place, ok = 0, true
		}
		if !ok {
			continue
		}
		if groups[t.Value] == nil {
			groups[t.Value] = make([]*reqlog.Total, len(v.T))
		}
		groups[t.Value][place] = t
	}
	if len(whole) == 0 && q.Group == reqlog.GroupNone {
		whole = []reqlog.Total{{}}
	}
	whole = slices.Clone(whole)
	slices.SortStableFunc(whole, func(a, b reqlog.Total) int {
		if order := picked[0].of(&b).compare(picked[0].of(&a)); order != 0 {
			return order
		}
		return strings.Compare(a.Value, b.Value)
	})
	for i := range whole {
		v.Unpriced += whole[i].Unpriced
		v.Estimated += whole[i].Estimated
	}
	for i := range picked {
		for j := range whole[:min(limit, len(whole))] {
			v.Series = append(v.Series, series(&picked[i], &whole[j], groups[whole[j].Value], len(v.T)))
		}
	}
	return v
}

func series(m *metric, whole *reqlog.Total, parts []*reqlog.Total, n int) Series {
	s := Series{Metric: m.name, Key: whole.Value, Values: make([]Value, n), Total: m.of(whole)}
	for i := range s.Values {
		s.Values[i] = m.empty
		if parts != nil {
			s.Values[i] = m.of(parts[i])
		}
	}
	return s
}
