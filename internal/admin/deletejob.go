package admin

import (
	"context"
	"net/http"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// KindDeleteLogs is the kind of jobs that delete log entries.
const KindDeleteLogs = "delete-logs"

// deleteJobRoutes are those of deletion as a job.
func deleteJobRoutes() []route {
	return []route{
		change(http.MethodPost, scope+"/gateways/{gateway}/logs/delete", "delete-logs-job", "Start a job that deletes log entries, and counts them first (ours)", handle((*server).startDelete)),
	}
}

// LogDeletion says which entries to delete.
type LogDeletion struct {
	LogSelection
	DryRun bool `json:"dry_run,omitempty" doc:"count, and delete nothing"`
}

// deletionInput is a LogDeletion as its job keeps it.
type deletionInput struct {
	selection
	DryRun bool `json:"dry_run"`
}

// DeletionResult is what a deletion has found and done.
type DeletionResult struct {
	DryRun  bool    `json:"dry_run"`
	Found   int64   `json:"found" doc:"entries, by request"`
	Oldest  *string `json:"oldest" doc:"when the first of them began; null: there is none"`
	Newest  *string `json:"newest"`
	Deleted int64   `json:"deleted"`
}

type startDeleteInput struct {
	GatewayPath
	Body LogDeletion
}

func (s *server) startDelete(ctx context.Context, in *startDeleteInput) (*output[Envelope[JobView]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	sel, err := in.Body.fix(time.Now())
	if err != nil {
		return nil, err
	}
	return s.startJob(ctx, job.Spec{Account: a.ID, Gateway: g.ID, Kind: KindDeleteLogs, Input: deletionInput{sel, in.Body.DryRun}})
}

// deletionState is where a deletion goes on.
type deletionState struct {
	Counted bool           `json:"counted"`
	Cursor  string         `json:"cursor"`
	Result  DeletionResult `json:"result"`
}

// deletion runs one deletion.
type deletion struct {
	log   Log
	run   *job.Run
	in    deletionInput
	state deletionState
}

// deleteKind is the kind of jobs that delete entries of log.
func deleteKind(log Log) job.Kind {
	return job.Kind{Name: KindDeleteLogs, Resumable: true, Run: func(ctx context.Context, r *job.Run) error {
		d := &deletion{log: log, run: r}
		if err := r.Input(&d.in); err != nil {
			return err
		}
		if _, err := r.State(&d.state); err != nil {
			return err
		}
		d.state.Result.DryRun = d.in.DryRun
		if err := d.count(ctx); err != nil {
			return err
		}
		if !d.in.DryRun {
			if err := d.remove(ctx); err != nil {
				return err
			}
		}
		return r.Result(d.state.Result)
	}}
}

// query is what the deletion is about.
func (d *deletion) query() (*logsQuery, error) {
	q, err := d.in.query(time.Now())
	if err != nil {
		return nil, err
	}
	j := d.run.Job()
	q.Account, q.Gateway = j.Account, j.Gateway
	return q, nil
}

// count counts what is to be deleted, once.
func (d *deletion) count(ctx context.Context) error {
	if d.state.Counted {
		return nil
	}
	d.run.Say("counting")
	q, err := d.query()
	if err != nil {
		return err
	}
	d.state.Result = DeletionResult{DryRun: d.in.DryRun}
	n := &d.state.Result
	err = eachPage(ctx, d.log, q, func(rows []reqlog.Row, _ int64, _ string) error {
		for i := range rows {
			at := stamp(rows[i].Entry.Start)
			if n.Found++; n.Oldest == nil {
				n.Oldest = &at
			}
			n.Newest = &at
		}
		d.run.Progress(0, n.Found)
		return nil
	})
	if err != nil {
		return err
	}
	d.state.Counted = true
	return d.run.Checkpoint(ctx, d.state)
}

// remove deletes page by page. A page that was deleted before a kill is not found again.
func (d *deletion) remove(ctx context.Context) error {
	d.run.Say("deleting")
	q, err := d.query()
	if err != nil {
		return err
	}
	q.Cursor = d.state.Cursor
	n := &d.state.Result
	return eachPage(ctx, d.log, q, func(rows []reqlog.Row, _ int64, next string) error {
		ids := make([]sluice.ID, len(rows))
		for i := range rows {
			ids[i] = rows[i].Entry.ID
		}
		if err := d.log.Delete(ctx, q.Account, ids); err != nil {
			return err
		}
		n.Deleted += int64(len(ids))
		d.state.Cursor = next
		d.run.Progress(n.Deleted, max(n.Found, n.Deleted))
		return d.run.Checkpoint(ctx, d.state)
	})
}
