package upstream

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

// bodyMode is how the end of an answer's body is known.
type bodyMode uint8

const (
	bodyNone bodyMode = iota
	bodyLength
	bodyChunked
	bodyToClose
)

// call is one request of the own client on its way, and the body of its answer. It is one allocation
// with the Response and room for the usual number of fields.
type call struct {
	resp   Response
	host   *host
	req    *Request // nil once nothing needs it
	start  time.Time
	first  limit // the sooner of first byte and total
	total  limit
	idle   time.Duration
	writer *writer

	cn       *conn // nil once given up
	stop     func() bool
	ender    ender // in place of stop; nil: there is a stop
	leaving  *departure
	answered bool // bytes of an answer have come
	unsent   bool // the request did not go out whole
	reusable bool // as far as the head says

	mode   bodyMode
	left   int64 // of a bodyLength body
	chunks http1.Chunked
	err    error // what Read returns from now on

	fields [20]sluice.Field
}

// do sends req over a connection of its own kind, twice when the first one turns out to be dead.
func (h *host) do(ctx context.Context, req *Request, start time.Time) (*Response, *Error) {
	x := &call{host: h, req: req, start: start, idle: req.Timeouts.Idle}
	x.total = limit{}.within(start, req.Timeouts.Total, StageTotal)
	x.first = x.total.within(start, req.Timeouts.FirstByte, StageFirst)
	cn, err := h.acquire(ctx, x)
	if err != nil {
		return nil, err
	}
	reused := cn.used
	err = x.exchange(ctx, cn)
	if err != nil && reused && x.repeatable(err) {
		x.abandon()
		x.resp.Timing.Retried = err
		if cn, err = h.renew(ctx, x); err != nil {
			err.Retried = x.resp.Timing.Retried
			return nil, err
		}
		err = x.exchange(ctx, cn)
	}
	if err != nil {
		if !h.spoke.Load() && cn.wantsHTTP2(err) {
			h.std.Store(true)
			if x.repeatable(err) {
				err.Err = errNoHTTP1
			}
		}
		x.end(false)
		err.Retried = x.resp.Timing.Retried
		return nil, err
	}
	return &x.resp, nil
}

// repeatable reports whether a call may go again after err on a connection that had served before: it
// died, as idle connections do, and the request does no harm twice.
func (x *call) repeatable(err *Error) bool {
	return x.req.Repeatable && x.req.BodyReader == nil && !x.answered && (err.Stage == StageRead || err.Stage == StageWrite)
}

// exchange sends the request on cn and reads the answer's head. On failure the connection is still held.
func (x *call) exchange(ctx context.Context, cn *conn) *Error {
	x.cn = cn
	x.watch(ctx)
	x.resp.Timing.Connected = time.Since(x.start)
	x.resp.Timing.Reused = cn.used
	cn.used = true
	sendErr := x.send()
	x.unsent = sendErr != nil
	if sendErr != nil && errors.Is(sendErr, os.ErrDeadlineExceeded) && cn.aborted.Load() == nil {
		return x.first.failure(x.host.key.host)
	}
	h, err := x.readHead()
	if err != nil {
		return x.blame(sendErr, err)
	}
	if h.status == 101 {
		return x.leave(h)
	}
	x.open(h)
	return nil
}

// blame finds out why there is no head: a request that could not be sent explains a missing answer.
func (x *call) blame(sendErr error, err *Error) *Error {
	if err.Stage != StageRead {
		return err
	}
	if w := x.writer; w != nil {
		select {
		case <-w.done:
			sendErr = w.err
		default:
		}
	}
	if sendErr != nil {
		return &Error{Stage: StageWrite, Host: err.Host, Err: sendErr}
	}
	return err
}

// readHead reads up to the end of a final answer's head.
func (x *call) readHead() (head, *Error) {
	name := x.host.key.host
	for interim := 0; ; interim++ {
		n, err := x.awaitHead()
		if err != nil {
			return head{}, err
		}
		h, perr := parseHead(string(x.cn.rest[:n]), x.fields[:0])
		x.cn.skip(n)
		switch {
		case perr != nil:
			return head{}, &Error{Stage: StageProtocol, Host: name, Err: perr}
		case h.status >= 200:
			return h, nil
		case h.status == 101 && switches(x.req, h.fields):
			return h, nil
		case h.status == 101:
			return head{}, &Error{Stage: StageProtocol, Host: name, Err: errSwitched}
		case interim == maxInterim:
			return head{}, &Error{Stage: StageProtocol, Host: name, Err: errInterim}
		}
	}
}

// awaitHead reads until a whole head lies in the connection's buffer, and returns its length.
func (x *call) awaitHead() (int, *Error) {
	cn, scan := x.cn, http1.HeadScan{}
	if len(cn.rest) > 0 {
		x.resp.Timing.FirstByte = time.Since(x.start)
	}
	for {
		err := checkStart(cn.rest)
		n := 0
		if err == nil {
			n, err = scan.End(cn.rest)
		}
		if err != nil {
			return 0, &Error{Stage: StageProtocol, Host: x.host.key.host, Err: err}
		}
		if n > 0 {
			return n, nil
		}
		if len(cn.rest) >= maxHead {
			return 0, &Error{Stage: StageProtocol, Host: x.host.key.host, Err: errLarge}
		}
		// Once the head has begun, silence is a stall.
		l, begun := x.first, len(cn.rest) > 0
		if begun {
			l = x.total.within(time.Now(), x.idle, StageIdle)
		}
		if _, err := cn.more(l, maxHead); err != nil {
			return 0, x.failed(err, l, StageRead)
		}
		if !begun {
			x.resp.Timing.FirstByte = time.Since(x.start)
		}
		x.answered = true
	}
}

// failed gives the connection's error its stage: the call was canceled, a limit passed, or else as given.
func (x *call) failed(err error, l limit, otherwise Stage) *Error {
	if why := x.cn.aborted.Load(); why != nil {
		return why
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return l.failure(x.host.key.host)
	}
	if err == io.EOF && otherwise != StageRead {
		err = io.ErrUnexpectedEOF
	}
	return &Error{Stage: otherwise, Host: x.host.key.host, Err: err}
}

// open makes the Response of a head, and finds out how its body ends.
func (x *call) open(h head) {
	r := &x.resp
	r.Status, r.Proto, r.Body = h.status, h.proto, x
	r.Header = endToEndFields(h.fields)
	r.Trailer = noTrailer
	x.reusable = !h.close && !x.unsent
	if !x.host.spoke.Load() {
		x.host.spoke.Store(true)
	}
	x.cn.keep = maxIdle
	if h.keep > 0 {
		x.cn.keep = min(maxIdle, h.keep)
	}
	switch {
	case x.req.Method == "HEAD" || h.status == 204 || h.status == 304:
		// Whatever length a HEAD or 304 announces is that of another answer.
		x.mode = bodyNone
		x.reusable = x.reusable && (h.status != 204 || h.length <= 0 && !h.chunked)
	case h.chunked:
		x.mode, r.Length = bodyChunked, -1
		r.Trailer = func() sluice.Header { return trailerFields(x.chunks.Trailer()) }
	case h.length >= 0:
		x.mode, r.Length, x.left = bodyLength, h.length, h.length
	default:
		x.mode, r.Length, r.CloseDelimited, x.reusable = bodyToClose, -1, true, false
	}
	if x.writer == nil {
		x.req = nil
	}
	if x.mode == bodyNone || x.mode == bodyLength && x.left == 0 {
		x.whole()
	}
}

func noTrailer() sluice.Header { return nil }

// Read gives what one read of the socket brought, without its framing.
func (x *call) Read(p []byte) (int, error) {
	if x.err != nil {
		return 0, x.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if why := x.cn.aborted.Load(); why != nil {
		return 0, x.broken(why)
	}
	switch x.mode {
	case bodyChunked:
		return x.readChunked(p)
	case bodyLength:
		return x.readLength(p)
	default:
		return x.readToClose(p)
	}
}

// receive gives bytes that lie in the buffer, or else reads the socket once.
func (x *call) receive(p []byte) (int, limit, error) {
	if n := copy(p, x.cn.rest); n > 0 {
		x.cn.skip(n)
		return n, limit{}, nil
	}
	l := x.silence()
	n, err := x.cn.read(p, l)
	return n, l, err
}

// silence is the limit for the next read of the body. It runs from now, so that a slow reader of the
// body does not count as a silent upstream.
func (x *call) silence() limit {
	if x.idle <= 0 {
		return x.total
	}
	return x.total.within(time.Now(), x.idle, StageIdle)
}

func (x *call) readLength(p []byte) (int, error) {
	if int64(len(p)) > x.left {
		p = p[:x.left]
	}
	n, l, err := x.receive(p)
	if err != nil {
		return 0, x.broken(x.failed(err, l, StageBody))
	}
	if x.left -= int64(n); x.left == 0 {
		x.whole()
	}
	return n, nil
}

func (x *call) readToClose(p []byte) (int, error) {
	n, l, err := x.receive(p)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && x.cn.aborted.Load() == nil && !(x.cn.secure() && x.cn.raw.ended.Load()):
		x.whole()
		return 0, io.EOF
	default:
		return 0, x.broken(x.failed(err, l, StageBody))
	}
}

// readChunked decodes in place what it reads into p. Only a small p goes by way of the buffer: framing
// alone could fill it.
func (x *call) readChunked(p []byte) (int, error) {
	const small = 512
	cn := x.cn
	for {
		var n int
		var err error
		switch {
		case len(cn.rest) > 0:
			var took int
			n, took, err = x.chunks.Decode(p, cn.rest)
			cn.skip(took)
		case len(p) < small:
			l := x.silence()
			if _, err := cn.more(l, headSize); err != nil {
				return 0, x.broken(x.failed(err, l, StageBody))
			}
			continue
		default:
			l := x.silence()
			got, rerr := cn.read(p, l)
			if rerr != nil {
				return 0, x.broken(x.failed(rerr, l, StageBody))
			}
			var took int
			n, took, err = x.chunks.Decode(p, p[:got])
			// Bytes behind the end belong to nobody.
			x.reusable = x.reusable && took == got
		}
		if err != nil {
			// The data before the fault is good, and is given first.
			err := x.broken(&Error{Stage: StageProtocol, Host: x.host.key.host, Err: err})
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		if x.chunks.Done() {
			x.whole()
		}
		if n > 0 {
			return n, nil
		}
		if x.err != nil {
			return 0, x.err
		}
	}
}

// broken ends the body with err.
func (x *call) broken(err *Error) error {
	x.err = err
	x.end(false)
	return err
}

// whole ends the body well.
func (x *call) whole() {
	x.err = io.EOF
	x.end(true)
}

// Close gives the connection up. When the body was not read to its end, it is closed.
func (x *call) Close() error {
	if x.cn != nil {
		_ = x.broken(&Error{Stage: StageCanceled, Host: x.host.key.host, Err: errBodyClosed})
	}
	return nil
}

var errBodyClosed = errors.New("the body was closed before its end")

// end gives the connection to the next call if this one left it clean, and else closes it.
func (x *call) end(whole bool) {
	cn := x.cn
	if cn == nil {
		return
	}
	x.cn = nil
	calm := x.unwatch()
	if calm && whole && x.reusable && len(cn.rest) == 0 && x.writer.sent() {
		x.host.release(cn)
	} else {
		cn.giveBack()
		x.host.discard(cn)
		x.writer.end()
	}
	x.req, x.writer = nil, nil
}

// abandon closes the connection but keeps its place for another.
func (x *call) abandon() {
	cn := x.cn
	x.cn = nil
	x.unwatch()
	cn.giveBack()
	cn.raw.Close()
	x.writer.end()
	x.writer = nil
}
