package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// budget is how the one budget of a rule stands, in nano-dollars.
type budget struct{ spent, reserved int64 }

// budget asks the program about a rule that does not split.
func (l *lab) budget(t *testing.T, rule string) budget {
	t.Helper()
	status, _, body, err := l.Get("/gateways/default/limits/usage?rule=" + rule)
	var v struct {
		Result struct {
			Rules []struct {
				Budgets []struct{ Spent, Reserved float64 }
			} `json:"spend_limits"`
		}
	}
	if err != nil || json.Unmarshal(body, &v) != nil || len(v.Result.Rules) != 1 || len(v.Result.Rules[0].Budgets) != 1 {
		t.Fatalf("usage of %s: %d %s, %v", rule, status, body, err)
	}
	b := v.Result.Rules[0].Budgets[0]
	return budget{int64(math.Round(b.Spent * 1e9)), int64(math.Round(b.Reserved * 1e9))}
}

// command runs a command against the program.
func (l *lab) command(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, got := gateway.RunWith(t, []string{"SLUICE_URL=http://" + l.Addr}, args...)
	if got != code {
		t.Fatalf("sluice %s: %d, want %d: %s", strings.Join(args, " "), got, code, out)
	}
	return out
}

const forEver = "30000d" // no test sees the end of such a window

// TestEightClientsAndABudgetForOneCall: eight clients at a time, of which the budget lets exactly one through.
func TestEightClientsAndABudgetForOneCall(t *testing.T) {
	for _, technique := range []string{"fixed", "sliding"} {
		t.Run(technique, func(t *testing.T) {
			l := newLab(t, "", "", "openai")
			l.command(t, 0, "budget", "set", "one", "--limit", "0.0005", "--window", forEver, "--technique", technique)
			refused := make(chan struct{}, 8)
			var arrived atomic.Int64
			l.up["openai"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
				arrived.Add(1)
				for range 7 {
					<-refused // the one is answered when all others have been
				}
				return whole(req, c)
			})
			// It may use 1,000 tokens of output, for 0.0006 dollars: more than there is.
			one := call{path: "openai/chat/completions", body: strings.Replace(chat, "{", `{"max_tokens":1000,`, 1)}
			var served atomic.Int64
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() {
					r := l.try(t.Context(), one)
					if r.status == 200 {
						served.Add(1)
						return
					}
					refused <- struct{}{}
					want := "Spend limit exceeded: rule 'one' (cost limit 0.0005 per 2592000000s, " + technique + ") for openai gpt-4o-mini"
					if r.status != 429 || gateway.ErrorCode([]byte(r.body)) != 2041 || !strings.Contains(r.body, `"message":"`+want+`"`) || r.header.Get("Retry-After") == "" {
						t.Errorf("%d %v %s", r.status, r.header, r.body)
					}
				})
			}
			all.Wait()
			if served.Load() != 1 || arrived.Load() != 1 {
				t.Errorf("%d served, %d arrived; want 1", served.Load(), arrived.Load())
			}
			const cost = 9*150 + 3*600 // 9 tokens at 0.15 dollars a million, 3 at 0.60
			if b := l.budget(t, "one"); b != (budget{cost, 0}) {
				t.Errorf("%+v; want %d spent", b, cost)
			}
			l.up["openai"].Use(whole)
			if r := l.do(t, one); r.status != 200 {
				// All others were refused for what was reserved; that is free now.
				t.Errorf("one more: %d %s", r.status, r.body)
			}
		})
	}
}

// TestKilledBetweenReserveAndSettle: what a killed program had reserved is spent at the next start, the log says
// so, and the books balance.
func TestKilledBetweenReserveAndSettle(t *testing.T) {
	l := newLab(t, "", "", "openai")
	l.command(t, 0, "budget", "set", "all", "--limit", "0.001", "--window", forEver)
	hanging := make(chan struct{})
	defer close(hanging)
	l.up["openai"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
		if strings.Contains(string(req.Body), "hang") {
			<-hanging
			return false
		}
		return whole(req, c)
	})
	normal := call{path: "openai/chat/completions", body: chat}
	const cost = 9*150 + 3*600
	if r := l.do(t, normal); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	spent := int64(cost)
	for i := range 2 {
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			l.try(t.Context(), call{path: normal.path, body: strings.Replace(withText(chat, fmt.Sprint("hang ", i)), "{", `{"max_tokens":1000,`, 1)})
		}()
		var reserved int64
		l.Eventually("money is reserved", func() bool {
			reserved = l.budget(t, "all").reserved
			return reserved > 0
		}, nil)
		if reserved < 1000*600 || reserved > 1000*600+100*150 {
			t.Errorf("%d reserved", reserved)
		}
		pause(1500 * time.Millisecond) // a call of a second leaves its mark in the log
		ended := *l.Gateway
		ended.Kill()
		<-gone
		l.again(t)
		spent += reserved
		if b := l.budget(t, "all"); b != (budget{spent, 0}) {
			t.Errorf("after kill %d: %+v; want %d spent", i+1, b, spent)
		}
		row := l.LastRow("the call that was killed", func(r *gateway.Row) bool { return r.Ending == "crashed" })
		if row.Cost == nil || int64(math.Round(*row.Cost*1e9)) != reserved {
			t.Errorf("the log: %s", row)
		}
	}
	if r := l.do(t, normal); r.status != 429 { // 0.0012 dollars are gone
		t.Errorf("with nothing left: %d %s", r.status, r.body)
	}
	ended := *l.Gateway
	if code := ended.Stop(); code != 0 {
		t.Errorf("stop: %d", code)
	}
	l.again(t)
	if b := l.budget(t, "all"); b != (budget{spent, 0}) {
		t.Errorf("after a stop: %+v; want %d spent", b, spent)
	}
}

// TestKilledUnderLoadTheBooksBalance kills the program five times while calls are under way, each of which costs a
// cent and reserves as much: what is spent then is a cent for each call that reached the provider, and for some that
// had reserved it and did not get there any more.
func TestKilledUnderLoadTheBooksBalance(t *testing.T) {
	const workers, kills, cent = 8, 5, 10_000_000
	l := newLab(t, "", "", "openai")
	l.command(t, 0, "budget", "set", "all", "--limit", "1000000", "--window", forEver, "--technique", "sliding")
	l.command(t, 0, "budget", "set", "same", "--limit", "1000000", "--window", forEver)
	var arrived, served atomic.Int64
	l.up["openai"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
		arrived.Add(1)
		return whole(req, c)
	})
	one := call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-custom-cost", `{"total_cost":0.01}`}}
	for round := range kills {
		now := l.Gateway
		at := &lab{Gateway: now}
		stop := make(chan struct{})
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if r := at.try(t.Context(), one); r.status == 200 && r.err == nil {
						served.Add(1)
					} else if r.err != nil {
						return
					}
				}
			})
		}
		want := served.Load() + 200
		l.Eventually("calls are served", func() bool { return served.Load() >= want }, nil)
		ended := *now
		ended.Kill()
		close(stop)
		all.Wait()
		l.again(t)
		a, b := l.budget(t, "all"), l.budget(t, "same")
		least, most := arrived.Load()*cent, (arrived.Load()+int64(workers*(round+1)))*cent
		if a != b || a.reserved != 0 || a.spent < least || a.spent > most || a.spent%cent != 0 {
			t.Errorf("after kill %d: %+v and %+v; %d calls arrived, %d were served", round+1, a, b, arrived.Load(), served.Load())
		}
	}
}

// TestBudgetsByCommand sets, asks and deletes rules as docs/budgets.md shows.
func TestBudgetsByCommand(t *testing.T) {
	l := newLab(t, "", "", "openai")
	l.command(t, 0, "budget", "set", "user", "--limit", "0.02", "--window", forEver, "--split", "user")
	as := func(user string) int {
		t.Helper()
		return l.do(t, call{path: "openai/chat/completions", body: chat, header: []string{"cf-aig-custom-cost", `{"total_cost":0.01}`, "cf-aig-metadata", `{"user":"` + user + `"}`}}).status
	}
	for i, want := range []int{200, 200, 429} {
		if got := as("ann"); got != want {
			t.Errorf("call %d of ann: %d", i, got)
		}
	}
	if got := as("bob"); got != 200 {
		t.Errorf("bob: %d", got)
	}
	if out := l.command(t, 0, "budget", "list"); !strings.Contains(out, "user=ann") || !strings.Contains(out, "$0.02") || !strings.Contains(out, "user=bob") {
		t.Errorf("%s", out)
	}
	l.command(t, 10, "budget", "test", "--provider", "openai", "--model", "gpt-4o-mini", "--meta", "user=ann")
	l.command(t, 0, "budget", "test", "--provider", "openai", "--model", "gpt-4o-mini", "--meta", "user=eve")
	l.command(t, 0, "budget", "set", "user", "--limit", "0.03") // it goes on with what was counted
	for i, want := range []int{200, 429} {
		if got := as("ann"); got != want {
			t.Errorf("call %d of ann with more: %d", i, got)
		}
	}
	l.command(t, 0, "budget", "delete", "user")
	if got := as("ann"); got != 200 {
		t.Errorf("without the rule: %d", got)
	}
	status, _, body, err := l.Get("/gateways/default")
	if err != nil || status != http.StatusOK || !strings.Contains(string(body), `"spend_limits":{"enabled":true,"rules":[]}`) {
		t.Errorf("%d %s %v", status, body, err)
	}
}

// TestAnEstimateCorrectsABudget: an answer without usage counts as what was reserved for it, until its tokens are
// estimated; then budget and log agree.
func TestAnEstimateCorrectsABudget(t *testing.T) {
	l := newLab(t, "", "", "openai")
	l.command(t, 0, "budget", "set", "all", "--limit", "1", "--window", forEver)
	const silent = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}]}`
	l.up["openai"].Use(upstream.JSON(200, silent))
	for _, body := range []string{chat, strings.Replace(chat, "{", `{"max_tokens":4000,`, 1)} {
		if r := l.do(t, call{path: "openai/chat/completions", body: body}); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	logged, b := int64(0), budget{}
	l.Eventually("budget and log agree", func() bool {
		page, err := l.List("")
		if err != nil || len(page.Rows) != 2 {
			return false
		}
		logged = 0
		for _, row := range page.Rows {
			if row.Cost == nil || row.UsageBasis != "estimated" {
				return false
			}
			logged += int64(math.Round(*row.Cost * 1e9))
		}
		b = l.budget(t, "all")
		return b == budget{logged, 0} && logged > 0
	}, func() string { return fmt.Sprintf("%+v, and %d in the log", b, logged) })
}
