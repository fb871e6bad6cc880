package sluice_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

func TestIDRoundTrip(t *testing.T) {
	var ids sluice.IDs
	now := time.UnixMilli(1_764_000_000_123).UTC()
	id := ids.New(now)
	for _, text := range []string{id.String(), strings.ToUpper(id.String())} {
		if got, err := sluice.ParseID(text); err != nil || got != id {
			t.Errorf("ParseID(%s) = %s, %v", text, got, err)
		}
	}
	if !id.Time().Equal(now) || id.Milli() != now.UnixMilli() || id.Attempt() != 0 || id.IsZero() {
		t.Errorf("id = %s: time %v, attempt %d", id, id.Time(), id.Attempt())
	}
	if n := id.WithAttempt(63); n.Attempt() != 63 || n.WithAttempt(0) != id || n.Counter() != id.Counter() {
		t.Errorf("attempt 63 of %s = %s", id, n)
	}
	if s := id.String(); s[14] != '7' || !strings.Contains("89ab", s[19:20]) {
		t.Errorf("%s is no UUIDv7", s)
	}
}

func TestParseIDRefuses(t *testing.T) {
	for _, text := range []string{
		"", "x", "019a7b3e-5f2c-4d10-8a4e-0123456789c0", "019a7b3e-5f2c-7d10-4a4e-0123456789c0", "019a7b3e5f2c7d108a4e0123456789c0",
		"019a7b3e-5f2c-7d10-8a4e-0123456789cg", "019a7b3e-5f2c-7d10-8a4e-0123456789c00", "{019a7b3e-5f2c-7d10-8a4e-0123456789}",
	} {
		if id, err := sluice.ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %s; want an error", text, id)
		}
	}
}

func TestIDsGrow(t *testing.T) {
	at := time.UnixMilli(1_764_000_000_000)
	tests := []struct {
		name string
		step time.Duration
		grow bool
	}{
		{"within a millisecond", 0, true},
		{"with the clock", time.Second, true},
		{"through a step back of ten seconds", -10 * time.Second, true},
		{"but not through a longer one", -time.Hour, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ids sluice.IDs
			a := ids.New(at)
			b := ids.New(at.Add(tt.step))
			if grown := slices.Compare(a[:], b[:]) < 0; grown != tt.grow {
				t.Errorf("%s, then %s", a, b)
			}
		})
	}
}

func TestIDsAreUnique(t *testing.T) {
	var ids sluice.IDs
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[int64]bool{}
	now := time.UnixMilli(1_764_000_000_000)
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				id := ids.New(now)
				mu.Lock()
				if seen[id.Counter()] {
					t.Errorf("counter %d twice in a millisecond", id.Counter())
				}
				seen[id.Counter()] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestMinIDBoundsItsMillisecond(t *testing.T) {
	var ids sluice.IDs
	now := time.UnixMilli(1_764_000_000_000)
	low, id, high := sluice.MinID(now), ids.New(now), sluice.MinID(now.Add(time.Millisecond))
	if slices.Compare(low[:], id[:]) > 0 || slices.Compare(id[:], high[:]) >= 0 {
		t.Errorf("%s is not between %s and %s", id, low, high)
	}
	if _, err := sluice.ParseID(sluice.MinID(time.Time{}).String()); err != nil {
		t.Errorf("MinID of the zero time: %v", err)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("019a7b3e-5f2c-7d10-8a4e-0123456789c0")
	f.Add("019A7B3E-5F2C-7D10-8A4E-0123456789C0")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := sluice.ParseID(text); err == nil && id.String() != strings.ToLower(text) {
			t.Errorf("ParseID(%q) = %s", text, id)
		}
	})
}
