package openai_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

// BenchmarkEvent is the cost of one event of a stream, with all that a stream costs beside.
func BenchmarkEvent(b *testing.B) {
	for _, c := range []struct {
		name  string
		open  wiretest.Open
		event func(i int) []byte
	}{
		{"chat", openai.Chat, func(i int) []byte {
			return fmt.Appendf(nil, `data: {"id":"chatcmpl-Wire0001","object":"chat.completion.chunk","created":1795340000,"model":"gpt-4o-mini",`+
				`"service_tier":"default","system_fingerprint":"fp_wire","choices":[{"index":0,"delta":{"content":" %x"},"logprobs":null,`+
				`"finish_reason":null}],"usage":null,"obfuscation":"%x"}`+"\n\n", i*i*i, i%5)
		}},
		{"responses", openai.Responses, func(i int) []byte {
			return fmt.Appendf(nil, "event: response.output_text.delta\n"+`data: {"type":"response.output_text.delta","item_id":"msg_wire01",`+
				`"output_index":1,"content_index":0,"delta":" %x","logprobs":[],"obfuscation":"tR5","sequence_number":%d}`+"\n\n", i*i*i, i)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			wiretest.Events(b, c.open, c.event)
		})
	}
}

// BenchmarkUnary is the cost of a whole answer.
func BenchmarkUnary(b *testing.B) {
	for _, n := range []int{1 << 10, 30 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			in := []byte(`{"id":"chatcmpl-Wire0001","object":"chat.completion","created":1795340000,"model":"gpt-4o-mini","choices":[{"index":0,` +
				`"message":{"role":"assistant","content":"` + strings.Repeat("Some words of an answer.\\n", n/26) + `","refusal":null,"annotations":[]},` +
				`"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":180,"completion_tokens":88,"total_tokens":268,` +
				`"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":64}}}`)
			in = bytes.TrimSpace(in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				m := openai.Chat(false)
				m.Write(in)
				m.Close()
			}
		})
	}
}
