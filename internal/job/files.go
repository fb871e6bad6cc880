package job

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// The result's name on disk; what it is to be saved as is in the job. Those of unbounded kinds have another, so that
// who counts sees the others alone.
const (
	resultName    = "result"
	unboundedName = "unbounded"
)

// resultPath is where the result of a job of a kind lies.
func (r *Runner) resultPath(id, kind string) string {
	if k := r.kinds[kind]; k != nil && k.Unbounded {
		return filepath.Join(r.dir(id), unboundedName)
	}
	return filepath.Join(r.dir(id), resultName)
}

// roomEvery is how many bytes a result grows by between two looks at the disk's room.
const roomEvery = 4 << 20

// dir is where the files of a job lie.
func (r *Runner) dir(id string) string { return filepath.Join(r.o.Dir, id) }

// Scratch returns a directory for files that the job needs while it runs. What is in it is removed with the
// job's end, unless the job can be resumed; it counts for nothing.
func (r *Run) Scratch() (string, error) {
	dir := filepath.Join(r.runner.dir(r.task.job.ID), "scratch")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a job's directory: %w", err)
	}
	return dir, nil
}

// Output is the file that a job leaves as its result, while it is written. It is for one goroutine.
type Output struct {
	runner    *Runner
	file      *os.File
	size      int64
	looked    int64 // size at the last look at the disk's room
	unbounded bool  // by Options.MaxBytes, for which it does not count
}

// Create opens the file that the job leaves as its result, to be saved as name, and cuts it to its first at
// bytes: those that a former run of the job wrote before its last checkpoint. The caller closes it.
func (r *Run) Create(name, mediaType string, at int64) (*Output, error) {
	dir := r.runner.dir(r.task.job.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a job's directory: %w", err)
	}
	f, err := os.OpenFile(r.runner.resultPath(r.task.job.ID, r.task.kind.Name), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a job's result: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() < at {
		err = fmt.Errorf("the result of job %s has %d bytes, and had %d", r.task.job.ID, info.Size(), at)
	}
	if err == nil {
		err = f.Truncate(at)
	}
	if err == nil {
		_, err = f.Seek(at, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open a job's result: %w", err), f.Close())
	}
	o := &Output{runner: r.runner, file: f, size: at, looked: at - roomEvery, unbounded: r.task.kind.Unbounded}
	o.count(at - info.Size())
	r.runner.mu.Lock()
	defer r.runner.mu.Unlock()
	r.task.job.File = &File{Name: name, Type: mediaType}
	return o, nil
}

// Write appends to the file. Its error has sluice.KindUnavailable when there is no room for results.
func (o *Output) Write(p []byte) (int, error) {
	counted := int64(len(p))
	if o.unbounded {
		counted = 0
	}
	if err := o.runner.room(int64(len(p)), counted, o.size-o.looked >= roomEvery); err != nil {
		return 0, err
	}
	if o.size-o.looked >= roomEvery {
		o.looked = o.size
	}
	n, err := o.file.Write(p)
	o.size += int64(n)
	o.count(int64(n))
	return n, err
}

func (o *Output) count(n int64) {
	if !o.unbounded {
		o.runner.used.Add(n)
	}
}

// room refuses n bytes more of results, of which some are counted, when there is no room for them.
func (r *Runner) room(n, counted int64, look bool) error {
	if counted > 0 && r.used.Load()+counted > r.o.MaxBytes {
		return &sluice.Error{
			Kind: sluice.KindUnavailable, Msg: fmt.Sprintf("results of jobs would take more than %d bytes", r.o.MaxBytes),
			Hint: "delete jobs whose results nobody needs, or ask for less",
		}
	}
	if look && r.o.Free != nil {
		if free := r.o.Free(); free >= 0 && free-n < r.o.MinFree {
			return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the disk has no room for the result", Hint: "make room in the data directory, or ask for less"}
		}
	}
	return nil
}

// Size returns how many bytes the file has.
func (o *Output) Size() int64 { return o.size }

// Sync returns when what was written is on disk: before a checkpoint that counts on it.
func (o *Output) Sync() error { return o.file.Sync() }

// Close closes the file.
func (o *Output) Close() error { return o.file.Close() }

// seal makes a result of what a job has written that is done.
func (r *Runner) seal(t *task) error {
	if err := os.RemoveAll(filepath.Join(r.dir(t.job.ID), "scratch")); err != nil {
		return fmt.Errorf("remove a job's scratch files: %w", err)
	}
	r.mu.Lock()
	was := t.job.File
	r.mu.Unlock()
	if was == nil {
		return nil
	}
	f, err := os.Open(r.resultPath(t.job.ID, t.kind.Name))
	if err != nil {
		return fmt.Errorf("read a job's result: %w", err)
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	if err != nil {
		return fmt.Errorf("read a job's result: %w", err)
	}
	sealed := &File{Name: was.Name, Type: was.Type, Bytes: n, SHA256: hex.EncodeToString(hash.Sum(nil)), Expires: time.Now().Add(r.o.Keep).UTC().Truncate(time.Second)}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.job.File = sealed
	return nil
}

// OpenResult opens the file that a job has left; the caller closes it. sluice.KindNotFound: there is no such
// job, it has not left a file, or the file is no longer kept.
func (r *Runner) OpenResult(ctx context.Context, id string) (*os.File, Job, error) {
	j, err := r.Get(ctx, id)
	if err != nil {
		return nil, j, err
	}
	gone := func(why string) error { return &sluice.Error{Kind: sluice.KindNotFound, Msg: why} }
	switch {
	case !j.State.Ended():
		return nil, j, gone("the job has not ended")
	case j.State != Done:
		return nil, j, gone("the job has no result: it is " + string(j.State))
	case j.File == nil:
		return nil, j, gone("the job has left no file, or it is no longer kept")
	}
	f, err := os.Open(r.resultPath(id, j.Kind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, j, gone("the job's result is no longer kept")
	}
	return f, j, err
}

// keepTidy removes what is no longer kept, until the Runner closes.
func (r *Runner) keepTidy() {
	ticks := time.NewTicker(tidyEvery)
	defer ticks.Stop()
	for {
		r.failed("tidy up after jobs", r.tidy(r.base))
		select {
		case <-ticks.C:
		case <-r.base.Done():
			return
		}
	}
}

// tidy removes files that are no longer kept, or of no job, and jobs that ended long ago. It counts what stays.
func (r *Runner) tidy(ctx context.Context) error {
	errs := []error{r.o.Store.DeleteEndedJobs(ctx, time.Now().Add(-keepRows))}
	dirs, err := os.ReadDir(r.o.Dir)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, d := range dirs {
		if _, err := sluice.ParseID(d.Name()); err != nil || !d.IsDir() {
			continue // not ours
		}
		keep, err := r.keeps(ctx, d.Name())
		if err != nil {
			errs = append(errs, err)
		} else if !keep {
			errs = append(errs, r.removeDir(d.Name()))
		}
	}
	errs = append(errs, r.count())
	return errors.Join(errs...)
}

// keeps reports whether the files of a job are still needed.
func (r *Runner) keeps(ctx context.Context, id string) (bool, error) {
	j, err := r.Get(ctx, id)
	switch {
	case sluice.KindOf(err) == sluice.KindNotFound:
		return false, nil
	case err != nil:
		return true, err
	case !j.State.Ended():
		return true, nil
	case j.State == Done:
		return j.File != nil, nil
	}
	return j.Resumable && time.Since(j.Ended) < r.o.Keep, nil
}

// removeDir removes the files of a job.
func (r *Runner) removeDir(id string) error {
	info, err := os.Stat(filepath.Join(r.dir(id), resultName))
	if err == nil {
		r.used.Add(-info.Size())
	}
	return os.RemoveAll(r.dir(id))
}

// count counts the bytes of all bounded results anew: what was counted while they were written can be off after a
// failure of the disk.
func (r *Runner) count() error {
	before := r.used.Load()
	files, err := filepath.Glob(filepath.Join(escapeGlob(r.o.Dir), "*", resultName))
	if err != nil {
		return err
	}
	var n int64
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	r.used.CompareAndSwap(before, n) // else one is being written just now: the next look will do
	return nil
}

// escapeGlob makes a path stand for itself in a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
