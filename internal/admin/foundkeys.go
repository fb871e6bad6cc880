package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/vault"
)

// foundKeyRoutes are those of provider keys that lie in the process's environment under their usual names. They are
// offered, and never used unless somebody says so.
func foundKeyRoutes() []route {
	const found = scope + "/gateways/{gateway}/found-keys"
	return []route{
		process(get(RoleAdmin, found, "list-found-keys", "List provider keys in the environment of the process, without the keys (ours)", handle((*server).listFoundKeys))),
		process(change(http.MethodPost, found, "use-found-key", "Store a provider key that is in the environment of the process (ours)", handle((*server).useFoundKey))),
	}
}

// FoundKey is a provider key in the environment.
type FoundKey struct {
	Provider string // slug
	Name     string // of the variable
	Secret   sluice.Secret
}

// FoundKeyView is a provider key that was found, without the key.
type FoundKeyView struct {
	Provider string `json:"provider_slug"`
	Name     string `json:"name" doc:"of the environment variable"`
	Preview  string `json:"secret_preview" doc:"the key's last four characters; empty for a short one"`
	Stored   bool   `json:"stored" doc:"the gateway has a key for this provider"`
}

func (s *server) listFoundKeys(_ context.Context, in *GatewayPath) (*output[Envelope[[]FoundKeyView]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, c := range s.Vault.List(g.Account, g.ID) {
		have[c.Provider] = true
	}
	list := []FoundKeyView{}
	for _, k := range s.foundKeys() {
		list = append(list, FoundKeyView{Provider: k.Provider, Name: k.Name, Preview: k.preview(), Stored: have[k.Provider]})
	}
	return answer(list), nil
}

// preview is as much of a key as may be shown. Of a short text the end is too much.
func (k *FoundKey) preview() string {
	if text := k.Secret.Reveal(); len(text) >= 20 {
		return text[len(text)-4:]
	}
	return ""
}

func (s *server) foundKeys() []FoundKey {
	if s.FoundKeys == nil {
		return nil
	}
	return s.FoundKeys()
}

type useFoundKeyInput struct {
	GatewayPath
	Body struct {
		Provider string `json:"provider_slug" maxLength:"64" doc:"of a key that the list has"`
	}
}

func (s *server) useFoundKey(ctx context.Context, in *useFoundKeyInput) (*output[Envelope[ProviderConfigView]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	for _, k := range s.foundKeys() {
		if k.Provider != in.Body.Provider {
			continue
		}
		n := vault.New{Account: g.Account, Gateway: g.ID, Provider: k.Provider, Secret: sluice.NewSecret(strings.TrimSpace(k.Secret.Reveal())), Kinds: s.kindsOf(k.Provider)}
		c, err := s.Vault.Create(ctx, n, time.Now())
		if err != nil {
			return nil, inBody(err)
		}
		s.audit(ctx, "", keyObject(&c), nil, viewProviderConfig(&c))
		s.Logger.InfoContext(ctx, "provider key of the environment stored", "account", c.Account, "gateway", c.Gateway, "provider", c.Provider, "name", k.Name, "provider_key", c.ID)
		return answer(viewProviderConfig(&c)), nil
	}
	return nil, inBody(invalid("provider_slug", "the environment has no key for "+clip(in.Body.Provider, 64), "send the key: create-provider-config"))
}
