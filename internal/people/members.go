package people

import (
	"context"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Authority is what somebody may decide about others.
type Authority struct {
	Process  bool     // everything
	Accounts []string // ids of the accounts that they are admin of
}

// Authority returns what u may decide about others.
func (u *User) Authority() Authority {
	a := Authority{Process: u.Instance}
	for _, m := range u.Members {
		if m.Role >= Admin {
			a.Accounts = append(a.Accounts, m.Account)
		}
	}
	return a
}

// admin reports whether a decides in an account.
func (a Authority) admin(account string) bool {
	return a.Process || slices.Contains(a.Accounts, account)
}

// over reports whether a decides about all that u is: who could reset the password of somebody who is more
// elsewhere would be that, too.
func (a Authority) over(u *User) bool {
	if a.Process {
		return true
	}
	if u.Instance {
		return false
	}
	for _, m := range u.Members {
		if !a.admin(m.Account) {
			return false
		}
	}
	return true
}

func errNotAllowed(hint string) error {
	return &sluice.Error{Kind: sluice.KindForbidden, Msg: "Authentication error", Hint: hint}
}

// New says who is to become a member of an account.
type New struct {
	Email, Name string
	Account     string // its id
	Role        Role
	Bodies      bool
	Instance    bool // admin of the process instead; Role and Bodies mean nothing then
}

// Invite makes somebody a member of an account. existed: there was such a user already, of another account, who
// signs in as before. Its error has sluice.KindInvalid, KindConflict for who is a member already, or
// KindForbidden.
func (d *Directory) Invite(ctx context.Context, by Authority, n New, now time.Time) (u User, existed bool, err error) {
	if !by.admin(n.Account) || n.Instance && !by.Process {
		return User{}, false, errNotAllowed("only an admin of the process makes others")
	}
	if n.Email, err = cleanEmail(n.Email); err != nil {
		return User{}, false, err
	}
	if n.Name, err = cleanName(n.Name); err != nil {
		return User{}, false, err
	}
	if !n.Instance && (n.Role <= None || n.Role > Admin) {
		_, err := ParseRole("")
		return User{}, false, err
	}
	id := ""
	if was, ok := d.users.Load().byEmail[n.Email]; ok {
		id, existed = was.ID, true
	}
	u, err = d.change(ctx, id, func(u *Stored, _ *roster) error {
		if u.ID == "" {
			u.ID, u.Email, u.Name, u.Created = d.ids.New(now).String(), n.Email, n.Name, now
		}
		if u.User.Role(n.Account) > None && !n.Instance || u.Instance {
			return &sluice.Error{Kind: sluice.KindConflict, Field: "email", Msg: "there is such a member already", Hint: "change the member's role"}
		}
		if n.Instance {
			u.Instance = true
		} else {
			u.Members = append(u.Members, Member{Account: n.Account, Role: n.Role, Bodies: n.Bodies})
			u.order()
		}
		u.Epoch++
		return nil
	})
	return u, existed, err
}

// Change says what is to become of a member; nil: it stays.
type Change struct {
	Name     *string
	Role     *Role
	Bodies   *bool
	Instance *bool
}

// Update changes a member of an account. All of the member's sessions end when a role changed.
func (d *Directory) Update(ctx context.Context, by Authority, account, id string, c Change) (before, after User, err error) {
	after, err = d.change(ctx, id, func(u *Stored, all *roster) error {
		if !by.admin(account) || u.User.Role(account) == None {
			return errNobody()
		}
		before = u.own()
		if err := c.allowed(by, account, u, all); err != nil {
			return err
		}
		return c.apply(account, u)
	})
	return before, after, err
}

// allowed refuses changes that are not by's to make, or that nobody can make.
func (c *Change) allowed(by Authority, account string, u *Stored, all *roster) error {
	switch {
	case (c.Instance != nil || u.Instance) && !by.Process:
		return errNotAllowed("only an admin of the process decides about others")
	case c.Name != nil && !by.over(&u.User):
		return errNotAllowed("the member belongs to other accounts as well")
	case c.Instance != nil && !*c.Instance && u.Instance:
		if u.Granted {
			return errGranted()
		}
		if err := all.keepsAnAdmin(u); err != nil {
			return err
		}
	}
	if (c.Role != nil || c.Bodies != nil) && u.Member(account).Granted {
		return errGranted()
	}
	return nil
}

func errGranted() error {
	return &sluice.Error{Kind: sluice.KindConflict, Field: "role", Msg: "the identity provider grants this role, and would grant it again", Hint: "change it there, or oidc.grants"}
}

// apply makes the change.
func (c *Change) apply(account string, u *Stored) error {
	if c.Name != nil {
		name, err := cleanName(*c.Name)
		if err != nil {
			return err
		}
		u.Name = name
	}
	was, wasInstance := u.Member(account), u.Instance
	if c.Instance != nil {
		u.Instance = *c.Instance
	}
	is := was
	is.Account = account
	if c.Role != nil {
		is.Role = *c.Role
	}
	if c.Bodies != nil {
		is.Bodies = *c.Bodies
	}
	if wasInstance && !u.Instance && is.Role == None {
		is.Role = Viewer // who was an admin of the process stays a member of the account that this was said in
	}
	if is != was && is.Role > None {
		u.Members = append(slices.DeleteFunc(u.Members, func(m Member) bool { return m.Account == account }), is)
		u.order()
	}
	if is != was || wasInstance != u.Instance {
		u.Epoch++
	}
	return nil
}

// Remove takes a member out of an account, and removes who is in no other. An admin of the process is removed
// wholly. All sessions end.
func (d *Directory) Remove(ctx context.Context, by Authority, account, id string) (User, error) {
	u, ok := d.Get(id)
	if !ok || !by.admin(account) || u.Role(account) == None {
		return User{}, errNobody()
	}
	if u.Instance && !by.Process {
		return User{}, errNotAllowed("only an admin of the process removes another")
	}
	if u.Instance || len(u.Members) == 1 {
		return u, d.remove(ctx, id)
	}
	_, err := d.change(ctx, id, func(u *Stored, _ *roster) error {
		u.Members = slices.DeleteFunc(u.Members, func(m Member) bool { return m.Account == account })
		u.Epoch++
		return nil
	})
	return u, err
}

// MemberLink makes a link by which a member sets a password, in place of those before it.
func (d *Directory) MemberLink(ctx context.Context, by Authority, account, id string, lasts time.Duration, now time.Time) (sluice.Secret, time.Time, error) {
	u, ok := d.Get(id)
	if !ok || !by.admin(account) || u.Role(account) == None {
		return sluice.Secret{}, time.Time{}, errNobody()
	}
	if !by.over(&u) {
		return sluice.Secret{}, time.Time{}, errNotAllowed("the member may do more elsewhere than you do: an admin of the process makes the link")
	}
	return d.putLink(ctx, id, lasts, now)
}
