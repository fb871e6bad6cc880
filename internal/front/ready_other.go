//go:build !unix

package front

import "syscall"

// readable cannot wait without a buffer here; connections wait with one byte of room.
type readable struct{}

func (c *conn) makeReadable(syscall.RawConn) {}

func (r *readable) ok() bool { return false }

func (c *conn) readWhenReady() error { return nil }
