package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestAModelOfAnotherDialectByTheUnifiedEndpoint: an OpenAI client calls Claude through the program; answer and bill
// are right.
func TestAModelOfAnotherDialectByTheUnifiedEndpoint(t *testing.T) {
	const claude = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Ljubljana."}],"stop_reason":"end_turn","usage":{"input_tokens":12,"cache_read_input_tokens":100,"output_tokens":7}}`
	up := upstream.New(t, upstream.JSON(200, claude))
	g := gateway.Start(t, gateway.Options{Config: "providers: {anthropic: {base_url: 'http://" + up.Addr + "'}}\n"})
	resp, body := g.Post("compat", "chat/completions", `{"model":"anthropic/claude-haiku-4-5","messages":[{"role":"user","content":"Capital of Slovenia?"}],"seed":1}`,
		"Authorization", "Bearer sk-ant-x")
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
		Usage   struct {
			Prompt int `json:"prompt_tokens"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || resp.StatusCode != 200 || answer.Choices[0].Message.Content != "Ljubljana." || answer.Usage.Prompt != 112 {
		t.Fatalf("%d %v %s", resp.StatusCode, err, body)
	}
	seen := up.Take()
	if len(seen) != 1 || seen[0].Get("x-api-key") != "sk-ant-x" || seen[0].Get("Authorization") != "" {
		t.Errorf("the provider got %v", seen)
	}
	row := g.Row(resp.Header.Get("cf-aig-log-id"))
	if row == nil || !strings.Contains(row.String(), "anthropic") || !strings.Contains(row.String(), "112") {
		t.Errorf("logged %v", row)
	}
}
