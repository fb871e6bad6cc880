package reqlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// hold is what keeps the keeper from its tasks.
type hold struct {
	task   sync.Mutex   // held by a task, or by who holds the log
	wanted atomic.Int32 // how many hold the log, or wait to
}

// Hold keeps the log from giving way until release is called: no segment is dropped, recompressed or rewritten, and
// no row is trimmed. It waits until what is under way of that has ended. All else goes on; on a full disk bodies and rows
// are dropped as ever, and stored again only after release. release may be called twice.
func (l *Log) Hold() (release func()) {
	h := &l.keeper.hold
	h.wanted.Add(1) // what takes long looks here
	h.task.Lock()
	return sync.OnceFunc(func() {
		h.wanted.Add(-1)
		h.task.Unlock()
		l.keeper.kick()
	})
}

// SegmentFile is a file of a segment: Bytes of it, from its beginning, are whole.
type SegmentFile struct {
	Name  string
	Bytes int64
}

// LinkSegments gives all files of segments a second name in dir, so that what is in them now can be read however the
// log goes on, and lists them in order of arrival; dir is on the same file system, or they are copied. What was appended
// before the call is in them. The caller holds the log (Hold), and removes dir in the end: until then the disk space of
// segments that are dropped is not given back.
func (l *Log) LinkSegments(dir string) ([]SegmentFile, error) {
	var list []SegmentFile
	for _, s := range l.catalog.all() {
		// In this order: bodies are written before the rows that name them.
		ends := [...]struct {
			suffix string
			end    int64
		}{{rowsSuffix, s.rowsEnd.Load()}, {bodiesSuffix, s.bodiesEnd.Load()}}
		for _, e := range ends {
			from := segmentPath(l.o.Dir, s.number, e.suffix)
			file, err := linkFile(from, dir, e.end)
			if errors.Is(err, fs.ErrNotExist) && e.suffix == bodiesSuffix {
				continue // dropped by age
			}
			if err != nil {
				return nil, fmt.Errorf("link segment %d: %w", s.number, err)
			}
			list = append(list, file)
		}
	}
	return list, nil
}

// linkFile links from into dir. So many bytes of it are whole; all, where it has fewer.
func linkFile(from, dir string, bytes int64) (SegmentFile, error) {
	to := filepath.Join(dir, filepath.Base(from))
	if err := os.Link(from, to); errors.Is(err, fs.ErrNotExist) {
		return SegmentFile{}, err
	} else if err != nil {
		if err := copyFile(from, to); err != nil {
			return SegmentFile{}, err
		}
	}
	info, err := os.Stat(to)
	if err != nil {
		return SegmentFile{}, err
	}
	return SegmentFile{Name: filepath.Base(from), Bytes: min(bytes, info.Size())}, nil
}

// copyFile is for file systems that have no links.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
