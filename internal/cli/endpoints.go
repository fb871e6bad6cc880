package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/provider"
)

// snippet shows how one SDK is pointed at a gateway.
type snippet struct {
	name, provider string
	text           string // {url} is the address; the rest is code
}

func snippets() []snippet {
	return []snippet{
		{"curl", "openai", `curl {url}/chat/completions -H "authorization: Bearer $OPENAI_API_KEY" -H 'content-type: application/json' \
  -d '{"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello"}]}'`},
		{"env", "openai", `export OPENAI_BASE_URL={url}`},
		{"openai-python", "openai", `from openai import OpenAI

client = OpenAI(base_url="{url}")`},
		{"openai-js", "openai", `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "{url}" });`},
		{"openai-go", "openai", `client := openai.NewClient(option.WithBaseURL("{url}"))`},
		{"anthropic-python", "anthropic", `from anthropic import Anthropic

client = Anthropic(base_url="{url}")`},
		{"anthropic-js", "anthropic", `import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "{url}" });`},
		{"claude-code", "anthropic", `export ANTHROPIC_BASE_URL={url}`},
		{"ai-sdk", "openai", `import { createOpenAI } from "@ai-sdk/openai";

const openai = createOpenAI({ baseURL: "{url}" });`},
		{"replicate-js", "replicate", `import Replicate from "replicate";

const replicate = new Replicate({ baseUrl: "{url}" });`},
	}
}

// endpoint is one address as programs see it.
type endpoint struct {
	Provider string   `json:"provider"`
	Name     string   `json:"name"`
	URL      string   `json:"url"`
	Instead  string   `json:"instead_of"`
	Aliases  []string `json:"aliases"`
}

func (a *commands) endpointsCommand() *cobra.Command {
	var sdk, only string
	c := a.command("endpoints [gateway]", "Print the address of each provider at a gateway (local)", func(_ *cobra.Command, given []string) error {
		gateway := a.flags.gateway
		if len(given) > 0 {
			gateway = given[0]
		}
		c, err := a.dataClient()
		if err != nil {
			return err
		}
		if sdk != "" {
			return a.snippet(c, gateway, sdk)
		}
		return a.endpoints(c, gateway, only)
	})
	c.Args = args(0, 1)
	c.Example = "sluice endpoints\nsluice endpoints --sdk openai-python\nsluice endpoints prod --provider anthropic --json"
	var names []string
	for _, s := range snippets() {
		names = append(names, s.name)
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&sdk, "sdk", "", "code for `name`: "+strings.Join(names, ", "))
	c.Flags().StringVar(&only, "provider", "", "only this `slug`")
	return c
}

// dataClient is a client for the data plane, which may listen elsewhere than the management API.
func (a *commands) dataClient() (*client.Client, error) {
	if a.flags.url == "" && a.getenv("SLUICE_URL") == "" {
		if l, err := config.Load(a.source()); err == nil && l.Config.AdminListen != "" {
			l.Config.AdminListen = ""
			return client.New(client.Options{
				URL: localURL(&l.Config), Account: a.flags.account, Gateway: a.flags.gateway, Agent: "sluice/" + a.Version,
			})
		}
	}
	return a.client()
}

func (a *commands) snippet(c *client.Client, gateway, sdk string) error {
	var names []string
	for _, s := range snippets() {
		names = append(names, s.name)
		if s.name != sdk {
			continue
		}
		code := strings.ReplaceAll(s.text, "{url}", c.Endpoint(gateway, s.provider))
		raw, err := json.Marshal(struct {
			SDK  string `json:"sdk"`
			URL  string `json:"url"`
			Code string `json:"code"`
		}{sdk, c.Endpoint(gateway, s.provider), code})
		if err != nil {
			return err
		}
		if contains([]string{"table", "wide"}, a.flags.output) {
			return a.write(code + "\n")
		}
		return a.show(view{raw: raw})
	}
	msg := fmt.Sprintf("--sdk: nothing is known of %q", sdk)
	if near := config.Nearest(sdk, names); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return &failure{code: exitUsage, what: msg, hint: "one of: " + strings.Join(names, ", ")}
}

func (a *commands) endpoints(c *client.Client, gateway, only string) error {
	providers := map[string]config.Provider{}
	if l, err := config.Load(a.source()); err == nil {
		providers = l.Config.Providers
	}
	known, err := provider.NewTable(providers)
	if err != nil {
		return err
	}
	list := known.All()
	if only != "" {
		p, found := known.Find(only)
		if !found {
			return &failure{code: exitNotFound, what: fmt.Sprintf("there is no provider %q", only), hint: "sluice endpoints lists them; an engine of your own: providers in sluice.yaml"}
		}
		list = []*provider.Provider{p}
	}
	var rows []json.RawMessage
	t := &table{columns: []column{{title: "PROVIDER"}, {title: "URL"}, {title: "INSTEAD OF", flex: 12}}}
	for _, p := range list {
		base := p.Base
		if p.Serve != nil {
			base = ""
		}
		e := endpoint{p.Slug, p.Name, c.Endpoint(gateway, p.Slug), base, append([]string{}, p.Aliases...)}
		row, err := json.Marshal(e)
		if err != nil {
			return err
		}
		rows = append(rows, row)
		t.rows = append(t.rows, []cell{{text: e.Provider}, {text: e.URL}, {text: e.Instead}})
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
}
