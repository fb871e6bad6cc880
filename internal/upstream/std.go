package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/wire/http1"
)

// standard sends requests with net/http's Transport and makes its answers look like the own client's:
// same stages, same deadlines, no field that was not asked for.
type standard struct {
	public, private, proxied *http.Transport
}

func newStandard(c *Client) *standard {
	proxied := c.transport(func(ctx context.Context, addr string) (net.Conn, error) {
		return c.dial(ctx, &net.Dialer{}, addr) // the proxy's own address: the operator chose it
	})
	if c.o.Proxy != nil {
		proxied.Proxy = func(r *http.Request) (*url.URL, error) {
			return c.o.Proxy(&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host})
		}
	}
	direct := func(private bool) *http.Transport {
		return c.transport(func(ctx context.Context, addr string) (net.Conn, error) {
			name, _, _ := net.SplitHostPort(addr)
			return c.dial(ctx, c.o.Rule.dialer(name, private), addr)
		})
	}
	return &standard{public: direct(false), private: direct(true), proxied: proxied}
}

func (c *Client) transport(dial func(context.Context, string) (net.Conn, error)) *http.Transport {
	cfg := c.tls.Clone()
	cfg.NextProtos = nil // the Transport puts in its own
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(256)
	idle := c.o.IdlePerHost
	if idle == 0 {
		idle = -1 // the Transport takes 0 for its default
	}
	return &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			raw, err := dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			return &stream{Conn: raw}, nil
		},
		TLSClientConfig:        cfg,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxConnsPerHost:        c.o.ConnsPerHost,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        maxIdle,
		MaxResponseHeaderBytes: maxHead,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

func (s *standard) close() {
	for _, t := range []*http.Transport{s.public, s.private, s.proxied} {
		t.CloseIdleConnections()
	}
}

func (s *standard) transport(h *host) *http.Transport {
	switch {
	case h.proxied:
		return s.proxied
	case h.key.private:
		return s.private
	default:
		return s.public
	}
}

func (s *standard) do(ctx context.Context, h *host, req *Request, start time.Time) (*Response, error) {
	h.last.Store(start.UnixNano())
	w := newWatch(ctx, h.key.host, req.Timeouts, start)
	hreq, err := w.request(req, h.proxied)
	if err != nil {
		w.end()
		return nil, &Error{Stage: StageRequest, Host: req.Host, Err: err}
	}
	res, err := s.transport(h).RoundTrip(hreq)
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		defer w.end()
		return w.leave(req, res)
	}
	if err != nil {
		failure := w.blame(err)
		failure.Retried = w.times().Retried
		w.end()
		return nil, failure
	}
	w.pause()
	return w.response(req, res), nil
}

// request makes the http.Request of req, whose target stays as it is to the byte.
func (w *watch) request(req *Request, proxied bool) (*http.Request, error) {
	u, err := targetURL(req, proxied)
	if err != nil {
		return nil, err
	}
	hreq := (&http.Request{
		Method: req.Method,
		URL:    u,
		Host:   req.HostHeader,
		Header: requestHeader(req),
	}).WithContext(w.context())
	if hreq.Host == "" {
		hreq.Host = req.Host
	}
	w.body(req, hreq)
	return hreq, nil
}

// targetURL finds a URL that net/http writes as req.Target. Path and RawPath do for what is properly
// encoded. The rest goes as an opaque part, which must not begin with "//", unless the whole address
// is to be written, as proxies without a tunnel want it.
func targetURL(req *Request, proxied bool) (*url.URL, error) {
	u := &url.URL{Scheme: req.Scheme, Host: req.Host}
	path, query, found := strings.Cut(req.Target, "?")
	u.RawQuery, u.ForceQuery = query, found && query == ""
	if plain, err := url.PathUnescape(path); err == nil {
		u.Path, u.RawPath = plain, path
		if u.RequestURI() == req.Target {
			return u, nil
		}
	}
	u = &url.URL{Scheme: req.Scheme, Host: req.Host, Opaque: req.Target}
	if proxied && req.Scheme == "http" {
		u.Opaque = "//" + req.Host + req.Target
		return u, nil
	}
	if u.RequestURI() != req.Target {
		return nil, fmt.Errorf("target %q begins with // and is not properly encoded", req.Target)
	}
	return u, nil
}

// requestHeader keeps names as they are, but for the one that net/http would add to if it did not see it.
func requestHeader(req *Request) http.Header {
	h := make(http.Header, len(req.Header)+1)
	for _, f := range req.Header {
		switch classOf(f.Name) {
		case endToEnd, aboutHost:
			name := f.Name
			if strings.EqualFold(name, "User-Agent") {
				name = "User-Agent"
			}
			h[name] = append(h[name], f.Value)
		}
	}
	if req.Upgrade != "" {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{req.Upgrade}
	}
	if h["User-Agent"] == nil {
		h["User-Agent"] = []string{""} // sends none
	}
	if req.Repeatable && !req.Header.Has("Idempotency-Key") {
		h["Idempotency-Key"] = nil // sends none, and lets the Transport repeat on a new connection
	}
	return h
}

// body gives hreq the body of req.
func (w *watch) body(req *Request, hreq *http.Request) {
	var stream *streamSource
	switch {
	case req.BodyReader != nil && req.Length != 0:
		stream = &streamSource{gate: &w.gate, from: req.BodyReader, left: req.Length}
		hreq.Body, hreq.ContentLength = stream, req.Length
	case len(req.Body) > 0:
		hreq.Body, hreq.ContentLength = &memorySource{gate: &w.gate, rest: req.Body}, int64(len(req.Body))
		if req.Repeatable {
			hreq.GetBody = func() (io.ReadCloser, error) { return &memorySource{gate: &w.gate, rest: req.Body}, nil }
		}
	case req.hasBody():
		hreq.Body = http.NoBody
	}
	if !req.chunked() || req.Trailer == nil {
		return
	}
	hreq.Trailer = http.Header{}
	for _, list := range req.Header.Values("Trailer") {
		eachToken(list, func(name string) {
			if http1.IsToken(name) && classOf(name) == endToEnd {
				hreq.Trailer[http.CanonicalHeaderKey(name)] = nil
			}
		})
	}
	stream.atEnd = func() error {
		fields := req.Trailer()
		for _, f := range fields {
			if classOf(f.Name) == endToEnd {
				name := http.CanonicalHeaderKey(f.Name)
				hreq.Trailer[name] = append(hreq.Trailer[name], f.Value)
			}
		}
		return checkFields(fields)
	}
}

// response makes the Response of res.
func (w *watch) response(req *Request, res *http.Response) *Response {
	r := &Response{
		Status:  res.StatusCode,
		Proto:   res.Proto,
		Header:  endToEndFields(fieldsOf(res.Header)),
		Length:  res.ContentLength,
		Trailer: func() sluice.Header { return trailerFields(fieldsOf(res.Trailer)) },
		Timing:  w.times(),
	}
	if req.Method == http.MethodHead || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified {
		r.Length = 0
	}
	r.CloseDelimited = res.ProtoMajor == 1 && r.Length < 0 && len(res.TransferEncoding) == 0
	r.Body = &stdBody{w: w, from: res.Body, closeNotify: r.CloseDelimited && req.Scheme == "https"}
	return r
}

// fieldsOf puts fields into the order of their names: what the Transport gives has lost its own.
func fieldsOf(h http.Header) sluice.Header {
	var fields sluice.Header
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			fields.Add(name, v)
		}
	}
	return fields
}

// stdBody is an answer's body: it keeps the deadlines and gives errors their stage.
type stdBody struct {
	w           *watch
	from        io.ReadCloser
	closeNotify bool // the end must be one that TLS announced
	err         error
}

// Read is io.Reader's.
func (b *stdBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	b.w.awaitBody()
	n, err := b.from.Read(p)
	if err == nil {
		b.w.pause()
		return n, nil
	}
	b.end(err)
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// end gives the body's error its meaning, and frees what the call held.
func (b *stdBody) end(err error) {
	switch {
	case err != io.EOF:
		b.err = b.w.blameBody(err)
	case b.closeNotify && b.w.cutBelowTLS():
		b.err = &Error{Stage: StageBody, Host: b.w.host, Err: io.ErrUnexpectedEOF}
	default:
		b.err = io.EOF
	}
	b.from.Close()
	b.w.end()
}

// Close is io.Closer's.
func (b *stdBody) Close() error {
	if b.err == nil {
		b.err = &Error{Stage: StageCanceled, Host: b.w.host, Err: errBodyClosed}
		b.w.end() // first: net/http would read on for a while to save the connection
		b.from.Close()
	}
	return nil
}
