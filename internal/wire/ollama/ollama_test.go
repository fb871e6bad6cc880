package ollama_test

import (
	"flag"
	"fmt"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/ollama"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) func(bool) wire.Meter {
	if endpoint == "embed" {
		return ollama.Embed
	}
	return ollama.Chat
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) { wiretest.Expected(t, open, examples, "ollama") }

// FuzzMeters feeds anything to the meters, whole and in pieces.
func FuzzMeters(f *testing.F) {
	for i, in := range wiretest.Seeds(f, examples, "ollama") {
		f.Add(in, i)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		piece, stream := 1+int(uint(n)%64), n%2 == 0
		for _, open := range []func(bool) wire.Meter{ollama.Chat, ollama.Embed} {
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
	m := ollama.Chat(true)
	event := []byte(`{"model":"llama3.2","created_at":"2026-11-22T08:00:00.1Z","message":{"role":"assistant","content":"x"},"done":false}` + "\n")
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
		events[i] = fmt.Appendf(nil, `{"model":"llama3.2","created_at":"2026-11-22T08:00:00.1Z","message":{"role":"assistant","content":" %x"},"done":false}`+"\n", i*i*i)
	}
	b.ReportAllocs()
	i, m := len(events), wire.Meter(nil)
	for b.Loop() {
		if i == len(events) {
			i, m = 0, ollama.Chat(true)
		}
		m.Write(events[i])
		i++
	}
}
