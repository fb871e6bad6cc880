package logindex

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
)

// Check looks whether the index's files are sound, and agree with each other: SQLite's own check of each, the rows that
// are there with the count that is kept, the totals of sealed days with those of analytics.db. It calls damaged with a
// file's name and what is wrong with it, and returns how many files and rows there are. progress is told the bytes of
// files that were checked. Nobody trims meanwhile.
func (x *Index) Check(ctx context.Context, progress func(bytes int64), damaged func(file, what string)) (files int, rows int64, err error) {
	for _, d := range x.dayList() {
		if !d.file {
			continue
		}
		if ctx.Err() != nil {
			return files, rows, context.Cause(ctx)
		}
		files++
		err := x.with(ctx, d.day, func(p *part) error {
			if err := p.checkFile(ctx, func(what string) { damaged(dayName(d.day), what) }); err != nil {
				return err
			}
			n, err := p.checkRows(ctx, func(what string) { damaged(dayName(d.day), what) })
			rows += n
			return err
		})
		if err == nil {
			err = x.checkTotals(ctx, d.day, damaged)
		}
		if err != nil {
			return files, rows, fmt.Errorf("check %s: %w", dayName(d.day), err)
		}
		progress(sizeOf(filepath.Join(x.dir, dayName(d.day))))
	}
	files++
	if err := x.copies.checkFile(ctx, func(what string) { damaged(analyticsName, what) }); err != nil {
		return files, rows, fmt.Errorf("check %s: %w", analyticsName, err)
	}
	progress(sizeOf(x.copies.path))
	return files, rows, nil
}

const soundFile = "ok" // what SQLite says

// checkFile has SQLite look at all pages.
func (f *file) checkFile(ctx context.Context, damaged func(what string)) error {
	return all(ctx, f.read, func(r *sql.Rows) error {
		var what string
		err := r.Scan(&what)
		if err == nil && what != soundFile {
			damaged(what)
		}
		return err
	}, "PRAGMA integrity_check(20)")
}

// checkRows counts the rows, and compares that with what is kept.
func (p *part) checkRows(ctx context.Context, damaged func(what string)) (n int64, err error) {
	var kept int64
	err = all(ctx, p.read, func(r *sql.Rows) error { return r.Scan(&n, &kept) }, "SELECT (SELECT count(*) FROM rows), row_count FROM state")
	if err == nil && n != kept {
		damaged(fmt.Sprintf("it has %d rows, and counts %d", n, kept))
	}
	return n, err
}

// checkTotals compares a sealed day's totals with those of analytics.db.
func (x *Index) checkTotals(ctx context.Context, day int64, damaged func(file, what string)) error {
	before, _ := x.info(day)
	if !before.sealed || !before.file {
		return nil
	}
	var own, copied map[string]cell
	err := x.with(ctx, day, func(p *part) (err error) {
		own, err = storedCells{f: p.file}.totals(ctx, day)
		return err
	})
	if err == nil {
		c := storedCells{f: x.copies.file, packs: map[int64]bool{day: before.packed}, whole: func(int64) bool { return true }}
		copied, err = c.totals(ctx, day)
	}
	if err != nil {
		return err
	}
	if now, ok := x.info(day); !ok || now.state != before.state || !now.sealed {
		return nil // it has changed meanwhile
	}
	for account, sum := range own {
		if other := copied[account]; other.n != sum.n {
			damaged(analyticsName, fmt.Sprintf("account %.60q has %d requests on %s, and its file has %d", account, other.n[nRequests], dayName(day), sum.n[nRequests]))
		}
	}
	return nil
}

// totals adds up what all accounts have on a day.
func (s storedCells) totals(ctx context.Context, day int64) (map[string]cell, error) {
	accounts := map[int32]string{}
	err := all(ctx, s.f.read, func(r *sql.Rows) error {
		var id int32
		var text string
		err := r.Scan(&id, &text)
		accounts[id] = text
		return err
	}, "SELECT id, text FROM texts WHERE kind = ? AND kind <> 10", int64(textAccount))
	sums := map[string]cell{}
	for id, account := range accounts {
		if err != nil {
			break
		}
		var sum cell
		err = s.each(ctx, group{questionTotal, id}, piece{grainHour, day * dayMinutes, (day + 1) * dayMinutes}, func(_ int64, _ int32, b []byte) error {
			r := cellReader{left: b}
			return r.add(&sum)
		})
		sums[account] = sum
	}
	return sums, err
}

const (
	leastFree  = 256 << 10 // of a file that is compacted, in bytes
	leastShare = 10        // one part in so many of its pages
)

// Compact gives back the room that lies unused in the files of sealed days and in analytics.db: most of it was of the
// roll-ups of single minutes, which a day keeps for two days. It writes these files anew, one by one, beside whatever
// goes on, and returns how many and by how much they are smaller. Nobody trims meanwhile.
func (x *Index) Compact(ctx context.Context, progress func(bytes int64)) (files int, freed int64, err error) {
	paths := []string{}
	for _, d := range x.dayList() {
		if d.file && d.sealed {
			paths = append(paths, filepath.Join(x.dir, dayName(d.day)))
		}
	}
	for _, path := range append(paths, x.copies.path) {
		if ctx.Err() != nil {
			return files, freed, context.Cause(ctx)
		}
		before := sizeOf(path)
		done, err := compactFile(ctx, path)
		if err != nil {
			return files, freed, fmt.Errorf("compact %s: %w", filepath.Base(path), err)
		}
		if done {
			files++
			freed += before - sizeOf(path)
		}
		progress(before)
	}
	return files, freed, nil
}

// compactFile writes a file anew where that frees enough, through a connection of its own: those who read and write go
// on, and wait for its end at most.
func compactFile(ctx context.Context, path string) (done bool, err error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(10000)&_pragma=temp_store(FILE)")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	var free, pages, size int64
	for _, one := range []struct {
		pragma string
		into   *int64
	}{{"freelist_count", &free}, {"page_count", &pages}, {"page_size", &size}} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+one.pragma).Scan(one.into); err != nil {
			return false, err
		}
	}
	if free*size < leastFree || free*leastShare < pages {
		return false, nil
	}
	if _, err := db.ExecContext(ctx, "VACUUM"); err != nil {
		return false, err
	}
	// Not before the log is in it does the file become shorter. A reader in the way has it done later.
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return true, err
}
