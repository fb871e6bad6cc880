//go:build !unix

package socket

import "syscall"

const cheap = false

// Read is of no use here.
func Read(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.EINVAL }

func write(uintptr, []byte) (int, syscall.Errno) { return 0, syscall.EINVAL }
