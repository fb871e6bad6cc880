package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// socketProvider is a provider that accepts WebSockets and plays a script on each.
func socketProvider(t *testing.T, script func(ctx context.Context, c *websocket.Conn, r *http.Request)) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"realtime"}})
		if err != nil {
			return // not a handshake
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(64 << 20)
		ctx, stop := context.WithTimeout(context.Background(), gateway.Patience)
		defer stop()
		script(ctx, c, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// echo sends each message back, until the client closes.
func echo(ctx context.Context, c *websocket.Conn, _ *http.Request) {
	for {
		kind, message, err := c.Read(ctx)
		if err != nil || c.Write(ctx, kind, message) != nil {
			return
		}
	}
}

// connect opens a WebSocket to a provider, and returns the id of its log entry.
func connect(t *testing.T, g *gateway.Gateway, path string, o *websocket.DialOptions) (c *websocket.Conn, id string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), gateway.Patience)
	defer stop()
	scheme := "ws://"
	if o != nil && o.HTTPClient != nil {
		scheme = "wss://"
	}
	c, resp, err := websocket.Dial(ctx, scheme+g.Addr+"/v1/default/default/"+path, o)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	c.SetReadLimit(64 << 20)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c, resp.Header.Get("cf-aig-log-id")
}

// ends reads up to the end, and returns the Close frame's code, -1 without one.
func ends(t *testing.T, c *websocket.Conn) websocket.StatusCode {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), gateway.Patience)
	defer stop()
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// exchange sends a message and wants it back.
func exchange(t *testing.T, c *websocket.Conn, kind websocket.MessageType, message []byte) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), gateway.Patience)
	defer stop()
	sent := make(chan error, 1)
	go func() { sent <- c.Write(ctx, kind, message) }()
	k, got, err := c.Read(ctx)
	if err != nil || k != kind || !bytes.Equal(got, message) || <-sent != nil {
		t.Errorf("%v of %d bytes came back as %v of %d: %v", kind, len(message), k, len(got), err)
	}
}

func TestRealtimePassesBothWays(t *testing.T) {
	up := socketProvider(t, echo)
	id := newIdentity(t)
	for name, o := range map[string]struct {
		config string
		dial   *websocket.DialOptions
	}{
		"plain": {"", nil},
		"TLS": {
			fmt.Sprintf("tls: {cert: %q, key: %q}\n", id.certFile, id.keyFile),
			&websocket.DialOptions{HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: id.roots}}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := to(up.URL+"/v1") + o.config
			if o.dial != nil {
				g := gateway.Start(t, gateway.Options{Config: config})
				c, _ := connect(t, g, "openai?model=gpt-realtime", o.dial)
				exchange(t, c, websocket.MessageText, []byte("over TLS"))
				_ = c.Close(websocket.StatusNormalClosure, "")
				return
			}
			g := gateway.Start(t, gateway.Options{Config: config})
			c, log := connect(t, g, "openai?model=gpt-realtime", &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
			for _, size := range []int{0, 5, 125, 126, 70_000, 3_000_000} {
				exchange(t, c, websocket.MessageText, bytes.Repeat([]byte("x"), size))
				exchange(t, c, websocket.MessageBinary, make([]byte, size))
			}
			if err := c.Close(4000, "thanks"); err != nil {
				t.Errorf("close: %v", err)
			}
			row := g.Row(log)
			if row.Status() != 101 || !row.Success || row.Ending != "complete" || row.Endpoint != "realtime" || row.Model != "gpt-realtime" ||
				row.TokensIn != nil || !strings.Contains(strings.Join(row.Notes, " "), "client closed with 4000, provider with 4000") {
				t.Errorf("row %s", row)
			}
		})
	}
}

// TestRealtimeUsage: each response is a row with its tokens while the session goes on.
func TestRealtimeUsage(t *testing.T) {
	up := socketProvider(t, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		for i := 1; ; i++ {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
			_ = c.Write(ctx, websocket.MessageText, fmt.Appendf(nil,
				`{"type":"response.done","response":{"status":"completed","usage":{"input_tokens":%d,"output_tokens":%d}}}`, 10*i, i))
		}
	})
	g := gateway.Start(t, gateway.Options{Config: to(up.URL + "/v1")})
	c, log := connect(t, g, "openai?model=gpt-realtime", nil)
	for i := 1; i <= 2; i++ {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(`{"type":"response.create"}`)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		row := g.LastRow("a row of the response", func(r *gateway.Row) bool {
			return r.Endpoint == "realtime/response" && r.TokensIn != nil && *r.TokensIn == int64(10*i)
		})
		if *row.TokensOut != int64(i) || !row.Success || row.Model != "gpt-realtime" || !strings.Contains(strings.Join(row.Notes, " "), log) {
			t.Errorf("row %s", row)
		}
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	if row := g.Row(log); row.TokensIn != nil || !row.Success {
		t.Errorf("the connection's row %s", row)
	}
}

// TestRealtimeEndings: how each side learns of the other's end, and what the log says.
func TestRealtimeEndings(t *testing.T) {
	left := make(chan error, 1)
	waits := func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		_, _, err := c.Read(ctx)
		left <- err
	}
	t.Run("the client leaves", func(t *testing.T) {
		g := gateway.Start(t, gateway.Options{Config: to(socketProvider(t, waits).URL + "/v1")})
		c, log := connect(t, g, "openai/realtime", nil)
		_ = c.CloseNow()
		<-left
		if row := g.Row(log); row.Ending != "client_gone" || row.Success {
			t.Errorf("row %s", row)
		}
	})
	t.Run("the provider breaks", func(t *testing.T) {
		up := socketProvider(t, func(_ context.Context, c *websocket.Conn, _ *http.Request) { _ = c.CloseNow() })
		g := gateway.Start(t, gateway.Options{Config: to(up.URL + "/v1")})
		c, log := connect(t, g, "openai/realtime", nil)
		if code := ends(t, c); code != websocket.StatusInternalError {
			t.Errorf("the client is told %d", code)
		}
		if row := g.Row(log); row.Ending != "cut" || row.Success {
			t.Errorf("row %s", row)
		}
	})
	t.Run("no frame comes", func(t *testing.T) {
		g := gateway.Start(t, gateway.Options{Config: to(socketProvider(t, waits).URL + "/v1")})
		c, log := connect(t, g, "openai/realtime", nil)
		if code := ends(t, c); code != websocket.StatusGoingAway {
			t.Errorf("the client is told %d", code)
		}
		<-left
		if row := g.Row(log); row.Ending != "stalled" || !strings.Contains(strings.Join(row.Notes, " "), "closed by Sluice with 1001") {
			t.Errorf("row %s", row)
		}
	})
	t.Run("shutdown", func(t *testing.T) {
		data := t.TempDir()
		config := "timeouts: {shutdown: 300ms}\nproviders: {openai: {base_url: \"" + socketProvider(t, waits).URL + "/v1\"}}\n"
		g := gateway.Start(t, gateway.Options{Config: config, DataDir: data})
		c, log := connect(t, g, "openai/realtime", nil)
		g.Signal(syscall.SIGTERM)
		if code := ends(t, c); code != websocket.StatusServiceRestart {
			t.Errorf("the client is told %d", code)
		}
		if err := <-left; websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the provider is told %v", err)
		}
		if code := g.Wait(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		g = gateway.Start(t, gateway.Options{Config: config, DataDir: data})
		if row := g.Row(log); row.Ending != "shutdown" {
			t.Errorf("row %s", row)
		}
	})
	t.Run("killed", func(t *testing.T) {
		data := t.TempDir()
		config := "providers: {openai: {base_url: \"" + socketProvider(t, waits).URL + "/v1\"}}\n" // without quick time-outs
		g := gateway.Start(t, gateway.Options{Config: config, DataDir: data})
		_, log := connect(t, g, "openai/realtime", nil)
		time.Sleep(2 * time.Second) // the mark of an open exchange is written when that is a second old
		g.Kill()
		<-left
		g = gateway.Start(t, gateway.Options{Config: config, DataDir: data})
		if row := g.Row(log); row.Ending != "crashed" || row.Endpoint != "realtime" {
			t.Errorf("row %s", row)
		}
	})
}

// TestRealtimeRefused: what a provider answers in place of 101 passes as it is, and so does our own refusal.
func TestRealtimeRefused(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "not for you")
	}))
	t.Cleanup(up.Close)
	g := gateway.Start(t, gateway.Options{Config: to(up.URL + "/v1")})
	for path, want := range map[string]string{"openai?model=m": "403 not for you", "echo": "400 "} {
		_, resp, err := websocket.Dial(t.Context(), "ws://"+g.Addr+"/v1/default/default/"+path, nil)
		if err == nil || resp == nil {
			t.Fatalf("%s: %v", path, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if got := fmt.Sprint(resp.StatusCode, " ", string(body)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", path, got)
		}
	}
}
