package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// universalFrame is what the universal endpoint sends over a WebSocket.
type universalFrame struct {
	Type     string
	Metadata struct {
		EventID, CacheStatus, LogID, Step, ContentType string
		Status                                         int
	}
	Response json.RawMessage
	Error    []struct {
		Code    int
		Message string
	}
}

// universal opens a WebSocket to a gateway's universal endpoint.
func universal(t *testing.T, g *gateway.Gateway, name string, o *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), gateway.Patience)
	defer stop()
	c, _, err := websocket.Dial(ctx, "ws://"+g.Addr+"/v1/default/"+name, o)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	c.SetReadLimit(64 << 20)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// ask sends one request over it.
func ask(t *testing.T, c *websocket.Conn, request string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), gateway.Patience)
	defer stop()
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"type":"universal.create","request":`+request+`}`)); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// frame reads one frame.
func frame(t *testing.T, c *websocket.Conn) (f universalFrame) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), gateway.Patience)
	defer stop()
	_, text, err := c.Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return f
}

// TestUniversalSocket: an answer, a stream, a fallback and a refusal over one connection, each a log entry.
func TestUniversalSocket(t *testing.T) {
	l := newLab(t, "default: {}", "", "p0", "p1")
	l.up["p0"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
		if strings.Contains(string(req.Body), "fail") {
			return status(500)(req, c)
		}
		if asksStream(req) {
			return upstream.Stream([]string{"Content-Type: text/event-stream"}, "data: {\"n\":1}\n\n", "data: {\"n\":", "2}\n\ndata: [DONE]\n\n")(req, c)
		}
		return whole(req, c)
	})
	c := universal(t, l.Gateway, "default", &websocket.DialOptions{HTTPHeader: http.Header{"Cf-Aig-Metadata": {`{"user":"ann"}`}}})

	ask(t, c, `{"eventId":"one","provider":"p0","endpoint":"chat/completions","headers":{"Authorization":"Bearer sk-1"},"query":`+chat+`}`)
	f := frame(t, c)
	if f.Type != "universal.created" || f.Metadata.EventID != "one" || string(f.Response) != answered || f.Metadata.Step != "0" {
		t.Errorf("%+v %s", f, f.Response)
	}
	if sent := l.up["p0"].Take(); len(sent) != 1 || string(sent[0].Body) != chat || sent[0].Get("Authorization") != "Bearer sk-1" || sent[0].Get("Accept-Encoding") != "" {
		t.Errorf("the provider got %+v", sent)
	}
	row := l.Row(f.Metadata.LogID)
	if !row.Success || row.EventID != "one" || row.TokensIn == nil || *row.TokensIn != 9 || row.Metadata["user"] != "ann" || row.Endpoint != "chat/completions" {
		t.Errorf("row %s", row)
	}

	ask(t, c, `{"eventId":"two","provider":"p0","endpoint":"chat/completions","query":{"model":"m","stream":true}}`)
	var got []string
	for f.Type != "universal.done" {
		f = frame(t, c)
		got = append(got, f.Type+string(f.Response))
	}
	if want := []string{"universal.created", `universal.stream{"n":1}`, `universal.stream{"n":2}`, "universal.done"}; !slices.Equal(got, want) || f.Metadata.EventID != "two" {
		t.Errorf("%q", got)
	}

	ask(t, c, steps(step("p0", "chat/completions", `"eventId":"three",`, `{"fail":1}`), step("p1", "chat/completions", "", chat)))
	if f = frame(t, c); f.Metadata.Step != "1" || f.Metadata.EventID != "three" || string(f.Response) != answered {
		t.Errorf("%+v", f)
	}
	if row := l.Row(f.Metadata.LogID); row.Provider != "p1" || row.Step != 1 || len(row.Attempts) != 2 {
		t.Errorf("row %s", row)
	}

	ask(t, c, `{"eventId":"four","provider":"nobody","endpoint":"x","query":{}}`)
	if f = frame(t, c); f.Type != "universal.error" || f.Error[0].Code != 2008 || f.Metadata.EventID != "four" {
		t.Errorf("%+v", f)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
	if page, err := l.List("per_page=50&basis=requests"); err != nil || len(page.Rows) != 4 {
		t.Errorf("%d rows, %v; want one for each message", len(page.Rows), err)
	}
}

// TestUniversalSocketToken: a browser's token is a subprotocol; one that is revoked ends the connection with the
// next message.
func TestUniversalSocketToken(t *testing.T) {
	l := newLab(t, "default: {authentication: true}", "", "p0")
	token := tokenOf(t, l.Gateway, "--name", "app")
	c := universal(t, l.Gateway, "default", &websocket.DialOptions{Subprotocols: []string{"cf-aig-authorization." + token}})
	if got := c.Subprotocol(); got != "cf-aig-authorization."+token {
		t.Errorf("the subprotocol is %q", got)
	}
	ask(t, c, step("p0", "chat/completions", "", chat))
	if f := frame(t, c); f.Type != "universal.created" || l.Row(f.Metadata.LogID).Key != "app" {
		t.Errorf("%+v", f)
	}
	if out, code := gateway.Run(t, "auth", "token", "revoke", "app", "--url", "http://"+l.Addr); code != 0 {
		t.Fatalf("auth token revoke: %d %s", code, out)
	}
	ask(t, c, step("p0", "chat/completions", "", chat))
	if f := frame(t, c); f.Type != "universal.error" || f.Error[0].Code != 2009 {
		t.Errorf("%+v", f)
	}
	if code := ends(t, c); code != websocket.StatusPolicyViolation {
		t.Errorf("the client is told %d", code)
	}
	if got := len(l.up["p0"].Take()); got != 1 {
		t.Errorf("the provider was called %d times", got)
	}
}

// TestUniversalSocketEndings: how a message ends when its client, its provider or the gateway does.
func TestUniversalSocketEndings(t *testing.T) {
	begin := func(t *testing.T, l *lab) (*websocket.Conn, string) {
		t.Helper()
		c := universal(t, l.Gateway, "default", nil)
		ask(t, c, step("p0", "chat/completions", `"eventId":"e",`, chatSSE))
		f := frame(t, c)
		if f.Type != "universal.created" || f.Response != nil {
			t.Fatalf("%+v", f)
		}
		return c, f.Metadata.LogID
	}
	last := func(t *testing.T, c *websocket.Conn) (f universalFrame) {
		t.Helper()
		for f.Type != "universal.error" && f.Type != "universal.done" {
			f = frame(t, c)
		}
		return f
	}
	t.Run("the provider breaks", func(t *testing.T) {
		l := newLab(t, "default: {}", "", "p0")
		l.up["p0"].Use(cutShort)
		c, log := begin(t, l)
		if f := last(t, c); f.Type != "universal.error" || f.Error[0].Code != 2005 || f.Metadata.EventID != "e" {
			t.Errorf("%+v", f)
		}
		if row := l.Row(log); row.Ending != "cut" || row.Success {
			t.Errorf("row %s", row)
		}
	})
	t.Run("the client leaves", func(t *testing.T) {
		l := newLab(t, "default: {}", "", "p0")
		l.up["p0"].Use(stalling)
		c, log := begin(t, l)
		_ = c.CloseNow()
		if row := l.Row(log); row.Ending != "client_gone" {
			t.Errorf("row %s", row)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		l := newLab(t, "default: {}", "timeouts: {shutdown: 300ms}\n", "p0")
		l.up["p0"].Use(stalling)
		c, log := begin(t, l)
		l.Signal(syscall.SIGTERM)
		if f := last(t, c); f.Type != "universal.error" || f.Error[0].Message != "the gateway stops" {
			t.Errorf("%+v", f)
		}
		if code := ends(t, c); code != websocket.StatusServiceRestart {
			t.Errorf("the client is told %d", code)
		}
		if code := l.Wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		l.again(t)
		if row := l.Row(log); row.Ending != "shutdown" {
			t.Errorf("row %s", row)
		}
	})
}

// TestUniversalSocketManyRequests: a hundred streams at the same time on one connection, whole and in order, and
// one that is too many.
func TestUniversalSocketManyRequests(t *testing.T) {
	const streams, events = 100, 20
	l := newLab(t, "default: {}", "", "p0")
	open, step := make(chan struct{}, streams+1), make(chan struct{})
	l.up["p0"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		for i := range events {
			c.Chunk(fmt.Sprintf("data: {\"n\":%d,\"of\":%s}\n\n", i, req.Body))
			if i == 0 {
				open <- struct{}{}
				<-step
			}
		}
		c.Chunk("data: [DONE]\n\n")
		c.Send("0\r\n\r\n")
		return false
	})
	c := universal(t, l.Gateway, "default", nil)
	for i := range streams {
		ask(t, c, fmt.Sprintf(`{"eventId":"%d","provider":"p0","endpoint":"chat/completions","query":"%d"}`, i, i))
	}
	for range streams {
		select {
		case <-open:
		case <-time.After(gateway.Patience):
			t.Fatal("not all streams have begun")
		}
	}
	ask(t, c, `{"eventId":"more","provider":"p0","endpoint":"chat/completions","query":{}}`)
	seen, done := map[string]int{}, 0
	for done < streams {
		switch f := frame(t, c); f.Type {
		case "universal.error":
			if f.Error[0].Code != 2003 || f.Metadata.EventID != "more" {
				t.Fatalf("%+v", f)
			}
			close(step)
		case "universal.stream":
			id := f.Metadata.EventID
			if want := fmt.Sprintf(`{"n":%d,"of":"%s"}`, seen[id], id); string(f.Response) != want {
				t.Fatalf("stream %s: %s, want %s", id, f.Response, want)
			}
			seen[id]++
		case "universal.done":
			if done++; seen[f.Metadata.EventID] != events {
				t.Errorf("stream %s had %d events", f.Metadata.EventID, seen[f.Metadata.EventID])
			}
		}
	}
	if len(seen) != streams {
		t.Errorf("%d streams", len(seen))
	}
}
