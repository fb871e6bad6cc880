package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
)

func (a *commands) gatewayCommand() *cobra.Command {
	c := a.command("gateway", "List, create, change and delete gateways", nil)
	c.Example = "sluice gateway list\nsluice gateway create prod cache_ttl=5m\nsluice gateway set prod rate_limiting_limit=100 rate_limiting_interval=1m"
	c.AddCommand(a.gatewayListCommand(), a.gatewayGetCommand(), a.gatewayCreateCommand(), a.gatewaySetCommand(), a.gatewayDeleteCommand())
	return c
}

const aboutSettings = "A setting is name=value: on and off, numbers, words, and durations such as 5m where the API has seconds or\n" +
	"milliseconds; null sets back. sluice gateway get shows all names. docs/gateways.md says what each does."

func (a *commands) gatewayListCommand() *cobra.Command {
	var search string
	c := a.command("list", "List the account's gateways", func(cmd *cobra.Command, _ []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		list, err := api.ListGateways(cmd.Context(), search)
		if err != nil {
			return err
		}
		return a.showGateways(list)
	})
	c.Args = args(0, 0)
	c.Aliases = []string{"ls"}
	c.Example = "sluice gateway list\nsluice gateway list --search prod\nsluice gateway list --json --fields id,cache_ttl"
	c.Flags().StringVar(&search, "search", "", "only those whose id holds this `text`")
	return c
}

func (a *commands) showGateways(list []client.Gateway) error {
	rows := make([]json.RawMessage, 0, len(list))
	for i := range list {
		rows = append(rows, list[i].Raw)
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, csv: []string{"id", "origin", "authentication", "cache_ttl", "rate_limiting_limit", "rate_limiting_interval", "modified_at"}, table: func(wide bool) *table {
		t := &table{columns: []column{{title: "ID"}, {title: "ORIGIN"}, {title: "TOKEN"}, {title: "CACHE"}, {title: "RATE LIMIT"}, {title: "TRIES", right: true}, {title: "MODIFIED", spare: true}}}
		for i := range list {
			t.rows = append(t.rows, a.gatewayRow(&list[i], wide))
		}
		return t
	}})
}

func (a *commands) gatewayRow(g *client.Gateway, wide bool) []cell {
	var s gateway.Settings
	_ = json.Unmarshal(g.Raw, &s) // of a later server: what is not understood is not shown
	token, kept, limit, tries := "not needed", a.none(), a.none(), "1"
	if s.Authentication != nil && *s.Authentication {
		token = "needed"
	}
	if s.CacheTTL > 0 {
		kept = config.FormatDuration(time.Duration(s.CacheTTL) * time.Second)
	}
	if most, per := s.RateLimitingLimit, s.RateLimitingInterval; most != nil && per != nil && *most > 0 && *per > 0 {
		limit = a.count(*most) + " in " + config.FormatDuration(time.Duration(*per)*time.Second)
	}
	if s.RetryMaxAttempts != nil {
		tries = strconv.FormatInt(*s.RetryMaxAttempts, 10)
	}
	modified := a.ago(g.ModifiedAt, time.Now())
	if wide || !a.OutTerminal {
		modified = a.stamp(g.ModifiedAt)
	}
	return []cell{{text: printable(g.ID, false)}, {text: printable(g.Origin, false)}, {text: token}, {text: kept}, {text: limit}, {text: tries}, {text: modified}}
}

func (a *commands) gatewayGetCommand() *cobra.Command {
	c := a.command("get [id]", "Show a gateway's settings, each with its origin", func(cmd *cobra.Command, given []string) error {
		id := a.flags.gateway
		if len(given) > 0 {
			id = given[0]
		}
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		g, err := api.GetGateway(cmd.Context(), id)
		if err != nil {
			return err
		}
		return a.showGateway(g)
	})
	c.Args = args(0, 1)
	c.ValidArgsFunction = a.completeFirst(a.completeGateway)
	c.Example = "sluice gateway get\nsluice gateway get prod\nsluice gateway get prod --json"
	return c
}

func (a *commands) showGateway(g *client.Gateway) error {
	defaults, err := defaultSettings()
	if err != nil {
		return err
	}
	return a.show(view{raw: g.Raw, table: func(wide bool) *table {
		t := &table{columns: []column{{title: "SETTING"}, {title: "VALUE", flex: 40}, {title: "ORIGIN"}}}
		if wide {
			t.columns = append(t.columns, column{title: "WHAT"})
		}
		for _, f := range gateway.Fields() {
			value, found := g.Members[f.Name]
			if !found {
				continue
			}
			origin := printable(g.Origin, false)
			if string(value) == string(defaults[f.Name]) {
				origin = "default"
			}
			row := []cell{{text: f.Name}, {text: a.setting(&f, value)}, {text: origin}}
			if wide {
				row = append(row, cell{text: f.Help})
			}
			t.rows = append(t.rows, row)
		}
		return t
	}})
}

// setting writes a value as gateway set takes it.
func (a *commands) setting(f *gateway.Field, value json.RawMessage) string {
	var text string
	if f.Type == gateway.FieldText && json.Unmarshal(value, &text) == nil && string(value) != "null" {
		return printable(text, false)
	}
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil && n > 0 && f.Unit != "" {
		return config.FormatDuration(time.Duration(n) * map[string]time.Duration{"s": time.Second, "ms": time.Millisecond}[f.Unit])
	}
	return printable(string(value), false)
}

func defaultSettings() (map[string]json.RawMessage, error) {
	text, err := json.Marshal(gateway.Defaults())
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	return members, json.Unmarshal(text, &members)
}

func (a *commands) gatewayCreateCommand() *cobra.Command {
	c := a.command("create <id> [name=value …]", "Create a gateway", func(cmd *cobra.Command, given []string) error {
		settings, err := parseSettings(given[1:])
		if err != nil {
			return err
		}
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		g, err := api.CreateGateway(cmd.Context(), given[0], settings)
		if err != nil {
			return err
		}
		return a.changed(g, "created", "its addresses: sluice endpoints "+g.ID)
	})
	c.Args = args(1, manySettings)
	c.ValidArgsFunction = a.completeSettings
	c.Long = aboutSettings
	c.Example = "sluice gateway create prod\nsluice gateway create prod authentication=on cache_ttl=5m\nsluice gateway create test collect_payload=off --json"
	return c
}

func (a *commands) gatewaySetCommand() *cobra.Command {
	c := a.command("set <id> name=value …", "Change settings of a gateway", func(cmd *cobra.Command, given []string) error {
		settings, err := parseSettings(given[1:])
		if err != nil {
			return err
		}
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		before, err := api.GetGateway(cmd.Context(), given[0])
		if err != nil {
			return err
		}
		g, err := api.UpdateGateway(cmd.Context(), before, settings)
		if err != nil {
			return err
		}
		if g.Version == before.Version {
			return a.changed(g, "unchanged", "it was so before")
		}
		return a.changed(g, "changed", "in force for the next request; all settings: sluice gateway get "+g.ID)
	})
	c.Args = args(2, manySettings)
	c.ValidArgsFunction = a.completeSettings
	c.Long = aboutSettings
	c.Example = "sluice gateway set prod cache_ttl=5m\nsluice gateway set prod rate_limiting_limit=100 rate_limiting_interval=1m rate_limiting_technique=sliding\nsluice gateway set default authentication=on"
	return c
}

func (a *commands) gatewayDeleteCommand() *cobra.Command {
	var yes bool
	c := a.command("delete <id>", "Delete a gateway", func(cmd *cobra.Command, given []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		g, err := api.GetGateway(cmd.Context(), given[0])
		if err != nil {
			return err
		}
		if !yes && !a.agreed(cmd.Context(), "Delete gateway "+g.ID+"? Calls to it fail from then on.") {
			return &failure{code: exitFailed, what: "nothing was deleted"}
		}
		if g, err = api.DeleteGateway(cmd.Context(), g.ID); err != nil {
			return err
		}
		return a.changed(g, "deleted", "its log entries stay stored, and a gateway of the same id shows them")
	})
	c.Args = args(1, 1)
	c.Aliases = []string{"rm"}
	c.ValidArgsFunction = a.completeFirst(a.completeGateway)
	c.Example = "sluice gateway delete test\nsluice gateway delete test --yes"
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// manySettings is more arguments than there are settings.
const manySettings = 1000

// agreed asks on a terminal. Where nobody can be asked, who called has agreed.
func (a *commands) agreed(ctx context.Context, question string) bool {
	if !a.InTerminal || !a.ErrTerminal {
		return true
	}
	fmt.Fprintf(a.Stderr, "%s [y/N] ", printable(question, false))
	line, err := bufio.NewReader(a.Stdin).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && ctx.Err() == nil && (answer == "y" || answer == "yes")
}

// changed shows what a change came to.
func (a *commands) changed(g *client.Gateway, what, next string) error {
	for _, note := range g.Notes {
		a.say("%s", note)
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: g.Raw})
	}
	a.say("gateway %s %s (version %d); %s", g.ID, what, g.Version, next)
	return nil
}

// parseSettings reads name=value. All that is wrong comes in one answer.
func parseSettings(given []string) (map[string]json.RawMessage, error) {
	fields := map[string]gateway.Field{}
	var names []string
	for _, f := range gateway.Fields() {
		fields[f.Name] = f
		names = append(names, f.Name)
	}
	settings := map[string]json.RawMessage{}
	var wrong []string
	for _, pair := range given {
		name, text, found := strings.Cut(pair, "=")
		f, isKnown := fields[name]
		switch {
		case !found:
			wrong = append(wrong, fmt.Sprintf("%q is not name=value", pair))
		case !isKnown:
			msg := fmt.Sprintf("there is no setting %q", name)
			if near := config.Nearest(name, names); near != "" {
				msg += "; did you mean " + near + "?"
			}
			wrong = append(wrong, msg)
		default:
			value, err := f.Text(text)
			if e, ok := errors.AsType[*sluice.Error](err); ok {
				wrong = append(wrong, strings.TrimSuffix(e.Msg+"; "+e.Hint, "; "))
			}
			settings[name] = value
		}
	}
	if len(wrong) > 0 {
		return nil, &failure{code: exitUsage, what: strings.Join(wrong, "\n"), hint: "sluice gateway get -o wide shows all settings"}
	}
	return settings, nil
}

// completion completes an argument.
type completion = func(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective)

// completeFirst completes the first argument alone.
func (a *commands) completeFirst(f completion) completion {
	return func(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, given, begun)
	}
}

// completeSettings completes an id, where one must exist, and then settings.
func (a *commands) completeSettings(cmd *cobra.Command, given []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(given) == 0 {
		if cmd.Name() == "create" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.completeGateway(cmd, given, begun)
	}
	name, _, valued := strings.Cut(begun, "=")
	var list []string
	for _, f := range gateway.Fields() {
		values := f.Enum
		if f.Type == gateway.FieldBool {
			values = []string{"on", "off"}
		}
		switch {
		case !valued:
			list = append(list, f.Name+"=")
		case f.Name == name:
			for _, v := range values {
				list = append(list, name+"="+v)
			}
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
