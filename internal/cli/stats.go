package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
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
	c := a.command("stats", "Sum up requests, tokens, cost, errors and times", func(cmd *cobra.Command, _ []string) error {
		span, err := sinceRange(since, q.Range, time.Now())
		if err != nil {
			return err
		}
		q.Range = span
		return a.stats(cmd, q)
	})
	c.Args = args(0, 0)
	c.Example = "sluice stats\nsluice stats --group model --range 7d\nsluice stats --group provider --json"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&q.Group, "group", "", "`what` to split by: provider, model, key, status, cache, gateway")
	f.StringVar(&q.Range, "range", "", "`range` of time: 24h (also when nothing is given), 7d, or two RFC 3339 times with .. between")
	f.StringVar(&since, "since", "", "`time` to begin at: 10m, 2h, 7d, or a date and time")
	f.StringVar(&q.Interval, "interval", "", "in JSON: values per `interval` beside the sums: auto, 1m, 15m, 1h, 1d")
	f.IntVar(&q.Limit, "limit", 50, "most groups, the greatest first")
	return c
}

func (a *commands) stats(cmd *cobra.Command, q client.StatsQuery) error {
	if q.Limit < 1 || q.Limit > maxPage {
		return usage("--limit is 1 to %d", maxPage)
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
	groups, rows, err := statRows(s, q.Group)
	if err != nil {
		return err
	}
	v := view{raw: s.Raw, table: func(bool) *table { return a.statTable(s, q.Group, groups) }}
	if a.flags.output != "json" && a.flags.output != "yaml" {
		v.rows = rows
	}
	if err := a.show(v); err != nil {
		return err
	}
	if s.Estimated > 0 {
		a.say("%s with tokens that are estimated, or counted in part", plural(int(s.Estimated), "request"))
	}
	if s.Unpriced > 0 && priced(s) {
		a.say("%s without a known price: cost lacks them", plural(int(s.Unpriced), "request"))
	}
	if len(groups) == q.Limit {
		a.say("the %d greatest groups are shown; more: --limit", q.Limit)
	}
	return nil
}

// statRows turns series into rows: the groups in the API's order, and an object for each.
func statRows(s *client.Stats, group string) (groups []string, rows []json.RawMessage, err error) {
	for _, x := range s.Series {
		if !contains(groups, x.Key) {
			groups = append(groups, x.Key)
		}
	}
	name := group
	if name == "" {
		name = "group"
	}
	for _, key := range groups {
		head, err := json.Marshal(key)
		if err != nil {
			return nil, nil, err
		}
		row := append([]byte("{"+strconv.Quote(name)+":"), head...)
		for _, m := range statMetrics() {
			value := "null"
			if n := total(s, m.name, key); n != nil {
				value = n.String()
			}
			row = append(row, fmt.Sprintf(",%q:%s", m.name, value)...)
		}
		rows = append(rows, append(row, '}'))
	}
	return groups, rows, nil
}

// priced reports whether any cost is known: where none is, that is plain to see.
func priced(s *client.Stats) bool {
	return slices.ContainsFunc(s.Series, func(x client.Series) bool { return x.Metric == "cost" && x.Total != nil })
}

func total(s *client.Stats, metric, key string) *json.Number {
	for i := range s.Series {
		if s.Series[i].Metric == metric && s.Series[i].Key == key {
			return s.Series[i].Total
		}
	}
	return nil
}

func (a *commands) statTable(s *client.Stats, group string, groups []string) *table {
	t := &table{}
	if group != "" {
		t.columns = append(t.columns, column{title: titleOf(group), flex: 12})
	}
	for _, m := range statMetrics() {
		t.columns = append(t.columns, column{title: m.title, right: true})
	}
	for _, key := range groups {
		var row []cell
		if group != "" {
			name := key
			if name == "" {
				name = a.none()
			}
			row = append(row, cell{text: name})
		}
		for _, m := range statMetrics() {
			text := a.none()
			if n := total(s, m.name, key); n != nil {
				text = m.write(a, *n)
			}
			row = append(row, cell{text: text})
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func titleOf(group string) string {
	return map[string]string{
		"provider": "PROVIDER", "model": "MODEL", "key": "KEY", "status": "STATUS", "cache": "CACHE", "gateway": "GATEWAY",
	}[group]
}
