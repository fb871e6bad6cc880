package job

import (
	"context"
	"iter"
	"time"
)

// watcher is one that is told of jobs. What it has not taken yet is the latest of each job, so it is bounded
// by the number of jobs.
type watcher struct {
	ready   chan struct{} // holds a value when something waits
	pending map[string]Job
	order   []string // ids in pending, by when they first came
}

// tell tells all watchers of t. The mutex is held.
func (r *Runner) tell(t *task) {
	t.told = time.Now()
	j := r.view(t)
	if j.State.Ended() {
		j = r.finished(&t.job)
	}
	for w := range r.watchers {
		w.put(j)
	}
}

func (w *watcher) put(j Job) {
	if _, waits := w.pending[j.ID]; !waits {
		w.order = append(w.order, j.ID)
	}
	w.pending[j.ID] = j
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// Watch yields the jobs that have not ended, and then each job of any account as it changes, until ctx ends or
// the Runner closes. Progress comes a few times a second at most. Who reads slowly misses steps in
// between, never the last one.
func (r *Runner) Watch(ctx context.Context) iter.Seq[Job] {
	return func(yield func(Job) bool) {
		w := &watcher{ready: make(chan struct{}, 1), pending: map[string]Job{}}
		r.mu.Lock()
		r.watchers[w] = struct{}{}
		for _, t := range r.tasks {
			w.put(r.view(t))
		}
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.watchers, w)
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.base.Done():
				return
			case <-w.ready:
			}
			r.mu.Lock()
			order, pending := w.order, w.pending
			w.order, w.pending = nil, map[string]Job{}
			r.mu.Unlock()
			for _, id := range order {
				if !yield(pending[id]) {
					return
				}
			}
		}
	}
}
