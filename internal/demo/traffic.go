package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Drive calls a gateway as the made-up applications do, about once in each period, until ctx ends. base is the
// address up to the account's gateways: http://127.0.0.1:8088/v1/default. Calls that fail are the log's to show.
func Drive(ctx context.Context, base string, seed uint64, every time.Duration) {
	d := newDay(Options{Seed: seed + 1, Now: time.Now()})
	client := &http.Client{Timeout: time.Minute}
	defer client.CloseIdleConnections()
	var running sync.WaitGroup
	defer running.Wait()
	for {
		pause := time.Duration(float64(every) * (0.2 + d.rand.ExpFloat64()*0.8))
		if !wait(ctx, min(pause, 4*every)) {
			return
		}
		c := d.next()
		leave := c.said.stream && d.chance(2)
		running.Go(func() { one(ctx, client, base, c, leave) })
	}
}

// next makes up a call of now.
func (d *day) next() *call {
	n := d.rand.IntN(100)
	a := d.apps[0]
	for _, other := range d.apps {
		if n -= other.share; n < 0 {
			a = other
			break
		}
	}
	c := &call{app: a, at: time.Now()}
	d.make(c)
	return c
}

// one makes a call and reads its answer; one that leaves goes within the stream.
func one(ctx context.Context, client *http.Client, base string, c *call, leave bool) {
	m := c.said.model
	meta := map[string]any{"app": c.app.name, MetadataKey: c.app.team, "user": c.user, "demo": true}
	said, err := json.Marshal(meta)
	if err != nil {
		return // a map of texts: cannot be
	}
	url := fmt.Sprintf("%s/%s/%s/%s", base, c.app.gateway, m.provider, m.path())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(c.request))
	if err != nil {
		return // base is no address
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {c.app.agent}, "Cf-Aig-Metadata": {string(said)},
		"Authorization": {"Bearer sk-made-up"}, "X-Api-Key": {"sk-made-up"},
	}
	if c.app.cached > 0 {
		req.Header.Set("Cf-Aig-Cache-Ttl", "3600")
	}
	resp, err := client.Do(req)
	if err != nil {
		return // the gateway stops
	}
	defer func() { _ = resp.Body.Close() }() // was read
	if leave {
		_, _ = io.CopyN(io.Discard, resp.Body, 512)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body) // an answer that breaks off is in the log
}
