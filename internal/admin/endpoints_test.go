package admin

import (
	"net/http"
	"slices"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/provider"
)

func TestEndpointsListWhatCanBeCalled(t *testing.T) {
	table, err := provider.NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(d *Deps) {
		settings := d.Settings
		d.Settings = func() *Settings { s := settings(); s.Providers = table.All(); return s }
	})
	b.made(http.MethodPost, accountPath+"/custom-providers", `{"name":"Mine","slug":"mine","base_url":"https://mine.example/v1","enable":true}`)
	b.made(http.MethodPost, gatewayPath+"/provider_configs", `{"alias":"default","default_config":true,"provider_slug":"openai","secret":"sk-1234567890"}`)
	v := resultOf[Endpoints](b, gatewayPath+"/endpoints")
	if v.Base != "http://gateway.test:8088/ai" || v.Universal != v.Base+"/v1/default/default" || len(v.Providers) != len(table.All())+1 {
		t.Fatalf("%+v", v)
	}
	of := func(slug string) ProviderView {
		i := slices.IndexFunc(v.Providers, func(p ProviderView) bool { return p.Slug == slug })
		if i < 0 {
			t.Fatalf("no %s in %+v", slug, v.Providers)
		}
		return v.Providers[i]
	}
	if p := of("openai"); p.URL != v.Universal+"/openai" || p.Instead != "https://api.openai.com/v1" || p.Keys != 1 || p.Keyless || p.Custom || !p.Enabled || p.Name != "OpenAI" {
		t.Errorf("%+v", p)
	}
	if p := of("custom-mine"); p.URL != v.Universal+"/custom-mine" || p.Instead != "https://mine.example/v1" || !p.Custom || !p.Enabled {
		t.Errorf("%+v", p)
	}
	if !of("echo").Keyless {
		t.Error("echo wants a key")
	}
	if a := resultOf[About](b, "/client/v4/about"); a != (About{Version: "1.2.3", Local: true, SignIn: true}) {
		t.Errorf("%+v", a)
	}
}

func TestHealthIsThatOfRealTraffic(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	if v := resultOf[map[string]any](b, gatewayPath+"/health"); len(v["providers"].([]any)) != 0 {
		t.Errorf("of nothing: %v", v)
	}
	for i := range 20 {
		e := recent(&b.ids)
		switch {
		case i == 0:
			e.Status, e.Success = 500, false
		case i < 3:
			e.Provider, e.Status, e.Success = "anthropic", 529, false
		case i == 3:
			e.Cache, e.Attempts = sluice.CacheHit, nil
		}
		for j := range e.Attempts {
			e.Attempts[j].Provider, e.Attempts[j].Status = e.Provider, e.Status
		}
		run(log, e, "{}", "{}")
	}
	v := resultOf[struct {
		Providers []struct {
			Provider, State  string
			Attempts, Errors int64
			ErrorRate        float64  `json:"error_rate"`
			P50              *float64 `json:"duration_p50"`
		}
	}](b, gatewayPath+"/health?range=5m")
	if len(v.Providers) != 2 {
		t.Fatalf("%+v", v)
	}
	if p := v.Providers[0]; p.Provider != "openai" || p.State != "degraded" || p.Attempts != 17 || p.Errors != 1 || p.ErrorRate < 0.05 || p.P50 == nil {
		t.Errorf("%+v", p)
	}
	if p := v.Providers[1]; p.Provider != "anthropic" || p.State != "failing" || p.Attempts != 2 || p.Errors != 2 || p.ErrorRate != 1 {
		t.Errorf("%+v", p)
	}
	b.fails(gatewayPath+"/health?range=never", http.StatusBadRequest, codeInvalid, "")
}
