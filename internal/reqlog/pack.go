package reqlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	// idleShare is the share of one core, as its inverse, that the process may use to be called idle.
	idleShare = 20
	// idleLooks is how many times in a row it must have been: half a minute, for a pause in the traffic is
	// no reason to begin what takes seconds.
	idleLooks = 6
	// packStep is after how many bytes recompression rests for as long as they took.
	packStep = 1 << 20
)

// repack recompresses the oldest finished segment that was not yet, when the process is idle.
func (k *keeper) repack(ctx context.Context) {
	k.idle++
	if k.use.busy(0) || k.low > 0 || k.bodiesFull.Load() {
		k.idle = 0
	}
	if k.idle < idleLooks {
		return
	}
	for _, s := range k.log.catalog.all() {
		if k.log.catalog.view(s).packed || !k.indexed(s) {
			continue
		}
		if err := k.pack(ctx, s); err != nil && !errors.Is(err, errBusy) && ctx.Err() == nil {
			k.failed(fmt.Errorf("recompress segment %d: %w", s.number, err))
		}
		return
	}
}

// use is how much CPU the process had used at the last look.
type use struct {
	cpu time.Duration
	at  time.Time
}

// busy reports whether the process has used more than a share of a core since the last look, besides own.
// Records alone do not tell: streams that are open for long make few.
func (u *use) busy(own time.Duration) bool {
	before := *u
	u.cpu, u.at = cpuTime(), time.Now()
	return u.cpu-before.cpu-own > u.at.Sub(before.at)/idleShare
}

// pack recompresses both files of s with zstd. Numbers of blocks and places in them stay; what is
// behind a torn end goes.
func (k *keeper) pack(ctx context.Context, s *segment) error {
	p, err := newPacker(ctx, k.log)
	if err != nil {
		return err
	}
	defer p.close()
	if !k.log.catalog.view(s).bodiesGone {
		if err := p.file(s, kindBodies, bodiesSuffix); err != nil {
			return err
		}
	}
	// The rows file is last, because its end block says that both are done.
	if err := p.file(s, kindRows, rowsSuffix); err != nil {
		return err
	}
	k.log.catalog.set(func() { s.packed = true })
	return nil
}

// packer recompresses files.
type packer struct {
	ctx                   context.Context // of the one pack that it is made for
	log                   *Log
	zstd                  *zstd.Encoder
	stored, bytes, packed []byte
	work                  int
	since                 time.Time
	use                   use  // as of the last rest
	always                bool // whatever else goes on
	// edit changes a block's payload, which it may do in place, and reports whether it did. nil: nobody does.
	edit func(h blockHeader, payload []byte) ([]byte, bool)
	half bool // the other file of the segment is not recompressed
}

func newPacker(ctx context.Context, l *Log) (*packer, error) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(blockBytes),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	p := &packer{ctx: ctx, log: l, zstd: e, since: time.Now()}
	p.use.busy(0)
	return p, nil
}

func (p *packer) close() { _ = p.zstd.Close() }

// file recompresses one file into a temporary one and puts that in its place.
func (p *packer) file(s *segment, kind blockKind, suffix string) error {
	path := segmentPath(p.log.o.Dir, s.number, suffix)
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	temp, err := os.OpenFile(path+tempSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = p.blocks(from, temp, s, kind)
	if err == nil {
		err = temp.Sync()
	}
	info, statErr := temp.Stat()
	if err = errors.Join(err, statErr, temp.Close()); err != nil {
		_ = os.Remove(path + tempSuffix)
		return err
	}
	if err := p.log.catalog.replace(s, kind, path, diskSize(info)); err != nil {
		_ = os.Remove(path + tempSuffix)
		return err
	}
	return syncDir(p.log.o.Dir)
}

// blocks writes from's header and blocks to to, and for rows an end block.
func (p *packer) blocks(from io.ReaderAt, to io.Writer, s *segment, kind blockKind) error {
	w := bufio.NewWriterSize(to, 256<<10)
	var head [fileHeaderSize]byte
	if _, err := from.ReadAt(head[:], 0); err != nil {
		return err
	}
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	end := blockHeader{kind: kindEnd, codec: codecZstd, segment: s.number, closed: time.Now().UnixMilli()}
	for off := int64(fileHeaderSize); ; {
		h, err := readHeader(from, off, unknownEnd, s.number)
		if errors.Is(err, errNoBlock) || err == nil && h.kind != kind {
			break
		}
		if err == nil {
			err = p.block(from, off, h, w)
		}
		if err != nil {
			return err
		}
		off += blockHeaderSize + int64(h.stored)
		end.number, end.records, end.newest = h.number+1, end.records+h.records, max(end.newest, h.newest)
	}
	if kind == kindRows {
		if p.half {
			end.codec = codecNone
		}
		end.deletes = p.log.catalog.view(s).deletes
		var b [blockHeaderSize]byte
		putBlockHeader(b[:], end)
		if _, err := w.Write(b[:]); err != nil {
			return err
		}
	}
	return w.Flush()
}

// block writes one block, recompressed where that makes it smaller. A damaged one is copied as it is.
func (p *packer) block(from io.ReaderAt, off int64, h blockHeader, w io.Writer) (err error) {
	if p.stored, err = readStored(from, off, h, p.stored); err != nil {
		if errors.Is(err, errDamaged) { // torn: nothing is behind it
			return nil
		}
		return err
	}
	b, unpackErr := p.log.unpack.unpack(p.bytes, h, p.stored)
	p.packed = append(p.packed[:0], make([]byte, blockHeaderSize)...)
	edited := false
	if unpackErr == nil {
		p.bytes = b
		if p.edit != nil {
			b, edited = p.edit(h, b)
		}
	}
	if unpackErr == nil && (edited || h.codec != codecZstd) {
		p.packed = p.zstd.EncodeAll(b, p.packed)
	}
	if n := len(p.packed) - blockHeaderSize; n > 0 && (edited || n < len(p.stored)) {
		h.codec = codecZstd
		p.packed = finishBlock(p.packed, 0, h, len(b))
	} else {
		p.packed = append(p.packed[:blockHeaderSize], p.stored...)
		putBlockHeader(p.packed, h)
	}
	if _, err := w.Write(p.packed); err != nil {
		return err
	}
	return p.rest(len(p.stored))
}

// errBusy ends a recompression that traffic came into, or somebody who wants to hold the log. It begins again when the log is idle: the keeper has
// other things to see to meanwhile.
var errBusy = errors.New("the log is busy")

// rest rests for as long as the last step took, so that half a core is used at most.
func (p *packer) rest(n int) error {
	if p.log.keeper.hold.wanted.Load() > 0 {
		return errBusy
	}
	if p.work += n; p.work < packStep {
		return p.ctx.Err()
	}
	took := time.Since(p.since)
	if !sleep(p.ctx, took) {
		return p.ctx.Err()
	}
	if p.use.busy(took) && !p.always {
		return errBusy
	}
	p.work, p.since = 0, time.Now()
	return nil
}
