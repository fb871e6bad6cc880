package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// The files control_*_test.go test what a gateway does beyond forwarding: which setting holds, steps,
// retries, cache, limits, tokens, and clients that leave. docs/retries.md, docs/cache.md and docs/limits.md
// say the same in words.

// lab is a program whose providers are played by scripted upstreams, one for each slug.
type lab struct {
	*gateway.Gateway
	up      map[string]*upstream.Server
	options gateway.Options
}

// newLab starts a program. gateways is the YAML of account default's gateways; more is any other
// configuration. A slug that is not one of Sluice's own becomes a provider of OpenAI's dialect.
func newLab(t *testing.T, gateways, more string, slugs ...string) *lab {
	t.Helper()
	l := &lab{up: map[string]*upstream.Server{}}
	config := more + "accounts: {default: {gateways: {" + gateways + "}}}\nproviders:\n"
	for _, slug := range slugs {
		up := upstream.New(t, whole)
		l.up[slug] = up
		kind := ", kind: openai"
		if builtin[slug] {
			kind = ""
		}
		config += fmt.Sprintf("  %s: {base_url: \"http://%s/v1\"%s}\n", slug, up.Addr, kind)
	}
	l.options = gateway.Options{Config: config, DataDir: t.TempDir()}
	l.Gateway = gateway.Start(t, l.options)
	return l
}

var builtin = map[string]bool{"openai": true, "anthropic": true, "workers-ai": true, "huggingface": true, "replicate": true}

// again starts the program anew on the same data, after what ended it.
func (l *lab) again(t *testing.T) {
	t.Helper()
	l.Gateway = gateway.Start(t, l.options)
}

// whole answers as a provider does that is well: a stream to who asks for one.
func whole(req *rawhttp.Message, c *upstream.Conn) bool {
	if asksStream(req) {
		return upstream.Stream([]string{"Content-Type: text/event-stream"}, eventHi, eventStop, eventUsage, eventDone)(req, c)
	}
	return upstream.JSON(200, answered)(req, c)
}

// asksStream reports whether the body asks for a stream of events.
func asksStream(req *rawhttp.Message) bool {
	var asked struct{ Stream bool }
	return json.Unmarshal(req.Body, &asked) == nil && asked.Stream
}

// wholeStream is what whole streams.
const wholeStream = eventHi + eventStop + eventUsage + eventDone

// call is a request to the program.
type call struct {
	account string // "" default
	gateway string // "" default
	path    string // after the gateway; "" the universal endpoint
	body    string
	header  []string // names and values in turn
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   string
	err    error // the answer broke off, or there was none
}

// id is that of the log entry.
func (r *reply) id() string { return r.header.Get("cf-aig-log-id") }

// labClient keeps connections for many calls at once and touches nothing.
var labClient = &http.Client{Transport: &http.Transport{
	DisableCompression: true, MaxIdleConnsPerHost: 1024, DialContext: (&net.Dialer{Timeout: gateway.Patience}).DialContext,
}}

// open sends the request and returns when the answer's head is there.
func (l *lab) open(ctx context.Context, c call) (*http.Response, error) {
	url := "http://" + l.Addr + "/v1/" + cmp.Or(c.account, "default") + "/" + cmp.Or(c.gateway, "default")
	if c.path != "" {
		url += "/" + c.path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(c.header); i += 2 {
		req.Header.Add(c.header[i], c.header[i+1])
	}
	return labClient.Do(req)
}

// try sends the request and reads all of the answer, as far as it comes.
func (l *lab) try(ctx context.Context, c call) *reply {
	ctx, stop := context.WithTimeout(ctx, gateway.Patience)
	defer stop()
	resp, err := l.open(ctx, c)
	if err != nil {
		return &reply{err: err, header: http.Header{}}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return &reply{status: resp.StatusCode, header: resp.Header, body: string(b), err: err}
}

// do is try that fails the test when the answer is not whole.
func (l *lab) do(t *testing.T, c call) *reply {
	t.Helper()
	r := l.try(t.Context(), c)
	if r.err != nil {
		t.Fatalf("POST %s: %v", c.path, r.err)
	}
	return r
}

// row waits for the log entry of an answer through gateway id.
func (l *lab) row(t *testing.T, id string, r *reply) *gateway.Row {
	t.Helper()
	return l.On(t).RowOf(cmp.Or(id, "default"), r.id())
}

// causes lists why each attempt of a row did not serve, "" for the one that did.
func causes(r *gateway.Row) string {
	list := make([]string, len(r.Attempts))
	for i, a := range r.Attempts {
		list[i] = cmp.Or(a.Cause, "-")
	}
	return strings.Join(list, " ")
}

// arrivals notes when requests come.
type arrivals struct {
	mu sync.Mutex
	at []time.Time
}

// then is script with the moment of each request noted before it is answered.
func (a *arrivals) then(script upstream.Script) upstream.Script {
	return func(req *rawhttp.Message, c *upstream.Conn) bool {
		a.mu.Lock()
		a.at = append(a.at, time.Now())
		a.mu.Unlock()
		return script(req, c)
	}
}

// gaps are the times between one request and the next.
func (a *arrivals) gaps() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var gaps []time.Duration
	for i := 1; i < len(a.at); i++ {
		gaps = append(gaps, a.at[i].Sub(a.at[i-1]))
	}
	return gaps
}

// failing fails the first n requests with script, and answers those that follow.
func failing(n int, script upstream.Script) upstream.Script { return failingThen(n, script, whole) }

// failingThen is failing with another answer than whole.
func failingThen(n int, script, then upstream.Script) upstream.Script {
	var mu sync.Mutex
	return func(req *rawhttp.Message, c *upstream.Conn) bool {
		mu.Lock()
		n--
		fail := n >= 0
		mu.Unlock()
		if fail {
			return script(req, c)
		}
		return then(req, c)
	}
}

// silent takes the request and says nothing until its peer has gone.
func silent(_ *rawhttp.Message, c *upstream.Conn) bool {
	c.WaitClosed()
	return false
}

// refuse closes the connection without a byte.
func refuse(_ *rawhttp.Message, c *upstream.Conn) bool {
	c.Reset()
	return false
}

// cutShort begins an answer and breaks it off before it has brought anything.
func cutShort(req *rawhttp.Message, c *upstream.Conn) bool {
	if asksStream(req) {
		upstream.Head(c)
		c.Chunk(": ping\n\n")
		return false
	}
	c.Send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answered), answered[:40]))
	return false
}

// stalling begins an answer and says nothing more; of a stream it sends a comment now and then.
func stalling(req *rawhttp.Message, c *upstream.Conn) bool {
	if !asksStream(req) {
		c.Send(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(answered), answered[:40]))
		c.WaitClosed()
		return false
	}
	upstream.Head(c)
	gone := make(chan struct{})
	go func() {
		c.WaitClosed()
		close(gone)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		c.Chunk(": ping\n\n")
		select {
		case <-gone:
			return false
		case <-c.Gone():
			return false
		case <-tick.C:
		}
	}
}

// errorEvent is a 200 whose stream begins with an error.
func errorEvent(req *rawhttp.Message, c *upstream.Conn) bool {
	return upstream.Stream([]string{"Content-Type: text/event-stream"}, eventError)(req, c)
}

// status answers with an error status.
func status(code int, head ...string) upstream.Script {
	return upstream.Answer(code, append([]string{"Content-Type: application/json"}, head...), fmt.Sprintf(`{"error":{"message":"status %d","type":"t","code":null}}`, code))
}

// step is one step of a universal request. more is further members, each with a comma behind it.
func step(provider, endpoint, more, query string) string {
	return fmt.Sprintf(`{"provider":%q,"endpoint":%q,%s"query":%s}`, provider, endpoint, more, query)
}

func steps(list ...string) string { return "[" + strings.Join(list, ",") + "]" }

// settle calls f until it returns no error.
func settle(t *testing.T, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(gateway.Patience)
	err := errors.New("")
	for err != nil {
		if err = f(); err != nil && time.Now().After(deadline) {
			t.Fatalf("there is not %s after %v: %v", what, gateway.Patience, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// unless is settle's error for what is not so yet.
func unless(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("not so")
}

// seeDepartures returns when the program has seen all clients that have left by now: it calls provider canary,
// leaves, and waits until that call is cancelled.
func (l *lab) seeDepartures(t *testing.T) {
	t.Helper()
	arrived, closed := make(chan struct{}), make(chan struct{})
	l.up["canary"].Use(func(req *rawhttp.Message, c *upstream.Conn) bool {
		close(arrived)
		silent(req, c)
		close(closed)
		return false
	})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-arrived
		leave()
	}()
	if r := l.try(ctx, call{path: "canary/completions", body: `{"prompt":"tweet"}`}); !errors.Is(r.err, context.Canceled) {
		t.Fatalf("the canary: %d %v", r.status, r.err)
	}
	within(t, closed, "the canary's call is cancelled")
}

// find waits for a row of a gateway that satisfies ok, and returns its whole entry.
func (l *lab) find(t *testing.T, id, what string, ok func(r *gateway.Row) bool) *gateway.Row {
	t.Helper()
	found := ""
	settle(t, what, func() error {
		rows, err := l.rows(id)
		for i := range rows {
			if r := &rows[i]; r.Ending != "in_flight" && ok(r) {
				found = r.ID
				return nil
			}
		}
		return fmt.Errorf("%w in %v", cmp.Or(err, errors.New("nothing")), rows)
	})
	return l.On(t).RowOf(id, found)
}

// rows are the newest rows of a gateway.
func (l *lab) rows(id string) ([]gateway.Row, error) {
	_, _, text, err := l.Get("/gateways/" + id + "/logs?basis=requests&per_page=100")
	if err != nil {
		return nil, err
	}
	var list struct{ Result []gateway.Row }
	err = json.Unmarshal(text, &list)
	return list.Result, err
}

// listen accepts one connection and gives it to read.
func listen(t *testing.T, read func(io.Reader)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			read(conn)
		}
	}()
	return l.Addr().String()
}
