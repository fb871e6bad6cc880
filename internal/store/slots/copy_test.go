package slots

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/spend"
)

// TestACopyOfTheLedgerIsOfOneMoment holds that money that is always put on two budgets at once is on both, or on
// neither, in each copy: whatever is booked while it is made.
func TestACopyOfTheLedgerIsOfOneMoment(t *testing.T) {
	l := openedLedger(t, inDir(t.TempDir()), noon())
	both := []spend.Claim{claimOf("one"), claimOf("other")}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for writer := range 4 {
		writing.Go(func() {
			for n := writer; ; n += 4 {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := l.Reserve(t.Context(), holdOf(n), both, 2, noon()); err != nil {
					t.Error(err)
					return
				}
				if err := l.Settle(t.Context(), holdOf(n), 1, spend.Final, noon()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var last sluice.NanoUSD
	for range 30 {
		dir := t.TempDir()
		if err := l.Copy(dir); err != nil {
			t.Fatal(err)
		}
		copied := openedLedger(t, inDir(dir), noon()) // books what was reserved
		var spent [2]sluice.NanoUSD
		for i, c := range both {
			s, err := copied.Peek(t.Context(), c, noon())
			if err != nil {
				t.Fatal(err)
			}
			spent[i] = s.Spent
		}
		if spent[0] != spent[1] || spent[0] < last {
			t.Fatalf("%d and %d were spent in a copy; %d in the one before", spent[0], spent[1], last)
		}
		last = spent[0] - 2*4 // what was reserved then can have cost less
		if err := copied.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	writing.Wait()
}

func TestACopyOfLimitsCountsOn(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	s := opened(t, Options{Path: filepath.Join(dir, "limits")})
	rule := sluice.RateLimit{Max: 10, Per: time.Hour}
	for range 3 {
		if _, err := s.Take(t.Context(), "k", rule, 1, noon()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Copy(to); err != nil {
		t.Fatal(err)
	}
	if err := s.Copy(to); !os.IsExist(err) {
		t.Errorf("over a copy that is there: %v", err)
	}
	copied := opened(t, Options{Path: filepath.Join(to, "limits")})
	d, err := copied.Peek(t.Context(), "k", rule, noon())
	if err != nil || d.Remaining != 7 {
		t.Errorf("%+v, %v", d, err)
	}
	if err := opened(t, Options{}).Copy(to); err != nil {
		t.Errorf("of a store without a file: %v", err)
	}
}
