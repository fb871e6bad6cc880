package inflate

import (
	"bytes"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/sluicehq/sluice/internal/wire"
)

// late keeps the encoded bytes and decodes them when all have come.
type late struct {
	m     wire.Meter
	open  func(src io.Reader) (r io.Reader, release func())
	kept  []byte
	lost  bool // there were more than are kept
	gauge gauge
}

func (l *late) Write(p []byte) {
	if l.lost = l.lost || len(l.kept)+len(p) > MaxKept; l.lost {
		l.kept = nil
		return
	}
	l.kept = append(l.kept, p...)
}

// Seen tells nothing before Close, and is not asked after it.
func (l *late) Seen() wire.Sighting { return 0 }

func (l *late) Close() wire.Reading {
	faulty := l.lost
	if len(l.kept) > 0 {
		faulty = l.decode() != nil
		l.kept = nil
	}
	return end(l.m, faulty)
}

// decode hands the decoded bytes to the meter. A cut answer is no error: what was read of it holds.
func (l *late) decode() error {
	r, release := l.open(bytes.NewReader(l.kept))
	defer release()
	l.gauge.in = int64(len(l.kept))
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			l.gauge.out += int64(n)
			l.m.Write(buf[:n])
		}
		switch {
		case err == io.EOF, err == io.ErrUnexpectedEOF:
			return nil
		case err != nil:
			return err
		case l.gauge.over():
			return errFormat
		}
	}
}

//nolint:gochecknoglobals // pools have no state that anyone could see
var (
	brotlis = sync.Pool{New: func() any { return brotli.NewReader(nil) }}

	zstds = sync.Pool{New: func() any {
		// One worker means none: decoding happens in Read. HTTP bounds the window to 8 MB (RFC 9659).
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			panic(err) // the options are wrong
		}
		return d
	}}
)

func openBrotli(src io.Reader) (io.Reader, func()) {
	r := brotlis.Get().(*brotli.Reader)
	if err := r.Reset(src); err != nil {
		return failing{err}, func() {}
	}
	return r, func() { brotlis.Put(r) }
}

func openZstd(src io.Reader) (io.Reader, func()) {
	d := zstds.Get().(*zstd.Decoder)
	if err := d.Reset(src); err != nil {
		return failing{err}, func() {}
	}
	return d, func() {
		if d.Reset(nil) == nil {
			zstds.Put(d)
		}
	}
}

// failing is a Reader that cannot read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
