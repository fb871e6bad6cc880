package reqlog

import (
	"cmp"
	"context"
	"errors"
	"slices"

	sluice "github.com/sluicehq/sluice"
)

// Changes says which fields a patch sets: what people say of an exchange, after it. Values are stored: never
// renumber.
type Changes uint8

// The fields.
const (
	ChangeFeedback Changes = 1 << iota
	ChangeScore            // Score and Scored
	ChangeMetadata         // the object as a whole
)

// Apply sets to's fields that c names to what from has; the two share slices then.
func (c Changes) Apply(to, from *sluice.LogEntry) {
	if c&ChangeFeedback != 0 {
		to.Feedback = from.Feedback
	}
	if c&ChangeScore != 0 {
		to.Score, to.Scored = from.Score, from.Scored
	}
	if c&ChangeMetadata != 0 {
		to.Metadata = from.Metadata
	}
}

// Patch sets fields of an exchange, which may be running still: those of e that changes names; e's ID, Start,
// Account and Gateway say whose. It returns once its record is as safe as the log's durability says, in a file at
// least, and reads see it from then on. Whether there is such an exchange is for the caller to know: a
// patch of what does not exist changes nothing. The error has sluice.KindUnavailable when the log cannot
// take it now.
func (l *Log) Patch(ctx context.Context, changes Changes, e *sluice.LogEntry) error {
	said := sluice.LogEntry{ID: e.ID.WithAttempt(0), Start: e.Start, Account: e.Account, Gateway: e.Gateway}
	changes.Apply(&said, e)
	bound := recordBound(&said, nil)
	if bound > maxRecord {
		return &sluice.Error{Kind: sluice.KindTooLarge, Field: "metadata", Msg: "this is more than the log takes of one exchange"}
	}
	return l.keep(ctx, &record{kind: KindPatch, entry: &said, changes: changes, whole: true, bound: bound})
}

// deleteBatch is how many exchanges one record deletes at most.
const deleteBatch = 500

// Delete removes exchanges of an account from the log, for good: they are in no answer from the return on, nor
// after the index is made anew, and a few minutes later their bytes are in no file, bodies included. What they
// counted stays in totals: it was traffic. Exchanges that run, that another account has, or that do not
// exist are left alone. It may be called with any number of ids, and returns once the records of all are as safe as
// the log's durability says, in a file at least; after an error some may be deleted.
func (l *Log) Delete(ctx context.Context, account string, ids []sluice.ID) error {
	list := make([]sluice.ID, len(ids))
	for i := range ids {
		list[i] = ids[i].WithAttempt(0)
	}
	slices.SortFunc(list, func(a, b sluice.ID) int { return cmp.Compare(a.Milli(), b.Milli()) })
	for len(list) > 0 {
		n := 1
		for n < len(list) && n < deleteBatch && list[n].Milli()/dayMillis == list[0].Milli()/dayMillis {
			n++
		}
		e := &sluice.LogEntry{ID: list[0], Start: list[n-1].Time(), Account: account}
		r := &record{kind: KindDelete, entry: e, ids: list[:n], whole: true, bound: recordBound(e, nil) + 8 + n*len(sluice.ID{})}
		if err := l.keep(ctx, r); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

const dayMillis = 24 * 60 * 60 * 1000

// keep hands a record over and waits until it is kept.
func (l *Log) keep(ctx context.Context, r *record) error {
	l.ring.mu.Lock()
	ticket, _ := l.ring.put(r)
	l.ring.mu.Unlock()
	if ticket == 0 {
		return errLost(errors.New("the queue is full, or closed"))
	}
	return l.wait(ctx, ticket, max(l.o.Durability, Strict))
}
