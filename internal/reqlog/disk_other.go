//go:build !linux

package reqlog

import (
	"io/fs"
	"os"
)

// preallocate does nothing: segments grow as they are written.
func preallocate(*os.File, int64, int64) error { return nil }

// syncData brings f's data to the disk.
func syncData(f *os.File) error { return f.Sync() }

// diskFree is not known here.
func diskFree(string) int64 { return -1 }

// diskSize returns a file's length.
func diskSize(info fs.FileInfo) int64 { return info.Size() }
