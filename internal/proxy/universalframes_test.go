package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	sluice "github.com/sluicehq/sluice"
	"github.com/sluicehq/sluice/internal/front"
	"github.com/sluicehq/sluice/internal/upstream"
	"github.com/sluicehq/sluice/internal/wire/wsframe"
)

// FuzzMessage: a message is taken only if it is JSON of the right shape, and what is taken of it is what any
// reader of JSON finds.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"universal.create","request":{"eventId":"a","provider":"openai","query":{}}}`,
		`{"type":"universal.create","eventId":"b","request":[{},{"eventId":"c"}]}`,
		`{"type":"universal.create","request":{"eventId":5}}`, `{"type":"universal.create","request":[1,"x",{"eventId":"d"}]}`,
		`{"type":"universal.create","type":"x","request":{}}`, `{"Type":"universal.create","request":{}}`, `{}`, ``, `[]`, `{"request":{"eventId":"e"`,
		`{"type":"universal.create","request":{"eventId":"\u0000\ud800"}}`, "{\"type\":\"universal.create\",\"request\":{\"eventId\":\"\xff\"}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		request, id, noted, err := readMessage(text)
		if len(id) > maxEventID || !validValue(id) || !utf8.ValidString(id) || id != "" && noted != "" {
			t.Fatalf("event id %q, %q", id, noted)
		}
		own, isOwn := errors.AsType[*sluice.Error](err)
		if err != nil {
			if !isOwn || own.Msg == "" || request != nil {
				t.Fatalf("%v, %q", err, request)
			}
			return
		}
		var all map[string]json.RawMessage
		if json.Unmarshal(text, &all) != nil || !bytes.Equal(all["request"], request) || string(all["type"]) == "" {
			t.Fatalf("%q: request %q", text, request)
		}
		var kind string
		if json.Unmarshal(all["type"], &kind) != nil || kind != "universal.create" || request[0] != '{' && request[0] != '[' {
			t.Fatalf("%q: type %q, request %q", text, kind, request)
		}
		var one map[string]json.RawMessage
		if json.Unmarshal(request, &one) == nil && one["eventId"] != nil && id != "" {
			if got, _ := json.Marshal(id); json.Unmarshal(one["eventId"], &kind) == nil && kind != id {
				t.Fatalf("%q: event id %s", text, got)
			}
		}
	})
}

// socketProxy is as much of a Proxy as connections need that serve no request.
func socketProxy(memory int64) *Proxy {
	p := &Proxy{logger: slog.New(slog.DiscardHandler)}
	p.bodies.memory = NewMemory(memory)
	p.settings.Store(&Settings{message: 4096, streams: 3, bodyPause: 10 * time.Second, timeouts: upstream.Timeouts{Idle: time.Minute}})
	return p
}

// deaf is a connection that takes everything.
type deaf struct {
	net.Conn
	got bytes.Buffer
}

func (d *deaf) Write(p []byte) (int, error)        { return d.got.Write(p) }
func (d *deaf) SetReadDeadline(t time.Time) error  { return nil }
func (d *deaf) SetWriteDeadline(t time.Time) error { return nil }

// heard feeds in to a listener in cuts of n bytes, and returns what it made of that.
func heard(t *testing.T, in []byte, n int) string {
	p := socketProxy(64 << 10)
	conn := &deaf{}
	var b strings.Builder
	l := &listener{s: &session{p: p, conn: conn}}
	l.begin = func(m *message) {
		fmt.Fprintf(&b, "%q %q %q %v\n", m.request, m.eventID, m.noted, m.fault)
		m.free()
	}
	w := wsframe.Watcher{Masked: true}
	for rest := in; len(rest) > 0; rest = rest[min(n, len(rest)):] {
		_, refused := w.Write(rest[:min(n, len(rest))], l)
		if end, over := l.over(refused); over {
			fmt.Fprintf(&b, "%d %s\n", end.code, end.reason)
			break
		}
		if used := p.bodies.memory.Used(); used > 8<<10 { // twice the largest message
			t.Fatalf("%d bytes are held", used)
		}
	}
	l.text.free()
	if used := p.bodies.memory.Used(); used != 0 {
		t.Fatalf("%d bytes are not given back", used)
	}
	return b.String() + conn.got.String()
}

// FuzzListener: whatever a client sends, the cuts do not matter, memory is bounded, and all of it comes back.
func FuzzListener(f *testing.F) {
	mask := &[4]byte{1, 2, 3, 4}
	whole := wsframe.Append(nil, wsframe.Text, []byte(`{"type":"universal.create","request":{"eventId":"a"}}`), mask)
	part := wsframe.Append(nil, wsframe.Text, []byte(`{"type":`), mask)
	part[0] &^= 0x80
	rest := wsframe.Append(nil, wsframe.Continuation, []byte(`"x"}`), mask)
	var parts []byte // each small, and together too large
	for range 12 {
		parts = append(parts, wsframe.Append(nil, wsframe.Continuation, make([]byte, 4000), mask)...)
		parts[len(parts)-4008] &^= 0x80
	}
	for _, seed := range [][]byte{
		slices.Concat(part, parts), whole, slices.Concat(whole, whole), slices.Concat(part, wsframe.Append(nil, wsframe.Ping, []byte("p"), mask), rest),
		wsframe.Append(nil, wsframe.Text, make([]byte, 5000), mask), slices.Concat(part, wsframe.AppendClose(nil, 1000, "bye", mask), rest),
		wsframe.Append(nil, wsframe.Text, []byte("\xff"), mask), wsframe.Append(nil, wsframe.Binary, []byte("\xff"), mask),
		{0x81, 0xff, 0x7f, 0xff},
	} {
		f.Add(seed, uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, n uint8) {
		if got, want := heard(t, in, int(n)+1), heard(t, in, 1); got != want {
			t.Errorf("in pieces %q, byte by byte %q", got, want)
		}
	})
}

// framesOf puts an answer of the stream in into frames, in cuts of n bytes, and returns their texts.
func framesOf(t *testing.T, contentType string, in []byte, n int) (texts []string, failed error) {
	p := socketProxy(64 << 10)
	conn := &deaf{}
	m := newMessage(&session{p: p, conn: conn}, gathered{})
	m.x = &exchange{}
	m.x.settings = p.settings.Load()
	m.Head(200, sluice.Header{{Name: "Content-Type", Value: contentType}, {Name: "cf-aig-event-id", Value: "e"}})
	for rest := in; len(rest) > 0 && failed == nil; rest = rest[min(n, len(rest)):] {
		_, failed = m.Write(rest[:min(n, len(rest))])
	}
	if failed == nil {
		failed = m.finish()
	} else if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	m.free()
	if used := p.bodies.memory.Used(); used != 0 {
		t.Fatalf("%d bytes are not given back", used)
	}
	if _, err := (&wsframe.Watcher{}).Write(conn.got.Bytes(), &reader{&texts, nil}); err != nil {
		t.Fatalf("%v: %q", err, conn.got.Bytes())
	}
	return texts, failed
}

// reader gathers the texts of frames.
type reader struct {
	texts *[]string
	text  []byte
}

func (*reader) Frame(wsframe.Frame) error { return nil }
func (r *reader) Data(p []byte)           { r.text = append(r.text, p...) }
func (r *reader) End(bool)                { *r.texts, r.text = append(*r.texts, string(r.text)), nil }
func (*reader) Closing(int, []byte)       {}

// FuzzFrames: an answer in any cuts makes the same frames, each JSON, and memory is bounded and comes back.
func FuzzFrames(f *testing.F) {
	for i, seed := range []string{
		"data: {\"a\":1}\n\ndata: [DONE]\n\n", "event: x\r\ndata: a\r\ndata: b\r\n\r\n:\n\n", "data: \xff\n\ndata:  \n\n", "data: 1", "data: " + strings.Repeat("x", 5000),
		"{\"a\":1}\n\n2", "{\"a\":", `{"a":"é"}`, "\xff", "", "\"\xff\"",
	} {
		f.Add([]byte(seed), uint8(i), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, kind, n uint8) {
		contentType := [...]string{"text/event-stream", "application/x-ndjson", "application/json"}[kind%3]
		got, err := framesOf(t, contentType, in, int(n)+1)
		want, wrong := framesOf(t, contentType, in, 1)
		if !errors.Is(err, wrong) && !errors.Is(wrong, err) || err == nil && !slices.Equal(got, want) {
			t.Fatalf("in pieces %q, %v; byte by byte %q, %v", got, err, want, wrong)
		}
		for _, text := range got {
			if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
				t.Fatalf("frame %q", text)
			}
		}
	})
}

// socket is a session over a pipe, in a bubble: the client's end, and whether the client was told the end.
func socket(t *testing.T) (client net.Conn, told chan bool, p *Proxy) {
	t.Helper()
	p = socketProxy(1 << 20)
	client, ours := net.Pipe()
	s := &session{p: p, conn: ours, request: messageRequest(&front.Request{}), start: time.Now()}
	told = make(chan bool, 1)
	go func() {
		defer func() { _ = ours.Close() }()
		told <- s.run(t.Context())
	}()
	return client, told, p
}

// TestSessionQuiet: pings keep a connection; within a message a pause may be as long as within a body.
func TestSessionQuiet(t *testing.T) {
	mask := &[4]byte{1, 2, 3, 4}
	part := wsframe.Append(nil, wsframe.Text, []byte(`{"type":`), mask)
	for name, c := range map[string]struct {
		last []byte // what the client sends last
		want time.Duration
	}{
		"between messages": {wsframe.Append(nil, wsframe.Pong, nil, mask), time.Minute},
		"within one":       {part[:10], 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, told, p := socket(t)
				for range 5 {
					time.Sleep(50 * time.Second)
					_, _ = client.Write(wsframe.Append(nil, wsframe.Ping, []byte("p"), mask))
					read(t, client, wsframe.Append(nil, wsframe.Pong, []byte("p"), nil))
				}
				_, _ = client.Write(c.last)
				began := time.Now()
				read(t, client, wsframe.AppendClose(nil, wsframe.CodeGoingAway, "nothing within "+c.want.String(), nil))
				if d := time.Since(began); d != c.want {
					t.Errorf("it ended after %v", d)
				}
				if !<-told || p.bodies.memory.Used() != 0 {
					t.Errorf("%d bytes are held", p.bodies.memory.Used())
				}
			})
		})
	}
}

// TestSessionNeverReads: a client that takes not even the Close frame is not waited for.
func TestSessionNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, told, _ := socket(t)
		began := time.Now()
		_, _ = client.Write(wsframe.AppendClose(nil, 1000, "", &[4]byte{}))
		if <-told || time.Since(began) != farewell {
			t.Errorf("it ended after %v", time.Since(began))
		}
	})
}

// TestSessionSurvivesItsFrames: a fault in what makes the frames ends the connection and no more.
func TestSessionSurvivesItsFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, told, p := socket(t) // its proxy has no stages: an exchange ends without an answer
		p.run = []stage{func(context.Context, *exchange) error { return errAnswered }}
		_, _ = client.Write(wsframe.Append(nil, wsframe.Text, []byte(`{"type":"universal.create","request":{"eventId":"e"}}`), &[4]byte{}))
		var texts []string
		_ = client.SetReadDeadline(time.Now().Add(time.Second))
		got, _ := io.ReadAll(client)
		if _, err := (&wsframe.Watcher{}).Write(got, &reader{&texts, nil}); err != nil || len(texts) != 1 || !strings.Contains(texts[0], `"code":2002`) {
			t.Errorf("%q, %v", texts, err)
		}
		p.run = []stage{func(_ context.Context, x *exchange) error { x.message.x = nil; x.sink.Head(200, nil); return nil }}
		_, _ = client.Write(wsframe.Append(nil, wsframe.Text, []byte(`{"type":"universal.create","request":{}}`), &[4]byte{}))
		_ = client.SetReadDeadline(time.Time{})
		_, _ = io.ReadAll(client)
		<-told
		if p.Panics() == 0 {
			t.Error("there was no fault")
		}
	})
}
