package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/hello"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/people"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// tail feeds one stream of events. One goroutine reads the log into a bounded queue, another puts in what is
// not in the log, the handler's own empties it to the client: a client that reads slowly loses events, which
// are counted to it, and holds up nobody.
type tail struct {
	log     Log
	account string
	subs    []*sub // none: no log entries are told of
	show    logsQuery
	rows    *server
	done    <-chan struct{}
	logger  *slog.Logger
	queue   *eventQueue
	token   *auth.Token     // that let the caller in; nil: none did
	session *people.Session // likewise
	jobs    *job.Runner     // nil: jobs are not told of
	process bool            // jobs of the whole process are told of, too
	hello   *hello.Ring     // nil: first-run hints are not told of
	sees    func(m *hello.Miss) bool
	guide   *guide

	from   reqlog.Pos // where to begin
	missed uint64     // hello.Miss.Seq of the last hint that the client has
	resync bool       // from is not where the client left off
	live   reqlog.Pos // what lies before is history, which waits for the client instead of being dropped

	// mu is held while something is looked up and told, so that nothing is told of a request that runs
	// behind its end.
	mu      sync.Mutex
	patched recentIDs // exchanges that people said something of
	changed uint64    // what of running requests is told, for log.Changed
}

// start decides where to begin: behind the event last, or at the end of the log.
func (t *tail) start(last string) {
	t.live = t.log.Head()
	t.from = t.live
	now := uint64(0)
	if t.hello != nil {
		now = t.hello.Seq()
		t.missed = now
	}
	if last == "" {
		return
	}
	pos, ok := parsePlace(last)
	if ok {
		t.missed = min(pos.hello, now)
	}
	// A position ahead of the log is one of another log that was there before.
	if !ok || t.live.Less(pos.log) {
		t.resync = true
		return
	}
	t.from = pos.log
}

// serve writes the stream until the client leaves, the server stops or the log fails.
func (t *tail) serve(ctx context.Context, w http.ResponseWriter) {
	begin := place{log: t.from, hello: t.missed} // from here on it is follow's
	t.queue.at(begin)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var feeding sync.WaitGroup
	feed := func(run func(context.Context)) {
		feeding.Go(func() {
			defer cancel()
			defer t.contain(ctx)
			run(ctx)
		})
	}
	if len(t.subs) > 0 {
		feed(t.follow)
	}
	feed(t.watch)
	if t.jobs != nil {
		feed(t.followJobs)
	}
	defer feeding.Wait()
	defer cancel()

	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies must not gather events
	out := &eventWriter{w: w, rc: http.NewResponseController(w)}
	if t.resync {
		out.event(&event{kind: "resync", place: begin, data: []byte(`{"reason":"the position is not in the log"}`)})
	} else {
		out.tick(begin)
	}
	ticks := time.NewTicker(tickEvery)
	defer ticks.Stop()
	var ended <-chan struct{}
	if t.token != nil {
		ended = t.token.Ended()
	}
	if t.session != nil {
		ended = t.session.Ended()
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
			out.batch(t.queue)
		case now := <-ticks.C:
			if t.token != nil && t.token.VerdictAt(now) != auth.Valid {
				return // expired
			}
			if t.session != nil && !now.Before(t.session.Expires) {
				return // likewise
			}
			out.tick(out.batch(t.queue))
		}
	}
}

// follow reads the log into the queue until ctx ends.
func (t *tail) follow(ctx context.Context) {
	if t.from.Less(t.live) {
		if _, err := t.log.CompleteUntil(ctx); err != nil { // for Deleted to know all that history holds
			t.logger.WarnContext(ctx, "event stream begins without a whole index", "error", err)
		}
	}
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
		t.restart(ctx)
	}
}

// restart goes on at the end of the log. What is left of its past is of no use to a client that has missed a
// part of it: it fetches what it shows anew, and is told what comes from now on.
func (t *tail) restart(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.from = t.log.Head()
	t.live = t.from
	t.queue.move(func(p *place) { p.log = t.from })
	t.queue.put(ctx, event{kind: "resync", place: t.queue.place(), data: []byte(`{"reason":"the position is no longer in the log"}`)}, true)
}

// followJobs tells of jobs until ctx ends: first of those that have not ended, so that nobody misses a state. The
// events move no position.
func (t *tail) followJobs(ctx context.Context) {
	for j := range t.jobs.Watch(ctx) {
		if j.Account != t.account && (j.Account != "" || !t.process) {
			continue
		}
		data, err := json.Marshal(viewJob(&j))
		if err != nil {
			t.logger.ErrorContext(ctx, "job not shown", "job", j.ID, "error", err)
			continue
		}
		t.queue.put(ctx, event{kind: "job", data: data}, false)
	}
}

// watch tells of what is not in the log until ctx ends: requests that run, calls that came to nothing.
func (t *tail) watch(ctx context.Context) {
	stop := t.log.Watch()
	defer stop()
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		t.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// look tells what has changed since it last did.
func (t *tail) look(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.subs) > 0 {
		t.changed = t.log.Changed(t.changed, func(e *sluice.LogEntry) { t.running(ctx, e) })
	}
	if t.hello != nil && t.hello.Seq() > t.missed {
		misses := t.hello.Since(t.missed)
		for i := range misses {
			t.miss(ctx, &misses[i])
		}
	}
}

// running tells of a request that runs. The events move no position: who comes back is told of what runs then.
func (t *tail) running(ctx context.Context, e *sluice.LogEntry) {
	if e.Account != t.account {
		return
	}
	for _, s := range t.subs {
		matches := reqlog.MatchAll(s.conds, e)
		kind, tell := s.see(e.ID, matches)
		if !tell {
			continue
		}
		for _, ev := range t.events(ctx, s, kind, matches, e) {
			t.queue.put(ctx, ev, false)
		}
	}
}

// miss tells of a call that came to nothing.
func (t *tail) miss(ctx context.Context, m *hello.Miss) {
	t.missed = m.Seq
	t.queue.move(func(p *place) { p.hello = m.Seq })
	if !t.sees(m) {
		return
	}
	data, err := json.Marshal(t.guide.view(m))
	if err != nil {
		t.logger.ErrorContext(ctx, "first-run hint not shown", "error", err)
		return
	}
	t.queue.put(ctx, event{kind: "hello", place: t.queue.place(), data: data}, false)
}

// see notes that the request id runs, and says which event tells a client of it.
func (s *sub) see(id sluice.ID, matches bool) (kind string, tell bool) {
	if _, opened := s.open[id]; opened {
		return "update", true
	}
	if matches && len(s.open) < maxOpen {
		s.open[id] = struct{}{}
	}
	return "open", matches
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
	t.mu.Lock()
	defer t.mu.Unlock()
	history := rec.Pos.Less(t.live)
	var events []event
	if rec.Entry.Account == t.account && !rec.CountOnly {
		events = t.eventsOf(ctx, rec, history)
	}
	at := t.queue.place()
	for i := range events {
		at.log = rec.Pos
		if i == len(events)-1 {
			at.log = behind(rec.Pos)
		}
		events[i].place = at
		t.queue.put(ctx, events[i], history)
	}
	t.queue.move(func(p *place) { p.log = behind(rec.Pos) })
}

// eventsOf makes what is to be told of a record of the account.
func (t *tail) eventsOf(ctx context.Context, rec *reqlog.Record, history bool) (events []event) {
	id := rec.Entry.ID
	switch rec.Kind {
	case reqlog.KindDelete:
		return t.deleted(rec.IDs)
	case reqlog.KindPatch:
		t.patched.add(id)
		row, err := t.log.Get(ctx, t.account, id)
		if err != nil || row.Entry.Ending == sluice.EndingInFlight {
			return nil // it is no more, or not yet: its close event will tell
		}
		rec = &reqlog.Record{Kind: reqlog.KindEntry, Corrects: true, Entry: row.Entry}
	case reqlog.KindEntry, reqlog.KindOpen:
		if rec.Kind == reqlog.KindEntry && t.patched.has(id) { // the row has more than the record
			if row, err := t.log.Get(ctx, t.account, id); err == nil {
				rec = &reqlog.Record{Kind: rec.Kind, Corrects: rec.Corrects, Entry: row.Entry}
			}
		}
	default:
		return nil
	}
	for _, s := range t.subs {
		events = append(events, t.recorded(ctx, s, rec)...)
	}
	if history && len(events) > 0 {
		if gone, err := t.log.Deleted(ctx, id); gone || err != nil {
			return nil // rather a gap than what nobody is to see any more
		}
	}
	return events
}

// deleted tells that exchanges are no longer to be shown, whoever shows them.
func (t *tail) deleted(ids []sluice.ID) []event {
	data := []byte(`{"ids":[`)
	for i, id := range ids {
		if i > 0 {
			data = append(data, ',')
		}
		data = append(data, '"')
		data = append(data, id.String()...)
		data = append(data, '"')
		for _, s := range t.subs {
			delete(s.open, id)
		}
	}
	return []event{{kind: "delete", data: append(data, "]}"...)}}
}

// behind returns the position after the record at p: what an event's id is, so that a client that
// sends it back goes on with the next.
func behind(p reqlog.Pos) reqlog.Pos {
	p.Record++
	return p
}

// recorded makes what s is to be told of rec.
func (t *tail) recorded(ctx context.Context, s *sub, rec *reqlog.Record) []event {
	id, matches := rec.Entry.ID, reqlog.MatchAll(s.conds, &rec.Entry)
	_, opened := s.open[id]
	switch {
	case rec.Kind == reqlog.KindOpen:
		if opened {
			return nil // it was told of when its answer began
		}
		kind, tell := s.see(id, matches)
		if !tell {
			return nil
		}
		return t.events(ctx, s, kind, matches, &rec.Entry)
	case rec.Corrects:
		if !matches && !s.closed.has(id) {
			return nil // nobody who follows s shows it
		}
		return t.events(ctx, s, "update", matches, &rec.Entry)
	}
	delete(s.open, id)
	if !matches && !opened {
		return nil
	}
	s.closed.add(id)
	return t.events(ctx, s, "close", matches, &rec.Entry)
}

// events makes events of what an entry counts for.
func (t *tail) events(ctx context.Context, s *sub, kind string, matches bool, e *sluice.LogEntry) []event {
	var events []event
	for _, it := range itemsOf(e, t.show.basis) {
		data, err := json.Marshal(eventData{s.name, matches, t.rows.row(&it, &t.show)})
		if err != nil {
			t.logger.ErrorContext(ctx, "event not shown", "id", e.ID.String(), "error", err)
			continue
		}
		events = append(events, event{kind: kind, sub: s.name, data: data})
	}
	return events
}

// eventData is what open, update and close events carry.
type eventData struct {
	Sub     string `json:"sub"`
	Matches bool   `json:"matches"` // false: the request does not pass the filter, or no longer
	Log     Row    `json:"log"`
}
