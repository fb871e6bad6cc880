package reqlog

import (
	"context"
	"errors"
	"io"
	"time"
	"unsafe"
)

const (
	indexRecords  = 1000 // a batch for the index is closed at one of these
	indexBytes    = 2 << 20
	textRoom      = 64 << 10 // first room for texts of a batch, in bytes
	indexAfter    = 250 * time.Millisecond
	indexBackoff  = 100 * time.Millisecond
	indexMaxDelay = 5 * time.Second
)

// indexer is the goroutine that reads what was appended and feeds the index.
type indexer struct {
	log     *Log
	reader  *rowsReader
	records []Record // grows to indexRecords at most, used again and again
	n       int
	texts   []byte // the bytes of the batch's records, which their texts share: a Store keeps none of them
	next    Pos    // after the last record that was read
	failing bool
}

func newIndexer(l *Log, resume Pos) *indexer {
	return &indexer{log: l, reader: newRowsReader(l, resume), next: resume}
}

// run feeds the index until ctx ends.
func (x *indexer) run(ctx context.Context) {
	defer x.reader.close()
	for ctx.Err() == nil {
		head := x.log.Head()
		more, err := x.read(x.old())
		if x.n > 0 && !x.apply(ctx) {
			return
		}
		caughtUp := !more && err == nil
		if x.next.Segment >= x.log.oldEnd.Segment || caughtUp {
			if x.old() && !x.recover(ctx) {
				return
			}
		}
		if caughtUp {
			x.succeeded()
		}
		x.publish(caughtUp, head)
		if err != nil && !sleep(ctx, indexAfter) || caughtUp && !x.pause(ctx) {
			return
		}
	}
}

// old reports whether what earlier processes wrote is not indexed yet.
func (x *indexer) old() (old bool) {
	x.log.progress.get(func(p *progress) { old = !p.recovered })
	return old
}

// read fills the batch; more: there is more to read. With old it stops before the first record of this
// process, so that the index then knows what the last one left open. After an error, which it has told of,
// the batch holds what was read before.
func (x *indexer) read(old bool) (more bool, err error) {
	x.n = 0
	x.texts = x.texts[:0]
	for size := 0; x.n < indexRecords && size < indexBytes; {
		if old && x.reader.left == nil && x.reader.at.Segment >= x.log.oldEnd.Segment {
			return false, nil
		}
		b, pos, err := x.nextRecord()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			if errors.Is(err, errPanic) {
				x.log.notIndexed.Add(1) // a block's records, how many is not known
			}
			x.failed("cannot read the log back", err)
			return false, err
		}
		x.next = x.reader.at
		if x.n == len(x.records) {
			x.records = append(x.records, Record{})
		}
		r := &x.records[x.n]
		if err := x.decode(x.hold(b), r); err != nil {
			x.log.notIndexed.Add(1)
			x.log.o.Logger.Warn("log record left out", "segment", pos.Segment, "block", pos.Block, "record", pos.Record, "error", err)
			continue
		}
		r.Pos = pos
		if known(r.Kind) { // a later version's kinds are not for this index
			size += len(b)
			x.n++
		}
	}
	return true, nil
}

// known reports whether an index is told of a kind.
func known(k Kind) bool {
	switch k {
	case KindEntry, KindOpen, KindPatch, KindDelete:
		return true
	}
	return false
}

// hold copies b to where it stays until the next batch. Where the room is too small another begins; what lies in
// the old one stays there for the records that have it.
func (x *indexer) hold(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if cap(x.texts)-len(x.texts) < len(b) {
		x.texts = make([]byte, 0, max(2*cap(x.texts), textRoom, len(b)))
	}
	at := len(x.texts)
	x.texts = append(x.texts, b...)
	return unsafe.String(&x.texts[at], len(b))
}

// nextRecord is the reader's next. After a panic in it, it goes on behind the block that it was at.
func (x *indexer) nextRecord() (b []byte, pos Pos, err error) {
	err = x.log.contain("indexer", func() (err error) {
		b, pos, err = x.reader.next()
		return err
	})
	return b, pos, err
}

// decode is decodeRecord, which panics at no bytes that are known.
func (x *indexer) decode(b string, r *Record) error {
	return x.log.contain("indexer", func() error { return decodeRecord(b, r, x.log.catalog.body) })
}

// apply gives the batch to the index, again and again until it takes it. false: ctx ended.
func (x *indexer) apply(ctx context.Context) bool { return x.applyRange(ctx, 0, x.n, true) }

// applyRange gives records from to to of the batch to the index. When that panics, one of them is at fault: each
// half goes by itself, down to the one that panics alone, twice. That is left out, for it stays in its segment.
func (x *indexer) applyRange(ctx context.Context, from, to int, again bool) bool {
	records, next := x.records[from:to], x.next
	if to < x.n {
		next = x.records[to].Pos
	}
	panicked := false
	done := x.retry(ctx, "cannot index the log", func() error {
		err := x.log.contain("indexer", func() error { return x.log.store.Apply(ctx, records, next) })
		if panicked = errors.Is(err, errPanic); panicked {
			return nil
		}
		return err
	})
	if !done || !panicked {
		return done
	}
	if len(records) == 1 {
		if again {
			return x.applyRange(ctx, from, to, false)
		}
		x.leaveOut(&records[0])
		return true
	}
	half := from + len(records)/2
	return x.applyRange(ctx, from, half, true) && x.applyRange(ctx, half, to, true)
}

// leaveOut counts and tells of a record that the index does not get.
func (x *indexer) leaveOut(r *Record) {
	x.log.notIndexed.Add(1)
	x.log.o.Logger.Warn("log record left out", "segment", r.Pos.Segment, "block", r.Pos.Block, "record", r.Pos.Record,
		"id", r.Entry.ID.String(), "error", "the index panics at it")
}

// retry calls f until it succeeds. false: ctx ended.
func (x *indexer) retry(ctx context.Context, what string, f func() error) bool {
	for delay := indexBackoff; ; delay = min(2*delay, indexMaxDelay) {
		err := x.log.contain("indexer", f)
		if err == nil {
			x.succeeded()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		x.failed(what, err)
		if !sleep(ctx, delay) {
			return false
		}
	}
}

// failed makes trouble visible. While it lasts, reads go on without what is not indexed.
func (x *indexer) failed(what string, err error) {
	x.failing = true
	x.log.health.set(troubleIndex, "index failed: "+err.Error())
	x.log.health.failed(x.log.o.Logger, what, err)
	x.log.progress.update(func(p *progress) { p.indexErr = err })
}

// succeeded takes trouble back.
func (x *indexer) succeeded() {
	if x.failing {
		x.failing = false
		x.log.health.set(troubleIndex, "")
		x.log.progress.update(func(p *progress) { p.indexErr = nil })
	}
}

// publish tells how far the index is. With caughtUp all that was appended before head is in it.
func (x *indexer) publish(caughtUp bool, head Pos) {
	x.log.progress.update(func(p *progress) {
		p.indexed = later(p.indexed, x.next)
		if caughtUp && p.recovered {
			p.indexed = later(p.indexed, head)
		}
		p.pending = max(p.pending-int64(x.n), 0)
		switch {
		case !p.indexed.Less(p.head):
			p.pending, p.waiting = 0, time.Time{}
		case x.n > 0:
			p.waiting = time.UnixMilli(x.reader.closed)
		}
	})
}

func later(a, b Pos) Pos {
	if a.Less(b) {
		return b
	}
	return a
}

// pause waits for something to index, and then a while for more of it, unless somebody wants to read or
// the log closes. false: ctx ended.
func (x *indexer) pause(ctx context.Context) bool {
	some := func(p *progress) bool { return p.indexed.Less(p.head) }
	if x.log.progress.wait(ctx, some) != nil {
		return false
	}
	short, cancel := context.WithTimeout(ctx, indexAfter)
	defer cancel()
	_ = x.log.progress.wait(short, func(p *progress) bool {
		return p.pending >= indexRecords || p.indexed.Less(p.wanted) || p.draining
	})
	return ctx.Err() == nil
}
