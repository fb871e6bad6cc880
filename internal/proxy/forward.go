package proxy

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/upstream"
)

// errShutdown is the cause of a request's context when Sluice stops.
var errShutdown = errors.New("sluice stops")

// ErrShutdown is the cause to cancel the contexts of running requests with when their time is up.
func ErrShutdown() error { return errShutdown }

// forward gets the answer's head from the provider: sets x.answer.
func (p *Proxy) forward(ctx context.Context, x *exchange) error {
	if x.provider.Serve != nil {
		return x.serveLocally(ctx)
	}
	x.rewrite()
	began := x.since()
	req := x.upstreamRequest()
	resp, err := p.upstream.Do(ctx, &req)
	if err != nil {
		return x.unanswered(ctx, began, err)
	}
	x.attempted(began, resp)
	x.answer = answer{
		status: resp.Status, header: resp.Header, length: resp.Length, body: resp.Body,
		trailer: resp.Trailer, byClose: resp.CloseDelimited,
	}
	return nil
}

// rewrite lets the provider say what is peculiar to its requests.
func (x *exchange) rewrite() {
	if x.provider.Rewrite != nil {
		x.provider.Rewrite(&x.out, x.call)
	}
}

// upstreamRequest is the call as it goes to the provider.
func (x *exchange) upstreamRequest() upstream.Request {
	req := upstream.Request{
		Method: x.req.Method, Scheme: x.target.Scheme, Host: x.target.Host, Target: x.target.Path,
		Header: x.out, Timeouts: x.settings.timeouts,
		Private:    x.provider.Local || x.provider.Overridden(),
		Repeatable: x.repeatable(),
	}
	if x.target.Query != "" || strings.HasSuffix(x.req.Target, "?") { // an empty query is one, as it was sent
		req.Target += "?" + x.target.Query
	}
	if x.control.firstByte > 0 {
		req.Timeouts.FirstByte = x.control.firstByte
	}
	switch {
	case x.req.Body == nil:
	case x.body.whole() && x.req.Trailer == nil:
		req.Body, req.Length = x.body.bytes, int64(len(x.body.bytes))
		if req.Body == nil {
			req.Body = []byte{} // an empty body is one: it has a Content-Length
		}
	default:
		req.BodyReader, req.Length, req.Trailer = x.body.reader(), x.req.Length, x.req.Trailer
		if x.req.Trailer != nil {
			req.Length = -1 // only a chunked body has trailers
		}
	}
	return req
}

// repeatable reports whether sending the call twice costs at most money.
func (x *exchange) repeatable() bool {
	switch x.req.Method {
	case "GET", "HEAD", "OPTIONS":
		return true
	}
	return x.endpoint != nil && x.endpoint.Repeatable
}

// attempted logs an attempt that gave an answer, and the one before it that died on a kept
// connection.
func (x *exchange) attempted(began time.Duration, resp *upstream.Response) {
	t := resp.Timing
	e := x.entry()
	if t.Retried != nil {
		e.Attempts = append(e.Attempts, x.attempt(began, string(upstream.StageRead)))
	}
	try := x.attempt(began, "")
	try.Status, try.First, try.Reused = resp.Status, t.FirstByte, t.Reused
	if !t.Reused {
		try.Connect = t.Connected
	}
	e.Attempts = append(e.Attempts, try)
	e.Timeline.Connected, e.Timeline.Sent, e.Timeline.FirstByte = began+t.Connected, began+t.Sent, began+t.FirstByte
}

func (x *exchange) attempt(began time.Duration, cause string) sluice.Attempt {
	e := x.entry()
	return sluice.Attempt{Provider: e.Provider, Model: e.Model, Host: x.target.Host, Cause: cause, Start: began}
}

// unanswered turns a call without an answer into the error that the client gets, and logs the
// attempt.
func (x *exchange) unanswered(ctx context.Context, began time.Duration, err error) error {
	e := x.entry()
	stage := upstream.StageRead
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		stage = failed.Stage
	}
	try := x.attempt(began, string(stage))
	try.End = x.since() - began
	e.Attempts = append(e.Attempts, try)
	if stage == upstream.StageCanceled || stage == upstream.StageSource && ctx.Err() != nil {
		return x.departed(ctx)
	}
	f := failureOf(stage)
	e.Ending, e.ErrorKind, e.ErrorText = f.ending, f.name, cut(err.Error())
	return &sluice.Error{Kind: f.kind, Msg: f.msg, Hint: f.hint, Err: err}
}

// departed is the error of a request whose client has left, or whose time ran out as Sluice stops.
func (x *exchange) departed(ctx context.Context) error {
	x.entry().Ending = ctxEnding(ctx)
	return &sluice.Error{Kind: sluice.KindClientGone, Msg: "the request was cancelled", Err: context.Cause(ctx)}
}

// failure is what a call that failed at some stage means.
type failure struct {
	name   string
	ending sluice.Ending
	kind   sluice.Kind
	msg    string
	hint   string
}

// failureOf says what a failure at stage means. Its texts name no address: the log has the cause.
func failureOf(stage upstream.Stage) failure {
	return map[upstream.Stage]failure{
		upstream.StageAddress:  {"address", sluice.EndingUnreachable, sluice.KindUpstream, "the provider's address is not allowed", "upstream.private_hosts lists the private addresses that may be called"},
		upstream.StageDNS:      {"dns", sluice.EndingUnreachable, sluice.KindUpstream, "the provider's host name could not be resolved", ""},
		upstream.StageDial:     {"dial", sluice.EndingUnreachable, sluice.KindUpstream, "no connection to the provider", ""},
		upstream.StageTLS:      {"tls", sluice.EndingUnreachable, sluice.KindUpstream, "no TLS connection to the provider", ""},
		upstream.StageProxy:    {"proxy", sluice.EndingUnreachable, sluice.KindUpstream, "no connection to the provider through the proxy", ""},
		upstream.StageBusy:     {"busy", sluice.EndingUnreachable, sluice.KindUpstream, "no free connection to the provider in time", "upstream.conns_per_host bounds them"},
		upstream.StageWrite:    {"write", sluice.EndingUnreachable, sluice.KindUpstream, "the provider took no more of the request", ""},
		upstream.StageRead:     {"read", sluice.EndingUnreachable, sluice.KindUpstream, "the provider closed the connection without an answer", ""},
		upstream.StageProtocol: {"protocol", sluice.EndingUnreachable, sluice.KindUpstream, "the provider's answer is not valid HTTP", ""},
		upstream.StageFirst:    {"timeout", sluice.EndingTimeout, sluice.KindTimeout, "no answer from the provider in time", ""},
		upstream.StageTotal:    {"timeout", sluice.EndingTimeout, sluice.KindTimeout, "no answer from the provider in time", ""},
		upstream.StageRequest:  {"request", sluice.EndingRefused, sluice.KindInvalid, "the request cannot be sent on: its method, path or a header field is not valid HTTP", ""},
		upstream.StageSource:   {"client_body", sluice.EndingClientGone, sluice.KindInvalid, "the request body could not be read", ""},
		upstream.StageBody:     {"cut", sluice.EndingCut, sluice.KindUpstream, "the provider's answer broke off", ""},
		upstream.StageIdle:     {"stalled", sluice.EndingStalled, sluice.KindUpstream, "the provider's answer stalled", ""},
	}[stage]
}

// serveLocally lets a provider answer that lives in the process.
func (x *exchange) serveLocally(ctx context.Context) error {
	body := x.body.bytes
	if !x.body.whole() {
		all, err := io.ReadAll(io.LimitReader(x.body.reader(), x.settings.bodyLimit+1))
		if err != nil {
			return x.bodyError(ctx, err)
		}
		if int64(len(all)) > x.settings.bodyLimit {
			return &sluice.Error{Kind: sluice.KindTooLarge, Msg: "the request body is larger than limits.body_bytes"}
		}
		body = all
	}
	e := x.entry()
	began := x.since()
	a := x.provider.Serve(ctx, x.call, body)
	try := x.attempt(began, "")
	try.Status, try.First = a.Status, max(x.since()-began, 1)
	e.Attempts = append(e.Attempts, try)
	e.Timeline.FirstByte = x.since()
	x.answer = answer{status: a.Status, header: a.Header, length: a.Length, body: a.Body}
	if x.answer.body == nil {
		x.answer.body = io.NopCloser(&joined{})
	}
	return nil
}

// maxErrorText bounds what the log keeps of an error, in bytes.
const maxErrorText = 1 << 10

func cut(s string) string {
	if len(s) > maxErrorText {
		return s[:maxErrorText]
	}
	return s
}
