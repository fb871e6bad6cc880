package admin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/people"
)

// OIDCPath is where sign-ins by an identity provider begin; they end below it, at /callback.
const OIDCPath = prefix + "/session/oidc"

// oidcRoutes are those of signing in by an identity provider. Browsers come to them, so that what they answer is
// no envelope.
func oidcRoutes() []route {
	return []route{
		public(get(RoleNone, OIDCPath, "begin-oidc", "Sign in by the identity provider: leads there (ours)", handle((*server).beginOIDC))),
		public(audits(get(RoleNone, OIDCPath+"/callback", "finish-oidc", "The end of a sign-in by the identity provider: a page (ours)", handle((*server).finishOIDC)))),
	}
}

// IdentityProvider proves people, and what it is called where they sign in.
type IdentityProvider struct {
	*people.Provider
	Name string
}

// oidcCookie holds what a sign-in knows that is under way. It is sent along when the identity provider sends the
// browser back, which SameSite=Strict would not allow.
const oidcCookie = "sluice_oidc"

func (s *server) provider() (*IdentityProvider, error) {
	if s.OIDC != nil && s.People != nil {
		if p := s.OIDC(); p != nil {
			return p, nil
		}
	}
	return nil, &sluice.Error{Kind: sluice.KindNotFound, Msg: "nobody signs in by an identity provider here", Hint: "oidc.issuer is not set"}
}

func (s *server) oidcState(value string, seconds int, secure bool) *http.Cookie {
	return &http.Cookie{
		Name: oidcCookie, Value: value, Path: s.Settings().BasePath + OIDCPath,
		HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode, MaxAge: seconds,
	}
}

func (s *server) beginOIDC(ctx context.Context, in *asked) (*huma.StreamResponse, error) {
	p, err := s.provider()
	if err != nil {
		return nil, err
	}
	address, state, err := p.Begin(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		r, w := humachi.Unwrap(hc)
		const seconds = 600
		http.SetCookie(w, s.oidcState(state.Reveal(), seconds, in.secure))
		http.Redirect(w, r, address, http.StatusFound)
	}}, nil
}

type finishOIDCInput struct {
	asked
	query url.Values
	state sluice.Secret
}

// Resolve takes the query and the cookie as they came.
func (in *finishOIDCInput) Resolve(ctx huma.Context) []error {
	r, _ := humachi.Unwrap(ctx)
	in.query = r.URL.Query()
	if c, err := r.Cookie(oidcCookie); err == nil {
		in.state = sluice.NewSecret(c.Value)
	}
	return in.asked.Resolve(ctx)
}

func (s *server) finishOIDC(ctx context.Context, in *finishOIDCInput) (*huma.StreamResponse, error) {
	p, err := s.provider()
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "sign_in", audit.Object{Kind: "session", Name: "oidc"}, nil, nil)
	out, email, err := s.endOIDC(ctx, p, in)
	if err != nil {
		// It is the browser of a person that is told, and the cause is for who runs this.
		s.Logger.WarnContext(ctx, "a sign-in by the identity provider failed", "error", err, "email", email)
		s.refused(ctx, email)
		return s.oidcFailed(ctx, in, err), nil
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		w.Header().Add("Set-Cookie", out.SetCookie)
		http.SetCookie(w, s.oidcState("", -1, in.secure))
		messagePage(w, http.StatusOK, "You are signed in as "+email+".", s.Settings().BasePath+"/")
	}}, nil
}

// endOIDC proves who has come back, and begins a session. email is what is known of them, whatever came of it.
func (s *server) endOIDC(ctx context.Context, p *IdentityProvider, in *finishOIDCInput) (out *sessionOutput, email string, err error) {
	now := time.Now()
	who, err := p.Finish(ctx, in.state, in.query, now)
	if err != nil {
		return nil, "", err
	}
	u, err := s.People.Identify(ctx, who, now)
	if err != nil {
		return nil, who.Email, err
	}
	out, err = s.begin(ctx, u, "oidc", false, &in.asked)
	return out, u.Email, err
}

// oidcFailed is the page for who could not be signed in.
func (s *server) oidcFailed(ctx context.Context, in *finishOIDCInput, err error) *huma.StreamResponse {
	f := s.failed(ctx, "finish-oidc", err)
	text := f.Errors[0].Message
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Hint != "" {
		text += ": " + e.Hint
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		_, w := humachi.Unwrap(hc)
		http.SetCookie(w, s.oidcState("", -1, in.secure))
		messagePage(w, f.status, text, "")
	}}
}
