package job_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a data directory with a runner on it that can be stopped and started again.
type bench struct {
	*job.Runner
	t       *testing.T
	dir     string
	options job.Options
	db      *sqlstore.DB
	said    bytes.Buffer
}

func newBench(t *testing.T, o job.Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir(), options: o}
	b.options.Dir = filepath.Join(b.dir, "jobs")
	b.options.Logger = slog.New(slog.NewTextHandler(&b.said, nil))
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *bench) start() {
	b.t.Helper()
	var err error
	if b.db, err = sqlstore.Open(context.Background(), filepath.Join(b.dir, "sluice.db")); err != nil {
		b.t.Fatal(err)
	}
	b.options.Store = b.db
	if b.Runner, err = job.Open(context.Background(), b.options); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) stop() {
	b.t.Helper()
	if b.Runner == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(b.Runner.Close(ctx), b.db.Close()); err != nil {
		b.t.Errorf("stop: %v", err)
	}
	b.Runner = nil
}

func (b *bench) begin(kind string) job.Job {
	b.t.Helper()
	j, err := b.Start(b.t.Context(), job.Spec{Account: "acme", Gateway: "prod", Kind: kind, Actor: "ci", Input: map[string]int{"n": 3}})
	if err != nil {
		b.t.Fatalf("Start(%s): %v", kind, err)
	}
	return j
}

// until waits until a job is as ok wants it, as Watch tells it.
func (b *bench) until(id string, ok func(job.Job) bool) job.Job {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	told := b.Watch(ctx)
	for j := range told {
		if j.ID == id && ok(j) {
			return j
		}
		if now, err := b.Get(b.t.Context(), id); err == nil && ok(now) { // it had ended before Watch began
			return now
		}
	}
	now, err := b.Get(b.t.Context(), id)
	if err == nil && ok(now) {
		return now
	}
	b.t.Fatalf("job %s has not come so far: %+v, %v", id, now, err)
	return job.Job{}
}

// ended waits for a job's end.
func (b *bench) ended(id string) job.Job {
	b.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		j, err := b.Get(b.t.Context(), id)
		if err != nil {
			b.t.Fatal(err)
		}
		if j.State.Ended() {
			return j
		}
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("job %s has not ended: %+v", id, j)
		}
	}
}

// kind makes a kind of a function.
func kind(name string, run func(ctx context.Context, r *job.Run) error) job.Kind {
	return job.Kind{Name: name, Run: run}
}

func TestAJobIsRunAndItsOutcomeIsKept(t *testing.T) {
	b := newBench(t, job.Options{Kinds: []job.Kind{kind("count", func(_ context.Context, r *job.Run) error {
		var in struct{ N int64 }
		if err := r.Input(&in); err != nil {
			return err
		}
		r.Say("counting")
		r.Progress(in.N, in.N)
		f, err := r.Create("count.txt", "text/plain", 0)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, "one two three"); err != nil {
			return err
		}
		return errors.Join(r.Result(map[string]int64{"counted": in.N}), f.Close())
	})}})
	started := b.begin("count")
	if started.State != job.Queued && started.State != job.Running || started.Total != job.Unknown {
		t.Errorf("as started: %+v", started)
	}
	sum := sha256.Sum256([]byte("one two three"))
	for range 2 {
		j := b.ended(started.ID)
		if j.State != job.Done || j.Done != 3 || j.Total != 3 || j.Message != "counting" || string(j.Result) != `{"counted":3}` ||
			j.Account != "acme" || j.Gateway != "prod" || j.Actor != "ci" || string(j.Input) != `{"n":3}` || j.Started.IsZero() || j.Ended.Before(j.Started) {
			t.Errorf("at its end: %+v", j)
		}
		if f := j.File; f == nil || f.Name != "count.txt" || f.Bytes != 13 || f.SHA256 != hex.EncodeToString(sum[:]) || time.Until(f.Expires) < 23*time.Hour {
			t.Errorf("its file: %+v", j.File)
		}
		f, _, err := b.OpenResult(t.Context(), j.ID)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(f); string(text) != "one two three" || err != nil {
			t.Errorf("its result: %q, %v", text, err)
		}
		f.Close()
		b.stop() // and the same after a restart
		b.start()
	}
	if err := b.Delete(t.Context(), started.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(t.Context(), started.ID); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("a deleted job: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(b.dir, "jobs")); len(left) != 0 {
		t.Errorf("its files are still there: %v", left)
	}
}

func TestWhatGoesWrongIsToldAndContained(t *testing.T) {
	b := newBench(t, job.Options{Kinds: []job.Kind{
		kind("refused", func(context.Context, *job.Run) error {
			return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the disk is full", Hint: "make room", Err: errors.New("ENOSPC at /secret/place")}
		}),
		kind("broken", func(context.Context, *job.Run) error { return errors.New("open /secret/place") }),
		kind("panics", func(context.Context, *job.Run) error { panic("at /secret/place") }),
		kind("fine", func(context.Context, *job.Run) error { return nil }),
	}})
	for name, want := range map[string]string{
		"refused": "the disk is full: make room",
		"broken":  "internal error; Sluice's own log has more of it",
		"panics":  "internal error; Sluice's own log has more of it",
	} {
		if j := b.ended(b.begin(name).ID); j.State != job.Failed || j.Error != want || j.Resumable {
			t.Errorf("%s: %+v", name, j)
		}
	}
	if j := b.ended(b.begin("fine").ID); j.State != job.Done || j.File != nil || j.Error != "" {
		t.Errorf("after them: %+v", j)
	}
	if _, err := b.Start(t.Context(), job.Spec{Kind: "nothing"}); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("an unknown kind: %v", err)
	}
	b.stop()
	if strings.Count(b.said.String(), "/secret/place") != 3 {
		t.Errorf("the log does not have the causes:\n%s", &b.said)
	}
}

// gate lets jobs run on when the test says so.
type gate struct {
	entered chan string
	open    chan struct{}
}

func newGate() *gate { return &gate{make(chan string, 100), make(chan struct{})} }

func (g *gate) pass(ctx context.Context, r *job.Run) error {
	g.entered <- r.Job().ID
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func TestFewRunAtATimeAndInOrder(t *testing.T) {
	g := newGate()
	b := newBench(t, job.Options{AtOnce: 2, Kinds: []job.Kind{
		{Name: "one", Run: g.pass},
		{Name: "many", Run: g.pass, AtOnce: 5},
	}})
	var ids []string
	for _, name := range []string{"one", "one", "many", "many"} {
		ids = append(ids, b.begin(name).ID)
	}
	got := []string{<-g.entered, <-g.entered}
	slices.Sort(got)
	want := []string{ids[0], ids[2]} // the second has to wait for the first of its kind, and holds nobody up
	if !reflect.DeepEqual(got, want) {
		t.Errorf("first run %v, want %v", got, want)
	}
	list, err := b.List(t.Context(), job.Query{Account: "acme", Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var states []job.State
	for _, j := range slices.Backward(list) {
		states = append(states, j.State)
	}
	if !reflect.DeepEqual(states, []job.State{job.Running, job.Queued, job.Running, job.Queued}) {
		t.Errorf("states: %v", states)
	}
	if err := b.Delete(t.Context(), ids[1]); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("deleting a job that waits: %v", err)
	}
	close(g.open)
	for _, id := range ids {
		if j := b.ended(id); j.State != job.Done {
			t.Errorf("%+v", j)
		}
	}
}

func TestCanceling(t *testing.T) {
	g := newGate()
	b := newBench(t, job.Options{Kinds: []job.Kind{{Name: "waits", Run: g.pass}}})
	running, waiting := b.begin("waits"), b.begin("waits")
	<-g.entered
	for _, id := range []string{waiting.ID, running.ID} {
		if _, err := b.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if j := b.ended(id); j.State != job.Canceled || j.Ended.IsZero() {
			t.Errorf("%+v", j)
		}
		if j, err := b.Cancel(t.Context(), id); err != nil || j.State != job.Canceled {
			t.Errorf("canceled again: %+v, %v", j, err)
		}
	}
	if _, err := b.Resume(t.Context(), running.ID); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("resuming what cannot be: %v", err)
	}
	close(g.open)
	done := b.ended(b.begin("waits").ID)
	if _, err := b.Cancel(t.Context(), done.ID); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("canceling what is done: %v", err)
	}
	if _, err := b.Cancel(t.Context(), "nothing"); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("canceling nothing: %v", err)
	}
	if len(g.entered) != 1 { // the last one; the one that waited has never run
		t.Errorf("%d more jobs have run", len(g.entered))
	}
}

// writer is a resumable kind that writes the numbers from 0 to 9 a line each, with a checkpoint behind each, and
// stops at the numbers that stop names until the test lets it.
type writer struct {
	mu    sync.Mutex
	stops map[int]chan struct{} // at that number: wait for it, once told in at
	at    chan int
}

func (w *writer) run(ctx context.Context, r *job.Run) error {
	var state struct {
		Next  int
		Bytes int64
	}
	if _, err := r.State(&state); err != nil {
		return err
	}
	f, err := r.Create("lines", "text/plain", state.Bytes)
	if err != nil {
		return err
	}
	defer f.Close()
	for n := state.Next; n < 10; n++ {
		if _, err := f.Write([]byte{byte('0' + n), '\n'}); err != nil {
			return err
		}
		w.mu.Lock()
		stop := w.stops[n]
		delete(w.stops, n)
		w.mu.Unlock()
		if stop != nil { // between the write and its checkpoint
			w.at <- n
			select {
			case <-stop:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		r.Progress(int64(n+1), 10)
		state.Next, state.Bytes = n+1, f.Size()
		if err := errors.Join(f.Sync(), r.Checkpoint(ctx, state)); err != nil {
			return err
		}
	}
	return nil
}

func TestAResumableJobGoesOnFromItsCheckpoint(t *testing.T) {
	w := &writer{stops: map[int]chan struct{}{4: make(chan struct{}), 7: make(chan struct{})}, at: make(chan int, 2)}
	b := newBench(t, job.Options{Kinds: []job.Kind{
		{Name: "lines", Run: w.run, Resumable: true},
		kind("waits", func(ctx context.Context, _ *job.Run) error { <-ctx.Done(); return context.Cause(ctx) }),
	}})
	lines := b.begin("lines")
	other := b.begin("waits")
	if n := <-w.at; n != 4 {
		t.Fatal(n)
	}
	b.until(other.ID, func(j job.Job) bool { return j.State == job.Running })
	b.stop() // the process stops
	b.start()
	if j := b.ended(other.ID); j.State != job.Failed || !strings.Contains(j.Error, "start it again") {
		t.Errorf("a job that cannot go on: %+v", j)
	}
	if n := <-w.at; n != 7 {
		t.Fatal(n)
	}
	if j, err := b.Get(t.Context(), lines.ID); err != nil || j.State != job.Running || j.Done != 7 || j.File != nil {
		t.Errorf("while it goes on: %+v, %v", j, err)
	}
	if _, err := b.Cancel(t.Context(), lines.ID); err != nil { // somebody cancels it
		t.Fatal(err)
	}
	if j := b.ended(lines.ID); j.State != job.Canceled || !j.Resumable {
		t.Fatalf("canceled: %+v", j)
	}
	if _, _, err := b.OpenResult(t.Context(), lines.ID); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("the result of a canceled job: %v", err)
	}
	if _, err := b.Resume(t.Context(), lines.ID); err != nil { // and goes on
		t.Fatal(err)
	}
	j := b.ended(lines.ID)
	if j.State != job.Done || j.Done != 10 {
		t.Fatalf("resumed: %+v", j)
	}
	f, _, err := b.OpenResult(t.Context(), lines.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n" || err != nil {
		t.Errorf("result %q, %v", text, err)
	}
}

func TestAKilledProcessLeavesJobsThatGoOnOrHaveFailed(t *testing.T) {
	w := &writer{stops: map[int]chan struct{}{}, at: make(chan int, 2)}
	b := newBench(t, job.Options{Kinds: []job.Kind{{Name: "lines", Run: w.run, Resumable: true}, kind("other", nil)}})
	b.stop()
	// What a killed process leaves: running as far as the store knows.
	db, err := sqlstore.Open(t.Context(), filepath.Join(b.dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	var made sluice.IDs
	for _, name := range []string{"lines", "other", "gone"} {
		j := job.Stored{Job: job.Job{
			ID: made.New(time.Now()).String(), Account: "acme", Kind: name, State: job.Running, Input: json.RawMessage(`{}`), Created: time.Now(), Started: time.Now(),
		}}
		ids = append(ids, j.ID)
		if err := db.CreateJob(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b.start()
	for i, want := range []job.State{job.Done, job.Failed, job.Failed} {
		if j := b.ended(ids[i]); j.State != want || (want == job.Failed) != (j.Error != "") {
			t.Errorf("%s: %+v", j.Kind, j)
		}
	}
}

func TestResultsAreBounded(t *testing.T) {
	big := func(_ context.Context, r *job.Run) error {
		f, err := r.Create("big", "application/octet-stream", 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Write(make([]byte, 600))
		return err
	}
	b := newBench(t, job.Options{MaxBytes: 1000, Kinds: []job.Kind{kind("big", big)}})
	first := b.ended(b.begin("big").ID)
	if first.State != job.Done {
		t.Fatalf("%+v", first)
	}
	if j := b.ended(b.begin("big").ID); j.State != job.Failed || !strings.Contains(j.Error, "1000 bytes") {
		t.Errorf("the second: %+v", j)
	}
	if err := b.Delete(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if j := b.ended(b.begin("big").ID); j.State != job.Done {
		t.Errorf("with room again: %+v", j)
	}
	b.stop()
	b.start() // what is there is counted anew
	deadline := time.Now().Add(10 * time.Second)
	for {
		j := b.ended(b.begin("big").ID)
		if j.State == job.Failed {
			break
		}
		if err := b.Delete(t.Context(), j.ID); err != nil { // the count had not been made yet
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("results of a former process are not counted")
		}
	}
	b.stop()
	b.options.MaxBytes, b.options.Free, b.options.MinFree = 0, func() int64 { return 1000 }, 500
	b.start()
	if j := b.ended(b.begin("big").ID); j.State != job.Failed || !strings.Contains(j.Error, "disk") {
		t.Errorf("on a full disk: %+v", j)
	}
}

func TestResultsOfAnUnboundedKindAreBoundedByTheDiskAlone(t *testing.T) {
	write := func(_ context.Context, r *job.Run) error {
		f, err := r.Create("file", "application/octet-stream", 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Write(make([]byte, 600))
		return err
	}
	large := kind("large", write)
	large.Unbounded = true
	b := newBench(t, job.Options{MaxBytes: 1000, Kinds: []job.Kind{kind("small", write), large}})
	var last string
	for range 3 {
		j := b.ended(b.begin("large").ID)
		if j.State != job.Done || j.File == nil || j.File.Bytes != 600 {
			t.Fatalf("%+v", j)
		}
		last = j.ID
	}
	if j := b.ended(b.begin("small").ID); j.State != job.Done {
		t.Errorf("beside them: %+v", j)
	}
	f, _, err := b.OpenResult(t.Context(), last)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != 600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := errors.Join(f.Close(), b.Delete(t.Context(), last)); err != nil {
		t.Error(err)
	}
	if _, _, err := b.OpenResult(t.Context(), last); sluice.KindOf(err) != sluice.KindNotFound {
		t.Errorf("deleted: %v", err)
	}
	b.stop()
	b.options.Free, b.options.MinFree = func() int64 { return 1000 }, 500
	b.start()
	if j := b.ended(b.begin("large").ID); j.State != job.Failed || !strings.Contains(j.Error, "disk") {
		t.Errorf("on a full disk: %+v", j)
	}
}

func TestResultsGoWhenTheirTimeIsUp(t *testing.T) {
	b := newBench(t, job.Options{Keep: time.Millisecond, Kinds: []job.Kind{kind("small", func(_ context.Context, r *job.Run) error {
		f, err := r.Create("small", "text/plain", 0)
		if err != nil {
			return err
		}
		return f.Close()
	})}})
	id := b.begin("small").ID
	b.ended(id)
	if _, _, err := b.OpenResult(t.Context(), id); sluice.KindOf(err) != sluice.KindNotFound {
		// A second's rounding may have kept it for a moment at most.
		t.Errorf("it can still be downloaded: %v", err)
	}
	stray := filepath.Join(b.dir, "jobs", sluice.MinID(time.Unix(1, 0)).String())
	theirs := filepath.Join(b.dir, "jobs", "notes")
	if err := errors.Join(os.Mkdir(stray, 0o700), os.Mkdir(theirs, 0o700)); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b.start() // which tidies up
	gone := func(name string) bool { _, err := os.Stat(name); return errors.Is(err, os.ErrNotExist) }
	for deadline := time.Now().Add(10 * time.Second); !gone(filepath.Join(b.dir, "jobs", id)) || !gone(stray); {
		if time.Now().After(deadline) {
			t.Fatal("the files are still there")
		}
		time.Sleep(time.Millisecond)
	}
	if gone(theirs) {
		t.Error("what is not of a job was removed")
	}
}

func TestWatchersAreToldTheLatest(t *testing.T) {
	g := newGate()
	b := newBench(t, job.Options{Kinds: []job.Kind{{Name: "waits", Run: g.pass}}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	first := b.begin("waits")
	<-g.entered
	var seen []job.State
	told := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		once := sync.OnceFunc(func() { close(told) })
		for j := range b.Watch(ctx) {
			seen = append(seen, j.State)
			once()
			if j.State == job.Done {
				return
			}
		}
	})
	<-told // the one that runs already
	close(g.open)
	watching.Wait()
	if len(seen) < 2 || seen[0] != job.Running || seen[len(seen)-1] != job.Done {
		t.Errorf("job %s: %v", first.ID, seen)
	}
	// A watcher ends with the runner.
	again := b.Watch(ctx)
	watching.Go(func() {
		for range again {
			t.Error("nothing runs")
		}
	})
	b.stop()
	watching.Wait()
	if ctx.Err() != nil {
		t.Error("it ended with its context only")
	}
}

func TestTooManyJobsAreRefused(t *testing.T) {
	g := newGate()
	b := newBench(t, job.Options{Kinds: []job.Kind{{Name: "waits", Run: g.pass}}})
	for range 100 {
		b.begin("waits")
	}
	if _, err := b.Start(t.Context(), job.Spec{Kind: "waits"}); sluice.KindOf(err) != sluice.KindUnavailable {
		t.Errorf("one more: %v", err)
	}
	b.stop()
	b.options.Kinds = nil // none of them runs at the next start
	b.start()
	if list, err := b.List(t.Context(), job.Query{Account: "acme", State: job.Failed, Limit: 1000}); err != nil || len(list) != 100 {
		t.Errorf("%d have failed, %v", len(list), err)
	}
	if _, err := b.Start(t.Context(), job.Spec{Kind: "waits"}); sluice.KindOf(err) != sluice.KindInvalid {
		t.Errorf("of a kind that is gone: %v", err)
	}
}
