package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// scraped returns the sum of each metric, by name, over the series that have a label.
func scraped(t *testing.T, g *gateway.Gateway, token, label string) (status int, sums map[string]float64) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.Addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	sums = map[string]float64{}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, sums
	}
	for line := range strings.SplitSeq(string(body), "\n") {
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || strings.HasPrefix(line, "#") || !strings.Contains(line, label) {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		n, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sums[name] += n
	}
	return resp.StatusCode, sums
}

// TestMetricsAreWhatWasDriven drives calls of several sorts, and compares a scrape with what it counted itself.
func TestMetricsAreWhatWasDriven(t *testing.T) {
	calls := 0
	up := upstream.New(t, func(req *rawhttp.Message, c *upstream.Conn) bool {
		if calls++; calls == 2 {
			return upstream.JSON(500, `{"error":{"message":"no"}}`)(req, c)
		}
		return upstream.JSON(200, answered)(req, c)
	})
	g := gateway.Start(t, gateway.Options{
		Config: to("http://"+up.Addr+"/v1") + "metrics: {token: scrape-me-0123456789}\naccounts: {default: {gateways: {default: {cache_ttl: 1h}}}}\n",
		Env:    []string{"SLUICE_ADMIN_TOKEN=a-token-of-sufficient-length-0123456789"},
	})
	byStatus := map[int]float64{}
	for range 3 {
		resp, _ := g.Post("openai", "chat/completions", chat, "cf-aig-max-attempts", "1", "cf-aig-cache-ttl", "0")
		byStatus[resp.StatusCode]++
	}
	for range 4 { // the first fills the cache
		resp, _ := g.Post("openai", "chat/completions", chat)
		byStatus[resp.StatusCode]++
	}
	tries := float64(len(up.Take()))
	if byStatus[200] != 6 || byStatus[500] != 1 || tries != 4 {
		t.Fatalf("%v, %v calls", byStatus, tries)
	}
	if status, _ := scraped(t, g, "", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	if status, _ := scraped(t, g, "a-token-of-sufficient-length-0123456789", ""); status != http.StatusOK {
		t.Errorf("with the admin token: %d", status)
	}
	const token = "scrape-me-0123456789"
	g.Eventually("a scrape of all calls", func() bool {
		_, all := scraped(t, g, token, "")
		return all["sluice_requests_total"] == 7 && all["sluice_requests_in_flight"] == 0
	}, g.Output)
	_, all := scraped(t, g, token, "")
	_, good := scraped(t, g, token, `status_class="2xx"`)
	_, input := scraped(t, g, token, `gen_ai_token_type="input"`)
	if good["sluice_requests_total"] != byStatus[200] || all["sluice_requests_total"]-good["sluice_requests_total"] != byStatus[500] {
		t.Errorf("%v; want %v", all["sluice_requests_total"], byStatus)
	}
	served := byStatus[200] - all["sluice_cache_hits_total"]
	for name, want := range map[string]float64{
		"sluice_attempts_total": tries, "sluice_cache_misses_total": 1, "sluice_cache_hits_total": 3, "sluice_errors_total": byStatus[500],
		"gen_ai_client_operation_duration_seconds_count": 7, "sluice_log_rows_total": 7,
	} {
		if all[name] != want {
			t.Errorf("%s: %v; want %v", name, all[name], want)
		}
	}
	if input["sluice_tokens_total"] != 9*served || input["sluice_cache_saved_tokens_total"] != 9*3 {
		t.Errorf("input tokens %v and %v saved; want %v and 27", input["sluice_tokens_total"], input["sluice_cache_saved_tokens_total"], 9*served)
	}
}

// TestTheDashboardAsksForWhatThereIs: each metric that the Grafana dashboard names is documented.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/sluice.json")
	if err != nil || !json.Valid(text) {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\b(sluice|gen_ai)_[a-z_]+(_total|_bytes|_seconds_bucket|_seconds|_flight|_connections)\b`).FindAllString(string(text), -1)
	if len(names) < 20 {
		t.Fatalf("only %v", names)
	}
	for _, name := range names {
		if !strings.Contains(string(page), "`"+strings.TrimSuffix(name, "_bucket")+"`") {
			t.Errorf("%s is not in docs/metrics.md", name)
		}
	}
}
