package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// KindBackup is the kind of jobs that write a backup.
const KindBackup = "backup"

// Log is what upkeep needs of the log; *reqlog.Log is one.
type Log interface {
	CheckSegments(ctx context.Context, progress func(bytes int64), damaged func(reqlog.Damage)) (segments int, err error)
	CompleteUntil(ctx context.Context) (time.Time, error)
	Hold() (release func())
	LinkSegments(dir string) ([]reqlog.SegmentFile, error)
	Stats() reqlog.Stats
}

// Index is what upkeep needs of the log's index; *logindex.Index is one.
type Index interface {
	Check(ctx context.Context, progress func(bytes int64), damaged func(file, what string)) (files int, rows int64, err error)
	Compact(ctx context.Context, progress func(bytes int64)) (files int, freed int64, err error)
	Copy(ctx context.Context, dir string, progress func(bytes int64)) error
	Size(ctx context.Context) (rows, bytes int64, err error)
}

// Database is what upkeep needs of the database of settings; *sqlstore.DB is one.
type Database interface {
	Check(ctx context.Context, damaged func(what string)) error
	Compact(ctx context.Context) error
	Copy(ctx context.Context, to string) error
}

// Counts are files that are mapped into memory and written at any time; *slots.Store and *slots.Ledger are such.
type Counts interface {
	// Copy writes the files into dir as they are at one moment.
	Copy(dir string) error
}

// Directory is a data directory in use.
type Directory struct {
	Log       Log
	Index     Index
	Database  Database
	Counts    []Counts
	MasterKey string // file with the key that seals provider keys; "", or no such file: it is elsewhere
	Version   string // of the program
}

// Input is what a backup is asked for.
type Input struct {
	// MasterKey takes the file with the key that seals the stored provider keys in, too: who has the backup can
	// then read them.
	MasterKey bool `json:"master_key"`
}

// Result is what a backup tells when it is done.
type Result struct {
	Created   time.Time `json:"created"` // what had ended before is in it
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"` // unpacked
	Segments  int       `json:"segments"`
	MasterKey bool      `json:"master_key"`
}

// Backup is the kind of jobs that write a backup of d.
func (d *Directory) Backup() job.Kind {
	return job.Kind{Name: KindBackup, Unbounded: true, Run: func(ctx context.Context, r *job.Run) error {
		var in Input
		if err := r.Input(&in); err != nil {
			return err
		}
		scratch, err := r.Scratch()
		if err != nil {
			return err
		}
		created := time.Now().UTC()
		b := &backup{Directory: d, run: r, in: in, scratch: scratch, manifest: Manifest{Format: format, Version: d.Version, Created: created}}
		if err := b.gather(ctx); err != nil {
			return err
		}
		return b.write(ctx)
	}}
}

// backup is one backup that is being made.
type backup struct {
	*Directory
	run      *job.Run
	in       Input
	scratch  string
	manifest Manifest
	files    []source
	segments int
}

// source is a file that goes into the archive.
type source struct {
	name, file string
	bytes      int64
	copied     bool // it is the backup's own
}

// gather copies the databases and links the segments: all that has to be of one time.
func (b *backup) gather(ctx context.Context) error {
	if err := b.roomy(ctx); err != nil {
		return err
	}
	b.run.Say("copying the databases")
	index, segments := filepath.Join(b.scratch, "index"), filepath.Join(b.scratch, "segments")
	if err := errors.Join(os.Mkdir(index, 0o700), os.Mkdir(segments, 0o700)); err != nil {
		return err
	}
	// What has ended is in the segments, and in the index, when this returns.
	if _, err := b.Log.CompleteUntil(ctx); err != nil {
		return err
	}
	release := b.Log.Hold()
	defer release()
	database := filepath.Join(b.scratch, "sluice.db")
	if err := b.Database.Copy(ctx, database); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	if err := b.take("sluice.db", database, true); err != nil {
		return err
	}
	if err := b.Index.Copy(ctx, index, nil); err != nil {
		return fmt.Errorf("copy the log's index: %w", err)
	}
	if err := b.takeAll("log/index", index); err != nil {
		return err
	}
	linked, err := b.Log.LinkSegments(segments)
	if err != nil {
		return err
	}
	for _, f := range linked {
		b.files = append(b.files, source{inArchive("log/segments", f.Name), filepath.Join(segments, f.Name), f.Bytes, true})
	}
	b.segments = len(linked)
	return b.counters()
}

// roomy refuses a backup that the disk has no room for: the copies of the databases, and the archive.
func (b *backup) roomy(ctx context.Context) error {
	_, index, err := b.Index.Size(ctx)
	if err != nil {
		return err
	}
	s := b.Log.Stats()
	if need := 2*index + s.DiskBytes; s.DiskFree >= 0 && s.DiskFree < need {
		return &sluice.Error{
			Kind: sluice.KindUnavailable, Msg: fmt.Sprintf("a backup may need %d MB, and the disk has %d MB left", need>>20, s.DiskFree>>20),
			Hint: "make room in the data directory; the archive goes with its job, so download it and delete the job",
		}
	}
	return nil
}

// take adds a whole file; copied: it is the backup's own.
func (b *backup) take(name, file string, copied bool) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	b.files = append(b.files, source{name, file, info.Size(), copied})
	return nil
}

// takeAll adds the files of a directory of the backup's own, to lie in the archive below to.
func (b *backup) takeAll(to, dir string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := b.take(inArchive(to, f.Name()), filepath.Join(dir, f.Name()), true); err != nil {
			return err
		}
	}
	return nil
}

// counters adds what lies beside the databases: counts of limits and budgets, and the master key when it was asked for.
func (b *backup) counters() error {
	dir := filepath.Join(b.scratch, "counts")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, c := range b.Counts {
		if err := c.Copy(dir); err != nil {
			return fmt.Errorf("copy the counts of limits and budgets: %w", err)
		}
	}
	if err := b.takeAll("", dir); err != nil {
		return err
	}
	if !b.in.MasterKey {
		return nil
	}
	err := b.take("master.key", b.MasterKey, false)
	if b.MasterKey == "" || errors.Is(err, fs.ErrNotExist) {
		return &sluice.Error{Kind: sluice.KindInvalid, Msg: "there is no file with a master key to take along", Hint: "it is in the configuration (master_key), or no provider key was stored yet"}
	}
	b.manifest.MasterKey = true
	return err
}

// write writes the archive.
func (b *backup) write(ctx context.Context) error {
	b.run.Say("writing the archive")
	var total, done int64
	for _, f := range b.files {
		total += f.bytes
	}
	out, err := b.run.Create("sluice-backup-"+b.manifest.Created.Format("20060102T150405Z")+".tar.zst", "application/zstd", 0)
	if err != nil {
		return err
	}
	defer out.Close()
	a, err := newArchive(out, b.manifest, func(n int64) {
		done += n
		b.run.Progress(done, total)
	})
	if err != nil {
		return err
	}
	for _, f := range b.files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := a.add(f.name, f.file, f.bytes); err != nil {
			return err
		}
		if f.copied { // room for what comes
			if err := os.Remove(f.file); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(a.close(), out.Sync()); err != nil {
		return err
	}
	return b.run.Result(Result{Created: b.manifest.Created, Files: len(b.files), Bytes: total, Segments: b.segments, MasterKey: b.manifest.MasterKey})
}
