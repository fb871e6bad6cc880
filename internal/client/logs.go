package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
)

// LogQuery asks for log entries of the client's gateway.
type LogQuery struct {
	Filter string   // in the filter language; "" all
	Range  string   // 24h, 7d, or two RFC 3339 times with .. between; "" all
	Order  string   // created_at, duration, cost, tokens_in, tokens_out, provider, model; "": created_at
	Oldest bool     // the smallest first
	Fields []string // nil: what a list usually has
	Cursor string   // Page.Next of another page; "" begins
	Limit  int      // entries, 1 to 1,000; 0: 50
	// Attempts gives one entry per attempt, as the reference does, in place of one per request.
	Attempts bool
}

// Page is one page of entries.
type Page struct {
	Entries       []Entry
	Raw           json.RawMessage // the entries as the API gave them, a list
	Next          string          // cursor; "" none
	Total         *int64          // nil: not known
	Exact         bool            // Total was counted
	Partial       bool            // the search ran out of time; Next goes on
	CompleteUntil string          // RFC 3339
}

const defaultLimit = 50

func (q *LogQuery) values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("q", q.Filter)
	set("range", q.Range)
	set("order_by", q.Order)
	set("cursor", q.Cursor)
	set("fields", strings.Join(q.Fields, ","))
	v.Set("order_by_direction", "desc")
	if q.Oldest {
		v.Set("order_by_direction", "asc")
	}
	v.Set("basis", "requests")
	if q.Attempts {
		v.Set("basis", "attempts")
	}
	limit := q.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	v.Set("per_page", strconv.Itoa(limit))
	return v
}

// Logs returns one page of entries.
func (c *Client) Logs(ctx context.Context, q LogQuery) (*Page, error) {
	e, err := c.fetch(ctx, c.api(q.values(), "gateways", c.gateway, "logs"))
	if err != nil {
		return nil, err
	}
	var info struct {
		Next          *string `json:"next"`
		Total         *int64  `json:"approx_total"`
		Exact         bool    `json:"total_exact"`
		Partial       bool    `json:"partial"`
		CompleteUntil *string `json:"complete_until"`
	}
	p := &Page{Raw: e.Result}
	if err := json.Unmarshal(e.Result, &p.Entries); err != nil {
		return nil, fmt.Errorf("read log entries: %w", err)
	}
	if err := json.Unmarshal(e.Info, &info); err != nil {
		return nil, fmt.Errorf("read result_info: %w", err)
	}
	p.Total, p.Exact, p.Partial = info.Total, info.Exact, info.Partial
	p.Next, p.CompleteUntil = deref(info.Next), deref(info.CompleteUntil)
	return p, nil
}

// All yields the entries of all pages, at most max of them; 0: no bound. After an error it ends.
func (c *Client) All(ctx context.Context, q LogQuery, bound int) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for seen := 0; ; {
			p, err := c.Logs(ctx, q)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, e := range p.Entries {
				if bound > 0 && seen == bound || !yield(e, nil) {
					return
				}
				seen++
			}
			if p.Next == "" || bound > 0 && seen == bound {
				return
			}
			q.Cursor = p.Next
		}
	}
}

// Log returns one entry whole; running ones are found too.
func (c *Client) Log(ctx context.Context, id string) (*Entry, error) {
	e, err := c.fetch(ctx, c.api(url.Values{"basis": {"requests"}}, "gateways", c.gateway, "logs", id))
	if err != nil {
		return nil, err
	}
	var entry Entry
	if err := json.Unmarshal(e.Result, &entry); err != nil {
		return nil, fmt.Errorf("read log entry: %w", err)
	}
	return &entry, nil
}

// Side is which body of an exchange.
type Side string

// The sides.
const (
	RequestBody  Side = "request"
	ResponseBody Side = "response"
)

// LogBody opens a stored body, which the caller closes. decode: without its content encoding, where
// the server knows it; otherwise the bytes are as they were on the wire.
func (c *Client) LogBody(ctx context.Context, id string, side Side, decode bool) (io.ReadCloser, error) {
	query := url.Values{}
	if decode {
		query.Set("encoding", "identity")
	}
	resp, err := c.get(ctx, c.api(query, "gateways", c.gateway, "logs", id, string(side)), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}
