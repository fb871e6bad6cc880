package app

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/upkeep"
)

// openJobs makes what runs long work, and goes on with what the last process left. All that jobs use is there.
func (a *App) openJobs(ctx context.Context, c *config.Config) (err error) {
	a.jobs, err = job.Open(ctx, job.Options{
		Store: a.db, Dir: filepath.Join(c.DataDir, "jobs"), Logger: a.logger, Kinds: a.jobKinds(c),
		Keep: c.Jobs.Keep, MaxBytes: int64(c.Jobs.MaxBytes),
		Free: func() int64 { return a.log.Stats().DiskFree }, MinFree: int64(c.Log.MinFree),
	})
	if err != nil {
		return fmt.Errorf("open the jobs: %w", err)
	}
	return nil
}

// jobKinds are the kinds of long work that there are.
func (a *App) jobKinds(c *config.Config) []job.Kind {
	data := &upkeep.Directory{
		Log: a.log, Index: a.index, Database: a.db, Counts: []upkeep.Counts{a.limits, a.spend}, MasterKey: cmp.Or(c.Vault.KeyFile, filepath.Join(c.DataDir, "master.key")),
		Version: a.options.Version,
	}
	return append(admin.JobKinds(a.log, func(account string) *price.Catalogue { return a.book.Load().Of(account) }), data.Backup(), data.Check(), data.Compact())
}
