// Package wsframe reads and writes the frames of WebSocket connections (RFC 6455), without extensions.
// A Watcher follows one direction of a connection as its bytes pass, in any cuts and in bounded memory:
// it keeps a frame's header and a control frame's payload, and hands the messages on in pieces, so that a
// message may be of any size.
package wsframe

import (
	"encoding/binary"
	"errors"
	"math"
)

// Op is what a frame is (RFC 6455, 5.2).
type Op uint8

// The opcodes.
const (
	Continuation Op = 0
	Text         Op = 1
	Binary       Op = 2
	Close        Op = 8
	Ping         Op = 9
	Pong         Op = 10
)

// control reports whether frames of that kind may stand between the fragments of a message.
func (o Op) control() bool { return o >= Close }

// Codes of Close frames (RFC 6455, 7.4.1).
const (
	CodeNormal    = 1000
	CodeGoingAway = 1001
	CodeProtocol  = 1002
	CodeNone      = 1005 // none was sent; it stands in no frame
	CodeAbnormal  = 1006 // the connection broke; it stands in no frame
	CodeBadData   = 1007 // a message of text is not UTF-8
	CodePolicy    = 1008
	CodeTooBig    = 1009
	CodeInternal  = 1011
	CodeRestart   = 1012
)

const (
	maxHeader  = 14  // bytes
	maxControl = 125 // bytes of a control frame's payload
)

// Errors of a Watcher: what breaks the protocol. They name the fault and hold nothing of what was read.
var (
	ErrReserved = errors.New("a frame has reserved bits set, but no extension was agreed on")
	ErrOp       = errors.New("a frame is of a kind that does not exist")
	ErrMask     = errors.New("a frame is masked where it must not be, or the other way round")
	ErrLength   = errors.New("a frame is longer than 2^63 bytes")
	ErrControl  = errors.New("a control frame is fragmented, or longer than 125 bytes")
	ErrOrder    = errors.New("a message begins within another, or goes on without a beginning")
	ErrClose    = errors.New("a Close frame's payload is one byte")
)

// Frame is a frame's header.
type Frame struct {
	Op     Op
	Fin    bool  // the message's last
	Length int64 // of the payload
	// Message is the length of the message up to the end of this frame, and Text whether it is one of
	// text. Of a control frame they are zero.
	Message int64
	Text    bool
}

// Begins reports whether a message begins with this frame.
func (f Frame) Begins() bool { return f.Op == Text || f.Op == Binary }

// Handler takes what a Watcher finds.
type Handler interface {
	// Frame takes a frame's header, before anything of its payload. An error refuses the frame.
	Frame(f Frame) error
	// Data takes the next piece of a message, unmasked. p is valid during the call, and not empty.
	Data(p []byte)
	// End takes the end of a message, and whether it was one of text.
	End(text bool)
	// Closing takes a Close frame's code, or CodeNone, and reason, which is valid during the call.
	Closing(code int, reason []byte)
}

// Pinged is what a Handler is besides that answers pings itself.
type Pinged interface {
	// Ping takes a Ping frame's payload, which the Pong is to carry. It is valid during the call.
	Ping(payload []byte)
}

// Watcher follows one direction of a connection. The zero Watcher stands at the beginning of what a
// server sends.
type Watcher struct {
	// Masked: the frames are a client's.
	Masked bool
	// Opaque: nobody wants the messages, so Data and End are not called.
	Opaque bool

	err     error
	head    [maxHeader]byte
	n       int   // bytes of the header that have come
	left    int64 // bytes of the payload to come
	frame   Frame
	within  bool  // a message has begun and not ended
	text    bool  // it is one of text
	message int64 // its length so far
	at      int   // bytes of the payload so far, modulo 4
	payload [maxControl]byte
	kept    int // bytes of payload
	plain   [512]byte
}

// Pending returns how many bytes of a header have been taken that is not whole yet, or that was refused.
func (w *Watcher) Pending() int {
	if w.left > 0 {
		return 0
	}
	return w.n
}

// Between reports whether what was taken, without the Pending bytes, ends with a whole frame.
func (w *Watcher) Between() bool { return w.left == 0 }

// Write takes the next bytes and tells h what they hold. It returns how many it took: all, unless there
// is an error. That is one of this package's, or the Handler's; then the bytes up to the end of the
// header at fault were taken, and from there on the Watcher takes nothing. p is not kept.
func (w *Watcher) Write(p []byte, h Handler) (n int, err error) {
	for w.err == nil && n < len(p) {
		if w.left > 0 {
			piece := p[n:]
			if int64(len(piece)) > w.left {
				piece = piece[:w.left]
			}
			w.take(piece, h)
			n += len(piece)
			continue
		}
		w.head[w.n] = p[n]
		w.n++
		n++
		if w.n == 2 {
			w.err = w.check() // nobody waits for the rest of what cannot become a header
		}
		if w.err != nil || w.n < 2 || w.n < w.headerLength() {
			continue
		}
		if w.err = w.begin(h); w.err == nil && w.left == 0 {
			w.end(h)
		}
	}
	return n, w.err
}

// headerLength returns how long the header is whose first two bytes are here.
func (w *Watcher) headerLength() int {
	n := 2
	switch w.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if w.head[1]&0x80 != 0 {
		n += 4
	}
	return n
}

// check judges a header's first two bytes.
func (w *Watcher) check() error {
	op, fin, length := Op(w.head[0]&0xf), w.head[0]&0x80 != 0, w.head[1]&0x7f
	switch {
	case w.head[0]&0x70 != 0:
		return ErrReserved
	case op > Binary && op < Close || op > Pong:
		return ErrOp
	case w.head[1]&0x80 != 0 != w.Masked:
		return ErrMask
	case op.control() && (!fin || length > maxControl):
		return ErrControl
	case op == Close && length == 1:
		return ErrClose
	case !op.control() && (op != Continuation) == w.within:
		return ErrOrder
	}
	return nil
}

// begin reads a whole header.
func (w *Watcher) begin(h Handler) error {
	f := Frame{Op: Op(w.head[0] & 0xf), Fin: w.head[0]&0x80 != 0, Length: int64(w.head[1] & 0x7f)}
	switch f.Length {
	case 126:
		f.Length = int64(binary.BigEndian.Uint16(w.head[2:]))
	case 127:
		f.Length = int64(binary.BigEndian.Uint64(w.head[2:])) // negative: refused below
	}
	if !f.Op.control() {
		if f.Begins() {
			w.text, w.message = f.Op == Text, 0
		}
		if f.Length < 0 || f.Length > math.MaxInt64-w.message {
			return ErrLength
		}
		w.message += f.Length
		f.Message, f.Text = w.message, w.text
	}
	if err := h.Frame(f); err != nil {
		return err
	}
	w.frame, w.left, w.at, w.kept = f, f.Length, 0, 0
	if !f.Op.control() {
		w.within = true
	}
	return nil
}

// take takes a piece of the payload.
func (w *Watcher) take(p []byte, h Handler) {
	w.left -= int64(len(p))
	switch {
	case w.frame.Op == Close, w.frame.Op == Ping:
		w.kept += copy(w.payload[w.kept:], p)
		w.unmask(w.payload[w.kept-len(p):w.kept], p)
	case w.frame.Op.control() || w.Opaque:
	case !w.Masked:
		h.Data(p)
	default:
		for rest := p; len(rest) > 0; {
			n := min(len(rest), len(w.plain))
			w.unmask(w.plain[:n], rest[:n])
			h.Data(w.plain[:n])
			rest = rest[n:]
		}
	}
	if w.left == 0 {
		w.end(h)
	}
}

// unmask puts the plain bytes of p, which may be dst itself, into dst (RFC 6455, 5.3).
func (w *Watcher) unmask(dst, p []byte) {
	if !w.Masked {
		return
	}
	xor(dst, p, [4]byte(w.head[w.headerLength()-4:]), w.at)
	w.at = (w.at + len(p)) & 3
}

// xor puts p with key over it into dst, eight bytes at a time. at is where in the key it begins.
func xor(dst, p []byte, key [4]byte, at int) {
	var turned [8]byte
	for i := range turned {
		turned[i] = key[(at+i)&3]
	}
	wide := binary.LittleEndian.Uint64(turned[:])
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(p)^wide)
		dst, p = dst[8:], p[8:]
	}
	for i, c := range p {
		dst[i] = c ^ turned[i]
	}
}

// end ends a frame.
func (w *Watcher) end(h Handler) {
	w.n = 0
	switch f := w.frame; {
	case f.Op == Close:
		code, reason := CodeNone, w.payload[:w.kept]
		if len(reason) >= 2 {
			code, reason = int(binary.BigEndian.Uint16(reason)), reason[2:]
		}
		h.Closing(code, reason)
	case f.Op == Ping:
		if p, ok := h.(Pinged); ok {
			p.Ping(w.payload[:w.kept])
		}
	case f.Op.control():
	case f.Fin:
		w.within = false
		if !w.Opaque {
			h.End(w.text)
		}
	}
}

// Append appends a whole frame. mask nil: it is a server's; a client takes four bytes that nobody can
// guess. Control frames whose payload is longer than 125 bytes are cut there.
func Append(dst []byte, op Op, payload []byte, mask *[4]byte) []byte {
	if op.control() {
		payload = payload[:min(len(payload), maxControl)]
	}
	dst = AppendHeader(dst, op, len(payload), mask)
	if mask == nil {
		return append(dst, payload...)
	}
	dst = append(dst, payload...)
	xor(dst[len(dst)-len(payload):], payload, *mask, 0)
	return dst
}

// AppendHeader appends the header of a whole frame, whose payload of n bytes the caller sends behind it,
// masked if mask is given.
func AppendHeader(dst []byte, op Op, n int, mask *[4]byte) []byte {
	masked := byte(0)
	if mask != nil {
		masked = 0x80
	}
	dst = append(dst, 0x80|byte(op))
	switch {
	case n < 126:
		dst = append(dst, masked|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, masked|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, masked|127), uint64(n))
	}
	if mask == nil {
		return dst
	}
	return append(dst, mask[:]...)
}

// AppendClose appends a Close frame. CodeNone makes an empty one.
func AppendClose(dst []byte, code int, reason string, mask *[4]byte) []byte {
	if code == CodeNone {
		return Append(dst, Close, nil, mask)
	}
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, maxControl), uint16(code))
	return Append(dst, Close, append(payload, reason...), mask)
}
