// Package routing reads dynamic routes: the elements of a graph that a request walks from its start to a model
// (cloudflare-ai-gateway.md, 5.4). It checks them and compiles them into a Graph; it stores nothing and calls
// nobody.
//
// Parse finds all that is wrong at once, each with the element and the property that it is in. Two spellings of
// the reference's pages are read alike: type rate and rate_limit, properties conditions and condition, window
// and interval.
package routing

import (
	"regexp"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Bounds of a route. What is larger is refused before it is looked at.
const (
	MaxBytes    = 256 << 10 // of the elements' JSON
	MaxElements = 100
	maxID       = 128 // characters
	maxShares   = 20  // outputs of a percentage element, else aside
	maxDepth    = 16  // of a condition
	maxTerms    = 100 // of a condition
	maxValues   = 100 // of $in and $nin
	maxText     = 1024
	maxPattern  = 256 // bytes of $regex
)

// Graph is a route that can be walked. Nothing changes it.
type Graph struct {
	Elements []Element
	Start    int // index of the element to begin with
}

// None is where an output leads that is not there: the route ends.
const None = -1

// Type is what an element does.
type Type string

// The types.
const (
	TypeStart       Type = "start"       // goes on to Yes
	TypeConditional Type = "conditional" // to Yes where When holds, else to No
	TypePercentage  Type = "percentage"  // to one of Shares by lot, No for the rest
	TypeRate        Type = "rate"        // to Yes while Rate has room, then to No
	TypeModel       Type = "model"       // to Yes once the model has begun to answer, to No when it fails
	TypeEnd         Type = "end"         // gives the last answer of a model
)

// Element is one node of a route.
type Element struct {
	ID      string
	Type    Type
	Yes, No int        // indexes in Graph.Elements, or None; Type says which is what
	When    *Condition // of a conditional
	Shares  []Share    // of a percentage
	Rate    *Rate      // of a rate
	Model   *Model     // of a model
}

// Share is an output of a percentage element.
type Share struct {
	Parts int // of 10,000
	To    int // index in Graph.Elements
}

// Rate bounds requests or money per value of a key.
type Rate struct {
	Key     Field
	Count   int64          // most requests in Window; 0: Cost bounds
	Cost    sluice.NanoUSD // most money in Window; 0: Count bounds
	Window  time.Duration  // whole seconds
	Sliding bool
}

// Model is a call of a model.
type Model struct {
	Provider string // slug or alias, as it was written
	Model    string
	Timeout  time.Duration // to the beginning of the answer; 0: no bound of its own
	Retries  int
}

// Source is where a field's value comes from.
type Source string

// The sources.
const (
	SourceBody     Source = "body"
	SourceHeader   Source = "headers"
	SourceMetadata Source = "metadata"
)

// Field names a value of the request.
type Field struct {
	Source Source
	Path   []string // of a header: its name in lower case alone
}

// Condition is a test of a request: either one operator on one field, or other conditions joined.
type Condition struct {
	Op     Op
	Of     []Condition // of OpAnd, OpOr and OpNot
	Field  Field       // of all other operators
	Values []any       // string, float64, bool or nil: one, or those of OpIn and OpNin; of OpExists a bool
	Regexp *regexp.Regexp
}

// Op is an operator of a condition.
type Op string

// The operators.
const (
	OpAnd    Op = "$and"
	OpOr     Op = "$or"
	OpNot    Op = "$not"
	OpEq     Op = "$eq"
	OpNe     Op = "$ne"
	OpGt     Op = "$gt"
	OpGte    Op = "$gte"
	OpLt     Op = "$lt"
	OpLte    Op = "$lte"
	OpIn     Op = "$in"
	OpNin    Op = "$nin"
	OpExists Op = "$exists"
	OpRegex  Op = "$regex"
)

// Issue is something that is wrong with a route, or probably not meant.
type Issue struct {
	Element string `json:"element,omitempty" doc:"id of the element"`
	Field   string `json:"field" doc:"where: elements[2].properties.limit"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty" doc:"how to put it right"`
	Warning bool   `json:"warning" doc:"true: the route works, perhaps not as meant"`
}

// Issues is all that was found, in the order of the elements.
type Issues []Issue

// Errors returns the issues that are no warnings.
func (all Issues) Errors() Issues { return all.pick(false) }

// Warnings returns the issues that keep no route from working.
func (all Issues) Warnings() Issues { return all.pick(true) }

func (all Issues) pick(warning bool) Issues {
	var some Issues
	for _, i := range all {
		if i.Warning == warning {
			some = append(some, i)
		}
	}
	return some
}
