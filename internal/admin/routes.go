package admin

import (
	"net/http"
	"reflect"
	"slices"

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
	Process bool // it is of the whole process: for the admins of it, and closed to gateway tokens
	Public  bool // for everybody: who signs in has not done so yet. Role is RoleNone
	Self    bool // it tells callers about themselves: for all who are known, whatever they may do. Role is RoleNone
	Persons bool // it is about people: closed to gateway tokens, who could make themselves into one
	Sifted  bool // it is of an account, and shows a token that is for some gateways what is of these
	Bodies  bool // it shows stored bodies: viewers need to be allowed to
	// Audited: what it does is in the audit log. A call that changed something leaves one entry there, whether
	// its handler says more of it (server.audit) or not.
	Audited bool
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

// routes is the one list of routes: what is not here does not exist. Each area of the API lists its own beside
// its handlers.
func routes() []route {
	return slices.Concat(
		documentRoutes(),
		gatewayRoutes(),
		logRoutes(),
		logChangeRoutes(),
		logViewRoutes(),
		eventRoutes(),
		helloRoutes(),
		endpointRoutes(),
		analyticsRoutes(),
		graphQLRoutes(),
		cacheRoutes(),
		limitRoutes(),
		priceRoutes(),
		statusRoutes(),
		providerConfigRoutes(), foundKeyRoutes(),
		customProviderRoutes(),
		tokenRoutes(),
		runTokenRoutes(),
		auditRoutes(),
		jobRoutes(),
		dbRoutes(),
		exportRoutes(),
		repriceRoutes(),
		deleteJobRoutes(),
		datasetRoutes(),
		evaluationRoutes(),
		dynamicRoutes(),
		viewRoutes(),
		domainRoutes(),
		billingRoutes(),
		sessionRoutes(),
		oidcRoutes(),
		memberRoutes(),
		identityRoutes(),
	)
}

// get is a route that changes nothing.
func get(role Role, pattern, id, summary string, register func(*server, huma.API, huma.Operation)) route {
	return route{Route{Method: http.MethodGet, Pattern: pattern, Role: role, ID: id, Summary: summary}, register}
}

// change is a route that changes something, which is for admins.
func change(method, pattern, id, summary string, register func(*server, huma.API, huma.Operation)) route {
	return route{Route{Method: method, Pattern: pattern, Role: RoleAdmin, ID: id, Summary: summary, Audited: true}, register}
}

// edit is a route that changes what editors may: gateways, routes, limits, feedback, exports.
func edit(method, pattern, id, summary string, register func(*server, huma.API, huma.Operation)) route {
	return route{Route{Method: method, Pattern: pattern, Role: RoleEditor, ID: id, Summary: summary, Audited: true}, register}
}

// ask is a route that changes nothing, though its method is not GET.
func ask(method, pattern, id, summary string, register func(*server, huma.API, huma.Operation)) route {
	return route{Route{Method: method, Pattern: pattern, Role: RoleViewer, ID: id, Summary: summary}, register}
}

// opens makes rt one that shows a stored body, which is in the audit log.
func opens(rt route) route {
	rt.Audited, rt.Bodies = true, true
	return rt
}

// sifted makes rt one that shows a token for some gateways what is of these.
func sifted(rt route) route {
	rt.Sifted = true
	return rt
}

// audits makes rt one that is in the audit log.
func audits(rt route) route {
	rt.Audited = true
	return rt
}

// public opens rt to everybody.
func public(rt route) route {
	rt.Role, rt.Public = RoleNone, true
	return rt
}

// self makes rt one that tells callers about themselves.
func self(rt route) route {
	rt.Role, rt.Self = RoleNone, true
	return rt
}

// persons makes rt one about people.
func persons(rt route) route {
	rt.Persons = true
	return rt
}

// process makes rt one of the whole process.
func process(rt route) route {
	rt.Process = true
	return rt
}

// operation describes the route for huma. Its error answers are named here, because huma would
// otherwise describe them by its own type.
func (rt *route) operation(schemas huma.Registry) huma.Operation {
	security := []map[string][]string{{"token": {}}, {"session": {}}}
	if rt.Public {
		security = []map[string][]string{}
	}
	return huma.Operation{
		OperationID: rt.ID, Method: rt.Method, Path: rt.Pattern, Summary: rt.Summary,
		Security:   security,
		Extensions: map[string]any{"x-sluice-role": rt.Role.String()},
		Responses: map[string]*huma.Response{
			"200": {},
			"default": {Description: "Failure", Content: map[string]*huma.MediaType{
				"application/json": {Schema: schemas.Schema(reflect.TypeFor[Failure](), true, "Failure")},
			}},
		},
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
