package sluice

import "time"

// Ending says how an exchange ended. Values are stored in logs: never renumber.
type Ending uint8

// The endings; docs/streams.md tells what client, log and bill see of each.
const (
	EndingUnknown     Ending = iota
	EndingComplete           // the whole answer reached the client
	EndingRefused            // Sluice answered itself, without calling a provider
	EndingUnreachable        // no connection, or none that carried an answer
	EndingTimeout            // no answer in time
	EndingCut                // the upstream broke off after it had begun to answer
	EndingStalled            // the upstream fell silent after it had begun to answer
	EndingErrorEvent         // the stream carried an error event
	EndingClientGone         // the client left
	EndingClientSlow         // the client took no byte for too long
	EndingShutdown           // Sluice stopped
	EndingCrashed            // the process ended without a word; written at the next start
	EndingPanic              // a fault of ours
	EndingInFlight           // not ended yet: only in live views, never stored
)

// String returns the ending as the API shows it.
func (e Ending) String() string {
	names := [...]string{
		"unknown", "complete", "refused", "unreachable", "timeout", "cut", "stalled", "error_event",
		"client_gone", "client_slow", "shutdown", "crashed", "panic", "in_flight",
	}
	if int(e) < len(names) {
		return names[e]
	}
	return "unknown"
}

// CacheStatus says what the response cache did. Values are stored in logs: never renumber.
type CacheStatus uint8

// The cache statuses. CacheOff: the cache was not asked.
const (
	CacheOff CacheStatus = iota
	CacheMiss
	CacheHit
)

// Timeline holds the moments of an exchange as durations since its start. Zero: it never came to that.
type Timeline struct {
	Received   time.Duration // the request body was read
	Connected  time.Duration // a connection to the upstream was at hand
	Sent       time.Duration // the request was written to it
	FirstByte  time.Duration // the answer's head was read
	FirstToken time.Duration // the first event with content passed
	End        time.Duration // the last byte was handed to the client, or the exchange ended otherwise
}

// Attempt is one try at one target.
type Attempt struct {
	Step     int           // of the universal request, from 0
	Provider string        //
	Model    string        //
	Host     string        // where it went, without path and query
	Status   int           // of the answer; 0: there was none
	Cause    string        // why there was no answer or the answer did not serve; "" when it served
	Start    time.Duration // since the exchange's start
	Connect  time.Duration // time spent until a connection was at hand; 0 when one was reused
	First    time.Duration // from the attempt's start to the answer's head; 0: none came
	End      time.Duration // from the attempt's start to its end
	Reused   bool          // the connection had carried a request before
	Usage    Usage
	Cost     NanoUSD
	Priced   bool // Cost is known
}

// MetaValue is one entry of an exchange's metadata. Kind tells the JSON type it was sent as.
type MetaValue struct {
	Key   string
	Value string // string: as it is; number: its JSON text; boolean: "true" or "false"
	Kind  MetaKind
}

// MetaKind is the JSON type of a metadata value. Values are stored in logs: never renumber.
type MetaKind uint8

// The kinds of metadata values.
const (
	MetaString MetaKind = iota
	MetaNumber
	MetaBool
)

// Body tells what is known of a request's or an answer's body. The bytes themselves are kept apart
// from the LogEntry.
type Body struct {
	Size      int64  // true size on the wire, after transfer coding is removed
	Stored    int64  // how many bytes of it the log kept, from its beginning
	Type      string // Content-Type
	Encoding  string // Content-Encoding; stored bytes are still encoded
	Truncated bool   // the log's cap cut it
	Dropped   bool   // not stored for lack of room, which is counted
	Off       bool   // not stored because a setting or a header said so
}

// Saving is what a cache hit has spared.
type Saving struct {
	Cost   NanoUSD       // what the answer would have cost by the price catalogue
	Priced bool          // Cost is known
	Time   time.Duration // how much sooner it was there than when the provider gave it; 0: not known, or no sooner
}

// LogEntry is the log's row of one exchange: everything but the bodies. Unknown strings are empty;
// unknown numbers are what the field's comment says.
type LogEntry struct {
	ID       ID
	Start    time.Time // wall clock, UTC
	Account  string
	Gateway  string
	Provider string // slug, "" when the request never named one that exists
	Model    string // as the request asked for it
	Served   string // the model that the answer names
	Endpoint string // name in the endpoint table: "chat/completions", "messages"; "" unknown
	Method   string
	Path     string // after the provider, with the query, credentials in it redacted
	Type     string // what surface it came by: "" provider endpoint, "universal", "websocket" (the same, as messages), "realtime"

	Status    int // what the client got; 499 when it left before a status was sent; 0: not answered
	Success   bool
	Ending    Ending
	ErrorKind string // short and groupable: "dial", "tls", "dns", "upstream_status", "body_too_large"
	ErrorText string // for people, at most 1 KB, no secrets
	Streamed  bool   // the answer came as a stream of events
	Cache     CacheStatus
	// CacheReason says in a word or two why the cache did not answer: "no entry", "expired", "skipped";
	// or, at a hit, how it did: "" from an entry, "shared" from another caller's call that was under way.
	CacheReason string
	Step        int    // of the universal request: the one whose answer the client got, from 0
	Key         string // the caller's gateway token by name, never the token
	UserAgent   string
	EventID     string
	TraceID     string
	Metadata    []MetaValue
	Timeline    Timeline
	Request     Body
	Response    Body
	ReqHeader   Header // as received, credentials redacted
	RespHeader  Header // as sent
	Attempts    []Attempt
	Usage       Usage     // of the model that answered
	Charges     []Charge  // of other models that took part, beside Usage; MaxCharges at most
	Cost        NanoUSD   // of the whole exchange: Usage, Charges, and what other attempts used
	Priced      bool      // Cost is known; otherwise it is null, never 0
	CostBasis   CostBasis // where Cost comes from
	Saved       Saving    // of a cache hit
	Prices      string    // version of the price catalogue that Cost was made with
	Tier        string    // service tier that the answer names: "batch", "priority", …; "" the ordinary one
	Geo         string    // place that the answer names, where that has a price of its own
	Finish      string
	Feedback    int8    // -1, 0 (none), 1
	Score       float64 // people's; NaN is not allowed, 0 with Scored false: none
	Scored      bool
	Notes       []string // remarks for whoever looks: "ambiguous", "invalid cf-aig-cache-ttl", …
}

// Reset empties e but keeps the slices' room, so that a LogEntry can be used again.
func (e *LogEntry) Reset() {
	*e = LogEntry{
		Metadata: e.Metadata[:0], ReqHeader: e.ReqHeader[:0], RespHeader: e.RespHeader[:0],
		Attempts: e.Attempts[:0], Charges: e.Charges[:0], Notes: e.Notes[:0],
	}
}
