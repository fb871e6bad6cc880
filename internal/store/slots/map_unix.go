//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package slots

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapSlots maps a chunk, shared: what is written is the file's at once, and stays when the process is killed.
func mapSlots(f *os.File, at int64) ([]slot, error) {
	b, err := unix.Mmap(int(f.Fd()), at, chunkBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return unsafe.Slice((*slot)(unsafe.Pointer(&b[0])), chunkSlots), nil
}

// restSlots lets go of a chunk's memory, which most slots of it will not need soon: what they hold is the file's.
func restSlots(chunk []slot) { _ = unix.Madvise(bytesOf(chunk), unix.MADV_DONTNEED) }

// flushSlots waits until the disk has a chunk. Pages that did not change cost nothing.
func flushSlots(_ *os.File, _ int64, chunk []slot, _ func(func())) error {
	return os.NewSyscallError("msync", unix.Msync(bytesOf(chunk), unix.MS_SYNC))
}

func unmapSlots(chunk []slot) error {
	return os.NewSyscallError("munmap", unix.Munmap(bytesOf(chunk)))
}
