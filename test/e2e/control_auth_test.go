package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// TestWhereATokenMayStand: in its own header, and wherever a provider takes its credential; no provider ever
// sees it, and no log has it.
func TestWhereATokenMayStand(t *testing.T) {
	l := newLab(t, "default: {authentication: true, cache_ttl: 1h}", "", "openai", "anthropic", "replicate", "p0")
	token := tokenOf(t, l.Gateway, "--name", "app")
	wrong := token[:len(token)-1] + "!"
	unknown := "slc_0000000000000000000000000000000000000000000000000"
	bearer := "Bearer " + token
	const messages = `{"model":"claude-3-5-haiku-latest","max_tokens":5,"messages":[]}`
	for name, c := range map[string]struct {
		call
		status int
		keeps  string // a credential that the provider must still get
	}{
		"none":                          {call{path: "openai/chat/completions", body: chat}, 401, ""},
		"in its header":                 {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", bearer, "Authorization", "Bearer sk-own"}}, 200, "sk-own"},
		"in its header, bare":           {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", token}}, 200, ""},
		"in its header, in lower case":  {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", "bearer " + token}}, 200, ""},
		"Authorization":                 {call{path: "openai/chat/completions", body: chat, header: []string{"Authorization", bearer}}, 200, ""},
		"Token, as Replicate's":         {call{path: "replicate/predictions", body: `{}`, header: []string{"Authorization", "Token " + token}}, 200, ""},
		"x-api-key":                     {call{path: "anthropic/v1/messages", body: messages, header: []string{"x-api-key", token}}, 200, ""},
		"both places":                   {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", bearer, "Authorization", bearer}}, 200, ""},
		"api-key":                       {call{path: "p0/chat/completions", body: chat, header: []string{"api-key", token}}, 200, ""},
		"the query":                     {call{path: "p0/chat/completions?key=" + token + "&a=b", body: chat}, 200, ""},
		"a step":                        {call{body: step("openai", "chat/completions", `"headers":{"Authorization":"`+bearer+`","X-Other":"`+token+`"},`, chat), header: []string{"cf-aig-authorization", bearer}}, 200, ""},
		"a step of 2023":                {call{body: step("openai", "chat/completions", `"authorization":"`+bearer+`",`, chat), header: []string{"cf-aig-authorization", bearer}}, 200, ""},
		"a step's own key":              {call{body: step("openai", "chat/completions", `"headers":{"Authorization":"Bearer sk-own"},`, chat), header: []string{"Authorization", bearer}}, 200, "sk-own"},
		"a token of nobody":             {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", unknown}}, 401, ""},
		"a misspelt token":              {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", wrong}}, 401, ""},
		"a provider's key in its place": {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", "Bearer sk-own"}}, 401, ""},
		"a provider's key alone":        {call{path: "openai/chat/completions", body: chat, header: []string{"Authorization", "Bearer sk-own"}}, 401, ""},
		"what a client without one has": {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", "Bearer undefined"}}, 401, ""},
		"the placeholder of an SDK":     {call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-authorization", bearer, "Authorization", "Bearer CF_TEMP_TOKEN"}}, 200, ""},
	} {
		for _, up := range l.up {
			up.Take()
		}
		c.header = append(c.header, "cf-aig-skip-cache", "true")
		r := l.do(t, c.call)
		seen := ""
		n := 0
		for _, up := range l.up {
			for _, req := range up.Take() {
				n++
				seen += fmt.Sprint(req.Start, req.Header, string(req.Body))
			}
		}
		if r.status != c.status || c.status == 401 && (gateway.ErrorCode([]byte(r.body)) != 2009 || n != 0) || c.status == 200 && n != 1 {
			t.Errorf("%s: %d %s, %d calls; want %d", name, r.status, r.body, n, c.status)
		}
		if strings.Contains(seen, token[:20]) || strings.Contains(seen, "CF_TEMP_TOKEN") || !strings.Contains(seen, c.keeps) || c.keeps == "" && strings.Contains(seen, "sk-own") {
			t.Errorf("%s: the provider got %s", name, seen)
		}
		_, _, text, err := l.Get("/gateways/default/logs/" + r.id())
		if err != nil || strings.Contains(string(text), token[:20]) || strings.Contains(string(text), "sk-own") {
			t.Errorf("%s: the log shows it: %s %v", name, text, err)
		}
		if row := l.row(t, "", r); (row.Key == "app") != (c.status == 200) || c.status == 401 && row.ErrorKind != "unauthorized" {
			t.Errorf("%s: %s", name, row)
		}
	}

	// A stored answer is for who is let in, and for nobody when the token is gone.
	same := call{path: "openai/chat/completions", body: withText(chat, "stored"), header: []string{"cf-aig-authorization", bearer}}
	for _, want := range []string{"MISS", "HIT"} {
		if r := l.do(t, same); r.header.Get("cf-aig-cache-status") != want {
			t.Errorf("%d %s, want %s", r.status, r.header.Get("cf-aig-cache-status"), want)
		}
	}
	if r := l.do(t, call{path: same.path, body: same.body}); r.status != 401 {
		t.Errorf("a stored answer without a token: %d %s", r.status, r.body)
	}
	if out, code := gateway.Run(t, "auth", "token", "revoke", "app", "--url", "http://"+l.Addr); code != 0 {
		t.Fatalf("revoke: %d %s", code, out)
	}
	if r := l.do(t, same); r.status != 401 || gateway.ErrorCode([]byte(r.body)) != 2009 {
		t.Errorf("a stored answer with a token that was revoked: %d %s", r.status, r.body)
	}
}

// TestTheWayOfASubprotocol: browsers have no header for a token, so it comes as a subprotocol, and stops here.
func TestTheWayOfASubprotocol(t *testing.T) {
	seen := make(chan string, 1)
	up := socketProvider(t, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		seen <- fmt.Sprint(r.RequestURI, r.Header)
		echo(ctx, c, r)
	})
	g := gateway.Start(t, gateway.Options{Config: "accounts: {default: {gateways: {default: {authentication: true}}}}\nproviders: {openai: {base_url: \"" + up.URL + "/v1\"}}\n"})
	token := tokenOf(t, g, "--name", "browser")
	c, log := connect(t, g, "openai?model=m", &websocket.DialOptions{Subprotocols: []string{"realtime", "cf-aig-authorization." + token}})
	if head := <-seen; strings.Contains(head, token[:20]) || !strings.Contains(head, "realtime") {
		t.Errorf("the provider got %s", head)
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	if row := g.Row(log); row.Key != "browser" || strings.Contains(row.String(), token[:20]) {
		t.Errorf("log: %s", row)
	}
	for name, protocols := range map[string][]string{"no token": {"realtime"}, "a token of nobody": {"realtime", "cf-aig-authorization.slc_nothing"}} {
		_, resp, err := websocket.Dial(t.Context(), "ws://"+g.Addr+"/v1/default/default/openai?model=m", &websocket.DialOptions{Subprotocols: protocols})
		if err == nil || resp == nil || resp.StatusCode != 401 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
