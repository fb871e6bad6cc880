package inflate

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"iter"
	"sync"

	"github.com/klauspost/compress/flate"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire"
)

var errFormat = errors.New("inflate: not in the format that was announced")

// live decodes gzip or deflate as the bytes come. The decoder pulls, Write pushes: so the decoder runs
// in a coroutine, which is suspended whenever it wants a byte that has not come.
type live struct {
	m      wire.Meter
	gzip   bool
	in     []byte // what is left of the current Write
	undone []byte // bytes that were read too far
	ended  bool   // no bytes will come any more
	over   bool   // the decoder has returned
	faulty bool
	gauge  gauge
	yield  func(struct{}) bool
	next   func() (struct{}, bool)
	stop   func()
}

func newLive(m wire.Meter, gzip bool) *live { return &live{m: m, gzip: gzip} }

func (l *live) Write(p []byte) {
	if l.over || len(p) == 0 {
		return
	}
	if l.next == nil {
		l.next, l.stop = iter.Pull(l.run)
	}
	l.in = p
	l.gauge.in += int64(len(p))
	l.resume()
	l.in = nil
}

// resume runs the decoder until it wants more bytes than there are, or is done.
func (l *live) resume() {
	if _, more := l.next(); !more {
		l.over = true
	}
}

func (l *live) Seen() wire.Sighting { return l.m.Seen() }

// SoFar returns the usage that the bytes so far have reported.
func (l *live) SoFar() sluice.Usage {
	if m, ok := l.m.(wire.Progress); ok {
		return m.SoFar()
	}
	return sluice.Usage{}
}

func (l *live) Close() wire.Reading {
	if l.next != nil {
		l.ended = true
		if !l.over {
			l.resume()
		}
		l.stop()
	}
	return end(l.m, l.faulty)
}

// ReadByte gives the decoder the next byte, and suspends it until there is one.
func (l *live) ReadByte() (byte, error) {
	if len(l.undone) > 0 {
		c := l.undone[0]
		l.undone = l.undone[1:]
		return c, nil
	}
	if !l.wait() {
		return 0, io.EOF
	}
	c := l.in[0]
	l.in = l.in[1:]
	return c, nil
}

// Read is ReadByte for many.
func (l *live) Read(p []byte) (int, error) {
	if len(l.undone) > 0 && len(p) > 0 {
		c, err := l.ReadByte()
		p[0] = c
		return 1, err
	}
	if !l.wait() {
		return 0, io.EOF
	}
	n := copy(p, l.in)
	l.in = l.in[n:]
	return n, nil
}

func (l *live) wait() bool {
	for len(l.in) == 0 {
		if l.ended || !l.yield(struct{}{}) {
			return false
		}
	}
	return true
}

// decoder is what can be used for one answer after the other: 45 KB.
type decoder struct {
	flate io.ReadCloser
	buf   [4 << 10]byte
}

//nolint:gochecknoglobals // a pool has no state that anyone could see
var decoders = sync.Pool{New: func() any { return &decoder{flate: flate.NewReader(nowhere{})} }}

// release gives d back, without what it read from.
func (d *decoder) release() {
	if d.flate.(flate.Resetter).Reset(nowhere{}, nil) == nil {
		decoders.Put(d)
	}
}

// nowhere is the source of a decoder that is not in use.
type nowhere struct{}

func (nowhere) Read([]byte) (int, error) { return 0, io.EOF }
func (nowhere) ReadByte() (byte, error)  { return 0, io.EOF }

// run is the coroutine.
func (l *live) run(yield func(struct{}) bool) {
	l.yield = yield
	d := decoders.Get().(*decoder)
	defer d.release()
	decode := l.deflate
	if l.gzip {
		decode = l.members
	}
	// Bytes that end too soon are a cut answer: what was read of it holds, as it does without encoding.
	if err := decode(d); err != nil && !(l.ended && errors.Is(err, io.ErrUnexpectedEOF)) {
		l.faulty = true
	}
}

// members decodes gzip (RFC 1952): members one after the other.
func (l *live) members(d *decoder) error {
	for first := true; ; first = false {
		if err := l.header(first); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
		sum, size, err := l.flate(d, true)
		if err != nil {
			return err
		}
		var trailer [8]byte
		if _, err := io.ReadFull(l, trailer[:]); err != nil {
			return unexpected(err)
		}
		if binary.LittleEndian.Uint32(trailer[:]) != sum || binary.LittleEndian.Uint32(trailer[4:]) != size {
			return errFormat
		}
	}
}

// header reads a member's header. io.EOF: there is no other member; padding behind the last one is none.
func (l *live) header(first bool) error {
	const (
		hasSum     = 1 << 1
		hasExtra   = 1 << 2
		hasName    = 1 << 3
		hasComment = 1 << 4
	)
	var h [10]byte
	if n, err := io.ReadFull(l, h[:]); err != nil {
		if n == 0 || !first {
			return io.EOF
		}
		return unexpected(err)
	}
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 {
		if !first {
			return io.EOF
		}
		return errFormat
	}
	if h[3]&hasExtra != 0 {
		var size [2]byte
		if _, err := io.ReadFull(l, size[:]); err != nil {
			return unexpected(err)
		}
		if err := l.skip(int(binary.LittleEndian.Uint16(size[:]))); err != nil {
			return err
		}
	}
	for _, text := range []byte{hasName, hasComment} {
		if h[3]&text != 0 {
			if err := l.skipText(); err != nil {
				return err
			}
		}
	}
	if h[3]&hasSum != 0 {
		return l.skip(2)
	}
	return nil
}

func (l *live) skip(n int) error {
	for range n {
		if _, err := l.ReadByte(); err != nil {
			return unexpected(err)
		}
	}
	return nil
}

// skipText skips a text that ends in a zero byte.
func (l *live) skipText() error {
	for {
		if c, err := l.ReadByte(); err != nil {
			return unexpected(err)
		} else if c == 0 {
			return nil
		}
	}
}

// deflate decodes the coding called "deflate": zlib's format (RFC 1950) by its definition, a bare
// deflate stream where a server got that wrong.
func (l *live) deflate(d *decoder) error {
	var h [2]byte
	if n, err := io.ReadFull(l, h[:]); err != nil {
		if n == 0 {
			return nil
		}
		return unexpected(err)
	}
	if zlib := h[0]&0x0f == 8 && binary.BigEndian.Uint16(h[:])%31 == 0; !zlib {
		l.undone = h[:]
	} else if h[1]&0x20 != 0 {
		return errFormat // it wants a dictionary
	}
	_, _, err := l.flate(d, false)
	return err
}

// flate decodes one deflate stream (RFC 1951) to its end, and returns the sum, if it is wanted, and the
// size, as gzip counts it.
func (l *live) flate(d *decoder, summed bool) (sum, size uint32, err error) {
	if err := d.flate.(flate.Resetter).Reset(l, nil); err != nil {
		return 0, 0, err
	}
	for {
		n, err := d.flate.Read(d.buf[:])
		if summed {
			sum = crc32.Update(sum, crc32.IEEETable, d.buf[:n])
		}
		size += uint32(n)
		l.gauge.out += int64(n)
		if n > 0 {
			l.m.Write(d.buf[:n])
		}
		switch {
		case err == io.EOF:
			return sum, size, nil
		case err != nil:
			return 0, 0, err
		case l.gauge.over():
			return 0, 0, errFormat
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
