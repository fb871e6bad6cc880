package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
)

// touchEvery is how often uses are written behind; each credential is written at most once in it.
const touchEvery = time.Minute

// Vault knows all stored credentials. It is safe for concurrent use. Open makes one, Close ends it. A nil
// *Vault has none.
type Vault struct {
	store  Store
	master Master
	logger *slog.Logger
	ids    sluice.IDs
	found  atomic.Pointer[snapshot]
	locked atomic.Pointer[sluice.Error] // why the data key cannot be had; nil: it can, or is not needed yet

	mu     sync.Mutex // one change at a time
	data   *key       // nil: there is none yet, or locked
	sealed []byte     // the data key as the store has it
	stop   context.CancelFunc
	done   chan struct{}
}

// Options make a Vault.
type Options struct {
	Store  Store
	Master Master
	Logger *slog.Logger
}

// Open reads the credentials, and starts to write uses behind. Where they cannot be opened it logs why and
// what to do, and Locked tells it: calls that need none of them are to be served.
func Open(ctx context.Context, o Options) (*Vault, error) {
	v := &Vault{store: o.Store, master: o.Master, logger: o.Logger, done: make(chan struct{})}
	if err := v.Reload(ctx); err != nil {
		return nil, err
	}
	// The loop ends with Close, not with the context of opening.
	loop, stop := context.WithCancel(context.WithoutCancel(ctx))
	v.stop = stop
	go v.writeBehind(loop)
	return v, nil
}

// Close writes what was used since, and waits for that.
func (v *Vault) Close(ctx context.Context) error {
	v.stop()
	<-v.done
	return v.touch(ctx)
}

// Reload reads data key and credentials anew: another process may have changed them.
func (v *Vault) Reload(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.reload(ctx)
}

func (v *Vault) reload(ctx context.Context) error {
	sealed, err := v.store.DataKey(ctx)
	if err != nil {
		return fmt.Errorf("read the data key of provider keys: %w", err)
	}
	list, err := v.store.ListCredentials(ctx)
	if err != nil {
		return fmt.Errorf("read provider keys: %w", err)
	}
	v.unlock(ctx, sealed, len(list) > 0)
	uses := map[string]*use{}
	if old := v.found.Load(); old != nil {
		for _, c := range old.all {
			uses[c.ID] = c.use
		}
	}
	all := make([]*Credential, 0, len(list))
	for i := range list {
		all = append(all, v.opened(ctx, &list[i], uses[list[i].ID]))
	}
	v.found.Store(newSnapshot(all))
	return nil
}

// unlock opens the data key. needed: there are credentials that it sealed. What is wrong with it is told by
// locked.
func (v *Vault) unlock(ctx context.Context, sealed []byte, needed bool) {
	v.data, v.sealed = nil, sealed
	v.locked.Store(nil)
	if sealed == nil && !needed {
		return
	}
	list, err := v.master.read()
	var data key
	first := true
	if err == nil {
		data, first, err = list.openDataKey(sealed)
	}
	if err != nil {
		v.lock(ctx, err)
		return
	}
	v.data = &data
	if first {
		return
	}
	// The master key is being changed: the new one stands before the one that sealed.
	if err := v.reseal(ctx, list[0]); err != nil {
		v.logger.WarnContext(ctx, "the provider keys' data key is still sealed by the old master key: keep it", "error", err)
		return
	}
	v.logger.InfoContext(ctx, "the provider keys' data key is sealed by a new master key: the old one is not needed any more", "master_key", v.master.place())
}

func (v *Vault) lock(ctx context.Context, cause error) {
	var e *sluice.Error
	errors.As(v.master.trouble(cause), &e) // it is one
	v.locked.Store(e)
	v.logger.ErrorContext(ctx, "stored provider keys cannot be used", "why", e.Msg, "fix", e.Hint, "cause", cause.Error())
}

// reseal seals the data key by another master key.
func (v *Vault) reseal(ctx context.Context, master key) error {
	sealed := master.seal(v.data[:], []byte(forDataKey))
	if err := v.store.PutDataKey(ctx, sealed, v.sealed); err != nil {
		return fmt.Errorf("seal the data key of provider keys anew: %w", err)
	}
	v.sealed = sealed
	return nil
}

// opened is a stored credential, ready for use or with its fault.
func (v *Vault) opened(ctx context.Context, s *Stored, known *use) *Credential {
	c := s.Credential
	if c.use = known; known == nil {
		c.use = &use{}
	}
	if v.data == nil {
		c.Fault = "locked"
		return &c
	}
	plain, err := v.data.open(s.Sealed, c.context())
	if err != nil {
		c.Fault = "damaged"
		v.logger.ErrorContext(ctx, "a stored provider key cannot be opened", "provider_key", c.ID, "gateway", c.Account+"/"+c.Gateway,
			"provider", c.Provider, "alias", c.Alias, "cause", err.Error(), "fix", "remove it and add it again")
		return &c
	}
	if c.key, err = credential.Parse(sluice.NewSecret(string(plain)), credential.All()...); err != nil {
		c.Fault = "damaged"
		v.logger.ErrorContext(ctx, "a stored provider key is none", "provider_key", c.ID, "gateway", c.Account+"/"+c.Gateway,
			"provider", c.Provider, "alias", c.Alias, "cause", err.Error(), "fix", "remove it and add it again")
	}
	return &c
}

// Locked says why no credential can be opened, and how to put it right. nil: they can be.
func (v *Vault) Locked() *sluice.Error {
	if v == nil {
		return nil
	}
	return v.locked.Load()
}

// Keys returns what is stored of a gateway for a provider; nil: nothing. It waits for nothing and allocates
// nothing.
func (v *Vault) Keys(account, gateway, provider string) *Keys {
	if v == nil {
		return nil
	}
	s := v.found.Load()
	if len(s.keys) == 0 {
		return nil
	}
	return s.keys[place{account, gateway, provider}]
}

// List returns a gateway's credentials, oldest first, without their secrets.
func (v *Vault) List(account, gateway string) []Credential {
	var list []Credential
	now := time.Now()
	for _, c := range v.found.Load().all {
		if c.Account == account && c.Gateway == gateway {
			list = append(list, c.shown(now))
		}
	}
	return list
}

// Get returns a gateway's credential by id, without its secret. sluice.KindNotFound: it has none.
func (v *Vault) Get(account, gateway, id string) (Credential, error) {
	c, err := v.Find(account, gateway, id)
	if err != nil {
		return Credential{}, err
	}
	return c.shown(time.Now()), nil
}

// Find is Get with the secret, for a call to the provider.
func (v *Vault) Find(account, gateway, id string) (*Credential, error) {
	for _, c := range v.found.Load().all {
		if c.ID == id && c.Account == account && c.Gateway == gateway {
			return c, nil
		}
	}
	return nil, &sluice.Error{Kind: sluice.KindNotFound, Msg: "provider key not found"}
}

// Create stores a credential, which serves calls at once. sluice.KindInvalid: something in n is wrong;
// sluice.KindConflict: the alias is taken and n has no weight; sluice.KindUnavailable: the vault is locked.
// Field says what.
func (v *Vault) Create(ctx context.Context, n New, now time.Time) (Credential, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := now.UTC().Truncate(time.Millisecond)
	c := Credential{
		ID: v.ids.New(now).String(), Account: n.Account, Gateway: n.Gateway, Provider: n.Provider, Alias: cmp.Or(n.Alias, DefaultAlias),
		Default: n.Default, Weight: cmp.Or(n.Weight, 1), Hosts: cleanHosts(n.Hosts), RateLimit: n.RateLimit, RateLimitPeriod: n.RateLimitPeriod,
		Version: 1, Created: at, Modified: at, use: &use{},
	}
	if err := c.check(); err != nil {
		return Credential{}, err
	}
	var err error
	if c.key, err = parse(n.Secret, n.Kinds); err != nil {
		return Credential{}, err
	}
	c.Hint = c.key.Hint
	if err := v.room(&c, n.Weight == 0); err != nil {
		return Credential{}, err
	}
	if err := v.needDataKey(ctx); err != nil {
		return Credential{}, err
	}
	if err := v.put(ctx, &c, 0); err != nil {
		return Credential{}, fmt.Errorf("create provider key: %w", err)
	}
	v.found.Store(newSnapshot(append(slices.Clone(v.found.Load().all), &c)))
	return c.shown(now), nil
}

// room refuses a credential for whose alias there is no room. alone: it is to be the only one there.
func (v *Vault) room(c *Credential, alone bool) error {
	beside := 0
	for _, other := range v.found.Load().all {
		if other.ID != c.ID && other.Account == c.Account && other.Gateway == c.Gateway && other.Provider == c.Provider && other.Alias == c.Alias {
			beside++
		}
	}
	switch {
	case beside > 0 && alone:
		return &sluice.Error{
			Kind: sluice.KindConflict, Field: "alias", Msg: fmt.Sprintf("there is a key %q of %s already", c.Alias, c.Provider),
			Hint: "replace that one, choose another alias, or give this one a weight to share the calls",
		}
	case beside >= maxPool:
		return &sluice.Error{Kind: sluice.KindConflict, Field: "alias", Msg: "there are 64 keys of this alias already"}
	}
	return nil
}

// needDataKey makes a data key where there is none yet.
func (v *Vault) needDataKey(ctx context.Context) error {
	if e := v.locked.Load(); e != nil {
		return e
	}
	if v.data != nil {
		return nil
	}
	list, err := v.master.readOrMake()
	if err != nil {
		return v.master.trouble(err)
	}
	data := newKey()
	v.data, v.sealed = &data, nil
	if err := v.reseal(ctx, list[0]); err != nil {
		v.data = nil
		return err
	}
	return nil
}

// put seals c and stores it in place of version was.
func (v *Vault) put(ctx context.Context, c *Credential, was int64) error {
	sealed := v.data.seal([]byte(c.key.Stored().Reveal()), c.context())
	return v.store.PutCredential(ctx, Stored{Credential: *c, Sealed: sealed}, was)
}

// Seal encrypts a secret that is no provider key, such as a header of a custom provider. It is bound to its
// purpose: the same texts open it. The error is as Create's where the vault is locked.
func (v *Vault) Seal(ctx context.Context, secret sluice.Secret, purpose ...string) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.needDataKey(ctx); err != nil {
		return nil, err
	}
	return v.data.seal([]byte(secret.Reveal()), bound(forOther, purpose...)), nil
}

// Unseal undoes Seal. sluice.KindUnavailable: the vault is locked, or what was sealed is damaged.
func (v *Vault) Unseal(sealed []byte, purpose ...string) (sluice.Secret, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if e := v.locked.Load(); e != nil {
		return sluice.Secret{}, e
	}
	if v.data == nil {
		return sluice.Secret{}, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "there is no data key that could have sealed this"}
	}
	plain, err := v.data.open(sealed, bound(forOther, purpose...))
	if err != nil {
		return sluice.Secret{}, &sluice.Error{Kind: sluice.KindUnavailable, Msg: "what was sealed cannot be opened", Err: err}
	}
	return sluice.NewSecret(string(plain)), nil
}

// Update changes a gateway's credential, for all calls that begin after it. sluice.KindNotFound: it has none
// of that id; other kinds as Create's, also sluice.KindConflict where another process has changed it.
func (v *Vault) Update(ctx context.Context, account, gateway, id string, change Change, now time.Time) (Credential, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old, err := v.Find(account, gateway, id)
	if err != nil {
		return Credential{}, err
	}
	c := *old
	change.apply(&c)
	if !change.Secret.IsZero() {
		if c.key, err = parse(change.Secret, change.Kinds); err != nil {
			return Credential{}, err
		}
		c.Hint, c.Fault, c.use = c.key.Hint, "", &use{}
	}
	if err := c.check(); err != nil {
		return Credential{}, err
	}
	if c.Alias != old.Alias {
		if err := v.room(&c, change.Weight == nil); err != nil {
			return Credential{}, err
		}
	}
	if err := v.changeable(&c); err != nil {
		return Credential{}, err
	}
	c.Version, c.Modified = old.Version+1, now.UTC().Truncate(time.Millisecond)
	if err := v.put(ctx, &c, old.Version); err != nil {
		return Credential{}, fmt.Errorf("update provider key %s: %w", id, err)
	}
	all := slices.Clone(v.found.Load().all)
	all[slices.Index(all, old)] = &c
	v.found.Store(newSnapshot(all))
	return c.shown(now), nil
}

// changeable refuses what cannot be sealed again.
func (v *Vault) changeable(c *Credential) error {
	if e := v.locked.Load(); e != nil {
		return e
	}
	if c.Fault != "" {
		return &sluice.Error{
			Kind: sluice.KindConflict, Field: "secret", Msg: "the stored key is damaged, and cannot be changed without its secret",
			Hint: "send the secret again",
		}
	}
	return nil
}

func (ch *Change) apply(c *Credential) {
	set(&c.Alias, ch.Alias)
	set(&c.Default, ch.Default)
	set(&c.Weight, ch.Weight)
	set(&c.RateLimit, ch.RateLimit)
	set(&c.RateLimitPeriod, ch.RateLimitPeriod)
	if ch.Hosts != nil {
		c.Hosts = cleanHosts(*ch.Hosts)
	}
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Delete removes a gateway's credential: no call that begins after it uses it. sluice.KindNotFound: it has
// none of that id. It works on a locked vault too; with the last credential a key that cannot be opened goes.
func (v *Vault) Delete(ctx context.Context, account, gateway, id string) (Credential, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c, err := v.Find(account, gateway, id)
	if err != nil {
		return Credential{}, err
	}
	return c.shown(time.Now()), v.remove(ctx, c)
}

// DeleteGateway removes all credentials of a gateway.
func (v *Vault) DeleteGateway(ctx context.Context, account, gateway string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.found.Load().all {
		if c.Account != account || c.Gateway != gateway {
			continue
		}
		if err := v.remove(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) remove(ctx context.Context, c *Credential) error {
	if err := v.store.DeleteCredential(ctx, c.ID); err != nil && sluice.KindOf(err) != sluice.KindNotFound {
		return fmt.Errorf("delete provider key %s: %w", c.ID, err)
	}
	all := slices.DeleteFunc(slices.Clone(v.found.Load().all), func(other *Credential) bool { return other == c })
	v.found.Store(newSnapshot(all))
	if len(all) > 0 || v.locked.Load() == nil {
		return nil
	}
	if v.sealed != nil {
		if err := v.store.PutDataKey(ctx, nil, v.sealed); err != nil {
			return fmt.Errorf("forget the data key that cannot be opened: %w", err)
		}
	}
	v.sealed = nil
	v.locked.Store(nil)
	return nil
}

// Rotate makes a new master key and seals the data key by it. A crash at any point leaves one that opens.
// sluice.KindConflict: the key is not in a file, or there is nothing to seal yet; sluice.KindUnavailable: the
// vault is locked, or the file cannot be written.
func (v *Vault) Rotate(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := v.locked.Load(); {
	case e != nil:
		return e
	case !v.master.Key.IsZero():
		return &sluice.Error{
			Kind: sluice.KindConflict, Msg: "the master key comes from the configuration",
			Hint: "set SLUICE_MASTER_KEY to the new key, a comma and the old key, and restart; afterwards to the new key alone",
		}
	case v.data == nil:
		return &sluice.Error{Kind: sluice.KindConflict, Msg: "no provider key is stored yet, so there is nothing to seal"}
	}
	old, err := v.master.read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // one that got lost is replaced
		return v.master.trouble(err)
	}
	fresh := newKey()
	both := masters{fresh}
	for _, k := range old {
		if k.id() == sealedBy(v.sealed) {
			both = append(both, k)
		}
	}
	if err := v.master.write(both); err != nil {
		return v.master.trouble(err)
	}
	if err := v.reseal(ctx, fresh); err != nil {
		return err
	}
	if err := v.master.write(masters{fresh}); err != nil {
		return v.master.trouble(err)
	}
	v.logger.InfoContext(ctx, "master key changed", "master_key", v.master.place())
	return nil
}

func (v *Vault) writeBehind(ctx context.Context) {
	defer close(v.done)
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := v.touch(ctx); err != nil && ctx.Err() == nil {
				v.logger.WarnContext(ctx, "last uses of provider keys were not written", "error", err)
			}
		}
	}
}

// touch writes the uses that the store does not know.
func (v *Vault) touch(ctx context.Context) error {
	used := map[string]time.Time{}
	all := v.found.Load().all
	for _, c := range all {
		if last := c.use.last.Load(); last > c.use.written.Load() {
			used[c.ID] = time.Unix(last, 0).UTC()
		}
	}
	if len(used) == 0 {
		return nil
	}
	if err := v.store.TouchCredentials(ctx, used); err != nil {
		return fmt.Errorf("note last uses of provider keys: %w", err)
	}
	for _, c := range all {
		if at, written := used[c.ID]; written {
			c.use.written.Store(at.Unix())
		}
	}
	return nil
}
