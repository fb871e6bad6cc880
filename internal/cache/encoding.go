package cache

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// The bounds of decoding an entry.
const (
	// MaxDecoded is how large an entry may become, apart from 32 bytes for each of its encoded ones.
	MaxDecoded = 16 << 20
	maxCodings = 3
	maxWindow  = 8 << 20 // of zstd (RFC 9659)
)

// errCoding is what an entry that cannot be decoded gives.
var errCoding = errors.New("cache: the entry cannot be decoded")

// For returns e for a request with this Accept-Encoding ("" when it has none): e itself where that
// takes e's encoding, else a copy that is decoded. An error means that it cannot be; the request is
// then as good as a miss.
//
// Who sends no Accept-Encoding gets no encoding, though HTTP would allow any: such clients decode
// nothing.
func (e *Entry) For(acceptEncoding string) (*Entry, error) {
	if e.Encoding == "" {
		return e, nil
	}
	list, known := codings(e.Encoding)
	if len(list) == 0 && known {
		return e, nil
	}
	taken := true
	for _, c := range list {
		taken = taken && accepts(acceptEncoding, c)
	}
	if taken && known {
		return e, nil
	}
	if !known {
		return nil, errCoding
	}
	body, err := decode(list, e.Body)
	if err != nil {
		return nil, err
	}
	plain := *e
	plain.Body, plain.Encoding, plain.Length, plain.Header = body, "", int64(len(body)), nil
	for _, f := range e.Header {
		// A strong ETag, and the digests, are of the encoded bytes.
		if !isOfEncoding(f.Name) {
			plain.Header = append(plain.Header, f)
		}
	}
	return &plain, nil
}

func isOfEncoding(name string) bool {
	for _, n := range [...]string{"Content-Encoding", "Content-Length", "ETag", "Content-MD5", "Digest", "Content-Digest"} {
		if strings.EqualFold(name, n) {
			return true
		}
	}
	return false
}

// codings splits a Content-Encoding into what For can undo, in the order of application.
func codings(encoding string) (list []string, known bool) {
	if encoding == "" {
		return nil, true
	}
	for c := range strings.SplitSeq(encoding, ",") {
		switch c = strings.ToLower(strings.Trim(c, " \t")); c {
		case "", "identity":
			continue
		case "x-gzip":
			c = "gzip"
		case "gzip", "deflate", "br", "zstd":
		default:
			return nil, false
		}
		if list = append(list, c); len(list) > maxCodings {
			return nil, false
		}
	}
	return list, true
}

// accepts reports whether an Accept-Encoding takes a coding (RFC 9110, 12.5.3).
func accepts(accept, coding string) bool {
	any := false
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.Trim(name, " \t")
		if strings.EqualFold(name, "x-gzip") {
			name = "gzip"
		}
		switch {
		case strings.EqualFold(name, coding):
			return weight(params)
		case name == "*":
			any = weight(params)
		}
	}
	return any
}

// weight reports whether parameters give a coding more than no weight.
func weight(params string) bool {
	for p := range strings.SplitSeq(params, ";") {
		name, value, found := strings.Cut(strings.Trim(p, " \t"), "=")
		if !found || !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		return err == nil && q > 0
	}
	return true
}

// decode undoes codings, the last first.
func decode(list []string, body []byte) ([]byte, error) {
	limit := int64(MaxDecoded) + 32*int64(len(body))
	for i := len(list) - 1; i >= 0; i-- {
		r, err := opened(list[i], body)
		if err != nil {
			return nil, errors.Join(errCoding, err)
		}
		out, err := io.ReadAll(io.LimitReader(r, limit+1))
		if c := r.Close(); err == nil {
			err = c
		}
		if err != nil {
			return nil, errors.Join(errCoding, err)
		}
		if int64(len(out)) > limit {
			return nil, errCoding
		}
		body = out
	}
	return body, nil
}

// opened is a reader of what is encoded.
func opened(coding string, body []byte) (io.ReadCloser, error) {
	src := bytes.NewReader(body)
	switch coding {
	case "gzip":
		return gzip.NewReader(src)
	case "deflate":
		// The name means zlib's format; some servers send the bare one.
		if b := body; len(b) > 1 && b[0]&0x0f == 8 && (uint16(b[0])<<8|uint16(b[1]))%31 == 0 {
			return zlib.NewReader(bytes.NewReader(body))
		}
		return flate.NewReader(bytes.NewReader(body)), nil
	case "br":
		return io.NopCloser(brotli.NewReader(src)), nil
	default:
		d, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
}
