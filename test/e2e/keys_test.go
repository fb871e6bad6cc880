package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// keyCall sends a management call and returns its result.
func keyCall(t *testing.T, g *gateway.Gateway, method, path, body string) (status int, result json.RawMessage) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.Addr+"/client/v4/accounts/default/ai-gateway"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Result json.RawMessage }
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return resp.StatusCode, v.Result
}

// TestAStoredKeyThroughItsLife: stored, used for callers with a token alone, there after a kill and after a
// rotation, out of use without its master key, and back with it.
func TestAStoredKeyThroughItsLife(t *testing.T) {
	const secret = "sk-stored-0123456789abcdef"
	up := upstream.New(t, upstream.JSON(200, answered))
	config := "log: {level: debug}\nproviders: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"
	g := gateway.Start(t, gateway.Options{Config: config})
	if status, result := keyCall(t, g, http.MethodPost, "/gateways/default/provider_configs", `{"provider_slug":"openai","alias":"default","default_config":true,"secret":"`+secret+`"}`); status != 200 {
		t.Fatalf("%d %s", status, result)
	}
	_, result := keyCall(t, g, http.MethodPost, "/tokens", `{"name":"app"}`)
	var token struct{ Value string }
	if err := json.Unmarshal(result, &token); err != nil || token.Value == "" {
		t.Fatalf("%v in %s", err, result)
	}
	serves := func(when string) {
		t.Helper()
		up.Take()
		resp, body := g.Post("openai", "chat/completions", chat, "cf-aig-authorization", "Bearer "+token.Value)
		seen := up.Take()
		if resp.StatusCode != 200 || len(seen) != 1 || seen[0].Get("Authorization") != "Bearer "+secret || seen[0].Get("cf-aig-authorization") != "" {
			t.Fatalf("%s: %d %s, %v", when, resp.StatusCode, body, seen)
		}
		if resp, body := g.Post("openai", "chat/completions", chat); resp.StatusCode != 401 || gateway.ErrorCode(body) != 2009 || len(up.Take()) != 0 {
			t.Errorf("%s, without a token: %d %s", when, resp.StatusCode, body)
		}
		if resp, body := g.Post("openai", "chat/completions", chat, "Authorization", "Bearer sk-own"); resp.StatusCode != 200 || up.Take()[0].Get("Authorization") != "Bearer sk-own" {
			t.Errorf("%s, with a key of its own: %d %s", when, resp.StatusCode, body)
		}
	}
	again := func() {
		t.Helper()
		g = gateway.Start(t, gateway.Options{DataDir: g.DataDir, Config: config})
	}
	serves("stored")
	g.Kill()
	again()
	serves("after a kill")
	if status, result := keyCall(t, g, http.MethodPost, "/master-key/rotate", ""); status != 200 {
		t.Fatalf("%d %s", status, result)
	}
	g.Kill()
	again()
	serves("after a rotation")
	if code := g.Stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	master := filepath.Join(g.DataDir, "master.key")
	key, err := os.ReadFile(master)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Fields(key)
	found := holding(t, g.DataDir, secret, secret[:20], string(lines[len(lines)-1]))
	if len(found) != 1 || found[0] != master {
		t.Errorf("the keys are in %v", found)
	}
	if strings.Contains(g.Output(), secret[:20]) {
		t.Error("the key was said")
	}

	if err := os.Remove(master); err != nil {
		t.Fatal(err)
	}
	again()
	for what, text := range map[string]string{"it said": g.Output(), "status tells": g.Status()} {
		if !strings.Contains(text, "master.key") || !strings.Contains(text, "backup") {
			t.Errorf("%s %s", what, text)
		}
	}
	if resp, body := g.Post("openai", "chat/completions", chat, "cf-aig-authorization", "Bearer "+token.Value); resp.StatusCode != 503 || len(up.Take()) != 0 {
		t.Errorf("without the master key: %d %s", resp.StatusCode, body)
	}
	if resp, _ := g.Post("openai", "chat/completions", chat, "Authorization", "Bearer sk-own"); resp.StatusCode != 200 {
		t.Errorf("a key of its own, without the master key: %d", resp.StatusCode)
	}
	g.Stop()
	if err := os.WriteFile(master, key, 0o600); err != nil {
		t.Fatal(err)
	}
	again()
	serves("with the master key back")
}

// holding returns the files below dir that hold one of the texts.
func holding(t *testing.T, dir string, texts ...string) (files []string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		n++
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				files = append(files, path)
				break
			}
		}
		return nil
	})
	if err != nil || n < 3 {
		t.Fatal(n, "files:", err)
	}
	return files
}
