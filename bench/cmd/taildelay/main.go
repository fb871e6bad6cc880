// Command taildelay measures how long after an answer's last byte its log entry arrives at those who follow the
// log's events: a program of its own is started on a free port, called at a steady rate through the built-in echo
// provider, and followed by several streams.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluicehq/sluice/bench/internal/hist"
)

func main() {
	binary := flag.String("binary", "bin/sluice", "program to measure")
	rate := flag.Int("rate", 200, "calls a second")
	streams := flag.Int("streams", 8, "streams that follow")
	lasts := flag.Duration("for", 20*time.Second, "how long to call")
	flag.Parse()
	if err := run(*binary, *rate, *streams, *lasts); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(binary string, rate, streams int, lasts time.Duration) error {
	dir, err := os.MkdirTemp("", "sluice-tail-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), lasts+time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "serve", "--quiet", "--listen", addr, "--data-dir", dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was told to end
	}()
	m := &measure{base: "http://" + addr, ended: map[string]time.Time{}, early: map[string][]time.Time{}}
	if err := m.ready(ctx); err != nil {
		return err
	}
	var following sync.WaitGroup
	follow, stop := context.WithCancel(ctx)
	defer stop()
	for range streams {
		body, err := m.open(follow)
		if err != nil {
			return err
		}
		following.Go(func() { m.read(body) })
	}
	m.call(ctx, rate, lasts)
	time.Sleep(2 * time.Second) // for the last events
	stop()
	following.Wait()
	want := int64(m.calls) * int64(streams)
	fmt.Printf("%d calls at %d/s, %d streams: %d of %d events, %d dropped\n", m.calls, rate, streams, m.events, want, m.dropped)
	fmt.Printf("from the answer's last byte to its close event: p50 %v, p95 %v, p99 %v (bound: p95 250ms)\n",
		time.Duration(m.delays.Quantile(0.5)).Round(time.Microsecond), time.Duration(m.delays.Quantile(0.95)).Round(time.Microsecond),
		time.Duration(m.delays.Quantile(0.99)).Round(time.Microsecond))
	return nil
}

// measure is one measurement.
type measure struct {
	base string

	mu      sync.Mutex
	calls   int
	events  int64
	dropped int64
	ended   map[string]time.Time   // when the caller had the whole answer, by log id
	early   map[string][]time.Time // events that were faster than that
	delays  hist.H
}

func (m *measure) ready(ctx context.Context) error {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return ctx.Err()
}

func (m *measure) open(ctx context.Context) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+"/client/v4/accounts/default/ai-gateway/events?kinds=logs", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("events: %s", resp.Status)
	}
	return resp.Body, nil
}

func (m *measure) read(body io.ReadCloser) {
	defer body.Close()
	kind := ""
	for lines := bufio.NewScanner(body); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			kind = name
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok || kind != "close" && kind != "drop" {
			continue
		}
		var e struct {
			Log struct{ ID string }
			N   int64
		}
		if json.Unmarshal([]byte(data), &e) == nil {
			m.told(e.Log.ID, e.N, time.Now())
		}
	}
}

func (m *measure) told(id string, dropped int64, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped += dropped
	if id == "" {
		return
	}
	m.events++
	if ended, ok := m.ended[id]; ok {
		m.delays.Add(max(at.Sub(ended), 0))
	} else {
		m.early[id] = append(m.early[id], at)
	}
}

func (m *measure) call(ctx context.Context, rate int, lasts time.Duration) {
	ticks := time.NewTicker(time.Second / time.Duration(rate))
	defer ticks.Stop()
	var calls sync.WaitGroup
	for end := time.Now().Add(lasts); time.Now().Before(end); <-ticks.C {
		calls.Go(func() { m.one(ctx) })
	}
	calls.Wait()
}

func (m *measure) one(ctx context.Context) {
	const body = `{"model":"echo-1","messages":[{"role":"user","content":"Hello"}]}`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.base+"/v1/default/default/echo/chat/completions", strings.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	_, err = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	ended := time.Now()
	if err != nil || resp.StatusCode != http.StatusOK {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	id := resp.Header.Get("Cf-Aig-Log-Id")
	m.ended[id] = ended
	for _, at := range m.early[id] {
		m.delays.Add(max(at.Sub(ended), 0))
	}
	delete(m.early, id)
}
