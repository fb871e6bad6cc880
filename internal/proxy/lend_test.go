package proxy

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
	"github.com/sluicehq/sluice/internal/store/sqlstore"
	"github.com/sluicehq/sluice/internal/vault"
)

// TestAKeyGoesToTheHostsItWasStoredFor: of the keys of an alias, only those that name the host of the call.
func TestAKeyGoesToTheHostsItWasStoredFor(t *testing.T) {
	dir := t.TempDir()
	db, err := sqlstore.Open(t.Context(), filepath.Join(dir, "sluice.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	v, err := vault.Open(t.Context(), vault.Options{Store: db, Master: vault.Master{File: filepath.Join(dir, "master.key")}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.Close(context.WithoutCancel(t.Context())) }()
	for secret, hosts := range map[string][]string{"az-mine": {"mine.openai.azure.com"}, "az-theirs": {"theirs.openai.azure.com", "third.example:8443"}, "az-nowhere": nil} {
		n := vault.New{Account: "default", Gateway: "default", Provider: "azure-openai", Secret: sluice.NewSecret(secret), Hosts: hosts, Weight: 1}
		if _, err := v.Create(t.Context(), n, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	table, err := provider.NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	azure, _ := table.Find("azure-openai")
	for host, want := range map[string]string{
		"mine.openai.azure.com": "az-mine", "MINE.openai.azure.com": "az-mine", "third.example:8443": "az-theirs",
		"third.example": "", "mine.openai.azure.com.evil.example": "", "evil.example": "", "": "",
	} {
		x := &exchange{}
		x.proxy, x.gateway, x.trusted = &Proxy{vault: v}, &sluice.Gateway{Account: "default", ID: "default"}, true
		s := step{provider: azure, target: provider.Target{Scheme: "https", Host: host}}
		err := x.lend(&s, nil, -1)
		if want == "" {
			if sluice.KindOf(err) != sluice.KindForbidden || s.lent != nil && len(s.lent.not) < 3 {
				t.Errorf("%s: %v", host, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		x.step = s
		for range 20 {
			if c, _ := x.choose(t.Context(), true); c == nil || c.Secret().Reveal() != want {
				t.Fatalf("%s: %v", host, c)
			}
		}
	}
}
