package proxy

import (
	"errors"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

// errAnswered ends a request that has its answer already.
var errAnswered = errors.New("answered")

// preflight answers a browser's question whether its page may call, where the settings name origins;
// otherwise the question goes to the provider like any request. It is no exchange: nothing is logged.
//
// missing is why there is no such gateway, nil when there is one.
func (x *exchange) preflight(missing error) bool {
	if missing != nil {
		return false
	}
	origin := x.req.Header.Get("Origin")
	asked := x.req.Header.Get("Access-Control-Request-Method")
	if x.req.Method != "OPTIONS" || origin == "" || asked == "" || len(x.settings.origins) == 0 {
		return false
	}
	h := sluice.Header{{Name: "Vary", Value: "Origin"}}
	if x.settings.allows(origin) {
		h.Add("Access-Control-Allow-Origin", origin)
		h.Add("Access-Control-Allow-Methods", asked)
		if wanted := x.req.Header.Get("Access-Control-Request-Headers"); wanted != "" {
			h.Add("Access-Control-Allow-Headers", wanted)
		}
		h.Add("Access-Control-Max-Age", "600")
	}
	x.sink.Head(204, h)
	x.headSent = true
	return true
}

// allowOrigin lets a browser's page read the answer, where the settings name its origin.
func (x *exchange) allowOrigin(h sluice.Header) sluice.Header {
	if len(x.settings.origins) == 0 {
		return h
	}
	origin := x.req.Header.Get("Origin")
	if origin == "" || !x.settings.allows(origin) {
		return h
	}
	kept := h[:0]
	for _, f := range h {
		if !hasPrefixFold(f.Name, "Access-Control-Allow-Origin") && !strings.EqualFold(f.Name, "Access-Control-Expose-Headers") {
			kept = append(kept, f)
		}
	}
	return append(kept,
		sluice.Field{Name: "Access-Control-Allow-Origin", Value: origin},
		sluice.Field{Name: "Access-Control-Expose-Headers", Value: "*"},
		sluice.Field{Name: "Vary", Value: "Origin"})
}

// allows reports whether pages of origin may call.
func (s *Settings) allows(origin string) bool { return s.anyOrigin || contains(s.origins, origin) }
