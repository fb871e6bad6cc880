package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/provider"
)

// page is a generated page of docs/.
type page struct {
	file  string
	write func(io.Writer) error
}

func (a *commands) pages(root *cobra.Command) []page {
	return []page{
		{"configuration.md", config.Markdown},
		{"sluice.yaml", func(w io.Writer) error { _, err := io.WriteString(w, config.Sample()); return err }},
		{"providers.md", provider.Markdown},
		{"fidelity.md", provider.FidelityMarkdown},
		{"cli.md", func(w io.Writer) error { _, err := io.WriteString(w, commandsPage(root)); return err }},
	}
}

// docsCommand writes the generated pages; "make docs" runs it.
func (a *commands) docsCommand() *cobra.Command {
	var dir string
	var document bool
	c := a.command("docs", "Write the generated pages of docs/", func(cmd *cobra.Command, _ []string) error {
		if document {
			_, err := a.Stdout.Write(admin.Document("dev"))
			return err
		}
		for _, p := range a.pages(cmd.Root()) {
			var b bytes.Buffer
			if err := p.write(&b); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, p.file), b.Bytes(), 0o644); err != nil { // documentation is for everybody
				return err
			}
			a.say("wrote %s", filepath.Join(dir, p.file))
		}
		return nil
	})
	c.Hidden = true
	c.Args = args(0, 0)
	c.Flags().StringVar(&dir, "dir", "docs", "directory")
	c.Flags().BoolVar(&document, "openapi", false, "write the management API's OpenAPI document to stdout instead")
	return c
}

// commandsPage is docs/cli.md, from the tree of commands.
func commandsPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\n<!-- Generated from internal/cli by \"make docs\"; changes belong there. -->\n\n")
	b.WriteString("One program is server and client. A command marked *local* looks at this machine; the others call a running server:\n" +
		"`--url`, else `SLUICE_URL`, else where the configuration on this machine says that it listens. `SLUICE_TOKEN` is the\n" +
		"server's admin token, or a gateway token that may read or edit; on the server's own machine its configuration is read for it.\n" +
		"`SLUICE_GATEWAY_TOKEN` is the gateway token of the commands that call a model, where a gateway asks for one.\n\n" +
		"Data goes to stdout, remarks go to stderr. `-o` chooses the form: `table`, `wide`, `csv`, `json` (one document), `jsonl` (a\n" +
		"document per line) or `yaml`; JSON has the API's shapes. On a terminal times are local and numbers grouped; in a pipe every\n" +
		"value is one word and times are RFC 3339 in UTC. Nothing prompts.\n")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.HasParent() {
			commandPage(&b, c)
		}
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" {
				walk(sub)
			}
		}
	}
	walk(root)
	b.WriteString("\n## Flags of all commands\n\n")
	flagTable(&b, allFlags(root))
	b.WriteString("\n## Exit codes\n\n| code | meaning |\n|---|---|\n")
	for _, c := range exitCodes() {
		fmt.Fprintf(&b, "| %d | %s |\n", c.Code, c.Meaning)
	}
	return b.String()
}

func commandPage(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", strings.TrimPrefix(c.CommandPath(), "sluice "), c.Short)
	if c.Long != "" {
		b.WriteString(c.Long + "\n")
	}
	fmt.Fprintf(b, "\n```\n%s\n```\n", c.UseLine())
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", c.Example)
	}
	if c.Name() == "serve" {
		b.WriteString("\nEvery setting of [configuration.md](configuration.md) that is no secret is a flag: `log.level` is `--log-level`.\n")
		return
	}
	if own := ownFlags(c); len(own) > 0 {
		b.WriteString("\n")
		flagTable(b, own)
	}
}

func flagTable(b *strings.Builder, flags []*pflag.Flag) {
	b.WriteString("| flag | what it does |\n|---|---|\n")
	for _, f := range flags {
		fmt.Fprintf(b, "| `%s` | %s |\n", strings.TrimSpace(flagName(f)), strings.ReplaceAll(flagUsage(f, true), "|", `\|`))
	}
}
