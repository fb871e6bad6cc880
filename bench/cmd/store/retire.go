package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// retire lowers the bound on rows by a tenth and tells what retention frees, and how soon.
func retire(ctx context.Context, o options) (err error) {
	before := usage(o.dir)
	s, err := launch(ctx, o, int64(o.rows)*9/10)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	began := time.Now()
	fmt.Printf("\nretention: at most %d rows from now on\n", o.rows*9/10)
	last, since := usage(o.dir), time.Now()
	for time.Since(since) < 75*time.Second && ctx.Err() == nil { // bounds are looked at every minute
		wait(ctx, time.Second)
		if now := usage(o.dir); now.index+now.rows != last.index+last.rows {
			last, since = now, time.Now()
		}
	}
	fmt.Printf("after %v: days %s -> %s, analytics.db %s -> %s, rows %s -> %s; files went as a whole, and nothing was vacuumed\n",
		since.Sub(began).Round(time.Second), size(before.index), size(last.index), size(before.analytics), size(last.analytics),
		size(before.rows), size(last.rows))
	return ctx.Err()
}
