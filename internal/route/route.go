// Package route decides what happens after a try at a target: whether it is tried again, after what
// wait, and when a second try may run beside a slow first one. It knows no connection and no clock
// but the time that it is given; the proxy makes the tries.
package route

import (
	"time"

	sluice "github.com/sluicehq/sluice"
)

// MaxDelay bounds the wait between two tries, whatever asked for it (cloudflare-ai-gateway.md, 9.1).
const MaxDelay = time.Minute

// Wait returns the wait before try n+1 when n tries have failed, 1 at least
// (cloudflare-ai-gateway.md, 5.2): with the delay d it is d, d, d; d, 2d, 3d; or d, 2d, 4d.
func Wait(r sluice.Retry, n int) time.Duration {
	d := min(max(r.Delay, 0), MaxDelay)
	switch r.Backoff {
	case sluice.BackoffLinear:
		d *= time.Duration(max(n, 1))
	case sluice.BackoffExponential:
		for range min(max(n, 1)-1, 16) { // 2^16 is beyond every bound
			if d *= 2; d > MaxDelay {
				break
			}
		}
	}
	return min(d, MaxDelay)
}

// Retryable reports whether an answer of this status may be better the next time, at the same target
// (providers.md, 4.2). 409 is a lock that another call holds; 520 to 530 come from the network in front
// of a provider.
func Retryable(status int) bool {
	switch status {
	case 408, 409, 424, 425, 429, 498, 500, 502, 503, 504, 529:
		return true
	}
	return status >= 520 && status <= 530
}
