package routing

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// conditionReader reads one condition, a query as MongoDB writes it.
type conditionReader struct {
	p     *parser
	terms int
}

// query reads an object whose members must all hold.
func (r *conditionReader) query(at string, n *node, depth int) Condition {
	all := Condition{Op: OpAnd}
	switch {
	case n.kind != kindObject:
		r.p.wrong(at, "a condition must be an object, not "+n.kind.String(), `for example {"metadata.plan": {"$eq": "free"}}`)
		return all
	case len(n.members) == 0:
		r.p.wrong(at, "the condition is empty", `for example {"metadata.plan": {"$eq": "free"}}`)
		return all
	case depth > maxDepth:
		r.p.wrong(at, fmt.Sprintf("conditions lie more than %d deep in each other", maxDepth), "")
		return all
	}
	for i := range n.members {
		m := &n.members[i]
		place := at + "." + printable(m.name)
		switch {
		case m.name == string(OpAnd) || m.name == string(OpOr):
			all.Of = append(all.Of, r.join(place, Op(m.name), &m.node, depth))
		case strings.HasPrefix(m.name, "$"):
			r.p.wrong(place, "no such operator stands here", "$and and $or join conditions; all others stand behind a field")
		default:
			all.Of = append(all.Of, r.fieldTest(place, m, depth)...)
		}
	}
	if len(all.Of) == 1 {
		return all.Of[0]
	}
	return all
}

// join reads the list behind $and or $or.
func (r *conditionReader) join(at string, op Op, n *node, depth int) Condition {
	c := Condition{Op: op}
	if n.kind != kindList || len(n.items) == 0 {
		r.p.wrong(at, string(op)+" needs a list of conditions", "")
		return c
	}
	for i := range n.items {
		c.Of = append(c.Of, r.query(fmt.Sprintf("%s[%d]", at, i), &n.items[i], depth+1))
	}
	return c
}

// fieldTest reads what a field must be: a value, or an object of operators.
func (r *conditionReader) fieldTest(at string, m *member, depth int) []Condition {
	f, ok := r.p.field(at, m.name)
	if !ok {
		return nil
	}
	if m.kind != kindObject {
		eq := member{string(OpEq), m.node}
		return r.test(at, f, &eq, nil)
	}
	return r.tests(at, f, &m.node, depth)
}

// tests reads an object of operators.
func (r *conditionReader) tests(at string, f Field, n *node, depth int) []Condition {
	if len(n.members) == 0 {
		r.p.wrong(at, "there is no operator", `for example {"$eq": "free"}`)
	}
	var all []Condition
	for i := range n.members {
		m := &n.members[i]
		place := at + "." + printable(m.name)
		switch {
		case m.name == "$options":
			if _, has := n.find(string(OpRegex)); !has {
				r.p.wrong(place, "$options belongs to $regex", "")
			}
		case m.name != string(OpNot):
			all = append(all, r.test(place, f, m, n)...)
		case m.kind != kindObject:
			r.p.wrong(place, "$not needs an object of operators", `for example {"$not": {"$in": ["a", "b"]}}`)
		case depth >= maxDepth:
			r.p.wrong(place, fmt.Sprintf("conditions lie more than %d deep in each other", maxDepth), "")
		default:
			of := r.tests(place, f, &m.node, depth+1)
			all = append(all, Condition{Op: OpNot, Of: []Condition{{Op: OpAnd, Of: of}}})
		}
	}
	return all
}

// test reads one operator with its value; beside it stand the other operators of the field.
func (r *conditionReader) test(at string, f Field, m *member, beside *node) []Condition {
	if r.terms++; r.terms > maxTerms {
		if r.terms == maxTerms+1 {
			r.p.wrong(at, fmt.Sprintf("a condition has at most %d tests", maxTerms), "")
		}
		return nil
	}
	c := Condition{Op: Op(m.name), Field: f}
	wrong := ""
	switch c.Op {
	case OpEq, OpNe:
		wrong = c.take(&m.node, kindNull, kindBool, kindNumber, kindText)
	case OpGt, OpGte, OpLt, OpLte:
		wrong = c.take(&m.node, kindNumber, kindText)
	case OpIn, OpNin:
		wrong = c.takeList(&m.node)
	case OpExists:
		wrong = c.take(&m.node, kindBool)
	case OpRegex:
		if wrong = c.take(&m.node, kindText); wrong == "" {
			wrong = c.compile(beside)
		}
	default:
		r.p.wrong(at, "there is no such operator", "there are $eq $ne $gt $gte $lt $lte $in $nin $exists $not $regex, and $and $or around conditions")
		return nil
	}
	if wrong == "" && f.Source == SourceHeader && c.Op != OpExists {
		for _, v := range c.Values {
			if _, isText := v.(string); !isText && v != nil {
				wrong = "needs texts here: a header's value is one"
			}
		}
	}
	if wrong != "" {
		r.p.wrong(at, m.name+" "+wrong, "")
		return nil
	}
	return []Condition{c}
}

// take takes a value of one of the kinds, or says what is wrong.
func (c *Condition) take(n *node, kinds ...kind) string {
	if !slices.Contains(kinds, n.kind) {
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.String()
		}
		return "needs " + strings.Join(names, " or ") + ", not " + n.kind.String()
	}
	v := n.value
	switch n.kind {
	case kindNumber:
		x, err := json.Number(n.number()).Float64()
		if err != nil {
			return "has a number that is out of range"
		}
		v = x
	case kindText:
		if len(n.text()) > maxText {
			return fmt.Sprintf("has a text of more than %d bytes", maxText)
		}
	}
	c.Values = append(c.Values, v)
	return ""
}

func (c *Condition) takeList(n *node) string {
	if n.kind != kindList || len(n.items) == 0 || len(n.items) > maxValues {
		return fmt.Sprintf("needs a list of 1 to %d values", maxValues)
	}
	for i := range n.items {
		if wrong := c.take(&n.items[i], kindNull, kindBool, kindNumber, kindText); wrong != "" {
			return wrong
		}
	}
	return ""
}

// compile reads the pattern of $regex, with the $options beside it. Patterns are RE2's: they take time in
// proportion to the text, whatever they are.
func (c *Condition) compile(beside *node) string {
	pattern, _ := c.Values[0].(string)
	if len(pattern) > maxPattern {
		return fmt.Sprintf("has a pattern of more than %d bytes", maxPattern)
	}
	if beside != nil {
		if options, found := beside.find("$options"); found {
			flags := options.text()
			if flags == "" || strings.Trim(flags, "ims") != "" || len(flags) > 3 {
				return "knows the $options i, m and s"
			}
			pattern = "(?" + flags + ")" + pattern
		}
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "has a pattern that cannot be read (RE2 syntax)"
	}
	c.Regexp = re
	return ""
}

// maxPath bounds how deep a field lies.
const maxPath = 10

// field reads the name of a value of the request.
func (p *parser) field(at, name string) (Field, bool) {
	source, rest, _ := strings.Cut(name, ".")
	f := Field{Source: Source(source)}
	if source == "header" {
		f.Source = SourceHeader
	}
	known := f.Source == SourceBody || f.Source == SourceHeader || f.Source == SourceMetadata
	if !known || rest == "" || len(name) > maxText || strings.ContainsFunc(name, unicode.IsControl) {
		p.wrong(at, "no value of a request is called "+quote(name), "it begins with body., headers. or metadata., for example metadata.user_id")
		return f, false
	}
	f.Path = []string{rest}
	switch f.Source {
	case SourceHeader:
		f.Path[0] = strings.ToLower(rest)
	case SourceBody:
		f.Path = strings.Split(rest, ".")
	}
	if len(f.Path) > maxPath || slices.Contains(f.Path, "") {
		p.wrong(at, fmt.Sprintf("a path has 1 to %d names with dots between", maxPath), "")
		return f, false
	}
	return f, true
}
