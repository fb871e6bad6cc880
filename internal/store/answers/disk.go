package answers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// The directories of the tier. An entry lies in entries/<account>,<gateway>/<2 digits>/<key>, so that
// its file can be found without an index, and a gateway's files can go by one rename.
const (
	entriesDir = "entries"
	trashDir   = "trash" // what was purged and is still to be deleted
	tempDir    = "temp"
)

const (
	blockSize = 4 << 10 // what a small file takes on most file systems
	maxReads  = 32      // reads at once; a disk that hangs holds so many goroutines, not more
)

// disk holds entries in files, one for each. One goroutine writes, another deletes what was purged.
//
// The index of what is there is made by reading the directory after the start. Until then the files
// themselves are asked, and nothing is written.
type disk struct {
	dir     string
	limit   int64
	logger  *slog.Logger
	reads   chan struct{} // tokens
	scanned chan struct{} // closed when the index is complete
	quit    chan struct{} // closed by close: no more than what is queued
	stop    chan struct{} // closed when time is up: not even that
	sweep   chan struct{} // something is in the trash
	running sync.WaitGroup
	load    func(path string, scope cache.Scope, key cache.Key) (cache.Record, int64, error) // readFile

	mu       sync.Mutex
	wake     sync.Cond // for the writer
	closing  bool
	complete bool
	index    index
	queue    queue
	changes  uint64          // counts puts and purges, for the scan
	purges   uint64          // counts purges: what was read before one is not given out after it
	renames  uint64          // for names in the trash
	counting map[string]bool // names in the trash that are still read
	evicted  int64
	dropped  int64
	corrupt  int64
	warned   time.Time // when a failure was last logged
}

func openDisk(dir string, limit, queued int64, logger *slog.Logger) (*disk, error) {
	for _, sub := range []string{entriesDir, trashDir, tempDir} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("open the cache's directory: %w", err)
		}
	}
	d := &disk{
		dir: dir, limit: limit, logger: logger, load: readFile,
		reads: make(chan struct{}, maxReads), scanned: make(chan struct{}), quit: make(chan struct{}), stop: make(chan struct{}), sweep: make(chan struct{}, 1),
		counting: map[string]bool{}, index: newIndex(), queue: queue{limit: queued, keyed: map[cache.Key]*job{}},
	}
	d.wake.L = &d.mu
	d.running.Go(d.write)
	d.running.Go(d.clean)
	d.sweep <- struct{}{}
	return d, nil
}

// scopeDir is the directory of a scope's files.
func (d *disk) scopeDir(s cache.Scope) string {
	return filepath.Join(d.dir, entriesDir, url.PathEscape(s.Account)+","+url.PathEscape(s.Gateway))
}

// scopeOf reads the name of a scopeDir.
func scopeOf(name string) (s cache.Scope, ok bool) {
	account, gateway, ok := strings.Cut(name, ",")
	if !ok {
		return s, false
	}
	a, errA := url.PathUnescape(account)
	g, errG := url.PathUnescape(gateway)
	return cache.Scope{Account: a, Gateway: g}, errA == nil && errG == nil
}

func (d *disk) path(s cache.Scope, k cache.Key) string {
	name := k.String()
	return filepath.Join(d.scopeDir(s), name[:2], name)
}

// get finds an entry: in the queue, or in its file. It is (nil, nil) when there is none, and gives
// the entry to keep, if not nil, unless a purge or a newer entry came between.
func (d *disk) get(ctx context.Context, scope cache.Scope, key cache.Key, now time.Time, keep func(*cache.Entry)) (*cache.Entry, error) {
	d.mu.Lock()
	if j := d.queue.keyed[key]; j != nil {
		e := j.Entry
		d.mu.Unlock()
		return holds(e, j.Scope == scope, now)
	}
	f := d.index.files[key]
	if f == nil && d.complete || f != nil && f.scope.name != scope {
		d.mu.Unlock()
		return nil, nil
	}
	if f != nil && !now.Before(f.expires()) {
		d.removeFile(f)
		d.mu.Unlock()
		return nil, cache.ErrExpired
	}
	purges := d.purges
	d.mu.Unlock()

	r, size, err := d.read(ctx, scope, key)
	d.mu.Lock()
	defer d.mu.Unlock()
	current := d.purges == purges && d.index.files[key] == f && d.queue.keyed[key] == nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if current && f != nil {
			d.index.remove(f) // somebody else deleted it
		}
		return nil, nil
	case errors.Is(err, errCorrupt):
		if current {
			d.corrupt++
			d.removePath(f, scope, key)
		}
		return nil, nil
	case err != nil:
		return nil, err
	case d.purges != purges:
		return nil, nil
	}
	e, err := holds(r.Entry, true, now)
	if e == nil || !current {
		if current {
			d.removePath(f, scope, key)
		}
		return e, err
	}
	if f == nil {
		f = d.index.add(r, size)
	}
	d.index.touch(f, now)
	keep(e)
	return e, nil
}

// holds is what Get returns of an entry that is there.
func holds(e *cache.Entry, own bool, now time.Time) (*cache.Entry, error) {
	switch {
	case !own:
		return nil, nil
	case !now.Before(e.Expires):
		return nil, cache.ErrExpired
	}
	return e, nil
}

// errCorrupt: a file is not what was written.
var errCorrupt = errors.New("answers: a file is damaged")

// read reads an entry's file, for no longer than ctx lasts.
func (d *disk) read(ctx context.Context, scope cache.Scope, key cache.Key) (r cache.Record, size int64, err error) {
	late := func() error {
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the cache's disk did not answer in time", Err: context.Cause(ctx)}
	}
	select {
	case d.reads <- struct{}{}:
	case <-ctx.Done():
		return r, 0, late()
	}
	type result struct {
		r    cache.Record
		size int64
		err  error
	}
	done := make(chan result, 1)
	d.running.Go(func() {
		defer func() { <-d.reads }()
		r, size, err := d.load(d.path(scope, key), scope, key)
		done <- result{r, size, err}
	})
	select {
	case got := <-done:
		return got.r, got.size, got.err
	case <-ctx.Done():
		return r, 0, late()
	}
}

// readFile reads and checks a whole file.
func readFile(path string, scope cache.Scope, key cache.Key) (cache.Record, int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			err = &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the cache's disk cannot be read", Err: err}
		}
		return cache.Record{}, 0, err
	}
	r, err := cache.ParseRecord(b)
	if err != nil || r.Key != key || r.Scope != scope {
		return cache.Record{}, 0, errCorrupt
	}
	return r, int64(len(b)), nil
}

// put queues an entry, or drops it when there is no room. What the key had goes in any case.
func (d *disk) put(scope cache.Scope, key cache.Key, e *cache.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes++
	d.removePath(d.index.files[key], scope, key)
	if !d.closing && blocks(e.Weight()) <= d.limit && d.queue.add(cache.Record{Scope: scope, Key: key, Entry: e}) {
		d.wake.Signal()
		return
	}
	d.queue.cancel(key)
	d.dropped++
}

// blocks is what a file of n bytes counts.
func blocks(n int64) int64 { return (n + blockSize - 1) / blockSize * blockSize }

// write runs until the disk is closed: it reads what is there, and then writes what comes.
func (d *disk) write() {
	d.scan()
	close(d.scanned)
	var buf []byte
	for n := 0; ; n++ {
		j, r := d.nextJob()
		if j == nil {
			return
		}
		buf = cache.AppendRecord(buf[:0], r)
		temp := filepath.Join(d.dir, tempDir, strconv.Itoa(n%2))
		err := os.WriteFile(temp, buf, 0o600)
		if err == nil {
			err = d.publish(j, r, temp, int64(len(buf)))
		}
		if err != nil {
			_ = os.Remove(temp)
			d.failed(j, err)
		}
		if cap(buf) > 1<<20 {
			buf = nil
		}
	}
}

// nextJob waits for something to write; nil: there will be nothing any more.
func (d *disk) nextJob() (*job, cache.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		if isClosed(d.stop) {
			return nil, cache.Record{}
		}
		if j, r := d.queue.first(); j != nil || d.closing {
			return j, r
		}
		d.wake.Wait()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// publish gives a file that was written its place, and makes room for it there.
func (d *disk) publish(j *job, r cache.Record, temp string, size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j.off {
		return os.Remove(temp)
	}
	for d.index.all.entries > 0 && d.index.all.bytes+blocks(size) > d.limit {
		d.evict()
	}
	to := d.path(r.Scope, r.Key)
	err := os.Rename(temp, to)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(to), 0o700); err == nil {
			err = os.Rename(temp, to)
		}
	}
	if err != nil {
		return err
	}
	d.index.add(r, size).used = time.Now().UnixNano()
	d.queue.done(j)
	return nil
}

// warnEvery bounds how often a disk that fails is logged.
const warnEvery = 10 * time.Second

// failed drops an entry that could not be written.
func (d *disk) failed(j *job, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropped++
	d.queue.done(j)
	if now := time.Now(); now.Sub(d.warned) >= warnEvery {
		d.warned = now
		d.logger.Warn("an answer was not written to the cache's disk", "error", err)
	}
}

// evict removes the file that was not used for longest.
func (d *disk) evict() {
	d.evicted++
	d.removeFile(d.index.oldest)
}

// removeFile deletes a file that the index has.
func (d *disk) removeFile(f *file) { d.removePath(f, f.scope.name, f.key) }

// removePath deletes the file of a key, whether the index has it or not (f is nil then). A file that
// cannot be deleted is found again at the next start.
func (d *disk) removePath(f *file, scope cache.Scope, key cache.Key) {
	if f != nil {
		d.index.remove(f)
	} else if d.complete {
		return
	}
	if err := os.Remove(d.path(scope, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.logger.Warn("a file of the cache was not deleted", "error", err)
	}
}

// close writes what is queued, until ctx ends.
func (d *disk) close(ctx context.Context) error {
	d.mu.Lock()
	if d.closing {
		d.mu.Unlock()
		return nil
	}
	d.closing = true
	d.wake.Signal()
	d.mu.Unlock()
	close(d.quit)
	done := make(chan struct{})
	go func() {
		d.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	close(d.stop)
	d.mu.Lock()
	d.dropped += int64(len(d.queue.keyed))
	d.wake.Signal()
	d.mu.Unlock()
	return &sluice.Error{Kind: sluice.KindTimeout, Msg: "not all answers were written to the cache's disk", Err: context.Cause(ctx)}
}

// tier tells what is on disk of a scope.
func (d *disk) tier(within func(cache.Scope) bool, s *cache.StoreStats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Disk = cache.Tier{Limit: d.limit, Evicted: d.evicted}
	for name, u := range d.index.scopes {
		if within(name) {
			s.Disk.Entries += u.entries
			s.Disk.Bytes += u.bytes
		}
	}
	s.Complete, s.Dropped, s.Corrupt = d.complete, d.dropped, d.corrupt
}
