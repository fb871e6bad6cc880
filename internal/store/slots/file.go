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
	chunkBytes  = chunkSlots * slotBytes

	magic   = "sluice limits"
	version = 1
	order   = 0x0102030405060708 // in the order of bytes of the machine that wrote it
)

// errDamaged says that a file cannot be read as ours.
var errDamaged = errors.New("it is damaged, or of another version")

// file is chunks of slots in a file.
type file struct {
	f      *os.File
	chunks [][]slot
	short  bool // the file could not grow: some slots are not in it
}

// header is how the file begins. Slots are words in the machine's own order, so a file that was carried
// to a machine of another order is not read.
func header() []byte {
	b := append(make([]byte, 0, 64), magic...)
	b = append(b, make([]byte, 16-len(magic))...)
	b = binary.LittleEndian.AppendUint64(b, version)
	b = binary.LittleEndian.AppendUint64(b, uint64(slotBytes))
	return binary.NativeEndian.AppendUint64(b, order)
}

// openFile takes the slots of the file into use. What goes wrong is logged, and leaves counts in memory.
func (s *Store) openFile() {
	f, err := s.existing()
	if errors.Is(err, errDamaged) {
		aside := s.options.Path + ".damaged"
		s.inTrouble("limit counts begin anew; their file was moved aside", err)
		if err = os.Rename(s.options.Path, aside); err == nil {
			err = os.ErrNotExist
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		f, err = s.create()
	}
	if err != nil {
		s.inTrouble("limit counts are in memory only: a restart forgets them", err)
		return
	}
	s.file = f
	damaged := 0
	for _, chunk := range f.chunks {
		damaged += s.index(chunk)
		restSlots(chunk)
	}
	if damaged > 0 {
		s.inTrouble("slots of limit counts were damaged, and begin anew", fmt.Errorf("%d slots", damaged))
	}
}

// existing opens the file that is there.
func (s *Store) existing() (*file, error) {
	f, err := os.OpenFile(s.options.Path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	opened := &file{f: f}
	if err := opened.read(); err != nil {
		_ = opened.close() // nothing was written
		return nil, err
	}
	return opened, nil
}

// read maps what the file has. A piece of a chunk at its end is of a growth that was cut off.
func (f *file) read() error {
	want := header()
	got := make([]byte, len(want))
	if _, err := f.f.ReadAt(got, 0); errors.Is(err, io.EOF) || err == nil && string(got) != string(want) {
		return errDamaged
	} else if err != nil {
		return err
	}
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	for range (info.Size() - headerBytes) / int64(chunkBytes) {
		chunk, err := f.mapNext()
		if err != nil {
			return err
		}
		f.chunks = append(f.chunks, chunk)
	}
	return nil
}

// create makes a file with one chunk, under another name until it is whole.
func (s *Store) create() (*file, error) {
	temp := s.options.Path + ".new"
	if err := s.write(temp); err != nil {
		_ = os.Remove(temp) // nobody looks for it
		return nil, err
	}
	if err := os.Rename(temp, s.options.Path); err != nil {
		return nil, err
	}
	syncDir(filepath.Dir(s.options.Path))
	return s.existing()
}

func (s *Store) write(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = s.allocate(f, 0, headerBytes+int64(chunkBytes))
	if err == nil {
		_, err = f.WriteAt(header(), 0)
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

// index finds the keys of a chunk, and its free slots. It returns how many slots were damaged.
func (s *Store) index(chunk []slot) (damaged int) {
	s.slots += len(chunk)
	for i := range chunk {
		sl := &chunk[i]
		keys := s.shards[sl.check[0]%shardCount].keys
		_, twice := keys[sl.check]
		switch {
		case *sl == slot{}: // written to, its page would have to go to the disk
			s.free = append(s.free, sl)
			continue
		case sl.check == check{}:
		case twice || !sl.counts.Sound():
			damaged++
		default:
			keys[sl.check] = sl
			continue
		}
		sl.counts.Clear()
		sl.check = check{}
		s.free = append(s.free, sl)
	}
	return damaged
}

// end is where the next chunk begins.
func (f *file) end() int64 { return headerBytes + int64(len(f.chunks))*int64(chunkBytes) }

// next makes a chunk of free slots behind the last. It is not part of f yet.
func (f *file) next(allocate func(f *os.File, from, size int64) error) ([]slot, error) {
	// A mapped page that lacks its room on the disk would end the process.
	if err := allocate(f.f, f.end(), int64(chunkBytes)); err != nil {
		return nil, err
	}
	return f.mapNext()
}

func (f *file) mapNext() ([]slot, error) {
	chunk, err := mapSlots(f.f, f.end())
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.f.Name(), err)
	}
	return chunk, nil
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

// flush brings all chunks to the disk. whileStill keeps counting off while it runs.
func (f *file) flush(chunks [][]slot, whileStill func(func())) error {
	var errs []error
	for i, chunk := range chunks {
		errs = append(errs, flushSlots(f.f, headerBytes+int64(i)*int64(chunkBytes), chunk, whileStill))
	}
	return errors.Join(errs...)
}

func (f *file) close() error {
	var errs []error
	for _, chunk := range f.chunks {
		errs = append(errs, unmapSlots(chunk))
	}
	f.chunks = nil
	return errors.Join(append(errs, f.f.Close())...)
}

// bytesOf is a chunk's memory.
func bytesOf(chunk []slot) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&chunk[0])), chunkBytes)
}
