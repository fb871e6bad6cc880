// Package eventstream splits a stream in Amazon's binary framing, application/vnd.amazon.eventstream, as
// its bytes come, in any cuts and in bounded memory. A frame is
//
//	length of the frame           4 bytes, big endian
//	length of its headers         4
//	CRC-32 of these 8 bytes       4
//	headers: for each its name's length (1), its name, its value's type (1), its value
//	payload
//	CRC-32 of all before          4
//
// (https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html and
// https://smithy.io/2.0/aws/amazon-eventstream.html, read 2026-11).
package eventstream

import (
	"encoding/binary"
	"hash/crc32"
)

// Bounds, in bytes.
const (
	MaxFrame   = 16 << 20  // a longer frame is a fault
	MaxHeaders = 128 << 10 // so are more headers in one
	MaxPayload = 1 << 20   // of a longer payload, only the beginning is kept
)

const (
	preludeSize = 12
	crcSize     = 4
	keepRoom    = 64 << 10 // room for frames that is kept from one to the next
)

// Message is what a frame holds. It is valid during the call that hands it over.
type Message struct {
	Payload []byte
	Cut     bool // the payload was longer
	headers []byte
}

// Header returns the value of a header that is a string, and nil when there is none of that name.
func (m Message) Header(name string) []byte {
	for rest := m.headers; len(rest) > 0; {
		f, size := field(rest)
		if string(f.name) == name && f.kind == kindString {
			return f.value
		}
		rest = rest[size:]
	}
	return nil
}

// Handler takes what a Splitter finds.
type Handler interface {
	// Message is called with each frame that came whole and unharmed.
	Message(m Message)
}

// Splitter splits one stream. The zero Splitter is at its beginning. A frame that is not as it should be
// ends the reading: nothing behind it can be trusted.
type Splitter struct {
	broken bool
	got    int // bytes of the frame that have come
	size   size
	head   [preludeSize]byte
	kept   []byte // headers and payload, as far as they are kept
	sum    uint32 // of what has come
	want   uint32 // what it should be, as far as it has come
}

// size is what a frame's prelude says.
type size struct{ total, headers int }

// Broken reports whether a fault has ended the reading.
func (s *Splitter) Broken() bool { return s.broken }

// Write takes the next bytes and hands what they hold to h. p is not kept.
func (s *Splitter) Write(p []byte, h Handler) {
	for len(p) > 0 && !s.broken {
		if s.got == 0 && len(p) >= preludeSize {
			z, ok := prelude(p[:preludeSize])
			if !ok {
				s.fail()
				return
			}
			if len(p) >= z.total {
				end := z.total - crcSize
				intact := crc32.ChecksumIEEE(p[:end]) == binary.BigEndian.Uint32(p[end:])
				s.deliver(p[preludeSize:end], z, intact, h)
				p = p[z.total:]
				continue
			}
		}
		p = s.gather(p, h)
	}
}

// gather takes bytes of a frame that comes in pieces, and returns the rest.
func (s *Splitter) gather(p []byte, h Handler) []byte {
	if s.got < preludeSize {
		n := copy(s.head[s.got:], p)
		if s.got += n; s.got == preludeSize {
			var ok bool
			if s.size, ok = prelude(s.head[:]); !ok {
				s.fail()
			}
			s.sum, s.kept = crc32.ChecksumIEEE(s.head[:]), s.kept[:0]
		}
		return p[n:]
	}
	end := s.size.total - crcSize
	if s.got < end {
		piece := p[:min(len(p), end-s.got)]
		s.sum = crc32.Update(s.sum, crc32.IEEETable, piece)
		room := s.size.headers + MaxPayload - len(s.kept)
		s.kept = append(s.kept, piece[:min(len(piece), room)]...)
		s.got += len(piece)
		p = p[len(piece):]
	}
	for len(p) > 0 && s.got >= end && s.got < s.size.total {
		s.want = s.want<<8 | uint32(p[0])
		s.got++
		p = p[1:]
	}
	if s.got == s.size.total {
		s.got = 0
		s.deliver(s.kept, s.size, s.sum == s.want, h)
		if cap(s.kept) > keepRoom {
			s.kept = nil
		}
	}
	return p
}

// deliver hands over a frame. b is its headers and what there is of its payload.
func (s *Splitter) deliver(b []byte, z size, intact bool, h Handler) {
	if !intact || !fields(b[:z.headers]) {
		s.fail()
		return
	}
	m := Message{headers: b[:z.headers], Payload: b[z.headers:]}
	if z.total-z.headers-preludeSize-crcSize > MaxPayload {
		m.Payload, m.Cut = m.Payload[:MaxPayload], true
	}
	h.Message(m)
}

func (s *Splitter) fail() { *s = Splitter{broken: true} }

// prelude reads a frame's first bytes.
func prelude(b []byte) (size, bool) {
	total, headers := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	ok := crc32.ChecksumIEEE(b[:8]) == binary.BigEndian.Uint32(b[8:]) &&
		total <= MaxFrame && headers <= MaxHeaders && total >= headers+preludeSize+crcSize
	return size{int(total), int(headers)}, ok
}
