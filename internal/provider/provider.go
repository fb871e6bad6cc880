// Package provider is the table of upstreams: where each lives, how a path after its slug maps to a
// path there, where its credential stands, and which endpoints are known. A difference between
// providers is a field here, or a function value whose nil means the ordinary way; nothing else in
// the module asks which provider it has before it.
package provider

import (
	"context"
	"io"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/wire"
)

// Provider is one upstream.
type Provider struct {
	Slug    string
	Name    string   // for people
	Aliases []string // other segments that mean this provider
	Base    string   // scheme, host and path prefix, without a slash at the end; "{…}" parts are filled by Address
	// Strip are path prefixes ("v1", "openai/v1") that clients send although Base already ends in
	// them: where it does, they are dropped, so that "/v1/v1/" is never sent. Match drops them always.
	Strip []string
	// Beside are first segments of paths that stand beside the prefix of Strip in which Base ends,
	// not below it: with the base "https://host/v1", "v2/chat" goes to "https://host/v2/chat".
	Beside []string
	// Address says where a call goes, for providers whose host or path depends on more than Base.
	// Path and query are checked before. nil, the ordinary way: Base joined with the path.
	Address func(p *Provider, in Call) (Target, error)
	// Consumes are request headers that Address reads and that are not sent on.
	Consumes []string
	// Rewrite changes the headers that go upstream, the caller's own credential among them, where a
	// provider wants them elsewhere than its callers put them. nil: they go as they came.
	Rewrite func(h *sluice.Header, in Call)
	// Auth is where the caller's credential for this provider stands.
	Auth Auth
	// Endpoints are tried in order; the first whose pattern fits names the call. A call that fits
	// none passes through all the same.
	Endpoints []Endpoint
	// Unified is how the unified endpoint calls its models.
	Unified Unified
	// Realtime is what its WebSocket connections have of their own; nil: nothing.
	Realtime *Realtime
	// Local: the engine runs on the operator's own machines, so plain http and private addresses are
	// allowed and there is no credential as a rule.
	Local bool
	// Serve answers in the process itself, without any connection: the echo provider. nil: upstream.
	Serve  Handler
	Source string // where the facts were read, and when

	base   base    // Base, or the operator's address, taken apart
	custom bool    // base comes from the operator
	exact  bool    // a provider of the operator's own: Base joined with the path, nothing guessed
	routes []route // Endpoints, ready for matching

	// What only custom providers have (customs.go).
	guarded bool          // base came by the management API: it leads to private ranges only where the configuration lets it
	off     bool          // it is not enabled
	broken  bool          // adds cannot be opened
	plain   bool          // base is http, and the configuration does not name its host
	adds    sluice.Header // added to each call
	since   time.Time     // when it was made
}

// Auth is where a provider's credential stands in a request.
type Auth struct {
	Header string   // "Authorization", "x-api-key"
	Scheme string   // "Bearer", "Token", "Key"; "" when the header holds the bare key
	Also   []string // other headers that carry a credential there: redacted in logs
	Query  string   // a query parameter that carries one: "key"
	// Kinds are those of keys of several parts that it takes, besides one text.
	Kinds []credential.Kind
	// Scope says what a signature of a call is for, where Kinds holds one that signs. nil: none does.
	Scope func(in Call) (service, region string)
	// Test is a call that costs nothing and needs a key. nil: a list of models, where there is one.
	Test func(k *credential.Key) (in Call, known bool)
	// Took reports whether a refusal of Test's call shows all the same that the key is good: that it may not
	// do this, say. nil: none does.
	Took func(status int, h sluice.Header, body []byte) bool
}

// Call is a request as far as addressing needs it.
type Call struct {
	Method string
	Path   string // escaped path after the slug, no leading slash, exactly as received
	Query  string // raw query without "?"
	Header sluice.Header
	// Account is the account segment as the caller wrote it, for the one provider (workers-ai) whose
	// base holds it.
	Account string
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
	Name   string // "chat/completions"
	Method string // "" fits all
	// Pattern is the path after slug and stripped prefix. "{x}" fits one segment and may be followed by
	// a ":verb"; "{x...}" fits any number of segments, at least one when it names the model.
	Pattern string
	// Model is the pattern's part that names the model ("model"), "" when the body does.
	Model string
	// Stream: the path itself asks for a stream (":streamGenerateContent"); otherwise the body's "stream" does.
	Stream bool
	// Repeatable: sending it twice costs at most money, so it may be retried after a failure. What
	// Match returns for GET, HEAD and OPTIONS always is.
	Repeatable bool
	// Free: calling it costs nothing, whatever the model: counting tokens, uploading files.
	Free bool
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
