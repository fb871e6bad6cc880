package reqlog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checked returns what a check of a log's segments finds.
func checked(t *testing.T, l *Log) (found []Damage, segments int, read int64) {
	t.Helper()
	segments, err := l.CheckSegments(t.Context(), func(n int64) { read += n }, func(d Damage) { found = append(found, d) })
	if err != nil {
		t.Fatal(err)
	}
	return found, segments, read
}

// change changes a file's bytes from at on; at below 0 counts from its end.
func change(t *testing.T, path string, at int64, to string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(to), at); err != nil {
		t.Fatal(err)
	}
}

// recordsOfFirst returns how many records the first block of a segment's file has: as many as were there when the
// appender looked.
func recordsOfFirst(t *testing.T, path string, segment uint64) uint32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := parseBlockHeader(b[fileHeaderSize:], segment)
	if err != nil {
		t.Fatal(err)
	}
	return h.records
}

func TestACheckFindsDamagedBlocks(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir}, newMemory())
	for range 3 { // some blocks
		oneSegment(t, l, 20, time.Now())
	}
	found, segments, read := checked(t, l)
	if len(found) > 0 || segments < 3 || read == 0 {
		t.Fatalf("a sound log: %v; %d segments, %d bytes", found, segments, read)
	}
	closeLog(t, l)
	rows := filesIn(t, dir, "*"+rowsSuffix)
	bodies := filesIn(t, dir, "*"+bodiesSuffix)
	text := strings.Repeat("\xff", 16)
	lost := recordsOfFirst(t, rows[0], 1)
	change(t, rows[0], fileHeaderSize+blockHeaderSize+4, text)
	change(t, bodies[1], 20, text)
	change(t, rows[2], fileHeaderSize+8, text) // the header of its first block

	l = openLog(t, Options{Dir: dir}, newMemory())
	found, _, _ = checked(t, l)
	closeLog(t, l)
	want := []struct{ file, what string }{
		{filepath.Base(rows[0]), fmt.Sprintf("checksum is wrong; %d records are lost", lost)},
		{filepath.Base(bodies[1]), "its header is damaged"},
		{filepath.Base(rows[2]), "a block's header is damaged"},
	}
	if len(found) != len(want) {
		t.Fatalf("found %v", found)
	}
	for i, d := range found {
		if d.File != want[i].file || !strings.Contains(d.String(), want[i].what) {
			t.Errorf("%s: %s; want %s: %s", d.File, d, want[i].file, want[i].what)
		}
	}
}

// TestATornEndIsNoDamage holds that what a crash leaves behind is not taken for a bad disk.
func TestATornEndIsNoDamage(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, Options{Dir: dir}, newMemory())
	oneSegment(t, l, 20, time.Now())
	closeLog(t, l)
	rows := filesIn(t, dir, "*"+rowsSuffix)[0]
	info, err := os.Stat(rows)
	if err != nil {
		t.Fatal(err)
	}
	// No end block, a piece of a header, and room that was allocated ahead.
	change(t, rows, info.Size()-blockHeaderSize, magicBlock+strings.Repeat("\x00", 100_000))
	l = openLog(t, Options{Dir: dir}, newMemory())
	defer closeLog(t, l)
	if found, _, _ := checked(t, l); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}
