package reqlog

import (
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

func TestGatewaysAreHeldToTheirCaps(t *testing.T) {
	store := newMemory()
	var caps []Cap
	l := openLog(t, Options{}, store)
	l.SetCaps(func() []Cap { return caps })
	l.stopEarly()
	l.early.Wait() // the test is the keeper now
	var ids sluice.IDs
	write := func(gateway string, n int) {
		t.Helper()
		for range n {
			x := begin(l, ids.New(time.Now()), time.Now())
			x.Entry.Gateway = gateway
			l.End(x, false)
		}
		if _, err := l.List(reading(t), Query{}); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(gateway string) int64 {
		n, _ := store.Rows(t.Context(), "a", gateway)
		return n
	}
	write("rolling", 1011)
	write("stopped", 50)
	write("free", 20)
	caps = []Cap{{Account: "a", Gateway: "rolling", Rows: 1000}, {Account: "a", Gateway: "stopped", Rows: 50, StopInserting: true}}
	l.keeper.caps(t.Context())
	write("rolling", 5)
	write("stopped", 5)
	write("free", 5)
	l.keeper.caps(t.Context())
	for gateway, want := range map[string]int64{"rolling": 1005, "stopped": 50, "free": 25} {
		if n := rows(gateway); n != want {
			t.Errorf("%s has %d rows, want %d", gateway, n, want)
		}
	}
	if n := len(store.counted); n != 5 {
		t.Errorf("%d are counted only, want 5", n)
	}
	caps = nil
	l.keeper.caps(t.Context())
	write("stopped", 5)
	if n := rows("stopped"); n != 55 {
		t.Errorf("%d rows without a cap, want 55", n)
	}
	closeLog(t, l)
}
