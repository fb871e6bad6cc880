//go:build !linux

package slots

import "os"

// allocate makes room for f, filled with zeroes.
func allocate(f *os.File, from, size int64) error { return writeZeroes(f, from, size) }
