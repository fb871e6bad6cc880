//go:build !race

package socket

import (
	"syscall"
	"unsafe"
)

const cheap = true

// Read is read(2) of a socket that does not block; errno is 0 when it succeeds, and never EINTR. p is not empty.
func Read(fd uintptr, p []byte) (n int, errno syscall.Errno) { return call(syscall.SYS_READ, fd, p) }

func write(fd uintptr, p []byte) (int, syscall.Errno) { return call(syscall.SYS_WRITE, fd, p) }

func call(number, fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
			continue
		}
		return 0, errno
	}
}

// Peek looks at a socket's next byte without taking it, and does not wait. silent: there is none, and the other
// side has not ended.
func Peek(fd uintptr, room *[1]byte) (silent bool) {
	for {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(room)), 1,
			syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
		if errno != syscall.EINTR {
			return errno == syscall.EAGAIN
		}
	}
}
