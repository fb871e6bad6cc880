package admin

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicehq/sluice/internal/object"
)

// domainRoutes are those of custom domains.
func domainRoutes() []route {
	const domains = scope + "/gateways/{gateway}/custom-domains"
	return []route{
		get(RoleViewer, domains, "list-custom-domains", "List custom domains", handle((*server).listDomains)),
		change(http.MethodPost, domains, "create-custom-domain", "Make a host name mean the gateway", handle((*server).createDomain)),
		get(RoleViewer, domains+"/{hostname}", "get-custom-domain", "Get a custom domain", handle((*server).getDomain)),
		change(http.MethodDelete, domains+"/{hostname}", "delete-custom-domain", "Delete a custom domain", handle((*server).deleteDomain)),
	}
}

// CustomDomain is a host name that means its gateway: paths there begin at the provider.
type CustomDomain struct {
	Hostname    string `json:"hostname"`
	GatewayID   string `json:"gateway_id"`
	ZoneID      string `json:"zone_id" doc:"as it was sent"`
	Status      string `json:"status" enum:"active" doc:"in force at once; DNS and the certificate are yours to set up"`
	CnameTarget string `json:"cname_target" doc:"where the name should lead"`
	CreatedAt   int64  `json:"created_at" doc:"milliseconds since 1970"`
	ModifiedAt  int64  `json:"modified_at" doc:"milliseconds since 1970"`
}

func viewDomain(r *object.Record, target string) (CustomDomain, error) {
	d, err := decoded[object.Domain](r)
	return CustomDomain{
		Hostname: r.ID, GatewayID: r.Gateway, ZoneID: d.Zone, Status: "active", CnameTarget: target,
		CreatedAt: r.Created.UnixMilli(), ModifiedAt: r.Modified.UnixMilli(),
	}, err
}

// addressed knows the name by which the caller calls us.
type addressed struct{ host string }

// Resolve takes it.
func (in *addressed) Resolve(ctx huma.Context) []error {
	in.host = hostOnly(ctx.Host())
	return nil
}

// hostOnly is the host of an address with or without scheme, port and path, in lower case.
func hostOnly(address string) string {
	if _, rest, found := strings.Cut(address, "://"); found {
		address = rest
	}
	address, _, _ = strings.Cut(address, "/")
	if i := strings.LastIndexByte(address, ':'); i > strings.LastIndexByte(address, ']') {
		address = address[:i]
	}
	return strings.ToLower(strings.TrimSuffix(address, "."))
}

// target is the name at which we are reached.
func (in *addressed) target(s *Settings) string {
	if h := hostOnly(s.Endpoint); h != "" {
		return h
	}
	return in.host
}

// hostForm is that of a DNS name of two labels at least. Compiled once; nothing changes it.
var hostForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// domainName checks a host name. All paths of a custom domain are the data plane's: a name by which the
// management API is reached would lock everybody out.
func (in *addressed) domainName(s *Settings, name string) (string, error) {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	_, notAddress := netip.ParseAddr(name)
	switch {
	case len(name) > 253 || !hostForm.MatchString(name) || notAddress == nil:
		return "", inBody(invalid("domain", "domain must be a host name such as ai.example.com", ""))
	case strings.HasSuffix(name, ".localhost"):
		return "", inBody(invalid("domain", "a name of this machine cannot be a custom domain", ""))
	case name == in.host || name == hostOnly(s.Endpoint):
		return "", inBody(invalid("domain", "this API is reached by this name, and would not be any more", "choose a name of the gateway's own"))
	}
	return name, nil
}

type listDomainsInput struct {
	GatewayPath
	Paging
	addressed
}

func (s *server) listDomains(ctx context.Context, in *listDomainsInput) (*output[ListEnvelope[CustomDomain, PageInfo]], error) {
	settings := s.Settings()
	at, err := in.at(settings)
	if err != nil {
		return nil, err
	}
	list, total, err := s.Objects.List(ctx, object.Query{Kind: object.KindDomain, Place: at, Limit: in.PerPage, Offset: in.offset()})
	if err != nil {
		return nil, err
	}
	page, err := views(list, func(r *object.Record) (CustomDomain, error) { return viewDomain(r, in.target(settings)) })
	if err != nil {
		return nil, err
	}
	return listAnswer(page, in.info(len(page), total)), nil
}

type createDomainInput struct {
	GatewayPath
	addressed
	Body struct {
		_      struct{} `json:"-" additionalProperties:"true"`
		Domain string   `json:"domain" doc:"the host name"`
		ZoneID string   `json:"zone_id,omitempty" maxLength:"64" doc:"kept and shown, as there are no zones here"`
	}
}

func (s *server) createDomain(ctx context.Context, in *createDomainInput) (*output[Envelope[CustomDomain]], error) {
	settings := s.Settings()
	at, err := in.at(settings)
	if err != nil {
		return nil, err
	}
	name, err := in.domainName(settings, in.Body.Domain)
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.Create(ctx, object.New{Kind: object.KindDomain, Place: at, ID: name, Name: name, Data: object.Domain{Zone: in.Body.ZoneID}})
	if err != nil {
		return nil, err
	}
	s.Logger.InfoContext(ctx, "custom domain made", "account", at.Account, "gateway", at.Gateway, "host", name)
	out, err := answerDomain(&r, in.target(settings))
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", auditObject(&r), nil, out.Body.Result)
	return out, nil
}

func answerDomain(r *object.Record, target string) (*output[Envelope[CustomDomain]], error) {
	v, err := viewDomain(r, target)
	if err != nil {
		return nil, err
	}
	return answer(v), nil
}

type domainInput struct {
	GatewayPath
	addressed
	Hostname string `path:"hostname" doc:"the host name"`
}

func (s *server) getDomain(ctx context.Context, in *domainInput) (*output[Envelope[CustomDomain]], error) {
	settings := s.Settings()
	at, err := in.at(settings)
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.Get(ctx, at, object.KindDomain, strings.ToLower(in.Hostname))
	if err != nil {
		return nil, err
	}
	return answerDomain(&r, in.target(settings))
}

func (s *server) deleteDomain(ctx context.Context, in *domainInput) (*output[Envelope[CustomDomain]], error) {
	settings := s.Settings()
	at, err := in.at(settings)
	if err != nil {
		return nil, err
	}
	r, err := s.Objects.Delete(ctx, at, object.KindDomain, strings.ToLower(in.Hostname), 0)
	if err != nil {
		return nil, err
	}
	out, err := answerDomain(&r, in.target(settings))
	if err != nil {
		return nil, err
	}
	s.audit(ctx, "", auditObject(&r), out.Body.Result, nil)
	return out, nil
}
