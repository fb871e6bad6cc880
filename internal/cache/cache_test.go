package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mapStore is the simplest Store.
type mapStore struct {
	mu   sync.Mutex
	held map[cache.Key]mapEntry
	gets int
	err  error // of every call
	slow bool  // wait for the context
	put  func()
}

type mapEntry struct {
	scope cache.Scope
	entry *cache.Entry
}

func (s *mapStore) Get(ctx context.Context, scope cache.Scope, key cache.Key, now time.Time) (*cache.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	if s.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	e := s.held[key]
	switch {
	case s.err != nil:
		return nil, s.err
	case e.entry == nil || e.scope != scope:
		return nil, nil
	case !now.Before(e.entry.Expires):
		return nil, cache.ErrExpired
	}
	return e.entry, nil
}

func (s *mapStore) Put(_ context.Context, scope cache.Scope, key cache.Key, e *cache.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.put != nil {
		s.put()
	}
	if s.err != nil {
		return s.err
	}
	s.held[key] = mapEntry{scope, e}
	return nil
}

func (s *mapStore) Purge(_ context.Context, what cache.Selection) (n int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, e := range s.held {
		if what.Covers(e.scope, k, e.entry.Provider) {
			delete(s.held, k)
			n++
		}
	}
	return n, s.err
}

func (s *mapStore) Stats(context.Context, cache.Scope) (cache.StoreStats, error) {
	return cache.StoreStats{}, s.err
}

// purse is a Budget.
type purse struct{ limit, used atomic.Int64 }

func (p *purse) Take(n int64) bool {
	if p.used.Add(n) > p.limit.Load() {
		p.used.Add(-n)
		return false
	}
	return true
}

func (p *purse) Give(n int64) { p.used.Add(-n) }

// bench is a Cache with its parts.
type bench struct {
	*cache.Cache
	store *mapStore
	purse *purse
}

const entryBytes = 1 << 20

func open(t testing.TB) *bench {
	b := &bench{store: &mapStore{held: map[cache.Key]mapEntry{}}, purse: &purse{}}
	b.purse.limit.Store(math.MaxInt64)
	b.Cache = cache.New(cache.Options{Store: b.store, Budget: b.purse, EntryBytes: entryBytes, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if used := b.purse.used.Load(); used != 0 {
			t.Errorf("%d bytes of the budget are still taken", used)
		}
	})
	return b
}

// fly answers a flight with body and stores it.
func fly(t testing.TB, f *cache.Flight, h cache.Head, body []byte) error {
	t.Helper()
	f.Answer(h, io.NopCloser(bytes.NewReader(body)), nil)
	if got, err := io.ReadAll(f.Reader(t.Context())); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	now := time.Now()
	return f.Store(t.Context(), now, now.Add(time.Minute))
}

func TestALookupSaysWhyItMissed(t *testing.T) {
	c := open(t)
	now := time.Now()
	miss := func(ask cache.Ask, now time.Time) cache.Reason {
		t.Helper()
		e, f, reason := c.Lookup(t.Context(), ask, now)
		if e != nil {
			t.Fatal("a hit")
		}
		f.Leave()
		return reason
	}
	if r := miss(askFor(1), now); r != cache.ReasonAbsent {
		t.Error(r)
	}
	f := c.look(t.Context(), t, askFor(1))
	h := ok(3)
	h.Header.Add("Content-Encoding", "gzip")
	if err := fly(t, f, h, []byte("bad")); err != nil {
		t.Error(err)
	}
	f.Leave()
	if r := miss(askFor(1), now); r != cache.ReasonEncoding {
		t.Error(r)
	}
	taking := askFor(1)
	taking.AcceptEncoding = "gzip"
	if e, _, r := c.Lookup(t.Context(), taking, now); e == nil || r != "" || e.Encoding != "gzip" {
		t.Errorf("%v, %q", e, r)
	}
	if r := miss(taking, now.Add(2*time.Minute)); r != cache.ReasonExpired {
		t.Error(r)
	}
	c.store.err = errors.New("down")
	if r := miss(askFor(1), now); r != cache.ReasonUnavailable {
		t.Error(r)
	}
}

func TestAStoreThatFailsCostsHitsOnly(t *testing.T) {
	c := open(t)
	c.store.err = errors.New("down")
	f := c.look(t.Context(), t, askFor(1))
	if err := fly(t, f, ok(-1), []byte("x")); err == nil {
		t.Error("stored")
	}
	f.Leave()
	if _, err := c.Purge(t.Context(), cache.Selection{}); err == nil {
		t.Error("purged")
	}
	s, err := c.Stats(t.Context(), cache.Scope{})
	if err == nil || s.Failures != 3 || s.Misses != 1 || s.Stored != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestALookupWaitsForNoSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		c.store.slow = true
		began := time.Now()
		e, f, reason := c.Lookup(t.Context(), askFor(1), began)
		if e != nil || reason != cache.ReasonUnavailable || time.Since(began) != cache.DefaultTimeout {
			t.Errorf("%v, %q after %v", e, reason, time.Since(began))
		}
		f.Leave()
	})
}

func TestWhatWasAskedForBeforeAPurgeIsNotStoredAfterIt(t *testing.T) {
	c := open(t)
	purge := func() {
		if _, err := c.Purge(t.Context(), cache.Selection{Scope: askFor(1).Scope}); err != nil {
			t.Error(err)
		}
	}
	early := c.look(t.Context(), t, askFor(1))
	follower := c.look(t.Context(), t, askFor(1))
	purge()
	late := c.look(t.Context(), t, askFor(1))
	if !late.Leader() {
		t.Error("a request joins a call from before the purge")
	}
	if err := fly(t, early, ok(-1), []byte("old")); !errors.Is(err, cache.ErrPurged) {
		t.Errorf("the old answer: %v", err)
	}
	if got, err := io.ReadAll(follower.Reader(t.Context())); string(got) != "old" || err != nil {
		t.Errorf("who had joined: %q, %v", got, err)
	}
	if err := fly(t, late, ok(-1), []byte("new")); err != nil {
		t.Errorf("the new answer: %v", err)
	}
	for _, f := range []*cache.Flight{early, follower, late} {
		f.Leave()
	}
	if e, _, _ := c.Lookup(t.Context(), askFor(1), time.Now()); e == nil || string(e.Body) != "new" {
		t.Errorf("%+v", e)
	}
	// A purge just before the store takes it: the store has done its part by then.
	f := c.look(t.Context(), t, askFor(2))
	c.store.put = func() {
		c.store.put = nil
		c.store.mu.Unlock()
		purge()
		c.store.mu.Lock()
	}
	if err := fly(t, f, ok(-1), []byte("old")); !errors.Is(err, cache.ErrPurged) {
		t.Errorf("%v", err)
	}
	f.Leave()
	if n := len(c.store.held); n != 0 {
		t.Errorf("%d entries are left", n)
	}
}

func TestAPurgeElsewhereLeavesFlightsAlone(t *testing.T) {
	c := open(t)
	f := c.look(t.Context(), t, askFor(1))
	if _, err := c.Purge(t.Context(), cache.Selection{Scope: cache.Scope{Account: "other"}}); err != nil {
		t.Error(err)
	}
	follower := c.look(t.Context(), t, askFor(1))
	if follower.Leader() {
		t.Error("a second call")
	}
	f.Leave()
	follower.Leave()
}

func TestFlightsAreSharedByThoseWhoTakeTheSameEncodings(t *testing.T) {
	c := open(t)
	gzip := askFor(1)
	gzip.AcceptEncoding = "gzip"
	a, b, d := c.look(t.Context(), t, gzip), c.look(t.Context(), t, askFor(1)), c.look(t.Context(), t, gzip)
	if !a.Leader() || !b.Leader() || d.Leader() {
		t.Errorf("leaders: %t %t %t", a.Leader(), b.Leader(), d.Leader())
	}
	for _, f := range []*cache.Flight{a, b, d} {
		f.Leave()
	}
}

func TestAFreshFlightIsForOneAndIsStored(t *testing.T) {
	c := open(t)
	shared := c.look(t.Context(), t, askFor(1))
	fresh := c.Fresh(t.Context(), askFor(1))
	if !fresh.Leader() || fresh.Others() {
		t.Error("not alone")
	}
	if err := fly(t, fresh, ok(-1), []byte("fresh")); err != nil {
		t.Error(err)
	}
	fresh.Leave()
	if e, _, _ := c.Lookup(t.Context(), askFor(1), time.Now()); e == nil || string(e.Body) != "fresh" {
		t.Errorf("%+v", e)
	}
	shared.Leave()
}

func TestCloseWaitsForFlights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		f := c.look(t.Context(), t, askFor(1))
		up := newUpstream(f)
		f.Answer(ok(-1), up, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Close(ctx); sluice.KindOf(err) != sluice.KindTimeout {
			t.Error(err)
		}
		f.Leave()
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
