package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
)

// Set holds the gateways and changes them. It is safe for concurrent use.
type Set struct {
	store   Store
	logger  *slog.Logger
	applied func(*Snapshot)

	current atomic.Pointer[Snapshot]

	mu      sync.Mutex // one change at a time; current changes under it
	records map[place]Record
	loaded  *config.Loaded
}

// place is where a gateway lies.
type place struct{ account, id string }

// Options make a Set.
type Options struct {
	Store  Store
	Logger *slog.Logger
	// Applied is called with each new snapshot, one at a time and in order, before the change that made it
	// is answered. It must not change the Set. nil: nobody asks.
	Applied func(*Snapshot)
}

// Open reads the store and makes the first snapshot of it and of a configuration. Applied is not called
// for it.
func Open(ctx context.Context, loaded *config.Loaded, o Options) (*Set, error) {
	s := &Set{store: o.Store, logger: o.Logger, applied: o.Applied, loaded: loaded}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	s.current.Store(s.build())
	return s, nil
}

// Snapshot returns the gateways as they are now.
func (s *Set) Snapshot() *Snapshot { return s.current.Load() }

// Configure takes another configuration.
func (s *Set) Configure(loaded *config.Loaded) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = loaded
	s.publish()
}

// Create makes a gateway of what the body says, with the defaults for all else. account is an id or an
// alias. The error is Faults, or has sluice.KindNoGateway where there is no such account, or
// sluice.KindConflict where the id is taken.
func (s *Set) Create(ctx context.Context, account string, body Body) (Entry, error) {
	settings := Defaults()
	id, err := body.ID()
	if err := joinFaults(err, body.apply(&settings)); err != nil {
		return Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.create(ctx, account, id, settings)
}

// joinFaults makes one list of two.
func joinFaults(errs ...error) error {
	var all Faults
	for _, err := range errs {
		if err == nil {
			continue
		}
		faults, ok := errors.AsType[Faults](err)
		if !ok {
			return err
		}
		all = append(all, faults...)
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// create stores a new gateway. mu is held.
func (s *Set) create(ctx context.Context, account, id string, settings Settings) (Entry, error) {
	a, ok := s.Snapshot().Account(account)
	if !ok {
		return Entry{}, noAccount(account, id)
	}
	if g := a.Gateways[id]; g != nil {
		if g.Origin == sluice.OriginFile {
			return Entry{}, managed(a.ID, id, s.loaded.File)
		}
		return Entry{}, &sluice.Error{
			Kind: sluice.KindConflict, Field: "id", Msg: "a gateway with this id already exists", Hint: "change it, or choose another id",
		}
	}
	now := time.Now()
	return s.put(ctx, place{a.ID, id}, settings, now, now)
}

// Update changes a gateway as the body says: what it leaves out stays, a null sets back. The error is
// Faults, or has sluice.KindNoGateway, or sluice.KindConflict where the configuration manages it or another
// version is there than the body was made from.
func (s *Set) Update(ctx context.Context, account, id string, body Body) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.changeable(account, id)
	if err != nil {
		return Entry{}, err
	}
	if body.Was != 0 && body.Was != e.Version {
		return Entry{}, &sluice.Error{
			Kind: sluice.KindConflict, Field: "version", Msg: "the gateway was changed in the meantime",
			Hint: "look at what is there now, then send the change with its version in If-Match",
		}
	}
	settings, before := e.Settings, e.Settings
	if err := body.apply(&settings); err != nil {
		return Entry{}, err
	}
	if settings.digest() == before.digest() {
		return e, nil
	}
	return s.put(ctx, place{e.Account, e.ID}, settings, e.Created, time.Now())
}

// Delete removes a gateway and returns what it was. The error has sluice.KindNoGateway, or
// sluice.KindConflict where the configuration manages it.
func (s *Set) Delete(ctx context.Context, account, id string) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.changeable(account, id)
	if err != nil {
		return Entry{}, err
	}
	if err := s.write(ctx, place{e.Account, e.ID}, nil, e.Created, time.Now()); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// changeable finds a gateway that may be changed here. mu is held.
func (s *Set) changeable(account, id string) (Entry, error) {
	e, err := s.Snapshot().Entry(account, id)
	if err != nil {
		return Entry{}, err
	}
	if e.Origin == sluice.OriginFile {
		return Entry{}, managed(e.Account, e.ID, s.loaded.File)
	}
	return e, nil
}

// EnsureDefault returns the account's gateway default and makes it where there is none, with
// authentication on and the defaults for all else. It is for calls that brought a token of that account:
// any other call must not make gateways. account is an id or an alias. The error has sluice.KindNoGateway
// where there is no such account.
func (s *Set) EnsureDefault(ctx context.Context, account string) (*sluice.Gateway, error) {
	if g, err := s.Snapshot().Gateway(account, Default); err == nil {
		return g, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.Snapshot().Gateway(account, Default)
	if err == nil {
		return g, nil // made by the call before
	}
	e, err := s.create(ctx, account, Default, defaultSettings())
	if sluice.KindOf(err) == sluice.KindConflict {
		return s.Snapshot().Gateway(account, Default) // another process has made it
	}
	if err != nil {
		return nil, err
	}
	s.logger.InfoContext(ctx, "gateway made by its first call", "account", e.Account, "gateway", e.ID)
	return e.Gateway, nil
}

// put stores settings and returns what they made. mu is held.
func (s *Set) put(ctx context.Context, at place, settings Settings, created, modified time.Time) (Entry, error) {
	text, err := settings.encode()
	if err != nil {
		return Entry{}, fmt.Errorf("encode gateway %s/%s: %w", at.account, at.id, err)
	}
	if err := s.write(ctx, at, text, created, modified); err != nil {
		return Entry{}, err
	}
	return s.Snapshot().Entry(at.account, at.id)
}

// write stores the next version of a gateway, nil settings for none, and publishes it. mu is held.
func (s *Set) write(ctx context.Context, at place, settings []byte, created, modified time.Time) error {
	was := s.records[at].Version
	r := Record{
		Account: at.account, ID: at.id, Version: was + 1, Settings: settings,
		Created: created.UTC().Truncate(time.Microsecond), Modified: modified.UTC().Truncate(time.Microsecond),
	}
	if was == 0 && at == (place{Default, Default}) {
		r.Version = builtinVersion + 1
	}
	if err := s.store.PutGateway(ctx, r, was); err != nil {
		if sluice.KindOf(err) == sluice.KindConflict {
			err = errors.Join(err, s.refresh(ctx)) // another process has changed it
		}
		return fmt.Errorf("store gateway %s/%s: %w", at.account, at.id, err)
	}
	s.records[at] = r
	s.publish()
	return nil
}

// refresh reads the store again, and publishes what it says. mu is held.
func (s *Set) refresh(ctx context.Context) error {
	if err := s.read(ctx); err != nil {
		return err
	}
	s.publish()
	return nil
}

func (s *Set) read(ctx context.Context) error {
	list, err := s.store.ListGateways(ctx)
	if err != nil {
		return fmt.Errorf("read gateways: %w", err)
	}
	s.records = make(map[place]Record, len(list))
	for _, r := range list {
		s.records[place{r.Account, r.ID}] = r
	}
	return nil
}

// publish makes the snapshot that the sources come to. mu is held.
func (s *Set) publish() {
	snapshot := s.build()
	s.current.Store(snapshot)
	if s.applied != nil {
		s.applied(snapshot)
	}
}

// builtinVersion is that of the gateway that exists by itself.
const builtinVersion = 1

// build makes a snapshot of the sources, the weakest first. mu is held.
func (s *Set) build() *Snapshot {
	b := builder{snapshot: &Snapshot{accounts: map[string]*Account{}}, before: s.current.Load(), now: time.Now().UTC().Truncate(time.Microsecond)}
	for id, a := range s.loaded.Config.Accounts {
		b.account(id, a.Aliases)
	}
	b.account(Default, s.loaded.Config.Accounts[Default].Aliases)
	b.snapshot.ids = slices.Sorted(maps.Keys(b.snapshot.accounts))
	for _, id := range b.snapshot.ids {
		for _, alias := range b.snapshot.accounts[id].Aliases {
			b.snapshot.accounts[alias] = b.snapshot.accounts[id]
		}
	}
	if _, found := s.records[place{Default, Default}]; !found && s.loaded.Builtin {
		b.add(place{Default, Default}, sluice.OriginBuiltin, builtinVersion, Defaults())
	}
	for at, r := range s.records {
		if r.Settings != nil {
			s.addRecord(&b, at, r)
		}
	}
	for id, a := range s.loaded.Config.Accounts {
		for gateway, g := range a.Gateways {
			if s.loaded.Builtin && id == Default && gateway == Default {
				continue
			}
			settings := fileSettings(g)
			b.add(place{id, gateway}, sluice.OriginFile, settings.digest(), settings)
		}
	}
	return b.snapshot
}

// addRecord adds a stored gateway. One that cannot be read is left out: to serve it with other settings
// than its own could open it to everybody.
func (s *Set) addRecord(b *builder, at place, r Record) {
	settings, err := decodeSettings(r.Settings)
	if err != nil {
		s.logger.Error("a stored gateway cannot be read: it is not served", "account", at.account, "gateway", at.id, "error", err)
		return
	}
	if _, err := ParseSpendLimits(settings.SpendLimits); err != nil {
		s.logger.Error("the spend limits of a stored gateway cannot be read: they limit nothing", "account", at.account, "gateway", at.id, "error", err)
	}
	b.add(at, sluice.OriginStored, r.Version, settings)
	if g := b.gateway(at); g != nil {
		g.Created, g.Modified = r.Created, r.Modified
	}
}

// builder makes one snapshot.
type builder struct {
	snapshot *Snapshot
	before   *Snapshot // nil: there was none
	now      time.Time
}

func (b *builder) account(id string, aliases []string) {
	b.snapshot.accounts[id] = &Account{
		ID: id, Aliases: slices.Clone(aliases), Gateways: map[string]*sluice.Gateway{}, settings: map[string]*Settings{},
	}
}

func (b *builder) gateway(at place) *sluice.Gateway {
	if a := b.snapshot.accounts[at.account]; a != nil && a.ID == at.account {
		return a.Gateways[at.id]
	}
	return nil
}

// add adds a gateway where its account exists. One that is not stored has the time at which this process
// first saw it so.
func (b *builder) add(at place, origin sluice.Origin, version int64, settings Settings) {
	a := b.snapshot.accounts[at.account]
	if a == nil || a.ID != at.account {
		return
	}
	g := settings.inForce()
	g.Account, g.ID, g.Origin, g.Version = at.account, at.id, origin, version
	g.Created, g.Modified = b.now, b.now
	if b.before != nil {
		if old, err := b.before.Gateway(at.account, at.id); err == nil && old.Account == at.account && old.Origin == origin {
			g.Created = old.Created
			if old.Version == version {
				g.Modified = old.Modified
			}
		}
	}
	a.Gateways[at.id], a.settings[at.id] = g, &settings
}
