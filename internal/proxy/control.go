package proxy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/route"
)

// control is what is asked of Sluice for one step: by the gateway's settings, over these the request's
// headers, over these the step's own headers and config (cloudflare-ai-gateway.md, 1.3 and 2.1).
type control struct {
	eventID string
	traceID string
	meta    []sluice.MetaValue
	collect bool
	payload bool
	cost    *price.CustomCost
	timeout time.Duration // to the first byte of a try; 0: none of its own
	retry   sluice.Retry
	caching caching
	alias   string // of the stored provider key to use; "": the usual one
	ownKey  bool   // no call without a provider key
}

// caching is what is asked of the response cache.
type caching struct {
	usual time.Duration // the gateway's; 0: off
	ttl   time.Duration // of a header, where asked is set
	asked bool
	skip  bool   // no stored answer is wanted
	key   string // replaces the computed key; "" none
	// What stands under its present name is not changed by what stands beside it under its former one.
	ttlNamed, skipNamed bool
}

// life is how long an answer may be kept; 0: caching is off. The gateway turns it on, or a key of the caller's
// own. A time of the caller's only changes it, except that 0 turns it off.
func (c *caching) life() time.Duration {
	switch {
	case c.usual == 0 && c.key == "":
		return 0
	case c.asked:
		return c.ttl
	case c.usual == 0:
		return cache.CustomKeyTTL
	}
	return c.usual
}

// ofStep is what is asked for a step before it has said anything itself: it may change all of it, and
// nothing of what other steps are asked.
func (c *control) ofStep() control {
	own := *c
	own.meta = slices.Clip(own.meta)
	own.caching.ttlNamed, own.caching.skipNamed = false, false
	return own
}

// tell puts into the log what of it belongs there.
func (c *control) tell(e *sluice.LogEntry) {
	e.EventID, e.TraceID, e.Metadata = c.eventID, c.traceID, c.meta
}

// begin sets what the gateway's settings ask.
func (c *control) begin(g *sluice.Gateway) {
	c.collect, c.payload = g.CollectLogs, g.CollectPayload
	c.timeout, c.retry = g.RequestTimeout, g.Retry
	c.caching = caching{usual: g.CacheTTL}
}

// maxTimeout bounds cf-aig-request-timeout, maxKey the length of cf-aig-cache-key.
const (
	maxTimeout = time.Hour
	maxKey     = 1024
	maxTries   = 5
)

// obey reads a field that is addressed to the gateway. A value that is not valid is ignored and noted
// in the log (cloudflare-ai-gateway.md, 2.1).
func (x *exchange) obey(c *control, f sluice.Field) {
	name := strings.ToLower(f.Name)
	if ok := x.set(c, name, f.Value); !ok {
		x.note("invalid " + name + ": ignored")
	}
}

// set sets what the field of that name, in lower case, asks for. false: its value is not valid. A field
// that Sluice does not know asks for nothing.
func (x *exchange) set(c *control, name, value string) bool {
	switch name {
	case "cf-aig-event-id":
		if value == "" || len(value) > 256 {
			return false
		}
		c.eventID = value
	case "cf-aig-collect-log":
		return readBool(value, &c.collect)
	case "cf-aig-collect-log-payload":
		return readBool(value, &c.payload)
	case "cf-aig-metadata":
		meta, valid := sluice.AppendMetadata(c.meta[len(c.meta):], value, x.gateway.MetadataEntries)
		if valid {
			c.meta = meta
		}
		return valid
	case "cf-aig-request-timeout":
		return readMillis(value, 1, maxTimeout, &c.timeout)
	case "cf-aig-max-attempts":
		n, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || n < 1 || n > maxTries {
			return false
		}
		c.retry.MaxAttempts = n
	case "cf-aig-retry-delay":
		return readMillis(value, 0, route.MaxDelay, &c.retry.Delay)
	case "cf-aig-backoff":
		return readBackoff(value, &c.retry.Backoff)
	case "cf-aig-skip-cache":
		return c.caching.setSkip(value, true)
	case "cf-skip-cache":
		return c.caching.setSkip(value, false)
	case "cf-aig-cache-ttl":
		return c.caching.setTTL(value, true)
	case "cf-cache-ttl":
		return c.caching.setTTL(value, false)
	case "cf-aig-cache-key":
		if value == "" || len(value) > maxKey {
			return false
		}
		c.caching.key = value
	case "cf-aig-byok-alias":
		c.alias = strings.TrimSpace(value) // whatever it is: to go on with another key would surprise
		return c.alias != ""
	case "cf-aig-no-wholesale":
		return readBool(value, &c.ownKey)
	case "cf-aig-custom-cost":
		cost, err := price.Custom(value)
		if err != nil {
			return false
		}
		c.cost = &cost
	case "cf-aig-otel-trace-id":
		if !isTraceID(value) {
			return false
		}
		c.traceID = strings.ToLower(value)
	}
	return true
}

// setSkip reads whether a stored answer is wanted. named: under the field's present name.
func (c *caching) setSkip(value string, named bool) bool {
	skip := c.skip
	if !readBool(value, &skip) {
		return false
	}
	if named || !c.skipNamed {
		c.skip, c.skipNamed = skip, named
	}
	return true
}

// setTTL reads a time in seconds: 0, or within the cache's bounds. named: under the field's present name.
func (c *caching) setTTL(value string, named bool) bool {
	s, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || s < 0 || s > int64(cache.MaxTTL/time.Second) || s > 0 && s < int64(cache.MinTTL/time.Second) {
		return false
	}
	if named || !c.ttlNamed {
		c.ttl, c.asked, c.ttlNamed = time.Duration(s)*time.Second, true, named
	}
	return true
}

// readMillis reads a time in milliseconds.
func readMillis(value string, least int64, most time.Duration, to *time.Duration) bool {
	ms, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || ms < least || ms > most.Milliseconds() {
		return false
	}
	*to = time.Duration(ms) * time.Millisecond
	return true
}

func readBackoff(value string, to *sluice.Backoff) bool {
	switch b := sluice.Backoff(strings.ToLower(strings.TrimSpace(value))); b {
	case sluice.BackoffConstant, sluice.BackoffLinear, sluice.BackoffExponential:
		*to = b
		return true
	}
	return false
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
