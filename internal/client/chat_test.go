package client_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
)

func TestChat(t *testing.T) {
	five, eight := int64(5), int64(8)
	tests := []struct {
		name    string
		request client.ChatRequest
		path    string // asked for
		body    string // asked with
		auth    [2]string
		typ     string
		answer  string
		pieces  []string
		want    client.ChatResult
		failed  string
	}{
		{
			name:    "an OpenAI stream",
			request: client.ChatRequest{Provider: "echo", Model: "echo-1", System: "be brief", Prompt: "Hi", Key: sluice.NewSecret("sk")},
			path:    "/base/v1/default/prod/echo/chat/completions",
			body:    `{"model":"echo-1","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}`,
			auth:    [2]string{"Authorization", "Bearer sk"},
			typ:     "text/event-stream",
			answer: "data: {\"model\":\"echo-1\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n" +
				"data: {\"choices\":[{\"delta\":{\"content\":\"He\"},\"finish_reason\":null}]}\n\n" +
				"data: {\"choices\":[{\"delta\":{\"content\":\"llo\"}}]}\n\n" +
				"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
				"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":8}}\n\ndata: [DONE]\n\n",
			pieces: []string{"He", "llo"},
			want:   client.ChatResult{Text: "Hello", Model: "echo-1", Finish: "stop", LogID: "log", Status: 200, In: &five, Out: &eight},
		},
		{
			name:    "an OpenAI answer in one piece",
			request: client.ChatRequest{Provider: "openai", Model: "m", Prompt: "Hi", Unary: true},
			path:    "/base/v1/default/prod/openai/chat/completions",
			body:    `{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":false}`,
			typ:     "application/json",
			answer:  `{"model":"m-1","choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":8}}`,
			pieces:  []string{"Hello"},
			want:    client.ChatResult{Text: "Hello", Model: "m-1", Finish: "stop", LogID: "log", Status: 200, In: &five, Out: &eight},
		},
		{
			name:    "an Anthropic stream",
			request: client.ChatRequest{Provider: "anthropic", Model: "c", Prompt: "Hi", Key: sluice.NewSecret("sk")},
			path:    "/base/v1/default/prod/anthropic/v1/messages",
			body:    `{"model":"c","max_tokens":1024,"messages":[{"role":"user","content":"Hi"}],"stream":true}`,
			auth:    [2]string{"X-Api-Key", "sk"},
			typ:     "text/event-stream",
			answer: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"c-1\",\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}}\n\n" +
				"event: ping\ndata: {\"type\":\"ping\"}\n\n" +
				"event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n" +
				"event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":8}}\n\n" +
				"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
			pieces: []string{"Hello"},
			want:   client.ChatResult{Text: "Hello", Model: "c-1", Finish: "end_turn", LogID: "log", Status: 200, In: &five, Out: &eight},
		},
		{
			name:    "an error within a stream",
			request: client.ChatRequest{Provider: "openai", Model: "m", Prompt: "Hi"},
			path:    "/base/v1/default/prod/openai/chat/completions",
			body:    `{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}`,
			typ:     "text/event-stream",
			answer:  "data: {\"choices\":[{\"delta\":{\"content\":\"He\"}}]}\n\ndata: {\"error\":{\"message\":\"overloaded\"}}\n\n",
			pieces:  []string{"He"},
			want:    client.ChatResult{Text: "He", LogID: "log", Status: 200},
			failed:  "overloaded",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.Method != http.MethodPost || r.URL.Path != tt.path || string(body) != tt.body {
					t.Errorf("%s %s %s %v", r.Method, r.URL, body, err)
				}
				if tt.auth[0] != "" && r.Header.Get(tt.auth[0]) != tt.auth[1] {
					t.Errorf("%s: %q", tt.auth[0], r.Header.Get(tt.auth[0]))
				}
				if tt.request.Key.IsZero() && r.Header.Get("Authorization") != "" {
					t.Error("the admin token went to a provider")
				}
				w.Header().Set("Content-Type", tt.typ)
				w.Header().Set("cf-aig-log-id", "log")
				_, _ = io.WriteString(w, tt.answer)
			})
			var pieces []string
			got, err := c.Chat(t.Context(), tt.request, func(s string) { pieces = append(pieces, s) })
			if (err == nil) != (tt.failed == "") || err != nil && !strings.Contains(err.Error(), tt.failed) {
				t.Fatalf("error %v, want %q", err, tt.failed)
			}
			got.Duration, got.FirstByte = 0, 0
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.pieces, pieces); diff != "" {
				t.Error(diff)
			}
		})
	}
}
