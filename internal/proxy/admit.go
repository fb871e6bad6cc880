package proxy

import (
	"context"
	"strconv"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
)

// admit counts the request against the gateway's rate limit, unless the cache has answered it: hits are
// free (cloudflare-ai-gateway.md, 4.1). It is counted before it is forwarded, and once, however many steps
// and tries it takes.
func (p *Proxy) admit(ctx context.Context, x *exchange) error {
	if x.answered() || !x.gateway.RateLimit.On() {
		return nil
	}
	d, err := p.limits.Take(ctx, x.limitKey(), x.gateway.RateLimit, 1, x.start)
	if err != nil {
		x.note("rate limit not checked: " + cut(err.Error())) // open: traffic goes before a counter that is away
		return nil
	}
	x.limited = &d
	if !d.OK {
		return &sluice.Error{
			Kind: sluice.KindRateLimited, Msg: "Rate limited",
			Hint: "this gateway lets " + strconv.FormatInt(d.Limit, 10) + " requests through in " + x.gateway.RateLimit.Per.String() +
				"; try again in " + strconv.FormatInt(d.RetryAfter(), 10) + " s",
		}
	}
	return nil
}

// limitKey names the counter of the gateway's rate limit.
func (x *exchange) limitKey() string { return limit.GatewayKey(x.gateway.Account, x.gateway.ID) }

// limitFields tells the caller where it stands.
func (x *exchange) limitFields(h sluice.Header) sluice.Header {
	if after := x.spending.after; after > 0 && x.answer.own {
		h = append(h, sluice.Field{Name: "Retry-After", Value: strconv.FormatInt(limit.Decision{Reset: after}.RetryAfter(), 10)})
	}
	d := x.limited
	if d == nil {
		return h
	}
	if !d.OK {
		h = append(h, sluice.Field{Name: "Retry-After", Value: strconv.FormatInt(d.RetryAfter(), 10)})
	}
	return append(h,
		sluice.Field{Name: "cf-aig-ratelimit-limit", Value: strconv.FormatInt(d.Limit, 10)},
		sluice.Field{Name: "cf-aig-ratelimit-remaining", Value: strconv.FormatInt(d.Remaining, 10)},
		sluice.Field{Name: "cf-aig-ratelimit-reset", Value: strconv.FormatInt(d.RetryAfter(), 10)})
}
