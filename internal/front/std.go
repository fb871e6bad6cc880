package front

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Std serves what net/http's server has read, over HTTP/1.1 and HTTP/2. It is the only part of the
// request path that knows http.Request. Safe for concurrent use.
type Std struct {
	handler Handler
	pool    sync.Pool
}

var _ http.Handler = (*Std)(nil)

// NewStd makes an http.Handler of h.
func NewStd(h Handler) *Std { return &Std{handler: h} }

// ServeHTTP implements http.Handler.
func (s *Std) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, _ := s.pool.Get().(*httpFront)
	if f == nil {
		f = &httpFront{}
	}
	f.take(w, r)
	abort := s.handler.Serve(r.Context(), &f.req, f)
	switched := f.switched
	f.free()
	s.pool.Put(f)
	switch {
	case switched != nil:
		takeLeave(switched, abort)
	case abort:
		panic(http.ErrAbortHandler) // net/http breaks the connection (HTTP/2: the stream) and logs nothing
	}
}

// httpFront makes a Request and a Sink of what net/http has.
type httpFront struct {
	req  Request
	w    http.ResponseWriter
	r    *http.Request
	ctrl *http.ResponseController
	body *stdBody // nil: the request has none
	vals []string // one value per field line of the answer: backs the slices of the header map

	switched net.Conn // what speaks another protocol now; nil: nothing does
}

func (f *httpFront) take(w http.ResponseWriter, r *http.Request) {
	header := f.req.Header[:0]
	for name, values := range r.Header {
		for _, v := range values {
			header = append(header, sluice.Field{Name: name, Value: v})
		}
	}
	// net/http keeps the order of lines within a name only; sorted, a log reads alike each time.
	slices.SortStableFunc(header, func(a, b sluice.Field) int { return strings.Compare(a.Name, b.Name) })
	f.w, f.r, f.ctrl = w, r, http.NewResponseController(w)
	f.req = Request{
		Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: header,
		Length: r.ContentLength, Secure: r.TLS != nil, Remote: address(r.RemoteAddr),
	}
	if r.Body != nil && r.Body != http.NoBody {
		f.body = &stdBody{from: r.Body, ctrl: f.ctrl}
		f.req.Body = f.body
	}
	if len(r.Trailer) > 0 {
		f.req.Trailer = f.trailer
	}
}

// address is a client's address as net/http gives it.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// free gives the front back. Nothing of it is used after the handler has returned.
func (f *httpFront) free() {
	clear(f.req.Header)
	clear(f.vals)
	*f = httpFront{req: Request{Header: f.req.Header[:0]}, vals: f.vals[:0]}
}

func (f *httpFront) trailer() sluice.Header {
	var h sluice.Header
	for name, values := range f.r.Trailer {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	return h
}

// Head keeps names as the provider wrote them, but for those that net/http itself looks up.
func (f *httpFront) Head(status int, h sluice.Header) {
	to := f.w.Header()
	f.vals = slices.Grow(f.vals[:0], len(h))[:len(h)]
	typed := false
	for i := range h {
		name := h[i].Name
		switch {
		case strings.EqualFold(name, "Content-Type"):
			name, typed = "Content-Type", true
		case strings.EqualFold(name, "Content-Length"):
			name = "Content-Length"
		case strings.EqualFold(name, "Date"):
			name = "Date"
		}
		f.vals[i] = h[i].Value
		if have, twice := to[name]; twice {
			to[name] = append(have, h[i].Value)
		} else {
			to[name] = f.vals[i : i+1 : i+1]
		}
	}
	if !typed {
		to["Content-Type"] = nil // else net/http guesses one
	}
	f.w.WriteHeader(status)
}

func (f *httpFront) Write(p []byte) (int, error) { return f.w.Write(p) }

func (f *httpFront) Flush() error { return f.ctrl.Flush() }

func (f *httpFront) Trailer(h sluice.Header) {
	for _, field := range h {
		f.w.Header().Add(http.TrailerPrefix+field.Name, field.Value)
	}
}

func (f *httpFront) BodyTimeout(d time.Duration) {
	if f.body == nil {
		return
	}
	f.body.pause.Store(int64(d))
	if d <= 0 && !f.body.failed.Load() {
		_ = f.ctrl.SetReadDeadline(time.Time{}) // if it fails, so will the next read
	}
}

func (f *httpFront) Duplex() { _ = f.ctrl.EnableFullDuplex() } // HTTP/2 is duplex as it is, and says so by an error

// stdBody is a request's body whose reads are bounded. It is no part of the httpFront, because whoever
// reads it may do so for a moment longer than the call lasts.
type stdBody struct {
	from  io.Reader
	ctrl  *http.ResponseController
	pause atomic.Int64 // a time.Duration; 0: unbounded
	// failed bodies keep their deadline: net/http must not wait for the rest before it sends the answer.
	failed atomic.Bool
}

// Read implements io.Reader.
func (b *stdBody) Read(p []byte) (int, error) {
	if d := b.pause.Load(); d > 0 {
		// A front of a test may not support it, and has no slow clients; if it fails otherwise, so will the read.
		_ = b.ctrl.SetReadDeadline(time.Now().Add(time.Duration(d)))
	}
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.failed.Store(true)
	}
	return n, err
}
