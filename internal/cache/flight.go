package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	sluice "github.com/sluicehq/sluice"
)

// What a reader of a flight may be told beside the upstream's own errors.
var (
	// ErrBehind: the answer is too large to be kept, and this reader was too slow for what is.
	ErrBehind = errors.New("cache: too far behind in an answer that is shared")
	// ErrLeft: the participant has left the flight.
	ErrLeft = errors.New("cache: the flight was left")
)

// Why an answer was not stored.
var (
	ErrNotWhole = errors.New("cache: the answer is larger than what is stored, or found no room")
	ErrNotEnded = errors.New("cache: the answer has not ended well")
	ErrPurged   = errors.New("cache: entries were purged while the answer was under way")
)

// flightKey is what requests that share a call have in common.
type flightKey struct {
	key    Key
	accept string
}

// Flight is one request's part in a call to the provider that identical requests share. The first of
// them is the leader, and makes the call; the others follow.
//
// Each participant is there until its context ends, or it says Gone or Leave. When nobody is there
// any more, the call's context ends. A participant must Leave in the end, whatever happened.
//
// The leader calls Answer or Fail, once. Then all read the body through Reader. The methods of one
// Flight are called by one goroutine at a time.
type Flight struct {
	call   *call
	leader bool
	stop   func() bool // ends the watch over the participant's context

	// Under call.mu.
	present bool  // its client is there
	reading bool  // it reads, or will
	pos     int64 // bytes that it has read
	left    bool
}

// call is what the participants of a flight share.
type call struct {
	cache  *Cache
	ask    Ask
	ctx    context.Context // the call's own: it outlives the request that made it
	cancel context.CancelCauseFunc
	purges uint64 // Cache.purges when it began
	began  time.Time

	mu       sync.Mutex
	changed  chan struct{} // closed at the next change; nil while nobody waits for one
	seats    []*Flight     // of those who have not left, in order
	present  int
	closed   bool // nobody joins any more
	answered bool
	failed   bool
	pumping  bool
	done     bool  // the body has ended
	err      error // with done; nil: well
	head     Head
	trailer  sluice.Header
	buffer   buffer
}

// newCall makes a flight and its leader's part in it.
func newCall(ctx context.Context, c *Cache, ask Ask, shared bool) *Flight {
	run := &call{cache: c, ask: ask, purges: c.purges.Load(), closed: !shared, began: time.Now()}
	run.ctx, run.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	run.buffer = buffer{budget: c.budget, limit: c.entryBytes, length: -1, whole: true}
	return run.seat(ctx, true)
}

// join takes part in the flight of ask, or begins one. It returns nil when the store is to be asked
// again, because moved is no longer at before.
func (c *Cache) join(ctx context.Context, ask Ask, moved *atomic.Uint64, before uint64) *Flight {
	k := flightKey{ask.Key, ask.AcceptEncoding}
	c.mu.Lock()
	defer c.mu.Unlock()
	if running := c.flights[k]; running != nil {
		if f := running.follow(ctx); f != nil {
			return f
		}
	}
	if moved.Load() != before {
		return nil
	}
	f := newCall(ctx, c, ask, true)
	c.flights[k] = f.call
	return f
}

// follow takes part, unless it is too late for that.
func (c *call) follow(ctx context.Context) *Flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	return c.seat(ctx, false)
}

// seat makes a participant. Under c.mu, or before anybody else knows of c.
func (c *call) seat(ctx context.Context, leader bool) *Flight {
	f := &Flight{call: c, leader: leader, present: true, reading: true}
	c.seats = append(c.seats, f)
	c.present++
	f.stop = context.AfterFunc(ctx, func() { f.Gone(context.Cause(ctx)) })
	return f
}

// unlist makes room for a new flight of the same requests.
func (c *call) unlist() {
	k := flightKey{c.ask.Key, c.ask.AcceptEncoding}
	c.cache.mu.Lock()
	defer c.cache.mu.Unlock()
	if c.cache.flights[k] == c {
		delete(c.cache.flights, k)
	}
}

// signal wakes all who wait. Under c.mu.
func (c *call) signal() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// next is closed at the next change. Under c.mu.
func (c *call) next() <-chan struct{} {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// Leader reports whether it falls to this participant to make the call.
func (f *Flight) Leader() bool { return f.leader }

// Context is the call's. It has the values of the leader's context and ends when nobody is there any
// more, with the cause of the last who went.
func (f *Flight) Context() context.Context { return f.call.ctx }

// Others reports whether somebody else is there.
func (f *Flight) Others() bool {
	c := f.call
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.present {
		return c.present > 1
	}
	return c.present > 0
}

// Answer is the leader's: it tells the others the answer's head, and starts to read its body, which
// must obey Context and is closed at its end. trailer, if not nil, is asked after a good end. The
// fields of h's header that are not Shareable do not reach the others.
func (f *Flight) Answer(h Head, body io.ReadCloser, trailer func() sluice.Header) {
	c := f.call
	h.Header = Shareable(h.Header)
	c.mu.Lock()
	c.head, c.answered, c.pumping = h, true, true
	c.buffer.length = h.Length
	if h.Length > c.buffer.limit {
		c.buffer.whole, c.closed = false, true
	}
	closed := c.closed
	c.signal()
	c.mu.Unlock()
	if closed {
		c.unlist()
	}
	c.cache.pumps.Go(func() { c.pump(body, trailer) })
}

// Fail is the leader's: there is no answer to share. The others go on alone. After Answer it does
// nothing.
func (f *Flight) Fail() {
	c := f.call
	c.mu.Lock()
	c.failed = !c.answered
	failed := c.failed
	c.closed = c.closed || failed
	c.signal()
	c.mu.Unlock()
	if failed {
		c.unlist()
	}
}

// Wait waits for the answer's head. false: there is none to share, or ctx has ended; a request whose
// client is still there then goes on alone.
func (f *Flight) Wait(ctx context.Context) (Head, bool) {
	c := f.call
	for {
		c.mu.Lock()
		head, answered, failed, changed := c.head, c.answered, c.failed, c.next()
		c.mu.Unlock()
		if answered || failed {
			return head, answered
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Head{}, false
		}
	}
}

// Reader reads the body from where this participant is. A read ends with ctx's error as soon as ctx
// does; so a leader whose client has gone reads on with the call's own context. At the body's end it
// gives io.EOF or the upstream's error, as all others get it. Close ends the reading, and the client
// counts as gone.
func (f *Flight) Reader(ctx context.Context) io.ReadCloser { return &reader{f, ctx} }

// Trailer returns the trailer fields of an answer that has ended well.
func (f *Flight) Trailer() sluice.Header {
	f.call.mu.Lock()
	defer f.call.mu.Unlock()
	return f.call.trailer
}

// Gone says that the participant's client is not there any more, though its context may not have
// ended. It may go on reading for the others' sake.
func (f *Flight) Gone(cause error) {
	c := f.call
	c.mu.Lock()
	if !f.present {
		c.mu.Unlock()
		return
	}
	f.present = false
	c.present--
	last := c.present == 0 && !c.done
	c.closed = c.closed || last
	if !f.leader {
		f.reading = false
	}
	c.signal()
	c.mu.Unlock()
	if last {
		c.cancel(cause)
		c.unlist()
	}
}

// Leave ends the participation. A leader who leaves without an answer has failed; with one, the
// others read on, but it is not stored any more.
func (f *Flight) Leave() {
	f.stop()
	if f.leader {
		f.Fail()
	}
	f.Gone(context.Canceled)
	c := f.call
	c.mu.Lock()
	if f.left {
		c.mu.Unlock()
		return
	}
	f.left, f.reading = true, false
	if i := slices.Index(c.seats, f); i >= 0 {
		c.seats = slices.Delete(c.seats, i, i+1)
	}
	ended := f.leader && c.done
	c.closed = c.closed || ended
	c.signal()
	c.release()
	c.mu.Unlock()
	if ended {
		c.unlist()
	}
}

// release gives up what nobody can use any more. Under c.mu.
func (c *call) release() {
	if len(c.seats) == 0 && !c.pumping {
		c.closed = true
		c.buffer.release()
		c.cancel(context.Canceled)
	}
}

// Store is the leader's: it stores the answer, which the leader has seen to be well, until expires.
// An error says why it was not; it is no failure of the request. Trailer fields are not kept.
func (f *Flight) Store(ctx context.Context, now, expires time.Time) error {
	c := f.call
	c.mu.Lock()
	if err := c.storable(); err != nil {
		c.mu.Unlock()
		return err
	}
	e := &Entry{Head: c.head, Body: c.buffer.all(), Encoding: contentEncoding(c.head.Header), Stored: now, Expires: expires}
	e.Took = now.Sub(c.began)
	e.Length = int64(len(e.Body))
	c.mu.Unlock()

	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cache.timeout)
	defer cancel()
	if err := c.cache.put(limited, c.ask, e, c.purges); err != nil {
		return err
	}
	c.cache.settled(c)
	return nil
}

// storable says why the answer cannot be stored. Under c.mu.
func (c *call) storable() error {
	switch {
	case !c.done || c.err != nil:
		return ErrNotEnded
	case !c.buffer.whole:
		return ErrNotWhole
	case c.purges != c.cache.purges.Load():
		return ErrPurged
	}
	return nil
}

// put stores an entry that was asked for when purges were as many as given.
func (c *Cache) put(ctx context.Context, ask Ask, e *Entry, purges uint64) error {
	if err := c.store.Put(ctx, ask.Scope, ask.Key, e); err != nil {
		c.failed(ctx, ask.Scope, "put", err)
		return err
	}
	if purges != c.purges.Load() {
		// The purge may have been before the put. To be sure, what was put goes as well.
		if _, err := c.store.Purge(ctx, Selection{Scope: ask.Scope, Keys: []Key{ask.Key}}); err != nil {
			c.failed(ctx, ask.Scope, "purge", err)
		}
		return ErrPurged
	}
	c.countsOf(ask.Scope).stored.Add(1)
	return nil
}

// settled takes a flight out whose answer can be found in the store. Who has looked there before, and
// looks for the flight after, sees the count moved and looks in the store again.
func (c *Cache) settled(run *call) {
	k := flightKey{run.ask.Key, run.ask.AcceptEncoding}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored[run.ask.Key[0]%64].Add(1)
	if c.flights[k] == run {
		delete(c.flights, k)
	}
}

// pump reads the upstream's body into the buffer, to its end.
func (c *call) pump(body io.ReadCloser, trailer func() sluice.Header) {
	err := c.guarded(func() error { return c.copy(body) })
	if closed := c.guarded(body.Close); err == io.EOF && closed != nil {
		err = closed
	}
	var fields sluice.Header
	if err == io.EOF && trailer != nil {
		err = c.guarded(func() error {
			fields = trailer()
			return io.EOF
		})
	}
	c.mu.Lock()
	c.done, c.pumping, c.trailer = true, false, fields
	if err != io.EOF {
		c.err = err
	}
	orphan := c.err != nil || !slices.ContainsFunc(c.seats, func(f *Flight) bool { return f.leader })
	c.closed = c.closed || orphan // a broken answer is for nobody else, one without a leader is not stored
	c.signal()
	c.release()
	c.mu.Unlock()
	if orphan {
		c.unlist()
	}
}

// guarded makes an error of a panic: in a goroutine of its own it would end the process.
func (c *call) guarded(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
			c.cache.logger.Error("panic in a shared call", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	return f()
}

// copy reads until an error, io.EOF as a rule.
func (c *call) copy(body io.Reader) error {
	for {
		to, err := c.room()
		if err != nil {
			return err
		}
		n, err := body.Read(to)
		c.mu.Lock()
		c.buffer.grow(n)
		late := !c.buffer.whole && !c.closed
		c.closed = c.closed || late
		if n > 0 && err == nil {
			c.signal()
		}
		c.mu.Unlock()
		if late {
			c.unlist()
		}
		if err != nil {
			return err
		}
	}
}

// room waits for room in the buffer. As long as the answer is kept whole there always is; after that,
// the one who sets the pace has to get on.
func (c *call) room() ([]byte, error) {
	for {
		c.mu.Lock()
		to := c.buffer.room(c.pace())
		late := !c.buffer.whole && !c.closed
		c.closed = c.closed || late
		var changed <-chan struct{}
		if to == nil {
			changed = c.next()
		}
		c.mu.Unlock()
		if late {
			c.unlist()
		}
		if to != nil {
			return to, nil
		}
		select {
		case <-changed:
		case <-c.ctx.Done():
			return nil, context.Cause(c.ctx)
		}
	}
}

// pace is the position of the participant that the upstream waits for, as it would in a plain relay:
// the leader, or the first of those who are left. Under c.mu.
func (c *call) pace() int64 {
	for _, f := range c.seats {
		if f.reading {
			return f.pos
		}
	}
	return math.MaxInt64
}

// reader is a participant's view of the body.
type reader struct {
	f   *Flight
	ctx context.Context // io.Reader has no place for it
}

// Read waits for bytes, or for the end.
func (r *reader) Read(p []byte) (int, error) {
	f, c := r.f, r.f.call
	for {
		if err := r.ctx.Err(); err != nil {
			return 0, err
		}
		c.mu.Lock()
		if !f.reading {
			c.mu.Unlock()
			return 0, ErrLeft
		}
		from, there := c.buffer.at(f.pos)
		if !there {
			c.mu.Unlock()
			return 0, ErrBehind
		}
		if len(from) > 0 && len(p) > 0 {
			from = from[:min(len(p), len(from))]
			f.pos += int64(len(from))
			err := c.end(f)
			if !c.buffer.whole {
				c.signal() // the pump may wait for this
			}
			c.mu.Unlock()
			return copy(p, from), err
		}
		err, changed := c.end(f), c.next()
		c.mu.Unlock()
		if err != nil || len(p) == 0 {
			return 0, err
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
		}
	}
}

// end is what a participant gets who has read all there is; nil when more may come. Under c.mu.
func (c *call) end(f *Flight) error {
	switch {
	case !c.done || f.pos < c.buffer.end:
		return nil
	case c.err != nil:
		return c.err
	}
	return io.EOF
}

// Close ends the reading.
func (r *reader) Close() error {
	c := r.f.call
	c.mu.Lock()
	r.f.reading = false
	c.signal()
	c.mu.Unlock()
	r.f.Gone(context.Canceled)
	return nil
}
