//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package slots

import (
	"bytes"
	"os"
	"unsafe"
)

// mapBytes reads a chunk into memory: here the file is written with each flush only, so that a process
// that is killed loses what it counted since.
func mapBytes(f *os.File, at int64, size int) ([]byte, error) {
	words := make([]uint64, size/8) // aligned as slots need it
	chunk := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), size)
	if _, err := f.ReadAt(chunk, at); err != nil {
		return nil, err
	}
	return chunk, nil
}

// restBytes does nothing: here the memory is all there is.
func restBytes([]byte) {}

// flushBytes writes a chunk.
func flushBytes(f *os.File, at int64, chunk []byte, still func(func())) error {
	var copied []byte
	still(func() { copied = bytes.Clone(chunk) })
	if _, err := f.WriteAt(copied, at); err != nil {
		return err
	}
	return f.Sync()
}

func unmapBytes([]byte) error { return nil }
