//go:build unix && (!linux || race)

// The race detector learns from package syscall that what was done before a write was done before a read of its
// bytes; of raw calls it would not know.

package socket

import (
	"runtime"
	"syscall"
)

const cheap = runtime.GOOS == "linux"

// Read is read(2) of a socket that does not block; errno is 0 when it succeeds, and never EINTR. p is not empty.
func Read(fd uintptr, p []byte) (n int, errno syscall.Errno) { return call(syscall.Read, fd, p) }

func write(fd uintptr, p []byte) (int, syscall.Errno) { return call(syscall.Write, fd, p) }

func call(do func(fd int, p []byte) (int, error), fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, err := do(int(fd), p)
		switch err {
		case nil:
			return n, 0
		case syscall.EINTR:
			continue
		}
		errno, _ := err.(syscall.Errno) // it has no others
		return 0, errno
	}
}

// Peek looks at a socket's next byte without taking it, and does not wait. silent: there is none, and the other
// side has not ended.
func Peek(fd uintptr, room *[1]byte) (silent bool) {
	for {
		_, _, err := syscall.Recvfrom(int(fd), room[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		}
	}
}
