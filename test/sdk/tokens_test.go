package sdk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/tap"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

const tokensPath = "/client/v4/accounts/default/ai-gateway/tokens"

// gatewayToken is a gateway token as its creation tells it.
type gatewayToken struct{ ID, Value string }

// newToken creates a gateway token; settings is the body of the call.
func newToken(t *testing.T, g *gateway.Gateway, settings map[string]any) gatewayToken {
	t.Helper()
	var token gatewayToken
	manage(t, g, http.MethodPost, tokensPath, settings, &token)
	if token.ID == "" || token.Value == "" {
		t.Fatalf("a token without id or value: %+v", token)
	}
	return token
}

// manage calls the management API and reads the result of its answer.
func manage(t *testing.T, g *gateway.Gateway, method, path string, body, result any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.Addr+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	envelope := struct {
		Success bool
		Result  any
		Errors  json.RawMessage
	}{Result: result}
	if err := json.NewDecoder(resp.Body).Decode(&envelope); err != nil || !envelope.Success {
		t.Fatalf("%s %s: %s %s %v", method, path, resp.Status, envelope.Errors, err)
	}
}

// neverIn looks for a token in a request, as it stands and as it is encoded in a query or in base64.
func neverIn(t *testing.T, token string, m *rawhttp.Message) {
	t.Helper()
	var all strings.Builder
	all.WriteString(m.Start + "\n")
	for _, f := range m.Header {
		all.WriteString(f.Name + ": " + f.Value + "\n")
	}
	all.Write(m.Body)
	for _, form := range []string{token, url.QueryEscape(token), base64.StdEncoding.EncodeToString([]byte(token))} {
		if strings.Contains(all.String(), form) {
			t.Errorf("the provider got the gateway token: %s", all.String())
		}
	}
}

// options are those of an SDK's constructor; the drivers hand them on as they are.
type options struct {
	APIKey  string            `json:"apiKey,omitempty"`
	Headers map[string]string `json:"defaultHeaders,omitempty"`
	Gemini  map[string]string `json:"headers,omitempty"` // the same in @google/genai
}

// settings is what an agent or an application is told of a gateway.
type settings struct {
	Env     map[string]string `json:"env,omitempty"`
	Options options           `json:"options"`
}

// locked is a gateway that wants a token, and an upstream that answers all SDKs.
type locked struct {
	g       *gateway.Gateway
	up      *upstream.Server
	through *tap.Tap
	js      driver
}

func newLocked(t *testing.T) *locked {
	l := &locked{up: upstream.New(t, upstream.JSON(500, "{}")), js: javascript(t, "js", "agents.mjs")}
	l.g = gateway.Start(t, gateway.Options{Config: "providers:\n" +
		"  openai: {base_url: \"http://" + l.up.Addr + "/v1\"}\n" +
		"  anthropic: {base_url: \"http://" + l.up.Addr + "\"}\n" +
		"  google-ai-studio: {base_url: \"http://" + l.up.Addr + "\"}\n" +
		"accounts: {default: {gateways: {default: {authentication: true}}}}\n"})
	l.through = tap.New(t, l.g.Addr)
	return l
}

// call makes a call through the gateway and returns what the application saw and the requests upstream.
func (l *locked) call(t *testing.T, client, scenario, provider string, s settings) (json.RawMessage, []*rawhttp.Message) {
	t.Helper()
	base := ""
	if provider != "" {
		base = "http://" + l.through.Addr + "/v1/default/default/" + provider
	}
	seen := l.js.call(t, call{client, scenario, base, s})
	return seen, l.up.Take()
}

// credential is what an SDK sends to a provider as the application's key. Anthropic's
// sends a key, too, as a bearer token.
type credential struct{ header, value string }

// TestTokensInSDKs puts a gateway token in each place where an SDK can carry one.
func TestTokensInSDKs(t *testing.T) {
	l := newLocked(t)
	token := newToken(t, l.g, map[string]any{"name": "sdks"})
	revoked := newToken(t, l.g, map[string]any{"name": "former"})
	manage(t, l.g, http.MethodDelete, tokensPath+"/"+revoked.ID, nil, nil)
	bearer := func(value string) map[string]string {
		return map[string]string{"cf-aig-authorization": "Bearer " + value}
	}

	for _, c := range []struct {
		client, provider string
		script           upstream.Script
		key              string // of the application, for the provider
		own              credential
		unauthorized     string // how the SDK's error shows a 401
	}{
		{"openai", "openai", jsonFile(t, 200, "openai/chat.response.json"), "sk-test", credential{"Authorization", "Bearer sk-test"}, "401"},
		{"anthropic", "anthropic", jsonFile(t, 200, "anthropic/messages.response.json"), "sk-ant-test", credential{"Authorization", "Bearer sk-ant-test"}, "401"},
		{"gemini", "google-ai-studio", jsonFile(t, 200, "google-ai-studio/generate.response.json"), "AIza-test", credential{"X-Goog-Api-Key", "AIza-test"}, "2009"},
	} {
		t.Run(c.client, func(t *testing.T) {
			l.up.Use(c.script)
			in := func(header, apiKey string) settings {
				s := settings{Options: options{APIKey: apiKey}}
				if header != "" {
					s.Options.Headers, s.Options.Gemini = bearer(header), bearer(header)
				}
				return s
			}
			t.Run("in cf-aig-authorization", func(t *testing.T) {
				up := l.accepted(t, c.client, c.provider, in(token.Value, c.key), token.Value)
				if got := up.Get(c.own.header); got != c.own.value {
					t.Errorf("%s at the provider: %q, want %q", c.own.header, got, c.own.value)
				}
			})
			t.Run("as the SDK's key", func(t *testing.T) {
				up := l.accepted(t, c.client, c.provider, in("", token.Value), token.Value)
				if got := up.Get(c.own.header); got != "" {
					t.Errorf("%s at the provider: %q, want none", c.own.header, got)
				}
			})
			for name, s := range map[string]settings{
				"no token":                           in("", c.key),
				"a wrong token":                      in("wrong-token-0123456789abcdef", c.key),
				"a revoked token":                    in(revoked.Value, c.key),
				"a revoked token as the SDK's key":   in("", revoked.Value),
				"a mistyped token as the SDK's key":  in("", token.Value[:len(token.Value)-1]+flipped(token.Value)),
				"a revoked token beside a valid one": in(revoked.Value, token.Value),
			} {
				t.Run(name, func(t *testing.T) {
					seen, up := l.call(t, c.client, "chat", c.provider, s)
					f := failureOf(t, seen)
					if f.Error.Status == nil || *f.Error.Status != 401 || !strings.Contains(f.Error.Message, "Unauthorized") {
						t.Errorf("the application saw %s; want 401 and Unauthorized", seen)
					}
					if len(up) != 0 {
						t.Errorf("%d calls reached the provider", len(up))
					}
				})
			}
		})
	}
}

// flipped is another character than the last one of a token.
func flipped(token string) string {
	if strings.HasSuffix(token, "a") {
		return "b"
	}
	return "a"
}

// accepted makes a call that must reach the provider, without the token; nor must the log hold it.
func (l *locked) accepted(t *testing.T, client, provider string, s settings, token string) *rawhttp.Message {
	t.Helper()
	l.through.Take(t)
	seen, up := l.call(t, client, "chat", provider, s)
	if !strings.HasPrefix(string(seen), `{"result":`) || len(up) != 1 {
		t.Fatalf("the application saw %.500s, %d calls reached the provider", seen, len(up))
	}
	neverIn(t, token, up[0])
	x := l.through.Take(t)[0]
	id := x.Response.Get("cf-aig-log-id")
	row := l.g.On(t).Row(id)
	if row.Provider != provider || row.Status() != 200 {
		t.Errorf("log: %s", row)
	}
	for _, path := range []string{"", "/request", "/response"} {
		_, _, text, err := l.g.Get("/gateways/default/logs/" + id + path)
		if err != nil || bytes.Contains(text, []byte(token)) {
			t.Errorf("the log holds the token: %v %s", err, text)
		}
	}
	return up[0]
}

// TestCodingAgents sets what Claude Code and Codex read from the environment, and calls their SDKs.
func TestCodingAgents(t *testing.T) {
	l := newLocked(t)
	token := newToken(t, l.g, map[string]any{"name": "agents"})
	base := "http://" + l.through.Addr + "/v1/default/default/"
	header := "cf-aig-authorization: Bearer " + token.Value
	for _, a := range []struct {
		title, client, provider string
		env                     map[string]string
		own                     credential
		calls                   []scenario
	}{
		{
			"Claude Code, with a key of its own", "claude-code", "anthropic",
			map[string]string{"ANTHROPIC_BASE_URL": base + "anthropic", "ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_CUSTOM_HEADERS": header},
			credential{"Authorization", "Bearer sk-ant-test"},
			claudeCodeCases(t),
		},
		{
			"Claude Code, signed in", "claude-code", "anthropic",
			map[string]string{"ANTHROPIC_BASE_URL": base + "anthropic", "ANTHROPIC_AUTH_TOKEN": "sk-ant-oat-test", "ANTHROPIC_CUSTOM_HEADERS": header},
			credential{"Authorization", "Bearer sk-ant-oat-test"},
			claudeCodeCases(t),
		},
		{
			"Codex, with the token in a header", "codex", "openai",
			map[string]string{"OPENAI_BASE_URL": base + "openai", "OPENAI_API_KEY": "sk-test", "OPENAI_CUSTOM_HEADERS": header},
			credential{"Authorization", "Bearer sk-test"},
			codexCases(t),
		},
		{
			"Codex, with the token as its key", "codex", "openai",
			map[string]string{"OPENAI_BASE_URL": base + "openai", "OPENAI_API_KEY": token.Value},
			credential{"Authorization", ""},
			codexCases(t),
		},
	} {
		t.Run(a.title, func(t *testing.T) {
			for _, s := range a.calls {
				t.Run(s.name, func(t *testing.T) {
					l.up.Use(s.script)
					seen, up := l.call(t, a.client, s.name, "", settings{Env: a.env})
					if !strings.HasPrefix(string(seen), `{"result":`) || len(up) != 1 {
						t.Fatalf("the agent saw %.500s, %d calls reached the provider", seen, len(up))
					}
					neverIn(t, token.Value, up[0])
					if got := up[0].Get(a.own.header); got != a.own.value {
						t.Errorf("%s at the provider: %q, want %q", a.own.header, got, a.own.value)
					}
					x := l.through.Take(t)[0]
					(&rig{g: l.g}).logged(t, x, api{provider: a.provider}, s)
				})
			}
		})
	}
	t.Run("the look whether the server is there", func(t *testing.T) {
		l.up.Use(upstream.JSON(200, "{}"))
		l.up.Take()
		open := gateway.Start(t, gateway.Options{Config: "providers: {anthropic: {base_url: \"http://" + l.up.Addr + "\"}}\n"})
		env := map[string]string{"ANTHROPIC_BASE_URL": "http://" + open.Addr + "/v1/default/default/anthropic"}
		seen, up := l.call(t, "claude-code", "probe", "", settings{Env: env})
		if strings.TrimSpace(string(seen)) != `{"result":200}` || len(up) != 1 || up[0].Start != "HEAD /api/hello HTTP/1.1" {
			t.Errorf("the agent saw %s; the provider %v", seen, up)
		}
	})
}

func claudeCodeCases(t *testing.T) []scenario {
	return []scenario{
		{name: "chat", script: jsonFile(t, 200, "anthropic/messages.response.json"), status: 200, in: 1812, out: 7},
		{name: "stream", script: sse(t, "anthropic/messages.tools.stream.sse"), status: 200, streamed: true, in: 640, out: 95},
		{name: "count", script: jsonFile(t, 200, "anthropic/count_tokens.response.json"), status: 200, in: unchecked, out: unchecked},
	}
}

func codexCases(t *testing.T) []scenario {
	return []scenario{
		{name: "responses", script: sse(t, "openai/responses.stream.sse"), status: 200, streamed: true, in: 2051, out: 70},
	}
}
