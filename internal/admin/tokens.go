package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/gateway"
)

// tokenRoutes are those of gateway tokens.
func tokenRoutes() []route {
	return []route{
		get(RoleAdmin, scope+"/tokens", "list-tokens", "List gateway tokens (ours)", handle((*server).listTokens)),
		change(http.MethodPost, scope+"/tokens", "create-token", "Create a gateway token; the answer shows its value, this once (ours)", handle((*server).createToken)),
		change(http.MethodDelete, scope+"/tokens/{id}", "revoke-token", "Revoke a gateway token: it is refused from then on (ours)", handle((*server).revokeToken)),
	}
}

// TokenView is a gateway token, its value aside.
type TokenView struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	AccountID   string   `json:"account_id"`
	Gateways    []string `json:"gateways" nullable:"true" doc:"ids of the gateways that it is good for; null: all of the account, those to come too"`
	Permissions []string `json:"permissions" doc:"run: calls through a gateway; read, edit: this API"`
	Hint        string   `json:"hint" doc:"the last four characters of its value"`
	Imported    bool     `json:"imported" doc:"its value was chosen, not made here"`
	Status      string   `json:"status" enum:"valid,expired,revoked"`
	CreatedAt   string   `json:"created_at" format:"date-time"`
	ExpiresAt   *string  `json:"expires_at" format:"date-time" doc:"null: never"`
	RevokedAt   *string  `json:"revoked_at" format:"date-time" doc:"null: it was not"`
	LastUsedAt  *string  `json:"last_used_at" format:"date-time" doc:"good to a minute or two; null: not known to have been used"`
}

// CreatedToken is a new gateway token, with its value unless it was imported.
type CreatedToken struct {
	TokenView
	Value string `json:"value,omitempty" doc:"what callers send; shown this once. Left out when it was imported"`
}

func viewToken(t *auth.Token, now time.Time) TokenView {
	v := TokenView{
		ID: t.ID, Name: t.Name, AccountID: t.Account, Gateways: t.Gateways, Permissions: t.Permissions.Names(),
		Hint: t.Hint, Imported: t.Imported, Status: t.VerdictAt(now).String(), CreatedAt: stamp(t.Created),
		ExpiresAt: knownStamp(t.Expires), RevokedAt: knownStamp(t.Revoked), LastUsedAt: knownStamp(t.LastUsed),
	}
	return v
}

type listTokensInput struct {
	AccountPath
	Page    int  `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1"`
	PerPage int  `query:"per_page" default:"50" minimum:"1" maximum:"1000" doc:"items per page"`
	Revoked bool `query:"revoked" doc:"list the revoked ones too"`
}

func (s *server) listTokens(_ context.Context, in *listTokensInput) (*output[ListEnvelope[TokenView, PageInfo]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	found := s.Tokens.List(auth.Filter{Account: a.ID, Revoked: in.Revoked})
	total, now := len(found), time.Now()
	first := min((in.Page-1)*in.PerPage, total)
	page := make([]TokenView, 0, in.PerPage)
	for _, t := range found[first:min(first+in.PerPage, total)] {
		page = append(page, viewToken(&t, now))
	}
	return listAnswer(page, PageInfo{
		Page: in.Page, PerPage: in.PerPage, Count: len(page),
		TotalCount: int64(total), TotalPages: pages(int64(total), in.PerPage),
	}), nil
}

type createTokenInput struct {
	AccountPath
	Body struct {
		Name        string     `json:"name,omitempty" maxLength:"64" doc:"another one for each valid token of the account; left out: one is made"`
		Gateways    []string   `json:"gateways,omitempty" nullable:"true" maxItems:"1000" doc:"ids of the gateways that it is good for; left out or null: all of the account, those to come too"`
		Permissions []string   `json:"permissions,omitempty" maxItems:"10" doc:"run: calls through a gateway; read, edit: this API. Left out: run"`
		ExpiresAt   *time.Time `json:"expires_at,omitempty" nullable:"true" doc:"left out or null: never"`
		Value       string     `json:"value,omitempty" maxLength:"1024" doc:"to import a value that callers have already: 20 to 1024 visible ASCII characters. Left out: one is made"`
	}
}

func (s *server) createToken(ctx context.Context, in *createTokenInput) (*output[Envelope[CreatedToken]], error) {
	settings := s.Settings()
	a, err := in.account(settings)
	if err != nil {
		return nil, err
	}
	n := auth.New{Name: in.Body.Name, Account: a.ID, Permissions: auth.Run, Value: sluice.NewSecret(in.Body.Value)}
	if in.Body.Permissions != nil {
		if n.Permissions, err = auth.ParsePermissions(in.Body.Permissions); err != nil {
			return nil, inBody(err)
		}
	}
	if in.Body.ExpiresAt != nil {
		n.Expires = *in.Body.ExpiresAt
	}
	if n.Gateways, err = s.knownGateways(settings, in.AccountPath, in.Body.Gateways); err != nil {
		return nil, inBody(err)
	}
	now := time.Now()
	t, value, err := s.Tokens.Create(ctx, n, now)
	if err != nil {
		return nil, inBody(err)
	}
	v := CreatedToken{TokenView: viewToken(&t, now)}
	if !t.Imported {
		v.Value = value.Reveal() // the one time that it is shown
	}
	s.audit(ctx, "", tokenObject(&t), nil, v.TokenView)
	s.Logger.InfoContext(ctx, "gateway token created", "account", a.ID, "token", t.ID, "name", t.Name, "permissions", t.Permissions.String())
	return answer(v), nil
}

// tokenObject names a gateway token in the audit log.
func tokenObject(t *auth.Token) audit.Object {
	return audit.Object{Kind: "token", ID: t.ID, Name: t.Name}
}

// inBody says of what is wrong with a new token that it is in the call's body.
func inBody(err error) error {
	if e, ok := errors.AsType[*sluice.Error](err); ok && e.Kind == sluice.KindInvalid {
		return gateway.Faults{e}
	}
	return err
}

// knownGateways refuses gateways that are not there: a name that was mistyped would be noticed late.
func (s *server) knownGateways(settings *Settings, account AccountPath, ids []string) ([]string, error) {
	if ids == nil {
		return nil, nil
	}
	known := []string{}
	for _, id := range ids {
		id = strings.ToLower(id)
		if _, _, err := (GatewayPath{account, id}).gateway(settings); err != nil {
			return nil, invalid("gateways", fmt.Sprintf("there is no gateway %.64q", id), "create it first, or leave gateways out for all of the account")
		}
		if !slices.Contains(known, id) {
			known = append(known, id)
		}
	}
	return known, nil
}

// TokenPath is the part of a path that names a token.
type TokenPath struct {
	AccountPath
	ID string `path:"id" doc:"id of the token"`
}

func (s *server) revokeToken(ctx context.Context, in *TokenPath) (*output[Envelope[TokenView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	now := time.Now()
	was, err := s.Tokens.Get(a.ID, in.ID)
	if err != nil {
		return nil, err
	}
	t, err := s.Tokens.Revoke(ctx, a.ID, in.ID, now)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", tokenObject(&t), viewToken(&was, now), viewToken(&t, now))
	s.Logger.InfoContext(ctx, "gateway token revoked", "account", a.ID, "token", t.ID, "name", t.Name)
	return answer(viewToken(&t, now)), nil
}
