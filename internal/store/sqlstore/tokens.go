package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
)

var _ auth.Store = (*DB)(nil)

// CreateToken implements auth.Store.
func (db *DB) CreateToken(ctx context.Context, t auth.Stored) error {
	var gateways any // NULL, unless there are some
	if t.Gateways != nil {
		text, err := json.Marshal(t.Gateways)
		if err != nil {
			return err
		}
		gateways = string(text)
	}
	imported := 0
	if t.Imported {
		imported = 1
	}
	hash := hex.EncodeToString(t.Hash[:])
	return db.change(ctx, func(tx *sql.Tx) error {
		if err := freeToken(ctx, tx, t, hash); err != nil {
			return err
		}
		_, err := tx.ExecContext(
			ctx, `INSERT INTO tokens (id, account, name, gateways, permissions, hint, hash, imported, created_at, expires_at, revoked_at, last_used_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			t.ID, t.Account, t.Name, gateways, int64(t.Permissions), t.Hint, hash, imported,
			micros(t.Created), micros(t.Expires), micros(t.Revoked), micros(t.LastUsed),
		)
		return err
	})
}

// freeToken says what of a new token is taken. The table's own constraints stand behind it.
func freeToken(ctx context.Context, tx *sql.Tx, t auth.Stored, hash string) error {
	var values, names int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM tokens WHERE hash = $1", hash).Scan(&values); err != nil {
		return err
	}
	const query = "SELECT COUNT(*) FROM tokens WHERE account = $1 AND name = $2 AND revoked_at = 0"
	if err := tx.QueryRowContext(ctx, query, t.Account, t.Name).Scan(&names); err != nil {
		return err
	}
	switch {
	case values > 0:
		return &sluice.Error{
			Kind: sluice.KindConflict, Field: "value",
			Msg: "the value is a token already, perhaps one that was revoked", Hint: "every token needs a value of its own",
		}
	case names > 0:
		return &sluice.Error{
			Kind: sluice.KindConflict, Field: "name",
			Msg: fmt.Sprintf("there is a token of the name %q", t.Name), Hint: "choose another name, or revoke that token first",
		}
	}
	return nil
}

// ListTokens implements auth.Store.
func (db *DB) ListTokens(ctx context.Context) ([]auth.Stored, error) {
	var list []auth.Stored
	err := db.all(ctx, func(rows *sql.Rows) error {
		t, err := scanToken(rows)
		list = append(list, t)
		return err
	}, `SELECT id, account, name, gateways, permissions, hint, hash, imported, created_at, expires_at, revoked_at, last_used_at
		FROM tokens ORDER BY created_at, id`)
	return list, err
}

func scanToken(rows *sql.Rows) (t auth.Stored, err error) {
	var gateways sql.NullString
	var hash string
	var permissions, imported, created, expires, revoked, used int64
	if err := rows.Scan(
		&t.ID, &t.Account, &t.Name, &gateways, &permissions, &t.Hint, &hash, &imported, &created, &expires, &revoked, &used,
	); err != nil {
		return t, err
	}
	if gateways.Valid {
		if err := json.Unmarshal([]byte(gateways.String), &t.Gateways); err != nil || t.Gateways == nil {
			return t, fmt.Errorf("token %s: its gateways are no list", t.ID) // as none, it would be good for all
		}
	}
	if n, err := hex.Decode(t.Hash[:], []byte(hash[:min(len(hash), 2*len(t.Hash))])); err != nil || n != len(t.Hash) {
		return t, fmt.Errorf("token %s: its hash is none", t.ID)
	}
	t.Permissions, t.Imported = auth.Permission(permissions), imported != 0
	t.Created, t.Expires, t.Revoked, t.LastUsed = timeOf(created), timeOf(expires), timeOf(revoked), timeOf(used)
	return t, nil
}

// RevokeToken implements auth.Store.
func (db *DB) RevokeToken(ctx context.Context, id string, at time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0", id, micros(at)); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM tokens WHERE id = $1", id).Scan(&n); err != nil || n == 1 {
			return err
		}
		return &sluice.Error{Kind: sluice.KindNotFound, Msg: "token not found"}
	})
}

// TouchTokens implements auth.Store.
func (db *DB) TouchTokens(ctx context.Context, used map[string]time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for id, at := range used {
			if _, err := tx.ExecContext(ctx, "UPDATE tokens SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2", id, micros(at)); err != nil {
				return err
			}
		}
		return nil
	})
}
