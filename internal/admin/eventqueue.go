package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// place is how far a client has come: what an event's id says.
type place struct {
	log   reqlog.Pos
	hello uint64 // hello.Miss.Seq of the last first-run hint
}

// event is one event on its way to the client. One whose place is zero moves no position.
type event struct {
	kind  string
	sub   string // "" when it is for all
	place place
	data  []byte
}

// eventQueue holds what a client has not taken yet, bounded in bytes.
type eventQueue struct {
	ready chan struct{} // holds a value when something waits

	mu      sync.Mutex
	room    *sync.Cond
	events  []event
	bytes   int
	limit   int
	dropped map[string]int // by subscription
	pos     place          // everything up to here is in the queue, was taken or is counted as dropped
}

// eventCost is what an event costs beside its data.
const eventCost = 128

func newEventQueue(limit int) *eventQueue {
	q := &eventQueue{ready: make(chan struct{}, 1), limit: limit, dropped: map[string]int{}}
	q.room = sync.NewCond(&q.mu)
	return q
}

// put adds e. Without room it waits until there is, or counts e as dropped.
func (q *eventQueue) put(ctx context.Context, e event, wait bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	cost := len(e.data) + eventCost
	full := func() bool { return len(q.events) > 0 && q.bytes+cost > q.limit }
	if wait && full() {
		stop := context.AfterFunc(ctx, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.room.Broadcast()
		})
		defer stop()
		for full() && ctx.Err() == nil {
			q.room.Wait()
		}
	}
	if full() {
		q.dropped[e.sub]++
	} else {
		q.events = append(q.events, e)
		q.bytes += cost
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// at tells that everything up to p was offered.
func (q *eventQueue) at(p place) { q.move(func(pos *place) { *pos = p }) }

// move changes what at told.
func (q *eventQueue) move(change func(p *place)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change(&q.pos)
}

// place returns what everything was offered up to.
func (q *eventQueue) place() place {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pos
}

// take empties the queue.
func (q *eventQueue) take() (events []event, dropped map[string]int, pos place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, dropped = q.events, q.dropped
	q.events, q.bytes, q.dropped = nil, 0, map[string]int{}
	q.room.Broadcast()
	return events, dropped, q.pos
}

// eventWriter writes events in the form of
// https://html.spec.whatwg.org/multipage/server-sent-events.html.
type eventWriter struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	buf []byte
}

// event adds an event; its data is one line.
func (o *eventWriter) event(e *event) {
	o.buf = append(o.buf, "event: "...)
	o.buf = append(o.buf, e.kind...)
	if e.place != (place{}) {
		o.buf = append(o.buf, "\nid: "...)
		o.buf = append(o.buf, e.place.String()...)
	}
	o.buf = append(o.buf, "\ndata: "...)
	o.buf = append(o.buf, e.data...)
	o.buf = append(o.buf, "\n\n"...)
}

// batch adds what waits in q, and returns how far the client is with that.
func (o *eventWriter) batch(q *eventQueue) place {
	events, dropped, pos := q.take()
	for i := range events {
		o.event(&events[i])
	}
	o.drops(dropped)
	return pos
}

func (o *eventWriter) tick(pos place) {
	o.event(&event{kind: "tick", place: pos, data: []byte(`{"time":"` + stamp(time.Now()) + `"}`)})
}

// drops tells how many events each subscription lost. It has no id: the position does not move.
func (o *eventWriter) drops(dropped map[string]int) {
	for name, n := range dropped {
		data, err := json.Marshal(struct {
			Sub string `json:"sub"`
			N   int    `json:"n"`
		}{name, n})
		if err == nil {
			o.buf = fmt.Appendf(o.buf, "event: drop\ndata: %s\n\n", data)
		}
	}
}

// flush sends what was added, and reports whether the client is still there.
func (o *eventWriter) flush() bool {
	// A server without deadlines lets a client that stopped reading stay: that is its choice.
	_ = o.rc.SetWriteDeadline(time.Now().Add(writeWithin))
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	if cap(o.buf) > queueBytes/4 {
		o.buf = nil // a stream that is quiet again holds little
	}
	return err == nil && o.rc.Flush() == nil
}

// String writes a place as an event's id.
func (p place) String() string {
	s := strconv.FormatUint(p.log.Segment, 10) + "-" + strconv.FormatUint(uint64(p.log.Block), 10) + "-" + strconv.FormatUint(uint64(p.log.Record), 10)
	if p.hello != 0 {
		s += "-" + strconv.FormatUint(p.hello, 10)
	}
	return s
}

// parsePlace reads an event's id.
func parsePlace(s string) (p place, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) == 3 {
		parts = append(parts, "0")
	}
	if len(parts) != 4 {
		return place{}, false
	}
	segment, err1 := strconv.ParseUint(parts[0], 10, 64)
	block, err2 := strconv.ParseUint(parts[1], 10, 32)
	record, err3 := strconv.ParseUint(parts[2], 10, 32)
	hello, err4 := strconv.ParseUint(parts[3], 10, 64)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return place{}, false
	}
	return place{reqlog.Pos{Segment: segment, Block: uint32(block), Record: uint32(record)}, hello}, true
}
