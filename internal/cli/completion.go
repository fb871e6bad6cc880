package cli

import (
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
