package reqlog

import (
	"slices"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// live is what of a running exchange changes before its end. Its first three are written without a lock on
// every request's way; the rest is guarded by running.mu, and told only of exchanges that differ from
// the ordinary one, or while somebody watches.
type live struct {
	over   atomic.Bool  // End has begun: a record may tell of the exchange at any moment
	status atomic.Int32 // that the client gets; 0: its answer has not begun
	first  atomic.Int64 // Timeline.FirstByte, in nanoseconds

	change   uint64 // of running.changes, when it was last changed
	attempts []sluice.Attempt
	token    time.Duration // Timeline.FirstToken
	sent     int64
	usage    sluice.Usage
}

func (v *live) reset() {
	v.over.Store(false)
	v.status.Store(0)
	v.first.Store(0)
	v.change, v.attempts, v.token, v.sent, v.usage = 0, nil, 0, 0, sluice.Usage{}
}

// add puts what v knows into e, a copy of what Described made final. running.mu is held.
func (v *live) add(e *sluice.LogEntry) {
	e.Status = int(v.status.Load())
	e.Timeline.FirstByte, e.Timeline.FirstToken = time.Duration(v.first.Load()), v.token
	e.Attempts = slices.Clone(v.attempts)
	e.Response.Size = v.sent
	if v.usage.Known() {
		e.Usage = v.usage
		e.Usage.Basis = sluice.BasisPartial
	}
}

// change tells watchers that x has changed. running.mu is held.
func (r *running) change(x *Exchange) {
	x.live.change = r.changes.Add(1) + 1
}

// Watch makes others' calls of Watched true until stop is called, which may be done more than once.
func (l *Log) Watch() (stop func()) {
	l.running.watchers.Add(1)
	var stopped atomic.Bool
	return func() {
		if stopped.CompareAndSwap(false, true) {
			l.running.watchers.Add(-1)
		}
	}
}

// Watched reports whether anybody wants to hear of running exchanges: what is told of them for nobody
// else need not be found out.
func (l *Log) Watched() bool { return l.running.watchers.Load() > 0 }

// Answering tells that x's answer begins: its status, and when the provider's first byte came.
func (l *Log) Answering(x *Exchange, status int, first time.Duration) {
	x.live.status.Store(int32(status))
	x.live.first.Store(int64(first))
	if !l.Watched() {
		return
	}
	l.running.mu.Lock()
	defer l.running.mu.Unlock()
	l.running.change(x)
}

// Attempted tells of the attempts that x has made so far and that did not serve. They are copied.
func (l *Log) Attempted(x *Exchange, attempts []sluice.Attempt) {
	told := slices.Clone(attempts)
	l.running.mu.Lock()
	defer l.running.mu.Unlock()
	x.live.attempts = told
	l.running.change(x)
}

// Flowing tells how far x's answer is: when its first content passed (0: not yet), how many bytes of it
// have, and what it has reported as used. It is for callers that found Watched true, a few times a second.
func (l *Log) Flowing(x *Exchange, token time.Duration, sent int64, usage sluice.Usage) {
	l.running.mu.Lock()
	defer l.running.mu.Unlock()
	v := &x.live
	if v.token == token && v.sent == sent && v.usage == usage {
		return
	}
	v.token, v.sent, v.usage = token, sent, usage
	l.running.change(x)
}

// Changed calls f with each running exchange that has changed since a former call returned since, and returns
// what to give the next one. since 0: with each that is answered already, or has run for a second. f gets
// a copy as Running does, with what is known of attempts, times, status and usage besides.
//
// An exchange of which Follow has yielded the entry is not among them: who calls both by turns sees its
// end last.
func (l *Log) Changed(since uint64, f func(e *sluice.LogEntry)) (now uint64) {
	r := &l.running
	if now = r.changes.Load() + 1; now == since { // never 0, which asks for all
		return now
	}
	for _, e := range r.changed(&now, since) {
		f(&e)
	}
	return now
}

// changed copies the exchanges that changed since, and sets now to the last change that it has seen.
func (r *running) changed(now *uint64, since uint64) (some []sluice.LogEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*now = r.changes.Load() + 1
	began := time.Now().Add(-openAfter)
	for x := r.first; x != nil; x = x.next {
		if x.live.change <= since && since != 0 || !x.shown() || x.live.over.Load() {
			continue
		}
		if x.live.status.Load() == 0 && len(x.live.attempts) == 0 && x.start.After(began) {
			continue // nothing has come of it yet
		}
		e := describedCopy(&x.Entry)
		x.live.add(&e)
		some = append(some, e)
	}
	return some
}
