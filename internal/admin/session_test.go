package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/people"
)

// answered is an answer with its header.
type answered struct {
	reply
	header http.Header
	cookie *http.Cookie
}

// ask sends a call without the admin token, as a browser or a program does.
func (b *bench) ask(method, path, text string, header ...string) answered {
	b.t.Helper()
	r := mustRequest(b.t, method, b.server.URL+path)
	r.Header.Del("Authorization")
	if text != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	a := answered{reply: reply{status: resp.StatusCode}, header: resp.Header}
	if err := json.NewDecoder(resp.Body).Decode(&a.reply); err != nil {
		b.t.Fatalf("%s %s: %d, %v", method, path, resp.StatusCode, err)
	}
	for _, c := range resp.Cookies() {
		a.cookie = c
	}
	return a
}

// result reads an answer's result.
func result[T any](t *testing.T, a reply) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.Result, &v); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s %+v, %v", a.status, a.Result, a.Errors, err)
	}
	return v
}

const sessionPath = "/client/v4/session"

func signInBody(email, password string) string {
	return `{"email":"` + email + `","password":"` + password + `"}`
}

func TestASessionByCookie(t *testing.T) {
	b := newBench(t)
	b.person(people.New{Email: "root@acme.example"})
	if v := result[SessionView](t, b.ask(http.MethodGet, sessionPath, "").reply); v.SignedIn || v.User != nil || !v.Claimed || v.Method != "" {
		t.Errorf("before: %+v", v)
	}
	in := b.ask(http.MethodPost, sessionPath, signInBody("Root@acme.example", password))
	v := result[SessionView](t, in.reply)
	if !v.SignedIn || v.User == nil || v.User.Email != "root@acme.example" || !v.User.Instance || v.Token != "" || v.ExpiresAt == nil || v.IdleAt == nil {
		t.Errorf("%+v", v)
	}
	c := in.cookie
	if c == nil || c.Name != sessionCookie || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.Expires.Before(time.Now()) {
		t.Fatalf("%+v", c)
	}
	cookie := c.Name + "=" + c.Value
	if got := b.ask(http.MethodGet, accountPath+"/gateways", "", "Cookie", cookie); got.status != http.StatusOK || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("reading: %d %v", got.status, got.header)
	}
	const gateway = `{"id":"new","cache_ttl":0,"cache_invalidate_on_update":false,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0}`
	for what, c := range map[string]struct {
		header []string
		want   int
	}{
		"without the header":     {nil, http.StatusForbidden},
		"with another value":     {[]string{"X-Sluice-UI", "true"}, http.StatusForbidden},
		"from another origin":    {[]string{"X-Sluice-UI", "1", "Origin", "https://evil.example"}, http.StatusForbidden},
		"from another site":      {[]string{"X-Sluice-UI", "1", "Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		"with header and cookie": {[]string{"X-Sluice-UI", "1", "Sec-Fetch-Site", "same-origin"}, http.StatusOK},
	} {
		if got := b.ask(http.MethodPost, accountPath+"/gateways", gateway, append(c.header, "Cookie", cookie)...); got.status != c.want {
			t.Errorf("%s: %d %+v", what, got.status, got.Errors)
		}
	}
	if got := b.ask(http.MethodDelete, sessionPath, "", "Cookie", cookie); got.status != http.StatusForbidden {
		t.Errorf("signed out by another page: %d", got.status)
	}
	out := b.ask(http.MethodDelete, sessionPath, "", "Cookie", cookie, "X-Sluice-UI", "1")
	if out.status != http.StatusOK || out.cookie == nil || out.cookie.MaxAge >= 0 || out.cookie.Value != "" {
		t.Errorf("%d %+v", out.status, out.cookie)
	}
	if got := b.ask(http.MethodGet, accountPath+"/gateways", "", "Cookie", cookie); got.status != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", got.status)
	}
	if again := b.ask(http.MethodDelete, sessionPath, ""); again.status != http.StatusOK {
		t.Errorf("again: %d", again.status)
	}
	var got []string
	for _, e := range b.audited() {
		got = append(got, string(e.Actor.Type)+" "+e.Actor.Name+" "+e.Action+" "+e.Interface)
	}
	want := []string{"user root@acme.example sign_out UI", "user root@acme.example create UI", "user root@acme.example sign_in API"}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheCookieIsSecureOverTLS(t *testing.T) {
	b := newBench(t, func(d *Deps) {
		settings := d.Settings
		d.Settings = func() *Settings { s := settings(); s.BasePath = "/ai"; return s }
	})
	b.person(people.New{Email: "root@acme.example"})
	in := b.ask(http.MethodPost, sessionPath, signInBody("root@acme.example", password), "X-Forwarded-Proto", "https")
	if in.cookie == nil || !in.cookie.Secure || in.cookie.Path != "/ai" {
		t.Errorf("%+v", in.cookie)
	}
}

func TestASessionByToken(t *testing.T) {
	b := newBench(t)
	b.person(people.New{Email: "root@acme.example"})
	in := b.ask(http.MethodPost, sessionPath, `{"token":true,`+signInBody("root@acme.example", password)[1:])
	v := result[SessionView](t, in.reply)
	if !strings.HasPrefix(v.Token, people.SessionPrefix) || in.cookie != nil {
		t.Fatalf("%+v, %v", v, in.cookie)
	}
	if got := b.as(v.Token, http.MethodPost, tokensPath, `{"name":"x"}`); got.status != http.StatusOK {
		t.Errorf("with the token: %d %+v", got.status, got.Errors)
	}
	for _, near := range []string{v.Token[len(people.SessionPrefix):], v.Token + "x", v.Token[:len(v.Token)-1] + "?"} {
		if got := b.as(near, http.MethodGet, tokensPath, ""); got.status != http.StatusUnauthorized {
			t.Errorf("%.10s…: %d", near, got.status)
		}
	}
	doc, err := json.Marshal(b.audited())
	if err != nil || strings.Contains(string(doc), v.Token[8:]) || strings.Contains(string(doc), password) {
		t.Errorf("%s, %v", doc, err)
	}
}

func TestRefusedSignIns(t *testing.T) {
	b := newBench(t)
	b.person(people.New{Email: "root@acme.example"})
	refusal := ""
	for range 11 {
		for _, email := range []string{"root@acme.example", "nobody@acme.example"} {
			got := b.ask(http.MethodPost, sessionPath, signInBody(email, "wrong password"))
			if got.status == http.StatusTooManyRequests {
				if got.header.Get("Retry-After") == "" || got.header.Get("X-Should-Retry") != "false" {
					t.Errorf("%v", got.header)
				}
				continue
			}
			text := string(got.Result) + got.Errors[0].Message + got.Errors[0].Hint
			if refusal == "" {
				refusal = text
			}
			if got.status != http.StatusUnauthorized || text != refusal || got.cookie != nil {
				t.Errorf("%s: %d %+v", email, got.status, got.Errors)
			}
		}
	}
	if got := b.ask(http.MethodPost, sessionPath, signInBody("root@acme.example", password)); got.status != http.StatusTooManyRequests {
		t.Errorf("throttled: %d", got.status)
	}
	list := b.audited()
	if len(list) != 23 {
		t.Errorf("%d entries", len(list))
	}
	for _, e := range list {
		if !e.Failed || e.Actor.Type != audit.Anonymous || !strings.HasSuffix(e.Actor.Name, "@acme.example") || e.Action != "sign_in" || e.Address != "127.0.0.1" {
			t.Errorf("%+v", e)
		}
	}
}

func TestWhoIsThereNeedsToSignInOnThisMachineToo(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.Token = func() sluice.Secret { return sluice.Secret{} } })
	if v := result[SessionView](t, b.ask(http.MethodGet, sessionPath, "").reply); !v.SignedIn || v.Method != "local" || v.Claimed {
		t.Errorf("%+v", v)
	}
	made := result[CreatedLink](t, b.ask(http.MethodPost, "/client/v4/claim/link", "").reply)
	if !strings.HasSuffix(made.URL, ClaimPath+"#"+made.Link) || !strings.HasPrefix(made.URL, b.server.URL) {
		t.Errorf("%+v", made)
	}
	if v := result[LinkView](t, b.ask(http.MethodPost, "/client/v4/claim/check", `{"link":"`+made.Link+`"}`).reply); v.Email != "" {
		t.Errorf("%+v", v)
	}
	if got := b.ask(http.MethodPost, "/client/v4/claim", `{"link":"`+made.Link+`","email":"root@acme.example","password":"short"}`); got.status != http.StatusBadRequest || got.Errors[0].Field != "password" {
		t.Errorf("%d %+v", got.status, got.Errors)
	}
	claimed := b.ask(http.MethodPost, "/client/v4/claim", `{"link":"`+made.Link+`","email":"root@acme.example","password":"`+password+`"}`)
	if v := result[SessionView](t, claimed.reply); v.User == nil || !v.User.Instance || v.Method != "link" || claimed.cookie == nil {
		t.Errorf("%+v, %v", v, claimed.cookie)
	}
	if got := b.ask(http.MethodGet, accountPath+"/gateways", ""); got.status != http.StatusUnauthorized {
		t.Errorf("without signing in: %d", got.status)
	}
	if got := b.ask(http.MethodPost, "/client/v4/claim", `{"link":"`+made.Link+`","email":"x@acme.example","password":"`+password+`"}`); got.status != http.StatusUnauthorized {
		t.Errorf("the link again: %d", got.status)
	}
	if got := b.ask(http.MethodPost, "/client/v4/claim/link", ""); got.status != http.StatusUnauthorized {
		t.Errorf("another link: %d", got.status)
	}
}

func TestChangingThePasswordEndsAllSessions(t *testing.T) {
	b := newBench(t)
	u := b.person(people.New{Email: "root@acme.example"})
	one, other := b.session(u), b.session(u)
	if got := b.as(one, http.MethodPut, "/client/v4/user/password", `{"old":"wrong password","password":"another password"}`); got.status != http.StatusUnauthorized {
		t.Errorf("wrong: %d", got.status)
	}
	v := result[SessionView](t, b.as(one, http.MethodPut, "/client/v4/user/password", `{"old":"`+password+`","password":"another password"}`))
	for name, c := range map[string]struct {
		token string
		want  int
	}{"the one that asked": {one, http.StatusUnauthorized}, "another": {other, http.StatusUnauthorized}, "the new one": {v.Token, http.StatusOK}} {
		if got := b.as(c.token, http.MethodGet, tokensPath, ""); got.status != c.want {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	if got := b.ask(http.MethodPost, sessionPath, signInBody("root@acme.example", password)); got.status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", got.status)
	}
}

func TestAnEventStreamEndsWithItsSession(t *testing.T) {
	b := newBench(t)
	u := b.person(people.New{Email: "root@acme.example"})
	token := b.session(u)
	resp := b.get(accountPath+"/events", "Authorization", "Bearer "+token)
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode)
	}
	if err := b.deps.People.End(t.Context(), sluice.NewSecret(token)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // it ends, or the test does not
		t.Error(err)
	}
}

func TestMembersThroughTheAPI(t *testing.T) {
	b := newBench(t)
	root := b.session(b.person(people.New{Email: "root@acme.example"}))
	const members = accountPath + "/members"
	made := result[CreatedMember](t, b.as(root, http.MethodPost, members, `{"email":"Bob@acme.example","name":"Bob","role":"editor"}`))
	if made.Email != "bob@acme.example" || made.Role != "editor" || made.SignsIn != "not_yet" || made.Link == nil || !made.Bodies || made.LastSignInAt != nil {
		t.Fatalf("%+v", made)
	}
	if v := result[LinkView](t, b.ask(http.MethodPost, "/client/v4/claim/check", `{"link":"`+made.Link.Link+`"}`).reply); v.Email != made.Email {
		t.Errorf("%+v", v)
	}
	bob := result[SessionView](t, b.ask(http.MethodPost, "/client/v4/claim", `{"token":true,"link":"`+made.Link.Link+`","email":"other@acme.example","password":"`+password+`"}`).reply)
	if bob.User.Email != made.Email || bob.User.Instance || len(bob.User.Memberships) != 1 || bob.User.Memberships[0].Role != "editor" {
		t.Fatalf("%+v", bob.User)
	}
	if got := b.as(bob.Token, http.MethodGet, members, ""); got.status != http.StatusForbidden || !strings.Contains(got.Errors[0].Hint, "you are editor here; this needs admin") {
		t.Errorf("an editor: %d %+v", got.status, got.Errors)
	}
	if got := b.as(root, http.MethodPost, members, `{"email":"bob@acme.example"}`); got.status != http.StatusConflict {
		t.Errorf("again: %d", got.status)
	}
	if got := b.as(root, http.MethodPost, members, `{"email":"no address"}`); got.status != http.StatusBadRequest || got.Errors[0].Field != "email" || got.Errors[0].Path[0] != "body" {
		t.Errorf("%d %+v", got.status, got.Errors)
	}
	other := result[CreatedMember](t, b.as(root, http.MethodPost, strings.Replace(members, "/default/", "/other/", 1), `{"email":"bob@acme.example","role":"viewer"}`))
	if other.Link != nil || other.ID != made.ID || other.Role != "viewer" {
		t.Errorf("%+v", other)
	}
	if got := b.as(bob.Token, http.MethodGet, accountPath+"/gateways", ""); got.status != http.StatusUnauthorized {
		t.Errorf("the session after another role: %d", got.status)
	}
	v := result[MemberView](t, b.as(root, http.MethodPatch, members+"/"+made.ID, `{"role":"viewer","bodies":true}`))
	if v.Role != "viewer" || !v.Bodies || v.Name != "Bob" || v.SignsIn != "password" {
		t.Errorf("%+v", v)
	}
	link := result[CreatedLink](t, b.as(root, http.MethodPost, members+"/"+made.ID+"/link", ""))
	if !strings.HasPrefix(link.Link, "sll_") {
		t.Errorf("%+v", link)
	}
	if list := b.as(root, http.MethodGet, members, ""); len(list.items(t)) != 2 {
		t.Errorf("%s", list.Result)
	}
	if got := result[MemberView](t, b.as(root, http.MethodDelete, members+"/"+made.ID, "")); got.ID != made.ID {
		t.Errorf("%+v", got)
	}
	if got := b.as(root, http.MethodGet, members+"/"+made.ID, ""); got.status != http.StatusNotFound {
		t.Errorf("after: %d", got.status)
	}
	var got []string
	list := b.audited()
	for _, e := range list {
		got = append(got, e.Action+" "+e.Object.Kind)
	}
	if want := "delete member; create member_link; update member; create member; use link; create member"; strings.Join(got, "; ") != want {
		t.Errorf("%q", got)
	}
	doc, err := json.Marshal(list)
	if err != nil || strings.Contains(string(doc), "sll_") || strings.Contains(string(doc), "argon2id") {
		t.Errorf("%s, %v", doc, err)
	}
}

func TestWhatToolsAskFirst(t *testing.T) {
	b := newBench(t)
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	gatewayToken, value := b.token(func(n *auth.New) { n.Permissions, n.Expires, n.Name = auth.Run, ends, "ci" })
	b.person(people.New{Email: "root@acme.example"})
	bob := b.person(people.New{Email: "bob@acme.example", Name: "Bob van Gogh", Account: "other", Role: RoleEditor})
	session := b.session(bob)
	for _, c := range []struct{ token, id, name, email, accounts string }{
		{token, "admin_token", "admin_token", "", "default other"},
		{value, gatewayToken.ID, "ci", "", "default"},
		{session, bob.ID, "Bob van Gogh", "bob@acme.example", "other"},
	} {
		v := b.as(c.token, http.MethodGet, "/client/v4/user/tokens/verify", "")
		got := result[VerifiedToken](t, v)
		if got.ID != c.id || got.Status != "active" || len(v.Messages) != 1 || v.Messages[0].Code != 10000 || (got.ExpiresOn == nil) != (c.token == token) {
			t.Errorf("verify: %+v %+v", got, v.Messages)
		}
		if u := result[UserView](t, b.as(c.token, http.MethodGet, "/client/v4/user", "")); u.ID != c.id || u.Email != c.email || u.Username != c.name {
			t.Errorf("user: %+v", u)
		}
		list := b.as(c.token, http.MethodGet, "/client/v4/accounts", "")
		if ids := strings.Join(idsOf(list.items(t)), " "); ids != c.accounts || list.ResultInfo["total_count"] == nil {
			t.Errorf("accounts: %s", list.Result)
		}
		first := strings.Fields(c.accounts)[0]
		if a := result[AccountView](t, b.as(c.token, http.MethodGet, "/client/v4/accounts/"+first, "")); a.ID != first || a.Type != "standard" {
			t.Errorf("account: %+v", a)
		}
		if got := b.as(c.token, http.MethodGet, "/client/v4/accounts/"+first+"/tokens/verify", ""); got.status != http.StatusOK {
			t.Errorf("verify in the account: %d", got.status)
		}
		if m := b.as(c.token, http.MethodGet, "/client/v4/memberships", ""); strings.Join(idsOf(m.items(t)), " ") != c.accounts {
			t.Errorf("memberships: %s", m.Result)
		}
		if past := b.as(c.token, http.MethodGet, "/client/v4/accounts?page=2", ""); len(past.items(t)) != 0 || past.status != http.StatusOK {
			t.Errorf("a page past the end: %d %s", past.status, past.Result)
		}
	}
	if got := b.as(session, http.MethodGet, "/client/v4/accounts/default", ""); got.status != http.StatusNotFound {
		t.Errorf("another account: %d", got.status)
	}
	if got := b.as("nobody", http.MethodGet, "/client/v4/user/tokens/verify", ""); got.status != http.StatusUnauthorized || got.Errors[0].Code != codeAuthentication {
		t.Errorf("nobody: %d %+v", got.status, got.Errors)
	}
}

// TestRolesAreReadStrictly: another spelling of a field is not the field, and the last of two does not win over
// the one that was looked at.
func TestRolesAreReadStrictly(t *testing.T) {
	b := newBench(t)
	root := b.session(b.person(people.New{Email: "root@acme.example"}))
	admin := b.session(b.person(people.New{Email: "admin@acme.example", Account: "default", Role: RoleAdmin}))
	for _, body := range []string{
		`{"email":"x@acme.example","role":"viewer","Role":"admin"}`, `{"email":"x@acme.example","role":"viewer","role":"admin"}`,
		`{"email":"x@acme.example","instance":false,"Instance":true}`, `{"email":"x@acme.example","role":"owner"}`,
		`{"email":"x@acme.example","Role":"owner"}`, `{"email":"x@acme.example"} {"role":"admin"}`,
	} {
		if got := b.as(root, http.MethodPost, accountPath+"/members", body); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, got.status, got.Result)
		}
	}
	if got := b.as(admin, http.MethodPost, accountPath+"/members", `{"email":"x@acme.example","Instance":true}`); got.status != http.StatusForbidden {
		t.Errorf("in another case: %d %s", got.status, got.Result)
	}
}

func TestAnEmptySecretLetsNobodyIn(t *testing.T) {
	b := newBench(t, func(d *Deps) {
		settings := d.Settings
		d.Settings = func() *Settings { s := settings(); s.Local = false; return s }
		d.Token, d.DataDir = func() sluice.Secret { return sluice.Secret{} }, sluice.Secret{}
	})
	for _, header := range [][]string{nil, {"Authorization", "Bearer"}, {"Authorization", "Bearer "}, {"Authorization", "Bearer [redacted]"}, {"Authorization", "Bearer sls_"}, {"Cookie", sessionCookie + "="}} {
		if got := b.ask(http.MethodGet, accountPath+"/gateways", "", header...); got.status != http.StatusUnauthorized {
			t.Errorf("%v: %d", header, got.status)
		}
	}
}
