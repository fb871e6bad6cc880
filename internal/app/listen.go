package app

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/config"
)

// listener is an address with its server.
type listener struct {
	purpose  string // "all", "data" or "admin"
	listener net.Listener
	server   *http.Server
	cert     *certificate // nil: no TLS
}

// certificate is read from files, again at each reload.
type certificate struct {
	cert, key string
	current   atomic.Pointer[tls.Certificate]
}

// load reads the files; a failure keeps what was there.
func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.current.Store(&pair)
	return nil
}

// listen opens addr for patient connections. conns bounds how many are open; 0: none.
func listen(ctx context.Context, addr string, conns int, writeTimeout time.Duration) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &patientListener{Listener: l, timeout: writeTimeout, done: make(chan struct{})}
	if conns > 0 {
		p.places = make(chan struct{}, conns)
	}
	return p, nil
}

// newListener makes the server for handler. base is the context of all its requests.
func newListener(base context.Context, l net.Listener, c *config.Config, handler http.Handler, logger *slog.Logger) (*listener, error) {
	f := &listener{listener: l, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: c.Timeouts.Header,
		IdleTimeout:       c.Timeouts.Keepalive,
		MaxHeaderBytes:    int(c.Limits.HeaderBytes),
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // what clients do wrong is no fault of ours
	}}
	if c.TLS.Cert != "" {
		f.cert = &certificate{cert: c.TLS.Cert, key: c.TLS.Key}
		if err := f.cert.load(); err != nil {
			return nil, err
		}
		f.server.TLSConfig = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.cert.current.Load(), nil },
		}
	}
	return f, nil
}

// serve accepts until the server is shut down.
func (f *listener) serve() error {
	var err error
	if f.cert != nil {
		err = f.server.ServeTLS(f.listener, "", "")
	} else {
		err = f.server.Serve(f.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// patientListener makes connections whose writes end in os.ErrDeadlineExceeded when the client takes
// no byte for the timeout, however long a write as a whole takes. It accepts no more than there are
// places for; the kernel's queue holds the others.
type patientListener struct {
	net.Listener
	timeout time.Duration
	places  chan struct{} // nil: no bound
	done    chan struct{}
	once    sync.Once
}

// Accept waits for a place, and then for a connection.
func (l *patientListener) Accept() (net.Conn, error) {
	if l.places != nil {
		select {
		case l.places <- struct{}{}:
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
	c, err := l.Listener.Accept()
	if err != nil {
		if l.places != nil {
			<-l.places
		}
		return nil, err
	}
	return &patientConn{Conn: c, timeout: l.timeout, places: l.places}, nil
}

// Close ends Accept.
func (l *patientListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// patientConn is a connection of a patientListener.
type patientConn struct {
	net.Conn
	timeout time.Duration // 0: unbounded
	places  chan struct{}
	left    sync.Once
	mu      sync.Mutex // HTTP/2 and TLS alerts write from other goroutines
	until   time.Time  // deadline that is set
}

// Write moves the deadline only when a good part of it has passed: that saves most calls.
func (c *patientConn) Write(p []byte) (n int, err error) {
	if c.timeout <= 0 {
		return c.Conn.Write(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		now := time.Now()
		if c.until.Sub(now) < c.timeout-c.timeout/8 {
			c.until = now.Add(c.timeout)
			if err := c.SetWriteDeadline(c.until); err != nil {
				return n, err
			}
		}
		m, err := c.Conn.Write(p[n:])
		n += m
		if m == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.until = time.Time{} // it took some: it gets its time again
	}
}

// CloseWrite lets net/http end its side first, so that a client can still read the last answer.
func (c *patientConn) CloseWrite() error {
	if half, ok := c.Conn.(*net.TCPConn); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// Close gives the connection's place back.
func (c *patientConn) Close() error {
	c.left.Do(func() {
		if c.places != nil {
			<-c.places
		}
	})
	return c.Conn.Close()
}
