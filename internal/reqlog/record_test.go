package reqlog

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// randomEntry fills every field of a LogEntry, whatever fields there are: a new one that the encoding
// forgets makes TestRecordKeepsEveryField fail.
func randomEntry(rng *rand.Rand) *sluice.LogEntry {
	var e sluice.LogEntry
	fill(rng, reflect.ValueOf(&e).Elem())
	return &e
}

func fill(rng *rand.Rand, v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		*p = time.Unix(rng.Int64N(1<<33)-1<<32, rng.Int64N(1e9)).UTC()
		return
	case *sluice.Usage:
		p.Basis = sluice.Basis(1 + rng.IntN(4))
		for c := range sluice.ClassCount {
			if rng.IntN(2) == 0 {
				p.Set(c, rng.Int64N(math.MaxInt64))
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rng, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+rng.IntN(4), 4))
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("%0*d", 1+rng.IntN(300), rng.IntN(1e9)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(rng.NormFloat64())
	case reflect.Uint8:
		v.SetUint(1 + rng.Uint64N(255))
	case reflect.Int8:
		v.SetInt(int64(rng.IntN(127)) - 128)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(rng.Uint64() | 1))
	default:
		panic("a kind of field that this test does not know: " + v.Type().String())
	}
}

// diffEntries names the first field in which two entries differ.
func diffEntries(want, got *sluice.LogEntry) string {
	w, g := reflect.ValueOf(*want), reflect.ValueOf(*got)
	for i := range w.NumField() {
		a, b := w.Field(i).Interface(), g.Field(i).Interface()
		if t, ok := a.(time.Time); ok && t.Equal(b.(time.Time)) {
			continue
		}
		if w.Field(i).Kind() == reflect.Slice && w.Field(i).Len() == 0 && g.Field(i).Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(a, b) {
			return fmt.Sprintf("%s is %v, want %v", w.Type().Field(i).Name, b, a)
		}
	}
	return ""
}

func TestRecordKeepsEveryField(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var r Record // used again and again, as the indexer does
	for range 2000 {
		e := randomEntry(rng)
		var parts [2][]partRef
		for side := range parts {
			for range rng.IntN(4) {
				parts[side] = append(parts[side], partRef{rng.Uint64(), rng.Uint32(), rng.Uint32()})
			}
		}
		b := appendRecord(nil, KindEntry, e, &parts, false)
		if len(b) > recordBound(e, &parts) {
			t.Fatalf("record takes %d bytes, bound %d", len(b), recordBound(e, &parts))
		}
		fields, rest, err := splitRecord(b)
		if err != nil || len(rest) != 0 {
			t.Fatal(err, len(rest))
		}
		var seen [][2]any
		err = decodeRecord(string(fields), &r, func(block uint64) (uint64, uint32) {
			seen = append(seen, [2]any{block})
			return block, uint32(block)
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := diffEntries(e, &r.Entry); d != "" || r.Kind != KindEntry || r.CountOnly {
			t.Fatal(d, r.Kind, r.CountOnly)
		}
		for side := range parts {
			if len(parts[side]) != len(r.Parts[side]) {
				t.Fatalf("%d parts, want %d", len(r.Parts[side]), len(parts[side]))
			}
			for i, p := range parts[side] {
				if want := (Part{p.block, uint32(p.block), p.offset, p.length}); r.Parts[side][i] != want {
					t.Fatalf("part %+v, want %+v", r.Parts[side][i], want)
				}
			}
		}
	}
}

func TestEntryCodecIsExported(t *testing.T) {
	e := randomEntry(rand.New(rand.NewPCG(5, 6)))
	got := sluice.LogEntry{Notes: []string{"old"}}
	if err := DecodeEntry(AppendEntry(nil, e), &got); err != nil {
		t.Fatal(err)
	}
	if d := diffEntries(e, &got); d != "" {
		t.Error(d)
	}
}

func TestCountOnlyRecordKeepsWhatRollUpsNeed(t *testing.T) {
	e := randomEntry(rand.New(rand.NewPCG(7, 8)))
	var r Record
	fields, _, err := splitRecord(appendRecord(nil, KindEntry, e, nil, true))
	if err != nil {
		t.Fatal(err)
	}
	if err := decodeRecord(string(fields), &r, nil); err != nil {
		t.Fatal(err)
	}
	g := &r.Entry
	same := g.ID == e.ID && g.Start.Equal(e.Start) && g.Account == e.Account && g.Gateway == e.Gateway &&
		g.Provider == e.Provider && g.Model == e.Model && g.Served == e.Served && g.Endpoint == e.Endpoint &&
		g.Type == e.Type && g.Key == e.Key && g.Status == e.Status && g.Success == e.Success && g.Ending == e.Ending &&
		g.Streamed == e.Streamed && g.Cache == e.Cache && g.Timeline == e.Timeline && g.Usage == e.Usage &&
		g.Cost == e.Cost && g.Priced == e.Priced && g.Request.Size == e.Request.Size && g.Response.Size == e.Response.Size &&
		len(g.Attempts) == len(e.Attempts)
	if !same || !r.CountOnly {
		t.Errorf("got %+v of %+v", g, e)
	}
	if g.Path+g.UserAgent+g.ErrorText+g.Request.Type != "" || len(g.ReqHeader)+len(g.Metadata)+len(g.Notes) != 0 {
		t.Errorf("more than counts: %+v", g)
	}
}

func TestUnknownTagsAreSkipped(t *testing.T) {
	e := randomEntry(rand.New(rand.NewPCG(9, 10)))
	b, at := openLength(nil)
	b = putText(putNumber(b, 1000, 7), 1001, "from a later version")
	b = appendEntry(b, e, false)
	b = putNumber(b, 1002, 1)
	closeLength(b, at)
	fields, _, err := splitRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	var r Record
	if err := decodeRecord(string(fields), &r, nil); err != nil {
		t.Fatal(err)
	}
	if d := diffEntries(e, &r.Entry); d != "" {
		t.Error(d)
	}
}

func FuzzRecord(f *testing.F) {
	rng := rand.New(rand.NewPCG(11, 12))
	f.Add(appendRecord(nil, KindEntry, randomEntry(rng), &[2][]partRef{{{1, 2, 3}}, {{4, 5, 6}, {4, 9, 1}}}, false))
	f.Add(appendRecord(nil, KindEntry, randomEntry(rng), nil, true))
	f.Add(appendRecord(nil, KindOpen, &sluice.LogEntry{}, nil, false))
	f.Fuzz(func(t *testing.T, in []byte) {
		fields, _, err := splitRecord(in)
		if err != nil {
			return
		}
		where := func(block uint64) (uint64, uint32) { return block >> 32, uint32(block) }
		var r, again Record
		if decodeRecord(string(fields), &r, where) != nil {
			return
		}
		// What was understood is written so that it is understood the same way.
		b := AppendEntry(nil, &r.Entry)
		if err := DecodeEntry(b, &again.Entry); err != nil {
			t.Fatal(err)
		}
		if b2 := AppendEntry(nil, &again.Entry); string(b) != string(b2) {
			t.Errorf("read %+v, then %+v", r.Entry, again.Entry)
		}
	})
}
