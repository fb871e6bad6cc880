package metrics

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

func entry(model string) *sluice.LogEntry {
	e := &sluice.LogEntry{
		Account: "default", Gateway: "main", Provider: "openai", Model: model, Status: 200, Success: true, Ending: sluice.EndingComplete,
		Priced: true, Cost: 1_500_000, Attempts: make([]sluice.Attempt, 1),
		Timeline: sluice.Timeline{FirstToken: 30 * time.Millisecond, End: 300 * time.Millisecond}, Request: sluice.Body{Size: 10}, Response: sluice.Body{Size: 20},
	}
	e.Attempts[0].End = 299 * time.Millisecond
	e.Usage.Basis = sluice.BasisProvider
	e.Usage.Set(sluice.Input, 7)
	e.Usage.Set(sluice.Output, 11)
	return e
}

// scrape returns the lines of a scrape.
func scrape(t *testing.T, r *Recorder) map[string]string {
	t.Helper()
	g := Gauges{Version: "1.2.3", InFlight: 3, Log: reqlog.Stats{State: "ok", Rows: 9, AppendLag: 1500 * time.Microsecond}, Upstreams: []Upstream{{Host: "api.openai.com", Open: 4, Idle: 1}}}
	w := httptest.NewRecorder()
	Handler(r, func() Gauges { return g }).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s %v", w.Code, body, err)
	}
	lines := map[string]string{}
	for line := range strings.SplitSeq(string(body), "\n") {
		if name, value, ok := strings.Cut(line, "} "); ok && !strings.HasPrefix(line, "#") {
			lines[name+"}"] = value
		} else if name, value, ok := strings.Cut(line, " "); ok && !strings.HasPrefix(line, "#") {
			lines[name] = value
		}
	}
	return lines
}

func TestAScrapeHasWhatWasCounted(t *testing.T) {
	r := New()
	r.Observe(entry("gpt-4.1"))
	r.Observe(entry("gpt-4.1"))
	failed := entry("gpt-4.1")
	failed.Status, failed.Success, failed.ErrorKind, failed.Usage, failed.Priced = 502, false, "dial", sluice.Usage{}, false
	r.Observe(failed)
	hit := entry("gpt-4.1")
	hit.Cache, hit.Cost, hit.Usage.Basis, hit.Attempts = sluice.CacheHit, 0, sluice.BasisCached, nil
	hit.Saved = sluice.Saving{Cost: 2_000_000, Priced: true}
	r.Observe(hit)
	limited := entry("gpt-4.1")
	limited.Status, limited.Success, limited.Ending, limited.Usage, limited.Attempts = 429, false, sluice.EndingRefused, sluice.Usage{}, nil
	r.Observe(limited)
	got := scrape(t, r)
	const place = `account="default",gateway="main",gen_ai_provider_name="openai"`
	of := func(outcome, class string) string {
		return `{account="default",gateway="main",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4.1",outcome="` + outcome + `",status_class="` + class + `"}`
	}
	for name, want := range map[string]string{
		"sluice_requests_total" + of("ok", "2xx"):                                                               "2",
		"sluice_requests_total" + of("provider_error", "5xx"):                                                   "1",
		"sluice_requests_total" + of("cached", "2xx"):                                                           "1",
		"sluice_rate_limited_total" + of("rate_limited", "4xx"):                                                 "1",
		"sluice_cost_usd_total" + of("ok", "2xx"):                                                               "0.003",
		"sluice_cache_saved_cost_usd_total" + of("cached", "2xx"):                                               "0.002",
		"sluice_attempts_total" + of("ok", "2xx"):                                                               "2",
		`sluice_errors_total{account="default",error_type="dial",gateway="main",gen_ai_provider_name="openai"}`: "1",
		`gen_ai_client_operation_duration_seconds_count{` + place + `}`:                                         "5",
		`gen_ai_client_operation_duration_seconds_bucket{` + place + `,le="0.16"}`:                              "0",
		`gen_ai_client_operation_duration_seconds_bucket{` + place + `,le="0.32"}`:                              "5",
		`sluice_overhead_seconds_bucket{` + place + `,le="0.001"}`:                                              "3",
		"sluice_requests_in_flight":                                                                             "3",
		"sluice_log_append_lag_seconds":                                                                         "0.0015",
		"sluice_log_healthy":                                                                                    "1",
		`sluice_upstream_connections{server_address="api.openai.com",state="open"}`:                             "4",
		`sluice_build_info{version="1.2.3"}`:                                                                    "1",
	} {
		if got[name] != want {
			t.Errorf("%s = %q; want %s", name, got[name], want)
		}
	}
	input := strings.Replace(of("ok", "2xx"), `gen_ai_request_model="gpt-4.1"`, `gen_ai_request_model="gpt-4.1",gen_ai_token_type="input"`, 1)
	saved := strings.Replace(strings.Replace(input, `"ok"`, `"cached"`, 1), "input", "output", 1)
	if got["sluice_tokens_total"+input] != "14" || got["sluice_cache_saved_tokens_total"+saved] != "11" {
		t.Errorf("tokens %q, saved %q", got["sluice_tokens_total"+input], got["sluice_cache_saved_tokens_total"+saved])
	}
}

// TestLabelsAreBounded: whatever callers name, a scrape stays small, and nothing is counted twice or not.
func TestLabelsAreBounded(t *testing.T) {
	r := New()
	const n = 4000
	for i := range n {
		e := entry(fmt.Sprint("model-", i, strings.Repeat("x", i%200)))
		if i%3 == 0 {
			e.Model, e.Success, e.Status = "\xff\n"+e.Model, false, 404
		}
		e.ErrorKind = fmt.Sprint("kind", i)
		r.Observe(e)
	}
	models, requests, faults := map[string]bool{}, 0, 0
	for name, value := range scrape(t, r) {
		var count int
		_, _ = fmt.Sscan(value, &count)
		if strings.HasPrefix(name, "sluice_requests_total{") {
			requests += count
			_, rest, _ := strings.Cut(name, `gen_ai_request_model="`)
			model, _, _ := strings.Cut(rest, `"`)
			models[model] = true
		}
		if strings.HasPrefix(name, "sluice_errors_total{") {
			faults += count
		}
	}
	if len(models) != maxModels+1 || !models["other"] || requests != n || faults != n || len(r.faults) > maxFaults+1 {
		t.Errorf("%d models, %d requests, %d errors of %d kinds", len(models), requests, faults, len(r.faults))
	}
}

func TestCountsAreOfAll(t *testing.T) {
	r := New()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 500 {
				r.Observe(entry(fmt.Sprint("m", (i+j)%150)))
			}
			scrape(t, r)
		})
	}
	group.Wait()
	var n int64
	for _, c := range r.calls {
		n += c.requests.Load()
	}
	if n != 4000 {
		t.Errorf("%d", n)
	}
}

func TestObservingDoesNotAllocate(t *testing.T) {
	r, e := New(), entry("gpt-4.1")
	r.Observe(e)
	if n := testing.AllocsPerRun(100, func() { r.Observe(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	r, e := New(), entry("gpt-4.1")
	b.ReportAllocs()
	for b.Loop() {
		r.Observe(e)
	}
}
