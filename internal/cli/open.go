package cli

import (
	"context"
	"errors"
	"net/url"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// pagesPath is where the dashboard lies, below the server's address.
const pagesPath = "/ui/"

// dashboardPages are the pages that open knows by name, each with its path below pagesPath. {gateway} is the gateway's.
func dashboardPages() map[string]string {
	pages := map[string]string{"gateways": "", "home": "{gateway}", "instance": "instance", "signin": "signin"}
	for _, name := range []string{"logs", "analytics", "playground", "providers", "keys", "budgets", "settings"} {
		pages[name] = "{gateway}/" + name
	}
	return pages
}

// openCommand opens the dashboard in a browser.
func (a *commands) openCommand() *cobra.Command {
	pages := dashboardPages()
	var names []string
	for name := range pages {
		names = append(names, name)
	}
	slices.Sort(names)
	var only bool
	c := a.command("open [page]", "Open the dashboard; where there is no browser, print its address", func(cmd *cobra.Command, given []string) error {
		page := "gateways"
		if len(given) > 0 {
			page = given[0]
		}
		path, ok := pages[page]
		if !ok {
			return usage("there is no page %q: %s", page, strings.Join(names, ", "))
		}
		address, _, err := a.address()
		if err != nil {
			return err
		}
		target := strings.TrimSuffix(address, "/") + pagesPath + strings.Replace(path, "{gateway}", a.gatewayPage(), 1)
		if !only && a.browse(cmd.Context(), target) {
			a.say("Opened %s\n", target)
			return nil
		}
		return a.write(target + "\n")
	})
	c.Args = args(0, 1)
	c.ValidArgs = names
	c.Long = "Pages: " + strings.Join(names, ", ") + ". -g names the gateway that a page is of."
	c.Example = "sluice open\nsluice open logs -g prod\nsluice open analytics --print"
	c.Flags().BoolVar(&only, "print", false, "only print the address")
	return c
}

// gatewayPage is the path of the gateway that the flags name.
func (a *commands) gatewayPage() string {
	path := "g/" + url.PathEscape(a.flags.gateway)
	if a.flags.account != "default" {
		path = "a/" + url.PathEscape(a.flags.account) + "/" + path
	}
	return path
}

// browserPatience bounds how long the program that starts a browser may take.
const browserPatience = 5 * time.Second

// browse opens an address in a browser, if somebody sits in front of one: at a terminal, not in a far session, with
// a screen. It reports whether it did.
func (a *commands) browse(ctx context.Context, address string) bool {
	if !a.OutTerminal || !a.InTerminal || a.getenv("SSH_CONNECTION") != "" || a.getenv("CI") != "" {
		return false
	}
	program := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		program = "open"
	case a.getenv("DISPLAY") == "" && a.getenv("WAYLAND_DISPLAY") == "":
		return false
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return false
	}
	ctx, stop := context.WithTimeout(ctx, browserPatience)
	defer stop()
	err = exec.CommandContext(ctx, path, address).Run()
	return err == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) // it is the browser itself, and runs on
}
