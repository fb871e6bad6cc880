package reqlog

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// preallocate makes room for f up to end, filled with zeroes, so that writes into it change no
// metadata. A file system that cannot is no error.
func preallocate(f *os.File, from, end int64) error {
	err := unix.Fallocate(int(f.Fd()), 0, from, end-from)
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		return nil
	}
	return err
}

// syncData brings f's data, and what is needed to read it, to the disk.
func syncData(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}

// diskFree returns the bytes that can still be written in dir's file system, -1 when not known.
func diskFree(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * s.Bsize
}

// diskSize returns the space that a file takes.
func diskSize(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
