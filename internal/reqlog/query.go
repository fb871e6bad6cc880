package reqlog

import (
	"context"
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
	GroupNone     Group = ""
	GroupProvider Group = "provider"
	GroupModel    Group = "model"
	GroupKey      Group = "key"
	GroupStatus   Group = "status"
	GroupCache    Group = "cache"
	GroupGateway  Group = "gateway"
)

// GroupMeta is the group of a metadata key's values. Only keys that the index was told to keep totals
// of have any.
func GroupMeta(key string) Group { return Group("meta:" + key) }

// TotalsQuery asks for sums over time, from roll-ups.
type TotalsQuery struct {
	Account  string
	Gateway  string // "": all of the account's
	From, To time.Time
	Group    Group
	// Every cuts the range into intervals of this length (whole minutes); 0: one for the whole range.
	Every time.Duration
}

// Total is the sum of a group's exchanges over one interval.
type Total struct {
	Start    time.Time // of the interval
	Value    string    // of the group
	Requests int64
	Success  int64
	Errors   int64 // neither success nor cancelled by the client
	Canceled int64 // the client left
	Cached   int64
	Streamed int64
	Attempts int64
	// Tokens sums what is known of each class, but for cache hits, on which nothing was spent;
	// TokensKnown counts the exchanges that it is known of.
	Tokens      [sluice.ClassCount]int64
	TokensKnown [sluice.ClassCount]int64
	SavedIn     int64 // input tokens that cache hits would have used
	SavedOut    int64 // output tokens that cache hits would have used
	Estimated   int64 // exchanges whose usage is estimated or partial
	Cost        sluice.NanoUSD
	Priced      int64 // exchanges with a known cost
	Unpriced    int64 // exchanges with usage and no known cost
	BytesIn     int64
	BytesOut    int64
	Duration    Quantiles
	FirstToken  Quantiles
}

// Quantiles are of durations, good to 5 %: they come from histograms with buckets 10 % wide.
type Quantiles struct {
	Count         int64
	P50, P95, P99 time.Duration
	Mean          time.Duration
}

// Reader is how the log is read; *Log is one. All its reads first wait until what was settled before
// the call is found, unless ctx ends before. Get also finds running exchanges (EndingInFlight).
type Reader interface {
	List(ctx context.Context, q Query) (Page, error)
	// Get returns one row; its error has sluice.KindNotFound when there is none in the account.
	Get(ctx context.Context, account string, id sluice.ID) (Row, error)
	Totals(ctx context.Context, q TotalsQuery) ([]Total, error)
	// CompleteUntil is the time before which no row will be added.
	CompleteUntil(ctx context.Context) (time.Time, error)
}
