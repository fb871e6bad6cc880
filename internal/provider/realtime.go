package provider

import (
	"net/url"
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// Realtime is what a provider's WebSocket connections have of their own
// (providers-cloudflare.md, 5). One that asks for a path gets that path, as any call does.
type Realtime struct {
	// Path is where a connection goes that names none behind the slug. "{model}" in it stands for the
	// query parameter "model", which is not sent on then.
	Path string
	Host string // in place of the base's, unless the operator gave another; "": the base's
	// Renamed are query parameters that callers of the gateway call otherwise than the provider does.
	Renamed map[string]string
	// Item begins the item of Sec-WebSocket-Protocol in which browsers, which can set no headers, carry
	// the provider's credential: "xi-api-key.". It goes on where Auth says. "": there is none, or the
	// provider reads it itself.
	Item string
	// Session makes the reader of what the provider says; nil: it says nothing of usage.
	Session func() wire.Session
}

// ResolveRealtime is Resolve for a connection that is to become a WebSocket. model is the one that the
// address names, "" when it names none.
func (p *Provider) ResolveRealtime(in Call) (target Target, model string, err error) {
	_, model = p.Match(in.Method, in.Path)
	if model == "" {
		model, _ = parameter(in.Query, "model")
	}
	rt := p.Realtime
	if rt == nil {
		target, err = p.Resolve(in)
		return target, model, err
	}
	if in.Path == "" && rt.Path != "" {
		if in.Path = rt.Path; strings.Contains(rt.Path, "{model}") {
			if !isModelPath(model) {
				return Target{}, "", invalid("The query names no valid model", "say which one the connection is for: ?model={name}")
			}
			in.Path = strings.Replace(rt.Path, "{model}", model, 1)
			in.Query = without(in.Query, "model")
		}
	}
	in.Query = renamed(in.Query, rt.Renamed)
	if target, err = p.Resolve(in); err == nil && rt.Host != "" && !p.custom {
		target.Host = rt.Host
	}
	return target, model, err
}

// Credential returns the header field in which the provider takes the credential of a
// Sec-WebSocket-Protocol item, and whether the item is one that carries it.
func (p *Provider) Credential(item string) (sluice.Field, bool) {
	if p.Realtime == nil || p.Realtime.Item == "" {
		return sluice.Field{}, false
	}
	key, ok := strings.CutPrefix(item, p.Realtime.Item)
	if !ok || key == "" {
		return sluice.Field{}, false
	}
	if p.Auth.Scheme != "" {
		key = p.Auth.Scheme + " " + key
	}
	return sluice.Field{Name: p.Auth.Header, Value: key}, true
}

// isModelPath reports whether s can stand in a path as it is.
func isModelPath(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("?#%;\\", c) >= 0 {
			return false
		}
	}
	return s != "" && checkPath(s) == nil
}

// parameter returns the first value of a parameter in a raw query.
func parameter(query, name string) (value string, ok bool) {
	for part := range strings.SplitSeq(query, "&") {
		if n, v, _ := strings.Cut(part, "="); n == name {
			if plain, err := url.QueryUnescape(v); err == nil {
				return plain, true
			}
		}
	}
	return "", false
}

// without drops a parameter from a raw query; the others stay byte for byte.
func without(query, name string) string {
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		if n, _, _ := strings.Cut(part, "="); n != name {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}

// renamed gives parameters of a raw query other names; their values stay byte for byte.
func renamed(query string, names map[string]string) string {
	if len(names) == 0 || query == "" {
		return query
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		n, v, ok := strings.Cut(part, "=")
		if to := names[n]; ok && to != "" {
			parts[i] = to + "=" + v
		}
	}
	return strings.Join(parts, "&")
}
