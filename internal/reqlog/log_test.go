package reqlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

func TestLogKeepsEntriesAndBodies(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{}, store)
	var ids sluice.IDs
	rng := rand.New(rand.NewPCG(1, 2))
	type want struct {
		entry  sluice.LogEntry
		bodies [2][]byte
	}
	wants := map[sluice.ID]want{}
	for i := range 300 {
		x := begin(l, ids.New(time.Now()), time.Now().UTC())
		x.Entry.Provider, x.Entry.Model, x.Entry.Status, x.Entry.Success = "openai", fmt.Sprintf("m%d", i%7), 200, true
		w := want{bodies: [2][]byte{noise(rng, rng.IntN(9000)), noise(rng, rng.IntN(400_000))}}
		l.Capture(&x.Bodies[RequestSide], 10<<20)
		x.Bodies[RequestSide].Whole(w.bodies[0])
		l.Capture(&x.Bodies[ResponseSide], 10<<20)
		for left := w.bodies[1]; len(left) > 0; {
			n := min(len(left), 1+rng.IntN(70_000))
			x.Bodies[ResponseSide].Write(left[:n])
			left = left[n:]
		}
		x.Described()
		l.End(x, false)
		w.entry = cloneEntry(&x.Entry)
		wants[x.Entry.ID] = w
	}
	for id, w := range wants {
		row, err := l.Get(reading(t), "a", id)
		if err != nil {
			t.Fatalf("row %s: %v", id, err)
		}
		if d := diffEntries(&w.entry, &row.Entry); d != "" {
			t.Fatalf("row %s: %s", id, d)
		}
		for side := range w.bodies {
			if got := readBody(t, l, row, Side(side)); !bytes.Equal(got, w.bodies[side]) {
				t.Fatalf("body %d of %s: %d bytes, want %d", side, id, len(got), len(w.bodies[side]))
			}
		}
	}
	if s := l.Stats(); s.Rows != 300 || s.DroppedRows+s.DroppedBodies != 0 || s.State != "ok" {
		t.Errorf("stats %+v", s)
	}
	closeLog(t, l)
}

// noise is half compressible.
func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.IntN(6)) + 'a'
	}
	return b
}

func readBody(t testing.TB, l *Log, row Row, side Side) []byte {
	t.Helper()
	r, err := l.Body(reading(t), row, side)
	if kindOf(err) == sluice.KindNotFound && row.Entry.Request.Stored+row.Entry.Response.Stored >= 0 && len(row.Parts[side]) == 0 {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLogGoesOnAfterARestart(t *testing.T) {
	dir, store := t.TempDir(), newMemory()
	var ids sluice.IDs
	var all []sluice.ID
	for range 3 {
		l := openLog(t, Options{Dir: dir}, store)
		for range 50 {
			x := begin(l, ids.New(time.Now()), time.Now().UTC())
			l.End(x, false)
			all = append(all, x.Entry.ID)
		}
		closeLog(t, l)
	}
	if store.again != 0 || store.records != len(all) {
		t.Errorf("%d records applied, %d of them again; want %d, 0", store.records, store.again, len(all))
	}

	t.Run("an index that was deleted is rebuilt", func(t *testing.T) {
		store := newMemory()
		l := openLog(t, Options{Dir: dir}, store)
		for _, id := range all {
			if _, err := l.Get(reading(t), "a", id); err != nil {
				t.Fatalf("row %s: %v", id, err)
			}
		}
		if store.records != len(all) {
			t.Errorf("%d records applied, want %d", store.records, len(all))
		}
		closeLog(t, l)
	})

	t.Run("an index that is ahead of the files takes what is new", func(t *testing.T) {
		store := newMemory()
		store.applied = Pos{Segment: 1000, Block: 7}
		l := openLog(t, Options{Dir: dir}, store)
		x := begin(l, ids.New(time.Now()), time.Now().UTC())
		l.End(x, false)
		if _, err := l.Get(reading(t), "a", x.Entry.ID); err != nil {
			t.Error(err)
		}
		closeLog(t, l)
	})
}

func TestReadsFindWhatHasJustEnded(t *testing.T) {
	l := openLog(t, Options{}, newMemory())
	var ids sluice.IDs
	x := &Exchange{}
	for i := range 200 {
		x.Reset()
		x.Entry.ID, x.Entry.Start, x.Entry.Account = ids.New(time.Now()), time.Now(), "a"
		l.Begin(x)
		x.Described()
		if row, err := l.Get(reading(t), "a", x.Entry.ID); err != nil || row.Entry.Ending != sluice.EndingInFlight {
			t.Fatalf("exchange %d while it runs: %v, %v", i, row.Entry.Ending, err)
		}
		x.Entry.Ending = sluice.EndingComplete
		l.End(x, false)
		if row, err := l.Get(reading(t), "a", x.Entry.ID); err != nil || row.Entry.Ending != sluice.EndingComplete {
			t.Fatalf("exchange %d after its end: %v, %v", i, row.Entry.Ending, err)
		}
	}
	closeLog(t, l)
}

func TestManyExchangesAtOnce(t *testing.T) {
	store := newMemory()
	l := openLog(t, Options{}, store)
	var ids sluice.IDs
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			var x Exchange
			for i := range 200 {
				x.Reset()
				x.Entry.ID, x.Entry.Start, x.Entry.Account = ids.New(time.Now()), time.Now(), "a"
				l.Begin(&x)
				l.Capture(&x.Bodies[1], 1<<20)
				x.Described()
				x.Bodies[1].Write(x.Entry.ID[:])
				x.Entry.Status = i
				l.End(&x, false)
			}
		})
	}
	stop := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for {
			l.Running(func(*sluice.LogEntry) bool { return true })
			_ = l.Stats()
			if _, err := l.CompleteUntil(reading(t)); err != nil {
				t.Error(err)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	wg.Wait()
	close(stop)
	watcher.Wait()
	closeLog(t, l)
	if len(store.rows) != 3200 {
		t.Fatalf("%d rows, want 3200", len(store.rows))
	}
	for id, row := range store.rows {
		if b := readBody(t, l, row, ResponseSide); !bytes.Equal(b, id[:]) {
			t.Fatalf("body of %s is %x", id, b)
		}
	}
}

func TestCrashedExchangesGetTheirEntry(t *testing.T) {
	dir, store := t.TempDir(), newMemory()
	var ids sluice.IDs
	l := openLog(t, Options{Dir: dir}, store)
	old := begin(l, ids.New(time.Now()), time.Now().Add(-2*time.Second))
	old.Entry.Provider, old.Entry.Path = "openai", "v1/chat/completions"
	old.Entry.Metadata = []sluice.MetaValue{{Key: "k", Value: "v"}}
	old.Described()
	young := begin(l, ids.New(time.Now()), time.Now())
	young.Described()
	quiet := begin(l, ids.New(time.Now()), time.Now().Add(-2*time.Second))
	quiet.CountOnly = true
	quiet.Described()
	eventually(t, "the mark is indexed", func() bool {
		_, _ = l.List(reading(t), Query{})
		open, _ := store.Open(t.Context())
		return len(open) == 1
	})
	closeLog(t, l) // with the exchanges still open: as if killed

	l = openLog(t, Options{Dir: dir}, store)
	mine := begin(l, ids.New(time.Now()), time.Now().Add(-2*time.Second))
	mine.Described()
	row, err := l.Get(reading(t), "a", old.Entry.ID)
	if err != nil || row.Entry.Ending != sluice.EndingCrashed || row.Entry.Success || row.Entry.ErrorKind != "crashed" ||
		row.Entry.Provider != "openai" || len(row.Entry.Metadata) != 1 {
		t.Errorf("crashed exchange: %+v, %v", row.Entry, err)
	}
	for what, id := range map[string]sluice.ID{"younger than a second": young.Entry.ID, "with collection off": quiet.Entry.ID} {
		if _, err := l.Get(reading(t), "a", id); kindOf(err) != sluice.KindNotFound {
			t.Errorf("exchange %s: %v, want none", what, err)
		}
	}
	if row, err := l.Get(reading(t), "a", mine.Entry.ID); err != nil || row.Entry.Ending != sluice.EndingInFlight {
		t.Errorf("exchange of this process: %v, %v", row.Entry.Ending, err)
	}
	l.End(mine, false)
	closeLog(t, l)

	if open, _ := store.Open(t.Context()); len(open) != 0 {
		t.Errorf("still open: %v", open)
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir}, newMemory())
	var ids sluice.IDs
	var want []sluice.ID
	end := func(n int) {
		for range n {
			x := begin(l, ids.New(time.Now()), time.Now())
			l.End(x, false)
			want = append(want, x.Entry.ID)
		}
	}
	end(20)
	var got []sluice.ID
	var positions []Pos
	for r, err := range l.Follow(t.Context(), Pos{}) {
		if err != nil {
			t.Fatal(err)
		}
		got, positions = append(got, r.Entry.ID), append(positions, r.Pos)
		if len(got) == 20 {
			end(20)
		}
		if len(got) == 40 {
			break
		}
	}
	if !slices.Equal(got, want) || !slices.IsSortedFunc(positions, func(a, b Pos) int {
		if a.Less(b) {
			return -1
		}
		return 1
	}) {
		t.Errorf("followed %v at %v", got, positions)
	}

	t.Run("from a position", func(t *testing.T) {
		n := 0
		for r, err := range l.Follow(t.Context(), positions[25]) {
			if err != nil || r.Entry.ID != want[25+n] {
				t.Fatalf("record %d: %v, %v", n, r.Entry.ID, err)
			}
			if n++; n == 15 {
				break
			}
		}
	})

	t.Run("ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for r, err := range l.Follow(ctx, l.Head()) {
			t.Errorf("got %v, %v", r, err)
		}
	})

	t.Run("tells that its position is gone", func(t *testing.T) {
		closeLog(t, l)
		l = openLog(t, Options{Dir: dir}, newMemory())
		end(1)
		if err := l.catalog.drop(l.catalog.from(0)); err != nil {
			t.Fatal(err)
		}
		n := 0
		for r, err := range l.Follow(t.Context(), positions[3]) {
			if n == 0 && !errors.Is(err, ErrGone) {
				t.Fatalf("first: %v, %v", r, err)
			}
			if n == 1 && (err != nil || r.Entry.ID != want[40]) {
				t.Fatalf("then: %v, %v", r.Entry.ID, err)
			}
			if n++; n == 2 {
				break
			}
		}
	})

	t.Run("ends when the log closes", func(t *testing.T) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, err := range l.Follow(context.Background(), l.Head()) {
				if err != nil {
					t.Error(err)
				}
			}
		}()
		closeLog(t, l)
		<-done
	})
}

func TestWaitMeansInAFile(t *testing.T) {
	for _, d := range []Durability{Strict, Fsync} {
		dir := t.TempDir()
		store := newMemory()
		store.hang = true // the index has no part in it
		l := openLog(t, Options{Dir: dir, Durability: d}, store)
		var ids sluice.IDs
		for range 20 {
			x := begin(l, ids.New(time.Now()), time.Now())
			if err := l.Wait(t.Context(), l.End(x, false)); err != nil {
				t.Fatal(err)
			}
			if !inFiles(t, dir, x.Entry.ID) {
				t.Fatalf("durability %d: %s is not in a file", d, x.Entry.ID)
			}
		}
	}
}

// inFiles reports whether a copy of dir, as a dead process leaves it, has id's entry.
func inFiles(t testing.TB, dir string, id sluice.ID) bool {
	t.Helper()
	there := t.TempDir()
	if err := os.CopyFS(there, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	store := newMemory()
	l := openLog(t, Options{Dir: there}, store)
	_, err := l.Get(reading(t), "a", id)
	closeLog(t, l)
	return err == nil
}
