package inflate_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
	"github.com/sluicehq/sluice/internal/wire/inflate"
	"github.com/sluicehq/sluice/internal/wire/openai"
	"github.com/sluicehq/sluice/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// probe is a meter that remembers what it is given. Its usage counts the bytes; it is final when the
// last byte is a full stop.
type probe struct{ got []byte }

func (p *probe) Write(b []byte) { p.got = append(p.got, b...) }
func (p *probe) Seen() wire.Sighting {
	if bytes.HasSuffix(p.got, []byte(".")) {
		return wire.SeenUsage
	}
	return 0
}

func (p *probe) Close() wire.Reading {
	r := wire.Reading{Seen: p.Seen()}
	r.Usage.Set(sluice.Input, int64(len(p.got)))
	return r
}

type flusher interface {
	io.WriteCloser
	Flush() error
}

// encoders make writers by Content-Encoding. "raw" is deflate as some servers get it wrong.
func encoders() map[string]func(io.Writer) flusher {
	return map[string]func(io.Writer) flusher{
		"gzip":    func(w io.Writer) flusher { return gzip.NewWriter(w) },
		"deflate": func(w io.Writer) flusher { return zlib.NewWriter(w) },
		"raw": func(w io.Writer) flusher {
			f, err := flate.NewWriter(w, 5)
			if err != nil {
				panic(err)
			}
			return f
		},
		"br": func(w io.Writer) flusher { return brotli.NewWriter(w) },
		"zstd": func(w io.Writer) flusher {
			z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
			if err != nil {
				panic(err)
			}
			return z
		},
	}
}

func encode(coding string, body []byte) []byte {
	var b bytes.Buffer
	w := encoders()[coding](&b)
	if _, err := w.Write(body); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func header(coding string) string { return strings.Replace(coding, "raw", "deflate", 1) }

func prose(n int) []byte {
	r, b := rand.New(rand.NewPCG(3, 4)), &bytes.Buffer{}
	for b.Len() < n {
		fmt.Fprintf(b, "%x ", r.Uint64()>>(r.IntN(16)*4))
	}
	return append(b.Bytes()[:n-1], '.')
}

// read decodes in pieces of n bytes.
func read(t *testing.T, encoding string, in []byte, n int) (wire.Reading, []byte) {
	t.Helper()
	var p probe
	m, ok := inflate.Meter(encoding, &p)
	if !ok {
		t.Fatalf("%q is not read", encoding)
	}
	return wiretest.Read(m, in, n), p.got
}

func TestMeterSeesDecodedBytes(t *testing.T) {
	for coding := range encoders() {
		for _, size := range []int{1, 100, 40_000} {
			body := prose(size)
			in := encode(coding, body)
			for _, n := range []int{1, 7, 1000, len(in)} {
				if size > 1000 && n == 1 {
					continue // slow, and nothing new
				}
				if r, got := read(t, header(coding), in, n); !bytes.Equal(got, body) || !r.Usage.Known() {
					t.Errorf("%s, %d bytes in pieces of %d: %d bytes, %+v", coding, size, n, len(got), r)
				}
			}
		}
	}
}

func TestNamesOfEncodings(t *testing.T) {
	body := prose(500)
	gz := encode("gzip", body)
	for encoding, in := range map[string][]byte{
		"": body, "identity": body, " Identity , ": body, "GZIP": gz, "x-gzip": gz, "gzip, identity": gz,
		"gzip, br": encode("br", gz), "br,gzip": encode("gzip", encode("br", body)),
		"gzip, gzip ,zstd": encode("zstd", encode("gzip", gz)),
	} {
		if _, got := read(t, encoding, in, 3); !bytes.Equal(got, body) {
			t.Errorf("%q: %d bytes", encoding, len(got))
		}
	}
	for _, encoding := range []string{"compress", "gzip, rot13", "aws-chunked,gzip", "gzip,gzip,gzip,gzip"} {
		var p probe
		m, ok := inflate.Meter(encoding, &p)
		if r := wiretest.Read(m, gz, 3); ok || !r.Equal(&wire.Reading{}) || p.got != nil {
			t.Errorf("%q is read: %t, %+v", encoding, ok, r)
		}
	}
}

func TestEventsArriveWhenTheirFlushHasCome(t *testing.T) {
	for _, coding := range []string{"gzip", "deflate", "raw"} {
		var sent bytes.Buffer
		w := encoders()[coding](&sent)
		var p probe
		m, _ := inflate.Meter(header(coding), &p)
		var want []byte
		for i := range 200 {
			event := fmt.Appendf(nil, "data: {\"n\":%d,\"pad\":%q}\n\n", i, strings.Repeat("x", i))
			want = append(want, event...)
			if _, err := w.Write(event); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			m.Write(sent.Next(sent.Len()))
			if !bytes.Equal(p.got, want) {
				t.Fatalf("%s: after event %d %d bytes are there, want %d", coding, i, len(p.got), len(want))
			}
		}
		if r := m.Close(); r.Usage.Basis != 0 || !r.Usage.Known() {
			t.Errorf("%s: a cut stream reads %+v", coding, r)
		}
	}
}

func TestCutAnswersKeepWhatWasRead(t *testing.T) {
	for coding := range encoders() {
		body := prose(300_000)
		in := encode(coding, body)
		r, got := read(t, header(coding), in[:len(in)-5], 1000)
		if !bytes.HasPrefix(body, got) || !r.Usage.Known() {
			t.Errorf("%s: %d bytes, %+v", coding, len(got), r)
		}
		if coding != "zstd" && len(got) < len(body)/2 {
			t.Errorf("%s: only %d of %d bytes", coding, len(got), len(body))
		}
	}
}

func TestBrokenBytesLeaveUsageUnknown(t *testing.T) {
	for coding := range encoders() {
		in := encode(coding, prose(100_000))
		for i := len(in) / 3; i < len(in)/3+100; i++ {
			in[i] ^= 0x5a
		}
		if r, _ := read(t, header(coding), in, 1000); r.Usage.Known() {
			t.Errorf("%s: %+v", coding, r)
		}
		if r, _ := read(t, header(coding), []byte("surely this is not encoded at all"), 5); r.Usage.Known() && coding != "br" {
			t.Errorf("%s: plain text reads %+v", coding, r)
		}
	}
}

func TestFinalUsageSurvivesBrokenBytes(t *testing.T) {
	var sent bytes.Buffer
	w := gzip.NewWriter(&sent)
	if _, err := w.Write(prose(99)); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if r, _ := read(t, "gzip", append(sent.Bytes(), 0xff, 0xff, 0xff), 10); !r.Usage.Known() {
		t.Errorf("%+v", r)
	}
}

func TestGzipForms(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Name, w.Comment, w.Extra = "name", "comment", []byte("extra")
	if _, err := w.Write([]byte("one ")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	two := append(b.Bytes(), encode("gzip", []byte("two."))...)
	for name, in := range map[string][]byte{
		"two members": two, "zeros behind": append(bytes.Clone(two), make([]byte, 100)...), "one zero behind": append(bytes.Clone(two), 0),
	} {
		for _, n := range []int{1, 1000} {
			if r, got := read(t, "gzip", in, n); string(got) != "one two." || !r.Usage.Known() {
				t.Errorf("%s: %q, %+v", name, got, r)
			}
		}
	}
	wrong := bytes.Clone(encode("gzip", []byte("sum")))
	wrong[len(wrong)-6] ^= 1
	if r, _ := read(t, "gzip", wrong, 100); r.Usage.Known() {
		t.Errorf("a wrong sum reads %+v", r)
	}
}

// sizer is a meter that only counts.
type sizer struct{ n int64 }

func (s *sizer) Write(b []byte)      { s.n += int64(len(b)) }
func (s *sizer) Seen() wire.Sighting { return 0 }
func (s *sizer) Close() wire.Reading {
	var r wire.Reading
	r.Usage.Set(sluice.Input, s.n)
	return r
}

func TestBombsAreBounded(t *testing.T) {
	for coding, open := range encoders() {
		var b bytes.Buffer
		w, zeros := open(&b), make([]byte, 1<<20)
		for range 20 {
			if _, err := w.Write(zeros); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var s sizer
		m, _ := inflate.Meter(header(coding), &s)
		r := wiretest.Read(m, b.Bytes(), 1000)
		if limit := int64(inflate.MaxDecoded + 33*b.Len() + 1<<20); s.n > limit || r.Usage.Known() {
			t.Errorf("%s: %d bytes became %d, %+v", coding, b.Len(), s.n, r)
		}
	}
}

func TestLargeAnswersAreNotKept(t *testing.T) {
	noise := make([]byte, inflate.MaxKept+1)
	r := rand.NewChaCha8([32]byte{})
	r.Read(noise)
	if r, got := read(t, "zstd", encode("zstd", noise), 1<<16); got != nil || r.Usage.Known() {
		t.Errorf("%d bytes, %+v", len(got), r)
	}
	if r, got := read(t, "zstd", encode("zstd", noise[:inflate.MaxKept-1000]), 1<<16); got == nil || !r.Usage.Known() {
		t.Errorf("just below the bound: %d bytes, %+v", len(got), r)
	}
}

func TestMemoryOfAStream(t *testing.T) {
	in := encode("gzip", prose(200_000))
	const streams = 100
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var open [streams]wire.Meter
	for i := range open {
		open[i], _ = inflate.Meter("gzip", openai.Chat(true))
		open[i].Write(in[:len(in)/2])
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc+after.StackInuse) - int64(before.HeapAlloc+before.StackInuse)) / streams
	t.Logf("%d bytes for each stream", each)
	if each > 64<<10 {
		t.Errorf("%d bytes for each stream", each)
	}
	for _, m := range open {
		m.Close()
	}
}

// FuzzMeter decodes anything, in two cuts.
func FuzzMeter(f *testing.F) {
	for coding := range encoders() {
		f.Add(header(coding), encode(coding, prose(300)), 10)
	}
	f.Add("gzip, br", encode("br", encode("gzip", []byte("stacked."))), 3)
	f.Fuzz(func(t *testing.T, encoding string, in []byte, n int) {
		var whole, split probe
		a, okA := inflate.Meter(encoding, &whole)
		b, okB := inflate.Meter(encoding, &split)
		ra, rb := wiretest.Read(a, in, len(in)+1), wiretest.Read(b, in, 1+int(uint(n)%100))
		if okA != okB || !ra.Equal(&rb) || !bytes.Equal(whole.got, split.got) {
			t.Errorf("whole %+v, split %+v, %d and %d bytes", ra, rb, len(whole.got), len(split.got))
		}
	})
}

// FuzzRoundTrip decodes what was encoded.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("some text."), 3)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		for coding := range encoders() {
			if _, got := read(t, header(coding), encode(coding, body), 1+int(uint(n)%100)); !bytes.Equal(got, body) && coding != "raw" {
				t.Errorf("%s: %q became %q", coding, body, got)
			}
		}
	})
}

func BenchmarkGzipEvent(b *testing.B) {
	var sent bytes.Buffer
	w := gzip.NewWriter(&sent)
	var pieces [][]byte
	for i := range 2000 {
		fmt.Fprintf(w, "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1795340001,\"model\":\"gpt-4o-mini\","+
			"\"choices\":[{\"index\":0,\"delta\":{\"content\":\" %d\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n", i)
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
		pieces = append(pieces, bytes.Clone(sent.Next(sent.Len())))
	}
	b.ReportAllocs()
	i, m := len(pieces), wire.Meter(nil)
	for b.Loop() {
		if i == len(pieces) {
			if m != nil {
				m.Close()
			}
			i, m = 0, nil
			m, _ = inflate.Meter("gzip", &sizer{})
		}
		m.Write(pieces[i])
		i++
	}
	m.Close()
}
