package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) customCommand() *cobra.Command {
	c := a.command("custom", "Make providers of your own: an address that calls to custom-{slug} go to", nil)
	c.Long = "They belong to the account, and all its gateways have them. docs/custom-providers.md tells more."
	c.Example = "sluice provider custom add lab --base-url https://llm.example.com\nsluice provider custom list"
	c.AddCommand(a.customListCommand(), a.customGetCommand(), a.customAddCommand(), a.customSetCommand(), a.customRemoveCommand())
	return c
}

// customFlags are the flags of add and set.
type customFlags struct {
	name, base, description, link, headers, authHeader, authScheme string
	enable                                                         bool
}

func (f *customFlags) add(flags *pflag.FlagSet, enable bool) {
	flags.SortFlags = false
	flags.StringVar(&f.base, "base-url", "", "https `address` that calls go to, followed by a slash and the rest of their path")
	flags.StringVar(&f.name, "name", "", "`name` for people")
	flags.BoolVar(&f.enable, "enable", enable, "let calls go there; --enable=false refuses them")
	flags.StringVar(&f.headers, "headers-from-env", "", "take fields to add to each call from a `variable`, a JSON object: {\"X-Tenant\": \"blue\"}; an empty one removes them")
	flags.StringVar(&f.authHeader, "auth-header", "", "`header` that a stored key goes into, instead of Authorization")
	flags.StringVar(&f.authScheme, "auth-scheme", "", "`word` before the key in --auth-header")
	flags.StringVar(&f.description, "description", "", "`text` for people")
	flags.StringVar(&f.link, "link", "", "`address` of its documentation")
}

// fields are what the flags say, by the API's names.
func (f *customFlags) fields(a *commands, flags *pflag.FlagSet) (map[string]any, error) {
	fields := map[string]any{}
	for flag, field := range map[string]struct {
		name  string
		value any
	}{
		"base-url": {"base_url", f.base}, "name": {"name", f.name}, "enable": {"enable", f.enable}, "auth-header": {"auth_header", f.authHeader},
		"auth-scheme": {"auth_scheme", f.authScheme}, "description": {"description", f.description}, "link": {"link", f.link},
	} {
		if flags.Changed(flag) {
			fields[field.name] = field.value
		}
	}
	if flags.Changed("headers-from-env") {
		fields["headers"] = strings.TrimSpace(a.getenv(f.headers))
		if f.headers == "" {
			return nil, usage("--headers-from-env wants the name of a variable")
		}
	}
	return fields, nil
}

func (a *commands) customAddCommand() *cobra.Command {
	var flags customFlags
	c := a.command("add <slug>", "Make a custom provider", func(cmd *cobra.Command, given []string) error {
		fields, err := flags.fields(a, cmd.Flags())
		if err != nil {
			return err
		}
		slug := strings.TrimPrefix(given[0], "custom-")
		fields["slug"], fields["enable"] = slug, flags.enable
		if flags.name == "" {
			fields["name"] = slug
		}
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		p, err := api.CreateCustomProvider(cmd.Context(), fields)
		if err != nil {
			return err
		}
		return a.changedCustom(p, "made", "calls go to .../"+p.Provider+"/...; store its key with: sluice provider add "+p.Provider)
	})
	c.Args = args(1, 1)
	c.Long = "It is enabled at once, unless --enable=false says otherwise."
	c.Example = "sluice provider custom add lab --base-url https://llm.example.com\n" +
		"sluice provider custom add lab --base-url https://llm.example.com/api --auth-header X-Lab-Key --headers-from-env LAB_HEADERS"
	flags.add(c.Flags(), true)
	return c
}

func (a *commands) customSetCommand() *cobra.Command {
	var flags customFlags
	c := a.command("set <slug>", "Change a custom provider: what no flag names stays", func(cmd *cobra.Command, given []string) error {
		fields, err := flags.fields(a, cmd.Flags())
		if err != nil {
			return err
		}
		if len(fields) == 0 {
			return usage("name what to change: sluice provider custom set %s --base-url https://…", given[0])
		}
		return a.withCustom(cmd.Context(), given[0], func(api *client.Client, p *client.CustomProvider) error {
			p, err := api.UpdateCustomProvider(cmd.Context(), p.ID, fields)
			if err != nil {
				return err
			}
			return a.changedCustom(p, "changed", "")
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice provider custom set lab --enable=false\nsluice provider custom set lab --base-url https://llm2.example.com"
	flags.add(c.Flags(), true)
	return c
}

func (a *commands) customGetCommand() *cobra.Command {
	c := a.command("get <slug>", "Show a custom provider", func(cmd *cobra.Command, given []string) error {
		return a.withCustom(cmd.Context(), given[0], func(_ *client.Client, p *client.CustomProvider) error {
			return a.show(view{raw: p.Raw, table: func(bool) *table { return a.customTable([]client.CustomProvider{*p}) }})
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice provider custom get lab --json"
	return c
}

func (a *commands) customRemoveCommand() *cobra.Command {
	c := a.command("remove <slug>", "Delete a custom provider and its prices", func(cmd *cobra.Command, given []string) error {
		return a.withCustom(cmd.Context(), given[0], func(api *client.Client, p *client.CustomProvider) error {
			p, err := api.DeleteCustomProvider(cmd.Context(), p.ID)
			if err != nil {
				return err
			}
			return a.changedCustom(p, "deleted", "stored keys of it are left, and serve no other provider: sluice provider remove "+p.Provider)
		})
	})
	c.Aliases = []string{"rm", "delete"}
	c.Args = args(1, 1)
	c.Example = "sluice provider custom remove lab"
	return c
}

// withCustom runs fn with the custom provider that a slug, with or without custom- before it, or an id names.
func (a *commands) withCustom(ctx context.Context, which string, fn func(*client.Client, *client.CustomProvider) error) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	list, err := api.CustomProviders(ctx)
	if err != nil {
		return err
	}
	for i := range list {
		if p := &list[i]; p.Slug == which || p.Provider == which || p.ID == which {
			return fn(api, p)
		}
	}
	return &failure{
		code: exitNotFound, what: fmt.Sprintf("the account has no custom provider %q", which),
		hint: "sluice provider custom list shows those that are; sluice provider custom add makes one",
	}
}

func (a *commands) changedCustom(p *client.CustomProvider, done, remark string) error {
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: p.Raw})
	}
	a.say("custom provider %s %s: %s, %s", p.Provider, done, p.BaseURL, p.Status)
	if remark != "" {
		a.say("%s", remark)
	}
	return nil
}

func (a *commands) customListCommand() *cobra.Command {
	c := a.command("list", "List the account's custom providers", func(cmd *cobra.Command, _ []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		list, err := api.CustomProviders(cmd.Context())
		if err != nil {
			return err
		}
		rows := make([]json.RawMessage, 0, len(list))
		for i := range list {
			rows = append(rows, list[i].Raw)
		}
		if len(rows) == 0 && contains([]string{"table", "wide"}, a.flags.output) {
			a.say("the account has no custom providers; make one with: sluice provider custom add lab --base-url https://…")
			return nil
		}
		raw, err := json.Marshal(rows)
		if err != nil {
			return err
		}
		return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return a.customTable(list) }})
	})
	c.Aliases = []string{"ls"}
	c.Args = args(0, 0)
	c.Example = "sluice provider custom list\nsluice provider custom list --json"
	return c
}

func (a *commands) customTable(list []client.CustomProvider) *table {
	t := &table{columns: []column{
		{title: "PROVIDER"}, {title: "NAME", flex: 12}, {title: "ADDRESS", flex: 24}, {title: "STATUS"}, {title: "HEADERS", spare: true, flex: 12}, {title: "ID", spare: true},
	}}
	for i := range list {
		p := &list[i]
		status := cell{text: p.Status}
		if p.Status != "ready" {
			status.color = red
		}
		headers := a.none()
		var names map[string]string
		if json.Unmarshal([]byte(p.Headers), &names) == nil && len(names) > 0 {
			var all []string
			for name := range names {
				all = append(all, name)
			}
			headers = strings.Join(sorted(all), ",")
		}
		t.rows = append(t.rows, []cell{
			{text: printable(p.Provider, false)}, {text: printable(p.Name, false)}, {text: printable(p.BaseURL, false)}, status, {text: printable(headers, false)}, {text: p.ID},
		})
	}
	return t
}

// sorted sorts list in place.
func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
