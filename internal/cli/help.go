package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/internal/config"
)

// Annotations of flags.
const (
	annoEnv    = "env"    // name in the environment
	annoPath   = "path"   // path in the configuration
	annoType   = "type"   // what its text is
	annoCommon = "common" // shown by -h too
)

// help prints a command's help: -h what fits one screen, --help all, --help --json all for programs.
func (a *commands) help(cmd *cobra.Command, _ []string) {
	if slices.Contains(a.Args, "--json") {
		a.helpJSON(cmd)
		return
	}
	full := slices.Contains(a.Args, "--help") || len(a.Args) > 0 && a.Args[0] == "help"
	var b strings.Builder
	b.WriteString(cmd.Short + ".\n")
	if cmd.Long != "" {
		b.WriteString("\n" + strings.TrimSpace(cmd.Long) + "\n")
	}
	b.WriteString("\nUsage:\n  " + cmd.UseLine() + "\n")
	if cmd.HasAvailableSubCommands() {
		b.WriteString("  " + cmd.CommandPath() + " <command>\n")
	}
	if cmd.Example != "" {
		b.WriteString("\nExamples:\n" + indent(cmd.Example) + "\n")
	}
	helpCommands(&b, cmd)
	helpFlags(&b, cmd, full)
	helpSeeAlso(&b, cmd, full)
	_ = a.write(b.String()) // nobody is left to tell
}

func indent(text string) string { return "  " + strings.ReplaceAll(text, "\n", "\n  ") }

func helpCommands(b *strings.Builder, cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	b.WriteString("\nCommands:\n")
	width := 0
	for _, c := range cmd.Commands() {
		width = max(width, len(c.Name()))
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(b, "  %-*s  %s\n", width, c.Name(), c.Short)
		}
	}
}

// allFlags lists a command's flags, its own first.
func allFlags(cmd *cobra.Command) []*pflag.Flag {
	var list []*pflag.Flag
	add := func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			list = append(list, f)
		}
	}
	for _, f := range ownFlags(cmd) {
		add(f)
	}
	cmd.Root().PersistentFlags().VisitAll(add)
	return list
}

// ownFlags lists the flags that only this command has, in the order in which they were made.
func ownFlags(cmd *cobra.Command) []*pflag.Flag {
	global := cmd.Root().PersistentFlags()
	var list []*pflag.Flag
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if global.Lookup(f.Name) != f && !f.Hidden && f.Name != "help" {
			list = append(list, f)
		}
	})
	return list
}

func helpFlags(b *strings.Builder, cmd *cobra.Command, full bool) {
	global := cmd.Root().PersistentFlags()
	var shown []*pflag.Flag
	width := 0
	for _, f := range allFlags(cmd) {
		isGlobal := global.Lookup(f.Name) == f
		if isGlobal && !full && (cmd.HasParent() || !contains([]string{"url", "gateway", "output"}, f.Name)) {
			continue // the first screen has room for those that most need
		}
		if !full && f.Annotations[annoPath] != nil && f.Annotations[annoCommon] == nil {
			continue
		}
		shown = append(shown, f)
		width = max(width, len(flagName(f)))
	}
	if len(shown) > 0 {
		b.WriteString("\nFlags:\n")
	}
	for _, f := range shown {
		fmt.Fprintf(b, "  %-*s  %s\n", width, flagName(f), flagUsage(f, full))
	}
}

func flagName(f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	if t := f.Annotations[annoType]; t != nil {
		name = t[0]
	}
	s := "    --" + f.Name
	if f.Shorthand != "" {
		s = "-" + f.Shorthand + ", --" + f.Name
	}
	if name != "" && f.Value.Type() != "bool" && f.Value.Type() != "count" {
		s += " " + name
	}
	return s
}

func flagUsage(f *pflag.Flag, full bool) string {
	_, text := pflag.UnquoteUsage(f)
	var more []string
	if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "[]" {
		more = append(more, "default: "+d)
	}
	if full {
		more = append(more, f.Annotations[annoEnv]...)
		more = append(more, f.Annotations[annoPath]...)
	}
	if len(more) > 0 {
		text += " [" + strings.Join(more, "; ") + "]"
	}
	return text
}

func helpSeeAlso(b *strings.Builder, cmd *cobra.Command, full bool) {
	b.WriteString("\n")
	if !full {
		fmt.Fprintf(b, "All flags: %s --help. ", cmd.CommandPath())
	}
	b.WriteString("More: sluice help topics\n")
}

// described is a command as --help --json shows it.
type described struct {
	Command   string          `json:"command"`
	Short     string          `json:"short"`
	Long      string          `json:"long,omitempty"`
	Usage     string          `json:"usage"`
	Examples  []string        `json:"examples"`
	Flags     []describedFlag `json:"flags"`
	Commands  []described     `json:"commands"`
	ExitCodes []exitCode      `json:"exit_codes,omitempty"`
}

type describedFlag struct {
	Name    string `json:"name"`
	Short   string `json:"short,omitempty"`
	Type    string `json:"type"`
	Default string `json:"default"`
	Usage   string `json:"usage"`
	Env     string `json:"env,omitempty"`
	Path    string `json:"config,omitempty"`
}

func describe(cmd *cobra.Command) described {
	d := described{
		Command: cmd.CommandPath(), Short: cmd.Short, Long: cmd.Long, Usage: cmd.UseLine(),
		Examples: []string{}, Flags: []describedFlag{}, Commands: []described{},
	}
	if cmd.Example != "" {
		d.Examples = strings.Split(cmd.Example, "\n")
	}
	flags := ownFlags(cmd)
	if !cmd.HasParent() {
		flags = allFlags(cmd)
	}
	for _, f := range flags {
		_, usage := pflag.UnquoteUsage(f)
		d.Flags = append(d.Flags, describedFlag{
			Name: f.Name, Short: f.Shorthand, Type: f.Value.Type(), Default: f.DefValue, Usage: usage,
			Env: strings.Join(f.Annotations[annoEnv], ""), Path: strings.Join(f.Annotations[annoPath], ""),
		})
	}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			d.Commands = append(d.Commands, describe(c))
		}
	}
	return d
}

func (a *commands) helpJSON(cmd *cobra.Command) {
	d := describe(cmd)
	d.ExitCodes = exitCodes()
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return // texts of ours always marshal
	}
	_ = a.write(string(text) + "\n") // nobody is left to tell
}

// helpCommand is "sluice help": of a command, or a topic.
func (a *commands) helpCommand() *cobra.Command {
	c := a.command("help [command or topic]", "Explain a command or a topic (sluice help topics)", nil)
	c.RunE = func(cmd *cobra.Command, given []string) error {
		root := cmd.Root()
		if len(given) == 0 {
			return root.Help()
		}
		if t, found := a.topic(given[0]); found && len(given) == 1 {
			return a.write(t)
		}
		target, rest, err := root.Find(given)
		if err != nil || len(rest) > 0 || target == root {
			names := make([]string, 0, 20)
			for _, t := range topics() {
				names = append(names, t.name)
			}
			for _, c := range root.Commands() {
				names = append(names, c.Name())
			}
			msg := fmt.Sprintf("there is no command or topic %q", strings.Join(given, " "))
			if near := config.Nearest(given[0], names); near != "" {
				msg += "; did you mean " + near + "?"
			}
			return &failure{code: exitUsage, what: msg, hint: "sluice help topics"}
		}
		return target.Help()
	}
	return c
}
