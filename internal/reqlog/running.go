package reqlog

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

const (
	sweepEvery = 250 * time.Millisecond
	// openAfter is the age at which an exchange gets its open mark.
	openAfter = time.Second
	// sweepBatch bounds how many exchanges are looked at closely while Begin and End wait.
	sweepBatch = 64
)

// running lists the exchanges between Begin and End, in order of Begin.
//
// Its mutex may be held when the ring's is taken, not the other way round.
type running struct {
	mu          sync.Mutex
	first, last *Exchange
	turn        uint64

	changes  atomic.Uint64 // grows under mu with each change that watchers are told of
	watchers atomic.Int64
}

func (r *running) add(x *Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn++
	x.turn, x.listed = r.turn, true
	x.prev, x.next = r.last, nil
	if r.last != nil {
		r.last.next = x
	} else {
		r.first = x
	}
	r.last = x
}

func (r *running) remove(x *Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !x.listed {
		return
	}
	if x.prev != nil {
		x.prev.next = x.next
	} else {
		r.first = x.next
	}
	if x.next != nil {
		x.next.prev = x.prev
	} else {
		r.last = x.prev
	}
	x.prev, x.next, x.listed = nil, nil, false
}

// oldest returns the earliest start, or now when nothing runs.
func (r *running) oldest(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	for x := r.first; x != nil; x = x.next {
		if x.start.Before(now) {
			now = x.start
		}
	}
	return now
}

// shown reports whether others may see x. r.mu is held.
func (x *Exchange) shown() bool { return x.described.Load() && !x.CountOnly }

// described copies of e what Described makes final, and no other field: those are still being
// written. The copy shares e's slices.
func described(e *sluice.LogEntry) sluice.LogEntry {
	return sluice.LogEntry{
		ID: e.ID, Start: e.Start, Account: e.Account, Gateway: e.Gateway, Provider: e.Provider, Model: e.Model,
		Endpoint: e.Endpoint, Method: e.Method, Path: e.Path, Type: e.Type, Key: e.Key,
		UserAgent: e.UserAgent, EventID: e.EventID, TraceID: e.TraceID, Metadata: e.Metadata, ReqHeader: e.ReqHeader,
		Request: sluice.Body{Type: e.Request.Type}, Ending: sluice.EndingInFlight, Step: e.Step,
	}
}

// describedCopy is described with slices of its own.
func describedCopy(e *sluice.LogEntry) sluice.LogEntry {
	c := described(e)
	c.Metadata, c.ReqHeader = slices.Clone(c.Metadata), slices.Clone(c.ReqHeader)
	return c
}

// Running calls f with each running exchange that is described, oldest first, until f returns false. f
// gets a copy of the fields that Described lists, which it may keep; Ending is EndingInFlight.
func (l *Log) Running(f func(e *sluice.LogEntry) bool) {
	var turn uint64
	for {
		var some []sluice.LogEntry
		some, turn = l.running.copies(turn)
		if len(some) == 0 {
			return
		}
		for i := range some {
			if !f(&some[i]) {
				return
			}
		}
	}
}

// copies returns copies of some exchanges that began after turn, and the turn of the last.
func (r *running) copies(after uint64) ([]sluice.LogEntry, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var some []sluice.LogEntry
	for x := r.first; x != nil && len(some) < sweepBatch; x = x.next {
		if x.turn > after && x.shown() {
			some = append(some, describedCopy(&x.Entry))
			after = x.turn
		}
	}
	return some, after
}

// find returns the running exchange of that id, in account.
func (r *running) find(account string, id sluice.ID) (sluice.LogEntry, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for x := r.first; x != nil; x = x.next {
		if x.shown() && x.Entry.ID == id && x.Entry.Account == account {
			e := describedCopy(&x.Entry)
			x.live.add(&e)
			return e, true
		}
	}
	return sluice.LogEntry{}, false
}

// sweeper writes an open mark for each exchange that has been running for a while.
func (l *Log) sweeper(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for turn, more := uint64(0), true; more; {
				turn, more = l.sweep(now, turn)
			}
		case <-ctx.Done():
			return
		}
	}
}

// sweep marks some exchanges that began after turn; more: there may be others.
func (l *Log) sweep(now time.Time, after uint64) (turn uint64, more bool) {
	r := &l.running
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for x := r.first; x != nil; x = x.next {
		if x.turn <= after || x.marked || now.Sub(x.start) < openAfter || !x.shown() {
			continue
		}
		if n++; n > sweepBatch {
			return after, true
		}
		after = x.turn
		x.marked = true // also when it panics: the others get theirs at the next sweep
		x.marked = l.mark(x)
	}
	return after, false
}

// mark puts x's open mark into the queue, unless its entry is there already: a mark behind it would
// never be taken back. false: there was no room.
func (l *Log) mark(x *Exchange) bool {
	e := described(&x.Entry)
	bound := recordBound(&e, nil)
	if bound > maxRecord {
		e = *slim(&e)
		bound = recordBound(&e, nil)
	}
	l.ring.mu.Lock()
	defer l.ring.mu.Unlock()
	if x.ended {
		return true
	}
	ticket, _ := l.ring.put(&record{kind: KindOpen, entry: &e, bound: bound})
	return ticket != 0
}
