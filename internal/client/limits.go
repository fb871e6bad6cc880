package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// LimitsUsage is how the limits of a gateway stand.
type LimitsUsage struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	RateLimit   *RateUsage  `json:"rate_limit"` // nil: there is none
	SpendLimits []RuleUsage `json:"spend_limits"`
}

// RateUsage is how a rate limit stands.
type RateUsage struct {
	Limit        int64  `json:"limit"`
	Interval     int64  `json:"interval"` // seconds
	Technique    string `json:"technique"`
	Used         int64  `json:"used"`
	Remaining    int64  `json:"remaining"`
	ResetSeconds int64  `json:"reset_seconds"`
}

// RuleUsage is how the budgets of a spend rule stand. Amounts are US dollars.
type RuleUsage struct {
	ID        string        `json:"id"`
	Limit     json.Number   `json:"limit"`
	Window    int64         `json:"window"` // seconds
	Technique string        `json:"technique"`
	Action    string        `json:"action"`
	Hard      bool          `json:"hard"`
	Unpriced  string        `json:"unpriced"`
	Provider  []string      `json:"provider"` // nil: any
	Model     []string      `json:"model"`
	Metadata  []MetaScope   `json:"metadata"`
	Budgets   []BudgetUsage `json:"budgets"`
	Total     int           `json:"total_budgets"`
}

// MetaScope says which calls a rule is of, by one key of their metadata.
type MetaScope struct {
	Key    string   `json:"key"`
	Values []string `json:"values"` // nil: a budget for each value
}

// BudgetUsage is how one budget stands.
type BudgetUsage struct {
	Values       map[string]string `json:"values"`
	Spent        json.Number       `json:"spent"`
	Reserved     json.Number       `json:"reserved"`
	Remaining    json.Number       `json:"remaining"`
	Open         bool              `json:"open"`
	Forecast     *json.Number      `json:"forecast"` // nil: not known
	ResetSeconds int64             `json:"reset_seconds"`
}

// LimitsUsage asks how the limits of a gateway stand: all rules, or the one of an id, which is an *APIError of status
// 404 if there is none; and of each the top budgets of which most was spent.
func (c *Client) LimitsUsage(ctx context.Context, gateway, rule string, top int) (*LimitsUsage, error) {
	q := url.Values{"top": {strconv.Itoa(top)}}
	if rule != "" {
		q.Set("rule", rule)
	}
	e, err := c.fetch(ctx, c.api(q, "gateways", gateway, "limits", "usage"))
	if err != nil {
		return nil, err
	}
	u := &LimitsUsage{Raw: e.Result}
	if err := json.Unmarshal(e.Result, u); err != nil {
		return nil, fmt.Errorf("read the limits: %w", err)
	}
	return u, nil
}

// LimitsQuestion describes a call that nobody makes.
type LimitsQuestion struct {
	Provider     string         `json:"provider"`
	Model        string         `json:"model,omitempty"`
	Metadata     map[string]any `json:"metadata,omitempty"`
	InputTokens  int64          `json:"input_tokens,omitempty"`
	OutputTokens int64          `json:"output_tokens,omitempty"`
}

// LimitsVerdict is what would become of such a call.
type LimitsVerdict struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	Allowed    bool          `json:"allowed"`
	Status     int           `json:"status"`
	Reason     string        `json:"reason"`
	RetryAfter *int64        `json:"retry_after"`
	Reserves   *json.Number  `json:"reserves"` // nil: no price is known
	Rules      []RuleVerdict `json:"rules"`
}

// RuleVerdict is what one rule says of a call.
type RuleVerdict struct {
	ID      string       `json:"id"`
	Applies bool         `json:"applies"`
	Why     string       `json:"why"`
	Allows  bool         `json:"allows"`
	Budget  *BudgetUsage `json:"budget"`
}

// TestLimits asks what would become of a call. Nothing is counted.
func (c *Client) TestLimits(ctx context.Context, gateway string, q LimitsQuestion) (*LimitsVerdict, error) {
	var e envelope
	if err := c.ask(ctx, http.MethodPost, c.api(nil, "gateways", gateway, "limits", "test"), nil, q, &e); err != nil {
		return nil, err
	}
	v := &LimitsVerdict{Raw: e.Result}
	if err := json.Unmarshal(e.Result, v); err != nil {
		return nil, fmt.Errorf("read the verdict: %w", err)
	}
	return v, nil
}
