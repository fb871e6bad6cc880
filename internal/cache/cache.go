// Package cache answers a request from an earlier answer to the same request, and lets identical
// requests that run at the same time share one call to the provider.
//
// A Key is what an answer depends on (key.go). An Entry is a whole answer that may be given again
// (entry.go, encoding.go, codec.go). A Flight is an answer under way, which several requests read
// (flight.go). Cache puts the three together over a Store (store.go), which it declares and does not
// implement: internal/store/answers keeps entries in memory and on disk.
//
// A cache may always miss. So a store that is slow or absent costs hits, never an answer: Lookup
// waits for it no longer than Options.Timeout, and counts what went wrong.
package cache

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// The bounds of an entry's life, and its life where a request names a key of its own while neither it
// nor its gateway names a time (cloudflare-ai-gateway.md, 3.1).
const (
	MinTTL       = time.Minute
	MaxTTL       = 30 * 24 * time.Hour
	CustomKeyTTL = 5 * time.Minute
)

// DefaultTimeout is how long a lookup waits for the store.
const DefaultTimeout = 250 * time.Millisecond

// Budget is the memory that bodies of all requests share, counted in bytes of capacity. Safe for
// concurrent use.
type Budget interface {
	// Take reserves n bytes, or reports that there is no room.
	Take(n int64) bool
	// Give returns n bytes.
	Give(n int64)
}

// Options make a Cache.
type Options struct {
	Store      Store
	Budget     Budget        // for bodies of flights
	EntryBytes int64         // the largest body that is stored
	Timeout    time.Duration // for the store; 0: DefaultTimeout
	Logger     *slog.Logger
}

// Cache is the response cache of a process. Safe for concurrent use.
type Cache struct {
	store      Store
	budget     Budget
	entryBytes int64
	timeout    time.Duration
	logger     *slog.Logger

	mu      sync.Mutex
	flights map[flightKey]*call

	// stored counts, by the first bits of the key, answers that went from a flight into the store. A
	// lookup that found nothing in the store looks again when it has moved before the lookup gets to
	// the flights: in between, the answer has changed places.
	stored [64]atomic.Uint64
	// purges counts purges. What was asked for before a purge is not stored after it.
	purges atomic.Uint64

	counts sync.Map // Scope -> *counts
	pumps  sync.WaitGroup
	warned atomic.Int64 // when the store's failure was last logged, Unix seconds
}

// counts are what one gateway's requests found.
type counts struct {
	hits, joined, misses, stored, failed atomic.Int64
}

// New makes a Cache.
func New(o Options) *Cache {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	return &Cache{
		store: o.Store, budget: o.Budget, entryBytes: o.EntryBytes, timeout: o.Timeout, logger: o.Logger,
		flights: map[flightKey]*call{},
	}
}

// Ask is what a request wants of the cache.
type Ask struct {
	Scope Scope
	Key   Key
	// AcceptEncoding is the request's, as it came. An entry is decoded for who cannot take its
	// encoding; a flight is shared by those whose AcceptEncoding is the same.
	AcceptEncoding string
}

// Reason says why a lookup found no entry; it is for the log.
type Reason string

// The reasons. "" with an entry.
const (
	ReasonAbsent      Reason = "absent"      // nothing is stored
	ReasonExpired     Reason = "expired"     // what was stored has passed its time
	ReasonEncoding    Reason = "encoding"    // what is stored cannot be decoded for this client
	ReasonUnavailable Reason = "unavailable" // the store did not answer in time, or failed
	ReasonSkipped     Reason = "skipped"     // the request did not want a stored answer
)

// Lookup finds the answer of a request: an entry, or a flight with the part in it that falls to the
// request. Exactly one of the two is nil, and a Flight must be left (Flight.Leave).
//
// ctx is the request's. When it ends, the client is gone, and with the last client a flight ends.
func (c *Cache) Lookup(ctx context.Context, ask Ask, now time.Time) (*Entry, *Flight, Reason) {
	n := c.countsOf(ask.Scope)
	moved := &c.stored[ask.Key[0]%64]
	for {
		before := moved.Load()
		e, reason := c.get(ctx, ask, now)
		if e != nil {
			n.hits.Add(1)
			return e, nil, ""
		}
		f := c.join(ctx, ask, moved, before)
		if f == nil {
			continue
		}
		if f.leader {
			n.misses.Add(1)
		} else {
			n.joined.Add(1)
		}
		return nil, f, reason
	}
}

// Fresh makes a flight that no other request joins, for a request that does not want a stored answer,
// or whose flight failed. Its answer may be stored like any other.
func (c *Cache) Fresh(ctx context.Context, ask Ask) *Flight {
	c.countsOf(ask.Scope).misses.Add(1)
	return newCall(ctx, c, ask, false)
}

// get asks the store.
func (c *Cache) get(ctx context.Context, ask Ask, now time.Time) (*Entry, Reason) {
	// A store in the process mostly answers from memory, where a deadline would cost more than the
	// answer.
	if near, ok := c.store.(Near); ok {
		if e := near.Peek(ask.Scope, ask.Key, now); e != nil {
			return e.served(ask)
		}
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	e, err := c.store.Get(limited, ask.Scope, ask.Key, now)
	switch {
	case errors.Is(err, ErrExpired):
		return nil, ReasonExpired
	case err != nil:
		if ctx.Err() == nil {
			c.failed(ctx, ask.Scope, "get", err)
		}
		return nil, ReasonUnavailable
	case e == nil:
		return nil, ReasonAbsent
	}
	return e.served(ask)
}

// served is e for one client.
func (e *Entry) served(ask Ask) (*Entry, Reason) {
	readable, err := e.For(ask.AcceptEncoding)
	if err != nil {
		return nil, ReasonEncoding
	}
	return readable, ""
}

// warnEvery bounds how often a store that fails is logged.
const warnEvery = 10

// failed counts a failure of the store and logs it now and then.
func (c *Cache) failed(ctx context.Context, scope Scope, what string, err error) {
	c.countsOf(scope).failed.Add(1)
	last, now := c.warned.Load(), time.Now().Unix()
	if now-last >= warnEvery && c.warned.CompareAndSwap(last, now) {
		c.logger.WarnContext(ctx, "the cache's store fails", "operation", what, "error", err)
	}
}

func (c *Cache) countsOf(s Scope) *counts {
	if n, ok := c.counts.Load(s); ok {
		return n.(*counts)
	}
	n, _ := c.counts.LoadOrStore(s, &counts{})
	return n.(*counts)
}

// Purge removes entries and returns how many there were. Lookups do not find them from the moment
// it returns; an answer that was asked for before is not stored after it.
func (c *Cache) Purge(ctx context.Context, what Selection) (int64, error) {
	c.purges.Add(1)
	c.mu.Lock()
	for k, running := range c.flights {
		if what.Scope.Covers(running.ask.Scope) {
			delete(c.flights, k) // who joined goes on; nobody joins any more
		}
	}
	c.mu.Unlock()
	n, err := c.store.Purge(ctx, what)
	if err != nil {
		c.failed(ctx, what.Scope, "purge", err)
	}
	return n, err
}

// Stats tells what the cache holds and did since the process began, for one gateway, for an account
// (Scope.Gateway is "") or for all (the zero Scope).
func (c *Cache) Stats(ctx context.Context, scope Scope) (Stats, error) {
	var s Stats
	c.counts.Range(func(k, v any) bool {
		if n := v.(*counts); scope.Covers(k.(Scope)) {
			s.Hits += n.hits.Load()
			s.Joined += n.joined.Load()
			s.Misses += n.misses.Load()
			s.Stored += n.stored.Load()
			s.Failures += n.failed.Load()
		}
		return true
	})
	c.mu.Lock()
	for _, running := range c.flights {
		if scope.Covers(running.ask.Scope) {
			s.Running++
		}
	}
	c.mu.Unlock()
	held, err := c.store.Stats(ctx, scope)
	s.StoreStats = held
	return s, err
}

// Stats are the numbers of a cache.
type Stats struct {
	Hits     int64 // answered from an entry
	Joined   int64 // answered from another request's call; hits too, in the log
	Misses   int64 // went to the provider
	Stored   int64 // answers that were stored
	Failures int64 // of the store: not in time, not readable, not writable
	Running  int64 // flights under way
	StoreStats
}

// Close waits until no flight is under way, or ctx ends. Flights end when their requests have left.
func (c *Cache) Close(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		c.pumps.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return &sluice.Error{Kind: sluice.KindTimeout, Msg: "calls shared by the cache still run", Err: context.Cause(ctx)}
	}
}
