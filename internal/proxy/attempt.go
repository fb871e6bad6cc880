package proxy

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/route"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/inflate"
)

// held bounds what of an answer waits while another try is left, in bytes.
const held = 64 << 10

// outcome is what one try at a target gave: an answer or an error, never both.
type outcome struct {
	answer answer
	err    error
	// cause says in a word why the try does not serve: a stage of the upstream, "status", "error_event", or
	// "" when it does.
	cause string
	safe  bool // nothing was sent, so that any call may be made again
	part  route.Advice
	tries []sluice.Attempt // one, and the one before it that died on a kept connection
	times upstream.Timing
	start time.Duration
	// What stands in the log if this is how the request ends.
	ending sluice.Ending
	kind   string
	text   string
}

// try gets an answer from the step's target, as often as its settings say. more: another step is left. What
// the last try gave becomes x.answer, or the error.
func (x *exchange) try(ctx context.Context, more bool) error {
	if err := x.reserve(ctx); err != nil {
		return err
	}
	if err := x.present(ctx); err != nil {
		return err
	}
	x.rewrite()
	r := x.control.retry
	tries := max(r.MaxAttempts, 1)
	if x.query == nil && x.body.rest != nil {
		tries = 1 // a body that passes through is gone once it was sent
	}
	if tries > 1 {
		x.proxy.retries.First(x.retryKey(), time.Now())
	}
	for n := 1; ; n++ {
		last := n == tries && !more
		o := x.hedged(ctx, !last, last && (tries > 1 || len(x.steps) > 1))
		another := x.anotherKey(ctx, &o)
		x.took(&o)
		if another {
			o.drop()
			n--
			continue
		}
		x.veil(&o)
		if o.cause == "" || n == tries || !x.again(ctx, &o) || ctx.Err() != nil {
			return x.accept(ctx, &o)
		}
		wait := route.Wait(r, n)
		if o.part.After >= 0 {
			wait = o.part.After
		}
		o.drop()
		if !sleep(ctx, wait) {
			return x.departed(ctx)
		}
	}
}

// again reports whether the same target may be tried once more.
func (x *exchange) again(ctx context.Context, o *outcome) bool {
	if !o.safe && !x.repeatable() || !o.part.Retry {
		return false
	}
	if x.attemptsLeft() < 1 {
		x.note("not tried again: the request has had " + strconv.Itoa(len(x.entry().Attempts)) + " tries")
		return false
	}
	if !x.proxy.retries.Take(x.retryKey(), x.settings.retryBudget, time.Now()) {
		x.note("not tried again: retries to this provider are used up for the moment")
		return false
	}
	return x.reserveAnother(ctx, x.usedTries())
}

// maxAttempts bounds the attempts of a request: six bits of its id number them.
const maxAttempts = 64

// attemptsLeft is how many more attempts the step under way may have, when each step behind it is to have one.
func (x *exchange) attemptsLeft() int {
	return maxAttempts - len(x.entry().Attempts) - max(len(x.steps)-x.index-1, 0)
}

// retryKey names the budget of retries: one for each host.
func (x *exchange) retryKey() string { return x.target.Host }

// sleep waits. false: ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// drop gives up an answer that is not delivered.
func (o *outcome) drop() {
	if o.answer.body != nil {
		_ = o.answer.body.Close() // it has served
	}
	if o.answer.conn != nil {
		_ = o.answer.conn.Close() // nobody will speak on it
	}
}

// took puts a try into the log.
func (x *exchange) took(o *outcome) {
	e := x.entry()
	if over := len(o.tries) - x.attemptsLeft(); over > 0 {
		o.tries = o.tries[min(over, len(o.tries)-1):] // of a kept connection that died, or of a hedge
	}
	e.Attempts = append(e.Attempts, o.tries...)
	last := &e.Attempts[len(e.Attempts)-1]
	last.Cause = o.cause
	if o.cause != "" {
		last.End = x.since() - o.start
		x.proxy.log.Attempted(&x.log, e.Attempts)
	}
}

// accept makes the outcome of a try the request's.
func (x *exchange) accept(ctx context.Context, o *outcome) error {
	e := x.entry()
	if o.err != nil {
		if errors.Is(o.err, errGone) {
			return x.departed(ctx)
		}
		e.Ending, e.ErrorKind, e.ErrorText = o.ending, o.kind, cut(o.text)
		if n := len(o.tries); n > 0 {
			e.Usage = o.tries[n-1].Usage // what it has cost all the same
		}
		return o.err
	}
	t := o.times
	e.Timeline.Connected, e.Timeline.Sent, e.Timeline.FirstByte = o.start+t.Connected, o.start+t.Sent, o.start+t.FirstByte
	x.answer, x.failed = o.answer, o.cause != ""
	return nil
}

// errGone is an outcome's error when the request's context ended.
var errGone = errors.New("the request was cancelled")

// attempt tries the target once. hold: another try is left, so the answer waits until it is clear that it
// serves. final: it is the last of several, to which the request's time-out does not apply
// (cloudflare-ai-gateway.md, 5.2).
func (x *exchange) attempt(ctx context.Context, hold, final bool) outcome {
	if x.provider.Serve != nil {
		return x.serveLocally(ctx)
	}
	o := outcome{start: x.since(), part: route.Advice{After: -1}}
	req := x.upstreamRequest()
	if err := x.sign(ctx, &req); err != nil {
		o.err, o.cause = err, string(upstream.StageRequest)
		o.tries = append(o.tries, x.attemptOf(&o, o.cause))
		return o
	}
	if x.control.timeout > 0 && !final {
		req.Timeouts.FirstByte = x.control.timeout
	}
	if hold {
		x.attemptHeld(ctx, &o, &req)
		return o
	}
	resp, err := x.proxy.upstream.Do(ctx, &req)
	if err != nil {
		x.unanswered(ctx, &o, err)
		return o
	}
	x.describe(&o, resp)
	return o
}

// attemptHeld is a try whose answer waits.
func (x *exchange) attemptHeld(ctx context.Context, o *outcome, req *upstream.Request) {
	ctx, stop := context.WithCancelCause(ctx)
	resp, err := x.proxy.upstream.Do(ctx, req)
	if err != nil {
		stop(nil)
		x.unanswered(ctx, o, err)
		return
	}
	x.describe(o, resp)
	whole := &cancelled{ReadCloser: o.answer.body, stop: stop}
	o.answer.body = whole
	if resp.Status < 400 {
		if !x.proxy.bodies.memory.Take(held) {
			return // no room to hold it: it goes on as it comes
		}
		whole.free = func() { x.proxy.bodies.memory.Give(held) }
	}
	x.hold(ctx, o, req.Timeouts.FirstByte, stop)
}

// cancelled ends its call's context when it is closed, and gives back what was held of it.
type cancelled struct {
	io.ReadCloser
	stop context.CancelCauseFunc
	free func() // nil: nothing is held
}

// Close implements io.Closer.
func (c *cancelled) Close() error {
	err := c.ReadCloser.Close()
	c.stop(nil)
	if c.free != nil {
		c.free()
		c.free = nil
	}
	return err
}

// describe takes the head of an answer.
func (x *exchange) describe(o *outcome, resp *upstream.Response) {
	t := resp.Timing
	o.times = t
	o.answer = answer{
		status: resp.Status, header: resp.Header, length: resp.Length, body: resp.Body,
		trailer: resp.Trailer, byClose: resp.CloseDelimited, conn: resp.Conn,
	}
	if t.Retried != nil {
		o.tries = append(o.tries, x.attemptOf(o, string(upstream.StageRead)))
	}
	try := x.attemptOf(o, "")
	try.Status, try.First, try.Reused = resp.Status, t.FirstByte, t.Reused
	if !t.Reused {
		try.Connect = t.Connected
	}
	o.tries = append(o.tries, try)
}

func (x *exchange) attemptOf(o *outcome, cause string) sluice.Attempt {
	e := x.entry()
	return sluice.Attempt{Step: x.index, Provider: e.Provider, Model: e.Model, Host: x.target.Host, Cause: cause, Start: o.start}
}

// unanswered takes the error of a call without an answer.
func (x *exchange) unanswered(ctx context.Context, o *outcome, err error) {
	stage := upstream.StageRead
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		stage = failed.Stage
		if failed.Retried != nil {
			o.tries = append(o.tries, x.attemptOf(o, string(upstream.StageRead)))
		}
	}
	o.fail(ctx, stage, err)
	o.tries = append(o.tries, x.attemptOf(o, o.cause))
}

// fail makes o the outcome of a call that failed at stage.
func (o *outcome) fail(ctx context.Context, stage upstream.Stage, err error) {
	o.cause = string(stage)
	if errors.Is(context.Cause(ctx), errNoContent) {
		stage, o.cause = upstream.StageFirst, string(upstream.StageFirst)
	} else if stage == upstream.StageCanceled || stage == upstream.StageSource && ctx.Err() != nil {
		o.err = errGone
		return
	}
	f := failureOf(stage)
	o.err = &sluice.Error{Kind: f.kind, Msg: f.msg, Hint: f.hint, Err: err}
	o.ending, o.kind, o.text = f.ending, f.name, err.Error()
	o.safe = f.safe
	o.part.Retry = f.kind != sluice.KindInvalid && stage != upstream.StageAddress
}

// errNoContent is the cause of a try's context when its answer has begun, but brought nothing in time.
var errNoContent = errors.New("no content in time")

// hold reads the beginning of an answer until it is clear that it serves: the first event with content, or
// all of a small answer. So an answer that stalls, breaks off or begins with an error is not delivered while
// another try is left. Nothing that was read is lost.
func (x *exchange) hold(ctx context.Context, o *outcome, patience time.Duration, stop context.CancelCauseFunc) {
	if patience > 0 {
		timer := time.AfterFunc(max(patience-(x.since()-o.start), 1), func() { stop(errNoContent) })
		defer timer.Stop()
	}
	if o.answer.status >= 400 {
		x.holdError(ctx, o)
		return
	}
	meter := x.scout(&o.answer)
	streamed := isEventStream(o.answer.header.Get("Content-Type"))
	var read []byte
	buf := make([]byte, smallRead)
	for len(read) < held {
		n, err := o.answer.body.Read(buf)
		read = append(read, buf[:n]...)
		if n > 0 && meter != nil {
			meter.Write(buf[:n])
		}
		seen := wire.Sighting(0)
		if meter != nil {
			seen = meter.Seen()
		}
		switch {
		case seen&wire.SeenError != 0:
			o.cause, o.part.Retry = "error_event", true
			o.push(read, err)
			x.spent(o, meter)
			return
		case streamed && seen&(wire.SeenContent|wire.SeenEnd) != 0, streamed && meter == nil && n > 0:
			o.push(read, err)
			return
		case err == io.EOF && o.answer.byClose && meter != nil && seen&wire.SeenEnd == 0:
			o.lost(ctx, &upstream.Error{Stage: upstream.StageBody, Host: x.target.Host, Err: io.ErrUnexpectedEOF})
			x.spent(o, meter)
			return
		case err == io.EOF:
			o.push(read, err)
			return
		case err != nil:
			o.lost(ctx, err)
			x.spent(o, meter)
			return
		}
	}
	o.push(read, nil)
}

// scout is a meter for what is held; deliver has one of its own.
func (x *exchange) scout(a *answer) wire.Meter {
	if x.endpoint == nil || x.endpoint.Meter == nil {
		return nil
	}
	inner := x.endpoint.Meter(x.entry().Streamed)
	if r, ok := inner.(wire.HeadReader); ok {
		r.Head(a.header)
	}
	meter, ok := inflate.Meter(a.header.Get("Content-Encoding"), inner)
	if !ok {
		return nil
	}
	return meter
}

// push puts back what was read, with the end if it was one.
func (o *outcome) push(read []byte, end error) {
	o.answer.body = &pushed{joined{head: read, rest: o.answer.body}, o.answer.body, end}
}

// pushed is a body whose beginning was read before.
type pushed struct {
	joined
	io.Closer
	end error // what the body gave behind the beginning; nil: it was not asked
}

// Read implements io.Reader.
func (p *pushed) Read(b []byte) (int, error) {
	if len(p.head) == 0 && p.end != nil {
		return 0, p.end
	}
	return p.joined.Read(b)
}

// lost makes o the outcome of an answer that broke off before it had brought anything.
func (o *outcome) lost(ctx context.Context, err error) {
	o.drop()
	o.answer = answer{}
	stage := upstream.StageBody
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		stage = failed.Stage
	}
	o.fail(ctx, stage, err)
}

// spent notes what an answer that is not delivered has cost: what its meter saw before it ended.
func (x *exchange) spent(o *outcome, meter wire.Meter) {
	if meter == nil || len(o.tries) == 0 {
		return
	}
	defer func() {
		if cause := recover(); cause != nil { // a fault of the meter's costs a count, not the request
			x.proxy.panicked(x.id, cause)
		}
	}()
	r := meter.Close()
	if r.Usage.Known() {
		r.Usage.Basis = sluice.BasisPartial
		o.tries[len(o.tries)-1].Usage = r.Usage
	}
}

// holdError reads the beginning of an error answer, for what it advises.
func (x *exchange) holdError(ctx context.Context, o *outcome) {
	text, err := io.ReadAll(io.LimitReader(o.answer.body, maxErrorBody))
	o.cause = "status"
	if err != nil {
		status := o.answer.status
		o.lost(ctx, err)
		o.part = route.Advise(status, nil, nil, time.Now())
		return
	}
	o.part = route.Advise(o.answer.status, o.answer.header, text, time.Now())
	o.push(text, nil)
}

// serveLocally lets a provider answer that lives in the process.
func (x *exchange) serveLocally(ctx context.Context) outcome {
	o := outcome{start: x.since(), part: route.Advice{After: -1}}
	body, whole := x.sending()
	if !whole {
		all, err := io.ReadAll(io.LimitReader(x.body.reader(), x.settings.bodyLimit+1))
		if err == nil && int64(len(all)) > x.settings.bodyLimit {
			err = &sluice.Error{Kind: sluice.KindTooLarge, Msg: "the request body is larger than limits.body_bytes"}
		} else if err != nil {
			err = x.bodyError(ctx, err)
		}
		if err != nil {
			o.err, o.cause = err, string(upstream.StageSource)
			o.tries = append(o.tries, x.attemptOf(&o, o.cause))
			return o
		}
		body = all
	}
	a := x.provider.Serve(ctx, x.call, body)
	o.times.FirstByte = max(x.since()-o.start, 1)
	try := x.attemptOf(&o, "")
	try.Status, try.First = a.Status, o.times.FirstByte
	o.tries = append(o.tries, try)
	o.answer = answer{status: a.Status, header: a.Header, length: a.Length, body: a.Body}
	if o.answer.body == nil {
		o.answer.body = io.NopCloser(&joined{})
	}
	if a.Status >= 400 {
		o.cause, o.part.Retry = "status", route.Retryable(a.Status)
	}
	return o
}
