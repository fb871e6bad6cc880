package cache

import "encoding/binary"

// WithMeta is the head of a record with this meta, and checksums that fit.
func WithMeta(meta []byte) []byte {
	b := AppendRecord(nil, Record{Entry: &Entry{}})[:recordFixed]
	binary.BigEndian.PutUint32(b[8:], uint32(len(meta)))
	binary.BigEndian.PutUint32(b[72:], headSum(b[:72], meta))
	return append(b, meta...)
}
