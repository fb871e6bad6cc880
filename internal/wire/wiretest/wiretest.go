// Package wiretest proves what wire.Meter promises, for any meter: that the cut of the bytes does not
// matter.
package wiretest

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

// Read feeds body to m in pieces of n bytes and returns its reading.
func Read(m wire.Meter, body []byte, n int) wire.Reading {
	w := writer{m: m}
	for len(body) > 0 {
		piece := body[:min(n, len(body))]
		w.write(piece)
		body = body[len(piece):]
	}
	return m.Close()
}

// writer hands a meter copies that are overwritten afterwards, because a Meter must not keep them.
type writer struct {
	m    wire.Meter
	copy []byte
}

func (w *writer) write(p []byte) {
	w.copy = append(w.copy[:0], p...)
	w.m.Write(w.copy)
	for i := range w.copy {
		w.copy[i] = '!'
	}
}

// Cuts reads body with meters made by open: whole, byte by byte, and cut in two at every byte, or at four
// thousand of them when it is long. All must read the same, which is returned. What was seen never
// becomes unseen.
func Cuts(t *testing.T, open func() wire.Meter, body []byte) wire.Reading {
	t.Helper()
	want := Read(open(), body, len(body))
	if got := Read(open(), body, 1); !got.Equal(&want) {
		t.Errorf("byte by byte: %+v, whole: %+v", got, want)
	}
	cuts, cut := min(len(body), 4096), func(i int) int { return i }
	if len(body) > cuts {
		r := rand.New(rand.NewPCG(uint64(len(body)), 0))
		cut = func(int) int { return r.IntN(len(body)) }
	}
	w := writer{copy: make([]byte, 0, len(body))}
	for i := range cuts {
		at, m := cut(i), open()
		w.m = m
		w.write(body[:at])
		seen := m.Seen()
		w.write(body[at:])
		got := m.Close()
		if !got.Equal(&want) {
			t.Fatalf("cut at %d: %+v, whole: %+v", at, got, want)
		}
		if seen&^got.Seen != 0 {
			t.Fatalf("cut at %d: saw %b, in the end %b", at, seen, got.Seen)
		}
	}
	return want
}

// Example is a recorded answer, with what a correct reader gets out of it: an entry of
// internal/wire/testdata/examples/manifest.json.
type Example struct {
	File     string
	Provider string
	Endpoint string
	Kind     string
	Status   int
	Headers  map[string]string
	Expect   struct {
		Usage       *map[string]int64
		SearchUnits *int64   `json:"search_units"`
		Seconds     *float64 // of hardware or speech; what only shows (GET) does not count them
		Error       json.RawMessage
		Text        string
		Finish      *string `json:"finish_reason"`
	}
	Body []byte `json:"-"`
}

// Examples returns the answers of the given providers. dir is the directory of the examples.
func Examples(t testing.TB, dir string, providers ...string) []Example {
	t.Helper()
	text, err := os.ReadFile(dir + "/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Fixtures []Example }
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	var chosen []Example
	for _, e := range manifest.Fixtures {
		for _, p := range providers {
			if e.Provider == p {
				if e.Body, err = os.ReadFile(dir + "/" + e.File); err != nil {
					t.Fatal(err)
				}
				chosen = append(chosen, e)
			}
		}
	}
	if len(chosen) == 0 {
		t.Fatalf("no examples of %q", providers)
	}
	return chosen
}

// Expected reads the examples of the given providers with meters made by open, which takes an endpoint,
// and compares with what the examples expect.
func Expected(t *testing.T, open func(endpoint string) Open, dir string, providers ...string) {
	t.Helper()
	for _, e := range Examples(t, dir, providers...) {
		t.Run(e.File, func(t *testing.T) {
			r := Cuts(t, func() wire.Meter { return e.headed(open(e.Endpoint)(true)) }, e.Body)
			if other := Read(e.headed(open(e.Endpoint)(false)), e.Body, 100); !other.Equal(&r) {
				t.Errorf("it depends on what was asked for: %+v, %+v", r, other)
			}
			if e.Expect.Usage != nil {
				Usage(t, r.Usage, *e.Expect.Usage)
			} else {
				e.units(t, r.Usage)
			}
			failed := e.Kind == "error" || e.Expect.Error != nil
			if failed != (r.Seen&wire.SeenError != 0) || failed != (r.Error != "") {
				t.Errorf("error %q, want one: %t", r.Error, failed)
			}
			if e.Expect.Text != "" && r.Seen&wire.SeenContent == 0 {
				t.Error("no content seen")
			}
			if e.Expect.Finish != nil && (r.Finish == "" || r.Seen&wire.SeenEnd == 0) {
				t.Errorf("finish %q, seen %b; want %q and an end", r.Finish, r.Seen, *e.Expect.Finish)
			}
		})
	}
}

// headed shows m the example's head, if it reads one.
func (e *Example) headed(m wire.Meter) wire.Meter {
	if h, ok := m.(wire.HeadReader); ok {
		var head sluice.Header
		for name, value := range e.Headers {
			head = append(head, sluice.Field{Name: name, Value: value})
		}
		h.Head(head)
	}
	return m
}

// units checks that got counts what is no token, and nothing else, as the example expects.
func (e *Example) units(t *testing.T, got sluice.Usage) {
	t.Helper()
	var want sluice.Usage
	if n := e.Expect.SearchUnits; n != nil {
		want.Set(sluice.SearchUnits, *n)
	}
	if s := e.Expect.Seconds; s != nil && !strings.HasPrefix(e.Endpoint, "GET ") {
		want.Set(sluice.Milliseconds, int64(math.Round(*s*1000)))
	}
	if want.Known() {
		want.Basis = sluice.BasisProvider
	}
	if got != want {
		t.Errorf("usage %+v where there is %+v", got, want)
	}
}

// Usage compares a reading with the usage that an example expects. There, counts that the wire does not
// have stand as 0: unknown will do for them.
func Usage(t *testing.T, got sluice.Usage, want map[string]int64) {
	t.Helper()
	n := func(c sluice.Class) int64 {
		v, known := got.Get(c)
		if !known && v != 0 {
			t.Errorf("%v is unknown and %d", c, v)
		}
		return v
	}
	writes := n(sluice.CacheWrite5m) + n(sluice.CacheWrite1h)
	have := map[string]int64{
		"input_total": n(sluice.Input), "output": n(sluice.Output), "cache_read": n(sluice.CacheRead), "cache_write": writes,
		"cache_write_5m": n(sluice.CacheWrite5m), "cache_write_1h": n(sluice.CacheWrite1h), "reasoning": n(sluice.Reasoning),
		"audio_input": n(sluice.AudioIn), "image_input": n(sluice.ImageIn),
		"billed_input": n(sluice.BilledInput), "billed_output": n(sluice.BilledOutput),
		"input_uncached": n(sluice.Input) - n(sluice.CacheRead) - writes,
	}
	for name, want := range want {
		if v, known := have[name]; !known || v != want {
			t.Errorf("%s is %d, want %d", name, v, want)
		}
	}
	if got.Basis != sluice.BasisProvider {
		t.Errorf("basis %v", got.Basis)
	}
}
