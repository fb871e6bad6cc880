package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"sync"
	"time"
)

// watch keeps the deadlines of a call through net/http, which are moved as the call gets on, and
// remembers what is needed to give an error its stage.
type watch struct {
	host   string
	start  time.Time
	t      Timeouts
	total  limit
	first  limit // the sooner of first byte and total
	gate   gate
	ctx    context.Context // of the call, for net/http; here because the hooks and the body end it
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	limit   limit // what is waited for now
	timer   *time.Timer
	armed   time.Time // when the timer fires; it may be too soon, and is then set again
	ended   bool
	begun   bool // an answer has begun
	interim int
	tries   int // connections that were got
	conn    net.Conn
	timing  Timing
	retried error
}

func newWatch(ctx context.Context, host string, t Timeouts, start time.Time) *watch {
	w := &watch{host: host, start: start, t: t}
	w.total = limit{}.within(start, t.Total, StageTotal)
	w.first = w.total.within(start, t.FirstByte, StageFirst)
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.await(w.first.within(start, t.Connect, StageBusy))
	return w
}

// context is the call's context with the hooks of net/http.
func (w *watch) context() context.Context {
	connecting := func(stage Stage) { w.await(w.first.within(w.start, w.t.Connect, stage)) }
	return httptrace.WithClientTrace(w.ctx, &httptrace.ClientTrace{
		DNSStart:             func(httptrace.DNSStartInfo) { connecting(StageDNS) },
		ConnectStart:         func(string, string) { connecting(StageDial) },
		TLSHandshakeStart:    func() { w.await(w.first.within(time.Now(), w.t.TLS, StageTLS)) },
		GotConn:              w.gotConn,
		WroteRequest:         w.wrote,
		GotFirstResponseByte: w.gotFirst,
		Got1xxResponse:       w.got1xx,
	})
}

// await sets what is waited for. The hooks of a dial that outlives its call do no harm.
func (w *watch) await(l limit) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || w.begun && l.stage != StageIdle && l.stage != StageTotal {
		return
	}
	w.set(l)
}

// set wants the mutex held.
func (w *watch) set(l limit) {
	w.limit = l
	if l.at.IsZero() || !w.armed.IsZero() && !w.armed.After(l.at) {
		return
	}
	w.armed = l.at
	if w.timer == nil {
		w.timer = time.AfterFunc(time.Until(l.at), w.fire)
		return
	}
	w.timer.Reset(time.Until(l.at))
}

func (w *watch) fire() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = time.Time{}
	if w.ended {
		return
	}
	if w.limit.passed(time.Now()) {
		w.cancel(w.limit.failure(w.host))
		return
	}
	w.set(w.limit)
}

// awaitBody starts the clock for the next bytes, pause stops it: a slow reader is no silent upstream.
func (w *watch) awaitBody() { w.await(w.total.within(time.Now(), w.t.Idle, StageIdle)) }

func (w *watch) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limit = w.total
}

func (w *watch) gotConn(info httptrace.GotConnInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tries++; w.tries > 1 && w.retried == nil {
		w.retried = errors.New("the reused connection died before an answer")
	}
	w.conn = info.Conn
	w.timing.Connected, w.timing.Reused = time.Since(w.start), info.Reused
	if !w.ended {
		w.set(w.first)
	}
}

func (w *watch) wrote(info httptrace.WroteRequestInfo) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timing.Sent = time.Since(w.start)
	if info.Err != nil {
		w.retried = info.Err
	}
}

func (w *watch) gotFirst() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = true
	w.timing.FirstByte = time.Since(w.start)
	if !w.ended {
		w.set(w.total.within(time.Now(), w.t.Idle, StageIdle))
	}
}

func (w *watch) got1xx(int, textproto.MIMEHeader) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interim++; w.interim > maxInterim {
		return errInterim
	}
	if !w.ended {
		w.set(w.first) // the final answer is still to come
	}
	return nil
}

func (w *watch) times() Timing {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.timing
	if w.tries > 1 {
		t.Retried = w.retried
	}
	return t
}

// end stops the clock and ends what net/http may still be doing for the call.
func (w *watch) end() {
	w.mu.Lock()
	w.ended = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.gate.shut()
	w.cancel(context.Canceled)
}

// cutBelowTLS reports whether the stream of a TLS connection ended without TLS's own end.
func (w *watch) cutBelowTLS() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	secure, ok := w.conn.(*tls.Conn)
	if !ok {
		return false
	}
	s, ok := secure.NetConn().(*stream)
	return ok && s.ended.Load()
}

// own returns the failure that the watch or the caller's context brought about, nil if neither did.
func (w *watch) own() *Error {
	cause := context.Cause(w.ctx)
	if cause == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](cause); ok {
		return e
	}
	return &Error{Stage: StageCanceled, Host: w.host, Err: cause}
}

// blame gives an error of RoundTrip its stage.
func (w *watch) blame(err error) *Error {
	if e := w.own(); e != nil {
		return e
	}
	if serr := w.gate.failure(); serr != nil {
		return &Error{Stage: StageSource, Host: w.host, Err: serr}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	stage := StageRead
	switch op, isOp := errors.AsType[*net.OpError](err); {
	case isOp && op.Op == "proxyconnect":
		stage = StageProxy
	case w.tries == 0:
		stage = w.connectStage(err)
	case w.begun && !isOp && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errInterim):
		stage = StageProtocol
	case isOp && op.Op == "write":
		stage = StageWrite
	}
	return &Error{Stage: stage, Host: w.host, Err: err}
}

// connectStage is the stage of an error before there was a connection. Mutex held.
func (w *watch) connectStage(err error) Stage {
	stage := dialStage(err)
	if stage != StageDial {
		return stage
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return StageDial
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errClosed) {
		return StageDial
	}
	return StageTLS
}

// blameBody gives an error of the body its stage.
func (w *watch) blameBody(err error) *Error {
	if e := w.own(); e != nil {
		return e
	}
	if serr := w.gate.failure(); serr != nil {
		return &Error{Stage: StageSource, Host: w.host, Err: serr}
	}
	return &Error{Stage: StageBody, Host: w.host, Err: err}
}
