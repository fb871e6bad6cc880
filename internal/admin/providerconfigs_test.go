package admin

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/vault"
)

const (
	keysPath  = accountPath + "/gateways/default/provider_configs"
	keySecret = "sk-proj-canary-0123456789wxyz"
)

// newVault makes a vault without keys, over a real store.
func newVault(t *testing.T) *vault.Vault {
	t.Helper()
	dir := t.TempDir()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	v, err := vault.Open(t.Context(), vault.Options{
		Store: db, Master: vault.Master{File: filepath.Join(dir, "master.key")}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close(context.WithoutCancel(t.Context())) })
	return v
}

// key reads an answer that is a stored key, which never holds the key itself.
func (b *bench) key(v reply) ProviderConfigView {
	b.t.Helper()
	if strings.Contains(string(v.Result), "canary") {
		b.t.Fatalf("the key is in an answer: %s", v.Result)
	}
	var k ProviderConfigView
	if err := json.Unmarshal(v.Result, &k); err != nil || k.ID == "" {
		b.t.Fatalf("%d %s %+v", v.status, v.Result, v.Errors)
	}
	return k
}

// keys lists the items of a list.
func (b *bench) keys(path string) []map[string]any {
	b.t.Helper()
	v := b.call(path)
	return v.items(b.t)
}

func TestProviderConfigsAsInTheReference(t *testing.T) {
	b := newBench(t)
	made := b.key(b.send(http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"prod","default_config":true,"secret":"`+keySecret+`","rate_limit":100,"rate_limit_period":60}`))
	v := b.call(keysPath)
	list := v.items(t)
	if len(list) != 1 || strings.Contains(string(v.Result), "canary") {
		t.Fatalf("%s", v.Result)
	}
	for name, want := range map[string]any{
		"id": made.ID, "gateway_id": "default", "provider_slug": "openai", "alias": "prod", "default_config": true, "secret_id": made.ID,
		"secret_preview": "****wxyz", "rate_limit": json.Number("100"), "rate_limit_period": json.Number("60"),
		"weight": json.Number("1"), "status": "ready", "last_used_at": nil, "rests_until": nil, "version": json.Number("1"),
	} {
		if got, there := list[0][name]; !there || got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"modified_at", "created_at"} {
		if _, err := time.Parse(time.RFC3339, list[0][name].(string)); err != nil {
			t.Error(err)
		}
	}
	if got := b.keys(keysPath + "?page=2"); len(got) != 0 {
		t.Errorf("page 2: %v", got)
	}
	if got := b.key(b.call(keysPath + "/" + made.ID)); got.Alias != "prod" {
		t.Errorf("%+v", got)
	}
	b.t = t
	for _, elsewhere := range []string{accountPath + "/gateways/prod/provider_configs/", "/client/v4/accounts/other/ai-gateway/gateways/default/provider_configs/"} {
		b.fails(elsewhere+made.ID, http.StatusNotFound, codeNotFound, "provider key not found")
	}
}

func TestAProviderConfigIsChangedAndDeleted(t *testing.T) {
	b := newBench(t)
	made := b.key(b.send(http.MethodPost, keysPath, `{"provider_slug":"open-ai","alias":"default","default_config":false,"secret":"`+keySecret+`"}`))
	if made.ProviderSlug != "openai" {
		t.Errorf("%+v", made)
	}
	// What a client has read may be sent back whole, the preview included.
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	same := b.key(b.send(http.MethodPut, keysPath+"/"+made.ID, string(text)))
	if same.SecretPreview != made.SecretPreview || same.Version != 2 {
		t.Errorf("%+v", same)
	}
	changed := b.key(b.send(http.MethodPut, keysPath+"/"+made.ID, `{"secret":"sk-canary-next-5678","hosts":["H.example"],"weight":5}`))
	if changed.SecretPreview != "****5678" || changed.Alias != "default" || len(changed.Hosts) != 1 || changed.Hosts[0] != "h.example" || changed.Weight != 5 {
		t.Errorf("%+v", changed)
	}
	c, err := b.deps.Vault.Find("default", "default", made.ID)
	if err != nil || c.Secret().Reveal() != "sk-canary-next-5678" {
		t.Errorf("stored: %v", err)
	}
	if v := b.send(http.MethodPut, keysPath+"/nosuch", `{}`); v.status != http.StatusNotFound {
		t.Errorf("%d %+v", v.status, v.Errors)
	}
	b.key(b.send(http.MethodDelete, keysPath+"/"+made.ID, ""))
	b.fails(keysPath+"/"+made.ID, http.StatusNotFound, codeNotFound, "not found")
}

func TestProviderConfigsThatAreRefused(t *testing.T) {
	b := newBench(t)
	made := b.key(b.send(http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"default","default_config":true,"secret":"`+keySecret+`"}`))
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		field              string
	}{
		"an unknown provider":   {http.MethodPost, keysPath, `{"provider_slug":"nosuch","alias":"a","default_config":true,"secret":"x"}`, 400, "provider_slug"},
		"no provider":           {http.MethodPost, keysPath, `{"alias":"a","secret":"x"}`, 400, "provider_slug"},
		"a taken alias":         {http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"default","secret":"sk-2"}`, 409, "alias"},
		"no secret":             {http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"a"}`, 400, "secret"},
		"a Secrets Store":       {http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"a","secret_id":"0123"}`, 400, "secret_id"},
		"a secret with a space": {http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"a","secret":"canary x"}`, 400, "secret"},
		"a secret that is none": {http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"a","secret":["canary"]}`, 400, "secret"},
		"a bad alias":           {http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"a b","secret":"x"}`, 400, "alias"},
		"a bad host":            {http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"a","secret":"x","hosts":["http://h/"]}`, 400, "hosts"},
		"another provider":      {http.MethodPut, keysPath + "/" + made.ID, `{"provider_slug":"anthropic"}`, 400, "provider_slug"},
		"the masked secret":     {http.MethodPut, keysPath + "/" + made.ID, `{"secret":"` + made.SecretPreview + `"}`, 400, "secret"},
		"no gateway":            {http.MethodPost, accountPath + "/gateways/nosuch/provider_configs", `{"provider_slug":"openai","secret":"x"}`, 404, ""},
	} {
		v := b.send(c.method, c.path, c.body)
		if v.status != c.status || v.Errors[0].Field != c.field || strings.Contains(v.Errors[0].Message+v.Errors[0].Hint, "canary") {
			t.Errorf("%s: %d %+v", name, v.status, v.Errors)
		}
	}
	if got := b.keys(keysPath); len(got) != 1 || got[0]["version"] != json.Number("1") {
		t.Errorf("%v", got)
	}
	if v := b.send(http.MethodPost, keysPath, `{"provider_slug":"openai","alias":"default","secret":"sk-2","weight":3}`); v.status != 200 {
		t.Errorf("a second key with a weight: %d %+v", v.status, v.Errors)
	}
}

func TestAKeylessProviderTakesNoKey(t *testing.T) {
	b := newBench(t, func(d *Deps) { d.Keyless = func(string) bool { return true } })
	if v := b.send(http.MethodPost, keysPath, `{"provider_slug":"openai","secret":"x"}`); v.status != 400 || !strings.Contains(v.Errors[0].Message, "takes no key") {
		t.Errorf("%d %+v", v.status, v.Errors)
	}
}

func TestAStoredKeyIsTested(t *testing.T) {
	var tested string
	b := newBench(t, func(d *Deps) {
		d.TestKey = func(_ context.Context, c *vault.Credential) (KeyTest, error) {
			tested = c.Secret().Reveal()
			return KeyTest{Path: "models", Status: 401, DurationMS: 7, Error: "no"}, nil
		}
	})
	made := b.key(b.send(http.MethodPost, keysPath, `{"provider_slug":"openai","secret":"`+keySecret+`"}`))
	v := b.send(http.MethodPost, keysPath+"/"+made.ID+"/test", "")
	if v.status != 200 || tested != keySecret || string(v.Result) != `{"ok":false,"path":"models","status":401,"duration_ms":7,"error":"no"}` {
		t.Errorf("%d %s", v.status, v.Result)
	}
}

func TestAGatewaysKeysGoWithIt(t *testing.T) {
	b := newBench(t)
	if v := b.send(http.MethodPost, gatewaysPath, `{"id":"g2",`+bare+`}`); v.status != 200 {
		t.Fatalf("%d %+v", v.status, v.Errors)
	}
	path := gatewaysPath + "/g2/provider_configs"
	b.key(b.send(http.MethodPost, path, `{"provider_slug":"openai","secret":"`+keySecret+`"}`))
	for _, step := range []struct{ method, path, body string }{
		{http.MethodDelete, gatewaysPath + "/g2", ""}, {http.MethodPost, gatewaysPath, `{"id":"g2",` + bare + `}`},
	} {
		if v := b.send(step.method, step.path, step.body); v.status != 200 {
			t.Fatalf("%d %+v", v.status, v.Errors)
		}
	}
	if got := b.keys(path); len(got) != 0 {
		t.Errorf("the new gateway has %v", got)
	}
}

func TestTheMasterKeyIsRotated(t *testing.T) {
	b := newBench(t)
	const path = accountPath + "/master-key/rotate"
	if v := b.send(http.MethodPost, path, ""); v.status != http.StatusConflict {
		t.Errorf("of nothing: %d %+v", v.status, v.Errors)
	}
	made := b.key(b.send(http.MethodPost, keysPath, `{"provider_slug":"openai","secret":"`+keySecret+`"}`))
	if v := b.send(http.MethodPost, path, ""); v.status != http.StatusOK {
		t.Fatalf("%d %+v", v.status, v.Errors)
	}
	if err := b.deps.Vault.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, err := b.deps.Vault.Find("default", "default", made.ID); err != nil || c.Secret() != sluice.NewSecret(keySecret) {
		t.Errorf("after it: %v", err)
	}
}

func TestAKeyOfSeveralPartsIsStored(t *testing.T) {
	b := newBench(t, func(d *Deps) {
		d.KeyKinds = func(string) []credential.Kind { return []credential.Kind{credential.AWS} }
	})
	const aws = `{"provider_slug":"openai","alias":"default","default_config":true,"secret":"{\"accessKeyId\":\"AKIDEXAMPLE\",\"secretAccessKey\":\"canary-0123456789wxyz\",\"region\":\"us-east-1\"}"}`
	made := b.key(b.send(http.MethodPost, keysPath, aws))
	if made.Kind != "aws" || *made.KeyID != "AKIDEXAMPLE" || *made.Region != "us-east-1" || made.SecretPreview != "****wxyz" {
		t.Errorf("%+v", made)
	}
	for name, test := range map[string]struct{ body, field string }{
		"no region":     {strings.Replace(aws, `\"region\":\"us-east-1\"`, `\"x\":\"y\"`, 1), "secret.region"},
		"no access key": {strings.Replace(aws, "accessKeyId", "id", 1), "secret.accessKeyId"},
	} {
		v := b.send(http.MethodPost, keysPath, strings.Replace(test.body, `"alias":"default"`, `"alias":"other"`, 1))
		if v.status != http.StatusBadRequest || v.Errors[0].Field != test.field || strings.Contains(v.Errors[0].Message+v.Errors[0].Hint, "canary") {
			t.Errorf("%s: %d %+v", name, v.status, v.Errors)
		}
	}
	// What is left out of a change stays, and one text takes its place.
	one := keysPath + "/" + made.ID
	if got := b.key(b.send(http.MethodPut, one, `{"weight":2}`)); got.Kind != "aws" || *got.Region != "us-east-1" {
		t.Errorf("%+v", got)
	}
	if got := b.key(b.send(http.MethodPut, one, `{"secret":"ABSK-0123456789"}`)); got.Kind != "text" || got.KeyID != nil || got.Region != nil {
		t.Errorf("%+v", got)
	}
}
