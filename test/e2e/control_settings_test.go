package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// said is one setting at the three places where it can be said; "" is not said there. Gateway settings are
// those of gateway g, so a case names the gateway.
type said struct {
	gateway string // id
	header  []string
	step    string // members of the step: headers, config
}

// send calls provider through the universal endpoint, with what is said.
func (s said) send(t *testing.T, l *lab, provider, body string) *reply {
	t.Helper()
	return l.do(t, call{gateway: s.gateway, body: step(provider, "chat/completions", s.step, body), header: s.header})
}

// TestStepBeforeHeaderBeforeGateway: of the same setting at three places, the step's holds before the
// request's, and the request's before the gateway's.
func TestStepBeforeHeaderBeforeGateway(t *testing.T) {
	l := newLab(t, `
    default: {},
    tries: {retry_max_attempts: 2},
    slow: {retry_max_attempts: 2, retry_delay: 60s},
    late: {retry_max_attempts: 2, retry_delay: 150ms},
    doubling: {retry_max_attempts: 4, retry_delay: 30ms, retry_backoff: exponential},
    adding: {retry_max_attempts: 4, retry_delay: 30ms, retry_backoff: linear},
    even: {retry_max_attempts: 4, retry_delay: 30ms, retry_backoff: constant},
    quick: {request_timeout: 20ms},
    patient: {request_timeout: 1h},
    unlogged: {collect_logs: false},
    bodiless: {collect_payload: false}`, "upstream: {retry_budget: 100}\n", "p0", "p1", "p2", "p3", "p4", "p5", "p6")

	t.Run("attempts", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			said
			calls int
		}{
			{said{gateway: "default"}, 1},
			{said{gateway: "tries"}, 2},
			{said{gateway: "tries", header: []string{"cf-aig-max-attempts", "3"}}, 3},
			{said{gateway: "tries", header: []string{"cf-aig-max-attempts", "1"}}, 1},
			{said{gateway: "tries", header: []string{"cf-aig-max-attempts", "3"}, step: `"headers":{"CF-AIG-Max-Attempts":4},`}, 4},
			{said{gateway: "tries", header: []string{"cf-aig-max-attempts", "3"}, step: `"headers":{"cf-aig-max-attempts":"4"},"config":{"maxAttempts":1},`}, 1},
			{said{gateway: "default", step: `"config":{"maxAttempts":2},`}, 2},
		} {
			l.up["p0"].Use(status(503))
			l.up["p0"].Take()
			r := c.send(t, l, "p0", chat)
			if n := len(l.up["p0"].Take()); n != c.calls || r.status != 503 {
				t.Errorf("%+v: %d calls, want %d; status %d", c.said, n, c.calls, r.status)
			}
			l.forgive("p0", t)
		}
	})

	t.Run("delay", func(t *testing.T) {
		t.Parallel()
		for _, s := range []said{
			{gateway: "late"},
			{gateway: "slow", header: []string{"cf-aig-retry-delay", "150"}},
			{gateway: "slow", header: []string{"cf-aig-retry-delay", "60000"}, step: `"headers":{"cf-aig-retry-delay":"150"},`},
			{gateway: "slow", step: `"headers":{"cf-aig-retry-delay":"60000"},"config":{"retryDelay":150},`},
		} {
			seen := &arrivals{}
			l.up["p1"].Use(seen.then(failing(1, status(503))))
			r := s.send(t, l, "p1", chat) // a minute would be too long for it
			if gaps := seen.gaps(); r.status != 200 || len(gaps) != 1 || gaps[0] < 150*time.Millisecond {
				t.Errorf("%+v: status %d, waited %v; want 150 ms at least", s, r.status, gaps)
			}
			l.forgive("p1", t)
		}
	})

	t.Run("backoff", func(t *testing.T) {
		t.Parallel()
		doubling, adding := []time.Duration{30, 60, 120}, []time.Duration{30, 60, 90}
		for _, c := range []struct {
			said
			want []time.Duration // in milliseconds
		}{
			{said{gateway: "even"}, []time.Duration{30, 30, 30}},
			{said{gateway: "adding"}, adding},
			{said{gateway: "doubling"}, doubling},
			{said{gateway: "even", header: []string{"cf-aig-backoff", "Exponential"}}, doubling},
			{said{gateway: "even", header: []string{"cf-aig-backoff", "constant"}, step: `"headers":{"cf-aig-backoff":"linear"},`}, adding},
			{said{gateway: "adding", header: []string{"cf-aig-backoff", "constant"}, step: `"headers":{"cf-aig-backoff":"linear"},"config":{"backoff":"exponential"},`}, doubling},
		} {
			seen := &arrivals{}
			l.up["p2"].Use(seen.then(failing(3, status(500))))
			r := c.send(t, l, "p2", chat)
			gaps := seen.gaps()
			short := len(gaps) != len(c.want)
			for i := range min(len(gaps), len(c.want)) {
				short = short || gaps[i] < c.want[i]*time.Millisecond
			}
			if short || r.status != 200 {
				t.Errorf("%+v: status %d, waits %v; want at least %v ms", c.said, r.status, gaps, c.want)
			}
			l.forgive("p2", t)
		}
	})

	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		slow := func(req *rawhttp.Message, c *upstream.Conn) bool {
			time.Sleep(200 * time.Millisecond) // far beyond the short time-out
			return whole(req, c)
		}
		for _, c := range []struct {
			said
			short bool
		}{
			{said{gateway: "quick"}, true},
			{said{gateway: "patient"}, false},
			{said{gateway: "patient", header: []string{"cf-aig-request-timeout", "20"}}, true},
			{said{gateway: "quick", header: []string{"cf-aig-request-timeout", "3600000"}}, false},
			{said{gateway: "patient", header: []string{"cf-aig-request-timeout", "3600000"}, step: `"headers":{"cf-aig-request-timeout":20},`}, true},
			{said{gateway: "quick", header: []string{"cf-aig-request-timeout", "20"}, step: `"headers":{"cf-aig-request-timeout":20},"config":{"requestTimeout":3600000},`}, false},
		} {
			want := 200
			l.up["p3"].Use(slow)
			if c.short {
				l.up["p3"].Use(silent)
				want = 408
			}
			if r := c.send(t, l, "p3", chat); r.status != want {
				t.Errorf("%+v: %d %s; want %d", c.said, r.status, r.body, want)
			}
		}
	})

	t.Run("log", func(t *testing.T) {
		t.Parallel()
		const off, on = "false", "true"
		for _, c := range []struct {
			said
			logged, bodies bool
		}{
			{said{gateway: "default"}, true, true},
			{said{gateway: "unlogged"}, false, false},
			{said{gateway: "default", header: []string{"cf-aig-collect-log", off}}, false, false},
			{said{gateway: "unlogged", header: []string{"cf-aig-collect-log", on}}, true, true},
			{said{gateway: "default", header: []string{"cf-aig-collect-log", on}, step: `"headers":{"cf-aig-collect-log":false},`}, false, false},
			{said{gateway: "unlogged", header: []string{"cf-aig-collect-log", off}, step: `"headers":{"cf-aig-collect-log":true},`}, true, true},
			{said{gateway: "bodiless"}, true, false},
			{said{gateway: "bodiless", header: []string{"cf-aig-collect-log-payload", on}}, true, true},
			{said{gateway: "default", header: []string{"cf-aig-collect-log-payload", on}, step: `"headers":{"cf-aig-collect-log-payload":"false"},`}, true, false},
			{said{gateway: "bodiless", step: `"headers":{"cf-aig-collect-log-payload":"true"},`}, true, true},
		} {
			r := c.send(t, l, "p4", chat)
			if (r.id() != "") != c.logged {
				t.Errorf("%+v: log id %q", c.said, r.id())
			}
			if !c.logged || r.id() == "" {
				continue
			}
			row := l.row(t, c.gateway, r)
			if stored := row.Request.Stored > 0 && row.Response.Stored == int64(len(answered)); stored != c.bodies || row.Request.Off == c.bodies || row.Response.Off == c.bodies {
				t.Errorf("%+v: request %+v, response %+v; bodies wanted: %v", c.said, row.Request, row.Response, c.bodies)
			}
			if row.TokensOut == nil || *row.TokensOut != 3 {
				t.Errorf("%+v: tokens %v", c.said, row.TokensOut)
			}
		}
	})

	t.Run("what a later step says of the log", func(t *testing.T) {
		t.Parallel()
		const off, on = `"headers":{"cf-aig-collect-log":false},`, `"headers":{"cf-aig-collect-log":true,"cf-aig-collect-log-payload":true},`
		const noBody = `"headers":{"cf-aig-collect-log-payload":false},`
		for _, c := range []struct {
			first, second  string
			logged, bodies bool
		}{{off, on, true, true}, {on, off, false, false}, {on, noBody, true, false}, {noBody, on, true, true}} {
			l.up["p6"].Use(failing(1, status(400)))
			r := l.do(t, call{body: steps(step("p6", "chat/completions", c.first, chat), step("p6", "chat/completions", c.second, chat))})
			if (r.id() != "") != c.logged || r.header.Get("cf-aig-step") != "1" {
				t.Errorf("%+v: log id %q, step %s", c, r.id(), r.header.Get("cf-aig-step"))
			} else if c.logged {
				if row := l.row(t, "", r); (row.Request.Stored == int64(len(chat)) && row.Response.Stored == int64(len(answered))) != c.bodies || row.Request.Off == c.bodies {
					t.Errorf("%+v: request %+v, response %+v", c, row.Request, row.Response)
				}
			}
		}
	})

	t.Run("metadata, event id and cost", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			said
			team, event string
			cost        float64
		}{
			{said{header: []string{"cf-aig-metadata", `{"team":"request"}`, "cf-aig-event-id", "e-request", "cf-aig-custom-cost", `{"total_cost":1}`}}, "request", "e-request", 1},
			{said{
				header: []string{"cf-aig-metadata", `{"team":"request"}`, "cf-aig-event-id", "e-request", "cf-aig-custom-cost", `{"total_cost":1}`},
				step:   `"headers":{"cf-aig-metadata":{"team":"step"},"cf-aig-event-id":"e-step","cf-aig-custom-cost":{"total_cost":2}},`,
			}, "step", "e-step", 2},
			{said{ // what is not valid in the step leaves the request's
				header: []string{"cf-aig-metadata", `{"team":"request"}`, "cf-aig-event-id", "e-request", "cf-aig-custom-cost", `{"total_cost":1}`},
				step:   `"headers":{"cf-aig-metadata":{"team":null},"cf-aig-event-id":"","cf-aig-custom-cost":"dear"},`,
			}, "request", "e-request", 1},
		} {
			l.up["p5"].Use(whole)
			r := c.send(t, l, "p5", chat)
			row := l.row(t, "", r)
			if row.Metadata["team"] != c.team || r.header.Get("cf-aig-event-id") != c.event || row.EventID != c.event || row.Cost == nil || *row.Cost != c.cost {
				t.Errorf("%+v: metadata %v, event %q, logged %q, cost %v", c.said, row.Metadata, r.header.Get("cf-aig-event-id"), row.EventID, row.Cost)
			}
		}
		// What a step says is of that step alone.
		l.up["p5"].Use(failing(1, status(400)))
		r := l.do(t, call{body: steps(
			step("p5", "chat/completions", `"headers":{"cf-aig-metadata":{"team":"first","only":1},"cf-aig-event-id":"e-first"},`, chat),
			step("p5", "chat/completions", `"headers":{"cf-aig-metadata":{"team":"second"}},`, chat),
			step("p5", "chat/completions", `"headers":{"cf-aig-metadata":{"team":"third"},"cf-aig-event-id":"e-third"},`, chat)), header: []string{"cf-aig-event-id", "e-request"}})
		row := l.row(t, "", r)
		if row.Step != 1 || row.Metadata["team"] != "second" || row.Metadata["only"] != nil || row.EventID != "e-request" || r.header.Get("cf-aig-event-id") != "e-request" {
			t.Errorf("step %d, metadata %v, event %q, told %q", row.Step, row.Metadata, row.EventID, r.header.Get("cf-aig-event-id"))
		}
	})
}

// forgive tells the budget of retries of so many good calls that it does not matter to what follows.
func (l *lab) forgive(slug string, t *testing.T) {
	t.Helper()
	l.up[slug].Use(whole)
	for range 4 {
		l.do(t, call{path: slug + "/chat/completions", body: chat, header: []string{"cf-aig-max-attempts", "2"}})
	}
	l.up[slug].Take()
}

// TestCacheSettingsByPrecedence: the same for what is asked of the cache.
func TestCacheSettingsByPrecedence(t *testing.T) {
	l := newLab(t, "default: {}, cached: {cache_ttl: 1h}", "", "p0")
	for i, c := range []struct {
		said
		want []string // cf-aig-cache-status of calls one after the other
	}{
		{said{gateway: "default"}, []string{"", ""}},
		{said{gateway: "cached"}, []string{"MISS", "HIT"}},
		{said{gateway: "cached", header: []string{"cf-aig-cache-ttl", "0"}}, []string{"", ""}},
		{said{gateway: "cached", header: []string{"cf-cache-ttl", "0"}}, []string{"", ""}},
		{said{gateway: "cached", header: []string{"cf-aig-cache-ttl", "0", "cf-cache-ttl", "60"}}, []string{"", ""}},
		{said{gateway: "cached", header: []string{"cf-cache-ttl", "60", "cf-aig-cache-ttl", "0"}}, []string{"", ""}},
		{said{gateway: "cached", header: []string{"cf-aig-cache-ttl", "0"}, step: `"headers":{"cf-aig-cache-ttl":"3600"},`}, []string{"MISS", "HIT"}},
		{said{gateway: "cached", header: []string{"cf-aig-cache-ttl", "3600"}, step: `"headers":{"cf-cache-ttl":0},`}, []string{"", ""}},
		{said{gateway: "default", header: []string{"cf-aig-cache-ttl", "3600"}}, []string{"", ""}},
		{said{gateway: "default", header: []string{"cf-aig-cache-key", "k"}}, []string{"MISS", "HIT"}},
		{said{gateway: "default", header: []string{"cf-aig-cache-key", "k"}, step: `"headers":{"cf-aig-cache-key":"of-step"},`}, []string{"MISS", "HIT"}},
		{said{gateway: "cached", header: []string{"cf-aig-skip-cache", "true"}}, []string{"MISS", "MISS"}},
		{said{gateway: "cached", header: []string{"cf-skip-cache", "true"}}, []string{"MISS", "MISS"}},
		{said{gateway: "cached", header: []string{"cf-aig-skip-cache", "true"}, step: `"headers":{"cf-aig-skip-cache":false},`}, []string{"MISS", "HIT"}},
		{said{gateway: "cached", step: `"headers":{"cf-aig-skip-cache":true},`}, []string{"MISS", "MISS"}},
	} {
		body := strings.Replace(chat, "Hi", fmt.Sprint("Hi ", i), 1)
		var got []string
		for range c.want {
			got = append(got, c.send(t, l, "p0", body).header.Get("cf-aig-cache-status"))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.said, got, c.want)
		}
	}
}

// TestValuesThatAreNotValid are ignored, so that what is said elsewhere holds, and noted in the entry.
func TestValuesThatAreNotValid(t *testing.T) {
	l := newLab(t, "default: {retry_max_attempts: 2}, cached: {cache_ttl: 1h}", "", "p0")
	for _, c := range []struct{ name, value string }{
		{"cf-aig-max-attempts", "0"},
		{"cf-aig-max-attempts", "6"},
		{"cf-aig-max-attempts", "two"},
		{"cf-aig-max-attempts", ""},
		{"cf-aig-retry-delay", "-1"},
		{"cf-aig-retry-delay", "60001"},
		{"cf-aig-retry-delay", "1s"},
		{"cf-aig-backoff", "quadratic"},
		{"cf-aig-request-timeout", "0"},
		{"cf-aig-request-timeout", "3600001"},
		{"cf-aig-request-timeout", "1e3"},
		{"cf-aig-cache-ttl", "59"},
		{"cf-aig-cache-ttl", "2592001"},
		{"cf-aig-cache-ttl", "-1"},
		{"cf-cache-ttl", "1h"},
		{"cf-aig-skip-cache", "maybe"},
		{"cf-skip-cache", "2"},
		{"cf-aig-cache-key", strings.Repeat("k", 1025)},
		{"cf-aig-collect-log", "no"},
		{"cf-aig-collect-log-payload", "off"},
		{"cf-aig-metadata", "{"},
		{"cf-aig-metadata", `{"a":{"b":1}}`},
		{"cf-aig-custom-cost", "{}"},
		{"cf-aig-event-id", strings.Repeat("e", 257)},
		{"cf-aig-otel-trace-id", "xyz"},
	} {
		for place, sent := range map[string]said{
			"request": {gateway: "cached", header: []string{c.name, c.value}},
			"step":    {gateway: "cached", step: fmt.Sprintf(`"headers":{%q:%q},`, c.name, c.value)},
		} {
			r := sent.send(t, l, "p0", chat)
			if row := l.row(t, "cached", r); r.status != 200 || !slices.Contains(row.Notes, "invalid "+c.name+": ignored") {
				t.Errorf("%s: %s in the %s: %d, notes %q", c.name, c.value, place, r.status, row.Notes)
			}
		}
	}
	for _, config := range []string{`"maxAttempts":6`, `"maxAttempts":1.5`, `"retryDelay":-1`, `"backoff":1`, `"requestTimeout":"soon"`, `"requestTimeout":0`} {
		r := said{step: `"config":{` + config + `},`}.send(t, l, "p0", chat)
		name, _, _ := strings.Cut(strings.TrimPrefix(config, `"`), `"`)
		if row := l.row(t, "", r); r.status != 200 || !slices.Contains(row.Notes, "invalid [0].config."+name+": ignored") {
			t.Errorf("%s: %d, notes %q", config, r.status, row.Notes)
		}
	}
	l.up["p0"].Use(status(503))
	l.up["p0"].Take()
	for _, s := range []said{{header: []string{"cf-aig-max-attempts", "99"}}, {step: `"headers":{"cf-aig-max-attempts":99},"config":{"maxAttempts":99},`}} {
		s.send(t, l, "p0", chat)
		if n := len(l.up["p0"].Take()); n != 2 {
			t.Errorf("%+v: %d calls; want 2, as the gateway says", s, n)
		}
	}
}

// TestSettingsByCommand: what "sluice gateway set" changes holds for the next request, and after a restart.
func TestSettingsByCommand(t *testing.T) {
	l := newLab(t, "", "", "p0")
	if status, text := manage(t, l.Gateway, http.MethodPost, "/gateways", settings("own", "null")); status != 200 {
		t.Fatalf("create: %d %s", status, text)
	}
	set := func(assignments ...string) {
		t.Helper()
		out, code := gateway.Run(t, append([]string{"gateway", "set", "own", "--url", "http://" + l.Addr}, assignments...)...)
		if code != 0 {
			t.Fatalf("gateway set %q: %d %s", assignments, code, out)
		}
	}
	body := func(text string) call {
		return call{gateway: "own", path: "p0/chat/completions", body: strings.Replace(chat, "Hi", text, 1)}
	}
	checks := []struct {
		set   []string
		check func(name string)
	}{
		{[]string{"retry_max_attempts=3", "retry_delay=50ms", "retry_backoff=linear"}, func(name string) {
			seen := &arrivals{}
			l.up["p0"].Use(seen.then(failing(2, status(503))))
			r := l.do(t, body(name))
			if gaps := seen.gaps(); r.status != 200 || len(gaps) != 2 || gaps[0] < 50*time.Millisecond || gaps[1] < 100*time.Millisecond {
				t.Errorf("%s: %d, waits %v", name, r.status, gaps)
			}
			l.up["p0"].Use(whole)
		}},
		{[]string{"cache_ttl=1h"}, func(name string) {
			first, second := l.do(t, body(name)), l.do(t, body(name))
			if got := first.header.Get("cf-aig-cache-status") + " " + second.header.Get("cf-aig-cache-status"); got != "MISS HIT" {
				t.Errorf("%s: %s", name, got)
			}
		}},
		{[]string{"collect_payload=off", "metadata_entries=7"}, func(name string) {
			c := body(name)
			c.header = []string{"cf-aig-metadata", `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8}`}
			if row := l.row(t, "own", l.do(t, c)); len(row.Metadata) != 7 || !row.Request.Off {
				t.Errorf("%s: %v %+v", name, row.Metadata, row.Request)
			}
		}},
		{[]string{"request_timeout=30ms", "retry_max_attempts=1"}, func(name string) {
			l.up["p0"].Use(silent)
			if r := l.do(t, body(name)); r.status != 408 || gateway.ErrorCode([]byte(r.body)) != 2005 {
				t.Errorf("%s: %d %s", name, r.status, r.body)
			}
			l.up["p0"].Use(whole)
		}},
		{[]string{"authentication=on", "request_timeout=null"}, func(name string) {
			if r := l.do(t, body(name)); r.status != 401 {
				t.Errorf("%s: %d %s", name, r.status, r.body)
			}
		}},
	}
	for i, c := range checks {
		set(c.set...)
		c.check(fmt.Sprint("set ", i))
		l.Kill() // what the command has answered is on disk
		l.again(t)
		c.check(fmt.Sprint("after a restart ", i))
	}
}
