package admin

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/spend"
	"github.com/sluicehq/sluice/internal/store/slots"
)

// limitsBench has a gateway with a rate limit and rules, and counts of them.
func limitsBench(t *testing.T, rules string) (*bench, *slots.Ledger, *slots.Store) {
	t.Helper()
	ledger := slots.OpenLedger(slots.LedgerOptions{Logger: slog.New(slog.DiscardHandler)}, time.Now())
	counts := slots.Open(slots.Options{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { _, _ = ledger.Close(), counts.Close() })
	b := newBench(t, func(d *Deps) { d.Budgets, d.Rates = ledger, counts })
	v := b.send(http.MethodPost, accountPath+"/gateways", `{"id":"bounded","cache_ttl":0,"cache_invalidate_on_update":false,"collect_logs":true,
		"rate_limiting_interval":3000000000,"rate_limiting_limit":2,"spend_limits":{"enabled":true,"rules":[`+rules+`]}}`)
	if v.status != http.StatusOK {
		t.Fatalf("create: %d %+v", v.status, v.Errors)
	}
	return b, ledger, counts
}

// spent books money of a call.
func spent(t *testing.T, ledger *slots.Ledger, rule *sluice.SpendRule, n byte, cost, reserved sluice.NanoUSD, meta ...sluice.MetaValue) {
	t.Helper()
	call := spend.Call{Account: "default", Gateway: "bounded", Provider: "openai", Model: "gpt-4o", Metadata: meta}
	claims, id, now := spend.Claims(nil, []sluice.SpendRule{*rule}, &call), sluice.MinID(time.Now()), time.Now()
	for i, amount := range []sluice.NanoUSD{cost, reserved} {
		id[14] = 2*n + byte(i)
		if amount == 0 {
			continue
		}
		if d, err := ledger.Reserve(t.Context(), id, claims, amount, now); err != nil || !d.OK {
			t.Fatalf("%+v, %v", d, err)
		}
		if i == 0 {
			if err := ledger.Settle(t.Context(), id, amount, spend.Final, now); err != nil {
				t.Fatal(err)
			}
		}
	}
}

const limitRules = `{"id":"all","limit":10,"window":3000000000},
	{"id":"user","limit":1.5,"window":3600,"technique":"sliding","hard":true,"unpriced":"block","metadata":{"user":{"mode":"partition"}}},
	{"id":"mini","limit":1,"window":60,"action":"alert","model":{"mode":"filter","values":["*-mini"]},"provider":{"mode":"filter","values":["openai"]}}`

// ruleOf finds a rule of the gateway.
func (b *bench) ruleOf(t *testing.T, id string) *sluice.SpendRule {
	t.Helper()
	g, err := b.deps.Settings().Gateways.Gateway("default", "bounded")
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Spend {
		if g.Spend[i].ID == id {
			return &g.Spend[i]
		}
	}
	t.Fatalf("no rule %s", id)
	return nil
}

func TestLimitsUsage(t *testing.T) {
	b, ledger, counts := limitsBench(t, limitRules)
	const usd = 1_000_000_000
	spent(t, ledger, b.ruleOf(t, "all"), 1, 4*usd, usd/2)
	for i, user := range []string{"ann", "bob", "eve"} {
		spent(t, ledger, b.ruleOf(t, "user"), byte(10+i), sluice.NanoUSD(i+1)*usd/2, 0, sluice.MetaValue{Key: "user", Value: user})
	}
	if _, err := counts.Take(t.Context(), limit.GatewayKey("default", "bounded"), sluice.RateLimit{Max: 2, Per: 3_000_000_000 * time.Second}, 1, time.Now()); err != nil {
		t.Fatal(err)
	}
	v := b.call(accountPath + "/gateways/bounded/limits/usage?top=2")
	var got struct {
		Rate  struct{ Limit, Interval, Used, Remaining int64 } `json:"rate_limit"`
		Spend []struct {
			ID, Technique, Action, Unpriced string
			Limit                           float64
			Window                          int64
			Hard                            bool
			Provider, Model                 []string
			Total                           int `json:"total_budgets"`
			Budgets                         []struct {
				Values                     map[string]string
				Spent, Reserved, Remaining float64
				Open                       bool
				Reset                      int64 `json:"reset_seconds"`
			}
		} `json:"spend_limits"`
	}
	if err := json.Unmarshal(v.Result, &got); err != nil {
		t.Fatal(err)
	}
	if got.Rate.Limit != 2 || got.Rate.Used != 1 || got.Rate.Remaining != 1 || got.Rate.Interval != 3_000_000_000 || len(got.Spend) != 3 {
		t.Fatalf("%s", v.Result)
	}
	all, user, mini := got.Spend[0], got.Spend[1], got.Spend[2]
	if all.ID != "all" || all.Limit != 10 || all.Technique != "fixed" || all.Action != "block" || all.Provider != nil || len(all.Budgets) != 1 ||
		all.Budgets[0].Spent != 4 || all.Budgets[0].Reserved != 0.5 || all.Budgets[0].Remaining != 5.5 || !all.Budgets[0].Open || all.Budgets[0].Values != nil {
		t.Errorf("all: %+v", all)
	}
	if user.Total != 3 || len(user.Budgets) != 2 || user.Budgets[0].Values["user"] != "eve" || user.Budgets[0].Spent != 1.5 || user.Budgets[0].Open ||
		user.Budgets[0].Reset < 3500 || user.Budgets[1].Values["user"] != "bob" || !user.Hard || user.Unpriced != "block" {
		t.Errorf("user: %+v", user)
	}
	if mini.Action != "alert" || len(mini.Model) != 1 || mini.Budgets[0].Spent != 0 {
		t.Errorf("mini: %+v", mini)
	}
	if v := b.call(accountPath + "/gateways/bounded/limits/usage?rule=mini"); strings.Count(string(v.Result), `"id"`) != 1 {
		t.Errorf("%s", v.Result)
	}
	b.fails(accountPath+"/gateways/bounded/limits/usage?rule=nobody", http.StatusNotFound, codeNotFound, "no spend rule of this id is in force")
	if v := b.call(accountPath + "/gateways/prod/limits/usage"); !strings.Contains(string(v.Result), `"spend_limits":[]`) {
		t.Errorf("%s", v.Result)
	}
}

func TestLimitsTest(t *testing.T) {
	b, ledger, counts := limitsBench(t, limitRules)
	const usd = 1_000_000_000
	ask := func(body string) (v struct {
		Allowed    bool
		Status     int
		Reason     string
		RetryAfter *int64 `json:"retry_after"`
		Reserves   *float64
		Rules      []struct {
			ID, Why         string
			Applies, Allows bool
		}
	},
	) {
		t.Helper()
		r := b.send(http.MethodPost, accountPath+"/gateways/bounded/limits/test", body)
		if r.status != http.StatusOK || json.Unmarshal(r.Result, &v) != nil {
			t.Fatalf("%s: %d %+v", body, r.status, r.Errors)
		}
		return v
	}
	v := ask(`{"provider":"open-ai","model":"gpt-4o","metadata":{"user":"ann","n":1,"x":true},"input_tokens":1000,"output_tokens":100}`)
	if !v.Allowed || v.Status != 200 || v.Reserves == nil || *v.Reserves != 0.0035 || len(v.Rules) != 3 || !v.Rules[0].Applies || !v.Rules[1].Applies || v.Rules[2].Applies {
		t.Errorf("%+v", v)
	}
	if why := v.Rules[2].Why; why != "it is of other calls: model" {
		t.Errorf("%q", why)
	}
	if v := ask(`{"provider":"openai","model":"gpt-4o"}`); v.Rules[1].Applies || v.Rules[1].Why != "it is of other calls: metadata.user" {
		t.Errorf("%+v", v)
	}
	if v := ask(`{"provider":"openai","model":"nobody-knows"}`); !v.Allowed || v.Reserves != nil {
		t.Errorf("%+v", v)
	}
	if v := ask(`{"provider":"openai","model":"nobody-knows","metadata":{"user":"ann"}}`); v.Allowed || v.Status != 403 || v.RetryAfter != nil {
		t.Errorf("%+v", v)
	}
	spent(t, ledger, b.ruleOf(t, "user"), 1, usd*3/2, 0, sluice.MetaValue{Key: "user", Value: "ann"})
	v = ask(`{"provider":"openai","model":"gpt-4o","metadata":{"user":"ann"}}`)
	if v.Allowed || v.Status != 429 || !strings.HasPrefix(v.Reason, "Spend limit exceeded: rule 'user' (cost limit 1.5 per 3600s, sliding)") || v.RetryAfter == nil || *v.RetryAfter < 3500 || v.Rules[1].Allows {
		t.Errorf("%+v", v)
	}
	if v := ask(`{"provider":"openai","model":"gpt-4o","metadata":{"user":"bob"}}`); !v.Allowed {
		t.Errorf("%+v", v)
	}
	for range 2 {
		if _, err := counts.Take(t.Context(), limit.GatewayKey("default", "bounded"), sluice.RateLimit{Max: 2, Per: 3_000_000_000 * time.Second}, 1, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if v := ask(`{"provider":"openai","model":"gpt-4o","metadata":{"user":"bob"}}`); v.Allowed || v.Status != 429 || !strings.HasPrefix(v.Reason, "Rate limited") {
		t.Errorf("%+v", v)
	}
	for body, field := range map[string]string{`{"provider":"nobody"}`: "provider", `{"provider":"openai","metadata":{"user":{}}}`: "metadata", `{}`: "body"} {
		if r := b.send(http.MethodPost, accountPath+"/gateways/bounded/limits/test", body); r.status != http.StatusBadRequest || !strings.Contains(r.Errors[0].Field+strings.Join(r.Errors[0].Path, "."), field) {
			t.Errorf("%s: %d %+v", body, r.status, r.Errors)
		}
	}
	// Nothing was counted.
	if s, err := ledger.Peek(t.Context(), spend.Claim{Key: spend.Prefix("default", "bounded", b.ruleOf(t, "all")), Rule: b.ruleOf(t, "all")}, time.Now()); err != nil || s.Spent != 0 || s.Reserved != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}
