package app

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/metrics"
)

// newMetrics is /metrics. Who may scrape is said by the settings in force.
func (a *App) newMetrics() http.Handler {
	all := metrics.Handler(a.recorder, a.gauges)
	guarded := admin.OfProcess(a.adminDeps(), all)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &a.loaded.Load().Config.Metrics
		if c.Access == "open" || holds(r, c.Token) {
			w.Header().Set("Cache-Control", "no-store")
			all.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// holds reports whether r was sent with a token, in a time that says nothing of it.
func holds(r *http.Request, token sluice.Secret) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	want, got := sha256.Sum256([]byte(token.Reveal())), sha256.Sum256([]byte(strings.TrimSpace(given)))
	return !token.IsZero() && strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// gauges is what a scrape tells of the process.
func (a *App) gauges() metrics.Gauges {
	g := metrics.Gauges{
		Version: a.options.Version, InFlight: a.proxy.Running(), MemoryUsed: a.memory.Used(), MemoryLimit: a.memory.Limit(),
		Panics: a.proxy.Panics(), Log: a.log.Stats(),
	}
	for _, f := range a.servers {
		g.Panics += f.server.Stats().Panics
	}
	for _, h := range a.upstream.Stats() {
		g.Upstreams = append(g.Upstreams, metrics.Upstream{Host: h.Host, Open: h.Open, Idle: h.Idle, Dialing: h.Dialing, Waiting: h.Waiting})
	}
	return g
}
