package people

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	sluice "github.com/sluicehq/sluice"
)

// Rule grants something to some of those whom an identity provider proves.
type Rule struct {
	Group  string // that they must be in; "": any
	Domain string // of their e-mail address; "": any that OIDC.Domains lets in
	Grant
}

// OIDC is how one identity provider is asked, by OpenID Connect.
type OIDC struct {
	Issuer, ClientID string
	ClientSecret     sluice.Secret
	RedirectURL      string // of the callback, as browsers call it
	Scopes           []string
	GroupsClaim      string   // claim that lists somebody's groups
	Domains          []string // of e-mail addresses that are let in, in lower case; none: all
	Unverified       bool     // let in addresses that the provider does not say to be verified
	Rules            []Rule
}

// flowLasts is how long somebody may take at the identity provider.
const flowLasts = 10 * time.Minute

// maxUsed bounds how many flows are remembered to be over.
const maxUsed = 4096

// Provider proves people by an identity provider: the code flow, with PKCE. What a flow knows is sealed in a
// cookie of the browser that began it, so that nobody else can end it, and nothing is kept here for those who
// begin and never come back. Safe for concurrent use.
type Provider struct {
	config OIDC
	client *http.Client
	sealer cipher.AEAD

	mu    sync.Mutex
	found *oidc.Provider     // nil: not asked yet
	used  map[Hash]time.Time // states of flows that are over, until they would have expired
}

// NewProvider makes a Provider; the identity provider is asked at the first sign-in. client calls it.
func NewProvider(config OIDC, client *http.Client) (*Provider, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, by its contract
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	sealer, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Provider{config: config, client: client, sealer: sealer, used: map[Hash]time.Time{}}, nil
}

// flow is one sign-in that is under way.
type flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Expires  int64  `json:"e"` // unix seconds
}

// discover asks the identity provider for its addresses and keys, once.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		// Keys are fetched for as long as the provider is used, by the context that it was made with.
		found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.config.Issuer)
		if err != nil {
			return nil, nil, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the identity provider cannot be asked", Hint: "see the server's messages, and oidc.issuer", Err: err}
		}
		p.found = found
	}
	return p.found, &oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret.Reveal(), Endpoint: p.found.Endpoint(),
		RedirectURL: p.config.RedirectURL, Scopes: p.config.Scopes,
	}, nil
}

func randomText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, by its contract
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Begin begins a sign-in. The browser goes to address, and keeps cookie until it comes back.
func (p *Provider) Begin(ctx context.Context, now time.Time) (address string, cookie sluice.Secret, err error) {
	_, config, err := p.discover(ctx)
	if err != nil {
		return "", sluice.Secret{}, err
	}
	f := flow{State: randomText(), Nonce: randomText(), Verifier: oauth2.GenerateVerifier(), Expires: now.Add(flowLasts).Unix()}
	doc, err := json.Marshal(f)
	if err != nil {
		return "", sluice.Secret{}, err
	}
	sealed := base64.RawURLEncoding.EncodeToString(p.sealer.Seal(nil, nil, doc, nil))
	return config.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), sluice.NewSecret(sealed), nil
}

// errFlow refuses to end a sign-in.
func errFlow(msg string, cause error) error {
	return &sluice.Error{Kind: sluice.KindUnauthorized, Msg: msg, Hint: "begin again", Err: cause}
}

// open reads the cookie that Begin made.
func (p *Provider) open(cookie sluice.Secret, now time.Time) (f flow, ok bool) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Reveal())
	if err != nil {
		return f, false
	}
	doc, err := p.sealer.Open(nil, nil, sealed, nil)
	if err != nil || json.Unmarshal(doc, &f) != nil {
		return f, false
	}
	return f, now.Unix() < f.Expires
}

// once reports whether a flow ends for the first time.
func (p *Provider) once(f *flow, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := hashOf(f.State)
	if _, again := p.used[key]; again {
		return false
	}
	for h, until := range p.used {
		if !now.Before(until) || len(p.used) >= maxUsed {
			delete(p.used, h)
		}
	}
	p.used[key] = time.Unix(f.Expires, 0)
	return true
}

// Finish ends a sign-in with what the identity provider sent the browser back with, and the cookie of Begin. Its
// error has sluice.KindUnauthorized or sluice.KindForbidden, or sluice.KindUnavailable when the identity provider
// cannot be asked.
func (p *Provider) Finish(ctx context.Context, cookie sluice.Secret, query url.Values, now time.Time) (Identity, error) {
	f, ok := p.open(cookie, now)
	if !ok {
		return Identity{}, errFlow("this browser has begun no sign-in, or too long ago", nil)
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 {
		return Identity{}, errFlow("this is the end of another sign-in", nil)
	}
	if iss := query.Get("iss"); iss != "" && iss != p.config.Issuer { // RFC 9207
		return Identity{}, errFlow("another identity provider has answered", nil)
	}
	if !p.once(&f, now) {
		return Identity{}, errFlow("this sign-in is over already", nil)
	}
	if query.Get("error") != "" {
		return Identity{}, errFlow("the identity provider has refused", fmt.Errorf("%.100q: %.500q", query.Get("error"), query.Get("error_description")))
	}
	provider, config, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Identity{}, errFlow("the identity provider does not take the code", tidy(err))
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: p.config.ClientID, Now: func() time.Time { return now }}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, errFlow("what the identity provider has answered does not prove anybody", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return Identity{}, errFlow("what the identity provider has answered belongs to another sign-in", nil)
	}
	claims := map[string]json.RawMessage{}
	if err := id.Claims(&claims); err != nil {
		return Identity{}, errFlow("what the identity provider says of somebody cannot be read", err)
	}
	if err := fillClaims(ctx, provider, token, id, claims); err != nil {
		return Identity{}, err
	}
	return p.identity(id, claims)
}

// fillClaims adds to the claims of an ID token without an e-mail address what the identity provider says of its
// subject beside them, where it has an address for that. What the token says stays.
func fillClaims(ctx context.Context, provider *oidc.Provider, token *oauth2.Token, id *oidc.IDToken, claims map[string]json.RawMessage) error {
	if said(claims["email"]) || provider.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return &sluice.Error{
			Kind: sluice.KindForbidden, Msg: "the identity provider tells no e-mail address", Hint: "the scope email is needed; see the server's messages", Err: err,
		}
	}
	if info.Subject != id.Subject { // OpenID Connect Core, 5.3.2: it may be somebody else's
		return errFlow("what the identity provider says of somebody is of somebody else", nil)
	}
	more := map[string]json.RawMessage{}
	if err := info.Claims(&more); err != nil {
		return errFlow("what the identity provider says of somebody cannot be read", err)
	}
	for name, value := range more {
		if !said(claims[name]) {
			claims[name] = value
		}
	}
	// Whether an address is verified goes with the address.
	claims["email_verified"] = more["email_verified"]
	return nil
}

// said reports whether a claim has a value.
func said(claim json.RawMessage) bool {
	return len(claim) > 0 && string(claim) != "null" && string(claim) != `""`
}

// tidy leaves out of an error what the identity provider wrote into its answer, which may hold anything.
func tidy(err error) error {
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.Response != nil {
		return fmt.Errorf("status %d, %.100q", e.Response.StatusCode, e.ErrorCode)
	}
	return err
}

// truth is a claim that some providers write as a text.
type truth bool

// UnmarshalJSON reads true and "true" as true; anything else is false.
func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true" || string(b) == `"true"`
	return nil
}

// text reads a claim that is a text; "": it is none.
func text(claim json.RawMessage) (s string) {
	if json.Unmarshal(claim, &s) != nil {
		return ""
	}
	return s
}

// identity reads who a token proves by what is said of them, and what rules grant them.
func (p *Provider) identity(id *oidc.IDToken, claims map[string]json.RawMessage) (Identity, error) {
	var verified truth
	if said(claims["email_verified"]) {
		_ = verified.UnmarshalJSON(claims["email_verified"]) // never fails
	}
	email, err := cleanEmail(text(claims["email"]))
	if err != nil {
		return Identity{}, &sluice.Error{Kind: sluice.KindForbidden, Msg: "the identity provider tells no e-mail address", Hint: "the scope email, and a claim of this name, are needed"}
	}
	if !bool(verified) && !p.config.Unverified {
		return Identity{}, &sluice.Error{Kind: sluice.KindForbidden, Msg: "the identity provider has not verified the e-mail address", Hint: "oidc.unverified_emails lets such addresses in"}
	}
	domain := email[strings.LastIndexByte(email, '@')+1:]
	if len(p.config.Domains) > 0 && !slices.Contains(p.config.Domains, domain) {
		return Identity{}, &sluice.Error{Kind: sluice.KindForbidden, Msg: "e-mail addresses of this domain are not let in", Hint: "oidc.domains lists those that are"}
	}
	groups := p.groups(claims)
	who := Identity{Issuer: id.Issuer, Subject: id.Subject, Email: email, Name: text(claims["name"])}
	for _, r := range p.config.Rules {
		if (r.Group == "" || slices.Contains(groups, r.Group)) && (r.Domain == "" || strings.EqualFold(r.Domain, domain)) {
			who.Grants = append(who.Grants, r.Grant)
		}
	}
	return who, nil
}

// groups reads somebody's groups: a list, or one.
func (p *Provider) groups(claims map[string]json.RawMessage) []string {
	var list []string
	if json.Unmarshal(claims[p.config.GroupsClaim], &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(claims[p.config.GroupsClaim], &one) == nil && one != "" {
		return []string{one}
	}
	return nil
}
