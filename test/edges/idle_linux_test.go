package edges

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// memory returns a figure of the process's, in KB: VmRSS is what it has in memory, VmHWM the most so far.
func memory(t *testing.T, pid int, figure string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if name == figure {
			kb, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb
		}
	}
	t.Fatalf("no %s in %s", figure, text)
	return 0
}

// TestIdleConnections: 5,000 connections that wait cost little, and the gateway goes on serving.
func TestIdleConnections(t *testing.T) {
	const (
		conns    = 5000
		perConn  = 32 // KB, of the process's memory; the system has its own share
		slackKB  = 16 << 10
		together = 50
	)
	for name, used := range map[string]bool{"that have sent nothing": false, "that have carried a request": true} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "timeouts: {header: 10m, keepalive: 10m}\n", upstream.JSON(200, answered))
			for range 20 {
				p.serves(t)
			}
			before := memory(t, p.Pid(), "VmRSS")
			all := make([]net.Conn, conns)
			var wg sync.WaitGroup
			for w := range together {
				wg.Go(func() {
					for i := w; i < conns; i += together {
						all[i] = idle(t, p.Addr, used)
					}
				})
			}
			wg.Wait()
			defer func() {
				for _, c := range all {
					if c != nil {
						_ = c.Close()
					}
				}
			}()
			if t.Failed() {
				return
			}
			after := memory(t, p.Pid(), "VmRSS")
			t.Logf("%d idle connections %s: %.1f KB each (%d to %d KB)", conns, name, float64(after-before)/conns, before, after)
			if after-before > conns*perConn+slackKB {
				t.Errorf("memory grew by %d KB, want %d at most", after-before, conns*perConn+slackKB)
			}
			p.serves(t)
			for _, i := range []int{0, conns / 2, conns - 1} { // and so do they
				m, err := call(all[i])
				if err != nil || m.Status() != 200 {
					t.Errorf("connection %d: %v, %v; want 200", i, m, err)
				}
			}
		})
	}
}

// idle opens a connection; used: it carries a request first.
func idle(t *testing.T, addr string, used bool) net.Conn {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return nil
	}
	if used {
		if m, err := call(c); err != nil || m.Status() != 200 {
			t.Errorf("got %v, %v; want 200", m, err)
		}
	}
	return c
}

// call sends an ordinary call on c.
func call(c net.Conn) (*rawhttp.Message, error) {
	if _, err := io.WriteString(c, post("", chat)); err != nil {
		return nil, err
	}
	return rawhttp.ReadResponse(bufio.NewReader(c), "POST")
}

// swallower is an upstream that throws requests away and answers when released.
func swallower(t *testing.T, release <-chan struct{}) (addr string, swallowed *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	swallowed = new(atomic.Int64)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		swallowed.Add(n)
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, answered)
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() {
		_ = server.Close()
		wg.Wait()
	})
	return l.Addr().String(), swallowed
}

// TestMemoryStaysBounded: more bodies at once than there is memory and room on disk for. Each answer is
// 200, or 503 with Retry-After; the process stays within its limit and what it needs besides.
func TestMemoryStaysBounded(t *testing.T) {
	const (
		calls    = 200
		size     = 5 << 20 // 1,000 MB in all
		limitKB  = 64 << 10
		slackKB  = 256 << 10 // the log's queue of 64 MB, the collector's head room, and the process itself
		maxRSSKB = limitKB + slackKB
	)
	release := make(chan struct{})
	addr, swallowed := swallower(t, release)
	g := gateway.Start(t, gateway.Options{Config: "limits: {memory_bytes: 64MiB, spool_bytes: 300MB, wait: 500ms}\n" +
		"log: {max_bytes: 300MB}\nproviders: {openai: {base_url: \"http://" + addr + "/v1\"}}\n"})
	body := string(bytes.Repeat([]byte("0123456789abcdef"), size/16))
	statuses := make(chan int, calls)
	for range calls {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*gateway.Patience)
			defer cancel()
			resp, text, err := g.TryPost(ctx, "openai", "files", body)
			switch {
			case err != nil:
				t.Error(err)
				statuses <- 0
				return
			case resp.StatusCode == 503 && (resp.Header.Get("Retry-After") == "" || gateway.ErrorCode(text) != 2005):
				t.Errorf("503 with %v %s; want Retry-After and code 2005", resp.Header, text)
			}
			statuses <- resp.StatusCode
		}()
	}
	count := map[int]int{}
	count[<-statuses]++ // the first can only be a refusal: nothing else is answered yet
	close(release)
	for range calls - 1 {
		count[<-statuses]++
	}
	if count[200]+count[503] != calls || count[200] == 0 || count[503] == 0 {
		t.Errorf("answers by status: %v; want 200 and 503, %d in all", count, calls)
	}
	if got := swallowed.Load(); got != int64(count[200])*size {
		t.Errorf("the upstream got %d bytes for %d answers, want %d each", got, count[200], size)
	}
	peak := memory(t, g.Pid(), "VmHWM")
	t.Logf("%v; memory at its highest: %d MB", count, peak>>10)
	if peak > maxRSSKB {
		t.Errorf("memory was %d KB at its highest, want %d at most", peak, maxRSSKB)
	}
	resp, text := g.Post("openai", "chat/completions", chat)
	if resp.StatusCode != 200 || string(text) != answered {
		t.Errorf("an ordinary call afterwards gets %d %s", resp.StatusCode, text)
	}
}
