package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// ProviderKey is a provider key that a gateway keeps, the key itself aside.
type ProviderKey struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID         string     `json:"id"`
	Gateway    string     `json:"gateway_id"`
	Provider   string     `json:"provider_slug"`
	Alias      string     `json:"alias"`
	Default    bool       `json:"default_config"`
	Preview    string     `json:"secret_preview"` // the end of it
	Weight     int        `json:"weight"`
	Hosts      []string   `json:"hosts"`
	RateLimit  int64      `json:"rate_limit"`        // calls in RatePeriod; 0: any number
	RatePeriod int64      `json:"rate_limit_period"` // seconds
	Status     string     `json:"status"`            // ready, resting, locked or damaged
	CreatedAt  time.Time  `json:"created_at"`
	ModifiedAt time.Time  `json:"modified_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// NewProviderKey says what provider key to store.
type NewProviderKey struct {
	Provider   string
	Alias      string
	Secret     sluice.Secret
	Default    bool
	Weight     int // 0: it is to be the only one of its alias
	Hosts      []string
	RateLimit  int64
	RatePeriod time.Duration // whole seconds
}

// ProviderKeys lists the gateway's provider keys, oldest first, and what the server says beside the list.
func (c *Client) ProviderKeys(ctx context.Context, gateway string) (list []ProviderKey, notes []string, err error) {
	for page := 1; ; page++ {
		query := url.Values{"page": {strconv.Itoa(page)}, "per_page": {"1000"}}
		e, err := c.fetch(ctx, c.api(query, "gateways", gateway, "provider_configs"))
		if err != nil {
			return nil, nil, err
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(e.Result, &rows); err != nil {
			return nil, nil, fmt.Errorf("read provider keys: %w", err)
		}
		if page == 1 {
			for _, m := range e.Messages {
				notes = append(notes, m.Message)
			}
		}
		if len(rows) == 0 {
			return list, notes, nil
		}
		for _, row := range rows {
			k, err := readProviderKey(row)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, *k)
		}
	}
}

// CreateProviderKey stores a provider key. An alias that is taken, where n has no weight, is an *APIError of
// status 409.
func (c *Client) CreateProviderKey(ctx context.Context, gateway string, n NewProviderKey) (*ProviderKey, error) {
	body := n.body()
	body["provider_slug"], body["default_config"] = n.Provider, n.Default
	return c.providerKeyCall(ctx, http.MethodPost, c.api(nil, "gateways", gateway, "provider_configs"), body)
}

// ReplaceProviderKey gives a stored key another secret, and what else of n is not zero.
func (c *Client) ReplaceProviderKey(ctx context.Context, gateway, id string, n NewProviderKey) (*ProviderKey, error) {
	body := n.body()
	if n.Default {
		body["default_config"] = true
	}
	return c.providerKeyCall(ctx, http.MethodPut, c.api(nil, "gateways", gateway, "provider_configs", id), body)
}

func (n *NewProviderKey) body() map[string]any {
	body := map[string]any{"secret": n.Secret.Reveal()}
	if n.Alias != "" {
		body["alias"] = n.Alias
	}
	if n.Weight != 0 {
		body["weight"] = n.Weight
	}
	if n.Hosts != nil {
		body["hosts"] = n.Hosts
	}
	if n.RateLimit != 0 {
		body["rate_limit"], body["rate_limit_period"] = n.RateLimit, int64(n.RatePeriod/time.Second)
	}
	return body
}

// DeleteProviderKey deletes a stored key by its id.
func (c *Client) DeleteProviderKey(ctx context.Context, gateway, id string) (*ProviderKey, error) {
	return c.providerKeyCall(ctx, http.MethodDelete, c.api(nil, "gateways", gateway, "provider_configs", id), nil)
}

func (c *Client) providerKeyCall(ctx context.Context, method, address string, body map[string]any) (*ProviderKey, error) {
	var sent any // a nil map would be a body
	if body != nil {
		sent = body
	}
	e, err := c.tokenCall(ctx, method, address, sent)
	if err != nil {
		return nil, err
	}
	return readProviderKey(e.Result)
}

func readProviderKey(doc json.RawMessage) (*ProviderKey, error) {
	k := &ProviderKey{Raw: doc}
	if err := json.Unmarshal(doc, k); err != nil {
		return nil, fmt.Errorf("read provider key: %w", err)
	}
	return k, nil
}

// KeyTest is what came of a call with a stored key.
type KeyTest struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	OK         bool   `json:"ok"`
	Path       string `json:"path"`   // what was called, below the provider's address
	Status     int    `json:"status"` // of the provider's answer; 0: there was none
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error"`
}

// TestProviderKey has the server make a call with a stored key that costs nothing.
func (c *Client) TestProviderKey(ctx context.Context, gateway, id string) (*KeyTest, error) {
	e, err := c.tokenCall(ctx, http.MethodPost, c.api(nil, "gateways", gateway, "provider_configs", id, "test"), nil)
	if err != nil {
		return nil, err
	}
	t := &KeyTest{Raw: e.Result}
	if err := json.Unmarshal(e.Result, t); err != nil {
		return nil, fmt.Errorf("read the key's test: %w", err)
	}
	return t, nil
}

// RotateMasterKey makes the server seal its provider keys by a new master key, where that lies in a file.
func (c *Client) RotateMasterKey(ctx context.Context) error {
	_, err := c.tokenCall(ctx, http.MethodPost, c.api(nil, "master-key", "rotate"), nil)
	return err
}
