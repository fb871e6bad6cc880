package logindex

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// Rows implements reqlog.Index: from roll-ups, which know how many exchanges have rows.
func (x *Index) Rows(ctx context.Context, account, gateway string) (int64, error) {
	n, err := x.count(ctx, &reqlog.Query{Account: account, Gateway: gateway})
	if err != nil {
		return 0, fmt.Errorf("count the rows of gateway %s: %w", gateway, err)
	}
	return n, nil
}

// TrimGateway implements reqlog.Index.
func (x *Index) TrimGateway(ctx context.Context, account, gateway string, keep int64) (rows int64, err error) {
	n, err := x.Rows(ctx, account, gateway)
	if err != nil {
		return 0, err
	}
	excess := n - keep
	for _, d := range x.dayList() {
		for d.file && rows < excess {
			if err := ctx.Err(); err != nil {
				return rows, err
			}
			n, err := x.trimGatewaySome(ctx, d.day, account, gateway, min(excess-rows, trimBatch))
			if err != nil {
				return rows, fmt.Errorf("trim gateway %s on day %s: %w", gateway, dayName(d.day), err)
			}
			if rows += n; n == 0 {
				break
			}
		}
	}
	return rows, nil
}

// trimGatewaySome removes some of a gateway's first rows of a day.
func (x *Index) trimGatewaySome(ctx context.Context, day int64, account, gateway string, most int64) (rows int64, err error) {
	x.write.Lock()
	defer x.write.Unlock()
	if x.closed {
		return 0, errClosed
	}
	err = x.with(ctx, day, func(p *part) error {
		scope, err := p.textID(ctx, scopeOf(account, gateway))
		if err != nil || scope == 0 {
			return err
		}
		var ids []int64
		err = all(ctx, p.read, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, "SELECT id FROM rows WHERE scope = ? ORDER BY id LIMIT ?", scope, most)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := x.unseal(ctx, day); err != nil {
			return err
		}
		rows = int64(len(ids))
		return x.removeRows(ctx, p, scope, account, gateway, ids)
	})
	return rows, err
}

// removeRows removes the rows of a scope that ids, in order, lists: those are all up to the last of them.
func (x *Index) removeRows(ctx context.Context, p *part, scope int64, account, gateway string, ids []int64) error {
	b := newBatch(p, x.metadata, x.log)
	b.state.rows -= int64(len(ids))
	err := p.tx(ctx, func() error {
		ctx := context.WithoutCancel(ctx)
		for _, id := range ids {
			minute := (p.day*dayMillis + id>>counterBits) / minuteMillis
			if err := b.uncount(ctx, minute, account, gateway); err != nil {
				return err
			}
		}
		if err := p.exec(ctx, "DELETE FROM rows WHERE scope = ? AND id <= ?", scope, ids[len(ids)-1]); err != nil {
			return err
		}
		return b.finish(ctx)
	})
	if err != nil {
		b.gather.undo()
		return err
	}
	p.state = b.state
	p.lastText.Store(p.texts.last)
	b.gather.keep()
	x.note(p, time.Now())
	return nil
}
