package price

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice"
)

// Own is a price that an account has set for itself. It holds for the account's calls, before every list.
type Own struct {
	Account  string // id
	Provider string // slug
	Model    string // a name, or a pattern: * is any text, # one digit
	As       string // "provider/model" whose prices hold; "": USD says
	Times    string // multiplies the prices: "1.1" or "1/2"; "": as they are
	// USD has the prices in US dollars as decimal text by class, as NewOverride takes them.
	USD      map[string]string
	Modified time.Time
}

// OwnStore keeps the accounts' own prices for good. Every error that is not named here has
// sluice.KindUnavailable or is a fault.
type OwnStore interface {
	// ListPrices returns all prices, by account, provider and model.
	ListPrices(ctx context.Context) ([]Own, error)
	// PutPrice stores a price, in place of one of the same account, provider and model.
	PutPrice(ctx context.Context, p Own) error
	// DeletePrices removes an account's price of a provider's model, or with model "" all of the provider's,
	// and returns how many there were.
	DeletePrices(ctx context.Context, account, provider, model string) (int, error)
}

// Of returns c: a catalogue by itself is the same for all accounts.
func (c *Catalogue) Of(string) *Catalogue { return c }

// Prices are the catalogues of all accounts at one time. They are not changed.
type Prices struct {
	base *Catalogue
	own  map[string]*Catalogue // of accounts that have prices of their own
}

// Of returns the catalogue that an account's calls are priced by.
func (p *Prices) Of(account string) *Catalogue {
	if c := p.own[account]; c != nil {
		return c
	}
	return p.base
}

// Book has the catalogue in use and the accounts' own prices over it. It is safe for concurrent use.
type Book struct {
	list    *Store
	store   OwnStore
	applied func()

	mu      sync.Mutex // one change at a time
	own     []Own      // by account, provider and model
	over    map[string][]Override
	current atomic.Pointer[Prices]
}

// OpenBook reads the accounts' prices. applied is called after each change of them, before it is answered; nil:
// nobody asks.
func OpenBook(ctx context.Context, list *Store, store OwnStore, applied func()) (*Book, error) {
	own, err := store.ListPrices(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the accounts' prices: %w", err)
	}
	b := &Book{list: list, store: store, applied: applied}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(own)
	return b, nil
}

// set takes prices, which were checked when they were stored. One that is not valid any more leaves its model
// unpriced, which shows. mu is held.
func (b *Book) set(own []Own) {
	slices.SortFunc(own, compareOwn)
	over := map[string][]Override{}
	for i := range own {
		o, err := own[i].override()
		if err != nil {
			o = Override{Provider: own[i].Provider, Model: own[i].Model, as: "-/-"}
		}
		over[own[i].Account] = append(over[own[i].Account], o)
	}
	b.own, b.over = own, over
	b.current.Store(b.build(b.list.Load()))
}

func compareOwn(a, b Own) int {
	return cmp.Or(strings.Compare(a.Account, b.Account), strings.Compare(a.Provider, b.Provider), strings.Compare(a.Model, b.Model))
}

func (b *Book) build(base *Catalogue) *Prices {
	p := &Prices{base: base, own: make(map[string]*Catalogue, len(b.over))}
	for account, over := range b.over {
		p.own[account] = base.With(over)
	}
	return p
}

// override makes an Override of the price. Its error has KindInvalid and names the field.
func (p *Own) override() (Override, error) {
	o, err := NewOverride(p.Provider, p.Model, p.As, p.Times, p.USD)
	o.Source, o.AsOf = SourceAccount, p.Modified.UTC().Format(time.DateOnly)
	return o, err
}

// SourceAccount is the Source of a Model whose price an account has set.
const SourceAccount = "account"

// Load returns the prices as they are now. It allocates nothing, unless the catalogue is another one than at the
// last time.
func (b *Book) Load() *Prices {
	p, base := b.current.Load(), b.list.Load()
	if p.base == base {
		return p
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p = b.current.Load(); p.base != base {
		p = b.build(base)
		b.current.Store(p)
	}
	return p
}

// List returns an account's own prices, by provider and model.
func (b *Book) List(account string) []Own {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []Own
	for i := range b.own {
		if b.own[i].Account == account {
			list = append(list, b.own[i])
		}
	}
	return list
}

// Get returns an account's own price of exactly this name; nil: it has none.
func (b *Book) Get(account, provider, model string) *Own {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.get(account, provider, model)
}

func (b *Book) get(account, provider, model string) *Own {
	i, found := slices.BinarySearchFunc(b.own, Own{Account: account, Provider: provider, Model: model}, compareOwn)
	if !found {
		return nil
	}
	p := b.own[i]
	return &p
}

// Put stores a price for all calls that are settled after it. sluice.KindInvalid: Field says what is wrong;
// sluice.KindConflict: the configuration prices this model.
func (b *Book) Put(ctx context.Context, p Own, now time.Time) (Own, error) {
	p.USD, p.Modified = maps.Clone(p.USD), now.UTC().Truncate(time.Millisecond)
	if _, err := p.override(); err != nil {
		return Own{}, err
	}
	if b.list.Load().configures(p.Provider, p.Model) {
		return Own{}, errConfigured(p.Provider, p.Model)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.store.PutPrice(ctx, p); err != nil {
		return Own{}, fmt.Errorf("store the price of %s/%s: %w", p.Provider, p.Model, err)
	}
	own := slices.DeleteFunc(slices.Clone(b.own), func(other Own) bool { return compareOwn(other, p) == 0 })
	b.publish(append(own, p))
	return p, nil
}

func errConfigured(provider, model string) error {
	return &sluice.Error{
		Kind: sluice.KindConflict, Field: "model", Msg: "the price of " + provider + "/" + model + " comes from the configuration",
		Hint: "change it there: prices.models",
	}
}

// publish makes own the prices. mu is held.
func (b *Book) publish(own []Own) {
	b.set(own)
	if b.applied != nil {
		b.applied()
	}
}

// Delete removes an account's price and returns what it was. sluice.KindNotFound: there is none of its own;
// sluice.KindConflict: the configuration's holds.
func (b *Book) Delete(ctx context.Context, account, provider, model string) (Own, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.get(account, provider, model)
	switch {
	case p != nil:
	case b.list.Load().configures(provider, model):
		return Own{}, errConfigured(provider, model)
	default:
		return Own{}, &sluice.Error{Kind: sluice.KindNotFound, Msg: "the account has no price of its own for " + provider + "/" + model}
	}
	if _, err := b.store.DeletePrices(ctx, account, provider, model); err != nil {
		return Own{}, fmt.Errorf("delete the price of %s/%s: %w", provider, model, err)
	}
	b.publish(slices.DeleteFunc(slices.Clone(b.own), func(other Own) bool { return compareOwn(other, *p) == 0 }))
	return *p, nil
}

// DeleteProvider removes all prices that an account has set for a provider, and returns how many there were.
func (b *Book) DeleteProvider(ctx context.Context, account, provider string) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.store.DeletePrices(ctx, account, provider, "")
	if err != nil {
		return 0, fmt.Errorf("delete the prices of %s: %w", provider, err)
	}
	if n > 0 {
		b.publish(slices.DeleteFunc(slices.Clone(b.own), func(p Own) bool { return p.Account == account && p.Provider == provider }))
	}
	return n, nil
}

// configures reports whether the configuration has a price of exactly this name.
func (c *Catalogue) configures(provider, model string) bool {
	p := c.provider(provider)
	return p != nil && slices.ContainsFunc(p.models, func(m *Model) bool { return m.Name == model && m.Configured() })
}

// USD returns the listed prices as NewOverride takes them, for prompts below the first threshold.
func (p *Price) USD() map[string]string { return usdBy(p.Rate) }

// USDAbove is USD for prompts above a threshold.
func (p *Price) USDAbove(threshold int64) map[string]string {
	return usdBy(func(c sluice.Class) (int64, bool) { return p.RateAbove(threshold, c) })
}

// usdBy writes rates by the names of classes, time by the hour.
func usdBy(rate func(sluice.Class) (int64, bool)) map[string]string {
	usd := map[string]string{}
	for c := range Requests + 1 {
		nano, listed := rate(c)
		if !listed {
			continue
		}
		name, per := MeterName(c), int64(1_000)
		switch {
		case c == sluice.Milliseconds:
			name, per = "hours", 3_600_000
		case isToken(c) || c == sluice.Characters:
			per = 1_000_000
		}
		usd[name] = decimalUSD(new(big.Rat).Mul(big.NewRat(nano, 1), big.NewRat(per, Per(c))))
	}
	return usd
}

// Stored reports whether an account has set the model's price.
func (m *Model) Stored() bool { return m.override && m.Source == SourceAccount }

// Configured reports whether the price is the configuration's.
func (m *Model) Configured() bool { return m.override && m.Source != SourceAccount }
