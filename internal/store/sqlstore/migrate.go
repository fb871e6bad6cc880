package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"
)

// Migrations are numbered files, applied in the order of their names, all that are missing in one transaction:
// a start waits for the disk once. They are never changed once released. The table migrations holds the names
// of those that a database has.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies the migrations that the database does not have.
func (db *DB) migrate(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(names)
	return db.change(ctx, func(tx *sql.Tx) error {
		const table = "CREATE TABLE IF NOT EXISTS migrations (name TEXT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)"
		if _, err := tx.ExecContext(ctx, table); err != nil {
			return err
		}
		have, err := applied(ctx, tx)
		if err != nil {
			return err
		}
		for name := range have {
			if !slices.Contains(names, "migrations/"+name) {
				return fmt.Errorf("it was written by a newer version of this program, which made the change %s", name)
			}
		}
		for _, file := range names {
			if name := path.Base(file); !have[name] {
				if err := apply(ctx, tx, file, name); err != nil {
					return fmt.Errorf("migration %s: %w", name, err)
				}
			}
		}
		return nil
	})
}

// applied returns the names of the migrations that the database has.
func applied(ctx context.Context, tx *sql.Tx) (map[string]bool, error) {
	rows, err := tx.QueryContext(ctx, "SELECT name FROM migrations")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	have := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		have[name] = true
	}
	return have, rows.Err()
}

// apply applies one migration.
func apply(ctx context.Context, tx *sql.Tx, file, name string) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO migrations (name, applied_at) VALUES ($1, $2)", name, time.Now().UnixMicro())
	return err
}
