package reqlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Durability is what a Log promises of an exchange that its caller has ended.
type Durability uint8

// The durabilities; see docs/log.md for what each loses in which accident.
const (
	Batched Durability = iota // in a file within 50 ms
	Strict                    // in a file when Wait returns
	Fsync                     // on disk when Wait returns
)

// Budget is memory that several users share. Take never blocks: without room it reports false, and
// the caller does without.
type Budget interface {
	Take(n int64) bool
	Give(n int64)
}

// Options make a Log.
type Options struct {
	Dir        string // of the segments; made if it is missing
	QueueBytes int64  // 0: 64 MB; at least 4 MB
	Durability Durability
	FsyncEvery time.Duration // 0: one second
	Retention  Retention
	// Observe is called with each exchange as it ends, once, by whom it is of: it must be quick and keep nothing. nil:
	// nobody asks.
	Observe func(e *sluice.LogEntry)
	Budget  Budget // for bodies that are being captured; nil: no bound
	Logger  *slog.Logger
	// Crashed completes the entry of an exchange that a dead process left open, before it is stored. nil: there
	// is nothing to add.
	Crashed func(e *sluice.LogEntry)
}

const (
	defaultQueueBytes = 64 << 20
	defaultFsyncEvery = time.Second
)

// Retention says when the log gives way. Zero values mean no bound.
type Retention struct {
	MaxAge        time.Duration
	MaxBodyAge    time.Duration
	MaxRows       int64
	MaxBytes      int64 // of segments and index together
	MinFree       int64 // of the file system
	StopInserting bool  // at MaxRows or MaxBytes: drop the new, not the oldest
}

// Cap is a gateway's own bound on its rows, which is held within a hundredth and five seconds.
type Cap struct {
	Account, Gateway string
	Rows             int64
	StopInserting    bool // at the bound: count the new only, and keep the oldest
}

// Log is the log of exchanges of one process. It owns its goroutines: appender, maker (files made ahead),
// syncer, indexer, sweeper (open marks) and keeper (retention). A panic in one of them is counted and
// logged, and it goes on. Safe for concurrent use.
type Log struct {
	o       Options
	store   Store
	files   files
	catalog *catalog
	ring    *ring
	buffers buffers
	unpack  *unpacker
	bodies  bodyIndexes

	running  running
	progress progress
	syncer   syncer
	append   appender
	maker    maker
	keeper   keeper
	health   health

	// What the queue may still take: set by the keeper and the appender.
	bodiesOff atomic.Bool
	rowsOff   atomic.Bool
	full      atomic.Pointer[map[[2]string]bool] // account and gateway: those that take no rows; nil: none

	rows          atomic.Int64
	droppedBodies atomic.Int64
	droppedRows   atomic.Int64
	lostCounts    atomic.Int64
	lateRecords   atomic.Int64
	notIndexed    atomic.Int64
	panics        atomic.Int64

	// oldEnd is before the first record of this process, and after all that was here.
	oldEnd    Pos
	completed atomic.Int64 // CompleteUntil's last sure answer, unix nanoseconds

	stopEarly context.CancelFunc // sweeper, keeper
	stopLate  context.CancelFunc // all that writes and indexes
	early     sync.WaitGroup
	late      sync.WaitGroup
	draining  chan struct{} // closed: the appender writes what there is and ends
	appended  chan struct{} // closed: it has
	closing   sync.Once
}

var _ Reader = (*Log)(nil)

// Open opens or makes the log in o.Dir, writes an EndingCrashed entry for every exchange that a dead
// process left open, and starts feeding store, which stays the caller's to close after Close.
//
// It does not wait for that feeding: what a dead process left unindexed is indexed in the background, its
// crashed exchanges are written after that, and reads wait for both.
func Open(ctx context.Context, o Options, store Store) (*Log, error) {
	return open(ctx, o, store, osFiles{})
}

func open(ctx context.Context, o Options, store Store, fs files) (*Log, error) {
	o.QueueBytes = cmp.Or(o.QueueBytes, defaultQueueBytes)
	o.FsyncEvery = cmp.Or(o.FsyncEvery, defaultFsyncEvery)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make log directory: %w", err)
	}
	list, err := loadCatalog(o.Dir, o.Logger)
	if err != nil {
		return nil, fmt.Errorf("list log segments: %w", err)
	}
	resume, err := store.Resume(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the log's index where it is: %w", err)
	}
	// Numbers only grow, also past what the index has seen and a power loss has taken from the files:
	// otherwise it would take new records for old ones.
	next := max(list.last(), resume.Segment) + 1
	l := &Log{
		o: o, store: store, files: fs, catalog: list, unpack: newUnpacker(), oldEnd: Pos{Segment: next},
		draining: make(chan struct{}), appended: make(chan struct{}),
	}
	// A segment has far fewer than 2^32 body blocks, so these numbers were never used before.
	l.ring = newRing(o.QueueBytes, next<<32)
	l.buffers.budget = o.Budget
	l.progress.head, l.progress.indexed = l.oldEnd, resume
	l.maker.init(l, next)
	l.append.init(l, next)
	l.syncer.init(l)
	l.keeper.init(l, o.Retention)
	// Before anybody serves: on a busy disk it takes longer than a record may wait. What fails is tried again.
	_ = l.append.ready(nil)
	l.start(context.WithoutCancel(ctx), resume)
	return l, nil
}

// start starts the goroutines.
func (l *Log) start(ctx context.Context, resume Pos) {
	early, stopEarly := context.WithCancel(ctx)
	late, stopLate := context.WithCancel(ctx)
	l.stopEarly, l.stopLate = stopEarly, stopLate
	run := func(group *sync.WaitGroup, ctx context.Context, where string, run func(context.Context)) {
		group.Go(func() { l.keepOn(ctx, where, func() { run(ctx) }) })
	}
	run(&l.early, early, "sweeper", l.sweeper)
	run(&l.early, early, "keeper", l.keeper.run)
	run(&l.late, late, "maker", l.maker.run)
	run(&l.late, late, "syncer", l.syncer.run)
	run(&l.late, late, "indexer", newIndexer(l, resume).run)
	l.late.Go(func() {
		defer close(l.appended)
		l.keepOn(late, "appender", func() { l.append.run(late) })
	})
}

// SetRetention changes the bounds while running.
func (l *Log) SetRetention(r Retention) { l.keeper.set(r) }

// SetCaps gives the log a function that lists what bounds of their own gateways have on their rows, as they are
// now. It is asked every few seconds.
func (l *Log) SetCaps(caps func() []Cap) { l.keeper.capsNow.Store(&caps) }

// Exchange is the log's hold on one running exchange, from Begin to End. It lies inside the caller's
// own struct and can be used again after Reset; the caller fills Entry as it learns.
type Exchange struct {
	Entry  sluice.LogEntry
	Bodies [2]Capture // by Side
	// CountOnly: log collection is known to be off, so the exchange leaves no open mark and Running and
	// Get do not show it. It is set before Described, if at all; End is still told.
	CountOnly bool

	described  atomic.Bool
	live       live
	prev, next *Exchange // the Log's list of running exchanges
	start      time.Time
	turn       uint64 // grows with Begin
	listed     bool
	marked     bool // has its open mark
	ended      bool // its entry is in the queue; guarded by the ring's mutex
}

// Begin takes x in among the running exchanges. x.Entry.ID and Start are set.
func (l *Log) Begin(x *Exchange) {
	x.start, x.marked, x.ended = x.Entry.Start, false, false
	l.running.add(x)
}

// Described tells that who and what is final in x.Entry: ID, Start, Account, Gateway, Provider,
// Model, Endpoint, Method, Path, Type, Key, UserAgent, EventID, TraceID, Metadata,
// ReqHeader and Request.Type. From here to End the log may read those fields from another goroutine, for
// the open mark and for Running; the caller must not write them.
func (x *Exchange) Described() { x.described.Store(true) }

// Ticket stands for a record that was handed over; Wait takes it. The zero Ticket is of a record for
// which there was no room at all.
type Ticket uint64

// End hands the finished exchange over, by one copy, and takes it from the running ones; it never waits
// for disk or database. A call of End with the ID of an exchange that has ended before corrects its
// entry; from the same Exchange, before Reset, it keeps the bodies. countOnly: log collection is off, so
// only roll-ups see it and bodies are not stored.
func (l *Log) End(x *Exchange, countOnly bool) Ticket {
	if full := l.full.Load(); full != nil && (*full)[[2]string{x.Entry.Account, x.Entry.Gateway}] {
		countOnly = true
	}
	e, lost, first := &x.Entry, !countOnly && l.rowsOff.Load(), !x.ended
	if countOnly || lost {
		x.Bodies[0].discard()
		x.Bodies[1].discard()
	}
	bound := recordBound(e, nil)
	if bound > maxRecord {
		e = slim(e)
		bound = recordBound(e, nil)
	}

	x.live.over.Store(true)
	ticket, noRoom := l.hand(x, e, bound, countOnly || lost)
	l.running.remove(x)
	x.Bodies[0].settle()
	x.Bodies[1].settle()
	l.count(x, countOnly, lost || noRoom)
	if first && l.o.Observe != nil {
		l.o.Observe(&x.Entry)
	}
	if ticket == 0 {
		l.lostCounts.Add(1)
	}
	return ticket
}

// hand puts x's bodies and e, its entry, into the queue. noRoom: there was none for the whole of it.
func (l *Log) hand(x *Exchange, e *sluice.LogEntry, bound int, countOnly bool) (_ Ticket, noRoom bool) {
	l.ring.mu.Lock()
	defer l.ring.mu.Unlock()
	held := 0
	for side := range x.Bodies {
		if c := &x.Bodies[side]; c.log != nil && !c.done {
			c.finish(&held)
		}
	}
	parts := [2][]partRef{x.Bodies[0].parts, x.Bodies[1].parts}
	for _, told := range [...]*sluice.LogEntry{&x.Entry, e} {
		x.Bodies[0].tell(&told.Request)
		x.Bodies[1].tell(&told.Response)
	}
	r := record{
		kind: KindEntry, entry: e, parts: &parts, countOnly: countOnly,
		bound: bound + 20*(len(parts[0])+len(parts[1])),
	}
	x.ended = true
	return l.ring.put(&r)
}

// count counts an entry that was handed over.
func (l *Log) count(x *Exchange, countOnly, lost bool) {
	l.rows.Add(1)
	if lost {
		l.droppedRows.Add(1)
	} else if !countOnly && (x.Bodies[0].dropped || x.Bodies[1].dropped) {
		l.droppedBodies.Add(1)
	}
}

// errLost is what Wait says of a record that the log could not take, or cannot write.
func errLost(cause error) error {
	return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the log cannot store this exchange now", Err: cause}
}

// Wait returns when the record is as safe as the log's Durability says (at once when it is Batched),
// or when the log has failed or ctx ended. It brings the append forward: no batch is waited for. Its
// error has sluice.KindUnavailable when the log has failed, and is ctx's otherwise.
func (l *Log) Wait(ctx context.Context, t Ticket) error {
	if l.o.Durability == Batched {
		return nil
	}
	return l.wait(ctx, t, l.o.Durability)
}

// wait is Wait for a durability other than Batched.
func (l *Log) wait(ctx context.Context, t Ticket, as Durability) error {
	if t == 0 {
		return errLost(errors.New("the queue is full"))
	}
	l.ring.hurryTo(t, &l.progress)
	var failed error
	err := l.progress.wait(ctx, func(p *progress) bool {
		switch {
		case p.lostFrom <= t && t <= p.lostTo:
			failed = errPanic
		case as == Strict && p.appended >= t, as == Fsync && p.synced >= t:
			return true
		case p.writeErr != nil:
			failed = p.writeErr
		case p.syncErr != nil && p.syncFailed >= t:
			failed = p.syncErr
		case p.ended:
			failed = errors.New("the log is closed")
		default:
			if as == Fsync && p.wantSync < t {
				p.wantSync = t
				p.wake()
			}
			return false
		}
		return true
	})
	if failed != nil {
		return errLost(failed)
	}
	return err
}

// Reset makes x ready for another exchange, keeping the room of its slices.
func (x *Exchange) Reset() {
	x.Entry.Reset()
	x.Bodies[0].reset()
	x.Bodies[1].reset()
	x.CountOnly = false
	x.described.Store(false)
	x.live.reset()
	x.prev, x.next, x.listed = nil, nil, false
}

// Head returns the position after the last record.
func (l *Log) Head() (head Pos) {
	l.progress.get(func(p *progress) { head = p.head })
	return head
}

// Stats returns the log's own numbers. It is cheap.
func (l *Log) Stats() Stats {
	s := Stats{
		Rows: l.rows.Load(), DroppedBodies: l.droppedBodies.Load(), DroppedRows: l.droppedRows.Load(),
		LostCounts: l.lostCounts.Load(), Late: l.lateRecords.Load(), NotIndexed: l.notIndexed.Load(), Panics: l.panics.Load(),
		DiskBytes: l.catalog.bytes(), DiskFree: l.keeper.free.Load(),
	}
	now := time.Now()
	l.ring.mu.Lock()
	s.Appended, s.QueueBytes, s.AppendLag = int64(l.ring.tickets), l.ring.used, l.ring.lag(now)
	l.ring.mu.Unlock()
	s.State, s.LastError = l.health.report()
	l.progress.get(func(p *progress) {
		if p.indexed.Less(p.head) && !p.waiting.IsZero() {
			s.IndexLag = max(now.Sub(p.waiting), 0)
		}
	})
	return s
}

// Close appends and indexes all that was handed over and ends the log's goroutines. When ctx ends
// first, what is not indexed yet is indexed at the next start. An exchange that ends after Close is lost.
func (l *Log) Close(ctx context.Context) error {
	var err error
	l.closing.Do(func() { err = l.close(ctx) })
	return err
}

func (l *Log) close(ctx context.Context) error {
	l.stopEarly()
	l.early.Wait()
	l.ring.close()
	close(l.draining)
	l.progress.update(func(p *progress) { p.draining = true })
	select {
	case <-l.appended:
	case <-ctx.Done():
	}
	err := l.progress.wait(ctx, func(p *progress) bool {
		return p.writeErr != nil || !p.indexed.Less(p.head) && (p.synced >= p.appended || p.syncErr != nil)
	})
	l.stopLate()
	l.late.Wait()
	l.progress.update(func(p *progress) { p.ended = true })
	if lost := l.append.lost; lost > 0 {
		return fmt.Errorf("close log: %d records could not be written: %w", lost, l.append.lastErr)
	}
	if err != nil {
		return fmt.Errorf("close log: what is not indexed yet is indexed at the next start: %w", err)
	}
	return nil
}
