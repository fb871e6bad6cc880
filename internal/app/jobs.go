package app

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/job"
)

// openJobs makes what runs long work, and goes on with what the last process left. All that jobs use is there.
func (a *App) openJobs(ctx context.Context, c *config.Config) (err error) {
	a.jobs, err = job.Open(ctx, job.Options{
		Store: a.db, Dir: filepath.Join(c.DataDir, "jobs"), Logger: a.logger, Kinds: a.jobKinds(),
		Keep: c.Jobs.Keep, MaxBytes: int64(c.Jobs.MaxBytes),
		Free: func() int64 { return a.log.Stats().DiskFree }, MinFree: int64(c.Log.MinFree),
	})
	if err != nil {
		return fmt.Errorf("open the jobs: %w", err)
	}
	return nil
}

// jobKinds are the kinds of long work that there are.
func (a *App) jobKinds() []job.Kind {
	return admin.JobKinds(a.log)
}
