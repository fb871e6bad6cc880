package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// kind is an endpoint that the cache answers for: where it is, what its provider answers, and what a body may
// have.
type kind struct {
	path, answer string
	always       map[string]any
	sometimes    map[string]any
}

func kinds() []kind {
	text := func(role, s string) map[string]any { return map[string]any{"role": role, "content": s} }
	tool := map[string]any{"type": "function", "function": map[string]any{
		"name": "weather", "parameters": map[string]any{"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string"}}}, "strict": true,
	}}
	return []kind{
		{
			"openai/chat/completions", answered,
			map[string]any{"model": "gpt-4o-mini", "messages": []any{text("system", "be brief"), text("user", "Hi"), map[string]any{"role": "user", "content": []any{
				map[string]any{"type": "text", "text": "what is this?"}, map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64,AAAA", "detail": "low"}},
			}}}},
			map[string]any{
				"temperature": 0.5, "top_p": 1, "max_tokens": 10, "max_completion_tokens": 20, "n": 1, "stop": []any{"a", "b"}, "seed": 7, "user": "ana",
				"logit_bias": map[string]any{"50256": -100}, "logprobs": true, "top_logprobs": 2, "presence_penalty": 0.1, "frequency_penalty": 0.2,
				"response_format": map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "x", "schema": map[string]any{"type": "object"}}},
				"tools":           []any{tool}, "tool_choice": "auto", "parallel_tool_calls": false, "reasoning_effort": "low", "service_tier": "auto",
				"metadata": map[string]any{"a": "b"}, "store": false, "modalities": []any{"text"}, "prediction": nil,
				"not_known_yet": map[string]any{"deep": []any{map[string]any{"deeper": []any{1, nil, true}}}}, "top_k": 3,
			},
		},
		{
			"openai/embeddings", `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"e","usage":{"prompt_tokens":1,"total_tokens":1}}`,
			map[string]any{"model": "text-embedding-3-small", "input": []any{"one", "two"}},
			map[string]any{"dimensions": 256, "encoding_format": "float", "user": "ana", "input_type": "query", "truncate": "END", "own": map[string]any{"x": []any{0, 1}}},
		},
		{
			"openai/images/generations", `{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}`,
			map[string]any{"model": "gpt-image-1", "prompt": "a lock"},
			map[string]any{"n": 1, "size": "1024x1024", "quality": "low", "background": "opaque", "moderation": "auto", "output_format": "png", "style": "vivid", "user": "ana", "seed": 1},
		},
		{
			"openai/responses", `{"id":"r","object":"response","status":"completed","model":"gpt-4.1","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello"}]}],"usage":{"input_tokens":9,"output_tokens":3,"total_tokens":12}}`,
			map[string]any{"model": "gpt-4.1", "input": []any{map[string]any{"role": "user", "content": []any{map[string]any{"type": "input_text", "text": "Hi"}}}}},
			map[string]any{
				"instructions": "be brief", "max_output_tokens": 16, "reasoning": map[string]any{"effort": "low", "summary": "auto"}, "text": map[string]any{"format": map[string]any{"type": "text"}, "verbosity": "low"},
				"tools": []any{map[string]any{"type": "web_search", "filters": map[string]any{"allowed_domains": []any{"a.example"}}}}, "tool_choice": "auto", "previous_response_id": "r-0",
				"store": false, "truncation": "auto", "include": []any{"reasoning.encrypted_content"}, "prompt_cache_key": "k", "safety_identifier": "s", "top_logprobs": 1,
			},
		},
		{
			"anthropic/v1/messages", `{"id":"m","type":"message","role":"assistant","model":"claude-3-5-haiku","content":[{"type":"text","text":"Hello"}],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":3}}`,
			map[string]any{"model": "claude-3-5-haiku", "max_tokens": 16, "messages": []any{text("user", "Hi"), text("assistant", "Hello"), text("user", "Bye")}},
			map[string]any{
				"system": []any{map[string]any{"type": "text", "text": "be brief", "cache_control": map[string]any{"type": "ephemeral"}}}, "temperature": 0, "top_k": 5, "top_p": 0.9,
				"stop_sequences": []any{"x"}, "thinking": map[string]any{"type": "enabled", "budget_tokens": 1024}, "tools": []any{map[string]any{"name": "t", "input_schema": map[string]any{"type": "object"}}},
				"tool_choice": map[string]any{"type": "auto", "disable_parallel_tool_use": true}, "metadata": map[string]any{"user_id": "u"}, "service_tier": "auto", "mcp_servers": []any{},
			},
		},
	}
}

// sample makes a body of k: all that it always has, and some of the rest.
func (k *kind) sample(r *rand.Rand, n int) map[string]any {
	body := maps.Clone(k.always)
	for _, name := range slices.Sorted(maps.Keys(k.sometimes)) {
		if r.IntN(2) == 0 {
			body[name] = k.sometimes[name]
		}
	}
	body["sample"] = n // so that no two are alike
	return body
}

func compact(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// mutants are texts that mean something else than v, or mean it otherwise: each value changed, each member and
// element left out or doubled, a member more in each object, and the elements of each list in another order.
func mutants(v any) []any {
	var list []any
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			without := maps.Clone(v)
			delete(without, name)
			list = append(list, without)
			renamed := maps.Clone(without)
			renamed[name+"_"] = value
			list = append(list, renamed)
			for _, m := range mutants(value) {
				with := maps.Clone(v)
				with[name] = m
				list = append(list, with)
			}
		}
		more := maps.Clone(v)
		more["one_more"] = true
		list = append(list, more)
	case []any:
		for i, value := range v {
			list = append(list, slices.Delete(slices.Clone(v), i, i+1), slices.Insert(slices.Clone(v), i, value))
			for _, m := range mutants(value) {
				with := slices.Clone(v)
				with[i] = m
				list = append(list, with)
			}
		}
		turned := slices.Clone(v)
		slices.Reverse(turned)
		list = append(list, turned, append(slices.Clone(v), any(nil)))
	case string:
		list = append(list, v+" ", strings.ToUpper(v)+"!", nil)
	case bool:
		list = append(list, !v, nil)
	case int:
		list = append(list, v+1, fmt.Sprint(v), json.Number(fmt.Sprint(v, ".0")))
	case float64:
		list = append(list, v/2, nil)
	case nil:
		list = append(list, false, 0, "")
	}
	return list
}

// TestAnythingElseIsAnotherRequest: whatever differs in a body, in a known field or in one that nobody knows,
// the cache does not answer from what was stored for another one.
func TestAnythingElseIsAnotherRequest(t *testing.T) {
	const samples = 200
	l := newLab(t, "default: {cache_ttl: 1h, collect_payload: false}", "", "openai", "anthropic")
	answers := map[string]upstream.Script{}
	for _, k := range kinds() {
		_, path, _ := strings.Cut(k.path, "/")
		answers["/v1/"+strings.TrimPrefix(path, "v1/")] = upstream.JSON(200, k.answer)
	}
	byPath := func(req *rawhttp.Message, c *upstream.Conn) bool { return answers[req.Target()](req, c) }
	l.up["openai"].Use(byPath)
	l.up["anthropic"].Use(byPath)

	r := rand.New(rand.NewPCG(4, 2026))
	sent := map[string]bool{}
	type asked struct {
		path, body string
		want       []string
	}
	queue := make([][]asked, samples)
	total := 0
	for n := range samples {
		k := kinds()[n%len(kinds())]
		body := k.sample(r, n)
		sent[compact(t, body)] = true
		queue[n] = append(queue[n], asked{k.path, compact(t, body), []string{"MISS", "HIT"}})
		for _, m := range mutants(body) {
			if text := compact(t, m); !sent[text] {
				sent[text] = true
				queue[n] = append(queue[n], asked{k.path, text, []string{"MISS"}})
			}
		}
		spaced := strings.Replace(compact(t, body), ":", ": ", 1)
		queue[n] = append(queue[n], asked{k.path, spaced, []string{"MISS"}}, asked{k.path, compact(t, body), []string{"HIT"}})
		total += len(queue[n])
	}
	var all sync.WaitGroup
	work := make(chan []asked)
	for range 8 {
		all.Go(func() {
			for list := range work {
				for _, a := range list {
					for _, want := range a.want {
						r := l.try(t.Context(), call{path: a.path, body: a.body})
						if r.err != nil || r.status != 200 || r.header.Get("cf-aig-cache-status") != want {
							t.Errorf("%s %s: %d %s %v, want %s", a.path, a.body, r.status, r.header.Get("cf-aig-cache-status"), r.err, want)
						}
					}
				}
			}
		})
	}
	for _, list := range queue {
		work <- list
	}
	close(work)
	all.Wait()
	t.Logf("%d requests of %d samples", total, samples)
	if total < 40*samples {
		t.Errorf("%d requests are few", total)
	}
}

// TestWhatElseIsInTheKey: where the call goes, who makes it, and each field that goes on to the provider.
func TestWhatElseIsInTheKey(t *testing.T) {
	// Account acme is put behind the gateways of account default.
	l := newLab(t, "default: {cache_ttl: 1h}, other: {cache_ttl: 1h}}}, acme: {gateways: {default: {cache_ttl: 1h}", "", "openai", "p0")
	base := call{path: "openai/chat/completions", body: chat, header: []string{
		"Authorization", "Bearer sk-one", "OpenAI-Organization", "org-1", "OpenAI-Beta", "assistants=v2", "X-Own", "1", "Cookie", "a=b", "Accept", "application/json",
	}}
	with := func(name, value string) call {
		c := base
		c.header = slices.Clone(base.header)
		for i := 0; i < len(c.header); i += 2 {
			if c.header[i] == name {
				c.header[i+1] = value
				return c
			}
		}
		c.header = append(c.header, name, value)
		return c
	}
	without := func(name string) call {
		c := base
		i := slices.Index(c.header, name)
		c.header = slices.Delete(slices.Clone(c.header), i, i+2)
		return c
	}
	elsewhere := func(change func(c *call)) call {
		c := base
		change(&c)
		return c
	}
	if r := l.do(t, base); r.header.Get("cf-aig-cache-status") != "MISS" {
		t.Fatalf("%d %v", r.status, r.header)
	}
	other := map[string]call{
		"another account":      elsewhere(func(c *call) { c.account = "acme" }),
		"another gateway":      elsewhere(func(c *call) { c.gateway = "other" }),
		"another provider":     elsewhere(func(c *call) { c.path = "p0/chat/completions" }),
		"another endpoint":     elsewhere(func(c *call) { c.path = "openai/completions" }),
		"a query":              elsewhere(func(c *call) { c.path += "?a=b" }),
		"another query":        elsewhere(func(c *call) { c.path += "?a=c" }),
		"another credential":   with("Authorization", "Bearer sk-two"),
		"another place for it": with("api-key", "sk-one"),
		"no credential":        without("Authorization"),
		"a doubled field":      elsewhere(func(c *call) { c.header = append(slices.Clone(c.header), "X-Own", "1") }),
		"a key in the query":   elsewhere(func(c *call) { c.path += "?key=sk-one" }),
	}
	for i := 2; i < len(base.header); i += 2 {
		name := base.header[i]
		other["another "+name] = with(name, base.header[i+1]+"x")
		other["no "+name] = without(name)
	}
	for _, name := range []string{"anthropic-version", "anthropic-beta", "x-api-key", "x-goog-user-project", "OpenAI-Project", "Accept-Language", "X-Title", "HTTP-Referer", "X-Never-Heard-Of", "Range", "Prefer", "X-Amz-Target", "helicone-auth"} {
		other["a field more: "+name] = with(name, "v")
	}
	for name, c := range other {
		if r := l.do(t, c); r.status != 200 || r.header.Get("cf-aig-cache-status") != "MISS" {
			t.Errorf("%s: %d %s", name, r.status, r.header.Get("cf-aig-cache-status"))
		}
	}
	for name, c := range map[string]call{
		"the very same":              base,
		"another client":             with("User-Agent", "other/2"),
		"an SDK's own fields":        with("X-Stainless-Retry-Count", "1"),
		"another try":                with("Idempotency-Key", "k"),
		"a trace":                    with("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		"a name of the request":      with("X-Request-Id", "r"),
		"another packing":            with("Accept-Encoding", "gzip"),
		"caches on the way":          with("Cache-Control", "no-cache"),
		"metadata":                   with("cf-aig-metadata", `{"user":"ana"}`),
		"an event id":                with("cf-aig-event-id", "e"),
		"tries and time-outs":        with("cf-aig-max-attempts", "3"),
		"another time to be kept":    with("cf-aig-cache-ttl", "600"),
		"another case of names":      elsewhere(func(c *call) { c.header = append([]string{"AUTHORIZATION", "Bearer sk-one"}, base.header[2:]...) }),
		"another order of the names": elsewhere(func(c *call) { c.header = append(slices.Clone(base.header[4:]), base.header[:4]...) }),
	} {
		if r := l.do(t, c); r.status != 200 || r.header.Get("cf-aig-cache-status") != "HIT" {
			t.Errorf("%s: %d %s", name, r.status, r.header.Get("cf-aig-cache-status"))
		}
	}
}
