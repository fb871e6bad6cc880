package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/people"
)

// memberRoutes are those of an account's members.
func memberRoutes() []route {
	const members = scope + "/members"
	return []route{
		persons(get(RoleAdmin, members, "list-members", "List who may do something in an account (ours)", handle((*server).listMembers))),
		persons(change(http.MethodPost, members, "create-member", "Make somebody a member; who is new gets a one-time link (ours)", handle((*server).createMember))),
		persons(get(RoleAdmin, members+"/{id}", "get-member", "Get a member (ours)", handle((*server).getMember))),
		persons(change(http.MethodPatch, members+"/{id}", "update-member", "Change a member: what is left out stays. Another role ends all of the member's sessions (ours)", handle((*server).updateMember))),
		persons(change(http.MethodDelete, members+"/{id}", "delete-member", "Take a member out of an account; all sessions end (ours)", handle((*server).deleteMember))),
		persons(change(http.MethodPost, members+"/{id}/link", "create-member-link", "Make a one-time link by which a member sets a password (ours)", handle((*server).createMemberLink))),
	}
}

// linkLasts is how long a member's link serves.
const linkLasts = 7 * 24 * time.Hour

// MemberView is who may do something in an account.
type MemberView struct {
	ID           string  `json:"id"`
	Email        string  `json:"email"`
	Name         string  `json:"name"`
	AccountID    string  `json:"account_id"`
	Role         string  `json:"role" enum:"viewer,editor,admin" doc:"in this account"`
	Bodies       bool    `json:"bodies" doc:"sees stored bodies: who is more than a viewer, or a viewer who is allowed to"`
	Instance     bool    `json:"instance" doc:"admin of every account, and of the process"`
	Granted      bool    `json:"granted" doc:"the identity provider grants the role, anew at each sign-in"`
	SignsIn      string  `json:"signs_in" enum:"not_yet,password,oidc,both" doc:"how"`
	CreatedAt    string  `json:"created_at" format:"date-time"`
	LastSignInAt *string `json:"last_sign_in_at" format:"date-time" doc:"null: never"`
}

func viewMember(u *people.User, account string) MemberView {
	signs := map[[2]bool]string{{true, false}: "password", {false, true}: "oidc", {true, true}: "both"}[[2]bool{u.HasPassword, u.Issuer != ""}]
	if signs == "" {
		signs = "not_yet"
	}
	return MemberView{
		ID: u.ID, Email: u.Email, Name: u.Name, AccountID: account, Role: u.Role(account).String(), Bodies: u.SeesBodies(account),
		Instance: u.Instance, Granted: u.Granted || u.Member(account).Granted, SignsIn: signs,
		CreatedAt: stamp(u.Created), LastSignInAt: knownStamp(u.LastSignIn),
	}
}

// memberObject names a member in the audit log.
func memberObject(u *people.User) audit.Object {
	return audit.Object{Kind: "member", ID: u.ID, Name: u.Email}
}

// authority is what the caller may decide about people.
func (c *caller) authority() people.Authority {
	if c.session != nil {
		return c.session.User.Authority()
	}
	return people.Authority{Process: c.process()}
}

type listMembersInput struct {
	AccountPath
	Page    int `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1"`
	PerPage int `query:"per_page" default:"50" minimum:"1" maximum:"1000" doc:"items per page"`
}

func (s *server) listMembers(_ context.Context, in *listMembersInput) (*output[ListEnvelope[MemberView, PageInfo]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	var found []people.User
	if s.People != nil {
		found = s.People.List(a.ID)
	}
	total := len(found)
	first := min((in.Page-1)*in.PerPage, total)
	page := make([]MemberView, 0, in.PerPage)
	for _, u := range found[first:min(first+in.PerPage, total)] {
		page = append(page, viewMember(&u, a.ID))
	}
	return listAnswer(page, PageInfo{
		Page: in.Page, PerPage: in.PerPage, Count: len(page),
		TotalCount: int64(total), TotalPages: pages(int64(total), in.PerPage),
	}), nil
}

// MemberPath is the part of a path that names a member.
type MemberPath struct {
	AccountPath
	ID string `path:"id" doc:"id of the member"`
}

// find returns the account that p names, and its member.
func (p MemberPath) find(s *server) (account string, u people.User, err error) {
	a, err := p.account(s.Settings())
	if err != nil {
		return "", u, err
	}
	if s.People == nil {
		return "", u, errNoPeople()
	}
	u, ok := s.People.Get(p.ID)
	if !ok || u.Role(a.ID) == RoleNone {
		return "", u, notFound("member not found")
	}
	return a.ID, u, nil
}

func (s *server) getMember(_ context.Context, in *MemberPath) (*output[Envelope[MemberView]], error) {
	account, u, err := in.find(s)
	if err != nil {
		return nil, err
	}
	return answer(viewMember(&u, account)), nil
}

type createMemberInput struct {
	AccountPath
	asked
	Body struct {
		Email    string `json:"email" maxLength:"254"`
		Name     string `json:"name,omitempty" maxLength:"128"`
		Role     string `json:"role,omitempty" enum:"viewer,editor,admin" doc:"in this account; left out: viewer"`
		Bodies   bool   `json:"bodies,omitempty" doc:"a viewer who sees stored bodies"`
		Instance bool   `json:"instance,omitempty" doc:"admin of every account and of the process; only such an admin makes others"`
	}
}

// CreatedMember is a new member, with the link by which a password is set.
type CreatedMember struct {
	MemberView
	Link *CreatedLink `json:"link" doc:"shown this once; null: there was such a user already, who signs in as before"`
}

func (s *server) createMember(ctx context.Context, in *createMemberInput) (*output[Envelope[CreatedMember]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	if s.People == nil {
		return nil, errNoPeople()
	}
	n := people.New{Email: in.Body.Email, Name: in.Body.Name, Account: a.ID, Role: RoleViewer, Bodies: in.Body.Bodies, Instance: in.Body.Instance}
	if in.Body.Role != "" {
		if n.Role, err = people.ParseRole(in.Body.Role); err != nil {
			return nil, inBody(err)
		}
	}
	by, now := callerOf(ctx).authority(), time.Now()
	u, existed, err := s.People.Invite(ctx, by, n, now)
	if err != nil {
		return nil, inBody(err)
	}
	v := CreatedMember{MemberView: viewMember(&u, a.ID)}
	s.audit(ctx, "", memberObject(&u), nil, v.MemberView)
	if !existed {
		link, expires, err := s.People.MemberLink(ctx, by, a.ID, u.ID, linkLasts, now)
		if err != nil {
			return nil, err
		}
		shown := s.viewLink(link, expires, &in.asked)
		v.Link = &shown
	}
	return answer(v), nil
}

type updateMemberInput struct {
	MemberPath
	Body struct {
		Name     *string `json:"name,omitempty" maxLength:"128"`
		Role     string  `json:"role,omitempty" enum:"viewer,editor,admin" doc:"in this account"`
		Bodies   *bool   `json:"bodies,omitempty" doc:"a viewer who sees stored bodies"`
		Instance *bool   `json:"instance,omitempty" doc:"admin of every account and of the process; only such an admin makes others"`
	}
}

func (s *server) updateMember(ctx context.Context, in *updateMemberInput) (*output[Envelope[MemberView]], error) {
	account, _, err := in.find(s)
	if err != nil {
		return nil, err
	}
	c := people.Change{Name: in.Body.Name, Bodies: in.Body.Bodies, Instance: in.Body.Instance}
	if in.Body.Role != "" {
		role, err := people.ParseRole(in.Body.Role)
		if err != nil {
			return nil, inBody(err)
		}
		c.Role = &role
	}
	was, is, err := s.People.Update(ctx, callerOf(ctx).authority(), account, in.ID, c)
	if err != nil {
		return nil, inBody(err)
	}
	v := viewMember(&is, account)
	s.audit(ctx, "", memberObject(&is), viewMember(&was, account), v)
	return answer(v), nil
}

func (s *server) deleteMember(ctx context.Context, in *MemberPath) (*output[Envelope[MemberView]], error) {
	account, _, err := in.find(s)
	if err != nil {
		return nil, err
	}
	u, err := s.People.Remove(ctx, callerOf(ctx).authority(), account, in.ID)
	if err != nil {
		return nil, err
	}
	v := viewMember(&u, account)
	s.audit(ctx, "", memberObject(&u), v, nil)
	return answer(v), nil
}

type createMemberLinkInput struct {
	MemberPath
	asked
}

func (s *server) createMemberLink(ctx context.Context, in *createMemberLinkInput) (*output[Envelope[CreatedLink]], error) {
	account, u, err := in.find(s)
	if err != nil {
		return nil, err
	}
	link, expires, err := s.People.MemberLink(ctx, callerOf(ctx).authority(), account, in.ID, linkLasts, time.Now())
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", audit.Object{Kind: "member_link", ID: u.ID, Name: u.Email}, nil, nil)
	return answer(s.viewLink(link, expires, &in.asked)), nil
}
