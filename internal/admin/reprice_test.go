package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/job"
	"github.com/sluicehq/sluice/internal/price"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// repriced is what a re-pricing says of itself, in numbers.
type repriced struct {
	Requests, Changed, Priced, Same, Kept, Custom, Reported, Unknown int64
	Before                                                           int64 `json:"nano_usd_before"`
	After                                                            int64 `json:"nano_usd_after"`
	Delta                                                            int64 `json:"nano_usd_delta"`
}

// priceBench is a log with calls of all kinds of costs, and jobs over it.
type priceBench struct {
	*bench
	log       *reqlog.Log
	catalogue atomic.Pointer[price.Catalogue]
}

// paidCall makes an entry that has used 1,000 input and 100 output tokens.
func paidCall(ids *sluice.IDs, model string) sluice.LogEntry {
	e := recent(ids)
	e.Provider, e.Model, e.Served = "openai", model, model
	e.Attempts, e.Charges = nil, nil
	e.Usage = sluice.Usage{Basis: sluice.BasisProvider}
	e.Usage.Set(sluice.Input, 1000)
	e.Usage.Set(sluice.Output, 100)
	e.Attempts = append(e.Attempts, sluice.Attempt{Provider: "openai", Model: model, Status: 200, Usage: e.Usage})
	return e
}

func newPriceBench(t *testing.T, entries func(ids *sluice.IDs) []sluice.LogEntry) *priceBench {
	t.Helper()
	log, _ := openReal(t, t.TempDir())
	b := &priceBench{log: log}
	b.catalogue.Store(price.Embedded())
	jobs := newJobs(t, JobKinds(log, func(string) *price.Catalogue { return b.catalogue.Load() })...)
	b.bench = newBench(t, func(d *Deps) { d.Log, d.Jobs = log, jobs })
	for _, e := range entries(&b.ids) {
		run(log, e, "{}", "{}")
	}
	return b
}

// prices are those of the tests: 10 USD for a million input tokens, 20 for output.
func (b *priceBench) prices(models ...string) {
	b.t.Helper()
	var over []price.Override
	for _, model := range models {
		o, err := price.NewOverride("openai", model, "", "", map[string]string{"input": "10", "output": "20"})
		if err != nil {
			b.t.Fatal(err)
		}
		over = append(over, o)
	}
	b.catalogue.Store(price.Embedded().With(over))
}

func (b *priceBench) reprice(what string) repriced {
	b.t.Helper()
	v := b.send(http.MethodPost, logsPath+"/reprice", what)
	if v.status != http.StatusOK {
		b.t.Fatalf("%d %+v", v.status, v.Errors)
	}
	j := b.ended(v.object(b.t)["id"].(string))
	if j["state"] != string(job.Done) {
		b.t.Fatalf("%v", j)
	}
	text, err := json.Marshal(j["result"])
	if err != nil {
		b.t.Fatal(err)
	}
	var r repriced
	if err := json.Unmarshal(text, &r); err != nil {
		b.t.Fatal(err)
	}
	return r
}

// costs are the costs of all rows, oldest first, and their sum by the roll-ups.
func (b *priceBench) costs() (rows []string, sum sluice.NanoUSD, priced int64) {
	b.t.Helper()
	page, err := b.log.List(b.t.Context(), reqlog.Query{Account: "default", Limit: 1000})
	if err != nil {
		b.t.Fatal(err)
	}
	for i := range page.Rows {
		e := &page.Rows[i].Entry
		rows = append(rows, fmt.Sprint(e.Cost, e.Priced, e.CostBasis, len(e.Attempts)))
	}
	totals, err := b.log.Totals(b.t.Context(), reqlog.TotalsQuery{Account: "default", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour)})
	if err != nil || len(totals) != 1 {
		b.t.Fatal(totals, err)
	}
	return rows, totals[0].Cost, totals[0].Priced
}

func TestRepricingMakesCostsAnew(t *testing.T) {
	b := newPriceBench(t, func(ids *sluice.IDs) []sluice.LogEntry {
		priced, unpriced := paidCall(ids, "gpt-4.1-mini"), paidCall(ids, "mystery-1")
		custom, reported, cached, failed := paidCall(ids, "gpt-4.1-mini"), paidCall(ids, "gpt-4.1-mini"), paidCall(ids, "gpt-4.1-mini"), paidCall(ids, "gpt-4.1-mini")
		failed.Attempts = append([]sluice.Attempt{{Provider: "openai", Model: "gpt-4.1-mini", Cause: "cut", Usage: failed.Usage}}, failed.Attempts...)
		cached.Cache, cached.Usage.Basis, cached.Attempts = sluice.CacheHit, sluice.BasisCached, nil
		unused := paidCall(ids, "gpt-4.1-mini")
		unused.Usage, unused.Attempts = sluice.Usage{}, nil
		entries := []sluice.LogEntry{priced, unpriced, cached, failed, unused}
		for i := range entries {
			price.Embedded().Settle(&entries[i], price.Reported{}, nil)
		}
		custom.Cost, custom.Priced, custom.CostBasis = 42, true, sluice.CostCustom
		reported.Cost, reported.Priced, reported.CostBasis = 43, true, sluice.CostReported
		return append(entries, custom, reported)
	})
	// By the catalogue 0.4 and 1.6 USD: 400,000 and 160,000 nano-USD a call.
	const old, now = 560_000, 1000*10_000 + 100*20_000
	before, sum, priced := b.costs()
	if sum != 3*old+42+43 || priced != 5 {
		t.Fatalf("%d of %d priced: %v", sum, priced, before)
	}
	if got, want := b.reprice("{}"), (repriced{Requests: 7, Same: 3, Unknown: 2, Custom: 1, Reported: 1}); got != want {
		t.Errorf("by the same prices: %+v, want %+v", got, want)
	}

	b.prices("gpt-4.1-mini", "mystery-1")
	// The first, the one without a price, and the one of two attempts; the cached one in what it has saved.
	want := repriced{Requests: 7, Changed: 4, Priced: 1, Unknown: 1, Custom: 1, Reported: 1, Before: 3 * old, After: 4 * now, Delta: 4*now - 3*old}
	if got := b.reprice(`{"dry_run":true}`); got != want {
		t.Errorf("dry: %+v, want %+v", got, want)
	}
	if rows, s, _ := b.costs(); s != sum || !slices.Equal(rows, before) {
		t.Errorf("a dry run has changed something: %d %v", s, rows)
	}
	if got := b.reprice(`{}`); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	rows, s, priced := b.costs()
	wantRows := []string{
		fmt.Sprint(now, true, sluice.CostCatalogue, 1), fmt.Sprint(now, true, sluice.CostCatalogue, 1), fmt.Sprint(0, true, sluice.CostCached, 0),
		fmt.Sprint(2*now, true, sluice.CostCatalogue, 2), fmt.Sprint(0, false, sluice.CostUnknown, 0),
		fmt.Sprint(42, true, sluice.CostCustom, 1), fmt.Sprint(43, true, sluice.CostReported, 1),
	}
	slices.Sort(rows)
	slices.Sort(wantRows)
	if !slices.Equal(rows, wantRows) {
		t.Errorf("got  %v\nwant %v", rows, wantRows)
	}
	if s != sum+4*now-3*old || priced != 6 {
		t.Errorf("roll-ups say %d of %d priced, want %d of 6", s, priced, sum+4*now-3*old)
	}
	if got, want := b.reprice("{}"), (repriced{Requests: 7, Same: 4, Unknown: 1, Custom: 1, Reported: 1}); got != want {
		t.Errorf("again: %+v, want %+v", got, want)
	}
	// Without a price a cost stays.
	b.catalogue.Store(price.Embedded())
	if got := b.reprice(`{"q":"model:mystery-1"}`); got != (repriced{Requests: 1, Kept: 1}) {
		t.Errorf("without a price: %+v", got)
	}
}

func TestEntriesAreDeletedByAJob(t *testing.T) {
	b := newPriceBench(t, func(ids *sluice.IDs) (entries []sluice.LogEntry) {
		for i := range 2300 {
			e := paidCall(ids, "gpt-4.1-mini")
			if i%10 == 0 {
				e.Gateway = "prod"
			} else if i%2 == 0 {
				e.Model = "other"
			}
			entries = append(entries, e)
		}
		return entries
	})
	start := func(what string) map[string]any {
		v := b.send(http.MethodPost, logsPath+"/delete", what)
		if v.status != http.StatusOK {
			t.Fatalf("%d %+v", v.status, v.Errors)
		}
		return b.ended(v.object(t)["id"].(string))["result"].(map[string]any)
	}
	count := func(gateway string) int64 {
		page, err := b.log.List(t.Context(), reqlog.Query{Account: "default", Gateway: gateway, Limit: 1})
		if err != nil || !page.TotalExact {
			t.Fatal(page.Total, err)
		}
		return page.Total
	}
	const others = 2300/2 - 2300/10
	if r := start(`{"q":"model:other","dry_run":true}`); fmt.Sprintf("%v %v", r["found"], r["deleted"]) != fmt.Sprintf("%d %d", others, 0) || r["oldest"] == nil || r["newest"] == nil {
		t.Errorf("dry: %v", r)
	}
	if n := count("default"); n != 2070 {
		t.Errorf("%d are left after a dry run", n)
	}
	if r := start(`{"q":"model:other"}`); fmt.Sprintf("%v %v", r["found"], r["deleted"]) != fmt.Sprintf("%d %d", others, others) {
		t.Errorf("%v", r)
	}
	if n := count("default"); n != 2070-others {
		t.Errorf("%d are left, want %d", n, 2070-others)
	}
	if r := start(`{}`); fmt.Sprintf("%v %v", r["found"], r["deleted"]) != fmt.Sprintf("%d %d", 2070-others, 2070-others) {
		t.Errorf("the rest: %v", r)
	}
	if n, other := count("default"), count("prod"); n != 0 || other != 230 {
		t.Errorf("%d are left, and %d of the other gateway", n, other)
	}
	if r := start(`{}`); r["oldest"] != nil || fmt.Sprint(r["found"]) != "0" {
		t.Errorf("nothing: %v", r)
	}
}
