package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
)

var _ audit.Store = (*DB)(nil)

const auditColumns = `id, account, gateway, actor_type, actor_id, actor_name, address, interface, action, kind, object_id, object_name,
	failed, before_json, after_json`

// AppendAudit implements audit.Store.
func (db *DB) AppendAudit(ctx context.Context, entries ...audit.Entry) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for i := range entries {
			e := &entries[i]
			failed := 0
			if e.Failed {
				failed = 1
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO audit (`+auditColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
				e.ID.String(), e.Account, e.Gateway, string(e.Actor.Type), e.Actor.ID, e.Actor.Name, e.Address, e.Interface,
				e.Action, e.Object.Kind, e.Object.ID, e.Object.Name, failed, document(e.Before), document(e.After))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// document is JSON as it is stored; nil is NULL.
func document(doc json.RawMessage) any {
	if doc == nil {
		return nil
	}
	return string(doc)
}

// conditions gathers what a WHERE clause asks, with a parameter for every value.
type conditions struct {
	terms []string
	args  []any
}

// place makes a parameter of a value and returns what stands for it.
func (c *conditions) place(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

// add adds a term in which ? stands for the value, once or more often.
func (c *conditions) add(term string, value any) {
	c.terms = append(c.terms, strings.ReplaceAll(term, "?", c.place(value)))
}

func (c *conditions) where() string {
	if len(c.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.terms, " AND ")
}

// auditConditions are what a filter asks. Its texts are constants; what a caller said is in the values.
func auditConditions(f *audit.Filter) *conditions {
	c := &conditions{}
	if f.Accounts != nil {
		places := make([]string, len(f.Accounts))
		for i, account := range f.Accounts {
			places[i] = c.place(account)
		}
		c.terms = append(c.terms, "account IN ("+strings.Join(places, ", ")+")") // none: nothing is in an empty list
	}
	for _, t := range []struct{ term, value string }{
		{"gateway = ?", f.Gateway},
		{"(actor_id = ? OR actor_name = ?)", f.Actor},
		{"address = ?", f.Address},
		{"action = ?", f.Action},
		{"kind = ?", f.Kind},
		{"(object_id = ? OR object_name = ?)", f.Object},
	} {
		if t.value != "" {
			c.add(t.term, t.value)
		}
	}
	if f.Failed != nil {
		c.add("failed = ?", map[bool]int{false: 0, true: 1}[*f.Failed])
	}
	if !f.From.IsZero() {
		c.add("id >= ?", sluice.MinID(f.From).String())
	}
	if !f.To.IsZero() {
		c.add("id < ?", sluice.MinID(f.To).String())
	}
	if !f.After.IsZero() {
		c.add(map[bool]string{false: "id < ?", true: "id > ?"}[f.Oldest], f.After.String())
	}
	return c
}

// ListAudit implements audit.Store.
func (db *DB) ListAudit(ctx context.Context, f audit.Filter) ([]audit.Entry, error) {
	c := auditConditions(&f)
	direction := "DESC"
	if f.Oldest {
		direction = "ASC"
	}
	query := "SELECT " + auditColumns + " FROM audit" + c.where() + " ORDER BY id " + direction + " LIMIT " + c.place(f.Limit) + " OFFSET " + c.place(f.Offset)
	var list []audit.Entry
	err := db.all(ctx, func(rows *sql.Rows) error {
		e, err := scanAudit(rows)
		list = append(list, e)
		return err
	}, query, c.args...)
	return list, err
}

func scanAudit(rows *sql.Rows) (e audit.Entry, err error) {
	var id, actorType string
	var before, after sql.NullString
	var failed int64
	err = rows.Scan(&id, &e.Account, &e.Gateway, &actorType, &e.Actor.ID, &e.Actor.Name, &e.Address, &e.Interface,
		&e.Action, &e.Object.Kind, &e.Object.ID, &e.Object.Name, &failed, &before, &after)
	if err != nil {
		return e, fmt.Errorf("read an audit entry: %w", err)
	}
	if e.ID, err = sluice.ParseID(id); err != nil {
		return e, fmt.Errorf("read an audit entry: %w", err)
	}
	e.Actor.Type, e.Failed = audit.ActorType(actorType), failed != 0
	if before.Valid {
		e.Before = json.RawMessage(before.String)
	}
	if after.Valid {
		e.After = json.RawMessage(after.String)
	}
	return e, nil
}

// TrimAudit implements audit.Store. It removes some thousands at a time, so that other changes come between.
func (db *DB) TrimAudit(ctx context.Context, before time.Time) (total int64, err error) {
	const atOnce = 10_000
	for {
		var n int64
		err := db.change(ctx, func(tx *sql.Tx) error {
			result, err := tx.ExecContext(ctx, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < $1 ORDER BY id LIMIT $2)",
				sluice.MinID(before).String(), atOnce)
			if err != nil {
				return err
			}
			n, err = result.RowsAffected()
			return err
		})
		total += n
		if err != nil || n < atOnce || ctx.Err() != nil {
			return total, err
		}
	}
}
