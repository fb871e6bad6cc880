package people

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	sluice "github.com/sluicehq/sluice"
)

// issuer is an identity provider: oidctest's for addresses and keys, with a token endpoint that checks what a
// client sends.
type issuer struct {
	*httptest.Server
	t         *testing.T
	keys      *rsa.PrivateKey
	claims    map[string]any // of the next ID token
	code      string         // that is good, once
	challenge string         // of PKCE, as the browser brought it
	alg       string
	info      map[string]any // what the userinfo endpoint says; nil: there is none
}

const clientID, clientSecret = "sluice", "client-secret"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, keys: key, alg: oidc.RS256}
	discovery := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "k", Algorithm: oidc.RS256}}}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if i.info == nil || r.URL.Path != "/.well-known/openid-configuration" {
			discovery.ServeHTTP(w, r)
			return
		}
		found := httptest.NewRecorder()
		discovery.ServeHTTP(found, r)
		doc := map[string]any{}
		if err := json.Unmarshal(found.Body.Bytes(), &doc); err != nil {
			t.Error(err)
		}
		doc["userinfo_endpoint"] = i.URL + "/userinfo"
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(doc)
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a" || len(i.info) == 0 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(i.info)
	})
	mux.HandleFunc("POST /token", i.token)
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	discovery.SetIssuer(i.URL)
	return i
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("code") != i.code || i.code == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != i.challenge || id != clientID || secret != clientSecret {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	i.code = ""
	doc, err := json.Marshal(i.claims)
	if err != nil {
		i.t.Error(err)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": "a", "token_type": "Bearer", "id_token": oidctest.SignIDToken(i.keys, "k", i.alg, string(doc)),
	})
}

// signsIn lets a browser through the identity provider; change is what goes wrong there. It returns what the
// browser comes back with.
func (i *issuer) signsIn(address string, change func(claims map[string]any)) url.Values {
	i.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		i.t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("client_id") != clientID || q.Get("response_type") != "code" || q.Get("scope") == "" || q.Get("redirect_uri") == "" {
		i.t.Errorf("asked with %v", q)
	}
	i.code, i.challenge = "the-code", q.Get("code_challenge")
	i.claims = map[string]any{
		"iss": i.URL, "aud": clientID, "sub": "s1", "nonce": q.Get("nonce"), "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(),
		"email": "Cy@Acme.example", "email_verified": true, "name": "Cy", "groups": []string{"users", "ops"},
	}
	if change != nil {
		change(i.claims)
	}
	return url.Values{"code": {i.code}, "state": {q.Get("state")}}
}

func (i *issuer) provider(change ...func(*OIDC)) *Provider {
	i.t.Helper()
	c := OIDC{
		Issuer: i.URL, ClientID: clientID, ClientSecret: sluice.NewSecret(clientSecret), RedirectURL: "http://127.0.0.1/callback",
		Scopes: []string{"openid", "email"}, GroupsClaim: "groups", Domains: []string{"acme.example"},
		Rules: []Rule{
			{Grant: Grant{Account: "acme", Role: Viewer}},
			{Group: "ops", Grant: Grant{Account: "acme", Role: Editor, Bodies: true}},
			{Group: "root", Grant: Grant{Instance: true}},
			{Domain: "other.example", Grant: Grant{Account: "other", Role: Admin}},
		},
	}
	for _, f := range change {
		f(&c)
	}
	p, err := NewProvider(c, i.Client())
	if err != nil {
		i.t.Fatal(err)
	}
	return p
}

func TestASignInByAnIdentityProvider(t *testing.T) {
	i := newIssuer(t)
	p := i.provider()
	address, cookie, err := p.Begin(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	back := i.signsIn(address, nil)
	for _, hidden := range []string{back.Get("state"), "s1"} {
		if strings.Contains(cookie.Reveal(), hidden) {
			t.Errorf("the cookie shows %q", hidden)
		}
	}
	who, err := p.Finish(t.Context(), cookie, back, time.Now())
	want := []Grant{{Account: "acme", Role: Viewer}, {Account: "acme", Role: Editor, Bodies: true}}
	if err != nil || who.Issuer != i.URL || who.Subject != "s1" || who.Email != "cy@acme.example" || who.Name != "Cy" || !slices.Equal(who.Grants, want) {
		t.Errorf("%+v, %v", who, err)
	}
	i.code = back.Get("code") // an identity provider that takes a code twice
	_, err = p.Finish(t.Context(), cookie, back, time.Now())
	kind(t, "the same again", err, sluice.KindUnauthorized)
}

// TestAnAddressThatOnlyTheUserinfoEndpointTells: some identity providers leave it out of their ID tokens.
func TestAnAddressThatOnlyTheUserinfoEndpointTells(t *testing.T) {
	full := map[string]any{"sub": "s1", "email": "Cy@acme.example", "email_verified": true, "name": "Other", "groups": []string{"ops", "root"}}
	with := func(name string, value any) map[string]any {
		m := map[string]any{}
		for k, v := range full {
			m[k] = v
		}
		m[name] = value
		return m
	}
	for name, c := range map[string]struct {
		info map[string]any
		kind sluice.Kind // of the refusal; 0: none
	}{
		"its address":              {full, 0},
		"one of somebody else":     {with("sub", "s2"), sluice.KindUnauthorized},
		"one that is not verified": {with("email_verified", false), sluice.KindForbidden},
		"none":                     {with("email", ""), sluice.KindForbidden},
		"another domain":           {with("email", "cy@evil.example"), sluice.KindForbidden},
		"a refusal":                {map[string]any{}, sluice.KindForbidden},
	} {
		i := newIssuer(t)
		i.info = c.info
		p := i.provider()
		address, cookie, err := p.Begin(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		// The ID token's word on an address that it does not name counts for nothing.
		who, err := p.Finish(t.Context(), cookie, i.signsIn(address, func(claims map[string]any) { delete(claims, "email") }), time.Now())
		if c.kind != 0 {
			kind(t, name, err, c.kind)
			continue
		}
		if err != nil || who.Email != "cy@acme.example" || who.Name != "Cy" || len(who.Grants) != 2 {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	i := newIssuer(t)
	i.info = with("email", "other@acme.example")
	p := i.provider()
	address, cookie, err := p.Begin(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if who, err := p.Finish(t.Context(), cookie, i.signsIn(address, nil), time.Now()); err != nil || who.Email != "cy@acme.example" {
		t.Errorf("the ID token has an address: %+v, %v", who, err)
	}
}

func TestWhatProvesNobody(t *testing.T) {
	i := newIssuer(t)
	drop := func(name string) func(map[string]any) { return func(c map[string]any) { delete(c, name) } }
	set := func(name string, value any) func(map[string]any) { return func(c map[string]any) { c[name] = value } }
	for name, c := range map[string]struct {
		change func(map[string]any)
		kind   sluice.Kind
	}{
		"another nonce":            {set("nonce", "other"), sluice.KindUnauthorized},
		"no nonce":                 {drop("nonce"), sluice.KindUnauthorized},
		"another audience":         {set("aud", "other-client"), sluice.KindUnauthorized},
		"another issuer":           {set("iss", "https://evil.example"), sluice.KindUnauthorized},
		"expired":                  {set("exp", time.Now().Add(-time.Minute).Unix()), sluice.KindUnauthorized},
		"no expiry":                {drop("exp"), sluice.KindUnauthorized},
		"an unverified address":    {set("email_verified", false), sluice.KindForbidden},
		"an address of no word":    {drop("email_verified"), sluice.KindForbidden},
		"verified, as a text: no":  {set("email_verified", "false"), sluice.KindForbidden},
		"no address":               {drop("email"), sluice.KindForbidden},
		"no address that is one":   {set("email", "cy"), sluice.KindForbidden},
		"another domain":           {set("email", "cy@evil.example"), sluice.KindForbidden},
		"a domain that ends alike": {set("email", "cy@notacme.example"), sluice.KindForbidden},
	} {
		p := i.provider()
		address, cookie, err := p.Begin(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Finish(t.Context(), cookie, i.signsIn(address, c.change), time.Now())
		kind(t, name, err, c.kind)
	}
}

func TestASignInBelongsToItsBrowser(t *testing.T) {
	i := newIssuer(t)
	p := i.provider()
	begin := func() (string, sluice.Secret) {
		address, cookie, err := p.Begin(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return address, cookie
	}
	_, attacker := begin()
	address, cookie := begin()
	back := i.signsIn(address, nil)
	with := func(name, value string) url.Values {
		v := url.Values{"code": back["code"], "state": back["state"]}
		v.Set(name, value)
		return v
	}
	now := time.Now()
	for name, c := range map[string]struct {
		cookie sluice.Secret
		query  url.Values
		now    time.Time
	}{
		"no cookie":            {sluice.Secret{}, back, now},
		"another's cookie":     {attacker, back, now},
		"a cookie made up":     {sluice.NewSecret(cookie.Reveal()[:20] + "AAAA" + cookie.Reveal()[24:]), back, now},
		"another state":        {cookie, with("state", "x"), now},
		"no state":             {cookie, with("state", ""), now},
		"another issuer":       {cookie, with("iss", "https://evil.example"), now},
		"too late":             {cookie, back, now.Add(flowLasts)},
		"of another provider":  {func() sluice.Secret { _, c, _ := i.provider().Begin(t.Context(), now); return c }(), back, now},
		"a cookie of no flow":  {sluice.NewSecret("x"), back, now},
		"an empty query":       {cookie, url.Values{}, now},
		"a very long cookie":   {sluice.NewSecret(strings.Repeat("A", 100_000)), back, now},
		"a state of no length": {cookie, url.Values{"state": {}}, now},
	} {
		_, err := p.Finish(t.Context(), c.cookie, c.query, c.now)
		kind(t, name, err, sluice.KindUnauthorized)
	}
	if _, err := p.Finish(t.Context(), cookie, back, now); err != nil { // none of it has used the flow up
		t.Errorf("the right one: %v", err)
	}

	address, cookie = begin()
	back = i.signsIn(address, nil)
	_, err := p.Finish(t.Context(), cookie, with("code", "another"), now)
	kind(t, "another code", err, sluice.KindUnauthorized)
	address, cookie = begin()
	back = i.signsIn(address, nil)
	i.challenge = "another"
	_, err = p.Finish(t.Context(), cookie, back, now)
	kind(t, "another verifier", err, sluice.KindUnauthorized)
	address, cookie = begin()
	i.signsIn(address, nil)
	u, _ := url.Parse(address)
	_, err = p.Finish(t.Context(), cookie, url.Values{"state": {u.Query().Get("state")}, "error": {"access_denied"}, "error_description": {"canary"}}, now)
	kind(t, "refused there", err, sluice.KindUnauthorized)
	if e, ok := err.(*sluice.Error); !ok || strings.Contains(e.Msg+e.Hint, "canary") { //nolint:errorlint // it is one, unwrapped
		t.Errorf("%v", err)
	}
}

func TestRulesOfAnIdentityProvider(t *testing.T) {
	i := newIssuer(t)
	for name, c := range map[string]struct {
		config func(*OIDC)
		claims func(map[string]any)
		want   []Grant
	}{
		"one group as a text": {nil, func(c map[string]any) { c["groups"] = "root" }, []Grant{{Account: "acme", Role: Viewer}, {Instance: true}}},
		"groups of no kind":   {nil, func(c map[string]any) { c["groups"] = 7 }, []Grant{{Account: "acme", Role: Viewer}}},
		"another claim":       {func(o *OIDC) { o.GroupsClaim = "roles" }, func(c map[string]any) { c["roles"] = []string{"root"} }, []Grant{{Account: "acme", Role: Viewer}, {Instance: true}}},
		"a domain of its own": {func(o *OIDC) { o.Domains = nil }, func(c map[string]any) { c["email"] = "a@Other.example"; delete(c, "groups") }, []Grant{{Account: "acme", Role: Viewer}, {Account: "other", Role: Admin}}},
		"unverified, let in":  {func(o *OIDC) { o.Unverified = true }, func(c map[string]any) { delete(c, "email_verified"); delete(c, "groups") }, []Grant{{Account: "acme", Role: Viewer}}},
		"verified as a text":  {nil, func(c map[string]any) { c["email_verified"] = "true"; delete(c, "groups") }, []Grant{{Account: "acme", Role: Viewer}}},
	} {
		p := i.provider(func(o *OIDC) {
			if c.config != nil {
				c.config(o)
			}
		})
		address, cookie, err := p.Begin(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		who, err := p.Finish(t.Context(), cookie, i.signsIn(address, c.claims), time.Now())
		if err != nil || !slices.Equal(who.Grants, c.want) {
			t.Errorf("%s: %+v, %v", name, who.Grants, err)
		}
	}
}

func TestAnIdentityProviderThatIsAway(t *testing.T) {
	i := newIssuer(t)
	p := i.provider(func(o *OIDC) { o.Issuer = i.URL + "/nothing" })
	_, _, err := p.Begin(t.Context(), time.Now())
	kind(t, "begin", err, sluice.KindUnavailable)
}

func TestFlowsThatAreOverAreForgotten(t *testing.T) {
	p := newIssuer(t).provider()
	now := time.Now()
	for range 2 * maxUsed {
		p.once(&flow{State: randomText(), Expires: now.Add(flowLasts).Unix()}, now)
	}
	if len(p.used) > maxUsed {
		t.Errorf("%d are remembered", len(p.used))
	}
	p.once(&flow{State: "x", Expires: now.Add(time.Hour).Unix()}, now.Add(flowLasts))
	if len(p.used) != 1 {
		t.Errorf("%d are remembered that have expired", len(p.used))
	}
}
