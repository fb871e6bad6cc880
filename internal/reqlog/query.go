package reqlog

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Query asks for rows of one account. An exchange's start is here what its id says of it, to the
// millisecond, so that order, range and totals agree even when the clock stepped back.
type Query struct {
	Account string
	Gateway string    // "": all of the account's
	From    time.Time // start of the exchange, inclusive; zero: no bound
	To      time.Time // exclusive; zero: no bound
	Filter  Filter    // the zero Filter takes every row
	Order   Order
	Desc    bool
	// By gives what an endpoint is compared by in OrderEndpoint; nil: itself.
	By func(endpoint string) string
	// Cursor continues a listing: Page.Next of the page before. "" begins.
	Cursor string
	// Back reads the other way: the page before Cursor, which is Page.Prev of the page after it. Rows
	// come in the listing's own order all the same.
	Back bool
	// Offset skips rows of the listing's beginning: the reference's page numbers. Not with Cursor.
	Offset int64
	Limit  int // 1 to 1,000
}

// Order is what rows are sorted by. Only OrderTime pages by Cursor without end; the others list the
// first 1,000 of the range.
type Order uint8

// The orders.
const (
	OrderTime Order = iota
	OrderDuration
	OrderTokensIn
	OrderTokensOut
	OrderCost
	OrderProvider
	OrderModel
	OrderSuccess
	OrderCached
	OrderFeedback
	OrderEndpoint // by what Query.By makes of it
)

// Row is a stored exchange.
type Row struct {
	Entry sluice.LogEntry
	Parts [2][]Part // where the stored bodies lie, by Side; for Log.Body
}

// Page is one page of rows.
type Page struct {
	Rows []Row
	Next string // cursor of the next page; "" when there is none
	Prev string // cursor of the page before, to be asked with Back; "" when there is none
	// Total is how many rows the query has: exact when TotalExact, else from roll-ups; -1 unknown.
	Total      int64
	TotalExact bool
	Partial    bool // the scan ran out of its time before the page was full; Next goes on from there
}

// Group is what Totals are split by.
type Group string

// The groups. GroupNone gives one Total.
const (
	GroupNone      Group = ""
	GroupProvider  Group = "provider"
	GroupModel     Group = "model"
	GroupKey       Group = "key"
	GroupStatus    Group = "status"
	GroupCache     Group = "cache"
	GroupGateway   Group = "gateway"
	GroupOutcome   Group = "outcome" // see Outcome
	GroupErrorType Group = "error_type"
	GroupMetadata  Group = "metadata" // all of an entry's metadata, as MetadataText writes it; only from rows
)

// OtherValue is the group of what was counted without a value of its own, since there were too many.
const OtherValue = "other"

// MaxThen is how many groups can stand within a group.
const MaxThen = 4

// GroupMeta is the group of a metadata key's values, "" where an entry has none.
func GroupMeta(key string) Group { return Group(metaGroup + key) }

const metaGroup = "meta:"

// Meta returns the key of a metadata group.
func (g Group) Meta() (key string, ok bool) { return strings.CutPrefix(string(g), metaGroup) }

// Of returns the value of the group that an entry belongs to.
func (g Group) Of(e *sluice.LogEntry) string {
	switch g {
	case GroupNone:
		return ""
	case GroupProvider:
		return e.Provider
	case GroupModel:
		return e.Model
	case GroupKey:
		return e.Key
	case GroupStatus:
		return strconv.Itoa(e.Status)
	case GroupCache:
		return CacheName(e.Cache)
	case GroupGateway:
		return e.Gateway
	case GroupOutcome:
		return Outcome(e)
	case GroupErrorType:
		return e.ErrorKind
	case GroupMetadata:
		return MetadataText(e.Metadata)
	}
	if key, ok := g.Meta(); ok {
		value, _ := MetaOf(e, key)
		return value
	}
	return ""
}

// MetaOf returns the value that an entry is counted under for a metadata key: OtherValue when it has several.
func MetaOf(e *sluice.LogEntry, key string) (value string, found bool) {
	for i := range e.Metadata {
		switch m := &e.Metadata[i]; {
		case m.Key != key:
		case found && m.Value != value:
			return OtherValue, true
		default:
			value, found = m.Value, true
		}
	}
	return value, found
}

// MetadataText writes metadata as a JSON object, keys in their order; "" when there is none.
func MetadataText(list []sluice.MetaValue) string {
	if len(list) == 0 {
		return ""
	}
	object := make(map[string]any, len(list))
	for _, m := range list {
		object[m.Key] = m.Value
		if raw := json.RawMessage(m.Value); m.Kind != sluice.MetaString && json.Valid(raw) {
			object[m.Key] = raw
		}
	}
	b, err := json.Marshal(object)
	if err != nil {
		return "" // texts and valid JSON are written
	}
	return string(b)
}

// Outcome says in a word how an exchange went, so that each has one and only one: cached, ok, cancelled,
// rate_limited, blocked, provider_error, client_error, error.
func Outcome(e *sluice.LogEntry) string {
	ending := uint32(1) << e.Ending
	switch {
	case e.Success && e.Cache == sluice.CacheHit:
		return "cached"
	case e.Success:
		return "ok"
	case endingsCancelled&ending != 0:
		return "cancelled"
	case e.Status == 429:
		return "rate_limited"
	case e.Ending == sluice.EndingRefused:
		return "blocked"
	case endingsUnserved&ending != 0 || e.Status >= 500 && e.Status <= 599:
		return "provider_error"
	case e.Status >= 400 && e.Status <= 499:
		return "client_error"
	}
	return "error"
}

// Overhead returns how long an exchange was in Sluice's own hands: from the request's last byte to its first
// attempt, and from the end of its last one to its own. false: not known.
func Overhead(e *sluice.LogEntry) (d time.Duration, known bool) {
	if e.Timeline.End <= 0 {
		return 0, false
	}
	from, to := e.Timeline.End, e.Timeline.End
	if n := len(e.Attempts); n > 0 {
		first, last := &e.Attempts[0], &e.Attempts[n-1]
		if last.End <= 0 {
			return 0, false
		}
		from, to = first.Start, last.Start+last.End
	}
	return max(from-e.Timeline.Received, 0) + max(e.Timeline.End-to, 0), true
}

// TotalsQuery asks for sums over time.
type TotalsQuery struct {
	Account  string
	Gateway  string // "": all of the account's
	From, To time.Time
	Group    Group
	Then     []Group // MaxThen further groups at most: sums are of each combination
	// Every cuts the range into intervals of this length (whole minutes); 0: one for the whole range.
	Every time.Duration
	// Edges, when there are any, are the starts of the intervals and the end of the last, in rising order, in
	// place of From, To and Every.
	Edges []time.Time
	// Sum adds the sums of the whole range to those of its intervals. Their Start is the zero Time.
	Sum bool
	// NoTimes leaves Duration, FirstToken and Overhead out, but for their Count and Mean: most of the work is theirs.
	NoTimes bool
	// PerAttempt counts attempts in place of requests, as PerAttempt lists them: each under its own provider,
	// model, status and cause, with its own tokens and cost. What Overhead and Generated count stays with requests.
	PerAttempt bool
	// Filter takes rows; only its conditions on what groups split by can be met by roll-ups.
	Filter Filter
}

// ErrNotRolledUp is what Totals says of a query that roll-ups cannot answer. SumRows can, from the rows. It is a
// value, never changed.
var ErrNotRolledUp error = &sluice.Error{
	Kind: sluice.KindInvalid, Field: "q", Msg: "roll-ups do not know this combination of groups and conditions",
	Hint: "split by one of provider, model, key, status, cache, outcome, error_type or gateway, and filter by the same",
}

// Total is the sum of a group's exchanges over one interval.
type Total struct {
	Start    time.Time       // of the interval
	Value    string          // of the group
	Then     [MaxThen]string // of the further groups
	Requests int64
	Success  int64
	Errors   int64 // neither success nor cancelled by the client
	Canceled int64 // the client left
	Cached   int64
	Streamed int64
	Attempts int64
	// Tokens sums what is known of each class, charges of other models too, but not what cache hits would have
	// used: nothing was spent on it. TokensKnown counts the exchanges, and charges, that it is known of.
	Tokens      [sluice.ClassCount]int64
	TokensKnown [sluice.ClassCount]int64
	SavedIn     int64 // input tokens that cache hits would have used
	SavedOut    int64 // output tokens that cache hits would have used
	Estimated   int64 // exchanges whose usage is estimated or partial
	// Cost is of the whole exchange, but where models are groups: there what a charge of another model cost is
	// that model's.
	Cost        sluice.NanoUSD
	Priced      int64 // exchanges with a known cost
	Unpriced    int64 // exchanges with usage and no known cost
	SavedCost   sluice.NanoUSD
	SavedPriced int64         // cache hits of which it is known what they saved
	SavedTime   time.Duration // by cache hits, to the microsecond
	BytesIn     int64
	BytesOut    int64
	// Generated counts the output tokens of streams whose first token's time is known, and GenerationTime what
	// they took from there to the end, to the microsecond.
	Generated      int64
	GenerationTime time.Duration
	Duration       Quantiles
	FirstToken     Quantiles
	Overhead       Quantiles // see the function Overhead
}

// Quantiles are of durations, good to 5 %: they come from histograms with buckets 10 % wide.
type Quantiles struct {
	Count              int64
	P50, P90, P95, P99 time.Duration
	Mean               time.Duration
}

// RowSums are sums that were made from rows.
type RowSums struct {
	Totals []Total
	// Partial: there was no time for all rows of the range; the newest were summed, back to Since.
	Partial bool
	Since   time.Time
}

// Reader is how the log is read; *Log is one. All its reads first wait until what was settled before
// the call is found, unless ctx ends before. Get also finds running exchanges (EndingInFlight).
type Reader interface {
	List(ctx context.Context, q Query) (Page, error)
	// Get returns one row; its error has sluice.KindNotFound when there is none in the account.
	Get(ctx context.Context, account string, id sluice.ID) (Row, error)
	// Totals sums up from roll-ups: all traffic, whether its rows are stored or not. Its error is ErrNotRolledUp
	// where they cannot answer.
	Totals(ctx context.Context, q TotalsQuery) ([]Total, error)
	// SumRows sums up from stored rows, as far as a bounded time goes.
	SumRows(ctx context.Context, q TotalsQuery) (RowSums, error)
	// CountRows counts stored rows, as far as a bounded time goes.
	CountRows(ctx context.Context, q CountQuery) (RowCounts, error)
	// Extremes looks for the least and the greatest of what the query's rows know, as far as a bounded time goes.
	Extremes(ctx context.Context, q Query) (Extremes, error)
	// CompleteUntil is the time before which no row will be added.
	CompleteUntil(ctx context.Context) (time.Time, error)
}
