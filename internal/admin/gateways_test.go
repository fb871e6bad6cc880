package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/gateway"
)

func TestGatewaysAreListedAsInTheReference(t *testing.T) {
	b := newBench(t)
	for query, want := range map[string][]string{
		"":                              {"default", "prod"},
		"?search=RO":                    {"prod"},
		"?search=nothing":               nil,
		"?per_page=1":                   {"default"},
		"?per_page=1&page=2":            {"prod"},
		"?page=3":                       nil,
		"?page=999999999&per_page=1000": nil,
	} {
		v := b.call(accountPath + "/gateways" + query)
		if got := idsOf(v.items(t)); v.status != http.StatusOK || !slices.Equal(got, slices.Clip(append([]string{}, want...))) {
			t.Errorf("%q: %d %q, want %q", query, v.status, got, want)
		}
	}
	info := b.call(accountPath + "/gateways?per_page=1").ResultInfo
	if info["count"] != 1.0 || info["total_count"] != 2.0 || info["total_pages"] != 2.0 || info["page"] != 1.0 || info["per_page"] != 1.0 {
		t.Errorf("info %v", info)
	}
}

func TestAGatewayHasTheReferencesFields(t *testing.T) {
	b := newBench(t)
	g := b.gateway(b.call("/client/v4/accounts/0123456789ABCDEF0123456789abcdef/ai-gateway/gateways/Default"))
	for name, want := range map[string]any{
		"id": "default", "account_id": "default", "is_default": true, "origin": "builtin", "version": 1.0,
		"collect_logs": true, "collect_payload": true, "authentication": nil, "cache_ttl": 0.0, "cache_invalidate_on_update": false,
		"rate_limiting_interval": nil, "rate_limiting_limit": nil, "rate_limiting_technique": nil, "log_management": nil, "log_management_strategy": nil,
		"retry_max_attempts": nil, "retry_delay": nil, "retry_backoff": nil, "dlp": nil, "guardrails": nil, "otel": nil, "spend_limits": nil, "stripe": nil,
		"store_id": nil, "logpush": nil, "logpush_public_key": nil, "workers_ai_billing_mode": "postpaid", "zdr": nil, "byok_only": nil,
		"log_classification": nil, "hedge": 0.0, "request_timeout": nil, "metadata_entries": 5.0,
	} {
		if got, there := g[name]; !there || got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
		delete(g, name)
	}
	for _, name := range []string{"created_at", "modified_at"} {
		if _, err := time.Parse(time.RFC3339, g[name].(string)); err != nil {
			t.Error(err)
		}
		delete(g, name)
	}
	if len(g) > 0 {
		t.Errorf("more than is known: %v", g)
	}
}

// gateway reads an answer that is a gateway.
func (b *bench) gateway(v reply) map[string]any {
	b.t.Helper()
	var g map[string]any
	if err := json.Unmarshal(v.Result, &g); err != nil || g == nil {
		b.t.Fatalf("%d %s %+v", v.status, v.Result, v.Errors)
	}
	return g
}

const gatewaysPath = accountPath + "/gateways"

// bare is what the reference wants of each body.
const bare = `"cache_invalidate_on_update":true,"cache_ttl":null,"collect_logs":false,"rate_limiting_interval":60,"rate_limiting_limit":null`

func TestAGatewayIsMadeChangedAndDeleted(t *testing.T) {
	b := newBench(t)
	made := b.gateway(b.send(http.MethodPost, gatewaysPath, `{"id":"new",`+bare+`,"dlp":{"enabled": true,"policies":[{"id":"<a>"}]},"zdr":true}`))
	if made["id"] != "new" || made["origin"] != "stored" || made["cache_ttl"] != 0.0 || made["rate_limiting_interval"] != 60.0 || made["rate_limiting_limit"] != nil || made["zdr"] != true {
		t.Errorf("made %v", made)
	}
	if dlp, _ := json.Marshal(made["dlp"]); string(dlp) != `{"enabled":true,"policies":[{"id":"\u003ca\u003e"}]}` {
		t.Errorf("dlp %s", dlp)
	}
	if got := b.gateway(b.call(gatewaysPath + "/new")); !reflect.DeepEqual(got, made) {
		t.Errorf("got %v, made %v", got, made)
	}
	// A client changes one thing of what it was given, and sends all of it back.
	copied, _ := json.Marshal(made)
	same := b.gateway(b.send(http.MethodPut, gatewaysPath+"/new", string(copied)))
	if !reflect.DeepEqual(same, made) {
		t.Errorf("sent back it is another one: %v", same)
	}
	changed := b.gateway(b.send(http.MethodPut, gatewaysPath+"/new", `{`+bare+`,"cache_tll":5,"retry_max_attempts":2}`))
	if changed["retry_max_attempts"] != 2.0 || changed["zdr"] != true || changed["version"] != 2.0 || changed["created_at"] != made["created_at"] {
		t.Errorf("changed %v", changed)
	}
	if v := b.send(http.MethodPut, gatewaysPath+"/new", `{`+bare+`,"cache_tll":5}`); len(v.Messages) != 1 || !strings.Contains(v.Messages[0].Message, "cache_tll") {
		t.Errorf("messages %v", v.Messages)
	}
	if got := idsOf((&[]reply{b.call(gatewaysPath)}[0]).items(t)); !slices.Equal(got, []string{"default", "new", "prod"}) {
		t.Errorf("list %q", got)
	}
	if gone := b.gateway(b.send(http.MethodDelete, gatewaysPath+"/new", "")); gone["id"] != "new" || gone["retry_max_attempts"] != 2.0 {
		t.Errorf("deleted %v", gone)
	}
	b.fails(gatewaysPath+"/new", http.StatusNotFound, codeNotFound, "gateway not found")
}

func TestWhatIsWrongWithAGateway(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		method, path, body string
		status, code       int
		fields             string // of the errors, each with path body
		message            string // of the first
	}{
		{http.MethodPost, "", `{"id":"default",` + bare + `}`, 409, codeInvalid, "id", "already exists"},
		{http.MethodPost, "", `{"id":"prod",` + bare + `}`, 409, codeInvalid, "id", "accounts.default.gateways.prod"},
		{http.MethodPut, "/prod", `{` + bare + `}`, 409, codeInvalid, "id", "accounts.default.gateways.prod"},
		{http.MethodDelete, "/prod", "", 409, codeInvalid, "id", "accounts.default.gateways.prod"},
		{http.MethodPost, "", `{"id":"A b",` + bare + `,"zdr":"x","retry_delay":70000}`, 400, codeInvalid, "id retry_delay zdr", "id must be"},
		{http.MethodPut, "/default", `{}`, 400, codeInvalid, "cache_invalidate_on_update cache_ttl collect_logs rate_limiting_interval rate_limiting_limit", "is required"},
		{http.MethodPut, "/default", `{"cache_ttl":1,"cache_ttl":2}`, 400, codeInvalid, "", "occurs twice"},
		{http.MethodPut, "/default", `no`, 400, codeInvalid, "", "not a JSON object"},
		{http.MethodPut, "/nothing", `{` + bare + `}`, 404, codeNotFound, "", "gateway not found"},
		{http.MethodDelete, "/nothing", "", 404, codeNotFound, "", "gateway not found"},
	}
	for _, tt := range tests {
		v := b.send(tt.method, gatewaysPath+tt.path, tt.body)
		var fields []string
		for _, e := range v.Errors {
			if e.Field != "" {
				fields = append(fields, e.Field)
			}
			if want := append([]string{"body"}, fields...); e.Field != "" && !slices.Equal(e.Path, []string{"body", e.Field}) {
				t.Errorf("%s %s: path %q; want like %q", tt.method, tt.path, e.Path, want)
			}
		}
		if v.status != tt.status || v.Errors[0].Code != tt.code || strings.Join(fields, " ") != tt.fields || !strings.Contains(v.Errors[0].Message, tt.message) {
			t.Errorf("%s %s %s: %d %+v", tt.method, tt.path, tt.body, v.status, v.Errors)
		}
	}
	if v := b.send(http.MethodPost, gatewaysPath, ""); v.status != http.StatusBadRequest || v.Errors[0].Code != codeInvalid {
		t.Errorf("no body: %d %+v", v.status, v.Errors)
	}
	if v := b.send(http.MethodPost, gatewaysPath, `{"id":"x",`+bare+`,"dlp":"`+strings.Repeat("x", 2<<20)+`"}`); v.status != http.StatusRequestEntityTooLarge {
		t.Errorf("2 MB: %d %+v", v.status, v.Errors)
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, mustRequest(t, http.MethodDelete, b.server.URL+gatewaysPath+"/prod"))
	if w.Code != http.StatusConflict || w.Header().Get("X-Should-Retry") != "false" {
		t.Errorf("an SDK would try again: %d %v", w.Code, w.Header())
	}
}

func TestMethodsThatAreNotThereNameThoseThatAre(t *testing.T) {
	b := newBench(t)
	for path, want := range map[string]string{
		gatewaysPath: "GET, POST", gatewaysPath + "/default": "GET, PUT, DELETE", accountPath + "/prices/refresh": "POST", accountPath + "/status": "GET",
	} {
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, mustRequest(t, http.MethodPatch, b.server.URL+path))
		if got := w.Header().Get("Allow"); w.Code != http.StatusMethodNotAllowed || got != want {
			t.Errorf("%s: %d, Allow %q; want %q", path, w.Code, got, want)
		}
	}
}

func TestTheDocumentDescribesBodiesOfGateways(t *testing.T) {
	b := newBench(t)
	text, err := io.ReadAll(b.get("/client/v4/openapi.json").Body)
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Type       any
		Required   []string
		Properties map[string]struct {
			Type        any
			Description string
			Enum        []any
			Maximum     float64
			Encoding    string `json:"contentEncoding"`
		}
	}
	var d struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Required bool
				Content  map[string]struct{ Schema schema }
			}
		}
		Components struct{ Schemas map[string]schema }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	create := d.Paths[scope+"/gateways"]["post"].RequestBody
	s := create.Content["application/json"].Schema
	slices.Sort(s.Required)
	if want := []string{"cache_invalidate_on_update", "cache_ttl", "collect_logs", "id", "rate_limiting_interval", "rate_limiting_limit"}; !create.Required || !slices.Equal(s.Required, want) {
		t.Errorf("create requires %q", s.Required)
	}
	update := d.Paths[scope+"/gateways/{gateway}"]["put"].RequestBody.Content["application/json"].Schema
	if len(update.Required) != 5 || len(update.Properties) != len(gateway.Fields()) {
		t.Errorf("update requires %q, has %d properties", update.Required, len(update.Properties))
	}
	for _, of := range []schema{s, update, d.Components.Schemas["GatewayView"]} {
		for _, f := range gateway.Fields() {
			p, found := of.Properties[f.Name]
			if !found || len(p.Enum) != len(f.Enum) && !f.Null || f.Type == gateway.FieldNumber && p.Maximum != float64(f.Max) || p.Encoding != "" || strings.HasPrefix(p.Description, "ours: ") != f.Ours {
				t.Errorf("%s: %+v", f.Name, p)
			}
		}
	}
}

func TestTheAddressOfAProvider(t *testing.T) {
	b := newBench(t)
	v := b.call(accountPath + "/gateways/prod/url/open-ai")
	if string(v.Result) != `"http://gateway.test:8088/ai/v1/default/prod/openai"` {
		t.Errorf("%s", v.Result)
	}
	b.fails(accountPath+"/gateways/prod/url/nothing", http.StatusBadRequest, codeInvalid, "Invalid provider")

	here := newBench(t, func(d *Deps) {
		s := *d.Settings()
		s.Endpoint, s.BasePath = "", "/ai"
		d.Settings = func() *Settings { return &s }
	})
	v = here.call(accountPath + "/gateways/default/url/openai")
	if want := `"` + here.server.URL + `/ai/v1/default/default/openai"`; string(v.Result) != want || !strings.HasPrefix(want, `"http://127.0.0.1`) {
		t.Errorf("%s, want %s", v.Result, want)
	}
}
