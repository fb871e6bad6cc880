package gateway_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
)

func loadText(t *testing.T, text string) (*config.Loaded, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(config.Source{File: file})
}

// TestSpendLimitsOfAFile: they have the shape of the management API, in YAML or as JSON text.
func TestSpendLimitsOfAFile(t *testing.T) {
	const yaml = `
accounts:
  default:
    gateways:
      prod:
        spend_limits:
          rules:
            - {id: daily, limit: 10.000000001, window: 86400, hard: true, metadata: {user: {mode: partition}}}
      text:
        spend_limits: '{"rules":[{"id":"one","limit":1,"window":60}]}'
      none:
        spend_limits: null
`
	b := newBench(t, t.TempDir(), yaml)
	if err := gateway.Check(b.load(yaml)); err != nil {
		t.Fatal(err)
	}
	set := b.set
	of := func(id string) *sluice.Gateway {
		g, err := set.Snapshot().Gateway("default", id)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	if r := of("prod").Spend; len(r) != 1 || r[0].ID != "daily" || r[0].Limit != 10_000_000_001 || r[0].Per != 24*time.Hour || !r[0].Hard || len(r[0].Metadata) != 1 {
		t.Errorf("%+v", r)
	}
	if r := of("text").Spend; len(r) != 1 || r[0].ID != "one" {
		t.Errorf("%+v", r)
	}
	if g := of("none"); g.Spend != nil || g.SpendLimits != nil {
		t.Errorf("%+v", g)
	}
	if _, err := set.Update(t.Context(), "default", "prod", body(t, `{"cache_ttl":60}`)); sluice.KindOf(err) != sluice.KindConflict {
		t.Errorf("a change: %v", err)
	}
}

func TestSpendLimitsOfAFileAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"{rules: [{limit: 1}]}": "accounts.default.gateways.g.spend_limits.rules[0].window",
		"{rule: []}":            "accounts.default.gateways.g.spend_limits.rule",
		`'{"rules":[{"limit":1,"window":60,"hard":"maybe"}]}'`: "accounts.default.gateways.g.spend_limits.rules[0].hard",
		"[1]":        "accounts.default.gateways.g.spend_limits",
		"'not json'": "accounts.default.gateways.g.spend_limits",
		"{rules: [{limit: 1, window: 60}], rules: []}": "accounts.default.gateways.g.spend_limits",
		"{rules: [{limit: .inf, window: 60}]}":         "accounts.default.gateways.g.spend_limits",
	} {
		loaded, err := loadText(t, "accounts: {default: {gateways: {g: {spend_limits: "+text+"}}}}\n")
		if err == nil {
			err = gateway.Check(loaded)
		}
		problems, ok := errors.AsType[*config.Errors](err)
		if !ok || len(problems.List) != 1 || problems.List[0].Path != want || !strings.Contains(problems.List[0].Where, ":1") {
			t.Errorf("%s: %+v, want %s", text, problems, want)
		}
	}
}
