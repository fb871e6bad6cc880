package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// CustomProvider is a provider that an account has made.
type CustomProvider struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Slug       string    `json:"slug"`
	Provider   string    `json:"provider"` // how calls name it: custom-{slug}
	BaseURL    string    `json:"base_url"`
	Enabled    bool      `json:"enable"`
	Headers    string    `json:"headers"` // names of what is added to each call, as a JSON object without the values
	Status     string    `json:"status"`  // ready, disabled or locked
	ModifiedAt time.Time `json:"modified_at"`
}

// CustomProviders lists the custom providers of the client's account.
func (c *Client) CustomProviders(ctx context.Context) ([]CustomProvider, error) {
	var list []CustomProvider
	for page := 1; ; page++ {
		e, err := c.fetch(ctx, c.api(url.Values{"page": {strconv.Itoa(page)}, "per_page": {"100"}}, "custom-providers"))
		if err != nil {
			return nil, err
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(e.Result, &rows); err != nil {
			return nil, fmt.Errorf("read custom providers: %w", err)
		}
		if len(rows) == 0 {
			return list, nil
		}
		for _, row := range rows {
			p, err := readCustomProvider(row)
			if err != nil {
				return nil, err
			}
			list = append(list, *p)
		}
	}
}

// CreateCustomProvider makes a custom provider of fields by the API's names. A slug that is taken is an *APIError
// of status 409.
func (c *Client) CreateCustomProvider(ctx context.Context, fields map[string]any) (*CustomProvider, error) {
	return c.customProviderCall(ctx, http.MethodPost, c.api(nil, "custom-providers"), fields)
}

// UpdateCustomProvider changes the fields that are given.
func (c *Client) UpdateCustomProvider(ctx context.Context, id string, fields map[string]any) (*CustomProvider, error) {
	return c.customProviderCall(ctx, http.MethodPatch, c.api(nil, "custom-providers", id), fields)
}

// DeleteCustomProvider deletes a custom provider and its prices.
func (c *Client) DeleteCustomProvider(ctx context.Context, id string) (*CustomProvider, error) {
	return c.customProviderCall(ctx, http.MethodDelete, c.api(nil, "custom-providers", id), nil)
}

func (c *Client) customProviderCall(ctx context.Context, method, address string, fields map[string]any) (*CustomProvider, error) {
	var sent any // a nil map would be a body
	if fields != nil {
		sent = fields
	}
	e, err := c.tokenCall(ctx, method, address, sent)
	if err != nil {
		return nil, err
	}
	return readCustomProvider(e.Result)
}

func readCustomProvider(doc json.RawMessage) (*CustomProvider, error) {
	p := &CustomProvider{Raw: doc}
	if err := json.Unmarshal(doc, p); err != nil {
		return nil, fmt.Errorf("read custom provider: %w", err)
	}
	return p, nil
}

// ModelPrice is what a model costs in the client's account.
type ModelPrice struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	Provider string            `json:"provider"`
	Model    string            `json:"model"`
	Origin   string            `json:"origin"` // catalogue, file or stored
	USD      map[string]string `json:"usd"`    // US dollars by class
	As       string            `json:"as"`
	Times    string            `json:"times"`
	Source   string            `json:"source"`
	AsOf     string            `json:"as_of"`
}

// NewModelPrice says what a model is to cost.
type NewModelPrice struct {
	USD   map[string]string `json:"usd,omitempty"`
	As    string            `json:"as,omitempty"`
	Times string            `json:"times,omitempty"`
}

// OwnPrices lists the prices that the client's account has set, those of a provider or with "" all.
func (c *Client) OwnPrices(ctx context.Context, provider string) ([]ModelPrice, error) {
	var list []ModelPrice
	for page := 1; ; page++ {
		query := url.Values{"page": {strconv.Itoa(page)}, "per_page": {"1000"}, "origin": {"stored"}}
		if provider != "" {
			query.Set("provider", provider)
		}
		e, err := c.fetch(ctx, c.api(query, "prices", "models"))
		if err != nil {
			return nil, err
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(e.Result, &rows); err != nil {
			return nil, fmt.Errorf("read prices: %w", err)
		}
		if len(rows) == 0 {
			return list, nil
		}
		for _, row := range rows {
			p := ModelPrice{Raw: row}
			if err := json.Unmarshal(row, &p); err != nil {
				return nil, fmt.Errorf("read prices: %w", err)
			}
			list = append(list, p)
		}
	}
}

// SetModelPrice sets what a model costs in the client's account.
func (c *Client) SetModelPrice(ctx context.Context, provider, model string, p NewModelPrice) (*ModelPrice, error) {
	return c.modelPriceCall(ctx, http.MethodPut, c.api(nil, "prices", provider, model), p)
}

// DeleteModelPrice deletes the account's own price of a model.
func (c *Client) DeleteModelPrice(ctx context.Context, provider, model string) (*ModelPrice, error) {
	return c.modelPriceCall(ctx, http.MethodDelete, c.api(nil, "prices", provider, model), nil)
}

func (c *Client) modelPriceCall(ctx context.Context, method, address string, body any) (*ModelPrice, error) {
	e, err := c.tokenCall(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	p := &ModelPrice{Raw: e.Result}
	if err := json.Unmarshal(e.Result, p); err != nil {
		return nil, fmt.Errorf("read the model's price: %w", err)
	}
	return p, nil
}
