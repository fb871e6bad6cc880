package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	wholeAnswer = `{"id":"x","object":"chat.completion","model":"gpt-4.1","choices":[{"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`
	streamStart = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4.1\",\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
	streamText  = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4.1\",\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n"
	streamEnd   = "data: {\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4.1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\ndata: [DONE]\n\n"
)

// script is an upstream whose behaviour the body chooses, in its field user.
type script struct {
	mu      sync.Mutex
	calls   []string // paths, in order
	heads   []http.Header
	targets []string
	texts   []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.calls, s.heads, s.texts = append(s.calls, r.URL.Path), append(s.heads, r.Header.Clone()), append(s.texts, string(text))
	s.targets = append(s.targets, r.RequestURI)
	n := len(s.calls)
	s.mu.Unlock()
	flush := http.NewResponseController(w).Flush
	var asked struct {
		Stream bool   `json:"stream"`
		Do     string `json:"user"` // what to do, in a field that every dialect's body may have
	}
	_ = json.Unmarshal(text, &asked)
	stream := func(parts ...string) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, p := range parts {
			_, _ = io.WriteString(w, p)
			_ = flush()
		}
	}
	whole := func() {
		if asked.Stream {
			stream(streamStart, streamText, streamEnd)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, wholeAnswer)
	}
	do, arg, _ := strings.Cut(asked.Do, " ")
	switch do {
	case "status":
		var status int
		_, _ = fmt.Sscan(arg, &status)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"try %d"}}`, n)
	case "silent":
		<-r.Context().Done()
	case "stall": // a head, a role, and then comments only
		stream(streamStart)
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, ": ping\n\n")
			if flush() != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	case "cut":
		if asked.Stream {
			stream(streamStart)
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(len(wholeAnswer)))
			_, _ = io.WriteString(w, wholeAnswer[:40])
			_ = flush()
		}
		panic(http.ErrAbortHandler)
	case "cut-late":
		stream(streamStart, streamText)
		panic(http.ErrAbortHandler)
	case "error-event":
		stream("data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\"}}\n\n")
	case "fail-first": // this many calls fail
		var fails int
		_, _ = fmt.Sscan(arg, &fails)
		if n <= fails {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		whole()
	default:
		whole()
	}
}

func (s *script) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// refused makes the provider anthropic one that refuses connections.
func refused(c *config.Config) {
	c.Providers["anthropic"] = config.Provider{BaseURL: "http://127.0.0.1:1"}
}

func chat(do string, stream bool) string {
	return fmt.Sprintf(`{"model":"gpt-4.1","stream":%v,"user":%q,"messages":[{"role":"user","content":"hi"}]}`, stream, do)
}

// steps is a universal body.
func steps(parts ...string) string { return "[" + strings.Join(parts, ",") + "]" }

func oneStep(provider, more, query string) string {
	return fmt.Sprintf(`{"provider":%q,"endpoint":"chat/completions","headers":{"Authorization":"Bearer sk-secret","X-Step":1},%s"query":%s}`, provider, more, query)
}

func post(g *proxytest.Gateway, path, body string, header http.Header) (*http.Response, string) {
	if header == nil {
		header = http.Header{}
	}
	header["Content-Type"] = []string{"application/json"}
	resp, text, _ := g.Do("POST", path, header, strings.NewReader(body))
	return resp, string(text)
}

// TestFallback: whatever is wrong with the first step, the second answers; the log has both.
func TestFallback(t *testing.T) {
	for name, c := range map[string]struct {
		provider, do, more string
		causes             []string
	}{
		"refused":                {"anthropic", "", "", []string{"dial", ""}},
		"429":                    {"openai", "status 429", "", []string{"status", ""}},
		"a caller's fault":       {"openai", "status 400", "", []string{"status", ""}},
		"no head":                {"openai", "silent", `"config":{"requestTimeout":30},`, []string{"timeout", ""}},
		"a broken head of a 200": {"openai", "cut", "", []string{"cut", ""}},
		"tried thrice":           {"openai", "status 503", `"config":{"maxAttempts":3,"retryDelay":1},`, []string{"status", "status", "status", ""}},
	} {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " streamed ", stream), func(t *testing.T) {
				s := &script{}
				g := proxytest.New(t, s.ServeHTTP, refused)
				resp, text := post(g, "", steps(oneStep(c.provider, c.more, chat(c.do, stream)), oneStep("openai", "", chat("", stream))), nil)
				want := wholeAnswer
				if stream {
					want = streamStart + streamText + streamEnd
				}
				if resp.StatusCode != 200 || text != want || resp.Header.Get("cf-aig-step") != "1" {
					t.Fatalf("%d, step %s: %s", resp.StatusCode, resp.Header.Get("cf-aig-step"), text)
				}
				e := g.Row()
				var causes []string
				for _, a := range e.Attempts {
					causes = append(causes, a.Cause)
				}
				if !slices.Equal(causes, c.causes) || e.Step != 1 || e.Provider != "openai" || e.Type != "universal" || !e.Success {
					t.Errorf("causes %q, step %d, %s %s success %v", causes, e.Step, e.Provider, e.Type, e.Success)
				}
				if n, ok := e.Usage.Get(sluice.Input); !ok || n != 3 {
					t.Errorf("input = %d, %v", n, ok)
				}
			})
		}
	}
}

// TestFallbackBeforeContent: a stream that is a 200 but brings nothing is not delivered while another step
// is left.
func TestFallbackBeforeContent(t *testing.T) {
	for do, cause := range map[string]string{"stall": "timeout", "error-event": "error_event"} {
		t.Run(do, func(t *testing.T) {
			s := &script{}
			g := proxytest.New(t, s.ServeHTTP, nil)
			resp, text := post(g, "", steps(oneStep("openai", `"config":{"requestTimeout":50},`, chat(do, true)), oneStep("openai", "", chat("", true))), nil)
			if text != streamStart+streamText+streamEnd || resp.Header.Get("cf-aig-step") != "1" {
				t.Fatalf("%d %s", resp.StatusCode, text)
			}
			if a := g.Row().Attempts; len(a) != 2 || a[0].Cause != cause || a[0].Status != 200 {
				t.Errorf("attempts %+v", a)
			}
		})
	}
}

// TestNoFallbackBehindContent: once content went to the client, nothing is tried again.
func TestNoFallbackBehindContent(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	_, text := post(g, "", steps(oneStep("openai", `"config":{"maxAttempts":5,"retryDelay":1},`, chat("cut-late", true)), oneStep("openai", "", chat("", true))), nil)
	if text != streamStart+streamText || len(s.seen()) != 1 {
		t.Errorf("%d calls, client got %q", len(s.seen()), text)
	}
	if e := g.Row(); e.Ending != sluice.EndingCut || e.Success || e.Step != 0 {
		t.Errorf("%v success %v step %d", e.Ending, e.Success, e.Step)
	}
}

func TestTheLastFailureIsTheAnswer(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, refused)
	resp, text := post(g, "", steps(oneStep("anthropic", "", chat("", false)), oneStep("openai", "", chat("status 418", false))), nil)
	if resp.StatusCode != 418 || text != `{"error":{"message":"try 1"}}` || resp.Header.Get("cf-aig-step") != "1" {
		t.Errorf("%d, step %s: %s", resp.StatusCode, resp.Header.Get("cf-aig-step"), text)
	}
	resp, text = post(g, "", steps(oneStep("openai", "", chat("status 418", false)), oneStep("anthropic", "", chat("", false))), nil)
	if resp.StatusCode != 400 || !strings.Contains(text, `"internalCode":2005`) || resp.Header.Get("cf-aig-step") != "1" {
		t.Errorf("%d, step %s: %s", resp.StatusCode, resp.Header.Get("cf-aig-step"), text)
	}
}

// TestRetries: a gateway's settings, over these the request's headers.
func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		path, do, settings string
		header             http.Header
		calls, status      int
	}{
		"none by default":             {do: "fail-first 1", calls: 1, status: 503},
		"by the gateway":              {do: "fail-first 2", settings: `{"retry_max_attempts":3,"retry_delay":1}`, calls: 3, status: 200},
		"by the header":               {do: "fail-first 2", settings: `{"retry_max_attempts":2,"retry_delay":1}`, header: http.Header{"Cf-Aig-Max-Attempts": {"5"}}, calls: 3, status: 200},
		"no more than asked":          {do: "fail-first 9", header: http.Header{"Cf-Aig-Max-Attempts": {"4"}, "Cf-Aig-Retry-Delay": {"1"}, "Cf-Aig-Backoff": {"exponential"}}, calls: 4, status: 503},
		"a value out of range":        {do: "fail-first 9", header: http.Header{"Cf-Aig-Max-Attempts": {"6"}}, calls: 1, status: 503},
		"not what cannot be repeated": {path: "openai/threads", do: "fail-first 9", header: http.Header{"Cf-Aig-Max-Attempts": {"5"}}, calls: 1, status: 503},
		"not a caller's fault":        {do: "status 422", header: http.Header{"Cf-Aig-Max-Attempts": {"5"}}, calls: 1, status: 422},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{}
			g := proxytest.New(t, s.ServeHTTP, nil)
			if c.settings != "" {
				g.Set(c.settings)
			}
			path := c.path
			if path == "" {
				path = "openai/chat/completions"
			}
			resp, _ := post(g, path, chat(c.do, false), c.header)
			if resp.StatusCode != c.status || len(s.seen()) != c.calls {
				t.Errorf("%d after %d calls; want %d after %d", resp.StatusCode, len(s.seen()), c.status, c.calls)
			}
			e := g.Row()
			if len(e.Attempts) != c.calls || e.Attempts[len(e.Attempts)-1].Cause != "" {
				t.Errorf("attempts %+v", e.Attempts)
			}
			if name == "a value out of range" && !slices.Contains(e.Notes, "invalid cf-aig-max-attempts: ignored") {
				t.Errorf("notes %q", e.Notes)
			}
		})
	}
}

// TestTheTimeoutIsNotForTheLastOfSeveral: documented, and a single try obeys it.
func TestTheTimeoutIsNotForTheLastOfSeveral(t *testing.T) {
	var n atomic.Int32
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n.Add(1) == 2 {
			time.Sleep(100 * time.Millisecond)
			_, _ = io.WriteString(w, wholeAnswer)
			return
		}
		<-r.Context().Done()
	}, nil)
	resp, _ := post(g, "openai/chat/completions", chat("", false), http.Header{"Cf-Aig-Request-Timeout": {"40"}, "Cf-Aig-Max-Attempts": {"2"}})
	if resp.StatusCode != 200 {
		t.Errorf("the last of two tries: %d", resp.StatusCode)
	}
	resp, text := post(g, "openai/chat/completions", chat("", false), http.Header{"Cf-Aig-Request-Timeout": {"40"}})
	if resp.StatusCode != 408 || !strings.Contains(text, "2005") {
		t.Errorf("a single try: %d %s", resp.StatusCode, text)
	}
}

// TestUniversalBody: what comes in the body of the universal endpoint goes where it belongs.
func TestUniversalBody(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	query := `{ "model":"gpt-4.1" ,"messages":[] , "x": 1.50e1 }`
	resp, _ := post(g, "", `{"provider":"openai","endpoint":"/chat/completions?a=b","authorization":"Bearer sk-1","headers":{"X-Num":5,"X-Bool":true,"X-Obj":{"a":1},"cf-aig-metadata":"{\"team\":\"a\"}","Content-Length":"3"},"query":`+query+`}`, http.Header{"Authorization": {"Bearer of-the-request"}, "User-Agent": {"me/1"}})
	if resp.StatusCode != 200 || resp.Header.Get("cf-aig-step") != "0" {
		t.Fatalf("%d", resp.StatusCode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.heads[0]
	if s.texts[0] != query || s.calls[0] != "/v1/chat/completions" || h.Get("Authorization") != "Bearer sk-1" || h.Get("X-Num") != "5" || h.Get("X-Bool") != "true" ||
		h.Get("X-Obj") != `{"a":1}` || h.Get("User-Agent") != "me/1" || h.Get("Content-Type") != "application/json" || h.Get("cf-aig-metadata") != "" {
		t.Errorf("upstream got %s %v %q", s.calls[0], h, s.texts[0])
	}
	rows := g.WaitRows(1)
	e := rows[0].Entry
	if len(e.Metadata) != 1 || e.Path != "chat/completions?a=b" || e.Model != "gpt-4.1" || e.Endpoint != "chat/completions" {
		t.Errorf("%+v %q %q %q", e.Metadata, e.Path, e.Model, e.Endpoint)
	}
	if got := g.Body(rows[0], 0); string(got) != query {
		t.Errorf("the log has %q", got)
	}
}

// TestUniversalHeader: what the header of a universal request asks holds for its steps, and a step may ask
// otherwise; the fields are logged, and none of them goes to the provider.
func TestUniversalHeader(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	ask := http.Header{
		"Cf-Aig-Metadata": {`{"user":"ana"}`}, "Cf-Aig-Event-Id": {"event-1"}, "Cf-Aig-Cache-Key": {"k"}, "User-Agent": {"me/1"}, "X-Mine": {"1"},
	}
	step := func(headers string) string {
		return `{"provider":"openai","endpoint":"chat/completions","headers":` + headers + `,"query":` + chat("", false) + `}`
	}
	for i, want := range []string{"MISS", "HIT"} {
		resp, _ := post(g, "", step("{}"), ask)
		if resp.StatusCode != 200 || resp.Header.Get("cf-aig-cache-status") != want || resp.Header.Get("cf-aig-event-id") != "event-1" || len(s.seen()) != 1 {
			t.Errorf("call %d: %d %v, %d calls upstream", i, resp.StatusCode, resp.Header, len(s.seen()))
		}
	}
	resp, _ := post(g, "", step(`{"cf-aig-skip-cache":true}`), ask)
	if resp.Header.Get("cf-aig-cache-status") == "HIT" || len(s.seen()) != 2 {
		t.Errorf("past the cache: %v, %d calls upstream", resp.Header, len(s.seen()))
	}
	resp, _ = post(g, "", step("{}"), http.Header{"Cf-Aig-Collect-Log": {"false"}, "User-Agent": {"me/1"}})
	if resp.StatusCode != 200 || resp.Header.Get("cf-aig-log-id") != "" {
		t.Errorf("not logged: %d %v", resp.StatusCode, resp.Header)
	}
	rows := g.WaitRows(3)
	for _, row := range rows {
		e := row.Entry
		if len(e.Metadata) != 1 || e.EventID != "event-1" || e.UserAgent != "me/1" || len(e.ReqHeader) == 0 {
			t.Errorf("log: %+v %q %q %v", e.Metadata, e.EventID, e.UserAgent, e.ReqHeader)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.heads {
		if h.Get("cf-aig-metadata") != "" || h.Get("X-Mine") != "" || h.Get("User-Agent") != "me/1" {
			t.Errorf("upstream got %v", h)
		}
	}
}

func TestBadUniversalBodies(t *testing.T) {
	g := proxytest.New(t, (&script{}).ServeHTTP, nil)
	for body, field := range map[string]string{
		"":                                    "body",
		"17":                                  "body",
		"[]":                                  "body",
		"[1]":                                 "[0]",
		"[{}]":                                "[0].provider",
		`[{"provider":"openai"}]`:             "[0].query",
		`{"provider":"openai","query":{}`:     "[0]",
		`[{"provider":"openai","query":{}}`:   "body",
		`[{"provider":"openai","query":{}}]]`: "body",
		`{"provider":"nope","query":{}}`:      "[0].provider",
		`{"Provider":"openai","query":{}}`:    "[0]",
		`{"provider":"a","provider":"openai","query":{}}`:                                 "[0].provider",
		`{"provider":"openai","endpoint":"../x","query":{}}`:                              "[0].endpoint",
		`{"provider":"openai","endpoint":5,"query":{}}`:                                   "[0].endpoint",
		`{"provider":"openai","endpoint":"x","headers":{"a\nb":"c"},"query":{}}`:          "[0].headers",
		`{"provider":"openai","endpoint":"x","headers":{"a":"b\r\nc: d"},"query":{}}`:     "[0].headers",
		`{"provider":"openai","endpoint":"x","headers":[],"query":{}}`:                    "[0].headers",
		`{"provider":"openai","endpoint":"x","config":[],"query":{}}`:                     "[0].config",
		steps(oneStep("openai", "", "{}"), `{"provider":"nope","endpoint":"","query":1}`): "[1].provider",
		"[" + strings.Repeat("[", 100_000):                                                "body",
	} {
		resp, text := post(g, "", body, nil)
		var got struct{ Error []struct{ Field string } }
		if err := json.Unmarshal([]byte(text), &got); err != nil || resp.StatusCode != 400 || len(got.Error) != 1 || got.Error[0].Field != field {
			t.Errorf("%.60s: %d %s", body, resp.StatusCode, text)
		}
	}
}

// TestOneCallForManyAlike: identical calls at the same time share one call to the provider.
func TestOneCallForManyAlike(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprint("streamed ", stream), func(t *testing.T) {
			const clients = 100
			s, gate := &script{}, make(chan struct{})
			g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
				<-gate
				s.ServeHTTP(w, r)
			}, nil)
			g.Set(`{"cache_ttl":60}`)
			var all sync.WaitGroup
			var hits, wrong atomic.Int32
			for range clients {
				all.Go(func() {
					resp, text := post(g, "openai/chat/completions", chat("", stream), nil)
					if resp.Header.Get("cf-aig-cache-status") == "HIT" {
						hits.Add(1)
					}
					if want := wholeAnswer; !stream && text != want || stream && text != streamStart+streamText+streamEnd {
						wrong.Add(1)
					}
				})
			}
			for g.Proxy.Running() < clients {
				time.Sleep(time.Millisecond)
			}
			close(gate)
			all.Wait()
			if len(s.seen()) != 1 || hits.Load() != clients-1 || wrong.Load() != 0 {
				t.Errorf("%d calls, %d hits, %d wrong answers", len(s.seen()), hits.Load(), wrong.Load())
			}
			resp, text := post(g, "openai/chat/completions", chat("", stream), nil)
			if resp.Header.Get("cf-aig-cache-status") != "HIT" || resp.Header.Get("Age") == "" || len(s.seen()) != 1 || !stream && text != wholeAnswer {
				t.Errorf("later: %s, age %q, %d calls", resp.Header.Get("cf-aig-cache-status"), resp.Header.Get("Age"), len(s.seen()))
			}
			resp, _ = post(g, "openai/chat/completions", chat("", !stream), nil)
			if resp.Header.Get("cf-aig-cache-status") != "MISS" || len(s.seen()) != 2 {
				t.Error("a unary answer and a stream answered each other")
			}
			var cached, billed int
			for _, row := range g.WaitRows(clients + 2) {
				in, _ := row.Entry.Usage.Get(sluice.Input)
				switch {
				case row.Entry.Cache == sluice.CacheHit && row.Entry.Usage.Basis == sluice.BasisCached && in == 3 && row.Entry.Priced && row.Entry.Cost == 0:
					cached++
				case row.Entry.Cache == sluice.CacheMiss && row.Entry.Usage.Basis == sluice.BasisProvider && in == 3 && row.Entry.Cost > 0:
					billed++
				}
			}
			if cached != clients || billed != 2 {
				t.Errorf("%d rows are cached and free, %d billed; want %d and 2", cached, billed, clients)
			}
		})
	}
}

// TestCaching: what turns it on and off, and what is kept.
func TestCaching(t *testing.T) {
	key := func(k string, more ...string) http.Header {
		h := http.Header{"Cf-Aig-Cache-Key": {k}}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = []string{more[i+1]}
		}
		return h
	}
	for name, c := range map[string]struct {
		settings      string
		body          [2]string
		header        [2]http.Header
		first, second string
	}{
		"off by default":                     {first: "", second: ""},
		"on by a setting":                    {settings: `{"cache_ttl":60}`, first: "MISS", second: "HIT"},
		"on by a key":                        {header: [2]http.Header{key("k"), key("k")}, first: "MISS", second: "HIT"},
		"a key is all there is":              {header: [2]http.Header{key("k"), key("k")}, body: [2]string{chat("", false), chat("x", false)}, first: "MISS", second: "HIT"},
		"another key":                        {header: [2]http.Header{key("k"), key("l")}, first: "MISS", second: "MISS"},
		"a time alone turns nothing on":      {header: [2]http.Header{{"Cf-Aig-Cache-Ttl": {"60"}}, {"Cf-Aig-Cache-Ttl": {"60"}}}, first: "", second: ""},
		"zero turns it off":                  {settings: `{"cache_ttl":60}`, header: [2]http.Header{{"Cf-Aig-Cache-Ttl": {"0"}}, {"Cf-Cache-Ttl": {"0"}}}, first: "", second: ""},
		"a time out of bounds is ignored":    {settings: `{"cache_ttl":60}`, header: [2]http.Header{{"Cf-Aig-Cache-Ttl": {"59"}}, {"Cf-Aig-Cache-Ttl": {"x"}}}, first: "MISS", second: "HIT"},
		"skipped":                            {settings: `{"cache_ttl":60}`, header: [2]http.Header{nil, {"Cf-Aig-Skip-Cache": {"true"}}}, first: "MISS", second: "MISS"},
		"skipped, and kept":                  {settings: `{"cache_ttl":60}`, header: [2]http.Header{{"Cf-Skip-Cache": {"true"}}, nil}, first: "MISS", second: "HIT"},
		"another credential":                 {settings: `{"cache_ttl":60}`, header: [2]http.Header{{"Authorization": {"Bearer a"}}, {"Authorization": {"Bearer b"}}}, first: "MISS", second: "MISS"},
		"an unknown field":                   {settings: `{"cache_ttl":60}`, header: [2]http.Header{{"X-Odd": {"a"}}, {"X-Odd": {"b"}}}, first: "MISS", second: "MISS"},
		"a field that cannot matter":         {settings: `{"cache_ttl":60}`, header: [2]http.Header{{"User-Agent": {"a"}}, {"User-Agent": {"b"}}}, first: "MISS", second: "HIT"},
		"one byte of the body":               {settings: `{"cache_ttl":60}`, body: [2]string{chat("", false), chat("", false) + " "}, first: "MISS", second: "MISS"},
		"an error is not kept":               {settings: `{"cache_ttl":60}`, body: [2]string{chat("status 500", false), chat("status 500", false)}, first: "MISS", second: "MISS"},
		"an error event is not kept":         {settings: `{"cache_ttl":60}`, body: [2]string{chat("error-event", true), chat("error-event", true)}, first: "MISS", second: "MISS"},
		"a cut stream is not kept":           {settings: `{"cache_ttl":60}`, body: [2]string{chat("cut-late", true), chat("cut-late", true)}, first: "MISS", second: "MISS"},
		"metadata is no part of the request": {settings: `{"cache_ttl":60}`, header: [2]http.Header{{"Cf-Aig-Metadata": {`{"a":1}`}}, {"Cf-Aig-Metadata": {`{"a":2}`}}}, first: "MISS", second: "HIT"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{}
			g := proxytest.New(t, s.ServeHTTP, nil)
			if c.settings != "" {
				g.Set(c.settings)
			}
			want := [2]string{c.first, c.second}
			for i := range 2 {
				body := c.body[i]
				if body == "" {
					body = chat("", false)
				}
				resp, _ := post(g, "openai/chat/completions", body, c.header[i])
				if got := resp.Header.Get("cf-aig-cache-status"); got != want[i] {
					t.Errorf("call %d: %q, want %q", i, got, want[i])
				}
				g.WaitRows(i + 1)
			}
		})
	}
}

// TestCachingWithAStrictLog: the log has the entry before the last byte goes out; what the cache keeps is the
// same.
func TestCachingWithAStrictLog(t *testing.T) {
	for do, want := range map[string]string{"": "HIT", "error-event": "MISS", "cut-late": "MISS"} {
		g := proxytest.New(t, (&script{}).ServeHTTP, func(c *config.Config) { c.Log.Durability = "strict" })
		g.Set(`{"cache_ttl":60}`)
		post(g, "openai/chat/completions", chat(do, true), nil)
		g.WaitRows(1)
		if resp, _ := post(g, "openai/chat/completions", chat(do, true), nil); resp.Header.Get("cf-aig-cache-status") != want {
			t.Errorf("%q: %q, want %q", do, resp.Header.Get("cf-aig-cache-status"), want)
		}
	}
}

// TestFollowersOutliveTheLeader: the client whose call is shared leaves; the others get the whole answer, and
// its row has the whole bill.
func TestFollowersOutliveTheLeader(t *testing.T) {
	const ping = ": ping\n\n"
	begun, rest := make(chan struct{}), make(chan struct{})
	var calls, pings atomic.Int32
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, streamStart)
		_ = http.NewResponseController(w).Flush()
		if calls.Add(1) == 1 {
			close(begun)
		}
		for ended := false; !ended && r.Context().Err() == nil; { // so that a departure is noticed
			select {
			case <-rest:
				ended = true
			case <-time.After(2 * time.Millisecond):
				_, _ = io.WriteString(w, ping)
				pings.Add(1)
				_ = http.NewResponseController(w).Flush()
			}
		}
		_, _ = io.WriteString(w, streamText+streamEnd)
	}, nil)
	g.Set(`{"cache_ttl":60}`)
	req, _ := http.NewRequestWithContext(t.Context(), "POST", g.URL+"/v1/default/default/openai/chat/completions", strings.NewReader(chat("", true)))
	req.Header.Set("Content-Type", "application/json")
	leader, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	follower := make(chan string, 1)
	go func() {
		_, text := post(g, "openai/chat/completions", chat("", true), nil)
		follower <- text
	}()
	select {
	case text := <-follower:
		t.Fatalf("the follower did not wait: %q", text)
	case <-time.After(100 * time.Millisecond):
	}
	_ = leader.Body.Close()
	deadline := time.Now().Add(10 * time.Second)
	for after := pings.Load(); pings.Load() < after+50; time.Sleep(time.Millisecond) { // a departure is noticed by what is written
		if time.Now().After(deadline) {
			t.Fatal("the upstream call ended with its leader")
		}
	}
	close(rest)
	if text := strings.ReplaceAll(<-follower, ping, ""); text != streamStart+streamText+streamEnd || calls.Load() != 1 {
		t.Errorf("%d calls, the follower got %q", calls.Load(), text)
	}
	for _, row := range g.WaitRows(2) {
		e := row.Entry
		in, _ := e.Usage.Get(sluice.Input)
		if e.Cache == sluice.CacheMiss && (in != 3 || e.Cost == 0) {
			t.Errorf("the leader's row: %v, input %d, cost %d", e.Ending, in, e.Cost)
		}
		if e.Cache == sluice.CacheHit && (!e.Success || e.CacheReason != "shared") {
			t.Errorf("the follower's row: %+v", e)
		}
	}
}

func TestRateLimit(t *testing.T) {
	for _, technique := range []string{"fixed", "sliding"} {
		t.Run(technique, func(t *testing.T) {
			s := &script{}
			g := proxytest.New(t, s.ServeHTTP, nil)
			g.Set(fmt.Sprintf(`{"rate_limiting_limit":20,"rate_limiting_interval":3600,"rate_limiting_technique":%q,"cache_ttl":60}`, technique))
			var all sync.WaitGroup
			var passed, refused atomic.Int32
			for i := range 100 {
				all.Go(func() {
					resp, text := post(g, "openai/chat/completions", fmt.Sprintf(`{"model":"m","n":%d}`, i), nil)
					switch {
					case resp.StatusCode == 200:
						passed.Add(1)
					case resp.StatusCode == 429 && strings.Contains(text, `"error":[{"code":2003,"message":"Rate limited"}]`) && resp.Header.Get("Retry-After") != "" &&
						resp.Header.Get("cf-aig-ratelimit-limit") == "20" && resp.Header.Get("cf-aig-ratelimit-remaining") == "0" && resp.Header.Get("cf-aig-log-id") != "":
						refused.Add(1)
					}
				})
			}
			all.Wait()
			if passed.Load() != 20 || refused.Load() != 80 || len(s.seen()) != 20 {
				t.Errorf("%d passed, %d refused, %d reached the provider", passed.Load(), refused.Load(), len(s.seen()))
			}
			hits := 0
			for i := range 100 {
				if resp, _ := post(g, "openai/chat/completions", fmt.Sprintf(`{"model":"m","n":%d}`, i), nil); resp.StatusCode == 200 {
					hits++
				}
			}
			if hits != 20 {
				t.Errorf("%d hits were let through; want the 20 that are kept", hits)
			}
		})
	}
}

func TestAUniversalRequestCountsOnce(t *testing.T) {
	g := proxytest.New(t, (&script{}).ServeHTTP, nil)
	g.Set(`{"rate_limiting_limit":2,"rate_limiting_interval":3600,"rate_limiting_technique":"fixed"}`)
	for i, want := range []int{200, 200, 429} {
		resp, _ := post(g, "", steps(oneStep("openai", `"config":{"maxAttempts":2},`, chat("status 500", false)), oneStep("openai", "", chat("", false))), nil)
		if resp.StatusCode != want {
			t.Errorf("request %d: %d, want %d", i, resp.StatusCode, want)
		}
	}
}

// TestHedge: once it is known how long calls take, one that takes longer gets a second beside it.
func TestHedge(t *testing.T) {
	var slow, left atomic.Int32
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if strings.Contains(string(text), "slow-first") && slow.Add(1) == 1 {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, streamStart)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			left.Add(1)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, streamStart+streamText+streamEnd)
	}, nil)
	g.Set(`{"hedge":10}`)
	for range 30 {
		post(g, "openai/chat/completions", chat("", true), nil)
	}
	_, text := post(g, "openai/chat/completions", chat("slow-first", true), nil)
	if text != streamStart+streamText+streamEnd || slow.Load() != 2 {
		t.Fatalf("%d calls, %q", slow.Load(), text)
	}
	for deadline := time.Now().Add(10 * time.Second); left.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the slower call was not cancelled")
		}
	}
	rows := g.WaitRows(31)
	slices.SortFunc(rows, func(a, b reqlog.Row) int { return a.Entry.Start.Compare(b.Entry.Start) })
	if a := rows[30].Entry.Attempts; len(a) != 2 || a[0].Cause != "hedge" || a[1].Cause != "" || !rows[30].Entry.Success {
		t.Errorf("attempts %+v", a)
	}
}

// TestRetryAfter: the wait that a provider asks for goes before the settings'; one that is too long ends the
// tries.
func TestRetryAfter(t *testing.T) {
	for after, want := range map[string]int32{"0.01": 2, "31": 1} {
		var calls atomic.Int32
		g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) {
			if calls.Add(1) == 1 {
				w.Header().Set("Retry-After", after)
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			_, _ = io.WriteString(w, wholeAnswer)
		}, nil)
		resp, _ := post(g, "openai/chat/completions", chat("", false), http.Header{"Cf-Aig-Max-Attempts": {"2"}, "Cf-Aig-Retry-Delay": {"60000"}})
		if calls.Load() != want || want == 1 && (resp.StatusCode != 429 || resp.Header.Get("Retry-After") != after) {
			t.Errorf("Retry-After %s: %d calls, %d", after, calls.Load(), resp.StatusCode)
		}
	}
}

// TestRetriesAreBounded: when everything fails, retries are a share of the calls.
func TestRetriesAreBounded(t *testing.T) {
	s := &script{}
	g := proxytest.New(t, s.ServeHTTP, nil)
	g.Set(`{"retry_max_attempts":5,"retry_delay":0}`)
	for range 50 {
		post(g, "openai/chat/completions", chat("status 500", false), nil)
	}
	if n := len(s.seen()); n > 60 || n < 55 {
		t.Errorf("50 calls became %d; want 60 at most: a fifth more", n)
	}
}
