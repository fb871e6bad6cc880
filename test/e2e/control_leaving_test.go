package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// visit is a call that will be given up.
type visit struct {
	leave context.CancelFunc
	left  chan struct{} // closed once the client has gone
}

// visits makes a call that waits for its answer until it is left.
func (l *lab) visits(t *testing.T, c call) visit {
	ctx, leave := context.WithCancel(t.Context())
	v := visit{leave, make(chan struct{})}
	go func() {
		defer close(v.left)
		if r := l.try(ctx, c); !errors.Is(r.err, context.Canceled) {
			t.Errorf("the call ended before its client left: %d %s %v", r.status, r.body, r.err)
		}
	}()
	return v
}

func (v visit) goes() {
	v.leave()
	<-v.left
}

// TestTheClientLeaves at each stage of its request: what runs for it upstream is cancelled, and its row says so.
func TestTheClientLeaves(t *testing.T) {
	l := newLab(t, "default: {}, slow: {retry_max_attempts: 2, retry_delay: 60s}, patient: {retry_max_attempts: 2, request_timeout: 1h}, cached: {cache_ttl: 1h}, hedged: {hedge: 100}", "",
		"p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p9")
	gone := func(t *testing.T, id, provider string, status int, attempts string) *gateway.Row {
		t.Helper()
		row := l.find(t, id, "a row of the client that left", func(r *gateway.Row) bool { return r.Provider == provider && r.Ending == "client_gone" })
		if row.Status() != status || row.Success || causes(row) != attempts {
			t.Errorf("log: %s; want %d, attempts %q", row, status, attempts)
		}
		return row
	}
	// hold takes a request, tells of it, says what say says, and tells when the peer has gone.
	hold := func(say func(c *upstream.Conn)) (script upstream.Script, arrived, closed chan struct{}) {
		arrived, closed = make(chan struct{}), make(chan struct{})
		return func(_ *rawhttp.Message, c *upstream.Conn) bool {
			if say != nil {
				say(c)
			}
			close(arrived)
			c.WaitClosed()
			close(closed)
			return false
		}, arrived, closed
	}

	t.Run("while it sends its body", func(t *testing.T) {
		t.Parallel()
		conn, _ := l.On(t).Dial()
		if _, err := io.WriteString(conn, "POST /v1/default/default/p0/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"model\":"); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		gone(t, "default", "p0", 499, "")
		if n := len(l.up["p0"].Take()); n != 0 {
			t.Errorf("%d calls upstream", n)
		}
	})

	t.Run("while its large body passes through", func(t *testing.T) {
		t.Parallel()
		begun, ended := make(chan struct{}), make(chan struct{})
		// What is read here is a head and a part of a body, so the upstream of other tests does not do.
		plain := listen(t, func(c io.Reader) {
			_, _ = io.ReadFull(c, make([]byte, 70<<10))
			close(begun)
			_, _ = io.Copy(io.Discard, c)
			close(ended)
		})
		other := newLab(t, "default: {}", "limits: {body_bytes: 64KB}\n")
		other.Kill()
		other.options.Config += "  large: {base_url: \"http://" + plain + "/v1\", kind: openai}\n"
		other.again(t)
		conn, _ := other.On(t).Dial()
		if _, err := fmt.Fprintf(conn, "POST /v1/default/default/large/files HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n%s", make([]byte, 100<<10)); err != nil {
			t.Fatal(err)
		}
		within(t, begun, "the upload has begun")
		_ = conn.Close()
		within(t, ended, "the upload to the provider has ended")
		row := other.find(t, "default", "a row of the client that left", func(r *gateway.Row) bool { return r.Ending == "client_gone" })
		if row.Status() != 499 || row.Success {
			t.Errorf("log: %s", row)
		}
	})

	t.Run("while it waits for the answer", func(t *testing.T) {
		t.Parallel()
		script, arrived, closed := hold(nil)
		l.up["p1"].Use(script)
		v := l.visits(t, call{path: "p1/chat/completions", body: chat})
		<-arrived
		v.goes()
		within(t, closed, "the call is cancelled")
		gone(t, "default", "p1", 499, "canceled")
	})

	t.Run("while an answer is held back", func(t *testing.T) {
		t.Parallel()
		script, arrived, closed := hold(func(c *upstream.Conn) { upstream.Head(c); c.Chunk(": ping\n\n") })
		l.up["p2"].Use(script)
		v := l.visits(t, call{gateway: "patient", path: "p2/chat/completions", body: chatSSE})
		<-arrived
		v.goes()
		within(t, closed, "the call is cancelled")
		if row := gone(t, "patient", "p2", 499, "canceled"); row.Attempts[0].Status != nil && *row.Attempts[0].Status != 200 {
			t.Errorf("log: %s", row)
		}
		if n := len(l.up["p2"].Take()); n != 1 {
			t.Errorf("%d calls upstream", n)
		}
	})

	t.Run("between two tries", func(t *testing.T) {
		t.Parallel()
		// Another call over the connection of the failure shows that the failure has been read.
		var failed atomic.Pointer[upstream.Conn]
		var again atomic.Bool
		l.up["p3"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
			if failed.CompareAndSwap(nil, c) {
				return status(503)(req, c)
			}
			again.Store(again.Load() || c == failed.Load())
			return farewell(req, c)
		})
		v := l.visits(t, call{gateway: "slow", path: "p3/chat/completions", body: chat})
		settle(t, "the failure read", func() error {
			if failed.Load() != nil {
				l.do(t, call{path: "p3/chat/completions", body: chat})
			}
			return unless(again.Load())
		})
		l.up["p3"].Take()
		v.goes()
		gone(t, "slow", "p3", 499, "status")
		if n := len(l.up["p3"].Take()); n != 0 {
			t.Errorf("%d calls upstream", n)
		}
	})

	t.Run("in the second step", func(t *testing.T) {
		t.Parallel()
		script, arrived, closed := hold(nil)
		l.up["p4"].Use(script)
		l.up["p9"].Use(status(500))
		v := l.visits(t, call{body: steps(step("p9", "chat/completions", "", chat), step("p4", "chat/completions", "", chat), step("p9", "chat/completions", "", chat))})
		<-arrived
		v.goes()
		within(t, closed, "the call is cancelled")
		if row := gone(t, "default", "p4", 499, "status canceled"); row.Step != 1 {
			t.Errorf("log: %s", row)
		}
		if n := len(l.up["p9"].Take()); n != 1 {
			t.Errorf("%d calls to the steps beside it", n)
		}
	})

	t.Run("in the stream", func(t *testing.T) {
		t.Parallel()
		script, _, closed := hold(func(c *upstream.Conn) { upstream.Head(c); c.Chunk(eventHi) })
		l.up["p5"].Use(script)
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		resp, err := l.open(ctx, call{path: "p5/chat/completions", body: chatSSE})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, len(eventHi))); err != nil {
			t.Fatal(err)
		}
		leave()
		within(t, closed, "the call is cancelled")
		gone(t, "default", "p5", 200, "-")
	})

	t.Run("from a call that others share", func(t *testing.T) {
		t.Parallel()
		script, arrived, closed := hold(nil)
		l.up["p6"].Use(script)
		c := call{gateway: "cached", path: "p6/chat/completions", body: chat}
		first := l.visits(t, c)
		<-arrived
		second, third := l.visits(t, c), l.visits(t, c)
		settle(t, "two that share the call", func() error { return unless(l.stats(t, "cached").Joined == 2) })
		second.goes() // a follower: its row comes while the call goes on
		row := gone(t, "cached", "p6", 499, "")
		select {
		case <-closed:
			t.Error("a follower's leaving has ended the call")
		default:
		}
		first.goes()
		third.goes()
		within(t, closed, "the call is cancelled once nobody is there")
		settle(t, "a row for each of the three", func() error {
			n := 0
			rows, err := l.rows("cached")
			for i := range rows {
				if r := &rows[i]; r.Provider == "p6" && r.Ending == "client_gone" && r.Status() == 499 {
					n++
				}
			}
			return errors.Join(err, unless(n == 3))
		})
		if row.Cached {
			t.Errorf("log: %s", row)
		}
		if n := len(l.up["p6"].Take()); n != 1 {
			t.Errorf("%d calls upstream", n)
		}
	})

	t.Run("from two calls that race", func(t *testing.T) {
		t.Parallel()
		c := call{gateway: "hedged", path: "p7/chat/completions", body: chat}
		for range 25 {
			l.do(t, c)
		}
		l.up["p7"].Take()
		var here, closed atomic.Int64
		l.up["p7"].Use(func(req *rawhttp.Message, conn *upstream.Conn) bool {
			here.Add(1)
			silent(req, conn)
			closed.Add(1)
			return false
		})
		v := l.visits(t, c)
		settle(t, "two calls upstream", func() error { return unless(here.Load() == 2) })
		v.goes()
		settle(t, "both cancelled", func() error { return unless(closed.Load() == 2) })
		row := l.find(t, "hedged", "a row of the client that left", func(r *gateway.Row) bool { return r.Ending == "client_gone" })
		if row.Status() != 499 || len(row.Attempts) != 2 {
			t.Errorf("log: %s", row)
		}
	})

	t.Run("from a WebSocket", func(t *testing.T) {
		t.Parallel()
		closed := make(chan struct{})
		up := socketProvider(t, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
			_, _, _ = c.Read(ctx)
			close(closed)
		})
		g := gateway.Start(t, gateway.Options{Config: "providers: {openai: {base_url: \"" + up.URL + "/v1\"}}\n"})
		c, log := connect(t, g, "openai?model=m", nil)
		_ = c.CloseNow()
		within(t, closed, "the provider's connection has ended")
		if row := g.Row(log); row.Status() != 101 || row.Ending != "client_gone" || row.Success {
			t.Errorf("log: %s", row)
		}
	})
}

// TestStoppedWhileItWaits: a request that waits between two tries, or for another one's call, does not hold up
// the end of the program, and its row says how it ended.
func TestStoppedWhileItWaits(t *testing.T) {
	l := newLab(t, "default: {retry_max_attempts: 2, retry_delay: 60s}, cached: {cache_ttl: 1h}", "timeouts: {shutdown: 200ms}\n", "p0", "p1")
	var failed, held atomic.Int64
	l.up["p0"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
		defer failed.Add(1)
		return status(503)(req, c)
	})
	l.up["p1"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
		held.Add(1)
		return silent(req, c)
	})
	replies := make(chan *reply, 3)
	for _, c := range []call{
		{path: "p0/chat/completions", body: chat},
		{gateway: "cached", path: "p1/chat/completions", body: chat},
		{gateway: "cached", path: "p1/chat/completions", body: chat},
	} {
		go func() { replies <- l.try(context.Background(), c) }()
	}
	settle(t, "three requests that wait", func() error {
		return unless(failed.Load() == 1 && held.Load() == 1 && l.stats(t, "cached").Joined == 1)
	})
	if code := l.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for range cap(replies) {
		if r := <-replies; r.err == nil && r.status < 400 {
			t.Errorf("a client got %d %s", r.status, r.body)
		}
	}
	l.again(t)
	for id, want := range map[string]int{"default": 1, "cached": 2} {
		rows, err := l.rows(id)
		if err != nil || len(rows) != want {
			t.Fatalf("%s: %v %v", id, rows, err)
		}
		for i := range rows {
			if r := &rows[i]; r.Ending != "shutdown" || r.Success {
				t.Errorf("log: %s", r)
			}
		}
	}
}
