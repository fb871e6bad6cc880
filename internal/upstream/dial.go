package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"reflect"
	"syscall"
	"time"
)

// errNoHTTP1 says that a host refused "http/1.1" in the TLS handshake.
var errNoHTTP1 = errors.New("the host speaks no HTTP/1.1")

// dialer makes a dialer that races IPv6 and IPv4 (RFC 8305) and asks the rule about each address just
// before its connection is made, so that no later answer of the name service can differ.
func (r *Rule) dialer(name string, private bool) *net.Dialer {
	return &net.Dialer{
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			return r.check(name, ap.Addr(), private)
		},
	}
}

// connect makes a connection: t.Connect from start for name and dial, t.TLS for the handshake.
func (h *host) connect(ctx context.Context, start time.Time, t Timeouts) (*conn, *Error) {
	raw, err := h.dialRaw(ctx, start, t.Connect)
	if err != nil {
		return nil, &Error{Stage: dialStage(err), Host: h.key.host, Err: err}
	}
	cn := newConn(h, raw)
	if !h.key.tls {
		return cn, nil
	}
	cfg := h.c.tls.Clone()
	cfg.ServerName = h.name
	secure := tls.Client(cn.raw, cfg)
	if t.TLS > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.TLS)
		defer cancel()
	}
	if err := secure.HandshakeContext(ctx); err != nil {
		raw.Close()
		if isALPNRefusal(err) {
			err = errNoHTTP1
		}
		return nil, &Error{Stage: StageTLS, Host: h.key.host, Err: err}
	}
	cn.nc = secure
	return cn, nil
}

func (h *host) dialRaw(ctx context.Context, start time.Time, timeout time.Duration) (net.Conn, error) {
	d := h.c.o.Rule.dialer(h.name, h.key.private)
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, start.Add(timeout))
		defer cancel()
	}
	return h.c.dial(ctx, d, h.addr)
}

// dialStage tells which part of dialling failed.
func dialStage(err error) Stage {
	if _, ok := errors.AsType[*addressError](err); ok {
		return StageAddress
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return StageDNS
	}
	return StageDial
}

// isALPNRefusal finds the alert no_application_protocol (RFC 7301, 3.2). crypto/tls gives an alert of
// the other side as a net.OpError around a type of its own that is not exported, a uint8.
func isALPNRefusal(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return false
	}
	v := reflect.ValueOf(op.Err)
	return v.Kind() == reflect.Uint8 && v.Uint() == 120
}
