package replicate_test

import (
	"flag"
	"fmt"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/replicate"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) func(bool) wire.Meter {
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

// FuzzMeters feeds anything to the meters, whole and in pieces.
func FuzzMeters(f *testing.F) {
	for i, in := range wiretest.Seeds(f, examples, "replicate") {
		f.Add(in, i)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		piece, stream := 1+int(uint(n)%64), n%2 == 0
		for _, open := range []func(bool) wire.Meter{replicate.Create, replicate.Poll, replicate.Stream} {
			whole := wiretest.Read(open(stream), in, len(in)+1)
			if got := wiretest.Read(open(stream), in, piece); got != whole {
				t.Errorf("in pieces of %d: %+v, whole: %+v", piece, got, whole)
			}
			if whole.Seen&wire.SeenUsage != 0 && whole.Usage.Basis != sluice.BasisProvider || len(whole.Error) > 1024 {
				t.Errorf("%+v", whole)
			}
		}
	})
}

func TestStreamsCostNoMemory(t *testing.T) {
	m := replicate.Stream(true)
	event := []byte("event: output\nid: 1795340040:0\ndata: x there,\ndata: and there\n\n")
	m.Write(event)
	if n := testing.AllocsPerRun(100, func() {
		m.Write(event)
		m.Write(event[:30])
		m.Write(event[30:])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkEvent is the cost of one event of a stream.
func BenchmarkEvent(b *testing.B) {
	var events [1000][]byte
	for i := range events {
		events[i] = fmt.Appendf(nil, "event: output\nid: 1795340040:0\ndata: %x\n\n", i*i*i)
	}
	b.ReportAllocs()
	i, m := len(events), wire.Meter(nil)
	for b.Loop() {
		if i == len(events) {
			i, m = 0, replicate.Stream(true)
		}
		m.Write(events[i])
		i++
	}
}
