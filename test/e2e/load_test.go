package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// finished is an answer that a client has wholly received.
type finished struct {
	id string
	at time.Time
}

// load is a number of clients that call a gateway one call after another, until they are stopped or
// nobody answers any more.
type load struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
	sent atomic.Int64 // calls begun

	mu   sync.Mutex
	done []finished
}

// drive starts clients. Every third call is a stream. Each carries a number of its own in its metadata
// and in the field X-Number, which the upstream sees.
func drive(t *testing.T, g *gateway.Gateway, clients int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	for range clients {
		l.wg.Go(func() { l.client(ctx, g) })
	}
	t.Cleanup(func() {
		cancel()
		l.wg.Wait()
	})
	return l
}

func (l *load) client(ctx context.Context, g *gateway.Gateway) {
	for ctx.Err() == nil {
		n := l.sent.Add(1)
		body := chat
		if n%3 == 0 {
			body = chatSSE
		}
		number := fmt.Sprintf("%d-%d", g.Pid(), n)
		resp, _, err := g.TryPost(ctx, "openai", "chat/completions", body, "X-Number", number, "Cf-Aig-Metadata", `{"n":"`+number+`"}`)
		at := time.Now()
		if err != nil {
			return // the gateway is gone, or going
		}
		l.mu.Lock()
		l.done = append(l.done, finished{resp.Header.Get("Cf-Aig-Log-Id"), at})
		l.mu.Unlock()
	}
}

// finished returns the answers so far.
func (l *load) finished() []finished {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]finished(nil), l.done...)
}

// mixed answers plain calls at once and streams in a few pieces.
func mixed(req *rawhttp.Message, c *upstream.Conn) bool {
	if strings.Contains(string(req.Body), `"stream":true`) {
		return upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventHi, eventStop, eventUsage, eventDone)(req, c)
	}
	return upstream.JSON(200, answered)(req, c)
}

// pause waits for d of real time, during which the load goes on: what these tests vary is the moment.
func pause(d time.Duration) { <-time.After(d) }

func TestThousandStreams(t *testing.T) {
	const streams, events = 1000, 40
	event := func(stream string, i int) string {
		return fmt.Sprintf("data: {\"id\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d %s\"}}]}\n\n", stream, i, strings.Repeat("z", i))
	}
	whole := func(stream string) string {
		var b strings.Builder
		for i := range events {
			b.WriteString(event(stream, i))
		}
		return b.String() + eventUsage + eventDone
	}
	// All streams are open at once before any goes on.
	var open sync.WaitGroup
	open.Add(streams)
	up := upstream.New(t, func(req *rawhttp.Message, c *upstream.Conn) bool {
		stream := req.Get("X-Stream")
		upstream.Head(c)
		c.Chunk(event(stream, 0))
		open.Done()
		open.Wait()
		for i := 1; i < events; i++ {
			c.Chunk(event(stream, i))
		}
		c.Chunk(eventUsage)
		c.Chunk(eventDone)
		c.Send("0\r\n\r\n")
		return true
	})
	config := "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"
	g := gateway.Start(t, gateway.Options{Config: config})
	before := residentKB(t, g.Pid())
	go func() {
		open.Wait()
		t.Logf("memory per open stream: %d KB", (residentKB(t, g.Pid())-before)/streams)
	}()
	var wg sync.WaitGroup
	var ids sync.Map
	for i := range streams {
		wg.Go(func() {
			stream := fmt.Sprintf("s%d", i)
			resp, got, err := g.TryPost(t.Context(), "openai", "chat/completions", chatSSE, "X-Stream", stream)
			if err != nil {
				t.Errorf("stream %d: %v", i, err)
				return
			}
			if string(got) != whole(stream) {
				t.Errorf("stream %d was altered: %d bytes, want %d: %.400q", i, len(got), len(whole(stream)), got)
			}
			ids.Store(resp.Header.Get("Cf-Aig-Log-Id"), true)
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	rows := allRows(t, g, streams)
	for i := range rows {
		if _, mine := ids.Load(rows[i].ID); !mine || !rows[i].Success || rows[i].TokensOut == nil || *rows[i].TokensOut != 3 {
			t.Fatalf("row %s: want one of the streams, a success with 3 tokens out", &rows[i])
		}
	}
}

// allRows waits until the log holds n rows, and returns them.
func allRows(t *testing.T, g *gateway.Gateway, n int) []gateway.Row {
	t.Helper()
	var rows []gateway.Row
	var err error
	g.Eventually(fmt.Sprintf("a log of %d rows", n), func() bool {
		rows, err = g.Rows(nil)
		return err == nil && len(rows) >= n
	}, func() string { return fmt.Sprintf("%d rows, %v", len(rows), err) })
	if len(rows) != n {
		t.Fatalf("%d rows, want %d", len(rows), n)
	}
	return rows
}
