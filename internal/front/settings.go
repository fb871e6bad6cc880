package front

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"strings"
)

// settings reads a client's side of an HTTP/2 connection for net/http's server, which takes a SETTINGS frame that
// names a value twice for an attack. RFC 9113, 6.5.3, wants the values processed in their order: here the last one
// of each is left. All other bytes go through as they are.
//
// It ends where the connection does not begin with HTTP/2's preface, or with nothing in time: net/http would go on
// with HTTP/1.1, which was not agreed on.
type settings struct {
	from io.Reader
	part []byte // what has come of what must be whole: the preface, a frame's head, a SETTINGS frame
	want int    // its length
	out  []byte // to be given on
	left int    // of a frame's payload, which passes
	ours bool   // the preface has come
	room [headBytes + settingBytes*maxSettings]byte
}

const (
	preface      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	headBytes    = 9 // of a frame
	settingBytes = 6
	// maxSettings is how many values a frame has that is looked at. net/http refuses larger ones.
	maxSettings = 100

	typeSettings = 4
	flagAck      = 1
)

func newSettings(from io.Reader) *settings {
	s := &settings{from: from, want: len(preface)}
	s.part = s.room[:0]
	return s
}

// Read implements io.Reader.
func (s *settings) Read(p []byte) (int, error) {
	for len(p) > 0 {
		if len(s.out) > 0 {
			n := copy(p, s.out)
			s.out = s.out[n:]
			return n, nil
		}
		if s.left > 0 {
			n, err := s.from.Read(p[:min(len(p), s.left)])
			s.left -= n
			return n, err
		}
		n, err := s.from.Read(s.room[len(s.part):s.want])
		s.part = s.room[:len(s.part)+n]
		switch {
		case !s.ours && (err != nil && len(s.part) < s.want || !strings.HasPrefix(preface, string(s.part))):
			s.from, s.part = eof{}, s.room[:0]
			return 0, cmp.Or(err, io.EOF)
		case len(s.part) == s.want:
			s.whole()
		case errors.Is(err, io.EOF): // cut: as it is
			s.give(s.part)
		}
		if err != nil && len(s.out) == 0 {
			return 0, err
		}
	}
	return 0, nil
}

// eof is the end of a connection.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// whole takes the part that has just come whole.
func (s *settings) whole() {
	b := s.part
	switch {
	case !s.ours:
		s.ours = true
		s.give(b)
	case s.want > headBytes:
		s.give(lastOfEach(b))
	default:
		length := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		if b[3] == typeSettings && b[4]&flagAck == 0 && length%settingBytes == 0 && length > settingBytes && length <= settingBytes*maxSettings {
			s.want = headBytes + length
			return
		}
		s.give(b)
		s.left = length
	}
}

// give hands b, which lies in the room, on; a frame's head comes next.
func (s *settings) give(b []byte) {
	s.out, s.part, s.want = b, s.room[:0], headBytes
}

// lastOfEach leaves of a SETTINGS frame the last value of each name, in place.
func lastOfEach(frame []byte) []byte {
	var seen [maxSettings]uint16
	to, named := len(frame), 0
values:
	for i := len(frame) - settingBytes; i >= headBytes; i -= settingBytes {
		name := binary.BigEndian.Uint16(frame[i:])
		for _, other := range seen[:named] {
			if name == other {
				continue values
			}
		}
		seen[named] = name
		named++
		to -= settingBytes
		copy(frame[to:], frame[i:i+settingBytes])
	}
	n := headBytes + copy(frame[headBytes:], frame[to:])
	length := n - headBytes
	frame[0], frame[1], frame[2] = byte(length>>16), byte(length>>8), byte(length)
	return frame[:n]
}
