package demo

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/logindex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// day reads what Fill has written.
func readDay(t *testing.T, dir string) []sluice.LogEntry {
	t.Helper()
	index, err := logindex.Open(t.Context(), filepath.Join(dir, "log", "index"), logindex.Options{Metadata: []string{MetadataKey}})
	if err != nil {
		t.Fatal(err)
	}
	log, err := reqlog.Open(t.Context(), reqlog.Options{Dir: filepath.Join(dir, "log", "segments")}, index)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(log.Close(context.Background()), index.Close()); err != nil {
			t.Error(err)
		}
	}()
	var all []sluice.LogEntry
	q := reqlog.Query{Account: "default", From: noon.Add(-25 * time.Hour), To: noon, Limit: 200}
	for {
		page, err := log.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			all = append(all, r.Entry)
		}
		if page.Next == "" {
			return all
		}
		q.Cursor = page.Next
	}
}

func TestADayIsWhatTheLogSays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	o := Options{DataDir: dir, Seed: 7, Now: noon, Requests: 600}
	if err := Fill(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	want := newDay(o).calls()
	got := readDay(t, dir)
	if len(got) != len(want) || len(got) < 550 {
		t.Fatalf("%d entries in the log, %d made; want the same number, and about 600", len(got), len(want))
	}
	outcomes := map[string]int{}
	var cost sluice.NanoUSD
	for i := range got {
		e := &got[i]
		outcomes[reqlog.Outcome(e)]++
		if e.Priced {
			cost += e.Cost
		}
		if e.Success && !e.Priced {
			t.Errorf("%s/%s has no price", e.Provider, e.Model)
		}
		if e.Start.After(noon) || e.Start.Before(noon.Add(-24*time.Hour-time.Second)) {
			t.Errorf("an entry begins at %s, which is not of the day", e.Start)
		}
		if reqlog.MetadataText(e.Metadata) == "" || !slices.Contains(e.Metadata, sluice.MetaValue{Key: "demo", Value: "true", Kind: sluice.MetaBool}) {
			t.Errorf("metadata %v does not say that the entry is made up", e.Metadata)
		}
	}
	for _, kind := range []string{"ok", "cached", "rate_limited", "provider_error", "client_error", "cancelled"} {
		if outcomes[kind] == 0 {
			t.Errorf("no call of the day is %s: %v", kind, outcomes)
		}
	}
	if cost <= 0 {
		t.Error("the day costs nothing")
	}
	if !Marked(dir) {
		t.Error("nothing marks the directory")
	}
}

func TestEqualSeedsMakeEqualDays(t *testing.T) {
	o := Options{Seed: 3, Now: noon, Requests: 400}
	one, two := newDay(o).calls(), newDay(o).calls()
	o.Seed = 4
	other := newDay(o).calls()
	same := func(a, b *call) bool {
		return a.entry.ID == b.entry.ID && string(a.request) == string(b.request) && string(a.response) == string(b.response) && a.entry.Timeline == b.entry.Timeline
	}
	if !slices.EqualFunc(one, two, same) {
		t.Error("the same seed has made two different days")
	}
	if slices.EqualFunc(one, other, same) {
		t.Error("another seed has made the same day")
	}
	seen := map[sluice.ID]bool{}
	for _, c := range one {
		if seen[c.entry.ID] {
			t.Fatalf("two calls have the id %s", c.entry.ID)
		}
		seen[c.entry.ID] = true
		if !json.Valid(c.request) {
			t.Errorf("request is no JSON: %s", c.request)
		}
	}
}

func TestTheTrueAndTheMadeUpAreNotMixed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sluice.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Fill(t.Context(), Options{DataDir: dir, Now: noon, Requests: 10}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("Fill into a directory in use: %v; want ErrNotEmpty", err)
	}
	made := filepath.Join(t.TempDir(), "made")
	for range 2 { // the second time it is there
		if err := Fill(t.Context(), Options{DataDir: made, Now: noon, Requests: 20}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(readDay(t, made)); n == 0 || n > 20 {
		t.Errorf("%d entries after a second Fill; want those of the first", n)
	}
}
