// Package sqlstore keeps what is configuration in its nature, so few rows that change seldom and must
// not be lost: gateways, and what else an operator makes. It is one SQLite file; every commit is on disk
// when it returns. Traffic has its own files (store/logindex).
//
// Its SQL is the part of the language that SQLite and PostgreSQL share: parameters are $1, $2, …, types
// are TEXT and BIGINT, times are microseconds since 1970. What differs between
// the two belongs into dialect.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// DB is the database. It is safe for concurrent use.
type DB struct {
	dialect dialect
	write   *sql.DB // one connection
	read    *sql.DB // several
}

// dialect is what the databases differ in.
type dialect struct {
	driver string
	source func(file string, write bool) string // the data source's name
}

func sqlite() dialect { return dialect{driver: "sqlite", source: sqliteSource} }

const readers = 3 // connections

// Open opens or makes the SQLite file and brings its schema up to date. The file belongs to one process:
// who calls holds the lock of the data directory.
func Open(ctx context.Context, file string) (*DB, error) {
	// The driver would make it readable for everybody.
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{dialect: sqlite()}
	if err := db.open(ctx, file); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", file, err), db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, file string) (err error) {
	if db.write, err = sql.Open(db.dialect.driver, db.dialect.source(file, true)); err != nil {
		return err
	}
	db.write.SetMaxOpenConns(1)
	if err := db.migrate(ctx); err != nil {
		return err
	}
	if db.read, err = sql.Open(db.dialect.driver, db.dialect.source(file, false)); err != nil {
		return err
	}
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	return nil
}

// Close ends all connections. What was committed is on disk already.
func (db *DB) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{db.read, db.write} { // the last to close a file takes its WAL in
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// sqliteSource names the file for the driver, which ignores names of parameters that it doesn't know. A
// transaction that may write takes the write lock when it begins: one that reads first and writes then
// fails at once when another has written in between, whatever the timeout.
func sqliteSource(file string, write bool) string {
	query := "mode=rw&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=cell_size_check(1)&_pragma=temp_store(MEMORY)"
	if write {
		query += "&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	} else {
		query += "&_pragma=query_only(1)"
	}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + query
}

// Copy copies the database to a file that does not exist yet, as it is at one moment. Changes wait meanwhile.
func (db *DB) Copy(ctx context.Context, to string) error {
	if _, err := db.write.ExecContext(ctx, "VACUUM INTO $1", to); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	return os.Chmod(to, 0o600)
}

// change runs fn in a transaction that writes. When fn fails nothing has changed.
func (db *DB) change(ctx context.Context, fn func(*sql.Tx) error) error {
	// An interrupted commit leaves open whether it happened, and this one takes milliseconds.
	ctx = context.WithoutCancel(ctx)
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// all calls fn for each row of a query.
func (db *DB) all(ctx context.Context, fn func(*sql.Rows) error, query string, args ...any) (err error) {
	rows, err := db.read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// micros is a time as it is stored. The zero Time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeOf is the time that micros stored.
func timeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
