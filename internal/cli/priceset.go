package cli

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

func (a *commands) priceSetCommand() *cobra.Command {
	var n client.NewModelPrice
	c := a.command("set <provider>/<model> class=usd …", "Set what a model costs in the account", func(cmd *cobra.Command, given []string) error {
		provider, model, err := splitModel(given[0])
		if err != nil {
			return err
		}
		if n.USD, err = usdArgs(given[1:]); err != nil {
			return err
		}
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		p, err := api.SetModelPrice(cmd.Context(), provider, model, n)
		if err != nil {
			return err
		}
		return a.changedPrice(p, "is set; calls that end from now on are priced so")
	})
	c.Args = args(1, manySettings)
	c.Long = "Prices are US dollars as decimals: for a million tokens (input, output, cache_read, …), a thousand requests or images, an hour\n" +
		"(hours). They are all there is: a class that is left out has no price. docs/prices.md lists the classes."
	c.Example = "sluice price set custom-lab/llama-4 input=0.2 output=0.6\nsluice price set 'openai/my-*' --as openai/gpt-5-mini --times 1.1"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&n.As, "as", "", "take the prices of another `model`: provider/model")
	f.StringVar(&n.Times, "times", "", "multiply the prices by a `factor`, such as 1.1 or 1/2")
	return c
}

func splitModel(text string) (provider, model string, err error) {
	provider, model, both := strings.Cut(text, "/")
	if !both || provider == "" || model == "" {
		return "", "", usage("%q is not provider/model, such as openai/gpt-5-mini", text)
	}
	return provider, model, nil
}

// usdArgs reads class=usd.
func usdArgs(given []string) (map[string]string, error) {
	if len(given) == 0 {
		return nil, nil
	}
	usd := map[string]string{}
	for _, text := range given {
		class, price, both := strings.Cut(text, "=")
		if !both || class == "" || price == "" {
			return nil, usage("%q is not a class and its price, such as input=0.25", text)
		}
		if _, twice := usd[class]; twice {
			return nil, usage("%s has two prices", class)
		}
		usd[class] = strings.TrimPrefix(price, "$")
	}
	return usd, nil
}

func (a *commands) priceUnsetCommand() *cobra.Command {
	c := a.command("unset <provider>/<model>", "Delete the account's own price of a model", func(cmd *cobra.Command, given []string) error {
		provider, model, err := splitModel(given[0])
		if err != nil {
			return err
		}
		api, err := a.client()
		if err != nil {
			return err
		}
		defer api.Close()
		p, err := api.DeleteModelPrice(cmd.Context(), provider, model)
		if err != nil {
			return err
		}
		return a.changedPrice(p, "is deleted; the list's holds, where it has one")
	})
	c.Args = args(1, 1)
	c.Example = "sluice price unset custom-lab/llama-4"
	return c
}

func (a *commands) changedPrice(p *client.ModelPrice, done string) error {
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: p.Raw})
	}
	a.say("the account's price of %s/%s %s", p.Provider, p.Model, done)
	return nil
}

// ownPrices lists what the account has set, of one provider where one is given.
func (a *commands) ownPrices(ctx context.Context, given []string) error {
	provider := ""
	if len(given) > 0 {
		provider = given[0]
	}
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	list, err := api.OwnPrices(ctx, provider)
	if err != nil {
		return err
	}
	if len(list) == 0 && contains([]string{"table", "wide"}, a.flags.output) {
		a.say("the account has set no prices; set one with: sluice price set openai/my-model input=0.2 output=0.6")
		return nil
	}
	t := &table{columns: []column{{title: "PROVIDER"}, {title: "MODEL", flex: 24}, {title: "USD", flex: 24}, {title: "TIMES", right: true}, {title: "SET"}}}
	rows := make([]json.RawMessage, 0, len(list))
	for i := range list {
		p := &list[i]
		rows = append(rows, p.Raw)
		usd := "as " + p.As
		if p.As == "" {
			var all []string
			for _, class := range slices.Sorted(maps.Keys(p.USD)) {
				all = append(all, class+"="+p.USD[class])
			}
			usd = strings.Join(all, " ")
		}
		t.rows = append(t.rows, []cell{{text: p.Provider}, {text: printable(p.Model, false)}, {text: printable(usd, false)}, {text: p.Times}, {text: p.AsOf}})
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
}
