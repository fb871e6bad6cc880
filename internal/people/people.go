// Package people knows who may use the management API by name: their passwords and identities, what they may do
// in which account, the one-time links that let them in, and their sessions.
//
// Directory answers from memory, and every change is stored before it holds. What was revoked is so for every
// request that begins after the revocation was answered: a session belongs to an epoch of its user, and a new
// password, another role or a new identity begins another one.
//
// Of passwords a slow hash is kept (argon2id), of links and session tokens their SHA-256.
package people

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/alexedwards/scs/v2"

	sluice "github.com/sluicehq/sluice"
)

// Role is what somebody may do. A role includes those before it.
type Role uint8

// The roles.
const (
	None   Role = iota // nothing
	Viewer             // sees everything but stored bodies
	Editor             // sees stored bodies, changes gateways, routes, limits and feedback, exports
	Admin              // keys, tokens, members
)

// roleNames are the names, by role.
func roleNames() [4]string { return [...]string{"none", "viewer", "editor", "admin"} }

// String returns the role's name.
func (r Role) String() string { return roleNames()[min(r, Admin)] }

// ParseRole reads the name of a role that somebody can have. Its error has sluice.KindInvalid.
func ParseRole(name string) (Role, error) {
	names := roleNames()
	if i := slices.Index(names[:], strings.ToLower(name)); i > int(None) {
		return Role(i), nil
	}
	return None, &sluice.Error{Kind: sluice.KindInvalid, Field: "role", Msg: fmt.Sprintf("%.20q is no role", name), Hint: "the roles are viewer, editor and admin"}
}

// Member is what somebody may do in an account.
type Member struct {
	Account string // its id
	Role    Role
	Bodies  bool // a viewer who sees stored bodies too
	// Granted: the identity provider says so, and says it anew at each sign-in.
	Granted bool
}

// User is a person. What Directory returns is the caller's own.
type User struct {
	ID          string // a sluice.ID
	Email       string // in lower case; no other has it
	Name        string
	Instance    bool     // admin of every account, and of the process
	Granted     bool     // Instance is what the identity provider says, as Member.Granted
	Members     []Member // by account; each account once
	HasPassword bool
	Issuer      string // whose identity Subject is; "": there is none
	Subject     string
	Created     time.Time
	LastSignIn  time.Time // zero: never
	Epoch       int64     // sessions of another one have ended
}

// Role returns what u may do in an account, by its id.
func (u *User) Role(account string) Role {
	if u.Instance {
		return Admin
	}
	return u.Member(account).Role
}

// Member returns what u is in an account; the zero Member when it is nothing.
func (u *User) Member(account string) Member {
	for _, m := range u.Members {
		if m.Account == account {
			return m
		}
	}
	return Member{}
}

// SeesBodies reports whether u sees stored bodies of an account.
func (u *User) SeesBodies(account string) bool {
	return u.Role(account) >= Editor || u.Member(account).Bodies
}

// Stored is a User as a Store keeps it.
type Stored struct {
	User
	Password string // PHC string of the hash; "": none
	Version  int64  // from 1; another one after every change
}

// Link lets somebody in once. The link itself is not kept.
type Link struct {
	Hash    Hash
	User    string // id of who sets a password by it; "": who has it becomes an admin of the process
	Expires time.Time
}

// Hash is the SHA-256 of a link or a session token.
type Hash [32]byte

// StoredSession is a session as a Store keeps it.
type StoredSession struct {
	Hash    Hash
	User    string
	Epoch   int64
	Data    []byte
	Expires time.Time
}

// Store keeps people for good. Every error that is not named here has sluice.KindUnavailable or is a fault.
type Store interface {
	UserStore
	LinkStore
	SessionStore
}

// UserStore keeps users.
type UserStore interface {
	// ListUsers returns all users, oldest first.
	ListUsers(ctx context.Context) ([]Stored, error)
	// PutUser keeps a user; was is the version that it had, 0 for a new one. sluice.KindConflict: it was changed
	// in between, or somebody else has its e-mail address or its identity.
	PutUser(ctx context.Context, u Stored, was int64) error
	// DeleteUser removes a user with its links and sessions. sluice.KindNotFound: there is none.
	DeleteUser(ctx context.Context, id string) error
}

// LinkStore keeps one-time links.
type LinkStore interface {
	// PutLink keeps a link in place of the ones for the same user.
	PutLink(ctx context.Context, l Link) error
	// FindLink returns a link that has not expired. sluice.KindNotFound: there is none.
	FindLink(ctx context.Context, hash Hash, now time.Time) (Link, error)
	// TakeLink is FindLink, and removes the link: of several callers one gets it.
	TakeLink(ctx context.Context, hash Hash, now time.Time) (Link, error)
	// DropLinks removes the links for a user.
	DropLinks(ctx context.Context, user string) error
}

// SessionStore keeps sessions.
type SessionStore interface {
	// ListSessions returns all sessions that have not expired, and forgets the others.
	ListSessions(ctx context.Context, now time.Time) ([]StoredSession, error)
	// AddSession keeps a new session.
	AddSession(ctx context.Context, s StoredSession) error
	// ExtendSession moves the end of a session. One that is not there stays away: nothing ends twice.
	ExtendSession(ctx context.Context, hash Hash, data []byte, expires time.Time) error
	// DeleteSessions removes sessions; those that are not there are left out.
	DeleteSessions(ctx context.Context, hashes ...Hash) error
}

// Options make a Directory.
type Options struct {
	Store  Store
	Logger *slog.Logger
	// Idle is how long a session lasts that nobody uses, Lifetime how long it lasts at most. Both are above 0.
	Idle, Lifetime time.Duration
}

// Directory knows all people. Safe for concurrent use.
type Directory struct {
	store     Store
	logger    *slog.Logger
	ids       sluice.IDs
	changing  sync.Mutex // one change of the users at a time
	users     atomic.Pointer[roster]
	passwords *hasher
	throttle  *throttle
	manager   *scs.SessionManager
	sessions  *sessions
}

// roster is all users as they are at one moment. It does not change.
type roster struct {
	byID      map[string]*Stored
	byEmail   map[string]*Stored
	bySubject map[[2]string]*Stored // issuer and subject
}

func newRoster(all []*Stored) *roster {
	r := &roster{byID: map[string]*Stored{}, byEmail: map[string]*Stored{}, bySubject: map[[2]string]*Stored{}}
	for _, u := range all {
		r.byID[u.ID], r.byEmail[u.Email] = u, u
		if u.Issuer != "" {
			r.bySubject[[2]string{u.Issuer, u.Subject}] = u
		}
	}
	return r
}

// Open reads all people.
func Open(ctx context.Context, o Options) (*Directory, error) {
	list, err := o.Store.ListUsers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	d := &Directory{store: o.Store, logger: o.Logger, passwords: newHasher(), throttle: newThrottle()}
	all := make([]*Stored, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	d.users.Store(newRoster(all))
	if err := d.openSessions(ctx, o); err != nil {
		return nil, err
	}
	return d, nil
}

// own is a copy of what a roster holds.
func (s *Stored) own() User {
	u := s.User
	u.Members = slices.Clone(u.Members)
	u.HasPassword = s.Password != ""
	return u
}

// Empty reports whether there is nobody.
func (d *Directory) Empty() bool { return len(d.users.Load().byID) == 0 }

// Claimed reports whether there is an admin of the process who can sign in.
func (d *Directory) Claimed() bool {
	for _, u := range d.users.Load().byID {
		if u.Instance && (u.Password != "" || u.Issuer != "") {
			return true
		}
	}
	return false
}

// Get returns a user by id.
func (d *Directory) Get(id string) (User, bool) {
	u, ok := d.users.Load().byID[id]
	if !ok {
		return User{}, false
	}
	return u.own(), true
}

// List returns who may do something in an account, by e-mail address: its members, and the admins of the process.
func (d *Directory) List(account string) []User {
	var list []User
	for _, u := range d.users.Load().byID {
		if u.Role(account) > None {
			list = append(list, u.own())
		}
	}
	slices.SortFunc(list, func(a, b User) int { return strings.Compare(a.Email, b.Email) })
	return list
}

// errNobody is the answer about somebody who is not there, or not to be seen.
func errNobody() error { return &sluice.Error{Kind: sluice.KindNotFound, Msg: "member not found"} }

// change makes a change of a user, stored first. edit gets a copy and may refuse; the zero Stored, whose ID is
// "", stands for somebody new. A change that ends sessions adds to Epoch.
func (d *Directory) change(ctx context.Context, id string, edit func(u *Stored, all *roster) error) (User, error) {
	d.changing.Lock()
	defer d.changing.Unlock()
	all := d.users.Load()
	next := &Stored{}
	if id != "" {
		was, ok := all.byID[id]
		if !ok {
			return User{}, errNobody()
		}
		*next = *was
		next.Members = slices.Clone(was.Members)
	}
	version, epoch := next.Version, next.Epoch
	if err := edit(next, all); err != nil {
		return User{}, err
	}
	next.Version++
	if err := d.store.PutUser(ctx, *next, version); err != nil {
		return User{}, err
	}
	list := slices.Collect(maps.Values(all.byID))
	list = slices.DeleteFunc(list, func(u *Stored) bool { return u.ID == next.ID })
	d.users.Store(newRoster(append(list, next)))
	if next.Epoch != epoch {
		d.sessions.endAll(ctx, next.ID)
	}
	return next.own(), nil
}

// remove removes a user, who may not be the last admin of the process while there are others.
func (d *Directory) remove(ctx context.Context, id string) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	all := d.users.Load()
	u, ok := all.byID[id]
	if !ok {
		return errNobody()
	}
	if len(all.byID) > 1 {
		if err := all.keepsAnAdmin(u); err != nil {
			return err
		}
	}
	if err := d.store.DeleteUser(ctx, id); err != nil {
		return err
	}
	list := slices.DeleteFunc(slices.Collect(maps.Values(all.byID)), func(u *Stored) bool { return u.ID == id })
	d.users.Store(newRoster(list))
	d.sessions.endAll(ctx, id)
	return nil
}

// keepsAnAdmin refuses to go on without the last admin of the process.
func (r *roster) keepsAnAdmin(gone *Stored) error {
	if !gone.Instance {
		return nil
	}
	for _, u := range r.byID {
		if u.Instance && u.ID != gone.ID && (u.Password != "" || u.Issuer != "") {
			return nil
		}
	}
	return &sluice.Error{Kind: sluice.KindConflict, Field: "instance", Msg: "this is the last admin of the process", Hint: "make somebody else one first"}
}

// Bounds of texts, in bytes.
const (
	maxEmail = 254
	maxName  = 128
)

// cleanEmail reads an e-mail address. Its error has sluice.KindInvalid.
func cleanEmail(text string) (string, error) {
	email := strings.ToLower(strings.TrimSpace(text))
	a, err := mail.ParseAddress(email)
	plain := !strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '"' || !unicode.IsPrint(r) })
	if err != nil || a.Address != email || a.Name != "" || len(email) > maxEmail || !plain {
		return "", &sluice.Error{Kind: sluice.KindInvalid, Field: "email", Msg: "this is no e-mail address", Hint: "for example ann@example.com"}
	}
	return email, nil
}

// cleanName reads the name that a person is shown by.
func cleanName(text string) (string, error) {
	name := strings.TrimSpace(text)
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", &sluice.Error{Kind: sluice.KindInvalid, Field: "name", Msg: "this is no name", Hint: fmt.Sprintf("at most %d bytes, in one line", maxName)}
	}
	return name, nil
}
