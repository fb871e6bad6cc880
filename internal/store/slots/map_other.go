//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package slots

import (
	"bytes"
	"os"
)

// mapSlots reads a chunk into memory: here the file is written with each flush only, so that a process
// that is killed loses what it counted since.
func mapSlots(f *os.File, at int64) ([]slot, error) {
	chunk := make([]slot, chunkSlots)
	if _, err := f.ReadAt(bytesOf(chunk), at); err != nil {
		return nil, err
	}
	return chunk, nil
}

// restSlots does nothing: here the memory is all there is.
func restSlots([]slot) {}

// flushSlots writes a chunk.
func flushSlots(f *os.File, at int64, chunk []slot, whileStill func(func())) error {
	var still []byte
	whileStill(func() { still = bytes.Clone(bytesOf(chunk)) })
	if _, err := f.WriteAt(still, at); err != nil {
		return err
	}
	return f.Sync()
}

func unmapSlots([]slot) error { return nil }
