package golden

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// named is the header by which the upstream learns which answer to give, and how.
const named = "X-Golden"

// TestBills sends each exchange through the program, its answer whole and byte by byte, and streams also
// cut, and compares the log with the recording.
func TestBills(t *testing.T) {
	all := exchanges(t)
	g := start(t, all)
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			for _, how := range []string{"whole", "bytes"} {
				t.Run(how, func(t *testing.T) { x.check(t, g.On(t), how) })
			}
			if !x.streamed() {
				return
			}
			for _, how := range []string{"cut-1", "cut-2", "cut-3"} {
				t.Run(how, func(t *testing.T) { x.checkCut(t, g.On(t), how) })
			}
		})
	}
}

// TestWrongCountsOfOthersAreBilled: item 3.1 of the list of other gateways' bugs has eleven parts, and a
// call whose prompt was in the cache never costs more than the one that put it there.
func TestWrongCountsOfOthersAreBilled(t *testing.T) {
	bills := map[string]bill{}
	for _, x := range exchanges(t) {
		bills[x.name] = x.bill
	}
	for item := 1; item <= 11; item++ {
		mark := fmt.Sprintf("-3.1-%02d", item)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(bills)), func(name string) bool { return strings.Contains(name, mark) }) {
			t.Errorf("no exchange for 3.1, item %d", item)
		}
	}
	hot, cold := bills["openai-3.1-01-hot"].total, bills["openai-3.1-01-cold"].total
	if hot == nil || cold == nil || hot.Cmp(cold) > 0 {
		t.Errorf("the hot call costs %s, the cold one %s", hot, cold)
	}
}

// start starts the program with an upstream in place of every provider.
func start(t *testing.T, all []*exchange) *gateway.Gateway {
	t.Helper()
	byName := map[string]*exchange{}
	providers := map[string]bool{}
	for _, x := range all {
		byName[x.name] = x
		providers[x.provider()] = true
	}
	up := upstream.New(t, func(req *rawhttp.Message, c *upstream.Conn) bool {
		name, how, _ := strings.Cut(req.Get(named), " ")
		x := byName[name]
		if x == nil {
			return false
		}
		return x.send(c, how)
	})
	config := "providers:\n"
	for _, slug := range slices.Sorted(maps.Keys(providers)) {
		config += fmt.Sprintf("  %s: {base_url: \"http://%s%s\"}\n", slug, up.Addr, prefixes[slug])
	}
	return gateway.Start(t, gateway.Options{Config: config})
}

// prefixes are the paths of the providers' own addresses, as far as they have one.
var prefixes = map[string]string{
	"baseten": "/v1", "cerebras": "/v1", "cohere": "/v1", "fireworks": "/inference/v1", "grok": "/v1", "groq": "/openai/v1",
	"huggingface": "/models", "llamacpp": "/v1", "ollama": "/v1", "openai": "/v1", "openrouter": "/api/v1", "replicate": "/v1",
	"vllm": "/v1", "workers-ai": "/client/v4/accounts/0123456789abcdef0123456789abcdef/ai",
}

// send is the upstream's side: whole, bytes, or cut-1 to cut-3.
func (x *exchange) send(c *upstream.Conn, how string) bool {
	head := append([]string{fmt.Sprintf("HTTP/1.1 %d %s", x.status, http.StatusText(x.status))}, x.answerHeader...)
	write := c.Send
	if x.streamed() {
		head = append(head, "Transfer-Encoding: chunked")
		write = c.Chunk
	} else {
		head = append(head, fmt.Sprintf("Content-Length: %d", len(x.answer)))
	}
	c.Send(strings.Join(head, "\r\n") + "\r\n\r\n")
	switch body := x.sent(how); how {
	case "bytes":
		for i := range len(body) {
			write(body[i : i+1])
		}
	case "whole":
		write(body)
	default:
		write(body)
		return false
	}
	if x.streamed() {
		c.Send("0\r\n\r\n")
	}
	return true
}

// sent is the part of the body that the upstream sends.
func (x *exchange) sent(how string) string {
	switch n := len(x.answer); how {
	case "cut-1":
		return x.answer[:n/3]
	case "cut-2":
		return x.answer[:2*n/3]
	case "cut-3":
		return x.answer[:n-1]
	}
	return x.answer
}

// entry is what the log says of an exchange.
type entry struct {
	Status    int            `json:"status_code"`
	Ending    string         `json:"ending"`
	Success   bool           `json:"success"`
	Served    string         `json:"served_model"`
	Finish    string         `json:"finish"`
	ErrorText string         `json:"error_text"`
	Tier      string         `json:"service_tier"`
	Geo       string         `json:"inference_geo"`
	Cost      *json.Number   `json:"cost"`
	CostBasis string         `json:"cost_basis"`
	Usage     map[string]any `json:"usage"`
	Charges   []struct {
		Model string         `json:"model"`
		Tier  string         `json:"service_tier"`
		Usage map[string]any `json:"usage"`
	} `json:"charges"`
	Attempts json.RawMessage `json:"attempts"`
	Notes    []string        `json:"notes"`
}

// basis is where the counts come from.
func (e *entry) basis() string {
	s, _ := e.Usage["basis"].(string)
	return s
}

// counts are the known classes.
func (e *entry) counts() map[string]int64 { return countsOf(e.Usage) }

func countsOf(usage map[string]any) map[string]int64 {
	known := map[string]int64{}
	for class, n := range usage {
		if f, ok := n.(float64); ok {
			known[class] = int64(f)
		}
	}
	return known
}

// String shows the entry in failures.
func (e *entry) String() string {
	b, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// call makes the call and returns what the client got, and the id of the log entry. broken says that the
// answer ended in a break.
func (x *exchange) call(t *testing.T, g *gateway.Gateway, how string) (status int, body, id string, broken bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), x.method, "http://"+g.Addr+"/v1/default/default"+x.path, strings.NewReader(x.body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range x.header {
		name, v, _ := strings.Cut(f, ": ")
		req.Header.Set(name, v)
	}
	req.Header.Set(named, x.name+" "+how)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Header.Get("cf-aig-log-id"), err != nil
}

var client = &http.Client{Transport: &http.Transport{DisableCompression: true}}

// logged fetches an entry once its exchange has ended, and where the gateway counts itself, once it has.
func (x *exchange) logged(t *testing.T, g *gateway.Gateway, id string) *entry {
	t.Helper()
	g.Row(id)
	e := fetch(t, g, id)
	if x.bill.basis == "" {
		return e
	}
	g.Eventually("a count", func() bool {
		e = fetch(t, g, id)
		return e.basis() == x.bill.basis && e.cost() == x.bill.cost(t, e.counts())
	}, func() string { return e.String() })
	return e
}

func fetch(t *testing.T, g *gateway.Gateway, id string) *entry {
	t.Helper()
	_, _, text, err := g.Get("/gateways/default/logs/" + id + "?basis=requests")
	if err != nil {
		t.Fatal(err)
	}
	var detail struct{ Result entry }
	if err := json.Unmarshal(text, &detail); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return &detail.Result
}

// check makes the call with a whole answer and compares all that the log says of it.
func (x *exchange) check(t *testing.T, g *gateway.Gateway, how string) {
	status, body, id, broken := x.call(t, g, how)
	if status != x.status || body != x.answer || broken {
		t.Errorf("the client got %d %q, broken %t", status, body, broken)
	}
	e := x.logged(t, g, id)
	x.checkUsage(t, e)
	if !e.charged(x.want.Charges) {
		t.Errorf("charges %+v, want %+v", e.Charges, x.want.Charges)
	}
	for _, c := range []struct{ what, got, want string }{
		{"model", e.Served, x.want.Model},
		{"finish", e.Finish, x.want.Finish},
		{"tier", e.Tier, x.want.Tier},
		{"geo", e.Geo, x.want.Geo},
		{"error", e.ErrorText, x.want.Error},
		{"cost", e.cost(), x.bill.cost(t, e.counts())},
		{"cost_basis", e.CostBasis, x.bill.costBasis},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
	if ok := x.status < 300 && x.want.Error == ""; e.Status != x.status || e.Success != ok {
		t.Errorf("status %d, success %t; want %d, %t", e.Status, e.Success, x.status, ok)
	}
	if t.Failed() {
		t.Log("log:", e)
	}
}

// charged tells whether the log has these charges of other models, and no others.
func (e *entry) charged(want []charge) bool {
	if len(e.Charges) != len(want) {
		return false
	}
	for i, c := range e.Charges {
		if c.Model != want[i].Model || c.Tier != want[i].Tier || !maps.Equal(countsOf(c.Usage), want[i].Usage) {
			return false
		}
	}
	return true
}

// checkUsage compares counts. Where the gateway counted itself, the provider's counts are there too, and
// only what breaks off has more output than the provider counted.
func (x *exchange) checkUsage(t *testing.T, e *entry) {
	t.Helper()
	got, want, basis := e.counts(), x.want.counts(), x.want.Basis
	if x.bill.basis == "" {
		if e.basis() != basis || !maps.Equal(got, want) {
			t.Errorf("usage: basis %s, %v; want %s, %v", e.basis(), got, basis, want)
		}
		return
	}
	for class, n := range want {
		if m, ok := got[class]; !ok || m != n && (class != "output" || m < n) {
			t.Errorf("usage: %v; the provider counted %v", got, want)
		}
	}
}

// cost is the cost in billionths of a dollar, exactly, or null.
func (e *entry) cost() string {
	if e.Cost == nil {
		return "null"
	}
	v, ok := new(big.Rat).SetString(e.Cost.String())
	if !ok {
		return e.Cost.String() + ", which is no decimal number"
	}
	v.Mul(v, big.NewRat(1e9, 1))
	return v.RatString()
}

// checkCut makes the call with a stream that breaks off. The client sees the break, and the log says so.
// The provider's counts are there as far as they came; once all are, and the tier, so is the bill.
func (x *exchange) checkCut(t *testing.T, g *gateway.Gateway, how string) {
	status, body, id, broken := x.call(t, g, how)
	if status != x.status || body != x.sent(how) || !broken {
		t.Errorf("the client got %d %q, broken %t", status, body, broken)
	}
	g.Row(id)
	e := fetch(t, g, id)
	got, want := e.counts(), x.want.counts()
	switch e.basis() {
	case "none":
		if len(got) != 0 {
			t.Error("counts without a basis")
		}
	case "partial":
	case "provider":
		for class, n := range got {
			if m, ok := want[class]; !ok || m != n {
				t.Errorf("usage: %s %d, want %d", class, n, m)
			}
		}
	default:
		t.Errorf("basis %s", e.basis())
	}
	if e.Ending != "cut" || e.Success || e.Status != x.status {
		t.Errorf("ending %s, success %t, status %d", e.Ending, e.Success, e.Status)
	}
	switch all := len(want) > 0 && maps.Equal(got, want) && e.Tier == x.want.Tier && e.Geo == x.want.Geo && e.charged(x.want.Charges); {
	case len(got) == 0 || x.bill.costBasis == "unknown":
		if e.Cost != nil || e.CostBasis != "unknown" {
			t.Errorf("cost %s of something unknown", e.cost())
		}
	case all && e.cost() != x.bill.cost(t, got):
		t.Errorf("cost %s, want %s", e.cost(), x.bill.cost(t, got))
	}
	if t.Failed() {
		t.Log("log:", e)
	}
}

// TestExplainComesToTheBill: the arithmetic that the program shows of a logged call is the one that made its
// cost.
func TestExplainComesToTheBill(t *testing.T) {
	all := exchanges(t)
	g := start(t, all)
	for _, x := range all {
		if x.bill.costBasis != "catalogue" || x.bill.basis != "" {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			_, _, id, _ := x.call(t, g.On(t), "whole")
			g.On(t).Row(id)
			out, code := gateway.Run(t, "price", "explain", id, "--json", "--url", "http://"+g.Addr)
			var v struct {
				Cost   *json.Number `json:"cost"`
				Logged *json.Number `json:"logged_cost"`
				Text   string       `json:"text"`
			}
			if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 {
				t.Fatalf("%d %v: %s", code, err, out)
			}
			want := x.bill.cost(t, nil)
			for _, cost := range []*json.Number{v.Cost, v.Logged} {
				if got := (&entry{Cost: cost}).cost(); got != want {
					t.Errorf("%s, want %s:\n%s", got, want, v.Text)
				}
			}
		})
	}
}
