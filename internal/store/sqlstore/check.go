package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// Check looks whether the database is sound, and calls damaged with what is wrong with it.
func (db *DB) Check(ctx context.Context, damaged func(what string)) error {
	err := db.all(ctx, func(r *sql.Rows) error {
		var what string
		err := r.Scan(&what)
		if err == nil && what != "ok" {
			damaged(what)
		}
		return err
	}, "PRAGMA integrity_check(20)")
	if err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	err = db.all(ctx, func(r *sql.Rows) error {
		var table, parent string
		var row sql.NullInt64
		var key int64
		err := r.Scan(&table, &row, &parent, &key)
		damaged(fmt.Sprintf("row %d of %s belongs to nothing in %s", row.Int64, table, parent))
		return err
	}, "PRAGMA foreign_key_check")
	if err != nil {
		return fmt.Errorf("check database: %w", err)
	}
	return nil
}

// Compact gives back the room that lies unused in the database. Changes wait meanwhile.
func (db *DB) Compact(ctx context.Context) error {
	if _, err := db.write.ExecContext(ctx, "VACUUM"); err != nil {
		return fmt.Errorf("compact database: %w", err)
	}
	return nil
}
