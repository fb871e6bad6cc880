package reqlog

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// ErrGone is what Follow yields first when retention has removed what should come. It is a value, never
// changed.
var ErrGone error = &sluice.Error{Kind: sluice.KindNotFound, Msg: "this position is no longer in the log"}

// Follow yields the records after from, in order of arrival, and then waits for new ones until ctx ends
// or the log closes. When from is not in the log, or no longer, the first thing it yields is ErrGone, and it
// goes on with the oldest record there is; a follower that is so slow that retention overtakes it is told the
// same way. It sees records of every kind, and may keep them. The zero Pos: from the oldest record.
//
// A follower reads the files by itself, in its caller's goroutine: it holds one block, and however slow it
// is, nobody waits for it. An error other than ErrGone is of the file system and ends it.
func (l *Log) Follow(ctx context.Context, from Pos) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		r := newRowsReader(l, from)
		defer r.close()
		head := l.Head() // what is before it is found by next
		if head.Less(from) {
			r.at = Pos{}
		}
		if (l.gone(from) || head.Less(from)) && !yield(Record{}, ErrGone) {
			return
		}
		for first := true; ; first = false {
			expected := r.at.Segment
			b, pos, err := r.next()
			if errors.Is(err, io.EOF) {
				if !l.await(ctx, &head) {
					return
				}
				continue
			}
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !first && l.skipped(expected, pos.Segment) && !yield(Record{}, ErrGone) {
				return
			}
			var rec Record
			if decodeRecord(string(b), &rec, l.catalog.body) != nil {
				continue // the indexer has told of it
			}
			rec.Pos = pos
			if !yield(rec, nil) || ctx.Err() != nil {
				return
			}
		}
	}
}

// Deleted reports whether an exchange was deleted, as far as the index is: Follow may still find what the files
// hold of it. It waits for nothing; CompleteUntil brings the index forward.
func (l *Log) Deleted(ctx context.Context, id sluice.ID) (bool, error) {
	gone, err := l.store.Erased(ctx, []sluice.ID{id})
	return err == nil && gone[0], err
}

// gone reports whether retention has removed from's segment.
func (l *Log) gone(from Pos) bool {
	if from == (Pos{}) || l.catalog.get(from.Segment) != nil {
		return false
	}
	return from.Segment < max(l.catalog.oldest(), l.oldEnd.Segment)
}

// skipped reports whether retention removed segments between two that were read.
func (l *Log) skipped(expected, got uint64) bool {
	return got > expected+1 && expected+1 < l.catalog.oldest()
}

// await waits until the head has moved. false: ctx ended, or the log.
func (l *Log) await(ctx context.Context, head *Pos) bool {
	moved := false
	err := l.progress.wait(ctx, func(p *progress) bool {
		moved = p.head != *head
		*head = p.head
		return moved || p.ended
	})
	return err == nil && moved
}

// clockMargin is how long before Begin a caller may have read the clock for an exchange's start.
const clockMargin = 100 * time.Millisecond

// CompleteUntil is the time before which no row will be added: the start of the oldest running exchange,
// or about now. While rows wait that the index cannot take, it stays where it was; the zero Time: it has
// not been known since the start.
func (l *Log) CompleteUntil(ctx context.Context) (time.Time, error) {
	until := l.running.oldest(time.Now().Add(-clockMargin))
	if l.catchUp(ctx) {
		l.completed.Store(max(l.completed.Load(), until.UnixNano()))
	}
	if n := l.completed.Load(); n != 0 {
		return time.Unix(0, n).UTC(), nil
	}
	return time.Time{}, nil
}

// List asks the index once it has what was settled before the call.
func (l *Log) List(ctx context.Context, q Query) (Page, error) {
	l.catchUp(ctx)
	return l.store.List(ctx, q)
}

// Get finds one row, also of a running exchange; see Reader.
func (l *Log) Get(ctx context.Context, account string, id sluice.ID) (Row, error) {
	if e, ok := l.running.find(account, id); ok {
		return Row{Entry: e}, nil
	}
	l.catchUp(ctx)
	return l.store.Get(ctx, account, id)
}

// Totals asks the index once it has what was settled before the call.
func (l *Log) Totals(ctx context.Context, q TotalsQuery) ([]Total, error) {
	l.catchUp(ctx)
	return l.store.Totals(ctx, q)
}

// SumRows asks the index as Totals does.
func (l *Log) SumRows(ctx context.Context, q TotalsQuery) (RowSums, error) {
	l.catchUp(ctx)
	return l.store.SumRows(ctx, q)
}

// catchUp waits until all that was handed over before the call is appended and indexed, bringing both
// forward. It reports false when ctx ended before, or when it cannot be: the disk or the index is in
// trouble, and what is there is read without the rest.
func (l *Log) catchUp(ctx context.Context) bool {
	complete := true
	step := func(done func(p *progress) bool) bool {
		err := l.progress.wait(ctx, func(p *progress) bool {
			if done(p) {
				return true
			}
			if p.indexErr != nil || p.writeErr != nil || p.ended {
				complete = false
				return true
			}
			return false
		})
		return err == nil
	}
	if !step(func(p *progress) bool { return p.recovered }) {
		return false
	}
	t := l.ring.hurry()
	if !step(func(p *progress) bool { return p.appended >= t }) {
		return false
	}
	var head Pos
	l.progress.get(func(p *progress) {
		if head = p.head; p.indexed.Less(head) && p.wanted.Less(head) {
			p.wanted = head
			p.wake()
		}
	})
	return step(func(p *progress) bool { return !p.indexed.Less(head) }) && complete
}
