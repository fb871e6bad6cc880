package proxy_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
)

// advised is an answer of claude-haiku-4-5 that asked another model for advice.
const advised = `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn",` +
	`"usage":{"input_tokens":100,"output_tokens":20,"iterations":[{"type":"message","input_tokens":100,"output_tokens":20},` +
	`{"type":"advisor_message","model":"ADVISER","input_tokens":200,"output_tokens":30}]}}`

// TestOtherModelsAndOtherAttemptsStandOnTheBill: the first step's answer breaks off, or turns into an error,
// behind its count of input; the second's has a charge of another model.
func TestOtherModelsAndOtherAttemptsStandOnTheBill(t *testing.T) {
	// claude-haiku-4-5: 1 and 5 dollars a million, claude-opus-5: 5 and 25, claude-sonnet-4-6: 3 for input.
	const answer, lost = 1000 * (100*1 + 20*5 + 200*5 + 30*25), 1000 * 70 * 3
	const start = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-sonnet-4-6\",\"content\":[],\"usage\":{\"input_tokens\":70}}}\n\n"
	for name, tt := range map[string]struct {
		first    string // the model of the first step
		adviser  string
		broken   bool // the first answer breaks off, else it turns into an error
		custom   string
		cost     sluice.NanoUSD
		basis    sluice.CostBasis
		attempts [2]sluice.NanoUSD // -1: not known
	}{
		"an error":                        {"claude-sonnet-4-6", "claude-opus-5", false, "", answer + lost, sluice.CostCatalogue, [2]sluice.NanoUSD{lost, answer}},
		"a break":                         {"claude-sonnet-4-6", "claude-opus-5", true, "", answer + lost, sluice.CostCatalogue, [2]sluice.NanoUSD{lost, answer}},
		"an adviser without a price":      {"claude-sonnet-4-6", "nobody", false, "", 0, sluice.CostUnknown, [2]sluice.NanoUSD{lost, -1}},
		"a first step without a price":    {"nobody", "claude-opus-5", false, "", 0, sluice.CostUnknown, [2]sluice.NanoUSD{-1, answer}},
		"a price of the request's tokens": {"claude-sonnet-4-6", "nobody", false, `{"per_token_in":1e-6,"per_token_out":2e-6}`, 1000 * (370 + 2*50), sluice.CostCustom, [2]sluice.NanoUSD{70_000, 400_000}},
		"a price of the whole request":    {"claude-sonnet-4-6", "nobody", false, `{"total_cost":0.01}`, 10_000_000, sluice.CostCustom, [2]sluice.NanoUSD{0, 10_000_000}},
	} {
		t.Run(name, func(t *testing.T) {
			g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				if !strings.Contains(string(text), `"stream":true`) {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, strings.Replace(advised, "ADVISER", tt.adviser, 1))
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = io.WriteString(w, start)
				_ = http.NewResponseController(w).Flush()
				if tt.broken {
					panic(http.ErrAbortHandler)
				}
				_, _ = io.WriteString(w, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n")
			}, nil)
			step := func(query string) string {
				return `{"provider":"anthropic","endpoint":"v1/messages","headers":{"x-api-key":"k"},"query":` + query + `}`
			}
			header := http.Header{}
			if tt.custom != "" {
				header.Set("Cf-Aig-Custom-Cost", tt.custom)
			}
			resp, text := post(g, "", steps(step(`{"model":"`+tt.first+`","stream":true}`), step(`{"model":"claude-haiku-4-5"}`)), header)
			if resp.StatusCode != http.StatusOK || !strings.Contains(text, tt.adviser) {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			e := g.Row()
			if e.Cost != tt.cost || e.CostBasis != tt.basis || e.Priced != (tt.basis != sluice.CostUnknown) {
				t.Errorf("cost %d %v, want %d %v", e.Cost, e.CostBasis, tt.cost, tt.basis)
			}
			if len(e.Charges) != 1 || e.Charges[0].Model != tt.adviser {
				t.Errorf("charges %+v", e.Charges)
			}
			if in, _ := e.Usage.Get(sluice.Input); in != 100 {
				t.Errorf("input %d: another model's is none of it", in)
			}
			if len(e.Attempts) != 2 {
				t.Fatalf("attempts %+v", e.Attempts)
			}
			for i, want := range tt.attempts {
				if a := &e.Attempts[i]; a.Priced != (want >= 0) || a.Priced && a.Cost != want {
					t.Errorf("attempt %d: %d, %t; want %d", i, a.Cost, a.Priced, want)
				}
			}
			a := price.Embedded().Account(&e, price.FactorsOf(&e, price.Reported{}))
			if tt.custom == "" && (a.Known != e.Priced || a.Total != e.Cost) {
				t.Errorf("the arithmetic comes to %d, %t, and the log says %d, %t:\n%s", a.Total, a.Known, e.Cost, e.Priced, a.Explain())
			}
		})
	}
}
