package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// TestWhatAStepSends: the provider gets the step's query byte for byte, and the step's own header.
func TestWhatAStepSends(t *testing.T) {
	l := newLab(t, "default: {}", "", "p0")
	const query = "{ \"model\":\"gpt-4o-mini\" ,\n\"x\": 1.50e1, \"u\":\"\\u00e9é\" }"
	const endpoint = `{"provider":"p0","endpoint":"chat/completions",`
	for name, c := range map[string]struct {
		body   string
		header []string
		target string            // "" the usual one
		fields map[string]string // what the provider must see; "": nothing under that name
		sent   string            // "" query
	}{
		"an array":                    {body: `[` + endpoint + `"query":` + query + `}]`},
		"a bare object":               {body: endpoint + `"query":` + query + `}`},
		"space around it":             {body: " \r\n[ " + endpoint + `"query":` + query + "} ]\n"},
		"a slash before the endpoint": {body: `{"provider":"p0","endpoint":"/chat/completions","query":` + query + `}`},
		"a query in the endpoint":     {body: `{"provider":"p0","endpoint":"chat/completions?a=b&c=%20","query":` + query + `}`, target: "/v1/chat/completions?a=b&c=%20"},
		"header fields": {
			body:   endpoint + `"headers":{"Authorization":"Bearer sk-step","X-Number":5,"X-Bool":true,"X-Object":{"a":1},"x-text":"ä","Content-Type":"application/x-own"},"query":` + query + `}`,
			fields: map[string]string{"Authorization": "Bearer sk-step", "X-Number": "5", "X-Bool": "true", "X-Object": `{"a":1}`, "X-Text": "ä", "Content-Type": "application/x-own"},
		},
		"authorization of 2023": {
			body:   endpoint + `"authorization":"Token r8_old","query":` + query + `}`,
			fields: map[string]string{"Authorization": "Token r8_old"},
		},
		"headers before authorization": {
			body:   endpoint + `"authorization":"Bearer old","headers":{"authorization":"Bearer new"},"query":` + query + `}`,
			fields: map[string]string{"Authorization": "Bearer new"},
		},
		"the request's own header stays": {
			body:   endpoint + `"query":` + query + `}`,
			header: []string{"Authorization", "Bearer of-the-request", "X-Mine", "1", "User-Agent", "app/1", "cf-aig-metadata", `{"a":1}`},
			fields: map[string]string{"Authorization": "", "X-Mine": "", "cf-aig-metadata": "", "User-Agent": "app/1"},
		},
		"what is ours, or of a connection, is not sent": {
			body:   endpoint + `"headers":{"cf-aig-metadata":{"a":1},"CF-AIG-Cache-TTL":60,"Content-Length":3,"Host":"evil","Connection":"close","Transfer-Encoding":"chunked","x-forwarded-for":"1.2.3.4"},"query":` + query + `}`,
			fields: map[string]string{"cf-aig-metadata": "", "cf-aig-cache-ttl": "", "Content-Length": fmt.Sprint(len(query)), "Transfer-Encoding": "", "X-Forwarded-For": ""},
		},
		"null is no body":        {body: endpoint + `"query":null}`, sent: "-"},
		"another body than JSON": {body: endpoint + `"query":{"_raw":"a\nb"}}`, sent: "a\nb"},
	} {
		r := l.do(t, call{body: c.body, header: c.header})
		seen := l.up["p0"].Take()
		if r.status != 200 || r.body != answered || r.header.Get("cf-aig-step") != "0" || len(seen) != 1 {
			t.Errorf("%s: %d %s, %d calls", name, r.status, r.body, len(seen))
			continue
		}
		want := query
		if c.sent != "" {
			want = strings.TrimPrefix(c.sent, "-")
		}
		if target := seen[0].Target(); string(seen[0].Body) != want || c.target != "" && target != c.target || c.target == "" && target != "/v1/chat/completions" {
			t.Errorf("%s: the provider got %s %q", name, target, seen[0].Body)
		}
		if host := seen[0].Get("Host"); host != l.up["p0"].Addr {
			t.Errorf("%s: Host %s", name, host)
		}
		for field, value := range c.fields {
			if got := seen[0].Get(field); got != value {
				t.Errorf("%s: %s is %q, want %q", name, field, got, value)
			}
		}
		row := l.row(t, "", r)
		if stored, err := l.StoredBody(r.id(), "request"); err != nil || string(stored) != want || row.Provider != "p0" {
			t.Errorf("%s: the log has %q of %s, %v", name, stored, row.Provider, err)
		}
	}
}

func TestUniversalRequestsThatAreRefused(t *testing.T) {
	l := newLab(t, "default: {}", "", "p0")
	for body, field := range map[string]string{
		"": "body", "17": "body", "[]": "body", "[1]": "[0]", "{}": "[0].provider",
		`[` + step("p0", "chat/completions", "", chat):            "body",
		steps(step("p0", "chat/completions", "", chat), "{}"):     "[1].provider",
		step("nobody", "chat/completions", "", chat):              "[0].provider",
		step("p0", "../../elsewhere", "", chat):                   "[0].endpoint",
		step("p0", "chat", `"provider":"p0",`, chat):              "[0].provider",
		step("p0", "chat", `"Provider":"p0",`, chat):              "[0]",
		step("p0", "chat", `"headers":{"a":"b\r\nc: d"},`, chat):  "[0].headers",
		`{"provider":"p0","endpoint":"chat/completions"}`:         "[0].query",
		steps(strings.Split(strings.Repeat("{},", 65), ",")...):   "body",
		strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000): "body",
	} {
		r := l.do(t, call{body: body})
		if r.status != 400 || gateway.ErrorCode([]byte(r.body)) == 0 || !strings.Contains(r.body, `"field":"`+field+`"`) {
			t.Errorf("%.80s: %d %s; want the field %s", body, r.status, r.body, field)
		}
	}
	if seen := l.up["p0"].Take(); len(seen) != 0 {
		t.Errorf("the provider got %v", seen)
	}
}

// speaker is a provider as it is called in a step, and what it answers.
type speaker struct{ provider, endpoint, query, target, answer string }

func speakers() []speaker {
	return []speaker{
		{"openai", "chat/completions", chat, "/v1/chat/completions", answered},
		{"anthropic", "v1/messages", `{"model":"claude-3-5-sonnet","max_tokens":5,"messages":[]}`, "/v1/messages", `{"type":"message","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":3}}`},
		{"workers-ai", "@cf/meta/llama-2-7b-chat-int8", `{"prompt":"Hi"}`, "/v1/run/@cf/meta/llama-2-7b-chat-int8", `{"result":{"response":"Hello"},"success":true,"errors":[],"messages":[]}`},
		{"huggingface", "bigcode/starcoder", `{"inputs":"def f"}`, "/v1/bigcode/starcoder", `[{"generated_text":"def f()"}]`},
		{"replicate", "predictions", `{"version":"v","input":{"prompt":"Hi"}}`, "/v1/predictions", `{"id":"p","status":"starting"}`},
		{"p0", "embeddings", `{"model":"e","input":"Hi"}`, "/v1/embeddings", `{"object":"list","data":[],"usage":{"prompt_tokens":1,"total_tokens":1}}`},
	}
}

// TestAnyProviderAfterAnyOther: steps go to any provider, and the answer is that provider's, unconverted.
func TestAnyProviderAfterAnyOther(t *testing.T) {
	var slugs []string
	for _, s := range speakers() {
		slugs = append(slugs, s.provider)
	}
	l := newLab(t, "default: {}", "", slugs...)
	for _, first := range speakers() {
		for _, second := range speakers() {
			if first == second {
				continue
			}
			l.up[first.provider].Use(status(403))
			l.up[second.provider].Use(upstream.JSON(200, second.answer))
			r := l.do(t, call{body: steps(step(first.provider, first.endpoint, "", first.query), step(second.provider, second.endpoint, "", second.query))})
			a, b := l.up[first.provider].Take(), l.up[second.provider].Take()
			if r.status != 200 || r.body != second.answer || r.header.Get("cf-aig-step") != "1" || len(a) != 1 || len(b) != 1 {
				t.Errorf("%s, %s: %d, step %s, %s; %d and %d calls", first.provider, second.provider, r.status, r.header.Get("cf-aig-step"), r.body, len(a), len(b))
				continue
			}
			if b[0].Target() != second.target || string(b[0].Body) != second.query {
				t.Errorf("%s got %s %q", second.provider, b[0].Target(), b[0].Body)
			}
			row := l.row(t, "", r)
			if row.Provider != second.provider || row.Step != 1 || !row.Success || causes(row) != "status -" || row.Attempts[0].Provider != first.provider || row.Attempts[1].Provider != second.provider {
				t.Errorf("log: %s", row)
			}
		}
	}
}

// TestWhateverIsWrongWithTheFirstStep: the second answers, and the log has both with the reason.
func TestWhateverIsWrongWithTheFirstStep(t *testing.T) {
	closed := closedAddr(t)
	l := newLab(t, "default: {}", "", "p0", "p1")
	dead := newLab(t, "default: {}", "", "p1") // the provider's address is another one
	dead.Kill()
	dead.options.Config += "  p0: {base_url: \"http://" + closed + "/v1\", kind: openai}\n"
	dead.again(t)
	const impatient = `"config":{"requestTimeout":60},`
	for name, c := range map[string]struct {
		script upstream.Script
		more   string
		cause  string
		status int // of the first attempt; 0: none
	}{
		"refused":                       {cause: "dial"},
		"no head comes":                 {script: silent, more: impatient, cause: "timeout"},
		"a head and no more":            {script: stalling, more: impatient, cause: "timeout", status: 200},
		"the connection ends":           {script: refuse, cause: "read"},
		"the answer breaks off":         {script: cutShort, cause: "cut", status: 200},
		"429":                           {script: status(429, "Retry-After: 1"), cause: "status", status: 429},
		"429, the quota is used up":     {script: upstream.JSON(429, `{"error":{"code":"insufficient_quota"}}`), cause: "status", status: 429},
		"the credential is refused":     {script: status(401), cause: "status", status: 401},
		"the request is not understood": {script: status(400), cause: "status", status: 400},
		"a fault of the provider's":     {script: status(500), cause: "status", status: 500},
		"what is no HTTP":               {script: func(_ *rawhttp.Message, c *upstream.Conn) bool { c.Send("SSH-2.0-x\r\n\r\n"); return false }, cause: "protocol"},
		"an error event":                {script: errorEvent, cause: "error_event", status: 200},
	} {
		for _, streamed := range []bool{false, true} {
			body, want := chat, answered
			if streamed {
				body, want = chatSSE, wholeStream
			} else if name == "an error event" {
				continue // there are none in a whole answer
			}
			g := l
			if c.script == nil {
				g = dead
			} else {
				l.up["p0"].Use(c.script)
			}
			r := g.do(t, call{body: steps(step("p0", "chat/completions", c.more, body), step("p1", "chat/completions", "", body))})
			if r.status != 200 || r.body != want || r.header.Get("cf-aig-step") != "1" || len(g.up["p1"].Take()) != 1 {
				t.Errorf("%s, streamed %v: %d, step %s: %s", name, streamed, r.status, r.header.Get("cf-aig-step"), r.body)
				continue
			}
			row := g.row(t, "", r)
			// A call that dies on a connection kept from another case goes once more on a new one: an attempt too.
			got := strings.TrimPrefix(causes(row), "read read")
			if got != causes(row) {
				got = "read" + got
			}
			if got != c.cause+" -" || !row.Success || row.Ending != "complete" || row.Step != 1 || row.Streamed != streamed || row.TokensIn == nil || *row.TokensIn != 9 || row.ErrorKind != "" {
				t.Errorf("%s, streamed %v: %s", name, streamed, row)
			} else if got := row.Attempts[0].Status; got == nil && c.status != 0 || got != nil && *got != c.status {
				t.Errorf("%s, streamed %v: %s", name, streamed, row)
			}
		}
	}
}

// TestAllStepsFail: the last failure is the answer.
func TestAllStepsFail(t *testing.T) {
	l := newLab(t, "default: {}", "", "p0", "p1", "p2")
	const impatient = `"config":{"requestTimeout":60},`
	one := func(p string) string { return step(p, "chat/completions", impatient, chat) }
	l.up["p0"].Use(status(500))
	l.up["p1"].Use(status(503, "Retry-After: 0.02"))
	r := l.do(t, call{body: steps(one("p0"), one("p1"))})
	if r.status != 503 || !strings.Contains(r.body, "status 503") || r.header.Get("Retry-After") != "0.02" || r.header.Get("cf-aig-step") != "1" {
		t.Errorf("%d, step %s: %s", r.status, r.header.Get("cf-aig-step"), r.body)
	}
	if row := l.row(t, "", r); causes(row) != "status -" || row.Success || row.ErrorKind != "upstream_status" || row.Status() != 503 || row.Step != 1 {
		t.Errorf("log: %s", row)
	}

	l.up["p2"].Use(refuse)
	r = l.do(t, call{body: steps(one("p0"), one("p2"))})
	if r.status != 400 || gateway.ErrorCode([]byte(r.body)) != 2005 || r.header.Get("cf-aig-step") != "1" {
		t.Errorf("%d, step %s: %s", r.status, r.header.Get("cf-aig-step"), r.body)
	}
	if row := l.row(t, "", r); causes(row) != "status read" || row.Ending != "unreachable" {
		t.Errorf("log: %s", row)
	}

	r = l.do(t, call{body: steps(one("p2"), one("p0"), step("p1", "chat/completions", `"config":{"maxAttempts":2,"retryDelay":1},`, chat))})
	if r.status != 503 || r.header.Get("cf-aig-step") != "2" {
		t.Errorf("%d, step %s: %s", r.status, r.header.Get("cf-aig-step"), r.body)
	}
	if row := l.row(t, "", r); causes(row) != "read status status -" {
		t.Errorf("log: %s", row)
	}
}

// TestRetriesComeBeforeTheNextStep: a step is tried as often as it may be, then comes the next one.
func TestRetriesComeBeforeTheNextStep(t *testing.T) {
	l := newLab(t, "default: {}", "", "p0", "p1", "p2")
	l.up["p0"].Use(status(500))
	l.up["p1"].Use(failing(2, refuse))
	const thrice = `"config":{"maxAttempts":3,"retryDelay":1},`
	r := l.do(t, call{body: steps(step("p0", "chat/completions", thrice, chat), step("p1", "chat/completions", thrice, chat), step("p2", "chat/completions", "", chat))})
	row := l.row(t, "", r)
	var providers []string
	for _, a := range row.Attempts {
		providers = append(providers, a.Provider)
	}
	if r.status != 200 || r.header.Get("cf-aig-step") != "1" || causes(row) != "status status status read read -" || !slices.Equal(providers, []string{"p0", "p0", "p0", "p1", "p1", "p1"}) {
		t.Errorf("%d, step %s: %s", r.status, r.header.Get("cf-aig-step"), row)
	}
	if n := len(l.up["p2"].Take()); n != 0 {
		t.Errorf("%d calls to the step behind the one that answered", n)
	}
}

// TestMoreTriesThanAnIdCanNumber: each attempt has an id of its own, and the answer has the request's, however
// many steps and tries there are.
func TestMoreTriesThanAnIdCanNumber(t *testing.T) {
	l := newLab(t, "default: {}", "upstream: {retry_budget: 100}\n", "p0", "p1")
	l.up["p0"].Use(status(500))
	list := slices.Repeat([]string{step("p0", "chat/completions", `"config":{"maxAttempts":5},`, chat)}, 63)
	r := l.do(t, call{body: steps(append(list, step("p1", "chat/completions", "", chat))...)})
	row := l.row(t, "", r)
	if r.status != 200 || r.header.Get("cf-aig-step") != "63" || len(row.Attempts) != 64 {
		t.Errorf("%d, step %s, %d attempts", r.status, r.header.Get("cf-aig-step"), len(row.Attempts))
	}
	_, _, text, err := l.Get("/gateways/default/logs?per_page=1")
	var shown struct{ Result []gateway.Row }
	if err != nil || json.Unmarshal(text, &shown) != nil {
		t.Fatalf("list: %s %v", text, err)
	}
	ids := map[string]string{}
	for i := range shown.Result {
		ids[shown.Result[i].ID] = shown.Result[i].Provider
	}
	if len(ids) != len(shown.Result) || ids[r.id()] != "p1" {
		t.Errorf("%d attempts under %d ids; the request's is of %s", len(shown.Result), len(ids), ids[r.id()])
	}
}

// TestNoStepBehindContent: once content of an answer went to the client, no other step is tried.
func TestNoStepBehindContent(t *testing.T) {
	l := newLab(t, "default: {}", "", "p0", "p1")
	l.up["p0"].Use(func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(": ping\n\n")
		c.Chunk(eventHi)
		return false
	})
	r := l.try(t.Context(), call{body: steps(step("p0", "chat/completions", `"config":{"maxAttempts":5,"retryDelay":1},`, chatSSE), step("p1", "chat/completions", "", chatSSE))})
	if r.err == nil || r.status != 200 || r.body != ": ping\n\n"+eventHi || r.header.Get("cf-aig-step") != "0" {
		t.Errorf("the client got %d %q, %v", r.status, r.body, r.err)
	}
	if a, b := len(l.up["p0"].Take()), len(l.up["p1"].Take()); a != 1 || b != 0 {
		t.Errorf("%d and %d calls", a, b)
	}
	if row := l.row(t, "", r); row.Ending != "cut" || row.Success || row.Step != 0 || len(row.Attempts) != 1 {
		t.Errorf("log: %s", row)
	}
}

// TestAnAnswerBelongsToItsStep: what a step answered is cached as that step's, never as that of one before it.
func TestAnAnswerBelongsToItsStep(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		t.Run(fmt.Sprint("streamed ", streamed), func(t *testing.T) {
			l := newLab(t, "cached: {cache_ttl: 1h}", "", "p0", "p1")
			body := chat
			if streamed {
				body = chatSSE
			}
			both := call{gateway: "cached", body: steps(step("p0", "chat/completions", "", body), step("p1", "chat/completions", "", body))}
			l.up["p0"].Use(status(500))
			expect := func(what string, c call, cache, step, from string, first, second int) {
				t.Helper()
				r := l.do(t, c)
				a, b := len(l.up["p0"].Take()), len(l.up["p1"].Take())
				if r.status != 200 || r.header.Get("cf-aig-cache-status") != cache || r.header.Get("cf-aig-step") != step || a != first || b != second {
					t.Errorf("%s: %d, %s, step %s, %d and %d calls; want %s, step %s, %d and %d", what, r.status,
						r.header.Get("cf-aig-cache-status"), r.header.Get("cf-aig-step"), a, b, cache, step, first, second)
				}
				if row := l.row(t, "cached", r); row.Provider != from || fmt.Sprint(row.Step) != step || row.Cached != (cache == "HIT") {
					t.Errorf("%s: %s", what, row)
				}
			}
			only := func(p string) call { return call{gateway: "cached", body: step(p, "chat/completions", "", body)} }
			expect("the first fails", both, "MISS", "1", "p1", 1, 1)
			expect("it fails again", both, "HIT", "1", "p1", 1, 0)
			var list struct{ Result []gateway.Row }
			if _, _, text, err := l.Get("/gateways/cached/logs?per_page=1"); err != nil || json.Unmarshal(text, &list) != nil || len(list.Result) != 2 ||
				!list.Result[0].Cached || list.Result[0].Step != 1 || list.Result[1].Cached || list.Result[1].Step != 0 || list.Result[1].TokensIn != nil {
				t.Errorf("as attempts: %s %v; want the first step's, and the answer of the cache", text, err)
			}
			expect("the second's answer, asked for alone", only("p1"), "HIT", "0", "p1", 0, 0)
			l.up["p0"].Use(whole)
			expect("the first alone, which is well now", only("p0"), "MISS", "0", "p0", 1, 0)
			expect("both, once the first is well", both, "HIT", "0", "p0", 0, 0)
		})
	}
}

// TestAnAnswerUnderAKeyOfItsOwnSaysItsStep: such a key crosses providers, and the caller reads the answer as the
// step says that it names.
func TestAnAnswerUnderAKeyOfItsOwnSaysItsStep(t *testing.T) {
	l := newLab(t, "default: {}", "", "openai", "anthropic")
	message := speakers()[1].answer
	l.up["anthropic"].Use(upstream.JSON(200, message))
	first := step("openai", "chat/completions", "", chat)
	second := step("anthropic", "v1/messages", "", speakers()[1].query)
	for _, c := range []struct {
		what, body, cache, step, answer, provider string
		fails                                     bool
	}{
		{"the first fails", steps(first, second), "MISS", "1", message, "anthropic", true},
		{"its answer is there", steps(first, second), "HIT", "1", message, "anthropic", false},
		{"the other way round", steps(second, first), "HIT", "0", message, "anthropic", false},
		{"further behind", steps(first, first, second), "HIT", "2", message, "anthropic", false},
		{"no such step", steps(first, first), "HIT", "0", message, "openai", false},
	} {
		l.up["openai"].Use(whole)
		if c.fails {
			l.up["openai"].Use(status(500))
		}
		r := l.do(t, call{body: c.body, header: []string{"cf-aig-cache-key", "report"}})
		row := l.row(t, "", r)
		if r.body != c.answer || r.header.Get("cf-aig-cache-status") != c.cache || r.header.Get("cf-aig-step") != c.step || fmt.Sprint(row.Step) != c.step || row.Provider != c.provider {
			t.Errorf("%s: %s, step %s, %s; want %s, step %s: %s", c.what, r.header.Get("cf-aig-cache-status"), r.header.Get("cf-aig-step"), r.body, c.cache, c.step, row)
		}
		if c.provider == "anthropic" && (row.TokensIn == nil || *row.TokensIn != 9) {
			t.Errorf("%s: tokens %s", c.what, row)
		}
	}
}

// TestEachStepHasItsOwnCacheSettings: as in the reference's example, a step switches off what the request
// asks for.
func TestEachStepHasItsOwnCacheSettings(t *testing.T) {
	l := newLab(t, "cached: {cache_ttl: 1h}", "", "p0", "p1")
	l.up["p0"].Use(status(500))
	c := call{gateway: "cached", header: []string{"cf-aig-cache-ttl", "3600"}, body: steps(
		step("p0", "chat/completions", "", chat), step("p1", "chat/completions", `"headers":{"cf-aig-cache-ttl":"0"},`, chat))}
	for range 2 {
		if r := l.do(t, c); r.status != 200 || r.header.Get("cf-aig-cache-status") != "" || len(l.up["p1"].Take()) != 1 {
			t.Errorf("a step that is not cached: %d %s", r.status, r.header.Get("cf-aig-cache-status"))
		}
	}
	c.body = steps(step("p0", "chat/completions", `"headers":{"cf-aig-cache-ttl":0},`, chat), step("p1", "chat/completions", "", chat))
	for _, want := range []string{"MISS", "HIT"} {
		if r := l.do(t, c); r.status != 200 || r.header.Get("cf-aig-cache-status") != want {
			t.Errorf("a step that is cached, behind one that is not: %d %s, want %s", r.status, r.header.Get("cf-aig-cache-status"), want)
		}
	}
}
