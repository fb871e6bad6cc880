package gateway

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

func TestSpendLimitsAreReadAsTheyAreMeant(t *testing.T) {
	rules, err := ParseSpendLimits(json.RawMessage(`{"enabled":true,"rules":[
		{"id":"all","limitType":"cost","limit":10.5,"window":86400,"technique":"sliding","enabled":true,
		 "provider":{"mode":"filter","values":["openai","anthropic"]},"model":{"mode":"filter","values":["gpt-5*"]},
		 "metadata":{"user":{"mode":"partition"},"paid":{"mode":"filter","values":["yes",1,true]}},
		 "action":"alert","hard":true,"unpriced":"block"},
		{"limit":1e-9,"window":60.0},
		{"id":null,"limitType":null,"limit":2,"window":3600,"technique":null,"enabled":false,"provider":null,"model":null,"metadata":null,
		 "action":null,"hard":null,"unpriced":null}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := SpendRule{sluice.SpendRule{
		ID: "all", Limit: 10_500_000_000, Per: 24 * time.Hour, Sliding: true,
		Providers: []string{"openai", "anthropic"}, Models: []string{"gpt-5*"},
		Metadata: []sluice.SpendKey{{Key: "paid", Values: []string{"yes", "1", "true"}}, {Key: "user"}},
		Alert:    true, Hard: true, Unpriced: sluice.UnpricedBlock,
	}, true}
	if !reflect.DeepEqual(rules[0], want) {
		t.Errorf("%+v\nwant %+v", rules[0], want)
	}
	if r := rules[1]; r.Limit != 1 || r.Per != time.Minute || r.Sliding || !r.Enabled || r.Unpriced != sluice.UnpricedAllow || !strings.HasPrefix(r.ID, "rule-") {
		t.Errorf("%+v", r)
	}
	if r := rules[2]; r.Enabled || r.Limit != 2_000_000_000 || r.Providers != nil || r.Metadata != nil {
		t.Errorf("%+v", r)
	}
}

func TestSpendRulesThatAreOffAreNotInForce(t *testing.T) {
	for text, want := range map[string]int{
		`null`:                               0,
		`{}`:                                 0,
		`{"enabled":true,"rules":null}`:      0,
		`{"rules":[{"limit":1,"window":1}]}`: 1,
		`{"enabled":false,"rules":[{"limit":1,"window":1}]}`:                                       0,
		`{"enabled":true,"rules":[{"limit":1,"window":1,"enabled":false},{"limit":1,"window":2}]}`: 1,
	} {
		if got := spendInForce(json.RawMessage(text)); len(got) != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestWhatIsWrongWithSpendLimitsIsNamed(t *testing.T) {
	rule := func(more string) string { return `{"rules":[{"limit":1,"window":60` + more + `}]}` }
	for _, c := range []struct{ text, field string }{
		{`[]`, "spend_limits"},
		{`{"rules":{}}`, "spend_limits.rules"},
		{`{"rules":[` + strings.Repeat(`{"limit":1,"window":60},`, 20) + `{"limit":1,"window":60}]}`, "spend_limits.rules"},
		{`{"enabled":1,"rules":[]}`, "spend_limits.enabled"},
		{`{"rule":[]}`, "spend_limits.rule"},
		{`{"rules":[],"rules":[]}`, "spend_limits"},
		{`{"rules":[7]}`, "spend_limits.rules[0]"},
		{`{"rules":[{"window":60}]}`, "spend_limits.rules[0].limit"},
		{`{"rules":[{"limit":0,"window":60}]}`, "spend_limits.rules[0].limit"},
		{`{"rules":[{"limit":-1,"window":60}]}`, "spend_limits.rules[0].limit"},
		{`{"rules":[{"limit":"1","window":60}]}`, "spend_limits.rules[0].limit"},
		{`{"rules":[{"limit":1e-10,"window":60}]}`, "spend_limits.rules[0].limit"},
		{`{"rules":[{"limit":100000001,"window":60}]}`, "spend_limits.rules[0].limit"},
		{`{"rules":[{"limit":1}]}`, "spend_limits.rules[0].window"},
		{`{"rules":[{"limit":1,"window":0}]}`, "spend_limits.rules[0].window"},
		{`{"rules":[{"limit":1,"window":1.5}]}`, "spend_limits.rules[0].window"},
		{`{"rules":[{"limit":1,"window":3153600001}]}`, "spend_limits.rules[0].window"},
		{rule(`,"id":""`), "spend_limits.rules[0].id"},
		{rule(`,"id":"a b"`), "spend_limits.rules[0].id"},
		{rule(`,"limitType":"tokens"`), "spend_limits.rules[0].limitType"},
		{rule(`,"technique":"rolling"`), "spend_limits.rules[0].technique"},
		{rule(`,"enabled":"yes"`), "spend_limits.rules[0].enabled"},
		{rule(`,"provider":["openai"]`), "spend_limits.rules[0].provider"},
		{rule(`,"provider":{"mode":"partition"}`), "spend_limits.rules[0].provider.mode"},
		{rule(`,"model":{"mode":"filter"}`), "spend_limits.rules[0].model.values"},
		{rule(`,"model":{"mode":"filter","values":[]}`), "spend_limits.rules[0].model.values"},
		{rule(`,"model":{"values":["x"]}`), "spend_limits.rules[0].model.mode"},
		{rule(`,"metadata":{"user":{"mode":"split"}}`), "spend_limits.rules[0].metadata.user.mode"},
		{rule(`,"metadata":{"user":{"mode":"partition","values":["x"]}}`), "spend_limits.rules[0].metadata.user.values"},
		{rule(`,"metadata":{"user":{"mode":"filter","values":[null]}}`), "spend_limits.rules[0].metadata.user.values"},
		{rule(`,"metadata":{"cf.user":{"mode":"partition"}}`), "spend_limits.rules[0].metadata.cf.user"},
		{rule(`,"action":"warn"`), "spend_limits.rules[0].action"},
		{rule(`,"hard":"x"`), "spend_limits.rules[0].hard"},
		{rule(`,"unpriced":"free"`), "spend_limits.rules[0].unpriced"},
		{rule(`,"limits":2`), "spend_limits.rules[0].limits"},
		{`{"rules":[{"id":"x","limit":1,"window":60},{"id":"x","limit":2,"window":60}]}`, "spend_limits.rules[1].id"},
	} {
		_, err := ParseSpendLimits(json.RawMessage(c.text))
		faults, _ := errors.AsType[Faults](err)
		if len(faults) != 1 || faults[0].Field != c.field || faults[0].Kind != sluice.KindInvalid {
			t.Errorf("%s: %v; want one fault of %s", c.text, faults, c.field)
		}
	}
}

func TestAllFaultsOfSpendLimitsComeInOneAnswer(t *testing.T) {
	b := parsed(t, `{"cache_ttl":0,"cache_invalidate_on_update":false,"collect_logs":true,"rate_limiting_interval":-1,"rate_limiting_limit":0,
		"spend_limits":{"rules":[{"limit":0,"window":0},{"limit":1,"window":1,"hard":7}]}}`)
	s := Defaults()
	faults, _ := errors.AsType[Faults](b.apply(&s))
	var fields []string
	for _, f := range faults {
		fields = append(fields, f.Field)
	}
	want := []string{"rate_limiting_interval", "spend_limits.rules[0].limit", "spend_limits.rules[0].window", "spend_limits.rules[1].hard"}
	if !slices.Equal(fields, want) {
		t.Errorf("%q", fields)
	}
}

func TestARuleWithoutAnIDKeepsItsName(t *testing.T) {
	id := func(rules string, i int) string {
		t.Helper()
		all, err := ParseSpendLimits(json.RawMessage(`{"rules":[` + rules + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return all[i].ID
	}
	const one, other = `{"limit":1,"window":60}`, `{"limit":1,"window":60,"model":{"mode":"filter","values":["m"]}}`
	first := id(one, 0)
	for what, same := range map[string]string{
		"in another place":    id(other+","+one, 1),
		"with another limit":  id(`{"limit":9,"window":60}`, 0),
		"told in another way": id(`{"window":60.0,"technique":"fixed","limit":1,"hard":true,"id":null}`, 0),
		"turned off":          id(`{"limit":1,"window":60,"enabled":false}`, 0),
	} {
		if same != first {
			t.Errorf("%s: %s; want %s", what, same, first)
		}
	}
	for what, differs := range map[string]string{
		"of other calls":     id(other, 0),
		"of another window":  id(`{"limit":1,"window":61}`, 0),
		"the same once more": id(one+","+one, 1),
	} {
		if differs == first {
			t.Errorf("%s: %s too", what, first)
		}
	}
}

func FuzzSpendLimits(f *testing.F) {
	f.Add([]byte(`{"enabled":true,"rules":[{"id":"a","limit":1.5,"window":60,"metadata":{"u":{"mode":"partition"}}}]}`))
	f.Add([]byte(`{"rules":[{"limit":1e5,"window":1,"provider":{"mode":"filter","values":["x",1]}},{}]}`))
	f.Add([]byte(`{"rules":[null,[],""]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return // ParseBody has refused it
		}
		rules, err := ParseSpendLimits(text)
		if err != nil {
			if faults, ok := errors.AsType[Faults](err); !ok || len(faults) == 0 {
				t.Fatalf("not faults: %v", err)
			}
			return
		}
		ids := map[string]bool{}
		for _, r := range rules {
			if r.ID == "" || ids[r.ID] || r.Limit <= 0 || r.Limit > MaxSpendLimit || r.Per < time.Second {
				t.Fatalf("%s: %+v", text, r)
			}
			ids[r.ID] = true
		}
		same, err := canonical(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseSpendLimits(same)
		if err != nil || !reflect.DeepEqual(again, rules) {
			t.Fatalf("%s reads %+v, and as it is stored %+v, %v", text, rules, again, err)
		}
	})
}
