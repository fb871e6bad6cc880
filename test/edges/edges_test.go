package edges

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

const (
	root     = "/v1/default/default/openai"
	chatPath = root + "/chat/completions"
	chat     = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hi"}]}`
	answered = `{"id":"c1","object":"chat.completion","created":1,"model":"gpt-4o-mini","choices":[{"index":0,` +
		`"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}`
	event = `data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"Hi"}}]}` + "\n\n"
)

// pair is a gateway in front of a scripted upstream.
type pair struct {
	*gateway.Gateway
	up *upstream.Server
}

// start starts both; config is added to what names the upstream as provider openai.
func start(t *testing.T, config string, script upstream.Script) pair {
	t.Helper()
	up := upstream.New(t, script)
	return pair{gateway.Start(t, gateway.Options{Config: config + "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"}), up}
}

// dial opens a connection whose reads end with an error when the test's patience does.
func (p pair) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, r := p.Gateway.On(t).Dial()
	if err := conn.SetDeadline(time.Now().Add(gateway.Patience)); err != nil {
		t.Fatal(err)
	}
	return conn, r
}

// read returns the answer on r, nil when there is none, and what came behind it until the connection's
// end; it fails the test when the connection stays open.
func read(t *testing.T, r *bufio.Reader) (m *rawhttp.Message, rest string) {
	t.Helper()
	m, err := rawhttp.ReadResponse(r, "POST")
	if err != nil {
		m = nil
		if !ended(err) {
			t.Errorf("there is no answer, and the connection does not end: %v", err)
		}
		return m, ""
	}
	b, err := io.ReadAll(r)
	if !ended(err) {
		t.Errorf("the connection stays open after %s: %v", m.Start, err)
	}
	return m, string(b)
}

// ended reports whether err is one of those that a connection's end shows as.
func ended(err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// serves fails the test unless an ordinary call gets its ordinary answer.
func (p pair) serves(t *testing.T) {
	t.Helper()
	p.up.Use(upstream.JSON(200, answered))
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	defer cancel()
	resp, body, err := p.TryPost(ctx, "openai", "chat/completions", chat)
	if err != nil || resp.StatusCode != 200 || string(body) != answered {
		t.Errorf("an ordinary call afterwards gets %v %s, %v", resp, body, err)
	}
}

// silent fails the test when the upstream has been called.
func (p pair) silent(t *testing.T) {
	t.Helper()
	for _, m := range p.up.Take() {
		t.Errorf("the upstream got %q", m.Start)
	}
}

// post is a raw request with a body, and field lines of its own between Host and Content-Length.
func post(fields, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", chatPath, fields, len(body), body)
}

func within(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(gateway.Patience):
		t.Errorf("after %v it is not so that %s", gateway.Patience, what)
	}
}

// drip writes text byte by byte with pauses until the peer takes no more, and reports whether it took all.
func drip(w io.Writer, text string, pause time.Duration) (all bool) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := range len(text) {
		if _, err := io.WriteString(w, text[i:i+1]); err != nil {
			return false
		}
		<-tick.C
	}
	return true
}

// timedOut reports whether err is the end of the test's own patience.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
