package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// A Record is an Entry with its scope and key, as it is written outside the process:
//
//	magic       4 bytes  "SLCE"
//	version     1
//	flags       1        1: a stream, 2: it ended with its connection
//	status      2        numbers are big-endian
//	meta length 4
//	body length 8
//	stored      8        nanoseconds since 1970
//	expires     8
//	key         32
//	CRC of body 4        CRC-32C
//	CRC of head 4        of all before it, and meta
//	meta                 account, gateway, provider, model, encoding, step, fields of the header, nanoseconds it took (may be missing)
//	body
//
// In meta numbers are unsigned varints, and texts stand behind their lengths.
type Record struct {
	Scope Scope
	Key   Key
	Entry *Entry
}

const (
	recordMagic   = "SLCE"
	recordVersion = 1
	recordFixed   = 76
	// maxMeta bounds what is read as meta: far more than a header may have.
	maxMeta = 4 << 20
)

// errRecord: the bytes are not a record, or not whole, or not those that were written.
var errRecord = errors.New("cache: not a record")

// AppendRecord appends r's bytes to b.
func AppendRecord(b []byte, r Record) []byte {
	e, start := r.Entry, len(b)
	var flags byte
	if e.Streamed {
		flags |= 1
	}
	if e.ByClose {
		flags |= 2
	}
	b = append(append(b, recordMagic...), recordVersion, flags)
	b = binary.BigEndian.AppendUint16(b, uint16(e.Status))
	lengthAt := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(len(e.Body)))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Stored.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Expires.UnixNano()))
	b = append(b, r.Key[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(e.Body, crc32.MakeTable(crc32.Castagnoli)))
	sumAt := len(b)
	b = append(b, 0, 0, 0, 0)
	metaAt := len(b)
	for _, s := range [...]string{r.Scope.Account, r.Scope.Gateway, e.Provider, e.Model, e.Encoding} {
		b = appendText(b, s)
	}
	b = binary.AppendUvarint(b, uint64(e.Step))
	b = binary.AppendUvarint(b, uint64(len(e.Header)))
	for i := range e.Header {
		b = appendText(appendText(b, e.Header[i].Name), e.Header[i].Value)
	}
	if e.Took > 0 {
		b = binary.AppendUvarint(b, uint64(e.Took))
	}
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-metaAt))
	binary.BigEndian.PutUint32(b[sumAt:], headSum(b[start:sumAt], b[metaAt:]))
	return append(b, e.Body...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func headSum(fixed, meta []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(fixed, table), table, meta)
}

// ParseRecord reads all of a record; nothing may follow. The entry's body is a part of b. Every error
// means that b is not what AppendRecord wrote.
func ParseRecord(b []byte) (Record, error) {
	r, head, err := ParseRecordHead(b)
	if err != nil {
		return Record{}, err
	}
	if int64(len(b)) != head+r.Entry.Length {
		return Record{}, errRecord
	}
	r.Entry.Body = b[head:len(b):len(b)]
	if crc32.Checksum(r.Entry.Body, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[68:]) {
		return Record{}, errRecord
	}
	return r, nil
}

// ParseRecordHead reads what comes before a record's body, which its Entry lacks; Entry.Length is the
// body's length. head is the length of what comes before it. b may end anywhere behind it; where b
// ends before it, the error is one and head says how much is needed, 0 if that is not the reason.
func ParseRecordHead(b []byte) (r Record, head int64, err error) {
	if len(b) < recordFixed {
		return Record{}, recordFixed, errRecord
	}
	metaLen, bodyLen := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint64(b[12:])
	if string(b[:4]) != recordMagic || b[4] != recordVersion || metaLen > maxMeta || bodyLen > math.MaxInt64/2 {
		return Record{}, 0, errRecord
	}
	head = recordFixed + int64(metaLen)
	if int64(len(b)) < head {
		return Record{}, head, errRecord
	}
	meta := b[recordFixed:head]
	if headSum(b[:72], meta) != binary.BigEndian.Uint32(b[72:]) {
		return Record{}, 0, errRecord
	}
	e := &Entry{
		Head: Head{
			Status: int(binary.BigEndian.Uint16(b[6:])), Length: int64(bodyLen), Streamed: b[5]&1 != 0, ByClose: b[5]&2 != 0,
		},
		Stored:  time.Unix(0, int64(binary.BigEndian.Uint64(b[20:]))),
		Expires: time.Unix(0, int64(binary.BigEndian.Uint64(b[28:]))),
	}
	r = Record{Entry: e}
	copy(r.Key[:], b[36:])
	m := texts{rest: string(meta)} // one copy for all of them
	for _, to := range [...]*string{&r.Scope.Account, &r.Scope.Gateway, &e.Provider, &e.Model, &e.Encoding} {
		*to = m.text()
	}
	e.Step = int(m.number() & math.MaxInt32)
	n := m.number()
	if n > uint64(len(m.rest)/2) { // a field has two lengths, at least
		return Record{}, 0, errRecord
	}
	if n > 0 {
		e.Header = make(sluice.Header, n)
	}
	for i := range e.Header {
		e.Header[i] = sluice.Field{Name: m.text(), Value: m.text()}
	}
	if m.rest != "" {
		if e.Took = time.Duration(m.number()); e.Took <= 0 {
			return Record{}, 0, errRecord
		}
	}
	if m.bad || m.rest != "" {
		return Record{}, 0, errRecord
	}
	return r, head, nil
}

// texts reads meta.
type texts struct {
	rest string
	bad  bool
}

func (m *texts) number() uint64 {
	var n uint64
	for i := range min(len(m.rest), binary.MaxVarintLen64) {
		c := m.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			m.rest = m.rest[i+1:]
			return n
		}
	}
	m.bad, m.rest = true, ""
	return 0
}

func (m *texts) text() string {
	n := m.number()
	if n > uint64(len(m.rest)) {
		m.bad, m.rest = true, ""
		return ""
	}
	s := m.rest[:n]
	m.rest = m.rest[n:]
	return s
}
