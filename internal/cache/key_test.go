package cache_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// request is an ordinary one.
func request() *cache.Request {
	return &cache.Request{
		Scope: cache.Scope{Account: "acme", Gateway: "main"}, Provider: "openai", Method: "POST", Target: "/v1/chat/completions",
		Header: sluice.Header{
			{Name: "Content-Type", Value: "application/json"},
			{Name: "OpenAI-Beta", Value: "a"},
			{Name: "OpenAI-Beta", Value: "b"},
			{Name: "User-Agent", Value: "OpenAI/Python 2.1"},
		},
		Credential: "Bearer sk-1", Body: []byte(`{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hi"}]}`),
	}
}

func text(rt *rapid.T, label string) string {
	return rapid.StringOfN(rapid.RuneFrom([]rune("ab/?=:,\x00é")), 0, 5, -1).Draw(rt, label)
}

func draw(rt *rapid.T) *cache.Request {
	r := &cache.Request{
		Scope: cache.Scope{Account: text(rt, "account"), Gateway: text(rt, "gateway")}, Provider: text(rt, "provider"),
		Method: text(rt, "method"), Target: text(rt, "target"), Credential: text(rt, "credential"),
		Body: []byte(text(rt, "body")), Stream: rapid.Bool().Draw(rt, "stream"), Generation: rapid.Int64Range(0, 3).Draw(rt, "generation"),
	}
	for range rapid.IntRange(0, 4).Draw(rt, "fields") {
		r.Header.Add(rapid.SampledFrom([]string{"A", "b", "X-Long-Name", "aa"}).Draw(rt, "name"), text(rt, "value"))
	}
	if rapid.IntRange(0, 3).Draw(rt, "custom") == 0 {
		r.Custom = text(rt, "custom key")
	}
	return r
}

// canonical writes what a request's key stands for in another way than the key does.
func canonical(r *cache.Request) string {
	var b strings.Builder
	part := func(s string) {
		for i := range len(s) {
			b.WriteString("x" + string(rune(s[i])))
		}
		b.WriteString("|")
	}
	part(r.Account)
	part(r.Gateway)
	b.WriteString(strings.Repeat("g", int(r.Generation)))
	if r.Stream {
		b.WriteString("s")
	}
	if r.Custom != "" {
		b.WriteString("custom")
		part(r.Custom)
		return b.String()
	}
	for _, s := range []string{r.Provider, r.Method, r.Target, r.Credential, string(r.Body)} {
		part(s)
	}
	for _, name := range []string{"a", "aa", "b", "x-long-name"} { // all that draw knows
		for _, v := range r.Header.Values(name) {
			part(name)
			part(v)
		}
	}
	return b.String()
}

// TestKeysAreEqualWhereRequestsAre draws requests of few letters, so that many of them differ only in
// where one field ends and the next begins.
func TestKeysAreEqualWhereRequestsAre(t *testing.T) {
	seen, keys := map[string]cache.Key{}, map[cache.Key]string{}
	rapid.Check(t, func(rt *rapid.T) {
		r := draw(rt)
		name, key := canonical(r), cache.KeyOf(r)
		if before, known := seen[name]; known && before != key {
			rt.Errorf("two keys for %s", name)
		}
		if before, known := keys[key]; known && before != name {
			rt.Errorf("one key for %s and %s", name, before)
		}
		seen[name], keys[key] = key, name
	})
}

func TestEveryChangeIsAnotherKey(t *testing.T) {
	base := cache.KeyOf(request())
	for name, change := range map[string]func(r *cache.Request){
		"account":              func(r *cache.Request) { r.Account += "x" },
		"gateway":              func(r *cache.Request) { r.Gateway = "other" },
		"moved":                func(r *cache.Request) { r.Account, r.Gateway = "acmem", "ain" },
		"generation":           func(r *cache.Request) { r.Generation = 1 },
		"provider":             func(r *cache.Request) { r.Provider = "groq" },
		"method":               func(r *cache.Request) { r.Method = "PUT" },
		"path":                 func(r *cache.Request) { r.Target = "/v1/responses" },
		"query":                func(r *cache.Request) { r.Target += "?a=1" },
		"case of the path":     func(r *cache.Request) { r.Target = "/V1/chat/completions" },
		"credential":           func(r *cache.Request) { r.Credential = "Bearer sk-2" },
		"no credential":        func(r *cache.Request) { r.Credential = "" },
		"stream":               func(r *cache.Request) { r.Stream = true },
		"custom":               func(r *cache.Request) { r.Custom = "k" },
		"no body":              func(r *cache.Request) { r.Body = nil },
		"space in the body":    func(r *cache.Request) { r.Body = append(r.Body, ' ') },
		"a field's value":      func(r *cache.Request) { r.Header[0].Value = "text/plain" },
		"case of a value":      func(r *cache.Request) { r.Header[0].Value = "Application/json" },
		"order in one name":    func(r *cache.Request) { r.Header[1], r.Header[2] = r.Header[2], r.Header[1] },
		"one line of two":      func(r *cache.Request) { r.Header[1].Value = "a, b"; r.Header = append(r.Header[:2], r.Header[3]) },
		"a line less":          func(r *cache.Request) { r.Header = r.Header[1:] },
		"an unknown field":     func(r *cache.Request) { r.Header.Add("X-Unknown", "1") },
		"an empty field":       func(r *cache.Request) { r.Header.Add("X-Unknown", "") },
		"a field of long name": func(r *cache.Request) { r.Header.Add("X-Stainless-"+strings.Repeat("x", 100), "1") },
		"cookie":               func(r *cache.Request) { r.Header.Add("Cookie", "a=b") },
		"accept":               func(r *cache.Request) { r.Header.Add("Accept", "text/event-stream") },
		"anthropic-beta":       func(r *cache.Request) { r.Header.Add("anthropic-beta", "x") },
	} {
		r := request()
		if change(r); cache.KeyOf(r) == base {
			t.Errorf("%s: the same key", name)
		}
	}
	body := request().Body
	for i := range body {
		for _, bit := range []byte{1, 0x20, 0x80} {
			r := request()
			r.Body[i] ^= bit
			if cache.KeyOf(r) == base {
				t.Errorf("byte %d of the body: the same key", i)
			}
		}
		r := request()
		if r.Body = append(bytes.Clone(body[:i]), body[i+1:]...); cache.KeyOf(r) == base {
			t.Errorf("without byte %d of the body: the same key", i)
		}
	}
}

func TestWhatCannotMatterIsNoPartOfTheKey(t *testing.T) {
	base := cache.KeyOf(request())
	for _, name := range []string{
		"User-Agent", "ACCEPT-ENCODING", "accept-encoding", "X-Stainless-Retry-Count", "x-stainless-runtime-version", "traceparent", "TraceState",
		"x-request-id", "Idempotency-Key", "Content-Length", "Date", "Connection", "Cache-Control", "sec-ch-ua-platform", "X-B3-TraceId",
	} {
		r := request()
		r.Header = append(sluice.Header{{Name: name, Value: "1"}}, r.Header...)
		r.Header.Add(name, "2")
		if cache.KeyOf(r) != base {
			t.Errorf("%s changes the key", name)
		}
	}
	for _, name := range []string{
		"", "Content-Type", "Authorization", "Accept", "Cookie", "Origin", "If-None-Match", "Range", "Accept-Language", "x-api-key",
		"anthropic-version", "openai-organization", "x-goog-user-project", "user-agent-", "x-stainless", "x-amz-date", "prefer",
	} {
		if cache.CannotMatter(name) {
			t.Errorf("%q is left out", name)
		}
	}
}

// TestThePageListsWhatIsLeftOut reads the table of docs/cache.md.
func TestThePageListsWhatIsLeftOut(t *testing.T) {
	page, err := os.ReadFile("../../docs/cache.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| left out | why |")
	table, _, _ = strings.Cut(table, "\n\n")
	names := regexp.MustCompile("`([a-z0-9*-]+)`").FindAllStringSubmatch(table, -1)
	if len(names) < 40 {
		t.Fatalf("the table has %d names", len(names))
	}
	for _, name := range names {
		if !cache.CannotMatter(strings.ReplaceAll(name[1], "*", "x")) {
			t.Errorf("%s is part of the key", name[1])
		}
	}
}

func TestTheOrderOfDifferentNamesDoesNotCount(t *testing.T) {
	base := request()
	for i := range 20 {
		base.Header.Add(string(rune('a'+i%7))+"-name", strings.Repeat("v", i))
	}
	want := cache.KeyOf(base)
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		other := request()
		other.Header = nil
		// Draw line by line, so that those of one name stay in order.
		left := map[string][]sluice.Field{}
		var names []string
		for _, f := range base.Header {
			name := strings.ToLower(f.Name)
			left[name] = append(left[name], f)
			names = append(names, name)
		}
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		for _, name := range names {
			f := left[name][0]
			left[name] = left[name][1:]
			if r.IntN(2) == 0 {
				f.Name = strings.ToUpper(f.Name)
			}
			other.Header = append(other.Header, f)
		}
		if cache.KeyOf(other) != want {
			t.Fatalf("another order, another key: %v", other.Header)
		}
	}
}

func TestACustomKeyStandsForAllButScopeAndStream(t *testing.T) {
	one, other := request(), &cache.Request{Scope: request().Scope, Custom: "k", Provider: "anthropic", Body: []byte("else")}
	one.Custom = "k"
	if cache.KeyOf(one) != cache.KeyOf(other) {
		t.Error("other requests of the same custom key do not share")
	}
	keys := cache.CustomKeys(one.Scope, 0, "k")
	if keys[0] != cache.KeyOf(one) {
		t.Error("CustomKeys lacks the key")
	}
	one.Stream = true
	if cache.KeyOf(one) == cache.KeyOf(other) {
		t.Error("a stream shares with what is none")
	}
	if len(keys) != 2 || keys[1] != cache.KeyOf(one) {
		t.Error("CustomKeys lacks the stream's key")
	}
	other.Gateway = "else"
	if one.Stream = false; cache.KeyOf(one) == cache.KeyOf(other) {
		t.Error("two gateways share")
	}
}

func TestKeysAsText(t *testing.T) {
	k := cache.KeyOf(request())
	if got, ok := cache.ParseKey(k.String()); !ok || got != k {
		t.Errorf("%s", k)
	}
	for _, bad := range []string{"", "ab", k.String() + "0", strings.Repeat("z", 64), k.String()[1:] + "é"} {
		if _, ok := cache.ParseKey(bad); ok {
			t.Errorf("%q is read", bad)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	for _, size := range []int{1 << 10, 30 << 10} {
		r := request()
		r.Body = bytes.Repeat([]byte("x"), size)
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				cache.KeyOf(r)
			}
		})
	}
}
