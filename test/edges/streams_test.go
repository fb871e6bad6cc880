package edges

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// This file has the rows of docs/streams.md that test/e2e/endings_test.go has not: whole answers, what the
// log says of refusals, and the rows that depend on a dialect for dialects other than OpenAI's.

// dialect is a provider's streamed answer, in pieces.
type dialect struct {
	provider, path, request string
	contentType             string
	first                   string // an event with content; what usage it tells is known from then on
	in                      int64  // input tokens that first tells; -1: none
	fails                   string // an event that says that the provider failed
	text                    string // of the failure
	rest                    string // the events to a good end
	out                     int64  // output tokens that rest tells
}

// frame is a message of an AWS event stream (vnd.amazon.eventstream): lengths, headers, payload, sums.
func frame(payload string, headers ...string) string {
	var h []byte
	for i := 0; i+1 < len(headers); i += 2 {
		h = append(append(h, byte(len(headers[i]))), headers[i]...)
		h = binary.BigEndian.AppendUint16(append(h, 7), uint16(len(headers[i+1])))
		h = append(h, headers[i+1]...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(16+len(h)+len(payload)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(h)))
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	b = append(append(b, h...), payload...)
	return string(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)))
}

func bedrockEvent(kind, payload string) string {
	return frame(payload, ":event-type", kind, ":content-type", "application/json", ":message-type", "event")
}

func dialects() map[string]dialect {
	sse := func(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }
	gemini := func(data string) string { return "data: " + data + "\n\n" }
	const messages = `"messages":[{"role":"user","content":"Hi"}]}`
	return map[string]dialect{
		"Anthropic's messages": {
			provider: "anthropic", path: "v1/messages", request: `{"model":"claude-sonnet-4-5","max_tokens":9,"stream":true,` + messages,
			contentType: "text/event-stream",
			first: sse("message_start", `{"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[],"usage":{"input_tokens":21,"cache_read_input_tokens":100,"cache_creation_input_tokens":0,"output_tokens":1}}}`) +
				sse("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) +
				sse("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}`),
			in:    121,
			fails: sse("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded today"}}`), text: "Overloaded today",
			rest: sse("content_block_stop", `{"type":"content_block_stop","index":0}`) +
				sse("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}`) + sse("message_stop", `{"type":"message_stop"}`),
			out: 7,
		},
		"Google's generateContent": {
			provider: "google-ai-studio", path: "v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", request: `{"contents":[{"parts":[{"text":"Hi"}]}]}`,
			contentType: "text/event-stream",
			first:       gemini(`{"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":24,"candidatesTokenCount":2,"totalTokenCount":26},"modelVersion":"gemini-2.5-flash"}`),
			in:          24,
			fails:       gemini(`{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}`), text: "The model is overloaded.",
			rest: gemini(`{"candidates":[{"content":{"parts":[{"text":"."}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":24,"candidatesTokenCount":5,"totalTokenCount":29},"modelVersion":"gemini-2.5-flash"}`),
			out:  5,
		},
		"Bedrock's converse": {
			provider: "aws-bedrock", path: "bedrock-runtime/us-east-1/model/amazon.nova-lite-v1:0/converse-stream", request: `{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}`,
			contentType: "application/vnd.amazon.eventstream",
			first:       bedrockEvent("messageStart", `{"role":"assistant"}`) + bedrockEvent("contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Hello"}}`),
			in:          -1,
			fails:       frame(`{"message":"Too many tokens."}`, ":exception-type", "throttlingException", ":content-type", "application/json", ":message-type", "exception"), text: "Too many tokens.",
			rest: bedrockEvent("contentBlockStop", `{"contentBlockIndex":0}`) + bedrockEvent("messageStop", `{"stopReason":"end_turn"}`) +
				bedrockEvent("metadata", `{"metrics":{"latencyMs":9},"usage":{"inputTokens":30,"outputTokens":8,"totalTokens":38}}`),
			out: 8,
		},
		"Cohere's chat": {
			provider: "cohere", path: "v2/chat", request: `{"model":"command-a-03-2025","stream":true,` + messages,
			contentType: "text/event-stream",
			first:       sse("message-start", `{"type":"message-start","id":"c1","delta":{"message":{"role":"assistant"}}}`) + sse("content-delta", `{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello"}}}}`),
			in:          -1,
			fails:       sse("message-end", `{"type":"message-end","delta":{"finish_reason":"ERROR","error":"the model failed"}}`), text: "the model failed",
			rest: sse("message-end", `{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":2,"output_tokens":3},"tokens":{"input_tokens":40,"output_tokens":6}}}}`),
			out:  6,
		},
	}
}

// startDialects starts a gateway whose providers are all one upstream.
func startDialects(t *testing.T, config string) pair {
	t.Helper()
	up := upstream.New(t, upstream.JSON(200, answered))
	config += "providers:\n"
	for _, slug := range []string{"openai", "anthropic", "google-ai-studio", "aws-bedrock"} {
		config += fmt.Sprintf("  %s: {base_url: \"http://%s\"}\n", slug, up.Addr)
	}
	config += fmt.Sprintf("  cohere: {base_url: \"http://%s/v1\"}\n", up.Addr)
	return pair{gateway.Start(t, gateway.Options{Config: config}), up}
}

// counts is what the log says of an exchange's tokens, once it says it.
type counts struct {
	Basis         string
	Input, Output *int64
}

func (p pair) counts(t *testing.T, id string) (c counts) {
	t.Helper()
	_, _, text, err := p.Get("/gateways/default/logs/" + id)
	if err != nil {
		t.Fatal(err)
	}
	var detail struct {
		Result struct {
			Usage counts `json:"usage"`
		} `json:"result"`
	}
	if err := json.Unmarshal(text, &detail); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return detail.Result.Usage
}

// eachDialect sends each dialect's call to an upstream that answers by script, and looks at what the
// client got, and at the log.
func eachDialect(t *testing.T, p pair, script func(dialect) upstream.Script, check func(t *testing.T, p pair, d dialect, body string, err error, row *gateway.Row)) {
	t.Helper()
	for name, d := range dialects() {
		t.Run(name, func(t *testing.T) {
			p.up.Use(script(d))
			p := pair{p.On(t), p.up}
			ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
			defer cancel()
			resp, body, err := p.TryPost(ctx, d.provider, d.path, d.request)
			if resp == nil {
				t.Fatal(err)
			}
			check(t, p, d, string(body), err, p.Row(resp.Header.Get("cf-aig-log-id")))
		})
	}
}

// answers is a script of a chunked stream; whole: it ends as it should.
func answers(d dialect, whole bool, pieces ...string) upstream.Script {
	return func(_ *rawhttp.Message, c *upstream.Conn) bool {
		c.Send("HTTP/1.1 200 OK\r\nContent-Type: " + d.contentType + "\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, p := range pieces {
			c.Chunk(p)
		}
		if whole {
			c.Send("0\r\n\r\n")
		}
		return whole
	}
}

func TestWholeAnswers(t *testing.T) {
	p := startDialects(t, "")
	eachDialect(t, p, func(d dialect) upstream.Script { return answers(d, true, d.first, d.rest) },
		func(t *testing.T, p pair, d dialect, body string, err error, row *gateway.Row) {
			if err != nil || body != d.first+d.rest {
				t.Errorf("client got %q, %v; want the stream as it is", body, err)
			}
			if row.Ending != "complete" || !row.Success || row.Status() != 200 {
				t.Errorf("log: %s; want complete", row)
			}
			if c := p.counts(t, row.ID); c.Basis != "provider" || c.Output == nil || *c.Output != d.out {
				t.Errorf("log: %+v; want %d output tokens from the provider", c, d.out)
			}
		})
}

func TestErrorEventsOfOtherDialects(t *testing.T) {
	p := startDialects(t, "")
	eachDialect(t, p, func(d dialect) upstream.Script { return answers(d, true, d.first, d.fails) },
		func(t *testing.T, _ pair, d dialect, body string, err error, row *gateway.Row) {
			if err != nil || body != d.first+d.fails {
				t.Errorf("client got %q, %v; want the stream as it is", body, err)
			}
			if row.Ending != "error_event" || row.Success || row.Status() != 200 || !strings.Contains(row.ErrorText, d.text) {
				t.Errorf("log: %s; want error_event and %q", row, d.text)
			}
		})
}

// partial checks what is known of an exchange that did not come to its end: what the provider told, and
// some time later what can be counted.
func partial(t *testing.T, p pair, d dialect, row *gateway.Row) {
	t.Helper()
	if row.Success || row.Status() != 200 {
		t.Errorf("log: %s; want no success", row)
	}
	if c := p.counted(t, row.ID, "partial"); d.in >= 0 && *c.Input != d.in {
		t.Errorf("log: %d input tokens, want the %d that the provider told", *c.Input, d.in)
	}
}

// counted waits until both counts are known, by basis.
func (p pair) counted(t *testing.T, id, basis string) (c counts) {
	t.Helper()
	p.Eventually("counts with basis "+basis, func() bool {
		c = p.counts(t, id)
		return c.Basis == basis && c.Input != nil && *c.Input > 0 && c.Output != nil && *c.Output > 0
	}, func() string {
		return fmt.Sprintf("basis %q, input %s, output %s", c.Basis, show(c.Input), show(c.Output))
	})
	return c
}

func show(n *int64) string {
	if n == nil {
		return "null"
	}
	return fmt.Sprint(*n)
}

// TestAnswersWithoutUsage: what no provider counted is counted from the stored bodies, and marked.
func TestAnswersWithoutUsage(t *testing.T) {
	p := startDialects(t, "")
	bare := strings.NewReplacer(`"usage":`, `"unused":`, `"usageMetadata":`, `"unused":`)
	eachDialect(t, p, func(d dialect) upstream.Script {
		rest := bare.Replace(d.rest)
		if d.provider == "aws-bedrock" {
			rest = bedrockEvent("contentBlockStop", `{"contentBlockIndex":0}`) + bedrockEvent("messageStop", `{"stopReason":"end_turn"}`)
		}
		first := d.first
		if d.provider != "aws-bedrock" {
			first = bare.Replace(first)
		}
		return answers(d, true, first, rest)
	}, func(t *testing.T, p pair, _ dialect, _ string, err error, row *gateway.Row) {
		if err != nil || row.Ending != "complete" || !row.Success {
			t.Errorf("client: %v; log: %s; want complete", err, row)
		}
		p.counted(t, row.ID, "estimated")
	})
}

func TestCutsOfOtherDialects(t *testing.T) {
	p := startDialects(t, "")
	eachDialect(t, p, func(d dialect) upstream.Script { return answers(d, false, d.first) },
		func(t *testing.T, p pair, d dialect, body string, err error, row *gateway.Row) {
			if err == nil || body != d.first {
				t.Errorf("client got %q, %v; want what came, and a broken connection", body, err)
			}
			if row.Ending != "cut" {
				t.Errorf("log: ending %s, want cut", row.Ending)
			}
			partial(t, p, d, row)
		})
}

// TestStreamsThatLackTheirEnd: the connection's end alone does not make a stream whole whose dialect has an
// end of its own.
func TestStreamsThatLackTheirEnd(t *testing.T) {
	p := startDialects(t, "")
	d := dialects()["Anthropic's messages"]
	p.up.Use(says("HTTP/1.1 200 OK\r\nContent-Type: "+d.contentType+"\r\nConnection: close\r\n\r\n"+d.first, closes))
	ctx, cancel := context.WithTimeout(t.Context(), gateway.Patience)
	defer cancel()
	resp, body, err := p.TryPost(ctx, d.provider, d.path, d.request)
	if resp == nil || err == nil || string(body) != d.first {
		t.Fatalf("client got %q, %v; want a broken connection", body, err)
	}
	if row := p.Row(resp.Header.Get("cf-aig-log-id")); row.Ending != "cut" {
		t.Errorf("log: ending %s, want cut", row.Ending)
	}
}

func TestStallsOfOtherDialects(t *testing.T) {
	p := startDialects(t, "timeouts: {idle: 500ms}\n")
	eachDialect(t, p, func(d dialect) upstream.Script {
		return func(_ *rawhttp.Message, c *upstream.Conn) bool {
			answers(d, false, d.first)(nil, c)
			c.WaitClosed()
			return false
		}
	}, func(t *testing.T, p pair, d dialect, body string, err error, row *gateway.Row) {
		if err == nil || body != d.first {
			t.Errorf("client got %q, %v; want what came, and a broken connection", body, err)
		}
		if row.Ending != "stalled" {
			t.Errorf("log: ending %s, want stalled", row.Ending)
		}
		partial(t, p, d, row)
	})
}

// TestClientsThatLeaveOtherDialects: in the middle of a stream, by closing both directions or only one.
func TestClientsThatLeaveOtherDialects(t *testing.T) {
	p := startDialects(t, "")
	for name, d := range dialects() {
		for how, leave := range map[string]func(*net.TCPConn) error{"closes": (*net.TCPConn).Close, "closes its side only": (*net.TCPConn).CloseWrite} {
			t.Run(name+", "+how, func(t *testing.T) {
				closed := make(chan struct{})
				p.up.Use(func(_ *rawhttp.Message, c *upstream.Conn) bool {
					answers(d, false, d.first)(nil, c)
					c.WaitClosed()
					close(closed)
					return false
				})
				p := pair{p.On(t), p.up}
				conn, r := p.dial(t)
				if _, err := fmt.Fprintf(conn, "POST /v1/default/default/%s/%s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
					d.provider, d.path, len(d.request), d.request); err != nil {
					t.Fatal(err)
				}
				id := logID(t, r)
				if _, err := r.ReadString('\n'); err != nil { // the first chunk's size
					t.Fatal(err)
				}
				if _, err := io.CopyN(io.Discard, r, int64(len(d.first))); err != nil {
					t.Fatal(err)
				}
				tcp, ok := conn.(*net.TCPConn)
				if !ok {
					t.Fatalf("%T", conn)
				}
				if err := leave(tcp); err != nil {
					t.Fatal(err)
				}
				within(t, closed, "the upstream's call is cancelled")
				row := p.Row(id)
				if row.Ending != "client_gone" {
					t.Errorf("log: ending %s, want client_gone", row.Ending)
				}
				partial(t, p, d, row)
			})
		}
	}
}

// TestAnAnswerThatEndsWithItsConnection: where a dialect has no end of its own, the connection's is one.
func TestAnAnswerThatEndsWithItsConnection(t *testing.T) {
	p := start(t, "", says("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"+answered, closes))
	resp, body := p.Post("openai", "chat/completions", chat)
	if string(body) != answered {
		t.Errorf("client got %q, want the answer as it is", body)
	}
	row := p.Row(resp.Header.Get("cf-aig-log-id"))
	if row.Ending != "complete" || !row.Success || row.TokensIn == nil || *row.TokensIn != 9 {
		t.Errorf("log: %s; want complete with 9 tokens", row)
	}
}

// TestNoRoomIsLogged: the row of a request that was refused because there is no room for its body.
func TestNoRoomIsLogged(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	config := "limits: {memory_bytes: 1MB, spool_bytes: 1MB, wait: 50ms}\nlog: {body_bytes: 1KB}\n"
	p := start(t, config, func(req *rawhttp.Message, c *upstream.Conn) bool {
		select {
		case <-release:
		case <-c.Gone():
		}
		return upstream.JSON(200, answered)(req, c)
	})
	const calls = 8
	refused := make(chan *http.Response, calls)
	for range calls {
		go func() {
			resp, _, _ := p.TryPost(context.Background(), "openai", "files", strings.Repeat("x", 600_000))
			refused <- resp
		}()
	}
	resp := <-refused // the upstream answers nothing yet
	if resp == nil || resp.StatusCode != 503 {
		t.Fatalf("the first answer is %v, want 503", resp)
	}
	row := p.Row(resp.Header.Get("cf-aig-log-id"))
	if row.Status() != 503 || row.Ending != "refused" || row.Success || row.TokensIn != nil {
		t.Errorf("log: %s; want 503, refused, no tokens", row)
	}
}

// TestRefusalsAreLogged: what the gateway itself refuses has a row as well.
func TestRefusalsAreLogged(t *testing.T) {
	p := start(t, "", upstream.JSON(200, answered))
	for name, request := range map[string]string{
		"an unknown provider":            strings.Replace(post("Connection: close\r\n", chat), "/openai/", "/nosuch/", 1),
		"a path that climbs":             strings.Replace(post("Connection: close\r\n", chat), "/chat/", "/../", 1),
		"an upgrade where there is none": "GET /v1/default/default/echo/realtime HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			m, err := rawhttp.Do(p.Addr, request)
			if err != nil || m.Status() < 400 || m.Status() > 499 || gateway.ErrorCode(m.Body) == 0 {
				t.Fatalf("got %v, %v; want a 4xx of the reference's shape", m, err)
			}
			p.silent(t)
			row := p.On(t).Row(m.Get("cf-aig-log-id"))
			if row.Status() != m.Status() || row.Ending != "refused" || row.Success || row.TokensIn != nil {
				t.Errorf("log: %s; want %d, refused, no tokens", row, m.Status())
			}
		})
	}
}
