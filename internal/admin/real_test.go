package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/logindex"
)

// The handlers' log in these tests is the real one, on disk.

var _ Log = (*reqlog.Log)(nil)

// openReal opens the log in dir; it is closed by what it returns, or at the end of the test.
func openReal(t *testing.T, dir string) (*reqlog.Log, func()) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	index, err := logindex.Open(t.Context(), dir+"/index", logindex.Options{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	log, err := reqlog.Open(t.Context(), reqlog.Options{Dir: dir + "/segments", Logger: logger}, index)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	closeBoth := func() {
		if closed {
			return
		}
		closed = true
		// The test's own context has ended when a cleanup runs.
		if err := log.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close the log: %v", err)
		}
		if err := index.Close(); err != nil {
			t.Errorf("close the index: %v", err)
		}
	}
	t.Cleanup(closeBoth)
	return log, closeBoth
}

// run logs one exchange as the data plane does.
func run(log *reqlog.Log, e sluice.LogEntry, request, response string) {
	x := &reqlog.Exchange{Entry: e}
	log.Begin(x)
	x.Described()
	for side, body := range []string{request, response} {
		log.Capture(&x.Bodies[side], 1<<20)
		x.Bodies[side].Write([]byte(body))
	}
	log.End(x, false)
}

// recent makes an entry that has just begun.
func recent(ids *sluice.IDs) sluice.LogEntry {
	e := entryAt(new(sluice.IDs), 0) // ids that jump between then and now would not be in order
	now := time.Now().UTC()
	e.ID, e.Start = ids.New(now), now
	return e
}

func TestWithTheRealLog(t *testing.T) {
	log, _ := openReal(t, t.TempDir())
	b := newBench(t, func(d *Deps) { d.Log = log })
	var all []string
	const n = 25
	for i := range n {
		e := recent(&b.ids)
		e.Metadata = []sluice.MetaValue{{Key: "round", Value: fmt.Sprint(i), Kind: sluice.MetaNumber}}
		if i%5 == 0 {
			e.Provider, e.Status, e.Success, e.ErrorKind = "anthropic", 529, false, "upstream_status"
		}
		run(log, e, `{"model":"gpt-4.1-mini"}`, fmt.Sprintf(`{"answer":%d}`, i))
		all = append(all, e.ID.String())
	}
	newest := slices.Clone(all)
	slices.Reverse(newest)

	t.Run("a list has what was logged before it was asked for", func(t *testing.T) {
		v := b.call(logsPath + "?per_page=100")
		if got := idsOf(v.items(t)); !slices.Equal(got, newest) || v.ResultInfo["total_count"] != float64(n) || v.ResultInfo["next"] != nil {
			t.Errorf("%d items, info %v", len(got), v.ResultInfo)
		}
	})
	t.Run("pages go both ways, and past the end", func(t *testing.T) {
		var there, back []string
		path := logsPath + "?per_page=7"
		last := walk(b, path, "", "next", func(page []string) { there = append(there, page...) })
		walk(b, path, last, "prev", func(page []string) { back = append(slices.Clone(page), back...) })
		if !slices.Equal(there, newest) || !slices.Equal(back, newest) {
			t.Errorf("there %d, back %d of %d", len(there), len(back), n)
		}
		v := b.call(logsPath + "?per_page=7&page=4")
		if got := idsOf(v.items(t)); !slices.Equal(got, newest[21:]) {
			t.Errorf("page 4: %v", got)
		}
		v = b.call(logsPath + "?per_page=7&page=5")
		if got := v.items(t); v.status != http.StatusOK || len(got) != 0 {
			t.Errorf("page 5: %d %v", v.status, got)
		}
	})
	t.Run("filters of both kinds find the same", func(t *testing.T) {
		for _, query := range []string{
			"q=" + url.QueryEscape("provider:anthropic"), "provider=anthropic", "success=false",
			"filters=" + url.QueryEscape(`[{"key":"provider","operator":"neq","value":["openai"]}]`),
		} {
			v := b.call(logsPath + "?" + query)
			if got := v.items(t); len(got) != n/5 {
				t.Errorf("%s: %d", query, len(got))
			}
		}
		v := b.call(logsPath + "?filters=" + url.QueryEscape(`[{"key":"metadata.value","operator":"eq","value":["7"]}]`))
		if got := idsOf(v.items(t)); !slices.Equal(got, all[7:8]) {
			t.Errorf("metadata: %v", got)
		}
	})
	t.Run("orders and bounds", func(t *testing.T) {
		v := b.call(logsPath + "?order_by=provider&order_by_direction=asc&per_page=1&meta_info=true")
		if got := v.items(t); len(got) != 1 || got[0]["provider"] != "anthropic" || v.ResultInfo["max_cost"] != 0.0000568 || v.ResultInfo["min_tokens_in"] != 14.0 {
			t.Errorf("%v, info %v", got, v.ResultInfo)
		}
	})
	t.Run("details and bodies", func(t *testing.T) {
		v := b.call(logsPath + "/" + strings.ToUpper(all[3]))
		var got map[string]any
		if err := json.Unmarshal(v.Result, &got); err != nil || got["request_head"] != `{"model":"gpt-4.1-mini"}` || got["response_head"] != `{"answer":3}` || got["response_head_complete"] != true {
			t.Errorf("%v, %v", got, err)
		}
		if body := read(t, b.get(logsPath+"/"+all[3]+"/response", "Range", "bytes=1-8")); body != `"answer"` {
			t.Errorf("range: %q", body)
		}
	})
	t.Run("a cursor that is none is the caller's fault", func(t *testing.T) {
		b.fails(logsPath+"?cursor=n.nothing", http.StatusBadRequest, codeInvalid, "no cursor")
	})
	t.Run("sums", func(t *testing.T) {
		got := b.analytics("range=15m&interval=none&metric=requests,errors,cost,tokens_in&group=provider")
		totals := map[string]any{}
		for _, s := range got["series"].([]any) {
			row := s.(map[string]any)
			totals[fmt.Sprint(row["metric"], " ", row["key"])] = row["total"]
		}
		for name, want := range map[string]any{
			"requests openai": json.Number("20"), "requests anthropic": json.Number("5"), "errors openai": json.Number("0"), "errors anthropic": json.Number("5"),
			"cost openai": json.Number("0.001136"), "tokens_in anthropic": json.Number("70"),
		} {
			if totals[name] != want {
				t.Errorf("%s = %v, want %v", name, totals[name], want)
			}
		}
	})
	t.Run("sums by interval add up", func(t *testing.T) {
		got := b.analytics("range=15m&interval=1m&metric=requests")
		sum := 0
		for _, v := range got["series"].([]any)[0].(map[string]any)["values"].([]any) {
			n, err := v.(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			sum += int(n)
		}
		if sum != n {
			t.Errorf("%d of %d in %v", sum, n, got)
		}
	})
	t.Run("status", func(t *testing.T) {
		var s StatusView
		v := b.call(accountPath + "/status")
		if err := json.Unmarshal(v.Result, &s); err != nil || s.Log.State != "ok" || s.Log.Rows != n || s.LastMinute.Requests != n || s.LastMinute.Errors != n/5 {
			t.Errorf("%s, %v", v.Result, err)
		}
	})
	t.Run("a running request has details", func(t *testing.T) {
		e := recent(&b.ids)
		x := &reqlog.Exchange{Entry: e}
		log.Begin(x)
		x.Described()
		v := b.call(logsPath + "/" + e.ID.String())
		if !strings.Contains(string(v.Result), `"ending":"in_flight"`) {
			t.Errorf("%s", v.Result)
		}
		log.End(x, false)
		v = b.call(logsPath + "/" + e.ID.String())
		if !strings.Contains(string(v.Result), `"ending":"complete"`) {
			t.Errorf("%s", v.Result)
		}
	})
}

func TestTheTailOfTheRealLogResumesAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	log, closeLog := openReal(t, dir)
	done := make(chan struct{})
	b := newBench(t, func(d *Deps) { d.Log, d.Done = log, done })
	run(log, recent(&b.ids), "", "before")
	v := b.call(logsPath) // waits until it is in the log
	if len(v.items(t)) != 1 {
		t.Fatalf("%s", v.Result)
	}
	s := b.follow("")
	s.want("tick", "")
	var want, seen []string
	add := func(log *reqlog.Log) {
		e := recent(&b.ids)
		want = append(want, e.ID.String())
		run(log, e, "", "x")
	}
	for range 10 {
		add(log)
	}
	last := ""
	for range 4 {
		g := s.want("close", "")
		seen, last = append(seen, g.logID()), g.id
	}
	s.cancel()
	close(done)
	closeLog()

	again, _ := openReal(t, dir)
	b2 := newBench(t, func(d *Deps) { d.Log = again })
	add(again)
	s = b2.follow("", "Last-Event-ID", last)
	s.want("tick", "")
	for len(seen) < len(want) {
		seen = append(seen, s.want("close", "").logID())
	}
	if !slices.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
}
