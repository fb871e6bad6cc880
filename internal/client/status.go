package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Status is what a server says of itself.
type Status struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	Version       string    `json:"version"`
	Started       time.Time `json:"started"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	DataDir       string    `json:"data_dir"`
	Listeners     []struct {
		Purpose string `json:"purpose"`
		Address string `json:"address"`
		TLS     bool   `json:"tls"`
	} `json:"listeners"`
	Config struct {
		File     string    `json:"file"`
		Loaded   time.Time `json:"loaded"`
		Error    string    `json:"error"`
		Warnings []string  `json:"warnings"`
	} `json:"config"`
	Upstreams []struct {
		Host    string `json:"host"`
		Via     string `json:"via"`
		Open    int    `json:"open"`
		Idle    int    `json:"idle"`
		Waiting int    `json:"waiting"`
	} `json:"upstreams"`
	InFlight int64 `json:"in_flight"`
	Refused  []struct {
		Status int   `json:"status"`
		Count  int64 `json:"count"`
	} `json:"refused"`
	Panics      int64 `json:"panics"`
	MemoryUsed  int64 `json:"body_memory_used"`
	MemoryLimit int64 `json:"body_memory_limit"`
	Gateways    []struct {
		ID         string   `json:"id"`
		LastMinute *Traffic `json:"last_minute"`
	} `json:"gateways"`
	LastMinute *Traffic `json:"last_minute"`
	Limits     struct {
		Trouble string `json:"trouble"`
	} `json:"limits"`
	Log struct {
		State         string  `json:"state"`
		LastError     string  `json:"last_error"`
		Rows          int64   `json:"rows"`
		DroppedBodies int64   `json:"dropped_bodies"`
		DroppedRows   int64   `json:"dropped_rows"`
		LostCounts    int64   `json:"lost_counts"`
		Late          int64   `json:"late"`
		NotIndexed    int64   `json:"not_indexed"`
		Panics        int64   `json:"panics"`
		AppendLag     float64 `json:"append_lag_ms"`
		IndexLag      float64 `json:"index_lag_ms"`
		DiskBytes     int64   `json:"disk_bytes"`
		DiskFree      int64   `json:"disk_free"`
	} `json:"log"`
}

// Traffic counts what was answered in about the last minute.
type Traffic struct {
	Requests  int64   `json:"requests"`
	Errors    int64   `json:"errors"`
	PerSecond float64 `json:"requests_per_second"`
}

// Status asks the server how it is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	e, err := c.fetch(ctx, c.api(nil, "status"))
	if err != nil {
		return nil, err
	}
	s := &Status{Raw: e.Result}
	if err := json.Unmarshal(e.Result, s); err != nil {
		return nil, fmt.Errorf("read status: %w", err)
	}
	return s, nil
}

// Prices tells which price catalogue a server uses, and how its last refresh went.
type Prices struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	Version string `json:"version"`
	Date    string `json:"date"`
	Models  int    `json:"models"`
	Source  string `json:"source"`
	Error   string `json:"error"`
}

// RefreshPrices makes the server read its price catalogue anew. A catalogue that it refuses is no error:
// Error says why.
func (c *Client) RefreshPrices(ctx context.Context) (*Prices, error) {
	header := http.Header{}
	if !c.token.IsZero() {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.send(ctx, http.MethodPost, c.api(nil, "prices", "refresh"), header, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var e envelope
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	p := &Prices{Raw: e.Result}
	if err := json.Unmarshal(e.Result, p); err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	return p, nil
}

// GatewayURL asks the server for the address at which a gateway's provider is called. An unknown
// gateway or provider is an *APIError.
func (c *Client) GatewayURL(ctx context.Context, gateway, provider string) (string, error) {
	e, err := c.fetch(ctx, c.api(nil, "gateways", gateway, "url", provider))
	if err != nil {
		return "", err
	}
	var address string
	if err := json.Unmarshal(e.Result, &address); err != nil {
		return "", fmt.Errorf("read address: %w", err)
	}
	return address, nil
}

// StatsQuery asks for sums of the client's gateway.
type StatsQuery struct {
	Metrics  []string
	Group    string // provider, model, key, status, outcome, cache, error_type, gateway, meta.KEY, or two with a comma between; "" none
	Range    string // as in LogQuery; "": 24h
	TZ       string // IANA time zone; "": UTC
	Interval string // auto, none or a length; "": none
	Filter   string // in the filter language; "" none
	Basis    string // requests or attempts; "": requests
	Compare  bool   // the period before, too
	Limit    int    // most groups; 0: 50
}

// Stats are sums over time.
type Stats struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	From          time.Time `json:"from"`
	To            time.Time `json:"to"`
	TZ            string    `json:"tz"`
	T             []string  `json:"t"`
	Series        []Series  `json:"series"`
	Groups        int       `json:"groups"`
	Source        string    `json:"source"` // rollups or rows
	Partial       bool      `json:"partial"`
	Since         *string   `json:"since"`
	NotStored     int64     `json:"not_stored"`
	Notes         []string  `json:"notes"`
	CompleteUntil time.Time `json:"complete_until"`
	Unpriced      int64     `json:"unpriced"`
	Estimated     int64     `json:"estimated"`
}

// Series is one metric of one group. A null is nil: not known.
type Series struct {
	Metric    string         `json:"metric"`
	Key       string         `json:"key"`
	Then      string         `json:"then"` // of the second group
	Values    []*json.Number `json:"values"`
	Total     *json.Number   `json:"total"`
	Prev      []*json.Number `json:"prev"` // of the period before, if it was asked for
	PrevTotal *json.Number   `json:"prev_total"`
}

// Stats returns sums from roll-ups.
func (c *Client) Stats(ctx context.Context, q StatsQuery) (*Stats, error) {
	v := url.Values{"gateway": {c.gateway}, "metric": {strings.Join(q.Metrics, ",")}, "range": {"24h"}, "interval": {"none"}}
	fields := map[string]string{"group": q.Group, "range": q.Range, "interval": q.Interval, "tz": q.TZ, "q": q.Filter, "basis": q.Basis}
	if q.Compare {
		fields["cmp"] = "1"
	}
	for name, value := range fields {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.Limit > 0 {
		v.Set("limit", fmt.Sprint(q.Limit))
	}
	e, err := c.fetch(ctx, c.api(v, "analytics"))
	if err != nil {
		return nil, err
	}
	s := &Stats{Raw: e.Result}
	if err := json.Unmarshal(e.Result, s); err != nil {
		return nil, fmt.Errorf("read sums: %w", err)
	}
	return s, nil
}
