package admin

import (
	"cmp"
	"context"
	"strings"

	"github.com/sluicehq/sluice/internal/gateway"
)

// identityRoutes are what the reference's SDKs and tools ask before anything else: who they are, whether their
// token is good, and which accounts it reaches.
func identityRoutes() []route {
	return []route{
		self(get(RoleNone, prefix+"/user", "get-user", "Who the caller is", handle((*server).getUser))),
		self(get(RoleNone, prefix+"/user/tokens/verify", "verify-user-token", "Whether the caller's token is good", handle((*server).verifyToken))),
		self(get(RoleNone, prefix+"/accounts", "list-accounts", "List the accounts that the caller sees", handle((*server).listAccounts))),
		self(get(RoleNone, prefix+"/accounts/{account}", "get-account", "Get an account", handle((*server).getAccount))),
		self(get(RoleNone, prefix+"/accounts/{account}/tokens/verify", "verify-account-token", "Whether the caller's token is good, in an account", handle((*server).verifyAccountToken))),
		self(get(RoleNone, prefix+"/memberships", "list-memberships", "List what the caller is in which account", handle((*server).listMemberships))),
	}
}

// UserView is the caller in the reference's shape.
type UserView struct {
	ID                             string  `json:"id"`
	Email                          string  `json:"email" doc:"empty: the caller did not sign in by name"`
	FirstName                      *string `json:"first_name"`
	LastName                       *string `json:"last_name"`
	Username                       string  `json:"username" doc:"the name that the caller is shown by"`
	Telephone                      *string `json:"telephone"`
	Country                        *string `json:"country"`
	Zipcode                        *string `json:"zipcode"`
	TwoFactorAuthenticationEnabled bool    `json:"two_factor_authentication_enabled"`
	TwoFactorAuthenticationLocked  bool    `json:"two_factor_authentication_locked"`
	Suspended                      bool    `json:"suspended"`
}

// identity is id and name of the caller.
func (c *caller) identity() (id, name string) {
	switch {
	case c.session != nil:
		return c.session.User.ID, cmp.Or(c.session.User.Name, c.session.User.Email)
	case c.token != nil:
		return c.token.ID, c.token.Name
	}
	return string(c.kind), string(c.kind)
}

func (s *server) getUser(ctx context.Context, _ *struct{}) (*output[Envelope[UserView]], error) {
	c := callerOf(ctx)
	v := UserView{}
	v.ID, v.Username = c.identity()
	if c.session != nil {
		u := &c.session.User
		first, last, _ := strings.Cut(u.Name, " ")
		v.Email, v.FirstName, v.LastName = u.Email, optional(first), optional(last)
	}
	return answer(v), nil
}

// VerifiedToken tells whether a token is good.
type VerifiedToken struct {
	ID        string  `json:"id"`
	Status    string  `json:"status" enum:"active"`
	NotBefore *string `json:"not_before" format:"date-time"`
	ExpiresOn *string `json:"expires_on" format:"date-time" doc:"null: never"`
}

func (s *server) verifyToken(ctx context.Context, _ *struct{}) (*output[Envelope[VerifiedToken]], error) {
	c := callerOf(ctx)
	v := VerifiedToken{Status: "active"}
	v.ID, _ = c.identity()
	switch {
	case c.session != nil:
		v.NotBefore, v.ExpiresOn = knownStamp(c.session.Since), knownStamp(c.session.Expires)
	case c.token != nil:
		v.NotBefore, v.ExpiresOn = knownStamp(c.token.Created), knownStamp(c.token.Expires)
	}
	out := answer(v)
	out.Body.Messages = []Message{{Code: codeAuthentication, Message: "This API Token is valid and active"}}
	return out, nil
}

func (s *server) verifyAccountToken(ctx context.Context, in *AccountPath) (*output[Envelope[VerifiedToken]], error) {
	if _, err := in.account(s.Settings()); err != nil {
		return nil, err
	}
	return s.verifyToken(ctx, nil)
}

// AccountView is an account in the reference's shape.
type AccountView struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"type" enum:"standard"`
	Settings struct {
		EnforceTwofactor  bool    `json:"enforce_twofactor"`
		AbuseContactEmail *string `json:"abuse_contact_email"`
	} `json:"settings"`
	CreatedOn *string `json:"created_on" format:"date-time" doc:"null: not known, since accounts are configured"`
}

func viewAccount(a gateway.Account) AccountView {
	return AccountView{ID: a.ID, Name: a.ID, Type: "standard"}
}

type listAccountsInput struct {
	Page      int    `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1"`
	PerPage   int    `query:"per_page" default:"20" minimum:"1" maximum:"1000" doc:"items per page"`
	Name      string `query:"name" doc:"id of the account"`
	Direction string `query:"direction" enum:"asc,desc"`
}

// accounts are those that the caller sees.
func (s *server) accounts(c *caller) []gateway.Account {
	var list []gateway.Account
	for a := range s.Settings().Gateways.Accounts() {
		if c.sees(a.ID) {
			list = append(list, a)
		}
	}
	return list
}

func (s *server) listAccounts(ctx context.Context, in *listAccountsInput) (*output[ListEnvelope[AccountView, PageInfo]], error) {
	var found []AccountView
	for _, a := range s.accounts(callerOf(ctx)) {
		if in.Name == "" || a.ID == in.Name {
			found = append(found, viewAccount(a))
		}
	}
	return pageOf(found, in.Page, in.PerPage), nil
}

// pageOf answers with a page of a list.
func pageOf[T any](found []T, page, size int) *output[ListEnvelope[T, PageInfo]] {
	total := len(found)
	first := min((page-1)*size, total)
	items := found[first:min(first+size, total)]
	return listAnswer(items, PageInfo{
		Page: page, PerPage: size, Count: len(items), TotalCount: int64(total), TotalPages: pages(int64(total), size),
	})
}

func (s *server) getAccount(_ context.Context, in *AccountPath) (*output[Envelope[AccountView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	return answer(viewAccount(a)), nil
}

// AccountMembership is what the caller is in an account, in the reference's shape.
type AccountMembership struct {
	ID          string         `json:"id"`
	Status      string         `json:"status" enum:"accepted"`
	Account     AccountView    `json:"account"`
	Roles       []string       `json:"roles"`
	Permissions map[string]any `json:"permissions"`
}

func (s *server) listMemberships(ctx context.Context, in *listAccountsInput) (*output[ListEnvelope[AccountMembership, PageInfo]], error) {
	c := callerOf(ctx)
	var found []AccountMembership
	for _, a := range s.accounts(c) {
		role := c.role
		if c.session != nil {
			role = c.session.User.Role(a.ID)
		}
		can := map[string]any{"read": role >= RoleViewer, "write": role >= RoleEditor}
		found = append(found, AccountMembership{
			ID: a.ID, Status: "accepted", Account: viewAccount(a), Roles: []string{role.String()},
			Permissions: map[string]any{"ai_gateway": can},
		})
	}
	return pageOf(found, in.Page, in.PerPage), nil
}
