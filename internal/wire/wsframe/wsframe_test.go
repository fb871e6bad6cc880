package wsframe

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// record notes what a Watcher tells. Pieces of a text are joined: their cuts are the bytes'.
type record struct {
	b      strings.Builder
	text   []byte
	refuse int // the frame of this number, from 1; 0: none
	frames int
}

var errRefused = errors.New("refused")

func (r *record) Frame(f Frame) error {
	if r.frames++; r.frames == r.refuse {
		return errRefused
	}
	fmt.Fprintf(&r.b, "frame %d fin=%v %d of %d text=%v\n", f.Op, f.Fin, f.Length, f.Message, f.Text)
	return nil
}

func (r *record) Data(p []byte) {
	if len(p) == 0 {
		r.b.WriteString("an empty piece\n")
	}
	r.text = append(r.text, p...)
}

func (r *record) End(text bool) {
	kind := map[bool]string{true: "text", false: "bytes"}[text]
	fmt.Fprintf(&r.b, "%s %q\n", kind, r.text)
	r.text = r.text[:0]
}

func (r *record) Closing(code int, reason []byte) { fmt.Fprintf(&r.b, "close %d %q\n", code, reason) }

// watch feeds in to a Watcher in cuts of n bytes, as a relay does that holds back headers that are not
// whole. It returns what was told, what the relay would have passed on, and the error.
func watch(in []byte, n int, masked bool, refuse int) (told string, passed int, between bool, err error) {
	w := Watcher{Masked: masked}
	r := record{refuse: refuse}
	took := 0
	for took < len(in) && err == nil {
		piece := in[took:min(took+n, len(in))]
		var t int
		if t, err = w.Write(piece, &r); err == nil && t != len(piece) {
			r.b.WriteString("bytes were left\n")
		}
		took += t
		passed = took - w.Pending()
	}
	if err != nil {
		if again, e := w.Write([]byte("x"), &r); again != 0 || !errors.Is(e, err) {
			r.b.WriteString("it went on behind an error\n")
		}
	}
	return r.b.String() + string(r.text), passed, w.Between(), err
}

func frames(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestWatcher(t *testing.T) {
	mask := &[4]byte{1, 2, 3, 4}
	long := strings.Repeat("0123456789", 7000)
	for _, tt := range []struct {
		name   string
		in     []byte
		masked bool
		want   string
		passed int // -1: all
		err    error
	}{
		{"a text", Append(nil, Text, []byte("hello"), nil), false, "frame 1 fin=true 5 of 5 text=true\ntext \"hello\"\n", -1, nil},
		{"a client's text", Append(nil, Text, []byte("hello"), mask), true, "frame 1 fin=true 5 of 5 text=true\ntext \"hello\"\n", -1, nil},
		{"an empty text", Append(nil, Text, nil, nil), false, "frame 1 fin=true 0 of 0 text=true\ntext \"\"\n", -1, nil},
		{"bytes", Append(nil, Binary, []byte("\x00\x01"), nil), false, "frame 2 fin=true 2 of 2 text=false\nbytes \"\\x00\\x01\"\n", -1, nil},
		{
			"fragments, with control frames between", frames([]byte{1, 2, 'h', 'e'}, Append(nil, Ping, []byte("x"), nil), []byte{0, 0}, []byte{0x80, 3, 'l', 'l', 'o'}), false,
			"frame 1 fin=false 2 of 2 text=true\nframe 9 fin=true 1 of 0 text=false\nframe 0 fin=false 0 of 2 text=true\n" +
				"frame 0 fin=true 3 of 5 text=true\ntext \"hello\"\n", -1, nil,
		},
		{
			"fragments of bytes", frames([]byte{2, 1, 'a'}, []byte{0x80, 1, 'b'}, Append(nil, Text, []byte("c"), nil)), false,
			"frame 2 fin=false 1 of 1 text=false\nframe 0 fin=true 1 of 2 text=false\nbytes \"ab\"\nframe 1 fin=true 1 of 1 text=true\ntext \"c\"\n", -1, nil,
		},
		{"a text of 70 KB", Append(nil, Text, []byte(long), mask), true, "frame 1 fin=true 70000 of 70000 text=true\ntext \"" + long + "\"\n", -1, nil},
		{"a text of 300 bytes", Append(nil, Text, []byte(long[:300]), nil), false, "frame 1 fin=true 300 of 300 text=true\ntext \"" + long[:300] + "\"\n", -1, nil},
		{"a Close", AppendClose(nil, 1001, "bye", mask), true, "frame 8 fin=true 5 of 0 text=false\nclose 1001 \"bye\"\n", -1, nil},
		{"an empty Close", AppendClose(nil, CodeNone, "", nil), false, "frame 8 fin=true 0 of 0 text=false\nclose 1005 \"\"\n", -1, nil},
		{"the beginning of a text", []byte{0x81, 5, 'h'}, false, "frame 1 fin=true 5 of 5 text=true\nh", -1, nil},
		{"the beginning of a header", []byte{0x81, 126, 0}, false, "", 0, nil},

		{"reserved bits", []byte{0xc1, 0}, false, "", 0, ErrReserved},
		{"an unknown kind", []byte{0x83, 0}, false, "", 0, ErrOp},
		{"an unknown control frame", []byte{0x8b, 0}, false, "", 0, ErrOp},
		{"a client without a mask", frames(Append(nil, Text, nil, mask), []byte{0x81, 0}), true, "frame 1 fin=true 0 of 0 text=true\ntext \"\"\n", 6, ErrMask},
		{"a server with one", Append(nil, Text, nil, mask), false, "", 0, ErrMask},
		{"a length of 2^63", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, false, "", 0, ErrLength},
		{
			"a message of more than 2^63", frames([]byte{2, 1, 'a', 0, 127, 0x7f}, bytes.Repeat([]byte{0xff}, 7)), false,
			"frame 2 fin=false 1 of 1 text=false\na", 3, ErrLength,
		},
		{"a long ping", frames([]byte{0x89, 126, 0, 126}, make([]byte, 126)), false, "", 0, ErrControl},
		{"a fragment of a ping", []byte{9, 0}, false, "", 0, ErrControl},
		{"a Close of one byte", []byte{0x88, 1, 3}, false, "", 0, ErrClose},
		{"a continuation of nothing", []byte{0x80, 0}, false, "", 0, ErrOrder},
		{"a message within another", []byte{1, 0, 0x81, 0}, false, "frame 1 fin=false 0 of 0 text=true\n", 2, ErrOrder},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, cut := range []int{1, 2, 3, 5, 1000, 1 << 20} {
				told, passed, _, err := watch(tt.in, cut, tt.masked, 0)
				want := tt.passed
				if want < 0 {
					want = len(tt.in)
				}
				if told != tt.want || passed != want || !errors.Is(err, tt.err) {
					t.Errorf("in cuts of %d: passed %d, %v, told %.300q\nwant %d, %v, %.300q", cut, passed, err, told, want, tt.err, tt.want)
				}
			}
		})
	}
}

// TestRefused: what lies before the refused frame passes, and nothing of it or behind it.
func TestRefused(t *testing.T) {
	first := Append(nil, Text, []byte("one"), nil)
	in := frames(first, Append(nil, Text, []byte("two"), nil))
	for cut := 1; cut <= len(in); cut++ {
		told, passed, between, err := watch(in, cut, false, 2)
		if passed != len(first) || !errors.Is(err, errRefused) || !between || !strings.HasSuffix(told, "text \"one\"\n") {
			t.Errorf("in cuts of %d: passed %d, %v, %q", cut, passed, err, told)
		}
	}
}

// TestOpaque: where nobody wants the messages they are not unmasked.
func TestOpaque(t *testing.T) {
	w, r := Watcher{Masked: true, Opaque: true}, record{}
	_, err := w.Write(Append(nil, Text, []byte("hello"), &[4]byte{9, 9, 9, 9}), &r)
	if got := r.b.String(); err != nil || got != "frame 1 fin=true 5 of 5 text=true\n" || len(r.text) > 0 {
		t.Errorf("%v, %q", err, got)
	}
}

func TestAppend(t *testing.T) {
	if got := Append([]byte("x"), Ping, make([]byte, 200), nil); len(got) != 1+2+maxControl {
		t.Errorf("a ping of %d bytes", len(got))
	}
	if got := AppendClose(nil, CodeRestart, strings.Repeat("r", 200), nil); len(got) != 2+maxControl {
		t.Errorf("a Close of %d bytes", len(got))
	}
}

// plain reads frames in the plainest way, for comparison: the messages, and whether all is well
// formed as far as it goes.
func plain(in []byte, masked bool) (texts []string, ok bool) {
	var text []byte
	open := Op(0)
	for len(in) >= 2 {
		head, n := 2, uint64(in[1]&0x7f)
		op, fin := Op(in[0]&0xf), in[0]&0x80 != 0
		control := op >= 8
		if in[0]&0x70 != 0 || op > 2 && op < 8 || op > 10 || (in[1]&0x80 != 0) != masked ||
			control && (!fin || n > 125) || op == Close && n == 1 || !control && (op == 0) != (open != 0) {
			return texts, false
		}
		wide := map[uint64]int{126: 2, 127: 8}[n]
		if head += wide; masked {
			head += 4
		}
		if len(in) < head {
			return texts, true
		}
		if wide > 0 {
			n = 0
			for _, c := range in[2 : 2+wide] {
				n = n<<8 | uint64(c)
			}
		}
		if n >= 1<<63 {
			return texts, false
		}
		key := make([]byte, 4)
		if masked {
			key = in[head-4 : head]
		}
		if uint64(len(in)-head) < n {
			return texts, true
		}
		if !control {
			if op != 0 {
				open, text = op, nil
			}
			for i, c := range in[head : head+int(n)] {
				text = append(text, c^key[i%4])
			}
			if fin {
				texts = append(texts, map[bool]string{true: "text", false: "bytes"}[open == Text]+fmt.Sprintf(" %q\n", text))
				open = 0
			}
		}
		in = in[head+int(n):]
	}
	return texts, true
}

// FuzzWatcher: the cuts do not matter, the messages are those that a plain reader finds, and what is refused
// there is refused here.
func FuzzWatcher(f *testing.F) {
	mask := &[4]byte{7, 0, 255, 9}
	f.Add(Append(Append(nil, Text, []byte("hello"), mask), Ping, nil, mask), true, 0)
	f.Add(frames([]byte{1, 2, 'h', 'e'}, Append(nil, Pong, []byte("x"), nil), []byte{0x80, 1, 'l'}, AppendClose(nil, 1000, "bye", nil)), false, 3)
	f.Add(Append(nil, Binary, make([]byte, 300), nil), false, 1)
	f.Add([]byte{0x81, 127, 0, 0, 0, 0, 0, 0, 0, 2, 'h', 'i', 0x81, 127, 255}, false, 0)
	f.Add([]byte{0xff, 0xff, 0x81, 0x83}, true, 0)
	f.Fuzz(func(t *testing.T, in []byte, masked bool, refuse int) {
		told, passed, between, err := watch(in, len(in)+1, masked, refuse)
		for _, cut := range []int{1, 3, 7} {
			to, p, b, e := watch(in, cut, masked, refuse)
			if to != told || p != passed || b != between || !errors.Is(e, err) {
				t.Fatalf("whole %q %d %v %v\nin cuts of %d %q %d %v %v", told, passed, between, err, cut, to, p, b, e)
			}
		}
		if passed > len(in) || strings.Contains(told, "an empty piece") {
			t.Fatalf("passed %d of %d: %q", passed, len(in), told)
		}
		if errors.Is(err, errRefused) {
			return
		}
		var w Watcher
		w.Masked = masked
		var r record
		_, _ = w.Write(in, &r)
		texts, ok := plain(in, masked)
		for _, text := range texts {
			_, rest, found := strings.Cut(told, text)
			if !found {
				t.Fatalf("%q does not tell %q", told, text)
			}
			told = rest
		}
		if ok != (err == nil) && !errors.Is(err, ErrLength) {
			t.Fatalf("%v, but the plain reader says %v", err, ok)
		}
	})
}

func BenchmarkWatcher(b *testing.B) {
	in := Append(nil, Text, bytes.Repeat([]byte("x"), 4<<10), nil)
	masked := Append(nil, Text, bytes.Repeat([]byte("x"), 4<<10), &[4]byte{1, 2, 3, 4})
	for _, tt := range []struct {
		name string
		in   []byte
		w    Watcher
	}{
		{"server", in, Watcher{}},
		{"client opaque", masked, Watcher{Masked: true, Opaque: true}},
		{"client read", masked, Watcher{Masked: true}},
	} {
		b.Run(tt.name, func(b *testing.B) {
			b.SetBytes(int64(len(tt.in)))
			b.ReportAllocs()
			w := tt.w
			for b.Loop() {
				if _, err := w.Write(tt.in, nothing{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

type nothing struct{}

func (nothing) Frame(Frame) error   { return nil }
func (nothing) Data([]byte)         {}
func (nothing) End(bool)            {}
func (nothing) Closing(int, []byte) {}

// answering notes pings, too.
type answering struct{ record }

func (a *answering) Ping(payload []byte) { fmt.Fprintf(&a.b, "ping %q\n", payload) }

func TestPings(t *testing.T) {
	mask := &[4]byte{1, 2, 3, 4}
	long := strings.Repeat("x", maxControl)
	in := frames(Append(nil, Ping, nil, mask), Append(nil, Pong, []byte("no"), mask), Append(nil, Ping, []byte(long), mask), AppendClose(nil, 1000, "bye", mask))
	for n := 1; n <= len(in); n++ {
		w, a := Watcher{Masked: true}, answering{}
		for rest := in; len(rest) > 0; rest = rest[min(n, len(rest)):] {
			if _, err := w.Write(rest[:min(n, len(rest))], &a); err != nil {
				t.Fatal(err)
			}
		}
		var told []string
		for line := range strings.Lines(a.b.String()) {
			if !strings.HasPrefix(line, "frame") {
				told = append(told, line)
			}
		}
		if want := fmt.Sprintf("[ping \"\"\n ping %q\n close 1000 \"bye\"\n]", long); fmt.Sprint(told) != want {
			t.Fatalf("in cuts of %d: %q", n, told)
		}
	}
}

func TestAppendHeader(t *testing.T) {
	for _, n := range []int{0, 125, 126, 1<<16 - 1, 1 << 16} {
		for _, mask := range []*[4]byte{nil, {}} {
			payload := make([]byte, n)
			if got := append(AppendHeader(nil, Binary, n, mask), payload...); !bytes.Equal(got, Append(nil, Binary, payload, mask)) {
				t.Errorf("%d bytes, masked %v: the frame begins with % x", n, mask != nil, got[:min(len(got), maxHeader)])
			}
		}
	}
}
