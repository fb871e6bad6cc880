package bedrock_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/bedrock"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples"

var update = flag.Bool("update", false, "rewrite what the recordings want")

// open finds the constructor for a recording's name or an example's path.
func open(endpoint string) wiretest.Open {
	switch endpoint[strings.LastIndexByte(endpoint, '/')+1:] {
	case "converse", "converse-stream":
		return bedrock.Converse
	case "invoke", "invoke-with-response-stream":
		return bedrock.Invoke
	case "count-tokens":
		return bedrock.CountTokens
	}
	panic(endpoint)
}

func TestRecordings(t *testing.T) { wiretest.Recordings(t, *update, open) }

func TestExamples(t *testing.T) { wiretest.Expected(t, open, examples, "aws-bedrock") }

// TestFrames reads testdata/frames, whose files are as those of the recordings, but that "upstream" has a
// line for each frame: "event TYPE JSON", "chunk JSON" (of which the frame holds the base64 form),
// "exception TYPE JSON" or "error CODE TEXT".
func TestFrames(t *testing.T) {
	for _, file := range recorded(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			body, want := encode(t, wiretest.Section(t, a, "upstream").Data), wiretest.Section(t, a, "want")
			endpoint, _, _ := strings.Cut(filepath.Base(file), ".")
			got := wiretest.Format(wiretest.Cuts(t, func() wire.Meter { return open(endpoint)(true) }, body))
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want.Data) {
				t.Errorf("got\n%s\nwant\n%s", got, want.Data)
			}
		})
	}
}

func recorded(t testing.TB) []string {
	files, err := filepath.Glob("testdata/frames/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	return files
}

// encode makes the frames that lines describe.
func encode(t testing.TB, lines []byte) []byte {
	t.Helper()
	var b []byte
	for line := range strings.Lines(string(lines)) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind == "chunk" {
			text, err := json.Marshal(map[string]string{"bytes": base64.StdEncoding.EncodeToString([]byte(rest)), "p": "abcd"})
			if err != nil {
				t.Fatal(err)
			}
			rest = "chunk " + string(text)
		}
		name, payload, _ := strings.Cut(rest, " ")
		switch kind {
		case "event", "chunk":
			b = append(b, frame(payload, ":event-type", name, ":content-type", "application/json", ":message-type", "event")...)
		case "exception":
			b = append(b, frame(payload, ":exception-type", name, ":content-type", "application/json", ":message-type", "exception")...)
		case "error":
			b = append(b, frame("", ":error-code", name, ":error-message", payload, ":message-type", "error")...)
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	return b
}

func frame(payload string, headers ...string) []byte {
	return wiretest.Frame(wiretest.FrameHeaders(headers...), []byte(payload))
}

func TestHeadsCountWhatBodiesDoNot(t *testing.T) {
	for _, c := range []struct {
		head sluice.Header
		body string
		want string
	}{
		{
			sluice.Header{{Name: "X-Amzn-Bedrock-Input-Token-Count", Value: "31"}, {Name: "X-Amzn-Bedrock-Output-Token-Count", Value: "12"}},
			`{"outputs":[{"text":"So.","stop_reason":"stop"}]}`,
			"usage: provider input=31 output=12\nfinish: \"stop\"\nseen: event content usage end\n",
		},
		{
			sluice.Header{
				{Name: "x-amzn-bedrock-input-token-count", Value: "31"},
				{Name: "x-amzn-bedrock-output-token-count", Value: "12"},
				{Name: "x-amzn-bedrock-cache-read-input-token-count", Value: "100"},
				{Name: "x-amzn-bedrock-cache-write-input-token-count", Value: "7"},
			},
			`{"text":"So."}`,
			"usage: provider input=138 output=12 cache_read=100 cache_write_5m=7\nseen: event content usage end\n",
		},
		{ // the body knows better
			sluice.Header{{Name: "x-amzn-bedrock-input-token-count", Value: "31"}, {Name: "x-amzn-bedrock-output-token-count", Value: "12"}},
			`{"type":"message","content":[{"type":"text","text":"x"}],"usage":{"input_tokens":20,"cache_read_input_tokens":11,"output_tokens":12}}`,
			"usage: provider input=31 output=12 cache_read=11\nseen: event content usage end\n",
		},
		{
			sluice.Header{{Name: "x-amzn-bedrock-input-token-count", Value: "many"}, {Name: "x-amzn-bedrock-output-token-count", Value: ""}},
			`{"embeddings":[[0.1]]}`,
			"usage: none\nseen: event content end\n",
		},
	} {
		got := wiretest.Format(wiretest.Cuts(t, func() wire.Meter {
			m := bedrock.Invoke(false)
			m.(wire.HeadReader).Head(c.head)
			return m
		}, []byte(c.body)))
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.body, got, c.want)
		}
	}
}

func TestLongPayloadsAreContent(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 2<<20))
	body := frame(`{"bytes":"`+long+`"}`, ":event-type", "chunk", ":message-type", "event")
	if r := wiretest.Read(bedrock.Invoke(true), body, 10_000); r.Seen != wire.SeenEvent|wire.SeenContent {
		t.Errorf("%+v", r)
	}
	body = frame(`{"delta":{"image":{"source":{"bytes":"`+long+`"}}}}`, ":event-type", "contentBlockDelta", ":message-type", "event")
	if r := wiretest.Read(bedrock.Converse(true), body, 10_000); r.Seen != wire.SeenEvent|wire.SeenContent {
		t.Errorf("%+v", r)
	}
}

// FuzzMeter feeds anything to the meter, whole and in pieces.
func FuzzMeter(f *testing.F) {
	wiretest.Fuzz(f, wiretest.Seeds(f, examples, "aws-bedrock"), bedrock.Invoke)
}

// FuzzFrames makes frames of anything.
func FuzzFrames(f *testing.F) {
	for i, file := range recorded(f) {
		a, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wiretest.Section(f, a, "upstream").Data, i)
	}
	f.Fuzz(func(t *testing.T, lines []byte, n int) {
		var b []byte
		for line := range bytes.Lines(lines) {
			kind, rest, _ := bytes.Cut(line, []byte(" "))
			name, payload, _ := strings.Cut(string(rest), " ")
			if string(kind) == "chunk" {
				name, payload = "chunk", `{"bytes":"`+base64.StdEncoding.EncodeToString(rest)+`"}`
			}
			b = append(b, frame(payload, ":message-type", string(kind), ":event-type", name, ":exception-type", name, ":error-code", name)...)
		}
		wiretest.Any(t, bedrock.Invoke, b, n)
	})
}

// BenchmarkEvent is the cost of one event of a stream.
func BenchmarkEvent(b *testing.B) {
	for _, c := range []struct {
		name, text string
	}{
		{"converse", `event contentBlockDelta {"contentBlockIndex":0,"delta":{"text":" %x"},"p":"abcdefghijklmnopqrstuvwxyzABC"}`},
		{"claude", `chunk {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" %x"}}`},
		{"llama", `chunk {"generation":" %x","prompt_token_count":null,"generation_token_count":7,"stop_reason":null}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			wiretest.Events(b, bedrock.Invoke, func(i int) []byte { return encode(b, fmt.Appendf(nil, c.text, i*i*i)) })
		})
	}
}

func TestStreamsCostNoMemory(t *testing.T) {
	for _, text := range []string{
		`event contentBlockDelta {"contentBlockIndex":0,"delta":{"text":"x"},"p":"abc"}`,
		`chunk {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}`,
	} {
		wiretest.NoMemory(t, bedrock.Invoke, encode(t, []byte(text)))
	}
}
