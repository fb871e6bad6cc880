package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// CacheStats tells what the server's response cache holds, and what requests found since it started.
type CacheStats struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	Hits     int64     `json:"hits"`   // answered from a stored answer
	Joined   int64     `json:"joined"` // answered from an identical request's call
	Misses   int64     `json:"misses"`
	Stored   int64     `json:"stored"`
	Failures int64     `json:"failures"`
	Running  int64     `json:"running"`
	Memory   CacheTier `json:"memory"`
	Disk     CacheTier `json:"disk"`
	Complete bool      `json:"complete"` // false after a start: Disk counts what is known so far
	Dropped  int64     `json:"dropped"`
	Corrupt  int64     `json:"corrupt"`
}

// CacheTier is one place where stored answers lie.
type CacheTier struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
	Limit   int64 `json:"limit"` // of all accounts together; 0: there is no such place
	Evicted int64 `json:"evicted"`
}

// CacheStats asks for the numbers of a gateway, or of the whole account when gateway is "".
func (c *Client) CacheStats(ctx context.Context, gateway string) (*CacheStats, error) {
	address := c.api(nil, "cache")
	if gateway != "" {
		address = c.api(nil, "gateways", gateway, "cache")
	}
	e, err := c.fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	s := &CacheStats{Raw: e.Result}
	if err := json.Unmarshal(e.Result, s); err != nil {
		return nil, fmt.Errorf("read the cache's numbers: %w", err)
	}
	return s, nil
}

// Purge says which stored answers of a gateway to remove: those that both fields fit, where set.
type Purge struct {
	Gateway  string
	Provider string // slug or alias
	Key      string // value of cf-aig-cache-key, or a key in hexadecimal
}

// PurgeCache removes stored answers and returns how many there were, with the API's own answer.
func (c *Client) PurgeCache(ctx context.Context, p Purge) (n int64, raw json.RawMessage, err error) {
	query := url.Values{}
	for name, value := range map[string]string{"provider": p.Provider, "key": p.Key} {
		if value != "" {
			query.Set(name, value)
		}
	}
	header := http.Header{}
	if !c.token.IsZero() {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.send(ctx, http.MethodDelete, c.api(query, "gateways", p.Gateway, "cache"), header, nil)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var e envelope
	var result struct {
		Purged int64 `json:"purged"`
	}
	err = json.NewDecoder(resp.Body).Decode(&e)
	if err == nil {
		err = json.Unmarshal(e.Result, &result)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read what was purged: %w", err)
	}
	return result.Purged, e.Result, nil
}
