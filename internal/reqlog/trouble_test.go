package reqlog

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// disk is files on a disk whose size and soundness a test decides. What is written is really written.
type disk struct {
	mu       sync.Mutex
	size     int64            // 0: no bound
	used     map[string]int64 // by path: the furthest byte written or allocated
	writeErr map[string]error // by suffix of the path
	syncErr  error
	syncs    atomic.Int64
}

func newDisk() *disk { return &disk{used: map[string]int64{}, writeErr: map[string]error{}} }

func (d *disk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// total is what all files take that are still there.
func (d *disk) total() (n int64) {
	for path, used := range d.used {
		if _, err := os.Stat(path); err != nil {
			delete(d.used, path)
			continue
		}
		n += used
	}
	return n
}

// grow takes room for path up to end.
func (d *disk) grow(path string, end int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.writeErr[filepath.Ext(path)]; err != nil {
		return err
	}
	more := end - d.used[path]
	if more <= 0 {
		return nil
	}
	if d.size > 0 && d.total()+more > d.size {
		return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
	}
	d.used[path] = end
	return nil
}

func (d *disk) create(path string) (file, error) {
	if err := d.grow(path, 1); err != nil {
		return nil, err
	}
	f, err := osFiles{}.create(path)
	if err != nil {
		return nil, err
	}
	return &diskFile{f, d, path}, nil
}

func (d *disk) free(string) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.size == 0 {
		return -1
	}
	return d.size - d.total()
}

type diskFile struct {
	file
	disk *disk
	path string
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.disk.grow(f.path, off+int64(len(p))); err != nil {
		n, _ := f.file.WriteAt(p[:len(p)/2], off) // as a disk does: half of it is there
		return n, err
	}
	return f.file.WriteAt(p, off)
}

func (f *diskFile) Allocate(from, end int64) error {
	if err := f.disk.grow(f.path, end); err != nil {
		return err
	}
	return f.file.Allocate(from, end)
}

func (f *diskFile) Truncate(size int64) error {
	f.disk.set(func() { f.disk.used[f.path] = size })
	return f.file.Truncate(size)
}

func (f *diskFile) Sync() error {
	f.disk.syncs.Add(1)
	var err error
	f.disk.set(func() { err = f.disk.syncErr })
	if err != nil {
		return err
	}
	return f.file.Sync()
}

// logSome ends n exchanges with a body of size bytes that does not compress, and returns their ids.
func logSome(l *Log, rng *rand.Rand, n, size int) (ids []sluice.ID) {
	var g sluice.IDs
	body := random(rng, size)
	for range n {
		x := begin(l, g.New(time.Now()), time.Now())
		x.Entry.Path = strings.Repeat("p", 1000)
		l.Capture(&x.Bodies[ResponseSide], 1<<30)
		x.Bodies[ResponseSide].Write(body)
		l.End(x, false)
		ids = append(ids, x.Entry.ID)
	}
	return ids
}

func TestFullDisk(t *testing.T) {
	d, store := newDisk(), newMemory()
	d.size = 12 << 20
	l := openWith(t, Options{QueueBytes: 8 << 20}, store, d)
	rng := rand.New(rand.NewPCG(1, 1))
	var all []sluice.ID
	eventually(t, "the disk is full", func() bool {
		all = append(all, logSome(l, rng, 50, 20<<10)...)
		return strings.HasPrefix(l.Stats().State, "disk full")
	})
	eventually(t, "bodies are off", func() bool {
		all = append(all, logSome(l, rng, 1, 20<<10)...)
		return l.keeper.bodiesFull.Load()
	})

	d.set(func() { d.size = 200 << 20 })
	l.keeper.kick()
	eventually(t, "the trouble is over, and the queue empty", func() bool {
		s := l.Stats()
		return s.State == "ok" && s.QueueBytes == 0
	})
	after := logSome(l, rng, 20, 20<<10)
	for _, id := range after {
		row, err := l.Get(reading(t), "a", id)
		if err != nil || row.Entry.Response.Dropped {
			t.Fatalf("after the trouble: %v, dropped %v", err, row.Entry.Response.Dropped)
		}
		if len(readBody(t, l, row, ResponseSide)) != 20<<10 {
			t.Fatal("body is not whole")
		}
	}
	closeLog(t, l)
	all = append(all, after...)
	if got := len(store.rows) + len(store.counted); got != len(all) {
		t.Errorf("%d rows and %d counts of %d exchanges", len(store.rows), len(store.counted), len(all))
	}
	if s := l.Stats(); s.DroppedRows != int64(len(store.counted)) || s.Rows != int64(len(all)) {
		t.Errorf("stats %+v; %d only counted", s, len(store.counted))
	}
}

func TestDiskThatTakesNothing(t *testing.T) {
	d, store := newDisk(), newMemory()
	d.writeErr[rowsSuffix] = &os.PathError{Op: "write", Err: syscall.ENOSPC}
	l := openWith(t, Options{QueueBytes: minQueueBytes, Durability: Strict}, store, d)
	rng := rand.New(rand.NewPCG(1, 1))
	all := logSome(l, rng, 6000, 2<<10)
	if s := l.Stats(); s.QueueBytes > minQueueBytes || s.DroppedRows == 0 {
		t.Errorf("stats %+v", s)
	}
	eventually(t, "bodies are given up", func() bool { return l.Stats().DroppedBodies > 0 })
	eventually(t, "it is visible", func() bool { return strings.HasPrefix(l.Stats().State, "disk full: rows") })
	x := begin(l, (&sluice.IDs{}).New(time.Now()), time.Now())
	if err := l.Wait(t.Context(), l.End(x, false)); kindOf(err) != sluice.KindUnavailable {
		t.Errorf("strict on a full disk: %v", err)
	}
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Errorf("reading while nothing can be written: %v", err)
	}

	d.set(func() { clear(d.writeErr) })
	eventually(t, "the trouble is over", func() bool { return l.Stats().State == "ok" })
	closeLog(t, l)
	kept := len(store.rows) + len(store.counted)
	if kept != len(all)+1 || len(store.counted) == 0 || len(store.rows) == 0 {
		t.Errorf("%d rows and %d counts of %d", len(store.rows), len(store.counted), len(all)+1)
	}
}

func TestFullDiskKeepsCounting(t *testing.T) {
	d, store := newDisk(), newMemory()
	d.size = 2 * reserveWhen
	l := openWith(t, Options{QueueBytes: minQueueBytes}, store, d)
	l.keeper.reserve()
	d.set(func() { d.size = d.total() + 4<<20 }) // somebody else filled the rest
	var n int
	eventually(t, "rows are off", func() bool {
		if !l.keeper.bodiesFull.Load() {
			n += len(logSome(l, rand.New(rand.NewPCG(uint64(n), 1)), 20, 20<<10))
		}
		n += len(logSome(l, rand.New(rand.NewPCG(uint64(n), 1)), 20, 10))
		return l.Stats().State == rowsFullState
	})
	// Many more than the queue holds: their counts go to the disk's last corners.
	for range 50 {
		n += len(logSome(l, rand.New(rand.NewPCG(uint64(n), 1)), 1000, 10))
		eventually(t, "counts are written", func() bool { return l.Stats().QueueBytes < minQueueBytes/2 })
	}
	d.set(func() { d.size = 200 << 20 })
	l.keeper.kick()
	eventually(t, "the trouble is over", func() bool { return l.Stats().State == "ok" })
	n += len(logSome(l, rand.New(rand.NewPCG(1, 1)), 10, 10))
	closeLog(t, l)
	if got := len(store.rows) + len(store.counted); got != n || l.Stats().LostCounts != 0 {
		t.Errorf("%d rows and %d counts of %d exchanges; stats %+v", len(store.rows), len(store.counted), n, l.Stats())
	}
	if s := l.Stats(); s.DroppedRows != int64(len(store.counted)) {
		t.Errorf("%d rows dropped, %d only counted", s.DroppedRows, len(store.counted))
	}
}

func TestFailingWrites(t *testing.T) {
	for _, suffix := range []string{rowsSuffix, bodiesSuffix} {
		t.Run(suffix, func(t *testing.T) {
			d, store := newDisk(), newMemory()
			l := openWith(t, Options{}, store, d)
			rng := rand.New(rand.NewPCG(1, 1))
			all := logSome(l, rng, 20, 1000)
			if _, err := l.List(reading(t), Query{}); err != nil {
				t.Fatal(err)
			}
			d.set(func() { d.writeErr[suffix] = syscall.EIO })
			all = append(all, logSome(l, rng, 20, 1000)...)
			eventually(t, "it is visible", func() bool { return strings.HasPrefix(l.Stats().State, "write failed") })
			d.set(func() { clear(d.writeErr) })
			all = append(all, logSome(l, rng, 20, 1000)...)
			for _, id := range all {
				eventually(t, "the row is there", func() bool { _, err := l.Get(reading(t), "a", id); return err == nil })
				row, err := l.Get(reading(t), "a", id)
				if err != nil {
					t.Fatal(err)
				}
				if b := readBody(t, l, row, ResponseSide); len(b) != 1000 {
					t.Fatalf("body of %d bytes", len(b))
				}
			}
			if l.catalog.last() < 2 {
				t.Error("it went on in the segment whose write failed")
			}
			closeLog(t, l)
		})
	}
}

func TestFailingSync(t *testing.T) {
	d := newDisk()
	l := openWith(t, Options{Durability: Fsync}, newMemory(), d)
	rng := rand.New(rand.NewPCG(1, 1))
	var g sluice.IDs
	wait := func() error {
		x := begin(l, g.New(time.Now()), time.Now())
		return l.Wait(reading(t), l.End(x, false))
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	d.set(func() { d.syncErr = syscall.EIO })
	if err := wait(); kindOf(err) != sluice.KindUnavailable || !errors.Is(err, syscall.EIO) {
		t.Errorf("wait while syncs fail: %v", err)
	}
	if s := l.Stats(); !strings.HasPrefix(s.State, "sync failed") {
		t.Errorf("state %q", s.State)
	}
	d.set(func() { d.syncErr = nil })
	logSome(l, rng, 1, 10)
	eventually(t, "a new segment is trusted", func() bool { return wait() == nil && l.Stats().State == "ok" })
	if l.catalog.last() < 2 {
		t.Error("it went on in the segment whose sync failed")
	}
	closeLog(t, l)
}

func TestStoreThatNeverAnswers(t *testing.T) {
	store := newMemory()
	store.hang = true
	l := openLog(t, Options{QueueBytes: minQueueBytes, Retention: Retention{MaxBytes: 1}}, store)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		logSome(l, rng, 100, 500)
		last := l.ring.hurry()
		eventually(t, "the files take it", func() (there bool) {
			l.progress.get(func(p *progress) { there = p.appended >= last })
			return there
		})
	}
	if s := l.Stats(); s.QueueBytes > minQueueBytes || s.DroppedRows != 0 {
		t.Errorf("stats %+v", s)
	}
	eventually(t, "the lag is visible", func() bool { return l.Stats().IndexLag > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := l.CompleteUntil(ctx); err != nil {
		t.Error(err)
	}
	if err := l.Close(ctx); err == nil {
		t.Error("closed without a word, and nothing is indexed")
	}
	after := newMemory()
	l = openLog(t, Options{Dir: l.o.Dir}, after)
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Fatal(err)
	}
	if len(after.rows) != 5000 {
		t.Errorf("%d rows at the next start, want 5000: what is not indexed may not be dropped", len(after.rows))
	}
	closeLog(t, l)
}

func TestStoreThatFails(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{}, store)
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Fatal(err)
	}
	store.set(func() { store.fail = errTest })
	ids := logSome(l, rand.New(rand.NewPCG(1, 1)), 10, 10)
	eventually(t, "it is visible", func() bool {
		_, _ = l.List(reading(t), Query{})
		s := l.Stats()
		return strings.HasPrefix(s.State, "index failed") && s.LastError != "" && s.IndexLag > 0
	})
	store.set(func() { store.fail = nil })
	for _, id := range ids {
		eventually(t, "the row is there", func() bool { _, err := l.Get(reading(t), "a", id); return err == nil })
	}
	if s := l.Stats(); s.State != "ok" {
		t.Errorf("state %q", s.State)
	}
	closeLog(t, l)
}

// purse is a Budget of so many bytes.
type purse struct{ left atomic.Int64 }

func (p *purse) Take(n int64) bool {
	if p.left.Add(-n) < 0 {
		p.left.Add(n)
		return false
	}
	return true
}
func (p *purse) Give(n int64) { p.left.Add(n) }

func TestCapture(t *testing.T) {
	budget := &purse{}
	budget.left.Store(1 << 20)
	l := openLog(t, Options{Budget: budget}, newMemory())
	var g sluice.IDs
	body := bytes.Repeat([]byte("0123456789abcdef"), 20_000) // 320,000 bytes
	tests := map[string]struct {
		use    func(c *Capture)
		want   sluice.Body
		stored int
	}{
		"nothing asked":    {func(c *Capture) { c.Write(body) }, sluice.Body{Size: 320_000}, 0},
		"written":          {func(c *Capture) { l.Capture(c, 1<<20); c.Write(body[:9]); c.Write(body[9:]) }, sluice.Body{Size: 320_000, Stored: 320_000}, 320_000},
		"whole":            {func(c *Capture) { l.Capture(c, 1<<20); c.Whole(body) }, sluice.Body{Size: 320_000, Stored: 320_000}, 320_000},
		"written, cut":     {func(c *Capture) { l.Capture(c, 100_001); c.Write(body) }, sluice.Body{Size: 320_000, Stored: 100_001, Truncated: true}, 100_001},
		"whole, cut":       {func(c *Capture) { l.Capture(c, 100_001); c.Whole(body) }, sluice.Body{Size: 320_000, Stored: 100_001, Truncated: true}, 100_001},
		"limit of nothing": {func(c *Capture) { l.Capture(c, 0); c.Write(body) }, sluice.Body{Size: 320_000, Truncated: true}, 0},
		"no budget": {func(c *Capture) {
			l.Capture(c, 1<<20)
			budget.left.Add(-1 << 20)
			c.Write(body)
			budget.left.Add(1 << 20)
		}, sluice.Body{Size: 320_000, Dropped: true}, 0},
		"no budget after a while": {func(c *Capture) {
			l.Capture(c, 1<<20)
			c.Write(body[:16<<10*earlyParts])
			left := budget.left.Swap(0)
			c.Write(body[16<<10*earlyParts:])
			budget.left.Add(left)
		}, sluice.Body{Size: 320_000, Dropped: true}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			x := begin(l, g.New(time.Now()), time.Now())
			id := x.Entry.ID
			test.use(&x.Bodies[ResponseSide])
			l.End(x, false)
			x.Reset()
			if left := budget.left.Load(); left != 1<<20 {
				t.Errorf("%d bytes of the budget are left", left)
			}
			row, err := l.Get(reading(t), "a", id)
			if err != nil || row.Entry.Response != test.want {
				t.Fatalf("%+v, %v; want %+v", row.Entry.Response, err, test.want)
			}
			if got := readBody(t, l, row, ResponseSide); !bytes.Equal(got, body[:test.stored]) {
				t.Errorf("stored %d bytes, want the first %d", len(got), test.stored)
			}
		})
	}
	t.Run("an entry is corrected and keeps its body", func(t *testing.T) {
		x := begin(l, g.New(time.Now()), time.Now())
		l.Capture(&x.Bodies[ResponseSide], 1<<20)
		x.Bodies[ResponseSide].Write(body)
		l.End(x, false)
		x.Entry.Finish = "stop"
		l.End(x, false)
		row, err := l.Get(reading(t), "a", x.Entry.ID)
		if err != nil || row.Entry.Finish != "stop" || !bytes.Equal(readBody(t, l, row, ResponseSide), body) {
			t.Errorf("%+v, %v", row.Entry, err)
		}
	})
	t.Run("nothing but counts", func(t *testing.T) {
		x := begin(l, g.New(time.Now()), time.Now())
		l.Capture(&x.Bodies[ResponseSide], 1<<20)
		x.Bodies[ResponseSide].Write(body[:100])
		l.End(x, true)
		if _, err := l.Get(reading(t), "a", x.Entry.ID); kindOf(err) != sluice.KindNotFound {
			t.Errorf("it has a row: %v", err)
		}
		if n := l.store.(*memory).counted[x.Entry.ID]; n != 1 || x.Entry.Response.Size != 100 {
			t.Errorf("counted %d times, %+v", n, x.Entry.Response)
		}
	})
	t.Run("larger than a record may be", func(t *testing.T) {
		x := begin(l, g.New(time.Now()), time.Now())
		x.Entry.Path = strings.Repeat("x", 3*maxRecord)
		l.End(x, false)
		row, err := l.Get(reading(t), "a", x.Entry.ID)
		if err != nil || len(row.Entry.Path) != 4096 || len(row.Entry.Notes) != 1 {
			t.Errorf("path of %d bytes, %v, %v", len(row.Entry.Path), row.Entry.Notes, err)
		}
	})
	closeLog(t, l)
}

func TestMarksAndBatchesInTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		l, err := Open(context.Background(), Options{Dir: dir}, store)
		if err != nil {
			t.Fatal(err)
		}
		var g sluice.IDs
		x := begin(l, g.New(time.Now()), time.Now())
		x.Described()
		undescribed := begin(l, g.New(time.Now()), time.Now())
		short := begin(l, g.New(time.Now()), time.Now())
		short.Described()
		l.End(short, false)
		time.Sleep(50 * time.Millisecond)
		if head := l.Head(); head == (Pos{Segment: 1}) {
			t.Error("50 ms later nothing is in a file")
		}
		time.Sleep(300 * time.Millisecond)
		if _, ok := store.row(short.Entry.ID); !ok {
			t.Error("350 ms later nothing is indexed")
		}
		if open, _ := store.Open(context.Background()); len(open) != 0 {
			t.Errorf("marked before a second is over: %v", open)
		}
		time.Sleep(2 * time.Second)
		open, _ := store.Open(context.Background())
		if len(open) != 1 || open[0].ID != x.Entry.ID || open[0].Ending != sluice.EndingInFlight {
			t.Errorf("open marks: %v", open)
		}
		l.End(x, false)
		l.End(undescribed, false)
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if open, _ := store.Open(context.Background()); len(open) != 0 {
			t.Errorf("left open: %v", open)
		}
	})
}
