package logindex

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"modernc.org/sqlite"
)

// Migrations are numbered files, applied in order; PRAGMA user_version counts those that a file has.
// A migration library would add its own table and several queries to each of hundreds of small files.
//
//go:embed schema
var schema embed.FS

// dsn returns the data source name of the file at path.
//
// The driver knows its own parameter names only: a timeout given as other drivers spell it is ignored
// without a word. A transaction that may write takes the write lock when it begins, because one that
// reads first and writes then fails at once when another has written in between, whatever the timeout.
func dsn(path string, write bool) string {
	pragmas := []string{"busy_timeout(10000)", "temp_store(MEMORY)", "cell_size_check(1)"}
	query := "mode=rw"
	if write {
		query = "mode=rwc&_txlock=immediate"
		pragmas = append(pragmas, "page_size(4096)", "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-4096)", "wal_autocheckpoint(8192)")
		// What is deleted from a log must not lie about in free pages.
		pragmas = append(pragmas, "secure_delete(1)")
	} else {
		pragmas = append(pragmas, "query_only(1)", "cache_size(-2048)")
	}
	for _, p := range pragmas {
		query += "&_pragma=" + p
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query
}

// file is one SQLite file: one connection that writes, several that read.
type file struct {
	write *sql.DB
	conn  *sql.Conn // the only connection of write
	read  *sql.DB
	stmts map[string]*sql.Stmt                 // on conn, by their text
	plain map[insertion]driver.StmtExecContext // on the driver's connection of conn
	full  bool                                 // commits are on disk when they return
}

const readers = 3 // connections per file

// openFile opens or makes the file at path and brings its schema up to date.
func openFile(ctx context.Context, path, migrations string) (*file, error) {
	f := &file{stmts: map[string]*sql.Stmt{}, plain: map[insertion]driver.StmtExecContext{}}
	var err error
	if f.write, err = sql.Open("sqlite", dsn(path, true)); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f.write.SetMaxOpenConns(1)
	if f.conn, err = f.write.Conn(ctx); err == nil {
		err = f.migrate(ctx, migrations)
	}
	if err == nil {
		f.read, err = sql.Open("sqlite", dsn(path, false))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.close())
	}
	f.read.SetMaxOpenConns(readers)
	f.read.SetMaxIdleConns(readers)
	return f, nil
}

func (f *file) close() error {
	var errs []error
	for _, s := range f.stmts {
		errs = append(errs, s.Close())
	}
	if f.read != nil {
		errs = append(errs, f.read.Close())
	}
	if f.conn != nil {
		errs = append(errs, f.closePlain())
		errs = append(errs, f.conn.Close())
	}
	if f.write != nil {
		errs = append(errs, f.write.Close())
	}
	return errors.Join(errs...)
}

// migrate applies the migrations that the file does not have.
func (f *file) migrate(ctx context.Context, dir string) error {
	var have int
	if err := f.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	names, err := fs.Glob(schema, "schema/"+dir+"/*.sql")
	if err != nil {
		return err
	}
	slices.Sort(names)
	if have > len(names) {
		return fmt.Errorf("schema version %d is newer than this program, which knows %d", have, len(names))
	}
	for i, name := range names[have:] {
		text, err := schema.ReadFile(name)
		if err != nil {
			return err
		}
		err = f.tx(ctx, func() error {
			_, err := f.conn.ExecContext(ctx, fmt.Sprintf("%s; PRAGMA user_version = %d", text, have+i+1))
			return err
		})
		if err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}

// tx runs fn in a transaction of the writing connection. It is not sql.Tx, which would prepare each
// statement anew.
func (f *file) tx(ctx context.Context, fn func() error) error {
	// A statement that may be interrupted costs a goroutine: ctx is looked at between transactions only.
	ctx = context.WithoutCancel(ctx)
	if err := f.exec(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		err = f.exec(ctx, "COMMIT")
	}
	if err != nil {
		return errors.Join(err, f.rollback(ctx))
	}
	return nil
}

// rollback ends a failed transaction; some failures have already ended it.
func (f *file) rollback(ctx context.Context) error {
	_, err := f.conn.ExecContext(ctx, "ROLLBACK")
	if err != nil && strings.Contains(err.Error(), "no transaction is active") {
		return nil
	}
	return err
}

// durable sets whether the commits to come are on disk when they return, or some time later and in
// their order.
func (f *file) durable(ctx context.Context, on bool) error {
	if f.full == on {
		return nil
	}
	text := "PRAGMA synchronous=NORMAL"
	if on {
		text = "PRAGMA synchronous=FULL"
	}
	err := f.exec(context.WithoutCancel(ctx), text)
	if err == nil {
		f.full = on
	}
	return err
}

// stmt returns the prepared statement of text on the writing connection.
func (f *file) stmt(ctx context.Context, text string) (*sql.Stmt, error) {
	if s := f.stmts[text]; s != nil {
		return s, nil
	}
	s, err := f.conn.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.80s: %w", text, err)
	}
	f.stmts[text] = s
	return s, nil
}

// insertion names a statement that inserts rows of a table. zero and null are the columns, by bit, that are
// 0 or NULL in all of them: not to bind these is a quarter of the work.
type insertion struct {
	table      string
	rows       int
	zero, null uint32
}

const (
	leastRows   = 100 // of a statement that is made for the columns that are 0 or NULL
	maxVariants = 15  // of statements, small ones too: each of these takes some 200 KB
)

// insert inserts rows of so many values each, with the driver's own statements: database/sql looks at each
// value by itself, which costs more than SQLite does. args is not the same afterwards.
func (f *file) insert(ctx context.Context, table string, values int, args []driver.NamedValue) error {
	k := insertion{table: table, rows: len(args) / values}
	if k.rows >= leastRows {
		variant := k
		variant.zero, variant.null = constants(args, values)
		if f.plain[variant] != nil || len(f.plain) < maxVariants {
			k = variant
			args = unbind(args, values, k.zero|k.null)
		}
	}
	return f.conn.Raw(func(conn any) error {
		s := f.plain[k]
		if s == nil {
			var err error
			if s, err = preparePlain(ctx, conn, k.text(values)); err != nil {
				return err
			}
			f.plain[k] = s
		}
		_, err := s.ExecContext(ctx, args)
		return err
	})
}

// constants returns the columns that are 0 in all rows, and those that are NULL in all.
func constants(args []driver.NamedValue, values int) (zero, null uint32) {
	zero = 1<<values - 1
	null = zero
	for i := range args {
		bit := uint32(1) << (i % values)
		switch n, isInt := args[i].Value.(int64); {
		case isInt && n == 0:
			null &^= bit
		case args[i].Value == nil:
			zero &^= bit
		default:
			zero, null = zero&^bit, null&^bit
		}
	}
	return zero, null
}

// unbind takes the values of some columns out.
func unbind(args []driver.NamedValue, values int, columns uint32) []driver.NamedValue {
	n := 0
	for i := range args {
		if columns>>(i%values)&1 == 0 {
			args[n].Value = args[i].Value
			n++
		}
	}
	return args[:n]
}

// text returns the statement.
func (k *insertion) text(values int) string {
	var one strings.Builder
	for i := range values {
		switch {
		case k.zero>>i&1 != 0:
			one.WriteString(",0")
		case k.null>>i&1 != 0:
			one.WriteString(",NULL")
		default:
			one.WriteString(",?")
		}
	}
	row := "(" + one.String()[1:] + ")"
	verb := "INSERT"
	if k.table == "rollups" {
		verb = "INSERT OR REPLACE" // a cell that is there is part of the new one
	}
	return verb + " INTO " + k.table + " VALUES " + strings.Repeat(row+",", k.rows-1) + row
}

func preparePlain(ctx context.Context, conn any, text string) (driver.StmtExecContext, error) {
	c, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, errDriver
	}
	s, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %.80s: %w", text, err)
	}
	if plain, ok := s.(driver.StmtExecContext); ok {
		return plain, nil
	}
	return nil, errors.Join(errDriver, s.Close())
}

// errDriver is what another driver would give.
var errDriver = errors.New("the SQL driver lacks what bulk inserts need")

// closePlain closes the driver's own statements.
func (f *file) closePlain() error {
	return f.conn.Raw(func(any) error {
		var errs []error
		for _, s := range f.plain {
			if c, ok := s.(driver.Stmt); ok {
				errs = append(errs, c.Close())
			}
		}
		return errors.Join(errs...)
	})
}

func (f *file) exec(ctx context.Context, text string, args ...any) error {
	s, err := f.stmt(ctx, text)
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, args...)
	return err
}

// one reads a single row through the writing connection; found is false when there is none.
func (f *file) one(ctx context.Context, text string, args []any, into ...any) (found bool, err error) {
	s, err := f.stmt(ctx, text)
	if err != nil {
		return false, err
	}
	err = s.QueryRowContext(ctx, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// all calls fn for each row of a query on q.
func all(ctx context.Context, q querier, fn func(*sql.Rows) error, text string, args ...any) error {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// querier is what rows are read through: a pool, or one connection.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// taken reports whether err says that a row's place is taken.
func taken(err error) bool {
	const constraint = 19
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == constraint
}
