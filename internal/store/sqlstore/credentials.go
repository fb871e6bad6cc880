package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/vault"
)

var _ vault.Store = (*DB)(nil)

// PutCredential implements vault.Store.
func (db *DB) PutCredential(ctx context.Context, c vault.Stored, was int64) error {
	hosts, err := json.Marshal(append([]string{}, c.Hosts...))
	if err != nil {
		return err
	}
	isDefault := 0
	if c.Default {
		isDefault = 1
	}
	args := []any{
		c.ID, c.Account, c.Gateway, c.Provider, c.Alias, isDefault, c.Hint, c.Weight, string(hosts), c.RateLimit, c.RateLimitPeriod,
		base64.StdEncoding.EncodeToString(c.Sealed), c.Version, micros(c.Created), micros(c.Modified),
	}
	query := `INSERT INTO credentials (id, account, gateway, provider, alias, is_default, hint, weight, hosts, rate_limit, rate_limit_period,
		sealed, version, created_at, modified_at, last_used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 0) ON CONFLICT DO NOTHING`
	if was != 0 {
		query = `UPDATE credentials SET account = $2, gateway = $3, provider = $4, alias = $5, is_default = $6, hint = $7, weight = $8, hosts = $9,
			rate_limit = $10, rate_limit_period = $11, sealed = $12, version = $13, created_at = $14, modified_at = $15
			WHERE id = $1 AND version = $16`
		args = append(args, was)
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, &sluice.Error{
			Kind: sluice.KindConflict, Msg: "the provider key was changed at the same time", Hint: "read it again, then change it",
		}, query, args...)
	})
}

// changesOne runs a statement that changes one row; otherwise the error is none.
func changesOne(ctx context.Context, tx *sql.Tx, none error, query string, args ...any) error {
	result, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return none
}

// ListCredentials implements vault.Store.
func (db *DB) ListCredentials(ctx context.Context) ([]vault.Stored, error) {
	var list []vault.Stored
	err := db.all(ctx, func(rows *sql.Rows) error {
		c, err := scanCredential(rows)
		list = append(list, c)
		return err
	}, `SELECT id, account, gateway, provider, alias, is_default, hint, weight, hosts, rate_limit, rate_limit_period,
		sealed, version, created_at, modified_at, last_used_at
		FROM credentials ORDER BY created_at, id`)
	return list, err
}

// scanCredential reads a row. What in it was damaged makes a credential that cannot be opened, not an error:
// the others are needed.
func scanCredential(rows *sql.Rows) (c vault.Stored, err error) {
	var isDefault, created, modified, used int64
	var hosts, sealed string
	if err := rows.Scan(
		&c.ID, &c.Account, &c.Gateway, &c.Provider, &c.Alias, &isDefault, &c.Hint, &c.Weight, &hosts, &c.RateLimit, &c.RateLimitPeriod,
		&sealed, &c.Version, &created, &modified, &used,
	); err != nil {
		return c, fmt.Errorf("read a provider key: %w", err)
	}
	var list []string
	if json.Unmarshal([]byte(hosts), &list) == nil && len(list) > 0 {
		c.Hosts = list
	}
	if b, err := base64.StdEncoding.DecodeString(sealed); err == nil {
		c.Sealed = b
	}
	c.Default = isDefault != 0
	c.Created, c.Modified, c.LastUsed = timeOf(created), timeOf(modified), timeOf(used)
	return c, nil
}

// DeleteCredential implements vault.Store.
func (db *DB) DeleteCredential(ctx context.Context, id string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, &sluice.Error{Kind: sluice.KindNotFound, Msg: "provider key not found"},
			"DELETE FROM credentials WHERE id = $1", id)
	})
}

// TouchCredentials implements vault.Store.
func (db *DB) TouchCredentials(ctx context.Context, used map[string]time.Time) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		for id, at := range used {
			if _, err := tx.ExecContext(ctx, "UPDATE credentials SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2", id, micros(at)); err != nil {
				return err
			}
		}
		return nil
	})
}

// DataKey implements vault.Store.
func (db *DB) DataKey(ctx context.Context) ([]byte, error) { return dataKey(ctx, db.read) }

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func dataKey(ctx context.Context, q querier) ([]byte, error) {
	var text string
	err := q.QueryRowContext(ctx, "SELECT sealed FROM data_key WHERE id = 1").Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	sealed, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(sealed) == 0 {
		return []byte{0}, nil // there is one, and nothing opens it
	}
	return sealed, nil
}

// PutDataKey implements vault.Store.
func (db *DB) PutDataKey(ctx context.Context, sealed, was []byte) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		now, err := dataKey(ctx, tx)
		if err != nil {
			return err
		}
		if !bytes.Equal(now, was) {
			return &sluice.Error{Kind: sluice.KindConflict, Msg: "the data key of provider keys was changed at the same time"}
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM data_key"); err != nil || sealed == nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO data_key (id, sealed) VALUES (1, $1)", base64.StdEncoding.EncodeToString(sealed))
		return err
	})
}
