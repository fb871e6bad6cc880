package limit

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
)

// noon is the start of a window of every length that tests use.
func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// call is one that was let through: the naive model of a limit is their list.
type call struct {
	at time.Time
	n  int64
}

// within adds up the calls in (after, until].
func within(calls []call, after, until time.Time) (sum int64) {
	for _, c := range calls {
		if c.at.After(after) && !c.at.After(until) {
			sum += c.n
		}
	}
	return sum
}

// drawRule draws limits of all lengths, many of them no multiple of a sixtieth.
func drawRule(t *rapid.T) sluice.RateLimit {
	return sluice.RateLimit{
		Max:     rapid.Int64Range(1, 40).Draw(t, "max"),
		Per:     time.Duration(rapid.SampledFrom([]int{1, 2, 7, 10, 59, 60, 61, 100, 3600, 86400, 7 * 86400}).Draw(t, "seconds")) * time.Second,
		Sliding: rapid.Bool().Draw(t, "sliding"),
	}
}

// drawStep draws how far the clock goes on: often to where something changes.
func drawStep(t *rapid.T, per time.Duration) time.Duration {
	base := rapid.SampledFrom([]time.Duration{0, 1, per / 60, per / 60, per / 7, per / 2, per, per + per/60, 3 * per}).Draw(t, "step")
	return max(0, base+time.Duration(rapid.Int64Range(-2, 2).Draw(t, "off by")))
}

// TestAgainstTheListOfCalls compares counts with a list of all calls that were let through.
func TestAgainstTheListOfCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawRule(t)
		now := noon().Add(time.Duration(rapid.Int64Range(0, int64(rule.Per)).Draw(t, "start")))
		var counts Counts
		var calls []call
		for range rapid.IntRange(1, 120).Draw(t, "calls") {
			now = now.Add(drawStep(t, rule.Per))
			if rapid.IntRange(0, 15).Draw(t, "change") == 0 {
				rule.Max = rapid.Int64Range(1, 40).Draw(t, "new max")
			}
			n := rapid.Int64Range(1, 4).Draw(t, "n")
			peek := counts.Peek(rule, now)
			d := counts.Take(rule, n, now)
			checkDecision(t, rule, calls, n, now, d)
			if n == 1 && peek.OK != d.OK || peek.Limit != d.Limit {
				t.Fatalf("Peek %+v, then Take %+v", peek, d)
			}
			if d.OK {
				calls = append(calls, call{now, n})
			}
			checkReset(t, &counts, rule, n, now, d)
			if !counts.Sound() {
				t.Fatalf("%+v is not sound", counts)
			}
		}
	})
}

// checkDecision says when a call must be refused, and when it must not.
func checkDecision(t *rapid.T, rule sluice.RateLimit, calls []call, n int64, now time.Time, d Decision) {
	if !rule.Sliding {
		start := time.Unix(0, now.UnixNano()/int64(rule.Per)*int64(rule.Per))
		used := within(calls, start.Add(-1), now)
		if d.OK != (used+n <= rule.Max) {
			t.Fatalf("%d of %d used in the window: %+v", used, rule.Max, d)
		}
		if want := start.Add(rule.Per).Sub(now); n <= rule.Max && d.Reset != want {
			t.Fatalf("reset in %v; the next window begins in %v", d.Reset, want)
		}
		return
	}
	used := within(calls, now.Add(-rule.Per-1), now) // closed: two calls a window apart are both in it
	early := within(calls, now.Add(-rule.Per-rule.Per/60-1), now)
	if d.OK && used+n > rule.Max {
		t.Fatalf("%d used in %v, %d more let through: %+v", used, rule.Per, n, d)
	}
	if !d.OK && early+n <= rule.Max {
		t.Fatalf("%d used in %v and a sixtieth, %d more refused: %+v", early, rule.Per, n, d)
	}
}

// checkReset waits as long as a decision says, and not a moment less.
func checkReset(t *rapid.T, counts *Counts, rule sluice.RateLimit, n int64, now time.Time, d Decision) {
	if d.OK {
		n = 1
	}
	if n > rule.Max {
		if d.OK || d.Reset != rule.Per {
			t.Fatalf("%d calls at a limit of %d: %+v", n, rule.Max, d)
		}
		return
	}
	if rule.Sliding || !d.OK {
		later := *counts
		if d := later.Take(rule, n, now.Add(d.Reset)); !d.OK {
			t.Fatalf("after the reset: %+v", d)
		}
		sooner := *counts
		if d.Reset > 0 && sooner.Take(rule, n, now.Add(d.Reset-1)).OK {
			t.Fatalf("it fits a moment before the reset, %v", d.Reset)
		}
	}
}

// TestNoIntervalHoldsMore is the test of architecture 9: 5,000 calls around the edges of the window.
func TestNoIntervalHoldsMore(t *testing.T) {
	rule := sluice.RateLimit{Max: 1000, Per: time.Hour, Sliding: true}
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, seed))
		var counts Counts
		var at []time.Time
		for range 5000 {
			edge := noon().Add(time.Duration(random.IntN(4)) * rule.Per)
			at = append(at, edge.Add(time.Duration(random.Int64N(int64(4*time.Minute)))-2*time.Minute))
		}
		slices.SortFunc(at, time.Time.Compare)
		var let []time.Time
		for _, now := range at {
			if counts.Take(rule, 1, now).OK {
				let = append(let, now)
			}
		}
		for i := range let {
			if j := i + int(rule.Max); j < len(let) && let[j].Sub(let[i]) <= rule.Per {
				t.Fatalf("%d calls within %v", rule.Max+1, let[j].Sub(let[i]))
			}
		}
		if len(let) < 3000 {
			t.Fatalf("%d let through in four windows", len(let))
		}
	}
}

// TestTheClockStepsBack moves the clock to and fro: whatever it says, no more than the limit is let
// through between two steps ahead, and nobody is shut out for longer than a window and a bit.
func TestTheClockStepsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := drawRule(t)
		now := noon().Add(1000 * time.Hour)
		var counts Counts
		let := int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			back := rapid.SampledFrom([]time.Duration{0, 0, 1, time.Millisecond, time.Second, 9 * time.Second, 11 * time.Second, time.Hour, 30 * time.Hour}).Draw(t, "back")
			now = now.Add(-back)
			if counts.Take(rule, 1, now).OK {
				let++
			}
		}
		if let > rule.Max {
			t.Fatalf("%d let through at a limit of %d, while the clock only went back", let, rule.Max)
		}
		after := now.Add(rule.Per + rule.Per/60 + maxStepBack + 1)
		if d := counts.Take(rule, 1, after); !d.OK {
			t.Fatalf("%v later: %+v", after.Sub(now), d)
		}
	})
}

func TestCallsThatRacedCountInTheNewestWindow(t *testing.T) {
	for _, sliding := range []bool{false, true} {
		rule := sluice.RateLimit{Max: 2, Per: time.Minute, Sliding: sliding}
		var counts Counts
		counts.Take(rule, 1, noon())
		late := counts.Take(rule, 1, noon().Add(-time.Millisecond))
		if third := counts.Take(rule, 1, noon()); !late.OK || third.OK {
			t.Errorf("sliding %v: late %+v, third %+v", sliding, late, third)
		}
	}
}

func TestAChangedRule(t *testing.T) {
	rule := sluice.RateLimit{Max: 5, Per: time.Hour}
	var counts Counts
	counts.Take(rule, 4, noon())
	for _, c := range []struct {
		name            string
		change          func(*sluice.RateLimit)
		ok              bool
		limit, remained int64
	}{
		{"a lower limit holds at once", func(r *sluice.RateLimit) { r.Max = 3 }, false, 3, 0},
		{"a higher one too", func(r *sluice.RateLimit) { r.Max = 6 }, true, 6, 1},
		{"another length begins anew", func(r *sluice.RateLimit) { r.Per = time.Minute }, true, 5, 4},
		{"another technique begins anew", func(r *sluice.RateLimit) { r.Sliding = true }, true, 5, 4},
		{"no limit lets all through", func(r *sluice.RateLimit) { r.Max = 0 }, true, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, changed := counts, rule
			c.change(&changed)
			if d := now.Take(changed, 1, noon()); d.OK != c.ok || d.Limit != c.limit || d.Remaining != c.remained {
				t.Errorf("%+v; want OK %v, limit %d, remaining %d", d, c.ok, c.limit, c.remained)
			}
		})
	}
}

func TestRetryAfterIsRoundedUp(t *testing.T) {
	for reset, want := range map[time.Duration]int64{0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, -1: 0} {
		if got := (Decision{Reset: reset}).RetryAfter(); got != want {
			t.Errorf("%v: %d; want %d", reset, got, want)
		}
	}
}

func TestExpire(t *testing.T) {
	for _, sliding := range []bool{false, true} {
		rule := sluice.RateLimit{Max: 5, Per: time.Hour, Sliding: sliding}
		var counts Counts
		if !counts.Expire(noon()) {
			t.Error("nothing counted, and yet it matters")
		}
		counts.Take(rule, 1, noon())
		if counts.Expire(noon().Add(time.Hour)) {
			t.Errorf("sliding %v: over before a clock can be trusted", sliding)
		}
		if !counts.Expire(noon().Add(time.Hour + time.Minute + maxStepBack)) {
			t.Errorf("sliding %v: never over", sliding)
		}
		// A clock that was far ahead must not keep a key for ever.
		counts.Take(rule, 1, noon().Add(1e6*time.Hour))
		if counts.Expire(noon()) || counts.Peek(rule, noon()).Remaining != 4 {
			t.Errorf("sliding %v: counts did not go back with the clock", sliding)
		}
		if !counts.Expire(noon().Add(3 * time.Hour)) {
			t.Errorf("sliding %v: kept", sliding)
		}
	}
}

// words reads counts from bytes, as a damaged file may give them.
func words(b []byte) Counts {
	var c Counts
	word := func(i int) uint64 {
		var w [8]byte
		if 8*i < len(b) {
			copy(w[:], b[8*i:])
		}
		return binary.LittleEndian.Uint64(w[:])
	}
	c.rule, c.newest = word(0), word(1)
	for i := range c.n {
		c.n[i] = word(2 + i)
	}
	return c
}

// FuzzCounts takes any words and any clock: nothing panics, and a limit is never passed.
func FuzzCounts(f *testing.F) {
	f.Add([]byte{}, int64(5), int64(60), true, int64(1_700_000_000), int64(1))
	f.Add(slices.Repeat([]byte{0xff}, 8*(ring+2)), int64(math.MaxInt64), int64(1), false, int64(-5), int64(3))
	f.Add(slices.Repeat([]byte{1}, 8*(ring+2)), int64(1), int64(9_000_000_000), true, int64(9_000_000_000), int64(-3))
	f.Fuzz(func(t *testing.T, state []byte, most, seconds int64, sliding bool, at, n int64) {
		c := words(state)
		rule := sluice.RateLimit{Max: most, Per: time.Duration(min(max(seconds, 0), math.MaxInt64/int64(time.Second))) * time.Second, Sliding: sliding}
		now := time.Unix(min(max(at, -1e10), 9e9), 0)
		sound := c.Sound()
		c.Expire(now)
		let := int64(0)
		for range 4 {
			d := c.Take(rule, n, now)
			if !rule.On() {
				continue
			}
			if d.OK {
				let += max(n, 1)
			}
			if sound && (let > rule.Max || let < 0 || d.Remaining < 0 || d.Reset < 0) {
				t.Fatalf("%d let through: %+v", let, d)
			}
			c.Peek(rule, now)
		}
		if sound && !c.Sound() {
			t.Fatal("sound counts became unsound")
		}
	})
}

func BenchmarkTake(b *testing.B) {
	for _, sliding := range []bool{false, true} {
		b.Run(map[bool]string{false: "fixed", true: "sliding"}[sliding], func(b *testing.B) {
			rule := sluice.RateLimit{Max: math.MaxInt64, Per: time.Hour, Sliding: sliding}
			var counts Counts
			now := noon()
			b.ReportAllocs()
			for b.Loop() {
				counts.Take(rule, 1, now)
			}
		})
	}
}
