package reqlog

import (
	"time"

	sluice "github.com/sluicehq/sluice"
)

// PerAttempt gives what e counts for where attempts are counted instead of requests, in order of time: each
// attempt as if it had been a request of its own. An entry without attempts is one; a request that the cache
// answered after attempts had failed is one more. What it returns shares e's slices.
func PerAttempt(e *sluice.LogEntry) []sluice.LogEntry {
	if len(e.Attempts) == 0 {
		return []sluice.LogEntry{*e}
	}
	items := make([]sluice.LogEntry, len(e.Attempts), len(e.Attempts)+1)
	last := Answering(e)
	for i := range e.Attempts {
		if i == last {
			items[i] = answeringAttempt(e, i)
		} else {
			items[i] = failedAttempt(e, i)
		}
	}
	if last < 0 {
		items = append(items, *e)
	}
	return items
}

// Answering returns the index of the attempt whose answer the client got: the last that served, or the last of
// all; -1 when the cache answered after them, or there was none.
func Answering(e *sluice.LogEntry) int {
	for i := len(e.Attempts) - 1; i >= 0; i-- {
		if e.Attempts[i].Cause == "" {
			return i
		}
	}
	if e.Cache == sluice.CacheHit {
		return -1
	}
	return len(e.Attempts) - 1
}

// AttemptID returns the id of e's attempt i: that of the request when it answered, so that the id in a
// response's headers finds it.
func AttemptID(e *sluice.LogEntry, i int) sluice.ID {
	if i == Answering(e) {
		return e.ID.WithAttempt(0)
	}
	return e.ID.WithAttempt(i + 1)
}

// answeringAttempt is e without what its other attempts took.
func answeringAttempt(e *sluice.LogEntry, i int) sluice.LogEntry {
	v, a := *e, &e.Attempts[i]
	v.Step = a.Step
	if len(e.Attempts) == 1 {
		return v
	}
	v.Start = e.Start.Add(a.Start)
	for _, t := range []*time.Duration{
		&v.Timeline.Received, &v.Timeline.Connected, &v.Timeline.Sent, &v.Timeline.FirstByte, &v.Timeline.FirstToken, &v.Timeline.End,
	} {
		*t = max(*t-a.Start, 0)
	}
	if a.Usage.Known() {
		v.Usage, v.Cost, v.Priced = a.Usage, a.Cost, a.Priced
	}
	return v
}

// failedAttempt is e's attempt i as if it had been a request of its own. Of its answer only the
// status was kept.
func failedAttempt(e *sluice.LogEntry, i int) sluice.LogEntry {
	v, a := *e, &e.Attempts[i]
	v.ID, v.Step = AttemptID(e, i), a.Step
	v.Start = e.Start.Add(a.Start)
	v.Provider, v.Model, v.Served = a.Provider, a.Model, ""
	v.Status, v.Success, v.Ending = a.Status, false, sluice.EndingComplete
	if a.Status == 0 {
		v.Ending = sluice.EndingUnreachable
		if a.Cause == sluice.EndingTimeout.String() {
			v.Ending = sluice.EndingTimeout
		}
	}
	v.ErrorKind, v.ErrorText = a.Cause, ""
	v.Streamed, v.Cache, v.Finish = false, sluice.CacheOff, ""
	v.Feedback, v.Score, v.Scored = 0, 0, false
	v.Timeline = sluice.Timeline{Connected: a.Connect, FirstByte: a.First, End: a.End}
	v.Response, v.RespHeader = sluice.Body{}, nil
	v.Usage, v.Charges, v.Cost, v.Priced, v.Saved = a.Usage, nil, a.Cost, a.Priced, sluice.Saving{}
	return v
}
