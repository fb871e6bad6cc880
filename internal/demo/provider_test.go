package demo

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func post(t *testing.T, url, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(all)
}

func TestTheProviderAnswersInBothDialects(t *testing.T) {
	server := httptest.NewServer(Provider())
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	for _, c := range []struct{ name, path, body, want string }{
		{"chat", "/openai/chat/completions", `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"Do you ship to Norway?"}]}`, `"content":"Yes, in three to five days`},
		{"a stream of chat", "/groq/chat/completions", `{"model":"m","stream":true,"messages":[{"role":"user","content":"Do you ship to Norway?"}]}`, "data: [DONE]"},
		{"messages", "/anthropic/v1/messages", `{"model":"claude-haiku-4-5","messages":[{"role":"user","content":"anything"}]}`, "This answer is made up"},
		{"a stream of messages", "/anthropic/v1/messages", `{"model":"m","stream":true,"messages":[{"role":"user","content":"Do you ship to Norway?"}]}`, "event: message_stop"},
		{"parts of content", "/openai/chat/completions", `{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`, "This answer is made up"},
		{"no JSON", "/openai/chat/completions", `{`, "This answer is made up"},
	} {
		// Some bodies are refused, so that there is something to see: another space makes another body.
		status, text := 0, ""
		for range 5 {
			if status, text = post(t, server.URL+c.path, c.body); status == http.StatusOK {
				break
			}
			c.body += " "
		}
		if status != http.StatusOK || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %s; want %q", c.name, status, text, c.want)
		}
		if !strings.Contains(c.body, `"stream":true`) && !json.Valid([]byte(text)) {
			t.Errorf("%s: no JSON: %s", c.name, text)
		}
	}
	if status, text := post(t, server.URL+"/openai/embeddings", "{}"); status != http.StatusNotFound || !strings.Contains(text, "made-up provider") {
		t.Errorf("another endpoint: %d %s; want 404", status, text)
	}
}

func TestTheTrickleIsMarkedAndEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Cf-Aig-Metadata"), `"demo":true`) {
			t.Errorf("a call is not marked: %v", r.Header)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || !json.Valid(body) || !strings.HasPrefix(r.URL.Path, "/v1/default/") {
			t.Errorf("%s %s %v", r.URL.Path, body, err)
		}
		if calls.Add(1) == 20 {
			stop()
		}
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	Drive(ctx, server.URL+"/v1/default", 1, time.Millisecond) // returns when ctx ends
	if n := calls.Load(); n < 20 {
		t.Errorf("%d calls; want 20 before the end", n)
	}
}
