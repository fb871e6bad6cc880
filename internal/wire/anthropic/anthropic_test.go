package anthropic_test

import (
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

func open(endpoint string) func(bool) wire.Meter {
	if strings.HasSuffix(endpoint, "/count_tokens") {
		return anthropic.CountTokens
	}
	return anthropic.Messages
}

func TestExamples(t *testing.T) {
	for _, e := range wiretest.Examples(t, examples, "anthropic") {
		t.Run(e.File, func(t *testing.T) {
			for _, stream := range []bool{true, false} {
				r := wiretest.Cuts(t, func() wire.Meter { return open(e.Endpoint)(stream) }, e.Body)
				if e.Expect.Usage != nil {
					wiretest.Usage(t, r.Usage, *e.Expect.Usage)
				} else if r.Usage != (sluice.Usage{}) {
					t.Errorf("usage %+v where there is none", r.Usage)
				}
				failed := e.Kind == "error" || e.Expect.Error != nil
				if failed != (r.Seen&wire.SeenError != 0) || failed != (r.Error != "") {
					t.Errorf("error %q, want one: %t", r.Error, failed)
				}
				t.Logf("%q %q %q %b", r.Model, r.Finish, r.Error, r.Seen)
			}
		})
	}
}
