package admin

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/sluicehq/sluice/internal/people"
)

// newIdP is an identity provider that lets everybody in as cy@acme.example. nonce is that of the sign-in under way.
func newIdP(t *testing.T, nonce *string, claims map[string]any) *httptest.Server {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	discovery := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: oidc.RS256}}}
	mux := http.NewServeMux()
	mux.Handle("/", discovery)
	idp := httptest.NewServer(mux)
	t.Cleanup(idp.Close)
	discovery.SetIssuer(idp.URL)
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		all := map[string]any{
			"iss": idp.URL, "aud": "sluice", "sub": "s1", "nonce": *nonce, "exp": time.Now().Add(time.Minute).Unix(),
			"email": "cy@acme.example", "email_verified": true, "name": "Cy",
		}
		for name, v := range claims {
			all[name] = v
		}
		doc, err := json.Marshal(all)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": oidctest.SignIDToken(key, "k", oidc.RS256, string(doc))})
	})
	return idp
}

// visit gets a page as a browser does: no redirect is followed.
func (b *bench) visit(path string, cookies ...*http.Cookie) *http.Response {
	b.t.Helper()
	r := mustRequest(b.t, http.MethodGet, b.server.URL+path)
	r.Header.Del("Authorization")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := b.client.Transport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func cookieOf(resp *http.Response, name string) *http.Cookie {
	for _, c := range resp.Cookies() {
		if c.Name == name {
			return c
		}
	}
	return &http.Cookie{}
}

func TestASignInByAnIdentityProvider(t *testing.T) {
	var nonce string
	verified := map[string]any{}
	idp := newIdP(t, &nonce, verified)
	p, err := people.NewProvider(people.OIDC{
		Issuer: idp.URL, ClientID: "sluice", RedirectURL: "http://127.0.0.1" + OIDCPath + "/callback", Scopes: []string{"openid", "email"},
		Rules: []people.Rule{{Grant: people.Grant{Account: "default", Role: RoleEditor}}},
	}, idp.Client())
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(d *Deps) { d.OIDC = func() *IdentityProvider { return &IdentityProvider{p, "Acme"} } })
	if v := result[SessionView](t, b.ask(http.MethodGet, sessionPath, "").reply); v.OIDC == nil || *v.OIDC != "Acme" {
		t.Errorf("%+v", v)
	}
	begin := func() (*http.Cookie, url.Values) {
		resp := b.visit(OIDCPath)
		to, err := resp.Location()
		state := cookieOf(resp, oidcCookie)
		if err != nil || resp.StatusCode != http.StatusFound || !strings.HasPrefix(to.String(), idp.URL) || !state.HttpOnly || state.SameSite != http.SameSiteLaxMode || state.Path != OIDCPath {
			t.Fatalf("%d %v, %+v", resp.StatusCode, err, state)
		}
		nonce = to.Query().Get("nonce")
		return state, url.Values{"state": {to.Query().Get("state")}, "code": {"the-code"}}
	}
	state, back := begin()
	resp := b.visit(OIDCPath+"/callback?"+back.Encode(), state)
	session := cookieOf(resp, sessionCookie)
	page := read(t, resp)
	if resp.StatusCode != http.StatusOK || session.SameSite != http.SameSiteStrictMode || !session.HttpOnly || cookieOf(resp, oidcCookie).MaxAge >= 0 ||
		!strings.Contains(page, "cy@acme.example") || !strings.Contains(page, `content="0; url=/"`) || resp.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%d %+v %s", resp.StatusCode, session, page)
	}
	v := result[SessionView](t, b.ask(http.MethodGet, sessionPath, "", "Cookie", session.Name+"="+session.Value).reply)
	if v.Method != "oidc" || v.User == nil || v.User.Name != "Cy" || v.User.Memberships[0].Role != "editor" || !v.User.Memberships[0].Granted {
		t.Errorf("%+v", v)
	}
	if again := b.visit(OIDCPath+"/callback?"+back.Encode(), state); again.StatusCode != http.StatusUnauthorized || cookieOf(again, sessionCookie).Value != "" {
		t.Errorf("the same again: %d", again.StatusCode)
	}
	_, back = begin()
	if stolen := b.visit(OIDCPath + "/callback?" + back.Encode()); stolen.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the cookie: %d", stolen.StatusCode)
	}
	verified["email_verified"] = false
	state, back = begin()
	resp = b.visit(OIDCPath+"/callback?"+back.Encode()+"&x=<script>", state)
	if text := read(t, resp); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, "has not verified") || strings.Contains(text, "<script>") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	var got []string
	for _, e := range b.audited() {
		got = append(got, map[bool]string{true: "refused", false: "let in"}[e.Failed]+" "+e.Actor.Name)
	}
	if want := "refused ; refused ; refused ; let in cy@acme.example"; strings.Join(got, "; ") != want {
		t.Errorf("%q", got)
	}
}

func TestWithoutAnIdentityProvider(t *testing.T) {
	b := newBench(t)
	if resp := b.visit(OIDCPath); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d", resp.StatusCode)
	}
	if resp := b.visit(OIDCPath + "/callback?state=x&code=y"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestThePageOfLinksRunsItsOwnScriptOnly(t *testing.T) {
	w := httptest.NewRecorder()
	ClaimPage().ServeHTTP(w, mustRequest(t, http.MethodGet, "http://x"+ClaimPath))
	policy := w.Header().Get("Content-Security-Policy")
	if w.Code != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || strings.Count(policy, "'sha256-") != 2 ||
		strings.Count(w.Body.String(), "<script") != 1 || strings.Count(w.Body.String(), "<style") != 1 || strings.Contains(w.Body.String(), "http://") || strings.Contains(w.Body.String(), " on") && strings.Contains(w.Body.String(), "onclick") {
		t.Errorf("%d %s", w.Code, policy)
	}
	w = httptest.NewRecorder()
	ClaimPage().ServeHTTP(w, mustRequest(t, http.MethodPost, "http://x"+ClaimPath))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}
