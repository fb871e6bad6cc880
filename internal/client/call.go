package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Answer is what a call of Call got.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // whole, at most 256 MB
}

// Call makes any call of the management API, signed in. path begins with /client/v4/, or lies below the
// account's ai-gateway: gateways/prod/routes. It may have a query. A refusal is an Answer here, not an error.
func (c *Client) Call(ctx context.Context, method, path string, header http.Header, body []byte) (*Answer, error) {
	address := c.base.String() + path
	if !strings.HasPrefix(path, "/client/v4/") {
		if strings.Contains(path, "://") || strings.HasPrefix(path, "/") && strings.HasPrefix(strings.TrimLeft(path, "/"), "client") {
			return nil, fmt.Errorf("%q is no path of the API: it begins with /client/v4/, or is one such as gateways", path)
		}
		address = c.api(nil) + "/" + strings.TrimPrefix(path, "/")
	}
	if _, err := url.Parse(address); err != nil {
		return nil, fmt.Errorf("%q is no path: %w", path, err)
	}
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if body != nil && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	if !c.token.IsZero() && header.Get("Authorization") == "" {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.do(ctx, method, address, header, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &UnreachableError{URL: c.base.String(), Err: err}
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: text}, nil
}

// ask makes a call with a JSON body, nil for none, and reads the answer. Its error is as for all calls.
func (c *Client) ask(ctx context.Context, method, address string, header http.Header, body, into any) error {
	header = header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if !c.token.IsZero() {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	var text []byte
	if body != nil {
		header.Set("Content-Type", "application/json")
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("write the call: %w", err)
		}
	}
	resp, err := c.send(ctx, method, address, header, text)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return &APIError{Status: resp.StatusCode, Message: c.base.String() + " does not answer like Sluice", Hint: "is the address right, with the base path?"}
	}
	return nil
}

// Refusal reads a refusal of what was asked for.
func (a *Answer) Refusal() *APIError {
	return apiError(&http.Response{StatusCode: a.Status, Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body))})
}
