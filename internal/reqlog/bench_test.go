package reqlog

import (
	"bytes"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// typical is an exchange as a chat call leaves it: about 2 KB.
func typical(x *Exchange, ids *sluice.IDs, now time.Time) {
	e := &x.Entry
	e.ID, e.Start, e.Account, e.Gateway = ids.New(now), now, "default", "default"
	e.Provider, e.Model, e.Served, e.Endpoint = "openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "chat/completions"
	e.Method, e.Path, e.Status, e.Success, e.Ending = "POST", "chat/completions", 200, true, sluice.EndingComplete
	e.UserAgent, e.Finish, e.Streamed = "OpenAI/Python 2.9.0", "stop", true
	e.Timeline = sluice.Timeline{Received: 1e5, Connected: 2e5, Sent: 3e5, FirstByte: 4e8, FirstToken: 5e8, End: 2e9}
	e.Usage.Basis = sluice.BasisProvider
	e.Usage.Set(sluice.Input, 900)
	e.Usage.Set(sluice.Output, 300)
	e.Metadata = append(e.Metadata, sluice.MetaValue{Key: "user", Value: "4711"})
	value := "a header value of some length, as clients and providers send them in numbers"
	for range 10 {
		e.ReqHeader = append(e.ReqHeader, sluice.Field{Name: "X-Stainless-Header", Value: value})
		e.RespHeader = append(e.RespHeader, sluice.Field{Name: "X-Ratelimit-Header", Value: value})
	}
	e.Attempts = append(e.Attempts, sluice.Attempt{Provider: "openai", Model: e.Model, Host: "api.openai.com", Status: 200, Usage: e.Usage})
	e.Request.Type, e.Response.Type = "application/json", "text/event-stream"
}

// BenchmarkEnd is what one exchange costs the request path: begin, describe, capture, end, reset.
func BenchmarkEnd(b *testing.B) {
	for name, size := range map[string]int{"2KB": 0, "2KB+1KB": 1 << 10, "2KB+30KB": 30 << 10} {
		b.Run(name, func(b *testing.B) {
			l := openLog(b, Options{QueueBytes: 256 << 20}, newMemory())
			l.store.(*memory).hang = true // the index's time is not the request's
			var ids sluice.IDs
			x, body, now := &Exchange{}, bytes.Repeat([]byte("body "), size/5), time.Now()
			b.ReportAllocs()
			for b.Loop() {
				typical(x, &ids, now)
				l.Begin(x)
				x.Described()
				l.Capture(&x.Bodies[RequestSide], 1<<20)
				x.Bodies[RequestSide].Whole(body)
				l.End(x, false)
				x.Reset()
			}
			b.ReportMetric(float64(l.Stats().DroppedRows), "lost")
		})
	}
}

// BenchmarkRecord is the copy under the mutex alone.
func BenchmarkRecord(b *testing.B) {
	var ids sluice.IDs
	x := &Exchange{}
	typical(x, &ids, time.Now())
	buf := make([]byte, 0, blockBytes)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendRecord(buf[:0], KindEntry, &x.Entry, nil, false)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecode(b *testing.B) {
	var ids sluice.IDs
	x := &Exchange{}
	typical(x, &ids, time.Now())
	fields, _, err := splitRecord(appendRecord(nil, KindEntry, &x.Entry, nil, false))
	if err != nil {
		b.Fatal(err)
	}
	var r Record
	b.ReportAllocs()
	for b.Loop() {
		if err := decodeRecord(string(fields), &r, nil); err != nil {
			b.Fatal(err)
		}
	}
}
