package answers

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// purge removes what is selected, and tells each key.
func (d *disk) purge(ctx context.Context, what cache.Selection, gone func(cache.Key)) error {
	if what.Provider != "" {
		// Which files those are is known by the index only.
		select {
		case <-d.scanned:
		case <-ctx.Done():
			return &sluice.Error{
				Kind: sluice.KindUnavailable, Msg: "the cache's directory is still being read after the start", Hint: "try again",
				Err: context.Cause(ctx),
			}
		}
	}
	d.mu.Lock()
	d.purges++
	d.changes++
	d.queue.purge(what, gone)
	switch {
	case len(what.Keys) > 0:
		defer d.mu.Unlock()
		return d.purgeKeys(what, gone)
	case what.Provider != "":
		list := d.collect(func(f *file) bool { return what.Covers(f.scope.name, f.key, f.provider) })
		d.mu.Unlock()
		d.removeAll(list, gone)
		return nil
	}
	trash, err := d.purgeScopes(what.Scope)
	d.mu.Unlock()
	for _, dir := range trash {
		dir = filepath.Join(d.dir, trashDir, dir)
		for _, digits := range names(dir) {
			for _, name := range names(filepath.Join(dir, digits)) {
				if k, ok := cache.ParseKey(name); ok {
					gone(k)
				}
			}
		}
	}
	d.mu.Lock()
	for _, dir := range trash {
		delete(d.counting, dir)
	}
	d.mu.Unlock()
	select {
	case d.sweep <- struct{}{}:
	default: // it is under way, or will be
	}
	return err
}

// purgeKeys deletes the files of keys. Under d.mu.
func (d *disk) purgeKeys(what cache.Selection, gone func(cache.Key)) error {
	var failed error
	for _, dir := range names(filepath.Join(d.dir, entriesDir)) {
		scope, ok := scopeOf(dir)
		if !ok || !what.Scope.Covers(scope) {
			continue
		}
		for _, k := range what.Keys {
			f := d.index.files[k]
			if f != nil && !what.Covers(f.scope.name, k, f.provider) {
				continue
			}
			err := os.Remove(d.path(scope, k))
			if err == nil {
				gone(k)
			} else if !errors.Is(err, fs.ErrNotExist) {
				failed = err
			}
			if f != nil && f.scope.name == scope {
				d.index.remove(f)
			}
		}
	}
	return failed
}

// purgeScopes moves the directories of scopes into the trash, and returns their names there. Under
// d.mu.
func (d *disk) purgeScopes(within cache.Scope) (trash []string, failed error) {
	for _, f := range d.index.files {
		if within.Covers(f.scope.name) {
			d.index.remove(f)
		}
	}
	entries := filepath.Join(d.dir, entriesDir)
	for _, dir := range names(entries) {
		scope, ok := scopeOf(dir)
		if !ok || !within.Covers(scope) {
			continue
		}
		d.renames++
		to := strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.FormatUint(d.renames, 10)
		if err := os.Rename(filepath.Join(entries, dir), filepath.Join(d.dir, trashDir, to)); err != nil {
			failed = err
			continue
		}
		d.counting[to] = true
		trash = append(trash, to)
	}
	if len(trash) > 0 {
		failed = errors.Join(failed, syncDir(entries))
	}
	return trash, failed
}

// syncDir makes renames last.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// collect lists files of the index. Under d.mu.
func (d *disk) collect(which func(*file) bool) []*file {
	var list []*file
	for _, f := range d.index.files {
		if which(f) {
			list = append(list, f)
		}
	}
	return list
}

// removeAll deletes files, each under the lock, so that lookups come in between. gone may be nil.
func (d *disk) removeAll(list []*file, gone func(cache.Key)) {
	for _, f := range list {
		d.mu.Lock()
		if d.index.files[f.key] == f {
			d.removeFile(f)
			if gone != nil {
				gone(f.key)
			}
		}
		d.mu.Unlock()
	}
}

// sweepExpired deletes what has expired.
func (d *disk) sweepExpired(now time.Time) {
	d.mu.Lock()
	list := d.collect(func(f *file) bool { return !now.Before(f.expires()) })
	d.mu.Unlock()
	d.removeAll(list, nil)
}

// clean deletes what is in the trash, file by file, so that a close need not wait for the rest: the
// next start goes on.
func (d *disk) clean() {
	for {
		select {
		case <-d.sweep:
		case <-d.quit:
			return
		}
		trash := filepath.Join(d.dir, trashDir)
		for _, dir := range names(trash) {
			d.mu.Lock()
			counting := d.counting[dir]
			d.mu.Unlock()
			if counting {
				continue // who counts gives notice when it is done
			}
			if !d.empty(filepath.Join(trash, dir)) {
				return
			}
		}
	}
}

// empty deletes a directory of the trash; false: there was no time.
func (d *disk) empty(dir string) bool {
	for _, digits := range names(dir) {
		for _, name := range names(filepath.Join(dir, digits)) {
			if isClosed(d.quit) {
				return false
			}
			_ = os.Remove(filepath.Join(dir, digits, name))
		}
		_ = os.Remove(filepath.Join(dir, digits))
	}
	if err := os.RemoveAll(dir); err != nil {
		d.logger.Warn("purged files of the cache were not deleted", "error", err)
	}
	return true
}
