package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/socket"
)

// Options are what a Client is made of. The zero value serves: no proxy, public addresses only, the
// system's certificate authorities.
type Options struct {
	// Transport is "auto" (or empty): the own HTTP/1.1 client where it applies; "std": net/http's
	// Transport for every call.
	Transport    string
	ConnsPerHost int // most connections to one host at a time; 0: no bound
	IdlePerHost  int // most idle connections kept to one host; 0: none is kept
	// RootCAs are the trusted certificate authorities; nil: the system's.
	RootCAs *x509.CertPool
	// Proxy names the proxy for an address, nil for none, as httpproxy.Config.ProxyFunc does. It is asked
	// once for each host, with scheme and host. nil: no proxies.
	Proxy  func(*url.URL) (*url.URL, error)
	Rule   Rule
	Logger *slog.Logger // nil: no messages
}

// Client sends requests: over its own HTTP/1.1 connections, or over net/http's Transport where a host
// needs a proxy or has been found to refuse HTTP/1.1. Safe for concurrent use.
type Client struct {
	o    Options
	log  *slog.Logger
	tls  *tls.Config
	std  *standard
	dial func(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) // tests put a pipe here

	heads  sync.Pool // *[]byte of headSize: answers' heads on their way
	writes sync.Pool // *[]byte: requests on their way, up to oneWrite and a head

	mu     sync.RWMutex
	hosts  map[hostKey]*host
	closed bool

	done chan struct{}  // closed by Close
	work sync.WaitGroup // the reaper, and every dial
}

var _ Doer = (*Client)(nil)

// errClosed is the cause when a call is made after Close.
var errClosed = errors.New("the client is closed")

// New returns a Client. The caller ends it with Close.
func New(o Options) *Client {
	c := &Client{
		o:     o,
		log:   cmp.Or(o.Logger, slog.New(slog.DiscardHandler)),
		hosts: map[hostKey]*host{},
		done:  make(chan struct{}),
		dial: func(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) {
			c, err := d.DialContext(ctx, "tcp", addr)
			if err != nil {
				return nil, err
			}
			return socket.Of(c), nil
		},
		tls: &tls.Config{
			RootCAs:            o.RootCAs,
			NextProtos:         []string{"http/1.1"},
			ClientSessionCache: tls.NewLRUClientSessionCache(256),
			MinVersion:         tls.VersionTLS12,
		},
	}
	c.std = newStandard(c)
	c.work.Add(1)
	go c.reap()
	return c
}

// Do sends req, as Doer says.
func (c *Client) Do(ctx context.Context, req *Request) (*Response, error) {
	start := time.Now()
	if err := req.check(); err != nil {
		return nil, &Error{Stage: StageRequest, Host: req.Host, Err: err}
	}
	for {
		if ctx.Err() != nil {
			return nil, &Error{Stage: StageCanceled, Host: req.Host, Err: context.Cause(ctx)}
		}
		h, err := c.host(req)
		if err != nil {
			return nil, err
		}
		if h.proxied || h.std.Load() {
			return c.std.do(ctx, h, req, start)
		}
		resp, failure := h.do(ctx, req, start)
		switch {
		case failure == nil:
			return resp, nil
		case errors.Is(failure, errNoHTTP1):
			// No byte of the request has been sent: the handshake said so.
			h.std.Store(true)
			c.log.InfoContext(ctx, "host speaks no HTTP/1.1, using HTTP/2 from now on", "host", req.Host)
		case !errors.Is(failure, errGone):
			return nil, failure
		}
	}
}

// host returns what is known of the request's host.
func (c *Client) host(req *Request) (*host, *Error) {
	k := hostKey{tls: req.Scheme == "https", private: req.Private, host: req.Host}
	c.mu.RLock()
	h, closed := c.hosts[k], c.closed
	c.mu.RUnlock()
	if closed {
		return nil, &Error{Stage: StageDial, Host: req.Host, Err: errClosed}
	}
	if h != nil {
		return h, nil
	}
	h, err := c.newHost(k)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &Error{Stage: StageDial, Host: req.Host, Err: errClosed}
	}
	if other := c.hosts[k]; other != nil {
		return other, nil
	}
	c.hosts[k] = h
	return h, nil
}

// Close closes the idle connections, ends the dials under way and refuses calls from then on. Calls
// that have a connection go on to their end, and it is closed then.
func (c *Client) Close() {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.closed = true
	hosts := c.hosts
	c.hosts = nil
	c.mu.Unlock()

	close(c.done)
	for _, h := range hosts {
		h.shut()
	}
	c.std.close()
	c.work.Wait()
}

// HostStats is what Stats says of one host.
type HostStats struct {
	Scheme, Host string
	Private      bool   // called with Request.Private
	Via          string // "own", "std" (the host speaks no HTTP/1.1, or by setting) or "proxy"
	// Of the own client's connections; zero for other hosts, whose connections net/http counts for itself.
	Open, Idle, Dialing int // Open counts the idle ones and those being dialled too
	Waiting             int // calls without a connection
}

// Stats returns the hosts that were called of late, in order of their names.
func (c *Client) Stats() []HostStats {
	c.mu.RLock()
	hosts := make([]*host, 0, len(c.hosts))
	for _, h := range c.hosts {
		hosts = append(hosts, h)
	}
	c.mu.RUnlock()
	stats := make([]HostStats, 0, len(hosts))
	for _, h := range hosts {
		stats = append(stats, h.stats())
	}
	slices.SortFunc(stats, func(a, b HostStats) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Scheme, b.Scheme))
	})
	return stats
}

// reap closes connections that were idle or alive for too long, and forgets hosts that nobody calls.
func (c *Client) reap() {
	defer c.work.Done()
	tick := time.NewTicker(reapEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-tick.C:
		}
		c.mu.RLock()
		hosts := make(map[hostKey]*host, len(c.hosts))
		for k, h := range c.hosts {
			hosts[k] = h
		}
		c.mu.RUnlock()
		now := time.Now()
		for k, h := range hosts {
			if h.reap(now) {
				c.mu.Lock()
				delete(c.hosts, k)
				c.mu.Unlock()
			}
		}
	}
}
