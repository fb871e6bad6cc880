package reqlog

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Range is the numbers from Lo to Hi, both included. With None it is instead the unknown value.
type Range struct {
	Lo, Hi int64
	None   bool
}

func (r Range) has(n int64, known bool) bool {
	if r.None {
		return !known
	}
	return known && r.Lo <= n && n <= r.Hi
}

// Cond is a Term made ready for use: its values are read and checked. It is what an Index translates
// into its own query language. Exactly one of its parts is meant, told by Form.
type Cond struct {
	Field Field
	Key   string // of FieldMeta
	Not   bool
	Form  Form
	// Ranges are the numbers that pass, in the field's unit: microseconds of durations, nano-USD of
	// money, unix milliseconds of times, 1 and 0 of yes and no; status codes for FormStatus.
	Ranges  []Range
	Classes []StatusClass // of FormStatus: any of these passes too
	IDs     []sluice.ID   // of FormID, of the requests themselves

	globs []glob
	field field
	term  Term
}

// String returns the condition in the filter language, Not left aside: conditions that are written
// alike are alike.
func (c *Cond) String() string {
	t := c.term
	t.Not = false
	return Filter{[]Term{t}}.String()
}

// Literals returns the texts that MatchText accepts, in lower case, if they are few and known.
func (c *Cond) Literals() ([]string, bool) {
	texts := make([]string, len(c.globs))
	for i, g := range c.globs {
		if len(g.pieces) != 1 {
			return nil, false
		}
		texts[i] = g.pieces[0]
	}
	return texts, len(texts) > 0
}

// Form is how a Cond is to be tested.
type Form uint8

// The forms.
const (
	FormText   Form = iota // MatchText of the field's text
	FormNumber             // any of Ranges
	FormStatus             // any of Ranges has the status code, or any of Classes the row
	FormID                 // any of IDs
	FormMeta               // MatchMeta of the row's metadata
	FormWords              // MatchText of any text of the row that FieldText looks at
)

// Compile reads the term's values. now is what FieldRange counts from. The error has
// sluice.KindInvalid and says what is wrong.
func (t Term) Compile(now time.Time) (Cond, error) {
	f, ok := findField(string(t.Field))
	if !ok {
		return Cond{}, invalid(fmt.Sprintf("unknown field %q", t.Field), suggest(string(t.Field)))
	}
	if len(t.Values) == 0 {
		return Cond{}, invalid(fmt.Sprintf("%s has no value", f.name), "write "+f.example)
	}
	c := Cond{Field: f.name, Key: t.Key, Not: t.Not, field: f, term: t}
	var err error
	switch f.kind {
	case kindText:
		c.Form = FormText
		if f.name == FieldText {
			c.Form = FormWords
		}
		c.globs, err = globs(f, t)
	case kindMeta:
		c.Form = FormMeta
		if t.Op == OpEq || t.Op == OpContains {
			c.globs, err = globs(f, t)
		} else {
			c.Ranges, err = ranges(f, t, now)
		}
	case kindID:
		c.Form = FormID
		c.IDs, err = ids(f, t)
	case kindStatus:
		c.Form = FormStatus
		c.Ranges, c.Classes, err = statuses(f, t, now)
	default:
		c.Form = FormNumber
		c.Ranges, err = ranges(f, t, now)
	}
	return c, err
}

// MatchText reports whether the text meets the condition, Not left aside.
func (c *Cond) MatchText(text string) bool {
	for i := range c.globs {
		if c.globs[i].match(text) {
			return true
		}
	}
	return false
}

// MatchMeta reports whether the metadata meets the condition, Not left aside.
func (c *Cond) MatchMeta(meta []sluice.MetaValue) bool {
	for i := range meta {
		switch {
		case c.Field == FieldMetaKey:
			if c.MatchText(meta[i].Key) {
				return true
			}
		case c.Key != "" && c.Key != meta[i].Key:
		case c.globs != nil:
			if c.MatchText(meta[i].Value) {
				return true
			}
		default:
			n, ok := metaNumber(meta[i].Value)
			if ok && c.hasNumber(n, true) {
				return true
			}
		}
	}
	return false
}

// Match reports whether the row meets the condition, Not included.
func (c *Cond) Match(e *sluice.LogEntry) bool { return c.matchPlain(e) != c.Not }

func (c *Cond) matchPlain(e *sluice.LogEntry) bool {
	switch c.Form {
	case FormNumber:
		return c.hasNumber(c.field.number(e))
	case FormStatus:
		for i := range c.Classes {
			if c.Classes[i].has(e) {
				return true
			}
		}
		return c.hasNumber(int64(e.Status), e.Status != 0)
	case FormID:
		for _, id := range c.IDs {
			if id == e.ID.WithAttempt(0) {
				return true
			}
		}
		return false
	case FormMeta:
		return c.MatchMeta(e.Metadata)
	case FormWords:
		return c.matchWords(e)
	}
	return c.MatchText(c.field.text(e))
}

func (c *Cond) hasNumber(n int64, known bool) bool {
	for _, r := range c.Ranges {
		if r.has(n, known) {
			return true
		}
	}
	return false
}

// matchWords looks where a person would expect a word to be found, as far as rows go: bodies are not
// among it.
func (c *Cond) matchWords(e *sluice.LogEntry) bool {
	for _, text := range [...]string{
		e.Path, e.ErrorText, e.ErrorKind, e.Provider, e.Model, e.Served, e.Endpoint, e.Key, e.UserAgent, e.EventID, e.TraceID,
	} {
		if c.MatchText(text) {
			return true
		}
	}
	for i := range e.Metadata {
		if c.MatchText(e.Metadata[i].Key) || c.MatchText(e.Metadata[i].Value) {
			return true
		}
	}
	return false
}

// Compile reads all terms' values; see Term.Compile.
func (f Filter) Compile(now time.Time) ([]Cond, error) {
	if len(f.Terms) > maxFilterTerms {
		return nil, invalid(fmt.Sprintf("more than %d conditions", maxFilterTerms), "")
	}
	conds, values := make([]Cond, len(f.Terms)), 0
	for i, t := range f.Terms {
		if values += len(t.Values); values > maxFilterValues {
			return nil, invalid(fmt.Sprintf("more than %d values", maxFilterValues), "")
		}
		var err error
		if conds[i], err = t.Compile(now); err != nil {
			return nil, err
		}
	}
	return conds, nil
}

// Match reports whether e passes: it says of a live row what List says of a stored one. A filter whose
// values cannot be read passes nothing. Who asks often compiles once and uses Cond.Match.
func (f Filter) Match(e *sluice.LogEntry) bool {
	conds, err := f.Compile(time.Now())
	if err != nil {
		return false
	}
	return MatchAll(conds, e)
}

// MatchAll reports whether e meets all conditions.
func MatchAll(conds []Cond, e *sluice.LogEntry) bool {
	for i := range conds {
		if !conds[i].Match(e) {
			return false
		}
	}
	return true
}

// glob is a pattern cut at its stars: the first piece begins the text, the last ends it, the others
// follow one another. One piece only is the whole text.
type glob struct{ pieces []string }

func newGlob(pattern string, contains bool) glob {
	var g glob
	if contains {
		g.pieces = append(g.pieces, "")
	}
	var piece strings.Builder
	cut := func() {
		g.pieces = append(g.pieces, strings.ToLower(piece.String()))
		piece.Reset()
	}
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			piece.WriteByte(pattern[i])
		case c == '*':
			cut()
		default:
			piece.WriteByte(c)
		}
	}
	cut()
	if contains {
		g.pieces = append(g.pieces, "")
	}
	return g
}

func (g *glob) match(text string) bool {
	text = strings.ToLower(text)
	if len(g.pieces) == 1 {
		return text == g.pieces[0]
	}
	first, last := g.pieces[0], g.pieces[len(g.pieces)-1]
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for _, piece := range g.pieces[1 : len(g.pieces)-1] {
		at := strings.Index(text, piece)
		if at < 0 {
			return false
		}
		text = text[at+len(piece):]
	}
	return strings.HasSuffix(text, last)
}

func globs(f field, t Term) ([]glob, error) {
	if t.Op != OpEq && t.Op != OpContains {
		return nil, invalid(fmt.Sprintf("%s is a text and has no order", f.name), "write "+f.example)
	}
	gs := make([]glob, len(t.Values))
	for i, v := range t.Values {
		gs[i] = newGlob(v, t.Op == OpContains)
	}
	return gs, nil
}

func ids(f field, t Term) ([]sluice.ID, error) {
	if t.Op != OpEq {
		return nil, invalid("an id is only equal or not", "write "+f.example)
	}
	list := make([]sluice.ID, len(t.Values))
	for i, v := range t.Values {
		id, err := sluice.ParseID(v)
		if err != nil {
			return nil, invalid(fmt.Sprintf("%q is no id", clip(v)), "write "+f.example)
		}
		list[i] = id.WithAttempt(0)
	}
	return list, nil
}

// ranges reads the values of a field that has an order.
func ranges(f field, t Term, now time.Time) ([]Range, error) {
	list := make([]Range, len(t.Values))
	for i, v := range t.Values {
		r, err := oneRange(f, t.Op, v, now)
		if err != nil {
			return nil, err
		}
		list[i] = r
	}
	return list, nil
}

func oneRange(f field, op Op, v string, now time.Time) (Range, error) {
	if op != OpEq && (f.kind == kindBool || f.kind == kindAge) {
		return Range{}, invalid(fmt.Sprintf("%s has no more and less", f.name), "write "+f.example)
	}
	if op == OpEq && v == "none" && f.kind != kindBool && f.kind != kindTime && f.kind != kindAge {
		return Range{None: true}, nil
	}
	if op == OpBetween {
		low, high, ok := strings.Cut(v, "..")
		if !ok {
			return Range{}, badValue(f, v)
		}
		a, err := span(f, low, now)
		if err != nil {
			return Range{}, err
		}
		b, err := span(f, high, now)
		return Range{Lo: a.Lo, Hi: b.Hi}, err
	}
	s, err := span(f, v, now)
	if err != nil {
		return Range{}, err
	}
	switch op {
	case OpEq:
		return s, nil
	case OpLt:
		return Range{Lo: math.MinInt64, Hi: s.Lo - 1}, nil
	case OpLte:
		return Range{Lo: math.MinInt64, Hi: s.Hi}, nil
	case OpGt:
		return Range{Lo: s.Hi + 1, Hi: math.MaxInt64}, nil
	case OpGte:
		return Range{Lo: s.Lo, Hi: math.MaxInt64}, nil
	}
	return Range{}, invalid(fmt.Sprintf("%s has no relation %q", f.name, string(op)), "write "+f.example)
}

// span is what one written value covers: a number itself, a day all its milliseconds. A fraction below
// the unit lies between two numbers, so that its span is empty with Lo above and Hi below it.
func span(f field, v string, now time.Time) (Range, error) {
	switch f.kind {
	case kindBool:
		switch strings.ToLower(v) {
		case "yes", "true", "1", "on":
			return Range{Lo: 1, Hi: 1}, nil
		case "no", "false", "0", "off":
			return Range{Lo: 0, Hi: 0}, nil
		}
	case kindTime:
		if r, ok := timeSpan(v); ok {
			return r, nil
		}
	case kindAge:
		if r, ok := scaled(v, ageUnits(), ""); ok && r.Lo > 0 && r.Lo < math.MaxInt64/4 {
			return Range{Lo: now.UnixMilli() - r.Lo, Hi: math.MaxInt64 / 2}, nil
		}
	case kindDuration:
		if r, ok := scaled(v, durationUnits(), "ms"); ok {
			return r, nil
		}
	case kindMoney:
		if r, ok := scaled(strings.TrimPrefix(v, "$"), []unit{{"", 1e9}}, ""); ok {
			return r, nil
		}
	case kindMeta:
		if r, ok := scaled(v, []unit{{"k", 1e9}, {"m", 1e12}, {"", 1e6}}, ""); ok {
			return r, nil
		}
	case kindNumber, kindStatus:
		if r, ok := scaled(v, []unit{{"k", 1e3}, {"m", 1e6}, {"", 1}}, ""); ok {
			return r, nil
		}
	}
	return Range{}, badValue(f, v)
}

type unit struct {
	name string
	n    int64
}

// durationUnits are in microseconds but for the nanosecond, which is below: it stands as 0.
func durationUnits() []unit {
	return []unit{
		{"ns", 0}, {"us", 1}, {"µs", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}, {"d", 86400e6},
	}
}

// ageUnits are in milliseconds.
func ageUnits() []unit {
	return []unit{{"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}, {"w", 7 * 86400e3}}
}

// scaled reads a decimal number with a unit; bare is the unit of one without.
func scaled(v string, units []unit, bare string) (Range, bool) {
	digits := strings.TrimRight(strings.ToLower(v), "abcdefghijklmnopqrstuvwxyzµ")
	name := strings.ToLower(v)[len(digits):]
	if name == "" {
		name = bare
	}
	if len(digits) == 0 || len(digits) > 40 || strings.Trim(digits, "0123456789.-+") != "" {
		return Range{}, false
	}
	x, ok := new(big.Rat).SetString(digits)
	if !ok {
		return Range{}, false
	}
	for _, u := range units {
		if u.name != name {
			continue
		}
		if u.n == 0 {
			x.Quo(x, big.NewRat(1000, 1))
		} else {
			x.Mul(x, big.NewRat(u.n, 1))
		}
		return wholes(x)
	}
	return Range{}, false
}

// wholes returns x as a span of whole numbers.
func wholes(x *big.Rat) (Range, bool) {
	floor := new(big.Int).Div(x.Num(), x.Denom()) // Euclidean: down, as denominators are positive
	if !floor.IsInt64() || floor.Int64() > math.MaxInt64/2 || floor.Int64() < math.MinInt64/2 {
		return Range{}, false
	}
	n := floor.Int64()
	if !x.IsInt() {
		return Range{Lo: n + 1, Hi: n}, true
	}
	return Range{Lo: n, Hi: n}, true
}

// timeSpan reads a point in time or a calendar unit, in UTC unless it says otherwise.
func timeSpan(v string) (Range, bool) {
	for _, form := range [...]struct {
		layout string
		length time.Duration
	}{
		{time.DateOnly, 24 * time.Hour},
		{"2006-01-02T15", time.Hour},
		{"2006-01-02T15:04", time.Minute},
		{"2006-01-02T15:04:05", time.Second},
		{time.RFC3339, time.Millisecond},
	} {
		if t, err := time.Parse(form.layout, v); err == nil {
			return Range{Lo: t.UnixMilli(), Hi: t.UnixMilli() + form.length.Milliseconds() - 1}, true
		}
	}
	return Range{}, false
}

// metaNumber reads a metadata value as a number of millionths, rounded.
func metaNumber(v string) (int64, bool) {
	x, err := strconv.ParseFloat(v, 64)
	if x *= 1e6; err != nil || math.IsNaN(x) || math.Abs(x) > math.MaxInt64/4 {
		return 0, false
	}
	return int64(math.Round(x)), true
}

// StatusClass is a word that stands for several ways to end: a row belongs to it when any case holds.
type StatusClass struct {
	Name  string
	Help  string
	Cases []StatusCase
}

// StatusCase holds for a row when all that it says holds; what is zero says nothing.
type StatusCase struct {
	MinStatus, MaxStatus int
	Success              int8   // 1: yes, -1: no
	Endings              uint32 // a set: bit n is the Ending n
	Hit                  bool   // from the cache
}

const (
	endingsCancelled = 1<<sluice.EndingClientGone | 1<<sluice.EndingClientSlow
	endingsUnserved  = 1<<sluice.EndingUnreachable | 1<<sluice.EndingTimeout | 1<<sluice.EndingCut | 1<<sluice.EndingStalled | 1<<sluice.EndingErrorEvent
	endingsRunning   = 1 << sluice.EndingInFlight
	endingsAll       = math.MaxUint32
)

// StatusClasses lists the words that FieldStatus knows. A row may belong to several.
func StatusClasses() []StatusClass {
	return []StatusClass{
		{"ok", "it went well", []StatusCase{{Success: 1}}},
		{"error", "it did not, and the client had not left", []StatusCase{{Success: -1, Endings: endingsAll &^ (endingsCancelled | endingsRunning)}}},
		{"cached", "answered by the cache", []StatusCase{{Hit: true}}},
		{"cancelled", "the client left or took nothing", []StatusCase{{Endings: endingsCancelled}}},
		{"rate_limited", "429, the provider's or ours", []StatusCase{{MinStatus: 429, MaxStatus: 429}}},
		{"blocked", "refused by Sluice", []StatusCase{{Endings: 1 << sluice.EndingRefused}}},
		{"client_error", "4xx, unless the client left", []StatusCase{{MinStatus: 400, MaxStatus: 499, Endings: endingsAll &^ endingsCancelled}}},
		{"provider_error", "5xx, or no whole answer from the provider", []StatusCase{{MinStatus: 500, MaxStatus: 599}, {Endings: endingsUnserved}}},
		{"in_flight", "still running", []StatusCase{{Endings: endingsRunning}}},
	}
}

func statusWords() string {
	var names []string
	for _, c := range StatusClasses() {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

func (c *StatusClass) has(e *sluice.LogEntry) bool {
	for _, s := range c.Cases {
		if (s.MinStatus == 0 || s.MinStatus <= e.Status && e.Status <= s.MaxStatus) &&
			(s.Success == 0 || (s.Success > 0) == e.Success) &&
			(s.Endings == 0 || s.Endings&(1<<e.Ending) != 0) &&
			(!s.Hit || e.Cache == sluice.CacheHit) {
			return true
		}
	}
	return false
}

func statuses(f field, t Term, now time.Time) (codes []Range, classes []StatusClass, err error) {
	for _, v := range t.Values {
		word := strings.ToLower(v)
		if word == "canceled" {
			word = "cancelled"
		}
		if t.Op == OpEq {
			if len(word) == 3 && '1' <= word[0] && word[0] <= '5' && word[1:] == "xx" {
				low := int64(word[0]-'0') * 100
				codes = append(codes, Range{Lo: low, Hi: low + 99})
				continue
			}
			if i := statusClass(word); i >= 0 {
				classes = append(classes, StatusClasses()[i])
				continue
			}
		}
		r, err := oneRange(f, t.Op, word, now)
		if err != nil {
			return nil, nil, invalid(fmt.Sprintf("status has no value %q", clip(v)), "a code, 4xx, or one of "+statusWords())
		}
		codes = append(codes, r)
	}
	return codes, classes, nil
}

func statusClass(word string) int {
	for i, c := range StatusClasses() {
		if c.Name == word {
			return i
		}
	}
	return -1
}

func badValue(f field, v string) error {
	return invalid(fmt.Sprintf("%s cannot be %q", f.name, clip(v)), "write "+f.example)
}

// clip shortens what an error repeats.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

func invalid(msg, hint string) error {
	return &sluice.Error{Kind: sluice.KindInvalid, Field: "q", Msg: msg, Hint: hint}
}
