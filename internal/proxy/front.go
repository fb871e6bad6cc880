package proxy

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
)

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
	Secure  bool // the client's connection is TLS
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
	// BodyTimeout bounds the next pause within the request's body; 0 lifts the bound.
	BodyTimeout(d time.Duration)
	// Duplex allows the request's body to be read after Head.
	Duplex()
}

// ServeHTTP is the net/http front, and the only part of the request path that knows http.Request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	front, _ := p.fronts.Get().(*httpFront)
	if front == nil {
		front = &httpFront{}
	}
	front.take(w, r)
	abort := p.Serve(r.Context(), &front.req, front)
	front.free()
	p.fronts.Put(front)
	if abort {
		panic(http.ErrAbortHandler) // net/http breaks the connection (HTTP/2: the stream) and logs nothing
	}
}

// httpFront makes a Request and a Sink of what net/http has.
type httpFront struct {
	req  Request
	w    http.ResponseWriter
	r    *http.Request
	ctrl *http.ResponseController
	vals []string // one value per field line of the answer: backs the slices of the header map
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
		Length: r.ContentLength, Secure: r.TLS != nil,
	}
	if r.Body != nil && r.Body != http.NoBody {
		f.req.Body = r.Body
	}
	if len(r.Trailer) > 0 {
		f.req.Trailer = f.trailer
	}
}

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
	until := time.Time{}
	if d > 0 {
		until = time.Now().Add(d)
	}
	// Not supported means a front of a test, which has no slow clients.
	if err := f.ctrl.SetReadDeadline(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return // the connection is gone: the next read says so
	}
}

func (f *httpFront) Duplex() { _ = f.ctrl.EnableFullDuplex() } // HTTP/2 is duplex as it is, and says so by an error
