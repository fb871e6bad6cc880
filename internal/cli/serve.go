package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluicehq/sluice/internal/admin"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/config"
)

// serveCommand runs the gateway. Every setting that is no secret is a flag.
func (a *commands) serveCommand() *cobra.Command {
	values := map[string]*string{}
	var noOpen bool
	c := a.command("serve", "Run the gateway", func(cmd *cobra.Command, _ []string) error {
		return a.serve(cmd.Context(), setFlags(cmd, values), noOpen)
	})
	c.Args = args(0, 0)
	c.Long = "Prints its addresses and a call that works at once, then a line for each request. Ctrl-C ends it: running\n" +
		"requests get their time, and everything that was answered is in the log. SIGHUP, or a changed configuration\n" +
		"file, makes it read its settings again."
	c.Example = "sluice serve\nsluice serve --listen 127.0.0.1:9000 --data-dir /var/lib/sluice\nSLUICE_ADMIN_TOKEN=$(openssl rand -hex 32) sluice serve --listen :8088"
	addSettingFlags(c.Flags(), values)
	c.Flags().BoolVar(&noOpen, "no-open", false, "do not open the dashboard in a browser when the data directory is new")
	return c
}

// addSettingFlags makes a flag of each setting.
func addSettingFlags(flags *pflag.FlagSet, values map[string]*string) {
	flags.SortFlags = false
	common := []string{"listen", "admin_listen", "data_dir", "log.level"}
	for _, f := range config.Fields() {
		if f.Flag == "" {
			continue
		}
		usage := f.Help
		if f.Enum != nil && !strings.Contains(usage, f.Enum[0]) {
			usage += ": " + strings.Join(f.Enum, ", ")
		}
		values[f.Path] = flags.String(f.Flag, f.Default, usage)
		flag := flags.Lookup(f.Flag)
		flag.Annotations = map[string][]string{annoEnv: {f.Env}, annoPath: {f.Path}, annoType: {string(f.Type)}}
		if slices.Contains(common, f.Path) {
			flag.Annotations[annoCommon] = []string{"true"}
		}
	}
}

// setFlags returns path and text of the settings that flags gave.
func setFlags(cmd *cobra.Command, values map[string]*string) map[string]string {
	set := map[string]string{}
	for path, value := range values {
		flag := strings.NewReplacer(".", "-", "_", "-").Replace(path)
		if cmd.Flags().Changed(flag) {
			set[path] = *value
		}
	}
	return set
}

func (a *commands) serve(ctx context.Context, flags map[string]string, noOpen bool) error {
	source := a.source()
	source.Flags = flags
	loaded, err := config.Load(source) // before anything is opened, and for the banner
	if err != nil {
		return err
	}
	o := app.Options{
		Source: source, Stdout: a.Stdout, Stderr: a.Stderr, Version: a.Version,
	}
	var opening sync.WaitGroup
	defer opening.Wait()
	o.Ready = func(at app.Addrs) {
		a.banner(&loaded.Config, at)
		if at.NewData && at.Pages && !noOpen {
			opening.Go(func() { a.browse(ctx, dashboard(at)) })
		}
	}
	if a.OutTerminal && !a.flags.quiet {
		o.OnEntry = a.accessLines()
	}
	return explainServe(app.Run(ctx, o))
}

// explainServe adds the remedy for what most often keeps a server from starting.
func explainServe(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &failure{code: exitFailed, err: err, hint: "another process listens there, perhaps another sluice (sluice status); or choose another: --listen 127.0.0.1:8089"}
	case errors.Is(err, fs.ErrPermission):
		return &failure{code: exitFailed, err: err, hint: "give the user that runs sluice the right to it, or set data_dir (SLUICE_DATA_DIR)"}
	}
	return err
}

// banner tells where the gateway can be reached, and how to try it.
func (a *commands) banner(c *config.Config, at app.Addrs) {
	if a.flags.quiet {
		return
	}
	state, file := "", "none"
	if at.NewData {
		state = " (new)"
	}
	if at.File != "" {
		file = at.File
	}
	data, control := schemeOf(at.TLS)+"://"+reachable(at.Listen)+at.BasePath, controlOf(at)
	var b strings.Builder
	fmt.Fprintf(&b, "sluice %s   data %s%s   config %s\n", a.Version, at.DataDir, state, file)
	if at.Pages {
		fmt.Fprintf(&b, "  Dashboard   %s%s\n", control, pagesPath)
	}
	account, gateway, found := at.Account, at.Gateway, at.Gateway != ""
	if found {
		gatewayURL := data + "/v1/" + account + "/" + gateway
		fmt.Fprintf(&b, "  OpenAI      %s/openai\n", gatewayURL)
		fmt.Fprintf(&b, "  Anthropic   %s/anthropic\n", gatewayURL)
		fmt.Fprintf(&b, "  Others      %s/{provider}        sluice endpoints lists them\n", gatewayURL)
	}
	sign := ""
	switch {
	case at.SignIn:
		sign = "        sign in: sluice auth login"
	case c.AdminToken.IsZero() && at.Claim.IsZero():
		sign = "        no sign-in: loopback only"
	}
	fmt.Fprintf(&b, "  Management  %s/client/v4%s\n", control, sign)
	if !at.Claim.IsZero() {
		fmt.Fprintf(&b, "Nobody has claimed this gateway yet, and it refuses every call until somebody has. Whoever opens this link first becomes\n"+
			"its admin; it serves once, for a day (sluice auth link makes another):\n  %s%s#%s\n", control, admin.ClaimPath, at.Claim.Reveal())
	}
	for _, w := range at.Warnings {
		fmt.Fprintf(&b, "%s %s\n", a.paint(a.OutTerminal, yellow, a.sign("⚠")), printable(w, false))
	}
	if name := a.foundKey(); name != "" && found {
		fmt.Fprintf(&b, "Found %s. It is used when you say so:  sluice chat -m %s --key-env %s \"Hello\"\n", name, usualKeys()[name], name)
	}
	if found && at.Claim.IsZero() {
		fmt.Fprintf(&b, "Try it, no key needed:\n  curl %s/v1/%s/%s/echo/chat/completions -H 'content-type: application/json' \\\n"+
			"    -d '{\"model\": \"echo-1\", \"messages\": [{\"role\": \"user\", \"content\": \"Hello, Sluice\"}]}'\n", data, account, gateway)
	}
	b.WriteString(a.sign("Waiting for the first request …\n"))
	_ = a.write(b.String()) // the terminal is gone: the server runs on
}

// controlOf is the address of management API and dashboard.
func controlOf(at app.Addrs) string {
	listen := at.Listen
	if at.Admin != "" {
		listen = at.Admin
	}
	return schemeOf(at.TLS) + "://" + reachable(listen) + at.BasePath
}

// dashboard is the address that lets somebody into the dashboard: the claim link while there is one.
func dashboard(at app.Addrs) string {
	if !at.Claim.IsZero() {
		return controlOf(at) + admin.ClaimPath + "#" + at.Claim.Reveal()
	}
	return controlOf(at) + pagesPath
}

// usualKeys maps the usual names of provider keys in the environment to a model to try them with.
func usualKeys() map[string]string {
	return map[string]string{
		"OPENAI_API_KEY": "openai/gpt-5-mini", "ANTHROPIC_API_KEY": "anthropic/claude-sonnet-4-5", "GROQ_API_KEY": "groq/llama-3.3-70b-versatile",
		"MISTRAL_API_KEY": "mistral/mistral-small-latest", "DEEPSEEK_API_KEY": "deepseek/deepseek-chat", "OPENROUTER_API_KEY": "openrouter/auto",
	}
}

// foundKey returns the name of a provider key in the environment, "" when there is none. Its value is
// not looked at.
func (a *commands) foundKey() string {
	for _, name := range slices.Sorted(maps.Keys(usualKeys())) {
		if a.getenv(name) != "" {
			return name
		}
	}
	return ""
}
