package price

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/sluicehq/sluice"
)

// reviewed is reviewed.json, as far as the catalogue must agree with it.
type reviewed struct {
	Aliases []struct {
		Provider, Model, Reason string
		Names                   []string
	}
	Kept []struct{ Provider, Model, Holds, Reason string }
	Rows []struct {
		Provider, Model, From, Source, Reason string
		AsOf                                  string `json:"as_of"`
		Aliases                               []string
		USD                                   map[string]string
		Tiers                                 []struct {
			Above int64
			USD   map[string]string
		}
	}
}

// TestTheListHasWhatWasReviewed finds a catalogue that was made from another reviewed.json.
func TestTheListHasWhatWasReviewed(t *testing.T) {
	text, err := os.ReadFile("reviewed.json")
	if err != nil {
		t.Fatal(err)
	}
	var list reviewed
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	c := Embedded()
	at := c.Date().Add(12 * time.Hour)
	for _, r := range list.Rows {
		if r.Source == "" || r.Reason == "" || !isDay(r.AsOf) {
			t.Errorf("%s/%s: source %q, reason %q, as of %q", r.Provider, r.Model, r.Source, r.Reason, r.AsOf)
		}
		for _, name := range append([]string{r.Model}, r.Aliases...) {
			p, m, ok := c.Find(r.Provider, name, at)
			if !ok || m.Model.Name != r.Model || m.Model.Source != r.Source {
				t.Errorf("%s/%s finds %+v", r.Provider, name, m.Model)
				continue
			}
			agree(t, r.Provider+"/"+name, r.USD, p.Rate)
			for _, tier := range r.Tiers {
				agree(t, r.Provider+"/"+name, tier.USD, func(c sluice.Class) (int64, bool) { return p.RateAbove(tier.Above, c) })
			}
			if len(p.Thresholds()) != len(r.Tiers) {
				t.Errorf("%s/%s has thresholds %d", r.Provider, name, p.Thresholds())
			}
		}
		if r.From == "" {
			continue
		}
		from, err := time.Parse(time.DateOnly, r.From)
		if err != nil {
			t.Fatal(err)
		}
		if before, _, ok := c.Find(r.Provider, r.Model, from.Add(-time.Second)); !ok {
			t.Errorf("%s/%s has no price before %s: %v", r.Provider, r.Model, r.From, before)
		}
	}
	for _, k := range list.Kept {
		if _, m, ok := c.Find(k.Provider, k.Model, at); !ok || k.Reason == "" || k.Holds != "package" || m.Model.AsOf != "2026-09-23" {
			t.Errorf("%s/%s: found %+v", k.Provider, k.Model, m.Model)
		}
	}
	for _, a := range list.Aliases {
		for _, name := range a.Names {
			if _, m, ok := c.Find(a.Provider, name, at); !ok || m.Model.Name != a.Model {
				t.Errorf("%s/%s finds %+v", a.Provider, name, m.Model)
			}
		}
	}
	if len(list.Rows) < 100 || len(list.Kept) < 20 {
		t.Errorf("%d rows, %d kept", len(list.Rows), len(list.Kept))
	}
}

// agree compares prices in dollars with a row's.
func agree(t *testing.T, name string, usd map[string]string, rate func(sluice.Class) (int64, bool)) {
	t.Helper()
	for unit, text := range usd {
		c, per, ok := peopleUnit(unit, meters())
		want, even := nanoRate(c, text, per)
		if got, listed := rate(c); !ok || !even || !listed || got != want {
			t.Errorf("%s: %s is %d, %v; want %d", name, unit, got, listed, want)
		}
	}
}
