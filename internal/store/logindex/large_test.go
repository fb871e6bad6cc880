//go:build unix

package logindex

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

const (
	// largeRows is the environment variable with the number of rows of BenchmarkLarge, over 30 days: architecture's
	// goals are for 10,000,000. Without it there are few, and the figures mean nothing.
	largeRows = "SLUICE_BENCH_ROWS"
	// largeDir is the one with a directory to keep the index in, which the next run then finds. It takes 3 GB.
	largeDir = "SLUICE_BENCH_DIR"

	largeDays = 30
)

// large is an index with a month's rows, and a hand that goes on writing.
type large struct {
	*Index
	traffic
	pos  reqlog.Pos
	from time.Time // of the month
	end  time.Time // where the next row goes
}

func (l *large) entry(at time.Time) sluice.LogEntry {
	r := l.rand
	e := sluice.LogEntry{
		ID: l.ids.New(at), Start: at, Account: "default", Gateway: fmt.Sprint("gw", r.IntN(5)), Provider: []string{"openai", "anthropic", "groq"}[r.IntN(3)],
		Model: fmt.Sprint("model-", r.IntN(20)), Endpoint: "chat/completions", Method: "POST", Status: 200, Success: true, Ending: sluice.EndingComplete,
		Priced: true, Cost: sluice.NanoUSD(r.IntN(1e7)), Timeline: sluice.Timeline{FirstToken: time.Duration(r.IntN(1e9)), End: time.Duration(r.IntN(1e10))},
	}
	if r.IntN(1_000_000) == 0 {
		e.Model = "rare"
	}
	e.Usage.Basis = sluice.BasisProvider
	e.Usage.Set(sluice.Input, int64(r.IntN(5000)))
	return e
}

// apply applies n rows, step apart.
func (l *large) apply(ctx context.Context, n int, step time.Duration) error {
	records := make([]reqlog.Record, n)
	for i := range records {
		records[i] = reqlog.Record{Kind: reqlog.KindEntry, Pos: l.pos, Entry: l.entry(l.end)}
		l.end = l.end.Add(step)
		l.pos.Record++
	}
	return l.Apply(ctx, records, l.pos)
}

// openLarge opens the index, and fills it if it is empty.
func openLarge(b *testing.B, n int) *large {
	dir := os.Getenv(largeDir)
	if dir == "" {
		dir = b.TempDir()
	}
	l := &large{traffic: traffic{rand: rand.New(rand.NewPCG(1, 2))}, end: time.Now()}
	l.from = l.end.Truncate(time.Hour).AddDate(0, 0, -largeDays)
	l.Index = openTest(b, dir)
	var err error
	if l.pos, err = l.Resume(b.Context()); err != nil {
		b.Fatal(err)
	}
	if l.pos != (reqlog.Pos{}) {
		return l
	}
	const batch = 5000
	start, used := time.Now(), cpuTime()
	l.end = l.from
	for left := n; left > 0; left -= batch {
		if err := l.apply(b.Context(), min(batch, left), largeDays*24*time.Hour/time.Duration(n)); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d rows applied in %v, %v of CPU", n, time.Since(start), cpuTime()-used)
	if err := l.upkeep(b.Context(), time.Now().Add(3*time.Hour), true); err != nil {
		b.Fatal(err)
	}
	b.Logf("days sealed after %v", time.Since(start))
	return l
}

// write applies 200 rows a second until ctx ends.
func (l *large) write(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := l.apply(context.WithoutCancel(ctx), 50, 5*time.Millisecond); err != nil {
				return err
			}
		}
	}
}

// BenchmarkLarge reads an index of a month while it is written to: pages, and what a dashboard shows.
func BenchmarkLarge(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv(largeRows))
	if err != nil {
		n = 20_000
	}
	l := openLarge(b, n)
	rows, size, err := l.Size(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d rows, %d bytes each", rows, size/max(rows, 1))
	ctx, stop := context.WithCancel(b.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		if err := l.write(ctx); err != nil {
			b.Error(err)
		}
	})
	defer writer.Wait()
	defer stop()

	reads := rand.New(rand.NewPCG(3, 4))
	page := func(q reqlog.Query, text string) func() error {
		return func() error {
			filter, err := reqlog.ParseFilter(text)
			if err != nil {
				return err
			}
			q.Account, q.Limit, q.Desc, q.Filter = "default", 50, true, filter
			_, err = l.List(b.Context(), q)
			return err
		}
	}
	cursor := func(at time.Duration) reqlog.Query {
		return reqlog.Query{Cursor: placeAt(l.from.Add(at).UnixMilli()).cursor()}
	}
	totals := func(groups ...reqlog.Group) func() error {
		return func() error {
			end := l.from.AddDate(0, 0, largeDays)
			for _, g := range groups {
				q := reqlog.TotalsQuery{Account: "default", From: l.from, To: end, Every: 24 * time.Hour, Group: g}
				if _, err := l.Totals(b.Context(), q); err != nil {
					return err
				}
			}
			return nil
		}
	}
	// All that the page of analytics asks for: tiles and lines, bars by outcome, cost by model, errors by kind and
	// provider, the table; and the month before, where it compares.
	dashboard := func() error {
		end := l.from.AddDate(0, 0, largeDays)
		for _, q := range []reqlog.TotalsQuery{
			{},
			{Group: reqlog.GroupOutcome, NoTimes: true},
			{Group: reqlog.GroupModel, NoTimes: true},
			{Group: reqlog.GroupErrorType, Then: []reqlog.Group{reqlog.GroupProvider}, NoTimes: true},
			{Group: reqlog.GroupModel, Every: largeDays * 24 * time.Hour}, // the table, which has times
		} {
			q.Account, q.From, q.To, q.Sum = "default", l.from, end, true
			if q.Every == 0 {
				q.Every = 6 * time.Hour
			}
			if _, err := l.Totals(b.Context(), q); err != nil {
				return err
			}
			q.From, q.To = l.from.AddDate(0, 0, -largeDays), l.from
			if _, err := l.Totals(b.Context(), q); err != nil {
				return err
			}
		}
		return nil
	}
	for _, read := range []struct {
		name string
		read func() error
	}{
		{"page newest", page(reqlog.Query{}, "")},
		{"page newest of a gateway", page(reqlog.Query{Gateway: "gw1"}, "")},
		{"page at a cursor", page(cursor(15*24*time.Hour+7*time.Hour), "")},
		{"page at a random cursor", func() error { return page(cursor(time.Duration(reads.Int64N(int64(largeDays*24*time.Hour)))), "")() }},
		{"page of a provider", page(reqlog.Query{}, "provider:openai")},
		{"page of a cost", page(reqlog.Query{}, "cost:>0.00999")},
		{"page of a rare model", page(reqlog.Query{}, "model:rare")},
		{"page by offset", page(reqlog.Query{Offset: rows / 2}, "")},
		{"totals", totals(reqlog.GroupNone)},
		{"totals by model", totals(reqlog.GroupModel)},
		{"dashboard", dashboard},
	} {
		b.Run(read.name, func(b *testing.B) { timed(b, read.read) })
	}
}

// timed reports, beside the mean, the first, the median and the worst time of a read.
func timed(b *testing.B, read func() error) {
	took := make([]time.Duration, 0, 1000)
	for b.Loop() {
		start := time.Now()
		if err := read(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	millis := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
	b.ReportMetric(millis(took[0]), "first-ms")
	slices.Sort(took)
	b.ReportMetric(millis(took[len(took)/2]), "p50-ms")
	b.ReportMetric(millis(took[len(took)-1]), "worst-ms")
}
