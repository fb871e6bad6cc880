package admin

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

const customPath = accountPath + "/custom-providers"

// newCustoms makes an account without custom providers, over a real store.
func newCustoms(t *testing.T) *provider.Customs {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err := provider.OpenCustoms(t.Context(), provider.CustomsOptions{
		Store: db, Sealer: newVault(t), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Taken: func(segment string) bool { return segment == "custom-file" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// custom reads an answer that is a custom provider, in which no header's value stands.
func (b *bench) custom(v reply) CustomProviderView {
	b.t.Helper()
	if strings.Contains(string(v.Result), "canary") {
		b.t.Fatalf("a header's value is in an answer: %s", v.Result)
	}
	var c CustomProviderView
	if err := json.Unmarshal(v.Result, &c); err != nil || c.ID == "" {
		b.t.Fatalf("%d %s %+v", v.status, v.Result, v.Errors)
	}
	return c
}

func TestACustomProviderIsMadeReadChangedAndDeleted(t *testing.T) {
	b := newBench(t)
	made := b.custom(b.send(http.MethodPost, customPath, `{"name":"Some Provider","slug":"some-provider","base_url":"https://api.example.com",
		"headers":"{\"X-Tenant\":\"blue\",\"X-Secret\":\"canary-1\"}","link":"https://example.com/docs"}`))
	if made.Provider != "custom-some-provider" || made.Enable || made.Status != "disabled" || made.Beta || made.Logo == "" || made.Version != 1 ||
		made.CreatedAt == "" || *made.Headers != `{"X-Secret":"[redacted]","X-Tenant":"[redacted]"}` {
		t.Errorf("made %+v", made)
	}
	one := customPath + "/" + made.ID
	if got := b.custom(b.call(one)); got.ID != made.ID || *got.Headers != *made.Headers {
		t.Errorf("read %+v", got)
	}
	changed := b.custom(b.send(http.MethodPatch, one, `{"enable":true,"slug":"some-provider","headers":"{\"X-Secret\":\"[redacted]\"}"}`))
	if !changed.Enable || changed.Status != "ready" || changed.Name != made.Name || *changed.Headers != `{"X-Secret":"[redacted]"}` || changed.Version != 2 {
		t.Errorf("changed %+v", changed)
	}
	if got := b.custom(b.send(http.MethodPatch, one, `{"headers":"","name":"New"}`)); got.Headers != nil || got.Name != "New" || !got.Enable {
		t.Errorf("changed again %+v", got)
	}
	if got := b.custom(b.send(http.MethodDelete, one, "")); got.ID != made.ID {
		t.Errorf("deleted %+v", got)
	}
	b.fails(one, http.StatusNotFound, 1004, "Custom Provider not found")
	if v := b.send(http.MethodDelete, one, ""); v.status != http.StatusNotFound || v.Errors[0].Code != 1004 {
		t.Errorf("deleted again: %d %+v", v.status, v.Errors)
	}
}

func TestCustomProvidersAreRefusedWithTheReferencesCodes(t *testing.T) {
	b := newBench(t)
	b.custom(b.send(http.MethodPost, customPath, `{"name":"n","slug":"taken","base_url":"https://api.example.com"}`))
	for name, test := range map[string]struct {
		body         string
		status, code int
		field, says  string
	}{
		"slug taken":         {`{"name":"n","slug":"taken","base_url":"https://a.example"}`, 409, 1003, "slug", "A custom provider with this slug already exists"},
		"slug in other case": {`{"name":"n","slug":"TAKEN","base_url":"https://a.example"}`, 409, 1003, "slug", "already exists"},
		"slug of the file":   {`{"name":"n","slug":"file","base_url":"https://a.example"}`, 409, 1003, "slug", "already exists"},
		"no slug":            {`{"name":"n","base_url":"https://a.example"}`, 400, 7001, "slug", "slug"},
		"slug with a slash":  {`{"name":"n","slug":"a/b","base_url":"https://a.example"}`, 400, 7001, "slug", "slug"},
		"long slug":          {`{"name":"n","slug":"` + strings.Repeat("a", 58) + `","base_url":"https://a.example"}`, 400, 7001, "slug", "slug"},
		"no name":            {`{"slug":"s","base_url":"https://a.example"}`, 400, 7001, "name", "name"},
		"no address":         {`{"name":"n","slug":"s"}`, 400, 1002, "base_url", "base_url must be a valid HTTPS URL starting with https://"},
		"http":               {`{"name":"n","slug":"s","base_url":"http://a.example"}`, 400, 1002, "base_url", "must be a valid HTTPS URL"},
		"no text":            {`{"name":"n","slug":"s","base_url":7}`, 400, 7001, "base_url", ""},
		"script link":        {`{"name":"n","slug":"s","base_url":"https://a.example","link":"javascript:alert(1)"}`, 400, 7001, "link", "link"},
		"headers no object":  {`{"name":"n","slug":"s","base_url":"https://a.example","headers":"[1]"}`, 400, 7001, "headers", "JSON object"},
		"Host header":        {`{"name":"n","slug":"s","base_url":"https://a.example","headers":"{\"Host\":\"b\"}"}`, 400, 7001, "headers", "Host"},
		"header with line end": {
			`{"name":"n","slug":"s","base_url":"https://a.example","headers":"{\"X-A\":\"a\\r\\nX-B: canary\"}"}`, 400, 7001, "headers", "cannot be sent",
		},
		"key into framing": {`{"name":"n","slug":"s","base_url":"https://a.example","auth_header":"Content-Length"}`, 400, 7001, "auth_header", ""},
	} {
		v := b.send(http.MethodPost, customPath, test.body)
		if v.status != test.status || v.Errors[0].Code != test.code || v.Errors[0].Field != test.field || !strings.Contains(v.Errors[0].Message, test.says) ||
			!slices.Equal(v.Errors[0].Path, []string{"body", test.field}) {
			t.Errorf("%s: %d %+v", name, v.status, v.Errors)
		}
		if strings.Contains(v.Errors[0].Message+v.Errors[0].Hint, "canary") {
			t.Errorf("%s: the value is in the error: %+v", name, v.Errors)
		}
	}
	v := b.call(customPath)
	if got := v.items(t); len(got) != 1 {
		t.Errorf("what was refused was stored: %v", got)
	}
}

func TestTheSlugOfACustomProviderStays(t *testing.T) {
	b := newBench(t)
	made := b.custom(b.send(http.MethodPost, customPath, `{"name":"n","slug":"s","base_url":"https://a.example"}`))
	if v := b.send(http.MethodPatch, customPath+"/"+made.ID, `{"slug":"t"}`); v.status != http.StatusBadRequest || v.Errors[0].Field != "slug" {
		t.Errorf("%d %+v", v.status, v.Errors)
	}
}

func TestCustomProvidersAreListedByPage(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{
		`{"name":"Beta One","slug":"one","base_url":"https://a.example","beta":true,"position":2}`,
		`{"name":"alpha","slug":"two","base_url":"https://a.example","enable":true,"position":1}`,
		`{"name":"Gamma","slug":"three","base_url":"https://a.example","enable":true,"beta":true,"position":1}`,
	} {
		b.custom(b.send(http.MethodPost, customPath, body))
	}
	for query, want := range map[string][]string{
		"":                      {"two", "three", "one"},
		"order_by=name+ASC":     {"two", "one", "three"},
		"order_by=name+DESC":    {"three", "one", "two"},
		"order_by=created_at":   {"one", "two", "three"},
		"enable=true":           {"two", "three"},
		"enable=false":          {"one"},
		"beta=1":                {"three", "one"},
		"beta=true&enable=true": {"three"},
		"search=ALPH":           {"two"},
		"search=thre":           {"three"},
		"per_page=2":            {"two", "three"},
		"per_page=2&page=2":     {"one"},
		"per_page=2&page=3":     {},
	} {
		v := b.call(customPath + "?" + query)
		slugs := []string{}
		for _, item := range v.items(t) {
			slug, _ := item["slug"].(string)
			slugs = append(slugs, slug)
		}
		if !slices.Equal(slugs, want) {
			t.Errorf("%s: %q; want %q", query, slugs, want)
		}
	}
	b.fails(customPath+"?order_by=headers", http.StatusBadRequest, codeInvalid, "order")
	b.fails(customPath+"?per_page=101", http.StatusBadRequest, codeInvalid, "")
	other := b.call("/client/v4/accounts/other/ai-gateway/custom-providers")
	if got := other.items(t); len(got) != 0 {
		t.Errorf("another account sees %v", got)
	}
}
