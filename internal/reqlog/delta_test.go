package reqlog

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// throughDelta tells e by base and reads it back.
func throughDelta(t *testing.T, base *Base, e *sluice.LogEntry, noMetadata bool) (*sluice.LogEntry, int) {
	t.Helper()
	delta := base.AppendDelta(nil, string(AppendEntry(nil, e)), noMetadata)
	whole, err := base.Append(nil, delta)
	if err != nil {
		t.Fatalf("delta is not read: %v", err)
	}
	var got sluice.LogEntry
	if err := DecodeEntry(whole, &got); err != nil {
		t.Fatal(err)
	}
	return &got, len(delta)
}

func TestDeltaKeepsEveryField(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range 2000 {
		like, e := randomEntry(rng), randomEntry(rng)
		base, err := NewBase(string(AppendEntry(nil, like)))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := throughDelta(t, base, e, false)
		if d := diffEntries(e, got); d != "" {
			t.Fatal(d)
		}
		got, _ = throughDelta(t, base, e, true)
		e.Metadata = nil
		if d := diffEntries(e, got); d != "" {
			t.Fatal(d)
		}
	}
}

func TestDeltaOfACallLikeTheBaseIsShort(t *testing.T) {
	var ids sluice.IDs
	call := func(change func(e *sluice.LogEntry)) *sluice.LogEntry {
		x := &Exchange{}
		typical(x, &ids, time.Now())
		change(&x.Entry)
		return &x.Entry
	}
	base, err := NewBase(string(AppendEntry(nil, call(func(*sluice.LogEntry) {}))))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*sluice.LogEntry){
		"the same":         func(*sluice.LogEntry) {},
		"a header's value": func(e *sluice.LogEntry) { e.ReqHeader[3].Value = "another" },
		"a header more": func(e *sluice.LogEntry) {
			e.ReqHeader = slices.Insert(e.ReqHeader, 2, sluice.Field{Name: "A", Value: "b"})
		},
		"two headers less":  func(e *sluice.LogEntry) { e.RespHeader = slices.Delete(e.RespHeader, 4, 6) },
		"other numbers":     func(e *sluice.LogEntry) { e.Status, e.Cost, e.Timeline.End = 201, 77, 3e9 },
		"another model":     func(e *sluice.LogEntry) { e.Model = "gpt-4o" },
		"no answer":         func(e *sluice.LogEntry) { e.RespHeader, e.Served, e.Finish = nil, "", "" },
		"an attempt before": func(e *sluice.LogEntry) { e.Attempts = slices.Insert(e.Attempts, 0, sluice.Attempt{Provider: "x"}) },
	} {
		t.Run(name, func(t *testing.T) {
			e := call(change)
			got, n := throughDelta(t, base, e, false)
			if d := diffEntries(e, got); d != "" {
				t.Error(d)
			}
			if n > 200 {
				t.Errorf("%d bytes tell it", n)
			}
		})
	}
}

func TestBaseIsMadeAgainOfItsBytes(t *testing.T) {
	e := randomEntry(rand.New(rand.NewPCG(23, 24)))
	base, err := NewBase(string(appendRecord(nil, KindEntry, e, nil, false)[lengthBytes:]))
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewBase(base.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if again.Bytes() != base.Bytes() || !slices.Equal(again.fields, base.fields) {
		t.Errorf("%+v, then %+v", base, again)
	}
}

// FuzzDelta holds that an entry told by any base is read back as it was, and that a delta from anywhere is
// refused or bounded by what it is made of.
func FuzzDelta(f *testing.F) {
	rng := rand.New(rand.NewPCG(25, 26))
	like, e := AppendEntry(nil, randomEntry(rng)), AppendEntry(nil, randomEntry(rng))
	f.Add(like, e)
	f.Add(like, like)
	f.Add(like, []byte{1<<2 | deltaSkip, 2<<2 + deltaCopy, 3<<2 | deltaText, 1, 'x', 2<<2 | deltaFresh, 11 << 1, 4})
	f.Fuzz(func(t *testing.T, like, in []byte) {
		base, err := NewBase(string(like))
		if err != nil {
			return
		}
		if whole, err := base.Append(nil, in); err == nil && len(whole) > len(like)+20*len(in) {
			t.Fatalf("%d bytes of a base of %d and a delta of %d", len(whole), len(like), len(in))
		}
		var e, got sluice.LogEntry
		if DecodeEntry(in, &e) != nil {
			return
		}
		whole, err := base.Append(nil, base.AppendDelta(nil, string(in), false))
		if err == nil {
			err = DecodeEntry(whole, &got)
		}
		if err != nil {
			t.Fatal(err)
		}
		if a, b := AppendEntry(nil, &e), AppendEntry(nil, &got); string(a) != string(b) {
			t.Errorf("%+v is read as %+v", e, got)
		}
	})
}

func BenchmarkDelta(b *testing.B) {
	var ids sluice.IDs
	x := &Exchange{}
	typical(x, &ids, time.Now())
	base, err := NewBase(string(AppendEntry(nil, &x.Entry)))
	if err != nil {
		b.Fatal(err)
	}
	x.Entry.ID, x.Entry.ReqHeader[4].Value, x.Entry.Timeline.End = ids.New(time.Now()), "another", 77
	entry := string(AppendEntry(nil, &x.Entry))
	var delta, whole []byte
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			delta = base.AppendDelta(delta[:0], entry, true)
		}
		b.ReportMetric(float64(len(delta)), "bytes")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if whole, err = base.Append(whole[:0], delta); err != nil {
				b.Fatal(err)
			}
		}
	})
}
