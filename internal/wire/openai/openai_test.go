package openai_test

import (
	"flag"
	"slices"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// meters are the constructors, by the names of the recordings and by the paths of the examples.
func meters() map[string]func(bool) wire.Meter {
	return map[string]func(bool) wire.Meter{
		"chat": openai.Chat, "completions": openai.Completions, "responses": openai.Responses, "embeddings": openai.Embeddings,
		"images": openai.Images, "audio": openai.Audio, "moderations": openai.Moderations,
	}
}

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) func(bool) wire.Meter {
	path, _, _ := strings.Cut(endpoint, "?")
	for _, part := range strings.Split(path, "/") {
		if open := meters()[part]; open != nil {
			return open
		}
	}
	panic(endpoint)
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) {
	wiretest.Expected(t, open, examples, "openai", "azure-openai", "groq", "deepseek", "openrouter", "cerebras", "mistral")
}

// FuzzMeters feeds anything to every meter, whole and in pieces.
func FuzzMeters(f *testing.F) {
	for i, in := range wiretest.Seeds(f, examples, "openai", "azure-openai", "groq", "openrouter") {
		f.Add(in, i)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		piece, stream := 1+int(uint(n)%64), n%2 == 0
		for name, open := range meters() {
			whole := wiretest.Read(open(stream), in, len(in)+1)
			if got := wiretest.Read(open(stream), in, piece); got != whole {
				t.Errorf("%s, in pieces of %d: %+v, whole: %+v", name, piece, got, whole)
			}
			if whole.Seen&wire.SeenUsage != 0 && whole.Usage.Basis != sluice.BasisProvider || len(whole.Error) > 1024 {
				t.Errorf("%s: %+v", name, whole)
			}
		}
	})
}

func TestStreamsCostNoMemory(t *testing.T) {
	m := openai.Chat(true)
	event := []byte(`data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}` + "\n\n")
	other := []byte(`data: {"model":"m","choices":[{"index":0,"delta":{"reasoning":"x"},"finish_reason":null}],"x":[1]}` + "\n\n")
	whole := slices.Concat(event, other)
	m.Write(whole)
	if n := testing.AllocsPerRun(100, func() {
		m.Write(event)
		m.Write(other)
		m.Write(whole[:50])
		m.Write(whole[50:])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
