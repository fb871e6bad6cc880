package reqlog

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
)

const (
	firstRoom    = 1 << 20 // what a file is allocated at first; it doubles by steps of up to mostRoom
	mostRowsRoom = 8 << 20
	mostBodyRoom = 32 << 20
)

// room is a file and the space that is allocated for it. The maker adds to it while the appender writes
// into it; when nothing more is written, what was not needed is cut off.
type room struct {
	file file
	path string
	most int64        // how much is added at once
	all  int64        // what the whole file may need; no more is made ahead
	end  atomic.Int64 // allocated up to here

	mu   sync.Mutex // held while the file system works, so the appender does not wait for it
	done bool       // cut, and perhaps closed
}

// grow allocates up to to. A file that is done is left as it is.
func (r *room) grow(to int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.allocate(to)
}

// growNow is grow, unless somebody is at it.
func (r *room) growNow(to int64) {
	if r.mu.TryLock() {
		defer r.mu.Unlock()
		_ = r.allocate(to) // a full disk is the write's to report
	}
}

// allocate is grow with r.mu held.
func (r *room) allocate(to int64) error {
	from := r.end.Load()
	if r.done || to <= from {
		return nil
	}
	if err := r.file.Allocate(from, to); err != nil {
		return err
	}
	r.end.Store(to)
	return nil
}

// step is by how much r grows when its end is at end.
func (r *room) step(end int64) int64 { return min(max(end, firstRoom), r.most) }

// finish cuts the file at end, unless that is negative, and lets it grow no more. Only the first call does
// anything.
func (r *room) finish(end int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return
	}
	r.done = true
	if end >= 0 {
		_ = r.file.Truncate(end) // what is left is zeroes, which end the reading as well
	}
}

// discard closes and removes the file.
func (r *room) discard() error {
	r.finish(-1)
	return errors.Join(r.file.Close(), os.Remove(r.path))
}

// pair is the files of a segment, by kind of their blocks. They have no header before the segment is opened.
type pair struct {
	number uint64
	rooms  [2]*room
	named  bool // their names are on disk
}

// discard closes and removes both files, that of the rows last: without it the other is not found again.
func (p *pair) discard() error {
	return errors.Join(p.rooms[kindBodies].discard(), p.rooms[kindRows].discard())
}

// size is the disk space of both.
func (p *pair) size() int64 { return p.rooms[kindRows].file.Size() + p.rooms[kindBodies].file.Size() }

// finished is a segment that nothing more is written to.
type finished struct {
	segment *segment
	rooms   [2]*room
	ends    [2]int64 // where the files are cut; negative: they are left as they are
	once    sync.Once
}

// cut gives back the room that was not needed. Only the first call does anything; it comes before the files
// are closed.
func (f *finished) cut(c *catalog) {
	f.once.Do(func() {
		for kind, r := range f.rooms {
			r.finish(f.ends[kind])
		}
		rows, bodies := f.rooms[kindRows].file.Size(), f.rooms[kindBodies].file.Size()
		c.set(func() {
			if s := f.segment; s.generation == 0 { // else these are no longer its files
				s.disk[kindRows] = rows
				if !s.bodiesGone {
					s.disk[kindBodies] = bodies
				}
			}
		})
	})
}
