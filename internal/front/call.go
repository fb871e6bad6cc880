package front

// call is one request on a connection, with its answer: a handler gets its req, and itself as the Sink.
// It is used again for another request, unless another goroutine may still know it.
type call struct {
	c      *conn
	req    Request
	body   body
	answer answer

	minor  int  // of the request's HTTP/1.x
	close  bool // the connection ends with this request, if the client has its way
	shared bool // another goroutine may read the body: Duplex was called, or trailers are asked for
}

var _ Sink = (*call)(nil)

// call lends a call.
func (s *Server) call() *call {
	if k, ok := s.calls.Get().(*call); ok {
		return k
	}
	return &call{}
}

// begin fills the call in.
func (k *call) begin(c *conn, h *head) {
	k.c, k.minor, k.close = c, h.minor, h.close
	k.req.Method, k.req.Target, k.req.Host = h.method, h.target, h.host
	k.req.Length, k.req.Secure = h.length, c.secure.Load()
	k.req.Remote = c.raw.RemoteAddr()
	k.body.begin(c, h)
	if h.length != 0 {
		k.req.Body = &k.body
	}
	if h.trailer {
		k.req.Trailer = k.body.trailer
		k.shared = true
	}
}

// recycle gives the call back. One that is shared is left to whoever may still know it.
func (s *Server) recycle(k *call) {
	if k.shared {
		return
	}
	fields := k.req.Header
	clear(fields)
	k.req = Request{Header: fields[:0]}
	trailer := k.answer.trailer
	clear(trailer)
	k.answer = answer{trailer: trailer[:0]}
	k.c, k.body.c = nil, nil
	s.calls.Put(k)
}
