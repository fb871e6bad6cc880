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
func meters() map[string]func(bool) wire.Meter {
	return map[string]func(bool) wire.Meter{
		"generateContent": gemini.Generate, "streamGenerateContent": gemini.Generate, "embedContent": gemini.Embed,
		"batchEmbedContents": gemini.Embed, "countTokens": gemini.CountTokens, "predict": gemini.Predict,
	}
}

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) func(bool) wire.Meter {
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

// FuzzMeters feeds anything to the meters, whole and in pieces.
func FuzzMeters(f *testing.F) {
	for i, in := range wiretest.Seeds(f, examples, "google-ai-studio", "google-vertex-ai") {
		f.Add(in, i)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		piece, stream := 1+int(uint(n)%64), n%2 == 0
		for _, open := range []func(bool) wire.Meter{gemini.Generate, gemini.Predict} {
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

func TestLargeAnswersAreNotKept(t *testing.T) {
	for _, c := range []struct {
		open             func(bool) wire.Meter
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
	var events [1000][]byte
	for i := range events {
		events[i] = fmt.Appendf(nil, `data: {"candidates":[{"content":{"parts":[{"text":" %x"}],"role":"model"},"index":0}],"usageMetadata":`+
			`{"promptTokenCount":24,"candidatesTokenCount":%d,"thoughtsTokenCount":18,"totalTokenCount":%d,"promptTokensDetails":`+
			`[{"modality":"TEXT","tokenCount":24}]},"modelVersion":"gemini-3.5-flash","responseId":"wireResp2"}`+"\r\n\r\n", i*i*i, i, i+42)
	}
	b.ReportAllocs()
	i, m := len(events), wire.Meter(nil)
	for b.Loop() {
		if i == len(events) {
			i, m = 0, gemini.Generate(true)
		}
		m.Write(events[i])
		i++
	}
}

func TestStreamsCostNoMemory(t *testing.T) {
	m := gemini.Generate(true)
	event := []byte(`data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":24,"candidatesTokenCount":7,` +
		`"promptTokensDetails":[{"modality":"TEXT","tokenCount":24}],"trafficType":"ON_DEMAND"},"modelVersion":"g"}` + "\r\n\r\n")
	other := []byte(strings.Replace(string(event), "7", "8", 1))
	m.Write(event)
	if n := testing.AllocsPerRun(100, func() {
		m.Write(event)
		m.Write(other)
		m.Write(event[:50])
		m.Write(event[50:])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
