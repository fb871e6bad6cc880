package admin

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// mixed makes exchanges of all sorts within the last hours: retried, cached, failed, without a price, of two
// gateways.
func mixed(b *bench, log *reqlog.Log, n int) {
	r := rand.New(rand.NewPCG(7, 8))
	pick := func(texts ...string) string { return texts[r.IntN(len(texts))] }
	now := time.Now().UTC()
	for i := range n {
		e := entryAt(new(sluice.IDs), 0)
		at := now.Add(-time.Duration(n-i) * 5 * time.Hour / time.Duration(n))
		e.ID, e.Start, e.Gateway = b.ids.New(at), at, pick("default", "prod")
		e.Provider, e.Model, e.Key = pick("openai", "anthropic"), pick("gpt-4.1", "claude", "gpt-4.1-mini"), pick("", "ci")
		e.Timeline.End = time.Duration(1+r.IntN(5000)) * time.Millisecond
		e.Cost, e.Priced = sluice.NanoUSD(r.IntN(1e6)), r.IntN(5) > 0
		e.Attempts = []sluice.Attempt{{Provider: e.Provider, Model: e.Model, Status: 200, Usage: e.Usage, Cost: e.Cost, Priced: e.Priced}}
		e.Metadata = []sluice.MetaValue{{Key: "team", Value: pick("a", "b")}}
		switch r.IntN(6) {
		case 0:
			e.Cache, e.Attempts, e.Cost, e.Usage.Basis = sluice.CacheHit, nil, 0, sluice.BasisCached
		case 1:
			e.Status, e.Success, e.ErrorKind, e.Usage = 500, false, "upstream_status", sluice.Usage{}
			e.Attempts[0].Status, e.Attempts[0].Cause, e.Attempts[0].Usage = 500, "status", sluice.Usage{}
		case 2:
			failed := sluice.Attempt{Provider: "groq", Model: "llama", Status: 429, Cause: "status"}
			e.Attempts = append([]sluice.Attempt{failed}, e.Attempts...)
		case 3:
			e.Status, e.Success, e.Ending, e.Attempts = 429, false, sluice.EndingRefused, nil
		}
		run(log, e, "{}", "{}")
	}
}

// TestChartsEqualTheLogsBehindThem compares each bar of several charts with the list that a click on it shows.
func TestChartsEqualTheLogsBehindThem(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	mixed(b, log, 300)
	count := func(q string) (n int) {
		cursor := ""
		for {
			v := b.call(logsPath + "?basis=requests&per_page=100&q=" + url.QueryEscape(q) + "&cursor=" + cursor)
			n += len(v.items(t))
			next, ok := v.ResultInfo["next"].(string)
			if !ok {
				return n
			}
			cursor = next
		}
	}
	for _, chart := range []struct{ group, field, q, source string }{
		{"", "", "", "rollups"},
		{"provider", "provider", "", "rollups"},
		{"status", "status", "provider:openai", "rollups"},
		{"status", "status", "", "rollups"},
		{"model", "model", "provider:openai", "rollups"},
		{"error_type", "error_type", "-provider:anthropic", "rollups"},
		{"provider", "provider", "status:error", "rollups"},
		{"", "", "status:error,429 cached:no", "rollups"},
		{"model", "model", "meta.team:a cost:>0.0005", "rows"},
		{"key", "key", "key:ci", "rollups"},
	} {
		got := b.analytics("gateway=default&range=6h&interval=1h&group=" + chart.group + "&q=" + url.QueryEscape(chart.q))
		if got["source"] != chart.source || got["partial"] != false || got["not_stored"] != json.Number("0") {
			t.Errorf("%+v: %v, %v, %v", chart, got["source"], got["partial"], got["not_stored"])
		}
		starts, sum := got["t"].([]any), 0
		for _, s := range got["series"].([]any) {
			one := s.(map[string]any)
			all := 0
			for i, v := range one["values"].([]any) {
				end := got["to"]
				if i+1 < len(starts) {
					end = starts[i+1]
				}
				q := fmt.Sprintf("%s created_at:>=%s created_at:<%s", chart.q, starts[i], end)
				if chart.group != "" {
					q += fmt.Sprintf(" %s:%q", chart.field, one["key"])
				}
				want := count(q)
				if fmt.Sprint(v) != fmt.Sprint(want) {
					t.Errorf("%+v: %v at %v has %v; the logs %d", chart, one["key"], starts[i], v, want)
				}
				all += want
			}
			if fmt.Sprint(one["total"]) != fmt.Sprint(all) {
				t.Errorf("%+v: %v is %v in all; its logs %d", chart, one["key"], one["total"], all)
			}
			sum += all
		}
		if want := count(chart.q + " range:6h"); sum != want || sum == 0 {
			t.Errorf("%+v: %d in the chart, %d in the logs", chart, sum, want)
		}
	}
}

func TestAttemptsAreWhatTheListOfAttemptsHas(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	mixed(b, log, 200)
	type row struct {
		Provider string `json:"provider"`
		Success  bool   `json:"success"`
		TokensIn *int64 `json:"tokens_in"`
	}
	requests, failed, tokens := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for page := 1; ; page++ {
		v := b.call(fmt.Sprintf("%s?basis=attempts&per_page=50&page=%d", logsPath, page))
		var rows []row
		if err := json.Unmarshal(v.Result, &rows); err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			requests[r.Provider]++
			if !r.Success {
				failed[r.Provider]++
			}
			if r.TokensIn != nil {
				tokens[r.Provider] += *r.TokensIn
			}
		}
	}
	got := b.analytics("gateway=default&range=6h&interval=none&group=provider&basis=attempts&metric=requests,errors,tokens_in")
	if len(requests) != 3 {
		t.Fatalf("%v", requests)
	}
	for _, s := range got["series"].([]any) {
		one := s.(map[string]any)
		want := map[any]map[string]int64{"requests": requests, "errors": failed, "tokens_in": tokens}[one["metric"]][one["key"].(string)]
		value := one["total"]
		if value == nil {
			value = 0
		}
		if fmt.Sprint(value) != fmt.Sprint(want) {
			t.Errorf("%v of %v: %v; the list %d", one["metric"], one["key"], one["total"], want)
		}
	}
	if got["basis"] != "attempts" {
		t.Errorf("basis %v", got["basis"])
	}
}

func TestASummaryIsWhatAnalyticsSay(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	mixed(b, log, 120)
	v := b.call(accountPath + "/gateways/prod/summary?range=24h")
	plain := map[string]any{}
	if err := json.Unmarshal(v.Result, &plain); err != nil {
		t.Fatal(err)
	}
	got := b.analytics("gateway=prod&range=24h&interval=none&metric=requests,errors,cost,tokens")
	totals := map[string]any{}
	for _, one := range got["series"].([]any) {
		totals[one.(map[string]any)["metric"].(string)] = one.(map[string]any)["total"]
	}
	for _, name := range []string{"requests", "errors", "cost", "tokens"} {
		want, _ := totals[name].(json.Number).Float64()
		if plain[name] != want {
			t.Errorf("%s: %v; want %v", name, plain[name], want)
		}
	}
	line := plain["sparkline"].(map[string]any)["requests"].([]any)
	sum := 0.0
	for _, n := range line {
		sum += n.(float64)
	}
	newest := b.call(accountPath + "/gateways/prod/logs?per_page=1")
	last := newest.items(t)
	if sum != plain["requests"] || len(line) < 90 || plain["last_request"] != last[0]["created_at"] {
		t.Errorf("%v in the sparkline, last %v; want %v, %v", sum, plain["last_request"], plain["requests"], last[0]["created_at"])
	}
	empty := b.call("/client/v4/accounts/other/ai-gateway/gateways/default/summary")
	if err := json.Unmarshal(empty.Result, &plain); err != nil || plain["last_request"] != nil || plain["error_rate"] != nil || plain["requests"] != 0.0 {
		t.Errorf("%s", empty.Result)
	}
	if !slices.Contains([]int{404, 400}, b.call(accountPath+"/gateways/nothing/summary").status) {
		t.Error("a gateway that is not there has a summary")
	}
}
