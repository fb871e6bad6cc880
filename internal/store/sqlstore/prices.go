package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sluicehq/sluice/internal/price"
)

var _ price.OwnStore = (*DB)(nil)

// ListPrices implements price.OwnStore.
func (db *DB) ListPrices(ctx context.Context) ([]price.Own, error) {
	var list []price.Own
	err := db.all(ctx, func(rows *sql.Rows) error {
		var p price.Own
		var usd string
		var modified int64
		if err := rows.Scan(&p.Account, &p.Provider, &p.Model, &p.As, &p.Times, &usd, &modified); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(usd), &p.USD); err != nil {
			return fmt.Errorf("price of %s/%s of account %s: %w", p.Provider, p.Model, p.Account, err)
		}
		p.Modified = timeOf(modified)
		list = append(list, p)
		return nil
	}, "SELECT account, provider, model, as_model, times, usd, modified_at FROM prices ORDER BY account, provider, model")
	return list, err
}

// PutPrice implements price.OwnStore.
func (db *DB) PutPrice(ctx context.Context, p price.Own) error {
	usd, err := json.Marshal(p.USD)
	if err != nil {
		return err
	}
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO prices (account, provider, model, as_model, times, usd, modified_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (account, provider, model) DO UPDATE SET as_model = excluded.as_model, times = excluded.times, usd = excluded.usd,
			modified_at = excluded.modified_at`, p.Account, p.Provider, p.Model, p.As, p.Times, string(usd), micros(p.Modified))
		return err
	})
}

// DeletePrices implements price.OwnStore.
func (db *DB) DeletePrices(ctx context.Context, account, provider, model string) (n int, err error) {
	query, args := "DELETE FROM prices WHERE account = $1 AND provider = $2", []any{account, provider}
	if model != "" {
		query += " AND model = $3"
		args = append(args, model)
	}
	err = db.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		rows, err := result.RowsAffected()
		n = int(rows)
		return err
	})
	return n, err
}
