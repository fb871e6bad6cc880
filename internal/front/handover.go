package front

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// handOver is the listener through which net/http's server gets the connections that are not ours.
type handOver struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
	addr  net.Addr
}

// Accept implements net.Listener.
func (h *handOver) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handOver) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handOver) Addr() net.Addr { return h.addr }

// handed is a connection whose first bytes have been read already.
type handed struct {
	netConn
	net.Conn           // what lies below TLS, for addresses and deadlines
	from     io.Reader // nil: the netConn
	rest     []byte
	state    *tls.ConnectionState // nil: no TLS
}

// Read gives back what has been read, and then what comes.
func (h *handed) Read(p []byte) (int, error) {
	if len(h.rest) == 0 {
		if h.from != nil {
			return h.from.Read(p)
		}
		return h.netConn.Read(p)
	}
	n := copy(p, h.rest)
	if h.rest = h.rest[n:]; len(h.rest) == 0 {
		h.rest = nil
	}
	return n, nil
}

// Write implements net.Conn.
func (h *handed) Write(p []byte) (int, error) { return h.netConn.Write(p) }

// Close implements net.Conn.
func (h *handed) Close() error { return h.netConn.Close() }

// handOver gives the connection to net/http, with what has been read of it.
func (c *conn) handOver() {
	rest := append([]byte(nil), c.rest...)
	c.giveBack()
	until := time.Time{}
	c.state.Store(connClosed)
	var nc net.Conn
	if secure, ok := c.nc.(*tls.Conn); !ok {
		nc = &handed{netConn: c.raw, Conn: c.raw, rest: rest}
	} else {
		state := secure.ConnectionState()
		h := &handed{netConn: secure, Conn: c.raw, rest: rest, state: &state}
		if state.NegotiatedProtocol == "h2" {
			h.from = newSettings(secure)
			until = deadline(c.s.options.HeaderTime) // for the preface: net/http has none, and takes this one away
		}
		nc = h
	}
	_ = c.raw.SetReadDeadline(until) // fails on a closed socket only
	c.s.give(nc)
	c.cancel(nil) // nobody uses its context any more
	c.s.remove(c)
}

// give hands a connection to net/http, or closes it where that has ended.
func (s *Server) give(nc net.Conn) {
	if s.hand != nil {
		select {
		case s.hand.conns <- nc:
			return
		case <-s.hand.done:
		}
	}
	_ = nc.Close()
}

// stateKey finds the TLS state of a handed connection in its requests' contexts, which net/http makes
// for it: there is no other way for it to come there.
type stateKey struct{}

// contain counts and logs a panic of Rest, which net/http would only print, and breaks its answer off.
func (s *Server) contain(r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		s.panicked(r.Context(), cause)
	}
	panic(http.ErrAbortHandler)
}

// newStd makes net/http's server.
func (s *Server) newStd() *http.Server {
	o := &s.options
	rest := o.Rest
	// HTTP/2 comes by handed connections, of which net/http does not know that TLS is around them. Without TLS there
	// is none: such a connection is refused before it is handed over.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer s.contain(r)
			if state, ok := r.Context().Value(stateKey{}).(*tls.ConnectionState); ok && r.TLS == nil {
				r.TLS = state
			}
			s.enter()
			defer s.leave()
			rest.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: o.HeaderTime,
		IdleTimeout:       o.IdleTime,
		MaxHeaderBytes:    o.HeaderBytes,
		Protocols:         &protocols,
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if h, ok := c.(*handed); ok && h.state != nil {
				return context.WithValue(ctx, stateKey{}, h.state)
			}
			return ctx
		},
		ErrorLog: slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug), // what clients do wrong is no fault of ours
	}
}
