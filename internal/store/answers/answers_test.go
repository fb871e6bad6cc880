package answers

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a store that the test's end closes.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	storetest.Cache(t, func(t *testing.T) cache.Store { return open(t, Options{MemoryBytes: 64 << 20}) })
}

func TestMemoryOverDisk(t *testing.T) {
	storetest.Cache(t, func(t *testing.T) cache.Store {
		return open(t, Options{Dir: t.TempDir(), MemoryBytes: 64 << 20, DiskBytes: 256 << 20})
	})
}

// TestDisk has room for no entry in memory, so that all come from the queue or from files.
func TestDisk(t *testing.T) {
	storetest.Cache(t, func(t *testing.T) cache.Store {
		return open(t, Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 256 << 20, QueueBytes: 64 << 20})
	})
}

// TestDiskSettled looks at nothing before it is in its file.
func TestDiskSettled(t *testing.T) {
	storetest.Cache(t, func(t *testing.T) cache.Store {
		return settled{open(t, Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 256 << 20})}
	})
}

// settled is a Store that waits for its queue.
type settled struct{ *Store }

func (s settled) Put(ctx context.Context, scope cache.Scope, key cache.Key, e *cache.Entry) error {
	err := s.Store.Put(ctx, scope, key, e)
	s.settle()
	return err
}

// settle waits until all that is queued is written.
func (s *Store) settle() {
	<-s.disk.scanned
	for until := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		s.disk.mu.Lock()
		n := len(s.disk.queue.keyed)
		s.disk.mu.Unlock()
		if n == 0 {
			return
		}
		if time.Now().After(until) {
			panic("the queue is not written")
		}
	}
}

func scopeA() cache.Scope { return cache.Scope{Account: "acme", Gateway: "main"} }

func key(n int) cache.Key { return cache.KeyOf(&cache.Request{Custom: fmt.Sprint(n)}) }

func entry(body string) *cache.Entry {
	now := time.Now()
	return &cache.Entry{
		Head:   cache.Head{Status: 200, Header: sluice.Header{{Name: "Content-Type", Value: "text/plain"}}, Length: int64(len(body)), Provider: "openai"},
		Body:   []byte(body),
		Stored: now, Expires: now.Add(time.Hour),
	}
}

func put(t testing.TB, s *Store, k int, e *cache.Entry) {
	t.Helper()
	if err := s.Put(t.Context(), scopeA(), key(k), e); err != nil {
		t.Fatal(err)
	}
}

func get(t testing.TB, s *Store, k int) string {
	t.Helper()
	e, err := s.Get(t.Context(), scopeA(), key(k), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if e == nil {
		return ""
	}
	return string(e.Body)
}

func stats(t testing.TB, s *Store) cache.StoreStats {
	t.Helper()
	st, err := s.Stats(t.Context(), cache.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestEntriesSurviveARestart(t *testing.T) {
	o := Options{Dir: t.TempDir(), MemoryBytes: 8 << 20, DiskBytes: 16 << 20}
	s := open(t, o)
	for k := range 100 {
		put(t, s, k, entry(fmt.Sprint("body ", k)))
	}
	old := entry("old")
	old.Expires = time.Now().Add(time.Millisecond)
	put(t, s, 100, old)
	shut(t, s)

	s = open(t, o)
	if got := get(t, s, 7); got != "body 7" { // the index may not be complete yet
		t.Errorf("%q", got)
	}
	<-s.disk.scanned
	for k := range 100 {
		if got := get(t, s, k); got != fmt.Sprint("body ", k) {
			t.Errorf("%d: %q", k, got)
		}
	}
	if st := stats(t, s); st.Disk.Entries < 100 || st.Disk.Entries > 101 || st.Memory.Entries != 100 || !st.Complete {
		t.Errorf("%+v", st)
	}
}

func TestAPurgeHoldsAfterARestart(t *testing.T) {
	o := Options{Dir: t.TempDir(), MemoryBytes: 8 << 20, DiskBytes: 16 << 20}
	for _, what := range []cache.Selection{
		{Scope: scopeA()}, {}, {Scope: scopeA(), Provider: "openai"}, {Scope: scopeA(), Keys: []cache.Key{key(0), key(1), key(2), key(3)}},
	} {
		s := open(t, o)
		for k := range 4 {
			put(t, s, k, entry("x"))
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		s = open(t, o) // the purge may come before the index is complete
		if n, err := s.Purge(t.Context(), what); n != 4 || err != nil {
			t.Errorf("%+v: purged %d, %v", what, n, err)
		}
		shut(t, s)
		s = open(t, o)
		for k := range 4 {
			if got := get(t, s, k); got != "" {
				t.Errorf("%+v: %d is still there", what, k)
			}
		}
		shut(t, s)
	}
}

func TestPurgedFilesAreDeleted(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 16 << 20})
	for k := range 50 {
		put(t, s, k, entry("x"))
	}
	s.settle()
	if n, err := s.Purge(t.Context(), cache.Selection{}); n != 50 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for until := time.Now().Add(10 * time.Second); len(names(filepath.Join(s.disk.dir, trashDir))) > 0; {
		if time.Now().After(until) {
			t.Fatal("the trash is not emptied")
		}
	}
	if n := files(t, s.disk.dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// files counts all below dir.
func files(t testing.TB, dir string) (n int) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDamagedFilesAreMissesAndGo(t *testing.T) {
	o := Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 16 << 20}
	s := open(t, o)
	damage := []func(b []byte) []byte{
		func(b []byte) []byte { return b[:len(b)-1] },
		func(b []byte) []byte { return append(b, 0) },
		func(b []byte) []byte { b[len(b)-3] ^= 1; return b },
		func(b []byte) []byte { b[90] ^= 1; return b },
		func(b []byte) []byte { b[30] ^= 1; return b },
		func([]byte) []byte { return nil },
		func(b []byte) []byte { clear(b); return b },
		func([]byte) []byte {
			return cache.AppendRecord(nil, cache.Record{Scope: scopeA(), Key: key(999), Entry: entry("another key's")})
		},
		func([]byte) []byte {
			return cache.AppendRecord(nil, cache.Record{Scope: cache.Scope{Account: "x"}, Key: key(8), Entry: entry("another scope's")})
		},
	}
	for k := range damage {
		put(t, s, k, entry(strings.Repeat("body", 100)))
	}
	s.settle()
	for k, change := range damage {
		path := s.disk.path(scopeA(), key(k))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for k := range damage {
		if got := get(t, s, k); got != "" {
			t.Errorf("damage %d: %q", k, got)
		}
	}
	if st := stats(t, s); st.Corrupt != int64(len(damage)) || st.Disk.Entries != 0 || st.Disk.Bytes != 0 {
		t.Errorf("%+v", st)
	}
	if n := files(t, s.disk.dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestTheScanDeletesWhatIsOfNoUse(t *testing.T) {
	o := Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 16 << 20}
	s := open(t, o)
	for k := range 3 {
		put(t, s, k, entry("x"))
	}
	s.settle()
	long := entry("x") // whose head is more than one block
	long.Header.Add("X-Long", strings.Repeat("y", 3*blockSize))
	put(t, s, 3, long)
	s.settle()
	past := entry("past")
	past.Expires = time.Now().Add(-time.Second)
	dir := filepath.Dir(s.disk.path(scopeA(), key(0)))
	for name, b := range map[string]string{
		filepath.Join(dir, "not a key"):                  "x",
		s.disk.path(scopeA(), key(1)):                    "damaged",
		filepath.Join(o.Dir, tempDir, "0"):               "half",
		filepath.Join(dir, key(50).String()):             string(cache.AppendRecord(nil, cache.Record{Scope: scopeA(), Key: key(50), Entry: past})),
		filepath.Join(dir, strings.Repeat("0", 64)):      "",
		filepath.Join(dir, strings.Repeat("0", 63)+"AB"): "",
	} {
		if err := os.WriteFile(name, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, s)
	s = open(t, o)
	<-s.disk.scanned
	if st, n := stats(t, s), files(t, o.Dir); st.Disk.Entries != 3 || n != 3 {
		t.Errorf("%d files, %+v", n, st)
	}
	if got := get(t, s, 3); got != "x" {
		t.Errorf("the long one is %q", got)
	}
}

func TestTheDiskIsBounded(t *testing.T) {
	const limit = 40 * blockSize
	o := Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: limit}
	s := open(t, o)
	for k := range 100 {
		put(t, s, k, entry(strings.Repeat("x", 100*(k%50))))
		s.settle()
		get(t, s, 0) // the first is used all the time
		if st := stats(t, s); st.Disk.Bytes > limit {
			t.Fatalf("%+v", st)
		}
	}
	if get(t, s, 0) == "" && get(t, s, 99) == "" {
		t.Error("what was used goes before what was not")
	}
	if got := get(t, s, 1); got != "" {
		t.Error("the oldest is still there")
	}
	st := stats(t, s)
	if st.Disk.Evicted == 0 || st.Disk.Evicted+st.Disk.Entries != 100 {
		t.Errorf("%+v", st)
	}
	put(t, s, 200, entry(strings.Repeat("x", limit)))
	s.settle()
	if now := stats(t, s); now.Dropped != 1 || now.Disk.Entries != st.Disk.Entries {
		t.Errorf("one that is too large: %+v", now)
	}
	shut(t, s)
	o.DiskBytes = limit / 4
	s = open(t, o)
	<-s.disk.scanned
	if st := stats(t, s); st.Disk.Bytes > limit/4 || st.Disk.Entries == 0 {
		t.Errorf("after a start with less room: %+v", st)
	}
}

func TestAFullQueueDropsAndForgetsWhatWasThere(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 16 << 20, QueueBytes: 10_000})
	put(t, s, 1, entry("first"))
	s.settle()
	put(t, s, 1, entry(strings.Repeat("x", 20_000)))
	if got := get(t, s, 1); got != "" {
		t.Errorf("%.10q", got)
	}
	if st := stats(t, s); st.Dropped != 1 || st.Disk.Entries != 0 {
		t.Errorf("%+v", st)
	}
}

func TestADiskThatFailsCostsEntriesOnly(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1 << 20, DiskBytes: 16 << 20})
	<-s.disk.scanned
	if err := os.RemoveAll(s.disk.dir); err != nil {
		t.Fatal(err)
	}
	for k := range 5 {
		put(t, s, k, entry("x"))
	}
	s.settle()
	for k := range 5 {
		if get(t, s, k) != "x" {
			t.Error("memory has lost it")
		}
	}
	if st := stats(t, s); st.Dropped != 5 {
		t.Errorf("%+v", st)
	}
}

func TestCloseGivesUpInTime(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1 << 20, DiskBytes: 16 << 20})
	<-s.disk.scanned
	s.disk.mu.Lock() // the disk hangs
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	done := make(chan error)
	go func() { done <- s.Close(ctx) }()
	s.disk.mu.Unlock()
	if err := <-done; err != nil && sluice.KindOf(err) != sluice.KindTimeout {
		t.Error(err)
	}
	s.disk.running.Wait()
	put(t, s, 1, entry("late"))
	if st := stats(t, s); st.Dropped != 1 {
		t.Errorf("%+v", st)
	}
}

func TestMemoryIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	const limit = 100 * 1024
	s := open(t, Options{MemoryBytes: limit})
	put(t, s, 0, entry("used"))
	for k := 1; k < 1000; k++ {
		put(t, s, k, entry(strings.Repeat("x", 100+k%400)))
		if get(t, s, 0) == "" {
			t.Fatalf("the one that is used went at %d", k)
		}
		if st := stats(t, s); st.Memory.Bytes > limit {
			t.Fatalf("%+v", st)
		}
	}
	st := stats(t, s)
	if st.Memory.Evicted+st.Memory.Entries != 1000 || st.Memory.Entries < 50 {
		t.Errorf("%+v", st)
	}
	put(t, s, 2000, entry(strings.Repeat("x", limit)))
	if now := stats(t, s); now.Memory != st.Memory {
		t.Errorf("one that is too large: %+v, before %+v", now, st)
	}
}

func TestExpiredEntriesAreSwept(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1 << 20, DiskBytes: 16 << 20})
	for k := range 10 {
		e := entry("x")
		e.Expires = e.Stored.Add(time.Duration(k+1) * time.Minute)
		put(t, s, k, e)
	}
	s.settle()
	at := time.Now().Add(5*time.Minute + 30*time.Second)
	s.memory.sweep(at)
	s.disk.sweepExpired(at)
	if st := stats(t, s); st.Memory.Entries != 5 || st.Disk.Entries != 5 || files(t, s.disk.dir) != 5 {
		t.Errorf("%+v", st)
	}
}

func TestLargeEntriesLeaveMemoryToOthers(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1 << 20, DiskBytes: 16 << 20})
	put(t, s, 1, entry("small"))
	put(t, s, 2, entry(strings.Repeat("x", 512<<10)))
	if get(t, s, 2) == "" {
		t.Error("not found while it is queued")
	}
	s.settle()
	if st := stats(t, s); get(t, s, 2) == "" || st.Memory.Entries != 1 {
		t.Errorf("%+v", st)
	}
}

func TestAnAbsentKeyCostsNoLookAtTheDisk(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1 << 20, DiskBytes: 16 << 20})
	<-s.disk.scanned
	done, cancel := context.WithCancel(t.Context())
	cancel() // a read would fail
	if e, err := s.Get(done, scopeA(), key(1), time.Now()); e != nil || err != nil {
		t.Errorf("%v, %v", e, err)
	}
}

func TestASlowDiskIsUnavailable(t *testing.T) {
	s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 16 << 20})
	put(t, s, 1, entry("x"))
	s.settle()
	for range maxReads {
		s.disk.reads <- struct{}{} // all readers hang
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if e, err := s.Get(ctx, scopeA(), key(1), time.Now()); e != nil || sluice.KindOf(err) != sluice.KindUnavailable {
		t.Errorf("%v, %v", e, err)
	}
	for range maxReads {
		<-s.disk.reads
	}
	if get(t, s, 1) != "x" {
		t.Error("it is gone for good")
	}
}

func BenchmarkHitInMemory(b *testing.B) {
	s := open(b, Options{MemoryBytes: 64 << 20})
	for k := range 1000 {
		put(b, s, k, entry(strings.Repeat("x", 1000)))
	}
	k, now := key(500), time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if s.Peek(scopeA(), k, now) == nil {
				b.Error("a miss")
			}
		}
	})
}

func BenchmarkHitOnDisk(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), MemoryBytes: 1, DiskBytes: 64 << 20})
	put(b, s, 1, entry(strings.Repeat("x", 1000)))
	s.settle()
	k, now := key(1), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if e, err := s.Get(b.Context(), scopeA(), k, now); e == nil || err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), MemoryBytes: 16 << 20, DiskBytes: 64 << 20})
	e, n := entry(strings.Repeat("x", 1000)), 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		put(b, s, n, e)
	}
}

// TestAReadThatIsOvertaken purges or replaces an entry after its file was read. What was read does not
// come back into memory, and after a purge it is not given out either.
func TestAReadThatIsOvertaken(t *testing.T) {
	for name, one := range map[string]struct {
		then        func(s *Store)
		given, left string
	}{
		"by a purge of the gateway": {func(s *Store) { mustPurge(t, s, cache.Selection{Scope: scopeA()}) }, "", ""},
		"by a purge of the key":     {func(s *Store) { mustPurge(t, s, cache.Selection{Keys: []cache.Key{key(1)}}) }, "", ""},
		"by a purge elsewhere":      {func(s *Store) { mustPurge(t, s, cache.Selection{Scope: cache.Scope{Account: "x"}}) }, "", "old"},
		"by a newer entry": {func(s *Store) {
			put(t, s, 1, entry("new"))
			s.memory.purge(cache.Selection{}, func(cache.Key) {})
		}, "old", "new"},
		"by nothing": {func(*Store) {}, "old", "old"},
	} {
		s := open(t, Options{Dir: t.TempDir(), MemoryBytes: 8 << 20, DiskBytes: 16 << 20})
		put(t, s, 1, entry("old"))
		s.settle()
		s.memory.purge(cache.Selection{}, func(cache.Key) {}) // so that it is read
		s.disk.load = func(path string, scope cache.Scope, key cache.Key) (cache.Record, int64, error) {
			r, size, err := readFile(path, scope, key)
			one.then(s)
			return r, size, err
		}
		if got := get(t, s, 1); got != one.given {
			t.Errorf("%s: %q is given, want %q", name, got, one.given)
		}
		s.disk.load = readFile
		if got := get(t, s, 1); got != one.left {
			t.Errorf("%s: %q is left, want %q", name, got, one.left)
		}
	}
}

func mustPurge(t *testing.T, s *Store, what cache.Selection) {
	t.Helper()
	if _, err := s.Purge(t.Context(), what); err != nil {
		t.Error(err)
	}
}

func TestPutsAndPurgesWhileTheDirectoryIsRead(t *testing.T) {
	o := Options{Dir: t.TempDir(), MemoryBytes: 1, DiskBytes: 16 << 20}
	const n = 300
	s := open(t, o)
	for k := range n {
		put(t, s, k, entry("old"))
	}
	shut(t, s)
	s = open(t, o)
	for k := range n {
		switch k % 4 {
		case 0:
			put(t, s, k, entry("new"))
		case 1:
			if _, err := s.Purge(t.Context(), cache.Selection{Keys: []cache.Key{key(k)}}); err != nil {
				t.Error(err)
			}
		case 2:
			get(t, s, k)
		}
	}
	s.settle()
	if st, f := stats(t, s), files(t, o.Dir); st.Disk.Entries != n*3/4 || f != n*3/4 || st.Disk.Bytes != int64(f*blockSize) {
		t.Errorf("%d files, %+v", f, st)
	}
	for k := range n {
		if got := get(t, s, k); got != []string{"new", "", "old", "old"}[k%4] {
			t.Errorf("%d: %q", k, got)
		}
	}
}

// room is a Budget without an end.
type room struct{}

func (room) Take(int64) bool { return true }
func (room) Give(int64)      {}

func TestAHitInMemoryAllocatesNothing(t *testing.T) {
	s := open(t, Options{MemoryBytes: 64 << 20})
	c := cache.New(cache.Options{Store: s, Budget: room{}, EntryBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	put(t, s, 1, entry("x"))
	ask, now := cache.Ask{Scope: scopeA(), Key: key(1), AcceptEncoding: "gzip"}, time.Now()
	if n := testing.AllocsPerRun(100, func() {
		if e, _, _ := c.Lookup(t.Context(), ask, now); e == nil {
			t.Error("a miss")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
