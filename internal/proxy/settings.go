package proxy

import (
	"strings"
	"time"

	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/upstream"
)

// Settings is what a request is served by: an immutable snapshot. A change makes a new one, and a
// request keeps the one that it began with.
type Settings struct {
	gateways  *gateway.Snapshot
	hosts     map[string]place // by lower-case name, without a port
	providers *provider.Table
	prices    Prices
	base      string // path prefix before all others, "" or "/x"
	origins   []string
	anyOrigin bool

	bodyLimit   int64 // largest request body that is read whole
	logLimit    int64 // most bytes stored of one body
	message     int64 // largest message of a client's on a WebSocket, in bytes
	streams     int64 // most requests that run at the same time on one WebSocket
	wait        time.Duration
	bodyPause   time.Duration
	timeouts    upstream.Timeouts
	retryBudget int  // most retries, percent of calls
	strict      bool // the record is appended before the last byte goes to the client
}

// Prices are what calls of an account cost: one catalogue for all (*price.Catalogue), or one for each
// (*price.Prices). What Of returns is not changed.
type Prices interface {
	Of(account string) *price.Catalogue
}

// place is what a custom host name means.
type place struct{ account, gateway string }

// NewSettings makes the snapshot of c. gateways and table hold what belongs to the same configuration, prices
// the catalogue with its overrides.
func NewSettings(c *config.Config, gateways *gateway.Snapshot, table *provider.Table, prices Prices) *Settings {
	s := &Settings{
		gateways:    gateways,
		hosts:       make(map[string]place, len(c.Hosts)),
		providers:   table,
		prices:      prices,
		base:        strings.TrimSuffix(c.BasePath, "/"),
		origins:     c.CORS.Origins,
		bodyLimit:   int64(c.Limits.BodyBytes),
		logLimit:    int64(c.Log.BodyBytes),
		message:     int64(c.WebSocket.MessageBytes),
		streams:     int64(c.WebSocket.Streams),
		wait:        c.Limits.Wait,
		bodyPause:   c.Timeouts.Body,
		retryBudget: c.Upstream.RetryBudget,
		strict:      c.Log.Durability != "batched",
		timeouts: upstream.Timeouts{
			Connect: c.Timeouts.Connect, TLS: c.Timeouts.TLS, FirstByte: c.Timeouts.FirstByte,
			Idle: c.Timeouts.Idle, Total: c.Timeouts.Total,
		},
	}
	for name, h := range c.Hosts {
		s.hosts[strings.ToLower(name)] = place{h.Account, h.Gateway}
	}
	for _, o := range c.CORS.Origins {
		s.anyOrigin = s.anyOrigin || o == "*"
	}
	return s
}

// AddHost makes a host name mean a gateway, where the configuration does not have it. It is for who makes the
// snapshot, before anything is served by it.
func (s *Settings) AddHost(name, account, gateway string) {
	name = strings.ToLower(name)
	if _, configured := s.hosts[name]; !configured {
		s.hosts[name] = place{account, gateway}
	}
}

// quote shows what a client sent, bounded and printable.
func quote(s string) string { return "'" + printable(s, 64) + "'" }

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
