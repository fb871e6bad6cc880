package replicate_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/replicate"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	switch endpoint {
	case "create", "POST /v1/predictions":
		return replicate.Create
	case "stream", "GET {urls.stream}":
		return replicate.Stream
	}
	return replicate.Poll
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) { wiretest.Expected(t, open, examples, "replicate") }

func FuzzMeters(f *testing.F) {
	wiretest.Fuzz(f, wiretest.Seeds(f, examples, "replicate"), replicate.Create, replicate.Poll, replicate.Stream)
}

func TestStreamsCostNoMemory(t *testing.T) {
	wiretest.NoMemory(t, replicate.Stream, []byte("event: output\nid: 1795340040:0\ndata: x there,\ndata: and there\n\n"))
}

// BenchmarkEvent is the cost of one event of a stream.
func BenchmarkEvent(b *testing.B) {
	wiretest.Events(b, replicate.Stream, func(i int) []byte {
		return fmt.Appendf(nil, "event: output\nid: 1795340040:0\ndata: %x\n\n", i*i*i)
	})
}
