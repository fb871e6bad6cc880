package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
)

const tokensPath = accountPath + "/tokens"

// token creates a gateway token and returns its value.
func (b *bench) token(change ...func(*auth.New)) (auth.Token, string) {
	b.t.Helper()
	n := auth.New{Account: "default", Permissions: auth.Read}
	for _, c := range change {
		c(&n)
	}
	t, value, err := b.deps.Tokens.Create(b.t.Context(), n, time.Now().Add(-time.Hour))
	if err != nil {
		b.t.Fatal(err)
	}
	return t, value.Reveal()
}

func (b *bench) revoke(t auth.Token) {
	b.t.Helper()
	if _, err := b.deps.Tokens.Revoke(b.t.Context(), t.Account, t.ID, time.Now()); err != nil {
		b.t.Fatal(err)
	}
}

// as sends a call with another token than the admin's.
func (b *bench) as(value, method, path, text string) reply {
	b.t.Helper()
	w := httptest.NewRecorder()
	r := mustRequest(b.t, method, b.server.URL+path)
	r.Header.Set("Authorization", "Bearer "+value)
	if text != "" {
		r.Body = io.NopCloser(strings.NewReader(text))
		r.Header.Set("Content-Type", "application/json")
	}
	b.handler.ServeHTTP(w, r)
	v := reply{status: w.Code}
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		b.t.Fatalf("%s: %v in %s", path, err, w.Body)
	}
	return v
}

// status calls a route and returns the answer's status, with the message of a failure.
func (b *bench) status(value string, r Route) (status int, message string) {
	b.t.Helper()
	req := mustRequest(b.t, r.Method, b.server.URL+r.path())
	req.Header.Set("Authorization", "Bearer "+value)
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 {
		return resp.StatusCode, "" // a stream of events has no end
	}
	var v reply
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || len(v.Errors) == 0 {
		b.t.Fatalf("%s %s: %d, %v", r.Method, r.Pattern, resp.StatusCode, err)
	}
	return resp.StatusCode, v.Errors[0].Message
}

func TestATokensLifeThroughTheAPI(t *testing.T) {
	b := newBench(t)
	ends := time.Now().Add(90 * 24 * time.Hour).UTC().Truncate(time.Second)
	v := b.send(http.MethodPost, tokensPath, `{"name":"ci","gateways":["PROD","default","prod"],"permissions":["run","read"],"expires_at":"`+ends.Format(time.RFC3339)+`"}`)
	var made CreatedToken
	if err := json.Unmarshal(v.Result, &made); err != nil || v.status != http.StatusOK {
		t.Fatalf("%d %s %+v, %v", v.status, v.Result, v.Errors, err)
	}
	if made.Name != "ci" || made.AccountID != "default" || fmt.Sprint(made.Gateways) != "[default prod]" || fmt.Sprint(made.Permissions) != "[run read]" ||
		made.Status != "valid" || made.ExpiresAt == nil || *made.ExpiresAt != stamp(ends) || made.Imported || !strings.HasSuffix(made.Value, made.Hint) {
		t.Errorf("%+v", made)
	}
	if got := b.as(made.Value, http.MethodGet, logsPath, ""); got.status != http.StatusOK {
		t.Errorf("with the token: %d", got.status)
	}
	v = b.call(tokensPath)
	if items := v.items(t); len(items) != 1 || items[0]["id"] != made.ID || items[0]["value"] != nil || items[0]["last_used_at"] == nil || strings.Contains(string(v.Result), made.Value) {
		t.Errorf("list: %s", v.Result)
	}
	v = b.send(http.MethodDelete, tokensPath+"/"+made.ID, "")
	if v.status != http.StatusOK || !strings.Contains(string(v.Result), `"status":"revoked"`) || strings.Contains(string(v.Result), made.Value) {
		t.Errorf("revoke: %d %s", v.status, v.Result)
	}
	if got := b.as(made.Value, http.MethodGet, logsPath, ""); got.status != http.StatusUnauthorized {
		t.Errorf("with the revoked token: %d", got.status)
	}
	now := b.call(tokensPath)
	if items := now.items(t); len(items) != 0 {
		t.Errorf("list: %v", items)
	}
	again := b.call(tokensPath + "?revoked=true")
	if items := again.items(t); len(items) != 1 || items[0]["revoked_at"] == nil {
		t.Errorf("list with the revoked: %v", items)
	}
	if v := b.send(http.MethodDelete, tokensPath+"/nothing", ""); v.status != http.StatusNotFound || v.Errors[0].Code != codeNotFound {
		t.Errorf("revoking nothing: %d %+v", v.status, v.Errors)
	}
}

func TestATokenOfOneAccountSeesNothingOfAnother(t *testing.T) {
	b := newBench(t)
	other, _ := b.token(func(n *auth.New) { n.Account, n.Name = "other", "theirs" })
	_, edit := b.token(func(n *auth.New) { n.Permissions = auth.Edit })
	const theirs = "/client/v4/accounts/other/ai-gateway"
	nowhere := b.as(edit, http.MethodGet, "/client/v4/accounts/nobody/ai-gateway/gateways", "")
	for _, path := range []string{"/gateways", "/gateways/default", "/gateways/nothing", "/gateways/default/logs", "/tokens", "/analytics", "/status", "/events"} {
		if v := b.as(edit, http.MethodGet, theirs+path, ""); v.status != http.StatusNotFound || fmt.Sprint(v.Errors) != fmt.Sprint(nowhere.Errors) {
			t.Errorf("%s: %d %+v; want what an account has that is not there: %+v", path, v.status, v.Errors, nowhere.Errors)
		}
	}
	if v := b.as(edit, http.MethodGet, tokensPath, ""); v.status != http.StatusOK || strings.Contains(string(v.Result), other.ID) {
		t.Errorf("%d %s", v.status, v.Result)
	}
	for _, path := range []string{tokensPath, theirs + "/tokens"} {
		if v := b.as(edit, http.MethodDelete, path+"/"+other.ID, ""); v.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, v.status)
		}
	}
	// An alias is the account.
	if v := b.as(edit, http.MethodGet, "/client/v4/accounts/0123456789ABCDEF0123456789abcdef/ai-gateway/tokens", ""); v.status != http.StatusOK {
		t.Errorf("by the alias: %d %+v", v.status, v.Errors)
	}
}

func TestImportingATokenThroughTheAPI(t *testing.T) {
	b := newBench(t)
	const value = "v1.0-0123456789abcdef-import"
	v := b.send(http.MethodPost, tokensPath, `{"name":"moved","value":"`+value+`","permissions":["edit"]}`)
	if v.status != http.StatusOK || strings.Contains(string(v.Result), value) || !strings.Contains(string(v.Result), `"imported":true`) {
		t.Errorf("%d %s %+v", v.status, v.Result, v.Errors)
	}
	if got := b.as(value, http.MethodGet, tokensPath, ""); got.status != http.StatusOK {
		t.Errorf("with it: %d", got.status)
	}
}

func TestWhatIsWrongWithANewToken(t *testing.T) {
	b := newBench(t)
	b.token(func(n *auth.New) { n.Name = "taken" })
	for body, want := range map[string]struct {
		status int
		field  string
	}{
		`{"permissions":["write"]}`:                  {http.StatusBadRequest, "permissions"},
		`{"permissions":[]}`:                         {http.StatusBadRequest, "permissions"},
		`{"gateways":["nothing"]}`:                   {http.StatusBadRequest, "gateways"},
		`{"gateways":[]}`:                            {http.StatusBadRequest, "gateways"},
		`{"expires_at":"2020-01-01T00:00:00Z"}`:      {http.StatusBadRequest, "expires_at"},
		`{"name":"` + strings.Repeat("x", 65) + `"}`: {http.StatusBadRequest, "name"},
		`{"value":"short"}`:                          {http.StatusBadRequest, "value"},
		`{"name":"taken"}`:                           {http.StatusConflict, "name"},
		`{"allow":["run"]}`:                          {http.StatusBadRequest, "allow"},
	} {
		v := b.send(http.MethodPost, tokensPath, body)
		if v.status != want.status || len(v.Errors) != 1 || v.Errors[0].Field != want.field || fmt.Sprint(v.Errors[0].Path) != "[body "+want.field+"]" {
			t.Errorf("%s: %d %+v", body, v.status, v.Errors)
		}
	}
	if n := len(b.deps.Tokens.List(auth.Filter{})); n != 1 {
		t.Errorf("%d tokens", n)
	}
	for _, body := range []string{`{}`, `{"gateways":null,"expires_at":null}`} {
		v := b.send(http.MethodPost, tokensPath, body)
		var made CreatedToken
		if err := json.Unmarshal(v.Result, &made); err != nil || v.status != http.StatusOK || made.Gateways != nil || made.Name == "" || fmt.Sprint(made.Permissions) != "[run]" {
			t.Errorf("%s: %d %s %+v", body, v.status, v.Result, v.Errors)
		}
	}
}

func TestAGatewayTokenDecidesOnThisMachineToo(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.Token = func() sluice.Secret { return sluice.Secret{} } })
	read, value := b.token()
	get := func(value, path string) int { return b.get(path, "Authorization", "Bearer "+value).StatusCode }
	for path, want := range map[string]int{logsPath: http.StatusOK, tokensPath: http.StatusForbidden} {
		if got := get(value, path); got != want {
			t.Errorf("%s: %d; want %d", path, got, want)
		}
	}
	if got := get("whatever", tokensPath); got != http.StatusOK {
		t.Errorf("with what is no token: %d", got)
	}
	b.revoke(read)
	if got := get(value, logsPath); got != http.StatusUnauthorized {
		t.Errorf("revoked: %d", got)
	}
}

func TestAStreamOfEventsEndsWithItsToken(t *testing.T) {
	b := newBench(t)
	read, value := b.token()
	resp := b.get(accountPath+"/events", "Authorization", "Bearer "+value)
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode)
	}
	b.revoke(read)
	if _, err := io.Copy(io.Discard, resp.Body); err != nil { // waits for the end, the test's own deadline aside
		t.Error(err)
	}
}
