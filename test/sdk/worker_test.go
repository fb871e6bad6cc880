package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
	"github.com/sluicehq/sluice/test/internal/rawhttp"
	"github.com/sluicehq/sluice/test/internal/upstream"
)

// tutorial runs what docs/tutorial-worker.md tells its reader to do: it writes its files and enters its
// commands, in order. What differs: the gateway listens elsewhere and has a scripted upstream in place of
// OpenAI, Wrangler chooses its port, and `npm install` brings what `make setup` has installed.
type tutorial struct {
	t    *testing.T
	g    *gateway.Gateway
	path string // PATH of the commands
	dir  string // where the reader is
	home string

	wrangler *exec.Cmd // nil: does not run
	said     *safeBuffer
	addr     string // where it listens; "": not yet known
	answer   string // what the last command printed
	asked    string // the last command, when it was a curl
}

// safeBuffer is a buffer that a process writes to while a test reads it.
type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestWorkerTutorial follows the tutorial of a Worker that calls OpenAI through the gateway.
func TestWorkerTutorial(t *testing.T) {
	const answer = "A sluice lets water through, and keeps it back."
	up := upstream.New(t, upstream.JSON(200, strings.ReplaceAll(file(t, "openai/chat.response.json"), "The Drava flows through Maribor.", answer)))
	w := newTutorial(t, up)
	for _, b := range blocks(t, "tutorial-worker.md") {
		switch {
		case b.file == "package.json":
			samePackages(t, b.text)
			fallthrough
		case b.file != "":
			write(t, w.dir, b.file, w.here(b.text))
		case b.lang == "sh":
			for line := range strings.Lines(b.text) {
				w.enter(strings.TrimSpace(line))
			}
		case b.lang == "text":
			w.expect(b.text)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	w.stop()
	called(t, up.Take(), answer)
	w.logged()
}

func newTutorial(t *testing.T, up *upstream.Server) *tutorial {
	w := &tutorial{t: t, dir: t.TempDir(), home: t.TempDir(), said: &safeBuffer{}}
	w.g = gateway.Start(t, gateway.Options{Config: "providers: {openai: {base_url: \"http://" + up.Addr + "/v1\"}}\n"})
	bin := t.TempDir()
	if err := os.Symlink(absolute(t, gateway.Binary(t)), filepath.Join(bin, "sluice")); err != nil {
		t.Fatal(err)
	}
	w.path = bin + ":" + os.Getenv("PATH")
	if own := node(t); filepath.IsAbs(own) {
		w.path = filepath.Dir(own) + ":" + w.path
	}
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			t.Logf("wrangler said:\n%.8000s", w.said)
		}
	})
	return w
}

// here replaces the addresses of the page by those of this test.
func (w *tutorial) here(text string) string {
	return strings.NewReplacer("127.0.0.1:8088", w.g.Addr, "127.0.0.1:8787", w.addr, "--port 8787", "--port 0").Replace(text)
}

// enter does what a line of the page says.
func (w *tutorial) enter(line string) {
	w.t.Helper()
	w.asked = ""
	folder, isFolder := strings.CutPrefix(line, "mkdir hello-sluice && cd ")
	switch {
	case line == "make run": // it runs
	case isFolder:
		w.dir = filepath.Join(w.dir, folder)
		if err := os.MkdirAll(w.dir, 0o700); err != nil {
			w.t.Fatal(err)
		}
	case line == "npm install":
		link(w.t, w.dir, "worker")
	case strings.HasPrefix(line, "npx wrangler dev"):
		w.stop()
		w.start(w.here(line))
	case strings.HasPrefix(line, "curl "):
		w.asked = line // its answer comes when Wrangler is ready: expect waits for it
	default:
		if out, err := w.run(line); err != nil {
			w.t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

// run runs a line to its end.
func (w *tutorial) run(line string) (string, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), gateway.Patience)
	defer cancel()
	cmd := w.command(ctx, w.here(line))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// command is a line in a shell. No server of Wrangler's maker is called from here: calls elsewhere end at a
// port where nobody listens.
func (w *tutorial) command(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Dir = w.dir
	cmd.Env = []string{
		"PATH=" + w.path, "HOME=" + w.home, "LANG=C.UTF-8", "SLUICE_URL=http://" + w.g.Addr,
		"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1,localhost", "WRANGLER_SEND_METRICS=false", "CI=true",
	}
	return cmd
}

// start starts Wrangler, which starts processes of its own: they are one group.
func (w *tutorial) start(line string) {
	w.t.Helper()
	w.wrangler = w.command(context.WithoutCancel(w.t.Context()), "exec "+line)
	w.wrangler.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	w.said, w.addr = &safeBuffer{}, ""
	w.wrangler.Stdout, w.wrangler.Stderr = w.said, w.said
	if err := w.wrangler.Start(); err != nil {
		w.t.Fatalf("%s: %v", line, err)
	}
}

// stop is Ctrl-C, and returns when Wrangler and what it has started are no more.
func (w *tutorial) stop() {
	if w.wrangler == nil {
		return
	}
	group := -w.wrangler.Process.Pid
	_ = syscall.Kill(group, syscall.SIGINT)
	impatience := time.AfterFunc(gateway.Patience, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	_ = w.wrangler.Wait()
	impatience.Stop()
	_ = syscall.Kill(group, syscall.SIGKILL) // what it has left behind
	w.wrangler = nil
}

// expect asks until the answer is the one on the page: Wrangler takes a while until it is ready.
func (w *tutorial) expect(text string) {
	w.t.Helper()
	if w.asked == "" {
		w.t.Fatalf("the page shows an answer without a question: %s", text)
	}
	ready := regexp.MustCompile(`Ready on http://[a-z0-9.]+:(\d+)`)
	w.g.Eventually("Wrangler ready", func() bool {
		if m := ready.FindStringSubmatch(w.said.String()); m != nil {
			w.addr = "127.0.0.1:" + m[1]
		}
		return w.addr != ""
	}, w.said.String)
	w.g.Eventually(fmt.Sprintf("the answer %q to %s", text, w.asked), func() bool {
		w.answer, _ = w.run(w.asked)
		return w.answer == text
	}, func() string { return fmt.Sprintf("%q\n%s", w.answer, w.said) })
}

// samePackages compares the page's versions with those that `make setup` installs.
func samePackages(t *testing.T, page string) {
	t.Helper()
	type dependencies struct {
		Dependencies    map[string]string `json:"dependencies"`
		DevDependencies map[string]string `json:"devDependencies"`
	}
	ours, err := os.ReadFile(filepath.Join("worker", "package.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got dependencies
	for text, into := range map[string]*dependencies{string(ours): &want, page: &got} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the page installs %v, test/sdk/worker/package.json %v", got, want)
	}
}

// called: of all questions one came to OpenAI, as the library of the page sent it.
func called(t *testing.T, up []*rawhttp.Message, answer string) {
	t.Helper()
	if len(up) != 1 {
		t.Fatalf("%d calls came to OpenAI, want 1: %q comes from the cache later", len(up), answer)
	}
	const body = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"What does a sluice do?"}]}`
	var got bytes.Buffer // the library of 2023 sends it with indents
	if err := json.Compact(&got, up[0].Body); err != nil || got.String() != body {
		t.Errorf("OpenAI got %s", up[0].Body)
	}
	if up[0].Start != "POST /v1/chat/completions HTTP/1.1" || up[0].Get("Authorization") != "Bearer sk-put-yours-here" ||
		up[0].Get("User-Agent") != "OpenAI/JS 4.104.0" || up[0].Get("cf-aig-authorization") != "" {
		t.Errorf("OpenAI got %s %v", up[0].Start, up[0].Header)
	}
}

// logged compares the log with what the page has led to.
func (w *tutorial) logged() {
	w.t.Helper()
	var page struct {
		Result []struct {
			Provider string
			Model    string
			Success  bool
			Cached   bool
			Cost     *json.Number
		}
	}
	w.g.Eventually("the whole log", func() bool {
		_, _, text, err := w.g.Get("/gateways/worker/logs?basis=requests&order_by_direction=asc&success=true")
		return err == nil && json.Unmarshal(text, &page) == nil && len(page.Result) >= 4
	}, func() string { return fmt.Sprint(page) })
	var got []string
	for _, r := range page.Result {
		got = append(got, fmt.Sprintf("%s %s cached=%v", r.Provider, r.Model, r.Cached))
	}
	want := []string{
		"echo gpt-4o-mini cached=false", "openai gpt-4o-mini cached=false", "openai gpt-4o-mini cached=true", "openai gpt-4o-mini cached=true",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("the log has %q, want %q", got, want)
	}
}
