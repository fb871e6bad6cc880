package main

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/bench/internal/traffic"
)

// calls has a steady number of calls a second answered by the built-in echo provider, and so written to the log.
type calls struct {
	s      *server
	done   atomic.Int64
	failed atomic.Int64
}

func (c *calls) run(ctx context.Context, rate int) {
	if rate == 0 {
		return
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			running.Go(func() { c.one(ctx) })
		}
	}
}

func (c *calls) one(ctx context.Context) {
	body := []byte(`{"model":"echo-1","messages":[{"role":"user","content":"Hello"}]}`)
	_, err := c.s.do(ctx, http.MethodPost, "/v1/"+traffic.Account+"/"+traffic.Main+"/echo/chat/completions", body)
	switch {
	case err == nil:
		c.done.Add(1)
	case ctx.Err() == nil:
		c.failed.Add(1)
	}
}
