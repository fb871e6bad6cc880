package ollama_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/ollama"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	if endpoint == "embed" {
		return ollama.Embed
	}
	return ollama.Chat
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) { wiretest.Expected(t, open, examples, "ollama") }

func FuzzMeters(f *testing.F) { wiretest.Fuzz(f, wiretest.Seeds(f, examples, "ollama"), ollama.Chat) }

func TestStreamsCostNoMemory(t *testing.T) {
	wiretest.NoMemory(t, ollama.Chat, []byte(`{"model":"llama3.2","created_at":"2026-11-22T08:00:00.1Z","message":{"role":"assistant","content":"x"},"done":false}`+"\n"))
}

// BenchmarkEvent is the cost of one event of a stream.
func BenchmarkEvent(b *testing.B) {
	wiretest.Events(b, ollama.Chat, func(i int) []byte {
		return fmt.Appendf(nil, `{"model":"llama3.2","created_at":"2026-11-22T08:00:00.1Z","message":{"role":"assistant","content":" %x"},"done":false}`+"\n", i*i*i)
	})
}
