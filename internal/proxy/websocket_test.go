package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

// patience bounds every wait of these tests; one that needs it fails.
const patience = 20 * time.Second

// socketUpstream is a provider that accepts WebSockets and plays a script on each.
func socketUpstream(t *testing.T, o *websocket.AcceptOptions, script func(ctx context.Context, c *websocket.Conn, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if o == nil {
			o = &websocket.AcceptOptions{}
		}
		c, err := websocket.Accept(w, r, o)
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(64 << 20)
		ctx, stop := context.WithTimeout(context.Background(), patience)
		defer stop()
		script(ctx, c, r)
	}
}

// echoing sends each message back, until the client closes.
func echoing(ctx context.Context, c *websocket.Conn, _ *http.Request) {
	for {
		kind, message, err := c.Read(ctx)
		if err != nil {
			return
		}
		if c.Write(ctx, kind, message) != nil {
			return
		}
	}
}

// dial opens a WebSocket through g.
func dialSocket(t *testing.T, g *proxytest.Gateway, path string, o *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	c, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default/"+path, o)
	if err != nil {
		text := []byte(nil)
		if resp != nil && resp.Body != nil {
			text, _ = io.ReadAll(resp.Body)
		}
		t.Fatalf("dial: %v %s", err, text)
	}
	if resp.Header.Get("cf-aig-log-id") == "" {
		t.Error("no cf-aig-log-id")
	}
	c.SetReadLimit(64 << 20)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

func say(t *testing.T, c *websocket.Conn, kind websocket.MessageType, message []byte) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	if err := c.Write(ctx, kind, message); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func hear(t *testing.T, c *websocket.Conn) (websocket.MessageType, []byte, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	return c.Read(ctx)
}

// closed reads to the end, and returns the code of the Close frame; -1: there was none.
func closed(t *testing.T, c *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := hear(t, c); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

func TestWebSocketPassesBothWays(t *testing.T) {
	proxytest.Each(t, func(t *testing.T, f proxytest.Front) {
		heads := make(chan http.Header, 1)
		targets := make(chan string, 1)
		g := f.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
			heads <- r.Header
			targets <- r.RequestURI
			echoing(ctx, c, r)
		}), nil)
		c := dialSocket(t, g, "openai?model=gpt-realtime&x=1", &websocket.DialOptions{
			CompressionMode: websocket.CompressionContextTakeover,
			HTTPHeader:      http.Header{"Authorization": {"Bearer sk-1"}, "Cf-Aig-Authorization": {"Bearer ours"}, "Openai-Beta": {"realtime=v1"}},
		})
		if got := <-targets; got != "/v1/realtime?model=gpt-realtime&x=1" {
			t.Errorf("the provider was asked for %s", got)
		}
		h := <-heads
		if h.Get("Authorization") != "Bearer sk-1" || h.Get("Openai-Beta") != "realtime=v1" || h.Get("Cf-Aig-Authorization") != "" || h.Get("Sec-Websocket-Extensions") != "" {
			t.Errorf("the provider got %v", h)
		}
		large := bytes.Repeat([]byte("0123456789"), 100_000)
		for _, m := range []struct {
			kind websocket.MessageType
			text []byte
		}{{websocket.MessageText, []byte("hello")}, {websocket.MessageBinary, []byte{0, 1, 2}}, {websocket.MessageText, nil}, {websocket.MessageBinary, large}} {
			go func() { _ = c.Write(t.Context(), m.kind, m.text) }()
			kind, got, err := hear(t, c)
			if err != nil || kind != m.kind || !bytes.Equal(got, m.text) {
				t.Fatalf("%v %d bytes came back as %v %d bytes, %v", m.kind, len(m.text), kind, len(got), err)
			}
		}
		pinged := make(chan error, 1)
		go func() { pinged <- c.Ping(t.Context()) }()
		go func() { _, _, _ = c.Read(t.Context()) }() // Ping needs a reader
		if err := <-pinged; err != nil {
			t.Errorf("ping: %v", err)
		}
		if err := c.Close(4001, "enough"); err != nil {
			t.Errorf("close: %v", err)
		}
		row := g.Row()
		if row.Status != 101 || !row.Success || row.Ending != sluice.EndingComplete || row.Type != "realtime" || row.Endpoint != "realtime" ||
			row.Model != "gpt-realtime" || row.Request.Size < 1_000_000 || row.Response.Size < 1_000_000 || row.Usage.Known() || row.Timeline.End == 0 {
			t.Errorf("row %+v", row)
		}
		if !strings.Contains(fmt.Sprint(row.Notes), "client closed with 4001, provider with 4001") {
			t.Errorf("notes %q", row.Notes)
		}
	})
}

// TestWebSocketTheProviderEnds: its code and reason reach the client.
func TestWebSocketTheProviderEnds(t *testing.T) {
	g := proxytest.New(t, socketUpstream(t, nil, func(_ context.Context, c *websocket.Conn, _ *http.Request) {
		_ = c.Close(4002, "session over")
	}), nil)
	c := dialSocket(t, g, "openai/realtime", nil)
	_, _, err := hear(t, c)
	var end websocket.CloseError
	if !errors.As(err, &end) || end.Code != 4002 || end.Reason != "session over" {
		t.Errorf("%v", err)
	}
	if row := g.Row(); !row.Success || !strings.Contains(fmt.Sprint(row.Notes), "provider with 4002") {
		t.Errorf("row %+v", row)
	}
}

func TestRealtimeUsageIsARowEach(t *testing.T) {
	events := []string{
		`{"type":"session.created","session":{"model":"gpt-realtime","audio":{"input":{"transcription":{"model":"gpt-4o-transcribe"}}}}}`,
		`{"type":"response.done","response":{"status":"completed","usage":{"input_tokens":100,"output_tokens":50,"input_token_details":{"text_tokens":100,"audio_tokens":0,"cached_tokens":0},"output_token_details":{"text_tokens":50,"audio_tokens":0}}}}`,
		`{"type":"conversation.item.input_audio_transcription.completed","usage":{"type":"tokens","input_tokens":10,"input_token_details":{"text_tokens":10,"audio_tokens":0},"output_tokens":4}}`,
		`{"type":"response.done","response":{"status":"completed","usage":{"input_tokens":200,"output_tokens":60}}}`,
		`{"type":"error","error":{"message":"no such thing"}}`,
	}
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		for _, e := range events {
			_ = c.Write(ctx, websocket.MessageText, []byte(e))
		}
		_, _, _ = c.Read(ctx)
	}), nil)
	c := dialSocket(t, g, "openai?model=gpt-realtime", &websocket.DialOptions{HTTPHeader: http.Header{"Cf-Aig-Metadata": {`{"user":"ann"}`}, "Cf-Aig-Event-Id": {"mine"}}})
	for i := range events {
		if _, got, err := hear(t, c); err != nil || string(got) != events[i] {
			t.Fatalf("event %d: %s, %v", i, got, err)
		}
	}
	before := g.WaitRows(3) // while the connection lives
	_ = c.Close(websocket.StatusNormalClosure, "")
	rows := g.WaitRows(4)
	byEndpoint := map[string][]sluice.LogEntry{}
	for _, r := range rows {
		byEndpoint[r.Entry.Endpoint] = append(byEndpoint[r.Entry.Endpoint], r.Entry)
	}
	responses, transcripts, connection := byEndpoint["realtime/response"], byEndpoint["realtime/transcription"], byEndpoint["realtime"]
	if len(before) != 3 || len(responses) != 2 || len(transcripts) != 1 || len(connection) != 1 {
		t.Fatalf("%d rows of responses, %d of transcriptions, %d of the connection", len(responses), len(transcripts), len(connection))
	}
	// 100 × 4 $/M + 50 × 16 $/M, 200 × 4 + 60 × 16; 10 × 2.5 + 4 × 10, in nano-dollars.
	want := map[sluice.NanoUSD]bool{1_200_000: true, 1_760_000: true}
	for _, r := range responses {
		if !want[r.Cost] || !r.Priced || r.Served != "gpt-realtime" || r.EventID != "mine" || len(r.Metadata) != 1 || !r.Success || r.Type != "realtime" {
			t.Errorf("response %+v", r)
		}
		delete(want, r.Cost)
	}
	if r := transcripts[0]; r.Cost != 65_000 || r.Served != "gpt-4o-transcribe" || r.Model != "gpt-realtime" {
		t.Errorf("transcription %+v", r)
	}
	if r := connection[0]; r.Usage.Known() || r.Priced || r.ErrorText != "no such thing" || !r.Success {
		t.Errorf("connection %+v", r)
	}
}

func TestWebSocketClientLeaves(t *testing.T) {
	left := make(chan error, 1)
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		_, _, err := c.Read(ctx)
		left <- err
	}), nil)
	c := dialSocket(t, g, "openai/realtime", nil)
	_ = c.CloseNow()
	if err := <-left; websocket.CloseStatus(err) != -1 {
		t.Errorf("the provider is told %v", err)
	}
	if row := g.Row(); row.Ending != sluice.EndingClientGone || row.Success {
		t.Errorf("row %+v", row)
	}
}

func TestWebSocketProviderBreaks(t *testing.T) {
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		_ = c.Write(ctx, websocket.MessageText, []byte("one"))
	}), nil)
	c := dialSocket(t, g, "openai/realtime", nil)
	if _, got, err := hear(t, c); err != nil || string(got) != "one" {
		t.Fatal(string(got), err)
	}
	if code := closed(t, c); code != wsframe.CodeInternal {
		t.Errorf("the client is told %d", code)
	}
	if row := g.Row(); row.Ending != sluice.EndingCut || row.ErrorKind != "cut" || row.Success {
		t.Errorf("row %+v", row)
	}
}

func TestWebSocketShutdown(t *testing.T) {
	proxytest.Each(t, func(t *testing.T, f proxytest.Front) {
		left := make(chan error, 1)
		g := f.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
			_, _, err := c.Read(ctx)
			left <- err
		}), nil)
		c := dialSocket(t, g, "openai/realtime", nil)
		g.Abort()
		if code := closed(t, c); code != wsframe.CodeRestart {
			t.Errorf("the client is told %d", code)
		}
		if err := <-left; websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("the provider is told %v", err)
		}
		if row := g.Row(); row.Ending != sluice.EndingShutdown {
			t.Errorf("row %+v", row)
		}
	})
}

// TestWebSocketSlowClient: the provider is held back, and after the time that a client may take no byte
// the connection ends.
func TestWebSocketSlowClient(t *testing.T) {
	wrote := make(chan int, 1)
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		n := 0
		for c.Write(ctx, websocket.MessageBinary, make([]byte, 64<<10)) == nil {
			n += 64 << 10
		}
		wrote <- n
	}), func(c *config.Config) { c.Timeouts.ClientWrite = 200 * time.Millisecond })
	dialSocket(t, g, "openai/realtime", nil)
	row := g.Row()
	if row.Ending != sluice.EndingClientSlow || row.Response.Size > 64<<20 {
		t.Errorf("row %+v", row)
	}
	if n := <-wrote; n > 64<<20 {
		t.Errorf("the provider could write %d bytes", n)
	}
}

func TestWebSocketIdle(t *testing.T) {
	g := proxytest.New(t, socketUpstream(t, nil, echoing), func(c *config.Config) { c.Timeouts.Idle = 100 * time.Millisecond })
	c := dialSocket(t, g, "openai/realtime", nil)
	if code := closed(t, c); code != wsframe.CodeGoingAway {
		t.Errorf("the client is told %d", code)
	}
	if row := g.Row(); row.Ending != sluice.EndingStalled {
		t.Errorf("row %+v", row)
	}
}

func TestWebSocketMessageTooLarge(t *testing.T) {
	left := make(chan error, 1)
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		_, got, err := c.Read(ctx)
		if len(got) != 2048 {
			t.Errorf("%d bytes came, %v", len(got), err)
		}
		_, _, err = c.Read(ctx)
		left <- err
	}), func(c *config.Config) { c.WebSocket.MessageBytes = 2048 })
	c := dialSocket(t, g, "openai/realtime", nil)
	say(t, c, websocket.MessageBinary, make([]byte, 2048))
	say(t, c, websocket.MessageBinary, make([]byte, 2049))
	if code := closed(t, c); code != wsframe.CodeTooBig {
		t.Errorf("the client is told %d", code)
	}
	if err := <-left; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the provider is told %v", err)
	}
	if row := g.Row(); row.ErrorKind != "body_too_large" {
		t.Errorf("row %+v", row)
	}
}

// TestWebSocketRefused: what the provider answers in place of 101 is an ordinary answer.
func TestWebSocketRefused(t *testing.T) {
	g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"message":"no key"}}`)
	}, nil)
	_, resp, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default/openai?model=x", nil)
	if err == nil || resp == nil || resp.StatusCode != 401 {
		t.Fatal(resp, err)
	}
	text, _ := io.ReadAll(resp.Body)
	if string(text) != `{"error":{"message":"no key"}}` {
		t.Errorf("body %s", text)
	}
	if row := g.Row(); row.Status != 401 || row.ErrorText != "no key" || row.Type != "realtime" {
		t.Errorf("row %+v", row)
	}
}

func TestWebSocketSubprotocols(t *testing.T) {
	for _, tt := range []struct {
		name    string
		path    string
		offered []string
		chosen  []string // what the provider may choose from
		seen    string   // of what the provider was offered
		header  string   // credential that it got
		answer  string
	}{
		{"the provider's choice", "openai?model=m", []string{"realtime", "openai-insecure-api-key.sk-1"}, []string{"realtime"}, "realtime, openai-insecure-api-key.sk-1", "", "realtime"},
		{"none chosen", "openai?model=m", []string{"openai-insecure-api-key.sk-1", "realtime"}, nil, "openai-insecure-api-key.sk-1, realtime", "", "realtime"},
		{"ours is not sent on", "openai?model=m", []string{"cf-aig-authorization.tok", "realtime"}, nil, "realtime", "", "realtime"},
		{"ours alone", "openai?model=m", []string{"cf-aig-authorization.tok"}, nil, "", "", "cf-aig-authorization.tok"},
		{"a credential becomes a header", "elevenlabs?agent_id=a", []string{"xi-api-key.secret", "cf-aig-authorization.tok"}, nil, "", "secret", "cf-aig-authorization.tok"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			heads := make(chan http.Header, 1)
			var g *proxytest.Gateway
			accept := socketUpstream(t, &websocket.AcceptOptions{Subprotocols: tt.chosen}, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
				heads <- r.Header
				echoing(ctx, c, r)
			})
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			up := &http.Server{Handler: accept, ReadHeaderTimeout: patience}
			go func() { _ = up.Serve(l) }()
			t.Cleanup(func() { _ = up.Close() })
			base := "http://" + l.Addr().String()
			g = proxytest.Start(t, base, func(c *config.Config) { c.Providers["elevenlabs"] = config.Provider{BaseURL: base} })
			c := dialSocket(t, g, tt.path, &websocket.DialOptions{Subprotocols: tt.offered})
			h := <-heads
			if got := h.Get("Sec-Websocket-Protocol"); got != tt.seen || h.Get("xi-api-key") != tt.header {
				t.Errorf("the provider was offered %q, and got the credential %q", got, h.Get("xi-api-key"))
			}
			if got := c.Subprotocol(); got != tt.answer {
				t.Errorf("the client is told %q", got)
			}
			_ = c.Close(websocket.StatusNormalClosure, "")
			row := g.Row()
			for _, secret := range []string{"tok", "sk-1", "secret"} {
				if text := fmt.Sprint(row.ReqHeader, row.RespHeader, row.Path); strings.Contains(text, "."+secret) {
					t.Errorf("the log shows %q: %s", secret, text)
				}
			}
		})
	}
}

// TestWebSocketCredentialInTheQuery is sent on and not logged.
func TestWebSocketCredentialInTheQuery(t *testing.T) {
	targets := make(chan string, 1)
	handler := socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		targets <- r.RequestURI
		echoing(ctx, c, r)
	})
	g := proxytest.New(t, handler, func(c *config.Config) {
		c.Providers["google-ai-studio"] = config.Provider{BaseURL: c.Providers["anthropic"].BaseURL}
	})
	c := dialSocket(t, g, "google?api_key=AIzaSecret", nil)
	if got := <-targets; got != "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=AIzaSecret" {
		t.Errorf("the provider was asked for %s", got)
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	if row := g.Row(); strings.Contains(fmt.Sprintf("%+v", row), "AIzaSecret") || row.Path != "?api_key=[redacted]" {
		t.Errorf("path %s", row.Path)
	}
}

// rawSocket opens a WebSocket by hand, for frames that no library sends.
func rawSocket(t *testing.T, g *proxytest.Gateway) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, "GET /v1/default/default/openai/realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	if got := resp.Header.Get("Sec-Websocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("the key was answered with %q", got)
	}
	return c, r
}

// TestWebSocketInAnyCuts: fragments with a ping between them, byte by byte.
func TestWebSocketInAnyCuts(t *testing.T) {
	g := proxytest.New(t, socketUpstream(t, nil, echoing), nil)
	c, r := rawSocket(t, g)
	mask := &[4]byte{1, 2, 3, 4}
	first := wsframe.Append(nil, wsframe.Text, []byte("hel"), mask)
	first[0] &^= 0x80
	second := wsframe.Append(nil, wsframe.Continuation, []byte("lo"), mask)
	for _, b := range bytes.Join([][]byte{first, wsframe.Append(nil, wsframe.Ping, []byte("p"), mask), second}, nil) {
		_, _ = c.Write([]byte{b})
	}
	want := append(wsframe.Append(nil, wsframe.Pong, []byte("p"), nil), wsframe.Append(nil, wsframe.Text, []byte("hello"), nil)...)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestWebSocketBrokenFrames end the connection, and nothing of them passes.
func TestWebSocketBrokenFrames(t *testing.T) {
	left := make(chan error, 1)
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		if _, got, err := c.Read(ctx); err != nil || string(got) != "good" {
			t.Errorf("%s, %v", got, err)
		}
		_, _, err := c.Read(ctx)
		left <- err
	}), nil)
	c, r := rawSocket(t, g)
	_, _ = c.Write(append(wsframe.Append(nil, wsframe.Text, []byte("good"), &[4]byte{}), wsframe.Append(nil, wsframe.Text, []byte("bad"), nil)...))
	want := wsframe.AppendClose(nil, wsframe.CodeProtocol, wsframe.ErrMask.Error(), nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-left; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the provider is told %v", err)
	}
}

// TestWebSocketOverHTTP10 is refused, and the provider's connection given up.
func TestWebSocketOverHTTP10(t *testing.T) {
	proxytest.Each(t, func(t *testing.T, f proxytest.Front) {
		left := make(chan error, 1)
		g := f.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
			_, _, err := c.Read(ctx)
			left <- err
		}), nil)
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, "GET /v1/default/default/openai/realtime HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 400 {
			t.Fatal(resp, err)
		}
		<-left
		if row := g.Row(); row.Status != 400 || row.Ending != sluice.EndingRefused {
			t.Errorf("row %+v", row)
		}
	})
}

func TestWebSocketWhereThereIsNone(t *testing.T) {
	g := proxytest.New(t, func(http.ResponseWriter, *http.Request) { t.Error("the provider was called") }, nil)
	for _, path := range []string{"echo/realtime", "workers-ai?model=../x"} {
		_, resp, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default/"+path, nil)
		if err == nil || resp == nil || resp.StatusCode != 400 {
			t.Errorf("%s: %v, %v", path, resp, err)
		}
	}
}

// TestWebSocketTokenIsAskedForAgain: one that is revoked ends the connection with the client's next message.
func TestWebSocketTokenIsAskedForAgain(t *testing.T) {
	heads := make(chan http.Header, 1)
	left := make(chan error, 1)
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		heads <- r.Header
		if _, _, err := c.Read(ctx); err != nil {
			t.Errorf("the first message: %v", err)
		}
		_, _, err := c.Read(ctx)
		left <- err
	}), nil)
	g.Set(`{"authentication": true}`)
	token, value, err := g.Tokens.Create(t.Context(), auth.New{Name: "app", Account: "default", Permissions: auth.Run}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, resp, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default/openai?model=m", nil)
	if err == nil || resp == nil || resp.StatusCode != 401 {
		t.Fatalf("without a token: %v, %v", resp, err)
	}
	c := dialSocket(t, g, "openai?model=m", &websocket.DialOptions{Subprotocols: []string{"realtime", "cf-aig-authorization." + value.Reveal()}})
	if got := (<-heads).Get("Sec-Websocket-Protocol"); got != "realtime" {
		t.Errorf("the provider was offered %q", got)
	}
	say(t, c, websocket.MessageText, []byte("one"))
	if _, err := g.Tokens.Revoke(t.Context(), "default", token.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	say(t, c, websocket.MessageText, []byte("two"))
	if code := closed(t, c); code != wsframe.CodePolicy {
		t.Errorf("the client is told %d", code)
	}
	if err := <-left; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("the provider is told %v", err)
	}
	row := g.WaitRows(2)
	if last := row[len(row)-1].Entry; last.ErrorKind != "unauthorized" || last.Key != "app" {
		t.Errorf("row %+v", last)
	}
}

// TestWebSocketTokenInAProvidersPlace: a gateway token in the query is ours, and goes no further.
func TestWebSocketTokenInAProvidersPlace(t *testing.T) {
	targets := make(chan string, 1)
	g := proxytest.New(t, socketUpstream(t, nil, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		targets <- r.RequestURI
		echoing(ctx, c, r)
	}), func(c *config.Config) {
		c.Providers["cartesia"] = config.Provider{BaseURL: c.Providers["anthropic"].BaseURL}
	})
	_, value, err := g.Tokens.Create(t.Context(), auth.New{Name: "app", Account: "default", Permissions: auth.Run}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c := dialSocket(t, g, "cartesia?cartesia_version=1&api_key="+value.Reveal(), nil)
	if got := <-targets; got != "/tts/websocket?cartesia_version=1" {
		t.Errorf("the provider was asked for %s", got)
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	if row := g.Row(); row.Key != "app" {
		t.Errorf("row %+v", row)
	}
}

// BenchmarkWebSocket is a message of 1 KB to an echoing provider and back.
func BenchmarkWebSocket(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		echoing(b.Context(), c, r)
	}))
	b.Cleanup(up.Close)
	g := proxytest.Start(b, up.URL, nil)
	for name, url := range map[string]string{"direct": up.URL, "sluice": g.URL + "/v1/default/default/openai/realtime"} {
		b.Run(name, func(b *testing.B) {
			c, _, err := websocket.Dial(b.Context(), "ws"+strings.TrimPrefix(url, "http"), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.CloseNow() }()
			message := bytes.Repeat([]byte("x"), 1024)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Write(b.Context(), websocket.MessageText, message); err != nil {
					b.Fatal(err)
				}
				if _, _, err := c.Read(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
