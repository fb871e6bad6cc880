package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/object"
)

var _ object.Store = (*DB)(nil)

const objectColumns = "kind, id, account, gateway, parent, name, unique_name, version, data, created_at, modified_at"

func scanObject(scan func(...any) error) (r object.Record, err error) {
	var data string
	var created, modified int64
	err = scan(&r.Kind, &r.ID, &r.Account, &r.Gateway, &r.Parent, &r.Name, &r.Unique, &r.Version, &data, &created, &modified)
	r.Data, r.Created, r.Modified = []byte(data), timeOf(created), timeOf(modified)
	return r, err
}

// GetObject implements object.Store.
func (db *DB) GetObject(ctx context.Context, kind object.Kind, id string) (object.Record, error) {
	row := db.read.QueryRowContext(ctx, "SELECT "+objectColumns+" FROM objects WHERE kind = $1 AND id = $2", kind, id)
	r, err := scanObject(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, &sluice.Error{Kind: sluice.KindNotFound, Msg: string(kind) + " not found"}
	}
	return r, err
}

// ListObjects implements object.Store.
func (db *DB) ListObjects(ctx context.Context, q object.Query) (list []object.Record, total int64, err error) {
	where, args := objectsWhere(&q)
	if err := db.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM objects"+where, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	order := " ORDER BY created_at, id"
	if q.Newest {
		order = " ORDER BY created_at DESC, id DESC"
	}
	if q.Limit > 0 {
		order += " LIMIT " + strconv.Itoa(q.Limit) + " OFFSET " + strconv.Itoa(q.Offset)
	}
	err = db.all(ctx, func(rows *sql.Rows) error {
		r, err := scanObject(rows.Scan)
		list = append(list, r)
		return err
	}, "SELECT "+objectColumns+" FROM objects"+where+order, args...)
	return list, total, err
}

func objectsWhere(q *object.Query) (where string, args []any) {
	add := func(condition string, value any) {
		args = append(args, value)
		where += strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args)))
	}
	add(" WHERE kind = ?", q.Kind)
	if q.Account != "" {
		add(" AND account = ?", q.Account)
		add(" AND gateway = ?", q.Gateway)
	}
	if q.Parent != "" {
		add(" AND parent = ?", q.Parent)
	}
	if q.Name != "" {
		add(" AND name = ?", q.Name)
	}
	if q.Search != "" {
		literal := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.Search)
		add(` AND LOWER(name) LIKE LOWER(?) ESCAPE '\'`, "%"+literal+"%")
	}
	return where, args
}

// ChangeObjects implements object.Store.
func (db *DB) ChangeObjects(ctx context.Context, changes ...object.Change) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for i := range changes {
			if err := changeObject(ctx, tx, &changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func changeObject(ctx context.Context, tx *sql.Tx, c *object.Change) error {
	conflict := &sluice.Error{Kind: sluice.KindConflict, Msg: "it exists already, or was changed at the same time", Hint: "read it again, then change it"}
	if c.Delete {
		if _, err := tx.ExecContext(ctx, "DELETE FROM objects WHERE parent = $1", c.ID); err != nil {
			return err
		}
		return changesOne(ctx, tx, conflict, "DELETE FROM objects WHERE kind = $1 AND id = $2 AND version = $3", c.Kind, c.ID, c.Was)
	}
	args := []any{
		c.Kind, c.ID, c.Account, c.Gateway, c.Parent, c.Name, c.Unique, c.Version, string(c.Data), micros(c.Created), micros(c.Modified),
	}
	query := "INSERT INTO objects (" + objectColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING"
	if c.Was != 0 {
		// A name that is taken is no error of the statement's here, but its own answer.
		query = `UPDATE objects SET account = $3, gateway = $4, parent = $5, name = $6, unique_name = $7, version = $8, data = $9,
			created_at = $10, modified_at = $11 WHERE kind = $1 AND id = $2 AND version = $12 AND NOT EXISTS (
				SELECT 1 FROM objects AS other WHERE other.kind = $1 AND other.account = $3 AND other.gateway = $4
				AND other.unique_name = $7 AND $7 <> '' AND other.id <> $2)`
		args = append(args, c.Was)
	}
	return changesOne(ctx, tx, conflict, query, args...)
}

// DeleteObjects implements object.Store.
func (db *DB) DeleteObjects(ctx context.Context, of object.Place) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM objects WHERE account = $1 AND gateway = $2", of.Account, of.Gateway)
		return err
	})
}
