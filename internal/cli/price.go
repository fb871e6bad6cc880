package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	sluice "github.com/sluicehq/sluice"
	server "github.com/sluicehq/sluice/internal/app"
	"github.com/sluicehq/sluice/internal/client"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/price"
)

func (a *commands) priceCommand() *cobra.Command {
	c := a.command("price", "Look at prices, and at the arithmetic of a cost", nil)
	c.Example = "sluice price list openai\nsluice price get openai/gpt-5-mini --count input=1200 --count output=300"
	c.AddCommand(a.priceListCommand(), a.priceGetCommand(), a.priceExplainCommand(), a.priceSetCommand(), a.priceUnsetCommand(), a.priceUpdateCommand(), a.priceRepriceCommand())
	return c
}

// priceFlags are the flags of all price commands.
type priceFlags struct {
	file  string
	local bool // nobody is asked for the account's own prices
	f     price.Factors
}

func (p *priceFlags) add(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&p.file, "prices", "", "price list `file` instead of the one in this program, and of the account's own prices")
	f.BoolVar(&p.local, "local", false, "without the prices that the account has set at the server (sluice price set)")
}

func (p *priceFlags) addFactors(f *pflag.FlagSet) {
	f.StringVar(&p.f.ServiceTier, "tier", "", "service `tier` that the answer named: batch, flex, priority, fast")
	f.StringVar(&p.f.InferenceGeo, "geo", "", "`place` of inference that the answer named: us, global")
	f.StringVar(&p.f.SearchContext, "search-context", "", "`size` of search context that the answer named: low, medium, high")
}

// catalogue reads the list that the flags name, else the built-in one, and puts the configuration's own
// prices on top, and then those that the account has set at the server, if one answers.
func (a *commands) catalogue(ctx context.Context, p *priceFlags) (*price.Catalogue, error) {
	c, err := p.list()
	if err != nil {
		return nil, err
	}
	loaded, err := config.Load(a.source())
	if err != nil {
		return nil, err
	}
	own, err := server.PriceOverrides(loaded.Config.Prices.Models)
	if err != nil {
		return nil, &failure{code: exitConfig, err: err}
	}
	c = c.With(own)
	if p.local || p.file != "" {
		return c, nil
	}
	stored, err := a.accountPrices(ctx)
	if err != nil {
		return nil, err
	}
	return c.With(stored), nil
}

// askPatience is how long a server is waited for that a command can do without.
const askPatience = 2 * time.Second

// accountPrices are the prices that the account has set at the server. Without a server there are none; where one
// does not tell them, that is said.
func (a *commands) accountPrices(ctx context.Context) ([]price.Override, error) {
	api, err := a.client()
	if err != nil {
		return nil, err
	}
	defer api.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	list, err := api.OwnPrices(ctx, "")
	if err != nil {
		if _, away := errors.AsType[*client.UnreachableError](err); !away {
			a.say("⚠ the account's own prices are left out: %s", err.Error())
		}
		return nil, nil
	}
	over := make([]price.Override, 0, len(list))
	for i := range list {
		p := &list[i]
		usd, times := p.USD, p.Times
		if p.As != "" {
			usd = nil
		}
		o, err := price.NewOverride(p.Provider, p.Model, p.As, times, usd)
		if err != nil {
			return nil, fmt.Errorf("read the account's price of %s/%s: %w", p.Provider, p.Model, err)
		}
		o.Source, o.AsOf = p.Source, p.AsOf
		over = append(over, o)
	}
	return over, nil
}

// list reads the list that the flags name.
func (p *priceFlags) list() (*price.Catalogue, error) {
	if p.file == "" {
		return price.Embedded(), nil
	}
	info, err := os.Stat(p.file)
	if err != nil {
		return nil, &failure{code: exitNotFound, err: err}
	}
	if info.Size() > price.MaxBytes {
		return nil, &failure{code: exitFailed, what: fmt.Sprintf("%s is larger than a price list may be", p.file)}
	}
	text, err := os.ReadFile(p.file)
	if err != nil {
		return nil, err
	}
	c, err := price.Parse(text)
	if err != nil {
		return nil, &failure{code: exitFailed, what: p.file + ": " + err.Error(), hint: "docs/prices.md shows the form"}
	}
	return c, nil
}

// priceRow is a model's prices as programs see them: US dollars as decimal text.
type priceRow struct {
	Provider string            `json:"provider"`
	Model    string            `json:"model"`
	Aliases  []string          `json:"aliases"`
	USD      map[string]string `json:"usd"` // by class; for what, Per says
	Tiers    []priceTier       `json:"tiers"`
	Source   string            `json:"source"`
	AsOf     string            `json:"as_of"`
	Note     string            `json:"note"`
}

// priceTier is what holds for prompts above a threshold.
type priceTier struct {
	Above int64             `json:"above_input_tokens"`
	USD   map[string]string `json:"usd"`
}

func usdOf(rate func(sluice.Class) (int64, bool)) map[string]string {
	usd := map[string]string{}
	for c := range price.Requests + 1 {
		if nano, listed := rate(c); listed {
			text, per := price.Shown(c, nano)
			usd[price.MeterName(c)+"_per_"+strings.ToLower(per)] = text
		}
	}
	return usd
}

func priceRowOf(m *price.Model, p *price.Price) priceRow {
	r := priceRow{
		Provider: m.Provider, Model: m.Name, Aliases: append([]string{}, m.Aliases...), USD: usdOf(p.Rate),
		Tiers: []priceTier{}, Source: m.Source, AsOf: m.AsOf, Note: m.Note,
	}
	for _, above := range p.Thresholds() {
		r.Tiers = append(r.Tiers, priceTier{above, usdOf(func(c sluice.Class) (int64, bool) { return p.RateAbove(above, c) })})
	}
	return r
}

func (a *commands) priceListCommand() *cobra.Command {
	var flags priceFlags
	var own bool
	c := a.command("list [provider]", "List the prices that hold now", func(cmd *cobra.Command, given []string) error {
		if own {
			return a.ownPrices(cmd.Context(), given)
		}
		catalogue, err := a.catalogue(cmd.Context(), &flags)
		if err != nil {
			return err
		}
		only := ""
		if len(given) > 0 {
			only = given[0]
		}
		return a.prices(catalogue, only)
	})
	c.Aliases = []string{"ls"}
	c.Args = args(0, 1)
	c.Long = "Prices are US dollars for a million tokens; wide, csv and json have the other kinds of price too. The list is that of this\n" +
		"program; above it stand the configuration's prices, and those of the account, where its server answers."
	c.Example = "sluice price list openai\nsluice price list --own\nsluice price list --json | jq '.[] | select(.usd.input_per_1m == \"0\") | .model'"
	flags.add(c.Flags())
	c.Flags().BoolVar(&own, "own", false, "those that the account has set at the server (sluice price set)")
	return c
}

func (a *commands) prices(catalogue *price.Catalogue, only string) error {
	var rows []json.RawMessage
	t := &table{columns: []column{
		{title: "PROVIDER"},
		{title: "MODEL", flex: 24},
		{title: "INPUT", right: true},
		{title: "CACHED", right: true},
		{title: "OUTPUT", right: true},
		{title: "OTHER", flex: 12, spare: true},
		{title: "AS OF", spare: true},
	}}
	now := time.Now()
	providers := map[string]bool{}
	for m := range catalogue.Models() {
		providers[m.Provider] = true
		p := m.At(now)
		if p == nil || only != "" && m.Provider != only {
			continue
		}
		r := priceRowOf(m, p)
		row, err := json.Marshal(r)
		if err != nil {
			return err
		}
		rows = append(rows, row)
		t.rows = append(t.rows, []cell{
			{text: m.Provider},
			{text: m.Name},
			{text: a.rate(p, sluice.Input)},
			{text: a.rate(p, sluice.CacheRead)},
			{text: a.rate(p, sluice.Output)},
			{text: otherRates(p)},
			{text: m.AsOf},
		})
	}
	if len(rows) == 0 {
		return noPrices(only, providers)
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	return a.show(view{raw: raw, rows: rows, table: func(bool) *table { return t }})
}

func noPrices(only string, providers map[string]bool) error {
	msg := fmt.Sprintf("there are no prices of %q", only)
	var names []string
	for name := range providers {
		names = append(names, name)
	}
	if near := config.Nearest(only, names); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return &failure{code: exitNotFound, what: msg, hint: "sluice price list"}
}

func (a *commands) rate(p *price.Price, c sluice.Class) string {
	nano, listed := p.Rate(c)
	if !listed {
		return a.none()
	}
	usd, _ := price.Shown(c, nano)
	return usd
}

// otherRates names what else has a price, in short.
func otherRates(p *price.Price) string {
	var list []string
	for c := range price.Requests + 1 {
		if nano, listed := p.Rate(c); listed && c != sluice.Input && c != sluice.CacheRead && c != sluice.Output {
			usd, per := price.Shown(c, nano)
			list = append(list, price.MeterName(c)+" "+usd+"/"+per)
		}
	}
	for _, above := range p.Thresholds() {
		list = append(list, "more above "+strconv.FormatInt(above, 10))
	}
	return strings.Join(list, ", ")
}

func (a *commands) priceGetCommand() *cobra.Command {
	var flags priceFlags
	var counts []string
	c := a.command("get <provider>/<model>", "Show what a model costs, and what a call would", func(cmd *cobra.Command, given []string) error {
		provider, model, both := strings.Cut(given[0], "/")
		if !both {
			return usage("%q is not provider/model, such as openai/gpt-5-mini", given[0])
		}
		u, err := usageOf(counts)
		if err != nil {
			return err
		}
		catalogue, err := a.catalogue(cmd.Context(), &flags)
		if err != nil {
			return err
		}
		return a.price(catalogue, provider, model, u, flags.f)
	})
	c.Args = args(1, 1)
	c.Example = "sluice price get openai/gpt-5-mini\nsluice price get anthropic/claude-opus-5-5 --count input=1000 --count cache_read=900 --count output=20"
	flags.add(c.Flags())
	c.Flags().StringArrayVar(&counts, "count", nil, "`class=n` of a call to price: input=1200; more than once")
	flags.addFactors(c.Flags())
	return c
}

// usageOf reads the counts of flags.
func usageOf(counts []string) (sluice.Usage, error) {
	var u sluice.Usage
	for _, text := range counts {
		name, value, _ := strings.Cut(text, "=")
		class, known := price.ClassNamed(name)
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || !known || class == price.Requests {
			return u, usage("--count %q is not a class of usage and a count, such as input=1200 or cache_read=900", text)
		}
		u.Set(class, n)
	}
	return u, nil
}

// priceAnswer is the document of get and explain.
type priceAnswer struct {
	priceRow
	FoundBy  string       `json:"found_by"`
	Version  string       `json:"version"` // of the list
	Bill     []billLine   `json:"bill"`
	Cost     *json.Number `json:"cost"`   // US dollars
	Reason   string       `json:"reason"` // why the cost is not known
	Logged   *json.Number `json:"logged_cost,omitempty"`
	FromText string       `json:"text"`
	price    *price.Price
}

// billLine is one summand.
type billLine struct {
	Class    string `json:"class"`
	PricedAs string `json:"priced_as"`
	Quantity int64  `json:"quantity"`
	NanoUSD  int64  `json:"nano_usd"` // for Per units
	Per      int64  `json:"per"`
	Factor   string `json:"factor"`
	Exact    string `json:"amount_nano_usd"` // a fraction
	// Whose part it is, where several models or attempts have one.
	Model   string `json:"model,omitempty"`
	Attempt int    `json:"attempt,omitempty"` // from 1
}

// unpriced is the error of a model that no list has.
func unpriced(provider, model string) error {
	return &failure{
		code: exitNotFound, what: fmt.Sprintf("%s/%s has no price: the cost of its calls is not known", provider, model),
		hint: "sluice price list " + provider,
	}
}

// answer prices a call by a price that was found, and says how.
func answer(catalogue *price.Catalogue, p *price.Price, m price.Match, u sluice.Usage, f price.Factors) *priceAnswer {
	v := &priceAnswer{priceRow: priceRowOf(m.Model, p), FoundBy: m.How.String(), Version: catalogue.Version(), Bill: []billLine{}, price: p}
	b := p.Bill(u, f)
	v.lines(&b, "", 0)
	v.sum(b.Total, b.Known, b.Reason)
	v.FromText = b.Explain()
	return v
}

// lines adds a bill's lines.
func (v *priceAnswer) lines(b *price.Bill, model string, attempt int) {
	for _, l := range b.Lines {
		v.Bill = append(v.Bill, billLine{
			price.MeterName(l.Class), price.MeterName(l.Rated), l.Quantity, l.Rate, l.Per, l.Factor.String(), l.Amount.RatString(),
			model, attempt,
		})
	}
}

func (v *priceAnswer) sum(total sluice.NanoUSD, known bool, reason string) {
	v.Cost, v.Reason = nil, reason
	if known {
		n := json.Number(price.Decimal(total))
		v.Cost = &n
	}
}

// account takes the arithmetic of a whole exchange.
func (v *priceAnswer) account(a *price.Account) {
	v.Bill = []billLine{}
	for i := range a.Tries {
		t := &a.Tries[i]
		for j := range t.Bills {
			b, model, attempt := &t.Bills[j], "", 0
			if len(a.Tries) > 1 {
				attempt = t.Number
			}
			if attempt > 0 || len(t.Bills) > 1 {
				model = b.Model
			}
			v.lines(&b.Bill, model, attempt)
		}
	}
	v.sum(a.Total, a.Known, a.Reason)
	v.FromText = a.Explain()
}

func (a *commands) price(catalogue *price.Catalogue, provider, model string, u sluice.Usage, f price.Factors) error {
	p, m, found := catalogue.Find(provider, model, time.Now())
	if !found {
		return unpriced(provider, model)
	}
	v := answer(catalogue, p, m, u, f)
	if !u.Known() {
		v.Reason, v.FromText = "", ""
	}
	return a.showPrice(v)
}

func (a *commands) showPrice(v *priceAnswer) error {
	if !contains([]string{"table", "wide"}, a.flags.output) {
		raw, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return a.show(view{raw: raw})
	}
	t := &table{columns: []column{{}, {}, {}}}
	add := func(name, value string) {
		t.rows = append(t.rows, []cell{{name, dim}, {text: value}})
	}
	add("model", v.Provider+"/"+v.Model)
	add("found by", v.FoundBy)
	rates := func(rate func(sluice.Class) (int64, bool), suffix string) {
		for c := range price.Requests + 1 {
			if nano, listed := rate(c); listed {
				usd, per := price.Shown(c, nano)
				add(strings.ReplaceAll(price.MeterName(c), "_", " ")+suffix, "$"+usd+" / "+per)
			}
		}
	}
	rates(v.price.Rate, "")
	for _, above := range v.price.Thresholds() {
		rates(func(c sluice.Class) (int64, bool) { return v.price.RateAbove(above, c) }, " above "+a.count(above))
	}
	if times := v.price.Times(); !times.One() {
		add("times", times.String())
	}
	add("source", v.Source+", as of "+v.AsOf)
	if v.Note != "" {
		add("note", v.Note)
	}
	text := a.layout(t)
	if v.FromText != "" {
		text += "\n" + printable(v.FromText, true)
	}
	if !a.utf8Locale() {
		text = strings.ReplaceAll(text, "×", "x")
	}
	return a.write(a.sign(text))
}

func (a *commands) priceExplainCommand() *cobra.Command {
	var flags priceFlags
	c := a.command("explain <log id>", "Show the arithmetic of a logged call's cost", func(cmd *cobra.Command, given []string) error {
		return a.explainPrice(cmd.Context(), given[0], &flags)
	})
	c.Args = args(1, 1)
	c.Long = "Counts and service tier come from the log, prices from the list in this program, as of the call's time, and what the\n" +
		"configuration and the account set above it: so after sluice price reprice, the arithmetic is that of the new cost.\n" +
		"Where the logged cost is another one, it says what the log knows of why."
	c.Example = "sluice price explain 019a7b3e-5f2c-7d10-8a4e-0123456789c0\nsluice price explain 019a7b3e-5f2c-7d10-8a4e-0123456789c0 --tier flex"
	flags.add(c.Flags())
	flags.addFactors(c.Flags())
	return c
}

func (a *commands) explainPrice(ctx context.Context, id string, flags *priceFlags) error {
	catalogue, err := a.catalogue(ctx, flags)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	e, err := c.Log(ctx, id)
	if err != nil {
		return err
	}
	l, err := loggedCost(e.Raw)
	if err != nil {
		return err
	}
	row := l.entry(e)
	f := flags.f
	f.ServiceTier, f.InferenceGeo = or(f.ServiceTier, l.Tier), or(f.InferenceGeo, l.Geo)
	p, m, found := catalogue.ForEntry(&row)
	if !found {
		return unpriced(row.Provider, or(row.Served, row.Model))
	}
	v := answer(catalogue, p, m, row.Usage, f)
	account := catalogue.Account(&row, f)
	v.account(&account)
	v.Logged = e.Cost
	if !sameMoney(v.Cost, e.Cost) {
		v.FromText += l.difference(e.Cost, v.Version)
	}
	return a.showPrice(v)
}

// difference tells why the logged cost is not the one that the list makes, as far as the log knows.
func (l *logged) difference(cost *json.Number, version string) string {
	switch {
	case cost == nil:
		return "logged: no cost\n"
	case l.Basis == "reported":
		return "logged: " + cost.String() + " USD, as the provider reported it\n"
	case l.Basis == "custom":
		return "logged: " + cost.String() + " USD, by the price that the request named\n"
	case l.Prices != "" && l.Prices != version:
		return "logged: " + cost.String() + " USD, by the list " + l.Prices + "; this one is " + version + "\n"
	}
	return "logged: " + cost.String() + " USD, by a price that this list does not have\n"
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// sameMoney compares amounts, however they are written.
func sameMoney(a, b *json.Number) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, known := price.ReportedUSD(a.String())
	y, also := price.ReportedUSD(b.String())
	return known && also && x == y
}

// logged is what the API tells of a call's cost beside its amount.
type logged struct {
	Usage  client.Counts `json:"usage"`
	Tier   string        `json:"service_tier"`
	Geo    string        `json:"inference_geo"`
	Basis  string        `json:"cost_basis"`
	Prices string        `json:"prices"` // version of the list
}

// loggedCost reads an entry's counts and what else its cost was made of.
func loggedCost(entry json.RawMessage) (logged, error) {
	var l logged
	err := json.Unmarshal(entry, &l)
	return l, err
}

// entry is the log's entry again, as far as its cost depends on it.
func (l *logged) entry(e *client.Entry) sluice.LogEntry {
	row := sluice.LogEntry{
		Start: e.CreatedAt, Provider: e.Provider, Model: e.Model, Served: text(e.ServedModel),
		Usage: countsOf(l.Usage), Tier: l.Tier, Geo: l.Geo,
	}
	if e.Cached {
		row.Cache = sluice.CacheHit
	}
	for _, c := range e.Charges {
		row.Charges = append(row.Charges, sluice.Charge{Model: c.Model, Tier: text(c.Tier), Usage: countsOf(c.Usage)})
	}
	for _, t := range e.Attempts {
		row.Attempts = append(row.Attempts, sluice.Attempt{
			Provider: t.Provider, Model: t.Model, Cause: text(t.Cause), Usage: countsOf(t.Usage),
		})
	}
	return row
}

// countsOf reads counts as the API has them.
func countsOf(counts client.Counts) sluice.Usage {
	var u sluice.Usage
	if string(counts["basis"]) == `"cached"` {
		u.Basis = sluice.BasisCached
	}
	for name, count := range counts {
		if class, known := price.ClassNamed(name); known && class != price.Requests {
			if n, err := strconv.ParseInt(string(count), 10, 64); err == nil {
				u.Set(class, n)
			}
		}
	}
	return u
}

func (a *commands) priceUpdateCommand() *cobra.Command {
	c := a.command("update", "Make the server read its price catalogue anew", func(cmd *cobra.Command, _ []string) error {
		api, err := a.client()
		if err != nil {
			return err
		}
		p, err := api.RefreshPrices(cmd.Context())
		if err != nil {
			return err
		}
		if !contains([]string{"table", "wide"}, a.flags.output) {
			err = a.show(view{raw: p.Raw})
		} else {
			err = a.write(fmt.Sprintf("prices %s of %s, %d models, from %s\n", p.Version, p.Date, p.Models, printable(p.Source, false)))
		}
		if err == nil && p.Error != "" {
			return &failure{code: exitFailed, what: "the catalogue was not taken: " + printable(p.Error, false), hint: "the one before stays in use; docs/prices.md shows the form"}
		}
		return err
	})
	c.Args = args(0, 0)
	c.Long = "The server reads prices.source, a file or an https address. A catalogue that is broken, older or much smaller than\nthe one in use is refused, and the old one kept."
	c.Example = "sluice price update"
	return c
}
