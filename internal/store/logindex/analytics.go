package logindex

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"time"
)

// copies is analytics.db: the roll-ups of sealed days, and what is known of each day.
type copies struct {
	*file
	path  string
	texts texts
	names names
}

func openCopies(ctx context.Context, path string) (*copies, error) {
	f, err := openFile(ctx, path, "analytics")
	if err != nil {
		return nil, err
	}
	c := &copies{file: f, path: path}
	c.texts.f, c.texts.room = f, 1<<40
	err = c.texts.load(ctx)
	if err == nil {
		// What it says of a day must be on disk before the day's file is touched.
		err = c.durable(ctx, true)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return c, nil
}

// days reads what is known of all days that were sealed once.
func (c *copies) days(ctx context.Context) (map[int64]*dayInfo, error) {
	days := map[int64]*dayInfo{}
	err := all(ctx, c.conn, func(r *sql.Rows) error {
		d := &dayInfo{}
		var gone bool
		a, s := &d.applied, &d.safe
		err := r.Scan(&d.day, &d.sealed, &gone, &d.minutes, &a.Segment, &a.Block, &a.Record, &s.Segment, &s.Block, &s.Record, &d.rows, &d.trimmed, &d.packed)
		d.file = !gone
		days[d.day] = d
		return err
	}, `SELECT day, sealed, gone, minutes_gone, applied_segment, applied_block, applied_record,
		safe_segment, safe_block, safe_record, row_count, trimmed, packed FROM days`)
	return days, err
}

// saveDay writes what is known of a day.
func (c *copies) saveDay(ctx context.Context, d dayInfo) error {
	return c.exec(ctx, "INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		d.day, d.sealed, !d.file, int(d.minutes), int64(d.applied.Segment), d.applied.Block, d.applied.Record,
		int64(d.safe.Segment), d.safe.Block, d.safe.Record, d.rows, d.trimmed, d.packed)
}

// storedCell is a row of a table of roll-ups.
type storedCell struct {
	grainKey
	cell []byte
}

const cellColumns = "question, scope, grain, at, value, cell"

func (c *storedCell) scan(r *sql.Rows) error {
	return r.Scan(&c.question, &c.scope, &c.grain, &c.at, &c.value, &c.cell)
}

// translate gives a cell the ids that its texts have in another file; ids keeps what is known of that.
func (c *storedCell) translate(ctx context.Context, from, to *texts, ids map[int32]int32) error {
	swap := func(id *int32) error {
		if *id <= 0 {
			return nil
		}
		other, ok := ids[*id]
		if !ok {
			k, err := from.key(ctx, int64(*id))
			if err != nil {
				return err
			}
			known, err := to.id(ctx, k.kind, k.text)
			if err != nil {
				return err
			}
			other = int32(known)
			ids[*id] = other
		}
		*id = other
		return nil
	}
	sign := int32(1)
	if c.question < 0 {
		sign, c.question = -1, -c.question
	}
	switch c.question {
	case questionTotal, questionOutcome, questionOldStatus, questionOldCache:
	default:
		if err := swap(&c.value); err != nil {
			return err
		}
	}
	if c.question >= questionMeta {
		key := c.question - questionMeta
		if err := swap(&key); err != nil {
			return err
		}
		c.question = questionMeta + key
	}
	c.question *= sign
	return swap(&c.scope)
}

// restore fills the new file of a day with the roll-ups that are left of it, so that a day's file, where
// there is one, always has all of them.
func (c *copies) restore(ctx context.Context, p *part) error {
	var cells []storedCell
	err := all(ctx, c.conn, func(r *sql.Rows) error {
		var one storedCell
		err := one.scan(r)
		cells = append(cells, one)
		return err
	}, "SELECT "+cellColumns+" FROM rollups WHERE at >= ? AND at < ?", p.day*dayMinutes, (p.day+1)*dayMinutes)
	if err != nil {
		return err
	}
	ids := map[int32]int32{}
	for i := range cells {
		one := &cells[i]
		if err := one.translate(ctx, &c.texts, &p.texts, ids); err != nil {
			return err
		}
		if err := p.exec(ctx, "INSERT INTO rollups VALUES (?, ?, ?, ?, ?, ?)", one.question, one.scope, one.grain, one.at, one.value, one.cell); err != nil {
			return err
		}
	}
	a := &p.state.applied
	_, err = c.one(ctx, "SELECT applied_segment, applied_block, applied_record FROM days WHERE day = ?", []any{p.day}, &a.Segment, &a.Block, &a.Record)
	if err != nil {
		return err
	}
	return p.saveState(ctx, p.state)
}

const (
	quietTime   = time.Hour          // that a day is left alone before it is sealed
	minutesKept = 2 * 24 * time.Hour // of roll-ups, after the day's end; totals stay longer
	keepEvery   = 10 * time.Second   //
	flushEvery  = 60 * time.Second   //
	copyCells   = 2000               // per transaction
)

// keep does the upkeep while the index is open.
func (x *Index) keep(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	flushed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			flush := now.Sub(flushed) >= flushEvery
			if flush {
				flushed = now
			}
			if err := x.upkeep(ctx, now, flush); err != nil && ctx.Err() == nil {
				x.log.ErrorContext(ctx, "log index upkeep", slog.Any("error", err))
			}
		}
	}
}

// upkeep writes what is gathered, keeps the write-ahead logs short, seals days that have come to rest,
// and drops what is no longer kept of them.
func (x *Index) upkeep(ctx context.Context, now time.Time, flush bool) error {
	var errs []error
	for _, day := range x.openDays() {
		if flush {
			errs = append(errs, x.flushDay(ctx, day))
		}
		errs = append(errs, x.with(ctx, day, func(p *part) error {
			// Through the pool: the writer can go on meanwhile.
			_, err := p.read.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
			return err
		}))
	}
	if !flush {
		return errors.Join(errs...)
	}
	for _, d := range x.dayList() {
		end := time.UnixMilli((d.day + 1) * dayMillis)
		if d.file && !d.sealed && !d.dirty && d.open == 0 && now.Sub(end) >= quietTime && now.Sub(d.written) >= quietTime {
			errs = append(errs, x.seal(ctx, d.day))
		}
		if d.file && d.sealed && d.minutes == allMinutes && now.Sub(end) >= minutesKept {
			errs = append(errs, x.dropMinutes(ctx, d.day))
		}
	}
	return errors.Join(errs...)
}

func (x *Index) flushDay(ctx context.Context, day int64) error {
	x.write.Lock()
	defer x.write.Unlock()
	return x.with(ctx, day, func(p *part) error { return p.flush(ctx) })
}

// info returns what is known of a day.
func (x *Index) info(day int64) (dayInfo, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if d := x.days[day]; d != nil {
		return *d, true
	}
	return dayInfo{}, false
}

// update changes what is known of a day, in analytics.db and then in memory. x.write is held.
func (x *Index) update(ctx context.Context, d dayInfo) error {
	if err := x.copies.tx(ctx, func() error { return x.copies.saveDay(ctx, d) }); err != nil {
		return fmt.Errorf("note day %s: %w", dayName(d.day), err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	*x.days[d.day] = d
	return nil
}

// unseal says that a day's copy will no longer be what its file has. x.write is held.
func (x *Index) unseal(ctx context.Context, day int64) error {
	d, ok := x.info(day)
	if !ok || !d.sealed {
		return nil
	}
	d.sealed = false
	if !d.file {
		// Marked as there before it is: a file that is missing is known as such by looking.
		d.file = true
		if err := x.copies.tx(ctx, func() error { return x.copies.saveDay(ctx, d) }); err != nil {
			return fmt.Errorf("note day %s: %w", dayName(day), err)
		}
		p, err := x.acquire(ctx, day, true)
		if err != nil {
			return err
		}
		d.state = p.state
		x.release(p)
	}
	return x.update(ctx, d)
}

// seal copies a day's roll-ups. It lets other writers in between; when one of them changes the day,
// it is not sealed this time.
func (x *Index) seal(ctx context.Context, day int64) error {
	if err := x.flushDay(ctx, day); err != nil {
		return err
	}
	return x.with(ctx, day, func(p *part) error {
		before := p.stateNow(x)
		if err := x.copyCells(ctx, p); err != nil {
			return fmt.Errorf("copy day %s: %w", dayName(day), err)
		}
		x.write.Lock()
		defer x.write.Unlock()
		if p.state != before || len(p.open) > 0 || p.pending.size() > 0 {
			return nil
		}
		// Its pages must be on disk before anything relies on the day as it is.
		if whole, err := p.checkpoint(ctx); err != nil || !whole {
			return err
		}
		d, _ := x.info(day)
		d.sealed, d.packed, d.state = true, true, p.state
		return x.update(ctx, d)
	})
}

// copyCells copies a day's roll-ups, group by group.
func (x *Index) copyCells(ctx context.Context, p *part) error {
	ids := map[int32]int32{}
	for g := (group{math.MinInt32, math.MinInt32}); ; {
		next, found, err := p.nextGroup(ctx, g)
		if err != nil || !found {
			return err
		}
		if err := x.copyGroup(ctx, p, next, ids); err != nil {
			return err
		}
		g = next
	}
}

// checkpoint brings the write-ahead log into the file and empties it; false: a reader was in the way.
func (p *part) checkpoint(ctx context.Context) (whole bool, err error) {
	var busy, log, moved int
	err = p.conn.QueryRowContext(context.WithoutCancel(ctx), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved)
	if err != nil {
		return false, fmt.Errorf("checkpoint day %s: %w", dayName(p.day), err)
	}
	return busy == 0, nil
}

func (p *part) stateNow(x *Index) state {
	x.write.Lock()
	defer x.write.Unlock()
	return p.state
}

// dropMinutes drops a day's roll-ups of single minutes, but for the totals.
func (x *Index) dropMinutes(ctx context.Context, day int64) error {
	x.write.Lock()
	defer x.write.Unlock()
	return x.with(ctx, day, func(p *part) error {
		d, ok := x.info(day)
		if !ok || !d.sealed {
			return nil
		}
		// Readers must not look for what is about to go.
		d.minutes = totalMinutes
		if err := x.update(ctx, d); err != nil {
			return err
		}
		return p.tx(ctx, func() error {
			return p.exec(ctx, "DELETE FROM rollups WHERE grain = ? AND question NOT IN (?, ?)", grainMinute, questionTotal, -questionTotal)
		})
	})
}

// drop removes a day's file and keeps its roll-ups. The day is sealed. x.write is held.
func (x *Index) drop(ctx context.Context, day int64) error {
	d, ok := x.info(day)
	if !ok || !d.file || !d.sealed {
		return nil
	}
	d.file, d.minutes, d.rows = false, noMinutes, 0
	if err := x.update(ctx, d); err != nil {
		return err
	}
	x.opening.Lock()
	defer x.opening.Unlock()
	x.mu.Lock()
	p := x.parts[day]
	delete(x.parts, day)
	idle := p != nil && p.refs == 0
	x.mu.Unlock()
	var err error
	if idle {
		err = p.close()
	}
	return errors.Join(err, removeFiles(filepath.Join(x.dir, dayName(day))))
}
