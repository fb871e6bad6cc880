package app

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"

	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/hello"
)

// listener is an address with its server.
type listener struct {
	purpose  string // "all", "data" or "admin"
	listener net.Listener
	server   *front.Server
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

// refused tells those who are setting up a client of a request that was none.
func (a *App) refused(status int, reason string, client net.Addr) {
	a.hello.Add(&hello.Call{Time: time.Now(), Cause: hello.Malformed, Status: status, Message: reason, Remote: client})
}

// newListener makes the server for handler and, where there is a data plane here, for its requests.
// base is the context of all of them.
func (a *App) newListener(base context.Context, l net.Listener, rt *router) (*listener, error) {
	c := &a.loaded.Load().Config
	f := &listener{listener: l}
	o := front.Options{
		Handler: a.proxy, Mine: rt.isData, Rest: rt,
		HeaderBytes: int(c.Limits.HeaderBytes), HeaderTime: c.Timeouts.Header, IdleTime: c.Timeouts.Keepalive,
		WriteTime: c.Timeouts.ClientWrite, MaxConns: clientConns(c.Limits.Conns), Logger: a.logger,
		Refused: a.refused,
	}
	if c.TLS.Cert != "" {
		f.cert = &certificate{cert: c.TLS.Cert, key: c.TLS.Key}
		if err := f.cert.load(); err != nil {
			return nil, err
		}
		o.TLS = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.cert.current.Load(), nil },
		}
	}
	f.server = front.New(base, o)
	return f, nil
}
