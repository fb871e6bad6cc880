package job

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Run is a job while it runs, for its Kind. It is safe for concurrent use.
type Run struct {
	runner *Runner
	task   *task
}

// Job returns the job as it is now.
func (r *Run) Job() Job {
	r.runner.mu.Lock()
	defer r.runner.mu.Unlock()
	return r.runner.view(r.task)
}

// Input reads the job's input into v.
func (r *Run) Input(v any) error {
	if err := json.Unmarshal(r.task.job.Input, v); err != nil { // Input never changes
		return fmt.Errorf("read the input of job %s: %w", r.task.job.ID, err)
	}
	return nil
}

// Progress tells how far the job has come. total below 0: not known. It may be called as often as the work
// goes: little of it is stored or told.
func (r *Run) Progress(done, total int64) {
	now := time.Now()
	r.runner.mu.Lock()
	t := r.task
	t.job.Done, t.job.Total = done, max(total, Unknown)
	if now.Sub(t.told) >= tellEvery {
		r.runner.tell(t)
	}
	due := now.Sub(t.saved) >= saveEvery
	r.runner.mu.Unlock()
	if due {
		r.runner.save(t)
	}
}

// Say tells people in a few words what the job is doing.
func (r *Run) Say(message string) {
	r.runner.mu.Lock()
	defer r.runner.mu.Unlock()
	r.task.job.Message = message
	r.runner.tell(r.task)
}

// Checkpoint stores state, from which the job goes on when it is run again, and how far it has come. When it
// has returned nil, the state is on disk.
func (r *Run) Checkpoint(ctx context.Context, state any) error {
	text, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode a checkpoint: %w", err)
	}
	r.runner.mu.Lock()
	r.task.job.Checkpoint = text
	r.runner.mu.Unlock()
	if err := r.runner.store(context.WithoutCancel(ctx), r.task); err != nil {
		return fmt.Errorf("store a checkpoint: %w", err)
	}
	return nil
}

// State reads the last checkpoint into v. false: there is none, the job begins.
func (r *Run) State(v any) (bool, error) {
	r.runner.mu.Lock()
	text := r.task.job.Checkpoint
	r.runner.mu.Unlock()
	if text == nil {
		return false, nil
	}
	if err := json.Unmarshal(text, v); err != nil {
		return false, fmt.Errorf("read a checkpoint: %w", err)
	}
	return true, nil
}

// Result sets what the job tells of its outcome: a small JSON object.
func (r *Run) Result(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the result of a job: %w", err)
	}
	r.runner.mu.Lock()
	defer r.runner.mu.Unlock()
	r.task.job.Result = text
	return nil
}
