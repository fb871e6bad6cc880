package reqlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// maker is the goroutine that does what keeps a file system busy, so that the appender only writes: it
// makes the next segment before it is needed, adds room to the files that are written, and cuts finished
// ones. What it has not done in time, or cannot do, the appender does itself.
//
// A segment made ahead is two files without headers, which no reader takes for one. It is removed when the
// log closes, when the disk is low, and at the next start after a crash.
type maker struct {
	log  *Log
	wake chan struct{}

	mu       sync.Mutex
	next     uint64 // number of the next segment
	spare    *pair  // made, not taken; nil: none
	plan     *plan  // of a spare that is wanted
	growing  [2]growth
	finished []*finished
}

// plan says how large the files of a segment are made at first, by kind, and at most.
type plan struct{ first, all [2]int64 }

// growth is room that is wanted; the zero growth is none.
type growth struct {
	room *room
	to   int64
}

func (m *maker) init(l *Log, next uint64) {
	m.log, m.next, m.wake = l, next, make(chan struct{}, 1)
}

// ask takes a wish in, under the mutex, and wakes the maker.
func (m *maker) ask(wish func()) {
	m.mu.Lock()
	wish()
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// want asks for a spare.
func (m *maker) want(p plan) { m.ask(func() { m.plan = &p }) }

// grow asks for room. A wish that was not fulfilled yet is replaced: the file has been left.
func (m *maker) grow(kind blockKind, r *room, to int64) {
	m.ask(func() { m.growing[kind] = growth{r, to} })
}

// finish asks for a finished segment to be cut.
func (m *maker) finish(f *finished) {
	m.ask(func() { m.finished = append(m.finished, f) })
}

// run fulfils wishes until ctx ends and the appender has.
func (m *maker) run(ctx context.Context) {
	for {
		select {
		case <-m.wake:
		case <-ctx.Done():
			<-m.log.appended
			m.discard()
			return
		}
		m.work()
	}
}

// work fulfils what was wished for up to now. A wish is forgotten before it is fulfilled, so that one that
// panics is not tried again.
func (m *maker) work() {
	m.mu.Lock()
	growing, cut, plan := m.growing, m.finished, m.plan
	m.growing, m.finished, m.plan = [2]growth{}, nil, nil
	m.mu.Unlock()
	for _, g := range growing {
		if g.room != nil {
			_ = g.room.grow(g.to) // the appender tries again, and its write tells
		}
	}
	if plan != nil {
		m.makeSpare(*plan)
	}
	for _, f := range cut {
		f.cut(m.log.catalog)
		m.log.keeper.kick()
	}
}

// makeSpare makes the segment after the present one, unless the disk is short of room.
func (m *maker) makeSpare(p plan) {
	k := &m.log.keeper
	if k.tight.Load() || k.bodiesFull.Load() {
		return
	}
	made, err := m.create(p, true)
	switch {
	case err == nil:
		made.named = syncDir(m.log.o.Dir) == nil
	case isFull(err): // no harm done
		return
	default:
		m.log.health.failed(m.log.o.Logger, "cannot make a log segment ahead", err)
		return
	}
	m.keep(made)
}

// keep makes a pair the spare. false: the appender could not wait for it, and it is removed.
func (m *maker) keep(made *pair) bool {
	m.mu.Lock()
	late := m.spare != nil || m.next != made.number+1
	if !late {
		m.spare = made
		m.log.catalog.spare.Store(made.size())
	}
	m.mu.Unlock()
	if late {
		m.remove(made)
	}
	return !late
}

// take returns a segment's files: the spare, or what it makes at once.
func (m *maker) take(p plan) (*pair, error) {
	m.mu.Lock()
	made := m.spare
	m.spare = nil
	m.mu.Unlock()
	if made != nil {
		m.log.catalog.spare.Store(0)
		return made, nil
	}
	return m.create(p, false)
}

// create makes a segment's files, with room; whole: or not at all. Numbers of files that are there but are
// no segments are passed over.
func (m *maker) create(p plan, whole bool) (*pair, error) {
	for {
		m.mu.Lock()
		number := m.next
		m.next++
		m.mu.Unlock()
		made, err := m.files(number, p, whole)
		if err == nil {
			return made, nil
		}
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		m.mu.Lock()
		if m.next == number+1 {
			m.next = number
		}
		m.mu.Unlock()
		return nil, err
	}
}

func (m *maker) files(number uint64, p plan, whole bool) (*pair, error) {
	made := &pair{number: number}
	most := [2]int64{kindRows: mostRowsRoom, kindBodies: mostBodyRoom}
	suffixes := [2]string{kindRows: rowsSuffix, kindBodies: bodiesSuffix}
	var all []*room
	for _, kind := range [...]blockKind{kindBodies, kindRows} {
		path := segmentPath(m.log.o.Dir, number, suffixes[kind])
		f, err := m.log.files.create(path)
		if err == nil {
			r := &room{file: f, path: path, most: min(most[kind], p.all[kind]), all: p.all[kind]}
			made.rooms[kind] = r
			all = append(all, r)
			if err = r.grow(p.first[kind]); err != nil && !whole {
				err = nil // a full disk is the write's to report
			}
		}
		if err != nil {
			for _, r := range all {
				err = errors.Join(err, r.discard())
			}
			return nil, fmt.Errorf("make segment: %w", err)
		}
	}
	return made, nil
}

// discard removes the spare.
func (m *maker) discard() {
	m.mu.Lock()
	made := m.spare
	m.spare, m.plan = nil, nil
	if made != nil && m.next == made.number+1 {
		m.next = made.number
	}
	m.mu.Unlock()
	if made != nil {
		m.log.catalog.spare.Store(0)
		m.remove(made)
	}
}

func (m *maker) remove(made *pair) {
	if err := made.discard(); err != nil {
		m.log.health.failed(m.log.o.Logger, "cannot remove a log segment that was made ahead", err)
	}
}
