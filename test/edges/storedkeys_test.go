package edges

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// stores puts keys into the gateway, some of which it refuses, changes and uses them, and leaves one there.
func stores(t *testing.T, p pair, c *canaries, token string, h hay) {
	t.Helper()
	call := func(what, method, path, body string, status int) json.RawMessage {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.Addr+management+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != status {
			t.Fatalf("%s: %d %s %v", what, resp.StatusCode, text, err)
		}
		h["the answer to "+what] = text
		var v struct{ Result json.RawMessage }
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatalf("%s: %v in %s", what, err, text)
		}
		return v.Result
	}
	const keys = "/gateways/default/provider_configs"
	body := func(what, before string) string {
		return fmt.Sprintf(`{"provider_slug":"openai","alias":"default","default_config":true,"secret":%q}`, before+c.plant(what))
	}
	var made struct{ ID string }
	if err := json.Unmarshal(call("storing a key", http.MethodPost, keys, body("a key that was stored", ""), 200), &made); err != nil {
		t.Fatal(err)
	}
	call("storing a second key", http.MethodPost, keys, body("a key whose alias is taken", ""), 409)
	call("storing a key with a space", http.MethodPost, keys, body("a key that is refused", "Bearer "), 400)
	call("storing a key as a list", http.MethodPost, keys, fmt.Sprintf(`{"provider_slug":"openai","secret":[%q]}`, c.plant("a key in a list")), 400)
	call("storing a key as bad JSON", http.MethodPost, keys, fmt.Sprintf(`{"secret":%q`, c.plant("a key in bad JSON")), 400)
	call("changing a key", http.MethodPut, keys+"/"+made.ID, fmt.Sprintf(`{"secret":%q}`, c.plant("a key that was changed")), 200)
	call("testing a key", http.MethodPost, keys+"/"+made.ID+"/test", "", 200)
	call("listing keys", http.MethodGet, keys, "", 200)
	call("getting a key", http.MethodGet, keys+"/"+made.ID, "", 200)
	var gatewayToken struct{ Value string }
	if err := json.Unmarshal(call("making a token", http.MethodPost, "/tokens", `{"name":"keys"}`, 200), &gatewayToken); err != nil {
		t.Fatal(err)
	}
	delete(h, "the answer to making a token")
	c.all["a gateway token"] = gatewayToken.Value
	p.up.Take()
	dirty(t, p.Addr, fmt.Sprintf("POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\ncf-aig-authorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		gatewayToken.Value, len(chat), chat))
	if found := (hay{"upstream": heads(p.up.Take())}).holding(c.all["a key that was changed"]); len(found) != 1 {
		t.Error("the upstream did not get the stored key")
	}
	call("rotating the master key", http.MethodPost, "/master-key/rotate", "", 200)
}
