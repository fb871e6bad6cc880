package sluice

import "time"

// SpendRule bounds what calls may cost together within a window. Where it has Metadata keys without values, there
// is a budget of its own for each combination of values that calls bring.
type SpendRule struct {
	ID        string        // names what the rule has counted: a changed rule goes on with it; 1 to 64 bytes
	Limit     NanoUSD       // above 0
	Per       time.Duration // whole seconds
	Sliding   bool          // any interval of Per; otherwise windows that begin at multiples of Per since 1970
	Providers []string      // slugs; nil: of any provider
	Models    []string      // as requests name them, * stands for any text; nil: any model
	Metadata  []SpendKey    // sorted by key; a call that lacks one of the keys is not of the rule
	Alert     bool          // it refuses nothing, and tells when the limit is reached
	Hard      bool          // a call must fit with all that was reserved for it
	Unpriced  Unpriced
}

// SpendKey says which calls a rule is of, by one entry of their metadata.
type SpendKey struct {
	Key    string
	Values []string // as texts; nil: any, each with a budget of its own
}

// Unpriced says what becomes of calls whose price nobody knows, so that they cannot be counted.
type Unpriced string

// The policies. UnpricedAllow, which "" is too: the rule is not of such a call. UnpricedFlag: the same, and its log
// entry says so. UnpricedBlock: it is refused.
const (
	UnpricedAllow Unpriced = "allow"
	UnpricedFlag  Unpriced = "flag"
	UnpricedBlock Unpriced = "block"
)
