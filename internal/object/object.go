// Package object keeps the small things that operators make beside gateways: datasets and evaluations, saved
// views, custom domains, and dynamic routes with their versions and deployments. They lie in one Store, each
// with a version that counts its changes; what requests need of them is in a Snapshot, which nothing changes.
//
// An object belongs to a gateway or to an account, and goes when its gateway goes. What it says beyond its name
// is JSON in a form of its kind (Dataset, Evaluation, View, Domain, Route, RouteVersion).
package object

import (
	"encoding/json"
	"fmt"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Kind is what an object is. Kinds are stored: never rename one.
type Kind string

// The kinds.
const (
	KindDataset    Kind = "dataset"
	KindEvaluation Kind = "evaluation"
	KindView       Kind = "view"
	KindDomain     Kind = "domain"     // its id is the host name
	KindRoute      Kind = "route"      // its name is unique in its gateway
	KindVersion    Kind = "version"    // of a route, which is its parent
	KindDeployment Kind = "deployment" // likewise
)

// noun is what a kind is called in messages.
func (k Kind) noun() string {
	return map[Kind]string{KindDomain: "custom domain", KindVersion: "version", KindRoute: "route"}[k]
}

// Place is where an object belongs. Gateway "": to the account.
type Place struct{ Account, Gateway string } // ids, never aliases

// Record is an object as a store keeps it.
type Record struct {
	Kind Kind
	ID   string // no other of its kind has it
	Place
	Parent   string // id of the object that it goes with; "": none
	Name     string // as people call it
	Unique   string // no other of its kind in its place has it; "": not asked for
	Version  int64  // from 1, one more after each change
	Data     []byte // JSON
	Created  time.Time
	Modified time.Time // to the microsecond, as Created
}

// Decode reads the object's data.
func (r *Record) Decode(into any) error {
	if err := json.Unmarshal(r.Data, into); err != nil {
		return fmt.Errorf("read %s %s: %w", r.Kind, r.ID, err)
	}
	return nil
}

// Conflict is the error of a change that was made from another version than the one that is there. Its Kind is
// sluice.KindConflict.
type Conflict struct{ Current Record }

// Error says what happened.
func (c *Conflict) Error() string { return c.Unwrap().Error() }

// Unwrap returns what the caller sees.
func (c *Conflict) Unwrap() error {
	return &sluice.Error{
		Kind: sluice.KindConflict, Field: "version", Msg: "it was changed in the meantime",
		Hint: "look at what is there now, then send the change with its version in If-Match",
	}
}

// Most objects of a kind in one place, and most versions and deployments of a route; of those the oldest go.
const (
	MaxObjects  = 1000
	maxVersions = 200
)

// Dataset is a saved filter over a gateway's log: its conditions must all hold.
type Dataset struct {
	Enable  bool        `json:"enable"`
	Filters []Condition `json:"filters"`
}

// Condition is one condition of a dataset, in the reference's words.
type Condition struct {
	Key      string            `json:"key"`
	Operator string            `json:"operator"`
	Value    []json.RawMessage `json:"value"` // texts, numbers and booleans
}

// Evaluation is what was computed over datasets: a snapshot, which later logs do not change.
type Evaluation struct {
	Datasets  []EvaluatedDataset `json:"datasets"` // as they were
	Results   []Result           `json:"results"`
	Processed bool               `json:"processed"`
	TotalLogs int64              `json:"total_logs"`
}

// EvaluatedDataset is a dataset as it was when it was evaluated.
type EvaluatedDataset struct {
	Dataset
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Version  int64     `json:"version"`
	Created  time.Time `json:"created_at"`
	Modified time.Time `json:"modified_at"`
}

// Result is what one evaluator found.
type Result struct {
	ID        string  `json:"id"`
	Type      string  `json:"evaluation_type_id"`
	Value     *string `json:"result"` // a decimal number; nil: no log had what it needs
	Status    int     `json:"status"`
	Said      string  `json:"status_description"`
	TotalLogs int64   `json:"total_logs"`
}

// View is a page of the dashboard under a name.
type View struct {
	Gateway string `json:"gateway_id"` // "": of no one gateway
	Page    string `json:"page"`
	Query   string `json:"query"` // of the page's address
	Shared  bool   `json:"shared"`
	Owner   string `json:"owner"` // who made it
}

// Domain is a host name that means its gateway.
type Domain struct {
	Zone string `json:"zone_id"` // as the caller gave it
}
