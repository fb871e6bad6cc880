//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package slots

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapBytes maps a chunk, shared: what is written is the file's at once, and stays when the process is killed.
func mapBytes(f *os.File, at int64, size int) ([]byte, error) {
	b, err := unix.Mmap(int(f.Fd()), at, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return b, os.NewSyscallError("mmap", err)
}

// restBytes lets go of a chunk's memory, which most slots of it will not need soon: what they hold is the file's.
func restBytes(chunk []byte) { _ = unix.Madvise(chunk, unix.MADV_DONTNEED) }

// flushBytes waits until the disk has a chunk. Pages that did not change cost nothing.
func flushBytes(_ *os.File, _ int64, chunk []byte, _ func(func())) error {
	return os.NewSyscallError("msync", unix.Msync(chunk, unix.MS_SYNC))
}

func unmapBytes(chunk []byte) error {
	return os.NewSyscallError("munmap", unix.Munmap(chunk))
}
