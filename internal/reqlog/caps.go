package reqlog

import (
	"context"
	"maps"
)

// capShare is the share of a cap, as its inverse, by which it is passed before the oldest rows go: some at once
// cost less than one by one.
const capShare = 100

// caps holds gateways to their own bounds.
func (k *keeper) caps(ctx context.Context) {
	caps := k.capsNow.Load()
	if caps == nil {
		return
	}
	full := map[[2]string]bool{}
	for _, c := range (*caps)() {
		if ctx.Err() != nil {
			return
		}
		rows, err := k.log.store.Rows(ctx, c.Account, c.Gateway)
		switch {
		case err != nil:
		case c.StopInserting:
			full[[2]string{c.Account, c.Gateway}] = rows >= c.Rows
		case rows > c.Rows+c.Rows/capShare:
			_, err = k.log.store.TrimGateway(ctx, c.Account, c.Gateway, c.Rows)
		}
		k.failed(err)
	}
	maps.DeleteFunc(full, func(_ [2]string, is bool) bool { return !is })
	if len(full) == 0 {
		k.log.full.Store(nil)
		return
	}
	k.log.full.Store(&full)
}
