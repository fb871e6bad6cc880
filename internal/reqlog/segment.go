package reqlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// A segment is a rows file and a bodies file of the same number. Each begins with a file header and
// then holds blocks: a block header and the stored payload. All integers are little endian.
//
// A rows file that was closed in order ends with a block of kindEnd that sums it up. One that was
// not ends where no valid block header follows: in zeroes, because files are allocated ahead, in a
// torn header, or at the end of the file. A block whose header is whole and whose payload is not is
// skipped.
//
// Body blocks are numbered through the whole log, because a record names the block of its bodies
// before it is known which segment that block will go to. A segment's rows file tells the number of
// its first body block; numbers within a segment are relative to it. Rows blocks are numbered
// within their segment, from 0.

// File header.
//
//	 0  8 bytes  magic
//	 8  uint64   segment
//	16  uint64   number of the segment's first body block in the log
//	24  int64    when it was made, unix nanoseconds
//	32  24 bytes zero
//	56  4 bytes  zero
//	60  uint32   CRC-32C of the 60 bytes before
const (
	fileHeaderSize = 64
	magicRows      = "SluRows1"
	magicBodies    = "SluBody1"
)

// fileHeader is what the header of a rows or bodies file says.
type fileHeader struct {
	magic     string
	segment   uint64
	firstBody uint64
	created   time.Time
}

func appendFileHeader(b []byte, h fileHeader) []byte {
	at := len(b)
	b = append(b, h.magic...)
	b = binary.LittleEndian.AppendUint64(b, h.segment)
	b = binary.LittleEndian.AppendUint64(b, h.firstBody)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.created.UnixNano()))
	b = append(b, make([]byte, fileHeaderSize-4-(len(b)-at))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[at:], castagnoli()))
}

var errNoSegment = errors.New("not a segment file")

func parseFileHeader(b []byte, magic string) (fileHeader, error) {
	if len(b) < fileHeaderSize || string(b[:8]) != magic ||
		crc32.Checksum(b[:fileHeaderSize-4], castagnoli()) != binary.LittleEndian.Uint32(b[fileHeaderSize-4:]) {
		return fileHeader{}, errNoSegment
	}
	return fileHeader{
		magic: magic, segment: binary.LittleEndian.Uint64(b[8:]), firstBody: binary.LittleEndian.Uint64(b[16:]),
		created: time.Unix(0, int64(binary.LittleEndian.Uint64(b[24:]))),
	}, nil
}

// Block header.
//
//	 0  4 bytes  magic, with the version
//	 4  uint8    kind
//	 5  uint8    codec
//	 6  uint16   flags: 1, exchanges are deleted by one of its records (of kindEnd: of the segment's)
//	 8  uint64   number
//	16  uint32   low half of the segment's number, lest a block be taken for another segment's
//	20  uint32   stored length
//	24  uint32   unpacked length
//	28  uint32   records, or parts of bodies
//	32  uint64   number of the first record in the log since the process started, from 1
//	40  int64    start of the newest exchange in it, unix milliseconds
//	48  int64    when it was closed, unix milliseconds
//	56  uint32   CRC-32C of the stored payload
//	60  uint32   CRC-32C of the 60 bytes before
const (
	blockHeaderSize = 64
	magicBlock      = "SLB1"

	// maxStored and maxUnpacked are the lengths that a reader believes.
	maxStored   = 16 << 20
	maxUnpacked = 16 << 20
)

type blockKind uint8

// Kinds of blocks. Values are stored: never renumber.
const (
	kindRows   blockKind = 0
	kindBodies blockKind = 1
	kindEnd    blockKind = 2 // no payload: number, records and newest are of the whole segment
)

type codec uint8

// Codecs of blocks. Values are stored: never renumber.
const (
	codecNone codec = 0
	codecS2   codec = 1
	codecZstd codec = 2
)

// blockHeader is what a block's header says.
type blockHeader struct {
	kind     blockKind
	codec    codec
	segment  uint64
	number   uint64
	stored   uint32
	unpacked uint32
	records  uint32
	first    uint64
	newest   int64
	closed   int64
	sum      uint32
	deletes  bool
}

const flagDeletes = 1 // of a block

// putBlockHeader writes h into b's first blockHeaderSize bytes.
func putBlockHeader(b []byte, h blockHeader) {
	le := binary.LittleEndian
	copy(b, magicBlock)
	b[4], b[5], b[6], b[7] = byte(h.kind), byte(h.codec), byte(bit(h.deletes, flagDeletes)), 0
	le.PutUint64(b[8:], h.number)
	le.PutUint32(b[16:], uint32(h.segment))
	le.PutUint32(b[20:], h.stored)
	le.PutUint32(b[24:], h.unpacked)
	le.PutUint32(b[28:], h.records)
	le.PutUint64(b[32:], h.first)
	le.PutUint64(b[40:], uint64(h.newest))
	le.PutUint64(b[48:], uint64(h.closed))
	le.PutUint32(b[56:], h.sum)
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli()))
}

// errNoBlock is what stands where no block begins: the end of what was written.
var errNoBlock = errors.New("no block")

func parseBlockHeader(b []byte, segment uint64) (blockHeader, error) {
	le := binary.LittleEndian
	if len(b) < blockHeaderSize || string(b[:4]) != magicBlock || crc32.Checksum(b[:60], castagnoli()) != le.Uint32(b[60:]) {
		return blockHeader{}, errNoBlock
	}
	h := blockHeader{
		kind: blockKind(b[4]), codec: codec(b[5]), segment: segment, number: le.Uint64(b[8:]),
		stored: le.Uint32(b[20:]), unpacked: le.Uint32(b[24:]), records: le.Uint32(b[28:]), first: le.Uint64(b[32:]),
		newest: int64(le.Uint64(b[40:])), closed: int64(le.Uint64(b[48:])), sum: le.Uint32(b[56:]), deletes: b[6]&flagDeletes != 0,
	}
	if le.Uint32(b[16:]) != uint32(segment) || h.stored > maxStored || h.unpacked > maxUnpacked {
		return blockHeader{}, errNoBlock
	}
	return h, nil
}

// castagnoli returns the table of CRC-32C; the standard library makes it once.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// appendBlock appends a block to b: h, completed, and payload as s2 where that makes it smaller. Bodies are stored in
// the older half of that format, Snappy's: it takes a quarter less time and an eighth more room, until they are
// recompressed.
func appendBlock(b []byte, h blockHeader, payload []byte) []byte {
	at := len(b)
	room := at + blockHeaderSize + max(s2.MaxEncodedLen(len(payload)), len(payload))
	if cap(b) < room {
		b = append(make([]byte, 0, max(room, 2*cap(b))), b...)
	}
	b = b[:room]
	body := b[at+blockHeaderSize:]
	h.codec = codecS2
	encode := s2.Encode
	if h.kind == kindBodies {
		encode = s2.EncodeSnappy
	}
	stored := encode(body, payload)
	n := len(stored)
	if n >= len(payload) {
		h.codec = codecNone
		n = copy(body, payload)
	}
	return finishBlock(b[:at+blockHeaderSize+n], at, h, len(payload))
}

// finishBlock writes the header of the block that begins at at and goes to b's end.
func finishBlock(b []byte, at int, h blockHeader, unpacked int) []byte {
	stored := b[at+blockHeaderSize:]
	h.stored, h.unpacked = uint32(len(stored)), uint32(unpacked)
	h.sum = crc32.Checksum(stored, castagnoli())
	putBlockHeader(b[at:], h)
	return b
}

// errDamaged is a block whose payload is not what its header says.
var errDamaged = errors.New("damaged block")

// unpacker unpacks blocks of every codec. It is safe for concurrent use.
type unpacker struct{ zstd func() *zstd.Decoder }

func newUnpacker() *unpacker {
	return &unpacker{zstd: sync.OnceValue(func() *zstd.Decoder {
		// Only invalid options give an error.
		d, _ := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
		return d
	})}
}

// unpack returns the payload of a stored block, in dst's room where it fits.
func (u *unpacker) unpack(dst []byte, h blockHeader, stored []byte) ([]byte, error) {
	if crc32.Checksum(stored, castagnoli()) != h.sum {
		return nil, errDamaged
	}
	var payload []byte
	var err error
	switch h.codec {
	case codecNone:
		payload = append(dst[:0], stored...)
	case codecS2:
		if n, e := s2.DecodedLen(stored); e != nil || n != int(h.unpacked) {
			return nil, errDamaged
		}
		payload, err = s2.Decode(dst[:cap(dst)], stored)
	case codecZstd:
		payload, err = u.zstd().DecodeAll(stored, dst[:0])
	default:
		return nil, fmt.Errorf("%w: codec %d", errDamaged, h.codec)
	}
	if err != nil || len(payload) != int(h.unpacked) {
		return nil, errDamaged
	}
	return payload, nil
}

// readHeader reads the block header at off. end is where what was written ends, or a large number
// when only the bytes can tell.
func readHeader(f io.ReaderAt, off, end int64, segment uint64) (blockHeader, error) {
	var b [blockHeaderSize]byte
	if off+blockHeaderSize > end {
		return blockHeader{}, errNoBlock
	}
	if _, err := f.ReadAt(b[:], off); err != nil {
		if errors.Is(err, io.EOF) {
			err = errNoBlock
		}
		return blockHeader{}, err
	}
	return parseBlockHeader(b[:], segment)
}

// readStored reads a block's payload as stored, in buf's room where it fits.
func readStored(f io.ReaderAt, off int64, h blockHeader, buf []byte) ([]byte, error) {
	if cap(buf) < int(h.stored) {
		buf = make([]byte, h.stored)
	}
	buf = buf[:h.stored]
	if _, err := f.ReadAt(buf, off+blockHeaderSize); err != nil {
		if errors.Is(err, io.EOF) {
			err = errDamaged
		}
		return nil, err
	}
	return buf, nil
}

// The files' names.
const (
	rowsSuffix   = ".rows"
	bodiesSuffix = ".bodies"
	tempSuffix   = ".tmp"
	reserveName  = "reserve"
)

func segmentPath(dir string, number uint64, suffix string) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", number, suffix))
}

// segmentNumber reads the number off a file's name.
func segmentNumber(name, suffix string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0
}
