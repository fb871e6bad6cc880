package reqlog

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

const (
	keepEvery = time.Minute
	// roomEvery is how often the disk's room is looked at.
	roomEvery = 5 * time.Second
	// A clock that is wrong must not empty the log: in an hour, retention by age drops what two days
	// brought, whatever the clock says.
	paceEvery = time.Hour
	paceDrops = 48 * time.Hour

	// reserveBytes is kept in a file that is removed when the disk is full: counts go on into its
	// room, and the index needs some to delete rows.
	reserveBytes = 16 << 20
	// reserveWhen is how much must be free for the reserve to be made.
	reserveWhen = 8 * reserveBytes
	// roomAgain is how much must be free, after the disk was full, for all to be stored again. It is
	// more than the reserve, whose removal must not be taken for room.
	roomAgain = 2 * reserveBytes
)

// keeper is the goroutine that lets the log give way: retention, a full disk, recompression.
type keeper struct {
	log        *Log
	retention  atomic.Pointer[Retention]
	capsNow    atomic.Pointer[func() []Cap]
	free       atomic.Int64 // of the file system, as last seen; -1: not known
	bodiesFull atomic.Bool  // the appender found no room for bodies
	rowsFull   atomic.Bool  // nor for rows
	wake       chan struct{}

	rowsPace, bodiesPace pace
	trimmed              time.Time   // what Store.Trim was last told
	stopped              bool        // by StopInserting
	tight                atomic.Bool // low is not 0
	low                  int         // 1: the disk is too low for bodies, 2: for rows too
	use                  use         // as of the last look, to see whether the process is idle
	idle                 int         // looks in a row at which it was
	hold                 hold
	erasing              erasing
}

func (k *keeper) init(l *Log, r Retention) {
	k.log, k.wake = l, make(chan struct{}, 1)
	k.retention.Store(&r)
	k.free.Store(l.files.free(l.o.Dir))
}

// set changes the retention and puts it to work.
func (k *keeper) set(r Retention) {
	k.retention.Store(&r)
	k.log.append.wholeSize.Store(r.MaxBytes)
	k.kick()
}

// kick makes the keeper look at once.
func (k *keeper) kick() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// What Stats.State says of a full disk.
const (
	bodiesFullState = "disk full: bodies off"
	rowsFullState   = "disk full: rows off"
)

// fullForBodies drops bodies until the disk has room again.
func (k *keeper) fullForBodies() {
	k.bodiesFull.Store(true)
	k.log.bodiesOff.Store(true)
	k.log.health.set(troubleBodies, bodiesFullState)
}

// fullForRows drops rows but for their counts, until the disk has room again.
func (k *keeper) fullForRows() {
	k.rowsFull.Store(true)
	k.log.rowsOff.Store(true)
	k.log.health.set(troubleRows, rowsFullState)
}

// run looks after the log until ctx ends.
func (k *keeper) run(ctx context.Context) {
	keep, room := time.NewTicker(keepEvery), time.NewTicker(roomEvery)
	defer keep.Stop()
	defer room.Stop()
	k.contain(func() { k.keep(ctx) })
	for {
		select {
		case <-keep.C:
			k.contain(func() { k.keep(ctx) })
		case <-k.wake:
			k.contain(func() { k.keep(ctx) })
		case <-room.C:
			k.contain(func() { k.room(ctx) })
			k.contain(k.reserve)
			k.contain(func() { k.caps(ctx) })
			k.contain(func() { k.erase(ctx) })
			k.contain(func() { k.repack(ctx) })
		case <-ctx.Done():
			return
		}
	}
}

// contain does one of the keeper's tasks, when nobody holds the log. A panic of one keeps none of the others from being done.
func (k *keeper) contain(task func()) {
	k.hold.task.Lock()
	defer k.hold.task.Unlock()
	_ = k.log.contain("keeper", func() error { task(); return nil })
}

// keep puts the retention to work.
func (k *keeper) keep(ctx context.Context) {
	r := *k.retention.Load()
	if r.MaxAge > 0 {
		k.byAge(ctx, time.Now(), r.MaxAge)
	}
	if r.MaxBodyAge > 0 {
		k.bodiesByAge(time.Now(), r.MaxBodyAge)
	}
	stop := k.bySize(ctx, r)
	if stop != k.stopped {
		k.stopped = stop
		state := ""
		if stop {
			state = "log full: new entries are only counted"
		}
		k.log.health.set(troubleStop, state)
	}
	k.room(ctx)
}

// byAge drops the segments, and trims the index, of what is older than age.
func (k *keeper) byAge(ctx context.Context, now time.Time, age time.Duration) {
	cutoff := k.rowsPace.allow(now.Add(-age), k.oldest(), now)
	k.dropBefore(cutoff)
	// The index removes single rows only with effort: once an hour's worth has come together.
	if cutoff = cutoff.Truncate(time.Hour); cutoff.After(k.trimmed) {
		k.trim(ctx, cutoff)
	}
}

// dropBefore drops the segments all of whose exchanges started before t.
func (k *keeper) dropBefore(t time.Time) {
	for _, s := range k.log.catalog.all() {
		if !k.indexed(s) || k.newest(s) >= t.UnixMilli() {
			return
		}
		if !k.drop(s) {
			return
		}
	}
}

// bodiesByAge drops the bodies files of segments all of whose exchanges are older than age.
func (k *keeper) bodiesByAge(now time.Time, age time.Duration) {
	cutoff := k.bodiesPace.allow(now.Add(-age), k.oldest(), now).UnixMilli()
	for _, s := range k.log.catalog.all() {
		if !s.sealed.Load() || k.newest(s) >= cutoff {
			return
		}
		if !k.log.catalog.view(s).bodiesGone {
			k.failed(k.log.catalog.dropBodies(s))
		}
	}
}

// bySize holds the log to MaxRows and MaxBytes. stop: new entries are to be counted only.
func (k *keeper) bySize(ctx context.Context, r Retention) (stop bool) {
	if r.MaxRows <= 0 && r.MaxBytes <= 0 {
		return false
	}
	rows, bytes, err := k.log.store.Size(ctx)
	if err != nil {
		k.failed(err)
		return k.stopped
	}
	tooMany := r.MaxRows > 0 && rows > r.MaxRows
	tooLarge := r.MaxBytes > 0 && k.log.catalog.bytes()+bytes > r.MaxBytes
	if r.StopInserting {
		return tooMany || tooLarge || r.MaxRows > 0 && rows == r.MaxRows
	}
	if tooMany {
		cutoff, err := k.log.store.Cutoff(ctx, r.MaxRows)
		if err == nil && !cutoff.IsZero() {
			k.trim(ctx, cutoff)
			k.dropBefore(cutoff)
		}
		k.failed(err)
	}
	if tooLarge {
		k.shrink(ctx, func() bool { return k.log.catalog.bytes()+bytes <= r.MaxBytes })
	}
	return false
}

// shrink drops the oldest segments until enough says so. Rows that the index does not have yet are not
// dropped, only their bodies.
func (k *keeper) shrink(ctx context.Context, enough func() bool) {
	var newest int64
	for _, s := range k.log.catalog.all() {
		if enough() || !s.sealed.Load() {
			break
		}
		start := k.newest(s)
		if !k.indexed(s) {
			k.failed(k.log.catalog.dropBodies(s))
			continue
		}
		if !k.drop(s) {
			break
		}
		newest = max(newest, start)
	}
	if newest > 0 {
		k.trim(ctx, time.UnixMilli(newest+1).UTC())
	}
}

// trim removes the index's rows before t.
func (k *keeper) trim(ctx context.Context, t time.Time) {
	if _, err := k.log.store.Trim(ctx, t); err != nil {
		k.failed(err)
		return
	}
	k.trimmed = t
}

// drop removes a segment. false: it could not.
func (k *keeper) drop(s *segment) bool {
	err := k.log.catalog.drop(s)
	k.failed(err)
	return err == nil
}

// indexed reports whether the index has all of s, which is finished.
func (k *keeper) indexed(s *segment) (indexed bool) {
	if !s.sealed.Load() {
		return false
	}
	k.log.progress.get(func(p *progress) {
		indexed = p.recovered && (p.indexed.Segment > s.number || !p.indexed.Less(p.head))
	})
	return indexed
}

// oldest returns when the oldest segment was made.
func (k *keeper) oldest() time.Time {
	if s := k.log.catalog.from(0); s != nil {
		return s.created
	}
	return time.Now()
}

// newest returns the start of the newest exchange in s, which is finished, in unix milliseconds. What
// a dead process left is looked through for it, once.
func (k *keeper) newest(s *segment) int64 {
	if n := k.log.catalog.view(s).newest; n != 0 {
		return n
	}
	newest, deletes := s.created.UnixMilli(), false
	f, err := os.Open(segmentPath(k.log.o.Dir, s.number, rowsSuffix))
	if err == nil {
		defer f.Close()
		for off := int64(fileHeaderSize); ; {
			h, err := readHeader(f, off, unknownEnd, s.number)
			if err != nil || h.kind != kindRows {
				break
			}
			newest, deletes = max(newest, h.newest), deletes || h.deletes
			off += blockHeaderSize + int64(h.stored)
		}
	}
	k.log.catalog.set(func() { s.newest, s.deletes = newest, s.deletes || deletes })
	return newest
}

// room looks at what the disk has left and decides what is still stored: first the oldest segments go,
// then no bodies are taken, then no rows.
func (k *keeper) room(ctx context.Context) {
	dir, r := k.log.o.Dir, *k.retention.Load()
	if k.rowsFull.Load() {
		err := os.Remove(filepath.Join(dir, reserveName))
		if !errors.Is(err, fs.ErrNotExist) {
			k.failed(err)
		}
	}
	free := k.log.files.free(dir)
	if k.bodiesFull.Load() || r.MinFree > 0 && free >= 0 && free < r.MinFree {
		k.log.maker.discard()
		free = k.log.files.free(dir)
	}
	if r.MinFree > 0 && free >= 0 && free < r.MinFree && !r.StopInserting {
		k.shrink(ctx, func() bool { return k.log.files.free(dir) >= r.MinFree })
		free = k.log.files.free(dir)
	}
	k.free.Store(free)
	k.low = 0
	if r.MinFree > 0 && free >= 0 {
		if free < r.MinFree {
			k.low = 1
		}
		if free < r.MinFree/4 {
			k.low = 2
		}
	}
	k.tight.Store(k.low > 0)
	if free < 0 || free >= roomAgain {
		k.bodiesFull.Store(false)
		k.rowsFull.Store(false)
	}
	k.apply()
}

// apply tells the queue what may be stored.
func (k *keeper) apply() {
	bodies, rows := "", ""
	switch {
	case k.low > 0:
		bodies = "disk low: bodies off"
	case k.bodiesFull.Load():
		bodies = bodiesFullState
	}
	switch {
	case k.low > 1:
		rows = "disk low: rows off"
	case k.rowsFull.Load():
		rows = rowsFullState
	}
	k.log.bodiesOff.Store(bodies != "")
	k.log.rowsOff.Store(rows != "" || k.stopped)
	bodiesNews, rowsNews := k.log.health.set(troubleBodies, bodies), k.log.health.set(troubleRows, rows)
	if bodiesNews || rowsNews {
		k.log.o.Logger.Warn("room for the log has changed", "bodies", bodies, "rows", rows, "free_bytes", k.free.Load())
	}
}

// reserve makes the reserve again once there is plenty of room.
func (k *keeper) reserve() {
	path := filepath.Join(k.log.o.Dir, reserveName)
	if k.free.Load() < reserveWhen {
		return
	}
	f, err := k.log.files.create(path)
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err == nil {
		err = errors.Join(f.Allocate(0, reserveBytes), f.Close())
	}
	if err != nil {
		_ = os.Remove(path)
		k.failed(err)
	}
}

func (k *keeper) failed(err error) {
	if err != nil {
		k.log.health.failed(k.log.o.Logger, "cannot make room in the log", err)
	}
}

// pace holds a cutoff back, lest a wrong clock empty the log.
type pace struct {
	since time.Time // begin of the interval; its monotonic reading counts
	base  time.Time // what the cutoff was then
	at    time.Time // what the cutoff is
}

// allow returns the cutoff that may be used in place of want. oldest is the time of the oldest data.
func (p *pace) allow(want, oldest, now time.Time) time.Time {
	if p.since.IsZero() || now.Sub(p.since) >= paceEvery {
		p.since, p.base = now, oldest
		if p.at.After(p.base) {
			p.base = p.at
		}
	}
	if most := p.base.Add(paceDrops); want.After(most) {
		want = most
	}
	if want.After(p.at) {
		p.at = want
	}
	return want
}
