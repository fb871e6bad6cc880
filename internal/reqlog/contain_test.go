package reqlog

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// touchy is a Store that panics where a test says so.
type touchy struct {
	*memory
	apply func(records []Record) // before they are applied
	open  func()
	size  func()
}

func (s *touchy) Apply(ctx context.Context, records []Record, next Pos) error {
	if s.apply != nil {
		s.apply(records)
	}
	return s.memory.Apply(ctx, records, next)
}

func (s *touchy) Open(ctx context.Context) ([]sluice.LogEntry, error) {
	if s.open != nil {
		s.open()
	}
	return s.memory.Open(ctx)
}

func (s *touchy) Size(ctx context.Context) (rows, bytes int64, err error) {
	if s.size != nil {
		s.size()
	}
	return s.memory.Size(ctx)
}

// once returns a function that panics the first time.
func once() func() {
	var done atomic.Bool
	return func() {
		if !done.Swap(true) {
			panic("made to panic")
		}
	}
}

// journal is where a Logger's text goes.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) has(what string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Contains(j.text.String(), what)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// sharp is files that panic when they are written, synced or allocated, as long as a test wants it.
type sharp struct {
	osFiles
	write, sync, allocate atomic.Pointer[func(path string, p []byte)]
}

func (s *sharp) create(path string) (file, error) {
	f, err := s.osFiles.create(path)
	if err != nil {
		return nil, err
	}
	return &sharpFile{f, s, path}, nil
}

type sharpFile struct {
	file
	s    *sharp
	path string
}

func (f *sharpFile) WriteAt(p []byte, off int64) (int, error) {
	if cut := f.s.write.Load(); cut != nil {
		(*cut)(f.path, p)
	}
	return f.file.WriteAt(p, off)
}

func (f *sharpFile) Sync() error {
	if cut := f.s.sync.Load(); cut != nil {
		(*cut)(f.path, nil)
	}
	return f.file.Sync()
}

func (f *sharpFile) Allocate(from, end int64) error {
	if cut := f.s.allocate.Load(); cut != nil {
		(*cut)(f.path, nil)
	}
	return f.file.Allocate(from, end)
}

func TestPanicsOfTheIndex(t *testing.T) {
	t.Run("once: nothing is missing", func(t *testing.T) {
		var out journal
		jump := once()
		s := &touchy{memory: newMemory(), apply: func([]Record) { jump() }}
		l := openLog(t, Options{Logger: out.logger()}, s)
		for _, id := range logSome(l, rand.New(rand.NewPCG(1, 1)), 20, 100) {
			if _, err := l.Get(reading(t), "a", id); err != nil {
				t.Fatal(err)
			}
		}
		if st := l.Stats(); st.Panics != 1 || st.NotIndexed != 0 || st.State != "ok" || !strings.Contains(st.LastError, "made to panic") {
			t.Errorf("%+v", st)
		}
		if !out.has("made to panic") || !out.has("contain_test.go") {
			t.Errorf("no cause, or no stack, in %s", &out.text)
		}
		closeLog(t, l)
		if s.again != 0 {
			t.Errorf("%d records were applied twice", s.again)
		}
	})

	t.Run("always at two of many: all others are there", func(t *testing.T) {
		dir := t.TempDir()
		var poison sync.Map
		s := &touchy{memory: newMemory(), apply: func(records []Record) {
			for i := range records {
				if _, bad := poison.Load(records[i].Entry.ID); bad {
					panic("made to panic")
				}
			}
		}}
		l := openLog(t, Options{Dir: dir}, s)
		var g sluice.IDs
		var ids []sluice.ID
		for i := range 300 {
			x := begin(l, g.New(time.Now()), time.Now())
			if i == 57 || i == 299 {
				poison.Store(x.Entry.ID, true)
			}
			l.End(x, false)
			ids = append(ids, x.Entry.ID)
		}
		for i, id := range ids {
			_, err := l.Get(reading(t), "a", id)
			if want := i == 57 || i == 299; (kindOf(err) == sluice.KindNotFound) != want {
				t.Fatalf("row %d: %v", i, err)
			}
		}
		if st := l.Stats(); st.NotIndexed != 2 || st.Panics < 4 || st.State != "ok" {
			t.Errorf("%+v", st)
		}
		closeLog(t, l)
		if s.again != 0 {
			t.Errorf("%d records were applied twice", s.again)
		}

		whole := newMemory() // an index without that fault finds them: the truth is in the segments
		l = openLog(t, Options{Dir: dir}, whole)
		if _, err := l.Get(reading(t), "a", ids[57]); err != nil || whole.records != len(ids) {
			t.Errorf("%d records, %v", whole.records, err)
		}
		closeLog(t, l)
	})

	t.Run("when it lists open exchanges", func(t *testing.T) {
		s := &touchy{memory: newMemory(), open: once()}
		l := openLog(t, Options{}, s)
		eventually(t, "it was asked again", func() (there bool) {
			l.progress.get(func(p *progress) { there = p.recovered })
			return there
		})
		if n := l.Stats().Panics; n != 1 {
			t.Errorf("%d panics", n)
		}
		closeLog(t, l)
	})

	t.Run("when the keeper asks for its size", func(t *testing.T) {
		s := &touchy{memory: newMemory(), size: once()}
		l := openLog(t, Options{Retention: Retention{MaxRows: 10}}, s)
		eventually(t, "it panicked", func() bool { return l.Stats().Panics == 1 })
		oneSegment(t, l, 20, time.Now().Add(-time.Hour))
		oneSegment(t, l, 10, time.Now())
		l.keeper.kick()
		eventually(t, "retention goes on", func() bool { n, _, _ := s.memory.Size(t.Context()); return n <= 11 })
		closeLog(t, l)
	})
}

func TestPanicsOfTheAppender(t *testing.T) {
	for _, suffix := range []string{rowsSuffix, bodiesSuffix} {
		t.Run("once at "+suffix+": nothing is lost", func(t *testing.T) {
			s, store := &sharp{}, newMemory()
			l := openWith(t, Options{Durability: Strict}, store, s)
			rng := rand.New(rand.NewPCG(1, 1))
			ids := logSome(l, rng, 20, 1000)
			if _, err := l.List(reading(t), Query{}); err != nil {
				t.Fatal(err)
			}
			jump := once()
			cut := func(path string, _ []byte) {
				if filepath.Ext(path) == suffix {
					jump()
				}
			}
			s.write.Store(&cut)
			for range 20 {
				ids = append(ids, logSome(l, rng, 10, 30<<10)...)
			}
			for _, id := range ids {
				row, err := l.Get(reading(t), "a", id)
				if err != nil || len(readBody(t, l, row, ResponseSide)) == 0 {
					t.Fatalf("%s: %v", id, err)
				}
			}
			if st := l.Stats(); st.Panics != 1 || st.DroppedRows+st.DroppedBodies+st.LostCounts != 0 || st.State != "ok" {
				t.Errorf("%+v", st)
			}
			if l.catalog.last() < 2 {
				t.Error("it went on in the segment where it panicked")
			}
			closeLog(t, l)
			if len(store.rows) != len(ids) || store.again != 0 {
				t.Errorf("%d rows of %d, %d again", len(store.rows), len(ids), store.again)
			}
		})
	}

	t.Run("always at one block: only that is lost, and who waits is told", func(t *testing.T) {
		s, store := &sharp{}, newMemory()
		l := openWith(t, Options{Durability: Strict}, store, s)
		var g sluice.IDs
		poison := []byte("a path that no block holds but one")
		cut := func(path string, p []byte) {
			if filepath.Ext(path) == rowsSuffix && bytes.Contains(p, poison) {
				panic("made to panic")
			}
		}
		s.write.Store(&cut)
		end := func(path string) (sluice.ID, error) {
			x := begin(l, g.New(time.Now()), time.Now())
			x.Entry.Path = path
			return x.Entry.ID, l.Wait(reading(t), l.End(x, false))
		}
		before, err := end("before")
		if err != nil {
			t.Fatal(err)
		}
		lost, err := end(string(poison))
		if kindOf(err) != sluice.KindUnavailable {
			t.Errorf("wait for what is lost: %v", err)
		}
		after, err := end("after")
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[sluice.ID]bool{before: true, lost: false, after: true} {
			if _, err := l.Get(reading(t), "a", id); (err == nil) != want {
				t.Errorf("%s: %v, want it there: %v", id, err, want)
			}
		}
		if st := l.Stats(); st.Panics != 2 || st.DroppedRows != 1 || st.LostCounts != 1 || st.QueueBytes != 0 || st.State != "ok" {
			t.Errorf("%+v", st)
		}
		closeLog(t, l)
	})
}

func TestPanicsOfOtherGoroutines(t *testing.T) {
	t.Run("of the syncer: what it was at is not called safe", func(t *testing.T) {
		s := &sharp{}
		l := openWith(t, Options{Durability: Fsync}, newMemory(), s)
		var g sluice.IDs
		end := func() error {
			x := begin(l, g.New(time.Now()), time.Now())
			return l.Wait(reading(t), l.End(x, false))
		}
		cut := func(string, []byte) { panic("made to panic") }
		s.sync.Store(&cut)
		if err := end(); kindOf(err) != sluice.KindUnavailable {
			t.Errorf("wait: %v", err)
		}
		s.sync.Store(nil)
		eventually(t, "a new segment is trusted", func() bool { return end() == nil && l.Stats().State == "ok" })
		if n := l.Stats().Panics; n == 0 {
			t.Error("it was not counted")
		}
		closeLog(t, l)
	})

	t.Run("of the maker: the appender helps itself", func(t *testing.T) {
		s, store := &sharp{}, newMemory()
		l := openWith(t, Options{Retention: small()}, store, s)
		var panics atomic.Int64
		cut := func(path string, _ []byte) {
			if filepath.Base(path) == "00000002"+bodiesSuffix {
				panics.Add(1)
				panic("made to panic")
			}
		}
		s.allocate.Store(&cut)
		var ids []sluice.ID
		rng := rand.New(rand.NewPCG(1, 1))
		eventually(t, "the next segment is there", func() bool {
			ids = append(ids, logSome(l, rng, 1, 20<<10)...)
			_, _ = l.List(reading(t), Query{})
			return l.catalog.last() > 1
		})
		closeLog(t, l)
		if panics.Load() == 0 || l.Stats().Panics != panics.Load() {
			t.Errorf("%d panics, %d counted", panics.Load(), l.Stats().Panics)
		}
		if len(store.rows) != len(ids) {
			t.Errorf("%d rows of %d", len(store.rows), len(ids))
		}
	})
}

func TestAPanickingGoroutineGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &Log{o: Options{Logger: slog.New(slog.DiscardHandler)}}
		began, runs := time.Now(), 0
		l.keepOn(t.Context(), "test", func() {
			if runs++; runs < 4 {
				panic("made to panic")
			}
		})
		if runs != 4 || l.panics.Load() != 3 || time.Since(began) != 7*firstRest {
			t.Errorf("%d runs, %d panics, in %v; want it to rest longer each time", runs, l.panics.Load(), time.Since(began))
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		runs = 0
		l.keepOn(ctx, "test", func() { runs++; panic("made to panic") })
		if runs < 10 || runs > 25 {
			t.Errorf("%d runs in a minute", runs)
		}
	})
}

// TestMarkThatPanics has an exchange whose mark panics: the next sweep passes it over.
func TestMarkThatPanics(t *testing.T) {
	l := &Log{o: Options{Logger: slog.New(slog.DiscardHandler)}} // without a queue every mark panics
	var g sluice.IDs
	old := time.Now().Add(-2 * openAfter)
	bad, good := begin(l, g.New(old), old), begin(l, g.New(old), old)
	bad.Described()
	good.Described()
	if err := l.contain("sweeper", func() error { l.sweep(time.Now(), 0); return nil }); err == nil {
		t.Fatal("it does not panic")
	}
	l.ring = newRing(0, 0)
	l.sweep(time.Now(), 0)
	if !bad.marked || !good.marked || l.ring.tickets != 1 {
		t.Errorf("marked %v and %v, with %d marks", bad.marked, good.marked, l.ring.tickets)
	}
}
