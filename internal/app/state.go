package app

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/proxy"
	"github.com/sluicehq/sluice/internal/store/answers"
	"github.com/sluicehq/sluice/internal/store/slots"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/vault"
)

// openState opens what is configured and outlives the process: gateways, tokens, keys. prices returns when the
// price list is there.
func (a *App) openState(ctx context.Context, loaded *config.Loaded, prices func()) (err error) {
	c := &loaded.Config
	if a.db, err = sqlstore.Open(ctx, filepath.Join(c.DataDir, "sluice.db")); err != nil {
		return err
	}
	a.audit = audit.New(a.db, a.logger)
	if err := a.openPeople(ctx, c); err != nil {
		return err
	}
	if err := a.setOIDC(c); err != nil {
		return fmt.Errorf("oidc: %w", err)
	}
	if err := gateway.Check(loaded); err != nil {
		return err
	}
	a.gateways, err = gateway.Open(ctx, loaded, gateway.Options{
		Store: a.db, Logger: a.logger, Applied: func(*gateway.Snapshot) { a.apply() },
	})
	if err != nil {
		return fmt.Errorf("read the gateways: %w", err)
	}
	a.objects, err = object.Open(ctx, object.Options{
		Store: a.db, Logger: a.logger, Applied: func(*object.Snapshot) { a.apply() },
	})
	if err != nil {
		return fmt.Errorf("read the stored objects: %w", err)
	}
	if a.tokens, err = auth.Open(ctx, a.db, a.logger); err != nil {
		return fmt.Errorf("read the gateway tokens: %w", err)
	}
	a.vault, err = vault.Open(ctx, vault.Options{
		Store: a.db, Logger: a.logger,
		Master: vault.Master{Key: c.MasterKey, File: cmp.Or(c.Vault.KeyFile, filepath.Join(c.DataDir, "master.key"))},
	})
	if err != nil {
		return fmt.Errorf("read the provider keys: %w", err)
	}
	a.customs, err = provider.OpenCustoms(ctx, provider.CustomsOptions{
		Store: a.db, Sealer: a.vault, Logger: a.logger, Allowed: a.rule.Names, Applied: a.apply,
		Taken: func(segment string) bool {
			_, ok := a.table.Load().Find(segment)
			return ok
		},
	})
	if err != nil {
		return err
	}
	prices()
	a.book, err = price.OpenBook(ctx, a.prices, a.db, a.apply)
	return err
}

// openCounters opens the counts of rate limits and the cached answers.
func (a *App) openCounters(c *config.Config) (err error) {
	a.limits = slots.Open(slots.Options{Path: filepath.Join(c.DataDir, "limits"), Logger: a.logger})
	a.answers, err = answers.Open(answers.Options{
		Dir: filepath.Join(c.DataDir, "cache"), MemoryBytes: int64(c.Cache.MemoryBytes), DiskBytes: int64(c.Cache.DiskBytes), Logger: a.logger,
	})
	if err != nil {
		return fmt.Errorf("open the cache: %w", err)
	}
	a.cache = cache.New(cache.Options{Store: a.answers, Budget: a.memory, EntryBytes: int64(c.Cache.EntryBytes), Logger: a.logger})
	return nil
}

// closeState undoes openState and openCounters.
func (a *App) closeState(ctx context.Context) (errs []error) {
	if a.cache != nil {
		errs = append(errs, a.cache.Close(ctx))
	}
	if a.answers != nil {
		errs = append(errs, a.answers.Close(ctx))
	}
	if a.limits != nil {
		errs = append(errs, a.limits.Close())
	}
	if a.spend != nil {
		errs = append(errs, a.spend.Close())
	}
	if a.vault != nil {
		errs = append(errs, a.vault.Close(ctx))
	}
	if a.tokens != nil {
		errs = append(errs, a.tokens.Close(ctx))
	}
	errs = append(errs, a.closePeople())
	if a.audit != nil {
		errs = append(errs, a.audit.Close(ctx))
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	return errs
}

// testKey makes a call with a stored provider key that costs nothing.
func (a *App) testKey(ctx context.Context, c *vault.Credential) (admin.KeyTest, error) {
	r, err := a.proxy.Probe(ctx, c)
	return admin.KeyTest{OK: err == nil && r.Error == "", Path: r.Path, Status: r.Status, DurationMS: r.Took.Milliseconds(), Error: r.Error}, err
}

// openMinter makes what exchanges service accounts for tokens. Its address is the operator's to choose.
func (a *App) openMinter(c *config.Config) {
	times := upstream.Timeouts{Connect: c.Timeouts.Connect, TLS: c.Timeouts.TLS, FirstByte: tokenTime, Total: tokenTime}
	private := c.Vault.GoogleTokenURL != credential.GoogleTokenURL
	a.minter = credential.NewMinter(&upstream.Tripper{Doer: a.upstream, Timeouts: times, Private: private}, c.Vault.GoogleTokenURL)
}

// tokenTime bounds one call for a token.
const tokenTime = 15 * time.Second

// keyKinds are the keys of several parts that a provider takes.
func (a *App) keyKinds(slug string) []credential.Kind {
	if p, ok := a.table.Load().Find(slug); ok {
		return p.Auth.Kinds
	}
	return nil
}

// keyless reports whether a provider takes no key.
func (a *App) keyless(slug string) bool {
	p, ok := a.table.Load().Find(slug)
	return ok && p.Keyless()
}

// apply makes requests be served by the configuration, the gateways and the prices as they are now.
func (a *App) apply() {
	a.applying.Lock()
	defer a.applying.Unlock()
	if a.proxy != nil { // not while the parts are made
		a.proxy.SetSettings(a.settings())
	}
}

func (a *App) settings() *proxy.Settings {
	s := proxy.NewSettings(&a.loaded.Load().Config, a.gateways.Snapshot(), a.table.Load().With(a.customs), a.book.Load())
	for name, at := range a.objects.Snapshot().Hosts() {
		s.AddHost(name, at.Account, at.Gateway)
	}
	return s
}
