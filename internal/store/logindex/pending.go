package logindex

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// pending is what a part has counted and not written to its roll-ups yet: kinds, which are spread over their
// cells when they are written, and the cells of metadata.
type pending struct {
	kinds map[kindKey]*kindSum
	cells map[cellKey]*cell
}

func newPending() pending { return pending{map[kindKey]*kindSum{}, map[cellKey]*cell{}} }

// size is how many sums there are.
func (d *pending) size() int { return len(d.kinds) + len(d.cells) }

// maxPending bounds what is gathered in memory, which a rebuild of the index would fill faster than a
// minute passes.
const maxPending = 60_000

// each calls fn with what was counted for a scope, by minute and by value of a question. A minute and value
// can come more than once.
func (d *pending) each(question, scope int32, fn func(at int64, value int32, c *cell)) {
	if plain := max(question, -question); plain < questionCharge || plain == questionCourse {
		for k, s := range d.kinds {
			if k.narrow && plain >= questionOutcome {
				continue
			}
			for side := range sides {
				if id, ok := k.scope(plain, side); ok && id == scope && k.signed(plain) == question {
					fn(k.at, s.counted(plain, side), &s.cell)
				}
			}
		}
	}
	for k, c := range d.cells {
		if k.question == question && k.scope == scope {
			fn(k.at, k.value, c)
		}
	}
}

// What the blobs of the table pending begin with.
const (
	deltaCells = 1 // cells with their places, to the end
	deltaKinds = 2 // how many kinds, those, and cells as before
	deltaWide  = 3 // the same, of kinds that are told by more
	deltaWhole = 4 // and with their courses
)

// appendDelta encodes what a transaction has counted.
func appendDelta(b []byte, kinds []kindSum, cells map[cellKey]*cell) []byte {
	b = append(b, deltaWhole)
	b = binary.AppendUvarint(b, uint64(len(kinds)))
	for i := range kinds {
		s := &kinds[i]
		for _, n := range [...]int64{
			s.at, s.scopes.gateway, s.scopes.account, s.scopes.value, int64(s.provider), int64(s.model), int64(s.caller),
			int64(s.others), int64(s.outcome), int64(s.fault), int64(s.target), int64(s.faultPair), count(s.attempts), int64(s.course),
		} {
			b = binary.AppendVarint(b, n)
		}
		b = s.cell.append(b)
	}
	for k, c := range cells {
		b = binary.AppendVarint(b, int64(k.question))
		b = binary.AppendVarint(b, int64(k.scope))
		b = binary.AppendVarint(b, int64(k.value))
		b = binary.AppendVarint(b, k.at)
		b = c.append(b)
	}
	return b
}

// readDelta adds what appendDelta wrote to d.
func (d *pending) readDelta(b []byte) error {
	if len(b) == 0 || b[0] < deltaCells || b[0] > deltaWhole {
		return errCell
	}
	r := cellReader{left: b[1:]}
	if b[0] != deltaCells {
		for left := r.unsigned(); left > 0 && !r.bad; left-- {
			if err := d.readKind(&r, b[0]); err != nil {
				return err
			}
		}
	}
	for len(r.left) > 0 {
		k := cellKey{int32(r.signed()), int32(r.signed()), int32(r.signed()), r.signed()}
		c := d.cells[k]
		if c == nil {
			c = &cell{}
			d.cells[k] = c
		}
		if err := r.add(c); err != nil {
			return err
		}
	}
	if r.bad {
		return errCell
	}
	return nil
}

func (d *pending) readKind(r *cellReader, form byte) error {
	wide := form >= deltaWide
	k := kindKey{
		at: r.signed(), scopes: scopeIDs{r.signed(), r.signed(), r.signed()}, provider: int32(r.signed()), model: int32(r.signed()),
		caller: int32(r.signed()), narrow: !wide,
	}
	if !wide {
		r.signed() // status
		r.signed() // what the cache did
	}
	one := kindSum{kindKey: k, others: others(r.signed()), told: told{course: otherValue}}
	if wide {
		one.outcome, one.kindKey.fault, one.target, one.faultPair = outcome(r.signed()), int32(r.signed()), int32(r.signed()), int32(r.signed())
		one.attempts = r.signed() != 0
		if form >= deltaWhole {
			one.course = int32(r.signed())
		}
	}
	if r.bad {
		return errCell
	}
	s := d.kinds[one.kindKey]
	if s == nil {
		s = &one
		d.kinds[one.kindKey] = s
	}
	return r.add(&s.cell)
}

// loadPending reads what was counted before the file was closed, and writes it where it belongs.
func (p *part) loadPending(ctx context.Context) error {
	p.pending = newPending()
	err := all(ctx, p.conn, func(r *sql.Rows) error {
		var b sql.RawBytes
		if err := r.Scan(&b); err != nil {
			return err
		}
		return p.pending.readDelta(b)
	}, "SELECT delta FROM pending ORDER BY id")
	if err == nil {
		err = p.loadFlushed(ctx)
	}
	if err != nil {
		return fmt.Errorf("pending roll-ups: %w", err)
	}
	return p.flush(ctx)
}

// keep gives what a committed transaction has counted to its part.
func (g *gather) keep() {
	p := g.p
	p.rollMu.Lock()
	defer p.rollMu.Unlock()
	for i := range g.kinds {
		s := &g.kinds[i]
		if s.before != nil {
			s.before.merge(&s.cell)
			s.before = nil
			continue
		}
		own := &kindSum{kindKey: s.kindKey, others: s.others, told: s.told}
		own.merge(&s.cell)
		p.pending.kinds[s.kindKey] = own
	}
	for k, c := range g.cells {
		if have := p.pending.cells[k]; have != nil {
			have.merge(c)
			g.release(c)
		} else {
			p.pending.cells[k] = c
		}
	}
	clear(g.cells)
	g.reset()
}

// grainKey is the place of a stored cell.
type grainKey struct {
	cellKey
	grain int64
}

// compare orders keys as the table does.
func (k grainKey) compare(o grainKey) int {
	return cmp.Or(cmp.Compare(k.question, o.question), cmp.Compare(k.scope, o.scope), cmp.Compare(k.grain, o.grain),
		cmp.Compare(k.at, o.at), cmp.Compare(k.value, o.value))
}

// flush writes pending into the tables. To readers it happens at once, and they go on until then.
func (p *part) flush(ctx context.Context) error {
	if p.pending.size() == 0 {
		clear(p.values)
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	hidden := false
	err := p.tx(ctx, func() error {
		if err := p.writePending(ctx); err != nil {
			return err
		}
		// What follows, the commit too, is one thing to readers.
		p.rollMu.Lock()
		hidden = true
		return nil
	})
	if hidden {
		defer p.rollMu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("write roll-ups of %s: %w", dayName(p.day), err)
	}
	for k := range p.pending.kinds {
		p.flushed = max(p.flushed, k.at)
	}
	for k := range p.pending.cells {
		p.flushed = max(p.flushed, k.at)
	}
	p.pending = newPending()
	clear(p.values)
	return nil
}

// writePending adds pending to the stored cells, question by question: together they would be too many.
func (p *part) writePending(ctx context.Context) error {
	s := sums{p: p, cells: map[grainKey]*cell{}}
	for _, question := range kindQuestions() {
		for k, kind := range p.pending.kinds {
			if k.narrow && question >= questionOutcome {
				continue
			}
			for side := range sides {
				scope, ok := k.scope(question, side)
				if !ok {
					continue
				}
				at := cellKey{k.signed(question), scope, kind.counted(question, side), k.at}
				if question == questionCourse {
					at.at -= at.at % grainQuarter
					s.addNumbers(grainKey{at, grainQuarter}, &kind.cell)
				} else {
					s.add(grainKey{at, grainMinute}, &kind.cell)
				}
			}
		}
		for k, c := range p.pending.cells {
			if k.question == question {
				s.add(grainKey{k, grainMinute}, c)
			}
		}
		if err := s.write(ctx); err != nil {
			return err
		}
	}
	for k, c := range p.pending.cells {
		if max(k.question, -k.question) >= questionCharge { // what no kind tells
			s.add(grainKey{k, grainMinute}, c)
		}
	}
	if err := s.write(ctx); err != nil {
		return err
	}
	return p.exec(ctx, "DELETE FROM pending")
}

// sums adds up cells and writes them.
type sums struct {
	p     *part
	cells map[grainKey]*cell
	free  []*cell
	args  []driver.NamedValue // of the cells to be written
	bytes []byte              // their encodings
}

func (s *sums) add(k grainKey, c *cell) { s.sum(k).merge(c) }

// addNumbers leaves the histograms out.
func (s *sums) addNumbers(k grainKey, c *cell) {
	sum := s.sum(k)
	for i, n := range c.n {
		sum.n[i] += n
	}
}

// sum returns the sum of a place.
func (s *sums) sum(k grainKey) *cell {
	sum := s.cells[k]
	if sum == nil {
		if n := len(s.free); n > 0 {
			sum, s.free = s.free[n-1], s.free[:n-1]
		} else {
			sum = &cell{}
		}
		s.cells[k] = sum
	}
	return sum
}

// coarsen adds the sums of one grain up to those of a coarser one.
func (s *sums) coarsen(from, to int64) {
	for _, k := range slices.Collect(maps.Keys(s.cells)) {
		if k.grain == from {
			c := s.cells[k]
			k.grain, k.at = to, k.at-k.at%to
			s.add(k, c)
		}
	}
}

// cellRows is how many cells one statement writes.
const cellRows = 50

// write adds the sums of minutes to the stored cells of all grains.
func (s *sums) write(ctx context.Context) error {
	s.coarsen(grainMinute, grainQuarter)
	s.coarsen(grainQuarter, grainHour)
	// In the order of the table, so that neighbours are written together.
	for _, k := range slices.SortedFunc(maps.Keys(s.cells), grainKey.compare) {
		if err := s.writeCell(ctx, k, s.cells[k]); err != nil {
			return err
		}
	}
	if err := s.flush(ctx, 1); err != nil {
		return err
	}
	for _, c := range s.cells {
		c.reset()
		s.free = append(s.free, c)
	}
	clear(s.cells)
	return nil
}

// cellValues is how many values a row of rollups has.
const cellValues = 6

// writeCell has the sum of c and its stored cell written. Most are of a minute that has none yet.
func (s *sums) writeCell(ctx context.Context, k grainKey, c *cell) error {
	if k.grain != grainMinute || k.at <= s.p.flushed {
		var b []byte
		found, err := s.p.one(ctx, "SELECT cell FROM rollups WHERE question = ? AND scope = ? AND grain = ? AND at = ? AND value = ?",
			[]any{k.question, k.scope, k.grain, k.at, k.value}, &b)
		if err != nil {
			return err
		}
		if found {
			r := cellReader{left: b}
			if err := r.add(c); err != nil {
				return err
			}
		}
	}
	start := len(s.bytes)
	s.bytes = c.append(s.bytes)
	for _, v := range [cellValues]driver.Value{
		int64(k.question), int64(k.scope), k.grain, k.at, int64(k.value), s.bytes[start:len(s.bytes):len(s.bytes)],
	} {
		s.args = append(s.args, driver.NamedValue{Ordinal: len(s.args) + 1, Value: v})
	}
	if len(s.args) == cellRows*cellValues {
		return s.flush(ctx, cellRows)
	}
	return nil
}

// flush writes the cells that are waiting, rows of them with each statement.
func (s *sums) flush(ctx context.Context, rows int) error {
	for left := s.args; len(left) > 0; left = left[rows*cellValues:] {
		chunk := left[:rows*cellValues]
		for i := range chunk {
			chunk[i].Ordinal = i + 1
		}
		if err := s.p.insert(ctx, "rollups", cellValues, chunk); err != nil {
			return err
		}
	}
	s.args, s.bytes = s.args[:0], s.bytes[:0]
	return nil
}

// loadFlushed learns the last minute that has stored cells: that of the totals of all accounts, which
// everything is counted under.
func (p *part) loadFlushed(ctx context.Context) error {
	return all(ctx, p.conn, func(r *sql.Rows) error { return r.Scan(&p.flushed) },
		`SELECT ifnull(max((SELECT max(at) FROM rollups WHERE question = ? AND scope = texts.id AND grain = ?)), 0) FROM texts WHERE kind = ? AND kind <> 10`,
		questionTotal, grainMinute, int64(textAccount))
}
