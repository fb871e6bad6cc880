// Package cli is the commands: serve runs the gateway, the others call a running one through the
// public API, or look at what is on this machine (config, doctor). docs/cli.md is generated from it.
//
// What is data goes to stdout, and nothing else does; what is said about it goes to stderr. Nothing
// here prompts, but for what must not be seen, on a terminal.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
)

// Env is what a command has of the world.
type Env struct {
	Args    []string // without the program's name
	Environ []string // as os.Environ gives it
	Version string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	// Whether each is a terminal.
	InTerminal, OutTerminal, ErrTerminal bool
	Width                                int // columns of the terminal; 0: not known
}

// getenv returns the value of name, "" when it is not set.
func (e *Env) getenv(name string) string {
	for _, entry := range slices.Backward(e.Environ) {
		if k, v, _ := strings.Cut(entry, "="); k == name {
			return v
		}
	}
	return ""
}

// The exit codes. exitCodes explains them.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitConfig      = 3
	exitUnreachable = 4
	exitDenied      = 5
	exitNotFound    = 6
	exitConflict    = 7
	exitPartial     = 8
	exitProblems    = 9
	exitLimit       = 10
	exitInterrupted = 130
)

// exitCode is one line of the table of exit codes.
type exitCode struct {
	Code    int    `json:"code"`
	Meaning string `json:"meaning"`
}

func exitCodes() []exitCode {
	return []exitCode{
		{exitOK, "done; also tail and serve ended by Ctrl-C"},
		{exitFailed, "failed"},
		{exitUsage, "wrong usage"},
		{exitConfig, "configuration invalid"},
		{exitUnreachable, "server not reachable"},
		{exitDenied, "not signed in or not allowed"},
		{exitNotFound, "not found"},
		{exitConflict, "conflict or precondition: already exists, version changed"},
		{exitPartial, "done in part"},
		{exitProblems, "doctor found at least one problem (with --strict: or a warning)"},
		{exitLimit, "limit or budget reached"},
		{exitInterrupted, "interrupted"},
	}
}

// failure is an error with what a person needs besides.
type failure struct {
	code int
	what string // what failed, and why
	hint string // how to put it right: a sentence or a command; "" none
	err  error
}

func (f *failure) Error() string {
	if f.what == "" {
		return f.err.Error()
	}
	return f.what
}

func (f *failure) Unwrap() error { return f.err }

// usage is a failure of how the command was called.
func usage(format string, args ...any) error {
	return &failure{code: exitUsage, what: fmt.Sprintf(format, args...)}
}

// errReported ends a command that has said all there is to say.
type errReported struct{ code int }

func (e errReported) Error() string { return fmt.Sprintf("exit %d", e.code) }

// Run runs one command and returns its exit code.
func Run(ctx context.Context, env Env) int {
	a := &commands{Env: env}
	root := a.root()
	root.SetArgs(env.Args)
	if env.Args == nil {
		root.SetArgs([]string{})
	}
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !a.started && ctx.Err() == nil && !isTyped(err) {
		err = &failure{code: exitUsage, what: oneLine(err.Error()), hint: command.CommandPath() + " --help", err: err}
	}
	return a.report(ctx, err)
}

func isTyped(err error) bool {
	_, isFailure := errors.AsType[*failure](err)
	_, isReported := errors.AsType[errReported](err)
	return isFailure || isReported
}

// oneLine makes a sentence of cobra's messages, which hold lists.
func oneLine(text string) string {
	text = strings.ReplaceAll(text, "\n\nDid you mean this?\n\t", "; did you mean ")
	text = strings.TrimSpace(text)
	if strings.Contains(text, "; did you mean ") {
		text = strings.Join(strings.Fields(text), " ") + "?"
	}
	return text
}

// commands is one run of a command.
type commands struct {
	Env
	flags   globalFlags
	started bool // the command's own code has begun, so its arguments were right
}

// report prints an error and returns its exit code.
func (a *commands) report(ctx context.Context, err error) int {
	if r, ok := errors.AsType[errReported](err); ok {
		return r.code
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	f := explain(err)
	// What a server or a file said is not to be trusted on a terminal.
	fmt.Fprintf(a.Stderr, "%s %s\n", a.paint(a.ErrTerminal, red, "error:"), printable(f.Error(), true))
	if f.hint != "" {
		fmt.Fprintf(a.Stderr, "  fix: %s\n", printable(f.hint, false))
	}
	if e, ok := errors.AsType[*client.APIError](err); ok && e.Request != "" {
		fmt.Fprintf(a.Stderr, "  request: %s\n", printable(e.Request, false))
	}
	return f.code
}

// explain finds exit code and remedy for an error.
func explain(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*config.Errors](err); ok {
		lines := []string{"the configuration is not valid"}
		for _, p := range e.List {
			lines = append(lines, "  "+p.String())
		}
		return &failure{code: exitConfig, what: strings.Join(lines, "\n"), err: err}
	}
	if e, ok := errors.AsType[*client.UnreachableError](err); ok {
		return &failure{code: exitUnreachable, hint: "start it with: sluice serve; or give its address: --url or SLUICE_URL", err: e}
	}
	if e, ok := errors.AsType[*client.APIError](err); ok {
		return explainAPI(e)
	}
	return &failure{code: exitFailed, err: err}
}

// codeNoToken is the data plane's code for a call without a gateway token that is good.
const codeNoToken = 2009

func explainAPI(e *client.APIError) *failure {
	f := &failure{code: exitFailed, what: e.Error(), hint: e.Hint, err: e}
	if e.Status == http.StatusUnauthorized && e.Code == codeNoToken {
		f.code, f.hint = exitDenied, "set SLUICE_GATEWAY_TOKEN to a gateway token that may run: sluice auth token create"
		return f
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		f.code = exitDenied
		if f.hint == "" || e.Code == 10000 && e.Status == http.StatusUnauthorized {
			f.hint = "sign in (sluice auth login), or set SLUICE_TOKEN to the server's admin token or to a gateway token with read or edit"
		}
	case http.StatusNotFound:
		f.code = exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		f.code = exitConflict
	case http.StatusTooManyRequests, http.StatusPaymentRequired:
		f.code = exitLimit
	case http.StatusBadRequest:
		if e.Field != "" {
			f.code = exitUsage
		}
		if e.Field == "q" || e.Field == "sub" {
			f.what = "the filter is not understood: " + strings.TrimPrefix(e.Error(), "subscription 1: ")
			if f.hint == "" {
				f.hint = "sluice help filters"
			}
		}
	}
	return f
}

// command makes a cobra command in the way all of ours are.
func (a *commands) command(use, short string, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, DisableFlagsInUseLine: true}
	if run != nil {
		c.RunE = func(cmd *cobra.Command, args []string) error {
			a.started = true
			return run(cmd, args)
		}
	}
	return c
}

// args limits how many arguments a command takes.
func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if len(given) < least {
			return fmt.Errorf("%s needs an argument: %s", cmd.CommandPath(), cmd.UseLine())
		}
		if len(given) > most {
			return fmt.Errorf("%s does not take %q", cmd.CommandPath(), given[most])
		}
		return nil
	}
}
