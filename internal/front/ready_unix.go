//go:build unix

package front

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/sluicehq/sluice/internal/socket"
)

// readable reads from a socket that waits without a buffer: one is borrowed when there is something to
// read. Thousands of idle connections hold none.
type readable struct {
	socket syscall.RawConn
	read   func(fd uintptr) bool
	n      int
	err    error
}

func (c *conn) makeReadable(socket syscall.RawConn) {
	c.readable.socket = socket
	c.readable.read = c.readFD // made once: a method value costs an allocation
}

func (r *readable) ok() bool { return r.socket != nil }

// readWhenReady reads into a borrowed buffer.
func (c *conn) readWhenReady() error {
	r := &c.readable
	if err := r.socket.Read(r.read); err != nil {
		return err
	}
	if r.err == nil && r.n == 0 {
		r.err = io.EOF
	}
	if r.err != nil {
		return r.err
	}
	c.rest = (*c.buf)[:r.n]
	return nil
}

// readFD tries to read, and reports false when it must wait.
func (c *conn) readFD(fd uintptr) bool {
	c.borrow()
	n, errno := socket.Read(fd, *c.buf)
	if errno == syscall.EAGAIN {
		c.giveBack()
		return false
	}
	if c.readable.n, c.readable.err = n, nil; errno != 0 {
		c.readable.err = errno
	}
	return true
}

// readNow reads what is there. Where nothing is, it fails as a read does whose time is up, which a TLS
// connection survives.
func readNow(socket syscall.RawConn, p []byte) (n int, err error) {
	failed := socket.Read(func(fd uintptr) bool {
		for {
			if n, err = syscall.Read(int(fd), p); !errors.Is(err, syscall.EINTR) {
				return true
			}
		}
	})
	switch {
	case failed != nil:
		return 0, failed
	case errors.Is(err, syscall.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}
