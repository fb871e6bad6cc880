package app

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// reloadState tells how the last reload went.
type reloadState struct {
	mu      sync.Mutex
	at      time.Time // of the last attempt; zero: there was none
	err     string    // why the old settings are still in force; "": they are not
	pending []string  // settings that changed and need a restart
}

func (s *reloadState) set(err string, pending []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.err, s.pending = time.Now(), err, pending
}

func (s *reloadState) get() (at time.Time, err string, pending []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.err, s.pending
}

// watch starts what runs beside the listeners: reloading, and the caller's look at each entry.
func (a *App) watch(ctx context.Context) {
	changed := make(chan struct{}, 1)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	if file := a.loaded.Load().File; file != "" {
		a.running.Go(func() {
			err := config.Watch(ctx, file, func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			})
			if err != nil && ctx.Err() == nil {
				a.logger.WarnContext(ctx, "the configuration file is not watched: send SIGHUP to reload", "error", err)
			}
		})
	}
	a.running.Go(func() {
		defer signal.Stop(hup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
			case <-changed:
			}
			a.reload()
		}
	})
	a.running.Go(func() { a.refreshPrices(ctx) })
	a.running.Go(func() { a.trimAudit(ctx) })
	a.running.Go(func() { a.estimates.Run(ctx, a.log) })
	if a.options.OnEntry != nil {
		a.running.Go(func() { a.follow(ctx) })
	}
}

// trimAudit removes old entries of the audit log, at the start and each hour.
func (a *App) trimAudit(ctx context.Context) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		if err := a.audit.Trim(ctx, a.loaded.Load().Config.Audit.MaxAge, time.Now()); err != nil && ctx.Err() == nil {
			a.logger.ErrorContext(ctx, "old entries of the audit log stay", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-hourly.C:
		}
	}
}

// follow shows the caller each entry from here on.
func (a *App) follow(ctx context.Context) {
	for record, err := range a.log.Follow(ctx, a.log.Head()) {
		if err == nil && record.Kind == reqlog.KindEntry && !record.CountOnly && !record.Corrects {
			a.tell(ctx, &record.Entry)
		}
	}
}

// tell shows the caller one entry. What it holds is anybody's text, so a panic costs this entry's line only.
func (a *App) tell(ctx context.Context, e *sluice.LogEntry) {
	defer func() {
		if cause := recover(); cause != nil {
			a.logger.ErrorContext(ctx, "panic while an entry was shown", "id", e.ID.String(), "cause", fmt.Sprint(cause))
		}
	}()
	a.options.OnEntry(e)
}

// reload reads the configuration again. A broken one keeps the old settings, and says so in the log
// and in status.
func (a *App) reload() {
	loaded, err := config.Load(a.options.Source)
	if err != nil {
		a.refuse(err)
		return
	}
	table, err := provider.NewTable(loaded.Config.Providers)
	if err != nil {
		a.refuse(err)
		return
	}
	if err := gateway.Check(loaded); err != nil {
		a.refuse(err)
		return
	}
	own, err := PriceOverrides(loaded.Config.Prices.Models)
	if err != nil {
		a.refuse(err)
		return
	}
	for _, f := range a.servers {
		if f.cert != nil {
			if err := f.cert.load(); err != nil {
				a.refuse(err)
				return
			}
		}
	}
	if !sameOIDC(&loaded.Config, &a.loaded.Load().Config) {
		if err := a.setOIDC(&loaded.Config); err != nil {
			a.refuse(err)
			return
		}
	}
	pending := needRestart(loaded.Config.Diff(a.first))
	a.loaded.Store(loaded)
	a.expose(&loaded.Config)
	a.table.Store(table)
	a.prices.Override(own)
	a.gateways.Configure(loaded) // applies all of it
	select {
	case a.priceNow <- struct{}{}:
	default: // it is about to be read
	}
	a.view.Store(viewSettings(&loaded.Config, table, a.customs))
	a.log.SetRetention(retention(&loaded.Config))
	if err := a.level.UnmarshalText([]byte(loaded.Config.Log.Level)); err != nil {
		a.logger.Error("log level", "error", err) // validated: cannot happen
	}
	a.reloads.set("", pending)
	a.logger.Info("configuration reloaded", "file", loaded.File, "need_restart", strings.Join(pending, " "))
}

func (a *App) refuse(err error) {
	a.reloads.set(err.Error(), nil)
	a.logger.Error("the configuration is not valid: the old one stays in force", "error", err)
}

// needRestart picks the settings that are read at the start only.
func needRestart(changes []config.Change) []string {
	var pending []string
	for _, c := range changes {
		if c.Restart {
			pending = append(pending, c.Path)
		}
	}
	return pending
}

// debug serves profiles on the address in SLUICE_DEBUG_PPROF, which must be loopback.
func (a *App) debug(ctx context.Context) {
	addr := ""
	for _, entry := range a.options.Source.Env {
		if v, ok := strings.CutPrefix(entry, "SLUICE_DEBUG_PPROF="); ok {
			addr = v
		}
	}
	if addr == "" {
		return
	}
	if !strings.HasPrefix(addr, "127.0.0.1:") && !strings.HasPrefix(addr, "[::1]:") {
		a.logger.ErrorContext(ctx, "SLUICE_DEBUG_PPROF must be a loopback address, such as 127.0.0.1:6060")
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/profile", profileCPU)
	mux.HandleFunc("/debug/pprof/heap", profileHeap)
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	a.running.Go(func() {
		if err := server.ListenAndServe(); err != nil && ctx.Err() == nil {
			a.logger.ErrorContext(ctx, "profiles are not served", "error", err)
		}
	})
	a.running.Go(func() {
		<-ctx.Done()
		_ = server.Close() // nothing to be done about it
	})
}

// profileCPU answers with a profile of so many seconds, 30 where the query has none.
func profileCPU(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("seconds"), "30"))
	if err != nil || seconds < 1 || seconds > 600 {
		http.Error(w, "seconds must be from 1 to 600", http.StatusBadRequest)
		return
	}
	if err := pprof.StartCPUProfile(w); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	defer pprof.StopCPUProfile()
	select {
	case <-r.Context().Done():
	case <-time.After(time.Duration(seconds) * time.Second):
	}
}

// profileHeap answers with what lies on the heap.
func profileHeap(w http.ResponseWriter, _ *http.Request) {
	_ = pprof.WriteHeapProfile(w) // fails when the caller left
}
