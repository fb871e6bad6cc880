// Package job runs long work beside the requests: exports, deletions, re-pricing, backups.
//
// A job is of a Kind, is kept in a Store with its input and how far it has come, and runs when there is a
// place for it: few at a time, so that work nobody waits for takes little from requests. It outlives the
// process: one that a stop or a kill interrupted goes on from its last checkpoint at the next start when its
// kind can, and has failed otherwise, with a text that says so. A file that a job leaves as its result is kept
// for a day.
package job

import (
	"context"
	"encoding/json"
	"time"
)

// State says how far a job has come.
type State string

// The states. Interrupted is seen only in a store that no process has open: Open makes Queued or Failed of it.
const (
	Queued      State = "queued"
	Running     State = "running"
	Done        State = "done"
	Failed      State = "failed"
	Canceled    State = "canceled"
	Interrupted State = "interrupted"
)

// States lists all states that a job can be seen in.
func States() []State { return []State{Queued, Running, Done, Failed, Canceled} }

// Ended reports whether nothing more comes of a job in this state, unless it is resumed.
func (s State) Ended() bool { return s == Done || s == Failed || s == Canceled }

// Unknown is a Job's Total when nobody knows it.
const Unknown = -1

// Job is one piece of long work, as it was when it was read. Its Input, Result and File are not changed.
type Job struct {
	ID      string // a sluice.ID: sorts by when the job was made
	Account string // id of the account it belongs to; "": of the whole process
	Gateway string // that it is about; "": of no single one
	Kind    string
	Actor   string // who started it, for people
	State   State
	Input   json.RawMessage // a JSON object; no secrets

	Done    int64 // of Total, in the kind's own unit: rows, bytes
	Total   int64 // Unknown: not known
	Message string

	Result json.RawMessage // what the kind tells of its outcome; nil: nothing
	File   *File           // what it leaves for download; nil: nothing, or no longer
	Error  string          // why it failed, for people

	Resumable bool // it can be resumed after it has failed or was canceled
	Created   time.Time
	Started   time.Time // last; zero: it has not
	Ended     time.Time // zero: it has not
	// Rate is how much is done in a second, since it was last started; 0: not known. Left is how long it
	// takes to the end at that rate; negative: not known.
	Rate float64
	Left time.Duration
}

// File is what a job leaves for download.
type File struct {
	Name    string    `json:"name"` // to save it under
	Type    string    `json:"type"` // media type
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"` // hexadecimal
	Expires time.Time `json:"expires"`
}

// Stored is a job as a Store keeps it: Resumable, Rate and Left are not kept.
type Stored struct {
	Job
	Checkpoint json.RawMessage // nil: none
}

// Query asks for jobs.
type Query struct {
	Account string
	Process bool   // those of the whole process, too
	Kind    string // "": any
	State   State  // "": any
	Before  string // id: only those made before that job; "": no bound
	Limit   int    // at least 1
}

// Store keeps jobs for good. Every error that is not named here has sluice.KindUnavailable or is a fault.
type Store interface {
	// CreateJob keeps a new job. sluice.KindConflict: there is one of its id.
	CreateJob(ctx context.Context, j Stored) error
	// UpdateJob replaces all of a job but its ID, Account, Gateway, Kind, Actor, Input and Created.
	// sluice.KindNotFound: there is none.
	UpdateJob(ctx context.Context, j Stored) error
	// GetJob returns one job. sluice.KindNotFound: there is none.
	GetJob(ctx context.Context, id string) (Stored, error)
	// ListJobs returns the newest jobs that q asks for, newest first.
	ListJobs(ctx context.Context, q Query) ([]Stored, error)
	// UnendedJobs returns the jobs whose state has not ended, oldest first.
	UnendedJobs(ctx context.Context) ([]Stored, error)
	// DeleteJob removes a job. sluice.KindNotFound: there is none.
	DeleteJob(ctx context.Context, id string) error
	// DeleteEndedJobs removes the jobs that ended before t.
	DeleteEndedJobs(ctx context.Context, t time.Time) error
}

// Kind is one kind of long work.
type Kind struct {
	Name string // lower case with dashes: "export-logs"
	// Run does the work. When ctx ends, it returns soon; context.Cause says why, and what it then returns is
	// taken as the consequence. A *sluice.Error is shown to people, any other error is an internal one. When
	// Run has returned nil the job is done, whatever ctx says.
	Run func(ctx context.Context, r *Run) error
	// Resumable kinds go on from Run.State when they are run again.
	Resumable bool
	// AtOnce is how many of the kind may run at a time; 0: one.
	AtOnce int
	// Unbounded kinds may leave a file of any size that the disk has room for: Options.MaxBytes neither holds for
	// them nor counts them.
	Unbounded bool
}

// Spec says what job to start.
type Spec struct {
	Account string // id; "": of the whole process
	Gateway string
	Kind    string
	Actor   string
	Input   any // becomes a JSON object; no secrets
}
