package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) cacheCommand() *cobra.Command {
	c := a.command("cache", "Look at the response cache, and empty it", nil)
	c.Example = "sluice cache stats\nsluice cache stats prod\nsluice cache purge prod --provider openai"
	c.AddCommand(a.cacheStatsCommand(), a.cachePurgeCommand())
	return c
}

func (a *commands) cacheStatsCommand() *cobra.Command {
	c := a.command("stats [gateway]", "Tell what the cache holds and how often it answered", func(cmd *cobra.Command, given []string) error {
		gateway := ""
		if len(given) > 0 {
			gateway = given[0]
		}
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		s, err := api.CacheStats(cmd.Context(), gateway)
		if err != nil {
			return err
		}
		if err := a.show(view{raw: s.Raw, table: func(bool) *table { return a.cacheTable(s) }}); err != nil {
			return err
		}
		if !s.Complete {
			a.say("the cache's directory is still being read after the start: disk counts what is known so far")
		}
		return nil
	})
	c.Args = args(0, 1)
	c.ValidArgsFunction = a.completeFirst(a.completeGateway)
	c.Long = "Counts begin with the server's start. Without a gateway they are the account's; limits are those of all accounts together."
	c.Example = "sluice cache stats\nsluice cache stats prod\nsluice cache stats --json"
	return c
}

func (a *commands) cacheTable(s *client.CacheStats) *table {
	t := &table{columns: []column{{}, {}}}
	add := func(name, format string, values ...any) {
		t.rows = append(t.rows, []cell{{name, dim}, {text: fmt.Sprintf(format, values...)}})
	}
	hits := s.Hits + s.Joined
	share := a.none()
	if all := hits + s.Misses; all > 0 {
		share = fmt.Sprintf("%.1f %%", 100*float64(hits)/float64(all))
	}
	add("answered", "%s of requests that may be cached (%s of %s)", share, a.count(hits), a.count(hits+s.Misses))
	add("  stored", "%s from stored answers", a.count(s.Hits))
	add("  shared", "%s from the call of an identical request, %s such calls running", a.count(s.Joined), a.count(s.Running))
	add("stored", "%s answers since the start", a.count(s.Stored))
	for _, tier := range []struct {
		name string
		client.CacheTier
	}{{"memory", s.Memory}, {"disk", s.Disk}} {
		if tier.Limit == 0 {
			add(tier.name, "off")
			continue
		}
		add(tier.name, "%s answers, %s of %s, %s evicted", a.count(tier.Entries), a.size(tier.Bytes), a.size(tier.Limit), a.count(tier.Evicted))
	}
	if s.Failures+s.Dropped+s.Corrupt > 0 {
		add("trouble", "%s failures of the store, %s answers not written, %s damaged files", a.count(s.Failures), a.count(s.Dropped), a.count(s.Corrupt))
	}
	return t
}

func (a *commands) cachePurgeCommand() *cobra.Command {
	var p client.Purge
	var yes bool
	c := a.command("purge [gateway]", "Forget stored answers of a gateway", func(cmd *cobra.Command, given []string) error {
		p.Gateway = a.flags.gateway
		if len(given) > 0 {
			p.Gateway = given[0]
		}
		return a.purgeCache(cmd.Context(), p, yes)
	})
	c.Args = args(0, 1)
	c.ValidArgsFunction = a.completeFirst(a.completeGateway)
	c.Long = "They are not found from then on, whether in memory or on disk. Calls that are running are not stored when they end."
	c.Example = "sluice cache purge\nsluice cache purge prod --provider openai\nsluice cache purge prod --key nightly-report --yes"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&p.Provider, "provider", "", "only what this `provider` answered")
	f.StringVar(&p.Key, "key", "", "only this `key`: the value of cf-aig-cache-key, or a key in hexadecimal")
	f.BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *commands) purgeCache(ctx context.Context, p client.Purge, yes bool) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	if !yes {
		s, err := api.CacheStats(ctx, p.Gateway)
		if err != nil {
			return err
		}
		if !a.agreed(ctx, fmt.Sprintf("Gateway %s has %s. Forget %s?", p.Gateway, plural(int(max(s.Memory.Entries, s.Disk.Entries)), "stored answer"), selected(p))) {
			return &failure{code: exitFailed, what: "nothing was purged"}
		}
	}
	n, raw, err := api.PurgeCache(ctx, p)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: raw})
	}
	a.say("%s of gateway %s purged; sluice cache stats %s", plural(int(n), "stored answer"), p.Gateway, p.Gateway)
	return nil
}

// selected says in words what a purge is about.
func selected(p client.Purge) string {
	switch {
	case p.Provider != "" && p.Key != "":
		return "those of provider " + p.Provider + " with key " + p.Key
	case p.Provider != "":
		return "those of provider " + p.Provider
	case p.Key != "":
		return "those with key " + p.Key
	}
	return "all of them"
}
