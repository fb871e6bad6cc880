package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/auth"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/proxy/proxytest"
	"github.com/sluicehq/sluice/internal/reqlog"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

// wsFrame is a frame of the universal endpoint.
type wsFrame struct {
	Type     string
	Metadata struct {
		CacheStatus, LogID                   *string
		EventID, Step, ContentType, Encoding string
		ContentEncoding                      string
		Status                               int
	}
	Response json.RawMessage
	Error    []struct {
		Code                        int
		Message, Field, Description string
	}

	text string // as it came
}

// dialUniversal opens a WebSocket to the universal endpoint.
func dialUniversal(t *testing.T, g *proxytest.Gateway, o *websocket.DialOptions) *websocket.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	c, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default", o)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	if resp.Header.Get("cf-aig-request-id") == "" || resp.Header.Get("cf-aig-log-id") != "" {
		t.Errorf("the handshake is answered with %v", resp.Header)
	}
	c.SetReadLimit(64 << 20)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c
}

// create is the message of one request.
func create(request string) []byte {
	return []byte(`{"type":"universal.create","request":` + request + `}`)
}

// chatStep is a step of a chat with openai; more is put behind its query.
func chatStep(eventID, query string) string {
	return fmt.Sprintf(`{"eventId":%q,"provider":"openai","endpoint":"chat/completions","headers":{"Authorization":"Bearer sk-1","Accept-Encoding":"gzip"},"query":%s}`, eventID, query)
}

func hearFrame(t *testing.T, c *websocket.Conn) wsFrame {
	t.Helper()
	kind, text, err := hear(t, c)
	if err != nil || kind != websocket.MessageText {
		t.Fatalf("no frame but %v %v", kind, err)
	}
	f := wsFrame{text: string(text)}
	if err := json.Unmarshal(text, &f); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return f
}

// known replaces the id of the log entry, which is another each time.
func (f *wsFrame) known() string {
	if f.Metadata.LogID == nil {
		return f.text
	}
	return strings.ReplaceAll(f.text, *f.Metadata.LogID, "ID")
}

// unused wants all memory to have been given back.
func unused(t *testing.T, g *proxytest.Gateway) {
	t.Helper()
	for deadline := time.Now().Add(patience); g.Memory.Used() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are not given back", g.Memory.Used())
		}
	}
}

const socketAnswer = `{ "id":"c1",
 "choices":[{"message":{"content":"<hi> é"}}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}, "x":1.50e1}`

func TestUniversalSocketAnswers(t *testing.T) {
	proxytest.Each(t, func(t *testing.T, f proxytest.Front) {
		const query = `{ "model":"gpt-4o-mini" , "x": 1.50e1, "u":"é" }`
		g := f.New(t, func(w http.ResponseWriter, r *http.Request) {
			got, _ := io.ReadAll(r.Body)
			if string(got) != query || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer sk-1" || r.Header.Get("X-Mine") != "" {
				t.Errorf("the provider got %s %q %v", r.URL, got, r.Header)
			}
			if v := r.Header.Get("Accept-Encoding"); v != "" {
				t.Errorf("the provider may encode: %q", v)
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, socketAnswer)
		}, nil)
		c := dialUniversal(t, g, &websocket.DialOptions{HTTPHeader: http.Header{"Cf-Aig-Metadata": {`{"user":"ann"}`}, "X-Mine": {"1"}}})
		for _, kind := range []websocket.MessageType{websocket.MessageText, websocket.MessageBinary} {
			say(t, c, kind, create(chatStep("mine", query)))
			got := hearFrame(t, c)
			want := `{"type":"universal.created","metadata":{"cacheStatus":null,"eventId":"mine","logId":"ID","step":"0","contentType":"application/json","status":200},"response":` + socketAnswer + `}`
			if got.known() != want {
				t.Errorf("got  %s\nwant %s", got.text, want)
			}
			row, err := g.Log.Get(t.Context(), "default", parseID(t, *got.Metadata.LogID))
			for deadline := time.Now().Add(patience); err == nil && row.Entry.Ending == sluice.EndingInFlight && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				row, err = g.Log.Get(t.Context(), "default", row.Entry.ID)
			}
			e := row.Entry
			if err != nil || e.Type != "websocket" || !e.Success || e.Status != 200 || e.EventID != "mine" || !e.Usage.Known() || e.Provider != "openai" ||
				e.Model != "gpt-4o-mini" || e.Method != "POST" || len(e.Metadata) != 1 || !strings.Contains(fmt.Sprint(e.Notes), "on connection ") {
				t.Errorf("row %+v, %v", e, err)
			}
			if request, answer := g.Body(row, reqlog.RequestSide), g.Body(row, reqlog.ResponseSide); string(request) != query || string(answer) != socketAnswer {
				t.Errorf("stored %q, %q", request, answer)
			}
		}
		if err := c.Close(4001, "enough"); err != nil {
			t.Errorf("close: %v", err)
		}
		g.Close()
		g.WaitRows(2) // the connection has none
		unused(t, g)
	})
}

func parseID(t *testing.T, text string) sluice.ID {
	t.Helper()
	id, err := sluice.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestUniversalSocketStreams(t *testing.T) {
	for name, s := range map[string]struct {
		contentType, body string
		want              []string // responses
	}{
		"events": {
			"text/event-stream; charset=utf-8",
			": hello\n\ndata: {\"a\":1}\n\ndata: {\"b\":\ndata: 2}\r\n\r\nevent: x\ndata: plain \"text\"\n\ndata:\n\ndata: [DONE]\n\n",
			[]string{`{"a":1}`, "{\"b\":\n2}", `"plain \"text\""`},
		},
		"the last event has no end": {"text/event-stream", "data: 1\n\ndata: 2", []string{"1", "2"}},
		"lines":                     {"application/x-ndjson", "{\"a\":1}\n\n{\"b\":2}", []string{`{"a":1}`, `{"b":2}`}},
		"nothing":                   {"text/event-stream", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", s.contentType)
				w.WriteHeader(http.StatusOK)
				for _, b := range []byte(s.body) {
					_, _ = w.Write([]byte{b})
					_ = http.NewResponseController(w).Flush()
				}
			}, nil)
			c := dialUniversal(t, g, nil)
			say(t, c, websocket.MessageText, create(chatStep("é1", `{"stream":true}`)))
			about := `"metadata":{"cacheStatus":null,"eventId":"é1","logId":"ID","step":"0","contentType":"` + s.contentType + `","status":200}}`
			if got := hearFrame(t, c); got.known() != `{"type":"universal.created",`+about {
				t.Errorf("first came %s", got.text)
			}
			for _, w := range s.want {
				if got, want := hearFrame(t, c), `{"type":"universal.stream","metadata":{"eventId":"é1"},"response":`+w+`}`; got.text != want {
					t.Errorf("got  %s\nwant %s", got.text, want)
				}
			}
			if got := hearFrame(t, c); got.known() != `{"type":"universal.done",`+about {
				t.Errorf("at last came %s", got.text)
			}
			if row := g.Row(); row.Ending != sluice.EndingComplete || !row.Streamed {
				t.Errorf("row %+v", row)
			}
			unused(t, g)
		})
	}
}

// TestUniversalSocketFrames: what becomes of answers of all kinds.
func TestUniversalSocketFrames(t *testing.T) {
	large := `"` + strings.Repeat("x", 300_000) + `"`
	binary := []byte{0xff, 0x00, 0x01}
	for name, a := range map[string]struct {
		status      int
		contentType string
		header      string // of the content encoding
		body        string
		want        string // response
		encoding    string
	}{
		"an error of the provider's": {status: 429, contentType: "application/json", body: `{"error":{"message":"slow down"}}`, want: `{"error":{"message":"slow down"}}`},
		"a text":                     {status: 200, contentType: "text/plain", body: "a \"b\"\n", want: `"a \"b\"\n"`},
		"a page":                     {status: 502, contentType: "text/html", body: "<p>&</p>", want: `"\u003cp\u003e\u0026\u003c/p\u003e"`},
		"bytes":                      {status: 200, contentType: "audio/mpeg", body: string(binary), want: `"` + base64.StdEncoding.EncodeToString(binary) + `"`, encoding: "base64"},
		"bytes that look like JSON":  {status: 200, contentType: "application/json", body: "\"\xff\"", want: `"Iv8i"`, encoding: "base64"},
		"nothing":                    {status: 204, want: `null`},
		"a large one":                {status: 200, contentType: "application/json", body: large, want: large},
		"one that is encoded though nobody asked": {
			status: 200, contentType: "application/json", header: "br", body: "\x8b\x03\x80", want: `"iwOA"`, encoding: "base64",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{a.contentType}
				if a.header != "" {
					w.Header().Set("Content-Encoding", a.header)
				}
				w.WriteHeader(a.status)
				_, _ = io.WriteString(w, a.body)
			}, nil)
			c := dialUniversal(t, g, nil)
			say(t, c, websocket.MessageText, create(chatStep("e", `{}`)))
			got := hearFrame(t, c)
			if got.Type != "universal.created" || string(got.Response) != a.want || got.Metadata.Status != a.status || got.Metadata.ContentType != a.contentType ||
				got.Metadata.Encoding != a.encoding || got.Metadata.ContentEncoding != a.header {
				t.Errorf("got %.300s", got.text)
			}
			if row := g.Row(); row.Status != a.status || row.Ending != sluice.EndingComplete || row.Success != (a.status < 300) {
				t.Errorf("row %+v", row)
			}
			unused(t, g)
		})
	}
}

func TestUniversalSocketFallsBack(t *testing.T) {
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v1/chat/completions" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, `{"path":"`+r.URL.Path+`"}`)
	}, nil)
	c := dialUniversal(t, g, nil)
	say(t, c, websocket.MessageText, create(`[`+chatStep("array", `{}`)+`,{"provider":"anthropic","endpoint":"v1/messages","query":{}}]`))
	if got := hearFrame(t, c); got.Metadata.Step != "1" || got.Metadata.EventID != "array" || string(got.Response) != `{"path":"/v1/messages"}` {
		t.Errorf("got %s", got.text)
	}
	if row := g.Row(); row.Step != 1 || len(row.Attempts) != 2 || row.EventID != "array" {
		t.Errorf("row %+v", row)
	}
}

// TestUniversalSocketRefusals: a message that is refused is told so, is logged, and ends nothing.
func TestUniversalSocketRefusals(t *testing.T) {
	g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }, nil)
	c := dialUniversal(t, g, nil)
	n := 0
	for _, m := range []struct {
		name, text string
		code       int
		event      string // "": its log id
		field      string
	}{
		{"no JSON", `hello`, 2019, "", "message"},
		{"nothing", ``, 2019, "", "message"},
		{"an array", `[]`, 2019, "", "message"},
		{"another type", `{"type":"universal.stop","request":` + chatStep("a", `{}`) + `}`, 2019, "a", "message"},
		{"no type", `{"request":` + chatStep("a", `{}`) + `}`, 2019, "a", "message"},
		{"no request", `{"type":"universal.create","eventId":"beside"}`, 2019, "beside", "message"},
		{"a request that is a text", `{"type":"universal.create","request":"x"}`, 2019, "", "message"},
		{"two requests", `{"type":"universal.create","request":{"eventId":"a"},"request":{"eventId":"b"}}`, 2019, "b", "message"},
		{"in another case", `{"type":"universal.create","Request":{},"request":{}}`, 2019, "", "message"},
		{"no provider", `{"type":"universal.create","request":{"eventId":"a","query":{}}}`, 2019, "a", "[0].provider"},
		{"an unknown provider", `{"type":"universal.create","request":{"eventId":"a","provider":"nobody","query":{}}}`, 2008, "a", "[0].provider"},
		{"no steps", `{"type":"universal.create","request":[]}`, 2019, "", "body"},
		{"the second step", `{"type":"universal.create","request":[` + chatStep("s", `{}`) + `,{}]}`, 2019, "s", "[1].provider"},
	} {
		say(t, c, websocket.MessageText, []byte(m.text))
		got := hearFrame(t, c)
		n++
		event := m.event
		if event == "" && got.Metadata.LogID != nil {
			event = *got.Metadata.LogID
		}
		if got.Type != "universal.error" || len(got.Error) != 1 || got.Error[0].Code != m.code || got.Error[0].Field != m.field || got.Error[0].Message == "" ||
			got.Error[0].Description == "" || got.Metadata.EventID != event || got.Metadata.LogID == nil || got.Metadata.Status != 400 {
			t.Errorf("%s: %s", m.name, got.text)
		}
	}
	say(t, c, websocket.MessageText, create(chatStep("after", `{}`)))
	if got := hearFrame(t, c); got.Type != "universal.created" {
		t.Errorf("after all that: %s", got.text)
	}
	for _, row := range g.WaitRows(n + 1)[:n] {
		if e := row.Entry; e.Ending != sluice.EndingRefused || e.Status != 400 || e.Type != "websocket" {
			t.Errorf("row %+v", e)
		}
	}
	unused(t, g)
}

// TestUniversalSocketEventIDs: one that cannot be used is noted, and the answer carries the entry's.
func TestUniversalSocketEventIDs(t *testing.T) {
	g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }, nil)
	c := dialUniversal(t, g, nil)
	for i, id := range []string{`5`, `""`, `"a\nb"`, `"` + strings.Repeat("x", 257) + `"`, `null`} {
		say(t, c, websocket.MessageText, create(`{"eventId":`+id+`,"provider":"openai","endpoint":"x","query":{}}`))
		got := hearFrame(t, c)
		if got.Metadata.LogID == nil || got.Metadata.EventID != *got.Metadata.LogID {
			t.Errorf("%s: %s", id, got.text)
		}
		rows := g.WaitRows(i + 1)
		if e := rows[i].Entry; e.EventID != *got.Metadata.LogID || !slices.Contains(e.Notes, "invalid eventId: ignored") {
			t.Errorf("%s: %q %q", id, e.EventID, e.Notes)
		}
	}
	say(t, c, websocket.MessageText, create(`{"provider":"openai","endpoint":"x","headers":{"cf-aig-event-id":"of-the-step","cf-aig-collect-log":"false"},"query":{}}`))
	if got := hearFrame(t, c); got.Metadata.EventID != "of-the-step" || got.Metadata.LogID != nil {
		t.Errorf("%s", got.text)
	}
}

// TestUniversalSocketCut: a stream that breaks off never ends with universal.done.
func TestUniversalSocketCut(t *testing.T) {
	for name, body := range map[string]string{"a stream": "data: {\"a\":1}\n\ndata: {\"b\"", "one answer": `{"a":1`} {
		t.Run(name, func(t *testing.T) {
			kind := "application/json"
			if strings.HasPrefix(body, "data") {
				kind = "text/event-stream"
			}
			g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", kind)
				w.Header().Set("Content-Length", "1000")
				_, _ = io.WriteString(w, body)
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}, nil)
			c := dialUniversal(t, g, nil)
			say(t, c, websocket.MessageText, create(chatStep("e", `{}`)))
			var types []string
			var last wsFrame
			for last.Type != "universal.error" {
				last = hearFrame(t, c)
				types = append(types, last.Type)
			}
			want := []string{"universal.created", "universal.stream", "universal.error"}
			if kind == "application/json" {
				want = want[2:]
			}
			if !slices.Equal(types, want) || last.Error[0].Code != 2005 || last.Metadata.EventID != "e" || last.Metadata.LogID == nil {
				t.Errorf("%q, %s", types, last.text)
			}
			if row := g.Row(); row.Ending != sluice.EndingCut || row.Success {
				t.Errorf("row %+v", row)
			}
			say(t, c, websocket.MessageText, []byte("still there?"))
			if got := hearFrame(t, c); got.Type != "universal.error" {
				t.Errorf("%s", got.text)
			}
			unused(t, g)
		})
	}
}

// TestUniversalSocketUnreachable: no answer of a provider is an error of the gateway's.
func TestUniversalSocketUnreachable(t *testing.T) {
	g := proxytest.New(t, func(http.ResponseWriter, *http.Request) {}, nil)
	g.Upstream.Close()
	c := dialUniversal(t, g, nil)
	say(t, c, websocket.MessageText, create(chatStep("e", `{}`)))
	if got := hearFrame(t, c); got.Type != "universal.error" || got.Error[0].Code != 2005 || got.Error[0].Message != "Failed to get response from provider" {
		t.Errorf("%s", got.text)
	}
}

// TestUniversalSocketInterleaves: requests run at the same time, up to websocket.streams of them.
func TestUniversalSocketInterleaves(t *testing.T) {
	const streams = 20
	open := make(chan string, streams+1)
	step := make(chan struct{})
	goOn := sync.OnceFunc(func() { close(step) })
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			_, _ = fmt.Fprintf(w, "data: {\"of\":%s,\"n\":%d}\n\n", asked, i)
			_ = http.NewResponseController(w).Flush()
			if i == 0 {
				open <- string(asked)
				<-step
			}
		}
	}, func(c *config.Config) { c.WebSocket.Streams = streams })
	t.Cleanup(goOn) // or the provider's end waits for them
	c := dialUniversal(t, g, nil)
	for i := range streams {
		say(t, c, websocket.MessageText, create(chatStep(fmt.Sprintf("e%d", i), fmt.Sprintf(`{"id":"e%d"}`, i))))
	}
	for range streams {
		<-open
	}
	say(t, c, websocket.MessageText, create(chatStep("more", `{}`)))
	got, done, refused := map[string][]string{}, 0, false
	for done < streams {
		f := hearFrame(t, c)
		switch f.Type {
		case "universal.error":
			if refused || f.Error[0].Code != 2003 || f.Metadata.EventID != "more" || f.Metadata.Status != 429 {
				t.Fatalf("%s", f.text)
			}
			refused = true
			goOn()
		case "universal.stream":
			got[f.Metadata.EventID] = append(got[f.Metadata.EventID], string(f.Response))
		case "universal.done":
			done++
		}
	}
	if !refused {
		t.Error("one too many was let through")
	}
	for i := range streams {
		id := fmt.Sprintf("e%d", i)
		want := fmt.Sprintf(`[{"of":{"id":"%[1]s"},"n":0} {"of":{"id":"%[1]s"},"n":1} {"of":{"id":"%[1]s"},"n":2}]`, id)
		if fmt.Sprint(got[id]) != want {
			t.Errorf("%s got %s", id, got[id])
		}
	}
	g.WaitRows(streams + 1)
	unused(t, g)
}

// hanging is a provider that begins an answer and waits until its caller leaves.
func hanging(began chan<- struct{}, left chan<- struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {}\n\n")
		_ = http.NewResponseController(w).Flush()
		began <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}
}

// TestUniversalSocketTheClientLeaves: its requests are cancelled, with a Close frame or without.
func TestUniversalSocketTheClientLeaves(t *testing.T) {
	for name, leave := range map[string]func(c *websocket.Conn){
		"with a Close frame": func(c *websocket.Conn) {
			if err := c.Close(4002, "bye"); err != nil {
				t.Errorf("close: %v", err)
			}
		},
		"without": func(c *websocket.Conn) { _ = c.CloseNow() },
	} {
		t.Run(name, func(t *testing.T) {
			proxytest.Each(t, func(t *testing.T, f proxytest.Front) {
				began, left := make(chan struct{}, 3), make(chan struct{}, 3)
				g := f.New(t, hanging(began, left), nil)
				c := dialUniversal(t, g, nil)
				for range 3 {
					say(t, c, websocket.MessageText, create(chatStep("e", `{}`)))
				}
				for range 3 {
					<-began
				}
				leave(c)
				for range 3 {
					<-left
				}
				for _, row := range g.WaitRows(3) {
					if row.Entry.Ending != sluice.EndingClientGone || row.Entry.Success {
						t.Errorf("row %+v", row.Entry)
					}
				}
				unused(t, g)
			})
		})
	}
}

func TestUniversalSocketShutdown(t *testing.T) {
	proxytest.Each(t, func(t *testing.T, f proxytest.Front) {
		began, left := make(chan struct{}, 1), make(chan struct{}, 1)
		g := f.New(t, hanging(began, left), nil)
		c := dialUniversal(t, g, nil)
		say(t, c, websocket.MessageText, create(chatStep("e", `{}`)))
		<-began
		g.Abort()
		var last wsFrame
		for last.Type != "universal.error" {
			last = hearFrame(t, c)
		}
		if last.Error[0].Message != "the gateway stops" {
			t.Errorf("%s", last.text)
		}
		if code := closed(t, c); code != wsframe.CodeRestart {
			t.Errorf("the client is told %d", code)
		}
		<-left
		if row := g.Row(); row.Ending != sluice.EndingShutdown {
			t.Errorf("row %+v", row)
		}
	})
}

// TestUniversalSocketSlowClient: one that takes no bytes is given up, and with it all that it has asked for.
func TestUniversalSocketSlowClient(t *testing.T) {
	began, left := make(chan struct{}, 1), make(chan struct{}, 1)
	wait := hanging(began, left)
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/wait" {
			wait(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		event := []byte(`data: "` + strings.Repeat("x", 100_000) + "\"\n\n")
		for {
			if _, err := w.Write(event); err != nil {
				return
			}
		}
	}, func(c *config.Config) { c.Timeouts.ClientWrite = 200 * time.Millisecond })
	c := dialUniversal(t, g, nil)
	say(t, c, websocket.MessageText, create(`{"provider":"openai","endpoint":"wait","query":{}}`))
	<-began
	say(t, c, websocket.MessageText, create(chatStep("much", `{}`)))
	for _, row := range g.WaitRows(2) {
		if row.Entry.Ending != sluice.EndingClientSlow || row.Entry.Response.Size > 64<<20 {
			t.Errorf("row %+v", row.Entry)
		}
	}
	<-left
	unused(t, g)
}

func TestUniversalSocketSizes(t *testing.T) {
	const most = 4096
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		kind, n := "application/json", most+1
		switch r.URL.Path {
		case "/v1/events":
			kind = "text/event-stream"
		case "/v1/fits":
			n = most
		}
		w.Header().Set("Content-Type", kind)
		if kind == "text/event-stream" {
			_, _ = io.WriteString(w, "data: ")
		}
		_, _ = io.WriteString(w, `"`+strings.Repeat("x", n-2)+`"`)
	}, func(c *config.Config) { c.WebSocket.MessageBytes = most })
	c := dialUniversal(t, g, nil)
	for i, endpoint := range []string{"fits", "one", "events"} {
		say(t, c, websocket.MessageText, create(`{"provider":"openai","endpoint":"`+endpoint+`","query":{}}`))
		got := hearFrame(t, c)
		if endpoint == "events" {
			got = hearFrame(t, c)
		}
		row := g.WaitRows(i + 1)[i].Entry
		switch {
		case endpoint == "fits" && (len(got.Response) != most || !row.Success):
			t.Errorf("%.200s, %+v", got.text, row)
		case endpoint != "fits" && (got.Type != "universal.error" || row.Ending != sluice.EndingRefused || row.ErrorKind != "answer_too_large"):
			t.Errorf("%.200s, %+v", got.text, row)
		}
	}
	say(t, c, websocket.MessageText, create(`{"provider":"openai","endpoint":"fits","query":{"x":"`+strings.Repeat("x", most)+`"}}`))
	if got := hearFrame(t, c); got.Type != "universal.error" || got.Metadata.Status != 413 || got.Error[0].Code != 2019 {
		t.Errorf("%s", got.text)
	}
	if code := closed(t, c); code != wsframe.CodeTooBig {
		t.Errorf("the client is told %d", code)
	}
	if row := g.WaitRows(4)[3].Entry; row.ErrorKind != "body_too_large" || row.Ending != sluice.EndingRefused {
		t.Errorf("row %+v", row)
	}
	unused(t, g)
}

// TestUniversalSocketNoMemory: a message for which there is no room is refused, and the next one is not.
func TestUniversalSocketNoMemory(t *testing.T) {
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/large" {
			_, _ = w.Write(make([]byte, 900_000))
		}
	}, func(c *config.Config) { c.Limits.MemoryBytes = 1 << 20 })
	c := dialUniversal(t, g, nil)
	say(t, c, websocket.MessageText, create(`{"eventId":"e","provider":"openai","endpoint":"x","query":"`+strings.Repeat("x", 2<<20)+`"}`))
	if got := hearFrame(t, c); got.Type != "universal.error" || got.Metadata.Status != 503 {
		t.Errorf("%.200s", got.text)
	}
	say(t, c, websocket.MessageText, create(`{"provider":"openai","endpoint":"large","query":{}}`))
	if got := hearFrame(t, c); got.Type != "universal.error" || got.Metadata.Status != 503 {
		t.Errorf("%.200s", got.text)
	}
	say(t, c, websocket.MessageText, create(`{"provider":"openai","endpoint":"x","query":{}}`))
	if got := hearFrame(t, c); got.Type != "universal.created" {
		t.Errorf("%.200s", got.text)
	}
	unused(t, g)
}

// TestUniversalSocketSettings: each message is served by the settings of its moment.
func TestUniversalSocketSettings(t *testing.T) {
	calls := make(chan struct{}, 100)
	g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) {
		calls <- struct{}{}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	}, nil)
	c := dialUniversal(t, g, nil)
	ask := func() (first, last wsFrame) {
		say(t, c, websocket.MessageText, create(chatStep("e", `{"stream":true}`)))
		first = hearFrame(t, c)
		for last = first; last.Type != "universal.done" && last.Type != "universal.error"; last = hearFrame(t, c) {
		}
		return first, last
	}
	status := func(f wsFrame) string {
		if f.Metadata.CacheStatus == nil {
			return "null"
		}
		return *f.Metadata.CacheStatus
	}
	if first, _ := ask(); status(first) != "null" {
		t.Errorf("%s", first.text)
	}
	g.Set(`{"cache_ttl": 600}`)
	if first, _ := ask(); status(first) != "MISS" {
		t.Errorf("%s", first.text)
	}
	g.WaitRows(2) // the answer is kept when its exchange is settled
	if first, last := ask(); status(first) != "HIT" || status(last) != "HIT" || len(calls) != 2 {
		t.Errorf("%s, %d calls", first.text, len(calls))
	}
	g.Set(`{"rate_limiting_interval": 3600, "rate_limiting_limit": 1, "rate_limiting_technique": "fixed"}`)
	ask()
	if first, _ := ask(); first.Type != "universal.error" || first.Error[0].Code != 2003 || first.Metadata.Status != 429 {
		t.Errorf("%s", first.text)
	}
	g.Set(`{"authentication": true}`)
	if first, _ := ask(); first.Type != "universal.error" || first.Error[0].Code != 2009 {
		t.Errorf("%s", first.text)
	}
	if code := closed(t, c); code != wsframe.CodePolicy {
		t.Errorf("the client is told %d", code)
	}
}

// TestUniversalSocketTokens: a token is a header or a subprotocol, and is asked for again with each message.
func TestUniversalSocketTokens(t *testing.T) {
	began, left := make(chan struct{}, 2), make(chan struct{}, 2)
	g := proxytest.New(t, hanging(began, left), nil)
	g.Set(`{"authentication": true}`)
	token, value, err := g.Tokens.Create(t.Context(), auth.New{Name: "app", Account: "default", Permissions: auth.Run}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, resp, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default", nil)
	if err == nil || resp == nil || resp.StatusCode != 401 {
		t.Fatalf("without a token: %v, %v", resp, err)
	}
	if row := g.Row(); row.Status != 401 || row.Ending != sluice.EndingRefused {
		t.Errorf("row %+v", row)
	}
	conns := []*websocket.Conn{
		dialUniversal(t, g, &websocket.DialOptions{HTTPHeader: http.Header{"Cf-Aig-Authorization": {"Bearer " + value.Reveal()}}}),
		dialUniversal(t, g, &websocket.DialOptions{Subprotocols: []string{"chat", "cf-aig-authorization." + value.Reveal()}}),
	}
	if got := conns[1].Subprotocol(); got != "chat" {
		t.Errorf("the subprotocol is %q", got)
	}
	for _, c := range conns {
		say(t, c, websocket.MessageText, create(chatStep("one", `{}`)))
		<-began
	}
	if _, err := g.Tokens.Revoke(t.Context(), "default", token.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, c := range conns {
		say(t, c, websocket.MessageText, create(chatStep("two", `{}`)))
		for {
			f := hearFrame(t, c)
			if f.Metadata.EventID == "one" && f.Type != "universal.error" {
				continue
			}
			if f.Type != "universal.error" || f.Metadata.EventID != "two" || f.Error[0].Code != 2009 || f.Error[0].Message != "Unauthorized" {
				t.Errorf("%s", f.text)
			}
			break
		}
		if code := closed(t, c); code != wsframe.CodePolicy {
			t.Errorf("the client is told %d", code)
		}
		<-left
	}
	for _, row := range g.WaitRows(5)[1:] {
		e := row.Entry
		if e.Ending != sluice.EndingRefused || strings.Contains(fmt.Sprint(e.ReqHeader), value.Reveal()) || e.EventID == "one" && e.Key != "app" {
			t.Errorf("row %+v", e)
		}
	}
}

// TestUniversalSocketHandshakes that are refused are ordinary answers, and logged.
func TestUniversalSocketHandshakes(t *testing.T) {
	const good = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for name, h := range map[string]struct {
		version, fields string
		status          int
	}{
		"good":            {"1.1", good, 101},
		"HTTP/1.0":        {"1.0", good, 400},
		"with a body":     {"1.1", good + "Content-Length: 2\r\n", 400},
		"another version": {"1.1", strings.Replace(good, "13", "8", 1), 400},
		"no key":          {"1.1", strings.Replace(good, "Key", "Nokey", 1), 400},
		"a short key":     {"1.1", strings.Replace(good, "dGhl", "", 1), 400},
		"no upgrade":      {"1.1", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			proxytest.Each(t, func(t *testing.T, f proxytest.Front) {
				g := f.New(t, func(http.ResponseWriter, *http.Request) { t.Error("the provider was called") }, nil)
				c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c, "GET /v1/default/default/ HTTP/"+h.version+"\r\nHost: x\r\n"+h.fields+"\r\n")
				if strings.Contains(h.fields, "Content-Length") {
					_, _ = io.WriteString(c, "{}")
				}
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || resp.StatusCode != h.status {
					t.Fatal(resp, err)
				}
				if h.status == 101 {
					if got := resp.Header.Get("Sec-Websocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || resp.Header.Get("Sec-Websocket-Protocol") != "" {
						t.Errorf("answered with %v", resp.Header)
					}
					_ = c.Close()
					g.Close()
					g.WaitRows(0)
				} else if row := g.Row(); row.Status != 400 || row.Ending != sluice.EndingRefused {
					t.Errorf("row %+v", row)
				}
			})
		})
	}
}

// rawUniversal opens a WebSocket by hand, for frames that no library sends.
func rawUniversal(t *testing.T, g *proxytest.Gateway) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(g.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(c, "GET /v1/default/default?x=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	r := bufio.NewReader(c)
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	return c, r
}

// TestUniversalSocketInAnyCuts: fragments with a ping between them, byte by byte.
func TestUniversalSocketInAnyCuts(t *testing.T) {
	g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"got":"it"}`) }, nil)
	c, r := rawUniversal(t, g)
	mask := &[4]byte{1, 2, 3, 4}
	message := create(chatStep("e", `{}`))
	first := wsframe.Append(nil, wsframe.Text, message[:50], mask)
	first[0] &^= 0x80
	for _, b := range bytes.Join([][]byte{first, wsframe.Append(nil, wsframe.Ping, []byte("ping"), mask), wsframe.Append(nil, wsframe.Continuation, message[50:], mask)}, nil) {
		_, _ = c.Write([]byte{b})
	}
	pong := wsframe.Append(nil, wsframe.Pong, []byte("ping"), nil)
	got := make([]byte, len(pong))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, pong) {
		t.Errorf("%q, %v", got, err)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil || head[0] != 0x81 || head[1] != 126 {
		t.Fatalf("%q, %v", head, err)
	}
	text := make([]byte, int(head[2])<<8|int(head[3]))
	if _, err := io.ReadFull(r, text); err != nil || !bytes.HasSuffix(text, []byte(`"response":{"got":"it"}}`)) {
		t.Errorf("%q, %v", text, err)
	}
}

// TestUniversalSocketEnds: what breaks the protocol, or says goodbye, is answered with a Close frame.
func TestUniversalSocketEnds(t *testing.T) {
	mask := &[4]byte{1, 2, 3, 4}
	message := create(chatStep("e", `{}`))
	half := wsframe.Append(nil, wsframe.Text, message, mask)
	half[0] &^= 0x80
	for name, e := range map[string]struct {
		sent []byte
		code int
	}{
		"goodbye":                             {wsframe.AppendClose(nil, 4123, "bye", mask), 4123},
		"goodbye without a code":              {wsframe.AppendClose(nil, wsframe.CodeNone, "", mask), wsframe.CodeNone},
		"goodbye that says what no frame may": {wsframe.AppendClose(nil, wsframe.CodeAbnormal, "", mask), wsframe.CodeProtocol},
		"goodbye within a message":            {append(half, wsframe.AppendClose(nil, 1000, "", mask)...), 1000},
		"nothing behind goodbye counts":       {append(wsframe.AppendClose(nil, 1000, "", mask), wsframe.Append(nil, wsframe.Text, message, mask)...), 1000},
		"no mask":                             {wsframe.Append(nil, wsframe.Text, message, nil), wsframe.CodeProtocol},
		"text that is not UTF-8":              {wsframe.Append(nil, wsframe.Text, []byte("\"\xff\""), mask), wsframe.CodeBadData},
	} {
		t.Run(name, func(t *testing.T) {
			g := proxytest.New(t, func(http.ResponseWriter, *http.Request) { t.Error("the provider was called") }, nil)
			c, r := rawUniversal(t, g)
			_, _ = c.Write(e.sent)
			got, err := io.ReadAll(r)
			var codes []int
			if _, broken := (&wsframe.Watcher{}).Write(got, closes{&codes}); err != nil || broken != nil || len(codes) != 1 || codes[0] != e.code {
				t.Errorf("the client is told %v: %q, %v", codes, got, err)
			}
			_ = c.Close() // or the server waits for that
			g.Close()
			g.WaitRows(0)
			unused(t, g)
		})
	}
}

// TestUniversalSocketNothingBehindGoodbye: whoever has said goodbye is told no more of what it had asked for.
func TestUniversalSocketNothingBehindGoodbye(t *testing.T) {
	began, left := make(chan struct{}, 1), make(chan struct{}, 1)
	g := proxytest.New(t, hanging(began, left), nil)
	c, r := rawUniversal(t, g)
	mask := &[4]byte{1, 2, 3, 4}
	_, _ = c.Write(wsframe.Append(nil, wsframe.Text, create(chatStep("e", `{}`)), mask))
	<-began
	_, _ = c.Write(wsframe.AppendClose(nil, 1000, "", mask))
	<-left
	got, err := io.ReadAll(r)
	if err != nil || bytes.Contains(got, []byte("universal.error")) || !bytes.HasSuffix(got, wsframe.AppendClose(nil, 1000, "", nil)) {
		t.Errorf("%q, %v", got, err)
	}
}

// closes gathers the codes of Close frames.
type closes struct{ codes *[]int }

func (closes) Frame(wsframe.Frame) error    { return nil }
func (closes) Data([]byte)                  {}
func (closes) End(bool)                     {}
func (c closes) Closing(code int, _ []byte) { *c.codes = append(*c.codes, code) }

// TestUniversalSocketIdle: a connection on which nothing happens ends, but not while a request runs.
func TestUniversalSocketIdle(t *testing.T) {
	hold := make(chan struct{})
	g := proxytest.New(t, func(w http.ResponseWriter, _ *http.Request) {
		<-hold
		_, _ = io.WriteString(w, `{}`)
	}, func(c *config.Config) { c.Timeouts.Idle = 100 * time.Millisecond })
	quiet, busy := dialUniversal(t, g, nil), dialUniversal(t, g, nil)
	say(t, busy, websocket.MessageText, create(chatStep("e", `{}`)))
	if code := closed(t, quiet); code != wsframe.CodeGoingAway {
		t.Errorf("the client is told %d", code)
	}
	close(hold)
	if got := hearFrame(t, busy); got.Type != "universal.created" {
		t.Errorf("%s", got.text)
	}
	if code := closed(t, busy); code != wsframe.CodeGoingAway {
		t.Errorf("the client is told %d", code)
	}
}

// TestUniversalSocketManyAtOnce: many connections with many requests each, under the race detector.
func TestUniversalSocketManyAtOnce(t *testing.T) {
	g := proxytest.New(t, func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(asked)
	}, nil)
	const conns, each = 8, 40
	var all sync.WaitGroup
	for n := range conns {
		c := dialUniversal(t, g, nil)
		all.Go(func() {
			for i := range each {
				if err := c.Write(t.Context(), websocket.MessageText, create(chatStep(fmt.Sprint(i), fmt.Sprintf(`{"n":"%d/%d"}`, n, i)))); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
		all.Go(func() {
			for range each {
				_, text, err := c.Read(t.Context())
				var f wsFrame
				if err != nil || json.Unmarshal(text, &f) != nil || string(f.Response) != fmt.Sprintf(`{"n":"%d/%s"}`, n, f.Metadata.EventID) {
					t.Errorf("connection %d: %s, %v", n, text, err)
					return
				}
			}
		})
	}
	all.Wait()
	g.WaitRows(conns * each)
	unused(t, g)
}

// BenchmarkUniversalSocket is a chat of 1 KB, one after another: posted, and over a WebSocket.
func BenchmarkUniversalSocket(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, socketAnswer)
	}))
	b.Cleanup(up.Close)
	g := proxytest.Start(b, up.URL, nil)
	request := chatStep("e", `{"model":"gpt-4o-mini","x":"`+strings.Repeat("x", 1000)+`"}`)
	b.Run("post", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if resp, _, err := g.Do("POST", "", nil, strings.NewReader(request)); err != nil || resp.StatusCode != 200 {
				b.Fatal(resp, err)
			}
		}
	})
	b.Run("socket", func(b *testing.B) {
		c, _, err := websocket.Dial(b.Context(), "ws"+strings.TrimPrefix(g.URL, "http")+"/v1/default/default", nil)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.CloseNow() }()
		message := create(request)
		b.ReportAllocs()
		for b.Loop() {
			if err := c.Write(b.Context(), websocket.MessageText, message); err != nil {
				b.Fatal(err)
			}
			if _, text, err := c.Read(b.Context()); err != nil || !bytes.Contains(text, []byte(`"status":200`)) {
				b.Fatalf("%s, %v", text, err)
			}
		}
	})
}
