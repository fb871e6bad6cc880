// Package front owns the connections of clients. It turns what they send into a Request, and takes
// the answer as a Sink; it knows no gateway and no provider. What serves requests is a Handler.
package front

import (
	"context"
	"io"
	"net"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Handler serves a request. It returns when the answer has been handed to sink, and says whether the
// connection must be broken off, so that nobody takes a cut answer for a whole one. ctx ends when the
// client leaves, or when the process stops; its cause tells which. Neither req nor sink is used after
// the return.
type Handler interface {
	Serve(ctx context.Context, req *Request, sink Sink) (abort bool)
}

// Request is a call as a front hands it over.
type Request struct {
	Method string
	Target string // the request target as it stood on the request line
	Host   string
	Header sluice.Header
	Body   io.Reader // nil: none
	Length int64     // declared length of Body; -1: unknown
	// Trailer returns the fields after the body, once it has been read; nil: none are announced.
	Trailer func() sluice.Header
	Secure  bool     // the client's connection is TLS
	Remote  net.Addr // the client's address; nil: not known
}

// Sink takes the answer. Its calls come from one goroutine, Head first and once.
type Sink interface {
	// Head takes status and header; a Content-Length among the fields is the body's.
	Head(status int, h sluice.Header)
	// Write takes the next bytes of the body. Its error means that the client is gone or too slow.
	Write(p []byte) (int, error)
	// Flush sends what was written.
	Flush() error
	// Trailer takes the fields after the body.
	Trailer(h sluice.Header)
	// BodyTimeout bounds each pause within the request's body from here on; 0 lifts the bound. Unlike
	// the others it may be called by whoever reads the body.
	BodyTimeout(d time.Duration)
	// Duplex allows the request's body to be read after Head, and by another goroutine.
	Duplex()
}
