package sluice

import (
	"encoding/json"
	"time"
)

// Gateway is the set of rules that a caller names in the path: the settings of one gateway, as they
// are in force. The zero value of a setting is the reference's default, "off", except where the
// field says otherwise (cloudflare-ai-gateway.md, 9.1).
type Gateway struct {
	Account string // id of the account, never an alias
	ID      string // 1 to 64 characters of a-z, 0-9, - and _
	Origin  Origin
	// Version is another one after every change of this gateway's settings: it grows, or, where the
	// configuration has them, comes from what they are. It is part of the cache's key where
	// CacheInvalidateOnUpdate says so.
	Version  int64
	Created  time.Time
	Modified time.Time

	Authentication  bool // callers need a gateway token
	CollectLogs     bool // default on
	CollectPayload  bool // default on; ours
	MetadataEntries int  // most entries kept of cf-aig-metadata; default 5; ours

	CacheTTL                time.Duration // 0: no answer is cached unless a request asks for it
	CacheInvalidateOnUpdate bool
	RateLimit               RateLimit
	Retry                   Retry
	RequestTimeout          time.Duration // to the first byte of a try; 0: none of its own; ours
	Hedge                   int           // most hedged calls, percent of all; 0: none; ours
	ByokOnly                bool          // no call without a provider key, the caller's or a stored one
	Spend                   []SpendRule   // that are in force, of SpendLimits; nil: none

	// What follows is stored and shown, and acted on by later stages.
	LogClassification     bool
	LogManagement         *int64 // most log entries; nil: no bound of its own
	LogManagementStrategy string // "STOP_INSERTING", "DELETE_OLDEST" or ""
	Logpush               bool
	LogpushPublicKey      string
	StoreID               string
	WorkersAIBillingMode  string // "postpaid" or "unified"; "" is "postpaid"
	ZDR                   bool
	DLP                   json.RawMessage // nil: null
	Guardrails            json.RawMessage
	OTel                  json.RawMessage
	SpendLimits           json.RawMessage // as it was written
	Stripe                json.RawMessage
}

// RateLimit lets at most Max requests through in a window of Per. The zero RateLimit is none.
type RateLimit struct {
	Max     int64
	Per     time.Duration // whole seconds
	Sliding bool          // any interval of Per; otherwise windows that begin at multiples of Per since 1970
}

// On reports whether there is a limit.
func (r RateLimit) On() bool { return r.Max > 0 && r.Per > 0 }

// Retry says how often a failed call is tried at one target, and how long each try waits.
type Retry struct {
	MaxAttempts int           // all tries together, 1 to 5; 0: not set, which is 1
	Delay       time.Duration // 0 to 60 s
	Backoff     Backoff
}

// Backoff is how the wait grows from try to try.
type Backoff string

// The backoffs: with the delay d they wait d, d, d; d, 2d, 3d; d, 2d, 4d. "" is constant.
const (
	BackoffConstant    Backoff = "constant"
	BackoffLinear      Backoff = "linear"
	BackoffExponential Backoff = "exponential"
)

// Origin says who manages something.
type Origin string

// The origins.
const (
	OriginBuiltin Origin = "builtin" // it exists by itself
	OriginFile    Origin = "file"    // the configuration file; read-only elsewhere
	OriginStored  Origin = "stored"  // the management API
)
