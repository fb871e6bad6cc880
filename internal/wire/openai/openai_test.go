package openai_test

import (
	"flag"
	"maps"
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
func meters() map[string]wiretest.Open {
	return map[string]wiretest.Open{
		"chat": openai.Chat, "completions": openai.Completions, "responses": openai.Responses, "embeddings": openai.Embeddings,
		"images": openai.Images, "audio": openai.Audio, "moderations": openai.Moderations, "ocr": openai.Documents,
		"apart": openai.ReasoningApart.Chat, "total": openai.TotalHoldsAll.Chat,
	}
}

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
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

func TestLargeAnswersAreNotKept(t *testing.T) {
	for _, c := range []struct {
		open             wiretest.Open
		head, piece, end string
	}{
		{openai.Images, `{"data":[{"b64_json":"`, strings.Repeat("QUJD", 16<<10), `"}],"usage":{"input_tokens":5,"output_tokens":7}}`},
		{openai.Embeddings, `{"data":[{"embedding":[`, strings.Repeat("-0.0123,", 8<<10), `0]}],"usage":{"prompt_tokens":5,"completion_tokens":7}}`},
		{
			openai.Responses, "data: " + `{"type":"response.completed","response":{"output":[{"result":"`, strings.Repeat("QUJD", 16<<10),
			`"}],"usage":{"input_tokens":5,"output_tokens":7}}}` + "\n\n",
		},
	} {
		m, piece := c.open(false), []byte(c.piece)
		m.Write([]byte(c.head))
		m.Write(piece)
		if n := testing.AllocsPerRun(500, func() { m.Write(piece) }); n != 0 {
			t.Errorf("%.30s: %v allocations for each piece", c.head, n)
		}
		m.Write([]byte(c.end))
		r := m.Close()
		in, _ := r.Usage.Get(sluice.Input)
		out, _ := r.Usage.Get(sluice.Output)
		if in != 5 || out != 7 || r.Seen != wire.SeenEvent|wire.SeenContent|wire.SeenUsage|wire.SeenEnd {
			t.Errorf("%.30s: %+v", c.head, r)
		}
	}
}

func TestErrorText(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":{"message":"No such file"}}`: "No such file", `{"detail":"Not Found"}`: "Not Found",
		`{"type":"error","error":{"type":"api_error","message":"Internal"}}`: "Internal", `{"id":"file-1"}`: "", `<html>`: "", ``: "",
	} {
		if got := openai.ErrorText([]byte(body)); got != want {
			t.Errorf("%s says %q, want %q", body, got, want)
		}
	}
}

func FuzzMeters(f *testing.F) {
	opens := meters()
	seeds := wiretest.Seeds(f, examples, "openai", "azure-openai", "groq", "openrouter")
	var all []wiretest.Open
	for _, name := range slices.Sorted(maps.Keys(opens)) {
		all = append(all, opens[name])
	}
	wiretest.Fuzz(f, seeds, all...)
}

func TestStreamsCostNoMemory(t *testing.T) {
	event := []byte(`data: {"model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}` + "\n\n")
	other := []byte(`data: {"model":"m","choices":[{"index":0,"delta":{"reasoning":"x"},"finish_reason":null}],"x":[1]}` + "\n\n")
	wiretest.NoMemory(t, openai.Chat, event, other, slices.Concat(event, other))
}
