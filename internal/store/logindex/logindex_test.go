package logindex

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

func TestMain(m *testing.M) {
	// A check here opens and closes databases many times; more are asked for with -rapid.checks.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// openTest opens an index in dir.
func openTest(t testing.TB, dir string) *Index {
	t.Helper()
	x, err := Open(t.Context(), dir, Options{Metadata: []string{"team"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return x
}

func TestStore(t *testing.T) {
	t.Parallel() // it only computes, for long
	storetest.Log(t, func(t *testing.T) reqlog.Store { return openTest(t, t.TempDir()) })
}
