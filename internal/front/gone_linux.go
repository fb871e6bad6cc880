package front

import "golang.org/x/sys/unix"

// look says what the socket shows without touching what is in it: whether the other side has ended its
// part, and whether there is something to read. It sees an end behind bytes that nobody has read, as
// behind TLS's goodbye.
func look(fd uintptr) (gone, bytes bool) {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
	for {
		n, err := unix.Poll(p[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return false, false
		}
		return p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0, p[0].Revents&unix.POLLIN != 0
	}
}
