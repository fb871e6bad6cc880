package logindex

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// traffic makes entries as an application's calls leave them: 1,000 gateways if many, else one.
type traffic struct {
	ids  sluice.IDs
	rand *rand.Rand
	many bool
}

func (f *traffic) entry(at time.Time) sluice.LogEntry {
	r := f.rand
	e := sluice.LogEntry{
		ID: f.ids.New(at), Start: at, Account: "default", Gateway: "default", Provider: []string{"openai", "anthropic", "groq"}[r.IntN(3)],
		Model: fmt.Sprint("model-", r.IntN(20)), Served: fmt.Sprint("model-", r.IntN(20), "-2026"), Endpoint: "chat/completions", Method: "POST",
		Path: "/v1/chat/completions", Status: 200, Success: r.IntN(50) > 0, Ending: sluice.EndingComplete, Streamed: r.IntN(2) > 0,
		Key: "ci", UserAgent: "OpenAI/Python 1.2.3", Finish: "stop", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", Priced: true, Cost: sluice.NanoUSD(r.IntN(1e7)),
		Metadata: []sluice.MetaValue{{Key: "user_id", Value: fmt.Sprint(r.IntN(5000))}, {Key: "team", Value: fmt.Sprint("t", r.IntN(9))}},
		Timeline: sluice.Timeline{Received: 200 * time.Microsecond, Sent: time.Millisecond, FirstByte: 80 * time.Millisecond, FirstToken: 90 * time.Millisecond, End: time.Duration(r.IntN(1e10))},
		Request:  sluice.Body{Size: 900, Stored: 900, Type: "application/json"}, Response: sluice.Body{Size: 1400, Stored: 1400, Type: "application/json"},
		Attempts: []sluice.Attempt{{Provider: "openai", Model: "model-1", Host: "api.openai.com", Status: 200, First: 78 * time.Millisecond, End: time.Second, Reused: true}},
	}
	if f.many {
		// The smallest is a thousandth part of the largest.
		e.Gateway = fmt.Sprint("gw", int(1000*r.Float64()*r.Float64()))
	}
	for _, name := range []string{"host", "content-type", "accept", "accept-encoding", "user-agent", "x-stainless-lang", "x-stainless-os", "x-request-id", "traceparent"} {
		e.ReqHeader.Add(name, fmt.Sprint("some value of a header ", r.IntN(1e6)))
		e.RespHeader.Add(name, fmt.Sprint("another value ", r.IntN(1e6)))
	}
	e.Usage.Basis = sluice.BasisProvider
	e.Usage.Set(sluice.Input, int64(r.IntN(5000)))
	e.Usage.Set(sluice.Output, int64(r.IntN(900)))
	return e
}

// load applies n entries at a rate per second, 500 a batch.
func (f *traffic) load(b *testing.B, x *Index, from time.Time, rate float64, n int, pos *reqlog.Pos) {
	records := make([]reqlog.Record, 0, 500)
	for i := range n {
		records = append(records, reqlog.Record{Kind: reqlog.KindEntry, Pos: *pos, Entry: f.entry(from.Add(time.Duration(float64(i) / rate * 1e9)))})
		pos.Record++
		if len(records) == cap(records) || i == n-1 {
			b.StartTimer()
			err := x.Apply(b.Context(), records, *pos)
			b.StopTimer()
			if err != nil {
				b.Fatal(err)
			}
			records = records[:0]
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, many := range []bool{false, true} {
		b.Run(fmt.Sprintf("many=%v", many), func(b *testing.B) {
			b.StopTimer()
			f := &traffic{rand: rand.New(rand.NewPCG(1, 2)), many: many}
			x := openTest(b, b.TempDir())
			var pos reqlog.Pos
			f.load(b, x, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), 2000, b.N, &pos)
			rows, size, _ := x.Size(b.Context())
			b.ReportMetric(float64(size)/float64(max(rows, 1)), "disk-B/row")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, many := range []bool{false, true} {
		f := &traffic{rand: rand.New(rand.NewPCG(1, 2)), many: many}
		x := openTest(b, b.TempDir())
		from := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
		var pos reqlog.Pos
		f.load(b, x, from, 10, 200_000, &pos)
		if err := x.upkeep(b.Context(), time.Now(), true); err != nil {
			b.Fatal(err)
		}
		gateway := "default"
		if many {
			gateway = "gw990"
		}
		for _, q := range []string{"", "provider:openai", "model:model-3 duration:>9s", "cost:>0.0099999", "meta.user_id:77", "model:nothing", "trace_id:none"} {
			filter, err := reqlog.ParseFilter(q)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("many=%v/page %s", many, q), func(b *testing.B) {
				for b.Loop() {
					if _, err := x.List(b.Context(), reqlog.Query{Account: "default", Gateway: gateway, Desc: true, Limit: 50, Filter: filter}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for _, g := range []reqlog.Group{reqlog.GroupNone, reqlog.GroupModel, reqlog.GroupGateway} {
			b.Run(fmt.Sprintf("many=%v/day by %q", many, g), func(b *testing.B) {
				for b.Loop() {
					if _, err := x.Totals(b.Context(), reqlog.TotalsQuery{Account: "default", From: from, To: from.Add(24 * time.Hour), Every: time.Hour, Group: g}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
