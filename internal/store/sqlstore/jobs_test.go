package sqlstore_test

import (
	"testing"

	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestJobs(t *testing.T) {
	storetest.Jobs(t, func(t *testing.T, dir string) job.Store { return opened(t, dir) })
}
