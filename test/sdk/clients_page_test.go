package sdk

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// standIn calls the SDK of an agent that cannot be run here, with the agent's settings from the environment.
const (
	claudeStandIn = `import Anthropic from "@anthropic-ai/sdk";
const m = await new Anthropic().messages.create({ model: "claude-haiku-4-5", max_tokens: 9, messages: [{ role: "user", content: "Hello" }] });
console.log(m.content[0].text);`
	codexStandIn = `import OpenAI from "openai";
const { BASE_URL, KEY, HEADER, VALUE } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, defaultHeaders: { [HEADER]: VALUE } });
for await (const e of await client.responses.create({ model: "gpt-5-codex", input: "Hello", stream: true }))
  if (e.type === "response.output_text.done") console.log(e.text);`
)

// snippet is what a file of the page must do.
type snippet struct {
	target string // of the request that the provider gets; "": none gets one
	key    string // that it gets, and where
	header string
	says   string // what the file prints
}

func snippets() map[string]snippet {
	const (
		chat    = "/openai/v1/chat/completions"
		openAI  = "Bearer sk-put-yours-here"
		claude  = "Bearer sk-ant-put-yours-here"
		drava   = "The Drava flows through Maribor."
		noCalls = ""
	)
	return map[string]snippet{
		"openai.mjs":              {chat, openAI, "Authorization", drava},
		"openai_chat.py":          {chat, openAI, "Authorization", drava},
		"anthropic.mjs":           {"/anthropic/v1/messages", claude, "Authorization", "Ljubljana."},
		"anthropic_chat.py":       {"/anthropic/v1/messages", claude, "Authorization", "Ljubljana."},
		"google.mjs":              {"/google/v1/models/gemini-2.5-flash:generateContent", "AIza-put-yours-here", "X-Goog-Api-Key", "Bohinj"},
		"ai-sdk.mjs":              {chat, openAI, "Authorization", drava},
		"ai-gateway-provider.mjs": {chat, openAI, "Authorization", drava},
		"ai-gateway-account.mjs":  {chat, openAI, "Authorization", drava},
		"workers-ai-provider.mjs": {"/workers-ai/run/@cf/meta/llama-3.1-8b-instruct", "Bearer cf-put-yours-here", "Authorization", "Postojna."},
		"langchain.mjs":           {chat, openAI, "Authorization", drava},
		"langchain_chat.py":       {chat, openAI, "Authorization", drava},
		"claude-code":             {"/anthropic/v1/messages", claude, "Authorization", "Ljubljana."},
		"config.toml":             {"/openai/v1/responses", openAI, "Authorization", ""},
		"cloudflare.mjs":          {noCalls, "", "", "default"},
	}
}

// page runs the files of docs/clients.md.
type page struct {
	g      *gateway.Gateway
	up     *upstream.Server
	token  string
	dir    string
	node   string
	python string
	env    []string
}

// TestClientsPage runs each file of the page as a reader would, behind a gateway that wants a token.
func TestClientsPage(t *testing.T) {
	p := newPage(t)
	want := snippets()
	for _, b := range blocks(t, "clients.md") {
		switch s, ok := want[b.file]; {
		case b.file == "environment":
			p.readEnvironment(t, b.text)
		case !ok:
			t.Errorf("the page has %q, of which this test knows nothing", b.file)
		default:
			delete(want, b.file)
			t.Run(b.file, func(t *testing.T) { p.try(t, b, s) })
		}
	}
	for name := range want {
		t.Errorf("the page has no %s", name)
	}
}

func newPage(t *testing.T) *page {
	p := &page{dir: t.TempDir(), node: node(t), python: filepath.Join(absolute(t, "python"), ".venv", "bin", "python")}
	p.up = upstream.New(t, anyProvider(t))
	at := func(slug, path string) string {
		return "  " + slug + ": {base_url: \"http://" + p.up.Addr + path + "\"}\n"
	}
	p.g = gateway.Start(t, gateway.Options{Config: "providers:\n" + at("openai", "/openai/v1") + at("anthropic", "/anthropic") +
		at("google-ai-studio", "/google") + at("workers-ai", "/workers-ai") +
		"accounts: {default: {aliases: [3ebbcb006d4d46d7bb6a8c7f14676cb0], gateways: {default: {authentication: true}}}}\n"})
	link(t, p.dir, "js", "clients")
	return p
}

// anyProvider answers as the provider does whose path is called.
func anyProvider(t *testing.T) upstream.Script {
	answers := []struct {
		path   string
		script upstream.Script
	}{
		{"/chat/completions", jsonFile(t, 200, "openai/chat.response.json")},
		{"/responses", sse(t, "openai/responses.stream.sse")},
		{"/v1/messages", jsonFile(t, 200, "anthropic/messages.response.json")},
		{":generateContent", jsonFile(t, 200, "google-ai-studio/generate.response.json")},
		{"/run/", jsonFile(t, 200, "workers-ai/run.response.json")},
	}
	return func(req *rawhttp.Message, c *upstream.Conn) bool {
		i := slices.IndexFunc(answers, func(a struct {
			path   string
			script upstream.Script
		},
		) bool {
			return strings.Contains(req.Target(), a.path)
		})
		if i < 0 {
			return upstream.JSON(404, "{}")(req, c)
		}
		return answers[i].script(req, c)
	}
}

// sluice runs a command and returns what it prints last, on a line of its own: a token.
func (p *page) sluice(t *testing.T, command string) string {
	t.Helper()
	args := append(strings.Fields(command), "--url", "http://"+p.g.Addr)
	out, code := gateway.Run(t, args...)
	words := strings.Fields(out)
	if code != 0 || len(words) == 0 {
		t.Fatalf("sluice %q: %s", args, out)
	}
	return words[len(words)-1]
}

// readEnvironment takes what the page exports.
func (p *page) readEnvironment(t *testing.T, text string) {
	t.Helper()
	p.env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "LANG=C.UTF-8", "NO_PROXY=*"}
	for line := range strings.Lines(text) {
		assignment, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		if !ok {
			t.Fatalf("the page's environment has %q", line)
		}
		name, value, _ := strings.Cut(assignment, "=")
		if command, ok := strings.CutPrefix(value, "$(sluice "); ok {
			value = p.sluice(t, strings.TrimSuffix(command, ")"))
		}
		if name == "SLUICE_TOKEN" {
			p.token = value
		}
		p.env = append(p.env, name+"="+value)
	}
}

// try runs one file of the page.
func (p *page) try(t *testing.T, b block, s snippet) {
	text := strings.ReplaceAll(b.text, "127.0.0.1:8088", p.g.Addr)
	write(t, p.dir, b.file, text)
	var command []string
	env := slices.Clone(p.env)
	switch {
	case b.lang == "js":
		command = []string{p.node, b.file}
	case b.lang == "python":
		command = []string{p.python, b.file}
	case b.file == "claude-code":
		write(t, p.dir, "claude.mjs", claudeStandIn)
		command = []string{"bash", "-c", ". ./claude-code && exec " + p.node + " claude.mjs"}
	case b.file == "config.toml":
		write(t, p.dir, "codex.mjs", codexStandIn)
		command = []string{p.node, "codex.mjs"}
		env = append(env, codexSettings(t, text, p.env)...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = p.dir, env
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), s.says) {
		t.Errorf("%v; it says %.2000s, want %q", err, out, s.says)
	}
	p.saw(t, s)
}

// saw compares what the provider got, and that it was logged.
func (p *page) saw(t *testing.T, s snippet) {
	t.Helper()
	up := p.up.Take()
	if s.target == "" {
		if len(up) != 0 {
			t.Errorf("a provider got %d calls", len(up))
		}
		return
	}
	if len(up) != 1 {
		t.Fatalf("the provider got %d calls, want 1", len(up))
	}
	neverIn(t, p.token, up[0])
	if up[0].Target() != s.target || up[0].Get(s.header) != s.key {
		t.Errorf("the provider got %s, %s: %s; want %s and %s", up[0].Target(), s.header, up[0].Get(s.header), s.target, s.key)
	}
	row := p.g.On(t).LastRow("a row of this call", func(r *gateway.Row) bool { return strings.HasSuffix(s.target, strings.TrimPrefix(r.Path, "v1/")) })
	if !row.Success || row.Status() != 200 {
		t.Errorf("log: %s", row)
	}
}

// codexSettings reads of Codex's configuration what its SDK needs, as variables for the stand-in.
func codexSettings(t *testing.T, text string, env []string) []string {
	t.Helper()
	value := func(key string) string {
		for line := range strings.Lines(text) {
			if name, v, ok := strings.Cut(line, " = "); ok && name == key {
				return strings.TrimSpace(v)
			}
		}
		t.Fatalf("config.toml names no %s", key)
		return ""
	}
	variable := func(name string) string {
		for _, e := range env {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				return v
			}
		}
		t.Fatalf("the page exports no %s", name)
		return ""
	}
	if value("wire_api") != `"responses"` || value("model_provider") != `"sluice"` || !strings.Contains(text, "[model_providers.sluice]") {
		t.Errorf("config.toml: %s", text)
	}
	fields := strings.Split(value("env_http_headers"), `"`) // { "name" = "VARIABLE" }
	if len(fields) != 5 {
		t.Fatalf("env_http_headers: %q", fields)
	}
	return []string{
		"BASE_URL=" + strings.Trim(value("base_url"), `"`), "KEY=" + variable(strings.Trim(value("env_key"), `"`)),
		"HEADER=" + fields[1], "VALUE=" + variable(fields[3]),
	}
}
