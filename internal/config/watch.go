package config

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long after the first sign of a change the file is read: editors and deployments write
// in several steps. What comes later is another sign.
const settle = 100 * time.Millisecond

// Watch calls changed whenever the content of file has become another one, until ctx ends; then it
// returns nil. Any way of changing it is seen: written in place, renamed over, or a symbolic link that
// leads elsewhere, as mounted volumes do it. While there is no file, nothing is called. An error means
// that watching is impossible or has ended.
func Watch(ctx context.Context, file string, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", file, err)
	}
	defer func() { _ = w.Close() }()
	if err := watchDirs(w, file); err != nil {
		return fmt.Errorf("watch %s: %w", file, err)
	}
	last := digest(file)
	timer := time.NewTimer(0) // one look after the watch began, lest a change before it is missed
	defer timer.Stop()
	waiting := true
	look := func() { // not postponed by further events: a busy directory must not keep us from looking
		if !waiting {
			waiting = true
			timer.Reset(settle)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-w.Events:
			if !ok {
				return errWatcherEnded(file)
			}
			look()
		case _, ok := <-w.Errors: // events were lost
			if !ok {
				return errWatcherEnded(file)
			}
			look()
		case <-timer.C:
			waiting = false
			_ = watchDirs(w, file) // a link may lead to another directory by now
			if now := digest(file); now != last && now != (fileDigest{}) {
				last = now
				changed()
			}
		}
	}
}

func errWatcherEnded(file string) error { return fmt.Errorf("watch %s: the watcher has ended", file) }

// watchDirs watches the directory that the file's name lies in and the one where its content does: a
// directory sees what is renamed over a file, the file itself does not.
func watchDirs(w *fsnotify.Watcher, file string) error {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		if err := w.Add(filepath.Dir(real)); err != nil {
			return err
		}
	}
	return w.Add(filepath.Dir(file))
}

type fileDigest [sha256.Size]byte

// digest returns the hash of the file's content, the zero digest when it cannot be read.
func digest(file string) fileDigest {
	text, err := readBounded(file, maxFileBytes)
	if err != nil {
		return fileDigest{}
	}
	return sha256.Sum256(text)
}
