package admin

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/people"
)

// sessionRoutes are those of signing in and out.
func sessionRoutes() []route {
	const session, claim = prefix + "/session", prefix + "/claim"
	return []route{
		public(get(RoleNone, session, "get-session", "Who is signed in, and how one can (ours)", handle((*server).getSession))),
		public(change(http.MethodPost, session, "create-session", "Sign in by e-mail address and password (ours)", handle((*server).signIn))),
		public(change(http.MethodDelete, session, "delete-session", "Sign out (ours)", handle((*server).signOut))),
		public(change(http.MethodPost, claim, "use-link", "Use a one-time link: set a password by it, and sign in (ours)", handle((*server).useLink))),
		public(ask(http.MethodPost, claim+"/check", "check-link", "Whose password a one-time link sets (ours)", handle((*server).checkLink))),
		process(persons(change(http.MethodPost, claim+"/link", "create-claim-link", "Make a one-time link by which somebody becomes an admin of the process (ours)", handle((*server).createClaimLink)))),
		self(change(http.MethodPut, prefix+"/user/password", "update-password", "Change the own password: all sessions end (ours)", handle((*server).changePassword))),
	}
}

// sessionCookie is the name of the dashboard's cookie.
const sessionCookie = "sluice_session"

// ClaimPath is the page where one-time links are used, below the base path.
const ClaimPath = "/ui/claim"

// claimLasts is how long a claim link serves.
const claimLasts = 24 * time.Hour

// asked is what a handler knows of the call besides its parameters.
type asked struct {
	secure bool   // the caller came by TLS, as far as can be told
	origin string // scheme and host that the caller used
}

// Resolve takes the call as it came.
func (a *asked) Resolve(ctx huma.Context) []error {
	r, _ := humachi.Unwrap(ctx)
	a.secure = r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
	a.origin = map[bool]string{false: "http://", true: "https://"}[a.secure] + r.Host
	return nil
}

// MembershipView is what somebody may do in an account.
type MembershipView struct {
	AccountID string `json:"account_id"`
	Role      string `json:"role" enum:"viewer,editor,admin"`
	Bodies    bool   `json:"bodies" doc:"a viewer who sees stored bodies"`
	Granted   bool   `json:"granted" doc:"the identity provider says so, anew at each sign-in"`
}

// PersonView is who signed in.
type PersonView struct {
	ID          string           `json:"id"`
	Email       string           `json:"email"`
	Name        string           `json:"name"`
	Instance    bool             `json:"instance" doc:"admin of every account, and of the process"`
	Memberships []MembershipView `json:"memberships"`
}

func viewPerson(u *people.User) *PersonView {
	v := &PersonView{ID: u.ID, Email: u.Email, Name: u.Name, Instance: u.Instance, Memberships: []MembershipView{}}
	for _, m := range u.Members {
		v.Memberships = append(v.Memberships, MembershipView{AccountID: m.Account, Role: m.Role.String(), Bodies: m.Bodies, Granted: m.Granted})
	}
	return v
}

// SessionView tells who a caller is, and how one signs in.
type SessionView struct {
	SignedIn  bool        `json:"signed_in" doc:"the caller is known"`
	Method    string      `json:"method" doc:"password, link, oidc; or what was sent instead of signing in: admin_token, gateway_token, local, data_dir. Empty: nothing"`
	User      *PersonView `json:"user" doc:"null: nobody has signed in by name"`
	Process   bool        `json:"process" doc:"the caller is an admin of the process"`
	SinceAt   *string     `json:"since_at" format:"date-time"`
	IdleAt    *string     `json:"idle_at" format:"date-time" doc:"when the session ends unless it is used; null: there is none"`
	ExpiresAt *string     `json:"expires_at" format:"date-time" doc:"when the session ends at the latest; null: there is none"`
	OIDC      *string     `json:"oidc" doc:"name of the identity provider that one can sign in by, at /client/v4/session/oidc; null: there is none"`
	Claimed   bool        `json:"claimed" doc:"there is an admin who can sign in"`
	Version   string      `json:"version" doc:"of the program"`
	Demo      bool        `json:"demo" doc:"what is shown is made up (sluice demo)"`
	Token     string      `json:"token,omitempty" doc:"the session's token, where it was asked for: Authorization: Bearer …"`
}

func (s *server) viewSession(c *caller) SessionView {
	v := SessionView{SignedIn: c.known(), Process: c.process(), Claimed: s.People != nil && s.People.Claimed(), Version: s.Version, Demo: s.Demo}
	if c.known() {
		v.Method = string(c.kind)
	}
	if p, err := s.provider(); err == nil {
		v.OIDC = &p.Name
	}
	if c.session != nil {
		v.Method, v.User = c.session.Method, viewPerson(&c.session.User)
		v.SinceAt, v.IdleAt, v.ExpiresAt = knownStamp(c.session.Since), knownStamp(c.session.Idle), knownStamp(c.session.Expires)
	}
	return v
}

// sessionOutput is an answer that begins or ends a session.
type sessionOutput struct {
	SetCookie string `header:"Set-Cookie"`
	Body      Envelope[SessionView]
}

func (s *server) getSession(ctx context.Context, _ *struct{}) (*output[Envelope[SessionView]], error) {
	return answer(s.viewSession(callerOf(ctx))), nil
}

// cookie makes the cookie of a session; the zero Secret makes one that takes it away.
func (s *server) cookie(token sluice.Secret, expires time.Time, secure bool) string {
	c := http.Cookie{
		Name: sessionCookie, Value: token.Reveal(), Path: cmp.Or(s.Settings().BasePath, "/"),
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteStrictMode, Expires: expires,
	}
	if token.IsZero() {
		c.MaxAge = -1
	}
	return c.String()
}

// begin signs somebody in who has proven to be u.
func (s *server) begin(ctx context.Context, u people.User, method string, asToken bool, in *asked) (*sessionOutput, error) {
	token, session, err := s.People.Begin(ctx, u, method, time.Now())
	if err != nil {
		return nil, err
	}
	s.signs(ctx, &u)
	out := &sessionOutput{Body: answer(s.viewSession(&caller{kind: audit.User, session: &session})).Body}
	if asToken {
		out.Body.Result.Token = people.SessionPrefix + token.Reveal()
	} else {
		out.SetCookie = s.cookie(token, session.Expires, in.secure)
	}
	return out, nil
}

// errNoPeople is the answer of a process where nobody signs in.
func errNoPeople() error {
	return &sluice.Error{Kind: sluice.KindNotFound, Msg: "nobody signs in here"}
}

type signInInput struct {
	asked
	Body struct {
		Email    string `json:"email" maxLength:"254"`
		Password string `json:"password" maxLength:"1024" writeOnly:"true"`
		Token    bool   `json:"token,omitempty" doc:"answer with a token, instead of setting a cookie"`
	}
}

func (s *server) signIn(ctx context.Context, in *signInInput) (*sessionOutput, error) {
	if s.People == nil {
		return nil, errNoPeople()
	}
	s.audit(ctx, "sign_in", audit.Object{Kind: "session", Name: "password"}, nil, nil)
	u, err := s.People.SignIn(ctx, in.Body.Email, sluice.NewSecret(in.Body.Password), addressIn(ctx), time.Now())
	if err != nil {
		s.refused(ctx, in.Body.Email)
		return nil, err
	}
	return s.begin(ctx, u, "password", in.Body.Token, &in.asked)
}

// addressIn is where the call at hand came from.
func addressIn(ctx context.Context) string {
	if n, ok := ctx.Value(trailKey{}).(*note); ok {
		return n.entry.Address
	}
	return ""
}

func (s *server) signOut(ctx context.Context, in *asked) (*sessionOutput, error) {
	c := callerOf(ctx)
	s.audit(ctx, "sign_out", audit.Object{Kind: "session"}, nil, nil)
	if c.session != nil {
		if err := s.People.End(ctx, c.secret); err != nil {
			return nil, err
		}
	} else {
		s.unsaid(ctx)
	}
	return &sessionOutput{
		SetCookie: s.cookie(sluice.Secret{}, time.Unix(1, 0), in.secure),
		Body:      answer(s.viewSession(&caller{kind: audit.Anonymous})).Body,
	}, nil
}

type useLinkInput struct {
	asked
	Body struct {
		Link     string `json:"link" maxLength:"100" writeOnly:"true" doc:"what stands behind # in the link"`
		Email    string `json:"email,omitempty" maxLength:"254" doc:"of the new admin; left out where the link is for somebody"`
		Name     string `json:"name,omitempty" maxLength:"128" doc:"left out: it stays"`
		Password string `json:"password" maxLength:"1024" writeOnly:"true" doc:"10 characters at least"`
		Token    bool   `json:"token,omitempty" doc:"answer with a token, instead of setting a cookie"`
	}
}

func (s *server) useLink(ctx context.Context, in *useLinkInput) (*sessionOutput, error) {
	if s.People == nil {
		return nil, errNoPeople()
	}
	u, err := s.People.Redeem(ctx, sluice.NewSecret(in.Body.Link), people.Redeemed{
		Email: in.Body.Email, Name: in.Body.Name, Password: sluice.NewSecret(in.Body.Password),
	}, time.Now())
	if err != nil {
		return nil, inBody(err)
	}
	s.audit(ctx, "", audit.Object{Kind: "link", ID: u.ID, Name: u.Email}, nil, nil)
	return s.begin(ctx, u, "link", in.Body.Token, &in.asked)
}

type checkLinkInput struct {
	Body struct {
		Link string `json:"link" maxLength:"100" writeOnly:"true" doc:"what stands behind # in the link"`
	}
}

// LinkView tells what a one-time link is for.
type LinkView struct {
	Email string `json:"email" doc:"of whose password it sets; empty: it makes an admin of the process"`
}

func (s *server) checkLink(ctx context.Context, in *checkLinkInput) (*output[Envelope[LinkView]], error) {
	if s.People == nil {
		return nil, errNoPeople()
	}
	email, err := s.People.LinkFor(ctx, sluice.NewSecret(in.Body.Link), time.Now())
	if err != nil {
		return nil, err
	}
	return answer(LinkView{email}), nil
}

// CreatedLink is a one-time link, shown this once.
type CreatedLink struct {
	URL       string `json:"url" doc:"page where it is used"`
	Link      string `json:"link" doc:"what stands behind # in the address"`
	ExpiresAt string `json:"expires_at" format:"date-time"`
}

func (s *server) viewLink(link sluice.Secret, expires time.Time, in *asked) CreatedLink {
	return CreatedLink{URL: in.origin + s.Settings().BasePath + ClaimPath + "#" + link.Reveal(), Link: link.Reveal(), ExpiresAt: stamp(expires)}
}

func (s *server) createClaimLink(ctx context.Context, in *asked) (*output[Envelope[CreatedLink]], error) {
	if s.People == nil {
		return nil, errNoPeople()
	}
	link, expires, err := s.People.ClaimLink(ctx, claimLasts, time.Now())
	if err != nil {
		return nil, err
	}
	return answer(s.viewLink(link, expires, in)), nil
}

type changePasswordInput struct {
	asked
	Body struct {
		Old      string `json:"old" maxLength:"1024" writeOnly:"true" doc:"the present password"`
		Password string `json:"password" maxLength:"1024" writeOnly:"true" doc:"10 characters at least"`
	}
}

// changePassword ends all sessions, and begins another one in place of the one that asked.
func (s *server) changePassword(ctx context.Context, in *changePasswordInput) (*sessionOutput, error) {
	c := callerOf(ctx)
	if c.session == nil {
		return nil, &sluice.Error{Kind: sluice.KindInvalid, Msg: "only who signed in by name has a password"}
	}
	u := c.session.User
	s.audit(ctx, "", audit.Object{Kind: "password", ID: u.ID, Name: u.Email}, nil, nil)
	u, err := s.People.SetPassword(ctx, u.ID, sluice.NewSecret(in.Body.Old), sluice.NewSecret(in.Body.Password), addressIn(ctx), time.Now())
	if err != nil {
		if sluice.KindOf(err) == sluice.KindUnauthorized {
			s.refused(ctx, c.session.User.Email)
		}
		return nil, inBody(err)
	}
	return s.begin(ctx, u, "password", !c.cookie, &in.asked)
}
