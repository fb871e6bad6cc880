package people

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// ThrottledError refuses a sign-in because too many have failed. It is a *sluice.Error with
// sluice.KindRateLimited, too.
type ThrottledError struct{ Wait time.Duration }

// Error says how it is put right.
func (e *ThrottledError) Error() string { return e.Unwrap().Error() }

// Unwrap is the same for callers that know nothing of throttling.
func (e *ThrottledError) Unwrap() error {
	return &sluice.Error{Kind: sluice.KindRateLimited, Msg: "too many sign-ins have failed", Hint: "try again in " + e.Wait.Round(time.Second).String()}
}

// errSignIn is the one refusal of a sign-in: it says nothing about who there is.
func errSignIn() error {
	return &sluice.Error{Kind: sluice.KindUnauthorized, Msg: "the e-mail address or the password is wrong"}
}

// SignIn proves somebody by a password. address is where the caller comes from. Its error has
// sluice.KindUnauthorized, or is a *ThrottledError; neither tells whether there is such a user, nor does the time
// that it takes.
func (d *Directory) SignIn(ctx context.Context, email string, password sluice.Secret, address string, now time.Time) (User, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	undo, wait := d.throttle.begin(email, address, now)
	if wait > 0 {
		return User{}, &ThrottledError{wait}
	}
	phc, id := "", ""
	if u, ok := d.users.Load().byEmail[email]; ok {
		phc, id = u.Password, u.ID
	}
	ok, err := d.passwords.matches(ctx, phc, password)
	if err != nil {
		undo()
		return User{}, err
	}
	if !ok {
		return User{}, errSignIn()
	}
	undo()
	return d.change(ctx, id, func(u *Stored, _ *roster) error {
		if u.Password != phc {
			return errSignIn() // it was changed while it was compared
		}
		u.LastSignIn = now
		return nil
	})
}

// SetPassword gives a user another password, who proves to know the old one. All of the user's sessions end.
func (d *Directory) SetPassword(ctx context.Context, id string, old, password sluice.Secret, address string, now time.Time) (User, error) {
	if err := checkPassword(password); err != nil {
		return User{}, err
	}
	u, ok := d.users.Load().byID[id]
	if !ok {
		return User{}, errNobody()
	}
	if _, err := d.SignIn(ctx, u.Email, old, address, now); err != nil {
		return User{}, err
	}
	phc, err := d.passwords.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	return d.change(ctx, id, func(u *Stored, _ *roster) error {
		u.Password = phc
		u.Epoch++
		return nil
	})
}

// linkPrefix begins every one-time link's token.
const linkPrefix = "sll_"

func newLink() (sluice.Secret, Hash) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, by its contract
	token := linkPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	return sluice.NewSecret(token), hashOf(token)
}

// ClaimLink makes a link by which somebody becomes an admin of the process. The one before it no longer serves.
func (d *Directory) ClaimLink(ctx context.Context, lasts time.Duration, now time.Time) (sluice.Secret, time.Time, error) {
	return d.putLink(ctx, "", lasts, now)
}

func (d *Directory) putLink(ctx context.Context, user string, lasts time.Duration, now time.Time) (sluice.Secret, time.Time, error) {
	token, hash := newLink()
	expires := now.Add(lasts)
	return token, expires, d.store.PutLink(ctx, Link{Hash: hash, User: user, Expires: expires})
}

// DropClaimLink makes the claim link unusable.
func (d *Directory) DropClaimLink(ctx context.Context) error { return d.store.DropLinks(ctx, "") }

// errLink refuses a link, whatever was wrong with it.
func errLink() error {
	return &sluice.Error{Kind: sluice.KindUnauthorized, Msg: "the link is not valid: it was used, it has expired, or another one was made", Hint: "ask for another one; sluice auth link makes one on the server"}
}

// Redeemed is what somebody sets by a link.
type Redeemed struct {
	Email    string // of a new admin; not looked at where the link is for a user
	Name     string // "": as it is
	Password sluice.Secret
}

// LinkFor tells whose password a link sets: "", whoever has it. Its error has sluice.KindUnauthorized.
func (d *Directory) LinkFor(ctx context.Context, link sluice.Secret, now time.Time) (email string, err error) {
	l, err := d.store.FindLink(ctx, hashOf(link.Reveal()), now)
	if sluice.KindOf(err) == sluice.KindNotFound {
		return "", errLink()
	}
	if err != nil || l.User == "" {
		return "", err
	}
	u, ok := d.users.Load().byID[l.User]
	if !ok {
		return "", errLink()
	}
	return u.Email, nil
}

// Redeem uses a link up: it sets a password, and makes who claims an admin of the process. A call that is refused
// for what it sets leaves the link as it is.
func (d *Directory) Redeem(ctx context.Context, link sluice.Secret, r Redeemed, now time.Time) (User, error) {
	email, err := d.LinkFor(ctx, link, now)
	if err != nil {
		return User{}, err
	}
	if email == "" {
		if email, err = cleanEmail(r.Email); err != nil {
			return User{}, err
		}
	}
	name, err := cleanName(r.Name)
	if err != nil {
		return User{}, err
	}
	if err := checkPassword(r.Password); err != nil {
		return User{}, err
	}
	phc, err := d.passwords.hash(ctx, r.Password)
	if err != nil {
		return User{}, err
	}
	l, err := d.store.TakeLink(ctx, hashOf(link.Reveal()), now)
	if sluice.KindOf(err) == sluice.KindNotFound {
		return User{}, errLink()
	}
	if err != nil {
		return User{}, err
	}
	id := l.User
	if u, ok := d.users.Load().byEmail[email]; ok && id == "" {
		id = u.ID // who has lost a password, or is to become an admin of the process
	}
	return d.change(ctx, id, func(u *Stored, _ *roster) error {
		if u.ID == "" {
			u.ID, u.Email, u.Created = d.ids.New(now).String(), email, now
		}
		if l.User == "" {
			u.Instance, u.Granted = true, false
		}
		if name != "" {
			u.Name = name
		}
		u.Password, u.LastSignIn = phc, now
		u.Epoch++
		return nil
	})
}

// Grant is what an identity provider says that somebody may do.
type Grant struct {
	Account  string // its id
	Role     Role
	Bodies   bool
	Instance bool // admin of the process; the other fields mean nothing then
}

// Identity is somebody whom an identity provider has proven.
type Identity struct {
	Issuer, Subject string // both not ""
	Email           string // verified by the provider
	Name            string
	Grants          []Grant
}

var errIdentity = errors.New("an identity without issuer or subject")

// Identify signs somebody in by an identity: the user who has it, else the one who has its e-mail address, else
// somebody new. What an identity grants is in force from then on, and what it granted before and does not now is
// gone. Who may do nothing is refused with sluice.KindForbidden.
func (d *Directory) Identify(ctx context.Context, i Identity, now time.Time) (User, error) {
	if i.Issuer == "" || i.Subject == "" {
		return User{}, errIdentity
	}
	email, err := cleanEmail(i.Email)
	if err != nil {
		return User{}, err
	}
	name, err := cleanName(i.Name)
	if err != nil {
		name = ""
	}
	all, id := d.users.Load(), ""
	if u, ok := all.bySubject[[2]string{i.Issuer, i.Subject}]; ok {
		id = u.ID
	} else if u, ok := all.byEmail[email]; ok {
		if u.Issuer != "" {
			return User{}, &sluice.Error{Kind: sluice.KindForbidden, Msg: "the e-mail address belongs to another identity", Hint: "remove the member, then sign in again"}
		}
		id = u.ID
	}
	if id == "" && len(i.Grants) == 0 {
		return User{}, errNoRole()
	}
	u, err := d.change(ctx, id, func(u *Stored, all *roster) error {
		if u.ID == "" {
			u.ID, u.Email, u.Created = d.ids.New(now).String(), email, now
		}
		if holder, taken := all.byEmail[email]; !taken || holder.ID == u.ID {
			u.Email = email // it may be another one by now
		}
		if u.Name == "" {
			u.Name = name
		}
		if u.Issuer != i.Issuer || u.Subject != i.Subject {
			u.Issuer, u.Subject = i.Issuer, i.Subject
			u.Epoch++
		}
		if u.grant(i.Grants) {
			u.Epoch++
		}
		u.LastSignIn = now
		return nil
	})
	if err == nil && !u.Instance && len(u.Members) == 0 {
		return User{}, errNoRole()
	}
	return u, err
}

func errNoRole() error {
	return &sluice.Error{Kind: sluice.KindForbidden, Msg: "signed in, and allowed nothing", Hint: "ask an admin for a role, or for oidc.grants that fit"}
}

// grant puts what was granted before in place of what is now, and reports whether that changed anything. What was
// given here stays, and wins.
func (u *User) grant(grants []Grant) bool {
	was := slices.Clone(u.Members)
	wasInstance := u.Instance
	u.Members = slices.DeleteFunc(u.Members, func(m Member) bool { return m.Granted })
	if u.Granted {
		u.Instance, u.Granted = false, false
	}
	for _, g := range grants {
		switch i := slices.IndexFunc(u.Members, func(m Member) bool { return m.Account == g.Account }); {
		case g.Instance:
			if !u.Instance {
				u.Instance, u.Granted = true, true
			}
		case i < 0:
			u.Members = append(u.Members, Member{Account: g.Account, Role: g.Role, Bodies: g.Bodies, Granted: true})
		case u.Members[i].Granted:
			u.Members[i].Role = max(u.Members[i].Role, g.Role)
			u.Members[i].Bodies = u.Members[i].Bodies || g.Bodies
		}
	}
	u.order()
	return u.Instance != wasInstance || !slices.Equal(u.Members, was)
}

// order puts the members into the order that they are kept in.
func (u *User) order() {
	slices.SortFunc(u.Members, func(a, b Member) int { return strings.Compare(a.Account, b.Account) })
}
