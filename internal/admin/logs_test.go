package admin

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// mixed fills the log with entries that differ in what is filtered, one per minute, the oldest first.
func (b *bench) mixed() []sluice.LogEntry {
	var es []sluice.LogEntry
	add := func(change func(e *sluice.LogEntry)) {
		e := entryAt(&b.ids, time.Duration(len(es))*time.Minute)
		change(&e)
		es = append(es, e)
	}
	add(func(e *sluice.LogEntry) { e.Metadata = []sluice.MetaValue{{Key: "agent", Value: "u-1"}} })
	add(func(e *sluice.LogEntry) {
		e.Provider, e.Model, e.Endpoint, e.Status, e.Success = "anthropic", "claude*1", "messages", 529, false
		e.Cost, e.Priced = 0, false
	})
	add(func(e *sluice.LogEntry) {
		e.Endpoint, e.Cost, e.UserAgent = "embeddings", 2_000_000_000, "openai-python/2.1"
		e.Usage.Set(sluice.Input, 4000)
	})
	add(func(e *sluice.LogEntry) {
		e.Timeline.End, e.EventID, e.Feedback, e.Cache = 3*time.Second, "order-77", -1, sluice.CacheHit
		e.Metadata = []sluice.MetaValue{{Key: "user", Value: "u-bob"}, {Key: "agent", Value: "u-2"}}
	})
	add(func(e *sluice.LogEntry) { e.Request.Type, e.Feedback = "multipart/form-data; boundary=x", 1 })
	b.log.add(reqlog.KindEntry, es...)
	prod, other := entryAt(&b.ids, time.Hour), entryAt(&b.ids, time.Hour)
	prod.Gateway, other.Account = "prod", "other"
	b.log.add(reqlog.KindEntry, prod, other)
	return es
}

func TestListIsNewestFirstAndHasTheReferencesInfo(t *testing.T) {
	b := newBench(t)
	es := b.mixed()
	v := b.call(logsPath)
	want := []string{es[4].ID.String(), es[3].ID.String(), es[2].ID.String(), es[1].ID.String(), es[0].ID.String()}
	if got := idsOf(v.items(t)); !slices.Equal(got, want) {
		t.Errorf("ids %q, want %q", got, want)
	}
	info := map[string]any{
		"page": 1.0, "per_page": 20.0, "count": 5.0, "total_count": 5.0, "total_pages": 1.0, "approx_total": 5.0, "total_exact": true,
		"next": nil, "prev": nil, "partial": false, "complete_until": "2025-11-24T15:00:00.000Z",
	}
	if !maps.Equal(v.ResultInfo, info) {
		t.Errorf("info %v, want %v", v.ResultInfo, info)
	}
}

func TestListParameters(t *testing.T) {
	b := newBench(t)
	es := b.mixed()
	filters := func(items string) string { return "filters=" + url.QueryEscape(items) }
	for name, c := range map[string]struct {
		query string
		want  []int // places in es, newest first
	}{
		"an account's alias is the account":   {"", []int{4, 3, 2, 1, 0}},
		"oldest first":                        {"order_by_direction=asc", []int{0, 1, 2, 3, 4}},
		"oldest first, as it once was asked":  {"direction=asc", []int{0, 1, 2, 3, 4}},
		"by cost":                             {"order_by=cost&order_by_direction=desc&per_page=1", []int{2}},
		"by duration":                         {"order_by=duration&per_page=1", []int{3}},
		"page 2":                              {"page=2&per_page=2", []int{2, 1}},
		"a page past the end":                 {"page=4&per_page=2", nil},
		"a page far past the end":             {"page=999999999&per_page=1000", nil},
		"filters as JSON":                     {filters(`[{"key":"provider","operator":"eq","value":["anthropic"]}]`), []int{1}},
		"a value that is not in a list":       {filters(`[{"key":"provider","operator":"eq","value":"anthropic"}]`), []int{1}},
		"several filters are joined by and":   {filters(`[{"key":"provider","operator":"eq","value":["openai"]},{"key":"cost","operator":"gt","value":[0.5]}]`), []int{2}},
		"several values are joined by or":     {filters(`[{"key":"model_type","operator":"eq","value":["embeddings","nothing"]}]`), []int{2}},
		"neq":                                 {filters(`[{"key":"provider","operator":"neq","value":["openai"]}]`), []int{1}},
		"contains":                            {filters(`[{"key":"user_agent","operator":"contains","value":["PYTHON"]}]`), []int{2}},
		"eq is the whole text":                {filters(`[{"key":"user_agent","operator":"eq","value":["openai-python"]}]`), nil},
		"a star is a star":                    {filters(`[{"key":"model","operator":"eq","value":["*"]}]`), nil},
		"a star is found":                     {filters(`[{"key":"model","operator":"contains","value":["e*1"]}]`), []int{1}},
		"lt":                                  {filters(`[{"key":"tokens_in","operator":"lt","value":[100]},{"key":"success","operator":"eq","value":[false]}]`), []int{1}},
		"booleans":                            {filters(`[{"key":"cached","operator":"eq","value":[true]}]`), []int{3}},
		"milliseconds":                        {filters(`[{"key":"duration","operator":"gt","value":[2000]}]`), []int{3}},
		"an id in upper case":                 {filters(`[{"key":"id","operator":"eq","value":["` + strings.ToUpper(es[2].ID.String()) + `"]}]`), []int{2}},
		"times":                               {filters(`[{"key":"created_at","operator":"lt","value":["2025-11-24T14:01:00Z"]}]`), []int{0}},
		"metadata keys":                       {filters(`[{"key":"metadata.key","operator":"eq","value":["agent"]}]`), []int{3, 0}},
		"metadata values, of any key":         {filters(`[{"key":"metadata.key","operator":"eq","value":["agent"]},{"key":"metadata.value","operator":"eq","value":["u-bob"]}]`), []int{3}},
		"text model types":                    {filters(`[{"key":"model_type","operator":"contains","value":["Generation"]},{"key":"provider","operator":"eq","value":["anthropic"]}]`), []int{1}},
		"an unknown model type":               {filters(`[{"key":"model_type","operator":"eq","value":["nothing"]}]`), nil},
		"not an unknown model type":           {filters(`[{"key":"model_type","operator":"neq","value":["nothing"]}]`), []int{4, 3, 2, 1, 0}},
		"cost not known":                      {filters(`[{"key":"cost","operator":"eq","value":[null]}]`), []int{1}},
		"feedback 0 is thumbs down":           {filters(`[{"key":"feedback","operator":"eq","value":[0]}]`), []int{3}},
		"what nothing has yet, and no entry":  {filters(`[{"key":"authentication","operator":"eq","value":[true]}]`), nil},
		"what nothing has yet, and any entry": {filters(`[{"key":"wholesale","operator":"eq","value":[false]}]`), []int{4, 3, 2, 1, 0}},
		"no filter":                           {filters(`[]`), []int{4, 3, 2, 1, 0}},
		"the dotted form":                     {"filters.key=provider&filters.operator=eq&filters.value=anthropic", []int{1}},
		"the dotted form with two values":     {"filters.key=provider&filters.operator=eq&filters.value=anthropic&filters.value=x", []int{1}},
		"the dotted form, value first":        {"filters.value=anthropic&filters.operator=eq&filters.key=provider", []int{1}},
		"two dotted filters":                  {"filters.key=provider&filters.operator=eq&filters.value=openai&filters.key=success&filters.operator=eq&filters.value=true&filters.key=feedback&filters.operator=eq&filters.value=1", []int{4}},
		"search is in metadata values":        {"search=BOB", []int{3}},
		"q":                                   {"q=" + url.QueryEscape("provider:openai -cached:yes cost:>1"), []int{2}},
		"flat provider":                       {"provider=anthropic", []int{1}},
		"flat model":                          {"model=claude*1", []int{1}},
		"flat model type":                     {"model_type=embeddings", []int{2}},
		"flat success":                        {"success=false", []int{1}},
		"flat cached":                         {"cached=true", []int{3}},
		"flat feedback":                       {"feedback=0", []int{3}},
		"flat content type":                   {"request_content_type=" + url.QueryEscape("multipart/form-data; boundary=x"), []int{4}},
		"flat dates":                          {"start_date=2025-11-24T14:01:00Z&end_date=2025-11-24T14:02:00Z", []int{2, 1}},
		"flat cost":                           {"min_cost=0.5&max_cost=2", []int{2}},
		"flat duration":                       {"min_duration=3000", []int{3}},
		"flat tokens":                         {"min_tokens_in=4000&max_tokens_out=32&min_total_tokens=4032&max_total_tokens=4032", []int{2}},
		"a range":                             {"range=2025-11-24T14:01:00Z..2025-11-24T14:03:00Z", []int{2, 1}},
		"an open range":                       {"range=2025-11-24T14:03Z..", []int{4, 3}},
		"all ways at once":                    {"provider=openai&q=cost:%3E1&search=&" + filters(`[{"key":"tokens","operator":"gt","value":["1k"]}]`), []int{2}},
	} {
		t.Run(name, func(t *testing.T) {
			v := b.call("/client/v4/accounts/0123456789ABCDEF0123456789abcdef/ai-gateway/gateways/default/logs?" + c.query)
			var want []string
			for _, i := range c.want {
				want = append(want, es[i].ID.String())
			}
			if got := idsOf(v.items(t)); v.status != http.StatusOK || !slices.Equal(got, want) {
				t.Errorf("%d, %d items, want %v; errors %v", v.status, len(got), c.want, v.Errors)
			}
		})
	}
}

func TestListRefusesWhatItCannotRead(t *testing.T) {
	b := newBench(t)
	filters := func(items string) string { return "filters=" + url.QueryEscape(items) }
	for name, c := range map[string]struct{ query, field, message string }{
		"a key that is none":            {filters(`[{"key":"metadata.user","operator":"eq","value":["x"]}]`), "filters", "filters[0]: Invalid enum value"},
		"an operator that is none":      {filters(`[{"key":"cost","operator":"eq","value":[1]},{"key":"cost","operator":"is","value":[1]}]`), "filters", "filters[1]: Invalid enum value"},
		"an operator that does not go":  {filters(`[{"key":"cost","operator":"contains","value":[1]}]`), "filters", "contains does not go with cost"},
		"order of texts":                {filters(`[{"key":"provider","operator":"lt","value":["a"]}]`), "filters", "lt does not go with provider"},
		"no value":                      {filters(`[{"key":"cost","operator":"eq"}]`), "filters", "has no value"},
		"an empty list":                 {filters(`[{"key":"cost","operator":"eq","value":[]}]`), "filters", "has no value"},
		"objects for values":            {filters(`[{"key":"cost","operator":"eq","value":[{}]}]`), "filters", "not a list"},
		"lists in lists":                {filters(`[{"key":"cost","operator":"eq","value":[[1]]}]`), "filters", "not a list"},
		"no JSON":                       {filters(`provider=openai`), "filters", "not a JSON array"},
		"an object":                     {filters(`{"key":"provider"}`), "filters", "not a JSON array"},
		"a number that is none":         {filters(`[{"key":"cost","operator":"gt","value":["much"]}]`), "filters", "cost"},
		"an id that is none":            {filters(`[{"key":"id","operator":"eq","value":["x"]}]`), "filters", "no id"},
		"another dotted name":           {"filters.values=x", "filters", "there is no filters.values"},
		"a dotted filter without key":   {"filters.value=x", "filters", "Invalid enum value"},
		"two dotted values first":       {"filters.value=a&filters.key=provider&filters.operator=eq&filters.value=b&filters.key=model&filters.operator=eq", "filters", "has no value"},
		"q":                             {"q=nothing:x", "q", "nothing"},
		"fields":                        {"fields=id,nothing", "fields", "there is no field nothing"},
		"fields that only details have": {"fields=request_head", "fields", "there is no field request_head in a list"},
		"a flat number":                 {"min_cost=x", "min_cost", "cost"},
		"a range":                       {"range=yesterday", "range", "no range"},
		"a range the wrong way round":   {"range=2026-11-02..2026-11-01", "range", "ends before"},
		"a cursor":                      {"cursor=x", "cursor", "no cursor"},
		"a cursor that the log refuses": {"cursor=n.x", "cursor", "no cursor"},
		"too many filters":              {filters("[" + strings.Repeat(`{"key":"cost","operator":"eq","value":[1]},`, 70) + `{"key":"cost","operator":"eq","value":[1]}]`), "q", "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			v := b.call(logsPath + "?" + c.query)
			if v.status != http.StatusBadRequest || v.Errors[0].Code != codeInvalid || v.Errors[0].Field != c.field || !strings.Contains(v.Errors[0].Message, c.message) {
				t.Errorf("%d %+v; want field %s, %q", v.status, v.Errors, c.field, c.message)
			}
		})
	}
}

func TestFieldsAreWhatWasAskedForAndWhole(t *testing.T) {
	b := newBench(t)
	e := entryAt(&b.ids, 0)
	e.Path = strings.Repeat("x", 500)
	e.ReqHeader = sluice.Header{{Name: "X-A", Value: "1"}, {Name: "x-a", Value: "2"}}
	b.log.add(reqlog.KindEntry, e)
	v := b.call(logsPath + "?fields=path,request_headers,cost")
	headers := []any{map[string]any{"name": "X-A", "value": "1"}, map[string]any{"name": "x-a", "value": "2"}}
	item := v.items(t)[0]
	if len(item) != 4 || item["id"] != e.ID.String() || item["path"] != e.Path || fmt.Sprint(item["request_headers"]) != fmt.Sprint(headers) || item["cost"] != json.Number("0.0000568") {
		t.Errorf("item %v", item)
	}
	v = b.call(logsPath)
	item = v.items(t)[0]
	if item["request_headers"] != nil || item["attempts"] != nil || len(item["path"].(string)) != 120 || fmt.Sprint(item["cut"]) != "[path]" {
		t.Errorf("by default: %v", item)
	}
}

func TestOneRowPerAttemptUnlessRequestsAreAskedFor(t *testing.T) {
	b := newBench(t)
	e := entryAt(&b.ids, 0)
	e.Attempts = []sluice.Attempt{{Provider: "anthropic", Status: 529, Cause: "upstream_status"}, {Provider: "openai", Status: 200}}
	b.log.add(reqlog.KindEntry, e)
	first := e.ID.WithAttempt(1).String()
	for query, want := range map[string][]string{
		"":                               {e.ID.String(), first},
		"order_by_direction=asc":         {first, e.ID.String()},
		"basis=requests":                 {e.ID.String()},
		"provider=openai":                {e.ID.String()}, // the other attempt is not one of openai's
		"provider=openai&basis=requests": {e.ID.String()},
	} {
		v := b.call(logsPath + "?" + query)
		if got := idsOf(v.items(t)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	v := b.call(logsPath + "/" + strings.ToUpper(first))
	var detail map[string]any
	if err := json.Unmarshal(v.Result, &detail); err != nil || detail["provider"] != "anthropic" || detail["status_code"] != 529.0 || detail["id"] != first {
		t.Errorf("the attempt alone: %v, %v", detail, err)
	}
	b.fails(logsPath+"/"+e.ID.WithAttempt(5).String(), http.StatusNotFound, codeNotFound, "not found")
}

func TestMetaInfoGivesTheBounds(t *testing.T) {
	b := newBench(t)
	b.mixed()
	info := b.call(logsPath + "?meta_info=true&per_page=1").ResultInfo
	for name, want := range map[string]any{
		"min_cost": 0.0000568, "max_cost": 2.0, "min_duration": 412.0, "max_duration": 3000.0,
		"min_tokens_in": 14.0, "max_tokens_in": 4000.0, "min_tokens_out": 32.0, "max_tokens_out": 32.0,
	} {
		if info[name] != want {
			t.Errorf("%s = %v, want %v", name, info[name], want)
		}
	}
	if _, there := b.call(logsPath).ResultInfo["min_cost"]; there {
		t.Error("bounds without being asked for")
	}
}

func TestTheTotalOfAFilteredListIsFromRollUps(t *testing.T) {
	b := outcomes(t)
	for query, want := range map[string]any{
		"q=provider:openai": 10.0, "provider=anthropic": 2.0, "q=status:429": 2.0, "q=" + url.QueryEscape("-provider:openai"): 2.0,
		"q=provider:openai&range=1h": 10.0, "q=provider:openai&page=3&per_page=2": 10.0,
		"q=ua:%22agent+0%22": nil, "q=" + url.QueryEscape(`provider:openai ua:"agent 0"`): nil,
	} {
		info := b.call(logsPath + "?per_page=1&" + query).ResultInfo
		if info["total_count"] != want || info["approx_total"] != want || info["total_exact"] != false {
			t.Errorf("%s: %v, want %v", query, info, want)
		}
		if next, ok := info["next"].(string); ok && want != nil {
			if v := b.call(logsPath + "?per_page=1&cursor=" + next + "&" + query).ResultInfo["total_count"]; v != nil {
				t.Errorf("%s, the next page: %v", query, v)
			}
		}
	}
	if info := b.call(logsPath + "?q=provider:anthropic").ResultInfo; info["total_count"] != 2.0 || info["total_exact"] != true {
		t.Errorf("all on one page: %v", info)
	}
}

func TestTheTotalOfAFilteredListIsNotKnown(t *testing.T) {
	b := newBench(t)
	b.mixed()
	info := b.call(logsPath + "?provider=openai").ResultInfo
	for _, name := range []string{"total_count", "total_pages", "approx_total"} {
		if v, there := info[name]; !there || v != nil {
			t.Errorf("%s = %v, want null", name, v)
		}
	}
}

// TestCursorsGoBothWays walks to the end and back again over logs of any shape: every request comes
// once in each direction, in order, whatever shares a millisecond.
func TestCursorsGoBothWays(t *testing.T) {
	b := newBench(t)
	rapid.Check(t, func(rt *rapid.T) {
		b.log.mu.Lock()
		b.log.records, b.log.partial = nil, rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(rt, "partial")
		b.log.mu.Unlock()
		n := rapid.IntRange(0, 20).Draw(rt, "n")
		var all []string
		at := time.Duration(0)
		for range n {
			at += time.Duration(rapid.IntRange(0, 2).Draw(rt, "gap")) * time.Millisecond
			e := entryAt(&b.ids, at)
			b.log.add(reqlog.KindEntry, e)
			all = append(all, e.ID.String())
		}
		// IDs of one millisecond of different draws may be out of order.
		slices.Sort(all)
		direction := rapid.SampledFrom([]string{"asc", "desc"}).Draw(rt, "direction")
		if direction == "desc" {
			slices.Reverse(all)
		}
		path := logsPath + fmt.Sprintf("?fields=id&order_by_direction=%s&per_page=%d", direction, rapid.IntRange(1, 7).Draw(rt, "size"))
		var there []string
		last := walk(b, path, "", "next", func(page []string) { there = append(there, page...) })
		if !slices.Equal(there, all) {
			rt.Fatalf("forwards %v, want %v", there, all)
		}
		var back []string
		walk(b, path, last, "prev", func(page []string) { back = append(slices.Clone(page), back...) })
		if !slices.Equal(back, all) {
			rt.Fatalf("backwards %v, want %v", back, all)
		}
	})
}

// walk follows one kind of cursor to its end, and returns the cursor of its last page.
func walk(b *bench, path, cursor, way string, page func(ids []string)) string {
	for {
		v := b.call(path + "&cursor=" + url.QueryEscape(cursor))
		page(idsOf(v.items(b.t)))
		next, more := v.ResultInfo[way].(string)
		if !more {
			return cursor
		}
		cursor = next
	}
}
