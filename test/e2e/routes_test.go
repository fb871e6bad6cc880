package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// supportRoute asks one model and falls back to another.
func supportRoute(model string) string {
	return `[
  {"id": "start", "type": "start", "outputs": {"next": {"elementId": "first"}}},
  {"id": "first", "type": "model", "properties": {"provider": "openai", "model": "` + model + `", "timeout": 30000, "retries": 1},
   "outputs": {"success": {"elementId": "end"}, "fallback": {"elementId": "second"}}},
  {"id": "second", "type": "model", "properties": {"provider": "anthropic", "model": "claude-haiku-4-5", "timeout": 0, "retries": 0},
   "outputs": {"success": {"elementId": "end"}, "fallback": {"elementId": "end"}}},
  {"id": "end", "type": "end", "outputs": {}}
]`
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestARoutesLifeByCommands: create, deploy, roll back and delete, with a kill in between.
func TestARoutesLifeByCommands(t *testing.T) {
	o := gateway.Options{DataDir: t.TempDir()}
	g := gateway.Start(t, o)
	run := func(want int, args ...string) string {
		t.Helper()
		out, code := gateway.Run(t, append(args, "--url", "http://"+g.Addr)...)
		if code != want {
			t.Fatalf("%q ended with %d, want %d:\n%s", args, code, want, out)
		}
		return out
	}
	// said are the elements that the commands write, as JSON.
	said := func(args ...string) (v any) {
		t.Helper()
		out := run(0, args...)
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("%q: %v in %s", args, err, out)
		}
		return v
	}
	same := func(got any, text string) bool {
		t.Helper()
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		return reflect.DeepEqual(got, want)
	}
	first, second := supportRoute("gpt-4.1"), supportRoute("gpt-5")
	run(0, "route", "create", "support", writeFile(t, "route.json", first))
	run(7, "route", "create", "support", writeFile(t, "route.json", first))
	if got := said("route", "get", "support", "--elements"); !same(got, first) {
		t.Errorf("created: %v", got)
	}
	run(0, "route", "deploy", "support", writeFile(t, "route.json", `{"name":"whatever","elements":`+second+`}`))
	g.Kill()
	g = gateway.Start(t, o)
	if got := said("route", "get", "support", "--elements"); !same(got, second) {
		t.Errorf("after a kill: %v", got)
	}
	run(0, "route", "rollback", "support")
	if got := said("route", "get", "support", "--elements"); !same(got, first) {
		t.Errorf("rolled back: %v", got)
	}
	wrong := writeFile(t, "wrong.json", strings.Replace(first, `"elementId": "second"`, `"elementId": "third"`, 1))
	if out := run(1, "route", "validate", wrong); !strings.Contains(out, "there is no element 'third'") || !strings.Contains(out, "elements[1].outputs.fallback.elementId") {
		t.Errorf("validate: %s", out)
	}
	run(2, "route", "deploy", "support", wrong)
	run(2, "route", "deploy", "support")
	if out := run(0, "route", "versions", "support", "--jsonl"); strings.Count(out, "version_id") != 2 {
		t.Errorf("versions: %s", out)
	}
	run(0, "route", "rename", "support", "help")
	if out := run(0, "route", "list", "--json", "--fields", "name"); !strings.Contains(out, `"help"`) || strings.Contains(out, "support") {
		t.Errorf("list: %s", out)
	}
	run(0, "route", "delete", "help", "--yes")
	run(6, "route", "get", "help")
}

// TestTheRouteOfTheDocumentation is the one that docs/routes.md shows.
func TestTheRouteOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "routes.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "```json\n")
	text, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatal("docs/routes.md shows no route")
	}
	g := gateway.Start(t, gateway.Options{})
	out, code := gateway.Run(t, "route", "validate", writeFile(t, "route.json", text), "--json", "--url", "http://"+g.Addr)
	if code != 0 || !strings.Contains(out, `"issues": []`) {
		t.Errorf("%d %s", code, out)
	}
}

// TestACustomDomainMeansItsGateway: from the call that makes it to the one that deletes it, and through a restart.
func TestACustomDomainMeansItsGateway(t *testing.T) {
	o := gateway.Options{DataDir: t.TempDir(), Config: "hosts: {configured.example.com: {account: default, gateway: default}}\n"}
	g := gateway.Start(t, o)
	status, answer := manage(t, g, http.MethodPost, "/gateways", settings("prod", "1000"))
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	// gatewayOf calls echo under a host name, and tells which gateway has logged it. "": nobody answered.
	gatewayOf := func(host string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.Addr+"/echo/chat/completions", strings.NewReader(chat))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"default", "prod"} {
			if log := resp.Header.Get("cf-aig-log-id"); log != "" && resp.StatusCode == http.StatusOK {
				if status, _ := manage(t, g, http.MethodGet, "/gateways/"+id+"/logs/"+log, ""); status == http.StatusOK {
					return id
				}
			}
		}
		return ""
	}
	if got := gatewayOf("ai.example.com"); got != "" {
		t.Errorf("before: %q", got)
	}
	for _, name := range []string{"AI.example.com", "configured.example.com"} {
		if status, answer := manage(t, g, http.MethodPost, "/gateways/prod/custom-domains", `{"domain":"`+name+`","zone_id":"z"}`); status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
	}
	check := func() {
		t.Helper()
		for host, want := range map[string]string{"ai.example.com": "prod", "Ai.Example.com:8088": "prod", "configured.example.com": "default", "other.example.com": ""} {
			if got := gatewayOf(host); got != want {
				t.Errorf("%s means %q; want %q", host, got, want)
			}
		}
	}
	check()
	g.Kill()
	g = gateway.Start(t, o)
	check()
	if status, answer := manage(t, g, http.MethodDelete, "/gateways/prod/custom-domains/ai.example.com", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, answer)
	}
	if got := gatewayOf("ai.example.com"); got != "" {
		t.Errorf("after: %q", got)
	}
}

// TestSettingsAreBroughtInOverTheReferencesAPI imports from a program that speaks that API: another one of ours.
func TestSettingsAreBroughtInOverTheReferencesAPI(t *testing.T) {
	const account, token = "0123456789abcdef0123456789abcdef", "token-of-the-source"
	from := gateway.Start(t, gateway.Options{Config: "accounts: {default: {aliases: [" + account + "]}}\n", Env: []string{"SLUICE_ADMIN_TOKEN=" + token}})
	source := func(args ...string) {
		t.Helper()
		if out, code := gateway.RunWith(t, []string{"SLUICE_TOKEN=" + token}, append(args, "--url", "http://"+from.Addr)...); code != 0 {
			t.Fatalf("%q: %d %s", args, code, out)
		}
	}
	source("gateway", "create", "prod", "cache_ttl=5m", "zdr=on", "retry_max_attempts=3")
	source("gateway", "create", "test")
	source("route", "create", "support", writeFile(t, "route.json", supportRoute("gpt-4.1")), "-g", "prod")
	source("api", "post", "gateways/prod/provider_configs", "-d", `{"provider_slug":"openai","alias":"main","default_config":true,"secret":"sk-canary-0123456789"}`)

	to := gateway.Start(t, gateway.Options{})
	run := func(want int, args ...string) string {
		t.Helper()
		out, code := gateway.RunWith(t, []string{"CLOUDFLARE_API_TOKEN=" + token, "CLOUDFLARE_BASE_URL=http://" + from.Addr + "/client/v4"}, append(args, "--url", "http://"+to.Addr)...)
		if code != want {
			t.Fatalf("%q ended with %d, want %d:\n%s", args, code, want, out)
		}
		if strings.Contains(out, "sk-canary") {
			t.Errorf("%q shows a secret:\n%s", args, out)
		}
		return out
	}
	out := run(0, "import", "cloudflare", "--from-account", account, "--dry-run")
	for _, want := range []string{
		"gateway prod: create", "stored, without effect here yet: zdr", "route support: create", "Nothing written.",
		"provider key openai, alias main: its secret cannot be read; sluice provider add openai --alias main -g prod", "gateway test: create", "gateway default: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("dry run lacks %q:\n%s", want, out)
		}
	}
	if status, _ := manage(t, to, http.MethodGet, "/gateways/prod", ""); status != http.StatusNotFound {
		t.Errorf("a dry run has written: %d", status)
	}
	run(2, "import", "cloudflare", "--from-account", account, "--from-gateway", "prod")
	run(6, "import", "cloudflare", "--from-account", account, "--from-gateway", "nothing")
	run(0, "import", "cloudflare", "--from-account", account, "--from-gateway", "prod", "--yes")
	there := objectOf(t, to, "prod")
	if there["cache_ttl"] != 300.0 || there["zdr"] != true || there["retry_max_attempts"] != 3.0 {
		t.Errorf("%v", there)
	}
	if status, _ := manage(t, to, http.MethodGet, "/gateways/test", ""); status != http.StatusNotFound {
		t.Errorf("a gateway that was not asked for: %d", status)
	}
	var again struct {
		Written  bool
		Gateways []struct {
			Action  string
			Changed []string
			Routes  []struct{ Action string }
		}
	}
	if err := json.Unmarshal([]byte(run(0, "import", "cloudflare", "--from-account", account, "--from-gateway", "prod", "--yes", "--json")), &again); err != nil {
		t.Fatal(err)
	}
	if again.Written || len(again.Gateways) != 1 || again.Gateways[0].Action != "unchanged" || len(again.Gateways[0].Changed) != 0 || again.Gateways[0].Routes[0].Action != "unchanged" {
		t.Errorf("imported again: %+v", again)
	}
	file := filepath.Join(t.TempDir(), "saved.json")
	run(0, "import", "cloudflare", "--from-account", account, "--save", file)
	source("route", "deploy", "support", writeFile(t, "route.json", supportRoute("gpt-5")), "-g", "prod")
	out = run(0, "import", "cloudflare", "--file", file, "--yes")
	if !strings.Contains(out, "gateway prod: unchanged") || !strings.Contains(out, "gateway test: create") {
		t.Errorf("from a file: %s", out)
	}
	out = run(0, "import", "cloudflare", "--from-account", account, "--from-gateway", "prod", "--yes")
	if !strings.Contains(out, "route support: change") || !strings.Contains(run(0, "route", "get", "support", "-g", "prod"), "gpt-5") {
		t.Errorf("a changed route: %s", out)
	}
	out = run(8, "import", "cloudflare", "--file", writeFile(t, "odd.json", `[{"id":"Odd","cache_ttl":-1},{"id":"routed","routes":[{"name":"a","elements":[]}],"unheard_of":1}]`), "--yes")
	for _, want := range []string{"gateway Odd: rejected", "gateway routed: create", "not known here, left out: unheard_of", "route a: rejected"} {
		if !strings.Contains(out, want) {
			t.Errorf("odd gateways: no %q in:\n%s", want, out)
		}
	}
}
