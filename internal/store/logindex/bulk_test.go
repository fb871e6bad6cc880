package logindex

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

// sparse empties what columns and likenesses are made of, by bits of n.
func sparse(e *sluice.LogEntry, n uint) {
	for i, empty := range []func(){
		func() { e.Metadata = nil },
		func() { e.Key, e.EventID = "", "" },
		func() { e.TraceID, e.ErrorKind, e.ErrorText = "", "", "" },
		func() { e.Timeline.FirstToken, e.Status = 0, 0 },
		func() { e.Usage = sluice.Usage{} },
		func() { e.Priced, e.Cost, e.Attempts = false, 0, nil },
		func() { e.ReqHeader, e.RespHeader = nil, e.RespHeader[:1] },
	} {
		if n>>i&1 != 0 {
			empty()
		}
	}
}

// TestManyRowsAtOnce holds that rows are read as they were written, however many one statement inserts and
// whatever is empty in all of them, and that one in their middle that is replaced is.
func TestManyRowsAtOnce(t *testing.T) {
	x := openTest(t, t.TempDir())
	rng := rand.New(rand.NewPCG(7, 8))
	var ids sluice.IDs
	want := map[sluice.ID][]byte{}
	var pos reqlog.Pos
	for round := range uint(12) {
		var records []reqlog.Record
		for i := range 237 {
			at := noon().Add(time.Duration(rng.IntN(5000)) * time.Millisecond)
			e := storetest.Full(ids.New(at), at)
			e.Account = "default"
			bits := round * 11 // the same in all rows, or another in each
			if round%3 == 2 {
				bits = rng.Uint()
			}
			sparse(&e, bits)
			e.Cost = sluice.NanoUSD(i)
			if i%50 == 49 { // again what a row before it has
				e = records[i-20].Entry
				e.Feedback = 1
			}
			fields := string(reqlog.AppendEntry(nil, &e))
			records = append(records, reqlog.Record{Kind: reqlog.KindEntry, Pos: pos, Entry: e, Fields: fields, Parts: [2][]reqlog.Part{{{Segment: 1, Block: uint32(i)}}}})
			want[e.ID] = []byte(fields)
			pos.Record++
		}
		if err := x.Apply(t.Context(), records, pos); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for q := (reqlog.Query{Account: "default", Limit: 100, Desc: true}); ; {
		page, err := x.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if page.Total != int64(len(want)) {
			t.Fatalf("total %d, want %d", page.Total, len(want))
		}
		for i := range page.Rows {
			e := &page.Rows[i].Entry
			if got := reqlog.AppendEntry(nil, e); !bytes.Equal(got, want[e.ID]) {
				t.Fatalf("%s is read as %+v", e.ID, e)
			}
			seen++
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if seen != len(want) {
		t.Errorf("%d rows, want %d", seen, len(want))
	}
}

// TestFilterFindsRowsOfSealedDays holds that what the copies say of a day spares reading it and hides nothing.
func TestFilterFindsRowsOfSealedDays(t *testing.T) {
	x := openTest(t, t.TempDir())
	var ids sluice.IDs
	var pos reqlog.Pos
	apply := func(day int, model string) {
		t.Helper()
		at := noon().Add(-time.Duration(day) * 24 * time.Hour)
		e := sluice.LogEntry{ID: ids.New(at), Start: at, Account: "default", Gateway: "default", Provider: "openai", Model: model, Ending: sluice.EndingComplete}
		if err := x.Apply(t.Context(), []reqlog.Record{{Kind: reqlog.KindEntry, Pos: pos, Entry: e}}, reqlog.Pos{Record: pos.Record + 1}); err != nil {
			t.Fatal(err)
		}
		pos.Record++
	}
	count := func(query string) int {
		t.Helper()
		filter, err := reqlog.ParseFilter(query)
		if err != nil {
			t.Fatal(err)
		}
		page, err := x.List(t.Context(), reqlog.Query{Account: "default", Gateway: "default", Limit: 100, Desc: true, Filter: filter})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Rows)
	}
	for day := range 6 {
		apply(day, "common")
		if day%3 == 2 {
			apply(day, "rare")
		}
		if day == 4 {
			apply(day, "")
		}
		if err := x.seal(t.Context(), dayOf(ids.New(noon()))-int64(day)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(query string, want int) {
		t.Helper()
		if got := count(query); got != want {
			t.Errorf("%s: %d rows, want %d", query, got, want)
		}
	}
	check("model:rare", 2)
	check("model:common", 6)
	check("model:none", 0)
	check("-model:common", 3)
	check("model:rare provider:openai", 2)
	check("model:common provider:groq", 0)
	apply(3, "rare") // late: its day is not sealed any more
	check("model:rare", 3)
}
