package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// limited configures gateway default with a limit whose one window lasts for decades.
func limited(base, technique string, limit int) string {
	return "providers: {openai: {base_url: \"" + base + "\"}}\n" + fmt.Sprintf(
		"accounts: {default: {gateways: {default: {rate_limiting_limit: %d, rate_limiting_interval: 30000d, rate_limiting_technique: %s}}}}\n", limit, technique,
	)
}

// TestExactlyTheLimitReachesTheProvider calls 5,000 times, many at a time, at a limit of 1,000, and kills
// the process in between: exactly 1,000 calls go on to the provider.
func TestExactlyTheLimitReachesTheProvider(t *testing.T) {
	for _, technique := range []string{"fixed", "sliding"} {
		t.Run(technique, func(t *testing.T) {
			up := upstream.New(t, upstream.JSON(200, answered))
			g := gateway.Start(t, gateway.Options{Config: limited("http://"+up.Addr+"/v1", technique, 1000)})
			first := callTogether(t, g, 600)
			g.Kill()
			g = gateway.Start(t, gateway.Options{DataDir: g.DataDir, Config: limited("http://"+up.Addr+"/v1", technique, 1000)})
			second := callTogether(t, g, 4400)
			if first[200] != 600 || second[200] != 400 || second[429] != 4000 {
				t.Errorf("answers %v, then %v", first, second)
			}
			if n := len(up.Take()); n != 1000 {
				t.Errorf("%d calls reached the provider, want 1000", n)
			}
			resp, body := g.Post("openai", "chat/completions", chat)
			if gateway.ErrorCode(body) != 2003 || resp.Header.Get("Retry-After") == "" || resp.Header.Get("cf-aig-ratelimit-limit") != "1000" ||
				resp.Header.Get("cf-aig-ratelimit-remaining") != "0" || resp.Header.Get("cf-aig-ratelimit-reset") != resp.Header.Get("Retry-After") {
				t.Errorf("a refusal: %s %v", body, resp.Header)
			}
		})
	}
}

// callTogether sends n calls, 64 at a time, and counts the statuses of their answers.
func callTogether(t *testing.T, g *gateway.Gateway, n int) map[int]int {
	t.Helper()
	counts := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	calls := make(chan struct{}, n)
	for range n {
		calls <- struct{}{}
	}
	close(calls)
	for range 64 {
		all.Go(func() {
			for range calls {
				status := 0
				if resp, _, err := g.TryPost(context.Background(), "openai", "chat/completions", chat); err == nil {
					status = resp.StatusCode
				}
				mu.Lock()
				counts[status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return counts
}

// tokenOf makes a token through the command and returns its value.
func tokenOf(t *testing.T, g *gateway.Gateway, args ...string) string {
	t.Helper()
	out, code := gateway.Run(t, append([]string{"auth", "token", "create", "--url", "http://" + g.Addr}, args...)...)
	value := regexp.MustCompile(`(?m)^slc_[0-9A-Za-z]{49}$`).FindString(out)
	if code != 0 || value == "" {
		t.Fatalf("auth token create: %d %s", code, out)
	}
	return value
}

func TestATokenFromItsCreationToItsEnd(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, answered))
	config := "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n" +
		"accounts: {default: {gateways: {default: {authentication: true}, other: {}}}}\n"
	g := gateway.Start(t, gateway.Options{Config: config})
	token := tokenOf(t, g, "--name", "app", "--gateway", "default")
	elsewhere := tokenOf(t, g, "--name", "elsewhere", "--gateway", "other")
	reader := tokenOf(t, g, "--name", "reader", "--allow", "read")
	call := func(want int, header ...string) {
		t.Helper()
		resp, body := g.Post("openai", "chat/completions", chat, header...)
		if resp.StatusCode != want || want == 401 && gateway.ErrorCode(body) != 2009 {
			t.Errorf("%d %s; want %d", resp.StatusCode, body, want)
		}
	}
	call(401)
	call(401, "cf-aig-authorization", "Bearer slc_nothing")
	call(401, "cf-aig-authorization", "Bearer "+token[:52]+"!")
	call(401, "cf-aig-authorization", "Bearer "+elsewhere)
	call(401, "cf-aig-authorization", "Bearer "+reader)
	if seen := up.Take(); len(seen) != 0 {
		t.Errorf("calls that were refused reached the provider: %v", seen)
	}
	call(200, "cf-aig-authorization", "Bearer "+token, "Authorization", "Bearer sk-provider")
	call(200, "cf-aig-authorization", token, "Authorization", "Bearer sk-provider")
	call(200, "Authorization", "Bearer "+token)
	for i, seen := range up.Take() {
		if text := fmt.Sprint(seen.Start, seen.Header); strings.Contains(text, token) || strings.Contains(text, "sk-provider") != (i < 2) {
			t.Errorf("the provider got %s", text)
		}
	}

	g.Kill() // what was answered is on disk
	g = gateway.Start(t, gateway.Options{DataDir: g.DataDir, Config: config})
	call(200, "cf-aig-authorization", "Bearer "+token)
	if out, code := gateway.Run(t, "auth", "token", "revoke", "app", "--url", "http://"+g.Addr); code != 0 {
		t.Fatalf("revoke: %d %s", code, out)
	}
	call(401, "cf-aig-authorization", "Bearer "+token)
	call(401, "Authorization", "Bearer "+token)
	if out, code := gateway.Run(t, "auth", "token", "list", "--revoked", "--json", "--url", "http://"+g.Addr); code != 0 ||
		strings.Count(out, `"status": "valid"`) != 2 || strings.Count(out, `"status": "revoked"`) != 1 || strings.Contains(out, token) {
		t.Errorf("list: %d %s", code, out)
	}
	if code := g.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	notStored(t, g.DataDir, token)
	g = gateway.Start(t, gateway.Options{DataDir: g.DataDir, Config: config})
	call(401, "cf-aig-authorization", "Bearer "+token)
}

// notStored looks for a value in all files below dir, as they lie there: what the log has compressed is the
// canaries' test.
func notStored(t *testing.T, dir, value string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(string(b), value[8:40]) {
			t.Errorf("%s has the token", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestATokenThatWasImported(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, answered))
	g := gateway.Start(t, gateway.Options{Config: "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n" +
		"accounts: {default: {gateways: {default: {authentication: true}}}}\n"})
	const value = "v1.0-0123456789abcdef-moved"
	status, text := manage(t, g, http.MethodPost, "/tokens", `{"name":"moved","value":"`+value+`"}`)
	if status != 200 || strings.Contains(text, value) {
		t.Fatalf("import: %d %s", status, text)
	}
	for header, want := range map[string]int{"cf-aig-authorization": 200, "Authorization": 200} {
		if resp, body := g.Post("openai", "chat/completions", chat, header, "Bearer "+value); resp.StatusCode != want {
			t.Errorf("in %s: %d %s", header, resp.StatusCode, body)
		}
	}
	for _, seen := range up.Take() {
		if strings.Contains(fmt.Sprint(seen.Start, seen.Header), value) {
			t.Errorf("the provider got the token: %v", seen.Header)
		}
	}
}
