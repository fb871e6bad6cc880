package translate_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/anthropic"
	"github.com/sluicehq/sluice/internal/wire/bedrock"
	"github.com/sluicehq/sluice/internal/wire/cohere"
	"github.com/sluicehq/sluice/internal/wire/gemini"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/translate"
)

const examples = "../testdata/examples"

// dialects maps the targets of the fixtures, and the folders of their streams, to dialects. A target that stands
// for none is not translated yet.
func dialects() map[string]translate.Dialect {
	return map[string]translate.Dialect{
		"anthropic": translate.Messages, "anthropic-no-sampling": translate.Messages, "anthropic-mid-ok": translate.Messages,
		"anthropic-effort": translate.Messages,
		"gemini":           translate.Gemini, "gemini-level": translate.Gemini, "google-ai-studio": translate.Gemini,
		"mistral": translate.Chat, "cohere": translate.Cohere,
		"bedrock": translate.Converse, "bedrock-nova": translate.Converse, "aws-bedrock": translate.Converse,
	}
}

// meterOf makes the meter of a dialect's answers.
func meterOf(d translate.Dialect, stream bool) wire.Meter {
	return map[translate.Dialect]func(bool) wire.Meter{
		translate.Messages: anthropic.Messages, translate.Gemini: gemini.Generate, translate.Chat: openai.Chat, translate.Converse: bedrock.Converse, translate.Cohere: cohere.Chat,
	}[d](stream)
}

type manifest struct {
	Requests []struct {
		From, Target, To, Note string
		UpstreamModel          string            `json:"upstream_model"`
		Headers                map[string]string `json:"headers"`
		Dropped                []string
	}
	Streams []struct {
		Upstream, To  string
		FinishReason  *string `json:"finish_reason"`
		EndsWithError bool    `json:"ends_with_error"`
	}
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	var m manifest
	if err := json.Unmarshal(read(t, "testdata/manifest.json"), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// value is JSON as a value, numbers as they are written.
func value(t testing.TB, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return v
}

func TestRequestsBecomeThoseOfTheTarget(t *testing.T) {
	done := 0
	for _, c := range readManifest(t).Requests {
		d, ok := dialects()[c.Target]
		if !ok {
			continue
		}
		done++
		t.Run(strings.TrimSuffix(c.To, ".json"), func(t *testing.T) {
			r, err := translate.Decode(translate.Chat, read(t, "testdata/"+c.From))
			if err != nil {
				t.Fatal(err)
			}
			target := translate.Target{Dialect: d, Model: c.UpstreamModel}
			if c.Target == "mistral" {
				target.Edits = mistral(t)
			}
			call, err := r.Encode(target)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(value(t, read(t, "testdata/"+c.To)), value(t, call.Body)); diff != "" {
				t.Errorf("body (-want +got):\n%s\n%s", diff, call.Body)
			}
			dropped := slices.DeleteFunc(call.Dropped, func(s string) bool { return strings.HasSuffix(s, ".detail") && !slices.Contains(c.Dropped, s) })
			slices.Sort(dropped)
			if !slices.Equal(dropped, c.Dropped) && len(dropped)+len(c.Dropped) > 0 {
				t.Errorf("dropped %q; want %q", dropped, c.Dropped)
			}
			if v := c.Headers["anthropic-version"]; v != "" && call.Header.Get("anthropic-version") != v {
				t.Errorf("anthropic-version = %q; want %q", call.Header.Get("anthropic-version"), v)
			}
		})
	}
	if done < 7 {
		t.Errorf("%d requests were compared; want at least 7", done)
	}
}

// mistral is what the provider of that name wants otherwise.
func mistral(t *testing.T) *translate.Edits {
	t.Helper()
	table, err := provider.NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, _ := table.Find("mistral")
	return &p.Unified.Edits
}

// TestSchemasKeepTheirBytes: tool schemas are prefixes of prompt caches, and integers of 64 bits lose digits in a
// float (openai-translation.md, 1).
func TestSchemasKeepTheirBytes(t *testing.T) {
	const schema = `{"zeta":{"type":"integer","maximum":9007199254740993},"alpha":[1.50,1e400],"type":"object"}`
	const args = `{"b":12345678901234567890,"a":1.0}`
	body := `{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":` + quote(args) + `}}]},{"role":"tool","tool_call_id":"c1","content":"y"}],"tools":[{"type":"function","function":{"name":"f","parameters":` + schema + `}}]}`
	for _, d := range slices.Compact(slices.Sorted(mapsValues(dialects()))) {
		r, err := translate.Decode(translate.Chat, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		call, err := r.Encode(translate.Target{Dialect: d, Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{schema, args} {
			if !bytes.Contains(call.Body, []byte(want)) && !bytes.Contains(call.Body, []byte(quote(want))) {
				t.Errorf("%s: %s is not in %s", d, want, call.Body)
			}
		}
	}
}

func mapsValues(m map[string]translate.Dialect) func(func(translate.Dialect) bool) {
	return func(yield func(translate.Dialect) bool) {
		for _, d := range m {
			if !yield(d) {
				return
			}
		}
	}
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// folder is the dialect of a fixture's folder.
func folder(path string) (translate.Dialect, bool) {
	d, ok := dialects()[filepath.Base(filepath.Dir(path))]
	return d, ok
}

// through translates an answer that comes in pieces of n bytes, its meter counting the same bytes.
func through(c translate.Context, meter wire.Meter, answer []byte, n int) (string, *translate.Answer) {
	if p, ok := meter.(wire.Progress); ok {
		c.Usage = p.SoFar
	}
	a := translate.NewAnswer(c)
	var out strings.Builder
	for i := 0; i < len(answer); i += n {
		piece := answer[i:min(i+n, len(answer))]
		meter.Write(piece)
		out.Write(a.Write(piece))
	}
	out.Write(a.Close(false))
	return out.String(), a
}

// TestStreamsBecomeChunks compares whole streams, event by event, and in all cuts.
func TestStreamsBecomeChunks(t *testing.T) {
	done := 0
	for _, c := range readManifest(t).Streams {
		d, ok := folder(c.Upstream)
		if !ok {
			continue
		}
		done++
		t.Run(strings.TrimSuffix(c.To, ".openai.sse"), func(t *testing.T) {
			in := read(t, filepath.Join(examples, strings.TrimPrefix(c.Upstream, "../")))
			want := chunks(t, string(read(t, "testdata/"+c.To)))
			for n := 1; n <= len(in); n++ {
				if n > 40 && n < len(in) {
					n = len(in)
				}
				ctx := translate.Context{From: d, To: translate.Chat, Stream: true, IncludeUsage: true, Model: "<request model>"}
				text, a := through(ctx, meterOf(d, true), in, n)
				if diff := cmp.Diff(want, chunks(t, text)); diff != "" {
					t.Fatalf("in pieces of %d (-want +got):\n%s", n, diff)
				}
				if (a.Fault() != nil) != c.EndsWithError {
					t.Errorf("fault = %v", a.Fault())
				}
			}
			bare, _ := through(translate.Context{From: d, To: translate.Chat, Stream: true}, meterOf(d, true), in, len(in))
			if strings.Contains(bare, `"usage"`) {
				t.Errorf("usage that nobody asked for: %s", bare)
			}
		})
	}
	if done < 5 {
		t.Errorf("%d streams were compared; want at least 5", done)
	}
}

// chunks are the events of a stream of chunks as values; what is generated is blanked, comments are left out.
func chunks(t *testing.T, stream string) []any {
	t.Helper()
	var all []any
	for _, block := range strings.Split(stream, "\n\n") {
		data, ok := strings.CutPrefix(block, "data: ")
		if !ok {
			if block != "" && !strings.HasPrefix(block, ":") {
				t.Fatalf("no event: %q", block)
			}
			continue
		}
		if data == "[DONE]" {
			all = append(all, data)
			continue
		}
		data = regexp.MustCompile(`"id":"(<[^>]*>)?"`).ReplaceAllString(data, `"id":""`)
		data = regexp.MustCompile(`"id":"call_[0-9A-Za-z]{24}"`).ReplaceAllString(data, `"id":""`)
		data = regexp.MustCompile(`"created":\d+`).ReplaceAllString(data, `"created":0`)
		all = append(all, value(t, []byte(data)))
	}
	return all
}

// TestWholeAnswersSayWhatTheirStreamsSay reads the example answers, and compares with what they are known to hold.
func TestWholeAnswersSayWhatTheirStreamsSay(t *testing.T) {
	for _, e := range exampleAnswers(t) {
		t.Run(e.File, func(t *testing.T) {
			meter := meterOf(e.dialect, false)
			text, a := through(translate.Context{From: e.dialect, To: translate.Chat}, meter, e.body, len(e.body))
			if a.Fault() != nil {
				t.Fatal(a.Fault())
			}
			var got struct {
				Object  string
				Choices []struct {
					Message struct {
						Content          *string
						Refusal          *string
						ReasoningContent string `json:"reasoning_content"`
						ToolCalls        []struct {
							ID       string
							Function struct{ Name, Arguments string }
						} `json:"tool_calls"`
					}
					FinishReason string `json:"finish_reason"`
				}
				Usage *struct {
					PromptTokens     int64 `json:"prompt_tokens"`
					CompletionTokens int64 `json:"completion_tokens"`
				}
			}
			if err := json.Unmarshal([]byte(text), &got); err != nil || len(got.Choices) == 0 {
				t.Fatalf("%v in %s", err, text)
			}
			c := got.Choices[0]
			content := ""
			if c.Message.Content != nil {
				content = *c.Message.Content
			}
			if e.Expect.Text != nil && content != *e.Expect.Text {
				t.Errorf("content = %q; want %q", content, *e.Expect.Text)
			}
			if c.FinishReason != e.Expect.FinishReason && e.Expect.FinishReason != "" {
				t.Errorf("finish_reason = %q; want %q", c.FinishReason, e.Expect.FinishReason)
			}
			if len(c.Message.ToolCalls) != len(e.Expect.ToolCalls) {
				t.Fatalf("%d tool calls; want %d: %s", len(c.Message.ToolCalls), len(e.Expect.ToolCalls), text)
			}
			for i, want := range e.Expect.ToolCalls {
				call := c.Message.ToolCalls[i]
				if call.Function.Name != want.Name || call.ID == "" {
					t.Errorf("call %d = %+v; want %s", i, call, want.Name)
				}
				if diff := cmp.Diff(value(t, want.Arguments), value(t, []byte(call.Function.Arguments))); diff != "" {
					t.Error(diff)
				}
			}
			used := meter.Close().Usage
			input, _ := used.Get(sluice.Input)
			output, _ := used.Get(sluice.Output)
			if used.Known() && (got.Usage == nil || got.Usage.PromptTokens != input || got.Usage.CompletionTokens != output) {
				t.Errorf("usage = %+v; the meter read %d and %d", got.Usage, input, output)
			}
		})
	}
}

type exampleAnswer struct {
	File    string
	Kind    string
	Status  int
	Headers map[string]string
	Expect  struct {
		Text         *string
		FinishReason string `json:"finish_reason"`
		Error        any
		ToolCalls    []struct {
			Name      string
			Arguments json.RawMessage
		} `json:"tool_calls"`
	}
	dialect translate.Dialect
	body    []byte
}

// exampleAnswers are the examples that are whole answers of chats.
func exampleAnswers(t *testing.T) []exampleAnswer {
	t.Helper()
	var m struct{ Fixtures []exampleAnswer }
	if err := json.Unmarshal(read(t, examples+"/manifest.json"), &m); err != nil {
		t.Fatal(err)
	}
	var all []exampleAnswer
	for _, e := range m.Fixtures {
		d, ok := folder("../" + e.File)
		if !ok || e.Kind != "response" || !strings.HasSuffix(e.File, "response.json") || e.Expect.FinishReason == "" || strings.Contains(e.File, "invoke") || strings.Contains(e.File, "responses") {
			continue
		}
		e.dialect, e.body = d, read(t, examples+"/"+e.File)
		all = append(all, e)
	}
	if len(all) < 2 {
		t.Fatalf("%d examples; want at least 2", len(all))
	}
	return all
}
