package cli

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) auditCommand() *cobra.Command {
	query := map[string]*string{}
	limit := 50
	c := a.command("audit", "List what was changed, by whom, and how", func(cmd *cobra.Command, _ []string) error {
		q := url.Values{}
		for name, value := range query {
			if *value != "" {
				q.Set(name, *value)
			}
		}
		if cmd.Flags().Changed("gateway") {
			q.Set("gateway", a.flags.gateway)
		}
		if limit < 1 {
			return usage("--limit is at least 1")
		}
		return a.withAPI(func(api *client.Client) error {
			list, more, err := api.Audit(cmd.Context(), q, limit)
			if err != nil {
				return err
			}
			if err := a.showAudit(list); err != nil {
				return err
			}
			if more {
				a.say("there are more: --limit")
			}
			return nil
		})
	})
	c.Args = args(0, 0)
	c.Long = "Every change through the API, every body that was opened, sign-ins and those that failed; newest first. --json has\n" +
		"the objects before and after. Entries are kept for audit.max_age."
	c.Example = "sluice audit\nsluice audit --range 7d --actor ann@example.com\nsluice audit --kind gateway --object prod --json"
	f := c.Flags()
	f.SortFlags = false
	for _, flag := range []struct{ name, usage string }{
		{"range", "`time`: 24h, 7d, or two times with .. between"},
		{"actor", "`who` did it: e-mail address, id, or name of a token"},
		{"action", "`verb`: create, update, delete, open, sign_in, …"},
		{"kind", "`kind` of what it was done to: gateway, token, member, session, …"},
		{"object", "id or `name` of what it was done to"},
		{"address", "IP `address` that it came from"},
		{"result", "false: only what was refused; true: only what was not"},
	} {
		query[flag.name] = f.String(flag.name, "", flag.usage)
	}
	f.IntVar(&limit, "limit", limit, "most entries")
	return c
}

func (a *commands) showAudit(list []client.AuditEntry) error {
	t := &table{columns: []column{
		{title: "TIME"},
		{title: "WHO", flex: 16},
		{title: "WHAT", flex: 20},
		{title: "OBJECT", flex: 16},
		{title: "CHANGES", flex: 24},
		{title: "FROM", spare: true},
		{title: "BY", spare: true},
	}}
	rows := []json.RawMessage{}
	for i := range list {
		e := &list[i]
		rows = append(rows, e.Raw)
		who := e.Actor.Name
		if who == "" || e.Actor.Type == "anonymous" {
			who = strings.TrimSpace(strings.ReplaceAll(e.Actor.Type, "_", " ") + " " + e.Actor.Name)
		}
		what := cell{text: e.Action.Info}
		if !e.Action.Result {
			what.color = red
		}
		object := e.Resource.Name
		if object == "" {
			object = e.Resource.ID
		}
		var changes []string
		for _, c := range e.Changes {
			changes = append(changes, c.Path+": "+string(c.Old)+" "+a.sign("→")+" "+string(c.New))
		}
		t.rows = append(t.rows, []cell{
			{text: a.auditTime(e.When)},
			{text: who},
			what,
			{text: object},
			{text: strings.Join(changes, ", ")},
			{text: e.Actor.IP},
			{text: e.Interface},
		})
	}
	if len(rows) == 0 && contains([]string{"table", "wide"}, a.flags.output) {
		a.say("nothing of that kind is in the audit log")
		return nil
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
}

// auditTime is when something was done: how long ago, on a terminal.
func (a *commands) auditTime(t time.Time) string { return a.tokenTime(&t, time.Now()) }
