package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/route"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/vault"
)

// lent is the stored provider key that a step is sent with, because the caller brought none.
type lent struct {
	pool   *vault.Pool
	chosen *vault.Credential   // of the try under way; nil before the first
	plain  sluice.Header       // what goes to the provider, the key aside
	not    []*vault.Credential // may not be sent there, or did not serve this request
	tried  int
	// shown is what the provider was shown of the key as it is: of one that signs, its session.
	shown   sluice.Secret
	renewed bool // its token was refused, and another one fetched
}

// maxKeys bounds how many keys are tried for one step.
const maxKeys = 4

// credentials finds out what each step shows its provider (cloudflare-ai-gateway.md, 6.2): the caller's own
// credential, unchanged; else a stored one, by its alias; else none. It comes before the cache is asked, since
// an answer that a stored key has paid for is not for everybody.
func (p *Proxy) credentials(_ context.Context, x *exchange) error {
	if x.steps == nil {
		return x.lend(&x.step, x.out, -1)
	}
	for i := range x.steps {
		if err := x.lend(&x.steps[i], x.steps[i].fields, i); err != nil {
			return err
		}
	}
	x.lent, x.own = x.steps[0].lent, x.steps[0].own
	return nil
}

// lend gives a step a stored key, where it is to have one. i is its index in a universal request, -1 in another.
func (x *exchange) lend(s *step, fields sluice.Header, i int) error {
	if s.provider.AddsCredential() && !x.trusted {
		return &sluice.Error{
			Kind: sluice.KindUnauthorized, Msg: "Unauthorized", Field: "cf-aig-authorization",
			Hint: "calls to " + s.provider.Slug + " carry a stored credential, which is for callers with a gateway token: cf-aig-authorization: Bearer …; " +
				"'sluice auth token create' makes one",
		}
	}
	if s.provider.Auth.Kinds != nil {
		if shows, err := x.ownAccount(s, fields); shows || err != nil {
			return err
		}
	}
	keys := x.proxy.vault.Keys(x.gateway.Account, x.gateway.ID, s.provider.Slug)
	alias, needed := s.control.alias, x.gateway.ByokOnly || s.control.ownKey
	if keys == nil && alias == "" && !needed { // as a rule
		return nil
	}
	if s.provider.Keyless() || s.provider.Shows(fields, s.target.Query) {
		return nil
	}
	if keys == nil {
		return noKey(s, nil, i)
	}
	if !x.trusted {
		return &sluice.Error{
			Kind: sluice.KindUnauthorized, Msg: "Unauthorized", Field: "cf-aig-authorization",
			Hint: "this call would use a stored provider key, which is for callers with a gateway token: cf-aig-authorization: Bearer …; " +
				"'sluice auth token create' makes one; or send a key of your own",
		}
	}
	pool := keys.Pool(alias)
	if pool == nil {
		return noKey(s, keys, i)
	}
	all := pool.All()
	if len(all) == 0 {
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the stored provider key cannot be opened", Hint: "'sluice provider list' says why"}
	}
	s.lent = &lent{pool: pool}
	// Of a custom provider that was deleted, keys are left: they are not for another one of its slug.
	if s.lent.excludes(func(c *vault.Credential) bool { return c.Modified.Before(s.provider.Since()) }) {
		return &sluice.Error{
			Kind: sluice.KindForbidden, Field: "cf-aig-byok-alias",
			Msg:  "the stored key of " + s.provider.Slug + " was stored for an earlier provider of that slug",
			Hint: "store it again: sluice provider add " + s.provider.Slug + " --replace",
		}
	}
	// Where the call names the host, only keys that were stored for it go there.
	if s.provider.OwnHost(s.target.Host) || !s.lent.excludes(func(c *vault.Credential) bool { return !c.MaySee(s.target.Host) }) {
		return nil
	}
	return &sluice.Error{
		Kind: sluice.KindForbidden, Msg: "the stored provider key may not be sent to the host " + quote(s.target.Host), Field: "path",
		Hint: "name the host with the key: sluice provider add " + s.provider.Slug + " --host " + printable(s.target.Host, 64) + " --replace",
	}
}

// excludes keeps the keys that are not for this call from being chosen, and reports whether none is left.
func (l *lent) excludes(not func(c *vault.Credential) bool) bool {
	all := l.pool.All()
	for _, c := range all {
		if not(c) && !slices.Contains(l.not, c) {
			l.not = append(l.not, c)
		}
	}
	return len(l.not) == len(all)
}

// own is a service account that a caller shows in place of a token (providers-cloudflare.md, 3.1).
type own struct {
	key   *credential.Key
	token sluice.Secret // that the provider was shown
}

// ownAccount finds out whether a step's caller shows a service account. The error says what is wrong with it.
func (x *exchange) ownAccount(s *step, fields sluice.Header) (shows bool, err error) {
	scheme, value, _ := strings.Cut(fields.Get("Authorization"), " ")
	if x.proxy.minter == nil || !slices.Contains(s.provider.Auth.Kinds, credential.Google) || !strings.EqualFold(scheme, "Bearer") || !credential.IsAccount(value) {
		return false, nil
	}
	k, err := x.proxy.minter.Shown(sluice.NewSecret(strings.TrimSpace(value)))
	if e, bad := errors.AsType[*sluice.Error](err); bad {
		return true, &sluice.Error{Kind: sluice.KindInvalid, Field: "Authorization", Msg: "the service account in Authorization cannot be used: " + e.Msg, Hint: e.Hint}
	}
	s.own = &own{key: k}
	return true, err
}

// presentOwn puts a token in the place of the service account that it was given for.
func (x *exchange) presentOwn(ctx context.Context) (err error) {
	if x.own.token, err = x.proxy.minter.Token(ctx, x.own.key); err == nil {
		x.out = x.provider.Present(x.out, x.own.token)
	}
	return err
}

// noKey is the refusal of a step without any credential.
func noKey(s *step, keys *vault.Keys, i int) error {
	e := &sluice.Error{Kind: sluice.KindNoCredential, Field: "cf-aig-byok-alias"}
	if i >= 0 {
		e.Field = fmt.Sprintf("[%d].headers.", i) + e.Field
	}
	if s.control.alias == "" && keys == nil {
		e.Field = s.provider.Auth.Header
		e.Msg = "the call needs a provider key: this gateway, or the call, lets none through without (byok_only, cf-aig-no-wholesale)"
		e.Hint = "send one in " + s.provider.Auth.Header + ", or store one: sluice provider add " + s.provider.Slug
		return e
	}
	alias, known := s.control.alias, "none"
	if alias == "" {
		alias = vault.DefaultAlias
	}
	if keys != nil {
		known = "'" + strings.Join(keys.Aliases(), "', '") + "'"
	}
	e.Msg = fmt.Sprintf("Provider '%s' has no BYOK credential named %s. Configured aliases: %s", s.provider.Slug, quote(alias), known)
	return e
}

// shownKey names the stored key of the step for the cache: its alias and version, so that all who use it
// share entries. "": there is none.
func (x *exchange) shownKey() string {
	if x.lent == nil {
		return ""
	}
	return x.lent.pool.Alias + "\x00" + x.lent.pool.Version
}

// present puts a stored key where the provider takes it. It does nothing for calls without one.
func (x *exchange) present(ctx context.Context) error {
	if x.own != nil {
		return x.presentOwn(ctx)
	}
	if x.lent == nil {
		return nil
	}
	x.lent.plain = slices.Clone(x.out)
	var failed error
	for {
		c, full := x.choose(ctx, true)
		switch {
		case c == nil && failed != nil:
			return failed
		case c == nil:
			x.limited = full
			return &sluice.Error{
				Kind: sluice.KindRateLimited, Msg: "Rate limited",
				Hint: "all stored provider keys named " + quote(x.lent.pool.Alias) + " are at their own limits; try again in " + strconv.FormatInt(full.RetryAfter(), 10) + " s",
			}
		}
		if failed = x.show(ctx, c); failed == nil || sluice.KindOf(failed) != sluice.KindUpstream || x.lent.tried >= maxKeys {
			return failed
		}
		// There is no token for it: another key may do.
		c.Refused(vault.Refusal{After: -1}, time.Now())
		x.lent.not = append(x.lent.not, c)
	}
}

// show makes c the key of the next try. Its error has sluice.KindUpstream where the key got no token.
func (x *exchange) show(ctx context.Context, c *vault.Credential) error {
	l, k := x.lent, c.Key()
	l.tried++
	l.chosen, l.shown = c, sluice.Secret{}
	if k.Signs() {
		if _, whole := x.sending(); !whole {
			return &sluice.Error{
				Kind: sluice.KindTooLarge, Msg: "the request body is larger than limits.body_bytes, and is to be signed, so that it must be read whole",
				Hint: "raise limits.body_bytes, or sign the call yourself",
			}
		}
		x.out, l.shown = x.provider.Bare(l.plain), k.Session()
	} else {
		secret, err := x.proxy.shownOf(ctx, k)
		if err != nil {
			return err
		}
		x.out, l.shown = x.provider.Present(l.plain, secret), secret
	}
	c.Used(time.Now())
	x.note("provider key " + c.Alias + " " + c.Preview())
	return nil
}

// shownOf is the text that a provider is shown of a key: the key, or a token that it is exchanged for.
func (p *Proxy) shownOf(ctx context.Context, k *credential.Key) (sluice.Secret, error) {
	switch {
	case !k.Mints():
		return k.Shown(), nil
	case p.minter == nil:
		return sluice.Secret{}, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "service accounts are not exchanged for tokens here"}
	}
	return p.minter.Token(ctx, k)
}

// sign signs a try, where the key that was chosen does that: each anew, since a signature is of its time.
func (x *exchange) sign(ctx context.Context, req *upstream.Request) error {
	if x.lent == nil || !x.lent.chosen.Key().Signs() {
		return nil
	}
	body, _ := x.sending()
	return signed(ctx, x.lent.chosen.Key(), x.provider, x.call, req, body)
}

// signed puts the signature of k on a request to p.
func signed(ctx context.Context, k *credential.Key, p *provider.Provider, in provider.Call, req *upstream.Request, body []byte) (err error) {
	service, region := p.Auth.Scope(in)
	req.Header, err = k.Sign(ctx, credential.Call{
		Method: req.Method, Host: req.Host, Target: req.Target, Header: req.Header, Body: body, Service: service, Region: region,
	}, time.Now())
	return err
}

// choose picks one of the step's keys that its own rate limit lets through. tired: one that rests is better
// than none. Where all are at their limits there is none, and full says when that ends first.
func (x *exchange) choose(ctx context.Context, tired bool) (c *vault.Credential, full *limit.Decision) {
	l, awake := x.lent, false
	full = &limit.Decision{}
	for {
		if c, awake = l.pool.Pick(time.Now(), l.not); c == nil || !awake && !tired {
			return nil, full
		}
		rule := c.Limit()
		if !rule.On() || x.proxy.limits == nil {
			return c, nil
		}
		d, err := x.proxy.limits.Take(ctx, "credential/"+c.ID, rule, 1, time.Now())
		if err != nil || d.OK { // a counter that is away lets calls through
			return c, nil
		}
		if full.Limit == 0 || d.Reset < full.Reset {
			full = &d
		}
		l.not = append(l.not, c)
	}
}

// anotherKey reports whether the provider refused the stored key and another one is there to be shown in the
// next try, which is as if this one had not been: nothing was done for it. The key that was refused rests.
func (x *exchange) anotherKey(ctx context.Context, o *outcome) bool {
	l := x.lent
	if l == nil || o.err != nil {
		return false
	}
	r, refused := refusalOf(o)
	if !refused {
		if o.answer.status < 400 {
			l.chosen.Served()
		}
		return false
	}
	if x.renewed(ctx, o) {
		return true
	}
	l.chosen.Refused(r, time.Now())
	l.not = append(l.not, l.chosen)
	if l.tried >= maxKeys || x.query == nil && x.body.rest != nil || ctx.Err() != nil {
		return false // of a body that passes through nothing is left
	}
	c, _ := x.choose(ctx, false)
	if c == nil {
		return false
	}
	if x.show(ctx, c) != nil {
		return false
	}
	o.cause = "status"
	x.rewrite()
	return true
}

// renewed reports whether the provider refused a token, and another one was fetched for the same key, once for a
// step: tokens end before their time when a key is changed.
func (x *exchange) renewed(ctx context.Context, o *outcome) bool {
	l := x.lent
	if o.answer.status != 401 || !l.chosen.Key().Mints() || l.renewed || x.query == nil && x.body.rest != nil || ctx.Err() != nil {
		return false
	}
	l.renewed = true
	x.proxy.minter.Drop(l.chosen.Key(), l.shown)
	if x.show(ctx, l.chosen) != nil {
		return false
	}
	o.cause = "status"
	x.rewrite()
	return true
}

// veil puts stars in place of what Sluice has added, a stored key or a custom provider's fields, where an error
// answer repeats it, as some servers do: the caller is not to see it, nor is the log. The answer keeps its
// length. One that is encoded is not looked into.
func (x *exchange) veil(o *outcome) {
	if o.err != nil || o.answer.status < 400 || o.answer.body == nil || !identity(o.answer.header.Get("Content-Encoding")) {
		return
	}
	secrets := x.provider.Veiled()
	if x.lent != nil && !x.lent.shown.IsZero() {
		secrets = append(secrets, x.lent.shown.Reveal())
	}
	if x.own != nil && !x.own.token.IsZero() {
		secrets = append(secrets, x.own.token.Reveal())
	}
	if len(secrets) == 0 {
		return
	}
	text, err := io.ReadAll(io.LimitReader(o.answer.body, held))
	for _, secret := range secrets {
		text = bytes.ReplaceAll(text, []byte(secret), bytes.Repeat([]byte("*"), len(secret)))
	}
	o.push(text, err)
}

// refusalOf reports whether an answer refuses the credential: it is not good, not for this, or used up.
func refusalOf(o *outcome) (r vault.Refusal, refused bool) {
	r.After = -1
	switch o.answer.status {
	case 401, 402, 403:
		return r, true
	case 429:
		r.Quota = true
		if after, ok := route.RetryAfter(o.answer.header.Get("Retry-After"), time.Now()); ok {
			r.After = after
		}
		return r, true
	}
	return r, false
}
