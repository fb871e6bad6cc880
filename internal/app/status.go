package app

import (
	"maps"
	"slices"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/provider"
)

// viewSettings is what the management API shows of c; shown adds the gateways.
func viewSettings(c *config.Config, table *provider.Table, customs *provider.Customs) *admin.Settings {
	proxies, _ := c.SignIn.Proxies() // validated: cannot fail
	return &admin.Settings{
		Local: c.LoopbackOnly(), Proxies: proxies, BasePath: c.BasePath, Loaded: time.Now().UTC(),
		Providers: table.All(),
		Provider: func(account, segment string) (string, bool) {
			p, ok := table.With(customs).FindIn(account, segment)
			if !ok {
				return "", false
			}
			return p.Slug, true
		},
	}
}

// shown returns what the management API shows now.
func (a *App) shown() *admin.Settings {
	v := *a.view.Load()
	v.Gateways, v.RollUps = a.gateways.Snapshot(), a.first.Log.Metadata
	return &v
}

// firstGateway is default/default, or the first there is; "": there is none.
func firstGateway(s *gateway.Snapshot) (account, id string) {
	if _, err := s.Gateway(gateway.Default, gateway.Default); err == nil {
		return gateway.Default, gateway.Default
	}
	for a := range s.Accounts() {
		for _, e := range a.Entries() {
			return e.Account, e.ID
		}
	}
	return "", ""
}

// warnings lists what is allowed and probably not meant: of the configuration, and of what is stored.
func (a *App) warnings() []string {
	loaded, gateways := a.loaded.Load(), a.gateways.Snapshot()
	list := slices.Clone(loaded.Warnings)
	if _, id := firstGateway(gateways); id == "" {
		list = append(list, "there is no gateway, so every call is refused until one with a gateway token makes "+gateway.Default+": sluice gateway create "+gateway.Default)
	}
	for _, name := range slices.Sorted(maps.Keys(loaded.Config.Hosts)) {
		h := loaded.Config.Hosts[name]
		if _, err := gateways.Gateway(h.Account, h.Gateway); err != nil {
			list = append(list, "hosts."+name+": "+err.Error()+", so its calls are refused")
		}
	}
	if e := a.vault.Locked(); e != nil {
		list = append(list, e.Msg+": "+e.Hint)
	}
	if a.closed() {
		list = append(list, "nobody has claimed this process, and other machines reach it, so every call is refused: sluice auth link, or set SLUICE_ADMIN_TOKEN")
	}
	if loaded.Config.LoopbackOnly() {
		return list
	}
	for account := range gateways.Accounts() {
		for _, e := range account.Entries() {
			if e.Origin == sluice.OriginStored && !e.Authentication {
				list = append(list, "gateway "+e.Account+"/"+e.ID+": authentication is off, so whoever reaches the listener can call it: sluice gateway set "+e.ID+" authentication=on")
			}
		}
	}
	return list
}

// status is what the process knows of itself.
func (a *App) status() admin.Status {
	loaded := a.loaded.Load()
	at, failure, pending := a.reloads.get()
	s := admin.Status{
		Version: a.options.Version, Started: a.started.UTC(), DataDir: loaded.Config.DataDir,
		Config: admin.Config{
			File: loaded.File, Loaded: a.view.Load().Loaded, Error: failure, Warnings: a.warnings(),
		},
		InFlight: a.proxy.Running(), MemoryUsed: a.memory.Used(), MemoryLimit: a.memory.Limit(),
	}
	counts := a.limits.Health()
	s.Limits = admin.Limits{Keys: counts.Keys, Persistent: counts.Persistent, Trouble: counts.Trouble}
	if h := a.spend.Health(); h.Trouble != "" {
		s.Config.Warnings = append(s.Config.Warnings, "budgets: "+h.Trouble)
	}
	if failure != "" {
		s.Config.FailedAt = at.UTC()
	}
	for _, setting := range pending {
		s.Config.Warnings = append(s.Config.Warnings, setting+" has changed and takes effect at the next start")
	}
	refused := map[int]int64{}
	s.Panics = a.proxy.Panics()
	for _, f := range a.servers {
		seen := f.server.Stats()
		s.Panics += seen.Panics
		for status, n := range seen.Refused {
			refused[status] += n
		}
		s.Listeners = append(s.Listeners, admin.Listener{Purpose: f.purpose, Address: f.listener.Addr().String(), TLS: f.cert != nil})
	}
	for _, status := range slices.Sorted(maps.Keys(refused)) {
		s.Refused = append(s.Refused, admin.Refusals{Status: status, Count: refused[status]})
	}
	for _, h := range a.upstream.Stats() {
		s.Upstreams = append(s.Upstreams, admin.Upstream{
			Host: h.Host, Scheme: h.Scheme, Via: h.Via, Open: h.Open, Idle: h.Idle, Dialing: h.Dialing, Waiting: h.Waiting,
		})
	}
	return s
}
