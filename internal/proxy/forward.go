package proxy

import (
	"context"
	"errors"
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/upstream"
)

// errShutdown is the cause of a request's context when Sluice stops.
var errShutdown = errors.New("sluice stops")

// ErrShutdown is the cause to cancel the contexts of running requests with when their time is up.
func ErrShutdown() error { return errShutdown }

// forward gets an answer, unless the cache gave one: from the first step that serves, each tried as often as
// its settings say. Sets x.answer: the last failure is an answer too.
func (p *Proxy) forward(ctx context.Context, x *exchange) error {
	if x.answered() {
		return nil
	}
	for i := 0; ; i++ {
		if i > 0 {
			x.enter(i)
			if x.seek(ctx); x.answered() {
				return nil
			}
		}
		more := i+1 < len(x.steps)
		err := x.try(x.working(ctx), more)
		if ctx.Err() != nil && x.leaving() {
			return x.departed(ctx)
		}
		if !more || err == nil && x.answer.status < 400 && !x.failed {
			x.serves(ctx)
			return err
		}
		if own, ok := errors.AsType[*sluice.Error](err); ok && own.Kind == sluice.KindSpendLimit {
			x.note("step " + strconv.Itoa(i) + " was not called: " + own.Msg)
		}
		x.abandon(ctx)
		if ctx.Err() != nil {
			return x.departed(ctx) // others who waited for this step go on alone
		}
	}
}

// serves makes what forward got the answer that is delivered.
func (x *exchange) serves(ctx context.Context) {
	if !x.answered() {
		return
	}
	if n := len(x.entry().Attempts); n > 0 {
		x.entry().Attempts[n-1].Cause = "" // whatever it is: the client gets it
	}
	x.share(ctx)
}

// working is the context that calls to the provider are made in: the request's, or that of the flight, which
// goes on while anybody wants the answer.
func (x *exchange) working(ctx context.Context) context.Context {
	if x.flight != nil {
		return x.flight.Context()
	}
	return ctx
}

// leaving reports whether nobody waits for the answer any more, once the request's own client is gone.
func (x *exchange) leaving() bool { return x.flight == nil || !x.flight.Others() }

// abandon gives up what a step left behind, before the next one.
func (x *exchange) abandon(ctx context.Context) {
	x.leaveBudgets(ctx)
	if x.answer.body != nil {
		_ = x.answer.body.Close() // what it had to say has been read
	}
	x.answer, x.failed = answer{}, false
	if x.flight != nil {
		x.flight.Leave()
		x.flight = nil
	}
	e := x.entry()
	e.Ending, e.ErrorKind, e.ErrorText, e.Usage = sluice.EndingUnknown, "", "", sluice.Usage{}
}

// rewrite lets the provider say what is peculiar to its requests.
func (x *exchange) rewrite() {
	if x.provider.Rewrite != nil {
		x.provider.Rewrite(&x.out, x.call)
	}
}

// sending is the body that goes to the provider, and whether that is all of it.
func (x *exchange) sending() (body []byte, whole bool) {
	if x.query != nil {
		return x.query, true
	}
	return x.body.bytes, x.body.whole()
}

// upstreamRequest is the call as it goes to the provider.
func (x *exchange) upstreamRequest() upstream.Request {
	req := upstream.Request{
		Method: x.call.Method, Scheme: x.target.Scheme, Host: x.target.Host, Target: x.target.Path,
		Header: x.out, Timeouts: x.settings.timeouts,
		Private:    x.provider.Local || x.provider.Overridden(),
		Repeatable: x.repeatable(),
	}
	if x.target.Query != "" || x.query == nil && strings.HasSuffix(x.req.Target, "?") { // an empty query is one, as it was sent
		req.Target += "?" + x.target.Query
	}
	if x.entry().Type == typeRealtime {
		req.Upgrade = "websocket"
	}
	switch {
	case x.query != nil:
		req.Body, req.Length = x.query, int64(len(x.query))
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
	switch x.call.Method {
	case "GET", "HEAD", "OPTIONS":
		return true
	}
	return x.endpoint != nil && x.endpoint.Repeatable
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
	safe   bool // nothing was sent, so that any call may be made again
}

// failureOf says what a failure at stage means. Its texts name no address: the log has the cause.
func failureOf(stage upstream.Stage) failure {
	return map[upstream.Stage]failure{
		upstream.StageAddress:  {"address", sluice.EndingUnreachable, sluice.KindUpstream, "the provider's address is not allowed", "upstream.private_hosts lists the private addresses that may be called", false},
		upstream.StageDNS:      {"dns", sluice.EndingUnreachable, sluice.KindUpstream, "the provider's host name could not be resolved", "", true},
		upstream.StageDial:     {"dial", sluice.EndingUnreachable, sluice.KindUpstream, "no connection to the provider", "", true},
		upstream.StageTLS:      {"tls", sluice.EndingUnreachable, sluice.KindUpstream, "no TLS connection to the provider", "", true},
		upstream.StageProxy:    {"proxy", sluice.EndingUnreachable, sluice.KindUpstream, "no connection to the provider through the proxy", "", true},
		upstream.StageBusy:     {"busy", sluice.EndingUnreachable, sluice.KindUpstream, "no free connection to the provider in time", "upstream.conns_per_host bounds them", true},
		upstream.StageWrite:    {"write", sluice.EndingUnreachable, sluice.KindUpstream, "the provider took no more of the request", "", false},
		upstream.StageRead:     {"read", sluice.EndingUnreachable, sluice.KindUpstream, "the provider closed the connection without an answer", "", false},
		upstream.StageProtocol: {"protocol", sluice.EndingUnreachable, sluice.KindUpstream, "the provider's answer is not valid HTTP", "", false},
		upstream.StageFirst:    {"timeout", sluice.EndingTimeout, sluice.KindTimeout, "no answer from the provider in time", "", false},
		upstream.StageTotal:    {"timeout", sluice.EndingTimeout, sluice.KindTimeout, "no answer from the provider in time", "", false},
		upstream.StageRequest:  {"request", sluice.EndingRefused, sluice.KindInvalid, "the request cannot be sent on: its method, path or a header field is not valid HTTP", "", false},
		upstream.StageSource:   {"client_body", sluice.EndingClientGone, sluice.KindInvalid, "the request body could not be read", "", false},
		upstream.StageBody:     {"cut", sluice.EndingCut, sluice.KindUpstream, "the provider's answer broke off", "", false},
		upstream.StageIdle:     {"stalled", sluice.EndingStalled, sluice.KindUpstream, "the provider's answer stalled", "", false},
	}[stage]
}

// maxErrorText bounds what the log keeps of an error, in bytes.
const maxErrorText = 1 << 10

func cut(s string) string {
	if len(s) > maxErrorText {
		return s[:maxErrorText]
	}
	return s
}
