//go:build !unix

package front

import (
	"os"
	"syscall"
)

// readable cannot wait without a buffer here; connections wait with one byte of room.
type readable struct{}

func (c *conn) makeReadable(syscall.RawConn) {}

func (r *readable) ok() bool { return false }

func (c *conn) readWhenReady() error { return nil }

// readNow sees nothing here, where look does not ask for it.
func readNow(syscall.RawConn, []byte) (int, error) { return 0, os.ErrDeadlineExceeded }
