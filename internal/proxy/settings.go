package proxy

import (
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/upstream"
)

// Settings is what a request is served by: an immutable snapshot. A change makes a new one, and a
// request keeps the one that it began with.
type Settings struct {
	accounts  map[string]account // by id and by alias
	hosts     map[string]place   // by lower-case name, without a port
	providers *provider.Table
	prices    *price.Catalogue
	base      string // path prefix before all others, "" or "/x"
	origins   []string
	anyOrigin bool

	bodyLimit   int64 // largest request body that is read whole
	logLimit    int64 // most bytes stored of one body
	wait        time.Duration
	bodyPause   time.Duration
	timeouts    upstream.Timeouts
	retryBudget int  // most retries, percent of calls
	strict      bool // the record is appended before the last byte goes to the client
}

// account is a tenant as a path names it.
type account struct {
	id       string
	gateways map[string]*sluice.Gateway
}

// place is what a custom host name means.
type place struct{ account, gateway string }

// NewSettings makes the snapshot of c. table holds the providers of the same configuration, prices the
// catalogue with its overrides.
func NewSettings(c *config.Config, table *provider.Table, prices *price.Catalogue) *Settings {
	s := &Settings{
		accounts:    make(map[string]account, len(c.Accounts)),
		hosts:       make(map[string]place, len(c.Hosts)),
		providers:   table,
		prices:      prices,
		base:        strings.TrimSuffix(c.BasePath, "/"),
		origins:     c.CORS.Origins,
		bodyLimit:   int64(c.Limits.BodyBytes),
		logLimit:    int64(c.Log.BodyBytes),
		wait:        c.Limits.Wait,
		bodyPause:   c.Timeouts.Body,
		retryBudget: 20,
		strict:      c.Log.Durability != "batched",
		timeouts: upstream.Timeouts{
			Connect: c.Timeouts.Connect, TLS: c.Timeouts.TLS, FirstByte: c.Timeouts.FirstByte,
			Idle: c.Timeouts.Idle, Total: c.Timeouts.Total,
		},
	}
	for id, a := range c.Accounts {
		acc := account{id: id, gateways: make(map[string]*sluice.Gateway, len(a.Gateways))}
		for gw, g := range a.Gateways {
			acc.gateways[gw] = &sluice.Gateway{Account: id, ID: gw, CollectLogs: isOn(g.CollectLogs), CollectPayload: isOn(g.CollectPayload), MetadataEntries: 5}
		}
		s.accounts[id] = acc
		for _, alias := range a.Aliases {
			s.accounts[alias] = acc
		}
	}
	for name, h := range c.Hosts {
		s.hosts[strings.ToLower(name)] = place{h.Account, h.Gateway}
	}
	for _, o := range c.CORS.Origins {
		s.anyOrigin = s.anyOrigin || o == "*"
	}
	return s
}

// isOn reads a setting whose default is true.
func isOn(b *bool) bool { return b == nil || *b }

// gateway finds what a path names. Its error says which setting adds it; the account is returned with it
// where only the gateway is missing.
func (s *Settings) gateway(acc, gw string) (account, *sluice.Gateway, error) {
	a, ok := s.accounts[acc]
	if !ok {
		return account{}, nil, &sluice.Error{
			Kind: sluice.KindNoGateway, Msg: "no account " + quote(acc) + " is configured",
			Hint: "add accounts." + label(acc) + ".gateways." + label(gw) + " to the configuration, or make it an alias: accounts.default.aliases",
		}
	}
	g, ok := a.gateways[gw]
	if !ok {
		return a, nil, &sluice.Error{
			Kind: sluice.KindNoGateway, Msg: "account " + quote(a.id) + " has no gateway " + quote(gw),
			Hint: "add accounts." + a.id + ".gateways." + label(gw) + ": {} to the configuration",
		}
	}
	return a, g, nil
}

// quote shows what a client sent, bounded and printable.
func quote(s string) string { return "'" + printable(s, 64) + "'" }

// label is s where a name of the configuration belongs.
func label(s string) string {
	if s == "" {
		return "<id>"
	}
	return printable(s, 64)
}

// printable returns at most n bytes of s with everything but printable ASCII replaced.
func printable(s string, n int) string {
	if len(s) > n {
		s = s[:n] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r == '…' || r > ' ' && r < 0x7f && r != '\'' && r != '"' && r != '\\' {
			return r
		}
		return '?'
	}, s)
}
