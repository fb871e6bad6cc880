//go:build unix

package logindex

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"syscall"
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

// chat makes an entry as a plain call of an SDK leaves it: of the headers a few differ from call to call.
func (f *traffic) chat(at time.Time) sluice.LogEntry {
	r := f.rand
	e := sluice.LogEntry{
		ID: f.ids.New(at), Start: at, Account: "default", Gateway: "default", Provider: "openai", Model: "gpt-4o-mini", Served: "gpt-4o-mini-2024-07-18",
		Endpoint: "chat/completions", Method: "POST", Path: "/v1/chat/completions", Status: 200, Success: true, Ending: sluice.EndingComplete,
		UserAgent: "OpenAI/Python 2.9.0", Finish: "stop", Priced: true, Cost: sluice.NanoUSD(r.IntN(1e7)),
		Timeline: sluice.Timeline{Received: 200 * time.Microsecond, Sent: time.Millisecond, FirstByte: 80 * time.Millisecond, FirstToken: 90 * time.Millisecond, End: time.Duration(r.IntN(1e9))},
		Request:  sluice.Body{Size: 1000 + int64(r.IntN(999)), Stored: 1000, Type: "application/json"}, Response: sluice.Body{Size: 1400, Stored: 1400, Type: "application/json"},
	}
	e.Usage.Basis = sluice.BasisProvider
	e.Usage.Set(sluice.Input, int64(r.IntN(5000)))
	e.Usage.Set(sluice.Output, int64(r.IntN(900)))
	e.Attempts = []sluice.Attempt{{Provider: "openai", Model: e.Model, Host: "api.openai.com", Status: 200, First: 78 * time.Millisecond, End: e.Timeline.End, Reused: true, Usage: e.Usage}}
	e.ReqHeader = sluice.Header{
		{Name: "Host", Value: "localhost:8088"},
		{Name: "Accept-Encoding", Value: "gzip, deflate"},
		{Name: "Connection", Value: "keep-alive"},
		{Name: "Accept", Value: "application/json"},
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: e.UserAgent},
		{Name: "X-Stainless-Lang", Value: "python"},
		{Name: "X-Stainless-Package-Version", Value: "2.9.0"},
		{Name: "X-Stainless-Os", Value: "Linux"},
		{Name: "X-Stainless-Runtime", Value: "CPython"},
		{Name: "X-Stainless-Retry-Count", Value: "0"},
		{Name: "Content-Length", Value: fmt.Sprint(e.Request.Size)},
	}
	e.RespHeader = sluice.Header{
		{Name: "Date", Value: at.Format(time.RFC1123)},
		{Name: "Content-Type", Value: "application/json"},
		{Name: "Content-Length", Value: "1400"},
		{Name: "Openai-Organization", Value: "some-organisation"},
		{Name: "Openai-Processing-Ms", Value: fmt.Sprint(r.IntN(999))},
		{Name: "Openai-Version", Value: "2020-10-01"},
		{Name: "X-Ratelimit-Limit-Requests", Value: "10000"},
		{Name: "X-Ratelimit-Remaining-Requests", Value: fmt.Sprint(r.IntN(9999))},
		{Name: "X-Request-Id", Value: fmt.Sprintf("req_%016x%016x", r.Uint64(), r.Uint64())},
		{Name: "Server", Value: "cloudflare"},
	}
	return e
}

// withMetadata is chat with metadata, of which nearly half the objects have not been seen before.
func (f *traffic) withMetadata(at time.Time) sluice.LogEntry {
	e := f.chat(at)
	user := f.rand.IntN(1000)
	if f.rand.IntN(100) < 45 {
		user = int(f.rand.Uint64() >> 2)
	}
	e.Metadata = []sluice.MetaValue{{Key: "user_id", Value: fmt.Sprint(user)}, {Key: "team", Value: fmt.Sprint("t", f.rand.IntN(9))}}
	return e
}

// cpuTime is what the process has used: on a busy machine more telling than the time that passed.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// load applies n entries at a rate per second, 500 a batch, with the roll-ups written each minute, and returns the
// CPU time of that.
func (f *traffic) load(b *testing.B, x *Index, entry func(time.Time) sluice.LogEntry, from time.Time, rate float64, n int, pos *reqlog.Pos) (used time.Duration) {
	records := make([]reqlog.Record, 0, 10_000)
	flushed := from
	for i := range n {
		e := entry(from.Add(time.Duration(float64(i) / rate * 1e9)))
		records = append(records, reqlog.Record{Kind: reqlog.KindEntry, Pos: *pos, Entry: e, Fields: string(reqlog.AppendEntry(nil, &e))})
		pos.Record++
		if len(records) < cap(records) && i < n-1 {
			continue
		}
		runtime.GC() // what making them leaves behind is not the index's
		b.StartTimer()
		start := cpuTime()
		for batch := range slices.Chunk(records, 500) {
			next := batch[len(batch)-1].Pos
			next.Record++
			if err := x.Apply(b.Context(), batch, next); err != nil {
				b.Fatal(err)
			}
		}
		if at := from.Add(time.Duration(float64(i) / rate * 1e9)); at.Sub(flushed) >= flushEvery || i == n-1 {
			flushed = at
			if err := x.flushDay(b.Context(), at.UnixMilli()/dayMillis); err != nil {
				b.Fatal(err)
			}
		}
		used += cpuTime() - start
		b.StopTimer()
		records = records[:0]
	}
	return used
}

func BenchmarkApply(b *testing.B) {
	for _, shape := range []struct {
		name  string
		many  bool
		entry func(*traffic, time.Time) sluice.LogEntry
	}{
		{"chat", false, (*traffic).chat},
		{"metadata", false, (*traffic).withMetadata},
		{"random headers", false, (*traffic).entry},
		{"many gateways", true, (*traffic).entry},
	} {
		b.Run(shape.name, func(b *testing.B) {
			b.StopTimer()
			f := &traffic{rand: rand.New(rand.NewPCG(1, 2)), many: shape.many}
			x := openTest(b, b.TempDir())
			var pos reqlog.Pos
			entry := func(at time.Time) sluice.LogEntry { return shape.entry(f, at) }
			used := f.load(b, x, entry, time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), 2000, b.N, &pos)
			rows, size, _ := x.Size(b.Context())
			b.ReportMetric(float64(size)/float64(max(rows, 1)), "disk-B/row")
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/row")
		})
	}
}

// BenchmarkGather counts rows in memory, as one transaction does after another.
func BenchmarkGather(b *testing.B) {
	for _, many := range []bool{false, true} {
		b.Run(fmt.Sprintf("many=%v", many), func(b *testing.B) {
			x := openTest(b, b.TempDir())
			f := &traffic{rand: rand.New(rand.NewPCG(1, 2)), many: many}
			at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
			p, err := x.acquire(b.Context(), at.UnixMilli()/dayMillis, true)
			if err != nil {
				b.Fatal(err)
			}
			defer x.release(p)
			entries := make([]sluice.LogEntry, 500)
			for i := range entries {
				if entries[i] = f.chat(at); many {
					entries[i] = f.entry(at)
				}
			}
			g := p.newGather(nil)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := g.entry(b.Context(), &entries[i%len(entries)], 1, true); err != nil {
					b.Fatal(err)
				}
				if i%len(entries) == len(entries)-1 {
					g.keep()
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, many := range []bool{false, true} {
		f := &traffic{rand: rand.New(rand.NewPCG(1, 2)), many: many}
		x := openTest(b, b.TempDir())
		from := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
		var pos reqlog.Pos
		f.load(b, x, f.entry, from, 10, 200_000, &pos)
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
