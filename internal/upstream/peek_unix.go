//go:build unix

package upstream

import "syscall"

// peekFD looks at the socket's next byte without taking it: "try again" is silence.
func (cn *conn) peekFD(fd uintptr) {
	for {
		_, _, err := syscall.Recvfrom(int(fd), cn.peeked[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err == syscall.EINTR {
			continue
		}
		cn.silence = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return
	}
}
