// Package socket makes the system calls of sockets that carry many short exchanges cheaper.
//
// The runtime prepares for every system call to take long: when one does take 20 µs or more, as a write does
// that wakes its reader on the same machine, the processor is given to another thread, which has to be woken,
// and the caller waits for one when it returns. Go's sockets never block, so none of this is needed for them:
// here the calls are made as the runtime makes its own.
//
// Where that is not known to work, all of it is what package net does.
package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// Conn is a TCP connection whose reads and writes are cheap, and otherwise like those of a *net.TCPConn, errors
// and deadlines included. Make one with Of.
type Conn struct {
	*net.TCPConn
	socket        syscall.RawConn
	reads, writes transfer
}

// transfer is a read or a write that goes on.
type transfer struct {
	mu    sync.Mutex // package net lets one go on at a time, too
	p     []byte
	n     int
	errno syscall.Errno
	try   func(fd uintptr) (done bool) // made once: a method value costs an allocation
}

// Of returns c with cheap reads and writes, and c itself where there are none: on other systems than Linux, and
// for what is no TCP connection.
func Of(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok || !cheap {
		return c
	}
	socket, err := tcp.SyscallConn()
	if err != nil {
		return c // closed: so its reads will say
	}
	s := &Conn{TCPConn: tcp, socket: socket}
	s.reads.try, s.writes.try = s.reads.read, s.writes.write
	return s
}

// read reads once.
func (t *transfer) read(fd uintptr) bool {
	t.n, t.errno = Read(fd, t.p)
	return t.errno != syscall.EAGAIN
}

// write writes all that is left.
func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		n, errno := write(fd, t.p[t.n:])
		if errno != 0 {
			t.errno = errno
			return errno != syscall.EAGAIN
		}
		t.n += n
	}
	t.errno = 0
	return true
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	n, err := c.reads.run(p, c.socket.Read)
	if err != nil {
		return 0, c.failed("read", err)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Write(p)
	}
	n, err := c.writes.run(p, c.socket.Write)
	if err != nil {
		return n, c.failed("write", err)
	}
	return n, nil
}

// run moves bytes of p; with waits, and tries again, while the socket is not ready.
func (t *transfer) run(p []byte, with func(func(uintptr) bool) error) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p, t.n, t.errno = p, 0, 0
	err := with(t.try)
	t.p = nil
	if err == nil && t.errno != 0 {
		err = t.errno
	}
	return t.n, err
}

// failed gives an error the words of package net.
func (c *Conn) failed(op string, err error) error {
	if raw, ok := errors.AsType[*net.OpError](err); ok {
		raw.Op = op // "raw-read": it was made for this call
		return raw
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}
