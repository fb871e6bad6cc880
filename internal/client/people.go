package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Session tells who a client is to the server.
type Session struct {
	Raw json.RawMessage `json:"-"` // as the API gave it, without the token

	SignedIn bool   `json:"signed_in"`
	Method   string `json:"method"` // password, link, oidc; or what was sent instead: admin_token, gateway_token, local, data_dir
	User     *struct {
		ID          string `json:"id"`
		Email       string `json:"email"`
		Name        string `json:"name"`
		Instance    bool   `json:"instance"`
		Memberships []struct {
			Account string `json:"account_id"`
			Role    string `json:"role"`
		} `json:"memberships"`
	} `json:"user"` // nil: nobody signed in by name
	Process   bool       `json:"process"`
	Claimed   bool       `json:"claimed"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func readSession(doc json.RawMessage) (*Session, sluice.Secret, error) {
	s := &Session{}
	var with struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(doc, s); err != nil {
		return nil, sluice.Secret{}, fmt.Errorf("read the session: %w", err)
	}
	if err := json.Unmarshal(doc, &with); err != nil {
		return nil, sluice.Secret{}, fmt.Errorf("read the session: %w", err)
	}
	s.Raw = doc
	if with.Token != "" {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(doc, &members); err != nil {
			return nil, sluice.Secret{}, fmt.Errorf("read the session: %w", err)
		}
		delete(members, "token")
		raw, err := json.Marshal(members)
		if err != nil {
			return nil, sluice.Secret{}, err
		}
		s.Raw = raw
	}
	return s, sluice.NewSecret(with.Token), nil
}

const pathSession = "/client/v4/session"

// Session asks who the client is.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	var e envelope
	if err := c.ask(ctx, http.MethodGet, c.base.String()+pathSession, nil, nil, &e); err != nil {
		return nil, err
	}
	s, _, err := readSession(e.Result)
	return s, err
}

// SignIn signs in by a password and returns the session's token, which Options.Token takes.
func (c *Client) SignIn(ctx context.Context, email string, password sluice.Secret) (*Session, sluice.Secret, error) {
	return c.signIn(ctx, pathSession, map[string]any{"email": email, "password": password.Reveal(), "token": true})
}

// UseLink uses a one-time link: it sets a password, and signs in. email is of a new admin; "" where the link is
// for somebody.
func (c *Client) UseLink(ctx context.Context, link sluice.Secret, email string, password sluice.Secret) (*Session, sluice.Secret, error) {
	body := map[string]any{"link": link.Reveal(), "password": password.Reveal(), "token": true}
	if email != "" {
		body["email"] = email
	}
	return c.signIn(ctx, "/client/v4/claim", body)
}

func (c *Client) signIn(ctx context.Context, path string, body any) (*Session, sluice.Secret, error) {
	var e envelope
	if err := c.ask(ctx, http.MethodPost, c.base.String()+path, nil, body, &e); err != nil {
		return nil, sluice.Secret{}, err
	}
	return readSession(e.Result)
}

// SignOut ends the session that the client's token is of.
func (c *Client) SignOut(ctx context.Context) error {
	var e envelope
	return c.ask(ctx, http.MethodDelete, c.base.String()+pathSession, nil, nil, &e)
}

// Link is a one-time link.
type Link struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	URL       string    `json:"url"`
	Token     string    `json:"link"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (c *Client) link(ctx context.Context, address string) (*Link, error) {
	var e envelope
	if err := c.ask(ctx, http.MethodPost, address, nil, nil, &e); err != nil {
		return nil, err
	}
	l := &Link{Raw: e.Result}
	if err := json.Unmarshal(e.Result, l); err != nil {
		return nil, fmt.Errorf("read the link: %w", err)
	}
	return l, nil
}

// ClaimLink makes a link by which somebody becomes an admin of the process.
func (c *Client) ClaimLink(ctx context.Context) (*Link, error) {
	return c.link(ctx, c.base.String()+"/client/v4/claim/link")
}

// Member is who may do something in the client's account.
type Member struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID           string     `json:"id"`
	Email        string     `json:"email"`
	Name         string     `json:"name"`
	Role         string     `json:"role"`
	Bodies       bool       `json:"bodies"`
	Instance     bool       `json:"instance"`
	Granted      bool       `json:"granted"`
	SignsIn      string     `json:"signs_in"`
	LastSignInAt *time.Time `json:"last_sign_in_at"`
	Link         *Link      `json:"link"` // of who is new; nil otherwise
}

func readMember(doc json.RawMessage) (*Member, error) {
	m := &Member{Raw: doc}
	if err := json.Unmarshal(doc, m); err != nil {
		return nil, fmt.Errorf("read member: %w", err)
	}
	return m, nil
}

// Members lists the account's members, by e-mail address.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	var list []Member
	for page := 1; ; page++ {
		e, err := c.fetch(ctx, c.api(url.Values{"page": {strconv.Itoa(page)}, "per_page": {"1000"}}, "members"))
		if err != nil {
			return nil, err
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(e.Result, &rows); err != nil {
			return nil, fmt.Errorf("read members: %w", err)
		}
		for _, row := range rows {
			m, err := readMember(row)
			if err != nil {
				return nil, err
			}
			list = append(list, *m)
		}
		if len(rows) == 0 {
			return list, nil
		}
	}
}

// CreateMember makes somebody a member; body has the API's names.
func (c *Client) CreateMember(ctx context.Context, body map[string]any) (*Member, error) {
	return c.member(ctx, http.MethodPost, body, "members")
}

// UpdateMember changes a member by its id; body has the API's names, and what it lacks stays.
func (c *Client) UpdateMember(ctx context.Context, id string, body map[string]any) (*Member, error) {
	return c.member(ctx, http.MethodPatch, body, "members", id)
}

// RemoveMember takes a member out of the account, by its id.
func (c *Client) RemoveMember(ctx context.Context, id string) (*Member, error) {
	return c.member(ctx, http.MethodDelete, nil, "members", id)
}

// MemberLink makes a link by which a member sets a password.
func (c *Client) MemberLink(ctx context.Context, id string) (*Link, error) {
	return c.link(ctx, c.api(nil, "members", id, "link"))
}

func (c *Client) member(ctx context.Context, method string, body map[string]any, segments ...string) (*Member, error) {
	var e envelope
	var doc any
	if body != nil {
		doc = body
	}
	if err := c.ask(ctx, method, c.api(nil, segments...), nil, doc, &e); err != nil {
		return nil, err
	}
	return readMember(e.Result)
}

// AuditEntry is one entry of the audit log.
type AuditEntry struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID     string `json:"id"`
	Action struct {
		Type   string `json:"type"`
		Info   string `json:"info"`
		Result bool   `json:"result"`
	} `json:"action"`
	Actor struct {
		Type string `json:"type"`
		Name string `json:"name"`
		IP   string `json:"ip"`
	} `json:"actor"`
	Interface string `json:"interface"`
	Resource  struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"resource"`
	When    time.Time `json:"when"`
	Gateway string    `json:"gateway_id"`
	Changes []struct {
		Path string          `json:"path"`
		Old  json.RawMessage `json:"old"`
		New  json.RawMessage `json:"new"`
	} `json:"changes"`
}

// Audit lists entries of the audit log, newest first: limit at most, of those that query asks for, whose names are
// the API's. more: there are others behind them.
func (c *Client) Audit(ctx context.Context, query url.Values, limit int) (list []AuditEntry, more bool, err error) {
	const most = 1000 // of a page
	for len(list) < limit {
		query.Set("per_page", strconv.Itoa(min(limit-len(list), most)))
		e, err := c.fetch(ctx, c.api(query, "audit"))
		if err != nil {
			return nil, false, err
		}
		var rows []json.RawMessage
		var info struct {
			Next *string `json:"next"`
		}
		if err := json.Unmarshal(e.Result, &rows); err != nil {
			return nil, false, fmt.Errorf("read the audit log: %w", err)
		}
		if err := json.Unmarshal(e.Info, &info); err != nil {
			return nil, false, fmt.Errorf("read the audit log: %w", err)
		}
		for _, row := range rows {
			entry := AuditEntry{Raw: row}
			if err := json.Unmarshal(row, &entry); err != nil {
				return nil, false, fmt.Errorf("read the audit log: %w", err)
			}
			list = append(list, entry)
		}
		if info.Next == nil {
			return list, false, nil
		}
		query.Set("cursor", *info.Next)
	}
	return list, true, nil
}
