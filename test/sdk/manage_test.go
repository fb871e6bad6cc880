package sdk

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// TestGatewaysThroughTheReferencesSDK manages gateways as scripts written for the reference do: the address
// is all that differs.
func TestGatewaysThroughTheReferencesSDK(t *testing.T) {
	g := gateway.Start(t, gateway.Options{
		Config: "accounts: {default: {aliases: [0123456789abcdef0123456789abcdef]}}\n", Env: []string{"SLUICE_ADMIN_TOKEN=token-of-the-operator"},
	})
	js := javascript(t, "js", "manage.mjs")
	tell := func(scenario string, into any) {
		t.Helper()
		var outcome struct {
			Result json.RawMessage
			Error  string
		}
		text := js.call(t, call{Client: "cloudflare", Scenario: scenario, Base: "http://" + g.Addr + "/client/v4"})
		if err := json.Unmarshal(text, &outcome); err != nil || outcome.Error != "" {
			t.Fatalf("%s: %s", scenario, text)
		}
		if err := json.Unmarshal(outcome.Result, into); err != nil {
			t.Fatalf("%s: %v in %s", scenario, err, text)
		}
	}
	t.Run("every setting comes back as it was sent", func(t *testing.T) {
		var s struct {
			Sent, Created, Got, Updated, Nulls, Deleted map[string]any
			URL                                         string
		}
		tell("full", &s)
		for name, want := range s.Sent {
			if !reflect.DeepEqual(s.Created[name], want) {
				t.Errorf("%s: sent %v, created %v", name, want, s.Created[name])
			}
		}
		if !reflect.DeepEqual(s.Got, s.Created) || !reflect.DeepEqual(s.Updated, s.Created) {
			t.Errorf("created %v\ngot %v\nupdated with the same %v", s.Created, s.Got, s.Updated)
		}
		for _, name := range []string{"rate_limiting_technique", "retry_delay", "otel", "store_id"} {
			if value, there := s.Nulls[name]; value != nil || !there {
				t.Errorf("%s: null comes back as %v", name, value)
			}
		}
		if s.Nulls["authentication"] != true || s.Nulls["cache_ttl"] != 0.0 || s.Nulls["id"] != "full" {
			t.Errorf("after an update: %v", s.Nulls)
		}
		if want := "http://" + g.Addr + "/v1/default/full/openai"; s.URL != want {
			t.Errorf("address %q; want %q", s.URL, want)
		}
		if !reflect.DeepEqual(s.Deleted, s.Nulls) {
			t.Errorf("deleted %v; want %v", s.Deleted, s.Nulls)
		}
	})
	t.Run("lists end", func(t *testing.T) {
		var s struct{ IDs, Listed []string }
		tell("pages", &s)
		if len(s.IDs) != 25 || !reflect.DeepEqual(s.Listed, s.IDs) {
			t.Errorf("listed %q; want %q", s.Listed, s.IDs)
		}
	})
	t.Run("provider keys are stored, and not shown", func(t *testing.T) {
		var s struct {
			Sent, Created map[string]any
			Listed        []map[string]any
			Taken         struct{ Status int }
			Tries         int
		}
		tell("keys", &s)
		for name, want := range s.Sent {
			if !reflect.DeepEqual(s.Created[name], want) {
				t.Errorf("%s: sent %v, created %v", name, want, s.Created[name])
			}
		}
		if len(s.Listed) != 1 || !reflect.DeepEqual(s.Listed[0], s.Created) {
			t.Errorf("created %v\nlisted %v", s.Created, s.Listed)
		}
		if s.Created["gateway_id"] != "keys" || s.Created["secret_preview"] != "****wxyz" || s.Created["secret_id"] == "" || s.Created["secret"] != nil {
			t.Errorf("created %v", s.Created)
		}
		if s.Taken.Status != 409 || s.Tries != 1 {
			t.Errorf("a taken alias: %d, tried %d times", s.Taken.Status, s.Tries)
		}
	})
	t.Run("refusals are the SDK's errors, and not repeated", func(t *testing.T) {
		type refusal struct {
			Name   string
			Status int
			Errors []struct {
				Code    int
				Message string
				Path    []string
			}
		}
		var s struct {
			Taken, Wrong, Missing refusal
			Tries                 int
		}
		tell("refused", &s)
		if s.Taken.Name != "ConflictError" || s.Tries != 1 {
			t.Errorf("an id that is taken: %+v after %d tries", s.Taken, s.Tries)
		}
		var paths []string
		for _, e := range s.Wrong.Errors {
			paths = append(paths, strings.Join(e.Path, "."))
		}
		if s.Wrong.Name != "BadRequestError" || strings.Join(paths, " ") != "body.id body.retry_max_attempts" || s.Wrong.Errors[0].Code != 7001 {
			t.Errorf("a wrong body: %+v", s.Wrong)
		}
		if s.Missing.Name != "NotFoundError" || len(s.Missing.Errors) != 1 || s.Missing.Errors[0].Code != 7002 {
			t.Errorf("a gateway that is not there: %+v", s.Missing)
		}
	})
}
