package routing

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
)

// Parse reads a route's elements, a JSON list, and returns the graph with what was found. The graph is nil where
// an issue is an error.
func Parse(text []byte) (*Graph, Issues) {
	p := &parser{index: map[string]int{}}
	p.parse(text)
	if len(p.issues.Errors()) > 0 {
		return nil, p.issues
	}
	p.graph.Start = slices.IndexFunc(p.graph.Elements, func(e Element) bool { return e.Type == TypeStart })
	p.walk()
	if len(p.issues.Errors()) > 0 {
		return nil, p.issues
	}
	return &p.graph, p.issues
}

// parser gathers what it reads and what is wrong with it.
type parser struct {
	graph  Graph
	issues Issues
	index  map[string]int // of elements by id
	nodes  []node

	at int // the element that is being read
}

func (p *parser) parse(text []byte) {
	if len(text) > MaxBytes {
		p.whole(fmt.Sprintf("the elements take %d bytes; %d is the most", len(text), MaxBytes), "")
		return
	}
	tree, err := parseTree(text)
	if err != nil {
		p.whole("the elements cannot be read: "+err.Error(), "")
		return
	}
	if tree.kind != kindList {
		p.whole("elements must be a list, not "+tree.kind.String(), `[{"id":"start","type":"start","outputs":{"next":{"elementId":"…"}}}, …]`)
		return
	}
	if len(tree.items) > MaxElements {
		p.whole(fmt.Sprintf("there are %d elements; %d is the most", len(tree.items), MaxElements), "")
		return
	}
	p.nodes = tree.items
	p.heads()
	for i := range p.nodes {
		p.at = i
		if p.nodes[i].kind == kindObject {
			p.element(&p.nodes[i])
		}
	}
}

// heads reads ids and types, which outputs refer to.
func (p *parser) heads() {
	p.graph.Elements = make([]Element, len(p.nodes))
	starts := 0
	for i := range p.nodes {
		p.at = i
		e := &p.graph.Elements[i]
		e.Yes, e.No = None, None
		if p.nodes[i].kind != kindObject {
			p.wrong("", "an element must be an object, not "+p.nodes[i].kind.String(), "")
			continue
		}
		p.head(&p.nodes[i], e)
		if e.Type == TypeStart {
			starts++
		}
	}
	if starts != 1 {
		p.whole(fmt.Sprintf("there are %d start elements; a route has exactly one", starts), "")
	}
}

func (p *parser) head(n *node, e *Element) {
	id, _ := n.find("id")
	switch {
	case id == nil || id.text() == "":
		p.wrong("id", "an element needs an id, a text that is not empty", "")
	case utf8.RuneCountInString(id.text()) > maxID || strings.ContainsFunc(id.text(), unicode.IsControl):
		p.wrong("id", fmt.Sprintf("an id has at most %d characters, and none of control", maxID), "")
	default:
		e.ID = id.text()
		if first, taken := p.index[e.ID]; taken {
			p.wrong("id", fmt.Sprintf("elements[%d] has this id already", first), "give each element an id of its own")
		} else {
			p.index[e.ID] = p.at
		}
	}
	name, _ := n.find("type")
	if name == nil {
		p.wrong("type", "an element needs a type", "one of "+typeNames())
		return
	}
	s := specs()[name.text()]
	if s.read == nil {
		p.wrong("type", "there is no such type of element", "one of "+typeNames())
		return
	}
	e.Type = s.is
}

// spec is what a type of element has.
type spec struct {
	is       Type
	outputs  []string // that it must have; the first leads to Yes, the second to No
	optional []string // the same, after those that it must have
	named    bool     // it has outputs of any name, which read takes
	read     func(p *parser, e *Element, n *node)
}

// specs has the types by what they are called.
func specs() map[string]spec {
	rate := spec{TypeRate, []string{"success"}, []string{"fallback"}, false, (*parser).rate}
	return map[string]spec{
		"start":       {TypeStart, []string{"next"}, nil, false, func(*parser, *Element, *node) {}},
		"conditional": {TypeConditional, []string{"true", "false"}, nil, false, (*parser).conditional},
		"percentage":  {TypePercentage, nil, nil, true, (*parser).percentage},
		"rate":        rate,
		"rate_limit":  rate,
		"model":       {TypeModel, []string{"success"}, []string{"fallback"}, false, (*parser).model},
		"end":         {TypeEnd, nil, nil, false, func(*parser, *Element, *node) {}},
	}
}

func typeNames() string { return "start, conditional, percentage, rate, model, end" }

// element reads all but the head.
func (p *parser) element(n *node) {
	name, _ := n.find("type")
	if name == nil {
		return
	}
	e := &p.graph.Elements[p.at]
	s := specs()[name.text()]
	if s.read == nil {
		return
	}
	outputs, found := n.find("outputs")
	if !found {
		outputs = &node{kind: kindObject}
	}
	if outputs.kind != kindObject {
		p.wrong("outputs", "outputs must be an object, not "+outputs.kind.String(), `"outputs": {"next": {"elementId": "…"}}`)
		return
	}
	if !s.named {
		p.outputs(e, &s, outputs)
	}
	s.read(p, e, n)
}

func (p *parser) outputs(e *Element, s *spec, outputs *node) {
	names := slices.Concat(s.outputs, s.optional)
	for i, to := range []*int{&e.Yes, &e.No}[:len(names)] {
		name := names[i]
		if out, found := outputs.find(name); found {
			*to = p.target("outputs."+name, out)
		} else if i < len(s.outputs) {
			p.wrong("outputs."+name, "the output "+name+" leads nowhere", `give it an element: {"elementId": "…"}`)
		} else if s.is == TypeModel {
			p.warn("outputs."+name, "without the output fallback the route ends when the model fails", "")
		}
	}
	for i := range outputs.members {
		if name := outputs.members[i].name; !slices.Contains(names, name) {
			has := "none"
			if len(names) > 0 {
				has = strings.Join(names, " and ")
			}
			p.wrong("outputs."+printable(name), "a "+string(s.is)+" element has no such output", "it has "+has)
		}
	}
}

// target returns the index of the element that an output leads to.
func (p *parser) target(field string, out *node) int {
	var id *node
	if out.kind == kindObject {
		id, _ = out.find("elementId")
	}
	if id == nil || id.kind != kindText {
		p.wrong(field, `an output is an object with the id of an element: {"elementId": "…"}`, "")
		return None
	}
	to, found := p.index[id.text()]
	if !found {
		p.wrong(field+".elementId", "there is no element "+quote(id.text()), "add it, or lead this output to another")
		return None
	}
	return to
}

// percentage reads outputs whose names are their shares.
func (p *parser) percentage(e *Element, n *node) {
	outputs, _ := n.find("outputs")
	if outputs == nil {
		outputs = &node{}
	}
	sum := 0
	for i := range outputs.members {
		m := &outputs.members[i]
		field := "outputs." + printable(m.name)
		to := p.target(field, &m.node)
		if m.name == "else" {
			e.No = to
			continue
		}
		parts, ok := parseShare(m.name)
		if !ok {
			p.wrong(field, "an output of a percentage element is called as its share, or else", `for example "10%" or "33.33%": above 0, at most 100, two decimals`)
			continue
		}
		sum += parts
		e.Shares = append(e.Shares, Share{parts, to})
	}
	_, rest := outputs.find("else")
	switch {
	case len(e.Shares) == 0:
		p.wrong("outputs", "a percentage element needs an output with a share", `for example "50%"`)
	case len(e.Shares) > maxShares:
		p.wrong("outputs", fmt.Sprintf("a percentage element has at most %d outputs with a share", maxShares), "")
	case sum > 10_000:
		p.wrong("outputs", "the shares are "+percent(sum)+" together; they may be 100% at most", "")
	case sum < 10_000 && !rest:
		p.wrong("outputs.else", "the shares are "+percent(sum)+" together, and the rest leads nowhere", "add the output else")
	case sum == 10_000 && rest:
		p.warn("outputs.else", "the shares are 100% together: nothing is left for else", "")
	}
}

func percent(parts int) string { return strconv.FormatFloat(float64(parts)/100, 'f', -1, 64) + "%" }

// parseShare reads "10%" as parts of 10,000.
func parseShare(name string) (parts int, ok bool) {
	digits, isPercent := strings.CutSuffix(name, "%")
	whole, decimals, _ := strings.Cut(digits, ".")
	if !isPercent || whole == "" || len(whole) > 3 || len(decimals) > 2 || strings.Trim(whole+decimals, "0123456789") != "" {
		return 0, false
	}
	parts, err := strconv.Atoi(whole + (decimals + "00")[:2])
	return parts, err == nil && parts > 0 && parts <= 10_000
}

// properties returns the element's properties, with which each type but start, percentage and end has to do.
// What is not known by any of names is pointed out.
func (p *parser) properties(n *node, names ...string) *node {
	props, found := n.find("properties")
	if !found || props.kind != kindObject {
		p.wrong("properties", "properties must be an object", "it has "+strings.Join(names, ", "))
		return nil
	}
	for i := range props.members {
		if name := props.members[i].name; !slices.Contains(names, name) {
			p.warn("properties."+printable(name), "this property is not known, and means nothing", "known are "+strings.Join(names, ", "))
		}
	}
	return props
}

// either returns the property that has one of two spellings.
func (p *parser) either(props *node, name, other string) (*node, string) {
	a, hasA := props.find(name)
	b, hasB := props.find(other)
	switch {
	case hasA && hasB:
		p.wrong("properties."+other, other+" is another spelling of "+name+", and both are there", "keep one")
		return nil, name
	case hasB:
		return b, other
	case hasA:
		return a, name
	}
	p.wrong("properties."+name, name+" is missing", "")
	return nil, name
}

func (p *parser) conditional(e *Element, n *node) {
	props := p.properties(n, "conditions", "condition")
	if props == nil {
		return
	}
	value, name := p.either(props, "conditions", "condition")
	if value == nil {
		return
	}
	r := conditionReader{p: p}
	c := r.query("properties."+name, value, 0)
	e.When = &c
}

// Most of what windows and waits may be.
const (
	maxWindow  = 366 * 24 * 3600 // seconds
	maxTimeout = 3_600_000       // milliseconds
	maxRetries = 10
	maxCount   = 1 << 53
	maxCost    = 1e9 // dollars
)

func (p *parser) rate(e *Element, n *node) {
	props := p.properties(n, "limitType", "key", "limit", "window", "interval", "technique")
	if props == nil {
		return
	}
	e.Rate = &Rate{}
	if window, name := p.either(props, "window", "interval"); window != nil {
		seconds, ok := window.whole()
		if !ok || seconds < 1 || seconds > maxWindow {
			p.wrong("properties."+name, fmt.Sprintf("%s must be a whole number of seconds from 1 to %d", name, maxWindow), "")
		}
		e.Rate.Window = time.Duration(seconds) * time.Second
	}
	if key, found := props.find("key"); !found || key.kind != kindText {
		p.wrong("properties.key", "key must name a value of the request", "for example metadata.user_id")
	} else {
		e.Rate.Key, _ = p.field("properties.key", key.text())
	}
	if technique, found := props.find("technique"); found {
		if t := technique.text(); t != "fixed" && t != "sliding" {
			p.wrong("properties.technique", "technique must be fixed or sliding", "")
		}
		e.Rate.Sliding = technique.text() == "sliding"
	}
	p.rateLimit(e.Rate, props)
}

func (p *parser) rateLimit(r *Rate, props *node) {
	limitType, limit := &node{}, &node{}
	for name, into := range map[string]**node{"limitType": &limitType, "limit": &limit} {
		if n, found := props.find(name); found {
			*into = n
		}
	}
	switch limitType.text() {
	case "count":
		count, ok := limit.whole()
		if !ok || count < 1 || count > maxCount {
			p.wrong("properties.limit", "limit must be a whole number of requests, 1 at least", "")
		}
		r.Count = count
	case "cost":
		cost, ok := limit.dollars()
		if !ok {
			p.wrong("properties.limit", "limit must be a number of dollars above 0", "for example 2.5")
		}
		r.Cost = cost
	default:
		p.wrong("properties.limitType", "limitType must be count or cost", "")
	}
}

func (p *parser) model(e *Element, n *node) {
	props := p.properties(n, "provider", "model", "timeout", "retries")
	if props == nil {
		return
	}
	e.Model = &Model{}
	for _, s := range []struct {
		name string
		into *string
	}{{"provider", &e.Model.Provider}, {"model", &e.Model.Model}} {
		v, found := props.find(s.name)
		if !found || v.text() == "" || len(v.text()) > maxText || strings.ContainsFunc(v.text(), unicode.IsControl) {
			p.wrong("properties."+s.name, s.name+" must be a text that is not empty", "")
			continue
		}
		*s.into = v.text()
	}
	for _, number := range []struct {
		name string
		most int64
		set  func(int64)
	}{
		{"timeout", maxTimeout, func(n int64) { e.Model.Timeout = time.Duration(n) * time.Millisecond }},
		{"retries", maxRetries, func(n int64) { e.Model.Retries = int(n) }},
	} {
		v, found := props.find(number.name)
		if !found || v.kind == kindNull {
			continue
		}
		n, ok := v.whole()
		if !ok || n < 0 || n > number.most {
			p.wrong("properties."+number.name, fmt.Sprintf("%s must be a whole number from 0 to %d", number.name, number.most), "")
			continue
		}
		number.set(n)
	}
}

// whole returns a number without a fraction. Some clients write 300 as 300.0 or 3e2.
func (n *node) whole() (int64, bool) {
	text := n.number()
	if text == "" {
		return 0, false
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, true
	}
	x, err := json.Number(text).Float64()
	if err != nil || x < -maxCount || x > maxCount || x != float64(int64(x)) {
		return 0, false
	}
	return int64(x), true
}

// dollars returns a number of dollars above 0 exactly, as far as there are nano-dollars.
func (n *node) dollars() (sluice.NanoUSD, bool) {
	text := n.number()
	// The float says how large it is: exact arithmetic on 1e999999999 would take for ever.
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) > 64 || x < 1e-9 || x > maxCost {
		return 0, false
	}
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	exact.Mul(exact, big.NewRat(1e9, 1))
	return sluice.NanoUSD(new(big.Int).Quo(exact.Num(), exact.Denom()).Int64()), true
}

// whole adds an issue with the route as a whole.
func (p *parser) whole(msg, hint string) {
	p.issues = append(p.issues, Issue{Field: "elements", Message: msg, Hint: hint})
}

// wrong adds an error in the element that is being read.
func (p *parser) wrong(field, msg, hint string) { p.add(field, msg, hint, false) }

// warn adds a warning in the element that is being read.
func (p *parser) warn(field, msg, hint string) { p.add(field, msg, hint, true) }

func (p *parser) add(field, msg, hint string, warning bool) {
	at := fmt.Sprintf("elements[%d]", p.at)
	if field != "" {
		at += "." + field
	}
	p.issues = append(p.issues, Issue{Element: p.graph.Elements[p.at].ID, Field: at, Message: msg, Hint: hint, Warning: warning})
}

// quote shows a text that somebody sent.
func quote(s string) string { return "'" + printable(s) + "'" }

// printable returns at most 64 characters of s, without those of control.
func printable(s string) string {
	const most = 64
	runes := []rune(s)
	end := ""
	if len(runes) > most {
		runes, end = runes[:most], "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, string(runes)) + end
}
