package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestFirstSteps does what a newcomer does: starts it with nothing configured, sends the call that it
// prints, and looks at the log.
func TestFirstSteps(t *testing.T) {
	g := gateway.Start(t, gateway.Options{})
	var printed []string
	g.Eventually("a curl in what is printed", func() bool {
		printed = regexp.MustCompile(`(?s)curl http://[^/\s]+/v1/default/default/([a-z]+)/(\S+).*?-d '([^']*)'`).FindStringSubmatch(g.Output())
		return printed != nil
	}, g.Output)
	resp, body := g.Post(printed[1], printed[2], printed[3])
	if resp.StatusCode != 200 || !strings.Contains(string(body), "Hello, Sluice") {
		t.Fatalf("the printed call gets %d %s", resp.StatusCode, body)
	}
	row := g.Row(resp.Header.Get("cf-aig-log-id"))
	if row.Provider != "echo" || !row.Success || row.TokensIn == nil || row.TokensOut == nil {
		t.Errorf("log: %s; want a success with tokens", row)
	}
	out, code := gateway.Run(t, "logs", "list", "--json", "--url", "http://"+g.Addr)
	if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, row.ID) {
		t.Errorf("logs list ended with %d: %s; want the call", code, out)
	}
	out, code = gateway.Run(t, "chat", "--url", "http://"+g.Addr, "Good morning")
	if code != 0 || !strings.Contains(out, "Good morning") {
		t.Errorf("chat ended with %d: %s", code, out)
	}
	if code := g.Stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

func TestCustomHostName(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, answered))
	g := gateway.Start(t, gateway.Options{Config: to("http://"+up.Addr+"/v1") + "hosts: {ai.example.com: {}}\n"})
	resp, err := rawhttp.Do(g.Addr, "GET /openai/models?x=1 HTTP/1.1\r\nHost: ai.example.com\r\nConnection: close\r\n\r\n")
	if err != nil || resp.Status() != 200 {
		t.Fatal(resp, err)
	}
	if seen := up.Take(); len(seen) != 1 || seen[0].Target() != "/v1/models?x=1" {
		t.Errorf("upstream got %v", seen)
	}
}

func TestReloadKeepsWhatWorks(t *testing.T) {
	one := upstream.New(t, upstream.JSON(200, `{"from":"one"}`))
	two := upstream.New(t, upstream.JSON(200, `{"from":"two"}`))
	g := gateway.Start(t, gateway.Options{Config: to("http://" + one.Addr + "/v1")})
	from := func(name string) func() bool {
		return func() bool {
			resp, body := g.Post("openai", "chat/completions", chat)
			return resp.StatusCode == http.StatusOK && string(body) == `{"from":"`+name+`"}`
		}
	}
	if !from("one")() {
		t.Fatal("the first upstream does not answer")
	}
	g.Configure("providers: [broken")
	g.Signal(syscall.SIGHUP)
	g.Eventually("a word in the status about the broken file", func() bool {
		return strings.Contains(g.Status(), "sluice.yaml") && !strings.Contains(g.Status(), `"error":""`)
	}, g.Status)
	if !from("one")() {
		t.Error("a broken file took effect")
	}
	g.Configure(to("http://" + two.Addr + "/v1"))
	g.Signal(syscall.SIGHUP)
	g.Eventually("an answer of the second upstream", from("two"), g.Output)
}

func TestManagementNeedsItsToken(t *testing.T) {
	g := gateway.Start(t, gateway.Options{Env: []string{"SLUICE_ADMIN_TOKEN=a-token-of-sufficient-length-0123456789"}})
	status, _, body, err := g.Get("/gateways/default/logs")
	if err != nil || status != 401 && status != 403 {
		t.Errorf("without a token: %d %s %v", status, body, err)
	}
	if resp, _ := g.Post("echo", "chat/completions", chat); resp.StatusCode != 200 {
		t.Errorf("the data plane answers %d", resp.StatusCode)
	}
}
