package proxy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/provider"
)

// privateLoopback lets custom providers lead to this machine.
func privateLoopback(c *config.Config) { c.Upstream.PrivateHosts = []string{"127.0.0.0/8", "::1"} }

// custom makes an enabled custom provider of the slug lab at base.
func (b *bank) custom(base, headers string) provider.Custom {
	b.t.Helper()
	return b.customAt(time.Now(), base, headers)
}

func (b *bank) customAt(now time.Time, base, headers string) provider.Custom {
	b.t.Helper()
	text := func(s string) *string { return &s }
	yes := true
	n := provider.CustomChange{Name: text("Lab"), Slug: text("lab"), BaseURL: &base, Enabled: &yes}
	if headers != "" {
		h := sluice.NewSecret(headers)
		n.Headers = &h
	}
	c, err := b.Customs.Create(b.t.Context(), "default", n, now)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// labUpstream is an upstream that keeps the last request.
type labUpstream struct {
	*httptest.Server
	last chan *http.Request
	body []byte
}

func newLab(t *testing.T, answer http.HandlerFunc) *labUpstream {
	s := &labUpstream{last: make(chan *http.Request, 16)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.body, _ = io.ReadAll(r.Body)
		s.last <- r
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func answerChat(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, wholeAnswer)
}

func TestACallGoesToACustomProvider(t *testing.T) {
	b := newBank(t, privateLoopback)
	up := newLab(t, answerChat)
	b.custom(up.URL+"/base", `{"X-Tenant":"blue"}`)
	const body = `{"model" : "lab-1", "messages":[]}`
	resp, got, err := b.Do("POST", "custom-lab/paas/v4/chat/completions?a=b%20c", b.fields("Authorization: Bearer sk-own", "X-Tenant: red"), strings.NewReader(body))
	if err != nil || resp.StatusCode != 200 || string(got) != wholeAnswer {
		t.Fatalf("%d %s %v", resp.StatusCode, got, err)
	}
	r := <-up.last
	if r.RequestURI != "/base/paas/v4/chat/completions?a=b%20c" || string(up.body) != body || r.Header.Get("Authorization") != "Bearer sk-own" ||
		strings.Join(r.Header.Values("X-Tenant"), "+") != "blue" {
		t.Errorf("%s %s %v", r.RequestURI, up.body, r.Header)
	}
	e := b.Row()
	if e.Provider != "custom-lab" || e.Model != "lab-1" || e.Endpoint != "chat/completions" || !e.Usage.Known() || !e.Success {
		t.Errorf("%+v", e)
	}
	// In a universal request it has the same name.
	resp, got, _ = b.Do("POST", "", nil, strings.NewReader(`[{"provider":"custom-lab","endpoint":"chat/completions","headers":{},"query":`+body+`}]`))
	if r := <-up.last; resp.StatusCode != 200 || r.RequestURI != "/base/chat/completions" || r.Header.Get("X-Tenant") != "blue" {
		t.Errorf("universal: %d %s %s", resp.StatusCode, got, r.RequestURI)
	}
}

func TestRedirectsOfACustomProviderAreAnswers(t *testing.T) {
	b := newBank(t, privateLoopback)
	up := newLab(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	b.custom(up.URL, "")
	resp, _, err := b.Do("GET", "custom-lab/models", nil, nil)
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect || resp.Header.Get("Location") != "http://169.254.169.254/latest/meta-data/" {
		t.Errorf("%d %v %v", resp.StatusCode, resp.Header, err)
	}
	if len(up.last) != 1 {
		t.Errorf("%d calls were made", len(up.last))
	}
}

// TestACustomProviderLeadsNowhereInside: the name is one that a resolver gives an inner address for; no look at
// the name can tell.
func TestACustomProviderLeadsNowhereInside(t *testing.T) {
	b := newBank(t, nil)
	up := newLab(t, answerChat)
	_, port, _ := strings.Cut(strings.TrimPrefix(up.URL, "http://"), ":")
	c := b.custom("https://localhost:"+port, "")
	for _, base := range []string{"https://localhost:" + port, "https://LOCALHOST:" + port + "/v1"} {
		if _, err := b.Customs.Update(t.Context(), "default", c.ID, provider.CustomChange{BaseURL: &base}, time.Now()); err != nil {
			t.Fatal(err)
		}
		resp, got, err := b.Do("POST", "custom-lab/chat/completions", nil, strings.NewReader("{}"))
		if err != nil || resp.StatusCode/100 == 2 {
			t.Fatalf("%s: %d %s %v", base, resp.StatusCode, got, err)
		}
		if strings.Contains(string(got), "127.0.0.1") {
			t.Errorf("the answer tells the address: %s", got)
		}
	}
	if len(up.last) != 0 {
		t.Error("the call came through")
	}
	for _, row := range b.WaitRows(2) {
		if len(row.Entry.Attempts) != 1 || row.Entry.Attempts[0].Cause != "address" {
			t.Errorf("attempts %+v", row.Entry.Attempts)
		}
	}
}

func TestCustomProvidersThatAreNotThereAreRefused(t *testing.T) {
	b := newBank(t, privateLoopback)
	up := newLab(t, answerChat)
	c := b.custom(up.URL, "")
	call := func() (int, string) {
		resp, got, err := b.Do("POST", "custom-lab/chat/completions", nil, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		code, _, description := refusal(t, string(got))
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d", resp.StatusCode)
		}
		return code, description
	}
	no := false
	if _, err := b.Customs.Update(t.Context(), "default", c.ID, provider.CustomChange{Enabled: &no}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if code, says := call(); code != 2008 || !strings.Contains(says, "not enabled") {
		t.Errorf("disabled: %d %s", code, says)
	}
	if _, err := b.Customs.Delete(t.Context(), "default", c.ID); err != nil {
		t.Fatal(err)
	}
	if code, says := call(); code != 2008 || !strings.Contains(says, "custom-lab") {
		t.Errorf("deleted: %d %s", code, says)
	}
	if len(up.last) != 0 {
		t.Error("a call came through")
	}
}

func TestAStoredKeyOfACustomProvider(t *testing.T) {
	b := newBank(t, privateLoopback)
	up := newLab(t, answerChat)
	c := b.custom(up.URL, "")
	b.store("sk-stored-0123456789", of("custom-lab"))
	send := func(fields ...string) (int, string) {
		resp, got, err := b.Do("POST", "custom-lab/chat/completions", b.fields(fields...), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(got)
	}
	if status, text := send("token"); status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	if r := <-up.last; r.Header.Get("Authorization") != "Bearer sk-stored-0123456789" {
		t.Errorf("shown %q", r.Header.Get("Authorization"))
	}
	if status, _ := send(); status != http.StatusUnauthorized {
		t.Errorf("without a gateway token: %d", status)
	}
	// Another provider of its slug does not get it, wherever it leads.
	elsewhere := newLab(t, answerChat)
	if _, err := b.Customs.Delete(t.Context(), "default", c.ID); err != nil {
		t.Fatal(err)
	}
	b.customAt(time.Now().Add(time.Second), elsewhere.URL, "")
	status, text := send("token")
	if _, _, says := refusal(t, text); status != http.StatusForbidden || !strings.Contains(says, "earlier provider") {
		t.Errorf("after it was made anew: %d %s", status, text)
	}
	if len(elsewhere.last) != 0 {
		t.Error("the old key went to the new provider")
	}
	if status, _ := send("token", "Authorization: Bearer sk-own"); status != 200 {
		t.Errorf("with a key of the caller's own: %d", status)
	}
}

func TestTheKeyOfACustomProviderGoesWhereItSays(t *testing.T) {
	b := newBank(t, privateLoopback)
	up := newLab(t, answerChat)
	c := b.custom(up.URL, "")
	header, none := "X-Lab-Key", ""
	if _, err := b.Customs.Update(t.Context(), "default", c.ID, provider.CustomChange{AuthHeader: &header, AuthScheme: &none}, time.Now()); err != nil {
		t.Fatal(err)
	}
	b.store("sk-stored-0123456789", of("custom-lab"))
	if resp, got, err := b.Do("POST", "custom-lab/chat/completions", b.fields("token"), strings.NewReader("{}")); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%d %s %v", resp.StatusCode, got, err)
	}
	if r := <-up.last; r.Header.Get("X-Lab-Key") != "sk-stored-0123456789" || r.Header.Get("Authorization") != "" {
		t.Errorf("%v", r.Header)
	}
	if e := b.Row(); e.ReqHeader.Get("X-Lab-Key") != "" {
		t.Errorf("logged: %v", e.ReqHeader)
	}
}

func TestACredentialAmongAddedFieldsIsForTrustedCallers(t *testing.T) {
	b := newBank(t, privateLoopback)
	up := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":{"message":"not this: `+r.Header.Get("x-api-key")+`"}}`)
	})
	b.custom(up.URL, `{"x-api-key":"canary-0123456789"}`)
	resp, _, err := b.Do("POST", "custom-lab/chat/completions", nil, strings.NewReader("{}"))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || len(up.last) != 0 {
		t.Errorf("without a gateway token: %d %v, %d calls", resp.StatusCode, err, len(up.last))
	}
	resp, got, err := b.Do("POST", "custom-lab/chat/completions", b.fields("token"), strings.NewReader("{}"))
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Fatalf("%d %s %v", resp.StatusCode, got, err)
	}
	if r := <-up.last; r.Header.Get("x-api-key") != "canary-0123456789" {
		t.Errorf("%v", r.Header)
	}
	if strings.Contains(string(got), "canary") || !strings.Contains(string(got), "*****************") {
		t.Errorf("the provider's error repeats it: %s", got)
	}
	for _, row := range b.WaitRows(2) {
		for _, f := range row.Entry.ReqHeader {
			if strings.Contains(f.Value, "canary") {
				t.Errorf("logged: %v", f)
			}
		}
	}
}

func TestPlainAddressesAreForHostsOfTheConfiguration(t *testing.T) {
	b := newBank(t, func(c *config.Config) { c.Upstream.PrivateHosts = []string{"localhost"} })
	up := newLab(t, answerChat)
	u, err := url.Parse(up.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := b.custom("http://localhost:"+u.Port(), "")
	if resp, got, err := b.Do("POST", "custom-lab/chat/completions", nil, strings.NewReader("{}")); err != nil || resp.StatusCode != 200 {
		t.Errorf("%d %s %v", resp.StatusCode, got, err)
	}
	for _, base := range []string{up.URL, "http://localhost.example.com", "http://example.com"} {
		if _, err := b.Customs.Update(t.Context(), "default", c.ID, provider.CustomChange{BaseURL: &base}, time.Now()); sluice.KindOf(err) != sluice.KindInvalid {
			t.Errorf("%s: %v", base, err)
		}
	}
}
