package people

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	sluice "github.com/sluicehq/sluice"
)

// SessionPrefix begins a session token where it is sent as a bearer token.
const SessionPrefix = "sls_"

const (
	// extendEvery is how much later a session must end before that is stored.
	extendEvery = time.Minute
	// maxSessions is how many sessions somebody can have; the oldest ends for another one.
	maxSessions = 100
)

// Session is somebody who has signed in.
type Session struct {
	User    User
	Method  string    // "password", "link" or "oidc"
	Since   time.Time // of the sign-in
	Idle    time.Time // when it ends unless it is used
	Expires time.Time // when it ends at the latest
	ended   <-chan struct{}
}

// Ended is closed when the session has ended before its time: what goes on for long ends then. nil, of the zero
// Session, never ends.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// values of a session, as scs keeps them.
const (
	keyUser   = "user"
	keyMethod = "method"
	keySince  = "since" // unix seconds
	keyEpoch  = "epoch"
	keyUntil  = "until" // unix seconds
)

// openSessions reads the sessions that have not ended.
func (d *Directory) openSessions(ctx context.Context, o Options) error {
	list, err := o.Store.ListSessions(ctx, time.Now())
	if err != nil {
		return fmt.Errorf("list sessions: %w", err)
	}
	d.sessions = &sessions{store: o.Store, logger: o.Logger, live: map[Hash]*live{}}
	for _, s := range list {
		if u, ok := d.users.Load().byID[s.User]; ok && u.Epoch == s.Epoch {
			d.sessions.live[s.Hash] = &live{data: s.Data, user: s.User, epoch: s.Epoch, expires: s.Expires, stored: s.Expires, ended: make(chan struct{})}
		}
	}
	// Not scs.New, which starts a goroutine for a store that is not used here.
	d.manager = &scs.SessionManager{IdleTimeout: o.Idle, Lifetime: o.Lifetime, Store: d.sessions, Codec: scs.GobCodec{}, HashTokenInStore: true}
	return nil
}

// beginning is what a new session is, for the store that scs hands it to.
type beginning struct {
	user  string
	epoch int64
}

type beginningKey struct{}

// Begin begins a session of a user who has proven to be one, and returns its token.
func (d *Directory) Begin(ctx context.Context, u User, method string, now time.Time) (sluice.Secret, Session, error) {
	ctx, err := d.manager.Load(ctx, "")
	if err != nil {
		return sluice.Secret{}, Session{}, err
	}
	d.manager.Put(ctx, keyUser, u.ID)
	d.manager.Put(ctx, keyMethod, method)
	d.manager.Put(ctx, keySince, now.Unix())
	d.manager.Put(ctx, keyEpoch, u.Epoch)
	d.manager.Put(ctx, keyUntil, now.Add(d.manager.Lifetime).Unix())
	token, _, err := d.manager.Commit(context.WithValue(ctx, beginningKey{}, beginning{u.ID, u.Epoch}))
	if err != nil {
		return sluice.Secret{}, Session{}, fmt.Errorf("begin a session: %w", err)
	}
	s, ok := d.Session(sluice.NewSecret(token))
	if !ok { // the user was changed in between
		return sluice.Secret{}, Session{}, &sluice.Error{Kind: sluice.KindConflict, Msg: "the user was changed at the same time", Hint: "sign in again"}
	}
	return sluice.NewSecret(token), s, nil
}

// Session finds the session of a token and notes that it is used. false: there is none, it has ended, or its
// user's roles or password are others by now.
func (d *Directory) Session(token sluice.Secret) (Session, bool) {
	value := strings.TrimPrefix(token.Reveal(), SessionPrefix)
	if len(value) != base64.RawURLEncoding.EncodedLen(sha256.Size) { // as scs makes them
		return Session{}, false
	}
	// Not the caller's context: scs would take a session that is in it for the one of the token.
	ctx, err := d.manager.Load(context.Background(), value)
	if err != nil {
		d.logger.ErrorContext(ctx, "a session cannot be read", "error", err)
		return Session{}, false
	}
	u, ok := d.users.Load().byID[d.manager.GetString(ctx, keyUser)]
	if !ok || u.Epoch != d.manager.GetInt64(ctx, keyEpoch) {
		return Session{}, false
	}
	_, idle, err := d.manager.Commit(ctx) // it is used
	if err != nil {
		d.logger.ErrorContext(ctx, "the use of a session is not noted", "error", err)
	}
	l, ok := d.sessions.find(hashOf(value), time.Now())
	if !ok {
		return Session{}, false
	}
	return Session{
		User: u.own(), Method: d.manager.GetString(ctx, keyMethod), Since: time.Unix(d.manager.GetInt64(ctx, keySince), 0).UTC(),
		Idle: idle, Expires: time.Unix(d.manager.GetInt64(ctx, keyUntil), 0).UTC(), ended: l.ended,
	}, true
}

// End ends a session at once. One that is not there has ended already.
func (d *Directory) End(ctx context.Context, token sluice.Secret) error {
	return d.sessions.end(ctx, hashOf(strings.TrimPrefix(token.Reveal(), SessionPrefix)))
}

// hashOf is the SHA-256 of the whole of a token.
func hashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// sessions is the store that scs has: what it asks for is in memory, and what must outlast the process is stored.
type sessions struct {
	store  SessionStore
	logger *slog.Logger
	mu     sync.Mutex
	live   map[Hash]*live
}

// live is a session that has not ended.
type live struct {
	data    []byte
	user    string
	epoch   int64
	expires time.Time // as it is known here
	stored  time.Time // as the store knows
	ended   chan struct{}
}

var _ scs.CtxStore = (*sessions)(nil)

var errHashedToken = errors.New("not a hash as scs makes it")

// parseHash reads a hash as scs writes it.
func parseHash(text string) (h Hash, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != len(h) {
		return h, errHashedToken
	}
	return Hash(b), nil
}

func (s *sessions) find(h Hash, now time.Time) (*live, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.live[h]
	return l, ok && now.Before(l.expires)
}

// FindCtx implements scs.CtxStore.
func (s *sessions) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	h, err := parseHash(token)
	if err != nil {
		return nil, false, err
	}
	l, ok := s.find(h, time.Now())
	if !ok {
		return nil, false, nil
	}
	return l.data, true, nil
}

// CommitCtx implements scs.CtxStore. scs commits what it has loaded, whatever became of it in between: a session
// that has ended does not come back by that.
func (s *sessions) CommitCtx(ctx context.Context, token string, data []byte, expires time.Time) error {
	h, err := parseHash(token)
	if err != nil {
		return err
	}
	if b, ok := ctx.Value(beginningKey{}).(beginning); ok {
		return s.add(ctx, h, b, data, expires)
	}
	s.mu.Lock()
	l, ok := s.live[h]
	if !ok {
		s.mu.Unlock()
		return nil
	}
	l.expires = expires
	due := expires.Sub(l.stored) >= extendEvery
	if due {
		l.stored = expires
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	return s.store.ExtendSession(ctx, h, data, expires)
}

// add keeps a new session, and ends the ones that are over or too many.
func (s *sessions) add(ctx context.Context, h Hash, b beginning, data []byte, expires time.Time) error {
	if err := s.store.AddSession(ctx, StoredSession{Hash: h, User: b.user, Epoch: b.epoch, Data: data, Expires: expires}); err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	var gone []Hash
	var own []Hash
	for other, l := range s.live {
		switch {
		case !now.Before(l.expires):
			gone = append(gone, other)
		case l.user == b.user:
			own = append(own, other)
		}
	}
	slices.SortFunc(own, func(x, y Hash) int { return s.live[x].expires.Compare(s.live[y].expires) })
	if n := len(own) - maxSessions + 1; n > 0 {
		gone = append(gone, own[:n]...)
	}
	s.drop(gone)
	s.live[h] = &live{data: data, user: b.user, epoch: b.epoch, expires: expires, stored: expires, ended: make(chan struct{})}
	s.mu.Unlock()
	if len(gone) == 0 {
		return nil
	}
	return s.store.DeleteSessions(ctx, gone...)
}

// drop forgets sessions; s.mu is held.
func (s *sessions) drop(hashes []Hash) {
	for _, h := range hashes {
		if l, ok := s.live[h]; ok {
			close(l.ended)
			delete(s.live, h)
		}
	}
}

// end ends one session.
func (s *sessions) end(ctx context.Context, h Hash) error {
	s.mu.Lock()
	s.drop([]Hash{h})
	s.mu.Unlock()
	return s.store.DeleteSessions(ctx, h)
}

// endAll ends all sessions of a user. When the store fails they have ended all the same: they are of another
// epoch than the user.
func (s *sessions) endAll(ctx context.Context, user string) {
	s.mu.Lock()
	var gone []Hash
	for h, l := range s.live {
		if l.user == user {
			gone = append(gone, h)
		}
	}
	s.drop(gone)
	s.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	if err := s.store.DeleteSessions(ctx, gone...); err != nil {
		s.logger.WarnContext(ctx, "sessions that have ended are still stored", "error", err)
	}
}

// DeleteCtx implements scs.CtxStore.
func (s *sessions) DeleteCtx(ctx context.Context, token string) error {
	h, err := parseHash(token)
	if err != nil {
		return err
	}
	return s.end(ctx, h)
}

// Find implements scs.Store.
func (s *sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s *sessions) Commit(token string, data []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expires)
}

// Delete implements scs.Store.
func (s *sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
