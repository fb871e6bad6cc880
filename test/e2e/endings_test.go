package e2e

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// This file has one test for each row of the table in docs/streams.md: what the client, the upstream
// and the log see of an exchange that does not go as it should.

// quick lowers every time-out, so that tests see them pass.
const quick = `
timeouts: {connect: 2s, tls: 2s, first_byte: 700ms, idle: 700ms, total: 20s, client_write: 700ms, shutdown: 700ms}
`

// to configures provider openai, and with it quick time-outs.
func to(base string) string {
	return quick + "providers: {openai: {base_url: \"" + base + "\"}}\n"
}

const (
	chat     = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]}`
	chatSSE  = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}`
	answered = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}`
	eventHi    = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}` + "\n\n"
	eventStop  = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	eventUsage = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini-2024-07-18","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}` + "\n\n"
	eventDone  = "data: [DONE]\n\n"
	eventError = `data: {"error":{"message":"The server had an error while processing your request","type":"server_error","code":null}}` + "\n\n"
)

// pair is a gateway in front of a scripted upstream.
type pair struct {
	*gateway.Gateway
	up *upstream.Server
}

func start(t *testing.T, script upstream.Script) pair {
	t.Helper()
	up := upstream.New(t, script)
	return pair{gateway.Start(t, gateway.Options{Config: to("http://" + up.Addr + "/v1")}), up}
}

func (p pair) chat(t *testing.T, body string) (*http.Response, []byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	defer cancel()
	return p.TryPost(ctx, "openai", "chat/completions", body)
}

// want compares a row with what it should say.
type want struct {
	status    int
	success   bool
	ending    string
	errorKind string // "" any
	in, out   int64  // tokens; -1: null
}

func (w want) check(t *testing.T, r *gateway.Row) {
	t.Helper()
	if r.Status() != w.status || r.Success != w.success || r.Ending != w.ending {
		t.Errorf("log: status %d, success %v, ending %s; want %d, %v, %s", r.Status(), r.Success, r.Ending, w.status, w.success, w.ending)
	}
	if w.errorKind != "" && r.ErrorKind != w.errorKind {
		t.Errorf("log: error_kind %q, want %q", r.ErrorKind, w.errorKind)
	}
	tokens := func(name string, got *int64, want int64) {
		switch {
		case want < 0 && got != nil:
			t.Errorf("log: %s = %d, want null", name, *got)
		case want >= 0 && (got == nil || *got != want):
			t.Errorf("log: %s = %v, want %d", name, show(got), want)
		}
	}
	tokens("tokens_in", r.TokensIn, w.in)
	tokens("tokens_out", r.TokensOut, w.out)
	if t.Failed() {
		t.Log("row:", r)
	}
}

func show(n *int64) any {
	if n == nil {
		return "null"
	}
	return *n
}

func TestUpstreamErrorStatusPassesUnchanged(t *testing.T) {
	const body = `{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}`
	for _, status := range []int{400, 401, 404, 429, 500, 503, 529} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			p := start(t, upstream.Answer(status, []string{"Content-Type: application/json", "Retry-After: 7"}, body))
			resp, got, err := p.chat(t, chat)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != status || string(got) != body || resp.Header.Get("Retry-After") != "7" {
				t.Errorf("client got %d %s", resp.StatusCode, got)
			}
			if n := len(p.up.Take()); n != 1 {
				t.Errorf("the upstream was called %d times", n)
			}
			row := p.Row(resp.Header.Get("cf-aig-log-id"))
			want{status: status, ending: "complete", errorKind: "upstream_status", in: -1, out: -1}.check(t, row)
			if len(row.Attempts) != 1 || row.Attempts[0].Status == nil || *row.Attempts[0].Status != status {
				t.Errorf("attempts = %v, want one with status %d", row.Attempts, status)
			}
		})
	}
}

// closedAddr is an address where nothing listens.
func closedAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestUnreachableUpstream(t *testing.T) {
	plain := upstream.New(t, upstream.JSON(200, answered)) // speaks no TLS
	for name, c := range map[string]struct{ base, kind string }{
		"refused":                 {"http://" + closedAddr(t) + "/v1", "dial"},
		"a name that is not":      {"http://no-such-host.invalid/v1", "dns"},
		"no TLS where it must be": {"https://" + plain.Addr + "/v1", "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pair{Gateway: gateway.Start(t, gateway.Options{Config: to(c.base)})}
			resp, body, err := p.chat(t, chat)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 400 || gateway.ErrorCode(body) != 2005 {
				t.Errorf("client got %d %s; want 400 and code 2005", resp.StatusCode, body)
			}
			row := p.Row(resp.Header.Get("cf-aig-log-id"))
			want{status: 400, ending: "unreachable", errorKind: c.kind, in: -1, out: -1}.check(t, row)
			if len(row.Attempts) == 0 || row.Attempts[len(row.Attempts)-1].Cause == "" {
				t.Errorf("attempts = %v, want one with its cause", row.Attempts)
			}
		})
	}
}

func TestNoFirstByteInTime(t *testing.T) {
	closed := make(chan struct{})
	p := start(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		c.WaitClosed()
		close(closed)
		return false
	})
	resp, body, err := p.chat(t, chat)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 408 || gateway.ErrorCode(body) != 2005 {
		t.Errorf("client got %d %s; want 408 and code 2005", resp.StatusCode, body)
	}
	within(t, closed, "the upstream's connection is closed")
	want{status: 408, ending: "timeout", errorKind: "timeout", in: -1, out: -1}.check(t, p.Row(resp.Header.Get("cf-aig-log-id")))
}

func within(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(gateway.Patience):
		t.Errorf("after %v it is not so that %s", gateway.Patience, what)
	}
}

func TestCutAfterBytesFlowed(t *testing.T) {
	whole := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(answered))
	for name, c := range map[string]struct {
		body, prefix string
		out          int64
		script       upstream.Script
	}{
		"a stream, orderly": {chatSSE, eventHi, -1, func(_ *rawhttp.Message, c *upstream.Conn) bool {
			upstream.Head(c)
			c.Chunk(eventHi)
			return false
		}},
		"a stream, within an event": {chatSSE, eventHi + "data: {\"id\":", -1, func(_ *rawhttp.Message, c *upstream.Conn) bool {
			upstream.Head(c)
			c.Chunk(eventHi)
			c.Chunk("data: {\"id\":")
			return false
		}},
		"a stream, after its usage": {chatSSE, eventHi + eventUsage, 3, func(_ *rawhttp.Message, c *upstream.Conn) bool {
			upstream.Head(c)
			c.Chunk(eventHi)
			c.Chunk(eventUsage)
			return false
		}},
		"a plain answer": {chat, answered[:40], -1, func(_ *rawhttp.Message, c *upstream.Conn) bool {
			c.Send(whole + answered[:40])
			return false
		}},
		"by the end of the connection, without the dialect's own end": {chatSSE, eventHi, -1, func(_ *rawhttp.Message, c *upstream.Conn) bool {
			c.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + eventHi)
			return false
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, c.script)
			resp, got, err := p.chat(t, c.body)
			if resp == nil {
				t.Fatal(err)
			}
			if err == nil {
				t.Error("to the client the answer looks whole")
			}
			if string(got) != c.prefix {
				t.Errorf("client got %q, want %q", got, c.prefix)
			}
			in := c.out
			if in >= 0 {
				in = 9
			}
			want{status: 200, ending: "cut", in: in, out: c.out}.check(t, p.Row(resp.Header.Get("cf-aig-log-id")))
		})
	}
}

func TestResetAfterBytesFlowed(t *testing.T) {
	seen := make(chan struct{})
	p := start(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(eventHi)
		<-seen // a reset may overtake bytes that were not read yet
		c.Reset()
		return false
	})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL("openai", "chat/completions"), strings.NewReader(chatSSE))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, len(eventHi))
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != eventHi {
		t.Fatalf("first event = %q, %v", first, err)
	}
	close(seen)
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("to the client the answer looks whole")
	}
	want{status: 200, ending: "cut", in: -1, out: -1}.check(t, p.Row(resp.Header.Get("cf-aig-log-id")))
}

func TestStalledAfterBytesFlowed(t *testing.T) {
	closed := make(chan struct{})
	p := start(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(eventHi)
		c.WaitClosed()
		close(closed)
		return false
	})
	resp, got, err := p.chat(t, chatSSE)
	if resp == nil {
		t.Fatal(err)
	}
	if err == nil || string(got) != eventHi {
		t.Errorf("client got %q, %v; want the first event and a broken connection", got, err)
	}
	within(t, closed, "the upstream's connection is closed")
	want{status: 200, ending: "stalled", in: -1, out: -1}.check(t, p.Row(resp.Header.Get("cf-aig-log-id")))
}

func TestErrorEventInsideAStream(t *testing.T) {
	p := start(t, upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventError))
	resp, got, err := p.chat(t, chatSSE)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || string(got) != eventHi+eventError {
		t.Errorf("client got %d %q, want the stream as it is", resp.StatusCode, got)
	}
	row := p.Row(resp.Header.Get("cf-aig-log-id"))
	want{status: 200, ending: "error_event", in: -1, out: -1}.check(t, row)
	if !strings.Contains(row.ErrorText, "The server had an error") {
		t.Errorf("error_text = %q, want the provider's words", row.ErrorText)
	}
}

func TestClientGoneBeforeTheAnswer(t *testing.T) {
	got, closed := make(chan struct{}), make(chan struct{})
	p := start(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		close(got)
		c.WaitClosed()
		close(closed)
		return false
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-got
		leave()
	}()
	if _, _, err := p.TryPost(ctx, "openai", "chat/completions", chat); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v, want the client to have left", err)
	}
	within(t, closed, "the upstream's call is cancelled")
	row := p.LastRow("a row of the client that left", func(r *gateway.Row) bool { return r.Ending != "" })
	want{status: 499, ending: "client_gone", in: -1, out: -1}.check(t, row)
}

func TestClientGoneDuringTheAnswer(t *testing.T) {
	closed := make(chan struct{})
	p := start(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(eventHi)
		c.WaitClosed()
		close(closed)
		return false
	})
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL("openai", "chat/completions"), strings.NewReader(chatSSE))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, len(eventHi))); err != nil {
		t.Fatal(err)
	}
	leave()
	within(t, closed, "the upstream's call is cancelled")
	want{status: 200, ending: "client_gone", in: -1, out: -1}.check(t, p.Row(resp.Header.Get("cf-aig-log-id")))
}

func TestClientTakesNothing(t *testing.T) {
	closed := make(chan struct{})
	event := strings.Replace(eventHi, "Hi", strings.Repeat("x", 16<<10), 1)
	p := start(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		defer close(closed)
		upstream.Head(c)
		for {
			if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(event), event); err != nil {
				return false
			}
		}
	})
	conn, r := p.Dial()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10)
	}
	if _, err := fmt.Fprintf(conn, "POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(chatSSE), chatSSE); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Peek(12); err != nil { // and nothing more
		t.Fatal(err)
	}
	within(t, closed, "the upstream's call is cancelled")
	row := p.LastRow("a row of the slow client", func(r *gateway.Row) bool { return r.Ending != "" })
	want{status: 200, ending: "client_slow", in: -1, out: -1}.check(t, row)
}

func TestAnswerWithoutUsage(t *testing.T) {
	p := start(t, upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventStop, eventDone))
	resp, got, err := p.chat(t, chatSSE)
	if err != nil || string(got) != eventHi+eventStop+eventDone {
		t.Errorf("client got %q, %v; want the stream as it is", got, err)
	}
	row := p.Row(resp.Header.Get("cf-aig-log-id"))
	if row.Ending != "complete" || !row.Success {
		t.Errorf("ending %s, success %v; want complete", row.Ending, row.Success)
	}
	if row.TokensIn != nil && *row.TokensIn == 0 || row.TokensOut != nil && *row.TokensOut == 0 {
		t.Errorf("unknown tokens are logged as 0: %s", row)
	}
}

func TestEncodingThatNobodyCanRead(t *testing.T) {
	var secret [300]byte
	_, _ = rand.Read(secret[:])
	body := string(secret[:])
	p := start(t, upstream.Answer(200, []string{"Content-Type: application/json", "Content-Encoding: x-unheard-of"}, body))
	resp, got, err := p.chat(t, chat)
	if err != nil || string(got) != body || resp.Header.Get("Content-Encoding") != "x-unheard-of" {
		t.Errorf("client got %q, %v; want it as it is", got, err)
	}
	row := p.Row(resp.Header.Get("cf-aig-log-id"))
	want{status: 200, success: true, ending: "complete", in: -1, out: -1}.check(t, row)
	if !strings.Contains(strings.Join(row.Notes, " "), "x-unheard-of") {
		t.Errorf("notes = %q, want one on the encoding", row.Notes)
	}
}

func TestAnswerLargerThanTheLogsCap(t *testing.T) {
	var noise [150 << 10]byte
	_, _ = rand.Read(noise[:])
	body := strings.Replace(answered, "Hello", hex.EncodeToString(noise[:]), 1)
	up := upstream.New(t, upstream.JSON(200, body))
	p := pair{gateway.Start(t, gateway.Options{Config: to("http://"+up.Addr+"/v1") + "log: {body_bytes: 100KB}\n"}), up}
	resp, got, err := p.chat(t, chat)
	if err != nil || string(got) != body {
		t.Fatalf("client got %d bytes, %v; want all %d", len(got), err, len(body))
	}
	row := p.Row(resp.Header.Get("cf-aig-log-id"))
	want{status: 200, success: true, ending: "complete", in: 9, out: 3}.check(t, row)
	if row.Response == nil || !row.Response.Truncated || row.Response.Size != int64(len(body)) || row.Response.Stored != 100_000 {
		t.Errorf("response = %+v; want %d bytes, 100000 of them stored, truncated", row.Response, len(body))
	}
	stored, err := p.StoredBody(row.ID, "response")
	if err != nil || string(stored) != body[:100_000] {
		t.Errorf("stored %d bytes, %v; want the first 100000", len(stored), err)
	}
}

func TestShutdownWhileStreaming(t *testing.T) {
	up := upstream.New(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		for {
			if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(eventHi), eventHi); err != nil {
				return false
			}
			select {
			case <-c.Gone():
				return false
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	dir := t.TempDir()
	options := gateway.Options{Config: to("http://" + up.Addr + "/v1"), DataDir: dir}
	g := gateway.Start(t, options)
	conn, r := g.Dial()
	fmt.Fprintf(conn, "POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(chatSSE), chatSSE)
	if _, err := r.Peek(12); err != nil {
		t.Fatal(err)
	}
	g.Signal(syscall.SIGTERM)
	m, err := rawhttp.ReadResponse(r, "POST")
	if err == nil {
		t.Error("to the client the answer looks whole")
	}
	if code := g.Wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if m == nil || !strings.HasPrefix(string(m.Body), eventHi) {
		t.Fatalf("client got %v, want events before the end", m)
	}
	g = gateway.Start(t, options)
	row := g.Row(m.Get("cf-aig-log-id"))
	want{status: 200, ending: "shutdown", in: -1, out: -1}.check(t, row)
}

func TestDrainedWithinTheGrace(t *testing.T) {
	more := make(chan struct{})
	up := upstream.New(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		c.Chunk(eventHi)
		<-more
		c.Chunk(eventStop + eventUsage + eventDone)
		c.Send("0\r\n\r\n")
		return true
	})
	dir := t.TempDir()
	config := strings.Replace(to("http://"+up.Addr+"/v1"), "shutdown: 700ms", "shutdown: 60s", 1)
	config = strings.Replace(config, "idle: 700ms", "idle: 60s", 1)
	g := gateway.Start(t, gateway.Options{Config: config, DataDir: dir})
	conn, r := g.Dial()
	fmt.Fprintf(conn, "POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(chatSSE), chatSSE)
	if _, err := r.Peek(12); err != nil {
		t.Fatal(err)
	}
	g.Signal(syscall.SIGTERM)
	g.Eventually("a closed listener", func() bool {
		c, err := net.Dial("tcp", g.Addr)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, func() string { return "it still accepts" })
	close(more)
	m, err := rawhttp.ReadResponse(r, "POST")
	if err != nil || string(m.Body) != eventHi+eventStop+eventUsage+eventDone {
		t.Errorf("client got %v, %v; want the whole stream", m, err)
	}
	if code := g.Wait(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	g = gateway.Start(t, gateway.Options{Config: config, DataDir: dir})
	want{status: 200, success: true, ending: "complete", in: 9, out: 3}.check(t, g.Row(m.Get("cf-aig-log-id")))
}

func TestProcessKilledWhileStreaming(t *testing.T) {
	up := upstream.New(t, func(_ *rawhttp.Message, c *upstream.Conn) bool {
		upstream.Head(c)
		for {
			if _, err := fmt.Fprintf(c, "%x\r\n%s\r\n", len(eventHi), eventHi); err != nil {
				return false
			}
			select {
			case <-c.Gone():
				return false
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	options := gateway.Options{Config: to("http://" + up.Addr + "/v1"), DataDir: t.TempDir()}
	g := gateway.Start(t, options)
	conn, r := g.Dial()
	fmt.Fprintf(conn, "POST /v1/default/default/openai/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(chatSSE), chatSSE)
	id := idOf(t, r)
	began := time.Now()
	// The open mark is made when the exchange has run for a second; it is on disk soon after.
	for time.Since(began) < 2*time.Second {
		if _, err := r.ReadByte(); err != nil {
			t.Fatal(err)
		}
	}
	g.Kill()
	if _, err := io.Copy(io.Discard, r); err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client: %v", err)
	}
	g = gateway.Start(t, options)
	row := g.Row(id)
	if row.Ending != "crashed" || row.Success || row.TokensIn != nil || row.TokensOut != nil {
		t.Errorf("row = %s; want crashed", row)
	}
	if row.Provider != "openai" || row.Model != "gpt-4o-mini" {
		t.Errorf("row = %s; want what was known of it", row)
	}
}

// idOf reads a response's head and returns the log id in it.
func idOf(t *testing.T, r *bufio.Reader) (id string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && strings.EqualFold(name, "cf-aig-log-id") {
			id = strings.TrimSpace(value)
		}
		if strings.TrimSpace(line) == "" {
			return id
		}
	}
}
