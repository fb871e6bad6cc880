package golden

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// examples is where the wire examples are; their manifest says what a correct reader gets out of each.
var examples = filepath.Join("..", "..", "internal", "wire", "testdata", "examples")

// example is an entry of the manifest.
type example struct {
	File, Provider, Endpoint, Kind string
	Status                         int
	Headers                        map[string]string
	Expect                         struct {
		// Usage has a 0 for what the wire does not tell; nil: there are no counts of tokens.
		Usage       map[string]int64
		Error       json.RawMessage
		SearchUnits *int64       `json:"search_units"`
		Seconds     *float64     // of hardware or speech
		CostUSD     *json.Number `json:"cost_usd"`
	}
}

// TestExamples sends each example through the program, whole and byte by byte, and compares usage.
func TestExamples(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(examples, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Fixtures []example }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	var all []*exchange
	byName := map[string]*example{}
	for i := range manifest.Fixtures {
		e := &manifest.Fixtures[i]
		if e.Provider == "generic" || strings.Contains(e.Endpoint, "{urls.stream}") {
			continue // of no provider, or of a host that the answer before named
		}
		all = append(all, e.exchange(t))
		byName[e.File] = e
	}
	if len(all) < 100 {
		t.Fatalf("%d examples, want at least 100", len(all))
	}
	g := start(t, all)
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			for _, how := range []string{"whole", "bytes"} {
				t.Run(how, func(t *testing.T) { byName[x.name].check(t, g.On(t), x, how) })
			}
		})
	}
}

// places are what stands for the parts of a path that each application has of its own.
var places = strings.NewReplacer(
	"{deployment}", "dep", "{model}", "acme-1", "{modelId}", "anthropic.claude-sonnet-4-5-20250929-v1%3A0",
	"{project}", "p", "{region}", "us-central1", "{id}", "p1",
	"https://api-inference.huggingface.co/models", "", "https://router.huggingface.co", "/acme-1",
	"/client/v4/accounts/{account_id}/ai", "", "/generate_stream, or models/{model} with stream:true", "/acme-1",
)

// before is what stands before the provider's own path.
var before = map[string]string{"azure-openai": "/res", "aws-bedrock": "/bedrock-runtime/us-east-1"}

// exchange is the call that got the example.
func (e *example) exchange(t *testing.T) *exchange {
	t.Helper()
	answer, err := os.ReadFile(filepath.Join(examples, filepath.FromSlash(e.File)))
	if err != nil {
		t.Fatal(err)
	}
	method, path, _ := strings.Cut(e.Endpoint, " ")
	path = places.Replace(path)
	if e.Provider == "huggingface" && strings.HasPrefix(path, "/generate") {
		path = "/acme-1" // an engine of one's own answers at the root as the service does at a model
	}
	x := &exchange{
		name: e.File, method: method, path: "/" + e.Provider + before[e.Provider] + path, status: e.Status, answer: string(answer),
		header: []string{"Content-Type: application/json"},
	}
	if method == "POST" {
		x.body = `{"model":"acme-1","messages":[{"role":"user","content":"Hi"}]}`
	}
	for name, v := range e.Headers {
		x.answerHeader = append(x.answerHeader, name+": "+v)
	}
	return x
}

// check makes the call and compares usage, and the cost that an answer tells.
func (e *example) check(t *testing.T, g *gateway.Gateway, x *exchange, how string) {
	status, body, id, broken := x.call(t, g, how)
	if status != x.status || body != x.answer || broken {
		t.Errorf("the client got %d %q, broken %t", status, body, broken)
	}
	g.Row(id)
	got := fetch(t, g, id)
	failed := e.Kind == "error" || e.Expect.Error != nil
	if got.Success == failed || (got.ErrorText != "") != failed {
		t.Errorf("success %t, error %q; want one: %t", got.Success, got.ErrorText, failed)
	}
	if e.Expect.Usage == nil {
		e.checkUnits(t, x, got)
	} else {
		e.checkTokens(t, got, failed)
	}
	if want := e.Expect.CostUSD; want != nil {
		n, err := amount("1e9 * "+want.String(), nil)
		if err != nil || got.CostBasis != "reported" || got.cost() != n.String() {
			t.Errorf("cost %s, %s; the answer says %s (%v)", got.cost(), got.CostBasis, want, err)
		}
	}
	if t.Failed() {
		t.Log("log:", got)
	}
}

// checkTokens compares counts in the manifest's form. What broke off may have more output, by estimate.
func (e *example) checkTokens(t *testing.T, got *entry, failed bool) {
	t.Helper()
	n := got.counts()
	n["input_total"], n["cache_write"] = n["input"], n["cache_write_5m"]+n["cache_write_1h"]
	n["input_uncached"] = n["input"] - n["cache_read"] - n["cache_write"]
	for class, want := range e.Expect.Usage {
		if v := n[class]; v != want && (!failed || class != "output" || v < want) {
			t.Errorf("usage: %s %d, want %d", class, v, want)
		}
	}
	if basis := got.basis(); basis != "provider" && (!failed || basis != "partial") {
		t.Errorf("basis %s", basis)
	}
}

// checkUnits sees that no tokens are known, unless by estimate, and compares what is no token.
func (e *example) checkUnits(t *testing.T, x *exchange, got *entry) {
	t.Helper()
	want := map[string]int64{}
	if n := e.Expect.SearchUnits; n != nil {
		want["search_units"] = *n
	}
	if s := e.Expect.Seconds; s != nil && x.method != "GET" {
		want["milliseconds"] = int64(math.Round(*s * 1000))
	}
	basis := got.basis()
	if len(want) > 0 && basis != "provider" || len(want) == 0 && basis == "provider" {
		t.Errorf("basis %s, want %v", basis, want)
	}
	if basis == "none" && len(got.counts()) > 0 || basis == "provider" && fmt.Sprint(got.counts()) != fmt.Sprint(want) {
		t.Errorf("basis %s, usage %v; want %v", basis, got.counts(), want)
	}
	if e.Kind == "error" && basis != "none" {
		t.Errorf("a refused call has usage: %s %v", basis, got.counts())
	}
}
