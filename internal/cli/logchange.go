package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) feedbackCommand() *cobra.Command {
	var score, metadata string
	c := a.command("feedback <id> [up|down|none]", "Say what you think of a request: thumbs, a score, metadata", func(cmd *cobra.Command, given []string) error {
		said, err := sayings(given[1:], score, metadata)
		if err != nil {
			return err
		}
		return a.feedback(cmd.Context(), given[0], said)
	})
	c.Args = args(1, 2)
	c.Example = "sluice logs feedback 019a7b3e-5f2c-7d10-8a4e-0123456789c0 up\nsluice logs feedback 019a7b3e-5f2c-7d10-8a4e-0123456789c0 down --score 20\nsluice logs feedback 019a7b3e-5f2c-7d10-8a4e-0123456789c0 --metadata '{\"user\":\"42\"}'"
	c.Flags().StringVar(&score, "score", "", "a `number`, or none to take it back")
	c.Flags().StringVar(&metadata, "metadata", "", "a JSON `object` that takes the place of the request's metadata")
	return c
}

// sayings reads what is said of a request.
func sayings(words []string, score, metadata string) (map[string]json.RawMessage, error) {
	said := map[string]json.RawMessage{}
	if len(words) > 0 {
		value, known := map[string]string{"up": "1", "1": "1", "down": "-1", "-1": "-1", "none": "null"}[words[0]]
		if !known {
			return nil, usage("feedback is up, down or none, not %s", words[0])
		}
		said["feedback"] = json.RawMessage(value)
	}
	if _, err := strconv.ParseFloat(score, 64); score == "none" {
		said["score"] = json.RawMessage("null")
	} else if score != "" && (err != nil || !json.Valid([]byte(score))) {
		return nil, usage("--score is a number or none, not %s", score)
	} else if score != "" {
		said["score"] = json.RawMessage(score)
	}
	if metadata != "" {
		if !json.Valid([]byte(metadata)) {
			return nil, usage("--metadata is no JSON object: %s", metadata)
		}
		said["metadata"] = json.RawMessage(metadata)
	}
	if len(said) == 0 {
		return nil, usage("nothing is said: up, down, none, --score or --metadata")
	}
	return said, nil
}

func (a *commands) feedback(ctx context.Context, id string, said map[string]json.RawMessage) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	e, err := api.PatchLog(ctx, id, said)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: e.Raw})
	}
	a.say("kept; sluice logs get %s", e.ID)
	return nil
}

func (a *commands) deleteLogsCommand() *cobra.Command {
	var l listFlags
	var yes, all bool
	var id string
	c := a.command("delete [filter]", "Delete log entries, with their bodies", func(cmd *cobra.Command, given []string) error {
		if id != "" {
			if len(given) > 0 || l.since+l.span != "" || all {
				return usage("--id names one entry: give no filter with it")
			}
			return a.deleteLog(cmd.Context(), id, yes)
		}
		q, err := l.query(given, nil)
		if err != nil {
			return err
		}
		if q.Filter == "" && q.Range == "" && !all {
			return usage("what is to be deleted? A filter, --since, --range, --id, or --all")
		}
		return a.deleteLogs(cmd.Context(), q, l.limit, yes)
	})
	c.Aliases = []string{"rm"}
	c.Long = "They are in no answer from then on, and a few minutes later their bytes are in no file. Totals and charts count them all the same: it was traffic.\nThe newest go first, unless --oldest is given."
	c.Example = "sluice logs delete --id 019a7b3e-5f2c-7d10-8a4e-0123456789c0\nsluice logs delete 'meta.user_id:42' --yes\nsluice logs delete --range ..2026-01-01 --oldest --limit 10000"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&id, "id", "", "only the entry of this `id`")
	f.BoolVar(&all, "all", false, "all entries of the gateway")
	f.StringVar(&l.since, "since", "", "`time` to begin at: 10m, 2h, 7d, or a date and time")
	f.StringVar(&l.span, "range", "", "`range` of time: 24h, 7d, or two RFC 3339 times with .. between")
	f.BoolVar(&l.oldest, "oldest", false, "the oldest first")
	f.IntVar(&l.limit, "limit", 0, "most entries; 0: all that match")
	f.BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *commands) deleteLog(ctx context.Context, id string, yes bool) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	if !yes && !a.agreed(ctx, fmt.Sprintf("Delete log entry %s?", id)) {
		return &failure{code: exitFailed, what: "nothing was deleted"}
	}
	raw, err := api.DeleteLog(ctx, id)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: raw})
	}
	a.say("deleted")
	return nil
}

// deleteBatch is how many entries one call of the API deletes at most.
const deleteBatch = 10_000

// deleteLogs deletes call by call, so that it can be interrupted.
func (a *commands) deleteLogs(ctx context.Context, q client.LogQuery, limit int, yes bool) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	if !yes && !a.agreed(ctx, a.deletion(ctx, api, q, limit)) {
		return &failure{code: exitFailed, what: "nothing was deleted"}
	}
	p := a.newProgress("deleted")
	var deleted int64
	for more := true; more && (limit == 0 || deleted < int64(limit)); {
		n := int64(deleteBatch)
		if limit > 0 {
			n = min(n, int64(limit)-deleted)
		}
		var done int64
		if done, more, err = api.DeleteLogs(ctx, q, int(n)); err != nil {
			p.end()
			return fmt.Errorf("after %d entries: %w", deleted, err)
		}
		deleted += done
		p.at(deleted, nil)
	}
	p.end()
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: json.RawMessage(fmt.Sprintf(`{"deleted":%d}`, deleted))})
	}
	a.say("%s deleted", a.count(deleted))
	return nil
}

// deletion asks whether to delete, with the number where it is known.
func (a *commands) deletion(ctx context.Context, api *client.Client, q client.LogQuery, limit int) string {
	q.Limit = 1
	what := "all entries that match"
	if q.Filter == "" && q.Range == "" {
		what = "all entries"
	}
	if page, err := api.Logs(ctx, q); err == nil && page.Total != nil {
		what += ", " + a.count(*page.Total)
	}
	if limit > 0 {
		what = fmt.Sprintf("at most %d of %s", limit, what)
	}
	return fmt.Sprintf("Delete %s, with their bodies?", what)
}
