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
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/route"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/vault"
	"github.com/sluicehq/sluice/internal/wire/openai"
)

// lent is the stored provider key that a step is sent with, because the caller brought none.
type lent struct {
	pool   *vault.Pool
	chosen *vault.Credential   // of the try under way; nil before the first
	plain  sluice.Header       // what goes to the provider, the key aside
	not    []*vault.Credential // may not be sent there, or did not serve this request
	tried  int
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
	x.lent = x.steps[0].lent
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
	if x.lent == nil {
		return nil
	}
	c, full := x.choose(ctx, true)
	if c == nil {
		x.limited = full
		return &sluice.Error{
			Kind: sluice.KindRateLimited, Msg: "Rate limited",
			Hint: "all stored provider keys named " + quote(x.lent.pool.Alias) + " are at their own limits; try again in " + strconv.FormatInt(full.RetryAfter(), 10) + " s",
		}
	}
	x.lent.plain = slices.Clone(x.out)
	x.show(c)
	return nil
}

// show makes c the key of the next try.
func (x *exchange) show(c *vault.Credential) {
	x.lent.chosen = c
	x.lent.tried++
	x.out = x.provider.Present(x.lent.plain, c.Secret())
	c.Used(time.Now())
	x.note("provider key " + c.Alias + " " + c.Preview())
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
	l.chosen.Refused(r, time.Now())
	l.not = append(l.not, l.chosen)
	if l.tried >= maxKeys || x.query == nil && x.body.rest != nil || ctx.Err() != nil {
		return false // of a body that passes through nothing is left
	}
	c, _ := x.choose(ctx, false)
	if c == nil {
		return false
	}
	o.cause = "status"
	x.show(c)
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
	if x.lent != nil {
		secrets = append(secrets, x.lent.chosen.Secret().Reveal())
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

// Probed is what came of a test call.
type Probed struct {
	Path   string // what was called, below the provider's address
	Status int    // 0: there was no answer
	Took   time.Duration
	Error  string // why it is not good; "": it is
}

// A test call is bounded, and what is read of its answer.
const (
	probeTime  = 15 * time.Second
	probeBytes = 64 << 10
)

// Probe makes a call that costs nothing with a stored key, and tells whether the provider takes it. Its error
// has sluice.KindInvalid where no such call is known, or sluice.KindUnavailable where the key cannot be opened.
func (p *Proxy) Probe(ctx context.Context, c *vault.Credential) (Probed, error) {
	s := p.settings.Load()
	pr, ok := s.providers.FindIn(c.Account, c.Provider)
	if !ok {
		return Probed{}, &sluice.Error{Kind: sluice.KindInvalid, Field: "provider_slug", Msg: "no provider " + quote(c.Provider) + " is configured any more"}
	}
	if c.Fault != "" {
		return Probed{}, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the stored provider key cannot be opened: it is " + c.Fault}
	}
	in, ok := pr.Probe()
	if !ok {
		return Probed{}, &sluice.Error{
			Kind: sluice.KindInvalid, Field: "provider_slug", Msg: "no call is known that tests a key of " + pr.Name + " for nothing",
			Hint: "make a small call through the gateway",
		}
	}
	if err := pr.Usable(); err != nil {
		return Probed{}, err
	}
	target, err := pr.Resolve(in)
	if err != nil {
		return Probed{}, err
	}
	times := s.timeouts
	times.FirstByte, times.Total = probeTime, probeTime
	req := upstream.Request{
		Method: in.Method, Scheme: target.Scheme, Host: target.Host, Target: target.Path, Header: pr.Present(pr.Added(in.Header), c.Secret()),
		Timeouts: times, Private: pr.Local || pr.Overridden(), Repeatable: true,
	}
	start := time.Now()
	resp, err := p.upstream.Do(ctx, &req)
	if err != nil {
		return Probed{Path: in.Path, Took: time.Since(start), Error: probeFailure(err)}, nil //nolint:nilerr // it is the result
	}
	text, readErr := io.ReadAll(io.LimitReader(resp.Body, probeBytes))
	_ = resp.Body.Close() // what was wanted has been read
	result := Probed{Path: in.Path, Status: resp.Status, Took: time.Since(start)}
	switch {
	case readErr != nil:
		result.Error = probeFailure(readErr)
	case resp.Status >= 200 && resp.Status < 300:
		c.Served()
	default:
		// Some providers repeat what they were shown.
		said := strings.ReplaceAll(openai.ErrorText(text), c.Secret().Reveal(), redacted)
		result.Error = strings.TrimSpace("the provider answered " + strconv.Itoa(resp.Status) + ": " + printableText(said, 300))
	}
	return result, nil
}

// probeFailure says in our words why there was no answer: the cause may name addresses.
func probeFailure(err error) string {
	stage := upstream.StageRead
	if failed, ok := errors.AsType[*upstream.Error](err); ok {
		stage = failed.Stage
	}
	return failureOf(stage).msg
}
