package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/internal/socket"
)

// pair makes two ends of a connection: ours, and what package net makes of it.
func pair(t *testing.T) (ours net.Conn, theirs *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return socket.Of(near), far.(*net.TCPConn)
}

func TestBytesGoBothWays(t *testing.T) {
	ours, theirs := pair(t)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // more than fits into the socket's buffers: the write has to wait
	sent := make(chan error, 1)
	go func() {
		n, err := ours.Write(large)
		if err == nil && n != len(large) {
			err = io.ErrShortWrite
		}
		sent <- err
	}()
	got := make([]byte, len(large))
	if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, large) {
		t.Fatalf("what was written did not arrive: %v", err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	back := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(ours) // it has to wait first
		back <- b
	}()
	if _, err := theirs.Write(large); err != nil {
		t.Fatal(err)
	}
	if err := theirs.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(<-back, large) {
		t.Error("what was sent was not read")
	}
	if n, err := ours.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("at the end a read gave %d, %v; want io.EOF", n, err)
	}
}

// Nothing that goes wrong may look otherwise than with package net: errors are told apart by these.
func TestFailsAsPackageNetDoes(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 1<<24)
	for name, fail := range map[string]func(c net.Conn, theirs *net.TCPConn) error{
		"a read whose deadline passes": func(c net.Conn, _ *net.TCPConn) error {
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := c.Read(make([]byte, 1))
			return err
		},
		"a read after its deadline": func(c net.Conn, _ *net.TCPConn) error {
			_ = c.SetReadDeadline(time.Unix(1, 0))
			_, err := c.Read(make([]byte, 1))
			return err
		},
		"a write whose deadline passes": func(c net.Conn, _ *net.TCPConn) error {
			_ = c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
			n, err := c.Write(long)
			if n == 0 || n >= len(long) {
				return errors.New("it does not tell how much was written")
			}
			return err
		},
		"a read of a closed connection": func(c net.Conn, _ *net.TCPConn) error {
			_ = c.Close()
			_, err := c.Read(make([]byte, 1))
			return err
		},
		"a write to a closed connection": func(c net.Conn, _ *net.TCPConn) error {
			_ = c.Close()
			_, err := c.Write([]byte("x"))
			return err
		},
		"a read that Close ends": func(c net.Conn, theirs *net.TCPConn) error {
			go func() {
				_, _ = theirs.Write([]byte("x"))
				_, _ = theirs.Read(make([]byte, 1))
				_ = c.Close()
			}()
			_, _ = c.Read(make([]byte, 1))
			_, _ = c.Write([]byte("x"))
			_, err := c.Read(make([]byte, 1))
			return err
		},
		"a read after a reset": func(c net.Conn, theirs *net.TCPConn) error {
			_ = theirs.SetLinger(0)
			_ = theirs.Close()
			_, err := c.Read(make([]byte, 1))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, far := pair(t)
			got := fail(ours, far)
			other, far := pair(t)
			want := fail(tcp(other), far)
			for _, is := range []error{os.ErrDeadlineExceeded, net.ErrClosed, io.EOF, syscall.ECONNRESET} {
				if errors.Is(got, is) != errors.Is(want, is) {
					t.Errorf("got %v, want %v: they differ in %v", got, want, is)
				}
			}
			if verb, _, _ := strings.Cut(got.Error(), " "); !strings.HasPrefix(want.Error(), verb+" ") {
				t.Errorf("got %q, want words as in %q", got, want)
			}
		})
	}
}

// tcp is what package net makes of a connection.
func tcp(c net.Conn) net.Conn {
	if own, ok := c.(*socket.Conn); ok {
		return own.TCPConn
	}
	return c
}

func TestEmptyReadsAndWrites(t *testing.T) {
	ours, _ := pair(t)
	if n, err := ours.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read gave %d, %v", n, err)
	}
	if n, err := ours.Write(nil); n != 0 || err != nil {
		t.Errorf("an empty write gave %d, %v", n, err)
	}
}

func TestPeekTakesNothing(t *testing.T) {
	ours, theirs := pair(t)
	var room [1]byte
	look := func() (silent bool) {
		raw, err := tcp(ours).(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { silent = socket.Peek(fd, &room) }); err != nil {
			t.Fatal(err)
		}
		return silent
	}
	wait := func(silent bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); look() != silent; {
			if time.Now().After(end) {
				t.Fatalf("the socket's silence stays %t", !silent)
			}
		}
	}
	wait(true)
	if _, err := theirs.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	wait(false)
	b := make([]byte, 2)
	if n, err := ours.Read(b); n != 1 || b[0] != 'a' || err != nil {
		t.Fatalf("read %q, %v after it was peeked at", b[:n], err)
	}
	wait(true)
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	wait(false) // an end is no silence
}
