package reqlog

import (
	"context"

	sluice "github.com/sluicehq/sluice"
)

// recover writes an entry for each exchange that earlier processes left open. It runs when the index has
// all of their records and none of this process's, so what is open in this one is not among them. false:
// ctx ended; the next start does the rest, since an exchange is open until its entry is applied.
func (x *indexer) recover(ctx context.Context) bool {
	var open []sluice.LogEntry
	done := x.retry(ctx, "cannot list the exchanges that a dead process left open", func() (err error) {
		open, err = x.log.store.Open(ctx)
		return err
	})
	if !done {
		return false
	}
	for i := range open {
		if !x.log.crashed(ctx, &open[i]) {
			break
		}
	}
	x.log.progress.update(func(p *progress) { p.recovered = true })
	return true
}

// crashed hands over the entry of an exchange that ended with its process. Unlike a request it waits
// for room in the queue. false: the log closes.
func (l *Log) crashed(ctx context.Context, e *sluice.LogEntry) bool {
	e.Ending, e.Success, e.ErrorKind = sluice.EndingCrashed, false, "crashed"
	e.ErrorText = "Sluice ended without a word while this exchange was running"
	if l.o.Crashed != nil {
		l.o.Crashed(e)
	}
	bound := recordBound(e, nil)
	if bound > maxRecord {
		e = slim(e)
		bound = recordBound(e, nil)
	}
	for {
		switch fits, closed := l.handCrashed(e, bound); {
		case closed:
			return false
		case fits:
			l.rows.Add(1)
			return true
		}
		if !sleep(ctx, flushAfter) {
			return false
		}
	}
}

// handCrashed puts e into the queue, whole or not at all.
func (l *Log) handCrashed(e *sluice.LogEntry, bound int) (fits, closed bool) {
	l.ring.mu.Lock()
	defer l.ring.mu.Unlock()
	if l.ring.closed {
		return false, true
	}
	if l.ring.room(kindRows, bound, l.ring.limit-l.ring.limit/countsShare) == nil {
		return false, false
	}
	l.ring.put(&record{kind: KindEntry, entry: e, bound: bound})
	return true, false
}
