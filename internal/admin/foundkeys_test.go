package admin

import (
	"net/http"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

func TestFoundKeysAreOfferedAndNotShown(t *testing.T) {
	b := newBench(t, func(d *Deps) {
		d.FoundKeys = func() []FoundKey {
			return []FoundKey{
				{Provider: "openai", Name: "OPENAI_API_KEY", Secret: sluice.NewSecret(keySecret)},
				{Provider: "groq", Name: "GROQ_API_KEY", Secret: sluice.NewSecret("canary")},
			}
		}
	})
	const found = accountPath + "/gateways/default/found-keys"
	v := b.call(found)
	list := v.items(t)
	if len(list) != 2 || list[0]["name"] != "OPENAI_API_KEY" || list[0]["secret_preview"] != "wxyz" || list[0]["stored"] != false || list[1]["secret_preview"] != "" {
		t.Errorf("found keys: %s", v.Result)
	}
	if strings.Contains(string(v.Result), "canary") {
		t.Fatalf("a key is in an answer: %s", v.Result)
	}
	if made := b.key(b.send(http.MethodPost, found, `{"provider_slug":"openai"}`)); made.ProviderSlug != "openai" || made.SecretPreview != "****wxyz" {
		t.Errorf("stored: %+v", made)
	}
	if list := b.keys(found); list[0]["stored"] != true || list[1]["stored"] != false {
		t.Errorf("found keys after one was stored: %v", list)
	}
	if v := b.send(http.MethodPost, found, `{"provider_slug":"mistral"}`); v.status != http.StatusBadRequest {
		t.Errorf("a key that is not there: %d; want 400", v.status)
	}
}
