package reqlog

import (
	"context"
	"io"
	"iter"
	"log/slog"
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
	QueueBytes int64
	Durability Durability
	FsyncEvery time.Duration
	Retention  Retention
	Budget     Budget // for bodies that are being captured; nil: no bound
	Logger     *slog.Logger
}

// Retention says when the log gives way. Zero values mean no bound.
type Retention struct {
	MaxAge        time.Duration
	MaxBodyAge    time.Duration
	MaxRows       int64
	MaxBytes      int64 // of segments and index together
	MinFree       int64 // of the file system
	StopInserting bool  // at MaxRows or MaxBytes: drop the new, not the oldest
}

// Log is the log of exchanges of one process. It owns its goroutines: appender, fsyncer, indexer,
// sweeper (open marks) and keeper (retention). Safe for concurrent use.
type Log struct{}

// Open opens or makes the log in o.Dir, writes an EndingCrashed entry for every exchange that a dead
// process left open, and starts feeding store, which stays the caller's to close after Close.
func Open(ctx context.Context, o Options, store Store) (*Log, error) { panic("reqlog") }

// SetRetention changes the bounds while running.
func (l *Log) SetRetention(r Retention) { panic("reqlog") }

// Exchange is the log's hold on one running exchange, from Begin to End. It lies inside the caller's
// own struct and can be used again after Reset; the caller fills Entry as it learns.
type Exchange struct {
	Entry  sluice.LogEntry
	Bodies [2]Capture // by Side

	described  atomic.Bool
	prev, next *Exchange // the Log's list of running exchanges
}

// Begin takes x in among the running exchanges. x.Entry.ID and Start are set.
func (l *Log) Begin(x *Exchange) { panic("reqlog") }

// Described tells that who and what is final in x.Entry: ID, Start, Account, Gateway, Provider,
// Model, Endpoint, Method, Path, Type, Streamed, Key, UserAgent, EventID, TraceID, Metadata,
// ReqHeader and Request.Type. From here to End the log may read those fields from another goroutine, for
// the open mark and for Running; the caller must not write them.
func (x *Exchange) Described() { panic("reqlog") }

// Ticket stands for a record that was handed over; Wait takes it.
type Ticket uint64

// End hands the finished exchange over, by one copy, and takes it from the running ones; it never waits
// for disk or database. A call of End with the ID of an exchange that has ended before corrects its
// entry. countOnly: log collection is off, so only roll-ups see it and bodies are not stored.
func (l *Log) End(x *Exchange, countOnly bool) Ticket { panic("reqlog") }

// Wait returns when the record is as safe as the log's Durability says (at once when it is Batched),
// or when the log has failed or ctx ended. It brings the append forward: no batch is waited for.
func (l *Log) Wait(ctx context.Context, t Ticket) error { panic("reqlog") }

// Reset makes x ready for another exchange, keeping the room of its slices.
func (x *Exchange) Reset() { panic("reqlog") }

// Capture keeps of one body what the log will store, and hands full parts to the log as they come, so
// that an open stream holds one part (64 KB at most). The zero Capture stores nothing and only counts. Its
// counts (Size, Stored, Truncated, Dropped) are put into Entry.Request or Entry.Response by End.
type Capture struct{}

// Capture makes c store up to limit bytes of side's body.
func (l *Log) Capture(c *Capture, limit int64) { panic("reqlog") }

// Write takes the next bytes of the body. p is not kept.
func (c *Capture) Write(p []byte) { panic("reqlog") }

// Whole gives c the whole body at once, in place of Write. p is read until End has returned and must not
// change; nothing is copied before.
func (c *Capture) Whole(p []byte) { panic("reqlog") }

// Size returns how many bytes went in.
func (c *Capture) Size() int64 { panic("reqlog") }

// Running calls f with each running exchange that is described, oldest first. f gets a copy of the fields that
// Described lists.
func (l *Log) Running(f func(e *sluice.LogEntry) bool) { panic("reqlog") }

// Follow yields the records after from, in order of arrival, and then waits for new ones until ctx ends. When
// from is no longer in the log, the first thing it yields is ErrGone, and it goes on with the oldest
// record there is. It sees records of every kind.
func (l *Log) Follow(ctx context.Context, from Pos) iter.Seq2[Record, error] { panic("reqlog") }

// Head returns the position after the last record.
func (l *Log) Head() Pos { panic("reqlog") }

// Body opens a stored body of row. Its error has sluice.KindNotFound when nothing is stored, or no
// longer.
func (l *Log) Body(ctx context.Context, row Row, side Side) (io.ReadCloser, error) { panic("reqlog") }

// Stats returns the log's own numbers. It is cheap.
func (l *Log) Stats() Stats { panic("reqlog") }

// Close appends and indexes all that was handed over and ends the log's goroutines. When ctx ends
// first, what is not indexed yet is indexed at the next start.
func (l *Log) Close(ctx context.Context) error { panic("reqlog") }
