// Package app is the wiring of the process: it makes every part from one configuration, top to
// bottom, starts them, and stops them in the opposite order. Nothing here decides about a request.
package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/audit"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/estimate"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/hello"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/metrics"
	"github.com/sluicehq/sluice/internal/object"
	"github.com/sluicehq/sluice/internal/people"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/proxy"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/answers"
	"github.com/sluicehq/sluice/internal/store/logindex"
	"github.com/sluicehq/sluice/internal/store/slots"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/ui"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/vault"
	"github.com/sluicehq/sluice/web"
)

// Options are what Run needs of its caller.
type Options struct {
	Source  config.Source
	Stdout  io.Writer
	Stderr  io.Writer // the process's own messages
	Version string
	// Ready is called once, when the listeners accept. nil: nobody asks.
	Ready func(Addrs)
	// OnEntry is called with each finished exchange as it is appended, from one goroutine; what it
	// takes long for is skipped over by nobody and delays nothing but itself. nil: nobody asks.
	OnEntry func(e *sluice.LogEntry)
	// Demo: what the data directory holds is made up, which the dashboard says on every page.
	Demo bool
}

// Addrs tells where a running process can be reached.
type Addrs struct {
	Listen   string // host:port that is bound
	Admin    string // the second listener's, or "" when all is on Listen
	TLS      bool
	BasePath string
	DataDir  string
	NewData  bool   // the data directory was made at this start
	File     string // the configuration file, "" none
	Warnings []string
	// Account and Gateway are of a gateway that can be called: default/default, or the first there is. "":
	// there is none.
	Account, Gateway string
	// Claim lets the first admin in: the process is closed until then. The zero Secret: it is open, or was claimed.
	Claim sluice.Secret
	// SignIn: somebody can sign in by name, so that callers on this machine need to, too.
	SignIn bool
	// Pages: the dashboard is part of this build.
	Pages bool
}

// App is one running process.
type App struct {
	options Options
	logger  *slog.Logger
	level   *slog.LevelVar
	started time.Time
	lock    *os.File
	newData bool

	first     *config.Config // what the process was started with
	loaded    atomic.Pointer[config.Loaded]
	view      atomic.Pointer[admin.Settings]
	table     atomic.Pointer[provider.Table]
	prices    *price.Store
	book      *price.Book
	priceNow  chan struct{} // the catalogue is to be read now
	reloads   reloadState
	index     *logindex.Index
	log       *reqlog.Log
	estimates *estimate.Worker
	rule      upstream.Rule
	upstream  *upstream.Client
	memory    *proxy.Memory
	db        *sqlstore.DB
	gateways  *gateway.Set
	objects   *object.Set
	tokens    *auth.Ring
	audit     *audit.Trail
	people    *people.Directory
	oidc      atomic.Pointer[admin.IdentityProvider]
	exposed   atomic.Bool   // other machines reach the process, and neither a token nor an admin was seen to guard it
	dataDir   sluice.Secret // what commands show that can read the data directory
	vault     *vault.Vault
	minter    *credential.Minter
	customs   *provider.Customs
	hello     hello.Ring
	limits    *slots.Store
	spend     *slots.Ledger
	answers   *answers.Store
	jobs      *job.Runner
	cache     *cache.Cache
	proxy     *proxy.Proxy
	applying  sync.Mutex   // one change of the proxy's settings at a time
	data      http.Handler // the data plane, for what net/http has read
	admin     http.Handler
	pages     http.Handler // the dashboard
	hasPages  bool         // it was built
	metrics   http.Handler
	recorder  *metrics.Recorder
	servers   []*listener
	ready     atomic.Bool
	stopping  chan struct{} // closed when shutdown begins
	running   sync.WaitGroup
}

// Run serves until ctx ends, and then stops: running requests get their grace, and everything that
// was handed to the log is in it when Run returns.
func Run(ctx context.Context, o Options) error {
	loaded, err := config.Load(o.Source)
	if err != nil {
		return err
	}
	a := &App{options: o, recorder: metrics.New(), started: time.Now(), stopping: make(chan struct{}), first: &loaded.Config, priceNow: make(chan struct{}, 1)}
	a.level = &slog.LevelVar{}
	a.logger = newLogger(o.Stderr, loaded.Config.Log.Format, a.level)
	a.loaded.Store(loaded)
	if err := a.level.UnmarshalText([]byte(loaded.Config.Log.Level)); err != nil {
		return err
	}
	base, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)
	defer a.close()
	if err := a.open(ctx, base); err != nil {
		return err
	}
	return a.serve(ctx, base, abandon)
}

// startGC is GOGC while the parts are made: enough for the first collection to come after an ordinary start, where
// memory is given back anyway, and no more than some tens of megabytes for one that has much to read.
const startGC = 400

// open makes every part, the lowest first. What it has made when it fails, close undoes.
func (a *App) open(ctx, base context.Context) error {
	c := &a.loaded.Load().Config
	limitMemory(a.logger)
	defer debug.SetGCPercent(debug.SetGCPercent(startGC)) // the heap's first megabytes would be collected again and again
	if err := a.openData(c.DataDir); err != nil {
		return err
	}
	table, err := provider.NewTable(c.Providers)
	if err != nil {
		return err
	}
	a.table.Store(table)
	if err := a.openUpstream(c); err != nil {
		return err
	}
	a.openMinter(c)
	own, err := PriceOverrides(c.Prices.Models)
	if err != nil {
		return err
	}
	a.estimates = estimate.NewWorker(func(account string) *price.Catalogue { return a.book.Load().Of(account) }, a.corrected, a.logger)
	a.memory = proxy.NewMemory(bodyMemory(int64(c.Limits.MemoryBytes)))
	if err := a.openStores(ctx, a.loaded.Load(), own); err != nil {
		return err
	}
	a.log.SetCaps(a.logCaps)
	spool := filepath.Join(c.DataDir, "spool")
	if err := emptyDir(spool); err != nil {
		return err
	}
	a.proxy = proxy.New(proxy.Options{
		Settings: a.settings(), Upstream: a.upstream, Log: a.log, Logger: a.logger,
		Memory: a.memory, SpoolDir: spool, Spool: int64(c.Limits.SpoolBytes),
		Tokens: a.tokens, Limits: a.limits, Cache: a.cache, Vault: a.vault, Hello: &a.hello, Minter: a.minter, EnsureDefault: a.gateways.EnsureDefault,
		Spend: a.spend,
	})
	a.data = front.NewStd(a.proxy)
	a.view.Store(viewSettings(c, table, a.customs))
	if err := a.openJobs(ctx, c); err != nil {
		return err
	}
	a.metrics = onFirstUse(a.newMetrics)
	a.admin = onFirstUse(func() http.Handler { return admin.New(a.adminDeps()) })
	built := web.Pages()
	a.hasPages = built != nil
	a.pages = ui.Handler(built, func() string { return a.loaded.Load().Config.BasePath })
	return a.openFronts(ctx, base, c)
}

// openStores opens what lies in the data directory. All of it waits for the disk, and the price list takes a
// while to read: together they wait once, and use more than one core.
func (a *App) openStores(ctx context.Context, loaded *config.Loaded, own []price.Override) error {
	c := &loaded.Config
	var opening, prices sync.WaitGroup
	var logErr, cacheErr, stateErr error
	prices.Go(func() { a.prices = price.NewStore(price.Embedded(), own, fetchPrices) })
	opening.Go(func() { stateErr = a.openState(ctx, loaded, prices.Wait) })
	opening.Go(func() {
		a.openSpend(c) // the log asks it about exchanges of a dead process
		logErr = a.openLog(ctx, c, a.memory)
		cacheErr = a.openCounters(c)
	})
	opening.Wait()
	prices.Wait()
	return errors.Join(logErr, cacheErr, stateErr)
}

// adminDeps are what the management API works on.
func (a *App) adminDeps() admin.Deps {
	return admin.Deps{
		Settings:      a.shown,
		Log:           a.log,
		Gateways:      a.gateways,
		Objects:       a.objects,
		Tokens:        a.tokens,
		Audit:         a.audit,
		People:        a.people,
		OIDC:          a.oidc.Load,
		DataDir:       a.dataDir,
		Cache:         a.cache,
		Rates:         a.limits,
		Budgets:       a.spend,
		Jobs:          a.jobs,
		Vault:         a.vault,
		Customs:       a.customs,
		Book:          a.book,
		TestKey:       a.testKey,
		Keyless:       a.keyless,
		KeyKinds:      a.keyKinds,
		Prices:        a.priceState,
		RefreshPrices: a.refreshNow,
		Token:         func() sluice.Secret { return a.loaded.Load().Config.AdminToken },
		Status:        a.status,
		Logger:        a.logger,
		Hello:         &a.hello,
		Done:          a.stopping,
		Version:       a.options.Version,
		Demo:          a.options.Demo,
		FoundKeys:     a.foundKeys,
	}
}

// onFirstUse is a handler that is made at its first request: what the management API is made of takes
// longer than all else of a start, and many a process is never asked.
func onFirstUse(make func() http.Handler) http.Handler {
	made := sync.OnceValue(make)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { made().ServeHTTP(w, r) })
}

func (a *App) openUpstream(c *config.Config) error {
	rule, err := upstream.ParseRule(c.Upstream.PrivateHosts)
	if err != nil {
		return fmt.Errorf("upstream.private_hosts: %w", err)
	}
	roots, err := rootCAs(c.Upstream.CAFile)
	if err != nil {
		return err
	}
	a.rule = rule
	a.upstream = upstream.New(upstream.Options{
		Transport: c.Upstream.Transport, ConnsPerHost: c.Upstream.ConnsPerHost, IdlePerHost: c.Upstream.IdlePerHost,
		RootCAs: roots, Rule: rule, Logger: a.logger,
		Proxy: func(u *url.URL) (*url.URL, error) { return http.ProxyFromEnvironment(&http.Request{URL: u}) },
	})
	return nil
}

// rootCAs are the system's and those of file; nil for the system's alone.
func rootCAs(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("upstream.ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("upstream.ca_file: %s holds no certificate in PEM", file)
	}
	return pool, nil
}

func (a *App) openLog(ctx context.Context, c *config.Config, budget reqlog.Budget) (err error) {
	dir := filepath.Join(c.DataDir, "log")
	if a.index, err = logindex.Open(ctx, filepath.Join(dir, "index"), logindex.Options{Logger: a.logger, Metadata: c.Log.Metadata}); err != nil {
		return fmt.Errorf("open the log's index: %w", err)
	}
	a.log, err = reqlog.Open(ctx, reqlog.Options{
		Dir: filepath.Join(dir, "segments"), QueueBytes: int64(c.Log.QueueBytes), Durability: durability(c.Log.Durability),
		FsyncEvery: c.Log.FsyncEvery, Retention: retention(c), Budget: budget, Logger: a.logger, Observe: a.recorder.Observe,
		Crashed: a.crashed,
	}, a.estimates.Watch(a.index))
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	return nil
}

func durability(name string) reqlog.Durability {
	return map[string]reqlog.Durability{"strict": reqlog.Strict, "fsync": reqlog.Fsync}[name]
}

func retention(c *config.Config) reqlog.Retention {
	return reqlog.Retention{
		MaxAge: c.Log.MaxAge, MaxBodyAge: c.Log.MaxBodyAge, MaxRows: c.Log.MaxRows, MaxBytes: int64(c.Log.MaxBytes),
		MinFree: int64(c.Log.MinFree), StopInserting: c.Log.WhenFull == "STOP_INSERTING",
	}
}

func (a *App) openFronts(ctx, base context.Context, c *config.Config) error {
	type server struct {
		purpose string
		addr    string
		router  *router
	}
	servers := []server{{"all", c.Listen, &router{app: a, data: true, control: true}}}
	if c.AdminListen != "" {
		servers = []server{
			{"data", c.Listen, &router{app: a, data: true}},
			{"admin", c.AdminListen, &router{app: a, control: true}},
		}
	}
	for _, s := range servers {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.addr)
		if err != nil {
			return err
		}
		f, err := a.newListener(base, l, s.router)
		if err != nil {
			_ = l.Close()
			return fmt.Errorf("tls: %w", err)
		}
		f.purpose = s.purpose
		a.servers = append(a.servers, f)
	}
	return nil
}

// serve runs the listeners until ctx ends or one of them fails, and then shuts down.
func (a *App) serve(ctx, base context.Context, abandon context.CancelCauseFunc) error {
	failed := make(chan error, len(a.servers))
	for _, f := range a.servers {
		a.running.Go(func() {
			if err := f.server.Serve(f.listener); err != nil {
				failed <- err
			}
		})
	}
	background, stop := context.WithCancel(base)
	defer stop()
	a.watch(background)
	a.debug(background)
	a.ready.Store(true)
	if a.options.Ready != nil {
		at := a.addrs()
		at.Claim = a.claimLink(base)
		a.options.Ready(at)
	}
	a.running.Go(debug.FreeOSMemory) // what the start needed is not needed again
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.shutdown(abandon)
	stop()
	a.running.Wait()
	return err
}

// shutdown lets running requests end for the grace period, and then breaks them off.
func (a *App) shutdown(abandon context.CancelCauseFunc) {
	a.ready.Store(false)
	close(a.stopping)
	grace := a.loaded.Load().Config.Timeouts.Shutdown
	a.logger.Info("stopping", "grace", grace.String())
	if a.drain(grace) {
		return
	}
	abandon(proxy.ErrShutdown())
	if a.drain(abortGrace) {
		return
	}
	for _, f := range a.servers {
		if err := f.server.Close(); err != nil {
			a.logger.Warn("close listener", "error", err)
		}
	}
}

// abortGrace is how long requests that were broken off have to be settled.
const abortGrace = 5 * time.Second

// drain waits until all servers are idle, or until the time is up.
func (a *App) drain(grace time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var drained sync.WaitGroup
	idle := atomic.Bool{}
	idle.Store(true)
	for _, f := range a.servers {
		drained.Go(func() {
			if f.server.Shutdown(ctx) != nil {
				idle.Store(false)
			}
		})
	}
	drained.Wait()
	return idle.Load()
}

// logGrace bounds how long closing waits for the log's disk.
const logGrace = 30 * time.Second

// close undoes open, the highest part first.
func (a *App) close() {
	for _, f := range a.servers {
		_ = f.listener.Close() // closed already, unless open failed
	}
	ctx, cancel := context.WithTimeout(context.Background(), logGrace)
	defer cancel()
	var errs []error
	if a.jobs != nil {
		errs = append(errs, a.jobs.Close(ctx))
	}
	if a.log != nil {
		errs = append(errs, a.log.Close(ctx))
	}
	if a.index != nil {
		errs = append(errs, a.index.Close())
	}
	if a.minter != nil {
		a.minter.Close()
	}
	if a.upstream != nil {
		a.upstream.Close()
	}
	errs = append(errs, a.closeState(ctx)...)
	if a.lock != nil {
		errs = append(errs, a.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		a.logger.Error("closing", "error", err)
	}
}

func (a *App) addrs() Addrs {
	loaded := a.loaded.Load()
	at := Addrs{
		Listen: a.servers[0].listener.Addr().String(), TLS: a.servers[0].cert != nil, BasePath: loaded.Config.BasePath,
		DataDir: loaded.Config.DataDir, NewData: a.newData, File: loaded.File, Warnings: a.warnings(),
	}
	at.SignIn, at.Pages = !a.people.Empty(), a.hasPages
	at.Account, at.Gateway = firstGateway(a.gateways.Snapshot())
	if len(a.servers) > 1 {
		at.Admin = a.servers[1].listener.Addr().String()
	}
	return at
}
