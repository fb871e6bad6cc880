package anthropic_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	if strings.HasSuffix(endpoint, "count_tokens") {
		return anthropic.CountTokens
	}
	return anthropic.Messages
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) {
	wiretest.Expected(t, open, examples, "anthropic")
}

func FuzzMessages(f *testing.F) {
	wiretest.Fuzz(f, wiretest.Seeds(f, examples, "anthropic"), anthropic.Messages)
}
