package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
)

// AccountPath is the part of a path that names the account.
type AccountPath struct {
	Account string `path:"account" doc:"account id, or an alias of one"`
}

// GatewayPath is the part of a path that names the gateway.
type GatewayPath struct {
	AccountPath
	Gateway string `path:"gateway" doc:"gateway id"`
}

// account finds the account that p names. Ids compare without case, as hexadecimal ones do.
func (p AccountPath) account(s *Settings) (*Account, error) {
	for i := range s.Accounts {
		a := &s.Accounts[i]
		if strings.EqualFold(a.ID, p.Account) || slices.ContainsFunc(a.Aliases, func(x string) bool { return strings.EqualFold(x, p.Account) }) {
			return a, nil
		}
	}
	return nil, &sluice.Error{Kind: sluice.KindNoGateway, Msg: "account not found", Hint: "accounts are configured under accounts"}
}

// gateway finds the account and the gateway that p names.
func (p GatewayPath) gateway(s *Settings) (*Account, *Gateway, error) {
	a, err := p.account(s)
	if err != nil {
		return nil, nil, err
	}
	for i := range a.Gateways {
		if strings.EqualFold(a.Gateways[i].ID, p.Gateway) {
			return a, &a.Gateways[i], nil
		}
	}
	return nil, nil, &sluice.Error{
		Kind: sluice.KindNoGateway, Msg: "gateway not found",
		Hint: "gateways are configured under accounts." + a.ID + ".gateways",
	}
}

// GatewayView is a gateway in the reference's shape. What this version does not have is off or null.
type GatewayView struct {
	ID                      string  `json:"id"`
	AccountID               string  `json:"account_id"`
	IsDefault               bool    `json:"is_default"`
	CreatedAt               string  `json:"created_at" format:"date-time"`
	ModifiedAt              string  `json:"modified_at" format:"date-time"`
	CollectLogs             bool    `json:"collect_logs"`
	CollectPayload          bool    `json:"collect_payload" doc:"ours: whether bodies are stored"`
	Authentication          bool    `json:"authentication"`
	CacheTTL                *int64  `json:"cache_ttl" doc:"seconds; null: off"`
	CacheInvalidateOnUpdate bool    `json:"cache_invalidate_on_update"`
	RateLimitingInterval    *int64  `json:"rate_limiting_interval" doc:"seconds; null: off"`
	RateLimitingLimit       *int64  `json:"rate_limiting_limit" doc:"null: off"`
	RateLimitingTechnique   *string `json:"rate_limiting_technique"`
	LogManagement           *int64  `json:"log_management" doc:"most log entries; null: no bound"`
	LogManagementStrategy   *string `json:"log_management_strategy"`
	Logpush                 bool    `json:"logpush"`
	LogpushPublicKey        *string `json:"logpush_public_key"`
}

func viewGateway(s *Settings, a *Account, g *Gateway) GatewayView {
	v := GatewayView{
		ID: g.ID, AccountID: a.ID, IsDefault: g.ID == "default",
		CreatedAt: stamp(s.Loaded), ModifiedAt: stamp(s.Loaded),
		CollectLogs: g.CollectLogs, CollectPayload: g.CollectPayload, Authentication: g.Authentication,
		LogManagementStrategy: optional(g.WhenFull),
	}
	if g.MaxRows > 0 {
		v.LogManagement = &g.MaxRows
	}
	return v
}

// PageInfo says where in a list a page lies.
type PageInfo struct {
	Page       int   `json:"page"`
	PerPage    int   `json:"per_page"`
	Count      int   `json:"count" doc:"items on this page"`
	TotalCount int64 `json:"total_count"`
	TotalPages int64 `json:"total_pages"`
}

type listGatewaysInput struct {
	AccountPath
	Page    int    `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1"`
	PerPage int    `query:"per_page" default:"20" minimum:"1" maximum:"1000" doc:"items per page"`
	Search  string `query:"search" doc:"part of the id"`
}

func (s *server) listGateways(_ context.Context, in *listGatewaysInput) (*output[ListEnvelope[GatewayView, PageInfo]], error) {
	settings := s.Settings()
	a, err := in.account(settings)
	if err != nil {
		return nil, err
	}
	var found []GatewayView
	for i := range a.Gateways {
		if strings.Contains(strings.ToLower(a.Gateways[i].ID), strings.ToLower(in.Search)) {
			found = append(found, viewGateway(settings, a, &a.Gateways[i]))
		}
	}
	total := len(found)
	first := min((in.Page-1)*in.PerPage, total)
	page := found[first:min(first+in.PerPage, total)]
	return listAnswer(page, PageInfo{
		Page: in.Page, PerPage: in.PerPage, Count: len(page),
		TotalCount: int64(total), TotalPages: pages(int64(total), in.PerPage),
	}), nil
}

func (s *server) getGateway(_ context.Context, in *GatewayPath) (*output[Envelope[GatewayView]], error) {
	settings := s.Settings()
	a, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	return answer(viewGateway(settings, a, g)), nil
}

type getURLInput struct {
	GatewayPath
	Provider string `path:"provider" doc:"provider, by slug or alias"`
	caller   string // scheme and host that the caller used
}

// Resolve takes the caller's own address of us.
func (in *getURLInput) Resolve(ctx huma.Context) []error {
	in.caller = "http://" + ctx.Host()
	if ctx.TLS() != nil {
		in.caller = "https://" + ctx.Host()
	}
	return nil
}

func (s *server) getURL(_ context.Context, in *getURLInput) (*output[Envelope[string]], error) {
	settings := s.Settings()
	a, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	slug, known := settings.Provider(in.Provider)
	if !known {
		return nil, newFailure(http.StatusBadRequest, Fault{
			Code: codeInvalid, Message: "Invalid provider", Path: []string{"path", "provider"}, Field: "provider", Hint: "docs/providers.md lists the slugs",
		})
	}
	base := settings.Endpoint
	if base == "" {
		base = in.caller + settings.BasePath
	}
	return answer(base + "/v1/" + a.ID + "/" + g.ID + "/" + slug), nil
}

// pages returns how many pages of size hold total items.
func pages(total int64, size int) int64 { return (total + int64(size) - 1) / int64(size) }

// stamp formats a time as the API does: UTC, to the millisecond.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// knownStamp is stamp, and null for a time that is not known.
func knownStamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return optional(stamp(t))
}
