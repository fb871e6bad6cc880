package sqlstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
)

var _ provider.CustomStore = (*DB)(nil)

// PutCustom implements provider.CustomStore.
func (db *DB) PutCustom(ctx context.Context, c provider.StoredCustom, was int64) error {
	args := []any{
		c.ID, c.Account, c.Slug, strings.ToLower(c.Slug), c.Name, c.BaseURL, c.Description, c.Link, c.CurlExample, c.JSExample,
		bit(c.Enabled), bit(c.Beta), c.Position, c.AuthHeader, c.AuthScheme, base64.StdEncoding.EncodeToString(c.Sealed),
		c.Version, micros(c.Created), micros(c.Modified),
	}
	query := `INSERT INTO custom_providers (id, account, slug, slug_key, name, base_url, description, link, curl_example, js_example,
		enabled, beta, position, auth_header, auth_scheme, headers, version, created_at, modified_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT DO NOTHING`
	if was != 0 {
		query = `UPDATE custom_providers SET account = $2, slug = $3, slug_key = $4, name = $5, base_url = $6, description = $7, link = $8,
			curl_example = $9, js_example = $10, enabled = $11, beta = $12, position = $13, auth_header = $14, auth_scheme = $15,
			headers = $16, version = $17, created_at = $18, modified_at = $19
			WHERE id = $1 AND version = $20`
		args = append(args, was)
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, &sluice.Error{
			Kind: sluice.KindConflict, Msg: "the custom provider was changed at the same time", Hint: "read it again, then change it",
		}, query, args...)
	})
}

// bit is a truth value as it is stored.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// ListCustoms implements provider.CustomStore.
func (db *DB) ListCustoms(ctx context.Context) ([]provider.StoredCustom, error) {
	var list []provider.StoredCustom
	err := db.all(ctx, func(rows *sql.Rows) error {
		c, err := scanCustom(rows)
		list = append(list, c)
		return err
	}, `SELECT id, account, slug, name, base_url, description, link, curl_example, js_example, enabled, beta, position,
		auth_header, auth_scheme, headers, version, created_at, modified_at
		FROM custom_providers ORDER BY created_at, id`)
	return list, err
}

// scanCustom reads a row. Headers that were damaged are some that cannot be opened, not an error: the others are
// needed.
func scanCustom(rows *sql.Rows) (c provider.StoredCustom, err error) {
	var enabled, beta, created, modified int64
	var headers string
	if err := rows.Scan(
		&c.ID, &c.Account, &c.Slug, &c.Name, &c.BaseURL, &c.Description, &c.Link, &c.CurlExample, &c.JSExample, &enabled, &beta, &c.Position,
		&c.AuthHeader, &c.AuthScheme, &headers, &c.Version, &created, &modified,
	); err != nil {
		return c, fmt.Errorf("read a custom provider: %w", err)
	}
	if headers != "" {
		if c.Sealed, err = base64.StdEncoding.DecodeString(headers); err != nil {
			c.Sealed = []byte{0}
		}
	}
	c.Enabled, c.Beta = enabled != 0, beta != 0
	c.Created, c.Modified = timeOf(created), timeOf(modified)
	return c, nil
}

// DeleteCustom implements provider.CustomStore.
func (db *DB) DeleteCustom(ctx context.Context, id string) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		return changesOne(ctx, tx, &sluice.Error{Kind: sluice.KindNotFound, Msg: "Custom Provider not found"},
			"DELETE FROM custom_providers WHERE id = $1", id)
	})
}
