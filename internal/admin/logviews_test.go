package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// resultOf calls path and reads its result.
func resultOf[T any](b *bench, path string) (v T) {
	b.t.Helper()
	reply := b.call(path)
	if reply.status != http.StatusOK {
		b.t.Fatalf("%s: %d %+v", path, reply.status, reply.Errors)
	}
	if err := json.Unmarshal(reply.Result, &v); err != nil {
		b.t.Fatalf("%s: %v in %s", path, err, reply.Result)
	}
	return v
}

// outcomes logs entries of all outcomes.
func outcomes(t *testing.T) *bench {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	for i := range 12 {
		e := recent(&b.ids)
		e.UserAgent, e.EventID = fmt.Sprint("agent ", i%3), fmt.Sprint("event ", i%4)
		e.Metadata = []sluice.MetaValue{{Key: "session_id", Value: fmt.Sprint("s", i%6)}}
		switch i % 6 {
		case 1:
			e.Cache = sluice.CacheHit
		case 2:
			e.Status, e.Success, e.Ending = 403, false, sluice.EndingRefused
		case 3:
			e.Status, e.Success = 500, false
		case 4:
			e.Status, e.Success, e.Ending = 499, false, sluice.EndingClientGone
		case 5:
			e.Status, e.Success, e.Provider = 429, false, "anthropic"
		}
		run(log, e, "{}", "{}")
	}
	return b
}

func TestHistogram(t *testing.T) {
	b := outcomes(t)
	sum := func(list []int64) (n int64) {
		for _, one := range list {
			n += one
		}
		return n
	}
	for query, want := range map[string]struct {
		source string
		sums   [6]int64 // requests, ok, cached, blocked, error, cancelled
	}{
		"range=1h":                    {"rollups", [6]int64{12, 2, 2, 4, 2, 2}},
		"range=1h&q=provider:openai":  {"rows", [6]int64{10, 2, 2, 2, 2, 2}},
		"range=1h&q=ua:%22agent+0%22": {"rows", [6]int64{4, 2, 0, 0, 2, 0}},
		"q=feedback:1":                {"rows", [6]int64{}},
		"range=1h&filters=" + url.QueryEscape(`[{"key":"wholesale","operator":"eq","value":[true]}]`): {"rollups", [6]int64{}},
		"range=30d&buckets=60": {"rollups", [6]int64{12, 2, 2, 4, 2, 2}},
	} {
		h := resultOf[Histogram](b, logsPath+"/histogram?"+query)
		got := [6]int64{sum(h.Requests), sum(h.OK), sum(h.Cached), sum(h.Blocked), sum(h.Error), sum(h.Cancelled)}
		if got != want.sums || h.Total != got[0] || h.Source != want.source || len(h.T) > 90 || len(h.T) != len(h.OK) || h.CompleteUntil == nil {
			t.Errorf("%s: %v of %d from %s in %d bars; want %v from %s", query, got, h.Total, h.Source, len(h.T), want.sums, want.source)
		}
	}
	b.fails(logsPath+"/histogram?buckets=0", http.StatusBadRequest, codeInvalid, "")
	b.fails(logsPath+"/histogram?q=nothing:1", http.StatusBadRequest, codeInvalid, "")
}

func TestBars(t *testing.T) {
	at := time.Date(2026, 1, 5, 10, 7, 30, 0, time.UTC)
	for _, tt := range []struct {
		length time.Duration
		most   int
		step   time.Duration
		n      int
	}{
		{time.Minute, 90, time.Minute, 2},
		{time.Hour, 90, time.Minute, 61},
		{24 * time.Hour, 90, 30 * time.Minute, 49},
		{7 * 24 * time.Hour, 90, 2 * time.Hour, 85},
		{30 * 24 * time.Hour, 60, 12 * time.Hour, 61 - 1 + 1},
		{20 * 365 * 24 * time.Hour, 1, 365 * 24 * time.Hour, 21},
	} {
		first, step, n := bars(at, at.Add(tt.length), tt.most)
		if first.After(at) || first.Add(time.Duration(n)*step).Before(at.Add(tt.length)) || n > tt.most && step < 365*24*time.Hour {
			t.Errorf("%v in %d: %d of %v from %v", tt.length, tt.most, n, step, first)
		}
		if tt.step == step && n != tt.n {
			t.Errorf("%v in %d: %d of %v, want %d of %v", tt.length, tt.most, n, step, tt.n, tt.step)
		}
	}
}

func TestFacets(t *testing.T) {
	b := outcomes(t)
	for query, want := range map[string]string{
		"field=provider&range=1h":                                      "rollups 12 [{openai 10} {anthropic 2}] 0",
		"field=outcome&range=1h&limit=2":                               "rollups 12 [{blocked 2} {cached 2}] 8",
		"field=provider&range=1h&q=status:error":                       "rollups 6 [{openai 4} {anthropic 2}] 0",
		"field=ua":                                                     "rows 12 [{agent 0 4} {agent 1 4} {agent 2 4}] 0",
		"field=ua&q=provider:anthropic":                                "rows 2 [{agent 2 2}] 0",
		"field=status&q=" + url.QueryEscape("path:chat* status:error"): "rows 6 [{403 2} {429 2} {500 2}] 0",
		"field=meta.session_id&limit=1":                                "rows 12 [{s0 2}] 10",
		"field=stream":                                                 "rows 12 [{no 12}] 0",
	} {
		f := resultOf[Facets](b, logsPath+"/facets?"+query)
		if got := fmt.Sprint(f.Source, " ", f.Total, " ", f.Values, " ", f.Others); got != want {
			t.Errorf("%s: %s; want %s", query, got, want)
		}
	}
	b.fails(logsPath+"/facets", http.StatusBadRequest, codeInvalid, "")
	b.fails(logsPath+"/facets?field=path", http.StatusBadRequest, codeInvalid, "counted by")
}

func TestTimeline(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	e := recent(&b.ids)
	e.Cache, e.CacheReason = sluice.CacheMiss, "expired"
	ms := time.Millisecond
	e.Timeline = sluice.Timeline{Received: 2 * ms, FirstToken: 140 * ms, End: 500 * ms}
	e.Attempts = []sluice.Attempt{
		{Provider: "openai", Model: "gpt-4.1", Status: 429, Cause: "status", Start: 3 * ms, Connect: 5 * ms, First: 20 * ms, End: 21 * ms},
		{Provider: "anthropic", Model: "claude", Status: 200, Start: 100 * ms, First: 30 * ms, End: 395 * ms, Cost: 5, Priced: true},
	}
	run(log, e, "{}", "{}")
	v := resultOf[struct {
		Steps []struct {
			Name, Target, Note string
			Start              float64 `json:"start_ms"`
			Length             float64 `json:"length_ms"`
			Attempt            int
			Cost               json.Number
		}
	}](b, logsPath+"/"+e.ID.String()+"/timeline")
	var got []string
	for _, m := range v.Steps {
		got = append(got, fmt.Sprintf("%s %g+%g #%d %s %s", m.Name, m.Start, m.Length, m.Attempt, m.Target, m.Note))
	}
	want := []string{
		"receive 0+2 #0  ", "cache 2+1 #0  miss: expired", "attempt 3+21 #1 openai/gpt-4.1 status", "connect 3+5 #1  ", "wait 8+15 #1  ", "stream 23+1 #1  ",
		"backoff 24+76 #0  ", "attempt 100+395 #2 anthropic/claude ", "wait 100+30 #2  ", "stream 130+365 #2  first token at 140 ms", "deliver 495+5 #0  ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("steps\n%q\nwant\n%q", got, want)
	}
	b.fails(logsPath+"/"+new(sluice.IDs).New(base).String()+"/timeline", http.StatusNotFound, codeNotFound, "not found")
}

func TestRelated(t *testing.T) {
	b := outcomes(t)
	v := b.call(logsPath + "?basis=requests&order_by_direction=asc")
	ids := idsOf(v.items(t))
	reply := b.call(logsPath + "/" + ids[0] + "/related")
	var list []struct {
		Reasons []string
		Log     struct{ ID string }
	}
	if err := json.Unmarshal(reply.Result, &list); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range list {
		got = append(got, fmt.Sprintf("%d%v", slices.Index(ids, one.Log.ID), one.Reasons))
	}
	if want := []string{"8[event]", "6[metadata.session_id]", "4[event]"}; !slices.Equal(got, want) {
		t.Errorf("related: %v, want %v", got, want)
	}
}
