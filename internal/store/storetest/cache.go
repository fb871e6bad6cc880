package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// Cache proves what cache.Store promises. open makes an empty store with room for 64 MB and more, in
// whichever place; what it holds must not depend on what another one got.
func Cache(t *testing.T, open func(*testing.T) cache.Store) {
	for _, one := range []struct {
		name string
		run  func(*testing.T, *answers)
	}{
		{"an entry comes back as it was put", cacheWhole},
		{"other scopes and keys have nothing", cacheApart},
		{"a second entry takes the place of the first", cacheReplace},
		{"an entry ends when it expires", cacheExpiry},
		{"a purge takes what it selects", cachePurge},
		{"purged keys can be put again", cachePurgeAgain},
		{"stats tell of a scope", cacheStats},
		{"side by side", cacheTogether},
	} {
		t.Run(one.name, func(t *testing.T) { one.run(t, &answers{open(t), t}) })
	}
	t.Run("any order of calls", func(t *testing.T) { cacheModel(t, open) })
}

// answers is a store with the hand that tests it.
type answers struct {
	cache.Store
	t *testing.T
}

// main is the scope of most tests.
func mainScope() cache.Scope { return cache.Scope{Account: "acme", Gateway: "main"} }

// cacheEntry makes an entry that holds for an hour from the real now on: stores may drop what has
// expired on their own.
func cacheEntry(body string) *cache.Entry {
	now := time.Now().Truncate(time.Millisecond)
	return &cache.Entry{
		Head: cache.Head{
			Status: 200, Header: sluice.Header{{Name: "Content-Type", Value: "application/json"}}, Length: int64(len(body)),
			Provider: "openai", Model: "gpt-4.1-mini",
		},
		Body: []byte(body), Stored: now, Expires: now.Add(time.Hour),
	}
}

func cacheKey(n int) cache.Key { return cache.KeyOf(&cache.Request{Custom: fmt.Sprint(n)}) }

func (a *answers) put(scope cache.Scope, key cache.Key, e *cache.Entry) {
	a.t.Helper()
	if err := a.Put(a.t.Context(), scope, key, e); err != nil {
		a.t.Fatalf("Put: %v", err)
	}
}

// has returns the body of an entry, "" for none.
func (a *answers) has(scope cache.Scope, key cache.Key, now time.Time) string {
	a.t.Helper()
	e, err := a.Get(a.t.Context(), scope, key, now)
	if err != nil && !errors.Is(err, cache.ErrExpired) {
		a.t.Fatalf("Get: %v", err)
	}
	if e == nil {
		return ""
	}
	return string(e.Body)
}

func (a *answers) purge(what cache.Selection) int64 {
	a.t.Helper()
	n, err := a.Purge(a.t.Context(), what)
	if err != nil {
		a.t.Fatalf("Purge: %v", err)
	}
	return n
}

func cacheWhole(t *testing.T, a *answers) {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	for i, e := range []*cache.Entry{
		cacheEntry("short"),
		cacheEntry(""),
		cacheEntry(string(binary)),
		cacheEntry(strings.Repeat("long ", 400_000)),
		{
			Head: cache.Head{
				Status: 299, Length: 3, ByClose: true, Streamed: true, Provider: "a-provider", Model: "a/model:ü", Step: 7,
				Header: sluice.Header{{Name: "X-A", Value: ""}, {Name: "x-a", Value: "\xff\x00,;"}, {Name: "X-Long", Value: strings.Repeat("y", 10_000)}},
			},
			Body: []byte("abc"), Encoding: "gzip", Stored: time.Now().Add(-time.Hour).Truncate(0), Expires: time.Now().Add(cache.MaxTTL).Truncate(0),
		},
	} {
		a.put(mainScope(), cacheKey(i), e)
		got, err := a.Get(t.Context(), mainScope(), cacheKey(i), e.Stored)
		if err != nil || got == nil {
			t.Fatalf("entry %d: %v, %v", i, got, err)
		}
		if !bytes.Equal(got.Body, e.Body) {
			t.Errorf("entry %d: %d bytes, want %d", i, len(got.Body), len(e.Body))
		}
		head, want := *got, *e
		head.Body, want.Body = nil, nil
		if diff := cmp.Diff(want, head); diff != "" {
			t.Errorf("entry %d: %s", i, diff)
		}
	}
}

func cacheApart(t *testing.T, a *answers) {
	e := cacheEntry("mine")
	a.put(mainScope(), cacheKey(1), e)
	for _, other := range []cache.Scope{{Account: "acme", Gateway: "other"}, {Account: "other", Gateway: "main"}, {}, {Account: "acme"}, {Account: "acmem", Gateway: "ain"}} {
		if got := a.has(other, cacheKey(1), e.Stored); got != "" {
			t.Errorf("%+v has %q", other, got)
		}
	}
	if got := a.has(mainScope(), cacheKey(2), e.Stored); got != "" {
		t.Errorf("another key has %q", got)
	}
	if got := a.has(mainScope(), cacheKey(1), e.Stored); got != "mine" {
		t.Errorf("the entry itself is %q", got)
	}
}

func cacheReplace(t *testing.T, a *answers) {
	for _, body := range []string{"first", "second, longer", "3", strings.Repeat("large", 100_000), "5"} {
		e := cacheEntry(body)
		a.put(mainScope(), cacheKey(1), e)
		if got := a.has(mainScope(), cacheKey(1), e.Stored); got != body {
			t.Errorf("%d bytes, want %d", len(got), len(body))
		}
	}
}

func cacheExpiry(t *testing.T, a *answers) {
	e := cacheEntry("brief")
	a.put(mainScope(), cacheKey(1), e)
	if got := a.has(mainScope(), cacheKey(1), e.Expires.Add(-1)); got != "brief" {
		t.Errorf("a moment before: %q", got)
	}
	if got := a.has(mainScope(), cacheKey(1), e.Expires); got != "" {
		t.Errorf("at its end: %q", got)
	}
	a.put(mainScope(), cacheKey(1), e)
	if got := a.has(mainScope(), cacheKey(1), e.Stored); got != "brief" {
		t.Errorf("put again: %q", got)
	}
}

func cachePurge(t *testing.T, a *answers) {
	scopes := []cache.Scope{mainScope(), {Account: "acme", Gateway: "other"}, {Account: "zenith", Gateway: "main"}}
	fill := func() {
		for i, s := range scopes {
			for k := range 4 {
				e := cacheEntry("x")
				e.Provider = []string{"openai", "anthropic"}[k%2]
				a.put(s, cacheKey(10*i+k), e)
			}
		}
	}
	for name, one := range map[string]struct {
		what cache.Selection
		left string // of the twelve
	}{
		"a gateway":               {cache.Selection{Scope: scopes[0]}, "....++++++++"},
		"an account":              {cache.Selection{Scope: cache.Scope{Account: "acme"}}, "........++++"},
		"all":                     {cache.Selection{}, "............"},
		"a provider in a gateway": {cache.Selection{Scope: scopes[1], Provider: "openai"}, "++++.+.+++++"},
		"a provider everywhere":   {cache.Selection{Provider: "anthropic"}, "+.+.+.+.+.+."},
		"keys":                    {cache.Selection{Scope: scopes[0], Keys: []cache.Key{cacheKey(1), cacheKey(2), cacheKey(99)}}, "+..+++++++++"},
		"keys of others":          {cache.Selection{Scope: scopes[0], Keys: []cache.Key{cacheKey(11)}}, "++++++++++++"},
		"keys and a provider":     {cache.Selection{Scope: scopes[0], Provider: "openai", Keys: []cache.Key{cacheKey(0), cacheKey(1)}}, ".+++++++++++"},
		"nothing that there is":   {cache.Selection{Scope: cache.Scope{Account: "nobody"}}, "++++++++++++"},
	} {
		a.purge(cache.Selection{})
		fill()
		n := a.purge(one.what)
		var left strings.Builder
		for i, s := range scopes {
			for k := range 4 {
				if a.has(s, cacheKey(10*i+k), time.Now()) == "" {
					left.WriteByte('.')
				} else {
					left.WriteByte('+')
				}
			}
		}
		if left.String() != one.left || n != int64(strings.Count(one.left, ".")) {
			t.Errorf("%s: left %s and counted %d, want %s", name, left.String(), n, one.left)
		}
	}
}

func cachePurgeAgain(t *testing.T, a *answers) {
	for i := range 5 {
		e := cacheEntry(fmt.Sprint(i))
		a.put(mainScope(), cacheKey(1), e)
		if got := a.has(mainScope(), cacheKey(1), e.Stored); got != fmt.Sprint(i) {
			t.Errorf("round %d: %q", i, got)
		}
		a.purge(cache.Selection{Scope: mainScope()})
		if got := a.has(mainScope(), cacheKey(1), e.Stored); got != "" {
			t.Errorf("round %d, purged: %q", i, got)
		}
	}
}

// cacheStats waits for the counts: entries may still be on their way.
func cacheStats(t *testing.T, a *answers) {
	for k := range 10 {
		a.put(mainScope(), cacheKey(k), cacheEntry(strings.Repeat("x", 1000)))
	}
	a.put(cache.Scope{Account: "other", Gateway: "g"}, cacheKey(99), cacheEntry("x"))
	held := func(scope cache.Scope) int64 {
		s, err := a.Stats(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		for _, tier := range []cache.Tier{s.Memory, s.Disk} {
			if tier.Entries > 0 && (tier.Bytes <= 0 || tier.Limit < tier.Bytes) {
				t.Errorf("%+v", tier)
			}
		}
		return max(s.Memory.Entries, s.Disk.Entries)
	}
	for scope, want := range map[cache.Scope]int64{{}: 11, mainScope(): 10, {Account: "acme"}: 10, {Account: "other"}: 1, {Account: "acme", Gateway: "no"}: 0} {
		got := held(scope)
		for until := time.Now().Add(10 * time.Second); got != want && time.Now().Before(until); got = held(scope) {
			runtime.Gosched()
		}
		if got != want {
			t.Errorf("%+v holds %d, want %d", scope, got, want)
		}
	}
	a.purge(cache.Selection{})
	if got := held(cache.Scope{}); got != 0 {
		t.Errorf("after a purge: %d", got)
	}
}

// cacheTogether lets many put, get and purge the same keys. What is found is what was put there.
func cacheTogether(t *testing.T, a *answers) {
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 200 {
				k := (i*7 + w) % 20
				switch {
				case i%50 == 49:
					if _, err := a.Purge(t.Context(), cache.Selection{Scope: mainScope(), Keys: []cache.Key{cacheKey(k)}}); err != nil {
						t.Error(err)
					}
				case i%3 == 0:
					if err := a.Put(t.Context(), mainScope(), cacheKey(k), cacheEntry(strings.Repeat(fmt.Sprint(k, " "), 1+i))); err != nil {
						t.Error(err)
					}
				default:
					e, err := a.Get(t.Context(), mainScope(), cacheKey(k), time.Now())
					if err != nil {
						t.Error(err)
					}
					if want := fmt.Sprint(k, " "); e != nil && strings.Repeat(want, len(e.Body)/len(want)) != string(e.Body) {
						t.Errorf("key %d has a body of another", k)
					}
				}
			}
		})
	}
	all.Wait()
	if a.purge(cache.Selection{}); a.has(mainScope(), cacheKey(0), time.Now()) != "" {
		t.Error("something is left")
	}
}

// cacheModel compares the store with a map.
func cacheModel(t *testing.T, open func(*testing.T) cache.Store) {
	a := &answers{open(t), t}
	scopes := []cache.Scope{mainScope(), {Account: "acme", Gateway: "b"}, {Account: "b", Gateway: "main"}}
	rapid.Check(t, func(rt *rapid.T) {
		a.purge(cache.Selection{})
		type at struct {
			scope cache.Scope
			key   cache.Key
		}
		model := map[at]*cache.Entry{}
		key := func(rt *rapid.T, scope int) cache.Key {
			return cacheKey(100*scope + rapid.IntRange(0, 4).Draw(rt, "key"))
		}
		n := 0
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				s := rapid.IntRange(0, 2).Draw(rt, "scope")
				n++
				e := cacheEntry(fmt.Sprint(n))
				e.Provider = rapid.SampledFrom([]string{"openai", "anthropic"}).Draw(rt, "provider")
				k := key(rt, s)
				a.put(scopes[s], k, e)
				model[at{scopes[s], k}] = e
			},
			"get": func(rt *rapid.T) {
				s := rapid.IntRange(0, 2).Draw(rt, "scope")
				k, want := key(rt, s), ""
				if e := model[at{scopes[s], k}]; e != nil {
					want = string(e.Body)
				}
				if got := a.has(scopes[s], k, time.Now()); got != want {
					rt.Errorf("%q, want %q", got, want)
				}
			},
			"purge": func(rt *rapid.T) {
				s := rapid.IntRange(0, 2).Draw(rt, "scope")
				what := cache.Selection{
					Scope:    rapid.SampledFrom([]cache.Scope{{}, scopes[s], {Account: scopes[s].Account}}).Draw(rt, "scope of purge"),
					Provider: rapid.SampledFrom([]string{"", "", "openai"}).Draw(rt, "provider"),
				}
				if rapid.Bool().Draw(rt, "keys") {
					what.Keys = []cache.Key{key(rt, s), key(rt, s)}
				}
				want := int64(0)
				for k, e := range model {
					if what.Covers(k.scope, k.key, e.Provider) {
						delete(model, k)
						want++
					}
				}
				if got := a.purge(what); got != want {
					rt.Errorf("purged %d, want %d", got, want)
				}
			},
		})
	})
}
