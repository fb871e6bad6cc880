package slots

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unsafe"
)

const (
	// headerBytes stand before the first chunk: a page of the largest kind.
	headerBytes = 64 << 10

	magicBytes = 16
	version    = 1
	order      = 0x0102030405060708 // in the order of bytes of the machine that wrote it
)

// errDamaged says that a file cannot be read as ours.
var errDamaged = errors.New("it is damaged, or of another version")

// file is chunks of slots in a file.
type file[S any] struct {
	f      *os.File
	chunks [][]S
	short  bool // the file could not grow: some slots are not in it
}

// bytesPerChunk is how long a chunk of slots is.
func bytesPerChunk[S any]() int {
	var s S
	return chunkSlots * int(unsafe.Sizeof(s))
}

// header is how the file begins. Slots are words in the machine's own order, so a file that was carried
// to a machine of another order is not read.
func (p *pool[S]) header() []byte {
	b := append(make([]byte, 0, 64), p.magic...)
	b = append(b, make([]byte, magicBytes-len(p.magic))...)
	b = binary.LittleEndian.AppendUint64(b, version)
	b = binary.LittleEndian.AppendUint64(b, uint64(bytesPerChunk[S]()/chunkSlots))
	return binary.NativeEndian.AppendUint64(b, order)
}

// existing opens the file that is there.
func (p *pool[S]) existing() (*file[S], error) {
	f, err := os.OpenFile(p.path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	opened := &file[S]{f: f}
	if err := opened.read(p.header()); err != nil {
		_ = opened.close() // nothing was written
		return nil, err
	}
	return opened, nil
}

// read maps what the file has. A piece of a chunk at its end is of a growth that was cut off.
func (f *file[S]) read(header []byte) error {
	got := make([]byte, len(header))
	if _, err := f.f.ReadAt(got, 0); errors.Is(err, io.EOF) || err == nil && string(got) != string(header) {
		return errDamaged
	} else if err != nil {
		return err
	}
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	for range (info.Size() - headerBytes) / int64(bytesPerChunk[S]()) {
		chunk, err := f.mapNext()
		if err != nil {
			return err
		}
		f.chunks = append(f.chunks, chunk)
	}
	return nil
}

// create makes a file with one chunk, under another name until it is whole.
func (p *pool[S]) create() (*file[S], error) {
	temp := p.path + ".new"
	if err := p.write(temp); err != nil {
		_ = os.Remove(temp) // nobody looks for it
		return nil, err
	}
	if err := os.Rename(temp, p.path); err != nil {
		return nil, err
	}
	syncDir(filepath.Dir(p.path))
	return p.existing()
}

func (p *pool[S]) write(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = p.allocate(f, 0, headerBytes+int64(bytesPerChunk[S]()))
	if err == nil {
		_, err = f.WriteAt(p.header(), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes a new name last. Where a directory cannot be synced, it needs no syncing or has none.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// end is where the next chunk begins.
func (f *file[S]) end() int64 { return headerBytes + int64(len(f.chunks))*int64(bytesPerChunk[S]()) }

// next makes a chunk of free slots behind the last. It is not part of f yet.
func (f *file[S]) next(allocate func(f *os.File, from, size int64) error) ([]S, error) {
	// A mapped page that lacks its room on the disk would end the process.
	if err := allocate(f.f, f.end(), int64(bytesPerChunk[S]())); err != nil {
		return nil, err
	}
	return f.mapNext()
}

func (f *file[S]) mapNext() ([]S, error) {
	b, err := mapBytes(f.f, f.end(), bytesPerChunk[S]())
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.f.Name(), err)
	}
	return unsafe.Slice((*S)(unsafe.Pointer(&b[0])), chunkSlots), nil
}

// writeZeroes is allocate where a file system has no better way.
func writeZeroes(f *os.File, from, size int64) error {
	zeroes := make([]byte, 64<<10)
	for size > 0 {
		n, err := f.WriteAt(zeroes[:min(size, int64(len(zeroes)))], from)
		if err != nil {
			return err
		}
		from, size = from+int64(n), size-int64(n)
	}
	return nil
}

// flush brings all chunks to the disk. still keeps writers off while it runs.
func (f *file[S]) flush(chunks [][]S, still func(func())) error {
	var errs []error
	for i, chunk := range chunks {
		errs = append(errs, flushBytes(f.f, headerBytes+int64(i)*int64(bytesPerChunk[S]()), bytesOf(chunk), still))
	}
	return errors.Join(errs...)
}

func (f *file[S]) close() error {
	var errs []error
	for _, chunk := range f.chunks {
		errs = append(errs, unmapBytes(bytesOf(chunk)))
	}
	f.chunks = nil
	return errors.Join(append(errs, f.f.Close())...)
}

// bytesOf is a chunk's memory.
func bytesOf[S any](chunk []S) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&chunk[0])), bytesPerChunk[S]())
}
