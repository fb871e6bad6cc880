package sdk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// cloudflareArgs are the arguments of a call of the reference's SDKs: the values of the path in its order, the
// account aside, and all other parameters.
type cloudflareArgs struct {
	Path   [][2]string    `json:"path"`
	Params map[string]any `json:"params"`
}

const sdkAccount = "0123456789abcdef0123456789abcdef"

// TestEveryCallOfTheReferencesSDKs makes every call that the reference's SDKs have for AI Gateway, in three
// languages, and looks at what the SDK made of each answer.
func TestEveryCallOfTheReferencesSDKs(t *testing.T) {
	g := gateway.Start(t, gateway.Options{
		Config: "accounts: {default: {aliases: [" + sdkAccount + "]}}\n", Env: []string{"SLUICE_ADMIN_TOKEN=token-of-the-operator"},
	})
	for _, language := range []struct {
		name   string
		driver func(t *testing.T) driver
	}{
		{"js", func(t *testing.T) driver { return javascript(t, "js", "cloudflare.mjs") }},
		{"python", func(t *testing.T) driver {
			dir := absolute(t, "python")
			return startProgram(t, dir, filepath.Join(dir, ".venv", "bin", "python"), "cloudflare_calls.py")
		}},
		{"go", func(*testing.T) driver { return cloudflareGo{} }},
	} {
		t.Run(language.name, func(t *testing.T) {
			s := &sdkStory{t: t, g: g.On(t), driver: language.driver(t), id: "of-" + language.name, made: map[string]bool{}, pagers: language.name == "go"}
			s.gateways()
			s.logs()
			s.evaluations()
			s.keysAndProviders()
			s.routes()
			s.billing()
			s.end()
			s.everyCallWasMade()
		})
	}
}

// sdkStory is what one SDK does, with a gateway of its own.
type sdkStory struct {
	t      *testing.T
	g      *gateway.Gateway
	driver driver
	id     string // of the gateway
	made   map[string]bool
	pagers bool // each list has a second method that pages by itself
}

// object is a result that is one.
type object = map[string]any

// raw makes a call. path holds names and values.
func (s *sdkStory) raw(method string, params object, path ...string) (result any, status, code int) {
	s.t.Helper()
	args := cloudflareArgs{Path: [][2]string{}, Params: object{"account_id": sdkAccount}}
	for i := 0; i < len(path); i += 2 {
		args.Path = append(args.Path, [2]string{path[i], path[i+1]})
	}
	for name, value := range params {
		args.Params[name] = value
	}
	text := s.driver.call(s.t, call{Client: "cloudflare", Scenario: method, Base: "http://" + s.g.Addr + "/client/v4", Args: args})
	s.made[plainName(method)] = true
	var outcome struct {
		Result any
		Error  *struct {
			Status, Code  int
			Name, Message string
		}
	}
	if err := json.Unmarshal(text, &outcome); err != nil {
		s.t.Fatalf("%s: %v in %s", method, err, text)
	}
	if outcome.Error != nil {
		if outcome.Error.Status == 0 {
			s.t.Fatalf("%s: %s: %s", method, outcome.Error.Name, outcome.Error.Message)
		}
		return nil, outcome.Error.Status, outcome.Error.Code
	}
	return outcome.Result, http.StatusOK, 0
}

// must makes a call that has to serve.
func (s *sdkStory) must(method string, params object, path ...string) any {
	s.t.Helper()
	result, status, code := s.raw(method, params, path...)
	if status != http.StatusOK {
		s.t.Fatalf("%s: status %d, code %d", method, status, code)
	}
	return result
}

// one makes a call whose result is an object.
func (s *sdkStory) one(method string, params object, path ...string) object {
	s.t.Helper()
	result := s.must(method, params, path...)
	o, ok := result.(object)
	if !ok {
		s.t.Fatalf("%s: %v is no object", method, result)
	}
	return o
}

// list makes a call that lists objects, by all methods that do.
func (s *sdkStory) list(method string, params object, path ...string) []object {
	s.t.Helper()
	items := s.must(method, params, path...).([]any)
	if s.pagers {
		if again := s.must(method+"AutoPaging", params, path...); !reflect.DeepEqual(again, any(items)) {
			s.t.Errorf("%s: paged %v, listed %v", method, again, items)
		}
	}
	all := make([]object, len(items))
	for i := range items {
		all[i] = items[i].(object)
	}
	return all
}

// has looks for members of an object.
func (s *sdkStory) has(what string, o, want object) {
	s.t.Helper()
	for name, value := range want {
		if got := o[name]; !reflect.DeepEqual(got, value) {
			s.t.Errorf("%s: %s is %v; want %v", what, name, got, value)
		}
	}
}

// lists looks whether a list holds just these ids.
func (s *sdkStory) lists(what string, list []object, member string, ids ...any) {
	s.t.Helper()
	var got []any
	for _, o := range list {
		got = append(got, o[member])
	}
	if !slices.Equal(got, ids) {
		s.t.Errorf("%s: %v; want %v", what, got, ids)
	}
}

func (s *sdkStory) gateways() {
	base := func(ttl float64) object {
		return object{"cache_ttl": ttl, "cache_invalidate_on_update": true, "collect_logs": true, "rate_limiting_interval": 0.0, "rate_limiting_limit": 0.0}
	}
	created := base(0)
	created["id"] = s.id
	made := s.one("create", created)
	s.has("created", made, created)
	changed := s.one("update", base(60), "id", s.id)
	s.has("updated", changed, base(60))
	if got := s.one("get", nil, "id", s.id); !reflect.DeepEqual(got, changed) {
		s.t.Errorf("got %v; want %v", got, changed)
	}
	s.lists("gateways", s.list("list", object{"search": s.id}), "id", s.id)
	if url := s.must("urls.get", nil, "gateway_id", s.id, "provider", "openai"); url != "http://"+s.g.Addr+"/v1/default/"+s.id+"/openai" {
		s.t.Errorf("url %v", url)
	}
	if _, status, code := s.raw("get", nil, "id", "nothing"); status != http.StatusNotFound || code != 7002 {
		s.t.Errorf("a gateway that is not there: %d, %d", status, code)
	}
	s.must("update", base(0), "id", s.id) // or the second call is answered by the cache
}

// chats calls the provider echo and returns the ids of the log entries.
func (s *sdkStory) chats(n int) (ids []string) {
	s.t.Helper()
	for i := range n {
		body := fmt.Sprintf(`{"model":"echo-%d","messages":[{"role":"user","content":"hello"}]}`, i)
		resp, err := http.Post("http://"+s.g.Addr+"/v1/default/"+s.id+"/echo/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			s.t.Fatalf("chat: %d", resp.StatusCode)
		}
		ids = append(ids, resp.Header.Get("cf-aig-log-id"))
	}
	return ids
}

func (s *sdkStory) logs() {
	ids := s.chats(2)
	list := s.list("logs.list", object{"order_by": "created_at", "order_by_direction": "asc"}, "gateway_id", s.id)
	s.lists("logs", list, "id", ids[0], ids[1])
	first := []string{"gateway_id", s.id, "id", ids[0]}
	s.must("logs.edit", object{"feedback": 1.0, "score": 80.0, "metadata": object{"team": "blue"}}, first...)
	got := s.one("logs.get", nil, first...)
	s.has("log", got, object{"id": ids[0], "provider": "echo", "model": "echo-0", "success": true, "feedback": 1.0, "score": 80.0})
	s.has("request", s.one("logs.request", nil, first...), object{"model": "echo-0"})
	s.has("response", s.one("logs.response", nil, first...), object{"object": "chat.completion"})
	found := s.list("logs.list", object{"filters": []any{object{"key": "model", "operator": "eq", "value": []any{"echo-1"}}}}, "gateway_id", s.id)
	s.lists("filtered", found, "id", ids[1])
}

func (s *sdkStory) evaluations() {
	filters := func(model string) []any {
		return []any{object{"key": "model", "operator": "eq", "value": []any{model}}}
	}
	in := []string{"gateway_id", s.id}
	made := s.one("datasets.create", object{"name": "first", "enable": true, "filters": filters("echo-1")}, in...)
	s.has("dataset", made, object{"name": "first", "enable": true, "gateway_id": s.id, "filters": filters("echo-1")})
	dataset := made["id"].(string)
	which := append(slices.Clone(in), "id", dataset)
	changed := s.one("datasets.update", object{"name": "first", "enable": true, "filters": filters("echo-0")}, which...)
	if got := s.one("datasets.get", nil, which...); !reflect.DeepEqual(got, changed) || !reflect.DeepEqual(got["filters"], filters("echo-0")) {
		s.t.Errorf("got %v; want %v", got, changed)
	}
	s.lists("datasets", s.list("datasets.list", object{"enable": true}, in...), "id", dataset)
	s.lists("types", s.list("evaluationTypes.list", nil), "id", "cost", "speed", "performance")
	evaluated := s.one("evaluations.create", object{"name": "e", "dataset_ids": []any{dataset}, "evaluation_type_ids": []any{"performance", "speed"}}, in...)
	s.has("evaluation", evaluated, object{"name": "e", "processed": true, "total_logs": 1.0})
	results := evaluated["results"].([]any)
	s.has("performance", results[0].(object), object{"evaluation_type_id": "performance", "result": "1", "total_logs": 1.0})
	id := evaluated["id"].(string)
	if got := s.one("evaluations.get", nil, append(slices.Clone(in), "id", id)...); !reflect.DeepEqual(got, evaluated) {
		s.t.Errorf("got %v; want %v", got, evaluated)
	}
	s.lists("evaluations", s.list("evaluations.list", object{"processed": true}, in...), "id", id)
	s.has("deleted", s.one("evaluations.delete", nil, append(slices.Clone(in), "id", id)...), object{"id": id})
	s.has("deleted", s.one("datasets.delete", nil, which...), object{"id": dataset})
	if _, status, _ := s.raw("datasets.get", nil, which...); status != http.StatusNotFound {
		s.t.Errorf("a dataset that is gone: %d", status)
	}
	s.must("logs.delete", object{"filters": []any{object{"key": "model", "operator": "eq", "value": []any{"echo-0"}}}}, in...)
	s.g.Eventually("one log entry is left", func() bool {
		left := s.list("logs.list", nil, in...)
		return len(left) == 1 && left[0]["model"] == "echo-1"
	}, func() string { return fmt.Sprint(s.list("logs.list", nil, in...)) })
}

func (s *sdkStory) keysAndProviders() {
	in := []string{"gateway_id", s.id}
	key := object{"provider_slug": "openai", "alias": "production", "default_config": true, "rate_limit": 100.0, "rate_limit_period": 60.0}
	sent := object{"secret": "sk-proj-0123456789abcdefwxyz", "secret_id": "0123456789abcdef"}
	for name, value := range key {
		sent[name] = value
	}
	made := s.one("providerConfigs.create", sent, in...)
	s.has("provider key", made, key)
	s.lists("provider keys", s.list("providerConfigs.list", nil, in...), "id", made["id"])

	slug := "custom" + strings.TrimPrefix(s.id, "of-")
	provider := object{"name": "Mine", "slug": slug, "base_url": "https://api.example.com", "enable": true, "description": "of " + s.id}
	custom := s.one("customProviders.create", provider)
	s.has("custom provider", custom, provider)
	id := custom["id"].(string)
	s.has("custom provider", s.one("customProviders.get", nil, "id", id), provider)
	s.lists("custom providers", s.list("customProviders.list", object{"search": slug}), "id", id)
	s.has("deleted", s.one("customProviders.delete", nil, "id", id), object{"slug": slug})
	if _, status, code := s.raw("customProviders.get", nil, "id", id); status != http.StatusNotFound || code != 1004 {
		s.t.Errorf("a custom provider that is gone: %d, %d", status, code)
	}
}

func (s *sdkStory) routes() {
	elements := func(model string) []any {
		to := func(id string) object { return object{"elementId": id} }
		return []any{
			object{"id": "s", "type": "start", "outputs": object{"next": to("c")}},
			object{"id": "c", "type": "conditional", "properties": object{"conditions": object{"metadata.plan": object{"$eq": "free"}}}, "outputs": object{"true": to("p"), "false": to("r")}},
			object{"id": "p", "type": "percentage", "outputs": object{"10%": to("m"), "else": to("e")}},
			object{"id": "r", "type": "rate", "properties": object{"limitType": "cost", "key": "metadata.user", "limit": 2.5, "window": 3600.0}, "outputs": object{"success": to("m"), "fallback": to("e")}},
			object{"id": "m", "type": "model", "properties": object{"provider": "openai", "model": model, "timeout": 1000.0, "retries": 1.0}, "outputs": object{"success": to("e"), "fallback": to("e")}},
			object{"id": "e", "type": "end", "outputs": object{}},
		}
	}
	in := []string{"gateway_id", s.id}
	made := s.one("dynamicRouting.create", object{"name": "support", "elements": elements("first")}, in...)
	s.has("route", made, object{"name": "support", "gateway_id": s.id, "elements": elements("first")})
	first := made["version"].(object)
	s.has("version", first, object{"active": "true", "is_valid": true})
	route := append(slices.Clone(in), "id", made["id"].(string))
	if got := s.one("dynamicRouting.get", nil, route...); !reflect.DeepEqual(got, made) {
		s.t.Errorf("got %v; want %v", got, made)
	}
	s.has("new version", s.one("dynamicRouting.createVersion", object{"elements": elements("second")}, route...), object{"id": made["id"], "elements": elements("second")})
	data := func(method string, member string, path []string) []any {
		answer := s.one(method, nil, path...)
		if answer["success"] != true {
			s.t.Errorf("%s: %v", method, answer)
		}
		return answer["data"].(object)[member].([]any)
	}
	versions := data("dynamicRouting.listVersions", "versions", route)
	if len(versions) != 2 {
		s.t.Fatalf("versions %v", versions)
	}
	second := versions[0].(object)["version_id"].(string)
	s.has("deployed", s.one("dynamicRouting.createDeployment", object{"version_id": second}, route...), object{"elements": elements("second")})
	full := s.one("dynamicRouting.getVersion", nil, append(slices.Clone(route), "version_id", second)...)
	s.has("version", full, object{"active": "true", "version_id": second, "elements": elements("second"), "name": "support"})
	deployments := data("dynamicRouting.listDeployments", "deployments", route)
	if len(deployments) != 2 || deployments[0].(object)["version_id"] != second || deployments[1].(object)["version_id"] != first["version_id"] {
		s.t.Errorf("deployments %v", deployments)
	}
	renamed := s.one("dynamicRouting.update", object{"name": "help"}, route...)
	s.has("renamed", renamed["route"].(object), object{"name": "help", "elements": elements("second")})
	if routes := data("dynamicRouting.list", "routes", in); len(routes) != 1 || routes[0].(object)["name"] != "help" {
		s.t.Errorf("routes %v", routes)
	}
	s.has("deleted", s.one("dynamicRouting.delete", nil, route...), object{"name": "help"})
	if _, status, _ := s.raw("dynamicRouting.get", nil, route...); status != http.StatusNotFound {
		s.t.Errorf("a route that is gone: %d", status)
	}
}

func (s *sdkStory) billing() {
	s.has("balance", s.one("billing.creditBalance", nil), object{"balance": 0.0, "has_default_payment_method": false})
	for _, c := range []struct {
		method string
		params object
		want   int
	}{
		{"billing.invoiceHistory", object{"type": "all"}, http.StatusNotFound},
		{"billing.invoicePreview", nil, http.StatusNotFound},
		{"billing.usageHistory", object{"value_grouping_window": "day"}, http.StatusNotFound},
		{"billing.topup.create", object{"amount": 1000.0}, http.StatusNotFound},
		{"billing.topup.status", object{"payment_intent_id": "pi"}, http.StatusNotFound},
		{"billing.topup.config.get", nil, http.StatusNotFound},
		{"billing.topup.config.create", object{"amount": 1000.0, "threshold": 500.0}, http.StatusForbidden},
		{"billing.topup.config.delete", nil, http.StatusForbidden},
		{"billing.spendingLimit.get", nil, http.StatusNotFound},
		{"billing.spendingLimit.create", object{"amount": 1.0, "duration": "daily", "strategy": "fixed"}, http.StatusForbidden},
		{"billing.spendingLimit.delete", nil, http.StatusForbidden},
	} {
		if _, status, _ := s.raw(c.method, c.params); status != c.want {
			s.t.Errorf("%s: %d; want %d", c.method, status, c.want)
		}
	}
}

func (s *sdkStory) end() {
	s.has("deleted", s.one("delete", nil, "id", s.id), object{"id": s.id})
}

// plainName is a method's name in the way of no language: datasets.create, dynamicrouting.createversion.
func plainName(name string) string {
	parts := strings.Split(strings.ReplaceAll(name, "_", ""), ".")
	last := parts[len(parts)-1]
	if rest, ok := strings.CutPrefix(last, "New"); ok {
		parts[len(parts)-1] = "create" + rest
	}
	return strings.ToLower(strings.Join(parts, "."))
}

// everyCallWasMade compares what was called with all that the SDK can call.
func (s *sdkStory) everyCallWasMade() {
	s.t.Helper()
	var outcome struct{ Result []string }
	text := s.driver.call(s.t, call{Client: "cloudflare", Scenario: "methods", Base: "http://" + s.g.Addr + "/client/v4", Args: cloudflareArgs{}})
	if err := json.Unmarshal(text, &outcome); err != nil {
		s.t.Fatalf("%v in %s", err, text)
	}
	if len(outcome.Result) < 50 {
		s.t.Errorf("the SDK has %d methods only: %q", len(outcome.Result), outcome.Result)
	}
	for _, name := range outcome.Result {
		if !s.made[plainName(name)] {
			s.t.Errorf("%s was not called", name)
		}
	}
	s.t.Logf("%d methods, all called: %s", len(outcome.Result), strings.Join(outcome.Result, " "))
}
