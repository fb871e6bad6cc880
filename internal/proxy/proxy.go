package proxy

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/upstream"
)

// Proxy serves the data plane. Safe for concurrent use.
type Proxy struct {
	settings atomic.Pointer[Settings]
	upstream upstream.Doer
	log      *reqlog.Log
	logger   *slog.Logger
	bodies   bodyStore
	run      []stage
	ids      sluice.IDs
	panics   atomic.Int64
	running  atomic.Int64

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
}

// New makes a Proxy.
func New(o Options) *Proxy {
	p := &Proxy{upstream: o.Upstream, log: o.Log, logger: o.Logger}
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
