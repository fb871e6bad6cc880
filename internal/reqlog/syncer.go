package reqlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// syncer is the goroutine that brings what was appended to the disk, and closes files that nothing
// more is written to. It works beside the appender, which never waits for it.
type syncer struct {
	log   *Log
	dirty chan struct{} // something was appended or retired

	mu      sync.Mutex
	open    []file // of the segment that is written: bodies, rows
	retired []*finished
	made    bool // files were made whose names are not on disk yet
	last    Ticket
}

func (s *syncer) init(l *Log) {
	s.log, s.dirty = l, make(chan struct{}, 1)
}

// opened tells of a new segment's files.
func (s *syncer) opened(p *pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = []file{p.rooms[kindBodies].file, p.rooms[kindRows].file}
	s.made = s.made || !p.named
}

// wrote tells that all up to last is in files; 0: no row was written.
func (s *syncer) wrote(last Ticket) {
	s.mu.Lock()
	s.last = max(s.last, last)
	s.mu.Unlock()
	s.signal()
}

// retire tells that a segment is finished.
func (s *syncer) retire(f *finished) {
	s.mu.Lock()
	s.open = nil
	s.retired = append(s.retired, f)
	s.mu.Unlock()
	s.signal()
}

func (s *syncer) signal() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// run syncs at every interval in which something was appended, and at once when somebody waits.
func (s *syncer) run(ctx context.Context) {
	for {
		select {
		case <-s.dirty:
		case <-ctx.Done():
			<-s.log.appended // the appender ends by the same context
			s.contain()
			return
		}
		s.pause(ctx)
		s.contain()
	}
}

// contain syncs. A panic is a failure like others: what was to be synced may not be.
func (s *syncer) contain() {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if err := s.log.contain("syncer", func() error { s.sync(); return nil }); err != nil {
		s.failed(err, last)
	}
}

// pause waits for the interval's end, or until somebody wants a sync, or the log closes.
func (s *syncer) pause(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.log.o.FsyncEvery)
	defer cancel()
	_ = s.log.progress.wait(ctx, func(p *progress) bool { return p.wantSync > p.synced || p.draining })
}

// sync brings all that was appended before the call to the disk.
func (s *syncer) sync() {
	s.mu.Lock()
	open, retired, made, last := s.open, s.retired, s.made, s.last
	s.retired, s.made = nil, false
	s.mu.Unlock()
	var err error
	if made {
		err = syncDir(s.log.o.Dir)
	}
	for _, f := range open {
		err = errors.Join(err, f.Sync())
	}
	for _, f := range retired {
		f.cut(s.log.catalog)
		for _, kind := range [...]blockKind{kindBodies, kindRows} {
			f := f.rooms[kind].file
			err = errors.Join(err, ignoreClosed(f.Sync()), f.Close())
		}
	}
	if err != nil {
		s.failed(fmt.Errorf("sync: %w", err), last)
		return
	}
	s.log.health.set(troubleSync, "")
	s.log.progress.update(func(p *progress) { p.synced, p.syncErr = max(p.synced, last), nil })
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// failed raises the alarm. The kernel may have dropped what it could not write, and says so once: a
// later sync of the same file proves nothing, so a new segment begins.
func (s *syncer) failed(err error, last Ticket) {
	s.log.append.rollSoon.Store(true)
	s.log.health.set(troubleSync, "sync failed: "+err.Error())
	s.log.health.failed(s.log.o.Logger, "the log may not survive a power loss", err)
	s.log.progress.update(func(p *progress) { p.syncErr, p.syncFailed = err, max(p.syncFailed, last) })
}
