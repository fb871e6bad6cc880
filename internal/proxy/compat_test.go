package proxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// example is a recorded answer of a provider.
func example(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../wire/testdata/examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// called is what the scripted upstream got.
type called struct {
	path   string
	header http.Header
	body   string
}

// answering makes an upstream that answers all calls alike and tells what it got.
func answering(status int, contentType, body string, to *called) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		*to = called{r.URL.RequestURI(), r.Header.Clone(), string(got)}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Upstream", "yes")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func compat(g *proxytest.Gateway, body string) (*http.Response, string, error) {
	resp, text, err := g.Do("POST", "compat/chat/completions", http.Header{
		"Content-Type": {"application/json"}, "Authorization": {"Bearer sk-of-the-caller"}, "Accept-Encoding": {"gzip"},
	}, strings.NewReader(body))
	return resp, string(text), err
}

const chatToClaude = `{"model":"anthropic/claude-haiku-4-5","messages":[{"role":"system","content":"Be short."},{"role":"user","content":"Capital?"}],"max_tokens":20,"seed":3`

func TestUnifiedCallsOfAnotherDialect(t *testing.T) {
	var got called
	g := proxytest.New(t, answering(200, "application/json", example(t, "anthropic/messages.response.json"), &got), nil)
	resp, text, err := compat(g, chatToClaude+"}")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %v: %s", resp.StatusCode, err, text)
	}
	if got.path != "/v1/messages" || got.header.Get("X-Api-Key") != "sk-of-the-caller" || got.header.Get("Authorization") != "" || got.header.Get("Anthropic-Version") == "" {
		t.Errorf("upstream got %s with %v", got.path, got.header)
	}
	want := `{"model":"claude-haiku-4-5","max_tokens":20,"system":[{"type":"text","text":"Be short."}],"messages":[{"role":"user","content":[{"type":"text","text":"Capital?"}]}]}`
	if got.body != want {
		t.Errorf("upstream got %s; want %s", got.body, want)
	}
	var answer struct {
		Object, Model string
		Choices       []struct {
			Message      struct{ Content string }
			FinishReason string `json:"finish_reason"`
		}
		Usage struct {
			PromptTokens int64 `json:"prompt_tokens"`
			Details      struct {
				Cached int64 `json:"cached_tokens"`
			} `json:"prompt_tokens_details"`
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Object != "chat.completion" || answer.Choices[0].Message.Content != "Ljubljana." || answer.Choices[0].FinishReason != "stop" {
		t.Errorf("answer = %s", text)
	}
	if answer.Usage.PromptTokens != 1812 || answer.Usage.Details.Cached != 1500 {
		t.Errorf("usage = %+v", answer.Usage)
	}
	if resp.Header.Get("X-Upstream") != "yes" || resp.Header.Get("cf-aig-log-id") == "" || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("header = %v", resp.Header)
	}
	e := g.Row()
	if e.Type != "compat" || e.Provider != "anthropic" || e.Endpoint != "messages" || e.Model != "claude-haiku-4-5" || !e.Success || e.Path != "v1/messages" {
		t.Errorf("entry = %+v", e)
	}
	if n, _ := e.Usage.Get(sluice.Input); n != 1812 {
		t.Errorf("logged input = %d", n)
	}
	if !strings.Contains(strings.Join(e.Notes, ";"), "not sent on: seed") {
		t.Errorf("notes = %q", e.Notes)
	}
	if logged := g.Body(g.Rows()[0], reqlog.RequestSide); string(logged) != want {
		t.Errorf("logged request = %s", logged)
	}
}

func TestUnifiedStreamsOfAnotherDialect(t *testing.T) {
	var got called
	upstream := example(t, "anthropic/messages.tools.stream.sse")
	g := proxytest.New(t, answering(200, "text/event-stream", upstream, &got), nil)
	resp, text, err := compat(g, chatToClaude+`,"stream":true,"stream_options":{"include_usage":true}}`)
	if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("%d %v %v: %s", resp.StatusCode, err, resp.Header, text)
	}
	if !strings.HasSuffix(text, "data: [DONE]\n\n") || !strings.Contains(text, `"finish_reason":"tool_calls"`) || !strings.Contains(text, `"total_tokens":735`) {
		t.Errorf("stream = %s", text)
	}
	e := g.Row()
	if n, _ := e.Usage.Get(sluice.Output); !e.Streamed || !e.Success || n != 95 || e.Finish != "tool_use" {
		t.Errorf("entry = %+v", e)
	}
	if logged := g.Body(g.Rows()[0], reqlog.ResponseSide); string(logged) != upstream {
		t.Errorf("logged answer = %s; want the provider's bytes", logged)
	}
}

// TestUnifiedStreamsThatBreakOff: nobody takes a cut answer for a whole one.
func TestUnifiedStreamsThatBreakOff(t *testing.T) {
	whole := example(t, "anthropic/messages.tools.stream.sse")
	for name, c := range map[string]struct {
		upstream string
		status   int
		want     string
		ok       bool
	}{
		"after content":            {whole[:strings.Index(whole, "content_block_stop")], 200, `"code":"stream_truncated"`, false},
		"an error after content":   {example(t, "anthropic/messages.mid-error.stream.sse"), 200, `"code":"overloaded"`, true},
		"an error before content":  {"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n", 529, `{"error":{"message":"Overloaded","type":"overloaded_error","param":null,"code":"overloaded"}}`, true},
		"before anything was told": {": nothing\n\n", 400, "Failed to get response from provider", true},
	} {
		t.Run(name, func(t *testing.T) {
			var got called
			g := proxytest.New(t, answering(200, "text/event-stream", c.upstream, &got), nil)
			resp, text, err := compat(g, chatToClaude+`,"stream":true}`)
			if resp.StatusCode != c.status || !strings.Contains(text, c.want) {
				t.Errorf("%d %s; want %d with %s", resp.StatusCode, text, c.status, c.want)
			}
			if strings.Contains(text, "[DONE]") || (err == nil) != c.ok {
				t.Errorf("error = %v, %s", err, text)
			}
			if e := g.Row(); e.Success || e.Status != c.status {
				t.Errorf("entry: status %d, success %t, ending %s", e.Status, e.Success, e.Ending)
			}
		})
	}
}

func TestUnifiedErrorsHaveTheClientsForm(t *testing.T) {
	var got called
	g := proxytest.New(t, answering(429, "application/json", example(t, "anthropic/error.429.json"), &got), nil)
	resp, text, err := compat(g, chatToClaude+"}")
	want := `{"error":{"message":"This request would exceed your organization rate limit.","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}`
	if err != nil || resp.StatusCode != 429 || text != want {
		t.Errorf("%d %v %s; want %s", resp.StatusCode, err, text, want)
	}
	if e := g.Row(); e.Status != 429 || !strings.Contains(e.ErrorText, "organization rate limit") {
		t.Errorf("entry = %+v", e)
	}
}

// TestUnifiedCallsOfTheSameDialect: all bytes stay but the model's name.
func TestUnifiedCallsOfTheSameDialect(t *testing.T) {
	var got called
	answer := `{"id":"x","object":"chat.completion","model":"gpt-5-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}, "odd": [1.0]}`
	g := proxytest.New(t, answering(200, "application/json", answer, &got), nil)
	resp, text, err := compat(g, `{ "messages": [{"role":"user","content":"x"}], "model" : "openai/gpt-5-mini","unheard_of": 1.50 }`)
	if err != nil || resp.StatusCode != 200 || text != answer {
		t.Errorf("%d %v %s; want %s", resp.StatusCode, err, text, answer)
	}
	if want := `{ "messages": [{"role":"user","content":"x"}], "model" : "gpt-5-mini","unheard_of": 1.50 }`; got.body != want {
		t.Errorf("upstream got %s; want %s", got.body, want)
	}
	if got.path != "/v1/chat/completions" || got.header.Get("Authorization") != "Bearer sk-of-the-caller" || got.header.Get("Accept-Encoding") != "gzip" {
		t.Errorf("upstream got %s with %v", got.path, got.header)
	}
}

// TestUsageNobodyAskedForIsKeptBack: a streamed request asks for usage, because the bill needs it.
func TestUsageNobodyAskedForIsKeptBack(t *testing.T) {
	upstream := "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}],\"usage\":null}\n\n: ping\n\n" +
		"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" +
		"data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":1,\"total_tokens\":4}}\n\ndata: [DONE]\n\n"
	want := "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n: ping\n\n" +
		"data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
	var got called
	g := proxytest.New(t, answering(200, "text/event-stream", upstream, &got), nil)
	_, text, err := compat(g, `{"model":"openai/m","stream":true,"messages":[]}`)
	if err != nil || text != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, text))
	}
	if got.body != `{"model":"m","stream":true,"messages":[],"stream_options":{"include_usage":true}}` {
		t.Errorf("upstream got %s", got.body)
	}
	e := g.Row()
	if n, _ := e.Usage.Get(sluice.Input); n != 3 {
		t.Errorf("input = %d; want 3", n)
	}
	if _, text, _ = compat(g, `{"model":"openai/m","stream":true,"stream_options":{"include_usage":true},"messages":[]}`); text != upstream {
		t.Errorf("asked for: %s", text)
	}
}

func TestUnifiedRequestsThatAreRefused(t *testing.T) {
	g := proxytest.New(t, func(http.ResponseWriter, *http.Request) { t.Error("the provider was called") }, nil)
	for name, c := range map[string]struct {
		body, want string
		status     int
	}{
		"no model":             {`{"messages":[]}`, "model is missing", 400},
		"no provider in it":    {`{"model":"gpt-5"}`, "names no provider", 400},
		"an unknown provider":  {`{"model":"nobody/x"}`, "Invalid provider", 400},
		"no JSON":              {`{"model":`, "not a valid JSON object", 400},
		"model twice":          {`{"model":"openai/a","model":"openai/b"}`, "more than once", 400},
		"n":                    {chatToClaude + `,"n":2}`, `"field":"n"`, 400},
		"a wrong type":         {`{"model":"anthropic/claude","messages":[{"role":"user","content":[{"type":"text","text":7}]}]}`, `"field":"messages[0].content[0].text"`, 400},
		"no chat":              {`{"model":"deepgram/nova","messages":[]}`, "has no chat that the unified endpoint can call", 400},
		"azure without a key":  {`{"model":"azure-openai/dep","messages":[]}`, "resource", 400},
		"a result for no call": {`{"model":"anthropic/claude","messages":[{"role":"user","content":"x"},{"role":"tool","tool_call_id":"c","content":"y"}]}`, `"field":"messages[1]"`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			resp, text, _ := compat(g, c.body)
			if resp.StatusCode != c.status || !strings.Contains(text, c.want) {
				t.Errorf("%d %s; want %d with %s", resp.StatusCode, text, c.status, c.want)
			}
		})
	}
}

func TestUnifiedStepsOfUniversalRequests(t *testing.T) {
	var got called
	answer := example(t, "anthropic/messages.response.json")
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/chat/completions") {
			w.WriteHeader(500)
			return
		}
		answering(200, "application/json", answer, &got)(w, r)
	}, nil)
	resp, body, err := g.Do("POST", "", http.Header{"Content-Type": {"application/json"}}, strings.NewReader(`[
		{"provider":"compat","endpoint":"chat/completions","headers":{"Authorization":"Bearer a"},"query":{"model":"openai/gpt","messages":[]}},
		{"provider":"compat","endpoint":"chat/completions","headers":{"Authorization":"Bearer b"},"query":`+chatToClaude+`}}]`))
	if err != nil || resp.StatusCode != 200 || !strings.Contains(string(body), `"content":"Ljubljana."`) || resp.Header.Get("cf-aig-step") != "1" {
		t.Errorf("%d %v %s", resp.StatusCode, err, body)
	}
	if got.header.Get("X-Api-Key") != "b" {
		t.Errorf("upstream got %v", got.header)
	}
}

// TestUnifiedAnswersOfTheCache: the cache keeps the provider's bytes, which become the client's each time.
func TestUnifiedAnswersOfTheCache(t *testing.T) {
	var got called
	g := proxytest.New(t, answering(200, "text/event-stream", example(t, "anthropic/messages.tools.stream.sse"), &got), nil)
	g.Set(`{"cache_ttl": 60}`)
	_, first, _ := compat(g, chatToClaude+`,"stream":true}`)
	g.WaitRows(1)
	resp, second, _ := compat(g, chatToClaude+`,"stream":true}`)
	if resp.Header.Get("cf-aig-cache-status") != "HIT" || !strings.HasSuffix(second, "[DONE]\n\n") || len(first) != len(second) {
		t.Errorf("%v\n%s\n%s", resp.Header, first, second)
	}
}

const messagesRequest = `,"max_tokens":50,"system":"Be short.","messages":[{"role":"user","content":"Time?"}],"tools":[{"name":"get_time","input_schema":{"type":"object","properties":{"place":{"type":"string"}}}}],"stream":true}`

// TestMessagesClientsReachOtherModels: agents that speak only Anthropic's dialect.
func TestMessagesClientsReachOtherModels(t *testing.T) {
	for name, c := range map[string]struct {
		model, upstream, path, header, key string
		body                               string
		want                               []string
	}{
		"OpenAI": {
			"openai/gpt-5-mini", "openai/chat.tools.stream.sse", "/v1/chat/completions", "Authorization", "Bearer sk-x",
			`{"model":"gpt-5-mini","messages":[{"role":"system","content":"Be short."},{"role":"user","content":"Time?"}],"max_completion_tokens":50,"tools":[{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{"place":{"type":"string"}}}}}],"stream":true,"stream_options":{"include_usage":true}}`,
			[]string{`"name":"get_time"`, `"stop_reason":"tool_use"`, `"input_tokens":96,`, `"output_tokens":41}`, "event: message_stop"},
		},
		"Claude": {
			"anthropic/claude-sonnet-4-6", "anthropic/messages.tools.stream.sse", "/v1/messages", "X-Api-Key", "sk-x",
			`{"model":"claude-sonnet-4-6"` + messagesRequest,
			[]string{"event: ping", `"caller":{"type":"direct"}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got called
			g := proxytest.New(t, answering(200, "text/event-stream", example(t, c.upstream), &got), nil)
			resp, body, err := g.Do("POST", "compat/v1/messages", http.Header{
				"Content-Type": {"application/json"}, "X-Api-Key": {"sk-x"}, "Anthropic-Version": {"2023-06-01"},
			}, strings.NewReader(`{"model":"`+c.model+`"`+messagesRequest))
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%d %v %s", resp.StatusCode, err, body)
			}
			if got.path != c.path || got.header.Get(c.header) != c.key || got.body != c.body {
				t.Errorf("upstream got %s, %v:\n%s\nwant\n%s", got.path, got.header, got.body, c.body)
			}
			for _, want := range c.want {
				if !strings.Contains(string(body), want) {
					t.Errorf("%s is not in %s", want, body)
				}
			}
			e := g.Row()
			if n, _ := e.Usage.Get(sluice.Output); !e.Success || n == 0 {
				t.Errorf("entry = %+v", e)
			}
		})
	}
}

func TestGeminiByTheUnifiedEndpoint(t *testing.T) {
	var got called
	up := answering(200, "text/event-stream", example(t, "google-ai-studio/stream.tools.sse"), &got)
	g := proxytest.New(t, up, nil)
	base := g.Upstream.URL
	g = proxytest.Start(t, base, func(c *config.Config) {
		c.Providers["google-ai-studio"] = config.Provider{BaseURL: base}
	})
	resp, text, err := compat(g, `{"model":"google-ai-studio/gemini-3.5-flash","stream":true,"messages":[{"role":"user","content":"x"}]}`)
	if err != nil || resp.StatusCode != 200 || !strings.Contains(text, `"thought_signature":"QXNnV2lyZQ=="`) || !strings.HasSuffix(text, "[DONE]\n\n") {
		t.Errorf("%d %v %s", resp.StatusCode, err, text)
	}
	if got.path != "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse" || got.header.Get("X-Goog-Api-Key") != "sk-of-the-caller" || got.header.Get("Authorization") != "" {
		t.Errorf("upstream got %s, %v", got.path, got.header)
	}
	if e := g.Row(); !e.Success || e.Model != "gemini-3.5-flash" {
		t.Errorf("entry = %+v", e)
	}
}

func TestOtherPathsOfTheUnifiedEndpoint(t *testing.T) {
	var got called
	g := proxytest.New(t, answering(200, "application/json", example(t, "openai/embeddings.response.json"), &got), nil)
	resp, body, err := g.Do("POST", "compat/embeddings", http.Header{"Authorization": {"Bearer k"}}, strings.NewReader(`{"model":"openai/text-embedding-3-small","input":"x"}`))
	if err != nil || resp.StatusCode != 200 || string(body) != example(t, "openai/embeddings.response.json") || got.path != "/v1/embeddings" || got.body != `{"model":"text-embedding-3-small","input":"x"}` {
		t.Errorf("%d %v %s; upstream got %+v", resp.StatusCode, err, body, got)
	}
	if e := g.Row(); e.Endpoint != "embeddings" || !e.Usage.Known() {
		t.Errorf("entry = %+v", e)
	}
	resp, body, _ = g.Do("POST", "compat/responses", nil, strings.NewReader(`{"model":"openai/gpt-5","input":"x","stream":true}`))
	if resp.StatusCode != 200 || got.path != "/v1/responses" || got.body != `{"model":"gpt-5","input":"x","stream":true}` {
		t.Errorf("%d %s; upstream got %+v", resp.StatusCode, body, got)
	}
	_, body, _ = g.Do("POST", "compat/responses", nil, strings.NewReader(`{"model":"anthropic/claude-haiku-4-5","input":"x","stream":true}`))
	if got.path != "/v1/messages" || !strings.Contains(got.body, `"content":[{"type":"text","text":"x"}]`) {
		t.Errorf("upstream got %+v; %s", got, body)
	}
	resp, body, _ = g.Do("POST", "compat/embeddings", nil, strings.NewReader(`{"model":"anthropic/x","input":"x"}`))
	if resp.StatusCode != 400 || !strings.Contains(string(body), "has no embeddings") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body, err = g.Do("GET", "compat/models", nil, nil)
	var list struct {
		Object string
		Data   []struct{ ID string }
	}
	if json.Unmarshal(body, &list) != nil || err != nil || resp.StatusCode != 200 || len(list.Data) < 50 || !strings.Contains(string(body), `"id":"openai/gpt-`) {
		t.Errorf("%d %v %.300s", resp.StatusCode, err, body)
	}
	resp, body, _ = g.Do("POST", "compat/nothing", nil, strings.NewReader(`{}`))
	if resp.StatusCode != 400 || !strings.Contains(string(body), "chat/completions") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
