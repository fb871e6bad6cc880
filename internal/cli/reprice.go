package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/price"
)

func (a *commands) priceRepriceCommand() *cobra.Command {
	var l listFlags
	var all, dryRun, yes bool
	c := a.command("reprice [filter]", "Make the costs of stored log entries anew, from the prices of now", func(cmd *cobra.Command, given []string) error {
		q, err := l.query(given, nil)
		if err != nil {
			return err
		}
		return a.reprice(cmd.Context(), client.LogSelection{Filter: q.Filter, Range: q.Range}, all, dryRun, yes)
	})
	c.Long = "Costs that a request or the provider named stay, and so does one for which there is no price now. Totals and charts follow;\n" +
		"budgets do not. What would change is told first, and asked about on a terminal."
	c.Example = "sluice price reprice --range 30d --dry-run\nsluice price reprice 'provider:openai model:gpt-5*' --range 30d\nsluice price reprice --all --yes --json"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&l.since, "since", "", "`time` to begin at: 10m, 2h, 7d, or a date and time")
	f.StringVar(&l.span, "range", "", "`range` of time: 24h, 7d, or two RFC 3339 times with .. between")
	f.BoolVar(&all, "all", false, "all gateways of the account")
	f.BoolVar(&dryRun, "dry-run", false, "tell what would change, and change nothing")
	f.BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *commands) reprice(ctx context.Context, what client.LogSelection, all, dryRun, yes bool) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	if !dryRun && !yes && a.InTerminal && a.ErrTerminal {
		n, _, err := a.repriceJob(ctx, api, what, all, true)
		if err != nil {
			return err
		}
		if n.Changed == 0 {
			a.say("%s looked at: no cost changes", a.count(n.Requests))
			return nil
		}
		if !a.agreed(ctx, fmt.Sprintf("%s Do it?", repriceText(n))) {
			return &failure{code: exitFailed, what: "nothing was changed"}
		}
	}
	n, j, err := a.repriceJob(ctx, api, what, all, dryRun)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) || len(a.flags.fields) > 0 {
		return a.show(view{raw: j.Raw})
	}
	return a.write(repriceText(n) + "\n")
}

// repriceText says what re-pricing changes, or has changed.
func repriceText(n *client.Repricing) string {
	verb := map[bool]string{true: "would change", false: "changed"}[n.DryRun]
	usd := func(nano int64) string { return strings.TrimPrefix(price.Decimal(sluice.NanoUSD(nano)), "+") }
	text := fmt.Sprintf("%d of %d costs %s: from %s to %s USD, %s USD in all", n.Changed, n.Requests, verb, usd(n.Before), usd(n.After), usd(n.Delta))
	if n.Priced > 0 {
		text += fmt.Sprintf("; %d of them had none", n.Priced)
	}
	return text + "."
}

// repriceJob runs one job to its end.
func (a *commands) repriceJob(ctx context.Context, api *client.Client, what client.LogSelection, all, dryRun bool) (*client.Repricing, *client.Job, error) {
	j, err := api.Reprice(ctx, what, all, dryRun)
	if err != nil {
		return nil, nil, err
	}
	id := j.ID
	if j, err = a.wait(ctx, api, id); err != nil {
		if ctx.Err() != nil {
			return nil, nil, a.stopJob(ctx, api, id, "sluice job resume "+id)
		}
		return nil, nil, err
	}
	if err := jobFailure(j); err != nil {
		return nil, nil, err
	}
	n := &client.Repricing{}
	if err := json.Unmarshal(j.Result, n); err != nil {
		return nil, nil, fmt.Errorf("read what was changed: %w", err)
	}
	return n, j, nil
}
