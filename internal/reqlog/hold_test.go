package reqlog

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestAHeldLogKeepsWhatItHas(t *testing.T) {
	l := openLog(t, Options{}, newMemory())
	old := time.Now().Add(-30 * time.Hour)
	first := oneSegment(t, l, 5, old)
	release := l.Hold()
	l.SetRetention(Retention{MaxAge: time.Hour})
	dir := t.TempDir()
	files, err := l.LinkSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 { // of the finished segment, and of the one that is written
		t.Errorf("%v", files)
	}
	x := begin(l, first[0], old) // goes on while it is held
	l.End(x, false)
	if _, err := l.List(reading(t), Query{}); err != nil {
		t.Fatal(err)
	}
	if oldest := l.catalog.oldest(); segmentPath(dir, oldest, rowsSuffix) != filepath.Join(dir, files[0].Name) {
		t.Errorf("a held log has dropped a segment: the oldest is %d", oldest)
	}
	release()
	release() // twice is as once
	eventually(t, "retention goes on", func() bool {
		_, err := os.Stat(filepath.Join(l.o.Dir, files[0].Name))
		return os.IsNotExist(err)
	})
	for _, f := range files { // what was linked is still there
		if info, err := os.Stat(filepath.Join(dir, f.Name)); err != nil || info.Size() < f.Bytes || f.Bytes < fileHeaderSize {
			t.Errorf("%v: %v", f, err)
		}
	}
	// A log made of them has the exchanges.
	for _, f := range files {
		if err := os.Truncate(filepath.Join(dir, f.Name), f.Bytes); err != nil {
			t.Fatal(err)
		}
	}
	copied := openLog(t, Options{Dir: dir}, newMemory())
	for _, id := range first {
		row, err := copied.Get(reading(t), "a", id)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := copied.Body(t.Context(), row, ResponseSide); err != nil {
			t.Errorf("its body: %v", err)
		} else if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
