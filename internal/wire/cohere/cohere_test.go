package cohere_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/cohere"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	if strings.HasSuffix(endpoint, "chat") {
		return cohere.Chat
	}
	return cohere.Embed
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) { wiretest.Expected(t, open, examples, "cohere") }

func FuzzMeters(f *testing.F) { wiretest.Fuzz(f, wiretest.Seeds(f, examples, "cohere"), cohere.Chat) }

func TestStreamsCostNoMemory(t *testing.T) {
	wiretest.NoMemory(t, cohere.Chat, []byte("event: content-delta\ndata: "+`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"x"}}}}`+"\n\n"))
}

// BenchmarkEvent is the cost of one event of a stream.
func BenchmarkEvent(b *testing.B) {
	wiretest.Events(b, cohere.Chat, func(i int) []byte {
		return fmt.Appendf(nil, "event: content-delta\ndata: "+`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" %x"}}}}`+"\n\n", i*i*i)
	})
}
