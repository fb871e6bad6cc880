package cli

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
)

// globalFlags are the flags of all commands.
type globalFlags struct {
	config           string
	url              string
	profile          string
	account, gateway string
	output           string
	json, jsonl      bool
	fields           []string
	noHeader         bool
	color            string
	zone             string
	quiet            bool
	verbose          int
}

// root builds the tree of commands.
func (a *commands) root() *cobra.Command {
	root := a.command("sluice", "An AI gateway: every call to a model passes through unchanged, and you find it in the log", nil)
	root.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	root.Args = func(cmd *cobra.Command, given []string) error {
		if len(given) == 0 {
			return nil
		}
		return unknownCommand(cmd, given[0])
	}
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetIn(a.Stdin)
	root.SetHelpFunc(a.help)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return a.flagError(cmd, err) })
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(a.helpCommand())
	a.globalFlags(root)
	root.AddCommand(
		a.serveCommand(), a.demoCommand(), a.openCommand(), a.statusCommand(), a.doctorCommand(), a.endpointsCommand(), a.chatCommand(),
		a.gatewayCommand(), a.authCommand(), a.memberCommand(), a.auditCommand(), a.providerCommand(), a.routeCommand(), a.apiCommand(), a.importCommand(), a.keysCommand(), a.logsCommand(), a.statsCommand(), a.cacheCommand(), a.budgetCommand(), a.priceCommand(), a.configCommand(), a.completionCommand(), a.versionCommand(), a.docsCommand(),
		a.jobCommand(), a.backupCommand(), a.restoreCommand(), a.dbCommand(),
	)
	a.completeFlags(root)
	root.Example = "sluice serve\nsluice chat \"Hello, Sluice\"\nsluice logs tail 'status:error'"
	return root
}

func (a *commands) globalFlags(root *cobra.Command) {
	f, v := root.PersistentFlags(), &a.flags
	f.SortFlags = false
	f.StringVar(&v.config, "config", "", "configuration `file` (SLUICE_CONFIG); without it ./sluice.yaml, then the user's, then /etc/sluice/sluice.yaml")
	f.StringVar(&v.url, "url", "", "`address` of the server (SLUICE_URL); without it where the configuration says that it listens")
	f.StringVar(&v.profile, "profile", "", "`name` under which sluice auth login has kept a server (SLUICE_PROFILE)")
	f.StringVar(&v.account, "account", "default", "account `id`")
	f.StringVarP(&v.gateway, "gateway", "g", "default", "gateway `id`")
	f.StringVarP(&v.output, "output", "o", "table", "`form`: table, wide, csv, json, jsonl or yaml")
	f.BoolVar(&v.json, "json", false, "one JSON document; the same as -o json")
	f.BoolVar(&v.jsonl, "jsonl", false, "one JSON document per line; the same as -o jsonl")
	f.StringSliceVar(&v.fields, "fields", nil, "`names` of the fields to show, with commas between")
	f.BoolVar(&v.noHeader, "no-header", false, "no line with the columns' names")
	f.StringVar(&v.color, "color", "auto", "`when`: auto, always or never (NO_COLOR, CLICOLOR_FORCE)")
	f.StringVar(&v.zone, "tz", "", "time `zone`: local, utc or a name such as Europe/Paris; without it local on a terminal, else utc")
	f.BoolVarP(&v.quiet, "quiet", "q", false, "say nothing but data and errors")
	f.CountVarP(&v.verbose, "verbose", "v", "say more; -vv: calls to the server, without secrets")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.checkFlags() }
}

// checkFlags checks what flags say before a command begins.
func (a *commands) checkFlags() error {
	v := &a.flags
	switch {
	case v.json:
		v.output = "json"
	case v.jsonl:
		v.output = "jsonl"
	}
	for _, check := range []struct {
		flag, value string
		allowed     []string
	}{
		{"--output", v.output, []string{"table", "wide", "csv", "json", "jsonl", "yaml"}},
		{"--color", v.color, []string{"auto", "always", "never"}},
	} {
		if !contains(check.allowed, check.value) {
			return usage("%s is not %q: it is one of %s", check.flag, check.value, strings.Join(check.allowed, ", "))
		}
	}
	if _, err := a.location(); err != nil {
		return err
	}
	return nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// location returns the time zone that times are shown in.
func (a *commands) location() (*time.Location, error) {
	switch strings.ToLower(a.flags.zone) {
	case "":
		if a.OutTerminal {
			return time.Local, nil
		}
		return time.UTC, nil
	case "local":
		return time.Local, nil
	case "utc":
		return time.UTC, nil
	}
	l, err := time.LoadLocation(a.flags.zone)
	if err != nil {
		return nil, usage("--tz: there is no zone %q; it is local, utc or a name such as Europe/Paris", a.flags.zone)
	}
	return l, nil
}

// unknownCommand tells what was probably meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	msg := fmt.Sprintf("there is no command %q", name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		msg += "; did you mean " + cmd.CommandPath() + " " + near[0] + "?"
	}
	return &failure{code: exitUsage, what: msg, hint: cmd.CommandPath() + " --help"}
}

// flagError tells what was probably meant.
func (a *commands) flagError(cmd *cobra.Command, err error) error {
	msg := err.Error()
	if name, found := strings.CutPrefix(msg, "unknown flag: --"); found {
		var names []string
		for _, f := range allFlags(cmd) {
			names = append(names, f.Name)
		}
		if near := config.Nearest(name, names); near != "" {
			msg += "; did you mean --" + near + "?"
		}
	}
	return &failure{code: exitUsage, what: msg, hint: cmd.CommandPath() + " --help", err: err}
}

// source is where this process's configuration comes from, flags of serve aside.
func (a *commands) source() config.Source {
	return config.Source{File: a.flags.config, Env: a.Environ}
}

// client makes the client for the server that flags, environment, profile or configuration name.
func (a *commands) client() (*client.Client, error) {
	address, token, err := a.server()
	if err != nil {
		return nil, err
	}
	return a.clientFor(address, token)
}

// clientFor makes a client for a server.
func (a *commands) clientFor(address string, token sluice.Secret) (*client.Client, error) {
	o := client.Options{
		URL: address, Token: token, Account: a.flags.account, Gateway: a.flags.gateway, Agent: "sluice/" + a.Version,
	}
	if a.flags.verbose >= 2 {
		o.Trace = func(method, url string, status int, err error) {
			what := strconv.Itoa(status)
			if err != nil {
				what = err.Error()
			}
			fmt.Fprintln(a.Stderr, a.sign(printable(method+" "+url+" → "+what, false)))
		}
	}
	c, err := client.New(o)
	if err != nil {
		return nil, &failure{code: exitUsage, err: err, hint: "for example --url " + client.DefaultURL}
	}
	return c, nil
}

// server finds the server's address and its token: as it was said, else as a profile has them, else as the
// configuration of a server on this machine says. A token goes to no other address than the one that it is of.
func (a *commands) server() (address string, token sluice.Secret, err error) {
	address, loaded, err := a.address()
	if err != nil {
		return "", token, err
	}
	if token = sluice.NewSecret(a.getenv("SLUICE_TOKEN")); !token.IsZero() {
		return address, token, nil
	}
	p, found, err := a.signedIn(address)
	switch {
	case err != nil:
		return "", token, err
	case found:
		return address, sluice.NewSecret(p.Token), nil
	case loaded == nil:
		return address, token, nil
	case loaded.Config.AdminToken.IsZero():
		return address, dataDirToken(loaded.Config.DataDir), nil
	}
	return address, loaded.Config.AdminToken, nil
}

// address finds the server's address: as it was said, else that of a profile, else of a server on this machine,
// whose configuration comes along then. Who says which configuration means that server, and not the profile of
// those who say nothing.
func (a *commands) address() (address string, loaded *config.Loaded, err error) {
	if address = a.flags.url; address == "" {
		address = a.getenv("SLUICE_URL")
	}
	if address != "" {
		return address, nil, nil
	}
	if _, said := a.profileName(); said || a.flags.config == "" && a.getenv("SLUICE_CONFIG") == "" {
		p, found, err := a.signedIn("")
		if found || err != nil {
			return p.URL, nil, err
		}
	}
	loaded, err = config.Load(a.source())
	if err != nil {
		return client.DefaultURL, nil, nil //nolint:nilerr // "sluice config validate" and "sluice doctor" say what is wrong
	}
	return localURL(&loaded.Config), loaded, nil
}

// dataDirToken is what a server on this machine lets in who can read its data directory by; the zero Secret for
// others.
func dataDirToken(dir string) sluice.Secret {
	text, err := os.ReadFile(filepath.Join(dir, app.DataDirToken))
	if err != nil {
		return sluice.Secret{}
	}
	return sluice.NewSecret(strings.TrimSpace(string(text)))
}

// gatewayToken is the field that lets a call through a gateway with authentication on: the token in
// SLUICE_GATEWAY_TOKEN, else the one that signs in here, if that is a gateway token.
func (a *commands) gatewayToken() http.Header {
	token := a.getenv("SLUICE_GATEWAY_TOKEN")
	if token == "" && strings.HasPrefix(a.getenv("SLUICE_TOKEN"), auth.Prefix) {
		token = a.getenv("SLUICE_TOKEN")
	}
	h := http.Header{}
	if token != "" {
		h.Set("cf-aig-authorization", "Bearer "+token)
	}
	return h
}

// localURL is the address of the management API of a server on this machine with configuration c.
func localURL(c *config.Config) string {
	listen := c.Listen
	if c.AdminListen != "" {
		listen = c.AdminListen
	}
	return schemeOf(c.TLS.Cert != "") + "://" + reachable(listen) + c.BasePath
}

func schemeOf(tls bool) string {
	if tls {
		return "https"
	}
	return "http"
}

// reachable replaces the address that means all addresses by one that can be called.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
