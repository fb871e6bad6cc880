package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// heldCache is a Cache that remembers what it was asked.
type heldCache struct {
	scopes []cache.Scope
	purges []cache.Selection
	err    error
}

func (c *heldCache) Stats(_ context.Context, scope cache.Scope) (cache.Stats, error) {
	c.scopes = append(c.scopes, scope)
	return cache.Stats{
		Hits: 1, Joined: 2, Misses: 3, Stored: 4, Failures: 5, Running: 6,
		StoreStats: cache.StoreStats{
			Memory: cache.Tier{Entries: 7, Bytes: 8, Limit: 9, Evicted: 10}, Disk: cache.Tier{Entries: 11, Bytes: 12, Limit: 13, Evicted: 14},
			Complete: true, Dropped: 15, Corrupt: 16,
		},
	}, c.err
}

func (c *heldCache) Purge(_ context.Context, what cache.Selection) (int64, error) {
	c.purges = append(c.purges, what)
	return 17, c.err
}

func TestCacheStats(t *testing.T) {
	held := &heldCache{}
	b := newBench(t, func(d *Deps) { d.Cache = held })
	const want = `{"hits":1,"joined":2,"misses":3,"stored":4,"failures":5,"running":6,` +
		`"memory":{"entries":7,"bytes":8,"limit":9,"evicted":10},"disk":{"entries":11,"bytes":12,"limit":13,"evicted":14},` +
		`"complete":true,"dropped":15,"corrupt":16}`
	for path, scope := range map[string]cache.Scope{
		accountPath + "/cache": {Account: "default"},
		"/client/v4/accounts/0123456789ABCDEF0123456789ABCDEF/ai-gateway/gateways/PROD/cache": {Account: "default", Gateway: "prod"},
	} {
		held.scopes = nil
		if v := b.call(path); string(v.Result) != want || len(held.scopes) != 1 || held.scopes[0] != scope {
			t.Errorf("%s: of %v: %s", path, held.scopes, v.Result)
		}
	}
	b.fails(accountPath+"/gateways/nothing/cache", http.StatusNotFound, codeNotFound, "gateway not found")
	held.err = &sluice.Error{Kind: sluice.KindUnavailable, Msg: "the store is away"}
	if v := b.call(accountPath + "/cache"); v.status != http.StatusServiceUnavailable {
		t.Errorf("%d %+v", v.status, v.Errors)
	}
}

// remove sends a DELETE with the token.
func (b *bench) remove(path string) (int, reply) {
	b.t.Helper()
	resp, err := b.client.Do(mustRequest(b.t, http.MethodDelete, b.server.URL+path))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var v reply
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, v
}

func TestPurgeCache(t *testing.T) {
	held := &heldCache{}
	b := newBench(t, func(d *Deps) { d.Cache = held })
	scope := cache.Scope{Account: "default", Gateway: "prod"}
	hex := cache.Key{1, 2, 3}
	for query, want := range map[string]cache.Selection{
		"":                     {Scope: scope},
		"?provider=open-ai":    {Scope: scope, Provider: "openai"},
		"?key=mine%20%26":      {Scope: scope, Keys: cache.CustomKeys(scope, 0, "mine &")},
		"?key=" + hex.String(): {Scope: scope, Keys: append(cache.CustomKeys(scope, 0, hex.String()), hex)},
	} {
		held.purges = nil
		status, v := b.remove(accountPath + "/gateways/prod/cache" + query)
		if status != http.StatusOK || string(v.Result) != `{"purged":17}` || len(held.purges) != 1 {
			t.Fatalf("%s: %d %s %+v", query, status, v.Result, v.Errors)
		}
		if got := held.purges[0]; got.Scope != want.Scope || got.Provider != want.Provider || !slices.Equal(got.Keys, want.Keys) {
			t.Errorf("%s: purged %+v, want %+v", query, got, want)
		}
	}
	if status, v := b.remove(accountPath + "/gateways/prod/cache?provider=nobody"); status != http.StatusBadRequest || v.Errors[0].Field != "provider" {
		t.Errorf("%d %+v", status, v.Errors)
	}
	if status, _ := b.remove(accountPath + "/gateways/nothing/cache"); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
}

func TestWithoutACache(t *testing.T) {
	b := newBench(t)
	b.fails(accountPath+"/cache", http.StatusNotFound, codeNotFound, "there is no response cache")
	if status, v := b.remove(accountPath + "/gateways/default/cache"); status != http.StatusNotFound || v.Errors[0].Hint == "" {
		t.Errorf("%d %+v", status, v.Errors)
	}
}
