package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluicehq/sluice/internal/client"
)

const aboutRoutes = "A file holds a list of elements, or an object with elements, as route get --elements writes it and the API\n" +
	"answers; - is stdin. docs/routes.md describes the elements."

func (a *commands) routeCommand() *cobra.Command {
	c := a.command("route", "List, check, create and deploy dynamic routes", nil)
	c.Example = "sluice route list\nsluice route create support route.json\nsluice route rollback support"
	c.AddCommand(
		a.routeListCommand(), a.routeGetCommand(), a.routeVersionsCommand(), a.routeValidateCommand(), a.routeCreateCommand(),
		a.routeDeployCommand(), a.routeRollbackCommand(), a.routeRenameCommand(), a.routeDeleteCommand(),
	)
	return c
}

// withAPI runs f with a client, and closes it.
func (a *commands) withAPI(f func(api *client.Client) error) error {
	api, err := a.client()
	if err != nil {
		return err
	}
	defer api.Close()
	return f(api)
}

func (a *commands) routeListCommand() *cobra.Command {
	var search string
	c := a.command("list", "List the gateway's dynamic routes", func(cmd *cobra.Command, _ []string) error {
		return a.withAPI(func(api *client.Client) error {
			list, err := api.Routes(cmd.Context(), a.flags.gateway, search)
			if err != nil {
				return err
			}
			return a.showRoutes(list)
		})
	})
	c.Aliases = []string{"ls"}
	c.Args = args(0, 0)
	c.Example = "sluice route list\nsluice route list -g prod --search support --json"
	c.Flags().StringVar(&search, "search", "", "only those whose name holds this `text`")
	return c
}

func (a *commands) showRoutes(list []client.Route) error {
	t := &table{columns: []column{
		{title: "NAME", flex: 16}, {title: "CALLED AS", flex: 24}, {title: "ELEMENTS", right: true}, {title: "DEPLOYED"}, {title: "ID", spare: true}, {title: "VERSION", spare: true},
	}}
	rows := make([]json.RawMessage, 0, len(list))
	for i := range list {
		r := &list[i]
		rows = append(rows, r.Raw)
		var elements []json.RawMessage
		_ = json.Unmarshal(r.Elements, &elements) // of a later server: the count is not shown then
		t.rows = append(t.rows, []cell{
			{text: printable(r.Name, false)},
			{text: printable("dynamic/"+r.Name, false)},
			{text: a.count(int64(len(elements)))},
			{text: a.ago(r.Deployment.CreatedAt, time.Now())},
			{text: printable(r.ID, false)},
			{text: printable(r.Version.ID, false)},
		})
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, csv: []string{"id", "name", "gateway_id", "modified_at", "revision"}, table: func(bool) *table { return t }})
}

func (a *commands) routeGetCommand() *cobra.Command {
	var version string
	var elements bool
	c := a.command("get <name>", "Show a dynamic route", func(cmd *cobra.Command, given []string) error {
		return a.withAPI(func(api *client.Client) error {
			r, err := api.Route(cmd.Context(), a.flags.gateway, given[0])
			if err != nil {
				return err
			}
			raw, list := r.Raw, r.Elements
			if version != "" {
				v, err := api.GetRouteVersion(cmd.Context(), r, version)
				if err != nil {
					return err
				}
				raw, list = v.Raw, v.Elements
			}
			if elements {
				return a.writeElements(list)
			}
			return a.show(view{raw: raw, table: func(bool) *table { return elementTable(list) }})
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice route get support\nsluice route get support --elements > route.json\nsluice route get support --version 019a7b3e-5f2c-7d10-8a4e-0123456789c0 --json"
	c.Flags().StringVar(&version, "version", "", "another version than the deployed one, by its `id`")
	c.Flags().BoolVar(&elements, "elements", false, "the elements alone, as JSON that create and deploy take")
	return c
}

func (a *commands) writeElements(list json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, list, "", "  "); err != nil {
		return fmt.Errorf("write elements: %w", err)
	}
	return a.write(b.String() + "\n")
}

// elementTable shows elements with where their outputs lead.
func elementTable(list json.RawMessage) *table {
	var elements []struct {
		ID         string          `json:"id"`
		Type       string          `json:"type"`
		Properties json.RawMessage `json:"properties"`
		Outputs    map[string]struct {
			To string `json:"elementId"`
		} `json:"outputs"`
	}
	_ = json.Unmarshal(list, &elements) // of a later server: what is not understood is not shown
	t := &table{columns: []column{{title: "ELEMENT", flex: 12}, {title: "TYPE"}, {title: "OUTPUTS", flex: 40}, {title: "PROPERTIES", flex: 40}}}
	for _, e := range elements {
		var outputs []string
		for _, name := range sortedKeys(e.Outputs) {
			outputs = append(outputs, name+" → "+e.Outputs[name].To)
		}
		t.rows = append(t.rows, []cell{
			{text: printable(e.ID, false)}, {text: printable(e.Type, false)}, {text: printable(strings.Join(outputs, ", "), false)}, {text: printable(string(e.Properties), false)},
		})
	}
	return t
}

func (a *commands) routeVersionsCommand() *cobra.Command {
	c := a.command("versions <name>", "List the versions of a dynamic route, newest first", func(cmd *cobra.Command, given []string) error {
		return a.withAPI(func(api *client.Client) error {
			r, err := api.Route(cmd.Context(), a.flags.gateway, given[0])
			if err != nil {
				return err
			}
			list, err := api.RouteVersions(cmd.Context(), r)
			if err != nil {
				return err
			}
			return a.showVersions(list)
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice route versions support\nsluice route versions support --json"
	return c
}

func (a *commands) showVersions(list []client.RouteVersion) error {
	t := &table{columns: []column{{title: "VERSION"}, {title: "STATE"}, {title: "CREATED"}}}
	rows := make([]json.RawMessage, 0, len(list))
	for i := range list {
		v := &list[i]
		rows = append(rows, v.Raw)
		state := map[bool]string{true: "", false: "draft with errors"}[v.Valid]
		if v.Active == "true" {
			state = "deployed"
		}
		t.rows = append(t.rows, []cell{{text: printable(v.ID, false)}, {text: state}, {text: a.ago(v.CreatedAt, time.Now())}})
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, csv: []string{"version_id", "active", "is_valid", "created_at"}, table: func(bool) *table { return t }})
}

// maxRouteFile bounds a file with a route. The server takes less.
const maxRouteFile = 1 << 20

// routeFile reads elements from a file, "-" for stdin.
func (a *commands) routeFile(name string) (json.RawMessage, error) {
	in, from := a.Stdin, "stdin"
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &failure{code: exitUsage, what: err.Error(), err: err}
		}
		defer func() { _ = f.Close() }()
		in, from = f, name
	}
	text, err := io.ReadAll(io.LimitReader(in, maxRouteFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", from, err)
	}
	if len(text) > maxRouteFile || !json.Valid(text) {
		return nil, &failure{code: exitUsage, what: from + " holds no JSON of at most 1 MB", hint: "sluice route get <name> --elements writes what it should look like"}
	}
	var whole struct {
		Elements json.RawMessage `json:"elements"`
	}
	if json.Unmarshal(text, &whole) == nil && whole.Elements != nil {
		return whole.Elements, nil
	}
	return text, nil
}

func (a *commands) routeValidateCommand() *cobra.Command {
	c := a.command("validate <file>", "Check a route without storing it", func(cmd *cobra.Command, given []string) error {
		elements, err := a.routeFile(given[0])
		if err != nil {
			return err
		}
		return a.withAPI(func(api *client.Client) error {
			check, err := api.CheckRoute(cmd.Context(), a.flags.gateway, elements)
			if err != nil {
				return err
			}
			return a.showCheck(check)
		})
	})
	c.Args = args(1, 1)
	c.Long = aboutRoutes + "\nAn error ends with exit code 1, warnings alone with 0."
	c.Example = "sluice route validate route.json\nsluice route get support --elements | sluice route validate -"
	return c
}

func (a *commands) showCheck(check *client.RouteCheck) error {
	t := issueTable(check.Issues)
	if len(t.rows) > 0 || !contains([]string{"table", "wide"}, a.flags.output) {
		if err := a.show(view{raw: check.Raw, table: func(bool) *table { return t }}); err != nil {
			return err
		}
	}
	if !check.Valid {
		return &failure{code: exitFailed, what: "the route cannot be deployed"}
	}
	a.say("the route can be deployed")
	return nil
}

func issueTable(issues []client.RouteIssue) *table {
	t := &table{columns: []column{{title: "WHAT"}, {title: "ELEMENT", flex: 12}, {title: "WHERE", flex: 24}, {title: "MESSAGE", flex: 40}, {title: "HINT", flex: 30}}}
	for _, i := range issues {
		what := map[bool]string{true: "warning", false: "error"}[i.Warning]
		t.rows = append(t.rows, []cell{
			{text: what}, {text: printable(i.Element, false)}, {text: printable(i.Field, false)}, {text: printable(i.Message, false)}, {text: printable(i.Hint, false)},
		})
	}
	return t
}

func (a *commands) routeCreateCommand() *cobra.Command {
	c := a.command("create <name> <file>", "Create a dynamic route, and deploy it", func(cmd *cobra.Command, given []string) error {
		elements, err := a.routeFile(given[1])
		if err != nil {
			return err
		}
		return a.withAPI(func(api *client.Client) error {
			r, err := api.CreateRoute(cmd.Context(), a.flags.gateway, given[0], elements)
			if err != nil {
				return err
			}
			return a.changedRoute(r, "created and deployed", "calls name it as their model: dynamic/"+r.Name)
		})
	})
	c.Args = args(2, 2)
	c.Long = aboutRoutes
	c.Example = "sluice route create support route.json\nsluice route create support - < route.json"
	return c
}

// changedRoute says what was done.
func (a *commands) changedRoute(r *client.Route, what, next string) error {
	for _, note := range r.Notes {
		a.say("%s", printable(note, false))
	}
	if !contains([]string{"table", "wide"}, a.flags.output) {
		return a.show(view{raw: r.Raw})
	}
	a.say("route %s %s; %s", printable(r.Name, false), what, printable(next, false))
	return nil
}

func (a *commands) routeDeployCommand() *cobra.Command {
	var version string
	c := a.command("deploy <name> [file]", "Deploy a file, or a version that is stored", func(cmd *cobra.Command, given []string) error {
		if (len(given) == 2) == (version != "") {
			return usage("name what to deploy: a file, or a stored version with --version")
		}
		var elements json.RawMessage
		if len(given) == 2 {
			var err error
			if elements, err = a.routeFile(given[1]); err != nil {
				return err
			}
		}
		return a.withAPI(func(api *client.Client) error {
			r, err := api.Route(cmd.Context(), a.flags.gateway, given[0])
			if err != nil {
				return err
			}
			if elements != nil {
				v, err := api.AddRouteVersion(cmd.Context(), r, elements, false)
				if err != nil {
					return err
				}
				version = v.ID
			}
			now, err := api.DeployRoute(cmd.Context(), r, version)
			if err != nil {
				return err
			}
			return a.changedRoute(now, "deployed", "back to what was before: sluice route rollback "+now.Name)
		})
	})
	c.Args = args(1, 2)
	c.Long = aboutRoutes
	c.Example = "sluice route deploy support route.json\nsluice route deploy support --version 019a7b3e-5f2c-7d10-8a4e-0123456789c0"
	c.Flags().StringVar(&version, "version", "", "a stored version, by its `id`")
	return c
}

func (a *commands) routeRollbackCommand() *cobra.Command {
	c := a.command("rollback <name>", "Deploy the version that was deployed before", func(cmd *cobra.Command, given []string) error {
		return a.withAPI(func(api *client.Client) error {
			r, err := api.Route(cmd.Context(), a.flags.gateway, given[0])
			if err != nil {
				return err
			}
			list, err := api.RouteDeployments(cmd.Context(), r)
			if err != nil {
				return err
			}
			if len(list) < 2 {
				return &failure{code: exitConflict, what: "route " + printable(r.Name, false) + " has been deployed once: there is nothing to go back to"}
			}
			now, err := api.DeployRoute(cmd.Context(), r, list[1].Version)
			if err != nil {
				return err
			}
			return a.changedRoute(now, "went back to version "+list[1].Version, "all versions: sluice route versions "+now.Name)
		})
	})
	c.Args = args(1, 1)
	c.Example = "sluice route rollback support"
	return c
}

func (a *commands) routeRenameCommand() *cobra.Command {
	c := a.command("rename <name> <new name>", "Rename a dynamic route", func(cmd *cobra.Command, given []string) error {
		return a.withAPI(func(api *client.Client) error {
			r, err := api.Route(cmd.Context(), a.flags.gateway, given[0])
			if err != nil {
				return err
			}
			if r, err = api.RenameRoute(cmd.Context(), r, given[1]); err != nil {
				return err
			}
			return a.changedRoute(r, "has its new name", "calls of the old one fail from now on")
		})
	})
	c.Args = args(2, 2)
	c.Example = "sluice route rename support help"
	return c
}

func (a *commands) routeDeleteCommand() *cobra.Command {
	var yes bool
	c := a.command("delete <name>", "Delete a dynamic route with all its versions", func(cmd *cobra.Command, given []string) error {
		return a.withAPI(func(api *client.Client) error {
			r, err := api.Route(cmd.Context(), a.flags.gateway, given[0])
			if err != nil {
				return err
			}
			if !yes && !a.agreed(cmd.Context(), "Delete route "+printable(r.Name, false)+" with all its versions? Calls of it fail from then on.") {
				return &failure{code: exitFailed, what: "nothing was deleted"}
			}
			if r, err = api.DeleteRoute(cmd.Context(), r); err != nil {
				return err
			}
			return a.changedRoute(r, "deleted", "calls of it fail from now on")
		})
	})
	c.Args = args(1, 1)
	c.Aliases = []string{"rm"}
	c.Example = "sluice route delete support\nsluice route delete support --yes"
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// sortedKeys returns a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
