package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// eventRoutes are those of streams of events.
func eventRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/events", "follow-events", "Follow log entries as they come, as server-sent events", handle((*server).followEvents)),
	}
}

const (
	maxSubs = 8
	// tickEvery is how often a stream says that it lives and how far it has come.
	tickEvery = 15 * time.Second
	// writeWithin is how long a client may take nothing before its stream is ended.
	writeWithin = 30 * time.Second
	// queueBytes is how much waits for a client before events are dropped.
	queueBytes = 1 << 20
)

// EventsInput are the parameters of a stream of events.
type EventsInput struct {
	AccountPath
	Sub         []string `query:"sub,explode" maxItems:"8" doc:"a subscription: a name of your choice, a colon, and a filter; none: one with the name all and no filter"`
	Fields      string   `query:"fields" doc:"names of fields with commas between"`
	Basis       string   `query:"basis" default:"requests" enum:"attempts,requests" doc:"what a log in an event stands for"`
	LastEventID string   `header:"Last-Event-ID" doc:"id of the last event seen: the stream goes on behind it"`
	After       string   `query:"last_event_id" doc:"the same, for clients that cannot set the header"`
}

// sub is one subscription.
type sub struct {
	name  string
	conds []reqlog.Cond
	// open are the requests that an open event was sent of, so that their close is sent too, even when
	// what came of them does not pass the filter.
	open map[sluice.ID]struct{}
}

// maxOpen bounds sub.open. What does not fit closes like any other.
const maxOpen = 10_000

func parseSubs(params []string, now time.Time) ([]*sub, error) {
	if len(params) == 0 {
		params = []string{"all:"}
	}
	if len(params) > maxSubs {
		return nil, invalid("sub", "more than "+strconv.Itoa(maxSubs)+" subscriptions", "")
	}
	subs := make([]*sub, len(params))
	for i, p := range params {
		name, q, _ := strings.Cut(p, ":")
		f, err := reqlog.ParseFilter(q)
		if err == nil {
			subs[i] = &sub{name: clip(strings.ToValidUTF8(name, "?"), 64), open: map[sluice.ID]struct{}{}}
			subs[i].conds, err = f.Compile(now)
		}
		if err != nil {
			msg, hint := "internal error", ""
			if e, ok := errors.AsType[*sluice.Error](err); ok {
				msg, hint = e.Msg, e.Hint
			}
			return nil, invalid("sub", "subscription "+strconv.Itoa(i+1)+": "+msg, hint)
		}
	}
	return subs, nil
}

func (s *server) followEvents(ctx context.Context, in *EventsInput) (*huma.StreamResponse, error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	subs, err := parseSubs(in.Sub, time.Now())
	if err != nil {
		return nil, err
	}
	t := &tail{
		log: s.Log, account: a.ID, subs: subs, done: s.Done, logger: s.Logger,
		show:  logsQuery{keep: s.fields.list, basis: basis(in.Basis)},
		rows:  s,
		queue: newEventQueue(queueBytes),
	}
	if c, known := ctx.Value(callerKey{}).(caller); known {
		t.token = c.token
	}
	if in.Fields != "" {
		t.show.whole = true
		if t.show.keep, err = s.fields.pick(in.Fields); err != nil {
			return nil, err
		}
	}
	last := in.LastEventID
	if last == "" {
		last = in.After
	}
	t.start(last)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		t.serve(ctx, w)
	}}, nil
}

// tail feeds one stream of events. One goroutine reads the log into a bounded queue, the handler's own
// empties it to the client: a client that reads slowly loses events, which are counted to it, and holds
// up nobody.
type tail struct {
	log     Log
	account string
	subs    []*sub
	show    logsQuery
	rows    *server
	done    <-chan struct{}
	logger  *slog.Logger
	queue   *eventQueue
	token   *auth.Token // that let the caller in; nil: none did

	from   reqlog.Pos // where to begin
	resync bool       // from is not where the client left off
	live   reqlog.Pos // what lies before is history, which waits for the client instead of being dropped
}

// start decides where to begin: behind the event last, or at the end of the log.
func (t *tail) start(last string) {
	t.live = t.log.Head()
	t.from = t.live
	if last == "" {
		return
	}
	pos, ok := parsePos(last)
	// A position ahead of the log is one of another log that was there before.
	if !ok || t.live.Less(pos) {
		t.resync = true
		return
	}
	t.from = pos
}

// serve writes the stream until the client leaves, the server stops or the log fails.
func (t *tail) serve(ctx context.Context, w http.ResponseWriter) {
	begin := t.from // from here on it is follow's
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var following sync.WaitGroup
	following.Go(func() {
		defer cancel()
		defer t.contain(ctx)
		t.follow(ctx)
	})
	defer following.Wait()
	defer cancel()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies must not gather events
	out := &eventWriter{w: w, rc: http.NewResponseController(w)}
	if t.resync {
		out.event("resync", begin, []byte(`{"reason":"the position is not in the log"}`))
	} else {
		out.tick(begin)
	}
	ticks := time.NewTicker(tickEvery)
	defer ticks.Stop()
	var ended <-chan struct{}
	if t.token != nil {
		ended = t.token.Ended()
	}
	for out.flush() {
		select {
		case <-ctx.Done():
			return
		case <-t.done:
			return
		case <-ended:
			return
		case <-t.queue.ready:
			events, dropped, _ := t.queue.take()
			for _, e := range events {
				out.event(e.kind, e.pos, e.data)
			}
			out.drops(dropped)
		case now := <-ticks.C:
			if t.token != nil && t.token.VerdictAt(now) != auth.Valid {
				return // expired
			}
			events, dropped, pos := t.queue.take()
			for _, e := range events {
				out.event(e.kind, e.pos, e.data)
			}
			out.drops(dropped)
			out.tick(pos)
		}
	}
}

// follow reads the log into the queue until ctx ends.
func (t *tail) follow(ctx context.Context) {
	t.queue.at(t.from)
	for ctx.Err() == nil {
		gone := false
		for rec, err := range t.log.Follow(ctx, t.from) {
			if errors.Is(err, reqlog.ErrGone) {
				gone = true
				break
			}
			if err != nil {
				if ctx.Err() == nil {
					t.logger.ErrorContext(ctx, "event stream broke off", "error", err)
				}
				return
			}
			t.record(ctx, &rec)
		}
		if !gone {
			return
		}
		// What is left of the log's past is of no use to a client that has missed a part of it: it
		// fetches what it shows anew, and is told what comes from now on.
		t.from = t.log.Head()
		t.live = t.from
		t.queue.put(ctx, event{kind: "resync", pos: t.from, data: []byte(`{"reason":"the position is no longer in the log"}`)}, true)
	}
}

// contain ends this stream, and nothing else, when following panicked: what the log holds is anybody's text.
func (t *tail) contain(ctx context.Context) {
	if cause := recover(); cause != nil {
		t.logger.ErrorContext(ctx, "panic in an event stream", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
}

// record offers one record to all subscriptions. Only the last event of a record moves the client's
// position behind it: who leaves between two of them sees the first again, and misses none.
func (t *tail) record(ctx context.Context, rec *reqlog.Record) {
	history := rec.Pos.Less(t.live)
	var events []event
	if rec.Entry.Account == t.account && !rec.CountOnly {
		for _, s := range t.subs {
			events = append(events, t.events(ctx, s, rec)...)
		}
	}
	for i := range events {
		events[i].pos = rec.Pos
		if i == len(events)-1 {
			events[i].pos = behind(rec.Pos)
		}
		t.queue.put(ctx, events[i], history)
	}
	t.queue.at(behind(rec.Pos))
}

// behind returns the position after the record at p: what an event's id is, so that a client that
// sends it back goes on with the next.
func behind(p reqlog.Pos) reqlog.Pos {
	p.Record++
	return p
}

// events makes what s is to be told of rec.
func (t *tail) events(ctx context.Context, s *sub, rec *reqlog.Record) []event {
	kind := "close"
	if rec.Corrects {
		kind = "update" // its close event was sent before
	}
	matches := reqlog.MatchAll(s.conds, &rec.Entry)
	if rec.Kind == reqlog.KindOpen {
		kind = "open"
		if !matches {
			return nil
		}
		if len(s.open) < maxOpen {
			s.open[rec.Entry.ID] = struct{}{}
		}
	} else {
		_, opened := s.open[rec.Entry.ID]
		delete(s.open, rec.Entry.ID)
		if !matches && !opened {
			return nil
		}
	}
	var events []event
	for _, it := range itemsOf(&rec.Entry, t.show.basis) {
		data, err := json.Marshal(eventData{s.name, matches, t.rows.row(&it, &t.show)})
		if err != nil {
			t.logger.ErrorContext(ctx, "event not shown", "id", rec.Entry.ID.String(), "error", err)
			continue
		}
		events = append(events, event{kind: kind, sub: s.name, data: data})
	}
	return events
}

// eventData is what open and close events carry.
type eventData struct {
	Sub     string `json:"sub"`
	Matches bool   `json:"matches"` // false: the request no longer passes the filter that its open event passed
	Log     Row    `json:"log"`
}

// event is one event on its way to the client.
type event struct {
	kind string
	sub  string // "" when it is for all
	pos  reqlog.Pos
	data []byte
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
	pos     reqlog.Pos     // everything up to here is in the queue, was taken or is counted as dropped
}

func newEventQueue(limit int) *eventQueue {
	q := &eventQueue{ready: make(chan struct{}, 1), limit: limit, dropped: map[string]int{}}
	q.room = sync.NewCond(&q.mu)
	return q
}

// put adds e. Without room it waits until there is, or counts e as dropped.
func (q *eventQueue) put(ctx context.Context, e event, wait bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := func() bool { return len(q.events) > 0 && q.bytes+len(e.data) > q.limit }
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
		q.bytes += len(e.data)
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// at tells that everything up to pos was offered.
func (q *eventQueue) at(pos reqlog.Pos) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pos = pos
}

// take empties the queue.
func (q *eventQueue) take() (events []event, dropped map[string]int, pos reqlog.Pos) {
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

// event adds an event; data is one line.
func (o *eventWriter) event(kind string, pos reqlog.Pos, data []byte) {
	o.buf = append(o.buf, "event: "...)
	o.buf = append(o.buf, kind...)
	o.buf = append(o.buf, "\nid: "...)
	o.buf = append(o.buf, formatPos(pos)...)
	o.buf = append(o.buf, "\ndata: "...)
	o.buf = append(o.buf, data...)
	o.buf = append(o.buf, "\n\n"...)
}

func (o *eventWriter) tick(pos reqlog.Pos) {
	o.event("tick", pos, []byte(`{"time":"`+stamp(time.Now())+`"}`))
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
	return err == nil && o.rc.Flush() == nil
}

// formatPos writes a position as an event's id.
func formatPos(p reqlog.Pos) string {
	return strconv.FormatUint(p.Segment, 10) + "-" + strconv.FormatUint(uint64(p.Block), 10) + "-" + strconv.FormatUint(uint64(p.Record), 10)
}

func parsePos(s string) (p reqlog.Pos, ok bool) {
	parts := strings.Split(s, "-")
	if len(parts) != 3 {
		return reqlog.Pos{}, false
	}
	segment, err1 := strconv.ParseUint(parts[0], 10, 64)
	block, err2 := strconv.ParseUint(parts[1], 10, 32)
	record, err3 := strconv.ParseUint(parts[2], 10, 32)
	if err := errors.Join(err1, err2, err3); err != nil {
		return reqlog.Pos{}, false
	}
	return reqlog.Pos{Segment: segment, Block: uint32(block), Record: uint32(record)}, true
}
