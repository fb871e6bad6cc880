package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

const (
	// tunnelBuffer is what each direction of a tunnel reads at a time; nothing else of a message is kept.
	tunnelBuffer = 8 << 10
	// farewell bounds how long a side may take to be told the end, and to take leave itself.
	farewell = time.Second
	// closeGrace is how long the connections may stay after a Close frame: whoever has got one answers it,
	// and the server ends the connection (RFC 6455, 7.1.1).
	closeGrace = 5 * time.Second
)

// tunnel is a WebSocket between a client and a provider. Two goroutines pass the bytes on, each in one
// direction and never ahead of who takes them; the request's own waits for the end.
type tunnel struct {
	x        *exchange
	client   net.Conn
	provider net.Conn
	up, down leg // to the provider, to the client

	active  atomic.Int64  // when bytes came last, in nanoseconds since the exchange's start
	closing chan struct{} // a Close frame has passed; has room for both
	ended   chan verdict  // has room for both legs

	listening sync.Mutex      // held while what follows is used: a session may read both directions
	session   wire.Session    // nil: nobody reads what is said
	asking    wire.Asking     // session, where it wants the client's messages too
	used      reqlog.Exchange // the row of a message that reports usage
	fault     string          // the first error that the provider reported
}

// leg is one direction of a tunnel.
type leg struct {
	t        *tunnel
	src, dst net.Conn
	pause    time.Duration // dst may take no byte for as long; 0: the front bounds it
	bytes    atomic.Int64
	code     atomic.Int32 // of the Close frame that has passed; 0: none
	leaving  atomic.Bool  // it is about to end: no write gets its whole time any more

	mu   sync.Mutex // held while bytes are looked at and passed
	w    wsframe.Watcher
	over bool // nothing is passed any more
	torn bool // a write was cut short, maybe within a frame
}

// verdict is how a tunnel ended, and what each side is told: a code of 0 tells nothing.
type verdict struct {
	ending   sluice.Ending
	kind     string // for the log, as text
	text     string
	client   int    // code of the Close frame that the client gets
	provider int    // and the provider
	reason   string // and why
	// early: a side takes no more bytes. What it has still to say may tell why.
	early bool
}

// Errors of a client's message that is not passed on.
var (
	errTooBig     = errors.New("the message is larger than websocket.message_bytes")
	errNotAllowed = errors.New("the gateway token is not good any more")
	errSpent      = errors.New("a spend limit of the gateway is reached")
)

// converse answers the client's handshake, and passes frames both ways until one side has had enough.
func (x *exchange) converse(ctx context.Context) error {
	t, err := x.switchClient(ctx)
	if err != nil {
		_ = x.answer.conn.Close() // nobody will speak on it
		return err
	}
	v := t.run(ctx)
	e := x.entry()
	e.Ending, e.ErrorKind, e.ErrorText = v.ending, v.kind, cut(v.text)
	if e.ErrorText == "" {
		e.ErrorText = cut(t.fault)
	}
	x.body.size, e.Response.Size = t.up.bytes.Load(), t.down.bytes.Load()
	x.note(t.closes(&v))
	if n := len(e.Attempts); n > 0 {
		e.Attempts[n-1].End = x.since() - e.Attempts[n-1].Start
	}
	x.abort = v.ending != sluice.EndingComplete && v.client == 0
	return nil
}

// closes says for the log with which codes the sides have closed.
func (t *tunnel) closes(v *verdict) string {
	if v.client != 0 && t.down.code.Load() == 0 {
		return "closed by Sluice with " + strconv.Itoa(v.client)
	}
	return "client closed with " + t.up.closedWith() + ", provider with " + t.down.closedWith()
}

// closedWith is the code of a side's Close frame: 1006 where its connection ended without one.
func (l *leg) closedWith() string {
	if code := l.code.Load(); code != 0 {
		return strconv.Itoa(int(code))
	}
	return strconv.Itoa(wsframe.CodeAbnormal)
}

// newTunnel makes the tunnel of an exchange, over connections that have become WebSockets.
func (x *exchange) newTunnel(client, provider net.Conn) *tunnel {
	t := &tunnel{x: x, client: client, provider: provider, closing: make(chan struct{}, 2), ended: make(chan verdict, 2)}
	if rt := x.provider.Realtime; rt != nil && rt.Session != nil {
		t.session = rt.Session()
		t.asking, _ = t.session.(wire.Asking)
	}
	t.up.t, t.up.src, t.up.dst, t.up.pause = t, client, provider, x.settings.timeouts.Idle
	t.up.w = wsframe.Watcher{Masked: true, Opaque: t.asking == nil}
	t.down.t, t.down.src, t.down.dst = t, provider, client
	t.down.w = wsframe.Watcher{Opaque: t.session == nil}
	t.touch()
	return t
}

func (t *tunnel) touch() { t.active.Store(int64(t.x.since())) }

// run passes frames until the end, and tells both sides. It returns when nobody uses the connections.
func (t *tunnel) run(ctx context.Context) verdict {
	var legs sync.WaitGroup
	legs.Go(func() { t.ended <- t.up.run((*asked)(&t.up)) })
	legs.Go(func() { t.ended <- t.down.run((*told)(&t.down)) })
	v := t.wait(ctx)
	t.finish(&v)
	legs.Wait()
	_ = t.provider.Close() // closed already, unless it was told the end
	return v
}

// wait waits for what ends the tunnel.
func (t *tunnel) wait(ctx context.Context) verdict {
	idle := newIdle(t.x.settings.timeouts.Idle)
	defer idle.stop()
	var grace <-chan time.Time
	last := verdict{ending: sluice.EndingComplete} // when the grace is over
	for {
		select {
		case v := <-t.ended:
			if !v.early || last.early {
				return v
			}
			last, grace = v, time.After(farewell)
		case <-t.closing:
			if grace == nil {
				grace = time.After(closeGrace)
			}
		case <-grace:
			return last
		case <-ctx.Done():
			if ctxEnding(ctx) == sluice.EndingShutdown {
				return verdict{
					ending: sluice.EndingShutdown, kind: "shutdown", reason: "the gateway stops",
					client: wsframe.CodeRestart, provider: wsframe.CodeGoingAway,
				}
			}
			return verdict{ending: sluice.EndingClientGone, kind: "client_gone"}
		case <-idle.c():
			if idle.passed(t.x.since() - time.Duration(t.active.Load())) {
				return verdict{
					ending: sluice.EndingStalled, kind: "stalled", reason: "no frame within " + idle.d.String(),
					client: wsframe.CodeGoingAway, provider: wsframe.CodeGoingAway,
				}
			}
		}
	}
}

// idle is a timer that is set anew as long as something happens.
type idle struct {
	d     time.Duration // 0: it never passes
	timer *time.Timer
}

func newIdle(d time.Duration) *idle {
	if d <= 0 {
		return &idle{}
	}
	return &idle{d, time.NewTimer(d)}
}

func (i *idle) c() <-chan time.Time {
	if i.timer == nil {
		return nil
	}
	return i.timer.C
}

// passed reports whether it has been quiet for too long; otherwise the timer is set to when it will have been.
func (i *idle) passed(quiet time.Duration) bool {
	if quiet < i.d {
		i.timer.Reset(i.d - quiet)
		return false
	}
	return true
}

func (i *idle) stop() {
	if i.timer != nil {
		i.timer.Stop()
	}
}

// finish tells both sides the end. Who was told has a moment to take leave; the other is left at once.
func (t *tunnel) finish(v *verdict) {
	until := time.Now().Add(farewell)
	t.down.stop(until)
	t.up.stop(until) // before either is told: what a side answers is not the other's business
	if t.down.tell(v.client, v.reason) {
		_ = t.client.SetReadDeadline(until) // fails on a closed connection only, as its reads do
	} else {
		_ = t.client.SetReadDeadline(time.Unix(1, 0))
	}
	if t.up.tell(v.provider, v.reason) {
		_ = t.provider.SetReadDeadline(until)
	} else {
		_ = t.provider.Close()
	}
}

// stop lets nothing pass any more. A write that is under way has until the deadline.
func (l *leg) stop(until time.Time) {
	l.leaving.Store(true)
	_ = l.dst.SetWriteDeadline(until) // fails on a closed connection only, as the write will
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// tell puts a Close frame behind what has passed, where that ends with a whole frame and there was none. It
// reports whether dst was told. The leg has stopped.
func (l *leg) tell(code int, reason string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if code == 0 || l.code.Load() != 0 || l.torn || !l.w.Between() {
		return false
	}
	var mask *[4]byte
	if l.w.Masked {
		mask = new([4]byte)
		_, _ = rand.Read(mask[:]) // never fails
	}
	_, err := l.dst.Write(wsframe.AppendClose(nil, code, reason, mask))
	return err == nil
}

// run passes what src sends to dst, and reads on for nothing once the leg is over. Bytes of a header that is
// not whole wait, so that a frame can be refused and a Close put between two.
func (l *leg) run(h wsframe.Handler) (v verdict) {
	defer func() {
		if cause := recover(); cause != nil {
			l.t.x.proxy.panicked(l.t.x.id, cause)
			v = verdict{
				ending: sluice.EndingPanic, kind: "internal", reason: "internal error",
				client: wsframe.CodeInternal, provider: wsframe.CodeGoingAway,
			}
		}
	}()
	buf := make([]byte, tunnelBuffer)
	held := 0
	for {
		n, err := l.src.Read(buf[held:])
		if n > 0 {
			l.t.touch()
			left, failed := l.pass(buf[:held+n], held, h)
			if failed != nil {
				return *failed
			}
			held = copy(buf, buf[held+n-left:held+n])
		}
		if err != nil {
			return l.gone(err)
		}
	}
}

// pass looks at the bytes of b behind the first seen, and passes on all but the last left.
func (l *leg) pass(b []byte, seen int, h wsframe.Handler) (left int, failed *verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return 0, nil
	}
	took, refused := l.w.Write(b[seen:], h)
	left = l.w.Pending()
	if l.pause > 0 {
		_ = l.dst.SetWriteDeadline(time.Now().Add(l.pause)) // if it fails, so will the write
		if l.leaving.Load() {
			_ = l.dst.SetWriteDeadline(time.Now().Add(farewell)) // end has set its deadline before this one
		}
	}
	n, err := l.dst.Write(b[:seen+took-left])
	l.bytes.Add(int64(n))
	switch {
	case err != nil:
		v := l.stuck(err)
		l.over, l.torn = true, true
		return 0, &v
	case refused != nil:
		v := l.refused(refused)
		return 0, &v
	}
	return left, nil
}

// closed reports whether a Close frame has passed. What follows is the end, however it comes.
func (t *tunnel) closed() bool { return t.up.code.Load() != 0 || t.down.code.Load() != 0 }

// gone is the verdict where src sends no more.
func (l *leg) gone(err error) verdict {
	text := ""
	if !errors.Is(err, io.EOF) {
		text = err.Error()
	}
	switch {
	case l.t.closed():
		return verdict{ending: sluice.EndingComplete}
	case l == &l.t.up:
		return verdict{ending: sluice.EndingClientGone, kind: "client_gone", text: text}
	}
	return verdict{ending: sluice.EndingCut, kind: "cut", text: text, client: wsframe.CodeInternal, reason: "the provider's connection broke"}
}

// stuck is the verdict where dst takes no more.
func (l *leg) stuck(err error) verdict {
	late := errors.Is(err, os.ErrDeadlineExceeded)
	switch {
	case l.t.closed():
		return verdict{ending: sluice.EndingComplete, early: !late}
	case l == &l.t.down && late:
		return verdict{ending: sluice.EndingClientSlow, kind: "client_slow", text: err.Error()}
	case l == &l.t.down:
		return verdict{ending: sluice.EndingClientGone, kind: "client_gone", text: err.Error(), early: true}
	case late:
		return verdict{ending: sluice.EndingStalled, kind: "stalled", text: err.Error(), client: wsframe.CodeInternal, reason: "the provider takes no more"}
	}
	return verdict{ending: sluice.EndingCut, kind: "cut", text: err.Error(), client: wsframe.CodeInternal, reason: "the provider's connection broke", early: true}
}

// refused is the verdict on a frame that is not passed on.
func (l *leg) refused(err error) verdict {
	v := verdict{text: err.Error(), reason: err.Error(), provider: wsframe.CodeGoingAway}
	switch {
	case errors.Is(err, errTooBig):
		v.ending, v.kind, v.client = sluice.EndingRefused, "body_too_large", wsframe.CodeTooBig
	case errors.Is(err, errNotAllowed):
		v.ending, v.kind, v.client = sluice.EndingRefused, "unauthorized", wsframe.CodePolicy
	case errors.Is(err, errSpent):
		v.ending, v.kind, v.client = sluice.EndingRefused, "spend_limit", wsframe.CodePolicy
	case l == &l.t.up:
		v.ending, v.kind, v.client = sluice.EndingRefused, "invalid", wsframe.CodeProtocol
	default:
		v.ending, v.kind, v.client, v.provider = sluice.EndingCut, "protocol", wsframe.CodeInternal, wsframe.CodeProtocol
	}
	return v
}

// close notes a Close frame.
func (l *leg) close(code int) {
	if l.code.CompareAndSwap(0, int32(code)) {
		l.t.closing <- struct{}{}
	}
}

// asked is the leg to the provider as the watcher of its frames sees it.
type asked leg

// Frame refuses messages that the caller may not send.
func (a *asked) Frame(f wsframe.Frame) error {
	x := a.t.x
	switch {
	case f.Message > x.settings.message:
		return errTooBig
	case f.Begins() && x.allowed() != nil:
		return errNotAllowed
	case f.Begins() && x.spending.over != nil && x.spending.over.Load():
		return errSpent
	}
	return nil
}

// Data implements wsframe.Handler.
func (a *asked) Data(p []byte) { a.t.listen(func() { a.t.asking.Ask(p) }) }

// End implements wsframe.Handler.
func (a *asked) End(bool) { a.t.listen(func() { a.t.asking.EndAsk() }) }

// Closing implements wsframe.Handler.
func (a *asked) Closing(code int, _ []byte) { (*leg)(a).close(code) }

// told is the leg to the client as the watcher of its frames sees it.
type told leg

// Frame implements wsframe.Handler.
func (*told) Frame(wsframe.Frame) error { return nil }

// Data implements wsframe.Handler.
func (d *told) Data(p []byte) { d.t.listen(func() { d.t.session.Write(p) }) }

// End implements wsframe.Handler.
func (d *told) End(bool) {
	d.t.listen(func() {
		kind, r := d.t.session.End()
		if d.t.fault == "" {
			d.t.fault = r.Error
		}
		if kind != "" {
			d.t.record(kind, &r)
		}
	})
}

// Closing implements wsframe.Handler.
func (d *told) Closing(code int, _ []byte) { (*leg)(d).close(code) }

// listen calls f, which uses the session. A fault of the session's costs what it would have counted, and not
// the connection.
func (t *tunnel) listen(f func()) {
	t.listening.Lock()
	defer t.listening.Unlock()
	if t.session == nil {
		return
	}
	defer func() {
		if cause := recover(); cause != nil {
			t.session, t.asking = nil, nil
			t.x.proxy.panicked(t.x.id, cause)
		}
	}()
	f()
}

// record writes the row of a message that reports usage: a session is billed as it goes, not when it ends.
func (t *tunnel) record(kind string, r *wire.Reading) {
	x, now := t.x, time.Now()
	from := x.entry()
	t.used.Reset()
	e := &t.used.Entry
	e.ID, e.Start = x.proxy.ids.New(now), now.UTC()
	e.Account, e.Gateway, e.Provider, e.Model, e.Path, e.Method = from.Account, from.Gateway, from.Provider, from.Model, from.Path, from.Method
	e.Key, e.UserAgent, e.TraceID, e.Type, e.Endpoint = from.Key, from.UserAgent, from.TraceID, from.Type, typeRealtime+"/"+kind
	e.EventID = x.control.eventID
	e.Metadata = append(e.Metadata, from.Metadata...)
	e.Status, e.Success, e.Ending = 101, true, sluice.EndingComplete
	e.Served, e.Finish, e.Usage = printableText(r.Model, 256), printableText(r.Finish, 64), r.Usage
	e.Tier, e.Geo = printableText(r.Tier, 32), printableText(r.Geo, 32)
	e.Request.Off, e.Response.Off = true, true
	e.Notes = append(e.Notes, "on connection "+x.idText)
	e.Attempts = append(e.Attempts, sluice.Attempt{Provider: e.Provider, Model: e.Model, Host: x.target.Host, Status: 101, Usage: e.Usage})
	x.settings.prices.Of(e.Account).Settle(e, price.Reported{Cost: r.Cost}, x.control.cost)
	x.payPart(e)
	x.proxy.log.End(&t.used, !x.control.collect)
}
