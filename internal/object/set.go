package object

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Set holds the objects and changes them. It is safe for concurrent use.
type Set struct {
	store   Store
	logger  *slog.Logger
	applied func(*Snapshot)
	ids     sluice.IDs
	current atomic.Pointer[Snapshot]

	mu sync.Mutex // one change at a time; current changes under it
}

// Options make a Set.
type Options struct {
	Store  Store
	Logger *slog.Logger
	// Applied is called with each new snapshot, one at a time and in order, before the change that made it is
	// answered. It must not change the Set. nil: nobody asks.
	Applied func(*Snapshot)
}

// Open reads the store and makes the first snapshot. Applied is not called for it.
func Open(ctx context.Context, o Options) (*Set, error) {
	s := &Set{store: o.Store, logger: o.Logger, applied: o.Applied}
	first, err := s.build(ctx, &Snapshot{})
	if err != nil {
		return nil, err
	}
	s.current.Store(first)
	return s, nil
}

// Snapshot returns what requests need, as it is now.
func (s *Set) Snapshot() *Snapshot { return s.current.Load() }

// Get returns an object of a place. Its error has sluice.KindNotFound where there is none.
func (s *Set) Get(ctx context.Context, at Place, kind Kind, id string) (Record, error) {
	r, err := s.store.GetObject(ctx, kind, id)
	if sluice.KindOf(err) == sluice.KindNotFound || err == nil && r.Place != at {
		return Record{}, &sluice.Error{Kind: sluice.KindNotFound, Msg: kindName(kind) + " not found"}
	}
	if err != nil {
		return Record{}, fmt.Errorf("read %s %s: %w", kind, id, err)
	}
	return r, nil
}

func kindName(k Kind) string {
	if n := k.noun(); n != "" {
		return n
	}
	return string(k)
}

// List returns the objects that q asks for, and how many there are in all.
func (s *Set) List(ctx context.Context, q Query) ([]Record, int64, error) {
	list, total, err := s.store.ListObjects(ctx, q)
	if err != nil {
		return nil, 0, fmt.Errorf("list objects of kind %s: %w", q.Kind, err)
	}
	return list, total, nil
}

// New is an object to be made.
type New struct {
	Kind   Kind
	Place  Place
	ID     string // "": one is made
	Name   string
	Unique string
	Data   any // becomes JSON
}

// Create stores a new object. Its error has sluice.KindConflict where its id or its Unique is taken, or where
// its place is full.
func (s *Set) Create(ctx context.Context, n New) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.newRecord(n, time.Now())
	if err != nil {
		return Record{}, err
	}
	if err := s.room(ctx, n.Kind, n.Place); err != nil {
		return Record{}, err
	}
	return r, s.change(ctx, Change{Record: r})
}

// room reports whether another object fits. mu is held.
func (s *Set) room(ctx context.Context, kind Kind, at Place) error {
	_, total, err := s.List(ctx, Query{Kind: kind, Place: at, Limit: 1})
	if err == nil && total >= MaxObjects {
		err = &sluice.Error{Kind: sluice.KindConflict, Msg: fmt.Sprintf("there are %d of them already, which is the most", total), Hint: "delete those that nobody needs"}
	}
	return err
}

func (s *Set) newRecord(n New, now time.Time) (Record, error) {
	data, err := encode(n.Data)
	if err != nil {
		return Record{}, fmt.Errorf("encode %s: %w", n.Kind, err)
	}
	now = now.UTC().Truncate(time.Microsecond)
	if n.ID == "" {
		n.ID = s.ids.New(now).String()
	}
	return Record{
		Kind: n.Kind, ID: n.ID, Place: n.Place, Name: n.Name, Unique: n.Unique, Version: 1, Data: data, Created: now, Modified: now,
	}, nil
}

// encode writes JSON as it is stored: equal values have equal bytes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Update changes an object's name and data, and returns it before and now. was is the version that the change was made from, 0 for whichever
// there is. What changes nothing is no change: version and Modified stay. The error has sluice.KindNotFound, or
// is a *Conflict.
func (s *Set) Update(ctx context.Context, at Place, kind Kind, id string, was int64, name string, data any) (before, now Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, err = s.changeable(ctx, at, kind, id, was); err != nil {
		return Record{}, Record{}, err
	}
	now, err = s.update(ctx, before, name, data)
	return before, now, err
}

// update stores another name and other data. mu is held.
func (s *Set) update(ctx context.Context, r Record, name string, data any) (Record, error) {
	text, err := encode(data)
	if err != nil {
		return Record{}, fmt.Errorf("encode %s: %w", r.Kind, err)
	}
	if r.Name == name && bytes.Equal(r.Data, text) {
		return r, nil
	}
	was := r.Version
	if r.Unique != "" {
		r.Unique = name
	}
	r.Name, r.Data, r.Version, r.Modified = name, text, was+1, time.Now().UTC().Truncate(time.Microsecond)
	return r, s.change(ctx, Change{Record: r, Was: was})
}

// Delete removes an object and returns what it was. was is as for Update.
func (s *Set) Delete(ctx context.Context, at Place, kind Kind, id string, was int64) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.changeable(ctx, at, kind, id, was)
	if err != nil {
		return Record{}, err
	}
	return r, s.change(ctx, Change{Record: r, Was: r.Version, Delete: true})
}

// changeable finds an object that is to be changed. mu is held.
func (s *Set) changeable(ctx context.Context, at Place, kind Kind, id string, was int64) (Record, error) {
	r, err := s.Get(ctx, at, kind, id)
	if err == nil && was != 0 && was != r.Version {
		return Record{}, &Conflict{r}
	}
	return r, err
}

// DeleteGateway removes all objects of a gateway that is no more.
func (s *Set) DeleteGateway(ctx context.Context, at Place) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.store.DeleteObjects(ctx, at); err != nil {
		return fmt.Errorf("delete the objects of gateway %s/%s: %w", at.Account, at.Gateway, err)
	}
	return s.publish(ctx)
}

// change stores changes and publishes what they come to. mu is held.
func (s *Set) change(ctx context.Context, changes ...Change) error {
	if err := s.store.ChangeObjects(ctx, changes...); err != nil {
		return fmt.Errorf("store %s %s: %w", changes[0].Kind, changes[0].ID, err)
	}
	for _, c := range changes {
		if c.Kind == KindDomain || c.Kind == KindRoute {
			return s.publish(ctx)
		}
	}
	return nil
}

// publish makes the snapshot that the store comes to. mu is held.
func (s *Set) publish(ctx context.Context) error {
	// What is stored must come into force, even when who asked for it has left.
	snapshot, err := s.build(context.WithoutCancel(ctx), s.current.Load())
	if err != nil {
		return fmt.Errorf("it is stored, and comes into force at the next change: %w", err)
	}
	s.current.Store(snapshot)
	if s.applied != nil {
		s.applied(snapshot)
	}
	return nil
}
