package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// completionCommand writes a shell's completion script.
func (a *commands) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	c := a.command("completion <shell>", "Write the completion script of bash, zsh, fish or powershell (local)", func(cmd *cobra.Command, given []string) error {
		root := cmd.Root()
		switch given[0] {
		case "bash":
			return root.GenBashCompletionV2(a.Stdout, true)
		case "zsh":
			return root.GenZshCompletion(a.Stdout)
		case "fish":
			return root.GenFishCompletion(a.Stdout, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(a.Stdout)
		}
		return usage("there are completions for bash, zsh, fish and powershell, not for %q", given[0])
	})
	c.ValidArgs = shells
	c.Args = args(1, 1)
	c.Example = "source <(sluice completion bash)\nsluice completion zsh > ~/.zfunc/_sluice\nsluice completion fish > ~/.config/fish/completions/sluice.fish"
	return c
}

// completeFlags makes completions know the values of flags that have a fixed set of them, and the
// server's gateways.
func (a *commands) completeFlags(root *cobra.Command) {
	sets := map[string][]string{
		"output": {"table", "wide", "csv", "json", "jsonl", "yaml"},
		"color":  {"auto", "always", "never"},
		"group":  {"provider", "model", "key", "status", "outcome", "cache", "error_type", "gateway"},
		"order":  {"created_at", "duration", "cost", "tokens_in", "tokens_out", "provider", "model"},
	}
	for _, s := range snippets() {
		sets["sdk"] = append(sets["sdk"], s.name)
	}
	var errs []error
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for name, values := range sets {
			if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
				errs = append(errs, c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	errs = append(errs, root.RegisterFlagCompletionFunc("gateway", a.completeGateway))
	if err := errors.Join(errs...); err != nil {
		panic("cli: " + err.Error()) // a flag named twice or not at all: ours
	}
}

// completeGateway asks the server, and is silent when it does not answer at once.
func (a *commands) completeGateway(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	const patience = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(cmd.Context(), patience)
	defer cancel()
	c, err := a.client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	s, err := c.Status(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, g := range s.Gateways {
		names = append(names, g.ID)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
