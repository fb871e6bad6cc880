package upstream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	oneWrite  = 64 << 10 // head and body up to here go in one write, from the caller's goroutine
	readChunk = 32 << 10 // how much of a BodyReader is read at a time
)

// send sends the request, or starts the goroutine that does. An error is not yet the end: an answer may
// have come before the upstream closed.
func (x *call) send() error {
	cn, c := x.cn, x.host.c
	buf := c.write()
	*buf = appendHead((*buf)[:0], x.req)
	defer func() { x.resp.Timing.Sent = time.Since(x.start) }()
	if x.req.BodyReader == nil && len(*buf)+len(x.req.Body) <= oneWrite {
		*buf = append(*buf, x.req.Body...)
		cn.armBoth(x.first.at)
		_, err := cn.nc.Write(*buf)
		c.putWrite(buf)
		return err
	}
	// The writing ends with the call: with the answer's deadlines, which close the connection.
	cn.disarmWrites()
	x.writer = &writer{cn: cn, req: x.req, done: make(chan struct{})}
	go x.writer.run(c, buf)
	return nil
}

// writer sends a large body, or one that is still coming, while the call waits for the answer.
type writer struct {
	cn   *conn
	req  *Request
	done chan struct{}
	err  error       // of the connection; to be read when done is closed
	stop atomic.Bool // read the source no more
}

func (w *writer) run(c *Client, head *[]byte) {
	defer close(w.done)
	defer c.putWrite(head)
	if w.req.BodyReader == nil {
		w.err = writeBoth(w.cn, *head, w.req.Body)
		return
	}
	if _, w.err = w.cn.nc.Write(*head); w.err != nil {
		return
	}
	if err := w.copy(c); err != nil {
		// The upstream must not take what it has for the whole: no proper end, the connection breaks.
		w.cn.abort(&Error{Stage: StageSource, Host: w.cn.host.key.host, Err: err})
		w.err = err
	}
}

// writeBoth spares a large body the copying into one buffer with its head.
func writeBoth(cn *conn, head, body []byte) error {
	if tcp := tcpOf(cn.nc); tcp != nil {
		_, err := (&net.Buffers{head, body}).WriteTo(tcp)
		return err
	}
	if _, err := cn.nc.Write(head); err != nil {
		return err
	}
	_, err := cn.nc.Write(body)
	return err
}

// copy sends the body from its source. It returns what failed there; w.err is what failed on the connection.
func (w *writer) copy(c *Client) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in the body's source: %v", p)
		}
	}()
	const before, after = 8, 2 // room for a chunk's size line and its end
	buf := make([]byte, before+readChunk+after)
	left := w.req.Length
	chunked := w.req.chunked()
	for chunked || left > 0 {
		room := buf[before : before+readChunk]
		if !chunked {
			room = room[:min(left, readChunk)]
		}
		n, err := w.req.BodyReader.Read(room)
		if w.stop.Load() {
			return nil
		}
		if n > 0 {
			out := room[:n]
			if chunked {
				out = frameChunk(buf, before, n)
			}
			if _, w.err = w.cn.nc.Write(out); w.err != nil {
				return nil
			}
			left -= int64(n)
		}
		switch {
		case err == io.EOF && (chunked || left == 0):
			left, chunked = 0, false
		case err == io.EOF:
			return fmt.Errorf("%d bytes of the announced body are missing: %w", left, io.ErrUnexpectedEOF)
		case err != nil:
			return err
		}
	}
	if w.req.chunked() {
		return w.finish()
	}
	return nil
}

// frameChunk puts the framing around n bytes of data that lie at the offset before in buf.
func frameChunk(buf []byte, before, n int) []byte {
	var digits [8]byte
	line := append(strconv.AppendInt(digits[:0], int64(n), 16), "\r\n"...)
	begin := before - len(line)
	copy(buf[begin:], line)
	return append(buf[begin:before+n], "\r\n"...)
}

// finish sends the last chunk, and the trailers that the source turned out to have.
func (w *writer) finish() error {
	b := []byte("0\r\n")
	if w.req.Trailer != nil {
		fields := w.req.Trailer()
		if err := checkFields(fields); err != nil {
			return errors.Join(errors.New("trailer"), err)
		}
		for _, f := range fields {
			if classOf(f.Name) == endToEnd {
				b = appendField(b, f.Name, f.Value)
			}
		}
	}
	_, w.err = w.cn.nc.Write(append(b, "\r\n"...))
	return nil
}

// sent reports whether the whole request has gone out.
func (w *writer) sent() bool {
	if w == nil {
		return true
	}
	select {
	case <-w.done:
		return w.err == nil
	default:
		return false
	}
}

// end waits for the writer, whose connection is closed: the caller gets its body back. A source cannot
// be interrupted; it is not waited for.
func (w *writer) end() {
	if w == nil {
		return
	}
	w.stop.Store(true)
	if w.req.BodyReader == nil {
		<-w.done
	}
}

// write lends a buffer for a request on its way.
func (c *Client) write() *[]byte {
	if b, ok := c.writes.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, headSize)
	return &b
}

func (c *Client) putWrite(b *[]byte) {
	if cap(*b) <= 2*oneWrite {
		c.writes.Put(b)
	}
}
