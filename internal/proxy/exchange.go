package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/limit"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire"
)

// exchange is one request on its way through the stages, which share data through its fields. It is
// used again for another request after release.
type exchange struct {
	state
	out sluice.Header // the request's fields that go on to the provider
	log reqlog.Exchange
}

// state is the part of an exchange that begins at zero with each request.
type state struct {
	proxy    *Proxy
	settings *Settings
	req      *front.Request
	sink     front.Sink
	start    time.Time // with the monotonic clock

	// identify
	id      sluice.ID
	idText  string
	gateway *sluice.Gateway
	named   string // the account as the caller wrote it
	wanted  string // the gateway as the caller wrote it
	trusted bool   // the caller's gateway token is good for this
	rest    string // what follows the gateway in the target, without its leading slash

	// accept
	message *message // whose request this is, on a WebSocket of universal requests; nil: it is no message's
	session bool     // it was such a WebSocket itself: its messages were the exchanges

	// decode
	body  body   // as the client sent it
	step         // the one that is under way
	steps []step // of a universal request, else nil
	index int    // of step in steps

	// admit
	limited  *limit.Decision // nil: no limit was asked
	spending spending

	// lookup
	flight   *cache.Flight // nil: caching is off, or an entry was found
	foreign  bool          // the cached answer is one of another provider
	haunting bool          // the client is gone; the answer is read for others
	// cachedTook is how long the cached answer took when the provider gave it; 0: not known, or none was found.
	cachedTook time.Duration

	// forward
	answer answer
	failed bool // the answer is one that another step would have been tried after

	// deliver
	meter    wire.Meter   // nil: nothing to read, or closed
	reading  wire.Reading // what the meter read
	isRead   bool         // it has
	reported string       // what the answer says that it cost, in US dollars
	fault    []byte       // the beginning of an error answer that no meter reads

	translated *translating // nil: the client gets the provider's bytes

	headSent  bool
	sent      int64         // bytes of the answer's body that the client took
	told      time.Duration // when who watches was told of it; 0: not yet
	toldBegun bool          // whether that was after its first content
	whole     bool          // the answer was read to its end
	sound     bool          // what the meter saw of it is a whole answer and no error
	recorded  bool          // the log has the entry: before the last byte, where it is strict
	amend     bool          // what has happened since the log got its entry differs from it
	refused   *sluice.Error // why Sluice answered itself; nil: it did not
	abort     bool          // the client's connection must be broken off
}

// answer is what forward gives to deliver.
type answer struct {
	status  int
	header  sluice.Header
	length  int64 // -1: unknown
	body    io.ReadCloser
	trailer func() sluice.Header
	// byClose: the body ended with the connection, so only the dialect's own end tells a whole answer.
	byClose bool
	// own: Sluice made it, without a provider.
	own bool
	// conn is the provider's connection, where that has become a WebSocket; nil otherwise.
	conn net.Conn
}

// entry is the log's row in the making.
func (x *exchange) entry() *sluice.LogEntry { return &x.log.Entry }

// since is the time passed since the exchange began; at least a nanosecond, because zero means that
// a moment never came.
func (x *exchange) since() time.Duration { return max(time.Since(x.start), 1) }

func (x *exchange) note(remark string) { x.entry().Notes = append(x.entry().Notes, remark) }

// newExchange begins an exchange. Its id is known from the first moment, so that whatever happens can
// name it.
func (p *Proxy) newExchange(req *front.Request, sink front.Sink) *exchange {
	x, _ := p.exchanges.Get().(*exchange)
	if x == nil {
		x = &exchange{}
	}
	x.proxy, x.settings, x.req, x.sink = p, p.settings.Load(), req, sink
	x.start = time.Now()
	x.id = p.ids.New(x.start)
	x.idText = x.id.String()
	e := x.entry()
	e.ID, e.Start, e.Method = x.id, x.start.UTC(), req.Method
	x.control = control{eventID: x.idText, meta: e.Metadata[:0], collect: true, payload: true}
	return x
}

// release gives back what the exchange holds, and itself.
func (p *Proxy) release(x *exchange) {
	if x.answer.body != nil {
		_ = x.answer.body.Close() // deliver has closed it, unless a stage failed
	}
	if x.answer.conn != nil {
		_ = x.answer.conn.Close() // closed already, if it was used
	}
	x.body.free()
	x.log.Reset()
	clear(x.out)
	x.out = x.out[:0]
	x.state = state{}
	p.exchanges.Put(x)
}

// ctxEnding says what the end of a request's context means.
func ctxEnding(ctx context.Context) sluice.Ending {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errShutdown):
		return sluice.EndingShutdown
	case errors.Is(cause, os.ErrDeadlineExceeded):
		return sluice.EndingClientSlow
	case errors.Is(cause, errNotAllowed):
		return sluice.EndingRefused
	}
	return sluice.EndingClientGone
}
