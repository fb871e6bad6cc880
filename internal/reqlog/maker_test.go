package reqlog

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// ready returns the log's spare, nil when it has none.
func (m *maker) ready() *pair {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.spare
}

// logHalf logs until the segment is more than half full, and returns the ids. Segments are of a megabyte.
func logHalf(t testing.TB, l *Log) (ids []sluice.ID) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	eventually(t, "a segment is made ahead", func() bool {
		ids = append(ids, logSome(l, rng, 1, 20<<10)...)
		_, _ = l.List(reading(t), Query{})
		return l.maker.ready() != nil
	})
	return ids
}

// small makes segments of a megabyte, and drops none.
func small() Retention { return Retention{MaxBytes: 8 << 20, StopInserting: true} }

// watched is files that count how often they are made, allocated and cut.
type watched struct {
	osFiles
	made, grown, cut atomic.Int64
}

func (w *watched) create(path string) (file, error) {
	w.made.Add(1)
	f, err := w.osFiles.create(path)
	if err != nil {
		return nil, err
	}
	return &watchedFile{f, w}, nil
}

type watchedFile struct {
	file
	w *watched
}

func (f *watchedFile) Allocate(from, end int64) error {
	f.w.grown.Add(1)
	return f.file.Allocate(from, end)
}

func (f *watchedFile) Truncate(size int64) error {
	f.w.cut.Add(1)
	return f.file.Truncate(size)
}

func TestSegmentsAreMadeAhead(t *testing.T) {
	w, store := &watched{}, newMemory()
	l := openWith(t, Options{Retention: small()}, store, w)
	ids := logHalf(t, l)
	spare := l.maker.ready()
	made := w.made.Load()
	if n := spare.size(); l.catalog.spare.Load() < n || l.Stats().DiskBytes < n {
		t.Errorf("its %d bytes are not counted: %+v", n, l.Stats())
	}
	rng := rand.New(rand.NewPCG(2, 2))
	eventually(t, "it is in use", func() bool {
		ids = append(ids, logSome(l, rng, 1, 20<<10)...)
		_, _ = l.List(reading(t), Query{})
		return l.catalog.last() == spare.number
	})
	if n := w.made.Load(); n != made {
		t.Errorf("%d files were made for it once more", n-made)
	}
	for _, id := range ids {
		row, err := l.Get(reading(t), "a", id)
		if err != nil || len(readBody(t, l, row, ResponseSide)) != 20<<10 {
			t.Fatalf("%s: %v", id, err)
		}
	}
	eventually(t, "the first one is cut", func() bool { return w.cut.Load() == 2 })
	closeLog(t, l)
}

func TestRoomIsAddedAhead(t *testing.T) {
	w := &watched{}
	l := openWith(t, Options{}, newMemory(), w)
	room := l.append.bodies.room // before anything is written it does not change
	rng := rand.New(rand.NewPCG(1, 1))
	for range 30 {
		logSome(l, rng, 1, 20<<10) // more than half of what there is
	}
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is more room", func() bool { return room.end.Load() == 2*firstRoom })
	if n := w.grown.Load(); n != 3 {
		t.Errorf("%d allocations, want one for each file and one for more", n)
	}
	closeLog(t, l)
}

func TestNothingIsLeftOfASpare(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir, Retention: small()}, newMemory())
	logHalf(t, l)
	number := l.maker.ready().number
	closeLog(t, l)
	if left := filesIn(t, dir, filepath.Base(segmentPath(dir, number, ".*"))); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestALowDiskHasNoSpare(t *testing.T) {
	d := newDisk()
	d.size = 1 << 30
	l := openWith(t, Options{Retention: small()}, newMemory(), d)
	logHalf(t, l)
	number := l.maker.ready().number
	low := small()
	low.MinFree = 2 << 30
	l.SetRetention(low)
	eventually(t, "the disk is low", func() bool { return l.Stats().State == "disk low: bodies off" })
	if l.maker.ready() != nil || l.catalog.spare.Load() != 0 || len(filesIn(t, l.o.Dir, filepath.Base(segmentPath("", number, ".*")))) != 0 {
		t.Error("the spare is still there")
	}
	l.maker.want(l.append.plan())
	l.maker.makeSpare(l.append.plan())
	if l.maker.ready() != nil {
		t.Error("another was made")
	}
	closeLog(t, l)
}

func TestTheAppenderHelpsItself(t *testing.T) {
	t.Run("when no segment could be made ahead", func(t *testing.T) {
		d, store := newDisk(), newMemory()
		l := openWith(t, Options{Retention: small()}, store, d)
		d.set(func() { d.size = 2<<20 + 64<<10 }) // what the first segment has
		rng := rand.New(rand.NewPCG(1, 1))
		var ids []sluice.ID
		for range 40 {
			ids = append(ids, logSome(l, rng, 1, 20<<10)...)
		}
		if _, err := l.List(reading(t), Query{}); err != nil {
			t.Fatal(err)
		}
		d.set(func() { d.size = 0 })
		eventually(t, "the next segment is there", func() bool {
			ids = append(ids, logSome(l, rng, 1, 20<<10)...)
			_, _ = l.List(reading(t), Query{})
			return l.catalog.last() > 1
		})
		closeLog(t, l)
		if len(store.rows) != len(ids) || l.Stats().DroppedBodies != 0 {
			t.Errorf("%d rows of %d, %+v", len(store.rows), len(ids), l.Stats())
		}
	})

	t.Run("when the one made ahead comes too late", func(t *testing.T) {
		l := openLog(t, Options{}, newMemory())
		late, err := l.maker.create(l.append.plan(), true)
		if err != nil {
			t.Fatal(err)
		}
		logSome(l, rand.New(rand.NewPCG(1, 1)), 1, 10)
		l.append.rollSoon.Store(true)
		logSome(l, rand.New(rand.NewPCG(1, 1)), 1, 10)
		if _, err := l.List(reading(t), Query{}); err != nil {
			t.Fatal(err)
		}
		if l.catalog.last() == late.number || l.catalog.get(late.number) != nil {
			t.Errorf("segment %d is in use", late.number)
		}
		if l.maker.keep(late) || len(filesIn(t, l.o.Dir, filepath.Base(late.rooms[kindRows].path))) != 0 {
			t.Error("it was kept")
		}
		closeLog(t, l)
	})
}

// TestKilledWithASpare starts on what a killed process can leave of a segment that was made ahead.
func TestKilledWithASpare(t *testing.T) {
	head := appendFileHeader(nil, fileHeader{magic: magicBodies, segment: 2, firstBody: 2 << 32, created: time.Now()})
	zeroes := make([]byte, 1<<20)
	for name, left := range map[string][2][]byte{ // rows, bodies; nil: no file
		"bodies made":           {nil, {}},
		"bodies allocated":      {nil, zeroes},
		"both made":             {{}, zeroes},
		"both allocated":        {zeroes, zeroes},
		"header of bodies only": {zeroes, append(bytes.Clone(head), zeroes...)},
	} {
		t.Run(name, func(t *testing.T) {
			dir, store := t.TempDir(), newMemory()
			ids := writeLog(t, dir, 3)
			for kind, b := range left {
				if b == nil {
					continue
				}
				path := segmentPath(dir, 2, [...]string{kindRows: rowsSuffix, kindBodies: bodiesSuffix}[kind])
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			l := openLog(t, Options{Dir: dir}, store)
			x := begin(l, (&sluice.IDs{}).New(time.Now()), time.Now())
			l.End(x, false)
			for _, id := range append(ids, x.Entry.ID) {
				if _, err := l.Get(reading(t), "a", id); err != nil {
					t.Errorf("%s: %v", id, err)
				}
			}
			if n := l.catalog.last(); n != 2 {
				t.Errorf("it goes on in segment %d, want 2: nothing was in that one", n)
			}
			closeLog(t, l)
			if store.again != 0 {
				t.Errorf("%d records were applied twice", store.again)
			}
		})
	}
}

// TestHeldFileSystem has all of the file system but writes stand still: what was promised holds.
func TestHeldFileSystem(t *testing.T) {
	s := &stuck{release: make(chan struct{})}
	l := openWith(t, Options{Durability: Strict, Retention: small()}, newMemory(), s)
	logHalf(t, l)
	s.held.Store(true)
	before := l.catalog.last()
	var g sluice.IDs
	rng := rand.New(rand.NewPCG(3, 3))
	for l.catalog.last() == before { // through the roll-over
		logSome(l, rng, 1, 20<<10)
		x := begin(l, g.New(time.Now()), time.Now())
		if err := l.Wait(reading(t), l.End(x, false)); err != nil {
			t.Fatal(err)
		}
	}
	close(s.release)
	closeLog(t, l)
}

// stuck is files that can only be written while they are held.
type stuck struct {
	osFiles
	held    atomic.Bool
	release chan struct{}
}

func (s *stuck) wait() {
	if s.held.Load() {
		<-s.release
	}
}

func (s *stuck) create(path string) (file, error) {
	s.wait()
	f, err := s.osFiles.create(path)
	if err != nil {
		return nil, err
	}
	return &stuckFile{f, s}, nil
}

type stuckFile struct {
	file
	s *stuck
}

func (f *stuckFile) Allocate(from, end int64) error {
	f.s.wait()
	return f.file.Allocate(from, end)
}

func (f *stuckFile) Truncate(size int64) error {
	f.s.wait()
	return f.file.Truncate(size)
}

func (f *stuckFile) Sync() error {
	f.s.wait()
	return f.file.Sync()
}
