// Package upstream owns the connections to providers: pools, deadlines, dial rules. It knows no
// dialect. There are two ways to send a request, behind one interface: our own pooled HTTP/1.1
// client, the default where it applies, and net/http's Transport for what needs HTTP/2, a proxy or
// CONNECT. docs/upstream.md lists what the own client does, each line with its test.
package upstream

import (
	"context"
	"io"
	"net"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// Doer sends one request and returns the answer's head; the body is read by the caller.
type Doer interface {
	// Do returns as soon as the head of a final answer is read. Redirects are answers. The caller
	// closes Response.Body, always. A non-nil error is an *Error. Cancelling ctx ends the call and
	// the reading of the body at once. Safe for concurrent use.
	Do(ctx context.Context, req *Request) (*Response, error)
}

// Request is what to send. Nothing in it is changed or kept after the answer's body is closed, but for
// a Read of BodyReader that is under way then: it may return later, and no other follows it.
type Request struct {
	Method string
	Scheme string // "http" or "https"
	Host   string // host or host:port; dialled, and sent as Host unless HostHeader is set
	Target string // path and query exactly as they go on the request line, beginning with "/"
	// Header is sent in order, without Host, the framing (Content-Length, Transfer-Encoding), which are
	// written anew, and hop-by-hop fields. Nothing is added to it.
	Header sluice.Header
	// HostHeader replaces Host in the Host field when it is not empty.
	HostHeader string

	// Upgrade names the protocol that the connection is to speak from then on ("websocket"), "": it stays
	// HTTP. It is sent with Connection: Upgrade, over HTTP/1.1 whatever the host prefers, without a body.
	Upgrade string

	Body       []byte    // the whole body, when it is in memory
	BodyReader io.Reader // else its source, read once; nil with a nil Body: no body at all
	Length     int64     // of BodyReader's bytes; -1: unknown, sent chunked
	Trailer    func() sluice.Header

	// Repeatable: sending it twice does no harm, so a call that died on a reused connection before a
	// byte of answer may go once more on a new one. Only a request without BodyReader is repeated.
	Repeatable bool
	// Private: the operator chose this address, so it may lead to loopback and private ranges. Addresses of
	// cloud metadata services are refused even then.
	Private bool

	Timeouts Timeouts
}

// Timeouts bound the stages of a call; zero means unbounded. What an error of each says is its Stage.
type Timeouts struct {
	Connect   time.Duration // DNS, dial and a place among the host's connections
	TLS       time.Duration // handshake
	FirstByte time.Duration // from the start of the call to the first byte of the head
	Idle      time.Duration // between two reads of the body that bring bytes
	Total     time.Duration // from the start of the call to the end of the body
}

// Response is an answer. Body never fails with io.EOF before the end that the framing announced: a
// cut answer ends in an *Error of kind StageBody.
type Response struct {
	Status  int
	Proto   string               // "HTTP/1.1", "HTTP/2.0"
	Header  sluice.Header        // without hop-by-hop fields
	Length  int64                // of the body; -1: unknown
	Body    io.ReadCloser        // never nil; reading after the end gives io.EOF; one goroutine at a time
	Trailer func() sluice.Header // after the end of Body; nil-safe: always set
	// CloseDelimited: the body ends where the connection ends, so that only TLS (which notices) or
	// the dialect's own end tells a whole answer from a cut one.
	CloseDelimited bool
	// Conn is the connection after a 101 to a Request.Upgrade, and nil otherwise. It gives first what the
	// upstream has sent already. It belongs to the caller, who closes it: no deadline is set, no limit of
	// connections counts it, and the end of Do's ctx does not touch it. Body is empty then.
	Conn   net.Conn
	Timing Timing
}

// Timing says when things happened, as durations since the start of Do. Zero: it did not happen.
type Timing struct {
	Connected time.Duration // a connection was at hand
	Sent      time.Duration // head and body were handed to the kernel (or the body's writer began)
	FirstByte time.Duration // of the final answer's head
	Reused    bool          // the connection had carried a request before
	// Retried holds the cause of a first try that died on a reused connection, nil when there was none.
	Retried error
}

// Stage is where a call failed.
type Stage string

// The stages.
const (
	StageAddress  Stage = "address"  // the address rule forbids where the name leads
	StageDNS      Stage = "dns"      //
	StageDial     Stage = "dial"     // refused, unreachable, timed out
	StageTLS      Stage = "tls"      //
	StageProxy    Stage = "proxy"    //
	StageWrite    Stage = "write"    // the upstream took no more of the request
	StageRead     Stage = "read"     // the connection broke before a head was read
	StageProtocol Stage = "protocol" // the answer breaks HTTP in a way that cannot be passed on
	StageFirst    Stage = "timeout"  // no byte of an answer in time
	StageBody     Stage = "cut"      // the body ended before its announced end
	StageIdle     Stage = "stalled"  // the body fell silent
	StageTotal    Stage = "total"    // the call took too long in all
	StageCanceled Stage = "canceled" // the caller's context ended
	StageRequest  Stage = "request"  // the request cannot be sent: bad method, target or field
	StageBusy     Stage = "busy"     // no place among the host's connections in time
	StageSource   Stage = "source"   // reading BodyReader failed: the client's fault, mostly
)

// Error is why a call gave no answer, or no whole one.
type Error struct {
	Stage Stage
	Host  string
	Err   error // for the log; may name addresses
	// Retried is as Timing's: the call was made twice, and neither try had an answer.
	Retried error
}

// Error is for logs.
func (e *Error) Error() string { return string(e.Stage) + " " + e.Host + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
