package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

// real is the API over a log on disk, with one entry for each of some metadata teams.
func realBench(t *testing.T, dir string, teams ...string) (b *bench, ids []string, closeLog func()) {
	log, closeLog := openReal(t, dir)
	b = newBench(t, func(d *Deps) { d.Log = log })
	for i, team := range teams {
		e := recent(&b.ids)
		e.Metadata = []sluice.MetaValue{{Key: "team", Value: team}}
		if i%2 > 0 {
			e.Endpoint = "embeddings"
		}
		run(log, e, `{"model":"gpt-4.1-mini"}`, fmt.Sprintf(`{"answer":%d}`, i))
		ids = append(ids, e.ID.String())
	}
	return b, ids, closeLog
}

func TestFeedbackIsSeenAtOnceAndLasts(t *testing.T) {
	dir := t.TempDir()
	b, ids, closeLog := realBench(t, dir, "red", "green", "blue")
	path := logsPath + "/" + ids[1]
	for _, step := range []struct{ body, want string }{
		{`{"feedback":1}`, `"feedback":1,"score":null,"metadata":{"team":"green"}`},
		{`{"score":0}`, `"feedback":1,"score":0,"metadata":{"team":"green"}`},
		{`{"metadata":{"user":"u1","n":7,"ok":true,"cf.own":"x"}}`, `"feedback":1,"score":0,"metadata":{"n":7,"ok":true,"user":"u1"}`},
		{`{"feedback":null,"score":null,"unknown":[1]}`, `"feedback":null,"score":null,"metadata":{"n":7,"ok":true,"user":"u1"}`},
		{`{"feedback":-1,"score":12.5}`, `"feedback":-1,"score":12.5,"metadata":{"n":7,"ok":true,"user":"u1"}`},
	} {
		if v := b.send(http.MethodPatch, path, step.body); v.status != http.StatusOK {
			t.Fatalf("%s: %d %+v", step.body, v.status, v.Errors)
		}
		for _, where := range []string{path, logsPath + "?fields=feedback,score,metadata&q=id:" + ids[1]} {
			v := b.call(where)
			for part := range strings.SplitSeq(strings.Replace(step.want, `,"metadata"`, `|"metadata"`, 1), "|") {
				for one := range strings.SplitSeq(strings.ReplaceAll(part, `,"score"`, `|"score"`), "|") {
					if !strings.Contains(string(v.Result), one) {
						t.Errorf("after %s, %s has no %s: %s", step.body, where, one, v.Result)
					}
				}
			}
		}
	}
	found := func(query string, want ...string) {
		t.Helper()
		v := b.call(logsPath + "?" + query)
		if got := idsOf(v.items(t)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
	check := func() {
		t.Helper()
		found("q=feedback:-1", ids[1])
		found("feedback=0", ids[1])
		found("feedback=1")
		found("filters="+url.QueryEscape(`[{"key":"feedback","operator":"eq","value":[0]}]`), ids[1])
		found("filters="+url.QueryEscape(`[{"key":"metadata.value","operator":"eq","value":["u1"]}]`), ids[1])
		found("q=meta.team:green")
		found("order_by=feedback&order_by_direction=asc&per_page=1", ids[1])
	}
	check()
	closeLog()
	log, _ := openReal(t, dir)
	b = newBench(t, func(d *Deps) { d.Log = log })
	check()
}

func TestFeedbackThatIsRefused(t *testing.T) {
	b, ids, _ := realBench(t, t.TempDir(), "red")
	path := logsPath + "/" + ids[0]
	for body, field := range map[string]string{
		`{"feedback":2}`: "feedback", `{"feedback":0}`: "feedback", `{"feedback":"1"}`: "feedback", `{"score":"high"}`: "score",
		`{"metadata":{"a":null}}`: "metadata", `{"metadata":{"a":{}}}`: "metadata", `{"metadata":[1]}`: "metadata", `{}`: "feedback", `{"x":1}`: "feedback",
	} {
		v := b.send(http.MethodPatch, path, body)
		if v.status != http.StatusBadRequest || v.Errors[0].Code != codeInvalid || !slices.Equal(v.Errors[0].Path, []string{"body", field}) {
			t.Errorf("%s: %d %+v; want a fault of %s", body, v.status, v.Errors, field)
		}
	}
	for _, body := range []string{`[]`, `{`, `7`, `{"score":1e999}`} {
		if v := b.send(http.MethodPatch, path, body); v.status != http.StatusBadRequest {
			t.Errorf("%s: %d", body, v.status)
		}
	}
	missing := new(sluice.IDs).New(base).String()
	for _, id := range []string{missing, "nothing"} {
		if v := b.send(http.MethodPatch, logsPath+"/"+id, `{"feedback":1}`); v.status != http.StatusNotFound {
			t.Errorf("%s: %d", id, v.status)
		}
	}
	if v := b.call(path); !strings.Contains(string(v.Result), `"feedback":null`) {
		t.Errorf("a refused call has changed something: %s", v.Result)
	}
}

// deleted calls DELETE and returns status, body and how many were deleted.
func (b *bench) deleted(query string) (status int, body, n, more string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, mustRequest(b.t, http.MethodDelete, b.server.URL+logsPath+"?"+query))
	text, err := io.ReadAll(w.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return w.Code, strings.TrimSpace(string(text)), w.Header().Get("X-Sluice-Deleted"), w.Header().Get("X-Sluice-More")
}

func TestDeleteByFilter(t *testing.T) {
	dir := t.TempDir()
	b, ids, closeLog := realBench(t, dir, "red", "green", "red", "blue", "red", "green", "red")
	left := func(want ...int) {
		t.Helper()
		v := b.call(logsPath + "?order_by_direction=asc")
		var all []string
		for _, i := range want {
			all = append(all, ids[i])
		}
		if got := idsOf(v.items(t)); !slices.Equal(got, all) || v.ResultInfo["total_count"] != float64(len(want)) {
			t.Errorf("left %v of %v; want %v", got, v.ResultInfo["total_count"], all)
		}
	}
	for _, step := range []struct {
		query, n, more string
		left           []int
	}{
		{"filters=" + url.QueryEscape(`[{"key":"metadata.value","operator":"eq","value":["red"]}]`) + "&limit=2&order_by=created_at&order_by_direction=asc", "2", "true", []int{1, 3, 4, 5, 6}},
		{"filters.key=metadata.value&filters.operator=eq&filters.value=red&limit=1", "1", "true", []int{1, 3, 4, 5}},
		{"filters=" + url.QueryEscape(`[{"key":"wholesale","operator":"eq","value":[true]}]`), "0", "false", []int{1, 3, 4, 5}},
		{"order_by=model_type&order_by_direction=asc&limit=1", "1", "true", []int{1, 3, 4}}, // the newest of equals
		{"q=meta.team:green&order_by=duration", "1", "false", []int{3, 4}},
	} {
		status, body, n, more := b.deleted(step.query)
		if status != http.StatusOK || body != `{"success":true}` || n != step.n || more != step.more {
			t.Errorf("%s: %d %s, %s deleted, more: %s", step.query, status, body, n, more)
		}
		left(step.left...)
	}
	for _, path := range []string{"", "/request", "/response"} {
		b.fails(logsPath+"/"+ids[0]+path, http.StatusNotFound, codeNotFound, "log entry not found")
	}
	if got := b.analytics("range=15m&interval=none&metric=requests"); fmt.Sprint(got["series"].([]any)[0].(map[string]any)["total"]) != fmt.Sprint(len(ids)) {
		t.Errorf("what was deleted no longer counts: %v", got["series"])
	}
	closeLog()
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil { // it is made anew from the segments
		t.Fatal(err)
	}
	log, _ := openReal(t, dir)
	b = newBench(t, func(d *Deps) { d.Log = log })
	left(3, 4)
	for query, param := range map[string]string{
		"filters=" + url.QueryEscape(`[{"key":"metadata.team","operator":"eq","value":["red"]}]`): "filters", "order_by=path": "order_by", "limit=0": "limit", "limit=10001": "limit", "range=x": "range",
	} {
		if status, body, _, _ := b.deleted(query); status != http.StatusBadRequest || !strings.Contains(body, `"path":["query","`+param+`"]`) {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
	left(3, 4)
}

func TestDeleteOne(t *testing.T) {
	b, ids, _ := realBench(t, t.TempDir(), "red", "green")
	if v := b.send(http.MethodDelete, logsPath+"/"+strings.ToUpper(ids[0]), ""); v.status != http.StatusOK || !strings.Contains(string(v.Result), ids[0]) {
		t.Errorf("%d %s", v.status, v.Result)
	}
	if v := b.send(http.MethodDelete, logsPath+"/"+ids[0], ""); v.status != http.StatusNotFound {
		t.Errorf("again: %d", v.status)
	}
	v := b.call(logsPath)
	if got := idsOf(v.items(t)); !slices.Equal(got, ids[1:]) {
		t.Errorf("left %v", got)
	}
	if v := b.send(http.MethodDelete, strings.Replace(logsPath, "/default/logs", "/prod/logs", 1)+"/"+ids[1], ""); v.status != http.StatusNotFound {
		t.Errorf("through another gateway: %d", v.status)
	}
}
