package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// manage calls the management API of account default and returns the status and the answer.
func manage(t *testing.T, g *gateway.Gateway, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.Addr+"/client/v4/accounts/default/ai-gateway"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// through calls the provider echo through a gateway of account default and returns the status and the code of
// the gateway's error, 0 for none.
func through(t *testing.T, g *gateway.Gateway, id string) (status, code int) {
	t.Helper()
	resp, err := http.Post("http://"+g.Addr+"/v1/default/"+id+"/echo/chat/completions", "application/json", strings.NewReader(chat))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.StatusCode, 0
	}
	return resp.StatusCode, gateway.ErrorCode(body)
}

// settings is a body for a gateway whose one window of counting lasts a hundred years.
func settings(id, limit string) string {
	return `{"id":"` + id + `","cache_ttl":0,"cache_invalidate_on_update":false,"collect_logs":true,"rate_limiting_interval":3153600000,"rate_limiting_limit":` + limit + `}`
}

// objectOf is the gateway that the API shows.
func objectOf(t *testing.T, g *gateway.Gateway, id string) map[string]any {
	t.Helper()
	status, text := manage(t, g, http.MethodGet, "/gateways/"+id, "")
	var answer struct{ Result map[string]any }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("GET gateway %s: %d %s", id, status, text)
	}
	return answer.Result
}

func TestAGatewayFromItsCreationToItsEnd(t *testing.T) {
	g := gateway.Start(t, gateway.Options{})
	if status, code := through(t, g, "prod"); status != 400 || code != 2001 {
		t.Errorf("before it exists: %d, code %d", status, code)
	}
	if status, text := manage(t, g, http.MethodPost, "/gateways", settings("prod", "2")); status != 200 {
		t.Fatalf("create: %d %s", status, text)
	}
	for i, want := range []int{200, 200, 429} {
		if status, _ := through(t, g, "prod"); status != want {
			t.Errorf("call %d at limit 2: %d, want %d", i+1, status, want)
		}
	}
	if status, text := manage(t, g, http.MethodPut, "/gateways/prod", settings("prod", "4")); status != 200 {
		t.Fatalf("update: %d %s", status, text)
	}
	if status, _ := through(t, g, "prod"); status != 200 {
		t.Errorf("the next call after the change: %d", status)
	}
	out, code := gateway.Run(t, "gateway", "set", "prod", "retry_max_attempts=3", "rate_limiting_limit=1000", "--url", "http://"+g.Addr)
	if code != 0 || !strings.Contains(out, "gateway prod changed (version 3)") {
		t.Errorf("gateway set: %d %s", code, out)
	}
	before := objectOf(t, g, "prod")
	if before["retry_max_attempts"] != 3.0 || before["rate_limiting_limit"] != 1000.0 || before["origin"] != "stored" {
		t.Errorf("after gateway set: %v", before)
	}

	g.Kill() // what was answered is on disk
	g = gateway.Start(t, gateway.Options{DataDir: g.DataDir})
	if after := objectOf(t, g, "prod"); !equalJSON(before, after) {
		t.Errorf("after kill -9: %v; before %v", after, before)
	}
	if status, _ := through(t, g, "prod"); status != 200 {
		t.Errorf("a call after kill -9: %d", status)
	}
	g.Configure("providers: [broken")
	g.Signal(syscall.SIGHUP)
	g.Eventually("a word in the status about the broken file", func() bool { return !strings.Contains(g.Status(), `"error":""`) }, g.Status)
	if status, _ := through(t, g, "prod"); status != 200 {
		t.Errorf("a call under a broken file: %d", status)
	}

	if out, code := gateway.Run(t, "gateway", "delete", "prod", "--url", "http://"+g.Addr); code != 0 {
		t.Errorf("gateway delete: %d %s", code, out)
	}
	if status, code := through(t, g, "prod"); status != 400 || code != 2001 {
		t.Errorf("a call after the deletion: %d, code %d", status, code)
	}
	if out, code := gateway.Run(t, "gateway", "get", "prod", "--url", "http://"+g.Addr); code != 6 {
		t.Errorf("gateway get of none: %d %s", code, out)
	}
}

func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func TestAGatewayOfTheFileIsChangedThereAlone(t *testing.T) {
	g := gateway.Start(t, gateway.Options{Config: "accounts: {default: {gateways: {kept: {rate_limiting_limit: 1, rate_limiting_interval: 30000d}}}}\n"})
	for i, want := range []int{200, 429} {
		if status, _ := through(t, g, "kept"); status != want {
			t.Errorf("call %d: %d, want %d", i+1, status, want)
		}
	}
	for _, call := range [][2]string{{http.MethodPut, "/gateways/kept"}, {http.MethodDelete, "/gateways/kept"}, {http.MethodPost, "/gateways"}} {
		status, text := manage(t, g, call[0], call[1], settings("kept", "5"))
		if status != 409 || !strings.Contains(text, "sluice.yaml: accounts.default.gateways.kept") {
			t.Errorf("%s: %d %s", call[0], status, text)
		}
	}
	out, code := gateway.Run(t, "gateway", "set", "kept", "rate_limiting_limit=5", "--url", "http://"+g.Addr)
	if code != 7 || !strings.Contains(out, "accounts.default.gateways.kept") {
		t.Errorf("gateway set: %d %s", code, out)
	}
	g.Configure("accounts: {default: {gateways: {kept: {rate_limiting_limit: 3, rate_limiting_interval: 30000d}}}}\n")
	g.Signal(syscall.SIGHUP)
	g.Eventually("the limit that the file has now", func() bool { return objectOf(t, g, "kept")["rate_limiting_limit"] == 3.0 }, g.Status)
	if status, _ := through(t, g, "kept"); status != 200 {
		t.Errorf("a call under the new limit: %d", status)
	}
}

func TestTheBuiltinGatewayStaysAwayOnceDeleted(t *testing.T) {
	g := gateway.Start(t, gateway.Options{})
	if status, _ := through(t, g, "default"); status != 200 {
		t.Fatalf("default/default: %d", status)
	}
	if status, text := manage(t, g, http.MethodDelete, "/gateways/default", ""); status != 200 || !strings.Contains(text, `"id":"default"`) {
		t.Errorf("delete: %d %s", status, text)
	}
	for range 2 {
		if status, code := through(t, g, "default"); status != 400 || code != 2001 {
			t.Errorf("after the deletion: %d, code %d", status, code)
		}
		if code := g.Stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		g = gateway.Start(t, gateway.Options{DataDir: g.DataDir})
	}
	if status, text := manage(t, g, http.MethodPost, "/gateways", settings("default", "null")); status != 200 {
		t.Errorf("create: %d %s", status, text)
	}
	if status, _ := through(t, g, "default"); status != 200 {
		t.Errorf("after it was made again: %d", status)
	}
}

// TestTheFirstCallWithATokenMakesDefault: account acme has no gateway. Nobody but a holder of its token can
// make one, and what is made is closed.
func TestTheFirstCallWithATokenMakesDefault(t *testing.T) {
	g := gateway.Start(t, gateway.Options{Config: "accounts: {acme: {}}\n"})
	token := func(account string) string {
		t.Helper()
		out, code := gateway.Run(t, "auth", "token", "create", "--account", account, "--name", "of-"+account, "--url", "http://"+g.Addr)
		value := regexp.MustCompile(`slc_[0-9A-Za-z]{49}`).FindString(out)
		if code != 0 || value == "" {
			t.Fatalf("auth token create: %d %s", code, out)
		}
		return value
	}
	call := func(id, token string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.Addr+"/v1/acme/"+id+"/echo/chat/completions", strings.NewReader(chat))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("cf-aig-authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	list := func() string {
		t.Helper()
		out, code := gateway.Run(t, "gateway", "list", "--account", "acme", "-o", "csv", "--no-header", "--fields", "id,origin,authentication,cache_ttl", "--url", "http://"+g.Addr)
		if code != 0 {
			t.Fatalf("gateway list: %d %s", code, out)
		}
		return strings.TrimSpace(out)
	}
	own, other := token("acme"), token("default")
	for name, value := range map[string]string{"no token": "", "another account's": other, "nobody's": "slc_" + strings.Repeat("a", 49)} {
		if status := call("default", value); status < 400 || list() != "" {
			t.Errorf("%s: %d, gateways %q", name, status, list())
		}
	}
	if status := call("other", own); status != 400 || list() != "" {
		t.Errorf("another id than default: %d, gateways %q", status, list())
	}
	if status := call("default", own); status != 200 || list() != "default,stored,true,0" {
		t.Errorf("with its token: %d, gateways %q", status, list())
	}
	if status := call("default", ""); status != 401 {
		t.Errorf("then without a token: %d", status)
	}
}
