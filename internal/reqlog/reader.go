package reqlog

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
)

// rowsReader reads the records of the rows files in order, from any position. It is for one
// goroutine and holds one block.
type rowsReader struct {
	catalog *catalog
	unpack  *unpacker
	logger  *slog.Logger

	at  Pos // of the next record; before the block's first when none is open
	f   *os.File
	seg *segment
	off int64

	stored, block []byte
	left          []byte // of block
	closed        int64  // when the block was closed, unix milliseconds
}

func newRowsReader(l *Log, at Pos) *rowsReader {
	return &rowsReader{catalog: l.catalog, unpack: l.unpack, logger: l.o.Logger, at: at}
}

// next returns the next record and where it stands; the bytes hold until the next call. io.EOF: there
// is none yet. gone says that segments were removed that should have come first.
func (r *rowsReader) next() (record []byte, pos Pos, err error) {
	for {
		for len(r.left) > 0 {
			var rest []byte
			if record, rest, err = splitRecord(r.left); err != nil {
				r.logger.Warn("rest of a log block left out", "segment", r.at.Segment, "block", r.at.Block, "error", err)
				r.left = nil
				break
			}
			r.left = rest
			pos = r.at
			if len(rest) == 0 {
				r.at = Pos{Segment: pos.Segment, Block: pos.Block + 1}
			} else {
				r.at.Record++
			}
			return record, pos, nil
		}
		if err = r.nextBlock(); err != nil {
			return nil, Pos{}, err
		}
	}
}

// nextBlock opens the block at r.at, or the first behind it.
func (r *rowsReader) nextBlock() error {
	for {
		if r.f == nil {
			if err := r.openSegment(); err != nil {
				return err
			}
		}
		sealed, end := r.seg.sealed.Load(), r.seg.rowsEnd.Load() // in this order
		h, err := readHeader(r.f, r.off, end, r.seg.number)
		switch {
		case errors.Is(err, errNoBlock) && !sealed:
			return io.EOF
		case errors.Is(err, errNoBlock), err == nil && h.kind != kindRows:
			r.leave()
			continue
		case err != nil:
			return err
		}
		off := r.off
		r.off += blockHeaderSize + int64(h.stored)
		if h.number < uint64(r.at.Block) {
			continue
		}
		if err := r.readBlock(h, off); err != nil {
			if !errors.Is(err, errDamaged) {
				r.off = off
				return err
			}
			r.logger.Warn("damaged log block left out", "segment", r.seg.number, "block", h.number, "records", h.records)
			r.at = Pos{Segment: r.seg.number, Block: uint32(h.number) + 1}
			continue
		}
		return nil
	}
}

// readBlock unpacks a block and moves to r.at's record in it.
func (r *rowsReader) readBlock(h blockHeader, off int64) (err error) {
	if r.stored, err = readStored(r.f, off, h, r.stored); err != nil {
		return err
	}
	if r.block, err = r.unpack.unpack(r.block, h, r.stored); err != nil {
		return err
	}
	skip := r.at.Record
	if h.number > uint64(r.at.Block) {
		skip = 0
	}
	r.at = Pos{Segment: r.seg.number, Block: uint32(h.number), Record: skip}
	r.left, r.closed = r.block, h.closed
	for range skip {
		if _, r.left, err = splitRecord(r.left); err != nil {
			return errDamaged
		}
	}
	if len(r.left) == 0 {
		r.at = Pos{Segment: r.seg.number, Block: uint32(h.number) + 1}
	}
	return nil
}

// openSegment opens the segment of r.at, or the first behind it.
func (r *rowsReader) openSegment() error {
	for {
		s := r.catalog.from(r.at.Segment)
		if s == nil {
			return io.EOF
		}
		if s.number != r.at.Segment {
			r.at = Pos{Segment: s.number}
		}
		f, err := os.Open(segmentPath(r.catalog.dir, s.number, rowsSuffix))
		if errors.Is(err, fs.ErrNotExist) { // retention was faster
			r.at = Pos{Segment: s.number + 1}
			continue
		}
		if err != nil {
			return err
		}
		r.f, r.seg, r.off = f, s, fileHeaderSize
		return nil
	}
}

// leave goes on to the next segment.
func (r *rowsReader) leave() {
	r.at = Pos{Segment: r.seg.number + 1}
	r.close()
}

func (r *rowsReader) close() {
	if r.f != nil {
		_ = r.f.Close()
		r.f, r.left = nil, nil
	}
}
