package storetest

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/spend"
)

// hold makes the id of a test's nth hold.
func hold(n int) sluice.ID {
	id := sluice.MinID(noon())
	binary.BigEndian.PutUint32(id[11:15], uint32(n))
	return id
}

const usd = sluice.NanoUSD(1_000_000_000)

// Spend proves what spend.Store promises of a store that goes by its caller's clock. open makes an empty store.
func Spend(t *testing.T, open func(*testing.T) spend.Store) {
	for _, sliding := range []bool{false, true} {
		t.Run(map[bool]string{false: "fixed", true: "sliding"}[sliding], func(t *testing.T) {
			t.Run("it decides and counts as a list of all bookings does", func(t *testing.T) { spendModel(t, open(t), sliding) })
			t.Run("one of many at a time passes a budget for one", func(t *testing.T) { spendTogether(t, open(t), sliding) })
		})
	}
	t.Run("random calls at a time leave what they cost, and pass the limit by one at most", func(t *testing.T) { spendBalance(t, open(t)) })
	t.Run("a budget that has no room keeps the others as they are", func(t *testing.T) { spendAllOrNothing(t, open(t)) })
	t.Run("a hold grows and shrinks", func(t *testing.T) { spendGrows(t, open(t)) })
	t.Run("settled twice is once", func(t *testing.T) { spendOnce(t, open(t)) })
	t.Run("a cost is corrected once, where it was booked", func(t *testing.T) { spendCorrects(t, open(t)) })
	t.Run("parts of a cost leave the hold", func(t *testing.T) { spendParts(t, open(t)) })
	t.Run("a hard rule wants the whole call to fit", func(t *testing.T) { spendHard(t, open(t)) })
	t.Run("a rule that alerts refuses nothing", func(t *testing.T) { spendAlerts(t, open(t)) })
	t.Run("a changed rule", func(t *testing.T) { spendChanges(t, open(t)) })
	t.Run("budgets in use are listed, the largest first", func(t *testing.T) { spendLists(t, open(t)) })
}

// ledger makes calls of a store, which must not fail.
type ledger struct {
	t rapid.TB
	s spend.Store
}

func (l ledger) reserve(n int, amount sluice.NanoUSD, now time.Time, claims ...spend.Claim) spend.Decision {
	l.t.Helper()
	d, err := l.s.Reserve(context.Background(), hold(n), claims, amount, now)
	if err != nil {
		l.t.Fatalf("Reserve: %v", err)
	}
	return d
}

func (l ledger) settle(n int, cost sluice.NanoUSD, how spend.How, now time.Time) {
	l.t.Helper()
	if err := l.s.Settle(context.Background(), hold(n), cost, how, now); err != nil {
		l.t.Fatalf("Settle: %v", err)
	}
}

func (l ledger) correct(n int, cost sluice.NanoUSD, now time.Time) {
	l.t.Helper()
	if err := l.s.Correct(context.Background(), hold(n), cost, now); err != nil {
		l.t.Fatalf("Correct: %v", err)
	}
}

// want checks how a budget stands.
func (l ledger) want(what string, c spend.Claim, now time.Time, spent, reserved sluice.NanoUSD) {
	l.t.Helper()
	s, err := l.s.Peek(context.Background(), c, now)
	if err != nil || s.Spent != spent || s.Reserved != reserved {
		l.t.Fatalf("%s: %+v, %v; want spent %d, reserved %d", what, s, err, spent, reserved)
	}
}

func claim(key string, limit sluice.NanoUSD) spend.Claim {
	return spend.Claim{Key: key, Rule: &sluice.SpendRule{ID: key, Limit: limit, Per: time.Hour}}
}

// booked is one booking: a budget's naive model is their list.
type booked struct {
	at     time.Time
	amount sluice.NanoUSD
}

// spentIn adds up what counts at now: of the same window, or of the sixtieths that an interval touches.
func spentIn(list []booked, r *sluice.SpendRule, now time.Time) (sum sluice.NanoUSD) {
	part, span := r.Per, int64(1)
	if r.Sliding {
		part, span = r.Per/60, 61
	}
	number := func(t time.Time) int64 { return t.UnixNano() / int64(part) }
	for _, b := range list {
		if number(now)-number(b.at) < span {
			sum += b.amount
		}
	}
	return sum
}

// spendModel draws calls of three budgets, and compares with lists.
func spendModel(t *testing.T, s spend.Store, sliding bool) {
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		l := ledger{t, s}
		type call struct {
			amount sluice.NanoUSD
			of     []int
		}
		var claims []spend.Claim
		for i := range 3 {
			claims = append(claims, spend.Claim{Key: fmt.Sprint("model", sliding, run, "/", i), Rule: &sluice.SpendRule{Limit: usd, Per: time.Minute, Sliding: sliding, Hard: i == 2}})
		}
		var spent [3][]booked
		var reserved [3]sluice.NanoUSD
		held := map[int]call{}
		now := noon()
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "step")))
			amount := usd * sluice.NanoUSD(rapid.IntRange(0, 12).Draw(t, "tenths")) / 10
			if n%2 == 0 || len(held) == 0 {
				of := rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 1, 3, rapid.ID[int]).Draw(t, "budgets")
				want := spend.Decision{OK: true}
				var asked []spend.Claim
				for i, b := range of {
					asked = append(asked, claims[b])
					state := spend.State{Spent: spentIn(spent[b], claims[b].Rule, now), Reserved: reserved[b]}
					if want.OK && !state.Open(claims[b].Rule, amount) {
						want.OK, want.Claim = false, i
					}
				}
				d := l.reserve(run*1000+n, amount, now, asked...)
				if d.OK != want.OK || d.Claim != want.Claim || !d.OK && (d.After <= 0 || d.After > time.Minute+time.Second) {
					t.Fatalf("%+v; want %+v", d, want)
				}
				if d.OK {
					held[n] = call{amount, of}
					for _, b := range of {
						reserved[b] += amount
					}
				}
			} else {
				var some []int
				for n := range 60 {
					if _, ok := held[n]; ok {
						some = append(some, n)
					}
				}
				which := rapid.SampledFrom(some).Draw(t, "settle")
				l.settle(run*1000+which, amount, spend.Final, now)
				for _, b := range held[which].of {
					reserved[b] -= held[which].amount
					spent[b] = append(spent[b], booked{now, amount})
				}
				delete(held, which)
			}
			for i := range claims {
				l.want("after a step", claims[i], now, spentIn(spent[i], claims[i].Rule, now), reserved[i])
			}
		}
	})
}

func spendTogether(t *testing.T, s spend.Store, sliding bool) {
	c := spend.Claim{Key: "together", Rule: &sluice.SpendRule{Limit: usd, Per: time.Hour, Sliding: sliding}}
	var let atomic.Int64
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range 200 {
		all.Go(func() {
			<-begin
			if d, err := s.Reserve(t.Context(), hold(i), []spend.Claim{c}, usd, noon()); err == nil && d.OK {
				let.Add(1)
			}
		})
	}
	close(begin)
	all.Wait()
	if let.Load() != 1 {
		t.Errorf("%d let through; want 1", let.Load())
	}
}

// spendBalance makes calls at a time, whose costs are below what they reserved, and some above.
func spendBalance(t *testing.T, s spend.Store) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.IntRange(0, 1<<20).Draw(t, "seed")
		limit := usd * sluice.NanoUSD(rapid.IntRange(1, 200).Draw(t, "limit"))
		short := rapid.Bool().Draw(t, "reservations fall short")
		wide, narrow := claim(fmt.Sprint("wide", seed, limit, short), 1000*usd), claim(fmt.Sprint("narrow", seed, limit, short), limit)
		before, err := s.Peek(context.Background(), narrow, noon())
		if err != nil || before.Spent > 0 {
			return // drawn before
		}
		var spent, under, largest atomic.Int64
		var all sync.WaitGroup
		for worker := range 8 {
			all.Go(func() {
				for i := range 125 {
					n := 1<<21 + worker*125 + i + seed%7*1000
					amount := usd * sluice.NanoUSD(1+(n*7919+seed)%9) / 3
					cost := amount / sluice.NanoUSD(1+n%3)
					if short && n%5 == 0 {
						cost = 2 * amount
					}
					claims := []spend.Claim{narrow, wide}
					d, err := s.Reserve(context.Background(), hold(n), claims, amount, noon())
					if err != nil || !d.OK {
						continue
					}
					spent.Add(int64(cost))
					under.Add(max(0, int64(cost-amount)))
					for {
						was := largest.Load()
						if was >= int64(amount) || largest.CompareAndSwap(was, int64(amount)) {
							break
						}
					}
					if err := s.Settle(context.Background(), hold(n), cost, spend.Final, noon()); err != nil {
						t.Errorf("Settle: %v", err)
					}
				}
			})
		}
		all.Wait()
		l := ledger{t, s}
		l.want("at the end", narrow, noon(), sluice.NanoUSD(spent.Load()), 0)
		l.want("at the end", wide, noon(), sluice.NanoUSD(spent.Load()), 0)
		if over := spent.Load() - int64(limit); over >= largest.Load()+under.Load() && over > 0 {
			t.Fatalf("the limit %d was passed by %d; the largest reservation was %d, and they fell short by %d", limit, over, largest.Load(), under.Load())
		}
	})
}

func spendAllOrNothing(t *testing.T, s spend.Store) {
	l := ledger{t, s}
	wide, full := claim("wide", 10*usd), claim("full", usd)
	l.reserve(1, usd, noon(), full)
	d := l.reserve(2, usd, noon(), wide, full)
	if d.OK || d.Claim != 1 || d.After <= 0 {
		t.Errorf("%+v", d)
	}
	l.want("refused", wide, noon(), 0, 0)
	l.want("refused", full, noon(), 0, usd)
	l.settle(2, 5*usd, spend.Final, noon())
	l.want("what was never reserved", wide, noon(), 0, 0)
}

func spendGrows(t *testing.T, s spend.Store) {
	l, c := ledger{t, s}, claim("k", 3*usd)
	l.reserve(1, usd, noon(), c)
	if d := l.reserve(1, 2*usd, noon(), c); !d.OK {
		t.Errorf("grow: %+v", d)
	}
	l.want("grown", c, noon(), 0, 2*usd)
	l.reserve(2, usd, noon(), c)
	if d := l.reserve(1, 3*usd, noon(), c); d.OK {
		t.Errorf("grow without room: %+v", d)
	}
	l.want("as before", c, noon(), 0, 3*usd)
	if d := l.reserve(1, usd, noon(), c); !d.OK {
		t.Errorf("shrink: %+v", d)
	}
	l.want("shrunk", c, noon(), 0, 2*usd)
	l.settle(1, 2*usd, spend.Final, noon())
	l.want("settled", c, noon(), 2*usd, usd)
}

func spendOnce(t *testing.T, s spend.Store) {
	l, c := ledger{t, s}, claim("k", 3*usd)
	l.settle(1, usd, spend.Final, noon())
	l.correct(1, usd, noon())
	l.want("nobody's", c, noon(), 0, 0)
	l.reserve(1, usd, noon(), c)
	for range 3 {
		l.settle(1, 2*usd, spend.Final, noon())
		l.correct(1, 7*usd, noon())
		l.want("settled", c, noon(), 2*usd, 0)
	}
}

func spendCorrects(t *testing.T, s spend.Store) {
	l, c := ledger{t, s}, claim("k", 10*usd)
	for n, to := range []sluice.NanoUSD{3 * usd, usd / 2, 0} {
		now := noon().Add(time.Duration(n) * time.Hour)
		l.reserve(n, 2*usd, now, c)
		l.settle(n, usd, spend.Pending, now)
		l.want("pending", c, now, usd, 0)
		l.settle(n, 5*usd, spend.Final, now)
		l.want("settled once more", c, now, usd, 0)
		for range 2 {
			l.correct(n, to, now.Add(30*time.Minute))
			l.want("corrected", c, now.Add(30*time.Minute), to, 0)
		}
	}
	at := noon().Add(10 * time.Hour)
	l.reserve(5, usd, at, c)
	l.settle(5, usd, spend.Pending, at.Add(59*time.Minute))
	l.correct(5, 4*usd, at.Add(61*time.Minute))
	l.want("the window in which it was booked is over", c, at.Add(61*time.Minute), 0, 0)

	long := spend.Claim{Key: "long", Rule: &sluice.SpendRule{Limit: 10 * usd, Per: 24 * time.Hour}}
	at = at.Truncate(24 * time.Hour)
	l.reserve(6, usd, at, long)
	l.settle(6, usd, spend.Pending, at)
	l.correct(6, 4*usd, at.Add(2*time.Hour))
	l.want("too late", long, at.Add(2*time.Hour), usd, 0)
}

func spendParts(t *testing.T, s spend.Store) {
	l, c := ledger{t, s}, claim("k", 10*usd)
	l.reserve(1, 2*usd, noon(), c)
	for i := range sluice.NanoUSD(3) {
		l.settle(1, usd, spend.Part, noon())
		l.want("a part", c, noon(), (i+1)*usd, 2*usd)
	}
	l.settle(1, 0, spend.Final, noon())
	l.want("the end", c, noon(), 3*usd, 0)
}

func spendHard(t *testing.T, s spend.Store) {
	l, c := ledger{t, s}, claim("k", 3*usd)
	c.Rule.Hard = true
	if d := l.reserve(1, 4*usd, noon(), c); d.OK || d.After != time.Hour {
		t.Errorf("more than the limit: %+v", d)
	}
	if d := l.reserve(1, 3*usd, noon(), c); !d.OK {
		t.Errorf("as much as the limit: %+v", d)
	}
	l.settle(1, usd, spend.Final, noon())
	if d := l.reserve(2, 3*usd, noon().Add(15*time.Minute), c); d.OK || d.After != 45*time.Minute {
		t.Errorf("more than is left: %+v", d)
	}
}

func spendAlerts(t *testing.T, s spend.Store) {
	l, c, other := ledger{t, s}, claim("k", usd), claim("other", usd)
	c.Rule.Alert = true
	if d := l.reserve(1, usd, noon(), other, c); !d.OK || d.Over != 0 {
		t.Errorf("%+v", d)
	}
	l.settle(1, usd/2, spend.Final, noon())
	l.reserve(2, usd, noon(), c)
	if d := l.reserve(3, usd/4, noon(), other, c); !d.OK || d.Over != 2 {
		t.Errorf("over: %+v", d)
	}
	l.want("counted", c, noon(), usd/2, usd+usd/4)
}

func spendChanges(t *testing.T, s spend.Store) {
	l, c := ledger{t, s}, claim("k", 10*usd)
	l.reserve(1, usd, noon(), c)
	l.settle(1, 4*usd, spend.Final, noon())
	lower := *c.Rule
	lower.Limit = 2 * usd
	if d := l.reserve(2, usd, noon(), spend.Claim{Key: "k", Rule: &lower}); d.OK {
		t.Errorf("a lower limit: %+v", d)
	}
	other := *c.Rule
	other.Per = time.Minute
	if d := l.reserve(2, usd, noon(), spend.Claim{Key: "k", Rule: &other}); !d.OK {
		t.Errorf("another window: %+v", d)
	}
	l.want("another window begins anew", spend.Claim{Key: "k", Rule: &other}, noon(), 0, usd)
}

func spendLists(t *testing.T, s spend.Store) {
	l := ledger{t, s}
	rule := &sluice.SpendRule{ID: "r", Limit: 100 * usd, Per: time.Hour, Metadata: []sluice.SpendKey{{Key: "user"}}}
	for i := range 5 {
		call := spend.Call{Account: "a", Gateway: "g", Metadata: []sluice.MetaValue{{Key: "user", Value: fmt.Sprint("u", i)}}}
		claims := spend.Claims(nil, []sluice.SpendRule{*rule}, &call)
		l.reserve(i, usd, noon(), claims...)
		if i > 0 {
			l.settle(i, usd*sluice.NanoUSD(i), spend.Final, noon())
		}
	}
	l.reserve(9, usd, noon(), claim("a\x00g\x00rr\x00", usd))
	list, total, err := s.List(t.Context(), spend.Prefix("a", "g", rule), rule, 2, noon())
	if err != nil || total != 5 || len(list) != 2 || list[0].Spent != 4*usd || list[1].Spent != 3*usd || spend.Partition(list[0].Key)["user"] != "u4" {
		t.Errorf("%+v of %d, %v", list, total, err)
	}
	if list, total, err = s.List(t.Context(), spend.Prefix("a", "g", rule), rule, 9, noon().Add(time.Hour)); err != nil || total != 1 || list[0].Reserved != usd || list[0].Spent != 0 {
		t.Errorf("in the next window: %+v of %d, %v", list, total, err)
	}
}

// SpendLasts proves that amounts outlive the store that kept them, and that what was reserved when it ended is
// booked. open opens the store of a directory at a time.
func SpendLasts[S interface {
	spend.Store
	Close() error
}](t *testing.T, open func(t *testing.T, dir string, now time.Time) S,
) {
	dir, c := t.TempDir(), claim("k", 100*usd)
	day := spend.Claim{Key: "day", Rule: &sluice.SpendRule{Limit: 100 * usd, Per: 24 * time.Hour, Sliding: true}}
	again := func(s S, now time.Time) S {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return open(t, dir, now)
	}
	s := open(t, dir, noon())
	l := ledger{t, s}
	l.reserve(1, 5*usd, noon(), c, day)
	l.settle(1, usd, spend.Final, noon())
	l.reserve(2, 2*usd, noon(), c, day)
	l.settle(2, 2*usd, spend.Pending, noon())
	l.reserve(3, 4*usd, noon(), c, day)

	now := noon().Add(10 * time.Minute)
	s = again(s, now)
	l = ledger{t, s}
	l.want("what was reserved is booked", c, now, 7*usd, 0)
	l.want("what was reserved is booked", day, now, 7*usd, 0)
	l.settle(3, usd, spend.Final, now)
	l.want("whose reservation is booked is settled", c, now, 7*usd, 0)
	l.correct(2, 3*usd, now)
	l.want("what was pending can be corrected", c, now, 8*usd, 0)

	l.reserve(4, usd, now, c, day)
	now = noon().Add(2 * time.Hour)
	s = again(s, now)
	l = ledger{t, s}
	l.want("the window in which it was reserved is over", c, now, 0, 0)
	l.want("the longer one is not", day, now, 9*usd, 0)
	s = again(s, now)
	l = ledger{t, s}
	l.want("booked once", day, now, 9*usd, 0)
}
