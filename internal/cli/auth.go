package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
)

func (a *commands) authCommand() *cobra.Command {
	c := a.command("auth", "Sign in and out; create and revoke gateway tokens", nil)
	c.Example = "sluice auth link\nsluice auth login --email ann@example.com\nTOKEN=$(sluice auth token create --name my-app)\nsluice auth token list\nsluice auth token revoke my-app"
	c.AddCommand(a.linkCommand(), a.loginCommand(), a.logoutCommand(), a.whoamiCommand(), a.tokenCommand())
	return c
}

func (a *commands) tokenCommand() *cobra.Command {
	c := a.command("token", "Create, list and revoke gateway tokens", nil)
	c.Long = "A gateway token lets an application call a gateway that asks for one, and a program use the management API."
	c.Example = "TOKEN=$(sluice auth token create --name my-app)\nsluice auth token list\nsluice auth token revoke my-app"
	c.AddCommand(a.tokenCreateCommand(), a.tokenListCommand(), a.tokenRevokeCommand())
	return c
}

// tokenFlags are the flags of create.
type tokenFlags struct {
	name    string
	allow   []string
	expires string
	take    bool
}

func (a *commands) tokenCreateCommand() *cobra.Command {
	var flags tokenFlags
	c := a.command("create", "Create a gateway token and print its value, this once", func(cmd *cobra.Command, _ []string) error {
		n := client.NewToken{Name: flags.name, Permissions: flags.allow}
		if cmd.Flags().Changed("gateway") {
			for id := range strings.SplitSeq(a.flags.gateway, ",") {
				n.Gateways = append(n.Gateways, strings.TrimSpace(id))
			}
		}
		var err error
		if n.Expires, err = expiry(flags.expires, time.Now()); err != nil {
			return err
		}
		if flags.take {
			if n.Value, err = a.tokenFromStdin(); err != nil {
				return err
			}
		}
		return a.createToken(cmd.Context(), n)
	})
	c.Args = args(0, 0)
	c.Long = "The value is all that goes to stdout. Nothing can show it again.\n\n" +
		"--gateway (one or more, with commas between) makes a token for these gateways only. --import keeps a value that\n" +
		"applications have already, such as the API token of a gateway that they move away from: it is read from stdin."
	c.Example = "TOKEN=$(sluice auth token create --name my-app)\n" +
		"sluice auth token create --name ci --gateway default --expires 90d\n" +
		"sluice auth token create --name old-token --import < token.txt"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&flags.name, "name", "", "`name` of the token; without it one is made")
	f.StringSliceVar(&flags.allow, "allow", []string{"run"}, "`permissions`: run (calls), read, edit (the management API), with commas between")
	f.StringVar(&flags.expires, "expires", "", "`time` or day (2027-01-31) at which it ends, or how long it lasts: 90d; without it it never ends")
	f.BoolVar(&flags.take, "import", false, "take the value from stdin, instead of making one")
	return c
}

// expiry reads when a token ends: after a while, on a day (UTC) or at a time.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := config.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("--expires is not %q: it is a length such as 90d, a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z", text)
}

// maxTokenLine is the longest line that is read as a token's value.
const maxTokenLine = 4096

// tokenFromStdin reads a value to import: one line.
func (a *commands) tokenFromStdin() (sluice.Secret, error) {
	if a.InTerminal {
		return sluice.Secret{}, &failure{
			code: exitUsage, what: "--import reads the value from stdin, which is a terminal: it would be seen",
			hint: "sluice auth token create --import < token.txt",
		}
	}
	line, err := bufio.NewReader(io.LimitReader(a.Stdin, maxTokenLine)).ReadString('\n')
	if err != nil && err != io.EOF {
		return sluice.Secret{}, fmt.Errorf("read the token from stdin: %w", err)
	}
	value := sluice.NewSecret(strings.TrimSpace(line))
	if value.IsZero() {
		return value, usage("--import reads the value from stdin, and nothing came")
	}
	return value, nil
}

func (a *commands) createToken(ctx context.Context, n client.NewToken) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	t, value, err := c.CreateToken(ctx, n)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: t.Raw})
	}
	if t.Imported {
		a.say("imported token %q (…%s) for %s; revoke it with: sluice auth token revoke %s", t.Name, t.Hint, tokenReach(t), t.ID)
		return nil
	}
	a.say("created token %q (…%s) for %s; its value is shown this once", t.Name, t.Hint, tokenReach(t))
	return a.write(printable(value.Reveal(), false) + "\n")
}

// tokenReach says in words what a token is good for.
func tokenReach(t *client.Token) string {
	where := "all gateways"
	if t.Gateways != nil {
		where = strings.Join(t.Gateways, ", ")
	}
	return strings.Join(t.Permissions, ", ") + " on " + where
}

func (a *commands) tokenListCommand() *cobra.Command {
	var revoked bool
	c := a.command("list", "List gateway tokens, without their values", func(cmd *cobra.Command, _ []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		list, err := api.Tokens(cmd.Context(), revoked)
		if err != nil {
			return err
		}
		return a.showTokens(list)
	})
	c.Aliases = []string{"ls"}
	c.Args = args(0, 0)
	c.Example = "sluice auth token list\nsluice auth token list --revoked --json"
	c.Flags().BoolVar(&revoked, "revoked", false, "list the revoked ones too")
	return c
}

func (a *commands) showTokens(list []client.Token) error {
	t := &table{columns: []column{
		{title: "NAME", flex: 16},
		{title: "VALUE"},
		{title: "ALLOWS"},
		{title: "GATEWAYS", flex: 12},
		{title: "STATUS"},
		{title: "LAST USED"},
		{title: "EXPIRES", spare: true},
		{title: "ID", spare: true},
	}}
	rows := []json.RawMessage{}
	now := time.Now()
	for i := range list {
		token := &list[i]
		rows = append(rows, token.Raw)
		where := "all"
		if token.Gateways != nil {
			where = strings.Join(token.Gateways, ",")
		}
		status := cell{text: token.Status}
		if token.Status != "valid" {
			status.color = dim
		}
		t.rows = append(t.rows, []cell{
			{text: token.Name},
			{text: a.sign("…") + token.Hint},
			{text: strings.Join(token.Permissions, ",")},
			{text: where},
			status,
			{text: a.tokenTime(token.LastUsedAt, now)},
			{text: a.tokenTime(token.ExpiresAt, now)},
			{text: token.ID},
		})
	}
	if len(rows) == 0 && contains([]string{"table", "wide"}, a.flags.output) {
		a.say("there are no gateway tokens; make one with: sluice auth token create --name my-app")
		return nil
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
}

// tokenTime writes a time of a token's life: one that has passed as how long ago, on a terminal.
func (a *commands) tokenTime(t *time.Time, now time.Time) string {
	switch {
	case t == nil:
		return a.none()
	case a.human() && t.Before(now):
		return a.ago(*t, now)
	}
	return a.stamp(*t)
}

func (a *commands) tokenRevokeCommand() *cobra.Command {
	c := a.command("revoke <name or id>", "Revoke a gateway token: it is refused from now on", func(cmd *cobra.Command, given []string) error {
		return a.revokeToken(cmd.Context(), given[0])
	})
	c.Aliases = []string{"rm", "delete"}
	c.Args = args(1, 1)
	c.Example = "sluice auth token revoke my-app"
	return c
}

func (a *commands) revokeToken(ctx context.Context, which string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Tokens(ctx, true)
	if err != nil {
		return err
	}
	id := ""
	for i := range list {
		if t := &list[i]; t.ID == which || t.Name == which && t.Status != "revoked" {
			id = t.ID
		}
	}
	if id == "" {
		return &failure{code: exitNotFound, what: fmt.Sprintf("there is no gateway token %q", which), hint: "sluice auth token list"}
	}
	t, err := c.RevokeToken(ctx, id)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: t.Raw})
	}
	a.say("revoked token %q (…%s)", t.Name, t.Hint)
	return nil
}
