package workersai_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
	"github.com/sluicehq/sluice/internal/wire/workersai"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	if strings.HasSuffix(endpoint, "/chat/completions") {
		return openai.Chat
	}
	return workersai.Run
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

// TestExamples differs from other dialects' tests: native answers have no finish reason, so that the one
// that the examples expect has to be made up by who translates them.
func TestExamples(t *testing.T) {
	for _, e := range wiretest.Examples(t, examples, "workers-ai") {
		t.Run(e.File, func(t *testing.T) {
			r := wiretest.Cuts(t, func() wire.Meter { return open(e.Endpoint)(true) }, e.Body)
			if other := wiretest.Read(open(e.Endpoint)(false), e.Body, 100); !other.Equal(&r) {
				t.Errorf("it depends on what was asked for: %+v, %+v", r, other)
			}
			if e.Expect.Usage != nil {
				wiretest.Usage(t, r.Usage, *e.Expect.Usage)
			} else if r.Usage != (sluice.Usage{}) {
				t.Errorf("usage %+v where there is none", r.Usage)
			}
			failed := e.Kind == "error"
			if failed != (r.Seen&wire.SeenError != 0) || failed != (r.Error != "") {
				t.Errorf("error %q, want one: %t", r.Error, failed)
			}
			const all = wire.SeenContent | wire.SeenEnd
			if !failed && r.Seen&all != all {
				t.Errorf("seen %b", r.Seen)
			}
		})
	}
}

func FuzzRun(f *testing.F) {
	wiretest.Fuzz(f, wiretest.Seeds(f, examples, "workers-ai"), workersai.Run)
}

// BenchmarkEvent is the cost of one event of a stream.
func BenchmarkEvent(b *testing.B) {
	wiretest.Events(b, workersai.Run, func(i int) []byte {
		return fmt.Appendf(nil, `data: {"response":" %x","p":"abcdefghijklmnop"}`+"\n\n", i*i*i)
	})
}
