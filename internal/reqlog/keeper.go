package reqlog

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	keepEvery = time.Minute
	// roomEvery is how often the disk's room is looked at.
	roomEvery = 5 * time.Second
)

// keeper is the goroutine that lets the log give way: retention, a full disk, recompression.
type keeper struct {
	log        *Log
	retention  atomic.Pointer[Retention]
	free       atomic.Int64 // of the file system, as last seen; -1: not known
	bodiesFull atomic.Bool  // the appender found no room for bodies
	wake       chan struct{}
}

func (k *keeper) init(l *Log, r Retention) {
	k.log, k.wake = l, make(chan struct{}, 1)
	k.retention.Store(&r)
	k.free.Store(l.files.free(l.o.Dir))
}

// set changes the retention and puts it to work.
func (k *keeper) set(r Retention) {
	k.retention.Store(&r)
	k.log.append.wholeSize.Store(r.MaxBytes)
	k.kick()
}

// kick makes the keeper look at once.
func (k *keeper) kick() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// makeRoom is what the appender calls when the disk is full.
func (k *keeper) makeRoom() { k.kick() }

// fullForBodies says whether bodies are dropped since the disk has no room for them.
func (k *keeper) fullForBodies(full bool) {
	k.bodiesFull.Store(full)
	k.log.bodiesOff.Store(full)
	state := ""
	if full {
		state = "disk full: bodies off"
	}
	k.log.health.set(troubleBodies, state)
}

func (k *keeper) run(ctx context.Context) { <-ctx.Done() }
