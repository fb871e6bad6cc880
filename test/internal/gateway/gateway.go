// Package gateway runs the built program as its users do: with a configuration file, a data directory and
// signals. It knows the program's documented behaviour and none of its packages.
package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long tests wait for what must come to pass: long, since a busy machine is no fault.
const Patience = 30 * time.Second

// Options say how to start a gateway. The zero Options are a gateway with nothing configured.
type Options struct {
	// Config is YAML, without listen and data_dir.
	Config string
	// DataDir keeps its content over several starts; "": a new one.
	DataDir string
	Env     []string
	// FileLimit, when not 0, is the largest file that the process may write, in bytes.
	FileLimit int64
}

// Gateway is a running program.
type Gateway struct {
	Addr    string // host:port
	DataDir string

	t      testing.TB
	file   string
	cmd    *exec.Cmd
	output *output
	end    *end
}

// end is how the process ended: err holds once exited is closed.
type end struct {
	exited chan struct{}
	err    error
}

// On returns g for use in t, a part of the test that g was started in: what fails then fails t.
func (g *Gateway) On(t testing.TB) *Gateway {
	c := *g
	c.t = t
	return &c
}

// Binary returns the program to test. SLUICE_BIN names it; without that it is built, once per test process.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("SLUICE_BIN"); path != "" {
		return path
	}
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sluice-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sluice")
	cmd := exec.Command("go", "build", "-tags", "grpcnotrace", "-o", path, "./cmd/sluice")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return path, nil
})

// output keeps what the program prints and tells who waits for a line of it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	addr chan string
	seen bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	if !o.seen {
		if m := regexp.MustCompile(`https?://((?:127\.0\.0\.1|\[::1\]):\d+)[/\s]`).FindSubmatch(o.text.Bytes()); m != nil {
			o.seen = true
			o.addr <- string(m[1])
		}
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Start runs a gateway until the test ends, and returns when it listens.
func Start(t testing.TB, o Options) *Gateway {
	t.Helper()
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	args := []string{Binary(t), "serve", "--config", file}
	if o.FileLimit > 0 {
		args = append([]string{"/bin/sh", "-c", fmt.Sprintf("ulimit -f %d; exec \"$@\"", o.FileLimit/512), "sh"}, args...)
	}
	g := &Gateway{
		DataDir: o.DataDir, t: t, file: file, cmd: exec.Command(args[0], args[1:]...),
		output: &output{addr: make(chan string, 1)}, end: &end{exited: make(chan struct{})},
	}
	g.Configure(o.Config)
	g.cmd.Stdout, g.cmd.Stderr = g.output, g.output
	g.cmd.Env = append(environment(), o.Env...)
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		g.end.err = g.cmd.Wait()
		close(g.end.exited)
	}()
	t.Cleanup(g.cleanUp)
	select {
	case g.Addr = <-g.output.addr:
	case <-g.end.exited:
		t.Fatalf("the program ended at once: %v\n%s", g.end.err, g.output)
	case <-time.After(Patience):
		t.Fatalf("no address after %v\n%s", Patience, g.output)
	}
	return g
}

// Configure writes the configuration file anew.
func (g *Gateway) Configure(config string) {
	g.t.Helper()
	text := fmt.Sprintf("listen: 127.0.0.1:0\ndata_dir: %q\n%s", g.DataDir, config)
	if err := os.WriteFile(g.file, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// environment is the tester's without what would configure the program.
func environment() []string {
	var kept []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "SLUICE_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// cleanUp stops what still runs, and shows what the program said when the test failed.
func (g *Gateway) cleanUp() {
	select {
	case <-g.end.exited:
	default:
		g.Kill()
	}
	if g.t.Failed() {
		text := g.output.String()
		if len(text) > 8000 {
			text = text[:4000] + "\n[…]\n" + text[len(text)-4000:]
		}
		g.t.Logf("the program said:\n%s", text)
	}
}

// Output returns what the program has printed so far.
func (g *Gateway) Output() string { return g.output.String() }

// Pid returns the process id.
func (g *Gateway) Pid() int { return g.cmd.Process.Pid }

// Kill is kill -9, and returns when the process is no more.
func (g *Gateway) Kill() {
	_ = g.cmd.Process.Signal(syscall.SIGKILL)
	<-g.end.exited
}

// Signal sends s.
func (g *Gateway) Signal(s os.Signal) {
	g.t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		g.t.Errorf("signal: %v", err)
	}
}

// Stop sends SIGTERM and returns the exit code when the process has ended.
func (g *Gateway) Stop() int {
	g.t.Helper()
	g.Signal(syscall.SIGTERM)
	return g.Wait()
}

// Wait returns the exit code when the process has ended.
func (g *Gateway) Wait() int {
	g.t.Helper()
	select {
	case <-g.end.exited:
	case <-time.After(Patience):
		g.t.Fatalf("the program does not end")
	}
	var exit *exec.ExitError
	if errors.As(g.end.err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// URL is the address of a path at a provider, through gateway default/default.
func (g *Gateway) URL(provider, path string) string {
	return "http://" + g.Addr + "/v1/default/default/" + provider + "/" + path
}

// Post sends JSON to a provider and returns the answer with its body read. header holds names and
// values in turn.
func (g *Gateway) Post(provider, path, body string, header ...string) (*http.Response, []byte) {
	g.t.Helper()
	resp, b, err := g.TryPost(context.Background(), provider, path, body, header...)
	if err != nil {
		g.t.Fatalf("POST %s: %v", path, err)
	}
	return resp, b
}

// TryPost is Post that may fail. Without an answer the response is nil; with a broken one the bytes
// that came are returned with the error.
func (g *Gateway) TryPost(ctx context.Context, provider, path, body string, header ...string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL(provider, path), strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, b, err
}

// client keeps connections, as applications do, and touches nothing.
var client = &http.Client{Transport: &http.Transport{
	DisableCompression: true, MaxIdleConnsPerHost: 2000, DialContext: (&net.Dialer{Timeout: Patience}).DialContext,
}}

// Dial opens a connection for raw bytes.
func (g *Gateway) Dial() (net.Conn, *bufio.Reader) {
	g.t.Helper()
	conn, err := net.Dial("tcp", g.Addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

// Run runs the program with args to its end and returns what it printed and its exit code.
func Run(t testing.TB, args ...string) (output string, code int) {
	t.Helper()
	return RunWith(t, nil, args...)
}

// RunWith is Run with variables added to the environment.
func RunWith(t testing.TB, env []string, args ...string) (output string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, Binary(t), args...)
	cmd.Env = append(environment(), env...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}
