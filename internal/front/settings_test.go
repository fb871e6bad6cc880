package front

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// frame is an HTTP/2 frame of stream 0.
func frame(kind, flags byte, payload string) string {
	n := len(payload)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, 0, 0, 0, 0}) + payload
}

func TestSettingsAreNamedOnce(t *testing.T) {
	const one, two, three = "\x00\x01\x00\x00\x10\x00", "\x00\x04\x00\x00\x00\x05", "\x00\x04\x00\x00\x00\x07"
	data := frame(0, 1, string(bytes.Repeat([]byte{4}, 70_000)))
	for name, c := range map[string]struct{ in, want string }{
		"nothing":               {"", ""},
		"no value":              {frame(4, 0, ""), frame(4, 0, "")},
		"different names":       {frame(4, 0, one+two), frame(4, 0, one+two)},
		"one name twice":        {frame(4, 0, two+one+three), frame(4, 0, one+three)},
		"the same value":        {frame(4, 0, two+two), frame(4, 0, two)},
		"in a later frame":      {data + frame(4, 0, two+three) + data, data + frame(4, 0, three) + data},
		"an acknowledgement":    {frame(4, 1, two+two), frame(4, 1, two+two)},
		"a broken length":       {frame(4, 0, two+two+"x"), frame(4, 0, two+two+"x")},
		"data that looks alike": {frame(0, 0, two+two), frame(0, 0, two+two)},
		"fifteen bytes more":    {frame(4, 0, "\x50\x52\x00\x00\x00\x01"+two+three[:3]), frame(4, 0, "\x50\x52\x00\x00\x00\x01"+two+three[:3])},
	} {
		for how, from := range map[string]io.Reader{
			"whole": bytes.NewReader([]byte(preface + c.in)), "by bytes": iotest.OneByteReader(bytes.NewReader([]byte(preface + c.in))),
			"with its end": iotest.DataErrReader(bytes.NewReader([]byte(preface + c.in))),
		} {
			got, err := io.ReadAll(newSettings(from))
			if err != nil || string(got) != preface+c.want {
				t.Errorf("%s, %s: got %.80q, %v; want %.80q", name, how, got, err, preface+c.want)
			}
		}
	}
}

// What does not begin as HTTP/2 does must not be served as something else.
func TestSettingsWantThePreface(t *testing.T) {
	for _, in := range []string{"", "P", preface[:23], "GET / HTTP/1.1\r\nHost: x\r\n\r\n", preface[:20] + "GET / HTTP/1.1\r\n\r\n"} {
		s := newSettings(strings.NewReader(in))
		for range 2 {
			if n, err := s.Read(make([]byte, 100)); n != 0 || err != io.EOF {
				t.Errorf("%q gave %d bytes, %v", in, n, err)
			}
		}
	}
	s := newSettings(io.MultiReader(strings.NewReader("PRI"), iotest.ErrReader(os.ErrDeadlineExceeded), strings.NewReader(preface[3:])))
	if _, err := s.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("half a preface, and then nothing in time, gave %v", err)
	}
	if n, err := s.Read(make([]byte, 100)); n != 0 || err != io.EOF {
		t.Errorf("after its time it gave %d bytes, %v", n, err)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(frame(4, 0, "\x00\x04\x00\x00\x00\x05\x00\x04\x00\x00\x00\x07")+frame(0, 0, "x")), 3)
	f.Add([]byte(frame(4, 1, "")+"\x00\x00"), 1)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		in = append([]byte(preface), in...)
		whole, err := io.ReadAll(newSettings(bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) > len(in) {
			t.Errorf("%d bytes came of %d", len(whole), len(in))
		}
		var cut []byte
		s, p := newSettings(iotest.HalfReader(bytes.NewReader(in))), make([]byte, min(max(size, 1), 100))
		for {
			n, err := s.Read(p)
			cut = append(cut, p[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.Equal(whole, cut) {
			t.Errorf("cut otherwise, %q became %q", whole, cut)
		}
		if again, _ := io.ReadAll(newSettings(bytes.NewReader(whole))); !bytes.Equal(again, whole) {
			t.Errorf("a second time, %q became %q", whole, again)
		}
	})
}
