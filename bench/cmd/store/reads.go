package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/sluicehq/sluice/bench/internal/traffic"
)

// read is something that is asked again and again.
type read struct {
	name string
	must time.Duration // that 95 of 100 are to stay below
	// paths returns what is asked next: several paths are asked at the same time, as a page does.
	paths func() []string
	body  string // for GraphQL
}

const (
	page      = 5 * time.Millisecond // docs/architecture.md's goals, and the dashboard's
	filtered  = 150 * time.Millisecond
	detail    = 50 * time.Millisecond
	histogram = 200 * time.Millisecond
	facets    = 150 * time.Millisecond
	dashboard = 300 * time.Millisecond
	textual   = 2200 * time.Millisecond // text is looked for in bodies for two seconds
)

// place is where the reads look.
type place struct {
	rand    *rand.Rand
	cursors []string
	recent  []string // ids whose bodies are stored
	old     []string // ids from anywhere
}

// item is what is read of a list's items.
type item struct {
	ID string `json:"id"`
}

// info is what is read of a list's result_info.
type info struct {
	Next string `json:"next"`
}

const logsPath = "/gateways/" + traffic.Main + "/logs"

// look finds cursors and ids for the reads, all over the month.
func look(ctx context.Context, s *server) (*place, error) {
	p := &place{rand: rand.New(rand.NewPCG(3, 4))}
	now := time.Now().UTC()
	for range 100 {
		to := now.Add(-time.Duration(p.rand.Int64N(int64(29 * 24 * time.Hour))))
		list, next, err := s.list(ctx, url.Values{"range": {to.Add(-12*time.Hour).Format(time.RFC3339) + ".." + to.Format(time.RFC3339)}, "per_page": {"10"}})
		if err != nil {
			return nil, err
		}
		if next != "" {
			p.cursors = append(p.cursors, next)
		}
		for _, one := range list {
			p.old = append(p.old, one.ID)
		}
	}
	list, _, err := s.list(ctx, url.Values{"q": {"provider:openai,anthropic,groq"}, "per_page": {"500"}})
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		p.recent = append(p.recent, one.ID)
	}
	if len(p.cursors) == 0 || len(p.old) == 0 || len(p.recent) == 0 {
		err = errors.New("the store is empty where it should not be")
	}
	return p, err
}

func (s *server) list(ctx context.Context, params url.Values) (list []item, next string, err error) {
	params.Set("basis", "requests")
	var more info
	err = s.ask(ctx, logsPath, params, &list, &more)
	return list, more.Next, err
}

func (p *place) any(list []string) string { return list[p.rand.IntN(len(list))] }

// reads lists what is measured.
func (p *place) reads() []read {
	one := func(path string, params ...string) func() []string {
		text := query(path, params...)
		return func() []string { return []string{text} }
	}
	logs := func(params ...string) func() []string {
		return one(logsPath, append([]string{"basis", "requests", "per_page", "50"}, params...)...)
	}
	list := []read{
		{name: "page: newest", must: page, paths: logs()},
		{name: "page: newest, a small gateway", must: page, paths: one("/gateways/"+traffic.Small+"/logs", "basis", "requests", "per_page", "50")},
		{name: "page: newest, an item per attempt", must: page, paths: one(logsPath, "per_page", "50")},
		{name: "page: at a cursor anywhere", must: page, paths: func() []string {
			return []string{query(logsPath, "basis", "requests", "per_page", "50", "cursor", p.any(p.cursors))}
		}},
		{name: "list: a common model", must: filtered, paths: logs("q", "model:"+traffic.CommonModel)},
		{name: "list: a model of one in a million", must: filtered, paths: logs("q", "model:"+traffic.RareModel)},
		{name: "list: errors", must: filtered, paths: logs("q", "status:error")},
		{name: "list: provider and errors", must: filtered, paths: logs("q", "provider:groq status:error")},
		{name: "list: model, slow, costly", must: filtered, paths: logs("q", "model:mistral-large-latest duration:>8s cost:>0.004")},
		{name: "list: a user", must: filtered, paths: logs("q", "meta.user_id:user-04711")},
		{name: "list: a model and a user", must: filtered, paths: logs("q", "model:"+traffic.CommonModel+" meta.user_id:user-04711")},
		{name: "list: text in bodies, within 2 s", must: textual, paths: logs("q", `"somebody walks to measures"`)},
		{name: "entry", must: detail, paths: func() []string { return []string{query(logsPath + "/" + p.any(p.old))} }},
		{name: "entry: request body", must: detail, paths: func() []string { return []string{query(logsPath + "/" + p.any(p.recent) + "/request")} }},
		{name: "entry: response body", must: detail, paths: func() []string { return []string{query(logsPath + "/" + p.any(p.recent) + "/response")} }},
		{name: "summary of a gateway, 24 h", must: histogram, paths: one("/gateways/"+traffic.Main+"/summary", "range", "24h")},
	}
	for _, span := range []string{"24h", "30d"} {
		for _, q := range []string{"", "provider:openai", "status:error", "model:" + traffic.CommonModel + " status:error"} {
			list = append(list, read{name: label("histogram", span, q), must: histogram, paths: one(logsPath+"/histogram", "range", span, "q", q)})
		}
		for _, field := range []string{"model", "status", "key"} {
			list = append(list, read{name: label("facets of "+field, span, ""), must: facets, paths: one(logsPath+"/facets", "range", span, "field", field)})
		}
		list = append(
			list,
			read{name: label("facets of model", span, "provider:openai"), must: facets, paths: one(logsPath+"/facets", "range", span, "field", "model", "q", "provider:openai")},
			read{name: label("facets of model", span, "status:error"), must: facets, paths: one(logsPath+"/facets", "range", span, "field", "model", "q", "status:error")},
		)
	}
	for _, span := range []string{"24h", "7d", "30d"} {
		list = append(
			list,
			read{name: "dashboard, " + span, must: dashboard, paths: dashboardPaths(span, "")},
			read{name: "dashboard, " + span + ", one gateway", must: dashboard, paths: dashboardPaths(span, traffic.Main)},
		)
	}
	for _, q := range []struct{ name, dimensions, span string }{
		{"models by hour, 7 days", "model datetimeHour", "168h"},
		{"models and providers by day, 30 days", "model provider date", "720h"},
	} {
		length, _ := time.ParseDuration(q.span)
		text := fmt.Sprintf(`{"query":"{ viewer { accounts(filter: {accountTag: \"%s\"}) { aiGatewayRequestsAdaptiveGroups(limit: 5000, filter: {datetimeHour_geq: \"%s\"}) { count dimensions { %s } sum { cost erroredRequests cachedRequests uncachedTokensIn uncachedTokensOut } } } } }"}`,
			traffic.Account, time.Now().Add(-length).UTC().Format(time.RFC3339), q.dimensions)
		list = append(list, read{name: "GraphQL: " + q.name, must: dashboard, body: text})
	}
	return list
}

func label(name, span, q string) string {
	if q != "" {
		q = ", " + q
	}
	return name + ", " + span + q
}

func query(path string, params ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		if params[i+1] != "" {
			values.Set(params[i], params[i+1])
		}
	}
	if len(values) == 0 {
		return api + path
	}
	return api + path + "?" + values.Encode()
}

// dashboardPaths is what the page of analytics asks for: tiles and lines with the period before, bars by outcome, cost
// by model, errors by kind and provider, and the table.
func dashboardPaths(span, gateway string) func() []string {
	const tiles = "requests,success,errors,cached,tokens,tokens_in,tokens_out,tokens_cache_read,tokens_cache_write_5m,tokens_reasoning,cost,cost_per_1k," +
		"cache_rate,saved_cost,saved_time,error_rate,duration_p50,duration_p90,duration_p95,duration_p99,ttft_p50,ttft_p90,ttft_p95,ttft_p99,tokens_per_second,overhead_p99"
	var paths []string
	for _, params := range [][]string{
		{"metric", tiles, "cmp", "1"},
		{"metric", "requests", "group", "outcome"},
		{"metric", "cost", "group", "model", "limit", "6"},
		{"metric", "requests", "group", "error_type,provider", "limit", "20"},
		{"metric", "requests,tokens,cost,error_rate,duration_p95", "group", "model", "interval", "none", "cmp", "1"},
	} {
		paths = append(paths, query("/analytics", append(params, "range", span, "gateway", gateway)...))
	}
	return func() []string { return paths }
}
