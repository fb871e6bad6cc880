package admin

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// errStored marks errors of reading what is stored, among those of decoding it.
var errStored = errors.New("stored body")

// decoder undoes a content encoding while it is read, in bounded memory. known is false for codings
// that it has not. Closing it leaves r open. Errors of r wrap errStored; all others say that the
// bytes are not what the encoding promises.
func decoder(r io.Reader, encoding string) (plain io.ReadCloser, known bool) {
	codings := strings.Split(strings.ToLower(encoding), ",")
	const most = 3 // more are never honest
	if len(codings) > most {
		return nil, false
	}
	d := &decoding{Reader: markReader{r}}
	for i := len(codings) - 1; i >= 0; i-- { // the last was applied last
		open, known := openers()[strings.TrimSpace(codings[i])]
		if !known {
			return nil, false
		}
		d.open(open)
	}
	return d, true
}

// openers are the codings, each opened at the first read, since some read a header then.
func openers() map[string]func(io.Reader) (io.Reader, error) {
	gz := func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }
	return map[string]func(io.Reader) (io.Reader, error){
		"":         func(r io.Reader) (io.Reader, error) { return r, nil },
		"identity": func(r io.Reader) (io.Reader, error) { return r, nil },
		"gzip":     gz,
		"x-gzip":   gz,
		"deflate":  inflater,
		"br":       func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		"zstd": func(r io.Reader) (io.Reader, error) {
			const window = 8 << 20 // what RFC 9659 lets a sender of HTTP use
			d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(window))
			if err != nil {
				return nil, err
			}
			return d.IOReadCloser(), nil
		},
	}
}

// inflater reads "deflate", which is zlib by the standard and bare by habit.
func inflater(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if head, err := b.Peek(2); err == nil && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

// decoding is a chain of decoders.
type decoding struct {
	io.Reader
	layers []*layer
}

func (d *decoding) open(open func(io.Reader) (io.Reader, error)) {
	l := &layer{under: d.Reader, opener: open}
	d.layers = append(d.layers, l)
	d.Reader = l
}

// Close lets the decoders go.
func (d *decoding) Close() error {
	for _, l := range d.layers {
		if c, ok := l.r.(io.Closer); ok {
			_ = c.Close() // it frees memory; nothing is written
		}
	}
	return nil
}

// layer is one decoder, opened when it is first read.
type layer struct {
	under  io.Reader
	opener func(io.Reader) (io.Reader, error)
	r      io.Reader
	err    error
}

func (l *layer) Read(p []byte) (int, error) {
	if l.r == nil && l.err == nil {
		if l.r, l.err = l.opener(l.under); l.err != nil {
			l.r = nil // a nil pointer of some reader, as the openers give it
		}
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.r.Read(p)
}

// markReader marks the errors of the reader beneath.
type markReader struct{ r io.Reader }

func (m markReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errStored, err)
	}
	return n, err
}
