// Package admin is the management API: the reference's shapes under /client/v4, with our additions.
// Its handlers read; those that change something do it through what they are given, which decides.
//
// One table (routes.go) lists every route with the role it needs. A caller is known by the admin token or a
// gateway token before the request is routed, so that what the table does not know is closed as well. Answers
// have the reference's envelope, failures included (errors.go maps a sluice.Kind to status and
// code once), and no answer may be cached.
//
// The OpenAPI document is generated from the handlers' own types and served beside them.
package admin

import (
	"cmp"
	"context"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/vektah/gqlparser/v2/ast"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/hello"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/people"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/spend"
	"github.com/sluicehq/sluice/internal/vault"
)

// Log is what the handlers need of the log of exchanges; *reqlog.Log is one.
type Log interface {
	reqlog.Reader
	// Follow yields the records after from and waits for more, until ctx ends.
	Follow(ctx context.Context, from reqlog.Pos) iter.Seq2[reqlog.Record, error]
	// Deleted reports whether an exchange was deleted, as far as CompleteUntil has asked: Follow may still find it.
	Deleted(ctx context.Context, id sluice.ID) (bool, error)
	// Head returns the position after the last record.
	Head() reqlog.Pos
	// Watch makes the log note more of what runs, until stop is called; see Changed.
	Watch() (stop func())
	// Changed calls f with each running exchange that has changed since a former call returned since, or,
	// with 0, with each; an exchange whose entry Follow has yielded is not among them.
	Changed(since uint64, f func(e *sluice.LogEntry)) (now uint64)
	// Body opens a stored body. Its error has sluice.KindNotFound when nothing is stored.
	Body(ctx context.Context, row reqlog.Row, side reqlog.Side) (io.ReadCloser, error)
	// Stats returns the log's own numbers. It is cheap.
	Stats() reqlog.Stats
	// Patch keeps what people say of an exchange, and Delete removes exchanges: see reqlog.Log.
	Patch(ctx context.Context, changes reqlog.Changes, e *sluice.LogEntry) error
	Delete(ctx context.Context, account string, ids []sluice.ID) error
}

// Deps are what the handlers need. All but TestKey, Keyless, Audit, People, OIDC, DataDir, Cache, Rates, Budgets, Done and Version must be set.
type Deps struct {
	Log Log
	// Settings returns the settings in force. It is called once per request; what it returns is not
	// changed by anybody.
	Settings func() *Settings
	// Gateways changes the gateways. When a change is made, Settings has it.
	Gateways *gateway.Set
	// Tokens are the gateway tokens: they let callers in, and are made and revoked here.
	Tokens *auth.Ring
	// Vault keeps provider keys, which are stored and changed here.
	Vault *vault.Vault
	// Objects are datasets, evaluations, views, custom domains and dynamic routes.
	Objects *object.Set
	// TestKey makes a call with a stored provider key that costs nothing. Its error has sluice.KindInvalid
	// where there is no such call.
	TestKey func(ctx context.Context, c *vault.Credential) (KeyTest, error)
	// Keyless reports whether the provider of a slug takes no key. nil: all take one.
	Keyless func(slug string) bool
	// KeyKinds returns the kinds of keys of several parts that the provider of a slug takes. nil: none takes any.
	KeyKinds func(slug string) []credential.Kind
	// Audit is the audit log. nil: none is kept.
	Audit *audit.Trail
	// Customs are the custom providers, which are made and changed here.
	Customs *provider.Customs
	// Book has the accounts' prices, which are set here.
	Book *price.Book
	// People sign in by name. Once there is somebody, callers on the machine itself need to, too. nil: nobody does.
	People *people.Directory
	// OIDC returns the identity provider that people sign in by. nil, and nil from it: there is none.
	OIDC func() *IdentityProvider
	// DataDir is what a command shows that can read the data directory: it may do all that the admin token may.
	// The zero Secret: nobody does.
	DataDir sluice.Secret
	// Cache is the response cache. nil: there is none.
	Cache Cache
	// Rates counts calls against rate limits, Budgets money against spend limits. nil: nobody does.
	Rates   limit.Store
	Budgets spend.Store
	// Jobs runs long work. nil: there is none.
	Jobs *job.Runner
	// Status returns what the process knows of itself. It is cheap.
	Status func() Status
	// Prices returns which price catalogue is in use. RefreshPrices reads it anew from its source, and
	// returns what came of it.
	Prices        func() Prices
	RefreshPrices func(ctx context.Context) Prices
	// Token returns the admin token in force. The zero Secret: there is none, and only callers on the
	// machine itself are let in, by a loopback address that they also named in Host.
	Token  func() sluice.Secret
	Logger *slog.Logger
	// Hello holds the calls that came to nothing. nil: there is no telling.
	Hello *hello.Ring
	// Done is closed when the server stops: event streams end then, which http.Server.Shutdown waits
	// for. nil: they end with their requests only.
	Done <-chan struct{}
	// Version of the program.
	Version string
	// FoundKeys returns the provider keys that lie in the environment. nil: nobody looked.
	FoundKeys func() []FoundKey
	// Demo: what the log holds is made up.
	Demo bool
}

// Settings is what the API shows of the configuration, and of what is stored.
type Settings struct {
	Gateways *gateway.Snapshot
	// Provider tells whether a path segment names a provider of an account, and gives its slug.
	Provider func(account, segment string) (slug string, known bool)
	// Providers are those that every account has: built in, or of the configuration.
	Providers []*provider.Provider
	// Endpoint is the address of the data plane, scheme, host and base path, without a slash at its
	// end. "": the address that the caller of the API used, followed by BasePath.
	Endpoint string
	BasePath string    // path prefix that a proxy in front leaves on: "/ai" or ""
	Loaded   time.Time // when these settings came into force
	// RollUps are the metadata keys whose values are summed up as they come.
	RollUps []string
	// Local: nobody but this machine reaches the process, so that callers on it need no sign-in while there is
	// neither an admin token nor anybody who could.
	Local bool
	// Proxies are the networks of reverse proxies whose X-Forwarded-For is believed. Loopback always is.
	Proxies []netip.Prefix
}

// server holds what all handlers share.
type server struct {
	Deps
	fields        fieldSet
	streams       streams
	graphQLSchema func() *ast.Schema // read at the first call
	document      func() document    // rendered at the first call: it takes longer than all else that New does
}

// New returns the handler of everything under /client/v4. It does not clean paths, and expects them
// without the base path.
func New(d Deps) http.Handler {
	_, router := newServer(d)
	return router
}

// Document returns the API's OpenAPI document as JSON, as a server of that version would answer with it.
func Document(version string) []byte {
	s, _ := newServer(Deps{Version: version})
	return s.document().json
}

func newServer(d Deps) (*server, http.Handler) {
	s := &server{Deps: d, fields: newFieldSet()}
	router := chi.NewRouter()
	router.Use(s.guard, sameOrigin)
	router.NotFound(s.notFound)
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { s.methodNotAllowed(w, r, router) })

	api := humachi.New(router, s.apiConfig())
	api.UseMiddleware(clientErrors)
	for _, rt := range routes() {
		op := rt.operation(api.OpenAPI().Components.Schemas)
		op.Middlewares = append(op.Middlewares, s.require(rt.Route), s.audited(rt.Route))
		rt.register(s, api, op)
	}
	s.graphQLSchema = sync.OnceValue(newGraphQLSchema)
	s.document = sync.OnceValue(func() document { return newDocument(api.OpenAPI()) })
	return s, router
}

// apiConfig is huma's default without what would add routes or fields of its own.
func (s *server) apiConfig() huma.Config {
	c := huma.DefaultConfig("Sluice management API", cmp.Or(s.Version, "dev"))
	c.Info.Description = "The reference's AI Gateway paths and shapes, with additions; every answer has the envelope."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema links in answers
	// The second is what huma asks for when it writes an error of its own; see validationFailure.
	c.Formats = map[string]huma.Format{"application/json": strictJSON(), "json": strictJSON()}
	c.Transformers = []huma.Transformer{validationFailure}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "the admin token, a gateway token of the account with read or edit, or a session's token"},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "a session of the dashboard; writes need the header X-Sluice-UI: 1 as well"},
	}
	return c
}
