package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/spend"
)

const usd = sluice.NanoUSD(1_000_000_000)

// costing makes a call cost so many dollars, which are reserved for it, too.
func costing(usd float64) http.Header {
	return http.Header{"Cf-Aig-Custom-Cost": {fmt.Sprintf(`{"total_cost":%v}`, usd)}}
}

// withRules gives the default gateway spend limits, and further settings.
func withRules(g *proxytest.Gateway, rules, more string) {
	g.Set(`{"spend_limits":{"enabled":true,"rules":[` + rules + `]}` + more + `}`)
}

// budgets adds up all budgets of the default gateway's rules.
func budgets(t testing.TB, g *proxytest.Gateway) (sum spend.State) {
	t.Helper()
	gw, err := g.Gateways.Snapshot().Gateway("default", "default")
	if err != nil {
		t.Fatal(err)
	}
	for i := range gw.Spend {
		r := &gw.Spend[i]
		list, _, err := g.Spend.List(t.Context(), spend.Prefix("default", "default", r), r, 1000, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			sum.Spent, sum.Reserved = sum.Spent+b.Spent, sum.Reserved+b.Reserved
		}
	}
	return sum
}

// wantBudgets waits until nothing is reserved: a client sees the end of an answer before its exchange is settled.
func wantBudgets(t testing.TB, g *proxytest.Gateway, spent sluice.NanoUSD) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		s := budgets(t, g)
		if s.Reserved == 0 && s.Spent == spent {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d spent, %d reserved; want %d spent", s.Spent, s.Reserved, spent)
		}
	}
}

// ofError reads the code and the message of an error of the gateway.
func ofError(text string) (code int, message string) {
	var e struct {
		InternalCode int    `json:"internalCode"`
		Message      string `json:"message"`
	}
	_ = json.Unmarshal([]byte(text), &e)
	return e.InternalCode, e.Message
}

const century = `"window":3000000000` // no test sees its end

// TestABudgetForOneOfEight: eight clients at a time, a budget for one call: exactly one reaches the provider, and
// the others are told which rule refused them.
func TestABudgetForOneOfEight(t *testing.T) { proxytest.Each(t, testABudgetForOneOfEight) }

func testABudgetForOneOfEight(t *testing.T, f proxytest.Front) {
	var arrived atomic.Int64
	refusals := make(chan struct{}, 8)
	g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived.Add(1)
		for range 7 {
			<-refusals // the one that is let through answers when all others were refused
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, wholeAnswer)
	}, nil)
	withRules(g, `{"id":"one","limit":1,`+century+`,"technique":"sliding"}`, "")
	var served atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			resp, text := post(g, "openai/chat/completions", chat("", false), costing(1))
			if resp.StatusCode == 200 {
				served.Add(1)
				return
			}
			refusals <- struct{}{}
			code, message := ofError(text)
			const want = "Spend limit exceeded: rule 'one' (cost limit 1 per 3000000000s, sliding) for openai gpt-4.1"
			after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
			if resp.StatusCode != 429 || code != 2041 || message != want || err != nil || after < 1 || resp.Header.Get("cf-aig-log-id") == "" || resp.Header.Get("cf-aig-step") != "0" {
				t.Errorf("%d %s %v", resp.StatusCode, text, resp.Header)
			}
		})
	}
	all.Wait()
	if served.Load() != 1 || arrived.Load() != 1 {
		t.Errorf("%d served, %d arrived; want 1", served.Load(), arrived.Load())
	}
	wantBudgets(t, g, usd)
	refused := 0
	for _, r := range g.WaitRows(8) {
		if e := r.Entry; e.Status == 429 && e.ErrorKind == "spend_limit" && e.Ending == sluice.EndingRefused && len(e.Attempts) == 0 && !e.Priced {
			refused++
		}
	}
	if refused != 7 {
		t.Errorf("the log has %d refusals", refused)
	}
}

// TestWhoHasTheEndFindsTheBudgetSettled, although the provider's connection goes on: many clients wait for nothing
// behind the last event.
func TestWhoHasTheEndFindsTheBudgetSettled(t *testing.T) {
	proxytest.Each(t, testWhoHasTheEndFindsTheBudgetSettled)
}

func testWhoHasTheEndFindsTheBudgetSettled(t *testing.T, f proxytest.Front) {
	over := make(chan struct{})
	g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, streamStart+streamText+streamEnd)
		_ = http.NewResponseController(w).Flush()
		<-over
	}, nil)
	defer close(over)
	withRules(g, `{"limit":0.01,`+century+`}`, "")
	for i := range 3 { // each reserves more than the limit
		req, err := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/v1/default/default/openai/chat/completions", strings.NewReader(strings.Replace(chat("", true), "{", `{"max_tokens":2000,`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		read, buf := "", make([]byte, 1000)
		for !strings.Contains(read, "[DONE]\n\n") {
			n, err := resp.Body.Read(buf)
			if read += string(buf[:n]); err != nil {
				t.Fatalf("call %d: %d %q, %v", i, resp.StatusCode, read, err)
			}
		}
		if s := budgets(t, g); s.Reserved != 0 || s.Spent != sluice.NanoUSD(i+1)*22_000 { // 3 tokens at 2 dollars a million, 2 at 8
			t.Errorf("call %d: %+v", i, s)
		}
	}
}

func TestTheLimitIsPassedByOneCall(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	withRules(g, `{"id":"r","limit":1,`+century+`}`, `,"cache_ttl":3600`)
	const cached = `{"model":"gpt-4.1","messages":[]}`
	if resp, _ := post(g, "openai/chat/completions", cached, costing(0.5)); resp.StatusCode != 200 {
		t.Fatal(resp.StatusCode)
	}
	for i, want := range []int{200, 200, 429, 429} {
		if resp, _ := post(g, "openai/chat/completions", chat(fmt.Sprint("call ", i), false), costing(0.4)); resp.StatusCode != want {
			t.Errorf("call %d: %d; want %d", i, resp.StatusCode, want)
		}
	}
	if resp, _ := post(g, "openai/chat/completions", cached, costing(0.5)); resp.StatusCode != 200 || resp.Header.Get("cf-aig-cache-status") != "HIT" {
		t.Errorf("a hit of a blocked caller: %d %v", resp.StatusCode, resp.Header)
	}
	for _, free := range []string{"openai/files", "openai/responses/input_tokens"} {
		if resp, _ := post(g, free, `{"model":"gpt-4.1"}`, nil); resp.StatusCode != 200 {
			t.Errorf("%s costs nothing: %d", free, resp.StatusCode)
		}
	}
	if resp, _, _ := g.Do("GET", "openai/models", nil, nil); resp.StatusCode != 200 {
		t.Errorf("a list costs nothing: %d", resp.StatusCode)
	}
	wantBudgets(t, g, usd/2+2*usd*4/10)
}

func TestBudgetsOfSomeCalls(t *testing.T) {
	g := proxytest.New(t, (&script{}).ServeHTTP, nil)
	withRules(g, `{"id":"user","limit":1,`+century+`,"metadata":{"user":{"mode":"partition"}}},
		{"id":"mini","limit":1,`+century+`,"model":{"mode":"filter","values":["*mini"]}},
		{"id":"off","limit":0.000000001,`+century+`,"enabled":false}`, "")
	as := func(user string) http.Header {
		h := costing(1)
		if user != "" {
			h.Set("Cf-Aig-Metadata", user)
		}
		return h
	}
	for _, c := range []struct {
		who, model string
		status     int
	}{
		{`{"user":"ann"}`, "gpt-4.1", 200},
		{`{"user":"ann"}`, "gpt-4.1", 429},
		{`{"user":"bob"}`, "gpt-4.1", 200},
		{`{"user":"bob"}`, "gpt-4.1", 429},
		{`{"team":"x"}`, "gpt-4.1", 200}, // a call without the key is not of the rule
		{"", "gpt-4.1", 200},
		{`{"user":null}`, "gpt-4.1", 200}, // which loses all of it, as in the reference
		{"", "gpt-4.1-mini", 200},
		{"", "gpt-4.1-mini", 429},
		{`{"user":"eve"}`, "gpt-4.1-mini", 429}, // all rules must have room
		{`{"user":"eve"}`, "gpt-4.1", 200},
	} {
		if resp, text := post(g, "openai/chat/completions", strings.Replace(chat("", false), "gpt-4.1", c.model, 1), as(c.who)); resp.StatusCode != c.status {
			t.Errorf("%s %s: %d %s", c.who, c.model, resp.StatusCode, text)
		}
	}
	wantBudgets(t, g, 4*usd)
}

// TestAStepOverBudgetFallsToTheNext and keeps nothing.
func TestAStepOverBudgetFallsToTheNext(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	withRules(g, `{"id":"openai","limit":1,`+century+`,"provider":{"mode":"filter","values":["openai"]}},{"id":"all","limit":10,`+century+`}`, "")
	both := steps(oneStep("openai", "", chat("", false)), oneStep("anthropic", "", chat("", false)))
	for i, want := range []string{"0", "1", "1"} {
		resp, text := post(g, "", both, costing(1))
		if resp.StatusCode != 200 || resp.Header.Get("cf-aig-step") != want || resp.Header.Get("Retry-After") != "" {
			t.Errorf("call %d: %d %v %s", i, resp.StatusCode, resp.Header, text)
		}
	}
	wantBudgets(t, g, usd+3*usd)
	e := g.WaitRows(3)[2].Entry
	if len(e.Attempts) != 1 || e.Attempts[0].Step != 1 || !strings.Contains(strings.Join(e.Notes, "; "), "step 0 was not called: Spend limit exceeded: rule 'openai'") {
		t.Errorf("%+v", e)
	}
	resp, text := post(g, "", steps(oneStep("openai", "", chat("", false)), oneStep("openai", "", chat("", false))), costing(1))
	if code, _ := ofError(text); resp.StatusCode != 429 || code != 2041 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("no step has room: %d %s", resp.StatusCode, text)
	}
}

// TestWhatFailsCostsNothing: tries without usage give their money back to the next, whatever becomes of them.
func TestWhatFailsCostsNothing(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	withRules(g, `{"id":"r","limit":1,`+century+`,"hard":true}`, "")
	tries := http.Header{"Cf-Aig-Max-Attempts": {"3"}, "Cf-Aig-Retry-Delay": {"0"}, "Cf-Aig-Custom-Cost": {`{"total_cost":0.6}`}}
	for _, do := range []string{"status 500", "status 400", "error-event"} {
		g.Proxy.ResetRetries()
		if resp, text := post(g, "openai/chat/completions", chat(do, do == "error-event"), tries.Clone()); resp.StatusCode == 429 {
			t.Errorf("%s: %s", do, text)
		}
		wantBudgets(t, g, 0)
	}
	both := steps(oneStep("openai", "", chat("status 503", false)), oneStep("anthropic", "", chat("", false)))
	if resp, text := post(g, "", both, costing(0.6)); resp.StatusCode != 200 {
		t.Errorf("a step that failed keeps the next from its money: %d %s", resp.StatusCode, text)
	}
	wantBudgets(t, g, 6*usd/10)
	if resp, _ := post(g, "openai/chat/completions", chat("", false), costing(0.6)); resp.StatusCode != 429 {
		t.Errorf("hard: a call that does not fit: %d", resp.StatusCode)
	}
	if resp, _ := post(g, "openai/chat/completions", chat("", false), costing(0.4)); resp.StatusCode != 200 {
		t.Errorf("hard: a call that fits: %d", resp.StatusCode)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	withRules(g, `{"id":"other","limit":1,`+century+`}`, "")
	req, err := http.NewRequestWithContext(ctx, "POST", g.URL+"/v1/default/default/openai/chat/completions", strings.NewReader(chat("silent", false)))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for deadline := time.Now().Add(patience); budgets(t, g).Reserved == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		}
		stop()
	}()
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Error("a silent provider answered")
	}
	wantBudgets(t, g, 0)
}

// TestAHedgeReservesItsOwnMoney, and is not made where a budget has none for it.
func TestAHedgeReservesItsOwnMoney(t *testing.T) {
	release := make(chan struct{})
	var slow atomic.Bool
	var arrived atomic.Int64
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n := arrived.Add(1); slow.Load() && n == 1 {
			select {
			case <-release:
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, wholeAnswer)
	}, nil)
	call := func() int {
		resp, _ := post(g, "openai/chat/completions", chat("", false), costing(1))
		return resp.StatusCode
	}
	withRules(g, `{"id":"r","limit":1000,`+century+`}`, `,"hedge":100`)
	for range 30 {
		call()
	}
	slow.Store(true)
	arrived.Store(0)
	if status := call(); status != 200 || arrived.Load() != 2 {
		t.Errorf("with money: %d after %d calls", status, arrived.Load())
	}
	wantBudgets(t, g, 31*usd)

	withRules(g, `{"id":"tight","limit":1,`+century+`}`, `,"hedge":100`)
	arrived.Store(0)
	time.AfterFunc(500*time.Millisecond, func() { close(release) }) // a hedge would have come by then; it is a bound on patience, not a measure
	if status := call(); status != 200 || arrived.Load() != 1 {
		t.Errorf("without money for a hedge: %d after %d calls", status, arrived.Load())
	}
	wantBudgets(t, g, usd)
}

// TestAnAnswerWithoutUsage counts as what was reserved, until an estimate corrects that.
func TestAnAnswerWithoutUsage(t *testing.T) {
	var got seen
	g := proxytest.New(t, record(&got, 200, map[string]string{"Content-Type": "application/json"}, `{"model":"gpt-4.1","choices":[{"message":{"content":"Hi"}}]}`), nil)
	withRules(g, `{"id":"r","limit":1,`+century+`}`, "")
	post(g, "openai/chat/completions", strings.Replace(chat("", false), "{", `{"max_tokens":1000,`, 1), nil)
	input := int64(len(got.body))/3 + 1
	wantBudgets(t, g, sluice.NanoUSD(input*2_000+1_000*8_000))
	e := g.Row()
	if e.Priced {
		t.Errorf("the log has a cost: %+v", e)
	}
	e.Attempts[0].Cost, e.Attempts[0].Priced = 5_000, true // as an estimate settles it
	for range 2 {
		if err := spend.CorrectEntry(t.Context(), g.Spend, &e, time.Now()); err != nil {
			t.Fatal(err)
		}
		wantBudgets(t, g, 5_000)
	}
}

func TestCallsWithoutAPrice(t *testing.T) {
	g := proxytest.New(t, (&script{}).ServeHTTP, nil)
	unknown := strings.Replace(chat("", false), "gpt-4.1", "my-own-model", 1)
	answered := func(rules string) (int, string) {
		t.Helper()
		withRules(g, rules, "")
		resp, text := post(g, "openai/chat/completions", unknown, nil)
		return resp.StatusCode, text
	}
	used := `{"id":"r","limit":0.5,` + century + `,"unpriced":`
	withRules(g, used+`"allow"}`, "")
	post(g, "openai/chat/completions", chat("", false), costing(0.5))
	for policy, want := range map[string]int{"allow": 200, "flag": 200, "block": 403} {
		before := len(g.Rows())
		status, text := answered(used + `"` + policy + `"}`)
		if status != want {
			t.Errorf("%s: %d %s", policy, status, text)
		}
		g.WaitRows(before + 1)
		notes := strings.Join(g.Rows()[before].Entry.Notes, "; ")
		if flagged := strings.Contains(notes, "unpriced: spend limit 'r'"); flagged != (policy == "flag") {
			t.Errorf("%s: notes %q", policy, notes)
		}
	}
	if resp, _ := post(g, "openai/chat/completions", unknown, costing(0.1)); resp.StatusCode != 429 {
		t.Errorf("the caller's price is one: %d", resp.StatusCode)
	}
}

func TestARuleThatOnlyAlerts(t *testing.T) {
	g := proxytest.New(t, (&script{}).ServeHTTP, nil)
	withRules(g, `{"id":"watch","limit":1,`+century+`,"action":"alert"}`, "")
	for i := range 3 {
		if resp, _ := post(g, "openai/chat/completions", chat("", false), costing(1)); resp.StatusCode != 200 {
			t.Errorf("call %d: %d", i, resp.StatusCode)
		}
		wantBudgets(t, g, usd*sluice.NanoUSD(i+1))
	}
	told := 0
	for _, r := range g.WaitRows(3) {
		if strings.Contains(strings.Join(r.Entry.Notes, "; "), "spend limit 'watch' is reached") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("%d entries tell that the limit is reached; want 2", told)
	}
}

// TestWhatABudgetCannotRead is refused: of it nobody knows whose money it would be.
func TestWhatABudgetCannotRead(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, func(c *config.Config) { c.Limits.BodyBytes = 1000 })
	withRules(g, `{"id":"r","limit":1,`+century+`}`, "")
	for _, c := range []struct {
		name, path, body string
		header           http.Header
		status           int
	}{
		{"two models", "openai/chat/completions", `{"model":"a","model":"b"}`, nil, 400},
		{"a model in another case", "openai/chat/completions", `{"model":"a","Model":"b"}`, nil, 400},
		{"two bounds of one name", "openai/chat/completions", `{"max_tokens":1,"max_tokens":100000}`, nil, 400},
		{"bytes behind the end", "openai/chat/completions", `{"model":"a"}{"model":"b"}`, nil, 400},
		{"no UTF-8", "openai/chat/completions", "{\"model\":\"a\xff\"}", nil, 400},
		{"no JSON", "openai/chat/completions", "\ufeff{\"model\":\"a\"}", nil, 400},
		{"encoded", "openai/chat/completions", `x`, http.Header{"Content-Encoding": {"gzip"}}, 415},
		{"too large to be read", "openai/chat/completions", `{"x":"` + strings.Repeat("x", 100_000) + `"}`, nil, 413},
		{"two models, of a step", "", steps(oneStep("openai", "", `{"model":"a","model":"b"}`)), nil, 400},
		{"a list", "openai/chat/completions", `[{"model":"a"}]`, nil, 200},
		{"nothing", "openai/chat/completions", ``, nil, 200},
		{"what costs nothing", "openai/files", strings.Repeat("x", 100_000), nil, 200},
		{"sound JSON", "openai/chat/completions", `{"model":"a"}`, nil, 200},
	} {
		before := len(s.seen())
		resp, text := post(g, c.path, c.body, c.header)
		if resp.StatusCode != c.status || (len(s.seen()) > before) != (c.status == 200) {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, text)
		}
	}
	resp, _, _ := g.Do("POST", "openai/audio/transcriptions", http.Header{"Content-Type": {"multipart/form-data; boundary=x"}},
		strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x--\r\n"))
	if resp.StatusCode != 200 {
		t.Errorf("a form: %d", resp.StatusCode)
	}
}

// TestRandomCallsBalance makes 1,000 calls at random, of all kinds and many at a time: what the budget has spent is
// what the log says that they cost, and the limit is passed by one call at most.
func TestRandomCallsBalance(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	const limit, calls, workers = 120, 1000, 16
	withRules(g, fmt.Sprintf(`{"id":"r","limit":%d,%s},{"id":"user","limit":30,%s,"metadata":{"user":{"mode":"partition"}}}`, limit, century, century), "")
	var served, refused, largest atomic.Int64
	var all sync.WaitGroup
	for w := range workers {
		random := rand.New(rand.NewPCG(7, uint64(w)))
		all.Go(func() {
			for range calls / workers {
				do := []string{"", "", "", "status 500", "status 429", "cut", "error-event", "cut-late"}[random.IntN(8)]
				stream := random.IntN(2) == 0 || do == "error-event" || do == "cut-late"
				cost := 1 + random.IntN(9)
				h := costing(float64(cost) / 10)
				h["Cf-Aig-Metadata"] = []string{fmt.Sprintf(`{"user":%d}`, random.IntN(6))}
				h["Cf-Aig-Max-Attempts"], h["Cf-Aig-Retry-Delay"] = []string{strconv.Itoa(1 + random.IntN(3))}, []string{"0"}
				h["Content-Type"] = []string{"application/json"}
				body, path := chat(do, stream), "openai/chat/completions"
				if random.IntN(3) == 0 {
					path, body = "", steps(oneStep("openai", "", body), oneStep("anthropic", "", chat("", stream)))
				}
				resp, _, _ := g.Do("POST", path, h, strings.NewReader(body))
				switch resp.StatusCode {
				case 200:
					served.Add(1)
				case 429:
					refused.Add(1)
				}
				for was := largest.Load(); was < int64(cost) && !largest.CompareAndSwap(was, int64(cost)); was = largest.Load() {
				}
			}
		})
	}
	all.Wait()
	wantIdle(t, g)
	gw, err := g.Gateways.Snapshot().Gateway("default", "default")
	if err != nil {
		t.Fatal(err)
	}
	state, err := g.Spend.Peek(t.Context(), spend.Claim{Key: spend.Prefix("default", "default", &gw.Spend[0]), Rule: &gw.Spend[0]}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if over := state.Spent - limit*usd; over > sluice.NanoUSD(largest.Load())*usd/10 || served.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d spent of %d dollars; %d served, %d refused", state.Spent, limit, served.Load(), refused.Load())
	}
	logged, uncounted := sluice.NanoUSD(0), sluice.NanoUSD(0)
	rows := g.WaitRows(calls / workers * workers)
	for i := range rows {
		e := &rows[i].Entry
		if e.Priced {
			logged += e.Cost
		} else if n := len(e.Attempts); n > 0 && e.Attempts[n-1].Status == 200 && e.Attempts[n-1].Cause == "" {
			uncounted++ // its answer told no usage: it counts as what was reserved
		}
	}
	if most := logged + uncounted*9*usd/10; state.Spent < logged+uncounted*usd/10 || state.Spent > most {
		t.Errorf("the budget has spent %d; the log %d, and %d calls without usage", state.Spent, logged, uncounted)
	}
	if uncounted == 0 {
		t.Error("no answer lacked usage: the test says little")
	}
}

// wantIdle waits until no exchange holds money.
func wantIdle(t *testing.T, g *proxytest.Gateway) {
	t.Helper()
	for deadline := time.Now().Add(patience); budgets(t, g).Reserved != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", budgets(t, g))
		}
	}
}

// TestARealtimeConnectionSpendsAsItGoes, and may say no more when the budget is used up.
func TestARealtimeConnectionSpendsAsItGoes(t *testing.T) {
	const used = `{"type":"response.done","response":{"status":"completed","usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30}}}`
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			if c.Write(ctx, websocket.MessageText, []byte(used)) != nil {
				return
			}
		}
	}), nil)
	withRules(g, `{"id":"r","limit":3,`+century+`}`, "")
	c := dialSocket(t, g, "openai/realtime?model=gpt-realtime", &websocket.DialOptions{HTTPHeader: costing(1)})
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	for i := range 3 {
		if err := c.Write(ctx, websocket.MessageText, []byte(`{"type":"response.create"}`)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(ctx); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		for deadline := time.Now().Add(patience); budgets(t, g).Spent != usd*sluice.NanoUSD(i+1); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%+v", budgets(t, g))
			}
		}
	}
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"type":"response.create"}`)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("with nothing left: %v", err)
	}
	wantBudgets(t, g, 3*usd)
	if resp, _ := post(g, "openai/chat/completions", chat("", false), costing(1)); resp.StatusCode != 429 {
		t.Errorf("another call: %d", resp.StatusCode)
	}
}
