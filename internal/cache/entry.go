package cache

import (
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Head is an answer without its body.
type Head struct {
	Status int
	Header sluice.Header // as the provider sent it; what is shared has gone through Shareable
	Length int64         // of the body; -1: not known ahead
	// ByClose: the body ended with the connection, so that only the dialect's own end tells a whole
	// answer from a cut one.
	ByClose  bool
	Provider string // slug of the target that answered
	Model    string // of that target, as the request named it
	Streamed bool   // a stream of events
	Step     int    // of a universal request
	// Took is how long the answer took when the provider gave it; 0: not known, or not over yet.
	Took time.Duration
}

// Entry is a whole answer that may be given again. Nobody changes an Entry that a Store has, its
// Header or its Body: all requests share them.
type Entry struct {
	Head
	Body     []byte // as it was sent, in the content encoding that Encoding names
	Encoding string // Content-Encoding, "" none
	Stored   time.Time
	Expires  time.Time
}

// Age is the value of an Age field at now: whole seconds since the answer was stored.
func (e *Entry) Age(now time.Time) int64 { return max(int64(now.Sub(e.Stored)/time.Second), 0) }

// Weight is about how many bytes of memory e takes.
func (e *Entry) Weight() int64 {
	const fixed = 512 // the Entry itself, and what a store keeps of it
	n := int64(fixed + cap(e.Body) + len(e.Provider) + len(e.Model) + len(e.Encoding))
	for i := range e.Header {
		n += int64(32 + len(e.Header[i].Name) + len(e.Header[i].Value))
	}
	return n
}

// Storable reports whether an answer with this head may be stored, once its whole body was read and
// was well; else why not, for the log.
//
// Cache-Control, Expires and Vary are not obeyed, as in the reference: a provider says no-store to
// proxies that do not know whose answer it is, and here the gateway's owner has turned caching on and
// the credential is part of the key.
func Storable(status int, h sluice.Header) (ok bool, reason string) {
	switch {
	case status < 200 || status > 299:
		return false, "status"
	case status == 201 || status == 202 || status == 204 || status == 205 || status == 206:
		return false, "status" // something made, not the answer yet, no answer, or a part of one
	case h.Has("Content-Range"):
		return false, "content range"
	}
	if _, known := codings(contentEncoding(h)); !known {
		return false, "content encoding"
	}
	return true, ""
}

// Shareable is the part of an answer's header that is for others than the one who called, at other
// times: without cookies, what belongs to a connection, and what tells of quotas and times. The names
// of the original call (x-request-id and its like) stay, as the body has its names too. The result
// is a copy.
func Shareable(h sluice.Header) sluice.Header {
	kept := make(sluice.Header, 0, len(h))
	var named []string // by Connection
	for i := range h {
		if strings.EqualFold(h[i].Name, "Connection") {
			named = append(named, strings.Split(h[i].Value, ",")...)
		}
	}
	for i := range h {
		if !personal(h[i].Name) && !among(named, h[i].Name) {
			kept = append(kept, h[i])
		}
	}
	return kept
}

func among(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(strings.Trim(n, " \t"), name) {
			return true
		}
	}
	return false
}

// personal reports whether a field of an answer is for the one who called.
func personal(name string) bool {
	var text [64]byte
	if len(name) > len(text) {
		return false
	}
	for i := range len(name) {
		text[i] = lower(name[i])
	}
	switch string(text[:len(name)]) {
	case
		"set-cookie", "set-cookie2", "www-authenticate", "authentication-info", "proxy-authenticate", "proxy-authentication-info",
		// Of the connection.
		"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "content-length",
		"alt-svc", "strict-transport-security", "nel", "report-to", "reporting-endpoints", "via",
		// Of the moment, and of the caller's quota.
		"date", "age", "expires", "server-timing", "retry-after", "retry-after-ms", "x-should-retry", "openai-processing-ms",
		"x-envoy-upstream-service-time", "x-runtime", "x-response-time", "x-process-time", "x-cache", "cf-cache-status",
		"cf-ray", "x-served-by", "x-timer":
		return true
	}
	for _, prefix := range [...]string{"x-ratelimit-", "x-rate-limit-", "ratelimit", "anthropic-ratelimit-", "cf-aig-"} {
		if len(name) >= len(prefix) && string(text[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}

// contentEncoding is the whole Content-Encoding of a header.
func contentEncoding(h sluice.Header) string {
	all, found := "", false
	for i := range h {
		if !strings.EqualFold(h[i].Name, "Content-Encoding") {
			continue
		}
		if found {
			all += ","
		}
		all, found = all+h[i].Value, true
	}
	return all
}
