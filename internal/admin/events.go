package admin

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/hello"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// eventRoutes are those of streams of events.
func eventRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/events", "follow-events", "Follow log entries, jobs and first-run hints as they come, as server-sent events", handle((*server).followEvents)),
	}
}

const (
	maxSubs = 8
	// maxStreams bounds the streams of the process: each may hold queueBytes.
	maxStreams = 256
	// queueBytes is how much waits for a client before events are dropped.
	queueBytes = 256 << 10
	// lookEvery is how soon a stream tells of what is not in the log yet.
	lookEvery = 100 * time.Millisecond
	// tickEvery is how often a stream says that it lives and how far it has come.
	tickEvery = 15 * time.Second
	// writeWithin is how long a client may take nothing before its stream is ended.
	writeWithin = 30 * time.Second
)

// The kinds of what a stream tells.
const (
	kindLogs  = "logs"
	kindJobs  = "jobs"
	kindHello = "hello"
)

// EventsInput are the parameters of a stream of events.
type EventsInput struct {
	AccountPath
	Sub         []string `query:"sub,explode" maxItems:"8" doc:"a subscription to log entries: a name of your choice, a colon, and a filter; none: one with the name all and no filter"`
	Kinds       []string `query:"kinds" enum:"logs,jobs,hello" doc:"what to tell of; without it: of everything"`
	Fields      string   `query:"fields" doc:"names of fields with commas between"`
	Basis       string   `query:"basis" default:"requests" enum:"attempts,requests" doc:"what a log in an event stands for"`
	LastEventID string   `header:"Last-Event-ID" doc:"id of the last event seen: the stream goes on behind it"`
	After       string   `query:"last_event_id" doc:"the same, for clients that cannot set the header"`

	caller  string
	process bool
}

// Resolve takes the caller's own address of us, and whether it sees what is of the whole process.
func (in *EventsInput) Resolve(ctx huma.Context) []error {
	in.caller, in.process = ourAddress(ctx), seesProcess(ctx)
	return nil
}

// sub is one subscription.
type sub struct {
	name  string
	conds []reqlog.Cond
	// open are the requests that an open event was sent of, so that their close is sent too, even when
	// what came of them does not pass the filter.
	open map[sluice.ID]struct{}
	// closed are those of the last close events: a correction of them is told even when they do not pass
	// the filter any more.
	closed recentIDs
}

// recentIDs remembers the last ids that were added.
type recentIDs struct {
	ids  []sluice.ID
	next int
}

// maxRecent bounds recentIDs.
const maxRecent = 512

func (r *recentIDs) add(id sluice.ID) {
	if len(r.ids) < maxRecent {
		r.ids = append(r.ids, id)
		return
	}
	r.ids[r.next] = id
	r.next = (r.next + 1) % maxRecent
}

func (r *recentIDs) has(id sluice.ID) bool { return slices.Contains(r.ids, id) }

// maxOpen bounds sub.open. What does not fit is opened again with each update, and closes like any other.
const maxOpen = 2_000

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

// streams counts the streams that are open.
type streams struct{ n atomic.Int64 }

// take reports whether there is room for one more; give makes room again.
func (s *streams) take() bool {
	if s.n.Add(1) > maxStreams {
		s.n.Add(-1)
		return false
	}
	return true
}

func (s *streams) give() { s.n.Add(-1) }

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
	wants := func(kind string) bool { return len(in.Kinds) == 0 || slices.Contains(in.Kinds, kind) }
	if !wants(kindLogs) {
		t.subs = nil
	}
	if wants(kindJobs) {
		t.jobs, t.process = s.Jobs, in.process
	}
	if wants(kindHello) && s.Hello != nil {
		t.hello = s.Hello
		t.sees = func(m *hello.Miss) bool { return seesMiss(m, a.ID, in.process) }
		t.guide = s.guide(s.Settings(), a, in.caller)
	}
	c := callerOf(ctx)
	t.token, t.session = c.token, c.session
	if in.Fields != "" {
		t.show.whole = true
		if t.show.keep, err = s.fields.pick(in.Fields, false); err != nil {
			return nil, err
		}
	}
	last := in.LastEventID
	if last == "" {
		last = in.After
	}
	if !s.streams.take() {
		return nil, &sluice.Error{
			Kind: sluice.KindUnavailable, Msg: "too many event streams are open",
			Hint: strconv.Itoa(maxStreams) + " are the most: one stream carries up to " + strconv.Itoa(maxSubs) + " subscriptions",
		}
	}
	t.start(last)
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer s.streams.give()
		_, w := humachi.Unwrap(hc)
		t.serve(ctx, w)
	}}, nil
}
