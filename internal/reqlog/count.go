package reqlog

import (
	"context"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// CountQuery asks how many stored rows each value of a field has.
type CountQuery struct {
	Account string
	Gateway string    // "": all of the account's
	From    time.Time // start of the exchange, inclusive; zero: no bound
	To      time.Time // exclusive; zero: no bound
	Filter  Filter
	// Field is what is counted by: FieldOutcome, a text that rows are filtered by, but for path, error and ids, or one of
	// status, stream, attempts and feedback; FieldMeta with Key, too.
	Field Field
	Key   string
	// Every cuts the range into intervals of this length, which begin at multiples of it; whole minutes. 0: one.
	Every time.Duration
}

// FieldOutcome is what CountQuery knows besides the fields of filters: see Outcome.
const FieldOutcome Field = "outcome"

// RowCount is how many rows have a value, in an interval. A value that no row has is "".
type RowCount struct {
	Start time.Time // of the interval; zero without
	Value string
	Rows  int64
}

// RowCounts are counts of stored rows, without zeroes and in no order.
type RowCounts struct {
	Counts []RowCount
	// Partial: there was no time for all rows of the range; the newest were counted, back to Since.
	Partial bool
	Since   time.Time
}

// Extremes are the least and the greatest of what rows know.
type Extremes struct {
	Cost                        Span[sluice.NanoUSD]
	Duration                    Span[time.Duration]
	TokensIn, TokensOut, Tokens Span[int64]
	// Partial: there was no time for all rows of the range: the newest were looked at.
	Partial bool
}

// Span is from the least to the greatest; not Known: no row knows such a thing.
type Span[T any] struct {
	Least, Greatest T
	Known           bool
}

// CountRows asks the index once it has what was settled before the call.
func (l *Log) CountRows(ctx context.Context, q CountQuery) (RowCounts, error) {
	l.catchUp(ctx)
	return l.store.CountRows(ctx, q)
}

// Extremes asks the index once it has what was settled before the call.
func (l *Log) Extremes(ctx context.Context, q Query) (Extremes, error) {
	l.catchUp(ctx)
	return l.store.Extremes(ctx, q)
}
