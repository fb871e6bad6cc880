// Package audit is the audit log: who changed what, when, from where, and what it was before. Entries are
// appended and never changed; they go by age only.
//
// What is kept of an object is its JSON without secrets (redact.go): a secret that was changed shows as
// changed, and nothing of it. Diff lists what an entry changed.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
)

// ActorType is what kind of caller an Actor is.
type ActorType string

// The types of actors.
const (
	User         ActorType = "user"          // a person who signed in
	GatewayToken ActorType = "gateway_token" //
	AdminToken   ActorType = "admin_token"   // whoever holds the admin token
	Local        ActorType = "local"         // a caller on the machine itself, while nobody needs to sign in
	DataDir      ActorType = "data_dir"      // a command that can read the data directory
	Anonymous    ActorType = "anonymous"     // nobody: a sign-in that failed
)

// Actor is who did something.
type Actor struct {
	Type ActorType
	ID   string // of the person or the gateway token; "" for others
	Name string // e-mail address of the person, name of the token; what was tried, where a sign-in failed
}

// Object is what something was done to.
type Object struct {
	Kind string // "gateway", "token", "member", …: the noun of the operation
	ID   string
	Name string // what people call it, where that is not the id
}

// Entry is one thing that was done.
type Entry struct {
	ID        sluice.ID // Trail sets it; its time is when it was done
	Account   string    // id of the account; "": of the whole process
	Gateway   string    // id; "": of no single gateway
	Actor     Actor
	Address   string // IP address of the caller
	Interface string // "UI", "CLI" or "API"
	Action    string // a verb: "create", "update", "delete", "open", "sign_in", …
	Object    Object
	Failed    bool // it was tried, and refused
	// The object before and after, as JSON without secrets; nil: there was none, or there is none now.
	Before, After json.RawMessage
}

// Filter says which entries are listed. An empty field lets all through.
type Filter struct {
	Accounts []string // ids; "" among them: entries of the whole process. nil: of all accounts
	Gateway  string
	Actor    string // id or name
	Address  string
	Action   string
	Kind     string // of the object
	Object   string // its id or name
	Failed   *bool
	From, To time.Time // from From on, before To
	Oldest   bool      // oldest first
	After    sluice.ID // only entries behind this one, in the order of the list
	Offset   int       // entries to leave out besides
	Limit    int       // most entries
}

// Store keeps entries for good. Every error of its methods has sluice.KindUnavailable or is a fault.
type Store interface {
	// AppendAudit keeps entries, all or none.
	AppendAudit(ctx context.Context, entries ...Entry) error
	// ListAudit returns entries by their ids, newest first unless f says otherwise.
	ListAudit(ctx context.Context, f Filter) ([]Entry, error)
	// TrimAudit removes entries from before a time and returns how many there were.
	TrimAudit(ctx context.Context, before time.Time) (int64, error)
}

const (
	// maxJSON bounds Before and After, each.
	maxJSON = 1 << 20
	// maxText bounds every text that a caller may have chosen.
	maxText = 256
	// queued is how many entries wait behind before Note waits for the store.
	queued = 1024
	// batch is how many of them are written at once, and behind how long that takes to begin.
	batch  = 256
	behind = 100 * time.Millisecond
)

// Trail writes and reads the audit log. Safe for concurrent use.
type Trail struct {
	store  Store
	logger *slog.Logger
	ids    sluice.IDs
	queue  chan Entry
	done   chan struct{}
	mu     sync.RWMutex // held for writing while closing, so that nothing is queued behind the end
	closed bool
}

// New opens a Trail over a store. Close ends it.
func New(store Store, logger *slog.Logger) *Trail {
	t := &Trail{store: store, logger: logger, queue: make(chan Entry, queued), done: make(chan struct{})}
	go t.write()
	return t
}

// Close writes what is still queued and ends the Trail; it waits for that until ctx ends.
func (t *Trail) Close(ctx context.Context) error {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		close(t.queue)
	}
	t.mu.Unlock()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("write the audit log: %w", ctx.Err())
	}
}

// Append keeps an entry: when it returns without an error, the entry is stored. It is for changes.
func (t *Trail) Append(ctx context.Context, e Entry) error {
	t.finish(&e, time.Now())
	if err := t.store.AppendAudit(context.WithoutCancel(ctx), e); err != nil {
		t.lost(ctx, &e, err)
		return fmt.Errorf("append to the audit log: %w", err)
	}
	return nil
}

// Note keeps an entry a moment later, several at once. It is for what is looked at, which may be much: a
// process that is killed loses what was noted in the last tenth of a second.
func (t *Trail) Note(ctx context.Context, e Entry) {
	t.finish(&e, time.Now())
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.closed {
		t.lost(ctx, &e, errors.New("the process is stopping"))
		return
	}
	select {
	case t.queue <- e:
	case <-ctx.Done():
		t.lost(ctx, &e, ctx.Err())
	}
}

// List returns entries; more: there are others behind them. Limit must be above 0.
func (t *Trail) List(ctx context.Context, f Filter) (entries []Entry, more bool, err error) {
	limit := f.Limit
	f.Limit++
	if entries, err = t.store.ListAudit(ctx, f); err != nil {
		return nil, false, fmt.Errorf("list the audit log: %w", err)
	}
	if len(entries) > limit {
		return entries[:limit], true, nil
	}
	return entries, false, nil
}

// Trim removes entries that are older than age, and does nothing when age is 0.
func (t *Trail) Trim(ctx context.Context, age time.Duration, now time.Time) error {
	if age <= 0 {
		return nil
	}
	n, err := t.store.TrimAudit(ctx, now.Add(-age))
	if err != nil {
		return fmt.Errorf("trim the audit log: %w", err)
	}
	if n > 0 {
		t.logger.InfoContext(ctx, "audit entries removed by age", "entries", n)
	}
	return nil
}

// finish gives an entry its id and its bounds.
func (t *Trail) finish(e *Entry, now time.Time) {
	e.ID = t.ids.New(now)
	for _, text := range []*string{&e.Account, &e.Gateway, &e.Actor.ID, &e.Actor.Name, &e.Address, &e.Action, &e.Object.Kind, &e.Object.ID, &e.Object.Name} {
		*text = bounded(*text)
	}
	for _, doc := range []*json.RawMessage{&e.Before, &e.After} {
		if len(*doc) > maxJSON {
			*doc = json.RawMessage(fmt.Sprintf(`{"left_out":"%d bytes"}`, len(*doc)))
		}
	}
}

// bounded cuts a text at a rune's edge, and makes it one that every store can keep.
func bounded(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// lost says in the process's own messages what the audit log could not take.
func (t *Trail) lost(ctx context.Context, e *Entry, err error) {
	t.logger.ErrorContext(ctx, "an entry of the audit log is lost", "error", err, "account", e.Account, "gateway", e.Gateway,
		"actor_type", string(e.Actor.Type), "actor", e.Actor.Name, "address", e.Address,
		"action", e.Action, "object", e.Object.Kind, "object_id", e.Object.ID, "failed", e.Failed)
}

// write stores what is noted, several entries at once, until the queue is closed.
func (t *Trail) write() {
	defer close(t.done)
	ctx := context.Background()
	for first := range t.queue {
		entries := []Entry{first}
		timer := time.NewTimer(behind)
	gather:
		for len(entries) < batch {
			select {
			case e, open := <-t.queue:
				if !open {
					break gather
				}
				entries = append(entries, e)
			case <-timer.C:
				break gather
			}
		}
		timer.Stop()
		if err := t.store.AppendAudit(ctx, entries...); err != nil {
			for i := range entries {
				t.lost(ctx, &entries[i], err)
			}
		}
	}
}
