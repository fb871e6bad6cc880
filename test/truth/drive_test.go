package truth

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// driver sends calls and keeps what came of them.
type driver struct {
	t     *testing.T
	calls chan []*call

	mu      sync.Mutex
	gateway *gateway.Gateway     // nil: there is none for the moment
	turn    int                  // which one it is
	changed chan struct{}        // closed when gateway changes
	sure    map[string]*row      // what the answered calls must count as
	unsure  map[string]*row      // calls without a whole answer: the log may know of them or not
	broken  map[string]time.Time // when calls ended whose answer was never whole
	wrong   int
}

func newDriver(t *testing.T) *driver {
	return &driver{t: t, calls: make(chan []*call), changed: make(chan struct{}), sure: map[string]*row{}, unsure: map[string]*row{}, broken: map[string]time.Time{}}
}

// use makes g the gateway that calls are sent to; nil: they wait.
func (d *driver) use(g *gateway.Gateway) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gateway = g
	d.turn++
	close(d.changed)
	d.changed = make(chan struct{})
}

// at returns the gateway, once there is one.
func (d *driver) at() (g *gateway.Gateway, turn int) {
	for {
		d.mu.Lock()
		g, turn, changed := d.gateway, d.turn, d.changed
		d.mu.Unlock()
		if g != nil {
			return g, turn
		}
		<-changed
	}
}

// kill kills g. What it promises holds for answers that are whole: of those that were broken off a moment
// before, the log may know or not.
func (d *driver) kill(g *gateway.Gateway) {
	const moment = time.Second // for a busy machine; 50 ms otherwise
	g.Kill()
	d.mu.Lock()
	defer d.mu.Unlock()
	for event, at := range d.broken {
		if time.Since(at) < moment && d.sure[event] != nil {
			d.unsure[event] = d.sure[event]
			delete(d.sure, event)
		}
	}
	clear(d.broken)
}

// generate makes n calls.
func (d *driver) generate(n int, dice *dice) {
	defer close(d.calls)
	for n > 0 {
		calls := dice.next()
		n -= len(calls)
		d.calls <- calls
	}
}

// work sends calls until there are no more.
func (d *driver) work() {
	for calls := range d.calls {
		before := 0
		for i, c := range calls {
			g, turn := d.at()
			if i > 0 && turn != before {
				break // what the former call left in the cache may be gone
			}
			before = turn
			if !d.send(g, c) {
				break
			}
		}
	}
}

// client keeps connections, and is one for all.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}, Timeout: 2 * gateway.Patience}

// send makes one call and reports whether its answer was whole.
func (d *driver) send(g *gateway.Gateway, c *call) (whole bool) {
	ctx, leave := context.WithCancel(context.Background())
	defer leave()
	status, err := d.exchange(ctx, leave, g, c)
	d.mu.Lock()
	defer d.mu.Unlock()
	cut := c.want.fault == "cut" && status == 200 && err != nil
	if err != nil && !(c.leave && status == 200) && !cut || cut && d.gateway != g {
		d.unsure[c.want.event] = &c.want
		return false
	}
	if c.leave && d.gateway != g {
		d.unsure[c.want.event] = &c.want
		return false
	}
	d.sure[c.want.event] = &c.want
	if c.leave || cut {
		d.broken[c.want.event] = time.Now()
	}
	if status != c.want.status {
		if d.wrong++; d.wrong < 10 {
			d.t.Errorf("%s %s: status %d, want %d", c.want.event, c.path, status, c.want.status)
		}
	}
	return true
}

func (d *driver) exchange(ctx context.Context, leave func(), g *gateway.Gateway, c *call) (status int, err error) {
	url := "http://" + g.Addr + "/v1/default/" + c.want.gateway
	if c.path != "" {
		url += "/" + c.path
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, io.NopCloser(strings.NewReader(c.body))) // without GetBody, so never twice
	if err != nil {
		return 0, err
	}
	req.ContentLength = int64(len(c.body))
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if c.leave {
		var b [1]byte
		if _, err := io.ReadFull(resp.Body, b[:]); err != nil {
			return 0, err
		}
		leave()
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// wait returns when done reports true, or after a while.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there is not %s", what)
		}
	}
}

// config is the program's configuration.
func config(upstream string) string {
	var b strings.Builder
	b.WriteString("log: {durability: strict, metadata: [team]}\nupstream: {retry_budget: 100}\nproviders:\n")
	for slug, more := range map[string]string{"openai": "/v1\"", "anthropic": "\"", "google-ai-studio": "\"", "truth-own": "/v1\", kind: openai", "truth-next": "/v1\", kind: openai"} {
		fmt.Fprintf(&b, "  %s: {base_url: \"%s%s}\n", slug, upstream, more)
	}
	b.WriteString(`prices:
  models:
    openai/truth-large: {input: 1.234567891, output: 9.87654321, cache_read: 0.123456789}
    openai/truth-small: {input: 0.000000001, output: 0.000000003}
    anthropic/truth-c: {input: 3.3, output: 15.7, cache_read: 0.33, cache_write_5m: 4.125, cache_write_1h: 6.6}
    truth-own/engine-1: {input: 0.7, output: 0.9}
    truth-next/engine-2: {input: 0.11, output: 0.13}
accounts: {default: {gateways: {default: {}, second: {}, caching: {}, closed: {authentication: true}}}}
`)
	return b.String()
}
