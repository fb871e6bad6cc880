package object

import (
	"context"
	"iter"
	"maps"

	"github.com/sluicehq/sluice/internal/routing"
)

// Snapshot is what requests need of the objects, as it is at one moment. Nothing changes it.
type Snapshot struct {
	hosts  map[string]Place
	routes map[Place]map[string]*Deployed
}

// Deployed is a route that serves calls.
type Deployed struct {
	Route, Version string // ids
	Name           string // calls name it: dynamic/{name}
	Graph          *routing.Graph
}

// Hosts yields the custom domains with the gateways that they mean.
func (s *Snapshot) Hosts() iter.Seq2[string, Place] { return maps.All(s.hosts) }

// Route finds the deployed route of a name in a gateway.
func (s *Snapshot) Route(at Place, name string) (*Deployed, bool) {
	d, ok := s.routes[at][name]
	return d, ok
}

// build reads what a snapshot holds. Graphs that before has already are taken from there: a version never changes.
func (s *Set) build(ctx context.Context, before *Snapshot) (*Snapshot, error) {
	now := &Snapshot{hosts: map[string]Place{}, routes: map[Place]map[string]*Deployed{}}
	domains, _, err := s.List(ctx, Query{Kind: KindDomain})
	if err != nil {
		return nil, err
	}
	for i := range domains {
		now.hosts[domains[i].ID] = domains[i].Place
	}
	routes, _, err := s.List(ctx, Query{Kind: KindRoute})
	if err != nil {
		return nil, err
	}
	for i := range routes {
		d, err := s.deployed(ctx, &routes[i], before)
		if err != nil {
			return nil, err
		}
		if d == nil {
			continue
		}
		at := routes[i].Place
		if now.routes[at] == nil {
			now.routes[at] = map[string]*Deployed{}
		}
		now.routes[at][d.Name] = d
	}
	return now, nil
}

// deployed compiles the deployed version of a route. nil: it cannot be, which an older release may have let in.
func (s *Set) deployed(ctx context.Context, r *Record, before *Snapshot) (*Deployed, error) {
	var data routeData
	if err := r.Decode(&data); err != nil {
		return nil, err
	}
	d := &Deployed{Route: r.ID, Version: data.Version, Name: r.Name}
	for _, old := range before.routes[r.Place] {
		if old.Version == d.Version {
			d.Graph = old.Graph
			return d, nil
		}
	}
	v, err := s.version(ctx, r, data.Version)
	if err != nil {
		return nil, err
	}
	graph, issues := routing.Parse(v.Elements)
	if graph == nil {
		s.logger.ErrorContext(ctx, "a deployed route cannot be read: calls of it fail", "account", r.Account, "gateway", r.Gateway, "route", r.Name, "issue", issues[0].Message)
		return nil, nil
	}
	d.Graph = graph
	return d, nil
}
