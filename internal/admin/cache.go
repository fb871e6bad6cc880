package admin

import (
	"context"
	"net/http"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// cacheRoutes are those of the response cache.
func cacheRoutes() []route {
	return []route{
		get(RoleViewer, scope+"/cache", "get-cache", "What the response cache holds of an account, and did (ours)", handle((*server).getCache)),
		get(RoleViewer, scope+"/gateways/{gateway}/cache", "get-gateway-cache", "What the response cache holds of a gateway, and did (ours)", handle((*server).getGatewayCache)),
		edit(http.MethodDelete, scope+"/gateways/{gateway}/cache", "purge-cache", "Forget stored answers of a gateway (ours)", handle((*server).purgeCache)),
	}
}

// Cache is what the handlers need of the response cache; *cache.Cache is one.
type Cache interface {
	// Stats tells what is held of scope, and what its requests found.
	Stats(ctx context.Context, scope cache.Scope) (cache.Stats, error)
	// Purge removes entries and returns how many there were.
	Purge(ctx context.Context, what cache.Selection) (int64, error)
}

// CacheStats tells what the response cache holds of an account or a gateway, and what its requests
// found since the process began.
type CacheStats struct {
	Hits     int64     `json:"hits" doc:"requests that were answered from a stored answer"`
	Joined   int64     `json:"joined" doc:"requests that shared the call of an identical one; the log calls them hits too"`
	Misses   int64     `json:"misses" doc:"requests that the cache was asked for, and that went to the provider"`
	Stored   int64     `json:"stored" doc:"answers that were stored"`
	Failures int64     `json:"failures" doc:"calls of the store that failed, or were too slow"`
	Running  int64     `json:"running" doc:"calls under way that identical requests can join"`
	Memory   CacheTier `json:"memory"`
	Disk     CacheTier `json:"disk"`
	Complete bool      `json:"complete" doc:"false after a start, until the directory was read: disk counts what is known so far"`
	Dropped  int64     `json:"dropped" doc:"answers that were not written, in all accounts"`
	Corrupt  int64     `json:"corrupt" doc:"damaged files that were found and removed, in all accounts"`
}

// CacheTier is one place where stored answers lie.
type CacheTier struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
	Limit   int64 `json:"limit" doc:"most bytes of all accounts together; 0: there is no such place"`
	Evicted int64 `json:"evicted" doc:"answers that went for want of room, in all accounts"`
}

func viewCache(s *cache.Stats) CacheStats {
	return CacheStats{
		Hits: s.Hits, Joined: s.Joined, Misses: s.Misses, Stored: s.Stored, Failures: s.Failures, Running: s.Running,
		Memory: CacheTier(s.Memory), Disk: CacheTier(s.Disk), Complete: s.Complete, Dropped: s.Dropped, Corrupt: s.Corrupt,
	}
}

// errNoCache is the answer of a process that has no cache.
func errNoCache() error {
	return &sluice.Error{Kind: sluice.KindNotFound, Msg: "there is no response cache", Hint: "it is turned off in the configuration"}
}

func (s *server) getCache(ctx context.Context, in *AccountPath) (*output[Envelope[CacheStats]], error) {
	a, err := in.account(s.Settings())
	if err != nil {
		return nil, err
	}
	return s.cacheStats(ctx, cache.Scope{Account: a.ID})
}

func (s *server) getGatewayCache(ctx context.Context, in *GatewayPath) (*output[Envelope[CacheStats]], error) {
	a, g, err := in.gateway(s.Settings())
	if err != nil {
		return nil, err
	}
	return s.cacheStats(ctx, cache.Scope{Account: a.ID, Gateway: g.ID})
}

func (s *server) cacheStats(ctx context.Context, of cache.Scope) (*output[Envelope[CacheStats]], error) {
	if s.Cache == nil {
		return nil, errNoCache()
	}
	stats, err := s.Cache.Stats(ctx, of)
	if err != nil {
		return nil, err
	}
	return answer(viewCache(&stats)), nil
}

type purgeCacheInput struct {
	GatewayPath
	Provider string `query:"provider" doc:"only what this provider answered, by slug or alias"`
	Key      string `query:"key" maxLength:"4096" doc:"only this key: the value of cf-aig-cache-key, or a key in hexadecimal as the log has it"`
}

// Purged tells what a purge did.
type Purged struct {
	Purged int64 `json:"purged" doc:"stored answers that were removed"`
}

func (s *server) purgeCache(ctx context.Context, in *purgeCacheInput) (*output[Envelope[Purged]], error) {
	settings := s.Settings()
	a, g, err := in.gateway(settings)
	if err != nil {
		return nil, err
	}
	if s.Cache == nil {
		return nil, errNoCache()
	}
	what := cache.Selection{Scope: cache.Scope{Account: a.ID, Gateway: g.ID}}
	if in.Provider != "" {
		slug, known := settings.Provider(a.ID, in.Provider)
		if !known {
			return nil, &sluice.Error{Kind: sluice.KindInvalid, Msg: "there is no such provider", Field: "provider", Hint: "docs/providers.md lists the slugs"}
		}
		what.Provider = slug
	}
	if in.Key != "" {
		what.Keys = cache.CustomKeys(what.Scope, cache.GenerationOf(g.Gateway), in.Key)
		if k, ok := cache.ParseKey(in.Key); ok {
			what.Keys = append(what.Keys, k)
		}
	}
	n, err := s.Cache.Purge(ctx, what)
	if err != nil {
		return nil, err
	}
	return answer(Purged{n}), nil
}
