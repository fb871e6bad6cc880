package wiretest

import (
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// Open makes a meter; stream says whether the request asked for a stream.
type Open = func(stream bool) wire.Meter

// Fuzz feeds anything, beginning with the seeds, to meters made by each of opens. See Any.
func Fuzz(f *testing.F, seeds [][]byte, opens ...Open) {
	for i, in := range seeds {
		f.Add(in, i)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		for i, open := range opens {
			if !Any(t, open, in, n) {
				t.Errorf("with meter %d", i)
			}
		}
	})
}

// Any reads a body of any bytes, whole and in pieces whose size n tells, and reports whether it is well:
// both read the same, only reported usage is called final, and an error's text is bounded.
func Any(t *testing.T, open Open, in []byte, n int) bool {
	piece, stream := 1+int(uint(n)%64), n%2 == 0
	whole := Read(open(stream), in, len(in)+1)
	if got := Read(open(stream), in, piece); !got.Equal(&whole) {
		t.Errorf("in pieces of %d: %+v, whole: %+v", piece, got, whole)
		return false
	}
	if whole.Seen&wire.SeenUsage != 0 && whole.Usage.Basis != sluice.BasisProvider || len(whole.Error) > 1024 ||
		len(whole.Charges) > sluice.MaxCharges {
		t.Errorf("%+v", whole)
		return false
	}
	return true
}

// NoMemory checks that events of a stream cost none once they have come before, whole or cut in two. Each
// is at least 30 bytes long.
func NoMemory(t *testing.T, open Open, events ...[]byte) {
	t.Helper()
	m := open(true)
	pass := func() {
		for _, event := range events {
			m.Write(event)
			m.Write(event[:30])
			m.Write(event[30:])
		}
	}
	pass()
	if n := testing.AllocsPerRun(100, pass); n != 0 {
		t.Errorf("%v allocations for each pass", n)
	}
}

// Events measures what an event of a stream costs, with all that a stream costs beside it. event makes the
// i-th of a thousand.
func Events(b *testing.B, open Open, event func(i int) []byte) {
	b.Helper()
	var events [1000][]byte
	for i := range events {
		events[i] = event(i)
	}
	b.ReportAllocs()
	i, m := len(events), wire.Meter(nil)
	for b.Loop() {
		if i == len(events) {
			i, m = 0, open(true)
		}
		m.Write(events[i])
		i++
	}
}
