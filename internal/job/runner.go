package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Options make a Runner.
type Options struct {
	Store  Store
	Dir    string // of results; made if it is missing
	Kinds  []Kind
	Logger *slog.Logger
	AtOnce int           // jobs that run at a time; 0: 2
	Keep   time.Duration // of results; 0: a day
	// MaxBytes bounds all results together, but for those of unbounded kinds; 0: 10 GB. A job that needs more fails.
	MaxBytes int64
	// Free returns how many bytes the disk has left, and MinFree is how much of that is not for results.
	// nil: nobody knows.
	Free    func() int64
	MinFree int64
}

const (
	defaultAtOnce   = 2
	defaultKeep     = 24 * time.Hour
	defaultMaxBytes = 10 << 30

	// maxWaiting bounds the jobs that wait or run; more are refused.
	maxWaiting = 100
	// keepRows is how long a job is listed after it has ended.
	keepRows = 30 * 24 * time.Hour
	// saveEvery is how often progress is stored, and tellEvery how often watchers are told of it.
	saveEvery = 5 * time.Second
	tellEvery = 250 * time.Millisecond
	tidyEvery = 10 * time.Minute
)

// The reasons for which a job's context ends.
var (
	// ErrCanceled is the cause when somebody canceled the job.
	ErrCanceled error = &sluice.Error{Kind: sluice.KindClientGone, Msg: "the job was canceled"}
	// ErrStopping is the cause when the process stops.
	ErrStopping error = &sluice.Error{Kind: sluice.KindUnavailable, Msg: "Sluice is stopping"}
)

// Runner runs jobs. It is safe for concurrent use.
type Runner struct {
	o     Options
	kinds map[string]*Kind
	ids   sluice.IDs
	used  atomic.Int64 // bytes of all results of bounded kinds

	mu       sync.Mutex
	tasks    map[string]*task // those that have not ended, by id
	queue    []*task          // those that wait for their turn, oldest first
	running  map[string]int   // by kind
	watchers map[*watcher]struct{}
	closed   bool

	stop    context.CancelCauseFunc
	base    context.Context //nolint:containedctx // of what Runner itself starts
	working sync.WaitGroup
}

// task is a job that has not ended. What is in it is guarded by the Runner's mutex, but for saving.
type task struct {
	kind   *Kind
	job    Stored
	cancel context.CancelCauseFunc // nil: it does not run
	began  int64                   // Done when it was last started
	saved  time.Time
	told   time.Time
	over   bool       // its end is stored
	saving sync.Mutex // held around Store.UpdateJob, so that the store has the latest
}

// Open returns a Runner, and goes on with the jobs that the last process left. Close ends it.
func Open(ctx context.Context, o Options) (*Runner, error) {
	o.AtOnce = cmp.Or(o.AtOnce, defaultAtOnce)
	o.Keep = cmp.Or(o.Keep, defaultKeep)
	o.MaxBytes = cmp.Or(o.MaxBytes, defaultMaxBytes)
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of jobs: %w", err)
	}
	r := &Runner{
		o: o, kinds: map[string]*Kind{}, tasks: map[string]*task{}, running: map[string]int{}, watchers: map[*watcher]struct{}{},
	}
	for i := range o.Kinds {
		r.kinds[o.Kinds[i].Name] = &o.Kinds[i]
	}
	left, err := o.Store.UnendedJobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the jobs: %w", err)
	}
	for _, j := range left {
		if err := r.recover(ctx, j); err != nil {
			return nil, fmt.Errorf("recover job %s: %w", j.ID, err)
		}
	}
	r.base, r.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	r.working.Go(r.keepTidy)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.schedule()
	return r, nil
}

// recover takes in a job that the last process left.
func (r *Runner) recover(ctx context.Context, j Stored) error {
	kind := r.kinds[j.Kind]
	switch {
	case kind == nil:
		j.Error = "this version of Sluice has no jobs of the kind " + j.Kind
	case j.State != Queued && !kind.Resumable:
		j.Error = "Sluice was stopped while the job ran, and a job of this kind cannot go on: start it again"
	default:
		j.State = Queued
		t := &task{kind: kind, job: j}
		r.tasks[j.ID] = t
		r.queue = append(r.queue, t)
		return r.o.Store.UpdateJob(ctx, j)
	}
	j.State, j.Ended = Failed, time.Now().UTC()
	return r.o.Store.UpdateJob(ctx, j)
}

// Close ends all jobs and waits for them until ctx ends. Those that can go on do so at the next start.
func (r *Runner) Close(ctx context.Context) error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop(ErrStopping)
	ended := make(chan struct{})
	go func() {
		r.working.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jobs are still running: %w", ctx.Err())
	}
}

// Start keeps a new job and runs it when there is a place for it. Its error has sluice.KindInvalid when
// there is no such kind, and sluice.KindUnavailable when too many jobs wait or the process stops.
func (r *Runner) Start(ctx context.Context, s Spec) (Job, error) {
	kind := r.kinds[s.Kind]
	if kind == nil {
		return Job{}, &sluice.Error{Kind: sluice.KindInvalid, Field: "kind", Msg: fmt.Sprintf("there are no jobs of the kind %.40q", s.Kind)}
	}
	input, err := json.Marshal(s.Input)
	if err != nil {
		return Job{}, fmt.Errorf("encode the input of a job: %w", err)
	}
	now := time.Now().UTC()
	t := &task{kind: kind, job: Stored{Job: Job{
		ID: r.ids.New(now).String(), Account: s.Account, Gateway: s.Gateway, Kind: s.Kind, Actor: s.Actor,
		State: Queued, Input: input, Total: Unknown, Created: now.Truncate(time.Microsecond),
	}}}
	if err := r.admit(t); err != nil {
		return Job{}, err
	}
	if err := r.o.Store.CreateJob(ctx, t.job); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.tasks, t.job.ID)
		return Job{}, err
	}
	return r.enqueue(t), nil
}

// admit takes t in among the tasks, if there is room. It is in the queue later.
func (r *Runner) admit(t *task) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrStopping
	}
	if len(r.tasks) >= maxWaiting {
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: fmt.Sprintf("%d jobs wait or run already", maxWaiting), Hint: "wait until some have ended, or cancel some"}
	}
	if r.tasks[t.job.ID] != nil {
		return &sluice.Error{Kind: sluice.KindConflict, Msg: "the job has not ended"}
	}
	r.tasks[t.job.ID] = t
	return nil
}

// enqueue puts t behind those that wait.
func (r *Runner) enqueue(t *task) Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, t)
	r.tell(t)
	j := r.view(t)
	r.schedule()
	return j
}

// Resume runs a job again, from its last checkpoint, that has failed or was canceled. sluice.KindNotFound:
// there is none. sluice.KindConflict: it has not ended, is done, or is of a kind that cannot go on.
func (r *Runner) Resume(ctx context.Context, id string) (Job, error) {
	j, err := r.o.Store.GetJob(ctx, id)
	if err != nil {
		return Job{}, err
	}
	kind := r.kinds[j.Kind]
	if j.State != Failed && j.State != Canceled || kind == nil || !kind.Resumable {
		return Job{}, &sluice.Error{Kind: sluice.KindConflict, Msg: "the job cannot be resumed: it is " + string(j.State), Hint: "only jobs that have failed or were canceled can, and not those of every kind"}
	}
	j.State, j.Error, j.Ended = Queued, "", time.Time{}
	t := &task{kind: kind, job: j}
	if err := r.admit(t); err != nil {
		return Job{}, err
	}
	if err := r.o.Store.UpdateJob(ctx, j); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.tasks, id)
		return Job{}, err
	}
	return r.enqueue(t), nil
}

// Cancel ends a job that waits or runs. It does not wait until a running one has ended. sluice.KindNotFound:
// there is none. sluice.KindConflict: it has ended.
func (r *Runner) Cancel(ctx context.Context, id string) (Job, error) {
	r.mu.Lock()
	t := r.tasks[id]
	if t == nil {
		r.mu.Unlock()
		j, err := r.Get(ctx, id)
		if err != nil || j.State == Canceled {
			return j, err
		}
		return j, &sluice.Error{Kind: sluice.KindConflict, Msg: "the job has ended: it is " + string(j.State)}
	}
	if t.cancel != nil {
		defer r.mu.Unlock()
		t.cancel(ErrCanceled)
		return r.view(t), nil
	}
	i := slices.Index(r.queue, t)
	if i < 0 { // it is being taken in just now
		r.mu.Unlock()
		return Job{}, &sluice.Error{Kind: sluice.KindConflict, Msg: "the job is being started", Hint: "try again"}
	}
	r.queue = slices.Delete(r.queue, i, i+1)
	r.mu.Unlock()
	r.end(t, Canceled, "")
	return r.Get(ctx, id)
}

// Delete removes a job that has ended, and its result. sluice.KindNotFound: there is none.
// sluice.KindConflict: it has not ended.
func (r *Runner) Delete(ctx context.Context, id string) error {
	r.mu.Lock()
	_, active := r.tasks[id]
	r.mu.Unlock()
	if active {
		return &sluice.Error{Kind: sluice.KindConflict, Msg: "the job has not ended", Hint: "cancel it first"}
	}
	if err := r.o.Store.DeleteJob(ctx, id); err != nil {
		return err
	}
	return r.removeDir(id)
}

// Get returns a job. sluice.KindNotFound: there is none.
func (r *Runner) Get(ctx context.Context, id string) (Job, error) {
	if j, ok := r.active(id); ok {
		return j, nil
	}
	j, err := r.o.Store.GetJob(ctx, id)
	if err != nil {
		return Job{}, err
	}
	if now, ok := r.active(id); ok { // it was resumed meanwhile
		return now, nil
	}
	return r.finished(&j), nil
}

// List returns the newest jobs that q asks for, newest first.
func (r *Runner) List(ctx context.Context, q Query) ([]Job, error) {
	stored, err := r.o.Store.ListJobs(ctx, q)
	if err != nil {
		return nil, err
	}
	jobs := make([]Job, len(stored))
	for i := range stored {
		if j, ok := r.active(stored[i].ID); ok {
			jobs[i] = j
		} else {
			jobs[i] = r.finished(&stored[i])
		}
	}
	return jobs, nil
}

// active returns a job that has not ended.
func (r *Runner) active(id string) (Job, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.tasks[id]; t != nil {
		return r.view(t), true
	}
	return Job{}, false
}

// finished is a job that has ended, as it is seen.
func (r *Runner) finished(s *Stored) Job {
	j := s.Job
	j.Left = -1
	kind := r.kinds[j.Kind]
	j.Resumable = kind != nil && kind.Resumable && (j.State == Failed || j.State == Canceled)
	if j.File != nil && (j.State != Done || !time.Now().Before(j.File.Expires)) {
		j.File = nil
	}
	return j
}

// view is t's job as it is seen. The mutex is held.
func (r *Runner) view(t *task) Job {
	j := t.job.Job
	j.Left, j.File = -1, nil
	if j.State != Running {
		return j
	}
	if past := time.Since(j.Started).Seconds(); past > 0 && j.Done > t.began {
		j.Rate = float64(j.Done-t.began) / past
		if j.Total >= j.Done {
			j.Left = time.Duration(float64(j.Total-j.Done) / j.Rate * float64(time.Second))
		}
	}
	return j
}

// schedule runs what can run of the queue. The mutex is held.
func (r *Runner) schedule() {
	for i := 0; i < len(r.queue) && !r.closed; {
		all := 0
		for _, n := range r.running {
			all += n
		}
		if all >= r.o.AtOnce {
			return
		}
		t := r.queue[i]
		if r.running[t.kind.Name] >= max(t.kind.AtOnce, 1) {
			i++
			continue
		}
		r.queue = slices.Delete(r.queue, i, i+1)
		r.running[t.kind.Name]++
		ctx, cancel := context.WithCancelCause(r.base)
		t.cancel = cancel
		t.job.State, t.job.Started, t.began = Running, time.Now().UTC().Truncate(time.Microsecond), t.job.Done
		r.tell(t)
		r.working.Go(func() { r.run(ctx, t) })
	}
}

// run runs t to its end.
func (r *Runner) run(ctx context.Context, t *task) {
	defer t.cancel(nil)
	r.save(t)
	err := r.contained(ctx, t)
	if err == nil {
		err = r.seal(t)
	}
	cause := context.Cause(ctx)
	state, text := Failed, ""
	switch {
	case err == nil:
		state = Done
	case errors.Is(cause, ErrCanceled):
		state = Canceled
	case errors.Is(cause, ErrStopping):
		state = Interrupted
		if !t.kind.Resumable {
			state, text = Failed, "Sluice was stopped while the job ran, and a job of this kind cannot go on: start it again"
		}
	default:
		text = r.explain(ctx, t, err)
	}
	r.end(t, state, text)
}

// explain is what people are told of a failure.
func (r *Runner) explain(ctx context.Context, t *task, err error) string {
	e, ok := errors.AsType[*sluice.Error](err)
	if ok && e.Kind != sluice.KindInternal {
		r.o.Logger.WarnContext(ctx, "job failed", "job", t.job.ID, "kind", t.kind.Name, "error", err)
		if e.Hint != "" {
			return e.Msg + ": " + e.Hint
		}
		return e.Msg
	}
	r.o.Logger.ErrorContext(ctx, "job failed", "job", t.job.ID, "kind", t.kind.Name, "error", err)
	return "internal error; Sluice's own log has more of it"
}

// contained runs the kind's function. A panic of it is its failure, and of nothing else.
func (r *Runner) contained(ctx context.Context, t *task) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			r.o.Logger.ErrorContext(ctx, "panic in a job", "job", t.job.ID, "kind", t.kind.Name, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	return t.kind.Run(ctx, &Run{runner: r, task: t})
}

// end makes an end of t, and runs what waited for its place. Until it is stored, t is seen as it was.
func (r *Runner) end(t *task, state State, text string) {
	t.saving.Lock()
	defer t.saving.Unlock()
	r.mu.Lock()
	final := t.job
	r.mu.Unlock()
	final.State, final.Error = state, text
	if state != Interrupted {
		final.Ended = time.Now().UTC().Truncate(time.Microsecond)
	}
	r.failed("store a job", r.o.Store.UpdateJob(context.Background(), final))
	if !t.kind.Resumable && (state == Failed || state == Canceled) {
		r.failed("remove what a job has left", r.removeDir(t.job.ID))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.job, t.over = final, true
	delete(r.tasks, t.job.ID)
	if t.cancel != nil {
		r.running[t.kind.Name]--
	}
	if state != Interrupted {
		r.tell(t)
	}
	r.schedule()
}

// save stores t's job as it is.
func (r *Runner) save(t *task) {
	r.failed("store a job", r.store(context.Background(), t))
}

func (r *Runner) store(ctx context.Context, t *task) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	r.mu.Lock()
	t.saved = time.Now()
	j, over := t.job, t.over
	r.mu.Unlock()
	if over { // a goroutine that the kind has left behind
		return nil
	}
	return r.o.Store.UpdateJob(ctx, j)
}

func (r *Runner) failed(what string, err error) {
	if err != nil {
		r.o.Logger.Error("upkeep of jobs failed", "doing", what, "error", err)
	}
}
