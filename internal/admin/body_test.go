package admin

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// keep adds an entry whose response is stored as given.
func (b *bench) keep(response []byte, change func(e *sluice.LogEntry)) sluice.LogEntry {
	e := entryAt(&b.ids, 0)
	e.Response.Size, e.Response.Stored = int64(len(response)), int64(len(response))
	if change != nil {
		change(&e)
	}
	b.log.store(e.ID, []byte(`{"model":"gpt-4.1-mini"}`), response)
	b.log.add(reqlog.KindEntry, e)
	return e
}

func read(t *testing.T, r *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func encode(t testing.TB, coding, plain string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	case "deflate":
		w, err = flate.NewWriter(&b, flate.BestSpeed)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestABodyComesAsItWasStored(t *testing.T) {
	b := newBench(t)
	binary := "\x00\x01\xff\xfe\r\n\r\n"
	e := b.keep([]byte(binary), func(e *sluice.LogEntry) { e.Response.Type = "audio/mpeg" })
	resp := b.get(logsPath + "/" + strings.ToUpper(e.ID.String()) + "/response")
	if got := read(t, resp); got != binary || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "audio/mpeg" || resp.ContentLength != int64(len(binary)) {
		t.Errorf("%d %q %v", resp.StatusCode, got, resp.Header)
	}
	resp = b.get(logsPath + "/" + e.ID.String() + "/request")
	if got := read(t, resp); got != `{"model":"gpt-4.1-mini"}` || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("request: %q %v", got, resp.Header)
	}
}

func TestAHostileBodyIsNotRendered(t *testing.T) {
	b := newBench(t)
	for stored, want := range map[string]string{
		"text/html; charset=utf-8":                   "text/html; charset=utf-8",
		"":                                           "application/octet-stream",
		"text/html\r\nSet-Cookie: a=b":               "application/octet-stream",
		"text/html; charset=utf-8; charset=x":        "application/octet-stream",
		"TEXT/Event-Stream; Charset=\"UTF-8\"":       "text/event-stream; charset=UTF-8",
		"text/html, application/json":                "application/octet-stream",
		strings.Repeat("x", 1000) + "\x00/y; a=\xff": "application/octet-stream",
	} {
		e := b.keep([]byte("<script>"), func(e *sluice.LogEntry) { e.Response.Type = stored })
		resp := b.get(logsPath + "/" + e.ID.String() + "/response")
		h := resp.Header
		if got := h.Get("Content-Type"); got != want {
			t.Errorf("%q became %q, want %q", stored, got, want)
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || h.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(h.Get("Content-Disposition"), "attachment; filename=\""+e.ID.String()) || h.Get("Cache-Control") != "no-store" ||
			h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Set-Cookie") != "" {
			t.Errorf("%q: %v", stored, h)
		}
	}
}

func TestAnEncodedBodyIsLeftToTheClientToDecode(t *testing.T) {
	b := newBench(t)
	plain := strings.Repeat("hello world ", 1000)
	stored := encode(t, "gzip", plain)
	e := b.keep(stored, func(e *sluice.LogEntry) { e.Response.Encoding = "gzip" })
	path := logsPath + "/" + e.ID.String() + "/response"
	if resp := b.get(path); resp.Header.Get("Content-Encoding") != "gzip" || read(t, resp) != string(stored) {
		t.Errorf("as stored: %v", resp.Header)
	}
	if resp := b.get(path + "?encoding=identity"); resp.Header.Get("Content-Encoding") != "" || read(t, resp) != plain {
		t.Errorf("decoded: %v", resp.Header)
	}

	e = b.keep(stored[:len(stored)-20], func(e *sluice.LogEntry) { e.Response.Encoding, e.Response.Truncated = "gzip", true })
	resp := b.get(logsPath + "/" + e.ID.String() + "/response")
	if got := read(t, resp); resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("X-Sluice-Truncated") != "true" || !strings.HasPrefix(plain, got) {
		t.Errorf("cut: %v, %d bytes", resp.Header, len(got))
	}

	e = b.keep([]byte("?"), func(e *sluice.LogEntry) { e.Response.Encoding = "aws-chunked" })
	resp = b.get(logsPath + "/" + e.ID.String() + "/response")
	if resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("X-Sluice-Content-Encoding") != "aws-chunked" || resp.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("an encoding that we don't know: %v", resp.Header)
	}
}

func TestABodyThatCannotBeReadBreaksTheConnection(t *testing.T) {
	b := newBench(t)
	stored := encode(t, "gzip", strings.Repeat("hello world ", 100_000))
	stored[len(stored)/2] ^= 0xff
	e := b.keep(stored, func(e *sluice.LogEntry) { e.Response.Encoding = "gzip" })
	resp := b.get(logsPath + "/" + e.ID.String() + "/response?encoding=identity")
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("a broken body ended like a whole one")
	}
}

func TestRangesOfABody(t *testing.T) {
	b := newBench(t)
	e := b.keep([]byte("0123456789"), nil)
	path := logsPath + "/" + e.ID.String() + "/response"
	for header, want := range map[string]struct {
		status       int
		body, ranged string
	}{
		"":                            {200, "0123456789", ""},
		"bytes=0-3":                   {206, "0123", "bytes 0-3/10"},
		"bytes=3-":                    {206, "3456789", "bytes 3-9/10"},
		"bytes=-2":                    {206, "89", "bytes 8-9/10"},
		"bytes=-99":                   {206, "0123456789", "bytes 0-9/10"},
		"bytes=8-99":                  {206, "89", "bytes 8-9/10"},
		"Bytes = 9-9":                 {206, "9", "bytes 9-9/10"},
		"bytes=10-":                   {416, "", "bytes */10"},
		"bytes=-0":                    {416, "", "bytes */10"},
		"bytes=3-1":                   {200, "0123456789", ""},
		"bytes=0-1,3-4":               {200, "0123456789", ""},
		"lines=0-1":                   {200, "0123456789", ""},
		"bytes=x-":                    {200, "0123456789", ""},
		"bytes=-":                     {200, "0123456789", ""},
		"bytes=99999999999999999999-": {200, "0123456789", ""},
	} {
		resp := b.get(path, "Range", header)
		got := read(t, resp)
		if resp.StatusCode != want.status || resp.Header.Get("Content-Range") != want.ranged || want.status != 416 && got != want.body {
			t.Errorf("%q: %d %q %q", header, resp.StatusCode, got, resp.Header.Get("Content-Range"))
		}
	}
	if resp := b.get(path, "Range", "bytes=0-3", "If-Range", `"etag"`); resp.StatusCode != http.StatusOK {
		t.Errorf("If-Range: %d", resp.StatusCode)
	}
}

func TestWhyABodyIsNotThere(t *testing.T) {
	b := newBench(t)
	for name, c := range map[string]struct {
		change  func(e *sluice.LogEntry)
		message string
	}{
		"switched off": {func(e *sluice.LogEntry) { e.Response = sluice.Body{Size: 5, Off: true} }, "setting or a header"},
		"dropped":      {func(e *sluice.LogEntry) { e.Response = sluice.Body{Size: 5, Dropped: true} }, "no room"},
		"running":      {func(e *sluice.LogEntry) { e.Ending = sluice.EndingInFlight }, "still running"},
	} {
		t.Run(name, func(t *testing.T) {
			e := b.keep(nil, c.change)
			b.fails(logsPath+"/"+e.ID.String()+"/response", http.StatusNotFound, codeNotFound, c.message)
		})
	}
	e := b.keep(nil, func(e *sluice.LogEntry) { e.Response = sluice.Body{} })
	if resp := b.get(logsPath + "/" + e.ID.String() + "/response"); resp.StatusCode != http.StatusOK || read(t, resp) != "" {
		t.Errorf("a body that was empty: %d", resp.StatusCode)
	}
}

func TestBodiesOfOtherGatewaysAreNotFound(t *testing.T) {
	b := newBench(t)
	e := b.keep([]byte("secret"), func(e *sluice.LogEntry) { e.Gateway = "prod" })
	b.fails(logsPath+"/"+e.ID.String()+"/response", http.StatusNotFound, codeNotFound, "not found")
	b.fails("/client/v4/accounts/other/ai-gateway/gateways/default/logs/"+e.ID.String(), http.StatusNotFound, codeNotFound, "not found")
}

func TestDetailsHoldTheHeadsOfBodies(t *testing.T) {
	b := newBench(t)
	long := strings.Repeat("é", headBytes)
	for name, c := range map[string]struct {
		stored   []byte
		change   func(e *sluice.LogEntry)
		head     any
		complete bool
	}{
		"text":           {[]byte(`{"ok":true}`), nil, `{"ok":true}`, true},
		"empty":          {nil, nil, "", true},
		"long text":      {[]byte("x" + long), nil, "x" + long[:headBytes-2], false},
		"gzip":           {encode(t, "gzip", "plain"), func(e *sluice.LogEntry) { e.Response.Encoding = "gzip" }, "plain", true},
		"zlib":           {encode(t, "zlib", "plain"), func(e *sluice.LogEntry) { e.Response.Encoding = "deflate" }, "plain", true},
		"bare deflate":   {encode(t, "deflate", "plain"), func(e *sluice.LogEntry) { e.Response.Encoding = "Deflate" }, "plain", true},
		"br":             {encode(t, "br", "plain"), func(e *sluice.LogEntry) { e.Response.Encoding = "br" }, "plain", true},
		"zstd":           {encode(t, "zstd", "plain"), func(e *sluice.LogEntry) { e.Response.Encoding = "zstd" }, "plain", true},
		"gzip in br":     {encode(t, "br", string(encode(t, "gzip", "plain"))), func(e *sluice.LogEntry) { e.Response.Encoding = "gzip, br" }, "plain", true},
		"a bomb":         {encode(t, "gzip", strings.Repeat("0", 8<<20)), func(e *sluice.LogEntry) { e.Response.Encoding = "gzip" }, strings.Repeat("0", headBytes), false},
		"no gzip at all": {[]byte("plain"), func(e *sluice.LogEntry) { e.Response.Encoding = "gzip" }, "", false},
		"unknown coding": {[]byte("plain"), func(e *sluice.LogEntry) { e.Response.Encoding = "x" }, nil, false},
		"binary":         {[]byte("\xff\xfe\x00"), nil, nil, false},
		"cut by the log": {[]byte("caf\xc3"), func(e *sluice.LogEntry) { e.Response.Truncated = true }, "caf", false},
		"switched off":   {nil, func(e *sluice.LogEntry) { e.Response = sluice.Body{Size: 9, Off: true} }, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := b.keep(c.stored, c.change)
			v := b.call(logsPath + "/" + e.ID.String())
			var got map[string]any
			if err := json.Unmarshal(v.Result, &got); err != nil {
				t.Fatal(err)
			}
			if got["response_head"] != c.head || got["response_head_complete"] != c.complete || got["request_head"] != `{"model":"gpt-4.1-mini"}` {
				t.Errorf("head %.60v, complete %v", got["response_head"], got["response_head_complete"])
			}
			if got["attempts"] == nil || got["request_headers"] == nil || got["request_size"] != 120.0 {
				t.Errorf("details %v", got)
			}
		})
	}
}

func TestARunningRequestHasDetailsToo(t *testing.T) {
	b := newBench(t)
	e := entryAt(&b.ids, 0)
	e.Ending, e.Success, e.Status, e.Attempts = sluice.EndingInFlight, false, 0, nil
	b.log.add(reqlog.KindOpen, e)
	var got map[string]any
	v := b.call(logsPath + "/" + e.ID.String())
	if err := json.Unmarshal(v.Result, &got); err != nil || got["ending"] != "in_flight" || got["status_code"] != nil || got["response_head"] != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzByteRange: whatever is asked for lies inside the body, and RFC 9110's plain forms are obeyed.
func FuzzByteRange(f *testing.F) {
	for _, s := range []string{"bytes=0-3", "bytes=-2", "bytes=5-", "bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=--1", "bytes=+1-2"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		start, length, status := byteRange(header, size)
		switch status {
		case http.StatusOK:
			if start != 0 || length != size {
				t.Errorf("whole: %d+%d of %d", start, length, size)
			}
		case http.StatusPartialContent:
			if start < 0 || length <= 0 || start > size-length {
				t.Errorf("part: %d+%d of %d", start, length, size)
			}
		case http.StatusRequestedRangeNotSatisfiable:
			if length != 0 {
				t.Errorf("none: %d bytes", length)
			}
		default:
			t.Errorf("status %d", status)
		}
	})
}

// FuzzDecoder: cuts of the bytes do not matter, and nothing but a failing log is called one.
func FuzzDecoder(f *testing.F) {
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		f.Add(encode(f, coding, "hello hello hello"), coding)
	}
	f.Add(encode(f, "zlib", "hello"), "deflate")
	f.Add(encode(f, "br", string(encode(f, "gzip", "plain"))), "gzip, br")
	f.Add([]byte("plain"), "")
	f.Fuzz(func(t *testing.T, stored []byte, encoding string) {
		decode := func(r io.Reader) (string, bool, error) {
			d, known := decoder(r, encoding)
			if !known {
				return "", false, nil
			}
			defer d.Close()
			b, err := io.ReadAll(io.LimitReader(d, 1<<20))
			return string(b), true, err
		}
		whole, known, err := decode(bytes.NewReader(stored))
		split, _, err2 := decode(iotest.OneByteReader(bytes.NewReader(stored)))
		if (err == nil) != (err2 == nil) || err == nil && whole != split {
			t.Errorf("whole %d bytes, %v; split %d bytes, %v", len(whole), err, len(split), err2)
		}
		if errors.Is(err, errStored) {
			t.Errorf("the decoder's own error is called the log's: %v", err)
		}
		broken := errors.New("disk")
		if _, _, err := decode(io.MultiReader(bytes.NewReader(stored), iotest.ErrReader(broken))); known && err != nil && errors.Is(err, broken) != errors.Is(err, errStored) {
			t.Errorf("the log's error lost its mark: %v", err)
		}
	})
}
