package eventstream

import "encoding/binary"

// header is one header of a frame.
type header struct {
	name, value []byte
	kind        byte
}

// Types of a header's value.
const (
	kindBytes  = 6
	kindString = 7
)

// field reads the header that b begins with, and returns how long it is: 0 when it is none.
func field(b []byte) (h header, size int) {
	if len(b) < 2 || b[0] == 0 || len(b) < 2+int(b[0]) {
		return header{}, 0
	}
	i := 1 + int(b[0])
	h = header{name: b[1:i], kind: b[i]}
	i++
	// True, false, byte, 16, 32 and 64 bits, bytes, string, time, UUID.
	sizes := [...]int{0, 0, 1, 2, 4, 8, 0, 0, 8, 16}
	if int(h.kind) >= len(sizes) {
		return header{}, 0
	}
	n := sizes[h.kind]
	if h.kind == kindBytes || h.kind == kindString {
		if len(b) < i+2 {
			return header{}, 0
		}
		n = int(binary.BigEndian.Uint16(b[i:]))
		i += 2
	}
	if len(b) < i+n {
		return header{}, 0
	}
	h.value = b[i : i+n]
	return h, i + n
}

// fields reports whether b is made of headers.
func fields(b []byte) bool {
	for len(b) > 0 {
		_, size := field(b)
		if size == 0 {
			return false
		}
		b = b[size:]
	}
	return true
}
