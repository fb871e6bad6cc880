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

// Route is a dynamic route of a gateway.
type Route struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID         string          `json:"id"`
	Gateway    string          `json:"gateway_id"`
	Name       string          `json:"name"`
	Elements   json.RawMessage `json:"elements"` // of the deployed version
	CreatedAt  time.Time       `json:"created_at"`
	ModifiedAt time.Time       `json:"modified_at"`
	Revision   int64           `json:"revision"`
	Version    RouteVersion    `json:"version"` // the deployed one
	Deployment RouteDeployment `json:"deployment"`
	// Notes are what the server said beside its answer to a change.
	Notes []string `json:"-"`
}

// RouteVersion is a state of a route's elements.
type RouteVersion struct {
	Raw json.RawMessage `json:"-"`

	ID        string          `json:"version_id"`
	Active    string          `json:"active"` // "true" or "false"
	Valid     bool            `json:"is_valid"`
	Elements  json.RawMessage `json:"elements"` // of a version that was asked for by its id, or made
	CreatedAt time.Time       `json:"created_at"`
	Issues    []RouteIssue    `json:"issues"` // likewise
}

// RouteDeployment is the moment at which a version began to serve.
type RouteDeployment struct {
	ID        string    `json:"deployment_id"`
	Version   string    `json:"version_id"`
	CreatedAt time.Time `json:"created_at"`
}

// RouteIssue is something that is wrong with elements, or probably not meant.
type RouteIssue struct {
	Element string `json:"element"`
	Field   string `json:"field"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Warning bool   `json:"warning"`
}

// RouteCheck is what was found of elements.
type RouteCheck struct {
	Raw json.RawMessage `json:"-"`

	Valid  bool         `json:"is_valid"`
	Issues []RouteIssue `json:"issues"`
}

// each lists what a paged list holds under data, in the member that is named.
func (c *Client) each(ctx context.Context, query url.Values, member string, segments ...string) ([]json.RawMessage, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("per_page", "100")
	var all []json.RawMessage
	for page := 1; ; page++ {
		query.Set("page", strconv.Itoa(page))
		var answer struct {
			Data map[string]json.RawMessage `json:"data"`
		}
		if err := c.ask(ctx, http.MethodGet, c.api(query, segments...), nil, nil, &answer); err != nil {
			return nil, err
		}
		var items []json.RawMessage
		if err := json.Unmarshal(answer.Data[member], &items); err != nil {
			return nil, fmt.Errorf("read %s: %w", member, err)
		}
		if len(items) == 0 {
			return all, nil
		}
		all = append(all, items...)
	}
}

func readAll[T any](items []json.RawMessage, raw func(*T, json.RawMessage)) ([]T, error) {
	list := make([]T, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item, &list[i]); err != nil {
			return nil, fmt.Errorf("read an item of the list: %w", err)
		}
		raw(&list[i], item)
	}
	return list, nil
}

// Routes lists a gateway's dynamic routes, oldest first; search is part of the name, "" for all.
func (c *Client) Routes(ctx context.Context, gateway, search string) ([]Route, error) {
	query := url.Values{}
	if search != "" {
		query.Set("search", search)
	}
	return c.routes(ctx, gateway, query)
}

func (c *Client) routes(ctx context.Context, gateway string, query url.Values) ([]Route, error) {
	items, err := c.each(ctx, query, "routes", "gateways", gateway, "routes")
	if err != nil {
		return nil, err
	}
	return readAll(items, func(r *Route, raw json.RawMessage) { r.Raw = raw })
}

// Route finds a route by its name, or by its id. One that is not there is an *APIError of status 404.
func (c *Client) Route(ctx context.Context, gateway, nameOrID string) (*Route, error) {
	list, err := c.routes(ctx, gateway, url.Values{"name": {nameOrID}})
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		return &list[0], nil
	}
	return c.routeCall(ctx, http.MethodGet, nil, nil, gateway, nameOrID)
}

// routeCall makes a call whose result is a route.
func (c *Client) routeCall(ctx context.Context, method string, header http.Header, body any, gateway string, segments ...string) (*Route, error) {
	var e struct {
		envelope
		Route json.RawMessage `json:"route"`
	}
	if err := c.ask(ctx, method, c.api(nil, append([]string{"gateways", gateway, "routes"}, segments...)...), header, body, &e); err != nil {
		return nil, err
	}
	raw := e.Result
	if e.Route != nil { // the answer to a change of the name has it there
		raw = e.Route
	}
	r := &Route{Raw: raw}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("read route: %w", err)
	}
	for _, m := range e.Messages {
		r.Notes = append(r.Notes, m.Message)
	}
	return r, nil
}

// CreateRoute makes a route of elements, and deploys them. A name that is taken is an *APIError of status 409.
func (c *Client) CreateRoute(ctx context.Context, gateway, name string, elements json.RawMessage) (*Route, error) {
	return c.routeCall(ctx, http.MethodPost, nil, map[string]any{"name": name, "elements": elements}, gateway)
}

// RenameRoute gives a route that was read before another name.
func (c *Client) RenameRoute(ctx context.Context, r *Route, name string) (*Route, error) {
	return c.routeCall(ctx, http.MethodPatch, ifMatch(r), map[string]any{"name": name}, r.Gateway, r.ID)
}

// DeleteRoute deletes a route that was read before.
func (c *Client) DeleteRoute(ctx context.Context, r *Route) (*Route, error) {
	return c.routeCall(ctx, http.MethodDelete, ifMatch(r), nil, r.Gateway, r.ID)
}

// DeployRoute makes a version of a route that was read before serve.
func (c *Client) DeployRoute(ctx context.Context, r *Route, version string) (*Route, error) {
	return c.routeCall(ctx, http.MethodPost, ifMatch(r), map[string]any{"version_id": version}, r.Gateway, r.ID, "deployments")
}

// ifMatch makes a change fail where somebody else has changed the route since it was read.
func ifMatch(r *Route) http.Header {
	return http.Header{"If-Match": {strconv.Quote(strconv.FormatInt(r.Revision, 10))}}
}

// AddRouteVersion stores another version of a route. A draft may have errors; it cannot be deployed then.
func (c *Client) AddRouteVersion(ctx context.Context, r *Route, elements json.RawMessage, draft bool) (*RouteVersion, error) {
	query := url.Values{}
	if draft {
		query.Set("draft", "true")
	}
	return c.versionCall(ctx, http.MethodPost, c.api(query, "gateways", r.Gateway, "routes", r.ID, "versions"), map[string]any{"elements": elements})
}

// GetRouteVersion returns a version of a route, with its elements.
func (c *Client) GetRouteVersion(ctx context.Context, r *Route, id string) (*RouteVersion, error) {
	return c.versionCall(ctx, http.MethodGet, c.api(nil, "gateways", r.Gateway, "routes", r.ID, "versions", id), nil)
}

func (c *Client) versionCall(ctx context.Context, method, address string, body any) (*RouteVersion, error) {
	var e envelope
	if err := c.ask(ctx, method, address, nil, body, &e); err != nil {
		return nil, err
	}
	v := &RouteVersion{Raw: e.Result}
	if err := json.Unmarshal(e.Result, v); err != nil {
		return nil, fmt.Errorf("read version: %w", err)
	}
	return v, nil
}

// RouteVersions lists a route's versions, newest first, without elements.
func (c *Client) RouteVersions(ctx context.Context, r *Route) ([]RouteVersion, error) {
	items, err := c.each(ctx, nil, "versions", "gateways", r.Gateway, "routes", r.ID, "versions")
	if err != nil {
		return nil, err
	}
	return readAll(items, func(v *RouteVersion, raw json.RawMessage) { v.Raw = raw })
}

// RouteDeployments lists a route's deployments, newest first.
func (c *Client) RouteDeployments(ctx context.Context, r *Route) ([]RouteDeployment, error) {
	items, err := c.each(ctx, nil, "deployments", "gateways", r.Gateway, "routes", r.ID, "deployments")
	if err != nil {
		return nil, err
	}
	return readAll(items, func(*RouteDeployment, json.RawMessage) {})
}

// CheckRoute checks elements without storing them.
func (c *Client) CheckRoute(ctx context.Context, gateway string, elements json.RawMessage) (*RouteCheck, error) {
	var e envelope
	if err := c.ask(ctx, http.MethodPost, c.api(nil, "gateways", gateway, "routes", "validate"), nil, map[string]any{"elements": elements}, &e); err != nil {
		return nil, err
	}
	check := &RouteCheck{Raw: e.Result}
	if err := json.Unmarshal(e.Result, check); err != nil {
		return nil, fmt.Errorf("read what was found: %w", err)
	}
	return check, nil
}
