package admin

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/spend"
)

// limitRoutes are those of rate limits and spend limits, beside the settings of the gateway that they are.
func limitRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/gateways/{gateway}/limits/usage", "get-limits-usage", "How a gateway's limits and budgets stand (ours)", handle((*server).getLimitsUsage)),
		{Route{
			Method: http.MethodPost, Pattern: scope + "/gateways/{gateway}/limits/test", Role: RoleViewer, ID: "test-limits",
			Summary: "Ask whether a made-up call would be let through, and why; counts nothing (ours)",
		}, handle((*server).testLimits)},
	}
}

// LimitsUsage is how the limits of a gateway stand.
type LimitsUsage struct {
	RateLimit   *RateLimitUsage `json:"rate_limit" doc:"null: there is none"`
	SpendLimits []RuleUsage     `json:"spend_limits" doc:"the rules in force"`
}

// RateLimitUsage is how a rate limit stands.
type RateLimitUsage struct {
	Limit        int64  `json:"limit" doc:"requests in a window"`
	Interval     int64  `json:"interval" doc:"seconds"`
	Technique    string `json:"technique" enum:"fixed,sliding"`
	Used         int64  `json:"used"`
	Remaining    int64  `json:"remaining"`
	ResetSeconds int64  `json:"reset_seconds" doc:"until a new window begins (fixed), or until one more fits (sliding; 0: one does)"`
}

// RuleUsage is how the budgets of a spend rule stand.
type RuleUsage struct {
	ID        string        `json:"id" doc:"given, or made of what the rule counts"`
	Limit     Money         `json:"limit"`
	Window    int64         `json:"window" doc:"seconds"`
	Technique string        `json:"technique" enum:"fixed,sliding"`
	Action    string        `json:"action" enum:"block,alert"`
	Hard      bool          `json:"hard"`
	Unpriced  string        `json:"unpriced" enum:"allow,flag,block"`
	Provider  []string      `json:"provider" doc:"null: any"`
	Model     []string      `json:"model" doc:"null: any"`
	Metadata  []MetaScope   `json:"metadata"`
	Budgets   []BudgetUsage `json:"budgets" doc:"those of which most was spent first; a rule that does not split has one"`
	Total     int           `json:"total_budgets" doc:"how many are in use"`
}

// MetaScope says which calls a rule is of, by one key of their metadata.
type MetaScope struct {
	Key    string   `json:"key"`
	Values []string `json:"values" doc:"null: a budget for each value"`
}

// BudgetUsage is how one budget stands.
type BudgetUsage struct {
	Values       map[string]string `json:"values" doc:"of the metadata that the rule splits by; null: it does not"`
	Spent        Money             `json:"spent"`
	Reserved     Money             `json:"reserved" doc:"for calls under way"`
	Remaining    Money             `json:"remaining"`
	Open         bool              `json:"open" doc:"whether there is room for a call"`
	Forecast     Money             `json:"forecast" doc:"what will have been spent at the end of a fixed window if it goes on so; null: too early to say, or a sliding window"`
	ResetSeconds int64             `json:"reset_seconds" doc:"until a new window begins (fixed), or until there is room (sliding; 0: there is)"`
}

func money(n sluice.NanoUSD) Money { return Money{Nano: n, Known: true} }

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((max(d, 0) + time.Second - 1) / time.Second) }

func technique(sliding bool) string {
	if sliding {
		return "sliding"
	}
	return "fixed"
}

func viewRule(r *sluice.SpendRule) RuleUsage {
	v := RuleUsage{
		ID: r.ID, Limit: money(r.Limit), Window: int64(r.Per / time.Second), Technique: technique(r.Sliding), Action: "block", Hard: r.Hard,
		Unpriced: string(r.Unpriced), Provider: r.Providers, Model: r.Models, Metadata: []MetaScope{}, Budgets: []BudgetUsage{},
	}
	if r.Alert {
		v.Action = "alert"
	}
	for _, k := range r.Metadata {
		v.Metadata = append(v.Metadata, MetaScope(k))
	}
	return v
}

func viewBudget(r *sluice.SpendRule, values map[string]string, s spend.State) BudgetUsage {
	v := BudgetUsage{
		Values: values, Spent: money(s.Spent), Reserved: money(s.Reserved), Remaining: money(max(r.Limit-s.Spent-s.Reserved, 0)),
		Open: s.Open(r, 0), ResetSeconds: seconds(s.Reset),
	}
	v.Forecast.Nano, v.Forecast.Known = spend.Forecast(r, s)
	return v
}

// splits reports whether a rule has a budget for each value of something.
func splits(r *sluice.SpendRule) bool {
	return slices.ContainsFunc(r.Metadata, func(k sluice.SpendKey) bool { return k.Values == nil })
}

type limitsUsageInput struct {
	GatewayPath
	Rule string `query:"rule" doc:"only the rule of this id"`
	Top  int    `query:"top" default:"20" minimum:"1" maximum:"1000" doc:"most budgets of a rule"`
}

func (s *server) getLimitsUsage(ctx context.Context, in *limitsUsageInput) (*output[Envelope[LimitsUsage]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	now, v := time.Now(), LimitsUsage{SpendLimits: []RuleUsage{}}
	if v.RateLimit, err = s.rateUsage(ctx, g.Gateway, now); err != nil {
		return nil, err
	}
	for i := range g.Spend {
		r := &g.Spend[i]
		if in.Rule != "" && r.ID != in.Rule || s.Budgets == nil {
			continue
		}
		rule, err := s.ruleUsage(ctx, g.Gateway, r, in.Top, now)
		if err != nil {
			return nil, err
		}
		v.SpendLimits = append(v.SpendLimits, rule)
	}
	if in.Rule != "" && len(v.SpendLimits) == 0 {
		return nil, notFound("no spend rule of this id is in force")
	}
	return answer(v), nil
}

// rateUsage is how a gateway's rate limit stands; nil: it has none.
func (s *server) rateUsage(ctx context.Context, g *sluice.Gateway, now time.Time) (*RateLimitUsage, error) {
	rule := g.RateLimit
	if !rule.On() || s.Rates == nil {
		return nil, nil
	}
	d, err := s.Rates.Peek(ctx, limit.GatewayKey(g.Account, g.ID), rule, now)
	if err != nil {
		return nil, err
	}
	return &RateLimitUsage{
		Limit: rule.Max, Interval: int64(rule.Per / time.Second), Technique: technique(rule.Sliding),
		Used: max(rule.Max-d.Remaining, 0), Remaining: d.Remaining, ResetSeconds: d.RetryAfter(),
	}, nil
}

func (s *server) ruleUsage(ctx context.Context, g *sluice.Gateway, r *sluice.SpendRule, top int, now time.Time) (RuleUsage, error) {
	v, prefix := viewRule(r), spend.Prefix(g.Account, g.ID, r)
	if !splits(r) {
		state, err := s.Budgets.Peek(ctx, spend.Claim{Key: prefix, Rule: r}, now)
		v.Budgets, v.Total = append(v.Budgets, viewBudget(r, nil, state)), 1
		return v, err
	}
	list, total, err := s.Budgets.List(ctx, prefix, r, top, now)
	for _, b := range list {
		v.Budgets = append(v.Budgets, viewBudget(r, spend.Partition(b.Key), b.State))
	}
	v.Total = total
	return v, err
}

type testLimitsInput struct {
	GatewayPath
	Body struct {
		Provider     string         `json:"provider" minLength:"1" maxLength:"256" doc:"slug or alias"`
		Model        string         `json:"model,omitempty" maxLength:"256"`
		Metadata     map[string]any `json:"metadata,omitempty" doc:"texts, numbers and truth values"`
		InputTokens  int64          `json:"input_tokens,omitempty" minimum:"0" maximum:"10000000"`
		OutputTokens int64          `json:"output_tokens,omitempty" minimum:"0" maximum:"10000000" doc:"0: what is reserved of a model of which nothing is known, 1000"`
	}
}

// LimitsVerdict is what would become of a call.
type LimitsVerdict struct {
	Allowed    bool            `json:"allowed"`
	Status     int             `json:"status" doc:"200, or what a refusal would have"`
	Reason     string          `json:"reason" doc:"in a sentence"`
	RetryAfter *int64          `json:"retry_after" doc:"seconds; null: it is allowed, or waiting does not help"`
	Reserves   Money           `json:"reserves" doc:"what would be reserved for it; null: no price is known"`
	RateLimit  *RateLimitUsage `json:"rate_limit"`
	Rules      []RuleVerdict   `json:"rules"`
}

// RuleVerdict is what one rule says of a call.
type RuleVerdict struct {
	ID      string       `json:"id"`
	Applies bool         `json:"applies"`
	Why     string       `json:"why" doc:"why it does not apply, or what it says"`
	Allows  bool         `json:"allows"`
	Budget  *BudgetUsage `json:"budget" doc:"the one that the call would be of; null: it is of none"`
}

func (s *server) testLimits(ctx context.Context, in *testLimitsInput) (*output[Envelope[LimitsVerdict]], error) {
	settings := s.Settings()
	a, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	slug, known := settings.Provider(a.ID, in.Body.Provider)
	if !known {
		return nil, invalid("provider", "there is no such provider", "docs/providers.md lists the slugs")
	}
	call := spend.Call{Account: a.ID, Gateway: g.ID, Provider: slug, Model: in.Body.Model}
	if call.Metadata, err = madeUp(in.Body.Metadata); err != nil {
		return nil, err
	}
	now, v := time.Now(), LimitsVerdict{Allowed: true, Status: http.StatusOK, Rules: []RuleVerdict{}}
	if v.RateLimit, err = s.rateUsage(ctx, g.Gateway, now); err != nil {
		return nil, err
	}
	if r := v.RateLimit; r != nil && r.Remaining == 0 {
		v.refuse(http.StatusTooManyRequests, "Rate limited: "+strconv.FormatInt(r.Limit, 10)+" requests in "+strconv.FormatInt(r.Interval, 10)+" s", &r.ResetSeconds)
	}
	found, _, _ := s.Book.Load().Of(a.ID).Find(slug, call.Model, now)
	ask := spend.Ask{Input: in.Body.InputTokens, Output: in.Body.OutputTokens}
	v.Reserves.Nano, v.Reserves.Known = spend.Amount(ask.Usage("", spend.LeastOutput, found), found, nil)
	for i := range g.Spend {
		if s.Budgets == nil {
			break
		}
		if err := s.testRule(ctx, &v, &g.Spend[i], &call, now); err != nil {
			return nil, err
		}
	}
	if v.Allowed {
		v.Reason = "no limit and no budget refuses it"
	}
	return answer(v), nil
}

// refuse makes the first refusal the verdict's.
func (v *LimitsVerdict) refuse(status int, reason string, after *int64) {
	if v.Allowed {
		v.Allowed, v.Status, v.Reason, v.RetryAfter = false, status, reason, after
	}
}

// testRule asks one rule.
func (s *server) testRule(ctx context.Context, v *LimitsVerdict, r *sluice.SpendRule, call *spend.Call, now time.Time) error {
	rule := RuleVerdict{ID: r.ID, Allows: true}
	defer func() { v.Rules = append(v.Rules, rule) }()
	if field, key := spend.Mismatch(r, call); field != "" {
		rule.Why = strings.TrimSuffix("it is of other calls: "+field+"."+key, ".")
		return nil
	}
	rule.Applies = true
	claim := spend.Claims(nil, []sluice.SpendRule{*r}, call)[0]
	state, err := s.Budgets.Peek(ctx, claim, now)
	if err != nil {
		return err
	}
	budget := viewBudget(r, spend.Partition(claim.Key), state)
	rule.Budget = &budget
	after := max(budget.ResetSeconds, 1)
	switch {
	case !v.Reserves.Known && r.Unpriced == sluice.UnpricedBlock:
		rule.Allows, rule.Why = false, "no price is known for the model, and the rule lets no such call through"
		v.refuse(http.StatusForbidden, rule.Why, nil)
	case !v.Reserves.Known:
		rule.Why = "no price is known for the model: the rule cannot count the call"
	case state.Open(r, v.Reserves.Nano):
		rule.Why = "there is room"
	case r.Alert:
		rule.Why = "the limit is reached; the rule only tells so"
	default:
		rule.Allows, rule.Why = false, spend.Refusal(r, call.Provider, call.Model, state.Reset).Msg
		v.refuse(http.StatusTooManyRequests, rule.Why, &after)
	}
	return nil
}

// madeUp reads metadata as a call would bring it.
func madeUp(given map[string]any) ([]sluice.MetaValue, error) {
	var meta []sluice.MetaValue
	for key, value := range given {
		m := sluice.MetaValue{Key: key}
		switch v := value.(type) {
		case string:
			m.Value = v
		case float64:
			m.Value, m.Kind = strconv.FormatFloat(v, 'f', -1, 64), sluice.MetaNumber
		case bool:
			m.Value, m.Kind = strconv.FormatBool(v), sluice.MetaBool
		default:
			return nil, invalid("metadata", "metadata has texts, numbers and truth values", "")
		}
		meta = append(meta, m)
	}
	return meta, nil
}
