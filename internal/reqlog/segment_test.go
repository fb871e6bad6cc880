package reqlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// writeLog makes a log of n exchanges with bodies, one block for each, and returns their ids.
func writeLog(t testing.TB, dir string, n int) []sluice.ID {
	t.Helper()
	l := openLog(t, Options{Dir: dir, Durability: Strict}, newMemory())
	var ids sluice.IDs
	var all []sluice.ID
	for range n {
		x := begin(l, ids.New(time.Now()), time.Now())
		l.Capture(&x.Bodies[RequestSide], 1<<20)
		x.Bodies[RequestSide].Whole(bytes.Repeat(x.Entry.ID[:], 20))
		if err := l.Wait(t.Context(), l.End(x, false)); err != nil {
			t.Fatal(err)
		}
		all = append(all, x.Entry.ID)
	}
	closeLog(t, l)
	return all
}

// readAll reads every record of the rows files in dir.
func readAll(t testing.TB, dir string) (ids []sluice.ID) {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	c, err := loadCatalog(dir, logger)
	if err != nil {
		t.Fatal(err)
	}
	r := &rowsReader{catalog: c, unpack: newUnpacker(), logger: logger}
	defer r.close()
	for {
		b, _, err := r.next()
		if errors.Is(err, io.EOF) {
			return ids
		}
		if err != nil {
			t.Fatal(err)
		}
		var rec Record
		if err := decodeRecord(string(b), &rec, c.body); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, rec.Entry.ID)
	}
}

func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	ids := writeLog(t, dir, 4)
	path := segmentPath(dir, 1, rowsSuffix)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Without the end block; starts[i] is where block i begins.
	whole = whole[:len(whole)-blockHeaderSize]
	var starts []int
	for off := fileHeaderSize; off < len(whole); {
		h, err := parseBlockHeader(whole[off:], 1)
		if err != nil {
			t.Fatal(err)
		}
		starts = append(starts, off)
		off += blockHeaderSize + int(h.stored)
	}
	if len(starts) != len(ids) {
		t.Fatalf("%d blocks, want %d", len(starts), len(ids))
	}
	write := func(b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for cut := starts[3]; cut < len(whole); cut++ {
		zeroes := bytes.Clone(whole)
		clear(zeroes[cut:])
		for what, b := range map[string][]byte{
			"cut": whole[:cut], "cut, allocated ahead": append(zeroes, make([]byte, 512)...),
		} {
			write(b)
			// Zeroes may be what stood there.
			if got := readAll(t, dir); len(got) != 3 && !bytes.Equal(b[:len(whole)], whole) {
				t.Fatalf("%s at %d: %d records, want 3", what, cut, len(got))
			}
		}
	}

	t.Run("a log goes on behind it, in a segment of its own", func(t *testing.T) {
		write(append(bytes.Clone(whole[:len(whole)-3]), make([]byte, 4096)...))
		more := writeLog(t, dir, 2)
		got := readAll(t, dir)
		if len(got) != 5 || got[3] != more[0] || got[4] != more[1] {
			t.Errorf("records %v, want three and %v", got, more)
		}
	})

	t.Run("a damaged block in the middle is skipped", func(t *testing.T) {
		b := bytes.Clone(whole)
		b[starts[1]+blockHeaderSize+5] ^= 1
		write(b)
		if got := readAll(t, dir); len(got) != 5 || got[0] != ids[0] || got[1] != ids[2] {
			t.Errorf("records %v", got)
		}
	})
}

func TestNotASegment(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"00000001.rows": "", "00000002.rows": "short", "00000003.rows": string(make([]byte, 500)),
		"00000004.bodies": "alone", "x.rows": "", "00000000.rows": "", "00000005.rows.tmp": "left over",
	} {
		if err := os.WriteFile(dir+"/"+name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ids := writeLog(t, dir, 3)
	if got := readAll(t, dir); len(got) != 3 || got[0] != ids[0] {
		t.Errorf("records %v, want %v", got, ids)
	}
	if left := filesIn(t, dir, "*.tmp"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBlockKeepsItsPayload(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	u := newUnpacker()
	for _, n := range []int{0, 1, 100, 70_000, blockBytes, maxRecord} {
		for what, payload := range map[string][]byte{"noise": noise(rng, n), "random": random(rng, n)} {
			b := appendBlock([]byte("before"), blockHeader{segment: 9, number: 3, records: 2}, payload)[6:]
			h, err := parseBlockHeader(b, 9)
			if err != nil {
				t.Fatal(err)
			}
			got, err := u.unpack(nil, h, b[blockHeaderSize:])
			if err != nil || !bytes.Equal(got, payload) || int(h.stored) != len(b)-blockHeaderSize {
				t.Errorf("%s of %d bytes: %v", what, n, err)
			}
			if _, err := parseBlockHeader(b, 10); !errors.Is(err, errNoBlock) {
				t.Errorf("another segment's block: %v", err)
			}
			if n > 0 {
				b[blockHeaderSize+n/4] ^= 0x10
				if _, err := u.unpack(nil, h, b[blockHeaderSize:]); !errors.Is(err, errDamaged) {
					t.Errorf("damaged %s of %d bytes: %v", what, n, err)
				}
			}
		}
	}
}

func random(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// FuzzSegment reads any bytes as a rows file and as a bodies file.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	writeLog(f, dir, 3)
	for _, suffix := range []string{rowsSuffix, bodiesSuffix} {
		b, err := os.ReadFile(segmentPath(dir, 1, suffix))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)*2/3])
	}
	u := newUnpacker()
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		for off := int64(fileHeaderSize); ; {
			h, err := readHeader(r, off, unknownEnd, 1)
			if err != nil {
				return
			}
			stored, err := readStored(r, off, h, nil)
			if err == nil {
				if payload, err := u.unpack(nil, h, stored); err == nil && len(payload) != int(h.unpacked) {
					t.Errorf("%d bytes, header says %d", len(payload), h.unpacked)
				} else if err == nil {
					eatRecords(payload)
				}
			}
			off += blockHeaderSize + int64(h.stored)
		}
	})
}

// FuzzUnpack unpacks any bytes under a header that vouches for them.
func FuzzUnpack(f *testing.F) {
	b := appendBlock(nil, blockHeader{}, bytes.Repeat([]byte("payload "), 50))
	f.Add(uint8(codecS2), uint32(400), b[blockHeaderSize:])
	f.Add(uint8(codecNone), uint32(3), []byte("abc"))
	f.Add(uint8(codecZstd), uint32(0), []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1, 0, 0})
	u := newUnpacker()
	f.Fuzz(func(t *testing.T, c uint8, unpacked uint32, stored []byte) {
		var head [blockHeaderSize]byte
		h := blockHeader{codec: codec(c), unpacked: unpacked % (maxUnpacked + 1)}
		whole := finishBlock(append(head[:], stored...), 0, h, int(h.unpacked))
		h, err := parseBlockHeader(whole, 0)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := u.unpack(nil, h, stored)
		if err == nil && len(payload) != int(h.unpacked) {
			t.Errorf("%d bytes, header says %d", len(payload), h.unpacked)
		}
		eatRecords(payload)
	})
}

func eatRecords(block []byte) {
	var r Record
	where := func(b uint64) (uint64, uint32) { return b, uint32(b) }
	for {
		record, rest, err := splitRecord(block)
		if err != nil {
			return
		}
		_ = decodeRecord(string(record), &r, where)
		block = rest
	}
}

func TestHeadersAreOfTheirSize(t *testing.T) {
	h := fileHeader{magic: magicRows, segment: 5, firstBody: 6 << 32, created: time.Unix(7, 8)}
	b := appendFileHeader(nil, h)
	got, err := parseFileHeader(b, magicRows)
	if err != nil || got.segment != 5 || got.firstBody != 6<<32 || !got.created.Equal(h.created) || len(b) != fileHeaderSize {
		t.Errorf("%+v, %v, %d bytes", got, err, len(b))
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 4
		if _, err := parseFileHeader(c, magicRows); err == nil {
			t.Errorf("byte %d changed, and nobody saw it", i)
		}
	}
	block := appendBlock(nil, blockHeader{segment: 5}, []byte("payload"))
	for i := range blockHeaderSize {
		c := bytes.Clone(block)
		c[i] ^= 4
		if _, err := parseBlockHeader(c, 5); err == nil {
			t.Errorf("byte %d of a block header changed, and nobody saw it", i)
		}
	}
	binary.LittleEndian.PutUint32(block[20:], maxStored+1)
	if _, err := parseBlockHeader(block, 5); err == nil {
		t.Error("a length beyond all bounds")
	}
}
