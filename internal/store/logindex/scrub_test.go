package logindex

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

// plant makes an entry like others that tells of n wherever it can.
func plant(f *feeder, n int) sluice.LogEntry {
	word := func(where string) string { return fmt.Sprintf("canary-%s-%d-", where, n) }
	e := f.entry(noon())
	e.Path, e.ErrorText, e.UserAgent, e.TraceID = word("path"), word("error"), word("agent"), word("trace")
	e.Metadata = []sluice.MetaValue{{Key: "user", Value: word("meta")}}
	e.ReqHeader.Add("X-Secret", word("header"))
	e.Notes = []string{word("note")}
	return e
}

// holds tells which files in dir hold text.
func holds(t *testing.T, dir, text string) (files []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		b, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			files = append(files, entry.Name())
		}
	}
	return files
}

func TestScrubLeavesNothingOfWhatWasDeleted(t *testing.T) {
	dir := t.TempDir()
	x := openTest(t, dir)
	var f feeder
	var all []sluice.LogEntry
	for n := range 300 {
		e := plant(&f, n)
		if n == 1 || n%100 == 99 {
			e.UserAgent = "the same" // so that the second of them is a base
		}
		all = append(all, e)
	}
	for i := 0; i < len(all); i += 50 {
		f.apply(t, x, all[i:i+50]...)
	}
	f.apply(t, x, all[:120]...) // later versions: the first ones lie about
	open := plant(&f, 1000)
	mark := reqlog.Record{Kind: reqlog.KindOpen, Pos: f.pos, Entry: open}
	f.pos.Record++
	if err := x.Apply(t.Context(), []reqlog.Record{mark}, f.pos); err != nil {
		t.Fatal(err)
	}
	f.apply(t, x, open)
	all = append(all, open)
	gone := map[int]bool{0: true, 1: true, 99: true, 150: true, 199: true, 299: true, 300: true}
	record := reqlog.Record{Kind: reqlog.KindDelete, Pos: f.pos, Entry: sluice.LogEntry{ID: all[0].ID, Start: noon(), Account: "acme"}}
	for n := range gone {
		record.IDs = append(record.IDs, all[n].ID)
	}
	f.pos.Record++
	if err := x.Apply(t.Context(), []reqlog.Record{record}, f.pos); err != nil {
		t.Fatal(err)
	}
	if len(holds(t, dir, "canary-header-150-")) == 0 {
		t.Fatal("the search finds nothing where there is something")
	}
	if err := x.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	for n := range all {
		if n == 300 {
			n = 1000
		}
		for _, where := range []string{"path", "error", "agent", "trace", "meta", "header", "note"} {
			text := fmt.Sprintf("canary-%s-%d-", where, n)
			if in := holds(t, dir, text); gone[n] && len(in) > 0 || n == 1000 && len(in) > 0 {
				t.Errorf("%s is in %v", text, in)
			}
		}
	}
	check := func(x *Index) {
		t.Helper()
		page, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: 1000})
		if err != nil || len(page.Rows) != len(all)-len(gone) {
			t.Fatalf("%d rows, %v; want %d", len(page.Rows), err, len(all)-len(gone))
		}
		i := 0
		for n := range all {
			if !gone[n] {
				storetest.Same(t, page.Rows[i].Entry, all[n])
				i++
			}
		}
	}
	check(x)
	f.apply(t, x, plant(&f, 0), plant(&f, 1)) // texts and bases of the deleted ones come again
	if got, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: 2, Desc: true}); err != nil || got.Rows[0].Entry.Metadata[0].Value != "canary-meta-1-" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir)
	if d, _ := x.info(noon().UnixMilli() / dayMillis); d.dirty {
		t.Error("there is still something to be done")
	}
	all = append(all, plant(&f, 2))
	f.apply(t, x, all[len(all)-1])
}
