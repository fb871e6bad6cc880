package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// PatchLog says what people think of a request: feedback, score and metadata, those of them that are in said; null
// takes back. It returns the entry as a list has it.
func (c *Client) PatchLog(ctx context.Context, id string, said map[string]json.RawMessage) (*Entry, error) {
	var e envelope
	if err := c.ask(ctx, http.MethodPatch, c.api(nil, "gateways", c.gateway, "logs", id), nil, said, &e); err != nil {
		return nil, err
	}
	var entry Entry
	if err := json.Unmarshal(e.Result, &entry); err != nil {
		return nil, fmt.Errorf("read log entry: %w", err)
	}
	return &entry, nil
}

// DeleteLog deletes one entry and returns the API's own answer.
func (c *Client) DeleteLog(ctx context.Context, id string) (json.RawMessage, error) {
	var e envelope
	err := c.ask(ctx, http.MethodDelete, c.api(nil, "gateways", c.gateway, "logs", id), nil, nil, &e)
	return e.Result, err
}

// DeleteLogs deletes the first entries that q lists, limit at most, 1 to 10,000. more: there are others.
func (c *Client) DeleteLogs(ctx context.Context, q LogQuery, limit int) (deleted int64, more bool, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	for _, name := range []string{"q", "range", "order_by", "order_by_direction"} {
		if v := q.values().Get(name); v != "" {
			query.Set(name, v)
		}
	}
	header := http.Header{}
	if !c.token.IsZero() {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.send(ctx, http.MethodDelete, c.api(query, "gateways", c.gateway, "logs"), header, nil)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = resp.Body.Close() }()
	if deleted, err = strconv.ParseInt(resp.Header.Get("X-Sluice-Deleted"), 10, 64); err != nil {
		return 0, false, fmt.Errorf("read how many entries were deleted: %w", err)
	}
	return deleted, resp.Header.Get("X-Sluice-More") == "true", nil
}
