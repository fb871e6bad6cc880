package price

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/sluicehq/sluice"
)

// Override is a price of the operator's own. Make it with NewOverride.
type Override struct {
	Provider string
	Model    string // a name, or a pattern: * is any text, # one digit
	Source   string // where it was set; "": "override"
	AsOf     string // the day that it was set, YYYY-MM-DD; "": the catalogue's
	as       string // "provider/model" whose prices hold
	times    Ratio
	rates    rates
}

// NewOverride checks an operator's price. usd has the price in US dollars as decimal text by class:
// "input", "output", "cache_read", "cache_write_5m", … for a million tokens or characters; "requests",
// "web_searches", "search_units", "images" and "pages" for a thousand; "seconds", "minutes" or "hours" of
// hardware or audio for one.
//
// An override says all there is to say: a listed price that it leaves out is gone, so that an old
// cached price never stands beside a new input price. as, "provider/model", takes another row's prices
// instead; times, "1.1" or "1/2", multiplies what as or usd give. Errors have KindInvalid.
func NewOverride(provider, model, as, times string, usd map[string]string) (Override, error) {
	o := Override{Provider: provider, Model: model, as: as, times: Ratio{1, 1}}
	if provider == "" || model == "" || len(provider) > maxText || len(model) > maxText {
		return Override{}, invalid("price", "a price needs a provider and a model")
	}
	if times != "" {
		var ok bool
		if o.times, ok = parseRatio(times); !ok {
			return Override{}, invalid("times", fmt.Sprintf("%q is no multiplier", times))
		}
	}
	if other, name, _ := strings.Cut(as, "/"); as != "" && (other == "" || name == "") {
		return Override{}, invalid("as", fmt.Sprintf("%q: want provider/model", as))
	}
	if (as == "") == (len(usd) == 0) {
		return Override{}, invalid("price", "a price needs either prices or the model whose prices it takes")
	}
	classes := meters()
	for name, text := range usd {
		c, per, ok := peopleUnit(name, classes)
		if !ok {
			return Override{}, invalid(name, fmt.Sprintf("%q is nothing that has a price", name))
		}
		nano, ok := nanoRate(c, text, per)
		if !ok {
			return Override{}, invalid(name, fmt.Sprintf("%q is no price in US dollars, or has more places than a nano-dollar", text))
		}
		o.rates.set(c, nano)
	}
	return o, nil
}

func invalid(field, msg string) error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: field, Msg: msg}
}

// peopleUnit tells what an operator's price of that name is for: a class, and how many of its units.
// Tokens and characters, which are not here, are priced by the million, under their classes' names.
func peopleUnit(name string, classes map[string]sluice.Class) (c sluice.Class, per int64, ok bool) {
	switch name {
	case "seconds":
		return sluice.Milliseconds, 1_000, true
	case "minutes":
		return sluice.Milliseconds, 60_000, true
	case "hours":
		return sluice.Milliseconds, 3_600_000, true
	}
	c, ok = classes[name]
	if isToken(c) || c == sluice.Characters {
		return c, 1_000_000, ok
	}
	return c, 1_000, ok && c != sluice.Milliseconds
}

// nanoRate converts a price in US dollars for per units to nano-USD for Per(c) units; it must come out
// even.
func nanoRate(c sluice.Class, usd string, per int64) (nano int64, ok bool) {
	r, ok := parseDecimal(usd)
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(nanoPerUSD, 1))
	r.Mul(r, big.NewRat(Per(c), per))
	if !r.IsInt() || !r.Num().IsInt64() || r.Num().Int64() > maxRate {
		return 0, false
	}
	return r.Num().Int64(), true
}

// With returns a catalogue with the operator's prices on top; c stays as it is. Of two for the same
// model the later holds. One that takes the prices of a row that is not there leaves its model
// unpriced, which shows, where the listed price would be wrong in silence.
func (c *Catalogue) With(over []Override) *Catalogue {
	if len(over) == 0 {
		return c
	}
	n := *c
	n.providers = slices.Clone(c.providers)
	n.byID = maps.Clone(c.byID)
	own := map[string]bool{}
	for _, o := range over {
		p := n.provider(o.Provider)
		if p == nil {
			n.add(provider{id: o.Provider})
			p = n.provider(o.Provider)
		}
		if !own[o.Provider] {
			own[o.Provider] = true
			p.byName = maps.Clone(p.byName)
			p.models = slices.Clone(p.models)
			p.over = slices.Clone(p.over)
			if p.byName == nil {
				p.byName = map[string]*Model{}
			}
		}
		p.put(o.model(c, p))
	}
	return &n
}

// put lists an override, before or instead of what had its name.
func (p *provider) put(m *Model) {
	if strings.ContainsAny(m.Name, "*#") {
		p.over = slices.Insert(p.over, 0, newLoose(m.Name, m))
		p.models = append(p.models, m)
		return
	}
	at := slices.IndexFunc(p.models, func(had *Model) bool { return had.Name == m.Name })
	if at >= 0 {
		p.models[at] = m
	} else {
		p.models = append(p.models, m)
	}
	p.byName[m.Name] = m
	p.byName[strings.ToLower(m.Name)] = m
}

func (o *Override) model(c *Catalogue, p *provider) *Model {
	m := &Model{Provider: o.Provider, Name: o.Model, Source: cmp.Or(o.Source, "override"), AsOf: cmp.Or(o.AsOf, c.date.Format(time.DateOnly)), override: true}
	if o.as == "" {
		m.prices = []dated{{price: Price{base: o.rates, times: o.times, factors: factorsOf(p.factors, o.Model)}}}
		return m
	}
	m.Note = "as " + o.as
	other, name, _ := strings.Cut(o.as, "/")
	if q := c.provider(other); q != nil {
		if like, _ := q.find(name); like != nil {
			m.prices = slices.Clone(like.prices)
			for i := range m.prices {
				m.prices[i].price.times = o.times
			}
		}
	}
	return m
}
