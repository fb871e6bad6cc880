package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/gateway"
)

func (a *commands) budgetCommand() *cobra.Command {
	c := a.command("budget", "Bound what calls may cost: list, set, test and delete spend rules of a gateway", nil)
	c.Example = "sluice budget list\nsluice budget set daily --limit 10 --window 1d\nsluice budget test --provider openai --model gpt-4.1"
	c.AddCommand(a.budgetListCommand(), a.budgetSetCommand(), a.budgetTestCommand(), a.budgetDeleteCommand())
	return c
}

const aboutBudgets = "Rules stand in the gateway's setting spend_limits; -g names the gateway. docs/budgets.md says what each part does."

func (a *commands) budgetListCommand() *cobra.Command {
	var rule string
	var top int
	c := a.command("list", "Show the spend rules in force, and how their budgets stand", func(cmd *cobra.Command, _ []string) error {
		if top < 1 || top > 1000 {
			return usage("--limit is a number from 1 to 1000")
		}
		return a.withAPI(func(api *client.Client) error {
			u, err := api.LimitsUsage(cmd.Context(), a.flags.gateway, rule, top)
			if err != nil {
				return err
			}
			return a.show(view{raw: u.Raw, table: func(bool) *table { return a.budgetTable(u) }})
		})
	})
	c.Args = args(0, 0)
	c.Aliases = []string{"ls"}
	c.Long = aboutBudgets
	c.Example = "sluice budget list\nsluice budget list -g prod --rule per-user --limit 100\nsluice budget list --json"
	c.Flags().StringVar(&rule, "rule", "", "only the rule of this `id`")
	c.Flags().IntVar(&top, "limit", 20, "most budgets of one rule, those of which most was spent")
	return c
}

func (a *commands) budgetTable(u *client.LimitsUsage) *table {
	t := &table{columns: []column{
		{title: "RULE"},
		{title: "OF"},
		{title: "SPENT", right: true},
		{title: "RESERVED", right: true},
		{title: "LIMIT", right: true},
		{title: "WINDOW"},
		{title: "FORECAST", right: true},
		{title: "ROOM"},
	}}
	for i := range u.SpendLimits {
		r := &u.SpendLimits[i]
		window := config.FormatDuration(time.Duration(r.Window)*time.Second) + " " + r.Technique
		for j := range r.Budgets {
			b := &r.Budgets[j]
			of := scopeOf(r, b.Values)
			t.rows = append(t.rows, []cell{
				{text: printable(r.ID, false)},
				{text: printable(of, false)},
				{text: a.money(&b.Spent)},
				{text: a.money(&b.Reserved)},
				{text: a.money(&r.Limit)},
				{text: window},
				{text: a.money(b.Forecast)},
				{text: room(r, b)},
			})
		}
		if more := r.Total - len(r.Budgets); more > 0 || r.Total == 0 {
			what := "… " + a.count(int64(more)) + " more"
			if r.Total == 0 {
				what = scopeOf(r, nil) + ": nothing spent yet"
			}
			t.rows = append(t.rows, []cell{{text: printable(r.ID, false)}, {text: printable(what, false)}, {}, {}, {text: a.money(&r.Limit)}, {text: window}, {}, {}})
		}
	}
	return t
}

// room says whether a budget lets calls through.
func room(r *client.RuleUsage, b *client.BudgetUsage) string {
	switch {
	case b.Open:
		return "yes"
	case r.Action == "alert":
		return "no, only told"
	}
	return "no, for " + config.FormatDuration(time.Duration(max(b.ResetSeconds, 1))*time.Second)
}

// scopeOf says which calls a budget is of.
func scopeOf(r *client.RuleUsage, values map[string]string) string {
	var parts []string
	for _, list := range [][]string{r.Provider, r.Model} {
		if len(list) > 0 {
			parts = append(parts, strings.Join(list, ","))
		}
	}
	for _, m := range r.Metadata {
		switch v, ok := values[m.Key]; {
		case m.Values != nil:
			parts = append(parts, m.Key+"="+strings.Join(m.Values, ","))
		case ok:
			parts = append(parts, m.Key+"="+v)
		default:
			parts = append(parts, "each "+m.Key)
		}
	}
	if parts == nil {
		return "all calls"
	}
	return strings.Join(parts, " ")
}

// ruleFlags are what a rule is set to.
type ruleFlags struct {
	limit, window, technique, action, unpriced string
	providers, models, split, filter           []string
	hard, off, on                              bool
}

func (a *commands) budgetSetCommand() *cobra.Command {
	var f ruleFlags
	c := a.command("set <rule>", "Make a spend rule, or change one: what no flag names stays", func(cmd *cobra.Command, given []string) error {
		return a.changeRules(cmd, func(rules []json.RawMessage, at int) ([]json.RawMessage, string, error) {
			rule := map[string]json.RawMessage{"id": quoted(given[0])}
			if at >= 0 {
				if err := json.Unmarshal(rules[at], &rule); err != nil {
					return nil, "", err
				}
			}
			if err := f.apply(cmd, rule); err != nil {
				return nil, "", err
			}
			text, err := json.Marshal(rule)
			if err != nil {
				return nil, "", err
			}
			if at < 0 {
				return append(rules, text), "made", nil
			}
			rules[at] = text
			return rules, "changed", nil
		}, given[0])
	})
	c.Args = args(1, 1)
	c.Long = aboutBudgets + "\nA rule that is changed goes on with what it has counted."
	c.Example = "sluice budget set daily --limit 10 --window 1d\nsluice budget set per-user --limit 1 --window 1h --technique sliding --split user\nsluice budget set mini --limit 5 --window 1d --provider openai --model 'gpt-4.1-mini*' --action alert"
	fl := c.Flags()
	fl.StringVar(&f.limit, "limit", "", "`dollars` in a window")
	fl.StringVar(&f.window, "window", "", "length of a window: a `duration` such as 1h, 1d or 30d")
	fl.StringVar(&f.technique, "technique", "", "`how` windows lie: fixed or sliding")
	fl.StringSliceVar(&f.providers, "provider", nil, "only calls to these `slugs`; an empty one: of any")
	fl.StringSliceVar(&f.models, "model", nil, "only calls of these `models`, * is any text; an empty one: of any")
	fl.StringSliceVar(&f.split, "split", nil, "a budget for each value of these metadata `keys`")
	fl.StringArrayVar(&f.filter, "filter", nil, "only calls with such metadata: `key=value,value`")
	fl.StringVar(&f.action, "action", "", "`what` a used up budget does: block or alert")
	fl.StringVar(&f.unpriced, "unpriced", "", "`what` becomes of calls without a price: allow, flag or block")
	fl.BoolVar(&f.hard, "hard", false, "a call must fit with all that is reserved for it")
	fl.BoolVar(&f.off, "off", false, "turn the rule off")
	fl.BoolVar(&f.on, "on", false, "turn it on")
	return c
}

func quoted(s string) json.RawMessage {
	text, _ := json.Marshal(s) // a text always has a JSON form
	return text
}

// apply changes what the flags name.
func (f *ruleFlags) apply(cmd *cobra.Command, rule map[string]json.RawMessage) error {
	said := func(name string) bool { return cmd.Flags().Changed(name) }
	if said("limit") {
		if _, err := strconv.ParseFloat(f.limit, 64); err != nil || !json.Valid([]byte(f.limit)) {
			return usage("--limit is a number of US dollars, such as 10 or 0.5")
		}
		rule["limit"] = json.RawMessage(f.limit)
	}
	if said("window") {
		d, err := config.ParseDuration(f.window)
		if err != nil || d < time.Second || d%time.Second != 0 {
			return usage("--window is a duration in whole seconds, such as 1h, 1d or 30d")
		}
		rule["window"] = json.RawMessage(strconv.FormatInt(int64(d/time.Second), 10))
	}
	for name, value := range map[string]string{"technique": f.technique, "action": f.action, "unpriced": f.unpriced} {
		if said(name) {
			rule[name] = quoted(value)
		}
	}
	for name, list := range map[string][]string{"provider": f.providers, "model": f.models} {
		if said(name) {
			rule[name] = filterOf(list)
		}
	}
	if said("hard") {
		rule["hard"] = json.RawMessage(strconv.FormatBool(f.hard))
	}
	if f.off || f.on {
		rule["enabled"] = json.RawMessage(strconv.FormatBool(f.on))
	}
	if !said("split") && !said("filter") {
		return nil
	}
	scope := map[string]json.RawMessage{}
	for _, key := range f.split {
		scope[key] = json.RawMessage(`{"mode":"partition"}`)
	}
	for _, pair := range f.filter {
		key, values, found := strings.Cut(pair, "=")
		if !found || values == "" {
			return usage("--filter is key=value, with commas between several values")
		}
		scope[key] = filterOf(strings.Split(values, ","))
	}
	text, err := json.Marshal(scope)
	rule["metadata"] = text
	return err
}

// filterOf is a filter of the API; null for an empty one.
func filterOf(values []string) json.RawMessage {
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return json.RawMessage("null")
	}
	text, _ := json.Marshal(map[string]any{"mode": "filter", "values": values}) // texts always have a JSON form
	return text
}

// changeRules changes the rules of the gateway's spend limits. at is where the rule of an id stands; -1: nowhere.
func (a *commands) changeRules(cmd *cobra.Command, change func(rules []json.RawMessage, at int) ([]json.RawMessage, string, error), id string) error {
	return a.withAPI(func(api *client.Client) error {
		g, err := api.GetGateway(cmd.Context(), a.flags.gateway)
		if err != nil {
			return err
		}
		limits := map[string]json.RawMessage{}
		if text := g.Members["spend_limits"]; len(text) > 0 && string(text) != "null" {
			if err := json.Unmarshal(text, &limits); err != nil {
				return err
			}
		}
		var rules []json.RawMessage
		if text := limits["rules"]; len(text) > 0 {
			if err := json.Unmarshal(text, &rules); err != nil {
				return err
			}
		}
		at := -1
		if parsed, err := gateway.ParseSpendLimits(g.Members["spend_limits"]); err == nil {
			at = slices.IndexFunc(parsed, func(r gateway.SpendRule) bool { return r.ID == id })
		}
		rules, what, err := change(rules, at)
		if err != nil {
			return err
		}
		if rules == nil {
			rules = []json.RawMessage{}
		}
		if limits["rules"], err = json.Marshal(rules); err != nil {
			return err
		}
		if limits["enabled"] == nil {
			limits["enabled"] = json.RawMessage("true")
		}
		text, err := json.Marshal(limits)
		if err != nil {
			return err
		}
		if err := badRules(text); err != nil {
			return err
		}
		after, err := api.UpdateGateway(cmd.Context(), g, map[string]json.RawMessage{"spend_limits": text})
		if err != nil {
			return err
		}
		for _, note := range after.Notes {
			a.say("%s", printable(note, false))
		}
		if !contains([]string{"table", "wide"}, a.flags.output) {
			return a.show(view{raw: after.Members["spend_limits"]})
		}
		a.say("rule %s %s; how its budgets stand: sluice budget list", printable(id, false), what)
		return nil
	})
}

// badRules says what is wrong with spend limits before the server does: in the words of the flags.
func badRules(text json.RawMessage) error {
	_, err := gateway.ParseSpendLimits(text)
	faults, ok := errors.AsType[gateway.Faults](err)
	if !ok {
		return err
	}
	lines := make([]string, len(faults))
	for i, f := range faults {
		lines[i] = strings.TrimSuffix(f.Msg+"; "+f.Hint, "; ")
	}
	return &failure{code: exitUsage, what: strings.Join(lines, "\n"), hint: "a rule needs --limit and --window"}
}

func (a *commands) budgetDeleteCommand() *cobra.Command {
	var yes bool
	c := a.command("delete <rule>", "Delete a spend rule", func(cmd *cobra.Command, given []string) error {
		return a.changeRules(cmd, func(rules []json.RawMessage, at int) ([]json.RawMessage, string, error) {
			if at < 0 {
				return nil, "", &failure{code: exitNotFound, what: fmt.Sprintf("gateway %s has no rule %q", a.flags.gateway, given[0]), hint: "sluice budget list shows them"}
			}
			if !yes && !a.agreed(cmd.Context(), "Delete rule "+given[0]+"? Calls are not bound by it from then on.") {
				return nil, "", &failure{code: exitFailed, what: "nothing was deleted"}
			}
			return slices.Delete(rules, at, at+1), "deleted", nil
		}, given[0])
	})
	c.Args = args(1, 1)
	c.Aliases = []string{"rm"}
	c.Long = aboutBudgets
	c.Example = "sluice budget delete daily\nsluice budget delete per-user -g prod --yes"
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *commands) budgetTestCommand() *cobra.Command {
	var q client.LimitsQuestion
	var meta []string
	c := a.command("test", "Ask whether a call would be let through, and why; nothing is counted", func(cmd *cobra.Command, _ []string) error {
		for _, pair := range meta {
			key, value, found := strings.Cut(pair, "=")
			if !found {
				return usage("--meta is key=value")
			}
			if q.Metadata == nil {
				q.Metadata = map[string]any{}
			}
			q.Metadata[key] = value
		}
		return a.withAPI(func(api *client.Client) error {
			v, err := api.TestLimits(cmd.Context(), a.flags.gateway, q)
			if err != nil {
				return err
			}
			if err := a.show(view{raw: v.Raw, table: func(bool) *table { return a.verdictTable(v) }}); err != nil {
				return err
			}
			if !v.Allowed {
				return &failure{code: exitLimit, what: "such a call would be refused with " + strconv.Itoa(v.Status) + ": " + v.Reason}
			}
			return nil
		})
	})
	c.Args = args(0, 0)
	c.Long = aboutBudgets + "\nIt ends with 10 where the call would be refused."
	c.Example = "sluice budget test --provider openai --model gpt-4.1\nsluice budget test --provider openai --model gpt-4.1 --meta user=ann --input 2000 --output 500\nsluice budget test --provider anthropic --model claude-sonnet-4-5 --json"
	f := c.Flags()
	f.StringVar(&q.Provider, "provider", "openai", "`slug` of the provider")
	f.StringVar(&q.Model, "model", "", "`name` of the model")
	f.StringArrayVar(&meta, "meta", nil, "metadata of the call: `key=value`")
	f.Int64Var(&q.InputTokens, "input", 0, "input `tokens`")
	f.Int64Var(&q.OutputTokens, "output", 0, "most output `tokens`")
	return c
}

func (a *commands) verdictTable(v *client.LimitsVerdict) *table {
	t := &table{columns: []column{{title: "RULE"}, {title: "SAYS"}, {title: "SPENT", right: true}, {title: "RESERVED", right: true}, {title: "WHY", flex: 40}}}
	for i := range v.Rules {
		r := &v.Rules[i]
		says, spent, reserved := "yes", a.none(), a.none()
		switch {
		case !r.Applies:
			says = a.none()
		case !r.Allows:
			says = "no"
		}
		if r.Budget != nil {
			spent, reserved = a.money(&r.Budget.Spent), a.money(&r.Budget.Reserved)
		}
		t.rows = append(t.rows, []cell{{text: printable(r.ID, false)}, {text: says}, {text: spent}, {text: reserved}, {text: printable(r.Why, false)}})
	}
	t.rows = append(t.rows, []cell{{text: "the call"}, {text: map[bool]string{true: "yes", false: "no"}[v.Allowed]}, {}, {text: a.money(v.Reserves)}, {text: printable(v.Reason, false)}})
	return t
}
