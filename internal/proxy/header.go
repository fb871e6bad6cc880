package proxy

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
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
			x.obey(f)
		case hopByHop(f.Name) || contains(named, f.Name):
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
	e.EventID = x.control.eventID
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

// maxTimeout bounds cf-aig-request-timeout.
const maxTimeout = time.Hour

// obey reads a field that is addressed to the gateway. A value that is not valid is ignored and noted
// in the log (cloudflare-ai-gateway.md, 2.1).
func (x *exchange) obey(f sluice.Field) {
	bad := false
	switch strings.ToLower(f.Name) {
	case "cf-aig-event-id":
		if bad = len(f.Value) > 256 || f.Value == ""; !bad {
			x.control.eventID = f.Value
		}
	case "cf-aig-collect-log":
		bad = !readBool(f.Value, &x.control.collect)
	case "cf-aig-collect-log-payload":
		bad = !readBool(f.Value, &x.control.payload)
	case "cf-aig-metadata":
		var ok bool
		x.entry().Metadata, ok = metadata(x.entry().Metadata[:0], f.Value)
		bad = !ok
	case "cf-aig-request-timeout":
		ms, err := strconv.ParseInt(f.Value, 10, 64)
		if bad = err != nil || ms <= 0 || ms > maxTimeout.Milliseconds(); !bad {
			x.control.firstByte = time.Duration(ms) * time.Millisecond
		}
	case "cf-aig-custom-cost":
		cost, err := price.Custom(f.Value)
		if bad = err != nil; !bad {
			x.control.cost = &cost
		}
	case "cf-aig-otel-trace-id":
		if bad = !isTraceID(f.Value); !bad {
			x.entry().TraceID = strings.ToLower(f.Value)
		}
	}
	if bad {
		x.note("invalid " + strings.ToLower(f.Name) + ": ignored")
	}
}

func readBool(v string, to *bool) bool {
	switch strings.ToLower(strings.TrimSpace(v)) {
	case "true", "1":
		*to = true
	case "false", "0":
		*to = false
	default:
		return false
	}
	return true
}

func isTraceID(v string) bool {
	if len(v) != 32 || strings.Trim(v, "0") == "" {
		return false
	}
	for i := range len(v) {
		if c := v[i] | 0x20; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// maxMetadata is how many entries of cf-aig-metadata are kept (cloudflare-ai-gateway.md, 6.6).
const maxMetadata = 5

// metadata reads cf-aig-metadata: a flat JSON object. The first five entries count; keys that begin
// with "cf." are dropped; one value that is null or nested loses the whole object.
func metadata(to []sluice.MetaValue, text string) ([]sluice.MetaValue, bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return to[:0], false
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return to[:0], false
		}
		value, err := dec.Token()
		if err != nil {
			return to[:0], false
		}
		m := sluice.MetaValue{Key: name.(string)} // a JSON object's names are strings, or Token fails
		switch v := value.(type) {
		case string:
			m.Value, m.Kind = v, sluice.MetaString
		case json.Number:
			m.Value, m.Kind = v.String(), sluice.MetaNumber
		case bool:
			m.Value, m.Kind = strconv.FormatBool(v), sluice.MetaBool
		default:
			return to[:0], false
		}
		if len(to) < maxMetadata && !strings.HasPrefix(m.Key, "cf.") {
			to = append(to, m)
		}
	}
	if _, err := dec.Token(); err != nil {
		return to[:0], false
	}
	return to, true
}
