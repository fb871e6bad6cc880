package sqlstore

import (
	"context"
	"database/sql"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/gateway"
)

var _ gateway.Store = (*DB)(nil)

// ListGateways implements gateway.Store.
func (db *DB) ListGateways(ctx context.Context) ([]gateway.Record, error) {
	var list []gateway.Record
	err := db.all(ctx, func(rows *sql.Rows) error {
		var r gateway.Record
		var created, modified int64
		if err := rows.Scan(&r.Account, &r.ID, &r.Version, &r.Settings, &created, &modified); err != nil {
			return err
		}
		r.Created, r.Modified = timeOf(created), timeOf(modified)
		list = append(list, r)
		return nil
	}, "SELECT account, id, version, settings, created_at, modified_at FROM gateways ORDER BY account, id")
	return list, err
}

// PutGateway implements gateway.Store.
func (db *DB) PutGateway(ctx context.Context, r gateway.Record, was int64) error {
	var settings any // a nil []byte would be stored as an empty text
	if r.Settings != nil {
		settings = string(r.Settings)
	}
	args := []any{r.Account, r.ID, r.Version, settings, micros(r.Created), micros(r.Modified)}
	query := "INSERT INTO gateways (account, id, version, settings, created_at, modified_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"
	if was != 0 {
		query = "UPDATE gateways SET version = $3, settings = $4, created_at = $5, modified_at = $6 WHERE account = $1 AND id = $2 AND version = $7"
		args = append(args, was)
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return &sluice.Error{Kind: sluice.KindConflict, Msg: "the gateway was changed at the same time", Hint: "read it again, then change it"}
	})
}
