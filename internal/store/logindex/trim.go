package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Trim implements reqlog.Index.
func (x *Index) Trim(ctx context.Context, t time.Time) (rows int64, err error) {
	before := placeAt(ceilMilli(t))
	for _, d := range x.dayList() {
		if !d.file || d.day > before.day {
			continue
		}
		bound := int64(dayMillis << counterBits)
		if d.day == before.day {
			bound = before.row
		}
		n, err := x.trimDay(ctx, d, bound, d.day < before.day)
		rows += n
		if err != nil {
			return rows, fmt.Errorf("trim day %s: %w", dayName(d.day), err)
		}
	}
	return rows, nil
}

// trimDay removes a day's rows before bound; whole: all of them, and the file with them, unless it is
// still waiting for exchanges to end.
func (x *Index) trimDay(ctx context.Context, d dayInfo, bound int64, whole bool) (int64, error) {
	if whole && d.open == 0 {
		if !d.sealed {
			if err := x.seal(ctx, d.day); err != nil {
				return 0, err
			}
		}
		x.write.Lock()
		defer x.write.Unlock()
		now, _ := x.info(d.day)
		if !now.sealed {
			return 0, nil // it has changed again, or is being read: next time
		}
		return now.rows, x.drop(ctx, d.day)
	}
	var rows int64
	for {
		n, more, err := x.trimSome(ctx, d.day, bound)
		rows += n
		if err != nil || !more {
			return rows, err
		}
		if err := ctx.Err(); err != nil {
			return rows, err
		}
	}
}

// trimBatch is how many rows one transaction removes.
const trimBatch = 5000

// trimSome removes some of a day's first rows.
func (x *Index) trimSome(ctx context.Context, day, bound int64) (rows int64, more bool, err error) {
	x.write.Lock()
	defer x.write.Unlock()
	err = x.with(ctx, day, func(p *part) error {
		var ids []int64
		err := all(ctx, p.read, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM rows WHERE id < ? ORDER BY id LIMIT ?", bound, trimBatch)
		if err != nil || len(ids) == 0 && p.state.trimmed >= bound {
			return err
		}
		if err := x.unseal(ctx, day); err != nil {
			return err
		}
		rows, more = int64(len(ids)), len(ids) == trimBatch
		s := p.state
		s.rows -= rows
		s.trimmed = max(s.trimmed, bound)
		if more {
			s.trimmed = max(p.state.trimmed, ids[len(ids)-1]+1)
		}
		err = p.tx(ctx, func() error {
			if err := p.exec(ctx, "DELETE FROM rows WHERE id < ?", s.trimmed); err != nil {
				return err
			}
			if err := p.exec(ctx, "DELETE FROM more WHERE last < ?", s.trimmed); err != nil {
				return err
			}
			return p.saveState(ctx, s)
		})
		if err != nil {
			return err
		}
		p.state = s
		x.note(p, time.Now())
		return nil
	})
	return rows, more, err
}

// Cutoff implements reqlog.Index.
func (x *Index) Cutoff(ctx context.Context, keep int64) (time.Time, error) {
	days := x.dayList()
	slices.Reverse(days)
	for _, d := range days {
		if !d.file || d.rows < keep || keep <= 0 && d.rows == 0 {
			keep -= d.rows
			continue
		}
		var milli int64
		err := x.with(ctx, d.day, func(p *part) error {
			var row int64
			err := all(ctx, p.read, func(r *sql.Rows) error { return r.Scan(&row) },
				"SELECT id FROM rows ORDER BY id DESC LIMIT 1 OFFSET ?", max(keep-1, 0))
			milli = p.day*dayMillis + row>>counterBits
			return err
		})
		if err != nil {
			return time.Time{}, fmt.Errorf("cutoff: %w", err)
		}
		return time.UnixMilli(milli).UTC(), nil
	}
	return time.Time{}, nil
}
