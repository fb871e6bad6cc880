package admin

import (
	"context"
	"net/http"

	"github.com/sluicehq/sluice/internal/job"
)

// dbRoutes are those of the state of the data directory: jobs of the whole process.
func dbRoutes() []route {
	return []route{
		process(change(http.MethodPost, scope+"/db/check", "start-db-check", "Start a job that looks whether databases, index and segments are sound (ours)", handle((*server).startCheck))),
		process(change(http.MethodPost, scope+"/db/compact", "start-db-compact", "Start a job that gives back the room that lies unused in databases (ours)", handle((*server).startCompact))),
	}
}

// The kinds of these jobs; who makes the job.Runner brings them.
const (
	KindCheck   = "db-check"
	KindCompact = "db-compact"
)

type startUpkeepInput struct{ AccountPath }

func (s *server) startCheck(ctx context.Context, in *startUpkeepInput) (*output[Envelope[JobView]], error) {
	return s.startUpkeep(ctx, in, KindCheck)
}

func (s *server) startCompact(ctx context.Context, in *startUpkeepInput) (*output[Envelope[JobView]], error) {
	return s.startUpkeep(ctx, in, KindCompact)
}

func (s *server) startUpkeep(ctx context.Context, in *startUpkeepInput, kind string) (*output[Envelope[JobView]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	return s.startJob(ctx, job.Spec{Kind: kind, Input: struct{}{}})
}
