package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/cache"
)

func askFor(n byte) cache.Ask {
	return cache.Ask{Scope: cache.Scope{Account: "acme", Gateway: "main"}, Key: cache.Key{n}}
}

// look looks up, wanting a flight.
func (b *bench) look(ctx context.Context, t testing.TB, ask cache.Ask) *cache.Flight {
	t.Helper()
	e, f, _ := b.Lookup(ctx, ask, time.Now())
	if e != nil || f == nil {
		t.Fatalf("entry %v, flight %v", e, f)
	}
	return f
}

// upstream is a body that a test sends.
type upstream struct {
	ctx    context.Context
	pieces chan []byte // closed: the end
	err    error       // of the end; nil: io.EOF
	rest   []byte
	closed atomic.Bool
	closes error
}

func newUpstream(f *cache.Flight) *upstream {
	return &upstream{ctx: f.Context(), pieces: make(chan []byte, 1000)}
}

func (u *upstream) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		select {
		case piece, more := <-u.pieces:
			if !more {
				if u.err != nil {
					return 0, u.err
				}
				return 0, io.EOF
			}
			u.rest = piece
		case <-u.ctx.Done():
			return 0, context.Cause(u.ctx)
		}
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func (u *upstream) Close() error {
	u.closed.Store(true)
	return u.closes
}

func ok(length int64) cache.Head {
	return cache.Head{Status: 200, Length: length, Provider: "openai", Header: sluice.Header{{Name: "Set-Cookie", Value: "a"}, {Name: "X-A", Value: "b"}}}
}

func TestIdenticalRequestsShareOneCall(t *testing.T) {
	c := open(t)
	body := strings.Repeat("x", 10_000)
	var calls, hits atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			now := time.Now()
			e, f, _ := c.Lookup(t.Context(), askFor(1), now)
			if e != nil {
				hits.Add(1)
				if string(e.Body) != body || e.Provider != "openai" || e.Header.Has("Set-Cookie") {
					t.Errorf("%+v", e.Head)
				}
				return
			}
			defer f.Leave()
			if f.Leader() {
				calls.Add(1)
				f.Answer(ok(-1), io.NopCloser(strings.NewReader(body)), nil)
			} else if h, answered := f.Wait(t.Context()); !answered || h.Status != 200 || len(h.Header) != 1 {
				t.Errorf("%+v %t", h, answered)
			}
			got, err := io.ReadAll(f.Reader(t.Context()))
			if err != nil || string(got) != body {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if f.Leader() {
				if err := f.Store(t.Context(), now, now.Add(time.Minute)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s, err := c.Stats(t.Context(), cache.Scope{Account: "acme"})
	if err != nil || calls.Load() != 1 || s.Misses != 1 || s.Stored != 1 || s.Hits != hits.Load() || s.Hits+s.Joined != 99 || s.Running != 0 {
		t.Errorf("%d calls, %+v, %v", calls.Load(), s, err)
	}
}

// TestThereIsNoGapBetweenFlightAndEntry has requests come at the very moment when the answer goes from
// the flight into the store.
func TestThereIsNoGapBetweenFlightAndEntry(t *testing.T) {
	for round := range 300 {
		c := open(t)
		var calls atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 3 {
					now := time.Now()
					e, f, _ := c.Lookup(t.Context(), askFor(byte(round)), now)
					if e != nil {
						continue
					}
					if f.Leader() {
						calls.Add(1)
						f.Answer(ok(1), io.NopCloser(strings.NewReader("x")), nil)
						if _, err := io.ReadAll(f.Reader(t.Context())); err != nil {
							t.Error(err)
						}
						if err := f.Store(t.Context(), now, now.Add(time.Minute)); err != nil {
							t.Error(err)
						}
					}
					f.Leave()
				}
			})
		}
		all.Wait()
		if calls.Load() != 1 {
			t.Fatalf("round %d: %d calls", round, calls.Load())
		}
	}
}

func TestAFailureIsSharedWithNobody(t *testing.T) {
	for name, end := range map[string]func(f *cache.Flight){"it fails": (*cache.Flight).Fail, "it leaves": (*cache.Flight).Leave} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t)
			leader := c.look(t.Context(), t, askFor(1))
			var alone atomic.Int64
			for range 5 {
				f := c.look(t.Context(), t, askFor(1))
				go func() {
					defer f.Leave()
					if h, answered := f.Wait(t.Context()); f.Leader() || answered || h.Status != 0 {
						t.Errorf("%s: %+v", name, h)
					}
					alone.Add(1)
				}()
			}
			synctest.Wait()
			if alone.Load() != 0 {
				t.Errorf("%s: somebody did not wait", name)
			}
			end(leader)
			synctest.Wait()
			if alone.Load() != 5 {
				t.Errorf("%s: %d go on alone", name, alone.Load())
			}
			next := c.look(t.Context(), t, askFor(1))
			if !next.Leader() {
				t.Errorf("%s: the next request joins what failed", name)
			}
			next.Leave()
			leader.Leave()
		})
	}
}

func TestTheLastToLeaveEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		causes := []error{errors.New("a"), errors.New("b")}
		first, leave := context.WithCancelCause(context.WithValue(t.Context(), askFor(0), "value"))
		second, leaveToo := context.WithCancelCause(t.Context())
		leader, follower := c.look(first, t, askFor(1)), c.look(second, t, askFor(1))
		up := newUpstream(leader)
		leader.Answer(ok(-1), up, nil)
		up.pieces <- []byte("some")
		leave(causes[0])
		synctest.Wait()
		if leader.Context().Err() != nil || !leader.Others() || leader.Context().Value(askFor(0)) != "value" {
			t.Error("the leader's client takes the call with it")
		}
		if _, err := leader.Reader(first).Read(make([]byte, 10)); !errors.Is(err, context.Canceled) {
			t.Errorf("the leader's client: %v", err)
		}
		buf := make([]byte, 10)
		for _, f := range []*cache.Flight{leader, follower} { // the leader reads on for the others
			if n, err := f.Reader(f.Context()).Read(buf); string(buf[:n]) != "some" || err != nil {
				t.Errorf("%q, %v", buf[:n], err)
			}
		}
		leaveToo(causes[1])
		synctest.Wait()
		if !errors.Is(context.Cause(leader.Context()), causes[1]) || leader.Others() || !up.closed.Load() {
			t.Errorf("the call goes on: %v", context.Cause(leader.Context()))
		}
		if next := c.look(t.Context(), t, askFor(1)); !next.Leader() {
			t.Error("the next request joins what has ended")
		} else {
			next.Leave()
		}
		leader.Leave()
		follower.Leave()
	})
}

func TestAClientThatIsGoneWithoutItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		leader := c.look(t.Context(), t, askFor(1))
		cause := errors.New("the client's connection broke")
		leader.Gone(cause)
		if !errors.Is(context.Cause(leader.Context()), cause) {
			t.Error("the call goes on")
		}
		leader.Leave()
		leader.Leave()
	})
}

func TestEachReaderGetsTheUpstreamsError(t *testing.T) {
	cut := errors.New("cut")
	for name, change := range map[string]func(u *upstream){
		"read": func(u *upstream) { u.err = cut }, "close": func(u *upstream) { u.closes = cut },
	} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t)
			flights := []*cache.Flight{c.look(t.Context(), t, askFor(1)), c.look(t.Context(), t, askFor(1)), c.look(t.Context(), t, askFor(1))}
			up := newUpstream(flights[0])
			change(up)
			flights[0].Answer(ok(-1), up, func() sluice.Header {
				t.Errorf("%s: asked for trailers", name)
				return nil
			})
			up.pieces <- []byte("half")
			close(up.pieces)
			for i, f := range flights {
				if got, err := io.ReadAll(f.Reader(t.Context())); string(got) != "half" || !errors.Is(err, cut) {
					t.Errorf("%s, reader %d: %q, %v", name, i, got, err)
				}
			}
			if err := flights[0].Store(t.Context(), time.Now(), time.Now().Add(time.Hour)); !errors.Is(err, cache.ErrNotEnded) {
				t.Errorf("%s: stored: %v", name, err)
			}
			if late := c.look(t.Context(), t, askFor(1)); !late.Leader() {
				t.Errorf("%s: a request joins a broken answer", name)
			} else {
				late.Leave()
			}
			for _, f := range flights {
				f.Leave()
			}
		})
	}
}

// panicking panics where it is told to.
type panicking struct{ in string }

func (p panicking) Read(b []byte) (int, error) {
	if p.in == "read" {
		panic("in Read")
	}
	return copy(b, "x"), io.EOF
}

func (p panicking) Close() error {
	if p.in == "close" {
		panic("in Close")
	}
	return nil
}

func TestAPanicUpstreamIsAnError(t *testing.T) {
	for _, in := range []string{"read", "close", "trailer"} {
		c := open(t)
		f := c.look(t.Context(), t, askFor(1))
		f.Answer(ok(-1), panicking{in}, func() sluice.Header {
			if in == "trailer" {
				panic("in trailer")
			}
			return nil
		})
		if _, err := io.ReadAll(f.Reader(t.Context())); err == nil || !strings.Contains(err.Error(), "panic") {
			t.Errorf("%s: %v", in, err)
		}
		f.Leave()
	}
}

func TestTrailersReachAll(t *testing.T) {
	c := open(t)
	leader := c.look(t.Context(), t, askFor(1))
	follower := c.look(t.Context(), t, askFor(1))
	leader.Answer(ok(1), io.NopCloser(strings.NewReader("x")), func() sluice.Header { return sluice.Header{{Name: "X-T", Value: "1"}} })
	for _, f := range []*cache.Flight{leader, follower} {
		if _, err := io.ReadAll(f.Reader(t.Context())); err != nil || f.Trailer().Get("x-t") != "1" {
			t.Errorf("%v, %v", f.Trailer(), err)
		}
		f.Leave()
	}
}

func TestALateRequestJoinsWhileTheWholeAnswerIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		leader := c.look(t.Context(), t, askFor(1))
		up := newUpstream(leader)
		leader.Answer(ok(-1), up, nil)
		up.pieces <- []byte("first ")
		synctest.Wait()
		late := c.look(t.Context(), t, askFor(1))
		close(up.pieces)
		synctest.Wait()
		later := c.look(t.Context(), t, askFor(1)) // it has ended, and is not stored yet
		for _, f := range []*cache.Flight{late, later} {
			if got, err := io.ReadAll(f.Reader(t.Context())); f.Leader() || string(got) != "first " || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			f.Leave()
		}
		leader.Leave()
		next := c.look(t.Context(), t, askFor(1))
		if !next.Leader() {
			t.Error("a request joins what was left without being stored")
		}
		next.Leave()
	})
}

// noise is a stream that has no two equal places.
var noise = sync.OnceValue(func() []byte {
	b := make([]byte, 17<<20)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
})

// pattern is n bytes of the stream, from position at on.
func pattern(at, n int) []byte { return noise()[at : at+n : at+n] }

func TestAnAnswerTooLargeToKeepIsPacedByTheLeader(t *testing.T) {
	for _, announced := range []int64{-1, 5 << 20} {
		synctest.Test(t, func(t *testing.T) {
			c := open(t)
			leader := c.look(t.Context(), t, askFor(1))
			quick, slow := c.look(t.Context(), t, askFor(1)), c.look(t.Context(), t, askFor(1))
			up := newUpstream(leader)
			leader.Answer(ok(announced), up, nil)
			const total = 5 << 20
			for at := 0; at < total; at += 64 << 10 {
				up.pieces <- pattern(at, 64<<10)
			}
			close(up.pieces)
			synctest.Wait()
			if left := len(up.pieces); left < (total-entryBytes-(1<<20))>>16-2 {
				t.Errorf("the leader has read nothing, and only %d pieces are left upstream", left)
			}
			if used := c.purse.used.Load(); used > 2*entryBytes+256<<10 {
				t.Errorf("%d bytes are held", used)
			}
			next := c.look(t.Context(), t, askFor(1))
			if !next.Leader() {
				t.Error("a request joins what is not whole")
			}
			next.Leave()
			done := make(chan string)
			go func() {
				got, err := io.ReadAll(quick.Reader(t.Context()))
				done <- fmt.Sprint(bytes.Equal(got, pattern(0, total)), err)
			}()
			synctest.Wait()
			got, err := io.ReadAll(&paced{leader.Reader(t.Context())})
			if err != nil || !bytes.Equal(got, pattern(0, total)) {
				t.Errorf("the leader: %d bytes, %v", len(got), err)
			}
			if result := <-done; result != "true <nil>" {
				t.Errorf("a follower that keeps up: %s", result)
			}
			if got, err := io.ReadAll(slow.Reader(t.Context())); !errors.Is(err, cache.ErrBehind) || !bytes.Equal(got, pattern(0, len(got))) {
				t.Errorf("one that does not: %d bytes, %v", len(got), err)
			}
			if err := leader.Store(t.Context(), time.Now(), time.Now().Add(time.Hour)); !errors.Is(err, cache.ErrNotWhole) {
				t.Errorf("stored: %v", err)
			}
			for _, f := range []*cache.Flight{leader, quick, slow} {
				f.Leave()
			}
		})
	}
}

// paced lets all others get on between two reads.
type paced struct{ io.Reader }

func (p *paced) Read(b []byte) (int, error) {
	synctest.Wait()
	return p.Reader.Read(b)
}

func TestWithoutMemoryAnAnswerStillPasses(t *testing.T) {
	c := open(t)
	c.purse.limit.Store(0)
	leader, follower := c.look(t.Context(), t, askFor(1)), c.look(t.Context(), t, askFor(1))
	leader.Answer(ok(-1), io.NopCloser(bytes.NewReader(pattern(0, 1<<20))), nil)
	got, err := io.ReadAll(leader.Reader(t.Context()))
	if err != nil || !bytes.Equal(got, pattern(0, 1<<20)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := io.ReadAll(follower.Reader(t.Context())); !errors.Is(err, cache.ErrBehind) {
		t.Errorf("the follower, who has not read: %v", err)
	}
	if err := leader.Store(t.Context(), time.Now(), time.Now().Add(time.Hour)); !errors.Is(err, cache.ErrNotWhole) {
		t.Errorf("stored: %v", err)
	}
	leader.Leave()
	follower.Leave()
}

func TestWhoIsLeftSetsThePace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		leader, follower := c.look(t.Context(), t, askFor(1)), c.look(t.Context(), t, askFor(1))
		leader.Answer(ok(4<<20), io.NopCloser(bytes.NewReader(pattern(0, 4<<20))), nil)
		synctest.Wait() // the window is full
		if err := leader.Reader(t.Context()).Close(); err != nil {
			t.Error(err)
		}
		if _, err := leader.Reader(t.Context()).Read(make([]byte, 1)); !errors.Is(err, cache.ErrLeft) {
			t.Errorf("a reader that was closed: %v", err)
		}
		leader.Leave()
		got, err := io.ReadAll(&paced{follower.Reader(t.Context())})
		if err != nil || !bytes.Equal(got, pattern(0, 4<<20)) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		follower.Leave()
	})
}

func TestTheLargestEntryIsStored(t *testing.T) {
	for _, size := range []int{0, 1, entryBytes - 1, entryBytes, entryBytes + 1} {
		for _, length := range []int64{-1, int64(size)} {
			c := open(t)
			f := c.look(t.Context(), t, askFor(1))
			f.Answer(ok(length), io.NopCloser(bytes.NewReader(pattern(0, size))), nil)
			if got, err := io.ReadAll(f.Reader(t.Context())); len(got) != size || err != nil {
				t.Errorf("%d of %d bytes, %v", len(got), size, err)
			}
			now := time.Now()
			err := f.Store(t.Context(), now, now.Add(time.Hour))
			f.Leave()
			e, again, _ := c.Lookup(t.Context(), askFor(1), now)
			if size > entryBytes {
				if e != nil || !errors.Is(err, cache.ErrNotWhole) {
					t.Errorf("%d bytes are stored", size)
				}
				again.Leave()
			} else if e == nil || err != nil || !bytes.Equal(e.Body, pattern(0, size)) || e.Length != int64(size) || cap(e.Body) != size {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	}
}

// passenger is a request of the model below.
type passenger struct {
	f      *cache.Flight
	cancel context.CancelFunc
	mu     sync.Mutex
	paused chan struct{} // nil: it reads
	got    []byte
	err    error
	gone   bool
}

// run reads as fast as it may.
func (p *passenger) run(ctx context.Context, chunk int) {
	r, buf := p.f.Reader(ctx), make([]byte, chunk)
	for {
		p.mu.Lock()
		wait := p.paused
		p.mu.Unlock()
		if wait != nil {
			<-wait
		}
		n, err := r.Read(buf)
		p.mu.Lock()
		p.got, p.err = append(p.got, buf[:n]...), err
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *passenger) pause(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.paused == nil:
		p.paused = make(chan struct{})
	case !on && p.paused != nil:
		close(p.paused)
		p.paused = nil
	}
}

// voyage is one flight in the model.
type voyage struct {
	up    *upstream
	sent  int
	ended bool
	err   error
	all   []*passenger
}

func (v *voyage) present() (n int) {
	for _, p := range v.all {
		if !p.gone {
			n++
		}
	}
	return n
}

// step is what happens next in the model.
type step struct {
	what string
	who  int // modulo those there are
	size int // bytes sent, or of a reader's buffer
	yes  bool
}

func drawSteps(rt *rapid.T) []step {
	one := rapid.Custom(func(rt *rapid.T) step {
		return step{
			what: rapid.SampledFrom([]string{"come", "come", "go", "leave", "rest", "read", "send", "send", "send", "end"}).Draw(rt, "what"),
			who:  rapid.IntRange(0, 9).Draw(rt, "who"), size: rapid.SampledFrom([]int{1, 5000, 400 << 10}).Draw(rt, "size"),
			yes: rapid.Bool().Draw(rt, "yes"),
		}
	})
	return rapid.SliceOfN(one, 1, 40).Draw(rt, "steps")
}

// TestFlightsInAnyOrder has requests come, go, read and rest while the upstream sends and ends.
func TestFlightsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		memory := rapid.SampledFrom([]int64{0, 100 << 10, 1 << 40}).Draw(rt, "memory")
		steps := drawSteps(rt)
		var faults []string
		synctest.Test(t, func(t *testing.T) {
			m := &model{bench: open(t), t: t}
			m.purse.limit.Store(memory)
			for i, s := range steps {
				m.step(s)
				synctest.Wait()
				m.check(fmt.Sprint("after step ", i))
			}
			m.finish()
			faults = m.faults
		})
		for _, f := range faults {
			rt.Error(f)
		}
	})
}

// model is a cache with all its flights of one key.
type model struct {
	*bench
	t       *testing.T
	flights []*voyage
	faults  []string
}

func (m *model) fault(format string, args ...any) {
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

func (m *model) step(s step) {
	if s.what == "come" {
		m.come(s)
		return
	}
	if len(m.flights) == 0 {
		return
	}
	v := m.flights[len(m.flights)-1]
	p := v.all[s.who%len(v.all)]
	switch s.what {
	case "go":
		p.cancel()
		p.gone = true
	case "leave":
		p.pause(false)
		p.f.Leave()
		p.gone = true
	case "rest":
		p.pause(true)
	case "read":
		p.pause(false)
	case "send":
		if !v.ended {
			v.up.pieces <- pattern(v.sent, s.size)
			v.sent += s.size
		}
	case "end":
		if !v.ended {
			v.ended = true
			if s.yes {
				v.err = errors.New("cut")
				v.up.err = v.err
			}
			close(v.up.pieces)
		}
	}
}

func (m *model) come(s step) {
	ctx, cancel := context.WithCancel(m.t.Context())
	p := &passenger{f: m.look(ctx, m.t, askFor(1)), cancel: cancel}
	if p.f.Leader() {
		v := &voyage{up: newUpstream(p.f)}
		m.flights = append(m.flights, v)
		p.f.Answer(ok(-1), v.up, nil)
	}
	v := m.flights[len(m.flights)-1]
	v.all = append(v.all, p)
	p.pause(s.yes)
	go p.run(ctx, s.size)
}

func (m *model) check(when string) {
	for i, v := range m.flights {
		if fault := v.check(m.bench); fault != "" {
			m.fault("%s, flight %d: %s", when, i, fault)
		}
	}
}

// finish lets all read to where they can, and go.
func (m *model) finish() {
	for i, v := range m.flights {
		for _, p := range v.all {
			p.pause(false)
		}
		synctest.Wait()
		m.check("at the end")
		for _, p := range v.all {
			p.cancel()
			p.f.Leave()
			p.gone = true
		}
		synctest.Wait()
		if v.up.ctx.Err() == nil || !v.up.closed.Load() {
			m.fault("flight %d goes on without anybody", i)
		}
	}
	if used := m.purse.used.Load(); used != 0 {
		m.fault("%d bytes are still taken", used)
	}
}

// check holds what is true at any time when all have done what they can, and tells what is not.
func (v *voyage) check(c *bench) string {
	if cancelled := v.up.ctx.Err() != nil; cancelled && v.present() > 0 || !cancelled && v.present() == 0 && !v.up.closed.Load() {
		return fmt.Sprintf("cancelled %t with %d there", cancelled, v.present())
	}
	kept := v.sent <= entryBytes && c.purse.limit.Load() > 1<<30
	for i, p := range v.all {
		if fault := p.check(v, kept); fault != "" {
			return fmt.Sprintf("reader %d: %s, at %d of %d bytes: %v", i, fault, len(p.got), v.sent, p.err)
		}
	}
	return ""
}

func (p *passenger) check(v *voyage, kept bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) > v.sent || !bytes.Equal(p.got, pattern(0, len(p.got))) {
		return "not a prefix of what was sent"
	}
	reads, whole := p.paused == nil && kept, len(p.got) == v.sent
	switch {
	case p.gone:
	case errors.Is(p.err, cache.ErrBehind):
		if kept {
			return "cut, though all is kept"
		}
	case p.err == io.EOF && (!whole || !v.ended || v.err != nil):
		return "an end that is none"
	case p.err != nil && p.err != io.EOF && (!whole || p.err != v.err):
		return "a wrong error"
	case reads && !whole:
		return "behind"
	case reads && v.ended && p.err == nil:
		return "no end"
	}
	return ""
}

func BenchmarkFlightAlone(b *testing.B) {
	c := open(b)
	body, buf := bytes.Repeat([]byte("x"), 1000), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		f := c.Fresh(b.Context(), askFor(1))
		f.Answer(ok(1000), io.NopCloser(bytes.NewReader(body)), nil)
		r := f.Reader(b.Context())
		for err := error(nil); err == nil; {
			_, err = r.Read(buf)
		}
		f.Leave()
	}
}

// TestNobodyJoinsACallThatIsEnding has requests come while others go: a call that somebody is in does
// not end.
func TestNobodyJoinsACallThatIsEnding(t *testing.T) {
	c := open(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				_, f, _ := c.Lookup(t.Context(), askFor(1), time.Now())
				if f.Context().Err() != nil {
					t.Error("a request takes part in a call that has ended")
				}
				f.Gone(context.Canceled)
				f.Leave()
			}
		})
	}
	all.Wait()
}
