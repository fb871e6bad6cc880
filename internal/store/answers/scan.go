package answers

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/cache"
)

// scan makes the index of what a process before this one left. A close ends it early.
func (d *disk) scan() {
	for _, temp := range names(filepath.Join(d.dir, tempDir)) {
		_ = os.Remove(filepath.Join(d.dir, tempDir, temp)) // it is written anew under the same name
	}
	for _, dir := range names(filepath.Join(d.dir, entriesDir)) {
		scope, ok := scopeOf(dir)
		if !ok {
			continue // not ours
		}
		at := filepath.Join(d.dir, entriesDir, dir)
		for _, digits := range names(at) {
			for _, name := range names(filepath.Join(at, digits)) {
				if isClosed(d.quit) {
					return
				}
				d.scanFile(scope, filepath.Join(at, digits, name), name)
			}
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.index.sort()
	d.complete = true
	for d.index.all.bytes > d.limit {
		d.evict()
	}
}

// names lists a directory. One that cannot be read is as good as empty: its files are found by their
// names, until the index is complete.
func names(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	list, _ := f.Readdirnames(-1)
	return list
}

// scanFile adds a file to the index, unless it is of no use any more.
func (d *disk) scanFile(scope cache.Scope, path, name string) {
	key, ok := cache.ParseKey(name)
	for ok {
		d.mu.Lock()
		changes, known := d.changes, d.index.files[key] != nil
		d.mu.Unlock()
		if known {
			return
		}
		r, info, err := readHead(path)
		if errors.Is(err, fs.ErrNotExist) {
			return
		}
		if ok = err == nil && r.Scope == scope && r.Key == key && time.Now().Before(r.Entry.Expires); !ok {
			break
		}
		d.mu.Lock()
		again := d.changes != changes // it may just have gone
		if !again && d.index.files[key] == nil {
			d.index.add(r, info.Size()).used = info.ModTime().UnixNano()
		}
		d.mu.Unlock()
		if !again {
			return
		}
	}
	_ = os.Remove(path) // damaged, or too old; what stays is met again at the next start
}

// readHead reads what a file says of its entry.
func readHead(path string) (r cache.Record, info fs.FileInfo, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return r, nil, err
	}
	b := make([]byte, blockSize)
	n, err := io.ReadFull(f, b)
	if err != nil && err != io.ErrUnexpectedEOF {
		return r, nil, err
	}
	r, head, err := cache.ParseRecordHead(b[:n])
	if err != nil && head > int64(n) && head <= info.Size() {
		b = make([]byte, head)
		if _, err = f.ReadAt(b, 0); err != nil {
			return r, nil, err
		}
		r, head, err = cache.ParseRecordHead(b)
	}
	if err == nil && info.Size() != head+r.Entry.Length {
		err = errCorrupt
	}
	return r, info, err
}
