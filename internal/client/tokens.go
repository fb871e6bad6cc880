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

// Token is a gateway token, its value aside.
type Token struct {
	Raw json.RawMessage `json:"-"` // as the API gave it

	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Gateways    []string   `json:"gateways"` // nil: all of the account
	Permissions []string   `json:"permissions"`
	Hint        string     `json:"hint"` // last four characters of its value
	Imported    bool       `json:"imported"`
	Status      string     `json:"status"` // valid, expired or revoked
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   *time.Time `json:"expires_at"`
	RevokedAt   *time.Time `json:"revoked_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
}

// NewToken says what token to create.
type NewToken struct {
	Name        string
	Gateways    []string // nil: all of the account
	Permissions []string // nil: run
	Expires     time.Time
	Value       sluice.Secret // to import; zero: the server makes one
}

// CreateToken creates a gateway token of the client's account. Its value is zero when it was imported;
// otherwise it is shown this once, in the token's Raw as well.
func (c *Client) CreateToken(ctx context.Context, n NewToken) (*Token, sluice.Secret, error) {
	body := map[string]any{}
	for name, value := range map[string]string{"name": n.Name, "value": n.Value.Reveal()} {
		if value != "" {
			body[name] = value
		}
	}
	if n.Gateways != nil {
		body["gateways"] = n.Gateways
	}
	if n.Permissions != nil {
		body["permissions"] = n.Permissions
	}
	if !n.Expires.IsZero() {
		body["expires_at"] = n.Expires.UTC().Format(time.RFC3339Nano)
	}
	e, err := c.tokenCall(ctx, http.MethodPost, c.api(nil, "tokens"), body)
	if err != nil {
		return nil, sluice.Secret{}, err
	}
	var made struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal(e.Result, &made); err != nil {
		return nil, sluice.Secret{}, fmt.Errorf("read token: %w", err)
	}
	t, err := readToken(e.Result)
	return t, sluice.NewSecret(made.Value), err
}

// Tokens lists the account's gateway tokens, oldest first; revoked: the revoked ones too.
func (c *Client) Tokens(ctx context.Context, revoked bool) ([]Token, error) {
	var list []Token
	for page := 1; ; page++ {
		query := url.Values{"page": {strconv.Itoa(page)}, "per_page": {"1000"}}
		if revoked {
			query.Set("revoked", "true")
		}
		e, err := c.fetch(ctx, c.api(query, "tokens"))
		if err != nil {
			return nil, err
		}
		var rows []json.RawMessage
		if err := json.Unmarshal(e.Result, &rows); err != nil {
			return nil, fmt.Errorf("read tokens: %w", err)
		}
		for _, row := range rows {
			t, err := readToken(row)
			if err != nil {
				return nil, err
			}
			list = append(list, *t)
		}
		var info struct {
			Pages int `json:"total_pages"`
		}
		if err := json.Unmarshal(e.Info, &info); err != nil || page >= info.Pages || len(rows) == 0 {
			return list, nil //nolint:nilerr // an answer without pages is whole
		}
	}
}

// RevokeToken revokes a gateway token by its id. One that was revoked before stays as it is.
func (c *Client) RevokeToken(ctx context.Context, id string) (*Token, error) {
	e, err := c.tokenCall(ctx, http.MethodDelete, c.api(nil, "tokens", id), nil)
	if err != nil {
		return nil, err
	}
	return readToken(e.Result)
}

// tokenCall sends a management call that changes tokens; body nil: without one.
func (c *Client) tokenCall(ctx context.Context, method, address string, body any) (*envelope, error) {
	header := http.Header{}
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, err
		}
		header.Set("Content-Type", "application/json")
	}
	if !c.token.IsZero() {
		header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.send(ctx, method, address, header, text)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var e envelope
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, maxAnswer)).Decode(&e); err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	return &e, nil
}

func readToken(doc json.RawMessage) (*Token, error) {
	t := &Token{Raw: doc}
	if err := json.Unmarshal(doc, t); err != nil {
		return nil, fmt.Errorf("read token: %w", err)
	}
	return t, nil
}
