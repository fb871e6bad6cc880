package upstream

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	dialsPerHost = 32               // at once: a burst must not look like an attack, nor exhaust ports
	maxIdle      = 55 * time.Second // load balancers commonly close at 60
	maxAge       = 5 * time.Minute  // names move to other addresses
	reapEvery    = 5 * time.Second
	forgetAfter  = 10 * time.Minute // a host without calls
)

// errGone says that the host was forgotten between its being found and being used: find it again.
var errGone = errors.New("host forgotten")

// hostKey is what connections must have in common to be exchangeable. Private is part of it, so that a
// connection to a private address never serves a call that may not go there.
type hostKey struct {
	tls, private bool
	host         string
}

// host is what the client knows of one upstream host, its connections above all.
//
// A call that finds no idle connection waits, first in queue, then in dialling once a dial was started
// for it. It gets what comes first: its own dial's outcome, or a connection that another call freed.
type host struct {
	c       *Client
	key     hostKey
	name    string // without port and brackets
	addr    string // to dial
	proxied bool
	std     atomic.Bool  // speaks no HTTP/1.1
	spoke   atomic.Bool  // has answered in HTTP/1.1
	last    atomic.Int64 // when it was last called through net/http, Unix nanoseconds

	mu       sync.Mutex
	gone     bool
	idle     []*conn // the last used one is last, and taken first
	open     int     // places taken: connections in use or idle, and dials
	dials    map[*dial]struct{}
	queue    list.List // of *waiter without a dial, oldest first
	dialling list.List // of *waiter with one
	used     time.Time // when a call last asked for a connection
}

// waiter is a call without a connection. Its fields are guarded by the host's mutex.
type waiter struct {
	got  chan delivery // has room for the one delivery there will be
	at   *list.Element // in the list in; nil once served or gone
	in   *list.List
	dial *dial
	call *call
	// fresh: the call has met a dead connection and wants none that was used before.
	fresh bool
}

type delivery struct {
	cn  *conn
	err *Error
}

// dial is a connection being made, for a waiter as long as that one waits.
type dial struct {
	w      *waiter
	cancel context.CancelFunc
}

// newHost asks for the host's proxy, and applies the rule to what needs no name service: a proxy would
// resolve names itself, out of our sight, but a forbidden address in plain is refused all the same.
func (c *Client) newHost(k hostKey) (*host, *Error) {
	h := &host{c: c, key: k, dials: map[*dial]struct{}{}, used: time.Now()}
	h.name, h.addr = splitHost(k.host, k.tls)
	h.last.Store(h.used.UnixNano())
	h.std.Store(c.o.Transport == "std")
	if a, err := netip.ParseAddr(h.name); err == nil {
		if err := c.o.Rule.check(h.name, a, k.private); err != nil {
			return nil, &Error{Stage: StageAddress, Host: k.host, Err: err}
		}
	}
	if c.o.Proxy != nil {
		u := url.URL{Scheme: "http", Host: k.host}
		if k.tls {
			u.Scheme = "https"
		}
		proxy, err := c.o.Proxy(&u)
		if err != nil {
			return nil, &Error{Stage: StageProxy, Host: k.host, Err: err}
		}
		h.proxied = proxy != nil
	}
	return h, nil
}

// acquire returns a connection that is fit for use: an idle one, else what comes first of a dial and a
// connection that another call is done with.
func (h *host) acquire(ctx context.Context, x *call) (*conn, *Error) {
	for {
		cn, w, err := h.take(x)
		if err != nil {
			return nil, err
		}
		if cn == nil {
			if cn, err = h.wait(ctx, w); err != nil {
				return nil, err
			}
		}
		if !cn.used || cn.silent() {
			return cn, nil
		}
		h.discard(cn)
	}
}

// take takes an idle connection, or else puts a waiter for x in the queue.
func (h *host) take(x *call) (*conn, *waiter, *Error) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gone {
		return nil, nil, &Error{Stage: StageDial, Host: h.key.host, Err: errGone}
	}
	h.used = now
	for len(h.idle) > 0 {
		last := len(h.idle) - 1
		cn := h.idle[last]
		h.idle[last] = nil
		h.idle = h.idle[:last]
		if !cn.expired(now) {
			return cn, nil, nil
		}
		h.open--
		cn.raw.Close()
	}
	w := &waiter{got: make(chan delivery, 1), call: x}
	h.enlist(w, &h.queue)
	h.pump()
	return nil, w, nil
}

// renew exchanges a dead connection for one that is dialled, in the same place among the host's.
func (h *host) renew(ctx context.Context, x *call) (*conn, *Error) {
	h.mu.Lock()
	if h.gone {
		h.open--
		h.mu.Unlock()
		return nil, &Error{Stage: StageDial, Host: h.key.host, Err: errClosed}
	}
	w := &waiter{got: make(chan delivery, 1), call: x, fresh: true}
	h.start(w)
	h.mu.Unlock()
	return h.wait(ctx, w)
}

// wait waits for w's delivery as long as the call's deadlines allow. While a dial of its own is under
// way, that ends by its own deadlines, which also tells where the time went.
func (h *host) wait(ctx context.Context, w *waiter) (*conn, *Error) {
	t := w.call.req.Timeouts
	place := limit{}.within(w.call.start, t.Connect, StageBusy)
	timer := newTimer(place.sooner(w.call.first))
	defer timer.stop()
	for {
		select {
		case d := <-w.got:
			return d.cn, d.err
		case <-ctx.Done():
			return nil, h.leave(w, &Error{Stage: StageCanceled, Host: h.key.host, Err: context.Cause(ctx)})
		case <-timer.c():
		}
		if first := w.call.first; first.passed(time.Now()) {
			return nil, h.leave(w, first.failure(h.key.host))
		}
		if !h.ownsDial(w) {
			return nil, h.leave(w, &Error{Stage: StageBusy, Host: h.key.host, Err: fmt.Errorf("no free connection within %v", t.Connect)})
		}
		timer.stop()
		timer = newTimer(w.call.first)
	}
}

func (h *host) ownsDial(w *waiter) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return w.dial != nil
}

// leave ends w's waiting with err. What was delivered at the same moment goes to someone else.
func (h *host) leave(w *waiter, err *Error) *Error {
	h.mu.Lock()
	if w.at != nil {
		h.delist(w)
		if d := w.dial; d != nil {
			d.w = nil
			if t := w.call.req.Timeouts; t.Connect == 0 || t.TLS == 0 {
				d.cancel() // nothing else would end it; otherwise the next call may use what it brings
			}
		}
		h.mu.Unlock()
		return err
	}
	h.mu.Unlock()
	if d := <-w.got; d.cn != nil {
		h.release(d.cn)
	}
	return err
}

// enlist and delist, and all below that says so, want the mutex held.
func (h *host) enlist(w *waiter, in *list.List) { w.in, w.at = in, in.PushBack(w) }

func (h *host) delist(w *waiter) {
	w.in.Remove(w.at)
	w.in, w.at = nil, nil
}

// pump starts dials for those who wait, as far as the bounds allow. Mutex held.
func (h *host) pump() {
	limit := h.c.o.ConnsPerHost
	for h.queue.Len() > 0 && len(h.dials) < dialsPerHost && (limit <= 0 || h.open < limit) && !h.gone {
		w := h.queue.Front().Value.(*waiter)
		h.delist(w)
		h.open++
		h.start(w)
	}
}

// start dials for w, who is in no list yet, in a place that was counted already. Mutex held.
func (h *host) start(w *waiter) {
	ctx, cancel := context.WithCancel(context.Background())
	d := &dial{w: w, cancel: cancel}
	w.dial = d
	h.enlist(w, &h.dialling)
	h.dials[d] = struct{}{}
	start, t := w.call.start, w.call.req.Timeouts
	h.c.work.Add(1)
	go func() {
		defer h.c.work.Done()
		defer cancel()
		cn, err := h.connectSafely(ctx, start, t)
		h.dialled(d, cn, err)
	}()
}

// connectSafely is connect in a goroutine of its own, where a panic would end the process.
func (h *host) connectSafely(ctx context.Context, start time.Time, t Timeouts) (cn *conn, err *Error) {
	defer func() {
		if cause := recover(); cause != nil {
			h.c.log.ErrorContext(ctx, "panic in a dial", "host", h.key.host, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			cn, err = nil, &Error{Stage: StageDial, Host: h.key.host, Err: fmt.Errorf("panic: %v", cause)}
		}
	}()
	return h.connect(ctx, start, t)
}

// dialled takes a dial's outcome to the one it was started for. When that one is gone, a connection
// goes to whoever waits, or among the idle ones; a failure concerns nobody.
func (h *host) dialled(d *dial, cn *conn, err *Error) {
	h.mu.Lock()
	delete(h.dials, d)
	w := d.w
	if err == nil {
		h.pump() // there is room for another dial
		h.mu.Unlock()
		h.deliver(w, cn)
		return
	}
	defer h.mu.Unlock()
	h.open--
	if w != nil && w.at != nil {
		h.delist(w)
		w.got <- delivery{err: err}
	}
	if errors.Is(err, errNoHTTP1) {
		h.failQueue(err) // they would hear the same, one handshake later
	}
	h.pump()
}

// failQueue ends the waiting of those without a dial. Mutex held.
func (h *host) failQueue(err *Error) {
	for h.queue.Len() > 0 {
		w := h.queue.Front().Value.(*waiter)
		h.delist(w)
		w.got <- delivery{err: err}
	}
}

// deliver gives cn to w if w still waits (it may be nil), else to the next one, else to the idle ones.
func (h *host) deliver(w *waiter, cn *conn) {
	now := time.Now()
	old := cn.used && now.Sub(cn.born) >= maxAge
	h.mu.Lock()
	if w == nil || w.at == nil {
		w = h.next(cn)
	}
	if w != nil && !old {
		h.delist(w)
		if w.dial != nil {
			w.dial.w = nil
		}
		w.got <- delivery{cn: cn}
		h.mu.Unlock()
		return
	}
	if h.gone || old || len(h.idle) >= h.c.o.IdlePerHost {
		h.open--
		h.pump()
		h.mu.Unlock()
		cn.raw.Close()
		return
	}
	cn.since = now
	h.idle = append(h.idle, cn)
	h.mu.Unlock()
}

// next is who has waited longest for a connection like cn: first those for whom nothing is under way.
// Mutex held.
func (h *host) next(cn *conn) *waiter {
	for _, in := range [...]*list.List{&h.queue, &h.dialling} {
		for e := in.Front(); e != nil; e = e.Next() {
			if w := e.Value.(*waiter); !w.fresh || !cn.used {
				return w
			}
		}
	}
	return nil
}

// release takes back a connection that is in a state to carry another request.
func (h *host) release(cn *conn) { h.deliver(nil, cn) }

// discard closes a connection and frees its place.
func (h *host) discard(cn *conn) {
	cn.raw.Close()
	h.mu.Lock()
	h.open--
	h.pump()
	h.mu.Unlock()
}

// reap closes expired connections. It reports whether the host is to be forgotten.
func (h *host) reap(now time.Time) bool {
	h.mu.Lock()
	kept, expired := h.idle[:0], []*conn(nil)
	for _, cn := range h.idle {
		if cn.expired(now) {
			expired = append(expired, cn)
		} else {
			kept = append(kept, cn)
		}
	}
	clear(h.idle[len(kept):])
	h.idle = kept
	h.open -= len(expired)
	h.pump()
	unused := now.Sub(h.used) > forgetAfter && now.UnixNano()-h.last.Load() > int64(forgetAfter)
	h.gone = h.gone || unused && h.open == 0 && h.queue.Len() == 0
	gone := h.gone
	h.mu.Unlock()
	for _, cn := range expired {
		cn.nc.Close() // with TLS's farewell: nobody waits for this
	}
	return gone
}

// shut closes the idle connections, ends the dials and sends those who wait away.
func (h *host) shut() {
	h.mu.Lock()
	h.gone = true
	idle := h.idle
	h.idle = nil
	h.open -= len(idle)
	for d := range h.dials {
		d.cancel()
	}
	h.failQueue(&Error{Stage: StageDial, Host: h.key.host, Err: errClosed})
	h.mu.Unlock()
	for _, cn := range idle {
		cn.nc.Close()
	}
}

func (h *host) stats() HostStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := HostStats{
		Scheme: "http", Host: h.key.host, Private: h.key.private, Via: "own",
		Open: h.open, Idle: len(h.idle), Dialing: len(h.dials), Waiting: h.queue.Len() + h.dialling.Len(),
	}
	if h.key.tls {
		s.Scheme = "https"
	}
	if h.std.Load() {
		s.Via = "std"
	}
	if h.proxied {
		s.Via = "proxy"
	}
	return s
}
