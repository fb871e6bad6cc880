package reqlog

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// oneSegment logs n exchanges that started at start into a finished segment of their own, indexed.
func oneSegment(t testing.TB, l *Log, n int, start time.Time) (ids []sluice.ID) {
	t.Helper()
	var g sluice.IDs
	rng := rand.New(rand.NewPCG(1, 1))
	for range n {
		x := begin(l, g.New(start), start)
		l.Capture(&x.Bodies[ResponseSide], 1<<20)
		x.Bodies[ResponseSide].Write(noise(rng, 5000))
		l.End(x, false)
		ids = append(ids, x.Entry.ID)
	}
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Fatal(err)
	}
	before := l.catalog.last()
	l.append.rollSoon.Store(true)
	x := begin(l, g.New(start), start) // begins the next
	l.End(x, false)
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its room is given back", func() bool {
		b, err := os.Stat(segmentPath(l.o.Dir, before, bodiesSuffix))
		return err == nil && b.Size() < firstRoom && l.catalog.view(l.catalog.get(before)).bytes < firstRoom
	})
	if l.catalog.last() == before || !l.catalog.get(before).sealed.Load() {
		t.Fatal("the segment is not finished")
	}
	return ids
}

func TestRetentionByAge(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{}, store)
	now := time.Now()
	old := oneSegment(t, l, 5, now.Add(-30*time.Hour))
	recent := oneSegment(t, l, 5, now.Add(-3*time.Hour))

	l.SetRetention(Retention{MaxBodyAge: 20 * time.Hour})
	eventually(t, "old bodies are gone", func() bool { return l.catalog.view(l.catalog.from(0)).bodiesGone })
	row, err := l.Get(reading(t), "a", old[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Body(t.Context(), row, ResponseSide); kindOf(err) != sluice.KindNotFound {
		t.Errorf("body after its time: %v", err)
	}
	if row, err = l.Get(reading(t), "a", recent[0]); err != nil || len(readBody(t, l, row, ResponseSide)) != 5000 {
		t.Errorf("a recent body: %v", err)
	}

	first := l.catalog.oldest()
	l.SetRetention(Retention{MaxAge: 20 * time.Hour})
	eventually(t, "old rows are gone", func() bool { _, there := store.row(old[0]); return !there })
	if l.catalog.oldest() == first || len(filesIn(t, l.o.Dir, "00000001.*")) != 0 {
		t.Error("the old segment is still there")
	}
	if _, there := store.row(recent[0]); !there {
		t.Error("a recent row is gone")
	}
	closeLog(t, l)
}

func TestAWrongClockDoesNotEmptyTheLog(t *testing.T) {
	var p pace
	day := 24 * time.Hour
	oldest := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := time.Now()
	steps := []struct {
		after time.Duration // since the first look
		want  time.Time     // the cutoff that the clock asks for
		get   time.Time
	}{
		{0, oldest.Add(-day), oldest.Add(-day)},
		{time.Minute, oldest.Add(day), oldest.Add(day)},
		{2 * time.Minute, oldest.Add(365 * day), oldest.Add(2 * day)}, // the clock has jumped
		{59 * time.Minute, oldest.Add(365 * day), oldest.Add(2 * day)},
		{60 * time.Minute, oldest.Add(365 * day), oldest.Add(4 * day)},
		{90 * time.Minute, oldest.Add(5 * day / 2), oldest.Add(5 * day / 2)}, // it was put right
		{100 * time.Minute, oldest.Add(365 * day), oldest.Add(4 * day)},
	}
	for i, s := range steps {
		if got := p.allow(s.want, oldest, now.Add(s.after)); !got.Equal(s.get) {
			t.Errorf("step %d: %v, want %v", i, got, s.get)
		}
	}
}

func TestRetentionByRows(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{}, store)
	now := time.Now()
	for i := range 5 {
		oneSegment(t, l, 10, now.Add(time.Duration(i-10)*time.Hour))
	}
	l.SetRetention(Retention{MaxRows: 22})
	eventually(t, "the newest rows are left", func() bool { n, _, _ := store.Size(t.Context()); return n == 22 })
	eventually(t, "their segments are left", func() bool { return l.catalog.oldest() >= 3 })
	closeLog(t, l)
}

func TestRetentionByBytes(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{}, store)
	for i := range 5 {
		oneSegment(t, l, 100, time.Now().Add(time.Duration(i-10)*time.Hour))
	}
	store.set(func() { store.bytes = 100_000 })
	all := l.catalog.bytes()
	l.SetRetention(Retention{MaxBytes: all - 50_000 + 100_000})
	eventually(t, "it is within bounds", func() bool { return l.catalog.bytes() <= all-50_000 })
	if l.catalog.oldest() != 2 {
		t.Errorf("oldest segment %d, want 2: one is enough", l.catalog.oldest())
	}
	eventually(t, "the index follows", func() bool { n, _, _ := store.Size(t.Context()); return n <= 410 })
	closeLog(t, l)
}

func TestStopInserting(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{Retention: Retention{MaxRows: 10, StopInserting: true}}, store)
	ids := oneSegment(t, l, 20, time.Now())
	l.keeper.kick()
	eventually(t, "it is visible", func() bool { return l.Stats().State == "log full: new entries are only counted" })
	late := begin(l, (&sluice.IDs{}).New(time.Now()), time.Now())
	l.End(late, false)
	if _, err := l.Get(reading(t), "a", late.Entry.ID); kindOf(err) != sluice.KindNotFound {
		t.Errorf("a row beyond the bound: %v", err)
	}
	if store.counted[late.Entry.ID] != 1 || l.Stats().DroppedRows != 1 {
		t.Errorf("it was not counted: %+v", l.Stats())
	}
	if _, there := store.row(ids[0]); !there {
		t.Error("the oldest row was dropped")
	}
	l.SetRetention(Retention{MaxRows: 1000, StopInserting: true})
	eventually(t, "it goes on", func() bool { return l.Stats().State == "ok" })
	closeLog(t, l)
}

func TestDiskLow(t *testing.T) {
	d, store := newDisk(), newMemory()
	d.size = 1 << 30
	l := openWith(t, Options{}, store, d)
	for i := range 3 {
		oneSegment(t, l, 20, time.Now().Add(time.Duration(i-10)*time.Hour))
	}
	l.SetRetention(Retention{MinFree: 2 << 30})
	eventually(t, "bodies are off", func() bool { return l.Stats().State == "disk low: bodies off" })
	if n := len(l.catalog.all()); n != 1 {
		t.Errorf("%d segments are left: retention goes first", n)
	}
	x := begin(l, (&sluice.IDs{}).New(time.Now()), time.Now())
	l.Capture(&x.Bodies[ResponseSide], 100)
	x.Bodies[ResponseSide].Write([]byte("body"))
	l.End(x, false)
	if row, err := l.Get(reading(t), "a", x.Entry.ID); err != nil || !row.Entry.Response.Dropped || row.Entry.Response.Size != 4 {
		t.Errorf("%+v, %v", row.Entry.Response, err)
	}
	l.SetRetention(Retention{MinFree: 8 << 30})
	eventually(t, "rows are off", func() bool { return l.Stats().State == "disk low: rows off" })
	y := begin(l, (&sluice.IDs{}).New(time.Now()), time.Now())
	l.End(y, false)
	if _, err := l.Get(reading(t), "a", y.Entry.ID); kindOf(err) != sluice.KindNotFound || store.counted[y.Entry.ID] != 1 {
		t.Errorf("with rows off: %v, counted %d times", err, store.counted[y.Entry.ID])
	}
	l.SetRetention(Retention{MinFree: 1 << 20})
	eventually(t, "all is well", func() bool { return l.Stats().State == "ok" })
	closeLog(t, l)
}

func TestReserve(t *testing.T) {
	d := newDisk()
	d.size = 1 << 30
	l := openWith(t, Options{}, newMemory(), d)
	k := &l.keeper
	l.stopEarly()
	l.early.Wait() // the test is the keeper now
	k.room(t.Context())
	k.reserve()
	path := filepath.Join(l.o.Dir, reserveName)
	if info, err := os.Stat(path); err != nil || info.Size() != reserveBytes {
		t.Fatalf("reserve: %v, %v", info, err)
	}
	k.fullForRows()
	k.room(t.Context())
	if _, err := os.Stat(path); err == nil {
		t.Error("the reserve is there, and the disk is full")
	}
	d.set(func() { d.size = reserveWhen / 2 })
	k.room(t.Context())
	k.reserve()
	if _, err := os.Stat(path); err == nil {
		t.Error("the reserve takes the last room")
	}
	closeLog(t, l)
}

func TestRecompression(t *testing.T) {
	dir, store := t.TempDir(), newMemory()
	l := openLog(t, Options{Dir: dir}, store)
	ids := oneSegment(t, l, 50, time.Now())
	half := oneSegment(t, l, 50, time.Now())
	ids = append(ids, half...)
	open, err := l.Get(reading(t), "a", ids[0]) // a reader that began before
	if err != nil {
		t.Fatal(err)
	}
	before, err := l.Body(reading(t), open, ResponseSide)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	var positions []Pos
	for r, err := range l.Follow(t.Context(), Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		if positions = append(positions, r.Pos); len(positions) == 101 {
			break
		}
	}
	bytesBefore := l.catalog.bytes()

	l.stopEarly()
	l.early.Wait() // the test is the keeper now
	for n := range uint64(2) {
		if err := l.keeper.pack(t.Context(), l.catalog.get(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if l.catalog.bytes() >= bytesBefore {
		t.Errorf("%d bytes, before %d", l.catalog.bytes(), bytesBefore)
	}
	check := func(l *Log, store *memory) {
		t.Helper()
		for _, id := range ids {
			row, err := l.Get(reading(t), "a", id)
			if err != nil || len(readBody(t, l, row, ResponseSide)) != 5000 {
				t.Fatalf("%s: %v", id, err)
			}
		}
		n := 0
		for r, err := range l.Follow(t.Context(), Pos{}) {
			if err != nil || r.Pos != positions[n] {
				t.Fatalf("record %d at %v, was at %v: %v", n, r.Pos, positions[n], err)
			}
			if n++; n == len(positions) {
				break
			}
		}
	}
	check(l, store)
	var rest bytes.Buffer
	if n, err := rest.ReadFrom(before); err != nil || n != 5000 {
		t.Errorf("a body that was being read: %d bytes, %v", n, err)
	}
	if left := filesIn(t, dir, "*"+tempSuffix); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	closeLog(t, l)

	store = newMemory() // rebuilt from what was recompressed
	l = openLog(t, Options{Dir: dir}, store)
	check(l, store)
	if !l.catalog.view(l.catalog.get(1)).packed {
		t.Error("it would be recompressed again")
	}
	closeLog(t, l)
}

func TestRecompressionOfATornSegment(t *testing.T) {
	dir := t.TempDir()
	ids := writeLog(t, dir, 4)
	path := segmentPath(dir, 1, rowsSuffix)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	torn := append(bytes.Clone(b[:len(b)-blockHeaderSize-9]), make([]byte, 100_000)...)
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, Options{Dir: dir}, newMemory())
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Fatal(err)
	}
	l.stopEarly()
	l.early.Wait()
	if err := l.keeper.pack(t.Context(), l.catalog.get(1)); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	if got := readAll(t, dir); len(got) != 3 || got[2] != ids[2] {
		t.Errorf("records %v, want the first three of %v", got, ids)
	}
}

func TestEndDoesNotAllocate(t *testing.T) {
	stuck := make(chan struct{})
	store := &touchy{memory: newMemory(), apply: func([]Record) { close(stuck) }}
	store.hang = true
	l := openLog(t, Options{}, store)
	var g sluice.IDs
	x, body, now := &Exchange{}, bytes.Repeat([]byte("body"), 500), time.Now()
	one := func() {
		typical(x, &g, now)
		l.Begin(x)
		x.Described()
		l.Capture(&x.Bodies[RequestSide], 1<<20)
		x.Bodies[RequestSide].Whole(body)
		l.Capture(&x.Bodies[ResponseSide], 1<<20)
		x.Bodies[ResponseSide].Write(body)
		l.End(x, false)
		x.Reset()
	}
	for range 1000 {
		one()
	}
	<-stuck // the indexer's allocations would be counted too
	eventually(t, "the appender has nothing to do", func() bool { return l.Stats().QueueBytes == 0 })
	if n := testing.AllocsPerRun(50, one); n >= 5 {
		t.Errorf("%v allocations for each exchange", n)
	}
}

// TestRecompressionGivesWay: what else the process does ends it, and a pause is not enough to begin.
func TestRecompressionGivesWay(t *testing.T) {
	dir := t.TempDir()
	writeLog(t, dir, 4)
	l := openLog(t, Options{Dir: dir}, newMemory())
	defer closeLog(t, l)
	p, err := newPacker(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.use.cpu += time.Hour // as if nothing had been used since
	if err := p.rest(packStep); err != nil {
		t.Errorf("by itself: %v", err)
	}
	p.use.cpu -= time.Hour
	if err := p.rest(packStep); !errors.Is(err, errBusy) {
		t.Errorf("beside other work: %v", err)
	}
	var k keeper // the log's own is at work
	k.init(l, Retention{})
	for range idleLooks - 1 {
		k.use.cpu += time.Hour
		k.repack(t.Context())
	}
	if l.catalog.view(l.catalog.get(1)).packed {
		t.Error("it began at once")
	}
}
