package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// thrice asks for three tries with no wait between them.
func thrice() []string { return []string{"cf-aig-max-attempts", "3"} }

// TestWhatIsTriedAgain is the table of docs/retries.md: what a failure is followed by, at the same target.
func TestWhatIsTriedAgain(t *testing.T) {
	closed := closedAddr(t)
	again := func(name string) bool { return !strings.HasPrefix(name, "not ") }
	type failure struct {
		script upstream.Script
		header []string
		status int // that the client gets when all tries fail so
	}
	quickly := []string{"cf-aig-request-timeout", "60"}
	cases := map[string]failure{
		"the connection ends without an answer": {script: refuse, status: 400},
		"no head in time":                       {script: silent, header: quickly, status: 0},
		"a head and no content in time":         {script: stalling, header: quickly, status: 0},
		"the answer breaks off":                 {script: cutShort, status: 0},
		"not a caller's fault":                  {script: status(400), status: 400},
		"not a refused credential":              {script: status(401), status: 401},
		"not what is forbidden":                 {script: status(403), status: 403},
		"not what is not found":                 {script: status(404), status: 404},
		"not a validation error":                {script: status(422), status: 422},
		"not what is not implemented":           {script: status(501), status: 501},
		"408":                                   {script: status(408), status: 408},
		"409":                                   {script: status(409), status: 409},
		"425":                                   {script: status(425), status: 425},
		"429":                                   {script: status(429), status: 429},
		"500":                                   {script: status(500), status: 500},
		"502":                                   {script: status(502), status: 502},
		"503":                                   {script: status(503), status: 503},
		"504":                                   {script: status(504), status: 504},
		"524":                                   {script: status(524), status: 524},
		"529":                                   {script: status(529), status: 529},
		"not a quota that is used up":           {script: upstream.JSON(429, `{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}`), status: 429},
		"not a quota of the day":                {script: upstream.JSON(429, `{"error":{"details":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}}`), status: 429},
		"not what the provider says not to":     {script: status(500, "x-should-retry: false"), status: 500},
		"what the provider says to":             {script: status(400, "x-should-retry: true"), status: 400},
		"a wait of no time":                     {script: status(503, "Retry-After: 0"), status: 503},
		"not a wait of 31 seconds":              {script: status(429, "Retry-After: 31"), status: 429},
		"not a wait of 31 seconds, in ms":       {script: status(503, "retry-after-ms: 31000"), status: 503},
		"not a wait of an hour, as a date":      {script: status(503, "Retry-After: "+time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), status: 503},
	}
	var slugs []string
	for i := range len(cases) + 1 {
		slugs = append(slugs, fmt.Sprint("p", i)) // a budget of retries is a host's
	}
	l := newLab(t, "default: {}", "", slugs...)
	t.Run("what answers", func(t *testing.T) {
		next := 0
		for name, c := range cases {
			slug := slugs[next]
			next++
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				for _, body := range []string{chat, chatSSE} {
					l.up[slug].Use(failingThen(2, c.script, farewell))
					r := l.do(t, call{path: slug + "/chat/completions", body: body, header: append(thrice(), c.header...)})
					calls := len(l.up[slug].Take())
					row := l.row(t, "", r)
					want := whatComes(body)
					switch {
					case again(name) && (r.status != 200 || r.body != want || calls != 3 || len(row.Attempts) != 3 || row.Attempts[2].Cause != "" || !row.Success || row.TokensOut == nil):
						t.Errorf("%d after %d calls: %s", r.status, calls, row)
					case !again(name) && (r.status != c.status || calls != 1 || len(row.Attempts) != 1 || row.Attempts[0].Cause != ""):
						t.Errorf("%d after %d calls: %s; want %d after 1", r.status, calls, row, c.status)
					}
				}
				if c.status == 0 {
					return // the last of several is given to the client as it breaks
				}
				l.up[slug].Use(c.script)
				r := l.do(t, call{path: slug + "/chat/completions", body: chat, header: append(thrice(), c.header...)})
				want := 1
				if again(name) {
					want = 3
				}
				if n := len(l.up[slug].Take()); r.status != c.status || n != want {
					t.Errorf("when it lasts: %d after %d calls; want %d after %d", r.status, n, c.status, want)
				}
			})
		}
	})
	t.Run("no connection", func(t *testing.T) {
		dead := newLab(t, "default: {}", "")
		dead.Kill()
		dead.options.Config += "  gone: {base_url: \"http://" + closed + "/v1\", kind: openai}\n"
		dead.again(t)
		r := dead.do(t, call{path: "gone/files", body: chat, header: thrice()}) // nothing was sent: any call may be repeated
		if row := dead.row(t, "", r); r.status != 400 || gateway.ErrorCode([]byte(r.body)) != 2005 || causes(row) != "dial dial dial" {
			t.Errorf("%d %s: %s", r.status, r.body, row)
		}
	})
}

// farewell is whole over a connection that serves once: a call on a kept one that dies goes once more at once,
// which is no try of those that are counted here.
func farewell(req *rawhttp.Message, c *upstream.Conn) bool {
	if asksStream(req) {
		return upstream.Stream([]string{"Content-Type: text/event-stream", "Connection: close"}, wholeStream)(req, c)
	}
	return upstream.Answer(200, []string{"Content-Type: application/json", "Connection: close"}, answered)(req, c)
}

// whatComes is what whole answers to a body.
func whatComes(body string) string {
	if body == chatSSE {
		return wholeStream
	}
	return answered
}

// TestWaitsThatAProviderAsksFor go before the backoff.
func TestWaitsThatAProviderAsksFor(t *testing.T) {
	l := newLab(t, "slow: {retry_max_attempts: 2, retry_delay: 60s}, quick: {retry_max_attempts: 2}", "", "p0", "p1", "p2", "p3")
	for name, c := range map[string]struct {
		slug, gateway string
		script        upstream.Script
		least         time.Duration
	}{
		"seconds":      {"p0", "quick", status(429, "Retry-After: 1"), time.Second},
		"a fraction":   {"p1", "slow", status(503, "Retry-After: 0.2"), 200 * time.Millisecond},
		"milliseconds": {"p2", "slow", status(503, "Retry-After: 50", "retry-after-ms: 150"), 150 * time.Millisecond},
		"Google's":     {"p3", "slow", upstream.JSON(429, `{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.25s"}]}}`), 250 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := &arrivals{}
			l.up[c.slug].Use(seen.then(failing(1, c.script)))
			r := l.do(t, call{gateway: c.gateway, path: c.slug + "/chat/completions", body: chat}) // a minute would be too long for it
			if gaps := seen.gaps(); r.status != 200 || len(gaps) != 1 || gaps[0] < c.least {
				t.Errorf("%d, waited %v; want %v at least", r.status, gaps, c.least)
			}
		})
	}
}

// TestATryTooFarAwayGoesToTheNextStep: a provider that asks for more than 30 s is given up for the request.
func TestATryTooFarAwayGoesToTheNextStep(t *testing.T) {
	l := newLab(t, "default: {retry_max_attempts: 5}", "", "p0", "p1")
	l.up["p0"].Use(status(429, "Retry-After: 60"))
	r := l.do(t, call{body: steps(step("p0", "chat/completions", "", chat), step("p1", "chat/completions", "", chat))})
	if n := len(l.up["p0"].Take()); r.status != 200 || r.header.Get("cf-aig-step") != "1" || n != 1 {
		t.Errorf("%d, step %s, %d calls", r.status, r.header.Get("cf-aig-step"), n)
	}
}

// TestWhatMayBeRepeated: calls that leave something behind are sent once, unless nothing of them was sent;
// a call that reads may be repeated.
func TestWhatMayBeRepeated(t *testing.T) {
	l := newLab(t, "default: {retry_max_attempts: 2}", "upstream: {retry_budget: 100}\n", "p0", "openai", "anthropic", "replicate", "huggingface", "workers-ai")
	for _, c := range []struct {
		method, path string
		calls        int
	}{
		{"POST", "openai/chat/completions", 2},
		{"POST", "openai/responses", 2},
		{"POST", "openai/embeddings", 2},
		{"POST", "openai/images/generations", 2},
		{"POST", "openai/moderations", 2},
		{"POST", "anthropic/v1/messages", 2},
		{"POST", "anthropic/v1/messages/count_tokens", 2},
		{"POST", "huggingface/bigcode/starcoder", 2},
		{"POST", "workers-ai/@cf/meta/llama-2-7b-chat-int8", 2},
		{"GET", "openai/models", 2},
		{"GET", "openai/files/f-1/content", 2},
		{"POST", "openai/files", 1},
		{"POST", "openai/batches", 1},
		{"POST", "openai/threads", 1},
		{"POST", "openai/fine_tuning/jobs", 1},
		{"DELETE", "openai/files/f-1", 1},
		{"POST", "anthropic/v1/messages/batches", 1},
		{"POST", "replicate/predictions", 1},
		{"POST", "p0/no/such/endpoint", 1},
	} {
		for name, script := range map[string]upstream.Script{"status": status(503), "no answer": refuse} {
			slug, _, _ := strings.Cut(c.path, "/")
			l.up[slug].Use(script)
			body := chat
			if c.method != "POST" {
				body = ""
			}
			answer, err := rawhttp.Do(l.Addr, fmt.Sprintf("%s /v1/default/default/%s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", c.method, c.path, len(body), body))
			if err != nil {
				t.Fatal(err)
			}
			want := 503
			if name == "no answer" {
				want = 400
			}
			n := len(l.up[slug].Take())
			if name == "no answer" && c.calls > 1 && n == c.calls+1 {
				n-- // a kept connection that dies is none of the tries, where the call may be repeated
			}
			if answer.Status() != want || n != c.calls {
				t.Errorf("%s %s, %s: %d after %d calls; want %d after %d", c.method, c.path, name, answer.Status(), n, want, c.calls)
			}
		}
	}
}

// TestCommentsAreNoBeginning: pings and roles do not count as an answer, so a stream that brings nothing else
// is tried again, and so is one that begins with an error; once there was content, nothing is.
func TestCommentsAreNoBeginning(t *testing.T) {
	const role = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n"
	stream := func(parts ...string) upstream.Script {
		return func(_ *rawhttp.Message, c *upstream.Conn) bool {
			upstream.Head(c)
			for _, p := range parts {
				c.Chunk(p)
			}
			return false // without the end of the stream
		}
	}
	l := newLab(t, "default: {retry_max_attempts: 2}", "", "p0")
	for name, c := range map[string]struct {
		script upstream.Script
		calls  int
		cause  string
	}{
		"comments":              {stream(": ping\n\n", ": ping\n\n"), 2, "cut -"},
		"a role":                {stream(role), 2, "cut -"},
		"comments and a role":   {stream(": ping\n\n", role, ": ping\n\n"), 2, "cut -"},
		"a role, then an error": {stream(role, eventError), 2, "error_event -"},
		"content":               {stream(": ping\n\n", eventHi), 1, "-"},
	} {
		l.up["p0"].Use(failing(1, c.script))
		r := l.try(t.Context(), call{path: "p0/chat/completions", body: chatSSE})
		n := len(l.up["p0"].Take())
		if whole := r.err == nil && r.body == wholeStream; n != c.calls || whole != (n == 2) {
			t.Errorf("%s: %d calls, the client got %q %v", name, n, r.body, r.err)
		}
		if row := l.row(t, "", r); causes(row) != c.cause {
			t.Errorf("%s: %s", name, row)
		}
	}
}

// TestTheTimeoutAndTheLastTry: the time-out is for every try but the last of several; a single try obeys it.
func TestTheTimeoutAndTheLastTry(t *testing.T) {
	slow := func(req *rawhttp.Message, c *upstream.Conn) bool {
		time.Sleep(150 * time.Millisecond) // far beyond the time-out
		return whole(req, c)
	}
	l := newLab(t, "default: {request_timeout: 20ms}", "", "p0", "p1")
	l.up["p0"].Use(slow)
	l.up["p1"].Use(slow)
	for name, c := range map[string]struct {
		call
		status int
		causes string
	}{
		"a single try":       {call{path: "p0/chat/completions", body: chat}, 408, "timeout"},
		"the last of two":    {call{path: "p0/chat/completions", body: chat, header: []string{"cf-aig-max-attempts", "2"}}, 200, "timeout -"},
		"a single step":      {call{body: step("p0", "chat/completions", "", chat)}, 408, "timeout"},
		"the last step":      {call{body: steps(step("p0", "chat/completions", "", chat), step("p1", "chat/completions", "", chat))}, 200, "timeout -"},
		"the last step's":    {call{body: steps(step("p0", "chat/completions", "", chat), step("p1", "chat/completions", `"config":{"maxAttempts":2},`, chat))}, 200, "timeout timeout -"},
		"a stream's last":    {call{path: "p0/chat/completions", body: chatSSE, header: []string{"cf-aig-max-attempts", "2"}}, 200, "timeout -"},
		"a stream's only":    {call{path: "p0/chat/completions", body: chatSSE}, 408, "timeout"},
		"a time of its own":  {call{path: "p0/chat/completions", body: chat, header: []string{"cf-aig-request-timeout", "60000"}}, 200, "-"},
		"none but Sluice's":  {call{path: "p0/chat/completions", body: chat, header: []string{"cf-aig-request-timeout", "3600000", "cf-aig-max-attempts", "5"}}, 200, "-"},
		"a time not allowed": {call{path: "p0/chat/completions", body: chat, header: []string{"cf-aig-request-timeout", "3600001"}}, 408, "timeout"},
	} {
		r := l.do(t, c.call)
		if row := l.row(t, "", r); r.status != c.status || causes(row) != c.causes {
			t.Errorf("%s: %d, %s; want %d, %s", name, r.status, causes(row), c.status, c.causes)
		}
	}
}

// TestAnOutageDoesNotMultiplyTheTraffic: while a provider fails always, calls that may be tried five times
// make a fifth more calls upstream, and ten in ten seconds.
func TestAnOutageDoesNotMultiplyTheTraffic(t *testing.T) {
	l := newLab(t, "default: {retry_max_attempts: 5}, half: {retry_max_attempts: 5}", "", "p0", "p1")
	for slug, gateway := range map[string]string{"p0": "default", "p1": "half"} {
		var arrived atomic.Int64
		l.up[slug].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
			arrived.Add(1)
			return status(500)(req, c)
		})
		const calls = 600
		begin := time.Now()
		failed := l.together(calls, 16, func(int) call { return call{gateway: gateway, path: slug + "/chat/completions", body: chat} })
		windows := int64(time.Since(begin)/(10*time.Second)) + 1
		if failed[500] != calls {
			t.Errorf("answers %v", failed)
		}
		if n, most := arrived.Load(), int64(calls*12/10)+10*windows; n > most || n < calls+10 {
			t.Errorf("%d calls upstream for %d; want %d at most, and some retries", n, calls, most)
		}
		l.up[slug].Take()
	}
	row := l.On(t).LastRow("a row that says that retries are used up", func(r *gateway.Row) bool { return r.Status() == 500 })
	if !slices.ContainsFunc(row.Notes, func(n string) bool { return strings.Contains(n, "retries to this provider are used up") }) {
		t.Errorf("notes %q", row.Notes)
	}
}

// TestNoRetriesByConfiguration: with a budget of none there are none, but the next step is tried.
func TestNoRetriesByConfiguration(t *testing.T) {
	l := newLab(t, "default: {retry_max_attempts: 2}", "upstream: {retry_budget: 0}\n", "p0", "p1")
	l.up["p0"].Use(status(500))
	r := l.do(t, call{path: "p0/chat/completions", body: chat})
	if n := len(l.up["p0"].Take()); n != 1 || r.status != 500 {
		t.Errorf("%d after %d calls", r.status, n)
	}
	r = l.do(t, call{body: steps(step("p0", "chat/completions", "", chat), step("p1", "chat/completions", "", chat))})
	if n := len(l.up["p0"].Take()); n != 1 || r.status != 200 || r.header.Get("cf-aig-step") != "1" {
		t.Errorf("%d, step %s, %d calls", r.status, r.header.Get("cf-aig-step"), n)
	}
}

// together makes n calls, some at a time, and counts the statuses of their answers; 0 stands for none.
func (l *lab) together(n, some int, make func(i int) call) map[int]int {
	counts := map[int]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	var next atomic.Int64
	for range some {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				r := l.try(context.Background(), make(int(i)))
				mu.Lock()
				if r.err != nil {
					r.status = 0
				}
				counts[r.status]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return counts
}

// TestWhatABrokenTryHasCost: tokens that a provider reported before its answer broke off are counted, also
// when nothing of it was delivered.
func TestWhatABrokenTryHasCost(t *testing.T) {
	const begins = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-3-5-haiku-latest\",\"content\":[],\"usage\":{\"input_tokens\":1000000,\"output_tokens\":1}}}\n\n"
	l := newLab(t, "default: {}", "", "anthropic", "openai")
	l.up["anthropic"].Use(func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(begins)
		return false
	})
	body := `{"model":"claude-3-5-haiku-latest","max_tokens":5,"stream":true,"messages":[]}`
	first := step("anthropic", "v1/messages", "", body)
	r := l.do(t, call{body: steps(first, step("openai", "chat/completions", "", chatSSE))})
	alone := l.row(t, "", l.do(t, call{path: "openai/chat/completions", body: chatSSE}))
	row := l.row(t, "", r)
	if r.status != 200 || causes(row) != "cut -" || row.Cost == nil || alone.Cost == nil || *row.Cost < *alone.Cost+0.5 {
		t.Errorf("cost %v with the broken try, %v without: %s", dollars(row.Cost), dollars(alone.Cost), row)
	}
}

func dollars(f *float64) any {
	if f == nil {
		return "null"
	}
	return *f
}

// TestHedge: with hedging on, a call that is slower than most is made a second time; the first content wins,
// the other call is cancelled, and both are in the log.
func TestHedge(t *testing.T) {
	l := newLab(t, "default: {}, hedged: {hedge: 100}", "", "p0")
	c := call{gateway: "hedged", path: "p0/chat/completions", body: chat}
	for range 25 { // so that it is known how long such calls take
		l.do(t, c)
	}
	l.up["p0"].Take()
	cancelled := make(chan struct{})
	l.up["p0"].Use(failing(1, func(req *rawhttp.Message, conn *upstream.Conn) bool {
		silent(req, conn)
		close(cancelled)
		return false
	}))
	r := l.do(t, c)
	if n := len(l.up["p0"].Take()); r.status != 200 || r.body != answered || n != 2 {
		t.Fatalf("%d %s, %d calls", r.status, r.body, n)
	}
	within(t, cancelled, "the slower call is cancelled")
	row := l.row(t, "hedged", r)
	if causes(row) != "hedge -" || !row.Success {
		t.Errorf("log: %s", row)
	}

	// Not where it is off, and not what cannot be repeated.
	for name, c := range map[string]call{
		"off":                       {path: "p0/chat/completions", body: chat},
		"what leaves things behind": {gateway: "hedged", path: "p0/batches", body: chat},
	} {
		for range 25 {
			l.do(t, c)
		}
		l.up["p0"].Take()
		l.up["p0"].Use(failing(1, func(req *rawhttp.Message, conn *upstream.Conn) bool {
			time.Sleep(150 * time.Millisecond) // far beyond what such calls take
			return whole(req, conn)
		}))
		r := l.do(t, c)
		if n := len(l.up["p0"].Take()); r.status != 200 || n != 1 {
			t.Errorf("%s: %d after %d calls", name, r.status, n)
		}
	}
}
