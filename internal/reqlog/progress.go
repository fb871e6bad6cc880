package reqlog

import (
	"context"
	"sync"
	"time"
)

// progress is how far the log's goroutines are, and where others wait for them.
type progress struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil while nobody waits

	appended   Ticket // the last record that is in a file, or lost
	lostFrom   Ticket // the records that were lost last, to lostTo; 0: none
	lostTo     Ticket
	synced     Ticket    // the last record that is on disk
	wantSync   Ticket    // somebody waits for it to be on disk
	head       Pos       // after the last record in a file
	indexed    Pos       // after the last record that the index has
	pending    int64     // records in files that the index does not have, of this process
	wanted     Pos       // somebody waits for the index to come here
	recovered  bool      // what the last process left open has its entries
	writeErr   error     // the appender's trouble, while it lasts
	indexErr   error     // the indexer's trouble, while it lasts
	syncErr    error     // of the last fsync, when it failed
	syncFailed Ticket    // records up to here may be lost when the power fails
	waiting    time.Time // since when there is something that the index does not have
	deleted    Pos       // after the last record that deletes
	deletedAt  time.Time // when that was written; zero: before this process
	draining   bool      // Close has begun
	ended      bool      // the goroutines have ended: nothing will move any more
}

// update changes p and wakes those who wait.
func (p *progress) update(f func(p *progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
	p.wake()
}

// wake wakes those who wait. p.mu is held.
func (p *progress) wake() {
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// get reads p under its mutex.
func (p *progress) get(f func(p *progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// wait returns when done says so, which is asked under the mutex, or when ctx ends.
func (p *progress) wait(ctx context.Context, done func(p *progress) bool) error {
	for {
		p.mu.Lock()
		if done(p) {
			p.mu.Unlock()
			return nil
		}
		if p.changed == nil {
			p.changed = make(chan struct{})
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
