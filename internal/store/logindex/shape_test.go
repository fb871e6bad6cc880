package logindex

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

// encoded lists a query's rows as the log encodes them.
func encoded(t *testing.T, x *Index, query string) []string {
	t.Helper()
	filter, err := reqlog.ParseFilter(query)
	if err != nil {
		t.Fatal(err)
	}
	page, err := x.List(t.Context(), reqlog.Query{Account: "acme", Limit: maxLimit, Filter: filter})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i := range page.Rows {
		list = append(list, string(reqlog.AppendEntry(nil, &page.Rows[i].Entry)))
	}
	return list
}

// feedVaried applies rows of few and of many shapes.
func feedVaried(t *testing.T, f *feeder, x *Index) {
	t.Helper()
	rng := rand.New(rand.NewPCG(31, 32))
	var entries []sluice.LogEntry
	for i := range 300 {
		at := noon().Add(time.Duration(i) * time.Second)
		e := storetest.Full(f.ids.New(at), at)
		e.Account = "acme"
		sparse(&e, rng.Uint())
		if i%3 == 0 {
			e = f.entry(at)
		}
		entries = append(entries, e)
	}
	f.apply(t, x, entries...)
}

func countShapes(t *testing.T, x *Index) (n int) {
	t.Helper()
	err := x.with(t.Context(), noon().UnixMilli()/dayMillis, func(p *part) error {
		return p.read.QueryRowContext(t.Context(), "SELECT count(*) FROM shapes").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestShapesAreKeptOnce(t *testing.T) {
	dir := t.TempDir()
	var f feeder
	x := openTest(t, dir)
	f.apply(t, x, f.entry(noon()), f.entry(noon()))
	f.apply(t, x, f.entry(noon()))
	if n := countShapes(t, x); n != 1 {
		t.Errorf("%d shapes of equal rows", n)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir)
	other := f.entry(noon())
	other.Status = 0
	f.apply(t, x, f.entry(noon()), other, f.entry(noon()), other)
	if n := countShapes(t, x); n != 2 {
		t.Errorf("%d shapes after a start and a row without a status, want 2", n)
	}
}

// widen makes of a day's file what it was before there were shapes.
const widen = `
	CREATE TABLE wide (id INTEGER PRIMARY KEY, scope INTEGER NOT NULL, provider INTEGER NOT NULL, model INTEGER NOT NULL, served INTEGER NOT NULL,
		endpoint INTEGER NOT NULL, type INTEGER NOT NULL, caller INTEGER NOT NULL, agent INTEGER NOT NULL, error INTEGER NOT NULL,
		request_type INTEGER NOT NULL, response_type INTEGER NOT NULL, meta INTEGER NOT NULL, flags INTEGER NOT NULL, status INTEGER,
		duration INTEGER, first_token INTEGER, tokens_in INTEGER, tokens_out INTEGER, cost INTEGER, attempts INTEGER NOT NULL,
		event INTEGER, trace INTEGER, more INTEGER NOT NULL);
	INSERT INTO wide SELECT r.id, scope, provider, model, served, endpoint, type, caller, agent, error, request_type, response_type, meta, flags,
		status, duration, first_token, tokens_in, tokens_out, cost, attempts, event, trace, more FROM rows r JOIN shapes s ON s.id = r.shape;
	DROP TABLE rows; DROP TABLE shapes; ALTER TABLE wide RENAME TO rows;
	DROP TABLE patches; DROP TABLE erased; ALTER TABLE state DROP COLUMN dirty; ALTER TABLE bases DROP COLUMN origin; PRAGMA user_version = 1`

func TestFileWithoutShapes(t *testing.T) {
	dir := t.TempDir()
	var f feeder
	x := openTest(t, dir)
	feedVaried(t, &f, x)
	queries := []string{"", "model:gpt-4.1", "-model:gpt-4.1", "status:200", "status:none", "success:no", "feedback:1", "attempts:1"}
	want := map[string][]string{}
	for _, q := range queries {
		want[q] = encoded(t, x, q)
	}
	if len(want[""]) != 300 || len(want["status:200"]) == 300 {
		t.Fatalf("%d rows, %d of status 200", len(want[""]), len(want["status:200"]))
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", dsn(filepath.Join(dir, dayName(noon().UnixMilli()/dayMillis)), true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), widen); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, dir)
	for _, q := range queries {
		if got := encoded(t, x, q); !slices.Equal(got, want[q]) {
			t.Errorf("%q: %d rows, before %d, or others", q, len(got), len(want[q]))
		}
	}
	f.apply(t, x, f.entry(noon()))
	if got := encoded(t, x, ""); len(got) != 301 {
		t.Errorf("%d rows with a new one, want 301", len(got))
	}
}
