package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// endpointRoutes are those that tell what is there to be called, and how it does.
func endpointRoutes() []route {
	return []route{
		self(get(RoleNone, prefix+"/about", "get-about", "Which Sluice this is (ours)", handle((*server).getAbout))),
		get(RoleViewer, scope+"/gateways/{gateway}/endpoints", "list-endpoints", "List the addresses at which a gateway is called (ours)", handle((*server).listEndpoints)),
		get(RoleViewer, scope+"/gateways/{gateway}/health", "get-health", "How the providers do in a gateway's traffic (ours)", handle((*server).getHealth)),
	}
}

// About tells which program answers.
type About struct {
	Version string `json:"version" doc:"of Sluice; dev: not a release"`
	Local   bool   `json:"local" doc:"only this machine reaches the process"`
	SignIn  bool   `json:"sign_in" doc:"there are people who sign in, or an admin token: nobody is let in without"`
}

func (s *server) getAbout(context.Context, *struct{}) (*output[Envelope[About]], error) {
	people := s.People != nil && !s.People.Empty()
	return answer(About{Version: s.Version, Local: s.Settings().Local, SignIn: people || !s.Token().IsZero()}), nil
}

type listEndpointsInput struct {
	GatewayPath
	caller string
}

// Resolve takes the caller's own address of us.
func (in *listEndpointsInput) Resolve(ctx huma.Context) []error {
	in.caller = ourAddress(ctx)
	return nil
}

// Endpoints are a gateway's addresses.
type Endpoints struct {
	Base      string         `json:"base" doc:"of the data plane, as seen by who asks"`
	Universal string         `json:"universal" doc:"takes a list of steps; over WebSocket, too"`
	Providers []ProviderView `json:"providers" doc:"by name"`
}

// ProviderView is a provider with its address at a gateway.
type ProviderView struct {
	Slug    string   `json:"slug"`
	Name    string   `json:"name" doc:"for people"`
	URL     string   `json:"url" doc:"base URL for its SDK: the provider's own paths follow"`
	Instead string   `json:"instead_of" doc:"address that it stands for; {…} is filled from the call"`
	Aliases []string `json:"aliases" doc:"other segments that mean it"`
	Custom  bool     `json:"custom" doc:"one that the account has made"`
	Enabled bool     `json:"enabled"`
	Keyless bool     `json:"keyless" doc:"it takes no key"`
	Keys    int      `json:"stored_keys" doc:"stored in this gateway"`
}

func (s *server) listEndpoints(_ context.Context, in *listEndpointsInput) (*output[Envelope[Endpoints]], error) {
	settings := s.Settings()
	a, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	v := Endpoints{Base: s.guide(settings, a, in.caller).base, Providers: []ProviderView{}}
	v.Universal = v.Base + "/v1/" + a.ID + "/" + g.ID
	keys := map[string]int{}
	for _, c := range s.Vault.List(a.ID, g.ID) {
		keys[c.Provider]++
	}
	for _, p := range settings.Providers {
		v.Providers = append(v.Providers, ProviderView{Slug: p.Slug, Name: p.Name, Instead: p.Base, Aliases: p.Aliases, Enabled: true, Keyless: p.Keyless()})
	}
	for _, c := range s.Customs.List(a.ID) {
		v.Providers = append(v.Providers, ProviderView{Slug: provider.CustomPrefix + c.Slug, Name: c.Name, Instead: c.BaseURL, Custom: true, Enabled: c.Enabled})
	}
	for i := range v.Providers {
		p := &v.Providers[i]
		p.URL, p.Keys, p.Aliases = v.Universal+"/"+p.Slug, keys[p.Slug], notNil(p.Aliases)
		p.Name = cmp.Or(p.Name, p.Slug)
	}
	slices.SortStableFunc(v.Providers, func(a, b ProviderView) int { return cmp.Compare(a.Name, b.Name) })
	return answer(v), nil
}

type getHealthInput struct {
	GatewayPath
	Range string `query:"range" default:"15m" doc:"15m, 24h, or two RFC 3339 times with .. between"`
}

// Health is how providers do, as seen by the calls that were made to them: nobody calls them only to find out.
type Health struct {
	From          string           `json:"from" format:"date-time"`
	To            string           `json:"to" format:"date-time"`
	Providers     []ProviderHealth `json:"providers" doc:"those that were called, the most called first"`
	CompleteUntil *string          `json:"complete_until" doc:"no request will be added before this time; null: not known"`
}

// ProviderHealth is how one provider does. Each attempt counts by itself, answers from the cache do not.
type ProviderHealth struct {
	Provider    string `json:"provider"`
	State       string `json:"state" enum:"ok,degraded,failing" doc:"degraded: 5 % of the attempts failed, or more; failing: half of them, or more"`
	Attempts    int64  `json:"attempts"`
	Errors      int64  `json:"errors" doc:"attempts that failed, refusals of what was asked among them"`
	ErrorRate   Value  `json:"error_rate" doc:"errors by attempts"`
	Canceled    int64  `json:"canceled" doc:"the client left"`
	DurationP50 Value  `json:"duration_p50" doc:"milliseconds; null: nothing was timed"`
	DurationP95 Value  `json:"duration_p95"`
	TTFTP50     Value  `json:"ttft_p50" doc:"to the first token, in milliseconds"`
	TTFTP95     Value  `json:"ttft_p95"`
}

func (s *server) getHealth(ctx context.Context, in *getHealthInput) (*output[Envelope[Health]], error) {
	ask := AnalyticsInput{
		AccountPath: in.AccountPath, Gateway: in.Gateway, Range: in.Range, Interval: "none", Group: string(reqlog.GroupProvider), Basis: string(basisAttempts),
	}
	q, err := ask.read(s.Settings(), time.Now().UTC())
	if err != nil {
		return nil, err
	}
	q.Sum = false // there is one interval
	sums, err := s.sum(ctx, q.TotalsQuery)
	if err != nil {
		return nil, fmt.Errorf("sum up the providers: %w", err)
	}
	until, err := s.Log.CompleteUntil(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask until when the log is complete: %w", err)
	}
	v := Health{From: stamp(q.Edges[0]), To: stamp(q.Edges[len(q.Edges)-1]), Providers: []ProviderHealth{}, CompleteUntil: knownStamp(until)}
	picked, err := pickMetrics("duration_p50,duration_p95,ttft_p50,ttft_p95")
	if err != nil {
		return nil, err
	}
	for i := range sums.totals {
		if t := &sums.totals[i]; t.Value != "" && t.Requests > t.Cached {
			v.Providers = append(v.Providers, healthOf(t, picked))
		}
	}
	slices.SortFunc(v.Providers, func(a, b ProviderHealth) int {
		return cmp.Or(cmp.Compare(b.Attempts, a.Attempts), cmp.Compare(a.Provider, b.Provider))
	})
	return answer(v), nil
}

// healthOf reads a provider's sums; picked are the metrics of ProviderHealth's last fields, in order.
func healthOf(t *reqlog.Total, picked []metric) ProviderHealth {
	called := t.Requests - t.Cached
	h := ProviderHealth{Provider: t.Value, State: "ok", Attempts: called, Errors: t.Errors, Canceled: t.Canceled}
	if n, ok := scaled(t.Errors, 1_000_000, called); ok {
		h.ErrorRate = Value{number: n, places: 6, known: true}
	}
	for i, field := range []*Value{&h.DurationP50, &h.DurationP95, &h.TTFTP50, &h.TTFTP95} {
		*field = picked[i].of(t)
	}
	switch {
	case 2*t.Errors >= called:
		h.State = "failing"
	case 20*t.Errors >= called:
		h.State = "degraded"
	}
	return h
}
