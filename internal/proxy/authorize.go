package proxy

import (
	"net/url"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/provider"
)

// protocolToken begins the item of Sec-WebSocket-Protocol that carries a gateway token, where a browser
// cannot set a header (cloudflare-ai-gateway.md, 1.6).
const protocolToken = "cf-aig-authorization."

// caller is who sent a request, as far as a gateway token tells.
type caller struct {
	token   auth.Token
	verdict auth.Verdict
	given   bool // something stood in a place that is for gateway tokens only
}

// findCaller looks for a gateway token: in its own header, as a WebSocket subprotocol, or where the provider
// takes its credential, if what stands there is ours (cloudflare-ai-gateway.md, 6.1).
func (x *exchange) findCaller() caller { return x.callerAt(x.start) }

// callerAt is findCaller at another moment: tokens are revoked, and expire.
func (x *exchange) callerAt(now time.Time) caller {
	for _, f := range x.req.Header {
		switch {
		case len(f.Name) == len("cf-aig-authorization") && strings.EqualFold(f.Name, "cf-aig-authorization"):
			if value := bare(f.Value); value != "" && value != "undefined" { // a client without a key sends that
				return x.known(value, now, true)
			}
		case len(f.Name) == len("Sec-WebSocket-Protocol") && strings.EqualFold(f.Name, "Sec-WebSocket-Protocol"):
			for item := range strings.SplitSeq(f.Value, ",") {
				if value, ok := strings.CutPrefix(strings.TrimSpace(item), protocolToken); ok {
					return x.known(value, now, true)
				}
			}
		}
	}
	for _, f := range x.req.Header {
		if provider.CredentialHeader(f.Name) {
			if c := x.known(bare(f.Value), now, false); c.verdict.Ours() {
				return c
			}
		}
	}
	return x.queryCaller(now)
}

// queryCaller looks for a gateway token among the parameters of the query.
func (x *exchange) queryCaller(now time.Time) caller {
	_, query, _ := strings.Cut(x.req.Target, "?")
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		_, value, _ := strings.Cut(pair, "=")
		if c := x.known(unescaped(value), now, false); c.verdict.Ours() {
			return c
		}
	}
	return caller{}
}

// withoutTokens is a query without the parameters whose values are gateway tokens.
func (x *exchange) withoutTokens(query string) string {
	if query == "" || x.proxy.tokens == nil {
		return query
	}
	kept, found := make([]string, 0, 8), false
	for pair := range strings.SplitSeq(query, "&") {
		_, value, _ := strings.Cut(pair, "=")
		if x.ourToken(unescaped(value)) {
			found = true
		} else {
			kept = append(kept, pair)
		}
	}
	if !found {
		return query
	}
	return strings.Join(kept, "&")
}

func unescaped(value string) string {
	if !strings.ContainsAny(value, "%+") {
		return value
	}
	if plain, err := url.QueryUnescape(value); err == nil {
		return plain
	}
	return value
}

func (x *exchange) known(value string, now time.Time, given bool) caller {
	c := caller{given: given}
	if x.proxy.tokens != nil {
		c.token, c.verdict = x.proxy.tokens.Find(value, now)
	}
	return c
}

// bare is a credential without its scheme.
func bare(value string) string {
	value = strings.TrimSpace(value)
	if scheme, rest, ok := strings.Cut(value, " "); ok && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Token") || strings.EqualFold(scheme, "Key")) {
		return strings.TrimSpace(rest)
	}
	return value
}

// ourToken reports whether a field's value is a gateway token, which no provider may see.
func (x *exchange) ourToken(value string) bool {
	if x.proxy.tokens == nil {
		return false
	}
	_, verdict := x.proxy.tokens.Find(bare(value), x.start)
	return verdict.Ours()
}

// isPlaceholder reports whether a credential is the one that clients of the reference put where they have
// none (cloudflare-ai-gateway.md, 12.1).
func isPlaceholder(value string) bool { return bare(value) == "CF_TEMP_TOKEN" }

// valid reports whether the caller's token allows calls through g.
func (c *caller) valid(g *sluice.Gateway) bool {
	return c.verdict == auth.Valid && c.token.Allows(g.Account, g.ID, auth.Run)
}

// anonymous reports whether g asks for no token. Whatever stands in the place for one is then no matter, but
// a token of ours in the place of a provider's credential must be good.
func (c *caller) anonymous(g *sluice.Gateway) bool {
	return !g.Authentication && (c.given || !c.verdict.Ours())
}

// authorize refuses a caller that the gateway does not let in.
func (x *exchange) authorize(c *caller) error {
	if c.valid(x.gateway) {
		x.entry().Key, x.trusted = c.token.Name, true
		x.proxy.tokens.Used(&c.token, x.start)
		return nil
	}
	if c.anonymous(x.gateway) {
		return nil
	}
	hint := "send a gateway token: cf-aig-authorization: Bearer …; 'sluice auth token create' makes one"
	switch {
	case c.verdict == auth.Valid:
		hint = "the token '" + c.token.Name + "' does not allow calls through this gateway"
	case c.verdict == auth.Revoked || c.verdict == auth.Expired:
		hint = "the token '" + c.token.Name + "' was revoked or has expired: 'sluice auth token create' makes another"
	case c.verdict == auth.Unknown || c.given:
		hint = "the gateway token is not known here: 'sluice auth token list' shows those that are"
	}
	return &sluice.Error{Kind: sluice.KindUnauthorized, Msg: "Unauthorized", Field: "cf-aig-authorization", Hint: hint}
}
