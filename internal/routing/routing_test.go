package routing_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/routing"
)

// full has every type of element.
const full = `[
	{"id":"start","type":"start","outputs":{"next":{"elementId":"paid"}}},
	{"id":"paid","type":"conditional","properties":{"conditions":{"metadata.plan":{"$eq":"paid"}}},
	 "outputs":{"true":{"elementId":"split"},"false":{"elementId":"budget"}}},
	{"id":"split","type":"percentage","outputs":{"10%":{"elementId":"new"},"33.33%":{"elementId":"old"},"else":{"elementId":"old"}}},
	{"id":"budget","type":"rate","properties":{"limitType":"cost","key":"metadata.user_id","limit":2.5,"window":3600},
	 "outputs":{"success":{"elementId":"old"},"fallback":{"elementId":"end"}}},
	{"id":"new","type":"model","properties":{"provider":"openai","model":"gpt-5","timeout":30000,"retries":2},
	 "outputs":{"success":{"elementId":"end"},"fallback":{"elementId":"old"}}},
	{"id":"old","type":"model","properties":{"provider":"anthropic","model":"claude","timeout":0,"retries":0.0},
	 "outputs":{"success":{"elementId":"end"},"fallback":{"elementId":"end"}}},
	{"id":"end","type":"end","outputs":{}}
]`

func TestARouteIsCompiled(t *testing.T) {
	g, issues := routing.Parse([]byte(full))
	if len(issues) > 0 || g == nil {
		t.Fatalf("%+v", issues)
	}
	if g.Start != 0 || len(g.Elements) != 7 {
		t.Fatalf("start %d of %d", g.Start, len(g.Elements))
	}
	none := routing.None
	for i, want := range []routing.Element{
		{ID: "start", Type: routing.TypeStart, Yes: 1, No: none},
		{ID: "paid", Type: routing.TypeConditional, Yes: 2, No: 3, When: &routing.Condition{
			Op: routing.OpEq, Field: routing.Field{Source: routing.SourceMetadata, Path: []string{"plan"}}, Values: []any{"paid"},
		}},
		{ID: "split", Type: routing.TypePercentage, Yes: none, No: 5, Shares: []routing.Share{{Parts: 1000, To: 4}, {Parts: 3333, To: 5}}},
		{ID: "budget", Type: routing.TypeRate, Yes: 5, No: 6, Rate: &routing.Rate{
			Key: routing.Field{Source: routing.SourceMetadata, Path: []string{"user_id"}}, Cost: 2_500_000_000, Window: time.Hour,
		}},
		{ID: "new", Type: routing.TypeModel, Yes: 6, No: 5, Model: &routing.Model{Provider: "openai", Model: "gpt-5", Timeout: 30 * time.Second, Retries: 2}},
		{ID: "old", Type: routing.TypeModel, Yes: 6, No: 6, Model: &routing.Model{Provider: "anthropic", Model: "claude"}},
		{ID: "end", Type: routing.TypeEnd, Yes: none, No: none},
	} {
		if !reflect.DeepEqual(g.Elements[i], want) {
			t.Errorf("element %d is %+v; want %+v", i, g.Elements[i], want)
		}
	}
}

func TestBothSpellingsMeanTheSame(t *testing.T) {
	other := strings.NewReplacer(
		`"conditions"`, `"condition"`, `"type":"rate"`, `"type":"rate_limit"`, `"window":3600`, `"interval":3600,"technique":"sliding"`,
	).Replace(full)
	a, _ := routing.Parse([]byte(full))
	b, issues := routing.Parse([]byte(other))
	if b == nil || len(issues) > 0 {
		t.Fatalf("%+v", issues)
	}
	b.Elements[3].Rate.Sliding = false
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\nand %+v", a, b)
	}
}

// change makes a copy of full with one text in place of another, which must be there.
func change(t *testing.T, old, now string) string {
	t.Helper()
	if strings.Count(full, old) != 1 {
		t.Fatalf("%q is %d times in the route", old, strings.Count(full, old))
	}
	return strings.Replace(full, old, now, 1)
}

func TestWhatIsWrongIsSaidWhere(t *testing.T) {
	const (
		endless  = `"success":{"elementId":"end"},"fallback":{"elementId":"old"}`
		properly = `"properties":{"provider":"openai","model":"gpt-5","timeout":30000,"retries":2}`
		rated    = `"limitType":"cost","key":"metadata.user_id","limit":2.5,"window":3600`
	)
	for name, c := range map[string]struct{ old, now, field, message string }{
		"two starts":                 {`"id":"end","type":"end","outputs":{}`, `"id":"end","type":"start","outputs":{"next":{"elementId":"old"}}`, "elements", "2 start elements"},
		"no start":                   {`"type":"start","outputs":{"next":{"elementId":"paid"}}`, `"type":"end"`, "elements", "0 start elements"},
		"an id twice":                {`"id":"split"`, `"id":"paid"`, "elements[2].id", "elements[1] has this id"},
		"no id":                      {`"id":"split",`, ``, "elements[2].id", "needs an id"},
		"a number for an id":         {`"id":"split"`, `"id":7`, "elements[2].id", "needs an id"},
		"an unknown type":            {`"type":"percentage"`, `"type":"lottery"`, "elements[2].type", "no such type"},
		"no type":                    {`"type":"percentage",`, ``, "elements[2].type", "needs a type"},
		"an output to nothing":       {`"10%":{"elementId":"new"}`, `"10%":{"elementId":"newer"}`, "elements[2].outputs.10%.elementId", "no element 'newer'"},
		"an output without an id":    {`"10%":{"elementId":"new"}`, `"10%":{}`, "elements[2].outputs.10%", "an object with the id"},
		"an output that is a text":   {`"10%":{"elementId":"new"}`, `"10%":"new"`, "elements[2].outputs.10%", "an object with the id"},
		"no output":                  {`,"false":{"elementId":"budget"}`, ``, "elements[1].outputs.false", "leads nowhere"},
		"no outputs at all":          {`,"outputs":{"next":{"elementId":"paid"}}`, ``, "elements[0].outputs.next", "leads nowhere"},
		"an output too many":         {`"outputs":{}`, `"outputs":{"next":{"elementId":"old"}}`, "elements[6].outputs.next", "no such output"},
		"outputs that are a list":    {`"outputs":{}`, `"outputs":[]`, "elements[6].outputs", "must be an object"},
		"more than 100%":             {`"33.33%"`, `"90.01%"`, "elements[2].outputs", "100.01% together"},
		"less than 100% and no else": {`,"else":{"elementId":"old"}`, ``, "elements[2].outputs.else", "43.33% together"},
		"a share that is none":       {`"33.33%"`, `"a third"`, "elements[2].outputs.a third", "called as its share"},
		"a share of nothing":         {`"33.33%"`, `"0%"`, "elements[2].outputs.0%", "called as its share"},
		"a share too fine":           {`"33.33%"`, `"33.333%"`, "elements[2].outputs.33.333%", "called as its share"},
		"a share below nothing":      {`"33.33%"`, `"-5%"`, "elements[2].outputs.-5%", "called as its share"},
		"a cycle":                    {endless, `"success":{"elementId":"end"},"fallback":{"elementId":"paid"}`, "elements[1]", "'paid' → 'split' → 'new' → 'paid'"},
		"an element nobody comes to": {`"10%":{"elementId":"new"}`, `"10%":{"elementId":"old"}`, "elements[4]", "no way from the start"},
		"no properties":              {properly + ",", ``, "elements[4].properties", "must be an object"},
		"no model":                   {`"model":"gpt-5",`, ``, "elements[4].properties.model", "must be a text"},
		"an empty provider":          {`"provider":"openai"`, `"provider":""`, "elements[4].properties.provider", "must be a text"},
		"half a millisecond":         {`"timeout":30000`, `"timeout":0.5`, "elements[4].properties.timeout", "whole number"},
		"a timeout below nothing":    {`"timeout":30000`, `"timeout":-1`, "elements[4].properties.timeout", "whole number"},
		"many retries":               {`"retries":2`, `"retries":1e3`, "elements[4].properties.retries", "0 to 10"},
		"retries as a text":          {`"retries":2`, `"retries":"2"`, "elements[4].properties.retries", "0 to 10"},
		"a limit of nothing":         {`"limit":2.5`, `"limit":0`, "elements[3].properties.limit", "dollars above 0"},
		"a limit without end":        {`"limit":2.5`, `"limit":1e999999999`, "elements[3].properties.limit", "dollars above 0"},
		"half a request":             {rated, `"limitType":"count","key":"metadata.a","limit":2.5,"window":60`, "elements[3].properties.limit", "whole number of requests"},
		"an unknown kind of limit":   {`"limitType":"cost"`, `"limitType":"tokens"`, "elements[3].properties.limitType", "count or cost"},
		"no key":                     {`"key":"metadata.user_id",`, ``, "elements[3].properties.key", "name a value"},
		"a key of nowhere":           {`"metadata.user_id"`, `"user_id"`, "elements[3].properties.key", "no value of a request"},
		"no window":                  {`,"window":3600`, ``, "elements[3].properties.window", "missing"},
		"a window of nothing":        {`"window":3600`, `"window":0`, "elements[3].properties.window", "whole number of seconds"},
		"two windows":                {`"window":3600`, `"window":3600,"interval":60`, "elements[3].properties.interval", "another spelling"},
		"an unknown technique":       {`"window":3600`, `"window":3600,"technique":"leaky"`, "elements[3].properties.technique", "fixed or sliding"},
		"a name twice":               {`"limit":2.5`, `"limit":2.5,"limit":3`, "elements", "occurs twice"},
	} {
		t.Run(name, func(t *testing.T) {
			g, issues := routing.Parse([]byte(change(t, c.old, c.now)))
			found := slices.ContainsFunc(issues.Errors(), func(i routing.Issue) bool { return i.Field == c.field && strings.Contains(i.Message, c.message) })
			if g != nil || !found {
				t.Errorf("want %s: %s; got %+v", c.field, c.message, issues)
			}
		})
	}
}

func TestWarningsDoNotKeepARouteFromWorking(t *testing.T) {
	for name, c := range map[string]struct{ old, now, field string }{
		"no fallback of a model":  {`,"fallback":{"elementId":"old"}`, ``, "elements[4].outputs.fallback"},
		"nothing left for else":   {`"33.33%"`, `"90%"`, "elements[2].outputs.else"},
		"a property nobody knows": {`"retries":2`, `"retries":2,"temperature":1`, "elements[4].properties.temperature"},
		"no fallback of a rate": {`,"fallback":{"elementId":"end"}}},
	{"id":"new"`, `}},
	{"id":"new"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, issues := routing.Parse([]byte(change(t, c.old, c.now)))
			if g == nil || len(issues.Errors()) > 0 {
				t.Fatalf("%+v", issues)
			}
			if c.field == "" && len(issues) > 0 || c.field != "" && (len(issues) != 1 || issues.Warnings()[0].Field != c.field) {
				t.Errorf("%+v", issues)
			}
		})
	}
}

func TestARouteOfAnotherForm(t *testing.T) {
	for text, message := range map[string]string{
		``:                                       "not JSON",
		`{}`:                                     "must be a list, not an object",
		`null`:                                   "must be a list, not null",
		`[1]`:                                    "an element must be an object",
		`[]`:                                     "0 start elements",
		`[] []`:                                  "behind the JSON value",
		"[\"\xff\"]":                             "not UTF-8",
		`[{"id":"a",`:                            "not JSON",
		`[{"id":"a":1}]`:                         "not JSON",
		strings.Repeat("[", 99):                  "deep in each other",
		`[` + strings.Repeat(`{},`, 200) + `{}]`: "201 elements",
		`["` + strings.Repeat("a", 300_000) + `"]`:                         "take 300004 bytes",
		`[{"id":"` + strings.Repeat("a", 200) + `"}]`:                      "at most 128 characters",
		"[{\"id\":\"a\\u0007\",\"type\":\"start\"}]":                       "none of control",
		`[{"id":"` + strings.Repeat("é", 128) + `x"}]`:                     "at most 128 characters",
		`[{"id":"s","type":"start","outputs":{"next":{"elementId":"s"}}}]`: "'s' → 's'",
	} {
		g, issues := routing.Parse([]byte(text))
		if g != nil || !slices.ContainsFunc(issues, func(i routing.Issue) bool { return strings.Contains(i.Message, message) }) {
			t.Errorf("%.60s: %+v; want %q", text, issues, message)
		}
	}
}

// when puts a condition into a route.
func when(condition string) []byte {
	return fmt.Appendf(nil, `[{"id":"s","type":"start","outputs":{"next":{"elementId":"c"}}},
		{"id":"c","type":"conditional","properties":{"conditions":%s},"outputs":{"true":{"elementId":"e"},"false":{"elementId":"e"}}},
		{"id":"e","type":"end"}]`, condition)
}

func TestConditions(t *testing.T) {
	meta := func(name string) routing.Field {
		return routing.Field{Source: routing.SourceMetadata, Path: []string{name}}
	}
	test := func(op routing.Op, f routing.Field, values ...any) routing.Condition {
		return routing.Condition{Op: op, Field: f, Values: values}
	}
	join := func(op routing.Op, of ...routing.Condition) routing.Condition {
		return routing.Condition{Op: op, Of: of}
	}
	body := routing.Field{Source: routing.SourceBody, Path: []string{"user", "age"}}
	for text, want := range map[string]routing.Condition{
		`{"metadata.plan":"free"}`:            test(routing.OpEq, meta("plan"), "free"),
		`{"metadata.a.b":{"$ne":null}}`:       test(routing.OpNe, meta("a.b"), nil),
		`{"body.user.age":{"$gte":18}}`:       test(routing.OpGte, body, 18.0),
		`{"body.user.age":{"$exists":false}}`: test(routing.OpExists, body, false),
		`{"body.user.age":{"$gt":1,"$lte":2}}`: join(routing.OpAnd,
			test(routing.OpGt, body, 1.0), test(routing.OpLte, body, 2.0)),
		`{"headers.X-Plan":{"$in":["a","b"]},"metadata.x":true}`: join(routing.OpAnd,
			test(routing.OpIn, routing.Field{Source: routing.SourceHeader, Path: []string{"x-plan"}}, "a", "b"), test(routing.OpEq, meta("x"), true)),
		`{"$or":[{"metadata.a":1},{"$and":[{"metadata.b":{"$lt":"m"}},{"metadata.c":{"$nin":[1,null]}}]}]}`: join(routing.OpOr,
			test(routing.OpEq, meta("a"), 1.0), join(routing.OpAnd, test(routing.OpLt, meta("b"), "m"), test(routing.OpNin, meta("c"), 1.0, nil))),
		`{"metadata.a":{"$not":{"$in":["x"]}}}`: join(routing.OpNot, join(routing.OpAnd, test(routing.OpIn, meta("a"), "x"))),
		`{"metadata.a":{"$regex":"^b+","$options":"i"}}`: {
			Op: routing.OpRegex, Field: meta("a"), Values: []any{"^b+"}, Regexp: regexp.MustCompile("(?i)^b+"),
		},
	} {
		g, issues := routing.Parse(when(text))
		if g == nil {
			t.Errorf("%s: %+v", text, issues)
			continue
		}
		if got := *g.Elements[1].When; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v; want %+v", text, got, want)
		}
	}
}

func TestWrongConditions(t *testing.T) {
	deep := strings.Repeat(`{"$or":[`, 20) + `{"metadata.a":1}` + strings.Repeat(`]}`, 20)
	many := `{"metadata.a":1` + strings.Repeat(`},{"metadata.a":1`, 100) + `}`
	const at = "elements[1].properties.conditions"
	for text, want := range map[string][2]string{
		`[]`:                                           {at, "must be an object, not a list"},
		`"metadata.plan == 1"`:                         {at, "must be an object, not a text"},
		`{}`:                                           {at, "empty"},
		`{"$nor":[]}`:                                  {at + ".$nor", "no such operator stands here"},
		`{"$eq":1}`:                                    {at + ".$eq", "no such operator stands here"},
		`{"$and":[]}`:                                  {at + ".$and", "needs a list of conditions"},
		`{"$or":{"metadata.a":1}}`:                     {at + ".$or", "needs a list of conditions"},
		`{"$or":[{"metadata.a":1},{}]}`:                {at + ".$or[1]", "empty"},
		`{"plan":1}`:                                   {at + ".plan", "no value of a request"},
		`{"metadata":1}`:                               {at + ".metadata", "no value of a request"},
		`{"metadata.":1}`:                              {at + ".metadata.", "no value of a request"},
		`{"body.a..b":1}`:                              {at + ".body.a..b", "names with dots between"},
		`{"body.a.b.c.d.e.f.g.h.i.j.k":1}`:             {at + ".body.a.b.c.d.e.f.g.h.i.j.k", "names with dots between"},
		`{"metadata.a":{}}`:                            {at + ".metadata.a", "no operator"},
		`{"metadata.a":{"$near":1}}`:                   {at + ".metadata.a.$near", "no such operator"},
		`{"metadata.a":{"b":1}}`:                       {at + ".metadata.a.b", "no such operator"},
		`{"metadata.a":{"$gt":true}}`:                  {at + ".metadata.a.$gt", "needs a number or a text, not true or false"},
		`{"metadata.a":{"$eq":[1]}}`:                   {at + ".metadata.a.$eq", "not a list"},
		`{"metadata.a":[1]}`:                           {at + ".metadata.a", "not a list"},
		`{"metadata.a":{"$in":1}}`:                     {at + ".metadata.a.$in", "list of 1 to 100"},
		`{"metadata.a":{"$in":[]}}`:                    {at + ".metadata.a.$in", "list of 1 to 100"},
		`{"metadata.a":{"$in":[[1]]}}`:                 {at + ".metadata.a.$in", "not a list"},
		`{"metadata.a":{"$exists":1}}`:                 {at + ".metadata.a.$exists", "needs true or false"},
		`{"metadata.a":{"$not":"x"}}`:                  {at + ".metadata.a.$not", "needs an object of operators"},
		`{"metadata.a":{"$not":{}}}`:                   {at + ".metadata.a.$not", "no operator"},
		`{"metadata.a":{"$regex":"("}}`:                {at + ".metadata.a.$regex", "cannot be read"},
		`{"metadata.a":{"$regex":7}}`:                  {at + ".metadata.a.$regex", "needs a text"},
		`{"metadata.a":{"$options":"i"}}`:              {at + ".metadata.a.$options", "belongs to $regex"},
		`{"metadata.a":{"$eq":1e999}}`:                 {at + ".metadata.a.$eq", "out of range"},
		`{"headers.a":{"$eq":1}}`:                      {at + ".headers.a.$eq", "needs texts here"},
		`{"headers.a":{"$in":["a",1]}}`:                {at + ".headers.a.$in", "needs texts here"},
		`{"metadata.a":1,"metadata.a":2}`:              {"elements", "occurs twice"},
		deep:                                           {"", "more than 16 deep"},
		`{"$and":[` + many + `]}`:                      {"", "at most 100 tests"},
		`{"metadata.a":{"$regex":"a","$options":"x"}}`: {at + ".metadata.a.$regex", "$options i, m and s"},
		`{"metadata.a":{"$regex":"` + strings.Repeat("a", 257) + `"}}`: {at + ".metadata.a.$regex", "more than 256 bytes"},
		`{"metadata.a":"` + strings.Repeat("a", 1025) + `"}`:           {at + ".metadata.a", "more than 1024 bytes"},
	} {
		g, issues := routing.Parse(when(text))
		found := slices.ContainsFunc(issues.Errors(), func(i routing.Issue) bool {
			return (want[0] == "" || i.Field == want[0]) && strings.Contains(i.Message, want[1])
		})
		if g != nil || !found {
			t.Errorf("%.80s: want %s: %s; got %+v", text, want[0], want[1], issues)
		}
	}
}

func TestPlacesOfIssuesNameTheElement(t *testing.T) {
	_, issues := routing.Parse([]byte(change(t, `"limit":2.5`, `"limit":0`)))
	if len(issues) != 1 || issues[0].Element != "budget" {
		t.Errorf("%+v", issues)
	}
}

// FuzzParse holds that a graph can be walked from its start without falling out of it or into a circle, and
// that what is refused says why.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add(when(`{"$or":[{"metadata.a":{"$not":{"$regex":"a+","$options":"i"}}},{"headers.b":{"$in":["x"]}}]}`))
	f.Add([]byte(`[{"id":"a","type":"start","outputs":{"next":{"elementId":"b"}}},{"id":"b","type":"percentage","outputs":{"100%":{"elementId":"c"}}},{"id":"c","type":"end"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		g, issues := routing.Parse(text)
		if (g == nil) != (len(issues.Errors()) > 0) {
			t.Fatalf("graph %v, issues %+v", g, issues)
		}
		if g == nil {
			return
		}
		if !json.Valid(text) {
			t.Error("not JSON, and a graph")
		}
		steps := make([]int, len(g.Elements))
		var longest func(i int) int
		longest = func(i int) int {
			if i == routing.None {
				return 0
			}
			if steps[i] == 0 {
				steps[i] = -1
				most := max(longest(g.Elements[i].Yes), longest(g.Elements[i].No))
				for _, s := range g.Elements[i].Shares {
					most = max(most, longest(s.To))
				}
				steps[i] = most + 1
			}
			if steps[i] < 0 {
				t.Fatal("a circle")
			}
			return steps[i]
		}
		longest(g.Start)
		if slices.Contains(steps, 0) {
			t.Error("an element that no way leads to")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.SetBytes(int64(len(full)))
	b.ReportAllocs()
	for b.Loop() {
		routing.Parse([]byte(full))
	}
}
