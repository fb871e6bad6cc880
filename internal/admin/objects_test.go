package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/object"
)

const gatewayPath = accountPath + "/gateways/default"

// raw sends a call, without a connection, and returns the answer's status, header and members. header holds
// names and values.
func (b *bench) raw(method, path, text string, header ...string) (status int, h http.Header, members map[string]any) {
	b.t.Helper()
	w := httptest.NewRecorder()
	r := mustRequest(b.t, method, b.server.URL+path)
	if text != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	b.handler.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &members); err != nil {
		b.t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
	}
	return w.Code, w.Header(), members
}

// made sends a call that must serve, and returns its result.
func (b *bench) made(method, path, text string, header ...string) map[string]any {
	b.t.Helper()
	status, _, members := b.raw(method, path, text, header...)
	result, ok := members["result"].(map[string]any)
	if status != http.StatusOK || !ok {
		b.t.Fatalf("%s %s %s: %d %v", method, path, text, status, members)
	}
	return result
}

// refused sends a call that must not serve, and returns its first fault.
func (b *bench) refused(method, path, text string, want int, header ...string) Fault {
	b.t.Helper()
	status, _, members := b.raw(method, path, text, header...)
	list, err := json.Marshal(members["errors"])
	if err != nil {
		b.t.Fatal(err)
	}
	var faults []Fault
	if err := json.Unmarshal(list, &faults); err != nil || status != want || len(faults) == 0 || members["success"] != false {
		b.t.Fatalf("%s %s: %d %v; want %d", method, path, status, members, want)
	}
	return faults[0]
}

// items lists path.
func (b *bench) items(path string) []map[string]any {
	b.t.Helper()
	v := b.call(path)
	return v.items(b.t)
}

// value is v as JSON reads it back.
func value(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

const someFilters = `[{"key":"provider","operator":"eq","value":["openai"]},{"key":"cost","operator":"gt","value":[0.0001]},{"key":"success","operator":"eq","value":[true]}]`

func TestADatasetIsWhatWasSent(t *testing.T) {
	b := newBench(t)
	made := b.made(http.MethodPost, gatewayPath+"/datasets", `{"name":"good ones","enable":false,"filters":`+someFilters+`}`)
	if !reflect.DeepEqual(made["filters"], value(t, someFilters)) || made["enable"] != false || made["name"] != "good ones" || made["gateway_id"] != "default" {
		t.Errorf("%v", made)
	}
	id, _ := made["id"].(string)
	status, h, members := b.raw(http.MethodGet, gatewayPath+"/datasets/"+id, "")
	if status != http.StatusOK || h.Get("ETag") != `"1"` || !reflect.DeepEqual(members["result"], any(made)) {
		t.Errorf("%d, %q, %v", status, h.Get("ETag"), members)
	}
	same := b.made(http.MethodPut, gatewayPath+"/datasets/"+id, `{"name":"good ones","enable":false,"filters":`+someFilters+`}`)
	if !reflect.DeepEqual(same, made) {
		t.Errorf("a change of nothing: %v", same)
	}
	changed := b.made(http.MethodPut, gatewayPath+"/datasets/"+id, `{"id":"ignored","name":"all","filters":[]}`)
	if changed["name"] != "all" || changed["enable"] != true || changed["id"] != id || changed["created_at"] != made["created_at"] {
		t.Errorf("%v", changed)
	}
	if gone := b.made(http.MethodDelete, gatewayPath+"/datasets/"+id, ""); !reflect.DeepEqual(gone, changed) {
		t.Errorf("%v", gone)
	}
	b.fails(gatewayPath+"/datasets/"+id, http.StatusNotFound, codeNotFound, "dataset not found")
}

func TestAConflictShowsBothSides(t *testing.T) {
	b := newBench(t)
	made := b.made(http.MethodPost, gatewayPath+"/datasets", `{"name":"a","filters":[]}`)
	path := gatewayPath + "/datasets/" + made["id"].(string)
	b.made(http.MethodPut, path, `{"name":"b","filters":[]}`, "If-Match", `"1"`)
	status, h, members := b.raw(http.MethodPut, path, `{"name":"c","filters":[]}`, "If-Match", `W/"1"`)
	both, _ := members["conflict"].(map[string]any)
	if status != http.StatusConflict || h.Get("ETag") != `"2"` || h.Get("X-Should-Retry") != "false" || members["result"] != nil || both == nil {
		t.Fatalf("%d %v %v", status, h, members)
	}
	if both["current"].(map[string]any)["name"] != "b" || both["sent"].(map[string]any)["name"] != "c" {
		t.Errorf("%v", both)
	}
	b.made(http.MethodPut, path, `{"name":"c","filters":[]}`, "If-Match", "*")
	for _, tag := range []string{"x", `"0"`, `"-1"`, `"1.5"`} {
		if f := b.refused(http.MethodPut, path, `{"name":"d","filters":[]}`, http.StatusBadRequest, "If-Match", tag); f.Field != "If-Match" {
			t.Errorf("%s: %+v", tag, f)
		}
	}
	b.refused(http.MethodDelete, path, "", http.StatusConflict, "If-Match", `"2"`)
	b.made(http.MethodDelete, path, "", "If-Match", `"3"`)
}

func TestWrongDatasetsAreRefused(t *testing.T) {
	b := newBench(t)
	filter := func(key, operator, value string) string {
		return fmt.Sprintf(`{"name":"a","filters":[{"key":%q,"operator":%q,"value":%s}]}`, key, operator, value)
	}
	for _, text := range []string{
		`{}`, `{"name":"a"}`, `{"name":"","filters":[]}`, `{"name":" ","filters":[]}`, `{"name":"` + strings.Repeat("é", 129) + `","filters":[]}`,
		filter("id", "eq", `["x"]`), filter("provider", "neq", `["x"]`), filter("provider", "eq", `[]`), filter("provider", "eq", `[{}]`),
		filter("provider", "eq", `"x"`), filter("provider", "lt", `["x"]`), filter("cost", "gt", `["dear"]`), filter("created_at", "gt", `["yesterday"]`),
		filter("success", "contains", `["t"]`), filter("provider", "eq", `[null]`), filter("provider", "eq", `[["x"]]`),
	} {
		b.refused(http.MethodPost, gatewayPath+"/datasets", text, http.StatusBadRequest)
	}
	if items := b.call(gatewayPath + "/datasets"); string(items.Result) != "[]" {
		t.Errorf("%s", items.Result)
	}
}

func TestDatasetsAreListedAsInTheReference(t *testing.T) {
	b := newBench(t)
	for i := range 5 {
		b.made(http.MethodPost, gatewayPath+"/datasets", fmt.Sprintf(`{"name":"set %d","enable":%v,"filters":[]}`, i, i%2 == 0))
	}
	b.made(http.MethodPost, accountPath+"/gateways/prod/datasets", `{"name":"elsewhere","filters":[]}`)
	for query, want := range map[string]string{
		"": "0 1 2 3 4", "?enable=true": "0 2 4", "?enable=false&per_page=1&page=2": "3", "?name=set+3": "3", "?search=SET+1": "1", "?page=9": "", "?search=else": "",
	} {
		v := b.call(gatewayPath + "/datasets" + query)
		var got []string
		for _, item := range v.items(t) {
			got = append(got, strings.TrimPrefix(item["name"].(string), "set "))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q; want %q", query, got, want)
		}
	}
	if info := b.call(gatewayPath + "/datasets?per_page=2").ResultInfo; info["total_count"] != 5.0 || info["count"] != 2.0 || info["total_pages"] != 3.0 {
		t.Errorf("%v", info)
	}
}

// TestEvaluationsAreWhatTheRowsComeTo computes by hand what the datasets hold.
func TestEvaluationsAreWhatTheRowsComeTo(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	for i := range 12 {
		e := recent(&b.ids)
		e.Cost, e.Priced = 0, false
		if i < 3 {
			e.Cost, e.Priced = 10, true
		}
		if i == 3 {
			e.Cost, e.Priced = 21, true
		}
		e.Timeline.End = time.Duration(100+i)*time.Millisecond + 500*time.Microsecond
		e.Feedback = map[int]int8{0: 1, 1: 1, 2: -1}[i]
		if i >= 8 {
			e.Provider = "anthropic"
		}
		run(log, e, "", "x")
	}
	dataset := func(filters string) string {
		id, _ := b.made(http.MethodPost, gatewayPath+"/datasets", `{"name":"d","filters":`+filters+`}`)["id"].(string)
		return id
	}
	openai, slow := dataset(`[{"key":"provider","operator":"eq","value":["openai"]}]`), dataset(`[{"key":"duration","operator":"gt","value":[106]}]`)
	none := dataset(`[{"key":"provider","operator":"eq","value":["nobody"]}]`)
	evaluate := func(ids ...string) (results map[string]string, total float64) {
		list, err := json.Marshal(ids)
		if err != nil {
			t.Fatal(err)
		}
		e := b.made(http.MethodPost, gatewayPath+"/evaluations", `{"name":"e","dataset_ids":`+string(list)+`,"evaluation_type_ids":["cost","speed","performance","cost"]}`)
		results = map[string]string{}
		for _, r := range e["results"].([]any) {
			r := r.(map[string]any)
			if r["status"] != 2.0 || r["evaluation_id"] != e["id"] {
				t.Errorf("%v", r)
			}
			results[r["evaluation_type_id"].(string)] = fmt.Sprint(r["result"], " of ", r["total_logs"])
		}
		if e["processed"] != true || len(e["datasets"].([]any)) != len(ids) {
			t.Errorf("%v", e)
		}
		return results, e["total_logs"].(float64)
	}
	for _, c := range []struct {
		ids   []string
		want  map[string]string
		total float64
	}{
		// 3 × 10 + 21 nano-dollars over 4: 12.75, rounded; 100.5 to 107.5 ms; two up of three.
		{[]string{openai}, map[string]string{"cost": "0.000000013 of 4", "speed": "104 of 8", "performance": "0.6667 of 3"}, 8},
		{[]string{slow}, map[string]string{"cost": "<nil> of 0", "speed": "109 of 6", "performance": "<nil> of 0"}, 6},
		{[]string{slow, openai}, map[string]string{"cost": "0.000000013 of 4", "speed": "106 of 12", "performance": "0.6667 of 3"}, 12},
		{[]string{none}, map[string]string{"cost": "<nil> of 0", "speed": "<nil> of 0", "performance": "<nil> of 0"}, 0},
	} {
		if got, total := evaluate(c.ids...); !reflect.DeepEqual(got, c.want) || total != c.total {
			t.Errorf("%v, %v; want %v, %v", got, total, c.want, c.total)
		}
	}
	t.Run("an evaluation outlives its datasets and does not follow them", func(t *testing.T) {
		b.made(http.MethodDelete, gatewayPath+"/datasets/"+openai, "")
		items := b.items(gatewayPath + "/evaluations?processed=true&per_page=1")
		if len(items) != 1 || items[0]["total_logs"] != json.Number("8") || items[0]["datasets"].([]any)[0].(map[string]any)["id"] != openai {
			t.Fatalf("%v", items)
		}
		id, _ := items[0]["id"].(string)
		if gone := b.made(http.MethodDelete, gatewayPath+"/evaluations/"+id, ""); gone["id"] != id {
			t.Errorf("%v", gone)
		}
		b.fails(gatewayPath+"/evaluations/"+id, http.StatusNotFound, codeNotFound, "evaluation not found")
	})
	for _, text := range []string{
		`{"name":"e","dataset_ids":[],"evaluation_type_ids":["cost"]}`, `{"name":"e","dataset_ids":["x"],"evaluation_type_ids":["cost"]}`,
		`{"name":"e","dataset_ids":["` + slow + `"],"evaluation_type_ids":["luck"]}`, `{"name":"","dataset_ids":["` + slow + `"],"evaluation_type_ids":["cost"]}`,
	} {
		b.refused(http.MethodPost, gatewayPath+"/evaluations", text, http.StatusBadRequest)
	}
}

func TestEvaluationTypes(t *testing.T) {
	b := newBench(t)
	for query, want := range map[string][]string{
		"": {"cost", "speed", "performance"}, "?order_by=name": {"cost", "performance", "speed"}, "?order_by=id&order_by_direction=desc": {"speed", "performance", "cost"}, "?page=2": {},
	} {
		if got := idsOf(b.items(accountPath + "/evaluation-types" + query)); !slices.Equal(got, want) {
			t.Errorf("%q: %q; want %q", query, got, want)
		}
	}
}

// routeElements are those of a route that asks one model.
func routeElements(model string) string {
	return `[{"id":"s","type":"start","outputs":{"next":{"elementId":"m"}}},` +
		`{"id":"m","type":"model","properties":{"provider":"openai","model":"` + model + `","timeout":1e3,"retries":0.0},"outputs":{"success":{"elementId":"e"},"fallback":{"elementId":"e"}}},` +
		`{"id":"e","type":"end","outputs":{}}]`
}

// TestDynamicRoutesHaveTheReferencesThreeEnvelopes walks all calls of a route's life.
func TestDynamicRoutesHaveTheReferencesThreeEnvelopes(t *testing.T) {
	b := newBench(t)
	const routes = gatewayPath + "/routes"
	first, second := routeElements("first"), routeElements("second")
	made := b.made(http.MethodPost, routes, `{"name":"support","elements":`+first+`}`)
	version, deployment := made["version"].(map[string]any), made["deployment"].(map[string]any)
	if !reflect.DeepEqual(made["elements"], value(t, first)) || version["active"] != "true" || version["is_valid"] != true || version["data"] != first || deployment["version_id"] != version["version_id"] {
		t.Fatalf("%v", made)
	}
	route := routes + "/" + made["id"].(string)
	if got := b.made(http.MethodGet, route, ""); !reflect.DeepEqual(got, made) {
		t.Errorf("got %v", got)
	}
	added := b.made(http.MethodPost, route+"/versions", `{"elements":`+second+`}`)
	if added["version"] != nil || added["id"] != made["id"] || !reflect.DeepEqual(added["elements"], value(t, second)) {
		t.Errorf("added %v", added)
	}
	data := func(path string) map[string]any {
		status, _, members := b.raw(http.MethodGet, path, "")
		d, ok := members["data"].(map[string]any)
		if status != http.StatusOK || !ok || members["success"] != true || members["result"] != nil || d["order_by"] != "created_at" {
			t.Fatalf("%s: %d %v", path, status, members)
		}
		return d
	}
	versions := data(route + "/versions")["versions"].([]any)
	newest := versions[0].(map[string]any)
	if len(versions) != 2 || newest["version_id"] != added["version_id"] || newest["active"] != "false" {
		t.Errorf("%v", versions)
	}
	full := b.made(http.MethodGet, route+"/versions/"+added["version_id"].(string), "")
	if full["name"] != "support" || full["id"] != made["id"] || full["data"] != second || !reflect.DeepEqual(full["issues"], []any{}) {
		t.Errorf("%v", full)
	}
	deployed := b.made(http.MethodPost, route+"/deployments", `{"version_id":"`+added["version_id"].(string)+`"}`, "If-Match", `"1"`)
	if !reflect.DeepEqual(deployed["elements"], value(t, second)) || deployed["revision"] != 2.0 {
		t.Errorf("%v", deployed)
	}
	if list := data(route + "/deployments?per_page=1&page=2"); list["total_count"] != 2.0 || list["deployments"].([]any)[0].(map[string]any)["deployment_id"] != deployment["deployment_id"] {
		t.Errorf("%v", list)
	}
	status, h, members := b.raw(http.MethodPatch, route, `{"name":"help"}`)
	if renamed, ok := members["route"].(map[string]any); status != http.StatusOK || !ok || renamed["name"] != "help" || renamed["account_tag"] != "default" || h.Get("ETag") != `"3"` {
		t.Errorf("%d %v", status, members)
	}
	status, _, members = b.raw(http.MethodPatch, route, `{"name":"other"}`, "If-Match", `"1"`)
	if both, ok := members["conflict"].(map[string]any); status != http.StatusConflict || !ok || both["current"].(map[string]any)["name"] != "help" {
		t.Errorf("%d %v", status, members)
	}
	if list := data(routes + "?per_page=5"); list["per_page"] != 5.0 || list["routes"].([]any)[0].(map[string]any)["name"] != "help" {
		t.Errorf("%v", list)
	}
	if gone := b.made(http.MethodDelete, route, ""); gone["version"] != nil || gone["name"] != "help" {
		t.Errorf("%v", gone)
	}
	if list := data(routes); len(list["routes"].([]any)) != 0 {
		t.Errorf("%v", list)
	}
	for _, path := range []string{route, route + "/versions", route + "/deployments", route + "/versions/" + added["version_id"].(string)} {
		if f := b.refused(http.MethodGet, path, "", http.StatusNotFound); f.Code != codeNotFound {
			t.Errorf("%s: %+v", path, f)
		}
	}
}

func TestAllThatIsWrongWithARouteIsSaid(t *testing.T) {
	b := newBench(t)
	const routes = gatewayPath + "/routes"
	wrong := `[{"id":"s","type":"start","outputs":{"next":{"elementId":"nowhere"}}},{"id":"s","type":"lottery"}]`
	v := b.send(http.MethodPost, routes, `{"name":"a","elements":`+wrong+`}`)
	var fields []string
	for _, f := range v.Errors {
		fields = append(fields, strings.Join(f.Path, " "))
	}
	want := []string{"body elements[1].id", "body elements[1].type", "body elements[0].outputs.next.elementId"}
	if v.status != http.StatusBadRequest || !slices.Equal(fields, want) {
		t.Errorf("%d %q; want %q", v.status, fields, want)
	}
	for _, text := range []string{`{}`, `{"name":"a"}`, `{"name":"a","elements":{}}`, `{"name":"a/b","elements":` + routeElements("m") + `}`} {
		b.refused(http.MethodPost, routes, text, http.StatusBadRequest)
	}
	made := b.made(http.MethodPost, routes, `{"name":"a","elements":`+routeElements("m")+`}`)
	if f := b.refused(http.MethodPost, routes, `{"name":"a","elements":`+routeElements("m")+`}`, http.StatusConflict); f.Field != "name" {
		t.Errorf("%+v", f)
	}
	route := routes + "/" + made["id"].(string)
	b.refused(http.MethodPost, route+"/versions", `{"elements":`+wrong+`}`, http.StatusBadRequest)
	draft := b.made(http.MethodPost, route+"/versions?draft=true", `{"elements":`+wrong+`}`)
	if draft["is_valid"] != false || len(draft["issues"].([]any)) != 3 {
		t.Errorf("%v", draft)
	}
	b.refused(http.MethodPost, route+"/deployments", `{"version_id":"`+draft["version_id"].(string)+`"}`, http.StatusBadRequest)
	b.refused(http.MethodPost, route+"/deployments", `{"version_id":"nothing"}`, http.StatusNotFound)

	checked := b.made(http.MethodPost, routes+"/validate", `{"elements":`+strings.Replace(routeElements("m"), "openai", "nobody", 1)+`}`)
	issues := checked["issues"].([]any)
	if checked["is_valid"] != true || len(issues) != 1 || issues[0].(map[string]any)["field"] != "elements[1].properties.provider" || issues[0].(map[string]any)["warning"] != true {
		t.Errorf("%v", checked)
	}
}

func TestObjectsGoWithTheirGateway(t *testing.T) {
	b := newBench(t)
	b.made(http.MethodPost, accountPath+"/gateways", `{"id":"gone","cache_ttl":0,"cache_invalidate_on_update":true,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0}`)
	const gone = accountPath + "/gateways/gone"
	b.made(http.MethodPost, gone+"/routes", `{"name":"a","elements":`+routeElements("m")+`}`)
	b.made(http.MethodPost, gone+"/custom-domains", `{"domain":"ai.example.com"}`)
	if _, ok := b.deps.Objects.Snapshot().Route(object.Place{Account: "default", Gateway: "gone"}, "a"); !ok {
		t.Error("the route does not serve")
	}
	b.made(http.MethodDelete, gone, "")
	for range b.deps.Objects.Snapshot().Hosts() {
		t.Error("the domain means a gateway that is gone")
	}
	if _, ok := b.deps.Objects.Snapshot().Route(object.Place{Account: "default", Gateway: "gone"}, "a"); ok {
		t.Error("the route serves")
	}
}

func TestViewsAreOnesOwnOrShared(t *testing.T) {
	b := newBench(t)
	value := func(name string, p auth.Permission) string {
		_, secret, err := b.deps.Tokens.Create(t.Context(), auth.New{Name: name, Account: "default", Permissions: p}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + secret.Reveal()
	}
	ann, bob := value("ann", auth.Read), value("bob", auth.Read)
	const views = accountPath + "/views"
	mine := b.made(http.MethodPost, views, `{"name":"errors","page":"logs","query":"q=status:error","gateway_id":"prod"}`, "Authorization", ann)
	shared := b.made(http.MethodPost, views, `{"name":"all","page":"analytics","shared":true}`)
	listed := func(who string) (names []string) {
		_, _, members := b.raw(http.MethodGet, views, "", "Authorization", who)
		for _, v := range members["result"].([]any) {
			names = append(names, v.(map[string]any)["name"].(string))
		}
		return names
	}
	if a, b := listed(ann), listed(bob); !slices.Equal(a, []string{"errors", "all"}) || !slices.Equal(b, []string{"all"}) {
		t.Errorf("ann sees %q, bob %q", a, b)
	}
	path := views + "/" + mine["id"].(string)
	b.refused(http.MethodGet, path, "", http.StatusNotFound, "Authorization", bob)
	b.refused(http.MethodPut, path, `{"name":"x","page":"logs"}`, http.StatusNotFound, "Authorization", bob)
	b.refused(http.MethodDelete, views+"/"+shared["id"].(string), "", http.StatusForbidden, "Authorization", bob)
	b.refused(http.MethodPost, views, `{"name":"x","page":"logs","shared":true}`, http.StatusForbidden, "Authorization", bob)
	b.refused(http.MethodPost, views, `{"name":"x","page":"javascript:alert(1)"}`, http.StatusBadRequest)
	changed := b.made(http.MethodPut, path, `{"name":"errors","page":"logs","query":"q=status:5xx"}`, "Authorization", ann, "If-Match", `"1"`)
	if changed["query"] != "q=status:5xx" || changed["owner"] != mine["owner"] || changed["mine"] != true || changed["version"] != 2.0 {
		t.Errorf("%v", changed)
	}
	b.refused(http.MethodPut, path, `{"name":"errors","page":"logs"}`, http.StatusConflict, "Authorization", ann, "If-Match", `"1"`)
	if v := b.call(views + "?of=analytics"); len(v.items(t)) != 1 {
		t.Errorf("%s", v.Result)
	}
	b.made(http.MethodDelete, path, "", "Authorization", ann)
}

func TestCustomDomains(t *testing.T) {
	b := newBench(t)
	const domains = gatewayPath + "/custom-domains"
	made := b.made(http.MethodPost, domains, `{"domain":"AI.Example.com.","zone_id":"z1"}`)
	if made["hostname"] != "ai.example.com" || made["status"] != "active" || made["cname_target"] != "gateway.test" || made["zone_id"] != "z1" || made["gateway_id"] != "default" {
		t.Errorf("%v", made)
	}
	if at, ok := made["created_at"].(float64); !ok || time.Since(time.UnixMilli(int64(at))).Abs() > time.Hour {
		t.Errorf("created at %v", made["created_at"])
	}
	if got := b.made(http.MethodGet, domains+"/AI.example.com", ""); !reflect.DeepEqual(got, made) {
		t.Errorf("%v", got)
	}
	if items := b.items(domains); len(items) != 1 || items[0]["hostname"] != "ai.example.com" {
		t.Errorf("%v", items)
	}
	b.refused(http.MethodPost, accountPath+"/gateways/prod/custom-domains", `{"domain":"ai.example.com"}`, http.StatusConflict)
	b.refused(http.MethodGet, accountPath+"/gateways/prod/custom-domains/ai.example.com", "", http.StatusNotFound)
	for _, name := range []string{
		"", "localhost", "a.localhost", "127.0.0.1", "::1", "[::1]", "example", "*.example.com", "a_b.example.com", "https://ai.example.com", "ai.example.com:8080", "-a.example.com",
		strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 130) + "com", "gateway.test",
	} {
		text, err := json.Marshal(map[string]string{"domain": name})
		if err != nil {
			t.Fatal(err)
		}
		if f := b.refused(http.MethodPost, domains, string(text), http.StatusBadRequest); f.Field != "domain" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	b.made(http.MethodDelete, domains+"/ai.example.com", "")
	b.fails(domains+"/ai.example.com", http.StatusNotFound, codeNotFound, "custom domain not found")
}

func TestTheNameByWhichTheAPIIsCalledIsNoCustomDomain(t *testing.T) {
	b := newBench(t)
	r := mustRequest(t, http.MethodPost, b.server.URL+gatewayPath+"/custom-domains")
	r.Host = "Sluice.example.com:8088"
	text := `{"domain":"sluice.example.com"}`
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "would not be any more") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestThereIsNoBilling(t *testing.T) {
	b := newBench(t)
	const billing = accountPath + "/billing"
	want := `{"balance":0,"has_default_payment_method":false,"payment_method":null,"topup_config":{"amount":null,"threshold":null}}`
	if got := b.made(http.MethodGet, billing+"/credit-balance", ""); !reflect.DeepEqual(got, value(t, want)) {
		t.Errorf("%v", got)
	}
	for call, status := range map[string]int{
		"GET /invoice-history?type=auto": 404, "GET /invoice-preview": 404, "GET /usage-history?value_grouping_window=day": 404, "POST /topup": 404,
		"POST /topup/status": 404, "GET /topup/config": 404, "POST /topup/config": 403, "DELETE /topup/config": 403,
		"GET /spending-limit": 404, "POST /spending-limit": 403, "DELETE /spending-limit": 403,
	} {
		method, path, _ := strings.Cut(call, " ")
		if f := b.refused(method, billing+path, "", status); f.Message != "there is no billing here" {
			t.Errorf("%s: %+v", call, f)
		}
	}
}

// TestObjectsOfAnotherGatewayAreNotFound: an id alone opens nothing.
func TestObjectsOfAnotherGatewayAreNotFound(t *testing.T) {
	b := newBench(t)
	route := b.made(http.MethodPost, gatewayPath+"/routes", `{"name":"a","elements":`+routeElements("m")+`}`)["id"].(string)
	dataset := b.made(http.MethodPost, gatewayPath+"/datasets", `{"name":"a","filters":[]}`)["id"].(string)
	for _, elsewhere := range []string{accountPath + "/gateways/prod", "/client/v4/accounts/other/ai-gateway/gateways/default"} {
		for _, call := range []string{
			"GET /datasets/" + dataset, "PUT /datasets/" + dataset, "DELETE /datasets/" + dataset, "GET /routes/" + route, "PATCH /routes/" + route, "DELETE /routes/" + route,
			"GET /routes/" + route + "/versions", "POST /routes/" + route + "/versions", "GET /routes/" + route + "/deployments", "POST /routes/" + route + "/deployments",
			"GET /routes/" + url.PathEscape("../routes"),
		} {
			method, path, _ := strings.Cut(call, " ")
			text := ""
			if method == http.MethodPut || method == http.MethodPost || method == http.MethodPatch {
				text = `{"name":"b","filters":[],"version_id":"x","elements":` + routeElements("m") + `}`
			}
			b.refused(method, elsewhere+path, text, http.StatusNotFound)
		}
	}
}

func TestAGatewayIsChangedFromTheVersionThatWasSeen(t *testing.T) {
	b := newBench(t)
	const base = `"cache_invalidate_on_update":true,"collect_logs":true,"rate_limiting_interval":0,"rate_limiting_limit":0`
	status, h, _ := b.raw(http.MethodPost, accountPath+"/gateways", `{"id":"mine","cache_ttl":0,`+base+`}`)
	if status != http.StatusOK || h.Get("ETag") != `"1"` {
		t.Fatalf("%d %v", status, h)
	}
	const path = accountPath + "/gateways/mine"
	same := b.made(http.MethodPut, path, `{"cache_ttl":0,`+base+`}`, "If-Match", `"1"`)
	if same["version"] != 1.0 || same["modified_at"] != same["created_at"] {
		t.Errorf("a change of nothing: %v", same)
	}
	b.made(http.MethodPut, path, `{"cache_ttl":60,`+base+`}`, "If-Match", `"1"`)
	status, h, members := b.raw(http.MethodPut, path, `{"cache_ttl":90,`+base+`}`, "If-Match", `"1"`)
	both, ok := members["conflict"].(map[string]any)
	if status != http.StatusConflict || !ok || h.Get("ETag") != `"2"` || both["current"].(map[string]any)["cache_ttl"] != 60.0 || both["sent"].(map[string]any)["cache_ttl"] != 90.0 {
		t.Errorf("%d %v %v", status, h, members)
	}
	_, h, _ = b.raw(http.MethodGet, path, "")
	b.made(http.MethodPut, path, `{"cache_ttl":90,`+base+`}`, "If-Match", h.Get("ETag"))
}
