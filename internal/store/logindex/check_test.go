package logindex

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// filled fills some days of an index, which are sealed and have lost their minutes.
func filled(t *testing.T) *Index {
	t.Helper()
	x := openTest(t, t.TempDir())
	rng := rand.New(rand.NewPCG(11, 12))
	var f feeder
	for range 4 {
		var batch []sluice.LogEntry
		for range 500 {
			e := f.entry(noon().Add(-time.Duration(rng.Int64N(int64(72 * time.Hour)))))
			e.Model, e.Key = []string{"a", "b", "c", "d"}[rng.IntN(4)], []string{"x", "y", "z"}[rng.IntN(3)]
			e.Timeline.FirstToken, e.Timeline.End = time.Duration(1+rng.Int64N(1e9)), time.Duration(1e9+rng.Int64N(1e10))
			batch = append(batch, e)
		}
		f.apply(t, x, batch...)
	}
	if err := x.upkeep(t.Context(), time.Now().Add(2*time.Hour), true); err != nil {
		t.Fatal(err)
	}
	if err := x.upkeep(t.Context(), time.Now().Add(2*time.Hour), true); err != nil { // now they are sealed
		t.Fatal(err)
	}
	return x
}

// problems returns what a check finds.
func problems(t *testing.T, x *Index) (found []string, files int, rows int64) {
	t.Helper()
	files, rows, err := x.Check(t.Context(), func(int64) {}, func(file, what string) { found = append(found, file+": "+what) })
	if err != nil {
		t.Fatal(err)
	}
	return found, files, rows
}

func TestACheckFindsWhatDoesNotAgree(t *testing.T) {
	t.Parallel() // it only computes, for long
	x := filled(t)
	if found, files, rows := problems(t, x); len(found) > 0 || files != 5 || rows != 2000 {
		t.Fatalf("a sound index: %v; %d files, %d rows", found, files, rows)
	}
	day := dayOf(sluice.MinID(noon())) - 1
	change := func(f *file, text string) {
		t.Helper()
		if _, err := f.conn.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	err := x.with(t.Context(), day, func(p *part) error {
		change(p.file, "DELETE FROM rows WHERE id IN (SELECT id FROM rows LIMIT 3)")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	change(x.copies.file, fmt.Sprintf("DELETE FROM packs WHERE question = %d AND day = %d", questionTotal, day-1))
	found, _, _ := problems(t, x)
	if len(found) != 2 || !strings.Contains(found[0], "has 0 requests") || !strings.Contains(found[1], "rows, and counts") {
		t.Errorf("found %q", found)
	}
}

// TestACompactedIndexIsSmallerAndTheSame holds that files that have lost much become shorter, while they are in use.
func TestACompactedIndexIsSmallerAndTheSame(t *testing.T) {
	t.Parallel() // it only computes, for long
	x := filled(t)
	queries := totalsQueries(t, noon().Add(-72*time.Hour))
	size := func() int64 {
		t.Helper()
		_, n, err := x.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	asked := func() (all []any) {
		for _, q := range queries {
			totals, err := x.Totals(t.Context(), q)
			all = append(all, totals, err)
		}
		return all
	}
	before, was := size(), asked()
	files, freed, err := x.Compact(t.Context(), func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if after := size(); files == 0 || freed <= 0 || before-after != freed {
		t.Errorf("%d files, %d bytes freed; %d before, %d after", files, freed, before, after)
	}
	if !reflect.DeepEqual(was, asked()) {
		t.Error("totals are others")
	}
	if found, _, rows := problems(t, x); len(found) > 0 || rows != 2000 {
		t.Errorf("afterwards: %v, %d rows", found, rows)
	}
	if again, _, err := x.Compact(t.Context(), func(int64) {}); err != nil || again != 0 {
		t.Errorf("again: %d files, %v", again, err)
	}
}
