//go:build unix && !linux

package front

import "syscall"

// look says what the socket shows without touching what is in it: whether the other side has ended its
// part, and whether there is something to read. An end behind bytes that nobody has read stays hidden.
func look(fd uintptr) (gone, bytes bool) {
	var p [1]byte
	for {
		n, _, err := syscall.Recvfrom(int(fd), p[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false, false
		}
		return err != nil || n <= 0, n > 0
	}
}
