package truth

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// calls is how many are sent.
func calls(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SLUICE_TRUTH_CALLS")
	if text == "" {
		return 3000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 {
		t.Fatalf("SLUICE_TRUTH_CALLS: %q", text)
	}
	return n
}

func TestEveryViewSaysWhatTheDriverCounted(t *testing.T) {
	total := calls(t)
	options := gateway.Options{Config: config(play(t)), DataDir: t.TempDir()}
	g := gateway.Start(t, options)
	tokens := map[string]string{}
	for _, name := range []string{"app-one", "app-two"} {
		var made struct {
			Value string `json:"value"`
		}
		post(t, g, management+"/tokens", `{"name":"`+name+`"}`, &made)
		tokens[name] = made.Value
	}
	d := newDriver(t)
	began := time.Now()
	makeBudgets(t, g)
	d.use(g)
	go d.generate(total, &dice{Rand: newRand(1), tokens: tokens})
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(d.work)
	}
	g = d.restarts(g, options, total)
	workers.Wait()
	t.Logf("%d calls in %v: %d answered, %d broken off by restarts", total, time.Since(began).Round(time.Second), len(d.sure), len(d.unsure))
	unlogged := d.unlogged(g, tokens, 200)
	g = d.spend(g, options, total/10)

	settled(t, g)
	rows := d.compareList(g)
	d.compareAttempts(g)
	d.compareExport(g, rows)
	counted := append(slices.Clone(rows), unlogged...)
	compareAnalytics(t, g, counted)
	// An index that is made anew from what was appended says the same.
	if code := g.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if err := os.RemoveAll(filepath.Join(options.DataDir, "log", "index")); err != nil {
		t.Fatal(err)
	}
	g = gateway.Start(t, options)
	d.gateway = g
	d.compareList(g)
	compareAnalytics(t, g, counted)
}

// restarts stops the program twice and kills it twice while calls are running, and returns the last one.
func (d *driver) restarts(g *gateway.Gateway, options gateway.Options, total int) *gateway.Gateway {
	answered := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.sure) + len(d.unsure)
	}
	for i, kill := range []bool{false, true, false, true} {
		wait(d.t, fmt.Sprintf("a fifth of the calls, %d", i+1), func() bool { return answered() >= total*(i+1)/6 })
		d.use(nil)
		if kill {
			d.kill(g)
		} else if code := g.Stop(); code != 0 {
			d.t.Errorf("exit code %d", code)
		}
		g = gateway.Start(d.t, options)
		d.use(g)
	}
	return g
}

// makeBudgets makes a gateway with budgets that are never used up: one for all, one for each team, one for a model.
// Their windows slide, so that no window ends meanwhile.
func makeBudgets(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	const window = 30 * 24 * 60 * 60
	rule := func(id, more string) string {
		return fmt.Sprintf(`{"id":%q,"limitType":"cost","limit":1000000,"window":%d,"technique":"sliding"%s}`, id, window, more)
	}
	rules := rule("all", "") + "," + rule("team", `,"metadata":{"team":{"mode":"partition"}}`) + "," +
		rule("model", `,"model":{"mode":"filter","values":["truth-large"]}`)
	post(t, g, management+"/gateways", `{"id":"`+spending+`","collect_logs":true,"cache_ttl":0,"cache_invalidate_on_update":false,`+
		`"rate_limiting_interval":0,"rate_limiting_limit":0,"rate_limiting_technique":"fixed","spend_limits":{"enabled":true,"rules":[`+rules+`]}}`, nil)
}

// spend sends n calls through the gateway with budgets, and compares what was spent with what the calls cost, also
// after a stop and a kill.
func (d *driver) spend(g *gateway.Gateway, options gateway.Options, n int) *gateway.Gateway {
	t := d.t
	t.Helper()
	own := newDriver(t)
	own.use(g)
	go own.generate(n, &dice{Rand: newRand(4), n: 2_000_000, only: spending})
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(own.work)
	}
	workers.Wait()
	settled(t, g)
	want := map[string]nano{}
	for event, r := range own.sure {
		d.sure[event] = r
		want["all "] += r.cost
		want["team "+r.team] += r.cost
		for _, w := range r.tries {
			if w.model == "truth-large" {
				want["model "] += w.cost
			}
		}
	}
	if len(own.unsure) > 0 {
		t.Errorf("%d calls have no answer", len(own.unsure))
	}
	compare := func(when string) {
		if got := spent(t, g); !maps.Equal(got, want) {
			t.Errorf("spent %s: %v, want %v", when, got, want)
		}
	}
	compare("while it runs")
	if code := g.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	g = gateway.Start(t, options)
	compare("after a stop")
	g.Kill()
	g = gateway.Start(t, options)
	compare("after a kill")
	d.use(g)
	return g
}

// unlogged sends calls that are counted and not logged, one after the other.
func (d *driver) unlogged(g *gateway.Gateway, tokens map[string]string, n int) []*row {
	dice := &dice{Rand: newRand(3), n: 1_000_000, tokens: tokens}
	var all []*row
	for range n {
		c := dice.plain(targets()[dice.IntN(len(targets()))], dice.maybe(40))[0]
		c.header["cf-aig-collect-log"] = "false"
		c.want.unlogged = true
		if !d.send(g, c) {
			d.t.Errorf("%s: no answer", c.want.event)
		}
		delete(d.sure, c.want.event)
		all = append(all, &c.want)
	}
	return all
}

// settled returns when no request runs any more: a client that has left is noticed a little later.
func settled(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	wait(t, "an end of all requests", func() bool {
		var status struct {
			InFlight *int64 `json:"in_flight"`
		}
		get(t, g, "/status", &status, nil)
		if status.InFlight == nil {
			t.Fatal("the status does not tell what runs")
		}
		return *status.InFlight == 0
	})
}

// compareList compares each row of the log with what the call must have counted as, and returns them.
func (d *driver) compareList(g *gateway.Gateway) []*row {
	t := d.t
	t.Helper()
	got := map[string]*row{}
	for _, l := range list(t, g, "requests") {
		r, err := l.row()
		if err != nil {
			t.Fatal(err)
		}
		if got[r.event] != nil {
			t.Errorf("%s is in the log twice", r.event)
		}
		got[r.event] = r
	}
	wrong := 0
	fail := func(format string, args ...any) {
		if wrong++; wrong <= 10 {
			t.Errorf(format, args...)
		}
	}
	for event, want := range d.sure {
		r := got[event]
		if r == nil {
			fail("%s is not in the log", event)
		} else if diff := differ(r, want); diff != "" {
			fail("%s: %s", event, diff)
		}
	}
	unsure := 0
	for event, r := range got {
		want := d.unsure[event]
		if want != nil {
			unsure++
			if r.success && !want.canceled && want.fault != "cut" { // it had come to its end
				if diff := differ(r, want); diff != "" {
					fail("%s, whose answer was broken off: %s", event, diff)
				}
			}
		} else if d.sure[event] == nil {
			fail("%s is in the log, and was never sent", event)
		}
	}
	if wrong > 10 {
		t.Errorf("and %d rows more", wrong-10)
	}
	t.Logf("%d rows, %d of them of calls that restarts broke off", len(got), unsure)
	return slices.Collect(maps.Values(got))
}

// differ says in what two rows differ.
func differ(got, want *row) string {
	w := *want
	w.unlogged = false
	if w.usage == nil {
		w.usage = usage{}
	}
	w.tries = slices.Clone(w.tries)
	for i := range w.tries {
		if w.tries[i].usage == nil {
			w.tries[i].usage = usage{}
		}
	}
	var diff string
	g, e := reflect.ValueOf(*got), reflect.ValueOf(w)
	for i := range g.NumField() {
		a, b := fmt.Sprintf("%+v", g.Field(i)), fmt.Sprintf("%+v", e.Field(i))
		if a != b {
			diff += fmt.Sprintf("%s is %s, want %s; ", g.Type().Field(i).Name, a, b)
		}
	}
	return diff
}

// compareAttempts compares the list of attempts with the attempts of all requests.
func (d *driver) compareAttempts(g *gateway.Gateway) {
	t := d.t
	t.Helper()
	got := map[string][]string{}
	for _, l := range list(t, g, "attempts") {
		r, err := l.row()
		if err != nil {
			t.Fatal(err)
		}
		u := r.usage
		if r.cached { // the reference shows no tokens of a cache hit
			u = usage{}
		}
		got[r.event] = append(got[r.event], line(r.provider, r.model, r.status, r.cost, r.priced, u))
	}
	wrong := 0
	for event, want := range d.sure {
		var lines []string
		for _, w := range want.tries {
			lines = append(lines, line(w.provider, w.model, w.status, w.cost, w.priced, w.usage))
		}
		if len(want.tries) == 0 || want.cached { // an item of its own
			lines = []string{line(want.provider, want.model, want.status, want.cost, want.priced, nil)}
		}
		slices.Sort(lines)
		slices.Sort(got[event])
		if !slices.Equal(lines, got[event]) {
			if wrong++; wrong <= 5 {
				t.Errorf("attempts of %s: %q, want %q", event, got[event], lines)
			}
		}
	}
}

// line is an attempt in a few words.
func line(provider, model string, status int, cost nano, priced bool, u usage) string {
	return fmt.Sprintf("%s/%s %d, %s USD (%v), %d in, %d out", provider, model, status, cost, priced, u["input"], u["output"])
}

// compareExport compares an export with the list.
func (d *driver) compareExport(g *gateway.Gateway, rows []*row) {
	t := d.t
	t.Helper()
	want := map[string]*row{}
	for _, r := range rows {
		want[r.event] = r
	}
	wrong, seen := 0, 0
	for _, l := range export(t, g, "requests") {
		r, err := l.row()
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if want[r.event] == nil || differ(r, want[r.event]) != "" {
			if wrong++; wrong <= 5 {
				t.Errorf("the export has %s otherwise than the list", r.event)
			}
		}
	}
	if seen != len(rows) {
		t.Errorf("the export has %d rows, the list %d", seen, len(rows))
	}
}

// compareAnalytics compares all sums by all groups.
func compareAnalytics(t *testing.T, g *gateway.Gateway, rows []*row) {
	t.Helper()
	adding := func(group string) func([]*row, func(*row) string) map[string]sums {
		if group == "model" {
			return byModel
		}
		return expect
	}
	for group, of := range groups() {
		same(t, "analytics by "+group, analytics(t, g, group, ""), adding(group)(rows, of))
	}
	for _, group := range []string{"", "provider", "model", "gateway", "key", "status", "meta.team"} {
		same(t, "analytics of attempts by "+group, analytics(t, g, group, "&basis=attempts"), adding(group)(attempts(rows), groups()[group]),
			"requests", "success", "canceled", "errors", "cached", "cost", "unpriced", "tokens_in", "tokens_out", "tokens_cache_read", "tokens_reasoning")
	}
	for _, dimension := range []string{"provider", "model", "gateway"} {
		same(t, "GraphQL by "+dimension, graphQL(t, g, dimension), adding(dimension)(rows, groups()[dimension]),
			"requests", "cost", "errors", "cached", "tokens_in", "tokens_out", "saved_tokens_in", "saved_tokens_out")
	}
	for _, gw := range gateways() {
		var own []*row
		for _, r := range rows {
			if r.gateway == gw {
				own = append(own, r)
			}
		}
		same(t, "analytics of gateway "+gw, analytics(t, g, "provider", "&gateway="+gw), expect(own, groups()["provider"]))
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
