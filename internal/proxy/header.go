package proxy

import (
	"strings"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
)

// redacted stands in the log for a credential.
const redacted = "[redacted]"

// sortHeader splits the request's header: what goes on to the provider (x.out), what is logged, and
// what is ours (x.control). One pass, because every request pays for it.
func (x *exchange) sortHeader() {
	e := x.entry()
	named := connectionNames(x.req.Header)
	if x.provider != nil {
		named = append(named, x.provider.Consumes...)
	}
	for _, f := range x.req.Header {
		credential := x.isCredential(f.Name)
		logged := f
		if credential {
			logged.Value = redacted
		}
		e.ReqHeader = append(e.ReqHeader, logged)
		switch {
		case ours(f.Name):
			x.obey(&x.control, f)
		case hopByHop(f.Name) || contains(named, f.Name):
		case credential && (x.ourToken(f.Value) || isPlaceholder(f.Value)):
		case strings.EqualFold(f.Name, "Cookie"):
			if v := withoutOurCookie(f.Value); v != "" || f.Value == "" { // some SDKs send an empty one
				x.out = append(x.out, sluice.Field{Name: f.Name, Value: v})
			}
		default:
			x.out = append(x.out, f)
		}
		if strings.EqualFold(f.Name, "User-Agent") {
			e.UserAgent = f.Value
		}
	}
	if x.provider != nil {
		x.out = x.provider.Added(x.out)
	}
	x.control.tell(e)
}

// isCredential reports whether a field carries a secret, ours or the provider's.
func (x *exchange) isCredential(name string) bool {
	if strings.EqualFold(name, "cf-aig-authorization") || provider.CredentialHeader(name) {
		return true
	}
	return x.provider != nil && (strings.EqualFold(name, x.provider.Auth.Header) || contains(x.provider.Auth.Also, name))
}

// ours reports whether a field is addressed to the gateway, or tells of the way to it, and so ends
// here (cloudflare-ai-gateway.md, 2.2).
func ours(name string) bool {
	if len(name) < 3 || name[0]|0x20 != 'c' && name[0]|0x20 != 'x' {
		return false
	}
	return hasPrefixFold(name, "cf-aig-") || hasPrefixFold(name, "cf-access-") || hasPrefixFold(name, "x-forwarded-") ||
		strings.EqualFold(name, "cf-cache-ttl") || strings.EqualFold(name, "cf-skip-cache") || strings.EqualFold(name, "cf-connecting-ip")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// hopByHop reports whether a field belongs to one connection (RFC 9110, 7.6.1), or is made anew for
// the next: Host, Content-Length. Expect is answered here.
func hopByHop(name string) bool {
	switch len(name) {
	case 2:
		return strings.EqualFold(name, "TE")
	case 4:
		return strings.EqualFold(name, "Host")
	case 6:
		return strings.EqualFold(name, "Expect")
	case 7:
		return strings.EqualFold(name, "Trailer") || strings.EqualFold(name, "Upgrade")
	case 10:
		return strings.EqualFold(name, "Connection") || strings.EqualFold(name, "Keep-Alive")
	case 14:
		return strings.EqualFold(name, "Content-Length")
	case 16:
		return strings.EqualFold(name, "Proxy-Connection")
	case 17:
		return strings.EqualFold(name, "Transfer-Encoding")
	case 19:
		return strings.EqualFold(name, "Proxy-Authorization")
	}
	return false
}

// connectionNames are the fields that Connection declares to be hop-by-hop; nil as a rule.
func connectionNames(h sluice.Header) []string {
	var names []string
	for _, f := range h {
		if len(f.Name) != len("Connection") || !strings.EqualFold(f.Name, "Connection") {
			continue
		}
		for name := range strings.SplitSeq(f.Value, ",") {
			name = strings.TrimSpace(name)
			if name != "" && !strings.EqualFold(name, "close") && !strings.EqualFold(name, "keep-alive") {
				names = append(names, name)
			}
		}
	}
	return names
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// withoutOurCookie drops the cookie of the access proxy in front from a Cookie field.
func withoutOurCookie(v string) string {
	if !strings.Contains(v, "CF_Authorization") {
		return v
	}
	var kept []string
	for c := range strings.SplitSeq(v, ";") {
		if c = strings.TrimSpace(c); !strings.HasPrefix(c, "CF_Authorization=") {
			kept = append(kept, c)
		}
	}
	return strings.Join(kept, "; ")
}
