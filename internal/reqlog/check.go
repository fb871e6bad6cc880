package reqlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Damage is a place in a segment's file that cannot be read.
type Damage struct {
	File    string // its name
	Offset  int64
	Records uint32 // that are lost with it, or parts of bodies; 0: not known
	What    string
}

// String says it in a sentence.
func (d Damage) String() string {
	text := d.What
	if d.Offset > 0 {
		text = fmt.Sprintf("at byte %d %s", d.Offset, d.What)
	}
	if d.Records > 0 {
		text += fmt.Sprintf("; %d records are lost", d.Records)
	}
	return text
}

// CheckSegments reads all segments, as far as they were written when it came to them, and calls damaged for each place
// that does not hold what was written. What a crash has torn off at an end is none. It returns how many segments there
// are. progress is told the bytes that were read, 0 or more at a time.
func (l *Log) CheckSegments(ctx context.Context, progress func(bytes int64), damaged func(Damage)) (segments int, err error) {
	c := checker{ctx: ctx, unpack: l.unpack, progress: progress, damaged: damaged}
	for _, s := range l.catalog.all() {
		segments++
		for _, file := range [...]struct {
			kind   blockKind
			magic  string
			suffix string
			end    int64
		}{{kindRows, magicRows, rowsSuffix, s.rowsEnd.Load()}, {kindBodies, magicBodies, bodiesSuffix, s.bodiesEnd.Load()}} {
			if file.kind == kindBodies && l.catalog.view(s).bodiesGone {
				continue
			}
			path := segmentPath(l.o.Dir, s.number, file.suffix)
			err := c.file(path, fileHeader{magic: file.magic, segment: s.number}, file.kind, file.end)
			if errors.Is(err, fs.ErrNotExist) { // retention was faster
				continue
			}
			if err != nil {
				return segments, fmt.Errorf("check %s: %w", filepath.Base(path), err)
			}
		}
	}
	return segments, nil
}

// checker checks files of segments one after another.
type checker struct {
	ctx             context.Context //nolint:containedctx // of the one call that it is made for
	unpack          *unpacker
	progress        func(bytes int64)
	damaged         func(Damage)
	stored, payload []byte
}

// file checks one file up to end.
func (c *checker) file(path string, want fileHeader, kind blockKind, end int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	name := filepath.Base(path)
	var head [fileHeaderSize]byte
	if _, err := f.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if h, err := parseFileHeader(head[:], want.magic); err != nil || h.segment != want.segment {
		c.damaged(Damage{File: name, What: "its header is damaged"})
		return nil
	}
	off := int64(fileHeaderSize)
	for {
		if err := c.ctx.Err(); err != nil {
			return context.Cause(c.ctx)
		}
		h, err := readHeader(f, off, end, want.segment)
		if errors.Is(err, errNoBlock) {
			return c.ending(f, name, off, end, want.segment)
		}
		if err != nil {
			return err
		}
		if h.kind != kind {
			return nil // the end block
		}
		if err := c.block(f, name, off, h); err != nil {
			return err
		}
		n := blockHeaderSize + int64(h.stored)
		c.progress(n)
		off += n
	}
}

// block checks the payload of one block, and the records in it.
func (c *checker) block(f io.ReaderAt, name string, off int64, h blockHeader) (err error) {
	if c.stored, err = readStored(f, off, h, c.stored); err == nil {
		c.payload, err = c.unpack.unpack(c.payload, h, c.stored)
	}
	if errors.Is(err, errDamaged) {
		c.damaged(Damage{File: name, Offset: off, Records: h.records, What: "a block's checksum is wrong"})
		return nil
	}
	if err != nil || h.kind != kindRows {
		return err
	}
	n := uint32(0)
	for left := c.payload; len(left) > 0; n++ {
		if _, left, err = splitRecord(left); err != nil {
			break
		}
	}
	if n != h.records {
		c.damaged(Damage{File: name, Offset: off, Records: h.records - min(n, h.records), What: fmt.Sprintf("a block has %d records, and should have %d", n, h.records)})
	}
	return nil
}

// ending looks at what is behind the last block, where readers stop: if there is another one, what lies between them is
// damaged, and not the torn end that a crash leaves.
func (c *checker) ending(f io.ReaderAt, name string, off, end int64, segment uint64) error {
	const step = 1 << 20
	piece := make([]byte, step+blockHeaderSize)
	for at := off; at < end; at += step {
		n, err := f.ReadAt(piece[:min(int64(len(piece)), end-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		for left := piece[:n]; ; {
			i := bytes.Index(left, []byte(magicBlock))
			if i < 0 {
				break
			}
			left = left[i:]
			if _, err := parseBlockHeader(left, segment); err == nil && at+int64(n-len(left)) > off {
				c.damaged(Damage{File: name, Offset: off, What: fmt.Sprintf("a block's header is damaged; what follows it, %d bytes on, is not read", at+int64(n-len(left))-off)})
				return nil
			}
			left = left[len(magicBlock):]
		}
		if n < len(piece) {
			return nil
		}
	}
	return nil
}
