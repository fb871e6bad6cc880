package cache_test

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

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
