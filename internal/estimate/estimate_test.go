package estimate

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

func get(t *testing.T, u sluice.Usage, c sluice.Class) (int64, bool) {
	t.Helper()
	return u.Get(c)
}

// frame is a frame of an AWS event stream without headers.
func frame(payload string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(payload)))
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(b, payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

// Counts of texts by OpenAI's tokenizers, as their public counters give them: "hello world" is 2 in
// both vocabularies, "antidisestablishmentarianism" is 6 in cl100k_base and 6 in o200k_base.
func TestUsage(t *testing.T) {
	stream := "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n" +
		"data: {\"choices\":[{\"delta\":{\"content\":\"hel\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"lo world\"}}]}\n\ndata: [DONE]\n\n"
	tests := []struct {
		name     string
		kind     Kind
		model    string
		request  string
		response string
		in, out  int64 // -1: unknown
	}{
		{
			"a chat: text, 3 for the message, 3 for the answer's start", KindText, "gpt-4o",
			`{"model":"gpt-4o","messages":[{"role":"user","content":"hello world"}]}`, stream, 2 + 3 + 3, 2,
		},
		{
			"a name costs one, parts count, pictures do not", KindText, "gpt-4o",
			`{"messages":[{"role":"user","name":"x","content":[{"type":"text","text":"hello world"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`,
			`{"choices":[{"message":{"role":"assistant","content":"hello world"}}]}`, 2 + 3 + 1 + 3, 2,
		},
		{"embeddings have no output", KindEmbedding, "text-embedding-3-small", `{"input":["hello world"],"model":"x"}`, `{"data":[{"embedding":[1,2]}]}`, 2, -1},
		{"token ids are counted as they are", KindEmbedding, "text-embedding-3-small", `{"input":[1,2,3,4]}`, `{}`, 4, -1},
		{"of an answer that is cut, the whole events count: hel", KindText, "gpt-4o", `{"prompt":"hello world"}`, stream[:len(stream)-30], 2, 1},
		{
			"responses: what the end repeats is not counted again", KindText, "gpt-4o", `{"input":"hello world"}`,
			"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hello world\"}\n\n" +
				"event: response.output_text.done\ndata: {\"type\":\"response.output_text.done\",\"text\":\"hello world\"}\n\n", 2, 2,
		},
		{
			"Claude counts 15 percent more: 200 words and a space are 201 by OpenAI's", KindText, "claude-x", `{"system":"` + strings.Repeat("hello world ", 100) + `"}`,
			`{"content":[{"type":"text","text":"hello world"}]}`, 201 * 115 / 100, 2,
		},
		{"lines of JSON", KindText, "llama", `{"prompt":"hello world"}`, "{\"response\":\"hello\"}\n{\"response\":\" world\"}\n", 2, 2},
		{
			"frames", KindText, "llama", `{"prompt":"hello world"}`,
			frame(`{"contentBlockIndex":0,"delta":{"text":"hello"},"p":"abcd"}`) + frame(`{"delta":{"text":" world"}}`) + "\x00\x00\x00", 2, 2,
		},
		{
			"frames with base64 within", KindText, "llama", `{"prompt":"hello world"}`,
			frame(`{"bytes":"` + base64.StdEncoding.EncodeToString([]byte(`{"generation":"","text":"hello world"}`)) + `"}`), 2, 2,
		},
		{"Llama by InvokeModel", KindText, "meta.llama3-8b-instruct-v1:0", `{"prompt":"hello world"}`, `{"generation":"hello world","stop_reason":"stop"}`, 2, 2},
		{
			"Llama by InvokeModel, streamed", KindText, "meta.llama3-8b-instruct-v1:0", `{"prompt":"hello world"}`,
			frame(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(`{"generation":"hello"}`))+`"}`) +
				frame(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(`{"generation":" world"}`))+`"}`), 2, 2,
		},
		{
			"Titan by InvokeModel", KindText, "amazon.titan-text-lite-v1", `{"inputText":"hello world","textGenerationConfig":{"stopSequences":["User:"]}}`,
			`{"results":[{"outputText":"hello world","completionReason":"FINISH"}]}`, 2, 2,
		},
		{"Claude's old completions", KindText, "anthropic.x", `{"prompt":"hello world","stop_sequences":["Human:"]}`, `{"completion":"hello world","stop_reason":"stop_sequence"}`, 2, 2},
		{
			"a turn of a conversation", KindTurn, "mistral-small", `{"inputs":"hello world","model":"mistral-small"}`,
			`{"conversation_id":"c","outputs":[{"type":"message.output","role":"assistant","content":"hello world"}]}`, 2, 2,
		},
		{
			"a turn of a conversation, streamed", KindTurn, "mistral-small", `{"inputs":[{"role":"user","content":"hello world"}],"stream":true}`,
			"event: message.output.delta\ndata: {\"type\":\"message.output.delta\",\"content\":\"hello\"}\n\n" +
				"event: message.output.delta\ndata: {\"type\":\"message.output.delta\",\"content\":\" world\"}\n\n", 2 + 3 + 3, 2,
		},
		{"a conversation that is only kept", KindTurn, "", `{"items":[{"role":"user","content":"hello world"}]}`, `{"id":"conv_1","object":"conversation"}`, -1, -1},
		{"no JSON at all", KindText, "x", "\x00\x01", "\xff\xfe", -1, -1},
		{"nothing stored", KindText, "x", "", "", -1, -1},
		{"an endpoint that has no tokens", KindNone, "x", `{"prompt":"hello world"}`, `{"text":"hello"}`, -1, -1},
	}
	var c Counter
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := c.Usage(tt.kind, tt.model, []byte(tt.request), []byte(tt.response))
			for class, want := range map[sluice.Class]int64{sluice.Input: tt.in, sluice.Output: tt.out} {
				if n, known := get(t, u, class); known != (want >= 0) || known && n != want {
					t.Errorf("%s = %d, %v; want %d", class, n, known, want)
				}
			}
			if u.Known() != (u.Basis == sluice.BasisEstimated) {
				t.Errorf("basis = %s", u.Basis)
			}
		})
	}
}

func TestKindOf(t *testing.T) {
	for endpoint, want := range map[string]Kind{
		"chat/completions": KindText, "fim/completions": KindText, "agents/completions": KindText, "invoke": KindText,
		"conversations": KindTurn, "embeddings": KindEmbedding, "models": KindNone, "messages/count_tokens": KindNone,
	} {
		if got := KindOf(endpoint); got != want {
			t.Errorf("%s is %d, want %d", endpoint, got, want)
		}
	}
}

func TestToolDefinitionsCount(t *testing.T) {
	var c Counter
	plain := c.Usage(KindText, "gpt-4o", []byte(`{"messages":[{"role":"user","content":"hi"}]}`), nil)
	tools := c.Usage(KindText, "gpt-4o", []byte(`{"messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","description":"does something useful"}}]}`), nil)
	a, _ := plain.Get(sluice.Input)
	b, _ := tools.Get(sluice.Input)
	if b <= a+5 {
		t.Errorf("with tools %d, without %d", b, a)
	}
}

func TestLongTextIsBounded(t *testing.T) {
	var c Counter
	u := c.Usage(KindText, "gpt-4o", []byte(`{"prompt":"`+strings.Repeat("a ", maxText)+`"}`), nil)
	if n, known := u.Get(sluice.Input); !known || n < maxText/2 {
		t.Errorf("input = %d, %v", n, known)
	}
}

func TestRough(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "abcd": 1, "abcde": 2, "日本": 2, "日本ab": 3} {
		if got := Rough(text); got != want {
			t.Errorf("Rough(%q) = %d; want %d", text, got, want)
		}
	}
}

// FuzzUsage proves that no body makes the counter fail, and that counts stay below the bytes.
func FuzzUsage(f *testing.F) {
	for _, seed := range [][2]string{{`{"messages":[{"role":"user","content":"x"}]}`, "data: {}\n\n"}, {`{"input":[[[[1]]]]}`, `{"a":`}, {"", ""}} {
		f.Add(seed[0], seed[1])
	}
	var c Counter
	f.Fuzz(func(t *testing.T, request, response string) {
		u := c.Usage(KindText, "gpt-4o", []byte(request), []byte(response))
		in, _ := u.Get(sluice.Input)
		out, _ := u.Get(sluice.Output)
		if in > int64(8*len(request)+8) || out > int64(4*len(response)) {
			t.Errorf("%d of %d bytes, %d of %d bytes", in, len(request), out, len(response))
		}
	})
}
