package reqlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// errPanic is what a contained panic is where an error is wanted.
var errPanic = errors.New("panic")

// contain runs f. A panic in it goes no further: it is counted, logged with its stack, and returned as an
// errPanic. Nothing but f may be in the middle of something when it panics: its locks are deferred.
func (l *Log) contain(where string, f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = l.panicked(where, cause)
		}
	}()
	return f()
}

// panicked counts and tells of a panic. It is called where the panic is recovered, for its stack.
func (l *Log) panicked(where string, cause any) error {
	l.panics.Add(1)
	err := fmt.Errorf("%w in the log's %s: %v", errPanic, where, cause)
	if l.health.panicked(err, time.Now()) {
		l.o.Logger.LogAttrs(context.Background(), slog.LevelError, "panic in a goroutine of the log",
			slog.String("goroutine", where), slog.String("cause", fmt.Sprint(cause)), slog.String("stack", string(debug.Stack())))
	}
	return err
}

// Between a panic of a goroutine and its next try. What panics at every try must not take a core.
const (
	firstRest = 20 * time.Millisecond
	mostRest  = 5 * time.Second
)

// keepOn runs a goroutine of the log: run, and once more each time that it panics, until it returns or
// ctx ends.
func (l *Log) keepOn(ctx context.Context, where string, run func()) {
	rest := firstRest
	for {
		began := time.Now()
		if l.contain(where, func() error { run(); return nil }) == nil {
			return
		}
		if time.Since(began) > mostRest {
			rest = firstRest
		}
		if !sleep(ctx, rest) {
			return
		}
		rest = min(2*rest, mostRest)
	}
}

// sleep waits for d. false: ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
