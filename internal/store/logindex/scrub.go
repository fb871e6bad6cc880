package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// Scrub implements reqlog.Index.
//
// A row goes when its deletion is applied. What is left then of its exchange is scrubbed here: its data, which lies
// among that of others and may be there several times; a base that was made of it; texts, metadata
// above all, that no other row has; and the write-ahead log. Free pages hold nothing: the files are kept with
// secure_delete.
func (x *Index) Scrub(ctx context.Context) error {
	for _, d := range x.dayList() {
		if !d.file || !d.dirty {
			continue
		}
		if err := x.with(ctx, d.day, func(p *part) error { return x.scrub(ctx, p) }); err != nil {
			return fmt.Errorf("scrub day %s: %w", dayName(d.day), err)
		}
	}
	return nil
}

// scrubBlobs is how many rows of more one step looks at.
const scrubBlobs = 50

func (x *Index) scrub(ctx context.Context, p *part) error {
	s := &scrubbing{p: p}
	if err := x.begin(ctx, s); err != nil {
		return err
	}
	for at := int64(0); at < s.last; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if at, err = x.scrubSome(ctx, s, at); err != nil {
			return err
		}
	}
	x.write.Lock()
	defer x.write.Unlock()
	if x.closed {
		return errClosed
	}
	if err := s.finish(ctx); err != nil {
		return err
	}
	if whole, err := p.checkpoint(ctx); err != nil || !whole || p.erasures != s.erasures {
		return err // once more, then
	}
	state := p.state
	state.dirty = false
	if err := p.tx(ctx, func() error { return p.saveState(ctx, state) }); err != nil {
		return err
	}
	p.state = state
	x.note(p, time.Now())
	return nil
}

// scrubbing is one call of Scrub for one file.
type scrubbing struct {
	p        *part
	erasures int // of the part when it began
	last     int64
	used     []int64 // places in more that rows have, sorted
	tainted  map[int64]*reqlog.Base
}

// begin learns what is in use, and sees to it that no new row is told by what was deleted.
func (x *Index) begin(ctx context.Context, s *scrubbing) error {
	x.write.Lock()
	defer x.write.Unlock()
	if x.closed {
		return errClosed
	}
	p := s.p
	s.erasures, s.last, s.tainted = p.erasures, p.lastMore, map[int64]*reqlog.Base{}
	err := all(ctx, p.conn, func(r *sql.Rows) error {
		var id int64
		var b sql.RawBytes
		err := r.Scan(&id, &b)
		if err == nil {
			s.tainted[id], err = reqlog.NewBase(string(b))
		}
		return err
	}, "SELECT id, entry FROM bases WHERE origin IS NULL OR origin IN (SELECT id FROM erased)")
	if err != nil {
		return err
	}
	p.bases.forget()
	p.bases.banned = map[int64]bool{}
	for id := range s.tainted {
		p.bases.banned[id] = true
	}
	// What readers have in their hands may still be told by them when they are gone.
	p.readBases.keep(s.tainted)
	err = all(ctx, p.conn, func(r *sql.Rows) error {
		var more int64
		err := r.Scan(&more)
		s.used = append(s.used, more)
		return err
	}, "SELECT more FROM rows")
	slices.Sort(s.used)
	return err
}

// scrubSome goes through the data of some rows.
func (x *Index) scrubSome(ctx context.Context, s *scrubbing, after int64) (at int64, err error) {
	x.write.Lock()
	defer x.write.Unlock()
	if x.closed {
		return 0, errClosed
	}
	blobs := map[int64][]byte{}
	at = s.last
	err = all(ctx, s.p.conn, func(r *sql.Rows) error {
		var b []byte
		err := r.Scan(&at, &b)
		blobs[at] = b
		return err
	}, "SELECT id, data FROM more WHERE id > ? AND id <= ? ORDER BY id LIMIT ?", after, s.last, scrubBlobs)
	if err != nil {
		return 0, err
	}
	if len(blobs) < scrubBlobs {
		at = s.last
	}
	return at, s.p.tx(ctx, func() error {
		for _, id := range slices.Sorted(maps.Keys(blobs)) {
			clean, left, err := s.blob(id, blobs[id])
			switch {
			case err != nil:
			case !left:
				err = s.p.exec(ctx, "DELETE FROM more WHERE id = ?", id)
			case clean != nil:
				err = s.p.exec(ctx, "UPDATE more SET data = ? WHERE id = ?", clean, id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// blob returns a row of more without what no row has, and without what is told by a tainted base; nil: there
// is nothing to change. left: some row has something in it.
func (s *scrubbing) blob(id int64, b []byte) (clean []byte, left bool, err error) {
	var rows []row
	changed := false
	r := cellReader{left: b}
	for place := id * morePlaces; len(r.left) > 0; place++ {
		n := r.unsigned()
		if r.bad || n > uint64(len(r.left)) {
			return nil, true, errData
		}
		data := r.left[:n]
		r.left = r.left[n:]
		if _, used := slices.BinarySearch(s.used, place); !used {
			changed = changed || n > 0
			rows = append(rows, row{})
			continue
		}
		left = true
		retold, err := s.retell(data)
		if err != nil {
			return nil, true, err
		}
		if retold != nil {
			changed, data = true, retold
		}
		rows = append(rows, row{data: data})
	}
	if !changed {
		return nil, left, nil
	}
	return appendMore(nil, rows), left, nil
}

// retell tells a row's data by no base when its own is tainted; nil: it is not.
func (s *scrubbing) retell(data []byte) ([]byte, error) {
	r, _, id, err := readParts(data)
	if err != nil {
		return nil, err
	}
	base := s.tainted[id]
	if base == nil {
		return nil, nil
	}
	entry, err := base.Append(nil, r.left)
	if err != nil {
		return nil, err
	}
	parts, rest := data[:len(data)-len(r.left)], s.p.bases.empty
	// The base's number is the last of what comes before the delta.
	head := append([]byte{}, parts[:len(parts)-uvarintLen(uint64(id))]...)
	return rest.AppendDelta(append(head, 0), string(entry), false), nil
}

func uvarintLen(n uint64) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// finish removes bases, shapes and texts that no row has.
func (s *scrubbing) finish(ctx context.Context) error {
	p := s.p
	gone := map[int64]bool{}
	const loose = `FROM texts WHERE kind = 10 AND id NOT IN (SELECT meta FROM rows)
		OR kind IN (4, 5, 7, 8, 9) AND id NOT IN (SELECT endpoint FROM shapes UNION SELECT type FROM shapes UNION SELECT agent FROM shapes
			UNION SELECT error FROM shapes UNION SELECT request_type FROM shapes UNION SELECT response_type FROM shapes)`
	err := p.tx(ctx, func() error {
		for id := range s.tainted {
			if err := p.exec(ctx, "DELETE FROM bases WHERE id = ?", id); err != nil {
				return err
			}
		}
		if err := p.exec(ctx, "DELETE FROM shapes WHERE id NOT IN (SELECT shape FROM rows)"); err != nil {
			return err
		}
		err := all(ctx, p.conn, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			gone[id] = true
			return err
		}, "SELECT id "+loose)
		if err != nil {
			return err
		}
		return p.exec(ctx, "DELETE "+loose)
	})
	p.bases.forget()
	p.shapes.forget()
	if err != nil {
		return err
	}
	maps.DeleteFunc(p.texts.known, func(_ textKey, id int64) bool { return gone[id] })
	p.matches.forget()
	return nil
}

// forget drops what is remembered: some of its texts are gone.
func (m *matches) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.size = nil, 0
}

// keep remembers bases that are about to go.
func (n *readBases) keep(bases map[int64]*reqlog.Base) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byID == nil {
		n.byID = map[int64]*reqlog.Base{}
	}
	maps.Copy(n.byID, bases)
}
