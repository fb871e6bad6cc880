package admin

import (
	"encoding/json"
	"fmt"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/price"
)

// TestSumsOfCostsAreThoseOfTheRows: with charges of other models and attempts that failed, in either shape.
func TestSumsOfCostsAreThoseOfTheRows(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	used := func(in, out int64) sluice.Usage {
		u := sluice.Usage{Basis: sluice.BasisProvider}
		u.Set(sluice.Input, in)
		u.Set(sluice.Output, out)
		return u
	}
	var sum sluice.NanoUSD
	var advised string
	for i := range int64(8) {
		e := recent(&b.ids)
		e.Provider, e.Model, e.Served, e.Usage = "anthropic", "claude-haiku-4-5", "", used(100+i, 7)
		e.Attempts = []sluice.Attempt{{Provider: "anthropic", Model: e.Model, Status: 200, Usage: e.Usage}}
		if i%2 == 0 {
			e.Charges = []sluice.Charge{{Model: "claude-opus-5", Usage: used(50, i)}}
			advised = e.ID.String()
		}
		if i%3 == 0 {
			failed := sluice.Attempt{Provider: "anthropic", Model: "claude-sonnet-4-6", Status: 200, Cause: "error_event", Usage: used(30+i, 1)}
			e.Attempts = append([]sluice.Attempt{failed}, e.Attempts...)
		}
		if i == 7 {
			e.Charges = []sluice.Charge{{Model: "nobody", Usage: used(1, 1)}}
		}
		price.Embedded().Settle(&e, price.Reported{}, nil)
		if e.Priced != (i != 7) {
			t.Fatalf("row %d: %d, %t", i, e.Cost, e.Priced)
		}
		sum += e.Cost
		run(log, e, "{}", "{}")
	}
	want := price.Decimal(sum)
	got := b.analytics("range=15m&interval=none&metric=cost,unpriced")
	series := got["series"].([]any)
	if total := series[0].(map[string]any)["total"]; fmt.Sprint(total) != want || fmt.Sprint(got["unpriced"]) != "1" {
		t.Errorf("analytics: %v, unpriced %v; want %s and 1", total, got["unpriced"], want)
	}
	for _, basis := range []string{"requests", "attempts"} {
		var total sluice.NanoUSD
		v := b.call(logsPath + "?per_page=100&fields=cost,charges&basis=" + basis)
		var rows []struct {
			Cost    *json.Number
			Charges []json.RawMessage
		}
		if err := json.Unmarshal(v.Result, &rows); err != nil {
			t.Fatal(err)
		}
		charged := 0
		for _, row := range rows {
			charged += len(row.Charges)
			if row.Cost != nil {
				cost, _ := price.ReportedUSD(row.Cost.String())
				total += cost
			}
		}
		if price.Decimal(total) != want || charged != 5 {
			t.Errorf("by %s, %d rows cost %s and have %d charges; want %s and 5", basis, len(rows), price.Decimal(total), charged, want)
		}
	}
	v := b.call(logsPath + "/" + advised)
	var detail struct{ Charges json.RawMessage }
	if err := json.Unmarshal(v.Result, &detail); err != nil || string(detail.Charges) != `[{"model":"claude-opus-5","service_tier":null,"usage":{"basis":"provider","input":50,"output":6},"cost":0.0004}]` {
		t.Errorf("%s, %v", detail.Charges, err)
	}
}
