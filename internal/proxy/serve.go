// Package proxy is the life of one request: it finds out which gateway and provider a call is for,
// forwards it byte for byte, relays the answer as it comes with a meter watching, and settles the
// exchange exactly once. This file is the first to read; each stage is a method in a file of its own
// name, and docs/architecture.md walks one request through them.
package proxy

import (
	"context"
	"errors"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
)

// stage is one step of a request's life. Its error ends the request and becomes the answer.
type stage func(ctx context.Context, x *exchange) error

// stages is the life of one request, in order: one stage, one file, one test table each. Guard of the
// architecture stands between admit and forward once it exists.
func (p *Proxy) stages() []stage {
	return []stage{
		p.identify,    // which gateway, which caller
		p.accept,      // a WebSocket of universal requests ends here: each of them runs through all of this
		p.decode,      // provider, endpoint, headers, body, model, streaming? of each step
		p.credentials, // what each step shows its provider: the caller's key, a stored one, none
		p.lookup,      // the cache: a hit sets x.answer
		p.admit,       // the rate limit, for what the cache did not answer
		p.forward,     // steps, retries, fallback: sets x.answer
		p.deliver,     // bytes to the client, the meter watching
	}
}

// Serve is one request from its head to the log. It returns when the answer has been handed to
// sink, and says whether the connection must be broken off, so that nobody takes a cut answer for a
// whole one.
func (p *Proxy) Serve(ctx context.Context, req *front.Request, sink front.Sink) (abort bool) {
	return p.live(ctx, p.newExchange(req, sink))
}

// live is the life of an exchange, which it gives back.
func (p *Proxy) live(ctx context.Context, x *exchange) (abort bool) {
	p.running.Add(1)
	defer p.running.Add(-1)
	defer p.release(x)
	defer func() { abort = x.abort }() // also after a panic, where no return is reached
	defer p.settle(ctx, x)             // usage, cache fill, log entry: exactly once
	defer x.contain()                  // a panic is an ending like others
	for _, next := range p.run {
		err := next(ctx, x)
		if errors.Is(err, errAnswered) {
			break
		}
		if err != nil {
			x.fail(ctx, err) // the only place where an error becomes bytes
			break
		}
	}
	return x.abort
}

// contain turns a panic of a stage into an ending, so that the exchange is settled and the process
// lives on.
func (x *exchange) contain() {
	cause := recover()
	if cause == nil {
		return
	}
	x.proxy.panicked(x.id, cause)
	x.entry().Ending = sluice.EndingPanic
	x.fail(context.Background(), &sluice.Error{Kind: sluice.KindInternal, Msg: "internal error"})
}
