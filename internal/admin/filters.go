package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// condition is one item of the reference's filters parameter.
type condition struct {
	Key      string          `json:"key"`
	Operator string          `json:"operator"`
	Value    json.RawMessage `json:"value"`
	values   []string
}

// filterKind is what the reference's key compares.
type filterKind uint8

const (
	filterText  filterKind = iota // eq, neq, contains
	filterOrder                   // eq, neq, lt, gt
	filterExact                   // eq, neq
	filterValue                   // all
)

// filterKey is what a key of the reference means here.
type filterKey struct {
	name  string
	field reqlog.Field
	kind  filterKind
	// constant: nothing here has such a thing yet, so that every entry has this value.
	constant *string
	// values, when set, rewrites the reference's values for field.
	values func(op string, values []string) (reqlog.Op, []string)
}

// filterKeys is the reference's list of keys.
func filterKeys() []filterKey {
	no, none := "false", ""
	return []filterKey{
		{name: "id", field: reqlog.FieldID, kind: filterExact},
		{name: "created_at", field: reqlog.FieldCreated, kind: filterOrder},
		{name: "request_content_type", field: reqlog.FieldRequestType},
		{name: "response_content_type", field: reqlog.FieldResponseType},
		{name: "request_type", field: reqlog.FieldType},
		{name: "success", field: reqlog.FieldSuccess, kind: filterExact},
		{name: "cached", field: reqlog.FieldCached, kind: filterExact},
		{name: "provider", field: reqlog.FieldProvider},
		{name: "model", field: reqlog.FieldModel},
		{name: "model_type", field: reqlog.FieldEndpoint, values: modelTypeValues},
		{name: "cost", field: reqlog.FieldCost, kind: filterOrder},
		{name: "tokens", field: reqlog.FieldTokens, kind: filterOrder},
		{name: "tokens_in", field: reqlog.FieldTokensIn, kind: filterOrder},
		{name: "tokens_out", field: reqlog.FieldTokensOut, kind: filterOrder},
		{name: "duration", field: reqlog.FieldDuration, kind: filterOrder},
		{name: "feedback", field: reqlog.FieldFeedback, kind: filterExact, values: feedbackValues},
		{name: "event_id", field: reqlog.FieldEventID},
		{name: "metadata.key", field: reqlog.FieldMetaKey},
		{name: "metadata.value", field: reqlog.FieldMeta, kind: filterValue},
		{name: "authentication", kind: filterExact, constant: &no},
		{name: "wholesale", kind: filterExact, constant: &no},
		{name: "compatibilityMode", kind: filterExact, constant: &no},
		{name: "dlp_action", constant: &none},
		{name: "user_agent", field: reqlog.FieldUserAgent},
	}
}

// filterOp is what an operator means; gte and lte serve the flat min_ and max_ parameters.
type filterOp struct {
	name  string
	op    reqlog.Op
	not   bool
	kinds []filterKind
}

func filterOps() []filterOp {
	all := []filterKind{filterText, filterOrder, filterExact, filterValue}
	ordered := []filterKind{filterOrder, filterValue}
	return []filterOp{
		{"eq", reqlog.OpEq, false, all},
		{"neq", reqlog.OpEq, true, all},
		{"contains", reqlog.OpContains, false, []filterKind{filterText, filterValue}},
		{"lt", reqlog.OpLt, false, ordered},
		{"gt", reqlog.OpGt, false, ordered},
		{"lte", reqlog.OpLte, false, ordered},
		{"gte", reqlog.OpGte, false, ordered},
	}
}

// modelTypeValues finds the endpoints of a kind of model, which no entry stores itself. A kind that
// nothing has leaves an endpoint that nothing has.
func modelTypeValues(op string, values []string) (reqlog.Op, []string) {
	endpoints := endpointsOf(func(name string) bool {
		return slices.ContainsFunc(values, func(v string) bool {
			if op == "contains" {
				return strings.Contains(name, strings.ToLower(v))
			}
			return strings.EqualFold(name, v)
		})
	})
	if len(endpoints) == 0 {
		endpoints = []string{"no such endpoint"}
	}
	return reqlog.OpEq, endpoints
}

// feedbackValues: the reference's lists say 0 where its entries say -1.
func feedbackValues(_ string, values []string) (reqlog.Op, []string) {
	mapped := slices.Clone(values)
	for i, v := range mapped {
		if v == "0" {
			mapped[i] = "-1"
		}
	}
	return reqlog.OpEq, mapped
}

// term makes c a term of a filter. Not known to match anything (never true): nothing passes. A nil
// term without never: everything passes.
func (c *condition) term() (t *reqlog.Term, never bool, err error) {
	keys, ops := filterKeys(), filterOps()
	k := slices.IndexFunc(keys, func(k filterKey) bool { return k.name == c.Key })
	if k < 0 {
		return nil, false, fmt.Errorf("Invalid enum value: key %q is not one of %s", clip(c.Key, 60), names(keys, func(k filterKey) string { return k.name })) //nolint:staticcheck // the reference's words
	}
	o := slices.IndexFunc(ops, func(o filterOp) bool { return o.name == c.Operator })
	if o < 0 {
		return nil, false, fmt.Errorf("Invalid enum value: operator %q is not one of %s", clip(c.Operator, 60), names(ops[:5], func(o filterOp) string { return o.name })) //nolint:staticcheck // the reference's words
	}
	key, op := &keys[k], &ops[o]
	if !slices.Contains(op.kinds, key.kind) {
		return nil, false, fmt.Errorf("%s does not go with %s", op.name, key.name)
	}
	if len(c.values) == 0 {
		return nil, false, fmt.Errorf("%s %s has no value", key.name, op.name)
	}
	if key.constant != nil {
		return nil, slices.Contains(c.values, *key.constant) == op.not, nil
	}
	t = &reqlog.Term{Field: key.field, Op: op.op, Not: op.not, Values: c.values}
	if key.values != nil {
		t.Op, t.Values = key.values(op.name, c.values)
	}
	if key.kind == filterText || key.kind == filterValue {
		t.Values = slices.Clone(t.Values)
		for i := range t.Values {
			t.Values[i] = reqlog.Literal(t.Values[i])
		}
	}
	return t, false, nil
}

func names[T any](list []T, name func(T) string) string {
	all := make([]string, len(list))
	for i := range list {
		all[i] = name(list[i])
	}
	return strings.Join(all, ", ")
}

// parseConditions reads the reference's filters in both encodings that its clients use: one
// parameter that holds a JSON array, and dotted names that repeat. In the second a name that comes
// again begins the next filter, so that the order in which the query lists them is what joins a
// value to its key.
func parseConditions(rawQuery string) ([]condition, error) {
	var list []condition
	var open *condition
	begin := func(taken bool) {
		if open == nil || taken {
			list = append(list, condition{})
			open = &list[len(list)-1]
		}
	}
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || name != "filters" && !strings.HasPrefix(name, "filters.") {
			continue
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, invalid("filters", "the parameter is not encoded as a query should be", "")
		}
		switch name {
		case "filters":
			if value == "" {
				continue
			}
			items, err := jsonConditions(value)
			if err != nil {
				return nil, err
			}
			list, open = append(list, items...), nil
		case "filters.key":
			begin(open != nil && open.Key != "")
			open.Key = value
		case "filters.operator":
			begin(open != nil && open.Operator != "")
			open.Operator = value
		case "filters.value":
			begin(false)
			open.values = append(open.values, value)
		default:
			return nil, invalid("filters", "there is no "+clip(name, 60), "filters.key, filters.operator, filters.value")
		}
	}
	return list, nil
}

func jsonConditions(text string) ([]condition, error) {
	var items []condition
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, invalid("filters", "filters is not a JSON array of {key, operator, value}", `for example [{"key":"provider","operator":"eq","value":["openai"]}]`)
	}
	for i := range items {
		values, err := scalars(items[i].Value)
		if err != nil {
			return nil, invalid("filters", "filters["+strconv.Itoa(i)+"]: value is not a list of texts, numbers or booleans", "")
		}
		items[i].values = values
	}
	return items, nil
}

// scalars reads a value: a list of texts, numbers, booleans and nulls, or one of them.
func scalars(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		list = []json.RawMessage{raw}
	}
	values := make([]string, len(list))
	for i, item := range list {
		switch c := item[0]; {
		case c == '"':
			if err := json.Unmarshal(item, &values[i]); err != nil {
				return nil, err
			}
		case c == '{' || c == '[':
			return nil, errors.New("not a scalar")
		case c == 'n':
			values[i] = "none" // as the filter language says of what is not known
		default:
			values[i] = string(item)
		}
	}
	return values, nil
}

// FlatFilters are the reference's older parameters, one per condition.
type FlatFilters struct {
	Provider            string `query:"provider" deprecated:"true"`
	Model               string `query:"model" deprecated:"true"`
	ModelType           string `query:"model_type" deprecated:"true"`
	RequestContentType  string `query:"request_content_type" deprecated:"true"`
	ResponseContentType string `query:"response_content_type" deprecated:"true"`
	Success             string `query:"success" enum:"true,false" deprecated:"true"`
	Cached              string `query:"cached" enum:"true,false" deprecated:"true"`
	Feedback            string `query:"feedback" enum:"0,1,-1" deprecated:"true" doc:"0 or -1: thumbs down, 1: thumbs up"`
	StartDate           string `query:"start_date" deprecated:"true" doc:"RFC 3339"`
	EndDate             string `query:"end_date" deprecated:"true" doc:"RFC 3339"`
	MinCost             string `query:"min_cost" deprecated:"true"`
	MaxCost             string `query:"max_cost" deprecated:"true"`
	MinDuration         string `query:"min_duration" deprecated:"true" doc:"milliseconds"`
	MaxDuration         string `query:"max_duration" deprecated:"true" doc:"milliseconds"`
	MinTokensIn         string `query:"min_tokens_in" deprecated:"true"`
	MaxTokensIn         string `query:"max_tokens_in" deprecated:"true"`
	MinTokensOut        string `query:"min_tokens_out" deprecated:"true"`
	MaxTokensOut        string `query:"max_tokens_out" deprecated:"true"`
	MinTotalTokens      string `query:"min_total_tokens" deprecated:"true"`
	MaxTotalTokens      string `query:"max_total_tokens" deprecated:"true"`
}

// flatCondition is a condition and the parameter that it came from.
type flatCondition struct {
	param string
	condition
}

// conditions gives what f says in the words of filters.
func (f *FlatFilters) conditions() []flatCondition {
	var found []flatCondition
	for _, p := range []struct{ param, key, op, value string }{
		{"provider", "provider", "eq", f.Provider},
		{"model", "model", "eq", f.Model},
		{"model_type", "model_type", "eq", f.ModelType},
		{"request_content_type", "request_content_type", "eq", f.RequestContentType},
		{"response_content_type", "response_content_type", "eq", f.ResponseContentType},
		{"success", "success", "eq", f.Success},
		{"cached", "cached", "eq", f.Cached},
		{"feedback", "feedback", "eq", f.Feedback},
		{"start_date", "created_at", "gte", f.StartDate},
		{"end_date", "created_at", "lte", f.EndDate},
		{"min_cost", "cost", "gte", f.MinCost},
		{"max_cost", "cost", "lte", f.MaxCost},
		{"min_duration", "duration", "gte", f.MinDuration},
		{"max_duration", "duration", "lte", f.MaxDuration},
		{"min_tokens_in", "tokens_in", "gte", f.MinTokensIn},
		{"max_tokens_in", "tokens_in", "lte", f.MaxTokensIn},
		{"min_tokens_out", "tokens_out", "gte", f.MinTokensOut},
		{"max_tokens_out", "tokens_out", "lte", f.MaxTokensOut},
		{"min_total_tokens", "tokens", "gte", f.MinTotalTokens},
		{"max_total_tokens", "tokens", "lte", f.MaxTotalTokens},
	} {
		if p.value != "" {
			found = append(found, flatCondition{p.param, condition{Key: p.key, Operator: p.op, values: []string{p.value}}})
		}
	}
	return found
}

// filterBuilder gathers the terms that a request's parameters ask for.
type filterBuilder struct {
	filter reqlog.Filter
	never  bool // nothing can pass
	now    time.Time
}

// add takes in a condition that came in the parameter field; where tells its place there.
func (b *filterBuilder) add(field, where string, c condition) error {
	t, never, err := c.term()
	if err == nil && t != nil {
		if _, e := t.Compile(b.now); e != nil {
			err = e
		}
	}
	if err != nil {
		msg, hint := err.Error(), ""
		if e, ok := errors.AsType[*sluice.Error](err); ok {
			msg, hint = e.Msg, e.Hint
		}
		return invalid(field, where+msg, hint)
	}
	b.never = b.never || never
	if t != nil {
		b.filter.Terms = append(b.filter.Terms, *t)
	}
	return nil
}

// query takes in the filter language.
func (b *filterBuilder) query(q string) error {
	f, err := reqlog.ParseFilter(q)
	if err != nil {
		return err
	}
	b.filter.Terms = append(b.filter.Terms, f.Terms...)
	return nil
}

// done checks the whole, which has bounds that its parts have not, and gives the conditions compiled.
func (b *filterBuilder) done() ([]reqlog.Cond, error) { return b.filter.Compile(b.now) }
