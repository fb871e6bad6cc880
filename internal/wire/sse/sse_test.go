package sse_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/sse"
)

// event is what a collector puts together.
type event struct{ Event, Data string }

type collector struct {
	data   []byte
	events []event
	pieces int
}

func (c *collector) Data(p []byte) {
	if len(p) == 0 {
		panic("an empty piece")
	}
	c.data = append(c.data, p...)
	c.pieces++
}

func (c *collector) End(name []byte) {
	c.events = append(c.events, event{string(name), string(c.data)})
	c.data = c.data[:0]
}

// split feeds in in pieces of n bytes.
func split(in []byte, n int) []event {
	var s sse.Splitter
	var c collector
	for len(in) > 0 {
		piece := bytes.Clone(in[:min(n, len(in))])
		s.Write(piece, &c)
		for i := range piece {
			piece[i] = '!'
		}
		in = in[len(piece):]
	}
	s.Close(&c)
	return c.events
}

// reference is the algorithm of the standard, line by line, for a whole stream; the last event needs no
// blank line.
func reference(in []byte) []event {
	text := strings.TrimPrefix(string(in), "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var events []event
	var name string
	var data []string
	dispatch := func() {
		if data != nil {
			events = append(events, event{name, strings.Join(data, "\n")})
		}
		name, data = "", nil
	}
	for _, line := range strings.Split(text, "\n") {
		if line == "" {
			dispatch()
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data = append(data, value)
		case "event":
			name = value[:min(len(value), sse.MaxName)]
		}
	}
	dispatch()
	return events
}

func TestEdgeCases(t *testing.T) {
	const dir = "../testdata/examples/generic/"
	in, err := os.ReadFile(dir + "sse-edge-cases.sse")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dir + "sse-edge-cases.expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []event
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		want[i].Event = strings.TrimPrefix(want[i].Event, "message") // the standard's word for no name
	}
	// The last one is not closed by a blank line: a tolerant reader takes it.
	want = append(want, event{"", `{"unfinished":true}`})
	for n := 1; n <= len(in); n++ {
		if got := split(in, n); !slices.Equal(got, want) {
			t.Fatalf("in pieces of %d: %q, want %q", n, got, want)
		}
	}
}

func TestSplitter(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     []event
	}{
		{"nothing", "", nil},
		{"blank lines and comments are no events", "\n\n: hi\n\r\n:\n\n", nil},
		{"a name alone is no event", "event: x\n\n", nil},
		{"empty data is an event", "data:\n\ndata\n\n", []event{{"", ""}, {"", ""}}},
		{"one space goes", "data:  x \n\n", []event{{"", " x "}}},
		{"lines are joined", "data: a\ndata\ndata:b\n\n", []event{{"", "a\n\nb"}}},
		{"the last name holds", "event: a\ndata: x\nevent:b\n\ndata: y\n\n", []event{{"b", "x"}, {"", "y"}}},
		{"CR", "event: a\rdata: x\r\rdata: y\r\r", []event{{"a", "x"}, {"", "y"}}},
		{"CRLF", "event: a\r\ndata: x\r\n\r\ndata: y\r\n\r\n", []event{{"a", "x"}, {"", "y"}}},
		{"no line end at all", "data: x", []event{{"", "x"}}},
		{"a nameless field at the end", "data: x\ndata", []event{{"", "x\n"}}},
		{"a colon at the end", "data:", []event{{"", ""}}},
		{"a mark", "\ufeffdata: x\n\n", []event{{"", "x"}}},
		{"half a mark spoils its line", "\xef\xbbdata: x\ndata: y\n\n", []event{{"", "y"}}},
		{"a second mark is not skipped", "\ufeff\ufeffdata: x\ndata: y\n\n", []event{{"", "y"}}},
		{"long names are no fields", "database: x\ndat: x\nevents: x\ndata : x\n\n", nil},
		{
			"names are cut", "event: " + strings.Repeat("n", 1000) + "\ndata: x\n\n",
			[]event{{strings.Repeat("n", sse.MaxName), "x"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for n := 1; n <= len(c.in)+1; n++ {
				if got := split([]byte(c.in), n); !slices.Equal(got, c.want) {
					t.Fatalf("in pieces of %d: %q, want %q", n, got, c.want)
				}
			}
			if ref := reference([]byte(c.in)); !slices.Equal(ref, c.want) {
				t.Errorf("the reference says %q", ref)
			}
		})
	}
}

func TestEventsOfAnySizeAreNotKept(t *testing.T) {
	var s sse.Splitter
	c := counter{}
	s.Write([]byte("data: "), &c)
	piece := bytes.Repeat([]byte("x"), 1<<16)
	for range 256 {
		s.Write(piece, &c)
	}
	s.Write([]byte("\n\n"), &c)
	if c.bytes != 256<<16 || c.events != 1 {
		t.Errorf("%d bytes in %d events", c.bytes, c.events)
	}
	small := []byte("event: e\ndata: x\ndata: y\n\n: c\n\n")
	s.Write(small, &c)
	if n := testing.AllocsPerRun(100, func() {
		s.Write(small, &c)
		s.Write(piece, &c)
		s.Write(small[len(small)-1:], &c)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

type counter struct{ bytes, events int }

func (c *counter) Data(p []byte) { c.bytes += len(p) }
func (c *counter) End([]byte)    { c.events++ }

func FuzzSplitter(f *testing.F) {
	for _, in := range []string{
		"data: x\n\n", "event: a\r\ndata: {}\r\n\r\n", "\ufeff: c\rdata:x\rdata\r\r", "event\ndata: a\nid: 7\nretry: 1\n\n", "data: [DONE]",
	} {
		f.Add([]byte(in), 1)
	}
	in, err := os.ReadFile("../testdata/examples/generic/sse-edge-cases.sse")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(in, 5)
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		want := reference(in)
		for _, n := range []int{len(in) + 1, 1, 1 + int(uint(n)%50)} {
			if got := split(in, n); !slices.Equal(got, want) {
				t.Fatalf("in pieces of %d: %q, want %q", n, got, want)
			}
		}
	})
}

func BenchmarkSplitter(b *testing.B) {
	event := []byte("event: response.output_text.delta\n" + fmt.Sprintf("data: {\"delta\":%q}\n\n", strings.Repeat("x", 150)))
	var s sse.Splitter
	var c counter
	b.SetBytes(int64(len(event)))
	b.ReportAllocs()
	for b.Loop() {
		s.Write(event, &c)
	}
}
