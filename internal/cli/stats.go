package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

// statMetric is a column of stats.
type statMetric struct {
	name, title string
	write       func(a *commands, n json.Number) string
}

func statMetrics() []statMetric {
	whole := func(a *commands, n json.Number) string {
		i, err := n.Int64()
		if err != nil {
			return n.String()
		}
		return a.count(i)
	}
	length := func(a *commands, n json.Number) string {
		f, err := n.Float64()
		if err != nil {
			return n.String()
		}
		return a.millis(f)
	}
	money := func(a *commands, n json.Number) string { return a.money(&n) }
	return []statMetric{
		{"requests", "REQUESTS", whole},
		{"errors", "ERRORS", whole},
		{"canceled", "CANCELLED", whole},
		{"cached", "CACHED", whole},
		{"tokens_in", "TOK IN", whole},
		{"tokens_out", "OUT", whole},
		{"cost", "COST", money},
		{"duration_p50", "P50", length},
		{"duration_p95", "P95", length},
		{"ttft_p50", "TTFT P50", length},
	}
}

func (a *commands) statsCommand() *cobra.Command {
	var q client.StatsQuery
	var since string
	c := a.command("stats [filter]", "Sum up requests, tokens, cost, errors and times", func(cmd *cobra.Command, given []string) error {
		span, err := sinceRange(since, q.Range, time.Now())
		if err != nil {
			return err
		}
		q.Range, q.Filter = span, strings.Join(given, " ")
		return a.stats(cmd, q)
	})
	c.Args = args(0, 64)
	c.Example = "sluice stats\nsluice stats --group model --range 7d --compare\nsluice stats --interval 1d --range 30d --tz Europe/Paris\nsluice stats --group provider,error_type 'status:error'\nsluice stats --group provider --json"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&q.Group, "group", "", "`what` to split by: provider, model, key, status, outcome, cache, error_type, gateway, meta.KEY; two with a comma between")
	f.StringVar(&q.Range, "range", "", "`range` of time: 24h (also when nothing is given), 7d, or two RFC 3339 times with .. between")
	f.StringVar(&since, "since", "", "`time` to begin at: 10m, 2h, 7d, or a date and time")
	f.StringVar(&q.Interval, "interval", "", "one row per `interval`: auto, 15m, 1h, 1d, 1w, 1mo, in the zone of --tz")
	f.BoolVar(&q.Compare, "compare", false, "show how much more or less there was in the period before")
	f.StringVar(&q.Basis, "basis", "", "what is counted: `requests` (also when nothing is given) or attempts")
	f.IntVar(&q.Limit, "limit", 50, "most groups, the greatest first")
	return c
}

func (a *commands) stats(cmd *cobra.Command, q client.StatsQuery) error {
	if q.Limit < 1 || q.Limit > maxPage {
		return usage("--limit is 1 to %d", maxPage)
	}
	zone, err := a.location()
	if err != nil {
		return err
	}
	if q.Interval != "" {
		q.TZ = a.zoneName(zone)
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	for _, m := range statMetrics() {
		q.Metrics = append(q.Metrics, m.name)
	}
	s, err := c.Stats(cmd.Context(), q)
	if err != nil {
		return err
	}
	t := newStatRows(s, &q)
	rows, err := t.objects()
	if err != nil {
		return err
	}
	v := view{raw: s.Raw, table: func(bool) *table { return t.table(a, zone) }}
	if a.flags.output != "json" && a.flags.output != "yaml" {
		v.rows = rows
	}
	if err := a.show(v); err != nil {
		return err
	}
	a.statNotes(s, &q)
	return nil
}

// zoneName returns the name that a server knows a zone by; "" where the machine's own has none that can be found.
func (a *commands) zoneName(zone *time.Location) string {
	if zone != time.Local {
		return zone.String()
	}
	link, _ := os.Readlink("/etc/localtime") // what is no link tells no name
	_, linked, _ := strings.Cut(link, "zoneinfo/")
	for _, name := range []string{a.getenv("TZ"), linked} {
		if l, err := time.LoadLocation(name); err == nil && name != "" && l != time.Local {
			return name
		}
	}
	return ""
}

// statNotes says what the numbers lack.
func (a *commands) statNotes(s *client.Stats, q *client.StatsQuery) {
	if s.Estimated > 0 {
		a.say("%s with tokens that are estimated, or counted in part", plural(int(s.Estimated), "request"))
	}
	if s.Unpriced > 0 && priced(s) {
		a.say("%s without a known price: cost lacks them", plural(int(s.Unpriced), "request"))
	}
	if s.Partial {
		a.say("there was no time to add up all rows: the oldest are missing; a shorter --range, or a filter by provider, model, key or status alone, is answered whole")
	}
	if s.NotStored > 0 {
		a.say("%s of the range no longer stored, so that the filter cannot see them", plural(int(s.NotStored), "request"))
	}
	for _, note := range s.Notes {
		a.say("%s", note)
	}
	if s.Groups > q.Limit {
		a.say("the %d greatest of %d groups are shown; more: --limit", q.Limit, s.Groups)
	}
}

// priced reports whether any cost is known: where none is, that is plain to see.
func priced(s *client.Stats) bool {
	return slices.ContainsFunc(s.Series, func(x client.Series) bool { return x.Metric == "cost" && x.Total != nil })
}

// statRows are sums as rows: a row for each group, or for each of its intervals.
type statRows struct {
	groups  []string // names of the levels
	times   []string // starts of the intervals; nil: the whole range
	compare bool
	rows    []statRow
}

// statRow is one of them; numbers are in the order of statMetrics, nil where they are not known.
type statRow struct {
	values    []string // of the levels
	time      string
	now, prev []*json.Number
}

func newStatRows(s *client.Stats, q *client.StatsQuery) *statRows {
	t := &statRows{compare: q.Compare}
	if q.Group != "" {
		t.groups = strings.Split(q.Group, ",")
	}
	if q.Interval != "" && q.Interval != "none" {
		t.times = s.T
	}
	for i := range s.Series {
		x := &s.Series[i]
		if x.Metric != statMetrics()[0].name {
			continue
		}
		values := []string{x.Key, x.Then}[:len(t.groups)]
		if t.times == nil {
			t.rows = append(t.rows, t.row(s, x, values, -1))
		}
		for at := range t.times {
			t.rows = append(t.rows, t.row(s, x, values, at))
		}
	}
	return t
}

// row gathers the metrics of a group: of an interval, or of the whole range where at is negative.
func (t *statRows) row(s *client.Stats, of *client.Series, values []string, at int) statRow {
	r := statRow{values: values}
	if at >= 0 {
		r.time = t.times[at]
	}
	for _, m := range statMetrics() {
		var now, prev *json.Number
		i := slices.IndexFunc(s.Series, func(x client.Series) bool { return x.Metric == m.name && x.Key == of.Key && x.Then == of.Then })
		if i >= 0 {
			x := &s.Series[i]
			now, prev = x.Total, x.PrevTotal
			if at >= 0 {
				now, prev = number(x.Values, at), number(x.Prev, at)
			}
		}
		r.now, r.prev = append(r.now, now), append(r.prev, prev)
	}
	return r
}

func number(list []*json.Number, at int) *json.Number {
	if at < len(list) {
		return list[at]
	}
	return nil
}

// objects are the rows in JSON.
func (t *statRows) objects() ([]json.RawMessage, error) {
	names := t.groups
	if len(names) == 0 {
		names = []string{"group"}
	}
	list := make([]json.RawMessage, 0, len(t.rows))
	for i := range t.rows {
		r := &t.rows[i]
		values := append(slices.Clone(r.values), "")[:len(names)]
		b := []byte{'{'}
		for j, name := range names {
			head, nameErr := json.Marshal(name)
			value, valueErr := json.Marshal(values[j])
			if err := errors.Join(nameErr, valueErr); err != nil {
				return nil, err
			}
			b = fmt.Appendf(b, "%s:%s,", head, value)
		}
		if t.times != nil {
			b = fmt.Appendf(b, "\"time\":%q,", r.time)
		}
		for j, m := range statMetrics() {
			b = fmt.Appendf(b, "%q:%s,", m.name, orNull(r.now[j]))
			if t.compare {
				b = fmt.Appendf(b, "%q:%s,", "prev_"+m.name, orNull(r.prev[j]))
			}
		}
		b[len(b)-1] = '}'
		list = append(list, b)
	}
	return list, nil
}

func orNull(n *json.Number) string {
	if n == nil {
		return "null"
	}
	return n.String()
}

func (t *statRows) table(a *commands, zone *time.Location) *table {
	out := &table{}
	for _, name := range t.groups {
		out.columns = append(out.columns, column{title: strings.ToUpper(name), flex: 12})
	}
	if t.times != nil {
		out.columns = append(out.columns, column{title: "TIME"})
	}
	for _, m := range statMetrics() {
		out.columns = append(out.columns, column{title: m.title, right: true})
		if t.compare && compared(m.name) {
			out.columns = append(out.columns, column{title: "CHANGE", right: true})
		}
	}
	for i := range t.rows {
		out.rows = append(out.rows, t.rows[i].cells(a, t, zone))
	}
	return out
}

// compared reports whether the table shows how a metric has changed: of all, that would be too wide.
func compared(metric string) bool {
	return metric == "requests" || metric == "errors" || metric == "cost" || metric == "duration_p95"
}

func (r *statRow) cells(a *commands, t *statRows, zone *time.Location) []cell {
	var row []cell
	for _, value := range r.values {
		if value == "" {
			value = a.none()
		}
		row = append(row, cell{text: value})
	}
	if t.times != nil {
		text := r.time
		if at, err := time.Parse(time.RFC3339, r.time); err == nil && a.human() {
			text = at.In(zone).Format("2006-01-02 15:04")
		}
		row = append(row, cell{text: text})
	}
	for i, m := range statMetrics() {
		text := a.none()
		if r.now[i] != nil {
			text = m.write(a, *r.now[i])
		}
		row = append(row, cell{text: text})
		if t.compare && compared(m.name) {
			row = append(row, cell{text: a.change(r.now[i], r.prev[i])})
		}
	}
	return row
}

// change writes how much more or less a number is than the one before.
func (a *commands) change(now, prev *json.Number) string {
	if now == nil || prev == nil {
		return a.none()
	}
	x, errX := now.Float64()
	y, errY := prev.Float64()
	switch {
	case errX != nil || errY != nil:
		return a.none()
	case x == y:
		return "="
	case y == 0:
		return "new"
	}
	return fmt.Sprintf("%+.0f%%", (x-y)/y*100)
}
