package reqlog

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// ParseFilter reads the filter language that FilterHelp explains. Its errors have sluice.KindInvalid
// with Field "q", and a Hint where there is one to give.
func ParseFilter(s string) (Filter, error) {
	if len(s) > maxFilterBytes {
		return Filter{}, invalid(fmt.Sprintf("the filter is longer than %d bytes", maxFilterBytes), "")
	}
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return Filter{}, invalid("the filter is not valid UTF-8 text", "")
	}
	p := filterParser{rest: s}
	var f Filter
	for p.skipSpace(); p.rest != ""; p.skipSpace() {
		t, err := p.term()
		if err != nil {
			return Filter{}, err
		}
		f.Terms = append(f.Terms, t)
	}
	// What cannot be compiled is refused here, where somebody can still correct it.
	if _, err := f.Compile(time.Unix(0, 0)); err != nil {
		return Filter{}, err
	}
	return f, nil
}

type filterParser struct{ rest string }

const filterSpace = " \t\r\n"

func (p *filterParser) skipSpace() { p.rest = strings.TrimLeft(p.rest, filterSpace) }

func (p *filterParser) take(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

// term reads one condition.
func (p *filterParser) term() (Term, error) {
	var t Term
	t.Not = len(p.rest) > 1 && !strings.ContainsRune(filterSpace, rune(p.rest[1])) && p.take("-")
	name, ok := p.name()
	if !ok {
		t.Field, t.Op = FieldText, OpContains
		return t, p.values(&t, true)
	}
	lower := strings.ToLower(name)
	for _, prefix := range [...]string{"meta.", "metadata."} {
		if rest, isMeta := strings.CutPrefix(lower, prefix); isMeta && rest != "" {
			if lower == "metadata.key" || lower == "metadata.value" {
				break
			}
			t.Key = name[len(prefix):]
			lower = string(FieldMeta)
			break
		}
	}
	f, ok := findField(lower)
	if !ok {
		hint := suggest(lower)
		if hint == "" {
			hint = "to look for this text, put it between quotation marks"
		}
		return t, invalid(fmt.Sprintf("unknown field %q", clip(name)), hint)
	}
	t.Field, t.Op = f.name, f.deflt
	return t, p.valuesOf(f, &t)
}

// name reads a field's name and its colon, if that is what stands next. A metadata key may be quoted.
func (p *filterParser) name() (string, bool) {
	var name strings.Builder
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == ':':
			p.rest = p.rest[i+1:]
			return name.String(), name.Len() > 0
		case c == '"' && name.Len() > 0 && p.rest[i-1] == '.':
			key, n, ok := unquote(p.rest[i:])
			if !ok {
				return "", false
			}
			name.WriteString(key)
			i += n - 1
		case c == '"', c == ',', c == '\\', strings.IndexByte(filterSpace, c) >= 0:
			return "", false
		default:
			name.WriteByte(c)
		}
	}
	return "", false
}

// unquote reads a quoted text at the beginning of s and returns it with its length in s.
func unquote(s string) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '"':
			return b.String(), i + 1, true
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

// valuesOf reads the relation and the values of a field's term.
func (p *filterParser) valuesOf(f field, t *Term) error {
	for _, rel := range [...]struct {
		sign string
		op   Op
	}{{">=", OpGte}, {"<=", OpLte}, {">", OpGt}, {"<", OpLt}, {"~", OpContains}, {"=", OpEq}} {
		if p.take(rel.sign) {
			t.Op = rel.op
			break
		}
	}
	if err := p.values(t, f.patterns()); err != nil {
		return err
	}
	if len(t.Values) != 1 {
		if t.Op != OpEq && t.Op != OpContains {
			return invalid(fmt.Sprintf("%s: more or less than several values", f.name), "write "+f.example)
		}
		return nil
	}
	low, high, ok := strings.Cut(t.Values[0], "..")
	if ok && !f.patterns() && t.Op == OpEq {
		switch {
		case low == "" && high == "":
			return badValue(f, t.Values[0])
		case low == "":
			t.Op, t.Values[0] = OpLte, high
		case high == "":
			t.Op, t.Values[0] = OpGte, low
		default:
			t.Op = OpBetween
		}
	}
	return nil
}

// patterns reports whether the field's values are patterns.
func (f *field) patterns() bool { return f.kind == kindText || f.kind == kindMeta }

// values reads the comma-separated values up to the next space.
func (p *filterParser) values(t *Term, patterns bool) error {
	for {
		v, quoted, err := p.value(patterns)
		if err != nil {
			return err
		}
		if v == "" && !quoted {
			return invalid("a value is missing", `an empty text is written ""`)
		}
		t.Values = append(t.Values, v)
		if !p.take(",") {
			break
		}
	}
	if p.rest != "" && strings.IndexByte(filterSpace, p.rest[0]) < 0 {
		return invalid(fmt.Sprintf("a space is missing before %q", clip(p.rest)), "")
	}
	return nil
}

// value reads one value: quoted, or bare up to a comma or space.
func (p *filterParser) value(patterns bool) (v string, quoted bool, err error) {
	if strings.HasPrefix(p.rest, `"`) {
		text, n, ok := unquote(p.rest)
		if !ok {
			return "", false, invalid("a quotation mark is not closed", "")
		}
		p.rest = p.rest[n:]
		if patterns {
			text = Literal(text)
		}
		return text, true, nil
	}
	var b strings.Builder
	i := 0
	for ; i < len(p.rest); i++ {
		c := p.rest[i]
		if c == ',' || strings.IndexByte(filterSpace, c) >= 0 {
			break
		}
		if c == '\\' {
			i++
			if i == len(p.rest) {
				return "", false, invalid("a backslash stands at the end", `a backslash itself is written \\`)
			}
			if c = p.rest[i]; patterns && (c == '*' || c == '\\') {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(c)
	}
	p.rest = p.rest[i:]
	return b.String(), false, nil
}

// String returns the filter in the language, so that ParseFilter of it gives the same Filter.
func (f Filter) String() string {
	var b strings.Builder
	for i, t := range f.Terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		t.write(&b)
	}
	return b.String()
}

func (t Term) write(b *strings.Builder) {
	if t.Not {
		b.WriteByte('-')
	}
	f, _ := findField(string(t.Field))
	plain := t.Field == FieldText && t.Op == OpContains // written without a name, always quoted or escaped
	if !plain {
		b.WriteString(string(t.Field))
		if t.Field == FieldMeta && t.Key != "" {
			b.WriteByte('.')
			writeKey(b, t.Key)
		}
		b.WriteByte(':')
		b.WriteString(relSign(t.Op, f.deflt))
	}
	for i, v := range t.Values {
		if i > 0 {
			b.WriteByte(',')
		}
		switch {
		case f.patterns():
			writePattern(b, v, plain)
		case bare(v):
			b.WriteString(v)
		default:
			b.WriteString(quote(v))
		}
	}
}

// relSign returns what stands before the values.
func relSign(op, deflt Op) string {
	switch op {
	case OpGt:
		return ">"
	case OpGte:
		return ">="
	case OpLt:
		return "<"
	case OpLte:
		return "<="
	case deflt, OpBetween:
		return ""
	case OpContains:
		return "~"
	}
	return "="
}

// bare reports whether a text can stand without quotes.
func bare(s string) bool {
	return s != "" && !strings.ContainsAny(s, filterSpace+`",\`) && !strings.ContainsAny(s[:1], "<>=~-")
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// writeKey writes a metadata key, quoted unless it looks like a name.
func writeKey(b *strings.Builder, key string) {
	for i := range len(key) {
		c := key[i] | 0x20
		if ('a' > c || c > 'z') && ('0' > key[i] || key[i] > '9') && key[i] != '_' && key[i] != '-' {
			b.WriteString(quote(key))
			return
		}
	}
	b.WriteString(key)
}

// writePattern writes a text field's value: quoted when it stands for itself alone, else with
// backslashes, since stars mean themselves between quotes.
func writePattern(b *strings.Builder, pattern string, plain bool) {
	literal, isLiteral := unpattern(pattern)
	switch {
	case isLiteral && !plain && bare(literal) && !strings.Contains(literal, "*"):
		b.WriteString(literal)
		return
	case isLiteral:
		b.WriteString(quote(literal))
		return
	}
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			b.WriteByte(c)
			i++
			c = pattern[i]
		case strings.IndexByte(filterSpace+`",:`, c) >= 0, i == 0 && strings.IndexByte("<>=~-", c) >= 0:
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
}

// unpattern returns the text that the pattern stands for, unless it has stars.
func unpattern(pattern string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		if c == '*' {
			return "", false
		}
		if c == '\\' && i+1 < len(pattern) {
			i++
			c = pattern[i]
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// suggest returns a hint that names the field that name was probably meant to be, or "".
func suggest(name string) string {
	best, at := "", 3
	for _, f := range filterFields() {
		for _, known := range append([]string{string(f.name)}, f.aliases...) {
			if d := distance(name, known); d < at && d < len(known) {
				best, at = known, d
			}
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// distance is how many letters must be changed, added or left out to come from a to b.
func distance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
