package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestACustomProviderThroughItsLife: made over the API, called, priced, there after a kill, and gone with its
// prices; a credential among its headers is nowhere in the open.
func TestACustomProviderThroughItsLife(t *testing.T) {
	const secret = "lab-secret-0123456789abcdef"
	up := upstream.New(t, upstream.JSON(200, answered))
	config := "log: {level: debug}\nupstream: {private_hosts: [127.0.0.0/8]}\n"
	g := gateway.Start(t, gateway.Options{Config: config})
	call := func(method, path, body string, want int) json.RawMessage {
		t.Helper()
		status, result := keyCall(t, g, method, path, body)
		if status != want {
			t.Fatalf("%s %s: %d %s", method, path, status, result)
		}
		return result
	}
	headers, err := json.Marshal(`{"X-Tenant":"blue","X-Lab-Token":"` + secret + `"}`)
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	result := call(http.MethodPost, "/custom-providers", `{"name":"Lab","slug":"lab","base_url":"http://`+up.Addr+`/api","enable":true,"headers":`+string(headers)+`}`, 200)
	if err := json.Unmarshal(result, &made); err != nil || made.ID == "" || strings.Contains(string(result), secret) {
		t.Fatalf("%v in %s", err, result)
	}
	call(http.MethodPut, "/prices/custom-lab/gpt-4o-mini-2024-07-18", `{"usd":{"input":"2","output":"10"}}`, 200)
	var token struct{ Value string }
	if err := json.Unmarshal(call(http.MethodPost, "/tokens", `{"name":"app"}`, 200), &token); err != nil {
		t.Fatal(err)
	}
	serves := func(when string) {
		t.Helper()
		up.Take()
		resp, body := g.Post("custom-lab", "v1/chat/completions", chat, "cf-aig-authorization", "Bearer "+token.Value, "X-Tenant", "red")
		seen := up.Take()
		if resp.StatusCode != 200 || string(body) != answered || len(seen) != 1 || seen[0].Get("X-Lab-Token") != secret || seen[0].Get("X-Tenant") != "blue" {
			t.Fatalf("%s: %d %s, %v", when, resp.StatusCode, body, seen)
		}
		row := g.Row(resp.Header.Get("cf-aig-log-id"))
		if row == nil || !strings.Contains(row.String(), "custom-lab") || !strings.Contains(row.String(), "0.000048") { // 9 of 2, 3 of 10
			t.Errorf("%s: logged %v", when, row)
		}
		if resp, _ := g.Post("custom-lab", "v1/chat/completions", chat); resp.StatusCode != 401 || len(up.Take()) != 0 {
			t.Errorf("%s, without a token: %d", when, resp.StatusCode)
		}
	}
	serves("made")
	g.Kill()
	g = gateway.Start(t, gateway.Options{DataDir: g.DataDir, Config: config})
	serves("after a kill")

	call(http.MethodPatch, "/custom-providers/"+made.ID, `{"enable":false}`, 200)
	if resp, body := g.Post("custom-lab", "v1/chat/completions", chat, "cf-aig-authorization", "Bearer "+token.Value); resp.StatusCode != 400 || gateway.ErrorCode(body) != 2008 {
		t.Errorf("disabled: %d %s", resp.StatusCode, body)
	}
	call(http.MethodDelete, "/custom-providers/"+made.ID, "", 200)
	call(http.MethodGet, "/prices/custom-lab/gpt-4o-mini-2024-07-18", "", 404)
	if code := g.Stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if found := holding(t, g.DataDir, secret); len(found) != 0 || strings.Contains(g.Output(), secret) {
		t.Errorf("the header's value is in the open in %v", found)
	}
}

// TestACustomProviderLeadsNowhereInside: without the configuration's leave, no address of this machine's is called,
// whatever its name, and a cloud's metadata service never is.
func TestACustomProviderLeadsNowhereInside(t *testing.T) {
	up := upstream.New(t, upstream.JSON(200, answered))
	_, port, _ := strings.Cut(up.Addr, ":")
	for _, config := range []string{"log: {level: debug}\n", "upstream: {private_hosts: [169.254.0.0/16, 10.0.0.0/8]}\n"} {
		g := gateway.Start(t, gateway.Options{Config: config})
		for base, want := range map[string]int{
			"https://localhost:" + port: 200, "https://127.0.0.1:" + port: 400, "https://2130706433:" + port: 400, "https://[::ffff:127.0.0.1]:" + port: 400,
			"http://localhost:" + port: 400, "https://user:pw@localhost:" + port: 400,
		} {
			status, result := keyCall(t, g, http.MethodPost, "/custom-providers", `{"name":"n","slug":"s","base_url":"`+base+`","enable":true}`)
			if status != want {
				t.Errorf("%s: %d %s", base, status, result)
			}
			if status != 200 {
				continue
			}
			resp, body := g.Post("custom-s", "v1/chat/completions", chat)
			if resp.StatusCode != 400 || gateway.ErrorCode(body) != 2005 || len(up.Take()) != 0 {
				t.Errorf("%s: called, %d %s", base, resp.StatusCode, body)
			}
			var made struct{ ID string }
			if err := json.Unmarshal(result, &made); err != nil {
				t.Fatal(err)
			}
			keyCall(t, g, http.MethodDelete, "/custom-providers/"+made.ID, "")
		}
		if strings.Contains(config, "169.254") { // even where its range is named
			if status, result := keyCall(t, g, http.MethodPost, "/custom-providers", `{"name":"n","slug":"m","base_url":"http://169.254.169.254","enable":true}`); status != 200 {
				t.Fatalf("%d %s", status, result)
			}
			if resp, body := g.Post("custom-m", "latest/meta-data/", chat); resp.StatusCode != 400 || gateway.ErrorCode(body) != 2005 {
				t.Errorf("metadata: %d %s", resp.StatusCode, body)
			}
		}
		g.Stop()
	}
}
