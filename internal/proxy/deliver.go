package proxy

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/inflate"
)

// smallRead is the buffer for an answer that comes in small pieces, largeRead for the others. Many
// open streams wait with a small one.
const (
	smallRead = 4 << 10
	largeRead = 32 << 10
)

// deliver relays the answer: each piece goes to the meter, the log and the client as it comes, with
// one flush per read. What is counted is what was relayed.
func (p *Proxy) deliver(ctx context.Context, x *exchange) error {
	if x.answer.conn != nil {
		return x.converse(ctx)
	}
	x.watch()
	x.translateAnswer()
	x.sendHead()
	err := x.endTranslation(x.relay(ctx))
	if closed := x.answer.body.Close(); err == nil && closed != nil {
		err = closed
	}
	if a := x.served(); a != nil {
		a.End = x.since() - a.Start
	}
	x.concluded(ctx, err)
	x.untold(ctx)
	x.endFrames(ctx)
	return nil
}

// watch sets up the meter of the answer.
func (x *exchange) watch() {
	a, e := &x.answer, x.entry()
	e.Response.Type, e.Response.Encoding = a.header.Get("Content-Type"), a.header.Get("Content-Encoding")
	if x.endpoint == nil || x.endpoint.Meter == nil || x.foreign {
		return
	}
	inner := x.endpoint.Meter(e.Streamed)
	if r, ok := inner.(wire.HeadReader); ok {
		r.Head(a.header)
	}
	meter, ok := inflate.Meter(e.Response.Encoding, x.watchSpending(inner))
	if !ok {
		x.note("content encoding " + printable(e.Response.Encoding, 32) + " cannot be read")
	}
	x.meter = meter
}

// sendHead sends status and header.
func (x *exchange) sendHead() {
	x.entry().Streamed = isEventStream(x.entry().Response.Type)
	send := x.headFields()
	x.sink.Head(x.answer.status, send)
	x.sentHead(send)
}

// headFields are the fields of the answer: the provider's, without what is between it and us, and ours.
func (x *exchange) headFields() sluice.Header {
	a, e := &x.answer, x.entry()
	own := [...]sluice.Field{
		{Name: "cf-aig-log-id", Value: x.idText},
		{Name: "cf-aig-request-id", Value: x.idText},
		{Name: "cf-aig-event-id", Value: x.control.eventID},
		{Name: "cf-aig-step", Value: strconv.Itoa(x.index)},
		{Name: "cf-aig-cache-status", Value: cacheStatus(e.Cache)},
	}
	logged := x.control.collect && x.gateway != nil
	send := e.RespHeader[:0]
	for _, f := range a.header {
		if !hasPrefixFold(f.Name, "cf-aig-") {
			send = append(send, f)
		}
	}
	for _, f := range own {
		if f.Value != "" && (logged || f.Name != "cf-aig-log-id") {
			send = append(send, f)
		}
	}
	send = x.limitFields(send)
	send = x.allowOrigin(send)
	if a.length >= 0 && !send.Has("Content-Length") && x.bodyAllowed() {
		send = append(send, sluice.Field{Name: "Content-Length", Value: strconv.FormatInt(a.length, 10)})
	}
	return send
}

// sentHead notes what was sent. The fields are the log's from here on.
func (x *exchange) sentHead(send sluice.Header) {
	e := x.entry()
	x.headSent = true
	e.Status = x.answer.status
	x.proxy.log.Answering(&x.log, e.Status, e.Timeline.FirstByte)
	for i := range send {
		if x.isCredential(send[i].Name) {
			send[i].Value = redacted
		}
	}
	e.RespHeader = send
}

// cacheStatus is what the caller is told of the cache; "" where it was not asked.
func cacheStatus(s sluice.CacheStatus) string {
	switch s {
	case sluice.CacheHit:
		return "HIT"
	case sluice.CacheMiss:
		return "MISS"
	}
	return ""
}

// bodyAllowed reports whether the answer has a body by its kind (RFC 9110, 6.4.1).
func (x *exchange) bodyAllowed() bool {
	s := x.answer.status
	return x.req.Method != "HEAD" && s >= 200 && s != 204 && s != 304
}

func isEventStream(contentType string) bool {
	return hasPrefixFold(contentType, "text/event-stream") || hasPrefixFold(contentType, "application/vnd.amazon.eventstream") ||
		hasPrefixFold(contentType, "application/x-ndjson") || hasPrefixFold(contentType, "application/stream+json")
}

// maxErrorBody is how much of an error answer that no meter reads is searched for its text.
const maxErrorBody = 4 << 10

// errClient marks an error of the client's side of a relay.
type errClient struct{ error }

// Unwrap lets errors.Is see why the client's side failed.
func (e errClient) Unwrap() error { return e.error }

// relay copies the answer's body. Its error is the client's (errClient) or the upstream's.
func (x *exchange) relay(ctx context.Context) error {
	size := int64(smallRead)
	if x.answer.length > smallRead {
		size = largeRead
	}
	buf := x.proxy.bodies.buffers.get(size)
	defer func() { x.proxy.bodies.buffers.put(buf) }()
	var gone error // why the client gets no more, while others do
	for {
		n, err := x.answer.body.Read(buf)
		if n > 0 {
			if failed := x.pass(ctx, buf[:n], err == io.EOF); failed != nil {
				if !x.ghost(failed) {
					return failed
				}
				gone = failed
			}
		}
		switch {
		case err == io.EOF:
			x.whole = true
			return cmp.Or(gone, x.finish())
		case err != nil && ctx.Err() != nil && x.ghost(err):
			gone = err
		case err != nil:
			return cmp.Or(gone, err)
		}
		if n == len(buf) && n < largeRead {
			x.proxy.bodies.buffers.put(buf)
			buf = x.proxy.bodies.buffers.get(largeRead)
		}
	}
}

// pass hands one piece of the body to the meter, the log and the client. last: nothing follows.
func (x *exchange) pass(ctx context.Context, p []byte, last bool) error {
	e := x.entry()
	p = x.uptoCeiling(p, last)
	x.log.Bodies[reqlog.ResponseSide].Write(p)
	if x.meter == nil && e.Status >= 400 {
		x.fault = append(x.fault, p[:min(len(p), maxErrorBody-len(x.fault))]...)
	}
	if x.meter != nil {
		x.meter.Write(p)
		if e.Timeline.FirstToken == 0 && x.meter.Seen()&wire.SeenContent != 0 {
			e.Timeline.FirstToken = x.since()
		}
	}
	if !last && x.proxy.log.Watched() {
		x.tellProgress()
	}
	if x.haunting {
		x.sent += int64(len(p))
		return x.extend(ctx, p)
	}
	last = last || x.answer.length >= 0 && x.sent+int64(len(p)) >= x.answer.length
	if len(x.spending.holds) > 0 && (last && !x.answer.byClose || x.meter != nil && x.meter.Seen()&wire.SeenEnd != 0) {
		x.payEarly()
	}
	switch {
	case x.recorded:
		x.amend = true // more came behind what looked like the end
	case x.settings.strict && (last || x.meter != nil && x.meter.Seen()&wire.SeenEnd != 0):
		x.record(ctx)
	}
	n, err := x.sink.Write(p)
	x.sent += int64(n)
	if err == nil && !last {
		err = x.sink.Flush()
	}
	if err != nil {
		return errClient{err}
	}
	if !last && x.spending.tally != nil {
		return x.extend(ctx, p)
	}
	return nil
}

// tellEvery is how often, at most, those who watch a request hear how far its answer is.
const tellEvery = 500 * time.Millisecond

// tellProgress tells how far the answer is, if that was not just done.
func (x *exchange) tellProgress() {
	now, begun := x.since(), x.entry().Timeline.FirstToken != 0
	if x.told != 0 && now-x.told < tellEvery && begun == x.toldBegun {
		return
	}
	x.told, x.toldBegun = now, begun
	used := sluice.Usage{}
	if m, ok := x.meter.(wire.Progress); ok {
		used = m.SoFar()
	}
	x.proxy.log.Flowing(&x.log, x.entry().Timeline.FirstToken, x.sent, used)
}

// finish passes the trailers on.
func (x *exchange) finish() error {
	if x.answer.trailer != nil {
		if t := x.answer.trailer(); len(t) > 0 {
			x.sink.Trailer(t)
		}
	}
	return nil
}

// record hands the entry to the log before the client has the last of the answer, and waits until it
// is as safe as the log promises.
func (x *exchange) record(ctx context.Context) {
	x.entry().Ending = sluice.EndingComplete
	x.complete()
	ticket := x.proxy.log.End(&x.log, !x.control.collect)
	x.recorded = true
	if err := x.proxy.log.Wait(ctx, ticket); err != nil {
		x.proxy.logger.WarnContext(ctx, "log entry is late", "id", x.idText, "error", err)
	}
}

// concluded says how the relay ended.
func (x *exchange) concluded(ctx context.Context, err error) {
	e := x.entry()
	end, kind := x.ending(ctx, err)
	x.abort = end != sluice.EndingComplete
	if x.recorded && !x.abort {
		return // as it was recorded
	}
	x.amend = x.recorded
	e.Ending, e.ErrorKind = end, kind
	if err != nil && e.ErrorText == "" {
		e.ErrorText = cut(err.Error())
	}
}

// ending names the end of a relay, and its error's kind.
func (x *exchange) ending(ctx context.Context, err error) (sluice.Ending, string) {
	var client errClient
	switch {
	case errors.As(err, &client):
		switch {
		case errors.Is(context.Cause(ctx), errShutdown):
			return sluice.EndingShutdown, "shutdown"
		case errors.Is(err, os.ErrDeadlineExceeded):
			return sluice.EndingClientSlow, "client_slow"
		case errors.Is(err, errAnswerTooBig), errors.Is(err, errNoRoom):
			return sluice.EndingRefused, "answer_too_large"
		}
		return sluice.EndingClientGone, "client_gone"
	case errors.As(err, new(errCeiling)):
		return sluice.EndingRefused, wireOf(sluice.KindSpendLimit).name
	case err != nil && ctx.Err() != nil:
		end := ctxEnding(ctx)
		return end, end.String()
	case err != nil:
		stage := upstream.StageBody
		if failed, ok := errors.AsType[*upstream.Error](err); ok {
			stage = failed.Stage
		}
		f := failureOf(stage)
		if f.ending == sluice.EndingUnreachable || f.ending == sluice.EndingUnknown {
			f.ending = sluice.EndingCut
		}
		return f.ending, f.name
	case x.answer.byClose && x.meter != nil && x.meter.Seen()&wire.SeenEnd == 0:
		return sluice.EndingCut, "cut" // the connection ended, and the dialect's own end was not seen
	}
	return sluice.EndingComplete, ""
}
