package cache_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

func TestIdenticalRequestsShareOneCall(t *testing.T) {
	c := open(t)
	ask := cache.Ask{Scope: cache.Scope{Account: "a", Gateway: "g"}, Key: cache.Key{1}}
	var calls, hits atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			now := time.Now()
			e, f, _ := c.Lookup(t.Context(), ask, now)
			if e != nil {
				hits.Add(1)
				if string(e.Body) != strings.Repeat("x", 10_000) {
					t.Error("another body")
				}
				return
			}
			defer f.Leave()
			if f.Leader() {
				calls.Add(1)
				f.Answer(cache.Head{Status: 200, Length: -1, Header: sluice.Header{{Name: "Set-Cookie", Value: "a"}}},
					io.NopCloser(strings.NewReader(strings.Repeat("x", 10_000))), nil)
			} else if h, ok := f.Wait(t.Context()); !ok || h.Status != 200 || len(h.Header) != 0 {
				t.Errorf("%+v %t", h, ok)
			}
			b, err := io.ReadAll(f.Reader(t.Context()))
			if err != nil || len(b) != 10_000 {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if f.Leader() {
				if err := f.Store(context.Background(), now, now.Add(time.Minute)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if calls.Load() != 1 {
		t.Errorf("%d calls", calls.Load())
	}
}
