//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package slots

import (
	"bufio"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// TestAKilledProcessLosesNoCount kills a process that counts, again and again: what it said that it had
// counted is there at the next start.
func TestAKilledProcessLosesNoCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits")
	before := int64(0)
	for range 5 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), childVariable+"="+path)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		counted := int64(0)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if counted, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
				break // a line that was cut off
			}
			if counted == 2000 {
				_ = c.Process.Kill() // SIGKILL; more lines are on their way
			}
		}
		if err := c.Wait(); err == nil || counted < 2000 {
			t.Fatalf("child: %v after %d", err, counted)
		}
		s := Open(Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
		rule := sluice.RateLimit{Max: math.MaxInt64, Per: time.Hour, Sliding: true}
		got := math.MaxInt64 - take(t, s, "k", rule, 1, noon().Add(39*time.Minute)).Remaining
		// One more than said may have been counted, and one was by this test.
		if got < before+counted || got > before+counted+2 || s.Health().Trouble != "" {
			t.Errorf("%d counts, of %d + %d; %+v", got, before, counted, s.Health())
		}
		before = got
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAKilledProcessLeavesALedgerThatBalances kills a process that makes calls of two budgets: at the next start
// both have the same amount, which is that of the calls it had made, and of one that was under way.
func TestAKilledProcessLeavesALedgerThatBalances(t *testing.T) {
	dir := t.TempDir()
	before := sluice.NanoUSD(0)
	for range 6 {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), childVariable+"="+ledgerChild+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		made := int64(0)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			n, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				break // a line that was cut off
			}
			if made = n; made == 1500 {
				_ = c.Process.Kill()
			}
		}
		if err := c.Wait(); err == nil || made < 1500 {
			t.Fatalf("child: %v after %d", err, made)
		}
		l := openedLedger(t, inDir(dir), noon().Add(39*time.Minute))
		a, b := peekSpent(t, l, claimOf("a"), noon().Add(39*time.Minute)), peekSpent(t, l, claimOf("b"), noon().Add(39*time.Minute))
		extra := a - before - childCosts*sluice.NanoUSD(made)
		if a != b || extra != 0 && extra != childCosts && extra != childReserves || l.Health().Trouble != "" || len(l.byID) > 0 {
			t.Errorf("%d and %d spent after %d and %d calls; %+v", a, b, before, made, l.Health())
		}
		before = a
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
