package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// StoredCustom is a custom provider as a CustomStore keeps it; its Fault is not kept.
type StoredCustom struct {
	Custom
	Sealed []byte // the fields that are added; nil: none
}

// CustomStore keeps custom providers for good. Every error that is not named here has sluice.KindUnavailable or
// is a fault.
type CustomStore interface {
	// ListCustoms returns all custom providers, oldest first.
	ListCustoms(ctx context.Context) ([]StoredCustom, error)
	// PutCustom stores c where the custom provider of its id has version was; 0: where there is none, and none
	// of its account has its slug, whatever the case. Otherwise nothing changes, and the error has
	// sluice.KindConflict.
	PutCustom(ctx context.Context, c StoredCustom, was int64) error
	// DeleteCustom removes a custom provider. sluice.KindNotFound: there is none.
	DeleteCustom(ctx context.Context, id string) error
}

// Sealer keeps secrets from those who read the database. Its errors say what is wrong, and show nothing.
type Sealer interface {
	Seal(ctx context.Context, secret sluice.Secret, purpose ...string) ([]byte, error)
	Unseal(sealed []byte, purpose ...string) (sluice.Secret, error)
}

// Customs knows the custom providers of all accounts, and changes them. It is safe for concurrent use.
type Customs struct {
	o     CustomsOptions
	ids   sluice.IDs
	found atomic.Pointer[customs]
	mu    sync.Mutex // one change at a time
}

// CustomsOptions make a Customs.
type CustomsOptions struct {
	Store  CustomStore
	Sealer Sealer
	Logger *slog.Logger
	// Allowed reports whether the configuration names a host, a name or an address without a port, as one that
	// may be private and be spoken to without TLS. nil: it names none.
	Allowed func(host string) bool
	// Taken reports whether a path segment names another provider. nil: none does.
	Taken func(segment string) bool
	// Applied is called after each change, before it is answered. nil: nobody asks.
	Applied func()
}

// customs is all custom providers at one time. It is not changed.
type customs struct {
	all    []*Custom // oldest first
	byName map[customName]*Provider
}

type customName struct{ account, segment string }

// OpenCustoms reads the store. A custom provider that cannot be used is logged, and its calls are refused.
func OpenCustoms(ctx context.Context, o CustomsOptions) (*Customs, error) {
	if o.Allowed == nil {
		o.Allowed = func(string) bool { return false }
	}
	s := &Customs{o: o}
	stored, err := o.Store.ListCustoms(ctx)
	if err != nil {
		return nil, fmt.Errorf("read custom providers: %w", err)
	}
	all := make([]*Custom, 0, len(stored))
	for i := range stored {
		all = append(all, s.opened(ctx, &stored[i]))
	}
	s.found.Store(s.build(ctx, all))
	return s, nil
}

const forHeaders = "headers of a custom provider"

// opened is a stored custom provider with its fields.
func (s *Customs) opened(ctx context.Context, stored *StoredCustom) *Custom {
	c := stored.Custom
	if stored.Sealed == nil {
		c.keep(nil)
		return &c
	}
	text, err := s.o.Sealer.Unseal(stored.Sealed, forHeaders, c.ID, c.Account)
	if err == nil {
		var h sluice.Header
		if h, err = parseHeaders(text.Reveal(), nil); err == nil {
			c.keep(h)
			return &c
		}
	}
	c.Fault = "its headers cannot be opened"
	s.o.Logger.ErrorContext(ctx, "the headers of a custom provider cannot be opened: its calls are refused", "account", c.Account, "provider", c.Segment(),
		"cause", err, "fix", "put the master key right, or give its headers again")
	return &c
}

// build makes the snapshot of all.
func (s *Customs) build(ctx context.Context, all []*Custom) *customs {
	n := &customs{all: all, byName: make(map[customName]*Provider, len(all))}
	for _, c := range all {
		// The configuration may have changed since it was stored: it is refused when it is called, not lost.
		b, err := parseCustomBase(c.BaseURL, s.o.Allowed)
		if err != nil {
			b, err = parseBase(c.BaseURL)
		}
		var p *Provider
		if err == nil {
			if p, err = c.provider(b); err == nil {
				p.plain = b.scheme == "http" && !s.o.Allowed(hostOf(b.host))
			}
		}
		if err != nil {
			s.o.Logger.ErrorContext(ctx, "a custom provider cannot be used", "account", c.Account, "provider", c.Segment(), "error", err)
			continue
		}
		n.byName[customName{c.Account, c.Segment()}] = p
	}
	return n
}

// List returns the custom providers of an account, oldest first.
func (s *Customs) List(account string) []Custom {
	var list []Custom
	for _, c := range s.found.Load().all {
		if c.Account == account {
			list = append(list, *c)
		}
	}
	return list
}

// Get returns the custom provider of an account by its id. sluice.KindNotFound: it has none.
func (s *Customs) Get(account, id string) (Custom, error) {
	c, err := s.find(account, id)
	if err != nil {
		return Custom{}, err
	}
	return *c, nil
}

func (s *Customs) find(account, id string) (*Custom, error) {
	for _, c := range s.found.Load().all {
		if c.ID == id && c.Account == account {
			return c, nil
		}
	}
	return nil, &sluice.Error{Kind: sluice.KindNotFound, Msg: "Custom Provider not found"}
}

// Create makes a custom provider. sluice.KindInvalid: Field says what is wrong; sluice.KindConflict: the slug is
// taken; sluice.KindUnavailable: its headers cannot be sealed.
func (s *Customs) Create(ctx context.Context, account string, n CustomChange, now time.Time) (Custom, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := now.UTC().Truncate(time.Millisecond)
	c := Custom{ID: s.ids.New(now).String(), Account: account, Version: 1, Created: at, Modified: at}
	set(&c.Slug, n.Slug)
	if err := n.apply(&c); err != nil {
		return Custom{}, err
	}
	if err := s.check(&c); err != nil {
		return Custom{}, err
	}
	if s.taken(&c) {
		return Custom{}, errSlugTaken()
	}
	return s.put(ctx, &c, 0)
}

func errSlugTaken() error {
	return &sluice.Error{
		Kind: sluice.KindConflict, Field: "slug", Msg: "A custom provider with this slug already exists",
		Hint: "change that one, or choose another slug",
	}
}

func (s *Customs) taken(c *Custom) bool {
	for _, other := range s.found.Load().all {
		if other.Account == c.Account && strings.EqualFold(other.Slug, c.Slug) {
			return true
		}
	}
	return s.o.Taken != nil && s.o.Taken(c.Segment())
}

func (s *Customs) check(c *Custom) error {
	if err := c.check(); err != nil {
		return err
	}
	_, err := parseCustomBase(c.BaseURL, s.o.Allowed)
	return err
}

// Update changes a custom provider for all calls that begin after it. sluice.KindNotFound: there is none; other
// kinds as Create's.
func (s *Customs) Update(ctx context.Context, account, id string, change CustomChange, now time.Time) (Custom, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.find(account, id)
	if err != nil {
		return Custom{}, err
	}
	if change.Slug != nil && *change.Slug != old.Slug {
		return Custom{}, badField("slug", "the slug of a custom provider cannot be changed", "keys, prices and logs go by it: make another provider")
	}
	c := *old
	if err := change.apply(&c); err != nil {
		return Custom{}, err
	}
	if err := s.check(&c); err != nil {
		return Custom{}, err
	}
	if c.Fault != "" {
		return Custom{}, &sluice.Error{
			Kind: sluice.KindConflict, Field: "headers", Msg: "the stored headers cannot be opened, and not be stored again",
			Hint: "send the headers again, or \"\" to remove them",
		}
	}
	c.Version, c.Modified = old.Version+1, now.UTC().Truncate(time.Millisecond)
	return s.put(ctx, &c, old.Version)
}

// put stores c in place of version was, and makes it be used.
func (s *Customs) put(ctx context.Context, c *Custom, was int64) (Custom, error) {
	stored := StoredCustom{Custom: *c}
	if h := c.fields(); len(h) > 0 {
		fields := make(map[string]string, len(h))
		for _, f := range h {
			fields[f.Name] = f.Value
		}
		text, err := json.Marshal(fields)
		if err != nil {
			return Custom{}, err
		}
		if stored.Sealed, err = s.o.Sealer.Seal(ctx, sluice.NewSecret(string(text)), forHeaders, c.ID, c.Account); err != nil {
			return Custom{}, err
		}
	}
	if err := s.o.Store.PutCustom(ctx, stored, was); err != nil {
		if sluice.KindOf(err) == sluice.KindConflict && was == 0 {
			return Custom{}, errSlugTaken()
		}
		return Custom{}, fmt.Errorf("store custom provider %s: %w", c.Segment(), err)
	}
	all := slices.DeleteFunc(slices.Clone(s.found.Load().all), func(other *Custom) bool { return other.ID == c.ID })
	all = append(all, c)
	slices.SortStableFunc(all, func(a, b *Custom) int { return a.Created.Compare(b.Created) })
	s.publish(ctx, all)
	return *c, nil
}

func (s *Customs) publish(ctx context.Context, all []*Custom) {
	s.found.Store(s.build(ctx, all))
	if s.o.Applied != nil {
		s.o.Applied()
	}
}

// Delete removes a custom provider and returns what it was. sluice.KindNotFound: there is none. Stored keys of it
// stay, and serve no provider that gets its slug later.
func (s *Customs) Delete(ctx context.Context, account, id string) (Custom, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(account, id)
	if err != nil {
		return Custom{}, err
	}
	if err := s.o.Store.DeleteCustom(ctx, id); err != nil && sluice.KindOf(err) != sluice.KindNotFound {
		return Custom{}, fmt.Errorf("delete custom provider %s: %w", c.Segment(), err)
	}
	s.publish(ctx, slices.DeleteFunc(slices.Clone(s.found.Load().all), func(other *Custom) bool { return other == c }))
	return *c, nil
}

// With returns a table that also has the custom providers as they are now. t stays as it is. A nil s has none.
func (t *Table) With(s *Customs) *Table {
	if s == nil {
		return t
	}
	n := *t
	n.custom = s.found.Load().byName
	return &n
}

// FindIn is Find among the providers that an account has: those of everybody, and its own.
func (t *Table) FindIn(account, segment string) (*Provider, bool) {
	if p, ok := t.bySegment[segment]; ok {
		return p, ok
	}
	if len(t.custom) == 0 || !strings.HasPrefix(segment, CustomPrefix) {
		return nil, false
	}
	p, ok := t.custom[customName{account, segment}]
	return p, ok
}

// Usable says why no call may go to the provider. nil: calls may.
func (p *Provider) Usable() error {
	switch {
	case p.off:
		return &sluice.Error{
			Kind: sluice.KindNoProvider, Msg: "the custom provider " + p.Slug + " is not enabled",
			Hint: "enable it: sluice provider custom set " + strings.TrimPrefix(p.Slug, CustomPrefix) + " --enable",
		}
	case p.broken:
		return &sluice.Error{
			Kind: sluice.KindUnavailable, Msg: "the stored headers of " + p.Slug + " cannot be opened", Hint: "the server's log says why",
		}
	case p.plain:
		return &sluice.Error{
			Kind: sluice.KindForbidden, Msg: "the address of " + p.Slug + " is not encrypted (http), and the configuration does not name its host",
			Hint: "name the host under upstream.private_hosts, or give the provider an https address",
		}
	}
	return nil
}

// Added returns h with the fields that the operator adds to each call, in place of the caller's of those names.
// Most providers have none: then it is h itself.
func (p *Provider) Added(h sluice.Header) sluice.Header {
	for _, f := range p.adds {
		h.Del(f.Name)
	}
	return append(h, p.adds...)
}

// AddsCredential reports whether a field that is added to each call is a credential by its name, so that not
// everybody may make calls with it.
func (p *Provider) AddsCredential() bool {
	for _, f := range p.adds {
		if p.carries(f.Name) || CredentialHeader(f.Name) {
			return true
		}
	}
	return false
}

// Veiled are the values of added fields, which no answer is to repeat.
func (p *Provider) Veiled() []string {
	var list []string
	for _, f := range p.adds {
		if len(f.Value) >= 8 { // shorter ones are in every text by chance
			list = append(list, f.Value)
		}
	}
	return list
}

// Since is when the provider came to be; the zero Time: it was always there. A key that was stored before is not
// for it.
func (p *Provider) Since() time.Time { return p.since }
