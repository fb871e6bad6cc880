package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// sums answers as roll-ups would: 10 requests of openai in the first minute, 4 of anthropic in the third.
func sums(q reqlog.TotalsQuery) []reqlog.Total {
	openai := reqlog.Total{
		Start: base, Value: "openai", Requests: 10, Success: 8, Errors: 2, Cost: 1_234_567_891, Priced: 9, Unpriced: 1, Estimated: 3,
		Duration: reqlog.Quantiles{Count: 10, P50: 1500 * time.Microsecond},
	}
	openai.Tokens[sluice.Input], openai.TokensKnown[sluice.Input] = 900, 9
	anthropic := reqlog.Total{Start: base.Add(2 * time.Minute), Value: "anthropic", Requests: 4, Success: 4}
	if q.Group == reqlog.GroupNone {
		openai.Value, anthropic.Value = "", ""
		if q.Every == 0 {
			openai.Requests, openai.Success = 14, 12
			return []reqlog.Total{openai}
		}
	} else if q.Every == 0 {
		openai.Start, anthropic.Start = q.From, q.From
	}
	return []reqlog.Total{openai, anthropic}
}

func (b *bench) analytics(query string) map[string]any {
	b.t.Helper()
	v := b.call(accountPath + "/analytics?" + query)
	d := json.NewDecoder(strings.NewReader(string(v.Result)))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil || v.status != http.StatusOK {
		b.t.Fatalf("%d %v %v", v.status, v.Errors, err)
	}
	return m
}

const threeMinutes = "range=2025-11-24T14:00:00Z..2025-11-24T14:03:00Z"

func TestAnalyticsAreColumns(t *testing.T) {
	b := newBench(t)
	b.log.totals = sums
	got := b.analytics(threeMinutes + "&metric=requests,cost,tokens_in,duration_p50&group=provider&interval=1m")
	n := func(s string) any { return json.Number(s) }
	want := map[string]any{
		"from": "2025-11-24T14:00:00.000Z", "to": "2025-11-24T14:03:00.000Z", "interval_seconds": n("60"), "tz": "UTC", "basis": "requests",
		"complete_until": "2025-11-24T15:00:00.000Z", "unpriced": n("1"), "estimated": n("3"),
		"t": []any{"2025-11-24T14:00:00.000Z", "2025-11-24T14:01:00.000Z", "2025-11-24T14:02:00.000Z"},
		"series": []any{
			map[string]any{"metric": "requests", "key": "openai", "values": []any{n("10"), n("0"), n("0")}, "total": n("10")},
			map[string]any{"metric": "requests", "key": "anthropic", "values": []any{n("0"), n("0"), n("4")}, "total": n("4")},
			map[string]any{"metric": "cost", "key": "openai", "values": []any{n("1.234567891"), n("0"), n("0")}, "total": n("1.234567891")},
			map[string]any{"metric": "cost", "key": "anthropic", "values": []any{n("0"), n("0"), nil}, "total": nil},
			map[string]any{"metric": "tokens_in", "key": "openai", "values": []any{n("900"), n("0"), n("0")}, "total": n("900")},
			map[string]any{"metric": "tokens_in", "key": "anthropic", "values": []any{n("0"), n("0"), nil}, "total": nil},
			map[string]any{"metric": "duration_p50", "key": "openai", "values": []any{n("1.5"), nil, nil}, "total": n("1.5")},
			map[string]any{"metric": "duration_p50", "key": "anthropic", "values": []any{nil, nil, nil}, "total": nil},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestAnalyticsOfNothingAreZero(t *testing.T) {
	b := newBench(t)
	got := b.analytics(threeMinutes + "&interval=none&metric=requests,duration_p95")
	series := got["series"].([]any)
	first, second := series[0].(map[string]any), series[1].(map[string]any)
	if len(got["t"].([]any)) != 1 || first["total"] != json.Number("0") || second["total"] != nil {
		t.Errorf("%v", got)
	}
}

func TestAnalyticsAskForWhatTheParametersSay(t *testing.T) {
	b := newBench(t)
	var asked []reqlog.TotalsQuery
	b.log.totals = func(q reqlog.TotalsQuery) []reqlog.Total {
		asked = append(asked, q)
		return nil
	}
	day := reqlog.TotalsQuery{Account: "default", From: base.Add(-14 * time.Hour), To: base.Add(10 * time.Hour)}
	with := func(q reqlog.TotalsQuery, change func(*reqlog.TotalsQuery)) reqlog.TotalsQuery {
		change(&q)
		return q
	}
	const of = "range=2025-11-24..2025-11-25"
	for query, want := range map[string][]reqlog.TotalsQuery{
		of + "&interval=none":                {day},
		of:                                   {day, with(day, func(q *reqlog.TotalsQuery) { q.Every = 15 * time.Minute })},
		of + "&interval=6h":                  {day, with(day, func(q *reqlog.TotalsQuery) { q.Every = 6 * time.Hour })},
		of + "&interval=none&gateway=PROD":   {with(day, func(q *reqlog.TotalsQuery) { q.Gateway = "prod" })},
		of + "&interval=none&q=gateway:prod": {with(day, func(q *reqlog.TotalsQuery) { q.Gateway = "prod" })},
		of + "&interval=none&group=key":      {with(day, func(q *reqlog.TotalsQuery) { q.Group = reqlog.GroupKey })},
		"range=2025-11-24T00:00:30Z..2025-11-24T23:59:59Z&interval=none": {day},
	} {
		asked = nil
		b.analytics(query)
		if !reflect.DeepEqual(asked, want) {
			t.Errorf("%s: asked %+v, want %+v", query, asked, want)
		}
	}
}

func TestAnalyticsRefuseWhatRollUpsDoNotKnow(t *testing.T) {
	b := newBench(t)
	for query, message := range map[string]string{
		"q=" + url.QueryEscape("provider:openai"): "cannot be filtered by provider",
		"q=" + url.QueryEscape("-gateway:prod"):   "cannot be filtered by gateway",
		"q=" + url.QueryEscape("gateway:a,b"):     "cannot be filtered by gateway",
		"q=" + url.QueryEscape("gateway:pr*"):     "cannot be filtered by gateway",
		"q=nothing:x":                             "nothing",
		"metric=nothing":                          "no metric nothing",
		"group=color":                             "",
		"range=soon":                              "no range",
		"range=..2026-11-01":                      "no beginning",
		"interval=fast":                           "no length",
		"interval=1m&range=90d":                   "more than 2000 intervals",
		"gateway=prod&q=gateway:x":                "cannot be filtered",
	} {
		b.fails(accountPath+"/analytics?"+query, http.StatusBadRequest, codeInvalid, message)
	}
	b.fails(accountPath+"/analytics?gateway=nothing", http.StatusNotFound, codeNotFound, "gateway not found")
}

func TestStatusTellsOfProcessAndLog(t *testing.T) {
	b := newBench(t)
	b.log.stats = reqlog.Stats{
		State: "disk low: bodies off", Rows: 7, DroppedBodies: 2, DroppedRows: 6, LostCounts: 5, Late: 4, NotIndexed: 3, Panics: 1,
		AppendLag: 1500 * time.Microsecond,
	}
	b.log.totals = func(q reqlog.TotalsQuery) []reqlog.Total {
		if q.Group != reqlog.GroupGateway || q.To.Sub(q.From) != 2*time.Minute {
			t.Errorf("asked for %+v", q)
		}
		return []reqlog.Total{{Value: "prod", Requests: 90, Errors: 3}}
	}
	v := b.call(accountPath + "/status")
	var s StatusView
	if err := json.Unmarshal(v.Result, &s); err != nil {
		t.Fatal(err)
	}
	if s.Version != "1.2.3" || s.UptimeSeconds <= 0 && time.Now().After(base) || s.Log.State != "disk low: bodies off" || s.Log.Rows != 7 || s.Log.DroppedBodies != 2 || s.Log.AppendLag != 1.5 ||
		len(s.Gateways) != 2 || s.Gateways[0].LastMinute.Requests != 0 || s.Gateways[1].ID != "prod" || s.Gateways[1].LastMinute.Errors != 3 || s.LastMinute.Requests != 90 || s.LastMinute.WindowSeconds < 60 {
		t.Errorf("%s", v.Result)
	}
	if l := s.Log; l.DroppedRows != 6 || l.LostCounts != 5 || l.Late != 4 || l.NotIndexed != 3 || l.Panics != 1 {
		t.Errorf("%+v", l)
	}
	for _, list := range []string{`"listeners":[]`, `"upstreams":[]`, `"refused":[]`, `"warnings":[]`} {
		if !strings.Contains(string(v.Result), list) {
			t.Errorf("no %s in %s", list, v.Result)
		}
	}
}

func TestStatusAnswersWhenTheLogDoesNot(t *testing.T) {
	b := newBench(t)
	b.log.err = io.ErrClosedPipe
	v := b.call(accountPath + "/status")
	var s StatusView
	if err := json.Unmarshal(v.Result, &s); err != nil || v.status != http.StatusOK || s.LastMinute != nil || s.Log.CompleteUntil != nil || len(s.Gateways) != 2 {
		t.Errorf("%d %s, %v", v.status, v.Result, err)
	}
}
