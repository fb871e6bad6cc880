// Package logindex is the embedded implementation of reqlog.Store: SQLite files, one for each UTC day,
// that can be rebuilt from the log's segments at any time.
//
// A row goes to the file of the day that its id names, and the id is also its place in it: order, file
// and time agree. What is filtered or sorted is an integer column of a narrow table; texts and whole
// metadata objects are interned. Everything else lies in a second table that only a shown row needs, of
// many rows together, and told by what it has other than a row of a call like it. What rows of like calls
// have in the same columns stands in a third, once.
// There is no secondary index: roll-ups know which minutes hold a gateway's rows and which hours a
// value's, and scans read only those.
//
// Roll-ups count traffic, minute by minute, for a few questions (total, provider, model, …). What a
// transaction counts is kept as one blob beside its rows, so that rows and counts can never differ;
// the blobs are gathered in memory, where reads add them, and written to their tables each minute.
// When a day has come to rest its roll-ups are copied into analytics.db, from which long ranges are
// read, and which keeps them when retention removes the day's file.
package logindex

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// Options make an Index. The zero Options serve.
type Options struct {
	Logger *slog.Logger // nil: none
	// Metadata lists the metadata keys that have roll-ups. A key that is added counts from then on.
	Metadata []string
}

// Index is a reqlog.Store in a directory of its own. It is safe for concurrent use.
type Index struct {
	dir      string
	metadata []string
	log      *slog.Logger
	room     int64 // for texts, per file

	// write lets one writer at a time do its work: Apply, Trim, upkeep.
	write  sync.Mutex
	leader int64 // the day whose file was last committed with a safe position
	closed bool
	copies *copies

	opening sync.Mutex // held while a file is opened or closed
	shut    bool       // no file may be opened any more
	mu      sync.Mutex // guards what follows
	days    map[int64]*dayInfo
	parts   map[int64]*part
	uses    uint64
	counts  map[countKey]int64

	stop context.CancelFunc
	done sync.WaitGroup
}

var _ reqlog.Store = (*Index)(nil)

const (
	noDay    = -1
	maxParts = 8 // open files of days
)

// minutes tells which roll-ups of single minutes a day still has. Stored: never renumber.
type minutes int

const (
	allMinutes minutes = iota
	totalMinutes
	noMinutes
)

// dayInfo is what is known of a day without opening its file.
type dayInfo struct {
	day     int64
	file    bool // false: only its roll-ups are left
	sealed  bool // analytics.db has what the file has
	packed  bool // packs, too, has it while it is sealed
	minutes minutes
	state
	open    int       // open marks
	written time.Time // when it last changed
}

// errClosed is what a closed Index says.
var errClosed = &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the log index is closed"}

// Open opens the index in dir, which it makes if it is missing. The caller must be the only one that
// uses dir.
func Open(ctx context.Context, dir string, o Options) (*Index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log index: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	x := &Index{
		dir: dir, metadata: slices.Clone(o.Metadata), log: o.Logger, room: maxTexts, leader: noDay,
		days: map[int64]*dayInfo{}, parts: map[int64]*part{}, counts: map[countKey]int64{},
	}
	if err := x.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open log index: %w", err), x.closeFiles())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	x.stop = stop
	x.done.Go(func() { x.keep(run) })
	return x, nil
}

// load learns which days there are.
func (x *Index) load(ctx context.Context) error {
	var err error
	if x.copies, err = openCopies(ctx, filepath.Join(x.dir, "analytics.db")); err != nil {
		return err
	}
	if x.days, err = x.copies.days(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(x.dir)
	if err != nil {
		return err
	}
	seen := map[int64]bool{} // a file that is missing is gone, whoever removed it
	for _, entry := range entries {
		if day, ok := dayFromName(entry.Name()); ok {
			seen[day] = true
			if err := x.loadDay(ctx, day, entry); err != nil {
				return err
			}
		}
	}
	for _, d := range x.days {
		if !d.file || !seen[d.day] {
			d.file, d.sealed, d.minutes, d.rows = false, true, noMinutes, 0
		}
		// Who led before leads on: another one would first put on disk what this one has committed.
		if d.file && !d.sealed && (x.leader == noDay || x.days[x.leader].safe.Less(d.safe)) {
			x.leader = d.day
		}
	}
	return nil
}

func (x *Index) loadDay(ctx context.Context, day int64, entry os.DirEntry) error {
	d := x.days[day]
	if d != nil && d.sealed && !d.file {
		return removeFiles(filepath.Join(x.dir, entry.Name())) // its removal was interrupted
	}
	if d == nil {
		d = &dayInfo{day: day}
		x.days[day] = d
	}
	d.file = true
	if info, err := entry.Info(); err == nil {
		d.written = info.ModTime()
	}
	if d.sealed {
		return nil
	}
	p, err := x.acquire(ctx, day, false)
	if err != nil {
		return err
	}
	x.note(p, d.written)
	x.release(p)
	return nil
}

// Close writes what is gathered and closes the files.
func (x *Index) Close() error {
	x.stop()
	x.done.Wait()
	x.write.Lock()
	defer x.write.Unlock()
	if x.closed {
		return nil
	}
	x.closed = true
	ctx := context.Background()
	var errs []error
	for _, day := range x.openDays() {
		errs = append(errs, x.with(ctx, day, func(p *part) error { return p.flush(ctx) }))
	}
	return errors.Join(append(errs, x.closeFiles())...)
}

func (x *Index) closeFiles() error {
	x.opening.Lock()
	defer x.opening.Unlock()
	x.shut = true
	x.mu.Lock()
	defer x.mu.Unlock()
	var errs []error
	for day, p := range x.parts {
		delete(x.parts, day)
		errs = append(errs, p.close())
	}
	if x.copies != nil {
		errs = append(errs, x.copies.close())
	}
	return errors.Join(errs...)
}

// openDays lists the days whose files are open.
func (x *Index) openDays() []int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	days := make([]int64, 0, len(x.parts))
	for day := range x.parts {
		days = append(days, day)
	}
	return days
}

// dayList returns what is known of all days, oldest first.
func (x *Index) dayList() []dayInfo {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]dayInfo, 0, len(x.days))
	for _, d := range x.days {
		list = append(list, *d)
	}
	slices.SortFunc(list, func(a, b dayInfo) int { return int(a.day - b.day) })
	return list
}

// note takes over what a file's writer has changed.
func (x *Index) note(p *part, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.days[p.day]
	if d == nil {
		d = &dayInfo{day: p.day}
		x.days[p.day] = d
	}
	d.file, d.state, d.open, d.written = true, p.state, len(p.open), now
}

// acquire returns the open file of a day, for release after use; nil when there is none and create is
// false.
func (x *Index) acquire(ctx context.Context, day int64, create bool) (*part, error) {
	if p := x.acquireOpen(day); p != nil {
		return p, nil
	}
	x.opening.Lock()
	defer x.opening.Unlock()
	if p := x.acquireOpen(day); p != nil {
		return p, nil
	}
	if x.shut {
		return nil, errClosed
	}
	x.mu.Lock()
	d := x.days[day]
	exists := d != nil && d.file
	x.mu.Unlock()
	if !exists && !create {
		return nil, nil
	}
	var seed func(*part) error
	if !exists && d != nil {
		seed = func(p *part) error { return x.copies.restore(ctx, p) }
	}
	p, err := openPart(context.WithoutCancel(ctx), x.dir, day, x.room, seed)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	x.uses++
	p.refs, p.used = 1, x.uses
	x.parts[day] = p
	idle := x.evict()
	x.mu.Unlock()
	for _, p := range idle {
		x.closePart(p)
	}
	return p, nil
}

// closePart closes a file that has no user; x.mu is not held, since it may take a checkpoint.
func (x *Index) closePart(p *part) {
	if err := p.close(); err != nil {
		x.log.Warn("close a file of the log index", slog.String("path", p.path), slog.Any("error", err))
	}
}

func (x *Index) acquireOpen(day int64) *part {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.parts[day]
	if p != nil {
		x.uses++
		p.refs++
		p.used = x.uses
	}
	return p
}

// evict takes out the files that have been unused longest, for the caller to close. Nothing is lost with
// them: what they gathered stands in the file, too.
func (x *Index) evict() []*part {
	var idle []*part
	for len(x.parts) > maxParts {
		var oldest *part
		for _, p := range x.parts {
			if p.refs == 0 && (oldest == nil || p.used < oldest.used) {
				oldest = p
			}
		}
		if oldest == nil {
			break
		}
		delete(x.parts, oldest.day)
		idle = append(idle, oldest)
	}
	return idle
}

// release ends the use of p; a file that was removed meanwhile is closed by its last user.
func (x *Index) release(p *part) {
	x.mu.Lock()
	p.refs--
	last := p.refs == 0 && x.parts[p.day] != p
	x.mu.Unlock()
	if last {
		x.closePart(p)
	}
}

// with calls fn with the file of a day, if there is one.
func (x *Index) with(ctx context.Context, day int64, fn func(*part) error) error {
	p, err := x.acquire(ctx, day, false)
	if err != nil || p == nil {
		return err
	}
	defer x.release(p)
	return fn(p)
}

// Size implements reqlog.Index.
func (x *Index) Size(context.Context) (rows, bytes int64, err error) {
	for _, d := range x.dayList() {
		if d.file {
			rows += d.rows
			bytes += sizeOf(filepath.Join(x.dir, dayName(d.day)))
		}
	}
	return rows, bytes + sizeOf(x.copies.path), nil
}
