package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/demo"
)

// demoFlags say what demo is to make up.
type demoFlags struct {
	dataDir, listen, basePath string
	seed                      uint64
	requests                  int
	still, noOpen             bool
}

// demoCommand serves a day of made-up traffic.
func (a *commands) demoCommand() *cobra.Command {
	var f demoFlags
	c := a.command("demo", "Run the gateway with a day of made-up traffic to look around in (local)", func(cmd *cobra.Command, _ []string) error {
		return a.demo(cmd.Context(), f)
	})
	c.Args = args(0, 0)
	c.Long = "Some applications that never were have called for a day, and go on calling while you look; a provider in the process\n" +
		"answers them, so that nothing leaves this machine and no key is needed. All of it is gone at the end, unless --data-dir\n" +
		"keeps it. Equal seeds make equal days."
	c.Example = "sluice demo\nsluice demo --listen 127.0.0.1:9000 --still --seed 7\nsluice demo --data-dir ./demo-data"
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.dataDir, "data-dir", "", "`directory` to keep the made-up traffic in; without it a temporary one")
	flags.StringVar(&f.listen, "listen", "127.0.0.1:8088", "`address` to listen on")
	flags.StringVar(&f.basePath, "base-path", "", "path `prefix` that a reverse proxy in front leaves on")
	flags.Uint64Var(&f.seed, "seed", 1, "`number` that the day is made from")
	flags.IntVar(&f.requests, "requests", 6000, "about how many requests the day has")
	flags.BoolVar(&f.still, "still", false, "no more calls while you look")
	flags.BoolVar(&f.noOpen, "no-open", false, "do not open the dashboard in a browser")
	return c
}

// demoPace is about the time between two calls while somebody looks.
const demoPace = 2 * time.Second

// demoRequests bounds the day: it is made in memory.
const demoRequests = 200_000

func (a *commands) demo(ctx context.Context, f demoFlags) error {
	if f.requests < 1 || f.requests > demoRequests {
		return usage("--requests is %d: it is 1 to %d", f.requests, demoRequests)
	}
	dir := f.dataDir
	if dir == "" {
		temporary, err := os.MkdirTemp("", "sluice-demo-")
		if err != nil {
			return fmt.Errorf("make a directory for the demo: %w", err)
		}
		defer func() { _ = os.RemoveAll(temporary) }() // what is left is the system's to clear away
		dir = filepath.Join(temporary, "data")
	}
	began := time.Now()
	err := demo.Fill(ctx, demo.Options{DataDir: dir, Seed: f.seed, Now: began, Requests: f.requests, Logger: slog.New(slog.DiscardHandler)})
	if errors.Is(err, demo.ErrNotEmpty) {
		return &failure{code: exitConflict, err: err, hint: "name a directory that does not exist yet: --data-dir ./demo-data"}
	}
	if err != nil {
		return err
	}
	return a.demoServe(ctx, f, dir)
}

// demoServe runs the gateway over the made-up day, with the made-up provider behind it.
func (a *commands) demoServe(ctx context.Context, f demoFlags, dir string) error {
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the made-up provider: %w", err)
	}
	provider := &http.Server{Handler: demo.Provider(), ReadHeaderTimeout: 10 * time.Second}
	beside.Go(func() { _ = provider.Serve(listener) }) // ends with Close
	defer func() { _ = provider.Close() }()            // its callers are gone
	file, err := demoConfig(dir, listener.Addr().String())
	if err != nil {
		return err
	}
	source := config.Source{File: file, Env: a.Environ, Flags: map[string]string{"listen": f.listen, "data_dir": dir}}
	if f.basePath != "" {
		source.Flags["base_path"] = f.basePath
	}
	loaded, err := config.Load(source)
	if err != nil {
		return err
	}
	o := app.Options{Source: source, Stdout: a.Stdout, Stderr: a.Stderr, Version: a.Version, Demo: true}
	o.Ready = func(at app.Addrs) {
		base := schemeOf(at.TLS) + "://" + reachable(at.Listen) + at.BasePath
		beside.Go(func() { a.demoGoOn(ctx, f, base, loaded.Config.AdminToken) })
		if a.flags.quiet {
			return
		}
		_ = a.write(fmt.Sprintf("sluice %s   made-up traffic, seed %d, in %s\n  Dashboard   %s%s\nEverything there is made up. Ctrl-C ends it.\n", a.Version, f.seed, dir, base, pagesPath))
	}
	if a.OutTerminal && !a.flags.quiet {
		o.OnEntry = a.accessLines()
	}
	return explainServe(app.Run(ctx, o))
}

// demoConfig writes the configuration file of a demo: its providers' addresses lead to the made-up one.
func demoConfig(dir, provider string) (file string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by sluice demo, anew at each start.\nlog:\n  metadata: [%s]\nproviders:\n", demo.MetadataKey)
	for _, slug := range demo.Providers() {
		fmt.Fprintf(&b, "  %s:\n    base_url: http://%s/%s\n", slug, provider, slug)
	}
	file = filepath.Join(dir, "sluice.yaml")
	return file, os.WriteFile(file, []byte(b.String()), 0o600)
}

// demoGoOn makes what the applications need, opens the dashboard, and goes on calling until ctx ends.
func (a *commands) demoGoOn(ctx context.Context, f demoFlags, base string, token sluice.Secret) {
	api, err := client.New(client.Options{URL: base, Token: token, Account: "default", Gateway: "default", Agent: "sluice/" + a.Version})
	if err == nil {
		err = demo.SetUp(ctx, api)
		api.Close()
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(a.Stderr, "%s %s\n", a.paint(a.ErrTerminal, yellow, a.sign("⚠")), printable(err.Error(), false))
	}
	if !f.noOpen {
		a.browse(ctx, base+pagesPath)
	}
	if !f.still {
		demo.Drive(ctx, base+"/v1/default", f.seed, demoPace)
	}
}
