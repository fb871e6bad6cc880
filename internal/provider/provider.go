// Package provider is the table of upstreams: where each lives, how a path after its slug maps to a
// path there, where its credential stands, and which endpoints are known. A difference between
// providers is a field here, or a function value whose nil means the ordinary way; nothing else in
// the module asks which provider it has before it.
package provider

import (
	"context"
	"io"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// Provider is one upstream.
type Provider struct {
	Slug    string
	Name    string   // for people
	Aliases []string // other segments that mean this provider
	Base    string   // scheme, host and path prefix; "{…}" parts are filled by Address
	// Versions are path prefixes ("v1") that clients send although Base already ends in one of them,
	// so that one copy of a doubled prefix is dropped (providers-cloudflare.md, rule 4).
	Strip []string
	// Address maps the escaped path after the slug (no leading slash) and the query to where it goes,
	// for providers whose host depends on the path. nil: Base joined with the path.
	Address func(p *Provider, in Call) (Target, error)
	// Auth is where the caller's credential for this provider stands.
	Auth Auth
	// Endpoints are tried in order; the first whose pattern fits names the call. A call that fits
	// none passes through all the same.
	Endpoints []Endpoint
	// Local: the engine runs on the operator's own machines, so plain http and private addresses are
	// allowed and there is no credential as a rule.
	Local bool
	// Serve answers in the process itself, without any connection: the echo provider. nil: upstream.
	Serve  Handler
	Source string // where the facts were read, and when
}

// Auth is where a provider's credential stands in a request.
type Auth struct {
	Header string   // "Authorization", "x-api-key"
	Scheme string   // "Bearer", "Token", "Key"; "" when the header holds the bare key
	Also   []string // other headers that carry a credential there: redacted in logs
	Query  string   // a query parameter that carries one: "key"
}

// Call is a request as far as addressing needs it.
type Call struct {
	Method string
	Path   string // escaped path after the slug, no leading slash, exactly as received
	Query  string // raw query without "?"
	Header sluice.Header
}

// Target is where a call goes.
type Target struct {
	Scheme string
	Host   string // host or host:port
	Path   string // escaped, beginning with "/"
	Query  string // raw
}

// Endpoint is one kind of call at a provider, found by method and path.
type Endpoint struct {
	Name    string // "chat/completions"
	Method  string // "" fits all
	Pattern string // path after slug and stripped prefix; "{x}" fits one segment, "{x...}" the rest; a ":verb" suffix may follow
	// Model is the pattern's part that names the model ("model"), "" when the body does.
	Model string
	// Stream: the path itself asks for a stream (":streamGenerateContent"); otherwise the body's "stream" does.
	Stream bool
	// Repeatable: sending it twice costs at most money, so it may be retried after a failure.
	Repeatable bool
	// Meter makes the reader of this endpoint's answers; nil: no usage is read.
	Meter func(stream bool) wire.Meter
}

// Handler answers a call in the process itself. body is the whole request body and is not kept.
// The answer's Body, nil for none, is read to its end or closed early, when the caller left.
type Handler func(ctx context.Context, in Call, body []byte) Answer

// Answer is what a Handler gives.
type Answer struct {
	Status int
	Header sluice.Header
	Length int64 // of Body; -1: unknown
	Body   io.ReadCloser
}
