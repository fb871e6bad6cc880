package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/reqlog"
)

// headSize is how much of a body that is not held whole in memory is looked at for the few fields
// that Sluice reads.
const headSize = 64 << 10

// body is a request's body. It lies in memory; or, where the pool has no room, in a file without a
// name; or, when it is larger than the limit, it passes through unread but for its head.
type body struct {
	store *bodyStore
	bytes []byte    // all of it, or its head
	held  int64     // bytes reserved in the pool
	size  int64     // bytes read so far; of all of it when rest is nil
	rest  io.Reader // what was not read: the body passes through
	// passing is rest, when the body passes through.
	passing *passing
	file    *os.File // all of it, when the pool had no room
	// spooled bytes are reserved in the spool.
	spooled int64
}

// bodyStore is where bodies are kept.
type bodyStore struct {
	memory     *Memory
	buffers    buffers
	spoolDir   string
	spoolLimit int64
	spooled    atomic.Int64
}

// whole reports whether bytes is all of the body.
func (b *body) whole() bool { return b.file == nil && b.rest == nil }

// reader returns the body from its beginning. A body that passes through can be read once.
func (b *body) reader() io.Reader {
	switch {
	case b.file != nil:
		return io.NewSectionReader(b.file, 0, b.size)
	case b.rest != nil:
		return &joined{head: b.bytes, rest: b.rest}
	}
	return &joined{head: b.bytes}
}

// free gives back what the body holds.
func (b *body) free() {
	if b.store == nil {
		return
	}
	if b.bytes != nil {
		b.store.buffers.put(b.bytes)
	}
	if b.held > 0 {
		b.store.memory.Give(b.held)
	}
	if b.file != nil {
		_ = b.file.Close() // it has no name: closing removes it
		b.store.giveSpool(b.spooled)
	}
	*b = body{}
}

// joined is head and then rest, without io.MultiReader's allocation.
type joined struct {
	head []byte
	rest io.Reader
}

func (j *joined) Read(p []byte) (int, error) {
	if len(j.head) > 0 {
		n := copy(p, j.head)
		j.head = j.head[n:]
		return n, nil
	}
	if j.rest == nil {
		return 0, io.EOF
	}
	return j.rest.Read(p)
}

// readBody reads the request's body whole where the limit and the pool allow it.
func (x *exchange) readBody(ctx context.Context) error {
	if x.req.Body == nil {
		return nil
	}
	x.body.store = &x.proxy.bodies
	x.sink.BodyTimeout(x.settings.bodyPause)
	err := x.fill(ctx)
	if x.body.rest == nil {
		x.sink.BodyTimeout(0)
	}
	return err
}

// fill reads into memory, and turns to the spool or to passing through when it must.
func (x *exchange) fill(ctx context.Context) error {
	b, limit := &x.body, x.settings.bodyLimit
	want := x.req.Length
	if want > limit {
		want = headSize
	} else if want < 0 {
		want = minUnknown
	}
	if x.req.Length > limit && !b.grow(want) {
		return x.passThrough()
	}
	if inMemory, err := x.room(ctx, want); err != nil || !inMemory {
		return err
	}
	for {
		n, err := x.readSome(b.bytes[b.size:])
		b.size += int64(n)
		switch {
		case err == io.EOF:
			b.bytes = b.bytes[:b.size]
			return x.checkLength()
		case err != nil:
			return x.bodyError(ctx, err)
		case b.size < int64(len(b.bytes)):
			continue
		case b.size == x.req.Length:
			b.bytes = b.bytes[:b.size]
			return x.drained(ctx)
		case x.req.Length > limit || b.size > limit:
			return x.passThrough()
		}
		if inMemory, err := x.room(ctx, min(2*b.size, limit+1)); err != nil || !inMemory {
			return err
		}
	}
}

// room makes room for n bytes in all. Where the pool has none, the body goes to the spool, which
// finishes it; where that is full too, whichever has room first takes it.
func (x *exchange) room(ctx context.Context, n int64) (inMemory bool, err error) {
	b := &x.body
	if int64(len(b.bytes)) >= n || b.grow(n) {
		return true, nil
	}
	reserve := x.req.Length
	if reserve < 0 {
		reserve = x.settings.bodyLimit
	}
	found := b.store.takeSpool(reserve) || b.store.memory.wait(ctx, x.settings.wait, func() bool {
		inMemory = b.grow(n)
		return inMemory || b.store.takeSpool(reserve)
	})
	switch {
	case ctx.Err() != nil:
		return false, x.departed(ctx)
	case !found:
		return false, &sluice.Error{
			Kind: sluice.KindUnavailable, Msg: "no room for the request body",
			Hint: "try again later, or raise limits.memory_bytes or limits.spool_bytes",
		}
	case inMemory:
		return true, nil
	}
	return false, x.spool(ctx, reserve)
}

// minUnknown is the first buffer for a body of undeclared length.
const minUnknown = 8 << 10

// grow makes room for n bytes in all, or reports that the pool has none.
func (b *body) grow(n int64) bool {
	size := b.store.buffers.sizeFor(n)
	if !b.store.memory.Take(size) {
		return false
	}
	bigger := b.store.buffers.get(n)
	if int64(cap(bigger)) < size {
		size, bigger = n, bigger[:n]
	}
	if b.bytes != nil {
		copy(bigger, b.bytes[:b.size])
		b.store.buffers.put(b.bytes)
		b.store.memory.Give(b.held)
	}
	b.bytes, b.held = bigger, size
	return true
}

// readSome reads once, and again while a reader gives neither bytes nor an error.
func (x *exchange) readSome(p []byte) (n int, err error) {
	for range 100 {
		if n, err = x.req.Body.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// drained reads the end of a body of declared length, which lets the server watch for the client's
// departure.
func (x *exchange) drained(ctx context.Context) error {
	var none [1]byte
	if n, err := x.readSome(none[:]); n > 0 || err != io.EOF {
		return x.bodyError(ctx, err)
	}
	return nil
}

// checkLength refuses a body that ended before its declared length: the front has not noticed.
func (x *exchange) checkLength() error {
	if x.req.Length >= 0 && x.body.size != x.req.Length {
		return &sluice.Error{Kind: sluice.KindInvalid, Msg: "the request body ended before its Content-Length", Field: "Content-Length"}
	}
	return nil
}

// passThrough leaves the rest of a large body unread: it goes on as it comes.
func (x *exchange) passThrough() error {
	b := &x.body
	b.bytes = b.bytes[:b.size]
	x.sink.Duplex()
	x.keep(b.bytes)
	b.passing = &passing{x: x}
	b.rest = b.passing
	x.note("body larger than limits.body_bytes: passed through without being read")
	return nil
}

// keep gives the log a piece of a body that is not held whole.
func (x *exchange) keep(p []byte) { x.log.Bodies[reqlog.RequestSide].Write(p) }

// passing reads the rest of a body while it is sent on. One goroutine of the upstream's reads it; the
// exchange must not be given back while a Read is under way.
type passing struct {
	x      *exchange
	mu     sync.Mutex // held by a Read
	ended  bool       // the body's end, or an error, was read
	closed bool
}

// Read implements io.Reader.
func (r *passing) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return 0, io.ErrClosedPipe
	}
	x := r.x
	x.sink.BodyTimeout(x.settings.bodyPause)
	n, err := x.req.Body.Read(p)
	if n > 0 {
		x.body.size += int64(n)
		x.keep(p[:n])
	}
	if err != nil {
		r.ended = true
		x.sink.BodyTimeout(0)
	}
	return n, err
}

// stop ends a Read that is under way, because the answer came before the body's end, and waits for it.
func (r *passing) stop() {
	for !r.mu.TryLock() {
		r.x.sink.BodyTimeout(time.Nanosecond)
		runtime.Gosched()
	}
	r.closed = true
	r.mu.Unlock()
}

// spool moves the body to a file without a name: what was read so far, and all that comes. reserved
// bytes of the spool were taken for it.
func (x *exchange) spool(ctx context.Context, reserved int64) error {
	b := &x.body
	file, err := os.CreateTemp(b.store.spoolDir, "body-*")
	if err == nil {
		err = os.Remove(file.Name())
	}
	if err != nil {
		b.store.giveSpool(reserved)
		return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "no room for the request body", Err: err}
	}
	b.file, b.spooled = file, reserved
	err = x.copyToFile(ctx)
	b.store.giveSpool(b.spooled - b.size)
	b.spooled = b.size
	return err
}

// takeSpool reserves n bytes of the spool.
func (s *bodyStore) takeSpool(n int64) bool {
	if s.spooled.Add(n) <= s.spoolLimit {
		return true
	}
	s.spooled.Add(-n)
	return false
}

// giveSpool returns n bytes of the spool.
func (s *bodyStore) giveSpool(n int64) {
	s.spooled.Add(-n)
	s.memory.Give(0) // somebody may wait for it
}

// copyToFile writes what was read so far and all that comes to the body's file.
func (x *exchange) copyToFile(ctx context.Context) error {
	b := &x.body
	piece := b.store.buffers.get(32 << 10)
	defer b.store.buffers.put(piece)
	done, from := int64(0), &joined{head: b.bytes[:b.size], rest: x.req.Body}
	for {
		n, err := from.Read(piece)
		if done+int64(n) > x.settings.bodyLimit {
			return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "no room for a request body larger than limits.body_bytes", Hint: "try again later"}
		}
		if n > 0 {
			if _, failed := b.file.Write(piece[:n]); failed != nil {
				return &sluice.Error{Kind: sluice.KindUnavailable, Msg: "no room for the request body", Err: failed}
			}
			x.keep(piece[:n])
			done += int64(n)
			b.size = max(b.size, done)
			x.sink.BodyTimeout(x.settings.bodyPause)
		}
		if err == io.EOF {
			x.note("body spooled to disk")
			return x.readHead()
		}
		if err != nil {
			return x.bodyError(ctx, err)
		}
	}
}

// readHead leaves of a spooled body its beginning in memory, for the scan. That is small and not
// counted in the pool.
func (x *exchange) readHead() error {
	b := &x.body
	if b.bytes != nil {
		b.store.buffers.put(b.bytes)
		b.store.memory.Give(b.held)
		b.held = 0
	}
	b.bytes = b.store.buffers.get(headSize)
	n, err := b.file.ReadAt(b.bytes[:headSize], 0)
	b.bytes = b.bytes[:n]
	if err != nil && err != io.EOF {
		return &sluice.Error{Kind: sluice.KindInternal, Msg: "internal error", Err: err}
	}
	return x.checkLength()
}

// isConnError reports whether err tells that the client's connection broke.
func isConnError(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// bodyError says what a failed read of the request's body means.
func (x *exchange) bodyError(ctx context.Context, err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case ctx.Err() != nil:
		return x.departed(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		x.entry().ErrorKind = "client_slow"
		return &sluice.Error{Kind: sluice.KindTimeout, Msg: "the request body did not arrive in time", Hint: "timeouts.body bounds a pause within it", Err: err}
	case errors.As(err, &tooLarge):
		return &sluice.Error{Kind: sluice.KindTooLarge, Msg: "the request body is too large", Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || isConnError(err):
		return &sluice.Error{Kind: sluice.KindClientGone, Msg: "the client left while it sent the body", Err: err}
	}
	return &sluice.Error{Kind: sluice.KindInvalid, Msg: "the request body is not well-formed", Hint: "check its transfer coding", Err: err}
}
