package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/routing"
)

// dynamicRoutes are the API's routes of dynamic routes. Three envelopes are around their answers, as in the
// reference: result, data for lists, and route for a change of the name.
func dynamicRoutes() []route {
	const routes = scope + "/gateways/{gateway}/routes"
	return []route{
		get(RoleViewer, routes, "list-routes", "List dynamic routes", handle((*server).listRoutes)),
		edit(http.MethodPost, routes, "create-route", "Create a dynamic route, and deploy its first version", handle((*server).createRoute)),
		check(routes+"/validate", "validate-route", "Check elements without storing them (ours)", handle((*server).validateRoute)),
		get(RoleViewer, routes+"/{id}", "get-route", "Get a dynamic route", handle((*server).getRoute)),
		edit(http.MethodPatch, routes+"/{id}", "rename-route", "Rename a dynamic route", handle((*server).renameRoute)),
		edit(http.MethodDelete, routes+"/{id}", "delete-route", "Delete a dynamic route", handle((*server).deleteRoute)),
		get(RoleViewer, routes+"/{id}/versions", "list-route-versions", "List the versions of a dynamic route, newest first", handle((*server).listRouteVersions)),
		edit(http.MethodPost, routes+"/{id}/versions", "create-route-version", "Create a version of a dynamic route, which serves when it is deployed", handle((*server).createRouteVersion)),
		get(RoleViewer, routes+"/{id}/versions/{version_id}", "get-route-version", "Get a version of a dynamic route", handle((*server).getRouteVersion)),
		get(RoleViewer, routes+"/{id}/deployments", "list-route-deployments", "List the deployments of a dynamic route, newest first", handle((*server).listRouteDeployments)),
		edit(http.MethodPost, routes+"/{id}/deployments", "create-route-deployment", "Deploy a version of a dynamic route, an earlier one to roll back", handle((*server).createRouteDeployment)),
	}
}

// check is a route by POST that changes nothing: its body is too large for a query.
func check(pattern, id, summary string, register func(*server, huma.API, huma.Operation)) route {
	rt := get(RoleViewer, pattern, id, summary, register)
	rt.Method = http.MethodPost
	return rt
}

// Elements are those of a dynamic route, as they were sent.
type Elements struct{ json.RawMessage }

// Schema describes them roughly: the package routing is stricter, and says more.
func (Elements) Schema(huma.Registry) *huma.Schema {
	text := &huma.Schema{Type: huma.TypeString}
	return &huma.Schema{
		Type: huma.TypeArray, Description: "start, conditional, percentage, rate, model and end elements; docs/routes.md describes them",
		Items: &huma.Schema{
			Type: huma.TypeObject, AdditionalProperties: true,
			Properties: map[string]*huma.Schema{
				"id": text, "type": text,
				"outputs":    {Type: huma.TypeObject, AdditionalProperties: true},
				"properties": {Type: huma.TypeObject, AdditionalProperties: true},
			},
		},
	}
}

// RouteView is a dynamic route.
type RouteView struct {
	ID         string               `json:"id"`
	AccountTag string               `json:"account_tag"`
	GatewayID  string               `json:"gateway_id"`
	Name       string               `json:"name" doc:"calls name it as their model: dynamic/{name}"`
	Elements   Elements             `json:"elements" doc:"of the deployed version"`
	CreatedAt  string               `json:"created_at" format:"date-time"`
	ModifiedAt string               `json:"modified_at" format:"date-time"`
	Version    *RouteVersionView    `json:"version,omitempty" doc:"the deployed one"`
	Deployment *RouteDeploymentView `json:"deployment,omitempty"`
	Revision   int64                `json:"revision" doc:"ours: another one after every change; the ETag"`
}

// RouteVersionView is a version of a dynamic route.
type RouteVersionView struct {
	VersionID string `json:"version_id"`
	Active    string `json:"active" enum:"true,false" doc:"whether it is deployed"`
	Data      string `json:"data" doc:"its elements, JSON in a text"`
	IsValid   bool   `json:"is_valid" doc:"whether it can be deployed"`
	CreatedAt string `json:"created_at" format:"date-time"`
}

// RouteDeploymentView is the deployment of a version.
type RouteDeploymentView struct {
	DeploymentID string `json:"deployment_id"`
	VersionID    string `json:"version_id"`
	CreatedAt    string `json:"created_at" format:"date-time"`
}

func viewRoute(r *object.Route) RouteView {
	v := viewBareRoute(r)
	version, deployment := viewRouteVersion(&r.Active), viewRouteDeployment(&r.Deployment)
	v.Version, v.Deployment = &version, &deployment
	return v
}

// viewBareRoute leaves out version and deployment, as answers to changes do.
func viewBareRoute(r *object.Route) RouteView {
	return RouteView{
		ID: r.ID, AccountTag: r.Account, GatewayID: r.Gateway, Name: r.Name, Elements: Elements{r.Active.Elements},
		CreatedAt: stamp(r.Created), ModifiedAt: stamp(r.Modified), Revision: r.Record.Version,
	}
}

func viewRouteVersion(v *object.RouteVersion) RouteVersionView {
	return RouteVersionView{
		VersionID: v.ID, Active: strconv.FormatBool(v.Active), Data: string(v.Elements), IsValid: v.Valid(), CreatedAt: stamp(v.Created),
	}
}

func viewRouteDeployment(d *object.Deployment) RouteDeploymentView {
	return RouteDeploymentView{DeploymentID: d.ID, VersionID: d.Version, CreatedAt: stamp(d.Created)}
}

// DataEnvelope is around lists of what belongs to dynamic routes.
type DataEnvelope[T any] struct {
	Success  bool      `json:"success"`
	Data     T         `json:"data"`
	Errors   []Fault   `json:"errors"`
	Messages []Message `json:"messages"`
}

func dataAnswer[T any](data T) *output[DataEnvelope[T]] {
	return &output[DataEnvelope[T]]{DataEnvelope[T]{Success: true, Data: data, Errors: []Fault{}, Messages: []Message{}}}
}

// DataInfo says where in a list the page lies.
type DataInfo struct {
	Page             int    `json:"page"`
	PerPage          int    `json:"per_page"`
	OrderBy          string `json:"order_by"`
	OrderByDirection string `json:"order_by_direction"`
	TotalCount       int64  `json:"total_count" doc:"ours"`
}

func (p Paging) data(direction string, total int64) DataInfo {
	return DataInfo{Page: p.Page, PerPage: p.PerPage, OrderBy: "created_at", OrderByDirection: direction, TotalCount: total}
}

type listRoutesInput struct {
	GatewayPath
	Paging
	Search string `query:"search" doc:"ours: part of the name"`
	Name   string `query:"name" doc:"ours: only the one of this name"`
}

// RouteList is a page of dynamic routes.
type RouteList struct {
	DataInfo
	Routes []RouteView `json:"routes"`
}

func (s *server) listRoutes(ctx context.Context, in *listRoutesInput) (*output[DataEnvelope[RouteList]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	routes, total, err := s.Objects.ListRoutes(ctx, object.Query{Place: at, Name: in.Name, Search: in.Search, Limit: in.PerPage, Offset: in.offset()})
	if err != nil {
		return nil, err
	}
	list := RouteList{DataInfo: in.data("asc", total), Routes: make([]RouteView, 0, len(routes))}
	for i := range routes {
		list.Routes = append(list.Routes, viewRoute(&routes[i]))
	}
	return dataAnswer(list), nil
}

type createRouteInput struct {
	GatewayPath
	Body struct {
		_        struct{} `json:"-" additionalProperties:"true"`
		Name     string   `json:"name"`
		Elements Elements `json:"elements"`
	}
}

func (s *server) createRoute(ctx context.Context, in *createRouteInput) (*tagged[Envelope[RouteView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.CreateRoute(ctx, at, in.Body.Name, in.Body.Elements.RawMessage)
	if err != nil {
		return nil, ofBody(err)
	}
	out := answer(viewRoute(&r))
	s.audit(ctx, "", auditObject(&r.Record), nil, out.Body.Result)
	out.Body.Messages = s.routeWarnings(at.Account, r.Active.Elements)
	return tag(r.Record.Version, out), nil
}

// routeWarnings says what of a route that is valid may not be meant.
func (s *server) routeWarnings(account string, elements []byte) []Message {
	messages := []Message{}
	for _, i := range s.routeIssues(account, elements) {
		if i.Warning {
			messages = append(messages, Message{Code: codeInvalid, Message: i.Field + ": " + i.Message})
		}
	}
	return messages
}

// routeIssues lists all that is to be said of elements, unknown providers too.
func (s *server) routeIssues(account string, elements []byte) routing.Issues {
	graph, issues := routing.Parse(elements)
	if graph == nil {
		return issues
	}
	settings := s.Settings()
	for i := range graph.Elements {
		e := &graph.Elements[i]
		if e.Model == nil {
			continue
		}
		if _, known := settings.Provider(account, e.Model.Provider); !known {
			issues = append(issues, routing.Issue{
				Element: e.ID, Field: "elements[" + strconv.Itoa(i) + "].properties.provider", Warning: true,
				Message: "there is no provider " + clip(e.Model.Provider, 64), Hint: "docs/providers.md lists the slugs",
			})
		}
	}
	return issues
}

type validateRouteInput struct {
	GatewayPath
	Body struct {
		_        struct{} `json:"-" additionalProperties:"true"`
		Elements Elements `json:"elements"`
	}
}

// RouteCheck is what was found of elements.
type RouteCheck struct {
	IsValid bool           `json:"is_valid"`
	Issues  routing.Issues `json:"issues"`
}

func (s *server) validateRoute(_ context.Context, in *validateRouteInput) (*output[Envelope[RouteCheck]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	issues := s.routeIssues(at.Account, in.Body.Elements.RawMessage)
	return answer(RouteCheck{IsValid: len(issues.Errors()) == 0, Issues: append(routing.Issues{}, issues...)}), nil
}

func (s *server) getRoute(ctx context.Context, in *ObjectPath) (*tagged[Envelope[RouteView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.GetRoute(ctx, at, in.ID)
	if err != nil {
		return nil, err
	}
	return tag(r.Record.Version, answer(viewRoute(&r))), nil
}

type renameRouteInput struct {
	ObjectPath
	IfMatch
	Body struct {
		_    struct{} `json:"-" additionalProperties:"true"`
		Name string   `json:"name"`
	}
}

// RouteEnvelope is around the answer to a change of a route's name.
type RouteEnvelope struct {
	Success  bool      `json:"success"`
	Route    RouteView `json:"route"`
	Errors   []Fault   `json:"errors"`
	Messages []Message `json:"messages"`
}

func (s *server) renameRoute(ctx context.Context, in *renameRouteInput) (*tagged[RouteEnvelope], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	was, err := in.was()
	if err != nil {
		return nil, err
	}
	before, err := s.Objects.GetRoute(ctx, at, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.RenameRoute(ctx, at, in.ID, was, in.Body.Name)
	if err != nil {
		return nil, s.conflictingRoute(ctx, err, at, in.Body)
	}
	s.audit(ctx, "", auditObject(&r.Record), viewRoute(&before), viewRoute(&r))
	return tag(r.Record.Version, &output[RouteEnvelope]{RouteEnvelope{Success: true, Route: viewRoute(&r), Errors: []Fault{}, Messages: []Message{}}}), nil
}

// conflictingRoute is conflicting for a route, which is more than its record.
func (s *server) conflictingRoute(ctx context.Context, err error, at object.Place, sent any) error {
	return conflicting(err, sent, func(c *object.Record) (any, error) {
		r, err := s.Objects.GetRoute(ctx, at, c.ID)
		return viewRoute(&r), err
	})
}

func (s *server) deleteRoute(ctx context.Context, in *deleteObjectInput) (*output[Envelope[RouteView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.GetRoute(ctx, at, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err := s.deleteObject(ctx, in, object.KindRoute); err != nil {
		return nil, s.conflictingRoute(ctx, err, at, nil)
	}
	s.audit(ctx, "", auditObject(&r.Record), viewRoute(&r), nil)
	return answer(viewBareRoute(&r)), nil
}

type listOfRouteInput struct {
	ObjectPath
	Paging
}

// RouteVersionList is a page of a route's versions.
type RouteVersionList struct {
	DataInfo
	Versions []RouteVersionView `json:"versions"`
}

func (s *server) listRouteVersions(ctx context.Context, in *listOfRouteInput) (*output[DataEnvelope[RouteVersionList]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	versions, total, err := s.Objects.ListVersions(ctx, at, in.ID, in.PerPage, in.offset())
	if err != nil {
		return nil, err
	}
	list := RouteVersionList{DataInfo: in.data("desc", total), Versions: make([]RouteVersionView, 0, len(versions))}
	for i := range versions {
		list.Versions = append(list.Versions, viewRouteVersion(&versions[i]))
	}
	return dataAnswer(list), nil
}

type createRouteVersionInput struct {
	ObjectPath
	Draft bool `query:"draft" doc:"ours: store it although it has errors; it cannot be deployed then"`
	Body  struct {
		_        struct{} `json:"-" additionalProperties:"true"`
		Elements Elements `json:"elements"`
	}
}

// NewRouteVersion is the answer to a new version: its route, with the version's elements.
type NewRouteVersion struct {
	RouteView
	VersionID string         `json:"version_id" doc:"ours: what to deploy"`
	IsValid   bool           `json:"is_valid" doc:"ours: whether it can be deployed"`
	Issues    routing.Issues `json:"issues" doc:"ours: what is wrong with it, or perhaps not meant"`
}

func (s *server) createRouteVersion(ctx context.Context, in *createRouteVersionInput) (*output[Envelope[NewRouteVersion]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	r, v, err := s.Objects.AddVersion(ctx, at, in.ID, in.Body.Elements.RawMessage, in.Draft)
	if err != nil {
		return nil, err
	}
	made := NewRouteVersion{RouteView: viewBareRoute(&r), VersionID: v.ID, IsValid: v.Valid(), Issues: append(routing.Issues{}, s.routeIssues(at.Account, v.Elements)...)}
	made.Elements = Elements{v.Elements}
	s.audit(ctx, "", audit.Object{Kind: string(object.KindVersion), ID: v.ID, Name: r.Name}, nil, made)
	out := answer(made)
	out.Body.Messages = s.routeWarnings(at.Account, v.Elements)
	return out, nil
}

type routeVersionInput struct {
	ObjectPath
	VersionID string `path:"version_id" doc:"id of the version"`
}

// FullRouteVersion is a version with its route's name.
type FullRouteVersion struct {
	ID         string `json:"id" doc:"of the route"`
	GatewayID  string `json:"gateway_id"`
	Name       string `json:"name"`
	ModifiedAt string `json:"modified_at" format:"date-time"`
	RouteVersionView
	Elements Elements       `json:"elements"`
	Issues   routing.Issues `json:"issues" doc:"ours: what is wrong with it, or perhaps not meant"`
}

func (s *server) getRouteVersion(ctx context.Context, in *routeVersionInput) (*output[Envelope[FullRouteVersion]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	r, v, err := s.Objects.GetVersion(ctx, at, in.ID, strings.ToLower(in.VersionID))
	if err != nil {
		return nil, err
	}
	return answer(FullRouteVersion{
		ID: r.ID, GatewayID: r.Gateway, Name: r.Name, ModifiedAt: stamp(r.Modified), RouteVersionView: viewRouteVersion(&v),
		Elements: Elements{v.Elements}, Issues: append(routing.Issues{}, s.routeIssues(at.Account, v.Elements)...),
	}), nil
}

// RouteDeploymentList is a page of a route's deployments.
type RouteDeploymentList struct {
	DataInfo
	Deployments []RouteDeploymentView `json:"deployments"`
}

func (s *server) listRouteDeployments(ctx context.Context, in *listOfRouteInput) (*output[DataEnvelope[RouteDeploymentList]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	deployments, total, err := s.Objects.ListDeployments(ctx, at, in.ID, in.PerPage, in.offset())
	if err != nil {
		return nil, err
	}
	list := RouteDeploymentList{DataInfo: in.data("desc", total), Deployments: make([]RouteDeploymentView, 0, len(deployments))}
	for i := range deployments {
		list.Deployments = append(list.Deployments, viewRouteDeployment(&deployments[i]))
	}
	return dataAnswer(list), nil
}

type createRouteDeploymentInput struct {
	ObjectPath
	IfMatch
	Body struct {
		_         struct{} `json:"-" additionalProperties:"true"`
		VersionID string   `json:"version_id"`
	}
}

func (s *server) createRouteDeployment(ctx context.Context, in *createRouteDeploymentInput) (*tagged[Envelope[RouteView]], error) {
	at, err := in.at(s.Settings())
	if err != nil {
		return nil, err
	}
	was, err := in.was()
	if err != nil {
		return nil, err
	}
	before, err := s.Objects.GetRoute(ctx, at, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.Deploy(ctx, at, in.ID, was, strings.ToLower(in.Body.VersionID))
	if err != nil {
		return nil, s.conflictingRoute(ctx, err, at, in.Body)
	}
	s.audit(ctx, "deploy", auditObject(&r.Record), viewRoute(&before), viewRoute(&r))
	s.Logger.InfoContext(ctx, "dynamic route deployed", "account", at.Account, "gateway", at.Gateway, "route", r.Name, "version", r.Active.ID)
	return tag(r.Record.Version, answer(viewRoute(&r))), nil
}

// ofBody is inBody for an error that may list all that is wrong with a route.
func ofBody(err error) error {
	if _, whole := errors.AsType[*object.InvalidRoute](err); whole {
		return err
	}
	return inBody(err)
}

// routeFailure says all that is wrong with a route.
func routeFailure(e *object.InvalidRoute) *Failure {
	var faults gateway.Faults
	for _, i := range e.Issues.Errors() {
		msg := i.Message
		if i.Element != "" {
			msg = "element " + strconv.Quote(clip(i.Element, 64)) + ": " + msg
		}
		faults = append(faults, &sluice.Error{Kind: sluice.KindInvalid, Field: i.Field, Msg: msg, Hint: i.Hint})
	}
	return bodyFailure(faults)
}
