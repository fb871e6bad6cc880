package eventstream_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/internal/wire/eventstream"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

const examples = "../testdata/examples/aws-bedrock"

// message is a message that is kept.
type message struct {
	kind, event, payload string
	cut                  bool
}

type messages []message

func (ms *messages) Message(m eventstream.Message) {
	*ms = append(*ms, message{string(m.Header(":message-type")), string(m.Header(":event-type")), string(m.Payload), m.Cut})
}

// read splits b, written in pieces of n bytes that are overwritten behind.
func read(b []byte, n int) (ms messages, broken bool) {
	var s eventstream.Splitter
	for len(b) > 0 {
		piece := bytes.Clone(b[:min(n, len(b))])
		s.Write(piece, &ms)
		clear(piece)
		b = b[min(n, len(b)):]
	}
	return ms, s.Broken()
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob(examples + "/*.bin")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := os.ReadFile(strings.TrimSuffix(file, ".bin") + ".frames.json")
		if err != nil {
			t.Fatal(err)
		}
		var want []struct {
			Headers map[string]string
			Payload json.RawMessage
		}
		if err := json.Unmarshal(decoded, &want); err != nil {
			t.Fatal(err)
		}
		for n := range 33 {
			if n == 0 {
				n = len(b)
			}
			got, broken := read(b, n)
			if len(got) != len(want) || broken {
				t.Fatalf("%s in pieces of %d: %d messages, broken %t; want %d", file, n, len(got), broken, len(want))
			}
			for i, m := range got {
				if m.kind != want[i].Headers[":message-type"] || m.event != want[i].Headers[":event-type"] || !same(m.payload, string(want[i].Payload)) {
					t.Errorf("%s: got %+v, want %+v", file, m, want[i])
				}
			}
		}
	}
}

// same compares JSON texts.
func same(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func TestHeadersOfAllTypes(t *testing.T) {
	var headers []byte
	for kind, value := range []string{"", "", "1", "12", "1234", "12345678", "\x00\x03abc", "\x00\x02de", "12345678", "1234567890123456"} {
		headers = append(append(headers, 1, byte('a'+kind), byte(kind)), value...)
	}
	headers = append(headers, wiretest.FrameHeaders(":event-type", "x")...)
	headers = append(headers, wiretest.FrameHeaders(":event-type", "second")...)
	var s eventstream.Splitter
	called := false
	s.Write(wiretest.Frame(headers, nil), handler(func(m eventstream.Message) {
		called = true
		for name, want := range map[string]string{"h": "de", ":event-type": "x", "a": "", "g": "", "none": ""} {
			if got := string(m.Header(name)); got != want {
				t.Errorf("header %q is %q, want %q", name, got, want)
			}
		}
	}))
	if !called {
		t.Error("no message")
	}
}

type handler func(m eventstream.Message)

func (h handler) Message(m eventstream.Message) { h(m) }

func TestFaultsEndTheReading(t *testing.T) {
	good := wiretest.Frame(wiretest.FrameHeaders(":event-type", "x"), []byte(`{}`))
	long := binary.BigEndian.AppendUint32(nil, eventstream.MaxFrame+1)
	long = binary.BigEndian.AppendUint32(long, 0)
	long = binary.BigEndian.AppendUint32(long, crc32.ChecksumIEEE(long))
	short := binary.BigEndian.AppendUint32(nil, 15)
	short = binary.BigEndian.AppendUint32(short, 0)
	short = binary.BigEndian.AppendUint32(short, crc32.ChecksumIEEE(short))
	overlap := binary.BigEndian.AppendUint32(nil, 32)
	overlap = binary.BigEndian.AppendUint32(overlap, 17)
	overlap = binary.BigEndian.AppendUint32(overlap, crc32.ChecksumIEEE(overlap))
	for name, bad := range map[string][]byte{
		"text":                   []byte("data: {\"error\":1}\n\n"),
		"a frame too long":       long,
		"a frame too short":      append(short, 0, 0, 0),
		"headers over the end":   append(overlap, make([]byte, 20)...),
		"too many headers":       wiretest.Frame(make([]byte, eventstream.MaxHeaders+1), nil),
		"a header without name":  wiretest.Frame([]byte{0, 7, 0, 0}, nil),
		"a header of type 10":    wiretest.Frame([]byte{1, 'a', 10}, nil),
		"a name over the end":    wiretest.Frame([]byte{9, 'a', 0}, nil),
		"a value over the end":   wiretest.Frame([]byte{1, 'a', 7, 0, 9, 'x'}, nil),
		"a length over the end":  wiretest.Frame([]byte{1, 'a', 7, 0}, nil),
		"a number over the end":  wiretest.Frame([]byte{1, 'a', 5, 0}, nil),
		"a name without a value": wiretest.Frame([]byte{1, 'a'}, nil),
	} {
		in := slices.Concat(good, bad, good)
		for _, n := range []int{1, 7, len(good) + 1, len(in)} {
			if got, broken := read(in, n); len(got) != 1 || !broken {
				t.Errorf("%s, in pieces of %d: %d messages, broken %t", name, n, len(got), broken)
			}
		}
	}
}

func TestNoFlippedBitPasses(t *testing.T) {
	b, err := os.ReadFile(examples + "/converse-stream.bin")
	if err != nil {
		t.Fatal(err)
	}
	want, _ := read(b, len(b))
	for i := range b {
		in := bytes.Clone(b)
		in[i] ^= 1 << (i % 8)
		got, _ := read(in, len(in))
		if len(got) >= len(want) || !slices.Equal(got, want[:len(got)]) {
			t.Fatalf("with byte %d changed: %d messages", i, len(got))
		}
		if split, _ := read(in, 13); !slices.Equal(split, got) {
			t.Fatalf("with byte %d changed, in pieces: %d messages, whole: %d", i, len(split), len(got))
		}
	}
}

func TestLongPayloadsAreCut(t *testing.T) {
	for _, c := range []struct {
		n   int
		cut bool
	}{{eventstream.MaxPayload, false}, {eventstream.MaxPayload + 1, true}, {eventstream.MaxPayload + 100_000, true}} {
		in := append(wiretest.Frame(wiretest.FrameHeaders(":event-type", "x"), bytes.Repeat([]byte("y"), c.n)), wiretest.Frame(nil, []byte("z"))...)
		for _, n := range []int{4096, 100_001, len(in)} {
			got, broken := read(in, n)
			if broken || len(got) != 2 || got[0].cut != c.cut || len(got[0].payload) != eventstream.MaxPayload || got[1] != (message{payload: "z"}) {
				t.Errorf("%d bytes in pieces of %d: %d messages", c.n, n, len(got))
			}
		}
	}
}

func TestPiecesOfAFrameCostNoMemory(t *testing.T) {
	b := wiretest.Frame(wiretest.FrameHeaders(":event-type", "x"), []byte(`{"delta":{"text":"x"}}`))
	var s eventstream.Splitter
	h := handler(func(eventstream.Message) {})
	s.Write(b[:20], h)
	s.Write(b[20:], h)
	if n := testing.AllocsPerRun(100, func() {
		s.Write(b[:9], h)
		s.Write(b[9:30], h)
		s.Write(b[30:], h)
		s.Write(b, h)
	}); n != 0 || s.Broken() {
		t.Errorf("%v allocations, broken %t", n, s.Broken())
	}
}

// FuzzSplitter feeds anything, whole and in pieces.
func FuzzSplitter(f *testing.F) {
	files, _ := filepath.Glob(examples + "/*.bin")
	for i, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, i)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		whole, broken := read(in, len(in)+1)
		split, brokenToo := read(in, 1+int(uint(n)%64))
		if !slices.Equal(whole, split) || broken != brokenToo {
			t.Errorf("whole %+v %t, split %+v %t", whole, broken, split, brokenToo)
		}
	})
}

// FuzzFrame makes frames of anything, so that what is behind the checksums is fuzzed too.
func FuzzFrame(f *testing.F) {
	f.Add(wiretest.FrameHeaders(":event-type", "chunk"), []byte(`{"bytes":"`+base64.StdEncoding.EncodeToString([]byte(`{}`))+`"}`), 5)
	f.Add([]byte{1, 'a', 7, 0, 9, 'x'}, []byte{}, 1)
	f.Fuzz(func(t *testing.T, headers, payload []byte, n int) {
		in := wiretest.Frame(headers, payload)
		in = append(in, wiretest.Frame(wiretest.FrameHeaders("n", "v"), payload)...)
		whole, broken := read(in, len(in))
		split, brokenToo := read(in, 1+int(uint(n)%64))
		if !slices.Equal(whole, split) || broken != brokenToo || broken != (len(whole) == 0) {
			t.Errorf("whole %+v %t, split %+v %t", whole, broken, split, brokenToo)
		}
	})
}

// BenchmarkFrame is the cost of one frame of a stream.
func BenchmarkFrame(b *testing.B) {
	in := wiretest.Frame(wiretest.FrameHeaders(":event-type", "contentBlockDelta", ":content-type", "application/json", ":message-type", "event"),
		[]byte(`{"contentBlockIndex":0,"delta":{"text":" some words"},"p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"}`))
	var s eventstream.Splitter
	h := handler(func(m eventstream.Message) { m.Header(":message-type") })
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		s.Write(in, h)
	}
}
