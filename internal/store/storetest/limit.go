package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
)

// Limit proves what limit.Store promises of a store that goes by its caller's clock. open makes an empty
// store.
func Limit(t *testing.T, open func(*testing.T) limit.Store) {
	for _, sliding := range []bool{false, true} {
		t.Run(map[bool]string{false: "fixed", true: "sliding"}[sliding], func(t *testing.T) {
			t.Run("exactly the limit is let through of many at a time", func(t *testing.T) { limitTogether(t, open(t), sliding) })
			t.Run("it decides as limit.Counts does", func(t *testing.T) { limitModel(t, open(t), sliding) })
		})
	}
	t.Run("keys do not share their counts", func(t *testing.T) { limitKeys(t, open(t)) })
	t.Run("Peek counts nothing", func(t *testing.T) {
		s, rule := open(t), sluice.RateLimit{Max: 3, Per: time.Hour}
		for range 5 {
			if d := peek(t, s, "k", rule, noon()); !d.OK || d.Remaining != 3 || d.Limit != 3 || d.Reset != time.Hour {
				t.Fatalf("Peek = %+v", d)
			}
		}
	})
	t.Run("a refusal counts nothing", func(t *testing.T) {
		s, rule := open(t), sluice.RateLimit{Max: 3, Per: time.Hour}
		for range 5 {
			if d := take(t, s, "k", rule, 4, noon()); d.OK || d.Remaining != 3 {
				t.Fatalf("4 of 3: %+v", d)
			}
		}
		if d := take(t, s, "k", rule, 3, noon()); !d.OK || d.Remaining != 0 {
			t.Errorf("3 of 3: %+v", d)
		}
	})
	t.Run("a rule that is no limit lets all through and keeps nothing", func(t *testing.T) {
		s := open(t)
		for _, rule := range []sluice.RateLimit{{}, {Max: 5}, {Per: time.Hour}} {
			if d := take(t, s, "k", rule, 1e9, noon()); d != (limit.Decision{OK: true}) {
				t.Errorf("%+v: %+v", rule, d)
			}
		}
		if d := peek(t, s, "k", sluice.RateLimit{Max: 2, Per: time.Hour}, noon()); d.Remaining != 2 {
			t.Errorf("then %+v", d)
		}
	})
}

// LimitLasts proves that counts outlive the store that made them. open opens the store of a directory.
func LimitLasts[S interface {
	limit.Store
	Close() error
}](t *testing.T, open func(t *testing.T, dir string) S,
) {
	for _, sliding := range []bool{false, true} {
		dir, rule := t.TempDir(), sluice.RateLimit{Max: 10, Per: time.Hour, Sliding: sliding}
		for i := range 3 {
			s := open(t, dir)
			for k := range 20 {
				now := noon().Add(time.Duration(10*i) * time.Minute)
				if d := take(t, s, fmt.Sprint("key", k), rule, 4, now); d.OK != (i < 2) || d.Remaining != int64([]int{6, 2, 2}[i]) {
					t.Fatalf("sliding %v, opened %d times: %+v", sliding, i+1, d)
				}
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func take(t rapid.TB, s limit.Store, key string, rule sluice.RateLimit, n int64, now time.Time) limit.Decision {
	t.Helper()
	d, err := s.Take(context.Background(), key, rule, n, now)
	if err != nil {
		t.Fatalf("Take: %v", err)
	}
	return d
}

func peek(t rapid.TB, s limit.Store, key string, rule sluice.RateLimit, now time.Time) limit.Decision {
	t.Helper()
	d, err := s.Peek(context.Background(), key, rule, now)
	if err != nil {
		t.Fatalf("Peek: %v", err)
	}
	return d
}

func limitTogether(t *testing.T, s limit.Store, sliding bool) {
	rule := sluice.RateLimit{Max: 1000, Per: time.Hour, Sliding: sliding}
	var let atomic.Int64
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 5000 {
		all.Go(func() {
			<-begin
			now := noon().Add(time.Duration(i) * time.Millisecond)
			if d, err := s.Take(t.Context(), "k", rule, 1, now); err == nil && d.OK {
				let.Add(1)
			}
		})
	}
	close(begin)
	all.Wait()
	if let.Load() != rule.Max {
		t.Errorf("%d of 5000 let through; want %d", let.Load(), rule.Max)
	}
	if d := peek(t, s, "k", rule, noon().Add(5*time.Second)); d.OK || d.Remaining != 0 || d.Reset <= 0 {
		t.Errorf("then %+v", d)
	}
}

// limitModel draws calls under a few keys and compares decisions with those of limit.Counts, which is
// proven by itself.
func limitModel(t *testing.T, s limit.Store, sliding bool) {
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		model := map[string]*limit.Counts{}
		now := noon()
		rule := sluice.RateLimit{Max: 7, Per: 90 * time.Second, Sliding: sliding}
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.Int64Range(-int64(20*time.Second), int64(100*time.Second)).Draw(t, "step")))
			rule.Max = rapid.Int64Range(5, 9).Draw(t, "max")
			key := fmt.Sprint(run, rapid.IntRange(0, 2).Draw(t, "key"))
			c := model[key]
			if c == nil {
				c = new(limit.Counts)
				model[key] = c
			}
			if got, want := peek(t, s, key, rule, now), c.Peek(rule, now); got != want {
				t.Fatalf("Peek = %+v; want %+v", got, want)
			}
			n := rapid.Int64Range(1, 3).Draw(t, "n")
			if got, want := take(t, s, key, rule, n, now), c.Take(rule, n, now); got != want {
				t.Fatalf("Take = %+v; want %+v", got, want)
			}
		}
	})
}

func limitKeys(t *testing.T, s limit.Store) {
	rule := sluice.RateLimit{Max: 1 << 40, Per: time.Hour}
	const keys = 3000
	for round := range 2 {
		for k := range keys {
			key := fmt.Sprintf("account/gateway/%d", k)
			if d := take(t, s, key, rule, int64(k+1), noon()); !d.OK || d.Remaining != rule.Max-int64((round+1)*(k+1)) {
				t.Fatalf("round %d, key %d: %+v", round, k, d)
			}
		}
	}
	for _, odd := range []string{"", "\x00", string(make([]byte, 5000)), "ünïcode", "a/b", "a//b"} {
		if d := take(t, s, odd, rule, 1, noon()); d.Remaining != rule.Max-1 {
			t.Errorf("key %.20q shares its counts: %+v", odd, d)
		}
	}
}
