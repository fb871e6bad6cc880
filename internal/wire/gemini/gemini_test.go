package gemini_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/gemini"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// meters are the constructors, by the names of the recordings and by the verbs of the examples.
func meters() map[string]wiretest.Open {
	return map[string]wiretest.Open{
		"generateContent": gemini.Generate, "streamGenerateContent": gemini.Generate, "embedContent": gemini.Embed,
		"batchEmbedContents": gemini.Embed, "countTokens": gemini.CountTokens, "predict": gemini.Predict,
	}
}

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	path, _, _ := strings.Cut(endpoint, "?")
	open := meters()[path[strings.LastIndexByte(path, ':')+1:]]
	if open == nil {
		panic(endpoint)
	}
	return open
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) {
	wiretest.Expected(t, open, examples, "google-ai-studio", "google-vertex-ai")
}

func FuzzMeters(f *testing.F) {
	wiretest.Fuzz(f, wiretest.Seeds(f, examples, "google-ai-studio", "google-vertex-ai"), gemini.Generate, gemini.Predict)
}

func TestLargeAnswersAreNotKept(t *testing.T) {
	for _, c := range []struct {
		open             wiretest.Open
		head, piece, end string
	}{
		{
			gemini.Predict, `{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"`, strings.Repeat("QUJD", 16<<10),
			`"}],"metadata":{"billableCharacterCount":7}}`,
		},
		{
			gemini.Generate, `[{"candidates":[{"content":{"parts":[{"inlineData":{"data":"`, strings.Repeat("QUJD", 16<<10),
			`"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":1290}}]`,
		},
	} {
		m, piece := c.open(false), []byte(c.piece)
		m.Write([]byte(c.head))
		m.Write(piece)
		if n := testing.AllocsPerRun(100, func() { m.Write(piece) }); n != 0 {
			t.Errorf("%.30s: %v allocations for each piece", c.head, n)
		}
		m.Write([]byte(c.end))
		if r := m.Close(); r.Usage.Basis != sluice.BasisProvider || r.Seen != wire.SeenEvent|wire.SeenContent|wire.SeenUsage|wire.SeenEnd {
			t.Errorf("%.30s: %+v", c.head, r)
		}
	}
}

// BenchmarkEvent is the cost of one event of a stream, whose counts grow with each.
func BenchmarkEvent(b *testing.B) {
	wiretest.Events(b, gemini.Generate, func(i int) []byte {
		return fmt.Appendf(nil, `data: {"candidates":[{"content":{"parts":[{"text":" %x"}],"role":"model"},"index":0}],"usageMetadata":`+
			`{"promptTokenCount":24,"candidatesTokenCount":%d,"thoughtsTokenCount":18,"totalTokenCount":%d,"promptTokensDetails":`+
			`[{"modality":"TEXT","tokenCount":24}]},"modelVersion":"gemini-3.5-flash","responseId":"wireResp2"}`+"\r\n\r\n", i*i*i, i, i+42)
	})
}

func TestStreamsCostNoMemory(t *testing.T) {
	event := []byte(`data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":24,"candidatesTokenCount":7,` +
		`"promptTokensDetails":[{"modality":"TEXT","tokenCount":24}],"trafficType":"ON_DEMAND"},"modelVersion":"g"}` + "\r\n\r\n")
	other := []byte(strings.Replace(string(event), "7", "8", 1))
	wiretest.NoMemory(t, gemini.Generate, event, other)
}
