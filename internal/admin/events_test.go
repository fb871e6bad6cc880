package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// got is one event as a client reads it.
type got struct {
	kind, id string
	data     map[string]any
}

func (g got) logID() string {
	l, _ := g.data["log"].(map[string]any)
	id, _ := l["id"].(string)
	return id
}

// nextEvent reads one event.
func nextEvent(r *bufio.Reader) (got, error) {
	var g got
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return g, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			g.kind = value
		case "id":
			g.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &g.data); err != nil {
				return g, fmt.Errorf("%w in %s", err, value)
			}
		case "":
			return g, nil
		}
	}
}

// stream is an open stream of events.
type stream struct {
	t      *testing.T
	r      *bufio.Reader
	cancel context.CancelFunc
}

func (b *bench) follow(query string, header ...string) *stream {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	r := mustRequest(b.t, http.MethodGet, b.server.URL+accountPath+"/events?"+query).WithContext(ctx)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.server.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		cancel()
		resp.Body.Close()
	})
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || ct != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	return &stream{b.t, bufio.NewReader(resp.Body), cancel}
}

// want reads one event, which must be of a kind and, unless id is "", of an entry.
func (s *stream) want(kind, id string) got {
	s.t.Helper()
	g, err := nextEvent(s.r)
	if err != nil || g.kind != kind || id != "" && g.logID() != id {
		s.t.Fatalf("event %+v, %v; want %s of %s", g, err, kind, id)
	}
	return g
}

func TestTheTailTellsOfOpenAndClosedRequests(t *testing.T) {
	b := newBench(t)
	b.log.add(reqlog.KindEntry, entryAt(&b.ids, 0)) // before anybody listens
	s := b.follow("")
	s.want("tick", "")
	e, other, mute := entryAt(&b.ids, 0), entryAt(&b.ids, 0), entryAt(&b.ids, 0)
	other.Account = "other"
	open := e
	open.Ending = sluice.EndingInFlight
	b.log.add(reqlog.KindOpen, open)
	b.log.add(reqlog.KindEntry, other)
	b.log.mu.Lock()
	b.log.records = append(b.log.records, reqlog.Record{Kind: reqlog.KindEntry, Pos: posOf(3), Entry: mute, CountOnly: true})
	b.log.mu.Unlock()
	b.log.add(reqlog.KindEntry, e)
	if g := s.want("open", e.ID.String()); g.data["sub"] != "all" || g.data["log"].(map[string]any)["ending"] != "in_flight" {
		t.Errorf("open: %v", g)
	}
	if g := s.want("close", e.ID.String()); g.data["matches"] != true || g.id != "1-1-1" {
		t.Errorf("close: %+v", g)
	}
}

func TestEachSubscriptionHasItsFilter(t *testing.T) {
	b := newBench(t)
	es := make([]sluice.LogEntry, 3)
	for i := range es {
		es[i] = entryAt(&b.ids, 0)
	}
	es[1].Provider, es[1].Success = "anthropic", false
	s := b.follow("sub="+url.QueryEscape("good:success:yes")+"&sub="+url.QueryEscape("anthropic:provider:anthropic")+"&sub=all", "Last-Event-ID", "0-0-0")
	b.log.add(reqlog.KindEntry, es...)
	s.want("tick", "")
	var seen []string
	for range 6 {
		g := s.want("close", "")
		seen = append(seen, fmt.Sprint(g.data["sub"], " ", g.logID()))
	}
	want := []string{"good " + es[0].ID.String(), "all " + es[0].ID.String(), "anthropic " + es[1].ID.String(), "all " + es[1].ID.String(), "good " + es[2].ID.String(), "all " + es[2].ID.String()}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", seen, want)
	}
}

func TestASubscriptionsFilterMayHoldCommasAndColons(t *testing.T) {
	b := newBench(t)
	s := b.follow("sub=" + url.QueryEscape(`a:provider:anthropic,openai path:"x:y,z" gateway:prod`))
	s.want("tick", "")
	other, e := entryAt(&b.ids, 0), entryAt(&b.ids, 0)
	e.Path, e.Gateway = "x:y,z", "prod"
	b.log.add(reqlog.KindEntry, other, e)
	s.want("close", e.ID.String())
}

func TestAnOpenRequestIsClosedEvenWhenItNoLongerMatches(t *testing.T) {
	b := newBench(t)
	s := b.follow("sub=" + url.QueryEscape("running:status:in_flight"))
	s.want("tick", "")
	e := entryAt(&b.ids, 0)
	open := e
	open.Ending, open.Success, open.Status = sluice.EndingInFlight, false, 0
	b.log.add(reqlog.KindOpen, open)
	b.log.add(reqlog.KindEntry, entryAt(&b.ids, 0), e)
	s.want("open", e.ID.String())
	if g := s.want("close", e.ID.String()); g.data["matches"] != false {
		t.Errorf("close: %v", g)
	}
}

func TestTheTailResumesWithoutGapsOrRepeats(t *testing.T) {
	b := newBench(t)
	first := b.follow("")
	last := first.want("tick", "").id
	first.cancel()
	var want, seen []string
	// Each round the client reads three of seven new entries, and comes back with what it saw last.
	for range 5 {
		for range 7 {
			e := entryAt(&b.ids, 0)
			want = append(want, e.ID.String())
			b.log.add(reqlog.KindEntry, e)
		}
		s := b.follow("", "Last-Event-ID", last)
		s.want("tick", "")
		for range 3 {
			g := s.want("close", "")
			seen, last = append(seen, g.logID()), g.id
		}
		s.cancel()
	}
	s := b.follow("", "Last-Event-ID", last)
	s.want("tick", "")
	for len(seen) < len(want) {
		seen = append(seen, s.want("close", "").logID())
	}
	if !slices.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
}

func TestAPositionThatIsGoneIsToldAndLeft(t *testing.T) {
	for name, last := range map[string]string{"older than the log": "1-0-1", "of another log": "9-0-0", "no position": "x", "half a position": "1-2"} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for range 6 {
				b.log.add(reqlog.KindEntry, entryAt(&b.ids, 0))
			}
			b.log.oldest = 4
			s := b.follow("last_event_id=" + last)
			g, err := nextEvent(s.r)
			if err == nil && g.kind == "tick" { // the position was well-formed, and then turned out to be gone
				g, err = nextEvent(s.r)
			}
			if err != nil || g.kind != "resync" || g.id != "1-1-2" {
				t.Fatalf("%+v, %v", g, err)
			}
			e := entryAt(&b.ids, 0)
			b.log.add(reqlog.KindEntry, e)
			s.want("close", e.ID.String())
		})
	}
}

func TestEventsRefuseWhatTheyCannotRead(t *testing.T) {
	b := newBench(t)
	b.fails(accountPath+"/events?sub=a:nothing:x", http.StatusBadRequest, codeInvalid, "subscription 1")
	b.fails(accountPath+"/events?"+strings.Repeat("sub=a&", 9), http.StatusBadRequest, codeInvalid, "")
	b.fails(accountPath+"/events?fields=nothing", http.StatusBadRequest, codeInvalid, "no field")
}

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	done := make(chan struct{})
	b := newBench(t, func(d *Deps) { d.Done = done })
	s := b.follow("")
	s.want("tick", "")
	close(done)
	if _, err := nextEvent(s.r); err != io.EOF {
		t.Errorf("%v, want the end", err)
	}
}

// slowWriter is a client that takes nothing until it is let.
type slowWriter struct {
	*httptest.ResponseRecorder
	gate chan struct{}
}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-w.gate
	return w.ResponseRecorder.Write(p)
}

func (l *fakeLog) tail(queue int) *tail {
	fields := newFieldSet()
	return &tail{
		log: l, account: "default", subs: []*sub{{name: "all", open: map[sluice.ID]struct{}{}}},
		show: logsQuery{keep: fields.list, basis: basisRequests}, rows: &server{fields: fields},
		queue: newEventQueue(queue), logger: slog.New(slog.DiscardHandler),
	}
}

func TestASlowClientLosesEventsThatAreCountedToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ids := newFakeLog(), sluice.IDs{}
		tail := l.tail(4 << 10)
		tail.start("")
		ctx, cancel := context.WithCancel(t.Context())
		w := &slowWriter{httptest.NewRecorder(), make(chan struct{})}
		var serving sync.WaitGroup
		serving.Go(func() { tail.serve(ctx, w) })
		const n = 500
		for range n {
			l.add(reqlog.KindEntry, entryAt(&ids, 0))
		}
		synctest.Wait() // the log took all of them in, and none of them waits for the client
		close(w.gate)
		synctest.Wait()
		cancel()
		serving.Wait()
		closed, dropped := 0, 0
		for r := bufio.NewReader(w.Body); ; {
			g, err := nextEvent(r)
			if err != nil {
				break
			}
			switch g.kind {
			case "close":
				closed++
			case "drop":
				dropped += int(g.data["n"].(float64))
			}
		}
		if closed == 0 || dropped == 0 || closed+dropped != n {
			t.Errorf("%d shown, %d dropped of %d", closed, dropped, n)
		}
	})
}

func TestHistoryWaitsForASlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ids := newFakeLog(), sluice.IDs{}
		const n = 200
		for range n {
			l.add(reqlog.KindEntry, entryAt(&ids, 0))
		}
		tail := l.tail(4 << 10)
		tail.start("0-0-0")
		ctx, cancel := context.WithCancel(t.Context())
		w := &slowWriter{httptest.NewRecorder(), make(chan struct{})}
		var serving sync.WaitGroup
		serving.Go(func() { tail.serve(ctx, w) })
		synctest.Wait()
		close(w.gate)
		synctest.Wait()
		cancel()
		serving.Wait()
		if closed := strings.Count(w.Body.String(), "event: close\n"); closed != n || strings.Contains(w.Body.String(), "event: drop") {
			t.Errorf("%d of %d", closed, n)
		}
	})
}

func TestALiveStreamTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ids := newFakeLog(), sluice.IDs{}
		tail := l.tail(queueBytes)
		tail.subs[0].conds = mustCompile(t, "provider:nobody")
		tail.start("")
		ctx, cancel := context.WithCancel(t.Context())
		w := httptest.NewRecorder()
		var serving sync.WaitGroup
		serving.Go(func() { tail.serve(ctx, w) })
		l.add(reqlog.KindEntry, entryAt(&ids, 0), entryAt(&ids, 0))
		time.Sleep(3*tickEvery + time.Second)
		synctest.Wait()
		cancel()
		serving.Wait()
		var seen []string
		for r := bufio.NewReader(w.Body); ; {
			g, err := nextEvent(r)
			if err != nil {
				break
			}
			seen = append(seen, g.kind+" "+g.id)
		}
		// Ticks move the position on, so that a filter that lets little pass does not make a client come
		// back for what it has seen.
		if want := "[tick 1-0-0 tick 1-0-2 tick 1-0-2 tick 1-0-2]"; fmt.Sprint(seen) != want {
			t.Errorf("%v, want %v", seen, want)
		}
	})
}

func mustCompile(t *testing.T, q string) []reqlog.Cond {
	t.Helper()
	f, err := reqlog.ParseFilter(q)
	if err != nil {
		t.Fatal(err)
	}
	conds, err := f.Compile(base)
	if err != nil {
		t.Fatal(err)
	}
	return conds
}

// FuzzParsePlace: what is read is written alike.
func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{"0-0-0", "1-2-3", "18446744073709551615-4294967295-4294967295", "1-2", "-1-2-3", "0-0-0-18446744073709551615", "1-2-3-4", "1-2-3-4-5", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := parsePlace(s); ok {
			if again, ok := parsePlace(p.String()); !ok || again != p {
				t.Errorf("%q became %v", s, again)
			}
		}
	})
}

// brokenLog is a Log whose records cannot be read.
type brokenLog struct{ Log }

func (brokenLog) Watch() func() { return func() {} }

func (brokenLog) Changed(uint64, func(*sluice.LogEntry)) uint64 { return 1 }

func (brokenLog) Head() reqlog.Pos { return reqlog.Pos{} }

func (brokenLog) Follow(context.Context, reqlog.Pos) iter.Seq2[reqlog.Record, error] {
	panic("a record that nobody can read")
}

func TestAPanicEndsOneStream(t *testing.T) {
	var text strings.Builder
	stream := &tail{
		log: brokenLog{}, subs: []*sub{{name: "all"}}, done: make(chan struct{}), queue: newEventQueue(queueBytes),
		logger: slog.New(slog.NewTextHandler(&text, nil)),
	}
	answer := httptest.NewRecorder()
	stream.serve(t.Context(), answer)
	if !strings.Contains(text.String(), "a record that nobody can read") || !strings.Contains(answer.Body.String(), "tick") {
		t.Errorf("log: %s, answer: %s", text.String(), answer.Body)
	}
}

func TestRequestsThatRunAreToldOfFromTheirFirstByte(t *testing.T) {
	b := newBench(t)
	early := entryAt(&b.ids, 0)
	early.Status = 200
	b.log.runs(early) // before anybody listens
	s := b.follow("sub=" + url.QueryEscape("a:provider:openai"))
	s.want("tick", "")
	if g := s.want("open", early.ID.String()); g.id != "" || g.data["log"].(map[string]any)["ending"] != "in_flight" {
		t.Errorf("open: %+v", g)
	}
	early.Attempts = []sluice.Attempt{{Provider: "openai", Status: 503, Cause: "status"}}
	b.log.runs(early)
	if g := s.want("update", early.ID.String()); g.data["log"].(map[string]any)["attempt_count"] != 1.0 {
		t.Errorf("update: %+v", g)
	}
	// The open mark says nothing new; an entry of another filter is none of its business.
	other := entryAt(&b.ids, 0)
	other.Provider = "groq"
	b.log.runs(other)
	open := early
	open.Ending = sluice.EndingInFlight
	b.log.add(reqlog.KindOpen, open)
	b.log.add(reqlog.KindEntry, other, early)
	if g := s.want("close", early.ID.String()); g.id != "1-0-3" {
		t.Errorf("close: %+v", g)
	}
	s.cancel()
}

func TestStreamsThatNobodyReadsAreNotWatchedFor(t *testing.T) {
	b := newBench(t)
	s := b.follow("")
	s.want("tick", "")
	watchers := func() int {
		b.log.mu.Lock()
		defer b.log.mu.Unlock()
		return b.log.watchers
	}
	eventually(t, "a watcher", func() bool { return watchers() == 1 })
	s.cancel()
	eventually(t, "no watcher", func() bool { return watchers() == 0 })
}

func TestCorrectionsAreUpdates(t *testing.T) {
	b := newBench(t)
	s := b.follow("sub=" + url.QueryEscape("unrated:-feedback:1"))
	s.want("tick", "")
	shown, hidden := entryAt(&b.ids, 0), entryAt(&b.ids, 0)
	hidden.Feedback = 1
	correct := func(e sluice.LogEntry) { b.log.said(reqlog.Record{Kind: reqlog.KindEntry, Entry: e, Corrects: true}) }
	b.log.add(reqlog.KindEntry, shown, hidden)
	s.want("close", shown.ID.String())
	hidden.Score, hidden.Scored = 0.5, true
	correct(hidden) // who follows does not show it, and need not know
	shown.Score, shown.Scored = 0.7, true
	correct(shown)
	if g := s.want("update", shown.ID.String()); g.data["matches"] != true {
		t.Errorf("%+v", g)
	}
	shown.Feedback = 1
	correct(shown)
	if g := s.want("update", shown.ID.String()); g.data["matches"] != false {
		t.Errorf("%+v", g)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	b := newBench(t)
	all := make([]*stream, maxStreams)
	for i := range all {
		all[i] = b.follow("")
		all[i].want("tick", "")
	}
	b.fails(accountPath+"/events", http.StatusServiceUnavailable, codeInternal, "too many")
	all[0].cancel()
	eventually(t, "room for one more", func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := b.server.Client().Do(mustRequest(t, http.MethodGet, b.server.URL+accountPath+"/events").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there is not %s", what)
		}
	}
}

func TestRecentIDsForgetTheOldest(t *testing.T) {
	var r recentIDs
	var ids sluice.IDs
	all := make([]sluice.ID, maxRecent+1)
	for i := range all {
		all[i] = ids.New(base)
		r.add(all[i])
	}
	if r.has(all[0]) || !r.has(all[1]) || !r.has(all[maxRecent]) {
		t.Error("the oldest is to be forgotten, and no other")
	}
}

func TestWhatPeopleSayIsAnUpdate(t *testing.T) {
	b := newBench(t)
	s := b.follow("")
	s.want("tick", "")
	e := entryAt(&b.ids, 0)
	b.log.add(reqlog.KindEntry, e)
	s.want("close", e.ID.String())
	e.Feedback = -1
	if err := b.log.Patch(t.Context(), reqlog.ChangeFeedback, &e); err != nil {
		t.Fatal(err)
	}
	said := reqlog.Record{Kind: reqlog.KindPatch, Changes: reqlog.ChangeFeedback, Entry: sluice.LogEntry{ID: e.ID, Account: "default", Feedback: -1}}
	b.log.said(said)
	if g := s.want("update", e.ID.String()); g.data["log"].(map[string]any)["model"] != e.Model {
		t.Errorf("the update has what was said and not the row: %v", g.data)
	}
	said.Entry.Account = "other"
	b.log.said(said)
	b.log.said(reqlog.Record{Kind: reqlog.KindDelete, Entry: sluice.LogEntry{ID: e.ID, Account: "other"}, IDs: []sluice.ID{e.ID}})
	b.log.said(reqlog.Record{Kind: reqlog.KindDelete, Entry: sluice.LogEntry{ID: e.ID, Account: "default"}, IDs: []sluice.ID{e.ID}})
	g := s.want("delete", "")
	if ids, _ := g.data["ids"].([]any); len(ids) != 1 || ids[0] != e.ID.String() {
		t.Errorf("%+v", g)
	}
}

func TestWhatWasDeletedIsNotToldAgain(t *testing.T) {
	b := newBench(t)
	gone, kept := entryAt(&b.ids, 0), entryAt(&b.ids, 0)
	b.log.add(reqlog.KindEntry, gone, kept)
	b.log.deleted = map[sluice.ID]bool{gone.ID: true}
	s := b.follow("", "Last-Event-ID", "0-0-0")
	s.want("tick", "")
	s.want("close", kept.ID.String())
}

func TestJobsAreEvents(t *testing.T) {
	wait := make(chan struct{})
	jobs := newJobs(t, job.Kind{Name: "slow", Run: func(ctx context.Context, r *job.Run) error {
		select {
		case <-wait:
		case <-ctx.Done():
		}
		return ctx.Err()
	}})
	b := newBench(t, func(d *Deps) { d.Jobs = jobs })
	_, err := jobs.Start(t.Context(), job.Spec{Account: "other", Kind: "slow", Actor: "test", Input: struct{}{}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := jobs.Start(t.Context(), job.Spec{Account: "default", Kind: "slow", Actor: "test", Input: struct{}{}})
	if err != nil {
		t.Fatal(err)
	}
	s := b.follow("kinds=jobs")
	s.want("tick", "")
	if g := s.want("job", ""); g.id != "" || g.data["id"] != j.ID {
		t.Errorf("%+v", g)
	}
	close(wait)
	for state := ""; state != "done"; {
		g := s.want("job", "")
		if state, _ = g.data["state"].(string); g.data["id"] != j.ID {
			t.Fatalf("%+v", g)
		}
	}
}
