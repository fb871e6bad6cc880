package upstream

import (
	"fmt"
	"time"
)

// limit is a moment by which something must have happened, and what it means when it has not. The
// zero limit never passes.
type limit struct {
	at    time.Time
	after time.Duration // as it was set, for the message
	stage Stage
}

// within returns the sooner of l and d after start; a zero d means no bound.
func (l limit) within(start time.Time, d time.Duration, stage Stage) limit {
	if d <= 0 {
		return l
	}
	return l.sooner(limit{start.Add(d), d, stage})
}

func (l limit) sooner(m limit) limit {
	if l.at.IsZero() || !m.at.IsZero() && m.at.Before(l.at) {
		return m
	}
	return l
}

func (l limit) passed(now time.Time) bool { return !l.at.IsZero() && !now.Before(l.at) }

func (l limit) failure(host string) *Error {
	return &Error{Stage: l.stage, Host: host, Err: fmt.Errorf("nothing within %v", l.after)}
}

// timer is a time.Timer for a limit; for one that never passes there is none.
type timer struct{ t *time.Timer }

func newTimer(l limit) timer {
	if l.at.IsZero() {
		return timer{}
	}
	return timer{time.NewTimer(time.Until(l.at))}
}

func (t timer) c() <-chan time.Time {
	if t.t == nil {
		return nil
	}
	return t.t.C
}

func (t timer) stop() {
	if t.t != nil {
		t.t.Stop()
	}
}
