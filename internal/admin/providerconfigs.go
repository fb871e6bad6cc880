package admin

import (
	"cmp"
	"context"
	"net/http"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/vault"
)

// providerConfigRoutes are those of stored provider keys.
func providerConfigRoutes() []route {
	const keys = scope + "/gateways/{gateway}/provider_configs"
	return []route{
		get(RoleViewer, keys, "list-provider-configs", "List stored provider keys, without the keys", handle((*server).listProviderConfigs)),
		change(http.MethodPost, keys, "create-provider-config", "Store a provider key", handle((*server).createProviderConfig)),
		get(RoleViewer, keys+"/{id}", "get-provider-config", "Get a stored provider key, without the key (ours)", handle((*server).getProviderConfig)),
		change(http.MethodPut, keys+"/{id}", "update-provider-config", "Change a stored provider key: what is left out stays (ours)", handle((*server).updateProviderConfig)),
		change(http.MethodDelete, keys+"/{id}", "delete-provider-config", "Delete a stored provider key (ours)", handle((*server).deleteProviderConfig)),
		change(http.MethodPost, keys+"/{id}/test", "test-provider-config", "Make one call with a stored provider key that costs nothing (ours)", handle((*server).testProviderConfig)),
		process(change(http.MethodPost, scope+"/master-key/rotate", "rotate-master-key", "Make a new master key for stored provider keys (ours)", handle((*server).rotateMasterKey))),
	}
}

// ProviderConfigView is a stored provider key in the reference's shape, with our additions. The key itself is
// in no answer.
type ProviderConfigView struct {
	ID              string   `json:"id"`
	GatewayID       string   `json:"gateway_id"`
	ProviderSlug    string   `json:"provider_slug"`
	Alias           string   `json:"alias" doc:"calls choose by it: cf-aig-byok-alias"`
	DefaultConfig   bool     `json:"default_config" doc:"it serves calls that name no alias, where no key has the alias default"`
	SecretID        string   `json:"secret_id" doc:"the same as id: the key is kept here, not in a store of its own"`
	SecretPreview   string   `json:"secret_preview" doc:"the key's last four characters"`
	RateLimit       int64    `json:"rate_limit" doc:"most calls with this key in rate_limit_period; 0: any number"`
	RateLimitPeriod int64    `json:"rate_limit_period" doc:"seconds"`
	ModifiedAt      string   `json:"modified_at" format:"date-time"`
	CreatedAt       string   `json:"created_at" format:"date-time" doc:"ours"`
	LastUsedAt      *string  `json:"last_used_at" format:"date-time" doc:"ours: good to a minute or two; null: not known to have been used"`
	Weight          int      `json:"weight" doc:"ours: its share of the calls among the keys of its alias"`
	Hosts           []string `json:"hosts" doc:"ours: hosts that it may be sent to besides the provider's own; for providers whose calls name the host"`
	Status          string   `json:"status" enum:"ready,resting,locked,damaged" doc:"ours. resting: the provider refused it, so others of its alias go first; locked: the master key is missing or wrong; damaged: it must be sent again"`
	RestsUntil      *string  `json:"rests_until" format:"date-time" doc:"ours: null: it does not rest"`
	Version         int64    `json:"version" doc:"ours: another one after every change"`
	Kind            string   `json:"kind" enum:"text,aws,google,azure" doc:"ours: what the key consists of"`
	KeyID           *string  `json:"key_id" doc:"ours: what it is called, and no secret: an access key id, a service account's address, a resource; null for others"`
	Region          *string  `json:"region" doc:"ours: region that a key of several parts is for; null for others"`
}

func viewProviderConfig(c *vault.Credential) ProviderConfigView {
	status := "ready"
	switch {
	case c.Fault != "":
		status = c.Fault
	case !c.Rests.IsZero():
		status = "resting"
	}
	return ProviderConfigView{
		ID: c.ID, GatewayID: c.Gateway, ProviderSlug: c.Provider, Alias: c.Alias, DefaultConfig: c.Default,
		SecretID: c.ID, SecretPreview: c.Preview(), RateLimit: c.RateLimit, RateLimitPeriod: c.RateLimitPeriod,
		ModifiedAt: stamp(c.Modified), CreatedAt: stamp(c.Created), LastUsedAt: knownStamp(c.LastUsed),
		Weight: c.Weight, Hosts: append([]string{}, c.Hosts...), Status: status, RestsUntil: knownStamp(c.Rests), Version: c.Version,
		Kind: cmp.Or(string(c.About.Kind), "text"), KeyID: optional(c.About.ID), Region: optional(c.About.Region),
	}
}

// keyObject names a stored provider key in the audit log.
func keyObject(c *vault.Credential) audit.Object {
	return audit.Object{Kind: "provider_config", ID: c.ID, Name: c.Provider + "/" + c.Alias}
}

// auditedKey is what the audit log has of a change: not the key, which no part of this package sees, but whether
// it is another one.
type auditedKey struct {
	ProviderConfigView
	Secret string `json:"secret"`
}

type listProviderConfigsInput struct {
	GatewayPath
	Page    int `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1"`
	PerPage int `query:"per_page" default:"20" minimum:"1" maximum:"1000" doc:"items per page"`
}

func (s *server) listProviderConfigs(_ context.Context, in *listProviderConfigsInput) (*output[ListEnvelope[ProviderConfigView, PageInfo]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	found := s.Vault.List(g.Account, g.ID)
	total := len(found)
	first := min((in.Page-1)*in.PerPage, total)
	page := make([]ProviderConfigView, 0, in.PerPage)
	for _, c := range found[first:min(first+in.PerPage, total)] {
		page = append(page, viewProviderConfig(&c))
	}
	out := listAnswer(page, PageInfo{
		Page: in.Page, PerPage: in.PerPage, Count: len(page),
		TotalCount: int64(total), TotalPages: pages(int64(total), in.PerPage),
	})
	if e := s.Vault.Locked(); e != nil {
		out.Body.Messages = append(out.Body.Messages, Message{Code: codeInternal, Message: e.Msg + ": " + e.Hint})
	}
	return out, nil
}

// ProviderConfigPath is the part of a path that names a stored provider key.
type ProviderConfigPath struct {
	GatewayPath
	ID string `path:"id" doc:"id of the stored provider key"`
}

func (s *server) getProviderConfig(_ context.Context, in *ProviderConfigPath) (*output[Envelope[ProviderConfigView]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	c, err := s.Vault.Get(g.Account, g.ID, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(viewProviderConfig(&c)), nil
}

// providerConfigBody is what a call says of a stored provider key. Members of answers that clients send back
// are read over.
type providerConfigBody struct {
	_               struct{}  `json:"-" additionalProperties:"true"`
	ProviderSlug    string    `json:"provider_slug,omitempty" maxLength:"64" doc:"provider, by slug or alias; a change cannot change it"`
	Alias           *string   `json:"alias,omitempty" maxLength:"64" doc:"letters, digits, - _ and .; left out in a new one: default"`
	DefaultConfig   *bool     `json:"default_config,omitempty"`
	Secret          string    `json:"secret,omitempty" maxLength:"16384" writeOnly:"true" doc:"the provider's key: one text, or for some clouds the text of a JSON object (docs/keys.md); in a change left out: the one that is stored stays"`
	SecretID        *string   `json:"secret_id,omitempty" doc:"of the reference's Secrets Store, which is not here: send secret"`
	RateLimit       *int64    `json:"rate_limit,omitempty" minimum:"0" doc:"most calls with this key in rate_limit_period; 0: any number"`
	RateLimitPeriod *int64    `json:"rate_limit_period,omitempty" minimum:"0" doc:"seconds"`
	Weight          *int      `json:"weight,omitempty" minimum:"1" maximum:"1000" doc:"ours: share of the calls among the keys of the alias. A new key for an alias that has one needs it"`
	Hosts           *[]string `json:"hosts,omitempty" maxItems:"16" doc:"ours: hosts that it may be sent to besides the provider's own, with :port where one is needed"`
}

type createProviderConfigInput struct {
	GatewayPath
	Body providerConfigBody
}

func (s *server) createProviderConfig(ctx context.Context, in *createProviderConfigInput) (*output[Envelope[ProviderConfigView]], error) {
	settings, b := s.Settings(), &in.Body
	_, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	slug, known := settings.Provider(g.Account, b.ProviderSlug)
	if !known {
		return nil, inBody(invalid("provider_slug", "there is no provider "+clip(b.ProviderSlug, 64), "docs/providers.md lists the slugs"))
	}
	if s.Keyless != nil && s.Keyless(slug) {
		return nil, inBody(invalid("provider_slug", "the provider "+slug+" takes no key", ""))
	}
	if b.Secret == "" && b.SecretID != nil {
		return nil, inBody(invalid("secret_id", "there is no Secrets Store here", "send the provider's key as secret"))
	}
	n := vault.New{
		Account: g.Account, Gateway: g.ID, Provider: slug, Alias: valueOf(b.Alias), Secret: sluice.NewSecret(b.Secret), Kinds: s.kindsOf(slug), Default: valueOf(b.DefaultConfig),
		Weight: valueOf(b.Weight), Hosts: valueOf(b.Hosts), RateLimit: valueOf(b.RateLimit), RateLimitPeriod: valueOf(b.RateLimitPeriod),
	}
	c, err := s.Vault.Create(ctx, n, time.Now())
	if err != nil {
		return nil, inBody(err)
	}
	s.audit(ctx, "", keyObject(&c), nil, viewProviderConfig(&c))
	s.Logger.InfoContext(ctx, "provider key stored", "account", c.Account, "gateway", c.Gateway, "provider", c.Provider, "alias", c.Alias, "provider_key", c.ID)
	return answer(viewProviderConfig(&c)), nil
}

// kindsOf are the keys of several parts that a provider takes.
func (s *server) kindsOf(slug string) []credential.Kind {
	if s.KeyKinds == nil {
		return nil
	}
	return s.KeyKinds(slug)
}

// valueOf is what p points to; the zero value for nil.
func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

type updateProviderConfigInput struct {
	ProviderConfigPath
	Body providerConfigBody
}

func (s *server) updateProviderConfig(ctx context.Context, in *updateProviderConfigInput) (*output[Envelope[ProviderConfigView]], error) {
	settings, b := s.Settings(), &in.Body
	_, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	c, err := s.Vault.Get(g.Account, g.ID, in.ID)
	if err != nil {
		return nil, err
	}
	if b.ProviderSlug != "" && b.ProviderSlug != c.Provider {
		if slug, known := settings.Provider(g.Account, b.ProviderSlug); !known || slug != c.Provider {
			return nil, inBody(invalid("provider_slug", "the provider of a stored key cannot be changed", "delete it, and create another one"))
		}
	}
	if b.SecretID != nil && *b.SecretID != c.ID {
		return nil, inBody(invalid("secret_id", "there is no Secrets Store here", "send the provider's key as secret"))
	}
	was := viewProviderConfig(&c)
	c, err = s.Vault.Update(ctx, g.Account, g.ID, in.ID, vault.Change{
		Secret: sluice.NewSecret(b.Secret), Kinds: s.kindsOf(c.Provider), Alias: b.Alias, Default: b.DefaultConfig, Weight: b.Weight, Hosts: b.Hosts,
		RateLimit: b.RateLimit, RateLimitPeriod: b.RateLimitPeriod,
	}, time.Now())
	if err != nil {
		return nil, inBody(err)
	}
	before, after := auditedKey{ProviderConfigView: was, Secret: "old"}, auditedKey{ProviderConfigView: viewProviderConfig(&c), Secret: "old"}
	if b.Secret != "" {
		after.Secret = "new"
	}
	s.audit(ctx, "", keyObject(&c), before, after)
	s.Logger.InfoContext(ctx, "provider key changed", "account", c.Account, "gateway", c.Gateway, "provider", c.Provider, "alias", c.Alias, "provider_key", c.ID, "new_secret", b.Secret != "")
	return answer(viewProviderConfig(&c)), nil
}

func (s *server) deleteProviderConfig(ctx context.Context, in *ProviderConfigPath) (*output[Envelope[ProviderConfigView]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	c, err := s.Vault.Delete(ctx, g.Account, g.ID, in.ID)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", keyObject(&c), viewProviderConfig(&c), nil)
	s.Logger.InfoContext(ctx, "provider key deleted", "account", c.Account, "gateway", c.Gateway, "provider", c.Provider, "alias", c.Alias, "provider_key", c.ID)
	return answer(viewProviderConfig(&c)), nil
}

// KeyTest is what came of a call with a stored provider key.
type KeyTest struct {
	OK         bool   `json:"ok" doc:"the provider took the key"`
	Path       string `json:"path" doc:"what was called, below the provider's address"`
	Status     int    `json:"status" doc:"of the provider's answer; 0: there was none"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty" doc:"why the key is not good, or not known to be"`
}

func (s *server) testProviderConfig(ctx context.Context, in *ProviderConfigPath) (*output[Envelope[KeyTest]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	c, err := s.Vault.Find(g.Account, g.ID, in.ID)
	if err != nil {
		return nil, err
	}
	if s.TestKey == nil {
		return nil, newFailure(http.StatusServiceUnavailable, Fault{Code: codeInternal, Message: "keys cannot be tested here"})
	}
	t, err := s.TestKey(ctx, c)
	if err != nil {
		return nil, err
	}
	return answer(t), nil
}

// Rotated tells of a changed master key.
type Rotated struct {
	RotatedAt string `json:"rotated_at" format:"date-time"`
}

func (s *server) rotateMasterKey(ctx context.Context, in *AccountPath) (*output[Envelope[Rotated]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	if err := s.Vault.Rotate(ctx); err != nil {
		return nil, err
	}
	return answer(Rotated{stamp(time.Now())}), nil
}
