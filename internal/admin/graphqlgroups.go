package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// node is the reference's name of sums of requests.
const node = "AiGatewayRequestsAdaptiveGroups"

// graphQLDimension is what sums are split by.
type graphQLDimension struct {
	name  string
	group reqlog.Group  // of values; none: a time
	every time.Duration // of times
}

func graphQLDimensions() []graphQLDimension {
	return []graphQLDimension{
		{name: "model", group: reqlog.GroupModel},
		{name: "provider", group: reqlog.GroupProvider},
		{name: "gateway", group: reqlog.GroupGateway},
		{name: "metadataRaw", group: reqlog.GroupMetadata},
		{name: "datetimeMinute", every: time.Minute},
		{name: "datetimeFiveMinutes", every: 5 * time.Minute},
		{name: "datetimeFifteenMinutes", every: quarter},
		{name: "datetimeHour", every: time.Hour},
		{name: "datetimeSixHours", every: 6 * time.Hour},
		{name: "date", every: 24 * time.Hour},
	}
}

// at is what a time is within the dimension.
func (d *graphQLDimension) at(t time.Time) string {
	if d.name == "date" {
		return t.UTC().Format(time.DateOnly)
	}
	return t.UTC().Truncate(d.every).Format(time.RFC3339)
}

// graphQLSum is what is added up.
type graphQLSum struct {
	name  string
	value func(t *reqlog.Total) Value
}

func graphQLSums() []graphQLSum {
	sum := func(n int64) Value { return count(n) }
	in := func(t *reqlog.Total) int64 { return t.Tokens[sluice.Input] }
	out := func(t *reqlog.Total) int64 { return t.Tokens[sluice.Output] }
	return []graphQLSum{
		{"cost", func(t *reqlog.Total) Value {
			return Value{number: int64(t.Cost), places: 9, known: t.Priced > 0 || t.Cost != 0}
		}},
		{"cachedRequests", func(t *reqlog.Total) Value { return sum(t.Cached) }},
		{"erroredRequests", func(t *reqlog.Total) Value { return sum(t.Errors) }},
		{"uncachedTokensIn", func(t *reqlog.Total) Value { return sum(in(t)) }},
		{"uncachedTokensOut", func(t *reqlog.Total) Value { return sum(out(t)) }},
		{"cachedTokensIn", func(t *reqlog.Total) Value { return sum(t.SavedIn) }},
		{"cachedTokensOut", func(t *reqlog.Total) Value { return sum(t.SavedOut) }},
		{"tokensIn", func(t *reqlog.Total) Value { return sum(in(t) + t.SavedIn) }},
		{"tokensOut", func(t *reqlog.Total) Value { return sum(out(t) + t.SavedOut) }},
		{"totalTokens", func(t *reqlog.Total) Value { return sum(in(t) + out(t) + t.SavedIn + t.SavedOut) }},
	}
}

// graphQLSDL is the schema. Filters and orders are named by what they are of.
func graphQLSDL() string {
	var dimensions, sums, orders, filters strings.Builder
	for _, d := range graphQLDimensions() {
		kind := "string"
		if d.every > 0 {
			kind = "Time"
			for _, op := range []string{"", "_geq", "_gt", "_leq", "_lt"} {
				fmt.Fprintf(&filters, "%s%s: Time\n", d.name, op)
			}
		} else if d.name != "metadataRaw" {
			fmt.Fprintf(&filters, "%s: string\n%s_neq: string\n%s_in: [string!]\n", d.name, d.name, d.name)
		}
		fmt.Fprintf(&dimensions, "%s: %s\n", d.name, kind)
		fmt.Fprintf(&orders, "%s_ASC\n%s_DESC\n", d.name, d.name)
	}
	for _, s := range graphQLSums() {
		kind := "uint64"
		if s.name == "cost" {
			kind = "float64"
		}
		fmt.Fprintf(&sums, "%s: %s\n", s.name, kind)
		fmt.Fprintf(&orders, "%s_ASC\n%s_DESC\nsum_%s_ASC\nsum_%s_DESC\n", s.name, s.name, s.name, s.name)
	}
	const filter = "Account" + node + "Filter_InputObject"
	return `
scalar string
scalar uint64
scalar float64
scalar Time
scalar Date
type Query { viewer: viewer }
type viewer { accounts(filter: AccountFilter_InputObject, limit: uint64): [account!] }
input AccountFilter_InputObject { accountTag: string accountTag_in: [string!] }
type account {
  accountTag: string
  a` + node[1:] + `(limit: uint64, filter: ` + filter + `, orderBy: [Account` + node + `OrderBy!]): [Account` + node + `!]
}
type Account` + node + ` { count: uint64 dimensions: Account` + node + `Dimensions sum: Account` + node + `Sum }
type Account` + node + "Dimensions {\n" + dimensions.String() + `}
type Account` + node + "Sum {\n" + sums.String() + `}
enum Account` + node + "OrderBy {\ncount_ASC\ncount_DESC\n" + orders.String() + `}
input ` + filter + " {\nAND: [" + filter + "!]\ndatetime: Time\ndatetime_geq: Time\ndatetime_gt: Time\ndatetime_leq: Time\ndatetime_lt: Time\n" + filters.String() +
		"error: uint64\nmetadataKeys_has: string\nmetadataValues_has: string\nmetadataRaw_like: string\n}\n"
}

// newGraphQLSchema reads graphQLSDL, which is right.
func newGraphQLSchema() *ast.Schema {
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema", Input: graphQLSDL()})
}

// groupsQuery is one call of the node.
type groupsQuery struct {
	reqlog.TotalsQuery
	dimensions []graphQLDimension // that the answer is split by
	like       string             // pattern of metadataRaw, in lower case; "" none
	every      time.Duration      // of the finest time; 0: none
	order      []string
	limit      int
}

const (
	defaultGroups = 100
	maxGroups     = 10_000
	// defaultSpan is the range of a query that says none.
	defaultSpan = 30 * 24 * time.Hour
)

// adaptiveGroups answers the node.
func (x *graphQLExec) adaptiveGroups(ctx context.Context, account string, f *graphQLSelection) (any, error) {
	if x.groups++; x.groups > maxGraphQLGroups {
		return nil, gqlerror.ErrorPosf(f.Position, "more than %d sums in one query", maxGraphQLGroups)
	}
	q, err := x.readGroups(account, f)
	if err != nil {
		return nil, err
	}
	if err := x.caller.may(x.s.Settings(), Route{Role: RoleViewer}, account, q.Gateway); err != nil {
		return nil, err
	}
	totals, err := x.total(ctx, q)
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, min(len(totals), q.limit))
	for _, t := range totals[:min(len(totals), q.limit)] {
		one, err := x.object(ctx, f.all, func(ctx context.Context, f *graphQLSelection) (any, error) { return x.groupField(ctx, f, q, t) })
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// groupField answers one field of a group.
func (x *graphQLExec) groupField(ctx context.Context, f *graphQLSelection, q *groupsQuery, g *adaptiveGroup) (any, error) {
	switch f.Name {
	case "count":
		return g.total.Requests, nil
	case "dimensions":
		return x.object(ctx, f.all, func(_ context.Context, f *graphQLSelection) (any, error) { return g.values[f.Name], nil })
	}
	return x.object(ctx, f.all, func(_ context.Context, f *graphQLSelection) (any, error) {
		i := slices.IndexFunc(graphQLSums(), func(s graphQLSum) bool { return s.name == f.Name })
		return graphQLSums()[i].value(&g.total), nil // the schema has no others
	})
}

// readGroups reads the node's arguments, and what it is asked to split by.
func (x *graphQLExec) readGroups(account string, f *graphQLSelection) (*groupsQuery, error) {
	q := &groupsQuery{limit: defaultGroups}
	q.Account, q.NoTimes = account, true
	limit, err := x.argument(f, "limit")
	if err != nil {
		return nil, err
	}
	if limit != nil {
		n, ok := wholeNumber(limit)
		if !ok || n < 1 || n > maxGroups {
			return nil, gqlerror.ErrorPosf(f.Position, "limit is 1 to %d", maxGroups)
		}
		q.limit = int(n)
	}
	if err := x.readOrder(f, q); err != nil {
		return nil, err
	}
	filter, err := x.argument(f, "filter")
	if err != nil {
		return nil, err
	}
	of, _ := filter.(map[string]any)
	if err := x.readDimensions(f, q, of); err != nil {
		return nil, err
	}
	return q, x.readGroupsFilter(f, q, of)
}

func (x *graphQLExec) readOrder(f *graphQLSelection, q *groupsQuery) error {
	order, err := x.argument(f, "orderBy")
	if err != nil {
		return err
	}
	list, ok := order.([]any)
	if !ok && order != nil {
		list = []any{order}
	}
	for _, one := range list {
		name, ok := one.(string)
		if !ok || len(q.order) >= 10 {
			return gqlerror.ErrorPosf(f.Position, "orderBy is a list of at most 10 orders")
		}
		q.order = append(q.order, name)
	}
	return nil
}

// readDimensions learns what to split by: what the answer is to name, and what it is to be sorted by.
func (x *graphQLExec) readDimensions(f *graphQLSelection, q *groupsQuery, filter map[string]any) error {
	fields, err := x.collect(f.all, nil)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for i := range fields {
		if fields[i].Name != "dimensions" {
			continue
		}
		named, err := x.collect(fields[i].all, nil)
		if err != nil {
			return err
		}
		for j := range named {
			wanted[named[j].Name] = true
		}
	}
	for _, d := range graphQLDimensions() {
		if !wanted[d.name] {
			continue
		}
		q.dimensions = append(q.dimensions, d)
		if d.every > 0 && (q.every == 0 || d.every < q.every) {
			q.every = d.every
		}
	}
	q.like, _ = filter["metadataRaw_like"].(string)
	groups := []reqlog.Group{}
	for _, d := range q.dimensions {
		if d.group != reqlog.GroupNone {
			groups = append(groups, d.group)
		}
	}
	if q.like != "" && !slices.Contains(groups, reqlog.GroupMetadata) {
		groups = append(groups, reqlog.GroupMetadata)
	}
	if len(groups) > 0 {
		q.Group, q.Then = groups[0], groups[1:]
	}
	return nil
}

// bounds are the range that a filter leaves.
type bounds struct{ from, to time.Time }

func (b *bounds) atLeast(t time.Time) {
	if t.After(b.from) {
		b.from = t
	}
}

func (b *bounds) before(t time.Time) {
	if b.to.IsZero() || t.Before(b.to) {
		b.to = t
	}
}

// readGroupsFilter reads the node's filter.
func (x *graphQLExec) readGroupsFilter(f *graphQLSelection, q *groupsQuery, filter map[string]any) error {
	var b bounds
	if err := x.readConditions(f, q, filter, &b, 0); err != nil {
		return err
	}
	if b.to.IsZero() || b.to.After(x.now) {
		b.to = x.now
	}
	if b.from.IsZero() {
		b.from = b.to.Add(-defaultSpan)
	}
	every := max(q.every, time.Minute)
	from := b.from.Truncate(every)
	to := b.to.Truncate(time.Minute)
	if to.Before(b.to) {
		to = to.Add(time.Minute)
	}
	if !from.Before(to) { // of nothing
		to = from.Add(time.Minute)
	}
	q.Edges = []time.Time{from, to}
	if q.every > 0 {
		if to.Sub(from)/q.every > maxGroups {
			return gqlerror.ErrorPosf(f.Position, "the range has more than %d intervals: take a longer one, or a shorter range", maxGroups)
		}
		q.Edges = q.Edges[:1]
		for at := from.Add(q.every); at.Before(to); at = at.Add(q.every) {
			q.Edges = append(q.Edges, at)
		}
		q.Edges = append(q.Edges, to)
	}
	return nil
}

// readConditions reads the conditions of a filter, all of which hold.
func (x *graphQLExec) readConditions(f *graphQLSelection, q *groupsQuery, filter map[string]any, b *bounds, depth int) error {
	bad := func(name string) error {
		return gqlerror.ErrorPosf(f.Position, "filter %s: this is no value for it", name)
	}
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		value := filter[name]
		if value == nil {
			continue
		}
		if name == "AND" {
			list, ok := value.([]any)
			if !ok || depth > 3 {
				return bad(name)
			}
			for _, one := range list {
				inner, ok := one.(map[string]any)
				if !ok {
					return bad(name)
				}
				if like, ok := inner["metadataRaw_like"].(string); ok && q.like == "" {
					return gqlerror.ErrorPosf(f.Position, "metadataRaw_like %q stands in AND: put it beside", clip(like, 60))
				}
				if err := x.readConditions(f, q, inner, b, depth+1); err != nil {
					return err
				}
			}
			continue
		}
		if !q.condition(name, value, b) {
			return bad(name)
		}
	}
	if len(q.Filter.Terms) > 60 {
		return gqlerror.ErrorPosf(f.Position, "filter: too many conditions")
	}
	return nil
}

// condition takes in one condition; false: its value is none.
func (q *groupsQuery) condition(name string, value any, b *bounds) bool {
	field, op, _ := strings.Cut(name, "_")
	if strings.HasPrefix(field, "date") {
		return timeCondition(field, op, value, b)
	}
	if field == "error" {
		n, ok := wholeNumber(value)
		q.Filter.Terms = append(q.Filter.Terms, reqlog.Term{Field: reqlog.FieldStatus, Op: reqlog.OpEq, Values: []string{"error"}, Not: n == 0})
		return ok && n <= 1
	}
	texts, ok := textList(value)
	if !ok {
		return false
	}
	of, known := map[string]reqlog.Field{
		"gateway": reqlog.FieldGateway, "model": reqlog.FieldModel, "provider": reqlog.FieldProvider,
		"metadataKeys": reqlog.FieldMetaKey, "metadataValues": reqlog.FieldMeta, "metadataRaw": "",
	}[field]
	if field == "gateway" && op == "" && q.Gateway == "" {
		q.Gateway = strings.ToLower(texts[0])
		return true
	}
	if known && of != "" {
		literals := make([]string, len(texts))
		for i, text := range texts {
			literals[i] = reqlog.Literal(text)
		}
		q.Filter.Terms = append(q.Filter.Terms, reqlog.Term{Field: of, Op: reqlog.OpEq, Values: literals, Not: op == "neq"})
	}
	return known
}

// timeCondition narrows the range: a condition on an interval holds for all of it.
func timeCondition(field, op string, value any, b *bounds) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	at, err := parseMoment(text)
	if err != nil {
		return false
	}
	length := time.Millisecond // of the moment itself
	if i := slices.IndexFunc(graphQLDimensions(), func(d graphQLDimension) bool { return d.name == field }); i >= 0 {
		length = graphQLDimensions()[i].every
		at = at.Truncate(length)
	}
	switch op {
	case "geq":
		b.atLeast(at)
	case "gt":
		b.atLeast(at.Add(length))
	case "lt":
		b.before(at)
	case "leq":
		b.before(at.Add(length))
	default:
		b.atLeast(at)
		b.before(at.Add(length))
	}
	return true
}

// wholeNumber reads a number that is not negative.
func wholeNumber(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, v >= 0
	case json.Number:
		n, err := v.Int64()
		return n, err == nil && n >= 0
	case float64:
		return int64(v), v >= 0 && v < 1e15 && v == float64(int64(v))
	}
	return 0, false
}

// textList reads a text, or a list of some.
func textList(v any) ([]string, bool) {
	if text, ok := v.(string); ok {
		return []string{text}, true
	}
	list, ok := v.([]any)
	if !ok || len(list) == 0 || len(list) > 100 {
		return nil, false
	}
	texts := make([]string, len(list))
	for i := range list {
		if texts[i], ok = list[i].(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// adaptiveGroup is one group of an answer.
type adaptiveGroup struct {
	values map[string]any // of the dimensions, by name
	total  reqlog.Total
}

// total asks the log, and makes its sums the groups that were asked for.
func (x *graphQLExec) total(ctx context.Context, q *groupsQuery) ([]*adaptiveGroup, error) {
	ask := x.s.sum
	if q.every > 0 && q.every < quarter && q.Edges[0].Before(x.now.Add(-minutesKnown)) {
		ask = x.s.sumRows // roll-ups know these minutes no more
	}
	r, err := ask(ctx, q.TotalsQuery)
	if err != nil {
		return nil, err
	}
	x.rows, x.partial = x.rows || r.rows, x.partial || r.Partial
	groups := map[string]*adaptiveGroup{}
	var list []*adaptiveGroup
	for i := range r.totals {
		t := &r.totals[i]
		if t.Requests == 0 && t.Cost == 0 && t.Tokens == [sluice.ClassCount]int64{} {
			continue // an interval of nothing
		}
		values, key, ok := q.values(t)
		if !ok {
			continue
		}
		g := groups[key]
		if g == nil {
			g = &adaptiveGroup{values: values}
			groups[key] = g
			list = append(list, g)
		}
		g.add(t)
	}
	slices.SortStableFunc(list, func(a, b *adaptiveGroup) int { return compareGroups(a, b, q.order) })
	return list, nil
}

// values names a sum's group; ok: the filter does not leave it out.
func (q *groupsQuery) values(t *reqlog.Total) (values map[string]any, key string, ok bool) {
	of := map[reqlog.Group]string{q.Group: t.Value}
	for i, g := range q.Then {
		of[g] = t.Then[i]
	}
	if q.like != "" && !like(strings.ToLower(of[reqlog.GroupMetadata]), q.like) {
		return nil, "", false
	}
	values = map[string]any{}
	for i := range q.dimensions {
		d := &q.dimensions[i]
		text := of[d.group]
		if d.every > 0 {
			text = d.at(t.Start)
		}
		values[d.name] = text
		key += fmt.Sprintf("%d:%s", len(text), text)
	}
	return values, key, true
}

// like matches a pattern of SQL, whose % is any text and _ any sign.
func like(text, pattern string) bool {
	pattern = strings.ToLower(pattern)
	t, p, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '%':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '_' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "%") == ""
}

// add adds what the node tells of a sum.
func (g *adaptiveGroup) add(t *reqlog.Total) {
	s := &g.total
	s.Requests += t.Requests
	s.Cost += t.Cost
	s.Priced += t.Priced
	s.Cached += t.Cached
	s.Errors += t.Errors
	s.SavedIn += t.SavedIn
	s.SavedOut += t.SavedOut
	for c := range s.Tokens {
		s.Tokens[c] += t.Tokens[c]
	}
}

// compareGroups sorts by orders such as count_DESC.
func compareGroups(a, b *adaptiveGroup, orders []string) int {
	for _, order := range orders {
		name, descending := strings.CutSuffix(order, "_DESC")
		name = strings.TrimPrefix(strings.TrimSuffix(name, "_ASC"), "sum_")
		n := 0
		if name == "count" {
			n = cmp.Compare(a.total.Requests, b.total.Requests)
		} else if i := slices.IndexFunc(graphQLSums(), func(s graphQLSum) bool { return s.name == name }); i >= 0 {
			n = graphQLSums()[i].value(&a.total).compare(graphQLSums()[i].value(&b.total))
		} else {
			x, _ := a.values[name].(string)
			y, _ := b.values[name].(string)
			n = strings.Compare(x, y)
		}
		if descending {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}
