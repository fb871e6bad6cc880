package price

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluicehq/sluice"
)

// Bounds of a catalogue. The embedded one has a tenth of each at most.
const (
	MaxBytes     = 16 << 20 // of its text
	maxProviders = 1_000
	maxModels    = 50_000
	maxNames     = 200_000
	maxRate      = 1 << 50 // nano-USD: above a million dollars for a million units
	maxVariants  = 64
	maxTiers     = 8
	maxFactors   = 64
	maxText      = 512
)

// schema is the version of the form that this package reads.
const schema = 1

// Parse reads a catalogue: JSON, schema 1, as docs/prices.md describes it. It is strict, so that a
// damaged or a misunderstood list is refused whole: unknown and repeated keys, prices that are no whole
// numbers, names that two rows of a provider claim, and anything beyond the bounds are errors.
func Parse(text []byte) (*Catalogue, error) { return parse(string(text)) }

func parse(text string) (*Catalogue, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("price list: larger than %d bytes", MaxBytes)
	}
	p := parser{scanner: scanner{text: text}, c: &Catalogue{}, meters: meters()}
	p.catalogue()
	p.end()
	if p.err == nil {
		p.check()
	}
	if p.err != nil {
		return nil, fmt.Errorf("price list: %w", p.err)
	}
	return p.c, nil
}

type parser struct {
	scanner
	c       *Catalogue
	schema  int64
	meters  map[string]sluice.Class
	sources []string
	models  int
	names   int
}

func (p *parser) catalogue() {
	p.object(func(key string) {
		switch key {
		case "schema":
			if p.schema = p.whole(1 << 20); p.schema != schema {
				p.fail("schema %d; this program reads schema %d", p.schema, schema)
			}
		case "version":
			p.c.version = p.short()
		case "date":
			p.c.date = p.day()
		case "sources":
			p.sources = p.texts(maxVariants)
		case "providers":
			p.array(p.provider)
		default:
			p.fail("unknown key %q", key)
		}
	})
}

// check wants what must not be missing.
func (p *parser) check() {
	c := p.c
	switch {
	case p.schema == 0, c.version == "", c.date.IsZero():
		p.fail("schema, version or date is missing")
	case p.models == 0:
		p.fail("it has no models")
	}
	for i := range c.providers {
		for _, id := range c.providers[i].like {
			if c.provider(id) == nil {
				p.fail("provider %q is like %q, which is not there", c.providers[i].id, id)
			}
		}
	}
	c.count = p.models
}

// short reads a text that a name may be.
func (p *parser) short() string {
	v := p.str()
	if v == "" || len(v) > maxText {
		p.fail("a text that is empty or longer than %d bytes", maxText)
	}
	return v
}

func (p *parser) texts(most int) []string {
	var list []string
	p.array(func() {
		if list = append(list, p.short()); len(list) > most {
			p.fail("a list of more than %d", most)
		}
	})
	return list
}

func (p *parser) day() time.Time {
	v := p.str()
	d, err := time.Parse(time.DateOnly, v)
	if err != nil {
		p.fail("%q is no day, YYYY-MM-DD", v)
	}
	return d
}

func (p *parser) provider() {
	if len(p.c.providers) >= maxProviders {
		p.fail("more than %d providers", maxProviders)
		return
	}
	v := provider{}
	p.object(func(key string) {
		switch key {
		case "id":
			v.id = p.short()
		case "like":
			v.like = p.texts(maxVariants)
		case "strip":
			v.strip = p.texts(maxVariants)
		case "factors":
			p.array(func() { v.factors = append(v.factors, p.factor(len(v.factors))) })
		case "models":
			p.array(func() { v.models = append(v.models, p.model()) })
		default:
			p.fail("unknown key %q", key)
		}
	})
	if p.err != nil {
		return
	}
	if v.id == "" || p.c.provider(v.id) != nil {
		p.fail("a provider without an id, or a second %q", v.id)
		return
	}
	if err := v.index(); err != nil {
		p.fail("%v", err)
		return
	}
	p.c.add(v)
}

func (p *parser) factor(before int) factor {
	f := factor{on: sluice.Input}
	p.object(func(key string) {
		switch key {
		case "when":
			f.when = p.short()
		case "is":
			f.is = p.short()
		case "times":
			text := p.str()
			var ok bool
			if f.times, ok = parseRatio(text); !ok {
				p.fail("%q is no multiplier", text)
			}
		case "on":
			if v := p.str(); v == "requests" {
				f.on = Requests
			} else if v != "tokens" {
				p.fail("%q: want requests or tokens", v)
			}
		case "models":
			f.match = p.texts(maxVariants)
		default:
			p.fail("unknown key %q", key)
		}
	})
	switch f.when {
	case "tier", "geo", "search_context":
	default:
		p.fail("when %q: want tier, geo or search_context", f.when)
	}
	if f.is == "" || f.times.Den == 0 || before >= maxFactors {
		p.fail("a factor without is or times, or too many of them")
	}
	return f
}

func (p *parser) model() *Model {
	m := &Model{}
	p.object(func(key string) {
		switch key {
		case "model":
			m.Name = p.short()
		case "aliases":
			m.Aliases = p.texts(maxKeys * 4)
		case "match":
			m.Patterns = p.texts(maxKeys * 4)
		case "source":
			if n := p.whole(maxVariants); n < int64(len(p.sources)) {
				m.Source = p.sources[n]
			} else {
				p.fail("source %d is not there", n)
			}
		case "as_of":
			if m.AsOf = p.str(); !isDay(m.AsOf) {
				p.fail("%q is no day, YYYY-MM-DD", m.AsOf)
			}
		case "note":
			m.Note = p.short()
		case "prices":
			p.array(func() { m.prices = append(m.prices, p.dated(len(m.prices))) })
		default:
			p.fail("unknown key %q", key)
		}
	})
	p.models++
	p.names += 1 + len(m.Aliases) + len(m.Patterns)
	switch {
	case p.models > maxModels || p.names > maxNames:
		p.fail("more than %d models or %d names", maxModels, maxNames)
	case m.Name == "" || len(m.prices) == 0:
		p.fail("a model without a name or prices: %q", m.Name)
	}
	return m
}

// isDay checks the shape of a date; which days a month has does not matter for a provenance.
func isDay(s string) bool {
	return len(s) == 10 && digits(s) == 4 && s[4] == '-' && digits(s[5:]) == 2 && s[7] == '-' && digits(s[8:]) == 2
}

func (p *parser) dated(before int) dated {
	if before >= maxVariants {
		p.fail("more than %d prices of one model", maxVariants)
	}
	d := dated{}
	p.object(func(key string) {
		switch key {
		case "from":
			d.from = p.day()
		case "hours":
			for _, h := range p.texts(maxTiers) {
				d.hours = append(d.hours, p.span(h))
			}
		case "least_ms":
			d.price.leastMS = p.whole(3_600_000)
		case "rates":
			d.price.base = p.rates()
		case "tiers":
			p.array(func() { d.price.tiers = append(d.price.tiers, p.tier(d.price.tiers)) })
		default:
			p.fail("unknown key %q", key)
		}
	})
	if d.price.base.known == 0 {
		p.fail("prices without rates")
	}
	return d
}

// span reads "HH:MM-HH:MM".
func (p *parser) span(text string) span {
	from, to, _ := strings.Cut(text, "-")
	a, err1 := time.Parse("15:04", from)
	b, err2 := time.Parse("15:04", to)
	if err1 != nil || err2 != nil || a.Equal(b) {
		p.fail("%q is no part of a day, HH:MM-HH:MM", text)
	}
	return span{a.Hour()*60 + a.Minute(), b.Hour()*60 + b.Minute()}
}

func (p *parser) tier(before []tier) tier {
	t := tier{}
	p.object(func(key string) {
		switch key {
		case "above":
			t.above = p.whole(1 << 40)
		case "rates":
			t.rates = p.rates()
		default:
			p.fail("unknown key %q", key)
		}
	})
	rising := len(before) == 0 || before[len(before)-1].above < t.above
	if t.above == 0 || t.rates.known == 0 || !rising || len(before) >= maxTiers {
		p.fail("tiers must rise, have rates, and be %d at most", maxTiers)
	}
	return t
}

func (p *parser) rates() rates {
	var r rates
	p.object(func(key string) {
		c, ok := p.meters[key]
		if !ok {
			p.fail("%q is no class of usage", key)
			return
		}
		r.set(c, p.whole(maxRate))
	})
	return r
}
