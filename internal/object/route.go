package object

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/routing"
)

// Route is a dynamic route, with the version that serves.
type Route struct {
	Record
	Active     RouteVersion
	Deployment Deployment
}

// RouteVersion is a state of a route's elements. It never changes.
type RouteVersion struct {
	ID       string
	Elements json.RawMessage // the list as it was sent, without the space between
	Active   bool            // it is deployed
	Issues   routing.Issues  // what is wrong with it; a version with errors is a draft, which cannot be deployed
	Created  time.Time
}

// Valid reports whether the version can be deployed.
func (v *RouteVersion) Valid() bool { return len(v.Issues.Errors()) == 0 }

// Deployment is the moment at which a version began to serve.
type Deployment struct {
	ID, Version string
	Created     time.Time
}

// InvalidRoute is the error of elements that are no route. Its Kind is sluice.KindInvalid.
type InvalidRoute struct{ Issues routing.Issues }

// Error names the first issue.
func (e *InvalidRoute) Error() string { return e.Unwrap().Error() }

// Unwrap returns what the caller sees of it.
func (e *InvalidRoute) Unwrap() error {
	first := e.Issues.Errors()[0]
	return &sluice.Error{Kind: sluice.KindInvalid, Field: first.Field, Msg: first.Message, Hint: first.Hint}
}

// The stored forms.
type (
	routeData struct {
		Version    string    `json:"version"`    // id of the deployed version
		Deployment string    `json:"deployment"` // id
		Deployed   time.Time `json:"deployed"`
	}
	versionData struct {
		Elements json.RawMessage `json:"elements"`
	}
	deploymentData struct {
		Version string `json:"version"`
	}
)

// maxRouteName bounds a route's name, in characters.
const maxRouteName = 64

// routeName checks a name: calls write it behind dynamic/ in a model's name.
func routeName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > maxRouteName || strings.TrimSpace(name) != name ||
		strings.ContainsFunc(name, func(r rune) bool { return r == '/' || !unicode.IsPrint(r) }) {
		return &sluice.Error{
			Kind: sluice.KindInvalid, Field: "name", Msg: fmt.Sprintf("a route's name has 1 to %d characters, and no slash", maxRouteName),
			Hint: "calls name it as their model: dynamic/{name}",
		}
	}
	return nil
}

// CreateRoute stores a route with its first version, and deploys that. Its error is an *InvalidRoute, or has
// sluice.KindInvalid, or sluice.KindConflict where the name is taken.
func (s *Set) CreateRoute(ctx context.Context, at Place, name string, elements []byte) (Route, error) {
	if err := routeName(name); err != nil {
		return Route{}, err
	}
	if _, issues := routing.Parse(elements); len(issues.Errors()) > 0 {
		return Route{}, &InvalidRoute{issues}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.room(ctx, KindRoute, at); err != nil {
		return Route{}, err
	}
	taken, _, err := s.List(ctx, Query{Kind: KindRoute, Place: at, Name: name, Limit: 1})
	if err != nil {
		return Route{}, err
	}
	if len(taken) > 0 {
		return Route{}, nameTaken()
	}
	now := time.Now()
	r, err := s.newRecord(New{Kind: KindRoute, Place: at, Name: name, Unique: name}, now)
	if err != nil {
		return Route{}, err
	}
	v, err := s.newVersion(&r, elements, now)
	if err != nil {
		return Route{}, err
	}
	d, err := s.deploy(&r, v.ID, now)
	if err != nil {
		return Route{}, err
	}
	if err := s.change(ctx, Change{Record: r}, Change{Record: v}, Change{Record: d}); err != nil {
		return Route{}, err
	}
	return s.route(ctx, r)
}

func nameTaken() error {
	return &sluice.Error{Kind: sluice.KindConflict, Field: "name", Msg: "a route of this name already exists in the gateway", Hint: "change it, or choose another name"}
}

func (s *Set) newVersion(r *Record, elements []byte, now time.Time) (Record, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, elements); err != nil {
		return Record{}, err
	}
	v, err := s.newRecord(New{Kind: KindVersion, Place: r.Place, Data: versionData{compact.Bytes()}}, now)
	v.Parent = r.ID
	return v, err
}

// deploy makes a deployment and puts it into r, whose version it leaves alone.
func (s *Set) deploy(r *Record, version string, now time.Time) (Record, error) {
	d, err := s.newRecord(New{Kind: KindDeployment, Place: r.Place, Data: deploymentData{version}}, now)
	if err != nil {
		return d, err
	}
	d.Parent = r.ID
	r.Data, err = encode(routeData{Version: version, Deployment: d.ID, Deployed: d.Created})
	return d, err
}

// GetRoute returns a route. Its error has sluice.KindNotFound.
func (s *Set) GetRoute(ctx context.Context, at Place, id string) (Route, error) {
	r, err := s.Get(ctx, at, KindRoute, id)
	if err != nil {
		return Route{}, err
	}
	return s.route(ctx, r)
}

// ListRoutes returns routes, oldest first.
func (s *Set) ListRoutes(ctx context.Context, q Query) ([]Route, int64, error) {
	q.Kind = KindRoute
	list, total, err := s.List(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	routes := make([]Route, len(list))
	for i := range list {
		if routes[i], err = s.route(ctx, list[i]); err != nil {
			return nil, 0, err
		}
	}
	return routes, total, nil
}

// route adds to a route's record what it refers to.
func (s *Set) route(ctx context.Context, r Record) (Route, error) {
	var data routeData
	if err := r.Decode(&data); err != nil {
		return Route{}, err
	}
	v, err := s.version(ctx, &r, data.Version)
	if err != nil {
		return Route{}, err
	}
	v.Active = true
	return Route{Record: r, Active: v, Deployment: Deployment{data.Deployment, data.Version, data.Deployed}}, nil
}

// version reads a version of a route. Its error has sluice.KindNotFound.
func (s *Set) version(ctx context.Context, r *Record, id string) (RouteVersion, error) {
	v, err := s.Get(ctx, r.Place, KindVersion, id)
	if err != nil {
		return RouteVersion{}, err
	}
	if v.Parent != r.ID {
		return RouteVersion{}, &sluice.Error{Kind: sluice.KindNotFound, Msg: "version not found"}
	}
	return readVersion(&v)
}

func readVersion(v *Record) (RouteVersion, error) {
	var data versionData
	if err := v.Decode(&data); err != nil {
		return RouteVersion{}, err
	}
	_, issues := routing.Parse(data.Elements)
	return RouteVersion{ID: v.ID, Elements: data.Elements, Issues: issues, Created: v.Created}, nil
}

// RenameRoute gives a route another name. was is as for Update. Its error has sluice.KindInvalid,
// sluice.KindNotFound or sluice.KindConflict.
func (s *Set) RenameRoute(ctx context.Context, at Place, id string, was int64, name string) (Route, error) {
	if err := routeName(name); err != nil {
		return Route{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.changeable(ctx, at, KindRoute, id, was)
	if err != nil {
		return Route{}, err
	}
	taken, _, err := s.List(ctx, Query{Kind: KindRoute, Place: at, Name: name, Limit: 1})
	if err != nil {
		return Route{}, err
	}
	if len(taken) > 0 && taken[0].ID != id {
		return Route{}, nameTaken()
	}
	if r, err = s.update(ctx, r, name, json.RawMessage(r.Data)); err != nil {
		return Route{}, err
	}
	return s.route(ctx, r)
}

// AddVersion stores another version of a route, which serves when it is deployed. A draft may have errors. Its
// error is an *InvalidRoute, or has sluice.KindNotFound.
func (s *Set) AddVersion(ctx context.Context, at Place, id string, elements []byte, draft bool) (Route, RouteVersion, error) {
	_, issues := routing.Parse(elements)
	if len(issues.Errors()) > 0 && (!draft || len(elements) > routing.MaxBytes || !json.Valid(elements) || !utf8.Valid(elements)) {
		return Route{}, RouteVersion{}, &InvalidRoute{issues}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.GetRoute(ctx, at, id)
	if err != nil {
		return Route{}, RouteVersion{}, err
	}
	v, err := s.newVersion(&r.Record, elements, time.Now())
	if err != nil {
		return Route{}, RouteVersion{}, err
	}
	changes, err := s.oldest(ctx, &r.Record, KindVersion, r.Active.ID)
	if err != nil {
		return Route{}, RouteVersion{}, err
	}
	if err := s.change(ctx, append([]Change{{Record: v}}, changes...)...); err != nil {
		return Route{}, RouteVersion{}, err
	}
	version, err := readVersion(&v)
	return r, version, err
}

// oldest lists what must go of a route's versions or deployments before another one comes.
func (s *Set) oldest(ctx context.Context, r *Record, kind Kind, keep string) ([]Change, error) {
	list, total, err := s.List(ctx, Query{Kind: kind, Place: r.Place, Parent: r.ID, Limit: 10})
	if err != nil {
		return nil, err
	}
	var changes []Change
	for i := range list {
		if total-int64(len(changes)) >= maxVersions && list[i].ID != keep {
			changes = append(changes, Change{Record: list[i], Was: list[i].Version, Delete: true})
		}
	}
	return changes, nil
}

// GetVersion returns a route and one of its versions. Its error has sluice.KindNotFound.
func (s *Set) GetVersion(ctx context.Context, at Place, id, version string) (Route, RouteVersion, error) {
	r, err := s.GetRoute(ctx, at, id)
	if err != nil {
		return Route{}, RouteVersion{}, err
	}
	v, err := s.version(ctx, &r.Record, version)
	v.Active = v.ID == r.Active.ID
	return r, v, err
}

// ListVersions returns a route's versions, newest first.
func (s *Set) ListVersions(ctx context.Context, at Place, id string, limit, offset int) ([]RouteVersion, int64, error) {
	r, err := s.GetRoute(ctx, at, id)
	if err != nil {
		return nil, 0, err
	}
	list, total, err := s.List(ctx, Query{Kind: KindVersion, Place: at, Parent: id, Newest: true, Limit: limit, Offset: offset})
	if err != nil {
		return nil, 0, err
	}
	versions := make([]RouteVersion, len(list))
	for i := range list {
		if versions[i], err = readVersion(&list[i]); err != nil {
			return nil, 0, err
		}
		versions[i].Active = versions[i].ID == r.Active.ID
	}
	return versions, total, nil
}

// Deploy makes a version serve, an older one too. was is as for Update. To deploy the one that serves changes
// nothing. Its error is an *InvalidRoute, a *Conflict, or has sluice.KindNotFound.
func (s *Set) Deploy(ctx context.Context, at Place, id string, was int64, version string) (Route, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.changeable(ctx, at, KindRoute, id, was)
	if err != nil {
		return Route{}, err
	}
	v, err := s.version(ctx, &r, version)
	if err != nil {
		return Route{}, err
	}
	if !v.Valid() {
		return Route{}, &InvalidRoute{v.Issues}
	}
	var data routeData
	if err := r.Decode(&data); err != nil {
		return Route{}, err
	}
	if data.Version == version {
		return s.route(ctx, r)
	}
	now := time.Now()
	d, err := s.deploy(&r, version, now)
	if err != nil {
		return Route{}, err
	}
	old, err := s.oldest(ctx, &r, KindDeployment, "")
	if err != nil {
		return Route{}, err
	}
	change := Change{Record: r, Was: r.Version}
	change.Version, change.Modified = r.Version+1, now.UTC().Truncate(time.Microsecond)
	if err := s.change(ctx, append([]Change{change, {Record: d}}, old...)...); err != nil {
		return Route{}, err
	}
	return s.route(ctx, change.Record)
}

// ListDeployments returns a route's deployments, newest first.
func (s *Set) ListDeployments(ctx context.Context, at Place, id string, limit, offset int) ([]Deployment, int64, error) {
	if _, err := s.Get(ctx, at, KindRoute, id); err != nil {
		return nil, 0, err
	}
	list, total, err := s.List(ctx, Query{Kind: KindDeployment, Place: at, Parent: id, Newest: true, Limit: limit, Offset: offset})
	if err != nil {
		return nil, 0, err
	}
	deployments := make([]Deployment, len(list))
	for i := range list {
		var data deploymentData
		if err := list[i].Decode(&data); err != nil {
			return nil, 0, err
		}
		deployments[i] = Deployment{list[i].ID, data.Version, list[i].Created}
	}
	return slices.Clip(deployments), total, nil
}
