package proxy

import (
	"context"
	"net"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/gateway"
)

// pathVersion begins every data-plane path that names account and gateway.
const pathVersion = "/v1/"

// identify finds the account and the gateway that a call is for: from its host name, where that is a
// custom one (cloudflare-ai-gateway.md, 1.2), else from its path.
func (p *Proxy) identify(ctx context.Context, x *exchange) error {
	path, ok := strings.CutPrefix(originForm(x.req.Target), x.settings.base)
	if !ok || !strings.HasPrefix(path, "/") {
		return notFound()
	}
	acc, gw, rest := "", "", ""
	if at, ok := x.settings.place(x.req.Host); ok {
		acc, gw, rest = at.account, at.gateway, path[1:]
	} else if path, ok = strings.CutPrefix(path, pathVersion); ok {
		acc, path = cutSegment(path)
		gw, rest = cutSegment(path)
	} else {
		return notFound()
	}
	x.named, x.wanted = acc, gw
	g, err := x.settings.gateways.Gateway(acc, gw)
	caller := caller{}
	if x.preflight(err) {
		return errAnswered
	}
	if p.tokens != nil || g != nil && g.Authentication {
		caller = x.findCaller()
	}
	if err != nil {
		if g, err = p.makeDefault(ctx, x.settings, acc, gw, &caller, err); err != nil {
			return err
		}
	}
	x.gateway, x.rest = g, rest
	e := x.entry()
	e.Account, e.Gateway, e.Path = g.Account, g.ID, ""
	x.control.begin(g)
	if !x.accepts() { // a WebSocket is no exchange, and may stay for days: the log need not wait for its end
		p.log.Begin(&x.log)
	}
	if err := x.authorize(&caller); err != nil {
		if !x.universal() {
			_ = x.findProvider() // the log tells what was asked for; that it is wrong as well changes nothing
		}
		x.sortHeader()
		return err
	}
	return nil
}

// makeDefault makes the gateway default of an account that has none, for a caller whose token is good there
// (cloudflare-ai-gateway.md, 1.1). Otherwise it returns missing.
func (p *Proxy) makeDefault(ctx context.Context, s *Settings, account, name string, c *caller, missing error) (*sluice.Gateway, error) {
	a, ok := s.gateways.Account(account)
	if p.ensureDefault == nil || !ok || name != gateway.Default || c.verdict != auth.Valid || !c.token.Allows(a.ID, name, auth.Run) {
		return nil, missing
	}
	return p.ensureDefault(ctx, a.ID)
}

func notFound() error {
	return &sluice.Error{
		Kind: sluice.KindNotFound, Msg: "no such path",
		Hint: "call /v1/{account}/{gateway}/{provider}/{path}",
	}
}

// originForm is the target from its path on: proxies may send the absolute form.
func originForm(target string) string {
	if strings.HasPrefix(target, "/") {
		return target
	}
	if _, after, ok := strings.Cut(target, "://"); ok {
		if i := strings.IndexAny(after, "/?"); i >= 0 && after[i] == '/' {
			return after[i:]
		}
		return "/"
	}
	return target
}

// cutSegment splits the first path segment off. A query ends a segment but stays in the rest.
func cutSegment(path string) (segment, rest string) {
	i := strings.IndexAny(path, "/?")
	if i < 0 {
		return path, ""
	}
	if path[i] == '/' {
		return path[:i], path[i+1:]
	}
	return path[:i], path[i:]
}

// hostName is a Host field's name: lower case, without a port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// IsCustomHost reports whether host is a custom host name, so that all its paths are the data
// plane's.
func (p *Proxy) IsCustomHost(host string) bool {
	_, ok := p.settings.Load().place(host)
	return ok
}

// place returns what a custom host name means. Most have none: then nothing is made of host.
func (s *Settings) place(host string) (place, bool) {
	if len(s.hosts) == 0 {
		return place{}, false
	}
	at, ok := s.hosts[hostName(host)]
	return at, ok
}
