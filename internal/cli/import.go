package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/gateway"
	"github.com/sluicehq/sluice/internal/routing"
)

func (a *commands) importCommand() *cobra.Command {
	c := a.command("import", "Bring settings in from elsewhere", nil)
	c.Example = "sluice import cloudflare --from-account 0123456789abcdef0123456789abcdef --dry-run"
	c.AddCommand(a.importCloudflareCommand())
	return c
}

// importFlags say what to import, and from where.
type importFlags struct {
	url, account string
	gateways     []string
	file, save   string
	dry, yes     bool
}

// referenceURL is where the reference's API is.
const referenceURL = "https://api.cloudflare.com/client/v4"

func (a *commands) importCloudflareCommand() *cobra.Command {
	var flags importFlags
	c := a.command("cloudflare", "Bring gateways with their routes in from Cloudflare AI Gateway", func(cmd *cobra.Command, _ []string) error {
		found, err := a.importSource(cmd.Context(), &flags)
		if err != nil {
			return err
		}
		if flags.save != "" {
			return a.saveImport(flags.save, found)
		}
		return a.withAPI(func(api *client.Client) error {
			return a.importAll(cmd.Context(), api, found, &flags)
		})
	})
	c.Args = args(0, 0)
	c.Long = "It reads an account by the token in CLOUDFLARE_API_TOKEN, or a file with answers of that API or from --save, says what\n" +
		"would change, asks, and writes. A gateway that is there already is changed, and so is a route of the same name.\n" +
		"The secrets of provider keys cannot be read: the report says which to add. Log entries are not brought in."
	c.Example = "sluice import cloudflare --from-account 0123456789abcdef0123456789abcdef --dry-run\n" +
		"sluice import cloudflare --from-account 0123456789abcdef0123456789abcdef --from-gateway prod --yes\n" +
		"sluice import cloudflare --file gateways.json --dry-run --json"
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&flags.account, "from-account", "", "the account there, by its `id` (CLOUDFLARE_ACCOUNT_ID)")
	f.StringSliceVar(&flags.gateways, "from-gateway", nil, "`ids` of the gateways to bring in, with commas between; without it all")
	f.StringVar(&flags.url, "from-url", "", "`address` of the API (CLOUDFLARE_BASE_URL); without it "+referenceURL)
	f.StringVar(&flags.file, "file", "", "read a JSON `file` instead, - for stdin")
	f.StringVar(&flags.save, "save", "", "write what was read to a `file` that --file takes, and change nothing")
	f.BoolVar(&flags.dry, "dry-run", false, "only say what would change")
	f.BoolVar(&flags.yes, "yes", false, "do not ask")
	return c
}

// imported is a gateway of the reference, with what belongs to it.
type imported struct {
	settings map[string]json.RawMessage
	routes   []importedRoute
	keys     []importedKey
}

type importedRoute struct {
	Name     string          `json:"name"`
	Elements json.RawMessage `json:"elements"`
}

type importedKey struct {
	Provider string `json:"provider_slug"`
	Alias    string `json:"alias"`
	Default  bool   `json:"default_config"`
}

func (g *imported) id() string {
	var id string
	_ = json.Unmarshal(g.settings["id"], &id) // Check says what is wrong with it
	return id
}

// MarshalJSON writes the form of --save: the gateway with its routes and keys as members.
func (g *imported) MarshalJSON() ([]byte, error) {
	all := map[string]any{"routes": append([]importedRoute{}, g.routes...), "provider_configs": append([]importedKey{}, g.keys...)}
	for name, value := range g.settings {
		all[name] = value
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads a gateway as the API answers, or in the form of --save.
func (g *imported) UnmarshalJSON(text []byte) error {
	var with struct {
		Routes []importedRoute `json:"routes"`
		Keys   []importedKey   `json:"provider_configs"`
	}
	if err := errors.Join(json.Unmarshal(text, &with), json.Unmarshal(text, &g.settings)); err != nil {
		return err
	}
	g.routes, g.keys = with.Routes, with.Keys
	delete(g.settings, "routes")
	delete(g.settings, "provider_configs")
	return nil
}

// importSource reads what there is to import.
func (a *commands) importSource(ctx context.Context, flags *importFlags) ([]imported, error) {
	var all []imported
	var err error
	if flags.file != "" {
		all, err = a.importFile(flags.file)
	} else {
		all, err = a.importAccount(ctx, flags)
	}
	if err != nil {
		return nil, err
	}
	if flags.gateways == nil {
		return all, nil
	}
	var some []imported
	for _, id := range flags.gateways {
		i := slices.IndexFunc(all, func(g imported) bool { return g.id() == id })
		if i < 0 {
			return nil, &failure{code: exitNotFound, what: "there is no gateway " + printable(id, false) + " to bring in"}
		}
		some = append(some, all[i])
	}
	return some, nil
}

// maxImport bounds a file that is imported.
const maxImport = 64 << 20

// importFile reads a list of gateways, one gateway, or an answer with either.
func (a *commands) importFile(name string) ([]imported, error) {
	in := a.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &failure{code: exitUsage, what: err.Error(), err: err}
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxImport))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var whole struct {
		Result json.RawMessage `json:"result"`
	}
	if json.Unmarshal(text, &whole) == nil && whole.Result != nil {
		text = whole.Result
	}
	var list []imported
	if json.Unmarshal(text, &list) == nil {
		return list, nil
	}
	var one imported
	if json.Unmarshal(text, &one) != nil || one.settings["id"] == nil {
		return nil, &failure{code: exitUsage, what: name + " holds no gateways", hint: "it is an answer of GET …/ai-gateway/gateways, its result, or what --save wrote"}
	}
	return []imported{one}, nil
}

// importAccount reads an account over the reference's API.
func (a *commands) importAccount(ctx context.Context, flags *importFlags) ([]imported, error) {
	account := cmp.Or(flags.account, a.getenv("CLOUDFLARE_ACCOUNT_ID"))
	token := sluice.NewSecret(a.getenv("CLOUDFLARE_API_TOKEN"))
	switch {
	case account == "":
		return nil, usage("--from-account says which account to bring in, or --file which file")
	case token.IsZero():
		return nil, &failure{code: exitDenied, what: "CLOUDFLARE_API_TOKEN is not set", hint: "it is a token of the account with the permission AI Gateway Read"}
	}
	base := strings.TrimRight(cmp.Or(flags.url, a.getenv("CLOUDFLARE_BASE_URL"), referenceURL), "/")
	api, err := client.New(client.Options{URL: strings.TrimSuffix(base, "/client/v4"), Token: token, Account: account, Agent: "sluice/" + a.Version})
	if err != nil {
		return nil, &failure{code: exitUsage, what: err.Error(), err: err}
	}
	defer api.Close()
	items, err := referencePages(ctx, api, "gateways", "")
	if err != nil {
		return nil, err
	}
	all := make([]imported, len(items))
	for i, item := range items {
		if err := json.Unmarshal(item, &all[i]); err != nil {
			return nil, fmt.Errorf("read a gateway: %w", err)
		}
		if err := all[i].fetch(ctx, api); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// fetch reads what belongs to the gateway.
func (g *imported) fetch(ctx context.Context, api *client.Client) error {
	for _, part := range []struct {
		path, member string
		into         any
	}{{"routes", "routes", &g.routes}, {"provider_configs", "", &g.keys}} {
		items, err := referencePages(ctx, api, "gateways/"+url.PathEscape(g.id())+"/"+part.path, part.member)
		if e, ok := errors.AsType[*client.APIError](err); ok && e.Status == http.StatusNotFound {
			continue // it has nothing of the kind
		}
		if err != nil {
			return err
		}
		text, err := json.Marshal(items)
		if err == nil && items != nil {
			err = json.Unmarshal(text, part.into)
		}
		if err != nil {
			return fmt.Errorf("read %s of gateway %s: %w", part.path, g.id(), err)
		}
	}
	return nil
}

// Bounds of a list of the reference's: what it pages by, and when to stop asking a server that ignores it.
const (
	referencePage = 20
	mostPages     = 500
)

// referencePages reads a list whole. It is the result, or a member of data.
func referencePages(ctx context.Context, api *client.Client, path, member string) ([]json.RawMessage, error) {
	var all []json.RawMessage
	for page := 1; page <= mostPages; page++ {
		answer, err := api.Call(ctx, http.MethodGet, fmt.Sprintf("%s?page=%d&per_page=%d", path, page, referencePage), nil, nil)
		if err != nil {
			return nil, err
		}
		if answer.Status >= http.StatusMultipleChoices {
			return nil, answer.Refusal()
		}
		var e struct {
			Result []json.RawMessage          `json:"result"`
			Data   map[string]json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(answer.Body, &e); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		items := e.Result
		if member != "" && json.Unmarshal(e.Data[member], &items) != nil {
			return nil, fmt.Errorf("read %s: the answer has no %s", path, member)
		}
		all = append(all, items...)
		if len(items) < referencePage {
			break
		}
	}
	return all, nil
}

// saveImport writes what was read.
func (a *commands) saveImport(file string, found []imported) error {
	list := make([]*imported, len(found))
	for i := range found {
		list[i] = &found[i]
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("write what was read: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o600); err != nil {
		return &failure{code: exitFailed, what: err.Error(), err: err}
	}
	a.say("%d gateways written to %s; bring them in with: sluice import cloudflare --file %s", len(found), file, file)
	return nil
}

// importReport says what an import does to each gateway.
type importReport struct {
	Written  bool            `json:"written"`
	Gateways []importGateway `json:"gateways"`
}

// importGateway is the part of one gateway.
type importGateway struct {
	ID          string        `json:"id"`
	Action      string        `json:"action"` // create, change, unchanged or rejected
	Settings    int           `json:"settings"`
	Changed     []string      `json:"changed"`       // settings that become another
	StoredOnly  []string      `json:"stored_only"`   // settings that say something and have no effect here yet
	Unsupported []string      `json:"unsupported"`   // members that mean nothing here
	Error       string        `json:"error"`         // why it is rejected
	Routes      []importRoute `json:"routes"`        //
	Keys        []importKey   `json:"provider_keys"` // whose secrets are missing
}

type importRoute struct {
	Name   string `json:"name"`
	Action string `json:"action"` // create, change, unchanged or rejected
	Error  string `json:"error"`
}

type importKey struct {
	Provider string `json:"provider"`
	Alias    string `json:"alias"`
	Add      string `json:"add"` // the command that adds it
}

// importAll reports, asks, and writes.
func (a *commands) importAll(ctx context.Context, api *client.Client, found []imported, flags *importFlags) error {
	in := importer{api: api}
	report, err := in.run(ctx, found)
	if err != nil {
		return err
	}
	if !flags.dry && report.changes() {
		if !a.InTerminal && !flags.yes {
			if err := a.showImport(report); err != nil {
				return err
			}
			return &failure{code: exitUsage, what: "nothing was written", hint: "add --yes, as there is no terminal to ask on"}
		}
		if !flags.yes {
			a.say("%s", strings.TrimSuffix(report.text(), "\n"))
		}
		if !flags.yes && !a.agreed(ctx, "Write this?") {
			return &failure{code: exitFailed, what: "nothing was written"}
		}
		in.write = true
		if report, err = in.run(ctx, found); err != nil {
			return err
		}
		report.Written = true
	}
	if err := a.showImport(report); err != nil {
		return err
	}
	if report.rejects() {
		return &failure{code: exitPartial, what: "not all can be brought in: the report says what and why"}
	}
	return nil
}

func (a *commands) showImport(report *importReport) error {
	if contains([]string{"table", "wide"}, a.flags.output) {
		return a.write(report.text())
	}
	raw, err := json.Marshal(report)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw})
}

// changes reports whether there is anything to write.
func (r *importReport) changes() bool {
	return slices.ContainsFunc(r.Gateways, func(g importGateway) bool {
		return g.Action == "create" || g.Action == "change" || slices.ContainsFunc(g.Routes, func(r importRoute) bool { return r.Action == "create" || r.Action == "change" })
	})
}

func (r *importReport) rejects() bool {
	return slices.ContainsFunc(r.Gateways, func(g importGateway) bool {
		return g.Action == "rejected" || slices.ContainsFunc(g.Routes, func(r importRoute) bool { return r.Action == "rejected" })
	})
}

// text is the report for people.
func (r *importReport) text() string {
	var b strings.Builder
	for i := range r.Gateways {
		g := &r.Gateways[i]
		fmt.Fprintf(&b, "gateway %s: %s", printable(g.ID, false), g.Action)
		if g.Error != "" {
			fmt.Fprintf(&b, " (%s)", printable(g.Error, false))
		}
		fmt.Fprintf(&b, ", %d settings", g.Settings)
		for _, part := range []struct {
			names []string
			what  string
		}{{g.Changed, "become another"}, {g.StoredOnly, "stored, without effect here yet"}, {g.Unsupported, "not known here, left out"}} {
			if len(part.names) > 0 {
				fmt.Fprintf(&b, "\n  %s: %s", part.what, printable(strings.Join(part.names, ", "), false))
			}
		}
		for _, route := range g.Routes {
			fmt.Fprintf(&b, "\n  route %s: %s", printable(route.Name, false), route.Action)
			if route.Error != "" {
				fmt.Fprintf(&b, " (%s)", printable(route.Error, false))
			}
		}
		for _, key := range g.Keys {
			fmt.Fprintf(&b, "\n  provider key %s, alias %s: its secret cannot be read; %s", printable(key.Provider, false), printable(key.Alias, false), printable(key.Add, false))
		}
		b.WriteString("\n")
	}
	if len(r.Gateways) == 0 {
		b.WriteString("there is no gateway to bring in\n")
	}
	if !r.Written {
		b.WriteString("Nothing written.\n")
	}
	return b.String()
}

// importer compares, and writes where it is told to.
type importer struct {
	api   *client.Client
	write bool
}

func (in *importer) run(ctx context.Context, found []imported) (*importReport, error) {
	report := &importReport{Gateways: []importGateway{}}
	for i := range found {
		g, err := in.gateway(ctx, &found[i])
		if err != nil {
			return nil, err
		}
		report.Gateways = append(report.Gateways, *g)
	}
	return report, nil
}

// gateway compares one gateway. Only trouble with the server is an error; all else is in the report.
func (in *importer) gateway(ctx context.Context, from *imported) (*importGateway, error) {
	g := &importGateway{ID: from.id(), Changed: []string{}, StoredOnly: []string{}, Unsupported: []string{}, Routes: []importRoute{}, Keys: []importKey{}}
	settings, err := g.sort(from)
	if err != nil {
		g.Action, g.Error = "rejected", strings.ReplaceAll(err.Error(), "\n", "; ")
		return g, nil
	}
	now, err := in.api.GetGateway(ctx, g.ID)
	if e, ok := errors.AsType[*client.APIError](err); ok && e.Status == http.StatusNotFound {
		now, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	g.compare(settings, now)
	if in.write && (g.Action == "create" || g.Action == "change") {
		if err := in.put(ctx, g, settings, now); err != nil {
			return nil, err
		}
	}
	for _, r := range from.routes {
		route, err := in.route(ctx, g, now != nil || in.write && g.Action == "create", r)
		if err != nil {
			return nil, err
		}
		g.Routes = append(g.Routes, *route)
	}
	for _, k := range from.keys {
		add := fmt.Sprintf("sluice provider add %s --alias %s -g %s", k.Provider, k.Alias, g.ID)
		g.Keys = append(g.Keys, importKey{Provider: k.Provider, Alias: k.Alias, Add: add})
	}
	return g, nil
}

// sort takes the settings out of what the reference says of a gateway, and checks them.
func (g *importGateway) sort(from *imported) (map[string]json.RawMessage, error) {
	settings := client.Base()
	for name, value := range from.settings {
		settings[name] = value
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	body, err := gateway.ParseBody(text)
	if err != nil {
		return nil, err
	}
	g.Unsupported = append(g.Unsupported, body.Ignored...)
	known := map[string]json.RawMessage{}
	for _, f := range gateway.Fields() {
		value, there := settings[f.Name]
		if !there || string(value) == "null" && f.Type == gateway.FieldBool {
			continue
		}
		known[f.Name] = value
		g.Settings++
		if strings.HasPrefix(f.Help, "stored only") && !slices.Contains([]string{"null", "false", `"postpaid"`}, string(value)) {
			g.StoredOnly = append(g.StoredOnly, f.Name)
		}
	}
	if _, err := body.ID(); err != nil {
		return nil, err
	}
	return known, body.Check()
}

// compare says what would change.
func (g *importGateway) compare(settings map[string]json.RawMessage, now *client.Gateway) {
	if now == nil {
		g.Action = "create"
		return
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !sameJSON(settings[name], now.Members[name]) {
			g.Changed = append(g.Changed, name)
		}
	}
	g.Action = "unchanged"
	if len(g.Changed) > 0 {
		g.Action = "change"
		if now.Origin == string(sluice.OriginFile) {
			g.Action, g.Error = "rejected", "the configuration file manages it"
		}
	}
}

// sameJSON reports whether two values say the same. A number that is null is 0 in settings.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(a, b)
	}
	if x == nil && y == 0.0 || y == nil && x == 0.0 {
		return true
	}
	p, errP := json.Marshal(x)
	q, errQ := json.Marshal(y)
	return errP == nil && errQ == nil && bytes.Equal(p, q)
}

// put writes the gateway. A refusal is part of the report.
func (in *importer) put(ctx context.Context, g *importGateway, settings map[string]json.RawMessage, now *client.Gateway) error {
	var err error
	if now == nil {
		_, err = in.api.CreateGateway(ctx, g.ID, settings)
	} else {
		_, err = in.api.UpdateGateway(ctx, now, settings)
	}
	if e, ok := errors.AsType[*client.APIError](err); ok && e.Status < http.StatusInternalServerError && e.Status != http.StatusUnauthorized && e.Status != http.StatusForbidden {
		g.Action, g.Error = "rejected", e.Error()
		return nil
	}
	return err
}

// route compares a route with the one of its name, where its gateway is there, and writes it.
func (in *importer) route(ctx context.Context, g *importGateway, there bool, from importedRoute) (*importRoute, error) {
	r := &importRoute{Name: from.Name, Action: "create"}
	if _, issues := routing.Parse(from.Elements); len(issues.Errors()) > 0 {
		first := issues.Errors()[0]
		r.Action, r.Error = "rejected", first.Field+": "+first.Message
		return r, nil
	}
	if g.Action == "rejected" && g.Error != "" && !there {
		r.Action, r.Error = "rejected", "its gateway is"
		return r, nil
	}
	var now *client.Route
	if there {
		list, err := in.api.Routes(ctx, g.ID, from.Name)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(list, func(r client.Route) bool { return r.Name == from.Name }); i >= 0 {
			now = &list[i]
		}
	}
	if now != nil {
		r.Action = "change"
		if sameJSON(now.Elements, from.Elements) {
			r.Action = "unchanged"
		}
	}
	if !in.write || r.Action == "unchanged" {
		return r, nil
	}
	if err := in.putRoute(ctx, g, now, from); err != nil {
		e, ok := errors.AsType[*client.APIError](err)
		if !ok {
			return nil, err
		}
		r.Action, r.Error = "rejected", e.Error()
	}
	return r, nil
}

func (in *importer) putRoute(ctx context.Context, g *importGateway, now *client.Route, from importedRoute) error {
	if now == nil {
		_, err := in.api.CreateRoute(ctx, g.ID, from.Name, from.Elements)
		return err
	}
	v, err := in.api.AddRouteVersion(ctx, now, from.Elements, false)
	if err != nil {
		return err
	}
	_, err = in.api.DeployRoute(ctx, now, v.ID)
	return err
}
