package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// declared is a setting of a gateway as tools that declare gateways write it: two values that differ, and what
// null comes back as.
type declared struct {
	name        string
	first, then string // JSON
	null        string // JSON; "": null is refused
	required    bool
}

// declaredSettings are all settings of the reference (9.1), which its own tools send and read back.
func declaredSettings() []declared {
	return []declared{
		{name: "cache_ttl", first: `300`, then: `0`, null: `0`, required: true},
		{name: "cache_invalidate_on_update", first: `true`, then: `false`, required: true},
		{name: "collect_logs", first: `false`, then: `true`, required: true},
		{name: "rate_limiting_interval", first: `60`, then: `0`, null: `null`, required: true},
		{name: "rate_limiting_limit", first: `100`, then: `0`, null: `null`, required: true},
		{name: "rate_limiting_technique", first: `"sliding"`, then: `"fixed"`, null: `null`},
		{name: "authentication", first: `true`, then: `false`, null: `null`},
		{name: "byok_only", first: `true`, then: `false`, null: `null`},
		{
			name: "dlp", first: `{"enabled":true,"action":"BLOCK","profiles":["a"]}`,
			then: `{"enabled":true,"policies":[{"id":"p","enabled":true,"action":"FLAG","check":["REQUEST","RESPONSE"],"profiles":["<x>"]}]}`, null: `null`,
		},
		{name: "guardrails", first: `{"prompt":{"S1":"BLOCK"},"response":{"P1":"FLAG"}}`, then: `{"prompt":{},"response":{}}`, null: `null`},
		{name: "log_classification", first: `true`, then: `false`, null: `null`},
		{name: "log_management", first: `10000`, then: `10000000`, null: `null`},
		{name: "log_management_strategy", first: `"STOP_INSERTING"`, then: `"DELETE_OLDEST"`, null: `null`},
		{name: "logpush", first: `true`, then: `false`, null: `null`},
		{name: "logpush_public_key", first: `"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----"`, then: `"0123456789abcdef"`, null: `null`},
		{
			name: "otel", first: `[{"url":"https://otel.test/v1/traces","headers":{"a":"b"},"authorization":"c","content_type":"json"}]`,
			then: `[]`, null: `null`,
		},
		{name: "retry_max_attempts", first: `5`, then: `1`, null: `null`},
		{name: "retry_delay", first: `60000`, then: `0`, null: `null`},
		{name: "retry_backoff", first: `"exponential"`, then: `"linear"`, null: `null`},
		{
			name: "spend_limits", first: `{"enabled":true,"rules":[{"limit":1.5,"limitType":"cost","window":3600,"technique":"fixed"}]}`,
			then: `{"enabled":false,"rules":[]}`, null: `null`,
		},
		{name: "store_id", first: `"0123456789abcdef0123456789abcdef"`, then: `""`, null: `null`},
		{name: "stripe", first: `{"authorization":"s","usage_events":[{"payload":"{}"}]}`, then: `{"authorization":"t","usage_events":[]}`, null: `null`},
		{name: "workers_ai_billing_mode", first: `"unified"`, then: `"postpaid"`, null: `"postpaid"`},
		{name: "zdr", first: `true`, then: `false`, null: `null`},
	}
}

// declare sends a gateway, and returns what the answer shows of it.
func declare(t *testing.T, g *gateway.Gateway, method, path string, body map[string]json.RawMessage) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	status, answer := manage(t, g, method, path, string(text))
	var v struct{ Result map[string]any }
	if err := json.Unmarshal([]byte(answer), &v); err != nil || status != http.StatusOK {
		t.Fatalf("%s %s %s: %d %s", method, path, text, status, answer)
	}
	return v.Result
}

// planned lists the settings that a tool would change: what is there against what it was told.
func planned(t *testing.T, there map[string]any, told map[string]json.RawMessage) (diff []string) {
	t.Helper()
	for name, raw := range told {
		var want any
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if got, known := there[name]; !known || !reflect.DeepEqual(got, want) {
			diff = append(diff, fmt.Sprintf("%s: %v → %v", name, got, want))
		}
	}
	return diff
}

// baseOf are the settings that every call names.
func baseOf() map[string]json.RawMessage {
	base := map[string]json.RawMessage{}
	for _, s := range declaredSettings() {
		if s.required {
			base[s.name] = json.RawMessage(s.then)
		}
	}
	return base
}

// TestEverySettingIsAsItWasDeclared takes each setting through what declarative tools do with it: set it, read
// it, leave it out, change it, take it away. Nothing is left to plan after any of it, and what changes nothing
// leaves no trace.
func TestEverySettingIsAsItWasDeclared(t *testing.T) {
	g := gateway.Start(t, gateway.Options{})
	for i, s := range declaredSettings() {
		t.Run(s.name, func(t *testing.T) {
			g := g.On(t)
			id := fmt.Sprintf("one-%d", i)
			path := "/gateways/" + id
			told := baseOf()
			told["id"], told[s.name] = json.RawMessage(`"`+id+`"`), json.RawMessage(s.first)
			made := declare(t, g, http.MethodPost, "/gateways", told)
			read := objectOf(t, g, id)
			if diff := planned(t, read, told); diff != nil || !reflect.DeepEqual(made, read) {
				t.Errorf("created: %q; made %v, read %v", diff, made, read)
			}
			if again := declare(t, g, http.MethodPut, path, told); !reflect.DeepEqual(again, made) {
				t.Errorf("sent again: %v; want %v", again, made)
			}
			if !s.required {
				if without := declare(t, g, http.MethodPut, path, baseOf()); !reflect.DeepEqual(without, made) {
					t.Errorf("left out: %v; want %v", without, made)
				}
			}
			told[s.name] = json.RawMessage(s.then)
			changed := declare(t, g, http.MethodPut, path, told)
			if diff := planned(t, objectOf(t, g, id), told); diff != nil || changed["version"] != 2.0 {
				t.Errorf("changed: %q, version %v", diff, changed["version"])
			}
			told[s.name] = json.RawMessage(`null`)
			if s.null == "" {
				text, err := json.Marshal(told)
				if err != nil {
					t.Fatal(err)
				}
				if status, answer := manage(t, g, http.MethodPut, path, string(text)); status != http.StatusBadRequest {
					t.Errorf("null: %d %s", status, answer)
				}
				return
			}
			unset := declare(t, g, http.MethodPut, path, told)
			if diff := planned(t, unset, map[string]json.RawMessage{s.name: json.RawMessage(s.null)}); diff != nil {
				t.Errorf("null: %q", diff)
			}
			if again := declare(t, g, http.MethodPut, path, told); !reflect.DeepEqual(again, unset) {
				t.Errorf("null again: %v; want %v", again, unset)
			}
		})
	}
}

// TestWhatNobodyDeclaredIsNotThere: a tool that was told nothing of a setting reads nothing, or it would plan to
// take away what it never put there. One setting is computed: its default is read, and expected.
func TestWhatNobodyDeclaredIsNotThere(t *testing.T) {
	g := gateway.Start(t, gateway.Options{})
	told := baseOf()
	told["id"] = json.RawMessage(`"bare"`)
	made := declare(t, g, http.MethodPost, "/gateways", told)
	for _, s := range declaredSettings() {
		want := any(nil)
		if s.name == "workers_ai_billing_mode" {
			want = "postpaid"
		}
		if got, there := made[s.name]; !s.required && (!there || got != want) {
			t.Errorf("%s is %v; want %v", s.name, got, want)
		}
	}
}

// TestAWholeDeclarationOutlivesAKill declares everything at once, reads it in all the ways there are, and again
// after the program was killed.
func TestAWholeDeclarationOutlivesAKill(t *testing.T) {
	o := gateway.Options{DataDir: t.TempDir()}
	g := gateway.Start(t, o)
	told := map[string]json.RawMessage{"id": json.RawMessage(`"all"`)}
	for _, s := range declaredSettings() {
		told[s.name] = json.RawMessage(s.first)
	}
	made := declare(t, g, http.MethodPost, "/gateways", told)
	if diff := planned(t, made, told); diff != nil {
		t.Errorf("created: %q", diff)
	}
	listed := func() map[string]any {
		status, answer := manage(t, g, http.MethodGet, "/gateways?search=al&per_page=1&page=1", "")
		var v struct{ Result []map[string]any }
		if err := json.Unmarshal([]byte(answer), &v); err != nil || status != http.StatusOK || len(v.Result) != 1 {
			t.Fatalf("%d %s", status, answer)
		}
		return v.Result[0]
	}
	g.Kill()
	g = gateway.Start(t, o)
	for what, there := range map[string]map[string]any{"read": objectOf(t, g, "all"), "listed": listed(), "sent again": declare(t, g, http.MethodPut, "/gateways/all", told)} {
		if !reflect.DeepEqual(there, made) {
			t.Errorf("%s: %v; want %v", what, there, made)
		}
	}
	if gone := declare(t, g, http.MethodDelete, "/gateways/all", nil); !reflect.DeepEqual(gone, made) {
		t.Errorf("deleted: %v; want %v", gone, made)
	}
	if status, answer := manage(t, g, http.MethodDelete, "/gateways/all", ""); status != http.StatusNotFound {
		t.Errorf("deleted again: %d %s", status, answer)
	}
}
