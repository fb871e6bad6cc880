package front

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

const (
	// direct is from where on a piece goes out beside the buffer instead of through it.
	direct = 8 << 10
	// fullBuffer is what a buffer may hold before it is sent unasked.
	fullBuffer = 48 << 10
)

// Errors of a handler that breaks the contract of Sink. The connection is broken off.
var (
	errStatus = errors.New("front: a final answer's status is 200 to 999")
	errOrder  = errors.New("front: the head comes first and once")
	errLength = errors.New("front: the answer is longer than its Content-Length")
)

// answer is what a call sends. Bytes gather in out until Flush, until there are many, or until the end.
type answer struct {
	out      *[]byte // nil: nothing waits
	headed   bool
	bodyless bool // by its kind the answer has no body (RFC 9110, 6.4.1)
	chunked  bool
	length   int64 // declared; -1: unknown
	wrote    int64 // bytes of the body
	close    bool  // the connection ends with this answer
	switched bool  // the connection speaks another protocol now
	trailer  sluice.Header
	err      error // final
}

// whole reports whether a client that gets what was written takes the answer for whole.
func (a *answer) whole() bool { return a.bodyless || !a.chunked && a.wrote == a.length }

// byClose reports whether only the end of the connection tells the end of the body.
func (a *answer) byClose() bool { return a.headed && !a.bodyless && !a.chunked && a.length < 0 }

// Head implements Sink. The fields are taken over; Date is added where there is none.
func (k *call) Head(status int, h sluice.Header) {
	a := &k.answer
	switch {
	case a.headed:
		a.err = errOrder
	case status < 200 || status > 999:
		a.err = errStatus
	}
	if a.err != nil {
		return
	}
	a.headed, a.length = true, -1
	a.bodyless = k.req.Method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
	a.out = k.c.s.buffers.get()
	out := appendStatus(*a.out, status)
	dated := false
	for i := range h {
		f := &h[i]
		switch classOf(f.Name) {
		case classDate:
			dated = true
		case classLength:
			if a.length >= 0 || status == http.StatusNoContent || !a.readLength(f.Value) {
				continue
			}
		case classConnection:
			a.close = a.close || http1.HasToken(f.Value, "close")
			continue
		case classHop:
			continue
		}
		out = appendField(out, f.Name, f.Value)
	}
	if !dated {
		out = appendField(out, "Date", k.c.s.dates.now())
	}
	*a.out = append(k.frame(out), "\r\n"...)
}

// readLength reads a Content-Length, and reports whether it is one.
func (a *answer) readLength(v string) bool {
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return false
	}
	a.length = int64(n)
	return true
}

// frame says how the answer ends, and whether another can follow.
func (k *call) frame(out []byte) []byte {
	a := &k.answer
	a.chunked = !a.bodyless && a.length < 0 && k.minor > 0
	if a.chunked {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	a.close = a.close || k.close || a.byClose() || k.c.s.closing.Load() || k.leftover()
	switch {
	case a.close:
		out = append(out, "Connection: close\r\n"...)
	case k.minor == 0:
		out = append(out, "Connection: keep-alive\r\n"...)
	}
	return out
}

// leftover reports whether so much of the request's body is unread that the connection ends.
func (k *call) leftover() bool {
	if k.body.done.Load() {
		return false
	}
	return k.shared || k.body.expect || k.body.err != nil || k.body.left > maxLeftover
}

// Write implements Sink.
func (k *call) Write(p []byte) (int, error) {
	a := &k.answer
	switch {
	case a.err != nil:
		return 0, a.err
	case !a.headed:
		a.err = errOrder
		return 0, a.err
	case a.bodyless || len(p) == 0:
		return len(p), nil
	case a.length >= 0 && a.wrote+int64(len(p)) > a.length:
		a.err = errLength
		return 0, a.err
	}
	a.wrote += int64(len(p))
	if a.out == nil {
		a.out = k.c.s.buffers.get()
	}
	tail := ""
	if a.chunked {
		*a.out = append(strconv.AppendInt(*a.out, int64(len(p)), 16), "\r\n"...)
		tail = "\r\n"
	}
	if len(p) >= direct && !k.req.Secure {
		_, a.err = k.c.raw.writeParts(*a.out, p, tail)
		*a.out = (*a.out)[:0]
		return len(p), k.sent()
	}
	*a.out = append(append(*a.out, p...), tail...)
	if len(*a.out) >= fullBuffer {
		return len(p), k.Flush()
	}
	return len(p), nil
}

// Flush implements Sink.
func (k *call) Flush() error {
	a := &k.answer
	if a.out == nil || a.err != nil {
		return a.err
	}
	if len(*a.out) > 0 {
		_, a.err = k.c.nc.Write(*a.out)
	}
	return k.sent()
}

// sent gives the buffer back after a write. One that failed ends the context of the call.
func (k *call) sent() error {
	a := &k.answer
	k.c.s.buffers.put(a.out)
	a.out = nil
	if a.err != nil {
		k.c.cancel(errGone)
	}
	return a.err
}

// Trailer implements Sink. Only a chunked answer can have trailers; from others they are dropped.
func (k *call) Trailer(h sluice.Header) { k.answer.trailer = append(k.answer.trailer, h...) }

// BodyTimeout implements Sink. Unlike the other methods it may be called beside them.
func (k *call) BodyTimeout(d time.Duration) { k.body.pause.Store(int64(d)) }

// Duplex implements Sink.
func (k *call) Duplex() {
	k.shared = true
	k.body.mu.Lock()
	defer k.body.mu.Unlock()
	k.body.proceed() // later it could come into the middle of the answer
}

// finish ends the answer, and the body that the handler has left. It reports whether the connection can
// carry another request; where it cannot, the client has had time to read what was sent.
func (k *call) finish(abort bool) bool {
	a := &k.answer
	if a.switched {
		k.leaveSwitched(abort)
		return false
	}
	if abort || !a.headed || a.err != nil || a.length >= 0 && !a.whole() {
		k.breakOff()
		return false
	}
	if a.chunked {
		if a.out == nil {
			a.out = k.c.s.buffers.get()
		}
		*a.out = append(*a.out, "0\r\n"...)
		for _, f := range a.trailer {
			if http1.IsToken(f.Name) && classOf(f.Name) == classNone {
				*a.out = appendField(*a.out, f.Name, f.Value)
			}
		}
		*a.out = append(*a.out, "\r\n"...)
	}
	if k.Flush() != nil {
		return false
	}
	patience := k.c.s.options.HeaderTime
	if a.close {
		patience = lingerTime
	}
	behind := k.body.retire(k.shared, patience)
	if behind && !a.close {
		return true
	}
	// Nothing unread means that closing destroys nothing: a client that asked for the end needs no time.
	if !behind || len(k.c.rest) > 0 {
		k.c.linger()
	}
	return false
}

// breakOff ends an answer that is not whole, so that nobody takes it for one. What was written goes out
// first, unless it would look whole then.
func (k *call) breakOff() {
	a := &k.answer
	k.body.retire(true, 0)
	if a.byClose() {
		k.c.raw.reset()
	}
	if a.headed && a.err == nil && !a.whole() && !a.byClose() {
		_ = k.Flush() // the connection ends in any case
	}
	if a.out != nil {
		k.c.s.buffers.put(a.out)
		a.out = nil
	}
}

// class is what a field of an answer means to the hop.
type class uint8

const (
	classNone class = iota
	classDate
	classLength
	classConnection
	classHop // dropped
)

// classOf finds a field's class by its length first: most names have none.
func classOf(name string) class {
	is := func(s string, c class) class {
		if strings.EqualFold(name, s) {
			return c
		}
		return classNone
	}
	switch len(name) {
	case len("Date"):
		return is("Date", classDate)
	case len("Connection"):
		return max(is("Connection", classConnection), is("Keep-Alive", classHop))
	case len("Content-Length"):
		return is("Content-Length", classLength)
	case len("Transfer-Encoding"):
		return is("Transfer-Encoding", classHop)
	case len("Proxy-Connection"):
		return is("Proxy-Connection", classHop)
	case len("Upgrade"):
		return max(is("Upgrade", classHop), is("Trailer", classHop))
	}
	return classNone
}

func appendStatus(out []byte, status int) []byte {
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(out, ' ')
	out = append(out, http.StatusText(status)...)
	return append(out, "\r\n"...)
}

// appendField appends a field line. A value that would end its line becomes harmless.
func appendField(out []byte, name, value string) []byte {
	if strings.IndexByte(value, '\n') >= 0 || strings.IndexByte(value, '\r') >= 0 || strings.IndexByte(value, 0) >= 0 {
		value = strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ").Replace(value)
	}
	out = append(out, name...)
	out = append(out, ": "...)
	out = append(out, value...)
	return append(out, "\r\n"...)
}
