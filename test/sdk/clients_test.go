package sdk

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/tap"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// inTurn answers each request by the next script, and all further ones by the last.
func inTurn(scripts ...upstream.Script) upstream.Script {
	var next atomic.Int64
	return func(req *rawhttp.Message, c *upstream.Conn) bool {
		i := min(int(next.Add(1)), len(scripts)) - 1
		return scripts[i](req, c)
	}
}

// refused is an address where nobody listens.
func refused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// args are what an application of the AI SDK configures; clients/driver.mjs reads them.
type args struct {
	Models  []string       `json:"models,omitempty"` // tried in this order
	Prompt  string         `json:"prompt,omitempty"`
	Account string         `json:"account,omitempty"`
	Gateway any            `json:"gateway,omitempty"` // its id, or for workers-ai-provider its options
	Token   string         `json:"token,omitempty"`
	Options map[string]any `json:"options,omitempty"`
	Direct  bool           `json:"direct,omitempty"`
	Binding bool           `json:"binding,omitempty"`
}

// house is a gateway with a scripted upstream for each provider that the AI SDK calls in these tests, and
// with groq where nobody listens.
type house struct {
	g                 *gateway.Gateway
	through           *tap.Tap
	openai, anthropic *upstream.Server
	js                driver
	binding           bool // ai-gateway-provider is given what stands for the binding of a Worker
}

func newHouse(t *testing.T) *house {
	h := &house{
		openai:    upstream.New(t, upstream.JSON(500, "{}")),
		anthropic: upstream.New(t, upstream.JSON(500, "{}")),
		js:        javascript(t, "clients", "driver.mjs"),
	}
	h.g = gateway.Start(t, gateway.Options{Config: "providers:\n" +
		"  openai: {base_url: \"http://" + h.openai.Addr + "/v1\"}\n" +
		"  anthropic: {base_url: \"http://" + h.anthropic.Addr + "\"}\n" +
		"  groq: {base_url: \"http://" + refused(t) + "/openai/v1\"}\n" +
		"  workers-ai: {base_url: \"http://" + h.openai.Addr + "/client/v4/accounts/default/ai\"}\n" +
		"accounts: {default: {gateways: {default: {}, " +
		"cached: {cache_ttl: 5m}, locked: {authentication: true}, " +
		"limited: {rate_limiting_limit: 1, rate_limiting_interval: 1h, rate_limiting_technique: sliding}}}}\n"})
	h.through = tap.New(t, h.g.Addr)
	return h
}

// forget is what the upstreams and the tap have seen so far.
func (h *house) forget(t *testing.T) {
	h.openai.Take()
	h.anthropic.Take()
	h.through.Take(t)
}

// ask calls ai-gateway-provider and returns what the application sees.
func (h *house) ask(t *testing.T, scenario string, a args) json.RawMessage {
	t.Helper()
	a.Binding = h.binding
	return h.js.call(t, call{"ai-gateway-provider", scenario, "http://" + h.through.Addr, a})
}

// one returns the only exchange that passed.
func (h *house) one(t *testing.T) tap.Exchange {
	t.Helper()
	all := h.through.Take(t)
	if len(all) != 1 {
		t.Fatalf("%d exchanges passed, want 1", len(all))
	}
	return all[0]
}

// walk is a call of ai-gateway-provider over several models, of which one answers.
type walk struct {
	title             string
	scenario          string
	models            []string
	openai, anthropic upstream.Script // nil: is not called
	answers           string          // the model that answers
	in, out           int64
	tries             int // attempts in the log
}

func walks(t *testing.T) []walk {
	var (
		chat         = jsonFile(t, 200, "openai/chat.response.json", "X-Request-Id: req_1")
		chatStream   = sse(t, "openai/chat.stream.sse")
		claude       = jsonFile(t, 200, "anthropic/messages.response.json", "Request-Id: req_011")
		claudeStream = sse(t, "anthropic/messages.tools.stream.sse")
		busy         = jsonFile(t, 429, "openai/error.429.rate.json", "Retry-After: 20")
		broken       = upstream.Answer(500, []string{"Content-Type: text/html"}, "<html>Bad day</html>")
		overloaded   = jsonFile(t, 529, "anthropic/error.529.json")
	)
	return []walk{
		{"OpenAI", "chat", []string{"openai"}, chat, nil, "openai", 1204, 88, 1},
		{"OpenAI, streamed", "stream", []string{"openai"}, chatStream, nil, "openai", 23, 9, 1},
		{"OpenAI's responses, streamed", "stream", []string{"responses"}, sse(t, "openai/responses.stream.sse"), nil, "responses", 2051, 70, 1},
		{"Anthropic", "chat", []string{"anthropic"}, nil, claude, "anthropic", 1812, 7, 1},
		{"Anthropic, streamed", "stream", []string{"anthropic"}, nil, claudeStream, "anthropic", 640, 95, 1},
		{"the first of two answers", "chat", []string{"openai", "anthropic"}, chat, nil, "openai", 1204, 88, 1},
		{"the first is busy", "chat", []string{"openai", "anthropic"}, busy, claude, "anthropic", 1812, 7, 2},
		{"the first is busy, streamed", "stream", []string{"openai", "anthropic"}, busy, claudeStream, "anthropic", 640, 95, 2},
		{"the first fails", "chat", []string{"openai", "anthropic"}, broken, claude, "anthropic", 1812, 7, 2},
		{"the first fails, streamed", "stream", []string{"anthropic", "openai"}, chatStream, overloaded, "openai", 23, 9, 2},
		{"the first refuses connections", "chat", []string{"groq", "openai"}, chat, nil, "openai", 1204, 88, 2},
		{"the first refuses connections, streamed", "stream", []string{"groq", "anthropic"}, nil, claudeStream, "anthropic", 640, 95, 2},
		{"only the third answers", "stream", []string{"groq", "anthropic", "openai"}, chatStream, overloaded, "openai", 23, 9, 3},
	}
}

// TestAIGatewayProvider calls models through ai-gateway-provider and compares with the same models called
// directly: what the application sees, and what the provider that answers sees.
func TestAIGatewayProvider(t *testing.T) {
	for title, binding := range map[string]bool{"with an account": false, "with a binding": true} {
		t.Run(title, func(t *testing.T) {
			h := newHouse(t)
			h.binding = binding
			for _, w := range walks(t) {
				t.Run(w.title, func(t *testing.T) { h.walk(t, w) })
			}
			t.Run("none answers", h.noneAnswers)
			t.Run("options: metadata and event id", h.metadata)
			t.Run("options: cache", h.caches)
			t.Run("options: retries", h.retries)
			t.Run("options: no log", h.unlogged)
			t.Run("errors and keys", h.refusals)
		})
	}
}

func (h *house) walk(t *testing.T, w walk) {
	script, server, provider := w.openai, h.openai, "openai"
	if w.answers == "anthropic" {
		script, server, provider = w.anthropic, h.anthropic, "anthropic"
	}
	direct := tap.New(t, server.Addr)
	server.Use(script)
	seenDirect := h.js.call(t, call{"ai-sdk", w.scenario, "http://" + direct.Addr, args{Models: []string{w.answers}}})
	directly := direct.Take(t)
	directUp := server.Take()

	h.openai.Use(w.openai)
	h.anthropic.Use(w.anthropic)
	seen := h.ask(t, w.scenario, args{Models: w.models})
	x := h.one(t)
	up := map[string][]*rawhttp.Message{"openai": h.openai.Take(), "anthropic": h.anthropic.Take()}
	for name, script := range map[string]upstream.Script{"openai": w.openai, "anthropic": w.anthropic} {
		if want := map[bool]int{true: 1}[script != nil]; len(up[name]) != want {
			t.Fatalf("%s saw %d requests, want %d; the application saw %s", name, len(up[name]), want, seen)
		}
	}
	if string(seen) != string(seenDirect) || !strings.HasPrefix(string(seen), `{"result":{"text":`) {
		t.Errorf("the application saw\n%.2000s\ndirectly\n%.2000s", seen, seenDirect)
	}
	if got := up[provider][0]; got.Target() != directUp[0].Target() {
		t.Errorf("target %s, direct %s", got.Target(), directUp[0].Target())
	}
	sameRequest(t, ofStep(directUp[0]), ofStep(up[provider][0]))
	sameResponse(t, directly[0].Response, x.Response)
	if got, want := x.Response.Get("cf-aig-step"), strconv.Itoa(slices.Index(w.models, w.answers)); got != want {
		t.Errorf("cf-aig-step %s, want %s", got, want)
	}
	h.logged(t, x, w, provider)
}

// ofStep leaves out what fetch adds to each of its requests: a step of the universal endpoint has the fields
// that the SDK set.
func ofStep(m *rawhttp.Message) *rawhttp.Message {
	s := *m
	s.Header = slices.DeleteFunc(slices.Clone(m.Header), func(f rawhttp.Field) bool {
		return slices.Contains([]string{"accept-language", "sec-fetch-mode"}, strings.ToLower(f.Name))
	})
	return &s
}

func (h *house) logged(t *testing.T, x tap.Exchange, w walk, provider string) {
	t.Helper()
	g := h.g.On(t)
	row := g.Row(x.Response.Get("cf-aig-log-id"))
	if row.Provider != provider || row.Status() != 200 || !row.Success || row.Streamed != (w.scenario == "stream") || len(row.Attempts) != w.tries {
		t.Errorf("log: %s; want provider %s, status 200, %d attempts", row, provider, w.tries)
	}
	if row.TokensIn == nil || *row.TokensIn != w.in || row.TokensOut == nil || *row.TokensOut != w.out {
		t.Errorf("log: %s; want %d tokens in, %d out", row, w.in, w.out)
	}
	stored, err := g.StoredBody(row.ID, "response")
	if err != nil {
		t.Error(err)
	}
	sameBytes(t, "stored response", x.Response.Body, stored)
}

// failure is an error as an application sees it.
type failure struct {
	Error struct {
		Name, Message string
		Status        *int
		IsRetryable   *bool
		RetryAfter    string
	}
}

func failureOf(t *testing.T, seen json.RawMessage) failure {
	t.Helper()
	var f failure
	if err := json.Unmarshal(seen, &f); err != nil || f.Error.Name == "" {
		t.Fatalf("the application saw no error: %.1000s", seen)
	}
	return f
}

// want compares the status of an error, and a part of its message.
func (f failure) want(t *testing.T, status int, message string) {
	t.Helper()
	if f.Error.Status == nil || *f.Error.Status != status || !strings.Contains(f.Error.Message, message) {
		t.Errorf("the application saw %+v; want status %d and %q", f.Error, status, message)
	}
}

// noneAnswers: the error is the last model's, read by its own parser.
func (h *house) noneAnswers(t *testing.T) {
	h.openai.Use(jsonFile(t, 429, "openai/error.429.rate.json", "Retry-After: 20"))
	h.anthropic.Use(jsonFile(t, 529, "anthropic/error.529.json"))
	for _, scenario := range []string{"chat", "stream"} {
		failureOf(t, h.ask(t, scenario, args{Models: []string{"anthropic", "openai"}})).want(t, 429, "Rate limit reached")
		failureOf(t, h.ask(t, scenario, args{Models: []string{"openai", "anthropic"}})).want(t, 529, "Overloaded")
	}
	for _, x := range h.through.Take(t) {
		if got := x.Response.Get("cf-aig-step"); got != "1" {
			t.Errorf("cf-aig-step %s, want 1", got)
		}
	}
	h.forget(t)
}

func (h *house) metadata(t *testing.T) {
	h.openai.Use(jsonFile(t, 200, "openai/chat.response.json"))
	h.ask(t, "chat", args{Models: []string{"openai"}, Options: map[string]any{
		"metadata": map[string]any{"user": "ana", "team": 7, "trial": true}, "eventId": "event-1",
	}})
	x := h.one(t)
	if got := x.Response.Get("cf-aig-event-id"); got != "event-1" {
		t.Errorf("cf-aig-event-id %q, want event-1", got)
	}
	row := h.g.On(t).Row(x.Response.Get("cf-aig-log-id"))
	if got := fmt.Sprint(row.Metadata); got != "map[team:7 trial:true user:ana]" {
		t.Errorf("log: metadata %s", got)
	}
	h.forget(t)
}

func (h *house) caches(t *testing.T) {
	h.openai.Use(jsonFile(t, 200, "openai/chat.response.json"))
	key := map[string]any{"cacheKey": "one for all", "cacheTtl": 3600}
	for _, c := range []struct {
		what    string
		gateway string
		prompt  string
		options map[string]any
		status  string
		calls   int
	}{
		{"a first call", "cached", "cached", map[string]any{"cacheTtl": 3600}, "MISS", 1},
		{"the same again", "cached", "cached", map[string]any{"cacheTtl": 3600}, "HIT", 0},
		{"another one", "cached", "not the same", nil, "MISS", 1},
		{"the same, past the cache", "cached", "cached", map[string]any{"skipCache": true}, "MISS", 1},
		{"a time of nothing", "cached", "cached", map[string]any{"cacheTtl": 0}, "", 1},
		{"a first call under a key", "default", "with a key", key, "MISS", 1},
		{"another one under the same key", "default", "another with a key", key, "HIT", 0},
		{"a time alone turns no cache on", "default", "cached", map[string]any{"cacheTtl": 3600}, "", 1},
	} {
		h.forget(t)
		seen := h.ask(t, "chat", args{Models: []string{"openai"}, Prompt: c.prompt, Gateway: c.gateway, Options: c.options})
		x := h.one(t)
		if !strings.HasPrefix(string(seen), `{"result":`) {
			t.Errorf("%s: the application saw %.500s", c.what, seen)
		}
		if got := x.Response.Get("cf-aig-cache-status"); got != c.status {
			t.Errorf("%s: cf-aig-cache-status %q, want %q", c.what, got, c.status)
		}
		if got := len(h.openai.Take()); got != c.calls {
			t.Errorf("%s: %d calls upstream, want %d", c.what, got, c.calls)
		}
		if got := h.cachedInLog(t, c.gateway, x.Response.Get("cf-aig-log-id")); got != (c.status == "HIT") {
			t.Errorf("%s: log: cached %v", c.what, got)
		}
	}
}

// cachedInLog tells what the log of a gateway says of an exchange.
func (h *house) cachedInLog(t *testing.T, name, id string) bool {
	t.Helper()
	var entry struct {
		Result struct{ Cached, Success bool }
	}
	var text []byte
	h.g.On(t).Eventually("a log entry "+id, func() bool {
		var err error
		_, _, text, err = h.g.Get("/gateways/" + name + "/logs/" + id)
		return err == nil && json.Unmarshal(text, &entry) == nil && entry.Result.Success
	}, func() string { return string(text) })
	return entry.Result.Cached
}

func (h *house) retries(t *testing.T) {
	h.openai.Use(inTurn(upstream.JSON(503, "{}"), upstream.JSON(500, "{}"), sse(t, "openai/chat.stream.sse")))
	seen := h.ask(t, "stream", args{Models: []string{"openai"}, Options: map[string]any{
		"retries": map[string]any{"maxAttempts": 3, "retryDelayMs": 1, "backoff": "constant"},
	}})
	x := h.one(t)
	if !strings.HasPrefix(string(seen), `{"result":`) || len(h.openai.Take()) != 3 {
		t.Errorf("the application saw %.500s", seen)
	}
	if row := h.g.On(t).Row(x.Response.Get("cf-aig-log-id")); len(row.Attempts) != 3 || !row.Success {
		t.Errorf("log: %s; want 3 attempts", row)
	}
}

func (h *house) unlogged(t *testing.T) {
	h.openai.Use(jsonFile(t, 200, "openai/chat.response.json"))
	h.ask(t, "chat", args{Models: []string{"openai"}, Options: map[string]any{"collectLog": false}})
	if got := h.one(t).Response.Get("cf-aig-log-id"); got != "" {
		t.Errorf("cf-aig-log-id %s of a call that is not logged", got)
	}
	h.forget(t)
}

// refusals are told from each other by the client, and none reaches a provider.
func (h *house) refusals(t *testing.T) {
	h.openai.Use(jsonFile(t, 200, "openai/chat.response.json"))
	one := []string{"openai"}
	for _, scenario := range []string{"chat", "stream"} {
		for _, c := range []struct {
			what string
			args args
			name string
		}{
			{"no such gateway", args{Models: one, Gateway: "nowhere"}, "AiGatewayDoesNotExist"},
			{"no such account", args{Models: one, Account: "0123456789abcdef0123456789abcdef"}, "AiGatewayDoesNotExist"},
			{"no key", args{Models: one, Gateway: "locked"}, "AiGatewayUnauthorizedError"},
			{"wrong key", args{Models: one, Gateway: "locked", Token: "not-a-token"}, "AiGatewayUnauthorizedError"},
		} {
			if got := failureOf(t, h.ask(t, scenario, c.args)).Error.Name; got != c.name {
				t.Errorf("%s, %s: %s, want %s", scenario, c.what, got, c.name)
			}
		}
	}
	if got := len(h.openai.Take()); got != 0 {
		t.Errorf("%d refused calls reached the provider", got)
	}
	h.forget(t)

	token := newToken(t, h.g, map[string]any{"name": "ai-sdk", "gateways": []string{"locked"}})
	seen := h.ask(t, "chat", args{Models: one, Gateway: "locked", Token: token.Value})
	if !strings.HasPrefix(string(seen), `{"result":`) {
		t.Errorf("with a token the application saw %.500s", seen)
	}
	up := h.openai.Take()
	if len(up) != 1 {
		t.Fatalf("%d calls upstream, want 1", len(up))
	}
	neverIn(t, token.Value, up[0])
	if got := up[0].Get("Authorization"); got != "Bearer sk-test-js" {
		t.Errorf("the provider got %q, want the application's key", got)
	}
	h.forget(t)
}

// TestWorkersAIProvider calls Workers AI through workers-ai-provider, whose calls through a gateway go to
// its path workers-ai/run/….
func TestWorkersAIProvider(t *testing.T) {
	h := newHouse(t)
	const model = "@cf/meta/llama-3.1-8b-instruct"
	events := "data: {\"response\":\"Dra\"}\n\ndata: {\"response\":\"va.\"}\n\n" +
		"data: {\"response\":\"\",\"usage\":{\"prompt_tokens\":27,\"completion_tokens\":4,\"total_tokens\":31}}\n\ndata: [DONE]\n\n"
	stream := upstream.Stream([]string{"Content-Type: text/event-stream"}, upstream.Events(events)...)
	for _, c := range []struct {
		title, scenario string
		script          upstream.Script
		calls           int
	}{
		{"run", "chat", jsonFile(t, 200, "workers-ai/run.response.json"), 1},
		{"stream", "stream", stream, 1},
		// The client asks again without stream when the answer to a streamed call is JSON.
		{"stream that is answered whole", "stream", jsonFile(t, 200, "workers-ai/run.response.json"), 2},
	} {
		t.Run(c.title, func(t *testing.T) {
			h.openai.Use(c.script)
			direct := tap.New(t, h.openai.Addr)
			seenDirect := h.js.call(t, call{"workers-ai-provider", c.scenario, "http://" + direct.Addr, args{Direct: true}})
			directly, directUp := direct.Take(t), h.openai.Take()
			seen := h.js.call(t, call{"workers-ai-provider", c.scenario, "http://" + h.through.Addr, args{Gateway: map[string]any{"id": "default"}}})
			passed, up := h.through.Take(t), h.openai.Take()
			if string(seen) != string(seenDirect) || !strings.HasPrefix(string(seen), `{"result":{"text":`) {
				t.Errorf("the application saw\n%.2000s\ndirectly\n%.2000s", seen, seenDirect)
			}
			if len(directUp) != c.calls || len(up) != c.calls || len(passed) != c.calls {
				t.Fatalf("%d calls directly, %d through the gateway, want %d", len(directUp), len(up), c.calls)
			}
			for i := range up {
				if up[i].Target() != directUp[i].Target() {
					t.Errorf("target %s, direct %s", up[i].Target(), directUp[i].Target())
				}
				sameRequest(t, directUp[i], up[i])
				sameResponse(t, directly[i].Response, passed[i].Response)
				row := h.g.On(t).Row(passed[i].Response.Get("cf-aig-log-id"))
				if row.Provider != "workers-ai" || row.Model != model || row.TokensIn == nil || *row.TokensIn != 27 || *row.TokensOut != 4 {
					t.Errorf("log: %s", row)
				}
			}
		})
	}
	t.Run("cache and metadata", func(t *testing.T) {
		h.openai.Use(jsonFile(t, 200, "workers-ai/run.response.json"))
		for _, want := range []string{"MISS", "HIT"} {
			h.js.call(t, call{"workers-ai-provider", "chat", "http://" + h.through.Addr, args{
				Gateway: map[string]any{"id": "default", "cacheKey": "mine", "cacheTtl": 600, "metadata": map[string]any{"user": "ana"}},
			}})
			x := h.one(t)
			row := h.g.On(t).Row(x.Response.Get("cf-aig-log-id"))
			if got := x.Response.Get("cf-aig-cache-status"); got != want || row.Metadata["user"] != "ana" {
				t.Errorf("cf-aig-cache-status %s, want %s; log: %s", got, want, row)
			}
		}
		h.forget(t)
	})
	t.Run("a rate limit of the gateway says when to come back", h.ownLimit)
	t.Run("a rate limit of the provider says when to come back", func(t *testing.T) {
		h.openai.Use(upstream.Answer(http.StatusTooManyRequests, []string{"Content-Type: application/json", "Retry-After: 7"},
			`{"result":{},"success":false,"errors":[{"code":3036,"message":"AiError: daily free allocation used up"}],"messages":[]}`))
		for _, scenario := range []string{"chat", "stream"} {
			f := failureOf(t, h.js.call(t, call{"workers-ai-provider", scenario, "http://" + h.through.Addr, args{Gateway: map[string]any{"id": "default"}}}))
			f.want(t, 429, "daily free allocation used up")
			if f.Error.RetryAfter != "7" || f.Error.IsRetryable == nil || !*f.Error.IsRetryable {
				t.Errorf("the application saw %+v, want a retry after 7 s", f.Error)
			}
		}
		h.forget(t)
	})
}

// ownLimit: the gateway's own refusal says so as a provider does.
func (h *house) ownLimit(t *testing.T) {
	h.openai.Use(jsonFile(t, 200, "workers-ai/run.response.json"))
	ask := func() json.RawMessage {
		return h.js.call(t, call{"workers-ai-provider", "chat", "http://" + h.through.Addr, args{Gateway: map[string]any{"id": "limited"}}})
	}
	if seen := ask(); !strings.HasPrefix(string(seen), `{"result":`) {
		t.Errorf("the first call: %.500s", seen)
	}
	f := failureOf(t, ask())
	f.want(t, 429, "2003")
	if after, err := strconv.Atoi(f.Error.RetryAfter); err != nil || after < 1 || after > 3660 || f.Error.IsRetryable == nil || !*f.Error.IsRetryable {
		t.Errorf("the application saw %+v, want a retry within the hour", f.Error)
	}
	if got := len(h.openai.Take()); got != 1 {
		t.Errorf("%d calls reached the provider, want 1", got)
	}
	h.forget(t)
}

// langchainCases are what LangChain's OpenAI classes offer.
func langchainCases(t *testing.T) []scenario {
	return []scenario{
		{name: "chat", script: jsonFile(t, 200, "openai/chat.response.json"), status: 200, in: 1204, out: 88},
		{name: "stream", script: sse(t, "openai/chat.stream.sse"), status: 200, streamed: true, in: 23, out: 9},
		{name: "embeddings", script: jsonFile(t, 200, "openai/embeddings.response.json"), status: 200, in: 9, out: unchecked},
		{name: "chat", title: "rate limit", script: jsonFile(t, 429, "openai/error.429.rate.json", "Retry-After: 20"), status: 429, in: unknown, out: unknown},
	}
}

func TestLangChain(t *testing.T) {
	up := upstream.New(t, upstream.JSON(500, "{}"))
	g := gateway.Start(t, gateway.Options{Config: "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"})
	r := &rig{up: up, g: g, direct: tap.New(t, up.Addr), through: tap.New(t, g.Addr)}
	js, py := javascript(t, "clients", "driver.mjs"), python(t)
	for _, c := range []struct {
		name   string
		driver driver
	}{{"JavaScript", js}, {"Python", py}} {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range langchainCases(t) {
				title := s.title
				if title == "" {
					title = s.name
				}
				t.Run(title, func(t *testing.T) {
					r.compare(t, c.driver, "langchain", api{provider: "openai", path: "/v1"}, s)
				})
			}
		})
	}
}
