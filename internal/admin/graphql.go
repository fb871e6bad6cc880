package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	sluice "github.com/sluicehq/sluice"
)

// Bounds of a query.
const (
	maxGraphQLBytes  = 64 << 10
	maxGraphQLTokens = 4000
	maxGraphQLGroups = 20      // sums of one query: aliases of the node
	maxGraphQLFields = 500_000 // looked at and answered
)

// graphQLRoutes is the reference's other way to ask for sums.
func graphQLRoutes() []route {
	return []route{
		ask(http.MethodPost, prefix+"/graphql", "graphql", "The reference's GraphQL API, as far as it is about AI Gateway", handleGraphQL()),
	}
}

// handleGraphQL is handle with the body as it came: what is wrong with it is told in GraphQL's shape.
func handleGraphQL() func(*server, huma.API, huma.Operation) {
	register := handle((*server).graphQL)
	return func(s *server, api huma.API, op huma.Operation) {
		op.SkipValidateBody, op.MaxBodyBytes = true, 2*maxGraphQLBytes
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		register(s, api, op)
		op.RequestBody.Content["application/json"].Schema = &huma.Schema{
			Type: huma.TypeObject, Required: []string{"query"}, Properties: map[string]*huma.Schema{
				"query": {Type: huma.TypeString}, "operationName": {Type: huma.TypeString, Nullable: true},
				"variables": {Type: huma.TypeObject, AdditionalProperties: true, Nullable: true},
			},
		}
	}
}

// GraphQLInput is a GraphQL request: {"query", "variables", "operationName"}.
type GraphQLInput struct {
	RawBody []byte `contentType:"application/json"`
}

// graphQLRequest is what the body holds.
type graphQLRequest struct {
	Query         string         `json:"query"`
	Variables     map[string]any `json:"variables"`
	OperationName string         `json:"operationName"`
}

// graphQLAnswer is an answer in GraphQL's shape.
type graphQLAnswer struct {
	Data       any           `json:"data"`
	Errors     gqlerror.List `json:"errors"`
	Extensions any           `json:"extensions,omitempty"`
}

// graphQL answers a query. Its errors are in the answer, as GraphQL has it, with status 200.
func (s *server) graphQL(ctx context.Context, in *GraphQLInput) (*huma.StreamResponse, error) {
	x := graphQLExec{s: s, now: time.Now().UTC(), schema: s.graphQLSchema(), caller: callerOf(ctx)}
	data, err := x.run(ctx, in.RawBody)
	a := graphQLAnswer{Data: data}
	if x.partial || x.rows {
		a.Extensions = map[string]any{"source": map[bool]string{true: "rows", false: "rollups"}[x.rows], "partial": x.partial}
	}
	if err != nil {
		if a.Errors = graphQLErrors(err); a.Errors == nil {
			return nil, err // ours, which is logged and told of in the API's own shape
		}
		a.Data = nil
	}
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("write a GraphQL answer: %w", err)
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humachi.Unwrap(ctx)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // fails when the caller left
	}}, nil
}

// graphQLErrors turns what the caller can put right into GraphQL's errors; nil: it is nothing of that kind.
func graphQLErrors(err error) gqlerror.List {
	var list gqlerror.List
	if errors.As(err, &list) {
		return list
	}
	var one *gqlerror.Error
	if errors.As(err, &one) {
		return gqlerror.List{one}
	}
	e, ok := errors.AsType[*sluice.Error](err)
	if !ok || e.Kind == sluice.KindInternal {
		return nil
	}
	text := e.Msg
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	told := &gqlerror.Error{Message: text, Extensions: map[string]any{"code": "invalid"}}
	if e.Kind == sluice.KindNoGateway || e.Kind == sluice.KindForbidden {
		told.Extensions["code"] = "authz"
	}
	return gqlerror.List{told}
}

// graphQLExec is one request.
type graphQLExec struct {
	s       *server
	caller  *caller
	now     time.Time
	schema  *ast.Schema
	doc     *ast.QueryDocument
	vars    map[string]any
	groups  int // sums made
	fields  int // looked at
	rows    bool
	partial bool
}

// run reads, checks and answers a request.
func (x *graphQLExec) run(ctx context.Context, body []byte) (any, error) {
	if len(body) > maxGraphQLBytes {
		return nil, gqlerror.Errorf("a request has at most %d bytes", maxGraphQLBytes)
	}
	var r graphQLRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&r); err != nil {
		return nil, gqlerror.Errorf("the body is no JSON object with query and variables")
	}
	var err error
	x.doc, err = parser.ParseQueryWithTokenLimit(&ast.Source{Input: r.Query}, maxGraphQLTokens)
	if err != nil {
		return nil, err
	}
	// What a variable's scalar is called does not matter: every client calls them otherwise.
	checks := rules.NewDefaultRules()
	checks.RemoveRule(rules.VariablesInAllowedPositionRule.Name)
	if list := validator.ValidateWithRules(x.schema, x.doc, checks); len(list) > 0 {
		return nil, list
	}
	op, err := x.operation(r.OperationName)
	if err != nil {
		return nil, err
	}
	if x.vars, err = validator.VariableValues(x.schema, op, r.Variables); err != nil {
		return nil, gqlerror.Errorf("variables: %s", err.Error())
	}
	return x.object(ctx, op.SelectionSet, x.root)
}

func (x *graphQLExec) operation(name string) (*ast.OperationDefinition, error) {
	op := x.doc.Operations.ForName(name)
	if op == nil || name == "" && len(x.doc.Operations) > 1 {
		return nil, gqlerror.Errorf("there is no operation %q, or several without operationName", clip(name, 60))
	}
	if op.Operation != ast.Query {
		return nil, gqlerror.ErrorPosf(op.Position, "only queries are answered")
	}
	return op, nil
}

// graphQLObject is an object of an answer, in the order in which its fields were asked for.
type graphQLObject []graphQLField

type graphQLField struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o graphQLObject) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		b = fmt.Appendf(b, "%q:", f.name) // names have no signs that Go and JSON write otherwise
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// graphQLSelection is a field with all that was asked of it, in one place or several.
type graphQLSelection struct {
	*ast.Field
	all ast.SelectionSet
}

// collect gathers a set's fields by the names that they have in the answer, fragments included.
func (x *graphQLExec) collect(set ast.SelectionSet, into []graphQLSelection) ([]graphQLSelection, error) {
	for _, sel := range set {
		if x.fields++; x.fields > maxGraphQLFields {
			return nil, gqlerror.Errorf("the query asks for too much at once")
		}
		var err error
		switch sel := sel.(type) {
		case *ast.Field:
			if skip, err := x.skipped(sel.Directives); err != nil || skip {
				if err != nil {
					return nil, err
				}
				continue
			}
			into = addSelection(into, sel)
		case *ast.InlineFragment:
			if skip, e := x.skipped(sel.Directives); e != nil || skip {
				err = e
				break
			}
			into, err = x.collect(sel.SelectionSet, into)
		case *ast.FragmentSpread:
			if skip, e := x.skipped(sel.Directives); e != nil || skip || sel.Definition == nil {
				err = e
				break
			}
			into, err = x.collect(sel.Definition.SelectionSet, into)
		}
		if err != nil {
			return nil, err
		}
	}
	return into, nil
}

func addSelection(list []graphQLSelection, f *ast.Field) []graphQLSelection {
	for i := range list {
		if list[i].Alias == f.Alias {
			list[i].all = append(list[i].all, f.SelectionSet...)
			return list
		}
	}
	return append(list, graphQLSelection{f, append(ast.SelectionSet(nil), f.SelectionSet...)})
}

// skipped obeys skip and include.
func (x *graphQLExec) skipped(list ast.DirectiveList) (bool, error) {
	for _, d := range list {
		arg := d.Arguments.ForName("if")
		if arg == nil || d.Name != "skip" && d.Name != "include" {
			continue
		}
		v, err := arg.Value.Value(x.vars)
		if err != nil {
			return false, gqlerror.ErrorPosf(d.Position, "%s: %s", d.Name, err.Error())
		}
		if on, _ := v.(bool); on == (d.Name == "skip") {
			return true, nil
		}
	}
	return false, nil
}

// object answers a set: each field by of.
func (x *graphQLExec) object(ctx context.Context, set ast.SelectionSet, of func(context.Context, *graphQLSelection) (any, error)) (graphQLObject, error) {
	fields, err := x.collect(set, nil)
	if err != nil {
		return nil, err
	}
	o := graphQLObject{}
	for i := range fields {
		f := &fields[i]
		value := any(nil)
		if f.Name == "__typename" {
			value = f.ObjectDefinition.Name
		} else if value, err = of(ctx, f); err != nil {
			return nil, err
		}
		o = append(o, graphQLField{f.Alias, value})
	}
	return o, nil
}

func (x *graphQLExec) root(ctx context.Context, f *graphQLSelection) (any, error) {
	if strings.HasPrefix(f.Name, "__") {
		return nil, gqlerror.ErrorPosf(f.Position, "the schema is not told by introspection: it is in the documentation of analytics")
	}
	return x.object(ctx, f.all, x.viewer)
}

func (x *graphQLExec) viewer(ctx context.Context, f *graphQLSelection) (any, error) {
	if f.Name != "accounts" {
		return nil, gqlerror.ErrorPosf(f.Position, "there is no budget here") // the schema has no other field
	}
	filter, err := x.argument(f, "filter")
	if err != nil {
		return nil, err
	}
	of, _ := filter.(map[string]any)
	tag, _ := of["accountTag"].(string)
	if tag == "" {
		return nil, gqlerror.ErrorPosf(f.Position, "accounts needs a filter that names accountTag")
	}
	a, err := AccountPath{tag}.account(x.s.Settings())
	if c := x.caller; err == nil && (c.token != nil || c.session != nil) && !c.sees(a.ID) {
		_, err = AccountPath{}.account(x.s.Settings()) // as for any that does not exist
	}
	if err != nil {
		return nil, err
	}
	one, err := x.object(ctx, f.all, func(ctx context.Context, f *graphQLSelection) (any, error) {
		if f.Name == "accountTag" {
			return tag, nil
		}
		return x.adaptiveGroups(ctx, a.ID, f)
	})
	if err != nil {
		return nil, err
	}
	return []any{one}, nil
}

// argument returns an argument's value; nil: it was not given.
func (x *graphQLExec) argument(f *graphQLSelection, name string) (any, error) {
	arg := f.Arguments.ForName(name)
	if arg == nil {
		return nil, nil
	}
	v, err := arg.Value.Value(x.vars)
	if err != nil {
		return nil, gqlerror.ErrorPosf(arg.Position, "%s: %s", name, err.Error())
	}
	return v, nil
}
