// Package slots keeps the counts of limits in the slots of a file that is mapped into memory.
//
// A decision writes a few words of memory under a lock, and allocates nothing. The words are the file's:
// what a process counted is there after it was killed. The disk has them within a second, so that an
// outage of power costs a second of counts at most.
//
// Each key has a slot, found by an index in memory that is made at the start. A slot is taken back once
// nothing in it counts any more, never before; when there is none the file grows. Without a file, or
// without room for one, counts are in memory only, which is logged and which Health says.
package slots

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
)

const (
	shardCount = 64 // locks; a power of two

	// defaultMaxKeys bounds the file to 600 MB.
	defaultMaxKeys = 1 << 20
)

// check tells keys apart: half of a SHA-256, so that no caller can find a key that shares another's slot.
type check [2]uint64

// slot is what a key has in the file. A zero check: it is free, and all else is zero too.
type slot struct {
	check  check
	counts limit.Counts
	_      [7]uint64
}

// Options make a Store.
type Options struct {
	Path    string // of the file; "": counts are in memory only
	MaxKeys int    // most keys that count at one time; 0: 2^20. Beyond, Take fails for new keys.
	Logger  *slog.Logger
}

// Store is a limit.Store for one process. Open makes one, Close ends it.
type Store struct {
	pool   pool[slot]
	max    int // keys
	shards [shardCount]shard
	closed atomic.Bool

	growing   sync.Mutex // held while room is made; no shard's lock is held when it is taken
	lastSweep time.Time  // guarded by growing
}

var _ limit.Store = (*Store)(nil)

// shard is the part of the keys that one lock guards.
type shard struct {
	mu   sync.Mutex
	keys map[check]*slot
	_    [40]byte // a line of cache for each lock
}

// Health is how a Store is.
type Health struct {
	Persistent bool   // counts survive the process
	Trouble    string // what went wrong last, for the operator; "": nothing
	Keys       int    // that have a slot
	Slots      int
}

// Open opens the file at o.Path, or makes it. It always gives a store: where a file cannot be had the
// store is in memory, and where one cannot be read it is moved aside.
func Open(o Options) *Store {
	return open(o, allocate)
}

func open(o Options, allocate func(*os.File, int64, int64) error) *Store {
	s := &Store{max: o.MaxKeys}
	if s.max <= 0 {
		s.max = defaultMaxKeys
	}
	s.pool = pool[slot]{
		kind: kind{magic: "sluice limits", what: "limit counts"},
		path: o.Path, logger: o.Logger, allocate: allocate, still: s.whileStill,
	}
	for i := range s.shards {
		s.shards[i].keys = map[check]*slot{}
	}
	s.pool.open(s.index)
	return s
}

// index finds the keys of a chunk, and its free slots.
func (s *Store) index(chunk []slot) (free []*slot, damaged int) {
	for i := range chunk {
		sl := &chunk[i]
		keys := s.shards[sl.check[0]%shardCount].keys
		_, twice := keys[sl.check]
		switch {
		case *sl == slot{}: // written to, its page would have to go to the disk
			free = append(free, sl)
			continue
		case sl.check == check{}:
		case twice || !sl.counts.Sound():
			damaged++
		default:
			keys[sl.check] = sl
			continue
		}
		sl.counts.Clear()
		sl.check = check{}
		free = append(free, sl)
	}
	return free, damaged
}

// checkOf returns a key's check.
func checkOf(key string) check {
	var buf [128]byte // most keys are shorter, and stay off the heap
	sum := sha256.Sum256(append(buf[:0], key...))
	return check{binary.LittleEndian.Uint64(sum[0:8]), binary.LittleEndian.Uint64(sum[8:16])}
}

// locate returns a key's check and its shard.
func (s *Store) locate(key string) (check, *shard) {
	c := checkOf(key)
	return c, &s.shards[c[0]%shardCount]
}

// Take implements limit.Store.
func (s *Store) Take(_ context.Context, key string, rule sluice.RateLimit, n int64, now time.Time) (limit.Decision, error) {
	if !rule.On() {
		return limit.Decision{OK: true}, nil
	}
	c, sh := s.locate(key)
	for {
		if d, counted := s.take(c, sh, rule, n, now); counted {
			return d, nil
		}
		if err := s.room(now); err != nil {
			return limit.Decision{}, err
		}
	}
}

// take counts when the key has a slot or there is a free one.
func (s *Store) take(c check, sh *shard, rule sluice.RateLimit, n int64, now time.Time) (limit.Decision, bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.keys == nil {
		return limit.Decision{}, false // closed
	}
	sl := sh.keys[c]
	if sl == nil {
		if sl = s.claim(c); sl == nil {
			return limit.Decision{}, false
		}
		sh.keys[c] = sl
	}
	d := sl.counts.Take(rule, n, now)
	s.pool.written()
	return d, true
}

// Peek implements limit.Store.
func (s *Store) Peek(_ context.Context, key string, rule sluice.RateLimit, now time.Time) (limit.Decision, error) {
	c, sh := s.locate(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sl := sh.keys[c]; sl != nil {
		return sl.counts.Peek(rule, now), nil
	}
	if sh.keys == nil {
		return limit.Decision{}, errClosed()
	}
	return (&limit.Counts{}).Peek(rule, now), nil
}

// Health returns how the store is. It is cheap.
func (s *Store) Health() Health { return s.pool.health() }

func errClosed() error {
	return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the limits' counts are closed"}
}

// claim takes a free slot for c; nil: there is none.
func (s *Store) claim(c check) *slot {
	sl := s.pool.take()
	if sl == nil {
		return nil
	}
	// A kill between the two leaves a slot of nobody, without counts: the next start frees it.
	sl.check[1] = c[1]
	sl.check[0] = c[0]
	return sl
}

// room makes at least one slot free: of those that count no more, else by growing.
func (s *Store) room(now time.Time) error {
	s.growing.Lock()
	defer s.growing.Unlock()
	if s.closed.Load() {
		return errClosed()
	}
	slots, free := s.pool.size()
	full, again := slots >= s.max, now.Sub(s.lastSweep).Abs() < time.Second
	if free > 0 {
		return nil
	}
	freed := 0
	if !full || !again { // sweeping for each new key would be slow
		freed = s.sweep(now)
	}
	switch {
	case full && freed == 0:
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "too many keys are counted at one time"}
	case !full && freed < chunkSlots/4: // or the next key would soon sweep again
		s.pool.grow()
	}
	return nil
}

// sweep frees the slots in which nothing counts any more.
func (s *Store) sweep(now time.Time) (freed int) {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		for c, sl := range sh.keys {
			if sl.counts.Expire(now) {
				delete(sh.keys, c)
				sl.counts.Clear()
				sl.check = check{}
				s.pool.give(sl)
				freed++
			}
		}
		sh.mu.Unlock()
	}
	s.lastSweep = now
	return freed
}

// whileStill runs do while nobody counts.
func (s *Store) whileStill(do func()) {
	for i := range s.shards {
		s.shards[i].mu.Lock()
		defer s.shards[i].mu.Unlock()
	}
	do()
}

// Close brings everything to the disk. Calls to the store fail from then on. It may be called again.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.pool.halt()
	s.growing.Lock() // nobody is growing, and nobody will
	defer s.growing.Unlock()
	s.whileStill(func() {
		for i := range s.shards {
			s.shards[i].keys = nil
		}
	})
	return s.pool.close()
}
