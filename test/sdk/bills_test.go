package sdk

import (
	"encoding/json"
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/tap"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// billed is a scenario whose counts and cost are known from what the upstream's script says.
type billed struct {
	scenario
	usage map[string]int64 // by class; nil: nothing is known
	// cost is arithmetic in millionths of a US dollar: tokens × dollars for a million, at the prices
	// that `sluice price get` shows; "": not known.
	cost   string
	ending string // "": complete
	// estimated, when not "", is the basis of counts that the gateway has to estimate, some time after
	// the answer: they are there then and no more is said of them.
	estimated string
}

func geminiBills(t *testing.T) []billed {
	return []billed{
		{
			scenario: scenario{name: "chat", script: jsonFile(t, 200, "google-ai-studio/generate.response.json"), status: 200, model: "gemini-2.5-flash", in: 1300, out: 63},
			usage:    map[string]int64{"input": 1300, "cache_read": 1024, "output": 63, "reasoning": 61},
			cost:     "276*0.3 + 1024*0.03 + 63*2.5",
		},
		{
			scenario: scenario{name: "stream", script: sse(t, "google-ai-studio/stream.sse"), status: 200, model: "gemini-3.5-flash", streamed: true, in: 24, out: 26},
			usage:    map[string]int64{"input": 24, "output": 26, "reasoning": 18},
			cost:     "24*1.5 + 26*9",
		},
		{
			scenario: scenario{name: "stream", title: "tools", script: sse(t, "google-ai-studio/stream.tools.sse"), status: 200, model: "gemini-3.5-flash", streamed: true, in: 88, out: 64},
			usage:    map[string]int64{"input": 88, "output": 64, "reasoning": 40},
			cost:     "88*1.5 + 64*9",
		},
		{
			scenario:  scenario{name: "embed", title: "an answer without counts", script: upstream.JSON(200, `{"embeddings":[{"values":[0.25,-0.5]}]}`), status: 200, model: "gemini-embedding-001", in: unchecked, out: unknown},
			estimated: "estimated",
		},
		{
			scenario: scenario{name: "chat", title: "rate limit", script: jsonFile(t, 429, "google-ai-studio/error.429.json"), status: 429, model: "gemini-2.5-flash", in: unknown, out: unknown},
		},
	}
}

func mistralBills(t *testing.T) []billed {
	return []billed{
		{
			scenario: scenario{name: "chat", script: jsonFile(t, 200, "mistral/chat.response.json"), status: 200, model: "mistral-small-latest", in: 18, out: 4},
			usage:    map[string]int64{"input": 18, "cache_read": 0, "output": 4},
			cost:     "18*0.15 + 4*0.6",
		},
		{
			scenario: scenario{name: "stream", script: sse(t, "mistral/chat.thinking.stream.sse"), status: 200, model: "magistral-medium-latest", streamed: true, in: 15, out: 19},
			usage:    map[string]int64{"input": 15, "output": 19},
			cost:     "15*2 + 19*5",
		},
		{
			scenario: scenario{name: "stream", title: "tools", script: sse(t, "mistral/chat.tools.stream.sse"), status: 200, model: "magistral-medium-latest", streamed: true, in: 140, out: 40},
			usage:    map[string]int64{"input": 140, "output": 40},
			cost:     "140*2 + 40*5",
		},
		{
			scenario: scenario{name: "chat", title: "refused input", script: jsonFile(t, 422, "mistral/error.422.json"), status: 422, model: "mistral-small-latest", in: unknown, out: unknown},
		},
	}
}

// Cohere bills other counts than the tokens that it read and wrote.
func cohereBills(t *testing.T) []billed {
	return []billed{
		{
			scenario: scenario{name: "chat", script: jsonFile(t, 200, "cohere/v2.chat.response.json"), status: 200, model: "command-a-03-2025", in: 512, out: 6},
			usage:    map[string]int64{"input": 512, "cache_read": 448, "output": 6, "billed_input": 7, "billed_output": 4},
			cost:     "7*2.5 + 4*10",
		},
		{
			scenario: scenario{name: "stream", script: sse(t, "cohere/v2.chat.stream.sse"), status: 200, model: "command-a-03-2025", streamed: true, in: 512, out: 14},
			usage:    map[string]int64{"input": 512, "output": 14, "billed_input": 7, "billed_output": 12},
			cost:     "7*2.5 + 12*10",
		},
		{
			scenario: scenario{name: "embed", script: jsonFile(t, 200, "cohere/embed.v2.response.json"), status: 200, model: "embed-v4.0", in: unchecked, out: unchecked},
			usage:    map[string]int64{"input": 4},
			cost:     "4*0.12",
		},
		{
			scenario: scenario{name: "rerank", script: jsonFile(t, 200, "cohere/rerank.v2.response.json"), status: 200, model: "rerank-v3.5", in: unknown, out: unknown},
			usage:    map[string]int64{"search_units": 1},
			cost:     "1*2*1000", // dollars for a thousand
		},
		{
			scenario: scenario{name: "chat", title: "rate limit", script: jsonFile(t, 429, "cohere/error.429.json"), status: 429, model: "command-a-03-2025", in: unknown, out: unknown},
		},
	}
}

func groqBills(t *testing.T) []billed {
	whole := `{"id":"chatcmpl-g","object":"chat.completion","created":1795340060,"model":"openai/gpt-oss-20b","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"Drava."},"finish_reason":"stop"}],"usage":{"queue_time":0.02,"prompt_tokens":300,` +
		`"prompt_tokens_details":{"cached_tokens":256},"completion_tokens":9,"total_tokens":309},"x_groq":{"id":"req_1"}}`
	return []billed{
		{
			scenario: scenario{name: "chat", script: upstream.JSON(200, whole), status: 200, model: "openai/gpt-oss-20b", in: 300, out: 9},
			usage:    map[string]int64{"input": 300, "cache_read": 256, "output": 9},
			cost:     "44*0.075 + 256*0.0375 + 9*0.3",
		},
		{
			scenario: scenario{name: "stream", script: sse(t, "groq/chat.stream.sse"), status: 200, model: "openai/gpt-oss-20b", streamed: true, in: 80, out: 26},
			usage:    map[string]int64{"input": 80, "cache_read": 64, "output": 26, "reasoning": 15},
			cost:     "16*0.075 + 64*0.0375 + 26*0.3",
		},
		{
			scenario: scenario{name: "chat", title: "no capacity", script: jsonFile(t, 498, "groq/error.498.json"), status: 498, model: "openai/gpt-oss-20b", in: unknown, out: unknown},
		},
	}
}

func bedrockBills(t *testing.T) []billed {
	const model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
	head := []string{"Content-Type: application/vnd.amazon.eventstream", "X-Amzn-Requestid: 1b2c"}
	frames := file(t, "aws-bedrock/converse-stream.bin")
	usage := map[string]int64{"input": 1234, "cache_read": 1024, "cache_write_5m": 0, "output": 58}
	const cost = "210*3 + 1024*0.3 + 58*15"
	return []billed{
		{
			scenario: scenario{name: "chat", script: jsonFile(t, 200, "aws-bedrock/converse.response.json"), status: 200, model: model, in: 1234, out: 58},
			usage:    usage, cost: cost,
		},
		{
			scenario: scenario{name: "stream", script: upstream.Stream(head, frames), status: 200, model: model, streamed: true, in: 1234, out: 58},
			usage:    usage, cost: cost,
		},
		{
			scenario: scenario{name: "stream", title: "stream in pieces that cut frames", script: upstream.Stream(head, pieces(frames)...), status: 200, model: model, streamed: true, in: 1234, out: 58},
			usage:    usage, cost: cost,
		},
		{
			scenario: scenario{name: "stream", title: "reasoning", script: upstream.Stream(head, file(t, "aws-bedrock/converse-stream.reasoning.bin")), status: 200, model: model, streamed: true, in: 20, out: 15},
			usage:    map[string]int64{"input": 20, "output": 15},
			cost:     "20*3 + 15*15",
		},
		{
			scenario: scenario{name: "stream", title: "an exception within the stream", script: upstream.Stream(head, file(t, "aws-bedrock/converse-stream.exception.bin")), status: 200, model: model, streamed: true, in: unknown, out: unknown},
			ending:   "error_event", estimated: "partial",
		},
		{
			scenario: scenario{name: "chat", title: "throttled", script: jsonFile(t, 429, "aws-bedrock/error.429.json", "X-Amzn-Errortype: ThrottlingException"), status: 429, model: model, in: unknown, out: unknown},
		},
	}
}

// TestBills calls further SDKs and compares usage and cost in the log with what the upstream's script says.
func TestBills(t *testing.T) {
	up := upstream.New(t, upstream.JSON(500, "{}"))
	g := gateway.Start(t, gateway.Options{Config: "providers:\n" +
		"  google-ai-studio: {base_url: \"http://" + up.Addr + "\"}\n" +
		"  mistral: {base_url: \"http://" + up.Addr + "\"}\n" +
		"  cohere: {base_url: \"http://" + up.Addr + "/v1\"}\n" +
		"  groq: {base_url: \"http://" + up.Addr + "/openai/v1\"}\n" +
		"  aws-bedrock: {base_url: \"http://" + up.Addr + "\"}\n"})
	r := &rig{up: up, g: g, direct: tap.New(t, up.Addr), through: tap.New(t, g.Addr)}
	js := javascript(t, "js", "billed.mjs")
	for _, c := range []struct {
		client string
		api    api
		bills  func(*testing.T) []billed
	}{
		{"gemini", api{provider: "google-ai-studio"}, geminiBills},
		{"mistral", api{provider: "mistral"}, mistralBills},
		{"cohere", api{provider: "cohere"}, cohereBills},
		{"groq", api{provider: "groq"}, groqBills},
		{"bedrock", api{provider: "aws-bedrock", through: "/bedrock-runtime/us-east-1"}, bedrockBills},
	} {
		t.Run(c.client, func(t *testing.T) {
			for _, b := range c.bills(t) {
				title := b.title
				if title == "" {
					title = b.name
				}
				t.Run(title, func(t *testing.T) { r.bill(t, js, c.client, c.api, b) })
			}
		})
	}
}

// bill makes a call both ways. Requests are compared within one call only: each has an id or a signature
// of its own.
func (r *rig) bill(t *testing.T, d driver, client string, a api, b billed) {
	r.up.Use(b.script)
	direct := d.call(t, call{Client: client, Scenario: b.name, Base: "http://" + r.direct.Addr + a.path})
	directUp := r.up.Take()
	r.one(t, r.direct)
	seen := d.call(t, call{Client: client, Scenario: b.name, Base: "http://" + r.through.Addr + "/v1/default/default/" + a.provider + a.through})
	x, throughUp := r.one(t, r.through), r.up.Take()
	if len(directUp) != 1 || len(throughUp) != 1 {
		t.Fatalf("the upstream saw %d direct requests and %d through the gateway, want 1 each; the application saw %s", len(directUp), len(throughUp), seen)
	}
	if directUp[0].Target() != throughUp[0].Target() {
		t.Errorf("target %s, direct %s", throughUp[0].Target(), directUp[0].Target())
	}
	sameRequest(t, x.Request, throughUp[0])
	if got := x.Response.Status(); got != b.status {
		t.Errorf("status %d, want %d", got, b.status)
	}
	if got, want := r.anywhere(seen), r.anywhere(direct); got != want {
		t.Errorf("the application saw\n%.2000s\ndirectly\n%.2000s", got, want)
	}
	if failed := strings.HasPrefix(string(seen), `{"error":`); failed == (b.status == 200 && b.ending == "") {
		t.Errorf("the application saw %.2000s", seen)
	}
	if b.ending == "" {
		r.logged(t, x, a, b.scenario)
	}
	r.charged(t, x.Response.Get("cf-aig-log-id"), b)
}

// charge is what the log says of an exchange's counts and cost.
type charge struct {
	Cost      *json.Number   `json:"cost"`
	CostBasis string         `json:"cost_basis"`
	Usage     map[string]any `json:"usage"`
}

func chargeOf(t *testing.T, g *gateway.Gateway, id string) charge {
	t.Helper()
	_, _, text, err := g.Get("/gateways/default/logs/" + id)
	if err != nil {
		t.Fatal(err)
	}
	var detail struct {
		Result charge `json:"result"`
	}
	if err := json.Unmarshal(text, &detail); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return detail.Result
}

// charged compares counts and cost in the log with the fixture.
func (r *rig) charged(t *testing.T, id string, b billed) {
	t.Helper()
	g := r.g.On(t)
	row := g.Row(id)
	ending := b.ending
	if ending == "" {
		ending = "complete"
	}
	if row.Ending != ending {
		t.Errorf("log: ending %s, want %s", row.Ending, ending)
	}
	got := chargeOf(t, g, id)
	if b.estimated != "" {
		g.Eventually("an estimate", func() bool {
			got = chargeOf(t, g, id)
			return got.Usage["basis"] == b.estimated && got.Usage["input"] != nil && got.Cost != nil
		}, func() string { return fmt.Sprint(got) })
		return
	}
	basis, want := "none", map[string]int64{}
	if b.usage != nil {
		basis = "provider"
		maps.Copy(want, b.usage)
	}
	counts := map[string]int64{}
	for class, n := range got.Usage {
		if f, ok := n.(float64); ok {
			counts[class] = int64(f)
		}
	}
	if got.Usage["basis"] != basis || !maps.Equal(counts, want) {
		t.Errorf("log: usage %v, want basis %s and %v", got.Usage, basis, want)
	}
	sameCost(t, got.Cost, b.cost)
	if b.cost != "" && got.CostBasis != "catalogue" {
		t.Errorf("log: cost_basis %s, want catalogue", got.CostBasis)
	}
}

// sameCost compares a cost in dollars with arithmetic in millionths, exactly.
func sameCost(t *testing.T, got *json.Number, arithmetic string) {
	t.Helper()
	switch {
	case arithmetic == "" && got != nil:
		t.Errorf("log: cost %s, want null", *got)
		return
	case arithmetic == "":
		return
	case got == nil:
		t.Errorf("log: cost null, want %s", arithmetic)
		return
	}
	want, err := types.Eval(token.NewFileSet(), nil, token.NoPos, arithmetic)
	if err != nil {
		t.Fatal(err)
	}
	logged, err := types.Eval(token.NewFileSet(), nil, token.NoPos, fmt.Sprintf("%s * 1000000", *got))
	if err != nil {
		t.Fatal(err)
	}
	if !constant.Compare(constant.ToFloat(logged.Value), token.EQL, constant.ToFloat(want.Value)) {
		t.Errorf("log: cost $%s, want %s = %s millionths", *got, arithmetic, want.Value)
	}
}
