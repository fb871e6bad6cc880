package cache_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

// encode encodes body; "raw" is deflate as some servers get it wrong.
func encode(t testing.TB, coding string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "raw":
		w, err = flate.NewWriter(&b, 5)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encoded(body []byte, encoding string) *cache.Entry {
	return &cache.Entry{
		Head: cache.Head{Status: 200, Length: int64(len(body)), Header: sluice.Header{
			{Name: "Content-Type", Value: "application/json"},
			{Name: "content-encoding", Value: encoding},
			{Name: "ETag", Value: `"x"`},
			{Name: "X-Request-Id", Value: "req_1"},
		}},
		Body: body, Encoding: encoding,
	}
}

func TestAnEntryIsDecodedForWhoCannotTakeItsEncoding(t *testing.T) {
	body := []byte(strings.Repeat(`{"a":"some text"}`, 1000))
	for _, coding := range []string{"gzip", "deflate", "raw", "br", "zstd"} {
		name := strings.Replace(coding, "raw", "deflate", 1)
		e := encoded(encode(t, coding, body), name)
		for accept, keep := range map[string]bool{
			name: true, strings.ToUpper(name): true, "a, " + name + ";q=0.5": true, "*": true, "identity;q=1, *;q=0.1": true, name + ";q=1.0": true,
			"": false, "identity": false, "compress": false, name + ";q=0": false, "*, " + name + ";q=0": false, "*;q=0": false,
			name + ";q=x": false, name + "x": false, name + " ; Q=0.000 ": false,
		} {
			got, err := e.For(accept)
			switch {
			case err != nil:
				t.Errorf("%s for %q: %v", coding, accept, err)
			case keep && got != e:
				t.Errorf("%s for %q is not kept", coding, accept)
			case !keep && (!bytes.Equal(got.Body, body) || got.Header.Has("Content-Encoding") || got.Header.Has("ETag") || got.Encoding != "" || got.Length != int64(len(body)) || got.Header.Get("X-Request-Id") == ""):
				t.Errorf("%s for %q: %d bytes, %v", coding, accept, len(got.Body), got.Header)
			}
		}
		if e.Header.Get("Content-Encoding") != name {
			t.Error("the entry itself was changed")
		}
	}
	both := encoded(encode(t, "br", encode(t, "gzip", body)), "x-gzip, br")
	if got, err := both.For("br"); err != nil || !bytes.Equal(got.Body, body) {
		t.Errorf("two codings, one taken: %v", err)
	}
	if got, err := both.For("br, gzip"); err != nil || got != both {
		t.Errorf("two codings, both taken: %v", err)
	}
	plain := encoded(body, "identity")
	if got, err := plain.For(""); err != nil || got != plain {
		t.Errorf("identity: %v", err)
	}
}

func TestWhatCannotBeDecodedIsAnError(t *testing.T) {
	good := encode(t, "gzip", []byte(strings.Repeat("text", 1000)))
	bomb := encode(t, "gzip", encode(t, "gzip", make([]byte, 20<<20)))
	for name, e := range map[string]*cache.Entry{
		"unknown":    encoded([]byte("x"), "rot13"),
		"not gzip":   encoded([]byte("x"), "gzip"),
		"cut":        encoded(good[:len(good)-5], "gzip"),
		"broken":     encoded(append(bytes.Clone(good[:20]), bytes.Repeat([]byte{0xff}, 20)...), "gzip"),
		"a bomb":     encoded(bomb, "gzip, gzip"),
		"four":       encoded(good, "gzip,gzip,gzip,gzip"),
		"empty br":   encoded(nil, "br"),
		"empty gzip": encoded(nil, "gzip"),
	} {
		if got, err := e.For(""); err == nil {
			t.Errorf("%s: %d bytes", name, len(got.Body))
		}
	}
}

func TestStorable(t *testing.T) {
	for status, want := range map[int]bool{
		200: true, 201: false, 203: true, 299: true, 202: false, 204: false, 205: false, 206: false, 100: false, 199: false, 300: false, 304: false, 400: false, 429: false, 500: false, 0: false,
	} {
		if ok, reason := cache.Storable(status, nil); ok != want || ok != (reason == "") {
			t.Errorf("%d: %t %q", status, ok, reason)
		}
	}
	for _, one := range []struct {
		name, value string
		want        bool
	}{
		{"Cache-Control", "no-store", true},
		{"Set-Cookie", "a=b", true},
		{"Content-Encoding", "gzip", true},
		{"Content-Encoding", "br, zstd", true},
		{"Content-Encoding", "rot13", false},
		{"Content-Range", "bytes 0-1/2", false},
		{"Vary", "*", true},
	} {
		if ok, _ := cache.Storable(200, sluice.Header{{Name: one.name, Value: one.value}}); ok != one.want {
			t.Errorf("%s: %s: %t", one.name, one.value, ok)
		}
	}
}

func TestShareable(t *testing.T) {
	in := sluice.Header{
		{Name: "Content-Type", Value: "text/plain"},
		{Name: "SET-COOKIE", Value: "a=b"},
		{Name: "x-request-id", Value: "r"},
		{Name: "Date", Value: "d"},
		{Name: "Connection", Value: "X-Hop, close"},
		{Name: "X-Hop", Value: "1"},
		{Name: "x-ratelimit-remaining-tokens", Value: "1"},
		{Name: "anthropic-ratelimit-requests-limit", Value: "1"},
		{Name: "openai-processing-ms", Value: "12"},
		{Name: "Content-Encoding", Value: "gzip"},
		{Name: "openai-organization", Value: "o"},
		{Name: "Retry-After", Value: "1"},
		{Name: "Content-Length", Value: "9"},
		{Name: "cf-aig-step", Value: "1"},
		{Name: "X-A", Value: "1"},
		{Name: "X-A", Value: "2"},
	}
	got := cache.Shareable(in)
	var names []string
	for _, f := range got {
		names = append(names, f.Name+"="+f.Value)
	}
	if s := strings.Join(names, " "); s != "Content-Type=text/plain x-request-id=r Content-Encoding=gzip openai-organization=o X-A=1 X-A=2" {
		t.Error(s)
	}
	if got[0].Value = "changed"; in[0].Value != "text/plain" {
		t.Error("not a copy")
	}
}

func TestAge(t *testing.T) {
	e := cache.Entry{Stored: time.Unix(1000, 0)}
	for at, want := range map[time.Time]int64{time.Unix(1000, 1): 0, time.Unix(1061, 999_999_999): 61, time.Unix(900, 0): 0} {
		if got := e.Age(at); got != want {
			t.Errorf("%v: %d", at, got)
		}
	}
}

// FuzzFor decodes anything for anyone: in bounds, and the same each time.
func FuzzFor(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(coding, "identity", encode(f, coding, []byte("some text, some text")))
	}
	f.Add("gzip, br", "br;q=0.1, *;q=0", encode(f, "br", encode(f, "gzip", []byte("stacked"))))
	f.Fuzz(func(t *testing.T, encoding, accept string, body []byte) {
		e := encoded(body, encoding)
		got, err := e.For(accept)
		if err != nil {
			return
		}
		if len(got.Body) > cache.MaxDecoded+32*len(body) {
			t.Errorf("%d bytes became %d", len(body), len(got.Body))
		}
		if again, err := got.For(""); got.Encoding == "" && (err != nil || again != got) {
			t.Error("what is decoded is decoded again")
		}
	})
}
