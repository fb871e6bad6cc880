// Package client is the public API as Go calls: the management API under /client/v4, and chat through
// the data plane. The commands are built on it, and it is meant for users too.
//
// Answers keep the JSON they came as beside the fields that are read here, so that a program can show
// exactly what the API says. A call that the server refused is an *APIError; one that got no answer
// is an *UnreachableError.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// DefaultURL is where a server listens that nobody configured.
const DefaultURL = "http://127.0.0.1:8088"

// Options make a Client.
type Options struct {
	URL     string        // of the server, with its base path; "": DefaultURL
	Token   sluice.Secret // admin token; zero: none is sent
	Account string        // "": default
	Gateway string        // "": default
	HTTP    *http.Client  // nil: one of its own, without an overall time limit
	Agent   string        // User-Agent
	// Trace is called after each call with what went over the wire, without secrets. nil: nobody asks.
	Trace func(method, url string, status int, err error)
}

// Client calls one server for one account. Safe for concurrent use.
type Client struct {
	base    *url.URL
	token   sluice.Secret
	account string
	gateway string
	http    *http.Client
	agent   string
	trace   func(method, url string, status int, err error)
}

// New makes a client. Its error is about o.URL.
func New(o Options) (*Client, error) {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not a server's address such as %s", o.URL, DefaultURL)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	c := &Client{
		base: u, token: o.Token, account: o.Account, gateway: o.Gateway,
		http: o.HTTP, agent: o.Agent, trace: o.Trace,
	}
	if c.account == "" {
		c.account = "default"
	}
	if c.gateway == "" {
		c.gateway = "default"
	}
	if c.http == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableCompression = true // stored bodies carry their own encoding
		c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return c, nil
}

// URL returns the server's address.
func (c *Client) URL() string { return c.base.String() }

// Account returns the account that calls are about.
func (c *Client) Account() string { return c.account }

// Gateway returns the gateway that calls are about.
func (c *Client) Gateway() string { return c.gateway }

// Close frees idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Endpoint returns the address that an application calls for provider: where an SDK's own base URL goes.
func (c *Client) Endpoint(gateway, provider string) string {
	return c.base.String() + "/v1/" + url.PathEscape(c.account) + "/" + url.PathEscape(gateway) + "/" + provider
}

// api returns the address of a management call.
func (c *Client) api(query url.Values, segments ...string) string {
	var b strings.Builder
	b.WriteString(c.base.String() + "/client/v4/accounts/" + url.PathEscape(c.account) + "/ai-gateway")
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	if len(query) > 0 {
		b.WriteString("?" + query.Encode())
	}
	return b.String()
}

// APIError is a refusal by the server.
type APIError struct {
	Status  int
	Code    int // of the envelope; 0: the answer had none
	Message string
	Field   string // the parameter that is wrong
	Hint    string // how to put it right
	Request string // id of the request, where the answer names one
}

// Error returns the message.
func (e *APIError) Error() string {
	if e.Message == "" {
		return "the server answered " + http.StatusText(e.Status)
	}
	return e.Message
}

// UnreachableError is a call that got no answer.
type UnreachableError struct {
	URL string
	Err error
}

// Error tells where nobody answered, and why.
func (e *UnreachableError) Error() string { return "no answer from " + e.URL + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// maxAnswer bounds an answer that is read whole.
const maxAnswer = 256 << 20

// send sends a call and returns its answer, which the caller closes. An answer of 400 or above is an
// *APIError.
func (c *Client) send(ctx context.Context, method, address string, header http.Header, body []byte) (*http.Response, error) {
	resp, err := c.do(ctx, method, address, header, body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		defer func() { _ = resp.Body.Close() }()
		return nil, apiError(resp)
	}
	return resp, nil
}

// do sends a call and returns its answer, whatever it is, which the caller closes.
func (c *Client) do(ctx context.Context, method, address string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if c.agent != "" {
		req.Header.Set("User-Agent", c.agent)
	}
	resp, err := c.http.Do(req)
	if c.trace != nil {
		status := 0
		if resp != nil {
			status = resp.StatusCode
		}
		c.trace(method, address, status, err)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the method and address that it repeats
		}
		return nil, &UnreachableError{URL: c.base.String(), Err: err}
	}
	return resp, nil
}

// get sends a management call.
func (c *Client) get(ctx context.Context, address string, header http.Header) (*http.Response, error) {
	if header == nil {
		header = http.Header{}
	}
	if !c.token.IsZero() {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	return c.send(ctx, http.MethodGet, address, header, nil)
}

// envelope is what management answers are wrapped in.
type envelope struct {
	Result json.RawMessage `json:"result"`
	Info   json.RawMessage `json:"result_info"`
	Errors []fault         `json:"errors"`

	Messages []struct {
		Message string `json:"message"`
	} `json:"messages"`
}

type fault struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field"`
	Hint    string `json:"hint"`
}

// fetch calls and unwraps.
func (c *Client) fetch(ctx context.Context, address string) (*envelope, error) {
	resp, err := c.get(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, &UnreachableError{URL: c.base.String(), Err: err}
	}
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil || e.Result == nil {
		return nil, &APIError{Status: resp.StatusCode, Message: c.base.String() + " does not answer like Sluice", Hint: "is the address right, with the base path?"}
	}
	return &e, nil
}

// apiError reads a refusal: of the management API, of the data plane (which says "error", a list), or
// of a provider ("error", an object or a text).
func apiError(resp *http.Response) *APIError {
	e := &APIError{Status: resp.StatusCode, Request: resp.Header.Get("cf-aig-request-id")}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what came is what we can say
	var shape struct {
		Errors []fault         `json:"errors"`
		Error  json.RawMessage `json:"error"`
		Detail string          `json:"description"`
	}
	_ = json.Unmarshal(text, &shape) // not JSON: the status has to do
	var list []fault
	var object fault
	switch {
	case len(shape.Errors) > 0:
		object = shape.Errors[0]
	case json.Unmarshal(shape.Error, &list) == nil && len(list) > 0:
		object = list[0]
		if shape.Detail != object.Message {
			object.Hint = shape.Detail
		}
	default:
		var message struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(shape.Error, &object.Message) != nil && json.Unmarshal(shape.Error, &message) == nil {
			object.Message = message.Message
		}
	}
	e.Code, e.Message, e.Field, e.Hint = object.Code, object.Message, object.Field, object.Hint
	if e.Message == "" {
		e.Message = fmt.Sprintf("the answer was %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return e
}
