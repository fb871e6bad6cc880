package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
	"sync"

	sluice "github.com/sluicehq/sluice"
)

// Key names an answer: the SHA-256 of what it depends on. Entries are found by it alone, so that a
// hash that two requests could share would be a wrong answer; SHA-256 has none that anyone knows.
type Key [32]byte

// String returns the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// ParseKey reads what String wrote.
func ParseKey(text string) (k Key, ok bool) {
	if len(text) != 2*len(k) {
		return k, false
	}
	n, err := hex.Decode(k[:], []byte(text))
	return k, err == nil && n == len(k)
}

// Scope is whose answers they are. No two scopes share an entry, and those of one go together.
type Scope struct{ Account, Gateway string }

// Covers reports whether other lies within s.
func (s Scope) Covers(other Scope) bool {
	return (s.Account == "" || s.Account == other.Account) && (s.Gateway == "" || s.Gateway == other.Gateway)
}

// Request is what an answer depends on.
type Request struct {
	Scope
	Generation int64  // GenerationOf the gateway
	Provider   string // slug
	Method     string
	// Target is where the call goes: path and query, with the host where the provider's slug does not
	// settle it.
	Target string
	// Header is what would be sent to the provider. Names compare without case, their order does not
	// count, the order of lines of one name does. Those of CannotMatter are left out.
	Header sluice.Header
	// Credential is what the provider would be shown: the client's own, or alias and version of a
	// stored one. Who holds another one gets no answer that was made for this.
	Credential string
	Body       []byte // whole
	Stream     bool   // an answer as a stream of events was asked for
	// Custom is the key that the request names for itself (cf-aig-cache-key). It stands for all else but
	// Scope, Generation and Stream. "": none.
	Custom string
}

// GenerationOf is the part that a gateway's settings have in its keys: their version where a change of
// them is to make all entries useless, and 0 otherwise.
func GenerationOf(g *sluice.Gateway) int64 {
	if g.CacheInvalidateOnUpdate {
		return g.Version
	}
	return 0
}

// KeyOf computes the key of r. It allocates nothing as a rule.
func KeyOf(r *Request) Key {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.begin()
	h.string(tagAccount, r.Account)
	h.string(tagGateway, r.Gateway)
	h.number(tagGeneration, uint64(r.Generation))
	if r.Stream {
		h.number(tagStream, 1)
	}
	if r.Custom != "" {
		h.string(tagCustom, r.Custom)
		return h.sum()
	}
	h.string(tagProvider, r.Provider)
	h.string(tagMethod, r.Method)
	h.string(tagTarget, r.Target)
	h.string(tagCredential, r.Credential)
	h.header(r.Header)
	h.bytes(tagBody, r.Body)
	return h.sum()
}

// CustomKeys are the keys that a custom key has in a gateway: of streams, and of other answers.
func CustomKeys(scope Scope, generation int64, custom string) []Key {
	r := Request{Scope: scope, Generation: generation, Custom: custom}
	keys := []Key{KeyOf(&r)}
	r.Stream = true
	return append(keys, KeyOf(&r))
}

// keyVersion begins every key. Another number makes all entries of before unreachable: it changes
// with what is in a key.
const keyVersion = 1

// Tags say what a field is. They are part of the key.
const (
	tagAccount = iota + 1
	tagGateway
	tagGeneration
	tagStream
	tagCustom
	tagProvider
	tagMethod
	tagTarget
	tagCredential
	tagHeaderName
	tagHeaderValue
	tagBody
)

// hasher writes fields, each behind its tag and its length, so that no two lists of fields make the
// same bytes.
type hasher struct {
	hash  hash.Hash
	order []int32   // of the header's lines
	text  [512]byte // a string on its way to hash, which takes slices only
	out   Key
}

//nolint:gochecknoglobals // a pool has no state that anyone could see
var hashers = sync.Pool{New: func() any { return &hasher{hash: sha256.New()} }}

func (h *hasher) begin() {
	h.hash.Reset()
	h.text[0] = keyVersion
	h.write(h.text[:1])
}

// write never fails, by the contract of hash.Hash.
func (h *hasher) write(p []byte) { _, _ = h.hash.Write(p) }

func (h *hasher) open(tag byte, length int) {
	h.text[0] = tag
	binary.BigEndian.PutUint64(h.text[1:], uint64(length))
	h.write(h.text[:9])
}

func (h *hasher) bytes(tag byte, b []byte) {
	h.open(tag, len(b))
	h.write(b)
}

func (h *hasher) number(tag byte, n uint64) {
	h.open(tag, 8)
	binary.BigEndian.PutUint64(h.text[:], n)
	h.write(h.text[:8])
}

func (h *hasher) string(tag byte, s string) {
	h.open(tag, len(s))
	for len(s) > 0 {
		n := copy(h.text[:], s)
		h.write(h.text[:n])
		s = s[n:]
	}
}

// name writes a field name in lower case.
func (h *hasher) name(s string) {
	h.open(tagHeaderName, len(s))
	for len(s) > 0 {
		n := min(len(s), len(h.text))
		for i := range n {
			h.text[i] = lower(s[i])
		}
		h.write(h.text[:n])
		s = s[n:]
	}
}

// header writes the lines that matter, sorted by name.
func (h *hasher) header(list sluice.Header) {
	h.order = h.order[:0]
	for i := range list {
		if !CannotMatter(list[i].Name) {
			h.order = append(h.order, int32(i))
		}
	}
	slices.SortStableFunc(h.order, func(a, b int32) int { return compareFold(list[a].Name, list[b].Name) })
	for _, i := range h.order {
		h.name(list[i].Name)
		h.string(tagHeaderValue, list[i].Value)
	}
}

func (h *hasher) sum() Key {
	h.hash.Sum(h.out[:0])
	return h.out
}

// lower maps a letter of a field name, which is ASCII.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// compareFold orders field names without case.
func compareFold(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// CannotMatter reports whether a request's header field cannot change an answer, and so is no part of
// a key. A field that is not known here is part of it: that costs a miss, never a wrong answer.
// docs/cache.md gives the reasons.
func CannotMatter(name string) bool {
	var text [64]byte
	if len(name) > len(text) {
		return false
	}
	for i := range len(name) {
		text[i] = lower(name[i])
	}
	switch string(text[:len(name)]) {
	case
		// Of the connection, or made anew for the next one.
		"connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade", "expect",
		"content-length", "host", "via", "forwarded", "date", "early-data", "priority",
		// Who sends, in which try.
		"user-agent", "idempotency-key", "x-idempotency-key", "dnt", "x-goog-api-client", "x-server-timeout",
		"amz-sdk-invocation-id", "amz-sdk-request", "x-retry-count",
		// How the same answer is packed; an entry is decoded for who needs it.
		"accept-encoding",
		// Caches on the way. The reference's and ours are told by other fields.
		"cache-control", "pragma",
		// Names of a request, and of the trace that it is part of.
		"x-request-id", "request-id", "x-correlation-id", "x-client-request-id", "x-amzn-trace-id", "x-cloud-trace-context",
		"traceparent", "tracestate", "baggage", "b3", "uber-trace-id", "sentry-trace", "elastic-apm-traceparent", "newrelic",
		"cf-ray":
		return true
	}
	for _, prefix := range [...]string{"x-stainless-", "x-b3-", "x-datadog-", "sec-ch-ua", "sec-fetch-"} {
		if len(name) >= len(prefix) && string(text[:len(prefix)]) == prefix {
			return true
		}
	}
	return false
}
