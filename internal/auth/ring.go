package auth

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// touchEvery is how often uses are written behind; each token is written at most once in it.
const touchEvery = time.Minute

// Ring knows all tokens. It is safe for concurrent use. Open makes one, Close ends it.
type Ring struct {
	store  Store
	logger *slog.Logger
	ids    sluice.IDs
	found  atomic.Pointer[snapshot]

	mu   sync.Mutex // one change at a time
	stop context.CancelFunc
	done chan struct{}
}

// snapshot is all tokens at one time. It is not changed.
type snapshot struct {
	byHash   map[Hash]*Token
	tokens   []*Token // oldest first
	imported bool     // whether any was imported: else no foreign value needs hashing
}

// Open reads the tokens of store, and starts to write uses behind.
func Open(ctx context.Context, store Store, logger *slog.Logger) (*Ring, error) {
	r := &Ring{store: store, logger: logger, done: make(chan struct{})}
	if err := r.Reload(ctx); err != nil {
		return nil, err
	}
	// The loop ends with Close, not with the context of opening.
	loop, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go r.writeBehind(loop)
	return r, nil
}

// Close writes what was used since, and waits for that.
func (r *Ring) Close(ctx context.Context) error {
	r.stop()
	<-r.done
	return r.touch(ctx)
}

// Reload reads the tokens anew: another process may have changed them.
func (r *Ring) Reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reload(ctx)
}

func (r *Ring) reload(ctx context.Context) error {
	list, err := r.store.ListTokens(ctx)
	if err != nil {
		return fmt.Errorf("read gateway tokens: %w", err)
	}
	uses := map[string]*use{}
	if old := r.found.Load(); old != nil {
		for _, t := range old.tokens {
			uses[t.ID] = t.used
		}
	}
	s := &snapshot{byHash: make(map[Hash]*Token, len(list))}
	for i := range list {
		t := list[i].Token
		if t.used = uses[t.ID]; t.used == nil {
			t.used = newUse()
		}
		defer t.endIfRevoked() // once the snapshot is in force
		s.add(&t, list[i].Hash)
	}
	r.found.Store(s)
	return nil
}

func (s *snapshot) add(t *Token, h Hash) {
	s.tokens = append(s.tokens, t)
	s.byHash[h] = t
	s.imported = s.imported || t.Imported
}

// Find tells what value is, and whose when it is known. It waits for nothing and allocates nothing. A
// value is not trimmed, and no "Bearer" taken off.
func (r *Ring) Find(value string, now time.Time) (Token, Verdict) {
	s := r.found.Load()
	formed := wellFormed(value)
	if !formed && (!s.imported || len(value) < minImported || len(value) > maxImported) {
		return Token{}, Foreign
	}
	t := s.byHash[hashOf(value)]
	switch {
	case t == nil && formed:
		return Token{}, Unknown
	case t == nil:
		return Token{}, Foreign
	}
	return *t, t.VerdictAt(now)
}

// Used notes that t, which Find returned, was let in. It is cheap, and written behind.
func (r *Ring) Used(t *Token, now time.Time) {
	if t.used == nil {
		return
	}
	// Most calls find the minute noted, and leave the line of memory to its readers.
	if at := now.Unix(); at-t.used.last.Load() >= int64(touchEvery/time.Second) {
		t.used.last.Store(at)
	}
}

// Filter says which tokens a list has.
type Filter struct {
	Account string // "": of all accounts
	Revoked bool   // the revoked ones too
}

// List returns tokens, oldest first, with their last uses as far as they are known.
func (r *Ring) List(f Filter) []Token {
	var list []Token
	for _, t := range r.found.Load().tokens {
		if (f.Account == "" || t.Account == f.Account) && (f.Revoked || t.Revoked.IsZero()) {
			list = append(list, t.shown())
		}
	}
	return list
}

// Get returns an account's token by id. sluice.KindNotFound: the account has none.
func (r *Ring) Get(account, id string) (Token, error) {
	for _, t := range r.found.Load().tokens {
		if t.ID == id && t.Account == account {
			return t.shown(), nil
		}
	}
	return Token{}, &sluice.Error{Kind: sluice.KindNotFound, Msg: "token not found"}
}

// shown is a copy with the last use in it.
func (t *Token) shown() Token {
	c := *t
	if last := t.used.last.Load(); last > 0 {
		if used := time.Unix(last, 0).UTC(); used.After(c.LastUsed) {
			c.LastUsed = used
		}
	}
	return c
}

// New says what token to create.
type New struct {
	Name        string // 1 to 64 characters; "": made from the id
	Account     string
	Gateways    []string // nil: all of the account, those to come too
	Permissions Permission
	Expires     time.Time     // zero: never
	Value       sluice.Secret // to import; zero: one is made
}

// Create makes a token and returns it with its value, which nothing can show again. It is valid at once.
// sluice.KindInvalid: something in n is wrong; sluice.KindConflict: the name is taken, or the value was
// imported before. Field says what.
func (r *Ring) Create(ctx context.Context, n New, now time.Time) (Token, sluice.Secret, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value := n.Value
	if value.IsZero() {
		value = mint()
	} else if err := importable(value.Reveal()); err != nil {
		return Token{}, sluice.Secret{}, err
	}
	id := r.ids.New(now).String()
	text := value.Reveal()
	t := Token{
		ID: id, Name: cmp.Or(strings.TrimSpace(n.Name), "token-"+id[28:]), Account: n.Account, Permissions: n.Permissions,
		Hint: text[len(text)-4:], Imported: !n.Value.IsZero(), Created: now.UTC().Truncate(time.Millisecond),
	}
	if n.Gateways != nil { // an empty list stays one: nil would mean all
		t.Gateways = append([]string{}, n.Gateways...)
		slices.Sort(t.Gateways)
		t.Gateways = slices.Compact(t.Gateways)
	}
	if !n.Expires.IsZero() {
		t.Expires = n.Expires.UTC().Truncate(time.Millisecond)
	}
	if err := t.check(now); err != nil {
		return Token{}, sluice.Secret{}, err
	}
	if err := r.store.CreateToken(ctx, Stored{t, hashOf(text)}); err != nil {
		return Token{}, sluice.Secret{}, fmt.Errorf("create token: %w", err)
	}
	t.used = newUse()
	s := r.found.Load().clone()
	s.add(&t, hashOf(text))
	r.found.Store(s)
	return t, value, nil
}

func (s *snapshot) clone() *snapshot {
	return &snapshot{maps.Clone(s.byHash), slices.Clone(s.tokens), s.imported}
}

// check finds what is wrong with a token that is to be.
func (t *Token) check(now time.Time) error {
	invalid := func(field, msg, hint string) error {
		return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg, Hint: hint}
	}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case t.Account == "":
		return invalid("account", "a token needs an account", "")
	case len(t.Name) > 64 || strings.ContainsFunc(t.Name, control):
		return invalid("name", "the name is too long or has control characters", "1 to 64 characters")
	case t.Permissions == 0:
		return invalid("permissions", "a token without permissions is good for nothing", "run, read, edit")
	case t.Gateways != nil && (len(t.Gateways) == 0 || slices.Contains(t.Gateways, "")):
		return invalid("gateways", "no gateway is named", "leave it out for all gateways of the account")
	case !t.Expires.IsZero() && !t.Expires.After(now):
		return invalid("expires_at", "the token would have expired already", "a time to come")
	}
	return nil
}

// Revoke ends an account's token: it is refused by every Find that begins after Revoke returned. A token
// that was revoked before is returned as it is. sluice.KindNotFound: the account has none of that id.
func (r *Ring) Revoke(ctx context.Context, account, id string, now time.Time) (Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, err := r.Get(account, id)
	if err != nil || !t.Revoked.IsZero() {
		return t, err
	}
	at := now.UTC().Truncate(time.Millisecond)
	if err := r.store.RevokeToken(ctx, id, at); err != nil {
		return Token{}, fmt.Errorf("revoke token %s: %w", id, err)
	}
	s := r.found.Load().clone()
	t.Revoked = at
	s.replace(&t)
	r.found.Store(s)
	t.endIfRevoked()
	return t, nil
}

func (t *Token) endIfRevoked() {
	if !t.Revoked.IsZero() {
		t.used.end.Do(func() { close(t.used.ended) })
	}
}

func (s *snapshot) replace(t *Token) {
	for h, old := range s.byHash {
		if old.ID == t.ID {
			s.byHash[h] = t
		}
	}
	for i, old := range s.tokens {
		if old.ID == t.ID {
			s.tokens[i] = t
		}
	}
}

func (r *Ring) writeBehind(ctx context.Context) {
	defer close(r.done)
	tick := time.NewTicker(touchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := r.touch(ctx); err != nil && ctx.Err() == nil {
				r.logger.WarnContext(ctx, "last uses of gateway tokens were not written", "error", err)
			}
		}
	}
}

// touch writes the uses that the store does not know.
func (r *Ring) touch(ctx context.Context) error {
	used := map[string]time.Time{}
	tokens := r.found.Load().tokens
	for _, t := range tokens {
		if last := t.used.last.Load(); last > t.used.written.Load() {
			used[t.ID] = time.Unix(last, 0).UTC()
		}
	}
	if len(used) == 0 {
		return nil
	}
	if err := r.store.TouchTokens(ctx, used); err != nil {
		return fmt.Errorf("note last uses of tokens: %w", err)
	}
	for _, t := range tokens {
		if at, written := used[t.ID]; written {
			t.used.written.Store(at.Unix())
		}
	}
	return nil
}
