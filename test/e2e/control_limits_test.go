package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// withinOneHour waits for the next hour of the clock when this one is about to end.
func withinOneHour() {
	if end := time.Now().Truncate(time.Hour).Add(time.Hour); time.Until(end) < 40*time.Second {
		time.Sleep(time.Until(end) + 50*time.Millisecond)
	}
}

// TestTheLimitAcrossARestartUnderLoad: a limit of 1,000 in an hour, 5,000 calls, most of them at once, and a
// restart while calls are under way: exactly 1,000 go on to the provider. Who is killed may have counted calls
// that it had no time to send.
func TestTheLimitAcrossARestartUnderLoad(t *testing.T) {
	const limit, calls, some = 1000, 5000, 500
	for _, technique := range []string{"fixed", "sliding"} {
		for _, end := range []string{"SIGTERM", "kill -9"} {
			t.Run(technique+", "+end, func(t *testing.T) {
				l := newLab(t, fmt.Sprintf("default: {rate_limiting_limit: %d, rate_limiting_interval: 1h, rate_limiting_technique: %s, collect_payload: false}", limit, technique), "", "p0")
				withinOneHour()
				var arrived atomic.Int64
				half := make(chan struct{})
				l.up["p0"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
					if arrived.Add(1) == limit/2 {
						close(half)
					}
					return whole(req, c)
				})
				nth := func(i int) call {
					return call{path: "p0/chat/completions", body: withText(chat, fmt.Sprint("call ", i))}
				}
				first := beside(func() map[int]int { return l.together(calls/2, some, nth) })
				<-half
				ended := *l.Gateway
				if end == "SIGTERM" {
					ended.Signal(syscall.SIGTERM)
					ended.Wait()
				} else {
					ended.Kill()
				}
				<-first.done
				l.again(t)
				second := l.together(calls, some, nth)
				n := arrived.Load()
				if n > limit || end == "SIGTERM" && n != limit || n < limit-some {
					t.Errorf("%d calls reached the provider, want %d; answers %v, then %v", n, limit, first.counts, second)
				}
				if second[0] != 0 || second[200]+second[429] != calls {
					t.Errorf("answers %v, then %v", first.counts, second)
				}
				if r := l.do(t, nth(0)); r.status != 429 {
					t.Errorf("one more: %d", r.status)
				}
			})
		}
	}
}

// later is what a function gives that runs beside the test.
type later struct {
	done   chan struct{}
	counts map[int]int
}

func beside(f func() map[int]int) *later {
	l := &later{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.counts = f()
	}()
	return l
}

// TestWhatCounts against a limit, and what does not.
func TestWhatCounts(t *testing.T) {
	const window = "rate_limiting_interval: 30000d"
	l := newLab(t, "default: {rate_limiting_limit: 3, "+window+"}, other: {rate_limiting_limit: 1, "+window+"}, cached: {cache_ttl: 1h, rate_limiting_limit: 2, "+window+"}, "+
		"closed: {authentication: true, rate_limiting_limit: 1, "+window+"}, steps: {rate_limiting_limit: 2, "+window+"}, tries: {rate_limiting_limit: 2, "+window+"}, failing: {rate_limiting_limit: 2, "+window+"}", "", "p0", "p1")
	expect := func(what string, c call, status int, remaining string) *reply {
		t.Helper()
		r := l.do(t, c)
		if got := r.header.Get("cf-aig-ratelimit-remaining"); r.status != status || got != remaining {
			t.Errorf("%s: %d, remaining %q; want %d, %q", what, r.status, got, status, remaining)
		}
		return r
	}
	one := call{path: "p0/chat/completions", body: chat}
	expect("the first", one, 200, "2")
	expect("another endpoint", call{path: "p1/embeddings", body: `{"input":"x"}`}, 200, "1")
	expect("the third", one, 200, "0")
	for range 3 {
		r := expect("one too many", one, 429, "0")
		retry, err := strconv.Atoi(r.header.Get("Retry-After"))
		if gateway.ErrorCode([]byte(r.body)) != 2003 || !strings.Contains(r.body, `"message":"Rate limited"`) || err != nil || retry < 1 || r.header.Get("cf-aig-ratelimit-reset") != r.header.Get("Retry-After") ||
			r.header.Get("cf-aig-ratelimit-limit") != "3" || r.header.Get("cf-aig-step") != "0" || r.header.Get("cf-aig-event-id") == "" {
			t.Errorf("refusal %s %v", r.body, r.header)
		}
		if row := l.row(t, "", r); row.Status() != 429 || row.Ending != "refused" || row.ErrorKind != "rate_limited" || len(row.Attempts) != 0 || row.Success {
			t.Errorf("log: %s", row)
		}
	}
	on := func(gateway string, c call) call {
		c.gateway = gateway
		return c
	}
	expect("another gateway counts for itself", on("other", one), 200, "0")

	expect("a miss", on("cached", one), 200, "1")
	for range 3 {
		expect("a hit is free", on("cached", one), 200, "")
	}
	expect("another miss", on("cached", call{path: "p0/chat/completions", body: withText(chat, "else")}), 200, "0")
	expect("one miss too many", on("cached", call{path: "p0/chat/completions", body: withText(chat, "more")}), 429, "0")
	expect("a hit is free, at the limit too", on("cached", one), 200, "")

	for range 3 {
		expect("who is not let in", on("closed", one), 401, "")
	}
	token := tokenOf(t, l.Gateway, "--name", "limits")
	expect("who is not let in has counted nothing", call{gateway: "closed", path: one.path, body: chat, header: []string{"cf-aig-authorization", token}}, 200, "0")
	for _, body := range []string{"[]", steps(step("nobody", "x", "", "{}"))} {
		expect("what is no request", call{gateway: "steps", body: body}, 400, "")
	}

	l.up["p0"].Use(status(500))
	expect("three steps", call{gateway: "steps", body: steps(step("p0", "chat/completions", "", chat), step("p0", "chat/completions", `"config":{"maxAttempts":2},`, chat), step("p1", "chat/completions", "", chat))}, 200, "1")
	l.up["p0"].Use(failing(2, status(503)))
	expect("three tries", call{gateway: "tries", path: one.path, body: chat, header: thrice()}, 200, "1")
	l.up["p0"].Use(refuse)
	expect("a failure counts", on("failing", one), 400, "1")
	l.up["p0"].Use(status(500))
	expect("an error counts", on("failing", one), 500, "0")
	expect("and so there is a limit", on("failing", one), 429, "0")
}

// TestALimitThatIsChanged holds at once, for what was counted already.
func TestALimitThatIsChanged(t *testing.T) {
	l := newLab(t, "", "", "p0")
	if status, text := manage(t, l.Gateway, "POST", "/gateways", settings("own", "2")); status != 200 {
		t.Fatalf("create: %d %s", status, text)
	}
	calls := func(want ...int) {
		t.Helper()
		for i, status := range want {
			if r := l.do(t, call{gateway: "own", path: "p0/chat/completions", body: chat}); r.status != status {
				t.Errorf("call %d: %d, want %d", i, r.status, status)
			}
		}
	}
	set := func(assignment string) {
		t.Helper()
		if out, code := gateway.Run(t, "gateway", "set", "own", assignment, "--url", "http://"+l.Addr); code != 0 {
			t.Fatalf("%s: %d %s", assignment, code, out)
		}
	}
	calls(200, 200, 429)
	set("rate_limiting_limit=3")
	calls(200, 429)
	set("rate_limiting_limit=1")
	calls(429)
	set("rate_limiting_limit=null")
	calls(200, 200, 200, 200)
	set("rate_limiting_limit=2")
	set("rate_limiting_technique=sliding") // begins with nothing counted
	calls(200, 200, 429)
}
