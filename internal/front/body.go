package front

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

// maxLeftover is how much of a body that the handler has not read is read and dropped, so that the
// connection can go on, or so that the client gets to read the answer.
const maxLeftover = 256 << 10

// errBodyOver is what a body reads after the handler has returned.
var errBodyOver = errors.New("front: the request's body was read after the answer")

const continueLine = "HTTP/1.1 100 Continue\r\n\r\n"

// body reads the body of a request. With Duplex the reader may be another goroutine than the handler's.
type body struct {
	c     *conn
	pause atomic.Int64 // longest wait for the next bytes, a time.Duration; 0: unbounded
	done  atomic.Bool  // wholly read

	mu      sync.Mutex // held while reading
	left    int64      // bytes to come; -1: it is chunked
	chunks  http1.Chunked
	expect  bool  // the client waits for 100 Continue
	retired bool  // the call is over: what is on the connection belongs to others
	err     error // final
}

func (b *body) begin(c *conn, h *head) {
	b.c, b.left, b.expect, b.err, b.retired = c, h.length, h.expect, nil, false
	b.chunks = http1.Chunked{}
	b.pause.Store(0)
	b.done.Store(h.length == 0)
}

// Read implements io.Reader. A body that ends early is io.ErrUnexpectedEOF, one that pauses longer than
// BodyTimeout os.ErrDeadlineExceeded.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.retired {
		return 0, errBodyOver
	}
	return b.read(p)
}

// read is Read with the mutex held.
func (b *body) read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.done.Load():
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	b.proceed()
	var n int
	if b.left < 0 {
		n, b.err = b.readChunked(p)
	} else {
		n, b.err = b.readLength(p)
	}
	if b.err == io.EOF {
		b.done.Store(true)
	}
	return n, b.err
}

// proceed lets a client that waits for it send the body.
func (b *body) proceed() {
	if b.expect {
		b.expect = false
		_, _ = io.WriteString(b.c.nc, continueLine) // if it fails, so will the read
	}
}

// trailer returns the fields behind the body, once it has been read.
func (b *body) trailer() sluice.Header {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.chunks.Trailer()
}

// until is when the next bytes must have come.
func (b *body) until() time.Time {
	if d := b.pause.Load(); d > 0 {
		return time.Now().Add(time.Duration(d))
	}
	return time.Time{}
}

func (b *body) readLength(p []byte) (n int, err error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if n = copy(p, b.c.rest); n > 0 {
		b.c.skip(n)
	} else if n, err = b.c.read(p, b.until()); err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if b.left -= int64(n); b.left == 0 {
		err = io.EOF
	}
	return n, err
}

func (b *body) readChunked(p []byte) (int, error) {
	for {
		wrote, took, err := b.chunks.Decode(p, b.c.rest)
		b.c.skip(took)
		switch {
		case err != nil:
			return wrote, err
		case b.chunks.Done():
			return wrote, io.EOF
		case wrote > 0:
			return wrote, nil
		}
		if err := b.c.fill(b.until(), minBuffer); err == io.EOF {
			return 0, io.ErrUnexpectedEOF
		} else if err != nil {
			return 0, err
		}
	}
}

// retire ends all reading; one that is under way in another goroutine is interrupted. It reports
// whether the connection stands behind the body, so that another request can follow. What the handler
// has left is read and dropped, up to maxLeftover.
func (b *body) retire(shared bool, patience time.Duration) bool {
	if shared && !b.done.Load() {
		b.c.interrupt()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retired = true
	if shared || b.expect || b.err != nil && b.err != io.EOF {
		return b.done.Load()
	}
	return b.done.Load() || b.drop(time.Now().Add(patience))
}

// drop reads the rest of the body for nothing, if that is little and comes in time. Mutex held.
func (b *body) drop(until time.Time) bool {
	room := b.c.s.buffers.get()
	defer b.c.s.buffers.put(room)
	for dropped := 0; !b.done.Load(); {
		b.pause.Store(int64(max(time.Until(until), 1)))
		n, err := b.read((*room)[:minBuffer])
		if dropped += n; dropped > maxLeftover || err != nil && err != io.EOF {
			return false
		}
	}
	return true
}
