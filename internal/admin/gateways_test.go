package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
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
	v := b.call("/client/v4/accounts/0123456789abcdef0123456789abcdef/ai-gateway/gateways/default")
	var g map[string]any
	if err := json.Unmarshal(v.Result, &g); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"id": "default", "account_id": "default", "is_default": true, "created_at": "2025-11-24T14:00:00.000Z", "modified_at": "2025-11-24T14:00:00.000Z",
		"collect_logs": true, "collect_payload": true, "authentication": false, "cache_ttl": nil, "cache_invalidate_on_update": false,
		"rate_limiting_interval": nil, "rate_limiting_limit": nil, "log_management": 1e7, "log_management_strategy": "DELETE_OLDEST",
	} {
		if got, there := g[name]; !there || got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
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
