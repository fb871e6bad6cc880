// Package limit counts calls against rate limits.
//
// Rules are those of sluice.RateLimit. A fixed window begins at a multiple of its length since 1970, in
// UTC. A sliding one is any interval of its length: it is counted in sixtieths that are kept whole, the
// one that an interval cuts at its beginning included. So no interval ever holds more than the limit, and
// a call is refused at most a sixtieth of the window before it would have fitted.
//
// Where counts are kept is a Store's business; what they mean is Counts'.
package limit

import (
	"context"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// GatewayKey names the count of a gateway's rate limit.
func GatewayKey(account, id string) string { return "gateway/" + account + "/" + id }

// Decision says whether calls may go on, and what their caller may be told.
type Decision struct {
	OK        bool
	Limit     int64 // most calls in a window; 0: the rule is no limit
	Remaining int64 // calls that still fit now, those of this decision counted
	// Reset is how long it takes until a new window begins (fixed), or until a call more than now fits
	// (sliding; 0 while one fits). With a refusal it is how long until what was refused would fit, and
	// the whole window when it never does.
	Reset time.Duration
}

// RetryAfter returns Reset in whole seconds, rounded up: what a header can say.
func (d Decision) RetryAfter() int64 {
	return int64((max(d.Reset, 0) + time.Second - 1) / time.Second)
}

// Store keeps counts under keys. It is safe for concurrent use. Its only error has
// sluice.KindUnavailable, and counted nothing: the caller decides to let the call through or not.
//
// A key's rule may change at any time. A new Max holds at once for what was counted; a new length or
// technique begins with nothing counted.
type Store interface {
	// Take counts n calls, at least 1, under key when they fit rule, in one atomic step; calls that are
	// refused count nothing. A rule that is no limit lets all through and keeps nothing. now is the
	// caller's clock, read just before; a store that processes share goes by its own. A clock that is
	// set back lets no more calls through than the rule says.
	Take(ctx context.Context, key string, rule sluice.RateLimit, n int64, now time.Time) (Decision, error)
	// Peek decides about one call and counts nothing: for showing.
	Peek(ctx context.Context, key string, rule sluice.RateLimit, now time.Time) (Decision, error)
}
