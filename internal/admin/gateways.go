package admin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/object"
)

// gatewayRoutes are those of gateways.
func gatewayRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/gateways", "list-gateways", "List gateways", handle((*server).listGateways)),
		edit(http.MethodPost, scope+"/gateways", "create-gateway", "Create a gateway", handleGateway((*server).createGateway)),
		edit(http.MethodPut, scope+"/gateways/{gateway}", "update-gateway", "Update a gateway: what is left out stays, null sets back", handleGateway((*server).updateGateway)),
		edit(http.MethodDelete, scope+"/gateways/{gateway}", "delete-gateway", "Delete a gateway", handle((*server).deleteGateway)),
		get(RoleViewer, scope+"/gateways/{gateway}", "get-gateway", "Get a gateway", handle((*server).getGateway)),
		get(RoleViewer, scope+"/gateways/{gateway}/url/{provider}", "get-gateway-url", "Get the address to call a provider at", handle((*server).getURL)),
	}
}

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
func (p AccountPath) account(s *Settings) (gateway.Account, error) {
	a, ok := s.Gateways.Account(p.Account)
	if !ok {
		return a, &sluice.Error{Kind: sluice.KindNoGateway, Msg: "account not found", Hint: "accounts are configured under accounts"}
	}
	return a, nil
}

// gateway finds the account and the gateway that p names.
func (p GatewayPath) gateway(s *Settings) (gateway.Account, gateway.Entry, error) {
	a, err := p.account(s)
	if err != nil {
		return a, gateway.Entry{}, err
	}
	e, err := s.Gateways.Entry(a.ID, strings.ToLower(p.Gateway))
	if err != nil {
		return a, e, &sluice.Error{
			Kind: sluice.KindNoGateway, Msg: "gateway not found",
			Hint: "GET " + prefix + "/accounts/" + a.ID + "/ai-gateway/gateways lists them",
		}
	}
	return a, e, nil
}

// GatewayView is a gateway in the reference's shape, with our additions.
type GatewayView struct {
	ID         string `json:"id"`
	AccountID  string `json:"account_id"`
	IsDefault  bool   `json:"is_default"`
	CreatedAt  string `json:"created_at" format:"date-time"`
	ModifiedAt string `json:"modified_at" format:"date-time"`
	Origin     string `json:"origin" enum:"builtin,file,stored" doc:"ours: who manages it. builtin: it exists by itself; file: the configuration, and it is read-only here; stored: this API"`
	Version    int64  `json:"version" doc:"ours: another one after every change"`
	gateway.Settings
}

// gatewayObject names a gateway in the audit log.
func gatewayObject(e gateway.Entry) audit.Object { return audit.Object{Kind: "gateway", ID: e.ID} }

func viewGateway(e gateway.Entry) GatewayView {
	return GatewayView{
		ID: e.ID, AccountID: e.Account, IsDefault: e.ID == gateway.Default,
		CreatedAt: stamp(e.Created), ModifiedAt: stamp(e.Modified), Origin: string(e.Origin), Version: e.Version, Settings: e.Settings,
	}
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
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	var found []GatewayView
	for _, e := range a.Entries() {
		if strings.Contains(e.ID, strings.ToLower(in.Search)) {
			found = append(found, viewGateway(e))
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

func (s *server) getGateway(_ context.Context, in *GatewayPath) (*tagged[Envelope[GatewayView]], error) {
	_, e, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	return tag(e.Version, answer(viewGateway(e))), nil
}

type createGatewayInput struct {
	AccountPath
	RawBody []byte `contentType:"application/json"`
}

func (s *server) createGateway(ctx context.Context, in *createGatewayInput) (*tagged[Envelope[GatewayView]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	body, err := gateway.ParseBody(in.RawBody)
	if err != nil {
		return nil, err
	}
	e, err := s.Gateways.Create(ctx, a.ID, body)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", gatewayObject(e), nil, viewGateway(e))
	return changedGateway(e, body), nil
}

type updateGatewayInput struct {
	GatewayPath
	IfMatch
	RawBody []byte `contentType:"application/json"`
}

func (s *server) updateGateway(ctx context.Context, in *updateGatewayInput) (*tagged[Envelope[GatewayView]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	body, err := gateway.ParseBody(in.RawBody)
	if err != nil {
		return nil, err
	}
	if body.Was, err = in.was(); err != nil {
		return nil, err
	}
	e, err := s.Gateways.Update(ctx, g.Account, g.ID, body)
	if err != nil {
		return nil, s.conflictingGateway(err, in)
	}
	s.audit(ctx, "", gatewayObject(e), viewGateway(g), viewGateway(e))
	return changedGateway(e, body), nil
}

// conflictingGateway shows both sides of a change that was made from another version than the one that is there.
func (s *server) conflictingGateway(err error, in *updateGatewayInput) error {
	e, ok := errors.AsType[*sluice.Error](err)
	if !ok || e.Kind != sluice.KindConflict || e.Field != "version" {
		return err
	}
	_, now, gone := in.gateway(s.Settings())
	if gone != nil {
		return err
	}
	f := failureOf(err)
	f.Conflict = &Conflicting{Current: viewGateway(now), Sent: json.RawMessage(in.RawBody)}
	f.tag = strconv.Quote(strconv.FormatInt(now.Version, 10))
	return f
}

// changedGateway answers with what a body made of a gateway, and names what it means nothing by.
func changedGateway(e gateway.Entry, body gateway.Body) *tagged[Envelope[GatewayView]] {
	out := answer(viewGateway(e))
	for _, name := range body.Ignored {
		out.Body.Messages = append(out.Body.Messages, Message{Code: codeInvalid, Message: "ignored, because no setting has this name: " + clip(name, 64)})
	}
	return tag(e.Version, out)
}

func (s *server) deleteGateway(ctx context.Context, in *GatewayPath) (*output[Envelope[GatewayView]], error) {
	_, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	e, err := s.Gateways.Delete(ctx, g.Account, g.ID)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", gatewayObject(e), viewGateway(e), nil)
	// Its provider keys must not serve another gateway of its name, nor must its routes and domains.
	if err := s.Vault.DeleteGateway(ctx, g.Account, g.ID); err != nil {
		return nil, err
	}
	if err := s.Objects.DeleteGateway(ctx, object.Place{Account: g.Account, Gateway: g.ID}); err != nil {
		return nil, err
	}
	return answer(viewGateway(e)), nil
}

// handleGateway is handle for a body that sets a gateway up. It is read as bytes, which huma describes as
// nothing else.
func handleGateway[I, O any](f func(*server, context.Context, I) (O, error)) func(*server, huma.API, huma.Operation) {
	return func(s *server, api huma.API, op huma.Operation) {
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		op.SkipValidateBody, op.MaxBodyBytes = true, maxGatewayBytes // ParseBody is stricter
		handle(f)(s, api, op)
		op.RequestBody.Content["application/json"].Schema = gatewaySchema(api.OpenAPI().Components.Schemas, op.Method == http.MethodPost)
	}
}

// maxGatewayBytes bounds what a call says of a gateway: five documents, and some room.
const maxGatewayBytes = 512 << 10

// gatewaySchema describes what a call says of a gateway.
func gatewaySchema(schemas huma.Registry, withID bool) *huma.Schema {
	s := *schemas.Schema(reflect.TypeFor[gateway.Settings](), false, "")
	s.Required, s.AdditionalProperties = nil, true
	s.Properties = maps.Clone(s.Properties)
	for _, f := range gateway.Fields() {
		if f.Required {
			s.Required = append(s.Required, f.Name)
		}
		if f.Type == gateway.FieldNumber && !f.Null {
			property := *s.Properties[f.Name]
			property.Nullable = true // it sets the default
			s.Properties[f.Name] = &property
		}
	}
	if withID {
		s.Properties["id"] = &huma.Schema{Type: huma.TypeString, Pattern: "^[a-z0-9_-]{1,64}$"}
		s.Required = append(s.Required, "id")
	}
	return &s
}

type getURLInput struct {
	GatewayPath
	Provider string `path:"provider" doc:"provider, by slug or alias"`
	caller   string // scheme and host that the caller used
}

// Resolve takes the caller's own address of us.
func (in *getURLInput) Resolve(ctx huma.Context) []error {
	in.caller = ourAddress(ctx)
	return nil
}

func (s *server) getURL(_ context.Context, in *getURLInput) (*output[Envelope[string]], error) {
	settings := s.Settings()
	a, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	slug, known := settings.Provider(a.ID, in.Provider)
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
