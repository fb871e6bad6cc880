package truth

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// logRow is a log entry as the API shows it.
type logRow struct {
	ID          string           `json:"id"`
	EventID     string           `json:"event_id"`
	Gateway     string           `json:"gateway"`
	Provider    string           `json:"provider"`
	Model       string           `json:"model"`
	StatusCode  *int             `json:"status_code"`
	Success     bool             `json:"success"`
	Cached      bool             `json:"cached"`
	Streamed    bool             `json:"streamed"`
	CacheStatus string           `json:"cache_status"`
	Ending      string           `json:"ending"`
	ErrorKind   *string          `json:"error_kind"`
	Key         *string          `json:"key"`
	Usage       map[string]any   `json:"usage"`
	TokensIn    *int64           `json:"tokens_in"`
	TokensOut   *int64           `json:"tokens_out"`
	Cost        *json.Number     `json:"cost"`
	Metadata    map[string]any   `json:"metadata"`
	Attempts    []map[string]any `json:"attempts"`
	Charges     []map[string]any `json:"charges"`
	Step        int              `json:"step"`
}

const fields = "id,event_id,gateway,provider,model,status_code,success,cached,streamed,cache_status,ending,error_kind,key,usage,tokens_in,tokens_out,cost,metadata,attempts,charges,step"

// row reads what it says into the driver's words.
func (l *logRow) row() (*row, error) {
	r := &row{
		event: l.EventID, gateway: l.Gateway, provider: l.Provider, model: l.Model, success: l.Success, cached: l.Cached,
		canceled: l.Ending == "client_gone" || l.Ending == "client_slow", streamed: l.Streamed, cache: l.CacheStatus,
		fault: deref(l.ErrorKind), key: deref(l.Key),
	}
	if l.StatusCode != nil {
		r.status = *l.StatusCode
	}
	r.team, _ = l.Metadata["team"].(string)
	var err error
	if r.usage, err = usageOf(l.Usage); err != nil {
		return nil, err
	}
	if r.cost, r.priced, err = costText(l.Cost); err != nil {
		return nil, err
	}
	for _, a := range l.Attempts {
		t := try{provider: a["provider"].(string), model: a["model"].(string)}
		if n, ok := a["status"].(json.Number); ok {
			t.status, _ = strconv.Atoi(n.String())
		}
		counts, _ := a["usage"].(map[string]any)
		if t.usage, err = usageOf(counts); err != nil {
			return nil, err
		}
		number, _ := a["cost"].(json.Number)
		cost := &number
		if a["cost"] == nil {
			cost = nil
		}
		if t.cost, t.priced, err = costText(cost); err != nil {
			return nil, err
		}
		r.tries = append(r.tries, t)
	}
	for _, c := range l.Charges {
		counts, _ := c["usage"].(map[string]any)
		u, err := usageOf(counts)
		if err != nil {
			return nil, err
		}
		r.charges = append(r.charges, charge{c["model"].(string), u})
	}
	return r, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// usageOf reads counts; null is not known.
func usageOf(counts map[string]any) (usage, error) {
	u := usage{}
	for class, v := range counts {
		switch n := v.(type) {
		case nil:
		case json.Number:
			i, err := n.Int64()
			if err != nil {
				return nil, err
			}
			u[class] = i
		default:
			continue // a word, such as the basis
		}
	}
	return u, nil
}

func costText(n *json.Number) (nano, bool, error) {
	if n == nil {
		return 0, false, nil
	}
	cost, ok := parseNano(n.String())
	if !ok {
		return 0, false, fmt.Errorf("a cost of %s is no whole number of nano-dollars", n)
	}
	return cost, true, nil
}

// get asks the management API, and reads result and result_info.
func get(t *testing.T, g *gateway.Gateway, path string, result, info any) {
	t.Helper()
	status, _, body, err := g.Get(path)
	if err != nil || status != http.StatusOK {
		t.Fatalf("GET %s: %d %v %.500s", path, status, err, body)
	}
	read(t, path, body, result, info)
}

func read(t *testing.T, what string, body []byte, result, info any) {
	t.Helper()
	envelope := struct {
		Result any `json:"result"`
		Info   any `json:"result_info"`
	}{result, info}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&envelope); err != nil {
		t.Fatalf("%s: %v in %.500s", what, err, body)
	}
}

// post sends to the management API.
func post(t *testing.T, g *gateway.Gateway, path, body string, result any) {
	t.Helper()
	resp, err := http.Post("http://"+g.Addr+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("POST %s: %d %v %.500s", path, resp.StatusCode, err, text)
	}
	read(t, path, text, result, nil)
}

const management = "/client/v4/accounts/default/ai-gateway"

// list fetches the whole log of all gateways.
func list(t *testing.T, g *gateway.Gateway, basis string) []logRow {
	t.Helper()
	var all []logRow
	for _, gw := range gateways() {
		for cursor := ""; ; {
			var rows []logRow
			var info struct {
				Next string `json:"next"`
			}
			get(t, g, "/gateways/"+gw+"/logs?per_page=1000&basis="+basis+"&fields="+fields+cursor, &rows, &info)
			all = append(all, rows...)
			if info.Next == "" {
				break
			}
			cursor = "&cursor=" + url.QueryEscape(info.Next)
		}
	}
	return all
}

func gateways() []string { return []string{"default", "second", caching, closed, spending} }

// export fetches the log by an export.
func export(t *testing.T, g *gateway.Gateway, basis string) []logRow {
	t.Helper()
	var job struct {
		ID    string  `json:"id"`
		State string  `json:"state"`
		Error *string `json:"error"`
	}
	columns, err := json.Marshal(strings.Split(fields, ","))
	if err != nil {
		t.Fatal(err)
	}
	post(t, g, management+"/logs/export", `{"format":"jsonl","basis":"`+basis+`","columns":`+string(columns)+`}`, &job)
	wait(t, "an export", func() bool {
		get(t, g, "/jobs/"+job.ID, &job, nil)
		return job.State != "queued" && job.State != "running"
	})
	if job.State != "done" {
		t.Fatalf("the export is %s: %s", job.State, deref(job.Error))
	}
	status, _, body, err := g.Get("/jobs/" + job.ID + "/result")
	if err != nil || status != http.StatusOK {
		t.Fatalf("the export's file: %d %v", status, err)
	}
	var all []logRow
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r logRow
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		if err := d.Decode(&r); err != nil {
			t.Fatalf("%v in %.300s", err, lines.Text())
		}
		all = append(all, r)
	}
	return all
}

// sums are what analytics adds up, by the name of the metric. A cost is in nano-dollars.
type sums map[string]int64

// classes are the counts of tokens that the driver's providers report, with the metric that sums each.
func classes() map[string]string {
	return map[string]string{
		"input": "tokens_in", "output": "tokens_out", "cache_read": "tokens_cache_read", "cache_write_5m": "tokens_cache_write_5m",
		"cache_write_1h": "tokens_cache_write_1h", "reasoning": "tokens_reasoning",
	}
}

// add counts r as one request.
func (s sums) add(r *row) {
	s["requests"]++
	s.count(r.success, r.canceled, r.cached, r.usage, r.cost, r.priced)
	for _, c := range r.charges {
		for class, metric := range classes() {
			s[metric] += c.usage[class]
		}
	}
	s["attempts"] += int64(len(r.tries))
	if r.streamed {
		s["streamed"]++
	}
}

func (s sums) count(success, canceled, cached bool, u usage, cost nano, priced bool) {
	switch {
	case success:
		s["success"]++
	case canceled:
		s["canceled"]++
	default:
		s["errors"]++
	}
	if cached {
		s["cached"]++
		s["saved_tokens_in"] += u["input"]
		s["saved_tokens_out"] += u["output"]
	} else {
		for class, metric := range classes() {
			s[metric] += u[class]
		}
	}
	s["cost"] += int64(cost)
	if !priced && len(u) > 0 {
		s["unpriced"]++
	}
}

// metricNames are those that sums has.
func metricNames() []string {
	names := []string{"requests", "success", "errors", "canceled", "cached", "attempts", "streamed", "unpriced", "cost", "saved_tokens_in", "saved_tokens_out"}
	for _, metric := range classes() {
		names = append(names, metric)
	}
	return names
}

// groups are what analytics splits by, with what a request is in each.
func groups() map[string]func(r *row) string {
	return map[string]func(r *row) string{
		"":           func(*row) string { return "" },
		"provider":   func(r *row) string { return r.provider },
		"model":      func(r *row) string { return r.model },
		"gateway":    func(r *row) string { return r.gateway },
		"key":        func(r *row) string { return r.key },
		"status":     func(r *row) string { return strconv.Itoa(r.status) },
		"cache":      func(r *row) string { return r.cache },
		"error_type": func(r *row) string { return r.fault },
		"meta.team": func(r *row) string {
			if r.unlogged {
				return "" // of a call that is not logged nothing is kept but its counts
			}
			return r.team
		},
	}
}

// analytics asks for sums by group.
func analytics(t *testing.T, g *gateway.Gateway, group string, more string) map[string]sums {
	t.Helper()
	var answer struct {
		Series []struct {
			Metric string         `json:"metric"`
			Key    string         `json:"key"`
			Total  *json.Number   `json:"total"`
			Values []*json.Number `json:"values"`
		} `json:"series"`
		Source  string `json:"source"`
		Partial bool   `json:"partial"`
	}
	q := url.Values{"metric": {strings.Join(metricNames(), ",")}, "group": {group}, "range": {"48h"}, "interval": {"1h"}, "limit": {"1000"}}
	get(t, g, "/analytics?"+q.Encode()+more, &answer, nil)
	if answer.Partial {
		t.Errorf("analytics by %q are partial", group)
	}
	all := map[string]sums{}
	for _, s := range answer.Series {
		if all[s.Key] == nil {
			all[s.Key] = sums{}
		}
		total := amount(t, s.Metric, s.Total)
		all[s.Key][s.Metric] = total
		over := int64(0)
		for _, v := range s.Values {
			over += amount(t, s.Metric, v)
		}
		if over != total {
			t.Errorf("%s of %q %q: %d over time, %d in all", s.Metric, group, s.Key, over, total)
		}
	}
	return all
}

func amount(t *testing.T, metric string, n *json.Number) int64 {
	t.Helper()
	switch {
	case n == nil:
		return 0
	case metric == "cost":
		cost, ok := parseNano(n.String())
		if !ok {
			t.Errorf("a cost of %s is no whole number of nano-dollars", n)
		}
		return int64(cost)
	}
	i, err := n.Int64()
	if err != nil {
		t.Errorf("%s of %s", metric, n)
	}
	return i
}

// byModel adds up rows by model, where what other models were charged for is theirs.
func byModel(rows []*row, of func(r *row) string) map[string]sums {
	all := expect(rows, of)
	for _, r := range rows {
		for _, c := range r.charges {
			cost, _ := costOf(r.provider, c.model, c.usage)
			if all[c.model] == nil {
				all[c.model] = sums{}
			}
			all[c.model]["cost"] += int64(cost)
			all[r.model]["cost"] -= int64(cost)
			for class, metric := range classes() {
				all[c.model][metric] += c.usage[class]
				all[r.model][metric] -= c.usage[class]
			}
		}
	}
	return all
}

// expect adds up rows by group.
func expect(rows []*row, of func(r *row) string) map[string]sums {
	all := map[string]sums{}
	for _, r := range rows {
		key := of(r)
		if all[key] == nil {
			all[key] = sums{}
		}
		all[key].add(r)
	}
	return all
}

// graphQL asks the reference's node for sums by a dimension, and gives them under the names that analytics has.
func graphQL(t *testing.T, g *gateway.Gateway, dimension string) map[string]sums {
	t.Helper()
	query, err := json.Marshal(map[string]string{"query": `{viewer{accounts(filter:{accountTag:"default"}){groups:aiGatewayRequestsAdaptiveGroups(limit:10000){count dimensions{` +
		dimension + `} sum{cost erroredRequests cachedRequests uncachedTokensIn uncachedTokensOut cachedTokensIn cachedTokensOut}}}}}`})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post("http://"+g.Addr+"/client/v4/graphql", "application/json", bytes.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Data struct {
			Viewer struct {
				Accounts []struct {
					Groups []struct {
						Count      json.Number            `json:"count"`
						Dimensions map[string]string      `json:"dimensions"`
						Sum        map[string]json.Number `json:"sum"`
					} `json:"groups"`
				} `json:"accounts"`
			} `json:"viewer"`
		} `json:"data"`
		Errors []any `json:"errors"`
	}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	if err := d.Decode(&answer); err != nil || len(answer.Errors) > 0 || len(answer.Data.Viewer.Accounts) != 1 {
		t.Fatalf("GraphQL: %v %v", err, answer.Errors)
	}
	names := map[string]string{
		"cost": "cost", "erroredRequests": "errors", "cachedRequests": "cached", "uncachedTokensIn": "tokens_in", "uncachedTokensOut": "tokens_out",
		"cachedTokensIn": "saved_tokens_in", "cachedTokensOut": "saved_tokens_out",
	}
	all := map[string]sums{}
	for _, group := range answer.Data.Viewer.Accounts[0].Groups {
		s := sums{"requests": amount(t, "requests", &group.Count)}
		for name, metric := range names {
			if n := group.Sum[name]; n != "" { // null: not known
				s[metric] = amount(t, metric, &n)
			}
		}
		all[group.Dimensions[dimension]] = s
	}
	return all
}

// spent asks for what a gateway's budgets have spent, by rule and team.
func spent(t *testing.T, g *gateway.Gateway) map[string]nano {
	t.Helper()
	var answer struct {
		SpendLimits []struct {
			ID      string `json:"id"`
			Budgets []struct {
				Values   map[string]string `json:"values"`
				Spent    json.Number       `json:"spent"`
				Reserved json.Number       `json:"reserved"`
			} `json:"budgets"`
		} `json:"spend_limits"`
	}
	get(t, g, "/gateways/"+spending+"/limits/usage?top=100", &answer, nil)
	all := map[string]nano{}
	for _, rule := range answer.SpendLimits {
		for _, b := range rule.Budgets {
			n, ok := parseNano(b.Spent.String())
			if !ok {
				t.Errorf("%s USD were spent, which is no whole number of nano-dollars", b.Spent)
			}
			if held, ok := parseNano(b.Reserved.String()); !ok || held != 0 {
				t.Errorf("%s USD are reserved, and nothing runs", b.Reserved)
			}
			all[rule.ID+" "+b.Values["team"]] = n
		}
	}
	return all
}

// attempts are what rows count as attempt by attempt: each try by itself, a request that made none as one.
func attempts(rows []*row) []*row {
	var all []*row
	for _, r := range rows {
		for i, t := range r.tries {
			a := *r
			a.provider, a.model, a.status, a.usage, a.cost, a.priced = t.provider, t.model, t.status, t.usage, t.cost, t.priced
			a.cached = false
			if i < len(r.tries)-1 {
				a.success, a.canceled, a.cache, a.fault, a.charges = false, false, "off", "", nil
			}
			a.tries = []try{t}
			all = append(all, &a)
		}
		if len(r.tries) == 0 || r.cached {
			all = append(all, r)
		}
	}
	return all
}

// same compares sums.
func same(t *testing.T, what string, got, want map[string]sums, metrics ...string) {
	t.Helper()
	if len(metrics) == 0 {
		metrics = metricNames()
	}
	keys := map[string]bool{}
	for key := range got {
		keys[key] = true
	}
	for key := range want {
		keys[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		for _, metric := range metrics {
			if got[key][metric] != want[key][metric] {
				t.Errorf("%s: %s of %q is %d, want %d", what, metric, key, got[key][metric], want[key][metric])
			}
		}
	}
}
