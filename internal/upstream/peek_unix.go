//go:build unix

package upstream

import "github.com/sluicehq/sluice/internal/socket"

// peekFD looks at the socket's next byte without taking it.
func (cn *conn) peekFD(fd uintptr) { cn.silence = socket.Peek(fd, &cn.peeked) }
