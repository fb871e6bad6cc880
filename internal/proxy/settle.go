package proxy

import (
	"context"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// settle ends the exchange, whatever happened to it: usage, log entry. It runs exactly once.
func (p *Proxy) settle(ctx context.Context, x *exchange) {
	defer x.keepAnswer(ctx) // needs to know what the meter saw
	defer x.pay()           // when the entry has its costs
	if x.body.passing != nil {
		x.body.passing.stop()
	}
	if x.gateway == nil || x.session {
		p.greet(x)
		return // no gateway of ours was named: there is no log to write to; or there is nothing to write
	}
	if x.recorded && !x.amend {
		return
	}
	x.complete()
	p.log.End(&x.log, !x.control.collect)
	p.greet(x)
}

// complete fills in what is known at the end: what the meter read, sizes, success.
func (x *exchange) complete() {
	e := x.entry()
	x.readMeter()
	if x.isRead {
		x.take(&x.reading)
	} else {
		x.sound = e.Status < 300
	}
	if len(x.fault) > 0 && e.ErrorText == "" && e.Response.Encoding == "" {
		e.ErrorText = cut(openai.ErrorText(x.fault))
	}
	if e.Status >= 400 && e.ErrorKind == "" {
		e.ErrorKind = "upstream_status"
	}
	if e.Cache == sluice.CacheHit {
		e.Usage.Basis = sluice.BasisCached
		for i := range e.Charges {
			e.Charges[i].Usage.Basis = sluice.BasisCached
		}
	}
	x.settings.prices.Of(e.Account).Settle(e, price.Reported{Cost: x.reported}, x.control.cost)
	x.sizes()
	e.Timeline.End = x.since()
	if e.Cache == sluice.CacheHit && x.cachedTook > 0 {
		e.Saved.Time = max(x.cachedTook-e.Timeline.End, 0)
	}
	e.Success = e.Ending == sluice.EndingComplete && (e.Status >= 200 && e.Status < 300 || e.Status == 101)
}

// readMeter ends the meter, if there is one, and keeps what it read.
func (x *exchange) readMeter() {
	if x.meter != nil {
		x.reading, x.isRead = x.closeMeter(), true
	}
}

// closeMeter ends the meter. A fault of its own must not cost the exchange its row.
func (x *exchange) closeMeter() (r wire.Reading) {
	meter := x.meter
	x.meter = nil
	defer func() {
		if cause := recover(); cause != nil {
			x.proxy.panicked(x.id, cause)
			x.note("the answer could not be read")
		}
	}()
	return meter.Close()
}

// take takes over what the meter read of the answer. How that ended is known.
func (x *exchange) take(r *wire.Reading) {
	e := x.entry()
	x.sound = r.Seen&wire.SeenError == 0 && r.Seen&wire.SeenEnd != 0
	e.Usage, e.Served, e.Finish = r.Usage, printableText(r.Model, 256), printableText(r.Finish, 64)
	e.Charges = e.Charges[:0]
	for _, c := range r.Charges {
		c.Model, c.Tier = printableText(c.Model, 256), printableText(c.Tier, 32)
		e.Charges = append(e.Charges, c)
	}
	if r.Seen&wire.SeenError != 0 {
		if e.Ending == sluice.EndingComplete && e.Status < 400 {
			e.Ending = sluice.EndingErrorEvent
		}
		if e.ErrorText == "" {
			e.ErrorText = cut(r.Error)
		}
	}
	e.Tier, e.Geo, x.reported = printableText(r.Tier, 32), printableText(r.Geo, 32), r.Cost
	if e.Usage.Known() && e.Ending != sluice.EndingComplete && r.Seen&wire.SeenEnd == 0 {
		e.Usage.Basis = sluice.BasisPartial
	}
	if a := x.served(); a != nil {
		a.Usage = e.Usage
	}
}

// served is the attempt whose answer the client gets; nil: there was none, or the cache has answered.
func (x *exchange) served() *sluice.Attempt {
	e := x.entry()
	if len(e.Attempts) == 0 || e.Cache == sluice.CacheHit {
		return nil
	}
	return &e.Attempts[len(e.Attempts)-1]
}

// sizes tells what is known of the bodies. The log adds what it stored of them.
func (x *exchange) sizes() {
	e := x.entry()
	off := !x.stored()
	e.Request.Size, e.Request.Off = x.body.size, off
	e.Response.Off = off
	body, whole := x.sending()
	if x.query != nil { // of a universal request, what the step sent: its credentials stand beside it
		e.Request.Size = int64(len(body))
	} else if x.steps != nil || x.gateway != nil && x.universal() {
		return // it was refused before its credentials were found
	}
	if !off && whole && !x.recorded {
		x.log.Bodies[reqlog.RequestSide].Whole(body)
	}
}
