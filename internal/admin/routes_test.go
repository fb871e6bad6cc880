package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	sluice "github.com/sluicehq/sluice"
)

// path fills the pattern's parts.
func (r Route) path() string {
	return strings.NewReplacer("{account}", "default", "{gateway}", "default", "{provider}", "openai",
		"{id}", "019a7b3e-5f2c-7d10-8a4e-0123456789c0").Replace(r.Pattern)
}

func TestTheTableListsEveryRoute(t *testing.T) {
	b := newBench(t)
	router, ok := New(b.deps).(chi.Routes)
	if !ok {
		t.Fatal("New gives no chi router")
	}
	var served, listed []string
	if err := chi.Walk(router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		served = append(served, method+" "+pattern)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, r := range Routes() {
		listed = append(listed, r.Method+" "+r.Pattern)
		if (r.Role < RoleViewer || r.Role > RoleAdmin) != (r.Public || r.Self) || r.ID == "" || r.Summary == "" {
			t.Errorf("%+v lacks something", r)
		}
	}
	slices.Sort(served)
	slices.Sort(listed)
	if !slices.Equal(served, listed) {
		t.Errorf("served %q, listed %q", served, listed)
	}
}

func TestNoRouteAnswersWithoutTheToken(t *testing.T) {
	b := newBench(t)
	paths := []string{"/client/v4", "/client/v4/nothing", "/client/v4/accounts/default/ai-gateway/gateways/x/nothing"}
	for _, r := range Routes() {
		if !r.Public {
			paths = append(paths, r.path())
		}
	}
	for _, authorization := range []string{
		"", "Bearer", "Bearer ", "Bearer wrong", "Bearer " + token + "x", "Bearer " + token[1:], "Basic " + token, token, "bearer\t" + token,
	} {
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions} {
				r, err := http.NewRequestWithContext(t.Context(), method, b.server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				resp, err := b.server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("%s %s with %q: %d %v", method, path, authorization, resp.StatusCode, resp.Header)
				}
				var v reply
				if method != http.MethodHead && (json.Unmarshal(body, &v) != nil || v.Success || v.Errors[0].Code != codeAuthentication) {
					t.Errorf("%s %s: %s", method, path, body)
				}
			}
		}
	}
}

func TestEveryRouteAnswersWithTheTokenAndIsNeverCached(t *testing.T) {
	b := newBench(t)
	for _, r := range Routes() {
		resp := b.get(r.path())
		if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%s: %d", r.path(), resp.StatusCode)
		}
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", r.path(), resp.Header)
		}
	}
}

func TestTheSchemeOfTheTokenMayBeInAnyCase(t *testing.T) {
	b := newBench(t)
	if resp := b.get(accountPath+"/gateways", "Authorization", "bearer  "+token); resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestWithoutATokenOnlyLoopbackIsLetIn(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.Token = func() sluice.Secret { return sluice.Secret{} } })
	for host, want := range map[string]int{
		"": http.StatusOK, "localhost": http.StatusOK, "LOCALHOST:8088": http.StatusOK, "sluice.localhost.": http.StatusOK,
		"127.0.0.1:1": http.StatusOK, "[::1]:8088": http.StatusOK, "[::1]": http.StatusOK, "127.9.9.9": http.StatusOK,
		"rebound.example": http.StatusUnauthorized, "rebound.example:8088": http.StatusUnauthorized,
		"localhost.example": http.StatusUnauthorized, "10.0.0.1": http.StatusUnauthorized, "0.0.0.0": http.StatusUnauthorized,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+accountPath+"/gateways", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		resp, err := b.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func TestWithoutATokenNobodyIsLetInWhereOthersReachTheProcess(t *testing.T) {
	b := newBench(t, func(d *Deps) {
		settings := d.Settings
		d.Settings = func() *Settings { s := settings(); s.Local = false; return s }
		d.Token = func() sluice.Secret { return sluice.Secret{} }
	})
	if resp := b.get(accountPath + "/gateways"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("from loopback: %d", resp.StatusCode)
	}
}

func TestWithoutATokenNoProxyIsLetIn(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.Token = func() sluice.Secret { return sluice.Secret{} } })
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"} {
		if resp := b.get(accountPath+"/gateways", name, "for=192.0.2.1"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if resp := b.get(accountPath + "/gateways"); resp.StatusCode != http.StatusOK {
		t.Errorf("directly: %d", resp.StatusCode)
	}
}

func TestWhatDoesNotExistHasTheReferencesAnswer(t *testing.T) {
	b := newBench(t)
	b.fails("/client/v4/accounts/default/ai-gateway/nothing", http.StatusNotFound, codeUnroutable, "Could not route to /client/v4/accounts/default/ai-gateway/nothing")
	b.fails("/client/v4/accounts/nobody/ai-gateway/gateways", http.StatusNotFound, codeNotFound, "account not found")
	b.fails(accountPath+"/gateways/nothing", http.StatusNotFound, codeNotFound, "gateway not found")
	b.fails(accountPath+"/gateways/nothing/logs", http.StatusNotFound, codeNotFound, "gateway not found")
	b.fails(logsPath+"/nothing", http.StatusNotFound, codeNotFound, "log entry not found")
	b.fails(logsPath+"/019a7b3e-5f2c-7d10-8a4e-0123456789c0", http.StatusNotFound, codeNotFound, "log entry not found")

	resp, err := b.server.Client().Do(mustRequest(t, http.MethodPut, b.server.URL+logsPath))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, DELETE" {
		t.Errorf("PUT: %d %v", resp.StatusCode, resp.Header)
	}
}

func mustRequest(t *testing.T, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestAFaultOfOursSaysNothingOfItself(t *testing.T) {
	b := newBench(t)
	b.log.err = io.ErrUnexpectedEOF
	for _, path := range []string{logsPath, logsPath + "/019a7b3e-5f2c-7d10-8a4e-0123456789c0", accountPath + "/analytics"} {
		v := b.call(path)
		if v.status != http.StatusInternalServerError || v.Errors[0].Code != codeInternal || v.Errors[0].Message != "internal error" {
			t.Errorf("%s: %d %+v", path, v.status, v.Errors)
		}
	}
}

func TestAPanicBecomesAnAnswer(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.Settings = func() *Settings { panic("no settings") } })
	b.fails(accountPath+"/gateways", http.StatusInternalServerError, codeInternal, "internal error")
}

func TestWrongParametersAreNamedAllAtOnce(t *testing.T) {
	b := newBench(t)
	v := b.call(logsPath + "?page=0&per_page=x&order_by=nothing&basis=both")
	if v.status != http.StatusBadRequest || len(v.Errors) != 4 {
		t.Fatalf("%d %+v", v.status, v.Errors)
	}
	for i, field := range []string{"page", "per_page", "order_by", "basis"} {
		e := v.Errors[i]
		if e.Code != codeInvalid || e.Field != field || !slices.Equal(e.Path, []string{"query", field}) || e.Message == "" {
			t.Errorf("error %d = %+v, want field %s", i, e, field)
		}
	}
}

func TestTheOpenAPIDocumentKnowsEveryRouteAndOnlyOurShapes(t *testing.T) {
	b := newBench(t)
	resp := b.get("/client/v4/openapi.json")
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Role        string `json:"x-sluice-role"`
			Responses   map[string]any
			Security    []map[string][]string
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") || d.Info.Version != "1.2.3" {
		t.Errorf("openapi %q, version %q", d.OpenAPI, d.Info.Version)
	}
	for _, r := range Routes() {
		op, ok := d.Paths[r.Pattern][strings.ToLower(r.Method)]
		if !ok || op.OperationID != r.ID || op.Role != r.Role.String() || op.Responses["200"] == nil || op.Responses["default"] == nil || (len(op.Security) == 0) != r.Public {
			t.Errorf("%s %s: %+v", r.Method, r.Pattern, op)
		}
		if op.Responses["422"] != nil {
			t.Errorf("%s: promises a 422", r.Pattern)
		}
	}
	if d.Components.Schemas["ErrorModel"] != nil || strings.Contains(string(body), "problem+json") || strings.Contains(string(body), "$schema") {
		t.Error("huma's own error shape is documented")
	}
	if resp := b.get("/client/v4/openapi.yaml"); resp.StatusCode != http.StatusOK {
		t.Errorf("yaml: %d", resp.StatusCode)
	}
}

// BenchmarkNew is part of the time from start to the first request.
func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(Deps{})
	}
}
