package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// EventKind is what an Event of a tail says.
type EventKind string

// The kinds of events.
const (
	EventOpen      EventKind = "open"      // a request is running: Entry is what is known of it
	EventUpdate    EventKind = "update"    // more is known of it
	EventClose     EventKind = "close"     // it has ended
	EventDelete    EventKind = "delete"    // the entries IDs are no longer to be shown
	EventHello     EventKind = "hello"     // a call came to nothing: Miss tells why
	EventJob       EventKind = "job"       // a job has changed: Raw is what the API shows of it
	EventDrop      EventKind = "drop"      // Dropped events were skipped, because we read too slowly
	EventTick      EventKind = "tick"      // nothing happened for a while
	EventResync    EventKind = "resync"    // what came since the last event is no longer in the log's stream
	EventLost      EventKind = "lost"      // the connection broke (Err); the tail tries again
	EventConnected EventKind = "connected" // the stream stands, for the first time or again
)

// TailQuery says what to follow.
type TailQuery struct {
	Filter string   // in the filter language; "" all
	Fields []string // nil: what a list usually has
	Kinds  []string // of logs, jobs, hello; nil: logs
}

// Miss is a call that came to nothing, and what would have been right.
type Miss struct {
	Cause      string  `json:"cause"`
	StatusCode int     `json:"status_code"`
	Method     string  `json:"method"`
	Path       string  `json:"path"`
	Message    string  `json:"message"`
	Hint       string  `json:"hint"`
	Snippet    *string `json:"snippet"`
	LogID      *string `json:"log_id"`
	Count      int64   `json:"count"`
}

// Event is one event of a tail.
type Event struct {
	Kind    EventKind
	Raw     json.RawMessage // the event's data as it came
	Entry   Entry
	IDs     []string
	Miss    *Miss
	Matches bool // false in EventClose: the request passed the filter when it began, and no longer does
	Dropped int64
	Err     error
}

// How long a tail waits before it connects again: each failure doubles it.
const (
	minRetry = 200 * time.Millisecond
	maxRetry = 5 * time.Second
)

// Tail follows the log of the client's gateway from now on. It resumes after a broken connection where
// it stood, until ctx ends. It ends with an error when the server refuses it, or when there was no
// answer to the first call.
func (c *Client) Tail(ctx context.Context, q TailQuery) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		v := url.Values{"sub": {"tail:" + strings.TrimSpace("gateway:"+c.gateway+" "+q.Filter)}}
		kinds := "logs"
		if len(q.Kinds) > 0 {
			kinds = strings.Join(q.Kinds, ",")
		}
		v.Set("kinds", kinds)
		if len(q.Fields) > 0 {
			v.Set("fields", strings.Join(q.Fields, ","))
		}
		t := &tail{client: c, yield: yield, address: c.api(v, "events")}
		t.run(ctx)
	}
}

// tail is one Tail while it runs.
type tail struct {
	client  *Client
	address string
	yield   func(Event, error) bool
	lastID  string
	wait    time.Duration
}

func (t *tail) run(ctx context.Context) {
	for first := true; ; first = false {
		more, err := t.connect(ctx)
		if !more || ctx.Err() != nil {
			return
		}
		refusal, refused := errors.AsType[*APIError](err)
		if refused && refusal.Status < http.StatusInternalServerError || first && err != nil && t.lastID == "" && t.wait == 0 {
			t.yield(Event{}, err)
			return
		}
		if !t.yield(Event{Kind: EventLost, Err: err}, nil) {
			return
		}
		t.wait = min(max(2*t.wait, minRetry), maxRetry)
		select {
		case <-ctx.Done():
			return
		case <-time.After(t.wait):
		}
	}
}

// connect follows one connection to its end. It reports whether the consumer wants more.
func (t *tail) connect(ctx context.Context) (more bool, err error) {
	header := http.Header{"Accept": {"text/event-stream"}}
	if t.lastID != "" {
		header.Set("Last-Event-ID", t.lastID)
	}
	resp, err := t.client.get(ctx, t.address, header)
	if err != nil {
		return true, err
	}
	defer func() { _ = resp.Body.Close() }()
	r := newEventReader(resp.Body)
	r.lastID = t.lastID
	for connected := false; ; {
		e, err := r.next(false)
		if err != nil {
			return true, err
		}
		t.lastID = e.id
		if !connected { // the first event tells the position: from here on nothing is missed
			connected = true
			t.wait = minRetry / 2
			if !t.yield(Event{Kind: EventConnected}, nil) {
				return false, nil
			}
		}
		event, ok := parseEvent(e)
		if ok && !t.yield(event, nil) {
			return false, nil
		}
	}
}

// parseEvent reads an event's data. What cannot be read, or is not known, is skipped: newer servers
// may say more.
func parseEvent(e serverEvent) (Event, bool) {
	var data struct {
		Log     *Entry   `json:"log"`
		Matches bool     `json:"matches"` // false: it passed the filter when it began, and no longer does
		Dropped int64    `json:"n"`
		IDs     []string `json:"ids"`
	}
	if err := json.Unmarshal(e.data, &data); err != nil {
		return Event{}, false
	}
	event := Event{Kind: EventKind(e.name), Raw: e.data, Dropped: data.Dropped, Matches: data.Matches, IDs: data.IDs}
	if data.Log != nil {
		event.Entry = *data.Log
	}
	switch event.Kind {
	case EventOpen, EventUpdate, EventClose:
		return event, data.Log != nil
	case EventHello:
		event.Miss = &Miss{}
		return event, json.Unmarshal(e.data, event.Miss) == nil
	case EventDelete, EventJob, EventDrop, EventTick, EventResync:
		return event, true
	}
	return Event{}, false
}
