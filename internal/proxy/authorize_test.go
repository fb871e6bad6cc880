package proxy_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
)

func newToken(t *testing.T, g *proxytest.Gateway, n auth.New) (auth.Token, string) {
	t.Helper()
	if n.Account == "" {
		n.Account = "default"
	}
	if n.Permissions == 0 {
		n.Permissions = auth.Run
	}
	token, value, err := g.Tokens.Create(t.Context(), n, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token, value.Reveal()
}

// TestGatewayTokens: where a token may stand, and what becomes of it: let in or not, it never goes on.
func TestGatewayTokens(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	_, good := newToken(t, g, auth.New{Name: "app"})
	_, imported := newToken(t, g, auth.New{Name: "old app", Value: sluice.NewSecret("cf-token-of-before-1234567890")})
	_, elsewhere := newToken(t, g, auth.New{Name: "elsewhere", Gateways: []string{"prod"}})
	_, reader := newToken(t, g, auth.New{Name: "reader", Permissions: auth.Read})
	gone, revoked := newToken(t, g, auth.New{Name: "gone"})
	if _, err := g.Tokens.Revoke(t.Context(), "default", gone.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	unknown := good[:len(good)-1] + map[bool]string{true: "b", false: "a"}[strings.HasSuffix(good, "a")]
	h := func(pairs ...string) http.Header {
		header := http.Header{}
		for i := 0; i < len(pairs); i += 2 {
			header[pairs[i]] = []string{pairs[i+1]}
		}
		return header
	}
	const path = "openai/chat/completions"
	for name, c := range map[string]struct {
		path    string
		header  http.Header
		closed  int // with authentication on
		open    int // with authentication off
		forward string
		key     string
	}{
		"none":                              {header: h("Authorization", "Bearer sk-provider"), closed: 401, open: 200, forward: "Bearer sk-provider"},
		"in its own place":                  {header: h("Cf-Aig-Authorization", "Bearer "+good, "Authorization", "Bearer sk-provider"), closed: 200, open: 200, forward: "Bearer sk-provider", key: "app"},
		"bare":                              {header: h("Cf-Aig-Authorization", good), closed: 200, open: 200, key: "app"},
		"in the provider's place":           {header: h("Authorization", "Bearer "+good), closed: 200, open: 200, key: "app"},
		"as x-api-key":                      {header: h("X-Api-Key", good), closed: 200, open: 200, key: "app"},
		"in the query":                      {path: path + "?key=" + good + "&a=b", closed: 200, open: 200, key: "app"},
		"imported":                          {header: h("Authorization", "Bearer cf-token-of-before-1234567890"), closed: 200, open: 200, key: "old app"},
		"imported, in its place":            {header: h("Cf-Aig-Authorization", "Bearer "+imported), closed: 200, open: 200, key: "old app"},
		"of another gateway":                {header: h("Cf-Aig-Authorization", "Bearer "+elsewhere), closed: 401, open: 200},
		"that may not run":                  {header: h("Cf-Aig-Authorization", "Bearer "+reader), closed: 401, open: 200},
		"revoked":                           {header: h("Cf-Aig-Authorization", "Bearer "+revoked), closed: 401, open: 200},
		"revoked, in the provider's place":  {header: h("Authorization", "Bearer "+revoked), closed: 401, open: 401},
		"unknown":                           {header: h("Cf-Aig-Authorization", "Bearer nonsense"), closed: 401, open: 200},
		"one character is another":          {header: h("Cf-Aig-Authorization", unknown), closed: 401, open: 200},
		"of a client that has none":         {header: h("Cf-Aig-Authorization", "Bearer undefined", "Authorization", "Bearer "+good), closed: 200, open: 200, key: "app"},
		"the placeholder of a client":       {header: h("Cf-Aig-Authorization", good, "Authorization", "Bearer CF_TEMP_TOKEN"), closed: 200, open: 200, key: "app"},
		"wrong, though a good one is there": {header: h("Cf-Aig-Authorization", "nonsense", "Authorization", "Bearer "+good), closed: 401, open: 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, closed := range []bool{true, false} {
				settings, want := `{"authentication":false}`, c.open
				if closed {
					settings, want = `{"authentication":true}`, c.closed
				}
				g.Set(settings)
				if c.path == "" {
					c.path = path
				}
				before := len(s.seen())
				resp, text := post(g, c.path, chat("", false), c.header.Clone())
				if resp.StatusCode != want || want == 401 && !strings.Contains(text, `"error":[{"code":2009,"message":"Unauthorized"`) {
					t.Errorf("authentication %v: %d %s; want %d", closed, resp.StatusCode, text, want)
				}
				if want != 200 {
					if len(s.seen()) != before {
						t.Error("the provider was called")
					}
					continue
				}
				s.mu.Lock()
				head, target := s.heads[len(s.heads)-1], s.targets[len(s.targets)-1]
				s.mu.Unlock()
				for name, values := range head {
					for _, secret := range []string{good, imported, elsewhere, reader, revoked} {
						if strings.Contains(values[0], secret) {
							t.Errorf("the provider saw a token in %s", name)
						}
					}
				}
				if strings.Contains(target, good) || head.Get("Authorization") != c.forward {
					t.Errorf("the provider got %s, Authorization %q", target, head.Get("Authorization"))
				}
			}
		})
	}
	keys := map[string]int{}
	for _, row := range g.Rows() {
		keys[row.Entry.Key]++
		for _, secret := range []string{good, imported, revoked} {
			for _, text := range []string{row.Entry.Path, row.Entry.ErrorText, row.Entry.ReqHeader.Get("Authorization"), row.Entry.ReqHeader.Get("X-Api-Key"), row.Entry.ReqHeader.Get("Cf-Aig-Authorization")} {
				if strings.Contains(text, secret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(secret))) {
					t.Errorf("the log has a token: %q", text)
				}
			}
		}
	}
	for _, row := range g.Rows() {
		if row.Entry.Status == 401 && (row.Entry.Provider != "openai" || !strings.HasPrefix(row.Entry.Path, "chat/completions") || row.Entry.ReqHeader.Get("Content-Type") == "") {
			t.Errorf("a refusal's row: %s %q %v", row.Entry.Provider, row.Entry.Path, row.Entry.ReqHeader)
		}
	}
	if keys["app"] == 0 || keys["old app"] == 0 || keys["gone"] != 0 {
		t.Errorf("rows by token: %v", keys)
	}
}

// TestTheFirstTokenMakesDefault: an account whose gateway default is gone gets it back from an authenticated
// call, closed, and not from others.
func TestTheFirstTokenMakesDefault(t *testing.T) {
	g := proxytest.New(t, (&script{}).ServeHTTP, nil)
	_, good := newToken(t, g, auth.New{Name: "app"})
	if _, err := g.Gateways.Delete(t.Context(), "default", "default"); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		header http.Header
		status int
	}{
		{http.Header{}, 400},
		{http.Header{"Cf-Aig-Authorization": {"nonsense"}}, 400},
		{http.Header{"Cf-Aig-Authorization": {good}}, 200},
		{http.Header{}, 401},
	} {
		if resp, text := post(g, "openai/chat/completions", chat("", false), c.header); resp.StatusCode != c.status {
			t.Errorf("call %d: %d %s; want %d", i, resp.StatusCode, text, c.status)
		}
	}
}
