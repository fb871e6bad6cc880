package sdk

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/tap"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// unchecked stands for token counts that a case says nothing of; unknown for null.
const (
	unchecked = -2
	unknown   = -1
)

// scenario is one call and what the upstream answers to it.
type scenario struct {
	name     string // of the scenario in the drivers
	title    string // of the case, where it is another
	script   upstream.Script
	status   int
	model    string // that the log names; "" unchecked
	streamed bool
	in, out  int64 // tokens
}

// api is a provider as SDKs see it: its path at the upstream, and behind the gateway's address.
type api struct {
	provider string
	path     string // of the upstream's address that an SDK is given
	through  string // behind the provider in the gateway's address
	cases    func(t *testing.T) []scenario
}

func file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func jsonFile(t *testing.T, status int, name string, head ...string) upstream.Script {
	t.Helper()
	return upstream.Answer(status, append([]string{"Content-Type: application/json"}, head...), file(t, name))
}

func sse(t *testing.T, name string, head ...string) upstream.Script {
	t.Helper()
	return upstream.Stream(append([]string{"Content-Type: text/event-stream; charset=utf-8"}, head...), upstream.Events(file(t, name))...)
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pieces cuts text into small pieces that fall anywhere.
func pieces(text string) []string {
	var all []string
	for len(text) > 0 {
		n := min(37, len(text))
		all = append(all, text[:n])
		text = text[n:]
	}
	return all
}

func openAICases(t *testing.T) []scenario {
	speech := make([]byte, 90_000)
	for i := range speech {
		speech[i] = byte(i * i >> 3)
	}
	chat := file(t, "openai/chat.response.json")
	jsonType := "Content-Type: application/json"
	return []scenario{
		{name: "chat", script: jsonFile(t, 200, "openai/chat.response.json", "X-Request-Id: req_1", "Openai-Processing-Ms: 412",
			"Set-Cookie: a=1", "Set-Cookie: b=2"), status: 200, in: 1204, out: 88},
		{name: "stream", script: sse(t, "openai/chat.stream.sse"), status: 200, streamed: true, in: 23, out: 9},
		{name: "stream", title: "stream in pieces that cut events", script: upstream.Stream([]string{"Content-Type: text/event-stream"},
			pieces(file(t, "openai/chat.stream.sse"))...), status: 200, streamed: true, in: 23, out: 9},
		{name: "stream", title: "stream, gzip", script: upstream.Stream([]string{"Content-Type: text/event-stream", "Content-Encoding: gzip"},
			pieces(zipped(t, file(t, "openai/chat.stream.sse")))...), status: 200, streamed: true, in: 23, out: 9},
		{name: "tools", script: sse(t, "openai/chat.tools.stream.sse"), status: 200, streamed: true, in: 96, out: 41},
		{name: "large", script: upstream.JSON(200, chat), status: 200, in: 1204, out: 88},
		{
			name: "chat", title: "gzip", script: upstream.Answer(200, []string{jsonType, "Content-Encoding: gzip"}, zipped(t, chat)),
			status: 200, in: 1204, out: 88,
		},
		{name: "embeddings", script: jsonFile(t, 200, "openai/embeddings.response.json"), status: 200, in: 9, out: unchecked},
		{name: "transcription", script: jsonFile(t, 200, "openai/transcription.response.json"), status: 200, in: 19, out: 6},
		{name: "speech", script: upstream.Answer(200, []string{"Content-Type: audio/mpeg"}, string(speech)), status: 200, in: unknown, out: unknown},
		{name: "speech", title: "speech in chunks", script: upstream.Stream([]string{"Content-Type: audio/mpeg"},
			string(speech[:1]), string(speech[1:40_000]), string(speech[40_000:])), status: 200, in: unknown, out: unknown},
		{name: "chat", title: "wrong key", script: jsonFile(t, 401, "openai/error.401.json", "Www-Authenticate: Bearer"), status: 401, in: unknown, out: unknown},
		{name: "stream", title: "rate limit", script: jsonFile(t, 429, "openai/error.429.rate.json", "Retry-After: 20",
			"X-Ratelimit-Remaining-Requests: 0"), status: 429, in: unknown, out: unknown},
		{name: "chat", title: "server error with a page", script: upstream.Answer(500, []string{"Content-Type: text/html"},
			"<html><body>Bad day</body></html>"), status: 500, in: unknown, out: unknown},
	}
}

// newerCases are what the oldest SDK does not have.
func newerCases(t *testing.T) []scenario {
	return append(openAICases(t), scenario{
		name: "responses", script: sse(t, "openai/responses.stream.sse"), status: 200, streamed: true, in: 2051, out: 70,
	})
}

func anthropicCases(t *testing.T) []scenario {
	return []scenario{
		{name: "chat", script: jsonFile(t, 200, "anthropic/messages.response.json", "Request-Id: req_011"), status: 200, in: 1812, out: 7},
		{name: "stream", script: sse(t, "anthropic/messages.cache.stream.sse"), status: 200, streamed: true, in: 2004, out: 5},
		{name: "tools", script: sse(t, "anthropic/messages.tools.stream.sse"), status: 200, streamed: true, in: 640, out: 95},
		{name: "count", script: jsonFile(t, 200, "anthropic/count_tokens.response.json"), status: 200, in: unchecked, out: unchecked},
		{name: "chat", title: "overloaded", script: jsonFile(t, 529, "anthropic/error.529.json", "X-Should-Retry: true"), status: 529, in: unknown, out: unknown},
	}
}

func replicateCases(t *testing.T) []scenario {
	return []scenario{
		{name: "create", script: jsonFile(t, 201, "replicate/create.response.json"), status: 201, in: unchecked, out: unchecked},
		{name: "get", script: jsonFile(t, 200, "replicate/get.image.response.json"), status: 200, in: unchecked, out: unchecked},
		{name: "create", title: "refused input", script: jsonFile(t, 422, "replicate/error.422.json"), status: 422, in: unchecked, out: unchecked},
	}
}

func huggingfaceCases(t *testing.T) []scenario {
	return []scenario{
		{
			name: "generate", script: upstream.JSON(200, `{"choices":[{"text":"\n    return a + b"}]}`),
			status: 200, model: "bigcode/starcoder", in: unchecked, out: unchecked,
		},
		{
			name: "classify", script: upstream.JSON(200, `[[{"label":"POSITIVE","score":0.98},{"label":"NEGATIVE","score":0.02}]]`),
			status: 200, model: "distilbert/sst-2", in: unchecked, out: unchecked,
		},
		{
			name: "image", script: upstream.JSON(200, `[{"label":"lake","score":0.9}]`),
			status: 200, model: "google/vit", in: unchecked, out: unchecked,
		},
		{
			name: "generate", title: "model is loading", script: jsonFile(t, 503, "huggingface/error.503.loading.json"),
			status: 503, model: "bigcode/starcoder", in: unchecked, out: unchecked,
		},
	}
}

func workersAICases(t *testing.T) []scenario {
	return []scenario{
		{name: "run", script: jsonFile(t, 200, "workers-ai/run.response.json"), status: 200, model: "@cf/meta/llama-3.1-8b-instruct", in: unchecked, out: unchecked},
		{name: "run", title: "bad input", script: jsonFile(t, 400, "workers-ai/error.400.json"), status: 400, in: unchecked, out: unchecked},
	}
}

func TestSDKs(t *testing.T) {
	logExceptions(t)
	up := upstream.New(t, upstream.JSON(500, "{}"))
	g := gateway.Start(t, gateway.Options{Config: "providers:\n" +
		"  openai: {base_url: \"http://" + up.Addr + "/v1\"}\n" +
		"  anthropic: {base_url: \"http://" + up.Addr + "\"}\n" +
		"  replicate: {base_url: \"http://" + up.Addr + "/v1\"}\n" +
		"  huggingface: {base_url: \"http://" + up.Addr + "/models\"}\n" +
		"  workers-ai: {base_url: \"http://" + up.Addr + "/client/v4/accounts/1/ai\"}\n"})
	rig := &rig{up: up, g: g, direct: tap.New(t, up.Addr), through: tap.New(t, g.Addr)}

	var (
		openAI = api{"openai", "/v1", "", openAICases}
		newer  = api{"openai", "/v1", "", newerCases}
		claude = api{"anthropic", "", "", anthropicCases}
		repl   = api{"replicate", "/v1", "", replicateCases}
		hf     = api{"huggingface", "/models", "", huggingfaceCases}
		cf     = api{"workers-ai", "/client/v4/accounts/1/ai/run", "", workersAICases}
		cfRun  = api{"workers-ai", "/client/v4/accounts/1/ai/run", "/run", workersAICases}
	)
	js, py := javascript(t, "js", "driver.mjs"), python(t)
	for _, c := range []struct {
		name, client string
		driver       driver
		api          api
	}{
		{"openai in JavaScript", "openai", js, newer},
		{"openai 4 in JavaScript", "openai-v4", js, openAI},
		{"openai in Python", "openai", py, newer},
		{"openai in Go", "openai", golang{}, newer},
		{"anthropic in JavaScript", "anthropic", js, claude},
		{"anthropic in Python", "anthropic", py, claude},
		{"replicate in JavaScript", "replicate", js, repl},
		{"huggingface in JavaScript, model right after the provider", "huggingface", js, hf},
		{"workers-ai, model right after the provider", "workers-ai", js, cf},
		{"workers-ai, with run", "workers-ai", js, cfRun},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range c.api.cases(t) {
				title := s.title
				if title == "" {
					title = s.name
				}
				t.Run(title, func(t *testing.T) { rig.compare(t, c.driver, c.client, c.api, s) })
			}
		})
	}
}

// rig is an upstream, and the two ways to it.
type rig struct {
	up              *upstream.Server
	g               *gateway.Gateway
	direct, through *tap.Tap
}

// compare makes a call both ways and compares.
func (r *rig) compare(t *testing.T, d driver, client string, a api, s scenario) {
	r.up.Use(s.script)
	seenDirect := d.call(t, call{Client: client, Scenario: s.name, Base: "http://" + r.direct.Addr + a.path})
	direct, directUp := r.one(t, r.direct), r.up.Take()
	seenThrough := d.call(t, call{Client: client, Scenario: s.name, Base: "http://" + r.through.Addr + "/v1/default/default/" + a.provider + a.through})
	through, throughUp := r.one(t, r.through), r.up.Take()
	if len(directUp) != 1 || len(throughUp) != 1 {
		t.Fatalf("the upstream saw %d direct requests and %d through the gateway, want 1 each", len(directUp), len(throughUp))
	}
	if got := through.Response.Status(); got != s.status {
		t.Errorf("status %d, want %d", got, s.status)
	}
	// Within one call: what left on one side has come out on the other.
	sameRequest(t, through.Request, throughUp[0])
	if n := len(through.Response.Body); direct.Left || through.Left {
		n = min(n, len(direct.Response.Body)) // what both had when they left; the outcomes are compared below
		direct.Response.Body, through.Response.Body = direct.Response.Body[:n], through.Response.Body[:n]
	}
	sameResponse(t, direct.Response, through.Response)
	// Between the calls: the upstream, and the application, cannot tell them apart.
	if directUp[0].Target() != throughUp[0].Target() {
		t.Errorf("target %s, direct %s", throughUp[0].Target(), directUp[0].Target())
	}
	sameRequest(t, steady(directUp[0]), steady(throughUp[0]))
	if got, want := r.anywhere(seenThrough), r.anywhere(seenDirect); got != want {
		t.Errorf("the application saw\n%.2000s\ndirectly\n%.2000s", got, want)
	}
	if failed := strings.Contains(string(seenThrough), `"error":{"name"`) || strings.HasPrefix(string(seenThrough), `{"error":`); failed != (s.status >= 300) && client != "workers-ai" {
		t.Errorf("the application saw %.2000s", seenThrough)
	}
	r.logged(t, through, a, s)
}

// one returns the only exchange that passed.
func (r *rig) one(t *testing.T, p *tap.Tap) tap.Exchange {
	t.Helper()
	all := p.Take(t)
	if len(all) != 1 {
		t.Fatalf("%d exchanges passed, want 1", len(all))
	}
	return all[0]
}

// anywhere takes the addresses out of what an application saw: error texts may name them.
func (r *rig) anywhere(seen json.RawMessage) string {
	return regexp.MustCompile(`http://127\.0\.0\.1:\d+/(v1/default/default/[a-z-]+)?[a-z0-9/]*`).ReplaceAllString(strings.TrimSpace(string(seen)), "ADDRESS/")
}

// logged compares the log entry with what passed.
func (r *rig) logged(t *testing.T, x tap.Exchange, a api, s scenario) {
	t.Helper()
	g := r.g.On(t)
	row := g.Row(x.Response.Get("cf-aig-log-id"))
	if row.Provider != a.provider || row.Status() != s.status || row.Success != (s.status < 300) || row.Streamed != s.streamed {
		t.Errorf("log: %s; want provider %s, status %d, streamed %v", row, a.provider, s.status, s.streamed)
	}
	if s.model != "" && row.Model != s.model {
		t.Errorf("log: model %q, want %q", row.Model, s.model)
	}
	if s.model == "" && modelIn(x.Request) != "" && row.Model == "" {
		t.Errorf("log: no model, the request asks for %s", modelIn(x.Request))
	}
	for _, n := range []struct {
		name string
		got  *int64
		want int64
	}{{"tokens_in", row.TokensIn, s.in}, {"tokens_out", row.TokensOut, s.out}} {
		switch {
		case n.want == unchecked:
		case n.want == unknown && n.got != nil:
			t.Errorf("log: %s = %d, want null", n.name, *n.got)
		case n.want >= 0 && (n.got == nil || *n.got != n.want):
			t.Errorf("log: %s is not %d: %s", n.name, n.want, row)
		}
	}
	if row.UserAgent != x.Request.Get("User-Agent") {
		t.Errorf("log: user agent %q, want %q", row.UserAgent, x.Request.Get("User-Agent"))
	}
	for side, want := range map[string][]byte{"request": x.Request.Body, "response": x.Response.Body} {
		if len(want) == 0 {
			continue
		}
		got, err := g.StoredBody(row.ID, side)
		if err != nil {
			t.Error(err)
		}
		if x.Left && side == "response" {
			got = got[:min(len(got), len(want))]
		}
		sameBytes(t, "stored "+side, want, got)
	}
}

// modelIn returns the model of a JSON request.
func modelIn(m *rawhttp.Message) string {
	var body struct{ Model string }
	if json.Unmarshal(m.Body, &body) != nil {
		return ""
	}
	return body.Model
}
