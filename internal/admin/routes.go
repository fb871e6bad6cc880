package admin

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// scope is where everything but the OpenAPI document lies.
const (
	prefix = "/client/v4"
	scope  = prefix + "/accounts/{account}/ai-gateway"
)

// Route is one row of the table of routes.
type Route struct {
	Method  string
	Pattern string // as chi reads it
	Role    Role   // the least one that may call it
	ID      string // operation id in the OpenAPI document
	Summary string
	Process bool // it is of the whole process: closed to gateway tokens, which are of one account
}

// Routes lists every route of the API.
func Routes() []Route {
	all := routes()
	list := make([]Route, len(all))
	for i := range all {
		list[i] = all[i].Route
	}
	return list
}

type route struct {
	Route
	register func(*server, huma.API, huma.Operation)
}

// routes is the one list of routes. What is not here does not exist.
func routes() []route {
	get := func(role Role, pattern, id, summary string, register func(*server, huma.API, huma.Operation)) route {
		return route{Route{Method: http.MethodGet, Pattern: pattern, Role: role, ID: id, Summary: summary}, register}
	}
	change := func(method, pattern, id, summary string, register func(*server, huma.API, huma.Operation)) route {
		return route{Route{Method: method, Pattern: pattern, Role: RoleAdmin, ID: id, Summary: summary}, register}
	}
	process := func(rt route) route {
		rt.Process = true
		return rt
	}
	const logs = scope + "/gateways/{gateway}/logs"
	const keys = scope + "/gateways/{gateway}/provider_configs"
	return []route{
		get(RoleViewer, prefix+"/openapi.json", "openapi-json", "This API as an OpenAPI 3.1 document", handle((*server).openAPIJSON)),
		get(RoleViewer, prefix+"/openapi.yaml", "openapi-yaml", "This API as an OpenAPI 3.1 document, YAML", handle((*server).openAPIYAML)),
		get(RoleViewer, scope+"/gateways", "list-gateways", "List gateways", handle((*server).listGateways)),
		change(http.MethodPost, scope+"/gateways", "create-gateway", "Create a gateway", handleGateway((*server).createGateway)),
		change(http.MethodPut, scope+"/gateways/{gateway}", "update-gateway", "Update a gateway: what is left out stays, null sets back", handleGateway((*server).updateGateway)),
		change(http.MethodDelete, scope+"/gateways/{gateway}", "delete-gateway", "Delete a gateway", handle((*server).deleteGateway)),
		get(RoleViewer, scope+"/gateways/{gateway}", "get-gateway", "Get a gateway", handle((*server).getGateway)),
		get(RoleViewer, scope+"/gateways/{gateway}/url/{provider}", "get-gateway-url", "Get the address to call a provider at", handle((*server).getURL)),
		get(RoleViewer, logs, "list-logs", "List log entries", handle((*server).listLogs)),
		// An entry's details hold the heads of its bodies, so they need what bodies need.
		get(RoleEditor, logs+"/{id}", "get-log", "Get a log entry", handle((*server).getLog)),
		get(RoleEditor, logs+"/{id}/request", "get-log-request", "Get the stored request body", handle((*server).getRequestBody)),
		get(RoleEditor, logs+"/{id}/response", "get-log-response", "Get the stored response body", handle((*server).getResponseBody)),
		get(RoleViewer, scope+"/events", "follow-events", "Follow log entries as they come, as server-sent events", handle((*server).followEvents)),
		get(RoleViewer, scope+"/analytics", "get-analytics", "Sums over time, from roll-ups", handle((*server).getAnalytics)),
		get(RoleViewer, scope+"/cache", "get-cache", "What the response cache holds of an account, and did (ours)", handle((*server).getCache)),
		get(RoleViewer, scope+"/gateways/{gateway}/cache", "get-gateway-cache", "What the response cache holds of a gateway, and did (ours)", handle((*server).getGatewayCache)),
		change(http.MethodDelete, scope+"/gateways/{gateway}/cache", "purge-cache", "Forget stored answers of a gateway (ours)", handle((*server).purgeCache)),
		get(RoleViewer, scope+"/prices", "get-prices", "Which price catalogue is in use", handle((*server).getPrices)),
		process(change(http.MethodPost, scope+"/prices/refresh", "refresh-prices", "Read the price catalogue anew from its source", handle((*server).refreshPrices))),
		process(get(RoleViewer, scope+"/status", "get-status", "What the process is doing", handle((*server).getStatus))),
		get(RoleViewer, keys, "list-provider-configs", "List stored provider keys, without the keys", handle((*server).listProviderConfigs)),
		change(http.MethodPost, keys, "create-provider-config", "Store a provider key", handle((*server).createProviderConfig)),
		get(RoleViewer, keys+"/{id}", "get-provider-config", "Get a stored provider key, without the key (ours)", handle((*server).getProviderConfig)),
		change(http.MethodPut, keys+"/{id}", "update-provider-config", "Change a stored provider key: what is left out stays (ours)", handle((*server).updateProviderConfig)),
		change(http.MethodDelete, keys+"/{id}", "delete-provider-config", "Delete a stored provider key (ours)", handle((*server).deleteProviderConfig)),
		change(http.MethodPost, keys+"/{id}/test", "test-provider-config", "Make one call with a stored provider key that costs nothing (ours)", handle((*server).testProviderConfig)),
		process(change(http.MethodPost, scope+"/master-key/rotate", "rotate-master-key", "Make a new master key for stored provider keys (ours)", handle((*server).rotateMasterKey))),
		get(RoleAdmin, scope+"/tokens", "list-tokens", "List gateway tokens (ours)", handle((*server).listTokens)),
		change(http.MethodPost, scope+"/tokens", "create-token", "Create a gateway token; the answer shows its value, this once (ours)", handle((*server).createToken)),
		change(http.MethodDelete, scope+"/tokens/{id}", "revoke-token", "Revoke a gateway token: it is refused from then on (ours)", handle((*server).revokeToken)),
	}
}

// operation describes the route for huma. Its error answers are named here, because huma would
// otherwise describe them by its own type.
func (rt *route) operation(schemas huma.Registry) huma.Operation {
	return huma.Operation{
		OperationID: rt.ID, Method: rt.Method, Path: rt.Pattern, Summary: rt.Summary,
		Security:   []map[string][]string{{"token": {}}},
		Extensions: map[string]any{"x-sluice-role": rt.Role.String()},
		Responses: map[string]*huma.Response{
			"200": {},
			"default": {Description: "Failure", Content: map[string]*huma.MediaType{
				"application/json": {Schema: schemas.Schema(reflect.TypeFor[Failure](), true, "Failure")},
			}},
		},
	}
}

// handle makes a method of server a route's handler. Its error is mapped and logged here and nowhere
// else.
func handle[I, O any](f func(*server, context.Context, *I) (*O, error)) func(*server, huma.API, huma.Operation) {
	return func(s *server, api huma.API, op huma.Operation) {
		huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := f(s, ctx, in)
			if err != nil {
				return nil, s.failed(ctx, op.OperationID, err)
			}
			return out, nil
		})
	}
}

// Envelope is around every answer that is not a body or a stream.
type Envelope[T any] struct {
	Success  bool      `json:"success"`
	Result   T         `json:"result"`
	Errors   []Fault   `json:"errors"`
	Messages []Message `json:"messages"`
}

// Message tells something beside an answer.
type Message struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// ListEnvelope is an Envelope of a list; Info says where in it the page lies.
type ListEnvelope[T, Info any] struct {
	Success    bool      `json:"success"`
	Result     []T       `json:"result"`
	ResultInfo Info      `json:"result_info"`
	Errors     []Fault   `json:"errors"`
	Messages   []Message `json:"messages"`
}

type output[T any] struct{ Body T }

func answer[T any](result T) *output[Envelope[T]] {
	return &output[Envelope[T]]{Envelope[T]{Success: true, Result: result, Errors: []Fault{}, Messages: []Message{}}}
}

func listAnswer[T, Info any](result []T, info Info) *output[ListEnvelope[T, Info]] {
	if result == nil {
		result = []T{} // null would end a client's paging with an error
	}
	return &output[ListEnvelope[T, Info]]{ListEnvelope[T, Info]{
		Success: true, Result: result, ResultInfo: info, Errors: []Fault{}, Messages: []Message{},
	}}
}
