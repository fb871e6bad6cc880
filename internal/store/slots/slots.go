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
	"unsafe"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
)

const (
	shardCount = 64 // locks; a power of two

	// chunkSlots is how many slots the file grows by. Their bytes are whole pages of 4, 16 and 64 KB.
	chunkSlots = 1024

	// flushEvery is how often what was counted is brought to the disk.
	flushEvery = time.Second

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

const slotBytes = int(unsafe.Sizeof(slot{}))

// Options make a Store.
type Options struct {
	Path    string // of the file; "": counts are in memory only
	MaxKeys int    // most keys that count at one time; 0: 2^20. Beyond, Take fails for new keys.
	Logger  *slog.Logger
}

// Store is a limit.Store for one process. Open makes one, Close ends it.
type Store struct {
	options  Options
	allocate func(f *os.File, from, size int64) error // tests make it fail

	shards [shardCount]shard
	dirty  atomic.Bool // something was counted since the last flush
	closed atomic.Bool

	mu        sync.Mutex // guards what follows; no shard's lock is taken while it is held, except by room
	free      []*slot
	file      *file // nil: in memory
	slots     int
	trouble   string
	lastSweep time.Time
	growing   sync.Mutex // held while room is made

	stop chan struct{}
	done chan struct{}
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
	if o.MaxKeys <= 0 {
		o.MaxKeys = defaultMaxKeys
	}
	s := &Store{options: o, allocate: allocate, stop: make(chan struct{}), done: make(chan struct{})}
	for i := range s.shards {
		s.shards[i].keys = map[check]*slot{}
	}
	if o.Path != "" {
		s.openFile()
	}
	go s.flushLoop()
	return s
}

// locate returns a key's check and its shard.
func (s *Store) locate(key string) (check, *shard) {
	var buf [128]byte // most keys are shorter, and stay off the heap
	sum := sha256.Sum256(append(buf[:0], key...))
	c := check{binary.LittleEndian.Uint64(sum[0:8]), binary.LittleEndian.Uint64(sum[8:16])}
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
	if !s.dirty.Load() { // mostly it is, and its line of cache stays where it is read
		s.dirty.Store(true)
	}
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
func (s *Store) Health() Health {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Health{
		Persistent: s.file != nil && !s.file.short, Trouble: s.trouble,
		Keys: s.slots - len(s.free), Slots: s.slots,
	}
}

func errClosed() error {
	return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the limits' counts are closed"}
}

// claim takes a free slot for c; nil: there is none.
func (s *Store) claim(c check) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.free) - 1
	if last < 0 {
		return nil
	}
	sl := s.free[last]
	s.free = s.free[:last]
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
	s.mu.Lock()
	free, full, again := len(s.free), s.slots >= s.options.MaxKeys, now.Sub(s.lastSweep).Abs() < time.Second
	s.mu.Unlock()
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
		s.grow()
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
				s.mu.Lock()
				s.free = append(s.free, sl)
				s.mu.Unlock()
				freed++
			}
		}
		sh.mu.Unlock()
	}
	s.mu.Lock()
	s.lastSweep = now
	s.mu.Unlock()
	return freed
}

// grow adds a chunk of slots, in memory when the file cannot have it. The caller holds growing.
func (s *Store) grow() {
	s.mu.Lock()
	f := s.file
	s.mu.Unlock()
	var chunk []slot
	var err error
	if f != nil {
		if chunk, err = f.next(s.allocate); err != nil {
			s.inTrouble("limit counts of new keys are in memory only: their file cannot grow", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case f != nil && err == nil:
		f.chunks = append(f.chunks, chunk)
	case f != nil:
		f.short = true
		fallthrough
	default:
		chunk = make([]slot, chunkSlots)
	}
	s.add(chunk)
}

// add makes slots free. The caller holds the lock.
func (s *Store) add(chunk []slot) {
	for i := range chunk {
		s.free = append(s.free, &chunk[i])
	}
	s.slots += len(chunk)
}

// inTrouble tells the operator.
func (s *Store) inTrouble(msg string, err error) {
	s.mu.Lock()
	s.trouble = msg + ": " + err.Error()
	s.mu.Unlock()
	s.options.Logger.Error("the file of limit counts is in trouble", "what", msg, "file", s.options.Path, "error", err)
}

func (s *Store) flushLoop() {
	defer close(s.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			err := s.flush()
			if err != nil && !failed {
				s.inTrouble("limit counts do not get to the disk", err)
			}
			failed = err != nil
		}
	}
}

// flush brings what was counted to the disk.
func (s *Store) flush() error {
	s.mu.Lock()
	f := s.file
	var chunks [][]slot
	if f != nil {
		chunks = f.chunks
	}
	s.mu.Unlock()
	if f == nil || !s.dirty.Swap(false) {
		return nil
	}
	err := f.flush(chunks, s.whileStill)
	if err != nil {
		s.dirty.Store(true)
	}
	return err
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
	close(s.stop)
	<-s.done
	s.growing.Lock() // nobody is growing, and nobody will
	defer s.growing.Unlock()
	s.whileStill(func() {
		for i := range s.shards {
			s.shards[i].keys = nil
		}
	})
	err := s.flush()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
	if s.file == nil {
		return err
	}
	if closing := s.file.close(); err == nil {
		err = closing
	}
	s.file = nil
	return err
}
