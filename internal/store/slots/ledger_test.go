package slots

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/spend"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func openedLedger(t testing.TB, o LedgerOptions, now time.Time) *Ledger {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	l := OpenLedger(o, now)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func inDir(dir string) LedgerOptions {
	return LedgerOptions{Budgets: filepath.Join(dir, "budgets"), Holds: filepath.Join(dir, "holds")}
}

func TestLedgerConformance(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		storetest.Spend(t, func(t *testing.T) spend.Store { return openedLedger(t, inDir(t.TempDir()), noon()) })
	})
	t.Run("memory", func(t *testing.T) {
		storetest.Spend(t, func(t *testing.T) spend.Store { return openedLedger(t, LedgerOptions{}, noon()) })
	})
	t.Run("lasts", func(t *testing.T) {
		storetest.SpendLasts(t, func(t *testing.T, dir string, now time.Time) *Ledger { return openedLedger(t, inDir(dir), now) })
	})
}

func TestSlotsOfTheLedgerAreWholePages(t *testing.T) {
	for what, size := range map[string]uintptr{"budget": unsafe.Sizeof(budgetSlot{}), "hold": unsafe.Sizeof(holdSlot{})} {
		if size*chunkSlots%headerBytes != 0 {
			t.Errorf("a slot of a %s has %d bytes: a chunk of them is no multiple of %d", what, size, headerBytes)
		}
	}
}

// holdOf is the id of a test's nth call.
func holdOf(n int) sluice.ID {
	id := sluice.MinID(noon())
	id[12], id[13], id[14] = byte(n>>16), byte(n>>8), byte(n)
	return id
}

func dollars(n int64) sluice.NanoUSD { return sluice.NanoUSD(n) * 1_000_000_000 }

func claimOf(key string) spend.Claim {
	return spend.Claim{Key: key, Rule: &sluice.SpendRule{Limit: dollars(1_000_000), Per: time.Hour}}
}

func reserve(t testing.TB, l *Ledger, n int, amount sluice.NanoUSD, now time.Time, claims ...spend.Claim) {
	t.Helper()
	if d, err := l.Reserve(context.Background(), holdOf(n), claims, amount, now); err != nil || !d.OK {
		t.Fatalf("Reserve: %+v, %v", d, err)
	}
}

func peekSpent(t testing.TB, l *Ledger, c spend.Claim, now time.Time) sluice.NanoUSD {
	t.Helper()
	s, err := l.Peek(context.Background(), c, now)
	if err != nil {
		t.Fatal(err)
	}
	return s.Spent
}

// TestABookingThatWasCutOffIsDoneOnce cuts a booking off behind each of its writes, by taking the files as they are
// then.
func TestABookingThatWasCutOffIsDoneOnce(t *testing.T) {
	for cut := range 5 {
		dir := t.TempDir()
		l := openedLedger(t, inDir(dir), noon())
		a, b := claimOf("a"), claimOf("b")
		reserve(t, l, 1, dollars(5), noon(), a, b)
		h := l.byID[holdOf(1)]
		for i := range h.claims[:2] {
			c := &h.claims[i]
			c.part = l.budget(c).slot.counts.Open(limitRule(a), noon())
			c.before = *l.budget(c).slot.counts.At(c.part)
		}
		h.delta, h.then, h.after = int64(dollars(3)), heldFree, 0
		if cut > 0 {
			h.setState(booking)
		}
		for i := range min(max(cut-1, 0), 2) {
			c := &h.claims[i]
			*l.budget(c).slot.counts.At(c.part) = uint64(dollars(3))
		}
		if cut > 3 {
			h.setState(heldFree)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			l = openedLedger(t, inDir(dir), noon())
			want := dollars(3)
			if cut == 0 {
				want = dollars(5) // it was not decided yet: the reservation
			}
			if x, y := peekSpent(t, l, a, noon()), peekSpent(t, l, b, noon()); x != want || y != want || l.Health().Trouble != "" {
				t.Errorf("cut at %d: %d and %d; want %d; %+v", cut, x, y, want, l.Health())
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func limitRule(c spend.Claim) sluice.RateLimit { return spend.Window(c.Rule) }

func TestWhatADeadProcessHadReservedIsTold(t *testing.T) {
	dir := t.TempDir()
	l := openedLedger(t, inDir(dir), noon())
	id := holdOf(1)
	for step := range 3 {
		if _, err := l.Reserve(t.Context(), id.WithAttempt(step), []spend.Claim{claimOf("a")}, dollars(1), noon()); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := l.Dead(id); ok {
		t.Error("of a process that lives")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openedLedger(t, inDir(dir), noon())
	if amount, ok := l.Dead(id); !ok || amount != dollars(3) {
		t.Errorf("%d, %v", amount, ok)
	}
}

func TestTheLedgerGrows(t *testing.T) {
	dir := t.TempDir()
	l := openedLedger(t, inDir(dir), noon())
	const n = 2*chunkSlots + 10
	for i := range n {
		reserve(t, l, i, dollars(1), noon(), claimOf(fmt.Sprint("k", i)))
	}
	check := func(l *Ledger, spent, reserved sluice.NanoUSD) {
		t.Helper()
		for i := range n {
			if s, err := l.Peek(t.Context(), claimOf(fmt.Sprint("k", i)), noon()); err != nil || s.Spent != spent || s.Reserved != reserved {
				t.Fatalf("budget %d: %+v, %v", i, s, err)
			}
		}
		if h := l.Health(); !h.Persistent || h.Trouble != "" || h.Keys != n {
			t.Errorf("%+v", h)
		}
	}
	check(l, 0, dollars(1))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check(openedLedger(t, inDir(dir), noon()), dollars(1), 0)
}

func TestBudgetsOfThePastGiveWay(t *testing.T) {
	l := openedLedger(t, LedgerOptions{MaxBudgets: chunkSlots}, noon())
	reserve(t, l, 1<<20, dollars(1), noon(), claimOf("held"))
	for hour := range 4 {
		now := noon().Add(time.Duration(2*hour) * time.Hour)
		for i := range chunkSlots - 1 {
			reserve(t, l, i, dollars(1), now, claimOf(fmt.Sprint(hour, "/", i)))
			if err := l.Settle(t.Context(), holdOf(i), dollars(1), spend.Final, now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := l.Reserve(t.Context(), holdOf(1<<19), []spend.Claim{claimOf("one more")}, 1, now); sluice.KindOf(err) != sluice.KindUnavailable {
			t.Fatalf("one more: %v", err)
		}
	}
	if s, err := l.Peek(t.Context(), claimOf("held"), noon()); err != nil || s.Reserved != dollars(1) {
		t.Errorf("a budget that a hold names was taken: %+v, %v", s, err)
	}
}

func TestTooManyCallsThatHoldMoney(t *testing.T) {
	l := openedLedger(t, LedgerOptions{MaxHolds: chunkSlots}, noon())
	c := claimOf("k")
	for i := range chunkSlots {
		reserve(t, l, i, 1, noon(), c)
	}
	if _, err := l.Reserve(t.Context(), holdOf(chunkSlots), []spend.Claim{c}, 1, noon()); sluice.KindOf(err) != sluice.KindUnavailable {
		t.Fatalf("one more: %v", err)
	}
	if s, err := l.Peek(t.Context(), c, noon()); err != nil || s.Reserved != chunkSlots {
		t.Errorf("%+v, %v", s, err)
	}
	if err := l.Settle(t.Context(), holdOf(7), 1, spend.Pending, noon()); err != nil {
		t.Fatal(err)
	}
	reserve(t, l, chunkSlots, 1, noon(), c) // what could only be corrected gives way
}

func TestADamagedLedger(t *testing.T) {
	t.Run("files of another kind are moved aside", func(t *testing.T) {
		o := inDir(t.TempDir())
		for _, path := range []string{o.Budgets, o.Holds} {
			if err := os.WriteFile(path, bytes.Repeat([]byte{7}, headerBytes+bytesPerChunk[holdSlot]()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := openedLedger(t, o, noon())
		reserve(t, l, 1, 1, noon(), claimOf("k"))
		if h := l.Health(); !h.Persistent || !strings.Contains(h.Trouble, "moved aside") {
			t.Errorf("%+v", h)
		}
	})
	for what, damage := range map[string]func(h *holdSlot){
		"a state that there is not":     func(h *holdSlot) { h.state = 9 },
		"too many claims":               func(h *holdSlot) { h.n = 99 },
		"a negative amount":             func(h *holdSlot) { h.amount = -1 },
		"a budget that there is not":    func(h *holdSlot) { h.claims[0].budget = 1 << 40 },
		"a budget of another one":       func(h *holdSlot) { h.claims[0].check++ },
		"a part that there is not":      func(h *holdSlot) { h.state, h.then, h.claims[0].part = booking, heldFree, 1<<63 },
		"a booking that books for ever": func(h *holdSlot) { h.state, h.then = booking, booking },
	} {
		t.Run(what, func(t *testing.T) {
			o := inDir(t.TempDir())
			l := openedLedger(t, o, noon())
			reserve(t, l, 1, dollars(1), noon(), claimOf("k"))
			reserve(t, l, 2, dollars(1), noon(), claimOf("k"))
			damage(l.byID[holdOf(1)])
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openedLedger(t, o, noon())
			if got := peekSpent(t, l, claimOf("k"), noon()); got != dollars(1) {
				t.Errorf("%d spent", got)
			}
			if len(l.byID) > 0 {
				t.Errorf("holds: %v", l.byID)
			}
		})
	}
}

// FuzzHolds lays any bytes where a hold is: the ledger opens, and what it counts is money.
func FuzzHolds(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1}, int(unsafe.Sizeof(holdSlot{}))))
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 2, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, text []byte) {
		l := OpenLedger(LedgerOptions{Logger: slog.New(slog.DiscardHandler)}, noon())
		defer l.Close()
		reserve(t, l, 1, dollars(1), noon(), claimOf("k"))
		chunk := make([]holdSlot, chunkSlots)
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&chunk[0])), unsafe.Sizeof(holdSlot{})), text)
		l.mu.Lock()
		l.indexHolds(chunk, noon())
		l.mu.Unlock()
		for _, b := range l.byKey {
			if !b.slot.counts.Sound() || b.slot.counts.Used() < 0 || b.reserved < 0 {
				t.Errorf("%+v", b)
			}
		}
	})
}

func TestAClosedLedger(t *testing.T) {
	l := openedLedger(t, inDir(t.TempDir()), noon())
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, reserved := l.Reserve(t.Context(), holdOf(1), []spend.Claim{claimOf("k")}, 1, noon())
	_, peeked := l.Peek(t.Context(), claimOf("k"), noon())
	_, _, listed := l.List(t.Context(), "", claimOf("k").Rule, 1, noon())
	for _, err := range []error{
		reserved, peeked, listed, l.Settle(t.Context(), holdOf(1), 1, spend.Final, noon()), l.Correct(t.Context(), holdOf(1), 1, noon()),
	} {
		if sluice.KindOf(err) != sluice.KindUnavailable {
			t.Errorf("%v", err)
		}
	}
}

func BenchmarkReserveAndSettle(b *testing.B) {
	l := openedLedger(b, inDir(b.TempDir()), time.Now())
	var ids sluice.IDs
	claims := []spend.Claim{claimOf("default\x00prod\x00rule\x00")}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		now := time.Now()
		id := ids.New(now)
		if _, err := l.Reserve(ctx, id, claims, 1000, now); err != nil {
			b.Fatal(err)
		}
		if err := l.Settle(ctx, id, 900, spend.Final, now); err != nil {
			b.Fatal(err)
		}
	}
}

const ledgerChild = "ledger:"

// What a call of childOfLedger reserves, and costs.
const (
	childReserves sluice.NanoUSD = 10
	childCosts    sluice.NanoUSD = 7
)

// childOfLedger makes calls of two budgets and writes after each how many it has made.
func childOfLedger(dir string) int {
	o := inDir(dir)
	o.Logger = slog.New(slog.DiscardHandler)
	l, ctx := OpenLedger(o, noon()), context.Background()
	claims := []spend.Claim{claimOf("a"), claimOf("b")}
	for i := 1; ; i++ {
		// Hours go by, so that kills hit those writes as well.
		now := noon().Add(time.Duration(i%40) * time.Minute)
		if d, err := l.Reserve(ctx, holdOf(i), claims, childReserves, now); err != nil || !d.OK {
			return 1
		}
		if err := l.Settle(ctx, holdOf(i), childCosts, spend.Final, now); err != nil {
			return 1
		}
		if _, err := fmt.Println(i); err != nil {
			return 0
		}
	}
}
