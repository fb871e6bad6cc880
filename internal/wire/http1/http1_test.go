package http1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"testing"

	sluice "github.com/sluicehq/sluice"
)

func TestTokens(t *testing.T) {
	for c := range 256 {
		want := c > ' ' && c < 0x7f && !strings.ContainsRune("\"(),/:;<=>?@[\\]{}", rune(c))
		if s := string([]byte{byte(c)}); IsToken(s) != want || IsTokenByte(byte(c)) != want {
			t.Errorf("IsToken(%q) = %v", s, !want)
		}
		text := c >= ' ' && c != 0x7f || c == '\t'
		if s := "a" + string([]byte{byte(c)}); IsText(s) != text {
			t.Errorf("IsText(%q) = %v", s, !text)
		}
	}
	if IsToken("") || !IsText("") {
		t.Error("an empty string is text, and no token")
	}
	for list, want := range map[string]bool{"": false, "close": true, "x,\tClose ": true, "closed": false, ",,close,": true, "close x": false} {
		if HasToken(list, "close") != want {
			t.Errorf("HasToken(%q) = %v", list, !want)
		}
	}
}

func TestHeadScan(t *testing.T) {
	for _, tt := range []struct {
		in  string
		end int
		err error
	}{
		{"", 0, nil},
		{"a\r\nb: c\r\n\r\nrest", 11, nil},
		{"\r\n", 2, nil},
		{"a\r\nb", 0, nil},
		{"a\nb", 0, ErrBareLF},
		{"\n", 0, ErrBareLF},
		{"a\r\n\n", 0, ErrBareLF},
	} {
		var whole, slow HeadScan
		end, err := whole.End([]byte(tt.in))
		if end != tt.end || !errors.Is(err, tt.err) {
			t.Errorf("%q: %d, %v", tt.in, end, err)
		}
		for n := 0; n <= len(tt.in); n++ {
			if end, err = slow.End([]byte(tt.in[:n])); end > 0 || err != nil {
				break
			}
		}
		if end != tt.end || !errors.Is(err, tt.err) {
			t.Errorf("%q, byte by byte: %d, %v", tt.in, end, err)
		}
	}
}

func TestParseFields(t *testing.T) {
	long := strings.Repeat("a:\r\n", 3)
	for _, tt := range []struct {
		in   string
		want string
		err  error
	}{
		{"\r\n", "[]", nil},
		{"a: b\r\nA:\t c d \r\nx:\r\n\r\nrest", "[{a b} {A c d} {x }]", nil},
		{"a: b\r\n", "", ErrEnd},
		{"a: b", "", ErrEnd},
		{"a: b\r", "", ErrEnd},
		{"a: b\rc\r\n\r\n", "", ErrBareCR},
		{" a: b\r\n\r\n", "", ErrFold},
		{"a\r\n\r\n", "", ErrColon},
		{"a : b\r\n\r\n", "", ErrName},
		{"a: b\x01\r\n\r\n", "", ErrControl},
		{long + "a:\r\n\r\n", "", ErrFields},
		{long + "\r\n", "[{a } {a } {a }]", nil},
	} {
		got, err := ParseFields(tt.in, nil, 3)
		if !errors.Is(err, tt.err) || err == nil && fmt.Sprint(got) != tt.want {
			t.Errorf("%q: %v, %v", tt.in, got, err)
		}
	}
}

// decode takes a chunked body apart in pieces of n bytes, into a buffer of m.
func decode(in []byte, n, m int) (body []byte, rest int, trailer sluice.Header, err error) {
	var d Chunked
	dst := make([]byte, m)
	for len(in) > 0 && !d.Done() {
		piece := in[:min(n, len(in))]
		wrote, took, err := d.Decode(dst, piece)
		body = append(body, dst[:wrote]...)
		if err != nil {
			return body, 0, nil, err
		}
		in = in[took:]
	}
	if !d.Done() {
		return body, 0, nil, io.ErrUnexpectedEOF
	}
	return body, len(in), d.Trailer(), nil
}

func TestChunkedInPlace(t *testing.T) {
	var d Chunked
	b := []byte("3\r\nabc\r\n2;x\r\nde\r\n0\r\nSum: 1\r\nHost: y\r\n\r\nrest")
	wrote, took, err := d.Decode(b, b)
	if err != nil || string(b[:wrote]) != "abcde" || string(b[took:]) != "rest" || !d.Done() || fmt.Sprint(d.Trailer()) != "[{Sum 1}]" {
		t.Errorf("%q, %q, %v, %v", b[:wrote], b[took:], d.Trailer(), err)
	}
}

// decodeInPlace is decode with a body that is put over its own framing.
func decodeInPlace(t *testing.T, in []byte, n int) (body []byte, rest int, err error) {
	var d Chunked
	for in = bytes.Clone(in); len(in) > 0 && !d.Done(); {
		piece := in[:min(n, len(in))]
		wrote, took, err := d.Decode(piece, piece)
		body = append(body, piece[:wrote]...)
		if err != nil {
			return body, 0, err
		}
		if took != len(piece) && !d.Done() {
			t.Fatalf("took %d of %d in place", took, len(piece))
		}
		if len(d.trailer) > maxTrailer {
			t.Fatal("a trailer without bound")
		}
		in = in[took:]
	}
	if !d.Done() {
		return body, 0, io.ErrUnexpectedEOF
	}
	return body, len(in), nil
}

// FuzzChunked: neither the cuts nor the room matter, and net/http reads nothing else.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{
		"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\nrest", "3;a=b\r\nabc\r\n0;c\r\nSum: 1\r\n\r\n", "3 \t\r\nabc\r\n000\r\n\r\n", "fffffffffffffff\r\na", "3\nabc\n0\n\n",
		"0\r\nA: b\r\n c\r\n\r\n", "g\r\n", "3\r\nabcd", "0000000000000003\r\n", "0\r\nContent-Length: 3\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		body, rest, trailer, err := decode(in, len(in)+1, len(in)+1)
		for _, cut := range [][2]int{{1, 1}, {2, 3}, {len(in) + 1, 1}, {1, len(in) + 1}} {
			b, r, tr, e := decode(in, cut[0], cut[1])
			if !bytes.Equal(b, body) || r != rest || fmt.Sprint(tr) != fmt.Sprint(trailer) || !errors.Is(e, err) {
				t.Fatalf("whole %q %d %v %v; in cuts of %v %q %d %v %v", body, rest, trailer, err, cut, b, r, tr, e)
			}
		}
		for _, n := range []int{1, 3, len(in) + 1} {
			if b, r, e := decodeInPlace(t, in, n); !bytes.Equal(b, body) || r != rest || !errors.Is(e, err) {
				t.Fatalf("whole %q %d %v; in place, in cuts of %d, %q %d %v", body, rest, err, n, b, r, e)
			}
		}
		if err == nil {
			if theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in))); err != nil || !bytes.Equal(theirs, body) {
				t.Errorf("net/http reads %q, %v; here %q", theirs, err, body)
			}
		}
	})
}

// FuzzFields: what is accepted can be put together again, and holds nothing that ends a line.
func FuzzFields(f *testing.F) {
	for _, s := range []string{"\r\n", "a: b\r\n\r\n", "a:\tb \r\nc:\r\n\r\n", "a: b\r\n c\r\n\r\n", "a\r\n\r\n", "a : b\r\n\r\n", "a: \r\r\n\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		fields, err := ParseFields(in, nil, 50)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, field := range fields {
			if !IsToken(field.Name) || !IsText(field.Value) || strings.Trim(field.Value, " \t") != field.Value {
				t.Errorf("field %q", field)
			}
			again.WriteString(field.Name + ":" + field.Value + "\r\n")
		}
		twice, err := ParseFields(again.String()+"\r\n", nil, 50)
		if err != nil || fmt.Sprint(twice) != fmt.Sprint(fields) {
			t.Errorf("%v, then %v, %v", fields, twice, err)
		}
		var scan HeadScan
		if end, err := scan.End([]byte(in)); err == nil && end > 0 {
			if _, err := ParseFields(in[:end], nil, 50); err != nil {
				t.Errorf("the head that was found does not parse: %v", err)
			}
		}
	})
}
