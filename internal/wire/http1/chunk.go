package http1

import (
	"errors"
	"strings"

	sluice "github.com/sluicehq/sluice"
)

const (
	maxChunkDigits = 15       // hexadecimal: what an int64 holds in any case
	maxTrailer     = 32 << 10 // bytes
	maxTrailers    = 100      // fields
	// Extensions may make up this many bytes more than the data they stand beside.
	maxExtensions = 16 << 10
)

// Errors of chunked bodies.
var (
	ErrChunk      = errors.New("malformed chunked body")
	ErrExtensions = errors.New("more chunk extensions than data")
	ErrTrailer    = errors.New("the trailer section is too large")
)

// chunkState is what the next byte of a chunked body is.
type chunkState uint8

const (
	chunkSize      chunkState = iota // a digit of a chunk's size
	chunkSpace                       // white space behind the size, which only the line's end may follow
	chunkExtension                   // dropped
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkDone
)

// Chunked takes chunked bodies apart (RFC 9112, 7.1). The zero value stands before the first byte. Sizes
// of more than 15 digits, extensions that outweigh the data and trailer sections over 32 KB are refused.
type Chunked struct {
	state   chunkState
	digits  int
	left    int64 // of the chunk's data; while the size is read, the size so far
	excess  int64 // bytes of extensions not yet made good by data
	trailer []byte
	fields  sluice.Header // of the trailer section, once done
	empty   [2]byte       // room for a trailer section without fields: the usual one
}

// Done reports whether the body has ended.
func (d *Chunked) Done() bool { return d.state == chunkDone }

// Trailer returns the fields behind the body, once it is done: without those of framing and routing,
// which must not come there (RFC 9110, 6.5.1).
func (d *Chunked) Trailer() sluice.Header { return d.fields }

// Decode takes framing and data from the front of src and puts the data into dst, which may be src
// itself: data only moves towards the front. It returns how much it wrote and took. It leaves bytes
// when dst is full, or behind the end of the body.
func (d *Chunked) Decode(dst, src []byte) (wrote, took int, err error) {
	for took < len(src) && d.state != chunkDone {
		if d.state == chunkData {
			n := copy(dst[wrote:], src[took:min(int64(len(src)), int64(took)+d.left)])
			if n == 0 {
				return wrote, took, nil
			}
			wrote, took, d.left = wrote+n, took+n, d.left-int64(n)
			if d.left == 0 {
				d.state = chunkDataCR
			}
			continue
		}
		if err := d.step(src[took]); err != nil {
			return wrote, took, err
		}
		took++
	}
	return wrote, took, nil
}

// step takes one byte of framing.
func (d *Chunked) step(c byte) error {
	switch d.state {
	case chunkSize:
		return d.sizeByte(c)
	case chunkSpace:
		switch c {
		case ' ', '\t':
			return d.extension()
		case '\r':
			d.state = chunkSizeLF
			return nil
		}
		return ErrChunk
	case chunkExtension:
		if c == '\r' {
			d.state = chunkSizeLF
			return nil
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			return ErrChunk
		}
		return d.extension()
	case chunkSizeLF:
		return d.sizeEnd(c)
	case chunkDataCR:
		d.state = chunkDataLF
		return want(c, '\r')
	case chunkDataLF:
		d.state, d.digits = chunkSize, 0
		return want(c, '\n')
	default:
		return d.trailerByte(c)
	}
}

func want(c, wanted byte) error {
	if c != wanted {
		return ErrChunk
	}
	return nil
}

func (d *Chunked) sizeByte(c byte) error {
	digit := int64(-1)
	switch {
	case '0' <= c && c <= '9':
		digit = int64(c - '0')
	case 'a' <= c && c <= 'f':
		digit = int64(c-'a') + 10
	case 'A' <= c && c <= 'F':
		digit = int64(c-'A') + 10
	}
	if digit >= 0 {
		if d.digits == maxChunkDigits {
			return ErrChunk
		}
		d.digits++
		d.left = d.left<<4 | digit
		return nil
	}
	if d.digits == 0 {
		return ErrChunk
	}
	switch c {
	case '\r':
		d.state = chunkSizeLF
	case ';':
		d.state = chunkExtension
		return d.extension()
	case ' ', '\t':
		d.state = chunkSpace
		return d.extension()
	default:
		return ErrChunk
	}
	return nil
}

func (d *Chunked) extension() error {
	if d.excess++; d.excess > maxExtensions {
		return ErrExtensions
	}
	return nil
}

func (d *Chunked) sizeEnd(c byte) error {
	d.state = chunkData
	if d.left == 0 {
		d.state, d.trailer = chunkTrailer, d.empty[:0]
	}
	d.excess = max(0, d.excess-d.left)
	return want(c, '\n')
}

// trailerByte gathers the trailer section, and reads it when its empty line has come.
func (d *Chunked) trailerByte(c byte) error {
	if len(d.trailer) == maxTrailer {
		return ErrTrailer
	}
	d.trailer = append(d.trailer, c)
	if c != '\n' {
		return nil
	}
	t := d.trailer
	if len(t) < 2 || t[len(t)-2] != '\r' {
		return ErrBareLF
	}
	if len(t) > 2 && t[len(t)-3] != '\n' {
		return nil
	}
	d.state = chunkDone
	d.trailer = nil
	if len(t) == 2 {
		return nil
	}
	fields, err := ParseFields(string(t), nil, maxTrailers)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if !framing(f.Name) {
			d.fields = append(d.fields, f)
		}
	}
	return nil
}

// framing reports whether a field says where a message ends, where it goes, or what one hop does.
func framing(name string) bool {
	for _, f := range [...]string{
		"content-length", "transfer-encoding", "host", "connection", "trailer", "te", "upgrade", "expect",
		"keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate",
	} {
		if strings.EqualFold(name, f) {
			return true
		}
	}
	return false
}
