package anthropic_test

import (
	"flag"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) func(bool) wire.Meter {
	if strings.HasSuffix(endpoint, "count_tokens") {
		return anthropic.CountTokens
	}
	return anthropic.Messages
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) {
	wiretest.Expected(t, open, examples, "anthropic")
}

// FuzzMessages feeds anything to the meter, whole and in pieces.
func FuzzMessages(f *testing.F) {
	for i, in := range wiretest.Seeds(f, examples, "anthropic") {
		f.Add(in, i)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		piece, stream := 1+int(uint(n)%64), n%2 == 0
		whole := wiretest.Read(anthropic.Messages(stream), in, len(in)+1)
		if got := wiretest.Read(anthropic.Messages(stream), in, piece); got != whole {
			t.Errorf("in pieces of %d: %+v, whole: %+v", piece, got, whole)
		}
		if whole.Seen&wire.SeenUsage != 0 && whole.Usage.Basis != sluice.BasisProvider || len(whole.Error) > 1024 {
			t.Errorf("%+v", whole)
		}
	})
}
