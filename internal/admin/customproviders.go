package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/provider"
)

// The reference's codes of custom providers (cloudflare-ai-gateway.md, 9.4).
const (
	codeCustomURL     = 1002
	codeCustomSlug    = 1003
	codeCustomMissing = 1004
)

// customProviderRoutes are those of providers that an account makes itself.
func customProviderRoutes() []route {
	const all = scope + "/custom-providers"
	return []route{
		get(RoleViewer, all, "list-custom-providers", "List the account's custom providers", handle((*server).listCustomProviders)),
		change(http.MethodPost, all, "create-custom-provider", "Create a custom provider: calls name it custom-{slug}", handle((*server).createCustomProvider)),
		get(RoleViewer, all+"/{id}", "get-custom-provider", "Get a custom provider", handle((*server).getCustomProvider)),
		change(http.MethodPatch, all+"/{id}", "update-custom-provider", "Change a custom provider: what is left out stays", handle((*server).updateCustomProvider)),
		change(http.MethodDelete, all+"/{id}", "delete-custom-provider", "Delete a custom provider and its prices", handle((*server).deleteCustomProvider)),
	}
}

// CustomProviderView is a custom provider in the reference's shape, with our additions.
type CustomProviderView struct {
	ID          string  `json:"id" format:"uuid"`
	AccountID   string  `json:"account_id"`
	Name        string  `json:"name"`
	Slug        string  `json:"slug" doc:"without custom-, which stands before it in calls"`
	BaseURL     string  `json:"base_url" doc:"calls go to it, a slash, and the rest of their path"`
	Description string  `json:"description"`
	Link        string  `json:"link"`
	Logo        string  `json:"logo" doc:"SVG in base64, made of the name"`
	Enable      bool    `json:"enable" doc:"calls may go there"`
	Beta        bool    `json:"beta"`
	Position    int64   `json:"position" doc:"in lists"`
	CurlExample string  `json:"curl_example"`
	JSExample   string  `json:"js_example"`
	Headers     *string `json:"headers" doc:"JSON object, as text, of the fields that are added to each call. Values are not shown, as they may be credentials: sent back as they are shown, they stay; null: there are none"`
	CreatedAt   string  `json:"created_at" format:"date-time"`
	ModifiedAt  string  `json:"modified_at" format:"date-time"`
	AuthHeader  string  `json:"auth_header" doc:"ours: header that a stored key goes into; empty: Authorization, after Bearer"`
	AuthScheme  string  `json:"auth_scheme" doc:"ours: word before the key in auth_header; empty: none"`
	Provider    string  `json:"provider" doc:"ours: how calls name it: custom-{slug}"`
	Status      string  `json:"status" enum:"ready,disabled,locked" doc:"ours. locked: its headers cannot be opened, so its calls are refused"`
	Version     int64   `json:"version" doc:"ours: another one after every change"`
}

func viewCustomProvider(c *provider.Custom) CustomProviderView {
	v := CustomProviderView{
		ID: c.ID, AccountID: c.Account, Name: c.Name, Slug: c.Slug, BaseURL: c.BaseURL, Description: c.Description, Link: c.Link,
		Logo: logoOf(c), Enable: c.Enabled, Beta: c.Beta, Position: c.Position, CurlExample: c.CurlExample, JSExample: c.JSExample,
		CreatedAt: stamp(c.Created), ModifiedAt: stamp(c.Modified), AuthHeader: c.AuthHeader, AuthScheme: c.AuthScheme,
		Provider: c.Segment(), Status: "ready", Version: c.Version,
	}
	if text := c.ShownHeaders(); text != "" {
		v.Headers = &text
	}
	switch {
	case c.Fault != "":
		v.Status = "locked"
	case !c.Enabled:
		v.Status = "disabled"
	}
	return v
}

// logoOf draws the first letter of the slug, which is ASCII, on a colour that follows from the slug.
func logoOf(c *provider.Custom) string {
	hue := 0
	for i := range len(c.Slug) {
		hue = (hue*31 + int(c.Slug[i])) % 360
	}
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="hsl(%d 45%% 40%%)"/>`+
		`<text x="16" y="22" font-family="sans-serif" font-size="18" fill="#fff" text-anchor="middle">%s</text></svg>`, hue, strings.ToUpper(c.Slug[:1]))
	return base64.StdEncoding.EncodeToString([]byte(svg))
}

func customObject(c *provider.Custom) audit.Object {
	return audit.Object{Kind: "custom_provider", ID: c.ID, Name: c.Segment()}
}

type listCustomProvidersInput struct {
	AccountPath
	Page    int    `query:"page" default:"1" minimum:"1" maximum:"1000000000" doc:"page number, from 1"`
	PerPage int    `query:"per_page" default:"20" minimum:"1" maximum:"100" doc:"items per page"`
	Enable  string `query:"enable" enum:"true,false,1,0" doc:"only those that are enabled, or are not"`
	Beta    string `query:"beta" enum:"true,false,1,0" doc:"only those that are beta, or are not"`
	Search  string `query:"search" doc:"part of the id, name or slug"`
	OrderBy string `query:"order_by" doc:"name, slug, position, created_at or modified_at, with ASC or DESC behind: name DESC. Left out: by position, then name"`
}

func (s *server) listCustomProviders(_ context.Context, in *listCustomProvidersInput) (*output[ListEnvelope[CustomProviderView, PageInfo]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	order, err := customOrder(in.OrderBy)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(s.Customs.List(a.ID), func(c provider.Custom) bool { return !in.wants(&c) })
	slices.SortStableFunc(found, order)
	first := min((in.Page-1)*in.PerPage, len(found))
	page := make([]CustomProviderView, 0, in.PerPage)
	for _, c := range found[first:min(first+in.PerPage, len(found))] {
		page = append(page, viewCustomProvider(&c))
	}
	total := int64(len(found))
	return listAnswer(page, PageInfo{Page: in.Page, PerPage: in.PerPage, Count: len(page), TotalCount: total, TotalPages: pages(total, in.PerPage)}), nil
}

// wants reports whether the list holds c.
func (in *listCustomProvidersInput) wants(c *provider.Custom) bool {
	is := func(param string, value bool) bool { return param == "" || value == (param == "true" || param == "1") }
	if !is(in.Enable, c.Enabled) || !is(in.Beta, c.Beta) {
		return false
	}
	search := strings.ToLower(in.Search)
	return slices.ContainsFunc([]string{c.ID, c.Name, c.Slug}, func(s string) bool { return strings.Contains(strings.ToLower(s), search) })
}

// customOrder reads order_by.
func customOrder(param string) (func(a, b provider.Custom) int, error) {
	byName := func(a, b provider.Custom) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	}
	orders := map[string]func(a, b provider.Custom) int{
		"":            func(a, b provider.Custom) int { return cmp.Or(cmp.Compare(a.Position, b.Position), byName(a, b)) },
		"name":        byName,
		"slug":        func(a, b provider.Custom) int { return strings.Compare(a.Slug, b.Slug) },
		"position":    func(a, b provider.Custom) int { return cmp.Or(cmp.Compare(a.Position, b.Position), byName(a, b)) },
		"created_at":  func(a, b provider.Custom) int { return a.Created.Compare(b.Created) },
		"modified_at": func(a, b provider.Custom) int { return a.Modified.Compare(b.Modified) },
	}
	column, direction, _ := strings.Cut(strings.TrimSpace(param), " ")
	order, known := orders[strings.ToLower(column)]
	switch direction = strings.ToUpper(strings.TrimSpace(direction)); {
	case !known, direction != "" && direction != "ASC" && direction != "DESC":
		return nil, invalid("order_by", "there is no such order", "name, slug, position, created_at or modified_at, with ASC or DESC behind")
	case direction == "DESC":
		return func(a, b provider.Custom) int { return order(b, a) }, nil
	}
	return order, nil
}

// CustomProviderPath is the part of a path that names a custom provider.
type CustomProviderPath struct {
	AccountPath
	ID string `path:"id" doc:"id of the custom provider"`
}

func (s *server) getCustomProvider(_ context.Context, in *CustomProviderPath) (*output[Envelope[CustomProviderView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	c, err := s.Customs.Get(a.ID, in.ID)
	if err != nil {
		return nil, customFailure(err)
	}
	return answer(viewCustomProvider(&c)), nil
}

// customProviderBody is what a call says of a custom provider. Members of answers that clients send back are
// read over.
type customProviderBody struct {
	_           struct{} `json:"-" additionalProperties:"true"`
	Name        *string  `json:"name,omitempty"`
	Slug        *string  `json:"slug,omitempty" doc:"letters, digits and hyphens; a change cannot change it"`
	BaseURL     *string  `json:"base_url,omitempty" doc:"https address"`
	Description *string  `json:"description,omitempty"`
	Link        *string  `json:"link,omitempty"`
	Enable      *bool    `json:"enable,omitempty" doc:"left out in a new one: false, and its calls are refused"`
	Beta        *bool    `json:"beta,omitempty"`
	Position    *int64   `json:"position,omitempty"`
	CurlExample *string  `json:"curl_example,omitempty"`
	JSExample   *string  `json:"js_example,omitempty"`
	Headers     *string  `json:"headers,omitempty" doc:"JSON object, as text, of fields to add to each call; empty: none"`
	AuthHeader  *string  `json:"auth_header,omitempty" doc:"ours: header that a stored key goes into"`
	AuthScheme  *string  `json:"auth_scheme,omitempty" doc:"ours: word before the key in auth_header"`
}

func (b *customProviderBody) change() provider.CustomChange {
	ch := provider.CustomChange{
		Slug: b.Slug, Name: b.Name, BaseURL: b.BaseURL, Description: b.Description, Link: b.Link, CurlExample: b.CurlExample, JSExample: b.JSExample,
		Enabled: b.Enable, Beta: b.Beta, Position: b.Position, AuthHeader: b.AuthHeader, AuthScheme: b.AuthScheme,
	}
	if b.Headers != nil {
		secret := sluice.NewSecret(*b.Headers)
		ch.Headers = &secret
	}
	return ch
}

type createCustomProviderInput struct {
	AccountPath
	Body customProviderBody
}

func (s *server) createCustomProvider(ctx context.Context, in *createCustomProviderInput) (*output[Envelope[CustomProviderView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	c, err := s.Customs.Create(ctx, a.ID, in.Body.change(), time.Now())
	if err != nil {
		return nil, customFailure(err)
	}
	s.audit(ctx, "", customObject(&c), nil, viewCustomProvider(&c))
	s.Logger.InfoContext(ctx, "custom provider made", "account", c.Account, "provider", c.Segment(), "base_url", c.BaseURL, "enabled", c.Enabled)
	return answer(viewCustomProvider(&c)), nil
}

type updateCustomProviderInput struct {
	CustomProviderPath
	Body customProviderBody
}

func (s *server) updateCustomProvider(ctx context.Context, in *updateCustomProviderInput) (*output[Envelope[CustomProviderView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	before, err := s.Customs.Get(a.ID, in.ID)
	if err != nil {
		return nil, customFailure(err)
	}
	c, err := s.Customs.Update(ctx, a.ID, in.ID, in.Body.change(), time.Now())
	if err != nil {
		return nil, customFailure(err)
	}
	s.audit(ctx, "", customObject(&c), viewCustomProvider(&before), viewCustomProvider(&c))
	s.Logger.InfoContext(ctx, "custom provider changed", "account", c.Account, "provider", c.Segment(), "base_url", c.BaseURL, "enabled", c.Enabled)
	return answer(viewCustomProvider(&c)), nil
}

func (s *server) deleteCustomProvider(ctx context.Context, in *CustomProviderPath) (*output[Envelope[CustomProviderView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	c, err := s.Customs.Get(a.ID, in.ID)
	if err != nil {
		return nil, customFailure(err)
	}
	// The prices first: what is left over when this breaks off is a provider without prices, never prices that
	// another provider of the slug would find.
	prices, err := s.Book.DeleteProvider(ctx, a.ID, c.Segment())
	if err != nil {
		return nil, err
	}
	if c, err = s.Customs.Delete(ctx, a.ID, in.ID); err != nil {
		return nil, customFailure(err)
	}
	s.audit(ctx, "", customObject(&c), viewCustomProvider(&c), nil)
	s.Logger.InfoContext(ctx, "custom provider deleted", "account", c.Account, "provider", c.Segment(), "base_url", c.BaseURL, "prices", prices)
	return answer(viewCustomProvider(&c)), nil
}

// customFailure gives the failures of custom providers the reference's codes.
func customFailure(err error) error {
	f := failureOf(inBody(err))
	if len(f.Errors) != 1 {
		return err
	}
	fault := &f.Errors[0]
	switch kind := sluice.KindOf(err); {
	case kind == sluice.KindNotFound:
		fault.Code = codeCustomMissing
	case kind == sluice.KindConflict && fault.Field == "slug":
		fault.Code = codeCustomSlug
	case kind == sluice.KindInvalid && fault.Field == "base_url":
		fault.Code = codeCustomURL
	default:
		return inBody(err)
	}
	return f
}
