package reqlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	sluice "github.com/sluicehq/sluice"
)

const (
	// eraseAfter is how long after its record a deletion is carried out in the files: who was reading has ended then.
	eraseAfter = 10 * time.Second
	// rollAfter is how long a segment that may hold what was deleted is still written to, and rollEvery how far
	// apart two are that are closed for that.
	rollAfter = time.Minute
	rollEvery = 10 * time.Minute
)

// erasing is what the keeper remembers of deletions.
type erasing struct {
	begun  bool // those of earlier processes are known
	rolled time.Time
}

// erase carries deletions out in the files. It runs however busy the process is, for that was promised, and
// takes half a core at most.
func (k *keeper) erase(ctx context.Context) {
	if !k.erasing.begun {
		k.erasing.begun = true
		k.earlierDeletions()
	}
	var deleted, indexed Pos
	var at time.Time
	k.log.progress.get(func(p *progress) { deleted, at, indexed = p.deleted, p.deletedAt, p.indexed })
	now := time.Now()
	if deleted == (Pos{}) || now.Sub(at) < eraseAfter || indexed.Less(deleted) {
		return
	}
	if err := k.carryOut(ctx, deleted); err != nil && !errors.Is(err, errBusy) && ctx.Err() == nil {
		k.failed(fmt.Errorf("remove what was deleted from the log's files: %w", err))
	}
	// The segment that is being written holds the newest exchanges, which are deleted as any others.
	all := k.log.catalog.all()
	if len(all) == 0 || now.Sub(at) < rollAfter || now.Sub(k.erasing.rolled) < rollEvery {
		return
	}
	if s := all[len(all)-1]; !s.sealed.Load() && !s.created.After(at) {
		k.erasing.rolled = now
		k.log.append.rollSoon.Store(true)
	}
}

// earlierDeletions looks which segments of earlier processes have deletions in them: whether those were carried out
// is not known.
func (k *keeper) earlierDeletions() {
	var last uint64
	for _, s := range k.log.catalog.all() {
		if s.number >= k.log.oldEnd.Segment {
			break
		}
		k.newest(s) // which finds deletions, too, where there is no end block
		if k.log.catalog.view(s).deletes {
			last = s.number
		}
	}
	if last > 0 {
		k.log.progress.update(func(p *progress) { p.deleted = later(p.deleted, Pos{Segment: last + 1}) })
	}
}

// carryOut removes what deletions before mark have removed from the log from its files, too.
func (k *keeper) carryOut(ctx context.Context, mark Pos) error {
	if err := k.log.store.Scrub(ctx); err != nil {
		return err
	}
	var due []*segment
	for _, s := range k.log.catalog.all() {
		if k.indexed(s) && k.log.catalog.view(s).clean.Less(mark) {
			due = append(due, s)
		}
	}
	if len(due) == 0 {
		return nil
	}
	p, err := newPacker(ctx, k.log)
	if err != nil {
		return err
	}
	defer p.close()
	p.always = true
	e := eraser{packer: p, rows: map[uint64]map[sluice.ID]bool{}, bodies: map[uint64]map[uint32][]Part{}}
	for _, s := range due {
		if err := e.find(ctx, s); err != nil {
			return err
		}
	}
	if err := e.rewrite(); err != nil {
		return err
	}
	k.log.catalog.set(func() {
		for _, s := range due {
			s.clean = mark
		}
	})
	return nil
}

// eraser overwrites what segments hold of deleted exchanges.
type eraser struct {
	packer *packer
	rows   map[uint64]map[sluice.ID]bool // by segment: exchanges that have records in it
	bodies map[uint64]map[uint32][]Part  // by segment and block
}

// find looks a segment's records through for deleted exchanges.
func (e *eraser) find(ctx context.Context, s *segment) error {
	l := e.packer.log
	r := newRowsReader(l, Pos{Segment: s.number})
	defer r.close()
	for {
		records, err := e.some(r, s)
		if err != nil || len(records) == 0 {
			return err
		}
		ids := make([]sluice.ID, len(records))
		for i := range records {
			ids[i] = records[i].Entry.ID
		}
		erased, err := l.store.Erased(ctx, ids)
		if err != nil {
			return err
		}
		for i := range records {
			if erased[i] {
				e.note(s, &records[i])
			}
		}
		if err := e.packer.rest(len(r.block)); err != nil {
			return err
		}
	}
}

// some reads the next records that tell of exchanges, of about a block; none: the segment is at its end.
func (e *eraser) some(r *rowsReader, s *segment) (records []Record, err error) {
	for len(records) == 0 || len(r.left) > 0 {
		b, pos, err := r.next()
		if errors.Is(err, io.EOF) || err == nil && pos.Segment != s.number {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		var one Record
		if decodeRecord(string(b), &one, e.packer.log.catalog.body) == nil && one.tells() {
			records = append(records, one)
		}
	}
	return records, nil
}

// tells reports whether r says more of an exchange than what is kept when that is deleted.
func (r *Record) tells() bool {
	return r.Kind == KindEntry && !r.CountOnly || r.Kind == KindOpen || r.Kind == KindPatch && r.Changes != 0
}

// note marks what a deleted exchange has in the files. Bodies may lie in an earlier segment than their record.
func (e *eraser) note(s *segment, r *Record) {
	if e.rows[s.number] == nil {
		e.rows[s.number] = map[sluice.ID]bool{}
	}
	e.rows[s.number][r.Entry.ID] = true
	for _, parts := range r.Parts {
		for _, p := range parts {
			if e.bodies[p.Segment] == nil {
				e.bodies[p.Segment] = map[uint32][]Part{}
			}
			e.bodies[p.Segment][p.Block] = append(e.bodies[p.Segment][p.Block], p)
		}
	}
}

// rewrite writes the files anew that hold something. All bodies first: once a record is gone, nothing tells
// where they lie.
func (e *eraser) rewrite() error {
	c := e.packer.log.catalog
	for number, blocks := range e.bodies {
		s := c.get(number)
		if s == nil || c.view(s).bodiesGone {
			continue
		}
		if !s.sealed.Load() {
			return fmt.Errorf("segment %d is being written: a record behind its bodies is not", number) // cannot be
		}
		e.packer.edit = func(h blockHeader, payload []byte) ([]byte, bool) { return blank(payload, blocks[uint32(h.number)]) }
		if err := e.packer.file(s, kindBodies, bodiesSuffix); err != nil {
			return err
		}
	}
	for number, ids := range e.rows {
		s := c.get(number)
		if s == nil {
			continue
		}
		v := c.view(s)
		e.packer.half = !v.packed && !v.bodiesGone && e.bodies[number] == nil
		e.packer.edit = func(_ blockHeader, payload []byte) ([]byte, bool) { return withoutRecords(payload, ids) }
		if err := e.packer.file(s, kindRows, rowsSuffix); err != nil {
			return err
		}
	}
	return nil
}

// blank overwrites parts of a block of bodies.
func blank(payload []byte, parts []Part) ([]byte, bool) {
	for _, p := range parts {
		if end := uint64(p.Offset) + uint64(p.Length); end <= uint64(len(payload)) {
			clear(payload[p.Offset:end])
		}
	}
	return payload, len(parts) > 0
}

// withoutRecords leaves of the records of some exchanges what is counted. All records stay where they are.
func withoutRecords(payload []byte, ids map[sluice.ID]bool) (clean []byte, changed bool) {
	nowhere := func(uint64) (uint64, uint32) { return 0, 0 }
	for left := payload; len(left) > 0; {
		fields, rest, err := splitRecord(left)
		if err != nil {
			return append(clean, left...), changed
		}
		var r Record
		whole := left[:len(left)-len(rest)]
		left = rest
		if decodeRecord(string(fields), &r, nowhere) != nil || !r.tells() || !ids[r.Entry.ID] {
			clean = append(clean, whole...)
			continue
		}
		changed = true
		if r.Kind == KindEntry {
			clean = appendErased(clean, &r.Entry)
		} else {
			clean = appendPatch(clean, 0, &sluice.LogEntry{ID: r.Entry.ID, Start: r.Entry.Start})
		}
	}
	return clean, changed
}
