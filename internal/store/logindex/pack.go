package logindex

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// group is the cells of one question and scope.
type group struct{ question, scope int32 }

// packing collects what a group has of a day.
type packing struct {
	whole map[int32]*cell // the day's sums, by value
	hours []byte
}

// A pack is cells one after another, each with its value and its length before it and, in a pack of hours, with the
// hour of the day before that.

// add adds a stored cell of an hour.
func (p *packing) add(at int64, value int32, b []byte) error {
	if p.whole == nil {
		p.whole = map[int32]*cell{}
	}
	sum := p.whole[value]
	if sum == nil {
		sum = &cell{}
		p.whole[value] = sum
	}
	r := cellReader{left: b}
	if err := r.add(sum); err != nil {
		return err
	}
	p.hours = binary.AppendUvarint(p.hours, uint64(at%dayMinutes/grainHour))
	p.hours = appendPacked(p.hours, value, b)
	return nil
}

func appendPacked(b []byte, value int32, cell []byte) []byte {
	b = binary.AppendVarint(b, int64(value))
	b = binary.AppendUvarint(b, uint64(len(cell)))
	return append(b, cell...)
}

// sums returns the pack of the whole day.
func (p *packing) sums() []byte {
	b, one := []byte{}, []byte{}
	for _, value := range slices.Sorted(maps.Keys(p.whole)) {
		one = p.whole[value].append(one[:0])
		b = appendPacked(b, value, one)
	}
	return b
}

// eachPacked calls fn with the cells of a pack of a day, and the unix minutes at which they begin.
func eachPacked(b []byte, day int64, whole bool, fn func(at int64, value int32, cell []byte) error) error {
	r, hour := cellReader{left: b}, uint64(0)
	for len(r.left) > 0 {
		if !whole {
			hour = r.unsigned()
		}
		value, one := r.packed()
		if r.bad || hour >= dayMinutes/grainHour {
			return errCell
		}
		if err := fn(day*dayMinutes+int64(hour)*grainHour, value, one); err != nil {
			return err
		}
	}
	if r.bad {
		return errCell
	}
	return nil
}

// packed reads a value and the bytes of its cell.
func (r *cellReader) packed() (value int32, cell []byte) {
	value = int32(r.signed())
	n := r.unsigned()
	if r.bad || n > uint64(len(r.left)) {
		r.bad, r.left = true, nil
		return 0, nil
	}
	cell, r.left = r.left[:n:n], r.left[n:]
	return value, cell
}

// savePack writes the pack of a group's day, in a transaction of c.
func (c *copies) savePack(ctx context.Context, g group, day int64, p *packing) error {
	err := c.exec(ctx, "INSERT INTO packs (question, scope, day, whole, hours) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET whole = excluded.whole, hours = excluded.hours",
		g.question, g.scope, day, p.sums(), p.hours)
	if err != nil {
		return fmt.Errorf("pack a day: %w", err)
	}
	return nil
}

// nextGroup returns the group after g, in the order of the table; false: there is none.
func (p *part) nextGroup(ctx context.Context, g group) (next group, found bool, err error) {
	err = all(ctx, p.read, func(r *sql.Rows) error {
		found = true
		return r.Scan(&next.question, &next.scope)
	}, "SELECT question, scope FROM rollups WHERE (question, scope) > (?, ?) ORDER BY question, scope LIMIT 1", g.question, g.scope)
	return next, found, err
}

// copyGroup copies a group's cells, but for those of single minutes, which days' files keep to themselves.
func (x *Index) copyGroup(ctx context.Context, p *part, g group, ids map[int32]int32) error {
	var pack packing
	from := grainKey{cellKey{question: g.question, scope: g.scope}, grainMinute + 1}
	for more := true; more; {
		var err error
		if from, more, err = x.copySome(ctx, p, from, ids, &pack); err != nil {
			return err
		}
	}
	return nil
}

// copySome copies some of a group's cells from a place on, and with the last of them the group's pack.
func (x *Index) copySome(ctx context.Context, p *part, from grainKey, ids map[int32]int32, pack *packing) (next grainKey, more bool, err error) {
	x.write.Lock()
	defer x.write.Unlock()
	cells := make([]storedCell, 0, copyCells)
	err = all(ctx, p.read, func(r *sql.Rows) error {
		var one storedCell
		err := one.scan(r)
		cells = append(cells, one)
		return err
	}, "SELECT "+cellColumns+" FROM rollups WHERE question = ? AND scope = ? AND (grain, at, value) >= (?, ?, ?) ORDER BY grain, at, value LIMIT ?",
		from.question, from.scope, from.grain, from.at, from.value, copyCells)
	if err != nil {
		return from, false, err
	}
	if more = len(cells) == copyCells; more {
		next = cells[len(cells)-1].grainKey
		next.value++
	}
	c := x.copies
	err = c.tx(ctx, func() error {
		var g group
		for i := range cells {
			one := &cells[i]
			if err := one.translate(ctx, &p.texts, &c.texts, ids); err != nil {
				return err
			}
			if err := c.exec(ctx, "INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?)", one.question, one.scope, one.grain, one.at, one.value, one.cell); err != nil {
				return err
			}
			if g = (group{one.question, one.scope}); one.grain == grainHour {
				if err := pack.add(one.at, one.value, one.cell); err != nil {
					return err
				}
			}
		}
		if more || len(pack.hours) == 0 {
			return nil
		}
		return c.savePack(ctx, g, p.day, pack)
	})
	if err != nil {
		err = errors.Join(err, c.texts.forget(ctx))
	}
	return next, more, err
}

// storedCells reads the cells that a group has in a piece, of one file.
type storedCells struct {
	f     *file
	packs map[int64]bool // days that are read from packs
	// whole reports whether the cells of a day are wanted in one sum.
	whole func(day int64) bool
}

// source is where the cells of a day are read.
type source int

const (
	bySingle source = iota // one by one
	byHours                // a pack of hours
	byDay                  // a pack of the whole day
)

// source returns where those of a day are read that lie in a piece of hours.
func (s *storedCells) source(day int64, one piece) source {
	switch {
	case !s.packs[day]:
		return bySingle
	case one.from <= day*dayMinutes && (day+1)*dayMinutes <= one.to && s.whole(day):
		return byDay
	}
	return byHours
}

// each calls fn with the group's cells in a piece, and where they begin. Where a whole day is wanted in one sum, its
// cells can come as that.
func (s *storedCells) each(ctx context.Context, g group, one piece, fn func(at int64, value int32, cell []byte) error) error {
	if one.grain != grainHour || len(s.packs) == 0 {
		return s.eachRow(ctx, g, one, fn)
	}
	for from := one.from; from < one.to; {
		now := s.source(from/dayMinutes, one)
		to := from
		for to < one.to && s.source(to/dayMinutes, one) == now {
			to = (to/dayMinutes + 1) * dayMinutes
		}
		stretch := piece{one.grain, from, min(to, one.to)}
		var err error
		if now == bySingle {
			err = s.eachRow(ctx, g, stretch, fn)
		} else {
			err = s.eachPack(ctx, g, stretch, now == byDay, fn)
		}
		if err != nil {
			return err
		}
		from = stretch.to
	}
	return nil
}

func (s *storedCells) eachPack(ctx context.Context, g group, one piece, whole bool, fn func(at int64, value int32, cell []byte) error) error {
	type pack struct {
		day   int64
		cells []byte
	}
	column := "hours"
	if whole {
		column = "whole"
	}
	var packs []pack // fn looks names up through the same pool, so after the query
	err := all(ctx, s.f.read, func(r *sql.Rows) error {
		var p pack
		err := r.Scan(&p.day, &p.cells)
		packs = append(packs, p)
		return err
	}, "SELECT day, "+column+" FROM packs WHERE question = ? AND scope = ? AND day >= ? AND day <= ?",
		g.question, g.scope, one.from/dayMinutes, (one.to-1)/dayMinutes)
	if err != nil {
		return err
	}
	for _, p := range packs {
		err := eachPacked(p.cells, p.day, whole, func(at int64, value int32, cell []byte) error {
			if at < one.from || at >= one.to {
				return nil
			}
			return fn(at, value, cell)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *storedCells) eachRow(ctx context.Context, g group, one piece, fn func(at int64, value int32, cell []byte) error) error {
	type stored struct {
		at    int64
		value int32
		cell  []byte
	}
	var cells []stored // fn looks names up through the same pool, so after the query
	err := all(ctx, s.f.read, func(r *sql.Rows) error {
		var c stored
		err := r.Scan(&c.at, &c.value, &c.cell)
		cells = append(cells, c)
		return err
	}, "SELECT at, value, cell FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND at >= ? AND at < ?",
		g.question, g.scope, one.grain, one.from, one.to)
	if err != nil {
		return err
	}
	for i := range cells {
		if err := fn(cells[i].at, cells[i].value, cells[i].cell); err != nil {
			return err
		}
	}
	return nil
}
