package provider

import (
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

func TestDialectsThatAreReadHaveMeters(t *testing.T) {
	for _, c := range []struct{ slug, path string }{
		{"openai", "chat/completions"},
		{"openai", "completions"},
		{"openai", "responses"},
		{"openai", "embeddings"},
		{"openai", "images/generations"},
		{"openai", "audio/transcriptions"},
		{"openai", "moderations"},
		{"anthropic", "v1/messages"},
		{"anthropic", "v1/messages/count_tokens"},
		{"azure", "r/anthropic/v1/messages"},
		{"azure-openai", "r/d/chat/completions"},
		{"aws-bedrock", "bedrock-mantle/us-east-1/anthropic/v1/messages"},
		{"google-vertex-ai", "v1/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict"},
		{"aws-bedrock", "bedrock-runtime/us-east-1/model/m/converse-stream"},
		{"aws-bedrock", "bedrock-runtime/us-east-1/model/m/invoke-with-response-stream"},
		{"aws-bedrock", "bedrock-runtime/us-east-1/model/m/count-tokens"},
		{"google-vertex-ai", "v1/projects/p/locations/l/publishers/ai21/models/m:rawPredict"},
		{"google-vertex-ai", "v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent"},
		{"google-vertex-ai", "v1/projects/p/locations/l/publishers/google/models/m:predict"},
		{"google-vertex-ai", "v1/projects/p/locations/l/endpoints/7:generateContent"},
		{"google-ai-studio", "v1beta/models/m:generateContent"},
		{"google-ai-studio", "v1beta/models/m:embedContent"},
		{"google-ai-studio", "v1beta/models/m:countTokens"},
		{"google-ai-studio", "v1beta/openai/chat/completions"},
		{"workers-ai", "v1/chat/completions"},
		{"workers-ai", "@cf/meta/llama-3.1-8b-instruct"},
		{"workers-ai", "run/@cf/meta/llama-3.1-8b-instruct"},
		{"ollama", "v1/messages"},
		{"ollama", "api/chat"},
		{"ollama", "api/embed"},
		{"cohere", "v2/chat"},
		{"cohere", "v1/chat"},
		{"cohere", "v1/rerank"},
		{"cohere", "compatibility/v1/embeddings"},
		{"huggingface", "bigcode/starcoder"},
		{"replicate", "predictions"},
		{"replicate", "v1/deployments/o/n/predictions"},
		{"replicate", "predictions/p1/cancel"},
		{"mistral", "v1/ocr"},
		{"mistral", "v1/conversations"},
		{"perplexity-ai", "chat/completions"},
		{"vllm", "rerank"},
		{"llamacpp", "completion"},
		{"deepgram", "v1/listen"},
		{"elevenlabs", "v1/text-to-speech/v/stream"},
		{"ideogram", "v1/ideogram-v3/generate"},
		{"echo", "v1/chat/completions"},
		{"echo", "responses"},
		{"echo", "embeddings"},
	} {
		ep, _ := find(t, c.slug).Match("POST", c.path)
		if ep == nil || ep.Meter == nil || ep.Meter(true) == nil || ep.Meter(false) == nil {
			t.Errorf("%s/%s: %+v", c.slug, c.path, ep)
		}
	}
}

func TestEchoIsReadByTheMeters(t *testing.T) {
	for _, c := range []struct {
		path, body, finish string
		stream             bool
		input, output      int64
	}{
		{"chat/completions", `{"model":"m","messages":[{"role":"user","content":"hello"}]}`, "stop", false, 2, 3},
		{"chat/completions", `{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hello"}]}`, "stop", true, 2, 3},
		{"responses", `{"model":"m","input":"hello"}`, "", false, 2, 3},
		{"responses", `{"model":"m","stream":true,"input":"hello"}`, "", true, 2, 3},
		{"embeddings", `{"model":"m","input":"hello"}`, "", false, 2, -1},
	} {
		ep, _ := find(t, "echo").Match("POST", c.path)
		m := ep.Meter(c.stream)
		_, got := ask(t, "POST", c.path, c.body)
		m.Write([]byte(got))
		r := m.Close()
		input, _ := r.Usage.Get(sluice.Input)
		output, known := r.Usage.Get(sluice.Output)
		if !known {
			output = -1
		}
		if r.Model != "m" || input != c.input || output != c.output || r.Seen&wire.SeenEnd == 0 || r.Seen&wire.SeenError != 0 {
			t.Errorf("%s stream %t: %+v, input %d, output %d", c.path, c.stream, r, input, output)
		}
		if c.finish != "" && r.Finish != c.finish {
			t.Errorf("%s stream %t: finish %q", c.path, c.stream, r.Finish)
		}
	}
}
