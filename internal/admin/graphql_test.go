package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// graphQLReply is an answer as a client reads it.
type graphQLReply struct {
	Data *struct {
		Viewer struct {
			Accounts []map[string]json.RawMessage `json:"accounts"`
		} `json:"viewer"`
	} `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
	Extensions map[string]any `json:"extensions"`
}

type graphQLGroup struct {
	Count      int64             `json:"count"`
	Dimensions map[string]string `json:"dimensions"`
	Sum        map[string]any    `json:"sum"`
}

func (r *graphQLReply) groups(t *testing.T, name string) []graphQLGroup {
	t.Helper()
	if r.Data == nil || len(r.Errors) > 0 || len(r.Data.Viewer.Accounts) != 1 {
		t.Fatalf("%+v", r)
	}
	var list []graphQLGroup
	if err := json.Unmarshal(r.Data.Viewer.Accounts[0][name], &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// graphQL sends a query.
func (b *bench) graphQL(query string, variables map[string]any, bearer ...string) graphQLReply {
	b.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		b.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r := mustRequest(b.t, http.MethodPost, b.server.URL+"/client/v4/graphql")
	if len(bearer) > 0 {
		r.Header.Set("Authorization", "Bearer "+bearer[0])
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	b.handler.ServeHTTP(w, r)
	var v graphQLReply
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusOK {
		b.t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return v
}

// TestGraphQLAnswersTheReferencesQuery: as its documentation and dashboard ask, with several sums in one query.
func TestGraphQLAnswersTheReferencesQuery(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	mixed(b, log, 250)
	const query = `
query Analytics($accountTag: string!, $start: Time, $end: Time, $order: [AccountAiGatewayRequestsAdaptiveGroupsOrderBy!]) {
  viewer {
    accounts(filter: { accountTag: $accountTag }) {
      ...Sums
      errors: aiGatewayRequestsAdaptiveGroups(limit: 100, filter: {datetimeHour_geq: $start, error: 1}) { count sum { erroredRequests } }
      one: aiGatewayRequestsAdaptiveGroups(limit: 10, filter: {gateway: "default", AND: [{provider_in: ["openai"]}]}) { count dimensions { gateway __typename } }
      byMeta: aiGatewayRequestsAdaptiveGroups(filter: {metadataKeys_has: "team", metadataRaw_like: "%\"a\"%"}) { count dimensions { metadataRaw } }
    }
  }
}
fragment Sums on account {
  requests: aiGatewayRequestsAdaptiveGroups(limit: 1000, orderBy: $order, filter: {datetimeHour_geq: $start, datetimeHour_leq: $end}) {
    count
    dimensions { model, provider, gateway, ts: datetimeHour }
    sum { cachedRequests erroredRequests uncachedTokensIn uncachedTokensOut cachedTokensIn cachedTokensOut cost }
    sum { totalTokens }
  }
}`
	all := b.analytics("range=6h&interval=none&metric=requests,errors,cached,tokens_in,tokens_out,saved_tokens_in,saved_tokens_out,cost")
	from := all["from"].(string)
	r := b.graphQL(query, map[string]any{"accountTag": "0123456789abcdef0123456789abcdef", "start": from, "end": all["to"], "order": []string{"datetimeHour_DESC", "count_DESC"}})
	want := map[string]string{}
	for _, one := range all["series"].([]any) {
		s := one.(map[string]any)
		want[s["metric"].(string)] = fmt.Sprint(s["total"])
	}
	var got reqlog.Total
	var cost float64
	last, counts := "9", int64(0)
	for _, g := range r.groups(t, "requests") {
		got.Requests += g.Count
		for name, to := range map[string]*int64{
			"cachedRequests": &got.Cached, "erroredRequests": &got.Errors, "uncachedTokensIn": &got.Tokens[sluice.Input], "uncachedTokensOut": &got.Tokens[sluice.Output],
			"cachedTokensIn": &got.SavedIn, "cachedTokensOut": &got.SavedOut, "totalTokens": &got.BytesIn,
		} {
			*to += int64(g.Sum[name].(float64))
		}
		if n, known := g.Sum["cost"].(float64); known {
			cost += n
		}
		if g.Dimensions["ts"] > last || g.Dimensions["ts"] == last && g.Count > counts {
			t.Errorf("%v behind %s, %d", g, last, counts)
		}
		last, counts = g.Dimensions["ts"], g.Count
		if g.Dimensions["model"] == "" || g.Dimensions["provider"] == "" || g.Dimensions["gateway"] == "" {
			t.Errorf("%v", g)
		}
	}
	for name, n := range map[string]int64{
		"requests": got.Requests, "errors": got.Errors, "cached": got.Cached, "tokens_in": got.Tokens[sluice.Input], "tokens_out": got.Tokens[sluice.Output],
		"saved_tokens_in": got.SavedIn, "saved_tokens_out": got.SavedOut,
	} {
		if fmt.Sprint(n) != want[name] || n == 0 {
			t.Errorf("%s: %d; want %s", name, n, want[name])
		}
	}
	if got.BytesIn != got.Tokens[sluice.Input]+got.Tokens[sluice.Output]+got.SavedIn+got.SavedOut || fmt.Sprintf("%.6f", cost) != fmt.Sprintf("%.6f", mustFloat(t, want["cost"])) {
		t.Errorf("%d tokens, cost %f; want %s", got.BytesIn, cost, want["cost"])
	}
	if g := r.groups(t, "errors"); len(g) != 1 || fmt.Sprint(g[0].Count) != want["errors"] || g[0].Sum["erroredRequests"] != float64(g[0].Count) {
		t.Errorf("%v; want %s errors", g, want["errors"])
	}
	one := b.analytics("range=6h&interval=none&gateway=default&q=provider:openai")["series"].([]any)[0].(map[string]any)["total"]
	if g := r.groups(t, "one"); len(g) != 1 || fmt.Sprint(g[0].Count) != fmt.Sprint(one) || g[0].Dimensions["gateway"] != "default" {
		t.Errorf("%v; want %v", g, one)
	}
	a := b.analytics("range=6h&interval=none&q=meta.team:a")["series"].([]any)[0].(map[string]any)["total"]
	if g := r.groups(t, "byMeta"); len(g) != 1 || fmt.Sprint(g[0].Count) != fmt.Sprint(a) || g[0].Dimensions["metadataRaw"] != `{"team":"a"}` || r.Extensions["source"] != "rows" {
		t.Errorf("%v, %v; want %v", g, r.Extensions, a)
	}
}

func mustFloat(t *testing.T, text string) float64 {
	t.Helper()
	n, err := json.Number(text).Float64()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGraphQLRefusesInItsOwnShape(t *testing.T) {
	b := newBench(t)
	node := func(args string) string {
		return `{viewer{accounts(filter:{accountTag:"default"}){aiGatewayRequestsAdaptiveGroups(` + args + `){count}}}}`
	}
	many := strings.Repeat("x", 70_000)
	aliases := ""
	for i := range 25 {
		aliases += fmt.Sprintf("a%d: aiGatewayRequestsAdaptiveGroups(limit:1){count} ", i)
	}
	for query, message := range map[string]string{
		"":                               "no operation",
		"{":                              "Expected Name",
		"{nothing}":                      "Cannot query field",
		"mutation{x}":                    "",
		"{__schema{types{name}}}":        "introspection",
		"{viewer{accounts{accountTag}}}": "names accountTag",
		`{viewer{accounts(filter:{accountTag:"nobody"}){accountTag}}}`: "account not found",
		node(`limit: 0`):                                                            "limit is",
		node(`limit: 99999999999999999999`):                                         "value out of range",
		node(`limit: 1, orderBy: [nothing_ASC]`):                                    "OrderBy",
		node(`limit: 1, filter: {nothing: 1}`):                                      "nothing",
		node(`limit: 1, filter: {datetime_geq: "soon"}`):                            "no value",
		node(`limit: 1, filter: {error: "x"}`):                                      "no value",
		node(`limit: 1, filter: {gateway_in: []}`):                                  "no value",
		node(`limit: 1, filter: {AND:[{AND:[{AND:[{AND:[{AND:[{error:1}]}]}]}]}]}`): "no value",
		"query($x: nothing){viewer{accounts(filter:{accountTag:$x}){accountTag}}}":  "Unknown type",
		"query($x: string!){viewer{accounts(filter:{accountTag:$x}){accountTag}}}":  "must be defined",
		"{viewer{" + strings.Repeat("...a ", 10) + "}} fragment a on viewer{...a}":  "itself",
		`{viewer{accounts(filter:{accountTag:"default"}){` + aliases + `}}}`:        "more than 20 sums",
		many:                           "at most",
		strings.Repeat("{viewer", 500): "",
		`{viewer{accounts(filter:{accountTag:"default"}){a:aiGatewayRequestsAdaptiveGroups(limit:1,filter:{datetime_geq:"2020-01-01T00:00:00Z"}){dimensions{datetimeMinute}}}}}`: "intervals",
	} {
		v := b.graphQL(query, nil)
		if v.Data != nil || len(v.Errors) == 0 || !strings.Contains(v.Errors[0].Message, message) {
			t.Errorf("%.80s: %+v; want %q", query, v, message)
		}
	}
	v := b.graphQL(`{viewer{accounts(filter:{accountTag:"nobody"}){accountTag}}}`, nil)
	if v.Errors[0].Extensions["code"] != "authz" {
		t.Errorf("%+v", v.Errors)
	}
	v = b.graphQL(`query($no: Boolean!){viewer{accounts(filter:{accountTag:"default"}){accountTag @skip(if:$no) other: accountTag @include(if:$no) __typename}}}`, map[string]any{"no": true})
	if account := v.Data.Viewer.Accounts[0]; len(account) != 2 || string(account["other"]) != `"default"` || string(account["__typename"]) != `"account"` {
		t.Errorf("%v", account)
	}
}

func TestGraphQLShowsATokenItsOwnAccount(t *testing.T) {
	b := newBench(t)
	make := func(account string, gateways ...string) string {
		_, secret, err := b.deps.Tokens.Create(t.Context(), auth.New{Account: account, Gateways: gateways, Permissions: auth.Read}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return secret.Reveal()
	}
	ask := func(account, filter string) string {
		return `{viewer{accounts(filter:{accountTag:"` + account + `"}){a:aiGatewayRequestsAdaptiveGroups(limit:1,filter:{` + filter + `}){count}}}}`
	}
	other, some := make("other"), make("default", "prod")
	for _, c := range []struct {
		query, token string
		ok           bool
	}{
		{ask("other", ""), other, true},
		{ask("default", ""), other, false},
		{`{viewer{accounts(filter:{accountTag:"default"}){accountTag}}}`, other, false},
		{ask("default", `gateway:"prod"`), some, true},
		{ask("default", `gateway:"default"`), some, false},
		{ask("default", ``), some, false},
		{ask("default", `gateway_in:["prod"]`), some, false},
		{ask("default", ""), token, true},
	} {
		v := b.graphQL(c.query, nil, c.token)
		if (len(v.Errors) == 0) != c.ok || !c.ok && v.Data != nil {
			t.Errorf("%s: %+v", c.query, v)
		}
	}
}

// FuzzGraphQL holds that any body is answered, in bounded time, and never by a panic.
func FuzzGraphQL(f *testing.F) {
	for _, body := range []string{
		`{"query":"{viewer{accounts(filter:{accountTag:\"default\"}){aiGatewayRequestsAdaptiveGroups(limit:10,orderBy:[count_DESC],filter:{gateway:\"x\",datetime_geq:\"2026-01-01T00:00:00Z\",error:0}){count dimensions{model date} sum{cost}}}}}"}`,
		`{"query":"query($a:string!,$l:Int){viewer{accounts(filter:{accountTag:$a}){...f}}} fragment f on account{aiGatewayRequestsAdaptiveGroups(limit:$l){count @skip(if:true)}}","variables":{"a":"default","l":5}}`,
		`{"query":"{viewer{accounts(filter:{accountTag:\"default\"}){aiGatewayRequestsAdaptiveGroups(filter:{metadataRaw_like:\"%a_\",AND:[{error:1}]}){dimensions{metadataRaw datetimeMinute}}}}}"}`,
		`{}`, `[1]`, `{"query":"{a:viewer{a:accounts{a:accountTag}}}","variables":{"x":[{}]},"operationName":"y"}`,
	} {
		f.Add([]byte(body))
	}
	log := newFakeLog()
	log.totals = sums
	schema, set := newGraphQLSchema(), newGateways(f)
	settings := func() *Settings { return &Settings{Gateways: set.Snapshot()} }
	f.Fuzz(func(t *testing.T, body []byte) {
		s := &server{Deps: Deps{Log: log, Logger: slog.New(slog.DiscardHandler), Settings: settings}}
		x := graphQLExec{s: s, now: base, schema: schema, caller: &caller{role: RoleAdmin}}
		data, err := x.run(t.Context(), body)
		if err != nil {
			if graphQLErrors(err) == nil {
				t.Fatalf("%s: %v", body, err)
			}
			return
		}
		if _, err := json.Marshal(data); err != nil {
			t.Fatalf("%s: %v", body, err)
		}
	})
}
