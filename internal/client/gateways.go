package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Gateway is a gateway as the API shows it.
type Gateway struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID         string    `json:"id"`
	AccountID  string    `json:"account_id"`
	Origin     string    `json:"origin"` // builtin, file (read-only here) or stored
	Version    int64     `json:"version"`
	CreatedAt  time.Time `json:"created_at"`
	ModifiedAt time.Time `json:"modified_at"`

	// Members are all members of Raw by name, the settings under the names of the API.
	Members map[string]json.RawMessage `json:"-"`
	// Notes are what the server said beside its answer to a change.
	Notes []string `json:"-"`
}

func readGateway(e *envelope) (*Gateway, error) {
	g := &Gateway{Raw: e.Result}
	if err := json.Unmarshal(e.Result, g); err != nil {
		return nil, fmt.Errorf("read gateway: %w", err)
	}
	if err := json.Unmarshal(e.Result, &g.Members); err != nil {
		return nil, fmt.Errorf("read gateway: %w", err)
	}
	for _, m := range e.Messages {
		g.Notes = append(g.Notes, m.Message)
	}
	return g, nil
}

// ListGateways returns the account's gateways, those whose id holds search, sorted by id.
func (c *Client) ListGateways(ctx context.Context, search string) ([]Gateway, error) {
	var all []Gateway
	for page := 1; ; page++ {
		q := url.Values{"page": {strconv.Itoa(page)}, "per_page": {"100"}}
		if search != "" {
			q.Set("search", search)
		}
		e, err := c.fetch(ctx, c.api(q, "gateways"))
		if err != nil {
			return nil, err
		}
		var raws []json.RawMessage
		if err := json.Unmarshal(e.Result, &raws); err != nil {
			return nil, fmt.Errorf("read gateways: %w", err)
		}
		if len(raws) == 0 { // the way of the reference's clients to find the end
			return all, nil
		}
		for _, raw := range raws {
			g, err := readGateway(&envelope{Result: raw})
			if err != nil {
				return nil, err
			}
			all = append(all, *g)
		}
	}
}

// GetGateway returns a gateway. One that does not exist is an *APIError of status 404.
func (c *Client) GetGateway(ctx context.Context, id string) (*Gateway, error) {
	e, err := c.fetch(ctx, c.api(nil, "gateways", id))
	if err != nil {
		return nil, err
	}
	return readGateway(e)
}

// Base are the settings that the API wants of each change, with the values of a gateway of which nothing
// is said.
func Base() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"cache_ttl": json.RawMessage("0"), "cache_invalidate_on_update": json.RawMessage("false"), "collect_logs": json.RawMessage("true"),
		"rate_limiting_interval": json.RawMessage("0"), "rate_limiting_limit": json.RawMessage("0"),
	}
}

// CreateGateway makes a gateway of some settings, with the defaults for all else. An id that is taken is an
// *APIError of status 409.
func (c *Client) CreateGateway(ctx context.Context, id string, settings map[string]json.RawMessage) (*Gateway, error) {
	body := Base()
	for name, value := range settings {
		body[name] = value
	}
	text, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	body["id"] = text
	return c.changeGateway(ctx, http.MethodPost, c.api(nil, "gateways"), body)
}

// UpdateGateway changes some settings of g, which was read before. One that the configuration manages is an
// *APIError of status 409.
func (c *Client) UpdateGateway(ctx context.Context, g *Gateway, settings map[string]json.RawMessage) (*Gateway, error) {
	body := Base()
	for name := range body {
		body[name] = g.Members[name]
	}
	for name, value := range settings {
		body[name] = value
	}
	return c.changeGateway(ctx, http.MethodPut, c.api(nil, "gateways", g.ID), body)
}

// DeleteGateway deletes a gateway and returns what it was.
func (c *Client) DeleteGateway(ctx context.Context, id string) (*Gateway, error) {
	return c.changeGateway(ctx, http.MethodDelete, c.api(nil, "gateways", id), nil)
}

func (c *Client) changeGateway(ctx context.Context, method, address string, body map[string]json.RawMessage) (*Gateway, error) {
	header := http.Header{}
	if !c.token.IsZero() {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	var text []byte
	if body != nil {
		header.Set("Content-Type", "application/json")
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("write gateway: %w", err)
		}
	}
	resp, err := c.send(ctx, method, address, header, text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var e envelope
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&e); err != nil {
		return nil, fmt.Errorf("read gateway: %w", err)
	}
	return readGateway(&e)
}
