package logindex

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/reqlog"
)

const analyticsName = "analytics.db"

// Copy copies the index into dir, which exists, while it is in use: an index that lacks nothing of what was applied
// before the call, and may have more. Opened, it resumes where what it may lack begins, so the log's segments, copied
// afterwards, bring it up to date. Nobody trims meanwhile. progress is told the bytes that were copied; nil: nobody asks.
func (x *Index) Copy(ctx context.Context, dir string, progress func(bytes int64)) error {
	safe, err := x.Resume(ctx)
	if err != nil {
		return err
	}
	// Each file is copied at a moment of its own. What is safe everywhere now is so in all copies, and no more.
	days := x.dayList()
	const capped = " SET safe_segment = ?1, safe_block = ?2, safe_record = ?3 WHERE (safe_segment, safe_block, safe_record) > (?1, ?2, ?3)"
	for _, d := range days {
		if !d.file {
			continue
		}
		name := dayName(d.day)
		err := copyDatabase(ctx, filepath.Join(x.dir, name), filepath.Join(dir, name), progress)
		if err == nil {
			err = changeCopy(filepath.Join(dir, name), func(db *sql.DB) error { return capSafe(ctx, db, "UPDATE state"+capped, safe) })
		}
		if err != nil {
			return fmt.Errorf("copy day %s: %w", name, err)
		}
	}
	// Last, because what it says to be gone of a day must be in no older copy of that.
	name := filepath.Join(dir, analyticsName)
	err = copyDatabase(ctx, x.copies.path, name, progress)
	if err == nil {
		err = changeCopy(name, func(db *sql.DB) error {
			return errors.Join(capSafe(ctx, db, "UPDATE days"+capped, safe), unsealCopies(ctx, db, days))
		})
	}
	if err != nil {
		return fmt.Errorf("copy %s: %w", analyticsName, err)
	}
	return nil
}

// capSafe takes what a copy calls safe back to pos.
func capSafe(ctx context.Context, db *sql.DB, text string, pos reqlog.Pos) error {
	_, err := db.ExecContext(ctx, text, int64(pos.Segment), pos.Block, pos.Record)
	return err
}

// unsealCopies takes the seal from all days but those that were sealed before their files were copied and have not
// changed since: of any other the file may be older, or newer, than its roll-ups in db. Days without a copied file are
// forgotten, unless they had none.
func unsealCopies(ctx context.Context, db *sql.DB, before []dayInfo) error {
	texts := []string{"UPDATE days SET sealed = -1 - sealed WHERE gone = 0"} // -2: it was, -1: it was not
	for _, d := range before {
		if !d.file {
			continue
		}
		if a := d.applied; d.sealed {
			texts = append(texts, fmt.Sprintf(
				"UPDATE days SET sealed = 1 WHERE day = %d AND sealed = -2 AND applied_segment = %d AND applied_block = %d AND applied_record = %d",
				d.day, a.Segment, a.Block, a.Record,
			))
		}
		texts = append(texts, fmt.Sprintf("UPDATE days SET sealed = 0 WHERE day = %d AND sealed < 0", d.day))
	}
	texts = append(
		texts,
		fmt.Sprintf("DELETE FROM rollups WHERE at / %d IN (SELECT day FROM days WHERE sealed < 0)", dayMinutes),
		"DELETE FROM packs WHERE day IN (SELECT day FROM days WHERE sealed < 0)",
		"DELETE FROM days WHERE sealed < 0",
	)
	for _, text := range texts {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// copyDatabase copies the SQLite file from, which others may use, as it is at one moment.
func copyDatabase(ctx context.Context, from, to string, progress func(bytes int64)) (err error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: from}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return err
	}
	if err := os.Chmod(to, 0o600); err != nil {
		return err
	}
	if info, err := os.Stat(to); err == nil && progress != nil {
		progress(info.Size())
	}
	return nil
}

// changeCopy changes a copied file, which nobody else uses.
func changeCopy(file string, change func(db *sql.DB) error) (err error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?mode=rw&_pragma=journal_mode(DELETE)&_pragma=synchronous(OFF)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return change(db)
}
