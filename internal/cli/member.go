package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) memberCommand() *cobra.Command {
	c := a.command("member", "List, invite, change and remove who may do something in an account", nil)
	c.Long = "Roles: a viewer sees everything but stored bodies, an editor changes gateways, routes and limits, an admin keys,\n" +
		"tokens and members. docs/people.md has the whole of it."
	c.Example = "sluice member list\nsluice member invite ann@example.com --role editor\nsluice member set ann@example.com --role admin"
	c.AddCommand(a.memberListCommand(), a.memberInviteCommand(), a.memberSetCommand(), a.memberLinkCommand(), a.memberRemoveCommand())
	return c
}

func (a *commands) memberListCommand() *cobra.Command {
	c := a.command("list", "List who may do something in an account", func(cmd *cobra.Command, _ []string) error {
		return a.withAPI(func(api *client.Client) error {
			list, err := api.Members(cmd.Context())
			if err != nil {
				return err
			}
			return a.showMembers(list)
		})
	})
	c.Aliases = []string{"ls"}
	c.Args = args(0, 0)
	c.Example = "sluice member list\nsluice member list --account other --json"
	return c
}

func (a *commands) showMembers(list []client.Member) error {
	t := &table{columns: []column{
		{title: "EMAIL", flex: 20},
		{title: "ROLE"},
		{title: "BODIES"},
		{title: "SIGNS IN BY"},
		{title: "LAST SIGN-IN"},
		{title: "NAME", flex: 12, spare: true},
		{title: "ID", spare: true},
	}}
	rows := []json.RawMessage{}
	now := time.Now()
	for i := range list {
		m := &list[i]
		rows = append(rows, m.Raw)
		role, bodies := m.Role, "no"
		if m.Instance {
			role = "admin (all)"
		}
		if m.Bodies {
			bodies = "yes"
		}
		t.rows = append(t.rows, []cell{
			{text: m.Email},
			{text: role},
			{text: bodies},
			{text: m.SignsIn},
			{text: a.tokenTime(m.LastSignInAt, now)},
			{text: m.Name},
			{text: m.ID},
		})
	}
	if len(rows) == 0 && contains([]string{"table", "wide"}, a.flags.output) {
		a.say("nobody signs in by name; the first admin does by: sluice auth link")
		return nil
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
}

// memberFlags are what can be said of a member.
type memberFlags struct {
	name, role       string
	bodies, instance bool
}

func (f *memberFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.role, "role", "", "`role` in the account: viewer, editor or admin")
	flags.StringVar(&f.name, "name", "", "`name` that is shown")
	flags.BoolVar(&f.bodies, "bodies", false, "a viewer sees stored bodies")
	flags.BoolVar(&f.instance, "instance", false, "admin of every account, and of the process")
}

// body is what the flags say, in the API's names.
func (f *memberFlags) body(c *cobra.Command) map[string]any {
	body := map[string]any{}
	for name, value := range map[string]any{"role": f.role, "name": f.name, "bodies": f.bodies, "instance": f.instance} {
		if c.Flags().Changed(name) {
			body[name] = value
		}
	}
	return body
}

func (a *commands) memberInviteCommand() *cobra.Command {
	var flags memberFlags
	c := a.command("invite <email>", "Make somebody a member; who is new gets a one-time link", func(cmd *cobra.Command, given []string) error {
		body := flags.body(cmd)
		body["email"] = given[0]
		return a.withAPI(func(api *client.Client) error {
			m, err := api.CreateMember(cmd.Context(), body)
			if err != nil {
				return err
			}
			if !contains([]string{"table", "wide"}, a.flags.output) {
				return a.show(view{raw: m.Raw})
			}
			if m.Link == nil {
				a.say("%s is %s here now, and signs in as before", m.Email, m.Role)
				return nil
			}
			return a.showLink(m.Link, m.Email+" is "+m.Role+" here once a password is set by this link")
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice member invite ann@example.com --role editor\nsluice member invite bob@example.com --bodies --account other"
	flags.add(c)
	return c
}

func (a *commands) memberSetCommand() *cobra.Command {
	var flags memberFlags
	c := a.command("set <email or id>", "Change a member; another role ends all of the member's sessions", func(cmd *cobra.Command, given []string) error {
		body := flags.body(cmd)
		if len(body) == 0 {
			return usage("nothing is to be set: --role, --name, --bodies or --instance")
		}
		return a.withMember(cmd.Context(), given[0], func(api *client.Client, id string) error {
			m, err := api.UpdateMember(cmd.Context(), id, body)
			if err != nil {
				return err
			}
			if !contains([]string{"table", "wide"}, a.flags.output) {
				return a.show(view{raw: m.Raw})
			}
			a.say("%s is %s here", m.Email, m.Role)
			return nil
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice member set ann@example.com --role admin\nsluice member set bob@example.com --bodies=false"
	flags.add(c)
	return c
}

func (a *commands) memberLinkCommand() *cobra.Command {
	c := a.command("link <email or id>", "Make a one-time link by which a member sets a password", func(cmd *cobra.Command, given []string) error {
		return a.withMember(cmd.Context(), given[0], func(api *client.Client, id string) error {
			l, err := api.MemberLink(cmd.Context(), id)
			if err != nil {
				return err
			}
			return a.showLink(l, "whoever opens it first sets the password of "+given[0])
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice member link ann@example.com"
	return c
}

func (a *commands) memberRemoveCommand() *cobra.Command {
	c := a.command("remove <email or id>", "Take a member out of an account; all sessions end", func(cmd *cobra.Command, given []string) error {
		return a.withMember(cmd.Context(), given[0], func(api *client.Client, id string) error {
			m, err := api.RemoveMember(cmd.Context(), id)
			if err != nil {
				return err
			}
			if !contains([]string{"table", "wide"}, a.flags.output) {
				return a.show(view{raw: m.Raw})
			}
			a.say("%s is no member of account %s any more", m.Email, api.Account())
			return nil
		})
	})
	c.Aliases = []string{"rm", "delete"}
	c.Args = args(1, 1)
	c.Example = "sluice member remove ann@example.com"
	return c
}

// withMember finds a member by e-mail address or id.
func (a *commands) withMember(ctx context.Context, which string, do func(api *client.Client, id string) error) error {
	return a.withAPI(func(api *client.Client) error {
		list, err := api.Members(ctx)
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].ID == which || list[i].Email == which {
				return do(api, list[i].ID)
			}
		}
		return &failure{code: exitNotFound, what: fmt.Sprintf("there is no member %q", which), hint: "sluice member list"}
	})
}
