package price

import (
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

//go:embed catalogue.json
var embedded string

// Embedded returns the catalogue that this program was built with. It is read anew by each call, which
// takes some milliseconds: keep it.
func Embedded() *Catalogue {
	c, err := parse(embedded)
	if err != nil {
		panic(err) // a test reads it too: a program that was built well never comes here
	}
	return c
}

// Catalogue is a list of prices as of a day. It is immutable and safe for concurrent use.
type Catalogue struct {
	version   string
	date      time.Time
	count     int // rows without overrides
	providers []provider
	byID      map[string]int
}

// provider is one provider's rows and what is said about all of them.
type provider struct {
	id      string
	like    []string // providers whose rows are asked when none of these fits
	strip   []string // what may stand in front of a name without changing the model
	factors []factor
	models  []*Model
	byName  map[string]*Model
	loose   []loose
	over    []loose // the operator's patterns, which go before all rows
}

// loose is one pattern and its row; the most specific comes first.
type loose struct {
	pattern string
	plain   string // what is between the stars, in lower case, where they are at the ends only; else ""
	model   *Model
}

func newLoose(pattern string, m *Model) loose {
	l := loose{pattern: pattern, model: m}
	if plain := strings.Trim(pattern, "*"); !strings.ContainsAny(plain, "*#") {
		l.plain = strings.ToLower(plain)
	}
	return l
}

// fits tells whether a name fits, which low is in lower case. Most patterns are a part of a name: that is
// quicker to look for.
func (l *loose) fits(name, low string) bool {
	if l.plain == "" {
		return glob(l.pattern, name)
	}
	front, back := l.pattern[0] == '*', l.pattern[len(l.pattern)-1] == '*'
	switch {
	case front && back:
		return strings.Contains(low, l.plain)
	case front:
		return strings.HasSuffix(low, l.plain)
	case back:
		return strings.HasPrefix(low, l.plain)
	}
	return low == l.plain
}

// Version names the catalogue; it is stored with every cost that it gave.
func (c *Catalogue) Version() string { return c.version }

// Date is the day that the catalogue was made.
func (c *Catalogue) Date() time.Time { return c.date }

// Len is how many rows it has, overrides left out.
func (c *Catalogue) Len() int { return c.count }

// Models walks the rows by provider, each as the catalogue lists it.
func (c *Catalogue) Models() iter.Seq[*Model] {
	return func(yield func(*Model) bool) {
		for i := range c.providers {
			for _, m := range c.providers[i].models {
				if !yield(m) {
					return
				}
			}
		}
	}
}

func (c *Catalogue) provider(id string) *provider {
	if i, ok := c.byID[id]; ok {
		return &c.providers[i]
	}
	return nil
}

func (c *Catalogue) add(p provider) {
	if c.byID == nil {
		c.byID = make(map[string]int, 64)
	}
	c.byID[p.id] = len(c.providers)
	c.providers = append(c.providers, p)
}

// index makes the rows findable. A name may stand for one row only.
func (p *provider) index() error {
	p.byName = make(map[string]*Model, 3*len(p.models))
	for _, m := range p.models {
		m.Provider = p.id
		if err := p.claim(m.Name, m); err != nil {
			return err
		}
		for _, a := range m.Aliases {
			if err := p.claim(a, m); err != nil {
				return err
			}
		}
		for i := range m.prices {
			m.prices[i].price.factors = factorsOf(p.factors, m.Name)
		}
		for _, pattern := range m.Patterns {
			if !strings.HasPrefix(pattern, "!") {
				p.loose = append(p.loose, newLoose(pattern, m))
			}
		}
	}
	slices.SortStableFunc(p.loose, func(a, b loose) int { return weight(b.pattern) - weight(a.pattern) })
	return nil
}

// claim gives a name to a row, in its own spelling and in lower case, which holds where no row has that.
func (p *provider) claim(name string, m *Model) error {
	if had := p.byName[name]; had != nil && had != m && (had.Name == name || had.hasAlias(name)) {
		return fmt.Errorf("%s: two rows for %q", p.id, name)
	}
	p.byName[name] = m
	if low := strings.ToLower(name); low != name && p.byName[low] == nil {
		p.byName[low] = m
	}
	return nil
}

func (m *Model) hasAlias(name string) bool { return slices.Contains(m.Aliases, name) }

// weight orders patterns: the more text one spells out, the more it says.
func weight(pattern string) int {
	return len(pattern) - strings.Count(pattern, "*") - strings.Count(pattern, "#")
}

// factorsOf picks the rules that hold for a model.
func factorsOf(all []factor, name string) []factor {
	var own []factor
	for _, f := range all {
		if len(f.match) == 0 || matchAny(f.match, name) {
			own = append(own, f)
		}
	}
	return own
}

// AcceptOver says whether c may replace old, nil or why not. A list that is older, that lost a provider
// or a tenth of its rows, or where many prices moved tenfold is more likely broken than true.
func (c *Catalogue) AcceptOver(old *Catalogue) error {
	if old == nil {
		return nil
	}
	if c.date.Before(old.date) {
		return fmt.Errorf("it is of %s, the one in use of %s", c.date.Format(time.DateOnly), old.date.Format(time.DateOnly))
	}
	if c.count < old.count-old.count/10 {
		return fmt.Errorf("it has %d models, the one in use %d", c.count, old.count)
	}
	for i := range old.providers {
		was := &old.providers[i]
		now := c.provider(was.id)
		if now == nil && len(was.models) > 0 {
			return fmt.Errorf("it has no prices of %s", was.id)
		}
		if now != nil && len(now.models) < len(was.models)/2 {
			return fmt.Errorf("it has %d models of %s, the one in use %d", len(now.models), was.id, len(was.models))
		}
	}
	if moved, of := c.leaps(old); moved > 2 && moved > of/10 {
		return errors.New("many prices moved tenfold: its unit must be another")
	}
	return nil
}

// leaps counts the rows that both have, and those whose price for a class moved tenfold or more.
func (c *Catalogue) leaps(old *Catalogue) (moved, of int) {
	at := c.date.AddDate(0, 0, 1)
	for was := range old.Models() {
		p := c.provider(was.Provider)
		if p == nil || p.byName[was.Name] == nil {
			continue
		}
		a, b := was.At(at), p.byName[was.Name].At(at)
		if a == nil || b == nil {
			continue
		}
		of++
		for m := range Requests + 1 {
			x, had := a.base.get(m)
			y, has := b.base.get(m)
			if had && has && (x > 0 && y >= 10*x || y > 0 && x >= 10*y) {
				moved++
				break
			}
		}
	}
	return moved, of
}
