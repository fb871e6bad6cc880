package wiretest

import (
	"encoding/binary"
	"hash/crc32"
)

// Frame makes a frame of an event stream in Amazon's binary framing. headers are already encoded.
func Frame(headers, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(headers)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(headers)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, headers...), payload...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// FrameHeaders encodes headers whose values are strings: names and values in turn.
func FrameHeaders(pairs ...string) []byte {
	const kindString = 7
	var b []byte
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		b = append(append(b, byte(len(name))), name...)
		b = binary.BigEndian.AppendUint16(append(b, kindString), uint16(len(value)))
		b = append(b, value...)
	}
	return b
}
