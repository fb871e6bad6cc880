package price

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// list writes a catalogue of one provider's rows.
func list(date string, rows ...string) string {
	return fmt.Sprintf(`{"schema":1,"version":"t","date":%q,"sources":["by hand"],"providers":[{"id":"p","models":[%s]}]}`, date, strings.Join(rows, ","))
}

func row(name string) string { return rowAt(name, 1_000_000_000) }

func rowAt(name string, input int64) string {
	return fmt.Sprintf(`{"model":%q,"source":0,"as_of":"2026-01-02","prices":[{"rates":{"input":%d}}]}`, name, input)
}

func mustParse(t *testing.T, text string) *Catalogue {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseReadsAllThatTheFormHas(t *testing.T) {
	c := mustParse(t, `{
		"schema": 1, "version": "v\u00fc", "date": "2026-11-24", "sources": ["a", "b"],
		"providers": [
			{"id": "q", "models": [{"model": "x", "source": 1, "as_of": "2026-01-02", "prices": [{"rates": {"requests": 0}}]}]},
			{"id": "p", "like": ["q"], "strip": ["p/", "eu."],
			 "factors": [{"when": "tier", "is": "flex", "times": "0.5", "on": "tokens", "models": ["m*"]},
			             {"when": "search_context", "is": "low", "times": "5/12", "on": "requests"}],
			 "models": [{"model": "m", "aliases": ["n"], "match": ["m-*", "!m-not"], "source": 0, "as_of": "2026-01-02", "note": "why",
			   "prices": [{"rates": {"input": 2, "output": 1125899906842624}},
			              {"from": "2026-06-01", "hours": ["22:00-02:00"], "least_ms": 10, "rates": {"input": 3, "milliseconds": 7},
			               "tiers": [{"above": 10, "rates": {"input": 4}}, {"above": 20, "rates": {"input": 5}}]}]}]}
		]}`)
	if c.Version() != "vü" || c.Len() != 2 || !c.Date().Equal(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("version %q, %d models, %s", c.Version(), c.Len(), c.Date())
	}
	input := func(at string) int64 {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		p, _, _ := c.Find("p", "eu.n", when)
		n, _ := p.Rate(0)
		return n
	}
	for at, want := range map[string]int64{
		"2026-05-31T23:00:00Z": 2, "2026-06-01T00:00:00Z": 3, "2026-06-01T01:59:59Z": 3, "2026-06-01T02:00:00Z": 2,
		"2026-06-01T21:59:00Z": 2, "2026-06-01T22:00:00Z": 3, "2026-06-02T00:30:00+02:00": 3,
	} {
		if got := input(at); got != want {
			t.Errorf("at %s input costs %d; want %d", at, got, want)
		}
	}
	p, m, ok := c.Find("p", "m-7", noon.Add(11*time.Hour))
	if !ok || m.How != HowPattern || m.Model.Note != "why" || m.Model.Source != "a" || m.Model.AsOf != "2026-01-02" {
		t.Fatalf("found %+v by %s", m.Model, m.How)
	}
	if got := fmt.Sprint(p.Thresholds()); got != "[10 20]" {
		t.Errorf("thresholds %s", got)
	}
	if n, ok := p.RateAbove(10, 0); n != 4 || !ok {
		t.Errorf("above 10 input costs %d, %v", n, ok)
	}
	if _, _, ok := c.Find("p", "m-not", noon); ok {
		t.Error("an excluded name was found")
	}
	if _, m, ok := c.Find("p", "x", noon); !ok || m.Model.Provider != "q" || m.Model.Source != "b" {
		t.Error("the provider that it is like was not asked")
	}
}

func TestParseRefusesWhatIsNotWhole(t *testing.T) {
	good := list("2026-11-24", row("a"))
	mustParse(t, good)
	for cut := range len(good) {
		if _, err := Parse([]byte(good[:cut])); err == nil {
			t.Fatalf("accepted %s", good[:cut])
		}
	}
	for name, change := range map[string][2]string{
		"other schema":       {`"schema":1`, `"schema":2`},
		"no version":         {`"version":"t"`, `"version":""`},
		"no date":            {`"date":"2026-11-24",`, ``},
		"date of nowhere":    {`2026-11-24`, `2026-13-24`},
		"unknown key":        {`"version"`, `"colour":1,"version"`},
		"key twice":          {`"version":"t"`, `"version":"t","version":"t"`},
		"price with a point": {`1000000000`, `1.5`},
		"price below zero":   {`1000000000`, `-1`},
		"price as text":      {`1000000000`, `"1"`},
		"price as null":      {`1000000000`, `null`},
		"exponent":           {`1000000000`, `1e9`},
		"leading zero":       {`1000000000`, `01`},
		"absurd price":       {`1000000000`, `1125899906842625`},
		"overflow":           {`1000000000`, `99999999999999999999`},
		"unknown class":      {`"input"`, `"inputs"`},
		"no rates":           {`{"rates":{"input":1000000000}}`, `{"rates":{}}`},
		"no prices":          {`{"rates":{"input":1000000000}}`, ``},
		"no source":          {`"source":0`, `"source":1`},
		"no day":             {`2026-01-02`, `yesterday`},
		"model twice":        {row("a"), row("a") + "," + row("a")},
		"alias taken":        {`"model":"a"`, `"model":"b","aliases":["a"],"source":0,"as_of":"2026-01-02","prices":[{"rates":{"input":1}}]},{"model":"a"`},
		"no models":          {row("a"), ``},
		"provider twice":     {`"providers":[`, `"providers":[{"id":"p"},`},
		"provider unnamed":   {`"id":"p",`, ``},
		"like nobody":        {`"id":"p",`, `"id":"p","like":["q"],`},
		"tiers that fall":    {`"rates":{"input":1000000000}}`, `"rates":{"input":1},"tiers":[{"above":2,"rates":{"input":1}},{"above":2,"rates":{"input":1}}]}`},
		"tier at zero":       {`"rates":{"input":1000000000}}`, `"rates":{"input":1},"tiers":[{"above":0,"rates":{"input":1}}]}`},
		"hours of no day":    {`"rates":{"input":1000000000}}`, `"rates":{"input":1},"hours":["25:00-26:00"]}`},
		"factor of nothing":  {`"id":"p",`, `"id":"p","factors":[{"when":"tier","is":"x","times":"0"}],`},
		"factor when":        {`"id":"p",`, `"id":"p","factors":[{"when":"rain","is":"x","times":"2"}],`},
		"factor on":          {`"id":"p",`, `"id":"p","factors":[{"when":"tier","is":"x","times":"2","on":"images"}],`},
		"control character":  {`"t"`, "\"\t\""},
		"bad UTF-8":          {`"t"`, "\"\xff\""},
		"bad escape":         {`"t"`, `"\q"`},
		"something follows":  {`]}]}`, `]}]}x`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s changes nothing", name)
		}
		if _, err := Parse([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "price list: ") {
			t.Errorf("%s: error %v for %s", name, err, bad)
		}
	}
	if _, err := Parse(make([]byte, MaxBytes+1)); err == nil {
		t.Error("accepted a list beyond the bound")
	}
	if _, err := Parse([]byte(strings.Repeat("[", 1<<20))); err == nil {
		t.Error("accepted deep nothing")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(list("2026-11-24", row("a"), rowAt("b-*", 0))))
	f.Add([]byte(`{"schema":1,"version":"v","date":"2026-11-24","sources":["s"],"providers":[{"id":"p","strip":["a*/"],"factors":[{"when":"geo","is":"us","times":"1.1"}],"models":[{"model":"m","aliases":["n"],"match":["m*","!mm#"],"source":0,"as_of":"2026-01-02","prices":[{"from":"2026-06-01","hours":["22:00-02:00"],"least_ms":1,"rates":{"requests":0},"tiers":[{"above":1,"rates":{"pages":1}}]}]}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatal("accepted what is no JSON")
		}
		n := 0
		for m := range c.Models() {
			n++
			if _, got, _ := c.Find(m.Provider, m.Name, noon); got.Model != m {
				t.Fatalf("%s/%s does not find itself", m.Provider, m.Name)
			}
		}
		if n != c.Len() || c.AcceptOver(c) != nil {
			t.Fatalf("%d models of %d, over itself: %v", n, c.Len(), c.AcceptOver(c))
		}
	})
}
