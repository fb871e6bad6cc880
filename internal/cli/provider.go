package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/provider"
)

func (a *commands) providerCommand() *cobra.Command {
	c := a.command("provider", "Store provider keys in a gateway, and test them", nil)
	c.Long = "A stored key is shown to the provider for callers who bring none and have a gateway token. Nothing can read it back."
	c.Example = "sluice provider add openai --from-env\nsluice provider list\nsluice provider test openai"
	c.AddCommand(a.providerListCommand(), a.providerAddCommand(), a.providerTestCommand(), a.providerRemoveCommand(), a.customCommand())
	return c
}

// keyFlags are the flags of add.
type keyFlags struct {
	env     string
	alias   string
	usual   bool
	weight  int
	hosts   []string
	limit   string
	replace bool
	region  string
	place   string // Azure's resource
}

// fromTheUsual is what --from-env means where it names no variable.
const fromTheUsual = "-"

func (a *commands) providerAddCommand() *cobra.Command {
	var flags keyFlags
	c := a.command("add <provider>", "Store a provider key, read from stdin or from the environment", func(cmd *cobra.Command, given []string) error {
		return a.addKey(cmd.Context(), given[0], &flags)
	})
	c.Args = func(cmd *cobra.Command, given []string) error {
		if len(given) > 1 { // perhaps a key, which is not to be repeated
			return errors.New("sluice provider add takes the provider alone: a key is read from stdin or the environment, never from an argument")
		}
		return args(1, 1)(cmd, given)
	}
	c.Long = "The key comes from stdin, or with --from-env from the variable in which the provider's own tools look for it; never from an\n" +
		"argument, which others on the machine can see. A key of several parts is a JSON object: an AWS key, or\n" +
		"a service account of Google's; docs/keys.md shows them. Several keys may have one alias: each but the first is added with --weight, and\n" +
		"they share the calls. --replace puts the key in the place of the one that is there."
	c.Example = "sluice provider add openai --from-env\n" +
		"sluice provider add anthropic --alias prod < key.txt\n" +
		"sluice provider add azure-openai --resource myresource --from-env=AZURE_KEY\n" +
		"sluice provider add aws-bedrock --from-env --region us-east-1\n" +
		"sluice provider add google-vertex-ai --region europe-west4 < service-account.json"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&flags.env, "from-env", "", "take the key from the environment, where it is named after the provider (OPENAI_API_KEY), or from the `variable` that is given behind =")
	f.Lookup("from-env").NoOptDefVal = fromTheUsual
	f.StringVar(&flags.alias, "alias", "default", "`name` that calls choose the key by: cf-aig-byok-alias; those that name none use default")
	f.BoolVar(&flags.usual, "default", false, "use the key for calls that name no alias, where no key is named default")
	f.IntVar(&flags.weight, "weight", 0, "`share` of the calls, 1 to 1000, beside other keys of the same alias")
	f.StringSliceVar(&flags.hosts, "host", nil, "`hosts` that the key may be sent to besides the provider's own; for providers whose calls name the host, such as azure-openai")
	f.StringVar(&flags.limit, "rate-limit", "", "most calls with this key in a time, as `calls/time`: 100/1m")
	f.StringVar(&flags.region, "region", "", "`region` of an AWS key or a service account, where it does not name one")
	f.StringVar(&flags.place, "resource", "", "Azure `resource` that the key is of: the first part of its host name")
	f.BoolVar(&flags.replace, "replace", false, "replace the key that has the alias")
	return c
}

// rate reads calls/time.
func rate(text string) (calls int64, per time.Duration, err error) {
	if text == "" {
		return 0, 0, nil
	}
	count, length, found := strings.Cut(text, "/")
	calls, err = strconv.ParseInt(count, 10, 64)
	if err == nil && found && calls > 0 {
		if length != "" && (length[0] < '0' || length[0] > '9') {
			length = "1" + length // 100/m
		}
		if per, err = config.ParseDuration(length); err == nil && per >= time.Second && per%time.Second == 0 {
			return calls, per, nil
		}
	}
	return 0, 0, usage("--rate-limit is not %q: it is a number of calls and a time of whole seconds, such as 100/1m", text)
}

func (a *commands) addKey(ctx context.Context, provider string, flags *keyFlags) error {
	n := client.NewProviderKey{Provider: provider, Alias: flags.alias, Default: flags.usual, Weight: flags.weight, Hosts: flags.hosts}
	var err error
	if n.RateLimit, n.RatePeriod, err = rate(flags.limit); err != nil {
		return err
	}
	if n.Secret, err = a.providerSecret(provider, flags.env); err != nil {
		return err
	}
	if n.Secret, err = flags.completed(n.Secret); err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	k, err := a.storeKey(ctx, c, n, flags.replace)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: k.Raw})
	}
	a.say("stored key %q of %s (%s) in gateway %s; test it with: sluice provider test %s", k.Alias, k.Provider, k.Preview, k.Gateway, k.Provider)
	a.say("it is used for callers with a gateway token alone: sluice auth token create")
	return nil
}

// storeKey stores a key, or replaces the one that is there.
func (a *commands) storeKey(ctx context.Context, c *client.Client, n client.NewProviderKey, replace bool) (*client.ProviderKey, error) {
	if !replace {
		k, err := c.CreateProviderKey(ctx, a.flags.gateway, n)
		if e, ok := errors.AsType[*client.APIError](err); ok && e.Status == http.StatusConflict {
			return nil, &failure{
				code: exitConflict, what: e.Error(), err: err,
				hint: "add --replace to put it in that one's place, --weight to share the calls, or choose another --alias",
			}
		}
		return k, err
	}
	found, err := a.keysOf(ctx, c, n.Provider, n.Alias)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return c.CreateProviderKey(ctx, a.flags.gateway, n)
	case len(found) > 1:
		return nil, &failure{
			code: exitConflict, what: fmt.Sprintf("%d keys of %s share the alias %q: which one is meant is not clear", len(found), n.Provider, n.Alias),
			hint: "remove the one: sluice provider remove <id>; sluice provider list -o wide shows the ids",
		}
	}
	return c.ReplaceProviderKey(ctx, a.flags.gateway, found[0].ID, n)
}

// keysOf lists the stored keys of a provider, or with its id one key. alias "": all aliases.
func (a *commands) keysOf(ctx context.Context, c *client.Client, which, alias string) ([]client.ProviderKey, error) {
	all, _, err := c.ProviderKeys(ctx, a.flags.gateway)
	if err != nil {
		return nil, err
	}
	var found []client.ProviderKey
	for i := range all {
		if k := &all[i]; k.ID == which || k.Provider == which && (alias == "" || k.Alias == alias) {
			found = append(found, *k)
		}
	}
	return found, nil
}

// providerSecret reads a key: from the environment, where that is asked for, else from stdin.
func (a *commands) providerSecret(slug, env string) (sluice.Secret, error) {
	if env == "" {
		return a.keyFromStdin(slug)
	}
	names := []string{env}
	if env == fromTheUsual {
		names = provider.KeyVariables(slug)
		if key, found, err := a.cloudKey(slug); found || err != nil {
			return key, err
		}
	}
	for _, name := range names {
		if value := strings.TrimSpace(a.getenv(name)); value != "" {
			return sluice.NewSecret(value), nil
		}
	}
	return sluice.Secret{}, &failure{
		code: exitUsage, what: "the environment has no " + strings.Join(names, " and no "),
		hint: "name the variable: --from-env=NAME; or give the key on stdin",
	}
}

func (a *commands) keyFromStdin(provider string) (sluice.Secret, error) {
	if a.InTerminal {
		return sluice.Secret{}, &failure{
			code: exitUsage, what: "the key is read from stdin, which is a terminal: it would be seen",
			hint: "sluice provider add " + provider + " --from-env; or: sluice provider add " + provider + " < key.txt",
		}
	}
	const longest = 16 << 10
	text, err := io.ReadAll(io.LimitReader(a.Stdin, longest))
	if err != nil {
		return sluice.Secret{}, fmt.Errorf("read the key from stdin: %w", err)
	}
	line := strings.TrimSpace(string(text))
	if !strings.HasPrefix(line, "{") { // a key of several parts has several lines
		line, _, _ = strings.Cut(line, "\n")
	}
	value := sluice.NewSecret(strings.TrimSpace(line))
	if value.IsZero() {
		return value, usage("the key is read from stdin, and nothing came; --from-env takes it from the environment")
	}
	return value, nil
}

func (a *commands) providerListCommand() *cobra.Command {
	c := a.command("list", "List the stored provider keys of a gateway, without the keys", func(cmd *cobra.Command, _ []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		list, notes, err := api.ProviderKeys(cmd.Context(), a.flags.gateway)
		if err != nil {
			return err
		}
		for _, note := range notes {
			a.say("%s", note)
		}
		return a.showKeys(list)
	})
	c.Aliases = []string{"ls"}
	c.Args = args(0, 0)
	c.Example = "sluice provider list\nsluice provider list -g prod --json"
	return c
}

func (a *commands) showKeys(list []client.ProviderKey) error {
	t := &table{columns: []column{
		{title: "PROVIDER"},
		{title: "ALIAS", flex: 12},
		{title: "KEY"},
		{title: "STATUS"},
		{title: "WEIGHT"},
		{title: "LAST USED"},
		{title: "HOSTS", spare: true, flex: 12},
		{title: "ID", spare: true},
	}}
	rows := []json.RawMessage{}
	now := time.Now()
	for i := range list {
		k := &list[i]
		rows = append(rows, k.Raw)
		status := cell{text: k.Status}
		if k.Status != "ready" {
			status.color = red
		}
		hosts := a.none()
		if len(k.Hosts) > 0 {
			hosts = strings.Join(k.Hosts, ",")
		}
		t.rows = append(t.rows, []cell{
			{text: k.Provider},
			{text: k.Alias},
			{text: k.Preview},
			status,
			{text: strconv.Itoa(k.Weight)},
			{text: a.tokenTime(k.LastUsedAt, now)},
			{text: hosts},
			{text: k.ID},
		})
	}
	if len(rows) == 0 && contains([]string{"table", "wide"}, a.flags.output) {
		a.say("gateway %s has no provider keys; store one with: sluice provider add openai --from-env", a.flags.gateway)
		return nil
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
}

func (a *commands) providerTestCommand() *cobra.Command {
	var alias string
	c := a.command("test <provider or id>", "Make one call with each stored key of a provider that costs nothing", func(cmd *cobra.Command, given []string) error {
		return a.testKeys(cmd.Context(), given[0], alias)
	})
	c.Args = args(1, 1)
	c.Long = "The server lists the provider's models with the key. Where a provider shows that list to everybody, it tells only that it is\nreached."
	c.Example = "sluice provider test openai\nsluice provider test openai --alias prod"
	c.Flags().StringVar(&alias, "alias", "", "only the keys of this `name`")
	return c
}

func (a *commands) testKeys(ctx context.Context, which, alias string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	found, err := a.keysOf(ctx, c, which, alias)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return a.noKey(which)
	}
	t := &table{columns: []column{{title: "PROVIDER"}, {title: "ALIAS", flex: 12}, {title: "KEY"}, {title: "RESULT"}, {title: "TIME"}, {title: "WHY", flex: 20}}}
	rows, bad := []json.RawMessage{}, 0
	for i := range found {
		k := &found[i]
		r, err := c.TestProviderKey(ctx, a.flags.gateway, k.ID)
		if err != nil {
			return err
		}
		rows = append(rows, r.Raw)
		result, why := cell{text: "ok"}, a.none()
		if !r.OK {
			bad++
			result, why = cell{text: "failed", color: red}, r.Error
		}
		t.rows = append(t.rows, []cell{
			{text: k.Provider}, {text: k.Alias}, {text: k.Preview}, result, {text: strconv.FormatInt(r.DurationMS, 10) + " ms"}, {text: why},
		})
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	if err := a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }}); err != nil {
		return err
	}
	if bad > 0 {
		return errReported{exitFailed}
	}
	return nil
}

func (a *commands) noKey(which string) error {
	return &failure{
		code: exitNotFound, what: fmt.Sprintf("gateway %s has no provider key %q", a.flags.gateway, which),
		hint: "sluice provider list shows those that are; sluice provider add stores one",
	}
}

func (a *commands) providerRemoveCommand() *cobra.Command {
	var alias string
	c := a.command("remove <provider or id>", "Delete a stored provider key", func(cmd *cobra.Command, given []string) error {
		return a.removeKey(cmd.Context(), given[0], alias)
	})
	c.Aliases = []string{"rm", "delete"}
	c.Args = args(1, 1)
	c.Example = "sluice provider remove openai --alias prod"
	c.Flags().StringVar(&alias, "alias", "", "the key of this `name`")
	return c
}

func (a *commands) removeKey(ctx context.Context, which, alias string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	defer c.Close()
	found, err := a.keysOf(ctx, c, which, alias)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return a.noKey(which)
	case len(found) > 1:
		return &failure{
			code: exitConflict, what: fmt.Sprintf("%d keys are meant by %q: one is removed at a time", len(found), which),
			hint: "name its --alias, or its id: sluice provider list -o wide",
		}
	}
	k, err := c.DeleteProviderKey(ctx, a.flags.gateway, found[0].ID)
	if err != nil {
		return err
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: k.Raw})
	}
	a.say("deleted key %q of %s (%s) from gateway %s; it is still good at the provider, until it is revoked there", k.Alias, k.Provider, k.Preview, k.Gateway)
	return nil
}

func (a *commands) keysCommand() *cobra.Command {
	c := a.command("keys", "Look after the master key, which seals the stored provider keys", nil)
	c.Example = "sluice keys rotate"
	rotate := a.command("rotate", "Make a new master key, and seal by it", func(cmd *cobra.Command, _ []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		if err := api.RotateMasterKey(cmd.Context()); err != nil {
			return err
		}
		a.say("the server has a new master key, and the old one opens nothing any more: keep a copy of the file apart from the database")
		return nil
	})
	rotate.Args = args(0, 0)
	rotate.Long = "It is for a master key in a file. One that comes from SLUICE_MASTER_KEY is changed there: the new key, a comma, the old key;\nrestart; afterwards the new key alone."
	rotate.Example = "sluice keys rotate"
	c.AddCommand(rotate)
	return c
}
