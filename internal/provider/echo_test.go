package provider

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
)

// ask calls echo and reads the whole answer.
func ask(t testing.TB, method, path, body string, header ...sluice.Field) (Answer, string) {
	t.Helper()
	a := serveEcho(t.Context(), Call{Method: method, Path: path, Header: header}, []byte(body))
	if a.Body == nil {
		return a, ""
	}
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if a.Length >= 0 && a.Length != int64(len(b)) {
		t.Errorf("length %d announced, %d came", a.Length, len(b))
	}
	return a, string(b)
}

// parse reads JSON into a T.
func parse[T any](t testing.TB, s string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %.300s", err, s)
	}
	return v
}

// sseEvent is one event of a stream.
type sseEvent struct{ name, data string }

// events reads a stream that echo wrote.
func events(t testing.TB, s string) []sseEvent {
	t.Helper()
	var es []sseEvent
	for block := range strings.SplitSeq(strings.TrimSuffix(s, "\n\n"), "\n\n") {
		var e sseEvent
		for line := range strings.SplitSeq(block, "\n") {
			if v, ok := strings.CutPrefix(line, "event: "); ok {
				e.name = v
			} else if v, ok := strings.CutPrefix(line, "data: "); ok {
				e.data = v
			} else {
				t.Fatalf("line %q", line)
			}
		}
		es = append(es, e)
	}
	return es
}

func TestEchoChat(t *testing.T) {
	const body = `{"model":"gpt-4o","messages":[{"role":"system","content":"Be brief."},
		{"role":"user","content":[{"type":"text","text":"Grüße "},{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"<b>"}]},
		{"role":"assistant","content":null}]}`
	a, got := ask(t, "POST", "v1/chat/completions", body)
	if a.Status != 200 || a.Header.Get("content-type") != "application/json" || a.Length < 0 {
		t.Errorf("answer %+v", a)
	}
	c := parse[chatCompletion](t, got)
	if c.Object != "chat.completion" || c.Model != "gpt-4o" || len(c.Choices) != 1 || !strings.HasPrefix(c.ID, "chatcmpl-") {
		t.Errorf("completion %s", got)
	}
	if text := *c.Choices[0].Message.Content; text != "echo: Grüße <b>" || *c.Choices[0].FinishReason != "stop" {
		t.Errorf("text %q", text)
	}
	// "Be brief." and "Grüße <b>" are 9 and 11 bytes; the answer is 17.
	if u := parse[chatUsage](t, string(c.Usage)); u.PromptTokens != 5 || u.CompletionTokens != 5 || u.TotalTokens != 10 {
		t.Errorf("usage %s", c.Usage)
	}
	if !strings.Contains(got, `"refusal":null`) || !strings.Contains(got, `"logprobs":null`) || strings.Contains(got, "delta") {
		t.Errorf("members are missing: %s", got)
	}
	if _, again := ask(t, "POST", "v1/chat/completions", body); again != got {
		t.Error("equal requests have different answers")
	}
	if _, other := ask(t, "POST", "v1/chat/completions", strings.Replace(body, "brief", "short", 1)); parse[chatCompletion](t, other).ID == c.ID {
		t.Error("different requests have one id")
	}
}

func TestEchoChatStream(t *testing.T) {
	for _, usage := range []bool{false, true} {
		body := `{"model":"echo","stream":true,"stream_options":{"include_usage":` + strconv.FormatBool(usage) +
			`},"messages":[{"role":"user","content":"one two three four five six seven"}]}`
		a, got := ask(t, "POST", "chat/completions", body)
		if a.Status != 200 || a.Header.Get("content-type") != "text/event-stream; charset=utf-8" || a.Length != -1 {
			t.Errorf("answer %+v", a)
		}
		es := events(t, got)
		if last := es[len(es)-1].data; last != "[DONE]" {
			t.Fatalf("the stream ends in %q", last)
		}
		var text, finish string
		withUsage := 0
		for i, e := range es[:len(es)-1] {
			c := parse[chatCompletion](t, e.data)
			if c.Object != "chat.completion.chunk" || e.name != "" {
				t.Errorf("event %d: %+v", i, e)
			}
			if usage != strings.Contains(e.data, `"usage":`) {
				t.Errorf("event %d: %s", i, e.data)
			}
			if len(c.Choices) == 0 {
				withUsage++
				if u := parse[chatUsage](t, string(c.Usage)); u.PromptTokens != 9 || u.CompletionTokens != 10 {
					t.Errorf("usage %s", c.Usage)
				}
				continue
			}
			if d := c.Choices[0].Delta; d.Content != nil {
				text += *d.Content
			}
			if f := c.Choices[0].FinishReason; f != nil {
				finish += *f
			}
		}
		if text != "echo: one two three four five six seven" || finish != "stop" {
			t.Errorf("text %q, finish %q", text, finish)
		}
		if usage && withUsage != 1 || !usage && withUsage != 0 {
			t.Errorf("%d usage events", withUsage)
		}
		if !strings.Contains(es[0].data, `"delta":{"role":"assistant","content":""`) || !strings.Contains(got, `"delta":{}`) {
			t.Errorf("first or last delta: %s", got)
		}
	}
}

func TestEchoResponses(t *testing.T) {
	for _, input := range []string{`"hello"`, `[{"role":"user","content":"hello"}]`, `[{"role":"user","content":[{"type":"input_text","text":"hello"}]},{"type":"reasoning","id":"r"}]`} {
		a, got := ask(t, "POST", "responses", `{"model":"echo","instructions":"x","input":`+input+`}`)
		r := parse[response](t, got)
		if a.Status != 200 || r.Status != "completed" || r.Output[0].Content[0].Text != "echo: hello" || r.Usage.InputTokens != 2 || r.Usage.OutputTokens != 3 || r.Usage.TotalTokens != 5 {
			t.Errorf("%s: %s", input, got)
		}
	}
}

func TestEchoResponsesStream(t *testing.T) {
	_, got := ask(t, "POST", "v1/responses", `{"model":"echo","stream":true,"input":"hello"}`, sluice.Field{Name: "X-Echo-Chunks", Value: "3"})
	want := strings.Fields(`response.created response.in_progress response.output_item.added response.content_part.added
		response.output_text.delta response.output_text.delta response.output_text.delta response.output_text.done
		response.content_part.done response.output_item.done response.completed`)
	es := events(t, got)
	if len(es) != len(want) {
		t.Fatalf("%d events: %s", len(es), got)
	}
	var text string
	for i, e := range es {
		v := parse[responseEvent](t, e.data)
		if e.name != want[i] || v.Type != want[i] || v.SequenceNumber != i {
			t.Errorf("event %d: %+v", i, e)
		}
		if v.Delta != nil {
			text += *v.Delta
		}
		if v.Response != nil && (v.Response.Usage != nil) != (i == len(es)-1) {
			t.Errorf("event %d: usage %v", i, v.Response.Usage)
		}
	}
	if text != "echo: hello" {
		t.Errorf("text %q", text)
	}
}

func TestEchoObeysTokenLimits(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"chat/completions", `{"model":"m","max_tokens":9,"max_completion_tokens":2,"messages":[{"role":"user","content":"hello"}]}`, `"content":"echo: he"`},
		{"chat/completions", `{"model":"m","max_tokens":2,"messages":[{"role":"user","content":"hello"}]}`, `"finish_reason":"length"`},
		{"chat/completions", `{"model":"m","max_tokens":3,"messages":[{"role":"user","content":"hello"}]}`, `"finish_reason":"stop"`},
		{"responses", `{"model":"m","max_output_tokens":2,"input":"hello"}`, `"incomplete_details":{"reason":"max_output_tokens"}`},
		{"responses", `{"model":"m","stream":true,"max_output_tokens":2,"input":"hello"}`, "event: response.incomplete\n"},
	} {
		if _, got := ask(t, "POST", c.path, c.body); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %s in %s", c.body, c.want, got)
		}
	}
}

func TestEchoAnswersAreBounded(t *testing.T) {
	long := strings.Repeat("ü", 100_000)
	_, got := ask(t, "POST", "chat/completions", `{"model":"m","messages":[{"role":"user","content":"`+long+`"}]}`)
	text := *parse[chatCompletion](t, got).Choices[0].Message.Content
	if len(text) > echoMaxText || len(text) < echoMaxText-4 || !utf8.ValidString(text) {
		t.Errorf("%d bytes of text", len(text))
	}
}

func TestEchoEmbeddings(t *testing.T) {
	type list struct {
		Data []struct {
			Index     int
			Embedding json.RawMessage
		}
		Usage struct {
			PromptTokens int `json:"prompt_tokens"`
			TotalTokens  int `json:"total_tokens"`
		}
	}
	get := func(members string) list {
		a, got := ask(t, "POST", "embeddings", `{"model":"echo-embedding",`+members+`}`)
		if a.Status != 200 {
			t.Fatalf("%s: %s", members, got)
		}
		return parse[list](t, got)
	}
	floats := get(`"input":["one","two","one"],"dimensions":8`)
	if len(floats.Data) != 3 || floats.Data[2].Index != 2 || floats.Usage.PromptTokens != 3 || floats.Usage.TotalTokens != 3 {
		t.Errorf("list %+v", floats)
	}
	one := parse[[]float32](t, string(floats.Data[0].Embedding))
	var square float64
	for _, f := range one {
		square += float64(f) * float64(f)
	}
	if len(one) != 8 || math.Abs(square-1) > 1e-5 {
		t.Errorf("vector %v", one)
	}
	if !bytes.Equal(floats.Data[0].Embedding, floats.Data[2].Embedding) || bytes.Equal(floats.Data[0].Embedding, floats.Data[1].Embedding) {
		t.Error("vectors do not follow their texts")
	}
	coded := parse[string](t, string(get(`"input":"one","dimensions":8,"encoding_format":"base64"`).Data[0].Embedding))
	raw, err := base64.StdEncoding.DecodeString(coded)
	if err != nil || len(raw) != 32 {
		t.Fatalf("%q: %v", coded, err)
	}
	for i, f := range one {
		if got := math.Float32frombits(binary.LittleEndian.Uint32(raw[i*4:])); got != f {
			t.Errorf("number %d is %v and %v", i, f, got)
		}
	}
	if tokens := get(`"input":[[1,2,3],[4]]`); len(tokens.Data) != 2 || tokens.Usage.PromptTokens != 4 {
		t.Errorf("lists of tokens: %+v", tokens.Usage)
	}
	if tokens := get(`"input":[1,2,3]`); len(tokens.Data) != 1 || len(parse[[]float32](t, string(tokens.Data[0].Embedding))) != echoDimensions {
		t.Error("a list of tokens is one input")
	}
}

func TestEchoModels(t *testing.T) {
	if _, got := ask(t, "GET", "v1/models", ""); !strings.Contains(got, `"id":"echo-slow"`) || !strings.HasPrefix(got, `{"object":"list"`) {
		t.Errorf("list %s", got)
	}
	if _, got := ask(t, "GET", "models/echo", ""); !strings.HasPrefix(got, `{"id":"echo"`) {
		t.Errorf("model %s", got)
	}
	if a, _ := ask(t, "HEAD", "models", ""); a.Status != 200 || a.Length <= 0 || a.Body != nil {
		t.Errorf("HEAD %+v", a)
	}
}

func TestEchoRefusesInOpenAIsShape(t *testing.T) {
	field := func(name, value string) sluice.Field { return sluice.Field{Name: name, Value: value} }
	const ok = `{"model":"m","messages":[{"role":"user","content":"x"}]}`
	for _, c := range []struct {
		method, path, body string
		header             sluice.Field
		status             int
		param              string
	}{
		{"POST", "chat/completions", `{"model`, sluice.Field{}, 400, ""},
		{"POST", "chat/completions", `[]`, sluice.Field{}, 400, ""},
		{"POST", "chat/completions", ``, sluice.Field{}, 400, ""},
		{"POST", "chat/completions", ok + "x", sluice.Field{}, 400, ""},
		{"POST", "chat/completions", `null`, sluice.Field{}, 400, "model"},
		{"POST", "chat/completions", `{"model":"m"}`, sluice.Field{}, 400, "messages"},
		{"POST", "chat/completions", `{"model":"m","messages":[]}`, sluice.Field{}, 400, "messages"},
		{"POST", "chat/completions", `{"messages":[{"role":"user","content":"x"}]}`, sluice.Field{}, 400, "model"},
		{"POST", "chat/completions", `{"model":"` + strings.Repeat("m", 257) + `"}`, sluice.Field{}, 400, "model"},
		{"POST", "chat/completions", `{"model":"m","n":2,"messages":[{}]}`, sluice.Field{}, 400, "n"},
		{"POST", "chat/completions", `{"model":"m","max_tokens":0,"messages":[{}]}`, sluice.Field{}, 400, "max_tokens"},
		{"POST", "chat/completions", `{"model":5}`, sluice.Field{}, 400, "model"},
		{"POST", "chat/completions", ok, field("X-Echo-Delay", "61s"), 400, "x-echo-delay"},
		{"POST", "chat/completions", ok, field("X-Echo-Delay", "60001"), 400, "x-echo-delay"},
		{"POST", "chat/completions", ok, field("X-Echo-Delay", "-1"), 400, "x-echo-delay"},
		{"POST", "chat/completions", ok, field("X-Echo-Delay", "99999999999999999999"), 400, "x-echo-delay"},
		{"POST", "chat/completions", ok, field("X-Echo-Chunks", "10001"), 400, "x-echo-chunks"},
		{"POST", "chat/completions", ok, field("X-Echo-Status", "200"), 400, "x-echo-status"},
		{"POST", "chat/completions", ok, field("X-Echo-Status", "503"), 503, ""},
		{"POST", "chat/completions", ok, field("x-echo-status", "429"), 429, ""},
		{"POST", "chat/completions", ok, field("Content-Encoding", "gzip"), 415, ""},
		{"GET", "chat/completions", "", sluice.Field{}, 405, ""},
		{"POST", "models", "", sluice.Field{}, 405, ""},
		{"POST", "unheard/of", ok, sluice.Field{}, 404, ""},
		{"GET", "models/gpt-4o", "", sluice.Field{}, 404, "model"},
		{"POST", "responses", `{"model":"m"}`, sluice.Field{}, 400, "input"},
		{"POST", "responses", `{"model":"m","input":7}`, sluice.Field{}, 400, "input"},
		{"POST", "embeddings", `{"model":"m"}`, sluice.Field{}, 400, "input"},
		{"POST", "embeddings", `{"model":"m","input":null}`, sluice.Field{}, 400, "input"},
		{"POST", "embeddings", `{"model":"m","input":{}}`, sluice.Field{}, 400, ""},
		{"POST", "embeddings", `{"model":"m","input":"x","dimensions":4097}`, sluice.Field{}, 400, "dimensions"},
		{"POST", "embeddings", `{"model":"m","input":"x","encoding_format":"int8"}`, sluice.Field{}, 400, "encoding_format"},
		{"POST", "embeddings", `{"model":"m","input":[` + strings.Repeat(`"x",`, 2048) + `"x"]}`, sluice.Field{}, 400, "input"},
		{"POST", "embeddings", `{"model":"m","dimensions":4096,"input":[` + strings.Repeat(`"x",`, 128) + `"x"]}`, sluice.Field{}, 400, "input"},
	} {
		a, got := ask(t, c.method, c.path, c.body, c.header)
		e := parse[struct {
			Error struct{ Message, Type, Param string }
		}](t, got)
		if a.Status != c.status || e.Error.Message == "" || e.Error.Type == "" || e.Error.Param != c.param {
			t.Errorf("%s %s %.60s %v: %d %s", c.method, c.path, c.body, c.header, a.Status, got)
		}
		for _, member := range []string{"param", "code"} {
			if !strings.Contains(got, `"`+member+`":`) {
				t.Errorf("%s has no %s", got, member)
			}
		}
	}
}

func TestEchoWaitsAsAsked(t *testing.T) {
	const stream = `{"model":"%","stream":true,"messages":[{"role":"user","content":"hello"}]}`
	for _, c := range []struct {
		name, model, delay, chunks string
		want                       time.Duration
	}{
		{"at once", "echo", "", "", 0},
		{"a slow model: role, one piece, finish, end", "echo-slow", "", "", 4 * echoSlowDelay},
		{"milliseconds, with the pieces asked for", "echo", "20", "5", 8 * 20 * time.Millisecond},
		{"a header beats the model", "echo-slow", "1s", "1", 4 * time.Second},
		{"a header switches the slowness off", "echo-slow", "0", "1", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var h sluice.Header
			if c.delay != "" {
				h.Add("x-echo-delay", c.delay)
			}
			if c.chunks != "" {
				h.Add("x-echo-chunks", c.chunks)
			}
			_, got := ask(t, "POST", "chat/completions", strings.Replace(stream, "%", c.model, 1), h...)
			if took := time.Since(start); took != c.want || !strings.HasSuffix(got, "data: [DONE]\n\n") {
				t.Errorf("%s: %v", c.name, took)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ask(t, "GET", "models", "", sluice.Field{Name: "x-echo-delay", Value: "2s"})
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("an answer that is not streamed took %v", took)
		}
	})
}

func TestEchoEndsWithItsCaller(t *testing.T) {
	const body = `{"model":"echo","stream":true,"messages":[{"role":"user","content":"hello"}]}`
	in := Call{Method: "POST", Path: "chat/completions", Header: sluice.Header{{Name: "x-echo-delay", Value: "1m"}}}
	read := func(a Answer) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := io.ReadAll(a.Body)
			done <- err
		}()
		synctest.Wait()
		return done
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := read(serveEcho(ctx, in, []byte(body)))
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		a := serveEcho(t.Context(), in, []byte(body))
		done := read(a)
		if err := a.Body.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("closed: %v", err)
		}
	})
}

func TestEchoStreamsEventByEventInAnyCuts(t *testing.T) {
	const body = `{"model":"echo","stream":true,"messages":[{"role":"user","content":"hello"}]}`
	in := Call{Method: "POST", Path: "chat/completions"}
	whole := serveEcho(t.Context(), in, []byte(body)).Body
	buf, got, reads := make([]byte, 64<<10), "", 0
	for {
		n, err := whole.Read(buf)
		if got += string(buf[:n]); err != nil {
			break
		}
		if reads++; !strings.HasSuffix(got, "\n\n") {
			t.Errorf("read %d ends within an event: %q", reads, buf[:n])
		}
	}
	if reads != 4 {
		t.Errorf("%d reads", reads)
	}
	single, err := io.ReadAll(iotest.OneByteReader(serveEcho(t.Context(), in, []byte(body)).Body))
	if err != nil || string(single) != got {
		t.Errorf("byte by byte: %q, %v", single, err)
	}
	if err := iotest.TestReader(serveEcho(t.Context(), in, []byte(body)).Body, []byte(got)); err != nil {
		t.Error(err)
	}
}

// FuzzEcho proves that echo answers every body with JSON or a stream that ends, within its bounds.
func FuzzEcho(f *testing.F) {
	f.Add(0, `{"model":"m","messages":[{"role":"user","content":"x"}]}`, "3")
	f.Add(0, `{"model":"m","stream":true,"messages":[{"role":"user","content":[{"text":"ü"}]}]}`, "10000")
	f.Add(1, `{"model":"m","stream":true,"input":[{"role":"user","content":"x"}]}`, "")
	f.Add(2, `{"model":"m","input":[[1],"x",null]}`, "")
	paths := []string{"chat/completions", "responses", "embeddings"}
	f.Fuzz(func(t *testing.T, which int, body, chunks string) {
		in := Call{Method: "POST", Path: paths[uint(which)%3], Header: sluice.Header{{Name: "x-echo-chunks", Value: chunks}, {Name: "x-echo-delay", Value: "0"}}}
		a := serveEcho(t.Context(), in, []byte(body))
		got, err := io.ReadAll(a.Body)
		if err != nil || a.Length >= 0 && int64(len(got)) != a.Length {
			t.Fatalf("%v, length %d of %d", err, len(got), a.Length)
		}
		if a.Length < 0 {
			if len(events(t, string(got))) > echoMaxPieces+8 {
				t.Error("too many events")
			}
			return
		}
		if !json.Valid(got) || !utf8.Valid(got) {
			t.Errorf("answer %q", got)
		}
	})
}

func BenchmarkEchoChat(b *testing.B) {
	body := []byte(`{"model":"echo","messages":[{"role":"user","content":"` + strings.Repeat("hello ", 160) + `"}]}`)
	in := Call{Method: "POST", Path: "chat/completions"}
	b.ReportAllocs()
	for b.Loop() {
		a := serveEcho(b.Context(), in, body)
		if _, err := io.Copy(io.Discard, a.Body); err != nil || a.Status != 200 {
			b.Fatal(a.Status, err)
		}
	}
}
