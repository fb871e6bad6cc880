package proxy

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/hello"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/route"
	"github.com/sluicehq/sluice/internal/spend"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/vault"
)

// Proxy serves the data plane. Safe for concurrent use.
type Proxy struct {
	settings atomic.Pointer[Settings]
	upstream upstream.Doer
	log      *reqlog.Log
	logger   *slog.Logger
	bodies   bodyStore
	tokens   *auth.Ring
	limits   limit.Store
	spend    spend.Store
	outputs  *spend.Outputs
	cache    *cache.Cache
	vault    *vault.Vault
	hello    *hello.Ring // nil: nobody is told
	minter   *credential.Minter
	retries  *route.Budget
	hedges   *route.Budget
	latency  *route.Latency

	ensureDefault func(ctx context.Context, account string) (*sluice.Gateway, error)

	run     []stage
	ids     sluice.IDs
	panics  atomic.Int64
	running atomic.Int64

	exchanges sync.Pool
}

var _ front.Handler = (*Proxy)(nil)

// Options make a Proxy.
type Options struct {
	Settings *Settings
	Upstream upstream.Doer
	Log      *reqlog.Log
	Logger   *slog.Logger
	Memory   *Memory
	SpoolDir string // for request bodies that memory has no room for
	Spool    int64  // most bytes there

	Tokens *auth.Ring         // nil: there are no gateway tokens
	Limits limit.Store        // nil: no gateway has a rate limit
	Cache  *cache.Cache       // nil: nothing is cached
	Vault  *vault.Vault       // nil: no provider keys are stored
	Hello  *hello.Ring        // nil: nobody is told of calls that come to nothing
	Minter *credential.Minter // nil: keys that are service accounts serve no call
	Spend  spend.Store        // nil: no gateway has a spend limit
	// EnsureDefault makes the gateway default of an account that has none; nil: no gateway is made so.
	EnsureDefault func(ctx context.Context, account string) (*sluice.Gateway, error)
}

// New makes a Proxy.
func New(o Options) *Proxy {
	p := &Proxy{
		upstream: o.Upstream, log: o.Log, logger: o.Logger, tokens: o.Tokens, limits: o.Limits, cache: o.Cache, vault: o.Vault, hello: o.Hello, minter: o.Minter,
		spend: o.Spend, outputs: spend.NewOutputs(),
		retries: route.NewBudget(), hedges: route.NewBudget(), latency: route.NewLatency(), ensureDefault: o.EnsureDefault,
	}
	p.bodies.memory, p.bodies.spoolDir, p.bodies.spoolLimit = o.Memory, o.SpoolDir, o.Spool
	p.settings.Store(o.Settings)
	p.run = p.stages()
	return p
}

// SetSettings makes s what requests are served by from here on. Running requests keep theirs.
func (p *Proxy) SetSettings(s *Settings) { p.settings.Store(s) }

// Running returns how many requests are being served.
func (p *Proxy) Running() int64 { return p.running.Load() }

// Panics returns how many panics were contained since the start.
func (p *Proxy) Panics() int64 { return p.panics.Load() }

// panicked counts and logs a panic.
func (p *Proxy) panicked(id sluice.ID, cause any) {
	p.panics.Add(1)
	p.logger.Error("panic in a request", "id", id.String(), "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
}
