package slots

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

// childVariable makes the test binary a child that counts in the file that it names, until it is killed.
const childVariable = "SLUICE_SLOTS_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

// opened opens a store that the test closes at its end.
func opened(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	s := Open(o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// noon is the start of a window of every length that tests use.
func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

func take(t *testing.T, s *Store, key string, rule sluice.RateLimit, n int64, now time.Time) limit.Decision {
	t.Helper()
	d, err := s.Take(t.Context(), key, rule, n, now)
	if err != nil {
		t.Fatalf("Take: %v", err)
	}
	return d
}

func TestConformance(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		storetest.Limit(t, func(t *testing.T) limit.Store { return opened(t, Options{Path: filepath.Join(t.TempDir(), "limits")}) })
	})
	t.Run("memory", func(t *testing.T) {
		storetest.Limit(t, func(t *testing.T) limit.Store { return opened(t, Options{}) })
	})
	t.Run("lasts", func(t *testing.T) {
		storetest.LimitLasts(t, func(t *testing.T, dir string) *Store { return opened(t, Options{Path: filepath.Join(dir, "limits")}) })
	})
}

// child counts one by one and writes after each what it has counted. With ledgerChild before the path it makes
// calls of two budgets instead, in the files of that directory.
func child(path string) int {
	if dir, ok := strings.CutPrefix(path, ledgerChild); ok {
		return childOfLedger(dir)
	}
	s := Open(Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	rule := sluice.RateLimit{Max: math.MaxInt64, Per: time.Hour, Sliding: true}
	for i := int64(1); ; i++ {
		// Parts of the window go by, so that kills hit those writes as well.
		if _, err := s.Take(nil, "k", rule, 1, noon().Add(time.Duration(i%40)*time.Minute)); err != nil { //nolint:staticcheck // no context is looked at
			return 1
		}
		if _, err := fmt.Println(i); err != nil {
			return 0
		}
	}
}

func TestTheFileGrowsAndNoLiveKeyIsForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits")
	s := opened(t, Options{Path: path})
	rule := sluice.RateLimit{Max: 5, Per: time.Hour}
	const keys = 3 * chunkSlots
	for k := range keys {
		take(t, s, fmt.Sprint(k), rule, 2, noon())
	}
	check := func(s *Store) {
		t.Helper()
		if h := s.Health(); !h.Persistent || h.Keys != keys || h.Slots != keys || h.Trouble != "" {
			t.Errorf("%+v", h)
		}
		for k := range keys {
			if d, err := s.Peek(t.Context(), fmt.Sprint(k), rule, noon()); err != nil || d.Remaining != 3 {
				t.Fatalf("key %d: %+v, %v", k, d, err)
			}
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(opened(t, Options{Path: path}))
}

func TestSlotsOfThePastAreTakenAgain(t *testing.T) {
	s := opened(t, Options{Path: filepath.Join(t.TempDir(), "limits")})
	rule := sluice.RateLimit{Max: 5, Per: time.Minute}
	for hour := range 10 {
		for k := range chunkSlots {
			now := noon().Add(time.Duration(hour) * time.Hour)
			if k > 0 {
				now = now.Add(-time.Hour) // the clock was set back: what was forgotten must not come back
			}
			if d := take(t, s, fmt.Sprint(hour, "/", k), rule, 1, now); d.Remaining != 4 {
				t.Fatalf("a slot that was taken again has counts: %+v", d)
			}
		}
	}
	if h := s.Health(); h.Slots != chunkSlots {
		t.Errorf("%d slots; want %d", h.Slots, chunkSlots)
	}
}

func TestTooManyKeysAreRefusedAndOthersGoOn(t *testing.T) {
	s := opened(t, Options{MaxKeys: chunkSlots})
	rule := sluice.RateLimit{Max: 5, Per: time.Hour}
	for k := range chunkSlots {
		take(t, s, fmt.Sprint(k), rule, 1, noon())
	}
	for range 3 {
		if _, err := s.Take(t.Context(), "one more", rule, 1, noon()); sluice.KindOf(err) != sluice.KindUnavailable {
			t.Fatalf("one more: %v", err)
		}
	}
	if d := take(t, s, "7", rule, 1, noon()); d.Remaining != 3 {
		t.Errorf("a key that is known: %+v", d)
	}
	take(t, s, "one more", rule, 1, noon().Add(2*time.Hour))
}

func TestADamagedFileIsMovedAside(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "short": "sluice", "of another kind": strings.Repeat("x", headerBytes+bytesPerChunk[slot]()), "zeroes": string(make([]byte, headerBytes)),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "limits")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := opened(t, Options{Path: path})
			take(t, s, "k", sluice.RateLimit{Max: 5, Per: time.Hour}, 1, noon())
			if h := s.Health(); !h.Persistent || !strings.Contains(h.Trouble, "moved aside") {
				t.Errorf("%+v", h)
			}
			if aside, err := os.ReadFile(path + ".damaged"); err != nil || string(aside) != content {
				t.Errorf("aside: %d bytes, %v", len(aside), err)
			}
		})
	}
}

func TestDamagedSlotsBeginAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits")
	s := opened(t, Options{Path: path})
	rule := sluice.RateLimit{Max: 50, Per: time.Hour, Sliding: true}
	const keys = 100
	for k := range keys {
		take(t, s, fmt.Sprint(k), rule, 7, noon())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The slots that were taken are the last ones; 0xff is no count.
	const damaged, slotBytes = 10, int(unsafe.Sizeof(slot{}))
	for i := range damaged {
		at := int64(headerBytes + (chunkSlots-1-i)*slotBytes + slotBytes/2)
		if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 32)), at); err != nil {
			t.Fatal(err)
		}
	}
	// And a piece of a chunk, as a growth leaves it that was cut off.
	if err := f.Truncate(headerBytes + int64(bytesPerChunk[slot]()) + 1000); err != nil {
		t.Fatal(err)
	}
	s = opened(t, Options{Path: path})
	anew := 0
	for k := range keys {
		switch d := take(t, s, fmt.Sprint(k), rule, 1, noon()); d.Remaining {
		case 49:
			anew++
		case 42:
		default:
			t.Errorf("key %d: %+v", k, d)
		}
	}
	if h := s.Health(); anew != damaged || !strings.Contains(h.Trouble, "10 slots") {
		t.Errorf("%d begin anew; %+v", anew, h)
	}
}

func TestWithoutRoomCountsAreInMemory(t *testing.T) {
	full := errors.New("no space left")
	rule := sluice.RateLimit{Max: 5, Per: time.Hour}
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	count := func(t *testing.T, s *Store) {
		t.Helper()
		defer s.Close()
		for range 2 {
			for k := range 2 * chunkSlots {
				take(t, s, fmt.Sprint(k), rule, 1, noon())
			}
		}
		if d := take(t, s, "9", rule, 1, noon()); d.Remaining != 2 {
			t.Errorf("%+v", d)
		}
		if h := s.Health(); h.Persistent || !strings.Contains(h.Trouble, "in memory only") {
			t.Errorf("%+v", h)
		}
	}
	t.Run("to begin with", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "limits")
		count(t, open(Options{Path: path, Logger: logger}, func(*os.File, int64, int64) error { return full }))
		if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
	t.Run("to grow", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "limits")
		count(t, open(Options{Path: path, Logger: logger}, func(f *os.File, from, size int64) error {
			if from > 0 {
				return full
			}
			return allocate(f, from, size)
		}))
	})
	t.Run("in a place that is none", func(t *testing.T) {
		count(t, Open(Options{Path: filepath.Join(t.TempDir(), "missing", "limits"), Logger: logger}))
	})
}

func TestAfterCloseNothingIsCounted(t *testing.T) {
	s := opened(t, Options{Path: filepath.Join(t.TempDir(), "limits")})
	rule := sluice.RateLimit{Max: 5, Per: time.Hour}
	take(t, s, "k", rule, 1, noon())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"k", "new"} {
		if _, err := s.Take(t.Context(), key, rule, 1, noon()); sluice.KindOf(err) != sluice.KindUnavailable {
			t.Errorf("Take: %v", err)
		}
		if _, err := s.Peek(t.Context(), key, rule, noon()); sluice.KindOf(err) != sluice.KindUnavailable {
			t.Errorf("Peek: %v", err)
		}
	}
}

func TestTakeAllocatesNothing(t *testing.T) {
	s := opened(t, Options{Path: filepath.Join(t.TempDir(), "limits")})
	rule := sluice.RateLimit{Max: math.MaxInt64, Per: time.Hour, Sliding: true}
	key := "rate\x00default\x00production-gateway"
	if n := testing.AllocsPerRun(1000, func() { take(t, s, key, rule, 1, noon()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkTake(b *testing.B) {
	for _, sliding := range []bool{false, true} {
		name := map[bool]string{false: "fixed", true: "sliding"}[sliding]
		s := Open(Options{Path: filepath.Join(b.TempDir(), "limits"), Logger: slog.New(slog.DiscardHandler)})
		defer s.Close()
		rule := sluice.RateLimit{Max: math.MaxInt64, Per: time.Hour, Sliding: sliding}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Take(b.Context(), "default/prod", rule, 1, time.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/one key, all cores", func(b *testing.B) {
			b.ReportAllocs()
			ctx := b.Context()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Take(ctx, "default/prod", rule, 1, time.Now()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
