// Package answers keeps the entries of the response cache: some in memory (memory.go), and more on
// disk (disk.go), where they survive a restart.
//
// An entry goes into memory at once and to disk behind the request, through a bounded queue (queue.go).
// An entry that is read from disk goes into memory again. Both places are bounded in bytes: memory
// evicts what is asked for once only, the disk what was not asked for longest.
//
// A file is written under another name and renamed, without fsync: what an accident leaves of it does
// not pass its checksum, is deleted, and costs a miss. Purging a gateway renames its directory, so it
// is done at once and holds after a restart, while the files are deleted behind it.
package answers

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/cache"
)

// Options make a Store.
type Options struct {
	Dir         string // of the disk tier; made when it is not there. "": memory only
	MemoryBytes int64  // most bytes of entries in memory, as cache.Entry.Weight counts them
	DiskBytes   int64  // most bytes of files, in whole blocks of 4 KB; 0: memory only
	QueueBytes  int64  // most bytes that wait to be written; 0: DefaultQueue
	Logger      *slog.Logger
}

// DefaultQueue is how many bytes of entries wait to be written, at most.
const DefaultQueue = 32 << 20

// sweepEvery is how often entries that have expired are looked for, that nobody asks for any more.
const sweepEvery = time.Minute

// Store is a cache.Store of one process. Safe for concurrent use. It must be closed.
type Store struct {
	memory *memory
	disk   *disk // nil: memory only
	quit   chan struct{}
	once   sync.Once
	ended  chan struct{}
}

var (
	_ cache.Store = (*Store)(nil)
	_ cache.Near  = (*Store)(nil)
)

// Open makes a Store. It does not wait until what Options.Dir holds is read.
func Open(o Options) (*Store, error) {
	s := &Store{memory: newMemory(o.MemoryBytes), quit: make(chan struct{}), ended: make(chan struct{})}
	if o.Dir != "" && o.DiskBytes > 0 {
		if o.QueueBytes <= 0 {
			o.QueueBytes = DefaultQueue
		}
		var err error
		if s.disk, err = openDisk(o.Dir, o.DiskBytes, o.QueueBytes, o.Logger); err != nil {
			return nil, err
		}
		// One entry must not push all others out of memory while there is another place for it.
		s.memory.largest = o.MemoryBytes / 4
	}
	go s.sweep()
	return s, nil
}

// sweep removes what has expired, now and then.
func (s *Store) sweep() {
	defer close(s.ended)
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.memory.sweep(now)
			if s.disk != nil {
				s.disk.sweepExpired(now)
			}
		case <-s.quit:
			return
		}
	}
}

// Peek returns an entry that lies in memory.
func (s *Store) Peek(scope cache.Scope, key cache.Key, now time.Time) *cache.Entry {
	e, _ := s.memory.get(scope, key, now)
	return e
}

// Get returns an entry, from disk where memory does not have it.
func (s *Store) Get(ctx context.Context, scope cache.Scope, key cache.Key, now time.Time) (*cache.Entry, error) {
	e, expired := s.memory.get(scope, key, now)
	switch {
	case e != nil:
		return e, nil
	case expired:
		s.memory.expire(key, now)
		return nil, cache.ErrExpired
	case s.disk == nil:
		return nil, nil
	}
	return s.disk.get(ctx, scope, key, now, func(e *cache.Entry) { s.memory.put(scope, key, e, false) })
}

// Put keeps an entry in memory, and queues it for the disk.
func (s *Store) Put(_ context.Context, scope cache.Scope, key cache.Key, e *cache.Entry) error {
	s.memory.put(scope, key, e, true)
	if s.disk != nil {
		s.disk.put(scope, key, e)
	}
	return nil
}

// Purge removes entries. Where a provider is named it waits until the directory was read after a
// start, or ctx ends.
func (s *Store) Purge(ctx context.Context, what cache.Selection) (int64, error) {
	gone := map[cache.Key]struct{}{} // an entry may lie in several places
	note := func(k cache.Key) { gone[k] = struct{}{} }
	var err error
	if s.disk != nil {
		// First: what memory takes from the disk after this was there after this.
		err = s.disk.purge(ctx, what, note)
	}
	s.memory.purge(what, note)
	return int64(len(gone)), err
}

// Stats tells what is held.
func (s *Store) Stats(_ context.Context, scope cache.Scope) (cache.StoreStats, error) {
	stats := cache.StoreStats{Memory: s.memory.tier(scope.Covers), Complete: true}
	if s.disk != nil {
		s.disk.tier(scope.Covers, &stats)
	}
	return stats, nil
}

// Close writes what is queued for the disk. When ctx ends before that is done it gives up the rest,
// with an error of sluice.KindTimeout.
func (s *Store) Close(ctx context.Context) error {
	s.once.Do(func() { close(s.quit) })
	<-s.ended
	if s.disk == nil {
		return nil
	}
	return s.disk.close(ctx)
}
