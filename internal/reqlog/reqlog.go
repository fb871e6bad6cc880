// Package reqlog is the log of exchanges. Truth is append-only: records go to segments on disk,
// each a rows file and a bodies file, and everything that is searched is an Index that can be
// rebuilt from them. A request hands its record over with one copy under one mutex and never waits
// for disk or database; the queue is bounded in bytes, and what it had to drop is counted.
package reqlog

import (
	"context"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Side is which body of an exchange.
type Side uint8

// The two sides.
const (
	RequestSide Side = iota
	ResponseSide
)

// Pos is the place of a record in the log of this node, in order of arrival. The zero Pos is before
// the first record.
type Pos struct {
	Segment uint64 // number of the segment, from 1
	Block   uint32 // number of the block within it, from 0; stays when a segment is recompressed
	Record  uint32 // number of the record within the block, from 0
}

// Less orders positions by arrival.
func (p Pos) Less(q Pos) bool {
	if p.Segment != q.Segment {
		return p.Segment < q.Segment
	}
	if p.Block != q.Block {
		return p.Block < q.Block
	}
	return p.Record < q.Record
}

// Kind is what a record says. Values are stored: never renumber.
type Kind uint8

// The kinds of records.
const (
	KindEntry Kind = 1 // an exchange has ended; a later one of the same id replaces it
	KindOpen  Kind = 2 // an exchange has been running for a second: it will be missed if the process dies

	kindCorrection Kind = 3 // as stored; readers get a KindEntry that Corrects

	KindPatch  Kind = 4 // what people say of an exchange that has ended, or will; see Log.Patch
	KindDelete Kind = 5 // exchanges are no longer to be shown, nor kept; see Log.Delete
)

// Part is where a piece of a stored body lies: Length bytes at Offset of the unpacked block.
type Part struct {
	Segment uint64
	Block   uint32 // in the bodies file
	Offset  uint32
	Length  uint32
}

// Record is one record read back. The texts of its Entry share one piece of memory: clone those that
// outlive it singly.
type Record struct {
	Kind  Kind
	Pos   Pos
	Entry sluice.LogEntry // of KindOpen: what is known so far, Ending EndingInFlight
	Parts [2][]Part       // of KindEntry: where the stored bodies lie, by Side
	// CountOnly: only what roll-ups need; log collection was off for this exchange, so it gets no row.
	CountOnly bool
	Corrects  bool // a new version of an entry that was told before, by Log.Correct
	// Erased: of CountOnly, what is left of an exchange that was deleted. There may be several of one exchange, of
	// which one counts.
	Erased bool
	// Changes says which fields of its Entry a KindPatch sets.
	Changes Changes
	// IDs are what a KindDelete removes: exchanges of Entry.Account that began on the day of Entry.ID, in UTC.
	IDs []sluice.ID
	// Fields is what the record was read from: Entry in the encoding of AppendEntry, among other fields, which
	// DecodeEntry skips. Empty: the record was made otherwise.
	Fields string
}

// Index is what makes the log searchable. It is fed in order of arrival by one goroutine.
type Index interface {
	// Resume returns the position from which records must be applied again after a start: nothing
	// before it is missing. The zero Pos: from the beginning.
	Resume(ctx context.Context) (Pos, error)
	// Apply takes records in; next is the position after the last of them. It is atomic for each
	// partition, and applying a record twice changes nothing: neither rows nor counts.
	//
	// A KindPatch holds for all versions of its exchange, those too that come after it. A KindDelete removes
	// rows and keeps their counts; later versions of what was deleted are left out.
	Apply(ctx context.Context, records []Record, next Pos) error
	// Open lists the exchanges that have an open mark and no entry, as far as applied.
	Open(ctx context.Context) ([]sluice.LogEntry, error)
	// Trim removes the rows of all exchanges that started before t, by whole files where it can, and
	// returns how many it removed. Roll-ups stay: they count traffic, not stored rows.
	Trim(ctx context.Context, t time.Time) (rows int64, err error)
	// Cutoff returns the start of the exchange that exactly keep rows are newer than or equal to: trimming
	// there leaves keep rows, give or take those of one millisecond. The zero Time: there are no more than keep.
	Cutoff(ctx context.Context, keep int64) (time.Time, error)
	// Size returns how many rows are stored, and the disk space of the index's files in bytes.
	Size(ctx context.Context) (rows, bytes int64, err error)
	// Rows returns how many rows a gateway has. It is cheap.
	Rows(ctx context.Context, account, gateway string) (int64, error)
	// TrimGateway removes the oldest rows of a gateway until keep are left, and returns how many it removed.
	TrimGateway(ctx context.Context, account, gateway string, keep int64) (rows int64, err error)
	// Erased tells, one by one, which of the exchanges were deleted, as far as applied. It may forget those of a
	// day all of whose rows were trimmed.
	Erased(ctx context.Context, ids []sluice.ID) ([]bool, error)
	// Scrub removes from the index's files what they still hold of deleted exchanges beside their rows: after
	// that their bytes are in none of them. It works in small steps between those of Apply, and does nothing
	// when there is nothing to do.
	Scrub(ctx context.Context) error
}

// Store is what a Log needs of its index: to feed it, and to read it. The Log's own Reader waits for
// what is not indexed yet and then asks here.
type Store interface {
	Index
	List(ctx context.Context, q Query) (Page, error)
	Get(ctx context.Context, account string, id sluice.ID) (Row, error)
	Totals(ctx context.Context, q TotalsQuery) ([]Total, error)
	SumRows(ctx context.Context, q TotalsQuery) (RowSums, error)
	CountRows(ctx context.Context, q CountQuery) (RowCounts, error)
	Extremes(ctx context.Context, q Query) (Extremes, error)
}

// Stats are the log's own numbers; counts are since the start of the process.
type Stats struct {
	Appended      int64         // records on their way to disk or there
	Rows          int64         // entries among them
	DroppedBodies int64         // entries whose bodies were dropped for lack of room
	DroppedRows   int64         // entries lost but for their counts
	LostCounts    int64         // of the lost rows, those whose counts were lost too: nothing but this tells of them
	Late          int64         // records that may have been longer than 50 ms on their way to a file
	NotIndexed    int64         // records that the index panicked at: in the segments, and in no list
	Panics        int64         // of the log's goroutines, contained
	QueueBytes    int64         // what the queue holds now
	AppendLag     time.Duration // age of the oldest record that is not in a file yet
	IndexLag      time.Duration // age of the oldest record that is not indexed yet
	DiskBytes     int64         // of the segments
	DiskFree      int64         // of the file system
	State         string        // "ok", or what is wrong: "disk low: bodies off", "disk full: rows off", "write failed: …"
	LastError     string
}
