package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// sums answers as roll-ups would: 10 requests of openai in the first quarter of an hour, 4 of anthropic in the third.
func sums(q reqlog.TotalsQuery) []reqlog.Total {
	openai := reqlog.Total{
		Start: base, Value: "openai", Requests: 10, Success: 8, Errors: 2, Cost: 1_234_567_891, Priced: 9, Unpriced: 1, Estimated: 3,
		Duration: reqlog.Quantiles{Count: 10, P50: 1500 * time.Microsecond},
	}
	openai.Tokens[sluice.Input], openai.TokensKnown[sluice.Input] = 900, 9
	anthropic := reqlog.Total{Start: base.Add(30 * time.Minute), Value: "anthropic", Requests: 4, Success: 4}
	list := []reqlog.Total{openai, anthropic}
	for _, whole := range []reqlog.Total{openai, anthropic} {
		whole.Start = time.Time{}
		list = append(list, whole)
	}
	if !q.Edges[0].Equal(base) { // the period before
		for i := range list {
			list[i].Requests /= 2
			if !list[i].Start.IsZero() {
				list[i].Start = list[i].Start.Add(-45 * time.Minute)
			}
		}
	}
	return list
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

const threeQuarters = "range=2025-11-24T14:00:00Z..2025-11-24T14:45:00Z"

func TestAnalyticsAreColumns(t *testing.T) {
	b := newBench(t)
	b.log.totals = sums
	got := b.analytics(threeQuarters + "&metric=requests,cost,tokens_in,duration_p50,error_rate,cost_per_1k&group=provider&interval=15m&cmp=1")
	n := func(s string) any { return json.Number(s) }
	row := func(metric, key string, values []any, total any, prev []any, before any) any {
		return map[string]any{"metric": metric, "key": key, "values": values, "total": total, "prev": prev, "prev_total": before}
	}
	want := map[string]any{
		"from": "2025-11-24T14:00:00.000Z", "to": "2025-11-24T14:45:00.000Z", "interval_seconds": n("900"), "tz": "UTC", "basis": "requests",
		"complete_until": "2025-11-24T15:00:00.000Z", "unpriced": n("1"), "estimated": n("3"), "groups": n("2"), "source": "rollups",
		"partial": false, "since": nil, "not_stored": n("0"), "notes": []any{},
		"prev_from": "2025-11-24T13:15:00.000Z", "prev_to": "2025-11-24T14:00:00.000Z",
		"t": []any{"2025-11-24T14:00:00.000Z", "2025-11-24T14:15:00.000Z", "2025-11-24T14:30:00.000Z"},
		"series": []any{
			row("requests", "openai", []any{n("10"), n("0"), n("0")}, n("10"), []any{n("5"), n("0"), n("0")}, n("5")),
			row("requests", "anthropic", []any{n("0"), n("0"), n("4")}, n("4"), []any{n("0"), n("0"), n("2")}, n("2")),
			row("cost", "openai", []any{n("1.234567891"), n("0"), n("0")}, n("1.234567891"), []any{n("1.234567891"), n("0"), n("0")}, n("1.234567891")),
			row("cost", "anthropic", []any{n("0"), n("0"), nil}, nil, []any{n("0"), n("0"), nil}, nil),
			row("tokens_in", "openai", []any{n("900"), n("0"), n("0")}, n("900"), []any{n("900"), n("0"), n("0")}, n("900")),
			row("tokens_in", "anthropic", []any{n("0"), n("0"), nil}, nil, []any{n("0"), n("0"), nil}, nil),
			row("duration_p50", "openai", []any{n("1.5"), nil, nil}, n("1.5"), []any{n("1.5"), nil, nil}, n("1.5")),
			row("duration_p50", "anthropic", []any{nil, nil, nil}, nil, []any{nil, nil, nil}, nil),
			row("error_rate", "openai", []any{n("0.2"), nil, nil}, n("0.2"), []any{n("0.4"), nil, nil}, n("0.4")),
			row("error_rate", "anthropic", []any{nil, nil, n("0")}, n("0"), []any{nil, nil, n("0")}, n("0")),
			row("cost_per_1k", "openai", []any{n("123.4567891"), nil, nil}, n("123.4567891"), []any{n("246.9135782"), nil, nil}, n("246.9135782")),
			row("cost_per_1k", "anthropic", []any{nil, nil, nil}, nil, []any{nil, nil, nil}, nil),
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnalyticsOfNothingAreZero(t *testing.T) {
	b := newBench(t)
	got := b.analytics(threeQuarters + "&interval=none&metric=requests,duration_p95")
	series := got["series"].([]any)
	first, second := series[0].(map[string]any), series[1].(map[string]any)
	if len(got["t"].([]any)) != 1 || first["total"] != json.Number("0") || second["total"] != nil {
		t.Errorf("%v", got)
	}
}

func TestAnalyticsAskForWhatTheParametersSay(t *testing.T) {
	now := base.Add(30 * 24 * time.Hour)
	at := func(text string) time.Time {
		m, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	day := []time.Time{at("2025-11-24T00:00:00Z"), at("2025-11-25T00:00:00Z")}
	const of = "range=2025-11-24..2025-11-25"
	for query, want := range map[string]reqlog.TotalsQuery{
		of + "&interval=none":                                            {Edges: day},
		of + "&interval=6h":                                              {Edges: []time.Time{day[0], at("2025-11-24T06:00:00Z"), at("2025-11-24T12:00:00Z"), at("2025-11-24T18:00:00Z"), day[1]}},
		of + "&interval=1d&tz=Asia/Kathmandu":                            {Edges: []time.Time{at("2025-11-24T00:00:00+05:45"), at("2025-11-25T00:00:00+05:45"), day[1]}},
		of + "&interval=none&gateway=PROD":                               {Edges: day, Gateway: "prod"},
		of + "&interval=none&basis=attempts":                             {Edges: day, PerAttempt: true},
		of + "&interval=none&group=key":                                  {Edges: day, Group: reqlog.GroupKey},
		of + "&interval=none&group=meta.team,model":                      {Edges: day, Group: reqlog.GroupMeta("team"), Then: []reqlog.Group{reqlog.GroupModel}},
		"range=2025-11-24T00:10:00Z..2025-11-24T23:46:00Z&interval=none": {Edges: day}, // older than two days: quarters of an hour
	} {
		in := AnalyticsInput{AccountPath: AccountPath{Account: "default"}}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		in.Range, in.Interval, in.TZ, in.Gateway, in.Basis, in.Group = values.Get("range"), values.Get("interval"), values.Get("tz"), values.Get("gateway"), values.Get("basis"), values.Get("group")
		b := newBench(t)
		q, err := in.read(b.deps.Settings(), now)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		want.Account, want.Sum = "default", true
		if diff := cmp.Diff(want, q.TotalsQuery, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s:\n%s", query, diff)
		}
	}
}

func TestAnalyticsRefuseWhatIsNoQuestion(t *testing.T) {
	b := newBench(t)
	for query, message := range map[string]string{
		"q=nothing:x":            "nothing",
		"metric=nothing":         "no metric nothing",
		"group=color":            "no group color",
		"group=model,model":      "twice",
		"group=model,key,status": "more than two",
		"range=soon":             "no range",
		"range=..2026-11-01":     "no beginning",
		"interval=fast":          "no length",
		"interval=1m&range=90d":  "more than 2000 intervals",
		"interval=25h":           "whole days",
		"interval=5m&range=72h":  "quarters of an hour",
		"tz=Mars/Olympus":        "no time zone",
		"tz=Local":               "no time zone",
		"tz=" + url.QueryEscape("../../etc/passwd"): "no time zone",
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
