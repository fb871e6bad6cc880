package logindex

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/store/storetest"
)

// FuzzReadData holds that whatever stands in a row is read or refused, and reads the same again.
func FuzzReadData(f *testing.F) {
	e := storetest.Full(new(sluice.IDs).New(noon()), noon())
	like := storetest.Full(new(sluice.IDs).New(noon()), noon())
	base, err := reqlog.NewBase(string(reqlog.AppendEntry(nil, &like)))
	if err != nil {
		f.Fatal(err)
	}
	find := func(int64) (*reqlog.Base, error) { return base, nil }
	again := func(row *reqlog.Row) []byte {
		return appendData(nil, numberedBase{7, base}, string(reqlog.AppendEntry(nil, &row.Entry)), &row.Parts, false)
	}
	f.Add(again(&reqlog.Row{Entry: e, Parts: [2][]reqlog.Part{{{Segment: 1, Block: 2, Offset: 3, Length: 4}}, nil}}))
	f.Add([]byte{dataVersion, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second reqlog.Row
		if readData(b, find, &first) != nil {
			return
		}
		if err := readData(again(&first), find, &second); err != nil {
			t.Fatalf("written again it is refused: %v", err)
		}
		if !reflect.DeepEqual(first.Parts, second.Parts) {
			t.Errorf("parts %+v, then %+v", first.Parts, second.Parts)
		}
		if a, b := reqlog.AppendEntry(nil, &first.Entry), reqlog.AppendEntry(nil, &second.Entry); !bytes.Equal(a, b) {
			t.Errorf("entry %+v, then %+v", first.Entry, second.Entry)
		}
	})
}

// FuzzReadMeta holds the same of metadata, which is compared as bytes and so must have one form.
func FuzzReadMeta(f *testing.F) {
	f.Add(string(appendMeta(nil, []sluice.MetaValue{{Key: "team", Value: "red"}, {Key: "n", Value: "1", Kind: sluice.MetaNumber}})))
	f.Add("\x00\x80")
	f.Fuzz(func(t *testing.T, s string) {
		meta, err := readMeta(s)
		if err != nil {
			return
		}
		again, err := readMeta(string(appendMeta(nil, meta)))
		if err != nil || !reflect.DeepEqual(meta, again) {
			t.Errorf("%+v, then %+v, %v", meta, again, err)
		}
	})
}

// FuzzReadDelta holds that roll-up bytes are read or refused, and that what is read twice counts twice.
func FuzzReadDelta(f *testing.F) {
	var s share
	e := storetest.Full(new(sluice.IDs).New(noon()), noon())
	s.set(&e, true)
	c := &cell{}
	c.add(&s, 1)
	s.set(&sluice.LogEntry{Timeline: sluice.Timeline{End: time.Hour}}, false)
	c.add(&s, -3)
	key := kindKey{at: 29_000_000, scopes: scopeIDs{1, 2, 3}, provider: 4, model: spilled, outcome: 200, fault: 7, attempts: true}
	f.Add(appendDelta(nil, []kindSum{{kindKey: key, others: 5, told: told{target: 9, faultPair: 10, course: 11}, cell: *c}}, map[cellKey]*cell{{20, 2, -1, 29_000_000}: c}))
	f.Add([]byte{deltaCells, 2, 2, 2, 2, 0, 0, 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, b []byte) {
		once, twice := newPending(), newPending()
		if once.readDelta(b) != nil {
			return
		}
		for range 2 {
			if twice.readDelta(b) != nil {
				t.Fatal("read once and refused then")
			}
		}
		check := func(c, double *cell) {
			t.Helper()
			one := c.append(nil)
			var back cell
			if err := (&cellReader{left: one}).add(&back); err != nil || !bytes.Equal(back.append(nil), one) {
				t.Fatalf("cell %+v comes back as %+v, %v", c, back, err)
			}
			if n, err := (&cellReader{left: one}).number(nRows); n != c.n[nRows] || err != nil {
				t.Fatalf("%d rows, %v; want %d", n, err, c.n[nRows])
			}
			back.merge(c)
			if !bytes.Equal(back.append(nil), double.append(nil)) {
				t.Fatalf("twice %+v is %+v", c, double)
			}
			c.last.quantile(0.5)
		}
		for k, c := range once.cells {
			check(c, twice.cells[k])
		}
		for k, s := range once.kinds {
			check(&s.cell, &twice.kinds[k].cell)
			again := newPending()
			if err := again.readDelta(appendDelta(nil, []kindSum{*s}, nil)); err != nil || again.kinds[k] == nil || again.kinds[k].others != s.others {
				t.Fatalf("kind %+v comes back as %+v, %v", s, again.kinds[k], err)
			}
		}
	})
}

// FuzzReadCursor holds that a cursor from outside is refused or one that could have been made here.
func FuzzReadCursor(f *testing.F) {
	f.Add(place{20_000, 5 << counterBits}.cursor())
	f.Add(offsetCursor(50))
	f.Fuzz(func(t *testing.T, s string) {
		kind, a, offset, err := readCursor(s)
		if err != nil {
			if sluice.KindOf(err) != sluice.KindInvalid {
				t.Errorf("%v is not invalid", err)
			}
			return
		}
		if kind == cursorPlace {
			s = a.cursor()
		} else {
			s = offsetCursor(offset)
		}
		if k, b, o, err := readCursor(s); k != kind || a != b || o != offset || err != nil {
			t.Errorf("%v %v %v comes back as %v %v %v, %v", kind, a, offset, k, b, o, err)
		}
	})
}
