package huggingface_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/huggingface"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	if strings.HasSuffix(endpoint, "chat/completions") {
		return openai.Chat
	}
	return huggingface.Generate
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) { wiretest.Expected(t, open, examples, "huggingface") }

func FuzzMeters(f *testing.F) {
	wiretest.Fuzz(f, wiretest.Seeds(f, examples, "huggingface"), huggingface.Generate)
}

func TestStreamsCostNoMemory(t *testing.T) {
	wiretest.NoMemory(t, huggingface.Generate, []byte(`data:{"index":1,"token":{"id":101,"text":"x","logprob":-0.25,"special":false},"generated_text":null,"details":null}`+"\n\n"))
}

// BenchmarkEvent is the cost of one event of a stream.
func BenchmarkEvent(b *testing.B) {
	wiretest.Events(b, huggingface.Generate, func(i int) []byte {
		return fmt.Appendf(nil, `data:{"index":1,"token":{"id":101,"text":" %x","logprob":-0.25,"special":false},"generated_text":null,"details":null}`+"\n\n", i*i*i)
	})
}
