package price

import (
	"strings"
	"time"
)

// How says by which rule a name found its row.
type How uint8

// The rules, in the order in which they are tried.
const (
	HowNone     How = iota
	HowOverride     // the operator's own price
	HowName         // the row's name
	HowAlias        // another name that the row lists
	HowDated        // the name without the date or version at its end
	HowPrefix       // the name without the vendor, path or region in front
	HowPattern      // a pattern of the row
)

// String returns the rule as explanations show it.
func (h How) String() string {
	return [...]string{"none", "override", "name", "alias", "dated name", "prefix", "pattern"}[h]
}

// Match says which row priced a call, and why that one.
type Match struct {
	Model *Model // the row; its Provider may be another one that has the same prices
	How   How
}

// Find returns what a model cost at a time. provider is Sluice's slug, model the name that the answer
// gives or else the one that was asked for. ok is false when no row fits or its prices had not begun:
// the model is unpriced, which is not free.
//
// It tries the name, other names of the row, the name without a date at its end, the name without a
// vendor or path in front, the rows' patterns, and the name without a region in front; then the same with the providers whose list the
// provider follows (Azure: OpenAI's). It does not allocate, unless the name has capital letters that its
// row has not.
func (c *Catalogue) Find(provider, model string, at time.Time) (*Price, Match, bool) {
	p := c.provider(provider)
	if p == nil || model == "" || len(model) > maxText {
		return nil, Match{}, false
	}
	m, how := p.find(model)
	for i := 0; m == nil && i < len(p.like); i++ {
		m, how = c.provider(p.like[i]).find(model)
	}
	if m == nil {
		return nil, Match{}, false
	}
	price := m.At(at)
	return price, Match{m, how}, price != nil
}

// maxStrips bounds how many prefixes one name may carry.
const maxStrips = 3

func (p *provider) find(model string) (*Model, How) {
	if len(p.over) > 0 { // a name of the operator's goes before patterns
		if m := p.lookup(model); m != nil && m.override {
			return m, HowOverride
		}
	}
	for i := range p.over {
		if p.over[i].fits(model, strings.ToLower(model)) {
			return p.over[i].model, HowOverride
		}
	}
	if m, how := p.exact(model); m != nil {
		return m, how
	}
	name := model
	for range maxStrips {
		rest, ok := p.without(name, true)
		if !ok {
			break
		}
		if m, _ := p.exact(rest); m != nil {
			return m, HowPrefix
		}
		name = rest
	}
	if m := p.byPattern(name); m != nil {
		return m, HowPattern
	}
	if rest, ok := p.without(name, false); ok {
		if m, _ := p.exact(rest); m != nil {
			return m, HowPrefix
		}
		if m := p.byPattern(rest); m != nil {
			return m, HowPattern
		}
	}
	return nil, HowNone
}

// exact finds a name as it is, then without what dates it.
func (p *provider) exact(name string) (*Model, How) {
	if m := p.lookup(name); m != nil {
		if m.override {
			return m, HowOverride
		}
		if m.Name == name {
			return m, HowName
		}
		return m, HowAlias
	}
	if stem := undated(name); stem != name {
		if m := p.lookup(stem); m != nil {
			return m, HowDated
		}
	}
	return nil, HowNone
}

func (p *provider) lookup(name string) *Model {
	if m := p.byName[name]; m != nil {
		return m
	}
	for i := range len(name) {
		if 'A' <= name[i] && name[i] <= 'Z' {
			return p.byName[strings.ToLower(name)]
		}
	}
	return nil
}

// without cuts one prefix off: a path, which ends with a slash and means nothing, or a region, whose
// own prices go first. A path that ends in "*/" reaches to the last slash.
func (p *provider) without(name string, paths bool) (string, bool) {
	for _, prefix := range p.strip {
		if strings.HasSuffix(prefix, "/") != paths {
			continue
		}
		stem, path := strings.CutSuffix(prefix, "*/")
		rest, ok := strings.CutPrefix(name, stem)
		if ok && path {
			slash := strings.LastIndexByte(rest, '/')
			rest, ok = rest[slash+1:], slash >= 0
		}
		if ok && rest != "" {
			return rest, true
		}
	}
	return name, false
}

func (p *provider) byPattern(name string) *Model {
	low := strings.ToLower(name)
	for i := range p.loose {
		l := &p.loose[i]
		if l.fits(name, low) && !excluded(l.model.Patterns, name) {
			return l.model
		}
	}
	return nil
}

// undated returns a name without the date or version behind it: -2026-01-02, -20260102, @20260102,
// -001, -latest, @default.
func undated(name string) string {
	for _, tail := range [...]string{"-####-##-##", "-########", "@########", "-00#", "-latest", "@latest", "@default"} {
		if at := len(name) - len(tail); at > 0 && glob(tail, name[at:]) {
			return name[:at]
		}
	}
	return name
}

// matchAny tells whether a name fits one of the patterns and none of those that exclude.
func matchAny(patterns []string, name string) bool {
	if excluded(patterns, name) {
		return false
	}
	for _, p := range patterns {
		if !strings.HasPrefix(p, "!") && glob(p, name) {
			return true
		}
	}
	return false
}

func excluded(patterns []string, name string) bool {
	for _, p := range patterns {
		if not, ok := strings.CutPrefix(p, "!"); ok && glob(not, name) {
			return true
		}
	}
	return false
}

// glob tells whether all of name fits the pattern: * is any text, # one digit, letters of either case.
func glob(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && fits(pattern[p], name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func fits(p, c byte) bool {
	if p == '#' {
		return '0' <= c && c <= '9'
	}
	return lower(p) == lower(c)
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
