package logindex

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/reqlog"
)

// TestACopyIsBroughtUpToDateByTheRecordsBehindIt: whatever goes on between the files that are copied, the copy and the
// records from where it resumes make the whole.
func TestACopyIsBroughtUpToDateByTheRecordsBehindIt(t *testing.T) {
	t.Parallel() // it only computes, for long
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt, noon())
		ctx := rt.Context()
		open := func(dir string) *Index {
			x, err := Open(ctx, dir, Options{Metadata: []string{"team"}})
			if err != nil {
				rt.Fatal(err)
			}
			return x
		}
		x := open(t.TempDir())
		defer func() { _ = x.Close() }()
		at := 0
		something := func() {
			switch rapid.IntRange(0, 4).Draw(rt, "event") {
			case 0, 1:
				j := min(at+rapid.IntRange(1, 12).Draw(rt, "batch"), len(h.records))
				if j > at {
					if err := x.Apply(ctx, h.records[at:j], reqlog.Pos{Segment: 1, Record: uint32(j)}); err != nil {
						rt.Fatal(err)
					}
					at = j
				}
			case 2, 3: // days are sealed
				if err := x.upkeep(ctx, time.Now().Add(2*time.Hour), true); err != nil {
					rt.Fatal(err)
				}
			}
		}
		for range rapid.IntRange(0, 6).Draw(rt, "before") {
			something()
		}
		before, dir := at, t.TempDir()
		err := x.Copy(ctx, dir, func(int64) {
			for range rapid.IntRange(0, 3).Draw(rt, "between") {
				something()
			}
		})
		if err != nil {
			rt.Fatal(err)
		}
		copied := open(dir)
		defer func() { _ = copied.Close() }()
		pos, err := copied.Resume(ctx)
		if err != nil || int(pos.Record) > before {
			rt.Fatalf("the copy resumes at %v, and %d were applied before it: %v", pos, before, err)
		}
		if err := copied.Apply(ctx, h.records[pos.Record:], reqlog.Pos{Segment: 1, Record: uint32(len(h.records))}); err != nil {
			rt.Fatal(err)
		}
		h.check(rt, copied)
		if err := copied.upkeep(ctx, time.Now().Add(2*time.Hour), true); err != nil {
			rt.Fatal(err)
		}
		h.check(rt, copied)
		if at < len(h.records) {
			if err := x.Apply(ctx, h.records[at:], reqlog.Pos{Segment: 1, Record: uint32(len(h.records))}); err != nil {
				rt.Fatal(err)
			}
		}
		h.check(rt, x)
	})
}

func TestACopyIsForItsOwnerAlone(t *testing.T) {
	x := openTest(t, t.TempDir())
	var f feeder
	f.apply(t, x, f.entry(noon()), f.entry(noon().Add(48*time.Hour)))
	dir, bytes := t.TempDir(), int64(0)
	if err := x.Copy(t.Context(), dir, func(n int64) { bytes += n }); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 3 { // two days, and analytics.db, whose journals are gone
		t.Fatal(files, err)
	}
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes -= info.Size(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if bytes != 0 {
		t.Errorf("progress is off by %d bytes", bytes)
	}
	if err := x.Copy(t.Context(), filepath.Join(dir, "nothing"), nil); err == nil {
		t.Error("copied to a directory that does not exist")
	}
}
