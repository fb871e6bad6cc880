// Package proxytest makes a gateway and a scripted upstream in one line, for tests of whole
// requests. All of it is real: the listener, the upstream client, the log on disk and its index.
package proxytest

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/credential"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/proxy"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/answers"
	"github.com/sluicehq/sluice/internal/store/logindex"
	"github.com/sluicehq/sluice/internal/store/slots"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/vault"
)

// Front is a server that clients connect to.
type Front int

// The fronts: our own server, which is what New and Start take, and net/http's.
const (
	Own Front = iota
	Std
)

// Each runs test over each front, as a subtest of its name.
func Each(t *testing.T, test func(t *testing.T, f Front)) {
	t.Run("own", func(t *testing.T) { test(t, Own) })
	t.Run("std", func(t *testing.T) { test(t, Std) })
}

// Gateway is a running data plane in front of a scripted upstream.
type Gateway struct {
	URL      string // of the data plane: "http://127.0.0.1:…"
	Log      *reqlog.Log
	Proxy    *proxy.Proxy
	Memory   *proxy.Memory
	Gateways *gateway.Set
	Tokens   *auth.Ring
	Limits   *slots.Store
	Spend    *slots.Ledger
	Cache    *cache.Cache
	Vault    *vault.Vault
	Customs  *provider.Customs
	Upstream *httptest.Server

	t      testing.TB
	cancel context.CancelCauseFunc
	server server
	stop   sync.Once
}

// server is what the fronts have in common.
type server interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
}

// New starts a gateway whose providers openai and anthropic live at handler. change alters the
// configuration before the start; nil: none.
func New(t testing.TB, handler http.HandlerFunc, change func(c *config.Config)) *Gateway {
	t.Helper()
	return Own.New(t, handler, change)
}

// NewOver is New with something over the log's index.
func NewOver(t testing.TB, over func(reqlog.Store) reqlog.Store, handler http.HandlerFunc) *Gateway {
	t.Helper()
	up := httptest.NewServer(handler)
	t.Cleanup(up.Close)
	g := Own.start(t, up.URL, nil, over)
	g.Upstream = up
	return g
}

// Start starts a gateway whose providers openai and anthropic live at base.
func Start(t testing.TB, base string, change func(c *config.Config)) *Gateway {
	t.Helper()
	return Own.Start(t, base, change)
}

// New is New over the front.
func (f Front) New(t testing.TB, handler http.HandlerFunc, change func(c *config.Config)) *Gateway {
	t.Helper()
	up := httptest.NewServer(handler)
	t.Cleanup(up.Close)
	g := f.Start(t, up.URL, change)
	g.Upstream = up
	return g
}

// Start is Start over the front.
func (f Front) Start(t testing.TB, base string, change func(c *config.Config)) *Gateway {
	t.Helper()
	return f.start(t, base, change, func(s reqlog.Store) reqlog.Store { return s })
}

func (f Front) start(t testing.TB, base string, change func(c *config.Config), over func(reqlog.Store) reqlog.Store) *Gateway {
	t.Helper()
	loaded, err := config.Load(config.Source{Flags: map[string]string{
		"data_dir": t.TempDir(), "providers.openai.base_url": base + "/v1", "providers.anthropic.base_url": base,
	}})
	if err != nil {
		t.Fatal(err)
	}
	c := &loaded.Config
	if change != nil {
		change(c)
	}
	table, err := provider.NewTable(c.Providers)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	index, err := logindex.Open(t.Context(), filepath.Join(c.DataDir, "index"), logindex.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{t: t, Memory: proxy.NewMemory(max(int64(c.Limits.MemoryBytes), 1<<20))}
	durability := map[string]reqlog.Durability{"strict": reqlog.Strict, "fsync": reqlog.Fsync}[c.Log.Durability]
	g.Log, err = reqlog.Open(t.Context(), reqlog.Options{
		Dir: filepath.Join(c.DataDir, "segments"), QueueBytes: int64(c.Log.QueueBytes), Durability: durability,
		FsyncEvery: c.Log.FsyncEvery, Budget: g.Memory, Logger: logger,
	}, over(index))
	if err != nil {
		t.Fatal(err)
	}
	rule, err := upstream.ParseRule(c.Upstream.PrivateHosts)
	if err != nil {
		t.Fatal(err)
	}
	client := upstream.New(upstream.Options{Transport: c.Upstream.Transport, IdlePerHost: c.Upstream.IdlePerHost, Rule: rule, Logger: logger})
	minter := credential.NewMinter(&upstream.Tripper{Doer: client, Private: true}, c.Vault.GoogleTokenURL)
	state := g.open(loaded, table, &rule, logger)
	g.Proxy = proxy.New(proxy.Options{
		Settings: proxy.NewSettings(c, g.Gateways.Snapshot(), table, price.Embedded()), Upstream: client, Log: g.Log, Logger: logger,
		Memory: g.Memory, SpoolDir: t.TempDir(), Spool: int64(c.Limits.SpoolBytes),
		Tokens: g.Tokens, Limits: g.Limits, Cache: g.Cache, Vault: g.Vault, Minter: minter, EnsureDefault: g.Gateways.EnsureDefault,
		Spend: g.Spend,
	})
	g.serve(f, c, logger)
	t.Cleanup(func() {
		g.Close()
		minter.Close()
		client.Close()
		for _, part := range append(state, closer{"log", func() error { return g.Log.Close(context.Background()) }}, closer{"index", index.Close}) {
			if err := part.close(); err != nil {
				t.Errorf("close %s: %v", part.name, err)
			}
		}
	})
	return g
}

// closer is a part that is to be closed.
type closer struct {
	name  string
	close func() error
}

// open opens gateways, tokens, counters and cache, and returns how they are closed, in order.
func (g *Gateway) open(loaded *config.Loaded, table *provider.Table, rule *upstream.Rule, logger *slog.Logger) []closer {
	t, c, ctx := g.t, &loaded.Config, context.WithoutCancel(g.t.Context())
	db, err := sqlstore.Open(ctx, filepath.Join(c.DataDir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	apply := func() {
		g.Proxy.SetSettings(proxy.NewSettings(c, g.Gateways.Snapshot(), table.With(g.Customs), price.Embedded()))
	}
	g.Gateways, err = gateway.Open(ctx, loaded, gateway.Options{Store: db, Logger: logger, Applied: func(*gateway.Snapshot) { apply() }})
	if err != nil {
		t.Fatal(err)
	}
	if g.Tokens, err = auth.Open(ctx, db, logger); err != nil {
		t.Fatal(err)
	}
	g.Vault, err = vault.Open(ctx, vault.Options{Store: db, Master: vault.Master{File: filepath.Join(c.DataDir, "master.key")}, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	g.Customs, err = provider.OpenCustoms(ctx, provider.CustomsOptions{Store: db, Sealer: g.Vault, Logger: logger, Allowed: rule.Names, Applied: apply})
	if err != nil {
		t.Fatal(err)
	}
	g.Spend = slots.OpenLedger(slots.LedgerOptions{Budgets: filepath.Join(c.DataDir, "budgets"), Holds: filepath.Join(c.DataDir, "reservations"), Logger: logger}, time.Now())
	g.Limits = slots.Open(slots.Options{Path: filepath.Join(c.DataDir, "limits"), Logger: logger})
	kept, err := answers.Open(answers.Options{Dir: filepath.Join(c.DataDir, "cache"), MemoryBytes: 16 << 20, DiskBytes: 64 << 20, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	g.Cache = cache.New(cache.Options{Store: kept, Budget: g.Memory, EntryBytes: int64(c.Cache.EntryBytes), Logger: logger})
	return []closer{
		{"cache", func() error { return g.Cache.Close(ctx) }},
		{"answers", func() error { return kept.Close(ctx) }},
		{"limits", g.Limits.Close},
		{"budgets", g.Spend.Close},
		{"vault", func() error { return g.Vault.Close(ctx) }},
		{"tokens", func() error { return g.Tokens.Close(ctx) }},
		{"database", db.Close},
	}
}

// Set gives the default gateway settings, as a PUT of the management API would: {"cache_ttl": 60}. Of what the
// reference wants to be said, the rest is off.
func (g *Gateway) Set(settings string) {
	g.t.Helper()
	all := map[string]any{
		"cache_ttl": nil, "cache_invalidate_on_update": false, "collect_logs": true, "rate_limiting_interval": nil, "rate_limiting_limit": nil,
	}
	if err := json.Unmarshal([]byte(settings), &all); err != nil {
		g.t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		g.t.Fatal(err)
	}
	body, err := gateway.ParseBody(text)
	if err == nil {
		_, err = g.Gateways.Update(g.t.Context(), "default", "default", body)
	}
	if err != nil {
		g.t.Fatalf("set %s: %v", settings, err)
	}
}

// serve listens on a free port of loopback.
func (g *Gateway) serve(f Front, c *config.Config, logger *slog.Logger) {
	l, err := (&net.ListenConfig{}).Listen(g.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	base, cancel := context.WithCancelCause(context.Background())
	g.cancel = cancel
	g.server = front.New(base, front.Options{
		Handler: g.Proxy, HeaderBytes: int(c.Limits.HeaderBytes), HeaderTime: c.Timeouts.Header, IdleTime: c.Timeouts.Keepalive,
		WriteTime: c.Timeouts.ClientWrite, Logger: logger,
	})
	if f == Std {
		g.server = &http.Server{Handler: front.NewStd(g.Proxy), BaseContext: func(net.Listener) context.Context { return base }, ReadHeaderTimeout: time.Minute}
	}
	g.URL = "http://" + l.Addr().String()
	go func() { _ = g.server.Serve(l) }() // ends with Close
}

// Abort ends running requests as a shutdown does whose grace is over.
func (g *Gateway) Abort() { g.cancel(proxy.ErrShutdown()) }

// Close stops the listener and waits for running requests.
func (g *Gateway) Close() {
	g.stop.Do(func() {
		g.cancel(proxy.ErrShutdown())
		if err := g.server.Shutdown(context.Background()); err != nil {
			g.t.Errorf("shut down: %v", err)
		}
	})
}

// Do sends a request to path below the default gateway and returns the answer with its body read.
// The body's error, if any, is returned too.
func (g *Gateway) Do(method, path string, header http.Header, body io.Reader) (*http.Response, []byte, error) {
	g.t.Helper()
	req, err := http.NewRequestWithContext(g.t.Context(), method, g.URL+"/v1/default/default/"+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	read, err := io.ReadAll(resp.Body)
	return resp, read, err
}

// Rows returns all logged exchanges, oldest first, running ones excluded.
func (g *Gateway) Rows() []reqlog.Row {
	g.t.Helper()
	page, err := g.Log.List(g.t.Context(), reqlog.Query{Account: "default", Limit: 1000})
	if err != nil {
		g.t.Fatal(err)
	}
	return page.Rows
}

// Row waits until one exchange has been logged, and returns it.
func (g *Gateway) Row() sluice.LogEntry {
	g.t.Helper()
	return g.WaitRows(1)[0].Entry
}

// WaitRows waits until n exchanges have been logged: a client sees the end of an answer before its
// exchange is settled.
func (g *Gateway) WaitRows(n int) []reqlog.Row {
	g.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		rows := g.Rows()
		if len(rows) == n {
			return rows
		}
		if len(rows) > n || time.Now().After(deadline) {
			g.t.Fatalf("%d rows are logged; want %d", len(rows), n)
		}
	}
}

// Body reads a stored body of row.
func (g *Gateway) Body(row reqlog.Row, side reqlog.Side) []byte {
	g.t.Helper()
	r, err := g.Log.Body(g.t.Context(), row, side)
	if err != nil {
		g.t.Fatalf("stored body: %v", err)
	}
	defer func() { _ = r.Close() }()
	all, err := io.ReadAll(r)
	if err != nil {
		g.t.Fatalf("stored body: %v", err)
	}
	return all
}

// testWriter writes to the test's log.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}
