package upstream

import (
	"errors"
	"io"
	"net/http"

	sluice "github.com/sluicehq/sluice"
)

// Tripper is a Doer for libraries that speak through net/http: the same connections and the same rule of
// addresses.
type Tripper struct {
	Doer     Doer
	Timeouts Timeouts
	Private  bool // as in Request
}

var _ http.RoundTripper = (*Tripper)(nil)

// maxTripped bounds a request's body, in bytes, which is read whole.
const maxTripped = 1 << 20

// RoundTrip implements http.RoundTripper.
func (t *Tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	req := Request{Method: r.Method, Scheme: r.URL.Scheme, Host: r.URL.Host, Target: r.URL.RequestURI(), HostHeader: r.Host, Timeouts: t.Timeouts, Private: t.Private}
	for name, values := range r.Header {
		for _, v := range values {
			req.Header = append(req.Header, sluice.Field{Name: name, Value: v})
		}
	}
	if r.Body != nil && r.Body != http.NoBody {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxTripped+1))
		_ = r.Body.Close() // it has been read
		switch {
		case err != nil:
			return nil, err
		case len(body) > maxTripped:
			return nil, errors.New("the request's body is too large")
		}
		req.Body, req.Length = body, int64(len(body))
	}
	resp, err := t.Doer.Do(r.Context(), &req)
	if err != nil {
		return nil, err
	}
	out := &http.Response{
		Status: http.StatusText(resp.Status), StatusCode: resp.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: resp.Body, ContentLength: resp.Length, Request: r,
	}
	for _, f := range resp.Header {
		out.Header.Add(f.Name, f.Value)
	}
	return out, nil
}
