package reqlog

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sort"
	"sync"

	sluice "github.com/sluicehq/sluice"
)

// errNoBody is what Body says when nothing is stored, or no longer.
func errNoBody(cause error) error {
	return &sluice.Error{Kind: sluice.KindNotFound, Msg: "this body is not stored, or no longer", Err: cause}
}

// Body opens a stored body of row. Its error has sluice.KindNotFound when nothing is stored, or no
// longer. The bytes are as they passed, up to what was kept: still encoded where Encoding says so. The caller
// closes it. A read fails when a block of the body is damaged or was removed meanwhile.
func (l *Log) Body(ctx context.Context, row Row, side Side) (io.ReadCloser, error) {
	if side > ResponseSide || len(row.Parts[side]) == 0 {
		return nil, errNoBody(nil)
	}
	b := &bodyReader{log: l, ctx: ctx, parts: slices.Clone(row.Parts[side])}
	if err := b.advance(); err != nil {
		_ = b.Close()
		if errors.Is(err, errDamaged) || errors.Is(err, errNoBlock) || errors.Is(err, fs.ErrNotExist) {
			return nil, errNoBody(err)
		}
		return nil, err
	}
	return b, nil
}

// bodyReader reads a body part by part. It holds one block.
type bodyReader struct {
	log   *Log
	ctx   context.Context // of the call that opened it: a body is read within one request
	parts []Part
	left  []byte

	f             *os.File
	segment       *segment
	generation    int
	block         uint32
	stored, bytes []byte // of block
}

// Read reads on.
func (b *bodyReader) Read(p []byte) (int, error) {
	for len(b.left) == 0 {
		if len(b.parts) == 0 {
			return 0, io.EOF
		}
		if err := b.advance(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// Close lets go of the file.
func (b *bodyReader) Close() error {
	if b.f != nil {
		_ = b.f.Close()
		b.f = nil
	}
	return nil
}

// advance opens the next part.
func (b *bodyReader) advance() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	p := b.parts[0]
	if b.bytes == nil || b.segment.number != p.Segment || b.block != p.Block {
		if err := b.load(p); err != nil {
			return err
		}
	}
	if uint64(p.Offset)+uint64(p.Length) > uint64(len(b.bytes)) {
		return errDamaged
	}
	b.parts = b.parts[1:]
	b.left = b.bytes[p.Offset : p.Offset+p.Length]
	return nil
}

// load reads the block that p lies in.
func (b *bodyReader) load(p Part) (err error) {
	if b.f == nil || b.segment.number != p.Segment {
		_ = b.Close()
		if b.f, b.segment, b.generation, err = b.log.catalog.openBodies(p.Segment); err != nil {
			b.f, b.bytes = nil, nil
			return err
		}
	}
	h, off, err := b.log.bodies.find(b.f, b.segment, b.generation, p.Block)
	if err != nil {
		return err
	}
	if b.stored, err = readStored(b.f, off, h, b.stored); err != nil {
		return err
	}
	b.bytes, err = b.log.unpack.unpack(b.bytes, h, b.stored)
	b.block = p.Block
	return err
}

// maxBodyIndexes is how many segments' blocks are remembered.
const maxBodyIndexes = 8

// bodyIndexes remembers where blocks of bodies files begin. It is safe for concurrent use.
type bodyIndexes struct {
	mu   sync.Mutex
	list []*bodyIndex // the last used at the end
}

// bodyIndex is of one segment, as far as it was looked through.
type bodyIndex struct {
	segment    uint64
	generation int
	numbers    []uint32 // growing
	offsets    []int64
	end        int64
}

// find returns a block's header and where it begins in f, the bodies file of s.
func (x *bodyIndexes) find(f *os.File, s *segment, generation int, block uint32) (blockHeader, int64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	index := x.index(s.number, generation)
	for len(index.numbers) == 0 || index.numbers[len(index.numbers)-1] < block {
		h, err := readHeader(f, index.end, s.bodiesEnd.Load(), s.number)
		if err != nil {
			return blockHeader{}, 0, err
		}
		index.numbers = append(index.numbers, uint32(h.number))
		index.offsets = append(index.offsets, index.end)
		index.end += blockHeaderSize + int64(h.stored)
	}
	i := sort.Search(len(index.numbers), func(i int) bool { return index.numbers[i] >= block })
	if index.numbers[i] != block {
		return blockHeader{}, 0, errNoBlock
	}
	h, err := readHeader(f, index.offsets[i], unknownEnd, s.number)
	return h, index.offsets[i], err
}

// index returns the segment's index, empty when it was not remembered.
func (x *bodyIndexes) index(segment uint64, generation int) *bodyIndex {
	for i, n := range x.list {
		if n.segment == segment {
			x.list = append(slices.Delete(x.list, i, i+1), n)
			if n.generation != generation { // of a file that was replaced, or is being read to its end
				*n = bodyIndex{segment: segment, generation: generation, end: fileHeaderSize}
			}
			return n
		}
	}
	if len(x.list) >= maxBodyIndexes {
		x.list = slices.Delete(x.list, 0, 1)
	}
	n := &bodyIndex{segment: segment, generation: generation, end: fileHeaderSize}
	x.list = append(x.list, n)
	return n
}
