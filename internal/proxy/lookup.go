package proxy

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// lookup asks the cache, where the request uses one. A hit sets x.answer; it passes by limits and guards,
// never by authentication.
func (p *Proxy) lookup(ctx context.Context, x *exchange) error {
	x.seek(ctx)
	if ctx.Err() != nil {
		return x.departed(ctx)
	}
	return nil
}

// answered reports whether there is an answer to deliver.
func (x *exchange) answered() bool { return x.answer.body != nil }

// cacheable reports whether the step's answer may come from the cache, or go there: calls that make
// something and can be repeated (cloudflare-ai-gateway.md, 3.1).
func (x *exchange) cacheable() bool {
	_, whole := x.sending()
	return x.proxy.cache != nil && whole && x.call.Method == "POST" && x.endpoint != nil && x.endpoint.Repeatable && x.req.Trailer == nil
}

// seek asks the cache for the answer of the step that is under way. Where another request is fetching the
// same answer, it waits for that one; where none is, the answer's flight begins with this one (x.flight).
func (x *exchange) seek(ctx context.Context) {
	e := x.entry()
	if x.control.caching.life() == 0 || !x.cacheable() {
		e.Cache, e.CacheReason = sluice.CacheOff, ""
		return
	}
	ask := x.ask()
	e.Cache = sluice.CacheMiss
	if x.control.caching.skip {
		x.flight, e.CacheReason = x.proxy.cache.Fresh(ctx, ask), string(cache.ReasonSkipped)
		return
	}
	entry, flight, reason := x.proxy.cache.Lookup(ctx, ask, x.start)
	e.CacheReason = string(reason)
	switch {
	case entry != nil:
		e.Cache = sluice.CacheHit
		x.cachedTook = entry.Took
		x.hit(entry.Head, io.NopCloser(&joined{head: entry.Body}), nil)
		x.answer.header.Add("Age", strconv.FormatInt(entry.Age(x.start), 10))
	case flight.Leader():
		x.flight = flight
	default:
		if head, ok := flight.Wait(ctx); ok {
			x.flight = flight
			e.Cache, e.CacheReason = sluice.CacheHit, "shared"
			x.hit(head, flight.Reader(ctx), flight.Trailer)
			return
		}
		flight.Leave()
		if ctx.Err() == nil {
			x.flight, e.CacheReason = x.proxy.cache.Fresh(ctx, ask), "shared call failed"
		}
	}
}

// ask is what the step wants of the cache.
func (x *exchange) ask() cache.Ask {
	body, _ := x.sending()
	r := cache.Request{
		Scope: x.scope(), Generation: cache.GenerationOf(x.gateway), Provider: x.provider.Slug, Method: x.call.Method, Header: x.out,
		Target:     x.target.Host + x.target.Path + "?" + x.target.Query,
		Credential: x.shownKey(), Body: body, Stream: x.entry().Streamed, Custom: x.control.caching.key,
	}
	if x.provider.Serve != nil {
		r.Target = x.call.Path + "?" + x.call.Query
	}
	return cache.Ask{Scope: r.Scope, Key: cache.KeyOf(&r), AcceptEncoding: x.out.Get("Accept-Encoding")}
}

func (x *exchange) scope() cache.Scope {
	return cache.Scope{Account: x.gateway.Account, Gateway: x.gateway.ID}
}

// hit takes an answer that the cache gave.
func (x *exchange) hit(h cache.Head, body io.ReadCloser, trailer func() sluice.Header) {
	e := x.entry()
	x.answer = answer{
		status: h.Status, header: append(make(sluice.Header, 0, len(h.Header)+8), h.Header...), length: h.Length,
		body: body, trailer: trailer, byClose: h.ByClose,
	}
	if i, ok := x.stepOf(&h); ok {
		x.enter(i) // so that the caller reads the answer as that step's
	} else if h.Provider != x.provider.Slug {
		x.foreign = true
		x.note("the answer is one of " + h.Provider)
	}
	e.Timeline.FirstByte = x.since()
}

// stepOf finds the step of a universal request that an answer of the cache is of, where that is another one
// than the step under way: a key of the caller's own crosses providers.
func (x *exchange) stepOf(h *cache.Head) (i int, ok bool) {
	if h.Provider == x.provider.Slug {
		return 0, false
	}
	if h.Step < len(x.steps) && x.steps[h.Step].provider.Slug == h.Provider {
		return h.Step, true
	}
	i = slices.IndexFunc(x.steps, func(s step) bool { return s.provider.Slug == h.Provider })
	return i, i >= 0
}

// share offers the answer that forward got to whoever wants the same one, and to the cache. All who want
// it read it through the flight, this request too.
func (x *exchange) share(ctx context.Context) {
	f, a := x.flight, &x.answer
	if f == nil || !f.Leader() || !x.answered() {
		return
	}
	if ok, reason := cache.Storable(a.status, a.header); !ok {
		x.entry().CacheReason += ", not kept: " + reason
		f.Fail()
		return
	}
	f.Answer(cache.Head{
		Status: a.status, Header: a.header, Length: a.length, ByClose: a.byClose, Provider: x.provider.Slug,
		Model: x.entry().Model, Streamed: isEventStream(a.header.Get("Content-Type")), Step: x.index,
	}, a.body, a.trailer)
	a.body, a.trailer = f.Reader(ctx), f.Trailer
}

// keepAnswer stores the answer, if it was whole and well, and ends this request's part in the flight.
func (x *exchange) keepAnswer(ctx context.Context) {
	f := x.flight
	if f == nil {
		return
	}
	defer f.Leave()
	if !f.Leader() || !x.whole || !x.sound {
		return
	}
	now := time.Now()
	if err := f.Store(ctx, now, now.Add(x.control.caching.life())); err != nil {
		x.proxy.logger.DebugContext(ctx, "answer not kept", "id", x.idText, "error", err)
	}
}

// ghost reports whether the answer is to be read on although this request's client is gone: others read it
// too, and what the provider did for them is on this request's bill.
func (x *exchange) ghost(cause error) bool {
	f := x.flight
	if f == nil || !f.Leader() || x.haunting || errors.As(cause, new(errCeiling)) {
		return false
	}
	f.Gone(cause)
	if !f.Others() {
		return false
	}
	x.haunting = true
	x.answer.body = f.Reader(f.Context())
	return true
}
