package traffic

import (
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/logindex"
)

// TestWhatIsWrittenIsThere holds that a small store has all rows, spread as the reads of the bench want them.
func TestWhatIsWrittenIsThere(t *testing.T) {
	dir, end := t.TempDir(), time.Now().Truncate(time.Second)
	p := Plan{Seed: 1, Rows: 3000, Bodies: 100, Days: 2, End: end}
	if err := Write(t.Context(), dir, p, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := Rest(dir); err != nil {
		t.Fatal(err)
	}
	x, err := logindex.Open(t.Context(), indexDir(dir), logindex.Options{Metadata: []string{Metadata}})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	seen := map[string]map[string]int{"gateway": {}, "model": {}, "key": {}}
	rows, bodies := 0, 0
	for q := (reqlog.Query{Account: Account, Limit: 1000, Desc: true}); ; {
		list, err := x.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list.Rows {
			e := &list.Rows[i].Entry
			seen["gateway"][e.Gateway]++
			seen["model"][e.Model]++
			seen["key"][e.Key]++
			if len(list.Rows[i].Parts[reqlog.ResponseSide]) > 0 {
				bodies++
			}
			if rows == 0 && e.Start.Sub(end).Abs() > 10*time.Minute {
				t.Fatalf("the newest is of %v, want %v", e.Start, end)
			}
			rows++
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
	}
	if rows != p.Rows || bodies != p.Bodies {
		t.Errorf("%d rows, %d with bodies; want %d and %d", rows, bodies, p.Rows, p.Bodies)
	}
	if seen["gateway"][Main] < rows/3 || seen["gateway"][Small] == 0 || seen["model"][CommonModel] < rows/50 || len(seen["model"]) < 40 || len(seen["key"]) != services {
		t.Errorf("spread otherwise: %v", seen)
	}
}

func TestMakerMakesTheSameFromASeed(t *testing.T) {
	a, b := NewMaker(7), NewMaker(7)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for range 1000 {
		var x, y sluice.LogEntry
		a.Entry(&x, at)
		b.Entry(&y, at)
		y.ID = x.ID
		if string(reqlog.AppendEntry(nil, &x)) != string(reqlog.AppendEntry(nil, &y)) {
			t.Fatalf("%+v\n%+v", x, y)
		}
	}
}
