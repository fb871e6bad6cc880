package upkeep

import (
	"context"

	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// The kinds of jobs that look a data directory through, and that give unused room in it back.
const (
	KindCheck   = "db-check"
	KindCompact = "db-compact"
)

// maxProblems is how many problems a check lists; the others are counted.
const maxProblems = 100

// CheckResult is what a check tells when it is done.
type CheckResult struct {
	Databases int       `json:"databases"`
	Segments  int       `json:"segments"`
	Rows      int64     `json:"rows"`  // of the log's index
	Bytes     int64     `json:"bytes"` // that were looked at
	Problems  []Problem `json:"problems"`
	More      int       `json:"more"` // problems beyond those
}

// Problem is something that is not as it was written.
type Problem struct {
	File string `json:"file"` // below the data directory, with slashes
	What string `json:"what"`
}

// found adds a problem.
func (r *CheckResult) found(file, what string) {
	if len(r.Problems) >= maxProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, Problem{file, what})
}

// Check is the kind of jobs that look whether the databases, the log's index and its segments are sound. What they find
// is their result, and no failure.
func (d *Directory) Check() job.Kind {
	return job.Kind{Name: KindCheck, Run: func(ctx context.Context, r *job.Run) error {
		// What has ended is in the segments, and in the index, when this returns.
		if _, err := d.Log.CompleteUntil(ctx); err != nil {
			return err
		}
		result := CheckResult{Problems: []Problem{}}
		total := d.size(ctx)
		progress := func(n int64) {
			result.Bytes += n
			r.Progress(result.Bytes, max(total, result.Bytes))
		}
		// What goes on would not do harm, but files that come and go make a check fail.
		release := d.Log.Hold()
		defer release()
		r.Say("checking the databases")
		err := d.Database.Check(ctx, func(what string) { result.found("sluice.db", what) })
		if err != nil {
			return err
		}
		var files int
		files, result.Rows, err = d.Index.Check(ctx, progress, func(file, what string) { result.found(inArchive("log/index", file), what) })
		if err != nil {
			return err
		}
		result.Databases = 1 + files
		r.Say("checking the segments")
		result.Segments, err = d.Log.CheckSegments(ctx, progress, func(one reqlog.Damage) {
			result.found(inArchive("log/segments", one.File), one.String())
		})
		if err != nil {
			return err
		}
		return r.Result(result)
	}}
}

// CompactResult is what a compaction tells when it is done.
type CompactResult struct {
	Files int   `json:"files"` // that were written anew
	Freed int64 `json:"freed"` // bytes of the log's index
}

// Compact is the kind of jobs that give the room back that lies unused in databases. It goes on beside requests;
// retention waits.
func (d *Directory) Compact() job.Kind {
	return job.Kind{Name: KindCompact, Run: func(ctx context.Context, r *job.Run) error {
		_, total, err := d.Index.Size(ctx)
		if err != nil {
			return err
		}
		release := d.Log.Hold()
		defer release()
		var done int64
		var result CompactResult
		result.Files, result.Freed, err = d.Index.Compact(ctx, func(n int64) {
			done += n
			r.Progress(done, max(total, done))
		})
		if err != nil {
			return err
		}
		if err := d.Database.Compact(ctx); err != nil {
			return err
		}
		result.Files++
		return r.Result(result)
	}}
}

// size is how much a check will read, in bytes; 0: not known.
func (d *Directory) size(ctx context.Context) int64 {
	_, index, err := d.Index.Size(ctx)
	if err != nil {
		return 0
	}
	return index + d.Log.Stats().DiskBytes
}
