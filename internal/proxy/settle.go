package proxy

import (
	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// settle ends the exchange, whatever happened to it: usage, log entry. It runs exactly once.
func (p *Proxy) settle(x *exchange) {
	if x.body.passing != nil {
		x.body.passing.stop()
	}
	if x.gateway == nil {
		return // no gateway of ours was named: there is no log to write to
	}
	if x.recorded && !x.amend {
		return
	}
	x.complete()
	p.log.End(&x.log, !x.control.collect)
}

// complete fills in what is known at the end: what the meter read, sizes, success.
func (x *exchange) complete() {
	e := x.entry()
	if x.meter != nil {
		x.read(x.closeMeter())
	}
	if len(x.fault) > 0 && e.ErrorText == "" && e.Response.Encoding == "" {
		e.ErrorText = cut(openai.ErrorText(x.fault))
	}
	if e.Status >= 400 && e.ErrorKind == "" {
		e.ErrorKind = "upstream_status"
	}
	x.settings.prices.Settle(e, price.Reported{Cost: x.reported}, x.control.cost)
	x.sizes()
	e.Timeline.End = x.since()
	e.Success = e.Ending == sluice.EndingComplete && e.Status >= 200 && e.Status < 300
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

// read takes over what the meter read of the answer.
func (x *exchange) read(r wire.Reading) {
	e := x.entry()
	e.Usage, e.Served, e.Finish = r.Usage, printableText(r.Model, 256), printableText(r.Finish, 64)
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
	if n := len(e.Attempts); n > 0 {
		e.Attempts[n-1].Usage = e.Usage
	}
}

// sizes tells what is known of the bodies. The log adds what it stored of them.
func (x *exchange) sizes() {
	e := x.entry()
	off := !x.stored()
	e.Request.Size, e.Request.Off = x.body.size, off
	e.Response.Off = off
	if !off && x.body.whole() && !x.recorded {
		x.log.Bodies[reqlog.RequestSide].Whole(x.body.bytes)
	}
}
